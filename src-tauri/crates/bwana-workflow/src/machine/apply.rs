//! One journal entry changes the state. Never fails, never decides, the same live and in a replay.
//!
//! An entry that does not fit (a damaged or foreign journal) changes nothing but the head: `verify` reports it, and
//! `decide` writes no such entry.

use std::sync::Arc;

use bwana_agent::turn::{Done, Item, Reply, Said, SlotState, Turn};
use bwana_agent::{chat::Selecting, progress};
use bwana_types::definition::Work;
use bwana_types::effect::EffectClass;
use bwana_types::entry::{
    ArtifactWritten, Assessment, Body, BudgetRaised, Edit, Edited, Entry, MessagePosted,
    NoProgressNoticed, RunForked, Seq, SpeakerChosen, StepFinished, TaskDecided, TaskOpened,
    ToolAssessed,
};
use bwana_types::hash::Hash;
use bwana_types::message::Part;
use bwana_types::status::StopReason;
use bwana_types::task::{Ask, DecidedBy, Verdict};

use super::place::Place;
use super::prompt::Prompt;
use super::state::{
    CallStatus, OpenTask, Phase, RunState, StepPhase, StepState, SummaryState, merge_limits,
};
use super::{apply_calls, words};

/// Changes `state` by one entry.
pub fn apply(state: &mut RunState, entry: &Entry) {
    let stood_still = matches!(state.phase, Phase::Paused(_)) || state.waits_for_person();
    if stood_still || matches!(entry.body, Body::CallInterrupted(_)) {
        state.idle_ms = state.idle_ms.saturating_add(entry.at.ms_since(state.now));
    }
    state.head = entry.seq;
    state.now = state.now.max(entry.at);
    let place = Place::find(&state.definition, &entry.path);
    match &entry.body {
        Body::RunCreated(_) => {}
        Body::RunForked(forked) => run_forked(state, forked),
        Body::StepStarted(_) => with(state, place, step_started),
        Body::StepFinished(finished) => {
            with(state, place, |state, place| {
                step_finished(state, place, finished)
            });
            forget_waiting_calls(state, &entry.path);
        }
        Body::SpeakerChosen(chosen) => with(state, place, |state, place| {
            speaker_chosen(state, place, chosen)
        }),
        Body::MessagePosted(posted) => {
            with(state, place, |state, place| {
                message_posted(state, place, posted, entry.seq)
            });
        }
        Body::NoProgressNoticed(noticed) => {
            with(state, place, |state, place| {
                no_progress_noticed(state, place, noticed)
            });
        }
        Body::CallIntended(intended) => {
            with(state, place, |state, place| {
                apply_calls::intended(state, place, entry, intended)
            });
        }
        Body::CallRetried(retried) => apply_calls::retried(state, retried),
        Body::CallFinished(finished) => apply_calls::finished(state, entry.seq, finished),
        Body::CallFailed(failed) => apply_calls::failed(state, entry.seq, failed),
        Body::CallInterrupted(interrupted) => apply_calls::interrupted(state, interrupted),
        Body::CallUncertain(uncertain) => apply_calls::uncertain(state, uncertain),
        Body::ToolAssessed(assessed) => with(state, place, |state, place| {
            tool_assessed(state, place, assessed, entry.seq);
        }),
        Body::TaskOpened(opened) => task_opened(state, place, entry, opened),
        Body::TaskDecided(decided) => task_decided(state, decided, entry.seq),
        Body::BudgetExhausted(exhausted) => state.exhausted = Some(exhausted.clone()),
        Body::BudgetRaised(raised) => budget_raised(state, place, raised),
        Body::ArtifactWritten(written) => artifact_written(state, written),
        Body::Edited(edited) => edit(state, edited),
        Body::RunPaused(paused) => {
            state.phase = Phase::Paused(paused.reason.clone());
            state.exhausted = None;
        }
        Body::RunResumed(_) => run_resumed(state),
        Body::PersonSaid(said) => words::said(state, said, entry.seq),
        Body::RunStopping(stopping) => {
            if matches!(state.phase, Phase::Running | Phase::Paused(_)) {
                state.phase = Phase::Stopping(stopping.reason.clone());
            }
        }
        Body::RunEnded(ended) => state.phase = Phase::Ended(ended.reason.clone()),
        Body::Unknown { kind, .. } => state.unknown = Some((entry.seq, kind.clone())),
    }
}

