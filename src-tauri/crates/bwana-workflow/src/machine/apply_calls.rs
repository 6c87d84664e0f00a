//! How calls change the state: intent, attempts, result, and what becomes of a call nobody can answer for.

use std::sync::Arc;

use bwana_agent::chat;
use bwana_agent::turn::{Done, Item, Reply, Slot, SlotState, TOOL_CALLS_PER_REPLY_MAX};
use bwana_types::definition::{ChatDef, Work};
use bwana_types::entry::{
    Call, CallErrorClass, CallFailed, CallFinished, CallIntended, CallInterrupted, CallResult,
    CallRetried, CallUncertain, Entry, ModelCall, ModelResult, Purpose, Seq, ToolResult,
};
use bwana_types::message::{Part, Stop, Usage, text_of};
use bwana_types::model::ErrorKind;
use bwana_types::money::MicroUsd;
use bwana_types::status::RunError;
use bwana_types::task::Verdict;

use super::apply::{MESSAGE_OVERHEAD_BYTES, say, settle_slot, slot_at};
use super::place::Place;
use super::state::{CallState, CallStatus, RunState, SummaryState};

pub(super) fn intended(
    state: &mut RunState,
    place: &Place,
    entry: &Entry,
    intended: &CallIntended,
) {
    let prompt_tokens = match &intended.call {
        Call::Model(model) => intended
            .reserve
            .tokens
            .saturating_sub(u64::from(model.max_output_tokens)),
        Call::Tool(_) => 0,
    };
    let call = CallState {
        path: Arc::clone(&entry.path),
        call: intended.call.clone(),
        effect: intended.effect,
        reserve: intended.reserve,
        key: intended.key,
        attempt: 1,
        model_index: 0,
        tries_on_model: 1,
        prompt_tokens,
        status: CallStatus::InFlight,
    };
    state.calls.insert(entry.seq, call);
    place.charge(state, |ledger| {
        ledger.hold(intended.reserve);
        ledger.count(&intended.call);
    });
    let step = place.step_mut(state);
    match &intended.call {
        Call::Model(ModelCall {
            purpose: Purpose::Select,
            ..
        }) => step.selecting.calling = Some(entry.seq),
        Call::Model(ModelCall {
            purpose: Purpose::Summary,
            ..
        }) => step.summary = SummaryState::Calling(entry.seq),
        Call::Model(ModelCall {
            purpose: Purpose::Turn,
            ..
        }) => {
            if let Some(turn) = step.turns.last_mut() {
                turn.calling = Some(entry.seq);
            }
        }
        Call::Tool(tool) => {
            if let Some(slot) = slot_at(state, place, tool.model_call, tool.index) {
                slot.state = SlotState::InFlight { call: entry.seq };
            }
        }
    }
}

pub(super) fn retried(state: &mut RunState, retried: &CallRetried) {
    let Some(call) = state.calls.get_mut(&retried.call) else {
        return;
    };
    call.attempt = retried.attempt;
    call.reserve = retried.reserve;
    call.status = CallStatus::InFlight;
    call.tries_on_model += 1;
    if let Call::Model(model) = &mut call.call
        && (model.provider != retried.provider || model.model != retried.model)
    {
        model.provider.clone_from(&retried.provider);
        model.model.clone_from(&retried.model);
        let agent = state.definition.agents.get(&model.agent);
        let models = agent.map_or(&[][..], |agent| &agent.models);
        let at = models
            .iter()
            .position(|one| one.provider == retried.provider && one.model == retried.model);
        call.model_index = at.unwrap_or(0);
        call.tries_on_model = 1;
    }
    let (path, wanted) = (Arc::clone(&call.path), call.call.clone());
    let Some(place) = Place::find(&state.definition, &path) else {
        return;
    };
    place.charge(state, |ledger| {
        ledger.hold(retried.reserve);
        ledger.count(&wanted);
    });
    if let Call::Tool(tool) = &wanted
        && let Some(slot) = slot_at(state, &place, tool.model_call, tool.index)
    {
        slot.state = SlotState::InFlight { call: retried.call };
    }
}

