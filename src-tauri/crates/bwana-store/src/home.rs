//! The data folder: where its files are, that only its person can read it, and whether it lies somewhere SQLite cannot
//! keep it safe. Nothing here opens a database.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};

pub const DATABASE_FILE: &str = "bwana.db";
pub const LOCK_FILE: &str = "owner.lock";
pub const ARTIFACTS_DIR: &str = "artifacts";
pub const BACKUPS_DIR: &str = "backups";
/// Folders every home has, each for its person alone.
const FOLDERS: &[&str] = &[
    "agents",
    "workflows",
    ARTIFACTS_DIR,
    "models",
    BACKUPS_DIR,
    "logs",
];

/// Something the person should know about where the data lies. Nothing is refused because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HomeWarning {
    /// A program like Dropbox copies the folder while it is written, and may put an old copy back.
    Synced { by: String },
    /// Locks and memory maps of network file systems are not reliable.
    Network { file_system: String },
}

impl std::fmt::Display for HomeWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Synced { by } => write!(
                f,
                "the data folder is synchronised by {by}, which can damage a database in use; \
                 move it outside with --home and use `bwana backup` into the synchronised folder instead"
            ),
            Self::Network { file_system } => write!(
                f,
                "the data folder is on a network file system ({file_system}), where a database is not safe; \
                 move it to a local disk with --home"
            ),
        }
    }
}

pub(crate) fn database(home: &Path) -> PathBuf {
    home.join(DATABASE_FILE)
}

/// The path of a file beside `path` whose name is that of `path` with `suffix` behind it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the data folder itself if it is missing, readable by its owner alone.
pub(crate) fn make(home: &Path) -> Result<()> {
    make_private(home).map_err(|error| unwritable(home, &error))
}

/// Makes the folders in it. Only with the lock and after a restore was finished: that one moves them.
pub(crate) fn fill(home: &Path) -> Result<()> {
    for folder in FOLDERS {
        make_private(&home.join(folder)).map_err(|error| unwritable(home, &error))?;
    }
    Ok(())
}

fn unwritable(home: &Path, error: &io::Error) -> StoreError {
    StoreError::Unwritable {
        home: home.to_owned(),
        why: error.to_string(),
    }
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    let mode = fs::metadata(path)?.permissions().mode();
    // A folder that existed may be open to others. Not ours to change is not an error: the files themselves are 0600.
    if mode & 0o077 != 0
        && let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(0o700))
    {
        tracing::warn!(folder = %path.display(), %error, "the data folder stays readable by others");
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(path: &Path) -> io::Result<()> {
    // The profile folder is private by its own access list there.
    fs::create_dir_all(path)
}

/// Makes the directory entries of `folder` durable: a new or renamed file may be gone after a power cut otherwise.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    // Folders cannot be synced there; NTFS journals its directory entries.
    Ok(())
}

/// What is doubtful about where `home` lies.
pub(crate) fn warnings(home: &Path) -> Vec<HomeWarning> {
    let home = fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
    let mut found = Vec::new();
    if let Some(by) = synced_by(&home) {
        found.push(HomeWarning::Synced { by });
    }
    if let Some(file_system) = network_file_system(&home) {
        found.push(HomeWarning::Network { file_system });
    }
    found
}

/// Names of folders that synchronisation programs own, in lower case.
const SYNCED_FOLDERS: &[(&str, &str)] = &[
    ("dropbox", "Dropbox"),
    ("onedrive", "OneDrive"),
    ("google drive", "Google Drive"),
    ("googledrive", "Google Drive"),
    ("mobile documents", "iCloud Drive"),
    ("icloud drive", "iCloud Drive"),
    ("icloud~", "iCloud Drive"),
    ("nextcloud", "Nextcloud"),
    ("owncloud", "ownCloud"),
    ("syncthing", "Syncthing"),
    ("megasync", "MEGA"),
    ("pcloud", "pCloud"),
    ("box sync", "Box"),
];
/// Files by which a synchronisation program marks a folder that has any name.
const SYNC_MARKS: &[(&str, &str)] = &[
    (".stfolder", "Syncthing"),
    (".dropbox", "Dropbox"),
    (".dropbox.cache", "Dropbox"),
    (".owncloudsync.log", "ownCloud"),
    (".sync_journal.db", "Nextcloud"),
];

