//! The handle everybody holds: how a store is opened, how jobs reach the writer and reads reach a connection, and how it
//! is closed. What can be asked of it stands in `api`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;

use bwana_types::time::Clock;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::db;
use crate::error::{Result, StoreError};
use crate::home::{self, HomeWarning, beside};
use crate::lock::OwnerLock;
use crate::migrate;
use crate::readers::{Readers, in_snapshot};
use crate::restore;
use crate::room::{Gate, Shut};
use crate::service::{self, Checker, Health, Message, SharedWriter, Waiter};
use crate::wal::{Barrier, Goal, check_committed};
use crate::writer::{Checkpoint, Job, Progress, Tx, Work, Writer};

/// A check of all pages is due after this long without one.
const CHECK_AFTER_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// The data folder's database. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// `None`: in memory.
    pub(crate) home: Option<PathBuf>,
    pub(crate) clock: Arc<dyn Clock>,
    warnings: Vec<HomeWarning>,
    source: Source,
    owner: Option<Owner>,
}

/// Where reads go.
enum Source {
    Readers(Readers),
    /// The writer's own connection: in memory there is no other, and a simulation wants one thread.
    Writer(SharedWriter),
}

/// What only the process that writes has.
struct Owner {
    writer: SharedWriter,
    progress: Arc<Progress>,
    barrier: Arc<Barrier>,
    health: Arc<Mutex<Health>>,
    service: Option<Service>,
    gate: Gate,
    lock: Mutex<Option<OwnerLock>>,
}

/// Threads; a store without them does everything in the caller's.
struct Service {
    jobs: mpsc::Sender<Message>,
    /// Jobs handed over and not begun: whoever comes now must not overtake them.
    queued: Arc<AtomicUsize>,
    waiters: mpsc::UnboundedSender<Waiter>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    barrier: Option<JoinHandle<()>>,
    checkpointer: Option<JoinHandle<()>>,
    checker: Option<Checker>,
}

impl Store {
    /// Opens the database of `home` for reading and writing, making both if they are missing. One store at a time may,
    /// over all processes.
    ///
    /// # Errors
    /// [`StoreError::InUse`] with the process that has it; `Unwritable`, `Newer`, `Damaged`, `Full`.
    pub fn open_owner(home: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open(home, clock, true)
    }

    /// Like [`open_owner`](Self::open_owner), but without a thread: an append is done when its future is first polled, in
    /// the caller's thread. For simulations, where everything must happen in one order.
    ///
    /// # Errors
    /// Those of [`open_owner`](Self::open_owner).
    pub fn open_inline(home: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open(home, clock, false)
    }

