//! Writes what a person decided into a run that nobody works on, and starts nothing: what a command does that holds the
//! data folder only for itself. The run goes on when it is resumed.

use bwana_engine::{EngineError, fold_run, row};
use bwana_store::Append;
use bwana_types::entry::{Entry, Seq};
use bwana_types::error::ApiError;
use bwana_types::id::RunId;
use bwana_types::status::StopReason;
use bwana_types::time::Timestamp;
use bwana_workflow::machine::{Control, Input, Phase, RunState, apply, decide};

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
    let now = app.clock().now();
    let mut entries = Vec::new();
    record(now, &mut state, input, &mut entries);
    bring_to_rest(now, &mut state, &mut entries);
    write(app, &state, expected_seq, entries).await
}

/// Pauses a run that nobody works on, also one that would go on by itself when a provider answers again. `false`: it has
/// ended, or stood still for a person before.
///
/// # Errors
/// As [`steer`].
pub(crate) async fn pause(app: &App, run: RunId, by: &str) -> Result<bool, ApiError> {
    let mut state = fold_run(app.owner()?, run)?;
    let expected_seq = state.head;
    let entries = stand_still(app.clock().now(), &mut state, by);
    write(app, &state, expected_seq, entries).await
}

/// What is written behind a journal so that its run stands still until a person resumes it, and owes nobody an effect:
/// what was under way and must not happen twice is asked about. Nothing for a run that has ended, or that a newer program
/// wrote: nobody continues that one here.
pub(crate) fn stand_still(now: Timestamp, state: &mut RunState, by: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    if state.is_ended() || state.unknown.is_some() {
        return entries;
    }
    let pause = || Input::Control(Control::Pause { by: by.to_owned() });
    if let Phase::Paused(StopReason::WaitingForNetwork { .. }) = &state.phase {
        let resume = Control::Resume { by: by.to_owned() };
        record(now, state, Input::Control(resume), &mut entries);
    }
    record(now, state, pause(), &mut entries);
    bring_to_rest(now, state, &mut entries);
    entries
}

/// Whatever was in flight when the last process ended is in flight no more. Then a run that stands still needs nobody,
/// and the end of one that is to stop can be written.
fn bring_to_rest(now: Timestamp, state: &mut RunState, entries: &mut Vec<Entry>) {
    if matches!(state.phase, Phase::Stopping(_) | Phase::Paused(_)) {
        record(now, state, Input::Recover, entries);
    }
    if matches!(state.phase, Phase::Stopping(_)) {
        while record(now, state, Input::Advance, entries) {}
    }
}

async fn write(
    app: &App,
    state: &RunState,
    expected_seq: Seq,
    entries: Vec<Entry>,
) -> Result<bool, ApiError> {
    if entries.is_empty() {
        return Ok(false);
    }
    let store = app.owner()?;
    let appended = store
        .append(Append {
            run: state.run,
            expected_seq,
            entries,
            row: Some(row(state)),
            day: None,
        })
        .await?;
    store.barrier(appended.pos).await?;
    Ok(true)
}

fn record(now: Timestamp, state: &mut RunState, input: Input, entries: &mut Vec<Entry>) -> bool {
    let drafts = decide(state, input);
    let any = !drafts.is_empty();
    for draft in drafts {
        let entry = draft.at(state.head + 1, now.max(state.now));
        apply(state, &entry);
        entries.push(entry);
    }
    any
}
