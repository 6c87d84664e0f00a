//! The one folder a run may write to and read from. Nothing gets out of it: every access goes through a directory handle,
//! and no symbolic link is followed. Knows no run and no journal.

mod disk;
mod path;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bwana_types::entry::Artifact;

use crate::error::ToolError;
use disk::Disk;
pub use path::{ArtifactPath, BadPath, DEPTH_MAX, NAME_MAX_BYTES, PATH_MAX_BYTES};

/// Bytes of one file.
pub const FILE_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of all files of a run.
pub const FOLDER_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Files and folders of a run.
pub const FOLDER_MAX_ENTRIES: usize = 1_000;

/// A run's artifact folder. Cheap to clone; nothing is opened or made before the first use. All clones share one lock, so
/// that the quota holds; make one per run.
#[derive(Debug, Clone)]
pub struct ArtifactFolder {
    disk: Arc<Disk>,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub artifact: Artifact,
    pub change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created,
    /// The file stood there with other content of so many bytes.
    Replaced {
        bytes: u64,
    },
    /// The file had this content already; nothing was written.
    None,
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// Bytes of the whole file.
    pub total: u64,
}

/// Why the folder did not do it.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error(transparent)]
    BadPath(#[from] BadPath),
    #[error("There is no file '{0}' in this run's folder.")]
    NotFound(String),
    #[error("'{path}' is {what}, not a file; choose another name.")]
    NotAFile { path: String, what: &'static str },
    #[error("The content has {0} bytes; a file may have {FILE_MAX_BYTES}.")]
    TooLarge(u64),
    #[error(
        "This run's folder would hold {0} bytes; it may hold {FOLDER_MAX_BYTES}. Write less, or replace a file."
    )]
    Full(u64),
    #[error(
        "This run's folder has {FOLDER_MAX_ENTRIES} entries already; replace a file instead of adding one."
    )]
    TooMany,
    /// The system's own word; the path is relative to the folder.
    #[error("'{path}' could not be {doing}: {source}")]
    Io {
        path: String,
        doing: &'static str,
        source: std::io::Error,
    },
}

impl ArtifactFolder {
    /// The folder at `root`, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            disk: Arc::new(Disk::new(root.into())),
        }
    }

    pub fn root(&self) -> &Path {
        self.disk.root()
    }

    /// Writes a whole file, durably and at once: whoever reads sees the old content or the new one, never a part. Folders
    /// on the way are made.
    ///
    /// # Errors
    /// See [`FolderError`]; the old content is then still there.
    pub async fn write(&self, path: &str, content: Vec<u8>) -> Result<Written, FolderError> {
        let path = ArtifactPath::parse(path)?;
        let shown = path.to_string();
        let disk = Arc::clone(&self.disk);
        blocking(&shown, "written", move || disk.write(&path, &content)).await
    }

    /// Reads at most `max` bytes from byte `from` on.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub async fn read(&self, path: &str, from: u64, max: u64) -> Result<Piece, FolderError> {
        let path = ArtifactPath::parse(path)?;
        let shown = path.to_string();
        let disk = Arc::clone(&self.disk);
        blocking(&shown, "read", move || disk.read(&path, from, max)).await
    }

    /// Reads at most `max` bytes from byte `from` on in a folder others may be at work in: makes nothing, tidies nothing.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub async fn peek(
        root: impl Into<PathBuf>,
        path: &str,
        from: u64,
        max: u64,
    ) -> Result<Piece, FolderError> {
        let path = ArtifactPath::parse(path)?;
        let (root, shown) = (root.into(), path.to_string());
        blocking(&shown, "read", move || Disk::peek(&root, &path, from, max)).await
    }

    /// The paths of all files, sorted.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub async fn list(&self) -> Result<Vec<String>, FolderError> {
        let disk = Arc::clone(&self.disk);
        blocking("", "listed", move || disk.list()).await
    }
}

async fn blocking<T: Send + 'static>(
    path: &str,
    doing: &'static str,
    work: impl FnOnce() -> Result<T, FolderError> + Send + 'static,
) -> Result<T, FolderError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            Err(FolderError::Io {
                path: path.to_owned(),
                doing,
                source: std::io::Error::other(error),
            })
        })
}

impl From<FolderError> for ToolError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::BadPath(_)
            | FolderError::NotAFile { .. }
            | FolderError::TooLarge(_)
            | FolderError::Full(_)
            | FolderError::TooMany => Self::Refused(error.to_string()),
            FolderError::NotFound(_) | FolderError::Io { .. } => Self::failed(error.to_string()),
        }
    }
}
