//! Golden requests: exactly what goes onto the wire for what is asked, where it goes, and how refusals change it.

use std::sync::Arc;

use bwana_llm::quirks::SchemaRule;
use bwana_llm::{Anthropic, Dialect, Endpoint, Provider, Quirks};
use bwana_types::message::{Message, Opaque, Part, Role, ToolCall};
use bwana_types::model::{ErrorKind, OutputSchema, Request, ToolChoice, ToolDecl};
use bwana_types::secret::Secret;
use serde_json::{Value, json};

use super::cases;
use crate::server::{Reply, Server};
use crate::show::{self, complete, hello};

const KEY: &str = "sk-ant-0123456789abcdef";

fn preset() -> Quirks {
    let endpoint = Endpoint::new("https://api.anthropic.com", "v1").unwrap();
    Quirks::for_dialect(&endpoint, "anthropic")
}

/// Without the marks for the cache, which one test looks at.
fn unmarked() -> Quirks {
    Quirks {
        prompt_cache: false,
        ..preset()
    }
}

fn body(request: &Request, quirks: &Quirks) -> Value {
    let encoded = Anthropic.encode(request, quirks).unwrap();
    assert_eq!(encoded.path, "messages");
    serde_json::from_slice(&encoded.body).unwrap()
}

fn messages(messages: Vec<Message>) -> Value {
    body(&Request::new("m", messages), &unmarked())["messages"].clone()
}

fn tool(name: &str) -> ToolDecl {
    ToolDecl {
        name: name.to_owned(),
        description: format!("Does {name}."),
        parameters: json!({"type": "object", "properties": {"x": {"type": "integer", "minimum": 1}}, "required": ["x"]}),
    }
}

fn call(id: &str, name: &str, args: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
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

fn thought(dialect: &str, model: &str, data: Value) -> Part {
    Part::Reasoning {
        text: "hm".into(),
        opaque: Some(Opaque {
            dialect: dialect.to_owned(),
            model: model.to_owned(),
            data,
        }),
    }
}

#[test]
fn the_smallest_request_byte_for_byte() {
    let encoded = Anthropic.encode(&hello(), &unmarked()).unwrap();
    assert_eq!(
        String::from_utf8(encoded.body).unwrap(),
        r#"{"model":"m","max_tokens":2048,"messages":[{"role":"user","content":[{"type":"text","text":"Hello"}]}],"stream":true}"#
    );
}

#[test]
fn a_model_name_is_never_interpreted() {
    for name in [
        "claude-x-max",
        "hf.co/foo/bar-none",
        "a::b",
        "x:free",
        "~ü ",
    ] {
        let mut request = hello();
        request.model = name.to_owned();
        assert_eq!(body(&request, &preset())["model"], name);
    }
    let mut request = hello();
    request.model.clear();
    let error = Anthropic.encode(&request, &preset()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
}

fn everything() -> Request {
    let mut request = Request::new(
        "m",
        vec![
            Message::text(Role::System, "Be brief."),
            Message::text(Role::System, "Be kind."),
            Message::new(
                Role::User,
                vec![
                    Part::text("What is this?"),
                    Part::Image {
                        mime: String::from("image/png"),
                        data: "QUJD".into(),
                    },
                ],
            ),
            Message::new(
                Role::Assistant,
                vec![
                    Part::text("I write it down."),
                    call("toolu_1", "file.write", r#"{"x": 1}"#),
                    call("functions.f:2", "file.write", ""),
                ],
            ),
            Message::new(
                Role::Tool,
                vec![
                    result("functions.f:2", "disk full", true),
                    result("toolu_1", "ok", false),
                ],
            ),
            Message::text(Role::User, "And now?"),
        ],
    );
    request.tools = vec![tool("file.write"), tool("http.get")];
    request.tool_choice = ToolChoice::Named(String::from("http.get"));
    request.max_output_tokens = 300;
    request.temperature = Some(0.2);
    request.seed = Some(7);
    request.stop = vec![String::from("END")];
    request.extra.insert(String::from("top_k"), json!(40));
    request
}

#[test]
fn everything_at_once() {
    let sent = body(&everything(), &preset());
    let id = sent["messages"][1]["content"][2]["id"].clone();
    let text = id.as_str().unwrap();
    assert!(text.starts_with("functionsf2_"), "{text}");
    let schema = json!({"type": "object", "properties": {"x": {"type": "integer", "minimum": 1}}, "required": ["x"]});
    let mark = json!({"type": "ephemeral"});
    assert_eq!(
        sent,
        json!({
            "model": "m",
            "max_tokens": 300,
            "system": [
                {"type": "text", "text": "Be brief."},
                {"type": "text", "text": "Be kind.", "cache_control": mark}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}]},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "I write it down."},
                    {"type": "tool_use", "id": "toolu_1", "name": "file_write", "input": {"x": 1}},
                    {"type": "tool_use", "id": id, "name": "file_write", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"},
                    {"type": "tool_result", "tool_use_id": id, "content": "disk full", "is_error": true},
                    {"type": "text", "text": "And now?", "cache_control": mark}]}
            ],
            "stream": true,
            "temperature": 0.2,
            "stop_sequences": ["END"],
            "tools": [
                {"name": "file_write", "description": "Does file.write.", "input_schema": schema},
                {"name": "http_get", "description": "Does http.get.", "input_schema": schema, "cache_control": mark}],
            "tool_choice": {"type": "tool", "name": "http_get"},
            "top_k": 40
        })
    );
}

