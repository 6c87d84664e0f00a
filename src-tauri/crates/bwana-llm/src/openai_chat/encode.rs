//! Requests of the chat dialect: one pass from a repaired conversation to bytes, texts borrowed all the way.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bwana_types::message::Role;
use bwana_types::model::{ErrorKind, LlmError, Request, ToolChoice, ToolDecl};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::OPENAI_CHAT;
use crate::dialect::{Encoded, ReplyContext};
use crate::names::NameMap;
use crate::quirks::{MaxTokensField, Quirks, SchemaRule};
use crate::repair::{Piece, Turn, repair};
use crate::sanitize::{Relaxed, strict};

/// Where chat completions are asked for, below the base URL.
const PATH: &str = "chat/completions";
/// The longest name of a schema, in characters.
const SCHEMA_NAME_MAX_CHARS: usize = 64;

pub(super) fn encode(request: &Request, quirks: &Quirks) -> Result<Encoded, LlmError> {
    named(request)?;
    let names = NameMap::new(request.tools.iter().map(|tool| tool.name.as_str()));
    let mut relaxed = Relaxed::default();
    let format = response_format(request, quirks, &mut relaxed);
    let tools = tools(request, quirks, &names, &mut relaxed);
    let instruction = instruction(request, quirks);
    let turns = repair(&request.messages, quirks, instruction.as_deref());
    let body = Body {
        request,
        quirks,
        names: &names,
        messages: Messages {
            turns: &turns,
            names: &names,
            quirks,
            model: &request.model,
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

/// # Errors
/// `BadRequest` if no model is named.
pub(crate) fn named(request: &Request) -> Result<(), LlmError> {
    if request.model.is_empty() {
        return Err(LlmError::new(
            ErrorKind::BadRequest,
            "cannot be asked without the name of a model; choose one of its list",
        ));
    }
    Ok(())
}

pub(crate) fn no_json(error: &serde_json::Error) -> LlmError {
    LlmError::new(
        ErrorKind::BadRequest,
        format!("cannot be asked this: it does not fit into JSON ({error})"),
    )
}

struct Body<'a> {
    request: &'a Request,
    quirks: &'a Quirks,
    names: &'a NameMap,
    messages: Messages<'a>,
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
        fields.put("messages", &self.messages)?;
        fields.put("stream", &true)?;
        if quirks.usage_option {
            fields.put("stream_options", &json!({"include_usage": true}))?;
        }
        let limit = match quirks.max_tokens_field {
            MaxTokensField::MaxTokens => "max_tokens",
            MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
        };
        fields.put(limit, &request.max_output_tokens)?;
        if let Some(temperature) = request.temperature {
            fields.put("temperature", &temperature)?;
        }
        if let Some(seed) = request.seed {
            fields.put("seed", &seed)?;
        }
        if !request.stop.is_empty() {
            fields.put("stop", &request.stop)?;
        }
        if let Some(format) = &self.format {
            fields.put("response_format", format)?;
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
                fields.put("reasoning_effort", effort)?;
            }
        }
        for (key, value) in &request.extra {
            fields.map.serialize_entry(key, value)?;
        }
        fields.map.end()
    }
}

/// The fields of a body: what the caller adds by hand wins, what the provider refuses stays out.
pub(crate) struct Fields<'a, M> {
    pub(crate) map: M,
    pub(crate) extra: &'a Map<String, Value>,
    pub(crate) omit: &'a BTreeSet<String>,
}

impl<M: SerializeMap> Fields<'_, M> {
    pub(crate) fn put<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
    ) -> Result<(), M::Error> {
        if self.extra.contains_key(key) || self.omit.contains(key) {
            return Ok(());
        }
        self.map.serialize_entry(key, value)
    }
}

struct Messages<'a> {
    turns: &'a [Turn<'a>],
    names: &'a NameMap,
    quirks: &'a Quirks,
    model: &'a str,
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
                            content,
                            is_error,
                            ..
                        } = piece
                        {
                            list.serialize_element(&ToolMessage {
                                role: "tool",
                                tool_call_id: id,
                                content: result_text(content, *is_error),
                            })?;
                        }
                    }
                }
                Role::Assistant => {
                    let wire = assistant(turn, self);
                    if !wire.is_empty() {
                        list.serialize_element(&wire)?;
                    }
                }
                Role::System | Role::User => list.serialize_element(&Spoken {
                    role: if turn.role == Role::System {
                        "system"
                    } else {
                        "user"
                    },
                    content: spoken(turn),
                })?,
            }
        }
        list.end()
    }
}

