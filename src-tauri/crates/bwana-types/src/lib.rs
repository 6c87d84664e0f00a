//! The vocabulary of Bwana: ids, time, money, messages, model calls, tools, definitions, journal entries and errors.
//! Plain data: nothing here does I/O, reads a clock or draws a random number. Every crate may import this one;
//! this one imports none of ours.

pub mod agent;
pub mod definition;
pub mod drawing;
pub mod effect;
pub mod entry;
pub mod error;
pub mod fault;
pub mod grant;
pub mod hash;
pub mod id;
pub mod message;
pub mod model;
pub mod money;
pub mod redact;
pub mod secret;
pub mod status;
pub mod task;
pub mod time;
pub mod tool;
pub mod traffic;
pub mod workflow;
