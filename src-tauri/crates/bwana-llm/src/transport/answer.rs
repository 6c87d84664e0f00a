//! A reply that has begun with success: read as a stream, or whole, or, for an error status, as far as it is kept.

use std::future::Future;
use std::pin::Pin;

use bwana_types::model::{Delta, ERROR_BODY_MAX_BYTES, ErrorKind, LlmError, Meta, Outcome, Phase};
use bwana_types::traffic::Traffic;
use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Heard, Tap, TooLate, causes, later, timed_out, with_meta};
use crate::dialect::Progress;
use crate::limits::{AFTER_STOP_WAIT, Limits, REST_MAX_BYTES, REST_WAIT};
use crate::provider::Sink;
use crate::reader::{End, Reader};

/// A reply whose status line was a success.
pub(crate) struct Answer {
    pub(super) response: reqwest::Response,
    pub(super) meta: Meta,
    pub(super) started: Instant,
    pub(super) headers_at: Instant,
    pub(super) total_at: Instant,
    /// The connection is to serve the next call, too.
    pub(super) keep_connection: bool,
    pub(super) tap: Option<Tap>,
    pub(super) traffic: Option<Traffic>,
}

impl Answer {
    /// Reads the reply through `reader` until the provider ends it, the connection does, or a limit is reached.
    ///
    /// # Errors
    /// What the reader says, `Timeout`, `Interrupted`; always with the partial and what was seen around it.
    pub(crate) async fn stream(
        mut self,
        mut reader: Reader<'_>,
        limits: &Limits,
        sink: Sink<'_>,
    ) -> Result<Outcome, LlmError> {
        let started = self.started;
        let mut first = None;
        let mut sink = |delta: Delta| {
            if first.is_none() && delta != Delta::Alive {
                first = Some(started.elapsed());
            }
            sink(delta);
        };
        let result = match self.pump(&mut reader, limits, &mut sink).await {
            Ok(end) => reader.finish(end, &mut sink),
            Err(error) => Err(error),
        };
        if self.keep_connection && result.is_ok() {
            self.read_rest().await;
        }
        self.meta.first_token_after = first;
        match result {
            Ok(outcome) => Ok(Outcome {
                meta: self.meta,
                ..outcome
            }),
            Err(error) => Err(with_meta(error, self.meta)),
        }
    }

