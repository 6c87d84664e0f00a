//! What a model call costs us beyond the socket: a streamed call, a long answer, a long conversation. The server is in
//! another process, so only the client is counted; what a bare socket needs for the same bytes is measured beside it.
//! Both talk as one does to a hosted provider: with its quirks, over a connection that is kept from call to call. (To
//! servers on this machine each call makes its own, because they close theirs; that costs both sides the same.)

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use bwana_llm::reader::{End, Reader};
use bwana_llm::{
    Anthropic, Dialect, Endpoint, Gemini, HttpProvider, Limits, Ollama, OpenAiChat,
    OpenAiResponses, Provider, Quirks, ReplyContext, Transport,
};
use bwana_types::message::{Message, Role};
use bwana_types::model::Request;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::cost::Meter;
use crate::world::Server;

/// Events of a streamed call: its beginning, 24 pieces of text, why it stopped, usage, and the end.
const TEXT_EVENTS: &str = "24";
const SHORT_ANSWER: &str = "The shop sells bread and cakes on the main road near the market, opens at six in the \
morning and closes at seven in the evening. Most customers pay with mobile money. Flour comes from a mill twice a week.";
/// Deltas of a long answer.
const LONG_DELTAS: usize = 20_000;
const HISTORY_MESSAGES: usize = 1_001;
const HISTORY_MESSAGE_BYTES: usize = 400;
/// Bytes a socket gives at once.
const PIECE_BYTES: usize = 16 * 1024;
/// The least of so many rounds counts: whatever else a machine does only adds.
const ROUNDS: u32 = 5;
/// A call now and then may need a new connection; more than so many in all, and connections are not kept.
const CONNECTIONS_MAX: u64 = 3;

/// CPU of one streamed call of 28 events, less that of a bare socket that asks and reads the same bytes.
pub(crate) fn call() -> anyhow::Result<Value> {
    const CALLS: u32 = 1_000;
    let server = Server::start(&["--fixed", SHORT_ANSWER, "--fixed-deltas", TEXT_EVENTS])?;
    let provider = provider(&server)?;
    let request = Request::new("m", vec![Message::text(Role::User, "Hello")]);
    let (ours, socket, connections) = in_a_task(async move {
        let (mut ours, mut socket) = (Vec::new(), Vec::new());
        complete(&provider, &request, 50).await?;
        let mut bare = BareCall::new(&server, &request).await?;
        bare.repeat(50).await?;
        for _ in 0..ROUNDS {
            let meter = Meter::start();
            complete(&provider, &request, CALLS).await?;
            ours.push(meter.read().per(CALLS).0 * 1e3);
            let meter = Meter::start();
            bare.repeat(CALLS).await?;
            socket.push(meter.read().per(CALLS).0 * 1e3);
        }
        // One of them is the bare socket's.
        let connections = server.count("connections")?.saturating_sub(1);
        anyhow::Ok((ours, socket, connections))
    })?;
    anyhow::ensure!(
        connections <= CONNECTIONS_MAX,
        "{connections} connections were made, so they are not kept"
    );
    let (ours_us, socket_us) = (least(&ours), least(&socket));
    let beyond = ours_us - socket_us;
    let middle = median(&ours) - median(&socket);
    Ok(json!({
        "measured": format!("{beyond:.0} us CPU ({ours_us:.0} less the socket's {socket_us:.0})"),
        "held": beyond <= 80.0, "cpu_us": beyond, "median_us": middle, "ours_us": ours_us, "socket_us": socket_us,
        "connections": connections,
    }))
}

/// CPU of an answer in 20,000 pieces: over the socket in the chat dialect, and through the codec alone in every one.
pub(crate) fn deltas() -> anyhow::Result<Value> {
    let text: String = (0..LONG_DELTAS)
        .map(|n| format!(" w{:03}", n % 1_000))
        .collect();
    let count = LONG_DELTAS.to_string();
    let server = Server::start(&["--fixed", &text, "--fixed-deltas", &count])?;
    let provider = provider(&server)?;
    let request = Request::new("m", vec![Message::text(Role::User, "Hello")]);
    let whole = in_a_task(async move {
        let mut rounds = Vec::new();
        for _ in 0..=ROUNDS {
            let mut pieces = 0;
            let meter = Meter::start();
            let outcome = provider.complete(&request, &mut |_| pieces += 1).await?;
            rounds.push(meter.read().per(1).0);
            anyhow::ensure!(pieces >= LONG_DELTAS, "{pieces} pieces came, {outcome:?}");
        }
        anyhow::Ok(rounds)
    })?;
    let (whole, middle) = (least(&whole), median(&whole));
    let mut codecs = serde_json::Map::new();
    let mut worst = whole;
    for (name, dialect, body) in long_answers() {
        let ms = codec_ms(dialect.as_ref(), &body)?;
        worst = worst.max(ms);
        codecs.insert(name.into(), json!(ms));
    }
    Ok(json!({
        "measured": format!("{whole:.1} ms CPU with the socket; slowest codec {:.1} ms",
            codecs.values().filter_map(Value::as_f64).fold(0.0, f64::max)),
        "held": worst <= 30.0, "cpu_ms": whole, "median_ms": middle, "codec_ms": codecs,
    }))
}

