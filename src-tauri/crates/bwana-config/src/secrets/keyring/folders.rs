//! Where a data folder was while the system's keyring kept keys for it. A keyring files keys under the path of the
//! folder, so a folder that was moved or copied has none: this remembers enough to say so. No secret is in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use bwana_types::secret::SecretError;

use crate::file::private;
use crate::secrets::name::SecretName;
use crate::secrets::place::{PlaceKind, not_found};

/// In the data folder: the paths it had, the newest last, as a JSON array of strings.
pub const FOLDERS_FILE: &str = "keyring-folders.json";
/// Paths that are remembered; the oldest go first.
const FOLDERS_MAX: usize = 8;
/// So many of the longest paths there are; a larger file is not ours.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// The paths of one data folder.
#[derive(Debug)]
pub(super) struct Folders {
    home: PathBuf,
}

impl Folders {
    /// Of the folder at `home`, a real path.
    pub(super) fn of(home: PathBuf) -> Self {
        Self { home }
    }

    /// Remembers that keys are kept for the folder where it is now. That this fails is no reason to fail: what it is for
    /// is an answer that would be less exact.
    pub(super) fn note(&self) {
        let mut known = self.known();
        let here = shown(&self.home);
        if known.last() == Some(&here) {
            return;
        }
        known.retain(|path| *path != here);
        known.push(here);
        let excess = known.len().saturating_sub(FOLDERS_MAX);
        known.drain(..excess);
        drop(self.write(&known));
    }

    /// That there is no such secret, and if keys were kept for this folder at another path, that they belong there.
    pub(super) fn not_found(&self, name: &SecretName) -> SecretError {
        let here = shown(&self.home);
        let Some(before) = self.known().into_iter().rev().find(|path| *path != here) else {
            return not_found(name, PlaceKind::Keyring);
        };
        let place = format!(
            "{} for this data folder, {here}. Keys were kept for it while it was at {before}, and they still belong to \
             that path",
            PlaceKind::Keyring.within()
        );
        let again = match name.as_str().strip_prefix("providers/") {
            Some(provider) => format!("with `bwana providers add {provider} --key-stdin`"),
            None => String::from("where it was given first"),
        };
        SecretError::NotFound {
            name: name.to_string(),
            place,
            hint: format!("Give it again {again}, or move the data folder back."),
        }
    }

    /// What cannot be read is as if it were not there: it is written anew with the next key.
    fn known(&self) -> Vec<String> {
        let read = || -> io::Result<Vec<String>> {
            let path = self.path();
            // Opening a pipe would wait for ever.
            if !fs::symlink_metadata(&path)?.is_file() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let mut text = String::new();
            File::open(&path)?
                .take(FILE_MAX_BYTES)
                .read_to_string(&mut text)?;
            Ok(serde_json::from_str(&text)?)
        };
        read().unwrap_or_default()
    }

    /// A reader sees the old list or the new one.
    fn write(&self, known: &[String]) -> io::Result<()> {
        // Of this process alone, so that two that write at once do not meet in one draft.
        let draft = self
            .home
            .join(format!("{FOLDERS_FILE}.{}.new", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        private(&mut options);
        let write = || -> io::Result<()> {
            let mut file = options.open(&draft)?;
            file.write_all(&serde_json::to_vec(known)?)?;
            drop(file);
            fs::rename(&draft, self.path())
        };
        write().inspect_err(|_| drop(fs::remove_file(&draft)))
    }

    fn path(&self) -> PathBuf {
        self.home.join(FOLDERS_FILE)
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(home: &Path) -> Folders {
        Folders::of(home.to_owned())
    }

    fn answer(home: &Path, name: &str) -> (String, String) {
        let error = at(home).not_found(&name.parse().unwrap());
        (error.to_string(), error.hint().to_owned())
    }

    #[test]
    fn a_folder_that_moved_says_where_its_keys_belong_and_how_to_give_them_again() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::create_dir(&old).unwrap();
        let plain = answer(&old, "providers/groq");
        at(&old).note();
        assert_eq!(answer(&old, "providers/groq"), plain, "it has not moved");
        fs::rename(&old, &new).unwrap();
        let (what, hint) = answer(&new, "providers/groq");
        assert!(
            what.contains(&shown(&old)) && what.contains(&shown(&new)),
            "{what}"
        );
        assert!(
            hint.contains("`bwana providers add groq --key-stdin`"),
            "{hint}"
        );
        let (_, hint) = answer(&new, "connectors/mail");
        assert!(!hint.contains("providers add"), "{hint}");
        // One key was given again; the others still belong to the old path.
        at(&new).note();
        assert!(answer(&new, "providers/near").0.contains(&shown(&old)));
        fs::rename(&new, &old).unwrap();
        assert!(answer(&old, "providers/groq").0.contains(&shown(&new)));
    }

    #[test]
    fn the_list_is_short_and_whatever_else_is_there_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let folders = at(folder.path());
        let many: Vec<String> = (0..50).map(|at| format!("/at/{at}")).collect();
        folders.write(&many).unwrap();
        folders.note();
        assert_eq!(folders.known().len(), FOLDERS_MAX);
        assert_eq!(folders.known().last(), Some(&shown(folder.path())));
        for bad in [&b"no list"[..], b"[1]", b"\xff", b""] {
            fs::write(folders.path(), bad).unwrap();
            assert_eq!(folders.known(), [""; 0]);
            folders.note();
            assert_eq!(folders.known(), [shown(folder.path())]);
        }
        // Where nothing can be written, nothing is.
        let nowhere = at(&folder.path().join("nowhere"));
        nowhere.note();
        assert_eq!(nowhere.known(), [""; 0]);
    }
}
