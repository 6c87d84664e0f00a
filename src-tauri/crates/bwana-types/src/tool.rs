//! A tool as everybody but its implementation sees it. The implementation lives in `bwana-tools`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effect::{EffectClass, RiskClass};

/// The contract of a tool. Classes come from our registry, never from a model or from a server's own word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolSpec {
    /// Dotted name, like `http.get`. A dialect that forbids dots maps it both ways.
    pub name: String,
    /// Part of what an approval is bound to: another version needs another decision.
    pub version: String,
    /// What the tool does, in words for a model and for a person.
    pub description: String,
    /// JSON Schema of the arguments: an object without unknown properties.
    pub input_schema: Value,
    pub risk: RiskClass,
    pub effect: EffectClass,
    pub limits: ToolLimits,
}

/// What one call of a tool may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolLimits {
    pub timeout_ms: u64,
    /// Bytes of arguments a model may send.
    pub input_max_bytes: u64,
    /// Bytes of result that reach the model; the rest is cut with a note, or refused, as the tool says.
    pub output_max_bytes: u64,
}

impl Default for ToolLimits {
    fn default() -> Self {
        Self {
            timeout_ms: 30_000,
            input_max_bytes: 256 * 1024,
            output_max_bytes: 64 * 1024,
        }
    }
}
