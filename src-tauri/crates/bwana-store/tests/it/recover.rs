//! Damaged databases: whatever page is lost, what a backup has and what can be read come back, nothing else does, and the
//! damaged file stays as it was.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bwana_store::{
    NotTaken, RecoverFrom, Recovered, RunFilter, RunRow, Stands, Store, StoreError, Told,
    look_at_damage, recover,
};
use bwana_types::entry::Draft;
use bwana_types::error::ErrorCode;
use bwana_types::id::RunId;
use bwana_types::time::Clock;

use crate::common::{Home, NOW, TestClock, append, block_on, message, new_run, run_id};
use crate::homes::{load, say};

const PAGE: usize = 4_096;
/// Written over what is lost.
const RUBBISH: u8 = 0xa5;

#[expect(clippy::unnecessary_wraps, reason = "the shape that a merge asks for")]
fn still(_: RunId, told: &Told) -> Result<Stands, String> {
    let head = told.entries.len() as u64;
    Ok(Stands {
        entries: vec![Draft::new("", message("stands still")).at(head + 1, NOW)],
        row: RunRow::started(5),
    })
}

fn recover_in(home: &Path, from: RecoverFrom) -> Result<Recovered, StoreError> {
    let clock: Arc<dyn Clock> = TestClock::new();
    recover(home, from, &clock, "UTC", &mut still)
}

/// Three runs with small and large entries; a backup in the middle; closed.
fn lived() -> Home {
    let home = Home::new();
    let store = home.owner();
    let large = "large ".repeat(2_000);
    for run in 1..=2 {
        block_on(store.create_run(new_run(run_id(run), "x"))).unwrap();
        for n in 0..20 {
            say(
                &store,
                run,
                &[&format!("{run} {n} {}", "small ".repeat(30)), &large],
            );
        }
    }
    block_on(store.roll_backup()).unwrap();
    block_on(store.create_run(new_run(run_id(3), "since"))).unwrap();
    for n in 0..10 {
        say(&store, 1, &[&format!("later {n} {}", "small ".repeat(30))]);
        say(&store, 3, &[&format!("new {n}"), &format!("{n} {large}")]);
    }
    block_on(store.close()).unwrap();
    home
}

fn copy_home(from: &Path) -> Home {
    let home = Home::new();
    copy_all(from, home.path());
    home
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn truth(home: &Home) -> Vec<Vec<bwana_types::entry::Entry>> {
    let copy = copy_home(home.path());
    let store = copy.owner();
    (1..=3).map(|run| load(&store, run)).collect()
}

#[test]
fn whatever_page_is_lost_the_backup_and_what_can_be_read_come_back() {
    let home = lived();
    let truth = truth(&home);
    let whole = fs::read(home.path().join("bwana.db")).unwrap();
    let backed_up = [41, 41, 0];
    let pages = whole.len() / PAGE;
    assert!(pages > 30, "{pages}");
    let (mut damaged, mut complete) = (0, 0);
    for page in 0..pages {
        let copy = copy_home(home.path());
        let path = copy.path().join("bwana.db");
        let mut broken = whole.clone();
        broken[page * PAGE..(page + 1) * PAGE].fill(RUBBISH);
        fs::write(&path, &broken).unwrap();
        let recovered = match recover_in(copy.path(), RecoverFrom::Salvage) {
            Ok(recovered) => recovered,
            // A page that nothing stands on is no damage.
            Err(StoreError::Invalid { .. }) => continue,
            Err(error) => panic!("page {page}: {error}"),
        };
        damaged += 1;
        // Beside it may stand the empty log that looking at it has made.
        let is_file = |path: &&std::path::PathBuf| path.ends_with("bwana.db.replaced-1");
        let aside = recovered.set_aside.iter().find(is_file).unwrap();
        assert_eq!(fs::read(aside).unwrap(), broken, "page {page}");
        let store = copy.owner();
        assert!(
            store.verify(&mut |_, _| Ok(None)).unwrap().is_sound(),
            "page {page}"
        );
        assert!(store.restored_at().unwrap().is_some());
        let mut found = 0;
        for (run, (entries, least)) in (1..).zip(truth.iter().zip(backed_up)) {
            let here = store.load(run_id(run)).unwrap_or_default();
            // Nothing that was not said, and in its place, but what makes it stand still.
            let same = here
                .iter()
                .zip(entries)
                .take_while(|(one, two)| one == two)
                .count();
            assert!(
                same >= least,
                "page {page}: run {run} has {same} of {least}"
            );
            assert!(
                here.len() <= same + 1,
                "page {page}: run {run} says something else"
            );
            found += same;
        }
        complete += usize::from(found == truth.iter().map(Vec::len).sum::<usize>());
        block_on(store.close()).unwrap();
    }
    println!("{damaged} of {pages} pages matter; nothing at all was lost with {complete}");
    assert!(
        damaged > pages * 3 / 4 && complete > 3,
        "{damaged} {complete}"
    );
}

#[test]
fn a_database_without_its_first_page_is_read_with_another_and_without_any_backup() {
    let home = lived();
    let truth = truth(&home);
    for (bytes, with_backup) in [(100, true), (100, false), (PAGE, true), (PAGE, false)] {
        let copy = copy_home(home.path());
        if !with_backup {
            fs::remove_dir_all(copy.path().join("backups")).unwrap();
        }
        let path = copy.path().join("bwana.db");
        let mut broken = fs::read(&path).unwrap();
        broken[..bytes].fill(0);
        fs::write(&path, &broken).unwrap();
        let refused = Store::open_owner(copy.path(), copy.clock.clone()).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::StoreDamaged);
        let found = look_at_damage(copy.path()).unwrap();
        assert!(found.damage.is_some());
        assert_eq!(found.good.is_some(), with_backup);
        let entries: usize = truth.iter().map(Vec::len).sum();
        assert_eq!(
            (found.readable_runs, found.readable_entries),
            (3, entries as u64)
        );
        let recovered = recover_in(copy.path(), RecoverFrom::Salvage).unwrap();
        assert_eq!(recovered.left_out, []);
        let store = copy.owner();
        for (run, entries) in (1..).zip(&truth) {
            assert_eq!(load(&store, run)[..entries.len()], *entries);
        }
    }
}

