//! What a shell and `man` want to know of this program, both made from the arguments themselves, so that neither can say
//! something else than `--help`. Needs no data folder.

use std::path::Path;

use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::out::Out;

/// Prints what completes `bwana` in a shell.
///
/// # Errors
/// If the text is no UTF-8, which would be a mistake of ours.
pub(crate) fn completions(out: &Out, shell: Shell) -> Result<Ends, ApiError> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "bwana", &mut bytes);
    let text = String::from_utf8(bytes)
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    out.json(&serde_json::json!({"shell": shell.to_string(), "text": text}));
    if !out.is_json() {
        out.text(&text);
    }
    Ok(Ends::Done)
}

/// Writes a page for the program and one for each of its commands into a folder that is there.
///
/// # Errors
/// If the folder cannot be written.
pub(crate) fn man(out: &Out, folder: &Path) -> Result<Ends, ApiError> {
    clap_mangen::generate_to(Args::command(), folder).map_err(|error| {
        let shown = folder.display();
        ApiError::new(
            ErrorCode::UsageInvalid,
            format!("the pages cannot be written into {shown}: {error}"),
        )
        .with_hint("Name a folder that exists and can be written.")
    })?;
    out.json(&serde_json::json!({"folder": folder.display().to_string()}));
    Ok(Ends::Done)
}
