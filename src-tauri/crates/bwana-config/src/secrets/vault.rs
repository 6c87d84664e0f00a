//! The vault: one file in the data folder, encrypted with a passphrase.
//!
//! It is read anew for every call and written as a whole under a lock, so that several programs can share it. While it
//! is unlocked only the key derived from the passphrase is kept, never a secret and never the passphrase.

mod format;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bwana_types::fault::fault_point;
use bwana_types::secret::{Secret, SecretError};
use zeroize::Zeroizing;

use super::name::SecretName;
use super::place::{Place, PlaceKind, not_found};
use crate::file::{private, sync_folder};
pub use format::VaultError;
use format::{Entries, Key};

/// In the data folder.
pub const VAULT_FILE: &str = "secrets.vault";
/// Held by whoever writes the vault. It is a file of its own because the vault is replaced and not changed.
pub const LOCK_FILE: &str = "secrets.lock";
/// The shortest passphrase; Argon2id makes each guess dear, and nothing makes a short one long.
pub const PASSPHRASE_MIN_CHARS: usize = 8;
const PASSPHRASE_MAX_BYTES: usize = 1_024;
/// Writing takes some milliseconds; whoever holds the lock longer hangs.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_LOOK_EVERY: Duration = Duration::from_millis(10);

/// The vault of a data folder.
pub struct Vault {
    folder: PathBuf,
    path: PathBuf,
    /// What opens it; `None`: it is locked.
    key: Mutex<Option<Key>>,
}

impl Vault {
    /// The vault of `home`, which need not exist yet. Locked.
    pub fn at(home: &Path) -> Self {
        Self {
            folder: home.to_owned(),
            path: home.join(VAULT_FILE),
            key: Mutex::new(None),
        }
    }

    /// Whether there is a file, whatever is in it.
    pub fn exists(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    pub fn is_unlocked(&self) -> bool {
        self.key().is_some()
    }

    /// Whether what is there could be opened with the right passphrase. Cheap: nothing is decrypted.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), VaultError> {
        format::check(&self.read()?).map(drop)
    }

    /// Makes an empty vault and leaves it unlocked.
    ///
    /// # Errors
    /// If there is one, the passphrase is too short, or it cannot be written.
    pub fn create(&self, passphrase: &Secret) -> Result<(), VaultError> {
        check_passphrase(passphrase)?;
        let _lock = self.lock_file()?;
        if self.exists() {
            return Err(VaultError::Exists);
        }
        let key = Key::new(passphrase)?;
        self.write(&key, &Entries::default())?;
        *self.key() = Some(key);
        Ok(())
    }

    /// Opens it until [`Place::lock`] or the end of the program. Takes about half a second on purpose.
    ///
    /// # Errors
    /// [`VaultError::WrongPassphrase`], or what is wrong with the file.
    pub fn open(&self, passphrase: &Secret) -> Result<(), VaultError> {
        let key = Key::of(&self.read()?, passphrase)?;
        *self.key() = Some(key);
        Ok(())
    }

    /// Encrypts everything anew. Other programs that have the vault open must unlock it again.
    ///
    /// # Errors
    /// If the old one is wrong, the new one too short, or it cannot be written; then nothing has changed.
    pub fn change_passphrase(&self, old: &Secret, new: &Secret) -> Result<(), VaultError> {
        check_passphrase(new)?;
        let _lock = self.lock_file()?;
        let bytes = self.read()?;
        let entries = Key::of(&bytes, old)?.decrypt(&bytes)?;
        let key = Key::new(new)?;
        self.write(&key, &entries)?;
        *self.key() = Some(key);
        Ok(())
    }

    /// Every value in it, for whoever must know what not to show.
    ///
    /// # Errors
    /// If it is locked, or what is wrong with the file.
    pub(super) fn values(&self) -> Result<Vec<Secret>, VaultError> {
        Ok(self.entries()?.into_values().collect())
    }

