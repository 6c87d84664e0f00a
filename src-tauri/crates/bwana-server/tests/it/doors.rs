//! Who gets in: hosts, origins, codes, tokens, and what a browser may do inside.

use std::time::Duration;

use bwana_api::Caller;
use bwana_testkit::Script;
use serde_json::json;

use crate::client::Ask;
use crate::stage::{Setting, Stage};

/// Forms of the Host header; the first three are ours.
fn hosts(port: u16) -> Vec<Option<String>> {
    let names = [
        "127.0.0.1:P",
        "localhost:P",
        "[::1]:P",
        "127.0.0.1",
        "evil.example:P",
        "127.0.0.1.evil.example:P",
        "0.0.0.0:P",
        "2130706433:P",
        "localhost.:P",
        "LOCALHOST:P",
        "127.0.0.1:1",
    ];
    let named = names
        .iter()
        .map(|name| Some(name.replace('P', &port.to_string())));
    named.chain([None]).collect()
}

const OURS: usize = 3;

/// 200 origins that are not ours, whatever our port is.
fn foreign_origins(port: u16) -> Vec<String> {
    let mut origins: Vec<String> = [
        "null",
        "",
        "file://",
        "https://127.0.0.1:P",
        "https://localhost:P",
        "http://127.0.0.1",
        "http://localhost",
        "http://127.0.0.1:P/",
        "http://127.0.0.1:P.evil.example",
        "http://127.0.0.1:P@evil.example",
        "http://evil.example:P",
        "http://evil.example#127.0.0.1:P",
        "HTTP://127.0.0.1:P",
        "http://0.0.0.0:P",
        "http://127.1:P",
        "http://localhost.:P",
        "http://sub.localhost:P",
        "ws://127.0.0.1:P",
        "tauri://localhost",
        "http://tauri.localhost",
        "chrome-extension://abcdefgh",
        "moz-extension://abcdefgh",
        "*",
        "http://127.0.0.1:P, http://127.0.0.1:P",
        "http:// 127.0.0.1:P",
    ]
    .iter()
    .map(|origin| origin.replace('P', &port.to_string()))
    .collect();
    let mut other = 1u16;
    while origins.len() < 200 {
        let scheme = if other.is_multiple_of(2) {
            "http"
        } else {
            "https"
        };
        origins.push(match other % 4 {
            0 => format!("{scheme}://127.0.0.1:{}", port.wrapping_add(other).max(1)),
            1 => format!("{scheme}://site{other}.example"),
            2 => format!("{scheme}://localhost:{}", port.wrapping_sub(other).max(1)),
            _ => format!("{scheme}://10.0.0.{other}:{port}"),
        });
        other += 1;
    }
    origins
}

