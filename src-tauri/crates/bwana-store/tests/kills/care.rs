//! Processes that are killed while data is brought back: at every statement and every row of a migration, a merge, a
//! restore and a recovery, and between all moves of files. Afterwards everything that was there is there, what came is whole or
//! not there at all, and doing it again finishes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bwana_store::{
    Backup, DATABASE_FORMAT, RecoverFrom, Standing, Store, StoreError, Told, recover, restore,
};
use bwana_types::id::RunId;
use bwana_types::time::Clock;
use rusqlite::Connection;

use crate::common::{TestClock, block_on, run_id};
use crate::homes::{load, merge, say, stands, two_homes};

const WHAT: &str = "BWANA_TEST_CARE_WHAT";
const HOME: &str = "BWANA_TEST_CARE_HOME";
const BACKUP: &str = "BWANA_TEST_CARE_BACKUP";
/// More passes of one point than any of these makes.
const PASSES_MAX: usize = 5_000;

/// Runs in the child only.
#[test]
fn child() {
    let Ok(what) = std::env::var(WHAT) else {
        return;
    };
    let path = |name| PathBuf::from(std::env::var_os(name).unwrap());
    let (home, backup) = (path(HOME), path(BACKUP));
    match what.as_str() {
        "open" => {
            Store::open_owner(&home, TestClock::new()).unwrap();
        }
        "merge" => {
            let store = Store::open_owner(&home, TestClock::new()).unwrap();
            block_on(merge(&store, &Backup::open(&backup).unwrap()));
        }
        "restore" => {
            restore(&home, &backup, &(TestClock::new() as _)).unwrap();
        }
        "recover" => {
            let clock: Arc<dyn Clock> = TestClock::new();
            let mut still = |_: RunId, told: &Told| Ok(stands(told.entries.len() as u64));
            recover(&home, RecoverFrom::Salvage, &clock, "UTC", &mut still).unwrap();
        }
        other => panic!("{other}"),
    }
}

/// Opens a data folder whose last owner was killed. Its lock may be held for an instant by a child of another test that
/// has not become itself yet.
fn owner(home: &Path) -> Store {
    loop {
        match Store::open_owner(home, TestClock::new()) {
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Does `what` in a copy of `home` once for every pass of every point, killed there, and lets `check` look at what is
/// left. Answers how often it was killed.
fn kill_everywhere(
    what: &str,
    home: &Path,
    backup: &Path,
    points: &[&str],
    check: impl Fn(&Path, &str),
) -> usize {
    let mut kills = 0;
    for point in points {
        for pass in 1..=PASSES_MAX {
            let folder = tempfile::tempdir().unwrap();
            let copy = folder.path().join("home");
            copy_all(home, &copy);
            let at = format!("{point}:{pass}");
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "care::child", "--test-threads=1"])
                .env(WHAT, what)
                .env(HOME, &copy)
                .env(BACKUP, backup)
                .env("BWANA_CRASH_AT", &at)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            check(&copy, &format!("{what} killed at {at}"));
            if status.success() {
                assert!(pass > 1, "{what} never comes to {point}");
                break;
            }
            assert_eq!(status.code(), None, "{what} at {at} ended by itself");
            kills += 1;
            assert!(pass < PASSES_MAX, "{what} has more passes of {point}");
        }
    }
    kills
}

/// Every row of every table there was in `format`, as text; without the store's own facts, which say how it was closed.
fn rows(path: &Path, tables: &[String]) -> Vec<String> {
    let db = Connection::open(path).unwrap();
    let mut found = Vec::new();
    for table in tables {
        let mut statement = db
            .prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3"))
            .unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> = (0..columns)
                .map(|at| format!("{:?}", row.get_ref(at).unwrap()))
                .collect();
            found.push(format!("{table} {}", values.join(",")));
        }
    }
    found
}

const RELEASED: [&str; 4] = [
    include_str!("../../src/sql/001_first.sql"),
    include_str!("../../src/sql/002_grants.sql"),
    include_str!("../../src/sql/003_traffic.sql"),
    include_str!("../../src/sql/004_versions.sql"),
];