fn with(state: &mut RunState, place: Option<Place>, change: impl FnOnce(&mut RunState, &Place)) {
    if let Some(place) = place {
        change(state, &place);
    }
}

fn step_started(state: &mut RunState, place: &Place) {
    let now = state.now;
    let step = place.step_mut(state);
    step.phase = StepPhase::Running;
    step.started_at = Some(now);
    if place.is_top() {
        words::step_begins(state);
    }
}

fn step_finished(state: &mut RunState, place: &Place, finished: &StepFinished) {
    let now = state.now;
    let step = place.step_mut(state);
    step.phase = StepPhase::Finished(finished.outcome.clone());
    step.finished_at = Some(now);
    step.prompts.clear();
}

/// Calls of a finished step that wait for another attempt are over. They hold nothing back: a failure releases that.
fn forget_waiting_calls(state: &mut RunState, path: &str) {
    let inside = |call: &str| {
        call.strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    state.calls.retain(|_, call| match call.status {
        CallStatus::RetryAt { .. } | CallStatus::Stalled { .. } | CallStatus::Lost => {
            !inside(&call.path)
        }
        CallStatus::InFlight | CallStatus::Uncertain => true,
    });
}

fn speaker_chosen(state: &mut RunState, place: &Place, chosen: &SpeakerChosen) {
    let agent: Arc<str> = chosen.agent.as_str().into();
    if !place.step(state).prompts.contains_key(&agent) {
        let prompt = Arc::new(Prompt::of(state, place, &agent));
        place
            .step_mut(state)
            .prompts
            .insert(Arc::clone(&agent), prompt);
    }
    place.charge(state, |ledger| ledger.turns += 1);
    if chosen.answers.is_some() {
        words::last_turn_begins(state);
    }
    let step = place.step_mut(state);
    if chosen.answers.is_some() {
        step.last_word = true;
        // What was summed up so far is not all any more.
        step.summary = SummaryState::None;
    }
    let round = u32::try_from(step.turns.len()).map_or(u32::MAX, |turns| turns + 1);
    step.turns.push(Turn::new(agent, round));
    step.selecting = Selecting::default();
}

fn message_posted(state: &mut RunState, place: &Place, posted: &MessagePosted, seq: Seq) {
    if let Some(said) = posted.said {
        words::heard(state, place, said);
        return;
    }
    let text = posted.text.clone();
    let definition = Arc::clone(&state.definition);
    if let (Work::Pinned { .. }, Some(text)) = (&place.def(&definition).work, &text) {
        say(state, place, text);
        let text = Arc::clone(text);
        place.step_mut(state).summary = SummaryState::Posted(Said { seq, text });
        return;
    }
    let step = place.step_mut(state);
    if let (SummaryState::Answered { call, text }, Some(posted_call)) = (&step.summary, posted.call)
        && *call == posted_call
    {
        step.summary = SummaryState::Posted(Said {
            seq,
            text: Arc::clone(text),
        });
        return;
    }
    let Some(turn) = step.turns.last_mut() else {
        return;
    };
    let Some(call) = posted.call else {
        if let Some(text) = text {
            say(state, place, &text);
            if let Some(turn) = place.step_mut(state).turns.last_mut() {
                turn.items.push(Item::Note(text));
            }
        }
        return;
    };
    let Some(text) = turn.reply_mut(call).map(|reply| reply.text()) else {
        return;
    };
    let fingerprint = Hash::of_parts([turn.agent.as_bytes(), text.trim().as_bytes()]);
    let agent = Arc::clone(&turn.agent);
    turn.said = Some(Said { seq, text });
    step.progress
        .observe(fingerprint, || format!("{agent} said the same"));
}

/// Something was said in a step: the size and the hash of its conversation grow.
pub(super) fn say(state: &mut RunState, place: &Place, text: &str) {
    state.digest = Hash::of_parts([state.digest.0.as_slice(), text.as_bytes()]);
    place.step_mut(state).bytes += text.len() as u64 + MESSAGE_OVERHEAD_BYTES;
}

/// Bytes a message costs beyond its text, in an estimate.
pub(super) const MESSAGE_OVERHEAD_BYTES: u64 = 24;

fn no_progress_noticed(state: &mut RunState, place: &Place, noticed: &NoProgressNoticed) {
    let note: Arc<str> = progress::note(noticed.stage, &noticed.what).into();
    say(state, place, &note);
    let step = place.step_mut(state);
    step.progress.notice(noticed.stage);
    if let Some(turn) = step.turns.last_mut() {
        turn.items.push(Item::Note(note));
    }
}

fn tool_assessed(state: &mut RunState, place: &Place, assessed: &ToolAssessed, seq: Seq) {
    let Some(slot) = slot_at(state, place, assessed.model_call, assessed.index) else {
        return;
    };
    slot.state = match &assessed.verdict {
        Assessment::Allow { .. } => SlotState::Allowed,
        Assessment::Ask { ask } => SlotState::Ask(ask.clone()),
        Assessment::Refuse { message, .. } => SlotState::Done(Done {
            seq,
            content: message.as_str().into(),
            is_error: true,
        }),
    };
    settle_slot(state, place, assessed.model_call, assessed.index);
}

/// What follows from a slot that may just have been settled: the conversation grows, repetition is noticed.
pub(super) fn settle_slot(state: &mut RunState, place: &Place, model_call: Seq, index: u32) {
    let step = place.step_mut(state);
    let Some(turn) = step.turns.last_mut() else {
        return;
    };
    let agent = Arc::clone(&turn.agent);
    let Some(slot) = turn.slot_mut(model_call, index as usize) else {
        return;
    };
    let (Some(fingerprint), SlotState::Done(done)) = (slot.fingerprint(&agent), &slot.state) else {
        return;
    };
    let (tool, content) = (Arc::clone(&slot.tool), Arc::clone(&done.content));
    step.progress.observe(fingerprint, || {
        format!("{agent} used {tool} with the same result")
    });
    say(state, place, &content);
}

pub(super) fn slot_at<'a>(
    state: &'a mut RunState,
    place: &Place,
    model_call: Seq,
    index: u32,
) -> Option<&'a mut bwana_agent::turn::Slot> {
    place
        .step_mut(state)
        .turns
        .last_mut()?
        .slot_mut(model_call, index as usize)
}

