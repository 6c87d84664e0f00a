//! `file.read`: gives a piece of a text file of the run's artifact folder to the model.

use std::fmt::Write as _;

use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::grant::Pattern;
use bwana_types::tool::{ToolLimits, ToolSpec};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{grouped, text, whole_number};
use crate::artifact::{FolderError, PATH_MAX_BYTES, Piece};
use crate::error::{Sent, ToolError};
use crate::pattern;
use crate::tool::{Tool, ToolCtx, ToolOutput};
use crate::visible::{PREVIEW_MAX_CHARS, visible};

/// Bytes read when the model does not say how many.
const MAX_DEFAULT_BYTES: u64 = 16 * 1024;
/// Bytes one call may read.
const MAX_BYTES: u64 = 60 * 1024;
/// Files named when the one asked for is not there.
const FILES_SHOWN_MAX: usize = 20;
/// The longest UTF-8 character.
const CHAR_MAX_BYTES: usize = 4;
const TIMEOUT_MS: u64 = 30_000;
const INPUT_MAX_BYTES: u64 = 4 * 1024;
const OUTPUT_MAX_BYTES: u64 = 64 * 1024;

#[derive(Debug)]
pub struct FileRead {
    spec: ToolSpec,
}

impl Default for FileRead {
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "file.read".into(),
                version: "1".into(),
                description: "Reads a text file of this run's folder. Long files come in pieces."
                    .into(),
                input_schema: json!({
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["path"],
                    "properties": {
                        "path": {
                            "type": "string",
                            "maxLength": PATH_MAX_BYTES,
                            "description": "Relative path, like report.md"
                        },
                        "from": {"type": "integer", "description": "Byte to start at; 0 if left out"},
                        "max": {
                            "type": "integer",
                            "description": format!("Bytes to read; {MAX_DEFAULT_BYTES} if left out, at most {MAX_BYTES}")
                        }
                    }
                }),
                risk: RiskClass::ReadLocal,
                effect: EffectClass::Idempotent,
                limits: ToolLimits {
                    timeout_ms: TIMEOUT_MS,
                    input_max_bytes: INPUT_MAX_BYTES,
                    output_max_bytes: OUTPUT_MAX_BYTES,
                },
            },
        }
    }
}

impl Tool for FileRead {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn preview(&self, args: &Value) -> String {
        visible(
            &format!("Read the file '{}'", text(args, "path")),
            PREVIEW_MAX_CHARS,
        )
    }

    fn patterns(&self, args: &Value) -> Vec<Pattern> {
        pattern::folder_of(text(args, "path")).into_iter().collect()
    }

    fn call(&self, ctx: ToolCtx, args: Value) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        async move { read(&ctx, &args).await }.boxed()
    }
}

async fn read(ctx: &ToolCtx, args: &Value) -> Result<ToolOutput, ToolError> {
    let path = text(args, "path");
    let from = whole_number(args, "from", 0)?;
    let max = whole_number(args, "max", MAX_DEFAULT_BYTES)?.clamp(CHAR_MAX_BYTES as u64, MAX_BYTES);
    let reading = async {
        match ctx.artifacts.read(path, from, max).await {
            Err(FolderError::NotFound(_)) => Err(not_found(ctx, path).await),
            other => other.map_err(ToolError::from),
        }
    };
    let piece = tokio::select! {
        biased;
        () = ctx.cancel.cancelled() => return Err(ToolError::Cancelled { sent: Sent::Nothing }),
        piece = tokio::time::timeout_at(ctx.deadline, reading) => piece,
    };
    let piece = piece.map_err(|_| ToolError::Timeout {
        message: format!("Reading '{}' took too long.", visible(path, 80)),
        sent: Sent::Nothing,
    })??;
    show(path, from, &piece).map(ToolOutput::text)
}

/// The text of a piece, with a note unless it is the whole file.
fn show(path: &str, from: u64, piece: &Piece) -> Result<String, ToolError> {
    if from >= piece.total && from > 0 {
        return Err(ToolError::InvalidArgs(format!(
            "{path} has {} bytes; 'from' must be less.",
            piece.total
        )));
    }
    if piece.total == 0 {
        return Ok("[the file is empty]".into());
    }
    // A piece may begin or end within a character: its rest belongs to the piece before, its start to the next one.
    let skipped = if from == 0 {
        0
    } else {
        continuation_bytes(&piece.bytes)
    };
    let rest = &piece.bytes[skipped..];
    let readable = match std::str::from_utf8(rest) {
        Ok(text) => text,
        Err(error)
            if error.error_len().is_none() && rest.len() - error.valid_up_to() < CHAR_MAX_BYTES =>
        {
            std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Err(no_text(path)),
    };
    if readable.contains('\0') || readable.is_empty() {
        return Err(no_text(path));
    }
    let start = from + skipped as u64;
    let end = start + readable.len() as u64;
    let mut shown = readable.to_owned();
    if start > 0 || end < piece.total {
        // Writing to a string cannot fail.
        let _ = write!(shown, "\n[bytes {start} to {end} of {}", piece.total);
        let _ = if end < piece.total {
            write!(shown, "; go on with from={end}]")
        } else {
            write!(shown, "]")
        };
    }
    Ok(shown)
}

fn continuation_bytes(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take(CHAR_MAX_BYTES - 1)
        .take_while(|byte| (**byte & 0xC0) == 0x80)
        .count()
}

fn no_text(path: &str) -> ToolError {
    ToolError::failed(format!("{path} is not a text file in UTF-8."))
}

async fn not_found(ctx: &ToolCtx, path: &str) -> ToolError {
    let files = ctx.artifacts.list().await.unwrap_or_default();
    let path = visible(path, 80);
    if files.is_empty() {
        return ToolError::failed(format!(
            "There is no file '{path}'; this run's folder is empty."
        ));
    }
    let shown: Vec<String> = files
        .iter()
        .take(FILES_SHOWN_MAX)
        .map(|file| visible(file, 120))
        .collect();
    let more = files.len() - shown.len();
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {} more", grouped(more as u64))
    };
    ToolError::failed(format!(
        "There is no file '{path}'. There are: {}{more}.",
        shown.join(", ")
    ))
}
