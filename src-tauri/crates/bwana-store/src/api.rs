//! What can be asked of a store, one method each. Writes are answered when they are committed. Reads block for
//! microseconds, and for milliseconds where whole journals are read: use `spawn_blocking` for those in a busy runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bwana_types::entry::{Entry, Seq};
use bwana_types::hash::Hash;
use bwana_types::id::{GrantId, RunId, TaskId};
use bwana_types::status::RunStatus;
use bwana_types::time::Timestamp;
use bwana_types::traffic::Bytes;

use crate::append::{self, Append, Appended};
use crate::artifacts::{self, ArtifactInfo};
use crate::backup::{self, BackupDone};
use crate::blobs::{self, Blob};
use crate::changes::{self, Changes, Cursor};
use crate::db;
use crate::definitions::{
    self, DefinitionInfo, DefinitionKind, DefinitionVersion, Imported, NewDefinition, VERSIONS_KEPT,
};
use crate::entries::{self, Spoken};
use crate::error::{Result, StoreError};
use crate::grants::{self, GrantInfo};
use crate::ledger::{self, CallSpent, DaySpent};
use crate::migrate::copy_database;
use crate::restore;
use crate::rolling::{self, Before, RollingBackup};
use crate::room;
use crate::runs::{self, NewFork, NewRun, NewRunPrepared, RunFilter, RunInfo, RunRow};
use crate::store::Store;
use crate::tasks::{self, TaskFilter, TaskInfo};
use crate::traffic;
use crate::upkeep;
use crate::verify::{self, Fold, VerifyReport};

/// Writing.
impl Store {
    /// Appends a batch to a run's journal, with everything that follows from it, in one transaction.
    ///
    /// # Errors
    /// `WrongSeq` if the run does not stand where the caller believes; `Forbidden` if the batch breaks a rule of the
    /// journal; `TaskAlreadyDecided` if it decides a task a second time; `DayBudget` if the day's money does not cover
    /// what it holds back. Then nothing of it is stored.
    pub async fn append(&self, append: Append) -> Result<Appended> {
        let prepared = append::prepare(append)?;
        self.write(move |tx| prepared.write(tx)).await
    }

    /// Makes a run with its first entries and its definition.
    ///
    /// # Errors
    /// `Invalid` if there is such a run; those of [`append`](Self::append).
    pub async fn create_run(&self, new: NewRun) -> Result<Appended> {
        let at = new
            .entries
            .first()
            .map_or(self.inner.clock.now(), |entry| entry.at);
        let title = runs::title(&new.entries);
        let prepared = append::prepare(Append {
            run: new.id,
            expected_seq: 0,
            entries: new.entries,
            row: Some(new.row.clone()),
            day: None,
        })?;
        let new = NewRunPrepared {
            id: new.id,
            definition: Blob::new(new.definition)?,
            workflow: new.workflow,
            title,
            at,
            row: new.row,
            prepared,
        };
        self.write(move |tx| runs::create(tx, new)).await
    }

    /// Makes a run that shares the parent's entries up to `fork_seq`.
    ///
    /// # Errors
    /// `NotFound` or `Invalid` if the parent or that entry does not exist; those of [`append`](Self::append).
    pub async fn create_fork(&self, new: NewFork) -> Result<Appended> {
        let at = new
            .entries
            .first()
            .map_or(self.inner.clock.now(), |entry| entry.at);
        let prepared = append::prepare(Append {
            run: new.id,
            expected_seq: new.fork_seq,
            entries: new.entries,
            row: Some(new.row.clone()),
            day: None,
        })?;
        let (id, from, row) = (new.id, (new.parent, new.fork_seq), new.row);
        self.write(move |tx| runs::create_fork(tx, id, from, &row, at, prepared))
            .await
    }

