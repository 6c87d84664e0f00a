//! What a secret is called. A name is shown, stored and exported; it is never a secret itself.

use std::fmt;
use std::str::FromStr;

use bwana_types::redact::looks_like_key;

use crate::error::{ConfigError, Result};

/// What secrets are for: the part of a name before the slash.
pub const SECRET_AREAS: &[&str] = &["providers", "connectors", "workspaces", "bridge"];
const NAME_MAX_CHARS: usize = 64;

/// `AREA/NAME`, like `providers/groq`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

impl SecretName {
    /// The key of the provider of this name.
    ///
    /// # Errors
    /// As [`Self::from_str`].
    pub fn provider(provider: &str) -> Result<Self> {
        format!("providers/{provider}").parse()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = ConfigError;

    /// # Errors
    /// If it has another form, or looks like a key that was pasted by mistake. It is not repeated then.
    fn from_str(text: &str) -> Result<Self> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        let is_name = |name: &str| {
            let begins = name
                .bytes()
                .next()
                .is_some_and(|b| b.is_ascii_alphanumeric());
            begins && name.len() <= NAME_MAX_CHARS && name.bytes().all(plain)
        };
        match text.split_once('/') {
            Some((area, name))
                if SECRET_AREAS.contains(&area) && is_name(name) && !looks_like_key(name) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ConfigError::value(
                "this is not the name of a secret",
                format!(
                    "It looks like providers/groq: {}, then a slash, then lower-case letters, digits, -, _ and dots.",
                    SECRET_AREAS.join(", ")
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_area_and_is_no_key() {
        for name in ["providers/groq", "connectors/mail.smtp_1", "bridge/x"] {
            assert_eq!(name.parse::<SecretName>().unwrap().as_str(), name);
        }
        let long = format!("providers/{}", "a".repeat(65));
        let key = format!("providers/{}{}", "sk-", "0123456789abcdef0123456789abcdef");
        for name in [
            "",
            "groq",
            "providers/",
            "/groq",
            "other/groq",
            "providers/Groq",
            "providers/a/b",
            "providers/a b",
            "providers/-a",
            "providers/..",
            &long,
            &key,
        ] {
            let error = name.parse::<SecretName>().unwrap_err();
            assert!(!format!("{error:?}").contains("0123456789"), "{name}");
        }
    }
}
