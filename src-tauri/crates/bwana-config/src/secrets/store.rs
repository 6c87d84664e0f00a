//! What the rest of the program uses: secrets by reference, from the environment and from the place a person has chosen.

mod moving;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bwana_types::redact::Redactor;
use bwana_types::secret::{SECRET_MAX_BYTES, Secret, SecretError, SecretSource};
use zeroize::Zeroizing;

use super::name::SecretName;
use super::place::{Place, PlaceKind};
use super::vault::Vault;
use crate::key::{KeyPlace, KeyRef, from_env};
pub use moving::Moved;

/// Finds, keeps, replaces and removes secrets. A clone is the same.
///
/// Nothing is cached: each call asks the place, and what it gives is overwritten in memory when the caller lets go of it.
/// Every value that passes through here is made known to the redactor first.
#[derive(Clone)]
pub struct Secrets {
    home: Arc<Path>,
    redactor: Redactor,
    /// The place a person has chosen, if any.
    chosen: Arc<RwLock<Option<Chosen>>>,
}

#[derive(Clone)]
struct Chosen {
    place: Arc<dyn Place>,
    /// The same, if it is a vault: it can do more.
    vault: Option<Arc<Vault>>,
}

/// How a secret was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    New,
    /// There was one of that name, and it is gone.
    Replaced,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("place", &self.chosen_kind())
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Secrets of the data folder `home`, kept where the settings say. Touches nothing yet.
    pub fn new(home: &Path, choice: Option<PlaceKind>, redactor: Redactor) -> Self {
        let secrets = Self {
            home: Arc::from(home),
            redactor,
            chosen: Arc::default(),
        };
        if let Some(kind) = choice {
            secrets.choose(kind);
        }
        secrets
    }

    /// From now on secrets are kept there. What is kept elsewhere stays where it is; the settings are the caller's
    /// to change.
    pub fn choose(&self, kind: PlaceKind) {
        if self.chosen_kind() == Some(kind) {
            return;
        }
        self.put_chosen(self.make(kind));
    }

    /// Keeps secrets in a place of the caller's, for tests.
    pub fn choose_place(&self, place: Arc<dyn Place>) {
        self.put_chosen(Chosen { place, vault: None });
    }

    fn put_chosen(&self, chosen: Chosen) {
        let mut slot = self.chosen.write().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(chosen);
    }

    /// Where secrets are kept; `None`: nobody has chosen.
    pub fn chosen_kind(&self) -> Option<PlaceKind> {
        self.chosen().ok().map(|chosen| chosen.place.kind())
    }

    /// What takes secrets out of text. It learns every value that passes through here.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    pub fn home(&self) -> PathBuf {
        self.home.to_path_buf()
    }

    /// The secret behind a reference.
    ///
    /// # Errors
    /// If it is not there, or the place it is in is missing, closed or broken: four different things.
    pub fn get(&self, key: &KeyRef) -> Result<Secret, SecretError> {
        let secret = match key.place() {
            KeyPlace::Env(variable) => from_env(variable).ok_or_else(|| {
                SecretError::not_found(variable, "in the environment of this program")
            })?,
            KeyPlace::Secret(name) => self.chosen()?.place.get(name)?,
        };
        self.redactor.learn(&secret);
        Ok(secret)
    }

    /// Keeps a secret, in place of one of that name, and reads it back.
    ///
    /// # Errors
    /// If it is empty or too long, or the place does not take it; then the one before is still there.
    pub fn set(&self, name: &SecretName, secret: &Secret) -> Result<Kept, SecretError> {
        self.redactor.learn(secret);
        // A file or a terminal brings a line end; no key has white space at its ends.
        let secret = Secret::new(secret.expose().trim().to_owned());
        check_value(&secret)?;
        let place = self.chosen()?.place;
        let kept = match place.get(name) {
            Ok(before) => {
                // It may still be in what is logged later.
                self.redactor.learn(&before);
                Kept::Replaced
            }
            Err(SecretError::NotFound { .. }) => Kept::New,
            // What is there and cannot be read is to be replaced.
            Err(SecretError::Failed { .. }) => Kept::Replaced,
            Err(closed) => return Err(closed),
        };
        place.set(name, &secret)?;
        if place.get(name)? != secret {
            return Err(SecretError::failed(
                format!(
                    "'{name}' was kept and is not what was given {}",
                    place.kind().within()
                ),
                "Try again; if it stays so, choose another place for secrets.",
            ));
        }
        Ok(kept)
    }

    /// Removes a secret and looks whether it is gone.
    ///
    /// # Errors
    /// [`SecretError::NotFound`] if there was none; any other: it may still be there, and the message says where.
    pub fn remove(&self, name: &SecretName) -> Result<(), SecretError> {
        let place = self.chosen()?.place;
        if let Ok(before) = place.get(name) {
            self.redactor.learn(&before);
        }
        place.remove(name)?;
        match place.get(name) {
            Err(SecretError::NotFound { .. }) => Ok(()),
            _ => Err(SecretError::failed(
                format!("'{name}' may still be {}", place.kind().within()),
                "Look there yourself, and revoke the key where it was made.",
            )),
        }
    }

    /// The names of all secrets that are kept.
    ///
    /// # Errors
    /// If the place is missing, closed or broken.
    pub fn names(&self) -> Result<Vec<SecretName>, SecretError> {
        self.chosen()?.place.names()
    }

    /// Opens the place: a vault with its passphrase, a keyring in the system's own dialog. What is in a vault becomes
    /// known to the redactor then, also what nobody asks for: a provider may repeat the key of another one. A keyring is
    /// not read through, because the system may ask the person for each entry.
    ///
    /// # Errors
    /// [`SecretError::Locked`] if it stays closed.
    pub fn unlock(&self, passphrase: Option<&Secret>) -> Result<(), SecretError> {
        if let Some(passphrase) = passphrase {
            self.redactor.learn(passphrase);
        }
        let chosen = self.chosen()?;
        chosen.place.unlock(passphrase)?;
        for secret in chosen
            .vault
            .iter()
            .flat_map(|vault| vault.values())
            .flatten()
        {
            self.redactor.learn(&secret);
        }
        Ok(())
    }

    /// Forgets what opened the vault. A keyring is the system's to lock.
    pub fn lock(&self) {
        if let Ok(chosen) = self.chosen() {
            chosen.place.lock();
        }
    }

    /// Makes the vault, if that is what was chosen, and leaves it unlocked.
    ///
    /// # Errors
    /// If another place was chosen, there is a vault, the passphrase is too short, or it cannot be written.
    pub fn create_vault(&self, passphrase: &Secret) -> Result<(), SecretError> {
        self.redactor.learn(passphrase);
        Ok(self.vault()?.create(passphrase)?)
    }

    /// # Errors
    /// If another place was chosen, the old passphrase is wrong, the new one too short, or it cannot be written; then
    /// the old one still opens it.
    pub fn change_passphrase(&self, old: &Secret, new: &Secret) -> Result<(), SecretError> {
        self.redactor.learn(old);
        self.redactor.learn(new);
        Ok(self.vault()?.change_passphrase(old, new)?)
    }

    fn chosen(&self) -> Result<Chosen, SecretError> {
        let chosen = self.chosen.read().unwrap_or_else(PoisonError::into_inner);
        chosen.clone().ok_or_else(|| {
            SecretError::unavailable(
                "nobody has chosen where secrets are kept",
                "Choose the system's keyring, an encrypted vault, or memory only.",
            )
        })
    }

    fn vault(&self) -> Result<Arc<Vault>, SecretError> {
        self.chosen()?.vault.ok_or_else(|| {
            SecretError::unavailable(
                "secrets are not kept in a vault here",
                "Choose the vault as the place for secrets first.",
            )
        })
    }
}

