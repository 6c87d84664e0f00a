//! Bringing a backup back. Everything is checked and copied beside first; then the data folder's files are moved aside
//! (never deleted) and the new ones moved in. A crash at any instant leaves either the old state or a restore that the
//! next owner finishes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bwana_types::fault::fault_point;
use bwana_types::time::{Clock, Timestamp};
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use crate::backup::{
    FOLDERS, MANIFEST_FILE, MANIFEST_SCHEMA, MANIFEST_SCHEMA_1, Manifest, SETTINGS_FILE, integrity,
};
use crate::db::{self, remove_if_there};
use crate::error::{Result, StoreError};
use crate::files::{copy_file, create_private_folder, inside};
use crate::home::{self, DATABASE_FILE, beside, sync_folder};
use crate::lock::OwnerLock;
use crate::migrate::{self, unused};
use crate::store::{CHECKED_AT, CLEAN};

/// Where a restore is prepared: worthless until it has its final name.
const PARTIAL_DIR: &str = "restore.partial";
/// A prepared restore: from here on it will be finished, by this process or the next.
const STAGED_DIR: &str = "restore.staged";
const PLAN_FILE: &str = "restore.json";
/// A manifest is text about files.
const MANIFEST_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A restore that is complete and on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// When the backup was made, RFC 3339.
    pub made_at: String,
    pub files: usize,
    pub runs: u64,
    /// What stood in the data folder before, under its new names.
    pub replaced: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Plan {
    /// The files moved aside end in `.replaced-N`.
    number: u32,
}

/// The fact that says when this database was restored, until somebody has dealt with it.
pub(crate) const RESTORED_AT: &str = "restored_at";

/// Replaces the data folder's content by the backup `from`. Needs the owner lock, so no program may be working on the
/// folder; it is free again afterwards.
///
/// Runs that had not ended stand where they stood then. What they did since is not known to the restored journal, so
/// they must not simply go on: see [`crate::Store::restored_at`].
///
/// # Errors
/// [`StoreError::BackupInvalid`] if anything in the backup is missing, cut or changed, [`StoreError::Newer`] if a newer
/// program made it: then nothing was touched.
pub fn restore(home: &Path, from: &Path, clock: &Arc<dyn Clock>) -> Result<Restored> {
    home::make(home)?;
    let _lock = OwnerLock::take(home)?;
    finish(home)?;
    let (manifest, runs) = prepare(home, from, clock.now())?;
    let replaced = finish(home)?;
    home::fill(home)?;
    Ok(Restored {
        made_at: manifest.made_at,
        files: manifest.files.len(),
        runs,
        replaced,
    })
}

/// Makes a restore that the next owner finishes. The caller has the owner lock.
pub(crate) fn prepare(home: &Path, from: &Path, now: Timestamp) -> Result<(Manifest, u64)> {
    let partial = home.join(PARTIAL_DIR);
    let prepared = stage(home, from, &partial, now).and_then(|prepared| {
        place(home, &partial)?;
        Ok(prepared)
    });
    if prepared.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    prepared
}

/// From here on a prepared restore is finished. One that waits already is replaced by it.
pub(crate) fn place(home: &Path, partial: &Path) -> Result<()> {
    let staged = home.join(STAGED_DIR);
    let io = |error: io::Error| StoreError::io("restoring the backup", home, &error);
    if is_pending(home) {
        // Under the name of one that is worthless first, so that a cut leaves none of which a part is gone.
        let worthless = unused(|n| home.join(format!("{PARTIAL_DIR}-{n}")));
        fs::rename(&staged, &worthless).map_err(io)?;
        fs::remove_dir_all(&worthless).map_err(io)?;
    }
    fault_point("restore_moved");
    fs::rename(partial, &staged)
        .and_then(|()| sync_folder(home))
        .map_err(io)
}

