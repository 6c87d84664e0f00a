//! Looking at everything: pages, references, hashes, numbering, bodies, and whether the tables beside the journal say what
//! the journal says. Reports, never repairs; `rebuild` computes the tables anew.

use std::collections::BTreeMap;

use bwana_types::entry::{Body, CallResult, Entry, Seq};
use bwana_types::hash::Hash;
use bwana_types::id::{RunId, TaskId};
use bwana_types::money::MicroUsd;
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::append::{Phase, count};
use crate::artifacts;
use crate::blobs;
use crate::entries;
use crate::error::{Result, StoreError};
use crate::runs::{self, RunInfo, RunRow};
use crate::tasks::kind_text;

/// Problems of one kind that are listed; a broken disk has thousands.
const PROBLEMS_MAX: usize = 100;

/// Looks at one run with the eyes of the engine: folds its journal and says what its row should be. `Err`: why it cannot
/// be folded; `Ok(None)`: it does not say.
pub type Fold<'a> =
    dyn FnMut(&RunInfo, &[Entry]) -> std::result::Result<Option<RunRow>, String> + 'a;

/// What was looked at and found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    pub runs: u64,
    pub entries: u64,
    pub blobs: u64,
    pub problems: Vec<Problem>,
}

impl VerifyReport {
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, kind: ProblemKind, what: impl Into<String>) {
        let listed = self
            .problems
            .iter()
            .filter(|problem| problem.kind == kind)
            .count();
        if listed < PROBLEMS_MAX {
            self.problems.push(Problem {
                kind,
                what: what.into(),
            });
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub kind: ProblemKind,
    /// Where, and what is wrong.
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// SQLite's own check of pages and indexes.
    Pages,
    /// A row refers to one that is missing.
    Reference,
    /// Content is not what its hash says.
    Blob,
    /// An entry is missing, or time goes back.
    Order,
    /// An entry or a row cannot be read.
    Unreadable,
    /// A journal cannot be folded.
    Fold,
    /// A table says something else than the journal; `--rebuild` puts it right.
    Projection,
}

impl ProblemKind {
    /// Whether computing the tables anew puts it right.
    pub fn is_rebuildable(self) -> bool {
        match self {
            Self::Projection => true,
            Self::Pages
            | Self::Reference
            | Self::Blob
            | Self::Order
            | Self::Unreadable
            | Self::Fold => false,
        }
    }
}

/// Must run inside a read transaction.
pub(crate) fn verify(db: &Connection, fold: &mut Fold<'_>) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    pages(db, &mut report)?;
    references(db, &mut report)?;
    all_blobs(db, &mut report)?;
    all_runs(db, &mut report, fold)?;
    Ok(report)
}

fn pages(db: &Connection, report: &mut VerifyReport) -> Result<()> {
    let mut statement = db.prepare("PRAGMA integrity_check(100)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines {
        let line = line?;
        if line != "ok" {
            report.add(ProblemKind::Pages, line);
        }
    }
    Ok(())
}

fn references(db: &Connection, report: &mut VerifyReport) -> Result<()> {
    let mut statement = db.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        report.add(
            ProblemKind::Reference,
            format!("a row of {table} refers to a missing row of {parent}"),
        );
    }
    let orphans = [
        (
            "SELECT DISTINCT run_no FROM journal WHERE run_no NOT IN (SELECT run_no FROM runs)",
            "entries of a missing run",
        ),
        (
            "SELECT DISTINCT blob_no FROM journal WHERE blob_no IS NOT NULL AND blob_no NOT IN (SELECT blob_no FROM blobs)",
            "entries whose body is a missing blob",
        ),
    ];
    for (sql, what) in orphans {
        let mut statement = db.prepare(sql)?;
        let numbers = statement.query_map([], |row| row.get::<_, i64>(0))?;
        for number in numbers {
            report.add(ProblemKind::Reference, format!("{what} ({})", number?));
        }
    }
    Ok(())
}

fn all_blobs(db: &Connection, report: &mut VerifyReport) -> Result<()> {
    let mut statement = db.prepare("SELECT blob_no FROM blobs ORDER BY blob_no")?;
    let numbers = statement.query_map([], |row| row.get::<_, i64>(0))?;
    for number in numbers {
        report.blobs += 1;
        note(report, ProblemKind::Blob, blobs::content(db, number?))?;
    }
    Ok(())
}

