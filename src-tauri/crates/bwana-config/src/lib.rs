//! What a person sets once: where the data folder is, which providers there are, how much a day may cost, and where the
//! secrets come from. Everything here is plain data and one small file.
//!
//! Nothing here calls a provider or opens a database. A key is a reference like `env:GROQ_API_KEY` or
//! `secret:providers/groq`, and only [`Secrets`] ever looks behind it.

mod amount;
mod error;
mod file;
mod good;
mod home;
mod key;
mod provider;
mod secrets;
mod settings;

pub use error::{ConfigError, Result};
pub use file::{SETTINGS_FILE, SETTINGS_MAX_BYTES, SettingsFile, load, save};
pub use good::GOOD_KEPT;
pub use home::{
    HOME_VARIABLE, PROFILE_VARIABLE, PROFILES_DIR, base_of, parse_profile_name, profile_folder,
    profile_of, resolve_home,
};
pub use key::{KeyPlace, KeyRef};
pub use provider::{
    LOCAL_PROVIDER, ModelPrice, ProviderKind, ProviderSettings, parse_provider_name,
};
pub use secrets::{
    FOLDERS_FILE, KEYRING_SERVICE, Kept, Keyring, LOCK_FILE, Memory, Moved, Offer, OfferState,
    PASSPHRASE_MIN_CHARS, Place, PlaceKind, SECRET_AREAS, SecretName, Secrets, VAULT_FILE, Vault,
    VaultError, probe, read_secret,
};
pub use settings::{
    BudgetSettings, EgressSettings, LANGUAGES, LocalSettings, SecretSettings, Settings,
    UpdateSettings, WindowSettings, parse_private_host,
};
