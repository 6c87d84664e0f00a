//! What a hostile or broken server of this dialect may cost: a bounded amount of memory and time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bwana_llm::{Anthropic, HttpProvider, Limits, ReplyContext};

use crate::server::{Reply, Server, Step};
use crate::show::{self, complete, hello};

const PING: &str = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
const HI: &str = concat!(
    r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hi"}}"#,
    "\n\n"
);

fn provider(server: &Server, limits: Limits) -> HttpProvider {
    show::provider_of(&server.url, Arc::new(Anthropic)).with_limits(limits)
}

fn through(body: &str) -> String {
    let (context, limits) = (ReplyContext::default(), Limits::default());
    let answer = show::through(&Anthropic, [body.as_bytes()], &context, &limits);
    show::assert_deltas_add_up(&answer);
    show::result(&answer.0)
}

#[test]
fn more_blocks_than_any_answer_has_are_refused() {
    let start = Instant::now();
    let blocks: String = (0..100_000)
        .map(|n| {
            format!("data: {{\"type\":\"content_block_start\",\"index\":{n},\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}\n\n")
        })
        .collect();
    assert_eq!(through(&blocks), "TooLarge");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn more_calls_than_any_answer_has_are_refused() {
    let calls: String = (0..200)
        .map(|n| {
            format!("data: {{\"type\":\"content_block_start\",\"index\":{n},\"content_block\":{{\"type\":\"tool_use\",\"id\":\"c{n}\",\"name\":\"f\",\"input\":{{}}}}}}\n\n")
        })
        .collect();
    let got = through(&calls);
    assert!(got.starts_with("TooLarge | call c0:f:"), "{got}");
    assert_eq!(got.matches("call ").count(), 128);
}

#[tokio::test]
async fn a_flood_of_pings_ends_at_the_size_of_an_answer() {
    let flood = Step::Repeat(PING.repeat(2_048).into_bytes(), Duration::ZERO, 100_000);
    let server = Server::one(Reply::stream_then(HI, vec![flood])).await;
    let answer = complete(&provider(&server, Limits::default()), &hello()).await;
    assert_eq!(show::result(&answer.0), r#"TooLarge | text "Hi" open"#);
}

#[tokio::test]
async fn pings_without_end_end_with_the_time_of_a_call() {
    let pings = Step::Repeat(PING.into(), Duration::from_millis(5), 1_000_000);
    let server = Server::one(Reply::stream_then(HI, vec![pings])).await;
    let limits = Limits {
        total: Duration::from_millis(600),
        ..Limits::default()
    };
    let answer = complete(&provider(&server, limits), &hello()).await;
    assert_eq!(
        show::result(&answer.0),
        r#"Timeout(Total) | text "Hi" open"#
    );
    let alive = bwana_types::model::Delta::Alive;
    assert!(answer.1.contains(&alive));
}

#[tokio::test]
async fn a_line_without_end_is_refused_at_the_cap() {
    const PIECE_BYTES: usize = 16 * 1024;
    let pieces = 100 * 1024 * 1024 / PIECE_BYTES;
    let line = Step::Repeat(vec![b'x'; PIECE_BYTES], Duration::ZERO, pieces);
    let start = format!("{HI}data: ");
    let mut server = Server::one(Reply::stream_then(&start, vec![line])).await;
    let answer = complete(&provider(&server, Limits::default()), &hello()).await;
    assert_eq!(show::result(&answer.0), r#"TooLarge | text "Hi" open"#);
    server.wait_for_hang_up().await;
}
