//! A file for a person, in a folder of theirs: under a name any file system takes, and never over another file.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bwana_types::error::{ApiError, ErrorCode};
use serde::Deserialize;

use crate::shape::shown;

/// Bytes that are saved at once.
pub const SAVE_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Characters of a name, its ending included.
const NAME_MAX_CHARS: usize = 120;
/// Files of one name that may stand beside each other.
const SAME_NAME_MAX: u32 = 1_000;
/// Names that are devices somewhere, whatever their ending.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "com", "lpt"];

/// What a window wants to be saved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToSave {
    /// The name the person will see; no path.
    pub name: String,
    #[serde(default)]
    pub text: Option<String>,
    /// Of what is no text.
    #[serde(default)]
    pub base64: Option<String>,
}

/// The folder of downloads in a home folder, on a desktop without a list of a person's folders.
pub fn within(mut home: PathBuf) -> PathBuf {
    home.push("Downloads");
    home
}

/// Saves what a window asks for.
///
/// # Errors
/// If it is not exactly one of the two, or as [`save`].
pub fn keep(folder: &Path, file: &ToSave) -> Result<PathBuf, ApiError> {
    let wrong = |why: &str| Err(ApiError::new(ErrorCode::UsageInvalid, why));
    match (&file.text, &file.base64) {
        (Some(text), None) => save(folder, &file.name, text.as_bytes()),
        (None, Some(coded)) => match STANDARD.decode(coded) {
            Ok(content) => save(folder, &file.name, &content),
            Err(_) => wrong("what is to be saved is no base64"),
        },
        _ => wrong("either text or base64 is saved"),
    }
}

/// Writes a new file and says where it stands.
///
/// # Errors
/// If it is too large, or the folder cannot be written.
pub fn save(folder: &Path, name: &str, content: &[u8]) -> Result<PathBuf, ApiError> {
    if content.len() > SAVE_MAX_BYTES {
        let message = format!(
            "this has {} bytes; at most {SAVE_MAX_BYTES} are saved",
            content.len()
        );
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    let failed = |error: io::Error| {
        let code = match error.kind() {
            io::ErrorKind::StorageFull => ErrorCode::StoreFull,
            _ => ErrorCode::ToolFailed,
        };
        let message = format!("{} cannot be saved: {error}", shown(name));
        ApiError::new(code, message)
            .with_hint(format!("Look whether {} can be written.", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let name = safe_name(name);
    for number in 1..=SAME_NAME_MAX {
        let path = folder.join(numbered(&name, number));
        let opened = OpenOptions::new().write(true).create_new(true).open(&path);
        match opened {
            Ok(mut file) => {
                file.write_all(content).map_err(failed)?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let message = format!("there are too many files called {name}");
    Err(ApiError::new(ErrorCode::UsageInvalid, message)
        .with_hint("Give one of them another name, or move them elsewhere."))
}

fn safe_name(name: &str) -> String {
    // Only the last part of anything that looks like a path.
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| !c.is_control() && !matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let kept: String = last.chars().filter(|c| plain(*c)).collect();
    let kept = kept.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let count = kept.chars().count();
    let short: String = match kept.rsplit_once('.') {
        // The ending says what it is, so that is not what is cut away.
        Some((stem, ending)) if count > NAME_MAX_CHARS && ending.chars().count() < 16 => {
            let room = NAME_MAX_CHARS - ending.chars().count() - 1;
            let stem: String = stem.chars().take(room).collect();
            format!("{stem}.{ending}")
        }
        _ => kept.chars().take(NAME_MAX_CHARS).collect(),
    };
    let stem = short.split('.').next().unwrap_or_default();
    let letters = stem
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .to_ascii_lowercase();
    match short.as_str() {
        "" => String::from("bwana"),
        _ if DEVICES.contains(&letters.as_str()) => format!("bwana {short}"),
        _ => short,
    }
}

/// The first one plainly, the others as `name (2).md`.
fn numbered(name: &str, number: u32) -> String {
    match (number, name.rsplit_once('.')) {
        (1, _) => name.to_owned(),
        (_, Some((stem, ending))) if !stem.is_empty() => format!("{stem} ({number}).{ending}"),
        _ => format!("{name} ({number})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_folder_and_over_nothing() {
        let long = format!("{}.md", "a".repeat(300));
        let cases = [
            ("report.md", "report.md"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\win.ini", "win.ini"),
            (".bashrc", "bashrc"),
            ("..", "bwana"),
            ("", "bwana"),
            ("a\n\u{202e}b:c?.md", "a\u{202e}bc.md"),
            ("CON.txt", "bwana CON.txt"),
            ("com1", "bwana com1"),
            ("company.md", "company.md"),
            ("دكان.md", "دكان.md"),
        ];
        for (name, expected) in cases {
            assert_eq!(safe_name(name), expected, "{name:?}");
        }
        let short = safe_name(&long);
        assert!(short.ends_with(".md") && short.chars().count() == NAME_MAX_CHARS);
    }

    #[test]
    fn a_second_file_of_a_name_stands_beside_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new");
        let mut names = Vec::new();
        for content in ["a", "b", "c"] {
            let path = save(&folder, "x.md", content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
            names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
        assert_eq!(names, ["x.md", "x (2).md", "x (3).md"]);
        let file = folder.join("x.md");
        assert_eq!(
            save(&file, "y", b"").unwrap_err().code,
            ErrorCode::ToolFailed
        );
    }
}
