//! Servers that are slow, silent, endless or huge. Each wait has its own limit, each limit its own name, and what had
//! arrived is never lost. The limits here are short and the servers never finish, so no test measures time.

use std::time::Duration;

use bwana_llm::{HttpProvider, Limits, Provider};
use bwana_types::model::{Delta, ERROR_BODY_MAX_BYTES, ErrorKind, Phase};

use crate::server::{Reply, Server, Step};
use crate::show::{self, complete, hello};
use crate::wire_table::{finish, text, usage};

/// Long enough to never be what ends a call here.
const LONG: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(400);

fn patient() -> Limits {
    Limits {
        connect: LONG,
        headers: LONG,
        first_event: LONG,
        idle_event: LONG,
        total: LONG,
        ..Limits::default()
    }
}

fn provider(server: &Server, limits: Limits) -> HttpProvider {
    show::provider(&server.url).with_limits(limits)
}

#[track_caller]
fn check(answer: &show::Answer, expected: &str) {
    assert_eq!(show::result(&answer.0), expected, "{:?}", answer.0);
    show::assert_deltas_add_up(answer);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_host_that_does_not_take_the_connection() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts: once the queue is full, the kernel lets further connections wait.
    let mut waiting = Vec::new();
    for _ in 0..16 {
        let connect = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(Duration::from_millis(300), connect).await {
            Ok(stream) => waiting.push(stream.unwrap()),
            Err(_) => break,
        }
    }
    let limits = Limits {
        connect: SHORT,
        ..patient()
    };
    let provider = show::provider(&format!("http://{address}")).with_limits(limits);
    let answer = complete(&provider, &hello()).await;
    check(&answer, "Timeout(Connect)");
}

#[tokio::test]
async fn a_server_that_takes_the_request_and_says_nothing() {
    let server = Server::one(Reply(vec![Step::Hang])).await;
    let limits = Limits {
        headers: SHORT,
        ..patient()
    };
    let answer = complete(&provider(&server, limits), &hello()).await;
    check(&answer, "Timeout(Headers)");
    let message = answer.0.unwrap_err().message;
    assert!(
        message.ends_with("did not begin to answer within 0.4 s"),
        "{message}"
    );
}

#[tokio::test]
async fn a_stream_that_never_begins_even_if_it_keeps_the_connection_alive() {
    let pings = Step::Repeat(b": ping\n\n".to_vec(), Duration::from_millis(20), 100_000);
    for step in [Step::Hang, pings] {
        let server = Server::one(Reply::stream_then("", vec![step])).await;
        let limits = Limits {
            first_event: SHORT,
            ..patient()
        };
        let answer = complete(&provider(&server, limits), &hello()).await;
        check(&answer, "Timeout(FirstEvent)");
    }
}

#[tokio::test]
async fn a_stream_that_stops_keeps_its_words_and_pings_are_no_words() {
    let pings = Step::Repeat(b": ping\n\n".to_vec(), Duration::from_millis(20), 100_000);
    for (step, pinged) in [(Step::Hang, false), (pings, true)] {
        let server = Server::one(Reply::stream_then(&text("Hi"), vec![step])).await;
        let limits = Limits {
            idle_event: SHORT,
            ..patient()
        };
        let answer = complete(&provider(&server, limits), &hello()).await;
        check(&answer, r#"Timeout(Idle) | text "Hi" open"#);
        assert_eq!(answer.1.contains(&Delta::Alive), pinged);
        assert!(answer.0.unwrap_err().partial.meta.bytes_in > 0);
    }
}

#[tokio::test]
async fn a_stream_without_end_ends_with_the_whole_time() {
    let words = Step::Repeat(text("x").into_bytes(), Duration::from_millis(20), 100_000);
    let server = Server::one(Reply::stream_then("", vec![words])).await;
    let limits = Limits {
        total: Duration::from_millis(700),
        ..patient()
    };
    let answer = complete(&provider(&server, limits), &hello()).await;
    let error = answer.0.as_ref().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout(Phase::Total));
    assert!(!error.partial.parts.is_empty());
    show::assert_deltas_add_up(&answer);
}

