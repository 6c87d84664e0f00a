//! The application boundary: one command table over everything below, one place that decides who may do what, and the
//! only crate that puts the parts together.
//!
//! A host (the command line, the desktop app, the gateway) opens an [`App`] and calls commands of the [`command`] table,
//! in process or over the owner's [`socket`]. Nothing here knows a terminal or a window, and nothing makes sentences of
//! codes.

pub mod agents;
pub mod app;
mod book;
pub mod budget;
pub mod caller;
pub mod command;
mod crash;
pub mod data;
pub mod definitions;
pub mod doctor;
pub mod drafts;
pub mod egress;
pub mod events;
pub mod export;
pub mod feed;
pub mod grants;
pub mod hot;
mod hub;
pub mod link;
mod local;
pub mod models;
pub mod overview;
pub mod plan;
pub mod providers;
mod quiet;
mod record;
pub mod replay;
pub mod runs;
pub mod say;
pub mod secrets;
pub mod settings;
mod shape;
#[cfg(unix)]
pub mod socket;
pub mod system;
pub mod tasks;
pub mod tools;
mod unattended;
pub mod usage;
mod view;
pub mod window;

pub use app::{App, HostOptions, Mode};
pub use bwana_config::{Secrets, read_secret, resolve_home};
pub use bwana_types::redact::Redactor;
pub use caller::{Caller, Permission};
pub use command::{COMMANDS, Command, CommandInfo, Ctx, Needs};
pub use crash::{CRASH_LOG, report_crashes};
pub use events::{Event, Events};
pub use record::{BadRecord, Record};
pub use shape::{Dollars, Time};
pub use view::{ArtifactShown, ForkedFrom, LimitsShown, RunLine, RunShown, StepShown};
