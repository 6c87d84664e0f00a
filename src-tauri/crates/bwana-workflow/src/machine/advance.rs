//! What comes next, given only the state: one entry at a time, so that a journal cut anywhere is continued by the very
//! code that wrote it.

use std::fmt::Write as _;
use std::sync::Arc;

use bwana_agent::chat::{NextSpeaker, next_speaker};
use bwana_agent::stop::{Facts, holds};
use bwana_agent::turn::{Item, Next, Reply, Slot, Turn};
use bwana_types::definition::{ChatDef, ModelRef, ParallelDef, StepDef, Work};
use bwana_types::effect::EffectClass;
use bwana_types::entry::{
    Call, CallIntended, Draft, MessagePosted, ModelCall, NoProgressNoticed, Purpose, Reserve,
    RunEnded, RunPaused, RunStopping, Seq, Speaker, SpeakerChosen, StepFinished, StepOutcome,
    StepStarted, TaskDecided, TaskOpened, ToolCallRef, Window,
};
use bwana_types::hash::{Hash, approval_hash};
use bwana_types::status::{RunError, StopReason};
use bwana_types::task::{Ask, DecidedBy, TaskKind, Verdict};
use bwana_types::workflow::{Join, Summary};

use super::budget::{Affordable, afford_model, afford_tool, afford_turn};
use super::decide::retry;
use super::place::Place;
use super::state::{CallStatus, OpenTask, Phase, RunState, StepPhase, StepState, SummaryState};
use super::transcript::{fit, output_schema};
use super::words;

/// How often an agent is told that its answer is empty or not in the form asked for.
pub(super) const REPAIRS_MAX: usize = 2;

/// The next entry, or `None` when the run waits for something outside.
pub(super) fn advance(state: &RunState) -> Option<Draft> {
    match &state.phase {
        Phase::Ended(_) | Phase::Paused(_) => None,
        Phase::Stopping(reason) => stopping(state, reason),
        Phase::Running => running(state),
    }
}

/// Nothing new starts. Once nothing is in flight, open questions are closed, except those about what may have happened.
fn stopping(state: &RunState, reason: &StopReason) -> Option<Draft> {
    if state
        .calls
        .values()
        .any(|call| call.status == CallStatus::InFlight)
    {
        return None;
    }
    if let Some(draft) = ask_about_uncertain(state) {
        return Some(draft);
    }
    Some(end(state, reason.clone()))
}

/// The end, once every question that nobody needs an answer to any more is closed.
fn end(state: &RunState, reason: StopReason) -> Draft {
    let moot = state
        .tasks
        .iter()
        .find(|(_, task)| task.ask.kind() != TaskKind::Uncertain);
    match moot {
        Some((seq, task)) => close(*seq, task, "the run has ended"),
        None => Draft::new("", RunEnded { reason }),
    }
}

/// A question nobody needs an answer to any more.
fn close(seq: Seq, task: &OpenTask, why: &str) -> Draft {
    let verdict = Verdict::Deny {
        reason: why.to_owned(),
    };
    Draft::new(
        Arc::clone(&task.path),
        TaskDecided {
            task: seq,
            verdict,
            by: DecidedBy::RunEnded,
            grant: None,
            edit: None,
        },
    )
}

/// A question of a branch that is over. A price concerns all branches, and what may have happened stays a question.
fn moot_task(state: &RunState) -> Option<Draft> {
    let (seq, task) = state.tasks.iter().find(|(_, task)| match task.ask.kind() {
        TaskKind::Approve | TaskKind::Answer | TaskKind::Plan => {
            !Place::find(&state.definition, &task.path).is_some_and(|place| place.is_open(state))
        }
        TaskKind::Price | TaskKind::Uncertain => false,
    })?;
    Some(close(*seq, task, "its branch is over"))
}

