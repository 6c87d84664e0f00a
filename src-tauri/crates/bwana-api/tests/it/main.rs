//! The application boundary with real parts: a store on disk, a model server on loopback, and the owner's socket.

#![expect(
    clippy::unwrap_used,
    clippy::type_complexity,
    reason = "a test that cannot go on fails"
)]

mod care;
mod codes;
mod common;
mod definitions;
mod desk;
mod exports;
mod feed;
#[cfg(target_os = "linux")]
mod files;
mod grants;
mod health;
mod lists;
mod people;
mod plan;
mod providers;
mod recovering;
mod restoring;
mod runs;
mod say;
mod settings;
#[cfg(unix)]
mod socket;
mod spending;
mod traffic;
mod trying;
#[cfg(target_os = "linux")]
mod updates;
