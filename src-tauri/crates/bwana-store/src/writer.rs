//! The one place that changes tables: jobs run one after another, many in one transaction, each undone alone if it
//! fails. What a job does belongs to the modules of the tables; who calls this, a thread or the caller, to `store`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bwana_types::fault::fault_point;
use bwana_types::id::RunId;
use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;
use tokio::sync::{oneshot, watch};

use crate::append::Head;
use crate::db;
use crate::error::{Result, StoreError};
use crate::files;
use crate::room;

/// Jobs in one transaction.
const GROUP_JOBS_MAX: usize = 256;
/// Work in one transaction; then it is committed although more is waiting, so that nobody waits long for an answer.
const GROUP_WORK_MAX: Duration = Duration::from_millis(1);
/// Pages of the write-ahead log after which a checkpoint is asked for, and again after as many more.
const CHECKPOINT_PAGES: i64 = 1_000;
/// Pages after which nothing is written meanwhile: beside a busy writer a checkpoint may never catch up.
const CHECKPOINT_PAGES_MAX: i64 = 4_000;
/// Runs whose head is remembered; then all are forgotten and read again when needed.
const HEADS_MAX: usize = 4_096;

/// What is committed, for everybody who asks without a query.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The last `journal.pos` of a committed transaction.
    pub(crate) pos: AtomicI64,
    /// Transactions committed since the store was opened.
    pub(crate) commits: AtomicU64,
    /// Why nothing may be written any more: a sync failed.
    poisoned: OnceLock<String>,
    /// `commits` for those who wait for news.
    pub(crate) news: watch::Sender<u64>,
    /// How often the disk had no room.
    pub(crate) full: watch::Sender<u64>,
}

impl Progress {
    pub(crate) fn new(pos: i64) -> Self {
        Self {
            pos: AtomicI64::new(pos),
            commits: AtomicU64::new(0),
            poisoned: OnceLock::new(),
            news: watch::Sender::new(0),
            full: watch::Sender::new(0),
        }
    }

    fn committed(&self, pos: Option<i64>) {
        if let Some(pos) = pos {
            self.pos.store(pos, Ordering::Release);
        }
        let commits = self.commits.fetch_add(1, Ordering::AcqRel) + 1;
        self.news.send_replace(commits);
    }

    /// The first reason stays.
    pub(crate) fn poison(&self, why: impl Into<String>) -> StoreError {
        StoreError::Poisoned {
            why: self.poisoned.get_or_init(|| why.into()).clone(),
        }
    }

    /// # Errors
    /// [`StoreError::Poisoned`] after a failed sync.
    pub(crate) fn check(&self) -> Result<()> {
        match self.poisoned.get() {
            Some(why) => Err(StoreError::Poisoned { why: why.clone() }),
            None => Ok(()),
        }
    }
}

/// What a job sees: the connection inside its transaction and what the writer remembers.
pub(crate) struct Tx<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) memory: &'a mut Memory,
}

/// What the writer knows without reading it again. Forgotten whenever a job or a transaction is undone.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    heads: HashMap<RunId, Head>,
    /// Settled and reserved micro-USD by day, like 20261125.
    pub(crate) days: HashMap<i64, i64>,
    /// The last position given out; `None`: not read yet.
    last_pos: Option<i64>,
}

impl Memory {
    /// Nothing is remembered any more: the tables were changed in another way than by an append.
    pub(crate) fn forget(&mut self) {
        let last_pos = self.last_pos;
        *self = Self::default();
        self.last_pos = last_pos;
    }

    pub(crate) fn take_head(&mut self, run: RunId) -> Option<Head> {
        self.heads.remove(&run)
    }

    pub(crate) fn keep_head(&mut self, run: RunId, head: Head) {
        if self.heads.len() >= HEADS_MAX {
            self.heads.clear();
        }
        self.heads.insert(run, head);
    }
}

impl Tx<'_> {
    /// The next position of the journal: above every one that was ever used, also by runs that were deleted.
    pub(crate) fn next_pos(&mut self) -> Result<i64> {
        let last = self.last_pos()?;
        self.memory.last_pos = Some(last + 1);
        Ok(last + 1)
    }

    /// The last position given out.
    pub(crate) fn last_pos(&self) -> Result<i64> {
        match self.memory.last_pos {
            Some(last) => Ok(last),
            None => last_pos(self.db),
        }
    }
}

/// The fact that holds the highest position of deleted entries.
pub(crate) const POS_FLOOR: &str = "pos_floor";

