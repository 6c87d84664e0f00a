//! What others see of a run while it works: journal entries in order, and the text of calls on their way.
//! A reader that is too slow is told so and reads the journal again; it never slows the run down.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bwana_types::entry::{Entry, Seq};
use bwana_types::status::RunStatus;
use bwana_workflow::machine::RunState;
use tokio::sync::{broadcast, watch};

use crate::view::RunView;

/// Events a reader may lag behind before it must read the journal again.
const EVENTS_BEHIND_MAX: usize = 1_024;
/// Bytes of one call's text kept while it is on its way.
pub(crate) const PARTIAL_MAX_BYTES: usize = 1024 * 1024;

#[derive(Debug, Clone)]
pub enum RunEvent {
    /// On disk as far as the durability rules ask for it.
    Entry(Arc<Entry>),
    /// A piece of a model's answer. `offset` is the UTF-8 bytes of this attempt sent before it.
    Text {
        call: Seq,
        attempt: u32,
        path: Arc<str>,
        agent: Arc<str>,
        offset: u64,
        text: Arc<str>,
    },
    /// Some events were missed: read the journal again.
    Reset,
}

/// Where a run stands, as far as it may be told: nothing here is ahead of what is durable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    pub(crate) status: RunStatus,
    /// Nothing moves without a person or a resume, or the run is over.
    pub(crate) still: bool,
    /// The whole run, when it stands still.
    pub(crate) view: Option<Arc<RunView>>,
    /// The journal could not be written; the run stands at its last durable step.
    pub(crate) failure: Option<bwana_types::error::ApiError>,
}

/// Shared between a run's task and its readers.
#[derive(Debug)]
pub(crate) struct Feed {
    /// `None` once the run's task is gone.
    events: Mutex<Option<broadcast::Sender<RunEvent>>>,
    standing: watch::Sender<Standing>,
    partials: Mutex<HashMap<Seq, Partial>>,
    /// The last entry that was told.
    told: AtomicU64,
}

/// The text of a call so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialText {
    /// The entry that intended it.
    pub call: Seq,
    pub attempt: u32,
    pub text: String,
}

#[derive(Debug, Default)]
struct Partial {
    attempt: u32,
    text: String,
}

impl Feed {
    pub(crate) fn new(state: &RunState) -> Self {
        let standing = Standing {
            status: state.status(),
            still: false,
            view: None,
            failure: None,
        };
        Self {
            told: AtomicU64::new(state.head),
            events: Mutex::new(Some(broadcast::Sender::new(EVENTS_BEHIND_MAX))),
            standing: watch::Sender::new(standing),
            partials: Mutex::default(),
        }
    }

    pub(crate) fn publish(&self, entry: Arc<Entry>) {
        self.told.store(entry.seq, Ordering::Release);
        self.send(|| RunEvent::Entry(entry));
    }

    pub(crate) fn told(&self) -> Seq {
        self.told.load(Ordering::Acquire)
    }

    pub(crate) fn stand(&self, standing: Standing) {
        self.standing.send_if_modified(|current| {
            let changed = *current != standing;
            *current = standing;
            changed
        });
    }

    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// `None` if nothing will happen any more.
    pub(crate) fn subscribe(&self) -> Option<broadcast::Receiver<RunEvent>> {
        self.events().as_ref().map(broadcast::Sender::subscribe)
    }

    /// The run's task is gone: readers are told so.
    pub(crate) fn close(&self) {
        self.events().take();
    }

    /// Nobody listening is no mistake.
    fn send(&self, event: impl FnOnce() -> RunEvent) {
        if let Some(events) = self.events().as_ref()
            && events.receiver_count() > 0
        {
            let _ = events.send(event());
        }
    }

