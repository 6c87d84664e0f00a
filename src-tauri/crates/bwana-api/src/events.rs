//! What a command tells while it works: entries of a run as they are written, the text of calls on their way, and the
//! progress of what takes long. A listener that goes away ends the telling, never the work.

use std::sync::Arc;
use std::time::Duration;

use bwana_engine::RunEvent;
use bwana_types::entry::{Body, Entry, Seq};
use bwana_types::error::ApiError;
use bwana_types::id::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::mpsc;

use crate::app::App;
use crate::command::Ctx;
use crate::feed::{At, Changed, Place};
use crate::record::Record;

/// Events that wait for a slow listener before the teller waits for it.
const EVENTS_QUEUED_MAX: usize = 256;
/// Entries read from the journal at once.
const PAGE_ENTRIES: usize = 500;
/// How often a reader without an owner looks for news.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An entry of the journal, on disk as far as the durability rules ask for it.
    Entry {
        run: RunId,
        #[serde(
            serialize_with = "entry_as_record",
            deserialize_with = "entry_from_record"
        )]
        #[schemars(with = "Record")]
        entry: Arc<Entry>,
    },
    /// A piece of a model's answer. `offset` is the UTF-8 bytes of this attempt told before it.
    Text {
        run: RunId,
        call: Seq,
        attempt: u32,
        path: String,
        agent: String,
        offset: u64,
        text: String,
    },
    /// Pieces of text were missed; entries never are.
    Missed { run: RunId },
    /// A feed is open: its number, and where it begins.
    Open {
        watch: u64,
        #[serde(flatten)]
        at: At,
    },
    /// What changed between two places of the feed.
    Batch {
        epoch: String,
        from: Place,
        to: Place,
        changes: Vec<Changed>,
    },
    /// A piece of a model's answer, for a window. `offset` is the UTF-8 bytes of this attempt before it.
    Stream {
        run: RunId,
        call: Seq,
        attempt: u32,
        path: String,
        agent: String,
        offset: u64,
        text: String,
    },
    /// The feed goes on from here; what was read before must be read again.
    Reset {
        #[serde(flatten)]
        at: At,
    },
    /// How far something is; `total` is `None` while nobody knows.
    Progress {
        /// Id of a model, or the file it comes from; `update` for a version of the program.
        what: String,
        /// `checking`, `downloading`, `fetching_package`, `unpacking` or `copying`; of an update also `waiting`, where
        /// `total` is the runs it waits for, `backing_up` and `installing`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
        /// Bytes.
        done: u64,
        total: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes_per_s: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds_left: Option<u64>,
    },
}

fn entry_as_record<S: Serializer>(entry: &Arc<Entry>, serializer: S) -> Result<S::Ok, S::Error> {
    Record::from(&**entry).serialize(serializer)
}

fn entry_from_record<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Entry>, D::Error> {
    let record = Record::deserialize(deserializer)?;
    record
        .into_entry()
        .map(Arc::new)
        .map_err(serde::de::Error::custom)
}

/// Where events go.
#[derive(Debug, Clone)]
pub struct Events {
    listener: Option<mpsc::Sender<Event>>,
}

impl Events {
    /// Nobody listens.
    pub fn none() -> Self {
        Self { listener: None }
    }

