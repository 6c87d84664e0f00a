//! Requests of the Gemini dialect: the system's texts apart, users and models in turns, calls answered by the content
//! behind them, signatures on the part they came on.

use std::borrow::Cow;

use bwana_types::message::{Opaque, Role};
use bwana_types::model::{LlmError, Request, ToolChoice, ToolDecl};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::decode::{CALL_ID, SIGNATURE, SIGNED_BYTES, THOUGHT};
use super::{GEMINI, path};
use crate::body::{args_object, join_settings, to_bytes};
use crate::dialect::{Encoded, ReplyContext};
use crate::names::NameMap;
use crate::openai_chat::encode::{Fields, instruction, named};
use crate::quirks::{Quirks, SchemaRule, SystemRule};
use crate::repair::{Piece, Turn, repair};
use crate::sanitize::{Relaxed, for_gemini, for_gemini_openapi};

/// The field of an answer's schema, and what an older server knows instead.
pub(super) const RESPONSE_SCHEMA: &str = "responseJsonSchema";
const RESPONSE_SCHEMA_OLDER: &str = "responseSchema";
/// The field of a tool's parameters, and what an older server knows instead.
pub(super) const PARAMETERS_SCHEMA: &str = "parametersJsonSchema";
const PARAMETERS_SCHEMA_OLDER: &str = "parameters";
/// What is streamed as server-sent events; without it as one long list.
const METHOD: &str = "streamGenerateContent?alt=sse";
/// What the API takes for the signature of a call that another model made.
/// Source: "Thought signatures", FAQ, <https://ai.google.dev/gemini-api/docs/thought-signatures>.
const FOREIGN_SIGNATURE: &str = "skip_thought_signature_validator";
/// The API takes seeds of 31 bits.
const SEED_MASK: u64 = 0x7FFF_FFFF;

pub(super) fn encode(request: &Request, quirks: &Quirks) -> Result<Encoded, LlmError> {
    named(request)?;
    let names = NameMap::new(request.tools.iter().map(|tool| tool.name.as_str()));
    let mut relaxed = Relaxed::default();
    let format = format(request, quirks, &mut relaxed);
    let tools = tools(request, quirks, &names, &mut relaxed);
    let ordered = ordered(quirks);
    let instruction = instruction(request, &ordered);
    let turns = repair(&request.messages, &ordered, instruction.as_deref());
    let said = Conversation {
        names: &names,
        quirks,
        model: &request.model,
    };
    let (system, contents) = said.contents(&turns);
    let mut extra = Cow::Borrowed(&request.extra);
    let ours = settings(request, format.unwrap_or_default());
    let settings = join_settings("generationConfig", ours, &mut extra, &quirks.omit);
    let body = Body {
        request,
        extra: &extra,
        quirks,
        names: &names,
        system,
        contents,
        tools,
        settings,
    };
    Ok(Encoded {
        path: path(&request.model, METHOD).into(),
        headers: Vec::new(),
        body: to_bytes(&body, &turns)?,
        context: ReplyContext {
            model: request.model.clone(),
            names,
            relaxed,
        },
    })
}

/// The dialect has no other order than this, whoever speaks it.
fn ordered(quirks: &Quirks) -> Quirks {
    Quirks {
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
    system: Vec<PartOut<'a>>,
    contents: Vec<ContentOut<'a>>,
    tools: Vec<Value>,
    settings: Map<String, Value>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = Fields {
            map: serializer.serialize_map(None)?,
            extra: self.extra,
            omit: &self.quirks.omit,
        };
        if !self.system.is_empty() {
            fields.put(
                "systemInstruction",
                &Parts {
                    parts: &self.system,
                },
            )?;
        }
        fields.put("contents", &self.contents)?;
        fields.put("generationConfig", &self.settings)?;
        if !self.tools.is_empty() {
            fields.put("tools", &[json!({"functionDeclarations": self.tools})])?;
            if let Some(config) = tool_config(&self.request.tool_choice, self.names) {
                fields.put("toolConfig", &config)?;
            }
        }
        for (key, value) in self.extra {
            fields.map.serialize_entry(key, value)?;
        }
        fields.map.end()
    }
}

/// What the answer should be like, added to how it should be written.
fn settings(request: &Request, mut settings: Map<String, Value>) -> Map<String, Value> {
    let mut put = |key: &str, value: Value| {
        settings.insert(key.to_owned(), value);
    };
    put("maxOutputTokens", json!(request.max_output_tokens));
    if let Some(temperature) = request.temperature {
        // As short as it was written, not as long as its bits: 0.2 and not 0.20000000298.
        let shown = temperature.to_string().parse::<f64>();
        put(
            "temperature",
            json!(shown.unwrap_or_else(|_| temperature.into())),
        );
    }
    if let Some(seed) = request.seed {
        put("seed", json!(seed & SEED_MASK));
    }
    if !request.stop.is_empty() {
        put("stopSequences", json!(request.stop));
    }
    settings
}