fn running(state: &RunState) -> Option<Draft> {
    if let Some(exhausted) = &state.exhausted {
        return Some(Draft::new(
            "",
            RunPaused {
                reason: StopReason::Budget {
                    which: exhausted.limit,
                },
            },
        ));
    }
    if let Some(denied) = &state.denied {
        return Some(Draft::new(
            "",
            RunStopping {
                reason: StopReason::Cancelled { by: denied.clone() },
            },
        ));
    }
    for (seq, call) in &state.calls {
        if !Place::find(&state.definition, &call.path).is_some_and(|place| place.is_open(state)) {
            continue;
        }
        match &call.status {
            CallStatus::Stalled { error, network } => {
                return Some(stalled(state, &call.path, error, *network));
            }
            CallStatus::Lost => {
                if let Some(draft) = retry(state, *seq) {
                    return Some(draft);
                }
            }
            CallStatus::InFlight | CallStatus::RetryAt { .. } | CallStatus::Uncertain => {}
        }
    }
    if let Some(draft) = ask_about_uncertain(state).or_else(|| moot_task(state)) {
        return Some(draft);
    }
    for (at, step) in state.steps.iter().enumerate() {
        match &step.phase {
            StepPhase::Finished(StepOutcome::Failed { error }) => {
                let join = error.path.clone();
                return Some(Draft::new(
                    "",
                    RunStopping {
                        reason: StopReason::Deadlocked { join },
                    },
                ));
            }
            StepPhase::Finished(_) => {}
            _ => return step_next(state, &Place::top(at)),
        }
    }
    // The losers of a race may still be in flight; a run ends when nothing is.
    let in_flight = state
        .calls
        .values()
        .any(|call| call.status == CallStatus::InFlight);
    let saved = state.result_file.is_some();
    (saved && !in_flight).then(|| end(state, StopReason::Completed))
}

/// A call that waiting cannot help. In a race the branch is out; anywhere else the run stands still, resumable.
fn stalled(state: &RunState, path: &Arc<str>, error: &RunError, network: bool) -> Draft {
    if let Some(branch) = racing_branch(state, path) {
        let outcome = StepOutcome::Failed {
            error: error.clone(),
        };
        return Draft::new(branch, StepFinished { outcome });
    }
    let error = error.clone();
    let reason = if network {
        StopReason::WaitingForNetwork { error }
    } else {
        StopReason::Failed { error }
    };
    Draft::new("", RunPaused { reason })
}

/// The innermost unfinished branch of a race (join any) that `path` lies in.
fn racing_branch(state: &RunState, path: &str) -> Option<Arc<str>> {
    let mut branch = None;
    let mut end = 0;
    for segment in path.split('/') {
        let parent = Place::find(&state.definition, &path[..end]);
        end += usize::from(end > 0) + segment.len();
        let Some(parent) = parent else { continue };
        let here = Place::find(&state.definition, &path[..end])?;
        let races =
            matches!(&parent.def(&state.definition).work, Work::Parallel(p) if p.join == Join::Any);
        let step = here.step(state);
        if races && here.round == 0 && !step.is_finished() && !words::has_last_word(step) {
            branch = Some(path[..end].into());
        }
    }
    branch
}

/// Opens the task for an effect that may have happened and has none yet.
fn ask_about_uncertain(state: &RunState) -> Option<Draft> {
    let (seq, call) = state.calls.iter().find(|(seq, call)| {
        call.status == CallStatus::Uncertain
            && !state.tasks.values().any(|task| task.call == Some(**seq))
    })?;
    let Call::Tool(tool) = &call.call else {
        return None;
    };
    let place = Place::find(&state.definition, &call.path)?;
    let turn = place.step(state).turns.last()?;
    let reply = turn.replies().find(|reply| reply.call == tool.model_call)?;
    let slot = reply.slots.get(tool.index as usize)?;
    let why = match &slot.state {
        bwana_agent::turn::SlotState::Uncertain { why, .. } => why.to_string(),
        _ => String::from("its result is unknown"),
    };
    let args = serde_json::from_str(&slot.args).unwrap_or(serde_json::Value::Null);
    let ask = Ask::Uncertain {
        tool: tool.tool.clone(),
        args: slot.args.to_string(),
        args_hash: approval_hash(
            &tool.tool,
            &tool.version,
            &args,
            &state.run.to_string(),
            &call.path,
        ),
        preview: format!("{} may have happened", tool.tool),
        why,
    };
    let opened = TaskOpened {
        ask,
        call: Some(*seq),
        tool_call: Some((tool.model_call, tool.index)),
    };
    Some(Draft::new(Arc::clone(&call.path), opened))
}

