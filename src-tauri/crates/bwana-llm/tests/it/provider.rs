//! The provider over real sockets: what it sends where, what it keeps of an answer, what it learns, how it is tested
//! and cancelled, and that the key is nowhere but in its header.

use std::time::Duration;

use bwana_llm::quirks::MaxTokensField;
use bwana_llm::{HttpProvider, Provider};
use bwana_types::model::{Delta, ErrorKind, Probe};
use bwana_types::secret::Secret;
use serde_json::json;

use crate::server::{Reply, Server, Step};
use crate::show::{self, complete, hello};
use crate::wire_table::{DONE, event, finish, text, usage};

const KEY: &str = "sk-test-0123456789abcdef";
const JSON: &str = "content-type: application/json";

fn good() -> Reply {
    let body = [text("ready"), finish("stop"), usage(9, 1), DONE.to_owned()].concat();
    Reply::stream(body)
}

fn refusal(message: &str) -> Reply {
    let body = json!({"error": {"message": message, "type": "invalid_request_error"}});
    Reply::status(400, JSON, body.to_string())
}

fn with_key(server: &Server) -> HttpProvider {
    show::provider(&server.url).with_secret(Some(Secret::new(KEY.to_owned())))
}

#[tokio::test]
async fn a_request_goes_to_the_right_place_with_the_key_in_one_header() {
    for suffix in ["", "/", "/v1", "/v1/", "/v1/chat/completions"] {
        let server = Server::one(good()).await;
        let provider = show::provider(&format!("{}{suffix}", server.url))
            .with_secret(Some(Secret::new(format!(" {KEY}\n"))));
        complete(&provider, &hello()).await.0.unwrap();
        let seen = &server.seen()[0];
        assert_eq!(seen.line, "POST /v1/chat/completions");
        assert_eq!(
            seen.header("authorization"),
            Some(format!("Bearer {KEY}").as_str())
        );
        let keys = seen.headers.iter().filter(|(_, value)| value.contains(KEY));
        assert_eq!(keys.count(), 1);
        assert!(!seen.body.to_string().contains(KEY));
    }
}

#[tokio::test]
async fn without_a_key_no_header_is_sent() {
    let server = Server::one(good()).await;
    let provider = show::provider(&server.url).with_secret(Some(Secret::new(String::from(" "))));
    complete(&provider, &hello()).await.0.unwrap();
    assert_eq!(server.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_key_that_fits_no_header_is_refused_unseen() {
    let server = Server::one(good()).await;
    let provider = show::provider(&server.url)
        .with_secret(Some(Secret::new(String::from("sk-ab\ncd-secret"))));
    let error = complete(&provider, &hello()).await.0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn what_surrounds_an_answer_is_kept() {
    let body = [text("Hi"), finish("stop"), DONE.to_owned()].concat();
    let headers = "content-type: text/event-stream\nx-request-id: req_7\nx-ratelimit-remaining-requests: 59\nx-ratelimit-reset-tokens: 1s\nset-cookie: x";
    let server = Server::one(Reply::status(200, headers, &body)).await;
    let outcome = complete(&show::provider(&server.url), &hello())
        .await
        .0
        .unwrap();
    let meta = outcome.meta;
    assert_eq!(meta.status, Some(200));
    assert_eq!(meta.request_id.as_deref(), Some("req_7"));
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        meta.rate,
        [
            pair("x-ratelimit-remaining-requests", "59"),
            pair("x-ratelimit-reset-tokens", "1s")
        ]
    );
    assert_eq!(meta.bytes_in, body.len() as u64);
    assert_eq!(
        meta.bytes_out,
        server.seen()[0].body.to_string().len() as u64
    );
    assert!(meta.first_token_after.is_some());
    assert_eq!(outcome.model, "m-2");
    assert_eq!(outcome.response_id.as_deref(), Some("r1"));
}

#[tokio::test]
async fn an_error_says_how_long_to_wait_and_who_to_ask() {
    let date = "date: Wed, 25 Nov 2026 10:00:00 GMT\nretry-after: Wed, 25 Nov 2026 10:00:30 GMT";
    for (headers, wait_ms) in [
        ("retry-after: 7", 7_000),
        ("retry-after: 7\nretry-after-ms: 6500", 6_500),
        (date, 30_000),
        ("x-nothing: 1", 1_500),
    ] {
        let headers = format!("{headers}\nrequest-id: req_9");
        let body = r#"{"error":{"message":"Please try again in 1.5s"}}"#;
        let server = Server::one(Reply::status(429, &headers, body)).await;
        let error = complete(&show::provider(&server.url), &hello())
            .await
            .0
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::RateLimited);
        assert_eq!(
            error.retry_after,
            Some(Duration::from_millis(wait_ms)),
            "{headers}"
        );
        assert_eq!(error.request_id.as_deref(), Some("req_9"));
        assert_eq!(error.status, Some(429));
        assert_eq!(error.body, body);
        assert_eq!(server.seen().len(), 1, "retries are the engine's");
    }
}

#[tokio::test]
async fn an_echoed_key_never_comes_back() {
    let echo = json!({"error": {"message": format!("bad key {KEY}")}}).to_string();
    let replies = [
        Reply::status(401, &format!("x-request-id: {KEY}"), &echo),
        Reply::stream(event(&echo)),
        Reply::status(200, "content-type: text/html", format!("<p>{KEY}</p>")),
        Reply::status(302, &format!("location: http://127.0.0.1:9/?key={KEY}"), ""),
    ];
    for reply in replies {
        let server = Server::one(reply).await;
        let error = complete(&with_key(&server), &hello()).await.0.unwrap_err();
        assert!(
            !format!("{error:?} {error}").contains("0123456789"),
            "{error:?}"
        );
    }
    let server = Server::one(Reply::status(401, JSON, &echo)).await;
    let provider = with_key(&server);
    let probe = provider.probe(Some("m")).await;
    assert!(
        !format!("{probe:?} {provider:?}").contains("0123456789"),
        "{probe:?}"
    );
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let other = Server::one(good()).await;
    for status in [301, 302, 307, 308] {
        let headers = format!("location: {}/login?next=1", other.url);
        let server = Server::one(Reply::status(status, &headers, "")).await;
        let error = complete(&with_key(&server), &hello()).await.0.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed);
        assert!(error.message.contains(&other.url), "{error}");
        assert!(!error.message.contains("login?"), "{error}");
    }
    assert!(other.seen().is_empty(), "the key went to another host");
}

