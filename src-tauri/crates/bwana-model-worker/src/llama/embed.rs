//! Texts into vectors of unit length.

use bwana_types::model::ErrorKind;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;

use super::Failure;

/// Whether the model's file says how token vectors become one; if not, their mean is taken.
pub(crate) fn has_own_pooling(model: &LlamaModel) -> bool {
    model
        .meta_val_str("general.architecture")
        .and_then(|architecture| model.meta_val_str(&format!("{architecture}.pooling_type")))
        .is_ok()
}

/// One vector for each text, and the tokens read.
///
/// # Errors
/// `ContextTooLong` for a text over the model's context, `BadRequest` for an empty one, `Server` if computing failed,
/// `Interrupted` if `stop` said so.
pub(crate) fn embed(
    model: &LlamaModel,
    context: &mut LlamaContext<'_>,
    texts: &[String],
    stop: impl Fn() -> bool,
) -> Result<(Vec<Vec<f32>>, u64), Failure> {
    let vocab = model.vocab();
    let capacity = context.n_ctx() as usize;
    let mut vectors = Vec::with_capacity(texts.len());
    let mut read = 0;
    for (at, text) in texts.iter().enumerate() {
        if stop() {
            return Err(Failure::new(
                ErrorKind::Interrupted,
                "the call was cancelled",
            ));
        }
        let tokens = vocab.tokenize(text.as_bytes(), true, false);
        if tokens.is_empty() {
            return Err(Failure::new(
                ErrorKind::BadRequest,
                format!("text {at} is empty"),
            ));
        }
        if tokens.len() > capacity {
            return Err(Failure::new(
                ErrorKind::ContextTooLong,
                format!(
                    "text {at} has {} tokens and the model reads at most {capacity}",
                    tokens.len()
                ),
            ));
        }
        read += tokens.len() as u64;
        let server = |words: String| Failure::new(ErrorKind::Server, words);
        let mut batch = LlamaBatch::new(tokens.len(), 1);
        batch
            .add_sequence(&tokens, 0, true)
            .map_err(|error| server(error.to_string()))?;
        context.clear_kv_cache();
        context
            .decode(&mut batch)
            .map_err(|error| server(format!("llama.cpp could not compute: {error}")))?;
        let vector = context
            .embeddings_seq_ith(0)
            .map_err(|error| server(error.to_string()))?;
        vectors.push(unit(vector));
    }
    Ok((vectors, read))
}

/// The vector scaled to length one; all zeros stay so.
fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    vector.iter().map(|x| x * scale).collect()
}
