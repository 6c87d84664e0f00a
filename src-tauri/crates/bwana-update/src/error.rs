//! What can go wrong, for those who must act on it.

use std::path::{Path, PathBuf};

use bwana_types::time::Timestamp;

use crate::version::Version;

#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// What came is not believed; nothing of it was kept.
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{host} could not be asked: {why}")]
    Unreachable { host: String, why: String },
    /// There is nothing to fetch or to install.
    #[error("there is no newer version than {installed}")]
    NothingNew { installed: Version },
    #[error("version {version} comes without a package for this system ({system})")]
    NoPackage { version: Version, system: String },
    #[error("the package of version {version} is not fetched yet")]
    NotFetched { version: Version },
    #[error("no version before this one was installed from here")]
    NoWayBack,
    #[error(
        "the package needs {needed_bytes} bytes and the disk of {} has {free_bytes} free", folder.display()
    )]
    NoSpace {
        needed_bytes: u64,
        free_bytes: u64,
        folder: PathBuf,
    },
    #[error("another program is at an update right now")]
    Busy,
    #[error("{what} {} failed: {source}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// A person said no when the system asked.
    #[error("the system was not given the permission to install; nothing was changed")]
    NotAllowed,
    #[error("{program} ended with {status}: {said}")]
    NotInstalled {
        program: String,
        status: String,
        /// The end of what it said.
        said: String,
    },
    /// This system is handed nothing; a person installs the file.
    #[error("this system installs the file by hand")]
    ByHand,
}

/// Why something is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the signature of the update manifest is not right: {0}")]
    Signature(String),
    #[error("the update manifest cannot be read: {0}")]
    Manifest(String),
    #[error("{0} is not a secure address")]
    NotSecure(String),
    #[error("version {offered} is offered, which is older than the {installed} that is here")]
    Downgrade {
        offered: Version,
        installed: Version,
    },
    #[error("a manifest of {offered} came again, though one of {seen} was seen before")]
    Replay { offered: Timestamp, seen: Timestamp },
    #[error("another manifest of the same moment ({released}) was seen before")]
    Changed { released: Timestamp },
    #[error("version {offered} is offered, after {seen} was")]
    Withdrawn { offered: Version, seen: Version },
    #[error("version {offered} does not know the format of the data that is here ({needed})")]
    OldFormat { offered: Version, needed: i64 },
    #[error("the package has the sha256 {actual}; the manifest says {expected}")]
    WrongHash { expected: String, actual: String },
    #[error("{host} offers a package of {actual} bytes; the manifest says {expected}")]
    WrongSize {
        host: String,
        expected: u64,
        actual: u64,
    },
}

impl Refusal {
    /// A stable word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Signature(_) => "signature",
            Self::Manifest(_) => "manifest",
            Self::NotSecure(_) => "not_secure",
            Self::Downgrade { .. } => "downgrade",
            Self::Replay { .. } => "replay",
            Self::Changed { .. } => "changed",
            Self::Withdrawn { .. } => "withdrawn",
            Self::OldFormat { .. } => "old_format",
            Self::WrongHash { .. } => "wrong_hash",
            Self::WrongSize { .. } => "wrong_size",
        }
    }
}

impl UpdateError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}
