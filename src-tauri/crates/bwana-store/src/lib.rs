//! The one SQLite file: journal, projections, blobs, backup and the owner lock.
//!
//! One process owns a data folder and writes ([`Store::open_owner`]); any number read ([`Store::open_reader`]). Everything
//! that happens in a run is an append to its journal ([`Store::append`]), which is committed when it is answered and on
//! disk when a [`Store::barrier`] says so. Tables beside the journal are computed from it in the same transaction.
//!
//! Nobody else may open the database file, not even to read or copy its bytes: on Unix, closing any descriptor of a file
//! drops all locks this process holds on it, SQLite's included. A copy is a [`Store::backup`].
//!
//! SQL stands in this crate only, as static text. Nothing here knows what a run does, reads a clock of its own, talks to
//! a network or calls a model.

mod api;
mod append;
mod artifacts;
mod backup;
mod blobs;
mod changes;
mod db;
mod definitions;
mod entries;
mod error;
mod files;
mod grants;
mod home;
mod ledger;
mod lock;
mod migrate;
#[cfg(test)]
mod plans;
mod readers;
mod restore;
mod runs;
mod service;
mod store;
mod tasks;
mod upkeep;
mod verify;
mod wal;
mod writer;

pub use append::{Append, Appended, BATCH_ENTRIES_MAX, DayLimit};
pub use artifacts::ArtifactInfo;
pub use backup::BackupDone;
pub use blobs::{BLOB_MAX_BYTES, INLINE_MAX_BYTES};
pub use changes::{CHANGES_BATCH_MAX, CHANGES_KEPT, Change, Changes, Cursor, Op, Written};
pub use definitions::{DefinitionInfo, DefinitionKind, Imported, NewDefinition};
pub use error::{Result, StoreError};
pub use grants::GrantInfo;
pub use home::{ARTIFACTS_DIR, BACKUPS_DIR, DATABASE_FILE, HomeWarning, LOCK_FILE};
pub use ledger::DaySpent;
pub use restore::{Restored, restore};
pub use runs::{NewFork, NewRun, PAGE_MAX, RunFilter, RunInfo, RunRow, SUFFIX_MIN_CHARS};
pub use service::Health;
pub use store::Store;
pub use tasks::{Decision, TaskFilter, TaskInfo};
pub use verify::{Fold, Problem, ProblemKind, VerifyReport};
