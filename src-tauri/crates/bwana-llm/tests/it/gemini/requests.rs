//! Golden requests: exactly what goes onto the wire for what is asked, where it goes, and how refusals change it.

use std::sync::Arc;

use bwana_llm::quirks::SchemaRule;
use bwana_llm::{Dialect, Endpoint, Gemini, Provider, Quirks};
use bwana_types::message::{Message, Opaque, Part, Role, ToolCall};
use bwana_types::model::{ErrorKind, OutputSchema, Request, ToolChoice, ToolDecl};
use bwana_types::secret::Secret;
use serde_json::{Value, json};

use super::cases;
use crate::server::{Reply, Server};
use crate::show::{self, complete, hello};

const KEY: &str = "AIzaSy0123456789abcdef";
const JSON: &str = "content-type: application/json";

fn preset() -> Quirks {
    let endpoint = Endpoint::new("https://generativelanguage.googleapis.com", "v1beta").unwrap();
    Quirks::for_dialect(&endpoint, "gemini")
}

fn body(request: &Request, quirks: &Quirks) -> Value {
    let encoded = Gemini.encode(request, quirks).unwrap();
    serde_json::from_slice(&encoded.body).unwrap()
}

fn contents(messages: Vec<Message>) -> Value {
    body(&Request::new("m", messages), &preset())["contents"].clone()
}

fn tool(name: &str) -> ToolDecl {
    ToolDecl {
        name: name.to_owned(),
        description: format!("Does {name}."),
        parameters: json!({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": false}),
    }
}

fn call(id: &str, name: &str, data: Option<Value>) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        args: r#"{"x": 1}"#.into(),
        opaque: data.map(opaque),
    })
}

fn opaque(data: Value) -> Opaque {
    Opaque {
        dialect: String::from("gemini"),
        model: String::from("m"),
        data,
    }
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
    let encoded = Gemini.encode(&hello(), &preset()).unwrap();
    assert_eq!(encoded.path, "models/m:streamGenerateContent?alt=sse");
    assert_eq!(
        String::from_utf8(encoded.body).unwrap(),
        r#"{"contents":[{"role":"user","parts":[{"text":"Hello"}]}],"generationConfig":{"maxOutputTokens":2048}}"#
    );
}

fn everything() -> Request {
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
                    Part::text("I write it down."),
                    call(
                        "fc_1",
                        "file.write",
                        Some(json!({"id": "fc_1", "thoughtSignature": "EjQK+/=="})),
                    ),
                    call("fc_2", "file.write", Some(json!({"id": "fc_2"}))),
                ],
            ),
            Message::new(
                Role::Tool,
                vec![
                    result("fc_2", "disk full", true),
                    result("fc_1", "ok", false),
                ],
            ),
            Message::text(Role::User, "And now?"),
        ],
    );
    request.tools = vec![
        tool("file.write"),
        ToolDecl {
            parameters: json!({"type": "object", "properties": {}}),
            ..tool("time.now")
        },
    ];
    request.tool_choice = ToolChoice::Named(String::from("file.write"));
    request.max_output_tokens = 300;
    request.temperature = Some(0.2);
    request.seed = Some(0x1_8000_0007);
    request.stop = vec![String::from("END")];
    request.extra.insert(
        String::from("generationConfig"),
        json!({"thinkingConfig": {"includeThoughts": true}}),
    );
    request
}

#[test]
fn everything_at_once() {
    assert_eq!(
        body(&everything(), &preset()),
        json!({
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [
                    {"text": "What is this?"}, {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}]},
                {"role": "model", "parts": [
                    {"text": "I write it down."},
                    {"functionCall": {"id": "fc_1", "name": "file_write", "args": {"x": 1}}, "thoughtSignature": "EjQK+/=="},
                    {"functionCall": {"id": "fc_2", "name": "file_write", "args": {"x": 1}}}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"id": "fc_1", "name": "file_write", "response": {"output": "ok"}}},
                    {"functionResponse": {"id": "fc_2", "name": "file_write", "response": {"error": "disk full"}}}]},
                {"role": "user", "parts": [{"text": "And now?"}]}
            ],
            "generationConfig": {
                "maxOutputTokens": 300, "temperature": 0.2, "seed": 7, "stopSequences": ["END"],
                "thinkingConfig": {"includeThoughts": true}},
            "tools": [{"functionDeclarations": [
                {"name": "file_write", "description": "Does file.write.", "parametersJsonSchema":
                    {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": false}},
                {"name": "time_now", "description": "Does time.now."}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["file_write"]}}
        })
    );
}

