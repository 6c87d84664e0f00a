//! The append: a batch of entries and everything that follows from it, in one transaction. The hot path of the store.
//! Whether a batch makes sense is the machine's business; here only the rules of the journal are held.

use bwana_types::entry::{Body, CallResult, Entry, Seq};
use bwana_types::id::{RunId, TaskId};
use bwana_types::money::MicroUsd;
use bwana_types::status::RunStatus;
use bwana_types::time::Timestamp;
use rusqlite::{CachedStatement, params};

use crate::blobs::{self, Stored};
use crate::error::{Result, StoreError};
use crate::ledger::{self, Reservation};
use crate::runs::{self, RunRow};
use crate::writer::Tx;
use crate::{artifacts, grants, tasks};

/// Entries of one batch.
pub const BATCH_ENTRIES_MAX: usize = 100_000;

/// A batch to be written.
#[derive(Debug, Clone)]
pub struct Append {
    pub run: RunId,
    /// The last entry there is: the batch begins at the next one.
    pub expected_seq: Seq,
    pub entries: Vec<Entry>,
    /// What lists show of the run after this batch; `None` leaves it as it is.
    pub row: Option<RunRow>,
    /// The day that new reservations are counted on, and its limit. `None`: reservations are not counted on a day.
    pub day: Option<DayLimit>,
}

/// A calendar day and the money that may be spent on it over all runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayLimit {
    /// `2026-11-25`, in the zone of the settings.
    pub day: String,
    /// `MicroUsd(i64::MAX)` counts without a limit.
    pub limit: MicroUsd,
}

/// A batch that is committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Appended {
    /// The position of its last entry: what a barrier waits for.
    pub pos: i64,
    /// The entries back, so that the caller need not keep a copy.
    pub entries: Vec<Entry>,
}

/// What the writer knows of a run between two appends.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) run_no: i64,
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
    pub(crate) phase: Phase,
    pub(crate) stored: StoredRow,
    /// Money held back and not settled.
    pub(crate) reserved: Vec<Reservation>,
}

/// What stands in the run's row, so that it is written only when it changes: a page less in most commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredRow {
    pub(crate) phase: Phase,
    pub(crate) status: RunStatus,
    /// `None`: not known, so the next one is written.
    pub(crate) row: Option<RunRow>,
}

/// Which entries may still follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open = 0,
    Stopping = 1,
    Ended = 2,
}

impl Phase {
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Open),
            1 => Some(Self::Stopping),
            2 => Some(Self::Ended),
            _ => None,
        }
    }

    /// Why `body` may not follow.
    fn refuses(self, body: &Body) -> Option<&'static str> {
        let starts_work = matches!(
            body,
            Body::StepStarted(_)
                | Body::SpeakerChosen(_)
                | Body::CallIntended(_)
                | Body::CallRetried(_)
        );
        match self {
            Self::Open => None,
            Self::Stopping => {
                starts_work.then_some("the run is stopping, so nothing new may start")
            }
            // Kinds of a newer program come with an import; their rules are not known here.
            Self::Ended => (!matches!(body, Body::TaskDecided(_) | Body::Unknown { .. }))
                .then_some("the run has ended"),
        }
    }

    pub(crate) fn after(self, body: &Body) -> Self {
        match (self, body) {
            (_, Body::RunEnded(_)) => Self::Ended,
            (Self::Open, Body::RunStopping(_)) => Self::Stopping,
            (phase, _) => phase,
        }
    }
}

/// An append whose bodies are already text, hashed and compressed: done by the caller's thread, not the writer's.
pub(crate) struct Prepared {
    append: Append,
    bodies: Vec<Stored>,
}

/// # Errors
/// If the batch is empty, too long, or one of its bodies is too large.
pub(crate) fn prepare(append: Append) -> Result<Prepared> {
    if append.entries.is_empty() || append.entries.len() > BATCH_ENTRIES_MAX {
        return Err(StoreError::invalid(format!(
            "a batch has 1 to {BATCH_ENTRIES_MAX} entries, this one has {}",
            append.entries.len()
        )));
    }
    let bodies = append.entries.iter().map(|entry| {
        let json = entry
            .body
            .to_json()
            .map_err(|error| StoreError::invalid(format!("entry {entry}: {error}")))?;
        blobs::stored(json)
    });
    let bodies = bodies.collect::<Result<_>>()?;
    Ok(Prepared { append, bodies })
}

impl Prepared {
    /// A batch whose bodies stand somewhere else already, and are kept letter by letter.
    pub(crate) fn new(append: Append, bodies: Vec<Stored>) -> Self {
        Self { append, bodies }
    }

    /// Writes a batch behind the entries that are there.
    pub(crate) fn write(self, tx: &mut Tx<'_>) -> Result<Appended> {
        let run = self.append.run;
        for entry in &self.append.entries {
            if matches!(entry.body, Body::RunCreated(_) | Body::RunForked(_)) {
                return Err(forbidden(run, entry, "a run begins once"));
            }
        }
        let head = match tx.memory.take_head(run) {
            Some(head) => head,
            None => runs::head(tx.db, run)?,
        };
        let appended = self.write_behind(tx, head)?;
        // Only what is decided here makes grants: a run that is imported brings none along.
        grants::follow(tx.db, run, &appended.entries)?;
        Ok(appended)
    }

