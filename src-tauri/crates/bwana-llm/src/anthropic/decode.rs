//! Replies of the Messages dialect: deltas as they come, and the blocks they add up to, in their order.
//! Events, blocks and deltas nobody knows are passed over: the API says that it adds some.

use std::sync::Arc;

use bwana_types::message::{Opaque, Part, Stop, ToolCall};
use bwana_types::model::{Delta, ErrorKind, LlmError, Meta, Outcome};
use serde_json::Value;

use super::ANTHROPIC;
use super::wire::{self, BlockFields, Counts, Event};
use crate::classify::{read_error, to_error};
use crate::dialect::{Decoder, Progress, ReplyContext};
use crate::limits::Limits;
use crate::openai_chat::decode::{is_event_line, quote, unreadable, whole_error};
use crate::openai_chat::lists::malformed;
use crate::openai_chat::wire::arguments;
use crate::provider::Sink;
use crate::tool_slots::{Piece, ToolSlots};

/// Blocks one answer may consist of.
const BLOCKS_MAX: usize = 1_024;

/// Reads one streamed reply.
pub(super) struct MessageDecoder {
    context: ReplyContext,
    blocks: Vec<Block>,
    calls: ToolSlots,
    counts: Counts,
    stop_reason: Option<String>,
    ended: bool,
    model: String,
    response_id: Option<String>,
}

struct Block {
    index: i64,
    kind: Kind,
}

enum Kind {
    Text(String),
    Thinking {
        text: String,
        signature: String,
        /// As it began, for fields we do not know.
        begun: Value,
    },
    /// Thoughts nobody may read; the block goes back as it came.
    Redacted(Value),
    Call {
        slot: usize,
        /// What stood in the block's beginning, where arguments may be whole; `None` once it is settled.
        input: Option<String>,
    },
    Unknown,
}

impl MessageDecoder {
    pub(super) fn new(context: ReplyContext, limits: &Limits) -> Self {
        Self {
            context,
            blocks: Vec::new(),
            calls: ToolSlots::new(limits.tool_calls),
            counts: Counts::default(),
            stop_reason: None,
            ended: false,
            model: String::new(),
            response_id: None,
        }
    }

    fn take(&mut self, event: &Event<'_>, sink: Sink<'_>) -> Result<(), LlmError> {
        if let Some(usage) = &event.usage.0 {
            self.counts.add(usage);
        }
        match event.kind.as_str().unwrap_or_default() {
            "message_start" => {
                if let Some(message) = &event.message.0 {
                    self.message(message, sink)?;
                }
            }
            "content_block_start" => {
                if let Some(block) = &event.content_block.0 {
                    self.begin(event.index.0, block, sink)?;
                }
            }
            "content_block_delta" => {
                if let Some(delta) = &event.delta.0 {
                    self.delta(event.index.0, delta, sink)?;
                }
            }
            "content_block_stop" => {
                if let Some(at) = self.find(event.index.0) {
                    self.settle(at, sink)?;
                }
            }
            "message_delta" => {
                let delta = event.delta.0.as_ref();
                if let Some(reason) = delta.and_then(|delta| delta.stop_reason.as_str()) {
                    self.stopped(reason, sink)?;
                }
            }
            "message_stop" => {
                self.settle_all(sink)?;
                self.ended = true;
            }
            "ping" => sink(Delta::Alive),
            _ => {}
        }
        Ok(())
    }

    /// A whole message, or the empty one a stream begins with.
    fn message(&mut self, message: &wire::Message<'_>, sink: Sink<'_>) -> Result<(), LlmError> {
        if let Some(usage) = &message.usage.0 {
            self.counts.add(usage);
        }
        if let Some(id) = message.id.as_str() {
            self.response_id = Some(id.to_owned());
        }
        if let Some(model) = message.model.as_str() {
            model.clone_into(&mut self.model);
        }
        for block in message.content.0.iter().flatten() {
            self.begin(None, block, sink)?;
        }
        if let Some(reason) = message.stop_reason.as_str() {
            self.stopped(reason, sink)?;
        }
        Ok(())
    }

    fn stopped(&mut self, reason: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        self.settle_all(sink)?;
        self.stop_reason = Some(reason.to_owned());
        Ok(())
    }

