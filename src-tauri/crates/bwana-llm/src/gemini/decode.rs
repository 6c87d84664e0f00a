//! Replies of the Gemini dialect: deltas as they come, and the parts they add up to, in their order, with the signatures
//! that must go back on them. A stream has no end mark of its own: after the reason to finish the server closes it.

use std::sync::Arc;

use bwana_types::message::{Opaque, Part, Stop, ToolCall, Usage};
use bwana_types::model::{Delta, ErrorKind, LlmError, Meta, Outcome};
use serde_json::{Value, json};

use super::GEMINI;
use super::wire::{Candidate, Chunk, FunctionCall, WirePart};
use crate::classify::{read_error, to_error};
use crate::dialect::{Decoder, Progress, ReplyContext};
use crate::limits::Limits;
use crate::openai_chat::decode::{is_event_line, quote, unreadable, whole_error};
use crate::openai_chat::lists::malformed;
use crate::openai_chat::wire::arguments;
use crate::provider::Sink;
use crate::tool_slots::{Piece, ToolSlots};

/// Pieces one answer may consist of.
const PIECES_MAX: usize = 1_024;

/// Where a thought's own signature is marked; see [`SIGNED_BYTES`] for the others.
pub(super) const THOUGHT: &str = "thought";
/// The signature, as the API names it.
pub(super) const SIGNATURE: &str = "thoughtSignature";
/// How many bytes of the text before it a signature came with. Zero: it came on a part of its own.
pub(super) const SIGNED_BYTES: &str = "signedBytes";
/// The id of a call, where the API gave one.
pub(super) const CALL_ID: &str = "id";

/// Reads one streamed reply.
pub(super) struct ContentDecoder {
    context: ReplyContext,
    pieces: Vec<Said>,
    calls: ToolSlots,
    /// What must go back with the call in the same place.
    call_data: Vec<Value>,
    finish: Option<String>,
    is_blocked: bool,
    ended: bool,
    usage: Option<Usage>,
    model: String,
    response_id: Option<String>,
}

enum Said {
    Text(String),
    Thought {
        text: String,
        signature: Option<String>,
    },
    /// A signature on the last bytes of the text before it.
    Signature {
        signature: String,
        signed_bytes: usize,
    },
    Call(usize),
}

impl ContentDecoder {
    pub(super) fn new(context: ReplyContext, limits: &Limits) -> Self {
        Self {
            context,
            pieces: Vec::new(),
            calls: ToolSlots::new(limits.tool_calls),
            call_data: Vec::new(),
            finish: None,
            is_blocked: false,
            ended: false,
            usage: None,
            model: String::new(),
            response_id: None,
        }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, raw: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        let usage = chunk.usage_metadata.0.as_ref();
        if let Some(usage) = usage.and_then(super::wire::WireUsage::usage) {
            self.usage = Some(usage);
        }
        if let Some(id) = chunk.response_id.as_str() {
            self.response_id = Some(id.to_owned());
        }
        if let Some(model) = chunk.model_version.as_str() {
            model.clone_into(&mut self.model);
        }
        for candidate in chunk.candidates.0.iter().flatten() {
            // Further candidates were never asked for.
            if candidate.index.0.is_none_or(|index| index == 0) {
                self.candidate(candidate, raw, sink)?;
            }
        }
        if chunk.error.is_some_and(|raw| raw.get() != "null") {
            return Err(to_error(None, raw.as_bytes(), ErrorKind::Server));
        }
        let feedback = chunk.prompt_feedback.0.as_ref();
        self.is_blocked |= feedback.is_some_and(|f| f.block_reason.as_str().is_some());
        Ok(())
    }

