//! Reading the files a run wrote, piece by piece. Only what the run's own list names is read; writing is the tools'
//! business, and showing a piece as what it is, the window's.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bwana_tools::{ArtifactFolder, FolderError};
use bwana_types::entry::Artifact;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, artifacts_folder};
use crate::command::Ctx;
use crate::runs::show_run;
use crate::shape::shown;

/// Bytes of one answer.
pub const PIECE_MAX_BYTES: u64 = 256 * 1024;
/// The longest UTF-8 character.
const CHAR_MAX_BYTES: usize = 4;

/// By the end of a name, in small letters. Only what a window can show is told apart; the rest is bytes or text.
const KINDS: &[(&str, &str)] = &[
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("gif", "image/gif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("webp", "image/webp"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadRequest {
    /// An id, or its last characters.
    pub run: String,
    /// Of the run's own list of files.
    pub file: String,
    /// The first byte of the piece.
    #[serde(default)]
    pub offset: u64,
    /// At most so many bytes; 0: as many as an answer holds.
    #[serde(default)]
    pub limit: u64,
}

/// A piece of a file, as text or, if it is none, in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactPiece {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Of the whole file, as it is on the disk.
    pub bytes: u64,
    /// Told from the name; never trusted to be what it says.
    pub mime: String,
    /// BLAKE3 in hex, as the journal has it.
    pub hash: String,
    /// Where the next piece begins.
    pub next: u64,
    /// There is one.
    pub more: bool,
    /// The file on the disk is not what the journal says: somebody changed it since. Seen by its length, or, where the
    /// piece is the whole, by its hash.
    pub changed: bool,
}

pub(crate) async fn read(
    app: &App,
    _ctx: Ctx,
    request: ReadRequest,
) -> Result<ArtifactPiece, ApiError> {
    let (run, listed) = listed(app, &request.run, &request.file)?;
    let limit = match request.limit {
        0 => PIECE_MAX_BYTES,
        limit => limit.clamp(CHAR_MAX_BYTES as u64, PIECE_MAX_BYTES),
    };
    let folder = artifacts_folder(app.home()).join(run.to_string());
    let piece = ArtifactFolder::peek(folder, &listed.file, request.offset, limit)
        .await
        .map_err(|error| not_read(&error))?;
    let end = request.offset.saturating_add(piece.bytes.len() as u64);
    let is_whole = request.offset == 0 && end >= piece.total;
    let text = text_of(&piece.bytes, end < piece.total);
    let next = match text {
        Some(text) => request.offset + text.len() as u64,
        None => end,
    };
    Ok(ArtifactPiece {
        mime: kind(&listed.file, text.is_some()).to_owned(),
        base64: text.is_none().then(|| STANDARD.encode(&piece.bytes)),
        text: text.map(str::to_owned),
        bytes: piece.total,
        next,
        more: next < piece.total,
        changed: piece.total != listed.bytes || is_whole && Hash::of(&piece.bytes) != listed.hash,
        hash: listed.hash.to_string(),
    })
}

/// A file of a run's own list.
///
/// # Errors
/// If there is no such run, or it has no such file.
pub(crate) fn listed(app: &App, run: &str, file: &str) -> Result<(RunId, Artifact), ApiError> {
    let run = app.find_run(run)?;
    let view = bwana_engine::view(app.store()?, run)?;
    let found = view.artifacts.into_iter().find(|one| one.file == file);
    let found = found.ok_or_else(|| {
        let message = format!("run {run} has no file called '{}'", shown(file));
        ApiError::new(ErrorCode::UsageNotFound, message)
            .with_hint("Choose one of the run's own list of files.")
    })?;
    Ok((run, found))
}

/// Where a run's folder is, or a file in it, for a host that shows it in the file manager.
///
/// # Errors
/// If there is no such run, or its own list has no such file.
pub fn place_of(app: &App, run: RunId, file: Option<&str>) -> Result<PathBuf, ApiError> {
    let run = show_run(app, run)?;
    let folder = PathBuf::from(run.folder);
    match file {
        None => Ok(folder),
        Some(file) if run.artifacts.iter().any(|one| one.file == file) => Ok(folder.join(file)),
        Some(_) => Err(ApiError::new(
            ErrorCode::UsageInvalid,
            "the run has no such file",
        )),
    }
}

/// The piece as text, without a character that is only begun at the end, if there is more.
fn text_of(bytes: &[u8], more: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let (valid, rest) = bytes.split_at_checked(error.valid_up_to())?;
            let is_begun = more && error.error_len().is_none() && rest.len() < CHAR_MAX_BYTES;
            if !is_begun {
                return None;
            }
            std::str::from_utf8(valid).ok()?
        }
    };
    (!text.contains('\0')).then_some(text)
}

fn kind(file: &str, is_text: bool) -> &'static str {
    let end = file
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    let known = end.and_then(|end| KINDS.iter().find(|(known, _)| *known == end));
    match (known, is_text) {
        (Some((_, kind)), _) => kind,
        (None, true) => "text/plain",
        (None, false) => "application/octet-stream",
    }
}

pub(crate) fn not_read(error: &FolderError) -> ApiError {
    let code = match error {
        FolderError::NotFound(_) => ErrorCode::UsageNotFound,
        FolderError::Io { .. } => ErrorCode::ToolFailed,
        _ => ErrorCode::UsageInvalid,
    };
    ApiError::new(code, error.to_string())
        .with_hint("The journal names the file, but the folder does not hold it as it was written.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_text_up_to_its_last_whole_character() {
        let cases: &[(&[u8], bool, Option<&str>)] = &[
            (b"", false, Some("")),
            ("ẹ ọ".as_bytes(), false, Some("ẹ ọ")),
            (&"ẹ ọ".as_bytes()[..6], true, Some("ẹ ")),
            (&"ẹ ọ".as_bytes()[..6], false, None),
            (&"ẹ".as_bytes()[1..], true, None),
            (b"a\0b", false, None),
            (b"\x89PNG", true, None),
        ];
        for (bytes, more, expected) in cases {
            assert_eq!(text_of(bytes, *more), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_kind_is_told_from_the_name_or_else_from_the_bytes() {
        let cases = [
            ("a/b.MD", true, "text/markdown"),
            ("b.png", false, "image/png"),
            ("notes", true, "text/plain"),
            ("data.bin", false, "application/octet-stream"),
        ];
        for (file, is_text, expected) in cases {
            assert_eq!(kind(file, is_text), expected, "{file}");
        }
    }
}
