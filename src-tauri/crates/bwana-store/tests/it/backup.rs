//! Backups: complete while everything goes on, refused when cut or changed, and a restore that can be cut off anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bwana_store::{StoreError, restore};
use bwana_types::error::ErrorCode;
use bwana_types::time::Clock;

use crate::common::{Dice, Home, append, block_on, message, new_run, run_id, runtime};

/// A home with a run, an artifact, an agent file and settings; and a backup of it.
fn backed_up() -> (Home, PathBuf) {
    let home = Home::new();
    let store = home.owner();
    fs::create_dir(home.path().join("artifacts/run_1")).unwrap();
    fs::write(home.path().join("artifacts/run_1/plan.md"), "# Plan").unwrap();
    fs::write(home.path().join("agents/bi.yaml"), "id: bi").unwrap();
    fs::write(home.path().join("settings.toml"), "language = \"sw\"").unwrap();
    let target = home.path().join("backups/one");
    block_on(async {
        store.create_run(new_run(run_id(1), "x")).await.unwrap();
        store
            .append(append(run_id(1), 1, [message("a")]))
            .await
            .unwrap();
        let done = store.backup(&target).await.unwrap();
        assert_eq!(
            (done.path.as_path(), done.files, done.runs),
            (target.as_path(), 4, 1)
        );
        store.close().await.unwrap();
    });
    (home, target)
}

fn clock(home: &Home) -> Arc<dyn Clock> {
    home.clock.clone()
}

/// What a person would see in a data folder.
fn check_restored(home: &Home) {
    let store = home.owner();
    assert_eq!(store.load(run_id(1)).unwrap().len(), 2);
    assert!(store.verify(&mut |_, _| Ok(None)).unwrap().is_sound());
    let text = |path: &str| fs::read_to_string(home.path().join(path)).unwrap();
    assert_eq!(text("artifacts/run_1/plan.md"), "# Plan");
    assert_eq!(text("agents/bi.yaml"), "id: bi");
    assert_eq!(text("settings.toml"), "language = \"sw\"");
}

#[test]
fn a_backup_brings_everything_back_into_an_empty_folder() {
    let (_home, backup) = backed_up();
    let other = Home::new();
    let restored = restore(other.path(), &backup, &clock(&other)).unwrap();
    assert_eq!((restored.files, restored.runs), (4, 1));
    check_restored(&other);
}

#[test]
fn a_restore_keeps_what_it_replaces() {
    let (home, backup) = backed_up();
    let store = home.owner();
    let before = store.cursor().unwrap();
    block_on(async {
        store
            .append(append(run_id(1), 2, [message("later")]))
            .await
            .unwrap();
        store.close().await.unwrap();
    });
    fs::write(home.path().join("artifacts/run_1/plan.md"), "# Changed").unwrap();
    for number in 1..3 {
        let restored = restore(home.path(), &backup, &clock(&home)).unwrap();
        let database = home.path().join(format!("bwana.db.replaced-{number}"));
        assert!(restored.replaced.contains(&database), "{restored:?}");
        check_restored(&home);
    }
    let kept = home.path().join("artifacts.replaced-1/run_1/plan.md");
    assert_eq!(fs::read_to_string(kept).unwrap(), "# Changed");
    // The replaced database is whole: moved to a home of its own it has what came later.
    let old = Home::new();
    fs::copy(
        home.path().join("bwana.db.replaced-1"),
        old.path().join("bwana.db"),
    )
    .unwrap();
    assert_eq!(old.owner().load(run_id(1)).unwrap().len(), 3);
    // Cursors into what was there before are worthless, and the engine is told.
    let store = home.owner();
    assert_ne!(store.cursor().unwrap().epoch, before.epoch);
    assert_eq!(store.restored_at().unwrap(), Some(home.clock.now()));
    block_on(store.settle_restored()).unwrap();
    assert_eq!(store.restored_at().unwrap(), None);
}

#[test]
fn a_restore_replaces_a_damaged_database_with_its_log() {
    let (home, backup) = backed_up();
    fs::write(home.path().join("bwana.db"), "damaged").unwrap();
    fs::write(home.path().join("bwana.db-wal"), "its log").unwrap();
    restore(home.path(), &backup, &clock(&home)).unwrap();
    let kept = fs::read_to_string(home.path().join("bwana.db.replaced-1-wal")).unwrap();
    assert_eq!(kept, "its log");
    check_restored(&home);
}

