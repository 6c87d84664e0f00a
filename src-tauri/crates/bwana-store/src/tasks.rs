//! Human tasks: which are open, and that the first decision wins. What was asked and answered stands in the journal and
//! is read from there.

use bwana_types::entry::{Body, Entry, Seq};
use bwana_types::id::{GrantId, RunId, TaskId};
use bwana_types::task::{Ask, DecidedBy, TaskKind, Verdict};
use bwana_types::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use crate::append::{count, int};
use crate::entries;
use crate::error::{Result, StoreError};
use crate::runs::{self, find_by_end};

/// Tasks in one page of a list.
const TASKS_PAGE_MAX: usize = 500;

/// A question to a person, and the answer if there is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskInfo {
    pub id: TaskId,
    pub run: RunId,
    /// The beginning of what its run was asked.
    pub run_title: String,
    /// Slug of its run's workflow.
    pub workflow: String,
    /// The entry that opened it.
    pub seq: Seq,
    /// Where in the workflow.
    pub path: String,
    pub ask: Ask,
    pub opened_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

impl TaskInfo {
    pub fn is_open(&self) -> bool {
        self.decision.is_none()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    pub verdict: Verdict,
    pub by: DecidedBy,
    pub at: Timestamp,
    /// What was allowed or forbidden with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// JSON text of the arguments a person put in the place of the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<String>,
}

/// Which tasks a list shows, newest first.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// `Some(true)`: open ones, `Some(false)`: decided ones.
    pub open: Option<bool>,
    pub run: Option<RunId>,
    /// Only tasks opened before this one: the last of the page before.
    pub before: Option<TaskId>,
    /// 0: [`TASKS_PAGE_MAX`].
    pub limit: usize,
}

const OPEN: &str = "open";
const DECIDED: &str = "decided";

pub(crate) const fn kind_text(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Approve => "approve",
        TaskKind::Plan => "plan",
        TaskKind::Uncertain => "uncertain",
        TaskKind::Price => "price",
        TaskKind::Answer => "answer",
    }
}

pub(crate) fn open(
    db: &Connection,
    run_no: i64,
    id: TaskId,
    entry: &Entry,
    kind: TaskKind,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO human_tasks (id, run_no, seq, kind, status, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        id.to_string(),
        run_no,
        int(entry.seq),
        kind_text(kind),
        OPEN,
        entry.at.0
    ])?;
    Ok(())
}

/// Settles the task that entry `task` opened; `decided_seq` is the entry that says how.
///
/// # Errors
/// [`StoreError::TaskAlreadyDecided`] with the first decision, or [`StoreError::NotFound`].
pub(crate) fn decide(db: &Connection, run_no: i64, task: Seq, decided_seq: Seq) -> Result<()> {
    let changed = db
        .prepare_cached(
            "UPDATE human_tasks SET status = ?4, decided_seq = ?3 WHERE run_no = ?1 AND seq = ?2 AND status = ?5",
        )?
        .execute(params![run_no, int(task), int(decided_seq), DECIDED, OPEN])?;
    if changed > 0 {
        return Ok(());
    }
    let first = db
        .prepare_cached("SELECT decided_seq FROM human_tasks WHERE run_no = ?1 AND seq = ?2")?
        .query_row(params![run_no, int(task)], |row| {
            row.get::<_, Option<i64>>(0)
        })
        .optional()?;
    match first {
        Some(Some(first)) => {
            let decision = decision(db, run_no, count(first))?;
            Err(StoreError::TaskAlreadyDecided {
                by: decision.by,
                verdict: decision.verdict,
            })
        }
        _ => Err(StoreError::NotFound {
            what: "task opened by entry",
            id: task.to_string(),
        }),
    }
}

fn decision(db: &Connection, run_no: i64, seq: Seq) -> Result<Decision> {
    match entries::one(db, run_no, seq)? {
        Some(Entry {
            at,
            body: Body::TaskDecided(decided),
            ..
        }) => Ok(Decision {
            verdict: decided.verdict,
            by: decided.by,
            at,
            grant: decided.grant.map(|grant| grant.id),
            edited: decided.edit.map(|edit| edit.args),
        }),
        _ => Err(StoreError::damaged(format!(
            "entry {seq} should be the decision of a task"
        ))),
    }
}

macro_rules! select_tasks {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, r.id, t.run_no, t.seq, t.opened_at, t.decided_seq, r.title, r.workflow \
             FROM human_tasks t JOIN runs r ON r.run_no = t.run_no ",
            $rest
        )
    };
}

pub(crate) const TASK: &str = select_tasks!("WHERE t.id = ?1");
pub(crate) const TASKS: &str =
    select_tasks!("WHERE t.task_no < ?1 ORDER BY t.task_no DESC LIMIT ?2");
pub(crate) const TASKS_BY_STATUS: &str =
    select_tasks!("WHERE t.status = ?3 AND t.task_no < ?1 ORDER BY t.task_no DESC LIMIT ?2");
