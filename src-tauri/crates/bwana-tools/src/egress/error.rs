//! Why the network did not give an answer, sorted by what may have reached the other side.

use crate::error::{Sent, ToolError};

/// Everything before [`EgressError::Broken`] is certain: no byte of the request went out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Against the rules for targets.
    #[error("{0}")]
    Refused(String),
    /// The name is unknown, nobody answers there, or no secure connection comes about.
    #[error("{0}")]
    Unreachable(String),
    /// The request was on its way when the connection broke, or what came back is no HTTP.
    #[error("{0}")]
    Broken(String),
    #[error("{message}")]
    Timeout { message: String, sent: Sent },
    #[error("cancelled")]
    Cancelled { sent: Sent },
}

impl From<EgressError> for ToolError {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Refused(why) => Self::Refused(why),
            EgressError::Unreachable(message) => Self::failed(message),
            EgressError::Broken(message) => Self::Uncertain(message),
            EgressError::Timeout { message, sent } => Self::Timeout { message, sent },
            EgressError::Cancelled { sent } => Self::Cancelled { sent },
        }
    }
}
