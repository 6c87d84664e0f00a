//! Keys that an earlier version filed under one name for all data folders. Whoever reads one first takes it over: copy,
//! read back, remove. Until then it is listed, replaced and removed as if it were already here.
//!
//! `new` is the folder's own, `old` what all folders shared. Nothing here knows that they are keyrings.

use bwana_types::fault::fault_point;
use bwana_types::secret::{Secret, SecretError};

use crate::secrets::name::SecretName;
use crate::secrets::place::Place;

/// The secret, moved if it was only at the old name.
///
/// # Errors
/// As [`Place::get`]; that it could not be moved is none, it is moved another time.
pub(super) fn get(
    new: &dyn Place,
    old: &dyn Place,
    name: &SecretName,
) -> Result<Secret, SecretError> {
    let missing = match new.get(name) {
        Err(missing @ SecretError::NotFound { .. }) => missing,
        other => return other,
    };
    match old.get(name) {
        Ok(secret) => {
            take_over(new, old, name, &secret);
            Ok(secret)
        }
        // Another program may have moved it since the first look.
        Err(SecretError::NotFound { .. }) => new.get(name).map_err(|error| match error {
            SecretError::NotFound { .. } => missing,
            other => other,
        }),
        Err(closed) => Err(closed),
    }
}

/// Copy, read back, remove. Whatever fails, the secret is at the old name or at the new one.
fn take_over(new: &dyn Place, old: &dyn Place, name: &SecretName, secret: &Secret) {
    if new.set(name, secret).is_err() {
        return;
    }
    fault_point("old_name_copied");
    match new.get(name) {
        // If this fails it is done when the secret is replaced or removed.
        Ok(copy) if copy == *secret => drop(old.remove(name)),
        // Half a copy must not hide the whole one.
        Ok(_) => drop(new.remove(name)),
        Err(_) => {}
    }
}

/// Keeps a value. What was at the old name and would have been found there, or was left when a move was interrupted,
/// goes; another value at the old name is another folder's.
pub(super) fn set(
    new: &dyn Place,
    old: &dyn Place,
    name: &SecretName,
    secret: &Secret,
) -> Result<(), SecretError> {
    let before = new.get(name);
    new.set(name, secret)?;
    let is_replaced = match (before, old.get(name)) {
        (Err(SecretError::NotFound { .. }), Ok(_)) => true,
        (Ok(before), Ok(left)) => before == left,
        _ => false,
    };
    if is_replaced {
        old.remove(name)?;
    }
    Ok(())
}

/// Removes it at both names, the old one first: ended in between, it is still found and removed again.
pub(super) fn remove(
    new: &dyn Place,
    old: &dyn Place,
    name: &SecretName,
) -> Result<(), SecretError> {
    let was_old = match old.remove(name) {
        Ok(()) => true,
        Err(SecretError::NotFound { .. }) => false,
        Err(error) => return Err(error),
    };
    match new.remove(name) {
        Err(SecretError::NotFound { .. }) if was_old => Ok(()),
        other => other,
    }
}

