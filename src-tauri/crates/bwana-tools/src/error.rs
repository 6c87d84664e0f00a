//! How a tool call fails. The variants differ in the one thing recovery needs to know: whether the effect may have happened.

use bwana_types::entry::{CallError, CallErrorClass};

/// Whether anything may have reached the other side when a call was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Not one byte of the request was handed to the connection.
    Nothing,
    /// Some or all of it was; nobody here can tell what became of it.
    Perhaps,
}

/// Why a tool call has no result. Messages are for the model and for people: they hold no secret and no text that came
/// from outside except a cut and cleaned host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The arguments pass the schema, but mean nothing to the tool. Nothing was done.
    #[error("{0}")]
    InvalidArgs(String),
    /// A rule of ours forbids it. Nothing was done.
    #[error("{0}")]
    Refused(String),
    /// It did not work, and what became of it is known: nothing happened, or the other side answered `status`.
    #[error("{message}")]
    Failed {
        message: String,
        status: Option<u16>,
    },
    /// It was under way and broke off: it may have happened.
    #[error("{0}")]
    Uncertain(String),
    /// The time limit was reached.
    #[error("{message}")]
    Timeout { message: String, sent: Sent },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled { sent: Sent },
}

impl ToolError {
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            status: None,
        }
    }

    /// Whether the effect may have happened although there is no result. For a tool whose effect may not be repeated
    /// this is a question for a person; for every other tool the call has simply failed.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Uncertain(_) => true,
            Self::Timeout { sent, .. } | Self::Cancelled { sent } => *sent == Sent::Perhaps,
            Self::InvalidArgs(_) | Self::Refused(_) | Self::Failed { .. } => false,
        }
    }

    /// The error as the journal keeps it.
    pub fn to_call_error(&self) -> CallError {
        let (class, status) = match self {
            Self::Failed { status, .. } => (CallErrorClass::Tool, *status),
            Self::Timeout { .. } => (CallErrorClass::ToolTimeout, None),
            Self::Cancelled { .. } => (CallErrorClass::Cancelled, None),
            Self::InvalidArgs(_) | Self::Refused(_) | Self::Uncertain(_) => {
                (CallErrorClass::Tool, None)
            }
        };
        CallError {
            class,
            message: self.to_string(),
            status,
            request_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_effect_that_was_under_way_may_have_happened() {
        let certain = [
            ToolError::InvalidArgs("a".into()),
            ToolError::Refused("a".into()),
            ToolError::failed("a"),
            ToolError::Timeout {
                message: "a".into(),
                sent: Sent::Nothing,
            },
            ToolError::Cancelled {
                sent: Sent::Nothing,
            },
        ];
        let open = [
            ToolError::Uncertain("a".into()),
            ToolError::Timeout {
                message: "a".into(),
                sent: Sent::Perhaps,
            },
            ToolError::Cancelled {
                sent: Sent::Perhaps,
            },
        ];
        assert!(certain.iter().all(|error| !error.may_have_happened()));
        assert!(open.iter().all(ToolError::may_have_happened));
    }

    #[test]
    fn the_journal_keeps_the_class_and_the_status() {
        let error = ToolError::Failed {
            message: "The server answered 503.".into(),
            status: Some(503),
        };
        let kept = error.to_call_error();
        assert_eq!((kept.class, kept.status), (CallErrorClass::Tool, Some(503)));
        assert_eq!(kept.message, "The server answered 503.");
    }
}