#[derive(Serialize)]
struct Parts<'a> {
    parts: &'a [PartOut<'a>],
}

#[derive(Serialize)]
struct ContentOut<'a> {
    role: &'static str,
    parts: Vec<PartOut<'a>>,
}

struct PartOut<'a> {
    said: Said<'a>,
    signature: Option<&'a str>,
}

enum Said<'a> {
    Text(&'a str),
    Thought(&'a str),
    Image {
        mime: &'a str,
        data: &'a str,
    },
    Call {
        id: Option<&'a str>,
        name: Cow<'a, str>,
        args: Box<RawValue>,
    },
    Response {
        id: Option<&'a str>,
        name: Cow<'a, str>,
        content: &'a str,
        is_error: bool,
    },
}

impl Serialize for PartOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Call<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a str>,
            name: &'a str,
            args: &'a RawValue,
        }
        #[derive(Serialize)]
        struct Answered<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a str>,
            name: &'a str,
            response: Value,
        }
        let mut map = serializer.serialize_map(None)?;
        match &self.said {
            Said::Text(text) => map.serialize_entry("text", text)?,
            Said::Thought(text) => {
                map.serialize_entry("text", text)?;
                map.serialize_entry(THOUGHT, &true)?;
            }
            Said::Image { mime, data } => {
                map.serialize_entry("inlineData", &json!({"mimeType": mime, "data": data}))?;
            }
            Said::Call { id, name, args } => {
                let call = Call {
                    id: *id,
                    name,
                    args,
                };
                map.serialize_entry("functionCall", &call)?;
            }
            Said::Response {
                id,
                name,
                content,
                is_error,
            } => {
                let key = if *is_error { "error" } else { "output" };
                let response = Answered {
                    id: *id,
                    name,
                    response: json!({ key: content }),
                };
                map.serialize_entry("functionResponse", &response)?;
            }
        }
        if let Some(signature) = self.signature {
            map.serialize_entry(SIGNATURE, signature)?;
        }
        map.end()
    }
}

/// What the turns of a conversation are said with.
struct Conversation<'a> {
    names: &'a NameMap,
    quirks: &'a Quirks,
    model: &'a str,
}