#[tokio::test]
async fn a_refused_field_is_changed_once_and_remembered_for_its_model() {
    let words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    let server = Server::start(vec![refusal(words), good()]).await;
    let provider = show::provider(&server.url);
    for _ in 0..2 {
        complete(&provider, &hello()).await.0.unwrap();
    }
    let mut other = hello();
    other.model = String::from("other");
    complete(&provider, &other).await.0.unwrap();
    let fields: Vec<bool> = server
        .seen()
        .iter()
        .map(|seen| seen.body.get("max_completion_tokens").is_some())
        .collect();
    assert_eq!(fields, [false, true, true, false]);
    assert_eq!(
        provider.quirks_for("m").max_tokens_field,
        MaxTokensField::MaxCompletionTokens
    );
}

#[tokio::test]
async fn several_refusals_are_learned_from_one_after_the_other() {
    let server = Server::start(vec![
        refusal("stream_options unsupported"),
        refusal("Unsupported value: 'temperature' does not support 0.5 with this model."),
        refusal("Conversation roles must alternate user/assistant"),
        good(),
    ])
    .await;
    let provider = show::provider(&server.url).with_quirks(bwana_llm::Quirks::default());
    let mut request = hello();
    request.temperature = Some(0.5);
    complete(&provider, &request).await.0.unwrap();
    let quirks = provider.quirks_for("m");
    assert!(!quirks.usage_option && quirks.omit.contains("temperature") && quirks.merge_same_role);
    let last = server.seen().pop().unwrap().body;
    assert!(
        last.get("stream_options").is_none() && last.get("temperature").is_none(),
        "{last}"
    );
}

#[tokio::test]
async fn a_provider_that_refuses_everything_is_asked_a_bounded_number_of_times() {
    let server = Server::start(vec![
        refusal("'max_tokens' is not supported, use 'max_completion_tokens' instead"),
        refusal("'max_completion_tokens' is not supported, use 'max_tokens' instead"),
        refusal("'max_tokens' is not supported, use 'max_completion_tokens' instead"),
    ])
    .await;
    let provider = show::provider(&server.url);
    let error = complete(&provider, &hello()).await.0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
    assert_eq!(server.seen().len(), 2);
    assert_eq!(
        provider.quirks_for("m").max_tokens_field,
        MaxTokensField::MaxTokens
    );
}

#[tokio::test]
async fn an_error_inside_an_answer_is_not_asked_again() {
    let body = event(r#"{"error":{"message":"stream_options unsupported","code":400}}"#);
    let server = Server::one(Reply::stream(body)).await;
    let error = complete(&show::provider(&server.url), &hello())
        .await
        .0
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_with_the_reason() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = complete(&show::provider(&url), &hello())
        .await
        .0
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.message.to_lowercase().contains("refused"), "{error}");
    assert!(error.message.starts_with("127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn what_is_no_http_server_is_named_as_such() {
    let banner = Reply(vec![Step::Send(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())]);
    let server = Server::one(banner).await;
    let error = complete(&show::provider(&server.url), &hello())
        .await
        .0
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Malformed);
    assert!(error.message.contains("does not speak HTTP"), "{error}");
}

#[tokio::test]
async fn tls_to_a_server_without_tls_is_unreachable() {
    let server = Server::one(good()).await;
    let url = server.url.replace("http://", "https://");
    let provider = show::provider(&url).with_limits(bwana_llm::Limits {
        connect: Duration::from_secs(2),
        ..bwana_llm::Limits::default()
    });
    let error = complete(&provider, &hello()).await.0.unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Timeout(_)),
        "{error:?}"
    );
    assert!(server.seen().is_empty(), "nothing was sent in the clear");
}

