//! What a model call costs us, in CPU: a streamed call over loopback, a long answer, a long conversation. The server is
//! a child process, so only the client is counted. Linux only (it reads the thread's own CPU time); run it in release:
//! `cargo run --release --example llm_cost -p bwana-llm`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use bwana_llm::reader::{End, Reader};
use bwana_llm::{
    Dialect, Endpoint, HttpProvider, Limits, Ollama, OpenAiChat, OpenAiResponses, Provider, Quirks,
    ReplyContext, Transport,
};
use bwana_types::message::{Message, Role};
use bwana_types::model::Request;
use sentence::{Failed, fail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CALLS: u32 = 3_000;
const EVENTS: usize = 28;
const LONG_DELTAS: usize = 20_000;
const HISTORY_MESSAGES: usize = 1_001;
const HISTORY_MESSAGE_BYTES: usize = 400;
const ROUNDS: u32 = 3;

fn main() -> Result<(), Failed> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serve();
    }
    let mut out = std::io::stdout().lock();
    for round in 1..=ROUNDS {
        writeln!(out, "round {round}").map_err(fail)?;
        let (call_us, wall) = streamed_calls()?;
        let deltas_ms = long_answer(&OpenAiChat, &answer(LONG_DELTAS))? / 1e6;
        let responses_ms = long_answer(&OpenAiResponses, &responses(LONG_DELTAS))? / 1e6;
        let ollama_ms = long_answer(&Ollama, &lines(LONG_DELTAS))? / 1e6;
        let (history_ms, bytes) = history()?;
        let lines = format!(
            "  streamed call, {EVENTS} events: {call_us:.1} us CPU, {wall:.1} us wall\n  \
             {LONG_DELTAS} text deltas through the codec: chat {deltas_ms:.2}, responses {responses_ms:.2}, Ollama \
             {ollama_ms:.2} ms CPU\n  \
             {HISTORY_MESSAGES} messages encoded ({bytes} bytes): {history_ms:.3} ms CPU"
        );
        writeln!(out, "{lines}").map_err(fail)?;
    }
    Ok(())
}

/// CPU and wall microseconds of one streamed call.
fn streamed_calls() -> Result<(f64, f64), Failed> {
    let mut server = Served::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(fail)?;
    let endpoint = Endpoint::new(&server.url()?, "v1").map_err(fail)?;
    let provider = HttpProvider::new(endpoint, Arc::new(OpenAiChat), Transport::new());
    let request = Request::new("m", vec![Message::text(Role::User, "Hello")]);
    runtime.block_on(async {
        provider
            .complete(&request, &mut |_| {})
            .await
            .map_err(fail)?;
        let (cpu, wall) = (cpu_ns()?, Instant::now());
        for _ in 0..CALLS {
            provider
                .complete(&request, &mut |_| {})
                .await
                .map_err(fail)?;
        }
        let calls = f64::from(CALLS);
        let call_us = (cpu_ns()? - cpu) / 1e3 / calls;
        Ok((call_us, wall.elapsed().as_secs_f64() * 1e6 / calls))
    })
}

/// CPU nanoseconds to read a body, in pieces as a socket gives them.
fn long_answer(dialect: &dyn Dialect, body: &str) -> Result<f64, Failed> {
    let (quirks, limits) = (Quirks::default(), Limits::default());
    let context = ReplyContext::default();
    let before = cpu_ns()?;
    let mut reader = Reader::new(dialect, &context, &quirks, &limits);
    for piece in body.as_bytes().chunks(8_192) {
        reader.feed(piece, &mut |_| {}).map_err(fail)?;
    }
    reader.finish(End::Closed, &mut |_| {}).map_err(fail)?;
    Ok(cpu_ns()? - before)
}

/// CPU milliseconds to encode a long conversation, and its size in bytes.
fn history() -> Result<(f64, usize), Failed> {
    const TIMES: u32 = 50;
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
    let quirks = Quirks::default();
    let mut bytes = 0;
    let before = cpu_ns()?;
    for _ in 0..TIMES {
        bytes = OpenAiChat
            .encode(&request, &quirks)
            .map_err(fail)?
            .body
            .len();
    }
    Ok(((cpu_ns()? - before) / 1e6 / f64::from(TIMES), bytes))
}

fn answer(deltas: usize) -> String {
    let mut body = String::new();
    for n in 0..deltas {
        body.push_str(r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" word"#);
        body.push_str(&n.to_string());
        body.push_str("\"},\"finish_reason\":null}]}\n\n");
    }
    body.push_str(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    );
    body.push_str("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":28}}\n\ndata: [DONE]\n\n");
    body
}

/// The same words as [`answer`], as the responses dialect says them.
fn responses(deltas: usize) -> String {
    let mut body = String::from(
        "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\"}}\n\n",
    );
    for n in 0..deltas {
        body.push_str("event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\" word");
        body.push_str(&n.to_string());
        body.push_str("\"}\n\n");
    }
    body.push_str("data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":9,\"output_tokens\":28}}}\n\n");
    body
}

/// The same words as [`answer`], as Ollama says them.
fn lines(deltas: usize) -> String {
    let mut body = String::new();
    for n in 0..deltas {
        body.push_str("{\"model\":\"m\",\"created_at\":\"2026-08-04T08:52:19.385406455Z\",\"message\":{\"role\":\"assistant\",\"content\":\" word");
        body.push_str(&n.to_string());
        body.push_str("\"},\"done\":false}\n");
    }
    body.push_str("{\"model\":\"m\",\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":9,\"eval_count\":28}\n");
    body
}

/// CPU nanoseconds of this thread since it began.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits of nanoseconds are a hundred days"
)]
fn cpu_ns() -> Result<f64, Failed> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(fail)?;
    let first = text.split_whitespace().next().unwrap_or_default();
    Ok(first.parse::<u64>().map_err(fail)? as f64)
}

struct Served(Child);

impl Served {
    fn start() -> Result<Self, Failed> {
        Command::new(std::env::current_exe().map_err(fail)?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map(Self)
            .map_err(fail)
    }

    fn url(&mut self) -> Result<String, Failed> {
        let mut line = String::new();
        if let Some(out) = self.0.stdout.as_mut() {
            BufReader::new(out).read_line(&mut line).map_err(fail)?;
        }
        Ok(format!("http://{}", line.trim()))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers every connection with one stream.
fn serve() -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(fail)?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(fail)?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", listener.local_addr().map_err(fail)?).map_err(fail)?;
        out.flush().map_err(fail)?;
        let body = answer(EVENTS - 2);
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        loop {
            let (mut socket, _) = listener.accept().await.map_err(fail)?;
            let mut request = [0; 4_096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(reply.as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    })
}

/// One error for an example: a sentence.
mod sentence {
    #[derive(Debug)]
    pub(crate) struct Failed(
        #[expect(dead_code, reason = "shown by Debug when main ends with it")] String,
    );

    pub(crate) fn fail(error: impl std::fmt::Display) -> Failed {
        Failed(error.to_string())
    }
}
