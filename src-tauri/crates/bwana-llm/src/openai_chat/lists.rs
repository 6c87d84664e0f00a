//! The two plain questions beside chat: which models there are, and vectors for texts.

use bwana_types::message::Usage;
use bwana_types::model::{Embedded, ErrorKind, LlmError, ModelInfo};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Loose, WireUsage};
use crate::classify::{kept_body, read_error, to_error};
use crate::dialect::{Encoded, ReplyContext};

/// Models one list may name.
pub(crate) const MODELS_MAX: usize = 10_000;

pub(crate) fn encode_embed(model: &str, texts: &[String]) -> Result<Encoded, LlmError> {
    let body = json!({"model": model, "input": texts, "encoding_format": "float"});
    let body = serde_json::to_vec(&body)
        .map_err(|error| LlmError::new(ErrorKind::BadRequest, error.to_string()))?;
    Ok(Encoded {
        path: "embeddings".into(),
        headers: Vec::new(),
        body,
        context: ReplyContext::default(),
    })
}

#[derive(Deserialize)]
struct Vectors {
    data: Vec<Row>,
    #[serde(default)]
    usage: Loose<WireUsage>,
}

#[derive(Deserialize)]
struct Row {
    index: Option<usize>,
    embedding: Embedding,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Embedding {
    Flat(Vec<f32>),
    /// Some servers give one vector a pooled sequence, wrapped.
    Nested(Vec<Vec<f32>>),
}

pub(crate) fn decode_embed(body: &[u8], count: usize) -> Result<Embedded, LlmError> {
    let read: Vectors = parse(body, "vectors")?;
    let wrong = |what: String| malformed(body, &what);
    if read.data.len() != count {
        let got = read.data.len();
        return Err(wrong(format!("sent {got} vectors for {count} texts")));
    }
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
    for (position, row) in read.data.into_iter().enumerate() {
        let index = row.index.unwrap_or(position);
        let vector = match row.embedding {
            Embedding::Flat(vector) => vector,
            Embedding::Nested(mut rows) if rows.len() == 1 => rows.remove(0),
            Embedding::Nested(rows) => {
                let got = rows.len();
                return Err(wrong(format!(
                    "sent {got} vectors for one text; it does not pool"
                )));
            }
        };
        match vectors.get_mut(index) {
            Some(place @ None) => *place = Some(vector),
            _ => return Err(wrong(format!("numbered a vector {index}, which cannot be"))),
        }
    }
    let vectors: Vec<Vec<f32>> = vectors.into_iter().flatten().collect();
    sound(&vectors, body)?;
    // An embedding has no output; a server that counts one counts the input twice.
    let usage = read.usage.0.and_then(|usage| usage.usage());
    let usage = usage.map(|usage| Usage {
        output_tokens: 0,
        ..usage
    });
    Ok(Embedded { vectors, usage })
}

/// # Errors
/// `Malformed` unless all vectors have one length and are made of numbers.
pub(crate) fn sound(vectors: &[Vec<f32>], body: &[u8]) -> Result<(), LlmError> {
    let dims = vectors.first().map_or(0, Vec::len);
    let sound = |v: &Vec<f32>| v.len() == dims && dims > 0 && v.iter().all(|x| x.is_finite());
    if vectors.iter().all(sound) {
        return Ok(());
    }
    let message = "sent vectors of different lengths, or with numbers that are none";
    Err(malformed(body, message))
}

pub(crate) fn decode_models(body: &[u8]) -> Result<Vec<ModelInfo>, LlmError> {
    let read: Value = parse(body, "model list")?;
    let list = ["data", "models"]
        .iter()
        .find_map(|key| read.get(*key)?.as_array())
        .or_else(|| read.as_array())
        .ok_or_else(|| malformed(body, "sent no model list"))?;
    let model = |entry: &Value| {
        let id = ["id", "name", "model"]
            .iter()
            .find_map(|key| entry.get(*key)?.as_str())
            .or_else(|| entry.as_str())?;
        Some(ModelInfo {
            id: id.to_owned(),
            context_tokens: context_tokens(entry),
        })
    };
    Ok(list.iter().filter_map(model).take(MODELS_MAX).collect())
}

/// The context as the server runs it. What a model was trained for (`n_ctx_train`) is not what a server gives it.
fn context_tokens(entry: &Value) -> Option<u32> {
    [
        "/context_length",
        "/context_window",
        "/max_model_len",
        "/max_context_length",
        "/meta/n_ctx",
    ]
    .iter()
    .find_map(|at| entry.pointer(at)?.as_u64())
    .and_then(|n| u32::try_from(n).ok())
    .filter(|n| *n > 0)
}

pub(crate) fn parse<'de, T: Deserialize<'de>>(body: &'de [u8], what: &str) -> Result<T, LlmError> {
    let unreadable =
        |error: serde_json::Error| malformed(body, &format!("sent no {what} to read ({error})"));
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(_) | Value::Array(_)) if read_error(body).is_some() => {
            Err(to_error(None, body, ErrorKind::BadRequest))
        }
        Ok(_) => serde_json::from_slice(body).map_err(unreadable),
        Err(error) => Err(unreadable(error)),
    }
}

pub(crate) fn malformed(body: &[u8], message: &str) -> LlmError {
    let mut error = LlmError::new(ErrorKind::Malformed, message);
    error.body = kept_body(body);
    error
}
