//! A server that is the outside world: it counts what reaches it, and can be slow, drop the connection after it has
//! received, or die. What it has counted has happened.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::http::{Connection, Handler, Incoming, Next, Served};

/// What happens after a request has been received and counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum After {
    #[default]
    Answer,
    /// The answer comes only after this time.
    Delay(Duration),
    /// The answer comes when [`EffectServer::open`] is called.
    Hold,
    /// The connection closes without an answer.
    Drop,
    /// The connection breaks in the middle of the answer.
    Break,
    /// An answer with this status.
    Status(u16),
}

/// One request that reached the server whole: the effect has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    pub method: String,
    pub target: String,
    /// The `Idempotency-Key` header.
    pub key: Option<String>,
    pub body: String,
    /// An earlier request had the same key.
    pub repeat: bool,
}

/// What has arrived so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    pub received: Vec<Received>,
    /// Answered whole.
    pub answered: u64,
}

impl Effects {
    pub fn total(&self) -> usize {
        self.received.len()
    }

    pub fn by_key(&self) -> BTreeMap<&str, u64> {
        count(self.received.iter().filter_map(|one| one.key.as_deref()))
    }

    pub fn by_body(&self) -> BTreeMap<&str, u64> {
        count(self.received.iter().map(|one| one.body.as_str()))
    }

    /// Requests whose body contains `text`.
    pub fn with(&self, text: &str) -> usize {
        let received = self.received.iter();
        received.filter(|one| one.body.contains(text)).count()
    }
}

fn count<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u64> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

/// A running effect server; ends with this value.
pub struct EffectServer {
    served: Served,
    inner: Arc<Inner>,
}

struct Inner {
    effects: Mutex<Effects>,
    changed: Condvar,
    after: Mutex<After>,
    open: watch::Sender<bool>,
}

impl EffectServer {
    /// Starts a server that answers.
    ///
    /// # Errors
    /// If no port can be bound.
    pub fn start() -> io::Result<Self> {
        let inner = Arc::new(Inner {
            effects: Mutex::default(),
            changed: Condvar::new(),
            after: Mutex::default(),
            open: watch::Sender::new(false),
        });
        Ok(Self {
            served: Served::start(0, Arc::clone(&inner))?,
            inner,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.served.address
    }

    /// The address of `path` here: `http://127.0.0.1:PORT/PATH`.
    pub fn url(&self, path: &str) -> String {
        format!(
            "http://{}/{}",
            self.served.address,
            path.trim_start_matches('/')
        )
    }

    /// What happens to requests from now on.
    pub fn then(&self, after: After) {
        *self
            .inner
            .after
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = after;
    }

    /// Lets held answers go, and all later ones.
    pub fn open(&self) {
        self.inner.open.send_replace(true);
    }

    /// Forgets what has arrived, for the next case.
    pub fn reset(&self) {
        *self.inner.lock() = Effects::default();
    }

    pub fn effects(&self) -> Effects {
        self.inner.lock().clone()
    }

    /// Waits until `holds` is true of what has arrived; false if it never was within the time.
    #[must_use]
    pub fn wait_for(&self, within: Duration, holds: impl Fn(&Effects) -> bool) -> bool {
        let deadline = Instant::now() + within;
        let mut effects = self.inner.lock();
        while !holds(&effects) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            let waited = self.inner.changed.wait_timeout(effects, left);
            effects = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Ends the server at once, as when its process dies.
    pub fn stop(mut self) {
        self.served.stop();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Effects> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, request: &Incoming) {
        let key = request.header("idempotency-key").map(str::to_owned);
        let mut effects = self.lock();
        let repeat = key.is_some() && effects.received.iter().any(|one| one.key == key);
        effects.received.push(Received {
            method: request.method.clone(),
            target: request.target.clone(),
            key,
            body: String::from_utf8_lossy(&request.body).into_owned(),
            repeat,
        });
        drop(effects);
        self.changed.notify_all();
    }

    async fn answer(&self, connection: &mut Connection, status: u16) -> io::Result<Next> {
        // Counted first, so that whoever has the answer finds it counted.
        self.lock().answered += 1;
        self.changed.notify_all();
        connection.answer_json(status, br#"{"ok":true}"#).await?;
        Ok(Next::KeepAlive)
    }
}

impl Handler for Inner {
    async fn handle(&self, connection: &mut Connection, request: Incoming) -> io::Result<Next> {
        if request.path() == "/__count" {
            let effects = serde_json::to_vec(&*self.lock()).map_err(io::Error::other)?;
            connection.answer_json(200, &effects).await?;
            return Ok(Next::KeepAlive);
        }
        self.receive(&request);
        let after = *self.after.lock().unwrap_or_else(PoisonError::into_inner);
        match after {
            After::Answer => self.answer(connection, 200).await,
            After::Status(status) => self.answer(connection, status).await,
            After::Delay(time) => {
                tokio::select! {
                    () = tokio::time::sleep(time) => self.answer(connection, 200).await,
                    () = connection.closed() => Ok(Next::Close),
                }
            }
            After::Hold => {
                let mut open = self.open.subscribe();
                let opened = tokio::select! {
                    opened = open.wait_for(|open| *open) => opened.is_ok(),
                    () = connection.closed() => false,
                };
                if opened {
                    self.answer(connection, 200).await
                } else {
                    Ok(Next::Close)
                }
            }
            After::Drop => Ok(Next::Close),
            After::Break => {
                connection
                    .write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"ok\"")
                    .await?;
                Ok(Next::Close)
            }
        }
    }
}