#[test]
fn marks_for_the_cache_can_be_left_out() {
    let sent = body(&everything(), &unmarked()).to_string();
    assert!(!sent.contains("cache_control"), "{sent}");
}

#[test]
fn tool_choices() {
    let choice = |choice: ToolChoice, parallel: Option<bool>| {
        let mut request = hello();
        request.tools = vec![tool("f")];
        request.tool_choice = choice;
        let quirks = Quirks {
            parallel_tool_calls: parallel,
            ..preset()
        };
        body(&request, &quirks)["tool_choice"].clone()
    };
    assert_eq!(choice(ToolChoice::Auto, None), Value::Null);
    assert_eq!(choice(ToolChoice::None, None), json!({"type": "none"}));
    assert_eq!(choice(ToolChoice::Required, None), json!({"type": "any"}));
    assert_eq!(
        choice(ToolChoice::Auto, Some(false)),
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    let mut request = hello();
    request.tool_choice = ToolChoice::Required;
    assert_eq!(body(&request, &preset())["tool_choice"], Value::Null);
}

#[test]
fn thoughts_go_back_byte_for_byte_and_only_where_they_came_from() {
    let block = json!({"type": "thinking", "thinking": "hm", "signature": "EqQBCgIYAhIM+/=="});
    let redacted = json!({"type": "redacted_thinking", "data": "EmwKAhgB"});
    let said = |parts: Vec<Part>| messages(vec![Message::new(Role::Assistant, parts)])[1].clone();
    let own = |data: &Value| thought("anthropic", "m", data.clone());
    assert_eq!(
        said(vec![own(&block), own(&redacted), call("c", "f", "{}")])["content"],
        json!([block, redacted, {"type": "tool_use", "id": "c", "name": "f", "input": {}}])
    );
    for stranger in [
        thought("anthropic", "other", block.clone()),
        thought("gemini", "m", block.clone()),
        Part::Reasoning {
            text: "hm".into(),
            opaque: None,
        },
    ] {
        assert_eq!(
            said(vec![stranger, Part::text("Hi")])["content"],
            json!([{"type": "text", "text": "Hi"}])
        );
    }
    // A message must not end with a thought, nor be nothing else.
    assert_eq!(
        said(vec![Part::text("Hi"), own(&block)])["content"],
        json!([{"type": "text", "text": "Hi"}])
    );
    assert_eq!(said(vec![own(&block)])["role"], Value::Null);
}

#[test]
fn an_answer_to_be_continued_ends_without_blanks() {
    let request = Request::new(
        "m",
        vec![Message::text(Role::Assistant, "I was about to \n")],
    );
    let quirks = Quirks {
        user_speaks_last: false,
        ..unmarked()
    };
    assert_eq!(
        body(&request, &quirks)["messages"][1]["content"],
        json!([{"type": "text", "text": "I was about to"}])
    );
}

#[test]
fn what_an_answer_held_goes_back_as_it_came() {
    let all = cases();
    let case = all
        .iter()
        .find(|case| case.name.starts_with("thoughts between"));
    let request = hello();
    let context = Anthropic.encode(&request, &unmarked()).unwrap().context;
    let (answer, _) = show::through(
        &Anthropic,
        [case.unwrap().body.as_bytes()],
        &context,
        &bwana_llm::Limits::default(),
    );
    let mut history = request.messages.clone();
    history.push(Message::new(Role::Assistant, answer.unwrap().parts));
    let sent = messages(history);
    assert_eq!(
        sent[1]["content"],
        json!([
            {"type": "thinking", "thinking": "a", "signature": "s1"},
            {"type": "text", "text": "One."},
            {"type": "thinking", "thinking": "b", "signature": "s2"},
            {"type": "tool_use", "id": "c", "name": "f", "input": {}}])
    );
    let answered = &sent[2]["content"][0];
    assert_eq!(answered["tool_use_id"], "c");
    assert_eq!(answered["is_error"], true);
}

#[test]
fn a_broken_conversation_is_mended_on_the_wire() {
    let sent = messages(vec![
        Message::text(Role::Assistant, "I begin.  "),
        Message::text(Role::System, "Late rule."),
        Message::text(Role::User, " \n"),
        Message::new(
            Role::Assistant,
            vec![Part::text("\n"), call("a", "f", r#"{"x":"#)],
        ),
        Message::text(Role::User, "Stop."),
        Message::new(Role::Tool, vec![result("nobody", "?", false)]),
        Message::text(Role::Assistant, "I was about to \n"),
    ]);
    assert_eq!(
        sent,
        json!([
            {"role": "user", "content": [{"type": "text", "text": "Begin."}]},
            {"role": "assistant", "content": [{"type": "text", "text": "I begin.  "}]},
            {"role": "user", "content": [{"type": "text", "text": "Late rule."}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"unreadable_arguments": "{\"x\":"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "No result: the call was not run, or was interrupted.", "is_error": true},
                {"type": "text", "text": "Stop."}]},
            {"role": "assistant", "content": [{"type": "text", "text": "I was about to \n"}]},
            {"role": "user", "content": [{"type": "text", "text": "Go on."}]}
        ])
    );
    let hidden = messages(vec![
        Message::text(Role::User, "  "),
        Message::text(Role::Assistant, "Hi"),
    ]);
    assert_eq!(hidden[0]["content"][0]["text"], "Begin.");
    let blank = messages(vec![
        Message::new(Role::Assistant, vec![call("a", "f", "{}")]),
        Message::new(Role::Tool, vec![result("a", "  ", false)]),
    ]);
    assert_eq!(blank[2]["content"][0]["content"], "(no output)");
}

fn with_schema(schema: Value) -> Request {
    let mut request = hello();
    request.schema = Some(OutputSchema {
        name: String::from("score"),
        schema,
    });
    request
}

#[test]
fn structured_output_and_what_it_cannot_say() {
    let schema = json!({"type": "object", "properties": {
        "score": {"type": "integer", "minimum": 1, "maximum": 10}, "why": {"type": "string", "maxLength": 99}}, "required": ["score"]});
    let request = with_schema(schema.clone());
    let encoded = Anthropic.encode(&request, &preset()).unwrap();
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(
        sent["output_config"],
        json!({"format": {"type": "json_schema", "schema": {"type": "object", "properties": {
            "score": {"type": "integer", "description": "maximum: 10, minimum: 1"},
            "why": {"type": "string", "description": "maxLength: 99"}}, "required": ["score"], "additionalProperties": false}}})
    );
    // What was left out is kept with the reply, and the schema as it was given is what the answer is held against.
    assert_eq!(encoded.context.relaxed.output, Some(schema.clone()));
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(!validator.is_valid(&json!({"score": 11})));

    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    for (request, quirks) in [
        (with_schema(map), preset()),
        (
            with_schema(schema),
            Quirks {
                schema: SchemaRule::Prompt,
                ..preset()
            },
        ),
    ] {
        let sent = body(&request, &quirks);
        assert_eq!(sent["output_config"], Value::Null);
        let said = sent["system"][0]["text"].as_str().unwrap();
        let schema = request.schema.unwrap().schema.to_string();
        assert!(said.contains("JSON") && said.contains(&schema), "{said}");
    }
}

#[test]
fn settings_of_the_caller_join_ours() {
    let mut request =
        with_schema(json!({"type": "object", "properties": {"a": {"type": "string"}}}));
    let effort = json!({"effort": "low"});
    request.extra.insert(String::from("output_config"), effort);
    request.extra.insert(
        String::from("thinking"),
        json!({"type": "enabled", "budget_tokens": 1024}),
    );
    let encoded = Anthropic.encode(&request, &preset()).unwrap();
    let text = String::from_utf8(encoded.body).unwrap();
    assert_eq!(text.matches("output_config").count(), 1, "{text}");
    let sent: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(sent["output_config"]["effort"], "low");
    assert_eq!(sent["output_config"]["format"]["type"], "json_schema");
    assert_eq!(sent["thinking"]["budget_tokens"], 1024);
}

#[test]
fn strict_tools_where_it_changes_nothing() {
    let mut request = hello();
    request.tools = vec![
        tool("f"),
        ToolDecl {
            parameters: json!({"properties": {"m": {"type": "object", "additionalProperties": true}}, "anyOf": [{"required": ["m"]}, {}]}),
            ..tool("g")
        },
    ];
    let quirks = Quirks {
        strict_tools: true,
        ..unmarked()
    };
    let encoded = Anthropic.encode(&request, &quirks).unwrap();
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(sent["tools"][0]["strict"], true);
    let x = &sent["tools"][0]["input_schema"]["properties"]["x"];
    assert_eq!(*x, json!({"type": "integer", "description": "minimum: 1"}));
    assert_eq!(sent["tools"][1]["strict"], Value::Null);
    assert_eq!(
        sent["tools"][1]["input_schema"],
        json!({"type": "object", "properties": {"m": {"type": "object", "additionalProperties": true}}})
    );
    assert!(encoded.context.relaxed.tools.contains_key("f"));
}

fn good() -> Reply {
    let all = cases();
    let case = all.iter().find(|case| case.name == "text in pieces");
    Reply::stream(&case.unwrap().body)
}

fn refusal(message: &str) -> Reply {
    let body =
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}});
    Reply::status(400, "content-type: application/json", body.to_string())
}

