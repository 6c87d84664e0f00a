//! Replies of the chat dialect: deltas as they come, and the outcome they add up to.

use std::sync::Arc;

use bwana_types::message::{Opaque, Part, Stop, ToolCall, Usage};
use bwana_types::model::{Delta, ErrorKind, LlmError, Outcome};

use super::OPENAI_CHAT;
use super::plain::Plain;
use super::wire::{self, Choice, Chunk, Said};
use crate::classify::{kept_body, read_error, to_error};
use crate::dialect::{Decoder, Progress, ReplyContext};
use crate::limits::Limits;
use crate::provider::Sink;
use crate::reasoning::Details;
use crate::tool_slots::{Piece, ToolSlots};

/// How much of an unreadable event is quoted in the message.
const QUOTE_MAX_CHARS: usize = 200;

/// Reads one streamed reply.
pub(super) struct ChatDecoder {
    context: ReplyContext,
    text: String,
    reasoning: String,
    details: Details,
    calls: ToolSlots,
    refused: bool,
    finish: Option<String>,
    ended: bool,
    usage: Option<Usage>,
    model: String,
    response_id: Option<String>,
}

impl ChatDecoder {
    pub(super) fn new(context: ReplyContext, limits: &Limits) -> Self {
        Self {
            context,
            text: String::new(),
            reasoning: String::new(),
            details: Details::default(),
            calls: ToolSlots::new(limits.tool_calls),
            refused: false,
            finish: None,
            ended: false,
            usage: None,
            model: String::new(),
            response_id: None,
        }
    }

    /// What [`ChatDecoder::chunk`] does with the same event, which has nothing of what makes that one long.
    fn plain(&mut self, plain: &Plain<'_>, sink: Sink<'_>) {
        if self.response_id.is_none() {
            self.response_id = plain.id().map(str::to_owned);
        }
        if self.model.is_empty()
            && let Some(model) = plain.model()
        {
            model.clone_into(&mut self.model);
        }
        self.think(plain.reasoning(), sink);
        self.say(plain.content(), sink);
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, raw: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        if let Some(usage) = chunk.usage.0.as_ref().and_then(wire::WireUsage::usage) {
            self.usage = Some(usage);
        }
        let groq = chunk.x_groq.0.as_ref().and_then(|x| x.usage.0.as_ref());
        if let Some(usage) = groq.and_then(wire::WireUsage::usage) {
            self.usage = Some(usage);
        }
        if self.response_id.is_none() {
            self.response_id = chunk.id.as_str().map(str::to_owned);
        }
        if self.model.is_empty()
            && let Some(model) = chunk.model.as_str()
        {
            model.clone_into(&mut self.model);
        }
        // The answer is judged before the choices beside it: an error with `finish_reason: "error"` is an error.
        let choices = chunk.choices.as_deref().unwrap_or_default();
        let failed = chunk.error.is_some_and(|raw| raw.get() != "null")
            || chunk.object.as_str() == Some("error")
            || choices
                .iter()
                .any(|c| c.error.is_some_and(|raw| raw.get() != "null"));
        for choice in choices {
            // Further choices were never asked for.
            if choice.index.0.is_none_or(|index| index == 0) {
                self.choice(choice, failed, sink)?;
            }
        }
        if failed {
            return Err(error_in(raw, choices));
        }
        Ok(())
    }

    fn choice(
        &mut self,
        choice: &Choice<'_>,
        failed: bool,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        match (&choice.delta.0, &choice.message.0) {
            (Some(said), _) => self.said(said, sink)?,
            // A whole message after its pieces repeats them.
            (None, Some(said)) if !self.has_content() => self.said(said, sink)?,
            (None, _) => {}
        }
        if let Some(reason) = choice.finish_reason.as_str() {
            self.finish = Some(reason.to_owned());
            if reason == "error" && !failed {
                return Err(LlmError::new(
                    ErrorKind::Server,
                    "ended the answer with an error and gave no reason",
                ));
            }
        }
        Ok(())
    }

