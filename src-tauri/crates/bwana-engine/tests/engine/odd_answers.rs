//! Answers no well-behaved provider gives, through the whole engine: replies broken at every byte, pages, empty and wrong
//! bodies, waits that are dates of a clock that is hours off, and headers made to do harm. Times are read from the
//! journal, not from a watch.

use std::sync::Arc;
use std::time::Duration;

use bwana_engine::RunView;
use bwana_llm::{Endpoint, HttpProvider, OpenAiChat, Transport};
use bwana_types::entry::{Body, CallErrorClass, CallFailed};
use bwana_types::id::RunId;
use bwana_types::model::ErrorKind;
use bwana_types::money::MicroUsd;
use bwana_types::status::RunStatus;

use crate::fixture::{Fixture, definition};
use crate::raw_server::{RawServer, marked};

/// What the whole answer says.
const WORDS: [&str; 3] = ["Bread", " and", " cakes"];
/// Runs under way at once.
const AT_ONCE: usize = 64;
/// The machine's back-off before a second attempt: a second, give or take a quarter.
const BACKOFF_MS: std::ops::RangeInclusive<i64> = 750..=1_250;

struct World {
    server: RawServer,
    fixture: Fixture,
}

/// A failed attempt and how long the journal says to wait after it, in ms.
struct Failed {
    entry: CallFailed,
    wait_ms: Option<i64>,
}

impl World {
    /// Every first attempt is answered with `first`, every later one with the whole answer.
    async fn failing_once(first: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::new(move |mark, attempt| {
            if attempt == 1 {
                first(mark)
            } else {
                whole_answer()
            }
        })
        .await
    }

    async fn new(answers: impl Fn(u32, u32) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let server = RawServer::start(answers).await;
        let endpoint = Endpoint::new(&server.url, "v1").unwrap();
        let provider = HttpProvider::new(endpoint, Arc::new(OpenAiChat), Transport::new());
        Self {
            fixture: Fixture::new(provider),
            server,
        }
    }

    async fn start(&self, mark: u32) -> RunId {
        self.fixture.start_with(definition(1), &marked(mark)).await
    }

    async fn end(&self, run: RunId) -> (RunView, Vec<Failed>) {
        let shown = self.fixture.engine.settle(run).await.unwrap();
        let entries = self.fixture.store.load(run).unwrap();
        let failed = entries.into_iter().filter_map(|entry| match entry.body {
            Body::CallFailed(failed) => Some(Failed {
                wait_ms: failed.retry_at.map(|at| at.0 - entry.at.0),
                entry: failed,
            }),
            _ => None,
        });
        (shown, failed.collect())
    }

    async fn run(&self, mark: u32) -> (RunView, Vec<Failed>) {
        let run = self.start(mark).await;
        self.end(run).await
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// The events of the whole answer: its words, why it stopped, usage, the end.
fn events() -> Vec<String> {
    let words = WORDS.iter().map(|word| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null}}]}}"#
        )
    });
    let rest = [
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":40,"completion_tokens":3}}"#,
        "[DONE]",
    ];
    words
        .chain(rest.map(String::from))
        .map(|data| format!("data: {data}\n\n"))
        .collect()
}

fn whole_answer() -> Vec<u8> {
    answer(
        "200 OK",
        "content-type: text/event-stream\r\n",
        &events().concat(),
    )
}

/// Words whose event had come whole before the answer broke after `bytes`.
fn words_before(bytes: usize) -> String {
    let mut at = whole_answer().len() - events().concat().len();
    let mut words = String::new();
    for (event, word) in events().iter().zip(WORDS) {
        at += event.len();
        if at <= bytes {
            words.push_str(word);
        }
    }
    words
}

