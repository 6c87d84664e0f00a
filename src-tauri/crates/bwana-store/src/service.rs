//! The threads of an owner and how they end: one writes, one syncs, one checkpoints, and now and then one checks. They
//! know nothing of what is stored.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, InterruptHandle};
use tokio::sync::{mpsc, oneshot};

use crate::db;
use crate::error::{Result, StoreError};
use crate::wal::Barrier;
use crate::writer::{AskCheckpoint, Checkpoint, Progress, Work, Writer, checkpoint};

/// Jobs that wait for the writer; whoever comes then waits to hand its job over.
const JOBS_QUEUED_MAX: usize = 1_024;
/// Our threads call SQLite and little else.
const STACK_BYTES: usize = 512 * 1024;

/// The writer, shared by its thread and by callers that find it idle. `None`: closed.
pub(crate) type SharedWriter = Arc<Mutex<Option<Writer>>>;

pub(crate) enum Message {
    Work(Box<dyn Work>),
    Stop,
}

pub(crate) enum Waiter {
    Wait(oneshot::Sender<Result<()>>),
    Stop,
}

/// Starts a thread of ours.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(body)
        .map_err(|error| StoreError::Failed {
            what: "starting a thread of the store",
            why: error.to_string(),
        })
}

/// The thread that does what callers queue. `queued` counts what is handed over and not taken yet.
pub(crate) fn spawn_writer(
    writer: SharedWriter,
    queued: Arc<AtomicUsize>,
) -> Result<(mpsc::Sender<Message>, JoinHandle<()>)> {
    let (jobs, mut queue) = mpsc::channel(JOBS_QUEUED_MAX);
    let thread = spawn("bwana-writer", move || {
        let mut stop = false;
        while !stop && let Some(Message::Work(first)) = queue.blocking_recv() {
            queued.fetch_sub(1, Ordering::AcqRel);
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(writer) = writer.as_mut() else { break };
            writer.group(first, || match queue.try_recv() {
                Ok(Message::Work(next)) => {
                    queued.fetch_sub(1, Ordering::AcqRel);
                    Some(next)
                }
                Ok(Message::Stop) => {
                    stop = true;
                    None
                }
                Err(_) => None,
            });
        }
    })?;
    Ok((jobs, thread))
}

/// The thread that makes barriers: all that wait when it begins are answered by one sync.
pub(crate) fn spawn_barrier(
    barrier: Arc<Barrier>,
) -> Result<(mpsc::UnboundedSender<Waiter>, JoinHandle<()>)> {
    let (waiters, mut queue) = mpsc::unbounded_channel();
    let thread = spawn("bwana-sync", move || {
        let mut stop = false;
        while !stop && let Some(Waiter::Wait(first)) = queue.blocking_recv() {
            let mut waiting = vec![first];
            while let Ok(next) = queue.try_recv() {
                match next {
                    Waiter::Wait(waiter) => waiting.push(waiter),
                    Waiter::Stop => stop = true,
                }
            }
            let outcome = barrier.sync();
            for waiter in waiting {
                // Whoever gave up waiting is not interested any more.
                let _ = waiter.send(outcome.clone());
            }
        }
    })?;
    Ok((waiters, thread))
}

/// A place to ask for checkpoints, and where they are taken from there.
pub(crate) fn checkpoint_channel() -> (AskCheckpoint, std_mpsc::Receiver<Checkpoint>) {
    // One request waits while one is done; more would ask for the same.
    std_mpsc::sync_channel(1)
}

/// The thread that moves the log into the database, so that no commit waits for the disk. Ends when the writer is gone.
pub(crate) fn spawn_checkpointer(
    path: &Path,
    asked: std_mpsc::Receiver<Checkpoint>,
    writer: SharedWriter,
    progress: Arc<Progress>,
) -> Result<JoinHandle<()>> {
    let connection = db::open_writer(path)?;
    spawn("bwana-checkpoint", move || {
        while let Ok(how) = asked.recv() {
            // Whoever appends meanwhile is queued.
            let _nobody_writes = (how == Checkpoint::Alone)
                .then(|| writer.lock().unwrap_or_else(PoisonError::into_inner));
            checkpoint(&connection, &progress);
        }
    })
}

/// What the store knows of the soundness of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It was closed properly and checked lately.
    NotDue,
    /// A check is under way.
    Checking,
    Sound,
    /// What the check found. Everything still works as far as it can; the person should restore a backup.
    Damaged(String),
}

/// A check in the background.
pub(crate) struct Checker {
    pub(crate) thread: JoinHandle<()>,
    pub(crate) interrupt: InterruptHandle,
}

/// Reads every page once beside everything else. `sound` is called when nothing was found.
pub(crate) fn spawn_check(
    path: PathBuf,
    health: Arc<Mutex<Health>>,
    sound: impl FnOnce() + Send + 'static,
) -> Result<Checker> {
    let connection: Connection = db::open_reader(&path)?;
    let interrupt = connection.get_interrupt_handle();
    let set = move |state: Health| *health.lock().unwrap_or_else(PoisonError::into_inner) = state;
    set(Health::Checking);
    let thread = spawn("bwana-check", move || match db::quick_check(&connection) {
        Ok(None) => {
            set(Health::Sound);
            sound();
        }
        Ok(Some(found)) => {
            tracing::error!(%found, "the database is damaged");
            set(Health::Damaged(found));
        }
        Err(StoreError::Damaged { what }) => {
            tracing::error!(%what, "the database is damaged");
            set(Health::Damaged(what));
        }
        // Interrupted by closing, or something passing: the next start checks again.
        Err(error) => {
            tracing::info!(%error, "the check of the database did not finish");
            set(Health::NotDue);
        }
    })?;
    Ok(Checker { thread, interrupt })
}