fn step_next(state: &RunState, place: &Place) -> Option<Draft> {
    let def = place.def(&state.definition);
    let step = place.step(state);
    let path = || place.path(&state.definition);
    match &step.phase {
        StepPhase::Finished(_) | StepPhase::PlanAsked { .. } => None,
        StepPhase::Pending if def.approve_plan => Some(Draft::new(
            path(),
            TaskOpened {
                ask: plan(state, def),
                call: None,
                tool_call: None,
            },
        )),
        StepPhase::Pending | StepPhase::PlanApproved => Some(Draft::new(path(), StepStarted {})),
        StepPhase::Running => match &def.work {
            Work::Speak { agents } => speak_next(state, place, step, agents),
            Work::Chat(chat) => chat_next(state, place, step, chat),
            Work::Parallel(parallel) => parallel_next(state, place, step, parallel),
            Work::Pinned { text } => Some(pinned_next(state, place, step, text)),
        },
    }
}

fn plan(state: &RunState, def: &StepDef) -> Ask {
    let agents = match &def.work {
        Work::Speak { agents } => agents.clone(),
        Work::Chat(chat) => chat.agents.clone(),
        Work::Parallel(parallel) => parallel
            .steps
            .iter()
            .map(|step| step.name.clone())
            .collect(),
        Work::Pinned { .. } => Vec::new(),
    };
    let own = agents
        .iter()
        .filter_map(|agent| state.definition.agents.get(agent))
        .flat_map(|agent| &agent.tools);
    let tools = own.filter(|tool| {
        def.tools
            .as_ref()
            .is_none_or(|allowed| allowed.contains(tool))
    });
    let tools = tools
        .cloned()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    Ask::Plan {
        step: def.name.clone(),
        agents,
        tools,
    }
}

fn speak_next(
    state: &RunState,
    place: &Place,
    step: &StepState,
    agents: &[String],
) -> Option<Draft> {
    if let Some(turn) = step.open_turn() {
        return turn_next(state, place, step, turn);
    }
    if let Some(draft) = notice_no_progress(state, place, step) {
        return Some(draft);
    }
    if let Some(agent) = agents.get(step.turns.len()) {
        return Some(choose(
            state,
            place,
            step,
            agent,
            bwana_types::entry::ChosenBy::Assigned,
        ));
    }
    if let Some(draft) = last_word(state, place, step) {
        return Some(draft);
    }
    let message = step.turns.last().and_then(|turn| turn.said.as_ref())?.seq;
    Some(finish(
        state,
        place,
        StepOutcome::Message { message, why: None },
    ))
}

/// The given result is said as the person's, and is the step's.
fn pinned_next(state: &RunState, place: &Place, step: &StepState, text: &str) -> Draft {
    match &step.summary {
        SummaryState::Posted(said) => finish(
            state,
            place,
            StepOutcome::Message {
                message: said.seq,
                why: None,
            },
        ),
        _ => Draft::new(
            place.path(&state.definition),
            MessagePosted {
                from: Speaker::Person,
                call: None,
                text: Some(text.into()),
                said: None,
            },
        ),
    }
}

/// One more turn where the run would end although a person said something that nobody has heard.
fn last_word(state: &RunState, place: &Place, step: &StepState) -> Option<Draft> {
    let chosen = words::one_more_turn(state, place)?;
    Some(begin_turn(state, place, step, chosen))
}

fn chat_next(state: &RunState, place: &Place, step: &StepState, chat: &ChatDef) -> Option<Draft> {
    if let Some(turn) = step.open_turn() {
        return turn_next(state, place, step, turn);
    }
    if let Some(draft) = notice_no_progress(state, place, step) {
        return Some(draft);
    }
    match &step.summary {
        SummaryState::None => {}
        SummaryState::Calling(_) => return None,
        SummaryState::Answered { call, .. } => {
            let from = Speaker::Agent(chat.agents[0].clone());
            return Some(Draft::new(
                place.path(&state.definition),
                MessagePosted {
                    from,
                    call: Some(*call),
                    text: None,
                    said: None,
                },
            ));
        }
        SummaryState::Posted(said) => {
            if let Some(draft) = last_word(state, place, step) {
                return Some(draft);
            }
            let why = end_of_chat(state, step, chat);
            return Some(finish(
                state,
                place,
                StepOutcome::Message {
                    message: said.seq,
                    why,
                },
            ));
        }
    }
    // While a choice is being made, a condition of time or money may begin to hold: it is looked at afterwards.
    if step.selecting.calling.is_some() {
        return None;
    }
    if let Some(why) = end_of_chat(state, step, chat) {
        if let Some(draft) = last_word(state, place, step) {
            return Some(draft);
        }
        let message = step.turns.last().and_then(|turn| turn.said.as_ref())?.seq;
        return match chat.summary {
            Summary::LastMessage => Some(finish(
                state,
                place,
                StepOutcome::Message {
                    message,
                    why: Some(why),
                },
            )),
            Summary::Model => intend_model(state, place, &chat.agents[0], Purpose::Summary),
        };
    }
    let last = step.turns.last().map(|turn| &*turn.agent);
    match next_speaker(chat, last, step.turns.len(), &step.selecting) {
        NextSpeaker::Agent(agent, by) => Some(choose(state, place, step, &agent, by)),
        NextSpeaker::AskModel => intend_model(state, place, &chat.agents[0], Purpose::Select),
        NextSpeaker::Wait | NextSpeaker::Nobody => None,
    }
}

