//! Formats of the file and the way from one to the next. Forward only: an older program refuses a newer file, a newer
//! program migrates a verified copy and swaps it in, and the old file is kept.

use std::fs;
use std::path::{Path, PathBuf};

use bwana_types::fault::fault_point;
use bwana_types::hash::Hash;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::db::{self, create_private, remove_if_there, sync_file};
use crate::error::{Result, StoreError};
use crate::home::{beside, sync_folder};

/// Format n is what the first n of these make. A released one is never edited.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("sql/001_first.sql"),
    include_str!("sql/002_grants.sql"),
    include_str!("sql/003_traffic.sql"),
    include_str!("sql/004_versions.sql"),
];

/// The newest format this program knows.
#[expect(clippy::cast_possible_wrap, reason = "a handful of migrations")]
pub const FORMAT: i64 = MIGRATIONS.len() as i64;

/// Applies what follows after format `from`, in one transaction.
pub(crate) fn apply(db: &mut Connection, from: i64, migrations: &[&str]) -> Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (step, sql) in (1_i64..).zip(migrations).filter(|(step, _)| *step > from) {
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", step)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Opens the file at `path` in the newest format of `migrations`. The caller holds the owner lock and no connection.
///
/// # Errors
/// [`StoreError::Newer`] and [`StoreError::Damaged`] without a change; any other error leaves the old file in place.
pub(crate) fn migrate(path: &Path, migrations: &[&str]) -> Result<Connection> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let old = db::open_writer(path)?;
    let from = db::format(&old, known)?;
    if from == known {
        return Ok(old);
    }
    tracing::info!(from, to = known, "migrating a copy of the database");
    let copy = beside(path, ".migrating");
    let io = |error: &std::io::Error| StoreError::io("migrating the database", path, error);
    for stale in ["", "-wal", "-shm", "-journal"] {
        remove_if_there(&beside(&copy, stale)).map_err(|error| io(&error))?;
    }
    if !db::checkpoint_whole(&old)? {
        return Err(StoreError::Failed {
            what: "migrating the database",
            why: String::from("another program is reading it; close that program and try again"),
        });
    }
    copy_database(&old, &copy)?;
    migrate_copy(&old, &copy, from, migrations)?;
    old.close().map_err(|(_, error)| error)?;
    sync_file(&copy).map_err(|error| io(&error))?;
    fault_point("migrate_moved");
    swap(path, &copy, from).map_err(|error| io(&error))?;
    db::open_writer(path)
}

fn migrate_copy(old: &Connection, copy: &Path, from: i64, migrations: &[&str]) -> Result<()> {
    let mut new = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db::fault_points(&mut new)?;
    new.pragma_update(None, "journal_mode", "DELETE")?;
    // Rebuilding a table must not cascade into others; the check below finds what no longer fits.
    new.pragma_update(None, "foreign_keys", false)?;
    apply(&mut new, from, migrations)?;
    verify_copy(old, &new)?;
    new.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// A migration may change how things are stored, never what was recorded.
fn verify_copy(old: &Connection, new: &Connection) -> Result<()> {
    let wrong = |why: String| StoreError::Failed {
        what: "migrating the database",
        why: format!("the migrated copy is not right ({why}); the old file stays as it is"),
    };
    if let Some(found) = db::quick_check(new)? {
        return Err(wrong(found));
    }
    if new.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(wrong(String::from("rows refer to rows that are missing")));
    }
    if journal_digest(old)? != journal_digest(new)? {
        return Err(wrong(String::from("the journal differs")));
    }
    Ok(())
}

/// A hash over every entry in order. Holds for every format: a later one that moves these columns brings its own query.
fn journal_digest(db: &Connection) -> Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut statement = db.prepare(
        "SELECT run_no, seq, at_ms, path, kind, v, body, blob_no FROM journal ORDER BY run_no, seq",
    )?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            // The form is unambiguous: a variant's name and its quoted content.
            hasher.update(format!("{:?};", row.get_ref(column)?).as_bytes());
        }
    }
    Ok(Hash(*hasher.finalize().as_bytes()))
}

