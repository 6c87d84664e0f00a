//! The OpenAI chat wire as a strict server speaks it: reads a request body into a [`Prompt`], writes an [`Answer`] as
//! one JSON object or as a stream of events.

use std::borrow::Cow;

use bwana_types::message::Role;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{LAST_CHUNK, chunk, chunked_head};
use crate::script::{Answer, Line, Prompt};

/// A request body, as far as a server must look at it.
#[derive(Debug, Deserialize)]
pub(crate) struct Body<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    #[serde(borrow, default)]
    tools: Vec<Tool<'a>>,
    #[serde(default)]
    pub(crate) stream: bool,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    response_format: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    role: Role,
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default)]
    tool_calls: Vec<Call<'a>>,
    #[serde(borrow, default)]
    tool_call_id: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Parts(Vec<Value>),
}

#[derive(Debug, Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

impl<'a> Body<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    pub(crate) fn wants_usage(&self) -> bool {
        self.stream_options
            .is_some_and(|options| options.include_usage)
    }

    pub(crate) fn into_prompt(self) -> Prompt<'a> {
        let tools = self.tools.into_iter();
        Prompt::new(
            self.model,
            self.messages.into_iter().map(Message::into_line).collect(),
            tools.map(|tool| tool.function.name).collect(),
            self.response_format.as_ref().and_then(wanted_form),
        )
    }
}

impl<'a> Message<'a> {
    fn into_line(self) -> Line<'a> {
        Line {
            role: self.role,
            text: self.content.map_or_else(Cow::default, Content::into_text),
            calls: self.tool_calls.into_iter().map(|call| call.id).collect(),
            answers: self.tool_call_id.into_iter().collect(),
        }
    }
}

impl<'a> Content<'a> {
    fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => {
                let texts = parts.iter().filter_map(|part| part["text"].as_str());
                texts.collect::<Vec<_>>().join("\n").into()
            }
        }
    }
}

/// The schema of `response_format`; plain `json_object` wants any object.
fn wanted_form(format: &Value) -> Option<Cow<'static, Value>> {
    match format["type"].as_str() {
        Some("json_schema") => Some(Cow::Owned(format["json_schema"]["schema"].clone())),
        Some("json_object") => Some(Cow::Owned(json!({"type": "object", "properties": {}}))),
        _ => None,
    }
}

/// How an answer goes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) stream: bool,
    /// In a stream, usage is sent only if it was asked for.
    pub(crate) usage: bool,
    /// Pieces a streamed text comes in.
    pub(crate) deltas: usize,
}

/// An answer ready to send, in pieces between which a slow model may pause.
pub(crate) struct Encoded {
    pub(crate) pieces: Vec<Vec<u8>>,
    /// Where the body begins in the first piece.
    pub(crate) head_bytes: usize,
}

impl Encoded {
    /// Puts header lines, each with its line break, at the end of the head.
    pub(crate) fn add_headers(&mut self, lines: &str) {
        // Before the empty line that ends it.
        let at = self.head_bytes - 2;
        if let Some(first) = self.pieces.first_mut() {
            first.splice(at..at, lines.bytes());
            self.head_bytes += lines.len();
        }
    }
}

pub(crate) fn encode(answer: &Answer, prompt: &Prompt<'_>, form: Form) -> Encoded {
    if form.stream {
        streamed(answer, prompt, form)
    } else {
        let body = whole(answer, prompt).to_string().into_bytes();
        let piece = crate::http::whole(200, "application/json", "", &body);
        Encoded {
            head_bytes: piece.len() - body.len(),
            pieces: vec![piece],
        }
    }
}

fn finish_reason(answer: &Answer) -> &'static str {
    if answer.cut {
        "length"
    } else if answer.calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    }
}

fn whole(answer: &Answer, prompt: &Prompt<'_>) -> Value {
    let calls: Vec<Value> = answer
        .calls
        .iter()
        .map(|call| {
            json!({"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": call.args}})
        })
        .collect();
    let mut message = json!({"role": "assistant", "content": answer.text});
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let mut body = json!({
        "id": completion_id(prompt), "object": "chat.completion", "created": 0, "model": prompt.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(answer)}],
    });
    if let Some(usage) = usage(answer, prompt) {
        body["usage"] = usage;
    }
    body
}

fn completion_id(prompt: &Prompt<'_>) -> String {
    format!("chatcmpl-{}", prompt.mark())
}

fn usage(answer: &Answer, prompt: &Prompt<'_>) -> Option<Value> {
    let usage = answer.tokens(prompt)?;
    Some(json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens(),
    }))
}

fn streamed(answer: &Answer, prompt: &Prompt<'_>, form: Form) -> Encoded {
    let head = chunked_head("text/event-stream");
    let head_bytes = head.len();
    let mut pieces = vec![head.into_bytes()];
    let mut send = |value: &Value| pieces.push(chunk(event(value).as_bytes()));
    let piece = |delta: Value, finish: Option<&str>| {
        json!({"id": completion_id(prompt), "object": "chat.completion.chunk", "created": 0, "model": prompt.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    send(&piece(json!({"role": "assistant", "content": ""}), None));
    for text in split(&answer.text, form.deltas) {
        send(&piece(json!({"content": text}), None));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        send(&piece(
            json!({"tool_calls": [{"index": index, "id": call.id, "type": "function",
                "function": {"name": call.tool, "arguments": ""}}]}),
            None,
        ));
        for args in split(&call.args, 2) {
            send(&piece(
                json!({"tool_calls": [{"index": index, "function": {"arguments": args}}]}),
                None,
            ));
        }
    }
    send(&piece(json!({}), Some(finish_reason(answer))));
    if let Some(usage) = usage(answer, prompt).filter(|_| form.usage) {
        send(
            &json!({"id": completion_id(prompt), "object": "chat.completion.chunk", "created": 0,
            "model": prompt.model, "choices": [], "usage": usage}),
        );
    }
    pieces.push(chunk(b"data: [DONE]\n\n"));
    pieces.push(LAST_CHUNK.to_vec());
    Encoded { pieces, head_bytes }
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// `text` in about `count` pieces that end at whole characters; none for an empty text.
pub(crate) fn split(text: &str, count: usize) -> Vec<&str> {
    let size = text.len().div_ceil(count.max(1)).max(1);
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = size.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_becomes_a_prompt() {
        let body = br#"{"model":"m","stream":true,"stream_options":{"include_usage":true},
            "tools":[{"type":"function","function":{"name":"http_get","parameters":{}}}],
            "messages":[{"role":"system","content":"be \"brief\""},{"role":"user","content":[{"type":"text","text":"hi"}]},
              {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"x","arguments":"{}"}}]},
              {"role":"tool","tool_call_id":"c1","content":"ok"}]}"#;
        let body = Body::parse(body).unwrap();
        assert!(body.stream && body.wants_usage());
        let prompt = body.into_prompt();
        assert_eq!(prompt.lines[0].text, "be \"brief\"");
        assert_eq!(prompt.last_user(), "hi");
        assert_eq!((prompt.results(), prompt.complaint()), (1, None));
        assert_eq!(prompt.offers("http.get"), Some("http_get"));
    }

    #[test]
    fn pieces_end_at_whole_characters_and_lose_nothing() {
        for count in 0..9 {
            assert_eq!(split("a é ü 漢字", count).concat(), "a é ü 漢字");
        }
        assert_eq!(split("abcd", 2), ["ab", "cd"]);
        assert!(split("", 3).is_empty());
    }
}