pub(crate) fn last_pos(db: &Connection) -> Result<i64> {
    let last: i64 = db
        .prepare_cached("SELECT coalesce(max(pos), 0) FROM journal")?
        .query_row([], |row| row.get(0))?;
    let floor = db::fact(db, POS_FLOOR)?
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    Ok(last.max(floor))
}

/// A job of any kind: runs inside a transaction, and is answered when that is committed.
pub(crate) trait Work: Send {
    /// `false`: it failed and must be undone.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Why it failed.
    fn error(&self) -> Option<StoreError>;
    /// `commit` is how the transaction ended; a job that failed by itself answers with its own error.
    fn answer(self: Box<Self>, commit: Result<()>);
}

/// One closure, one answer.
pub(crate) struct Job<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
{
    #[expect(
        clippy::new_ret_no_self,
        reason = "a job is only ever seen boxed, beside its answer"
    )]
    pub(crate) fn new(work: F) -> (Box<dyn Work>, oneshot::Receiver<Result<T>>) {
        let (reply, answer) = oneshot::channel();
        let job = Self {
            work: Some(work),
            result: None,
            reply,
        };
        (Box::new(job), answer)
    }
}

impl<T, F> Work for Job<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.result = self.work.take().map(|work| work(tx));
        matches!(self.result, Some(Ok(_)))
    }

    fn error(&self) -> Option<StoreError> {
        match &self.result {
            Some(Err(error)) => Some(error.clone()),
            _ => None,
        }
    }

    fn answer(self: Box<Self>, commit: Result<()>) {
        let result = match (self.result, commit) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            // Only a writer that died between taking the job and running it.
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // Whoever gave up waiting is not interested any more; the work is done all the same.
        let _ = self.reply.send(result);
    }
}

/// How a checkpoint is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    /// While the writer goes on.
    Beside,
    /// While nothing is written, so that it catches up and the next commit starts the log anew.
    Alone,
}

pub(crate) type AskCheckpoint = std::sync::mpsc::SyncSender<Checkpoint>;

/// The writing connection and what belongs to it.
pub(crate) struct Writer {
    db: Connection,
    memory: Memory,
    progress: Arc<Progress>,
    /// Pages in the write-ahead log after the last commit.
    wal_pages: Arc<AtomicI64>,
    /// Asks somebody else for a checkpoint; `None`: there is nobody, the writer does it.
    ask_checkpoint: Option<AskCheckpoint>,
    checkpoint_at_pages: i64,
    /// Where the files are, to ask about room when a write fails.
    home: Option<PathBuf>,
}