impl<'a> Conversation<'a> {
    fn contents(&self, turns: &'a [Turn<'a>]) -> (Vec<PartOut<'a>>, Vec<ContentOut<'a>>) {
        let mut system = Vec::new();
        let mut contents: Vec<ContentOut<'a>> = Vec::with_capacity(turns.len());
        // The ids the API gave the latest calls; its results come in the order of the calls.
        let mut ids: Vec<Option<&'a str>> = Vec::new();
        for turn in turns {
            let (role, parts) = match turn.role {
                Role::System => {
                    system.extend(turn.pieces.iter().filter_map(spoken));
                    continue;
                }
                Role::User => ("user", turn.pieces.iter().filter_map(spoken).collect()),
                Role::Assistant => {
                    ids.clear();
                    ("model", self.model_parts(turn, &mut ids))
                }
                Role::Tool => ("user", self.responses(turn, &ids)),
            };
            if !parts.is_empty() {
                contents.push(ContentOut { role, parts });
            }
        }
        (system, contents)
    }

    fn model_parts(&self, turn: &'a Turn<'a>, ids: &mut Vec<Option<&'a str>>) -> Vec<PartOut<'a>> {
        let mut parts: Vec<PartOut<'a>> = Vec::with_capacity(turn.pieces.len());
        for piece in &turn.pieces {
            match piece {
                Piece::Reasoning { text, opaque } => {
                    if let Some(data) = self.own(*opaque) {
                        signed(text, data, &mut parts);
                    }
                }
                Piece::Call {
                    name, args, opaque, ..
                } => {
                    let own = self.own(*opaque);
                    let text_at = |key: &str| own.and_then(|data| data.get(key)?.as_str());
                    let id = text_at(CALL_ID);
                    // Only the first call of a step is asked for its signature.
                    let is_foreign = own.is_none() && ids.is_empty();
                    let may_sign = !self.quirks.omit.contains(SIGNATURE);
                    let signature = text_at(SIGNATURE)
                        .or((is_foreign && may_sign).then_some(FOREIGN_SIGNATURE));
                    ids.push(id);
                    parts.push(PartOut {
                        said: Said::Call {
                            id,
                            name: self.names.wire(name),
                            args: args_object(args),
                        },
                        signature,
                    });
                }
                _ => parts.extend(spoken(piece)),
            }
        }
        parts
    }

    fn responses(&self, turn: &'a Turn<'a>, ids: &[Option<&'a str>]) -> Vec<PartOut<'a>> {
        let one = |(at, piece): (usize, &'a Piece<'a>)| match piece {
            Piece::Result {
                name,
                content,
                is_error,
                ..
            } => Some(PartOut {
                said: Said::Response {
                    id: ids.get(at).copied().flatten(),
                    name: self.names.wire(name),
                    content,
                    is_error: *is_error,
                },
                signature: None,
            }),
            _ => None,
        };
        turn.pieces.iter().enumerate().filter_map(one).collect()
    }

    /// What came from this dialect and model; everything else stays here.
    fn own(&self, opaque: Option<&'a Opaque>) -> Option<&'a Value> {
        opaque
            .filter(|o| o.dialect == GEMINI && o.model == self.model)
            .map(|o| &o.data)
    }
}

fn spoken<'a>(piece: &'a Piece<'a>) -> Option<PartOut<'a>> {
    let said = match piece {
        Piece::Text(text) => Said::Text(text),
        Piece::Image { mime, data } => Said::Image { mime, data },
        _ => return None,
    };
    Some(PartOut {
        said,
        signature: None,
    })
}

/// Puts a signature back where it was: on its thought, on the last bytes of the text before it, or on a part of its own.
fn signed<'a>(text: &'a str, data: &'a Value, parts: &mut Vec<PartOut<'a>>) {
    let Some(signature) = data.get(SIGNATURE).and_then(Value::as_str) else {
        return;
    };
    let signature = Some(signature);
    if data.get(THOUGHT) == Some(&Value::Bool(true)) {
        parts.push(PartOut {
            said: Said::Thought(text),
            signature,
        });
        return;
    }
    let bytes = data.get(SIGNED_BYTES).and_then(Value::as_u64);
    let bytes = bytes.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let mut tail = "";
    if let Some(last) = parts.last_mut().filter(|last| last.signature.is_none())
        && let Said::Text(said) = &mut last.said
        && let Some(at) = said
            .len()
            .checked_sub(bytes)
            .filter(|at| said.is_char_boundary(*at))
    {
        (*said, tail) = said.split_at(at);
        if said.is_empty() {
            parts.pop();
        }
    }
    parts.push(PartOut {
        said: Said::Text(tail),
        signature,
    });
}

fn tools(request: &Request, quirks: &Quirks, names: &NameMap, relaxed: &mut Relaxed) -> Vec<Value> {
    let older = quirks.omit.contains(PARAMETERS_SCHEMA);
    let one = |tool: &ToolDecl| {
        let mut out = json!({
            "name": names.wire(&tool.name),
            "description": tool.description,
        });
        let (key, form) = schema(&tool.parameters, older, PARAMETERS_SCHEMA);
        if form.relaxed {
            let given = tool.parameters.clone();
            relaxed.tools.insert(tool.name.clone(), given);
        }
        // A tool without parameters has no schema: an empty object is refused.
        if has_parameters(&form.schema) {
            out[key] = form.schema;
            out[key]["type"] = json!("object");
        }
        out
    };
    request.tools.iter().map(one).collect()
}

fn has_parameters(schema: &Value) -> bool {
    ["properties", "additionalProperties", "anyOf", "oneOf"]
        .iter()
        .any(|key| {
            schema
                .get(*key)
                .is_some_and(|value| *value != Value::Bool(false))
        })
}

struct Form {
    schema: Value,
    relaxed: bool,
}

/// A schema in the form the server knows, and the field it goes into.
fn schema(given: &Value, older: bool, newer_field: &'static str) -> (&'static str, Form) {
    let older_field = match newer_field {
        PARAMETERS_SCHEMA => PARAMETERS_SCHEMA_OLDER,
        _ => RESPONSE_SCHEMA_OLDER,
    };
    let none = || json!({"type": "object"});
    if older {
        let schema = for_gemini_openapi(given).unwrap_or_else(none);
        let relaxed = true;
        return (older_field, Form { schema, relaxed });
    }
    let form = for_gemini(given);
    let relaxed = form.as_ref().is_none_or(|form| form.relaxed);
    let schema = form.map_or_else(none, |form| form.schema);
    (newer_field, Form { schema, relaxed })
}

fn tool_config(choice: &ToolChoice, names: &NameMap) -> Option<Value> {
    let mode = match choice {
        ToolChoice::Auto => return None, // the default
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Named(name) => {
            json!({"mode": "ANY", "allowedFunctionNames": [names.wire(name)]})
        }
    };
    Some(json!({ "functionCallingConfig": mode }))
}

/// What asks for JSON; `None` where only words do.
fn format(request: &Request, quirks: &Quirks, relaxed: &mut Relaxed) -> Option<Map<String, Value>> {
    let output = request.schema.as_ref()?;
    let mut settings = Map::new();
    settings.insert(String::from("responseMimeType"), json!("application/json"));
    match quirks.schema {
        SchemaRule::Prompt => return None,
        SchemaRule::JsonObject => {}
        SchemaRule::Strict | SchemaRule::Plain => {
            let older = quirks.omit.contains(RESPONSE_SCHEMA);
            let (key, form) = schema(&output.schema, older, RESPONSE_SCHEMA);
            relaxed.output = form.relaxed.then(|| output.schema.clone());
            settings.insert(key.to_owned(), form.schema);
        }
    }
    Some(settings)
}
