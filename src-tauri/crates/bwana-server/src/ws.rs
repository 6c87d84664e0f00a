//! The WebSocket of a page: calls with their events, several at a time.
//!
//! A page sends `{id, name, params}` and hears any number of `{id, event}` and then one `{id, at?, value}` or
//! `{id, error}`. `{id, cancel: true}` gives a call up; nothing more is said of it. When the socket closes, every call
//! of it is given up; what is recorded stays.

use std::collections::HashMap;

use axum::Extension;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bwana_api::{Event, Events};
use bwana_types::error::{ApiError, ErrorCode};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::gate::{Authed, WS_PROTOCOL};
use crate::host::Place;
use crate::limits::{
    CALLS_MAX, FRAME_MAX_BYTES, MESSAGE_MAX_BYTES, READ_PATIENCE, REPLIES_QUEUED_MAX,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    cancel: bool,
}

#[derive(Serialize, Default)]
struct Reply {
    /// `null`: the request had none that could be read.
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Event>,
    /// `{at?, value}` of an answer.
    #[serde(flatten)]
    answer: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ApiError>,
}

impl Reply {
    fn event(id: u64, event: Event) -> Self {
        Self {
            id: Some(id),
            event: Some(event),
            ..Self::default()
        }
    }

    fn end(id: Option<u64>, outcome: Result<Value, ApiError>) -> Self {
        let id = Self {
            id,
            ..Self::default()
        };
        match outcome {
            Ok(answer) => Self {
                answer: Some(answer),
                ..id
            },
            Err(error) => Self {
                error: Some(error),
                ..id
            },
        }
    }
}

/// What goes to the page.
enum Out {
    Reply(Box<Reply>),
    Close(u16, &'static str),
}

/// `GET /api/ws`
pub(crate) async fn upgrade(
    authed: Authed,
    Extension(place): Extension<Place>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .protocols([WS_PROTOCOL])
        .max_frame_size(FRAME_MAX_BYTES)
        .max_message_size(MESSAGE_MAX_BYTES)
        .on_upgrade(async move |socket| {
            talk(authed, socket).await;
            // The connection has its place until here.
            drop(place);
        })
}

async fn talk(authed: Authed, socket: WebSocket) {
    let (to, from) = socket.split();
    let (out, queue) = mpsc::channel(REPLIES_QUEUED_MAX);
    let mut writer = tokio::spawn(write(to, queue));
    let mut calls = Calls::default();
    let why = tokio::select! {
        why = listen(&authed, from, &out, &mut calls) => why,
        () = authed.stopped() => Some((close_code::AWAY, "the program ends")),
        // It only ends before us when nobody reads any more.
        _ = &mut writer => return,
    };
    drop(calls);
    if let Some((code, why)) = why {
        // A full queue means that nobody reads.
        let _ = out.try_send(Out::Close(code, why));
    }
    drop(out);
    let _ = writer.await;
}

/// Calls under way; given up with this value.
#[derive(Default)]
struct Calls(HashMap<u64, JoinHandle<()>>);

impl Drop for Calls {
    fn drop(&mut self) {
        for call in self.0.values() {
            call.abort();
        }
    }
}

/// Until the page goes (`None`), or does what ends the conversation.
async fn listen(
    authed: &Authed,
    mut from: SplitStream<WebSocket>,
    out: &mpsc::Sender<Out>,
    Calls(calls): &mut Calls,
) -> Option<(u16, &'static str)> {
    loop {
        let text = match from.next().await? {
            Ok(Message::Text(text)) => text,
            Ok(Message::Binary(_)) => return Some((close_code::UNSUPPORTED, "only text is read")),
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(Message::Close(_)) => return None,
            Err(error) => {
                tracing::debug!(%error, "a page's connection ended");
                return Some((close_code::SIZE, "a message was too large or broken"));
            }
        };
        calls.retain(|_, call| !call.is_finished());
        match read(&text, calls) {
            Ok(Request {
                id, cancel: true, ..
            }) => {
                if let Some(call) = calls.remove(&id) {
                    call.abort();
                }
            }
            Ok(request) => {
                let id = request.id;
                let call = tokio::spawn(work(authed.clone(), request, out.clone()));
                calls.insert(id, call);
            }
            Err((id, error)) => {
                let reply = Reply::end(id, Err(error));
                out.send(Out::Reply(Box::new(reply))).await.ok()?;
            }
        }
    }
}

fn read(
    text: &str,
    calls: &HashMap<u64, JoinHandle<()>>,
) -> Result<Request, (Option<u64>, ApiError)> {
    let refuse = |id, message: String| Err((id, ApiError::new(ErrorCode::UsageInvalid, message)));
    let request: Request = match serde_json::from_str(text) {
        Ok(request) => request,
        // The error's place, not its text: a message may hold a secret.
        Err(error) => {
            let message = format!("a message is no call (column {})", error.column());
            return refuse(None, message);
        }
    };
    let id = Some(request.id);
    if request.cancel {
        return Ok(request);
    }
    if calls.contains_key(&request.id) {
        return refuse(id, format!("call {} is under way already", request.id));
    }
    if calls.len() >= CALLS_MAX {
        return refuse(id, format!("{CALLS_MAX} calls are under way already"));
    }
    Ok(request)
}

/// One call: its events, then its answer.
async fn work(authed: Authed, request: Request, out: mpsc::Sender<Out>) {
    let Request {
        id, name, params, ..
    } = request;
    let tell = async |reply| out.send(Out::Reply(Box::new(reply))).await.is_ok();
    let (events, mut told) = Events::channel();
    let command = authed.call(&name, params, events);
    tokio::pin!(command);
    let outcome = loop {
        tokio::select! {
            biased;
            Some(event) = told.recv() => {
                if !tell(Reply::event(id, event)).await {
                    return;
                }
            }
            outcome = &mut command => break outcome,
        }
    };
    // The command has told everything; what is left waits in the queue.
    while let Ok(event) = told.try_recv() {
        if !tell(Reply::event(id, event)).await {
            return;
        }
    }
    tell(Reply::end(Some(id), outcome)).await;
}

async fn write(mut to: SplitSink<WebSocket, Message>, mut queue: mpsc::Receiver<Out>) {
    while let Some(out) = queue.recv().await {
        let (message, is_last) = match out {
            Out::Reply(reply) => match serde_json::to_string(&reply) {
                Ok(text) => (Message::Text(text.into()), false),
                Err(error) => {
                    tracing::error!(%error, "a reply cannot be written");
                    return;
                }
            },
            Out::Close(code, why) => {
                let reason = why.into();
                (Message::Close(Some(CloseFrame { code, reason })), true)
            }
        };
        // A page that does not read must not hold its place for ever.
        if !matches!(timeout(READ_PATIENCE, to.send(message)).await, Ok(Ok(()))) || is_last {
            return;
        }
    }
    let _ = timeout(READ_PATIENCE, to.close()).await;
}
