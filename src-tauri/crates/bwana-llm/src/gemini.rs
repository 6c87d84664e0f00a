//! The Gemini dialect (`generateContent`). The key goes into a header, never into the address; the model's name goes
//! into the path, percent-encoded. Signatures of thoughts go back on the part they came on.
//!
//! Source: <https://ai.google.dev/api/generate-content> and <https://ai.google.dev/gemini-api/docs/thought-signatures>.

mod decode;
mod encode;
mod lists;
mod wire;

use std::fmt::Write as _;

use bwana_types::model::{Embedded, ErrorKind, LlmError, ModelInfo, Outcome, Request};
use http::HeaderName;

use crate::adapt::adapt;
use crate::classify::to_error;
use crate::dialect::{AuthForm, Decoder, Dialect, Encoded, ReplyContext};
use crate::endpoint::Endpoint;
use crate::limits::Limits;
use crate::quirks::{Quirks, SchemaRule};

/// The name under which opaque parts of this dialect are stored.
pub const GEMINI: &str = "gemini";

/// Fields an older server does not know, each with another way to say the same.
const NEWER_FIELDS: [&str; 2] = [encode::RESPONSE_SCHEMA, encode::PARAMETERS_SCHEMA];

/// The quirks to begin with at `endpoint`.
pub(crate) fn quirks(endpoint: &Endpoint) -> Quirks {
    let base = Quirks {
        idle_pool: !(endpoint.is_loopback() || endpoint.is_plain_http()),
        ..Quirks::default()
    };
    base.ordered()
}

/// The dialect. It has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gemini;

impl Dialect for Gemini {
    fn id(&self) -> &'static str {
        GEMINI
    }

    fn version(&self) -> &'static str {
        "v1beta"
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
        Box::new(decode::ContentDecoder::new(context.clone(), limits))
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
        if error.kind == ErrorKind::BadRequest {
            let said = error.message.to_lowercase();
            let unknown = |field: &&&str| {
                let name = field.to_lowercase();
                said.contains(&format!("\"{name}\"")) && said.contains("unknown name")
            };
            if let Some(field) = NEWER_FIELDS.iter().find(unknown) {
                let mut next = quirks.clone();
                let is_new = next.omit.insert((*field).to_owned());
                return is_new.then_some(next);
            }
        }
        let mut next = adapt(error, quirks)?;
        // There is one form for a schema here; where it is refused, only words are left.
        if next.schema != quirks.schema {
            next.schema = SchemaRule::Prompt;
        }
        (next != *quirks).then_some(next)
    }

    fn auth(&self) -> (HeaderName, AuthForm) {
        (HeaderName::from_static("x-goog-api-key"), AuthForm::Bare)
    }

    fn encode_embed(&self, model: &str, texts: &[String]) -> Result<Encoded, LlmError> {
        lists::encode_embed(model, texts)
    }

    fn decode_embed(&self, body: &[u8], count: usize) -> Result<Embedded, LlmError> {
        lists::decode_embed(body, count)
    }

    fn models_path(&self) -> &'static str {
        "models?pageSize=1000"
    }

    fn decode_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, LlmError> {
        lists::decode_models(body)
    }
}

/// The full name of a model's resource. A bare name is one of `models/`; a name that says its collection keeps it.
fn resource(model: &str) -> (&str, &str) {
    ["models/", "tunedModels/"]
        .iter()
        .find_map(|collection| Some((*collection, model.strip_prefix(collection)?)))
        .unwrap_or(("models/", model))
}

/// The path of `method` of `model`. Whatever a name holds, it stays one segment of the path.
fn path(model: &str, method: &str) -> String {
    let (collection, name) = resource(model);
    let mut path = String::from(collection);
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path.push(':');
    path.push_str(method);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quirks_fit_the_dialect() {
        let at = |url: &str| Quirks::for_dialect(&Endpoint::new(url, "v1beta").unwrap(), GEMINI);
        let own = at("https://generativelanguage.googleapis.com");
        assert_eq!(own.schema, SchemaRule::Plain);
        assert!(own.merge_same_role && own.user_speaks_last && own.idle_pool);
        assert!(!at("http://127.0.0.1:8080").idle_pool);
    }

    #[test]
    fn a_name_stays_one_segment_whatever_it_holds() {
        for (model, expected) in [
            ("gemini-x", "models/gemini-x:m"),
            ("models/gemini-x", "models/gemini-x:m"),
            ("tunedModels/mine-1", "tunedModels/mine-1:m"),
            ("a/b", "models/a%2Fb:m"),
            (
                "../../v1/secrets?key=1#x",
                "models/..%2F..%2Fv1%2Fsecrets%3Fkey%3D1%23x:m",
            ),
            ("y:1.5b", "models/y%3A1.5b:m"),
            ("50%", "models/50%25:m"),
            ("~ü ", "models/~%C3%BC%20:m"),
            ("..", "models/..:m"),
        ] {
            assert_eq!(path(model, "m"), expected);
        }
    }
}
