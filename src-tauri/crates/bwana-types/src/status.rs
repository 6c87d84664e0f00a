//! Where a run stands and why it stopped, as codes with parameters. Sentences are made at the edge.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::ErrorKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Running,
    /// Only a person can move it on.
    Waiting,
    /// Stands still until it is resumed: by a person's wish, a spent budget or a provider that does not answer.
    Paused,
    /// No new work starts; what is in flight is being settled.
    Stopping,
    Done,
    /// Ended by a limit.
    Stopped,
    Failed,
    Cancelled,
}

impl RunStatus {
    pub fn is_ended(self) -> bool {
        match self {
            Self::Done | Self::Stopped | Self::Failed | Self::Cancelled => true,
            Self::Running | Self::Waiting | Self::Paused | Self::Stopping => false,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a run ended or stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum StopReason {
    Completed,
    /// A stop condition of the whole run held.
    Condition {
        which: String,
    },
    MaxRounds,
    Budget {
        which: BudgetLimit,
    },
    /// The same thing was tried again and again.
    NoProgress {
        what: String,
    },
    /// A join that nothing can satisfy any more.
    Deadlocked {
        join: String,
    },
    Cancelled {
        by: String,
    },
    Failed {
        error: RunError,
    },
    WaitingForPerson {
        task: String,
    },
    WaitingForNetwork {
        error: RunError,
    },
    /// A person paused it.
    Paused {
        by: String,
    },
}

/// Which limit of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetLimit {
    /// Money of this run.
    RunMoney,
    /// Money of this step.
    StepMoney,
    /// Money of the calendar day, over all runs.
    DayMoney,
    Tokens,
    Calls,
    Turns,
    Elapsed,
}

/// What went wrong in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunError {
    /// The kind of a model error, if a model call failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ErrorKind>,
    pub message: String,
    /// The step path where it happened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
}