    fn said(&mut self, said: &Said<'_>, sink: Sink<'_>) -> Result<(), LlmError> {
        let content = said.content.map(wire::content).unwrap_or_default();
        // Where a server sends the same thought under both names, it counts once.
        let thought = said
            .reasoning_content
            .as_str()
            .or(said.reasoning.as_str())
            .unwrap_or(&content.reasoning);
        if let Some(pieces) = &said.reasoning_details.0 {
            let text = self.details.push(pieces);
            if thought.is_empty() {
                self.think(&text, sink);
            }
        }
        self.think(thought, sink);
        self.say(&content.text, sink);
        if let Some(refusal) = said.refusal.as_str() {
            self.refused = true;
            self.say(refusal, sink);
        }
        if let Some(raw) = said.tool_calls {
            self.tool_calls(raw.get(), sink)?;
        }
        if let Some(function) = &said.function_call.0 {
            let piece = Piece {
                index: Some(0),
                id: None,
                name: function.name.as_str(),
                args: function.arguments.map(wire::arguments).unwrap_or_default(),
            };
            self.calls.push(&piece, 0, &self.context.names, sink)?;
        }
        Ok(())
    }

    fn tool_calls(&mut self, raw: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        let calls: Vec<wire::WireCall<'_>> = if raw.starts_with('{') {
            serde_json::from_str(raw).map(|call| vec![call])
        } else {
            serde_json::from_str::<Option<_>>(raw).map(Option::unwrap_or_default)
        }
        .map_err(|error| unreadable("a tool call", raw, &error))?;
        for (position, call) in calls.iter().enumerate() {
            let function = call.function.0.as_ref();
            let piece = Piece {
                index: call.index.0,
                id: call.id.as_str(),
                name: function.and_then(|f| f.name.as_str()),
                args: function
                    .and_then(|f| f.arguments)
                    .map(wire::arguments)
                    .unwrap_or_default(),
            };
            self.calls
                .push(&piece, position, &self.context.names, sink)?;
        }
        Ok(())
    }

    fn say(&mut self, text: &str, sink: Sink<'_>) {
        if !text.is_empty() {
            self.text.push_str(text);
            sink(Delta::Text(text.to_owned()));
        }
    }

    fn think(&mut self, text: &str, sink: Sink<'_>) {
        if !text.is_empty() {
            self.reasoning.push_str(text);
            sink(Delta::Reasoning(text.to_owned()));
        }
    }

    fn has_content(&self) -> bool {
        !self.text.is_empty() || !self.reasoning.is_empty() || !self.calls.is_empty()
    }

    fn stop(&self) -> Option<Stop> {
        let said = match self.finish.as_deref() {
            Some(reason) => stop_of(reason),
            // The end marker without a reason is still the provider's own end, if it ended anything.
            None if self.ended && self.has_content() => Stop::Done,
            None => return None,
        };
        Some(match said {
            // Calls mean "call them" whatever the server says; without calls there is nothing to call.
            Stop::Done | Stop::ToolCalls if !self.calls.is_empty() => Stop::ToolCalls,
            Stop::Done | Stop::ToolCalls if self.refused => Stop::Refused,
            Stop::ToolCalls => Stop::Done,
            other => other,
        })
    }
}