/// Damage becomes a line of the report; anything else ends it.
fn note<T>(report: &mut VerifyReport, kind: ProblemKind, outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Damaged { what }) => {
            report.add(kind, what);
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

fn all_runs(db: &Connection, report: &mut VerifyReport, fold: &mut Fold<'_>) -> Result<()> {
    let mut statement = db.prepare("SELECT run_no, id FROM runs ORDER BY run_no")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    for row in rows {
        let (run_no, id) = row?;
        report.runs += 1;
        let Ok(run) = id.parse::<RunId>() else {
            report.add(
                ProblemKind::Unreadable,
                format!("'{id}' is not the id of a run"),
            );
            continue;
        };
        one_run(db, report, fold, run_no, run)?;
    }
    Ok(())
}

fn one_run(
    db: &Connection,
    report: &mut VerifyReport,
    fold: &mut Fold<'_>,
    run_no: i64,
    run: RunId,
) -> Result<()> {
    let Some(Some(info)) = note(report, ProblemKind::Unreadable, runs::get(db, run))? else {
        return Ok(());
    };
    let journal = entries::read(db, run_no, 1, usize::MAX).map_err(|error| at_run(run, error));
    let Some(journal) = note(report, ProblemKind::Order, journal)? else {
        return Ok(());
    };
    report.entries += own(&info, &journal).len() as u64;
    for pair in journal.windows(2) {
        if pair[1].at < pair[0].at {
            report.add(
                ProblemKind::Order,
                format!("time goes back at entry {} of run {run}", pair[1].seq),
            );
        }
    }
    let expected = Expected::of(run, own(&info, &journal));
    let found = note(
        report,
        ProblemKind::Unreadable,
        Expected::stored(db, run_no),
    )?;
    if let Some(found) = found {
        for what in expected.differences(&found) {
            report.add(ProblemKind::Projection, format!("run {run}: {what}"));
        }
    }
    match fold(&info, &journal) {
        Err(why) => report.add(
            ProblemKind::Fold,
            format!("run {run} cannot be folded: {why}"),
        ),
        Ok(Some(row)) if row != info.row => report.add(
            ProblemKind::Projection,
            format!(
                "run {run}: the list says {:?}, its journal {:?}",
                info.row.status, row.status
            ),
        ),
        Ok(_) => {}
    }
    Ok(())
}

fn at_run(run: RunId, error: StoreError) -> StoreError {
    match error {
        StoreError::Damaged { what } => StoreError::damaged(format!("run {run}: {what}")),
        other => other,
    }
}

/// The entries a run does not share.
fn own<'a>(info: &RunInfo, journal: &'a [Entry]) -> &'a [Entry] {
    let shared = info
        .parent
        .map_or(0, |(_, seq)| usize::try_from(seq).unwrap_or(usize::MAX));
    journal.get(shared..).unwrap_or_default()
}

/// What the tables beside the journal should say of a run. Computed here in another way than an append does it, so that
/// a mistake in one is seen by the other.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    phase: i64,
    /// By the entry that opened it: id, kind and the entry that decided it.
    tasks: BTreeMap<Seq, (String, String, Option<Seq>)>,
    /// By file: last entry, size, hash.
    artifacts: BTreeMap<String, (Seq, u64, Hash)>,
    /// By call: what its attempts cost. Only calls that cost anything.
    costs: BTreeMap<Seq, MicroUsd>,
    /// Calls with a result: they hold nothing back.
    settled: Vec<Seq>,
}

impl Expected {
    fn of(run: RunId, entries: &[Entry]) -> Self {
        let mut expected = Self::default();
        let mut held: BTreeMap<Seq, MicroUsd> = BTreeMap::new();
        for entry in entries {
            expected.add(run, entry, &mut held);
        }
        expected
    }

