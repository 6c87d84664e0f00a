//! A damaged database seen from outside: what can be brought back, and bringing it back. Only where it is not open: a host
//! that could not open it opens the data folder for repair (`Mode::Repair`), and as always afterwards.

use std::path::Path;

use bwana_store::{
    NotTaken, RecoverFrom, Recoverable, Recovered, StoreError, backups_in, look_at_damage,
    recover as bring_back,
};
use bwana_types::error::{ApiError, ErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::{App, Mode, time_zone};
use crate::care::BackupShown;
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::restoring::{LeftOut, RunLeftOut, stands};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoverLook {
    /// Something is wrong with the database.
    pub is_damaged: bool,
    /// What was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// Every backup in the data folder, newest first.
    pub backups: Vec<BackupShown>,
    /// The newest that is whole.
    pub good: Option<GoodBackupShown>,
    /// Runs and entries that can be read of the damaged database now.
    pub readable_runs: u64,
    pub readable_entries: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoodBackupShown {
    pub path: String,
    /// RFC 3339.
    pub made_at: String,
    pub runs: u64,
    pub entries: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoverSource {
    /// The newest backup that is whole, and nothing else.
    Backup,
    /// The same, if there is one, and what can be read of the damaged database behind it.
    Salvage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverRequest {
    pub from: RecoverSource,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoverReport {
    /// The backup it began with; `null`: none.
    pub good: Option<GoodBackupShown>,
    /// Runs and entries of the new database. Unfinished runs stand still until they are resumed.
    pub runs: u64,
    pub entries: u64,
    /// Of these, runs of which something came from the damaged database.
    pub salvaged_runs: u64,
    /// Runs of the damaged database that could not be taken.
    pub left_out: Vec<RunLeftOut>,
    /// The damaged files, under their new names.
    pub set_aside: Vec<String>,
}

impl From<bwana_store::GoodBackup> for GoodBackupShown {
    fn from(good: bwana_store::GoodBackup) -> Self {
        Self {
            path: good.path.display().to_string(),
            made_at: good.made_at,
            runs: good.runs,
            entries: good.entries,
        }
    }
}

pub(crate) async fn look(app: &App, _ctx: Ctx, _: Nothing) -> Result<RecoverLook, ApiError> {
    check_repair(app)?;
    let home = app.home().to_owned();
    let Recoverable {
        damage,
        backups,
        good,
        readable_runs,
        readable_entries,
    } = aside(move || look_at_damage(&home)).await?;
    Ok(RecoverLook {
        is_damaged: damage.is_some(),
        what: damage.unwrap_or_default(),
        backups: backups.into_iter().map(Into::into).collect(),
        good: good.map(Into::into),
        readable_runs,
        readable_entries,
    })
}

pub(crate) async fn recover(
    app: &App,
    _ctx: Ctx,
    request: RecoverRequest,
) -> Result<RecoverReport, ApiError> {
    check_repair(app)?;
    let (home, clock) = (app.home().to_owned(), app.clock().clone());
    let zone = time_zone(&app.settings());
    let from = match request.from {
        RecoverSource::Backup => RecoverFrom::Backup,
        RecoverSource::Salvage => RecoverFrom::Salvage,
    };
    let Recovered {
        good,
        runs,
        entries,
        salvaged_runs,
        left_out,
        set_aside,
    } = aside(move || {
        let now = clock.now();
        bring_back(&home, from, &clock, &zone, &mut |run, told| {
            stands(now, run, told)
        })
    })
    .await?;
    Ok(RecoverReport {
        good: good.map(Into::into),
        runs,
        entries,
        salvaged_runs,
        left_out: left_out
            .into_iter()
            .map(|(run, why)| RunLeftOut {
                run,
                reason: match why {
                    NotTaken::ParentMissing => LeftOut::ParentMissing,
                    _ => LeftOut::Unreadable,
                },
                what: match why {
                    NotTaken::Unreadable(what) => what,
                    _ => String::new(),
                },
            })
            .collect(),
        set_aside: set_aside
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
    })
}

/// An error of opening a data folder; of a damaged one with the backups there are, which may be damaged too.
pub(crate) fn with_backups(home: &Path, error: StoreError) -> ApiError {
    let is_damaged = matches!(error, StoreError::Damaged { .. });
    let error = ApiError::from(error);
    if !is_damaged {
        return error;
    }
    // Backups that cannot be listed are none for now; the error itself is what counts.
    let backups = backups_in(home).unwrap_or_default().into_iter();
    let backups: Vec<BackupShown> = backups.map(Into::into).collect();
    error.with_details(json!({ "backups": backups }))
}

/// Whoever has the database open would read and write beside what is put in its place.
fn check_repair(app: &App) -> Result<(), ApiError> {
    if app.mode() == Mode::Repair {
        return Ok(());
    }
    let message = "the data is open; it can only be recovered where it is not";
    Err(ApiError::new(ErrorCode::HomeInUse, message)
        .with_hint("End the program, then run `bwana recover`."))
}

/// All of a database is read, which takes as long as its disk needs.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> bwana_store::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    Ok(done?)
}
