//! The file format of an agent: `schema: bwana.agent/v1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Duration;

/// The schema line of an agent file.
pub const AGENT_SCHEMA: &str = "bwana.agent/v1";

/// A named role: instructions, model, tools and capabilities. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentFile {
    /// Always `bwana.agent/v1`.
    pub schema: String,
    /// Slug: lower-case letters, digits and underscores, at most 40 characters.
    pub id: String,
    /// What people see.
    pub name: String,
    #[serde(rename = "type", default)]
    pub kind: AgentKind,
    /// What this agent is for, in one sentence: shown to people and to a selector.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The system prompt, a template over `agent, team, workflow, step, input, results, locale, today`.
    pub instructions: String,
    /// A shorter variant for models under about four billion parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions_small: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Tool names this agent may call. A name that is not installed is kept and reported, not offered to the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// `default`, `PROVIDER/MODEL`, or a list of them as a fallback chain.
    #[serde(default)]
    pub model: ModelChoice,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryScope>,
    /// Output tokens a call of this agent may produce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    Analysis,
    Development,
    Support,
    Business,
    Operations,
    #[default]
    Custom,
}

/// Which model an agent uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ModelChoice {
    One(String),
    Fallback(Vec<String>),
}

impl Default for ModelChoice {
    fn default() -> Self {
        Self::One(String::from("default"))
    }
}

impl ModelChoice {
    /// The choices in order of preference.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(model) => std::slice::from_ref(model),
            Self::Fallback(models) => models,
        }
    }
}

/// How long and for whom an agent remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryScope {
    pub scope: MemoryReach,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemoryReach {
    Agent,
    Team,
    Workflow,
    Run,
}
