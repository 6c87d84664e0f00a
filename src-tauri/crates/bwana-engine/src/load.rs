//! From a journal to a state, and from a state to the row that lists show.

use std::sync::Arc;

use bwana_store::{RunRow, Store};
use bwana_types::definition::Definition;
use bwana_types::entry::{Body, Entry};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::money::MicroUsd;
use bwana_workflow::machine::{RunState, StepPhase, apply};

use crate::error::EngineError;
use crate::view::stop_reason;

/// Folds a run's whole journal, a fork's shared prefix included.
///
/// # Errors
/// If there is no such run, or its journal or definition cannot be read.
pub fn fold_run(store: &Store, run: RunId) -> Result<RunState, EngineError> {
    let entries = store.load(run)?;
    let definition = definition_of(store, run, entries.first())?;
    fold(run, definition, &entries)
}

/// A run as it was at its first entry, to be folded on from there with [`fold_on`].
///
/// # Errors
/// Those of [`fold_run`].
pub fn fold_first(store: &Store, run: RunId) -> Result<RunState, EngineError> {
    let entries = store.entries(run, 1, 1)?;
    let definition = definition_of(store, run, entries.first())?;
    fold(run, definition, &entries)
}

/// The definition that the first entry of a run names.
fn definition_of(
    store: &Store,
    run: RunId,
    first: Option<&Entry>,
) -> Result<Arc<Definition>, EngineError> {
    let unfoldable = |why: &str| EngineError::Unfoldable {
        run,
        why: why.to_owned(),
    };
    let first = first.ok_or_else(|| unfoldable("it is empty"))?;
    let Body::RunCreated(created) = &first.body else {
        return Err(unfoldable("its first entry is not run_created"));
    };
    let bytes = store
        .get_blob(created.definition)?
        .ok_or_else(|| unfoldable("its definition is gone"))?;
    if Hash::of(&bytes) != created.definition {
        return Err(unfoldable("its definition is not the one it was made with"));
    }
    let definition: Definition = serde_json::from_slice(&bytes)
        .map_err(|error| unfoldable(&format!("its definition cannot be read: {error}")))?;
    Ok(Arc::new(definition))
}

/// Folds entries from 1 on. The run's own id is that of the last fork in them.
///
/// # Errors
/// If the entries are no journal: empty, not beginning with `run_created`, or with gaps.
pub fn fold(
    run: RunId,
    definition: Arc<Definition>,
    entries: &[Entry],
) -> Result<RunState, EngineError> {
    let unfoldable = |why: String| EngineError::Unfoldable { run, why };
    let Some((first, rest)) = entries.split_first() else {
        return Err(unfoldable(String::from("it is empty")));
    };
    let Body::RunCreated(created) = &first.body else {
        return Err(unfoldable(String::from(
            "its first entry is not run_created",
        )));
    };
    let mut state = RunState::new(run, definition, first, created);
    fold_on(&mut state, rest)?;
    Ok(state)
}

/// Folds the entries that follow on `state`.
///
/// # Errors
/// If one is missing; then the state is that before the gap.
pub fn fold_on(state: &mut RunState, entries: &[Entry]) -> Result<(), EngineError> {
    for entry in entries {
        if entry.seq != state.head + 1 {
            return Err(EngineError::Unfoldable {
                run: state.run,
                why: format!("entry {} is missing", state.head + 1),
            });
        }
        apply(state, entry);
    }
    Ok(())
}

/// What lists show of a run.
pub fn row(state: &RunState) -> RunRow {
    let (done, total) = state.progress();
    let at_work = state
        .steps
        .iter()
        .zip(&state.definition.steps)
        .filter(|(step, _)| step.phase != StepPhase::Pending);
    RunRow {
        status: state.status(),
        stop_reason: stop_reason(state),
        usage: state.ledger.usage,
        cost: state.ledger.settled,
        cost_unknown: state.ledger.price_unknown,
        step: at_work
            .into_iter()
            .next_back()
            .map(|(_, def)| def.id.clone()),
        steps_done: u32::try_from(done).unwrap_or(u32::MAX),
        steps_total: u32::try_from(total).unwrap_or(u32::MAX),
    }
}

/// The money an entry holds back.
pub(crate) fn reserved(entry: &Entry) -> MicroUsd {
    match &entry.body {
        Body::CallIntended(intended) => intended.reserve.micro_usd,
        Body::CallRetried(retried) => retried.reserve.micro_usd,
        _ => MicroUsd::ZERO,
    }
}
