//! The updater against a real server on loopback that serves right things, wrong things and halves of things.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod check;
mod download;
mod hostile;
mod publisher;
mod site;
mod system;
