//! Secrets that cannot be printed or serialised by accident.

use std::fmt;

/// A value that never shows itself: no `Serialize`, no `Display`, and a `Debug` that says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Call this only where it goes onto the wire to its own host.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a host finds the secret behind a reference. Implemented by `bwana-config`, injected by `bwana-api`.
pub trait SecretSource: Send + Sync {
    /// The secret named by `reference`, or `None` if there is none now.
    fn secret(&self, reference: &str) -> Option<Secret>;
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
}