    fn begin(
        &mut self,
        index: Option<i64>,
        block: &wire::Block<'_>,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let Some(fields) = block.fields() else {
            return Ok(());
        };
        let index = index.unwrap_or_else(|| i64::try_from(self.blocks.len()).unwrap_or(i64::MAX));
        let kind = match fields.kind.as_str().unwrap_or_default() {
            "text" => Kind::Text(String::new()),
            "thinking" => Kind::Thinking {
                text: String::new(),
                signature: fields.signature.as_str().unwrap_or_default().to_owned(),
                begun: block.value().unwrap_or_default(),
            },
            "redacted_thinking" => Kind::Redacted(block.value().unwrap_or_default()),
            "tool_use" => match self.call(index, &fields, sink)? {
                Some(kind) => kind,
                None => return Ok(()),
            },
            _ => Kind::Unknown,
        };
        let at = self.open(index, kind)?;
        self.grow(at, fields.text.as_str(), fields.thinking.as_str(), sink);
        Ok(())
    }

    /// `None` for a call that began before.
    fn call(
        &mut self,
        index: i64,
        fields: &BlockFields<'_>,
        sink: Sink<'_>,
    ) -> Result<Option<Kind>, LlmError> {
        self.settle_before(index, fields.id.as_str(), sink)?;
        let piece = Piece {
            index: Some(index),
            id: fields.id.as_str(),
            name: fields.name.as_str(),
            args: "".into(),
        };
        let slot = self.calls.calls().len();
        self.calls.push(&piece, 0, &self.context.names, sink)?;
        if self.calls.calls().len() == slot {
            // Without id and name it is no call, and what follows belongs to none.
            return Ok(piece.id.is_none().then_some(Kind::Unknown));
        }
        let input = fields.input.map(arguments).unwrap_or_default();
        let input = if input.trim().is_empty() {
            "{}".into()
        } else {
            input
        };
        Ok(Some(Kind::Call {
            slot,
            input: Some(input.into_owned()),
        }))
    }

    /// A call that begins under the number of another one ends that one, while its number still means it.
    fn settle_before(
        &mut self,
        index: i64,
        id: Option<&str>,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let Some(at) = self.find(Some(index)) else {
            return Ok(());
        };
        match self.blocks[at].kind {
            Kind::Call { slot, .. } if id != Some(self.calls.calls()[slot].id.as_str()) => {
                self.settle(at, sink)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, index: i64, kind: Kind) -> Result<usize, LlmError> {
        if self.blocks.len() >= BLOCKS_MAX {
            return Err(LlmError::new(
                ErrorKind::TooLarge,
                format!("sent an answer of more than {BLOCKS_MAX} blocks"),
            ));
        }
        self.blocks.push(Block { index, kind });
        Ok(self.blocks.len() - 1)
    }

    /// The block with this index: the latest, where a server gives an index twice. Searched for, so a large index
    /// costs what a small one costs. Without an index it is the last block.
    fn find(&self, index: Option<i64>) -> Option<usize> {
        match index {
            Some(index) => self.blocks.iter().rposition(|block| block.index == index),
            None => self.blocks.len().checked_sub(1),
        }
    }

    fn delta(
        &mut self,
        index: Option<i64>,
        delta: &wire::Delta<'_>,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let kind = delta.kind.as_str().unwrap_or_default();
        let at = match (self.find(index), kind) {
            (Some(at), _) => at,
            // A server that forgot to begin the block.
            (None, "text_delta") => self.open(index.unwrap_or(0), Kind::Text(String::new()))?,
            (None, _) => return Ok(()),
        };
        match kind {
            "text_delta" => self.grow(at, delta.text.as_str(), None, sink),
            "thinking_delta" => self.grow(at, None, delta.thinking.as_str(), sink),
            "signature_delta" => {
                if let (Kind::Thinking { signature, .. }, Some(given)) =
                    (&mut self.blocks[at].kind, delta.signature.as_str())
                {
                    given.clone_into(signature);
                }
            }
            "input_json_delta" => self.args(at, delta.partial_json.as_str(), sink)?,
            _ => {}
        }
        Ok(())
    }

    /// Words go to the latest block of their kind, as they are shown: a server that goes back to an earlier block must
    /// not make the journal differ from what people saw.
    fn grow(&mut self, at: usize, said: Option<&str>, thought: Option<&str>, sink: Sink<'_>) {
        let kind = std::mem::discriminant(&self.blocks[at].kind);
        let mut alike = self.blocks.iter_mut().rev();
        let latest = alike.find(|block| std::mem::discriminant(&block.kind) == kind);
        match (latest.map(|block| &mut block.kind), said, thought) {
            (Some(Kind::Text(text)), Some(said), _) => {
                text.push_str(said);
                sink(Delta::Text(said.to_owned()));
            }
            (Some(Kind::Thinking { text, .. }), _, Some(thought)) => {
                text.push_str(thought);
                sink(Delta::Reasoning(thought.to_owned()));
            }
            _ => {}
        }
    }

    fn args(&mut self, at: usize, piece: Option<&str>, sink: Sink<'_>) -> Result<(), LlmError> {
        let index = self.blocks[at].index;
        let (Kind::Call { input, .. }, Some(piece)) = (&mut self.blocks[at].kind, piece) else {
            return Ok(());
        };
        *input = None; // what comes in pieces is the whole of it
        let piece = Piece {
            index: Some(index),
            id: None,
            name: None,
            args: piece.into(),
        };
        self.calls.push(&piece, 0, &self.context.names, sink)
    }

    /// The block is whole: arguments that did not come in pieces are those it began with.
    fn settle(&mut self, at: usize, sink: Sink<'_>) -> Result<(), LlmError> {
        let index = self.blocks[at].index;
        let Kind::Call { input, .. } = &mut self.blocks[at].kind else {
            return Ok(());
        };
        let Some(args) = input.take() else {
            return Ok(());
        };
        let piece = Piece {
            index: Some(index),
            id: None,
            name: None,
            args: args.into(),
        };
        self.calls.push(&piece, 0, &self.context.names, sink)
    }

    fn settle_all(&mut self, sink: Sink<'_>) -> Result<(), LlmError> {
        (0..self.blocks.len()).try_for_each(|at| self.settle(at, &mut *sink))
    }

    fn has_content(&self) -> bool {
        self.blocks
            .iter()
            .any(|block| !matches!(block.kind, Kind::Unknown))
    }

    fn stop(&self) -> Option<Stop> {
        let said = match self.stop_reason.as_deref() {
            Some(reason) => stop_of(reason),
            None if self.ended && self.has_content() => Stop::Done,
            None => return None,
        };
        Some(match said {
            // Calls mean "call them" whatever the server says; without calls there is nothing to call.
            Stop::Done | Stop::ToolCalls if !self.calls.is_empty() => Stop::ToolCalls,
            Stop::ToolCalls => Stop::Done,
            other => other,
        })
    }

    fn opaque(&self, data: Value) -> Opaque {
        Opaque {
            dialect: ANTHROPIC.to_owned(),
            model: self.context.model.clone(),
            data,
        }
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        // Text blocks in a row are one text: the API splits it where a citation begins.
        let mut said = String::new();
        for block in &self.blocks {
            if let Kind::Text(text) = &block.kind {
                said.push_str(text);
            } else {
                self.push_text(&mut said, &mut parts);
                parts.extend(self.part(&block.kind));
            }
        }
        self.push_text(&mut said, &mut parts);
        parts
    }

    fn push_text(&self, said: &mut String, parts: &mut Vec<Part>) {
        let text = std::mem::take(said);
        if !text.is_empty() {
            let mended = self.context.relaxed.mend_output(&text);
            parts.push(Part::text(mended.unwrap_or(text)));
        }
    }

    fn part(&self, kind: &Kind) -> Option<Part> {
        match kind {
            Kind::Thinking {
                text,
                signature,
                begun,
            } => {
                // Unsigned thoughts are refused when they come back.
                let opaque = (!signature.is_empty()).then(|| {
                    let mut block = begun.as_object().cloned().unwrap_or_default();
                    block.insert(String::from("thinking"), text.as_str().into());
                    block.insert(String::from("signature"), signature.as_str().into());
                    self.opaque(Value::Object(block))
                });
                (!text.is_empty() || opaque.is_some()).then(|| Part::Reasoning {
                    text: Arc::from(text.as_str()),
                    opaque,
                })
            }
            Kind::Redacted(block) => Some(Part::Reasoning {
                text: Arc::from(""),
                opaque: Some(self.opaque(block.clone())),
            }),
            Kind::Call { slot, .. } => {
                let call = self.calls.calls().get(*slot)?;
                let mended = self.context.relaxed.mend_args(&call.name, &call.args);
                Some(Part::ToolCall(ToolCall {
                    id: Arc::from(call.id.as_str()),
                    name: Arc::from(call.name.as_str()),
                    args: Arc::from(mended.as_deref().unwrap_or(&call.args)),
                    opaque: None,
                }))
            }
            Kind::Text(_) | Kind::Unknown => None,
        }
    }
}

impl Decoder for MessageDecoder {
    fn event(&mut self, name: &str, data: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        let data = data.trim();
        if data == "[DONE]" {
            self.ended = true;
            return self.settle_all(sink);
        }
        let event = match serde_json::from_str::<Option<Event<'_>>>(data) {
            Ok(event) => event,
            Err(_) if name == "error" => {
                return Err(to_error(None, data.as_bytes(), ErrorKind::Server));
            }
            // Servers that forget the blank line between two events make one of them.
            Err(_) if data.contains('\n') && data.lines().all(is_event_line) => {
                return data
                    .lines()
                    .filter(|line| !line.trim().is_empty())
                    .try_for_each(|line| self.event("", line, sink));
            }
            Err(error) => return Err(unreadable("an event", data, &error)),
        };
        match event {
            None => Ok(()),
            Some(event) if name == "error" || event.kind.as_str() == Some("error") => {
                Err(to_error(None, data.as_bytes(), ErrorKind::Server))
            }
            // A gateway's own error, in no event of this dialect.
            Some(event)
                if event.kind.as_str().is_none() && read_error(data.as_bytes()).is_some() =>
            {
                Err(to_error(None, data.as_bytes(), ErrorKind::Server))
            }
            Some(event) => self.take(&event, sink),
        }
    }

    fn progress(&self) -> Progress {
        match (&self.stop_reason, self.ended) {
            (_, true) => Progress::Ended,
            (Some(_), false) => Progress::Stopped,
            (None, false) => Progress::Open,
        }
    }

    fn outcome(&mut self) -> Outcome {
        Outcome {
            parts: self.parts(),
            stop: self.stop(),
            usage: self.counts.usage(),
            model: self.model.clone(),
            response_id: self.response_id.clone(),
            meta: Meta::default(),
        }
    }
}

