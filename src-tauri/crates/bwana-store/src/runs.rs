//! Runs as lists show them: one row each, a projection of the journal that the engine computes and an append writes.

use bwana_types::entry::{Body, Entry, Seq};
use bwana_types::hash::Hash;
use bwana_types::id::{ID_CHARS, RunId};
use bwana_types::message::Usage;
use bwana_types::money::MicroUsd;
use bwana_types::status::{RunStatus, StopReason};
use bwana_types::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use crate::append::{Appended, Head, Phase, Prepared, StoredRow, count, int};
use crate::blobs::{self, Blob};
use crate::error::{Result, StoreError};
use crate::ledger;
use crate::writer::Tx;

/// Runs in one page of a list.
pub const PAGE_MAX: usize = 500;
/// Characters of a title: the beginning of what the run was asked.
const TITLE_MAX_CHARS: usize = 120;
/// Characters of an id a person must type at least.
pub const SUFFIX_MIN_CHARS: usize = 4;
/// Forks of forks: more parents than this are a mistake.
pub(crate) const FORK_DEPTH_MAX: usize = 1_000;

/// What the engine says of a run after a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunRow {
    pub status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<StopReason>,
    pub usage: Usage,
    pub cost: MicroUsd,
    /// Some call's price is unknown: `cost` is what is known.
    pub cost_unknown: bool,
    /// Path of the step at work, or of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    pub steps_done: u32,
    pub steps_total: u32,
}

impl RunRow {
    /// A run that has just begun.
    pub fn started(steps_total: u32) -> Self {
        Self {
            status: RunStatus::Running,
            stop_reason: None,
            usage: Usage::default(),
            cost: MicroUsd::ZERO,
            cost_unknown: false,
            step: None,
            steps_done: 0,
            steps_total,
        }
    }
}

/// A run as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunInfo {
    pub id: RunId,
    /// The parent of a fork and its last shared entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<(RunId, Seq)>,
    /// The resolved definition; its content is `Store::get_blob`.
    pub definition: Hash,
    /// Slug of the workflow.
    pub workflow: String,
    /// The beginning of what was asked.
    pub title: String,
    pub created_at: Timestamp,
    /// Of the last entry.
    pub updated_at: Timestamp,
    /// The last entry, counted with those shared with a parent.
    pub head_seq: Seq,
    /// A person removed it from the lists.
    pub hidden: bool,
    #[serde(flatten)]
    pub row: RunRow,
}

/// A run to be made.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub id: RunId,
    /// The resolved definition, as `Definition::to_bytes` gives it.
    pub definition: Vec<u8>,
    /// Slug of the workflow.
    pub workflow: String,
    /// From 1; the first is `run_created`.
    pub entries: Vec<Entry>,
    pub row: RunRow,
}

/// A run that shares the beginning of another.
#[derive(Debug, Clone)]
pub struct NewFork {
    pub id: RunId,
    pub parent: RunId,
    /// The parent's last shared entry.
    pub fork_seq: Seq,
    /// From `fork_seq + 1`; the first is `run_forked`.
    pub entries: Vec<Entry>,
    pub row: RunRow,
}

/// Which runs a list shows, newest first.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Empty: any.
    pub status: Vec<RunStatus>,
    /// Slug of a workflow.
    pub workflow: Option<String>,
    /// Only runs of these definitions.
    pub definitions: Option<Vec<Hash>>,
    /// Only runs whose title holds this, in large or small letters of the Latin alphabet.
    pub text: Option<String>,
    /// Also those a person removed from the lists.
    pub hidden: bool,
    /// Only runs made before this one: the last of the page before.
    pub before: Option<RunId>,
    /// 0: [`PAGE_MAX`].
    pub limit: usize,
}

pub(crate) const ALL_STATUS: [RunStatus; 8] = [
    RunStatus::Running,
    RunStatus::Waiting,
    RunStatus::Paused,
    RunStatus::Stopping,
    RunStatus::Done,
    RunStatus::Stopped,
    RunStatus::Failed,
    RunStatus::Cancelled,
];

