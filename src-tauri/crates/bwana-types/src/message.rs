//! What people, agents and models say to each other: roles, parts, usage and why a model stopped.
//! Provider-neutral; a dialect turns these into its own wire format and back. Nothing here knows a provider.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who a message is from, as a model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    User,
    Assistant,
    /// Results of tool calls; every part is a [`Part::ToolResult`].
    Tool,
}

/// One piece of a message. Text is shared, because a transcript of a thousand turns is built anew for every call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    Text {
        text: Arc<str>,
    },
    Image {
        mime: String,
        /// Base64, as every dialect wants it.
        data: Arc<str>,
    },
    /// What a model thought before it answered. `opaque` must go back unchanged to the same dialect and model, and to no other.
    Reasoning {
        text: Arc<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Opaque>,
    },
    ToolCall(ToolCall),
    ToolResult {
        /// The id of the call this answers.
        id: Arc<str>,
        name: Arc<str>,
        content: Arc<str>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

impl Part {
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text { text: text.into() }
    }

    /// The visible text of this part, if it has any.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Image { .. }
            | Self::Reasoning { .. }
            | Self::ToolCall(_)
            | Self::ToolResult { .. } => None,
        }
    }
}

/// A model's wish to use a tool. `args` is the raw text the model wrote: it may be cut or no JSON at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    pub id: Arc<str>,
    pub name: Arc<str>,
    pub args: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Opaque>,
}

/// Provider data that means nothing to us and everything to its origin (signatures, encrypted reasoning).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Opaque {
    pub dialect: String,
    pub model: String,
    pub data: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
}

impl Message {
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts }
    }

    pub fn text(role: Role, text: impl Into<Arc<str>>) -> Self {
        Self {
            role,
            parts: vec![Part::text(text)],
        }
    }
}

/// The visible text of `parts`, joined by line breaks; one part is shared, not copied.
pub fn text_of(parts: &[Part]) -> Arc<str> {
    let mut texts = parts.iter().filter_map(|part| match part {
        Part::Text { text } if !text.is_empty() => Some(text),
        _ => None,
    });
    let Some(first) = texts.next() else {
        return Arc::from("");
    };
    let rest: Vec<&str> = texts.map(AsRef::as_ref).collect();
    if rest.is_empty() {
        return Arc::clone(first);
    }
    let mut joined = first.to_string();
    for text in rest {
        joined.push('\n');
        joined.push_str(text);
    }
    joined.into()
}

/// Why a model stopped. An unknown word of a provider is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    Done,
    ToolCalls,
    Length,
    StopSequence,
    Filtered,
    Refused,
    Paused,
    Other(String),
}

/// Tokens of one call. `estimated` says that the provider did not tell and we counted ourselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Part of `input_tokens` that the provider read from its cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Part of `output_tokens` spent on reasoning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl Usage {
    pub fn total_tokens(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The sum of two usages; estimated if either is.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            estimated: self.estimated || other.estimated,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde's skip_serializing_if asks for"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}