/// CPU to encode and send a conversation of 1,001 messages and to read a short answer.
pub(crate) fn history() -> anyhow::Result<Value> {
    const CALLS: u32 = 200;
    let server = Server::start(&["--fixed", SHORT_ANSWER])?;
    let text = "habari ".repeat(HISTORY_MESSAGE_BYTES / 7);
    let messages = (0..HISTORY_MESSAGES).map(|n| {
        let role = if n % 2 == 0 {
            Role::User
        } else {
            Role::Assistant
        };
        Message::text(role, text.as_str())
    });
    let request = Request::new("m", messages.collect());
    let bytes = OpenAiChat.encode(&request, &Quirks::default())?.body.len();
    let provider = provider(&server)?;
    in_a_task(async move {
        complete(&provider, &request, 10).await?;
        let mut least = f64::MAX;
        for _ in 0..ROUNDS {
            let meter = Meter::start();
            complete(&provider, &request, CALLS).await?;
            least = least.min(meter.read().per(CALLS).0);
        }
        Ok(json!({
            "measured": format!("{least:.2} ms CPU, {} kB", bytes / 1_000),
            "held": least <= 2.0, "cpu_ms": least, "bytes": bytes,
        }))
    })
}

/// Bytes of requests on the socket beyond their bodies, over a conversation: what the person pays for beside the words.
pub(crate) fn wire() -> anyhow::Result<Value> {
    const TURNS: usize = 20;
    const ROLE_BYTES: usize = 2_000;
    let server = Server::start(&["--fixed", SHORT_ANSWER])?;
    let address = server.url.trim_start_matches("http://").to_owned();
    let (bodies, socket) = in_a_task(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = Endpoint::new(&format!("http://{}", listener.local_addr()?), "v1")?;
        let sent = Arc::new(AtomicU64::new(0));
        let counting = tokio::spawn(count_sent(listener, address, Arc::clone(&sent)));
        let provider = HttpProvider::new(endpoint, Arc::new(OpenAiChat), Transport::new())
            .with_quirks(Quirks::default());
        let mut request = Request::new(
            "m",
            vec![Message::text(Role::System, "kazi ".repeat(ROLE_BYTES / 5))],
        );
        let mut bodies = 0;
        for _ in 0..TURNS {
            let said = "habari ".repeat(HISTORY_MESSAGE_BYTES / 7);
            request.messages.push(Message::text(Role::User, said));
            bodies += OpenAiChat.encode(&request, &Quirks::default())?.body.len();
            let outcome = provider.complete(&request, &mut |_| {}).await?;
            let said = Message::new(Role::Assistant, outcome.parts);
            request.messages.push(said);
        }
        counting.abort();
        anyhow::Ok((bodies as f64, sent.load(Ordering::Acquire) as f64))
    })?;
    let percent = (socket / bodies - 1.0) * 100.0;
    Ok(json!({
        "measured": format!("{percent:.1} %, {:.1} of {:.1} kB, without TLS", (socket - bodies) / 1e3, socket / 1e3),
        "held": (0.0..=3.0).contains(&percent), "percent": percent, "body_bytes": bodies, "socket_bytes": socket,
    }))
}

/// Passes connections on to `address` and counts what is sent there.
async fn count_sent(
    listener: TcpListener,
    address: String,
    sent: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    loop {
        let (near, _) = listener.accept().await?;
        let far = TcpStream::connect(&address).await?;
        let sent = Arc::clone(&sent);
        tokio::spawn(async move {
            let (mut from_near, mut to_near) = near.into_split();
            let (mut from_far, mut to_far) = far.into_split();
            let back =
                tokio::spawn(async move { tokio::io::copy(&mut from_far, &mut to_near).await });
            let mut piece = vec![0; PIECE_BYTES];
            while let Ok(read @ 1..) = from_near.read(&mut piece).await {
                sent.fetch_add(read as u64, Ordering::AcqRel);
                to_far.write_all(&piece[..read]).await?;
            }
            to_far.shutdown().await?;
            back.await??;
            anyhow::Ok(())
        });
    }
}

