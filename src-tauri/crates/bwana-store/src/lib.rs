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
mod merge;
mod migrate;
#[cfg(test)]
mod plans;
mod readers;
mod recover;
mod restore;
mod rolling;
mod room;
mod runs;
mod search;
mod service;
mod source;
mod store;
mod tasks;
mod traffic;
mod upkeep;
mod verify;
mod wal;
mod writer;

pub use append::{Append, Appended, BATCH_ENTRIES_MAX, DayLimit};
pub use artifacts::ArtifactInfo;
pub use backup::BackupDone;
pub use blobs::{BLOB_MAX_BYTES, INLINE_MAX_BYTES};
pub use changes::{CHANGES_BATCH_MAX, CHANGES_KEPT, Change, Changes, Cursor, Op, Written};
pub use definitions::{
    DefinitionInfo, DefinitionKind, DefinitionVersion, Imported, NewDefinition, VERSIONS_KEPT,
};
pub use entries::Spoken;
pub use error::{Result, StoreError};
pub use grants::GrantInfo;
pub use home::{ARTIFACTS_DIR, BACKUPS_DIR, DATABASE_FILE, HomeWarning, LOCK_FILE};
pub use ledger::{CallSpent, DaySpent};
pub use merge::{Backup, BackupInfo, Compared, NotTaken, Standing, Stands, Told, backup_info};
pub use migrate::FORMAT as DATABASE_FORMAT;
pub use recover::{
    GoodBackup, RecoverFrom, Recoverable, Recovered, StandStill, backups_in,
    look as look_at_damage, recover,
};
pub use restore::{Restored, restore};
pub use rolling::{BackupWhy, RollingBackup, UNDO_DAYS};
pub use room::{RESERVE_BYTES, RESERVE_FILE, RESERVE_FROM_BYTES, Shut, room};
pub use runs::{NewFork, NewRun, PAGE_MAX, RunFilter, RunInfo, RunRow, SUFFIX_MIN_CHARS};
pub use search::{Found, IndexedText, SEARCH_FILE, SearchIndex, TextKind};
pub use service::Health;
pub use store::Store;
pub use tasks::{Decision, TaskFilter, TaskInfo};
pub use verify::{Fold, Problem, ProblemKind, VerifyReport};
