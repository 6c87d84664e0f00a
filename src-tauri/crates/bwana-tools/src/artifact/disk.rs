//! The blocking half of the artifact folder: capability handles, temporary files, quota. Paths have passed the rules.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bwana_types::entry::Artifact;
use bwana_types::hash::Hash;
use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, FileType, OpenOptions};

use super::path::ArtifactPath;
use super::{
    Change, FILE_MAX_BYTES, FOLDER_MAX_BYTES, FOLDER_MAX_ENTRIES, FolderError, Piece, Written,
};

/// Files under way. The rules for names allow no leading dot, so no artifact can be called like this.
const TEMPORARY_PREFIX: &str = ".writing-";

#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Open since the first use.
    dir: Option<Dir>,
    /// Numbers temporary files.
    next: u64,
}

impl Disk {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            state: Mutex::default(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn write(
        &self,
        path: &ArtifactPath,
        content: &[u8],
    ) -> Result<Written, FolderError> {
        let bytes = content.len() as u64;
        if bytes > FILE_MAX_BYTES {
            return Err(FolderError::TooLarge(bytes));
        }
        let artifact = Artifact {
            file: path.to_string(),
            bytes,
            hash: Hash::of(content),
        };
        let mut state = self.lock();
        let root = state
            .open(&self.root)
            .map_err(|source| io_error(path, "written", source))?;
        let mut old = match open_file(&root, path) {
            Ok(old) => Some(old),
            Err(FolderError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        if let Some(old) = &mut old
            && old.has(content)
        {
            // A process killed between renaming and syncing may have left it so.
            sync(&old.folder).map_err(|source| io_error(path, "written", source))?;
            return Ok(Written {
                artifact,
                change: Change::None,
            });
        }
        let change = old.map_or(Change::Created, |old| Change::Replaced { bytes: old.bytes });
        check_quota(&root, path, bytes, change)?;
        state.next += 1;
        let temporary = format!("{TEMPORARY_PREFIX}{}-{}", std::process::id(), state.next);
        place(&root, path, &temporary, content).map_err(|source| {
            // The error that matters is the one we already have.
            let _ = root.remove_file(&temporary);
            if not_a_folder(&source) {
                below_no_folder(path)
            } else {
                io_error(path, "written", source)
            }
        })?;
        Ok(Written { artifact, change })
    }

    pub(super) fn read(
        &self,
        path: &ArtifactPath,
        from: u64,
        max: u64,
    ) -> Result<Piece, FolderError> {
        let root = self
            .lock()
            .open(&self.root)
            .map_err(|source| io_error(path, "read", source))?;
        piece(open_file(&root, path)?, path, from, max)
    }

    /// Reads without making or tidying anything: other processes may be at work in the folder.
    pub(super) fn peek(
        root: &Path,
        path: &ArtifactPath,
        from: u64,
        max: u64,
    ) -> Result<Piece, FolderError> {
        let failed = |source| io_error(path, "read", source);
        let is_folder = std::fs::symlink_metadata(root).is_ok_and(|found| found.is_dir());
        if !is_folder {
            return Err(FolderError::NotFound(path.to_string()));
        }
        let root = Dir::open_ambient_dir(root, ambient_authority()).map_err(failed)?;
        piece(open_file(&root, path)?, path, from, max)
    }

    pub(super) fn list(&self) -> Result<Vec<String>, FolderError> {
        let listing = |source| FolderError::Io {
            path: String::new(),
            doing: "listed",
            source,
        };
        let root = self.lock().open(&self.root).map_err(listing)?;
        let mut walk = Walk::default();
        walk.enter(&root, "", 0).map_err(listing)?;
        walk.files.sort_unstable();
        Ok(walk.files)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves at most a temporary file behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn piece(
    mut open: OpenFile,
    path: &ArtifactPath,
    from: u64,
    max: u64,
) -> Result<Piece, FolderError> {
    let mut bytes = Vec::new();
    open.file
        .seek(SeekFrom::Start(from))
        .and_then(|_| {
            open.file
                .take(max.min(FILE_MAX_BYTES))
                .read_to_end(&mut bytes)
        })
        .map_err(|source| io_error(path, "read", source))?;
    Ok(Piece {
        bytes,
        total: open.bytes,
    })
}

impl State {
    fn open(&mut self, root: &Path) -> io::Result<Dir> {
        if self.dir.is_none() {
            make_private(root)?;
            let dir = Dir::open_ambient_dir(root, ambient_authority())?;
            sweep(&dir)?;
            self.dir = Some(dir);
        }
        self.dir
            .as_ref()
            .map_or_else(|| Err(io::ErrorKind::NotFound.into()), Dir::try_clone)
    }
}

/// Makes the folder and what is missing above it, for its owner only.
fn make_private(root: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(root)
}

/// Removes what a killed process left half written.
fn sweep(dir: &Dir) -> io::Result<()> {
    let own = format!("{TEMPORARY_PREFIX}{}-", std::process::id());
    for entry in dir.entries()? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with(TEMPORARY_PREFIX) && !text.starts_with(&own) {
            dir.remove_file(&name)?;
        }
    }
    Ok(())
}

/// Writes next to the root and renames into place, so that no half file is ever under the right name.
fn place(root: &Dir, path: &ArtifactPath, temporary: &str, content: &[u8]) -> io::Result<()> {
    let mut folder = root.try_clone()?;
    for name in path.folders() {
        match folder.create_dir(name) {
            Ok(()) => sync(&folder)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        folder = folder.open_dir_nofollow(name)?;
    }
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .follow(FollowSymlinks::No);
    let mut file = root.open_with(temporary, &options)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    root.rename(temporary, &folder, path.file())?;
    sync(&folder)
}

/// Makes names in `folder` durable. Windows does so on its own.
fn sync(folder: &Dir) -> io::Result<()> {
    if cfg!(unix) {
        folder.open(".")?.sync_all()
    } else {
        Ok(())
    }
}

/// Opens a regular file without following a link anywhere on the way, and without waiting for a pipe's other end.
fn open_file(root: &Dir, path: &ArtifactPath) -> Result<OpenFile, FolderError> {
    let not_found = || FolderError::NotFound(path.to_string());
    let mut folder = root
        .try_clone()
        .map_err(|source| io_error(path, "opened", source))?;
    for name in path.folders() {
        folder = match folder.open_dir_nofollow(name) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_found()),
            Err(error) if not_a_folder(&error) => {
                return Err(below_no_folder(path));
            }
            Err(source) => return Err(io_error(path, "opened", source)),
        };
    }
    // The kind is looked at before opening, because opening a device can have an effect, and after, because of races.
    let before = match folder.symlink_metadata(path.file()) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_found()),
        Err(source) => return Err(io_error(path, "opened", source)),
    };
    require_file(path, before.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = folder
        .open_with(path.file(), &options)
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => not_found(),
            _ => io_error(path, "opened", source),
        })?;
    let metadata = file
        .metadata()
        .map_err(|source| io_error(path, "opened", source))?;
    require_file(path, metadata.file_type())?;
    Ok(OpenFile {
        bytes: metadata.len(),
        file,
        folder,
    })
}

