//! Fetching a package: whole, in pieces, and what is never kept.

use bwana_update::{Progress, Stage, UpdateError, Version};

use crate::publisher::{NOW, PACKAGE_PATH, Publisher, refused};
use crate::site::Reply;

const FILE: &str = "bwana-desktop_0.2.0_linux-x86_64.deb";

async fn offered() -> Publisher {
    let publisher = Publisher::start().await;
    publisher.publish(&publisher.manifest("0.2.0", 1));
    publisher.check().await.unwrap();
    publisher.site.asked();
    publisher
}

/// Ranges the package was asked for with.
fn ranges(publisher: &Publisher) -> Vec<Option<String>> {
    let asked = publisher.site.asked().into_iter();
    asked
        .filter(|(path, _)| path == PACKAGE_PATH)
        .map(|(_, range)| range)
        .collect()
}

#[tokio::test]
async fn a_package_comes_whole_and_is_read_again_before_it_is_handed_over() {
    let publisher = offered().await;
    let mut told = Vec::new();
    let updater = publisher.updater();
    let staged = updater
        .download(&mut |progress: Progress| told.push(progress))
        .await
        .unwrap();
    assert_eq!(staged.version, Version(0, 2, 0));
    assert_eq!(std::fs::read(&staged.path).unwrap(), publisher.package);
    assert_eq!(publisher.files(), [FILE, "seen.json"]);
    let last = told.last().unwrap();
    assert_eq!(
        (last.stage, last.done_bytes),
        (Stage::Downloading, 1_200_000)
    );
    assert!(updater.known().offer.unwrap().is_fetched);
    assert_eq!(updater.ready(&mut |_| {}).await.unwrap(), staged);
    // A second time nothing is fetched.
    ranges(&publisher);
    publisher.download().await.unwrap();
    assert_eq!(ranges(&publisher), []);
}

