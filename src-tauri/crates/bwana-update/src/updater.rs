//! One source for one installation: asking, fetching, and what stands ready.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bwana_types::time::Timestamp;
use bwana_types::traffic::Traffic;

use crate::decide::{Decision, Seen, decide};
use crate::error::{Refusal, UpdateError};
use crate::http;
use crate::kept::{self, KEPT_FILE, Kept};
use crate::manifest::{MANIFEST_MAX_BYTES, Manifest, Package, PackageKind};
use crate::shelf::{self, SeenFile, Shelf};
use crate::source::{SIGNATURE_MAX_BYTES, Signed, Source};
use crate::system::System;
use crate::version::Version;

/// Space that must stay free on the disk beside the package, in bytes: installing needs some as well.
pub const FREE_MARGIN_BYTES: u64 = 512 * 1024 * 1024;

/// What is installed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub version: Version,
    /// Of the database it writes.
    pub database_format: i64,
    /// Like `linux-x86_64`.
    pub target: String,
    /// Which packages this system takes; `None`: none that is known.
    pub kind: Option<PackageKind>,
}

impl Installed {
    /// This program on this machine.
    pub fn here(version: Version, database_format: i64, system: &System) -> Self {
        Self {
            version,
            database_format,
            target: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            kind: system.kind(),
        }
    }
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    pub done_bytes: u64,
    pub total_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reading what is there already, to continue it or to check it.
    Checking,
    Downloading,
}

/// Hears of progress; called often, must not block.
pub type OnProgress<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// What is known without asking anybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// When the source last gave an answer that was believed.
    pub checked_at: Option<Timestamp>,
    /// `None`: nothing newer is known.
    pub offer: Option<Offer>,
}

/// A newer version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub manifest: Manifest,
    /// `None`: it comes without one for this system.
    pub package: Option<Package>,
    /// Where that is or will be.
    pub path: Option<PathBuf>,
    /// Of the package, so many are here.
    pub bytes_here: u64,
    /// The package is here whole; whether it is the right one is checked before it is used.
    pub is_fetched: bool,
}

/// A package that is here whole, and was the right one a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    pub version: Version,
    pub kind: PackageKind,
    pub path: PathBuf,
    pub bytes: u64,
    pub sha256: String,
    pub database_format: i64,
}

/// Reads how many bytes are free on the disk of a folder.
pub type FreeSpace = fn(&Path) -> std::io::Result<u64>;

/// Asks one source, and keeps what it gives in one folder.
#[derive(Debug, Clone)]
pub struct Updater {
    source: Source,
    shelf: Shelf,
    installed: Installed,
    traffic: Traffic,
    retry_pause: Duration,
    free_space: FreeSpace,
}

impl Updater {
    /// `folder` need not exist.
    pub fn new(source: Source, folder: impl Into<PathBuf>, installed: Installed) -> Self {
        Self {
            source,
            shelf: Shelf::new(folder.into()),
            installed,
            traffic: Traffic::default(),
            retry_pause: http::RETRY_PAUSE,
            free_space: |folder| fs4::available_space(folder),
        }
    }

    /// Counts what is sent and heard.
    #[must_use]
    pub fn with_traffic(mut self, traffic: Traffic) -> Self {
        self.traffic = traffic;
        self
    }

    /// How long to wait before a broken download is continued for the first time; it doubles from there.
    #[must_use]
    pub fn with_retry_pause(mut self, pause: Duration) -> Self {
        self.retry_pause = pause;
        self
    }

