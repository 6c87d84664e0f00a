//! The Anthropic Messages dialect, also spoken by others (llama.cpp, Ollama and hosted models). Thinking blocks go back
//! byte for byte to the dialect and model they came from, and to no other.
//!
//! Source: <https://platform.claude.com/docs/en/api/messages> and
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>.

mod decode;
mod encode;
mod lists;
mod wire;

use bwana_types::model::{Embedded, ErrorKind, LlmError, ModelInfo, Outcome, Request};
use http::{HeaderName, HeaderValue};

use crate::adapt::adapt;
use crate::classify::to_error;
use crate::dialect::{AuthForm, Decoder, Dialect, Encoded, ReplyContext};
use crate::endpoint::Endpoint;
use crate::limits::Limits;
use crate::quirks::{Quirks, SchemaRule};

/// The name under which opaque parts of this dialect are stored.
pub const ANTHROPIC: &str = "anthropic";

/// The version of the API everything here is written for.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
/// Words with which the API says that it cannot make a grammar of a schema.
const SCHEMA_COMPLAINTS: [&str; 5] = [
    "schema is too complex",
    "too many optional parameters",
    "too many parameters with union types",
    "grammar is too large",
    "grammar compilation",
];

/// The quirks to begin with at `endpoint`. Others that speak this dialect mostly overlook `output_config`, and say
/// nothing; they are asked for JSON in words.
pub(crate) fn quirks(endpoint: &Endpoint) -> Quirks {
    let base = Quirks {
        schema: if endpoint.is_at("anthropic.com") {
            SchemaRule::Strict
        } else {
            SchemaRule::Prompt
        },
        idle_pool: !(endpoint.is_loopback() || endpoint.is_plain_http()),
        ..Quirks::default()
    };
    base.ordered()
}

/// The dialect. It has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anthropic;

impl Dialect for Anthropic {
    fn id(&self) -> &'static str {
        ANTHROPIC
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
        Box::new(decode::MessageDecoder::new(context.clone(), limits))
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
        let said = error.message.to_lowercase();
        let complains = SCHEMA_COMPLAINTS.iter().any(|words| said.contains(words));
        let mut next = match adapt(error, quirks) {
            None if error.kind == ErrorKind::BadRequest && complains => quirks.clone(),
            other => other?,
        };
        // There is one form for a schema here; where it is refused, only words are left.
        if complains || next.schema != quirks.schema {
            next.schema = SchemaRule::Prompt;
            next.strict_tools = next.strict_tools && !complains;
        }
        (next != *quirks).then_some(next)
    }

    fn auth(&self) -> (HeaderName, AuthForm) {
        (HeaderName::from_static("x-api-key"), AuthForm::Bare)
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        vec![(HeaderName::from_static("anthropic-version"), VERSION)]
    }

    fn encode_embed(&self, _model: &str, _texts: &[String]) -> Result<Encoded, LlmError> {
        Err(LlmError::new(
            ErrorKind::BadRequest,
            "has no embeddings in this API; choose another provider for them",
        ))
    }

    fn decode_embed(&self, body: &[u8], _count: usize) -> Result<Embedded, LlmError> {
        Err(crate::openai_chat::lists::malformed(
            body,
            "sent vectors nobody asked for",
        ))
    }

    fn models_path(&self) -> &'static str {
        "models?limit=1000"
    }

    fn decode_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, LlmError> {
        lists::decode_models(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirks::SystemRule;

    #[test]
    fn the_quirks_fit_the_dialect_and_the_host() {
        let at = |url: &str| Quirks::for_dialect(&Endpoint::new(url, "v1").unwrap(), ANTHROPIC);
        let own = at("https://api.anthropic.com");
        assert_eq!(own.schema, SchemaRule::Strict);
        assert_eq!(own.system, SystemRule::FirstOnly);
        assert!(own.merge_same_role && own.user_speaks_last && own.idle_pool && own.prompt_cache);
        assert_eq!(
            at("https://api.notanthropic.com").schema,
            SchemaRule::Prompt
        );
        let local = at("http://127.0.0.1:8080");
        assert!(!local.idle_pool && local.merge_same_role);
        assert_eq!(local.schema, SchemaRule::Prompt);
    }
}
