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
    let read: Value = parse(body, "model list").map_err(hinted)?;
    let list = read.get("models").and_then(|list| match list {
        Value::Array(list) => Some(list.as_slice()),
        Value::Null => Some(&[]), // what an empty list is to a Go program
        _ => None,
    });
    let list = list.ok_or_else(|| malformed(body, "sent no model list"))?;
    let tag = |entry: &Value| {
        let text = |at: &str| entry.pointer(at)?.as_str().filter(|text| !text.is_empty());
        Some(Tag {
            name: text("/model").or_else(|| text("/name"))?.to_owned(),
            size_bytes: entry.get("size").and_then(Value::as_u64),
            parameters: text("/details/parameter_size").map(str::to_owned),
            quantization: text("/details/quantization_level").map(str::to_owned),
        })
    };
    Ok(list.iter().filter_map(tag).take(MODELS_MAX).collect())
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
        path: "embed",
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