#[test]
fn calls_of_others_are_marked_once_a_step_and_told_apart_by_place() {
    let sent = contents(vec![
        Message::new(
            Role::Assistant,
            vec![call("a", "f", None), call("a", "f", None)],
        ),
        Message::new(
            Role::Tool,
            vec![result("a", "2", false), result("a", "1", false)],
        ),
        Message::new(Role::Assistant, vec![call("b", "g", Some(json!({})))]),
    ]);
    assert_eq!(
        sent,
        json!([
            {"role": "user", "parts": [{"text": "Begin."}]},
            {"role": "model", "parts": [
                {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "skip_thought_signature_validator"},
                {"functionCall": {"name": "f", "args": {"x": 1}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "f", "response": {"output": "1"}}},
                {"functionResponse": {"name": "f", "response": {"output": "2"}}}]},
            // Its own call without a signature needs none.
            {"role": "model", "parts": [{"functionCall": {"name": "g", "args": {"x": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "g", "response":
                {"error": "No result: the call was not run, or was interrupted."}}}]}
        ])
    );
    let request = Request::new(
        "other",
        vec![Message::new(
            Role::Assistant,
            vec![call(
                "a",
                "f",
                Some(json!({"id": "a", "thoughtSignature": "s"})),
            )],
        )],
    );
    let quirks = Quirks {
        omit: [String::from("thoughtSignature")].into(),
        ..preset()
    };
    let part = |quirks: &Quirks| body(&request, quirks)["contents"][1]["parts"][0].clone();
    let plain = json!({"name": "f", "args": {"x": 1}});
    assert_eq!(
        part(&preset()),
        json!({"functionCall": plain, "thoughtSignature": "skip_thought_signature_validator"})
    );
    assert_eq!(part(&quirks), json!({"functionCall": plain}));
}

/// What goes back for an answer that came as this case.
fn returned(name: &str) -> Value {
    let all = cases();
    let case = all.iter().find(|case| case.name == name).unwrap();
    let request = hello();
    let context = Gemini.encode(&request, &preset()).unwrap().context;
    let limits = bwana_llm::Limits::default();
    let (answer, _) = show::through(&Gemini, [case.body.as_bytes()], &context, &limits);
    let mut history = request.messages.clone();
    history.push(Message::new(Role::Assistant, answer.unwrap().parts));
    contents(history)[1]["parts"].clone()
}

#[test]
fn signatures_go_back_on_the_part_they_came_on() {
    assert_eq!(
        returned("a signature on the last words"),
        json!([{"text": "Hi "}, {"text": "there", "thoughtSignature": "EjQK"}])
    );
    assert_eq!(
        returned("a signature on a part of its own"),
        json!([{"text": "Hi"}, {"text": "", "thoughtSignature": "EjQK"}])
    );
    assert_eq!(
        returned("a thought with its signature"),
        json!([{"text": "hm", "thought": true, "thoughtSignature": "EjQK+/=="}, {"text": "Hi"}])
    );
    assert_eq!(
        returned("a thought, words and a call keep their places"),
        json!([
            {"text": "hm", "thought": true, "thoughtSignature": "a"},
            {"text": "One."},
            {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "b"},
            {"text": "Two."}])
    );
    let call = |sku: &str| json!({"functionCall": {"name": "get", "args": {"sku": sku}}});
    assert_eq!(
        returned("calls without ids are told apart by their place"),
        json!([{"text": "Let me see."}, call("kit"), call("kit")])
    );
    assert_eq!(
        returned("the same id twice is two calls")[1]["functionCall"]["id"],
        "x"
    );
}

#[test]
fn tool_choices() {
    let config = |choice: ToolChoice| {
        let mut request = hello();
        request.tools = vec![tool("f")];
        request.tool_choice = choice;
        body(&request, &preset())["toolConfig"]["functionCallingConfig"].clone()
    };
    assert_eq!(config(ToolChoice::Auto), Value::Null);
    assert_eq!(config(ToolChoice::None), json!({"mode": "NONE"}));
    assert_eq!(config(ToolChoice::Required), json!({"mode": "ANY"}));
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
fn structured_output_in_every_form() {
    let schema = json!({"type": "object", "properties": {
        "score": {"type": "integer", "minimum": 1}, "why": {"type": ["string", "null"], "maxLength": 99}}, "required": ["score"]});
    let request = with_schema(schema.clone());
    let sent = |schema: SchemaRule, omit: &[&str]| {
        let quirks = Quirks {
            schema,
            omit: omit.iter().map(|field| (*field).to_owned()).collect(),
            ..preset()
        };
        let encoded = Gemini.encode(&request, &quirks).unwrap();
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        (body, encoded.context.relaxed.output)
    };
    let (body, relaxed) = sent(SchemaRule::Plain, &[]);
    let config = &body["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(
        config["responseJsonSchema"],
        json!({"type": "object", "properties": {
            "score": {"type": "integer", "minimum": 1},
            "why": {"type": ["string", "null"], "description": "maxLength: 99"}}, "required": ["score"]})
    );
    assert_eq!(relaxed, Some(schema.clone()));

    let (body, _) = sent(SchemaRule::Plain, &["responseJsonSchema"]);
    let config = &body["generationConfig"];
    assert_eq!(config["responseJsonSchema"], Value::Null);
    assert_eq!(
        config["responseSchema"]["properties"]["why"]["nullable"],
        true
    );

    for (rule, mime) in [
        (SchemaRule::JsonObject, json!("application/json")),
        (SchemaRule::Prompt, Value::Null),
    ] {
        let (body, relaxed) = sent(rule, &[]);
        assert_eq!(body["generationConfig"]["responseMimeType"], mime);
        assert_eq!(relaxed, None);
        let said = body["systemInstruction"]["parts"][0]["text"]
            .as_str()
            .unwrap();
        assert!(said.contains(&schema.to_string()), "{said}");
    }
}

fn good() -> Reply {
    let all = cases();
    let case = all.iter().find(|case| case.name == "text in pieces");
    Reply::stream(&case.unwrap().body)
}

fn refusal(message: &str) -> Reply {
    let body = json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}});
    Reply::status(400, JSON, body.to_string())
}