pub(crate) fn create(tx: &mut Tx<'_>, new: NewRunPrepared) -> Result<Appended> {
    let definition_no = blobs::insert(tx.db, &new.definition)?;
    let run = InsertRun {
        id: new.id,
        parent: None,
        fork_seq: 0,
        definition_no,
        workflow: &new.workflow,
        title: &new.title,
        at: new.at,
        row: &new.row,
    };
    let head = insert(tx.db, &run)?;
    new.prepared.write_behind(tx, head)
}

/// A new run whose definition and bodies are hashed and packed.
pub(crate) struct NewRunPrepared {
    pub(crate) id: RunId,
    pub(crate) definition: Blob,
    pub(crate) workflow: String,
    pub(crate) title: String,
    pub(crate) at: Timestamp,
    pub(crate) row: RunRow,
    pub(crate) prepared: Prepared,
}

/// The title of a run: the first line of its input that says anything, cut.
pub(crate) fn title(entries: &[Entry]) -> String {
    let input = entries.iter().find_map(|entry| match &entry.body {
        Body::RunCreated(created) => Some(&created.input),
        _ => None,
    });
    let line = input
        .and_then(|input| input.lines().map(str::trim).find(|line| !line.is_empty()))
        .unwrap_or_default();
    line.chars().take(TITLE_MAX_CHARS).collect()
}

/// What a fork needs of its parent.
struct Parent {
    run_no: i64,
    head_seq: Seq,
    definition_no: i64,
    workflow: String,
    title: String,
}

pub(crate) fn create_fork(
    tx: &mut Tx<'_>,
    id: RunId,
    (parent_id, fork_seq): (RunId, Seq),
    row: &RunRow,
    at: Timestamp,
    prepared: Prepared,
) -> Result<Appended> {
    let parent = parent(tx.db, parent_id)?;
    if fork_seq == 0 || fork_seq > parent.head_seq {
        return Err(StoreError::invalid(format!(
            "run {parent_id} has entries 1 to {}, so it cannot be forked at {fork_seq}",
            parent.head_seq
        )));
    }
    let lineage = lineage(tx.db, parent.run_no, fork_seq)?;
    if lineage.len() >= FORK_DEPTH_MAX {
        return Err(StoreError::invalid(format!(
            "run {parent_id} is a fork of a fork {FORK_DEPTH_MAX} times over"
        )));
    }
    let run = InsertRun {
        id,
        parent: Some(parent.run_no),
        fork_seq,
        definition_no: parent.definition_no,
        workflow: &parent.workflow,
        title: &parent.title,
        at,
        row,
    };
    let mut head = insert(tx.db, &run)?;
    head.at = last_at(tx.db, &lineage)?;
    prepared.write_behind(tx, head)
}

fn parent(db: &Connection, id: RunId) -> Result<Parent> {
    let run_no = run_no(db, id)?;
    let head_seq = head_seq(db, run_no)?;
    Ok(db
        .prepare_cached("SELECT definition_no, workflow, title FROM runs WHERE run_no = ?1")?
        .query_row([run_no], |row| {
            Ok(Parent {
                run_no,
                head_seq,
                definition_no: row.get(0)?,
                workflow: row.get(1)?,
                title: row.get(2)?,
            })
        })?)
}

/// The last entry a run shares with its parent; 0 if it is no fork.
pub(crate) fn fork_seq(db: &Connection, run_no: i64) -> Result<Seq> {
    Ok(db
        .prepare_cached("SELECT fork_seq FROM runs WHERE run_no = ?1")?
        .query_row([run_no], |row| row.get(0).map(count))?)
}

