//! What a wire format has to do to be spoken: pure functions between our request and outcome and its bytes.
//! No clock, no I/O, no secret: those are the transport's.

use std::borrow::Cow;

use bwana_types::model::{Embedded, LlmError, ModelInfo, Outcome, Request};
use http::{HeaderName, HeaderValue};

use crate::limits::Limits;
use crate::names::NameMap;
use crate::provider::Sink;
use crate::quirks::Quirks;
use crate::sanitize::Relaxed;

/// A wire format. Everything here gives the same answer for the same arguments.
pub trait Dialect: Send + Sync {
    /// The name stored with opaque parts, so that they go back to this dialect only.
    fn id(&self) -> &'static str;

    /// The segment a base URL without it gets: a version like `v1`, or what else the dialect's paths begin with.
    fn version(&self) -> &'static str;

    /// How a streamed reply is cut into events.
    fn framing(&self) -> Framing {
        Framing::Events
    }

    /// The request as bytes, after repair and sanitizing.
    ///
    /// # Errors
    /// `BadRequest` if the request cannot be said in this dialect at all.
    fn encode(&self, request: &Request, quirks: &Quirks) -> Result<Encoded, LlmError>;

    /// Reads the events of a streamed reply to the request that gave `context`.
    fn decoder(&self, context: &ReplyContext, quirks: &Quirks, limits: &Limits)
    -> Box<dyn Decoder>;

    /// Reads a reply that came as one piece.
    ///
    /// # Errors
    /// The provider's own error if the body is one, else `Malformed`.
    fn whole(
        &self,
        body: &[u8],
        context: &ReplyContext,
        quirks: &Quirks,
        limits: &Limits,
    ) -> Result<Outcome, LlmError>;

    /// What an error status with this body means.
    fn error(&self, status: u16, body: &[u8]) -> LlmError;

    /// Quirks with which the same request may be accepted, after a refusal that says so; each change at most once.
    fn adapt(&self, error: &LlmError, quirks: &Quirks) -> Option<Quirks>;

    /// How the secret is shown to the provider. Never in the URL.
    fn auth(&self) -> (HeaderName, AuthForm);

    /// Headers of every request in this dialect, beyond the secret and the content's.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        Vec::new()
    }

    /// Asks for one vector for each text.
    ///
    /// # Errors
    /// `BadRequest` if the dialect has no embeddings.
    fn encode_embed(&self, model: &str, texts: &[String]) -> Result<Encoded, LlmError>;

    /// Reads the answer to [`Dialect::encode_embed`], `count` vectors.
    ///
    /// # Errors
    /// The provider's own error, or `Malformed`.
    fn decode_embed(&self, body: &[u8], count: usize) -> Result<Embedded, LlmError>;

    /// The path of the model list, below the base URL.
    fn models_path(&self) -> &'static str;

    /// Reads the model list.
    ///
    /// # Errors
    /// The provider's own error, or `Malformed`.
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, LlmError>;
}

/// How a streamed reply is cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Events,
    /// One JSON value a line.
    Lines,
}

/// The events of one reply, one after the other.
pub trait Decoder: Send {
    /// Takes one event.
    ///
    /// # Errors
    /// The provider's own error sent inside the stream, or `Malformed`. The partial is not yet in it: the reader adds it.
    fn event(&mut self, name: &str, data: &str, sink: Sink<'_>) -> Result<(), LlmError>;

    /// How far the provider itself says the reply is.
    fn progress(&self) -> Progress;

    /// The answer so far; whole once [`Decoder::progress`] is not `Open`.
    fn outcome(&mut self) -> Outcome;
}

/// How far a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// An end of the connection now would be a broken answer.
    Open,
    /// The answer said why it stopped; only usage may still come.
    Stopped,
    /// The provider ended the reply; nothing more will come.
    Ended,
}

/// A request ready to be sent.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Below the base URL, without a leading slash; percent-encoded where it holds what a person chose.
    pub path: Cow<'static, str>,
    /// Beyond `content-type` and the secret.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Vec<u8>,
    pub context: ReplyContext,
}

/// What a reply can only be read with: facts of the request it answers.
#[derive(Debug, Clone, Default)]
pub struct ReplyContext {
    /// The model as it was asked for; opaque parts are bound to it.
    pub model: String,
    /// The names of tools as they went out, and as we know them.
    pub names: NameMap,
    /// The schemas as they were given, where the ones sent allow `null` and these do not.
    pub relaxed: Relaxed,
}

/// How a secret is written into its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthForm {
    /// `Bearer KEY`
    Bearer,
    /// `KEY`
    Bare,
}
