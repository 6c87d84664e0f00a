//! Whether the data folder is well: room on its disk, and a database that is sound. Where a host stays, a full disk makes
//! it rest: runs stand at their last stored step, nothing is stored and reading goes on, until there is room again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bwana_store::{Health, Shut, Store};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use crate::app::{App, Mode, WeakApp};
use crate::care::is_over_within;
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::shape::Time;
use crate::updates;

/// Less than this free, and what runs is brought to rest while there is room to write that down.
const REST_BELOW_BYTES: u64 = 8 * 1024 * 1024;
/// More than this free, and it goes on: far enough above, so that it does not rest again at once.
const GO_ON_ABOVE_BYTES: u64 = 64 * 1024 * 1024;
/// Between two looks at the disk.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The same while it rests: a person who has made room sees it soon.
const LOOK_EVERY_AT_REST: Duration = Duration::from_secs(2);
/// Commands that need the owner and store nothing.
const STORES_NOTHING: &[&str] = &["run.settle"];
/// The one row of the topic `home`.
pub(crate) const HEALTH: &str = "health";
pub(crate) const HOME: &str = "home";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthMode {
    Normal,
    /// The disk is full: runs stand, nothing is stored, reading goes on. It ends by itself when there is room.
    ReadOnly,
    /// The database is damaged. What can be read is shown.
    Damaged,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthShown {
    pub mode: HealthMode,
    /// What is free on the disk of the data folder.
    pub free_bytes: u64,
    /// What is set aside for a full disk; 0 while it is given back, and for little data.
    pub reserve_bytes: u64,
    /// Since when it is not normal, where that is known.
    pub since: Option<Time>,
    /// Of damage: what was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// No database is open: `recover.look` and `recover.run` work here, and little else.
    #[serde(default)]
    pub is_repair: bool,
    /// A version of the program that is there to be had, and not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer: Option<String>,
}

/// Whether an app rests, and who must be told in another way than by what is stored.
#[derive(Debug)]
pub(crate) struct Rest {
    since: Mutex<Option<Timestamp>>,
    told: watch::Sender<u64>,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            since: Mutex::new(None),
            told: watch::Sender::new(0),
        }
    }
}

impl Rest {
    fn since(&self) -> Option<Timestamp> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, since: Option<Timestamp>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Changes when a window must read everything anew, because nothing could be stored that says what changed.
    pub(crate) fn told(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }
}

pub(crate) async fn health(app: &App, _ctx: Ctx, _: Nothing) -> Result<HealthShown, ApiError> {
    Ok(shown(app))
}

/// The health as it is now. What cannot be found out is zero.
pub(crate) fn shown(app: &App) -> HealthShown {
    let store = app.maybe_store();
    let (reserve_bytes, free_bytes) = bwana_store::room(app.home()).unwrap_or_default();
    let damage = match store.map(Store::health) {
        Some(Health::Damaged(what)) => Some(what),
        _ => app.damage().map(ToString::to_string),
    };
    let since = app.rest().since();
    HealthShown {
        mode: match (&damage, since) {
            (Some(_), _) => HealthMode::Damaged,
            (None, Some(_)) => HealthMode::ReadOnly,
            (None, None) => HealthMode::Normal,
        },
        free_bytes,
        reserve_bytes,
        since: since.filter(|_| damage.is_none()).map(Time),
        what: damage.unwrap_or_default(),
        is_repair: app.mode() == Mode::Repair,
        newer: updates::newer_version(app),
    }
}

/// # Errors
/// `store.full` while the app rests, for a command that would store something.
pub(crate) fn check_awake(app: &App, command: &str) -> Result<(), ApiError> {
    if app.rest().since().is_none() || STORES_NOTHING.contains(&command) {
        return Ok(());
    }
    let (_, free_bytes) = bwana_store::room(app.home()).unwrap_or_default();
    let message = "the disk is full, so nothing is stored until there is room; reading goes on";
    Err(ApiError::new(ErrorCode::StoreFull, message)
        .with_hint("Free some disk space; everything goes on by itself then.")
        .with_details(json!({"free_bytes": free_bytes, "needed_bytes": GO_ON_ABOVE_BYTES})))
}

/// Watches the disk as long as the folder is open. Holds nothing open itself.
pub(crate) fn keep(app: &App) -> Result<(), ApiError> {
    let full = app.owner()?.watch_full()?;
    let news = app.changed()?;
    tokio::spawn(follow(app.weak(), news, full));
    Ok(())
}

async fn follow(app: WeakApp, mut news: watch::Receiver<u64>, mut full: watch::Receiver<u64>) {
    let (mut is_full, mut is_damage_told) = (false, false);
    loop {
        let wait = {
            let Some(app) = app.open() else { return };
            if !is_damage_told && let Some(store) = damaged_store(&app) {
                is_damage_told = true;
                tell(&app, store).await;
            }
            if let Err(error) = look(&app, is_full).await {
                tracing::warn!("looking at the disk: {}", error.message);
            }
            match app.rest().since() {
                Some(_) => LOOK_EVERY_AT_REST,
                None => LOOK_EVERY,
            }
        };
        is_full = tokio::select! {
            over = is_over_within(&mut news, wait) => if over { return } else { false },
            changed = full.changed() => if changed.is_err() { return } else { true },
        };
    }
}

/// The store, if its check has found it damaged.
fn damaged_store(app: &App) -> Option<&Store> {
    app.maybe_store()
        .filter(|store| matches!(store.health(), Health::Damaged(_)))
}

/// `is_full`: a write has just found no room.
async fn look(app: &App, is_full: bool) -> Result<(), ApiError> {
    let store = app.owner()?;
    let (_, free) = bwana_store::room(app.home())?;
    match app.rest().since() {
        None if is_full || free < REST_BELOW_BYTES => rest(app, store).await,
        None => store.keep_reserve().await.map(drop).map_err(Into::into),
        Some(_) if free > GO_ON_ABOVE_BYTES => go_on(app, store).await,
        Some(_) => Ok(()),
    }
}

/// Nothing new begins; what is in flight gets two seconds and the reserve to write its end to; then nothing is stored.
async fn rest(app: &App, store: &Store) -> Result<(), ApiError> {
    app.rest().set(Some(app.clock().now()));
    let released = store.release_reserve();
    app.engine()?.shutdown().await;
    tell(app, store).await;
    store.shut(Shut::Full)?;
    tracing::warn!("the disk is full: runs stand at their last step");
    Ok(released?)
}

/// Everything goes on: also the runs that stood for it.
async fn go_on(app: &App, store: &Store) -> Result<(), ApiError> {
    store.open_again()?;
    app.rest().set(None);
    tell(app, store).await;
    let resumed = app.engine()?.recover()?;
    tracing::info!(runs = resumed.len(), "there is room again");
    store.keep_reserve().await?;
    Ok(())
}

/// Tells every window that the health is another.
pub(crate) async fn tell(app: &App, store: &Store) {
    if store.note(HOME, HEALTH).await.is_err() {
        app.rest().told.send_modify(|times| *times += 1);
    }
}