#[tokio::test]
async fn a_connection_that_breaks_keeps_what_was_said() {
    let said = [text("Hi "), text("there")].concat();
    let replies = [
        Reply::cut_stream(&said),
        Reply::stream_then(&said, vec![Step::Reset]),
    ];
    for reply in replies {
        let server = Server::one(reply).await;
        let answer = complete(&show::provider(&server.url), &hello()).await;
        let error = answer.0.as_ref().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted, "{error}");
        assert_eq!(error.partial.meta.status, Some(200));
        show::assert_deltas_add_up(&answer);
    }
    let server = Server::one(Reply::cut_stream(&said)).await;
    let answer = complete(&show::provider(&server.url), &hello()).await;
    assert_eq!(
        show::result(&answer.0),
        r#"Interrupted | text "Hi there" open"#
    );
    assert!(answer.0.unwrap_err().message.contains("in the middle"));
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once_interrupted_us() {
    let server = Server::one(Reply(vec![])).await;
    let error = complete(&show::provider(&server.url), &hello())
        .await
        .0
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted, "{error}");
}

#[tokio::test]
async fn dropping_the_call_hangs_up() {
    let mut server = Server::one(Reply::stream_then(&text("Hi"), vec![Step::Hang])).await;
    let provider = show::provider(&server.url);
    let request = hello();
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
    let mut sink = move |delta: Delta| {
        let _ = tx.send(delta);
    };
    {
        let call = provider.complete(&request, &mut sink);
        tokio::select! {
            result = call => panic!("the server never ends: {result:?}"),
            delta = rx.recv() => assert_eq!(delta, Some(Delta::Text(String::from("Hi")))),
        }
    }
    server.wait_for_hang_up().await;
}

#[tokio::test]
async fn a_test_of_the_connection_has_three_answers() {
    let server = Server::one(good()).await;
    let probe = show::provider(&server.url).probe(Some("m")).await;
    let Probe::Works {
        model, said, asked, ..
    } = probe
    else {
        panic!("{probe:?}");
    };
    assert_eq!((model.as_str(), said.as_str()), ("m", "ready"));
    assert!(
        asked.starts_with(&format!("POST {}/v1/chat/completions, model m", server.url)),
        "{asked}"
    );

    let body = r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#;
    let server = Server::one(Reply::status(401, JSON, body)).await;
    let probe = show::provider(&server.url).probe(Some("m")).await;
    let Probe::Rejected { kind, words, .. } = probe else {
        panic!("{probe:?}");
    };
    assert_eq!(kind, ErrorKind::Auth);
    assert!(words.contains("Incorrect API key provided"), "{words}");

    let probe = show::provider("http://127.0.0.1:1").probe(None).await;
    let Probe::Unreachable { cause, asked } = probe else {
        panic!("{probe:?}");
    };
    assert!(cause.contains("cannot be reached"), "{cause}");
    assert_eq!(asked, "GET http://127.0.0.1:1/v1/models");
}

