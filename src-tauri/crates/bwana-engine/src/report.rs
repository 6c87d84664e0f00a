//! The result of a run as a file a person can open: every step's result under its name.

use std::fmt::Write as _;

use bwana_types::entry::Artifact;
use bwana_types::hash::Hash;
use bwana_workflow::machine::RunState;

use crate::engine::Shared;

/// The file the whole result is saved as, in the run's artifact folder.
pub const RESULT_FILE: &str = "result.md";
/// Its name where an agent has taken that one.
pub(crate) const RESULT_FILE_BESIDE: &str = "run-result.md";

/// The document: what was asked, then each step's result.
pub fn result_document(state: &RunState) -> String {
    let mut text = format!("# {}\n\n", state.definition.workflow.name);
    for line in state.input.lines() {
        let _ = writeln!(text, "> {line}");
    }
    for (def, step) in state.definition.steps.iter().zip(&state.steps) {
        if let Some(result) = step.result_text(def) {
            let _ = write!(text, "\n## {}\n\n{}\n", def.name, result.trim());
        }
    }
    text
}

/// Writes the document; doing it again gives the same file. It is not forced to the disk: the journal can always give it
/// back.
pub(crate) fn save(shared: &Shared, state: &RunState) -> Result<Artifact, String> {
    let document = result_document(state);
    let folder = shared.options.artifacts.join(state.run.to_string());
    let name = file_name(state);
    let temporary = folder.join(format!(".{name}.new"));
    let write = || {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(&temporary, &document)?;
        std::fs::rename(&temporary, folder.join(name))
    };
    write().map_err(|error| {
        format!(
            "The result could not be saved in {}: {error}",
            folder.display()
        )
    })?;
    Ok(Artifact {
        file: name.to_owned(),
        bytes: document.len() as u64,
        hash: Hash::of(document.as_bytes()),
    })
}

/// An agent's own file is never overwritten.
fn file_name(state: &RunState) -> &'static str {
    let taken = state
        .artifacts
        .iter()
        .any(|artifact| artifact.file.eq_ignore_ascii_case(RESULT_FILE));
    if taken {
        RESULT_FILE_BESIDE
    } else {
        RESULT_FILE
    }
}