impl Writer {
    pub(crate) fn new(
        mut db: Connection,
        home: Option<PathBuf>,
        ask_checkpoint: Option<AskCheckpoint>,
    ) -> Result<Self> {
        let wal_pages = Arc::new(AtomicI64::new(0));
        let pages = Arc::clone(&wal_pages);
        // Takes the place of SQLite's own checkpoint, which would sync the disk within a commit.
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, in_log: i32| {
            pages.store(i64::from(in_log), Ordering::Relaxed);
            Ok(())
        }))?;
        let progress = Arc::new(Progress::new(last_pos(&db)?));
        Ok(Self {
            db,
            memory: Memory::default(),
            progress,
            wal_pages,
            ask_checkpoint,
            checkpoint_at_pages: CHECKPOINT_PAGES,
            home,
        })
    }

    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// The connection outside of any transaction.
    pub(crate) fn connection(&self) -> &Connection {
        &self.db
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.db
    }

    /// Runs `first` and whatever `next` gives within the limits of a group in one transaction, then answers all.
    pub(crate) fn group(
        &mut self,
        first: Box<dyn Work>,
        next: impl FnMut() -> Option<Box<dyn Work>>,
    ) {
        let mut done = Vec::with_capacity(1);
        let outcome = self.transaction(first, next, &mut done);
        if outcome.is_err() {
            self.undo();
        }
        let is_full = outcome == Err(StoreError::Full)
            || done
                .iter()
                .any(|work| work.error() == Some(StoreError::Full));
        if is_full {
            self.make_room();
        }
        for work in done {
            work.answer(outcome.clone());
        }
        self.checkpoint_if_due();
    }

    fn transaction(
        &mut self,
        first: Box<dyn Work>,
        mut next: impl FnMut() -> Option<Box<dyn Work>>,
        done: &mut Vec<Box<dyn Work>>,
    ) -> Result<()> {
        if let Err(poisoned) = self.progress.check() {
            done.push(first);
            return Err(poisoned);
        }
        let started = Instant::now();
        let mut work = Some(first);
        let mut begun = false;
        while let Some(mut job) = work.take() {
            let outcome = if begun {
                self.in_savepoint(job.as_mut())
            } else {
                // Alone in the transaction, so undoing the job is undoing the transaction.
                self.alone(job.as_mut()).map(|kept| begun = kept)
            };
            done.push(job);
            outcome?;
            if done.len() < GROUP_JOBS_MAX && started.elapsed() < GROUP_WORK_MAX {
                work = next();
            }
        }
        if begun {
            fault_point("before_commit");
            self.statement("COMMIT")?;
            fault_point("after_commit");
            self.progress.committed(self.memory.last_pos);
        }
        Ok(())
    }

    /// A commit that SQLite itself syncs, with everything before it.
    pub(crate) fn full_commit(&mut self) -> Result<()> {
        self.statement("PRAGMA synchronous = FULL")?;
        let outcome = self
            .statement("BEGIN IMMEDIATE")
            .and_then(|()| {
                let commits = self.progress.commits.load(Ordering::Acquire);
                db::set_fact(&self.db, "barrier", &commits.to_string())
            })
            .and_then(|()| self.statement("COMMIT"));
        if outcome.is_err() {
            self.undo();
        }
        self.statement("PRAGMA synchronous = NORMAL")?;
        outcome
    }

    /// The first job of a transaction. `false`: it failed and there is no transaction any more.
    fn alone(&mut self, job: &mut dyn Work) -> Result<bool> {
        self.statement("BEGIN IMMEDIATE")?;
        let kept = self.run(job);
        if !kept {
            self.memory = Memory::default();
            if !self.db.is_autocommit() {
                self.statement("ROLLBACK")?;
            }
        }
        Ok(kept)
    }

    fn in_savepoint(&mut self, job: &mut dyn Work) -> Result<()> {
        self.statement("SAVEPOINT job")?;
        if !self.run(job) {
            self.memory = Memory::default();
            // Some failures, like a full disk, make SQLite undo the whole transaction; then it failed for all.
            if self.db.is_autocommit() {
                return Err(job.error().unwrap_or(StoreError::Closed));
            }
            self.statement("ROLLBACK TO job")?;
        }
        self.statement("RELEASE job")
    }

    fn run(&mut self, job: &mut dyn Work) -> bool {
        job.run(&mut Tx {
            db: &self.db,
            memory: &mut self.memory,
        })
    }

    fn statement(&self, sql: &'static str) -> Result<()> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(drop)
            .map_err(|error| self.explain(&error))
    }

    /// SQLite knows one way for a disk to be full; a spent quota is only a failed write to it.
    fn explain(&self, error: &rusqlite::Error) -> StoreError {
        if is_failed_sync(error) {
            return self.progress.poison(format!("in a commit: {error}"));
        }
        let failed_io = error.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure);
        match &self.home {
            Some(home) if failed_io && files::has_no_room(home) => StoreError::Full,
            _ => StoreError::sqlite("storing", error),
        }
    }

    /// After a transaction that could not be committed: nothing of it stays, on disk or in memory.
    fn undo(&mut self) {
        self.memory = Memory::default();
        // A full disk has already made SQLite roll back; then this one is refused and harmless.
        if !self.db.is_autocommit()
            && let Err(error) = self.statement("ROLLBACK")
        {
            tracing::error!(%error, "rolling back failed");
        }
    }

    /// The reserve is given back before anybody is told, so that whoever tries once more finds room.
    fn make_room(&self) {
        if let Some(home) = &self.home
            && let Err(error) = room::release(home)
        {
            tracing::warn!(%error, "the reserve cannot be given back");
        }
        self.progress.full.send_modify(|times| *times += 1);
    }

    fn checkpoint_if_due(&mut self) {
        let pages = self.wal_pages.load(Ordering::Relaxed);
        if pages < CHECKPOINT_PAGES {
            // The log was started anew.
            self.checkpoint_at_pages = CHECKPOINT_PAGES;
            return;
        }
        if pages < self.checkpoint_at_pages {
            return;
        }
        self.checkpoint_at_pages = pages + CHECKPOINT_PAGES;
        let how = if pages < CHECKPOINT_PAGES_MAX {
            Checkpoint::Beside
        } else {
            Checkpoint::Alone
        };
        match &self.ask_checkpoint {
            // One that waits already will do.
            Some(ask) => drop(ask.try_send(how)),
            None => checkpoint(&self.db, &self.progress),
        }
    }
}