/// A page-by-page copy of what `from` sees into a new file, in one consistent state.
pub(crate) fn copy_database(from: &Connection, to: &Path) -> Result<()> {
    create_private(to).map_err(|error| StoreError::io("copying the database", to, &error))?;
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Whole or worthless: the caller syncs the file when it is complete.
    target.pragma_update(None, "synchronous", "OFF")?;
    // All pages at once hold one read transaction, so a busy writer cannot make the copy start over and over.
    let copied = Backup::new(from, &mut target)
        .and_then(|backup| backup.step(-1))
        .map_err(|error| StoreError::sqlite("copying the database", &error))?;
    if copied != rusqlite::backup::StepResult::Done {
        return Err(StoreError::Failed {
            what: "copying the database",
            why: format!("it is locked ({copied:?})"),
        });
    }
    // One file without companions.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Puts `copy` in the place of `path` and keeps the old file. At every instant a whole database stands at `path`.
fn swap(path: &Path, copy: &Path, from: i64) -> std::io::Result<()> {
    // The old log is empty. Its file must go nevertheless, or the new database would share it with whoever still reads
    // the old one.
    remove_if_there(&beside(path, "-wal"))?;
    remove_if_there(&beside(path, "-shm"))?;
    let kept = unused(|n| beside(path, &format!(".format-{from}-{n}")));
    if fs::hard_link(path, &kept).is_err() {
        // File systems without links.
        fs::copy(path, &kept)?;
    }
    fault_point("migrate_moved");
    fs::rename(copy, path)?;
    fault_point("migrate_moved");
    sync_folder(path.parent().unwrap_or(path))
}

/// The first of `name(1)`, `name(2)`, ... that does not exist.
pub(crate) fn unused(name: impl Fn(u32) -> PathBuf) -> PathBuf {
    let mut candidates = (1..u32::MAX).map(&name);
    candidates
        .find(|path| fs::symlink_metadata(path).is_err())
        .unwrap_or_else(|| name(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bwana_types::time::Timestamp;

    use super::*;
    use crate::home;

    /// What a second format may be one day.
    const NEXT: [&str; 2] = [
        MIGRATIONS[0],
        "ALTER TABLE runs ADD COLUMN colour TEXT; CREATE TABLE extra (n INTEGER PRIMARY KEY) STRICT;",
    ];

    struct Old {
        _folder: tempfile::TempDir,
        home: PathBuf,
        path: PathBuf,
    }

    /// A file of format 1 with an entry, closed or, if `killed`, as a killed process leaves it.
    fn old(killed: bool) -> Old {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        let path = home::database(&home);
        let db = db::open_old(&home, &MIGRATIONS[..1], Timestamp(0)).unwrap();
        db.execute_batch(
            "INSERT INTO blobs (hash, bytes, zstd, data) VALUES (zeroblob(32), 2, 0, CAST('{}' AS BLOB));
             INSERT INTO runs (id, definition_no, workflow, title, created_at, status) VALUES ('run_1', 1, 'w', '', 0, 'done');
             INSERT INTO journal (pos, run_no, seq, at_ms, path, kind, v, body) VALUES (1, 1, 1, 0, '', 'x', 1, '{}');",
        )
        .unwrap();
        if killed {
            let copy = folder.path().join("killed");
            fs::create_dir(&copy).unwrap();
            for suffix in ["", "-wal"] {
                fs::copy(
                    beside(&path, suffix),
                    beside(&home::database(&copy), suffix),
                )
                .unwrap();
            }
            drop(db);
            let path = home::database(&copy);
            return Old {
                _folder: folder,
                home: copy,
                path,
            };
        }
        drop(db);
        Old {
            _folder: folder,
            home,
            path,
        }
    }

    fn names(home: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(home)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn entries(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn an_older_file_is_migrated_and_kept() {
        for killed in [false, true] {
            let old = old(killed);
            let db = migrate(&old.path, &NEXT).unwrap();
            assert_eq!(db::format(&db, 2).unwrap(), 2);
            assert_eq!(entries(&db), 1);
            db.execute("INSERT INTO extra VALUES (1)", []).unwrap();
            drop(db);
            assert_eq!(names(&old.home), ["bwana.db", "bwana.db.format-1-1"]);
            let kept = Connection::open(old.home.join("bwana.db.format-1-1")).unwrap();
            assert_eq!(db::format(&kept, 2).unwrap(), 1);
            assert_eq!(entries(&kept), 1);
        }
    }

    #[test]
    fn a_file_of_the_first_format_becomes_one_of_this_program() {
        for killed in [false, true] {
            let old = old(killed);
            let db = migrate(&old.path, MIGRATIONS).unwrap();
            assert_eq!(db::format(&db, FORMAT).unwrap(), FORMAT);
            assert_eq!(entries(&db), 1);
            let new = db::open_memory(Timestamp(0)).unwrap();
            let schema = |db: &Connection| -> Vec<String> {
                let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
                let mut statement = db.prepare(sql).unwrap();
                let rows = statement.query_map([], |row| row.get(0)).unwrap();
                rows.map(Result::unwrap).collect()
            };
            assert_eq!(schema(&db), schema(&new));
        }
    }

    #[test]
    fn a_migrated_file_is_not_migrated_again() {
        let old = old(false);
        drop(migrate(&old.path, &NEXT).unwrap());
        drop(migrate(&old.path, &NEXT).unwrap());
        assert_eq!(names(&old.home).len(), 2);
    }

    #[test]
    fn a_migration_that_fails_or_loses_something_changes_nothing() {
        let broken = [
            "CREATE TABLE extra (n INTEGER) STRICT; this is not SQL;",
            "DELETE FROM journal;",
            "UPDATE journal SET body = '{\"a\":1}';",
            "DELETE FROM blobs;",
        ];
        for sql in broken {
            let old = old(true);
            let error = migrate(&old.path, &[MIGRATIONS[0], sql]).unwrap_err();
            assert!(matches!(error, StoreError::Failed { .. }), "{sql}: {error}");
            let db = migrate(&old.path, &MIGRATIONS[..1]).unwrap();
            assert_eq!(db::format(&db, 1).unwrap(), 1);
            assert_eq!(entries(&db), 1);
            // What is left of the attempt is thrown away by the next.
            assert_eq!(
                db::format(&migrate(&old.path, &NEXT).unwrap(), 2).unwrap(),
                2
            );
        }
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let old = old(false);
        drop(migrate(&old.path, &NEXT).unwrap());
        let before = fs::read(&old.path).unwrap();
        let refused = migrate(&old.path, &MIGRATIONS[..1]).map(drop);
        assert_eq!(refused, Err(StoreError::Newer { found: 2, known: 1 }));
        assert_eq!(fs::read(&old.path).unwrap(), before);
    }

    #[test]
    fn a_file_that_somebody_reads_is_not_swapped_under_them() {
        let old = old(true);
        let reader = db::open_reader(&old.path).unwrap();
        let reading = reader.unchecked_transaction().unwrap();
        assert_eq!(entries(&reading), 1);
        // The reader needs the log as it is.
        let writer = db::open_writer(&old.path).unwrap();
        writer
            .execute("INSERT INTO kv VALUES ('x', '1')", [])
            .unwrap();
        drop(writer);
        let refused = migrate(&old.path, &NEXT).map(drop).unwrap_err();
        assert!(matches!(refused, StoreError::Failed { .. }), "{refused}");
        drop(reading);
        drop(reader);
        migrate(&old.path, &NEXT).unwrap();
    }

    #[test]
    fn a_file_of_another_program_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = home::database(folder.path());
        let other = Connection::open(&path).unwrap();
        other
            .execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1")
            .unwrap();
        drop(other);
        let refused = migrate(&path, MIGRATIONS).map(drop);
        assert!(matches!(refused, Err(StoreError::Damaged { .. })));
    }
}
