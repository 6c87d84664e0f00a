//! How one provider differs from the others that speak its dialect, as data: presets to start from, each field
//! changeable by the person who knows their server better. Model names are never interpreted here or elsewhere.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The differences of one provider. An unknown key is an error, a missing one takes the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// Which field limits the output; switched once by itself when a provider refuses it.
    pub max_tokens_field: MaxTokensField,
    /// Whether `stream_options: {include_usage: true}` is sent; dropped by itself when refused.
    pub usage_option: bool,
    /// Optional fields never sent (`temperature`, `seed`, `stop`, ...); grows by itself when one is refused.
    pub omit: BTreeSet<String>,
    /// The field in which a model's reasoning goes back to it, if it wants it back.
    pub echo_reasoning: Option<String>,
    /// `reasoning_effort` sent when tools are offered, for models that refuse tools otherwise.
    pub effort_with_tools: Option<String>,
    /// What ids of tool calls must look like.
    pub tool_id: IdRule,
    /// Where system messages may stand.
    pub system: SystemRule,
    /// Neighbours of the same role become one message, and the conversation starts with the user.
    pub merge_same_role: bool,
    /// The user, or a tool, speaks last; switched on by itself when a provider insists.
    pub user_speaks_last: bool,
    /// Where the dialect has marks for what the provider should cache, they are set; dropped by itself when refused.
    pub prompt_cache: bool,
    /// How structured output is asked for.
    pub schema: SchemaRule,
    /// Tool arguments are asked for in strict mode where that does not change what they mean.
    pub strict_tools: bool,
    /// Sent as it is when tools are offered; `None` sends nothing.
    pub parallel_tool_calls: Option<bool>,
    /// Sent as it is with every request: calls with one key find the cached beginning of each other's prompts.
    pub prompt_cache_key: Option<String>,
    /// Tokens of context a server of its own models is told to make room for (`num_ctx`); it cuts what does not fit.
    pub num_ctx: Option<u32>,
    /// Keep connections for later calls. Off for servers that close theirs after each stream.
    pub idle_pool: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            max_tokens_field: MaxTokensField::MaxTokens,
            usage_option: true,
            omit: BTreeSet::new(),
            echo_reasoning: None,
            effort_with_tools: None,
            tool_id: IdRule::Clean,
            system: SystemRule::AsGiven,
            merge_same_role: false,
            user_speaks_last: false,
            prompt_cache: true,
            schema: SchemaRule::Plain,
            strict_tools: false,
            parallel_tool_calls: None,
            prompt_cache_key: None,
            num_ctx: None,
            idle_pool: true,
        }
    }
}

impl Quirks {
    /// These, with system messages first and apart, users and models in turns, and the user last: what the dialects of
    /// Anthropic and Google are made of.
    #[must_use]
    pub(crate) fn ordered(self) -> Self {
        Self {
            system: SystemRule::FirstOnly,
            merge_same_role: true,
            user_speaks_last: true,
            tool_id: IdRule::Clean,
            ..self
        }
    }
}

/// The field that limits output tokens.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    #[default]
    MaxTokens,
    MaxCompletionTokens,
}

/// What a provider accepts as the id of a tool call. Ids are mapped on the wire only, the same way on call and result.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum IdRule {
    /// Anything.
    Any,
    /// At most 40 characters of `[a-zA-Z0-9_-]`.
    #[default]
    Clean,
    /// Exactly nine of `[a-zA-Z0-9]`.
    Nine,
}

/// Where a provider accepts system messages.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SystemRule {
    /// Anywhere.
    #[default]
    AsGiven,
    /// One, at the beginning; later ones are sent as the user's.
    FirstOnly,
    /// None: they are put in front of the first user message.
    AsUser,
}

/// How a provider is asked for an answer of a given schema.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SchemaRule {
    /// `json_schema` with `strict`, and the schema in the subset strict mode takes.
    Strict,
    /// `json_schema` with the schema as it is.
    #[default]
    Plain,
    /// `json_object`, and the schema in the prompt.
    JsonObject,
    /// Only in the prompt.
    Prompt,
}
