//! The two plain questions beside content: which models there are, and vectors for texts.

use bwana_types::message::Usage;
use bwana_types::model::{Embedded, ErrorKind, LlmError, ModelInfo, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::WireUsage;
use super::{path, resource};
use crate::dialect::{Encoded, ReplyContext};
use crate::openai_chat::encode::named;
use crate::openai_chat::lists::{MODELS_MAX, malformed, parse, sound};
use crate::openai_chat::wire::{Loose, Text};

/// What a model can do that answers.
const ANSWERS: &str = "generateContent";

pub(super) fn encode_embed(model: &str, texts: &[String]) -> Result<Encoded, LlmError> {
    named(&Request::new(model, Vec::new()))?;
    let (collection, name) = resource(model);
    let full = format!("{collection}{name}");
    let one = |text: &String| json!({"model": full, "content": {"parts": [{"text": text}]}});
    let requests: Vec<Value> = texts.iter().map(one).collect();
    let body = serde_json::to_vec(&json!({ "requests": requests }))
        .map_err(|error| LlmError::new(ErrorKind::BadRequest, error.to_string()))?;
    Ok(Encoded {
        path: path(model, "batchEmbedContents").into(),
        headers: Vec::new(),
        body,
        context: ReplyContext::default(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    embeddings: Vec<Vector>,
    #[serde(default)]
    usage_metadata: Loose<WireUsage>,
}

#[derive(Deserialize)]
struct Vector {
    values: Vec<f32>,
}

pub(super) fn decode_embed(body: &[u8], count: usize) -> Result<Embedded, LlmError> {
    let read: Vectors = parse(body, "vectors")?;
    let got = read.embeddings.len();
    if got != count {
        return Err(malformed(
            body,
            &format!("sent {got} vectors for {count} texts"),
        ));
    }
    let vectors: Vec<Vec<f32>> = read.embeddings.into_iter().map(|v| v.values).collect();
    sound(&vectors, body)?;
    let usage = read.usage_metadata.0.and_then(|usage| usage.usage());
    let usage = usage.map(|usage| Usage {
        output_tokens: 0,
        ..usage
    });
    Ok(Embedded { vectors, usage })
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow, default)]
    models: Option<Vec<Model<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Model<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(default)]
    input_token_limit: Loose<u32>,
    #[serde(default)]
    supported_generation_methods: Loose<Vec<String>>,
}

/// The models as people name them, without the collection. Those that answer come first, each group as listed.
pub(super) fn decode_models(body: &[u8]) -> Result<Vec<ModelInfo>, LlmError> {
    let read: List<'_> = parse(body, "model list")?;
    let mut models = read
        .models
        .ok_or_else(|| malformed(body, "sent no model list"))?;
    models.truncate(MODELS_MAX);
    let answers = |model: &Model<'_>| {
        let methods = model.supported_generation_methods.0.as_ref();
        methods.is_none_or(|methods| methods.iter().any(|method| method == ANSWERS))
    };
    models.sort_by_key(|model| !answers(model));
    let info = |model: &Model<'_>| {
        let name = model.name.as_str()?;
        Some(ModelInfo {
            id: name.strip_prefix("models/").unwrap_or(name).to_owned(),
            context_tokens: model.input_token_limit.0.filter(|n| *n > 0),
        })
    };
    Ok(models.iter().filter_map(info).collect())
}