    /// A database in memory, without threads: gone with the last clone.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn open_memory(clock: Arc<dyn Clock>) -> Result<Self> {
        let writer = Writer::new(db::open_memory(clock.now())?, None, None)?;
        let progress = writer.progress();
        let writer = Arc::new(Mutex::new(Some(writer)));
        Ok(Self {
            inner: Arc::new(Inner {
                home: None,
                clock,
                warnings: Vec::new(),
                source: Source::Writer(Arc::clone(&writer)),
                owner: Some(Owner {
                    writer,
                    barrier: Arc::new(Barrier::memory(Arc::clone(&progress))),
                    progress,
                    health: Arc::new(Mutex::new(Health::NotDue)),
                    service: None,
                    gate: Gate::default(),
                    lock: Mutex::new(None),
                }),
            }),
        })
    }

    /// Opens the database of `home` for reading only: beside an owner or without one, also after an owner that was
    /// killed. Takes no lock and starts nothing.
    ///
    /// # Errors
    /// [`StoreError::NoDatabase`] if nothing was ever stored; `Newer`, `Older`, `Damaged`.
    pub fn open_reader(home: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let readers = open_readers(home)?;
        Ok(Self {
            inner: Arc::new(Inner {
                home: Some(home.to_owned()),
                clock,
                warnings: home::warnings(home),
                source: Source::Readers(readers),
                owner: None,
            }),
        })
    }

    fn open(home: &Path, clock: Arc<dyn Clock>, threads: bool) -> Result<Self> {
        home::make(home)?;
        let lock = OwnerLock::take(home)?;
        restore::finish(home)?;
        home::fill(home)?;
        let path = home::database(home);
        let connection = db::open_owned(home, clock.now())?;
        let check_due = check_due(&connection, clock.now().0)?;
        // Makes the log exist, so that it can be synced. A cut that loses this commit loses everything after it too.
        db::set_fact(&connection, CLEAN, "0")?;
        let (ask, asked) = service::checkpoint_channel();
        let writer = Writer::new(connection, Some(home.to_owned()), threads.then_some(ask))?;
        let progress = writer.progress();
        let writer = Arc::new(Mutex::new(Some(writer)));
        let barrier = Barrier::disk(
            beside(&path, "-wal"),
            Arc::clone(&writer),
            Arc::clone(&progress),
        );
        let owner = Owner {
            writer: Arc::clone(&writer),
            progress,
            barrier: Arc::new(barrier),
            health: Arc::new(Mutex::new(Health::NotDue)),
            service: None,
            gate: Gate::default(),
            lock: Mutex::new(Some(lock)),
        };
        let mut inner = Inner {
            home: Some(home.to_owned()),
            warnings: home::warnings(home),
            source: if threads {
                Source::Readers(Readers::new(path.clone()))
            } else {
                Source::Writer(writer)
            },
            clock,
            owner: Some(owner),
        };
        if threads {
            inner.start(&path, asked, check_due)?;
        }
        for warning in &inner.warnings {
            tracing::warn!("{warning}");
        }
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// What is doubtful about where the data lies: a synchronised folder, a network file system.
    pub fn warnings(&self) -> &[HomeWarning] {
        &self.inner.warnings
    }

    /// The data folder; `None` in memory.
    pub fn home(&self) -> Option<&Path> {
        self.inner.home.as_deref()
    }

    /// Whether this store may write.
    pub fn is_owner(&self) -> bool {
        self.inner.owner.is_some()
    }

    /// What the check in the background has found, if one was due.
    pub fn health(&self) -> Health {
        match &self.inner.owner {
            Some(owner) => owner
                .health
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            None => Health::NotDue,
        }
    }

    /// Changes with every commit of this store; what changed says `changes_since`.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`]: a reader sees no commits, it must ask.
    pub fn watch(&self) -> Result<watch::Receiver<u64>> {
        Ok(self.inner.owner()?.progress.news.subscribe())
    }

    /// The last position of the journal that is known to be on disk.
    pub fn durable_pos(&self) -> i64 {
        self.inner
            .owner
            .as_ref()
            .map_or(0, |owner| owner.barrier.durable_pos())
    }

    /// Waits until everything up to `pos` (of [`crate::Appended`]) is on disk. One sync answers all who wait.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`] if the disk does not take it: then nothing may be believed any more.
    pub async fn barrier(&self, pos: i64) -> Result<()> {
        let owner = self.inner.owner()?;
        check_committed(pos, &owner.progress)?;
        owner.wait_durable(Goal::Pos(pos)).await
    }

    /// Waits until everything committed so far is on disk, also what has no position in the journal.
    ///
    /// # Errors
    /// Those of [`barrier`](Self::barrier).
    pub async fn sync(&self) -> Result<()> {
        let owner = self.inner.owner()?;
        let commits = owner.progress.commits.load(Ordering::Acquire);
        owner.wait_durable(Goal::Commits(commits)).await
    }

    /// From now on nothing is written; reading goes on.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] if this store never writes.
    pub fn shut(&self, why: Shut) -> Result<()> {
        self.inner.owner()?.gate.shut(why);
        Ok(())
    }

    /// There is room again: what [`Shut::Full`] shut is open.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] if this store never writes.
    pub fn open_again(&self) -> Result<()> {
        self.inner.owner()?.gate.open();
        Ok(())
    }

    /// Whether something may be written now.
    ///
    /// # Errors
    /// Why not.
    pub fn check_open(&self) -> Result<()> {
        self.inner.owner()?.gate.check()
    }

    /// Changes whenever a write found no room on the disk.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] if this store never writes.
    pub fn watch_full(&self) -> Result<watch::Receiver<u64>> {
        Ok(self.inner.owner()?.progress.full.subscribe())
    }

    /// Finishes what is queued, moves the log into the database and gives the folder free. Every clone is closed.
    ///
    /// # Errors
    /// If the last writes fail; the folder is free all the same.
    pub async fn close(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        if inner
            .owner
            .as_ref()
            .is_none_or(|owner| owner.service.is_none())
        {
            return inner.shut(true);
        }
        // Joining threads and the last sync would hold up the caller's runtime.
        self.aside(move || inner.shut(true)).await
    }

    /// Does something long in a thread of its own; in the caller's if this store has no threads.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self
            .inner
            .owner
            .as_ref()
            .is_some_and(|owner| owner.service.is_none())
        {
            return work();
        }
        let (done, outcome) = oneshot::channel();
        let thread = service::spawn("bwana-aside", move || {
            let _ = done.send(work());
        })?;
        let outcome = outcome.await.map_err(|_| StoreError::Closed)?;
        let _ = thread.join();
        outcome
    }

    /// Does `work` in a transaction of the writer and answers when it is committed.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let owner = self.inner.owner()?;
        owner.gate.check()?;
        let (job, answer) = Job::new(work);
        if let Some(job) = owner.do_here(job)? {
            owner.queue(job).await?;
        }
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Reads in one consistent state.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        match &self.inner.source {
            Source::Readers(readers) => readers.read(read),
            Source::Writer(writer) => {
                let writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                in_snapshot(
                    writer.as_ref().ok_or(StoreError::Closed)?.connection(),
                    read,
                )
            }
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("home", &self.inner.home)
            .field("owner", &self.is_owner())
            .finish_non_exhaustive()
    }
}