fn synced_by(home: &Path) -> Option<String> {
    let mut names = home
        .components()
        .filter_map(|part| part.as_os_str().to_str())
        .map(str::to_lowercase);
    let by_name = names.find_map(|name| {
        SYNCED_FOLDERS
            .iter()
            // `Dropbox (Personal)` and `OneDrive - Company` are usual, `dropbox-clone` is somebody's project.
            .find(|(folder, _)| {
                name.strip_prefix(folder).is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with(' ') || folder.ends_with('~')
                })
            })
            .map(|(_, product)| (*product).to_owned())
    });
    by_name.or_else(|| {
        home.ancestors().find_map(|folder| {
            SYNC_MARKS
                .iter()
                .find(|(mark, _)| folder.join(mark).exists())
                .map(|(_, product)| (*product).to_owned())
        })
    })
}

/// File systems whose data is on another machine, as Linux names them.
const NETWORK_FILE_SYSTEMS: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "davfs",
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.davfs",
    "fuse.glusterfs",
    "fuse.gvfsd-fuse",
];

#[cfg(target_os = "linux")]
fn network_file_system(home: &Path) -> Option<String> {
    network_mount(&fs::read_to_string("/proc/self/mountinfo").ok()?, home)
}

#[cfg(windows)]
fn network_file_system(home: &Path) -> Option<String> {
    use std::path::{Component, Prefix};
    match home.components().next() {
        Some(Component::Prefix(prefix))
            if matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..)) =>
        {
            Some(String::from("a network share"))
        }
        _ => None,
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
fn network_file_system(_home: &Path) -> Option<String> {
    None
}

/// The network file system that holds `home` according to the text of `/proc/self/mountinfo`.
#[cfg(any(target_os = "linux", test))]
fn network_mount(mountinfo: &str, home: &Path) -> Option<String> {
    let (_, file_system) = mountinfo
        .lines()
        .filter_map(|line| {
            // `36 35 98:0 /root /mount/point options ... - type source options`
            let (place, kind) = line.split_once(" - ")?;
            let point = place.split(' ').nth(4)?.replace("\\040", " ");
            home.starts_with(&point)
                .then(|| (point.len(), kind.split(' ').next().unwrap_or_default()))
        })
        // Of mounts over each other the last one is seen.
        .max_by_key(|(length, _)| *length)?;
    NETWORK_FILE_SYSTEMS
        .contains(&file_system)
        .then(|| file_system.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_synced(path: &str, expected: Option<&str>) {
        assert_eq!(synced_by(Path::new(path)).as_deref(), expected, "{path}");
    }

    #[test]
    fn folders_of_synchronisation_programs_are_known_by_name() {
        check_synced("/no/Dropbox/bwana", Some("Dropbox"));
        check_synced("/no/Dropbox (Personal)/bwana", Some("Dropbox"));
        check_synced("/no/OneDrive - Company/x", Some("OneDrive"));
        check_synced("/no/Library/Mobile Documents/x", Some("iCloud Drive"));
        check_synced("/no/dropbox-clone/bwana", None);
        check_synced("/no/.local/share/bwana", None);
    }

    #[test]
    fn a_folder_marked_by_syncthing_is_known_by_its_mark() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".stfolder")).unwrap();
        assert_eq!(
            synced_by(&folder.path().join("bwana")).as_deref(),
            Some("Syncthing")
        );
    }

    #[test]
    fn the_mount_that_holds_the_home_decides() {
        let mounts = "22 1 252:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      90 22 0:53 / /srv/my\\040share rw - nfs4 box:/data rw\n\
                      91 90 0:54 / /srv/my\\040share/local rw - ext4 /dev/vdb rw\n";
        let on = |path: &str| network_mount(mounts, Path::new(path));
        assert_eq!(on("/home/a"), None);
        assert_eq!(on("/srv/my share/bwana").as_deref(), Some("nfs4"));
        assert_eq!(on("/srv/my share/local/bwana"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_home_is_made_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("a/home");
        fs::create_dir_all(home.join("artifacts")).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        make(&home).unwrap();
        fill(&home).unwrap();
        for path in [home.clone(), home.join("artifacts"), home.join("backups")] {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
    }
}
