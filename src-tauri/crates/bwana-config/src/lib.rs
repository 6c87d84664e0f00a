//! What a person sets once: where the data folder is, which providers there are, how much a day may cost, and where the
//! secrets come from. Everything here is plain data and one small file.
//!
//! Nothing here calls a provider, opens a database or holds a secret: a key is a reference like `env:GROQ_API_KEY`, and
//! only [`EnvSecrets`] ever looks behind it.

mod amount;
mod error;
mod file;
mod home;
mod key;
mod provider;
mod settings;

pub use error::{ConfigError, Result};
pub use file::{SETTINGS_FILE, SETTINGS_MAX_BYTES, SettingsFile, load, save};
pub use home::{HOME_VARIABLE, resolve_home};
pub use key::{EnvSecrets, KeyRef};
pub use provider::{
    LOCAL_PROVIDER, ModelPrice, ProviderKind, ProviderSettings, parse_provider_name,
};
pub use settings::{BudgetSettings, EgressSettings, LocalSettings, Settings, parse_private_host};
