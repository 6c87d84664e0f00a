//! Golden requests: exactly what goes onto the wire for what is asked, and how quirks change it.

use bwana_llm::quirks::{IdRule, MaxTokensField, SchemaRule, SystemRule};
use bwana_llm::{Dialect, OpenAiChat, Quirks};
use bwana_types::message::{Message, Opaque, Part, Role, ToolCall};
use bwana_types::model::{ErrorKind, OutputSchema, Request, ToolChoice, ToolDecl};
use serde_json::{Value, json};

use crate::show::hello;

fn body(request: &Request, quirks: &Quirks) -> Value {
    let encoded = OpenAiChat.encode(request, quirks).unwrap();
    assert_eq!(encoded.path, "chat/completions");
    serde_json::from_slice(&encoded.body).unwrap()
}

#[track_caller]
fn check(request: &Request, quirks: &Quirks, expected: &Value) {
    assert_eq!(body(request, quirks), *expected);
}

/// The field of a body under some quirks.
#[track_caller]
fn check_field(request: &Request, quirks: &Quirks, field: &str, expected: &Value) {
    assert_eq!(body(request, quirks)[field], *expected);
}

fn tool(name: &str) -> ToolDecl {
    ToolDecl {
        name: name.to_owned(),
        description: format!("Does {name}."),
        parameters: json!({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}),
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

#[test]
fn the_smallest_request_byte_for_byte() {
    let encoded = OpenAiChat.encode(&hello(), &Quirks::default()).unwrap();
    assert_eq!(
        String::from_utf8(encoded.body).unwrap(),
        r#"{"model":"m","messages":[{"role":"user","content":"Hello"}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":2048}"#
    );
}

#[test]
fn a_model_name_is_never_interpreted() {
    for name in [
        "qwen-max",
        "mymodel-low",
        "hf.co/foo/bar-none",
        "a::b",
        "x:free",
        "y:1.5b",
        "~ü ",
    ] {
        let mut request = hello();
        request.model = name.to_owned();
        check_field(&request, &Quirks::default(), "model", &json!(name));
    }
    let mut request = hello();
    request.model.clear();
    let error = OpenAiChat.encode(&request, &Quirks::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
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
                    call("call_1", "file.write", r#"{"x":1}"#),
                    call("call_2", "file.write", ""),
                ],
            ),
            Message::new(
                Role::Tool,
                vec![
                    result("call_2", "disk full", true),
                    result("call_1", "ok", false),
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
    check(
        &request,
        &Quirks::default(),
        &json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]},
                {"role": "assistant", "content": "I write it down.", "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "file_write", "arguments": "{\"x\":1}"}},
                    {"id": "call_2", "type": "function", "function": {"name": "file_write", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "call_1", "content": "ok"},
                {"role": "tool", "tool_call_id": "call_2", "content": "Error: disk full"},
                {"role": "user", "content": "And now?"}
            ],
            "stream": true,
            "stream_options": {"include_usage": true},
            "max_tokens": 300,
            "temperature": 0.2,
            "seed": 7,
            "stop": ["END"],
            "tools": [
                {"type": "function", "function": {"name": "file_write", "description": "Does file.write.",
                    "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}},
                {"type": "function", "function": {"name": "http_get", "description": "Does http.get.",
                    "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}}
            ],
            "tool_choice": {"type": "function", "function": {"name": "http_get"}},
            "top_k": 40
        }),
    );
}

#[test]
fn tool_choices() {
    let quirks = Quirks::default();
    let mut request = hello();
    request.tool_choice = ToolChoice::Required;
    check_field(&request, &quirks, "tool_choice", &Value::Null);
    request.tools = vec![tool("f")];
    check_field(&request, &quirks, "tool_choice", &json!("required"));
    request.tool_choice = ToolChoice::None;
    check_field(&request, &quirks, "tool_choice", &json!("none"));
    request.tool_choice = ToolChoice::Auto;
    check_field(&request, &quirks, "tool_choice", &Value::Null);
}

#[test]
fn quirks_choose_fields() {
    let mut request = hello();
    request.temperature = Some(1.0);
    request.seed = Some(1);
    request.tools = vec![tool("f")];
    let quirks = Quirks {
        max_tokens_field: MaxTokensField::MaxCompletionTokens,
        usage_option: false,
        omit: [String::from("temperature")].into(),
        parallel_tool_calls: Some(false),
        effort_with_tools: Some(String::from("none")),
        ..Quirks::default()
    };
    let body = body(&request, &quirks);
    assert_eq!(body["max_completion_tokens"], 2048);
    assert_eq!(body["parallel_tool_calls"], false);
    assert_eq!(body["reasoning_effort"], "none");
    assert_eq!(body["seed"], 1);
    for absent in ["max_tokens", "stream_options", "temperature"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn what_the_caller_adds_wins() {
    let mut request = hello();
    request.extra.insert(String::from("max_tokens"), json!(5));
    let encoded = OpenAiChat.encode(&request, &Quirks::default()).unwrap();
    let text = String::from_utf8(encoded.body).unwrap();
    assert_eq!(text.matches("max_tokens").count(), 1, "{text}");
    assert!(text.contains(r#""max_tokens":5"#));
}

#[test]
fn structured_output_in_every_form() {
    let mut request = hello();
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]});
    request.schema = Some(OutputSchema {
        name: String::from("next speaker"),
        schema: schema.clone(),
    });
    let with = |schema| Quirks {
        schema,
        ..Quirks::default()
    };
    check_field(
        &request,
        &with(SchemaRule::Plain),
        "response_format",
        &json!({"type": "json_schema", "json_schema": {"name": "next_speaker", "schema": schema}}),
    );
    check_field(
        &request,
        &with(SchemaRule::Strict),
        "response_format",
        &json!({"type": "json_schema", "json_schema": {"name": "next_speaker", "strict": true, "schema":
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"]}},
             "required": ["a", "b"], "additionalProperties": false}}}),
    );
    check_field(
        &request,
        &with(SchemaRule::JsonObject),
        "response_format",
        &json!({"type": "json_object"}),
    );
    check_field(
        &request,
        &with(SchemaRule::Prompt),
        "response_format",
        &Value::Null,
    );
    for rule in [SchemaRule::JsonObject, SchemaRule::Prompt] {
        let messages = body(&request, &with(rule))["messages"].clone();
        let said = messages[0]["content"].as_str().unwrap();
        assert!(
            said.contains("JSON") && said.contains(&schema.to_string()),
            "{said}"
        );
        assert_eq!(messages[1]["content"], "Hello");
    }
    // A map of anything cannot be said strictly, so it is said plainly.
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    request.schema.as_mut().unwrap().schema = map.clone();
    check_field(
        &request,
        &with(SchemaRule::Strict),
        "response_format",
        &json!({"type": "json_schema", "json_schema": {"name": "next_speaker", "schema": map}}),
    );
}

#[test]
fn nulls_strict_mode_asked_for_leave_the_answer() {
    let mut request = hello();
    request.schema = Some(OutputSchema {
        name: String::from("x"),
        schema: json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]}),
    });
    request.tools = vec![ToolDecl {
        parameters: json!({"type": "object", "properties": {"p": {"type": "string"}}}),
        ..tool("file.write")
    }];
    let quirks = Quirks {
        schema: SchemaRule::Strict,
        strict_tools: true,
        ..Quirks::default()
    };
    let encoded = OpenAiChat.encode(&request, &quirks).unwrap();
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(sent["tools"][0]["function"]["strict"], true);
    let reply = json!({"choices": [{"message": {
        "content": r#"{"a":"x","b":null}"#,
        "tool_calls": [{"id": "c", "function": {"name": "file_write", "arguments": r#"{"p":null}"#}}]}, "finish_reason": "tool_calls"}]});
    let (answer, _) = crate::show::codec(200, reply.to_string().as_bytes(), &encoded.context);
    assert_eq!(
        crate::show::result(&answer),
        r#"text "{\"a\":\"x\"}" call c:file.write:{} stop=ToolCalls"#
    );
}

#[test]
fn reasoning_goes_back_only_where_it_came_from() {
    let thought = |dialect: &str, model: &str| {
        Message::new(
            Role::Assistant,
            vec![
                Part::Reasoning {
                    text: "hm".into(),
                    opaque: Some(Opaque {
                        dialect: dialect.to_owned(),
                        model: model.to_owned(),
                        data: json!([{"type": "reasoning.encrypted", "data": "QQ=="}]),
                    }),
                },
                Part::text("Hi"),
            ],
        )
    };
    let echo = Quirks {
        echo_reasoning: Some(String::from("reasoning_content")),
        ..Quirks::default()
    };
    let message = |message: Message, quirks: &Quirks| {
        body(&Request::new("m", vec![message]), quirks)["messages"][0].clone()
    };
    assert_eq!(
        message(thought("openai_chat", "m"), &echo),
        json!({"role": "assistant", "content": "Hi", "reasoning_content": "hm",
            "reasoning_details": [{"type": "reasoning.encrypted", "data": "QQ=="}]})
    );
    let plain = json!({"role": "assistant", "content": "Hi"});
    assert_eq!(
        message(thought("anthropic", "m"), &Quirks::default()),
        plain
    );
    assert_eq!(
        message(thought("openai_chat", "other"), &Quirks::default()),
        plain
    );
}

#[test]
fn calls_that_cannot_be_read_are_sent_as_something_that_can() {
    let messages = |args: &str| vec![Message::new(Role::Assistant, vec![call("a", "f", args)])];
    let sent = |args: &str| {
        let body = body(&Request::new("m", messages(args)), &Quirks::default());
        let call = &body["messages"][0]["tool_calls"][0];
        call["function"]["arguments"].as_str().unwrap().to_owned()
    };
    assert_eq!(sent(r#" {"x": 1} "#), r#" {"x": 1} "#);
    assert_eq!(sent(" "), "{}");
    assert_eq!(sent(r#"{"x":"#), r#"{"unreadable_arguments":"{\"x\":"}"#);
    assert_eq!(sent("[1]"), r#"{"unreadable_arguments":"[1]"}"#);
}

#[test]
fn a_broken_conversation_is_mended_on_the_wire() {
    let request = Request::new(
        "m",
        vec![
            Message::text(Role::Assistant, "I begin."),
            Message::text(Role::System, "Late rule."),
            Message::new(Role::Assistant, vec![call("functions.f:0", "f", "{}")]),
            Message::text(Role::User, "Stop."),
            Message::new(Role::Tool, vec![result("nobody", "?", false)]),
        ],
    );
    let quirks = Quirks {
        tool_id: IdRule::Nine,
        system: SystemRule::FirstOnly,
        merge_same_role: true,
        ..Quirks::default()
    };
    let messages = body(&request, &quirks)["messages"].clone();
    let id = messages[3]["tool_calls"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()),
        "{id}"
    );
    assert_eq!(
        messages,
        json!([
            {"role": "user", "content": "Begin."},
            {"role": "assistant", "content": "I begin."},
            {"role": "user", "content": "Late rule."},
            {"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": id, "content": "Error: No result: the call was not run, or was interrupted."},
            {"role": "user", "content": "Stop."}
        ])
    );
}
