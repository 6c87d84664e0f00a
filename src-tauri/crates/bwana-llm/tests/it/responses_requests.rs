//! Golden requests of the responses dialect: exactly what goes onto the wire for what is asked, what comes back sealed
//! and goes out again byte for byte, and what a refusal changes.

use bwana_llm::quirks::{SchemaRule, SystemRule};
use bwana_llm::{Dialect, Limits, OpenAiResponses, Quirks};
use bwana_types::message::{Message, Opaque, Part, Role, ToolCall};
use bwana_types::model::{ErrorKind, OutputSchema, Request, ToolChoice, ToolDecl};
use serde_json::{Value, json};

use crate::codec_cases::{codec, provider, responses, through};
use crate::server::{Reply, Server};
use crate::show::{self, complete, hello};

fn text(request: &Request, quirks: &Quirks) -> String {
    let encoded = OpenAiResponses.encode(request, quirks).unwrap();
    assert_eq!(encoded.path, "responses");
    String::from_utf8(encoded.body).unwrap()
}

fn body(request: &Request, quirks: &Quirks) -> Value {
    serde_json::from_str(&text(request, quirks)).unwrap()
}

#[track_caller]
fn check_field(request: &Request, quirks: &Quirks, field: &str, expected: &Value) {
    assert_eq!(body(request, quirks)[field], *expected);
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

fn thought(text: &str, dialect: &str, model: &str, sealed: &str) -> Part {
    Part::Reasoning {
        text: text.into(),
        opaque: Some(Opaque {
            dialect: dialect.to_owned(),
            model: model.to_owned(),
            data: json!(sealed),
        }),
    }
}

fn tool(name: &str) -> ToolDecl {
    ToolDecl {
        name: name.to_owned(),
        description: format!("Does {name}."),
        parameters: json!({"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "string"}}, "required": ["x"]}),
    }
}

const OWN: &str =
    r#"{ "type":"reasoning", "id":"rs_1","summary":[],"encrypted_content":"gA\u00e9A==" }"#;

#[test]
fn the_smallest_request_byte_for_byte() {
    assert_eq!(
        text(&hello(), &Quirks::default()),
        r#"{"model":"m","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hello"}]}],"stream":true,"store":false,"include":["reasoning.encrypted_content"],"max_output_tokens":2048}"#
    );
}

#[test]
fn everything_at_once() {
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
                    thought("hm", "openai_responses", "m", OWN),
                    Part::text("I write it down."),
                    call("call_1", r#"{"x":1}"#),
                    call("call_2", "{\"x\":"),
                ],
            ),
            Message::new(
                Role::Tool,
                vec![
                    result("call_2", "disk full", true),
                    result("call_1", "ok", false),
                ],
            ),
            Message::text(Role::System, "It is late."),
            Message::text(Role::User, "And now?"),
        ],
    );
    request.tools = vec![tool("file.write")];
    request.tool_choice = ToolChoice::Named(String::from("file.write"));
    request.max_output_tokens = 300;
    request.temperature = Some(0.5);
    request.seed = Some(7); // the dialect has none
    request.extra.insert(String::from("top_p"), json!(0.9));
    let quirks = Quirks {
        parallel_tool_calls: Some(false),
        effort_with_tools: Some(String::from("low")),
        prompt_cache_key: Some(String::from("house")),
        ..Quirks::default()
    };
    assert_eq!(
        body(&request, &quirks),
        json!({
            "model": "m",
            "instructions": "Be brief.\n\nBe kind.",
            "input": [
                {"type": "message", "role": "user", "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,QUJD"}]},
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAéA=="},
                {"type": "message", "role": "assistant", "content": [
                    {"type": "output_text", "text": "I write it down."}]},
                {"type": "function_call", "call_id": "call_1", "name": "file_write", "arguments": "{\"x\":1}"},
                {"type": "function_call", "call_id": "call_2", "name": "file_write", "arguments": "{\"unreadable_arguments\":\"{\\\"x\\\":\"}"},
                {"type": "function_call_output", "call_id": "call_1", "output": "ok"},
                {"type": "function_call_output", "call_id": "call_2", "output": "Error: disk full"},
                {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "It is late."}]},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
            ],
            "stream": true,
            "store": false,
            "include": ["reasoning.encrypted_content"],
            "max_output_tokens": 300,
            "temperature": 0.5,
            "tools": [{"type": "function", "name": "file_write", "description": "Does file.write.",
                "parameters": tool("x").parameters, "strict": false}],
            "tool_choice": {"type": "function", "name": "file_write"},
            "parallel_tool_calls": false,
            "reasoning": {"effort": "low"},
            "prompt_cache_key": "house",
            "top_p": 0.9,
        })
    );
    assert!(text(&request, &quirks).contains(OWN), "byte for byte");
}