#[tokio::test]
async fn the_key_is_in_one_header_and_the_model_is_one_segment_of_the_path() {
    for (model, path) in [
        ("gemini-x", "models/gemini-x"),
        ("models/gemini-x", "models/gemini-x"),
        ("hf.co/foo/bar-none", "models/hf.co%2Ffoo%2Fbar-none"),
        ("../x?key=1#y", "models/..%2Fx%3Fkey%3D1%23y"),
        ("a::b ü", "models/a%3A%3Ab%20%C3%BC"),
    ] {
        let server = Server::one(good()).await;
        let provider = show::provider_of(&server.url, Arc::new(Gemini))
            .with_secret(Some(Secret::new(String::from(KEY))));
        let mut request = hello();
        request.model = model.to_owned();
        complete(&provider, &request).await.0.unwrap();
        let seen = &server.seen()[0];
        assert_eq!(
            seen.line,
            format!("POST /v1beta/{path}:streamGenerateContent?alt=sse")
        );
        assert_eq!(seen.header("x-goog-api-key"), Some(KEY));
        assert!(!seen.line.contains(KEY));
        let keys = seen.headers.iter().filter(|(_, value)| value.contains(KEY));
        assert_eq!(keys.count(), 1);
    }
    let mut request = hello();
    request.model.clear();
    let error = Gemini.encode(&request, &preset()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
}

#[tokio::test]
async fn older_servers_and_refused_fields_are_learned() {
    let mut request = with_schema(json!({"type": "object", "properties": {"a": {"const": "x"}}}));
    request.tools = vec![tool("f")];
    request.seed = Some(1);
    let unknown = |field: &str, place: &str| {
        refusal(&format!(
            "Invalid JSON payload received. Unknown name \"{field}\" at '{place}': Cannot find field."
        ))
    };
    let server = Server::start(vec![
        unknown("parametersJsonSchema", "tools[0].function_declarations[0]"),
        unknown("responseJsonSchema", "generation_config"),
        unknown("seed", "generation_config"),
        refusal("Function calling with a response mime type: 'application/json' is unsupported"),
        good(),
    ])
    .await;
    let provider = show::provider_of(&server.url, Arc::new(Gemini));
    complete(&provider, &request).await.0.unwrap();
    let seen = server.seen();
    let tool = |n: usize| seen[n].body["tools"][0]["functionDeclarations"][0].clone();
    let config = |n: usize| seen[n].body["generationConfig"].clone();
    assert!(tool(0)["parametersJsonSchema"].is_object());
    assert!(tool(1)["parametersJsonSchema"].is_null());
    let older = tool(1)["parameters"].clone();
    assert_eq!(older["properties"]["x"]["type"], "integer");
    assert_eq!(older["additionalProperties"], Value::Null);
    assert!(config(1)["responseJsonSchema"].is_object());
    assert!(config(2)["responseSchema"].is_object());
    assert_eq!(config(2)["seed"], 1);
    assert_eq!(config(3)["seed"], Value::Null);
    assert_eq!(config(4), json!({"maxOutputTokens": 2048}));
    assert!(seen[4].body["systemInstruction"].is_object());
    assert_eq!(provider.quirks_for("m").schema, SchemaRule::Prompt);
}

#[tokio::test]
async fn models_are_listed_by_their_names_those_that_answer_first() {
    let list = r#"{"models":[
        {"name":"models/embed-1","supportedGenerationMethods":["embedContent"],"inputTokenLimit":2048},
        {"name":"models/gemini-x","supportedGenerationMethods":["generateContent","countTokens"],"inputTokenLimit":1048576},
        {"name":"tunedModels/mine"},{"displayName":"nameless"}]}"#;
    let server = Server::one(Reply::status(200, JSON, list)).await;
    let provider = show::provider_of(&server.url, Arc::new(Gemini));
    let models = provider.models().await.unwrap();
    let shown: Vec<_> = models
        .iter()
        .map(|m| (m.id.as_str(), m.context_tokens))
        .collect();
    assert_eq!(
        shown,
        [
            ("gemini-x", Some(1_048_576)),
            ("tunedModels/mine", None),
            ("embed-1", Some(2_048))
        ]
    );
    assert_eq!(server.seen()[0].line, "GET /v1beta/models?pageSize=1000");
}

