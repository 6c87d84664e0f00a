//! The text of model calls on its way to one window: followed for the runs it looks at, put together per call, and passed
//! on at most thirty times a second. What is lost here stands in the journal once the call is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bwana_engine::RunEvent;
use bwana_types::entry::Seq;
use bwana_types::id::RunId;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::{HIDDEN_EVERY, STREAM_EVERY, Topic, rows};
use crate::app::App;
use crate::events::{Event, Events};

/// Pieces that wait for this window before the follower waits.
const PIECES_QUEUED_MAX: usize = 1_024;
/// How often a run that is not at work here is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct Piece {
    run: RunId,
    call: Seq,
    attempt: u32,
    path: String,
    agent: String,
    offset: u64,
    text: String,
}

impl Piece {
    /// Whether the other one goes on exactly where this one ends.
    fn goes_on_with(&self, next: &Self) -> bool {
        self.attempt == next.attempt && self.offset + self.text.len() as u64 == next.offset
    }

    fn event(self) -> Event {
        Event::Stream {
            run: self.run,
            call: self.call,
            attempt: self.attempt,
            path: self.path,
            agent: self.agent,
            offset: self.offset,
            text: self.text,
        }
    }
}

/// The runs one window looks at.
#[derive(Debug)]
pub(super) struct Streams {
    sender: mpsc::Sender<Piece>,
    pieces: mpsc::Receiver<Piece>,
    following: BTreeMap<RunId, JoinHandle<()>>,
    waiting: BTreeMap<(RunId, Seq), Piece>,
    next: Instant,
}

impl Default for Streams {
    fn default() -> Self {
        let (sender, pieces) = mpsc::channel(PIECES_QUEUED_MAX);
        Self {
            sender,
            pieces,
            following: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: Instant::now(),
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        for (_, task) in std::mem::take(&mut self.following) {
            task.abort();
        }
    }
}

impl Streams {
    /// From now on follows exactly the runs among these topics.
    pub(super) fn follow(&mut self, app: &App, topics: &BTreeSet<Topic>) {
        let wanted: BTreeSet<RunId> = topics
            .iter()
            .filter_map(|topic| rows::run_of(topic))
            .collect();
        self.following.retain(|run, task| {
            let stays = wanted.contains(run);
            if !stays {
                task.abort();
            }
            stays
        });
        for run in wanted {
            self.following
                .entry(run)
                .or_insert_with(|| tokio::spawn(follow(app.clone(), run, self.sender.clone())));
        }
    }

    /// Waits for text and passes it on in its time. `false`: nobody is there any more. Returns after each passing, so
    /// that the rest of the feed gets its turn.
    pub(super) async fn pass_on(&mut self, events: &Events, visible: bool) -> bool {
        let every = if visible { STREAM_EVERY } else { HIDDEN_EVERY };
        loop {
            tokio::select! {
                piece = self.pieces.recv() => match piece {
                    Some(piece) => if let Some(before) = self.put(piece) && !events.tell(before.event()).await {
                        return false;
                    },
                    None => std::future::pending().await,
                },
                () = sleep_until(self.next), if !self.waiting.is_empty() => {
                    self.next = Instant::now() + every;
                    for (_, piece) in std::mem::take(&mut self.waiting) {
                        if !events.tell(piece.event()).await {
                            return false;
                        }
                    }
                    return true;
                }
            }
        }
    }

    /// Joins a piece to what waits of its call. What cannot be joined comes back, to be told first.
    fn put(&mut self, piece: Piece) -> Option<Piece> {
        let key = (piece.run, piece.call);
        match self.waiting.get_mut(&key) {
            Some(before) if before.goes_on_with(&piece) => {
                before.text.push_str(&piece.text);
                None
            }
            _ => self.waiting.insert(key, piece),
        }
    }
}

/// Follows one run as long as the window looks at it, also when it begins to work only later.
async fn follow(app: App, run: RunId, pieces: mpsc::Sender<Piece>) {
    let mut news = app.changed().ok();
    loop {
        let watch = app.engine_of_live(run).and_then(|engine| {
            let head = app.store().ok()?.run(run).ok()?.head_seq;
            engine.watch(run, head + 1).ok()
        });
        if let Some(mut watch) = watch {
            while let Some(event) = watch.next().await {
                let RunEvent::Text {
                    call,
                    attempt,
                    path,
                    agent,
                    offset,
                    text,
                } = event
                else {
                    continue;
                };
                let piece = Piece {
                    run,
                    call,
                    attempt,
                    path: path.to_string(),
                    agent: agent.to_string(),
                    offset,
                    text: text.to_string(),
                };
                if pieces.send(piece).await.is_err() {
                    return;
                }
            }
        }
        // Not at work here: something must be written before it is.
        match &mut news {
            Some(news) => {
                if news.changed().await.is_err() {
                    return;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            None => return,
        }
    }
}