/// What can be had: the names at both.
pub(super) fn names(new: &dyn Place, old: &dyn Place) -> Result<Vec<SecretName>, SecretError> {
    let mut names = new.names()?;
    names.extend(old.names()?);
    names.sort();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::secrets::memory::Memory;
    use crate::secrets::place::PlaceKind;

    /// A keyring that outlives the program. The program ends, or the keyring breaks, at a given call.
    struct Mortal {
        kept: Memory,
        life: Arc<AtomicUsize>,
    }

    impl Mortal {
        fn live(&self) -> Result<(), SecretError> {
            let count = |left: usize| left.checked_sub(1);
            self.life
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count)
                .map(drop)
                .map_err(|_| SecretError::failed("the program has ended", ""))
        }
    }

    impl Place for Mortal {
        fn kind(&self) -> PlaceKind {
            PlaceKind::Keyring
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

    struct Both {
        new: Mortal,
        old: Mortal,
        life: Arc<AtomicUsize>,
        name: SecretName,
    }

    impl Both {
        /// With these values at the new and the old name.
        fn with(new: Option<&str>, old: Option<&str>) -> Self {
            let life = Arc::new(AtomicUsize::new(usize::MAX));
            let mortal = || Mortal {
                kept: Memory::new(),
                life: Arc::clone(&life),
            };
            let both = Self {
                new: mortal(),
                old: mortal(),
                life: Arc::clone(&life),
                name: "providers/groq".parse().unwrap(),
            };
            for (place, value) in [(&both.new, new), (&both.old, old)] {
                if let Some(value) = value {
                    place.kept.set(&both.name, &secret(value)).unwrap();
                }
            }
            both
        }

        fn live_for(&self, calls: usize) {
            self.life.store(calls, Ordering::SeqCst);
        }

        fn get(&self) -> Option<String> {
            let found = get(&self.new, &self.old, &self.name);
            found.ok().map(|secret| secret.expose().clone())
        }

        fn set(&self, value: &str) -> Result<(), SecretError> {
            set(&self.new, &self.old, &self.name, &secret(value))
        }

        fn remove(&self) -> Result<(), SecretError> {
            remove(&self.new, &self.old, &self.name)
        }

        /// What lies at the new and the old name.
        fn kept(&self) -> (Option<String>, Option<String>) {
            let at = |place: &Mortal| {
                let found = place.kept.get(&self.name).ok();
                found.map(|secret| secret.expose().clone())
            };
            (at(&self.new), at(&self.old))
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn values(new: Option<&str>, old: Option<&str>) -> (Option<String>, Option<String>) {
        (new.map(str::to_owned), old.map(str::to_owned))
    }

    #[test]
    fn the_first_read_moves_a_key_and_a_key_of_its_own_comes_first() {
        for (new, old, found, after) in [
            (None, Some("a"), Some("a"), values(Some("a"), None)),
            (
                Some("b"),
                Some("a"),
                Some("b"),
                values(Some("b"), Some("a")),
            ),
            (Some("b"), None, Some("b"), values(Some("b"), None)),
            (None, None, None, values(None, None)),
        ] {
            let both = Both::with(new, old);
            assert_eq!(
                names(&both.new, &both.old).unwrap().len(),
                found.iter().len()
            );
            assert_eq!(both.get().as_deref(), found);
            assert_eq!(both.kept(), after, "{new:?} {old:?}");
            assert_eq!(both.get().as_deref(), found, "also the second time");
        }
    }

    #[test]
    fn a_new_value_takes_the_place_of_what_was_found_and_of_nothing_else() {
        for (new, old, after) in [
            (None, Some("a"), None),
            // Left by a move that was interrupted.
            (Some("a"), Some("a"), None),
            // Another folder's.
            (Some("b"), Some("a"), Some("a")),
        ] {
            let both = Both::with(new, old);
            both.set("c").unwrap();
            assert_eq!(both.kept(), values(Some("c"), after), "{new:?} {old:?}");
        }
    }

    #[test]
    fn what_is_removed_does_not_come_back_from_the_old_name() {
        for (new, old) in [
            (None, Some("a")),
            (Some("a"), Some("a")),
            (Some("b"), Some("a")),
            (Some("b"), None),
        ] {
            let both = Both::with(new, old);
            both.remove().unwrap();
            assert_eq!(both.get(), None, "{new:?} {old:?}");
            assert!(matches!(both.remove(), Err(SecretError::NotFound { .. })));
        }
    }

    #[test]
    fn wherever_the_program_ends_the_key_is_still_there_and_the_next_read_finds_it() {
        // Five calls: two looks, the copy, its reading back, the removal.
        for calls in 0..=5 {
            let both = Both::with(None, Some("a"));
            both.live_for(calls);
            both.get();
            both.live_for(usize::MAX);
            assert_eq!(both.get().as_deref(), Some("a"), "ended after {calls}");
            both.set("b").unwrap();
            assert_eq!(both.kept(), values(Some("b"), None), "ended after {calls}");
        }
    }

    #[test]
    fn a_removal_that_was_interrupted_says_so_and_again_finishes_it() {
        for calls in 0..2 {
            let both = Both::with(Some("a"), Some("a"));
            both.live_for(calls);
            assert!(matches!(both.remove(), Err(SecretError::Failed { .. })));
            both.live_for(usize::MAX);
            both.remove().unwrap();
            assert_eq!(both.get(), None, "ended after {calls}");
        }
    }
}
