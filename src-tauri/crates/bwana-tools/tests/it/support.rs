//! A place to call tools in: a run's folder inside a guarded outer folder, a registry, a network client.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bwana_tools::{
    ArtifactFolder, Egress, EgressSettings, Registry, ToolCtx, ToolError, ToolOutput, builtin, run,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Longer than any call takes on a slow machine; a test that reaches it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// What stands in files no tool may read.
pub(crate) const CANARY: &str = "CANARY-7f3a: nobody may read this";

pub(crate) struct Bench {
    outer: TempDir,
    pub(crate) folder: ArtifactFolder,
    pub(crate) registry: Registry,
    pub(crate) http: Egress,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Egress::new(EgressSettings::default()).unwrap())
    }

    pub(crate) fn with(http: Egress) -> Self {
        let outer = tempfile::tempdir().unwrap();
        std::fs::write(outer.path().join("canary.txt"), CANARY).unwrap();
        std::fs::create_dir_all(outer.path().join("other/deep")).unwrap();
        std::fs::write(outer.path().join("other/deep/canary.txt"), CANARY).unwrap();
        std::fs::create_dir(outer.path().join("artifacts")).unwrap();
        let folder = ArtifactFolder::at(outer.path().join("artifacts/run_1"));
        Self {
            outer,
            folder,
            registry: Registry::new(builtin()).unwrap(),
            http,
        }
    }

    pub(crate) fn outside(&self) -> &Path {
        self.outer.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.root().to_owned()
    }

    pub(crate) fn ctx(&self, tool: &str) -> ToolCtx {
        ToolCtx {
            artifacts: self.folder.clone(),
            http: self.http.clone(),
            key: None,
            deadline: tokio::time::Instant::now() + PATIENCE,
            cancel: CancellationToken::new(),
            limits: self.registry.get(tool).unwrap().spec().limits,
        }
    }

    /// One call as the engine makes it: validate, then run. A mistake in the arguments is `InvalidArgs`.
    pub(crate) async fn call(&self, tool: &str, args: &Value) -> Result<ToolOutput, ToolError> {
        self.call_in(tool, args, self.ctx(tool)).await
    }

    pub(crate) async fn call_in(
        &self,
        tool: &str,
        args: &Value,
        ctx: ToolCtx,
    ) -> Result<ToolOutput, ToolError> {
        let args = self
            .registry
            .validate_args(tool, &args.to_string())
            .map_err(ToolError::InvalidArgs)?;
        run(&**self.registry.get(tool).unwrap(), ctx, args).await
    }

    /// Every file and link outside the run's folder, with its content.
    pub(crate) fn guarded(&self) -> BTreeMap<PathBuf, String> {
        let mut seen = BTreeMap::new();
        walk(self.outside(), &self.root(), &mut seen);
        seen
    }
}

fn walk(folder: &Path, skip: &Path, seen: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        if path == skip {
        } else if kind.is_dir() {
            seen.insert(path.clone(), "folder".into());
            walk(&path, skip, seen);
        } else {
            seen.insert(path.clone(), std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// All files under `folder`, relative, sorted.
pub(crate) fn files_in(folder: &Path) -> Vec<String> {
    let mut seen = BTreeMap::new();
    if folder.exists() {
        walk(folder, Path::new(""), &mut seen);
    }
    let name = |path: &PathBuf| {
        path.strip_prefix(folder)
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    seen.iter()
        .filter(|(_, content)| *content != "folder")
        .map(|(path, _)| name(path))
        .collect()
}
