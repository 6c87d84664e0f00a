//! Where secrets are kept: the system's keyring, an encrypted vault in the data folder, or the memory of this session.
//!
//! Which of the three is chosen by a person and written in the settings. Nothing here chooses in their place, falls back
//! from one to another, or writes a secret as plain text anywhere.

mod keyring;
mod limit;
mod memory;
mod name;
mod place;
mod probe;
mod store;
mod vault;

pub use keyring::{FOLDERS_FILE, KEYRING_SERVICE, Keyring};
pub use memory::Memory;
pub use name::{SECRET_AREAS, SecretName};
pub use place::{Place, PlaceKind};
pub use probe::{Offer, OfferState, probe};
pub use store::{Kept, Moved, Secrets, read_secret};
pub use vault::{LOCK_FILE, PASSPHRASE_MIN_CHARS, VAULT_FILE, Vault, VaultError};
