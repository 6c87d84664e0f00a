//! Runs the wire table twice: through the codec alone, and over a real socket.

use bwana_llm::dialect::ReplyContext;
use bwana_llm::names::NameMap;
use bwana_types::model::{Request, ToolDecl};
use serde_json::json;

use crate::server::{Reply, Server};
use crate::show;
use crate::wire_table::{Case, cases};

fn context() -> ReplyContext {
    ReplyContext {
        model: String::from("m"),
        names: NameMap::new(["file.write"]),
        ..ReplyContext::default()
    }
}

fn request() -> Request {
    let mut request = show::hello();
    request.tools.push(ToolDecl {
        name: String::from("file.write"),
        description: String::from("Writes a file."),
        parameters: json!({"type": "object"}),
    });
    request
}

#[track_caller]
fn check(case: &Case, how: &str, answer: &show::Answer) {
    let Case { name, expect, .. } = case;
    assert_eq!(
        show::result(&answer.0),
        *expect,
        "{name}, {how}: {:?}",
        answer.0
    );
    if let Err(error) = &answer.0 {
        assert!(
            error.message.contains(case.says),
            "{name}, {how}: {}",
            error.message
        );
    }
    show::assert_deltas_add_up(answer);
}

#[test]
fn the_table_is_large_and_has_no_name_twice() {
    let mut names: Vec<&str> = cases().iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 100, "{count}");
}

#[test]
fn every_case_means_what_it_should() {
    let wrong: Vec<String> = cases()
        .iter()
        .filter_map(|case| {
            let (result, _) = show::codec(case.status, case.body.as_bytes(), &context());
            let got = show::result(&result);
            (got != case.expect).then(|| {
                format!(
                    "{}\n  want {}\n  got  {got} {result:?}",
                    case.name, case.expect
                )
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for case in cases() {
        let answer = show::codec(case.status, case.body.as_bytes(), &context());
        check(&case, "codec", &answer);
    }
}

#[tokio::test]
async fn every_case_means_the_same_over_a_socket() {
    for case in cases() {
        let reply = Reply::status(case.status, case.headers, &case.body);
        let server = Server::one(reply).await;
        let answer = show::complete(&show::provider(&server.url), &request()).await;
        check(&case, "socket", &answer);
        if let Err(error) = &answer.0 {
            let host = server.url.trim_start_matches("http://");
            assert!(error.message.starts_with(host), "{}", error.message);
        }
    }
}

#[tokio::test]
async fn every_stream_means_the_same_when_the_server_just_closes() {
    let streams = cases().into_iter().filter(|case| case.status == 200);
    for case in streams {
        let server = Server::one(Reply::stream(&case.body)).await;
        let answer = show::complete(&show::provider(&server.url), &request()).await;
        check(&case, "closed", &answer);
    }
}
