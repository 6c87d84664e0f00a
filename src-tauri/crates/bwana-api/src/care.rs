//! Backups without anybody asking: when one is due, and looking at those there are. Only hosts that stay do it.

use std::time::Duration;

use bwana_store::{BackupWhy, RollingBackup, Store, backup_info, backups_in};
use bwana_types::error::ApiError;
use bwana_types::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, WeakApp};
use crate::command::Ctx;
use crate::data::BackupReport;
use crate::definitions::Nothing;
use crate::shape::Time;

/// Between two of them.
pub const BACKUP_EVERY: Duration = Duration::from_secs(3_600);
/// Before the first: after a start the machine has more urgent things to do.
pub const FIRST_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupList {
    /// Those that were made by themselves, newest first. The program removes old ones again.
    pub rolling: Vec<BackupShown>,
    /// The others in the data folder, newest first.
    #[serde(default)]
    pub others: Vec<BackupShown>,
}

/// Why a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupReason {
    /// One of those that are made every hour, on wish also between.
    Rolling,
    /// Runs were about to be taken in from another one.
    BeforeRestore,
    /// Another version of the program was about to be installed.
    BeforeUpdate,
    /// With `bwana backup`.
    Asked,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupShown {
    /// The folder, for `bwana restore`.
    pub path: String,
    pub made_at: Time,
    pub why: BackupReason,
    /// `null`: it does not say, so it is not whole.
    pub bytes: Option<u64>,
}

impl From<RollingBackup> for BackupShown {
    fn from(backup: RollingBackup) -> Self {
        Self {
            bytes: backup_info(&backup.path).ok().map(|info| info.bytes),
            path: backup.path.display().to_string(),
            made_at: Time(backup.made_at),
            why: match backup.why {
                BackupWhy::Rolling => BackupReason::Rolling,
                BackupWhy::BeforeRestore => BackupReason::BeforeRestore,
                BackupWhy::BeforeUpdate => BackupReason::BeforeUpdate,
                BackupWhy::Asked => BackupReason::Asked,
            },
        }
    }
}

pub(crate) async fn list(app: &App, _ctx: Ctx, _: Nothing) -> Result<BackupList, ApiError> {
    let all = backups_in(app.home())?.into_iter();
    let (rolling, others) = all.partition::<Vec<_>, _>(|one| one.why == BackupWhy::Rolling);
    Ok(BackupList {
        rolling: rolling.into_iter().map(Into::into).collect(),
        others: others.into_iter().map(Into::into).collect(),
    })
}

pub(crate) async fn now(app: &App, _ctx: Ctx, _: Nothing) -> Result<BackupReport, ApiError> {
    Ok(app.owner()?.roll_backup().await?.into())
}

/// How long until one is due; zero: now. A newest one from the future is of a clock that was wrong, and counts for none.
fn due_in(newest: Option<Timestamp>, now: Timestamp) -> Duration {
    let age = newest.and_then(|newest| u64::try_from(now.0.saturating_sub(newest.0)).ok());
    age.map_or(Duration::ZERO, |age| {
        BACKUP_EVERY.saturating_sub(Duration::from_millis(age))
    })
}

fn due_in_of(store: &Store, now: Timestamp) -> Result<Duration, ApiError> {
    let newest = store.rolling_backups()?.first().map(|one| one.made_at);
    Ok(due_in(newest, now))
}

/// Makes backups as long as the folder is open. Holds nothing open itself, except while it makes one.
pub(crate) fn keep(app: &App, first_after: Duration) -> Result<(), ApiError> {
    let news = app.changed()?;
    tokio::spawn(follow(app.weak(), news, first_after));
    Ok(())
}

async fn follow(app: WeakApp, mut news: tokio::sync::watch::Receiver<u64>, first_after: Duration) {
    if is_over_within(&mut news, first_after).await {
        return;
    }
    loop {
        let wait = {
            let Some(app) = app.open() else { return };
            let due = app
                .owner()
                .and_then(|store| due_in_of(store, app.clock().now()));
            due.unwrap_or(BACKUP_EVERY)
        };
        if is_over_within(&mut news, wait).await {
            return;
        }
        let mut since = news.clone();
        since.borrow_and_update();
        {
            let Some(app) = app.open() else { return };
            roll(&app).await;
        }
        // By this machine's own count of time: a clock that was set says nothing about how much was done.
        if is_over_within(&mut news, BACKUP_EVERY).await {
            return;
        }
        // Until something changes, the next one would say what this one says.
        if since.changed().await.is_err() {
            return;
        }
    }
}

async fn roll(app: &App) {
    let made = async { Ok::<_, ApiError>(app.owner()?.roll_backup().await?) };
    match made.await {
        Ok(done) => tracing::info!(bytes = done.bytes, runs = done.runs, "made a backup"),
        Err(error) => tracing::warn!("no backup: {}", error.message),
    }
}

/// Whether the folder is closed before the time is over.
pub(crate) async fn is_over_within(
    news: &mut tokio::sync::watch::Receiver<u64>,
    time: Duration,
) -> bool {
    let closed = async { while news.changed().await.is_ok() {} };
    tokio::time::timeout(time, closed).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_an_hour_after_the_last_and_at_once_without_one_or_behind_a_wrong_clock() {
        let now = Timestamp(1_764_072_000_000);
        let minutes = |minutes: i64| Some(Timestamp(now.0 + minutes * 60_000));
        assert_eq!(due_in(None, now), Duration::ZERO);
        assert_eq!(due_in(minutes(-61), now), Duration::ZERO);
        assert_eq!(due_in(minutes(-20), now), Duration::from_secs(40 * 60));
        assert_eq!(due_in(minutes(0), now), BACKUP_EVERY);
        assert_eq!(due_in(minutes(5), now), Duration::ZERO);
    }
}