#[derive(Serialize)]
struct ToolMessage<'a> {
    role: &'a str,
    tool_call_id: &'a str,
    content: Cow<'a, str>,
}

#[derive(Serialize)]
struct Spoken<'a> {
    role: &'a str,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
}

struct Assistant<'a> {
    /// Null beside calls, as the dialect has it.
    content: Option<Cow<'a, str>>,
    /// The reasoning, under the name its provider gives it.
    reasoning: Option<(&'a str, Cow<'a, str>)>,
    reasoning_details: Option<&'a Value>,
    tool_calls: Vec<CallOut<'a>>,
}

impl Assistant<'_> {
    /// Whether there is nothing a provider could read; an empty assistant message is refused by many.
    fn is_empty(&self) -> bool {
        self.content.is_none() && self.tool_calls.is_empty()
    }
}

impl Serialize for Assistant<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("role", "assistant")?;
        map.serialize_entry("content", &self.content)?;
        if let Some((field, text)) = &self.reasoning {
            map.serialize_entry(field, text)?;
        }
        if let Some(details) = self.reasoning_details {
            map.serialize_entry("reasoning_details", details)?;
        }
        if !self.tool_calls.is_empty() {
            map.serialize_entry("tool_calls", &self.tool_calls)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct CallOut<'a> {
    id: &'a str,
    r#type: &'a str,
    function: FunctionOut<'a>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    name: Cow<'a, str>,
    arguments: Cow<'a, str>,
}

fn assistant<'a>(turn: &'a Turn<'a>, messages: &Messages<'a>) -> Assistant<'a> {
    let mut texts = Vec::new();
    let mut thoughts = Vec::new();
    let mut details = None;
    let mut tool_calls = Vec::new();
    for piece in &turn.pieces {
        match piece {
            Piece::Text(text) => texts.push(*text),
            Piece::Reasoning { text, opaque } => {
                thoughts.push(*text);
                // Opaque data goes back to its own dialect and model only, unchanged.
                details = opaque
                    .filter(|o| o.dialect == OPENAI_CHAT && o.model == messages.model)
                    .map(|o| &o.data)
                    .or(details);
            }
            Piece::Call { id, name, args, .. } => tool_calls.push(CallOut {
                id,
                r#type: "function",
                function: FunctionOut {
                    name: messages.names.wire(name),
                    arguments: readable_args(args),
                },
            }),
            Piece::Image { .. } | Piece::Result { .. } => {}
        }
    }
    let field = messages.quirks.echo_reasoning.as_deref();
    let thoughts = joined(&thoughts);
    Assistant {
        content: (!texts.is_empty()).then(|| joined(&texts)),
        reasoning_details: details,
        tool_calls,
        reasoning: field
            .filter(|_| !thoughts.is_empty())
            .map(|field| (field, thoughts)),
    }
}

fn spoken<'a>(turn: &Turn<'a>) -> Content<'a> {
    let has_image = turn
        .pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Image { .. }));
    if !has_image {
        let texts: Vec<&str> = turn.pieces.iter().filter_map(text_of).collect();
        return Content::Text(joined(&texts));
    }
    let parts = turn.pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(ContentPart::Text { text }),
        Piece::Image { mime, data } => Some(ContentPart::ImageUrl {
            image_url: ImageUrl {
                url: format!("data:{mime};base64,{data}"),
            },
        }),
        _ => None,
    });
    Content::Parts(parts.collect())
}

fn text_of<'a>(piece: &Piece<'a>) -> Option<&'a str> {
    match piece {
        Piece::Text(text) => Some(text),
        _ => None,
    }
}

pub(crate) fn joined<'a>(texts: &[&'a str]) -> Cow<'a, str> {
    match texts {
        [] => Cow::Borrowed(""),
        [only] => Cow::Borrowed(only),
        several => Cow::Owned(several.join("\n\n")),
    }
}

/// The dialect has no flag for a failed tool, so the text says it.
pub(crate) fn result_text(content: &str, is_error: bool) -> Cow<'_, str> {
    let says_so = content
        .get(..5)
        .is_some_and(|head| head.eq_ignore_ascii_case("error"));
    if is_error && !says_so {
        Cow::Owned(format!("Error: {content}"))
    } else {
        Cow::Borrowed(content)
    }
}