    async fn pump(
        &mut self,
        reader: &mut Reader<'_>,
        limits: &Limits,
        sink: Sink<'_>,
    ) -> Result<End, LlmError> {
        let mut last_event = None;
        let mut patience = Patience::new(self.total_at);
        loop {
            let stopped = match reader.progress() {
                Progress::Ended => return Ok(End::Closed),
                Progress::Stopped => true,
                Progress::Open => false,
            };
            let (phase, from, limit) = match last_event {
                Some(at) if stopped => (Phase::Idle, at, AFTER_STOP_WAIT.min(limits.idle_event)),
                Some(at) => (Phase::Idle, at, limits.idle_event),
                None => (Phase::FirstEvent, self.headers_at, limits.first_event),
            };
            let at = later(from, limit);
            let chunk = match self.next(&mut patience, at).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(End::Closed),
                Ok(Err(error)) => return Ok(broken(&error)),
                Err(late) => return Ok(too_late(late.total, phase, limit, limits)),
            };
            let fed = reader.feed(&chunk, &mut *sink)?;
            let now = Instant::now();
            if fed.events > 0 {
                last_event = Some(now);
            } else if fed.comments > 0 {
                sink(Delta::Alive);
            }
            // A flood never lets a timer fire, because there is always something to read.
            if now >= self.total_at {
                return Ok(too_late(true, phase, limit, limits));
            }
            if fed.events == 0 && now >= at {
                return Ok(too_late(false, phase, limit, limits));
            }
        }
    }

    /// Reads what stands behind the end of an answer. A connection whose reply was not read to its end cannot serve
    /// another call, and the end of the body comes behind the provider's own end, mostly in the same packet. It is not
    /// waited for longer than a new connection would take, and what it holds is nobody's.
    async fn read_rest(&mut self) {
        let mut patience = Patience::new(later(Instant::now(), REST_WAIT).min(self.total_at));
        let until = patience.timer.deadline();
        let mut left = REST_MAX_BYTES;
        while let Some(Ok(Some(chunk))) = patience.wait(until, self.response.chunk()).await {
            if let Some(traffic) = &self.traffic {
                traffic.received(chunk.len());
            }
            let Some(less) = left.checked_sub(chunk.len()) else {
                return;
            };
            left = less;
        }
    }

    /// The whole body, for questions that are no streams.
    ///
    /// # Errors
    /// `TooLarge`, `Timeout`, `Interrupted`.
    pub(crate) async fn body(mut self, limits: &Limits) -> Result<(Vec<u8>, Meta), LlmError> {
        let mut body = Vec::new();
        let mut patience = Patience::new(self.total_at);
        loop {
            let at = later(Instant::now(), limits.idle_event);
            let error = match self.next(&mut patience, at).await {
                Ok(Ok(Some(chunk))) if body.len() + chunk.len() <= limits.reply_bytes => {
                    body.extend_from_slice(&chunk);
                    continue;
                }
                Ok(Ok(None)) => return Ok((body, self.meta)),
                Ok(Ok(Some(_))) => LlmError::new(
                    ErrorKind::TooLarge,
                    format!("sent an answer of more than {} bytes", limits.reply_bytes),
                ),
                Ok(Err(error)) => error_of(broken(&error)),
                Err(late) => error_of(too_late(late.total, Phase::Idle, limits.idle_event, limits)),
            };
            return Err(with_meta(error, self.meta));
        }
    }

    /// The beginning of an error's body. Whatever goes wrong while reading it, the status is what counts.
    pub(super) async fn error_body(&mut self, limits: &Limits) -> Vec<u8> {
        let mut body = Vec::new();
        let at = later(Instant::now(), limits.idle_event);
        let mut patience = Patience::new(at);
        while body.len() < ERROR_BODY_MAX_BYTES {
            let Ok(Ok(Some(chunk))) = self.next(&mut patience, at).await else {
                break;
            };
            body.extend_from_slice(&chunk);
        }
        body.truncate(ERROR_BODY_MAX_BYTES);
        body
    }

    /// The next bytes, counted and heard; `None` at the end.
    async fn next(
        &mut self,
        patience: &mut Patience,
        at: Instant,
    ) -> Result<reqwest::Result<Option<Bytes>>, TooLate> {
        let total_at = self.total_at;
        let next = patience
            .wait(at.min(total_at), self.response.chunk())
            .await
            .ok_or(TooLate {
                total: total_at <= at,
            });
        if let Ok(Ok(Some(chunk))) = &next {
            self.meta.bytes_in += chunk.len() as u64;
            if let Some(traffic) = &self.traffic {
                traffic.received(chunk.len());
            }
            if let Some(tap) = &self.tap {
                tap(Heard::Bytes(chunk));
            }
        }
        next
    }
}

/// One timer for all the waits of a reply. A timer that is set wakes the runtime up, and a reply has thousands of
/// pieces, each of which moves its limit further away: so it is moved only to be earlier, or once it has gone off.
struct Patience {
    timer: Pin<Box<Sleep>>,
}

impl Patience {
    fn new(at: Instant) -> Self {
        Self {
            timer: Box::pin(sleep_until(at)),
        }
    }

    /// What `future` gives, or `None` if it has not by `at`.
    async fn wait<T>(&mut self, at: Instant, future: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(future);
        if at < self.timer.deadline() {
            self.timer.as_mut().reset(at);
        }
        loop {
            tokio::select! {
                biased;
                done = &mut future => return Some(done),
                () = &mut self.timer => {
                    if Instant::now() >= at {
                        return None;
                    }
                    self.timer.as_mut().reset(at);
                }
            }
        }
    }
}

fn broken(error: &reqwest::Error) -> End {
    End::Broken {
        kind: ErrorKind::Interrupted,
        cause: format!(
            "broke the connection in the middle of the answer: {}",
            causes(error)
        ),
    }
}

fn too_late(total: bool, phase: Phase, limit: std::time::Duration, limits: &Limits) -> End {
    let error = if total {
        timed_out(Phase::Total, limits.total)
    } else {
        timed_out(phase, limit)
    };
    End::Broken {
        kind: error.kind,
        cause: error.message,
    }
}

fn error_of(end: End) -> LlmError {
    match end {
        End::Broken { kind, cause } => LlmError::new(kind, cause),
        End::Closed => LlmError::new(ErrorKind::Interrupted, "closed the connection"),
    }
}
