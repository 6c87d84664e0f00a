//! Secrets for this session only.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bwana_types::secret::{Secret, SecretError};

use super::name::SecretName;
use super::place::{Place, PlaceKind, not_found};

/// Keeps secrets until it goes; their memory is overwritten then.
#[derive(Debug, Default)]
pub struct Memory {
    kept: Mutex<BTreeMap<SecretName, Secret>>,
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<SecretName, Secret>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place for Memory {
    fn kind(&self) -> PlaceKind {
        PlaceKind::Memory
    }

    fn get(&self, name: &SecretName) -> Result<Secret, SecretError> {
        let found = self.kept().get(name).cloned();
        found.ok_or_else(|| not_found(name, self.kind()))
    }

    fn set(&self, name: &SecretName, secret: &Secret) -> Result<(), SecretError> {
        self.kept().insert(name.clone(), secret.clone());
        Ok(())
    }

    fn remove(&self, name: &SecretName) -> Result<(), SecretError> {
        let gone = self.kept().remove(name);
        gone.map(drop).ok_or_else(|| not_found(name, self.kind()))
    }

    fn names(&self) -> Result<Vec<SecretName>, SecretError> {
        Ok(self.kept().keys().cloned().collect())
    }

    fn unlock(&self, _passphrase: Option<&Secret>) -> Result<(), SecretError> {
        Ok(())
    }
}
