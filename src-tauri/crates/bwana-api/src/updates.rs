//! Newer versions of the program: what is known, asking, fetching, and giving one to the system. Never while a run is
//! under way, and never without a copy of everything. What is believed of what comes, `bwana-update` decides.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bwana_config::{PROFILES_DIR, base_of};
use bwana_store::{DATABASE_FORMAT, LOCK_FILE, RunFilter, Store};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::status::RunStatus;
use bwana_types::time::Timestamp;
use bwana_update::{
    HandOver, Installed, Offer, Progress, Stage, Staged, UpdateError, Updater, Version, Way, quoted,
};
pub use bwana_update::{Source, System};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::{App, WeakApp};
use crate::care::{BackupShown, is_over_within};
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::events::{Event, Events};
use crate::health;
use crate::models::progress::telling_stages;
use crate::shape::Time;

/// In the data folder of the person, whichever profile is open: there is one program for all of them.
const FOLDER: &str = "updates";
/// What events call it.
const UPDATE: &str = "update";
/// Between two questions, where it is asked unasked.
const ASK_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// Between two looks whether that is due: a setting may have changed, or the machine has slept.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// Before the first of them: after a start the machine has more urgent things to do.
const FIRST_AFTER: Duration = Duration::from_secs(120);
/// Between two looks whether runs have ended.
const LOOK_AT_RUNS_EVERY: Duration = Duration::from_millis(500);

/// What is known of newer versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpdatesShown {
    /// The one that runs.
    pub version: String,
    /// Of the database it writes.
    pub database_format: i64,
    /// The host that is asked; `null`: this program was built without one, and the system's own packages or a file that
    /// was downloaded bring new versions.
    pub source: Option<String>,
    /// When it last gave an answer that was believed.
    pub checked_at: Option<Time>,
    /// `null`: nothing newer is known.
    pub newer: Option<NewerShown>,
    /// A version that was installed while this one runs: it is used after a restart.
    pub installed: Option<String>,
    /// Runs under way, for which an installation waits.
    pub runs: usize,
    /// The way back.
    pub previous: Option<PreviousShown>,
    /// The last copy of everything that was made before a version was installed.
    pub backup: Option<BackupShown>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewerShown {
    pub version: String,
    pub released: Time,
    /// What is new, as its publisher writes it: plain text.
    pub notes: String,
    /// Of the package for this system; `null`: there is none.
    pub bytes: Option<u64>,
    /// So much of it is here.
    pub bytes_here: u64,
    /// It is here whole.
    pub is_fetched: bool,
    /// It writes data the version that runs cannot open.
    pub changes_data: bool,
    pub install: InstallBy,
    /// The fetched package.
    pub file: Option<String>,
    /// What a person types in a terminal to install it, where this system has a command for it.
    pub command: Option<String>,
}

/// Who installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstallBy {
    /// The program starts it, and the system asks for a password.
    System,
    /// A person types the command.
    Command,
    /// A person opens the file.
    File,
}