#[test]
fn a_file_in_which_nothing_can_be_read_is_replaced_by_the_backup_and_by_nothing_else() {
    let home = lived();
    let rubbish = vec![RUBBISH; 50 * PAGE];
    for broken in [&b""[..], b"not a database", &rubbish] {
        for from in [RecoverFrom::Backup, RecoverFrom::Salvage] {
            let copy = copy_home(home.path());
            fs::write(copy.path().join("bwana.db"), broken).unwrap();
            let found = look_at_damage(copy.path()).unwrap();
            assert_eq!((found.readable_runs, found.backups.len()), (0, 1));
            assert_eq!(found.good.as_ref().unwrap().runs, 2);
            let recovered = recover_in(copy.path(), from).unwrap();
            assert_eq!((recovered.runs, recovered.salvaged_runs), (2, 0));
            assert_eq!(load(&copy.owner(), 1).len(), 41);
        }
        let copy = copy_home(home.path());
        fs::remove_dir_all(copy.path().join("backups")).unwrap();
        fs::write(copy.path().join("bwana.db"), broken).unwrap();
        let refused = recover_in(copy.path(), RecoverFrom::Backup).unwrap_err();
        assert!(
            matches!(refused, StoreError::BackupInvalid { .. }),
            "{refused}"
        );
        let refused = recover_in(copy.path(), RecoverFrom::Salvage).unwrap_err();
        assert!(
            matches!(refused, StoreError::BackupInvalid { .. }),
            "{refused}"
        );
        assert_eq!(fs::read(copy.path().join("bwana.db")).unwrap(), broken);
        assert!(!copy.path().join("recover.partial").exists());
    }
}

#[test]
fn a_backup_that_is_damaged_too_is_passed_over_for_an_older_one() {
    let home = lived();
    let store = home.owner();
    home.clock.advance_ms(3_600_000);
    let newer = block_on(store.roll_backup()).unwrap().path;
    block_on(store.close()).unwrap();
    fs::write(newer.join("bwana.db"), "x").unwrap();
    fs::write(home.path().join("bwana.db"), "x").unwrap();
    let found = look_at_damage(home.path()).unwrap();
    assert_eq!(found.backups.len(), 2);
    assert_ne!(found.good.unwrap().path, newer);
    assert_eq!(
        recover_in(home.path(), RecoverFrom::Backup).unwrap().runs,
        2
    );
}

#[test]
fn a_sound_database_or_one_in_use_is_left_alone() {
    let home = lived();
    let before = fs::read(home.path().join("bwana.db")).unwrap();
    let refused = recover_in(home.path(), RecoverFrom::Salvage).unwrap_err();
    assert!(matches!(refused, StoreError::Invalid { .. }), "{refused}");
    assert_eq!(look_at_damage(home.path()).unwrap().damage, None);
    assert_eq!(fs::read(home.path().join("bwana.db")).unwrap(), before);
    let _owner = home.owner();
    let refused = recover_in(home.path(), RecoverFrom::Backup).unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    assert!(matches!(
        look_at_damage(home.path()),
        Err(StoreError::InUse { .. })
    ));
}

#[test]
fn a_run_that_does_not_fold_is_left_out_and_said() {
    let home = lived();
    let path = home.path().join("bwana.db");
    let mut broken = fs::read(&path).unwrap();
    broken[..100].fill(0);
    fs::write(&path, &broken).unwrap();
    let clock: Arc<dyn Clock> = TestClock::new();
    let mut refuse = |run: RunId, told: &Told| match run == run_id(3) {
        true => Err(String::from("no reason")),
        false => still(run, told),
    };
    let recovered = recover(
        home.path(),
        RecoverFrom::Salvage,
        &clock,
        "UTC",
        &mut refuse,
    )
    .unwrap();
    let expected = NotTaken::Unreadable(String::from("no reason"));
    assert_eq!(recovered.left_out, [(run_id(3), expected)]);
    let store = home.owner();
    assert_eq!(store.runs(&RunFilter::default()).unwrap().len(), 2);
    block_on(store.append(append(run_id(1), 52, [message("goes on")]))).unwrap();
}

#[test]
fn what_cannot_be_looked_at_is_not_replaced() {
    let home = lived();
    let path = home.path().join("bwana.db");
    let whole = fs::read(&path).unwrap();
    // Nobody can open a folder as a database, not even whoever may do everything.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let refused = look_at_damage(home.path()).unwrap_err();
    assert!(
        matches!(refused, StoreError::Unwritable { .. }),
        "{refused:?}"
    );
    let refused = recover_in(home.path(), RecoverFrom::Salvage).unwrap_err();
    assert!(
        matches!(refused, StoreError::Unwritable { .. }),
        "{refused:?}"
    );
    fs::remove_dir(&path).unwrap();
    fs::write(&path, whole).unwrap();
    assert_eq!(look_at_damage(home.path()).unwrap().damage, None);
}