    /// Stores content under its hash, for good.
    ///
    /// # Errors
    /// `Invalid` if it is larger than [`crate::BLOB_MAX_BYTES`].
    pub async fn put_blob(&self, content: Vec<u8>) -> Result<Hash> {
        let blob = Blob::new(content)?;
        let hash = blob.hash();
        self.write(move |tx| blobs::pin(tx.db, &blob)).await?;
        Ok(hash)
    }

    /// Imports an agent or a workflow, in the place of the one with the same slug.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn put_definition(&self, new: NewDefinition) -> Result<Imported> {
        let now = self.inner.clock.now();
        self.write(move |tx| definitions::put(tx.db, &new, now))
            .await
    }

    /// Removes an agent or a workflow; runs keep their own copy. `false`: there was none.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn delete_definition(&self, kind: DefinitionKind, slug: &str) -> Result<bool> {
        let slug = slug.to_owned();
        self.write(move |tx| definitions::delete(tx.db, kind, &slug))
            .await
    }

    /// Tells the change feed that something changed which is not in this store.
    ///
    /// # Errors
    /// `ReadOnly`, or the disk's.
    pub async fn note(&self, topic: &'static str, key: &str) -> Result<()> {
        let key = key.to_owned();
        self.write(move |tx| changes::record(tx.db, topic, &key, changes::Op::Upsert))
            .await
    }

    /// From now on a grant decides nothing. `false`: it was revoked before.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn revoke_grant(&self, id: GrantId) -> Result<bool> {
        let now = self.inner.clock.now();
        self.write(move |tx| grants::revoke(tx.db, id, now)).await
    }

    /// Writes what a day, like `2026-11-25`, sent and heard, whole, in the place of what was written of it before.
    ///
    /// # Errors
    /// `Invalid` if the text is no day, `ReadOnly`, or the disk's.
    pub async fn set_day_traffic(&self, day: &str, bytes: Bytes) -> Result<()> {
        let day = ledger::day_number(day)?;
        self.write(move |tx| traffic::set(tx.db, day, bytes)).await
    }

    /// Keeps a value for others under a name; `None` forgets it. Never a secret.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn set_setting(&self, key: &str, value: Option<&str>) -> Result<()> {
        let (key, value) = (key.to_owned(), value.map(str::to_owned));
        self.write(move |tx| changes::set_setting(tx.db, &key, value.as_deref()))
            .await
    }
}

/// Keeping data.
impl Store {
    /// Makes a complete, checked backup while everything goes on: one folder that [`crate::restore`] can fully bring
    /// back. `to` is the folder to be made, or an existing one to put it into under a dated name.
    ///
    /// # Errors
    /// `Invalid` if the target exists, `Damaged` if the database is, `Full` if the disk is: then there is no backup.
    pub async fn backup(&self, to: &Path) -> Result<BackupDone> {
        let (store, to) = (self.clone(), to.to_owned());
        self.aside(move || {
            let now = store.inner.clock.now();
            // The snapshot is held for the database only, not while files are copied and checked.
            let copy = |path: &Path| store.read(|db| copy_database(db, path));
            backup::make(store.home(), copy, &to, now)
        })
        .await
    }

    /// Makes one of the backups that are made by themselves, and removes those that need not stay: of the hour, day and
    /// week under way and of the 24 hours, 7 days and 4 weeks before that have any, the newest of each stays.
    ///
    /// # Errors
    /// As [`backup`](Self::backup); `Full` also if a backup would leave too little room for the work.
    pub async fn roll_backup(&self) -> Result<BackupDone> {
        let home = self.folder_of()?;
        let done = self.backup(&rolling::prepare(&home)?).await?;
        let now = self.inner.clock.now();
        self.aside(move || {
            rolling::clear_before(&home, now)?;
            rolling::thin(&home)
        })
        .await?;
        Ok(done)
    }

    /// Copies everything before something is taken in, so that it can be undone: for [`crate::UNDO_DAYS`].
    ///
    /// # Errors
    /// As [`roll_backup`](Self::roll_backup).
    pub async fn backup_before(&self) -> Result<BackupDone> {
        self.backup_before_what(Before::Restore).await
    }

