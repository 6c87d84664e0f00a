//! Requests of the responses dialect: one pass from a repaired conversation to bytes, texts borrowed all the way, and
//! the provider's own thoughts returned byte for byte.

use std::borrow::Cow;

use bwana_types::message::{Opaque, Role};
use bwana_types::model::{ErrorKind, LlmError, Request, ToolChoice, ToolDecl};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{OPENAI_RESPONSES, SEALED};
use crate::dialect::{Encoded, ReplyContext};
use crate::names::NameMap;
use crate::openai_chat::encode::{
    Fields, instruction, named, no_json, readable_args, result_text, schema_name, size_hint,
};
use crate::quirks::{Quirks, SchemaRule};
use crate::repair::{Piece, Turn, repair};
use crate::sanitize::{Relaxed, strict};

/// Where responses are asked for, below the base URL.
const PATH: &str = "responses";

pub(super) fn encode(request: &Request, quirks: &Quirks) -> Result<Encoded, LlmError> {
    named(request)?;
    if !request.stop.is_empty() {
        return Err(LlmError::new(
            ErrorKind::BadRequest,
            "cannot be told where to stop in its responses interface; leave the stop sequences away, or use its chat \
             completions",
        ));
    }
    let names = NameMap::new(request.tools.iter().map(|tool| tool.name.as_str()));
    let mut relaxed = Relaxed::default();
    let format = format(request, quirks, &mut relaxed);
    let tools = tools(request, quirks, &names, &mut relaxed);
    let instruction = instruction(request, quirks);
    let turns = repair(&request.messages, quirks, instruction.as_deref());
    let leading = turns.iter().take_while(|turn| turn.role == Role::System);
    // Something must be left to answer.
    let leading = Some(leading.count()).filter(|leading| *leading < turns.len());
    let (told, said) = turns.split_at(leading.unwrap_or_default());
    let body = Body {
        request,
        quirks,
        names: &names,
        instructions: instructions(told),
        input: Input {
            turns: said,
            names: &names,
            model: &request.model,
            seals: !quirks.omit.contains(SEALED),
        },
        tools,
        format,
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
            relaxed,
        },
    })
}

struct Body<'a> {
    request: &'a Request,
    quirks: &'a Quirks,
    names: &'a NameMap,
    instructions: Option<Cow<'a, str>>,
    input: Input<'a>,
    tools: Vec<Value>,
    format: Option<Value>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (request, quirks) = (self.request, self.quirks);
        let mut fields = Fields {
            map: serializer.serialize_map(None)?,
            extra: &request.extra,
            omit: &quirks.omit,
        };
        fields.put("model", &request.model)?;
        if let Some(instructions) = &self.instructions {
            fields.put("instructions", instructions)?;
        }
        fields.put("input", &self.input)?;
        fields.put("stream", &true)?;
        // The conversation stays here; what the provider must remember of its thoughts comes back sealed.
        fields.put("store", &false)?;
        fields.put("include", &["reasoning.encrypted_content"])?;
        fields.put("max_output_tokens", &request.max_output_tokens)?;
        if let Some(temperature) = request.temperature {
            fields.put("temperature", &temperature)?;
        }
        if let Some(format) = &self.format {
            fields.put("text", &json!({ "format": format }))?;
        }
        if !self.tools.is_empty() {
            fields.put("tools", &self.tools)?;
            if let Some(choice) = tool_choice(&request.tool_choice, self.names) {
                fields.put("tool_choice", &choice)?;
            }
            if let Some(parallel) = quirks.parallel_tool_calls {
                fields.put("parallel_tool_calls", &parallel)?;
            }
            if let Some(effort) = &quirks.effort_with_tools {
                fields.put("reasoning", &json!({ "effort": effort }))?;
            }
        }
        if let Some(key) = &quirks.prompt_cache_key {
            fields.put("prompt_cache_key", key)?;
        }
        for (key, value) in &request.extra {
            fields.map.serialize_entry(key, value)?;
        }
        fields.map.end()
    }
}

fn instructions<'a>(told: &[Turn<'a>]) -> Option<Cow<'a, str>> {
    let pieces = told.iter().flat_map(|turn| &turn.pieces);
    let texts: Vec<&str> = pieces.filter_map(text_of).collect();
    match texts.as_slice() {
        [] => None,
        [only] => Some(Cow::Borrowed(*only)),
        several => Some(Cow::Owned(several.join("\n\n"))),
    }
}

fn text_of<'a>(piece: &Piece<'a>) -> Option<&'a str> {
    match piece {
        Piece::Text(text) => Some(text),
        _ => None,
    }
}

/// The conversation as items.
struct Input<'a> {
    turns: &'a [Turn<'a>],
    names: &'a NameMap,
    model: &'a str,
    /// Whether sealed thoughts go back.
    seals: bool,
}

