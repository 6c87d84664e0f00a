//! The crate as its users see it: real HTTP on loopback, every wire case through the codec and over a socket, hostile
//! servers, and (where one is installed) a real llama.cpp server. What needs no socket and no second module is tested
//! beside its code.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, helpers included, a surprise is a failure with a place"
)]

mod anthropic;
mod codec_cases;
mod codec_properties;
mod conversations;
mod dialect_cases;
mod fuzz;
mod gemini;
mod llama_server;
mod ollama_requests;
mod presets;
mod properties;
mod provider;
mod requests;
mod responses_requests;
mod server;
mod show;
mod time_limits;
mod wire_cases;
mod wire_table;
