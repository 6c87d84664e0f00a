//! Why the engine could not do what it was asked to do.

use bwana_store::StoreError;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::{RunId, TaskId};

#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("run {run} has ended ({status}) and cannot go on")]
    Ended { run: RunId, status: &'static str },
    #[error(
        "run {run} was written by a newer program (entry {entry}), so this one shows it but does not continue it"
    )]
    UnknownEntry { run: RunId, entry: String },
    #[error("the journal of run {run} cannot be folded: {why}")]
    Unfoldable { run: RunId, why: String },
    #[error("task {0} was decided already; the first decision stands")]
    AlreadyDecided(TaskId),
    #[error("task {task} cannot be answered like that: {why}")]
    WrongAnswer { task: TaskId, why: String },
    #[error("the new arguments of task {task} do not fit: {why}")]
    BadArguments { task: TaskId, why: String },
    #[error("the new arguments of task {task} are not allowed: {why}")]
    Refused { task: TaskId, why: String },
    #[error("nobody in run {run} will speak any more, so nobody would hear it")]
    NobodyHears { run: RunId },
    #[error("{waiting} things said to run {run} wait to be heard; say more once they were")]
    TooMuchSaid { run: RunId, waiting: usize },
    #[error("a run is told 1 to {max} bytes at a time, this has {bytes}")]
    BadWords { bytes: usize, max: usize },
    #[error("entry {at} is not in run {run}: its journal goes from 1 to {head}")]
    NoSuchEntry { run: RunId, at: u64, head: u64 },
    #[error("entry {replace} cannot be edited at a fork after entry {at}: {why}")]
    BadEdit {
        replace: u64,
        at: u64,
        why: &'static str,
    },
    #[error("the engine is shutting down")]
    ShuttingDown,
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let code = match &error {
            EngineError::Store(store) => return store.clone().into(),
            EngineError::Ended { .. } => ErrorCode::RunNotResumable,
            EngineError::UnknownEntry { .. } => ErrorCode::RunUnknownEntry,
            EngineError::Unfoldable { .. } => ErrorCode::StoreDamaged,
            EngineError::AlreadyDecided(_) => ErrorCode::TaskAlreadyDecided,
            EngineError::WrongAnswer { .. } => ErrorCode::TaskWrongAnswer,
            EngineError::BadArguments { .. } => ErrorCode::ToolInvalidArguments,
            EngineError::Refused { .. } => ErrorCode::PolicyDenied,
            EngineError::NobodyHears { .. } => ErrorCode::RunNotResumable,
            EngineError::NoSuchEntry { .. }
            | EngineError::BadEdit { .. }
            | EngineError::BadWords { .. } => ErrorCode::UsageInvalid,
            EngineError::ShuttingDown | EngineError::TooMuchSaid { .. } => ErrorCode::RunBusy,
        };
        Self::new(code, error.to_string())
    }
}