#[tokio::test]
async fn a_package_that_was_cut_goes_on_where_it_was() {
    let publisher = offered().await;
    let cut = Reply::Cut(publisher.package.clone(), 500_000);
    publisher.site.put(PACKAGE_PATH, cut);
    let staged = publisher.download().await.unwrap();
    assert_eq!(std::fs::read(&staged.path).unwrap(), publisher.package);
    let asked = ranges(&publisher);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked[1]
            .as_deref()
            .is_some_and(|range| range.starts_with("bytes=")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn another_program_goes_on_where_one_was_killed() {
    let publisher = offered().await;
    let part = publisher.shelf().join(format!("{FILE}.part"));
    std::fs::write(&part, &publisher.package[..700_000]).unwrap();
    let offer = publisher.updater().known().offer.unwrap();
    assert_eq!((offer.bytes_here, offer.is_fetched), (700_000, false));
    publisher.download().await.unwrap();
    assert_eq!(ranges(&publisher), [Some(String::from("bytes=700000-"))]);
}

#[tokio::test]
async fn a_kill_between_the_last_byte_and_the_look_at_it_costs_nothing() {
    let publisher = offered().await;
    let part = publisher.shelf().join(format!("{FILE}.part"));
    std::fs::write(&part, &publisher.package).unwrap();
    assert!(!publisher.updater().known().offer.unwrap().is_fetched);
    let not_yet = publisher.updater().ready(&mut |_| {}).await;
    assert!(matches!(not_yet, Err(UpdateError::NotFetched { .. })));
    publisher.download().await.unwrap();
    assert_eq!(ranges(&publisher), [], "it was here");

    // The same with a wrong file of the right length.
    let publisher = offered().await;
    let part = publisher.shelf().join(format!("{FILE}.part"));
    std::fs::write(&part, vec![7; publisher.package.len()]).unwrap();
    assert_eq!(refused(publisher.download().await), "wrong_hash");
    assert_eq!(publisher.files(), ["seen.json"]);
    publisher.download().await.unwrap();
}

#[tokio::test]
async fn a_package_with_another_content_is_not_kept() {
    let publisher = offered().await;
    let mut other = publisher.package.clone();
    other[600_000] ^= 1;
    publisher.site.put(PACKAGE_PATH, Reply::File(other));
    assert_eq!(refused(publisher.download().await), "wrong_hash");
    assert_eq!(publisher.files(), ["seen.json"]);
}

#[tokio::test]
async fn a_package_of_another_length_is_not_kept() {
    let publisher = offered().await;
    let longer = [publisher.package.as_slice(), b"more"].concat();
    publisher
        .site
        .put(PACKAGE_PATH, Reply::File(longer.clone()));
    assert_eq!(refused(publisher.download().await), "wrong_size");
    publisher.site.put(PACKAGE_PATH, Reply::Unannounced(longer));
    assert_eq!(refused(publisher.download().await), "wrong_size");
    let shorter = publisher.package[..1_000].to_vec();
    publisher
        .site
        .put(PACKAGE_PATH, Reply::File(shorter.clone()));
    assert_eq!(refused(publisher.download().await), "wrong_size");
    publisher
        .site
        .put(PACKAGE_PATH, Reply::Unannounced(shorter));
    let ended = publisher.download().await;
    assert!(
        matches!(ended, Err(UpdateError::Unreachable { .. })),
        "{ended:?}"
    );
}

#[tokio::test]
async fn two_halves_of_different_files_are_found_out() {
    let publisher = offered().await;
    let part = publisher.shelf().join(format!("{FILE}.part"));
    std::fs::write(&part, vec![7; 500_000]).unwrap();
    assert_eq!(refused(publisher.download().await), "wrong_hash");
    publisher.download().await.unwrap();
}

#[tokio::test]
async fn a_package_is_not_fetched_from_where_it_is_not_secure() {
    let publisher = Publisher::start().await;
    let mut manifest = publisher.manifest("0.2.0", 1);
    manifest["packages"][0]["url"] = "http://example.invalid/next.deb".into();
    publisher.publish(&manifest);
    publisher.check().await.unwrap();
    assert_eq!(refused(publisher.download().await), "not_secure");

    let publisher = offered().await;
    let to = Reply::Redirect("http://example.invalid/next.deb".into());
    publisher.site.put(PACKAGE_PATH, to);
    assert_eq!(refused(publisher.download().await), "not_secure");
}

#[tokio::test]
async fn a_package_that_was_changed_on_the_disk_is_not_handed_over() {
    let publisher = offered().await;
    let staged = publisher.download().await.unwrap();
    let mut other = publisher.package.clone();
    other[0] ^= 1;
    std::fs::write(&staged.path, other).unwrap();
    assert_eq!(
        refused(publisher.updater().ready(&mut |_| {}).await),
        "wrong_hash"
    );
    assert!(!staged.path.exists());
}

#[tokio::test]
async fn a_full_disk_is_told_before_anything_is_fetched() {
    let publisher = offered().await;
    let full = publisher.updater().with_free_space(|_| Ok(1_000_000));
    let Err(UpdateError::NoSpace { needed_bytes, .. }) = full.download(&mut |_| {}).await else {
        panic!("there was room");
    };
    assert_eq!(needed_bytes, 1_200_000 + bwana_update::FREE_MARGIN_BYTES);
    assert_eq!(ranges(&publisher), []);
}

#[tokio::test]
async fn two_programs_do_not_fetch_one_file() {
    let publisher = offered().await;
    let held = std::fs::File::create(publisher.shelf().join("update.lock")).unwrap();
    held.lock().unwrap();
    assert!(matches!(publisher.download().await, Err(UpdateError::Busy)));
    assert!(matches!(publisher.check().await, Err(UpdateError::Busy)));
}

#[tokio::test]
async fn packages_nobody_needs_go_and_the_way_back_stays() {
    let publisher = offered().await;
    let staged = publisher.download().await.unwrap();
    publisher.updater().remember(&staged, NOW).unwrap();
    assert_eq!(
        publisher.updater().previous(),
        None,
        "nothing before it was installed from here"
    );

    let second = publisher.updater_at(Version(0, 2, 0));
    publisher.publish(&publisher.manifest("0.3.0", 2));
    second.check(NOW).await.unwrap();
    let staged = second.download(&mut |_| {}).await.unwrap();
    second.remember(&staged, NOW).unwrap();
    let third = publisher.updater_at(Version(0, 3, 0));
    let (kept, path) = third.previous().unwrap();
    assert_eq!(kept.version, Version(0, 2, 0));
    assert_eq!(std::fs::read(path).unwrap(), publisher.package);
    let back = third.ready_back(&mut |_| {}).await.unwrap();
    assert_eq!((back.version, back.sha256), (kept.version, kept.sha256));

    publisher.publish(&publisher.manifest("0.4.0", 3));
    third.check(NOW).await.unwrap();
    std::fs::write(
        publisher.shelf().join("bwana-desktop_0.0.1_x.deb.part"),
        "old",
    )
    .unwrap();
    publisher.publish(&publisher.manifest("0.5.0", 4));
    third.check(NOW).await.unwrap();
    let staged = third.download(&mut |_| {}).await.unwrap();
    third.remember(&staged, NOW).unwrap();
    let names = publisher.files();
    let packages: Vec<&String> = names
        .iter()
        .filter(|name| name.starts_with("bwana-"))
        .collect();
    assert_eq!(packages.len(), 2, "{names:?}");
    assert_eq!(packages[0], "bwana-desktop_0.3.0_linux-x86_64.deb");
}