/// Checks the backup while copying it beside what it will replace.
fn stage(home: &Path, from: &Path, partial: &Path, now: Timestamp) -> Result<(Manifest, u64)> {
    let invalid = |why: String| StoreError::BackupInvalid {
        path: from.to_owned(),
        why,
    };
    let io = |error: &io::Error| StoreError::io("restoring the backup", partial, error);
    let manifest = read_manifest(from).map_err(invalid)?;
    if partial.exists() {
        // Ours, from a restore that was cut off before it changed anything.
        fs::remove_dir_all(partial).map_err(|error| io(&error))?;
    }
    create_private_folder(partial).map_err(|error| io(&error))?;
    for folder in FOLDERS {
        create_private_folder(&partial.join(folder)).map_err(|error| io(&error))?;
    }
    for file in &manifest.files {
        let path = belonging(&file.path).ok_or_else(|| {
            invalid(format!(
                "it names a file '{}' that no backup has",
                file.path
            ))
        })?;
        let target = partial.join(&path);
        if let Some(folder) = target.parent() {
            create_private_folder(folder).map_err(|error| io(&error))?;
        }
        // A backup cut short is "cannot be read", a full disk of ours is not the backup's fault.
        let (bytes, hash) = copy_file(&from.join(&path), &target).map_err(|error| {
            match StoreError::io("restoring the backup", &target, &error) {
                StoreError::Full => StoreError::Full,
                _ => invalid(format!("{} cannot be read: {error}", file.path)),
            }
        })?;
        if (bytes, hash) != (file.bytes, file.hash) {
            return Err(invalid(format!(
                "{} is not the file that was backed up",
                file.path
            )));
        }
    }
    let runs =
        prepare_database(&partial.join(DATABASE_FILE), now).map_err(|error| match error {
            StoreError::Damaged { what } => invalid(what),
            other => other,
        })?;
    plan(home, partial)?;
    Ok((manifest, runs))
}

/// The last thing a prepared restore needs: under which names what it replaces is kept.
pub(crate) fn plan(home: &Path, partial: &Path) -> Result<()> {
    let number = free_number(home);
    serde_json::to_vec(&Plan { number })
        .map_err(io::Error::from)
        .and_then(|plan| fs::write(partial.join(PLAN_FILE), plan))
        .and_then(|()| db::sync_file(&partial.join(PLAN_FILE)))
        .and_then(|()| sync_tree(partial))
        .map_err(|error| StoreError::io("restoring the backup", partial, &error))
}

pub(crate) fn read_manifest(from: &Path) -> std::result::Result<Manifest, String> {
    let path = from.join(MANIFEST_FILE);
    let meta =
        fs::metadata(&path).map_err(|error| format!("it has no {MANIFEST_FILE} ({error})"))?;
    if meta.len() > MANIFEST_MAX_BYTES {
        return Err(format!("its {MANIFEST_FILE} has {} bytes", meta.len()));
    }
    let text =
        fs::read(&path).map_err(|error| format!("its {MANIFEST_FILE} cannot be read: {error}"))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| format!("its {MANIFEST_FILE} cannot be read: {error}"))?;
    match manifest.schema.as_str() {
        MANIFEST_SCHEMA_1 => {}
        MANIFEST_SCHEMA => {
            let expected = manifest.expected_sum().map_err(|error| error.to_string())?;
            // Letter by letter: what can be written in two ways could be changed from one to the other.
            let written =
                serde_json::to_vec_pretty(&manifest).map_err(|error| error.to_string())?;
            if manifest.sum != Some(expected) || written != text {
                return Err(format!("its {MANIFEST_FILE} was changed"));
            }
        }
        other => return Err(format!("its schema is '{other}', not {MANIFEST_SCHEMA}")),
    }
    if !manifest.files.iter().any(|file| file.path == DATABASE_FILE) {
        return Err(format!("it has no {DATABASE_FILE}"));
    }
    Ok(manifest)
}

/// A path of a manifest, if a backup may hold this file.
pub(crate) fn belonging(path: &str) -> Option<PathBuf> {
    let path = inside(path)?;
    let belongs = path == Path::new(DATABASE_FILE)
        || path == Path::new(SETTINGS_FILE)
        || FOLDERS
            .iter()
            .any(|folder| path.starts_with(folder) && path != Path::new(folder));
    belongs.then_some(path)
}

