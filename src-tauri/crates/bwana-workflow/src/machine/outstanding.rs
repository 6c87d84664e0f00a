//! What must be under way, given a state: the runtime starts each of these that it has not started yet.

use std::sync::Arc;

use bwana_agent::turn::Next;
use bwana_types::definition::Work;
use bwana_types::entry::Seq;
use bwana_types::status::StopReason;
use bwana_types::time::Timestamp;

use super::place::Place;
use super::state::{CallStatus, Phase, RunState, StepPhase, StepState};

#[derive(Debug, Clone, PartialEq)]
pub enum Obligation {
    /// Perform this attempt of a call and answer with `Input::CallDone`.
    Perform { call: Seq, attempt: u32 },
    /// Answer with `Input::RetryDue` then.
    RetryAt { call: Seq, at: Timestamp },
    /// Validate arguments and ask the policy; answer with `Input::Assessed`. Pure, so it may be done again.
    Assess {
        path: Arc<str>,
        agent: Arc<str>,
        model_call: Seq,
        index: u32,
        tool: Arc<str>,
        args: Arc<str>,
        cut: bool,
    },
    /// Write the run's result into its artifact folder; answer with `Input::ResultSaved`.
    SaveResult,
    /// Answer with `Input::Deadline` then.
    Deadline { at: Timestamp },
    /// Nobody wants this call's result any more: let it go, and answer with `Input::CallDone`.
    Abandon { call: Seq },
}

/// Everything that must be under way now.
pub fn outstanding(state: &RunState) -> Vec<Obligation> {
    let mut obligations = Vec::new();
    if state.is_ended() || state.unknown.is_some() {
        return obligations;
    }
    let running = matches!(state.phase, Phase::Running);
    for (seq, call) in &state.calls {
        match call.status {
            CallStatus::InFlight if is_unwanted(state, &call.path) => {
                obligations.push(Obligation::Abandon { call: *seq })
            }
            CallStatus::InFlight => obligations.push(Obligation::Perform {
                call: *seq,
                attempt: call.attempt,
            }),
            CallStatus::RetryAt { at, .. }
                if running && !is_unwanted(state, &call.path) && !state.waits_for_price(call) =>
            {
                obligations.push(Obligation::RetryAt { call: *seq, at })
            }
            CallStatus::RetryAt { .. }
            | CallStatus::Stalled { .. }
            | CallStatus::Lost
            | CallStatus::Uncertain => {}
        }
    }
    if !running {
        return obligations;
    }
    let mut walk = Walk {
        state,
        obligations: &mut obligations,
    };
    for at in 0..state.steps.len() {
        if !state.steps[at].is_finished() {
            walk.step(&Place::top(at), &state.steps[at]);
            break;
        }
    }
    if state.result_file.is_none() && state.steps.iter().all(StepState::succeeded) {
        obligations.push(Obligation::SaveResult);
    }
    if let Some(elapsed) = state.limits.elapsed_ms
        && !state.waits_for_person()
    {
        let at = state
            .created_at
            .0
            .saturating_add(elapsed)
            .saturating_add(state.idle_ms);
        obligations.push(Obligation::Deadline { at: Timestamp(at) });
    }
    obligations
}

struct Walk<'a> {
    state: &'a RunState,
    obligations: &'a mut Vec<Obligation>,
}

impl Walk<'_> {
    fn step(&mut self, place: &Place, step: &StepState) {
        if step.phase != StepPhase::Running {
            return;
        }
        let def = place.def(&self.state.definition);
        if let Work::Parallel(_) = def.work {
            for (at, child) in step.children.iter().enumerate() {
                self.step(&place.child(at), child);
            }
        }
        let Some(turn) = step.open_turn() else { return };
        if let Next::Assess { reply, index } = turn.next() {
            let slot = &reply.slots[index];
            self.obligations.push(Obligation::Assess {
                path: place.with_round(turn.round).path(&self.state.definition),
                agent: Arc::clone(&turn.agent),
                model_call: reply.call,
                index: u32::try_from(index).unwrap_or(u32::MAX),
                tool: Arc::clone(&slot.tool),
                args: Arc::clone(&slot.args),
                cut: reply.cut,
            });
        }
    }
}

/// Whether the step a call belongs to is over, so that its result changes nothing.
fn is_unwanted(state: &RunState, path: &str) -> bool {
    if matches!(&state.phase, Phase::Stopping(StopReason::Cancelled { .. })) {
        return true;
    }
    !state.is_wanted(path)
}