fn task_opened(state: &mut RunState, place: Option<Place>, entry: &Entry, opened: &TaskOpened) {
    let task = OpenTask {
        path: Arc::clone(&entry.path),
        ask: opened.ask.clone(),
        call: opened.call,
        tool_call: opened.tool_call,
        opened_at: entry.at,
    };
    state.tasks.insert(entry.seq, task);
    let Some(place) = place else { return };
    match (&opened.ask, opened.tool_call) {
        (Ask::Plan { .. }, _) => {
            place.step_mut(state).phase = StepPhase::PlanAsked { task: entry.seq }
        }
        (Ask::Approve { .. } | Ask::Answer { .. }, Some((model_call, index))) => {
            if let Some(slot) = slot_at(state, &place, model_call, index) {
                slot.state = SlotState::Asked { task: entry.seq };
            }
        }
        (Ask::Uncertain { .. }, Some((model_call, index))) => {
            if let Some(slot) = slot_at(state, &place, model_call, index)
                && let SlotState::Uncertain { task, .. } = &mut slot.state
            {
                *task = Some(entry.seq);
            }
        }
        _ => {}
    }
}

fn task_decided(state: &mut RunState, decided: &TaskDecided, seq: Seq) {
    let Some(task) = state.tasks.remove(&decided.task) else {
        return;
    };
    if decided.by == DecidedBy::RunEnded {
        return;
    }
    let place = Place::find(&state.definition, &task.path);
    match (&task.ask, &decided.verdict) {
        (Ask::Price { provider, .. }, Verdict::Approve) => {
            state.prices_accepted.insert(provider.clone());
        }
        (Ask::Price { provider, .. }, _) => {
            state.denied = Some(format!(
                "{provider} has no known price and was not allowed to work"
            ));
        }
        (Ask::Plan { step, .. }, verdict) => {
            let Some(place) = place else { return };
            if matches!(verdict, Verdict::Approve) {
                place.step_mut(state).phase = StepPhase::PlanApproved;
            } else {
                state.denied = Some(format!("the plan of step '{step}' was not approved"));
            }
        }
        (Ask::Approve { .. } | Ask::Answer { .. }, verdict) => {
            let (Some(place), Some((model_call, index))) = (place, task.tool_call) else {
                return;
            };
            if let Some(slot) = slot_at(state, &place, model_call, index) {
                slot.state = match (&task.ask, verdict) {
                    (Ask::Answer { .. }, Verdict::Deny { reason }) => {
                        unanswered(reason, decided.by, seq)
                    }
                    _ => after_decision(verdict, seq),
                };
                if let Ask::Approve { args_hash, .. } = &task.ask {
                    slot.approved = Some(args_hash.as_str().into());
                }
                if let Some(edit) = &decided.edit {
                    let args = edit.args.as_str().into();
                    slot.approved = Some(edit.args_hash.as_str().into());
                    slot.edited = Some(std::mem::replace(&mut slot.args, args));
                }
            }
            if let Some(edit) = &decided.edit {
                // The model is told of them with the result.
                say(state, &place, &edit.args);
            }
            settle_slot(state, &place, model_call, index);
        }
        (Ask::Uncertain { .. }, verdict) => {
            if let (Some(place), Some(call)) = (place, task.call) {
                apply_calls::resolved(state, &place, call, task.tool_call, verdict, seq);
            }
        }
    }
}

