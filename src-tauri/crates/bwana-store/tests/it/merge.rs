//! Taking runs in from a backup: what is new comes whole, what went further goes on, nothing of ours is ever changed, and
//! whatever is cut off in the middle is simply done again.

use std::fs;
use std::path::{Path, PathBuf};

use bwana_store::Store;
use bwana_store::{
    Backup, Compared, NotTaken, RunFilter, RunRow, Standing, Stands, StoreError, TaskFilter,
    restore,
};
use bwana_types::entry::Draft;

use crate::common::{Dice, Home, NOW, append, block_on, message, new_run, run_id};
use crate::homes::{load, merge, say, stands, two_homes};

fn standing_of(all: &[Compared], run: u64) -> Standing {
    all.iter()
        .find(|one| one.run == run_id(run))
        .unwrap()
        .standing
}

#[test]
fn every_run_of_a_backup_is_counted_as_what_it_is_here() {
    use Standing::{Ahead, Behind, Conflict, Equal, New};

    let (_theirs, ours, backup) = two_homes();
    let backup = Backup::open(&backup).unwrap();
    assert_eq!(backup.run_count(), 8);
    let store = ours.owner();
    let all = backup.compare(Some(&store)).unwrap();
    let found: Vec<Standing> = (1..=8).map(|run| standing_of(&all, run)).collect();
    assert_eq!(
        found,
        [Equal, Behind, Ahead, New, Conflict, New, Conflict, New]
    );
    assert!(
        backup
            .compare(None)
            .unwrap()
            .iter()
            .all(|one| one.standing == New)
    );
}

#[test]
fn a_merge_brings_what_is_new_and_changes_nothing_of_ours() {
    let (theirs, ours, backup) = two_homes();
    let backup = Backup::open(&backup).unwrap();
    let (theirs, store) = (theirs.owner(), ours.owner());
    let before: Vec<_> = [1, 2, 3, 5].map(|run| (run, load(&store, run))).into();
    let taken = block_on(merge(&store, &backup));
    let runs: Vec<_> = [3, 4, 6, 8].map(|run| (run_id(run), Ok(()))).into();
    assert_eq!(taken, runs);
    for (run, entries) in before {
        assert_eq!(load(&store, run)[..entries.len()], entries, "run {run}");
    }
    for run in [3, 4, 6, 8] {
        let (here, there) = (load(&store, run), load(&theirs, run));
        assert_eq!(here[..there.len()], there, "run {run}");
        assert_eq!(here.len(), there.len() + 1, "it stands still");
    }
    let tasks = |store: &Store| {
        let filter = TaskFilter {
            run: Some(run_id(4)),
            ..TaskFilter::default()
        };
        store.tasks(&filter).unwrap()
    };
    assert_eq!(tasks(&store), tasks(&theirs));
    let day = store.day_spent("2025-11-25").unwrap();
    assert_eq!(day, theirs.day_spent("2025-11-25").unwrap());
    assert_eq!(day.settled.0, 4_000);
    for file in ["plan.md", "deep/table.csv"] {
        let path = format!("artifacts/{}/{file}", run_id(4));
        let read = |home: &Path| fs::read(home.join(&path)).unwrap();
        assert_eq!(read(ours.path()), read(theirs.home().unwrap()));
    }
    let report = store.verify(&mut |_, _| Ok(None)).unwrap();
    assert!(report.is_sound(), "{report:?}");
    // What was taken stands behind ours now, so a second merge takes nothing.
    assert_eq!(block_on(merge(&store, &backup)), []);
    assert!(
        !backup
            .compare(Some(&store))
            .unwrap()
            .iter()
            .any(|one| matches!(one.standing, Standing::New | Standing::Ahead))
    );
}

#[test]
fn a_file_of_ours_is_never_overwritten() {
    let (_theirs, ours, backup) = two_homes();
    let backup = Backup::open(&backup).unwrap();
    let store = ours.owner();
    let folder = ours.path().join("artifacts").join(run_id(4).to_string());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("plan.md"), "mine").unwrap();
    let taken = block_on(merge(&store, &backup));
    assert_eq!(taken[1], (run_id(4), Err(NotTaken::FilesDiffer)));
    assert_eq!(taken[2], (run_id(6), Err(NotTaken::ParentMissing)));
    assert_eq!(fs::read(folder.join("plan.md")).unwrap(), b"mine");
    assert!(!folder.join("deep").exists(), "none of its files came");
    assert!(matches!(
        store.run(run_id(4)),
        Err(StoreError::NotFound { .. })
    ));
}