#[tokio::test]
async fn a_test_without_a_model_takes_the_first_listed() {
    let list = r#"{"object":"list","data":[{"id":"first"},{"id":"second"}]}"#;
    let server = Server::start(vec![Reply::status(200, JSON, list), good()]).await;
    let probe = show::provider(&server.url).probe(None).await;
    assert!(
        matches!(&probe, Probe::Works { model, .. } if model == "first"),
        "{probe:?}"
    );
    let lines: Vec<String> = server.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["GET /v1/models", "POST /v1/chat/completions"]);

    let server = Server::one(Reply::status(200, JSON, r#"{"data":[]}"#)).await;
    let probe = show::provider(&server.url).probe(None).await;
    assert!(
        matches!(&probe, Probe::Rejected { words, .. } if words.contains("lists no models")),
        "{probe:?}"
    );
}

#[tokio::test]
async fn model_lists_of_all_shapes() {
    for (body, expected) in [
        (
            r#"{"data":[{"id":"a","context_length":8192},{"id":"b","meta":{"n_ctx":4096,"n_ctx_train":32768}},{"id":"c","max_model_len":0},{"nothing":1}]}"#,
            "a=8192 b=4096 c=?",
        ),
        (
            r#"{"models":[{"name":"a:latest"},{"model":"b"}]}"#,
            "a:latest=? b=?",
        ),
        (r#"["a",{"id":"b","context_window":99}]"#, "a=? b=99"),
    ] {
        let server = Server::one(Reply::status(200, JSON, body)).await;
        let models = show::provider(&server.url).models().await.unwrap();
        let shown: Vec<String> = models
            .iter()
            .map(|m| {
                format!(
                    "{}={}",
                    m.id,
                    m.context_tokens
                        .map_or(String::from("?"), |n| n.to_string())
                )
            })
            .collect();
        assert_eq!(shown.join(" "), expected);
        assert_eq!(server.seen()[0].line, "GET /v1/models");
    }
    for (reply, kind) in [
        (
            Reply::status(200, JSON, r#"{"status":"ok"}"#),
            ErrorKind::Malformed,
        ),
        (
            Reply::status(200, JSON, r#"{"data":[{"id":"a"#),
            ErrorKind::Interrupted,
        ),
        (
            Reply::status(200, JSON, r#"{"error":{"message":"Invalid API key"}}"#),
            ErrorKind::Auth,
        ),
        (
            Reply::status(404, JSON, r#"{"detail":"Not Found"}"#),
            ErrorKind::NotFound,
        ),
    ] {
        let server = Server::one(reply).await;
        let error = show::provider(&server.url).models().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("text {n}")).collect()
}

#[tokio::test]
async fn vectors_come_back_in_the_order_asked() {
    let body = r#"{"data":[{"index":1,"embedding":[0.5,-1]},{"index":0,"embedding":[[1,2]]}],"usage":{"prompt_tokens":6,"total_tokens":6}}"#;
    let server = Server::one(Reply::status(200, JSON, body)).await;
    let embedded = show::provider(&server.url)
        .embed("e", &texts(2))
        .await
        .unwrap();
    assert_eq!(embedded.vectors, [vec![1.0, 2.0], vec![0.5, -1.0]]);
    let usage = embedded.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (6, 0));
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /v1/embeddings");
    assert_eq!(
        seen.body,
        json!({"model": "e", "input": ["text 0", "text 1"], "encoding_format": "float"})
    );
}

#[tokio::test]
async fn many_texts_go_in_several_requests() {
    let batch = |count: usize| {
        let rows: Vec<_> = (0..count)
            .map(|n| json!({"index": n, "embedding": [n]}))
            .collect();
        Reply::status(
            200,
            JSON,
            json!({"data": rows, "usage": {"prompt_tokens": count}}).to_string(),
        )
    };
    let server = Server::start(vec![batch(64), batch(64), batch(2)]).await;
    let embedded = show::provider(&server.url)
        .embed("e", &texts(130))
        .await
        .unwrap();
    assert_eq!(embedded.vectors.len(), 130);
    assert_eq!(embedded.vectors[65], [1.0]);
    assert_eq!(embedded.usage.unwrap().input_tokens, 130);
    assert!(
        show::provider(&server.url)
            .embed("e", &[])
            .await
            .unwrap()
            .vectors
            .is_empty()
    );
}

#[tokio::test]
async fn vectors_that_do_not_fit_the_texts_are_refused() {
    for body in [
        r#"{"data":[{"index":0,"embedding":[1]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":7,"embedding":[1]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}"#,
        r#"{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}"#,
        r#"{"data":[{"index":0,"embedding":[[1],[2]]},{"index":1,"embedding":[[1]]}]}"#,
        r#"{"data":[{"index":0,"embedding":["x"]},{"index":1,"embedding":[1]}]}"#,
        r#"{"object":"list"}"#,
    ] {
        let server = Server::one(Reply::status(200, JSON, body)).await;
        let error = show::provider(&server.url)
            .embed("e", &texts(2))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed, "{body}: {error}");
    }
}

#[tokio::test]
async fn vectors_and_lists_that_stop_anywhere_were_interrupted() {
    let vectors = r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[0.5,-1]}]}"#;
    let list = r#"{"data":[{"id":"m","context_length":7}]}"#;
    let cut = |whole: &str| -> Vec<Reply> {
        let cut = |at: usize| Reply::status(200, JSON, &whole[..at]);
        (0..whole.len()).map(cut).collect()
    };
    let server = Server::start(cut(vectors)).await;
    let provider = show::provider(&server.url);
    for at in 0..vectors.len() {
        let error = provider.embed("e", &texts(2)).await.unwrap_err();
        assert_eq!(
            error.kind,
            ErrorKind::Interrupted,
            "cut at byte {at}: {error}"
        );
    }
    let server = Server::start(cut(list)).await;
    let provider = show::provider(&server.url);
    for at in 0..list.len() {
        let error = provider.models().await.unwrap_err();
        assert_eq!(
            error.kind,
            ErrorKind::Interrupted,
            "cut at byte {at}: {error}"
        );
    }
}
