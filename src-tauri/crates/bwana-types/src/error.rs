//! Errors as they cross the application boundary: a closed list of codes, a sentence, and details.
//! Inside, every crate has its own error type; this is what people, scripts and the interface see.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a process ends. The numbers are a contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitCode {
    Done = 0,
    Usage = 2,
    WaitingForPerson = 3,
    StoppedByLimit = 4,
    Failed = 5,
    HomeInUse = 6,
    Cancelled = 130,
}

macro_rules! error_codes {
    ($($variant:ident = $text:literal => $exit:ident, $hint:literal;)+) => {
        /// Every error a person or script can meet. Each has a page under `docs/errors/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorCode { $($variant,)+ }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name, `area.reason`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// How a command that ends with this error exits.
            pub const fn exit_code(self) -> ExitCode {
                match self { $(Self::$variant => ExitCode::$exit,)+ }
            }

            /// What to do next, when nothing more precise is known.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)+ }
            }
        }
    };
}

error_codes! {
    UsageInvalid = "usage.invalid" => Usage, "Run the command with --help to see what it takes.";
    UsageNotFound = "usage.not_found" => Usage, "List what exists with the matching `list` command.";
    UsageAmbiguous = "usage.ambiguous" => Usage, "Type more characters of the id.";
    SettingsInvalid = "settings.invalid" => Usage, "Correct settings.toml where the message points and try again.";
    DefinitionInvalid = "definition.invalid" => Usage, "Correct the file where the message points and try again.";
    DefinitionTooLarge = "definition.too_large" => Usage, "Split the file, or move long texts into input files.";
    DefinitionWrongSchema = "definition.wrong_schema" => Usage, "Set `schema` to a version this program knows, or update the program.";
    DefinitionUnknownAgent = "definition.unknown_agent" => Usage, "Import the agent first, or correct its id.";
    HomeInUse = "home.in_use" => HomeInUse, "Close the other program, or use another --home.";
    HomeUnwritable = "home.unwritable" => Failed, "Check the permissions of the data folder and the free space of the disk.";
    StoreDamaged = "store.damaged" => Failed, "See with `bwana recover --look` what can be brought back, then run `bwana recover`.";
    StoreNewer = "store.newer" => Failed, "Update the program; this data folder was written by a newer one.";
    StoreFull = "store.full" => Failed, "Free some disk space, then resume the run; it stands at its last step.";
    StoreRestoring = "store.restoring" => Failed, "Start the program again; it then has the data that is brought back.";
    StoreFailed = "store.failed" => Failed, "Run `bwana verify`; if it finds nothing, try again.";
    BackupInvalid = "backup.invalid" => Failed, "Choose another backup; this one is cut or changed.";
    RunNotResumable = "run.not_resumable" => Usage, "Fork the run at the point you want to go on from.";
    RunBusy = "run.busy" => Usage, "Wait for the run, or cancel it first.";
    RunUnknownEntry = "run.unknown_entry" => Failed, "Update the program; a newer one wrote this run.";
    TaskAlreadyDecided = "task.already_decided" => Usage, "Nothing to do: the first decision stands.";
    TaskWrongAnswer = "task.wrong_answer" => Usage, "Look at the task with `bwana tasks show` and answer in the form it asks for.";
    PolicyDenied = "policy.denied" => Failed, "A person must allow this; see `bwana tasks`.";
    PolicyNotYours = "policy.not_yours" => Usage, "Only the person at this machine may decide that.";
    ProviderUnknown = "provider.unknown" => Usage, "Add the provider with `bwana providers add`, or choose one from `bwana providers list`.";
    ProviderNoModel = "provider.no_model" => Usage, "Name a model with --model PROVIDER/MODEL, or pull the starter model with `bwana models pull`.";
    ProviderAuth = "provider.auth" => Failed, "Check the key in the provider's own console and give it to `bwana providers add` again.";
    ProviderQuota = "provider.quota" => Failed, "Top up the account at the provider, or use another provider.";
    ProviderRateLimited = "provider.rate_limited" => Failed, "Wait a little and resume the run, or use another provider.";
    ProviderUnreachable = "provider.unreachable" => Failed, "Check the network and the address, then resume the run.";
    ProviderRefused = "provider.refused" => Failed, "Change the request; the provider does not answer this one.";
    ProviderContextTooLong = "provider.context_too_long" => Failed, "Use a model with a larger context, or give the step fewer results to read.";
    ProviderBadAnswer = "provider.bad_answer" => Failed, "Test the connection with `bwana providers test`; the server does not speak as expected.";
    SecretUnavailable = "secret.unavailable" => Failed, "Choose where secrets are kept: the system's keyring, an encrypted vault, or memory only.";
    SecretLocked = "secret.locked" => Failed, "Unlock the place where secrets are kept, then try again; nothing is lost.";
    SecretNotFound = "secret.not_found" => Failed, "Give the key again, or name the variable that holds it.";
    SecretFailed = "secret.failed" => Failed, "Read the message; what was kept before is still there.";
    ModelUnknown = "model.unknown" => Usage, "Choose one of `bwana models list`.";
    ModelNotInstalled = "model.not_installed" => Usage, "Fetch it with `bwana models pull`, or add a file with `bwana models add`.";
    ModelHashMismatch = "model.hash_mismatch" => Failed, "Delete the file and fetch it again; it is not the file its publisher released.";
    ModelFetchFailed = "model.fetch_failed" => Failed, "Check the network, or fetch the file elsewhere and use `bwana models add FILE`.";
    ModelWorkerFailed = "model.worker_failed" => Failed, "Run `bwana doctor` to see what this machine lacks; the run stands at its last step.";
    ToolUnknown = "tool.unknown" => Usage, "Choose one of `bwana tools list`.";
    ToolInvalidArguments = "tool.invalid_arguments" => Usage, "Correct the arguments; `bwana tools show` prints their schema.";
    ToolFailed = "tool.failed" => Failed, "Read the message; the tool's target refused or could not be reached.";
    BudgetInvalid = "budget.invalid" => Usage, "Write an amount in US dollars, like 1.50.";
    OwnerUnreachable = "owner.unreachable" => Failed, "The program that owns the data folder does not answer; restart it.";
    OwnerVersion = "owner.version" => Failed, "Restart the program that owns the data folder; it is another version.";
    UpdateNone = "update.none" => Usage, "Look with `bwana update` at what there is.";
    UpdateRefused = "update.refused" => Failed, "Nothing was changed. Get the new version from where you got this one, or try again later.";
    UpdateFailed = "update.failed" => Failed, "Nothing was changed. Try again, or install the package by hand.";
    SessionRefused = "session.refused" => Usage, "Open the link that `bwana serve` prints: it works once, within a minute.";
    Internal = "internal.bug" => Failed, "This is a mistake of ours; nothing was lost. Please report it with the message.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown error code '{text}'")))
    }
}

/// An error at the application boundary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub code: ErrorCode,
    /// What failed, with what input; one or two sentences without a secret.
    pub message: String,
    /// What to do next.
    pub hint: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: code.hint().to_owned(),
            details: Value::Null,
        }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_have_the_form_area_dot_reason() {
        let names: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        for name in names {
            let (area, reason) = name.split_once('.').unwrap();
            let word =
                |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(word(area) && word(reason), "{name}");
        }
    }
}