/// A question without an answer. That is a result like any other: the agent goes on without it.
fn unanswered(reason: &str, by: DecidedBy, seq: Seq) -> SlotState {
    let what = match (by, reason) {
        (DecidedBy::Unattended, _) => String::from("Nobody was there to answer."),
        (_, "") => String::from("The person did not want to answer."),
        (_, reason) => format!("The person did not want to answer: {reason}"),
    };
    let content = format!("{what}\nGo on with what you know, and say what you assumed.");
    SlotState::Done(Done {
        seq,
        content: content.into(),
        is_error: false,
    })
}

fn after_decision(verdict: &Verdict, seq: Seq) -> SlotState {
    let done = |content: String, is_error| {
        SlotState::Done(Done {
            seq,
            content: content.into(),
            is_error,
        })
    };
    match verdict {
        Verdict::Approve | Verdict::SendAgain => SlotState::Allowed,
        Verdict::Answer { text } => done(text.clone(), false),
        Verdict::Deny { reason } if reason.is_empty() => done(
            String::from("Not allowed by the person in charge. Go on without it."),
            true,
        ),
        Verdict::Deny { reason } => done(
            format!("Not allowed by the person in charge: {reason}"),
            true,
        ),
        Verdict::HappenedAlready { .. } => done(
            String::from("Done, as the person in charge confirms."),
            false,
        ),
        Verdict::GiveUp => done(String::from("Not done."), true),
    }
}

fn artifact_written(state: &mut RunState, written: &ArtifactWritten) {
    state.artifacts.push(written.artifact.clone());
    state.result_file = Some(written.artifact.clone());
}

fn budget_raised(state: &mut RunState, place: Option<Place>, raised: &BudgetRaised) {
    match place {
        Some(place) => {
            let step = place.step_mut(state);
            step.limits = merge_limits(step.limits, raised.limits);
        }
        None => state.limits = merge_limits(state.limits, raised.limits),
    }
}

fn run_resumed(state: &mut RunState) {
    if !matches!(state.phase, Phase::Paused(_)) {
        return;
    }
    state.phase = Phase::Running;
    state.exhausted = None;
    let now = state.now;
    for call in state.calls.values_mut() {
        if matches!(call.status, CallStatus::Stalled { .. }) {
            call.status = CallStatus::RetryAt {
                at: now,
                next_model: false,
            };
            call.model_index = 0;
            call.tries_on_model = 0;
        }
    }
}

/// The run goes on under a new id. What was open at the cut may be done again with fresh keys, or is uncertain.
fn run_forked(state: &mut RunState, forked: &RunForked) {
    state.run = forked.run;
    state.phase = Phase::Paused(StopReason::Paused {
        by: String::from("fork"),
    });
    state.tasks.clear();
    state.exhausted = None;
    state.denied = None;
    state.result_file = None;
    let calls = std::mem::take(&mut state.calls);
    for call in calls.values() {
        if let Some(place) = Place::find(&state.definition, &call.path) {
            place.charge(state, |ledger| ledger.release(call.reserve));
        }
    }
    for (seq, call) in calls {
        let repeat = match call.effect {
            EffectClass::Pure | EffectClass::Idempotent | EffectClass::Paid => true,
            EffectClass::Keyed | EffectClass::AtMostOnce => {
                matches!(call.status, CallStatus::Stalled { .. })
            }
        };
        if !repeat {
            state.calls.insert(
                seq,
                super::state::CallState {
                    status: CallStatus::Uncertain,
                    ..call
                },
            );
        }
    }
    let open: Vec<Seq> = state.calls.keys().copied().collect();
    for step in &mut state.steps {
        reopen(step, &open);
    }
}

