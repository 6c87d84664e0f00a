//! Trying a workflow out: a rehearsal that changes nothing outside, and a run that begins in the middle with the results
//! of earlier steps given by a person. Both are ordinary runs of a definition that says so, journaled like any other.

use std::collections::BTreeMap;

use bwana_types::definition::{StepDef, Work};
use bwana_types::error::ErrorCode;

use super::issue::{Issue, Path, quotable};

/// Bytes of all given results together.
pub const PINNED_MAX_BYTES: usize = 1024 * 1024;

/// A run that tries something out instead of doing the work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// Nothing outside the run's own folder is changed, and nobody is asked.
    pub dry_run: bool,
    /// The top-level step to begin with. Those before it are not worked on.
    pub from: Option<String>,
    /// Results of steps before it; without one a step has an empty result.
    pub pinned: BTreeMap<String, String>,
    /// Nothing after that step is worked on.
    pub only: bool,
}

/// The steps as the trial wants them.
pub(super) fn tried(mut steps: Vec<StepDef>, trial: &Trial) -> Result<Vec<StepDef>, Issue> {
    let wrong = |reason: String, hint: String| {
        Err(Issue::error(Path::root(), reason)
            .code(ErrorCode::UsageInvalid)
            .hint(hint))
    };
    let Some(from) = &trial.from else {
        if trial.pinned.is_empty() && !trial.only {
            return Ok(steps);
        }
        return wrong(
            String::from("results are given, and no step to begin with"),
            String::from("say in `from` which step is tried"),
        );
    };
    let ids = |steps: &[StepDef]| {
        let ids: Vec<_> = steps.iter().map(|step| format!("`{}`", step.id)).collect();
        ids.join(", ")
    };
    let Some(first) = steps.iter().position(|step| step.id == *from) else {
        return wrong(
            format!("there is no step '{}' to begin with", quotable(from)),
            format!("the steps are {}", ids(&steps)),
        );
    };
    let before = |id: &String| steps.iter().take(first).any(|step| step.id == *id);
    if let Some(stray) = trial.pinned.keys().find(|id| !before(id)) {
        return wrong(
            format!(
                "a result is given for '{}', which is no step before '{from}'",
                quotable(stray)
            ),
            format!("results can be given for {}", ids(&steps[..first])),
        );
    }
    let bytes: usize = trial.pinned.values().map(String::len).sum();
    if bytes > PINNED_MAX_BYTES {
        return wrong(
            format!("the given results have {bytes} bytes, more than {PINNED_MAX_BYTES}"),
            String::from("shorten them to what the step needs"),
        );
    }
    for step in &mut steps[..first] {
        let text = trial.pinned.get(&step.id).cloned().unwrap_or_default();
        step.work = Work::Pinned { text };
        step.approve_plan = false;
        step.output = None;
    }
    if trial.only {
        steps.truncate(first + 1);
    }
    Ok(steps)
}