/// The rows of a full database in one of an older format, in a home of its own.
fn old_home(full: &Path, format: usize, home: &Path) -> Vec<String> {
    fs::create_dir_all(home).unwrap();
    let path = home.join("bwana.db");
    let db = Connection::open(&path).unwrap();
    // An imported row may come before the one it refers to.
    db.execute_batch(
        "PRAGMA application_id = 0x4257414e; PRAGMA auto_vacuum = INCREMENTAL; \
         PRAGMA foreign_keys = OFF;",
    )
    .unwrap();
    for sql in &RELEASED[..format] {
        db.execute_batch(sql).unwrap();
    }
    db.pragma_update(None, "user_version", i64::try_from(format).unwrap())
        .unwrap();
    let mut statement = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let tables: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    drop(statement);
    db.execute("ATTACH ?1 AS full", [full.to_str().unwrap()])
        .unwrap();
    for table in &tables {
        db.execute(
            &format!("INSERT INTO main.{table} SELECT * FROM full.{table}"),
            [],
        )
        .unwrap();
    }
    // Of every table at least one row.
    for (since, sql) in [
        (
            1,
            "INSERT INTO definitions VALUES ('agent', 'bi', 'BI', x'00', '{}', 'bi.yaml', 1, 2)",
        ),
        (
            1,
            "INSERT INTO artifacts VALUES (1, 'plan.md', 1, 6, x'00')",
        ),
        (
            1,
            "INSERT INTO changes (topic, key, op) VALUES ('agents', 'bi', 'upsert')",
        ),
        (
            2,
            "INSERT INTO grants VALUES (NULL, 'grant_1', 'run', 't', '1', '{}', 'run_1', 'w', 'h', 'task_1', 1, 'local_cli', NULL, 3, NULL)",
        ),
        (3, "INSERT INTO traffic VALUES (20261125, 5, 6)"),
    ] {
        if format >= since {
            db.execute(sql, []).unwrap();
        }
    }
    tables.into_iter().filter(|table| table != "kv").collect()
}

#[test]
fn a_migration_killed_at_every_statement_loses_no_row_of_any_format() {
    assert_eq!(
        i64::try_from(RELEASED.len()),
        Ok(DATABASE_FORMAT),
        "a new format is proved here too"
    );
    let (theirs, _ours, _backup) = two_homes();
    let full = theirs.path().join("bwana.db");
    let mut kills = 0;
    for format in 1..=RELEASED.len() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("old");
        let tables = old_home(&full, format, &home);
        let expected = rows(&home.join("bwana.db"), &tables);
        assert!(expected.len() > 30, "{}", expected.len());
        let is_old = format < RELEASED.len();
        let points: &[&str] = if is_old {
            &["statement", "migrate_moved"]
        } else {
            &["statement"]
        };
        kills += kill_everywhere(
            "open",
            &home,
            &folder.path().join("none"),
            points,
            |home, at| {
                let path = home.join("bwana.db");
                assert_eq!(
                    rows(&path, &tables),
                    expected,
                    "{at}, before the next start"
                );
                drop(owner(home));
                assert_eq!(rows(&path, &tables), expected, "{at}, after the next start");
                let kept = home.join(format!("bwana.db.format-{format}-1"));
                assert_eq!(kept.exists(), is_old, "{at}: the old file is kept");
            },
        );
    }
    println!("migration: {kills} kills");
    assert!(kills > 60, "{kills}");
}

#[test]
fn a_merge_killed_at_every_statement_and_row_loses_nothing_and_can_be_done_again() {
    let (theirs, ours, backup) = two_homes();
    let theirs = theirs.owner();
    let store = ours.owner();
    let before: Vec<_> = [1, 2, 3, 5].map(|run| (run, load(&store, run))).into();
    block_on(store.close()).unwrap();
    let points = [
        "statement",
        "row",
        "file_coming",
        "before_commit",
        "after_commit",
    ];
    let kills = kill_everywhere("merge", ours.path(), &backup, &points, |home, at| {
        let store = owner(home);
        let is_whole = |context: &str| {
            for (run, entries) in &before {
                assert_eq!(
                    load(&store, *run)[..entries.len()],
                    *entries,
                    "{context}, run {run}"
                );
            }
            for run in [3, 4, 6, 8] {
                let Ok(here) = store.load(run_id(run)) else {
                    continue;
                };
                let was = before.iter().find(|(known, _)| *known == run);
                let whole = load(&theirs, run);
                let is_untouched = was.is_some_and(|(_, was)| *was == here);
                let is_taken = here.len() == whole.len() + 1 && here[..whole.len()] == whole;
                assert!(
                    is_untouched || is_taken,
                    "{context}: run {run} is taken in part"
                );
            }
            let report = store.verify(&mut |_, _| Ok(None)).unwrap();
            assert!(report.is_sound(), "{context}: {report:?}");
        };
        is_whole(at);
        let backup = Backup::open(&backup).unwrap();
        for (run, outcome) in block_on(merge(&store, &backup)) {
            assert_eq!(outcome, Ok(()), "{at}: run {run}");
        }
        is_whole(&format!("{at}, done again"));
        let compared = backup.compare(Some(&store)).unwrap();
        let open = compared
            .iter()
            .filter(|one| matches!(one.standing, Standing::New | Standing::Ahead));
        assert_eq!(open.count(), 0, "{at}");
        let file = home.join(format!("artifacts/{}/plan.md", run_id(4)));
        assert_eq!(fs::read(file).unwrap(), b"# Plan", "{at}");
    });
    println!("merge: {kills} kills");
    assert!(kills > 100, "{kills}");
}

