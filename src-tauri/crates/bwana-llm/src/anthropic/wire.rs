//! The shapes of Messages replies. Only what we use is named; everything else passes unseen.

use bwana_types::message::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::openai_chat::wire::{Loose, Text, tokens};

/// An event of a stream. Which fields it has depends on its type.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(default)]
    pub(super) index: Loose<i64>,
    #[serde(borrow, default)]
    pub(super) message: Loose<Message<'a>>,
    #[serde(borrow, default)]
    pub(super) content_block: Loose<Block<'a>>,
    #[serde(borrow, default)]
    pub(super) delta: Loose<Delta<'a>>,
    #[serde(default)]
    pub(super) usage: Loose<WireUsage>,
}

/// A whole reply, or the beginning of a streamed one.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) content: Loose<Vec<Block<'a>>>,
    #[serde(borrow, default)]
    pub(super) stop_reason: Text<'a>,
    #[serde(default)]
    pub(super) usage: Loose<WireUsage>,
}

/// A block as it begins, or as it is.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Block<'a> {
    #[serde(borrow)]
    raw: &'a RawValue,
}

/// The fields of the blocks we know.
#[derive(Deserialize)]
pub(super) struct BlockFields<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
    #[serde(borrow, default)]
    pub(super) thinking: Text<'a>,
    #[serde(borrow, default)]
    pub(super) signature: Text<'a>,
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
}

impl<'a> Block<'a> {
    /// `None` for what is no object.
    pub(super) fn fields(&self) -> Option<BlockFields<'a>> {
        // A list would be read as fields in order.
        let raw = self.raw.get();
        raw.starts_with('{')
            .then(|| serde_json::from_str(raw).ok())?
    }

    /// The block as it came.
    pub(super) fn value(&self) -> Option<serde_json::Value> {
        serde_json::from_str(self.raw.get()).ok()
    }
}

#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
    #[serde(borrow, default)]
    pub(super) thinking: Text<'a>,
    #[serde(borrow, default)]
    pub(super) signature: Text<'a>,
    #[serde(borrow, default)]
    pub(super) partial_json: Text<'a>,
    /// Of the message, not of a block.
    #[serde(borrow, default)]
    pub(super) stop_reason: Text<'a>,
}

/// Counts so far. They only ever grow, and some servers repeat a zero where they do not know.
#[derive(Deserialize, Default)]
pub(super) struct WireUsage {
    #[serde(default)]
    input_tokens: Loose<f64>,
    #[serde(default)]
    cache_creation_input_tokens: Loose<f64>,
    #[serde(default)]
    cache_read_input_tokens: Loose<f64>,
    #[serde(default)]
    output_tokens: Loose<f64>,
    #[serde(default)]
    output_tokens_details: Loose<OutputDetails>,
}

#[derive(Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Loose<f64>,
}

/// The counts of one answer, put together from its events.
#[derive(Debug, Default)]
pub(super) struct Counts {
    fresh: u64,
    cache_written: u64,
    cache_read: u64,
    output: u64,
    thinking: u64,
}

impl Counts {
    pub(super) fn add(&mut self, usage: &WireUsage) {
        let grow = |count: &mut u64, n: &Loose<f64>| {
            *count = (*count).max(n.0.map_or(0, tokens));
        };
        grow(&mut self.fresh, &usage.input_tokens);
        grow(&mut self.cache_written, &usage.cache_creation_input_tokens);
        grow(&mut self.cache_read, &usage.cache_read_input_tokens);
        grow(&mut self.output, &usage.output_tokens);
        if let Some(details) = &usage.output_tokens_details.0 {
            grow(&mut self.thinking, &details.thinking_tokens);
        }
    }

    /// `input_tokens` of the API are only those beside the cache; ours are all of them.
    pub(super) fn usage(&self) -> Option<Usage> {
        let input_tokens = self.fresh + self.cache_written + self.cache_read;
        (input_tokens > 0 || self.output > 0).then_some(Usage {
            input_tokens,
            output_tokens: self.output,
            cached_tokens: self.cache_read,
            reasoning_tokens: self.thinking,
            estimated: false,
        })
    }
}
