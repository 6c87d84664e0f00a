//! The host itself: listens on loopback, takes a bounded number of connections, and ends them when it stops.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use bwana_api::{App, Caller};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::secret::Secret;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::files::{self, Ui};
use crate::gate::{self, Gate};
use crate::keys::Keys;
use crate::limits::{
    CODE_LIVES, CONNECTIONS_MAX, HANDSHAKE_MAX, HEADER_MAX_BYTES, HEADERS_MAX, STOP_PATIENCE,
};
use crate::{rpc, session, ws};

/// A pause after a failed accept: without it, a lack of descriptors would spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How a host is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// 0 for a free one.
    pub port: u16,
    pub ui: Ui,
    /// How long a code of [`WebHost::new_link`] works.
    pub code_lives: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            ui: Ui::default(),
            code_lives: CODE_LIVES,
        }
    }
}

/// A host that listens; ends with [`WebHost::stop`].
#[derive(Debug)]
pub struct WebHost {
    address: SocketAddr,
    keys: Arc<Keys>,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
    connections: TaskTracker,
}

/// The place of one connection, held until its last part is done: the request's, or the WebSocket's.
#[derive(Clone)]
pub(crate) struct Place {
    _held: Arc<(OwnedSemaphorePermit, TaskTrackerToken)>,
}

impl WebHost {
    /// Serves `app` on 127.0.0.1. Programs that ship name [`Caller::LocalBrowser`]; only tests stand in for a person.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(app: App, caller: Caller, options: Options) -> Result<Self, ApiError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
        let cannot = |error: std::io::Error| {
            let message = format!("port {} of 127.0.0.1 cannot be used: {error}", options.port);
            ApiError::new(ErrorCode::UsageInvalid, message)
                .with_hint("Choose another one with --port, or 0 for any that is free.")
        };
        let listener = listener.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let keys = Arc::new(Keys::new(options.code_lives)?);
        let stop = CancellationToken::new();
        let gate = Gate::new(app, caller, Arc::clone(&keys), address.port(), stop.clone());
        let connections = TaskTracker::new();
        let router = router(gate, options.ui);
        let accepting = accept(listener, router, connections.clone(), stop.clone());
        Ok(Self {
            address,
            keys,
            stop,
            accepting: tokio::spawn(accepting),
            connections,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A link for a person to open, with a new one-time code; the link before it no longer works.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn new_link(&self) -> Result<String, ApiError> {
        let code = self.keys.new_code(Instant::now())?;
        Ok(format!("http://{}/#c={}", self.address, code.expose()))
    }

    /// The token of this process, without a link: for hosts of tests, which have no person to open one.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn issue_token(&self) -> Result<Secret, ApiError> {
        let now = Instant::now();
        let code = self.keys.new_code(now)?;
        self.keys.exchange(code.expose(), now).map_err(|_| {
            let message = "too many wrong codes were tried within a minute";
            ApiError::new(ErrorCode::SessionRefused, message)
        })
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
        let _ = timeout(STOP_PATIENCE, self.connections.wait()).await;
    }
}

fn router(gate: Gate, ui: Ui) -> Router {
    let authenticate = middleware::from_fn_with_state(gate.clone(), gate::authenticate);
    let check_place = middleware::from_fn_with_state(gate.clone(), gate::check_place);
    let private = Router::new()
        .route(gate::WS_PATH, get(ws::upgrade))
        .route("/api/rpc/{name}", post(rpc::call))
        .route_layer(authenticate);
    let open = Router::new().route("/api/session", post(session::exchange));
    let files = Router::new()
        .fallback(files::serve)
        .with_state(Arc::new(ui));
    private
        .merge(open.with_state(gate))
        .fallback_service(files)
        .layer(check_place)
}

async fn accept(
    listener: TcpListener,
    router: Router,
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
                tracing::warn!(%error, "a connection of a page failed");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
            tracing::warn!("more than {CONNECTIONS_MAX} connections of pages");
            continue;
        };
        let place = Place {
            _held: Arc::new((permit, connections.token())),
        };
        tokio::spawn(connection(stream, router.clone(), place, stop.clone()));
    }
}

/// One connection, until it ends or becomes a WebSocket.
async fn connection(stream: TcpStream, router: Router, place: Place, stop: CancellationToken) {
    // Small frames must not wait for each other.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.layer(Extension(place)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_MAX)
        .max_buf_size(HEADER_MAX_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match timeout(STOP_PATIENCE, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of a page ended");
    }
}