    fn events(&self) -> MutexGuard<'_, Option<broadcast::Sender<RunEvent>>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a piece of a call's text and tells readers.
    pub(crate) fn text(
        &self,
        call: Seq,
        attempt: u32,
        path: &Arc<str>,
        agent: &Arc<str>,
        piece: &str,
    ) {
        let offset = {
            let mut partials = self.partials.lock().unwrap_or_else(PoisonError::into_inner);
            let partial = partials.entry(call).or_default();
            if partial.attempt != attempt {
                *partial = Partial {
                    attempt,
                    text: String::new(),
                };
            }
            let offset = partial.text.len();
            if offset + piece.len() <= PARTIAL_MAX_BYTES {
                partial.text.push_str(piece);
            }
            offset as u64
        };
        self.send(|| RunEvent::Text {
            call,
            attempt,
            path: Arc::clone(path),
            agent: Arc::clone(agent),
            offset,
            text: piece.into(),
        });
    }

    /// A call is over: its text stands in the journal now.
    pub(crate) fn forget(&self, call: Seq) {
        self.partials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&call);
    }

    /// The texts of all calls on their way, oldest call first.
    pub(crate) fn partials(&self) -> Vec<PartialText> {
        let partials = self.partials.lock().unwrap_or_else(PoisonError::into_inner);
        let mut texts: Vec<PartialText> = partials
            .iter()
            .map(|(call, partial)| PartialText {
                call: *call,
                attempt: partial.attempt,
                text: partial.text.clone(),
            })
            .collect();
        texts.sort_by_key(|text| text.call);
        texts
    }

    /// The text of a call on its way from `offset` on, and where the next piece begins.
    pub(crate) fn partial(&self, call: Seq, offset: u64) -> Option<(String, u64)> {
        let partials = self.partials.lock().unwrap_or_else(PoisonError::into_inner);
        let text = &partials.get(&call)?.text;
        let from = usize::try_from(offset)
            .ok()
            .filter(|from| text.is_char_boundary(*from))
            .unwrap_or(0);
        Some((text[from..].to_owned(), text.len() as u64))
    }
}

/// Follows a run: everything from a given entry on, first from the journal, then as it happens.
pub struct Watch {
    backlog: VecDeque<Arc<Entry>>,
    events: Option<broadcast::Receiver<RunEvent>>,
    /// The last entry given out.
    seen: Seq,
    /// Reads the journal from an entry on.
    reread: Reread,
}

type Reread = Box<dyn Fn(Seq) -> Vec<Entry> + Send + Sync>;

impl Watch {
    pub(crate) fn new(
        backlog: Vec<Entry>,
        events: Option<broadcast::Receiver<RunEvent>>,
        seen: Seq,
        reread: Reread,
    ) -> Self {
        Self {
            backlog: backlog.into_iter().map(Arc::new).collect(),
            events,
            seen,
            reread,
        }
    }

    /// The next event, or `None` when the run's task is gone and everything was given out.
    pub async fn next(&mut self) -> Option<RunEvent> {
        loop {
            if let Some(entry) = self.backlog.pop_front() {
                self.seen = entry.seq;
                return Some(RunEvent::Entry(entry));
            }
            let events = self.events.as_mut()?;
            match events.recv().await {
                Ok(RunEvent::Entry(entry)) if entry.seq <= self.seen => {}
                Ok(RunEvent::Entry(entry)) if entry.seq == self.seen + 1 => {
                    self.seen = entry.seq;
                    return Some(RunEvent::Entry(entry));
                }
                // Something was missed: everything up to this entry was told, so it may be read.
                Ok(RunEvent::Entry(entry)) => {
                    let missed = (self.reread)(self.seen + 1);
                    self.backlog.extend(
                        missed
                            .into_iter()
                            .filter(|one| one.seq <= entry.seq)
                            .map(Arc::new),
                    );
                    if self.backlog.is_empty() {
                        self.seen = entry.seq;
                        return Some(RunEvent::Entry(entry));
                    }
                }
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => return Some(RunEvent::Reset),
                Err(broadcast::error::RecvError::Closed) => self.events = None,
            }
        }
    }
}