#[test]
fn sealed_thoughts_go_back_to_their_own_dialect_and_model_only() {
    let goes = |part: Part| {
        let parts = vec![part, Part::text("Hi")];
        let mut request = hello();
        request.messages.push(Message::new(Role::Assistant, parts));
        text(&request, &Quirks::default()).contains("rs_1")
    };
    assert!(goes(thought("", "openai_responses", "m", OWN)));
    assert!(!goes(thought("", "openai_responses", "m-2", OWN)));
    assert!(!goes(thought("", "openai_chat", "m", OWN)));
    assert!(!goes(thought("", "openai_responses", "m", "{\"rs_1\":")));
}

#[test]
fn a_thought_that_led_to_nothing_stays_here() {
    let mut request = hello();
    let own = || thought("", "openai_responses", "m", OWN);
    request.messages.push(Message::new(
        Role::Assistant,
        vec![own(), Part::text("Hi"), own()],
    ));
    let input = &body(&request, &Quirks::default())["input"];
    let kinds: Vec<&str> = input
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["message", "reasoning", "message"]);
}

#[test]
fn what_came_sealed_goes_back_in_the_same_bytes() {
    let cases = responses().cases;
    let case = cases
        .iter()
        .find(|case| case.name.starts_with("reasoning summaries"))
        .unwrap();
    let (outcome, _) = codec(&OpenAiResponses, case);
    let mut request = hello();
    let parts = outcome.unwrap().parts;
    request.messages.push(Message::new(Role::Assistant, parts));
    request.messages.push(Message::text(Role::User, "Go on."));
    let sent = text(&request, &Quirks::default());
    let line = case
        .body
        .lines()
        .find(|line| line.starts_with("data: {\"type\":\"response.output_item.done\""))
        .unwrap();
    let item = line
        .split_once("\"item\":")
        .unwrap()
        .1
        .strip_suffix('}')
        .unwrap();
    assert!(sent.contains(item), "{item} is not in {sent}");
}

