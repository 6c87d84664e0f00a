//! The list of models. There are no embeddings in this API.

use bwana_types::model::{LlmError, ModelInfo};
use serde::Deserialize;

use crate::openai_chat::lists::{MODELS_MAX, parse};
use crate::openai_chat::wire::{Loose, Text};

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<Model<'a>>,
}

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(default)]
    max_input_tokens: Loose<u32>,
    #[serde(borrow, default)]
    lifecycle: Text<'a>,
}

pub(super) fn decode_models(body: &[u8]) -> Result<Vec<ModelInfo>, LlmError> {
    let read: List<'_> = parse(body, "model list")?;
    let model = |model: &Model<'_>| {
        // A retired model is named as history; calls of it fail.
        let gone = model.lifecycle.as_str() == Some("retired");
        let id = model.id.as_str().filter(|_| !gone)?;
        Some(ModelInfo {
            id: id.to_owned(),
            context_tokens: model.max_input_tokens.0.filter(|n| *n > 0),
        })
    };
    Ok(read
        .data
        .iter()
        .filter_map(model)
        .take(MODELS_MAX)
        .collect())
}
