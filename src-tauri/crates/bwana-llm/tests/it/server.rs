//! A model server that does exactly what a test tells it, byte by byte, and remembers what it was sent.
//! Deliberately no HTTP library: half of what is tested here is what such a library would refuse to send.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// One thing the server does on a connection.
#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Sends these bytes again and again, with a pause, until the client is gone or this many times.
    Repeat(Vec<u8>, Duration, usize),
    /// Does nothing until the client hangs up.
    Hang,
    /// Ends the connection with a reset instead of an orderly close.
    Reset,
}

/// What the server does for one request; afterwards it closes the connection.
#[derive(Clone)]
pub(crate) struct Reply(pub(crate) Vec<Step>);

impl Reply {
    /// Any status, with headers (`name: value` lines) and a body of known length.
    pub(crate) fn status(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for line in headers.lines() {
            bytes.push_str(line);
            bytes.push_str("\r\n");
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(body);
        Self(vec![Step::Send(bytes)])
    }

    /// A stream that ends in order when the server closes.
    pub(crate) fn stream(body: impl AsRef<[u8]>) -> Self {
        Self(vec![stream_head(), Step::Send(body.as_ref().to_vec())])
    }

    /// The beginning of a stream, then these steps.
    pub(crate) fn stream_then(body: &str, steps: Vec<Step>) -> Self {
        let mut all = vec![stream_head(), Step::Send(body.as_bytes().to_vec())];
        all.extend(steps);
        Self(all)
    }

    /// A chunked stream that breaks off: the closing chunk never comes, so the client can tell.
    pub(crate) fn cut_stream(body: &str) -> Self {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let text = format!("{head}{:x}\r\n{body}\r\n", body.len());
        Self(vec![Step::Send(text.into_bytes())])
    }
}

fn stream_head() -> Step {
    Step::Send(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_vec(),
    )
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `POST /v1/chat/completions`
    pub(crate) line: String,
    /// Lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: serde_json::Value,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The server; it ends with this value.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// How many clients hung up while the server still had something to do.
    hung_up: watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Answers the nth request with the nth reply, and every later one with the last.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (hung_up_tx, hung_up) = watch::channel(0);
        let hung_up_tx = Arc::new(hung_up_tx);
        let mut tasks = JoinSet::new();
        let log = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (log, replies, hung_up) =
                    (Arc::clone(&log), replies.clone(), Arc::clone(&hung_up_tx));
                connections.spawn(async move {
                    serve(socket, &log, &replies, &hung_up).await;
                });
            }
        });
        Self {
            url,
            seen,
            hung_up,
            _tasks: tasks,
        }
    }

    pub(crate) async fn one(reply: Reply) -> Self {
        Self::start(vec![reply]).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until a client hung up in the middle.
    pub(crate) async fn wait_for_hang_up(&mut self) {
        let wait = self.hung_up.wait_for(|count| *count > 0);
        tokio::time::timeout(Duration::from_secs(30), wait)
            .await
            .expect("the client hangs up")
            .expect("the server lives");
    }
}

async fn serve(
    mut socket: TcpStream,
    log: &Mutex<Vec<Seen>>,
    replies: &[Reply],
    hung_up: &watch::Sender<usize>,
) {
    let Some(request) = read_request(&mut socket).await else {
        return;
    };
    let number = {
        let mut log = log.lock().unwrap();
        log.push(request);
        log.len() - 1
    };
    let reply = &replies[number.min(replies.len() - 1)];
    for step in &reply.0 {
        if !perform(&mut socket, step).await {
            hung_up.send_modify(|count| *count += 1);
            return;
        }
    }
    let _ = socket.shutdown().await;
    // Closing with unread bytes would reset the connection and could take our answer with it.
    let mut rest = [0; 1024];
    while socket.read(&mut rest).await.is_ok_and(|n| n > 0) {}
}

/// Whether the client is still there.
async fn perform(socket: &mut TcpStream, step: &Step) -> bool {
    match step {
        Step::Send(bytes) => socket.write_all(bytes).await.is_ok(),
        Step::Repeat(bytes, pause, times) => {
            for _ in 0..*times {
                if socket.write_all(bytes).await.is_err() {
                    return false;
                }
                if !pause.is_zero() {
                    tokio::time::sleep(*pause).await;
                }
            }
            true
        }
        Step::Hang => {
            let mut rest = [0; 64];
            while socket.read(&mut rest).await.is_ok_and(|n| n > 0) {}
            false
        }
        Step::Reset => {
            let _ = socket.set_zero_linger();
            true
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap_or(0));
    while bytes.len() < head_end + length {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&bytes[head_end..head_end + length]).unwrap_or_default();
    Some(Seen {
        line,
        headers,
        body,
    })
}
