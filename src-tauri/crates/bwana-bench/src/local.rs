//! The built-in model beside llama.cpp's own speed: the worker through its frames, and a bare loop over the same
//! library of the same build (`llama_loop`, an example of the worker's crate), on the same weights and threads.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use bwana_llm::local::frame::{
    ChatMessage, ChatRole, FromWorker, Generate, Load, Purpose, ToWorker, read_frame, write_frame,
};
use serde_json::{Value, json};

use crate::llm::median;
use crate::world::beside;

/// Tokens written in a round, by both.
const TOKENS: u32 = 160;
/// Answers tried to find one that does not end before its tokens are full.
const SEEDS_MAX: u32 = 40;
const CONTEXT_TOKENS: u32 = 2_048;
/// The two take turns, and the middle one of so many shares counts: whatever else a machine does hits both.
const ROUNDS: u32 = 7;
const PROMPT: &str = "Tell a long story about a bakery in Nakuru: who founded it, who works there, and what happened in its first ten years.";
/// The worker must reach this share of the bare loop's speed.
const SHARE_MIN: f64 = 0.9;
/// A loaded machine needs its time to map and warm up a model.
const START_TIMEOUT: Duration = Duration::from_secs(120);

pub(crate) fn local() -> anyhow::Result<Value> {
    let Some(model) = std::env::var_os("BWANA_TEST_MODEL").map(PathBuf::from) else {
        return Ok(json!({"measured": "not measured: set BWANA_TEST_MODEL to a GGUF file"}));
    };
    let mut worker = Worker::start(&model)?;
    let threads = worker.threads;
    let seed = worker.seed_of_a_long_answer()?;
    let (mut shares, mut ours, mut bare) = (Vec::new(), 0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        let before = bare_loop(&model, threads)?;
        let (tokens, mine) = worker.answer(seed)?;
        anyhow::ensure!(
            tokens == u64::from(TOKENS),
            "the same answer had {tokens} tokens"
        );
        let after = bare_loop(&model, threads)?;
        shares.push(mine * 2.0 / (before + after));
        (ours, bare) = (ours.max(mine), bare.max(before).max(after));
    }
    drop(worker);
    let (share, best) = (median(&shares), ours / bare);
    let mut line = json!({
        "measured": format!("{:.0} % of llama.cpp's speed ({ours:.1} of {bare:.1} tokens/s at best), {threads} thread(s)",
            share * 100.0),
        "held": share >= SHARE_MIN, "share": share, "share_of_bests": best, "shares": shares,
        "tokens_per_s": ours, "bare_tokens_per_s": bare, "threads": threads,
    });
    // Of another build, with kernels for this very processor: shown, and not held against the worker.
    if let Some(server) = std::env::var_os("BWANA_TEST_LLAMA_SERVER") {
        line["llama_server_tokens_per_s"] = json!(llama_server(server.as_ref(), &model, threads)?);
    }
    Ok(line)
}

/// The worker as the program runs it, and its pipes.
struct Worker {
    child: Child,
    threads: u32,
    calls: u64,
}

