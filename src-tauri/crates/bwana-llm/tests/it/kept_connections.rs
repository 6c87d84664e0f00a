//! Connections as hosted providers keep them: one serves call after call, although a reply is left at its last event.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bwana_llm::{HttpProvider, Provider as _, Quirks};
use bwana_types::message::text_of;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::show::{self, hello};
use crate::wire_table::{DONE, finish, text, usage};

const CALLS: usize = 6;
/// A call that comes before its predecessor's connection is back makes one, which is then there for the others.
const KEPT_MAX: usize = 2;
const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A server that answers every request of every connection with the same bytes, and counts connections.
struct Keeper {
    url: String,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Keeper {
    async fn start(reply: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let reply = reply.clone();
                open.spawn(async move { answer_all(socket, &reply).await });
            }
        });
        Self {
            url,
            connections,
            _tasks: tasks,
        }
    }
}

async fn answer_all(mut socket: TcpStream, reply: &[u8]) {
    let mut seen = Vec::new();
    while socket.read_buf(&mut seen).await.is_ok_and(|n| n > 0) {
        // The request is one JSON object without a blank line in it, and nobody sends the next one too early.
        if seen.windows(4).any(|w| w == b"\r\n\r\n") && seen.ends_with(b"}") {
            seen.clear();
            if socket.write_all(reply).await.is_err() {
                return;
            }
        }
    }
}

fn chunk(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n", body.len())
}

/// An answer of several chunks up to `[DONE]`, then `rest`.
fn answer(rest: &str) -> Vec<u8> {
    let events = [text("ready"), finish("stop"), usage(9, 1), DONE.to_owned()];
    let mut bytes = String::from(HEAD);
    bytes.extend(events.iter().map(|event| chunk(event)));
    bytes.push_str(rest);
    bytes.into_bytes()
}

#[track_caller]
fn provider(server: &Keeper, idle_pool: bool) -> HttpProvider {
    show::provider(&server.url).with_quirks(Quirks {
        idle_pool,
        ..Quirks::default()
    })
}

async fn check(rest: &str, idle_pool: bool, is_kept: bool) {
    let server = Keeper::start(answer(rest)).await;
    let provider = provider(&server, idle_pool);
    for _ in 0..CALLS {
        let outcome = provider.complete(&hello(), &mut |_| {}).await.unwrap();
        assert_eq!(&*text_of(&outcome.parts), "ready");
    }
    let made = server.connections.load(Ordering::SeqCst);
    let fits = if is_kept {
        made <= KEPT_MAX
    } else {
        made == CALLS
    };
    assert!(fits, "{made} for {rest:.40?}, idle_pool: {idle_pool}");
}

#[tokio::test]
async fn a_reply_left_at_its_last_event_leaves_its_connection_to_the_next_call() {
    check("0\r\n\r\n", true, true).await;
    let blank = chunk("\n: bye\n\n");
    check(&format!("{blank}0\r\n\r\n"), true, true).await;
}

#[tokio::test]
async fn a_body_that_does_not_end_costs_its_connection_and_not_the_answer() {
    check("", true, false).await;
    let flood = chunk(&"x".repeat(1024)).repeat(64);
    check(&format!("{flood}0\r\n\r\n"), true, false).await;
}

#[tokio::test]
async fn servers_that_close_theirs_get_a_connection_for_each_call() {
    check("0\r\n\r\n", false, false).await;
}