/// Why a chat is over, if it is: a stop condition after a turn, its rounds, or nobody left to speak.
fn end_of_chat(state: &RunState, step: &StepState, chat: &ChatDef) -> Option<StopReason> {
    let last = step.turns.last()?;
    let said = last.said.as_ref()?;
    let facts = Facts {
        rounds: u32::try_from(step.turns.len()).unwrap_or(u32::MAX),
        messages: u32::try_from(step.turns.len()).unwrap_or(u32::MAX),
        tokens: step.ledger.tokens_settled,
        cost: step.ledger.settled,
        elapsed_ms: step
            .started_at
            .map_or(0, |started| state.now.ms_since(started)),
        last_text: &said.text,
        last_source: &last.agent,
        last_tools: last
            .replies()
            .flat_map(|reply| &reply.slots)
            .map(|slot| Arc::clone(&slot.tool))
            .collect(),
        no_progress: step.progress.fired(),
    };
    if let Some(which) = chat.stop.as_ref().and_then(|stop| holds(stop, &facts)) {
        return Some(StopReason::Condition { which });
    }
    let nobody = matches!(
        next_speaker(chat, Some(&last.agent), step.turns.len(), &step.selecting),
        NextSpeaker::Nobody
    );
    (facts.rounds >= chat.max_round || nobody).then_some(StopReason::MaxRounds)
}

fn parallel_next(
    state: &RunState,
    place: &Place,
    step: &StepState,
    parallel: &ParallelDef,
) -> Option<Draft> {
    let won = parallel.join == Join::Any && step.children.iter().any(StepState::succeeded);
    let decided = parallel.join == Join::Any && step.children.iter().any(words::has_last_word);
    let loses = |child: &StepState| !child.is_finished() && !words::has_last_word(child);
    if decided && let Some(at) = step.children.iter().position(loses) {
        return Some(finish(state, &place.child(at), StepOutcome::Skipped));
    }
    if won && let Some(at) = step.children.iter().position(|child| !child.is_finished()) {
        return Some(finish(state, &place.child(at), StepOutcome::Skipped));
    }
    if step.children.iter().all(StepState::is_finished) {
        let met = won || step.children.iter().all(StepState::succeeded);
        let outcome = if met {
            StepOutcome::Branches
        } else {
            failed_join(state, place, step, parallel)
        };
        return Some(finish(state, place, outcome));
    }
    let mut active = 0;
    for (at, child) in step.children.iter().enumerate() {
        if child.is_finished() {
            continue;
        }
        active += 1;
        if active > parallel.width {
            return None;
        }
        if let Some(draft) = step_next(state, &place.child(at)) {
            return Some(draft);
        }
    }
    None
}

fn failed_join(
    state: &RunState,
    place: &Place,
    step: &StepState,
    parallel: &ParallelDef,
) -> StepOutcome {
    let mut message = String::from("no branch that this join needs has succeeded");
    for (def, child) in parallel.steps.iter().zip(&step.children) {
        if let StepPhase::Finished(StepOutcome::Failed { error }) = &child.phase {
            let _ = write!(message, "; {}: {}", def.name, error.message);
        }
    }
    let path = place.path(&state.definition).to_string();
    StepOutcome::Failed {
        error: RunError {
            kind: None,
            message,
            path,
        },
    }
}