    /// A listener, and where it hears.
    pub fn channel() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(EVENTS_QUEUED_MAX);
        let events = Self {
            listener: Some(sender),
        };
        (events, receiver)
    }

    /// Tells it, waiting for a slow listener. `false`: nobody listens (any more).
    pub async fn tell(&self, event: Event) -> bool {
        match &self.listener {
            Some(listener) => listener.send(event).await.is_ok(),
            None => false,
        }
    }

    /// Tells it unless the listener is behind: for progress, of which the next is as good.
    pub fn tell_if_ready(&self, event: Event) {
        if let Some(listener) = &self.listener {
            // Full: the next one comes soon. Closed: nobody wants to know.
            let _ = listener.try_send(event);
        }
    }

    /// Resolves when nobody listens any more.
    pub async fn gone(&self) {
        match &self.listener {
            Some(listener) => listener.closed().await,
            None => std::future::pending().await,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsRequest {
    /// An id, or its last characters.
    pub run: String,
    /// The first entry wanted; 0 and 1 are the beginning.
    #[serde(default)]
    pub from: Seq,
    /// Go on until the run has ended.
    #[serde(default)]
    pub follow: bool,
    /// Also the text of calls on their way.
    #[serde(default)]
    pub text: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsEnd {
    pub run: RunId,
    /// The last entry told.
    pub head_seq: Seq,
    /// Nothing will follow.
    pub ended: bool,
}

pub(crate) async fn stream(
    app: &App,
    ctx: Ctx,
    request: EventsRequest,
) -> Result<EventsEnd, ApiError> {
    let run = app.find_run(&request.run)?;
    let parent = app.store()?.run(run)?.parent;
    let mut teller = Teller {
        app,
        shared: parent.map_or(0, |(_, fork_seq)| fork_seq),
        events: ctx.events,
        run,
        text: request.text,
        told: request.from.max(1) - 1,
        ended: false,
    };
    // Taken before the first look, so that nothing falls between looking and waiting.
    let mut news = app.store()?.watch().ok();
    loop {
        teller.from_journal().await?;
        if !request.follow || teller.ended || teller.is_gone() {
            break;
        }
        if teller.from_engine().await? || teller.is_gone() {
            continue;
        }
        let changed = async {
            match &mut news {
                Some(news) => drop(news.changed().await),
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        };
        tokio::select! {
            () = changed => {}
            () = teller.events.gone() => break,
        }
    }
    Ok(EventsEnd {
        run,
        head_seq: teller.told,
        ended: teller.ended,
    })
}

/// Tells one run to one listener.
struct Teller<'a> {
    app: &'a App,
    events: Events,
    run: RunId,
    text: bool,
    /// Entries up to here are the parent's: its end is not this run's.
    shared: Seq,
    /// The last entry told.
    told: Seq,
    ended: bool,
}

impl Teller<'_> {
    /// Everything that stands in the journal and was not told yet.
    async fn from_journal(&mut self) -> Result<(), ApiError> {
        loop {
            // What the engine works on may be told only once the engine says so.
            if self.app.is_live(self.run) {
                return Ok(());
            }
            let store = self.app.store()?;
            let page = store.entries(self.run, self.told + 1, PAGE_ENTRIES)?;
            if page.is_empty() {
                return Ok(());
            }
            for entry in page {
                if !self.entry(Arc::new(entry)).await {
                    return Ok(());
                }
            }
        }
    }

    /// Follows the run as long as it is worked on here. `false`: it is not.
    async fn from_engine(&mut self) -> Result<bool, ApiError> {
        let Some(engine) = self.app.engine_of_live(self.run) else {
            return Ok(false);
        };
        let mut watch = engine.watch(self.run, self.told + 1)?;
        loop {
            let event = tokio::select! {
                event = watch.next() => event,
                () = self.events.gone() => return Ok(true),
            };
            let heard = match event {
                None => return Ok(true),
                Some(RunEvent::Entry(entry)) => self.entry(entry).await,
                Some(RunEvent::Reset) => self.events.tell(Event::Missed { run: self.run }).await,
                Some(RunEvent::Text { .. }) if !self.text => true,
                Some(RunEvent::Text {
                    call,
                    attempt,
                    path,
                    agent,
                    offset,
                    text,
                }) => {
                    let text = Event::Text {
                        run: self.run,
                        call,
                        attempt,
                        path: path.to_string(),
                        agent: agent.to_string(),
                        offset,
                        text: text.to_string(),
                    };
                    self.events.tell(text).await
                }
            };
            if !heard || self.ended {
                return Ok(true);
            }
        }
    }

    /// `false`: nobody listens any more.
    async fn entry(&mut self, entry: Arc<Entry>) -> bool {
        let seq = entry.seq;
        let ends = matches!(entry.body, Body::RunEnded(_)) && seq > self.shared;
        let run = self.run;
        let heard = self.events.tell(Event::Entry { run, entry }).await;
        if heard {
            self.told = seq;
            self.ended |= ends;
        }
        heard
    }

    fn is_gone(&self) -> bool {
        self.events
            .listener
            .as_ref()
            .is_none_or(mpsc::Sender::is_closed)
    }
}