/// The last entry of a run, counted with those it shares.
pub(crate) fn head_seq(db: &Connection, run_no: i64) -> Result<Seq> {
    Ok(db
        .prepare_cached(
            "SELECT coalesce((SELECT max(seq) FROM journal WHERE run_no = ?1), fork_seq) FROM runs WHERE run_no = ?1",
        )?
        .query_row([run_no], |row| row.get(0).map(count))?)
}

fn not_found(id: RunId) -> StoreError {
    StoreError::NotFound {
        what: "run",
        id: id.to_string(),
    }
}

pub(crate) struct InsertRun<'a> {
    pub(crate) id: RunId,
    pub(crate) parent: Option<i64>,
    pub(crate) fork_seq: Seq,
    pub(crate) definition_no: i64,
    pub(crate) workflow: &'a str,
    pub(crate) title: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) row: &'a RunRow,
}

pub(crate) fn insert(db: &Connection, run: &InsertRun<'_>) -> Result<Head> {
    let inserted = db
        .prepare_cached(
            "INSERT INTO runs (id, parent_no, fork_seq, definition_no, workflow, title, created_at, status) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            run.id.to_string(),
            run.parent,
            int(run.fork_seq),
            run.definition_no,
            run.workflow,
            run.title,
            run.at.0,
            run.row.status.as_str(),
        ])?;
    if inserted == 0 {
        return Err(StoreError::invalid(format!(
            "run {} exists already",
            run.id
        )));
    }
    Ok(Head {
        run_no: db.last_insert_rowid(),
        seq: run.fork_seq,
        at: Timestamp::default(),
        phase: Phase::Open,
        stored: StoredRow {
            phase: Phase::Open,
            status: run.row.status,
            row: None,
        },
        reserved: Vec::new(),
    })
}

/// Writes the run's row where it changes. Columns with an index are written apart: setting one to the value it has still
/// rewrites the index.
pub(crate) fn update(db: &Connection, head: &mut Head, row: Option<RunRow>) -> Result<()> {
    if head.phase != head.stored.phase {
        db.prepare_cached("UPDATE runs SET phase = ?2 WHERE run_no = ?1")?
            .execute(params![head.run_no, head.phase as i64])?;
        head.stored.phase = head.phase;
    }
    let Some(row) = row.filter(|row| head.stored.row.as_ref() != Some(row)) else {
        return Ok(());
    };
    db.prepare_cached(
        "UPDATE runs SET input_tokens = ?2, output_tokens = ?3, cached_tokens = ?4, reasoning_tokens = ?5, \
         usage_estimated = ?6, cost = ?7, cost_unknown = ?8, step = ?9, steps_done = ?10, steps_total = ?11, \
         stop_reason = ?12 WHERE run_no = ?1",
    )?
    .execute(params![
        head.run_no,
        int(row.usage.input_tokens),
        int(row.usage.output_tokens),
        int(row.usage.cached_tokens),
        int(row.usage.reasoning_tokens),
        row.usage.estimated,
        row.cost.0,
        row.cost_unknown,
        row.step,
        row.steps_done,
        row.steps_total,
        reason_text(row.stop_reason.as_ref())?,
    ])?;
    if row.status != head.stored.status {
        db.prepare_cached("UPDATE runs SET status = ?2 WHERE run_no = ?1")?
            .execute(params![head.run_no, row.status.as_str()])?;
        head.stored.status = row.status;
    }
    head.stored.row = Some(row);
    Ok(())
}

fn reason_text(reason: Option<&StopReason>) -> Result<Option<String>> {
    reason
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| StoreError::invalid(format!("the stop reason cannot be written: {error}")))
}

