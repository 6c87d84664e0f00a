//! Names a file of a run may have. One rule for every system, so that a run written on one can be opened on another.
//! Knows no disk: the folder's handle, not this check, is what keeps a file inside.

use std::fmt;

use crate::visible::{is_hidden, visible};

/// Bytes of a whole path.
pub const PATH_MAX_BYTES: usize = 240;
/// Bytes of one name in it.
pub const NAME_MAX_BYTES: usize = 100;
/// Names in a path: folders and the file.
pub const DEPTH_MAX: usize = 8;
/// Characters of a refused path that are shown.
const SHOWN_MAX_CHARS: usize = 80;

/// Besides letters and digits of any script.
const PUNCTUATION: &str = " ._-()[]+,=@&#'!";
/// Device names of Windows, whatever stands after the first dot.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];
/// Files that a file manager acts on when somebody merely looks at the folder.
const ACTIVE_NAMES: &[&str] = &["desktop.ini", "autorun.inf", "thumbs.db"];
const ACTIVE_ENDINGS: &[&str] = &[
    "lnk",
    "url",
    "scf",
    "pif",
    "desktop",
    "library-ms",
    "search-ms",
    "searchconnector-ms",
    "theme",
    "themepack",
    "website",
    "webloc",
    "inetloc",
    "fileloc",
    "appref-ms",
    "settingcontent-ms",
];

/// A path that has passed the rules: relative, with `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArtifactPath(String);

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The path '{shown}' is not allowed: {why}. Use a simple relative path like report.md or drafts/letter.txt."
)]
pub struct BadPath {
    shown: String,
    why: String,
}

impl ArtifactPath {
    /// # Errors
    /// If the path breaks a rule; the message says which.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        let bad = |why: String| BadPath {
            shown: visible(text, SHOWN_MAX_CHARS),
            why,
        };
        if text.is_empty() {
            return Err(bad("it is empty".into()));
        }
        if text.len() > PATH_MAX_BYTES {
            return Err(bad(format!("it is longer than {PATH_MAX_BYTES} bytes")));
        }
        if text.starts_with('/') {
            return Err(bad("it is absolute".into()));
        }
        if text.split('/').count() > DEPTH_MAX {
            return Err(bad(format!("it has more than {DEPTH_MAX} parts")));
        }
        text.split('/').try_for_each(check_name).map_err(bad)?;
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders on the way, outermost first.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        let (folders, _) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        folders.split('/').filter(|name| !name.is_empty())
    }

    pub(crate) fn file(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, file)| file)
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("it has an empty part".into());
    }
    if name.chars().all(|c| c == '.') {
        return Err("'.' and '..' are no names".into());
    }
    if name.len() > NAME_MAX_BYTES {
        return Err(format!("a part is longer than {NAME_MAX_BYTES} bytes"));
    }
    let allowed = |c: char| !is_hidden(c) && (c.is_alphanumeric() || PUNCTUATION.contains(c));
    if let Some(c) = name.chars().find(|c| !allowed(*c)) {
        return Err(format!(
            "the character U+{:04X} is not allowed",
            u32::from(c)
        ));
    }
    if name.starts_with(['.', '-', ' ']) || name.ends_with(['.', ' ']) {
        return Err(
            "a part may not start with a dot, dash or space, nor end with a dot or space".into(),
        );
    }
    let lower = name.to_lowercase();
    let stem = lower.split('.').next().unwrap_or_default().trim_end();
    if DEVICES.contains(&stem) || is_numbered_device(stem) {
        return Err("it is the name of a device on Windows".into());
    }
    let ending = lower.rsplit_once('.').map_or("", |(_, ending)| ending);
    if ACTIVE_NAMES.contains(&&*lower) || ACTIVE_ENDINGS.contains(&ending) {
        return Err("files of this kind act when a folder is merely looked at".into());
    }
    Ok(())
}

/// `com1` to `com9` and `lpt1` to `lpt9`; Windows takes superscript digits for digits.
fn is_numbered_device(stem: &str) -> bool {
    ["com", "lpt"].iter().any(|port| {
        stem.strip_prefix(port).is_some_and(|rest| {
            let mut digits = rest.chars();
            matches!(
                (digits.next(), digits.next()),
                (Some('0'..='9' | '¹' | '²' | '³'), None)
            )
        })
    })
}
