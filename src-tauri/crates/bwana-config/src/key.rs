//! Keys by reference. A key stands in the environment or in the place where secrets are kept; the settings hold its name.

use std::fmt;
use std::str::FromStr;

use bwana_types::secret::Secret;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{ConfigError, Result};
use crate::secrets::SecretName;

/// Where a key is found. Never the key itself, so it may be shown, stored and exported.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRef(KeyPlace);

/// The two ways to refer to a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyPlace {
    /// `env:VARIABLE`
    Env(String),
    /// `secret:AREA/NAME`
    Secret(SecretName),
}

const ENV_SCHEME: &str = "env:";
const SECRET_SCHEME: &str = "secret:";
/// Longer than any name in use, and too short for a pasted key with its certificate chain.
const VARIABLE_MAX_CHARS: usize = 100;

impl KeyRef {
    /// The key in an environment variable.
    ///
    /// # Errors
    /// If that is no name of a variable. The text is not repeated: it may be a key that was pasted by mistake.
    pub fn env(variable: &str) -> Result<Self> {
        let mut bytes = variable.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !first || !rest || variable.len() > VARIABLE_MAX_CHARS {
            return Err(ConfigError::value(
                "this is not the name of an environment variable",
                "Put the key into a variable, like GROQ_API_KEY, and give its name: --key-env GROQ_API_KEY. \
                 A key itself is never written to a file.",
            ));
        }
        Ok(Self(KeyPlace::Env(variable.to_owned())))
    }

    /// The key in the place where secrets are kept.
    pub fn secret(name: SecretName) -> Self {
        Self(KeyPlace::Secret(name))
    }

    pub fn place(&self) -> &KeyPlace {
        &self.0
    }

    /// The name under which it is found: of the variable, or of the secret.
    pub fn variable(&self) -> &str {
        match &self.0 {
            KeyPlace::Env(variable) => variable,
            KeyPlace::Secret(name) => name.as_str(),
        }
    }

    /// The name of the secret, if it is kept where secrets are.
    pub fn secret_name(&self) -> Option<&SecretName> {
        match &self.0 {
            KeyPlace::Secret(name) => Some(name),
            KeyPlace::Env(_) => None,
        }
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            KeyPlace::Env(variable) => write!(f, "{ENV_SCHEME}{variable}"),
            KeyPlace::Secret(name) => write!(f, "{SECRET_SCHEME}{name}"),
        }
    }
}

impl FromStr for KeyRef {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(variable) = text.strip_prefix(ENV_SCHEME) {
            return Self::env(variable);
        }
        if let Some(name) = text.strip_prefix(SECRET_SCHEME) {
            return name.parse().map(Self::secret);
        }
        Err(ConfigError::value(
            "a key is given by reference and never as itself",
            "Write `key = \"env:NAME\"`, where NAME is an environment variable that holds it, or \
             `key = \"secret:providers/NAME\"` for one that is kept where secrets are.",
        ))
    }
}

impl Serialize for KeyRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: ConfigError| match error {
            ConfigError::Value {
                what,
                hint: Some(hint),
            } => D::Error::custom(format!("{what}. {hint}")),
            other => D::Error::custom(other),
        })
    }
}

/// The secret in a variable of the environment.
pub(crate) fn from_env(variable: &str) -> Option<Secret> {
    let value = Secret::new(std::env::var(variable).ok()?);
    // A file read into a variable brings its line end; no key has white space at its ends.
    let value = value.expose().trim();
    (!value.is_empty()).then(|| Secret::new(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_its_text() {
        for text in ["env:GROQ_API_KEY", "env:_k1", "secret:providers/groq"] {
            assert_eq!(text.parse::<KeyRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_key_given_as_itself_is_refused_and_not_repeated() {
        for text in [
            "sk-live-123456",
            "env:sk-live-123456",
            "env:",
            "env:1A",
            "",
            "secret:sk-live-123456",
            "secret:providers/",
            "secret:providers/sk-ant-api03-0123456789123456",
            "keyring:providers/groq",
        ] {
            let error = text.parse::<KeyRef>().unwrap_err();
            assert!(!format!("{error:?} {error}").contains("123456"), "{text}");
        }
    }

    #[test]
    fn a_secret_is_read_from_its_variable() {
        // PATH is the one variable every test has.
        let secret = from_env("PATH").unwrap();
        assert_eq!(
            secret.expose().as_str(),
            std::env::var("PATH").unwrap().trim()
        );
        assert_eq!(from_env("BWANA_NO_SUCH_VARIABLE"), None);
    }
}
