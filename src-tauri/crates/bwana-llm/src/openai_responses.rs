//! The OpenAI responses dialect, used without state: nothing is stored at the provider, and encrypted reasoning goes
//! back to it with the conversation. What compatible servers do differently is data ([`Quirks`]) or tolerated when read.
//!
//! Shapes after OpenAI's API reference (`POST /responses`, "Streaming events") and its guide on reasoning with
//! `store: false`.

mod decode;
mod encode;
mod items;
mod wire;

use bwana_types::model::{Embedded, ErrorKind, LlmError, ModelInfo, Outcome, Request};
use http::{HeaderName, header};

use crate::adapt::{about, adapt};
use crate::classify::{Said, read_error, to_error};
use crate::dialect::{AuthForm, Decoder, Dialect, Encoded, ReplyContext};
use crate::limits::Limits;
use crate::openai_chat::lists;
use crate::quirks::{Quirks, SchemaRule};

/// The name under which opaque parts of this dialect are stored.
pub const OPENAI_RESPONSES: &str = "openai_responses";

/// In [`Quirks::omit`]: thoughts the provider sealed do not go back to it. Grows by itself when it cannot open one, which
/// happens where gateways spread calls over several accounts.
pub const SEALED: &str = "encrypted_content";

/// The dialect. It has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiResponses;

impl Dialect for OpenAiResponses {
    fn id(&self) -> &'static str {
        OPENAI_RESPONSES
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
        Box::new(decode::ResponseDecoder::new(context.clone(), limits))
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
        own_fields(error, quirks).or_else(|| adapt(error, quirks))
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

/// What to leave out after a refusal of a field only this dialect has; each at most once.
fn own_fields(error: &LlmError, quirks: &Quirks) -> Option<Quirks> {
    if error.kind != ErrorKind::BadRequest {
        return None;
    }
    let said = read_error(error.body.as_bytes())?;
    let words = said.words.to_lowercase();
    let mut next = quirks.clone();
    let param = said.param.as_deref().unwrap_or_default();
    if cannot_open(&said, &words) {
        next.omit.insert(SEALED.to_owned());
    } else if param == "text" || param.starts_with("text.") {
        next.schema = match quirks.schema {
            SchemaRule::Strict => SchemaRule::Plain,
            SchemaRule::Plain => SchemaRule::JsonObject,
            SchemaRule::JsonObject | SchemaRule::Prompt => SchemaRule::Prompt,
        };
    } else {
        // Models that do not reason refuse to send their reasoning encrypted.
        let field = ["include", "prompt_cache_key", "reasoning"]
            .iter()
            .find(|field| about(&said, &words, field))?;
        next.omit.insert((*field).to_owned());
    }
    (next != *quirks).then_some(next)
}

/// Whether the provider cannot read a thought it sealed itself, or looks for it where nothing is stored.
fn cannot_open(said: &Said, words: &str) -> bool {
    said.codes
        .iter()
        .any(|code| code == "invalid_encrypted_content")
        || (words.contains("encrypted content") && words.contains("could not be"))
        || words.contains("items are not persisted")
}
