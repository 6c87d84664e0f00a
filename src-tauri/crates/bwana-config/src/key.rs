//! Keys by reference. In this version a key stands in the environment; the settings hold the name of its variable.

use std::fmt;
use std::str::FromStr;

use bwana_types::secret::{Secret, SecretSource};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{ConfigError, Result};

/// Where a key is found. Never the key itself, so it may be shown, stored and exported.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRef {
    variable: String,
}

const ENV_SCHEME: &str = "env:";
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
        Ok(Self {
            variable: variable.to_owned(),
        })
    }

    /// The name of the variable.
    pub fn variable(&self) -> &str {
        &self.variable
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ENV_SCHEME}{}", self.variable)
    }
}

impl FromStr for KeyRef {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix(ENV_SCHEME) {
            Some(variable) => Self::env(variable),
            None => Err(ConfigError::value(
                "a key is given by reference and never as itself",
                "Write `key = \"env:NAME\"`, where NAME is an environment variable that holds it.",
            )),
        }
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

/// Secrets in the environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnvSecrets;

impl SecretSource for EnvSecrets {
    fn secret(&self, reference: &str) -> Option<Secret> {
        let key: KeyRef = reference.parse().ok()?;
        let value = std::env::var(key.variable()).ok()?;
        // A file read into a variable brings its line end; no key has white space at its ends.
        let value = value.trim();
        (!value.is_empty()).then(|| Secret::new(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_its_text() {
        for text in ["env:GROQ_API_KEY", "env:_k1"] {
            assert_eq!(text.parse::<KeyRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_key_given_as_itself_is_refused_and_not_repeated() {
        for text in ["sk-live-123456", "env:sk-live-123456", "env:", "env:1A", ""] {
            let error = text.parse::<KeyRef>().unwrap_err();
            assert!(!format!("{error:?} {error}").contains("123456"), "{text}");
        }
    }

    #[test]
    fn a_secret_is_read_from_its_variable() {
        // PATH is the one variable every test has.
        let secret = EnvSecrets.secret("env:PATH").unwrap();
        assert_eq!(
            secret.expose().as_str(),
            std::env::var("PATH").unwrap().trim()
        );
        assert_eq!(EnvSecrets.secret("env:BWANA_NO_SUCH_VARIABLE"), None);
        assert_eq!(EnvSecrets.secret("PATH"), None);
    }
}