#[test]
fn the_answer_is_asked_for_in_the_form_the_provider_takes() {
    let mut request = hello();
    let schema = json!({"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "string"}}, "required": ["x"]});
    request.schema = Some(OutputSchema {
        name: String::from("my answer"),
        schema: schema.clone(),
    });
    let with = |schema| Quirks {
        schema,
        ..Quirks::default()
    };
    check_field(
        &request,
        &with(SchemaRule::Strict),
        "text",
        &json!({"format": {"type": "json_schema", "name": "my_answer", "strict": true, "schema": {
            "type": "object", "additionalProperties": false, "required": ["x", "y"],
            "properties": {"x": {"type": "integer"}, "y": {"type": ["string", "null"]}}}}}),
    );
    check_field(
        &request,
        &with(SchemaRule::Plain),
        "text",
        &json!({"format": {"type": "json_schema", "name": "my_answer", "strict": false, "schema": schema}}),
    );
    check_field(
        &request,
        &with(SchemaRule::JsonObject),
        "text",
        &json!({"format": {"type": "json_object"}}),
    );
    let asked = body(&request, &with(SchemaRule::Prompt));
    assert_eq!(asked["text"], Value::Null);
    let instructions = asked["instructions"].as_str();
    // The schema in words is the only system message here.
    let words = instructions.unwrap_or_default();
    assert!(words.contains("valid for this JSON Schema"), "{asked}");
}

#[test]
fn an_answer_to_a_relaxed_schema_is_mended() {
    let mut request = hello();
    request.tools = vec![tool("file.write")];
    let schema = tool("x").parameters;
    let name = String::from("a");
    request.schema = Some(OutputSchema { name, schema });
    let quirks = Quirks {
        schema: SchemaRule::Strict,
        strict_tools: true,
        ..Quirks::default()
    };
    let sent = body(&request, &quirks);
    assert_eq!(sent["tools"][0]["strict"], json!(true));
    let context = OpenAiResponses.encode(&request, &quirks).unwrap().context;
    let reply = r#"{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"{\"x\":1,\"y\":null}"}]},{"type":"function_call","call_id":"c","name":"file_write","arguments":"{\"x\":2,\"y\":null}"}]}"#;
    let outcome = OpenAiResponses
        .whole(reply.as_bytes(), &context, &quirks, &Limits::default())
        .unwrap();
    assert_eq!(outcome.parts[0].as_text(), Some(r#"{"x":1}"#));
    let Part::ToolCall(call) = &outcome.parts[1] else {
        panic!("{outcome:?}");
    };
    assert_eq!((&*call.name, &*call.args), ("file.write", r#"{"x":2}"#));
}

#[test]
fn instructions_alone_are_still_something_to_answer() {
    let request = Request::new("m", vec![Message::text(Role::System, "Say hello.")]);
    let sent = body(&request, &Quirks::default());
    assert_eq!(sent["instructions"], Value::Null);
    assert_eq!(sent["input"][0]["role"], json!("system"));
    let quirks = Quirks {
        system: SystemRule::AsUser,
        ..Quirks::default()
    };
    assert_eq!(body(&request, &quirks)["input"][0]["role"], json!("user"));
}

#[test]
fn ids_are_short_enough_and_the_same_on_both_sides() {
    let long = "x".repeat(70);
    let mut request = hello();
    let parts = vec![call(&long, "{}")];
    request.messages.push(Message::new(Role::Assistant, parts));
    let parts = vec![result(&long, "ok", false)];
    request.messages.push(Message::new(Role::Tool, parts));
    let sent = body(&request, &Quirks::default());
    let id = sent["input"][1]["call_id"].as_str().unwrap();
    assert!(id.len() <= 64, "{id}");
    assert_eq!(sent["input"][2]["call_id"].as_str(), Some(id));
}

#[test]
fn what_cannot_be_said_is_refused_before_it_is_sent() {
    let mut request = hello();
    request.stop = vec![String::from("END")];
    let error = OpenAiResponses
        .encode(&request, &Quirks::default())
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
    request.stop.clear();
    request.model.clear();
    let error = OpenAiResponses
        .encode(&request, &Quirks::default())
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
}

#[test]
fn a_model_name_is_never_interpreted() {
    for name in ["gpt-5-high", "o3:free", "a::b", "hf.co/x/y-none", "~ü "] {
        let mut request = hello();
        request.model = name.to_owned();
        check_field(&request, &Quirks::default(), "model", &json!(name));
    }
}

#[test]
fn what_the_caller_adds_by_hand_wins() {
    let mut request = hello();
    request.extra.insert(String::from("store"), json!(true));
    let reasoning = json!({"effort": "high", "summary": "auto"});
    request
        .extra
        .insert(String::from("reasoning"), reasoning.clone());
    check_field(&request, &Quirks::default(), "store", &json!(true));
    check_field(&request, &Quirks::default(), "reasoning", &reasoning);
}

#[test]
fn a_refusal_that_names_a_field_is_learned_from() {
    let learned = |words: &str, param: &str| {
        let body =
            json!({"error": {"message": words, "type": "invalid_request_error", "param": param}});
        let error = OpenAiResponses.error(400, body.to_string().as_bytes());
        OpenAiResponses.adapt(&error, &Quirks::default())
    };
    let omits = |words: &str, param: &str| learned(words, param).unwrap().omit;
    let encrypted = "Encrypted content is not supported with this model.";
    assert!(omits(encrypted, "include").contains("include"));
    let unknown = "Unknown parameter: 'prompt_cache_key'.";
    assert!(omits(unknown, "prompt_cache_key").contains("prompt_cache_key"));
    let effort = "Unsupported parameter: 'reasoning.effort' is not supported with this model.";
    assert!(omits(effort, "reasoning.effort").contains("reasoning"));
    let warm = "Unsupported parameter: 'temperature' is not supported with this model.";
    assert!(omits(warm, "temperature").contains("temperature"));
    let form = learned(
        "Invalid schema for response_format 'a'",
        "text.format.schema",
    );
    assert_eq!(form.unwrap().schema, SchemaRule::JsonObject);
    assert_eq!(learned("Invalid input", "input"), None);
    let quirks = Quirks {
        omit: [String::from("include")].into(),
        ..Quirks::default()
    };
    assert_eq!(body(&hello(), &quirks)["include"], Value::Null);
}

#[test]
fn a_thought_nobody_can_open_any_more_stays_here() {
    let mut request = hello();
    let parts = vec![thought("", "openai_responses", "m", OWN), Part::text("Hi")];
    request.messages.push(Message::new(Role::Assistant, parts));
    for body in [
        r#"{"error":{"message":"The encrypted content gAAA...DQ== could not be verified.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}"#,
        r#"{"error":{"message":"The encrypted content for item rs_1 could not be verified. Reason: Encrypted content could not be decrypted or parsed.","code":null}}"#,
        r#"{"error":{"message":"Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.","param":"input"}}"#,
    ] {
        let error = OpenAiResponses.error(400, body.as_bytes());
        let before = Quirks::default();
        assert!(text(&request, &before).contains("rs_1"));
        let after = OpenAiResponses.adapt(&error, &before).unwrap();
        assert!(!text(&request, &after).contains("rs_1"), "{body}");
        assert_eq!(OpenAiResponses.adapt(&error, &after), None, "once");
    }
}

#[tokio::test]
async fn a_model_that_does_not_reason_is_asked_again_without_its_thoughts_and_remembered() {
    let refusal = r#"{"error":{"message":"Encrypted content is not supported with this model.","type":"invalid_request_error","param":"include","code":null}}"#;
    let reply = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n";
    let json = "content-type: application/json";
    let server = Server::start(vec![
        Reply::status(400, json, refusal),
        Reply::stream(reply),
        Reply::stream(reply),
    ])
    .await;
    let provider = provider(&responses().dialect, &server.url);
    for _ in 0..2 {
        let (result, _) = complete(&provider, &hello()).await;
        assert_eq!(show::result(&result), r#"text "Hi" stop=Done"#);
    }
    let asked: Vec<bool> = server
        .seen()
        .iter()
        .map(|seen| seen.body.get("include").is_some())
        .collect();
    assert_eq!(asked, [true, false, false]);
}

#[test]
fn embeddings_and_models_are_those_of_the_chat_dialect() {
    let texts = [String::from("a"), String::from("b")];
    let asked = OpenAiResponses.encode_embed("e", &texts).unwrap();
    assert_eq!(asked.path, "embeddings");
    let answer = br#"{"data":[{"index":1,"embedding":[0,1]},{"index":0,"embedding":[1,0]}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#;
    let read = OpenAiResponses.decode_embed(answer, 2).unwrap();
    assert_eq!(read.vectors, [[1.0, 0.0], [0.0, 1.0]]);
    assert_eq!(OpenAiResponses.models_path(), "models");
    let list = OpenAiResponses
        .decode_models(br#"{"object":"list","data":[{"id":"m","object":"model"}]}"#)
        .unwrap();
    assert_eq!(list[0].id, "m");
}

#[test]
fn an_empty_reply_is_no_answer() {
    let (result, _) = through(&OpenAiResponses, [b"".as_slice()], &Limits::default());
    assert_eq!(result.unwrap_err().kind, ErrorKind::Interrupted);
}
