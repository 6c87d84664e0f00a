//! The OpenAI chat completions dialect, and so the language of LM Studio, llama.cpp, vLLM, Ollama's compatible
//! endpoint, OpenRouter, Groq, DeepSeek, Mistral and AnythingLLM. What they do differently is data ([`Quirks`]) or
//! tolerated when read; nothing here asks who is at the other end.

// Other dialects read and write some of the same things with the same code.
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod lists;
mod plain;
pub(crate) mod wire;

use bwana_types::model::{Embedded, ErrorKind, LlmError, ModelInfo, Outcome, Request};
use http::{HeaderName, header};

use crate::adapt::adapt;
use crate::classify::to_error;
use crate::dialect::{AuthForm, Decoder, Dialect, Encoded, ReplyContext};
use crate::limits::Limits;
use crate::quirks::Quirks;

/// The name under which opaque parts of this dialect are stored.
pub const OPENAI_CHAT: &str = "openai_chat";

/// The dialect. It has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiChat;

impl Dialect for OpenAiChat {
    fn id(&self) -> &'static str {
        OPENAI_CHAT
    }

    fn version(&self) -> &'static str {
        "v1"
    }

    fn encode(&self, request: &Request, quirks: &Quirks) -> Result<Encoded, LlmError> {
        encode::encode(request, quirks)
    }

    fn decoder(
        &self,
        context: &ReplyContext,
        _quirks: &Quirks,
        limits: &Limits,
    ) -> Box<dyn Decoder> {
        Box::new(decode::ChatDecoder::new(context.clone(), limits))
    }

    fn whole(
        &self,
        body: &[u8],
        context: &ReplyContext,
        _quirks: &Quirks,
        limits: &Limits,
    ) -> Result<Outcome, LlmError> {
        decode::whole(body, context, limits)
    }

    fn error(&self, status: u16, body: &[u8]) -> LlmError {
        to_error(Some(status), body, ErrorKind::BadRequest)
    }

    fn adapt(&self, error: &LlmError, quirks: &Quirks) -> Option<Quirks> {
        adapt(error, quirks)
    }

    fn auth(&self) -> (HeaderName, AuthForm) {
        (header::AUTHORIZATION, AuthForm::Bearer)
    }

    fn encode_embed(&self, model: &str, texts: &[String]) -> Result<Encoded, LlmError> {
        lists::encode_embed(model, texts)
    }

    fn decode_embed(&self, body: &[u8], count: usize) -> Result<Embedded, LlmError> {
        lists::decode_embed(body, count)
    }

    fn models_path(&self) -> &'static str {
        "models"
    }

    fn decode_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, LlmError> {
        lists::decode_models(body)
    }
}
