//! A run as it was at one of its entries, and as it is now: the journal folded up to there and no further. Nothing is called.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bwana_engine::{RunView, fold_first, fold_on, view_of};
use bwana_types::entry::{Body, CallResult, Entry, Seq, Speaker};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::RunId;
use bwana_types::message::Part;
use bwana_workflow::machine::RunState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::shape::Time;
use crate::view::{RunShown, StepShown};

/// Messages before that moment that are told.
const MESSAGES: usize = 20;
/// Characters of a text that is shown among others.
const TEXT_MAX_CHARS: usize = 2_000;
/// Entries among which those messages are looked for.
const ENTRIES_BEFORE: u64 = 400;
/// Entries between two states that are kept.
const MARK_EVERY: usize = 2_048;
/// States that are kept; behind the last one a look folds on from there.
const MARKS_MAX: usize = 64;
/// Long runs whose last state is kept, so that a look at one that grows folds what is new alone.
const HEADS_MAX: usize = 4;
/// Shorter ones are folded anew each time, which is as quick.
const HEAD_KEPT_FROM: Seq = 1_000;
/// How a person is called.
const PERSON: &str = "person";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtRequest {
    /// An id, or its last characters.
    pub run: String,
    /// The last entry that counts; more than there are: all.
    pub seq: Seq,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// The last entry that counts here.
    pub seq: Seq,
    /// When it was written.
    pub at: Time,
    /// The last entry there is.
    pub head: Seq,
    /// The run as it was; what does not stand in the journal, like its folder, is of now.
    pub run: RunShown,
    /// What steps had given by then, in their order.
    pub results: Vec<StepText>,
    /// The last messages by then, the newest last.
    pub messages: Vec<Message>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepText {
    /// The step's path.
    pub step: String,
    pub text: String,
    /// There is more of it.
    pub cut: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    pub seq: Seq,
    /// The id of an agent, or `person`.
    pub who: String,
    pub text: String,
    pub cut: bool,
}

/// States of the run that was looked at last, so that the next look need not begin at its beginning.
#[derive(Debug, Default)]
pub(crate) struct Moments(Mutex<Option<Marks>>);

#[derive(Debug)]
struct Marks {
    run: RunId,
    epoch: String,
    /// In the order of their heads.
    states: Vec<RunState>,
}

pub(crate) async fn at(app: &App, _ctx: Ctx, request: AtRequest) -> Result<Moment, ApiError> {
    let run = app.find_run(&request.run)?;
    if request.seq == 0 {
        let error = ApiError::new(
            ErrorCode::UsageInvalid,
            "before the first entry there is no run",
        );
        return Err(error.with_hint("Entries are counted from 1."));
    }
    let head = app.store()?.run(run)?.head_seq;
    let head = head.min(app.told(run).unwrap_or(Seq::MAX));
    let seq = request.seq.min(head);
    let shared = app.clone();
    // Reading a long journal takes its time; other commands go on meanwhile.
    let folding = tokio::task::spawn_blocking(move || folded(&shared, run, seq));
    let (state, entries) = folding
        .await
        .map_err(|_| ApiError::new(ErrorCode::Internal, "a journal could not be folded"))??;
    let shown = RunShown::of(app, view_of(&state))?;
    let mut results = Vec::new();
    collect(&shown.steps, &mut results);
    Ok(Moment {
        seq: state.head,
        at: Time(state.now),
        head,
        results,
        messages: messages(&entries),
        run: shown,
    })
}

/// The run at `seq`, and the entries just before.
fn folded(app: &App, run: RunId, seq: Seq) -> Result<(RunState, Vec<Entry>), ApiError> {
    let store = app.store()?;
    let epoch = store.cursor()?.epoch;
    let mut kept = app
        .moments()
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let is_of = |marks: &Marks| marks.run == run && marks.epoch == epoch;
    if !kept.as_ref().is_some_and(is_of) {
        *kept = Some(Marks {
            run,
            epoch,
            states: vec![fold_first(store, run)?],
        });
    }
    let marks = kept
        .as_mut()
        .ok_or_else(|| ApiError::new(ErrorCode::Internal, "there is no state to begin with"))?;
    let nearest = marks.states.partition_point(|state| state.head <= seq);
    let mut state = marks.states[nearest.saturating_sub(1)].clone();
    while state.head < seq {
        let rest = usize::try_from(seq - state.head).unwrap_or(usize::MAX);
        let entries = store.entries(run, state.head + 1, rest.min(MARK_EVERY))?;
        if entries.is_empty() {
            break;
        }
        fold_on(&mut state, &entries)?;
        let is_new = marks
            .states
            .last()
            .is_some_and(|last| last.head < state.head);
        if entries.len() == MARK_EVERY && is_new && marks.states.len() < MARKS_MAX {
            marks.states.push(state.clone());
        }
    }
    drop(kept);
    let from = seq.saturating_sub(ENTRIES_BEFORE).max(1);
    let count = usize::try_from(seq + 1 - from).unwrap_or(usize::MAX);
    Ok((state, store.entries(run, from, count)?))
}

/// The last states of long runs that were looked at, with the epoch of their database; the latest last.
#[derive(Debug, Default)]
pub(crate) struct Heads(Mutex<Vec<(String, RunState)>>);

/// A run as it is now.
pub(crate) fn view_now(app: &App, run: RunId) -> Result<RunView, ApiError> {
    let store = app.store()?;
    let epoch = store.cursor()?.epoch;
    let heads = || app.heads().0.lock().unwrap_or_else(PoisonError::into_inner);
    // Taken out while it grows: whoever looks meanwhile begins at the beginning.
    let known = {
        let mut heads = heads();
        let place = heads
            .iter()
            .position(|(of, state)| *of == epoch && state.run == run);
        place.map(|place| heads.remove(place).1)
    };
    let mut state = match known {
        Some(state) => state,
        None => fold_first(store, run)?,
    };
    loop {
        let entries = store.entries(run, state.head + 1, MARK_EVERY)?;
        fold_on(&mut state, &entries)?;
        if entries.len() < MARK_EVERY {
            break;
        }
    }
    let view = view_of(&state);
    if state.head >= HEAD_KEPT_FROM {
        let mut heads = heads();
        heads.retain(|(_, kept)| kept.run != run);
        heads.push((epoch, state));
        let over = heads.len().saturating_sub(HEADS_MAX);
        heads.drain(..over);
    }
    Ok(view)
}

fn collect(steps: &[StepShown], into: &mut Vec<StepText>) {
    for step in steps {
        collect(&step.branches, into);
        if let Some(result) = step.result.as_ref().filter(|_| step.branches.is_empty()) {
            let (text, cut) = cut(result);
            into.push(StepText {
                step: step.path.clone(),
                text,
                cut,
            });
        }
    }
}

/// The last messages of a journal, the newest last.
fn messages(entries: &[Entry]) -> Vec<Message> {
    let mut wanted = HashMap::new();
    let mut found = Vec::new();
    for entry in entries.iter().rev() {
        match &entry.body {
            Body::MessagePosted(posted) if found.len() < MESSAGES => {
                let who = match &posted.from {
                    Speaker::Agent(agent) => agent.clone(),
                    Speaker::Person => String::from(PERSON),
                    Speaker::Engine => continue,
                };
                let at = found.len();
                if let Some(answer) = posted.call.or(posted.said) {
                    wanted.insert(answer, at);
                }
                let (text, cut) = cut(posted.text.as_deref().unwrap_or_default());
                found.push(Message {
                    seq: entry.seq,
                    who,
                    text,
                    cut,
                });
            }
            Body::CallFinished(finished) => {
                if let CallResult::Model(result) = &finished.result
                    && let Some(at) = wanted.remove(&finished.call)
                {
                    (found[at].text, found[at].cut) = cut(&said(&result.parts));
                }
            }
            Body::PersonSaid(said) => {
                if let Some(at) = wanted.remove(&entry.seq) {
                    (found[at].text, found[at].cut) = cut(&said.text);
                }
            }
            _ => {}
        }
        if found.len() == MESSAGES && wanted.is_empty() {
            break;
        }
    }
    found.reverse();
    found
}

/// What a model's answer says in words.
pub(crate) fn said(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text } => Some(&**text),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn cut(text: &str) -> (String, bool) {
    match text.char_indices().nth(TEXT_MAX_CHARS) {
        Some((end, _)) => (text[..end].to_owned(), true),
        None => (text.to_owned(), false),
    }
}