    /// Another reading of the free space than the system's.
    #[must_use]
    pub fn with_free_space(mut self, free_space: FreeSpace) -> Self {
        self.free_space = free_space;
        self
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    pub fn installed(&self) -> &Installed {
        &self.installed
    }

    /// What is known without asking anybody. What lies here is believed only after its signature was checked again.
    pub fn known(&self) -> Known {
        let Some((seen, signed)) = self.seen() else {
            return Known::default();
        };
        Known {
            checked_at: Some(seen.checked_at),
            offer: self.offer(signed.manifest),
        }
    }

    /// Asks the source what the newest version is.
    ///
    /// # Errors
    /// `Unreachable`, or `Refused` with why what came is not believed; then everything is as it was.
    pub async fn check(&self, now: Timestamp) -> Result<Known, UpdateError> {
        let client = http::client(&self.source)?;
        let get = |url, most| {
            let (client, traffic) = (&client, &self.traffic);
            async move { http::small(client, &url, most, traffic).await }
        };
        let text = get(self.source.manifest().clone(), MANIFEST_MAX_BYTES).await?;
        let signature = get(self.source.signature(), SIGNATURE_MAX_BYTES).await?;
        let signed = self.source.verify(&text, &signature)?;
        let _lock = self.shelf.lock()?;
        self.believe(&signed)?;
        self.shelf.see(&SeenFile {
            checked_at: now,
            manifest: signed.text,
            signature: signed.signature,
        })?;
        let known = self.known();
        self.sweep(&known)?;
        Ok(known)
    }

    /// # Errors
    /// Why a rightly signed manifest is not believed here.
    fn believe(&self, signed: &Signed) -> Result<(), Refusal> {
        let seen = self.seen().map(|(_, before)| Seen {
            version: before.manifest.version,
            released: before.manifest.released,
            is_same: before.text == signed.text,
        });
        let Installed {
            version,
            database_format,
            ..
        } = &self.installed;
        match decide(&signed.manifest, *version, *database_format, seen.as_ref()) {
            Decision::Newer | Decision::Current => Ok(()),
            Decision::Refused(why) => Err(why),
        }
    }

    /// Fetches the package of the newest version that is known, or continues to. When it is here already, it is checked.
    ///
    /// # Errors
    /// [`UpdateError`]; a broken download is kept and continued by the next, a wrong file is deleted.
    pub async fn download(&self, on: OnProgress<'_>) -> Result<Staged, UpdateError> {
        let _lock = self.shelf.lock()?;
        let (manifest, package, kind) = self.wanted()?;
        let name = self.name_of(&manifest, kind);
        let (path, part) = (self.shelf.package(&name), self.shelf.part(&name));
        if shelf::length_of(&path) == Some(package.bytes)
            && http::hash_file(&path, on).await? == package.sha256
        {
            return Ok(staged(&manifest, package, kind, path));
        }
        shelf::discard(&path);
        self.check_space(package.bytes, &part)?;
        let url = package.address(self.source.manifest())?;
        self.source.check(&url)?;
        let wanted = http::Wanted {
            url: &url,
            part: &part,
            bytes: package.bytes,
            retry_pause: self.retry_pause,
            traffic: &self.traffic,
        };
        let sha256 = http::download(&http::client(&self.source)?, &wanted, on).await?;
        if sha256 != package.sha256 {
            shelf::discard(&part);
            return Err(wrong_hash(&package, sha256));
        }
        self.shelf.rename(&part, &path)?;
        Ok(staged(&manifest, package, kind, path))
    }

    /// The fetched package, read once more from the first byte to the last: right before it is handed over.
    ///
    /// # Errors
    /// `NotFetched`, or `Refused` if it is another file by now, which is then deleted.
    pub async fn ready(&self, on: OnProgress<'_>) -> Result<Staged, UpdateError> {
        let (manifest, package, kind) = self.wanted()?;
        let path = self.shelf.package(&self.name_of(&manifest, kind));
        if shelf::length_of(&path) != Some(package.bytes) {
            let version = manifest.version;
            return Err(UpdateError::NotFetched { version });
        }
        let actual = http::hash_file(&path, on).await?;
        if actual != package.sha256 {
            shelf::discard(&path);
            return Err(wrong_hash(&package, actual));
        }
        Ok(staged(&manifest, package, kind, path))
    }

    /// The package of the version before this one, read from the first byte to the last: right before it is handed over.
    ///
    /// # Errors
    /// `NoWayBack` if there is none, or `Refused` if it is another file than the one that was installed; it is then deleted.
    pub async fn ready_back(&self, on: OnProgress<'_>) -> Result<Staged, UpdateError> {
        let (Some((kept, path)), Some(kind)) = (self.previous(), self.installed.kind) else {
            return Err(UpdateError::NoWayBack);
        };
        let actual = http::hash_file(&path, on).await?;
        if actual != kept.sha256 {
            shelf::discard(&path);
            return Err(UpdateError::Refused(Refusal::WrongHash {
                expected: kept.sha256,
                actual,
            }));
        }
        Ok(Staged {
            version: kept.version,
            kind,
            path,
            bytes: kept.bytes,
            sha256: kept.sha256,
            database_format: kept.database_format,
        })
    }

    /// Remembers what was installed from here, so that its package stays as the way back from the next.
    ///
    /// # Errors
    /// What the disk says.
    pub fn remember(&self, staged: &Staged, now: Timestamp) -> Result<(), UpdateError> {
        let file = staged.path.file_name().unwrap_or_default();
        let one = Kept {
            version: staged.version,
            file: file.to_string_lossy().into_owned(),
            bytes: staged.bytes,
            sha256: staged.sha256.clone(),
            database_format: staged.database_format,
            installed_at: now,
        };
        let kept = kept::with(self.kept(), one);
        self.shelf.write(KEPT_FILE, &kept)?;
        self.sweep(&self.known())
    }

    /// The package of the version before this one, if that was installed from here, and where it is.
    pub fn previous(&self) -> Option<(Kept, PathBuf)> {
        let here = self.installed.version;
        let mut older = self.kept().into_iter().filter(|one| one.version < here);
        let one = older.next()?;
        // A name of ours, and no path.
        let is_name = Path::new(&one.file).file_name() == Some(one.file.as_ref());
        let path = self.shelf.package(&one.file);
        (is_name && shelf::length_of(&path) == Some(one.bytes)).then_some((one, path))
    }

    fn kept(&self) -> Vec<Kept> {
        self.shelf.read(KEPT_FILE).unwrap_or_default()
    }

    fn seen(&self) -> Option<(SeenFile, Signed)> {
        let seen = self.shelf.seen()?;
        let signed = self.source.verify(&seen.manifest, &seen.signature).ok()?;
        Some((seen, signed))
    }

    /// What a manifest offers beyond what is installed.
    fn offer(&self, manifest: Manifest) -> Option<Offer> {
        if manifest.version <= self.installed.version {
            return None;
        }
        let kind = self.installed.kind;
        let package = kind.and_then(|kind| manifest.package(&self.installed.target, kind).cloned());
        let (mut bytes_here, mut is_fetched, mut path) = (0, false, None);
        if let (Some(kind), Some(package)) = (kind, &package) {
            let name = self.name_of(&manifest, kind);
            let whole = path.insert(self.shelf.package(&name));
            is_fetched = shelf::length_of(whole) == Some(package.bytes);
            let part = || shelf::length_of(&self.shelf.part(&name)).unwrap_or_default();
            bytes_here = if is_fetched { package.bytes } else { part() };
        }
        Some(Offer {
            manifest,
            package,
            path,
            bytes_here,
            is_fetched,
        })
    }

    fn wanted(&self) -> Result<(Manifest, Package, PackageKind), UpdateError> {
        let installed = self.installed.version;
        let offer = self.known().offer;
        let offer = offer.ok_or(UpdateError::NothingNew { installed })?;
        let version = offer.manifest.version;
        match (self.installed.kind, offer.package) {
            (Some(kind), Some(package)) => Ok((offer.manifest, package, kind)),
            (kind, _) => {
                let kind = kind.map(|kind| format!(", {}", kind.as_str()));
                let system = format!("{}{}", self.installed.target, kind.unwrap_or_default());
                Err(UpdateError::NoPackage { version, system })
            }
        }
    }

    fn name_of(&self, manifest: &Manifest, kind: PackageKind) -> String {
        shelf::name_of(manifest.version, &self.installed.target, kind.as_str())
    }

    /// Removes packages that are neither wanted nor the way back.
    fn sweep(&self, known: &Known) -> Result<(), UpdateError> {
        let mut stay: Vec<String> = self.kept().into_iter().map(|one| one.file).collect();
        if let (Some(offer), Some(kind)) = (&known.offer, self.installed.kind) {
            stay.push(self.name_of(&offer.manifest, kind));
        }
        self.shelf.sweep(&stay)
    }

    fn check_space(&self, bytes: u64, part: &Path) -> Result<(), UpdateError> {
        let folder = self.shelf.folder();
        let free_bytes = (self.free_space)(folder)
            .map_err(UpdateError::io("measuring the free space of", folder))?;
        let here = shelf::length_of(part).unwrap_or_default();
        let needed_bytes = bytes.saturating_sub(here).saturating_add(FREE_MARGIN_BYTES);
        if free_bytes < needed_bytes {
            return Err(UpdateError::NoSpace {
                needed_bytes,
                free_bytes,
                folder: folder.to_owned(),
            });
        }
        Ok(())
    }
}

fn staged(manifest: &Manifest, package: Package, kind: PackageKind, path: PathBuf) -> Staged {
    Staged {
        version: manifest.version,
        kind,
        path,
        bytes: package.bytes,
        sha256: package.sha256,
        database_format: manifest.database_format,
    }
}

fn wrong_hash(package: &Package, actual: String) -> UpdateError {
    UpdateError::Refused(Refusal::WrongHash {
        expected: package.sha256.clone(),
        actual,
    })
}
