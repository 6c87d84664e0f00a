//! Room on the disk: a reserve that is given back when the disk is full, so that what runs can be written to its end, and a
//! gate in front of the writer for a time in which nothing may be written. When it is shut is the host's business.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::db::remove_if_there;
use crate::error::{Result, StoreError};
use crate::home::{DATABASE_FILE, beside, sync_folder};

/// In the data folder.
pub const RESERVE_FILE: &str = "reserve";
/// What is set aside.
pub const RESERVE_BYTES: u64 = 16 * 1024 * 1024;
/// Smaller databases have none: it would be most of what they take.
pub const RESERVE_FROM_BYTES: u64 = 64 * 1024 * 1024;
/// Written at once.
const PIECE_BYTES: usize = 1024 * 1024;
/// What must be free for it: a reserve that fills the disk is none.
const FREE_FOR_RESERVE_BYTES: u64 = 4 * RESERVE_BYTES;

/// Why nothing may be written for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// The disk has no room.
    Full,
    /// Another state of the data is to be brought back when the folder is opened again.
    Restoring,
}

#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU8);

const OPEN: u8 = 0;
const FULL: u8 = 1;
const RESTORING: u8 = 2;

impl Gate {
    pub(crate) fn shut(&self, why: Shut) {
        let why = match why {
            Shut::Full => FULL,
            Shut::Restoring => RESTORING,
        };
        // What is to be restored stays shut, however much room there is.
        self.0.fetch_max(why, Ordering::AcqRel);
    }

    /// Opens it again after a full disk.
    pub(crate) fn open(&self) {
        let _ = self
            .0
            .compare_exchange(FULL, OPEN, Ordering::AcqRel, Ordering::Acquire);
    }

    /// # Errors
    /// Why it is shut.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Acquire) {
            OPEN => Ok(()),
            FULL => Err(StoreError::Full),
            _ => Err(StoreError::Restoring),
        }
    }
}

/// What is set aside in a data folder, and what is free beside it, in bytes.
///
/// # Errors
/// If the disk does not say.
pub fn room(home: &Path) -> Result<(u64, u64)> {
    Ok((reserve_bytes(home), free(home)?))
}

/// Makes the reserve if the database is large enough for one and there is room. Its bytes are really there: on many file
/// systems a hole takes none.
pub(crate) fn keep(home: &Path) -> Result<bool> {
    let path = home.join(RESERVE_FILE);
    let io = |error: io::Error| StoreError::io("setting room aside", &path, &error);
    if !is_due(home)? {
        return Ok(reserve_bytes(home) >= RESERVE_BYTES);
    }
    let draft = beside(&path, ".new");
    let made = fill(&draft).and_then(|()| fs::rename(&draft, &path));
    if let Err(error) = made {
        let _ = fs::remove_file(&draft);
        return Err(io(error));
    }
    sync_folder(home).map_err(io)?;
    Ok(true)
}

/// Whether there is none, and one could and should be made.
///
/// # Errors
/// If the disk does not say.
pub(crate) fn is_due(home: &Path) -> Result<bool> {
    let log = format!("{DATABASE_FILE}-wal");
    let data = bytes_of(&home.join(DATABASE_FILE)) + bytes_of(&home.join(log));
    Ok(reserve_bytes(home) < RESERVE_BYTES
        && data >= RESERVE_FROM_BYTES
        && free(home)? >= FREE_FOR_RESERVE_BYTES)
}

fn fill(draft: &Path) -> io::Result<()> {
    remove_if_there(draft)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    crate::lock::private(&mut options);
    let mut file = options.open(draft)?;
    let piece = vec![0; PIECE_BYTES];
    for _ in 0..RESERVE_BYTES / PIECE_BYTES as u64 {
        file.write_all(&piece)?;
    }
    file.sync_all()
}

/// Gives the reserve back to the disk.
pub(crate) fn release(home: &Path) -> io::Result<()> {
    remove_if_there(&home.join(RESERVE_FILE))
}

/// What is set aside now.
pub(crate) fn reserve_bytes(home: &Path) -> u64 {
    bytes_of(&home.join(RESERVE_FILE))
}

/// What whoever writes here may still use.
pub(crate) fn free(home: &Path) -> Result<u64> {
    fs4::available_space(home).map_err(|error| StoreError::io("looking for room", home, &error))
}

fn bytes_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_that_is_shut_for_a_restore_is_not_opened_by_room() {
        let gate = Gate::default();
        assert_eq!(gate.check(), Ok(()));
        gate.shut(Shut::Full);
        assert_eq!(gate.check(), Err(StoreError::Full));
        gate.open();
        assert_eq!(gate.check(), Ok(()));
        gate.shut(Shut::Restoring);
        gate.shut(Shut::Full);
        gate.open();
        assert_eq!(gate.check(), Err(StoreError::Restoring));
    }

    #[test]
    fn a_small_database_has_no_reserve_and_a_large_one_has() {
        let home = tempfile::tempdir().unwrap();
        let database = fs::File::create(home.path().join(DATABASE_FILE)).unwrap();
        database.set_len(RESERVE_FROM_BYTES - 1).unwrap();
        assert_eq!(keep(home.path()), Ok(false));
        assert_eq!(reserve_bytes(home.path()), 0);
        database.set_len(RESERVE_FROM_BYTES).unwrap();
        // A half-made one of a process that was killed.
        fs::write(home.path().join("reserve.new"), "x").unwrap();
        assert_eq!(keep(home.path()), Ok(true));
        assert_eq!(reserve_bytes(home.path()), RESERVE_BYTES);
        assert!(!home.path().join("reserve.new").exists());
        release(home.path()).unwrap();
        assert_eq!(reserve_bytes(home.path()), 0);
        release(home.path()).unwrap();
    }
}
