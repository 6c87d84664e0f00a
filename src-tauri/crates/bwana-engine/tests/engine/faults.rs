//! A provider that fails, from the wire to the journal: what is worth another try is tried again and nothing else is,
//! what was said before a break is kept, and every attempt is booked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bwana_engine::RunView;
use bwana_llm::{Endpoint, HttpProvider, OpenAiChat, Transport};
use bwana_testkit::fault::Fault;
use bwana_testkit::model_server::{ModelServer, Options};
use bwana_types::entry::{Body, CallErrorClass, CallFailed};
use bwana_types::model::ErrorKind;
use bwana_types::money::MicroUsd;
use bwana_types::status::{RunStatus, StopReason};

use crate::fixture::{Fixture, definition};

struct World {
    server: ModelServer,
    fixture: Fixture,
}

impl World {
    fn new() -> Self {
        let server = Options::default().start().unwrap();
        let endpoint = Endpoint::new(&server.url(), "v1").unwrap();
        let provider = HttpProvider::new(endpoint, Arc::new(OpenAiChat), Transport::new());
        Self {
            fixture: Fixture::new(provider),
            server,
        }
    }

    /// A run of one call whose first attempts go wrong.
    async fn run(&self, faults: Vec<Fault>) -> (RunView, Vec<CallFailed>) {
        self.server.fail_next(faults);
        let shown = self.fixture.run(definition(1)).await;
        let entries = self.fixture.store.load(shown.id).unwrap();
        let failed = entries.into_iter().filter_map(|entry| match entry.body {
            Body::CallFailed(failed) => Some(failed),
            _ => None,
        });
        (shown, failed.collect())
    }
}

fn status(code: u16, body: &str) -> Fault {
    Fault::Status {
        code,
        retry_after_s: None,
        body: body.to_owned(),
    }
}

/// What waiting cannot cure is asked once, and the run stands still with the provider's own words.
#[tokio::test]
async fn what_waiting_cannot_cure_is_asked_once() {
    let world = World::new();
    let quota = r#"{"error":{"message":"Payment Required","code":"payment_required"}}"#;
    let cases = [
        (Fault::unauthorised(), ErrorKind::Auth),
        (status(402, quota), ErrorKind::Quota),
        (Fault::out_of_quota(), ErrorKind::Quota),
        (Fault::context_too_long(), ErrorKind::ContextTooLong),
        (
            status(
                404,
                r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
            ),
            ErrorKind::NotFound,
        ),
        (status(403, "{}"), ErrorKind::Auth),
        (
            status(400, r#"{"error":{"message":"A field is wrong"}}"#),
            ErrorKind::BadRequest,
        ),
        (status(413, ""), ErrorKind::TooLarge),
        (
            status(
                400,
                r#"{"error":{"message":"Filtered","code":"content_filter"}}"#,
            ),
            ErrorKind::Refused,
        ),
    ];
    for (fault, kind) in cases {
        let before = world.server.counts().requests;
        let (shown, failed) = world.run(vec![fault]).await;
        assert_eq!(shown.status, RunStatus::Paused, "{kind:?}");
        let Some(StopReason::Failed { error }) = &shown.stop_reason else {
            panic!("{kind:?}: {:?}", shown.stop_reason);
        };
        assert!(!error.message.is_empty());
        assert_eq!(world.server.counts().requests - before, 1, "{kind:?}");
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].error.class, CallErrorClass::Model(kind));
        // A filter or a limit may have read what it refuses; anything else refuses before it works.
        let may_cost = matches!(kind, ErrorKind::Refused | ErrorKind::TooLarge);
        assert_eq!(shown.cost > Some(MicroUsd::ZERO), may_cost, "{kind:?}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let world = World::new();
    let cases = [
        Fault::server_error(),
        Fault::overloaded(),
        status(
            529,
            r#"{"error":{"message":"Overloaded","type":"overloaded_error"}}"#,
        ),
        Fault::Close,
        Fault::Html,
        Fault::Malformed,
        Fault::EarlyEnd,
        status(500, ""),
        status(502, "<html><body>Bad gateway</body></html>"),
    ];
    for fault in cases {
        let before = world.server.counts().requests;
        let (shown, failed) = world.run(vec![fault.clone()]).await;
        assert_eq!(shown.status, RunStatus::Done, "{fault:?}");
        assert_eq!(world.server.counts().requests - before, 2, "{fault:?}");
        assert_eq!(failed.len(), 1, "{fault:?}");
        assert!(failed[0].retry_at.is_some());
    }
}

#[tokio::test]
async fn a_provider_that_names_a_wait_is_given_it() {
    let world = World::new();
    let in_the_body = r#"{"error":{"message":"Rate limit reached. Please try again in 1.5s.","code":"rate_limit_exceeded"}}"#;
    for (fault, wait) in [
        (Fault::rate_limited(2), Duration::from_secs(2)),
        (status(429, in_the_body), Duration::from_millis(1_500)),
    ] {
        let began = Instant::now();
        let (shown, failed) = world.run(vec![fault]).await;
        assert_eq!(shown.status, RunStatus::Done);
        assert_eq!(
            failed[0].error.class,
            CallErrorClass::Model(ErrorKind::RateLimited)
        );
        assert!(began.elapsed() >= wait, "{:?}", began.elapsed());
    }
}

/// Four attempts in all; what cannot be read at all is tried only once more.
#[tokio::test]
async fn patience_has_an_end() {
    for (fault, attempts) in [(Fault::server_error(), 4), (Fault::Html, 2)] {
        let world = World::new();
        let (shown, failed) = world.run(vec![fault; 9]).await;
        assert_eq!(shown.status, RunStatus::Paused);
        assert_eq!(world.server.counts().requests, attempts);
        assert_eq!(failed.len() as u64, attempts);
    }
}

/// A stream cut at many places: what had been said is kept, the attempt is booked, and the run goes on.
#[tokio::test]
async fn a_broken_stream_keeps_its_words_and_is_booked() {
    let world = World::new();
    let (mut kept, mut whole_answers) = (0, 0);
    for after in (0..1_200).step_by(60) {
        let fault = Fault::Cut {
            after_bytes: Some(after),
        };
        let (shown, failed) = world.run(vec![fault]).await;
        assert_eq!(shown.status, RunStatus::Done, "cut after {after} bytes");
        let Some(broken) = failed.first() else {
            // Why it stopped had been said before the cut: that is a whole answer.
            whole_answers += 1;
            continue;
        };
        if let Some(partial) = &broken.partial {
            kept += 1;
            assert!(!partial.is_empty());
            assert!(broken.cost.is_some_and(|cost| cost > MicroUsd::ZERO));
            assert!(broken.usage.output_tokens > 0);
        }
        let whole = shown.cost.unwrap();
        assert!(whole > broken.cost.unwrap(), "both attempts are in the sum");
    }
    assert!(kept >= 3, "only {kept} of 20 cuts left words behind");
    assert!(
        whole_answers < 15,
        "{whole_answers} of 20 cuts came too late"
    );
}

#[tokio::test]
async fn an_answer_without_usage_is_booked_as_an_estimate() {
    let world = World::new();
    let (shown, failed) = world.run(vec![Fault::NoUsage]).await;
    assert_eq!((shown.status, failed.len()), (RunStatus::Done, 0));
    assert!(shown.usage.estimated && shown.usage.total_tokens() > 0);
    assert!(shown.cost.unwrap() > MicroUsd::ZERO);
}