    fn add(&mut self, run: RunId, entry: &Entry, held: &mut BTreeMap<Seq, MicroUsd>) {
        match &entry.body {
            Body::TaskOpened(opened) => {
                let id = TaskId::of_entry(run, entry.seq, entry.at).to_string();
                let kind = kind_text(opened.ask.kind()).to_owned();
                self.tasks.insert(entry.seq, (id, kind, None));
            }
            Body::TaskDecided(decided) => {
                if let Some(task) = self.tasks.get_mut(&decided.task) {
                    task.2 = task.2.or(Some(entry.seq));
                }
            }
            Body::ArtifactWritten(written) => self.artifact(entry.seq, &written.artifact),
            Body::CallIntended(intended) => {
                held.insert(entry.seq, intended.reserve.micro_usd);
            }
            Body::CallRetried(retried) => {
                held.insert(retried.call, retried.reserve.micro_usd);
                // It holds money back again.
                self.settled.retain(|call| *call != retried.call);
            }
            Body::CallFinished(finished) => match &finished.result {
                CallResult::Model(result) => self.settle(held, finished.call, result.cost),
                CallResult::Tool(result) => {
                    result
                        .artifacts
                        .iter()
                        .for_each(|artifact| self.artifact(entry.seq, artifact));
                    self.settle(held, finished.call, None);
                }
            },
            Body::CallFailed(failed) => self.settle(held, failed.call, failed.cost),
            Body::CallInterrupted(interrupted) => {
                self.settle(held, interrupted.call, interrupted.cost)
            }
            Body::CallUncertain(uncertain) => {
                let amount = held.get(&uncertain.call).copied();
                self.settle(held, uncertain.call, amount);
            }
            Body::RunStopping(_) => self.phase = self.phase.max(Phase::Stopping as i64),
            Body::RunEnded(_) => {
                self.phase = Phase::Ended as i64;
                for (call, amount) in std::mem::take(held) {
                    self.settle(held, call, Some(amount));
                }
            }
            _ => {}
        }
    }

    fn artifact(&mut self, seq: Seq, artifact: &bwana_types::entry::Artifact) {
        self.artifacts
            .insert(artifact.file.clone(), (seq, artifact.bytes, artifact.hash));
    }

    fn settle(&mut self, held: &mut BTreeMap<Seq, MicroUsd>, call: Seq, cost: Option<MicroUsd>) {
        held.remove(&call);
        self.settled.push(call);
        let sum = self.costs.entry(call).or_default();
        *sum = sum.saturating_add(cost.unwrap_or_default());
    }

    /// What the tables do say.
    fn stored(db: &Connection, run_no: i64) -> Result<Self> {
        let phase = db.query_row(
            "SELECT phase FROM runs WHERE run_no = ?1",
            [run_no],
            |row| row.get(0),
        )?;
        let mut stored = Self {
            phase,
            ..Self::default()
        };
        let mut tasks = db.prepare_cached(
            "SELECT seq, id, kind, decided_seq, status FROM human_tasks WHERE run_no = ?1 ORDER BY seq",
        )?;
        let mut rows = tasks.query([run_no])?;
        while let Some(row) = rows.next()? {
            let decided: Option<i64> = row.get(3)?;
            let status: String = row.get(4)?;
            if (status == "open") != decided.is_none() {
                return Err(StoreError::damaged(format!(
                    "a task is {status} and has decision {decided:?}"
                )));
            }
            stored.tasks.insert(
                count(row.get(0)?),
                (row.get(1)?, row.get(2)?, decided.map(count)),
            );
        }
        for info in artifacts::of_run(db, run_no)? {
            stored.artifact(info.seq, &info.artifact);
        }
        let mut ledger = db.prepare_cached(
            "SELECT call, sum(settled), sum(reserved) FROM budget_ledger WHERE run_no = ?1 GROUP BY call",
        )?;
        let mut rows = ledger.query(params![run_no])?;
        while let Some(row) = rows.next()? {
            let call = count(row.get(0)?);
            stored.costs.insert(call, MicroUsd(row.get(1)?));
            if row.get::<_, i64>(2)? == 0 {
                stored.settled.push(call);
            }
        }
        Ok(stored)
    }

    fn differences(&self, stored: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.phase != stored.phase {
            found.push(format!(
                "the row says phase {}, the journal {}",
                stored.phase, self.phase
            ));
        }
        if self.tasks != stored.tasks {
            found.push(String::from("the human tasks differ from the journal's"));
        }
        if self.artifacts != stored.artifacts {
            found.push(String::from("the artifacts differ from the journal's"));
        }
        // Calls made without a day are in no ledger; those that are must have the journal's sums.
        for (call, sum) in &stored.costs {
            if self.costs.get(call).copied().unwrap_or_default() != *sum {
                found.push(format!(
                    "the ledger's cost of call {call} differs from the journal's"
                ));
            }
            if self.settled.contains(call) != stored.settled.contains(call) {
                found.push(format!(
                    "the ledger holds back the wrong amount for call {call}"
                ));
            }
        }
        found
    }
}
