//! What a person says to a run at work: who is there to hear it, when its time has come, and how it enters a
//! conversation, exactly once.
//!
//! Words wait in the state's queue until a `message_posted` names them. That entry is written only where a model call
//! follows in the same conversation, so words are never taken out of the queue for nobody.

use std::sync::Arc;

use bwana_agent::turn::{Item, Turn, Words};
use bwana_types::definition::Work;
use bwana_types::entry::{
    Body, CallIntended, ChosenBy, Draft, Edit, Edited, MessagePosted, PersonSaid, SAID_MAX_BYTES,
    Seq, Speaker, SpeakerChosen, When,
};
use bwana_types::workflow::Join;

use super::place::Place;
use super::state::{Phase, Queued, RunState, StepState};

/// Words that may wait at a time. More than a person types while one model call runs.
pub const QUEUED_MAX: usize = 64;

/// What stands before a person's words in a transcript, so that a model can tell them from another agent's.
pub(super) const PERSON: &str = "The person says: ";

/// The entry for words said now; `None` if they are empty or too long, too many wait already, or nobody will hear them.
pub(super) fn say(state: &RunState, text: &str, when: When, by: String) -> Option<Draft> {
    let fits = !text.trim().is_empty() && text.len() <= SAID_MAX_BYTES;
    let taken = fits && state.queued.len() < QUEUED_MAX && hears(state);
    taken.then(|| {
        let text = text.into();
        Draft::new("", PersonSaid { text, when, by })
    })
}

/// Whether somebody will still speak in this run if nothing goes wrong.
pub fn hears(state: &RunState) -> bool {
    matches!(state.phase, Phase::Running | Phase::Paused(_))
        && state.denied.is_none()
        && state.steps.iter().any(has_open_speaker)
}

fn has_open_speaker(step: &StepState) -> bool {
    !step.is_finished() && (step.children.is_empty() || step.children.iter().any(has_open_speaker))
}

pub(super) fn said(state: &mut RunState, said: &PersonSaid, seq: Seq) {
    state.queued.push(Queued {
        seq,
        text: Arc::clone(&said.text),
        when: said.when,
        due: said.when == When::Now,
    });
}

/// A top-level step begins: what was said for the next step is due.
pub(super) fn step_begins(state: &mut RunState) {
    for words in &mut state.queued {
        words.due |= words.when == When::AfterStep;
    }
}

/// The run would end: everything unheard is due.
pub(super) fn last_turn_begins(state: &mut RunState) {
    state.queued.iter_mut().for_each(|words| words.due = true);
}

/// If `call` is the intent of a model call at `place` and words are due: the entry by which they enter its conversation
/// first.
pub(super) fn first_heard(state: &RunState, place: &Place, call: Draft) -> Draft {
    let intends = matches!(call.body, Body::CallIntended(CallIntended { .. }));
    match state.queued.iter().find(|words| words.due) {
        Some(words) if intends => Draft::new(
            place.path(&state.definition),
            MessagePosted {
                from: Speaker::Person,
                call: None,
                text: None,
                said: Some(words.seq),
            },
        ),
        _ => call,
    }
}

/// Words enter the conversation of the step at `place`: into its latest turn, or before the first one.
pub(super) fn heard(state: &mut RunState, place: &Place, seq: Seq) {
    let Some(at) = state.queued.iter().position(|words| words.seq == seq) else {
        return;
    };
    let text = state.queued.remove(at).text;
    super::apply::say(state, place, &text);
    let words = Words { seq, text };
    let step = place.step_mut(state);
    match step.turns.last_mut() {
        Some(turn) => turn.items.push(Item::Person(words)),
        None => step.opening_words.push(words),
    }
}

/// One more turn for the last speaker of the run, if its step is about to end the run and somebody is still unheard.
pub(super) fn one_more_turn(state: &RunState, place: &Place) -> Option<SpeakerChosen> {
    let answers = state.queued.first()?.seq;
    let last = place.step(state).turns.last()?;
    ends_the_run(state, place).then(|| SpeakerChosen {
        agent: last.agent.to_string(),
        by: ChosenBy::Assigned,
        answers: Some(answers),
    })
}

/// Whether nobody speaks any more once the step at `place` has its result.
fn ends_the_run(state: &RunState, place: &Place) -> bool {
    place.top_step() + 1 == state.steps.len()
        && place.around().all(|(around, at)| {
            let joins = match &around.def(&state.definition).work {
                Work::Parallel(parallel) => parallel.join,
                Work::Speak { .. } | Work::Chat(_) | Work::Pinned { .. } => return true,
            };
            let mut siblings = around.step(state).children.iter().enumerate();
            joins == Join::Any || siblings.all(|(other, step)| other == at || step.is_finished())
        })
}

/// Whether the run's last turn was given in this step, so that a race it is in is decided.
pub(super) fn has_last_word(step: &StepState) -> bool {
    step.last_word || step.children.iter().any(has_last_word)
}

/// Every word of the person in a step, in order.
pub(super) fn in_step(step: &StepState) -> impl Iterator<Item = &Words> {
    step.opening_words
        .iter()
        .chain(step.turns.iter().flat_map(in_turn))
}

pub(super) fn in_turn(turn: &Turn) -> impl Iterator<Item = &Words> {
    turn.items.iter().filter_map(|item| match item {
        Item::Person(words) => Some(words),
        Item::Reply(_) | Item::Note(_) => None,
    })
}

/// Bytes saved when everything the person said in a step is cut to `max` bytes.
pub(super) fn saved_by_cutting(step: &StepState, max: u32) -> u64 {
    in_step(step)
        .map(|words| (words.text.len() as u64).saturating_sub(u64::from(max)))
        .sum()
}

/// In a fork, a person changed what was said.
pub(super) fn edit(queued: &mut [Queued], edited: &Edited) {
    if let Edit::Text(text) = &edited.edit {
        let same = queued
            .iter_mut()
            .filter(|words| words.seq == edited.replace);
        same.for_each(|words| words.text = Arc::clone(text));
    }
}

pub(super) fn edit_words(words: &mut Words, edited: &Edited) {
    if let Edit::Text(text) = &edited.edit
        && words.seq == edited.replace
    {
        words.text = Arc::clone(text);
    }
}
