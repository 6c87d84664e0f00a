//! The change feed of a window: what happened since a cursor, as whole rows that replace what the window shows, and the
//! text of model calls on its way. A window that is slow gets less and later, never something wrong; one that has fallen
//! too far behind is told to read everything again. Nothing here happens while nothing happens.

mod collect;
mod rows;
mod streams;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bwana_store::{Changes, Cursor};
use bwana_types::error::{ApiError, ErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::app::App;
use crate::command::Ctx;
use crate::events::{Event, Events};
use collect::{Collected, collect};
pub(crate) use rows::short_record;
use streams::Streams;

/// Between two batches to a window that is seen: one frame of its screen.
const VISIBLE_EVERY: Duration = Duration::from_millis(16);
/// Between two batches to a window that is not.
const HIDDEN_EVERY: Duration = Duration::from_secs(1);
/// Between two pieces of text of one call.
const STREAM_EVERY: Duration = Duration::from_millis(33);
/// Something is written but may not be told yet, because the disk has not taken it: a matter of milliseconds.
const HELD_BACK: Duration = Duration::from_millis(5);
/// How often a process that does not own the data folder looks for news.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A window that does not take a batch in this time is gone, or too slow to be kept.
const ACK_MAX: Duration = Duration::from_secs(60);
/// Topics one window may follow.
const TOPICS_MAX: usize = 64;
/// Feeds at the same time over all windows.
const WATCHES_MAX: usize = 64;

/// A place in the feed, without its epoch. Both numbers only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The last `journal.pos` seen.
    pub pos: i64,
    /// The last row of the other changes seen.
    pub change: i64,
}

/// Where a query's answer stands in the feed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct At {
    pub epoch: String,
    #[serde(flatten)]
    pub place: Place,
}

impl From<&Cursor> for At {
    fn from(cursor: &Cursor) -> Self {
        Self {
            epoch: cursor.epoch.clone(),
            place: Place {
                pos: cursor.pos,
                change: cursor.change,
            },
        }
    }
}

impl At {
    fn cursor(&self) -> Cursor {
        Cursor {
            epoch: self.epoch.clone(),
            pos: self.place.pos,
            change: self.place.change,
        }
    }
}

/// What a window wants to hear of: `runs`, `run:<id>`, `tasks`, `agents`, `workflows`, `providers`, `usage`,
/// `settings`, `home`.
pub type Topic = String;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchRequest {
    /// Of the last answer seen; empty: from now on.
    #[serde(default)]
    pub epoch: String,
    #[serde(default)]
    pub pos: i64,
    #[serde(default)]
    pub change: i64,
    pub topics: Vec<Topic>,
    /// A window nobody sees hears once a second.
    #[serde(default = "yes")]
    pub visible: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AckRequest {
    pub watch: u64,
    /// The `to` of the batch that was applied.
    pub to: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TuneRequest {
    pub watch: u64,
    pub topics: Vec<Topic>,
    pub visible: bool,
}

/// The listener went away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchEnd {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOp {
    Upsert,
    Delete,
}

/// One thing that is different now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    pub topic: Topic,
    pub id: String,
    pub op: ChangeOp,
    /// The whole thing as the topic's list shows it; of a run's own topic a journal record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Value>,
}

/// What the feed's commands share: who listens to what.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    last: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Listener>>>,
}

/// One window's wishes, changed by its own later requests.
#[derive(Debug)]
struct Listener {
    tuning: watch::Sender<Tuning>,
    acked: watch::Sender<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tuning {
    topics: BTreeSet<Topic>,
    visible: bool,
}

impl Tuning {
    fn of(topics: Vec<Topic>, visible: bool) -> Result<Self, ApiError> {
        if topics.len() > TOPICS_MAX {
            let message = format!("one window follows at most {TOPICS_MAX} topics");
            return Err(ApiError::new(ErrorCode::UsageInvalid, message));
        }
        if let Some(topic) = topics.iter().find(|topic| !rows::is_topic(topic)) {
            let message = format!("there is no topic called '{}'", crate::shape::shown(topic));
            return Err(ApiError::new(ErrorCode::UsageInvalid, message));
        }
        Ok(Self {
            topics: topics.into_iter().collect(),
            visible,
        })
    }

    fn pace(&self) -> Duration {
        if self.visible {
            VISIBLE_EVERY
        } else {
            HIDDEN_EVERY
        }
    }
}

impl Watches {
    fn begin(&self, tuning: Tuning) -> Result<(u64, Arc<Listener>), ApiError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= WATCHES_MAX {
            let message = format!("{WATCHES_MAX} windows are listened to already");
            return Err(ApiError::new(ErrorCode::UsageInvalid, message));
        }
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let listener = Arc::new(Listener {
            tuning: watch::Sender::new(tuning),
            acked: watch::Sender::new(Place::default()),
        });
        open.insert(id, Arc::clone(&listener));
        Ok((id, listener))
    }

    fn end(&self, id: u64) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    fn find(&self, id: u64) -> Result<Arc<Listener>, ApiError> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&id).cloned().ok_or_else(|| {
            ApiError::new(ErrorCode::UsageNotFound, "nobody listens under this number")
        })
    }
}

/// Ends a listener's place in the book, however its command ends.
struct Open<'a> {
    watches: &'a Watches,
    id: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.watches.end(self.id);
    }
}

pub(crate) async fn ack(app: &App, _ctx: Ctx, request: AckRequest) -> Result<WatchEnd, ApiError> {
    app.watches()
        .find(request.watch)?
        .acked
        .send_replace(request.to);
    Ok(WatchEnd {})
}

