//! Grants: what people allowed or forbade beyond one call, and whether it still stands. What a grant covers is the
//! policy's business.

use bwana_types::entry::{Assessment, Body, Entry};
use bwana_types::grant::{GRANT_DAYS, GrantMade, GrantScope, Pattern};
use bwana_types::id::{GrantId, RunId, TaskId};
use bwana_types::task::DecidedBy;
use bwana_types::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use crate::append::count;
use crate::error::{Result, StoreError};
use crate::runs::find_by_end;

/// Grants in one answer, and those that are looked at for one call.
const GRANTS_MAX: i64 = 1_000;
const DAY_MS: i64 = 86_400_000;

/// A grant as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantInfo {
    #[serde(flatten)]
    pub made: GrantMade,
    /// The run it was made in; of scope `run`, the only one it holds in.
    pub run: RunId,
    /// The question whose answer it was.
    pub task: TaskId,
    pub made_at: Timestamp,
    pub made_by: DecidedBy,
    pub expires_at: Option<Timestamp>,
    /// Calls it has decided so far.
    pub used: u64,
    pub revoked_at: Option<Timestamp>,
}

impl GrantInfo {
    /// Whether it may still decide anything.
    pub fn stands(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

/// What a batch of entries makes of grants: called in the transaction that appends them.
pub(crate) fn follow(db: &Connection, run: RunId, entries: &[Entry]) -> Result<()> {
    for entry in entries {
        match &entry.body {
            Body::TaskDecided(decided) => {
                if let Some(made) = &decided.grant {
                    insert(db, run, made, decided.task, decided.by, entry.at)?;
                }
            }
            Body::ToolAssessed(assessed) => {
                let (Assessment::Allow { grant, .. } | Assessment::Refuse { grant, .. }) =
                    &assessed.verdict
                else {
                    continue;
                };
                if let Some(grant) = grant {
                    db.prepare_cached("UPDATE grants SET used = used + 1 WHERE id = ?1")?
                        .execute([grant.to_string()])?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn insert(
    db: &Connection,
    run: RunId,
    made: &GrantMade,
    task: u64,
    by: DecidedBy,
    at: Timestamp,
) -> Result<()> {
    let pattern = text(&made.pattern)?;
    let task = db
        .prepare_cached(
            "SELECT t.id FROM human_tasks t JOIN runs r ON r.run_no = t.run_no WHERE r.id = ?1 AND t.seq = ?2",
        )?
        .query_row(params![run.to_string(), crate::append::int(task)], |row| {
            row.get::<_, String>(0)
        })?;
    let expires = match made.scope {
        GrantScope::Run | GrantScope::Never => None,
        GrantScope::Workflow => Some(at.0 + GRANT_DAYS * DAY_MS),
    };
    db.prepare_cached(
        "INSERT INTO grants (id, scope, tool, version, pattern, run, workflow, workflow_hash, task, made_at, made_by, \
         expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        made.id.to_string(),
        made.scope.as_str(),
        made.tool,
        made.version,
        pattern,
        run.to_string(),
        made.workflow,
        made.workflow_hash.to_string(),
        task,
        at.0,
        text(&by)?,
        expires
    ])?;
    Ok(())
}

fn text<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::invalid(error.to_string()))
}

macro_rules! select_grants {
    ($rest:literal) => {
        concat!(
            "SELECT id, scope, tool, version, pattern, run, workflow, workflow_hash, task, made_at, made_by, expires_at, \
             used, revoked_at FROM grants ",
            $rest
        )
    };
}

pub(crate) const GRANT: &str = select_grants!("WHERE id = ?1");
pub(crate) const GRANTS: &str =
    select_grants!("WHERE grant_no < ?1 ORDER BY grant_no DESC LIMIT ?2");
pub(crate) const GRANTS_OF_TOOL: &str =
    select_grants!("WHERE tool = ?1 AND revoked_at IS NULL ORDER BY grant_no DESC LIMIT ?2");
pub(crate) const GRANT_OF_TASK: &str = select_grants!("WHERE task = ?1");
pub(crate) const GRANT_BY_TAIL: &str = "SELECT id FROM grants WHERE substr(id, -4) = ?1";

/// The columns as they are stored.
fn columns(row: &Row<'_>) -> rusqlite::Result<([String; 10], [Option<i64>; 4])> {
    let texts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10];
    let numbers = [9, 11, 12, 13];
    let mut found = ([const { String::new() }; 10], [None; 4]);
    for (slot, column) in found.0.iter_mut().zip(texts) {
        *slot = row.get(column)?;
    }
    for (slot, column) in found.1.iter_mut().zip(numbers) {
        *slot = row.get(column)?;
    }
    Ok(found)
}

fn whole((texts, numbers): ([String; 10], [Option<i64>; 4])) -> Result<GrantInfo> {
    let [
        id,
        scope,
        tool,
        version,
        pattern,
        run,
        workflow,
        hash,
        task,
        by,
    ] = texts;
    let [made_at, expires_at, used, revoked_at] = numbers;
    let damaged = || StoreError::damaged(format!("the grant {id} cannot be read"));
    let scope = [GrantScope::Run, GrantScope::Workflow, GrantScope::Never]
        .into_iter()
        .find(|one| one.as_str() == scope)
        .ok_or_else(damaged)?;
    let pattern: Pattern = serde_json::from_str(&pattern).map_err(|_| damaged())?;
    Ok(GrantInfo {
        run: run.parse().map_err(|_| damaged())?,
        task: task.parse().map_err(|_| damaged())?,
        made_at: Timestamp(made_at.unwrap_or_default()),
        made_by: serde_json::from_str(&by).map_err(|_| damaged())?,
        expires_at: expires_at.map(Timestamp),
        used: count(used.unwrap_or_default()),
        revoked_at: revoked_at.map(Timestamp),
        made: GrantMade {
            id: id.parse().map_err(|_| damaged())?,
            scope,
            tool,
            version,
            pattern,
            workflow,
            workflow_hash: hash.parse().map_err(|_| damaged())?,
        },
    })
}

fn collect(db: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<GrantInfo>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params, columns)?;
    rows.map(|row| whole(row?)).collect()
}

/// Newest first.
pub(crate) fn list(db: &Connection) -> Result<Vec<GrantInfo>> {
    collect(db, GRANTS, [i64::MAX, GRANTS_MAX])
}

/// Grants of a tool that nobody revoked.
pub(crate) fn of_tool(db: &Connection, tool: &str) -> Result<Vec<GrantInfo>> {
    collect(db, GRANTS_OF_TOOL, params![tool, GRANTS_MAX])
}

/// The grant that the answer to a question made.
pub(crate) fn of_task(db: &Connection, task: TaskId) -> Result<Option<GrantInfo>> {
    Ok(collect(db, GRANT_OF_TASK, [task.to_string()])?.pop())
}

pub(crate) fn get(db: &Connection, id: GrantId) -> Result<Option<GrantInfo>> {
    let found = db
        .prepare_cached(GRANT)?
        .query_row([id.to_string()], columns)
        .optional()?;
    found.map(whole).transpose()
}

/// The grant a person means: a whole id, or its last characters.
pub(crate) fn find(db: &Connection, text: &str) -> Result<GrantId> {
    find_by_end(db, GrantId::PREFIX, text, GRANT_BY_TAIL, "grant")
}

/// From now on it decides nothing. `false`: it was revoked before.
pub(crate) fn revoke(db: &Connection, id: GrantId, now: Timestamp) -> Result<bool> {
    let changed = db
        .prepare_cached("UPDATE grants SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL")?
        .execute(params![id.to_string(), now.0])?;
    if changed == 0 && get(db, id)?.is_none() {
        return Err(StoreError::NotFound {
            what: "grant",
            id: id.to_string(),
        });
    }
    Ok(changed > 0)
}
