//! Against a real llama.cpp HTTP server with a real model. It needs two paths that a machine may not have:
//! `BWANA_TEST_LLAMA_SERVER`, a `llama-server` (or `tests/fixtures/llama_server.py`, which takes the same options), and
//! `BWANA_TEST_MODEL`, a small chat model as GGUF. Without them these tests say so and prove nothing.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bwana_llm::quirks::SystemRule;
use bwana_llm::{HttpProvider, Provider, Quirks};
use bwana_types::message::{Message, Part, Role, Stop, ToolCall, text_of};
use bwana_types::model::{Delta, ErrorKind, OutputSchema, Probe, Request, ToolChoice, ToolDecl};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::show::{self, complete};

/// Context of the server, in tokens.
const CONTEXT_TOKENS: u32 = 2_048;
/// A loaded machine needs its time to map and warm up a model.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How a process ends that met an instruction its processor does not know.
const ILLEGAL_INSTRUCTION: i32 = 4;

pub(crate) struct Llama {
    pub(crate) url: String,
    address: String,
    log: NamedTempFile,
    child: Child,
}

/// A running server, or `None` with the reason on stderr where there is none to run.
pub(crate) async fn start(options: &[&str]) -> Option<Llama> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (Some(server), Some(model)) = (path("BWANA_TEST_LLAMA_SERVER"), path("BWANA_TEST_MODEL"))
    else {
        eprintln!(
            "SKIPPED: no real llama.cpp server here. Set BWANA_TEST_LLAMA_SERVER and BWANA_TEST_MODEL to run this."
        );
        return None;
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let log = NamedTempFile::new().unwrap();
    let mut command = command(&server);
    command
        .arg("-m")
        .arg(&model)
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .args(["-t", "1", "-np", "1", "-c", &CONTEXT_TOKENS.to_string()])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(log.reopen().unwrap())
        .stderr(log.reopen().unwrap())
        .kill_on_drop(true);
    let child = command.spawn().expect("the server starts");
    let address = format!("127.0.0.1:{port}");
    let mut llama = Llama {
        url: format!("http://{address}"),
        address,
        log,
        child,
    };
    llama.wait_until_ready().await.then_some(llama)
}

fn command(server: &Path) -> Command {
    if server
        .extension()
        .is_some_and(|extension| extension == "py")
    {
        let mut command = Command::new("python3");
        command.arg(server);
        return command;
    }
    let mut command = Command::new(server);
    if let Some(folder) = server.parent() {
        command.env("LD_LIBRARY_PATH", folder).current_dir(folder);
    }
    command
}

impl Llama {
    async fn wait_until_ready(&mut self) -> bool {
        let ready = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    use std::os::unix::process::ExitStatusExt;
                    if status.signal() == Some(ILLEGAL_INSTRUCTION) {
                        eprintln!(
                            "SKIPPED: this llama-server was made for another processor (illegal instruction)."
                        );
                        return false;
                    }
                    let log = std::fs::read_to_string(self.log.path()).unwrap_or_default();
                    panic!("the server ended with {status}: {log}");
                }
                if self
                    .get("/health")
                    .await
                    .is_some_and(|body| body.contains("ok"))
                {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(START_TIMEOUT, ready)
            .await
            .expect("the server is ready in time")
    }

