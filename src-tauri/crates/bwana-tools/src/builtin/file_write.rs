//! `file.write`: puts a text file into the run's artifact folder.
//!
//! Idempotent and not keyed: a call writes the whole file in one rename, so doing it again gives the very same bytes, and
//! recovery may repeat it without a barrier before it.

use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::grant::Pattern;
use bwana_types::tool::{ToolLimits, ToolSpec};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{grouped, text};
use crate::artifact::{Change, PATH_MAX_BYTES};
use crate::error::{Sent, ToolError};
use crate::pattern;
use crate::tool::{Tool, ToolCtx, ToolOutput};
use crate::visible::{PREVIEW_MAX_CHARS, visible};

/// Writes into the run's own folder and nowhere else.
pub const FILE_WRITE: &str = "file.write";
/// Bytes of text one call may write.
const CONTENT_MAX_BYTES: usize = 256 * 1024;
/// Bytes of arguments: a text full of escapes takes up to six bytes for one.
const INPUT_MAX_BYTES: u64 = 6 * CONTENT_MAX_BYTES as u64 + 4_096;
const OUTPUT_MAX_BYTES: u64 = 4 * 1024;
const TIMEOUT_MS: u64 = 30_000;

#[derive(Debug)]
pub struct FileWrite {
    spec: ToolSpec,
}

impl Default for FileWrite {
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: FILE_WRITE.into(),
                version: "1".into(),
                description: "Writes a text file into this run's folder, replacing it if it exists. Use it for \
                              results a person should keep: reports, letters, tables, code."
                    .into(),
                input_schema: json!({
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["path", "content"],
                    "properties": {
                        "path": {
                            "type": "string",
                            "maxLength": PATH_MAX_BYTES,
                            "description": "Relative path, like report.md or drafts/letter.txt"
                        },
                        "content": {"type": "string", "description": "The whole text of the file"}
                    }
                }),
                risk: RiskClass::WriteReversible,
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

impl Tool for FileWrite {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn preview(&self, args: &Value) -> String {
        let content = text(args, "content");
        let line = format!(
            "Write {} bytes to '{}': {content}",
            grouped(content.len() as u64),
            visible(text(args, "path"), PREVIEW_MAX_CHARS / 3),
        );
        visible(&line, PREVIEW_MAX_CHARS)
    }

    fn patterns(&self, args: &Value) -> Vec<Pattern> {
        pattern::folder_of(text(args, "path")).into_iter().collect()
    }

    fn call(&self, ctx: ToolCtx, args: Value) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        async move { write(&ctx, &args).await }.boxed()
    }
}

async fn write(ctx: &ToolCtx, args: &Value) -> Result<ToolOutput, ToolError> {
    let (path, content) = (text(args, "path"), text(args, "content"));
    if content.len() > CONTENT_MAX_BYTES {
        return Err(ToolError::Refused(format!(
            "The content has {} bytes; one call may write {}. Split it into several files.",
            grouped(content.len() as u64),
            grouped(CONTENT_MAX_BYTES as u64)
        )));
    }
    let written = tokio::select! {
        biased;
        // The write itself goes on in its thread and ends well or not at all; repeating it changes nothing.
        () = ctx.cancel.cancelled() => return Err(ToolError::Cancelled { sent: Sent::Perhaps }),
        written = tokio::time::timeout_at(ctx.deadline, ctx.artifacts.write(path, content.into())) => written,
    };
    let written = written.map_err(|_| ToolError::Timeout {
        message: format!(
            "Writing '{}' took too long; the disk may be busy or full.",
            visible(path, 80)
        ),
        sent: Sent::Perhaps,
    })??;
    let bytes = grouped(written.artifact.bytes);
    let file = &written.artifact.file;
    let content = match written.change {
        Change::Created => format!("Wrote {file} ({bytes} bytes)."),
        Change::Replaced { bytes: old } => {
            format!("Replaced {file} ({bytes} bytes, before {}).", grouped(old))
        }
        Change::None => format!("{file} has exactly this content already ({bytes} bytes)."),
    };
    Ok(ToolOutput {
        artifacts: vec![written.artifact],
        ..ToolOutput::text(content)
    })
}
