//! The file format of a workflow: `schema: bwana.workflow/v1`. What people write, before defaults are filled in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::money::Usd;
use crate::time::Duration;

/// The schema line of a workflow file.
pub const WORKFLOW_SCHEMA: &str = "bwana.workflow/v1";

/// A versioned definition: steps, agents, patterns and limits. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowFile {
    /// Always `bwana.workflow/v1`.
    pub schema: String,
    /// Slug: lower-case letters, digits and underscores, at most 40 characters.
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Agents that work here; a plain step is done by all of them in this order.
    pub agents: Vec<String>,
    /// JSON Schema of the input; default: one string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    pub steps: Vec<StepEntry>,
}

/// A step as a plain name or in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum StepEntry {
    /// Every agent of the workflow speaks once, in order, on this step.
    Name(String),
    Full(Box<StepFile>),
}

/// A step in full. Exactly one of `agent`, `agents`, `chat` and `parallel`, or none for all agents of the workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepFile {
    /// Slug; the slug of the name if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    /// What to do, if the name does not say enough; a template like an agent's instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<ChatFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<ParallelFile>,
    /// Tools allowed on this step; default: each agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Earlier results this step sees, by step id; default: all before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<String>>,
    /// `plan`: a person looks at the step before it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<ApproveFile>,
    /// JSON Schema of the step's result; the last speaker then answers in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApproveFile {
    Plan,
}

/// Limits of a workflow, a run or a step. What is absent does not limit, except where the engine has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Turns of one chat step; the default for chats, never a cap on the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_round: Option<u32>,
    /// US dollars, like 1.00.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_usd: Option<Usd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed: Option<Duration>,
}

impl Limits {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Several agents talk until a stop condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatFile {
    pub agents: Vec<String>,
    #[serde(default)]
    pub select: Select,
    /// Whether the same agent may speak twice in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_repeat: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_round: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopCondition>,
    #[serde(default)]
    pub summary: Summary,
}

/// Who speaks next in a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    #[default]
    RoundRobin,
    /// A model picks one name out of those allowed.
    Selector,
}

/// What a chat's result is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Summary {
    #[default]
    LastMessage,
    /// One more model call sums the chat up.
    Model,
}

/// When a chat ends. Counters are folds over the journal, so they survive a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopCondition {
    All(Vec<StopCondition>),
    Any(Vec<StopCondition>),
    Not(Box<StopCondition>),
    /// Turns of this chat.
    Rounds(u32),
    Messages(u32),
    /// Tokens of all calls of this chat.
    Tokens(u64),
    /// US dollars spent in this chat.
    Cost(Usd),
    Elapsed(Duration),
    /// The last message contains this text.
    Text(String),
    /// This tool was called in the last turn.
    ToolCalled(String),
    /// The last message is from this agent.
    Source(String),
    /// The no-progress detector fired.
    NoProgress(bool),
}

/// Branches that work at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParallelFile {
    #[serde(default)]
    pub join: Join,
    /// Branches in flight at once; default 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    pub steps: Vec<StepEntry>,
}

/// When a parallel step is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Every branch has succeeded.
    #[default]
    All,
    /// The first branch to succeed; the others stop.
    Any,
}