/// A version that was installed from here before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreviousShown {
    pub version: String,
    pub file: String,
    pub install: InstallBy,
    /// What a person types to go back to it.
    pub command: Option<String>,
    /// It does not open the data as it is now: going back needs the copy that was made before.
    pub needs_backup: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InstallRequest {
    /// Wait until the runs under way have ended; otherwise they are a reason to refuse.
    pub wait: bool,
    /// Not the newer version but the one that was installed before this one.
    pub back: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstallShown {
    pub version: String,
    /// The system has installed it. Otherwise a person does: by the command, or by opening the file.
    pub is_done: bool,
    /// The copy of everything that was made before, as a folder.
    pub backup: String,
    pub file: String,
    pub command: Option<String>,
}

/// Where newer versions come from, what this machine does with them, and what is under way.
#[derive(Debug, Default)]
pub struct Updates {
    means: OnceLock<Means>,
    is_installing: AtomicBool,
    installed: Mutex<Option<Version>>,
}

#[derive(Debug)]
struct Means {
    source: Option<Source>,
    system: System,
}

impl Updates {
    /// Another source and another machine than those this program was built for: for tests. Only the first call counts,
    /// and only before anything was asked.
    pub fn come_from(&self, source: Option<Source>, system: System) {
        let _ = self.means.set(Means { source, system });
    }

    fn means(&self) -> &Means {
        self.means.get_or_init(|| Means {
            source: Source::built_in(),
            system: System::look(),
        })
    }

    /// # Errors
    /// [`ErrorCode::RunBusy`] while a version is being installed: what would begin now would begin in the midst of it.
    pub(crate) fn check_calm(&self) -> Result<(), ApiError> {
        if self.is_installing.load(Ordering::Acquire) {
            return Err(installing());
        }
        Ok(())
    }

    fn installed(&self) -> Option<Version> {
        *self
            .installed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn note_installed(&self, version: Version) {
        *self
            .installed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(version);
    }
}

fn installing() -> ApiError {
    let message = "a new version of the program is being installed";
    ApiError::new(ErrorCode::RunBusy, message)
        .with_hint("Try again when that is done; nothing is lost.")
        .with_details(json!({ "reason": "installing" }))
}

/// Held while a version is being installed: nothing new begins.
struct Calm(App);

impl Calm {
    /// # Errors
    /// If a version is being installed already.
    fn begin(app: &App) -> Result<Self, ApiError> {
        if app.updates().is_installing.swap(true, Ordering::AcqRel) {
            return Err(installing());
        }
        Ok(Self(app.clone()))
    }
}

impl Drop for Calm {
    fn drop(&mut self) {
        let updates = self.0.updates();
        updates.is_installing.store(false, Ordering::Release);
    }
}

fn folder(app: &App) -> PathBuf {
    base_of(app.home()).join(FOLDER)
}

fn here() -> Result<Version, ApiError> {
    env!("CARGO_PKG_VERSION")
        .parse()
        .map_err(|error: bwana_update::BadVersion| {
            ApiError::new(ErrorCode::Internal, error.to_string())
        })
}

/// `None`: this program has no source.
fn maybe_updater(app: &App) -> Result<Option<Updater>, ApiError> {
    let Means { source, system } = app.updates().means();
    let Some(source) = source.clone() else {
        return Ok(None);
    };
    let installed = Installed::here(here()?, DATABASE_FORMAT, system);
    let updater = Updater::new(source, folder(app), installed);
    Ok(Some(updater.with_traffic(app.traffic().clone())))
}

fn updater(app: &App) -> Result<Updater, ApiError> {
    maybe_updater(app)?.ok_or_else(|| {
        let message = "this program was built without a source of new versions";
        ApiError::new(ErrorCode::UpdateNone, message)
            .with_hint("Install a new version over this one, from where you got it.")
            .with_details(json!({ "reason": "no_source" }))
    })
}

pub(crate) async fn show(app: &App, _ctx: Ctx, _: Nothing) -> Result<UpdatesShown, ApiError> {
    shown(app)
}

fn shown(app: &App) -> Result<UpdatesShown, ApiError> {
    let updater = maybe_updater(app)?;
    let known = updater.as_ref().map(Updater::known).unwrap_or_default();
    let installed = app.updates().installed();
    // After one was installed, the way back is for the program that comes next to tell.
    let back = updater.as_ref().filter(|_| installed.is_none());
    let offer = news(app, known.offer);
    let before_update = app.maybe_store().map(Store::backups_before_update);
    let backup = before_update.transpose()?.unwrap_or_default();
    Ok(UpdatesShown {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database_format: DATABASE_FORMAT,
        source: updater.as_ref().map(|one| one.source().host().to_owned()),
        checked_at: known.checked_at.map(Time),
        newer: offer.map(|offer| newer(app, offer)),
        installed: installed.map(|version| version.to_string()),
        runs: under_way(app)?,
        previous: back.and_then(|updater| previous(app, updater)),
        backup: backup.into_iter().next().map(Into::into),
    })
}

/// An offer, unless it is installed already: that is no news, though this program does not know itself as it.
fn news(app: &App, offer: Option<Offer>) -> Option<Offer> {
    let installed = app.updates().installed();
    offer.filter(|offer| installed.is_none_or(|installed| offer.manifest.version > installed))
}

/// What the whole window should know: a version that is there to be had.
pub(crate) fn newer_version(app: &App) -> Option<String> {
    let known = maybe_updater(app).ok()??.known();
    news(app, known.offer).map(|offer| offer.manifest.version.to_string())
}

/// Tells every window, if this process may.
async fn tell_news(app: &App) {
    if let Ok(store) = app.owner() {
        health::tell(app, store).await;
    }
}

fn newer(app: &App, offer: Offer) -> NewerShown {
    let system = &app.updates().means().system;
    let file = offer.path.as_ref().filter(|_| offer.is_fetched);
    let hand_over = |path: &PathBuf| install_by(&system.hand_over(path, Way::Newer));
    let install = offer.path.as_ref().map_or(InstallBy::File, hand_over);
    NewerShown {
        version: offer.manifest.version.to_string(),
        released: Time(offer.manifest.released),
        notes: offer.manifest.notes,
        bytes: offer.package.map(|package| package.bytes),
        bytes_here: offer.bytes_here,
        is_fetched: offer.is_fetched,
        changes_data: offer.manifest.database_format > DATABASE_FORMAT,
        install,
        command: file
            .and_then(|file| system.words(file, Way::Newer))
            .map(|words| quoted(&words)),
        file: file.map(|file| file.display().to_string()),
    }
}

fn install_by(hand_over: &HandOver) -> InstallBy {
    match hand_over {
        HandOver::Run { .. } => InstallBy::System,
        HandOver::ByHand { .. } => InstallBy::Command,
        HandOver::File => InstallBy::File,
    }
}

fn previous(app: &App, updater: &Updater) -> Option<PreviousShown> {
    let (kept, path) = updater.previous()?;
    let system = &app.updates().means().system;
    Some(PreviousShown {
        version: kept.version.to_string(),
        install: install_by(&system.hand_over(&path, Way::Older)),
        command: system.words(&path, Way::Older).map(|words| quoted(&words)),
        file: path.display().to_string(),
        needs_backup: needs_backup(kept.database_format),
    })
}

/// Whether a version that writes data of this format cannot open what is here.
fn needs_backup(database_format: i64) -> bool {
    database_format < DATABASE_FORMAT
}

pub(crate) async fn check(app: &App, _ctx: Ctx, _: Nothing) -> Result<UpdatesShown, ApiError> {
    let asked = updater(app)?.check(app.clock().now()).await;
    app.meter().nudge();
    asked.map_err(|error| failed(&error))?;
    tell_news(app).await;
    shown(app)
}

pub(crate) async fn download(app: &App, ctx: Ctx, _: Nothing) -> Result<UpdatesShown, ApiError> {
    let mut told = telling(&ctx.events);
    let mut tell = |progress: Progress| {
        app.meter().nudge();
        told(progress);
    };
    let fetched = updater(app)?.download(&mut tell).await;
    fetched.map_err(|error| failed(&error))?;
    shown(app)
}

fn telling(events: &Events) -> impl FnMut(Progress) + Send + use<> {
    let mut tell = telling_stages(events, UPDATE);
    move |progress: Progress| {
        let stage = match progress.stage {
            Stage::Checking => "checking",
            Stage::Downloading => "downloading",
        };
        tell(stage, progress.done_bytes, Some(progress.total_bytes));
    }
}

pub(crate) async fn install(
    app: &App,
    ctx: Ctx,
    request: InstallRequest,
) -> Result<InstallShown, ApiError> {
    let updater = updater(app)?;
    let mut tell = telling(&ctx.events);
    let way = if request.back { Way::Older } else { Way::Newer };
    // First whether there is anything to install at all: nobody waits for runs in vain.
    let found = ready(&updater, way, &mut tell).await?;
    if way == Way::Older && needs_backup(found.database_format) {
        return Err(data_too_new(found.version));
    }
    let calm = calm(app, &ctx.events, request.wait).await?;
    tell_stage(&ctx.events, "backing_up", None);
    let backup = app.owner()?.backup_before_update().await?;
    // Again: a person may have waited for hours, and it goes to the system right after this.
    let staged = ready(&updater, way, &mut tell).await?;
    tell_stage(&ctx.events, "installing", None);
    // It goes on when nobody waits for the answer any more, and nothing begins until it is done.
    let given = tokio::spawn(give(calm, updater, staged.clone(), way)).await;
    let lost =
        |error: tokio::task::JoinError| ApiError::new(ErrorCode::Internal, error.to_string());
    let is_done = given.map_err(lost)??;
    let system = &app.updates().means().system;
    Ok(InstallShown {
        version: staged.version.to_string(),
        is_done,
        backup: backup.path.display().to_string(),
        command: system.words(&staged.path, way).map(|words| quoted(&words)),
        file: staged.path.display().to_string(),
    })
}

/// The package that leads there, checked from its first byte to its last.
async fn ready(
    updater: &Updater,
    way: Way,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Staged, ApiError> {
    let ready = match way {
        Way::Newer => updater.ready(tell).await,
        Way::Older => updater.ready_back(tell).await,
    };
    ready.map_err(|error| failed(&error))
}

fn data_too_new(version: Version) -> ApiError {
    let message = format!("version {version} cannot open the data as it is now");
    ApiError::new(ErrorCode::UpdateNone, message)
        .with_hint(
            "`bwana update` says how to go back with the copy that was made before the update.",
        )
        .with_details(json!({ "reason": "needs_backup" }))
}

/// Gives a package to the system. `false`: a person does it.
async fn give(calm: Calm, updater: Updater, staged: Staged, way: Way) -> Result<bool, ApiError> {
    let app = &calm.0;
    let updates = app.updates();
    match updates.means().system.install(&staged.path, way).await {
        Ok(()) => {}
        Err(UpdateError::ByHand) => return Ok(false),
        Err(error) => return Err(failed(&error)),
    }
    tracing::info!(version = %staged.version, "another version of the program is installed");
    updates.note_installed(staged.version);
    tell_news(app).await;
    // It is installed, whatever becomes of the way back.
    if let Err(error) = updater.remember(&staged, app.clock().now()) {
        tracing::warn!("the package is not kept as the way back: {error}");
    }
    Ok(true)
}

/// Waits until no run is under way, and lets none begin from then on.
async fn calm(app: &App, events: &Events, wait: bool) -> Result<Calm, ApiError> {
    loop {
        let mut runs = under_way(app)?;
        if runs == 0 {
            let calm = Calm::begin(app)?;
            // One may have begun since.
            runs = under_way(app)?;
            if runs == 0 {
                return Ok(calm);
            }
        }
        if !wait {
            let message = match runs {
                1 => String::from("a run is under way, and nothing is installed meanwhile"),
                _ => format!("{runs} runs are under way, and nothing is installed meanwhile"),
            };
            return Err(ApiError::new(ErrorCode::RunBusy, message)
                .with_hint("Wait until they have ended, or pause them; then install.")
                .with_details(json!({ "reason": "runs", "runs": runs })));
        }
        tell_stage(events, "waiting", Some(runs as u64));
        tokio::time::sleep(LOOK_AT_RUNS_EVERY).await;
    }
}

fn tell_stage(events: &Events, stage: &str, total: Option<u64>) {
    events.tell_if_ready(Event::Progress {
        what: UPDATE.to_owned(),
        stage: Some(stage.to_owned()),
        done: 0,
        total,
        bytes_per_s: None,
        seconds_left: None,
    });
}

/// Runs that work: here, and in other profiles of this person that another process has open. One that waits for a person
/// or stands still is none of them.
fn under_way(app: &App) -> Result<usize, ApiError> {
    let mut count = 0;
    let live = app.live_runs();
    if let Some(store) = app.maybe_store() {
        let works = working(store)?;
        count += works.iter().filter(|run| live.contains(run)).count();
    }
    Ok(count + under_way_elsewhere(app))
}

fn working(store: &Store) -> Result<Vec<bwana_types::id::RunId>, ApiError> {
    let runs = store.runs(&RunFilter {
        status: vec![RunStatus::Running, RunStatus::Stopping],
        hidden: true,
        ..RunFilter::default()
    })?;
    Ok(runs.into_iter().map(|run| run.id).collect())
}

/// A profile that cannot be looked at counts for nothing: its own program says what is wrong with it.
fn under_way_elsewhere(app: &App) -> usize {
    let base = base_of(app.home());
    let named = std::fs::read_dir(base.join(PROFILES_DIR));
    let named = named
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let homes = std::iter::once(base.to_owned()).chain(named);
    let others = homes.filter(|home| home != app.home() && is_owned(home));
    let count = |home: PathBuf| {
        let store = Store::open_reader(&home, std::sync::Arc::clone(app.clock())).ok()?;
        working(&store).ok().map(|runs| runs.len())
    };
    others.filter_map(count).sum()
}

/// Whether a process works in a data folder.
fn is_owned(home: &std::path::Path) -> bool {
    let file = std::fs::File::open(home.join(LOCK_FILE));
    let held = |file: std::fs::File| {
        let tried = file.try_lock_shared();
        matches!(tried, Err(std::fs::TryLockError::WouldBlock))
    };
    file.is_ok_and(held)
}

/// Asks once a day, as long as the folder is open and the setting says so. Holds nothing open itself.
pub(crate) fn keep(app: &App) -> Result<(), ApiError> {
    if app.updates().means().source.is_none() {
        return Ok(());
    }
    let news = app.changed()?;
    tokio::spawn(follow(app.weak(), news));
    Ok(())
}

async fn follow(app: WeakApp, mut news: tokio::sync::watch::Receiver<u64>) {
    let mut wait = FIRST_AFTER;
    while !is_over_within(&mut news, wait).await {
        wait = LOOK_EVERY;
        let Some(app) = app.open() else { return };
        if let Err(error) = ask_if_due(&app).await {
            tracing::info!("no answer about new versions: {}", error.message);
        }
    }
}

/// `false`: it is not wanted, or not due.
async fn ask_if_due(app: &App) -> Result<bool, ApiError> {
    if !app.settings().updates.daily_check {
        return Ok(false);
    }
    let updater = updater(app)?;
    let now = app.clock().now();
    if !is_due(updater.known().checked_at, now) {
        return Ok(false);
    }
    let answer = updater.check(now).await;
    app.meter().nudge();
    answer.map_err(|error| failed(&error))?;
    tell_news(app).await;
    Ok(true)
}

/// A last answer from the future is of a clock that was wrong, and counts for none.
fn is_due(asked: Option<Timestamp>, now: Timestamp) -> bool {
    let age = asked.and_then(|asked| u64::try_from(now.0.saturating_sub(asked.0)).ok());
    age.is_none_or(|age| Duration::from_millis(age) >= ASK_EVERY)
}

fn failed(error: &UpdateError) -> ApiError {
    let api = |code| ApiError::new(code, error.to_string());
    match error {
        UpdateError::Refused(why) => {
            api(ErrorCode::UpdateRefused).with_details(json!({ "reason": why.as_str() }))
        }
        UpdateError::NothingNew { .. } => api(ErrorCode::UpdateNone)
            .with_hint("Ask with `bwana update check`.")
            .with_details(json!({ "reason": "nothing_new" })),
        UpdateError::NoPackage { .. } => api(ErrorCode::UpdateNone)
            .with_hint("Get it from where you got this one.")
            .with_details(json!({ "reason": "no_package" })),
        UpdateError::NotFetched { .. } => api(ErrorCode::UpdateNone)
            .with_hint("Fetch it with `bwana update download`.")
            .with_details(json!({ "reason": "not_fetched" })),
        UpdateError::NoWayBack => {
            api(ErrorCode::UpdateNone).with_details(json!({ "reason": "no_way_back" }))
        }
        UpdateError::NoSpace {
            needed_bytes,
            free_bytes,
            ..
        } => api(ErrorCode::StoreFull)
            .with_hint("Make room on the disk and try again.")
            .with_details(json!({
                "reason": "disk", "needed_bytes": needed_bytes, "free_bytes": free_bytes,
                "missing_bytes": needed_bytes.saturating_sub(*free_bytes),
            })),
        UpdateError::Unreachable { .. } => api(ErrorCode::UpdateFailed)
            .with_hint("Check the network and try again; what was fetched is kept.")
            .with_details(json!({ "reason": "unreachable" })),
        UpdateError::Busy => api(ErrorCode::UpdateFailed)
            .with_hint("Wait until the other program is done.")
            .with_details(json!({ "reason": "busy" })),
        UpdateError::NotAllowed => {
            api(ErrorCode::UpdateFailed).with_details(json!({ "reason": "not_allowed" }))
        }
        UpdateError::NotInstalled { .. } => api(ErrorCode::UpdateFailed)
            .with_hint("Install the package by hand; `bwana update` says how.")
            .with_details(json!({ "reason": "not_installed" })),
        UpdateError::Io { .. } | UpdateError::ByHand => api(ErrorCode::UpdateFailed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_a_day_after_the_last_answer_and_at_once_without_one() {
        let now = Timestamp(1_764_072_000_000);
        let hours = |hours: i64| Some(Timestamp(now.0 + hours * 3_600_000));
        assert!(is_due(None, now));
        assert!(is_due(hours(-24), now));
        assert!(!is_due(hours(-23), now));
        assert!(!is_due(hours(0), now));
        assert!(is_due(hours(2), now), "the clock was wrong");
    }
}
