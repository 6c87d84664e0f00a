//! From one place for secrets to another. In this order: copy and read back, write the new choice down, remove the old.
//! Whenever the program ends in between, the place that is written down holds everything; doing it again finishes it.

use std::sync::Arc;

use bwana_types::fault::fault_point;
use bwana_types::redact::Redactor;
use bwana_types::secret::{Secret, SecretError};

use super::{Chosen, Secrets};
use crate::secrets::name::SecretName;
use crate::secrets::place::{Place, PlaceKind};

/// What became of the secrets of the place before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// They are at the new place, and no longer at the old one.
    pub moved: Vec<SecretName>,
    /// They are still at the old place too: they could not be removed, or the new place has another value.
    pub left_behind: Vec<SecretName>,
}

impl Secrets {
    /// Keeps secrets at `kind` from now on, once `write_down` has made the choice last. A vault is opened with
    /// `passphrase`, and made if there is none. With `take_along` what is kept at the place before moves; it also
    /// finishes a move that was interrupted.
    ///
    /// # Errors
    /// If a place is missing, closed or broken, a copy is not what was copied, or the choice cannot be written down.
    /// Then the place before is still chosen and holds everything.
    pub fn change_place<E: From<SecretError>>(
        &self,
        kind: PlaceKind,
        passphrase: Option<&Secret>,
        take_along: bool,
        write_down: impl FnOnce() -> Result<(), E>,
    ) -> Result<Moved, E> {
        if let Some(passphrase) = passphrase {
            self.redactor.learn(passphrase);
        }
        let before = self.chosen().ok();
        let same = before.as_ref().filter(|chosen| chosen.place.kind() == kind);
        let to = same.cloned().unwrap_or_else(|| self.make(kind));
        let from = before.filter(|chosen| chosen.place.kind() != kind);
        if take_along && kind == PlaceKind::Memory {
            return Err(SecretError::unavailable(
                "secrets are not moved into memory, which forgets them when the program ends",
                "Choose the keyring or a vault, or choose memory without --move and give the keys again.",
            )
            .into());
        }
        make_ready(&to, passphrase)?;
        if !take_along {
            write_down()?;
            self.put_chosen(to);
            return Ok(Moved::default());
        }
        if let Some(from) = &from {
            open(from, passphrase)?;
        }
        let names = match &from {
            Some(from) => copy(&*from.place, &*to.place, &self.redactor)?,
            None => Vec::new(),
        };
        write_down()?;
        fault_point("secrets_place_written");
        self.put_chosen(to.clone());
        match from {
            Some(from) => Ok(remove_old(&*from.place, &*to.place, &names)),
            None => Ok(self.finish_interrupted(kind, &*to.place, passphrase)),
        }
    }

    /// A move that ended before the old place was empty is finished by whoever asks for it again.
    fn finish_interrupted(
        &self,
        kind: PlaceKind,
        to: &dyn Place,
        passphrase: Option<&Secret>,
    ) -> Moved {
        let mut all = Moved::default();
        for other in [PlaceKind::Keyring, PlaceKind::Vault] {
            if other == kind {
                continue;
            }
            let old = self.make(other);
            // One that is not there or stays closed cannot have been moved from just now.
            if open(&old, passphrase).is_ok()
                && let Ok(names) = old.place.names()
            {
                let moved = remove_old(&*old.place, to, &names);
                all.moved.extend(moved.moved);
                all.left_behind.extend(moved.left_behind);
            }
        }
        all
    }

    /// A place of this kind for this data folder. Touches nothing.
    pub(super) fn make(&self, kind: PlaceKind) -> Chosen {
        use crate::secrets::{keyring::Keyring, memory::Memory, vault::Vault};

        let place: Arc<dyn Place> = match kind {
            PlaceKind::Keyring => Arc::new(Keyring::of_home(&self.home)),
            PlaceKind::Memory => Arc::new(Memory::new()),
            PlaceKind::Vault => {
                let vault = Arc::new(Vault::at(&self.home));
                return Chosen {
                    place: Arc::clone(&vault) as Arc<dyn Place>,
                    vault: Some(vault),
                };
            }
        };
        Chosen { place, vault: None }
    }
}