    /// The body of a plain GET, without the crate under test.
    async fn get(&self, path: &str) -> Option<String> {
        let mut socket = tokio::net::TcpStream::connect(&self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.ok()?;
        answer
            .split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
    }

    async fn is_busy(&self) -> bool {
        let body = self.get("/slots").await.expect("the server answers");
        let slots: Value = serde_json::from_str(body.trim()).expect("a list of slots");
        slots[0]["is_processing"] == true
    }

    pub(crate) async fn stop(mut self) {
        self.child.kill().await.expect("the server can be killed");
    }
}

fn ask(text: &str) -> Request {
    let mut request = Request::new("any", vec![Message::text(Role::User, text)]);
    request.max_output_tokens = 48;
    request.temperature = Some(0.0);
    request
}

#[tokio::test]
async fn a_real_server_speaks_the_dialect() {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tools.jinja");
    let Some(llama) = start(&["--jinja", "--chat-template-file", template]).await else {
        return;
    };
    let provider = show::provider(&llama.url);
    lists_its_model(&provider).await;
    streams_text(&provider).await;
    streams_again_and_again(&provider).await;
    keeps_to_a_schema(&provider).await;
    is_offered_a_tool_and_takes_its_result(&provider).await;
    takes_a_crooked_conversation(&provider).await;
    teaches_what_its_template_wants(&llama.url).await;
    says_when_the_context_is_full(&provider).await;
    is_freed_by_dropping_the_call(&llama, &provider).await;
    passes_the_connection_test(&provider).await;
    llama.stop().await;
}

async fn lists_its_model(provider: &HttpProvider) {
    let models = provider.models().await.unwrap();
    assert_eq!(models.len(), 1, "{models:?}");
    eprintln!("model list: {models:?}");
    if let Some(tokens) = models[0].context_tokens {
        assert_eq!(
            tokens, CONTEXT_TOKENS,
            "the context it runs, not the one it was trained for"
        );
    }
}

async fn streams_text(provider: &HttpProvider) {
    let answer = complete(provider, &ask("Say hello to the team in one sentence.")).await;
    eprintln!("text: {}", show::result(&answer.0));
    show::assert_deltas_add_up(&answer);
    let (outcome, deltas) = (answer.0.unwrap(), answer.1);
    assert!(!text_of(&outcome.parts).is_empty());
    assert!(
        matches!(outcome.stop, Some(Stop::Done | Stop::Length)),
        "{:?}",
        outcome.stop
    );
    let usage = outcome.usage.expect("it counts its tokens");
    assert!(usage.input_tokens > 0 && usage.output_tokens > 0 && !usage.estimated);
    let pieces = deltas
        .iter()
        .filter(|delta| matches!(delta, Delta::Text(_)))
        .count();
    assert!(pieces > 1, "it streams");
    assert!(outcome.meta.first_token_after.is_some());
}

/// This server closes its connection after each stream; a pooled connection would fail the next call.
async fn streams_again_and_again(provider: &HttpProvider) {
    let mut request = ask("Hi");
    request.max_output_tokens = 4;
    for round in 0..20 {
        let answer = complete(provider, &request).await;
        assert!(answer.0.is_ok(), "round {round}: {:?}", answer.0);
    }
}

async fn keeps_to_a_schema(provider: &HttpProvider) {
    let mut request = ask("Is Nairobi the capital of Kenya?");
    request.schema = Some(OutputSchema {
        name: String::from("answer"),
        schema: json!({"type": "object", "properties": {
            "answer": {"enum": ["yes", "no"]}, "confidence": {"type": "integer", "minimum": 0, "maximum": 9}},
            "required": ["answer", "confidence"], "additionalProperties": false}),
    });
    request.max_output_tokens = 128;
    let outcome = complete(provider, &request).await.0.unwrap();
    let text = text_of(&outcome.parts);
    eprintln!("schema: {text}");
    let value: Value = serde_json::from_str(&text).expect("the answer is JSON");
    assert!(
        ["yes", "no"].contains(&value["answer"].as_str().unwrap_or_default()),
        "{value}"
    );
    assert!(
        (0..=9).contains(&value["confidence"].as_i64().unwrap_or(-1)),
        "{value}"
    );
}

async fn is_offered_a_tool_and_takes_its_result(provider: &HttpProvider) {
    let mut request = ask("Write the word hello to the file greeting.txt.");
    request.tools = vec![ToolDecl {
        name: String::from("file.write"),
        description: String::from("Writes a text to a file."),
        parameters: json!({"type": "object", "properties": {
            "path": {"type": "string", "maxLength": 20}, "text": {"type": "string", "maxLength": 20}},
            "required": ["path", "text"]}),
    }];
    request.tool_choice = ToolChoice::Required;
    request.max_output_tokens = 100;
    let answer = complete(provider, &request).await;
    eprintln!("tools: {}", show::result(&answer.0));
    show::assert_deltas_add_up(&answer);
    let mut parts = answer.0.unwrap().parts;
    for part in &parts {
        if let Part::ToolCall(call) = part {
            assert_eq!(&*call.name, "file.write", "the dot came back");
        }
    }
    // A model this small may talk instead of calling, even when told to call; the way back is tested all the same.
    if !parts.iter().any(|part| matches!(part, Part::ToolCall(_))) {
        parts.push(Part::ToolCall(ToolCall {
            id: "call_0".into(),
            name: "file.write".into(),
            args: r#"{"path":"greeting.txt","text":"hello"}"#.into(),
            opaque: None,
        }));
    }
    let results = parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(Part::ToolResult {
            id: call.id.clone(),
            name: call.name.clone(),
            content: "written".into(),
            is_error: false,
        }),
        _ => None,
    });
    let results = results.collect();
    request.tool_choice = ToolChoice::Auto;
    request.max_output_tokens = 16;
    request.messages.push(Message::new(Role::Assistant, parts));
    request.messages.push(Message::new(Role::Tool, results));
    let answer = complete(provider, &request).await;
    eprintln!("after the result: {}", show::result(&answer.0));
    answer
        .0
        .expect("the server's template takes calls and results");

    // A call that was cut stays in the history; a template that parses arguments must not fail on it.
    request.messages.push(Message::new(
        Role::Assistant,
        vec![Part::ToolCall(ToolCall {
            id: "call_1".into(),
            name: "file.write".into(),
            args: r#"{"path":"gre"#.into(),
            opaque: None,
        })],
    ));
    request.messages.push(Message::text(Role::User, "Go on."));
    complete(provider, &request)
        .await
        .0
        .expect("it takes a cut call");
}

