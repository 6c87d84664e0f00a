//! The data as a whole: backup, restore, verify, rebuild. Restoring is a function of its own, because it happens where no
//! app may be open.

use std::path::{Path, PathBuf};

use bwana_engine::{fold, row};
use bwana_store::{BackupDone, RunFilter, RunInfo, RunRow, Store};
use bwana_types::definition::Definition;
use bwana_types::entry::Entry;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, HostOptions, time_zone};
use crate::command::Ctx;
use crate::definitions::Nothing;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// The folder to be made, or an existing one to put the backup into under a dated name; an absolute path. Without
    /// one: the backups of the data folder.
    #[serde(default)]
    pub to: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupReport {
    /// The folder that holds it.
    pub path: String,
    pub files: usize,
    pub bytes: u64,
    pub runs: u64,
}

impl From<BackupDone> for BackupReport {
    fn from(done: BackupDone) -> Self {
        Self {
            path: done.path.display().to_string(),
            files: done.files,
            bytes: done.bytes,
            runs: done.runs,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestoreReport {
    /// When the backup was made, RFC 3339.
    pub made_at: String,
    pub files: usize,
    pub runs: u64,
    /// What stood in the data folder before, under its new names.
    pub replaced: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerifyReport {
    pub sound: bool,
    pub runs: u64,
    pub entries: u64,
    pub blobs: u64,
    pub problems: Vec<ProblemShown>,
    /// Computing lists and sums anew puts something right.
    pub can_rebuild: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemShown {
    /// `pages`, `reference`, `blob`, `order`, `unreadable`, `fold` or `projection`.
    pub kind: String,
    pub what: String,
    pub can_rebuild: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RebuildReport {
    /// Runs whose lists and sums were computed anew.
    pub runs: usize,
    /// Runs whose journal cannot be folded, and why; they were left alone.
    pub left_alone: Vec<String>,
}

pub(crate) async fn backup(
    app: &App,
    _ctx: Ctx,
    request: BackupRequest,
) -> Result<BackupReport, ApiError> {
    let to = request
        .to
        .unwrap_or_else(|| app.home().join(bwana_store::BACKUPS_DIR));
    Ok(app.store()?.backup(&to).await?.into())
}

/// Replaces the content of the data folder by a backup; what was there is kept beside it. Runs that had not ended when
/// the backup was made stand still until a person resumes them.
///
/// # Errors
/// If the folder is in use, or anything in the backup is missing or changed: then nothing was touched.
pub fn restore(host: &HostOptions, from: &Path) -> Result<RestoreReport, ApiError> {
    let restored = bwana_store::restore(&host.home, from, &host.clock)?;
    Ok(RestoreReport {
        made_at: restored.made_at,
        files: restored.files,
        runs: restored.runs,
        replaced: restored
            .replaced
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
    })
}

pub(crate) async fn verify(app: &App, _ctx: Ctx, _: Nothing) -> Result<VerifyReport, ApiError> {
    let store = app.store()?;
    let report = store.verify(&mut |info, entries| look(store, info, entries))?;
    let problems: Vec<ProblemShown> = report
        .problems
        .iter()
        .map(|problem| ProblemShown {
            kind: serde_json::to_value(problem.kind)
                .ok()
                .and_then(|kind| kind.as_str().map(str::to_owned))
                .unwrap_or_default(),
            what: problem.what.clone(),
            can_rebuild: problem.kind.is_rebuildable(),
        })
        .collect();
    Ok(VerifyReport {
        sound: report.is_sound(),
        runs: report.runs,
        entries: report.entries,
        blobs: report.blobs,
        can_rebuild: problems.iter().any(|problem| problem.can_rebuild),
        problems,
    })
}

pub(crate) async fn rebuild(app: &App, _ctx: Ctx, _: Nothing) -> Result<RebuildReport, ApiError> {
    let store = app.owner()?;
    let zone = time_zone(&app.settings());
    let mut report = RebuildReport {
        runs: 0,
        left_alone: Vec::new(),
    };
    for info in all_runs(store)? {
        if app.is_live(info.id) {
            report
                .left_alone
                .push(format!("{}: it is being worked on", info.id));
            continue;
        }
        let folded = store
            .load(info.id)
            .map_err(|error| error.to_string())
            .and_then(|entries| look(store, &info, &entries));
        match folded {
            Ok(row) => {
                store.rebuild(info.id, row, &zone).await?;
                report.runs += 1;
            }
            Err(why) => report.left_alone.push(format!("{}: {why}", info.id)),
        }
    }
    store.sync().await?;
    Ok(report)
}

/// One run with the eyes of the engine: what lists should say of it, or why its journal cannot be folded.
fn look(store: &Store, info: &RunInfo, entries: &[Entry]) -> Result<Option<RunRow>, String> {
    let bytes = store
        .get_blob(info.definition)
        .map_err(|error| error.to_string())?
        .ok_or("its definition is gone")?;
    if Hash::of(&bytes) != info.definition {
        return Err(String::from(
            "its definition is not the one it was made with",
        ));
    }
    let definition: Definition = serde_json::from_slice(&bytes)
        .map_err(|error| format!("its definition cannot be read: {error}"))?;
    let state = fold(info.id, std::sync::Arc::new(definition), entries)
        .map_err(|error| error.to_string())?;
    // What a newer program wrote is known to that program only.
    Ok(state.unknown.is_none().then(|| row(&state)))
}

pub(crate) fn all_runs(store: &Store) -> Result<Vec<RunInfo>, ApiError> {
    let mut runs: Vec<RunInfo> = Vec::new();
    let mut before: Option<RunId> = None;
    loop {
        let page = store.runs(&RunFilter {
            hidden: true,
            before,
            ..RunFilter::default()
        })?;
        match page.last() {
            None => return Ok(runs),
            Some(last) => before = Some(last.id),
        }
        runs.extend(page);
    }
}

/// What `verify` exits with when it found something.
pub fn code_of(report: &VerifyReport) -> Option<ErrorCode> {
    (!report.sound).then_some(ErrorCode::StoreDamaged)
}
