//! Conversations nobody would write, turned into requests: whatever the transcript holds, what goes out keeps the order
//! the two strictest providers insist on. Seeded, so that a failure names the round that shows it again.

use bwana_llm::{Anthropic, Dialect, Endpoint, Gemini, Quirks};
use bwana_types::message::{Message, Opaque, Part, Role, ToolCall};
use bwana_types::model::Request;
use serde_json::{Value, json};

use crate::fuzz::{Random, full};

const TEXTS: [&str; 5] = ["", " \n", "Hi", "ü 🌍 ", "{\"a\":1}"];
const IDS: [&str; 6] = [
    "a",
    "b",
    "functions.f:0",
    "",
    "ü",
    "0123456789012345678901234567890123456789x",
];
const ARGS: [&str; 5] = ["", "{}", "{\"x\":", "[1]", " {\"x\":1} "];

fn pick<'a>(from: &[&'a str], random: &mut Random) -> &'a str {
    from[random.below(from.len())]
}

fn part(random: &mut Random) -> Part {
    let opaque = |random: &mut Random| {
        let dialect = pick(&["anthropic", "gemini", "openai_chat"], random);
        let data = match random.below(4) {
            0 => json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
            1 => json!({"thoughtSignature": "s", "thought": true}),
            2 => json!({"thoughtSignature": "s", "signedBytes": random.below(4), "id": "x"}),
            _ => json!([7]),
        };
        (random.below(3) > 0).then(|| Opaque {
            dialect: dialect.to_owned(),
            model: pick(&["m", "other"], random).to_owned(),
            data,
        })
    };
    match random.below(6) {
        0 | 1 => Part::text(pick(&TEXTS, random)),
        2 => Part::Image {
            mime: String::from("image/png"),
            data: pick(&["", "QUJD"], random).into(),
        },
        3 => Part::Reasoning {
            text: pick(&TEXTS, random).into(),
            opaque: opaque(random),
        },
        4 => Part::ToolCall(ToolCall {
            id: pick(&IDS, random).into(),
            name: pick(&["file.write", "f", ""], random).into(),
            args: pick(&ARGS, random).into(),
            opaque: opaque(random),
        }),
        _ => Part::ToolResult {
            id: pick(&IDS, random).into(),
            name: "f".into(),
            content: pick(&TEXTS, random).into(),
            is_error: random.below(2) == 0,
        },
    }
}

fn conversation(random: &mut Random) -> Vec<Message> {
    let message = |random: &mut Random| {
        let roles = [Role::System, Role::User, Role::Assistant, Role::Tool];
        let role = roles[random.below(roles.len())];
        let parts = (0..random.below(5)).map(|_| part(random)).collect();
        Message::new(role, parts)
    };
    (0..random.below(10)).map(|_| message(random)).collect()
}

fn sent(dialect: &dyn Dialect, host: &str, messages: Vec<Message>) -> Value {
    let endpoint = Endpoint::new(host, dialect.version()).unwrap();
    let quirks = Quirks::for_dialect(&endpoint, dialect.id());
    let encoded = dialect.encode(&Request::new("m", messages), &quirks);
    serde_json::from_slice(&encoded.unwrap().body).unwrap()
}

fn each(check: impl Fn(&[Message]) -> Result<(), String>) {
    let rounds = if full() { 200_000 } else { 5_000 };
    for round in 0..rounds {
        let messages = conversation(&mut Random::new(round));
        if let Err(what) = check(&messages) {
            panic!("round {round}: {what} of {messages:#?}");
        }
    }
}

fn ensure(holds: bool, what: &str, shown: &Value) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{what}: {shown:#}"))
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn what_goes_to_anthropic_is_always_in_order() {
    each(|messages| {
        let body = sent(&Anthropic, "https://api.anthropic.com", messages.to_vec());
        let mut open: Vec<&Value> = Vec::new();
        let mut seen: Vec<&Value> = Vec::new();
        for (n, message) in list(&body, "messages").iter().enumerate() {
            let content = list(message, "content");
            let role = if n % 2 == 0 { "user" } else { "assistant" };
            ensure(message["role"] == role, "users and models in turns", &body)?;
            ensure(!content.is_empty(), "nothing empty", &body)?;
            let (answers, rest) = content.split_at(open.len().min(content.len()));
            let answered: Vec<&Value> = answers.iter().map(|b| &b["tool_use_id"]).collect();
            ensure(answered == open, "every call answered behind it", &body)?;
            open.clear();
            for block in rest {
                match block["type"].as_str().unwrap_or_default() {
                    "text" => {
                        let text = block["text"].as_str().unwrap_or_default();
                        ensure(!text.trim().is_empty(), "no blank text", &body)?;
                    }
                    "tool_use" => {
                        let id = block["id"].as_str().unwrap_or_default();
                        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
                        ensure(!id.is_empty() && id.bytes().all(fits), "clean ids", &body)?;
                        ensure(block["input"].is_object(), "arguments are objects", &body)?;
                        ensure(!seen.contains(&&block["id"]), "ids once", &body)?;
                        ensure(role == "assistant", "calls of the model", &body)?;
                        open.push(&block["id"]);
                        seen.push(&block["id"]);
                    }
                    "thinking" => ensure(role == "assistant", "thoughts of the model", &body)?,
                    "image" => ensure(role == "user", "images of the user", &body)?,
                    _ => return Err(format!("an unexpected block: {block}")),
                }
            }
            let last = rest.last().map(|block| &block["type"]);
            ensure(last != Some(&json!("thinking")), "no thought last", &body)?;
        }
        let count = list(&body, "messages").len();
        ensure(count % 2 == 1, "the user speaks first and last", &body)
    });
}

#[test]
fn what_goes_to_gemini_is_always_in_order() {
    each(|messages| {
        let host = "https://generativelanguage.googleapis.com";
        let body = sent(&Gemini, host, messages.to_vec());
        let contents = list(&body, "contents");
        let mut calls: Vec<&Value> = Vec::new();
        let mut before = "model";
        for content in contents {
            let parts = list(content, "parts");
            ensure(!parts.is_empty(), "nothing empty", &body)?;
            let is_model = content["role"] == "model";
            ensure(!is_model || before == "user", "the model in turns", &body)?;
            before = if is_model { "model" } else { "user" };
            let answers: Vec<&Value> = parts.iter().map(|p| &p["functionResponse"]).collect();
            let is_answer = answers.iter().any(|answer| answer.is_object());
            if is_answer || !calls.is_empty() {
                let same = answers.len() == calls.len()
                    && answers.iter().zip(&calls).all(|(answer, call)| {
                        answer["name"] == call["name"] && answer["id"] == call["id"]
                    });
                ensure(same, "every call answered behind it, and alone", &body)?;
            }
            calls.clear();
            for part in parts {
                let text = part["text"].as_str();
                let is_empty = text == Some("") && part["thoughtSignature"].is_null();
                ensure(!is_empty, "no empty text", &body)?;
                if part["functionCall"].is_object() {
                    ensure(part["functionCall"]["args"].is_object(), "arguments", &body)?;
                    calls.push(&part["functionCall"]);
                }
            }
        }
        ensure(calls.is_empty(), "no call left open", &body)?;
        ensure(
            contents.first().is_some_and(|c| c["role"] == "user") && before == "user",
            "the user speaks first and last",
            &body,
        )
    });
}
