//! Bytes to a provider and back, with a limit on every wait. It knows HTTP and time; what the bytes mean is the
//! dialect's, what a broken call costs is the engine's. The key exists here only, in one header.

mod answer;
mod clients;
mod redact;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bwana_types::model::{ErrorKind, LlmError, Meta, Phase};
use bwana_types::secret::Secret;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::{Client, Request};
use tokio::time::{Instant, timeout_at};

pub(crate) use answer::Answer;
pub use clients::Transport;
pub(crate) use redact::redact;

use crate::dialect::{AuthForm, Dialect};
use crate::endpoint::Endpoint;
use crate::limits::Limits;
use crate::wait::retry_after;

/// What a stream or a whole answer may be.
const ACCEPT: HeaderValue = HeaderValue::from_static("text/event-stream, application/json");
/// Further away than any call can be; for limits whose sum has no meaning.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Hears every reply as it comes off the wire, before anything is made of it: for recording what providers really send.
/// What it hears may hold whatever a provider repeats, keys too.
pub type Tap = Arc<dyn Fn(Heard<'_>) + Send + Sync>;

/// What a [`Tap`] hears.
#[derive(Debug, Clone, Copy)]
pub enum Heard<'a> {
    Begin { status: u16, headers: &'a HeaderMap },
    Bytes(&'a [u8]),
}

/// One request, before the secret.
pub(crate) struct Ask<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) dialect: &'a dyn Dialect,
    pub(crate) limits: &'a Limits,
    pub(crate) secret: Option<&'a Secret>,
    /// Keep the connection for the next call.
    pub(crate) idle_pool: bool,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// A POST with this, or a GET.
    pub(crate) body: Option<Vec<u8>>,
}

impl Transport {
    /// Sends a request and waits for the status line. Only a success becomes an [`Answer`].
    ///
    /// # Errors
    /// `Unreachable` with the whole chain of causes, `Timeout`, `Interrupted`, or what the error status means.
    pub(crate) async fn send(&self, mut ask: Ask<'_>) -> Result<Answer, LlmError> {
        let started = Instant::now();
        let total_at = later(started, ask.limits.total);
        let client = self.client(ask.endpoint, ask.limits.connect, ask.idle_pool)?;
        let bytes_out = ask.body.as_ref().map_or(0, Vec::len) as u64;
        let traffic = self.traffic.with(ask.endpoint.is_loopback());
        let headers_at = later(started, ask.limits.headers);
        let request = request(&client, &mut ask)?;
        let head_out =
            OWN_HEADERS_BYTES + head_bytes(request.url().path().len(), request.headers());
        let sent = || {
            if let Some(traffic) = &traffic {
                traffic.sent(
                    head_out.saturating_add(usize::try_from(bytes_out).unwrap_or(usize::MAX)),
                );
            }
        };
        let response = match within(headers_at, total_at, client.execute(request)).await {
            Ok(Ok(response)) => {
                sent();
                response
            }
            Ok(Err(error)) => {
                if !error.is_connect() {
                    sent();
                }
                return Err(not_sent(&error, ask.limits));
            }
            Err(TooLate { total }) => {
                // Whoever says nothing has mostly heard everything.
                sent();
                let (phase, limit) = if total {
                    (Phase::Total, ask.limits.total)
                } else {
                    (Phase::Headers, ask.limits.headers)
                };
                return Err(timed_out(phase, limit));
            }
        };
        if let Some(traffic) = &traffic {
            traffic.received(head_bytes(0, response.headers()));
        }
        let answer = Answer {
            traffic,
            meta: meta(&response, bytes_out),
            headers_at: Instant::now(),
            started,
            total_at,
            keep_connection: ask.idle_pool,
            tap: self.tap.clone(),
            response,
        };
        if let Some(tap) = &answer.tap {
            tap(Heard::Begin {
                status: answer.response.status().as_u16(),
                headers: answer.response.headers(),
            });
        }
        judged(answer, &ask).await
    }
}

