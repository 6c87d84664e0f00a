//! The application boundary with real parts: a store on disk, a model server on loopback, and the owner's socket.

#![expect(
    clippy::unwrap_used,
    clippy::type_complexity,
    reason = "a test that cannot go on fails"
)]

mod common;
mod definitions;
mod exports;
mod grants;
mod people;
mod plan;
mod providers;
mod runs;
mod say;
#[cfg(unix)]
mod socket;
