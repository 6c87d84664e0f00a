//! Opening connections: the settings every connection has, making a new file, and recognising one that is not ours, not
//! whole or too new. What stands in the tables belongs to the modules of the tables.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use bwana_types::time::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::error::{Result, StoreError};
use crate::home::{self, beside};
use crate::lock::private;
use crate::migrate;

/// How long a connection waits for another one. Only another process can make ours wait: a checkpoint, a migration.
const BUSY_TIMEOUT_MS: u64 = 5_000;
/// Statements a connection keeps prepared: more than the store has, so that none is prepared twice.
const STATEMENTS_MAX: usize = 128;
/// The `-wal` file is cut back to this size once its content is in the database.
const WAL_KEPT_BYTES: i64 = 16 * 1024 * 1024;
/// In the header of every file of ours: "BWAN".
pub(crate) const APPLICATION_ID: i64 = 0x4257_414e;

/// A connection that may write. There is one for the whole life of an owner, and one that only checkpoints.
pub(crate) fn open_writer(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)
        .map_err(|error| StoreError::sqlite("opening the database", &error))?;
    settings(&db)?;
    fault_points(&mut db)?;
    // The first read of the file: here a damaged one shows.
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Failed {
            what: "switching the database to its write-ahead log",
            why: format!("it stays in mode '{mode}'"),
        });
    }
    db.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
    // On macOS a plain fsync leaves data in the drive's cache.
    db.pragma_update(None, "fullfsync", true)?;
    db.pragma_update(None, "checkpoint_fullfsync", true)?;
    // A commit is a write without a sync; what must be on disk waits for a barrier (see `wal`).
    db.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(db)
}

/// A connection that cannot write, beside any owner or none.
///
/// # Errors
/// [`StoreError::Unwritable`] if it cannot even be looked at, or what is wrong with it.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let error = match begun(path.as_os_str(), flags) {
        Ok(db) => return Ok(db),
        Err(error) => error,
    };
    if !has_no_room(&error) {
        return Err(StoreError::sqlite(
            "opening the database for reading",
            &error,
        ));
    }
    // Reading a log needs an index beside it, for which a full disk or a folder of another's has no room. Without a log,
    // everything stands in the file itself and nobody is writing to it.
    let log = beside(path, "-wal");
    let has_log = fs::metadata(log).is_ok_and(|meta| meta.len() > 0);
    if !has_log && let Some(address) = unchanging(path) {
        let flags = flags | OpenFlags::SQLITE_OPEN_URI;
        if let Ok(db) = begun(address.as_ref(), flags) {
            return Ok(db);
        }
    }
    match StoreError::sqlite("opening the database for reading", &error) {
        full @ StoreError::Full => Err(full),
        _ => Err(StoreError::Unwritable {
            home: path.parent().unwrap_or(path).to_owned(),
            why: format!("{}: {error}; it may be another person's", path.display()),
        }),
    }
}

/// A connection for reading whose first read has succeeded.
fn begun(place: &OsStr, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(place, flags)?;
    settings(&db)?;
    db.pragma_update(None, "query_only", true)?;
    // Whether there is room for the log's index shows here.
    db.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
    Ok(db)
}

fn has_no_room(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly, SystemIoFailure};
    matches!(
        error.sqlite_error_code(),
        Some(CannotOpen | PermissionDenied | ReadOnly | SystemIoFailure)
    )
}

/// The address of a file that nobody changes while it is open (<https://www.sqlite.org/uri.html>).
fn unchanging(path: &Path) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let mut address = String::from("file:");
    for byte in std::path::absolute(path).ok()?.to_str()?.bytes() {
        if plain(byte) {
            address.push(char::from(byte));
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address.push_str("?immutable=1");
    Some(address)
}

/// A database in memory with the newest format.
pub(crate) fn open_memory(now: Timestamp) -> Result<Connection> {
    let mut db = Connection::open_in_memory()?;
    settings(&db)?;
    fill(&mut db, migrate::MIGRATIONS, now)?;
    Ok(db)
}

/// A place to crash at every part of a statement that is prepared, and at every row that is written.
#[cfg(feature = "fault-points")]
pub(crate) fn fault_points(db: &mut Connection) -> Result<()> {
    use bwana_types::fault::fault_point;
    use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

    db.update_hook(Some(|_, _: &str, _: &str, _| fault_point("row")))?;
    db.authorizer(Some(|what: AuthContext<'_>| {
        // Not at every column and function it names.
        if !matches!(
            what.action,
            AuthAction::Read { .. } | AuthAction::Function { .. }
        ) {
            fault_point("statement");
        }
        Authorization::Allow
    }))?;
    Ok(())
}

#[cfg(not(feature = "fault-points"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "with the feature it can fail, and its callers are the same"
)]
pub(crate) fn fault_points(_db: &mut Connection) -> Result<()> {
    Ok(())
}

/// What holds for every connection: strictness against damaged or hostile files, and no waiting for ever.
fn settings(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "cell_size_check", true)?;
    // Savepoints keep their undo pages in memory instead of in a file of their own.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

