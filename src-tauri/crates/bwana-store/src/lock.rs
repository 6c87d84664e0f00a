//! The owner lock: one process writes a data folder. The lock is the operating system's, so it ends with the process
//! however that ends; the file only tells the others who holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use crate::error::{Result, StoreError};
use crate::home::LOCK_FILE;

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    _file: File,
}

impl OwnerLock {
    /// Takes the lock of `home`, at once or not at all.
    ///
    /// # Errors
    /// [`StoreError::InUse`] with the holder's process id if another process, or another store in this one, has it;
    /// [`StoreError::Unwritable`] if the file cannot be made.
    pub(crate) fn take(home: &Path) -> Result<Self> {
        let path = home.join(LOCK_FILE);
        let unwritable = |error: std::io::Error| StoreError::Unwritable {
            home: home.to_owned(),
            why: format!("{}: {error}", path.display()),
        };
        // Not truncated: until the lock is ours, the content is the holder's.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(&path).map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    home: home.to_owned(),
                    pid: holder(&path),
                });
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(error)),
        }
        // Who holds it is a help for people; the lock itself does not depend on it.
        if let Err(error) = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
        {
            tracing::warn!(%error, "the owner lock does not say who holds it");
        }
        Ok(Self { _file: file })
    }
}

/// The process id in the lock file, if it can be read.
fn holder(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(unix)]
pub(crate) fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
pub(crate) fn private(_options: &mut OpenOptions) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_owner_is_told_who_the_first_is() {
        let home = tempfile::tempdir().unwrap();
        let first = OwnerLock::take(home.path()).unwrap();
        let refused = OwnerLock::take(home.path()).unwrap_err();
        assert_eq!(
            refused,
            StoreError::InUse {
                home: home.path().to_owned(),
                pid: Some(std::process::id())
            }
        );
        drop(first);
        OwnerLock::take(home.path()).unwrap();
    }

    #[test]
    fn a_lock_file_left_behind_does_not_lock() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(LOCK_FILE), "99999999\n").unwrap();
        OwnerLock::take(home.path()).unwrap();
    }
}