/// Runs `work` as the engine runs its calls, in a task; on one thread, so that no figure depends on which of several
/// woke up.
fn in_a_task<T: Send + 'static>(
    work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async { tokio::spawn(work).await? })
}

fn provider(server: &Server) -> anyhow::Result<HttpProvider> {
    let endpoint = Endpoint::new(&server.url, "v1")?;
    let provider = HttpProvider::new(endpoint, Arc::new(OpenAiChat), Transport::new());
    // A loopback address would get those of a model server on this machine.
    Ok(provider.with_quirks(Quirks::default()))
}

fn least(rounds: &[f64]) -> f64 {
    rounds.iter().copied().fold(f64::MAX, f64::min)
}

pub(crate) fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn complete(provider: &HttpProvider, request: &Request, times: u32) -> anyhow::Result<()> {
    for _ in 0..times {
        provider.complete(request, &mut |_| {}).await?;
    }
    Ok(())
}

/// The same request and the same answer over a socket, kept open, and nothing else.
struct BareCall {
    socket: TcpStream,
    request: Vec<u8>,
}

impl BareCall {
    async fn new(server: &Server, request: &Request) -> anyhow::Result<Self> {
        let address = server.url.trim_start_matches("http://");
        let body = OpenAiChat.encode(request, &Quirks::default())?.body;
        let mut bytes = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend(body);
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            request: bytes,
        })
    }

    async fn repeat(&mut self, times: u32) -> anyhow::Result<()> {
        const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
        let mut answer = Vec::with_capacity(PIECE_BYTES);
        for _ in 0..times {
            answer.clear();
            self.socket.write_all(&self.request).await?;
            while !answer.ends_with(LAST_CHUNK) {
                let read = self.socket.read_buf(&mut answer).await?;
                anyhow::ensure!(read > 0, "the server closed the connection in its answer");
            }
        }
        Ok(())
    }
}

fn codec_ms(dialect: &dyn Dialect, body: &str) -> anyhow::Result<f64> {
    let (quirks, limits) = (Quirks::default(), Limits::default());
    let context = ReplyContext::default();
    let mut least = f64::MAX;
    for _ in 0..ROUNDS {
        let mut pieces = 0;
        let meter = Meter::start();
        let mut reader = Reader::new(dialect, &context, &quirks, &limits);
        for piece in body.as_bytes().chunks(PIECE_BYTES) {
            reader.feed(piece, &mut |_| pieces += 1)?;
        }
        reader
            .finish(End::Closed, &mut |_| {})
            .context("the made answer is not whole")?;
        least = least.min(meter.read().per(1).0);
        anyhow::ensure!(pieces >= LONG_DELTAS, "{pieces} pieces of {LONG_DELTAS}");
    }
    Ok(least)
}

/// A long answer: what comes before, each piece with what is around it, what comes after.
fn made(before: &str, around: [&str; 2], after: &str) -> String {
    let mut body = String::from(before);
    for n in 0..LONG_DELTAS {
        body.push_str(around[0]);
        body.push_str(&n.to_string());
        body.push_str(around[1]);
    }
    body.push_str(after);
    body
}

/// The same words in every dialect.
fn long_answers() -> Vec<(&'static str, Box<dyn Dialect>, String)> {
    vec![
        (
            "openai_chat",
            Box::new(OpenAiChat) as Box<dyn Dialect>,
            made(
                "",
                [
                    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" word"#,
                    "\"},\"finish_reason\":null}]}\n\n",
                ],
                "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            ),
        ),
        (
            "openai_responses",
            Box::new(OpenAiResponses),
            made(
                "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\"}}\n\n",
                [
                    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\" word",
                    "\"}\n\n",
                ],
                "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":9,\"output_tokens\":28}}}\n\n",
            ),
        ),
        (
            "anthropic",
            Box::new(Anthropic),
            made(
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
                [
                    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word",
                    "\"}}\n\n",
                ],
                "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":28}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ),
        ),
        (
            "gemini",
            Box::new(Gemini),
            made(
                "",
                [
                    r#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":" word"#,
                    "\"}]},\"index\":0}],\"modelVersion\":\"m\"}\n\n",
                ],
                "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\".\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":28}}\n\n",
            ),
        ),
        (
            "ollama",
            Box::new(Ollama),
            made(
                "",
                [
                    "{\"model\":\"m\",\"created_at\":\"2026-08-04T08:52:19.385406455Z\",\"message\":{\"role\":\"assistant\",\"content\":\" word",
                    "\"},\"done\":false}\n",
                ],
                "{\"model\":\"m\",\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":9,\"eval_count\":28}\n",
            ),
        ),
    ]
}