/// Opens the file of an owner in the newest format: makes it, migrates it, or finds it in order.
///
/// # Errors
/// [`StoreError::Newer`], [`StoreError::Damaged`], or what the file system says.
pub(crate) fn open_owned(home: &Path, now: Timestamp) -> Result<Connection> {
    let path = home::database(home);
    match fs::metadata(&path) {
        Ok(meta) if meta.len() == 0 => Err(StoreError::damaged(format!(
            "{} is empty; a database is never made that way",
            path.display()
        ))),
        Ok(_) => migrate::migrate(&path, migrate::MIGRATIONS),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            create(&path, migrate::MIGRATIONS, now)?;
            open_writer(&path)
        }
        Err(error) => Err(StoreError::Unwritable {
            home: home.to_owned(),
            why: error.to_string(),
        }),
    }
}

/// A new database of an older format.
#[cfg(test)]
pub(crate) fn open_old(home: &Path, migrations: &[&str], now: Timestamp) -> Result<Connection> {
    let path = home::database(home);
    create(&path, migrations, now)?;
    open_writer(&path)
}

/// Makes a new database under another name and moves it in place when it is whole, so that an empty or half-made file
/// under the real name always means damage.
pub(crate) fn create(path: &Path, migrations: &[&str], now: Timestamp) -> Result<()> {
    let draft = beside(path, ".new");
    let failed = |error: &std::io::Error| match StoreError::io("making the database", path, error) {
        StoreError::Full => StoreError::Full,
        _ => StoreError::Unwritable {
            home: path.parent().unwrap_or(path).to_owned(),
            why: error.to_string(),
        },
    };
    // A `-wal` without its database belongs to one that is gone; SQLite would replay it into the new one.
    for stale in [beside(path, "-wal"), beside(path, "-shm"), draft.clone()] {
        remove_if_there(&stale).map_err(|error| failed(&error))?;
    }
    create_private(&draft).map_err(|error| failed(&error))?;
    let mut db = Connection::open_with_flags(&draft, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    settings(&db)?;
    // Nobody else sees the draft, and a crash throws it away: one sync at the end is enough.
    db.pragma_update(None, "journal_mode", "OFF")?;
    db.pragma_update(None, "synchronous", "OFF")?;
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    fill(&mut db, migrations, now)?;
    db.close().map_err(|(_, error)| error)?;
    sync_file(&draft)
        .and_then(|()| fs::rename(&draft, path))
        .and_then(|()| home::sync_folder(path.parent().unwrap_or(path)))
        .map_err(|error| failed(&error))
}

/// The newest format and the store's own facts in an empty database.
pub(crate) fn fill(db: &mut Connection, migrations: &[&str], now: Timestamp) -> Result<()> {
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate::apply(db, 0, migrations)?;
    db.execute(
        "INSERT INTO kv (key, value) VALUES ('epoch', lower(hex(randomblob(8)))), ('clean', '1'), ('checked_at', ?1)",
        [now.0.to_string()],
    )?;
    Ok(())
}

/// The format of an open file.
///
/// # Errors
/// [`StoreError::Damaged`] if the file is a database, but not one of ours; [`StoreError::Newer`] if it has a format above
/// `known`.
pub(crate) fn format(db: &Connection, known: i64) -> Result<i64> {
    let number = |sql| -> Result<i64> { Ok(db.query_row(sql, [], |row| row.get(0))?) };
    let found = number("PRAGMA user_version")?;
    if number("PRAGMA application_id")? != APPLICATION_ID || found < 1 {
        return Err(StoreError::damaged(
            "the file is a database of another program",
        ));
    }
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    Ok(found)
}

/// One of the store's own facts.
pub(crate) fn fact(db: &Connection, key: &str) -> Result<Option<String>> {
    Ok(db
        .prepare_cached("SELECT value FROM kv WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

pub(crate) fn set_fact(db: &Connection, key: &str, value: &str) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO kv (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute([key, value])?;
    Ok(())
}

/// Moves all of the write-ahead log into the database and empties it. `false`: somebody still reads an older state.
pub(crate) fn checkpoint_whole(db: &Connection) -> Result<bool> {
    let busy: i64 = db
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(|error| StoreError::sqlite("writing the log into the database", &error))?;
    Ok(busy == 0)
}

/// The first thing SQLite's own check of all pages finds, if it finds any.
pub(crate) fn quick_check(db: &Connection) -> Result<Option<String>> {
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}

pub(crate) fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// An empty file for its owner alone; SQLite gives its `-wal` and `-shm` the same permissions.
pub(crate) fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    options.open(path).map(drop)
}

/// Only for files no connection of this process has open: closing a descriptor of an open database would drop SQLite's
/// locks on it (POSIX locks belong to the process, not to the descriptor).
pub(crate) fn sync_file(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nobody_changes_is_found_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["plain.db", "a b?c#d%41&mode=rwc", "bäckerei-مخبز.db"] {
            let path = folder.path().join(name);
            create(&path, migrate::MIGRATIONS, Timestamp(0)).unwrap();
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let db = begun(unchanging(&path).unwrap().as_ref(), flags).unwrap();
            assert_eq!(format(&db, migrate::FORMAT).unwrap(), migrate::FORMAT);
            assert!(
                !beside(&path, "-shm").exists(),
                "nothing is written beside it"
            );
        }
    }

    #[test]
    fn what_cannot_be_opened_is_not_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bwana.db");
        fs::create_dir(&path).unwrap();
        let error = open_reader(&path).unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }), "{error:?}");
        assert!(error.to_string().contains("bwana.db"), "{error}");
    }
}