/// Reads a reply that came as one piece of JSON.
pub(super) fn whole(
    body: &[u8],
    context: &ReplyContext,
    limits: &Limits,
) -> Result<Outcome, LlmError> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{FEFF}').trim();
    if read_error(body).is_some() {
        return Err(whole_error(text));
    }
    let message: wire::Message<'_> =
        serde_json::from_str(text).map_err(|error| unreadable("the answer", text, &error))?;
    if message.content.0.is_none() {
        let words = format!("sent an answer without content: {}", quote(text));
        return Err(malformed(body, &words));
    }
    let mut decoder = MessageDecoder::new(context.clone(), limits);
    let read = decoder.message(&message, &mut |_| {});
    let read = read.and_then(|()| decoder.settle_all(&mut |_| {}));
    decoder.ended = true;
    let mut outcome = decoder.outcome();
    outcome.stop = outcome.stop.or(Some(Stop::Done));
    read.map(|()| outcome.clone()).map_err(|mut error| {
        *error.partial = outcome;
        error
    })
}

fn stop_of(reason: &str) -> Stop {
    match reason {
        "end_turn" => Stop::Done,
        "tool_use" => Stop::ToolCalls,
        // The window is full: the answer is cut short like by our own limit.
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "stop_sequence" => Stop::StopSequence,
        "pause_turn" => Stop::Paused,
        "refusal" => Stop::Refused,
        other => Stop::Other(other.to_owned()),
    }
}
