//! The shapes of chat completion replies, read so that one odd field never costs the rest of an answer.
//! Only what we use is named; everything else passes unseen.

use std::borrow::Cow;

use bwana_types::message::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::loose::{Loose, Text, text, tokens};

/// A chunk of a stream, or a whole reply: the second has `message` where the first has `delta`.
#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    pub(super) usage: Loose<WireUsage>,
    #[serde(default)]
    pub(super) x_groq: Loose<XGroq>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    /// `error` for servers that send their error unwrapped.
    #[serde(borrow, default)]
    pub(super) object: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub(super) index: Loose<i64>,
    #[serde(borrow, default)]
    pub(super) delta: Loose<Said<'a>>,
    #[serde(borrow, default)]
    pub(super) message: Loose<Said<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Text<'a>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

/// A `delta` or a `message`.
#[derive(Deserialize)]
pub(super) struct Said<'a> {
    /// Text, or a list of typed pieces.
    #[serde(borrow, default)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) reasoning_content: Text<'a>,
    #[serde(borrow, default)]
    pub(super) reasoning: Text<'a>,
    #[serde(default)]
    pub(super) reasoning_details: Loose<Vec<serde_json::Value>>,
    #[serde(borrow, default)]
    pub(super) refusal: Text<'a>,
    /// A list, or one call where a server forgot the list.
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<&'a RawValue>,
    /// The form before `tool_calls`.
    #[serde(borrow, default)]
    pub(super) function_call: Loose<WireFunction<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireCall<'a> {
    #[serde(default)]
    pub(super) index: Loose<i64>,
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) function: Loose<WireFunction<'a>>,
}

#[derive(Deserialize)]
pub(super) struct WireFunction<'a> {
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    /// Text, or the object itself.
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct XGroq {
    #[serde(default)]
    pub(super) usage: Loose<WireUsage>,
}

#[derive(Deserialize, Default)]
pub(super) struct WireUsage {
    #[serde(default)]
    prompt_tokens: Loose<f64>,
    #[serde(default)]
    completion_tokens: Loose<f64>,
    #[serde(default)]
    total_tokens: Loose<f64>,
    #[serde(default)]
    prompt_tokens_details: Loose<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Loose<CompletionDetails>,
    /// DeepSeek's name for what it read from its cache.
    #[serde(default)]
    prompt_cache_hit_tokens: Loose<f64>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Loose<f64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Loose<f64>,
}

impl WireUsage {
    /// The usage, or `None` for the all-zero one some servers put into every chunk: it tells nothing.
    pub(super) fn usage(&self) -> Option<Usage> {
        let count = |n: &Loose<f64>| n.0.map_or(0, tokens);
        let input_tokens = count(&self.prompt_tokens);
        let output_tokens = match self.completion_tokens.0 {
            Some(n) => tokens(n),
            None => count(&self.total_tokens).saturating_sub(input_tokens),
        };
        let details = self.prompt_tokens_details.0.as_ref();
        let cached_tokens = details
            .and_then(|d| d.cached_tokens.0)
            .or(self.prompt_cache_hit_tokens.0)
            .map_or(0, tokens);
        let details = self.completion_tokens_details.0.as_ref();
        let reasoning_tokens = details.and_then(|d| d.reasoning_tokens.0).map_or(0, tokens);
        (input_tokens > 0 || output_tokens > 0).then_some(Usage {
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            estimated: false,
        })
    }
}

/// `content` taken apart: what is said and what is thought.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Content<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) reasoning: Cow<'a, str>,
}

/// Reads `content`: text, a list of typed pieces (Mistral and others), or nothing.
pub(super) fn content(raw: &RawValue) -> Content<'_> {
    if let Some(text) = text(raw) {
        return Content {
            text,
            reasoning: Cow::default(),
        };
    }
    let mut content = Content::default();
    let pieces: Vec<serde_json::Value> = serde_json::from_str(raw.get()).unwrap_or_default();
    for piece in &pieces {
        match piece.get("type").and_then(|t| t.as_str()) {
            Some("thinking" | "reasoning") => push_texts(piece, content.reasoning.to_mut()),
            Some("text" | "output_text") | None => push_texts(piece, content.text.to_mut()),
            Some(_) => {} // references, images: nothing a text answer can hold
        }
    }
    content
}

fn push_texts(piece: &serde_json::Value, out: &mut String) {
    match piece {
        serde_json::Value::String(text) => out.push_str(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| push_texts(item, out)),
        serde_json::Value::Object(map) => {
            if let Some(inner) = ["text", "thinking", "reasoning"]
                .iter()
                .find_map(|k| map.get(*k))
            {
                push_texts(inner, out);
            }
        }
        _ => {}
    }
}