    /// Copies everything before another version of the program comes: the way back for the data. It stays for
    /// [`crate::UNDO_DAYS`], the newest for ever.
    ///
    /// # Errors
    /// As [`roll_backup`](Self::roll_backup).
    pub async fn backup_before_update(&self) -> Result<BackupDone> {
        self.backup_before_what(Before::Update).await
    }

    async fn backup_before_what(&self, what: Before) -> Result<BackupDone> {
        let home = self.folder_of()?;
        let to = rolling::prepare_before(&home, what, self.inner.clock.now())?;
        self.backup(&to).await
    }

    /// The copies that were made before another version came, newest first.
    ///
    /// # Errors
    /// What the disk says.
    pub fn backups_before_update(&self) -> Result<Vec<RollingBackup>> {
        rolling::list_before(&self.folder_of()?, Before::Update)
    }

    /// Prepares that the next owner of this data folder finds what `from` holds, and keeps beside it what is there
    /// then. This store goes on until it is closed; what it writes from now on is only in what is kept.
    ///
    /// # Errors
    /// `BackupInvalid`, `Newer`, or what the disk says: then nothing is prepared.
    pub async fn stage_restore(&self, from: &Path) -> Result<()> {
        if !self.is_owner() {
            return Err(StoreError::ReadOnly);
        }
        let (home, from) = (self.folder_of()?, from.to_owned());
        let now = self.inner.clock.now();
        self.aside(move || restore::prepare(&home, &from, now).map(drop))
            .await
    }

    /// Sets room aside for the day the disk is full, if the data is large enough for it. `false`: there is none.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn keep_reserve(&self) -> Result<bool> {
        let home = self.folder_of()?;
        if !room::is_due(&home)? {
            return Ok(room::reserve_bytes(&home) > 0);
        }
        // Written in a thread of its own: it takes as long as the disk needs.
        self.aside(move || room::keep(&home)).await
    }

    /// Gives it back.
    ///
    /// # Errors
    /// What the disk says.
    pub fn release_reserve(&self) -> Result<()> {
        let home = self.folder_of()?;
        room::release(&home).map_err(|error| StoreError::io("giving room back", &home, &error))
    }

    fn folder_of(&self) -> Result<PathBuf> {
        let none = || StoreError::invalid("a database in memory has no backups of its own");
        self.home().map(Path::to_owned).ok_or_else(none)
    }

    /// The backups that were made by themselves, newest first.
    ///
    /// # Errors
    /// If their folder cannot be read.
    pub fn rolling_backups(&self) -> Result<Vec<RollingBackup>> {
        rolling::list(&self.folder_of()?)
    }

    /// The first thing a check of all pages finds, if it finds any.
    ///
    /// # Errors
    /// `Damaged` if not even that can be asked.
    pub fn check_pages(&self) -> Result<Option<String>> {
        self.read(db::quick_check)
    }

    /// Looks at everything there is. `fold` is asked about every run, with its whole journal.
    ///
    /// # Errors
    /// Only if looking is impossible; what is wrong stands in the report.
    pub fn verify(&self, fold: &mut Fold<'_>) -> Result<VerifyReport> {
        self.read(|db| verify::verify(db, fold))
    }

    /// Computes a run's tasks, artifacts and ledger anew from its journal, and its row as the engine says; `zone` is the
    /// IANA name of the zone whose days the ledger counts.
    ///
    /// # Errors
    /// `NotFound`, or `Damaged` if the journal cannot be read.
    pub async fn rebuild(&self, run: RunId, row: Option<RunRow>, zone: &str) -> Result<()> {
        let zone = zone.to_owned();
        self.write(move |tx| upkeep::rebuild(tx, run, row, &zone))
            .await
    }

    /// Takes a run out of the lists, or back in.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn hide_run(&self, run: RunId, hidden: bool) -> Result<()> {
        self.write(move |tx| upkeep::hide(tx.db, run, hidden)).await
    }

    /// Deletes an ended run with everything only it refers to, except what it cost.
    ///
    /// # Errors
    /// `NotFound`, `NotEnded`, or `HasForks` if others share its entries.
    pub async fn delete_run(&self, run: RunId) -> Result<()> {
        self.write(move |tx| upkeep::delete(tx, run)).await
    }

    /// When this database was restored from a backup, until [`settle_restored`](Self::settle_restored) is called. Runs
    /// that had not ended then may have done more since than this journal knows, so they should go on only when a person
    /// says so.
    ///
    /// # Errors
    /// What the database says.
    pub fn restored_at(&self) -> Result<Option<Timestamp>> {
        Ok(self.read(upkeep::restored_at)?.map(Timestamp))
    }

    /// The runs of a restored database are dealt with.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn settle_restored(&self) -> Result<()> {
        self.write(|tx| upkeep::settle_restored(tx.db)).await
    }
}