/// Moves what nobody needs in the log any more into the database, without waiting for anybody. A failure is harmless:
/// the log keeps everything, and the next one tries again. Only a failed sync is not: see `wal`.
pub(crate) fn checkpoint(db: &Connection, progress: &Progress) {
    if progress.check().is_err() {
        return;
    }
    if let Err(error) = db.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
        if is_failed_sync(&error) {
            progress.poison(format!("in a checkpoint: {error}"));
        }
        tracing::warn!(%error, "a checkpoint failed; the log grows until one succeeds");
    }
}

/// Whether SQLite was told that data did not reach the disk.
fn is_failed_sync(error: &rusqlite::Error) -> bool {
    const SYNCS: [i32; 2] = [
        rusqlite::ffi::SQLITE_IOERR_FSYNC,
        rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC,
    ];
    error
        .sqlite_error()
        .is_some_and(|error| SYNCS.contains(&error.extended_code))
}

#[cfg(test)]
mod tests {
    use bwana_types::time::Timestamp;

    use super::*;

    fn writer() -> Writer {
        Writer::new(db::open_memory(Timestamp(0)).unwrap(), None, None).unwrap()
    }

    type Answer = oneshot::Receiver<Result<()>>;

    fn put(key: &'static str) -> (Box<dyn Work>, Answer) {
        Job::new(move |tx| db::set_fact(tx.db, key, "1"))
    }

    fn put_and_fail(key: &'static str) -> (Box<dyn Work>, Answer) {
        Job::new(move |tx| {
            db::set_fact(tx.db, key, "1")?;
            tx.memory.days.insert(1, 1);
            Err(StoreError::invalid("on purpose"))
        })
    }

    /// Runs the jobs as one group and gives back which of them left something and which were answered with success.
    fn check(jobs: Vec<(Box<dyn Work>, Answer)>, stored: &[&str], answered: &[bool]) {
        let mut writer = writer();
        let (mut work, mut answers) = (Vec::new(), Vec::new());
        for (job, answer) in jobs {
            work.push(job);
            answers.push(answer);
        }
        let mut work = work.into_iter();
        writer.group(work.next().unwrap(), || work.next());
        assert!(work.next().is_none(), "all in one group");
        let found: Vec<&str> = ["a", "b", "c"]
            .into_iter()
            .filter(|key| db::fact(writer.connection(), key).unwrap().is_some())
            .collect();
        assert_eq!(found, stored);
        let success: Vec<bool> = answers
            .iter_mut()
            .map(|answer| answer.try_recv().unwrap().is_ok())
            .collect();
        assert_eq!(success, answered);
        assert!(
            writer.memory.days.is_empty(),
            "an undone job leaves no memory"
        );
        assert!(writer.connection().is_autocommit());
    }

    #[test]
    fn a_failed_job_is_undone_alone() {
        check(
            vec![put("a"), put("b"), put("c")],
            &["a", "b", "c"],
            &[true, true, true],
        );
        check(
            vec![put_and_fail("a"), put("b"), put("c")],
            &["b", "c"],
            &[false, true, true],
        );
        check(
            vec![put("a"), put_and_fail("b"), put("c")],
            &["a", "c"],
            &[true, false, true],
        );
        check(
            vec![put("a"), put("b"), put_and_fail("c")],
            &["a", "b"],
            &[true, true, false],
        );
        check(
            vec![put_and_fail("a"), put_and_fail("b")],
            &[],
            &[false, false],
        );
    }

    #[test]
    fn a_group_ends_after_its_most_jobs() {
        let mut writer = writer();
        let mut made = 0;
        writer.group(put("a").0, || {
            made += 1;
            Some(put("b").0)
        });
        assert!(made < GROUP_JOBS_MAX, "{made}");
        assert_eq!(writer.progress.commits.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_does_not_fit_is_undone_for_all_and_fits_later() {
        let mut writer = writer();
        let pages: i64 = writer
            .connection()
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        let limit = |writer: &Writer, pages: i64| {
            let _: i64 = writer
                .connection()
                .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| {
                    row.get(0)
                })
                .unwrap();
        };
        limit(&writer, pages + 4);
        let large = || Job::new(|tx| db::set_fact(tx.db, "large", &"x".repeat(1 << 20)));
        let ((first, mut first_answer), (second, mut second_answer)) = (put("a"), large());
        let mut second = Some(second);
        writer.group(first, || second.take());
        assert_eq!(first_answer.try_recv().unwrap(), Err(StoreError::Full));
        assert_eq!(second_answer.try_recv().unwrap(), Err(StoreError::Full));
        assert_eq!(db::fact(writer.connection(), "a").unwrap(), None);
        limit(&writer, pages + 10_000);
        let (job, mut answer) = large();
        writer.group(job, || None);
        assert_eq!(answer.try_recv().unwrap(), Ok(()));
    }
}
