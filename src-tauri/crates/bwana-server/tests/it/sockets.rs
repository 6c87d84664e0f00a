//! The WebSocket with a real client: calls, events, giving up, coming back, and its limits.

use bwana_server::{FRAME_MAX_BYTES, MESSAGE_MAX_BYTES};
use bwana_testkit::Script;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::stage::{PATIENCE, Setting, Stage};

struct Page(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Page {
    async fn open(stage: &Stage) -> Self {
        Self::try_open(stage, &stage.token).await.unwrap()
    }

    async fn try_open(stage: &Stage, token: &str) -> Result<Self, Error> {
        let address = stage.host.address();
        let mut request = format!("ws://{address}/api/ws")
            .into_client_request()
            .unwrap();
        let headers = request.headers_mut();
        headers.insert("origin", format!("http://{address}").parse().unwrap());
        let protocols = format!("bwana.v1, t.{token}");
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
        connect_async(request).await.map(|(socket, _)| Self(socket))
    }

    async fn say(&mut self, value: &Value) {
        self.0.send(Message::text(value.to_string())).await.unwrap();
    }

    /// The next message, or the code with which the other side closed.
    async fn hear(&mut self) -> Result<Value, Option<CloseCode>> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.unwrap() {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Everything about one call until its end.
    async fn to_end(&mut self, id: u64) -> (Vec<Value>, Value) {
        let mut events = Vec::new();
        loop {
            let reply = self.hear().await.unwrap();
            assert_eq!(reply["id"], id, "{reply}");
            match reply.get("event") {
                Some(event) => events.push(event.clone()),
                None => return (events, reply),
            }
        }
    }

    async fn call(&mut self, id: u64, name: &str, params: Value) -> Value {
        self.say(&json!({"id": id, "name": name, "params": params}))
            .await;
        self.to_end(id).await.1
    }
}

fn seqs(events: &[Value]) -> Vec<u64> {
    let entries = events.iter().filter(|event| event["event"] == "entry");
    entries
        .map(|event| {
            event["entry"]["seq"]
                .as_u64()
                .unwrap_or_else(|| panic!("{event}"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_followed_entry_by_entry_to_its_end() {
    let stage = Stage::new().await;
    let mut page = Page::open(&stage).await;
    stage.model.hold();
    let run = stage.start_run().await;
    page.say(&json!({"id": 1, "name": "run.events", "params": {"run": run, "follow": true, "text": true}})).await;
    // It follows a run that goes on, not one that is over.
    let first = page.hear().await.unwrap();
    assert_eq!(first["event"]["event"], "entry", "{first}");
    stage.model.open();
    let (mut events, end) = page.to_end(1).await;
    events.insert(0, first["event"].clone());
    assert_eq!(end["value"]["ended"], true, "{end}");
    let head = end["value"]["head_seq"].as_u64().unwrap();
    assert_eq!(seqs(&events), (1..=head).collect::<Vec<_>>());
    assert!(events.iter().any(|event| event["event"] == "text"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_comes_back_goes_on_where_it_was() {
    let stage = Stage::new().await;
    let run = stage.start_run().await;
    stage.settled(&run).await;
    let mut page = Page::open(&stage).await;
    page.say(&json!({"id": 1, "name": "run.events", "params": {"run": run}}))
        .await;
    let (all, _) = page.to_end(1).await;
    drop(page);
    let mut page = Page::open(&stage).await;
    page.say(
        &json!({"id": 9, "name": "run.events", "params": {"run": run, "from": 3, "follow": true}}),
    )
    .await;
    let (rest, end) = page.to_end(9).await;
    assert_eq!(end["value"]["ended"], true);
    assert_eq!(seqs(&rest), seqs(&all)[2..]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_says_nothing_more_and_the_others_go_on() {
    let script =
        Script::default().calls_once("file.write", json!({"path": "a.txt", "content": "x"}));
    let stage = Stage::with(Setting {
        script,
        ..Setting::default()
    })
    .await;
    let run = stage.start_run().await;
    assert_eq!(stage.settled(&run).await["status"], "waiting");
    let mut page = Page::open(&stage).await;
    let follow = json!({"id": 1, "name": "run.events", "params": {"run": run, "follow": true}});
    page.say(&follow).await;
    page.hear().await.unwrap();
    page.say(&follow).await;
    let twice = loop {
        let reply = page.hear().await.unwrap();
        if reply.get("error").is_some() {
            break reply;
        }
    };
    assert_eq!(twice["error"]["code"], "usage.invalid");
    page.say(&json!({"id": 1, "cancel": true})).await;
    // Its number is free again: the new call is answered, by its own end.
    page.say(&json!({"id": 1, "name": "budget.show", "params": {}}))
        .await;
    let answer = loop {
        let reply = page.hear().await.unwrap();
        if reply.get("event").is_none() {
            break reply;
        }
    };
    assert!(answer["value"].is_object(), "{answer}");
    page.say(&json!({"id": 77, "cancel": true})).await;
    let shown = page.call(2, "run.show", json!({"run": run})).await;
    assert_eq!(shown["value"]["status"], "waiting");
    // A query says from where on changes of it are told.
    assert!(
        shown["at"]["epoch"].is_string() && shown["at"]["pos"].is_i64(),
        "{shown}"
    );
    let refused = page.call(3, "tasks.approve", json!({"task": "x"})).await;
    assert_eq!(refused["error"]["code"], "policy.not_yours");
    stage.end().await;
}

#[tokio::test]
async fn what_is_no_call_is_answered_and_what_is_too_large_ends_the_talk() {
    let stage = Stage::new().await;
    let mut page = Page::open(&stage).await;
    for bad in [
        "",
        "[]",
        "{\"name\": \"doctor\"}",
        "{\"id\": 1, \"caller\": \"local_ui\"}",
        "sk-secret",
    ] {
        page.0.send(Message::text(bad)).await.unwrap();
        let reply = page.hear().await.unwrap();
        assert!(
            reply["id"].is_null() && reply["error"]["code"] == "usage.invalid",
            "{reply}"
        );
        assert!(!reply.to_string().contains("sk-secret"));
    }
    page.0.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(page.hear().await, Err(Some(CloseCode::Unsupported)));
    for bytes in [FRAME_MAX_BYTES + 1, MESSAGE_MAX_BYTES + 1] {
        let mut page = Page::open(&stage).await;
        // The host may close before it has taken everything.
        let _ = page.0.send(Message::text("x".repeat(bytes))).await;
        let closed = page.hear().await;
        assert!(
            matches!(closed, Err(None | Some(CloseCode::Size))),
            "{closed:?}"
        );
    }
    let mut page = Page::open(&stage).await;
    let fits = "x".repeat(FRAME_MAX_BYTES - 200);
    let reply = page.call(1, "run.show", json!({"run": fits})).await;
    assert_eq!(
        reply["error"]["code"].as_str().map(|code| &code[..6]),
        Some("usage."),
        "{reply}"
    );
    stage.end().await;
}

#[tokio::test]
async fn a_wrong_token_opens_no_socket() {
    let stage = Stage::new().await;
    for token in ["0", &stage.token[1..], &"0".repeat(64)] {
        match Page::try_open(&stage, token).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 401),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("a wrong token was taken"),
        }
    }
    stage.end().await;
}

#[tokio::test]
async fn a_host_that_stops_says_so_to_its_pages() {
    let stage = Stage::new().await;
    let mut page = Page::open(&stage).await;
    let mut other = Page::open(&stage).await;
    assert!(page.call(1, "budget.show", json!({})).await["value"].is_object());
    let Stage { host, app, .. } = stage;
    let address = host.address();
    timeout(PATIENCE, host.stop()).await.unwrap();
    assert_eq!(page.hear().await, Err(Some(CloseCode::Away)));
    assert_eq!(other.hear().await, Err(Some(CloseCode::Away)));
    assert!(TcpStream::connect(address).await.is_err());
    app.close().await.unwrap();
}