/// Reading.
impl Store {
    /// Entries `from` and later, at most `limit`, numbered without gaps; a fork's with those it shares.
    ///
    /// # Errors
    /// `NotFound`, or `Damaged` if an entry is missing or unreadable.
    pub fn entries(&self, run: RunId, from: Seq, limit: usize) -> Result<Vec<Entry>> {
        self.read(|db| entries::read(db, runs::run_no(db, run)?, from, limit))
    }

    /// The whole journal of a run.
    ///
    /// # Errors
    /// Those of [`entries`](Self::entries).
    pub fn load(&self, run: RunId) -> Result<Vec<Entry>> {
        self.entries(run, 1, usize::MAX)
    }

    /// The last place of the journal that is taken, over all runs.
    ///
    /// # Errors
    /// If the database fails.
    pub fn last_pos(&self) -> Result<i64> {
        self.read(entries::last_pos)
    }

    /// Entries of all runs in which somebody says something, after the place `after` and up to `upto`, in order.
    ///
    /// # Errors
    /// `Damaged` if an entry is unreadable.
    pub fn told(&self, after: i64, upto: i64, limit: usize) -> Result<Vec<Spoken>> {
        self.read(|db| entries::told(db, after, upto, limit))
    }

    /// Content by its hash, checked against it. `None`: there is none.
    ///
    /// # Errors
    /// `Damaged` if the content is not what its hash says.
    pub fn get_blob(&self, hash: Hash) -> Result<Option<Vec<u8>>> {
        self.read(|db| blobs::get(db, hash))
    }

    /// The resolved definition of a run, as it was stored.
    ///
    /// # Errors
    /// `NotFound` or `Damaged`.
    pub fn definition_of(&self, run: RunId) -> Result<Arc<[u8]>> {
        self.read(|db| {
            let info = found(runs::get(db, run)?, run)?;
            let content = blobs::get(db, info.definition)?;
            content.map(Arc::from).ok_or_else(|| {
                StoreError::damaged(format!(
                    "the definition {} of run {run} is missing",
                    info.definition
                ))
            })
        })
    }