pub(super) fn finished(state: &mut RunState, seq: Seq, finished: &CallFinished) {
    let Some(call) = state.calls.remove(&finished.call) else {
        return;
    };
    let Some(place) = Place::find(&state.definition, &call.path) else {
        return;
    };
    match (&finished.result, &call.call) {
        (CallResult::Model(result), Call::Model(model)) => {
            settle(state, &place, &call, result.usage, result.cost);
            match model.purpose {
                Purpose::Turn => turn_answered(state, &place, finished.call, seq, result),
                Purpose::Select => selection_answered(state, &place, &text_of(&result.parts)),
                Purpose::Summary => summary_answered(state, &place, finished.call, result),
            }
        }
        (CallResult::Tool(result), Call::Tool(tool)) => {
            settle(state, &place, &call, Usage::default(), Some(MicroUsd::ZERO));
            tool_answered(state, &place, (tool.model_call, tool.index), seq, result);
        }
        (CallResult::Model(_), Call::Tool(_)) | (CallResult::Tool(_), Call::Model(_)) => {}
    }
}

fn settle(
    state: &mut RunState,
    place: &Place,
    call: &CallState,
    usage: Usage,
    cost: Option<MicroUsd>,
) {
    place.charge(state, |ledger| {
        ledger.release(call.reserve);
        ledger.settle(usage, cost);
    });
}

fn turn_answered(state: &mut RunState, place: &Place, call: Seq, seq: Seq, result: &ModelResult) {
    let definition = Arc::clone(&state.definition);
    let calls = result.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call),
        _ => None,
    });
    let slots = calls.take(TOOL_CALLS_PER_REPLY_MAX).map(|call| Slot {
        id: Arc::clone(&call.id),
        tool: Arc::clone(&call.name),
        args: Arc::clone(&call.args),
        effect: definition.tools.get(&*call.name).map(|tool| tool.effect),
        approved: None,
        edited: None,
        state: SlotState::New,
    });
    let reply = Reply {
        call,
        finished: seq,
        slots: slots.collect(),
        parts: result.parts.clone(),
        cut: result.stop == Stop::Length,
    };
    for part in &result.parts {
        match part {
            Part::Text { text } | Part::Reasoning { text, .. } => say(state, place, text),
            Part::ToolCall(call) => say(state, place, &call.args),
            Part::Image { .. } | Part::ToolResult { .. } => {}
        }
    }
    if let Some(turn) = place.step_mut(state).turns.last_mut() {
        turn.calling = None;
        turn.items.push(Item::Reply(reply));
    }
}

fn selection_answered(state: &mut RunState, place: &Place, answer: &str) {
    let definition = Arc::clone(&state.definition);
    let Work::Chat(chat) = &place.def(&definition).work else {
        return;
    };
    let step = place.step_mut(state);
    let choice = chat::read_choice(
        answer,
        &candidates(chat, step.turns.last().map(|turn| &*turn.agent)),
    );
    let selecting = &mut step.selecting;
    selecting.calling = None;
    selecting.attempts += 1;
    match choice {
        Ok(agent) => selecting.chosen = Some(agent),
        Err(feedback) => selecting.feedback.push(feedback.into()),
    }
}

fn candidates<'a>(chat: &'a ChatDef, last: Option<&str>) -> Vec<&'a str> {
    chat::candidates(chat, last)
}

fn summary_answered(state: &mut RunState, place: &Place, call: Seq, result: &ModelResult) {
    place.step_mut(state).summary = SummaryState::Answered {
        call,
        text: text_of(&result.parts),
    };
}

fn tool_answered(
    state: &mut RunState,
    place: &Place,
    at: (Seq, u32),
    seq: Seq,
    result: &ToolResult,
) {
    if let Some(source) = &result.source {
        state.taint.insert(source.as_str().into());
    }
    state.artifacts.extend(result.artifacts.iter().cloned());
    if let Some(slot) = slot_at(state, place, at.0, at.1) {
        let content = Arc::clone(&result.content);
        slot.state = SlotState::Done(Done {
            seq,
            content,
            is_error: result.is_error,
        });
    }
    settle_slot(state, place, at.0, at.1);
}