/// '1' while the file is closed properly.
pub(crate) const CLEAN: &str = "clean";
/// When all pages were last found in order.
pub(crate) const CHECKED_AT: &str = "checked_at";

fn check_due(connection: &Connection, now: i64) -> Result<bool> {
    let clean = db::fact(connection, CLEAN)?.is_some_and(|clean| clean == "1");
    let checked_at: i64 = db::fact(connection, CHECKED_AT)?
        .and_then(|at| at.parse().ok())
        .unwrap_or(0);
    Ok(!clean || now.saturating_sub(checked_at) > CHECK_AFTER_MS)
}

/// How often a reader tries again when an owner swaps the file under it.
const SWAP_TRIES: usize = 5;

fn open_readers(home: &Path) -> Result<Readers> {
    let path = home::database(home);
    for _ in 0..SWAP_TRIES {
        let before = identity(home, &path)?;
        let connection = db::open_reader(&path)?;
        let found = in_snapshot(&connection, |db| db::format(db, migrate::FORMAT))?;
        // A migration or a restore may have put another file here between the database and its log.
        if identity(home, &path)? != before {
            continue;
        }
        if found < migrate::FORMAT {
            return Err(StoreError::Older {
                found,
                known: migrate::FORMAT,
            });
        }
        let readers = Readers::new(path);
        readers.give_back(connection);
        return Ok(readers);
    }
    Err(StoreError::Failed {
        what: "opening the database for reading",
        why: String::from("another program replaces it again and again"),
    })
}

/// Which file stands at `path`, without opening it.
fn identity(home: &Path, path: &Path) -> Result<(u64, u64)> {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if restore::is_pending(home) {
                return Err(StoreError::Failed {
                    what: "opening the database for reading",
                    why: String::from(
                        "a restore was interrupted; the next program that writes finishes it",
                    ),
                });
            }
            return Err(StoreError::NoDatabase {
                home: home.to_owned(),
            });
        }
        Err(error) => return Err(StoreError::io("opening the database", path, &error)),
    };
    if meta.len() == 0 {
        return Err(StoreError::damaged(format!("{} is empty", path.display())));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Ok((meta.dev(), meta.ino()))
    }
    #[cfg(not(unix))]
    {
        Ok((0, 0))
    }
}

impl Inner {
    fn owner(&self) -> Result<&Owner> {
        self.owner.as_ref().ok_or(StoreError::ReadOnly)
    }

