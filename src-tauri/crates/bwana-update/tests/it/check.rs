//! Asking for the newest version: what is believed, what is remembered, and what never counts again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bwana_types::traffic::Traffic;
use bwana_update::{Source, UpdateError, Version};
use minisign::KeyPair;

use crate::publisher::{HERE, NOW, Publisher, refused, sign};
use crate::site::Reply;

#[tokio::test]
async fn a_newer_version_is_offered_and_remembered() {
    let publisher = Publisher::start().await;
    publisher.publish(&publisher.manifest("0.2.0", 1));
    let known = publisher.check().await.unwrap();
    assert_eq!(known.checked_at, Some(NOW));
    let offer = known.offer.clone().unwrap();
    assert_eq!(offer.manifest.version, Version(0, 2, 0));
    assert_eq!(offer.manifest.notes, "Calmer.");
    assert_eq!(offer.package.unwrap().bytes, 1_200_000);
    assert!(!offer.is_fetched);
    publisher.site.asked();
    assert_eq!(publisher.updater().known(), known);
    assert_eq!(publisher.site.asked(), [], "looking asks nobody");
    assert_eq!(publisher.updater_at(Version(0, 2, 0)).known().offer, None);
}

#[tokio::test]
async fn what_is_installed_is_no_news() {
    let publisher = Publisher::start().await;
    assert_eq!(publisher.updater().known().checked_at, None);
    publisher.publish(&publisher.manifest("0.1.0", 1));
    let known = publisher.check().await.unwrap();
    assert_eq!((known.checked_at, known.offer), (Some(NOW), None));
    let nothing = publisher.download().await;
    assert!(matches!(
        nothing,
        Err(UpdateError::NothingNew { installed: HERE })
    ));
}

#[tokio::test]
async fn a_version_without_a_package_for_this_system_says_so() {
    let publisher = Publisher::start().await;
    let mut manifest = publisher.manifest("0.2.0", 1);
    manifest["packages"][0]["target"] = "linux-aarch64".into();
    publisher.publish(&manifest);
    assert_eq!(
        publisher.check().await.unwrap().offer.unwrap().package,
        None
    );
    let none = publisher.download().await.unwrap_err();
    assert!(none.to_string().contains("linux-x86_64, deb"), "{none}");
}

#[tokio::test]
async fn another_key_is_refused_and_changes_nothing() {
    let publisher = Publisher::start().await;
    let text = publisher.manifest("0.2.0", 1).to_string();
    let other = KeyPair::generate_unencrypted_keypair().unwrap();
    let comments = (
        bwana_update::SIGNATURE_COMMENT,
        bwana_update::TRUSTED_COMMENT,
    );
    let signature = sign(&other, &text, comments.0, comments.1);
    publisher.publish_as(text.as_bytes(), signature.as_bytes());
    assert_eq!(refused(publisher.check().await), "signature");

    // The same with the number of the right key on it.
    let forged = with_number_of(&publisher.sign(&text), &signature);
    publisher.publish_as(text.as_bytes(), forged.as_bytes());
    assert_eq!(refused(publisher.check().await), "signature");
    assert_eq!(publisher.files(), [""; 0]);
}

/// A signature that says it is of the key another one is of.
fn with_number_of(theirs: &str, signature: &str) -> String {
    let bytes = |text: &str| STANDARD.decode(text.lines().nth(1).unwrap()).unwrap();
    let mut forged = bytes(signature);
    forged[..10].copy_from_slice(&bytes(theirs)[..10]);
    let line = signature.lines().nth(1).unwrap();
    signature.replace(line, &STANDARD.encode(forged))
}

#[tokio::test]
async fn a_signature_of_something_else_is_none() {
    let publisher = Publisher::start().await;
    let text = publisher.manifest("0.2.0", 1).to_string();
    let comment = bwana_update::SIGNATURE_COMMENT;
    for (comment, trusted) in [
        (comment, "timestamp:1764072000\tfile:latest.json\thashed"),
        (comment, ""),
        (
            "untrusted comment: signature from minisign secret key",
            bwana_update::TRUSTED_COMMENT,
        ),
    ] {
        let signature = sign(&publisher.keys, &text, comment, trusted);
        publisher.publish_as(text.as_bytes(), signature.as_bytes());
        assert_eq!(refused(publisher.check().await), "signature", "{trusted}");
    }
    let of_another = publisher.sign(&publisher.manifest("0.3.0", 1).to_string());
    publisher.publish_as(text.as_bytes(), of_another.as_bytes());
    assert_eq!(refused(publisher.check().await), "signature");
}

#[tokio::test]
async fn an_older_version_than_the_installed_one_is_refused() {
    let publisher = Publisher::start().await;
    publisher.publish(&publisher.manifest("0.0.9", 1));
    assert_eq!(refused(publisher.check().await), "downgrade");
    assert_eq!(publisher.updater().known().checked_at, None);
}

#[tokio::test]
async fn a_manifest_from_before_the_last_one_is_refused() {
    let publisher = Publisher::start().await;
    let first = publisher.publish(&publisher.manifest("0.2.0", 1));
    publisher.check().await.unwrap();
    publisher.publish(&publisher.manifest("0.3.0", 2));
    publisher.check().await.unwrap();

    publisher.publish_as(first.0.as_bytes(), first.1.as_bytes());
    assert_eq!(refused(publisher.check().await), "replay");
    let offer = publisher.updater().known().offer.unwrap();
    assert_eq!(
        offer.manifest.version,
        Version(0, 3, 0),
        "what was believed stays"
    );

    publisher.publish(&publisher.manifest("0.2.0", 3));
    assert_eq!(refused(publisher.check().await), "withdrawn");
    let mut same_moment = publisher.manifest("0.4.0", 2);
    same_moment["notes"] = "Other.".into();
    publisher.publish(&same_moment);
    assert_eq!(refused(publisher.check().await), "changed");
    publisher.publish(&publisher.manifest("0.3.1", 4));
    publisher.check().await.unwrap();
}

