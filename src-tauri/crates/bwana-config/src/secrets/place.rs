//! What every place for secrets can do.

use std::fmt;
use std::str::FromStr;

use bwana_types::secret::{Secret, SecretError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::name::SecretName;
use crate::error::{ConfigError, Result as ConfigResult};

/// A place where secrets are kept. Calls may wait for a disk or another program, though never without end: call them
/// where waiting is allowed.
///
/// Every failure is one of the four kinds of [`SecretError`]; a place that is closed never says that a secret is not there.
pub trait Place: Send + Sync {
    fn kind(&self) -> PlaceKind;

    /// # Errors
    /// [`SecretError::NotFound`] only if the place is open and holds no such secret.
    fn get(&self, name: &SecretName) -> Result<Secret, SecretError>;

    /// Keeps a value; one of that name is replaced and gone.
    ///
    /// # Errors
    /// If it could not be kept; then the one before still is.
    fn set(&self, name: &SecretName, secret: &Secret) -> Result<(), SecretError>;

    /// # Errors
    /// [`SecretError::NotFound`] if it was not there, any other if it may still be.
    fn remove(&self, name: &SecretName) -> Result<(), SecretError>;

    /// The names of all that is kept, in order.
    ///
    /// # Errors
    /// If the place is missing, closed or broken.
    fn names(&self) -> Result<Vec<SecretName>, SecretError>;

    /// Opens the place: with a passphrase if it is one of ours, else in the system's own dialog, for which it waits.
    ///
    /// # Errors
    /// [`SecretError::Locked`] if it stays closed.
    fn unlock(&self, passphrase: Option<&Secret>) -> Result<(), SecretError>;

    /// Forgets what opened it, where that is ours to forget.
    fn lock(&self) {}
}

/// The three places there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaceKind {
    /// The keyring of the system.
    Keyring,
    /// A file in the data folder, encrypted with a passphrase.
    Vault,
    /// Nowhere: gone when the program ends.
    Memory,
}

impl PlaceKind {
    pub const ALL: [Self; 3] = [Self::Keyring, Self::Vault, Self::Memory];

    /// As it is written in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Vault => "vault",
            Self::Memory => "memory",
        }
    }

    /// In a sentence, after a verb.
    pub(super) const fn within(self) -> &'static str {
        match self {
            Self::Keyring => "in the system's keyring",
            Self::Vault => "in the vault",
            Self::Memory => "in the memory of this session",
        }
    }
}

impl fmt::Display for PlaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PlaceKind {
    type Err = ConfigError;

    fn from_str(text: &str) -> ConfigResult<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            ConfigError::value(
                format!("'{shown}' is no place for secrets"),
                "Use keyring, vault or memory.",
            )
        })
    }
}

impl Serialize for PlaceKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PlaceKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The sentence for a secret that an open place does not hold.
pub(super) fn not_found(name: &SecretName, kind: PlaceKind) -> SecretError {
    SecretError::not_found(name.as_str(), kind.within())
}
