//! A run as people and scripts see it: derived from its journal, with no engine needed.

use bwana_store::Store;
use bwana_types::definition::{RunLimits, StepDef, Work};
use bwana_types::entry::{Artifact, Seq, StepOutcome, When};
use bwana_types::error::ApiError;
use bwana_types::id::{RunId, TaskId};
use bwana_types::message::Usage;
use bwana_types::money::MicroUsd;
use bwana_types::status::{RunStatus, StopReason};
use bwana_types::task::Ask;
use bwana_types::time::Timestamp;
use bwana_workflow::machine::{Phase, RunState, StepPhase, StepState};
use serde::Serialize;

use crate::load;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunView {
    pub id: RunId,
    pub workflow: String,
    pub workflow_name: String,
    pub workflow_hash: String,
    pub status: RunStatus,
    pub stop_reason: Option<StopReason>,
    pub input: String,
    pub usage: Usage,
    /// `None` if some price is unknown.
    pub cost: Option<MicroUsd>,
    /// What is known of the cost.
    pub cost_known: MicroUsd,
    pub model_calls: u32,
    pub tool_calls: u32,
    pub turns: u32,
    pub limits: RunLimits,
    pub steps: Vec<StepView>,
    /// The text of the last step, once there is one.
    pub result: Option<String>,
    pub artifacts: Vec<Artifact>,
    /// The file the whole result was saved as.
    pub result_file: Option<Artifact>,
    pub tasks: Vec<TaskView>,
    /// What a person said and nobody has heard yet.
    pub queued: Vec<QueuedView>,
    pub started_at: Timestamp,
    /// `at` of the last entry.
    pub updated_at: Timestamp,
    pub head: Seq,
    /// Set if a newer program wrote this run: it can be shown, but not continued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_entry: Option<String>,
    /// A rehearsal.
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepView {
    pub path: String,
    pub name: String,
    pub status: StepStatus,
    /// Who spoke or will speak.
    pub agents: Vec<String>,
    pub turns: usize,
    pub usage: Usage,
    pub cost_known: MicroUsd,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<StopReason>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<StepView>,
    /// Its result was given with the run; nobody worked on it.
    pub pinned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    Pending,
    Waiting,
    Running,
    Done,
    Failed,
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueuedView {
    pub seq: Seq,
    pub text: String,
    pub when: When,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskView {
    pub id: TaskId,
    pub run: RunId,
    pub path: String,
    pub opened_at: Timestamp,
    pub ask: Ask,
}

/// Folds a run's journal and shows it.
///
/// # Errors
/// If there is no such run, or its journal cannot be read.
pub fn view(store: &Store, run: RunId) -> Result<RunView, ApiError> {
    Ok(view_of(&load::fold_run(store, run)?))
}

/// A folded run as people see it.
pub fn view_of(state: &RunState) -> RunView {
    let steps = state.definition.steps.iter().zip(&state.steps);
    let tasks = state.tasks.iter().map(|(seq, task)| TaskView {
        id: TaskId::of_entry(state.run, *seq, task.opened_at),
        run: state.run,
        path: task.path.to_string(),
        opened_at: task.opened_at,
        ask: task.ask.clone(),
    });
    RunView {
        id: state.run,
        workflow: state.definition.workflow.slug.clone(),
        workflow_name: state.definition.workflow.name.clone(),
        workflow_hash: state.definition.workflow.hash.to_string(),
        status: state.status(),
        stop_reason: stop_reason(state),
        input: state.input.to_string(),
        usage: state.ledger.usage,
        cost: state.cost(),
        cost_known: state.ledger.settled,
        model_calls: state.ledger.model_calls,
        tool_calls: state.ledger.tool_calls,
        turns: state.ledger.turns,
        limits: state.limits,
        steps: steps.map(|(def, step)| step_view(def, step, "")).collect(),
        result: state.result_text(),
        artifacts: state.artifacts.clone(),
        result_file: state.result_file.clone(),
        tasks: tasks.collect(),
        queued: state
            .queued
            .iter()
            .map(|words| QueuedView {
                seq: words.seq,
                text: words.text.to_string(),
                when: words.when,
            })
            .collect(),
        started_at: state.created_at,
        updated_at: state.now,
        head: state.head,
        unknown_entry: state
            .unknown
            .as_ref()
            .map(|(seq, kind)| format!("{kind} at {seq}")),
        dry_run: state.definition.dry_run,
    }
}

/// Why the run ended or stands still; a run that waits for a person says for which task.
pub(crate) fn stop_reason(state: &RunState) -> Option<StopReason> {
    if let Some(reason) = state.stop_reason() {
        return Some(reason.clone());
    }
    let (seq, task) = state
        .tasks
        .iter()
        .next()
        .filter(|_| state.waits_for_person())?;
    let task = TaskId::of_entry(state.run, *seq, task.opened_at).to_string();
    Some(StopReason::WaitingForPerson { task })
}

fn step_view(def: &StepDef, step: &StepState, parent: &str) -> StepView {
    let path = if parent.is_empty() {
        def.id.clone()
    } else {
        format!("{parent}/{}", def.id)
    };
    let branches = match &def.work {
        Work::Parallel(parallel) => parallel
            .steps
            .iter()
            .zip(&step.children)
            .map(|(def, child)| step_view(def, child, &path))
            .collect(),
        Work::Speak { .. } | Work::Chat(_) | Work::Pinned { .. } => Vec::new(),
    };
    StepView {
        name: def.name.clone(),
        status: step_status(step),
        agents: match &def.work {
            Work::Speak { agents } => agents.clone(),
            Work::Chat(chat) => chat.agents.clone(),
            Work::Parallel(_) | Work::Pinned { .. } => Vec::new(),
        },
        turns: step.turns.len(),
        usage: step.ledger.usage,
        cost_known: step.ledger.settled,
        started_at: step.started_at,
        finished_at: step.finished_at,
        result: step.result_text(def),
        why: match &step.phase {
            StepPhase::Finished(StepOutcome::Message { why, .. }) => why.clone(),
            StepPhase::Finished(StepOutcome::Failed { error }) => Some(StopReason::Failed {
                error: error.clone(),
            }),
            _ => None,
        },
        branches,
        path,
        pinned: matches!(def.work, Work::Pinned { .. }),
    }
}

fn step_status(step: &StepState) -> StepStatus {
    match &step.phase {
        StepPhase::Pending | StepPhase::PlanApproved => StepStatus::Pending,
        StepPhase::PlanAsked { .. } => StepStatus::Waiting,
        StepPhase::Running => StepStatus::Running,
        StepPhase::Finished(StepOutcome::Message { .. } | StepOutcome::Branches) => {
            StepStatus::Done
        }
        StepPhase::Finished(StepOutcome::Skipped) => StepStatus::Skipped,
        StepPhase::Finished(StepOutcome::Failed { .. }) => StepStatus::Failed,
    }
}

/// Whether nothing moves without a person or a resume, or the run is over.
pub(crate) fn stands_still(state: &RunState) -> bool {
    let settled = !state
        .calls
        .values()
        .any(|call| matches!(call.status, bwana_workflow::machine::CallStatus::InFlight));
    match state.phase {
        Phase::Ended(_) => true,
        Phase::Paused(_) => settled,
        Phase::Running => state.waits_for_person(),
        Phase::Stopping(_) => false,
    }
}