#[tokio::test]
async fn a_replay_is_refused_also_after_the_newer_version_was_installed() {
    let publisher = Publisher::start().await;
    let first = publisher.publish(&publisher.manifest("0.2.0", 1));
    publisher.check().await.unwrap();
    publisher.publish(&publisher.manifest("0.2.1", 2));
    publisher.check().await.unwrap();
    publisher.publish_as(first.0.as_bytes(), first.1.as_bytes());
    // Somebody went back by hand.
    let older = publisher.updater_at(Version(0, 1, 0));
    assert_eq!(refused(older.check(NOW).await), "replay");
}

#[tokio::test]
async fn what_lies_in_the_folder_is_believed_only_with_its_signature() {
    let publisher = Publisher::start().await;
    publisher.publish(&publisher.manifest("0.2.0", 1));
    publisher.check().await.unwrap();
    let path = publisher.shelf().join("seen.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("0.2.0", "9.9.9")).unwrap();
    assert_eq!(publisher.updater().known().offer, None);
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert_eq!(publisher.updater().known().offer, None);
    // It is asked for anew, as on the first day.
    assert!(publisher.check().await.unwrap().offer.is_some());
}

#[tokio::test]
async fn a_source_that_does_not_answer_is_told_from_one_that_lies() {
    let publisher = Publisher::start().await;
    let unreachable = |answer| matches!(answer, Err(UpdateError::Unreachable { .. }));
    assert!(unreachable(publisher.check().await), "404");
    publisher
        .site
        .put("/latest.json", Reply::Status("503 Busy"));
    assert!(unreachable(publisher.check().await), "503");
    let closed = Source::on_loopback(
        "http://127.0.0.1:1/latest.json",
        &publisher.keys.pk.to_base64(),
    );
    let installed = publisher.updater().installed().clone();
    let nobody = bwana_update::Updater::new(closed.unwrap(), publisher.shelf(), installed);
    let answer = nobody.check(NOW).await;
    let words = answer.as_ref().unwrap_err().to_string();
    assert!(unreachable(answer), "{words}");
    assert!(words.contains("127.0.0.1"), "{words}");
}

#[tokio::test]
async fn a_redirect_to_what_is_not_secure_is_refused() {
    let publisher = Publisher::start().await;
    let (text, _) = publisher.publish(&publisher.manifest("0.2.0", 1));
    for to in [
        "http://example.invalid/latest.json",
        "http://localhost:1/latest.json",
        "file:///etc/passwd",
    ] {
        publisher
            .site
            .put("/latest.json", Reply::Redirect(to.into()));
        let answer = publisher.check().await;
        if to.starts_with("http") {
            assert_eq!(refused(answer), "not_secure", "{to}");
        } else {
            assert!(answer.is_err(), "{to}");
        }
    }
    publisher
        .site
        .put("/elsewhere", Reply::File(text.into_bytes()));
    let to = format!("{}/elsewhere", publisher.site.url);
    publisher.site.put("/latest.json", Reply::Redirect(to));
    publisher.check().await.unwrap();
    publisher
        .site
        .put("/latest.json", Reply::Redirect("/latest.json".into()));
    let endless = publisher.check().await;
    assert!(
        matches!(endless, Err(UpdateError::Unreachable { .. })),
        "{endless:?}"
    );
}

#[tokio::test]
async fn every_byte_is_counted() {
    let publisher = Publisher::start().await;
    let (text, signature) = publisher.publish(&publisher.manifest("0.2.0", 1));
    let traffic = Traffic::default();
    traffic.count_this_machine();
    let updater = publisher.updater().with_traffic(traffic.clone());
    updater.check(NOW).await.unwrap();
    let small = traffic.total();
    let bodies = (text.len() + signature.len()) as u64;
    assert!(
        small.received > bodies && small.received < bodies + 500,
        "{small:?}"
    );
    assert!(small.sent > 300, "{small:?}");
    updater.download(&mut |_| {}).await.unwrap();
    let package = traffic.total().since(small).received;
    assert!((1_200_000..1_200_500).contains(&package), "{package}");
}

/// Made with the program minisign itself and the words of `docs/packages.md`; the other half of its key is gone.
#[tokio::test]
async fn what_minisign_signed_is_believed() {
    let publisher = Publisher::start().await;
    let (text, signature) = (
        include_str!("real/latest.json"),
        include_str!("real/latest.json.minisig"),
    );
    publisher.publish_as(text.as_bytes(), signature.as_bytes());
    let key = include_str!("real/key.pub").lines().nth(1).unwrap();
    let url = format!("{}/latest.json", publisher.site.url);
    let source = Source::on_loopback(&url, key).unwrap();
    let installed = publisher.updater().installed().clone();
    let updater = bwana_update::Updater::new(source, publisher.shelf(), installed);
    let offer = updater.check(NOW).await.unwrap().offer.unwrap();
    assert_eq!(offer.manifest.version, Version(0, 2, 0));
}
