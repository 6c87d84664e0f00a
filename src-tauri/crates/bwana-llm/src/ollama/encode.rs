//! Requests of the Ollama dialect: texts borrowed, arguments as objects, limits under `options`.

use std::borrow::Cow;

use bwana_types::message::Role;
use bwana_types::model::{LlmError, Request, ToolChoice};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::dialect::{Encoded, ReplyContext};
use crate::names::NameMap;
use crate::openai_chat::encode::{
    Fields, instruction, joined, named, no_json, readable_args, result_text, size_hint,
};
use crate::quirks::{Quirks, SchemaRule};
use crate::repair::{Piece, Turn, repair};
use crate::sanitize::Relaxed;

/// Where a chat is asked for, below the base URL.
const PATH: &str = "chat";
/// The field of everything about the model's run.
const OPTIONS: &str = "options";

pub(super) fn encode(request: &Request, quirks: &Quirks) -> Result<Encoded, LlmError> {
    named(request)?;
    let names = NameMap::new(request.tools.iter().map(|tool| tool.name.as_str()));
    let instruction = instruction(request, quirks);
    let turns = repair(&request.messages, quirks, instruction.as_deref());
    let body = Body {
        request,
        quirks,
        messages: Messages {
            turns: &turns,
            names: &names,
            thinking: quirks.echo_reasoning.as_deref(),
        },
        tools: tools(request, &names),
        options: options(request, quirks),
    };
    let mut bytes = Vec::with_capacity(size_hint(&turns));
    serde_json::to_writer(&mut bytes, &body).map_err(|error| no_json(&error))?;
    Ok(Encoded {
        path: PATH.into(),
        headers: Vec::new(),
        body: bytes,
        context: ReplyContext {
            model: request.model.clone(),
            names,
            relaxed: Relaxed::default(),
        },
    })
}

struct Body<'a> {
    request: &'a Request,
    quirks: &'a Quirks,
    messages: Messages<'a>,
    tools: Vec<Value>,
    options: Map<String, Value>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = Fields {
            map: serializer.serialize_map(None)?,
            extra: &self.request.extra,
            omit: &self.quirks.omit,
        };
        fields.put("model", &self.request.model)?;
        fields.put("messages", &self.messages)?;
        fields.put("stream", &true)?;
        // A prompt that does not fit is an error to be dealt with here, never cut by the server without a word.
        fields.put("truncate", &false)?;
        fields.put("shift", &false)?;
        if let Some(output) = &self.request.schema {
            match self.quirks.schema {
                SchemaRule::Strict | SchemaRule::Plain => fields.put("format", &output.schema)?,
                SchemaRule::JsonObject => fields.put("format", "json")?,
                SchemaRule::Prompt => {}
            }
        }
        if !self.tools.is_empty() {
            fields.put("tools", &self.tools)?;
        }
        fields.map.serialize_entry(OPTIONS, &self.options)?;
        for (key, value) in self.request.extra.iter().filter(|(key, _)| *key != OPTIONS) {
            fields.map.serialize_entry(key, value)?;
        }
        fields.map.end()
    }
}

/// What the caller adds by hand wins, one option at a time: the output limit stays whatever else is set.
fn options(request: &Request, quirks: &Quirks) -> Map<String, Value> {
    let mut options = Map::new();
    let mut put = |key: &str, value: Value| {
        if !quirks.omit.contains(key) {
            options.insert(key.to_owned(), value);
        }
    };
    put("num_predict", json!(request.max_output_tokens));
    if let Some(num_ctx) = quirks.num_ctx {
        put("num_ctx", json!(num_ctx));
    }
    if let Some(temperature) = request.temperature {
        put("temperature", json!(widened(temperature)));
    }
    if let Some(seed) = request.seed {
        put("seed", json!(seed));
    }
    if !request.stop.is_empty() {
        put("stop", json!(request.stop));
    }
    if let Some(Value::Object(given)) = request.extra.get(OPTIONS) {
        options.extend(given.clone());
    }
    options
}

/// The number a person wrote: widening the bits of 0.2 would send 0.20000000298023224.
fn widened(number: f32) -> f64 {
    number
        .to_string()
        .parse()
        .unwrap_or_else(|_| f64::from(number))
}