#[test]
fn a_restore_waits_for_no_owner() {
    let (home, backup) = backed_up();
    let _owner = home.owner();
    let refused = restore(home.path(), &backup, &clock(&home)).unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }));
}

#[test]
fn a_backup_is_whole_while_others_write() {
    let home = Home::new();
    let store = home.owner();
    let target = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        store.create_run(new_run(run_id(1), "x")).await.unwrap();
        let writing = tokio::spawn({
            let store = store.clone();
            async move {
                for batch in 0..400 {
                    let bodies = [message("a"), message("b"), message("c")];
                    store
                        .append(append(run_id(1), 1 + batch * 3, bodies))
                        .await
                        .unwrap();
                }
            }
        });
        for n in 0..5 {
            let done = store
                .backup(&target.path().join(n.to_string()))
                .await
                .unwrap();
            let other = Home::new();
            restore(other.path(), &done.path, &clock(&other)).unwrap();
            let restored = other.owner();
            assert_eq!(
                restored.load(run_id(1)).unwrap().len() % 3,
                1,
                "half a batch"
            );
            assert!(restored.verify(&mut |_, _| Ok(None)).unwrap().is_sound());
        }
        writing.await.unwrap();
    });
}

#[test]
fn a_backup_overwrites_nothing_and_goes_into_a_folder_under_a_dated_name() {
    let (home, backup) = backed_up();
    let reader = home.reader();
    let folder = tempfile::tempdir().unwrap();
    let done = block_on(reader.backup(folder.path())).unwrap();
    let name = done.path.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(name, "bwana-backup-2025-11-25T12-00-00");
    let again = block_on(reader.backup(folder.path()));
    assert!(
        matches!(again, Err(StoreError::Invalid { .. })),
        "the same second"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let manifest = backup.join("manifest.json");
    let refused = block_on(reader.backup(&manifest));
    assert!(matches!(refused, Err(StoreError::Invalid { .. })));
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, target) = entry.map(|e| (e.path(), to.join(e.file_name()))).unwrap();
        if entry.is_dir() {
            copy_all(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The changed backup is refused, and the home is as it was.
#[track_caller]
fn check_refused(home: &Home, backup: &Path, what: &str) {
    let names = || {
        let mut names: Vec<_> = fs::read_dir(home.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = names();
    let refused = restore(home.path(), backup, &clock(home)).expect_err(what);
    assert_eq!(
        refused.code(),
        ErrorCode::BackupInvalid,
        "{what}: {refused}"
    );
    assert_eq!(names(), before, "{what}");
}

#[test]
fn a_backup_that_is_cut_or_changed_anywhere_is_refused() {
    let (home, backup) = backed_up();
    let changed = tempfile::tempdir().unwrap();
    let copy = changed.path().join("copy");
    copy_all(&backup, &copy);
    let mut dice = Dice(7);
    for file in files(&copy) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let whole = fs::read(&file).unwrap();
        for keep in (0..whole.len()).step_by(4_096) {
            fs::write(&file, &whole[..keep]).unwrap();
            check_refused(&home, &copy, &format!("{name} cut to {keep}"));
        }
        // A manifest may be changed in what it does not need; everything else counts.
        let flips = if name == "manifest.json" { 0 } else { 20 };
        for _ in 0..flips {
            let (at, bit) = (dice.below(whole.len()), dice.below(8));
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            fs::write(&file, &flipped).unwrap();
            check_refused(&home, &copy, &format!("{name} with byte {at} flipped"));
        }
        fs::remove_file(&file).unwrap();
        check_refused(&home, &copy, &format!("without {name}"));
        fs::write(&file, &whole).unwrap();
    }
    restore(home.path(), &copy, &clock(&home)).unwrap();
}

#[test]
fn a_backup_cannot_name_files_outside_of_what_it_may_hold() {
    let (home, backup) = backed_up();
    let text = fs::read_to_string(backup.join("manifest.json")).unwrap();
    for path in [
        "../agents/bi.yaml",
        "/etc/passwd",
        "logs/x",
        "owner.lock",
        "agents",
        "models/../agents/bi.yaml",
    ] {
        let changed = text.replace("agents/bi.yaml", path);
        assert_ne!(changed, text);
        fs::write(backup.join("manifest.json"), changed).unwrap();
        check_refused(&home, &backup, path);
    }
}

#[test]
fn what_is_no_backup_is_refused() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("missing")] {
        let refused = restore(home.path(), &path, &clock(&home)).unwrap_err();
        assert!(
            matches!(refused, StoreError::BackupInvalid { .. }),
            "{refused}"
        );
    }
}

/// The moves a restore makes, replayed up to each of them, as a process that died there leaves the folder.
#[test]
fn a_restore_that_was_cut_off_is_finished_by_the_next_owner() {
    let items = [
        "artifacts",
        "agents",
        "workflows",
        "settings.toml",
        "bwana.db",
    ];
    for done in 0..=2 * items.len() + 1 {
        let (home, backup) = backed_up();
        block_on(async {
            let store = home.owner();
            store
                .append(append(run_id(1), 2, [message("later")]))
                .await
                .unwrap();
            store.close().await.unwrap();
        });
        // A finished restore of another home shows what a prepared one holds.
        let staged = home.path().join("restore.staged");
        let model = Home::new();
        restore(model.path(), &backup, &clock(&model)).unwrap();
        fs::create_dir(&staged).unwrap();
        for item in items {
            fs::rename(model.path().join(item), staged.join(item)).unwrap();
        }
        fs::write(staged.join("restore.json"), r#"{"number":1}"#).unwrap();
        let mut moves = Vec::new();
        for item in items {
            let current = home.path().join(item);
            moves.push((
                current.clone(),
                home.path().join(format!("{item}.replaced-1")),
            ));
            moves.push((staged.join(item), current));
        }
        for (from, to) in moves.iter().take(done) {
            fs::rename(from, to).unwrap();
        }
        if done > moves.len() {
            fs::remove_file(staged.join("restore.json")).unwrap();
        }
        if done == moves.len() - 1 {
            let refused =
                bwana_store::Store::open_reader(home.path(), home.clock.clone()).unwrap_err();
            assert!(refused.to_string().contains("interrupted"), "{refused}");
        }
        check_restored(&home);
        assert!(!staged.exists(), "after {done} moves");
        let kept = Home::new();
        fs::copy(
            home.path().join("bwana.db.replaced-1"),
            kept.path().join("bwana.db"),
        )
        .unwrap();
        assert_eq!(
            kept.owner().load(run_id(1)).unwrap().len(),
            3,
            "after {done} moves"
        );
    }
}

#[test]
fn a_restore_that_was_cut_off_before_it_changed_anything_is_forgotten() {
    let (home, backup) = backed_up();
    let partial = home.path().join("restore.partial");
    copy_all(&backup, &partial);
    check_restored(&home);
    restore(home.path(), &backup, &clock(&home)).unwrap();
    assert!(!partial.exists());
    check_restored(&home);
}

#[test]
fn backups_made_by_themselves_are_thinned_and_what_a_kill_left_of_one_is_cleared_away() {
    let (home, own) = backed_up();
    let store = home.owner();
    let rolling = home.path().join("backups/rolling");
    block_on(async {
        for _ in 0..30 {
            store.roll_backup().await.unwrap();
            home.clock.advance_ms(3_600_000);
        }
        // What a kill leaves while one is made, and while one is removed; and what somebody else put there.
        for left in [
            "bwana-backup-2026-11-25T09-00-00.partial-0",
            ".going-bwana-backup-2026-11-25T09-00-00",
            "bwana-backup-2020-01-01T00-00-00",
            "holiday",
        ] {
            fs::create_dir(rolling.join(left)).unwrap();
        }
        store.roll_backup().await.unwrap();
    });
    let all = store.rolling_backups().unwrap();
    assert!((25..=25 + 3).contains(&all.len()), "{}", all.len());
    assert!(all.is_sorted_by(|newer, older| newer.made_at > older.made_at));
    assert_eq!(all[0].made_at.0, home.clock.now().0 / 1_000 * 1_000);
    let names: Vec<String> = fs::read_dir(&rolling)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.contains(&String::from("holiday")));
    assert!(names.contains(&String::from("bwana-backup-2020-01-01T00-00-00")));
    assert_eq!(names.len(), all.len() + 2, "{names:?}");
    assert!(own.is_dir(), "a person's own is never removed");

    let other = Home::new();
    restore(other.path(), &all.last().unwrap().path, &clock(&other)).unwrap();
    check_restored(&other);
}
