//! The application boundary: one command table over everything below, one place that decides who may do what, and the
//! only crate that puts the parts together.
//!
//! A host (the command line, the desktop app, the gateway) opens an [`App`] and calls commands of the [`command`] table,
//! in process or over the owner's [`socket`]. Nothing here knows a terminal or a window, and nothing makes sentences of
//! codes.

pub mod about;
pub mod agents;
pub mod app;
pub mod arrivals;
pub mod artifacts;
mod book;
pub mod budget;
pub mod caller;
pub mod care;
pub mod codes;
pub mod command;
mod crash;
pub mod data;
pub mod definitions;
pub mod diagnostics;
pub mod doctor;
pub mod downloads;
pub mod drafts;
pub mod drawing;
pub mod egress;
pub mod events;
pub mod export;
pub mod feed;
pub mod grants;
pub mod health;
pub mod hot;
mod hub;
pub mod link;
mod local;
pub mod logs;
mod meter;
pub mod models;
pub mod moment;
pub mod overview;
pub mod pages;
mod parts;
pub mod plan;
pub mod profiles;
pub mod providers;
mod quiet;
mod record;
pub mod recovering;
pub mod replay;
pub mod restoring;
pub mod runs;
pub mod say;
pub mod search;
pub mod secrets;
pub mod settings;
mod shape;
#[cfg(unix)]
pub mod socket;
pub mod spending;
pub mod standing;
pub mod system;
pub mod takeover;
pub mod tasks;
pub mod tools;
mod unattended;
pub mod updates;
pub mod usage;
pub mod versions;
mod view;
pub mod window;
pub mod words;

pub use app::{App, HostOptions, Mode};
pub use bwana_config::{PROFILE_VARIABLE, Secrets, profile_of, read_secret, resolve_home};
pub use bwana_types::redact::Redactor;
pub use caller::{Caller, Permission};
pub use command::{COMMANDS, Command, CommandInfo, Ctx, Needs};
pub use crash::{CRASH_LOG, report_crashes};
pub use events::{Event, Events};
pub use record::{BadRecord, Record};
pub use shape::{Dollars, Time};
pub use view::{ArtifactShown, ForkedFrom, LimitsShown, RunLine, RunShown, StepShown};