fn reopen(step: &mut StepState, open: &[Seq]) {
    if matches!(step.phase, StepPhase::PlanAsked { .. }) {
        step.phase = StepPhase::Pending;
    }
    step.selecting.calling = None;
    if matches!(step.summary, SummaryState::Calling(_)) {
        step.summary = SummaryState::None;
    }
    if let Some(turn) = step.turns.last_mut() {
        turn.calling = None;
        for slot in turn.slots_mut() {
            slot.approved = None;
            if !slot.is_done()
                && let Some(args) = slot.edited.take()
            {
                // Asked anew, about what the model asked for.
                slot.args = args;
            }
            slot.state = match std::mem::replace(&mut slot.state, SlotState::New) {
                SlotState::InFlight { call } if open.contains(&call) => SlotState::Uncertain {
                    call,
                    why: "it was under way where this run was forked".into(),
                    task: None,
                },
                SlotState::Uncertain { call, why, .. } => SlotState::Uncertain {
                    call,
                    why,
                    task: None,
                },
                done @ SlotState::Done(_) => done,
                SlotState::New
                | SlotState::Ask(_)
                | SlotState::Asked { .. }
                | SlotState::Allowed
                | SlotState::InFlight { .. } => SlotState::New,
            };
        }
    }
    for child in &mut step.children {
        reopen(child, open);
    }
}

/// A person changed what an earlier entry says. The entry stays; the state goes on from the new words.
fn edit(state: &mut RunState, edited: &Edited) {
    let (Edit::Text(text) | Edit::Result(text) | Edit::Input(text)) = &edited.edit;
    state.digest = Hash::of_parts([state.digest.0.as_slice(), text.as_bytes()]);
    if let Edit::Input(input) = &edited.edit {
        state.input = Arc::clone(input);
        return;
    }
    words::edit(&mut state.queued, edited);
    for step in &mut state.steps {
        edit_step(step, edited);
    }
}

fn edit_step(step: &mut StepState, edited: &Edited) {
    if let (SummaryState::Posted(said), Edit::Text(text)) = (&mut step.summary, &edited.edit)
        && said.seq == edited.replace
    {
        said.text = Arc::clone(text);
    }
    for words in &mut step.opening_words {
        words::edit_words(words, edited);
    }
    for turn in &mut step.turns {
        edit_turn(turn, edited);
    }
    for child in &mut step.children {
        edit_step(child, edited);
    }
}

fn edit_turn(turn: &mut Turn, edited: &Edited) {
    if let (Some(said), Edit::Text(text)) = (&mut turn.said, &edited.edit)
        && said.seq == edited.replace
    {
        said.text = Arc::clone(text);
        if let Some(Item::Reply(reply)) = turn
            .items
            .iter_mut()
            .rev()
            .find(|item| matches!(item, Item::Reply(_)))
        {
            replace_text(reply, text);
        }
        return;
    }
    for item in &mut turn.items {
        if let Item::Person(words) = item {
            words::edit_words(words, edited);
        }
        let Item::Reply(reply) = item else { continue };
        match &edited.edit {
            Edit::Text(text) if reply.finished == edited.replace => replace_text(reply, text),
            Edit::Result(result) => {
                for slot in &mut reply.slots {
                    if let SlotState::Done(done) = &mut slot.state
                        && done.seq == edited.replace
                    {
                        done.content = Arc::clone(result);
                    }
                }
            }
            Edit::Text(_) | Edit::Input(_) => {}
        }
    }
}

/// The text changes, tool calls stay. Reasoning belonged to the old words and goes.
fn replace_text(reply: &mut Reply, text: &Arc<str>) {
    reply.parts.retain(|part| matches!(part, Part::ToolCall(_)));
    reply.parts.insert(
        0,
        Part::Text {
            text: Arc::clone(text),
        },
    );
}
