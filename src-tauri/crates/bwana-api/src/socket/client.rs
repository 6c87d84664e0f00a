//! The other side: finds the owner's socket, checks who is there, and calls commands over it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bwana_types::error::{ApiError, ErrorCode};
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::line::{self, Lines, Read};
use super::server::own_uid;
use super::{Hello, Line, PROTOCOL, REPLY_MAX_BYTES, Request, Said, path};
use crate::command::Command;
use crate::events::{Event, Events};

/// How long an owner may take to greet: it only writes one line.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Events of one request that wait for the caller before the whole connection waits.
const HEARD_QUEUED_MAX: usize = 256;

/// A connection to the owner of a data folder.
pub struct Client {
    hello: Hello,
    writer: Arc<AsyncMutex<OwnedWriteHalf>>,
    waiting: Waiting,
    next_id: AtomicU64,
    reader: JoinHandle<()>,
}

type Waiting = Arc<Mutex<HashMap<u64, mpsc::Sender<Said>>>>;

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Event(Event),
    Done(Value),
}

impl Client {
    /// Connects to the owner of `home`; `None`: nobody listens there.
    ///
    /// # Errors
    /// If somebody listens and does not speak as expected, or is another version.
    pub async fn connect(home: &Path) -> Result<Option<Self>, ApiError> {
        let uid = own_uid().map_err(|error| unreachable(&error.to_string()))?;
        for path in path::candidates(home, uid) {
            let stream = match UnixStream::connect(&path).await {
                Ok(stream) => stream,
                // No socket, or one that a killed owner left.
                Err(_) => continue,
            };
            // Whoever listens in a shared place must be the same person: what we send is not for others.
            if !stream.peer_cred().is_ok_and(|peer| peer.uid() == uid) {
                tracing::warn!(path = %path.display(), "somebody else listens at the place of the owner socket");
                continue;
            }
            return Self::greet(stream).await.map(Some);
        }
        Ok(None)
    }

    async fn greet(stream: UnixStream) -> Result<Self, ApiError> {
        let (read, write) = stream.into_split();
        let mut lines = Lines::new(read, REPLY_MAX_BYTES);
        let first = timeout(HELLO_TIMEOUT, lines.next()).await;
        let hello: Hello = match first {
            Ok(Ok(Read::Line(text))) => serde_json::from_slice(&text)
                .map_err(|error| unreachable(&format!("its greeting cannot be read ({error})")))?,
            Ok(Ok(Read::End | Read::TooLong)) => return Err(unreachable("it does not greet")),
            Ok(Err(error)) => return Err(unreachable(&error.to_string())),
            Err(_) => return Err(unreachable("it does not greet in time")),
        };
        let ours = env!("CARGO_PKG_VERSION");
        if hello.bwana != PROTOCOL || hello.version != ours {
            let message = format!(
                "the data folder is held by bwana {} (process {}), this is bwana {ours}",
                hello.version, hello.pid
            );
            return Err(ApiError::new(ErrorCode::OwnerVersion, message));
        }
        let waiting = Waiting::default();
        let reader = tokio::spawn(read_lines(lines, Arc::clone(&waiting)));
        Ok(Self {
            hello,
            writer: Arc::new(AsyncMutex::new(write)),
            waiting,
            next_id: AtomicU64::new(1),
            reader,
        })
    }

    /// Who is at the other end.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Calls a command, handing its events on.
    ///
    /// # Errors
    /// What the command says, or that the owner is gone.
    pub async fn call<C: Command>(
        &self,
        request: &C::Request,
        events: &Events,
    ) -> Result<C::Response, ApiError> {
        let params = serde_json::to_value(request)
            .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
        let mut call = self.begin(C::NAME, params).await?;
        loop {
            let reply = tokio::select! {
                reply = call.next() => reply?,
                // Dropping the call tells the owner.
                () = events.gone() => return Err(ApiError::new(ErrorCode::Internal, "nobody listens any more")),
            };
            match reply {
                Reply::Event(event) => {
                    events.tell(event).await;
                }
                Reply::Done(value) => {
                    return serde_json::from_value(value).map_err(|error| {
                        unreachable(&format!(
                            "its answer to {} cannot be read ({error})",
                            C::NAME
                        ))
                    });
                }
            }
        }
    }

    async fn begin(&self, command: &str, params: Value) -> Result<Call, ApiError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, heard) = mpsc::channel(HEARD_QUEUED_MAX);
        lock(&self.waiting).insert(id, sender);
        let call = Call {
            id,
            heard,
            done: false,
            waiting: Arc::clone(&self.waiting),
            writer: Arc::clone(&self.writer),
        };
        let request = Request {
            id,
            command: command.to_owned(),
            params,
            drop: false,
        };
        let mut writer = self.writer.lock().await;
        line::write(&mut *writer, &request)
            .await
            .map_err(|error| unreachable(&error.to_string()))?;
        Ok(call)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// One request under way. Dropped before its end, it is given up.
struct Call {
    id: u64,
    heard: mpsc::Receiver<Said>,
    done: bool,
    waiting: Waiting,
    writer: Arc<AsyncMutex<OwnedWriteHalf>>,
}

impl Call {
    async fn next(&mut self) -> Result<Reply, ApiError> {
        match self.heard.recv().await {
            Some(Said::Event(event)) => Ok(Reply::Event(event)),
            Some(Said::Ok(value)) => {
                self.done = true;
                Ok(Reply::Done(value))
            }
            Some(Said::Error(error)) => {
                self.done = true;
                Err(error)
            }
            None => {
                self.done = true;
                Err(unreachable("it ended"))
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.id);
        if self.done {
            return;
        }
        let (id, writer) = (self.id, Arc::clone(&self.writer));
        // At the end of the program there is no runtime, and the closed connection says the same.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let drop = Request {
                    id,
                    command: String::new(),
                    params: Value::Null,
                    drop: true,
                };
                let mut writer = writer.lock().await;
                let _ = line::write(&mut *writer, &drop).await;
            });
        }
    }
}

/// Hands every line to the request it answers, until the owner goes.
async fn read_lines(mut lines: Lines<OwnedReadHalf>, waiting: Waiting) {
    while let Ok(Read::Line(text)) = lines.next().await {
        let line: Line = match serde_json::from_slice(&text) {
            Ok(line) => line,
            Err(error) => {
                tracing::warn!(%error, "the owner said something that cannot be read");
                continue;
            }
        };
        let Some(id) = line.id else {
            if let Said::Error(error) = line.said {
                tracing::warn!(%error, "the owner did not understand a request");
            }
            continue;
        };
        let listener = lock(&waiting).get(&id).cloned();
        if let Some(listener) = listener {
            // Given up meanwhile: the owner will hear of it.
            let _ = listener.send(line.said).await;
        }
    }
    // Whoever still waits learns that nobody will answer.
    lock(&waiting).clear();
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, HashMap<u64, mpsc::Sender<Said>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unreachable(why: &str) -> ApiError {
    let message = format!("the program that holds the data folder does not answer: {why}");
    ApiError::new(ErrorCode::OwnerUnreachable, message)
}
