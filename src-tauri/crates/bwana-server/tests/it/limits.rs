//! Too much and too slow: headers, bodies, connections that say nothing.

use bwana_server::{CONNECTIONS_MAX, HEADER_MAX_BYTES, MESSAGE_MAX_BYTES};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::client::Answer;
use crate::stage::{PATIENCE, Stage};

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let stage = Stage::new().await;
    let long = "x".repeat(HEADER_MAX_BYTES);
    stage
        .get("/")
        .header("x-long", &long)
        .send()
        .await
        .expect_status(431);
    let big = json!({"text": "x".repeat(MESSAGE_MAX_BYTES)});
    stage
        .rpc("budget.show", &big)
        .send()
        .await
        .expect_status(413);
    // Without a token nobody even reads it.
    stage
        .bare_rpc("budget.show", &big)
        .send()
        .await
        .expect_status(401);
    stage
        .rpc("budget.show", &json!({}))
        .send()
        .await
        .expect_status(200);
    stage.end().await;
}

#[tokio::test]
async fn half_open_connections_end_and_give_their_places_back() {
    let stage = Stage::new().await;
    let mut silent = Vec::new();
    for at in 0..CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(stage.host.address()).await.unwrap();
        if at % 2 == 0 {
            stream
                .write_all(b"GET /api/ws HTTP/1.1\r\nhost: ")
                .await
                .unwrap();
        }
        silent.push(stream);
    }
    let taken = async {
        while stage.host.connections() < CONNECTIONS_MAX {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.unwrap();
    // One more finds no place; it is closed without an answer.
    assert_eq!(stage.get("/").send().await.status, 0);
    for stream in &mut silent {
        let answer = Answer::read(stream).await;
        assert!(matches!(answer.status, 0 | 408), "{answer:?}");
    }
    let freed = async {
        while stage.host.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.unwrap();
    stage.get("/").send().await.expect_status(200);
    stage.end().await;
}