    fn candidate(
        &mut self,
        candidate: &Candidate<'_>,
        raw: &str,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let content = candidate.content.0.as_ref();
        let parts = content.and_then(|content| content.parts.0.as_ref());
        for part in parts
            .into_iter()
            .flatten()
            .filter_map(|part| part.0.as_ref())
        {
            self.part(part, sink)?;
        }
        let Some(reason) = candidate.finish_reason.as_str() else {
            return Ok(());
        };
        if reason.starts_with("MALFORMED_") || reason == "UNEXPECTED_TOOL_CALL" {
            let said = candidate.finish_message.as_str().unwrap_or(reason);
            let words = format!("could not finish a tool call ({})", quote(said));
            return Err(malformed(raw.as_bytes(), &words));
        }
        self.finish = Some(reason.to_owned());
        Ok(())
    }

    fn part(&mut self, part: &WirePart<'_>, sink: Sink<'_>) -> Result<(), LlmError> {
        let signature = part.thought_signature.as_str();
        if let Some(call) = &part.function_call.0 {
            return self.call(call, signature, sink);
        }
        let text = part.text.as_str();
        if part.thought.0 == Some(true) {
            self.think(text.unwrap_or_default(), signature, sink)
        } else {
            if let Some(text) = text {
                self.say(text, sink)?;
            }
            let signed_bytes = text.map_or(0, str::len);
            match signature {
                Some(signature) => self.push(Said::Signature {
                    signature: signature.to_owned(),
                    signed_bytes,
                }),
                None => Ok(()),
            }
        }
    }

    fn say(&mut self, text: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        if let Some(Said::Text(said)) = self.pieces.last_mut() {
            said.push_str(text);
        } else {
            self.push(Said::Text(text.to_owned()))?;
        }
        sink(Delta::Text(text.to_owned()));
        Ok(())
    }

    fn think(
        &mut self,
        text: &str,
        signature: Option<&str>,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let given = signature.map(str::to_owned);
        match self.pieces.last_mut() {
            // A signature closes the thought.
            Some(Said::Thought {
                text: thought,
                signature: signature @ None,
            }) => {
                thought.push_str(text);
                *signature = given;
            }
            _ if text.is_empty() && given.is_none() => {}
            _ => self.push(Said::Thought {
                text: text.to_owned(),
                signature: given,
            })?,
        }
        if !text.is_empty() {
            sink(Delta::Reasoning(text.to_owned()));
        }
        Ok(())
    }

    /// A call comes whole. Without an id of the API's it gets one of ours, and its place tells it apart.
    fn call(
        &mut self,
        call: &FunctionCall<'_>,
        signature: Option<&str>,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let slot = self.call_data.len();
        let args = call.args.map(arguments).unwrap_or_default();
        let piece = Piece {
            index: i64::try_from(slot).ok(),
            id: call.id.as_str(),
            name: call.name.as_str(),
            args: if args.is_empty() { "{}".into() } else { args },
        };
        self.push(Said::Call(slot))?;
        self.calls.push(&piece, slot, &self.context.names, sink)?;
        let mut data = json!({});
        for (key, value) in [(CALL_ID, piece.id), (SIGNATURE, signature)] {
            if let Some(value) = value {
                data[key] = value.into();
            }
        }
        self.call_data.push(data);
        Ok(())
    }

    fn push(&mut self, said: Said) -> Result<(), LlmError> {
        if self.pieces.len() >= PIECES_MAX {
            return Err(LlmError::new(
                ErrorKind::TooLarge,
                format!("sent an answer of more than {PIECES_MAX} parts"),
            ));
        }
        self.pieces.push(said);
        Ok(())
    }

    fn stop(&self) -> Option<Stop> {
        let said = match self.finish.as_deref() {
            Some(reason) => stop_of(reason),
            None if self.is_blocked => Stop::Filtered,
            None if self.ended && !self.pieces.is_empty() => Stop::Done,
            None => return None,
        };
        Some(match said {
            // STOP is said of calls too.
            Stop::Done if !self.calls.is_empty() => Stop::ToolCalls,
            other => other,
        })
    }

    fn opaque(&self, data: Value) -> Opaque {
        Opaque {
            dialect: GEMINI.to_owned(),
            model: self.context.model.clone(),
            data,
        }
    }

