//! The resolved definition of a run: the workflow, its agents with all defaults filled, and the tools with their
//! classes. A run reads nothing else, so a file edited later cannot change a run that exists. Stored once, by hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::AgentKind;
use crate::hash::Hash;
use crate::money::MicroUsd;
use crate::tool::ToolSpec;
use crate::workflow::{Join, Select, StopCondition, Summary};

/// Turns of a chat when nothing else is said.
pub const DEFAULT_MAX_ROUND: u32 = 10;
/// Branches of a parallel step in flight at once when nothing else is said.
pub const DEFAULT_PARALLEL_WIDTH: u32 = 4;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    pub workflow: WorkflowRef,
    /// By id. The order in which agents work stands in the steps.
    pub agents: BTreeMap<String, AgentDef>,
    /// By name: every tool an agent of this run may call.
    pub tools: BTreeMap<String, ToolSpec>,
    pub limits: RunLimits,
    pub steps: Vec<StepDef>,
    /// BCP 47 tag of the person's language, for prompts.
    pub locale: String,
    /// A rehearsal: no tool that changes anything outside the run's own folder is used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

impl Definition {
    /// The hash under which this definition is stored.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.to_bytes())
    }

    /// RFC 8785 canonical JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        crate::hash::canonical_json(&serde_json::to_value(self).unwrap_or(Value::Null))
    }
}

/// Which file a run was made from. The hash is that of the file's parsed content before defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRef {
    pub slug: String,
    pub name: String,
    pub hash: Hash,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentDef {
    pub id: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: AgentKind,
    pub description: String,
    /// The template that fits the model: the compact variant for small ones.
    pub instructions: String,
    pub capabilities: Vec<String>,
    /// Names of installed tools, all present in [`Definition::tools`].
    pub tools: Vec<String>,
    /// The model to use, then the fallbacks. Never empty.
    pub models: Vec<ModelRef>,
    pub max_output_tokens: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
}

/// A model of a provider with what planning a call needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRef {
    pub provider: String,
    /// Sent as it is.
    pub model: String,
    pub context_tokens: u32,
    pub price: Price,
    /// Tool calls go through JSON constrained by a schema instead of the provider's own tool calling.
    #[serde(default)]
    pub constrained_tools: bool,
    /// Under about four billion parameters: agents get their compact instructions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub small: bool,
}

/// US dollars per million tokens. `None` is unknown, which is not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    pub input_per_mtok: Option<MicroUsd>,
    pub output_per_mtok: Option<MicroUsd>,
}

impl Price {
    pub const FREE: Self = Self {
        input_per_mtok: Some(MicroUsd::ZERO),
        output_per_mtok: Some(MicroUsd::ZERO),
    };

    pub fn is_known(self) -> bool {
        self.input_per_mtok.is_some() && self.output_per_mtok.is_some()
    }

    /// What so many tokens cost, or `None` if a price is unknown.
    pub fn cost(self, input_tokens: u64, output_tokens: u64) -> Option<MicroUsd> {
        let input = MicroUsd::of_tokens(input_tokens, self.input_per_mtok?);
        Some(input.saturating_add(MicroUsd::of_tokens(output_tokens, self.output_per_mtok?)))
    }
}

/// Hard limits. `None` does not limit.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct RunLimits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_usd: Option<MicroUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepDef {
    /// Slug, unique among its siblings.
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    pub work: Work,
    /// Tools allowed on this step; `None`: each agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Ids of earlier steps whose results are shown; `None`: all before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approve_plan: bool,
    /// JSON Schema of the result, for the last speaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    #[serde(default)]
    pub limits: RunLimits,
}

/// Who works on a step, and how they talk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "pattern", rename_all = "snake_case")]
pub enum Work {
    /// Each agent speaks once, in this order.
    Speak {
        agents: Vec<String>,
    },
    Chat(ChatDef),
    Parallel(ParallelDef),
    /// Nobody works: the result was given with the run, to try the steps after it.
    Pinned {
        text: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatDef {
    pub agents: Vec<String>,
    pub select: Select,
    pub allow_repeat: bool,
    pub max_round: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopCondition>,
    pub summary: Summary,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParallelDef {
    pub join: Join,
    pub width: u32,
    pub steps: Vec<StepDef>,
}
