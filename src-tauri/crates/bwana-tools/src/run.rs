//! Does one call within its limits. The tools keep their own limits; this holds for those that do not.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bwana_types::effect::EffectClass;
use futures_util::FutureExt as _;
use serde_json::Value;

use crate::error::{Sent, ToolError};
use crate::tool::{Tool, ToolCtx, ToolOutput};

/// How long after its deadline or its cancellation a tool may still answer, before it is dropped.
pub const GRACE: Duration = Duration::from_millis(1_500);

/// Calls a tool with arguments from [`crate::Registry::validate_args`].
///
/// Also holds for a tool that hangs, panics or answers at length: it is dropped [`GRACE`] after its deadline or its
/// cancellation, a panic becomes an error, and an answer is cut at `ctx.limits.output_max_bytes` with a note.
///
/// # Errors
/// What the tool says; for one that was dropped or panicked, an error that takes the effect for possible unless the tool
/// only reads or computes.
pub async fn run(tool: &dyn Tool, ctx: ToolCtx, args: Value) -> Result<ToolOutput, ToolError> {
    let name = &tool.spec().name;
    let max_bytes = ctx.limits.output_max_bytes;
    if ctx.cancel.is_cancelled() {
        return Err(ToolError::Cancelled {
            sent: Sent::Nothing,
        });
    }
    let sent = match tool.spec().effect {
        EffectClass::Pure | EffectClass::Idempotent => Sent::Nothing,
        EffectClass::Paid | EffectClass::Keyed | EffectClass::AtMostOnce => Sent::Perhaps,
    };
    let cancel = ctx.cancel.clone();
    let late = ctx.deadline + GRACE;
    let call = AssertUnwindSafe(async { tool.call(ctx, args).await }).catch_unwind();
    let outcome = tokio::select! {
        biased;
        outcome = call => outcome,
        () = tokio::time::sleep_until(late) => {
            return Err(ToolError::Timeout { message: format!("{name} did not answer in time and was dropped."), sent });
        }
        () = async { cancel.cancelled().await; tokio::time::sleep(GRACE).await } => {
            return Err(ToolError::Cancelled { sent });
        }
    };
    match outcome {
        Ok(Ok(mut output)) => {
            cut(&mut output.content, max_bytes);
            Ok(output)
        }
        Ok(Err(error)) => Err(error),
        Err(_panic) => {
            tracing::error!(tool = %name, "a tool panicked");
            let message = format!("{name} broke down; this is a mistake in the program.");
            Err(match sent {
                Sent::Nothing => ToolError::failed(message),
                Sent::Perhaps => ToolError::Uncertain(message),
            })
        }
    }
}

/// Cuts `text` to at most `max_bytes`, note included.
fn cut(text: &mut String, max_bytes: u64) {
    let max = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    if text.len() <= max {
        return;
    }
    let note = format!("\n[cut: {} bytes in all]", text.len());
    truncate(text, max.saturating_sub(note.len()));
    if note.len() <= max {
        text.push_str(&note);
    }
}

/// Drops what is beyond `max` bytes, and the rest of a character that does not fit whole.
pub(crate) fn truncate(text: &mut String, max: usize) {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}
