//! Requests of the Messages dialect: system texts at the top, users and models in turns, results of tools first in the
//! user message behind their calls, thoughts where they were.

use std::borrow::Cow;

use bwana_types::message::{Opaque, Role};
use bwana_types::model::{LlmError, Request, ToolChoice, ToolDecl};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::ANTHROPIC;
use crate::body::{args_object, join_settings, to_bytes};
use crate::dialect::{Encoded, ReplyContext};
use crate::names::NameMap;
use crate::openai_chat::encode::{Fields, instruction, named};
use crate::quirks::{Quirks, SchemaRule, SystemRule};
use crate::repair::{CLOSING, EMPTY_RESULT, OPENING, Piece, Turn, repair};
use crate::sanitize::{Relaxed, for_anthropic};

/// Where messages are asked for, below the base URL.
const PATH: &str = "messages";

pub(super) fn encode(request: &Request, quirks: &Quirks) -> Result<Encoded, LlmError> {
    named(request)?;
    let names = NameMap::new(request.tools.iter().map(|tool| tool.name.as_str()));
    let mut relaxed = Relaxed::default();
    let format = format(request, quirks, &mut relaxed);
    let tools = tools(request, quirks, &names, &mut relaxed);
    let ordered = ordered(quirks, format.is_none());
    let instruction = instruction(request, &ordered);
    let turns = repair(&request.messages, &ordered, instruction.as_deref());
    let (system, messages) = conversation(&turns, &names, &request.model, quirks);
    let mut extra = Cow::Borrowed(&request.extra);
    let ours = Map::from_iter(format.map(|format| (String::from("format"), format)));
    let config = join_settings("output_config", ours, &mut extra, &quirks.omit);
    let body = Body {
        request,
        extra: &extra,
        quirks,
        names: &names,
        system,
        messages,
        tools,
        config,
    };
    Ok(Encoded {
        path: PATH.into(),
        headers: Vec::new(),
        body: to_bytes(&body, &turns)?,
        context: ReplyContext {
            model: request.model.clone(),
            names,
            relaxed,
        },
    })
}

/// The dialect has no other order than this, whoever speaks it. `in_words`: a schema is asked for in the prompt.
fn ordered(quirks: &Quirks, in_words: bool) -> Quirks {
    Quirks {
        schema: if in_words {
            SchemaRule::Prompt
        } else {
            SchemaRule::Strict
        },
        system: match quirks.system {
            SystemRule::AsGiven => SystemRule::FirstOnly,
            other => other,
        },
        merge_same_role: true,
        ..quirks.clone()
    }
}

struct Body<'a> {
    request: &'a Request,
    extra: &'a Map<String, Value>,
    quirks: &'a Quirks,
    names: &'a NameMap,
    system: Vec<Block<'a>>,
    messages: Vec<Message<'a>>,
    tools: Vec<Value>,
    config: Map<String, Value>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = self.request;
        let mut fields = Fields {
            map: serializer.serialize_map(None)?,
            extra: self.extra,
            omit: &self.quirks.omit,
        };
        fields.put("model", &request.model)?;
        fields.put("max_tokens", &request.max_output_tokens)?;
        if !self.system.is_empty() {
            fields.put("system", &self.system)?;
        }
        fields.put("messages", &self.messages)?;
        fields.put("stream", &true)?;
        if let Some(temperature) = request.temperature {
            fields.put("temperature", &temperature)?;
        }
        if !request.stop.is_empty() {
            fields.put("stop_sequences", &request.stop)?;
        }
        if !self.config.is_empty() {
            fields.put("output_config", &self.config)?;
        }
        if !self.tools.is_empty() {
            fields.put("tools", &self.tools)?;
            if let Some(choice) = tool_choice(request, self.quirks, self.names) {
                fields.put("tool_choice", &choice)?;
            }
        }
        for (key, value) in self.extra {
            fields.map.serialize_entry(key, value)?;
        }
        fields.map.end()
    }
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// A block, perhaps with the mark that everything up to it is worth caching.
struct Block<'a> {
    content: Content<'a>,
    cached: bool,
}

