//! Golden requests of the Ollama dialect, its lists and its vectors.

use bwana_llm::ollama::{Running, Tag, decode_running, decode_tags};
use bwana_llm::quirks::SchemaRule;
use bwana_llm::{Dialect, Ollama, Provider, Quirks};
use bwana_types::message::{Message, Part, Role, ToolCall};
use bwana_types::model::{ErrorKind, OutputSchema, Request, ToolChoice, ToolDecl};
use serde_json::{Value, json};

use crate::codec_cases::{ollama, provider};
use crate::server::{Reply, Server};
use crate::show::hello;

fn text(request: &Request, quirks: &Quirks) -> String {
    let encoded = Ollama.encode(request, quirks).unwrap();
    assert_eq!(encoded.path, "chat");
    String::from_utf8(encoded.body).unwrap()
}

fn body(request: &Request, quirks: &Quirks) -> Value {
    serde_json::from_str(&text(request, quirks)).unwrap()
}

fn call(id: &str, args: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "file.write".into(),
        args: args.into(),
        opaque: None,
    })
}

fn result(id: &str, content: &str, is_error: bool) -> Part {
    Part::ToolResult {
        id: id.into(),
        name: "file.write".into(),
        content: content.into(),
        is_error,
    }
}

fn tool(name: &str) -> ToolDecl {
    ToolDecl {
        name: name.to_owned(),
        description: format!("Does {name}."),
        parameters: json!({"type": "object", "properties": {"x": {"type": "integer"}}}),
    }
}

#[test]
fn the_smallest_request_byte_for_byte() {
    assert_eq!(
        text(&hello(), &Quirks::default()),
        r#"{"model":"m","messages":[{"role":"user","content":"Hello"}],"stream":true,"truncate":false,"shift":false,"options":{"num_predict":2048}}"#
    );
}

