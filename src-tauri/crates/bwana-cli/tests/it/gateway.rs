//! `bwana serve` as a browser meets it: the link it prints, the session behind it, and a new link on demand.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use bwana_testkit::Running;
use bwana_testkit::bwana::PATIENCE;
use serde_json::{Value, json};

use crate::common::{Stage, words};

/// The next link as `HOST:PORT` and code.
fn link(owner: &mut Running) -> (String, String) {
    let line = owner
        .wait_for(PATIENCE, |line| line["type"] == "link")
        .unwrap();
    let url = line["url"].as_str().unwrap();
    let place = url.strip_prefix("http://").unwrap();
    let (place, code) = place.split_once("/#c=").unwrap();
    (place.to_owned(), code.to_owned())
}

/// Status and body.
fn ask(place: &str, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(place).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let more = format!(
        "host: {place}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    write!(stream, "{head}\r\n{more}\r\n{body}").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn post(place: &str, path: &str, more: &str, body: &Value) -> (u16, Value) {
    let head = format!("POST {path} HTTP/1.1\r\ncontent-type: application/json{more}");
    let (status, body) = ask(place, &head, &body.to_string());
    (status, serde_json::from_str(&body).unwrap())
}

#[test]
fn a_printed_link_lets_one_page_in_and_a_signal_prints_the_next() {
    let stage = Stage::new();
    let ui = stage.bwana.folder().join("ui");
    std::fs::create_dir(&ui).unwrap();
    std::fs::write(ui.join("index.html"), "the page").unwrap();
    let command = format!("serve --port 0 --json --ui {}", ui.display());
    let mut owner = stage.bwana.spawn(words(&command));
    let (place, code) = link(&mut owner);
    assert!(place.starts_with("127.0.0.1:"), "{place}");
    assert_eq!(
        ask(&place, "GET / HTTP/1.1", ""),
        (200, String::from("the page"))
    );
    let (status, session) = post(&place, "/api/session", "", &json!({"code": code}));
    assert_eq!(status, 200, "{session}");
    let bearer = format!(
        "\r\nauthorization: Bearer {}",
        session["token"].as_str().unwrap()
    );
    let (status, shown) = post(&place, "/api/rpc/budget.show", &bearer, &json!({}));
    assert_eq!(status, 200, "{shown}");
    // It is a browser, whatever it brings.
    let (status, refused) = post(
        &place,
        "/api/rpc/tasks.approve",
        &bearer,
        &json!({"task": "x"}),
    );
    assert_eq!(
        (status, &refused["error"]["code"]),
        (403, &json!("policy.not_yours"))
    );
    // What the program has to say is kept, without what lets somebody in.
    let (_, tail) = post(&place, "/api/rpc/logs.tail", &bearer, &json!({}));
    let log = std::fs::read_to_string(tail["value"]["file"].as_str().unwrap()).unwrap();
    assert!(log.contains("took the data folder over"), "{log}");
    assert!(!log.contains(&code), "{log}");
    owner.signal("USR1");
    let (_, next) = link(&mut owner);
    assert_eq!(
        post(&place, "/api/session", "", &json!({"code": code})).0,
        401
    );
    assert_eq!(
        post(&place, "/api/session", "", &json!({"code": next})).0,
        200
    );
    owner.signal("TERM");
    owner.finish(PATIENCE).expect_code(0);
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let stage = Stage::new();
    let output = stage
        .run(&format!("serve --port {port} --json"))
        .expect_code(2);
    let error = output.last();
    assert_eq!(error["code"], "usage.invalid");
    assert!(
        error["hint"].as_str().unwrap().contains("--port"),
        "{error}"
    );
}