fn kind(failed: &Failed) -> ErrorKind {
    match failed.entry.error.class {
        CallErrorClass::Model(kind) => kind,
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_broken_at_any_byte_loses_no_word_and_no_cost() {
    let whole = whole_answer();
    let world = World::failing_once(|mark| whole_answer()[..mark as usize].to_vec()).await;
    let last = u32::try_from(whole.len()).unwrap();
    let mut broken = 0;
    let cuts: Vec<u32> = (0..=last).collect();
    for cuts in cuts.chunks(AT_ONCE) {
        let mut runs = Vec::new();
        for cut in cuts {
            runs.push((*cut, world.start(*cut).await));
        }
        for (cut, run) in runs {
            let (shown, failed) = world.end(run).await;
            assert_eq!(shown.status, RunStatus::Done, "cut after {cut}");
            let all: String = WORDS.concat();
            assert_eq!(
                shown.result.as_deref(),
                Some(all.as_str()),
                "cut after {cut}"
            );
            let Some(failed) = failed.first() else {
                continue; // why it stopped had come: that is a whole answer
            };
            broken += 1;
            check_broken(cut as usize, failed, &shown);
        }
    }
    let stopped_at = whole.len() - events()[4..].concat().len();
    assert!(
        (stopped_at - 3..=stopped_at).contains(&broken),
        "{broken} cuts broke an answer that says after {stopped_at} bytes why it stops"
    );
}

#[track_caller]
fn check_broken(cut: usize, failed: &Failed, shown: &RunView) {
    assert_eq!(kind(failed), ErrorKind::Interrupted, "cut after {cut}");
    let partial = failed.entry.partial.as_deref().unwrap_or_default();
    let (come, all) = (words_before(cut), WORDS.concat());
    assert!(
        partial.starts_with(&come) && all.starts_with(partial),
        "cut after {cut}: '{partial}' is kept of '{come}'"
    );
    let usage = failed.entry.usage;
    assert!(usage.estimated && usage.input_tokens > 0, "cut after {cut}");
    assert!(
        usage.output_tokens > 0 || partial.is_empty(),
        "cut after {cut}"
    );
    let cost = failed.entry.cost.unwrap();
    assert!(cost > MicroUsd::ZERO, "cut after {cut}");
    // The second attempt: 40 tokens in at 1, 3 out at 2 millionths.
    assert_eq!(shown.cost, Some(MicroUsd(cost.0 + 46)), "cut after {cut}");
}

#[tokio::test]
async fn what_is_no_answer_is_said_to_be_none_and_asked_for_once_more() {
    let bodies: &[(&str, &str, ErrorKind)] = &[
        ("application/json", "", ErrorKind::Interrupted),
        ("text/event-stream", "", ErrorKind::Interrupted),
        ("application/json", "{\"hello\": 1}", ErrorKind::Malformed),
        ("application/json", "[]", ErrorKind::Malformed),
        ("application/json", "null", ErrorKind::Malformed),
        ("application/json", "42", ErrorKind::Malformed),
        ("application/json", "\"text\"", ErrorKind::Malformed),
        ("application/json", "{\"choices\": 7}", ErrorKind::Malformed),
        (
            "application/json",
            "{\"choices\": [",
            ErrorKind::Interrupted,
        ),
        ("text/plain", "Hello, world", ErrorKind::Malformed),
        (
            "text/event-stream",
            "data: {no json}\n\n",
            ErrorKind::Malformed,
        ),
        ("text/event-stream", "data: 7\n\n", ErrorKind::Malformed),
        (
            "text/html",
            "<!doctype html><title>Log in</title>",
            ErrorKind::Malformed,
        ),
        (
            "text/event-stream",
            "<html>Log in</html>",
            ErrorKind::Malformed,
        ),
        ("application/json", " \n <p>proxy</p>", ErrorKind::Malformed),
    ];
    let world = World::failing_once(|mark| {
        let (kind, body, _) = bodies[mark as usize];
        answer("200 OK", &format!("content-type: {kind}\r\n"), body)
    })
    .await;
    for (at, (_, body, expected)) in bodies.iter().enumerate() {
        let before = world.server.requests();
        let (shown, failed) = world.run(u32::try_from(at).unwrap()).await;
        assert_eq!(shown.status, RunStatus::Done, "{body}");
        assert_eq!(world.server.requests() - before, 2, "{body}");
        assert_eq!(
            kind(&failed[0]),
            *expected,
            "{body}: {:?}",
            failed[0].entry.error
        );
        assert!(failed[0].entry.cost.unwrap() > MicroUsd::ZERO, "{body}");
    }
}

/// Attempts, and the wait after the first, for a 429 with these headers.
async fn rate_limited(headers: &'static str) -> (u64, Option<i64>) {
    let world = World::failing_once(move |_| answer("429 Too Many Requests", headers, "")).await;
    let (shown, failed) = world.run(1).await;
    assert_eq!(kind(&failed[0]), ErrorKind::RateLimited, "{headers}");
    assert_eq!(shown.cost.map(|cost| cost <= MicroUsd(46)), Some(true));
    let done = shown.status == RunStatus::Done;
    assert_eq!(
        done,
        failed[0].wait_ms.is_some(),
        "{headers}: {:?}",
        shown.status
    );
    (world.server.requests(), failed[0].wait_ms)
}

/// A server whose clock is hours off means a time of its own clock; only the difference counts.
#[tokio::test]
async fn a_wait_until_a_date_is_read_by_the_clock_of_who_says_it() {
    for headers in [
        "date: Wed, 25 Nov 2026 10:00:00 GMT\r\nretry-after: Wed, 25 Nov 2026 10:00:02 GMT\r\n",
        "date: Thu, 01 Jan 1970 00:00:00 GMT\r\nretry-after: Thu, 01 Jan 1970 00:00:02 GMT\r\n",
        "date: Fri, 31 Dec 2100 23:59:59 GMT\r\nretry-after: Sat, 01 Jan 2101 00:00:01 GMT\r\n",
    ] {
        let (attempts, wait_ms) = rate_limited(headers).await;
        assert_eq!(attempts, 2, "{headers}");
        // Written down a moment after it was reckoned.
        let wait_ms = wait_ms.expect("a second attempt");
        assert!((1_900..=2_000).contains(&wait_ms), "{wait_ms}: {headers}");
    }
}

#[tokio::test]
async fn a_wait_that_makes_no_sense_is_replaced_by_our_own() {
    for headers in [
        "retry-after: -5\r\n",
        "retry-after: NaN\r\n",
        "retry-after: inf\r\n",
        "retry-after: 1e999\r\n",
        "retry-after: soon\r\n",
        "retry-after: \r\n",
        "retry-after: \u{e9}\r\n",
        "retry-after-ms: -1\r\n",
        // Without the server's own time a date says nothing about how long.
        "retry-after: Wed, 25 Nov 2026 10:00:30 GMT\r\n",
        "date: yesterday\r\nretry-after: Wed, 25 Nov 2026 10:00:30 GMT\r\n",
        "x-ratelimit-reset-requests: 1000000000000000000\r\n",
    ] {
        let (requests, wait) = rate_limited(headers).await;
        assert_eq!(requests, 2, "{headers}");
        assert!(BACKOFF_MS.contains(&wait.unwrap()), "{headers}: {wait:?}");
    }
}

/// A wait of hours is a person's business: the run stands still and says so, and nothing is asked again.
#[tokio::test]
async fn a_wait_without_end_is_not_waited_for() {
    for headers in [
        "retry-after: 1000000000000000000\r\n",
        "retry-after: 99999999999999999999999999999999999999\r\n",
        "retry-after: 1e18\r\n",
        "retry-after-ms: 1000000000000000000\r\n",
        "date: Wed, 25 Nov 2026 10:00:00 GMT\r\nretry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
    ] {
        assert_eq!(rate_limited(headers).await, (1, None), "{headers}");
    }
}

/// What a good answer says about its limits makes the next call wait a moment at most, whatever it says.
#[tokio::test]
async fn rate_headers_that_make_no_sense_do_not_stop_a_run() {
    const RESETS: [&str; 7] = [
        "NaN",
        "-1",
        "soon",
        "",
        "2026-11-25T20:00:00Z",
        "1e999",
        "0",
    ];
    let world = World::new(|mark, _| {
        let headers = format!(
            "content-type: text/event-stream\r\nx-ratelimit-remaining-requests: 0\r\n\
             x-ratelimit-reset-requests: {}\r\n",
            RESETS[mark as usize]
        );
        answer("200 OK", &headers, &events().concat())
    })
    .await;
    for (at, reset) in RESETS.iter().enumerate() {
        let run = world.run(u32::try_from(at).unwrap());
        let (shown, failed) = tokio::time::timeout(Duration::from_secs(30), run)
            .await
            .unwrap_or_else(|_| panic!("'{reset}' stops the next run"));
        assert_eq!(
            (shown.status, failed.len()),
            (RunStatus::Done, 0),
            "{reset}"
        );
    }
}
