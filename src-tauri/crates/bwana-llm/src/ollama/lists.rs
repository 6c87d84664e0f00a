//! The two plain questions beside chat: which models there are (with their sizes), and vectors for texts.

use bwana_types::message::Usage;
use bwana_types::model::{Embedded, ErrorKind, LlmError, ModelInfo};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hinted;
use crate::dialect::{Encoded, ReplyContext};
use crate::openai_chat::lists::{MODELS_MAX, malformed, parse, sound};
use crate::openai_chat::wire::{Loose, tokens};

/// A model on the server's disk, as `/api/tags` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Tag {
    /// Exactly as it is asked for.
    pub name: String,
    /// On disk; about what it takes in memory, without its context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// In the server's words, like `3.2B`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// In the server's words, like `Q4_K_M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,
}

/// Reads the answer to `GET /api/tags`.
///
/// # Errors
/// The server's own error, or `Malformed`.
pub fn decode_tags(body: &[u8]) -> Result<Vec<Tag>, LlmError> {
    let tag = |entry: &Value| {
        let text = |at: &str| text_at(entry, at);
        Some(Tag {
            name: text("/model").or_else(|| text("/name"))?.to_owned(),
            size_bytes: entry.get("size").and_then(Value::as_u64),
            parameters: text("/details/parameter_size").map(str::to_owned),
            quantization: text("/details/quantization_level").map(str::to_owned),
        })
    };
    Ok(entries(body)?.iter().filter_map(tag).collect())
}

/// A model in the server's memory, as `/api/ps` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Running {
    pub name: String,
    /// The context it really runs with; older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// In memory, its context included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

/// Reads the answer to `GET /api/ps`: the only place that tells which context a model really has.
///
/// # Errors
/// The server's own error, or `Malformed`.
pub fn decode_running(body: &[u8]) -> Result<Vec<Running>, LlmError> {
    let entries = entries(body)?;
    let running = |entry: &Value| {
        let context = entry.get("context_length").and_then(Value::as_u64);
        Some(Running {
            name: text_at(entry, "/model")
                .or_else(|| text_at(entry, "/name"))?
                .to_owned(),
            context_tokens: context
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| *n > 0),
            size_bytes: entry.get("size").and_then(Value::as_u64),
        })
    };
    Ok(entries.iter().filter_map(running).collect())
}

/// The entries of a list of models.
fn entries(body: &[u8]) -> Result<Vec<Value>, LlmError> {
    let mut read: Value = parse(body, "model list").map_err(hinted)?;
    match read.get_mut("models").map(Value::take) {
        Some(Value::Array(mut list)) => {
            list.truncate(MODELS_MAX);
            Ok(list)
        }
        Some(Value::Null) => Ok(Vec::new()), // what an empty list is to a Go program
        _ => Err(malformed(body, "sent no model list")),
    }
}

fn text_at<'a>(entry: &'a Value, at: &str) -> Option<&'a str> {
    entry.pointer(at)?.as_str().filter(|text| !text.is_empty())
}

pub(super) fn decode_models(body: &[u8]) -> Result<Vec<ModelInfo>, LlmError> {
    let tags = decode_tags(body)?;
    // The list does not say with how much context a model will be run.
    let model = |tag: Tag| ModelInfo {
        id: tag.name,
        context_tokens: None,
    };
    Ok(tags.into_iter().map(model).collect())
}

pub(super) fn encode_embed(model: &str, texts: &[String]) -> Result<Encoded, LlmError> {
    let body = serde_json::to_vec(&json!({"model": model, "input": texts}))
        .map_err(|error| LlmError::new(ErrorKind::BadRequest, error.to_string()))?;
    Ok(Encoded {
        path: "embed".into(),
        headers: Vec::new(),
        body,
        context: ReplyContext::default(),
    })
}

#[derive(Deserialize)]
struct Vectors {
    embeddings: Vec<Vec<f32>>,
    #[serde(default)]
    prompt_eval_count: Loose<f64>,
}

pub(super) fn decode_embed(body: &[u8], count: usize) -> Result<Embedded, LlmError> {
    let read: Vectors = parse(body, "vectors").map_err(hinted)?;
    if read.embeddings.len() != count {
        let got = read.embeddings.len();
        let message = format!("sent {got} vectors for {count} texts");
        return Err(malformed(body, &message));
    }
    sound(&read.embeddings, body)?;
    let input_tokens = read.prompt_eval_count.0.map_or(0, tokens);
    Ok(Embedded {
        vectors: read.embeddings,
        usage: (input_tokens > 0).then_some(Usage {
            input_tokens,
            ..Usage::default()
        }),
    })
}
