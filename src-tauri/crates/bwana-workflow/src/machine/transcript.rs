//! Prompts are derived: what a call in flight asks a model, built from the state alone.
//!
//! Tool calls and results always come in pairs, so no provider ever sees a dangling call. Another agent's words are a
//! user message under its name; an agent's own words are its own.

use std::sync::Arc;

use bwana_agent::chat;
use bwana_agent::turn::{Item, Reply, Slot, SlotState, Turn, Words};
use bwana_types::definition::{AgentDef, ModelRef, StepDef, Work};
use bwana_types::entry::{Call, ModelCall, Purpose, Seq, Window};
use bwana_types::message::{Message, Part, Role, ToolCall};
use bwana_types::model::{OutputSchema, Request, ToolChoice};

use super::apply_calls::conversation_bytes;
use super::budget::BYTES_PER_TOKEN;
use super::place::Place;
use super::prompt::{Prompt, cut, headings_of_the_prompt};
use super::state::{RunState, StepState};
use super::words::{self, PERSON};

/// What a model is asked in the open call `seq`; `None` if there is no such model call.
pub fn call_request(state: &RunState, seq: Seq) -> Option<Request> {
    let call = state.calls.get(&seq)?;
    let Call::Model(model) = &call.call else {
        return None;
    };
    let place = Place::find(&state.definition, &call.path)?;
    let agent = state.definition.agents.get(&model.agent)?;
    let mut request = match model.purpose {
        Purpose::Turn => turn_request(state, &place, agent, model.window),
        Purpose::Select => select_request(state, &place, agent, model.window),
        Purpose::Summary => summary_request(state, &place, agent, model.window),
    };
    request.model.clone_from(&model.model);
    request.max_output_tokens = model.max_output_tokens;
    request.temperature = agent.temperature;
    request.seed = Some(seq);
    let asked = |one: &&ModelRef| one.provider == model.provider && one.model == model.model;
    if agent.models.iter().find(asked).is_some_and(|one| one.small) {
        request.stop = headings_of_the_prompt();
    }
    Some(request)
}

/// The tool call a call in flight carries out, as the model asked for it.
pub fn tool_slot(state: &RunState, seq: Seq) -> Option<&Slot> {
    let call = state.calls.get(&seq)?;
    let Call::Tool(tool) = &call.call else {
        return None;
    };
    let place = Place::find(&state.definition, &call.path)?;
    let turn = place.step(state).turns.last()?;
    let reply = turn.replies().find(|reply| reply.call == tool.model_call)?;
    reply.slots.get(tool.index as usize)
}

fn turn_request(state: &RunState, place: &Place, agent: &AgentDef, window: Window) -> Request {
    let step = place.step(state);
    let mut request = Request::new("", conversation(state, place, &agent.id, window));
    let Some(turn) = step.open_turn() else {
        return request;
    };
    if matches!(
        turn.next(),
        bwana_agent::turn::Next::CallModel { offer_tools: false }
    ) {
        request.tool_choice = ToolChoice::None;
    }
    if let Some(prompt) = step.prompts.get(&*turn.agent) {
        request.tools.clone_from(&prompt.tools);
    }
    let def = place.def(&state.definition);
    request.schema = output_schema(def, step).map(|schema| OutputSchema {
        name: String::from("result"),
        schema,
    });
    request
}

/// The schema the open turn must answer in: that of the step, for its last speaker.
pub(super) fn output_schema(def: &StepDef, step: &StepState) -> Option<serde_json::Value> {
    let last = match &def.work {
        // Also in a turn that was added for a person's last word.
        Work::Speak { agents } => step.turns.len() >= agents.len(),
        Work::Chat(_) | Work::Parallel(_) | Work::Pinned { .. } => false,
    };
    if last { def.output.clone() } else { None }
}

