//! Bringing a backup back while everything goes on: what is in it and how it stands to what is here, taking runs in from
//! it, and taking that back again. Replacing everything at once happens where no app may be open: see `data`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bwana_engine::{fold, row};
use bwana_store::{
    Backup, BackupDone, Compared, NotTaken, Shut, Standing, Stands, Store, StoreError, Told,
    UNDO_DAYS, backup_info,
};
use bwana_types::definition::Definition;
use bwana_types::entry::{Body, Seq};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, RESTORED, time_zone};
use crate::caller::{Permission, check};
use crate::command::Ctx;
use crate::data::{self, all_runs};
use crate::profiles;
use crate::quiet;
use crate::shape::Time;

/// Where the store keeps what an undo goes back to.
const BEFORE: &str = "restore.before";
const DAY_MS: i64 = 24 * 3_600_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRef {
    /// The folder of a backup, as an absolute path. A window names only those of the data folder.
    pub path: PathBuf,
}

/// What a backup holds, and how its runs stand to those here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupPreview {
    pub path: String,
    /// RFC 3339.
    pub made_at: String,
    /// The version of the program that made it; empty: it does not say.
    pub program: String,
    /// Format of its database.
    pub format: i64,
    pub files: usize,
    pub bytes: u64,
    /// Every file is what it was, and the database is sound. Without that nothing is counted below.
    pub verifies: bool,
    /// The code of what is wrong with it, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<PreviewProblem>,
    pub runs: u64,
    pub entries: u64,
    /// Runs that are not here.
    pub new: u64,
    /// Runs that are here just so.
    pub equal: u64,
    /// Runs that went further here.
    pub behind: u64,
    /// Runs that went further there.
    pub ahead: u64,
    /// Runs that went another way there.
    pub conflict: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreviewProblem {
    pub code: String,
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoreHow {
    /// Beside what is here: runs that are not here are taken in, those that went further there go on.
    Merge,
    /// Into a profile of its own.
    Profile,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRestoreRequest {
    pub path: PathBuf,
    pub how: RestoreHow,
    /// The name of the new profile.
    #[serde(default)]
    pub profile: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupRestored {
    /// Runs that were not here. Those that had not ended stand still until they are resumed.
    pub added: u64,
    /// Runs that went further there.
    pub continued: u64,
    /// Runs that stay as they are here, although the backup says more or something else.
    pub left_out: Vec<RunLeftOut>,
    /// Until when it can be taken back; `null`: nothing was changed.
    pub undo_until: Option<Time>,
    /// The folder of the new profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunLeftOut {
    pub run: RunId,
    pub reason: LeftOut,
    /// Of `unreadable`: where.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
}

/// Why a run of a backup was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// The one here went another way.
    Conflict,
    /// The one here is being worked on.
    Running,
    /// The one here went on meanwhile.
    Moved,
    /// A file of ours stands in the place of one of its files.
    FilesDiffer,
    /// It shares entries with a run that is not here.
    ParentMissing,
    /// It cannot be read as a run.
    Unreadable,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupUndoRequest {
    /// Only say what would be lost.
    #[serde(default)]
    pub preview: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupUndo {
    /// When what comes back was there last.
    pub made_at: Time,
    /// Until when it can be brought back.
    pub until: Time,
    /// Runs that were made since.
    pub runs_lost: u64,
    /// Entries that were written since, over all runs.
    pub entries_lost: u64,
    /// It is prepared: the program must be started again, and stores nothing until then.
    pub needs_restart: bool,
}

/// What an undo goes back to, as the store keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Before {
    /// Relative to the data folder.
    path: PathBuf,
    made_at: i64,
    /// Runs that were taken in, with the last entry each had then: what is behind it was done since.
    taken: BTreeMap<RunId, Seq>,
}

pub(crate) async fn preview(
    app: &App,
    ctx: Ctx,
    request: BackupRef,
) -> Result<BackupPreview, ApiError> {
    let path = may_name(app, &ctx, &request.path)?;
    let info = backup_info(&path)?;
    let mut preview = BackupPreview {
        path: path.display().to_string(),
        made_at: info.made_at,
        program: info.program,
        format: info.format,
        files: info.files,
        bytes: info.bytes,
        verifies: true,
        problem: None,
        runs: 0,
        entries: 0,
        new: 0,
        equal: 0,
        behind: 0,
        ahead: 0,
        conflict: 0,
    };
    let backup = match open(path).await {
        Ok(backup) => backup,
        Err(error) if matches!(error.code, ErrorCode::BackupInvalid | ErrorCode::StoreNewer) => {
            preview.verifies = false;
            preview.problem = Some(PreviewProblem {
                code: error.code.as_str().to_owned(),
                what: error.message,
            });
            return Ok(preview);
        }
        Err(error) => return Err(error),
    };
    preview.runs = backup.run_count();
    preview.entries = backup.entry_count();
    for one in backup.compare(app.maybe_store())? {
        *match one.standing {
            Standing::New => &mut preview.new,
            Standing::Equal => &mut preview.equal,
            Standing::Behind => &mut preview.behind,
            Standing::Ahead => &mut preview.ahead,
            Standing::Conflict => &mut preview.conflict,
        } += 1;
    }
    Ok(preview)
}

pub(crate) async fn restore(
    app: &App,
    ctx: Ctx,
    request: BackupRestoreRequest,
) -> Result<BackupRestored, ApiError> {
    let path = may_name(app, &ctx, &request.path)?;
    match (request.how, request.profile) {
        (RestoreHow::Merge, None) => merge(app, path).await,
        (RestoreHow::Profile, Some(name)) => into_profile(app, path, &name).await,
        (RestoreHow::Merge, Some(_)) | (RestoreHow::Profile, None) => {
            let message = "a name belongs to a restore into a profile, and only to that";
            Err(ApiError::new(ErrorCode::UsageInvalid, message))
        }
    }
}

/// Files of this machine are named on the command line only; a window names what it was shown.
fn may_name(app: &App, ctx: &Ctx, path: &Path) -> Result<PathBuf, ApiError> {
    if check(ctx.caller, Permission::Machine, "backup.restore").is_ok() {
        return Ok(path.to_owned());
    }
    let own = app.home().join(bwana_store::BACKUPS_DIR).canonicalize();
    let named = path.canonicalize();
    match (own, named) {
        (Ok(own), Ok(named)) if named.starts_with(&own) && named != own => Ok(named),
        _ => {
            let message = "a window brings back only backups of its own data folder";
            Err(ApiError::new(ErrorCode::PolicyNotYours, message)
                .with_hint("Use `bwana restore FOLDER` for any other."))
        }
    }
}

/// Reading all of a backup takes as long as its disk needs.
async fn open(path: PathBuf) -> Result<Backup, ApiError> {
    let opened = tokio::task::spawn_blocking(move || Backup::open(&path)).await;
    let opened = opened.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    Ok(opened?)
}

async fn into_profile(app: &App, path: PathBuf, name: &str) -> Result<BackupRestored, ApiError> {
    let made = profiles::make(app.home(), name)?;
    let host = app.host_at(&made);
    let restored = tokio::task::spawn_blocking(move || data::restore(&host, &path)).await;
    let restored = restored
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))
        .and_then(|restored| restored);
    match restored {
        Ok(report) => Ok(BackupRestored {
            added: report.runs,
            continued: 0,
            left_out: Vec::new(),
            undo_until: None,
            profile: Some(made.display().to_string()),
        }),
        Err(error) => {
            // Made for this alone, and nothing came.
            let _ = std::fs::remove_dir_all(&made);
            Err(error)
        }
    }
}

async fn merge(app: &App, path: PathBuf) -> Result<BackupRestored, ApiError> {
    let store = app.owner()?;
    let backup = open(path).await?;
    let compared = backup.compare(Some(store))?;
    let mut report = BackupRestored {
        added: 0,
        continued: 0,
        left_out: Vec::new(),
        undo_until: None,
        profile: None,
    };
    let is_wanted = |one: &&Compared| matches!(one.standing, Standing::New | Standing::Ahead);
    let mut before = None;
    for one in &compared {
        if one.standing == Standing::Conflict {
            report.leave(one.run, LeftOut::Conflict);
        }
    }
    for one in compared.iter().filter(is_wanted) {
        if app.is_live(one.run) {
            report.leave(one.run, LeftOut::Running);
            continue;
        }
        let before = match &mut before {
            Some(before) => before,
            None => before.insert(remember(app, store, &compared).await?),
        };
        let stood = match take(app, &backup, one).await? {
            Ok(stood) => stood,
            Err(why) => {
                before.taken.remove(&one.run);
                report.not_taken(one.run, why);
                continue;
            }
        };
        before.taken.insert(one.run, stood);
        match one.standing {
            Standing::Ahead => report.continued += 1,
            _ => report.added += 1,
        }
    }
    if let Some(before) = before {
        keep(store, &before).await?;
        store.sync().await?;
        report.undo_until = Some(Time(before.until()));
    }
    Ok(report)
}

impl BackupRestored {
    fn leave(&mut self, run: RunId, reason: LeftOut) {
        let what = String::new();
        self.left_out.push(RunLeftOut { run, reason, what });
    }

    fn not_taken(&mut self, run: RunId, why: NotTaken) {
        let (reason, what) = match why {
            NotTaken::FilesDiffer => (LeftOut::FilesDiffer, String::new()),
            NotTaken::ParentMissing => (LeftOut::ParentMissing, String::new()),
            NotTaken::Moved => (LeftOut::Moved, String::new()),
            NotTaken::Unreadable(what) => (LeftOut::Unreadable, what),
        };
        self.left_out.push(RunLeftOut { run, reason, what });
    }
}

impl Before {
    fn until(&self) -> Timestamp {
        Timestamp(self.made_at.saturating_add(UNDO_DAYS * DAY_MS))
    }
}

/// Copies everything, and writes down what is about to be taken in before any of it is.
async fn remember(app: &App, store: &Store, compared: &[Compared]) -> Result<Before, ApiError> {
    let made_at = app.clock().now().0;
    let BackupDone { path, .. } = store.backup_before().await?;
    let path = path.strip_prefix(app.home()).unwrap_or(&path).to_owned();
    let wanted = compared
        .iter()
        .filter(|one| matches!(one.standing, Standing::New | Standing::Ahead));
    let before = Before {
        path,
        made_at,
        taken: wanted.map(|one| (one.run, one.theirs)).collect(),
    };
    keep(store, &before).await?;
    Ok(before)
}

async fn keep(store: &Store, before: &Before) -> Result<(), ApiError> {
    let text = serde_json::to_string(before)
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    Ok(store.set_setting(BEFORE, Some(&text)).await?)
}

/// Takes one run in; the answer is its last entry here.
async fn take(
    app: &App,
    backup: &Backup,
    one: &Compared,
) -> Result<Result<Seq, NotTaken>, ApiError> {
    let told = match backup.read(one.run) {
        Ok(told) => told,
        Err(StoreError::Damaged { what }) => return Ok(Err(NotTaken::Unreadable(what))),
        Err(error) => return Err(error.into()),
    };
    let stands = match stands(app.clock().now(), one.run, &told) {
        Ok(stands) => stands,
        Err(what) => return Ok(Err(NotTaken::Unreadable(what))),
    };
    let last = told.entries.len() as u64 + stands.entries.len() as u64;
    let zone = time_zone(&app.settings());
    let store = app.owner()?;
    let taken = store.take_run(backup, one, &told, stands, &zone).await?;
    Ok(taken.map(|()| last))
}

/// What makes a run of a backup stand still here, as its journal says.
pub(crate) fn stands(now: Timestamp, run: RunId, told: &Told) -> Result<Stands, String> {
    let Some(Body::RunCreated(created)) = told.entries.first().map(|entry| &entry.body) else {
        return Err(String::from(
            "it does not begin with the beginning of a run",
        ));
    };
    if created.definition != Hash::of(&told.definition) {
        let what = "its definition is not the one the run was made with";
        return Err(String::from(what));
    }
    let definition: Definition = serde_json::from_slice(&told.definition)
        .map_err(|error| format!("its definition cannot be read: {error}"))?;
    let mut state =
        fold(run, Arc::new(definition), &told.entries).map_err(|error| error.to_string())?;
    let entries = quiet::stand_still(now, &mut state, RESTORED);
    Ok(Stands {
        row: row(&state),
        entries,
    })
}

pub(crate) async fn undo(
    app: &App,
    _ctx: Ctx,
    request: BackupUndoRequest,
) -> Result<BackupUndo, ApiError> {
    let store = app.owner()?;
    let none = |message: &str| {
        ApiError::new(ErrorCode::UsageNotFound, message)
            .with_hint("`bwana backup --list` says which backups there are.")
    };
    let before: Before = store
        .setting(BEFORE)?
        .and_then(|text| serde_json::from_str(&text).ok())
        .ok_or_else(|| none("nothing was taken in from a backup that could be taken back"))?;
    let path = app.home().join(&before.path);
    if app.clock().now() > before.until() || !path.is_dir() {
        return Err(none("what was there before is not kept any more"));
    }
    let (runs_lost, entries_lost) = lost(store, &before, open(path.clone()).await?)?;
    if !request.preview {
        store.stage_restore(&path).await?;
        // What was written from now on would be gone after the next start.
        app.engine()?.shutdown().await;
        store.shut(Shut::Restoring)?;
    }
    Ok(BackupUndo {
        made_at: Time(Timestamp(before.made_at)),
        until: Time(before.until()),
        runs_lost,
        entries_lost,
        needs_restart: !request.preview,
    })
}

/// Runs and entries that are neither in the copy made before nor came in from the backup.
fn lost(store: &Store, before: &Before, copy: Backup) -> Result<(u64, u64), ApiError> {
    let there: BTreeMap<RunId, Seq> = copy
        .compare(Some(store))?
        .into_iter()
        .map(|one| (one.run, one.theirs))
        .collect();
    let (mut runs, mut entries) = (0, 0);
    for info in all_runs(store)? {
        let known = there.get(&info.id).max(before.taken.get(&info.id));
        let shared = info.parent.map_or(0, |(_, seq)| seq);
        runs += u64::from(known.is_none());
        entries += info
            .head_seq
            .saturating_sub(known.copied().unwrap_or(shared));
    }
    Ok((runs, entries))
}