/// The request as it goes out; the body is taken along.
fn request(client: &Client, ask: &mut Ask<'_>) -> Result<Request, LlmError> {
    let method = if ask.body.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let mut request = client
        .request(method, ask.endpoint.join(ask.path))
        .headers(headers(ask)?);
    if let Some(body) = ask.body.take() {
        request = request.body(body);
    }
    request
        .build()
        .map_err(|error| not_sent(&error, ask.limits))
}

/// Only a success that can be read is an answer; anything else is the error it means.
async fn judged(mut answer: Answer, ask: &Ask<'_>) -> Result<Answer, LlmError> {
    let status = answer.response.status();
    if status.is_success() {
        return match unreadable_encoding(answer.response.headers()) {
            Some(error) => Err(with_meta(error, answer.meta)),
            None => Ok(answer),
        };
    }
    if status.is_redirection() {
        let error = redirected(&answer.response, ask.endpoint);
        return Err(with_meta(error, answer.meta));
    }
    let wait = retry_after(answer.response.headers());
    let body = answer.error_body(ask.limits).await;
    let mut error = ask.dialect.error(status.as_u16(), &body);
    error.retry_after = wait.or(error.retry_after);
    Err(with_meta(error, answer.meta))
}

/// What HTTP writes around the words of a first line: method or reason, version, line end.
const FIRST_LINE_BYTES: usize = 20;

/// Host, name of the program and length, which the client writes itself.
const OWN_HEADERS_BYTES: usize = 100;

/// Bytes of a head as HTTP/1.1 writes it, near enough: HTTP/2 packs it smaller.
pub(crate) fn head_bytes(path: usize, headers: &HeaderMap) -> usize {
    let lines = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    FIRST_LINE_BYTES + path + lines.sum::<usize>()
}

/// Puts what was seen around an answer into its error.
pub(crate) fn with_meta(mut error: LlmError, meta: Meta) -> LlmError {
    error.request_id.clone_from(&meta.request_id);
    error.partial.meta = meta;
    error
}

/// The wait was over.
pub(crate) struct TooLate {
    /// It was the whole call's time, not the phase's.
    pub(crate) total: bool,
}

/// `future`, until `at` or `total_at`.
pub(crate) async fn within<T>(
    at: Instant,
    total_at: Instant,
    future: impl Future<Output = T>,
) -> Result<T, TooLate> {
    timeout_at(at.min(total_at), future)
        .await
        .map_err(|_| TooLate {
            total: total_at <= at,
        })
}

/// `from` plus `wait`, for any `wait`.
pub(crate) fn later(from: Instant, wait: Duration) -> Instant {
    from.checked_add(wait.min(FAR)).unwrap_or(from)
}

pub(crate) fn timed_out(phase: Phase, limit: Duration) -> LlmError {
    let what = match phase {
        Phase::Connect => "could not be connected to within",
        Phase::Headers => "did not begin to answer within",
        Phase::FirstEvent => "began to answer but said nothing for",
        Phase::Idle => "stopped in the middle of the answer and said nothing for",
        Phase::Total => "did not finish the answer within",
    };
    LlmError::new(
        ErrorKind::Timeout(phase),
        format!("{what} {} s", limit.as_secs_f32()),
    )
}

/// The causes of an error, outermost first, each once. Without the URL, which may hold what nobody should read.
pub(crate) fn causes(error: &reqwest::Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if causes.last().is_none_or(|last| !last.contains(&text)) {
            causes.push(text);
        }
        source = cause.source();
    }
    if causes.is_empty() {
        // The error's own text names the URL; its kind is enough.
        return String::from("the connection failed without a reason");
    }
    causes.join(": ")
}