    fn key(&self) -> MutexGuard<'_, Option<Key>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries(&self) -> Result<Entries, VaultError> {
        let bytes = self.read()?;
        self.key()
            .as_ref()
            .ok_or(VaultError::Locked)?
            .decrypt(&bytes)
    }

    /// Changes what is kept, together with everybody else who does.
    fn change<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> Result<T, VaultError> {
        let _lock = self.lock_file()?;
        let bytes = self.read()?;
        let key = self.key();
        let key = key.as_ref().ok_or(VaultError::Locked)?;
        let mut entries = key.decrypt(&bytes)?;
        let answer = change(&mut entries);
        self.write(key, &entries)?;
        Ok(answer)
    }

    fn read(&self) -> Result<Vec<u8>, VaultError> {
        let meta = match fs::symlink_metadata(&self.path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(VaultError::Absent);
            }
            Err(error) => return Err(self.io("read", &error)),
        };
        // Opening a pipe would wait for ever.
        if !meta.is_file() {
            return Err(VaultError::NoVault);
        }
        let file = File::open(&self.path).map_err(|error| self.io("read", &error))?;
        let mut bytes = Vec::new();
        file.take(format::VAULT_MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.io("read", &error))?;
        Ok(bytes)
    }

    /// A reader sees the old vault or the new one; the old one is there until the new one is on disk.
    fn write(&self, key: &Key, entries: &Entries) -> Result<(), VaultError> {
        let bytes = key.encrypt(entries)?;
        let draft = self.folder.join(format!("{VAULT_FILE}.new"));
        let write = || -> io::Result<()> {
            // Left by a program that was ended while it wrote.
            match fs::remove_file(&draft) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            private(&mut options);
            let mut file = options.open(&draft)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            drop(file);
            fault_point("vault_draft_written");
            fs::rename(&draft, &self.path)?;
            fault_point("vault_replaced");
            sync_folder(&self.folder)
        };
        write().map_err(|error| self.io("written", &error))
    }

    /// Waits until nobody else writes.
    fn lock_file(&self) -> Result<File, VaultError> {
        let path = self.folder.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private(&mut options);
        let file = options
            .open(&path)
            .map_err(|error| self.io("locked", &error))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_WAIT => {
                    thread::sleep(LOCK_LOOK_EVERY);
                }
                Err(TryLockError::WouldBlock) => return Err(VaultError::Busy),
                Err(TryLockError::Error(error)) => return Err(self.io("locked", &error)),
            }
        }
    }

    fn io(&self, doing: &'static str, error: &io::Error) -> VaultError {
        VaultError::Io {
            file: self.path.clone(),
            doing,
            why: error.to_string(),
        }
    }
}

impl Place for Vault {
    fn kind(&self) -> PlaceKind {
        PlaceKind::Vault
    }

    fn get(&self, name: &SecretName) -> Result<Secret, SecretError> {
        let mut entries = self.entries()?;
        let found = entries.remove(name.as_str());
        found.ok_or_else(|| not_found(name, self.kind()))
    }

    fn set(&self, name: &SecretName, secret: &Secret) -> Result<(), SecretError> {
        self.change(|entries| entries.insert(name.to_string(), secret.clone()))?;
        Ok(())
    }

    fn remove(&self, name: &SecretName) -> Result<(), SecretError> {
        let gone = self.change(|entries| entries.remove(name.as_str()))?;
        gone.map(drop).ok_or_else(|| not_found(name, self.kind()))
    }

    fn names(&self) -> Result<Vec<SecretName>, SecretError> {
        let names = self.entries()?.into_keys();
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    fn unlock(&self, passphrase: Option<&Secret>) -> Result<(), SecretError> {
        match passphrase {
            Some(passphrase) => Ok(self.open(passphrase)?),
            None if self.is_unlocked() => Ok(()),
            None => Err(VaultError::Locked.into()),
        }
    }

    fn lock(&self) {
        *self.key() = None;
    }
}

fn check_passphrase(passphrase: &Secret) -> Result<(), VaultError> {
    let text = passphrase.expose();
    if text.chars().count() < PASSPHRASE_MIN_CHARS {
        return Err(VaultError::PassphraseTooShort);
    }
    if text.len() > PASSPHRASE_MAX_BYTES {
        return Err(VaultError::PassphraseTooLong);
    }
    Ok(())
}

/// A buffer for plain text that is never moved, so that no copy stays behind.
fn plain_buffer(bytes: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(bytes))
}
