//! The owner's side: who may connect, how much one connection may ask at once, and how it ends.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bwana_types::error::{ApiError, ErrorCode};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::line::{self, Lines, Read};
use super::{Hello, Line, PROTOCOL, REQUEST_MAX_BYTES, Request, Said, path};
use crate::app::{App, Mode};
use crate::caller::Caller;
use crate::command::Ctx;
use crate::events::Events;

/// Connections at the same time; a person has a few windows open.
const CONNECTIONS_MAX: usize = 32;
/// Requests one connection may have under way.
const REQUESTS_MAX: usize = 32;
/// Lines that wait to be written to one connection.
const LINES_QUEUED_MAX: usize = 64;

/// A socket that listens; stops with [`Server::stop`], and its file is removed.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
    connections: TaskTracker,
}

impl Server {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Takes no new connections and lets the open ones go; what they asked for is dropped, what is recorded stays.
    pub async fn stop(self) {
        self.stop.cancel();
        // It only ends by the token, so there is nothing to hear from it.
        let _ = self.accepting.await;
        self.connections.close();
        self.connections.wait().await;
        let _ = fs::remove_file(&self.path);
    }
}

/// Listens on the socket of the app's data folder. Only the holder of the owner lock may, and so it may also take away
/// what a killed owner left there.
///
/// # Errors
/// If this process does not hold the lock, or no socket can be made.
pub fn serve(app: &App) -> Result<Server, ApiError> {
    app.owner()?;
    let cannot = |error: io::Error| {
        let message = format!(
            "the owner socket of {} cannot be made: {error}",
            app.home().display()
        );
        ApiError::new(ErrorCode::OwnerUnreachable, message)
            .with_hint("Other commands cannot talk to this one; everything else works.")
    };
    let uid = own_uid().map_err(cannot)?;
    let path = path::listening_path(app.home(), uid).map_err(cannot)?;
    let listener = bind(&path).map_err(cannot)?;
    let stop = CancellationToken::new();
    let connections = TaskTracker::new();
    let accepting = tokio::spawn(accept(
        app.clone(),
        listener,
        uid,
        connections.clone(),
        stop.clone(),
    ));
    Ok(Server {
        path,
        stop,
        accepting,
        connections,
    })
}

/// The user this process runs as, as the other end of a socket sees it.
pub(super) fn own_uid() -> io::Result<u32> {
    let (here, _there) = UnixStream::pair()?;
    Ok(here.peer_cred()?.uid())
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // Its folder is closed to others already; this holds for those that move it.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn accept(
    app: App,
    listener: UnixListener,
    uid: u32,
    connections: TaskTracker,
    stop: CancellationToken,
) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to the owner socket failed");
                // Out of descriptors, most likely: without a pause this would spin.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == uid) {
            tracing::warn!("somebody else tried to use the owner socket");
            continue;
        }
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else {
            tracing::warn!("more than {CONNECTIONS_MAX} connections to the owner socket");
            continue;
        };
        let (app, stop) = (app.clone(), stop.clone());
        connections.spawn(async move {
            tokio::select! {
                () = talk(app, stream) => {}
                () = stop.cancelled() => {}
            }
            drop(place);
        });
    }
}

/// One connection, until the other side goes.
async fn talk(app: App, stream: UnixStream) {
    let (read, write) = stream.into_split();
    let (lines, queue) = mpsc::channel(LINES_QUEUED_MAX);
    let writer = tokio::spawn(write_lines(app.mode(), write, queue));
    let mut requests = Lines::new(read, REQUEST_MAX_BYTES);
    let mut under_way: HashMap<u64, JoinHandle<()>> = HashMap::new();
    while let Ok(read) = requests.next().await {
        let text = match read {
            Read::Line(text) => text,
            Read::End => break,
            Read::TooLong => {
                let message =
                    format!("a request has at most {REQUEST_MAX_BYTES} bytes; the connection ends");
                let error = ApiError::new(ErrorCode::UsageInvalid, message);
                let _ = lines.send(answer(None, Err(error))).await;
                break;
            }
        };
        under_way.retain(|_, task| !task.is_finished());
        match request(&text, &under_way) {
            Ok(Request { id, drop: true, .. }) => {
                if let Some(task) = under_way.remove(&id) {
                    task.abort();
                }
            }
            Ok(request) => {
                let id = request.id;
                let task = tokio::spawn(work(app.clone(), request, lines.clone()));
                under_way.insert(id, task);
            }
            Err((id, error)) => {
                if lines.send(answer(id, Err(error))).await.is_err() {
                    break;
                }
            }
        }
    }
    for task in under_way.into_values() {
        task.abort();
    }
    drop(lines);
    // It ends when everything queued is written or the other side is gone.
    let _ = writer.await;
}

fn request(
    text: &[u8],
    under_way: &HashMap<u64, JoinHandle<()>>,
) -> Result<Request, (Option<u64>, ApiError)> {
    let refuse = |id, message: String| Err((id, ApiError::new(ErrorCode::UsageInvalid, message)));
    let request: Request = match serde_json::from_slice(text) {
        Ok(request) => request,
        Err(error) => return refuse(None, format!("a line is no request: {error}")),
    };
    if request.drop {
        return Ok(request);
    }
    let id = Some(request.id);
    if under_way.contains_key(&request.id) {
        return refuse(id, format!("request {} is under way already", request.id));
    }
    if under_way.len() >= REQUESTS_MAX {
        return refuse(
            id,
            format!("{REQUESTS_MAX} requests of this connection are under way already"),
        );
    }
    Ok(request)
}

/// One request: its events, then its answer.
async fn work(app: App, request: Request, lines: mpsc::Sender<Line>) {
    let id = Some(request.id);
    let (events, mut told) = Events::channel();
    let ctx = Ctx {
        caller: Caller::LocalSocket,
        events,
    };
    let command = app.dispatch(ctx, &request.command, request.params);
    tokio::pin!(command);
    let outcome = loop {
        tokio::select! {
            biased;
            Some(event) = told.recv() => {
                let said = Said::Event(event);
                if lines.send(Line { id, said }).await.is_err() {
                    return;
                }
            }
            outcome = &mut command => break outcome,
        }
    };
    // The command is done and has told everything; what is left waits in the queue.
    while let Ok(event) = told.try_recv() {
        let said = Said::Event(event);
        if lines.send(Line { id, said }).await.is_err() {
            return;
        }
    }
    // Nobody to answer to is no mistake of ours.
    let _ = lines.send(answer(id, outcome)).await;
}

fn answer(id: Option<u64>, outcome: Result<serde_json::Value, ApiError>) -> Line {
    let said = match outcome {
        Ok(value) => Said::Ok(value),
        Err(error) => Said::Error(error),
    };
    Line { id, said }
}

async fn write_lines(mode: Mode, mut to: OwnedWriteHalf, mut queue: mpsc::Receiver<Line>) {
    let hello = Hello {
        bwana: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        takes_runs: mode == Mode::Own,
    };
    if line::write(&mut to, &hello).await.is_err() {
        return;
    }
    while let Some(next) = queue.recv().await {
        if line::write(&mut to, &next).await.is_err() {
            return;
        }
    }
}
