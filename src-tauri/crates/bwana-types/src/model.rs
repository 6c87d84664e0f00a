//! One model call as data: the request, the answer, and every way it can fail.
//! The trait that performs it lives in `bwana-llm`; the journal and the machines only know these shapes.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::{Message, Part, Stop, Usage};

/// A model call, provider-neutral. `model` is sent exactly as given: no model name is ever interpreted.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub model: String,
    /// System messages first, then the conversation. The codec repairs what its dialect does not accept.
    pub messages: Vec<Message>,
    pub tools: Vec<ToolDecl>,
    pub tool_choice: ToolChoice,
    /// When set, the answer's text must be JSON of this schema.
    pub schema: Option<OutputSchema>,
    /// Output tokens the provider may produce; always sent, because the budget reserves it.
    pub max_output_tokens: u32,
    pub temperature: Option<f32>,
    pub seed: Option<u64>,
    pub stop: Vec<String>,
    /// Fields added to the request body as they are, for what a provider alone knows.
    pub extra: serde_json::Map<String, Value>,
}

impl Request {
    pub fn new(model: impl Into<String>, messages: Vec<Message>) -> Self {
        Self {
            model: model.into(),
            messages,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            schema: None,
            max_output_tokens: DEFAULT_MAX_OUTPUT_TOKENS,
            temperature: None,
            seed: None,
            stop: Vec::new(),
            extra: serde_json::Map::new(),
        }
    }
}

/// Output tokens asked for when nothing else is said.
pub const DEFAULT_MAX_OUTPUT_TOKENS: u32 = 2_048;
/// The least output a call is worth making for; a budget that leaves less is exhausted.
pub const MIN_MAX_OUTPUT_TOKENS: u32 = 256;

/// A tool as a model is told about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDecl {
    pub name: String,
    pub description: String,
    /// JSON Schema of the arguments, an object.
    pub parameters: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    None,
    Required,
    Named(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct OutputSchema {
    /// `[A-Za-z0-9_-]{1,64}`, which some dialects require.
    pub name: String,
    pub schema: Value,
}

/// A piece of an answer on its way. Deltas are shown, never journaled.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    Text(String),
    Reasoning(String),
    ToolStart {
        slot: usize,
        id: String,
        name: String,
    },
    ToolArgs {
        slot: usize,
        piece: String,
    },
    /// The provider is alive but said nothing (a ping).
    Alive,
}

/// A whole answer, or the part of it that arrived before a failure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    pub parts: Vec<Part>,
    /// `None` when the answer broke off.
    pub stop: Option<Stop>,
    /// `None` when the provider did not tell; the engine then estimates and says so.
    pub usage: Option<Usage>,
    /// The model as the provider names it.
    pub model: String,
    pub response_id: Option<String>,
    pub meta: Meta,
}

/// What the transport saw around an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meta {
    pub status: Option<u16>,
    pub request_id: Option<String>,
    /// Rate limit headers as they came, lower-case names.
    pub rate: Vec<(String, String)>,
    pub first_token_after: Option<Duration>,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// A model call that did not give a whole answer. The partial is kept: money was spent on it.
#[derive(Debug, Clone, PartialEq)]
pub struct LlmError {
    pub kind: ErrorKind,
    /// One sentence: what failed, with which provider, in the provider's words where it spoke.
    pub message: String,
    pub status: Option<u16>,
    pub retry_after: Option<Duration>,
    pub request_id: Option<String>,
    /// The provider's answer, at most [`ERROR_BODY_MAX_BYTES`].
    pub body: String,
    pub partial: Box<Outcome>,
}

/// How much of a provider's error answer is kept.
pub const ERROR_BODY_MAX_BYTES: usize = 16 * 1024;

impl LlmError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            retry_after: None,
            request_id: None,
            body: String::new(),
            partial: Box::default(),
        }
    }
}

impl std::fmt::Display for LlmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LlmError {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    Auth,
    /// Out of credit: a person must pay or choose another provider; waiting does not help.
    Quota,
    RateLimited,
    Overloaded,
    ContextTooLong,
    Refused,
    BadRequest,
    NotFound,
    Server,
    Unreachable,
    Timeout(Phase),
    Malformed,
    Interrupted,
    TooLarge,
}

impl ErrorKind {
    /// Whether the same call may succeed if tried again later.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::Server
            | Self::Unreachable
            | Self::Timeout(_)
            | Self::Interrupted
            | Self::Malformed => true,
            Self::Auth
            | Self::Quota
            | Self::ContextTooLong
            | Self::Refused
            | Self::BadRequest
            | Self::NotFound
            | Self::TooLarge => false,
        }
    }
}

/// Which wait ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Connect,
    Headers,
    FirstEvent,
    Idle,
    Total,
}

/// The three answers of a connection test. `asked` says what was sent where, so that a person can repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Probe {
    Works {
        model: String,
        said: String,
        latency_ms: u64,
        #[serde(default)]
        asked: String,
    },
    /// The provider answered and refused; `words` are its own.
    Rejected {
        kind: ErrorKind,
        words: String,
        #[serde(default)]
        asked: String,
    },
    Unreachable {
        cause: String,
        #[serde(default)]
        asked: String,
    },
}

/// One model a provider offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelInfo {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
}

/// Vectors for texts, in the order asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    pub vectors: Vec<Vec<f32>>,
    pub usage: Option<Usage>,
}