    /// Writes a batch behind `head`, which for a run just made is not in the tables yet.
    pub(crate) fn write_behind(self, tx: &mut Tx<'_>, mut head: Head) -> Result<Appended> {
        let Self { append, bodies } = self;
        if head.seq != append.expected_seq {
            return Err(StoreError::WrongSeq {
                run: append.run,
                expected: append.expected_seq,
                head: head.seq,
            });
        }
        let day = append.day.as_ref().map(ledger::Day::parse).transpose()?;
        let mut books = ledger::Books::new(day);
        let mut pos = 0;
        {
            let mut insert = tx.db.prepare_cached(
                "INSERT INTO journal (pos, run_no, seq, at_ms, path, kind, v, body, blob_no) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for (entry, body) in append.entries.iter().zip(bodies) {
                check_follows(append.run, &head, entry)?;
                pos = tx.next_pos()?;
                insert_entry(tx, &mut insert, pos, head.run_no, entry, body)?;
                head.seq = entry.seq;
                head.at = entry.at;
                head.phase = head.phase.after(&entry.body);
                project(tx, append.run, &mut head, &mut books, entry)?;
            }
        }
        runs::update(tx.db, &mut head, append.row)?;
        tx.memory.keep_head(append.run, head);
        Ok(Appended {
            pos,
            entries: append.entries,
        })
    }
}

fn check_follows(run: RunId, head: &Head, entry: &Entry) -> Result<()> {
    if entry.seq != head.seq + 1 {
        return Err(forbidden(run, entry, "entries are numbered without gaps"));
    }
    if entry.at < head.at {
        return Err(forbidden(run, entry, "time never goes back within a run"));
    }
    match head.phase.refuses(&entry.body) {
        Some(why) => Err(forbidden(run, entry, why)),
        None => Ok(()),
    }
}

fn forbidden(run: RunId, entry: &Entry, why: &'static str) -> StoreError {
    StoreError::Forbidden {
        run,
        seq: entry.seq,
        kind: entry.body.kind().to_owned(),
        why,
    }
}

fn insert_entry(
    tx: &Tx<'_>,
    insert: &mut CachedStatement<'_>,
    pos: i64,
    run_no: i64,
    entry: &Entry,
    body: Stored,
) -> Result<()> {
    let (text, blob_no) = match body {
        Stored::Inline(text) => (Some(text), None),
        Stored::Blob(blob) => (None, Some(blobs::insert(tx.db, &blob)?)),
    };
    insert.execute(params![
        pos,
        run_no,
        int(entry.seq),
        entry.at.0,
        &*entry.path,
        entry.body.kind(),
        entry.body.version(),
        text,
        blob_no
    ])?;
    Ok(())
}

/// What follows from one entry in the other tables. Everything here can be computed again from the journal (`rebuild`).
pub(crate) fn project(
    tx: &mut Tx<'_>,
    run: RunId,
    head: &mut Head,
    books: &mut ledger::Books,
    entry: &Entry,
) -> Result<()> {
    match &entry.body {
        Body::TaskOpened(opened) => {
            let id = TaskId::of_entry(run, entry.seq, entry.at);
            tasks::open(tx.db, head.run_no, id, entry, opened.ask.kind())
        }
        Body::TaskDecided(decided) => tasks::decide(tx.db, head.run_no, decided.task, entry.seq),
        Body::CallIntended(intended) => {
            books.reserve(tx, head, entry.seq, intended.reserve.micro_usd)
        }
        Body::CallRetried(retried) => {
            books.reserve(tx, head, retried.call, retried.reserve.micro_usd)
        }
        Body::CallFinished(finished) => match &finished.result {
            CallResult::Model(result) => books.settle(tx, head, finished.call, result.cost),
            CallResult::Tool(result) => {
                for artifact in &result.artifacts {
                    artifacts::put(tx.db, head.run_no, entry.seq, artifact)?;
                }
                books.settle(tx, head, finished.call, Some(MicroUsd::ZERO))
            }
        },
        Body::CallFailed(failed) => books.settle(tx, head, failed.call, failed.cost),
        Body::CallInterrupted(interrupted) => {
            books.settle(tx, head, interrupted.call, interrupted.cost)
        }
        Body::CallUncertain(uncertain) => books.settle_at_reservation(tx, head, uncertain.call),
        Body::ArtifactWritten(written) => {
            artifacts::put(tx.db, head.run_no, entry.seq, &written.artifact)
        }
        Body::RunEnded(_) => books.settle_all(tx, head),
        Body::RunCreated(_)
        | Body::RunForked(_)
        | Body::StepStarted(_)
        | Body::StepFinished(_)
        | Body::SpeakerChosen(_)
        | Body::ToolAssessed(_)
        | Body::MessagePosted(_)
        | Body::NoProgressNoticed(_)
        | Body::BudgetExhausted(_)
        | Body::BudgetRaised(_)
        | Body::Edited(_)
        | Body::RunPaused(_)
        | Body::RunResumed(_)
        | Body::PersonSaid(_)
        | Body::RunStopping(_)
        | Body::Unknown { .. } => Ok(()),
    }
}

/// SQLite's integers are signed. No count of ours comes near the end.
pub(crate) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A count from a column that only ever held one.
pub(crate) fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
