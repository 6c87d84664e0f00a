//! The one folder a run may write to and read from. Nothing gets out of it: every access goes through a directory handle.

use std::path::PathBuf;
use std::sync::Arc;

/// A run's artifact folder. Cheap to clone; nothing is opened or made before the first use.
#[derive(Debug, Clone)]
pub struct ArtifactFolder {
    root: Arc<PathBuf>,
}

impl ArtifactFolder {
    /// The folder at `root`, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: Arc::new(root.into()),
        }
    }

    pub fn root(&self) -> &std::path::Path {
        &self.root
    }
}