pub(super) fn failed(state: &mut RunState, seq: Seq, failed: &CallFailed) {
    let Some(call) = state.calls.get_mut(&failed.call) else {
        return;
    };
    let path = Arc::clone(&call.path);
    let reserve = std::mem::take(&mut call.reserve);
    let wanted = call.call.clone();
    call.status = match failed.retry_at {
        Some(at) => CallStatus::RetryAt {
            at,
            next_model: failed.next_model,
        },
        None => CallStatus::Stalled {
            error: RunError {
                kind: match failed.error.class {
                    CallErrorClass::Model(kind) => Some(kind),
                    CallErrorClass::Tool
                    | CallErrorClass::ToolTimeout
                    | CallErrorClass::Cancelled => None,
                },
                message: failed.error.message.clone(),
                path: path.to_string(),
            },
            network: matches!(
                failed.error.class,
                CallErrorClass::Model(
                    ErrorKind::Unreachable | ErrorKind::Timeout(_) | ErrorKind::Interrupted
                )
            ),
        },
    };
    let Some(place) = Place::find(&state.definition, &path) else {
        return;
    };
    place.charge(state, |ledger| {
        ledger.release(reserve);
        ledger.settle(failed.usage, failed.cost);
    });
    if failed.retry_at.is_some() {
        return;
    }
    match wanted {
        Call::Tool(tool) => {
            state.calls.remove(&failed.call);
            if let Some(slot) = slot_at(state, &place, tool.model_call, tool.index) {
                let content = format!("The tool failed: {}", failed.error.message);
                slot.state = SlotState::Done(Done {
                    seq,
                    content: content.into(),
                    is_error: true,
                });
            }
            settle_slot(state, &place, tool.model_call, tool.index);
        }
        Call::Model(ModelCall {
            purpose: Purpose::Select,
            ..
        }) => {
            // A choice is never worth stopping for: after its attempts the next eligible agent speaks.
            state.calls.remove(&failed.call);
            let selecting = &mut place.step_mut(state).selecting;
            selecting.calling = None;
            selecting.attempts += 1;
        }
        Call::Model(_) if failed.error.class == CallErrorClass::Cancelled => {
            state.calls.remove(&failed.call);
        }
        Call::Model(_) => {}
    }
}

pub(super) fn interrupted(state: &mut RunState, interrupted: &CallInterrupted) {
    let Some(call) = state.calls.get_mut(&interrupted.call) else {
        return;
    };
    call.status = CallStatus::Lost;
    let reserve = std::mem::take(&mut call.reserve);
    let path = Arc::clone(&call.path);
    if let Some(place) = Place::find(&state.definition, &path) {
        place.charge(state, |ledger| {
            ledger.release(reserve);
            ledger.settle(interrupted.usage, interrupted.cost);
        });
    }
}

pub(super) fn uncertain(state: &mut RunState, uncertain: &CallUncertain) {
    let Some(call) = state.calls.get_mut(&uncertain.call) else {
        return;
    };
    call.status = CallStatus::Uncertain;
    let reserve = std::mem::take(&mut call.reserve);
    let (path, wanted) = (Arc::clone(&call.path), call.call.clone());
    let Some(place) = Place::find(&state.definition, &path) else {
        return;
    };
    place.charge(state, |ledger| ledger.release(reserve));
    if let Call::Tool(tool) = wanted
        && let Some(slot) = slot_at(state, &place, tool.model_call, tool.index)
    {
        slot.state = SlotState::Uncertain {
            call: uncertain.call,
            why: uncertain.why.as_str().into(),
            task: None,
        };
    }
}

/// A person settled what happened to an uncertain effect.
pub(super) fn resolved(
    state: &mut RunState,
    place: &Place,
    call: Seq,
    tool_call: Option<(Seq, u32)>,
    verdict: &Verdict,
    seq: Seq,
) {
    let Some((model_call, index)) = tool_call else {
        return;
    };
    if matches!(verdict, Verdict::SendAgain) {
        let now = state.now;
        if let Some(open) = state.calls.get_mut(&call) {
            open.status = CallStatus::RetryAt {
                at: now,
                next_model: false,
            };
        }
        if let Some(slot) = slot_at(state, place, model_call, index) {
            slot.state = SlotState::InFlight { call };
        }
        return;
    }
    state.calls.remove(&call);
    let (content, is_error) = match verdict {
        Verdict::HappenedAlready { note } if note.is_empty() => (
            String::from("Done: the person in charge confirms that it happened."),
            false,
        ),
        Verdict::HappenedAlready { note } => (
            format!("Done: the person in charge confirms that it happened: {note}"),
            false,
        ),
        _ => (
            String::from("Not done: the person in charge decided to leave it."),
            true,
        ),
    };
    if let Some(slot) = slot_at(state, place, model_call, index) {
        slot.state = SlotState::Done(Done {
            seq,
            content: content.into(),
            is_error,
        });
    }
    settle_slot(state, place, model_call, index);
}

/// Bytes of everything said so far in a step, for the size of the next prompt.
pub(super) fn conversation_bytes(state: &RunState, place: &Place) -> u64 {
    let step = place.step(state);
    step.bytes + step.turns.len() as u64 * MESSAGE_OVERHEAD_BYTES
}
