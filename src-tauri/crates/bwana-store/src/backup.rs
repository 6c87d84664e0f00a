//! Backups. A backup is one folder with everything a person would miss: the database in one consistent state, the
//! artifacts, agents, workflows and settings, and a manifest with the hash of every file, so that a cut or changed
//! backup is noticed before anything is replaced by it. It holds no keys, models or logs: the first are nowhere in the
//! data folder, the others can be fetched or are worthless elsewhere.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bwana_types::hash::Hash;
use bwana_types::time::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use crate::db;
use crate::error::{Result, StoreError};
use crate::files::{CopiedFile, copy_file, copy_folder, create_private_folder, describe};
use crate::home::{ARTIFACTS_DIR, DATABASE_FILE, beside, sync_folder};
use crate::migrate::unused;

/// In front of the date in the name of a backup that was given a folder to be put into.
pub(crate) const NAME: &str = "bwana-backup-";
pub(crate) const MANIFEST_FILE: &str = "manifest.json";
pub(crate) const SETTINGS_FILE: &str = "settings.toml";
/// Folders of the data folder that belong to a backup.
pub(crate) const FOLDERS: [&str; 3] = [ARTIFACTS_DIR, "agents", "workflows"];
pub(crate) const MANIFEST_SCHEMA: &str = "bwana.backup/v2";
/// As before manifests had a sum.
pub(crate) const MANIFEST_SCHEMA_1: &str = "bwana.backup/v1";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) schema: String,
    /// RFC 3339.
    pub(crate) made_at: String,
    /// The version of the program that made it; older ones did not say.
    #[serde(default)]
    pub(crate) program: String,
    /// Format of the database.
    pub(crate) format: i64,
    pub(crate) files: Vec<CopiedFile>,
    /// Of all that stands before it, so that not even a date can change unnoticed.
    #[serde(default)]
    pub(crate) sum: Option<Hash>,
}

impl Manifest {
    /// What its sum should be.
    pub(crate) fn expected_sum(&self) -> serde_json::Result<Hash> {
        let without = Self {
            sum: None,
            ..self.clone()
        };
        Ok(Hash::of(&serde_json::to_vec(&without)?))
    }
}

/// A backup that is complete, checked and on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupDone {
    /// The folder.
    pub path: PathBuf,
    pub files: usize,
    pub bytes: u64,
    pub runs: u64,
}

/// Makes a backup. `copy` copies the database, in one state, to the path it is given. `to` is the folder to be made, or an existing one to put it into under a dated name.
pub(crate) fn make(
    home: Option<&Path>,
    copy: impl FnOnce(&Path) -> Result<()>,
    to: &Path,
    now: Timestamp,
) -> Result<BackupDone> {
    let target = if to.is_dir() {
        let stamp = now.to_rfc3339().replace(':', "-");
        to.join(format!("{NAME}{}", &stamp[..stamp.len().min(19)]))
    } else {
        to.to_owned()
    };
    if fs::symlink_metadata(&target).is_ok() {
        return Err(StoreError::invalid(format!(
            "{} exists already; a backup never overwrites anything",
            target.display()
        )));
    }
    let partial = unused(|n| beside(&target, &format!(".partial-{n}")));
    let done = fill(home, copy, &partial, now).and_then(|done| {
        let io = |error: &std::io::Error| StoreError::io("finishing the backup", &target, error);
        fs::rename(&partial, &target).map_err(|error| io(&error))?;
        sync_folder(
            target
                .parent()
                .filter(|p| !p.as_os_str().is_empty())
                .unwrap_or(Path::new(".")),
        )
        .map_err(|error| io(&error))?;
        Ok(done)
    });
    match done {
        Ok(done) => Ok(BackupDone {
            path: target,
            ..done
        }),
        Err(error) => {
            // Half a backup is none; a full disk gets its space back.
            let _ = fs::remove_dir_all(&partial);
            Err(error)
        }
    }
}

fn fill(
    home: Option<&Path>,
    copy: impl FnOnce(&Path) -> Result<()>,
    folder: &Path,
    now: Timestamp,
) -> Result<BackupDone> {
    let io = |error: &std::io::Error| StoreError::io("writing the backup", folder, error);
    create_private_folder(folder).map_err(|error| io(&error))?;
    let database = folder.join(DATABASE_FILE);
    // First the database, then the files: every file it speaks of is there by then.
    copy(&database)?;
    let (format, runs) = check_copy(&database)?;
    db::sync_file(&database).map_err(|error| io(&error))?;
    let (bytes, hash) = describe(&database).map_err(|error| io(&error))?;
    let mut files = vec![CopiedFile {
        path: DATABASE_FILE.to_owned(),
        bytes,
        hash,
    }];
    if let Some(home) = home {
        copy_files(home, folder, &mut files).map_err(|error| io(&error))?;
    }
    let done = BackupDone {
        path: folder.to_owned(),
        files: files.len(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        runs,
    };
    let mut manifest = Manifest {
        schema: MANIFEST_SCHEMA.to_owned(),
        made_at: now.to_rfc3339(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        format,
        files,
        sum: None,
    };
    let sum = manifest.expected_sum().map_err(|error| io(&error.into()))?;
    manifest.sum = Some(sum);
    write_manifest(folder, &manifest).map_err(|error| io(&error))?;
    Ok(done)
}

fn copy_files(home: &Path, folder: &Path, files: &mut Vec<CopiedFile>) -> std::io::Result<()> {
    for name in FOLDERS {
        copy_folder(home, Path::new(name), folder, files)?;
    }
    let settings = home.join(SETTINGS_FILE);
    if settings.is_file() {
        let (bytes, hash) = copy_file(&settings, &folder.join(SETTINGS_FILE))?;
        files.push(CopiedFile {
            path: SETTINGS_FILE.to_owned(),
            bytes,
            hash,
        });
    }
    Ok(())
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> std::io::Result<()> {
    let path = folder.join(MANIFEST_FILE);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    crate::lock::private(&mut options);
    let mut file = options.open(&path)?;
    file.write_all(&serde_json::to_vec_pretty(manifest)?)?;
    file.sync_all()?;
    sync_folder(folder)
}

/// Every page and every reference of a copy, and how many runs it has.
fn check_copy(path: &Path) -> Result<(i64, u64)> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if let Some(found) = integrity(&db)? {
        return Err(StoreError::damaged(found));
    }
    let format = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let runs = db.query_row("SELECT count(*) FROM runs", [], |row| {
        row.get(0).map(crate::append::count)
    })?;
    Ok((format, runs))
}

/// The first thing wrong with pages, indexes or references.
pub(crate) fn integrity(db: &Connection) -> Result<Option<String>> {
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Ok(Some(found));
    }
    let dangling = db.prepare("PRAGMA foreign_key_check")?.exists([])?;
    Ok(dangling.then(|| String::from("rows refer to rows that are missing")))
}