#[tokio::test]
async fn a_request_goes_to_the_right_place_with_the_key_in_one_header() {
    for suffix in ["", "/v1/", "/v1/messages"] {
        let server = Server::one(good()).await;
        let provider = show::provider_of(&format!("{}{suffix}", server.url), Arc::new(Anthropic))
            .with_secret(Some(Secret::new(String::from(KEY))));
        complete(&provider, &hello()).await.0.unwrap();
        let seen = &server.seen()[0];
        assert_eq!(seen.line, "POST /v1/messages");
        assert_eq!(seen.header("x-api-key"), Some(KEY));
        assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
        let keys = seen.headers.iter().filter(|(_, value)| value.contains(KEY));
        assert_eq!(keys.count(), 1);
    }
}

#[tokio::test]
async fn refused_fields_are_learned() {
    let mut request =
        with_schema(json!({"type": "object", "properties": {"a": {"type": "string"}}}));
    request.temperature = Some(0.5);
    request.tools = vec![tool("f")];
    let server = Server::start(vec![
        refusal("output_config: Extra inputs are not permitted"),
        refusal("tools.0.custom.cache_control: Extra inputs are not permitted"),
        refusal("`temperature` is not supported with this model"),
        good(),
    ])
    .await;
    let provider = show::provider_of(&server.url, Arc::new(Anthropic)).with_quirks(preset());
    complete(&provider, &request).await.0.unwrap();
    let seen = server.seen();
    assert!(seen[0].body["output_config"].is_object());
    assert!(seen[1].body["output_config"].is_null());
    assert!(seen[1].body.to_string().contains("cache_control"));
    assert!(!seen[2].body.to_string().contains("cache_control"));
    assert_eq!(seen[2].body["temperature"], 0.5);
    assert!(seen[3].body["temperature"].is_null());
    assert_eq!(provider.quirks_for("m").schema, SchemaRule::Prompt);
}