impl<'a> Block<'a> {
    fn plain(content: Content<'a>) -> Self {
        Self {
            content,
            cached: false,
        }
    }
}

enum Content<'a> {
    Text(&'a str),
    Image {
        mime: &'a str,
        data: &'a str,
    },
    /// A block of thoughts as it came.
    Thought(&'a Value),
    Call {
        id: &'a str,
        name: Cow<'a, str>,
        input: Box<RawValue>,
    },
    Result {
        id: &'a str,
        content: &'a str,
        is_error: bool,
    },
}

impl Serialize for Block<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Content::Thought(block) = &self.content {
            return block.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        match &self.content {
            Content::Thought(_) => {}
            Content::Text(text) => {
                map.serialize_entry("type", "text")?;
                map.serialize_entry("text", text)?;
            }
            Content::Image { mime, data } => {
                map.serialize_entry("type", "image")?;
                let source = json!({"type": "base64", "media_type": mime, "data": data});
                map.serialize_entry("source", &source)?;
            }
            Content::Call { id, name, input } => {
                map.serialize_entry("type", "tool_use")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("name", name)?;
                map.serialize_entry("input", input)?;
            }
            Content::Result {
                id,
                content,
                is_error,
            } => {
                map.serialize_entry("type", "tool_result")?;
                map.serialize_entry("tool_use_id", id)?;
                map.serialize_entry("content", content)?;
                if *is_error {
                    map.serialize_entry("is_error", is_error)?;
                }
            }
        }
        if self.cached {
            map.serialize_entry("cache_control", &cache_mark())?;
        }
        map.end()
    }
}

/// Kept for five minutes, which is what the API does without being told how long.
fn cache_mark() -> Value {
    json!({"type": "ephemeral"})
}

/// The turns as system texts and messages. Marked for the cache: the last system text and the last block of the last
/// user message (and, elsewhere, the last tool).
fn conversation<'a>(
    turns: &'a [Turn<'a>],
    names: &'a NameMap,
    model: &str,
    quirks: &Quirks,
) -> (Vec<Block<'a>>, Vec<Message<'a>>) {
    let mut system: Vec<Block<'a>> = Vec::new();
    let mut messages: Vec<Message<'a>> = Vec::new();
    for turn in turns {
        let blocks = turn.pieces.iter().filter_map(|p| block(p, names, model));
        let role = match turn.role {
            Role::System => {
                system.extend(blocks);
                continue;
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let mut content: Vec<Block<'a>> = blocks.collect();
        if role == "assistant" {
            // A message must not end with a thought.
            while matches!(content.last(), Some(b) if matches!(b.content, Content::Thought(_))) {
                content.pop();
            }
        }
        match messages.last_mut() {
            _ if content.is_empty() => {}
            Some(last) if last.role == role => last.content.extend(content),
            _ => messages.push(Message { role, content }),
        }
    }
    mend_ends(&mut messages, quirks.user_speaks_last);
    if quirks.prompt_cache {
        let last_user = messages.iter_mut().rfind(|m| m.role == "user");
        for blocks in [Some(&mut system), last_user.map(|m| &mut m.content)] {
            if let Some(last) = blocks.and_then(|blocks| blocks.last_mut()) {
                last.cached = true;
            }
        }
    }
    (system, messages)
}

/// The user speaks first, also where nothing was left of what was said; and last, or else the answer to be continued
/// must not end with a blank.
fn mend_ends(messages: &mut Vec<Message<'_>>, user_speaks_last: bool) {
    let says = |text| Message {
        role: "user",
        content: vec![Block::plain(Content::Text(text))],
    };
    if messages.first().is_none_or(|m| m.role == "assistant") {
        messages.insert(0, says(OPENING));
    }
    let Some(last) = messages.last_mut().filter(|m| m.role == "assistant") else {
        return;
    };
    if user_speaks_last {
        messages.push(says(CLOSING));
    } else if let Some(block) = last.content.last_mut()
        && let Content::Text(text) = &mut block.content
    {
        *text = text.trim_end();
    }
}

fn block<'a>(piece: &'a Piece<'a>, names: &'a NameMap, model: &str) -> Option<Block<'a>> {
    let is_blank = |text: &str| text.trim().is_empty();
    let content = match piece {
        // The API refuses texts of nothing but blanks.
        Piece::Text(text) if is_blank(text) => return None,
        Piece::Text(text) => Content::Text(text),
        Piece::Image { mime, data } => Content::Image { mime, data },
        Piece::Reasoning { opaque, .. } => Content::Thought(thought(*opaque, model)?),
        Piece::Call { id, name, args, .. } => Content::Call {
            id,
            name: names.wire(name),
            input: args_object(args),
        },
        Piece::Result {
            id,
            content,
            is_error,
            ..
        } => Content::Result {
            id,
            content: if is_blank(content) {
                EMPTY_RESULT
            } else {
                content
            },
            is_error: *is_error,
        },
    };
    Some(Block::plain(content))
}

