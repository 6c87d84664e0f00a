//! The owner's socket: how a second `bwana` talks to the process that holds the data folder. JSON lines over a Unix
//! socket that only the same person can reach, and the same command table.
//!
//! The owner greets with its version. A request is `{"id", "command", "params"}`; it is answered by any number of
//! `{"id", "event"}` and then one `{"id", "ok"}` or `{"id", "error"}`. Requests of one connection are worked on at the
//! same time; `{"id", "drop": true}` gives one up.

mod client;
mod line;
mod path;
mod server;

use bwana_types::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::events::Event;

pub use client::{Client, Reply};
pub use path::{candidates, listening_path};
pub use server::{Server, serve};

/// The version of the lines themselves.
pub const PROTOCOL: u32 = 1;
/// Bytes of one request.
pub const REQUEST_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of one line of an owner: the largest journal entry, escaped.
pub const REPLY_MAX_BYTES: usize = 160 * 1024 * 1024;

/// The first line of an owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`]
    pub bwana: u32,
    /// Of the program.
    pub version: String,
    pub pid: u32,
    /// Takes new runs; a process that holds the folder for one command does not.
    pub takes_runs: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    id: u64,
    #[serde(default)]
    command: String,
    #[serde(default)]
    params: Value,
    /// Gives the request of this id up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    drop: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// `None`: the request had none that could be read.
    id: Option<u64>,
    #[serde(flatten)]
    said: Said,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Event(Event),
    Ok(Value),
    Error(ApiError),
}