/// A secret from standard input or a file: all of it, without white space at its ends.
///
/// # Errors
/// If it cannot be read, is no text, is empty, or is longer than a secret is. What was read is not repeated.
pub fn read_secret(input: impl Read) -> Result<Secret, SecretError> {
    let bad = |what: &str| SecretError::failed(what, "Check what was given; nothing was kept.");
    // As large as it may become, so that no copy stays behind when it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * SECRET_MAX_BYTES));
    input
        .take(SECRET_MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| bad(&format!("the secret cannot be read: {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("the secret is no text"))?;
    let secret = Secret::new(text.trim().to_owned());
    if bytes.len() > SECRET_MAX_BYTES {
        return Err(bad("the secret is longer than a secret is"));
    }
    check_value(&secret)?;
    Ok(secret)
}

fn check_value(secret: &Secret) -> Result<(), SecretError> {
    let bad = |what: String| SecretError::failed(what, "Check what was given; nothing was kept.");
    match secret.expose().len() {
        0 => Err(bad(String::from("the secret is empty"))),
        bytes if bytes > SECRET_MAX_BYTES => Err(bad(format!(
            "the secret has {bytes} bytes; at most {SECRET_MAX_BYTES} are kept"
        ))),
        _ => Ok(()),
    }
}

impl SecretSource for Secrets {
    fn secret(&self, reference: &str) -> Option<Secret> {
        self.find(reference).ok()
    }

    fn find(&self, reference: &str) -> Result<Secret, SecretError> {
        let key: KeyRef = reference.parse().map_err(|_| {
            // The reference is not repeated: it may be a key that was pasted by mistake.
            SecretError::failed(
                "this is not a reference to a secret",
                "It looks like env:GROQ_API_KEY or secret:providers/groq.",
            )
        })?;
        self.get(&key)
    }
}
