//! Secrets that cannot be printed or serialised by accident, and what can go wrong where they are kept.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::error::{ApiError, ErrorCode};

/// The longest value that is a secret here: the largest private keys and service accounts in use, several times over.
pub const SECRET_MAX_BYTES: usize = 16 * 1024;
/// Values shorter than this many characters show nothing of themselves in [`hint`].
const HINT_MIN_CHARS: usize = 16;
/// How much of its end a secret shows, so that people can tell two of them apart.
const HINT_CHARS: usize = 4;
/// What stands for the part that is not shown.
pub(crate) const HINT_DOTS: &str = "••••";

/// A value that never shows itself: no `Serialize`, no `Display`, a `Debug` that says nothing, and memory that is
/// overwritten when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: Zeroize = String>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself. Call this only where it goes onto the wire to its own host.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret {
    /// What people see of it: `••••` and its last four characters, or only the dots if it is short.
    pub fn hint(&self) -> String {
        hint(&self.0)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// See [`Secret::hint`].
pub(crate) fn hint(value: &str) -> String {
    let end = value
        .char_indices()
        .rev()
        .nth(HINT_CHARS - 1)
        .map(|(at, _)| &value[at..]);
    let is_long = value.chars().nth(HINT_MIN_CHARS - 1).is_some();
    match end {
        Some(end) if is_long && end.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            format!("{HINT_DOTS}{end}")
        }
        _ => String::from(HINT_DOTS),
    }
}

/// Why a secret could not be had, kept or removed. Never repeats a value.
///
/// The four are different things to a person: something is missing on the machine, something is closed, nothing was
/// ever there, or something went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The place does not exist on this machine, or nobody has chosen one.
    #[error("{what}")]
    Unavailable { what: String, hint: String },
    /// The place is there and closed: it may well hold the secret.
    #[error("{what}")]
    Locked { what: String, hint: String },
    /// The place is open and holds no such secret.
    #[error("there is no secret called '{name}' {place}")]
    NotFound {
        name: String,
        place: String,
        hint: String,
    },
    /// Anything else: a damaged file, a full disk, a refused write.
    #[error("{what}")]
    Failed { what: String, hint: String },
}

impl SecretError {
    pub fn unavailable(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Unavailable {
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub fn locked(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Locked {
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub fn not_found(name: impl Into<String>, place: impl Into<String>) -> Self {
        Self::NotFound {
            name: name.into(),
            place: place.into(),
            hint: String::from("Give the secret again; it is not there."),
        }
    }

    pub fn failed(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &str {
        match self {
            Self::Unavailable { hint, .. }
            | Self::Locked { hint, .. }
            | Self::NotFound { hint, .. }
            | Self::Failed { hint, .. } => hint,
        }
    }
}

impl From<SecretError> for ApiError {
    fn from(error: SecretError) -> Self {
        let code = match &error {
            SecretError::Unavailable { .. } => ErrorCode::SecretUnavailable,
            SecretError::Locked { .. } => ErrorCode::SecretLocked,
            SecretError::NotFound { .. } => ErrorCode::SecretNotFound,
            SecretError::Failed { .. } => ErrorCode::SecretFailed,
        };
        Self::new(code, error.to_string()).with_hint(error.hint())
    }
}

/// Where a host finds the secret behind a reference. Implemented by `bwana-config`, injected by `bwana-api`.
pub trait SecretSource: Send + Sync {
    /// The secret named by `reference`, or `None` if there is none now.
    fn secret(&self, reference: &str) -> Option<Secret>;

    /// The same, with the reason if there is none.
    ///
    /// # Errors
    /// If the reference leads nowhere, or the place it leads to is missing, closed or broken.
    fn find(&self, reference: &str) -> Result<Secret, SecretError> {
        // The reference is not repeated: it may be a key that was pasted by mistake.
        self.secret(reference)
            .ok_or_else(|| SecretError::not_found("the one asked for", "here"))
    }
}

/// No secrets at all: what tests and a machine without keys use.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

impl SecretSource for NoSecrets {
    fn secret(&self, _reference: &str) -> Option<Secret> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::new(String::from("sk-live-1234"));
        assert_eq!(
            format!("{secret:?} {:?}", Some(&secret)),
            "Secret(…) Some(Secret(…))"
        );
        assert_eq!(secret.expose(), "sk-live-1234");
    }

    #[test]
    fn a_hint_shows_the_end_of_a_long_value_and_nothing_of_a_short_one() {
        for (value, shown) in [
            ("0123456789abcdef", "••••cdef"),
            ("0123456789abcde", "••••"),
            ("0123456789abcde=", "••••"),
            ("дванадцятьсимволівтут", "••••"),
            ("", "••••"),
        ] {
            assert_eq!(Secret::new(String::from(value)).hint(), shown, "{value}");
        }
    }

    #[test]
    fn a_source_that_says_only_none_is_asked_for_a_reason_too() {
        let error = NoSecrets.find("sk-live-123456789").unwrap_err();
        assert!(matches!(error, SecretError::NotFound { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("123456"));
    }
}
