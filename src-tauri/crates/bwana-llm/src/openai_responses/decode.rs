//! Replies of the responses dialect: deltas as they come, and the outcome they add up to. Parts keep the order of the
//! provider's items, because a thought must go back right in front of what it led to.

use std::borrow::Cow;
use std::sync::Arc;

use bwana_types::message::{Opaque, Part, Stop, ToolCall, Usage};
use bwana_types::model::{Delta, ErrorKind, LlmError, Meta, Outcome};
use serde_json::Value;
use serde_json::value::RawValue;

use super::OPENAI_RESPONSES;
use super::items::{Items, Kind, Name};
use super::wire::{Event, Item, Response};
use crate::classify::{kept_body, read_error, to_error};
use crate::dialect::{Decoder, Progress, ReplyContext};
use crate::limits::Limits;
use crate::openai_chat::decode::{is_event_line, unreadable, whole_error};
use crate::openai_chat::wire;
use crate::provider::Sink;
use crate::tool_slots::{Piece, ToolSlots};

/// How the provider says an answer ended.
enum Finish {
    Completed,
    /// With the provider's reason.
    Incomplete(String),
    /// The end marker of the chat dialect, which some servers send here too.
    Marked,
    /// A status nobody knows.
    Other(String),
}

/// Reads one streamed reply.
pub(super) struct ResponseDecoder {
    context: ReplyContext,
    items: Items,
    calls: ToolSlots,
    refused: bool,
    finish: Option<Finish>,
    usage: Option<Usage>,
    model: String,
    response_id: Option<String>,
}

impl ResponseDecoder {
    pub(super) fn new(context: ReplyContext, limits: &Limits) -> Self {
        Self {
            context,
            items: Items::default(),
            calls: ToolSlots::new(limits.tool_calls),
            refused: false,
            finish: None,
            usage: None,
            model: String::new(),
            response_id: None,
        }
    }

