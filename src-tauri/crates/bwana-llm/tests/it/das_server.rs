//! A second real model server of another house: dasllama-server, its own engine and its own HTTP, on the test model's
//! weights. It tells apart what a server promises from what llama.cpp happens to do: it wants the model's name, answers
//! to be held to a schema and a tool to be called, and gives vectors without being started for it. Skipped, loudly, where
//! `BWANA_TEST_DAS_SERVER` or `BWANA_TEST_MODEL` does not say where they are.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bwana_llm::{HttpProvider, Provider};
use bwana_types::message::{Message, Part, Role, Stop, text_of};
use bwana_types::model::{
    Delta, ErrorKind, LlmError, OutputSchema, Probe, Request, ToolChoice, ToolDecl,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::requantize::q4_1_as_q5_1;
use crate::show::{self, Answer};

const CONTEXT_TOKENS: u32 = 2_048;
/// A loaded machine needs its time to load a model.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// This server sometimes takes a new connection for the one that was closed before it: it writes what the old one still
/// had to hear, or nothing, and ends it. That is worth another try after a pause, as the engine gives it; so many in all.
const ATTEMPTS_MAX: usize = 6;
const PAUSE: Duration = Duration::from_millis(200);
/// How a process ends that met an instruction its processor does not know.
const ILLEGAL_INSTRUCTION: i32 = 4;

struct Das {
    provider: HttpProvider,
    model: String,
    child: Child,
    _folder: TempDir,
}

/// A running server, or `None` with the reason on stderr where there is none to run.
async fn start() -> Option<Das> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (Some(server), Some(model)) = (path("BWANA_TEST_DAS_SERVER"), path("BWANA_TEST_MODEL"))
    else {
        eprintln!(
            "SKIPPED: no second real model server here. Set BWANA_TEST_DAS_SERVER and BWANA_TEST_MODEL to run this."
        );
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("test-model.gguf");
    q4_1_as_q5_1(&model, &weights).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut child = Command::new(&server)
        .arg("-m")
        .arg(&weights)
        .args(["--host", "127.0.0.1", "-p", &port.to_string()])
        .args(["--gpu", "off", "-t", "1", "-s", "1"])
        .args(["--ctx", &CONTEXT_TOKENS.to_string()])
        // It looks for settings and keeps files there.
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts");
    let provider = show::provider(&format!("http://127.0.0.1:{port}"));
    let ready = async {
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                use std::os::unix::process::ExitStatusExt;
                if status.signal() == Some(ILLEGAL_INSTRUCTION) {
                    eprintln!("SKIPPED: this dasllama-server was made for another processor.");
                    return None;
                }
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                panic!("the server ended with {status}: {log}");
            }
            if let Ok(models) = provider.models().await {
                return models.into_iter().next().map(|model| model.id);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let model = tokio::time::timeout(START_TIMEOUT, ready)
        .await
        .expect("the server is ready in time")?;
    Some(Das {
        provider,
        model,
        child,
        _folder: folder,
    })
}

/// Asks until the answer is not one of those the engine asks for again.
async fn whole<T, F>(mut ask: impl FnMut() -> F, error_of: fn(&T) -> Option<&LlmError>) -> T
where
    F: Future<Output = T>,
{
    let mut attempt = 1;
    loop {
        let answer = ask().await;
        let error = error_of(&answer).filter(|error| error.kind.is_retryable());
        let Some(error) = error.filter(|_| attempt < ATTEMPTS_MAX) else {
            return answer;
        };
        eprintln!("attempt {attempt} was cut: {error}");
        tokio::time::sleep(PAUSE).await;
        attempt += 1;
    }
}

impl Das {
    async fn complete(&self, request: &Request) -> Answer {
        let ask = || show::complete(&self.provider, request);
        whole(ask, |answer| answer.0.as_ref().err()).await
    }

    fn ask(&self, text: &str) -> Request {
        let mut request = Request::new(&*self.model, vec![Message::text(Role::User, text)]);
        request.max_output_tokens = 48;
        request.temperature = Some(0.0);
        request
    }
}

#[tokio::test]
async fn a_server_of_another_house_is_understood_too() {
    let Some(mut das) = start().await else { return };
    eprintln!("the model is called {}", das.model);
    streams_text(&das).await;
    says_that_a_model_is_not_there(&das).await;
    keeps_to_a_schema(&das).await;
    calls_a_tool_and_takes_its_result(&das).await;
    gives_vectors(&das).await;
    says_when_the_context_is_full(&das).await;
    passes_the_connection_test(&das).await;
    das.child.kill().await.unwrap();
}

async fn streams_text(das: &Das) {
    // It keeps the connection open after a stream; asking again and again must do no harm either way.
    for _ in 0..5 {
        let answer = das.complete(&das.ask("Say hello to the team.")).await;
        eprintln!("text: {}", show::result(&answer.0));
        show::assert_deltas_add_up(&answer);
        let (outcome, deltas) = (answer.0.unwrap(), answer.1);
        assert!(!text_of(&outcome.parts).is_empty());
        assert!(matches!(outcome.stop, Some(Stop::Done | Stop::Length)));
        let usage = outcome.usage.expect("it counts its tokens");
        assert!(usage.input_tokens > 0 && usage.output_tokens > 0 && !usage.estimated);
        let is_text = |delta: &&Delta| matches!(delta, Delta::Text(_));
        assert!(deltas.iter().filter(is_text).count() > 1, "it streams");
    }
}

async fn says_that_a_model_is_not_there(das: &Das) {
    let mut request = das.ask("Hi");
    request.model = "not-here".into();
    let error = das.complete(&request).await.0.unwrap_err();
    eprintln!("another model: {error}");
    assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
}

async fn keeps_to_a_schema(das: &Das) {
    let mut request = das.ask("Is Nairobi the capital of Kenya?");
    request.schema = Some(OutputSchema {
        name: String::from("answer"),
        schema: json!({"type": "object", "properties": {
            "answer": {"enum": ["yes", "no"]}, "confidence": {"type": "integer", "minimum": 0, "maximum": 9}},
            "required": ["answer", "confidence"], "additionalProperties": false}),
    });
    request.max_output_tokens = 128;
    let outcome = das.complete(&request).await.0.unwrap();
    let text = text_of(&outcome.parts);
    eprintln!("schema: {text}");
    let value: Value = serde_json::from_str(&text).expect("the answer is JSON");
    let said = value["answer"].as_str().unwrap_or_default();
    assert!(["yes", "no"].contains(&said), "{value}");
}

async fn calls_a_tool_and_takes_its_result(das: &Das) {
    let mut request = das.ask("Write the word hello to the file greeting.txt.");
    request.tools = vec![ToolDecl {
        name: String::from("file.write"),
        description: String::from("Writes a text to a file."),
        parameters: json!({"type": "object", "properties": {
            "path": {"type": "string", "maxLength": 20}, "text": {"type": "string", "maxLength": 20}},
            "required": ["path", "text"]}),
    }];
    request.tool_choice = ToolChoice::Required;
    request.max_output_tokens = 100;
    let answer = das.complete(&request).await;
    eprintln!("tools: {}", show::result(&answer.0));
    show::assert_deltas_add_up(&answer);
    let outcome = answer.0.unwrap();
    let Some(Part::ToolCall(call)) = outcome
        .parts
        .iter()
        .find(|part| matches!(part, Part::ToolCall(_)))
    else {
        panic!("it is told to call a tool: {:?}", outcome.parts);
    };
    assert_eq!(&*call.name, "file.write", "the dot came back");
    assert_eq!(outcome.stop, Some(Stop::ToolCalls));
    let args: Value = serde_json::from_str(&call.args).expect("arguments are JSON");
    assert!(
        args["path"].is_string() && args["text"].is_string(),
        "{args}"
    );
    let result = Part::ToolResult {
        id: call.id.clone(),
        name: call.name.clone(),
        content: "written".into(),
        is_error: false,
    };
    request.tool_choice = ToolChoice::Auto;
    request.max_output_tokens = 16;
    let said = Message::new(Role::Assistant, outcome.parts);
    request.messages.push(said);
    request
        .messages
        .push(Message::new(Role::Tool, vec![result]));
    let answer = das.complete(&request).await;
    eprintln!("after the result: {}", show::result(&answer.0));
    answer.0.expect("it takes a call and its result");
}

async fn gives_vectors(das: &Das) {
    let texts = ["the cat sat", "the cat sat", "profit and loss"].map(String::from);
    let ask = || das.provider.embed(&das.model, &texts);
    let embedded = whole(ask, |read| read.as_ref().err()).await.unwrap();
    let [a, b, c] = embedded.vectors.as_slice() else {
        panic!("three vectors, got {}", embedded.vectors.len());
    };
    let distance =
        |x: &[f32], y: &[f32]| -> f32 { x.iter().zip(y).map(|(p, q)| (p - q).powi(2)).sum() };
    assert!(distance(a, b) < distance(a, c), "equal texts are nearer");
}

async fn says_when_the_context_is_full(das: &Das) {
    let request = das.ask(&"word ".repeat(3_000));
    let error = das.complete(&request).await.0.unwrap_err();
    eprintln!("full context: {error}");
    assert_eq!(error.kind, ErrorKind::ContextTooLong, "{error:?}");
}

async fn passes_the_connection_test(das: &Das) {
    for attempt in 1..=ATTEMPTS_MAX {
        let probe = das.provider.probe(None).await;
        eprintln!("probe: {probe:?}");
        if matches!(probe, Probe::Works { .. }) {
            return;
        }
        assert!(attempt < ATTEMPTS_MAX, "{probe:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