fn select_request(state: &RunState, place: &Place, agent: &AgentDef, window: Window) -> Request {
    let def = place.def(&state.definition);
    let step = place.step(state);
    let Work::Chat(chat) = &def.work else {
        return Request::new("", Vec::new());
    };
    let candidates = chat::candidates(chat, step.turns.last().map(|turn| &*turn.agent));
    let mut text = String::from("You lead a discussion. Choose who speaks next.\n\n");
    for id in &candidates {
        let described = state
            .definition
            .agents
            .get(*id)
            .map_or("", |agent| agent.description.as_str());
        text.push_str(&format!("- {id}: {described}\n"));
    }
    let mut messages = vec![Message::text(Role::System, text)];
    let conversation = conversation(state, place, &agent.id, window);
    messages.extend(conversation.into_iter().skip(1).map(|mut message| {
        if message.role == Role::Assistant {
            message.role = Role::User;
        }
        message
    }));
    let mut ask = String::from("Who speaks next? Answer with JSON: {\"next\": NAME}");
    for feedback in &step.selecting.feedback {
        ask.push('\n');
        ask.push_str(feedback);
    }
    messages.push(Message::text(Role::User, ask));
    let mut request = Request::new("", messages);
    request.schema = Some(OutputSchema {
        name: String::from("choice"),
        schema: chat::choice_schema(&candidates),
    });
    request
}

fn summary_request(state: &RunState, place: &Place, agent: &AgentDef, window: Window) -> Request {
    let mut messages = conversation(state, place, &agent.id, window);
    let ask = "The discussion is over. Sum up its result for those who were not there: decisions, reasons, open points.";
    messages.push(Message::text(Role::User, ask));
    Request::new("", messages)
}

/// System prompt, opening and everything said in the step, as `agent` sees it.
fn conversation(state: &RunState, place: &Place, agent: &str, window: Window) -> Vec<Message> {
    let step = place.step(state);
    let prompt = match step.prompts.get(agent) {
        Some(prompt) => Arc::clone(prompt),
        None => Arc::new(Prompt::of(state, place, agent)),
    };
    let mut messages = Vec::with_capacity(step.turns.len() + 4);
    messages.push(Message::text(Role::System, Arc::clone(&prompt.system)));
    messages.push(Message::text(Role::User, prompt.opening(window)));
    let person = |words: &Words| person_message(words, window);
    messages.extend(step.opening_words.iter().map(person));
    let dropped = window.dropped_turns as usize;
    if dropped > 0 {
        messages.push(Message::text(
            Role::User,
            format!("[{dropped} earlier messages left out to fit the model]"),
        ));
    }
    // What the person said stays, whatever else is left out.
    let left_out = step.turns.iter().take(dropped).flat_map(words::in_turn);
    messages.extend(left_out.map(person));
    for turn in step.turns.iter().skip(dropped) {
        if *turn.agent == *agent {
            own_turn(turn, window, &mut messages);
        } else {
            others_turn(state, turn, window, &mut messages);
        }
    }
    if messages
        .last()
        .is_some_and(|message| message.role == Role::Assistant)
    {
        messages.push(Message::text(Role::User, "Go on."));
    }
    messages
}

fn person_message(words: &Words, window: Window) -> Message {
    let text = cut(&words.text, window.result_max_bytes as usize);
    Message::text(Role::User, format!("{PERSON}{text}"))
}

fn own_turn(turn: &Turn, window: Window, messages: &mut Vec<Message>) {
    for item in &turn.items {
        match item {
            Item::Person(words) => messages.push(person_message(words, window)),
            Item::Note(note) => messages.push(Message::text(Role::User, Arc::clone(note))),
            Item::Reply(reply) => {
                messages.push(Message::new(Role::Assistant, reply.parts.clone()));
                let results = tool_results(reply);
                if !results.is_empty() {
                    messages.push(Message::new(Role::Tool, results));
                }
            }
        }
    }
}

/// What a model reads before the result of a call that a person changed.
const EDITED: &str =
    "The person in charge changed the arguments before allowing this. What was done: ";