fn finish(state: &RunState, place: &Place, outcome: StepOutcome) -> Draft {
    Draft::new(place.path(&state.definition), StepFinished { outcome })
}

fn choose(
    state: &RunState,
    place: &Place,
    step: &StepState,
    agent: &str,
    by: bwana_types::entry::ChosenBy,
) -> Draft {
    let chosen = SpeakerChosen {
        agent: agent.to_owned(),
        by,
        answers: None,
    };
    begin_turn(state, place, step, chosen)
}

fn begin_turn(state: &RunState, place: &Place, step: &StepState, chosen: SpeakerChosen) -> Draft {
    let round = u32::try_from(step.turns.len()).map_or(u32::MAX, |turns| turns + 1);
    let path = place.with_round(round).path(&state.definition);
    match afford_turn(state, place) {
        Some(exhausted) => Draft::new(path, exhausted),
        None => Draft::new(path, chosen),
    }
}

/// Repetition is noticed between calls: a note must never stand between a tool call and its result.
fn notice_no_progress(state: &RunState, place: &Place, step: &StepState) -> Option<Draft> {
    let round = step.turns.last().map_or(0, |turn| turn.round);
    let path = place.with_round(round).path(&state.definition);
    if let Some((stage, what)) = step.progress.pending() {
        return Some(Draft::new(
            path,
            NoProgressNoticed {
                what: what.to_owned(),
                stage,
            },
        ));
    }
    if !step.progress.must_stop() {
        return None;
    }
    // A chat that ends by itself when nothing moves does so; anything else ends the run.
    if let Work::Chat(chat) = &place.def(&state.definition).work
        && step.open_turn().is_none()
        && chat.stop.is_some()
        && matches!(
            end_of_chat(state, step, chat),
            Some(StopReason::Condition { .. })
        )
    {
        return None;
    }
    Some(Draft::new(
        "",
        RunStopping {
            reason: StopReason::NoProgress {
                what: path.to_string(),
            },
        },
    ))
}

fn turn_next(state: &RunState, place: &Place, step: &StepState, turn: &Turn) -> Option<Draft> {
    let here = place.with_round(turn.round);
    let path = || here.path(&state.definition);
    match turn.next() {
        Next::CallModel { .. } => notice_no_progress(state, place, step)
            .or_else(|| intend_model(state, &here, &turn.agent, Purpose::Turn)),
        Next::OpenTask { reply, index, ask } => {
            let tool_call = Some((reply.call, u32::try_from(index).unwrap_or(u32::MAX)));
            Some(Draft::new(
                path(),
                TaskOpened {
                    ask: ask.clone(),
                    call: None,
                    tool_call,
                },
            ))
        }
        Next::CallTool { reply, index } => intend_tool(state, &here, turn, reply, index),
        Next::Post { reply } => Some(Draft::new(
            path(),
            post(place.def(&state.definition), step, turn, reply),
        )),
        Next::Assess { .. } | Next::OpenUncertain { .. } | Next::Wait | Next::Over => None,
    }
}

/// What an agent said, or what is wrong with it, so that it says it again.
fn post(def: &StepDef, step: &StepState, turn: &Turn, reply: &Reply) -> MessagePosted {
    let notes = turn
        .items
        .iter()
        .filter(|item| matches!(item, Item::Note(_)))
        .count();
    if notes < REPAIRS_MAX
        && let Some(fault) = fault_of(def, step, &reply.text())
    {
        return MessagePosted {
            from: Speaker::Engine,
            call: None,
            text: Some(fault.into()),
            said: None,
        };
    }
    MessagePosted {
        from: Speaker::Agent(turn.agent.to_string()),
        call: Some(reply.call),
        text: None,
        said: None,
    }
}

fn fault_of(def: &StepDef, step: &StepState, text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some(String::from("Your answer was empty. Answer in words."));
    }
    let schema = output_schema(def, step)?;
    let value: serde_json::Value = match serde_json::from_str(text.trim()) {
        Ok(value) => value,
        Err(error) => {
            return Some(format!(
                "Your answer is no JSON ({error}). Answer with the JSON alone."
            ));
        }
    };
    let validator = jsonschema::validator_for(&schema).ok()?;
    let error = validator.iter_errors(&value).next()?;
    Some(format!(
        "Your JSON does not fit: {error} at '{}'. Answer again, with the whole JSON.",
        error.instance_path()
    ))
}