#[tokio::test]
async fn vectors_come_in_one_request_and_in_order() {
    let reply = r#"{"embeddings":[{"values":[1.0,0.0]},{"values":[0.5,-0.5]}],"usageMetadata":{"promptTokenCount":6}}"#;
    let server = Server::one(Reply::status(200, JSON, reply)).await;
    let provider = show::provider_of(&server.url, Arc::new(Gemini));
    let texts = [String::from("a"), String::from("b")];
    let embedded = provider.embed("embed-1", &texts).await.unwrap();
    assert_eq!(embedded.vectors, [vec![1.0, 0.0], vec![0.5, -0.5]]);
    assert_eq!(embedded.usage.unwrap().input_tokens, 6);
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /v1beta/models/embed-1:batchEmbedContents");
    assert_eq!(
        seen.body["requests"][1],
        json!({"model": "models/embed-1", "content": {"parts": [{"text": "b"}]}})
    );
    for (body, kind) in [
        (r#"{"embeddings":[{"values":[1.0]}]}"#, ErrorKind::Malformed),
        (
            r#"{"embeddings":[{"values":[1.0]},{"values":[]}]}"#,
            ErrorKind::Malformed,
        ),
        (
            r#"{"error":{"code":404,"message":"no such model","status":"NOT_FOUND"}}"#,
            ErrorKind::NotFound,
        ),
    ] {
        let error = Gemini.decode_embed(body.as_bytes(), 2).unwrap_err();
        assert_eq!(error.kind, kind, "{body}");
    }
}

#[tokio::test]
async fn the_connection_test_tells_what_it_asked() {
    let server = Server::one(good()).await;
    let provider = show::provider_of(&server.url, Arc::new(Gemini))
        .with_secret(Some(Secret::new(String::from(KEY))));
    let probe = format!("{:?}", provider.probe(Some("gemini-x")).await);
    assert!(probe.contains("Works"), "{probe}");
    assert!(
        probe.contains("/v1beta/models/gemini-x:streamGenerateContent"),
        "{probe}"
    );
    assert!(!probe.contains(KEY), "{probe}");
}