/// One result for every tool call of the answer, in its order.
fn tool_results(reply: &Reply) -> Vec<Part> {
    let calls = reply.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call),
        _ => None,
    });
    let told = |slot: &Slot, content: &Arc<str>| match slot.edited {
        None => Arc::clone(content),
        Some(_) => format!("{EDITED}{}\n{content}", slot.args).into(),
    };
    let settled = |call: &ToolCall, index: usize| {
        let slot = reply.slots.get(index);
        let (content, is_error) = match slot.map(|slot| (slot, &slot.state)) {
            Some((slot, SlotState::Done(done))) => (told(slot, &done.content), done.is_error),
            Some(_) => ("interrupted".into(), true),
            None => ("Not run: too many tool calls at once.".into(), true),
        };
        Part::ToolResult {
            id: Arc::clone(&call.id),
            name: Arc::clone(&call.name),
            content,
            is_error,
        }
    };
    calls
        .enumerate()
        .map(|(index, call)| settled(call, index))
        .collect()
}

fn others_turn(state: &RunState, turn: &Turn, window: Window, messages: &mut Vec<Message>) {
    let is_reply = |item: &Item| matches!(item, Item::Reply(_));
    // What the person said before the agent spoke stands before it, what came after it behind.
    let spoke = turn.items.iter().rposition(is_reply).unwrap_or(0);
    for item in &turn.items[..spoke] {
        if let Item::Person(words) = item {
            messages.push(person_message(words, window));
        }
    }
    if let Some(said) = &turn.said {
        let name = state
            .definition
            .agents
            .get(&*turn.agent)
            .map_or(&*turn.agent, |agent| agent.name.as_str());
        messages.push(Message::text(Role::User, format!("{name}: {}", said.text)));
    }
    for (at, item) in turn.items.iter().enumerate() {
        match item {
            Item::Note(note) => messages.push(Message::text(Role::User, Arc::clone(note))),
            Item::Person(words) if at >= spoke => messages.push(person_message(words, window)),
            Item::Person(_) | Item::Reply(_) => {}
        }
    }
}

/// The window in which everything fits the model, and the bytes of the prompt then. Older results are cut first, then
/// the oldest turns are dropped whole.
pub(super) fn fit(
    state: &RunState,
    place: &Place,
    agent: &str,
    call: &ModelCall,
    context_tokens: u32,
) -> (Window, u64) {
    let step = place.step(state);
    let prompt = match step.prompts.get(agent) {
        Some(prompt) => Arc::clone(prompt),
        None => Arc::new(Prompt::of(state, place, agent)),
    };
    let room = u64::from(context_tokens.saturating_sub(call.max_output_tokens)) * BYTES_PER_TOKEN;
    let mut bytes = prompt.bytes + conversation_bytes(state, place);
    let mut window = Window::default();
    if bytes <= room {
        return (window, bytes);
    }
    let saved_by = |max| prompt.saved_by_cutting(max) + words::saved_by_cutting(step, max);
    for max in [8_192, 4_096, 2_048, 1_024, 512, 256] {
        let saved = saved_by(max);
        window.result_max_bytes = max;
        if bytes - saved <= room {
            break;
        }
    }
    bytes -= saved_by(window.result_max_bytes);
    let keep = usize::from(step.open_turn().is_some());
    let droppable = step.turns.len().saturating_sub(keep);
    for turn in &step.turns[..droppable] {
        if bytes <= room {
            break;
        }
        bytes = bytes.saturating_sub(turn_bytes(turn));
        window.dropped_turns += 1;
    }
    (window, bytes)
}

/// What is gained by leaving a turn out.
fn turn_bytes(turn: &Turn) -> u64 {
    let item_bytes = |item: &Item| match item {
        Item::Person(_) => 0,
        Item::Note(note) => note.len(),
        Item::Reply(reply) => {
            let parts: usize = reply.parts.iter().map(part_bytes).sum();
            let results: usize = reply
                .slots
                .iter()
                .map(|slot| match &slot.state {
                    SlotState::Done(done) if slot.edited.is_some() => {
                        done.content.len() + slot.args.len()
                    }
                    SlotState::Done(done) => done.content.len(),
                    _ => 0,
                })
                .sum();
            parts + results
        }
    };
    turn.items.iter().map(item_bytes).sum::<usize>() as u64
}

fn part_bytes(part: &Part) -> usize {
    match part {
        Part::Text { text } | Part::Reasoning { text, .. } => text.len(),
        Part::Image { data, .. } => data.len(),
        Part::ToolCall(call) => call.args.len(),
        Part::ToolResult { content, .. } => content.len(),
    }
}