/// Checks the copied database and makes it one that is known to be restored.
pub(crate) fn prepare_database(path: &Path, now: Timestamp) -> Result<u64> {
    let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db::fault_points(&mut db)?;
    db::format(&db, migrate::FORMAT)?;
    if let Some(found) = integrity(&db)? {
        return Err(StoreError::damaged(found));
    }
    let transaction = db.unchecked_transaction()?;
    // Another epoch: cursors into what was there before are worthless.
    transaction.execute(
        "UPDATE kv SET value = lower(hex(randomblob(8))) WHERE key = 'epoch'",
        [],
    )?;
    let at = now.0.to_string();
    for (key, value) in [(CLEAN, "1"), (CHECKED_AT, &at), (RESTORED_AT, &at)] {
        db::set_fact(&transaction, key, value)?;
    }
    transaction.commit()?;
    let runs = db.query_row("SELECT count(*) FROM runs", [], |row| {
        row.get(0).map(crate::append::count)
    })?;
    db.close().map_err(|(_, error)| error)?;
    db::sync_file(path).map_err(|error| StoreError::io("restoring the backup", path, &error))?;
    Ok(runs)
}

/// The first N for which nothing in `home` ends in `.replaced-N` yet.
fn free_number(home: &Path) -> u32 {
    let taken =
        |number| items().any(|item| fs::symlink_metadata(replaced(home, item, number)).is_ok());
    let mut number = 1;
    while taken(number) {
        number += 1;
    }
    number
}

/// What a restore replaces, the database last: until it is there, the folder counts as the old one.
fn items() -> impl Iterator<Item = &'static str> {
    FOLDERS.into_iter().chain([SETTINGS_FILE, DATABASE_FILE])
}

fn replaced(home: &Path, item: &str, number: u32) -> PathBuf {
    home.join(format!("{item}.replaced-{number}"))
}

/// Finishes a restore that is prepared, if there is one: moves each old file aside and its new one in. May be cut off
/// anywhere and begun again. The caller holds the owner lock and no connection.
pub(crate) fn finish(home: &Path) -> Result<Vec<PathBuf>> {
    let staged = home.join(STAGED_DIR);
    if !staged.is_dir() {
        return Ok(Vec::new());
    }
    move_in(home, &staged).map_err(|error| StoreError::io("finishing a restore", home, &error))
}

/// Whether a restore was cut off and waits for an owner to finish it.
pub(crate) fn is_pending(home: &Path) -> bool {
    home.join(STAGED_DIR).is_dir()
}

fn move_in(home: &Path, staged: &Path) -> io::Result<Vec<PathBuf>> {
    let number = match fs::read(staged.join(PLAN_FILE)) {
        Ok(plan) => serde_json::from_slice::<Plan>(&plan)?.number,
        // The plan goes last, after everything was moved.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::remove_dir(staged)?;
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    for item in items() {
        let (new, current) = (staged.join(item), home.join(item));
        if fs::symlink_metadata(&new).is_err() {
            continue;
        }
        let aside = replaced(home, item, number);
        if item == DATABASE_FILE {
            // With its log the old database is whole; beside the new one the old log would destroy it.
            move_if_there(&beside(&current, "-wal"), &beside(&aside, "-wal"))?;
            remove_if_there(&beside(&current, "-shm"))?;
        }
        move_if_there(&current, &aside)?;
        fault_point("restore_moved");
        fs::rename(&new, &current)?;
        sync_folder(home)?;
        fault_point("restore_moved");
    }
    remove_if_there(&staged.join(PLAN_FILE))?;
    fs::remove_dir(staged)?;
    sync_folder(home)?;
    let names = items().flat_map(|item| {
        let aside = replaced(home, item, number);
        [beside(&aside, "-wal"), aside]
    });
    Ok(names.filter(|path| path.exists()).collect())
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved,
    }
}

/// Makes the names in a folder and those below durable; the files themselves are.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_folder(folder)
}
