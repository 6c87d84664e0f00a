//! What can be wrong with settings. Messages never repeat a value that might be a secret.

use std::path::PathBuf;

use bwana_types::error::{ApiError, ErrorCode};

pub type Result<T, E = ConfigError> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is there and cannot be understood.
    #[error("{}{}: {what}", file.display(), at_line(*line))]
    File {
        file: PathBuf,
        /// From 1, where known.
        line: Option<usize>,
        what: String,
        hint: Option<String>,
    },

    /// One value, wherever it came from.
    #[error("{what}")]
    Value { what: String, hint: Option<String> },

    #[error("{} cannot be {doing}: {why}", file.display())]
    Io {
        file: PathBuf,
        doing: &'static str,
        why: String,
    },

    #[error("this system names no folder for data of programs, so the data folder is unknown")]
    NoHome,
}

fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

impl ConfigError {
    pub(crate) fn value(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Value {
            what: what.into(),
            hint: Some(hint.into()),
        }
    }
}

impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> Self {
        let (code, hint) = match &error {
            ConfigError::File { hint, .. } => {
                let put_back = "Correct settings.toml where the message points, or put the last good one back with `bwana \
                                settings restore`.";
                let hint = hint.clone().unwrap_or_else(|| put_back.to_owned());
                (ErrorCode::SettingsInvalid, Some(hint))
            }
            ConfigError::Value { hint, .. } => (ErrorCode::UsageInvalid, hint.clone()),
            ConfigError::Io { .. } => (ErrorCode::HomeUnwritable, None),
            ConfigError::NoHome => (
                ErrorCode::UsageInvalid,
                Some(String::from("Name one with --home DIR or BWANA_HOME.")),
            ),
        };
        let api = Self::new(code, error.to_string());
        match hint {
            Some(hint) => api.with_hint(hint),
            None => api,
        }
    }
}
