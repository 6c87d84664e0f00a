//! What can go wrong in the store, each with the code people meet. No error is ever swallowed: an append that fails
//! stops the run, it is not logged and forgotten.

use std::io;
use std::path::{Path, PathBuf};

use bwana_types::entry::Seq;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::RunId;
use bwana_types::money::MicroUsd;
use bwana_types::task::{DecidedBy, Verdict};
use rusqlite::ErrorCode as SqliteCode;

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// `Clone`, because one failed commit is the answer to every job of its transaction.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StoreError {
    #[error("the data folder {} is in use by {}", home.display(), holder(*pid))]
    InUse { home: PathBuf, pid: Option<u32> },

    #[error("the data folder {} cannot be used: {why}", home.display())]
    Unwritable { home: PathBuf, why: String },

    #[error("there is no database in {} yet", home.display())]
    NoDatabase { home: PathBuf },

    /// Not a database, or one whose pages, rows or bodies do not fit together.
    #[error("the database is damaged: {what}")]
    Damaged { what: String },

    #[error(
        "the database has format {found}, this program knows formats up to {known}; a newer program wrote it"
    )]
    Newer { found: i64, known: i64 },

    /// Only a reader meets this: an owner would have migrated the file.
    #[error("the database has the older format {found}, this program reads format {known}")]
    Older { found: i64, known: i64 },

    /// Nothing was lost: the transaction that did not fit was rolled back as a whole.
    #[error(
        "the disk is full; what was being written was not stored, what stood before is untouched"
    )]
    Full,

    /// A restore waits for the data folder to be opened again; what would be written now would be gone then.
    #[error(
        "another state of the data is brought back when the program starts again; until then nothing is stored"
    )]
    Restoring,

    #[error("{what} failed: {why}")]
    Failed { what: &'static str, why: String },

    /// After a failed sync the kernel may have dropped what it could not write, so nothing may be believed any more.
    #[error(
        "the disk failed to store data ({why}); the store accepts nothing more until it is opened again"
    )]
    Poisoned { why: String },

    #[error("the store is closed")]
    Closed,

    #[error("the store was opened for reading only")]
    ReadOnly,

    #[error("run {run} stands at entry {head}, but the append expected {expected}")]
    WrongSeq {
        run: RunId,
        expected: Seq,
        head: Seq,
    },

    /// The batch breaks a rule of the journal, like an intent after the run began to stop. A mistake of the caller.
    #[error("entry {seq} ({kind}) of run {run} is not allowed: {why}")]
    Forbidden {
        run: RunId,
        seq: Seq,
        kind: String,
        why: &'static str,
    },

    #[error("this task was already decided by {by:?}")]
    TaskAlreadyDecided { by: DecidedBy, verdict: Verdict },

    /// The day's money does not cover the batch's reservations.
    #[error(
        "the budget of {day} has {left} USD left, which is less than what this call holds back"
    )]
    DayBudget { day: String, left: MicroUsd },

    #[error("there is no {what} {id}")]
    NotFound { what: &'static str, id: String },

    #[error("'{id}' could be any of {count} {what}s")]
    Ambiguous {
        what: &'static str,
        id: String,
        count: usize,
    },

    #[error(
        "run {run} has {forks} fork(s) that share its entries, so it can be hidden but not deleted"
    )]
    HasForks { run: RunId, forks: u64 },

    #[error("run {run} is still going on")]
    NotEnded { run: RunId },

    #[error("{what}")]
    Invalid { what: String },

    #[error("{} is not a usable backup: {why}", path.display())]
    BackupInvalid { path: PathBuf, why: String },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || String::from("another program"),
        |pid| format!("another program (process {pid})"),
    )
}

impl StoreError {
    /// The code people and scripts see.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InUse { .. } => ErrorCode::HomeInUse,
            Self::Unwritable { .. } => ErrorCode::HomeUnwritable,
            Self::Damaged { .. } => ErrorCode::StoreDamaged,
            Self::Newer { .. } => ErrorCode::StoreNewer,
            Self::Full => ErrorCode::StoreFull,
            Self::Restoring => ErrorCode::StoreRestoring,
            Self::Failed { .. } | Self::Poisoned { .. } | Self::Older { .. } => {
                ErrorCode::StoreFailed
            }
            Self::Closed | Self::ReadOnly | Self::WrongSeq { .. } | Self::Forbidden { .. } => {
                ErrorCode::Internal
            }
            Self::TaskAlreadyDecided { .. } => ErrorCode::TaskAlreadyDecided,
            Self::DayBudget { .. } => ErrorCode::BudgetInvalid,
            Self::NoDatabase { .. } | Self::NotFound { .. } => ErrorCode::UsageNotFound,
            Self::Ambiguous { .. } => ErrorCode::UsageAmbiguous,
            Self::HasForks { .. } | Self::Invalid { .. } => ErrorCode::UsageInvalid,
            Self::NotEnded { .. } => ErrorCode::RunBusy,
            Self::BackupInvalid { .. } => ErrorCode::BackupInvalid,
        }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    /// An error of the file system while `what` was done.
    pub(crate) fn io(what: &'static str, path: &Path, error: &io::Error) -> Self {
        if is_full(error) {
            return Self::Full;
        }
        Self::Failed {
            what,
            why: format!("{}: {error}", path.display()),
        }
    }

    /// An error of SQLite while `what` was done.
    pub(crate) fn sqlite(what: &'static str, error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(SqliteCode::DatabaseCorrupt | SqliteCode::NotADatabase) => {
                Self::damaged(format!("{what}: {error}"))
            }
            Some(SqliteCode::DiskFull) => Self::Full,
            // The index of its log is a file too, and did not fit.
            _ if extended_code(error) == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
            Some(SqliteCode::ReadOnly) => Self::ReadOnly,
            // A row that does not have the shape this program writes.
            None if matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::Utf8Error(..)
            ) =>
            {
                Self::damaged(format!("{what}: {error}"))
            }
            _ => Self::Failed {
                what,
                why: error.to_string(),
            },
        }
    }
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => Some(failure.extended_code),
        _ => None,
    }
}

/// Whether the file system says that it has no room: a full disk, a spent quota or a limit on file size.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::sqlite("the database", &error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let api = Self::new(error.code(), error.to_string());
        match error {
            StoreError::NoDatabase { .. } => {
                api.with_hint("Start something first, like `bwana ask`, or name another --home.")
            }
            StoreError::Older { .. } => api.with_hint(
                "Start something that writes once, like `bwana serve`, so that the data folder is brought up to date.",
            ),
            StoreError::DayBudget { .. } => {
                api.with_hint("Raise the budget of the day with `bwana budget set`, or go on tomorrow.")
            }
            StoreError::HasForks { .. } => api.with_hint("Hide the run instead, or delete its forks first."),
            StoreError::Poisoned { .. } => {
                api.with_hint("Check the disk, then start the program again; runs stand at their last stored step.")
            }
            _ => api,
        }
    }
}