pub(crate) async fn tune(app: &App, _ctx: Ctx, request: TuneRequest) -> Result<WatchEnd, ApiError> {
    let tuning = Tuning::of(request.topics, request.visible)?;
    app.watches()
        .find(request.watch)?
        .tuning
        .send_replace(tuning);
    Ok(WatchEnd {})
}

/// Tells one window until it goes away.
pub(crate) async fn watch(
    app: &App,
    ctx: Ctx,
    request: WatchRequest,
) -> Result<WatchEnd, ApiError> {
    let tuning = Tuning::of(request.topics, request.visible)?;
    let (id, listener) = app.watches().begin(tuning)?;
    let _open = Open {
        watches: app.watches(),
        id,
    };
    let now = app.store()?.cursor()?;
    let asked = At {
        epoch: request.epoch,
        place: Place {
            pos: request.pos,
            change: request.change,
        },
    };
    let from = if asked.epoch.is_empty() {
        now
    } else {
        asked.cursor()
    };
    let teller = Teller {
        app,
        events: &ctx.events,
        listener: &listener,
        at: from,
    };
    tokio::select! {
        told = teller.tell(id) => told?,
        () = ctx.events.gone() => {}
    }
    Ok(WatchEnd {})
}

struct Teller<'a> {
    app: &'a App,
    events: &'a Events,
    listener: &'a Listener,
    at: Cursor,
}

impl Teller<'_> {
    async fn tell(mut self, watch: u64) -> Result<(), ApiError> {
        let open = Event::Open {
            watch,
            at: At::from(&self.at),
        };
        if !self.events.tell(open).await {
            return Ok(());
        }
        // Taken before the first look, so that nothing falls between looking and waiting.
        let mut news = self.app.store()?.watch().ok();
        let mut tuned = self.listener.tuning.subscribe();
        let mut unstored = self.app.rest().told();
        let mut streams = Streams::default();
        loop {
            let tuning = tuned.borrow_and_update().clone();
            streams.follow(self.app, &tuning.topics);
            let is_held_back = match self.batches(&tuning).await? {
                Told::All => false,
                Told::HeldBack => true,
                Told::Gone => return Ok(()),
            };
            let changed = async {
                match &mut news {
                    _ if is_held_back => tokio::time::sleep(HELD_BACK).await,
                    Some(news) => drop(news.changed().await),
                    None => tokio::time::sleep(LOOK_AGAIN).await,
                }
            };
            tokio::select! {
                () = changed => tokio::time::sleep(tuning.pace()).await,
                heard = streams.pass_on(self.events, tuning.visible) => if !heard { return Ok(()) },
                _ = tuned.changed() => {}
                // Something changed of which no change could be stored.
                Ok(()) = unstored.changed() => if !self.reset().await { return Ok(()) },
            }
        }
    }

    /// Says that everything must be read anew. `false`: nobody is there any more.
    async fn reset(&self) -> bool {
        let at = At::from(&self.at);
        self.events.tell(Event::Reset { at }).await
    }

    /// Everything that may be told now.
    async fn batches(&mut self, tuning: &Tuning) -> Result<Told, ApiError> {
        loop {
            let changes = self
                .app
                .store()?
                .changes_since(&self.at, collect::BATCH_MAX)?;
            let (entries, changes, to, more) = match changes {
                Changes::Resync { to } => {
                    self.at = to;
                    if !self.reset().await {
                        return Ok(Told::Gone);
                    }
                    continue;
                }
                Changes::Batch {
                    entries,
                    changes,
                    to,
                    more,
                } => (entries, changes, to, more),
            };
            let collected = collect(self.app, &tuning.topics, entries, changes, &self.at, to)?;
            let Collected {
                changed,
                to,
                is_held_back,
                is_cut,
            } = collected;
            if to != self.at {
                let from = std::mem::replace(&mut self.at, to);
                if !self.batch(&from, changed).await {
                    return Ok(Told::Gone);
                }
            }
            if is_held_back {
                return Ok(Told::HeldBack);
            }
            if !more && !is_cut {
                return Ok(Told::All);
            }
            if self.is_far_behind()? {
                self.at = self.app.store()?.cursor()?;
                if !self.reset().await {
                    return Ok(Told::Gone);
                }
            }
        }
    }

    /// Whether reading everything anew is less than what waits.
    fn is_far_behind(&self) -> Result<bool, ApiError> {
        let end = self.app.store()?.cursor()?;
        Ok((end.pos - self.at.pos) + (end.change - self.at.change) > collect::BEHIND_MAX)
    }

    /// Tells a batch and waits until it was taken. `false`: nobody is there any more.
    ///
    /// Even an empty one is told: the next one begins where it ends.
    async fn batch(&self, from: &Cursor, changes: Vec<Changed>) -> bool {
        let to = At::from(&self.at).place;
        let mut acked = self.listener.acked.subscribe();
        let batch = Event::Batch {
            epoch: self.at.epoch.clone(),
            from: At::from(from).place,
            to,
            changes,
        };
        if !self.events.tell(batch).await {
            return false;
        }
        let taken = acked.wait_for(|acked| acked.pos >= to.pos && acked.change >= to.change);
        tokio::time::timeout(ACK_MAX, taken)
            .await
            .is_ok_and(|taken| taken.is_ok())
    }
}

enum Told {
    All,
    /// Something is written that may not be told yet.
    HeldBack,
    Gone,
}