#[tokio::test]
async fn a_schema_too_large_for_a_grammar_is_asked_for_in_words() {
    let request = with_schema(json!({"type": "object", "properties": {"a": {"type": "string"}}}));
    let server = Server::start(vec![
        refusal("Schemas contains too many optional parameters (30), which would make grammar compilation inefficient."),
        good(),
    ])
    .await;
    let provider = show::provider_of(&server.url, Arc::new(Anthropic)).with_quirks(preset());
    complete(&provider, &request).await.0.unwrap();
    assert!(server.seen()[1].body["output_config"].is_null());
}

#[tokio::test]
async fn models_are_listed_and_vectors_are_not_to_be_had() {
    let list = r#"{"data":[{"type":"model","id":"a-1","display_name":"A","max_input_tokens":200000},
        {"type":"model","id":"old","lifecycle":"retired"},{"id":"b-2","max_input_tokens":null}],"has_more":false}"#;
    let server = Server::one(Reply::status(200, "content-type: application/json", list)).await;
    let provider = show::provider_of(&server.url, Arc::new(Anthropic));
    let models = provider.models().await.unwrap();
    let shown: Vec<_> = models
        .iter()
        .map(|m| (m.id.as_str(), m.context_tokens))
        .collect();
    assert_eq!(shown, [("a-1", Some(200_000)), ("b-2", None)]);
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "GET /v1/models?limit=1000");
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    let texts = [String::from("x")];
    let error = provider.embed("m", &texts).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
    assert!(error.message.contains("no embeddings"), "{error}");
    assert_eq!(server.seen().len(), 1);
}
