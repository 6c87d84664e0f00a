//! What this machine offers for keeping secrets, and why it does not offer the rest: for the question a person is asked.

use std::path::Path;
use std::time::Duration;

use bwana_types::secret::SecretError;
use serde::Serialize;

use super::keyring;
use super::place::PlaceKind;
use super::vault::{Vault, VaultError};

/// Nobody waits longer for the question than this.
const PROBE_MAX: Duration = Duration::from_secs(3);

/// A place, and whether it can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    pub place: PlaceKind,
    pub state: OfferState,
    /// One sentence for people.
    pub what: String,
}

/// Whether a place can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferState {
    /// At once.
    Ready,
    /// It is there and has to be unlocked.
    Locked,
    /// It is not there yet and can be made.
    New,
    /// Not on this machine as it is now.
    Unavailable,
    /// It is there and cannot be used as it is.
    Broken,
}

/// Looks at all three places. Opens no dialog and creates nothing; takes a few milliseconds, and at most three seconds.
pub fn probe(home: &Path) -> Vec<Offer> {
    vec![
        keyring_offer(keyring::state(PROBE_MAX)),
        vault_offer(&Vault::at(home)),
        Offer {
            place: PlaceKind::Memory,
            state: OfferState::Ready,
            what: String::from("kept until the program ends, then asked for again"),
        },
    ]
}

fn keyring_offer(state: Result<(), SecretError>) -> Offer {
    let (state, what) = match state {
        Ok(()) => (
            OfferState::Ready,
            String::from("the system's keyring is there and open"),
        ),
        Err(error) => {
            let state = match &error {
                SecretError::Locked { .. } => OfferState::Locked,
                SecretError::Unavailable { .. } => OfferState::Unavailable,
                SecretError::NotFound { .. } | SecretError::Failed { .. } => OfferState::Broken,
            };
            (state, error.to_string())
        }
    };
    Offer {
        place: PlaceKind::Keyring,
        state,
        what,
    }
}

fn vault_offer(vault: &Vault) -> Offer {
    let (state, what) = match vault.check() {
        Ok(()) => (
            OfferState::Locked,
            String::from("there is a vault; its passphrase opens it"),
        ),
        Err(VaultError::Absent) => (
            OfferState::New,
            String::from("a file in the data folder, encrypted with a passphrase you choose"),
        ),
        Err(error) => (OfferState::Broken, error.to_string()),
    };
    Offer {
        place: PlaceKind::Vault,
        state,
        what,
    }
}
