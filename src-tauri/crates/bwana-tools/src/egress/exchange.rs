//! One request and its answer on one connection. Knows no rules about targets; keeps exact track of what was sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bwana_types::traffic::Traffic;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::task::AbortOnDropHandle;
use url::Host;

use super::{EgressError, Patience, Request, Target};
use crate::error::Sent;

/// Bytes of an answer's head.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Header lines of an answer.
const HEADERS_MAX: usize = 100;
const USER_AGENT: &str = concat!("BwanaDesktop/", env!("CARGO_PKG_VERSION"));

/// A connection, secured if the target asks for it.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection whose bytes are counted, as HTTP sees them.
pub(super) struct Counted {
    pub(super) stream: Stream,
    pub(super) traffic: Option<Traffic>,
}

/// The head of an answer; its body can be read once.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap<HeaderValue>,
    body: Incoming,
    /// Moves the bytes; ends with the reply.
    _connection: AbortOnDropHandle<()>,
}

/// What was read of a body, and why no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub bytes: Vec<u8>,
    pub end: BodyEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    Whole,
    /// There is more than was asked for.
    Cut,
    /// The connection broke, or time was up.
    Broken,
    Cancelled,
}

impl Reply {
    /// A header's text, if it is there once and is text.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads at most `max` bytes of the body. What has come is kept, whatever ends it.
    pub async fn body(mut self, max: usize, patience: &Patience) -> Body {
        let mut bytes = Vec::new();
        let end = loop {
            let frame = tokio::select! {
                biased;
                () = patience.cancel.cancelled() => break BodyEnd::Cancelled,
                frame = tokio::time::timeout_at(patience.deadline, self.body.frame()) => frame,
            };
            match frame {
                Ok(None) => break BodyEnd::Whole,
                Ok(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap_or_default();
                    let room = max - bytes.len();
                    bytes.extend_from_slice(&data[..data.len().min(room)]);
                    if data.len() > room {
                        break BodyEnd::Cut;
                    }
                }
                Ok(Some(Err(_))) | Err(_) => break BodyEnd::Broken,
            }
        };
        Body { bytes, end }
    }
}

/// Speaks TLS on `stream` if the target is `https`. The certificate must be the name's, not the address's.
pub(super) async fn secure(
    stream: TcpStream,
    target: &Target,
    config: impl FnOnce() -> Result<Arc<ClientConfig>, EgressError>,
) -> Result<Stream, EgressError> {
    if !target.is_https() {
        return Ok(Stream::Plain(stream));
    }
    let failed = |why: String| {
        EgressError::Unreachable(format!(
            "No secure connection to {}: {why}.",
            target.authority()
        ))
    };
    let name = match target.host() {
        Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| failed("its name is not possible".into()))?,
        Host::Ipv4(ip) => ServerName::from(std::net::IpAddr::V4(*ip)),
        Host::Ipv6(ip) => ServerName::from(std::net::IpAddr::V6(*ip)),
    };
    let stream = TlsConnector::from(config()?)
        .connect(name, stream)
        .await
        .map_err(|error| failed(tls_reason(&error)))?;
    Ok(Stream::Tls(Box::new(stream)))
}

/// Our own words: a certificate's text comes from outside.
fn tls_reason(error: &io::Error) -> String {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(rustls::Error::InvalidCertificate(_)) => "its certificate is not trusted".into(),
        Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS".into(),
        Some(_) => "the handshake failed".into(),
        None => error.kind().to_string(),
    }
}

/// Sends the request and waits for the answer's head. From the moment hyper takes the request, it counts as sent.
pub(super) async fn exchange(
    stream: Counted,
    target: &Target,
    request: Request,
    patience: &Patience,
) -> Result<Reply, EgressError> {
    let request = on_the_wire(target, request)?;
    let authority = target.authority();
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_MAX_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| {
            EgressError::Unreachable(format!("The connection to {authority} broke at once."))
        })?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // How it ends is told to whoever waits for the answer.
        let _ = connection.await;
    }));
    let answer = async {
        match sender.try_send_request(request).await {
            Ok(response) => Ok(response),
            Err(error) if error.message().is_some() => Err(EgressError::Unreachable(format!(
                "{authority} closed the connection before the request was sent."
            ))),
            Err(error) => Err(broken(&authority, error.error())),
        }
    };
    let late = || format!("{authority} did not answer in time.");
    let response = patience
        .within(patience.deadline, Sent::Perhaps, late, answer)
        .await?;
    let (head, body) = response.into_parts();
    Ok(Reply {
        status: head.status,
        headers: head.headers,
        body,
        _connection: connection,
    })
}

fn broken(authority: &str, error: &hyper::Error) -> EgressError {
    let what = if error.is_parse() {
        "answered with something that is not HTTP"
    } else {
        "closed the connection without an answer"
    };
    EgressError::Broken(format!("{authority} {what}."))
}

fn on_the_wire(
    target: &Target,
    request: Request,
) -> Result<http::Request<Full<Bytes>>, EgressError> {
    let impossible = |_| {
        EgressError::Refused(format!(
            "The request to {} cannot be written down.",
            target.authority()
        ))
    };
    let mut wire = http::Request::builder()
        .method(request.method)
        .version(Version::HTTP_11)
        .uri(target.path_and_query())
        .body(Full::new(Bytes::from(request.body)))
        .map_err(impossible)?;
    *wire.headers_mut() = request.headers;
    let host =
        HeaderValue::try_from(target.authority()).map_err(|error| impossible(error.into()))?;
    wire.headers_mut().insert(header::HOST, host);
    wire.headers_mut()
        .insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    wire.headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(wire)
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(traffic) = &self.traffic {
            traffic.received(buf.filled().len() - before);
        }
        done
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let (Some(traffic), Poll::Ready(Ok(bytes))) = (&self.traffic, &done) {
            traffic.sent(*bytes);
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
