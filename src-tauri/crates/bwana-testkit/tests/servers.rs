//! The servers over real sockets, spoken to byte by byte, so that nothing of a client library hides what they send.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use bwana_testkit::effects::{After, EffectServer};
use bwana_testkit::model_server::{ModelServer, Options};
use bwana_testkit::script::mark_in;
use bwana_testkit::{Fault, Faults, Script};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn send(mut stream: &TcpStream, method: &str, path: &str, body: &str) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
}

/// One answer with a length: status and body.
fn receive(stream: &TcpStream) -> (u16, String) {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut length = 0;
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line[9..12].parse().unwrap();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        match line.trim().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

/// Everything until the server closes.
fn rest(mut stream: &TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn ask(text: &str) -> String {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string()
}

fn chat(server: &ModelServer, body: &str) -> (u16, Value) {
    let stream = connect(server.address());
    send(&stream, "POST", "/v1/chat/completions", body);
    let (status, body) = receive(&stream);
    (status, serde_json::from_str(&body).unwrap())
}

fn text(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

#[test]
fn the_same_request_gets_the_same_answer_and_is_counted() {
    let server = Options::default().start().unwrap();
    let (_, first) = chat(&server, &ask("hi"));
    let (_, again) = chat(&server, &ask("hi"));
    let (_, other) = chat(&server, &ask("ho"));
    assert_eq!(first, again);
    assert_ne!(text(&first), text(&other));
    let counts = server.counts();
    assert_eq!(
        (counts.requests, counts.answered, counts.repeated()),
        (3, 3, 1)
    );
    assert_eq!(counts.of_mark(mark_in(text(&first)).unwrap()).requests, 2);
    assert!(first["usage"]["completion_tokens"].as_u64().unwrap() > 0);
}

#[test]
fn one_connection_serves_many_requests() {
    let server = Options::default().start().unwrap();
    let stream = connect(server.address());
    for n in 0..20 {
        send(
            &stream,
            "POST",
            "/v1/chat/completions",
            &ask(&n.to_string()),
        );
        assert_eq!(receive(&stream).0, 200);
    }
    send(&stream, "GET", "/__count", "");
    let counts: Value = serde_json::from_str(&receive(&stream).1).unwrap();
    assert_eq!(counts["answered"], 20);
}

#[test]
fn a_streamed_answer_is_the_whole_answer_in_pieces() {
    let server = Options::default().start().unwrap();
    let mut body: Value = serde_json::from_str(&ask("hi")).unwrap();
    body["stream"] = true.into();
    body["stream_options"] = json!({"include_usage": true});
    let stream = connect(server.address());
    send(&stream, "POST", "/v1/chat/completions", &body.to_string());
    let mut events = Vec::new();
    for line in BufReader::new(&stream).lines().map(Result::unwrap) {
        match line.strip_prefix("data: ") {
            Some("[DONE]") => break,
            Some(data) => events.push(serde_json::from_str::<Value>(data).unwrap()),
            None => {}
        }
    }
    let said: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert!(
        mark_in(&said).is_some() && said.ends_with("done as asked."),
        "{said}"
    );
    let finish = events
        .iter()
        .find_map(|e| e["choices"][0]["finish_reason"].as_str());
    assert_eq!(finish, Some("stop"));
    assert!(events.last().unwrap()["usage"]["prompt_tokens"].is_u64());
}

#[test]
fn a_request_waits_at_the_gate_until_it_is_released() {
    let server = Options::default().start().unwrap();
    server.hold();
    let streams: Vec<_> = (0..3)
        .map(|n| {
            let stream = connect(server.address());
            send(
                &stream,
                "POST",
                "/v1/chat/completions",
                &ask(&n.to_string()),
            );
            stream
        })
        .collect();
    assert!(server.wait_for(PATIENCE, |counts| counts.waiting == 3));
    server.release(1);
    assert!(server.wait_for(PATIENCE, |counts| counts.answered == 1
        && counts.waiting == 2));
    drop(streams);
    assert!(server.wait_for(PATIENCE, |counts| counts.dropped == 2
        && counts.in_flight == 0));
    assert_eq!(server.counts().in_flight_max, 3);
}

#[test]
fn a_strict_server_refuses_a_dangling_tool_call_and_a_wrong_key() {
    let mut options = Options::scripted(Script::default());
    options.key = Some(String::from("k"));
    let server = options.start().unwrap();
    assert_eq!(chat(&server, &ask("hi")).0, 401);
    let server = Options::default().start().unwrap();
    let dangling = json!({"model": "m", "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]});
    let (status, body) = chat(&server, &dangling.to_string());
    assert_eq!(
        (status, body["error"]["message"].as_str()),
        (400, Some("tool call 'c' has no result"))
    );
    assert_eq!(chat(&server, "{").0, 400);
}

/// What arrives for a request whose first attempt fails like this.
fn broken(fault: Fault, stream: bool) -> String {
    let server = Options::default().start().unwrap();
    server.fail_next([fault]);
    let mut body: Value = serde_json::from_str(&ask("hi")).unwrap();
    body["stream"] = stream.into();
    let connection = connect(server.address());
    send(
        &connection,
        "POST",
        "/v1/chat/completions",
        &body.to_string(),
    );
    let answer = rest(&connection);
    assert_eq!(server.counts().failed, 1);
    assert_eq!(
        chat(&server, &body.to_string().replace("true", "false")).0,
        200
    );
    answer
}

#[test]
fn faults_are_seen_on_the_wire() {
    assert_eq!(broken(Fault::Close, false), "");
    assert!(broken(Fault::Html, true).contains("text/html"));
    let cut = broken(
        Fault::Cut {
            after_bytes: Some(20),
        },
        true,
    );
    let (head, body) = cut.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("chunked") && body.len() == 20, "{cut}");
    let early = broken(Fault::EarlyEnd, true);
    assert!(
        early.ends_with("0\r\n\r\n") && !early.contains("[DONE]") && !early.contains("stop"),
        "{early}"
    );
    let malformed = broken(Fault::Malformed, true);
    let events = malformed
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    assert_eq!(
        events
            .filter(|data| serde_json::from_str::<Value>(data).is_err())
            .count(),
        2,
        "one event and [DONE]"
    );
}

#[test]
fn a_rate_limit_says_when_to_come_back() {
    let server = Options::default().start().unwrap();
    server.fail_next([Fault::rate_limited(7)]);
    let mut stream = connect(server.address());
    send(&stream, "POST", "/v1/chat/completions", &ask("hi"));
    let mut head = [0; 120];
    stream.read_exact(&mut head).unwrap();
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(
        head.starts_with("HTTP/1.1 429") && head.contains("retry-after: 7\r\n"),
        "{head}"
    );
}

#[test]
fn a_plan_of_faults_lets_patience_through() {
    let options = Options {
        faults: Some(Faults {
            seed: 1,
            per_mille: 1_000,
            attempts_max: 2,
            kinds: vec![Fault::server_error()],
        }),
        ..Options::default()
    };
    let server = options.start().unwrap();
    let statuses: Vec<u16> = (0..3).map(|_| chat(&server, &ask("hi")).0).collect();
    assert_eq!(statuses, [500, 500, 200]);
}

#[test]
fn effects_are_counted_by_key_and_body_before_anything_is_answered() {
    let server = EffectServer::start().unwrap();
    server.then(After::Drop);
    let stream = connect(server.address());
    send(&stream, "POST", "/hook", "invoice 7");
    assert_eq!(rest(&stream), "");
    server.then(After::Break);
    let mut stream = connect(server.address());
    stream
        .write_all(
            b"POST /hook HTTP/1.1\r\nIdempotency-Key: k\r\ncontent-length: 9\r\n\r\ninvoice 7",
        )
        .unwrap();
    assert!(rest(&stream).ends_with("{\"ok\""));
    server.then(After::Hold);
    let stream = connect(server.address());
    send(&stream, "POST", "/hook", "invoice 8");
    assert!(server.wait_for(PATIENCE, |effects| effects.total() == 3));
    assert_eq!(server.effects().answered, 0);
    server.open();
    assert_eq!(receive(&stream).0, 200);
    let effects = server.effects();
    assert_eq!(
        (effects.with("invoice"), effects.by_body()["invoice 7"]),
        (3, 2)
    );
    assert_eq!(effects.by_key()["k"], 1);
}

#[test]
fn a_stopped_server_is_gone_and_its_connections_with_it() {
    let server = EffectServer::start().unwrap();
    server.then(After::Hold);
    let address = server.address();
    let stream = connect(address);
    send(&stream, "POST", "/", "x");
    assert!(server.wait_for(PATIENCE, |effects| effects.total() == 1));
    server.stop();
    assert_eq!(rest(&stream), "");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_program_says_its_port_counts_and_ends_with_its_parent() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bwana-model-server"))
        .args(["--fixed", "fixed words", "--until-stdin-closes"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = format!("127.0.0.1:{}", line.trim()).parse().unwrap();
    let stream = connect(address);
    send(&stream, "POST", "/v1/chat/completions", &ask("hi"));
    let answer: Value = serde_json::from_str(&receive(&stream).1).unwrap();
    assert_eq!(text(&answer), "fixed words");
    send(&stream, "GET", "/__count", "");
    let counts: Value = serde_json::from_str(&receive(&stream).1).unwrap();
    assert_eq!(counts["requests"], 1);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
