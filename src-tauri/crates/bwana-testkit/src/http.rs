//! HTTP/1.1 by hand, as little as test servers need: keep-alive, bodies with a length, and full control over the bytes
//! that go back, so that an answer can break at any of them. Cheap enough to stand beside a bench.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Bytes of a request's head.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Bytes of a request's body.
const BODY_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// A whole request.
pub(crate) struct Incoming {
    pub(crate) method: String,
    /// Path and query as sent.
    pub(crate) target: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Incoming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of a query parameter, as it stands in the URL.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, v)| v)
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
    /// Bytes read and not yet used.
    buffer: Vec<u8>,
    /// Whether no model was asked on it yet.
    pub(crate) is_fresh: bool,
}

/// Whether a connection may be used for another request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    KeepAlive,
    Close,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            is_fresh: true,
        }
    }

    /// The next request, or `None` when the other side has closed in good order.
    async fn read(&mut self) -> io::Result<Option<Incoming>> {
        let head_end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if self.buffer.len() > HEAD_MAX_BYTES {
                return Err(invalid("the head is too long"));
            }
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        };
        let mut request = parse_head(&self.buffer[..head_end])?;
        self.buffer.drain(..head_end + 4);
        let length = match request.header("content-length") {
            Some(length) => length.parse().map_err(|_| invalid("a bad length"))?,
            None if request.header("transfer-encoding").is_some() => {
                return Err(invalid("a body needs a content-length here"));
            }
            None => 0,
        };
        if length > BODY_MAX_BYTES {
            return Err(invalid("the body is too long"));
        }
        self.buffer
            .reserve(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.buffer.split_off(length);
        request.body = std::mem::replace(&mut self.buffer, rest);
        Ok(Some(request))
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.buffer).await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    pub(crate) async fn answer(
        &mut self,
        status: u16,
        kind: &str,
        more: &str,
        body: &[u8],
    ) -> io::Result<()> {
        self.write(&whole(status, kind, more, body)).await
    }

    pub(crate) async fn answer_json(&mut self, status: u16, body: &[u8]) -> io::Result<()> {
        self.answer(status, "application/json", "", body).await
    }

    /// Ends when the other side closes the connection: what a wait is raced against.
    pub(crate) async fn closed(&self) {
        let mut one = [0; 1];
        match self.stream.peek(&mut one).await {
            Ok(0) | Err(_) => {}
            // More bytes mean that it is still there; nobody here sends a second request before the first is answered.
            Ok(_) => std::future::pending().await,
        }
    }
}

/// A whole answer as bytes. `more` is further header lines, each with its line break.
pub(crate) fn whole(status: u16, kind: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{more}\r\n",
        reason(status),
        body.len()
    );
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The head of an answer that comes in chunks.
pub(crate) fn chunked_head(kind: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
    )
}

pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

fn parse_head(head: &[u8]) -> io::Result<Incoming> {
    let head = std::str::from_utf8(head).map_err(|_| invalid("the head is no text"))?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(invalid("no request line"));
    };
    let headers = lines.filter_map(|line| line.split_once(':'));
    Ok(Incoming {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// What answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    fn handle(
        &self,
        connection: &mut Connection,
        request: Incoming,
    ) -> impl Future<Output = io::Result<Next>> + Send;
}

/// Serves on `listener` until the future is dropped, which closes every connection.
pub(crate) async fn serve<H: Handler>(listener: TcpListener, handler: Arc<H>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let handler = Arc::clone(&handler);
                    connections.spawn(async move { talk(Connection::new(stream), &*handler).await });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Errors of a connection end it: the peer may vanish at any time, which is what many tests are about.
async fn talk<H: Handler>(mut connection: Connection, handler: &H) {
    let _ = connection.stream.set_nodelay(true);
    while let Ok(Some(request)) = connection.read().await {
        let last = request.header("connection") == Some("close");
        match handler.handle(&mut connection, request).await {
            Ok(Next::KeepAlive) if !last => {}
            Ok(_) | Err(_) => break,
        }
    }
}

/// Binds a free port of the loopback address, or `port` if it is not 0.
pub(crate) fn bind(port: u16) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A server on a thread of its own, so that tests without a runtime can use it, and a busy test cannot starve it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn start<H: Handler>(port: u16, handler: Arc<H>) -> io::Result<Self> {
        let listener = bind(port)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    () = serve(listener, handler) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Ends the server at once: listening and every connection, as when its process dies.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_with_names_in_any_case() {
        let request =
            parse_head(b"POST /a/b?n=3&x=y HTTP/1.1\r\nContent-Length: 12\r\nX-A:b").unwrap();
        assert_eq!((request.method.as_str(), request.path()), ("POST", "/a/b"));
        assert_eq!(request.header("content-length"), Some("12"));
        assert_eq!(request.header("x-a"), Some("b"));
        assert_eq!((request.query("x"), request.query("z")), (Some("y"), None));
    }

    #[test]
    fn a_head_without_a_request_line_is_refused() {
        assert!(parse_head(b"GET").is_err());
        assert!(parse_head(&[0xff, 0xfe]).is_err());
    }
}