impl Serialize for Input<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for turn in self.turns {
            match turn.role {
                Role::Tool => {
                    for piece in &turn.pieces {
                        if let Piece::Result {
                            id,
                            content,
                            is_error,
                            ..
                        } = piece
                        {
                            list.serialize_element(&Item::FunctionCallOutput {
                                call_id: id,
                                output: result_text(content, *is_error),
                            })?;
                        }
                    }
                }
                Role::Assistant => self.assistant(turn, &mut list)?,
                Role::System => list.serialize_element(&heard("system", turn))?,
                Role::User => list.serialize_element(&heard("user", turn))?,
            }
        }
        list.end()
    }
}

impl Input<'_> {
    /// What the model said and did, in its own order: a thought stands right in front of what it led to.
    fn assistant<L: SerializeSeq>(&self, turn: &Turn<'_>, list: &mut L) -> Result<(), L::Error> {
        let does = |piece: &Piece<'_>| matches!(piece, Piece::Text(_) | Piece::Call { .. });
        let acts = turn.pieces.iter().rposition(does);
        for (at, piece) in turn.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => list.serialize_element(&Item::Message {
                    role: "assistant",
                    content: vec![Passage::OutputText { text }],
                })?,
                Piece::Call { id, name, args, .. } => {
                    list.serialize_element(&Item::FunctionCall {
                        call_id: id,
                        name: self.names.wire(name),
                        arguments: readable_args(args),
                    })?;
                }
                // A thought that led to nothing is refused.
                Piece::Reasoning { opaque, .. }
                    if self.seals && acts.is_some_and(|acts| at < acts) =>
                {
                    if let Some(sealed) = opaque.and_then(|opaque| sealed(opaque, self.model)) {
                        list.serialize_element(sealed)?;
                    }
                }
                Piece::Reasoning { .. } | Piece::Image { .. } | Piece::Result { .. } => {}
            }
        }
        Ok(())
    }
}

/// A thought as its provider gave it, for its own dialect and model only.
fn sealed<'a>(opaque: &'a Opaque, model: &str) -> Option<&'a RawValue> {
    let is_own = opaque.dialect == OPENAI_RESPONSES && opaque.model == model;
    let text = opaque.data.as_str().filter(|_| is_own)?;
    serde_json::from_str(text).ok()
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    Message {
        role: &'a str,
        content: Vec<Passage<'a>>,
    },
    FunctionCall {
        call_id: &'a str,
        name: Cow<'a, str>,
        arguments: Cow<'a, str>,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: Cow<'a, str>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Passage<'a> {
    InputText { text: &'a str },
    InputImage { image_url: String },
    OutputText { text: &'a str },
}

fn heard<'a>(role: &'a str, turn: &Turn<'a>) -> Item<'a> {
    let passages = turn.pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(Passage::InputText { text }),
        Piece::Image { mime, data } => Some(Passage::InputImage {
            image_url: format!("data:{mime};base64,{data}"),
        }),
        Piece::Reasoning { .. } | Piece::Call { .. } | Piece::Result { .. } => None,
    });
    let content = passages.collect();
    Item::Message { role, content }
}

fn tools(request: &Request, quirks: &Quirks, names: &NameMap, relaxed: &mut Relaxed) -> Vec<Value> {
    let one = |tool: &ToolDecl| {
        let strict_form = quirks
            .strict_tools
            .then(|| strict(&tool.parameters))
            .flatten();
        let is_strict = strict_form.is_some();
        let parameters = match strict_form {
            Some(form) => {
                if form.relaxed {
                    let given = tool.parameters.clone();
                    relaxed.tools.insert(tool.name.clone(), given);
                }
                form.schema
            }
            None => tool.parameters.clone(),
        };
        // Said even where it is false: this dialect takes silence for strict.
        json!({
            "type": "function",
            "name": names.wire(&tool.name),
            "description": tool.description,
            "parameters": parameters,
            "strict": is_strict,
        })
    };
    request.tools.iter().map(one).collect()
}

fn tool_choice(choice: &ToolChoice, names: &NameMap) -> Option<Value> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(json!("none")),
        ToolChoice::Required => Some(json!("required")),
        ToolChoice::Named(name) => Some(json!({"type": "function", "name": names.wire(name)})),
    }
}

fn format(request: &Request, quirks: &Quirks, relaxed: &mut Relaxed) -> Option<Value> {
    let output = request.schema.as_ref()?;
    let name = schema_name(&output.name);
    let strict_form = (quirks.schema == SchemaRule::Strict)
        .then(|| strict(&output.schema))
        .flatten();
    if let Some(form) = strict_form {
        relaxed.output = form.relaxed.then(|| output.schema.clone());
        return Some(
            json!({"type": "json_schema", "name": name, "strict": true, "schema": form.schema}),
        );
    }
    match quirks.schema {
        SchemaRule::Strict | SchemaRule::Plain => Some(
            json!({"type": "json_schema", "name": name, "strict": false, "schema": output.schema}),
        ),
        SchemaRule::JsonObject => Some(json!({"type": "json_object"})),
        SchemaRule::Prompt => None,
    }
}
