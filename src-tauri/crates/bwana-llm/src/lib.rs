//! Model providers behind one trait: pure dialect codecs, one transport, and the client of the built-in local model.
//!
//! Start reading at [`provider`] (the trait everybody calls), then [`dialect`] (what a wire format has to do) and
//! [`openai_chat`] (the first that does it; [`openai_responses`], [`ollama`], [`anthropic`] and [`gemini`] are built
//! alike). A call goes through [`repair`] and [`sanitize`] into the dialect's `encode`, over the [`transport`], and back
//! through [`reader`] (pure: bytes in, deltas and an outcome out). Providers people know by name are in [`presets`].
//! Retries do not live here: they are the engine's, because they are journaled.

mod adapt;
pub mod anthropic;
mod body;
pub mod classify;
pub mod dialect;
pub mod endpoint;
mod frames;
pub mod gemini;
pub mod http_provider;
pub mod limits;
pub mod lines;
pub mod local;
pub mod names;
pub mod ollama;
pub mod openai_chat;
pub mod openai_responses;
pub mod presets;
pub mod prices;
pub mod provider;
pub mod quirks;
pub mod reader;
mod reasoning;
pub mod repair;
pub mod sanitize;
pub mod sse;
mod tool_slots;
pub mod transport;
mod wait;

pub use anthropic::Anthropic;
pub use dialect::{AuthForm, Decoder, Dialect, Encoded, Framing, Progress, ReplyContext};
pub use endpoint::{BadEndpoint, Endpoint};
pub use gemini::Gemini;
pub use http_provider::HttpProvider;
pub use limits::Limits;
pub use ollama::Ollama;
pub use openai_chat::OpenAiChat;
pub use openai_responses::OpenAiResponses;
pub use presets::Preset;
pub use prices::{PriceLine, price};
pub use provider::{Fut, Provider, Sink};
pub use quirks::Quirks;
pub use transport::Transport;