impl Worker {
    fn start(model: &Path) -> anyhow::Result<Self> {
        let child = Command::new(beside("bwana-model-worker")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start bwana-model-worker")?;
        let mut worker = Self {
            child,
            threads: 0,
            calls: 0,
        };
        worker.send(&ToWorker::Load(Load {
            path: model.to_string_lossy().into_owned(),
            context_tokens: CONTEXT_TOKENS,
            threads: None,
            purpose: Purpose::Generate,
        }))?;
        match worker.next()? {
            FromWorker::Loaded(loaded) => worker.threads = loaded.threads,
            other => anyhow::bail!("the worker did not load the model: {other:?}"),
        }
        Ok(worker)
    }

    /// Nobody can tell a model not to end its answer, but the same seed gives the same answer again.
    fn seed_of_a_long_answer(&mut self) -> anyhow::Result<u32> {
        for seed in 1..=SEEDS_MAX {
            if self.answer(seed)?.0 == u64::from(TOKENS) {
                return Ok(seed);
            }
        }
        anyhow::bail!("the model never said {TOKENS} tokens in {SEEDS_MAX} answers")
    }

    /// One answer: how many tokens it has, and how many came in a second from the end of the prompt until the host had
    /// the last one.
    fn answer(&mut self, seed: u32) -> anyhow::Result<(u64, f64)> {
        self.calls += 1;
        let id = self.calls;
        self.send(&ToWorker::Generate(Generate {
            id,
            messages: vec![ChatMessage {
                role: ChatRole::User,
                content: PROMPT.into(),
            }],
            max_output_tokens: TOKENS,
            temperature: 0.7,
            seed,
            stop: Vec::new(),
            constraint: None,
        }))?;
        let mut began = Instant::now();
        loop {
            match self.next()? {
                FromWorker::Progress { read, of, .. } if read == of => began = Instant::now(),
                FromWorker::Done { usage, .. } => {
                    let tokens = usage.output_tokens;
                    return Ok((tokens, tokens as f64 / began.elapsed().as_secs_f64()));
                }
                FromWorker::Error { message, .. } => anyhow::bail!("{message}"),
                _ => {}
            }
        }
    }

    fn send(&mut self, frame: &ToWorker) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("no way to the worker")?;
        Ok(write_frame(stdin, frame)?)
    }

    fn next(&mut self) -> anyhow::Result<FromWorker> {
        let stdout = self
            .child
            .stdout
            .as_mut()
            .context("no way from the worker")?;
        read_frame(stdout)?.context("the worker is gone")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn bare_loop(model: &Path, threads: u32) -> anyhow::Result<f64> {
    let program = beside("examples/llama_loop")?;
    let output = Command::new(program)
        .arg(model)
        .args([threads, CONTEXT_TOKENS, TOKENS].map(|n| n.to_string()))
        .arg(PROMPT)
        .stderr(Stdio::null())
        .output()
        .context("cannot run llama_loop")?;
    anyhow::ensure!(
        output.status.success(),
        "llama_loop failed ({})",
        output.status
    );
    String::from_utf8(output.stdout)?
        .trim()
        .parse()
        .context("llama_loop said no number")
}

/// What llama-server itself says about its speed; `None` if it does not run on this machine.
fn llama_server(server: &Path, model: &Path, threads: u32) -> anyhow::Result<Option<f64>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new(server);
    if let Some(folder) = server.parent() {
        command.env("LD_LIBRARY_PATH", folder).current_dir(folder);
    }
    let mut child = command
        .arg("-m")
        .arg(model)
        .args([
            "--host",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "-np",
            "1",
        ])
        .args([
            "-t",
            &threads.to_string(),
            "-c",
            &CONTEXT_TOKENS.to_string(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start llama-server")?;
    let best = (|| {
        let until = Instant::now() + START_TIMEOUT;
        while !ask(port, "GET /health", "").is_ok_and(|body| body.contains("ok")) {
            if child.try_wait()?.is_some() {
                return Ok(None);
            }
            anyhow::ensure!(Instant::now() < until, "llama-server is not ready in time");
            std::thread::sleep(Duration::from_millis(100));
        }
        let body = json!({"prompt": PROMPT, "n_predict": TOKENS, "ignore_eos": true}).to_string();
        let mut best = 0.0_f64;
        for _ in 0..ROUNDS {
            let answer: Value = serde_json::from_str(&ask(port, "POST /completion", &body)?)?;
            let speed = answer["timings"]["predicted_per_second"].as_f64();
            best = best.max(speed.context("llama-server says no speed")?);
        }
        Ok(Some(best))
    })();
    let _ = child.kill();
    child.wait()?;
    best
}

fn ask(port: u16, what: &str, body: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "{what} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no body")?;
    Ok(body.to_owned())
}