    fn start(
        &mut self,
        path: &Path,
        asked: std::sync::mpsc::Receiver<Checkpoint>,
        check_due: bool,
    ) -> Result<()> {
        let Some(owner) = &mut self.owner else {
            return Ok(());
        };
        let queued = Arc::new(AtomicUsize::new(0));
        let (jobs, writer) = service::spawn_writer(Arc::clone(&owner.writer), Arc::clone(&queued))?;
        let checkpointer = service::spawn_checkpointer(
            path,
            asked,
            Arc::clone(&owner.writer),
            Arc::clone(&owner.progress),
        )?;
        let (waiters, barrier) = service::spawn_barrier(Arc::clone(&owner.barrier))?;
        let checker = if check_due {
            let (jobs, queued) = (jobs.clone(), Arc::clone(&queued));
            let now = self.clock.now().0.to_string();
            Some(service::spawn_check(
                path.to_owned(),
                Arc::clone(&owner.health),
                move || {
                    let (job, _) =
                        Job::new(move |tx: &mut Tx<'_>| db::set_fact(tx.db, CHECKED_AT, &now));
                    // A store that is closing does not need to know.
                    queued.fetch_add(1, Ordering::AcqRel);
                    if jobs.try_send(Message::Work(job)).is_err() {
                        queued.fetch_sub(1, Ordering::AcqRel);
                    }
                },
            )?)
        } else {
            None
        };
        owner.service = Some(Service {
            jobs,
            queued,
            waiters,
            threads: Mutex::new(Threads {
                writer: Some(writer),
                barrier: Some(barrier),
                checkpointer: Some(checkpointer),
                checker,
            }),
        });
        Ok(())
    }

    /// Ends everything, in the order that lets each part finish. `clean`: write down that nothing was cut off.
    fn shut(&self, clean: bool) -> Result<()> {
        if let Source::Readers(readers) = &self.source {
            readers.close();
        }
        let Some(owner) = &self.owner else {
            return Ok(());
        };
        let mut threads = match &owner.service {
            Some(service) => std::mem::take(
                &mut *service
                    .threads
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            ),
            None => Threads::default(),
        };
        if let Some(checker) = threads.checker.take() {
            checker.interrupt.interrupt();
            let _ = checker.thread.join();
        }
        if let Some(service) = &owner.service {
            service.stop(&mut threads);
        }
        let writer = owner
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let outcome = match writer {
            Some(writer) => {
                let connection = writer.into_connection();
                // Its sender went with the writer.
                if let Some(thread) = threads.checkpointer.take() {
                    let _ = thread.join();
                }
                finish(connection, clean && owner.progress.check().is_ok())
            }
            None => Ok(()),
        };
        owner
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        outcome
    }
}

fn finish(connection: Connection, clean: bool) -> Result<()> {
    if clean {
        db::set_fact(&connection, CLEAN, "1")?;
        if !db::checkpoint_whole(&connection)? {
            tracing::info!("another program reads an older state, so the log stays for now");
        }
    }
    connection
        .close()
        .map_err(|(_, error)| StoreError::from(error))
}

impl Service {
    fn stop(&self, threads: &mut Threads) {
        if let Some(thread) = threads.writer.take() {
            // The queue may be full. A store may be dropped on a runtime's thread, which must not wait there itself.
            std::thread::scope(|scope| {
                scope.spawn(|| self.jobs.blocking_send(Message::Stop));
            });
            let _ = thread.join();
        }
        if let Some(thread) = threads.barrier.take() {
            let _ = self.waiters.send(Waiter::Stop);
            let _ = thread.join();
        }
    }
}

impl Owner {
    /// Does the job in the caller's thread if nobody else is writing; otherwise gives it back.
    fn do_here(&self, job: Box<dyn Work>) -> Result<Option<Box<dyn Work>>> {
        let Some(service) = &self.service else {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer
                .as_mut()
                .ok_or(StoreError::Closed)?
                .group(job, || None);
            return Ok(None);
        };
        if service.queued.load(Ordering::Acquire) > 0 {
            return Ok(Some(job));
        }
        match self.writer.try_lock() {
            Ok(mut writer) => {
                writer
                    .as_mut()
                    .ok_or(StoreError::Closed)?
                    .group(job, || None);
                Ok(None)
            }
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => Ok(Some(job)),
        }
    }

    async fn queue(&self, job: Box<dyn Work>) -> Result<()> {
        let Some(service) = &self.service else {
            return Err(StoreError::Closed);
        };
        let place = service
            .jobs
            .reserve()
            .await
            .map_err(|_| StoreError::Closed)?;
        service.queued.fetch_add(1, Ordering::AcqRel);
        place.send(Message::Work(job));
        Ok(())
    }

    async fn wait_durable(&self, goal: Goal) -> Result<()> {
        self.progress.check()?;
        if self.barrier.is_durable(goal) {
            return Ok(());
        }
        let Some(service) = &self.service else {
            return self.barrier.sync();
        };
        let (waiter, answer) = oneshot::channel();
        service
            .waiters
            .send(Waiter::Wait(waiter))
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.shut(false) {
            tracing::error!(%error, "the store did not close well");
        }
    }
}