/// The dialect cannot say which tool to use: a named one is offered alone, and "none" offers none.
fn tools(request: &Request, names: &NameMap) -> Vec<Value> {
    let offered = request
        .tools
        .iter()
        .filter(|tool| match &request.tool_choice {
            ToolChoice::None => false,
            ToolChoice::Named(name) => tool.name == *name,
            ToolChoice::Auto | ToolChoice::Required => true,
        });
    offered
        .map(|tool| {
            json!({"type": "function", "function": {
                "name": names.wire(&tool.name),
                "description": tool.description,
                "parameters": tool.parameters,
            }})
        })
        .collect()
}

struct Messages<'a> {
    turns: &'a [Turn<'a>],
    names: &'a NameMap,
    /// The field in which a model's thoughts go back to it.
    thinking: Option<&'a str>,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for turn in self.turns {
            match turn.role {
                Role::Tool => {
                    for piece in &turn.pieces {
                        if let Piece::Result {
                            id,
                            name,
                            content,
                            is_error,
                        } = piece
                        {
                            list.serialize_element(&ToolMessage {
                                role: "tool",
                                content: result_text(content, *is_error),
                                tool_name: self.names.wire(name),
                                tool_call_id: id,
                            })?;
                        }
                    }
                }
                Role::Assistant => {
                    let said = assistant(turn, self.names);
                    if !said.content.is_empty() || !said.tool_calls.is_empty() {
                        list.serialize_element(&AssistantMessage {
                            said: &said,
                            field: self.thinking,
                        })?;
                    }
                }
                Role::System => list.serialize_element(&spoken("system", turn))?,
                Role::User => list.serialize_element(&spoken("user", turn))?,
            }
        }
        list.end()
    }
}

#[derive(Serialize)]
struct ToolMessage<'a> {
    role: &'a str,
    content: Cow<'a, str>,
    tool_name: Cow<'a, str>,
    tool_call_id: &'a str,
}

#[derive(Serialize)]
struct Spoken<'a> {
    role: &'a str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
}

fn spoken<'a>(role: &'a str, turn: &Turn<'a>) -> Spoken<'a> {
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for piece in &turn.pieces {
        match piece {
            Piece::Text(text) => texts.push(*text),
            Piece::Image { data, .. } => images.push(*data),
            Piece::Reasoning { .. } | Piece::Call { .. } | Piece::Result { .. } => {}
        }
    }
    Spoken {
        role,
        content: joined(&texts),
        images,
    }
}

struct Said<'a> {
    content: Cow<'a, str>,
    thinking: Cow<'a, str>,
    tool_calls: Vec<CallOut<'a>>,
}

#[derive(Serialize)]
struct CallOut<'a> {
    id: &'a str,
    function: FunctionOut<'a>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    name: Cow<'a, str>,
    arguments: Arguments<'a>,
}

/// Arguments as the object itself.
struct Arguments<'a>(Cow<'a, str>);

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(object) => object.serialize(serializer),
            Err(_) => Map::<String, Value>::new().serialize(serializer), // cannot be: what does not parse was wrapped
        }
    }
}

fn assistant<'a>(turn: &'a Turn<'a>, names: &'a NameMap) -> Said<'a> {
    let mut texts = Vec::new();
    let mut thoughts = Vec::new();
    let mut tool_calls = Vec::new();
    for piece in &turn.pieces {
        match piece {
            Piece::Text(text) => texts.push(*text),
            Piece::Reasoning { text, .. } => thoughts.push(*text),
            Piece::Call { id, name, args, .. } => tool_calls.push(CallOut {
                id,
                function: FunctionOut {
                    name: names.wire(name),
                    arguments: Arguments(readable_args(args)),
                },
            }),
            Piece::Image { .. } | Piece::Result { .. } => {}
        }
    }
    Said {
        content: joined(&texts),
        thinking: joined(&thoughts),
        tool_calls,
    }
}

struct AssistantMessage<'a> {
    said: &'a Said<'a>,
    field: Option<&'a str>,
}

impl Serialize for AssistantMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("role", "assistant")?;
        map.serialize_entry("content", &self.said.content)?;
        if let Some(field) = self.field
            && !self.said.thinking.is_empty()
        {
            map.serialize_entry(field, &self.said.thinking)?;
        }
        if !self.said.tool_calls.is_empty() {
            map.serialize_entry("tool_calls", &self.said.tool_calls)?;
        }
        map.end()
    }
}
