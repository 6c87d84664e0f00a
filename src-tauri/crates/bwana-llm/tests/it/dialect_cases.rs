//! Wire cases out of files under `tests/fixtures`, one file a dialect and theme, and everything that must hold for each:
//! the same outcome through the codec, over a socket, and however its bytes are cut or damaged.
//!
//! A case begins with `=== its name`; then `> 429 content-type: text/plain; ...` lines (status, then headers),
//! `< the outcome` as `show::result` says it, `! words its message must hold`; everything up to the next case is the
//! body. `> cut` takes the line end off the body.

use std::sync::Arc;

use bwana_llm::dialect::{Dialect, ReplyContext};
use bwana_llm::names::NameMap;
use bwana_llm::{HttpProvider, Limits};
use bwana_types::message::Part;
use bwana_types::model::{ErrorKind, Request, ToolDecl};
use serde_json::json;

use crate::fuzz::Random;
use crate::properties::{check_splits, splits, whole_of};
use crate::server::{Reply, Server};
use crate::show;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
    pub(crate) expect: &'static str,
    pub(crate) says: &'static str,
}

/// The cases of a fixture file.
pub(crate) fn read(file: &'static str) -> Vec<Case> {
    let file = file.strip_prefix("=== ").expect("begins with a case");
    file.split("\n=== ").map(case).collect()
}

fn case(text: &'static str) -> Case {
    let (name, mut rest) = text.split_once('\n').expect("a name");
    let mut case = Case {
        name,
        status: 200,
        headers: String::new(),
        body: String::new(),
        expect: "",
        says: "",
    };
    let mut is_cut = false;
    while let Some((line, after)) = rest.split_once('\n') {
        match line.split_at_checked(2) {
            Some(("> ", "cut")) => is_cut = true,
            Some(("> ", said)) => match said.parse() {
                Ok(status) => case.status = status,
                Err(_) => case.headers = [case.headers.as_str(), said].join("\n"),
            },
            Some(("< ", said)) => case.expect = said,
            Some(("! ", said)) => case.says = said,
            _ => break,
        }
        rest = after;
    }
    let body = if is_cut { rest.trim_end() } else { rest };
    case.headers = case.headers.trim().to_owned();
    case.body = format!("{body}{}", if is_cut { "" } else { "\n" });
    case
}

/// The streams and whole answers among `cases`, for everything that cuts and damages them.
pub(crate) fn bodies(cases: &[Case]) -> Vec<Vec<u8>> {
    let good = cases.iter().filter(|case| case.status == 200);
    good.map(|case| case.body.clone().into_bytes()).collect()
}

fn context() -> ReplyContext {
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

/// What the codec makes of an answer with this status.
pub(crate) fn through_codec(dialect: &dyn Dialect, case: &Case) -> show::Answer {
    let body = case.body.as_bytes();
    if case.status == 200 {
        show::through(dialect, [body], &context(), &Limits::default())
    } else {
        (Err(dialect.error(case.status, body)), Vec::new())
    }
}

fn wrong(case: &Case, how: &str, answer: &show::Answer) -> Option<String> {
    show::assert_deltas_add_up(answer);
    let got = show::result(&answer.0);
    let silent = answer
        .0
        .as_ref()
        .is_err_and(|error| !error.message.contains(case.says));
    (got != case.expect || silent).then(|| {
        let Case { name, expect, .. } = case;
        format!(
            "{name}, {how}\n  want {expect}\n  got  {got}\n  {:?}",
            answer.0
        )
    })
}

#[track_caller]
pub(crate) fn check_names(cases: &[Case], at_least: usize) {
    let mut names: Vec<&str> = cases.iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= at_least, "{count}");
}

#[track_caller]
pub(crate) fn check_codec(dialect: &dyn Dialect, cases: &[Case]) {
    let of_case = |case: &Case| wrong(case, "codec", &through_codec(dialect, case));
    let wrong: Vec<String> = cases.iter().filter_map(of_case).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Over a real socket; once as the server says it, once with a stream that just ends.
pub(crate) async fn check_sockets<D: Dialect + Default + 'static>(cases: &[Case]) {
    let provider = |server: &Server| -> HttpProvider {
        show::provider_of(&server.url, Arc::new(D::default()))
    };
    let mut all_wrong = Vec::new();
    for case in cases {
        let reply = Reply::status(case.status, &case.headers, &case.body);
        // Statuses that teach something are asked again; they get the same answer again.
        let server = Server::one(reply).await;
        let answer = show::complete(&provider(&server), &request()).await;
        if let Err(error) = &answer.0 {
            let host = server.url.trim_start_matches("http://");
            assert!(error.message.starts_with(host), "{}", error.message);
        }
        let mut expected = case.expect.to_owned();
        if let Some(wait) = case.headers.strip_prefix("retry-after: ") {
            expected.push_str(&format!(" wait={wait}s"));
        }
        let got = show::result(&answer.0);
        if got != expected {
            all_wrong.push(format!("{}: {got}", case.name));
        }
        if case.status == 200 {
            let server = Server::one(Reply::stream(&case.body)).await;
            let answer = show::complete(&provider(&server), &request()).await;
            all_wrong.extend(wrong(case, "closed", &answer));
        }
    }
    assert!(all_wrong.is_empty(), "{}", all_wrong.join("\n"));
}

/// Any split of the same bytes gives the same answer.
#[track_caller]
pub(crate) fn check_all_splits(dialect: &dyn Dialect, cases: &[Case], seed: u64) {
    let mut random = Random::new(seed);
    for body in bodies(cases) {
        check_splits(dialect, &body, splits(), &mut random);
    }
}

/// Wherever a body is cut, there is an answer, and it holds what the deltas said; and where the body was a good answer,
/// a piece of it is either the answer or an interrupted one whose words are the first of its words.
pub(crate) fn check_all_cuts(dialect: &dyn Dialect, cases: &[Case]) {
    for body in bodies(cases) {
        let (whole, _) = whole_of(dialect, &body);
        let words = whole.as_ref().map(|outcome| words(&outcome.parts));
        for cut in 0..body.len() {
            let answer = whole_of(dialect, &body[..cut]);
            show::assert_deltas_add_up(&answer);
            let (Ok(words), Err(error)) = (&words, &answer.0) else {
                continue;
            };
            let shown = String::from_utf8_lossy(&body[..cut]);
            assert_eq!(error.kind, ErrorKind::Interrupted, "{error} at {shown}");
            let said = self::words(&error.partial.parts);
            assert!(words.starts_with(&said), "{said:?} at {shown}");
            assert_eq!(error.partial.stop, None);
        }
    }
}

fn words(parts: &[Part]) -> String {
    parts.iter().filter_map(Part::as_text).collect()
}
