//! The shapes of generateContent replies. Only what we use is named; everything else passes unseen.

use bwana_types::message::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::loose::{Loose, Text, tokens};

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
#[serde(rename_all = "camelCase")]
pub(super) struct WireUsage {
    #[serde(default)]
    prompt_token_count: Loose<f64>,
    /// Of the prompt.
    #[serde(default)]
    cached_content_token_count: Loose<f64>,
    /// What tools of the server put into the prompt.
    #[serde(default)]
    tool_use_prompt_token_count: Loose<f64>,
    #[serde(default)]
    candidates_token_count: Loose<f64>,
    /// Beside the candidates'.
    #[serde(default)]
    thoughts_token_count: Loose<f64>,
    #[serde(default)]
    total_token_count: Loose<f64>,
}

impl WireUsage {
    pub(super) fn usage(&self) -> Option<Usage> {
        let count = |n: &Loose<f64>| n.0.map_or(0, tokens);
        let input_tokens =
            count(&self.prompt_token_count) + count(&self.tool_use_prompt_token_count);
        let reasoning_tokens = count(&self.thoughts_token_count);
        let output_tokens = match self.candidates_token_count.0 {
            Some(n) => tokens(n) + reasoning_tokens,
            None => count(&self.total_token_count)
                .saturating_sub(input_tokens)
                .max(reasoning_tokens),
        };
        (input_tokens > 0 || output_tokens > 0).then_some(Usage {
            input_tokens,
            output_tokens,
            cached_tokens: count(&self.cached_content_token_count),
            reasoning_tokens,
            estimated: false,
        })
    }
}
