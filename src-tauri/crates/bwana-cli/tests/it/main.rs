//! The program `bwana` from outside: what it prints, how it exits, and what two of it do with one data folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod canaries;
mod care;
mod common;
mod contract;
mod diagnostics;
mod gateway;
mod models;
mod moving;
mod owners;
mod refusals;
mod runs;
mod secrets;