#[tokio::test]
async fn a_drip_of_bytes_ends_with_the_whole_time() {
    let drip = Step::Repeat(b"x".to_vec(), Duration::from_millis(20), 100_000);
    let start = format!("{}data: ", text("Hi"));
    let server = Server::one(Reply::stream_then(&start, vec![drip])).await;
    let limits = Limits {
        total: Duration::from_millis(700),
        ..patient()
    };
    let answer = complete(&provider(&server, limits), &hello()).await;
    check(&answer, r#"Timeout(Total) | text "Hi" open"#);
}

#[tokio::test]
async fn a_finished_answer_does_not_wait_for_a_server_that_forgets_to_hang_up() {
    let body = [text("Hi"), finish("stop"), usage(3, 1)].concat();
    let server = Server::one(Reply::stream_then(&body, vec![Step::Hang])).await;
    let limits = Limits {
        idle_event: SHORT,
        ..patient()
    };
    let answer = complete(&provider(&server, limits), &hello()).await;
    check(&answer, r#"text "Hi" stop=Done usage=3/1"#);
}

#[tokio::test]
async fn a_flood_of_pings_ends_at_the_size_of_an_answer() {
    let flood = Step::Repeat(b": ping\n\n".repeat(8_192), Duration::ZERO, 100_000);
    let server = Server::one(Reply::stream_then(&text("Hi"), vec![flood])).await;
    let answer = complete(&provider(&server, patient()), &hello()).await;
    check(&answer, r#"TooLarge | text "Hi" open"#);
}

/// The most memory this process ever used, in bytes, where the system tells.
fn peak_memory_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1_024)
}

#[tokio::test]
async fn a_line_without_end_is_refused_at_the_cap() {
    const LINE_BYTES: usize = 100 * 1024 * 1024;
    const PIECE_BYTES: usize = 16 * 1024;
    let before = peak_memory_bytes();
    let line = Step::Repeat(
        vec![b'x'; PIECE_BYTES],
        Duration::ZERO,
        LINE_BYTES / PIECE_BYTES,
    );
    let start = format!("{}data: ", text("Hi"));
    let mut server = Server::one(Reply::stream_then(&start, vec![line])).await;
    let answer = complete(&provider(&server, patient()), &hello()).await;
    check(&answer, r#"TooLarge | text "Hi" open"#);
    server.wait_for_hang_up().await;
    if let (Some(before), Some(after)) = (before, peak_memory_bytes()) {
        let grown = after - before;
        assert!(grown < 48 * 1024 * 1024, "grew by {grown} bytes");
    }
}

#[tokio::test]
async fn an_error_of_any_size_is_kept_to_its_beginning() {
    let endless = Step::Repeat(vec![b'x'; 64 * 1024], Duration::ZERO, 10_000);
    let head = Step::Send(b"HTTP/1.1 500 X\r\nconnection: close\r\n\r\n".to_vec());
    for step in [endless, Step::Hang] {
        let server = Server::one(Reply(vec![head.clone(), step])).await;
        let limits = Limits {
            idle_event: SHORT,
            ..patient()
        };
        let error = complete(&provider(&server, limits), &hello())
            .await
            .0
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Server);
        assert!(error.body.len() <= ERROR_BODY_MAX_BYTES);
    }
}

#[tokio::test]
async fn lists_have_the_same_limits() {
    let head = Step::Send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec());
    let endless = Step::Repeat(vec![b' '; 64 * 1024], Duration::ZERO, 10_000);
    for (step, kind) in [
        (endless, ErrorKind::TooLarge),
        (Step::Hang, ErrorKind::Timeout(Phase::Idle)),
    ] {
        let server = Server::one(Reply(vec![head.clone(), step])).await;
        let limits = Limits {
            idle_event: SHORT,
            ..patient()
        };
        let error = provider(&server, limits).models().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

#[tokio::test]
async fn limits_beyond_all_sense_do_no_harm() {
    let body = [text("Hi"), finish("stop")].concat();
    let server = Server::one(Reply::stream(body)).await;
    let limits = Limits {
        headers: Duration::MAX,
        first_event: Duration::MAX,
        idle_event: Duration::MAX,
        total: Duration::MAX,
        reply_bytes: usize::MAX,
        event_bytes: usize::MAX,
        ..patient()
    };
    let answer = complete(&provider(&server, limits), &hello()).await;
    check(&answer, r#"text "Hi" stop=Done"#);
}
