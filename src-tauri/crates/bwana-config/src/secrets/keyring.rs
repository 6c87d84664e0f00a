//! The keyring of the system: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! Every call has a time limit and a thread of its own, because a keyring may wait for a dialog. Reading and writing never
//! open one where we can tell beforehand (Linux): a locked keyring says that it is locked. Only [`Place::unlock`] asks.

mod folders;
mod old_name;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bwana_types::hash::Hash;
use bwana_types::secret::{Secret, SecretError};
use keyring_core::api::CredentialStore;
use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use super::limit::within;
use super::name::SecretName;
use super::place::{Place, PlaceKind, not_found};
pub use folders::FOLDERS_FILE;
use folders::Folders;

/// What the keyring files our secrets under, with the digits of the data folder behind it. An earlier version left the
/// digits away.
pub const KEYRING_SERVICE: &str = "bwana";
/// For everything but unlocking. Where the system itself may ask first, people need time to answer.
const CALL_MAX: Duration = Duration::from_secs(if cfg!(target_os = "linux") { 10 } else { 60 });
/// For a person to find the dialog and type a password.
const UNLOCK_MAX: Duration = Duration::from_secs(120);

/// One entry per secret, with the name of the secret as user name.
#[derive(Debug, Clone)]
pub struct Keyring {
    service: Arc<str>,
    /// Of a data folder; `None`: the entries of a service and nothing else.
    folder: Option<Arc<Folder>>,
}

/// What a data folder's keyring knows besides its own entries.
#[derive(Debug)]
struct Folder {
    /// What the keyring holds for all folders together, from an earlier version.
    shared: Keyring,
    folders: Folders,
}

/// Hexadecimal digits of a data folder's part of the service: enough that no two folders of one person meet.
const HOME_DIGITS: usize = 16;

impl Keyring {
    /// What is kept for the data folder `home`. Two folders share nothing, also where one was copied from the other: a
    /// key that is replaced or removed in one stays as it is in the other. Nothing is asked yet.
    pub fn of_home(home: &Path) -> Self {
        let home = real_path(home);
        let digest = Hash::of(home.as_os_str().as_encoded_bytes()).to_string();
        let digits = digest.get(..HOME_DIGITS).unwrap_or(&digest);
        let own = Self::of_service(&format!("{KEYRING_SERVICE}-{digits}"));
        Self {
            folder: Some(Arc::new(Folder {
                shared: Self::of_service(KEYRING_SERVICE),
                folders: Folders::of(home),
            })),
            ..own
        }
    }

    /// What its entries are filed under.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Another one in the same keyring, which shares nothing with it.
    pub fn of_service(service: &str) -> Self {
        Self {
            service: Arc::from(service),
            folder: None,
        }
    }

    /// Its own entries and nothing else.
    fn alone(&self) -> Self {
        Self::of_service(&self.service)
    }

    fn call<T: Send + 'static>(
        &self,
        name: &SecretName,
        work: impl FnOnce(&Opened) -> Result<T, SecretError> + Send + 'static,
    ) -> Result<T, SecretError> {
        let (service, name) = (Arc::clone(&self.service), name.clone());
        within(CALL_MAX, move || work(&Opened::new(&service, name)?))
    }
}

impl Place for Keyring {
    fn kind(&self) -> PlaceKind {
        PlaceKind::Keyring
    }

    fn get(&self, name: &SecretName) -> Result<Secret, SecretError> {
        let Some(folder) = &self.folder else {
            return self.call(name, |opened| opened.get());
        };
        match old_name::get(&self.alone(), &folder.shared, name) {
            Ok(secret) => {
                folder.folders.note();
                Ok(secret)
            }
            Err(SecretError::NotFound { .. }) => Err(folder.folders.not_found(name)),
            Err(error) => Err(error),
        }
    }

    fn set(&self, name: &SecretName, secret: &Secret) -> Result<(), SecretError> {
        if let Some(folder) = &self.folder {
            old_name::set(&self.alone(), &folder.shared, name, secret)?;
            folder.folders.note();
            return Ok(());
        }
        let secret = secret.clone();
        self.call(name, move |opened| opened.set(&secret))
    }

    fn remove(&self, name: &SecretName) -> Result<(), SecretError> {
        match &self.folder {
            Some(folder) => old_name::remove(&self.alone(), &folder.shared, name),
            None => self.call(name, |opened| opened.remove()),
        }
    }

    fn names(&self) -> Result<Vec<SecretName>, SecretError> {
        if let Some(folder) = &self.folder {
            return old_name::names(&self.alone(), &folder.shared);
        }
        let service = Arc::clone(&self.service);
        within(CALL_MAX, move || {
            system::check_open(&service, None)?;
            let store = system::store().map_err(|error| explained(&error))?;
            let spec = system::search_spec(&service);
            let spec = spec.iter().map(|(key, value)| (*key, value.as_str()));
            let entries = store.search(&spec.collect()).map_err(|e| explained(&e))?;
            let mut names: Vec<SecretName> = entries
                .iter()
                .filter_map(Entry::get_specifiers)
                .filter(|(of, _)| *of == *service)
                // What another program files under our name is not ours to show.
                .filter_map(|(_, user)| user.parse().ok())
                .collect();
            names.sort();
            names.dedup();
            Ok(names)
        })
    }

