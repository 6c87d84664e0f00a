//! The engine on a real store, with a scripted model and tools that count what they do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod faults;
mod fixture;
mod life;
mod odd_answers;
mod people;
mod raw_server;
