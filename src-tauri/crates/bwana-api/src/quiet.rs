//! Writes what a person decided into a run that nobody works on, and starts nothing: what a command does that holds the
//! data folder only for itself. The run goes on when it is resumed.

use bwana_engine::{EngineError, fold_run, row};
use bwana_store::Append;
use bwana_types::entry::Entry;
use bwana_types::error::ApiError;
use bwana_types::id::RunId;
use bwana_workflow::machine::{Input, Phase, RunState, apply, decide};

use crate::app::App;

/// Records an input and, if it ends the run, everything that belongs to the end. Durable when it returns. `false`: the
/// input changed nothing.
///
/// # Errors
/// If the run cannot be folded, or the entries cannot be written.
pub(crate) async fn steer(app: &App, run: RunId, input: Input) -> Result<bool, ApiError> {
    let store = app.owner()?;
    let mut state = fold_run(store, run)?;
    if let Some((seq, kind)) = &state.unknown {
        let entry = format!("{kind} at {seq}");
        return Err(EngineError::UnknownEntry { run, entry }.into());
    }
    let is_control = matches!(input, Input::Control(_));
    if is_control && state.is_ended() {
        let status = state.status().as_str();
        return Err(EngineError::Ended { run, status }.into());
    }
    let expected_seq = state.head;
    let mut entries = Vec::new();
    record(app, &mut state, input, &mut entries);
    if matches!(state.phase, Phase::Stopping(_) | Phase::Paused(_)) {
        // Whatever was in flight when the last process ended is in flight no more. Then a run that stands still needs
        // nobody, and the end of one that is to stop can be written.
        record(app, &mut state, Input::Recover, &mut entries);
    }
    if matches!(state.phase, Phase::Stopping(_)) {
        while record(app, &mut state, Input::Advance, &mut entries) {}
    }
    if entries.is_empty() {
        return Ok(false);
    }
    let appended = store
        .append(Append {
            run,
            expected_seq,
            entries,
            row: Some(row(&state)),
            day: None,
        })
        .await?;
    store.barrier(appended.pos).await?;
    Ok(true)
}

fn record(app: &App, state: &mut RunState, input: Input, entries: &mut Vec<Entry>) -> bool {
    let drafts = decide(state, input);
    let any = !drafts.is_empty();
    for draft in drafts {
        let at = app.clock().now().max(state.now);
        let entry = draft.at(state.head + 1, at);
        apply(state, &entry);
        entries.push(entry);
    }
    any
}
