//! A model server on loopback that answers from a script and counts: OpenAI chat, whole and streamed, with tools and
//! usage, faults, latency and a gate that holds requests back until a test lets them go.
//!
//! Strict like the real ones: a transcript with a dangling tool call is refused with status 400.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bwana_types::hash::Hash;
use serde_json::json;
use tokio::sync::watch;

use crate::fault::{Fault, Faults, error_body};
use crate::http::{Connection, Handler, Incoming, Next, Served};
use crate::script::{Answer, Answers, Prompt, Script};
use crate::tally::{Counts, End, Open, Tally};
use crate::wire::{self, Body, Encoded, Form};

/// How a model server behaves.
pub struct Options {
    pub answers: Arc<dyn Answers>,
    pub faults: Option<Faults>,
    /// From the request to the answer.
    pub latency: Duration,
    /// Between the pieces of a stream.
    pub between: Duration,
    /// Pieces a streamed text comes in.
    pub deltas: usize,
    /// The key callers must bring; `None` takes everybody.
    pub key: Option<String>,
    /// Further headers of every answer to a chat that is not fixed, also of refusals; neither names nor values hold
    /// line breaks.
    pub headers: Vec<(String, String)>,
    /// Names of `GET /v1/models`.
    pub models: Vec<String>,
    /// Every request gets this text, without a look into it: the cheapest server there can be, for benches.
    pub fixed: Option<String>,
    /// Pieces the fixed text comes in when it is streamed.
    pub fixed_deltas: usize,
    /// 0 for a free one.
    pub port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self::scripted(Script::default())
    }
}

impl Options {
    pub fn scripted(script: Script) -> Self {
        Self::answering(Arc::new(script))
    }

    pub fn answering(answers: Arc<dyn Answers>) -> Self {
        Self {
            answers,
            faults: None,
            latency: Duration::ZERO,
            between: Duration::ZERO,
            deltas: 4,
            key: None,
            headers: Vec::new(),
            models: vec![String::from("scripted")],
            fixed: None,
            fixed_deltas: 1,
            port: 0,
        }
    }

    pub fn start(self) -> io::Result<ModelServer> {
        ModelServer::start(self)
    }
}

/// A running model server; ends with this value.
pub struct ModelServer {
    served: Served,
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    fixed: Option<[Vec<u8>; 2]>,
    tally: Tally,
    gate: watch::Sender<Gate>,
    tickets: AtomicU64,
    /// Faults for the next requests, in front of the plan.
    next: Mutex<Vec<Fault>>,
}

#[derive(Debug, Clone, Copy)]
struct Gate {
    open: bool,
    /// Requests with a ticket below this may pass a closed gate.
    released: u64,
}

impl ModelServer {
    /// Starts the server on a thread of its own.
    ///
    /// # Errors
    /// If the port cannot be bound.
    pub fn start(options: Options) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            fixed: options
                .fixed
                .as_deref()
                .map(|text| prebuilt(text, options.fixed_deltas)),
            tally: Tally::default(),
            gate: watch::Sender::new(Gate {
                open: true,
                released: 0,
            }),
            tickets: AtomicU64::new(0),
            next: Mutex::default(),
            options,
        });
        Ok(Self {
            served: Served::start(inner.options.port, Arc::clone(&inner))?,
            inner,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.served.address
    }

    /// The base URL to configure: `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.served.address)
    }

    pub fn counts(&self) -> Counts {
        self.inner.tally.counts()
    }

    /// Waits until `holds` is true of the counts; false if it never was within the time.
    #[must_use]
    pub fn wait_for(&self, within: Duration, holds: impl Fn(&Counts) -> bool) -> bool {
        self.inner.tally.wait_for(within, holds)
    }

    /// Forgets what was counted, once the last request is over: callers that died leave theirs open for a moment.
    ///
    /// # Panics
    /// If a request stays open.
    pub fn reset(&self) {
        let over = self.wait_for(crate::bwana::PATIENCE, |counts| counts.in_flight == 0);
        assert!(over, "a request stays open: {:?}", self.counts());
        self.inner
            .tally
            .change(|counts| *counts = Counts::default());
    }

    /// From now on requests wait, counted as `waiting`, until they are released.
    pub fn hold(&self) {
        self.inner.hold();
    }

    /// Lets the next `count` requests pass the closed gate, those waiting first.
    pub fn release(&self, count: u64) {
        self.inner.release(count);
    }

    /// Opens the gate for all.
    pub fn open(&self) {
        self.inner.open();
    }

    /// The next requests fail like this, in order, before any plan.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut next = self
            .inner
            .next
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        next.extend(faults);
    }

    /// Ends the server at once, as when its process dies.
    pub fn stop(mut self) {
        self.served.stop();
    }
}

/// A fixed answer, whole and streamed.
fn prebuilt(text: &str, deltas: usize) -> [Vec<u8>; 2] {
    let prompt = Prompt::new("scripted".into(), Vec::new(), Vec::new(), None);
    [false, true].map(|stream| {
        let form = Form {
            stream,
            usage: true,
            deltas,
        };
        wire::encode(&Answer::text(text), &prompt, form)
            .pieces
            .concat()
    })
}