#[test]
fn everything_at_once() {
    let mut request = Request::new(
        "m",
        vec![
            Message::text(Role::System, "Be brief."),
            Message::new(
                Role::User,
                vec![
                    Part::text("What is this?"),
                    Part::Image {
                        mime: String::from("image/png"),
                        data: "QUJD".into(),
                    },
                    Part::text("And why?"),
                ],
            ),
            Message::new(
                Role::Assistant,
                vec![
                    Part::Reasoning {
                        text: "hm".into(),
                        opaque: None,
                    },
                    Part::text("I write it down."),
                    call("call_0", r#"{ "b":1, "a":2 }"#),
                    call("call_1", "{\"x\":"),
                ],
            ),
            Message::new(
                Role::Tool,
                vec![
                    result("call_1", "disk full", true),
                    result("call_0", "ok", false),
                ],
            ),
            Message::text(Role::User, "And now?"),
        ],
    );
    request.tools = vec![tool("file.write")];
    request.max_output_tokens = 300;
    request.temperature = Some(0.2);
    request.seed = Some(7);
    request.stop = vec![String::from("END")];
    request.extra.insert(String::from("think"), json!(true));
    let options = json!({"top_k": 40, "seed": 8});
    request.extra.insert(String::from("options"), options);
    let quirks = Quirks {
        echo_reasoning: Some(String::from("thinking")),
        num_ctx: Some(8_192),
        ..Quirks::default()
    };
    assert_eq!(
        body(&request, &quirks),
        json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is this?\n\nAnd why?", "images": ["QUJD"]},
                {"role": "assistant", "content": "I write it down.", "thinking": "hm", "tool_calls": [
                    {"id": "call_0", "function": {"name": "file_write", "arguments": {"b": 1, "a": 2}}},
                    {"id": "call_1", "function": {"name": "file_write", "arguments": {"unreadable_arguments": "{\"x\":"}}}]},
                {"role": "tool", "content": "ok", "tool_name": "file_write", "tool_call_id": "call_0"},
                {"role": "tool", "content": "Error: disk full", "tool_name": "file_write", "tool_call_id": "call_1"},
                {"role": "user", "content": "And now?"},
            ],
            "stream": true,
            "truncate": false,
            "shift": false,
            "tools": [{"type": "function", "function": {
                "name": "file_write", "description": "Does file.write.", "parameters": tool("x").parameters}}],
            "options": {"num_predict": 300, "num_ctx": 8192, "temperature": 0.2, "seed": 8, "stop": ["END"], "top_k": 40},
            "think": true,
        })
    );
    let sent = text(&request, &quirks);
    assert!(sent.contains(r#""arguments":{ "b":1, "a":2 }"#), "{sent}");
    let sent = text(&request, &Quirks::default());
    assert!(
        !sent.contains("thinking"),
        "thoughts stay here unless wanted"
    );
}

#[test]
fn the_answer_is_asked_for_in_the_form_the_server_takes() {
    let mut request = hello();
    let schema = json!({"type": "object", "properties": {"x": {"type": "integer"}}});
    request.schema = Some(OutputSchema {
        name: String::from("a"),
        schema: schema.clone(),
    });
    let format = |schema| {
        let quirks = Quirks {
            schema,
            ..Quirks::default()
        };
        body(&request, &quirks)["format"].clone()
    };
    assert_eq!(format(SchemaRule::Strict), schema);
    assert_eq!(format(SchemaRule::Plain), schema);
    assert_eq!(format(SchemaRule::JsonObject), json!("json"));
    assert_eq!(format(SchemaRule::Prompt), Value::Null);
}

#[test]
fn a_choice_of_tools_is_said_by_what_is_offered() {
    let mut request = hello();
    request.tools = vec![tool("a"), tool("b")];
    let mut offered = |choice: ToolChoice| {
        request.tool_choice = choice;
        let sent = body(&request, &Quirks::default());
        sent["tools"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(offered(ToolChoice::Auto), 2);
    assert_eq!(offered(ToolChoice::Required), 2);
    assert_eq!(offered(ToolChoice::Named(String::from("b"))), 1);
    assert_eq!(offered(ToolChoice::None), 0);
}

#[test]
fn a_model_name_is_never_interpreted() {
    for name in ["qwen3:0.6b", "hf.co/a/b:Q4_K_M", "x-max", "a::b", "~ü "] {
        let mut request = hello();
        request.model = name.to_owned();
        assert_eq!(body(&request, &Quirks::default())["model"], json!(name));
    }
    let mut request = hello();
    request.model.clear();
    let error = Ollama.encode(&request, &Quirks::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
}

#[test]
fn models_are_listed_with_their_sizes() {
    let body = br#"{"models":[
        {"name":"llama3.2:latest","model":"llama3.2:latest","modified_at":"2026-05-04T17:37:44.706015396-07:00","size":3826793472,"digest":"ab","details":{"format":"gguf","family":"llama","families":null,"parameter_size":"3.2B","quantization_level":"Q4_K_M"}},
        {"name":"gpt-oss:120b-cloud","model":"gpt-oss:120b-cloud","size":384,"details":{"parameter_size":""}},
        {"nothing":true}]}"#;
    let tags = decode_tags(body).unwrap();
    assert_eq!(
        tags,
        [
            Tag {
                name: String::from("llama3.2:latest"),
                size_bytes: Some(3_826_793_472),
                parameters: Some(String::from("3.2B")),
                quantization: Some(String::from("Q4_K_M")),
            },
            Tag {
                name: String::from("gpt-oss:120b-cloud"),
                size_bytes: Some(384),
                parameters: None,
                quantization: None,
            },
        ]
    );
    let models = Ollama.decode_models(body).unwrap();
    assert_eq!(models[0].id, "llama3.2:latest");
    assert_eq!(models.len(), 2);
    assert_eq!(decode_tags(br#"{"models":null}"#).unwrap(), []);
    assert_eq!(decode_tags(br#"{"models":[]}"#).unwrap(), []);
    for (body, kind) in [
        (r#"{"data":[]}"#, ErrorKind::Malformed),
        ("[]", ErrorKind::Malformed),
        ("<html>", ErrorKind::Malformed),
        (r#"{"error":"unauthorized"}"#, ErrorKind::BadRequest),
    ] {
        let error = decode_tags(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind, kind, "{body}");
    }
}

#[test]
fn the_context_a_model_really_has_is_told_by_the_server() {
    let body = br#"{"models":[
        {"name":"gemma3","model":"gemma3","size":6591830464,"digest":"a2","expires_at":"2026-10-17T16:47:07Z","size_vram":5333539264,"context_length":4096},
        {"name":"old","size":7}]}"#;
    let running = |name: &str, context_tokens, size_bytes| Running {
        name: name.to_owned(),
        context_tokens,
        size_bytes: Some(size_bytes),
    };
    assert_eq!(
        decode_running(body).unwrap(),
        [
            running("gemma3", Some(4_096), 6_591_830_464),
            running("old", None, 7)
        ]
    );
    assert!(decode_running(b"{}").is_err());
}

#[test]
fn a_form_the_server_does_not_take_is_asked_for_more_weakly() {
    let body =
        r#"{"error":"invalid format: \"x\"; expected \"json\" or a valid JSON Schema object"}"#;
    let error = Ollama.error(400, body.as_bytes());
    let mut quirks = Quirks::default();
    for schema in [SchemaRule::JsonObject, SchemaRule::Prompt] {
        quirks = Ollama.adapt(&error, &quirks).unwrap();
        assert_eq!(quirks.schema, schema);
    }
    assert_eq!(Ollama.adapt(&error, &quirks), None);
}

#[test]
fn vectors_match_the_texts_or_are_refused() {
    let texts = [String::from("a"), String::from("b")];
    let asked = Ollama.encode_embed("e", &texts).unwrap();
    assert_eq!(asked.path, "embed");
    assert_eq!(
        serde_json::from_slice::<Value>(&asked.body).unwrap(),
        json!({"model": "e", "input": ["a", "b"]})
    );
    let answer = r#"{"model":"e","embeddings":[[1,0],[0,1]],"total_duration":14143917,"prompt_eval_count":8}"#;
    let read = Ollama.decode_embed(answer.as_bytes(), 2).unwrap();
    assert_eq!(read.vectors, [[1.0, 0.0], [0.0, 1.0]]);
    assert_eq!(read.usage.unwrap().input_tokens, 8);
    for (body, kind) in [
        (answer, ErrorKind::Malformed), // for three texts
        (r#"{"embeddings":[[1],[1,2],[3]]}"#, ErrorKind::Malformed),
        (r#"{"embeddings":[[],[],[]]}"#, ErrorKind::Malformed),
        (r#"{"error":"model 'e' not found"}"#, ErrorKind::NotFound),
    ] {
        let error = Ollama.decode_embed(body.as_bytes(), 3).unwrap_err();
        assert_eq!(error.kind, kind, "{body}");
    }
}

#[test]
fn roles_in_the_wrong_order_are_learned_from() {
    let body = r#"{"error":"Conversation roles must alternate user/assistant/user/assistant/..."}"#;
    let error = Ollama.error(500, body.as_bytes());
    let quirks = Ollama.adapt(&error, &Quirks::default()).unwrap();
    assert!(quirks.merge_same_role);
}

#[tokio::test]
async fn the_connection_test_and_the_lists_use_the_servers_own_paths() {
    let dialect = ollama().dialect;
    let tags = r#"{"models":[{"name":"m","size":7}]}"#;
    let line = r#"{"message":{"content":"ready"},"done":true,"done_reason":"stop"}"#;
    let vectors = r#"{"embeddings":[[1]]}"#;
    let json = "content-type: application/json";
    let server = Server::start(vec![
        Reply::status(200, json, tags),
        Reply::status(200, "content-type: application/x-ndjson", line),
        Reply::status(200, json, vectors),
    ])
    .await;
    let provider = provider(&dialect, &server.url);
    let probe = provider.probe(None).await;
    let shown = format!("{probe:?}");
    assert!(
        shown.contains("Works") && shown.contains("ready"),
        "{shown}"
    );
    provider.embed("m", &[String::from("a")]).await.unwrap();
    let lines: Vec<String> = server.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        lines,
        ["GET /api/tags", "POST /api/chat", "POST /api/embed"]
    );
}