    fn read(
        &mut self,
        kind: &str,
        event: &Event<'_>,
        raw: &str,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        match kind {
            "response.output_item.added" => self.added(event, sink),
            "response.output_item.done" => match event.item {
                Some(item) => self.done(item, event.output_index.0, sink),
                None => Ok(()),
            },
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(response) = event.response.and_then(parse) {
                    self.note(&response);
                }
                Ok(())
            }
            "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled"
            | "response.done" => self.end(kind, event.response, sink),
            "error" => Err(to_error(None, raw.as_bytes(), ErrorKind::Server)),
            // Not one of this dialect's events; an error all the same.
            "" if event.error.is_some_and(|error| error.get() != "null") => {
                Err(to_error(None, raw.as_bytes(), ErrorKind::Server))
            }
            _ => self.piece(kind, event, sink),
        }
    }

    /// An event that brings a piece of an item, or says that one is over.
    fn piece(&mut self, kind: &str, event: &Event<'_>, sink: Sink<'_>) -> Result<(), LlmError> {
        let of = |kind| Name {
            kind,
            id: event.item_id.as_str(),
            place: event.output_index.0,
        };
        let delta = event.delta.and_then(wire::text).unwrap_or_default();
        match kind {
            "response.output_text.delta" => self.say(of(Kind::Message), &delta, sink),
            "response.refusal.delta" => {
                self.refused |= !delta.is_empty();
                self.say(of(Kind::Message), &delta, sink)
            }
            "response.output_text.done" => {
                let text = event.text.as_str().unwrap_or_default();
                self.say_if_silent(of(Kind::Message), text, sink)
            }
            "response.refusal.done" => {
                let text = event.refusal.as_str().unwrap_or_default();
                self.refused |= !text.is_empty();
                self.say_if_silent(of(Kind::Message), text, sink)
            }
            "response.reasoning_summary_part.added" => {
                if let Some(at) = self.items.find(of(Kind::Reasoning)) {
                    let item = self.items.at(at);
                    item.gap = !item.text.is_empty();
                }
                Ok(())
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.say(of(Kind::Reasoning), &delta, sink)
            }
            "response.function_call_arguments.delta" => {
                let args = event.delta.map(wire::arguments).unwrap_or_default();
                self.pass_args(of(Kind::Call), args, sink)
            }
            "response.function_call_arguments.done" => {
                let args = event.arguments.map(wire::arguments).unwrap_or_default();
                self.rest_of_args(of(Kind::Call), &args, sink)
            }
            _ => Ok(()), // there are dozens of events, and more with every release
        }
    }

    fn added(&mut self, event: &Event<'_>, sink: Sink<'_>) -> Result<(), LlmError> {
        let Some(item) = event.item.and_then(parse::<Item<'_>>) else {
            return Ok(());
        };
        let Some(name) = name_of(&item, event.output_index.0) else {
            return Ok(());
        };
        if self.items.of_id(name).is_some() {
            return Ok(());
        }
        let at = self.items.open(name)?;
        if name.kind == Kind::Call {
            // Its arguments come in pieces; what stands here already would come twice.
            self.begin_call(at, &item, sink)?;
        }
        Ok(())
    }

    /// An item as it is when it is finished: gives what no piece has brought.
    fn done(&mut self, raw: &RawValue, place: Option<i64>, sink: Sink<'_>) -> Result<(), LlmError> {
        let Some(item) = parse::<Item<'_>>(raw) else {
            return Ok(());
        };
        let Some(name) = name_of(&item, place) else {
            return Ok(());
        };
        let known = self.items.find_to_close(name).filter(|at| {
            let known = &self.items.at(*at).call_id;
            let id = item.call_id.as_str();
            name.kind != Kind::Call || known.is_empty() || id.is_none_or(|id| id == known)
        });
        let at = match known {
            Some(at) => at,
            None => self.items.open(name)?,
        };
        match name.kind {
            Kind::Message => {
                let (said, refused) = item.said();
                self.refused |= refused;
                if let Some(rest) = said.strip_prefix(self.items.at(at).text.as_str()) {
                    self.speak(at, rest, sink)?;
                }
            }
            Kind::Reasoning => {
                if self.items.at(at).text.is_empty() {
                    self.speak(at, &item.thought(), sink)?;
                }
                // Without its encrypted content the provider would look for it where nothing is stored.
                if item.encrypted_content.as_str().is_some() {
                    self.items.at(at).sealed = Some(raw.get().to_owned());
                }
            }
            Kind::Call => {
                self.begin_call(at, &item, &mut *sink)?;
                let args = item.arguments.map(wire::arguments).unwrap_or_default();
                self.add_rest(at, &args, sink)?;
            }
        }
        self.items.at(at).closed = true;
        Ok(())
    }

    fn say(&mut self, name: Name<'_>, text: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        if text.is_empty() {
            return Ok(());
        }
        let at = match self.items.find(name) {
            Some(at) => at,
            None => self.items.open(name)?,
        };
        self.speak(at, text, sink)
    }

    fn say_if_silent(
        &mut self,
        name: Name<'_>,
        text: &str,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let found = self.items.find(name);
        if found.is_some_and(|at| !self.items.at(at).text.is_empty()) {
            return Ok(());
        }
        self.say(name, text, sink)
    }

    fn speak(&mut self, at: usize, text: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        if text.is_empty() {
            return Ok(());
        }
        let at = self.items.to_speak(at)?;
        let item = self.items.at(at);
        let said = if std::mem::take(&mut item.gap) {
            format!("\n\n{text}")
        } else {
            text.to_owned()
        };
        item.text.push_str(&said);
        sink(match item.kind {
            Kind::Reasoning => Delta::Reasoning(said),
            Kind::Message | Kind::Call => Delta::Text(said),
        });
        Ok(())
    }

    /// Tells the calls who item `at` is, once.
    fn begin_call(&mut self, at: usize, item: &Item<'_>, sink: Sink<'_>) -> Result<(), LlmError> {
        if !self.items.at(at).call_id.is_empty() {
            return Ok(());
        }
        if let Some(id) = item.call_id.as_str() {
            id.clone_into(&mut self.items.at(at).call_id);
        }
        let is_named = self.items.at(at).slot.is_some_and(|slot| {
            let call = self.calls.calls().get(slot);
            call.is_some_and(|call| !call.name.is_empty())
        });
        if is_named {
            return Ok(());
        }
        let (id, name) = (item.call_id.as_str(), item.name.as_str());
        self.push_call(at, id, name, Cow::Borrowed(""), sink)
    }

    fn push_call(
        &mut self,
        at: usize,
        id: Option<&str>,
        name: Option<&str>,
        args: Cow<'_, str>,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let index = i64::try_from(at).ok();
        let piece = Piece {
            index,
            id,
            name,
            args,
        };
        let before = self.calls.calls().len();
        self.calls.push(&piece, at, &self.context.names, sink)?;
        if self.calls.calls().len() > before {
            self.items.at(at).slot.get_or_insert(before);
        }
        Ok(())
    }

    fn pass_args(
        &mut self,
        name: Name<'_>,
        args: Cow<'_, str>,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        if args.is_empty() {
            return Ok(());
        }
        let at = match self.items.find(name) {
            Some(at) => at,
            None => self.items.open(name)?,
        };
        self.push_call(at, None, None, args, sink)
    }

    fn rest_of_args(&mut self, name: Name<'_>, args: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        let at = match self.items.find(name) {
            Some(at) => at,
            None if args.is_empty() => return Ok(()),
            None => self.items.open(name)?,
        };
        self.add_rest(at, args, sink)
    }

    /// Adds what is missing of whole arguments. If they say something else than their pieces did, the pieces count:
    /// they were shown.
    fn add_rest(&mut self, at: usize, args: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        let slot = self.items.at(at).slot;
        let known = slot.and_then(|slot| self.calls.calls().get(slot));
        let known = known.map_or("", |call| call.args.as_str());
        match args.strip_prefix(known).map(str::to_owned) {
            Some(rest) if !rest.is_empty() => {
                self.push_call(at, None, None, Cow::Owned(rest), sink)
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, response: &Response<'_>) {
        if let Some(id) = response.id.as_str() {
            self.response_id.get_or_insert_with(|| id.to_owned());
        }
        if self.model.is_empty()
            && let Some(model) = response.model.as_str()
        {
            model.clone_into(&mut self.model);
        }
        if let Some(usage) = response.usage.0.as_ref().and_then(|usage| usage.usage()) {
            self.usage = Some(usage);
        }
    }

    /// The last event of a stream.
    fn end(
        &mut self,
        kind: &str,
        response: Option<&RawValue>,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let said = kind.strip_prefix("response.").unwrap_or(kind);
        let Some(response) = response.and_then(parse::<Response<'_>>) else {
            if said == "failed" {
                return Err(no_reason());
            }
            self.finish = Some(finish_of(said, ""));
            return Ok(());
        };
        self.whole(&response, said, sink)
    }

    /// A whole answer. `said` is its status where it has none that says more.
    fn whole(
        &mut self,
        response: &Response<'_>,
        said: &str,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        self.note(response);
        self.unstreamed(response, &mut *sink)?;
        if let Some(error) = response.error.filter(|error| error.get() != "null") {
            let body = format!("{{\"error\":{}}}", error.get());
            return Err(to_error(None, body.as_bytes(), ErrorKind::Server));
        }
        let reason = response.incomplete_details.0.as_ref();
        let reason = reason.and_then(|details| details.reason.as_str());
        let status = match response.status.as_str() {
            Some(status @ ("failed" | "incomplete" | "cancelled")) => status,
            // Some servers forget to say in their last event that they are no longer in progress.
            Some(status) if said.is_empty() => status,
            _ if reason.is_some() => "incomplete",
            _ => said,
        };
        if status == "failed" {
            return Err(no_reason());
        }
        self.finish = Some(finish_of(status, reason.unwrap_or_default()));
        Ok(())
    }

    /// Reads from a whole answer what no event has brought: some servers stream nothing, others no calls. What was
    /// streamed is not read again, because they may name it otherwise here. A thought has its place in front of what it
    /// led to, so it comes with everything or not at all.
    fn unstreamed(&mut self, response: &Response<'_>, sink: Sink<'_>) -> Result<(), LlmError> {
        let known = self.items.list();
        let is_new = |kind| {
            !known
                .iter()
                .any(|item| item.kind == kind && item.has_content())
        };
        let wanted = [
            (Kind::Message, is_new(Kind::Message)),
            (Kind::Call, is_new(Kind::Call)),
            (Kind::Reasoning, known.is_empty()),
        ];
        for (place, raw) in response.output.0.iter().flatten().enumerate() {
            let kind = parse::<Item<'_>>(raw).and_then(|item| Some(name_of(&item, None)?.kind));
            if kind.is_some_and(|kind| wanted.contains(&(kind, true))) {
                self.done(raw, i64::try_from(place).ok(), &mut *sink)?;
            }
        }
        Ok(())
    }

    fn has_content(&self) -> bool {
        self.items
            .list()
            .iter()
            .any(super::items::Item::has_content)
    }

    fn stop(&self) -> Option<Stop> {
        let said = match self.finish.as_ref()? {
            Finish::Completed => Stop::Done,
            Finish::Marked if self.has_content() => Stop::Done,
            Finish::Marked => return None,
            Finish::Incomplete(reason) => match reason.as_str() {
                "max_output_tokens" | "max_tokens" | "length" => Stop::Length,
                "content_filter" => Stop::Filtered,
                "" => Stop::Other(String::from("incomplete")),
                other => Stop::Other(other.to_owned()),
            },
            Finish::Other(status) => Stop::Other(status.clone()),
        };
        Some(match said {
            // Calls mean "call them" whatever the server says.
            Stop::Done if !self.calls.is_empty() => Stop::ToolCalls,
            Stop::Done if self.refused => Stop::Refused,
            other => other,
        })
    }

    fn part(&self, item: &super::items::Item) -> Option<Part> {
        match item.kind {
            Kind::Message if item.text.is_empty() => None,
            Kind::Message => {
                let mended = self.context.relaxed.mend_output(&item.text);
                Some(Part::text(mended.as_deref().unwrap_or(&item.text)))
            }
            Kind::Reasoning if item.text.is_empty() && item.sealed.is_none() => None,
            Kind::Reasoning => Some(Part::Reasoning {
                text: Arc::from(item.text.as_str()),
                opaque: item.sealed.as_ref().map(|sealed| Opaque {
                    dialect: OPENAI_RESPONSES.to_owned(),
                    model: self.context.model.clone(),
                    // As text, because an object would come back with its keys in another order.
                    data: Value::String(sealed.clone()),
                }),
            }),
            Kind::Call => {
                let call = self.calls.calls().get(item.slot?)?;
                let mended = self.context.relaxed.mend_args(&call.name, &call.args);
                Some(Part::ToolCall(ToolCall {
                    id: Arc::from(call.id.as_str()),
                    name: Arc::from(call.name.as_str()),
                    args: Arc::from(mended.as_deref().unwrap_or(&call.args)),
                    opaque: None,
                }))
            }
        }
    }
}

impl Decoder for ResponseDecoder {
    fn event(&mut self, name: &str, data: &str, sink: Sink<'_>) -> Result<(), LlmError> {
        let data = data.trim();
        if data == "[DONE]" {
            self.finish.get_or_insert(Finish::Marked);
            return Ok(());
        }
        match serde_json::from_str::<Option<Event<'_>>>(data) {
            Ok(None) => Ok(()),
            Ok(Some(event)) => {
                let kind = event.r#type.as_str().unwrap_or(name);
                self.read(kind, &event, data, sink)
            }
            // Servers that forget the blank line between two events make one of them.
            Err(_) if data.contains('\n') && data.lines().all(is_event_line) => data
                .lines()
                .filter(|line| !line.trim().is_empty())
                .try_for_each(|line| self.event(name, line, sink)),
            Err(_) if name == "error" => Err(to_error(None, data.as_bytes(), ErrorKind::Server)),
            Err(error) => Err(unreadable("an event", data, &error)),
        }
    }

    fn progress(&self) -> Progress {
        if self.finish.is_some() {
            Progress::Ended
        } else {
            Progress::Open
        }
    }

    fn outcome(&mut self) -> Outcome {
        let parts = self.items.list().iter();
        Outcome {
            parts: parts.filter_map(|item| self.part(item)).collect(),
            stop: self.stop(),
            usage: self.usage,
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
    let response = serde_json::from_str::<Response<'_>>(text);
    // A list would pass for the fields of a response in their order.
    let is_answer = response
        .as_ref()
        .is_ok_and(|response| response.output.0.is_some() && text.starts_with('{'));
    if !is_answer && read_error(body).is_some() && text.starts_with(['{', '[']) {
        return Err(whole_error(text));
    }
    let response = response.map_err(|error| unreadable("the answer", text, &error))?;
    if !is_answer {
        let mut error = LlmError::new(ErrorKind::Malformed, "sent an answer without output");
        error.body = kept_body(body);
        return Err(error);
    }
    let mut decoder = ResponseDecoder::new(context.clone(), limits);
    let said = if response.status.as_str().is_some() {
        ""
    } else {
        "completed"
    };
    let read = decoder.whole(&response, said, &mut |_| {});
    let outcome = decoder.outcome();
    match read {
        Ok(()) => Ok(outcome),
        Err(mut error) => {
            *error.partial = outcome;
            Err(error)
        }
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn name_of<'a>(item: &'a Item<'_>, place: Option<i64>) -> Option<Name<'a>> {
    let kind = match item.r#type.as_str()? {
        "message" => Kind::Message,
        "reasoning" => Kind::Reasoning,
        "function_call" => Kind::Call,
        _ => return None, // tools of the provider's own, which were never offered
    };
    let id = item.id.as_str();
    Some(Name { kind, id, place })
}

fn finish_of(status: &str, reason: &str) -> Finish {
    match status {
        "completed" | "done" => Finish::Completed,
        "incomplete" => Finish::Incomplete(reason.to_owned()),
        other => Finish::Other(other.to_owned()),
    }
}

fn no_reason() -> LlmError {
    LlmError::new(
        ErrorKind::Server,
        "ended the answer with an error and gave no reason",
    )
}