impl Decoder for ChatDecoder {
    fn event(&mut self, name: &str, data: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        let data = data.trim();
        if name == "error" {
            return Err(to_error(None, data.as_bytes(), ErrorKind::Server));
        }
        if data == "[DONE]" {
            self.ended = true;
            return Ok(());
        }
        if let Some(plain) = Plain::read(data) {
            self.plain(&plain, sink);
            return Ok(());
        }
        match serde_json::from_str::<Option<Chunk<'_>>>(data) {
            Ok(None) => Ok(()),
            Ok(Some(chunk)) => self.chunk(&chunk, data, sink),
            // Servers that forget the blank line between two events make one of them.
            Err(_) if data.contains('\n') && data.lines().all(is_event_line) => data
                .lines()
                .filter(|line| !line.trim().is_empty())
                .try_for_each(|line| self.event(name, line, sink)),
            Err(error) => Err(unreadable("an event", data, &error)),
        }
    }

    fn progress(&self) -> Progress {
        match (&self.finish, self.ended) {
            (_, true) => Progress::Ended,
            (Some(_), false) => Progress::Stopped,
            (None, false) => Progress::Open,
        }
    }

    fn outcome(&mut self) -> Outcome {
        let mut parts = Vec::new();
        let opaque = self.details.value().map(|data| Opaque {
            dialect: OPENAI_CHAT.to_owned(),
            model: self.context.model.clone(),
            data,
        });
        if !self.reasoning.is_empty() || opaque.is_some() {
            parts.push(Part::Reasoning {
                text: Arc::from(self.reasoning.as_str()),
                opaque,
            });
        }
        if !self.text.is_empty() {
            let mended = self.context.relaxed.mend_output(&self.text);
            parts.push(Part::text(mended.as_deref().unwrap_or(&self.text)));
        }
        for call in self.calls.calls() {
            let mended = self.context.relaxed.mend_args(&call.name, &call.args);
            parts.push(Part::ToolCall(ToolCall {
                id: Arc::from(call.id.as_str()),
                name: Arc::from(call.name.as_str()),
                args: Arc::from(mended.as_deref().unwrap_or(&call.args)),
                opaque: None,
            }));
        }
        Outcome {
            parts,
            stop: self.stop(),
            usage: self.usage,
            model: self.model.clone(),
            response_id: self.response_id.clone(),
            meta: bwana_types::model::Meta::default(),
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
    if read_error(body).is_some_and(|_| text.starts_with(['{', '['])) {
        return Err(whole_error(text));
    }
    let chunk: Chunk<'_> =
        serde_json::from_str(text).map_err(|error| unreadable("the answer", text, &error))?;
    if chunk.choices.as_ref().is_none_or(Vec::is_empty) {
        let mut error = LlmError::new(
            ErrorKind::Malformed,
            format!("sent an answer without choices: {}", quote(text)),
        );
        error.body = kept_body(body);
        return Err(error);
    }
    let mut decoder = ChatDecoder::new(context.clone(), limits);
    let read = decoder.chunk(&chunk, text, &mut |_| {});
    decoder.ended = true;
    if decoder.finish.is_none() {
        decoder.finish = Some(String::from("stop"));
    }
    let outcome = decoder.outcome();
    match read {
        Ok(()) => Ok(outcome),
        Err(mut error) => {
            *error.partial = outcome;
            Err(error)
        }
    }
}

/// An unparseable body is a broken answer, not an error message, if it was cut; the reader tells the two apart.
pub(crate) fn whole_error(text: &str) -> LlmError {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => to_error(None, text.as_bytes(), ErrorKind::BadRequest),
        Err(error) => unreadable("the answer", text, &error),
    }
}

fn stop_of(reason: &str) -> Stop {
    match reason {
        "stop" | "eos" | "eos_token" | "end_turn" | "complete" | "completed" => Stop::Done,
        "tool_calls" | "function_call" | "tool_use" => Stop::ToolCalls,
        "length" | "max_tokens" | "model_length" => Stop::Length,
        "stop_sequence" => Stop::StopSequence,
        "content_filter" | "safety" => Stop::Filtered,
        "refusal" => Stop::Refused,
        "pause_turn" => Stop::Paused,
        other => Stop::Other(other.to_owned()),
    }
}

fn error_in(raw: &str, choices: &[Choice<'_>]) -> LlmError {
    let inner = choices
        .iter()
        .find_map(|c| c.error)
        .filter(|e| e.get() != "null");
    let body = match inner {
        Some(inner) => format!("{{\"error\":{}}}", inner.get()),
        None => raw.to_owned(),
    };
    to_error(None, body.as_bytes(), ErrorKind::Server)
}

pub(crate) fn is_event_line(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line == "[DONE]"
        || serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}

pub(crate) fn unreadable(what: &str, data: &str, error: &serde_json::Error) -> LlmError {
    let mut failed = LlmError::new(
        ErrorKind::Malformed,
        format!(
            "sent {what} that is no readable JSON ({error}): {}",
            quote(data)
        ),
    );
    failed.body = kept_body(data.as_bytes());
    failed
}

pub(crate) fn quote(data: &str) -> String {
    match data.char_indices().nth(QUOTE_MAX_CHARS) {
        Some((at, _)) => format!("{}…", &data[..at]),
        None => data.to_owned(),
    }
}