    fn unlock(&self, _passphrase: Option<&Secret>) -> Result<(), SecretError> {
        within(UNLOCK_MAX, system::unlock)
    }
}

/// The same for every way to write a path, also while the folder does not exist yet.
fn real_path(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = path
        .ancestors()
        .find_map(|above| Some((above, above.canonicalize().ok()?)));
    match real {
        Some((above, real)) => match path.strip_prefix(above) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => path,
    }
}

/// Whether the keyring is there and open, without a dialog.
///
/// # Errors
/// Why not.
pub(super) fn state(limit: Duration) -> Result<(), SecretError> {
    within(limit, || system::check_open(KEYRING_SERVICE, None))
}

/// A connection to the keyring and the entry that is meant. For one call: a connection that lasts breaks when the
/// keyring is started anew.
struct Opened {
    entry: Entry,
    name: SecretName,
}

impl Opened {
    fn new(service: &str, name: SecretName) -> Result<Self, SecretError> {
        system::check_open(service, Some(&name))?;
        let store = system::store().map_err(|error| explained(&error))?;
        let entry = store
            .build(service, name.as_str(), None)
            .map_err(|error| explained(&error))?;
        Ok(Self { entry, name })
    }

    fn get(&self) -> Result<Secret, SecretError> {
        match self.entry.get_secret() {
            Ok(bytes) => self.text(bytes),
            Err(Error::NoEntry) => Err(self.missing()),
            // Written twice by somebody at once; they are the same or the newest cannot be told.
            Err(Error::Ambiguous(entries)) => match entries.first().map(Entry::get_secret) {
                Some(Ok(bytes)) => self.text(bytes),
                Some(Err(error)) => Err(explained(&error)),
                None => Err(self.missing()),
            },
            Err(error) => Err(explained(&error)),
        }
    }

    fn text(&self, bytes: Vec<u8>) -> Result<Secret, SecretError> {
        let bytes = Zeroizing::new(bytes);
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            SecretError::failed(
                format!(
                    "what the system's keyring holds as '{}' is no text",
                    self.name
                ),
                "Give the secret again.",
            )
        })?;
        Ok(Secret::new(text.to_owned()))
    }

    fn set(&self, secret: &Secret) -> Result<(), SecretError> {
        let value = secret.expose().as_bytes();
        match self.entry.set_secret(value) {
            Err(Error::Ambiguous(entries)) => {
                // Each gets the new value before any goes, so that there is always one.
                for entry in &entries {
                    entry.set_secret(value).map_err(|error| explained(&error))?;
                }
                for entry in entries.iter().skip(1) {
                    entry
                        .delete_credential()
                        .map_err(|error| explained(&error))?;
                }
                Ok(())
            }
            other => other.map_err(|error| explained(&error)),
        }
    }

    fn remove(&self) -> Result<(), SecretError> {
        match self.entry.delete_credential() {
            Err(Error::NoEntry) => Err(self.missing()),
            Err(Error::Ambiguous(entries)) => {
                for entry in &entries {
                    entry
                        .delete_credential()
                        .map_err(|error| explained(&error))?;
                }
                Ok(())
            }
            other => other.map_err(|error| explained(&error)),
        }
    }

    fn missing(&self) -> SecretError {
        not_found(&self.name, PlaceKind::Keyring)
    }
}

/// The error of a keyring in our words. Only what it says is used, never what it carries: that may be a secret.
fn explained(error: &Error) -> SecretError {
    match error {
        Error::NoStorageAccess(_) => locked(),
        Error::TooLong(_, most) => SecretError::failed(
            format!("the system's keyring takes no more than {most} bytes of a secret"),
            "Choose a vault for secrets of this size.",
        ),
        Error::PlatformFailure(cause) if system::is_absence(&cause.to_string()) => {
            absent(&cause.to_string())
        }
        other => SecretError::failed(
            format!("the system's keyring failed: {other}"),
            "Try again; if it stays so, choose a vault instead.",
        ),
    }
}

fn locked() -> SecretError {
    SecretError::locked(
        "the system's keyring is locked",
        "Unlock it: log in to the desktop, or open the system's own program for passwords.",
    )
}

fn absent(why: &str) -> SecretError {
    SecretError::unavailable(
        format!("this machine offers no keyring here: {why}"),
        "Choose a vault with a passphrase, or memory only.",
    )
}

