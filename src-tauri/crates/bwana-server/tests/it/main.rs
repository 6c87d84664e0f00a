//! The host over real connections: a plain HTTP client that can say what no browser would, and a real WebSocket client.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod doors;
mod files;
mod limits;
mod sockets;
mod stage;
