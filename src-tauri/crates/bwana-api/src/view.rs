//! A run as every door shows it: the engine's view with times as text, money as dollars and paths that can be opened.
//! Codes, not sentences: what they mean in words is the host's business.

use std::collections::BTreeSet;

use bwana_engine::{RunView, StepStatus, StepView, TaskView};
use bwana_store::RunInfo;
use bwana_types::entry::Seq;
use bwana_types::error::ApiError;
use bwana_types::id::RunId;
use bwana_types::message::Usage;
use bwana_types::status::{RunStatus, StopReason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, artifacts_folder};
use crate::grants;
use crate::say::QueuedShown;
use crate::shape::{Dollars, Time};
use crate::tasks::TaskShown;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunShown {
    pub id: RunId,
    pub status: RunStatus,
    /// Why it ended or stands still.
    pub stop_reason: Option<StopReason>,
    pub workflow: String,
    pub workflow_name: String,
    pub workflow_hash: String,
    /// `PROVIDER/MODEL` of every agent's first choice.
    pub models: Vec<String>,
    pub input: String,
    pub usage: Usage,
    /// US dollars; `null` if some price is unknown, which is not zero.
    pub cost: Option<Dollars>,
    /// What is known of the cost.
    pub cost_known: Dollars,
    pub model_calls: u32,
    pub tool_calls: u32,
    pub turns: u32,
    pub limits: LimitsShown,
    pub steps: Vec<StepShown>,
    pub steps_done: usize,
    /// The text of the last step, once there is one.
    pub result: Option<String>,
    /// The file the whole result was saved as.
    pub result_file: Option<String>,
    /// The folder of the files this run wrote; it exists once there is one.
    pub folder: String,
    pub artifacts: Vec<ArtifactShown>,
    /// Open questions to the person.
    pub tasks: Vec<TaskShown>,
    /// What the person said and nobody has heard yet.
    #[serde(default)]
    pub queued: Vec<QueuedShown>,
    /// The run this one shares its beginning with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ForkedFrom>,
    pub started_at: Time,
    pub updated_at: Time,
    /// From the first entry to the last, in milliseconds.
    pub elapsed_ms: i64,
    pub head_seq: Seq,
    /// A newer program wrote this run: it can be shown, but not continued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_entry: Option<String>,
    /// A rehearsal: nothing outside the run's own folder is changed.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForkedFrom {
    pub run: RunId,
    /// The last shared entry.
    pub at: Seq,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitsShown {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<Dollars>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepShown {
    pub path: String,
    pub name: String,
    /// `pending`, `waiting`, `running`, `done`, `failed` or `skipped`.
    pub status: String,
    pub agents: Vec<String>,
    pub turns: usize,
    pub usage: Usage,
    pub cost_known: Dollars,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub result: Option<String>,
    /// What ended a chat, or why the step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<StopReason>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<StepShown>,
    /// Its result was given with the run; nobody worked on it.
    #[serde(default)]
    pub pinned: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactShown {
    /// Relative to the run's folder.
    pub file: String,
    pub bytes: u64,
    /// BLAKE3, in hex.
    pub hash: String,
}

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunLine {
    pub id: RunId,
    pub status: RunStatus,
    pub stop_reason: Option<StopReason>,
    pub workflow: String,
    /// The beginning of what was asked.
    pub title: String,
    pub usage: Usage,
    /// US dollars; `null` if some price is unknown.
    pub cost: Option<Dollars>,
    pub cost_known: Dollars,
    /// The step at work, or the last one.
    pub step: Option<String>,
    pub steps_done: u32,
    pub steps_total: u32,
    pub head_seq: Seq,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ForkedFrom>,
    pub started_at: Time,
    pub updated_at: Time,
}

impl RunShown {
    pub(crate) fn of(app: &App, view: RunView) -> Result<Self, ApiError> {
        let info = app.store()?.run(view.id)?;
        let folder = artifacts_folder(app.home()).join(view.id.to_string());
        let result_file = view
            .result_file
            .as_ref()
            .map(|file| folder.join(&file.file));
        let models = models(app, &view)?;
        let steps: Vec<StepShown> = view.steps.iter().map(StepShown::from).collect();
        let over = |status: &str| matches!(status, "done" | "failed" | "skipped");
        Ok(Self {
            steps_done: steps.iter().filter(|step| over(&step.status)).count(),
            id: view.id,
            status: view.status,
            stop_reason: view.stop_reason,
            workflow: view.workflow,
            workflow_name: view.workflow_name,
            workflow_hash: view.workflow_hash,
            models,
            input: view.input,
            usage: view.usage,
            cost: view.cost.map(Dollars),
            cost_known: Dollars(view.cost_known),
            model_calls: view.model_calls,
            tool_calls: view.tool_calls,
            turns: view.turns,
            limits: LimitsShown {
                usd: view.limits.micro_usd.map(Dollars),
                tokens: view.limits.tokens,
                calls: view.limits.calls,
                turns: view.limits.turns,
                elapsed_ms: view.limits.elapsed_ms,
            },
            steps,
            result: view.result,
            result_file: result_file.map(|file| file.display().to_string()),
            folder: folder.display().to_string(),
            artifacts: view
                .artifacts
                .iter()
                .map(|artifact| ArtifactShown {
                    file: artifact.file.clone(),
                    bytes: artifact.bytes,
                    hash: artifact.hash.to_string(),
                })
                .collect(),
            tasks: tasks(view.tasks, &info),
            queued: view.queued.into_iter().map(QueuedShown::from).collect(),
            forked_from: forked_from(&info),
            started_at: Time(view.started_at),
            updated_at: Time(view.updated_at),
            elapsed_ms: view.updated_at.ms_since(view.started_at),
            head_seq: view.head,
            unknown_entry: view.unknown_entry,
            dry_run: view.dry_run,
        })
    }
}

/// The first choice of every agent, each once.
fn models(app: &App, view: &RunView) -> Result<Vec<String>, ApiError> {
    let bytes = app.store()?.definition_of(view.id)?;
    let definition: bwana_types::definition::Definition =
        serde_json::from_slice(&bytes).map_err(|error| {
            ApiError::new(
                bwana_types::error::ErrorCode::StoreDamaged,
                format!("the definition of run {} cannot be read: {error}", view.id),
            )
        })?;
    let models: BTreeSet<String> = definition
        .agents
        .values()
        .filter_map(|agent| agent.models.first())
        .map(|model| format!("{}/{}", model.provider, model.model))
        .collect();
    Ok(models.into_iter().collect())
}

/// The name of a step's state, and the state behind it in the list of all.
const fn step_state(state: StepStatus) -> (&'static str, Option<StepStatus>) {
    match state {
        StepStatus::Pending => ("pending", Some(StepStatus::Waiting)),
        StepStatus::Waiting => ("waiting", Some(StepStatus::Running)),
        StepStatus::Running => ("running", Some(StepStatus::Done)),
        StepStatus::Done => ("done", Some(StepStatus::Failed)),
        StepStatus::Failed => ("failed", Some(StepStatus::Skipped)),
        StepStatus::Skipped => ("skipped", None),
    }
}

/// Every state of a step by name.
pub(crate) fn step_states() -> impl Iterator<Item = &'static str> {
    let next = |state: &StepStatus| step_state(*state).1;
    std::iter::successors(Some(StepStatus::Pending), next).map(|state| step_state(state).0)
}

fn forked_from(info: &RunInfo) -> Option<ForkedFrom> {
    info.parent.map(|(run, at)| ForkedFrom { run, at })
}

impl From<&StepView> for StepShown {
    fn from(step: &StepView) -> Self {
        Self {
            path: step.path.clone(),
            name: step.name.clone(),
            status: step_state(step.status).0.to_owned(),
            agents: step.agents.clone(),
            turns: step.turns,
            usage: step.usage,
            cost_known: Dollars(step.cost_known),
            started_at: step.started_at.map(Time),
            finished_at: step.finished_at.map(Time),
            result: step.result.clone(),
            why: step.why.clone(),
            branches: step.branches.iter().map(Self::from).collect(),
            pinned: step.pinned,
        }
    }
}

fn tasks(open: Vec<TaskView>, info: &RunInfo) -> Vec<TaskShown> {
    let shown = |task: TaskView| TaskShown {
        id: task.id,
        run: task.run,
        run_title: info.title.clone(),
        workflow: info.workflow.clone(),
        path: task.path,
        kind: task.ask.kind(),
        status: crate::tasks::TaskStatus::Open,
        scopes: grants::offers(&task.ask),
        risk: grants::risk(&task.ask),
        second_key: grants::needs_second_key(&task.ask),
        ask: task.ask,
        opened_at: Time(task.opened_at),
        decision: None,
    };
    open.into_iter().map(shown).collect()
}

impl From<&RunInfo> for RunLine {
    fn from(info: &RunInfo) -> Self {
        let cost = Dollars(info.row.cost);
        Self {
            id: info.id,
            status: info.row.status,
            stop_reason: info.row.stop_reason.clone(),
            workflow: info.workflow.clone(),
            title: info.title.clone(),
            usage: info.row.usage,
            cost: (!info.row.cost_unknown).then_some(cost),
            cost_known: cost,
            step: info.row.step.clone(),
            steps_done: info.row.steps_done,
            steps_total: info.row.steps_total,
            head_seq: info.head_seq,
            forked_from: forked_from(info),
            started_at: Time(info.created_at),
            updated_at: Time(info.updated_at),
        }
    }
}