#[cfg(unix)]
#[test]
fn a_link_on_the_way_to_a_file_leads_nothing_out_of_the_folder() {
    let (_theirs, ours, backup) = two_homes();
    let backup = Backup::open(&backup).unwrap();
    let store = ours.owner();
    let outside = tempfile::tempdir().unwrap();
    let folder = ours.path().join("artifacts").join(run_id(4).to_string());
    std::os::unix::fs::symlink(outside.path(), folder).unwrap();
    let taken = block_on(merge(&store, &backup));
    assert_eq!(taken[1], (run_id(4), Err(NotTaken::FilesDiffer)));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_run_that_goes_on_in_the_meantime_is_left_alone() {
    let (_theirs, ours, backup) = two_homes();
    let backup = Backup::open(&backup).unwrap();
    let store = ours.owner();
    let all = backup.compare(Some(&store)).unwrap();
    let ahead = all.iter().find(|one| one.run == run_id(3)).unwrap();
    let told = backup.read(run_id(3)).unwrap();
    say(&store, 3, &["quicker"]);
    let before = load(&store, 3);
    let taken = store.take_run(&backup, ahead, &told, stands(5), "UTC");
    assert_eq!(block_on(taken).unwrap(), Err(NotTaken::Moved));
    assert_eq!(load(&store, 3), before);
}

#[test]
fn a_run_without_its_end_of_a_fork_is_refused_whole() {
    let (_theirs, ours, backup) = two_homes();
    let backup = Backup::open(&backup).unwrap();
    let store = ours.owner();
    let all = backup.compare(Some(&store)).unwrap();
    let new = all.iter().find(|one| one.run == run_id(4)).unwrap();
    let told = backup.read(run_id(4)).unwrap();
    // An entry that breaks a rule of the journal, behind the others.
    let broken = Stands {
        entries: vec![Draft::new("", message("gap")).at(new.theirs + 2, NOW)],
        row: RunRow::started(5),
    };
    let taken = block_on(store.take_run(&backup, new, &told, broken, "UTC")).unwrap();
    assert!(matches!(taken, Err(NotTaken::Unreadable(_))), "{taken:?}");
    assert!(matches!(
        store.run(run_id(4)),
        Err(StoreError::NotFound { .. })
    ));
}

#[test]
fn what_was_there_before_a_merge_comes_back_whole() {
    let (_theirs, ours, backup) = two_homes();
    let store = ours.owner();
    let before: Vec<_> = [1, 2, 3, 5].map(|run| load(&store, run)).into();
    let copy = block_on(store.backup_before()).unwrap();
    block_on(merge(&store, &Backup::open(&backup).unwrap()));
    say(&store, 1, &["work since"]);
    // Staged twice: a person who changes their mind changes nothing.
    block_on(store.stage_restore(&backup)).unwrap();
    block_on(store.stage_restore(&copy.path)).unwrap();
    assert_eq!(
        load(&store, 1).len(),
        4,
        "until it is closed everything goes on"
    );
    block_on(store.close()).unwrap();
    let store = ours.owner();
    let after: Vec<_> = [1, 2, 3, 5].map(|run| load(&store, run)).into();
    assert_eq!(after, before);
    assert_eq!(store.runs(&RunFilter::default()).unwrap().len(), 4);
    assert!(
        !ours
            .path()
            .join(format!("artifacts/{}", run_id(4)))
            .exists()
    );
    assert!(store.restored_at().unwrap().is_some());
    let left: Vec<_> = fs::read_dir(ours.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("restore."))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn copies_to_go_back_to_stay_for_thirty_days_and_the_newest_for_ever() {
    let home = Home::new();
    let store = home.owner();
    let first = block_on(store.backup_before()).unwrap().path;
    let second = block_on(store.backup_before()).unwrap().path;
    assert_ne!(first, second, "two in one second");
    home.clock.advance_ms(30 * 24 * 3_600_000);
    let third = block_on(store.backup_before()).unwrap().path;
    assert!(
        first.exists() && second.exists(),
        "thirty days are not over"
    );
    home.clock.advance_ms(1_000);
    block_on(store.roll_backup()).unwrap();
    assert!(!first.exists() && !second.exists());
    home.clock.advance_ms(400 * 24 * 3_600_000);
    block_on(store.roll_backup()).unwrap();
    assert!(third.exists());
}

/// A backup of about a megabyte.
fn large_backup() -> (Home, PathBuf) {
    let home = Home::new();
    let store = home.owner();
    let mut dice = Dice(11);
    block_on(async {
        store.create_run(new_run(run_id(1), "x")).await.unwrap();
        for seq in 1..250 {
            let noise: String = (0..500).map(|_| format!("{:x}", dice.next())).collect();
            let noise = &noise[..4_000.min(noise.len())];
            store
                .append(append(run_id(1), seq, [message(noise)]))
                .await
                .unwrap();
        }
    });
    let folder = home.path().join("artifacts").join(run_id(1).to_string());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("plan.md"), "# Plan ".repeat(10_000)).unwrap();
    let backup = home.path().join("backups/large");
    block_on(store.backup(&backup)).unwrap();
    (home, backup)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

const CUT_EVERY_BYTES: usize = 64 * 1024;
const FLIPS: usize = 1_000;

#[test]
fn a_backup_cut_at_every_64_kib_or_with_any_of_1_000_flipped_bits_is_refused() {
    let (_home, backup) = large_backup();
    let mut files = files(&backup);
    files.sort();
    let bytes: u64 = files
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    assert!(bytes > 1_000_000, "{bytes}");
    let target = Home::new();
    let check = |what: &str| {
        let refused = Backup::open(&backup).expect_err(what);
        assert!(
            matches!(refused, StoreError::BackupInvalid { .. }),
            "{what}: {refused}"
        );
        let refused = loop {
            let refused =
                restore(target.path(), &backup, &(target.clock.clone() as _)).expect_err(what);
            // A child that another test has just started holds the lock until it is itself.
            if !matches!(refused, StoreError::InUse { .. }) {
                break refused;
            }
        };
        assert!(
            matches!(refused, StoreError::BackupInvalid { .. }),
            "{what}: {refused}"
        );
        assert!(!target.path().join("bwana.db").exists(), "{what}");
    };
    let mut cuts = 0;
    for file in &files {
        let whole = fs::read(file).unwrap();
        for keep in (0..whole.len()).step_by(CUT_EVERY_BYTES) {
            fs::write(file, &whole[..keep]).unwrap();
            check(&format!("{} cut to {keep}", file.display()));
            cuts += 1;
        }
        fs::write(file, &whole).unwrap();
    }
    assert!(cuts > 16, "{cuts}");
    let mut dice = Dice(2_026);
    for flip in 0..FLIPS {
        // A quarter each: three files of very different size, and one of all.
        let file = &files[flip % files.len()];
        let whole = fs::read(file).unwrap();
        let (at, bit) = (dice.below(whole.len()), dice.below(8));
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        fs::write(file, &flipped).unwrap();
        check(&format!(
            "bit {bit} of byte {at} of {} flipped",
            file.display()
        ));
        fs::write(file, &whole).unwrap();
    }
    Backup::open(&backup).unwrap();
    restore(target.path(), &backup, &(target.clock.clone() as _)).unwrap();
}

#[test]
fn a_log_beside_the_database_of_a_backup_is_not_read_along() {
    let (_home, backup) = large_backup();
    for companion in ["bwana.db-wal", "bwana.db-journal"] {
        fs::write(backup.join(companion), "x").unwrap();
        let refused = Backup::open(&backup).unwrap_err();
        assert!(
            matches!(refused, StoreError::BackupInvalid { .. }),
            "{refused}"
        );
        fs::remove_file(backup.join(companion)).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_backup_that_holds_a_link_is_refused_before_it_is_followed() {
    let (_home, backup) = large_backup();
    let database = backup.join("bwana.db");
    let elsewhere = backup.with_file_name("elsewhere.db");
    fs::rename(&database, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &database).unwrap();
    let refused = Backup::open(&backup).unwrap_err();
    assert!(refused.to_string().contains("is a link"), "{refused}");
}
