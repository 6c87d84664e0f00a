//! The wire cases of the dialects beside chat: read from `tests/fixtures/*.cases`, run through the codec alone and over a
//! real socket. A case is data: what a server sent, and what must become of it.

use std::sync::Arc;

use bwana_llm::names::NameMap;
use bwana_llm::reader::{End, Reader};
use bwana_llm::{
    Dialect, Endpoint, HttpProvider, Limits, Ollama, OpenAiResponses, Quirks, ReplyContext,
    Transport,
};
use bwana_types::message::Part;
use bwana_types::model::{Delta, Request, ToolDecl};
use serde_json::{Value, json};

use crate::server::{Reply, Server};
use crate::show::{self, Answer};

/// One answer of a server and what it means.
#[derive(Clone, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) status: u16,
    /// `name: value` lines.
    pub(crate) headers: String,
    pub(crate) body: String,
    /// As `show::result` says it.
    pub(crate) expect: String,
    /// Words the error's message must hold.
    pub(crate) says: String,
}

/// A dialect with its cases.
pub(crate) struct Codec {
    pub(crate) dialect: Arc<dyn Dialect>,
    pub(crate) cases: Vec<Case>,
}

pub(crate) fn responses() -> Codec {
    Codec {
        dialect: Arc::new(OpenAiResponses),
        cases: read(include_str!("../fixtures/openai_responses.cases")),
    }
}

pub(crate) fn ollama() -> Codec {
    Codec {
        dialect: Arc::new(Ollama),
        cases: read(include_str!("../fixtures/ollama.cases")),
    }
}

pub(crate) fn codecs() -> [Codec; 2] {
    [responses(), ollama()]
}

fn read(text: &str) -> Vec<Case> {
    let blocks = text.split("\n== ").skip(1);
    blocks.map(read_case).collect()
}

fn read_case(block: &str) -> Case {
    let (name, mut rest) = block.split_once('\n').unwrap();
    let mut case = Case {
        name: name.to_owned(),
        status: 200,
        ..Case::default()
    };
    loop {
        let (line, after) = rest.split_once('\n').unwrap();
        rest = after;
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            "status" => case.status = value.parse().unwrap(),
            "header" => value.clone_into(&mut case.headers),
            "expect" => value.clone_into(&mut case.expect),
            "says" => value.clone_into(&mut case.says),
            "raw" => {
                rest.clone_into(&mut case.body);
                return case;
            }
            "events" => {
                case.body = values(rest).map(sent_as_event).collect();
                return case;
            }
            "lines" => {
                case.body = values(rest).map(|line| format!("{line}\n")).collect();
                return case;
            }
            other => panic!("{name}: what is {other}?"),
        }
    }
}

fn values(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty())
}

fn sent_as_event(line: &str) -> String {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    format!(
        "event: {}\ndata: {line}\n\n",
        value["type"].as_str().unwrap()
    )
}

pub(crate) fn context() -> ReplyContext {
    ReplyContext {
        model: String::from("m"),
        names: NameMap::new(["file.write"]),
        ..ReplyContext::default()
    }
}

fn request() -> Request {
    let mut request = show::hello();
    request.tools.push(ToolDecl {
        name: String::from("file.write"),
        description: String::from("Writes a file."),
        parameters: json!({"type": "object"}),
    });
    request
}

/// A body through the codec, in these pieces.
pub(crate) fn through<'a>(
    dialect: &dyn Dialect,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> Answer {
    let (quirks, context) = (Quirks::default(), context());
    let mut deltas = Vec::new();
    let mut sink = |delta| deltas.push(delta);
    let mut reader = Reader::new(dialect, &context, &quirks, limits);
    let failed = pieces
        .into_iter()
        .find_map(|piece| reader.feed(piece, &mut sink).err());
    let result = match failed {
        Some(error) => Err(error),
        None => reader.finish(End::Closed, &mut sink),
    };
    (result, deltas)
}

