//! The last settings that could be used, kept beside the file: what stays in force when the file is made unusable, and what
//! it can be put back to. The program never changes the file by itself.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{ConfigError, Result};
use crate::file::{load, read, write};
use crate::settings::Settings;

/// Copies that are kept, the newest as number 1.
pub const GOOD_KEPT: usize = 5;

fn good(path: &Path, number: usize) -> PathBuf {
    beside(path, &format!(".good-{number}"))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Keeps a copy of a file that has just been loaded, unless the newest copy says the same.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn keep(path: &Path) -> Result<()> {
    let Some(text) = read(path)? else {
        return Ok(());
    };
    if read(&good(path, 1)).is_ok_and(|kept| kept.as_ref() == Some(&text)) {
        return Ok(());
    }
    let failed = |error: std::io::Error| ConfigError::Io {
        file: path.to_owned(),
        doing: "kept",
        why: error.to_string(),
    };
    // The oldest first, so that a cut in between loses at most that one.
    for number in (1..GOOD_KEPT).rev() {
        match fs::rename(good(path, number), good(path, number + 1)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
    }
    write(&good(path, 1), text.as_bytes()).map_err(failed)
}

/// The newest copy that can still be used.
pub(crate) fn newest(path: &Path) -> Option<(PathBuf, Settings)> {
    (1..=GOOD_KEPT).find_map(|number| {
        let kept = good(path, number);
        // A file that is missing would be the defaults.
        if !kept.is_file() {
            return None;
        }
        let settings = load(&kept).ok()?;
        Some((kept, settings))
    })
}

/// Puts the newest copy in the place of the file, which is kept under another name; answers that name.
///
/// # Errors
/// If there is no copy that can be used, or it cannot be written.
pub(crate) fn put_back(path: &Path) -> Result<PathBuf> {
    let (kept, _) = newest(path).ok_or_else(|| {
        ConfigError::value(
            "no earlier settings are kept that could be put back",
            "Correct settings.toml where the message points, or remove it to begin with the defaults.",
        )
    })?;
    let failed = |error: std::io::Error| ConfigError::Io {
        file: path.to_owned(),
        doing: "put back",
        why: error.to_string(),
    };
    let text = read(&kept)?.unwrap_or_default();
    let aside = (1..u32::MAX)
        .map(|number| beside(path, &format!(".replaced-{number}")))
        .find(|aside| fs::symlink_metadata(aside).is_err())
        .unwrap_or_else(|| beside(path, ".replaced"));
    if path.exists() {
        fs::copy(path, &aside).map_err(failed)?;
    }
    write(path, text.as_bytes()).map_err(failed)?;
    Ok(aside)
}