/// Thoughts go back to the dialect and model they came from, and there unchanged; the others stay here.
fn thought<'a>(opaque: Option<&'a Opaque>, model: &str) -> Option<&'a Value> {
    let block = opaque
        .filter(|o| o.dialect == ANTHROPIC && o.model == model)
        .map(|o| &o.data)?;
    let kind = block.get("type").and_then(Value::as_str);
    matches!(kind, Some("thinking" | "redacted_thinking")).then_some(block)
}

fn tools(request: &Request, quirks: &Quirks, names: &NameMap, relaxed: &mut Relaxed) -> Vec<Value> {
    let one = |tool: &ToolDecl| {
        let strict_form = quirks
            .strict_tools
            .then(|| for_anthropic(&tool.parameters))
            .flatten();
        let mut out = json!({
            "name": names.wire(&tool.name),
            "description": tool.description,
        });
        if let Some(form) = strict_form {
            if form.relaxed {
                let given = tool.parameters.clone();
                relaxed.tools.insert(tool.name.clone(), given);
            }
            out["input_schema"] = form.schema;
            out["strict"] = json!(true);
        } else {
            out["input_schema"] = input_schema(&tool.parameters);
        }
        out
    };
    let mut tools: Vec<Value> = request.tools.iter().map(one).collect();
    if quirks.prompt_cache
        && let Some(last) = tools.last_mut()
    {
        last["cache_control"] = cache_mark();
    }
    tools
}

/// The API insists on the type object, which a schema may leave unsaid, and refuses alternatives at the top: whoever
/// offers the tool checks its arguments against them.
fn input_schema(parameters: &Value) -> Value {
    let mut map = parameters.as_object().cloned().unwrap_or_default();
    map.retain(|key, _| !["anyOf", "oneOf", "allOf"].contains(&key.as_str()));
    map.insert(String::from("type"), json!("object"));
    Value::Object(map)
}

fn tool_choice(request: &Request, quirks: &Quirks, names: &NameMap) -> Option<Value> {
    let mut choice = match &request.tool_choice {
        ToolChoice::Auto if quirks.parallel_tool_calls.is_none() => return None, // the default
        ToolChoice::Auto => json!({"type": "auto"}),
        ToolChoice::None => return Some(json!({"type": "none"})),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Named(name) => json!({"type": "tool", "name": names.wire(name)}),
    };
    if let Some(parallel) = quirks.parallel_tool_calls {
        choice["disable_parallel_tool_use"] = json!(!parallel);
    }
    Some(choice)
}

/// `None` where the schema is asked for in words, because it cannot be said otherwise or should not be.
fn format(request: &Request, quirks: &Quirks, relaxed: &mut Relaxed) -> Option<Value> {
    let output = request.schema.as_ref()?;
    if matches!(quirks.schema, SchemaRule::JsonObject | SchemaRule::Prompt) {
        return None;
    }
    let form = for_anthropic(&output.schema)?;
    relaxed.output = form.relaxed.then(|| output.schema.clone());
    Some(json!({"type": "json_schema", "schema": form.schema}))
}