pub(crate) const TASKS_OF_RUN: &str =
    select_tasks!("WHERE t.run_no = ?3 AND t.seq < ?1 ORDER BY t.seq DESC LIMIT ?2");
pub(crate) const TASKS_OF_RUN_BY_STATUS: &str = select_tasks!(
    "WHERE t.run_no = ?3 AND t.seq < ?1 AND t.status = ?4 ORDER BY t.seq DESC LIMIT ?2"
);
pub(crate) const TASK_AT: &str = "SELECT id FROM human_tasks WHERE run_no = ?1 AND seq = ?2";
pub(crate) const OPEN_TASKS: &str = "SELECT count(*) FROM human_tasks WHERE status = 'open'";
pub(crate) const TASK_BY_TAIL: &str = "SELECT id FROM human_tasks WHERE substr(id, -4) = ?1";

/// The columns of a task, before its entries are read.
struct Line {
    id: String,
    run: String,
    run_no: i64,
    seq: Seq,
    opened_at: Timestamp,
    decided_seq: Option<i64>,
    run_title: String,
    workflow: String,
}

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line {
        id: row.get(0)?,
        run: row.get(1)?,
        run_no: row.get(2)?,
        seq: count(row.get(3)?),
        opened_at: Timestamp(row.get(4)?),
        decided_seq: row.get(5)?,
        run_title: row.get(6)?,
        workflow: row.get(7)?,
    })
}

fn whole(db: &Connection, line: Line) -> Result<TaskInfo> {
    let id = line.id.parse();
    let run = line.run.parse();
    let (Ok(id), Ok(run)) = (id, run) else {
        return Err(StoreError::damaged(format!(
            "'{}' of '{}' is not a task of a run",
            line.id, line.run
        )));
    };
    let Some(Entry {
        path,
        body: Body::TaskOpened(opened),
        ..
    }) = entries::one(db, line.run_no, line.seq)?
    else {
        return Err(StoreError::damaged(format!(
            "entry {} of run {run} should have opened task {id}",
            line.seq
        )));
    };
    let decision = line
        .decided_seq
        .map(|seq| decision(db, line.run_no, count(seq)))
        .transpose()?;
    Ok(TaskInfo {
        id,
        run,
        run_title: line.run_title,
        workflow: line.workflow,
        seq: line.seq,
        path: path.to_string(),
        ask: opened.ask,
        opened_at: line.opened_at,
        decision,
    })
}

pub(crate) fn get(db: &Connection, id: TaskId) -> Result<Option<TaskInfo>> {
    let found = db
        .prepare_cached(TASK)?
        .query_row([id.to_string()], line)
        .optional()?;
    found.map(|line| whole(db, line)).transpose()
}

pub(crate) fn list(db: &Connection, filter: &TaskFilter) -> Result<Vec<TaskInfo>> {
    let limit = match filter.limit {
        0 => TASKS_PAGE_MAX,
        limit => limit.min(TASKS_PAGE_MAX),
    };
    let limit = int(limit as u64);
    let status = filter.open.map(|open| if open { OPEN } else { DECIDED });
    let (before_no, before_seq) = before(db, filter.before)?;
    let lines = match (filter.run, status) {
        (None, None) => lines(db, TASKS, params![before_no, limit])?,
        (None, Some(status)) => lines(db, TASKS_BY_STATUS, params![before_no, limit, status])?,
        (Some(run), None) => lines(
            db,
            TASKS_OF_RUN,
            params![before_seq, limit, runs::run_no(db, run)?],
        )?,
        (Some(run), Some(status)) => lines(
            db,
            TASKS_OF_RUN_BY_STATUS,
            params![before_seq, limit, runs::run_no(db, run)?, status],
        )?,
    };
    lines.into_iter().map(|line| whole(db, line)).collect()
}

fn before(db: &Connection, id: Option<TaskId>) -> Result<(i64, i64)> {
    let Some(id) = id else {
        return Ok((i64::MAX, i64::MAX));
    };
    db.prepare_cached("SELECT task_no, seq FROM human_tasks WHERE id = ?1")?
        .query_row([id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(|| StoreError::NotFound {
            what: "task",
            id: id.to_string(),
        })
}

fn lines(db: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Line>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params, line)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The task an entry opened.
pub(crate) fn at(db: &Connection, run_no: i64, seq: Seq) -> Result<Option<TaskId>> {
    let id: Option<String> = db
        .prepare_cached(TASK_AT)?
        .query_row(params![run_no, int(seq)], |row| row.get(0))
        .optional()?;
    id.map(|id| {
        id.parse()
            .map_err(|_| StoreError::damaged(format!("'{id}' is not the id of a task")))
    })
    .transpose()
}

pub(crate) fn open_count(db: &Connection) -> Result<u64> {
    let open = db
        .prepare_cached(OPEN_TASKS)?
        .query_row([], |row| row.get(0))?;
    Ok(count(open))
}

/// The task a person means: a whole id, or its last characters.
pub(crate) fn find(db: &Connection, text: &str) -> Result<TaskId> {
    find_by_end(db, TaskId::PREFIX, text, TASK_BY_TAIL, "task")
}
