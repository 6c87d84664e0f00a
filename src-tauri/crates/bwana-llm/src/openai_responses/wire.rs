//! The shapes of responses and their events, read so that one odd field never costs the rest of an answer.
//! Only what we use is named; everything else passes unseen.

use std::borrow::Cow;

use bwana_types::message::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::openai_chat::wire::{Loose, Text, tokens};

/// One event; which fields it has depends on its type.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Text<'a>,
    #[serde(borrow, default)]
    pub(super) item_id: Text<'a>,
    #[serde(default)]
    pub(super) output_index: Loose<i64>,
    /// Text; arguments as an object where a server does not write them as text.
    #[serde(borrow, default)]
    pub(super) delta: Option<&'a RawValue>,
    /// The whole text, in events that end one.
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
    #[serde(borrow, default)]
    pub(super) refusal: Text<'a>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

/// One thing a model gave: a message, a thought, a call.
#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Text<'a>,
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) call_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) content: Loose<Vec<Passage<'a>>>,
    #[serde(borrow, default)]
    pub(super) summary: Loose<Vec<Passage<'a>>>,
    #[serde(borrow, default)]
    pub(super) encrypted_content: Text<'a>,
}

/// A piece of a message or of a thought.
#[derive(Deserialize)]
pub(super) struct Passage<'a> {
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
    #[serde(borrow, default)]
    pub(super) refusal: Text<'a>,
}

impl Item<'_> {
    /// What the item says, and whether any of it is a refusal.
    pub(super) fn said(&self) -> (Cow<'_, str>, bool) {
        let passages = self.content.0.as_deref().unwrap_or_default();
        let refused = passages.iter().any(|p| p.refusal.as_str().is_some());
        let texts: Vec<&str> = passages
            .iter()
            .filter_map(|p| p.text.as_str().or(p.refusal.as_str()))
            .collect();
        match texts.as_slice() {
            [only] => (Cow::Borrowed(*only), refused),
            several => (Cow::Owned(several.concat()), refused),
        }
    }

    /// The readable part of a thought: its summaries, else its text.
    pub(super) fn thought(&self) -> String {
        let texts = |passages: &Loose<Vec<Passage<'_>>>| {
            let passages = passages.0.as_deref().unwrap_or_default();
            let texts: Vec<&str> = passages.iter().filter_map(|p| p.text.as_str()).collect();
            texts.join("\n\n")
        };
        let summary = texts(&self.summary);
        if summary.is_empty() {
            texts(&self.content)
        } else {
            summary
        }
    }
}

/// The whole answer, as the first and the last event and an answer in one piece hold it.
#[derive(Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) status: Text<'a>,
    #[serde(borrow, default)]
    pub(super) output: Loose<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(super) incomplete_details: Loose<Incomplete<'a>>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) usage: Loose<WireUsage>,
}

#[derive(Deserialize)]
pub(super) struct Incomplete<'a> {
    #[serde(borrow, default)]
    pub(super) reason: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct WireUsage {
    #[serde(default)]
    input_tokens: Loose<f64>,
    #[serde(default)]
    output_tokens: Loose<f64>,
    #[serde(default)]
    total_tokens: Loose<f64>,
    #[serde(default)]
    input_tokens_details: Loose<InputDetails>,
    #[serde(default)]
    output_tokens_details: Loose<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Loose<f64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Loose<f64>,
}

impl WireUsage {
    /// The usage, or `None` for one that is all zero: it tells nothing.
    pub(super) fn usage(&self) -> Option<Usage> {
        let count = |n: &Loose<f64>| n.0.map_or(0, tokens);
        let input_tokens = count(&self.input_tokens);
        let output_tokens = match self.output_tokens.0 {
            Some(n) => tokens(n),
            None => count(&self.total_tokens).saturating_sub(input_tokens),
        };
        let cached = self.input_tokens_details.0.as_ref();
        let thought = self.output_tokens_details.0.as_ref();
        (input_tokens > 0 || output_tokens > 0).then(|| Usage {
            input_tokens,
            output_tokens,
            cached_tokens: cached.map_or(0, |details| count(&details.cached_tokens)),
            reasoning_tokens: thought.map_or(0, |details| count(&details.reasoning_tokens)),
            estimated: false,
        })
    }
}