/// The head of a run the writer does not remember.
pub(crate) fn head(db: &Connection, id: RunId) -> Result<Head> {
    let run_no = run_no(db, id)?;
    let (phase, status) = db
        .prepare_cached("SELECT phase, status FROM runs WHERE run_no = ?1")?
        .query_row([run_no], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
    let phase = Phase::from_number(phase)
        .ok_or_else(|| StoreError::damaged(format!("run {id} has phase {phase}")))?;
    let status = status_of(&status)
        .ok_or_else(|| StoreError::damaged(format!("run {id} has status '{status}'")))?;
    let seq = head_seq(db, run_no)?;
    Ok(Head {
        run_no,
        seq,
        at: last_at(db, &lineage(db, run_no, seq)?)?,
        phase,
        stored: StoredRow {
            phase,
            status,
            row: None,
        },
        reserved: ledger::reservations(db, run_no)?,
    })
}

/// One stretch of a run's entries: which run's own, from and to which `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) run_no: i64,
    pub(crate) from: Seq,
    pub(crate) to: Seq,
}

/// Where the entries 1 to `to` of a run stand: its own and, before those, what it shares with its parents. In order.
pub(crate) fn lineage(db: &Connection, run_no: i64, to: Seq) -> Result<Vec<Stretch>> {
    let mut statement =
        db.prepare_cached("SELECT parent_no, fork_seq FROM runs WHERE run_no = ?1")?;
    let mut stretches = Vec::with_capacity(1);
    let (mut run_no, mut to) = (run_no, to);
    for _ in 0..=FORK_DEPTH_MAX {
        let (parent, fork_seq): (Option<i64>, Seq) =
            statement.query_row([run_no], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
        if to > fork_seq {
            stretches.push(Stretch {
                run_no,
                from: fork_seq + 1,
                to,
            });
        }
        match parent {
            Some(parent) => (run_no, to) = (parent, to.min(fork_seq)),
            None => {
                stretches.reverse();
                return Ok(stretches);
            }
        }
    }
    Err(StoreError::damaged(
        "the parents of a run go round in a circle",
    ))
}

/// When the last entry was written that a run shares with its parent.
pub(crate) fn last_shared_at(db: &Connection, run_no: i64, fork_seq: Seq) -> Result<Timestamp> {
    last_at(db, &lineage(db, run_no, fork_seq)?)
}

/// When the last entry of `lineage` was written.
fn last_at(db: &Connection, lineage: &[Stretch]) -> Result<Timestamp> {
    let Some(last) = lineage.last() else {
        return Ok(Timestamp::default());
    };
    db.prepare_cached("SELECT at_ms FROM journal WHERE run_no = ?1 AND seq = ?2")?
        .query_row(params![last.run_no, int(last.to)], |row| {
            row.get(0).map(Timestamp)
        })
        .optional()?
        .ok_or_else(|| StoreError::damaged(format!("entry {} of a run is missing", last.to)))
}

pub(crate) fn status_of(text: &str) -> Option<RunStatus> {
    ALL_STATUS
        .into_iter()
        .find(|status| status.as_str() == text)
}

macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, p.id, r.fork_seq, b.hash, r.workflow, r.title, r.created_at, \
             coalesce((SELECT j.at_ms FROM journal j WHERE j.run_no = r.run_no ORDER BY j.seq DESC LIMIT 1), \
             r.created_at), coalesce((SELECT max(j.seq) FROM journal j WHERE j.run_no = r.run_no), r.fork_seq), \
             r.hidden, r.status, r.stop_reason, r.input_tokens, r.output_tokens, r.cached_tokens, \
             r.reasoning_tokens, r.usage_estimated, r.cost, r.cost_unknown, r.step, r.steps_done, r.steps_total \
             FROM runs r LEFT JOIN runs p ON p.run_no = r.parent_no JOIN blobs b ON b.blob_no = r.definition_no ",
            $rest
        )
    };
}

pub(crate) const RUN: &str = select_runs!("WHERE r.id = ?1");
pub(crate) const RUNS: &str =
    select_runs!("WHERE r.run_no < ?1 AND r.hidden <= ?2 ORDER BY r.run_no DESC LIMIT ?3");
