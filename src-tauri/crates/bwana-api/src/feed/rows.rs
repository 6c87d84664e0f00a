//! Which things an entry or a change touches, and what each looks like as the row of its topic.

use bwana_store::{Change, StoreError};
use bwana_types::entry::{Body, Entry, Seq};
use bwana_types::error::ApiError;
use bwana_types::id::{RunId, TaskId};
use serde::Serialize;
use serde_json::Value;

use super::{ChangeOp, Changed, Topic};
use crate::app::App;
use crate::health::{self, HEALTH, HOME};
use crate::overview;
use crate::record::Record;
use crate::tasks::TaskShown;
use crate::view::RunLine;

const RUNS: &str = "runs";
const TASKS: &str = "tasks";
const AGENTS: &str = "agents";
const WORKFLOWS: &str = "workflows";
const PROVIDERS: &str = "providers";
const USAGE: &str = "usage";
const SETTINGS: &str = "settings";
/// In front of a run's id: that run's own entries.
const RUN: &str = "run:";
/// The one row of `usage`.
const TODAY: &str = "today";
/// Bytes of a text within an entry; the whole is there for the asking (`run.entry`).
pub(crate) const TEXT_MAX_BYTES: usize = 4 * 1024;
/// Says in a record that some of its texts are cut.
const CUT: &str = "cut";

pub(super) fn is_topic(topic: &str) -> bool {
    let plain = [
        RUNS, TASKS, AGENTS, WORKFLOWS, PROVIDERS, USAGE, SETTINGS, HOME,
    ];
    plain.contains(&topic)
        || topic
            .strip_prefix(RUN)
            .is_some_and(|id| id.parse::<RunId>().is_ok())
}

pub(super) fn topic_of(run: RunId) -> Topic {
    format!("{RUN}{run}")
}

/// The run of a topic, if it is a run's.
pub(super) fn run_of(topic: &str) -> Option<RunId> {
    topic.strip_prefix(RUN)?.parse().ok()
}

/// A thing with a row of its own, each once in a batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Run(RunId),
    Task(RunId, Seq),
    Agent(String),
    Workflow(String),
    Provider(String),
    Usage,
    Setting(String),
    Health,
}

impl Subject {
    pub(super) const fn topic(&self) -> &'static str {
        match self {
            Self::Run(_) => RUNS,
            Self::Task(..) => TASKS,
            Self::Agent(_) => AGENTS,
            Self::Workflow(_) => WORKFLOWS,
            Self::Provider(_) => PROVIDERS,
            Self::Usage => USAGE,
            Self::Setting(_) => SETTINGS,
            Self::Health => HOME,
        }
    }
}

/// What an entry changes beside its own run's list.
pub(super) fn subjects(run: RunId, entry: &Entry) -> Vec<Subject> {
    let mut subjects = vec![Subject::Run(run)];
    match &entry.body {
        // The day also counts what waits.
        Body::TaskOpened(_) => subjects.extend([Subject::Task(run, entry.seq), Subject::Usage]),
        Body::TaskDecided(decided) => {
            subjects.extend([Subject::Task(run, decided.task), Subject::Usage]);
        }
        Body::SpeakerChosen(chosen) => subjects.push(Subject::Agent(chosen.agent.clone())),
        Body::CallFinished(_)
        | Body::CallFailed(_)
        | Body::CallInterrupted(_)
        | Body::RunCreated(_)
        | Body::RunForked(_)
        | Body::RunEnded(_)
        | Body::RunPaused(_)
        | Body::RunResumed(_) => subjects.push(Subject::Usage),
        _ => {}
    }
    subjects
}

pub(super) fn subjects_of_change(change: &Change) -> Vec<Subject> {
    let key = || change.key.clone();
    match change.topic.as_str() {
        RUNS => change.key.parse().map(Subject::Run).into_iter().collect(),
        AGENTS => vec![Subject::Agent(key())],
        WORKFLOWS => vec![Subject::Workflow(key())],
        PROVIDERS => vec![Subject::Provider(key())],
        SETTINGS => vec![Subject::Setting(key())],
        HOME => vec![Subject::Health],
        _ => Vec::new(),
    }
}

/// The thing as it is now; gone things are told as gone, whatever was said of them.
pub(super) fn row(app: &App, subject: Subject, op: ChangeOp) -> Result<Option<Changed>, ApiError> {
    let topic = subject.topic();
    let (id, row) = match subject {
        Subject::Run(run) => (run.to_string(), run_row(app, run)?),
        Subject::Task(run, seq) => match task_row(app, run, seq)? {
            Some((id, row)) => (id.to_string(), Some(row)),
            None => return Ok(None),
        },
        Subject::Health => (HEALTH.to_owned(), Some(json(&health::shown(app)))),
        Subject::Usage => (TODAY.to_owned(), Some(json(&overview::today_of(app)?))),
        // Their lists are short and their rows are made of many things: the window asks for the list.
        Subject::Agent(id)
        | Subject::Workflow(id)
        | Subject::Provider(id)
        | Subject::Setting(id) => {
            return Ok(Some(Changed {
                topic: topic.to_owned(),
                id,
                op,
                row: None,
            }));
        }
    };
    Ok(Some(Changed {
        topic: topic.to_owned(),
        id,
        op: if row.is_some() {
            ChangeOp::Upsert
        } else {
            ChangeOp::Delete
        },
        row,
    }))
}

fn run_row(app: &App, run: RunId) -> Result<Option<Value>, ApiError> {
    match app.store()?.run(run) {
        Ok(info) if info.hidden => Ok(None),
        Ok(info) => Ok(Some(json(&RunLine::from(&info)))),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn task_row(app: &App, run: RunId, seq: Seq) -> Result<Option<(TaskId, Value)>, ApiError> {
    let store = app.store()?;
    let Some(id) = store.task_at(run, seq)? else {
        return Ok(None);
    };
    let task = TaskShown::from(store.task(id)?);
    Ok(Some((id, json(&task))))
}

/// A run's own entry.
pub(super) fn record(run: RunId, entry: &Entry) -> Changed {
    Changed {
        topic: topic_of(run),
        id: entry.seq.to_string(),
        op: ChangeOp::Upsert,
        row: Some(short_record(entry)),
    }
}

/// An entry as a window shows it: long texts are cut, and say so.
pub(crate) fn short_record(entry: &Entry) -> Value {
    let mut record = Record::from(entry);
    let is_cut = cut(&mut record.body);
    let mut row = json(&record);
    if is_cut && let Some(fields) = row.as_object_mut() {
        fields.insert(CUT.to_owned(), Value::Bool(true));
    }
    row
}

/// Cuts every long text in a value. `true`: there was one.
fn cut(value: &mut Value) -> bool {
    match value {
        Value::String(text) if text.len() > TEXT_MAX_BYTES => {
            let end = text.floor_char_boundary(TEXT_MAX_BYTES);
            text.truncate(end);
            true
        }
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |is_cut, item| cut(item) | is_cut),
        Value::Object(fields) => fields
            .values_mut()
            .fold(false, |is_cut, field| cut(field) | is_cut),
        _ => false,
    }
}

pub(super) fn bytes(changed: &Changed) -> usize {
    changed.row.as_ref().map_or(0, |row| row.to_string().len())
}

fn json(value: &impl Serialize) -> Value {
    // Every shape of ours is plain data, which always has a JSON form.
    serde_json::to_value(value).unwrap_or_default()
}