/// Arguments as text that parses: servers with chat templates fail on what does not, and a cut call stays in history.
pub(crate) fn readable_args(args: &str) -> Cow<'_, str> {
    if args.trim().is_empty() {
        Cow::Borrowed("{}")
    } else if serde_json::from_str::<&RawValue>(args)
        .is_ok_and(|value| value.get().trim_start().starts_with('{'))
    {
        Cow::Borrowed(args)
    } else {
        Cow::Owned(json!({ "unreadable_arguments": args }).to_string())
    }
}

fn tools(request: &Request, quirks: &Quirks, names: &NameMap, relaxed: &mut Relaxed) -> Vec<Value> {
    let one = |tool: &ToolDecl| {
        let strict_form = quirks
            .strict_tools
            .then(|| strict(&tool.parameters))
            .flatten();
        let mut function = json!({
            "name": names.wire(&tool.name),
            "description": tool.description,
        });
        if let Some(form) = strict_form {
            if form.relaxed {
                relaxed
                    .tools
                    .insert(tool.name.clone(), tool.parameters.clone());
            }
            function["parameters"] = form.schema;
            function["strict"] = json!(true);
        } else {
            function["parameters"] = tool.parameters.clone();
        }
        json!({"type": "function", "function": function})
    };
    request.tools.iter().map(one).collect()
}

fn tool_choice(choice: &ToolChoice, names: &NameMap) -> Option<Value> {
    match choice {
        ToolChoice::Auto => None, // the default everywhere, and some servers refuse the word
        ToolChoice::None => Some(json!("none")),
        ToolChoice::Required => Some(json!("required")),
        ToolChoice::Named(name) => {
            Some(json!({"type": "function", "function": {"name": names.wire(name)}}))
        }
    }
}

fn response_format(request: &Request, quirks: &Quirks, relaxed: &mut Relaxed) -> Option<Value> {
    let output = request.schema.as_ref()?;
    let name = schema_name(&output.name);
    let strict_form = (quirks.schema == SchemaRule::Strict)
        .then(|| strict(&output.schema))
        .flatten();
    if let Some(form) = strict_form {
        relaxed.output = form.relaxed.then(|| output.schema.clone());
        return Some(json!({"type": "json_schema",
            "json_schema": {"name": name, "strict": true, "schema": form.schema}}));
    }
    match quirks.schema {
        SchemaRule::Strict | SchemaRule::Plain => Some(json!({"type": "json_schema",
            "json_schema": {"name": name, "schema": output.schema}})),
        SchemaRule::JsonObject => Some(json!({"type": "json_object"})),
        SchemaRule::Prompt => None,
    }
}

/// The schema in words, for providers that take it in no other way.
pub(crate) fn instruction(request: &Request, quirks: &Quirks) -> Option<String> {
    let output = request.schema.as_ref()?;
    matches!(quirks.schema, SchemaRule::JsonObject | SchemaRule::Prompt).then(|| {
        format!(
            "Answer with one JSON value and nothing else. It must be valid for this JSON Schema:\n{}",
            output.schema
        )
    })
}

pub(crate) fn schema_name(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .take(SCHEMA_NAME_MAX_CHARS)
        .collect();
    if clean.is_empty() {
        String::from("answer")
    } else {
        clean
    }
}

/// Room for the body, so that a long conversation is written without growing the buffer again and again.
pub(crate) fn size_hint(turns: &[Turn<'_>]) -> usize {
    const AROUND_MESSAGE_BYTES: usize = 64;
    const AROUND_BODY_BYTES: usize = 1_024;
    let pieces = turns.iter().flat_map(|turn| &turn.pieces);
    let texts = pieces.map(|piece| match piece {
        Piece::Text(text) | Piece::Reasoning { text, .. } => text.len() + AROUND_MESSAGE_BYTES,
        Piece::Image { data, .. } => data.len() + AROUND_MESSAGE_BYTES,
        Piece::Call { args, .. } => args.len() + 2 * AROUND_MESSAGE_BYTES,
        Piece::Result { content, .. } => content.len() + 2 * AROUND_MESSAGE_BYTES,
    });
    texts.sum::<usize>() + AROUND_BODY_BYTES
}