fn intend_model(state: &RunState, place: &Place, agent: &str, purpose: Purpose) -> Option<Draft> {
    let def = state.definition.agents.get(agent)?;
    let model = def.models.first()?;
    let path = place.path(&state.definition);
    let mut call = ModelCall {
        agent: agent.to_owned(),
        purpose,
        provider: model.provider.clone(),
        model: model.model.clone(),
        max_output_tokens: wanted_output(def.max_output_tokens, model.context_tokens, purpose),
        window: Window::default(),
    };
    let (window, bytes) = fit(state, place, agent, &call, model.context_tokens);
    call.window = window;
    match afford_model(state, place, model, bytes, call.max_output_tokens) {
        Affordable::Yes {
            max_output_tokens,
            reserve,
        } => {
            call.max_output_tokens = max_output_tokens;
            let input = model_input_hash(state, &path, &call);
            let intended = CallIntended {
                call: Call::Model(call),
                effect: EffectClass::Paid,
                reserve,
                input,
                key: None,
            };
            Some(words::first_heard(state, place, Draft::new(path, intended)))
        }
        Affordable::No(exhausted) => Some(Draft::new(path, exhausted)),
        Affordable::PriceUnknown => ask_price(state, path, model),
    }
}

/// Output tokens to ask for: never more than half of what the model holds, and little for a choice.
fn wanted_output(of_agent: u32, context_tokens: u32, purpose: Purpose) -> u32 {
    let most = (context_tokens / 2).max(1);
    match purpose {
        Purpose::Turn | Purpose::Summary => of_agent.min(most),
        Purpose::Select => SELECT_OUTPUT_TOKENS.min(most),
    }
}

/// A name in JSON needs no more.
const SELECT_OUTPUT_TOKENS: u32 = 256;

fn model_input_hash(state: &RunState, path: &str, call: &ModelCall) -> Hash {
    let purpose = [call.purpose as u8];
    let window = [
        call.window.result_max_bytes.to_le_bytes(),
        call.window.dropped_turns.to_le_bytes(),
    ]
    .concat();
    Hash::of_parts([
        state.digest.0.as_slice(),
        path.as_bytes(),
        call.agent.as_bytes(),
        call.provider.as_bytes(),
        call.model.as_bytes(),
        purpose.as_slice(),
        window.as_slice(),
    ])
}

/// One question a provider; while it is open, calls to that provider wait.
pub(super) fn ask_price(state: &RunState, path: Arc<str>, model: &ModelRef) -> Option<Draft> {
    if state.asks_price_of(&model.provider) {
        return None;
    }
    let ask = Ask::Price {
        provider: model.provider.clone(),
        model: model.model.clone(),
    };
    Some(Draft::new(
        path,
        TaskOpened {
            ask,
            call: None,
            tool_call: None,
        },
    ))
}

fn intend_tool(
    state: &RunState,
    place: &Place,
    turn: &Turn,
    reply: &Reply,
    index: usize,
) -> Option<Draft> {
    let slot: &Slot = reply.slots.get(index)?;
    let tool = state.definition.tools.get(&*slot.tool)?;
    let path = place.path(&state.definition);
    if let Some(exhausted) = afford_tool(state, place) {
        return Some(Draft::new(path, exhausted));
    }
    let call = ToolCallRef {
        agent: turn.agent.to_string(),
        tool: tool.name.clone(),
        version: tool.version.clone(),
        model_call: reply.call,
        index: u32::try_from(index).ok()?,
    };
    let seq: Seq = state.head + 1;
    let run = state.run.to_string();
    let intended = CallIntended {
        call: Call::Tool(call),
        effect: tool.effect,
        reserve: Reserve::default(),
        input: Hash::of_parts([
            tool.name.as_bytes(),
            tool.version.as_bytes(),
            slot.args.as_bytes(),
        ]),
        key: match tool.effect {
            EffectClass::Keyed | EffectClass::AtMostOnce => Some(Hash::of_parts([
                run.as_bytes(),
                path.as_bytes(),
                seq.to_le_bytes().as_slice(),
            ])),
            EffectClass::Pure | EffectClass::Idempotent | EffectClass::Paid => None,
        },
    };
    Some(Draft::new(path, intended))
}