pub(crate) const RUNS_BY_WORKFLOW: &str = select_runs!(
    "WHERE r.workflow = ?4 AND r.run_no < ?1 AND r.hidden <= ?2 ORDER BY r.run_no DESC LIMIT ?3"
);
pub(crate) const RUNS_BY_STATUS: &str = select_runs!(
    "WHERE r.status = ?4 AND r.run_no < ?1 AND r.hidden <= ?2 ORDER BY r.run_no DESC LIMIT ?3"
);
pub(crate) const RUNS_BY_STATUS_AND_WORKFLOW: &str = select_runs!(
    "WHERE r.status = ?4 AND r.workflow = ?5 AND r.run_no < ?1 AND r.hidden <= ?2 ORDER BY r.run_no DESC LIMIT ?3"
);
/// A search of titles or definitions looks at every run: it has no index, and a run's line is short.
macro_rules! sought {
    () => {
        "r.hidden <= ?1 AND (?2 IS NULL OR r.workflow = ?2) \
         AND (?3 IS NULL OR r.status IN (SELECT value FROM json_each(?3))) \
         AND (?4 IS NULL OR instr(lower(r.title), lower(?4)) > 0) \
         AND (?5 IS NULL OR r.definition_no IN (SELECT b.blob_no FROM json_each(?5) d JOIN blobs b ON b.hash = unhex(d.value)))"
    };
}
pub(crate) const RUNS_SOUGHT: &str = concat!(
    select_runs!("WHERE r.run_no < ?6 AND "),
    sought!(),
    " ORDER BY r.run_no DESC LIMIT ?7"
);
pub(crate) const COUNT_SOUGHT: &str = concat!("SELECT count(*) FROM runs r WHERE ", sought!());
pub(crate) const DEFINITIONS_OF_RUNS: &str =
    "SELECT hash FROM blobs WHERE blob_no IN (SELECT definition_no FROM runs)";
pub(crate) const RUN_BY_TAIL: &str = "SELECT id FROM runs WHERE substr(id, -4) = ?1";
pub(crate) const FORKS: &str = select_runs!("WHERE r.parent_no = ?1 ORDER BY r.run_no DESC");
pub(crate) const RUNS_SINCE: &str = "SELECT created_at, status FROM runs WHERE id >= ?1";
pub(crate) const COUNT_BY_STATUS: &str = "SELECT count(*) FROM runs WHERE status = ?1";

fn run_info(row: &Row<'_>) -> rusqlite::Result<RunInfo> {
    let wrong = |column: usize, what: String| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
    };
    let id = |column: usize| -> rusqlite::Result<Option<RunId>> {
        let text: Option<String> = row.get(column)?;
        text.map(|text| text.parse().map_err(|_| wrong(column, text)))
            .transpose()
    };
    let status: String = row.get(10)?;
    let reason: Option<String> = row.get(11)?;
    Ok(RunInfo {
        id: id(0)?.ok_or_else(|| wrong(0, String::from("a run without an id")))?,
        parent: match id(1)? {
            Some(parent) => Some((parent, count(row.get(2)?))),
            None => None,
        },
        definition: Hash(row.get(3)?),
        workflow: row.get(4)?,
        title: row.get(5)?,
        created_at: Timestamp(row.get(6)?),
        updated_at: Timestamp(row.get(7)?),
        head_seq: count(row.get(8)?),
        hidden: row.get(9)?,
        row: RunRow {
            status: status_of(&status).ok_or_else(|| wrong(10, status))?,
            stop_reason: reason
                .map(|text| serde_json::from_str(&text).map_err(|_| wrong(11, text)))
                .transpose()?,
            usage: Usage {
                input_tokens: count(row.get(12)?),
                output_tokens: count(row.get(13)?),
                cached_tokens: count(row.get(14)?),
                reasoning_tokens: count(row.get(15)?),
                estimated: row.get(16)?,
            },
            cost: MicroUsd(row.get(17)?),
            cost_unknown: row.get(18)?,
            step: row.get(19)?,
            steps_done: row.get(20)?,
            steps_total: row.get(21)?,
        },
    })
}

