//! What a hostile or broken server of this dialect may cost: a bounded amount of memory and time.

use std::sync::Arc;
use std::time::Duration;

use bwana_llm::{Gemini, Limits, ReplyContext};

use crate::server::{Reply, Server, Step};
use crate::show::{self, complete, hello};

const HI: &str = concat!(
    r#"data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]}"#,
    "\n\n"
);

fn through(body: &str) -> String {
    let (context, limits) = (ReplyContext::default(), Limits::default());
    let answer = show::through(&Gemini, [body.as_bytes()], &context, &limits);
    show::assert_deltas_add_up(&answer);
    show::result(&answer.0)
}

#[test]
fn more_parts_than_any_answer_has_are_refused() {
    let one = r#"data: {"candidates":[{"content":{"parts":[{"text":"a"},{"text":"b","thought":true}]}}]}"#;
    let got = through(&format!("{one}\n\n").repeat(100_000));
    assert!(
        got.starts_with("TooLarge | text \"a\" think \"b\""),
        "{got}"
    );
}

#[test]
fn more_calls_than_any_answer_has_are_refused() {
    let one =
        r#"data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#;
    let got = through(&format!("{one}\n\n").repeat(200));
    assert!(got.starts_with("TooLarge | call call_0:f:"), "{got}");
    assert_eq!(got.matches("call call_").count(), 128);
}

#[test]
fn a_candidate_numbered_three_million_costs_nothing() {
    let body = format!(
        "data: {{\"candidates\":[{{\"index\":3000000,\"content\":{{\"parts\":[{{\"text\":\"no\"}}]}}}}]}}\n\n{HI}"
    );
    assert_eq!(through(&body), r#"Interrupted | text "Hi" open"#);
}

#[tokio::test]
async fn a_flood_of_empty_chunks_ends_at_the_size_of_an_answer() {
    let flood = Step::Repeat(b"data: {}\n\n".repeat(4_096), Duration::ZERO, 100_000);
    let server = Server::one(Reply::stream_then(HI, vec![flood])).await;
    let provider = show::provider_of(&server.url, Arc::new(Gemini));
    let answer = complete(&provider, &hello()).await;
    assert_eq!(show::result(&answer.0), r#"TooLarge | text "Hi" open"#);
}

#[tokio::test]
async fn a_line_without_end_is_refused_at_the_cap() {
    const PIECE_BYTES: usize = 16 * 1024;
    let pieces = 100 * 1024 * 1024 / PIECE_BYTES;
    let line = Step::Repeat(vec![b'x'; PIECE_BYTES], Duration::ZERO, pieces);
    let start = format!("{HI}data: ");
    let mut server = Server::one(Reply::stream_then(&start, vec![line])).await;
    let provider = show::provider_of(&server.url, Arc::new(Gemini));
    let answer = complete(&provider, &hello()).await;
    assert_eq!(show::result(&answer.0), r#"TooLarge | text "Hi" open"#);
    server.wait_for_hang_up().await;
}
