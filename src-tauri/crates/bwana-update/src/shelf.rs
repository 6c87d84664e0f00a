//! The folder of everything about updates: what was seen last, the package on its way, and those that were installed.
//! Every file appears under its own name only when it is whole.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use bwana_types::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::UpdateError;

/// Begins the names of packages; whatever begins otherwise is left alone.
const PACKAGE: &str = "bwana-desktop_";
/// Ends the name of one on its way.
const PART: &str = ".part";
const SEEN_FILE: &str = "seen.json";
const LOCK_FILE: &str = "update.lock";
/// Files of ours, in bytes: a manifest and its signature, written as JSON.
const FILE_MAX_BYTES: u64 = 512 * 1024;

/// What was believed last, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenFile {
    pub(crate) checked_at: Timestamp,
    pub(crate) manifest: String,
    pub(crate) signature: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    folder: PathBuf,
}

/// Held while something is fetched or installed. The system releases it if we die.
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Shelf {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder, for its person alone.
    pub(crate) fn make(&self) -> Result<(), UpdateError> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        builder
            .recursive(true)
            .create(&self.folder)
            .map_err(UpdateError::io("making", &self.folder))
    }

    pub(crate) fn lock(&self) -> Result<Lock, UpdateError> {
        self.make()?;
        let path = self.folder.join(LOCK_FILE);
        let file = File::create(&path).map_err(UpdateError::io("making", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(UpdateError::Busy),
            Err(TryLockError::Error(error)) => Err(UpdateError::io("locking", &path)(error)),
        }
    }

    /// What was believed last. A file that cannot be read counts for nothing: what is installed still holds.
    pub(crate) fn seen(&self) -> Option<SeenFile> {
        self.read(SEEN_FILE)
    }

    pub(crate) fn see(&self, seen: &SeenFile) -> Result<(), UpdateError> {
        self.write(SEEN_FILE, seen)
    }

    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.folder.join(name);
        let is_small = fs::metadata(&path).is_ok_and(|file| file.len() <= FILE_MAX_BYTES);
        let bytes = is_small.then(|| fs::read(&path).ok()).flatten()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes a file whole: it is on the disk before it takes the place of the one before.
    pub(crate) fn write(&self, name: &str, what: &impl Serialize) -> Result<(), UpdateError> {
        self.make()?;
        let path = self.folder.join(name);
        let part = self.folder.join(format!("{name}{PART}"));
        let bytes = serde_json::to_vec_pretty(what)
            .map_err(|error| UpdateError::io("writing", &path)(error.into()))?;
        let written = File::create(&part).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.map_err(UpdateError::io("writing", &part))?;
        self.rename(&part, &path)
    }

    pub(crate) fn rename(&self, part: &Path, path: &Path) -> Result<(), UpdateError> {
        fs::rename(part, path).map_err(UpdateError::io("renaming", part))?;
        sync_folder(&self.folder).map_err(UpdateError::io("saving", &self.folder))
    }

    pub(crate) fn package(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn part(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{PART}"))
    }

    /// Removes packages, whole and half, that nothing needs any more.
    pub(crate) fn sweep(&self, stay: &[String]) -> Result<(), UpdateError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(UpdateError::io("reading", &self.folder)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(UpdateError::io("reading", &self.folder))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let whole = name.strip_suffix(PART).unwrap_or(&name);
            if name.starts_with(PACKAGE) && !stay.iter().any(|one| one == whole) {
                discard(&entry.path());
            }
        }
        Ok(())
    }
}

/// What a package is called here, whatever it is called where it comes from.
pub(crate) fn name_of(version: impl std::fmt::Display, target: &str, kind: &str) -> String {
    format!("{PACKAGE}{version}_{target}.{kind}")
}

/// Deletes a file; failing to is no reason to hide why.
pub(crate) fn discard(path: &Path) {
    let _ = fs::remove_file(path);
}

pub(crate) fn length_of(path: &Path) -> Option<u64> {
    let file = fs::symlink_metadata(path).ok()?;
    file.is_file().then_some(file.len())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}
