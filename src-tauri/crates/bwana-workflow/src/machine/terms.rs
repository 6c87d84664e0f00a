//! A person's answer: to a question that is still open, of a kind that answers it, and with no terms that the question
//! does not offer. What an edit puts in the place of the model's arguments is bound here to the hash the call must have.

use std::sync::Arc;

use bwana_types::entry::{Draft, Seq, TaskDecided};
use bwana_types::grant::{EditedArgs, GrantMade, GrantScope, Pattern, Terms};
use bwana_types::hash::approval_hash;
use bwana_types::id::GrantId;
use bwana_types::task::{Ask, DecidedBy, Verdict};

use super::state::{OpenTask, RunState};

/// The entry for an answer; `None` if it does not fit its question.
pub(super) fn decided(
    state: &RunState,
    task: Seq,
    verdict: Verdict,
    by: DecidedBy,
    terms: Terms,
) -> Option<Draft> {
    let open = state.tasks.get(&task)?;
    let Terms { grant, edit } = terms;
    let fits = verdict.fits(open.ask.kind())
        && grant.as_ref().is_none_or(|grant| {
            let offered = edit.as_ref().map(|edit| edit.patterns.as_slice());
            may_grant(state, task, open, &verdict, grant, offered)
        })
        && edit
            .as_ref()
            .is_none_or(|edit| may_edit(state, open, &verdict, edit));
    let decided = || TaskDecided {
        task,
        verdict,
        by,
        grant,
        edit,
    };
    fits.then(|| Draft::new(Arc::clone(&open.path), decided()))
}

/// Whether a grant is one that this question offers: of its tool, with one of its patterns, in this workflow.
fn may_grant(
    state: &RunState,
    task: Seq,
    open: &OpenTask,
    verdict: &Verdict,
    grant: &GrantMade,
    edited: Option<&[Pattern]>,
) -> bool {
    let Ask::Approve {
        tool,
        version,
        patterns,
        ..
    } = &open.ask
    else {
        return false;
    };
    let fits = match grant.scope {
        GrantScope::Run | GrantScope::Workflow => *verdict == Verdict::Approve,
        GrantScope::Never => matches!(verdict, Verdict::Deny { .. }),
    };
    let workflow = &state.definition.workflow;
    fits && grant.id == GrantId::of_task(state.run, task, open.opened_at)
        && (&grant.tool, &grant.version) == (tool, version)
        && (&grant.workflow, grant.workflow_hash) == (&workflow.slug, workflow.hash)
        && edited.unwrap_or(patterns).contains(&grant.pattern)
}

/// Whether an approval is bound to the very arguments it puts in the place of the model's.
fn may_edit(state: &RunState, open: &OpenTask, verdict: &Verdict, edit: &EditedArgs) -> bool {
    let Ask::Approve { tool, version, .. } = &open.ask else {
        return false;
    };
    let Ok(args) = serde_json::from_str(&edit.args) else {
        return false;
    };
    let run = state.run.to_string();
    *verdict == Verdict::Approve
        && edit.args_hash == approval_hash(tool, version, &args, &run, &open.path)
}
