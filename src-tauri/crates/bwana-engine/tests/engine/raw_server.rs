//! A server whose every byte a test decides: it reads a request, looks for the mark its conversation carries, and sends
//! what the test says for this mark and attempt, then closes. For answers no well-behaved server would give.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Given the mark of a conversation and the attempt (from 1): the bytes to send before closing.
pub(crate) type Answers = dyn Fn(u32, u32) -> Vec<u8> + Send + Sync;

/// What stands in front of a mark in the input of a run.
const MARK: &str = "mark-";

/// Ends with this value.
pub(crate) struct RawServer {
    pub(crate) url: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    answers: Box<Answers>,
    attempts: Mutex<BTreeMap<u32, u32>>,
    requests: AtomicU64,
}

impl RawServer {
    pub(crate) async fn start(
        answers: impl Fn(u32, u32) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            answers: Box::new(answers),
            attempts: Mutex::default(),
            requests: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&shared)));
            }
        });
        Self { url, state, task }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The input of a run whose calls carry this mark.
pub(crate) fn marked(mark: u32) -> String {
    format!("Open a bakery, {MARK}{mark}.")
}

async fn serve(mut socket: TcpStream, state: Arc<State>) {
    let Some(request) = read(&mut socket).await else {
        return;
    };
    state.requests.fetch_add(1, Ordering::SeqCst);
    let mark = request
        .rsplit_once(MARK)
        .and_then(|(_, rest)| {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            rest[..end].parse().ok()
        })
        .unwrap_or(0);
    let attempt = {
        let mut attempts = state
            .attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(mark).or_default();
        *attempt += 1;
        *attempt
    };
    let _ = socket.write_all(&(state.answers)(mark, attempt)).await;
    let _ = socket.shutdown().await;
}

/// One request, head and body.
async fn read(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().unwrap_or(0));
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