    fn said(&self, said: &Said) -> Option<Part> {
        Some(match said {
            Said::Text(text) => {
                let mended = self.context.relaxed.mend_output(text);
                Part::text(mended.as_deref().unwrap_or(text))
            }
            Said::Thought { text, signature } => Part::Reasoning {
                text: Arc::from(text.as_str()),
                opaque: signature
                    .as_ref()
                    .map(|signature| self.opaque(json!({THOUGHT: true, SIGNATURE: signature}))),
            },
            Said::Signature {
                signature,
                signed_bytes,
            } => Part::Reasoning {
                text: Arc::from(""),
                opaque: Some(
                    self.opaque(json!({SIGNATURE: signature, SIGNED_BYTES: signed_bytes})),
                ),
            },
            Said::Call(slot) => {
                let call = self.calls.calls().get(*slot)?;
                let mended = self.context.relaxed.mend_args(&call.name, &call.args);
                let data = self.call_data.get(*slot).cloned().unwrap_or_default();
                Part::ToolCall(ToolCall {
                    id: Arc::from(call.id.as_str()),
                    name: Arc::from(call.name.as_str()),
                    args: Arc::from(mended.as_deref().unwrap_or(&call.args)),
                    opaque: Some(self.opaque(data)),
                })
            }
        })
    }
}

impl Decoder for ContentDecoder {
    fn event(&mut self, name: &str, data: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        let data = data.trim();
        if name == "error" {
            return Err(to_error(None, data.as_bytes(), ErrorKind::Server));
        }
        if data == "[DONE]" {
            self.ended = true; // of gateways; the API has no such mark
            return Ok(());
        }
        // Errors come in a list.
        if data.starts_with('[') && read_error(data.as_bytes()).is_some() {
            return Err(match serde_json::from_str::<serde::de::IgnoredAny>(data) {
                Ok(_) => to_error(None, data.as_bytes(), ErrorKind::Server),
                Err(error) => unreadable("an event", data, &error),
            });
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
        if self.ended {
            Progress::Ended
        } else if self.finish.is_some() || self.is_blocked {
            Progress::Stopped
        } else {
            Progress::Open
        }
    }

    fn outcome(&mut self) -> Outcome {
        let pieces = self.pieces.iter();
        Outcome {
            parts: pieces.filter_map(|said| self.said(said)).collect(),
            stop: self.stop(),
            usage: self.usage,
            model: self.model.clone(),
            response_id: self.response_id.clone(),
            meta: Meta::default(),
        }
    }
}

/// Reads a reply that came as one piece of JSON: one answer, or the list of chunks that `alt=sse` would have streamed.
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
    let unreadable = |error| unreadable("the answer", text, &error);
    let chunks: Vec<&serde_json::value::RawValue> = if text.starts_with('[') {
        serde_json::from_str(text).map_err(unreadable)?
    } else {
        vec![serde_json::from_str(text).map_err(unreadable)?]
    };
    let mut decoder = ContentDecoder::new(context.clone(), limits);
    let mut has_answer = false;
    for raw in chunks {
        let chunk: Chunk<'_> = serde_json::from_str(raw.get()).map_err(unreadable)?;
        has_answer |= chunk.candidates.0.is_some() || chunk.prompt_feedback.0.is_some();
        if let Err(mut error) = decoder.chunk(&chunk, raw.get(), &mut |_| {}) {
            let outcome = decoder.outcome();
            *error.partial = Outcome {
                stop: None,
                ..outcome
            };
            return Err(error);
        }
    }
    if !has_answer {
        let words = format!("sent an answer without candidates: {}", quote(text));
        return Err(malformed(body, &words));
    }
    let mut outcome = decoder.outcome();
    if outcome.stop.is_none() {
        decoder.finish = Some(String::from("STOP"));
        outcome.stop = decoder.stop();
    }
    Ok(outcome)
}

fn stop_of(reason: &str) -> Stop {
    match reason {
        "STOP" => Stop::Done,
        "MAX_TOKENS" => Stop::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Stop::Filtered,
        other => Stop::Other(other.to_owned()),
    }
}