pub(crate) fn get(db: &Connection, id: RunId) -> Result<Option<RunInfo>> {
    Ok(db
        .prepare_cached(RUN)?
        .query_row([id.to_string()], run_info)
        .optional()?)
}

pub(crate) fn run_no(db: &Connection, id: RunId) -> Result<i64> {
    db.prepare_cached("SELECT run_no FROM runs WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| not_found(id))
}

pub(crate) fn list(db: &Connection, filter: &RunFilter) -> Result<Vec<RunInfo>> {
    let before = match filter.before {
        Some(id) => run_no(db, id)?,
        None => i64::MAX,
    };
    let limit = match filter.limit {
        0 => PAGE_MAX,
        limit => limit.min(PAGE_MAX),
    };
    let rows = int(limit as u64);
    let hidden = filter.hidden;
    let mut found = Vec::new();
    if filter.text.is_some() || filter.definitions.is_some() {
        let (workflow, text) = (&filter.workflow, &filter.text);
        let (status, definitions) = (json_of_status(filter)?, json_of_definitions(filter)?);
        let sought = params![hidden, workflow, status, text, definitions, before, rows];
        collect(db, RUNS_SOUGHT, sought, &mut found)?;
        return Ok(found);
    }
    if filter.status.is_empty() {
        match &filter.workflow {
            None => collect(db, RUNS, params![before, hidden, rows], &mut found)?,
            Some(slug) => collect(
                db,
                RUNS_BY_WORKFLOW,
                params![before, hidden, rows, slug],
                &mut found,
            )?,
        }
        return Ok(found);
    }
    // One ordered walk of the index a status; their first pages hold the first page of all.
    let mut status = filter.status.clone();
    status.sort_unstable_by_key(|status| status.as_str());
    status.dedup();
    for status in &status {
        let status = status.as_str();
        match &filter.workflow {
            None => collect(
                db,
                RUNS_BY_STATUS,
                params![before, hidden, rows, status],
                &mut found,
            )?,
            Some(slug) => collect(
                db,
                RUNS_BY_STATUS_AND_WORKFLOW,
                params![before, hidden, rows, status, slug],
                &mut found,
            )?,
        }
    }
    let mut numbered = found
        .into_iter()
        .map(|run| Ok((run_no(db, run.id)?, run)))
        .collect::<Result<Vec<_>>>()?;
    numbered.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
    numbered.truncate(limit);
    Ok(numbered.into_iter().map(|(_, run)| run).collect())
}

/// `None`: any.
fn json_of_status(filter: &RunFilter) -> Result<Option<String>> {
    let names: Vec<&str> = filter.status.iter().map(|status| status.as_str()).collect();
    (!names.is_empty()).then(|| json_of(&names)).transpose()
}

fn json_of_definitions(filter: &RunFilter) -> Result<Option<String>> {
    let hex = |hashes: &Vec<Hash>| hashes.iter().map(Hash::to_string).collect::<Vec<_>>();
    filter
        .definitions
        .as_ref()
        .map(|hashes| json_of(&hex(hashes)))
        .transpose()
}

fn json_of(list: &impl Serialize) -> Result<String> {
    serde_json::to_string(list).map_err(|error| StoreError::invalid(error.to_string()))
}

/// How many runs a filter finds on all its pages.
pub(crate) fn count_sought(db: &Connection, filter: &RunFilter) -> Result<u64> {
    let (workflow, text) = (&filter.workflow, &filter.text);
    let (status, definitions) = (json_of_status(filter)?, json_of_definitions(filter)?);
    let found = db.prepare_cached(COUNT_SOUGHT)?.query_row(
        params![filter.hidden, workflow, status, text, definitions],
        |row| row.get(0),
    )?;
    Ok(count(found))
}

/// Every definition some run has, each once.
pub(crate) fn definitions(db: &Connection) -> Result<Vec<Hash>> {
    let mut statement = db.prepare_cached(DEFINITIONS_OF_RUNS)?;
    let rows = statement.query_map([], |row| row.get(0).map(Hash))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn collect(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    into: &mut Vec<RunInfo>,
) -> Result<()> {
    let mut statement = db.prepare_cached(sql)?;
    for run in statement.query_map(params, run_info)? {
        into.push(run?);
    }
    Ok(())
}

/// Every run that has not ended, oldest first: what an owner takes up when it starts.
pub(crate) fn unfinished(db: &Connection) -> Result<Vec<RunInfo>> {
    let mut found = Vec::new();
    for status in ALL_STATUS.into_iter().filter(|status| !status.is_ended()) {
        collect(
            db,
            RUNS_BY_STATUS,
            params![i64::MAX, true, i64::MAX, status.as_str()],
            &mut found,
        )?;
    }
    found.sort_by_key(|run| (run.created_at, run.id));
    Ok(found)
}

pub(crate) fn since(db: &Connection, at: Timestamp) -> Result<Vec<(Timestamp, RunStatus)>> {
    let mut statement = db.prepare_cached(RUNS_SINCE)?;
    let rows = statement.query_map([RunId::first_at(at).to_string()], |row| {
        Ok((Timestamp(row.get(0)?), row.get::<_, String>(1)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (created_at, status) = row?;
        let Some(status) = status_of(&status) else {
            return Err(StoreError::damaged(format!(
                "a run has the status '{status}'"
            )));
        };
        found.push((created_at, status));
    }
    Ok(found)
}

/// How many runs have each status; statuses of no run are left out.
pub(crate) fn counts(db: &Connection) -> Result<Vec<(RunStatus, u64)>> {
    let mut statement = db.prepare_cached(COUNT_BY_STATUS)?;
    let mut found = Vec::new();
    for status in ALL_STATUS {
        let runs: i64 = statement.query_row([status.as_str()], |row| row.get(0))?;
        if runs > 0 {
            found.push((status, count(runs)));
        }
    }
    Ok(found)
}

pub(crate) fn forks(db: &Connection, id: RunId) -> Result<Vec<RunInfo>> {
    let mut found = Vec::new();
    collect(db, FORKS, [run_no(db, id)?], &mut found)?;
    Ok(found)
}

/// The run a person means: a whole id, or its last characters.
pub(crate) fn find(db: &Connection, text: &str) -> Result<RunId> {
    find_by_end(db, RunId::PREFIX, text, RUN_BY_TAIL, "run")
}

/// One id out of those that `by_tail` finds for its last four characters.
pub(crate) fn find_by_end<Id: std::str::FromStr>(
    db: &Connection,
    prefix: &str,
    text: &str,
    by_tail: &str,
    what: &'static str,
) -> Result<Id> {
    let typed = text.trim();
    let end = typed
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .unwrap_or(typed)
        .to_ascii_uppercase();
    let shown = || typed.chars().take(60).collect::<String>();
    if end.len() < SUFFIX_MIN_CHARS || !end.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(StoreError::invalid(format!(
            "'{}' is too short or no id; type at least the last {SUFFIX_MIN_CHARS} characters",
            shown()
        )));
    }
    let not_found = || StoreError::NotFound { what, id: shown() };
    if end.len() > ID_CHARS {
        return Err(not_found());
    }
    let tail = &end[end.len() - SUFFIX_MIN_CHARS..];
    let mut statement = db.prepare_cached(by_tail)?;
    let ids = statement.query_map([tail], |row| row.get::<_, String>(0))?;
    let mut matches = Vec::new();
    for id in ids {
        let id = id?;
        if id.ends_with(&end) {
            matches.push(id);
        }
    }
    match matches.as_slice() {
        [] => Err(not_found()),
        [id] => id
            .parse()
            .map_err(|_| StoreError::damaged(format!("'{id}' is not the id of a {what}"))),
        several => Err(StoreError::Ambiguous {
            what,
            id: shown(),
            count: several.len(),
        }),
    }
}