struct OpenFile {
    file: File,
    bytes: u64,
    folder: Dir,
}

impl OpenFile {
    fn has(&mut self, content: &[u8]) -> bool {
        let mut old = Vec::with_capacity(content.len());
        self.bytes == content.len() as u64
            && io::Read::by_ref(&mut self.file)
                .take(self.bytes)
                .read_to_end(&mut old)
                .is_ok()
            && old == content
    }
}

fn require_file(path: &ArtifactPath, kind: FileType) -> Result<(), FolderError> {
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a link"
    } else {
        "something special"
    };
    Err(FolderError::NotAFile {
        path: path.to_string(),
        what,
    })
}

/// A link or a file stands where a folder should.
fn not_a_folder(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory || is_link_loop(error)
}

#[cfg(unix)]
fn is_link_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}

#[cfg(not(unix))]
fn is_link_loop(_: &io::Error) -> bool {
    false
}

fn check_quota(
    root: &Dir,
    path: &ArtifactPath,
    bytes: u64,
    change: Change,
) -> Result<(), FolderError> {
    let mut walk = Walk::default();
    walk.enter(root, "", 0)
        .map_err(|source| io_error(path, "written", source))?;
    let (new_entries, freed) = match change {
        Change::Created => (1 + path.folders().count(), 0),
        Change::Replaced { bytes } => (0, bytes),
        Change::None => return Ok(()),
    };
    if walk.entries + new_entries > FOLDER_MAX_ENTRIES {
        return Err(FolderError::TooMany);
    }
    let total = walk.bytes.saturating_sub(freed).saturating_add(bytes);
    if total > FOLDER_MAX_BYTES {
        Err(FolderError::Full(total))
    } else {
        Ok(())
    }
}

/// What is in the folder now. Counted anew each time: a person may have tidied up, and it is at most a thousand entries.
#[derive(Default)]
struct Walk {
    files: Vec<String>,
    entries: usize,
    bytes: u64,
}

impl Walk {
    fn enter(&mut self, dir: &Dir, prefix: &str, depth: usize) -> io::Result<()> {
        for entry in dir.entries()? {
            let entry = entry?;
            self.entries += 1;
            // One more than allowed says enough; what lies deeper than a path can reach was not put there by a run.
            if self.entries > FOLDER_MAX_ENTRIES || depth > super::DEPTH_MAX {
                return Ok(());
            }
            let name = entry.file_name();
            let text = name.to_string_lossy();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                match dir.open_dir_nofollow(&name) {
                    Ok(inner) => self.enter(&inner, &format!("{prefix}{text}/"), depth + 1)?,
                    Err(error)
                        if error.kind() == io::ErrorKind::NotFound || not_a_folder(&error) => {}
                    Err(error) => return Err(error),
                }
            } else if kind.is_file() && !text.starts_with(TEMPORARY_PREFIX) {
                self.bytes = self
                    .bytes
                    .saturating_add(dir.symlink_metadata(&name).map_or(0, |m| m.len()));
                self.files.push(format!("{prefix}{text}"));
            }
        }
        Ok(())
    }
}

fn below_no_folder(path: &ArtifactPath) -> FolderError {
    FolderError::NotAFile {
        path: path.to_string(),
        what: "below something that is no folder",
    }
}

fn io_error(path: &ArtifactPath, doing: &'static str, source: io::Error) -> FolderError {
    FolderError::Io {
        path: path.to_string(),
        doing,
        source,
    }
}
