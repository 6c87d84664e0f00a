//! The dialect of Ollama itself (`/api/chat`, JSON lines). Its compatible endpoint knows no context size and cuts long
//! prompts silently; here the size is sent (`num_ctx`) and a prompt that does not fit is refused.
//!
//! Shapes after Ollama's `docs/api.md` and `api/types.go`.

mod decode;
mod encode;
mod lists;

use bwana_types::model::{Embedded, ErrorKind, LlmError, ModelInfo, Outcome, Request};
use http::{HeaderName, header};

use crate::adapt::adapt;
use crate::classify::to_error;
use crate::dialect::{AuthForm, Decoder, Dialect, Encoded, Framing, ReplyContext};
use crate::limits::Limits;
use crate::quirks::{Quirks, SchemaRule};

pub use lists::{Running, Tag, decode_running, decode_tags};

/// The name under which opaque parts of this dialect would be stored; it has none.
pub const OLLAMA: &str = "ollama";

/// The dialect. It has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ollama;

impl Dialect for Ollama {
    fn id(&self) -> &'static str {
        OLLAMA
    }

    fn version(&self) -> &'static str {
        "api"
    }

    fn framing(&self) -> Framing {
        Framing::Lines
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
        Box::new(decode::LineDecoder::new(context.clone(), limits))
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
        hinted(to_error(Some(status), body, ErrorKind::BadRequest))
    }

    fn adapt(&self, error: &LlmError, quirks: &Quirks) -> Option<Quirks> {
        weaker_format(error, quirks).or_else(|| adapt(error, quirks))
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
        "tags"
    }

    fn decode_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, LlmError> {
        lists::decode_models(body)
    }
}

/// A way to ask for the form of an answer that a server takes which refused the one before.
fn weaker_format(error: &LlmError, quirks: &Quirks) -> Option<Quirks> {
    let is_about_format = error.kind == ErrorKind::BadRequest
        && error.message.to_lowercase().contains("invalid format");
    let schema = match quirks.schema {
        SchemaRule::Strict | SchemaRule::Plain => SchemaRule::JsonObject,
        SchemaRule::JsonObject => SchemaRule::Prompt,
        SchemaRule::Prompt => return None,
    };
    is_about_format.then(|| Quirks {
        schema,
        ..quirks.clone()
    })
}

/// What is not there, with the way to get it: newer servers no longer say it.
fn hinted(mut error: LlmError) -> LlmError {
    if error.kind == ErrorKind::NotFound {
        let words = error.message.to_lowercase();
        if words.contains("page not found") {
            error.message += ". It does not speak Ollama's own interface; check the address, or use it as an \
                              OpenAI-compatible server";
        } else if words.contains("model") && !words.contains("pull") {
            error.message += ", try pulling it first";
        }
    }
    error
}