    /// Runs, newest first, a page at a time.
    ///
    /// # Errors
    /// `NotFound` if `before` is no run.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunInfo>> {
        self.read(|db| runs::list(db, filter))
    }

    /// How many runs a filter finds on all its pages.
    ///
    /// # Errors
    /// What the database says.
    pub fn count_runs(&self, filter: &RunFilter) -> Result<u64> {
        self.read(|db| runs::count_sought(db, filter))
    }

    /// Every definition that some run has, each once; its content is [`Store::get_blob`].
    ///
    /// # Errors
    /// What the database says.
    pub fn definitions_of_runs(&self) -> Result<Vec<Hash>> {
        self.read(runs::definitions)
    }

    /// When each run began that this data folder has since then, and how it stands; also those that are hidden. A run that
    /// was made earlier is not among them, a copy of such a run that was made since is.
    ///
    /// # Errors
    /// What the database says.
    pub fn runs_since(&self, at: Timestamp) -> Result<Vec<(Timestamp, RunStatus)>> {
        self.read(|db| runs::since(db, at))
    }

    /// How many runs have each status.
    ///
    /// # Errors
    /// What the database says.
    pub fn run_counts(&self) -> Result<Vec<(RunStatus, u64)>> {
        self.read(runs::counts)
    }

    /// One run.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn run(&self, run: RunId) -> Result<RunInfo> {
        self.read(|db| found(runs::get(db, run)?, run))
    }

    /// The run a person means: a whole id, or its last four or more characters.
    ///
    /// # Errors
    /// `NotFound`, `Ambiguous`, or `Invalid` if it is too short.
    pub fn find_run(&self, text: &str) -> Result<RunId> {
        self.read(|db| runs::find(db, text))
    }

    /// Runs that share entries of this one directly, newest first.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn forks(&self, run: RunId) -> Result<Vec<RunInfo>> {
        self.read(|db| runs::forks(db, run))
    }

    /// Runs that have not ended, oldest first: what an owner takes up when it starts.
    ///
    /// # Errors
    /// What the database says.
    pub fn unfinished_runs(&self) -> Result<Vec<RunInfo>> {
        self.read(runs::unfinished)
    }

    /// Human tasks, newest first, a page at a time.
    ///
    /// # Errors
    /// `NotFound` if `run` or `before` does not exist.
    pub fn tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskInfo>> {
        self.read(|db| tasks::list(db, filter))
    }

    /// One human task, with its run and the entry that opened it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn task(&self, id: TaskId) -> Result<TaskInfo> {
        self.read(|db| {
            tasks::get(db, id)?.ok_or_else(|| StoreError::NotFound {
                what: "task",
                id: id.to_string(),
            })
        })
    }

    /// The task an entry of a run opened, if it opened one.
    ///
    /// # Errors
    /// `NotFound` if there is no such run.
    pub fn task_at(&self, run: RunId, seq: Seq) -> Result<Option<TaskId>> {
        self.read(|db| tasks::at(db, runs::run_no(db, run)?, seq))
    }

    /// How many tasks wait for the person.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn open_tasks(&self) -> Result<u64> {
        self.read(tasks::open_count)
    }

    /// The task a person means: a whole id, or its last four or more characters.
    ///
    /// # Errors
    /// `NotFound`, `Ambiguous`, or `Invalid` if it is too short.
    pub fn find_task(&self, text: &str) -> Result<TaskId> {
        self.read(|db| tasks::find(db, text))
    }

    /// What people allowed and forbade, newest first, also what stands no more.
    ///
    /// # Errors
    /// `Damaged` if a row cannot be read.
    pub fn grants(&self) -> Result<Vec<GrantInfo>> {
        self.read(grants::list)
    }

    /// What people allowed and forbade for one tool and did not revoke; some of it may have expired.
    ///
    /// # Errors
    /// `Damaged` if a row cannot be read.
    pub fn grants_of(&self, tool: &str) -> Result<Vec<GrantInfo>> {
        self.read(|db| grants::of_tool(db, tool))
    }

    /// One grant.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn grant(&self, id: GrantId) -> Result<GrantInfo> {
        self.read(|db| grants::get(db, id))?
            .ok_or_else(|| StoreError::NotFound {
                what: "grant",
                id: id.to_string(),
            })
    }

    /// The grant that the answer to a question made.
    ///
    /// # Errors
    /// `Damaged` if its row cannot be read.
    pub fn grant_of_task(&self, task: TaskId) -> Result<Option<GrantInfo>> {
        self.read(|db| grants::of_task(db, task))
    }

    /// The grant a person means: a whole id, or its last characters.
    ///
    /// # Errors
    /// `NotFound`, or `Ambiguous`.
    pub fn find_grant(&self, text: &str) -> Result<GrantId> {
        self.read(|db| grants::find(db, text))
    }

    /// Files a run wrote, by name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn artifacts(&self, run: RunId) -> Result<Vec<ArtifactInfo>> {
        self.read(|db| artifacts::of_run(db, runs::run_no(db, run)?))
    }

    /// What a day, like `2026-11-25`, has cost over all runs.
    ///
    /// # Errors
    /// `Invalid` if the text is no day.
    pub fn day_spent(&self, day: &str) -> Result<DaySpent> {
        let day = ledger::day_number(day)?;
        self.read(|db| ledger::day_spent(db, day))
    }

    /// What each call cost on each day from `from` to `to`, both like `2026-11-25`; calls that cost nothing are left out.
    ///
    /// # Errors
    /// `Invalid` if a text is no day.
    pub fn calls_spent(&self, from: &str, to: &str) -> Result<Vec<CallSpent>> {
        let (from, to) = (ledger::day_number(from)?, ledger::day_number(to)?);
        self.read(|db| ledger::calls_spent(db, from, to))
    }

    /// A run's own entries about its calls, in order; a fork's without those it shares.
    ///
    /// # Errors
    /// `NotFound`, or `Damaged` if one is unreadable.
    pub fn call_entries(&self, run: RunId) -> Result<Vec<Entry>> {
        self.read(|db| entries::calls(db, runs::run_no(db, run)?))
    }

    /// What the days from `from` to `to` sent and heard over the network, as last written; days without a byte are left
    /// out.
    ///
    /// # Errors
    /// `Invalid` if a text is no day.
    pub fn traffic_of_days(&self, from: &str, to: &str) -> Result<Vec<(String, Bytes)>> {
        let (from, to) = (ledger::day_number(from)?, ledger::day_number(to)?);
        self.read(|db| traffic::of_days(db, from, to))
    }

    /// What a day, like `2026-11-25`, sent and heard over the network, as last written.
    ///
    /// # Errors
    /// `Invalid` if the text is no day.
    pub fn day_traffic(&self, day: &str) -> Result<Bytes> {
        let day = ledger::day_number(day)?;
        self.read(|db| traffic::of_day(db, day))
    }

    /// One agent or workflow.
    ///
    /// # Errors
    /// What the database says.
    pub fn definition(&self, kind: DefinitionKind, slug: &str) -> Result<Option<DefinitionInfo>> {
        self.read(|db| definitions::get(db, kind, slug))
    }

    /// All agents or workflows, by slug.
    ///
    /// # Errors
    /// What the database says.
    pub fn definitions(&self, kind: DefinitionKind) -> Result<Vec<DefinitionInfo>> {
        self.read(|db| definitions::list(db, kind))
    }

    /// What an agent or a workflow is and was, the newest first, also of one that is gone.
    ///
    /// # Errors
    /// What the database says.
    pub fn definition_versions(
        &self,
        kind: DefinitionKind,
        slug: &str,
    ) -> Result<Vec<DefinitionVersion>> {
        self.read(|db| definitions::versions(db, kind, slug, VERSIONS_KEPT))
    }

    /// A value kept for others.
    ///
    /// # Errors
    /// What the database says.
    pub fn setting(&self, key: &str) -> Result<Option<String>> {
        self.read(|db| changes::setting(db, key))
    }

    /// The end of the change feed.
    ///
    /// # Errors
    /// What the database says.
    pub fn cursor(&self) -> Result<Cursor> {
        self.read(changes::cursor)
    }

    /// What happened since a cursor, at most `limit` entries and as many changes.
    ///
    /// # Errors
    /// What the database says.
    pub fn changes_since(&self, from: &Cursor, limit: usize) -> Result<Changes> {
        self.read(|db| changes::since(db, from, limit))
    }
}

fn found(run: Option<RunInfo>, id: RunId) -> Result<RunInfo> {
    run.ok_or_else(|| StoreError::NotFound {
        what: "run",
        id: id.to_string(),
    })
}
