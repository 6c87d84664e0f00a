//! The crate as its users see it: real HTTP on loopback, every wire case through the codec and over a socket, hostile
//! servers, and (where they are installed) two real model servers of different houses. What needs no socket and no second module is tested
//! beside its code.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, helpers included, a surprise is a failure with a place"
)]

mod anthropic;
mod codec_cases;
mod codec_properties;
mod conversations;
mod das_server;
mod dialect_cases;
mod fuzz;
mod gemini;
mod kept_connections;
mod live;
mod llama_server;
mod ollama_requests;
mod presets;
mod properties;
mod provider;
mod record;
mod requantize;
mod requests;
mod responses_requests;
mod server;
mod show;
mod time_limits;
mod wire_cases;
mod wire_table;