fn not_sent(error: &reqwest::Error, limits: &Limits) -> LlmError {
    if error.is_connect() && error.is_timeout() {
        return timed_out(Phase::Connect, limits.connect);
    }
    let causes = causes(error);
    if error.is_connect() {
        let message = format!("cannot be reached: {causes}");
        return LlmError::new(ErrorKind::Unreachable, message);
    }
    if causes.contains("invalid HTTP") {
        let message = format!("does not speak HTTP: {causes}");
        return LlmError::new(ErrorKind::Malformed, message);
    }
    LlmError::new(
        ErrorKind::Interrupted,
        format!("closed the connection before it answered: {causes}"),
    )
}

fn headers(ask: &Ask<'_>) -> Result<HeaderMap, LlmError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, ACCEPT);
    if ask.body.is_some() {
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
    }
    if !ask.idle_pool {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers.extend(ask.headers.iter().cloned());
    if let Some(secret) = ask.secret {
        let (name, form) = ask.dialect.auth();
        let key = secret.expose().trim();
        let text = match form {
            AuthForm::Bearer => format!("Bearer {key}"),
            AuthForm::Bare => key.to_owned(),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            LlmError::new(
                ErrorKind::Auth,
                "cannot be given this key: it holds characters no key has; copy it again",
            )
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// How many headers about rate limits are kept, and how long each may be.
const RATE_HEADERS_MAX: usize = 32;
const HEADER_KEPT_MAX_BYTES: usize = 256;

fn meta(response: &reqwest::Response, bytes_out: u64) -> Meta {
    let headers = response.headers();
    let request_id = ["x-request-id", "request-id", "x-groq-request-id"]
        .iter()
        .find_map(|name| headers.get(*name))
        .map(header_text);
    let about_rate = |name: &str| {
        name.starts_with("x-ratelimit-")
            || name.starts_with("ratelimit")
            || name.starts_with("anthropic-ratelimit-")
            || name.starts_with("retry-after")
    };
    let rate = headers
        .iter()
        .filter(|(name, _)| about_rate(name.as_str()))
        .take(RATE_HEADERS_MAX)
        .map(|(name, value)| (name.as_str().to_owned(), header_text(value)))
        .collect();
    Meta {
        status: Some(response.status().as_u16()),
        request_id,
        rate,
        first_token_after: None,
        bytes_in: 0,
        bytes_out,
    }
}

/// All of a header or nothing of it: the first half of a key would no longer be recognised as one.
fn header_text(value: &HeaderValue) -> String {
    match value.as_bytes() {
        bytes if bytes.len() > HEADER_KEPT_MAX_BYTES => String::from("[too long]"),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn unreadable_encoding(headers: &HeaderMap) -> Option<LlmError> {
    let encoding = headers.get(header::CONTENT_ENCODING)?.to_str().ok()?;
    (!encoding.eq_ignore_ascii_case("identity")).then(|| {
        LlmError::new(
            ErrorKind::Malformed,
            format!("compressed its answer ({encoding}) although it was not asked to"),
        )
    })
}

/// Redirects are not followed: the key and the conversation go to the address a person chose, and to no other.
fn redirected(response: &reqwest::Response, endpoint: &Endpoint) -> LlmError {
    let status = response.status().as_u16();
    let target = response
        .headers()
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| endpoint.join("").join(text).ok())
        .map_or_else(
            || String::from("another address"),
            |url| url.origin().ascii_serialization(),
        );
    let mut error = LlmError::new(
        ErrorKind::Malformed,
        format!(
            "answered {status} and points to {target}. If that is a login page of this network, log in with a browser \
             first; if the provider has moved, change its address"
        ),
    );
    error.status = Some(status);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_kept_whole_or_not_at_all() {
        let kept = |text: &str| header_text(&HeaderValue::from_bytes(text.as_bytes()).unwrap());
        assert_eq!(kept("req_1"), "req_1");
        let longest = "x".repeat(HEADER_KEPT_MAX_BYTES);
        assert_eq!(kept(&longest), longest);
        let cut_in_a_key = format!("{}canary-7Hq2xV9t", "x".repeat(HEADER_KEPT_MAX_BYTES - 8));
        assert_eq!(kept(&cut_in_a_key), "[too long]");
    }
}