#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    //! Secret Service over D-Bus, without a C library.

    use std::collections::HashMap;

    use secret_service::blocking::SecretService;
    use secret_service::{EncryptionType, Error};

    use super::{Arc, CredentialStore, SecretError, SecretName, absent, locked};

    pub(super) fn store() -> keyring_core::Result<Arc<CredentialStore>> {
        let store: Arc<CredentialStore> = zbus_secret_service_keyring_store::Store::new()?;
        Ok(store)
    }

    pub(super) fn search_spec(service: &str) -> [(&'static str, String); 1] {
        [("service", service.to_owned())]
    }

    /// Says that the keyring is locked instead of opening its dialog. No secret passes over this connection, so it is
    /// not encrypted.
    pub(super) fn check_open(service: &str, name: Option<&SecretName>) -> Result<(), SecretError> {
        let keyring = connect()?;
        let mut attributes = HashMap::from([("service", service)]);
        attributes.extend(name.map(|name| ("username", name.as_str())));
        let found = keyring
            .search_items(attributes)
            .map_err(|e| explained(&e))?;
        if !found.locked.is_empty() {
            return Err(locked());
        }
        if name.is_some() && !found.unlocked.is_empty() {
            return Ok(());
        }
        // A locked keyring may hold what was not found, and takes nothing new.
        let default = keyring
            .get_default_collection()
            .map_err(|e| explained(&e))?;
        if default.is_locked().map_err(|error| explained(&error))? {
            return Err(locked());
        }
        Ok(())
    }

    pub(super) fn unlock() -> Result<(), SecretError> {
        let keyring = connect()?;
        let default = keyring
            .get_default_collection()
            .map_err(|e| explained(&e))?;
        if default.is_locked().map_err(|error| explained(&error))? {
            default.unlock().map_err(|error| explained(&error))?;
        }
        if default.is_locked().map_err(|error| explained(&error))? {
            return Err(locked());
        }
        Ok(())
    }

    fn connect() -> Result<SecretService<'static>, SecretError> {
        // Every failure to get as far as this means that there is nobody to speak with.
        SecretService::connect(EncryptionType::Plain).map_err(|error| match error {
            Error::Locked | Error::Prompt => locked(),
            other => absent(&in_short(&other.to_string())),
        })
    }

    fn explained(error: &Error) -> SecretError {
        match error {
            Error::Locked | Error::Prompt | Error::PromptDisconnected => locked(),
            Error::NoResult => absent("its Secret Service has no keyring yet"),
            other if is_absence(&other.to_string()) => absent(&in_short(&other.to_string())),
            other => SecretError::failed(
                format!("the system's keyring failed: {other}"),
                "Try again; if it stays so, choose a vault instead.",
            ),
        }
    }

    /// D-Bus says in its error names that nobody is there.
    pub(super) fn is_absence(why: &str) -> bool {
        [
            "ServiceUnknown",
            "NameHasNoOwner",
            "no secret service",
            "Spawn.",
        ]
        .iter()
        .any(|word| why.contains(word))
    }

    fn in_short(why: &str) -> String {
        if why.contains("ServiceUnknown") || why.contains("NameHasNoOwner") {
            return String::from(
                "no program provides the Secret Service (GNOME Keyring, KWallet, KeePassXC)",
            );
        }
        format!("there is no D-Bus session ({why})")
    }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
mod system {
    //! Keychain and Credential Manager: always there, and opened by the system itself.

    use super::{Arc, CredentialStore, SecretError, SecretName, explained};

    #[cfg(target_os = "macos")]
    pub(super) fn store() -> keyring_core::Result<Arc<CredentialStore>> {
        let store: Arc<CredentialStore> = apple_native_keyring_store::keychain::Store::new()?;
        Ok(store)
    }

    #[cfg(windows)]
    pub(super) fn store() -> keyring_core::Result<Arc<CredentialStore>> {
        let store: Arc<CredentialStore> = windows_native_keyring_store::Store::new()?;
        Ok(store)
    }

    #[cfg(target_os = "macos")]
    pub(super) fn search_spec(service: &str) -> [(&'static str, String); 1] {
        [("service", service.to_owned())]
    }

    /// There an entry is called `NAME.SERVICE`.
    #[cfg(windows)]
    pub(super) fn search_spec(service: &str) -> [(&'static str, String); 1] {
        [("pattern", format!("[.]{service}$"))]
    }

    pub(super) fn check_open(
        _service: &str,
        _name: Option<&SecretName>,
    ) -> Result<(), SecretError> {
        store().map(drop).map_err(|error| explained(&error))
    }

    pub(super) fn unlock() -> Result<(), SecretError> {
        // The system asks by itself when an entry is read.
        check_open("", None)
    }

    pub(super) fn is_absence(_why: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_has_its_own_entries_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let before = Keyring::of_home(&home);
        std::fs::create_dir(&home).unwrap();
        let dotted = folder.path().join("home/../home/.");
        for same in [&home, &dotted] {
            assert_eq!(Keyring::of_home(same).service(), before.service());
        }
        assert_ne!(Keyring::of_home(folder.path()).service(), before.service());
        assert!(before.service().starts_with("bwana-"));
    }
}
