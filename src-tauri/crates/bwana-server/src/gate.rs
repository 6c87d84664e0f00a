//! The door: host, origin and token, in this order and before anything else; and the headers every answer carries.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use bwana_api::{App, Caller, Ctx, Events};
use bwana_types::error::ApiError;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::keys::{Keys, Refused};
use crate::refuse;

/// Where the WebSocket is.
pub(crate) const WS_PATH: &str = "/api/ws";
/// The WebSocket's own subprotocol; beside it stands `t.` and the token.
pub(crate) const WS_PROTOCOL: &str = "bwana.v1";
const TOKEN_PREFIX: &str = "t.";

/// As the window's, except that a page talks to its own host.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; frame-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'";

/// On every answer, also on refusals.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// What the door knows. The data folder behind it is reached through [`Authed`] only.
#[derive(Clone)]
pub(crate) struct Gate {
    inside: Authed,
    pub(crate) keys: Arc<Keys>,
    /// The names under which this host is called.
    hosts: Arc<[String; 3]>,
}

/// Proof that the token was shown, and the only way to the command table.
#[derive(Clone)]
pub(crate) struct Authed {
    app: App,
    caller: Caller,
    stop: CancellationToken,
}

impl Authed {
    /// Calls a command of the table: the one place where this host does. Answers `{"value"}`, for queries with `"at"`:
    /// their place in the change feed.
    ///
    /// # Errors
    /// As the command says.
    pub(crate) async fn call(
        &self,
        name: &str,
        params: Value,
        events: Events,
    ) -> Result<Value, ApiError> {
        let ctx = Ctx {
            caller: self.caller,
            events,
        };
        self.app.dispatch_at(ctx, name, params).await
    }

    /// Resolves when the host stops.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

impl<S: Sync> FromRequestParts<S> for Authed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let shown = parts.extensions.get::<Self>().cloned();
        // A route that was put beside the door by mistake answers nobody.
        shown.ok_or_else(|| refuse::session(Refused::Wrong))
    }
}

impl Gate {
    pub(crate) fn new(
        app: App,
        caller: Caller,
        keys: Arc<Keys>,
        port: u16,
        stop: CancellationToken,
    ) -> Self {
        let name = |host: &str| format!("{host}:{port}");
        Self {
            inside: Authed { app, caller, stop },
            keys,
            hosts: Arc::new([name("127.0.0.1"), name("localhost"), name("[::1]")]),
        }
    }

    /// Who a page with a token is.
    pub(crate) const fn caller(&self) -> Caller {
        self.inside.caller
    }

    /// The name this request calls us by, if it is one of ours.
    fn host<'a>(&self, request: &'a Request) -> Option<&'a str> {
        // A whole address in the request line would stand above the header.
        if request.uri().authority().is_some() {
            return None;
        }
        let host = only(request.headers(), &header::HOST)?;
        self.hosts.iter().any(|ours| ours == host).then_some(host)
    }
}

/// The outermost layer: nobody calls us by another name, and no other page calls us at all.
pub(crate) async fn check_place(
    State(gate): State<Gate>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match refuse_place(&gate, &request) {
        Some(refused) => refused,
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    response
}

fn refuse_place(gate: &Gate, request: &Request) -> Option<Response> {
    let Some(host) = gate.host(request) else {
        return Some(refuse::and_close(refuse::usage(
            StatusCode::MISDIRECTED_REQUEST,
            "this host is called 127.0.0.1, localhost or [::1], with its port",
        )));
    };
    let origins = request.headers().get_all(header::ORIGIN).iter().count();
    let ours = format!("http://{host}");
    let is_ours = only(request.headers(), &header::ORIGIN) == Some(&ours);
    let is_needed = request.uri().path() == WS_PATH;
    if is_ours || (origins == 0 && !is_needed) {
        return None;
    }
    Some(refuse::and_close(refuse::usage(
        StatusCode::FORBIDDEN,
        "only pages of this host may ask here",
    )))
}

/// In front of every route that does something.
pub(crate) async fn authenticate(
    State(gate): State<Gate>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = shown_token(&request);
    if let Err(refused) = gate.keys.check(token, Instant::now()) {
        return refuse::session(refused);
    }
    request.extensions_mut().insert(gate.inside.clone());
    next.run(request).await
}

fn shown_token(request: &Request) -> Option<&str> {
    if request.uri().path() == WS_PATH && request.method() == Method::GET {
        // Browsers let a page choose nothing else of the handshake.
        let protocols = only(request.headers(), &header::SEC_WEBSOCKET_PROTOCOL)?;
        let (ours, token) = protocols.split_once(',')?;
        return (ours.trim() == WS_PROTOCOL)
            .then(|| token.trim().strip_prefix(TOKEN_PREFIX))
            .flatten();
    }
    only(request.headers(), &header::AUTHORIZATION)?.strip_prefix("Bearer ")
}

/// The value of a header that stands there once and is text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
