//! Opening: owners, readers, files that are not ours, not whole or too new, and ends that were not proper.

use std::fs;
use std::path::Path;

use bwana_store::{Health, Store, StoreError};
use bwana_types::error::{ApiError, ErrorCode};

use crate::common::{Home, append, behind, block_on, message, new_run, run_id, wait_until};

const PAGE_BYTES: usize = 4_096;

/// A home with one run of two entries, closed properly.
fn closed() -> Home {
    let home = Home::new();
    let store = home.owner();
    block_on(async {
        store.create_run(new_run(run_id(1), "x")).await.unwrap();
        store
            .append(append(run_id(1), 1, [message("a")]))
            .await
            .unwrap();
        store.close().await.unwrap();
    });
    home
}

/// What a killed owner leaves: the files as they stand, without the closing.
fn killed(home: &Home) -> Home {
    let store = home.owner();
    block_on(store.append(append(run_id(1), 2, [message("b")]))).unwrap();
    let copy = Home::new();
    for name in ["bwana.db", "bwana.db-wal"] {
        fs::copy(home.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

fn database(home: &Home) -> std::path::PathBuf {
    home.path().join("bwana.db")
}

#[track_caller]
fn code(error: StoreError) -> ErrorCode {
    let api = ApiError::from(error);
    assert!(!api.hint.is_empty());
    api.code
}

#[test]
fn a_second_owner_is_told_who_the_first_is() {
    let home = closed();
    let first = home.owner();
    let refused = Store::open_owner(home.path(), home.clock.clone()).unwrap_err();
    let expected = StoreError::InUse {
        home: home.path().to_owned(),
        pid: Some(std::process::id()),
    };
    assert_eq!(refused, expected);
    assert!(
        refused
            .to_string()
            .contains(&std::process::id().to_string())
    );
    assert_eq!(code(refused), ErrorCode::HomeInUse);
    // A clone is the same owner; the last one lets go.
    let clone = first.clone();
    drop(first);
    assert!(Store::open_owner(home.path(), home.clock.clone()).is_err());
    drop(clone);
    home.owner();
}

#[test]
fn a_closed_store_lets_go_although_clones_live() {
    let home = closed();
    let first = home.owner();
    let clone = first.clone();
    block_on(first.close()).unwrap();
    let second = home.owner();
    let late = block_on(clone.append(append(run_id(1), 2, [message("late")])));
    assert_eq!(late, Err(StoreError::Closed));
    block_on(clone.close()).unwrap();
    block_on(second.append(append(run_id(1), 2, [message("c")]))).unwrap();
}

#[test]
fn a_reader_without_a_database_is_told_so() {
    let home = Home::new();
    let refused = Store::open_reader(home.path(), home.clock.clone()).unwrap_err();
    assert!(matches!(refused, StoreError::NoDatabase { .. }));
    assert_eq!(code(refused), ErrorCode::UsageNotFound);
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        0,
        "a reader makes nothing"
    );
}

#[test]
fn a_reader_reads_beside_an_owner_and_without_one() {
    let home = closed();
    assert_eq!(home.reader().load(run_id(1)).unwrap().len(), 2);
    let owner = home.owner();
    let reader = home.reader();
    block_on(owner.append(append(run_id(1), 2, [message("b")]))).unwrap();
    assert_eq!(
        reader.load(run_id(1)).unwrap().len(),
        3,
        "it sees what was committed since"
    );
    let refused = block_on(reader.append(append(run_id(1), 3, [message("c")])));
    assert_eq!(refused, Err(StoreError::ReadOnly));
    assert_eq!(block_on(reader.barrier(1)), Err(StoreError::ReadOnly));
    block_on(owner.close()).unwrap();
    assert_eq!(reader.load(run_id(1)).unwrap().len(), 3);
}

#[test]
fn a_reader_reads_what_a_killed_owner_left_in_the_log() {
    let home = closed();
    let left = killed(&home);
    let entries = left.reader().load(run_id(1)).unwrap();
    assert_eq!(entries[1..], behind(1, [message("a"), message("b")]));
    // And so does the next owner.
    assert_eq!(left.owner().load(run_id(1)).unwrap(), entries);
}

#[test]
fn only_an_end_that_was_not_proper_is_checked() {
    let home = closed();
    assert_eq!(home.owner().health(), Health::NotDue);
    // That owner was dropped, not closed.
    let store = home.owner();
    wait_until(|| store.health() == Health::Sound);
    block_on(store.close()).unwrap();
    let store = home.owner();
    assert_eq!(store.health(), Health::NotDue);
    block_on(store.close()).unwrap();
    home.clock.advance_ms(8 * 24 * 60 * 60 * 1_000);
    let store = home.owner();
    wait_until(|| store.health() == Health::Sound);
}

#[track_caller]
fn check_damaged(home: &Home, what: &str) {
    for opened in [
        Store::open_owner(home.path(), home.clock.clone()),
        Store::open_reader(home.path(), home.clock.clone()),
    ] {
        let refused = match opened {
            Err(refused) => refused,
            // Not every damage shows at the first page; then it shows where it is.
            Ok(store) => store.load(run_id(1)).expect_err(what),
        };
        assert!(
            matches!(refused, StoreError::Damaged { .. }),
            "{what}: {refused}"
        );
        assert_eq!(code(refused), ErrorCode::StoreDamaged);
    }
}

#[test]
fn a_file_that_is_no_database_is_said_to_be_damaged_and_left_alone() {
    for content in [
        &b""[..],
        b"hello",
        &[0; 100_000],
        b"SQLite format 3\0 but not really",
    ] {
        let home = Home::new();
        fs::write(database(&home), content).unwrap();
        check_damaged(&home, "no database");
        assert_eq!(fs::read(database(&home)).unwrap(), content);
    }
}

#[test]
fn a_file_that_is_cut_or_overwritten_is_said_to_be_damaged() {
    let home = closed();
    let whole = fs::read(database(&home)).unwrap();
    for keep in [100, PAGE_BYTES, whole.len() / 2] {
        fs::write(database(&home), &whole[..keep]).unwrap();
        check_damaged(&home, &format!("cut to {keep} of {}", whole.len()));
    }
    let mut wiped = whole;
    for byte in wiped.iter_mut().skip(PAGE_BYTES) {
        *byte = 0xa5;
    }
    fs::write(database(&home), wiped).unwrap();
    check_damaged(&home, "overwritten");
}

#[test]
fn damage_that_opening_does_not_meet_is_found_in_the_background() {
    let home = Home::new();
    let store = home.owner();
    block_on(async {
        store.create_run(new_run(run_id(1), "x")).await.unwrap();
        let many = (0..200).map(|n| message(&format!("number {n}: {}", "text ".repeat(100))));
        store.append(append(run_id(1), 1, many)).await.unwrap();
        store.close().await.unwrap();
    });
    let mut content = fs::read(database(&home)).unwrap();
    // Opening reads the ends of the journal, so the damage is in the middle of it: the page an entry there stands on.
    let needle = b"number 100: text";
    let found = content
        .windows(needle.len())
        .position(|window| window == needle);
    let page = found.unwrap() / PAGE_BYTES * PAGE_BYTES;
    content[page..page + PAGE_BYTES].fill(0xa5);
    fs::write(database(&home), content).unwrap();
    home.clock.advance_ms(8 * 24 * 60 * 60 * 1_000);
    let store = home.owner();
    wait_until(|| matches!(store.health(), Health::Damaged(_)));
}

fn set_format(path: &Path, format: i64) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.pragma_update(None, "user_version", format).unwrap();
}

fn format_of(path: &Path) -> i64 {
    let db = rusqlite::Connection::open(path).unwrap();
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_file_of_a_newer_program_is_refused_politely() {
    let home = closed();
    let format = format_of(&database(&home));
    set_format(&database(&home), 99);
    for opened in [
        Store::open_owner(home.path(), home.clock.clone()),
        Store::open_reader(home.path(), home.clock.clone()),
    ] {
        let refused = opened.unwrap_err();
        assert!(
            matches!(refused, StoreError::Newer { found: 99, .. }),
            "{refused}"
        );
        assert_eq!(code(refused), ErrorCode::StoreNewer);
    }
    // It is untouched: the newer program finds it as it was.
    set_format(&database(&home), format);
    assert_eq!(home.owner().load(run_id(1)).unwrap().len(), 2);
}

#[test]
fn a_log_without_its_database_is_not_replayed_into_a_new_one() {
    let home = closed();
    let left = killed(&home);
    fs::remove_file(database(&left)).unwrap();
    let store = left.owner();
    assert!(matches!(
        store.load(run_id(1)),
        Err(StoreError::NotFound { .. })
    ));
    assert!(store.verify(&mut |_, _| Ok(None)).unwrap().is_sound());
}

#[test]
fn a_creation_that_was_cut_off_is_begun_again() {
    let home = Home::new();
    fs::write(home.path().join("bwana.db.new"), "half").unwrap();
    let store = home.owner();
    block_on(store.create_run(new_run(run_id(1), "x"))).unwrap();
    assert!(!home.path().join("bwana.db.new").exists());
}

#[test]
fn a_home_that_cannot_be_made_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = Store::open_owner(&file.join("home"), Home::new().clock).unwrap_err();
    assert!(
        matches!(refused, StoreError::Unwritable { .. }),
        "{refused}"
    );
    assert_eq!(code(refused), ErrorCode::HomeUnwritable);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let home = closed();
    let _store = home.owner();
    for name in ["bwana.db", "bwana.db-wal", "bwana.db-shm", "owner.lock"] {
        let mode = fs::metadata(home.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_home_in_a_synchronised_folder_works_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("Dropbox/bwana");
    let store = Store::open_owner(&home, Home::new().clock).unwrap();
    assert_eq!(store.warnings().len(), 1);
    assert!(store.warnings()[0].to_string().contains("Dropbox"));
    assert_eq!(Home::new().owner().warnings(), []);
}

#[test]
fn a_closed_file_has_no_log() {
    let home = closed();
    let store = home.owner();
    block_on(async {
        store
            .append(append(run_id(1), 2, [message(&"x".repeat(100_000))]))
            .await
            .unwrap();
        store.close().await.unwrap();
    });
    let log = fs::metadata(home.path().join("bwana.db-wal")).map_or(0, |meta| meta.len());
    assert_eq!(log, 0);
}

#[test]
fn an_inline_store_keeps_what_an_owner_keeps() {
    let home = Home::new();
    let store = home.inline();
    let pos = block_on(async {
        store.create_run(new_run(run_id(1), "x")).await.unwrap();
        store
            .append(append(run_id(1), 1, [message("a")]))
            .await
            .unwrap()
            .pos
    });
    block_on(store.barrier(pos)).unwrap();
    assert!(matches!(
        block_on(store.barrier(pos + 1)),
        Err(StoreError::Invalid { .. })
    ));
    assert_eq!(store.durable_pos(), pos);
    block_on(store.sync()).unwrap();
    assert!(matches!(
        Store::open_owner(home.path(), home.clock.clone()),
        Err(StoreError::InUse { .. })
    ));
    block_on(store.close()).unwrap();
    assert_eq!(home.owner().load(run_id(1)).unwrap().len(), 2);
}
