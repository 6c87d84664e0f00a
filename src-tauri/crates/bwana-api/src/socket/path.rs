//! Where the socket of a data folder is. Its name is short, because a path to a socket may have about a hundred bytes,
//! and its folder belongs to the person alone.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bwana_types::hash::Hash;

/// The least that systems allow for the path of a socket, with its end.
const PATH_MAX_BYTES: usize = 103;
/// Hex digits of the data folder's hash: enough that two folders of one person never meet.
const NAME_CHARS: usize = 16;
/// Beside the database, where the path is short enough.
const IN_HOME: &str = "owner.sock";

/// Where an owner of `home` may listen, the best place first; a caller looks in all of them, because its environment may
/// not be the owner's.
pub fn candidates(home: &Path, uid: u32) -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    candidates_with(home, uid, runtime, std::env::temp_dir())
}

fn candidates_with(
    home: &Path,
    uid: u32,
    runtime: Option<PathBuf>,
    temporary: PathBuf,
) -> Vec<PathBuf> {
    let home = fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
    let hash = Hash::of(home.as_os_str().as_encoded_bytes()).to_string();
    let name = format!("{}.sock", &hash[..NAME_CHARS]);
    let usual = PathBuf::from(format!("/run/user/{uid}"));
    let runtime = runtime.filter(|folder| folder.is_absolute());
    let mut found: Vec<PathBuf> = Vec::new();
    let places = [
        runtime.map(|folder| folder.join("bwana").join(&name)),
        Some(home.join(IN_HOME)),
        Some(usual.join("bwana").join(&name)),
        Some(temporary.join(format!("bwana-{uid}")).join(&name)),
        Some(
            PathBuf::from("/tmp")
                .join(format!("bwana-{uid}"))
                .join(&name),
        ),
    ];
    for place in places.into_iter().flatten() {
        if place.as_os_str().len() <= PATH_MAX_BYTES && !found.contains(&place) {
            found.push(place);
        }
    }
    found
}

/// The place where an owner of `home` listens: the first whose folder can be made and is the person's alone.
///
/// # Errors
/// If there is none; with the reason of the last.
pub fn listening_path(home: &Path, uid: u32) -> io::Result<PathBuf> {
    let mut why = io::Error::new(io::ErrorKind::NotFound, "no path is short enough");
    // A folder in another person's name is not made by us, so the usual runtime folder is only looked in.
    let usual = PathBuf::from(format!("/run/user/{uid}"));
    for path in candidates(home, uid) {
        let Some(folder) = path.parent() else {
            continue;
        };
        if folder.starts_with(&usual) && !usual.is_dir() {
            continue;
        }
        match private_folder(folder, uid) {
            Ok(()) => return Ok(path),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// Makes a folder for one person, or makes sure that one that exists is theirs and nobody else's.
fn private_folder(folder: &Path, uid: u32) -> io::Result<()> {
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    if let Err(error) = made
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error);
    }
    // Not followed: a link in a shared folder may have been put there by somebody else.
    let meta = fs::symlink_metadata(folder)?;
    let foreign = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !meta.is_dir() || meta.uid() != uid {
        return foreign(format!("{} belongs to somebody else", folder.display()));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(home: &str, runtime: Option<&str>) -> Vec<String> {
        let found = candidates_with(
            Path::new(home),
            7,
            runtime.map(PathBuf::from),
            PathBuf::from("/tmp"),
        );
        let found = found.iter();
        found.map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_runtime_folder_comes_first_then_the_data_folder() {
        let found = places("/no/home", Some("/run/user/9"));
        assert!(found[0].starts_with("/run/user/9/bwana/"), "{found:?}");
        assert_eq!(found[1], "/no/home/owner.sock");
        assert_eq!(places("/no/home", None)[0], "/no/home/owner.sock");
        assert_eq!(
            places("/no/home", Some("relative"))[0],
            "/no/home/owner.sock"
        );
    }

    #[test]
    fn a_long_data_folder_gets_a_short_path_elsewhere() {
        let long = format!("/no/{}", "deep/".repeat(30));
        let found = places(&long, None);
        assert!(found.iter().all(|path| path.len() <= PATH_MAX_BYTES));
        assert!(
            found.iter().any(|path| path.starts_with("/tmp/bwana-7/")),
            "{found:?}"
        );
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let uid = fs::metadata(folder.path()).unwrap().uid();
        let mine = folder.path().join("mine");
        private_folder(&mine, uid).unwrap();
        let mode = fs::metadata(&mine).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(private_folder(&mine, uid + 1).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&mine, &link).unwrap();
        assert!(private_folder(&link, uid).is_err());
    }
}
