//! The shapes of generateContent replies. Only what we use is named; everything else passes unseen.

use bwana_types::message::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::openai_chat::wire::{Loose, Text, tokens};

/// A chunk of a stream, or a whole reply: they are the same.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) candidates: Loose<Vec<Candidate<'a>>>,
    #[serde(borrow, default)]
    pub(super) prompt_feedback: Loose<Feedback<'a>>,
    #[serde(default)]
    pub(super) usage_metadata: Loose<WireUsage>,
    #[serde(borrow, default)]
    pub(super) model_version: Text<'a>,
    #[serde(borrow, default)]
    pub(super) response_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(default)]
    pub(super) index: Loose<i64>,
    #[serde(borrow, default)]
    pub(super) content: Loose<Content<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Text<'a>,
    #[serde(borrow, default)]
    pub(super) finish_message: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow, default)]
    pub(super) parts: Loose<Vec<Loose<WirePart<'a>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WirePart<'a> {
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
    #[serde(default)]
    pub(super) thought: Loose<bool>,
    #[serde(borrow, default)]
    pub(super) thought_signature: Text<'a>,
    #[serde(borrow, default)]
    pub(super) function_call: Loose<FunctionCall<'a>>,
}

#[derive(Deserialize)]
pub(super) struct FunctionCall<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) args: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feedback<'a> {
    #[serde(borrow, default)]
    pub(super) block_reason: Text<'a>,
}

/// Counts so far; the last ones are the whole.
#[derive(Deserialize)]
pub(super) struct WireUsage {
    #[serde(default, rename = "promptTokenCount")]
    prompt: Loose<f64>,
    /// Of the prompt.
    #[serde(default, rename = "cachedContentTokenCount")]
    cached_content: Loose<f64>,
    /// What tools of the server put into the prompt.
    #[serde(default, rename = "toolUsePromptTokenCount")]
    tool_use_prompt: Loose<f64>,
    #[serde(default, rename = "candidatesTokenCount")]
    candidates: Loose<f64>,
    /// Beside the candidates'.
    #[serde(default, rename = "thoughtsTokenCount")]
    thoughts: Loose<f64>,
    #[serde(default, rename = "totalTokenCount")]
    total: Loose<f64>,
}

impl WireUsage {
    pub(super) fn usage(&self) -> Option<Usage> {
        let count = |n: &Loose<f64>| n.0.map_or(0, tokens);
        let input_tokens = count(&self.prompt) + count(&self.tool_use_prompt);
        let reasoning_tokens = count(&self.thoughts);
        let output_tokens = match self.candidates.0 {
            Some(n) => tokens(n) + reasoning_tokens,
            None => count(&self.total)
                .saturating_sub(input_tokens)
                .max(reasoning_tokens),
        };
        (input_tokens > 0 || output_tokens > 0).then_some(Usage {
            input_tokens,
            output_tokens,
            cached_tokens: count(&self.cached_content),
            reasoning_tokens,
            estimated: false,
        })
    }
}