#[test]
fn a_restore_killed_at_every_statement_and_move_leaves_the_old_state_or_the_new() {
    let (theirs, ours, backup) = two_homes();
    let theirs = theirs.owner();
    let store = ours.owner();
    let old: Vec<_> = [1, 2, 3, 5].map(|run| load(&store, run)).into();
    block_on(store.close()).unwrap();
    let new: Vec<_> = [1, 2, 3, 5].map(|run| load(&theirs, run)).into();
    let points = ["statement", "restore_moved"];
    let kills = kill_everywhere("restore", ours.path(), &backup, &points, |home, at| {
        let store = owner(home);
        let found: Vec<_> = [1, 2, 3, 5].map(|run| load(&store, run)).into();
        assert!(found == old || found == new, "{at}");
        assert_eq!(store.run(run_id(4)).is_ok(), found == new, "{at}");
        let file = home.join(format!("artifacts/{}/plan.md", run_id(4)));
        assert_eq!(
            file.exists(),
            found == new,
            "{at}: files go with their database"
        );
        assert!(
            store.verify(&mut |_, _| Ok(None)).unwrap().is_sound(),
            "{at}"
        );
        if found == new {
            let kept = Connection::open(home.join("bwana.db.replaced-1")).unwrap();
            let runs: i64 = kept
                .query_row("SELECT count(*) FROM runs", [], |row| row.get(0))
                .unwrap();
            assert_eq!(runs, 4, "{at}: what was there is kept");
        }
    });
    println!("restore: {kills} kills");
    assert!(kills > 15, "{kills}");
}

#[test]
fn a_recovery_killed_anywhere_leaves_the_damaged_file_or_a_database_that_works() {
    let (_theirs, ours, _backup) = two_homes();
    let store = ours.owner();
    block_on(store.roll_backup()).unwrap();
    say(&store, 1, &["since the backup"]);
    let truth: Vec<_> = [1, 2, 3, 5].map(|run| load(&store, run)).into();
    block_on(store.close()).unwrap();
    let path = ours.path().join("bwana.db");
    let mut broken = fs::read(&path).unwrap();
    broken[..100].fill(0);
    fs::write(&path, &broken).unwrap();
    let points = ["statement", "row", "restore_moved"];
    let none = ours.path().join("none");
    let kills = kill_everywhere("recover", ours.path(), &none, &points, |home, at| {
        let path = home.join("bwana.db");
        let aside = home.join("bwana.db.replaced-1");
        let damaged = [&path, &aside]
            .into_iter()
            .find(|path| fs::read(path).is_ok_and(|bytes| bytes == broken));
        assert!(damaged.is_some(), "{at}: the damaged file is gone");
        let refused = Store::open_owner(home, TestClock::new()).err();
        let store = match refused {
            // Nothing was changed yet, so it is simply done again.
            Some(StoreError::Damaged { .. }) => {
                let clock: Arc<dyn Clock> = TestClock::new();
                let mut still = |_: RunId, told: &Told| Ok(stands(told.entries.len() as u64));
                recover(home, RecoverFrom::Salvage, &clock, "UTC", &mut still).unwrap();
                owner(home)
            }
            _ => owner(home),
        };
        for (run, entries) in [1, 2, 3, 5].into_iter().zip(&truth) {
            assert_eq!(
                load(&store, run)[..entries.len()],
                *entries,
                "{at}: run {run}"
            );
        }
        assert!(
            store.verify(&mut |_, _| Ok(None)).unwrap().is_sound(),
            "{at}"
        );
    });
    println!("recovery: {kills} kills");
    assert!(kills > 40, "{kills}");
}
