//! Copying folders for backups: what was copied, with its hash, so that a changed or cut copy is noticed. Nothing here
//! knows what the files mean.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use bwana_types::hash::Hash;
use serde::{Deserialize, Serialize};

use crate::home::sync_folder;

const COPY_BUFFER_BYTES: usize = 256 * 1024;
/// Folders in folders; deeper ones are nobody's artifacts.
const DEPTH_MAX: usize = 32;

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CopiedFile {
    /// Relative, with `/`.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) hash: Hash,
}

/// Copies one file, synced, and says what it was.
pub(crate) fn copy_file(from: &Path, to: &Path) -> io::Result<(u64, Hash)> {
    let mut source = File::open(from)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    crate::lock::private(&mut options);
    let mut target = options.open(to)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    let mut bytes = 0;
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        target.write_all(&buffer[..read])?;
        bytes += read as u64;
    }
    target.sync_all()?;
    Ok((bytes, Hash(*hasher.finalize().as_bytes())))
}

/// Size and hash of a file that nothing else has open. Never of a database in use: closing it would drop SQLite's locks.
pub(crate) fn describe(path: &Path) -> io::Result<(u64, Hash)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok((bytes, Hash(*hasher.finalize().as_bytes())))
}

/// Room a failing disk is asked for.
const PROBE_BYTES: usize = 64 * 1024;

/// Whether `folder` takes no new file of a few pages: its disk is full, or its owner's quota is spent.
pub(crate) fn has_no_room(folder: &Path) -> bool {
    let probe = folder.join(".room");
    let full =
        fs::write(&probe, vec![0; PROBE_BYTES]).is_err_and(|error| crate::error::is_full(&error));
    let _ = fs::remove_file(&probe);
    full
}

/// Copies a folder with what is in it. Links are left out: they may lead anywhere. A folder that is missing is empty.
pub(crate) fn copy_folder(
    root: &Path,
    folder: &Path,
    to_root: &Path,
    copied: &mut Vec<CopiedFile>,
) -> io::Result<()> {
    copy_level(root, folder, to_root, copied, DEPTH_MAX)
}

fn copy_level(
    root: &Path,
    folder: &Path,
    to_root: &Path,
    copied: &mut Vec<CopiedFile>,
    depth: usize,
) -> io::Result<()> {
    let target = to_root.join(folder);
    create_private_folder(&target)?;
    let entries = match fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut names = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    for name in names {
        let path = folder.join(&name);
        let from = root.join(&path);
        let kind = match fs::symlink_metadata(&from) {
            // Gone since the folder was listed: a run may still be working.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            meta => meta?.file_type(),
        };
        if kind.is_dir() && depth > 0 {
            copy_level(root, &path, to_root, copied, depth - 1)?;
        } else if kind.is_file() {
            let (bytes, hash) = copy_file(&from, &to_root.join(&path))?;
            copied.push(CopiedFile {
                path: slashed(&path),
                bytes,
                hash,
            });
        } else {
            tracing::warn!(path = %path.display(), "left out of the copy: neither a file nor a folder");
        }
    }
    sync_folder(&target)
}

/// What the files below `folder` hold together; nothing if it is not there.
pub(crate) fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => sum += entry.metadata().map_or(0, |file| file.len()),
                _ => {}
            }
        }
    }
    Ok(sum)
}

/// A relative path with `/`, as every platform reads it.
fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

/// A path of a manifest, if it stays inside the folder it is relative to.
pub(crate) fn inside(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let mut parts = path.components();
    let stays =
        parts.clone().next().is_some() && parts.all(|part| matches!(part, Component::Normal(_)));
    stays.then(|| path.to_owned())
}

/// Whether something on the way to a file within `root` is a link: it may lead anywhere.
pub(crate) fn has_link(root: &Path, path: &Path) -> bool {
    let mut at = PathBuf::from(root);
    path.components().any(|part| {
        at.push(part);
        fs::symlink_metadata(&at).is_ok_and(|meta| meta.file_type().is_symlink())
    })
}

pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_its_folder_is_refused() {
        assert_eq!(
            inside("artifacts/run_1/a.txt"),
            Some(PathBuf::from("artifacts/run_1/a.txt"))
        );
        for path in ["", "/etc/passwd", "../x", "a/../../x", "./a"] {
            assert_eq!(inside(path), None, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_copied_without_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("artifacts/run_1")).unwrap();
        fs::write(from.join("artifacts/run_1/plan.md"), "# Plan").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.join("artifacts/run_1/secret")).unwrap();
        let mut copied = Vec::new();
        copy_folder(&from, Path::new("artifacts"), &to, &mut copied).unwrap();
        assert_eq!(
            copied,
            [CopiedFile {
                path: "artifacts/run_1/plan.md".into(),
                bytes: 6,
                hash: Hash::of(b"# Plan"),
            }]
        );
        assert_eq!(
            fs::read(to.join("artifacts/run_1/plan.md")).unwrap(),
            b"# Plan"
        );
        assert!(!to.join("artifacts/run_1/secret").exists());
    }
}
