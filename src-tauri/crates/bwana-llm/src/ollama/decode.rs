//! Replies of the Ollama dialect: one JSON value a line, the last one with `done`, tool calls whole and without ids.

use std::sync::Arc;

use bwana_types::message::{Part, Stop, ToolCall, Usage};
use bwana_types::model::{Delta, ErrorKind, LlmError, Meta, Outcome};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::hinted;
use crate::classify::{kept_body, to_error};
use crate::dialect::{Decoder, Progress, ReplyContext};
use crate::limits::Limits;
use crate::openai_chat::decode::unreadable;
use crate::openai_chat::wire::{self, Loose, Text, tokens};
use crate::provider::Sink;
use crate::tool_slots::{Piece, ToolSlots};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(default)]
    done: Loose<bool>,
    #[serde(borrow, default)]
    done_reason: Text<'a>,
    #[serde(default)]
    prompt_eval_count: Loose<f64>,
    #[serde(default)]
    prompt_eval_cached_count: Loose<f64>,
    #[serde(default)]
    eval_count: Loose<f64>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Text<'a>,
    #[serde(borrow, default)]
    thinking: Text<'a>,
    /// A list, or one call where a server forgot the list.
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireCall<'a> {
    /// Newer servers have one; it is kept.
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    function: Loose<WireFunction<'a>>,
}

#[derive(Deserialize)]
struct WireFunction<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    /// The object itself, or text that holds it.
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

/// Reads one streamed reply.
pub(super) struct LineDecoder {
    context: ReplyContext,
    text: String,
    reasoning: String,
    calls: ToolSlots,
    /// Why it stopped, once it did; empty where the server gives no reason.
    done: Option<String>,
    usage: Option<Usage>,
    model: String,
}

impl LineDecoder {
    pub(super) fn new(context: ReplyContext, limits: &Limits) -> Self {
        Self {
            context,
            text: String::new(),
            reasoning: String::new(),
            calls: ToolSlots::new(limits.tool_calls),
            done: None,
            usage: None,
            model: String::new(),
        }
    }

    fn line(&mut self, line: &Line<'_>, raw: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        if self.model.is_empty()
            && let Some(model) = line.model.as_str()
        {
            model.clone_into(&mut self.model);
        }
        let count = |n: &Loose<f64>| n.0.map_or(0, tokens);
        let (input_tokens, output_tokens) =
            (count(&line.prompt_eval_count), count(&line.eval_count));
        if input_tokens > 0 || output_tokens > 0 {
            self.usage = Some(Usage {
                input_tokens,
                output_tokens,
                cached_tokens: count(&line.prompt_eval_cached_count).min(input_tokens),
                ..Usage::default()
            });
        }
        if let Some(message) = line.message
            && let Ok(said) = serde_json::from_str::<Said<'_>>(message.get())
        {
            self.said(&said, sink)?;
        }
        // An error beside an end is an error.
        if line.error.is_some_and(|error| error.get() != "null") {
            return Err(hinted(to_error(None, raw.as_bytes(), ErrorKind::Server)));
        }
        if line.done.0 == Some(true) {
            self.done = Some(line.done_reason.as_str().unwrap_or_default().to_owned());
        }
        Ok(())
    }

    fn said(&mut self, said: &Said<'_>, sink: Sink<'_>) -> Result<(), LlmError> {
        if let Some(thought) = said.thinking.as_str() {
            self.reasoning.push_str(thought);
            sink(Delta::Reasoning(thought.to_owned()));
        }
        if let Some(text) = said.content.as_str() {
            self.text.push_str(text);
            sink(Delta::Text(text.to_owned()));
        }
        let Some(raw) = said.tool_calls else {
            return Ok(());
        };
        let calls: Vec<WireCall<'_>> = if raw.get().starts_with('{') {
            serde_json::from_str(raw.get()).map(|call| vec![call])
        } else {
            serde_json::from_str::<Option<_>>(raw.get()).map(Option::unwrap_or_default)
        }
        .map_err(|error| unreadable("a tool call", raw.get(), &error))?;
        for call in &calls {
            let Some(function) = &call.function.0 else {
                continue;
            };
            // Every entry is a whole call, so its place in the answer tells it apart and gives it its id.
            let place = self.calls.calls().len();
            let piece = Piece {
                index: i64::try_from(place).ok(),
                id: call.id.as_str(),
                name: function.name.as_str(),
                args: function.arguments.map(wire::arguments).unwrap_or_default(),
            };
            self.calls.push(&piece, place, &self.context.names, sink)?;
        }
        Ok(())
    }

    fn stop(&self) -> Option<Stop> {
        let said = match self.done.as_deref()? {
            "stop" | "" => Stop::Done,
            "length" => Stop::Length,
            other => Stop::Other(other.to_owned()),
        };
        Some(match said {
            Stop::Done if !self.calls.is_empty() => Stop::ToolCalls,
            other => other,
        })
    }
}

impl Decoder for LineDecoder {
    fn event(&mut self, _name: &str, data: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        match serde_json::from_str::<Option<Line<'_>>>(data) {
            Ok(None) => Ok(()),
            Ok(Some(line)) => self.line(&line, data, sink),
            Err(error) => Err(unreadable("a line", data, &error)),
        }
    }

    fn progress(&self) -> Progress {
        if self.done.is_some() {
            Progress::Ended
        } else {
            Progress::Open
        }
    }

    fn outcome(&mut self) -> Outcome {
        let mut parts = Vec::new();
        if !self.reasoning.is_empty() {
            parts.push(Part::Reasoning {
                text: Arc::from(self.reasoning.as_str()),
                opaque: None,
            });
        }
        if !self.text.is_empty() {
            parts.push(Part::text(self.text.as_str()));
        }
        for call in self.calls.calls() {
            parts.push(Part::ToolCall(ToolCall {
                id: Arc::from(call.id.as_str()),
                name: Arc::from(call.name.as_str()),
                args: Arc::from(call.args.as_str()),
                opaque: None,
            }));
        }
        Outcome {
            parts,
            stop: self.stop(),
            usage: self.usage,
            model: self.model.clone(),
            response_id: None,
            meta: Meta::default(),
        }
    }
}

/// Reads a body that is no stream of lines: with this dialect only an error, or nothing it knows.
pub(super) fn whole(
    body: &[u8],
    context: &ReplyContext,
    limits: &Limits,
) -> Result<Outcome, LlmError> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{FEFF}').trim();
    // A list would pass for the fields of a line in their order.
    let line: Line<'_> = match serde_json::from_str(text) {
        Ok(line) if text.starts_with('{') => line,
        Ok(_) => return Err(no_line(text)),
        Err(error) => return Err(unreadable("the answer", text, &error)),
    };
    let mut decoder = LineDecoder::new(context.clone(), limits);
    let read = decoder.line(&line, text, &mut |_| {});
    decoder.done.get_or_insert_default();
    let outcome = decoder.outcome();
    read.map(|()| outcome)
}

fn no_line(text: &str) -> LlmError {
    let mut error = LlmError::new(ErrorKind::Malformed, "sent something else than an answer");
    error.body = kept_body(text.as_bytes());
    error
}