/// Opens a place, and makes the vault if that is what is missing.
fn make_ready(chosen: &Chosen, passphrase: Option<&Secret>) -> Result<(), SecretError> {
    match (&chosen.vault, passphrase) {
        (Some(vault), Some(passphrase)) if !vault.exists() => Ok(vault.create(passphrase)?),
        _ => {
            open(chosen, passphrase)?;
            chosen.place.names().map(drop)
        }
    }
}

fn open(chosen: &Chosen, passphrase: Option<&Secret>) -> Result<(), SecretError> {
    match (&chosen.vault, passphrase) {
        (Some(vault), Some(passphrase)) => Ok(vault.open(passphrase)?),
        // A keyring says by itself when it is closed, and a dialog is only for who asks for it.
        _ => Ok(()),
    }
}

/// Everything `from` keeps is at `to` as well, read back.
fn copy(
    from: &dyn Place,
    to: &dyn Place,
    redactor: &Redactor,
) -> Result<Vec<SecretName>, SecretError> {
    let names = from.names()?;
    for name in &names {
        let secret = from.get(name)?;
        redactor.learn(&secret);
        // A value the new place has already is older than the one in use.
        if to.get(name).as_ref() != Ok(&secret) {
            to.set(name, &secret)?;
        }
        if to.get(name)? != secret {
            return Err(SecretError::failed(
                format!(
                    "'{name}' was copied and is not the same {}",
                    to.kind().within()
                ),
                "Nothing was removed. Try again; if it stays so, choose another place for secrets.",
            ));
        }
        fault_point("secret_copied");
    }
    Ok(names)
}