impl Inner {
    fn hold(&self) {
        self.gate.send_modify(|gate| {
            gate.open = false;
            gate.released = self.tickets.load(Ordering::SeqCst);
        });
    }

    fn release(&self, count: u64) {
        self.gate.send_modify(|gate| gate.released += count);
    }

    fn open(&self) {
        self.gate.send_modify(|gate| gate.open = true);
    }

    /// Waits at the gate; false if the caller went away.
    async fn pass_gate(&self, connection: &Connection) -> bool {
        let ticket = self.tickets.fetch_add(1, Ordering::SeqCst);
        let passes = |gate: &Gate| gate.open || ticket < gate.released;
        if passes(&self.gate.borrow()) {
            return true;
        }
        self.tally.change(|counts| counts.waiting += 1);
        let mut gate = self.gate.subscribe();
        let went_through = tokio::select! {
            opened = gate.wait_for(passes) => opened.is_ok(),
            () = connection.closed() => false,
        };
        self.tally.change(|counts| counts.waiting -= 1);
        went_through
    }

    fn fault(&self, digest: Hash, attempt: u64) -> Option<Fault> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_empty() {
            self.options.faults.as_ref()?.at(digest, attempt)
        } else {
            Some(next.remove(0))
        }
    }

    async fn chat(&self, connection: &mut Connection, request: &Incoming) -> io::Result<Next> {
        if self.fixed.is_some() {
            return self.chat_fixed(connection, request).await;
        }
        let parsed = Body::parse(&request.body).map(|body| {
            let form = Form {
                stream: body.stream,
                usage: body.wants_usage(),
                deltas: self.options.deltas,
            };
            (body.into_prompt(), form)
        });
        let digest = parsed
            .as_ref()
            .map_or_else(|_| Hash::of(&request.body), |(prompt, _)| prompt.digest);
        let call = Open::new(&self.tally, digest);
        if !self.pass_gate(connection).await || !pause(connection, self.options.latency).await {
            return Ok(Next::Close);
        }
        let fault = self.fault(digest, call.attempt);
        if let Some((status, body)) = self.refusal(request) {
            call.end(End::Failed);
            let more = self.header_lines();
            let body = body.as_bytes();
            connection
                .answer(status, "application/json", &more, body)
                .await?;
            return Ok(Next::KeepAlive);
        }
        let (prompt, form) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => return bad_request(connection, call, &error.to_string()).await,
        };
        if let Some(complaint) = prompt.complaint() {
            return bad_request(connection, call, &complaint).await;
        }
        let mut answer = self.options.answers.answer(&prompt);
        if let Some(fault) = &fault {
            fault.spoil(&mut answer, &prompt);
        }
        let mut encoded = wire::encode(&answer, &prompt, form);
        encoded.add_headers(&self.header_lines());
        if let Some(fault) = fault.filter(|fault| fault.error_kind().is_some()) {
            call.end(End::Failed);
            return self.fail(connection, &fault, &encoded, &prompt).await;
        }
        self.send(connection, &encoded, call).await?;
        Ok(Next::KeepAlive)
    }

    /// The same bytes for every request, which is not even parsed.
    async fn chat_fixed(
        &self,
        connection: &mut Connection,
        request: &Incoming,
    ) -> io::Result<Next> {
        let call = Open::new(&self.tally, Hash::of(&request.body));
        if !self.pass_gate(connection).await || !pause(connection, self.options.latency).await {
            return Ok(Next::Close);
        }
        call.end(End::Answered);
        let [whole, streamed] = self.fixed.as_ref().map_or([&[][..]; 2], |[a, b]| [a, b]);
        let stream = wants_stream(&request.body);
        connection
            .write(if stream { streamed } else { whole })
            .await?;
        Ok(Next::KeepAlive)
    }

    /// The further headers, each with its line break.
    fn header_lines(&self) -> String {
        let lines = self.options.headers.iter();
        lines
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect()
    }

    fn refusal(&self, request: &Incoming) -> Option<(u16, String)> {
        let key = self.options.key.as_ref()?;
        let brought = request.header("authorization");
        (brought != Some(&format!("Bearer {key}"))).then(|| {
            let body = error_body("Incorrect API key provided", "invalid_api_key");
            (401, body)
        })
    }

    /// Sends an answer; counted before its last bytes go out, so that whoever has it finds it counted.
    async fn send(
        &self,
        connection: &mut Connection,
        encoded: &Encoded,
        call: Open<'_>,
    ) -> io::Result<()> {
        if self.options.between.is_zero() {
            call.end(End::Answered);
            return connection.write(&encoded.pieces.concat()).await;
        }
        let Some((last, pieces)) = encoded.pieces.split_last() else {
            return Ok(());
        };
        for piece in pieces {
            connection.write(piece).await?;
            if !pause(connection, self.options.between).await {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        call.end(End::Answered);
        connection.write(last).await
    }

    async fn fail(
        &self,
        connection: &mut Connection,
        fault: &Fault,
        encoded: &Encoded,
        prompt: &Prompt<'_>,
    ) -> io::Result<Next> {
        let mut bytes = encoded.pieces.concat();
        match fault {
            Fault::Status {
                code,
                retry_after_s,
                body,
            } => {
                let mut more = self.header_lines();
                if let Some(seconds) = retry_after_s {
                    more.push_str(&format!("retry-after: {seconds}\r\n"));
                }
                let body = body.as_bytes();
                connection
                    .answer(*code, "application/json", &more, body)
                    .await?;
                return Ok(Next::KeepAlive);
            }
            Fault::Cut { after_bytes } => {
                let body_bytes = bytes.len() - encoded.head_bytes;
                let at = Fault::cut_at(*after_bytes, body_bytes, prompt);
                connection.write(&bytes[..encoded.head_bytes + at]).await?;
            }
            Fault::EarlyEnd => {
                // All pieces of a stream but the end of the answer, and a last chunk as if that were right.
                let keep = encoded.pieces.len().saturating_sub(EARLY_PIECES).max(1);
                let mut early = encoded.pieces[..keep].concat();
                if encoded.pieces.len() > 1 {
                    early.extend_from_slice(crate::http::LAST_CHUNK);
                } else {
                    early = crate::http::whole(200, "application/json", "", b"");
                }
                connection.write(&early).await?;
            }
            Fault::Malformed => {
                let middle = encoded.head_bytes + (bytes.len() - encoded.head_bytes) / 2;
                if let Some(brace) = bytes[middle..].iter().position(|byte| *byte == b'{') {
                    bytes[middle + brace] = b'<';
                } else if let Some(brace) = bytes.get_mut(encoded.head_bytes) {
                    *brace = b'<';
                }
                connection.write(&bytes).await?;
            }
            Fault::Html => {
                let page = b"<html><head><title>Sign in to the network</title></head><body>Welcome</body></html>";
                connection.answer(200, "text/html", "", page).await?;
            }
            Fault::Silence => connection.closed().await,
            Fault::Close
            | Fault::WrongIds
            | Fault::GarbageArguments
            | Fault::UnknownTool
            | Fault::NoUsage
            | Fault::Length => {}
        }
        Ok(Next::Close)
    }

    async fn control(&self, connection: &mut Connection, request: &Incoming) -> io::Result<Next> {
        match (request.method.as_str(), request.path()) {
            ("POST", "/__hold") => self.hold(),
            ("POST", "/__open") => self.open(),
            ("POST", "/__release") => {
                let count = request.query("n").and_then(|n| n.parse().ok());
                self.release(count.unwrap_or(1));
            }
            ("GET", "/__count") => {}
            _ => {
                let body = error_body(&format!("no such path: {}", request.target), "not_found");
                connection.answer_json(404, body.as_bytes()).await?;
                return Ok(Next::KeepAlive);
            }
        }
        let counts = serde_json::to_vec(&self.tally.counts()).map_err(io::Error::other)?;
        connection.answer_json(200, &counts).await?;
        Ok(Next::KeepAlive)
    }

    fn model_list(&self) -> String {
        let models = self.options.models.iter();
        let data: Vec<_> = models
            .map(|id| json!({"id": id, "object": "model", "created": 0, "owned_by": "bwana-testkit"}))
            .collect();
        json!({"object": "list", "data": data}).to_string()
    }
}

/// The pieces at the end of a stream without which it is not whole: finish reason, usage, `[DONE]`, the last chunk.
const EARLY_PIECES: usize = 4;

impl Handler for Inner {
    async fn handle(&self, connection: &mut Connection, request: Incoming) -> io::Result<Next> {
        if request.method == "POST" && request.path().ends_with("/chat/completions") {
            if std::mem::take(&mut connection.is_fresh) {
                self.tally.change(|counts| counts.connections += 1);
            }
            return self.chat(connection, &request).await;
        }
        if request.method == "GET" && request.path().ends_with("/models") {
            let (status, body) = self
                .refusal(&request)
                .unwrap_or_else(|| (200, self.model_list()));
            connection.answer_json(status, body.as_bytes()).await?;
            return Ok(Next::KeepAlive);
        }
        self.control(connection, &request).await
    }
}

async fn bad_request(connection: &mut Connection, call: Open<'_>, why: &str) -> io::Result<Next> {
    let body = error_body(why, "invalid_request_error");
    call.end(End::Failed);
    connection.answer_json(400, body.as_bytes()).await?;
    Ok(Next::KeepAlive)
}

/// False if the caller went away meanwhile.
async fn pause(connection: &Connection, time: Duration) -> bool {
    if time.is_zero() {
        return true;
    }
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = connection.closed() => false,
    }
}

/// Bytes at either end of a body in which top-level switches are looked for: between them stand the messages.
const EDGE_BYTES: usize = 4 * 1024;

fn wants_stream(body: &[u8]) -> bool {
    let head = &body[..body.len().min(EDGE_BYTES)];
    let tail = &body[body.len().saturating_sub(EDGE_BYTES)..];
    let switch = b"\"stream\":true";
    [head, tail]
        .iter()
        .any(|edge| edge.windows(switch.len()).any(|window| window == switch))
}