/// What came as deltas must be what the outcome holds, one after the other however many parts it has.
#[track_caller]
pub(crate) fn assert_adds_up((result, deltas): &Answer) {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => &*error.partial,
    };
    let (mut heard, mut thought) = (String::new(), String::new());
    let mut calls: Vec<(usize, String)> = Vec::new();
    for delta in deltas {
        match delta {
            Delta::Text(piece) => heard.push_str(piece),
            Delta::Reasoning(piece) => thought.push_str(piece),
            Delta::ToolStart { slot, id, name } => {
                assert!(calls.iter().all(|(known, _)| known != slot), "twice");
                calls.push((*slot, format!("{id}:{name}:")));
            }
            Delta::ToolArgs { slot, piece } => {
                let call = calls.iter_mut().find(|(known, _)| known == slot);
                call.expect("announced before its arguments").1 += piece;
            }
            Delta::Alive => {}
        }
    }
    let (mut held, mut held_thought, mut held_calls) = (String::new(), String::new(), Vec::new());
    for part in &outcome.parts {
        match part {
            Part::Text { text } => held.push_str(text),
            Part::Reasoning { text, .. } => held_thought.push_str(text),
            Part::ToolCall(call) if !call.name.is_empty() => {
                held_calls.push(format!("{}:{}:{}", call.id, call.name, call.args));
            }
            _ => {}
        }
    }
    // A whole answer that failed was never shown in pieces.
    if !deltas.is_empty() || result.is_ok() {
        assert_eq!(heard, held);
        assert_eq!(thought, held_thought);
        // In the order of their slots on both sides: an answer may announce a call late.
        let mut calls: Vec<String> = calls.into_iter().map(|(_, call)| call).collect();
        calls.sort();
        held_calls.sort();
        assert_eq!(calls, held_calls);
    }
}

/// What the codec makes of a case.
pub(crate) fn codec(dialect: &dyn Dialect, case: &Case) -> Answer {
    if case.status < 300 {
        through(dialect, [case.body.as_bytes()], &Limits::default())
    } else {
        let error = dialect.error(case.status, case.body.as_bytes());
        (Err(error), Vec::new())
    }
}

pub(crate) fn provider(dialect: &Arc<dyn Dialect>, url: &str) -> HttpProvider {
    let endpoint = Endpoint::new(url, dialect.version()).unwrap();
    HttpProvider::new(endpoint, Arc::clone(dialect), Transport::new())
}

#[track_caller]
fn check(case: &Case, how: &str, answer: &Answer) {
    let Case { name, expect, .. } = case;
    assert_eq!(
        show::result(&answer.0),
        *expect,
        "{name}, {how}: {:?}",
        answer.0
    );
    if let Err(error) = &answer.0 {
        let message = &error.message;
        assert!(message.contains(&case.says), "{name}, {how}: {message}");
    }
    assert_adds_up(answer);
}

#[test]
fn the_tables_are_large_and_have_no_name_twice() {
    for (codec, least) in codecs().iter().zip([55, 40]) {
        let mut names: Vec<&str> = codec.cases.iter().map(|case| case.name.as_str()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count >= least, "{}: {count}", codec.dialect.id());
    }
}

#[test]
fn every_case_means_what_it_should() {
    let mut wrong = Vec::new();
    for Codec { dialect, cases } in &codecs() {
        for case in cases {
            let (result, _) = self::codec(dialect.as_ref(), case);
            // The wait of a header is the transport's to read.
            let got = show::result(&result);
            let expect = if case.headers.is_empty() {
                case.expect.clone()
            } else {
                case.expect.replace(" wait=7s", "")
            };
            if got != expect {
                let (id, name) = (dialect.id(), &case.name);
                wrong.push(format!(
                    "{id}: {name}\n  want {expect}\n  got  {got} {result:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for Codec { dialect, cases } in &codecs() {
        for case in cases.iter().filter(|case| case.headers.is_empty()) {
            check(case, "codec", &self::codec(dialect.as_ref(), case));
        }
    }
}

#[test]
fn line_ends_do_not_matter() {
    for Codec { dialect, cases } in &codecs() {
        for case in cases.iter().filter(|case| case.status == 200) {
            let mut case = case.clone();
            case.body = case.body.replace('\n', "\r\n");
            check(&case, "CRLF", &self::codec(dialect.as_ref(), &case));
            case.body = format!("\u{FEFF}{}", case.body);
            check(
                &case,
                "CRLF and a mark",
                &self::codec(dialect.as_ref(), &case),
            );
        }
    }
}

#[tokio::test]
async fn every_case_means_the_same_over_a_socket() {
    for Codec { dialect, cases } in &codecs() {
        for case in cases {
            let reply = Reply::status(case.status, &case.headers, &case.body);
            let server = Server::one(reply).await;
            let provider = provider(dialect, &server.url);
            let answer = show::complete(&provider, &request()).await;
            check(case, "socket", &answer);
            let line = &server.seen()[0].line;
            let path = match dialect.id() {
                "ollama" => "POST /api/chat",
                _ => "POST /v1/responses",
            };
            assert_eq!(line, path);
        }
    }
}

#[tokio::test]
async fn every_stream_means_the_same_when_the_server_just_closes() {
    for Codec { dialect, cases } in &codecs() {
        for case in cases.iter().filter(|case| case.status == 200) {
            let server = Server::one(Reply::stream(&case.body)).await;
            let provider = provider(dialect, &server.url);
            let answer = show::complete(&provider, &request()).await;
            check(case, "closed", &answer);
        }
    }
}
