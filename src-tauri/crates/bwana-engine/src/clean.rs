//! Takes known secrets out of how a call ended, before anything of it is journaled, shown or put before a model again.
//! The one place where that happens: everything from outside comes into a run as a [`CallDone`].

use std::borrow::Cow;
use std::sync::Arc;

use bwana_types::entry::ToolResult;
use bwana_types::message::{Opaque, Part};
use bwana_types::model::{LlmError, Outcome};
use bwana_types::redact::Redactor;
use bwana_workflow::machine::CallDone;

/// The same ending without any secret the redactor knows.
pub(crate) fn done(redactor: &Redactor, mut done: CallDone) -> CallDone {
    match &mut done {
        CallDone::Model(answer) => outcome(redactor, answer),
        CallDone::ModelFailed { error, .. } => failure(redactor, error),
        CallDone::Tool(result) => tool_result(redactor, result),
        CallDone::ToolFailed { message, .. } => owned(redactor, message),
        CallDone::ToolUncertain { why } => owned(redactor, why),
        CallDone::Cancelled {
            partial: Some(partial),
        } => shared(redactor, partial),
        CallDone::Cancelled { partial: None } | CallDone::NeverStarted => {}
    }
    done
}

fn outcome(redactor: &Redactor, outcome: &mut Outcome) {
    for one in &mut outcome.parts {
        part(redactor, one);
    }
    owned(redactor, &mut outcome.model);
    maybe(redactor, &mut outcome.response_id);
    maybe(redactor, &mut outcome.meta.request_id);
    for (_, value) in &mut outcome.meta.rate {
        owned(redactor, value);
    }
}

/// Also what was said before it broke.
pub(crate) fn failure(redactor: &Redactor, error: &mut LlmError) {
    owned(redactor, &mut error.message);
    owned(redactor, &mut error.body);
    maybe(redactor, &mut error.request_id);
    outcome(redactor, &mut error.partial);
}

fn tool_result(redactor: &Redactor, result: &mut ToolResult) {
    shared(redactor, &mut result.content);
    maybe(redactor, &mut result.source);
    for artifact in &mut result.artifacts {
        owned(redactor, &mut artifact.file);
    }
}

fn part(redactor: &Redactor, part: &mut Part) {
    match part {
        Part::Text { text } => shared(redactor, text),
        Part::Image { mime, data } => {
            owned(redactor, mime);
            shared(redactor, data);
        }
        Part::Reasoning { text, opaque } => {
            shared(redactor, text);
            sealed(redactor, opaque);
        }
        Part::ToolCall(call) => {
            shared(redactor, &mut call.id);
            shared(redactor, &mut call.name);
            shared(redactor, &mut call.args);
            sealed(redactor, &mut call.opaque);
        }
        Part::ToolResult {
            id, name, content, ..
        } => {
            shared(redactor, id);
            shared(redactor, name);
            shared(redactor, content);
        }
    }
}

/// What is sealed goes back unchanged or not at all.
fn sealed(redactor: &Redactor, opaque: &mut Option<Opaque>) {
    if opaque
        .as_ref()
        .is_some_and(|opaque| redactor.holds_json(&opaque.data))
    {
        *opaque = None;
    }
}

fn shared(redactor: &Redactor, text: &mut Arc<str>) {
    if let Cow::Owned(clean) = redactor.exact(text) {
        *text = Arc::from(clean);
    }
}

fn owned(redactor: &Redactor, text: &mut String) {
    if let Cow::Owned(clean) = redactor.exact(text) {
        *text = clean;
    }
}

fn maybe(redactor: &Redactor, text: &mut Option<String>) {
    if let Some(text) = text {
        owned(redactor, text);
    }
}
