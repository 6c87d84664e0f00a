//! What a call gave, in one line: the form in which the tables say what they expect. Also the two ways to get there,
//! through the codec alone and over a socket.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bwana_llm::reader::{End, Reader};
use bwana_llm::{
    Dialect, Endpoint, HttpProvider, Limits, OpenAiChat, Provider, Quirks, ReplyContext, Transport,
};
use bwana_types::message::{Message, Part, Role};
use bwana_types::model::{Delta, LlmError, Outcome, Request};

pub(crate) type Answer = (Result<Outcome, LlmError>, Vec<Delta>);

/// `text "Hi" call a:f:{} stop=Done usage=3/2`
pub(crate) fn outcome(outcome: &Outcome) -> String {
    let mut line = String::new();
    for part in &outcome.parts {
        match part {
            Part::Text { text } => {
                let _ = write!(line, "text {text:?} ");
            }
            Part::Reasoning { text, opaque } => {
                let _ = write!(line, "think {text:?} ");
                if let Some(opaque) = opaque {
                    let _ = write!(line, "opaque {} ", opaque.data);
                }
            }
            Part::ToolCall(call) => {
                let args = call.args.replace('\n', "\\n");
                let _ = write!(line, "call {}:{}:{args} ", call.id, call.name);
                if let Some(opaque) = &call.opaque {
                    let _ = write!(line, "opaque {} ", opaque.data);
                }
            }
            other => panic!("no answer holds {other:?}"),
        }
    }
    match &outcome.stop {
        Some(stop) => {
            let _ = write!(line, "stop={stop:?}");
        }
        None => line.push_str("open"),
    }
    if let Some(usage) = outcome.usage {
        let _ = write!(
            line,
            " usage={}/{}",
            usage.input_tokens, usage.output_tokens
        );
        if usage.cached_tokens > 0 {
            let _ = write!(line, " cached={}", usage.cached_tokens);
        }
        if usage.reasoning_tokens > 0 {
            let _ = write!(line, " reasoning={}", usage.reasoning_tokens);
        }
    }
    line
}

/// The line of an outcome, or `Kind wait=7s | partial`.
pub(crate) fn result(result: &Result<Outcome, LlmError>) -> String {
    match result {
        Ok(whole) => outcome(whole),
        Err(error) => {
            let mut line = format!("{:?}", error.kind);
            if let Some(wait) = error.retry_after {
                let _ = write!(line, " wait={wait:?}");
            }
            let partial = outcome(&error.partial);
            if partial != "open" {
                let _ = write!(line, " | {partial}");
            }
            line
        }
    }
}

/// What came as deltas must be what the outcome holds; else people see something else than the journal keeps.
#[track_caller]
pub(crate) fn assert_deltas_add_up((result, deltas): &Answer) {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => &*error.partial,
    };
    // What fails as a whole was never watched.
    if result.is_err() && deltas.is_empty() {
        return;
    }
    let (mut text, mut thought) = (String::new(), String::new());
    let mut calls: BTreeMap<usize, (String, String, String)> = BTreeMap::new();
    for delta in deltas {
        match delta {
            Delta::Text(piece) => text.push_str(piece),
            Delta::Reasoning(piece) => thought.push_str(piece),
            Delta::ToolStart { slot, id, name } => {
                let call = (id.clone(), name.clone(), String::new());
                assert!(calls.insert(*slot, call).is_none(), "announced twice");
            }
            Delta::ToolArgs { slot, piece } => {
                let call = calls.get_mut(slot).expect("announced before its arguments");
                call.2.push_str(piece);
            }
            Delta::Alive => {}
        }
    }
    let (mut said, mut reasoned) = (String::new(), String::new());
    for part in &outcome.parts {
        match part {
            Part::Text { text } => said.push_str(text),
            Part::Reasoning { text, .. } => reasoned.push_str(text),
            _ => {}
        }
    }
    if !text.is_empty() || result.is_ok() {
        assert_eq!(text, said);
    }
    assert_eq!(thought, reasoned);
    let whole: Vec<(String, String, String)> = outcome
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) if !call.name.is_empty() => Some((
                call.id.to_string(),
                call.name.to_string(),
                call.args.to_string(),
            )),
            _ => None,
        })
        .collect();
    let calls: Vec<_> = calls.into_values().collect();
    assert_eq!(calls, whole);
}

/// The body through the codec, in these pieces.
pub(crate) fn through_codec<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    context: &ReplyContext,
    limits: &Limits,
) -> Answer {
    through(&OpenAiChat, pieces, context, limits)
}

/// The same for any dialect.
pub(crate) fn through<'a>(
    dialect: &dyn Dialect,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    context: &ReplyContext,
    limits: &Limits,
) -> Answer {
    let quirks = Quirks::default();
    let mut deltas = Vec::new();
    let mut sink = |delta| deltas.push(delta);
    let mut reader = Reader::new(dialect, context, &quirks, limits);
    let mut failed = None;
    for piece in pieces {
        if let Err(error) = reader.feed(piece, &mut sink) {
            failed = Some(error);
            break;
        }
    }
    let result = match failed {
        Some(error) => Err(error),
        None => reader.finish(End::Closed, &mut sink),
    };
    (result, deltas)
}

/// What the codec makes of an answer with this status.
pub(crate) fn codec(status: u16, body: &[u8], context: &ReplyContext) -> Answer {
    if (200..300).contains(&status) {
        through_codec([body], context, &Limits::default())
    } else {
        (Err(OpenAiChat.error(status, body)), Vec::new())
    }
}

pub(crate) fn provider(url: &str) -> HttpProvider {
    provider_of(url, Arc::new(OpenAiChat))
}

pub(crate) fn provider_of(url: &str, dialect: Arc<dyn Dialect>) -> HttpProvider {
    let endpoint = Endpoint::new(url, dialect.version()).unwrap();
    HttpProvider::new(endpoint, dialect, Transport::new())
}

pub(crate) fn hello() -> Request {
    Request::new("m", vec![Message::text(Role::User, "Hello")])
}

pub(crate) async fn complete(provider: &HttpProvider, request: &Request) -> Answer {
    let mut deltas = Vec::new();
    let result = provider
        .complete(request, &mut |delta| deltas.push(delta))
        .await;
    (result, deltas)
}