fn handshake(stage: &Stage, token: &str) -> Ask {
    let protocols = format!("bwana.v1, t.{token}");
    stage
        .get("/api/ws")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", &protocols)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_foreign_host_or_origin_gets_through() {
    let stage = Stage::new().await;
    let (port, mut tried) = (stage.port(), 0);
    let origins = foreign_origins(port);
    assert_eq!(origins.len(), 200);
    for (at, host) in hosts(port).iter().enumerate() {
        let expected = if at < OURS { 403 } else { 421 };
        for origin in &origins {
            // Everything else is right, so that only the place can be the reason.
            for ask in [
                stage.rpc("doctor", &json!({})),
                handshake(&stage, &stage.token),
            ] {
                let answer = ask
                    .host(host.as_deref())
                    .header("origin", origin)
                    .send()
                    .await;
                // Without any Host the protocol itself is broken.
                let is_refused =
                    answer.status == expected || (host.is_none() && answer.status == 400);
                assert!(is_refused, "{host:?} {origin}: {answer:?}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 12 * 200 * 2);
    // None of it counted as a wrong try, and none of it was heard by a command.
    stage
        .rpc("budget.show", &json!({}))
        .send()
        .await
        .expect_status(200);
    stage
        .bare_rpc("budget.show", &json!({}))
        .send()
        .await
        .expect_status(401);
    stage.end().await;
}

#[tokio::test]
async fn our_own_pages_get_through_under_each_of_our_names() {
    let stage = Stage::new().await;
    for host in hosts(stage.port()).into_iter().take(OURS).flatten() {
        let origin = format!("http://{host}");
        let rpc = || stage.rpc("budget.show", &json!({})).host(Some(&host));
        rpc().send().await.expect_status(200);
        rpc()
            .header("origin", &origin)
            .send()
            .await
            .expect_status(200);
        let shake = || handshake(&stage, &stage.token).host(Some(&host));
        let answer = shake()
            .header("origin", &origin)
            .send()
            .await
            .expect_status(101);
        assert_eq!(answer.header("sec-websocket-protocol"), Some("bwana.v1"));
        // A page always says where it is from.
        shake().send().await.expect_status(403);
        shake()
            .header("origin", &origin)
            .header("origin", &origin)
            .send()
            .await
            .expect_status(403);
        // Another name of ours is another origin.
        let other = if host.starts_with('l') {
            "127.0.0.1"
        } else {
            "localhost"
        };
        let other = format!("http://{other}:{}", stage.port());
        rpc()
            .header("origin", &other)
            .send()
            .await
            .expect_status(403);
    }
    let twice = format!("localhost:{}", stage.port());
    stage
        .rpc("budget.show", &json!({}))
        .header("host", &twice)
        .send()
        .await
        .expect_status(421);
    let whole = format!("http://127.0.0.1:{}/", stage.port());
    stage.get(&whole).send().await.expect_status(421);
    stage.end().await;
}

#[tokio::test]
async fn a_code_works_once_for_a_token_that_works_everywhere() {
    let stage = Stage::new().await;
    let code = stage.code();
    let answer = stage.session(&code).send().await.expect_status(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("set-cookie"), None);
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 64);
    let bearer = format!("Bearer {token}");
    stage
        .bare_rpc("budget.show", &json!({}))
        .header("authorization", &bearer)
        .send()
        .await
        .expect_status(200);
    let again = stage.session(&code).send().await.expect_status(401);
    assert_eq!(again.json()["error"]["code"], "session.refused");
    stage.session("").send().await.expect_status(401);
    stage.end().await;
}

#[tokio::test]
async fn an_expired_code_is_refused() {
    let stage = Stage::with(Setting {
        code_lives: Duration::ZERO,
        ..Setting::default()
    })
    .await;
    let code = stage.code();
    stage.session(&code).send().await.expect_status(401);
    stage.end().await;
}

#[tokio::test]
async fn a_missing_or_wrong_token_is_refused_everywhere() {
    let stage = Stage::new().await;
    let origin = format!("http://127.0.0.1:{}", stage.port());
    let rpc = || stage.bare_rpc("budget.show", &json!({}));
    let bearer = format!("Bearer {}", stage.token);
    let wrong = [
        rpc(),
        rpc().header("authorization", "Bearer "),
        rpc().header("authorization", &stage.token),
        rpc().header("authorization", &bearer.to_uppercase()),
        rpc().header("authorization", &bearer[..bearer.len() - 1]),
        rpc()
            .header("authorization", &bearer)
            .header("authorization", &bearer),
        rpc().header("cookie", &format!("token={}", stage.token)),
        Ask::new(
            stage.port(),
            "POST",
            &format!("/api/rpc/budget.show?token={}", stage.token),
        )
        .json(&json!({})),
        Ask::new(stage.port(), "GET", "/api/rpc/budget.show"),
        handshake(&stage, "0").header("origin", &origin),
        handshake(&stage, "").header("origin", &origin),
        handshake(&stage, "0")
            .header("origin", &origin)
            .header("authorization", &bearer),
    ];
    for ask in wrong {
        let answer = ask.send().await.expect_status(401);
        assert!(!answer.body.contains(&stage.token));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    stage.end().await;
}

#[tokio::test]
async fn after_twenty_wrong_tries_the_next_is_not_even_compared() {
    let stage = Stage::new().await;
    for _ in 0..bwana_server::TRIES_MAX {
        stage.session("guess").send().await.expect_status(401);
    }
    let code = stage.code();
    stage.session(&code).send().await.expect_status(429);
    stage
        .bare_rpc("budget.show", &json!({}))
        .send()
        .await
        .expect_status(429);
    // Whoever is in already is not locked out by it.
    stage
        .rpc("budget.show", &json!({}))
        .send()
        .await
        .expect_status(200);
    stage.end().await;
}

#[tokio::test]
async fn only_json_is_read() {
    let stage = Stage::new().await;
    let bearer = format!("Bearer {}", stage.token);
    let ask = |kind: &str, body: &str| {
        Ask::new(stage.port(), "POST", "/api/rpc/budget.show")
            .header("authorization", &bearer)
            .body(kind, body)
    };
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
        "application/jsonp",
    ] {
        ask(kind, "{}").send().await.expect_status(415);
    }
    ask("application/json; charset=utf-8", "{}")
        .send()
        .await
        .expect_status(200);
    let broken = ask("application/json", "{\"secret\": sk-12")
        .send()
        .await
        .expect_status(400);
    assert!(!broken.body.contains("sk-12"));
    let unknown = stage
        .rpc("no.such", &json!({}))
        .send()
        .await
        .expect_status(400);
    assert_eq!(unknown.json()["error"]["code"], "usage.invalid");
    assert!(unknown.json()["error"]["hint"].is_string());
    stage.end().await;
}

fn asks_first() -> Script {
    Script::default().calls_once("file.write", json!({"path": "a.txt", "content": "x"}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_cannot_approve_however_often_it_tries() {
    let stage = Stage::with(Setting {
        script: asks_first(),
        ..Setting::default()
    })
    .await;
    let run = stage.start_run().await;
    let waiting = stage.settled(&run).await;
    assert_eq!(waiting["status"], "waiting", "{waiting}");
    let tasks = stage
        .rpc("tasks.list", &json!({}))
        .send()
        .await
        .expect_status(200)
        .json();
    let task = tasks["value"]["tasks"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{tasks}"))
        .to_owned();
    let commands = [
        "tasks.approve",
        "tasks.deny",
        "tasks.answer",
        "tasks.resolve",
    ];
    let known: Vec<_> = bwana_api::COMMANDS
        .iter()
        .filter(|command| command.permission == bwana_api::Permission::Decide)
        .map(|command| command.name)
        .collect();
    assert!(
        known.iter().any(|name| commands.contains(name)),
        "{known:?}"
    );
    for attempt in 0..40 {
        let name = known[attempt % known.len()];
        let params =
            json!({"task": task, "caller": "local_ui", "by": "local_ui", "attempt": attempt});
        let answer = stage.rpc(name, &params).send().await;
        assert!(matches!(answer.status, 400 | 403), "{answer:?}");
        let plain = stage
            .rpc("tasks.approve", &json!({"task": task}))
            .send()
            .await;
        assert_eq!(
            plain.expect_status(403).json()["error"]["code"],
            "policy.not_yours"
        );
    }
    assert_eq!(stage.shown(&run).await["status"], "waiting");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_that_stands_in_for_the_person_may_approve() {
    let stage = Stage::with(Setting {
        caller: Caller::LocalPerson,
        script: asks_first(),
        ..Setting::default()
    })
    .await;
    let run = stage.start_run().await;
    assert_eq!(stage.settled(&run).await["status"], "waiting");
    let tasks = stage.rpc("tasks.list", &json!({})).send().await.json();
    let task = &tasks["value"]["tasks"][0]["id"];
    stage
        .rpc("tasks.approve", &json!({"task": task}))
        .send()
        .await
        .expect_status(200);
    assert_eq!(stage.settled(&run).await["status"], "done");
    // Files and private hosts stay with the command line.
    stage
        .rpc("verify", &json!({}))
        .send()
        .await
        .expect_status(403);
    stage.end().await;
}