/// Removes what is at both places; what differs, or does not go, stays and is named.
fn remove_old(old: &dyn Place, new: &dyn Place, names: &[SecretName]) -> Moved {
    let mut all = Moved::default();
    for name in names {
        let is_safe = match (old.get(name), new.get(name)) {
            (Ok(here), Ok(there)) => here == there,
            _ => false,
        };
        let is_gone = is_safe
            && old.remove(name).is_ok()
            && matches!(old.get(name), Err(SecretError::NotFound { .. }));
        if is_gone {
            all.moved.push(name.clone());
        } else {
            all.left_behind.push(name.clone());
        }
        fault_point("secret_removed");
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::secrets::memory::Memory;

    /// A place that outlives the program, until the program ends at a given call: then nothing happens any more.
    struct Mortal {
        kept: Memory,
        kind: PlaceKind,
        life: Arc<AtomicUsize>,
    }

    impl Mortal {
        fn new(kind: PlaceKind, life: &Arc<AtomicUsize>) -> Self {
            let (kept, life) = (Memory::new(), Arc::clone(life));
            Self { kept, kind, life }
        }

        fn live(&self) -> Result<(), SecretError> {
            let left = self
                .life
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                });
            left.map(drop)
                .map_err(|_| SecretError::failed("the program has ended", ""))
        }
    }

    impl Place for Mortal {
        fn kind(&self) -> PlaceKind {
            self.kind
        }
        fn get(&self, name: &SecretName) -> Result<Secret, SecretError> {
            self.live()?;
            self.kept.get(name)
        }
        fn set(&self, name: &SecretName, secret: &Secret) -> Result<(), SecretError> {
            self.live()?;
            self.kept.set(name, secret)
        }
        fn remove(&self, name: &SecretName) -> Result<(), SecretError> {
            self.live()?;
            self.kept.remove(name)
        }
        fn names(&self) -> Result<Vec<SecretName>, SecretError> {
            self.live()?;
            self.kept.names()
        }
        fn unlock(&self, _: Option<&Secret>) -> Result<(), SecretError> {
            self.live()
        }
    }

    const KEPT: [(&str, &str); 3] = [
        ("providers/groq", "the first of the keys"),
        ("providers/near", "the second of the keys"),
        ("connectors/mail", "the third of the keys"),
    ];

    fn holds_all(place: &Mortal) -> bool {
        KEPT.iter().all(|(name, value)| {
            let kept = place.kept.get(&name.parse().unwrap());
            kept.is_ok_and(|kept| kept.expose() == *value)
        })
    }

    /// Copy, choose, remove, with a program that ends at its call number `ends_at`. Says which place is chosen then.
    fn carry(old: &Mortal, new: &Mortal, is_chosen: &mut bool) -> Result<Moved, SecretError> {
        let names = copy(old, new, &Redactor::new())?;
        new.live()?;
        *is_chosen = true;
        Ok(remove_old(old, new, &names))
    }

    #[test]
    fn wherever_the_program_ends_the_chosen_place_holds_everything_and_again_finishes_it() {
        let mut finished = false;
        for ends_at in 0..1_000 {
            let life = Arc::new(AtomicUsize::new(usize::MAX));
            let old = Mortal::new(PlaceKind::Keyring, &life);
            let new = Mortal::new(PlaceKind::Vault, &life);
            for (name, value) in KEPT {
                let value = Secret::new(value.to_owned());
                old.kept.set(&name.parse().unwrap(), &value).unwrap();
            }
            // An older value at the new place is no reason to keep it.
            let older = Secret::new(String::from("long out of date"));
            new.kept.set(&KEPT[0].0.parse().unwrap(), &older).unwrap();

            life.store(ends_at, Ordering::SeqCst);
            let mut is_chosen = false;
            let outcome = carry(&old, &new, &mut is_chosen);
            let ended = life.load(Ordering::SeqCst) == 0;
            let chosen = if is_chosen { &new } else { &old };
            assert!(holds_all(chosen), "ended at {ends_at}: {outcome:?}");

            life.store(usize::MAX, Ordering::SeqCst);
            if is_chosen {
                remove_old(&old, &new, &old.kept.names().unwrap());
            } else {
                carry(&old, &new, &mut is_chosen).unwrap();
            }
            assert!(holds_all(&new) && is_chosen);
            assert_eq!(old.kept.names().unwrap(), [], "ended at {ends_at}");
            if !ended {
                finished = true;
                break;
            }
        }
        assert!(finished, "some run was long enough");
    }

    #[test]
    fn what_differs_is_left_and_named() {
        let life = Arc::new(AtomicUsize::new(usize::MAX));
        let old = Mortal::new(PlaceKind::Keyring, &life);
        let new = Mortal::new(PlaceKind::Vault, &life);
        let name: SecretName = "providers/groq".parse().unwrap();
        old.kept
            .set(&name, &Secret::new("one value".into()))
            .unwrap();
        new.kept
            .set(&name, &Secret::new("another one".into()))
            .unwrap();
        let moved = remove_old(&old, &new, std::slice::from_ref(&name));
        assert_eq!(moved.left_behind, std::slice::from_ref(&name));
        assert!(old.kept.get(&name).is_ok());
    }

    #[test]
    fn nothing_moves_into_memory_and_a_refused_choice_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let passphrase = Secret::new(String::from("seven loaves of bread"));
        let secrets = Secrets::new(home.path(), Some(PlaceKind::Memory), Redactor::new());
        let name: SecretName = "providers/groq".parse().unwrap();
        secrets
            .set(&name, &Secret::new("a key of somebody".into()))
            .unwrap();
        let fine = || Ok::<_, SecretError>(());
        let refuse = || Err(SecretError::failed("the disk is full", ""));
        let refused = secrets.change_place(PlaceKind::Vault, Some(&passphrase), true, refuse);
        assert!(refused.is_err());
        assert_eq!(secrets.chosen_kind(), Some(PlaceKind::Memory));
        let moved = secrets
            .change_place(PlaceKind::Vault, Some(&passphrase), true, fine)
            .unwrap();
        assert_eq!(moved.moved, std::slice::from_ref(&name));
        assert_eq!(secrets.names().unwrap(), [name]);
        let back = secrets.change_place(PlaceKind::Memory, None, true, fine);
        assert!(matches!(back, Err(SecretError::Unavailable { .. })));
        assert_eq!(secrets.chosen_kind(), Some(PlaceKind::Vault));
        let wrong = Secret::new(String::from("six loaves of bread"));
        let again = Secrets::new(home.path(), Some(PlaceKind::Memory), Redactor::new());
        assert!(
            again
                .change_place(PlaceKind::Vault, Some(&wrong), false, fine)
                .is_err()
        );
        assert_eq!(again.chosen_kind(), Some(PlaceKind::Memory));
    }
}