fn crooked() -> Request {
    let mut request = ask("");
    request.messages = vec![
        Message::text(Role::Assistant, "I speak first."),
        Message::text(Role::System, "Be brief."),
        Message::text(Role::User, "One."),
        Message::text(Role::User, "Two."),
        Message::text(Role::Assistant, ""),
    ];
    request.max_output_tokens = 8;
    request
}

async fn takes_a_crooked_conversation(provider: &HttpProvider) {
    complete(provider, &crooked()).await.0.unwrap();
}

/// Asked without any quirk, the template refuses the late system message; the provider learns and asks again.
async fn teaches_what_its_template_wants(url: &str) {
    let provider = show::provider(url).with_quirks(Quirks::default());
    let request = crooked();
    complete(&provider, &request).await.0.unwrap();
    let learned = provider.quirks_for(&request.model);
    assert_eq!(learned.system, SystemRule::FirstOnly, "{learned:?}");
}

async fn says_when_the_context_is_full(provider: &HttpProvider) {
    let error = complete(provider, &ask(&"word ".repeat(3_000)))
        .await
        .0
        .unwrap_err();
    eprintln!("full context: {error}");
    assert_eq!(error.kind, ErrorKind::ContextTooLong, "{error:?}");
    assert!(!error.kind.is_retryable());
}

async fn is_freed_by_dropping_the_call(llama: &Llama, provider: &HttpProvider) {
    let mut request = ask("Count from one to one thousand, each number on its own line.");
    request.max_output_tokens = 1_900;
    request
        .extra
        .insert(String::from("ignore_eos"), json!(true));
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
    let mut sink = move |delta: Delta| {
        let _ = tx.send(delta);
    };
    {
        let call = provider.complete(&request, &mut sink);
        tokio::select! {
            result = call => panic!("it ended too soon: {result:?}"),
            busy = async { rx.recv().await; llama.is_busy().await } => assert!(busy, "it works on it"),
        }
    }
    let freed = async {
        while llama.is_busy().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), freed)
        .await
        .expect("the server stops working on a call nobody waits for");
}

async fn passes_the_connection_test(provider: &HttpProvider) {
    let probe = provider.probe(None).await;
    eprintln!("probe: {probe:?}");
    assert!(matches!(probe, Probe::Works { .. }), "{probe:?}");
}

#[tokio::test]
async fn a_real_server_gives_vectors() {
    let Some(llama) = start(&["--embeddings", "--pooling", "mean"]).await else {
        return;
    };
    let provider = show::provider(&llama.url);
    let texts = ["the cat sat", "the cat sat", "profit and loss"].map(String::from);
    let embedded = provider.embed("any", &texts).await.unwrap();
    let [a, b, c] = embedded.vectors.as_slice() else {
        panic!("three vectors, got {}", embedded.vectors.len());
    };
    let distance =
        |x: &[f32], y: &[f32]| -> f32 { x.iter().zip(y).map(|(p, q)| (p - q).powi(2)).sum() };
    eprintln!("vectors of {} numbers", a.len());
    assert!(
        distance(a, b) < distance(a, c),
        "equal texts are nearer than different ones"
    );
    assert!(embedded.usage.is_some_and(|usage| usage.input_tokens > 0));
    llama.stop().await;
}
