//! The run machine with a world made of a seed: no store, no runtime, no time but a number. Fast enough for thousands of
//! runs, and the only place where a crash can fall between any two entries.

use std::collections::BTreeMap;
use std::sync::Arc;

use bwana_testkit::invariants::Checker;
use bwana_testkit::random::{Improviser, Mood, PERSON_ASK, definition};
use bwana_testkit::time::TEST_START;
use bwana_testkit::{Fault, Faults, Rng, ScriptedModel};
use bwana_types::definition::Definition;
use bwana_types::effect::EffectClass;
use bwana_types::entry::{
    Artifact, Assessment, Body, Call, Draft, Entry, RunCreated, Seq, ToolResult, When,
};
use bwana_types::grant::{EditedArgs, GrantMade, GrantScope, Pattern, Terms};
use bwana_types::hash::{Hash, approval_hash, args_hash, canonical_json};
use bwana_types::id::{GrantId, RunId};
use bwana_types::message::text_of;
use bwana_types::model::Request;
use bwana_types::task::{Ask, DecidedBy, TaskKind, Verdict};
use bwana_types::time::Timestamp;
use bwana_workflow::machine::{
    CallDone, Control, Input, Obligation, Place, RunState, apply, call_request, decide,
    outstanding, tool_slot,
};
use serde_json::Value;

/// Things that may happen in one run before it counts as one that never ends.
const EVENTS_MAX: usize = 20_000;

/// What a driver does besides answering calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    pub(crate) mood: Mood,
    /// Crashes among a thousand events.
    pub(crate) crash_per_mille: u32,
    /// Pauses, cancels and top-ups among a thousand events.
    pub(crate) control_per_mille: u32,
    /// Faulty model calls among a thousand.
    pub(crate) fault_per_mille: u32,
}

impl Habits {
    /// Nothing goes wrong, and people say yes.
    pub(crate) const CALM: Self = Self {
        mood: Mood::Calm,
        crash_per_mille: 0,
        control_per_mille: 0,
        fault_per_mille: 0,
    };
    pub(crate) const WILD: Self = Self {
        mood: Mood::Wild,
        crash_per_mille: 60,
        control_per_mille: 30,
        fault_per_mille: 200,
    };
}

/// One run of the pure machine.
pub(crate) struct Pure {
    pub(crate) state: RunState,
    pub(crate) journal: Vec<Entry>,
    /// The state after each entry.
    pub(crate) states: Vec<RunState>,
    /// How often each at-most-once effect happened, by the key of its call.
    pub(crate) effects: BTreeMap<Hash, u32>,
    /// How often a person asked for an effect once more.
    pub(crate) sent_again: BTreeMap<Hash, u32>,
    checker: Checker,
    model: ScriptedModel,
    rng: Rng,
    habits: Habits,
    now: Timestamp,
}

impl Pure {
    /// A fresh run of the random workflow of this seed.
    pub(crate) fn new(seed: u64, habits: Habits) -> Self {
        let definition = Arc::new(definition(seed, habits.mood));
        let run = RunId::derived(TEST_START, &[&seed.to_le_bytes()]);
        let created = RunCreated {
            workflow: definition.workflow.slug.clone(),
            workflow_hash: definition.workflow.hash,
            definition: definition.hash(),
            input: format!("Input {seed}").into(),
            limits: bwana_types::definition::RunLimits::default(),
            by: String::from("test"),
        };
        let first = Draft::new("", created.clone()).at(1, TEST_START);
        let state = RunState::new(run, Arc::clone(&definition), &first, &created);
        Self::from(state, vec![first], seed, habits)
    }

    /// Goes on from a prefix of a journal, as a new process would.
    pub(crate) fn continued(
        definition: &Arc<Definition>,
        prefix: &[Entry],
        seed: u64,
        habits: Habits,
    ) -> Self {
        let run = RunId::derived(TEST_START, &[&seed.to_le_bytes()]);
        let state = fold(run, definition, prefix);
        let mut driver = Self::from(state, prefix.to_vec(), seed, habits);
        driver.feed(Input::Recover);
        driver
    }

    fn from(state: RunState, journal: Vec<Entry>, seed: u64, habits: Habits) -> Self {
        let mut checker = Checker::new(Arc::clone(&state.definition), state.run.to_string());
        for entry in &journal {
            checker.entry(entry).unwrap();
        }
        let answers = Improviser {
            seed,
            mood: habits.mood,
        };
        let faults = Faults {
            seed,
            per_mille: habits.fault_per_mille,
            attempts_max: 3,
            kinds: Fault::all(),
        };
        Self {
            states: vec![state.clone()],
            now: state.now,
            state,
            journal,
            effects: BTreeMap::new(),
            sent_again: BTreeMap::new(),
            checker,
            model: ScriptedModel::answering(answers).with_faults(faults),
            rng: Rng::new(seed).fork("events"),
            habits,
        }
    }

    /// Drives the run until it has ended or nothing and nobody can move it on.
    pub(crate) fn drive(&mut self) {
        for _ in 0..EVENTS_MAX {
            self.settle();
            if self.state.is_ended() || !self.happen() {
                return;
            }
        }
        panic!("the run never ends: {} entries", self.journal.len());
    }

    /// Everything that follows without anything outside.
    fn settle(&mut self) {
        loop {
            let drafts = decide(&self.state, Input::Advance);
            if drafts.is_empty() {
                return;
            }
            drafts.into_iter().for_each(|draft| self.write(draft));
        }
    }

    fn feed(&mut self, input: Input) -> bool {
        let drafts = decide(&self.state, input);
        let changed = !drafts.is_empty();
        drafts.into_iter().for_each(|draft| self.write(draft));
        changed
    }

    fn write(&mut self, draft: Draft) {
        let entry = draft.at(self.state.head + 1, self.now.max(self.state.now));
        if let Err(broken) = self.checker.entry(&entry) {
            self.journal.push(entry);
            panic!("{broken}\n{}", tail(&self.journal));
        }
        apply(&mut self.state, &entry);
        self.journal.push(entry);
        self.states.push(self.state.clone());
    }

    /// One thing happens; false if nothing can.
    fn happen(&mut self) -> bool {
        self.now = Timestamp(self.now.0 + i64::try_from(self.rng.below(50)).unwrap());
        if self.rng.chance(self.habits.crash_per_mille) {
            self.crash();
            return true;
        }
        if self.rng.chance(self.habits.control_per_mille) && self.steer() {
            return true;
        }
        let mut obligations = outstanding(&self.state);
        // Nobody waits for a deadline while there is something else to do.
        if obligations.len() > 1 || !self.state.tasks.is_empty() {
            obligations.retain(|one| !matches!(one, Obligation::Deadline { .. }));
        }
        let tasks: Vec<Seq> = self.state.tasks.keys().copied().collect();
        let choices = obligations.len() + tasks.len();
        if choices == 0 {
            return self.wake_up();
        }
        let choice = usize::try_from(self.rng.below(choices as u64)).unwrap();
        match obligations.into_iter().nth(choice) {
            Some(obligation) => self.fulfil(obligation),
            None => self.answer(tasks[choice % tasks.len()]),
        }
        true
    }

    fn fulfil(&mut self, obligation: Obligation) {
        let input = match obligation {
            Obligation::Perform { call, .. } => Input::CallDone {
                call,
                done: self.perform(call),
            },
            Obligation::Abandon { call } => Input::CallDone {
                call,
                done: CallDone::Cancelled { partial: None },
            },
            Obligation::RetryAt { call, at } => {
                self.now = self.now.max(at);
                Input::RetryDue { call }
            }
            Obligation::Deadline { at } => {
                self.now = self.now.max(at);
                Input::Deadline
            }
            Obligation::SaveResult => Input::ResultSaved(Ok(Artifact {
                file: String::from("result.md"),
                bytes: 1,
                hash: Hash::of(b"result"),
            })),
            Obligation::Assess {
                path,
                model_call,
                index,
                tool,
                args,
                ..
            } => {
                let verdict = self.assess(&path, &tool, &args);
                Input::Assessed {
                    path,
                    model_call,
                    index,
                    verdict,
                }
            }
        };
        self.feed(input);
    }

    fn perform(&mut self, seq: Seq) -> CallDone {
        let call = &self.state.calls[&seq];
        match &call.call {
            Call::Model(_) => {
                let request =
                    call_request(&self.state, seq).expect("an open model call has a request");
                self.check_words(seq, &request);
                match self.model.answer_now(&request) {
                    Ok(outcome) => CallDone::Model(outcome),
                    Err(error) => CallDone::ModelFailed {
                        error,
                        now: self.now,
                        jitter: u16::try_from(self.rng.below(1_000)).unwrap(),
                    },
                }
            }
            Call::Tool(_) => self.use_tool(seq),
        }
    }

    fn use_tool(&mut self, seq: Seq) -> CallDone {
        let (effect, key) = {
            let call = &self.state.calls[&seq];
            (call.effect, call.key)
        };
        let slot = tool_slot(&self.state, seq).expect("an open tool call has its arguments");
        let content = format!("{} saw {}", slot.tool, slot.args);
        let wild = self.habits.mood == Mood::Wild;
        match self.rng.below(12) {
            0 if wild => {
                return CallDone::ToolFailed {
                    message: String::from("it did not work"),
                    timeout: false,
                };
            }
            1 if wild => {
                self.happened(effect, key);
                return CallDone::ToolUncertain {
                    why: String::from("the connection broke"),
                };
            }
            2 if wild && effect == EffectClass::Idempotent => {
                return CallDone::ToolFailed {
                    message: String::from("it hung"),
                    timeout: true,
                };
            }
            _ => {}
        }
        self.happened(effect, key);
        CallDone::Tool(ToolResult {
            content: content.into(),
            is_error: false,
            artifacts: Vec::new(),
            source: None,
        })
    }

    fn happened(&mut self, effect: EffectClass, key: Option<Hash>) {
        if effect == EffectClass::AtMostOnce {
            *self.effects.entry(key.expect("a key")).or_default() += 1;
        }
    }

    fn assess(&self, path: &str, tool: &str, args: &str) -> Assessment {
        let Some(spec) = self.state.definition.tools.get(tool) else {
            return Assessment::Refuse {
                message: format!("there is no {tool}"),
                grant: None,
            };
        };
        let Ok(args) = serde_json::from_str::<Value>(args) else {
            return Assessment::Refuse {
                message: String::from("that is no JSON"),
                grant: None,
            };
        };
        if tool == PERSON_ASK {
            return Assessment::Ask {
                ask: Ask::Answer {
                    agent: String::from("somebody"),
                    question: args["question"].to_string(),
                    choices: Vec::new(),
                },
            };
        }
        if !spec.effect.needs_barrier() {
            return Assessment::Allow {
                why: String::from("reading is allowed"),
                grant: None,
            };
        }
        let run = self.state.run.to_string();
        Assessment::Ask {
            ask: Ask::Approve {
                tool: spec.name.clone(),
                version: spec.version.clone(),
                agent: String::from("somebody"),
                risk: spec.risk,
                effect: spec.effect,
                args: String::from_utf8(canonical_json(&args)).unwrap(),
                args_hash: approval_hash(&spec.name, &spec.version, &args, &run, path),
                preview: format!("{tool} {args}"),
                why: String::from("it changes something"),
                patterns: vec![Pattern::Exact {
                    args_hash: args_hash(&spec.name, &spec.version, &args),
                }],
                tainted: false,
            },
        }
    }

    /// A person answers; calm ones say yes to everything.
    fn answer(&mut self, task: Seq) {
        let open = &self.state.tasks[&task];
        let calm = self.habits.mood == Mood::Calm;
        let key = open.call.and_then(|call| self.state.calls.get(&call)?.key);
        let no = !calm && self.rng.chance(300);
        let verdict = match open.ask.kind() {
            TaskKind::Approve | TaskKind::Plan | TaskKind::Price if no => Verdict::Deny {
                reason: String::from("no"),
            },
            TaskKind::Approve | TaskKind::Plan | TaskKind::Price => Verdict::Approve,
            TaskKind::Answer if no => Verdict::Deny {
                reason: String::new(),
            },
            TaskKind::Answer => Verdict::Answer {
                text: String::from("forty-two"),
            },
            TaskKind::Uncertain if calm || self.rng.chance(400) => Verdict::SendAgain,
            TaskKind::Uncertain if no => Verdict::GiveUp,
            TaskKind::Uncertain => Verdict::HappenedAlready {
                note: String::new(),
            },
        };
        let again = verdict == Verdict::SendAgain;
        let by = DecidedBy::LocalCli;
        if !calm && matches!(verdict, Verdict::Approve | Verdict::Deny { .. }) {
            let terms = Box::new(self.terms(task, &verdict));
            self.feed(Input::DecidedOn {
                task,
                verdict,
                by,
                terms,
            });
            return;
        }
        if self.feed(Input::Decided { task, verdict, by }) && again {
            *self.sent_again.entry(key.expect("a key")).or_default() += 1;
        }
    }

    /// What a person adds to an answer: nothing, a grant of what is offered, other arguments.
    fn terms(&mut self, task: Seq, verdict: &Verdict) -> Terms {
        let open = self.state.tasks[&task].clone();
        let Ask::Approve {
            tool,
            version,
            args,
            patterns,
            ..
        } = &open.ask
        else {
            return Terms::default();
        };
        let yes = *verdict == Verdict::Approve;
        let edit = (yes && self.rng.chance(200)).then(|| {
            let mut args: Value = serde_json::from_str(args).unwrap();
            args["changed_by"] = "a person".into();
            EditedArgs {
                args: String::from_utf8(canonical_json(&args)).unwrap(),
                args_hash: approval_hash(
                    tool,
                    version,
                    &args,
                    &self.state.run.to_string(),
                    &open.path,
                ),
                patterns: vec![Pattern::Exact {
                    args_hash: args_hash(tool, version, &args),
                }],
            }
        });
        let offered = edit.as_ref().map_or(patterns, |edit| &edit.patterns);
        let scope = match yes {
            true => *self.rng.pick(&[GrantScope::Run, GrantScope::Workflow]),
            false => GrantScope::Never,
        };
        let grant = self.rng.chance(300).then(|| GrantMade {
            id: GrantId::of_task(self.state.run, task, open.opened_at),
            scope,
            tool: tool.clone(),
            version: version.clone(),
            pattern: offered[0].clone(),
            workflow: self.state.definition.workflow.slug.clone(),
            workflow_hash: self.state.definition.workflow.hash,
        });
        Terms { grant, edit }
    }

    /// The process dies and another takes over. What was in flight may have happened.
    pub(crate) fn crash(&mut self) {
        let flying = self
            .state
            .calls
            .iter()
            .filter(|(_, call)| call.status == bwana_workflow::machine::CallStatus::InFlight);
        let flying: Vec<_> = flying.map(|(_, call)| (call.effect, call.key)).collect();
        for (effect, key) in flying {
            if self.rng.chance(500) {
                self.happened(effect, key);
            }
        }
        let replayed = fold(self.state.run, &self.state.definition, &self.journal);
        assert!(
            replayed == self.state,
            "the journal does not give the state back"
        );
        self.state = replayed;
        self.feed(Input::Recover);
    }

    fn steer(&mut self) -> bool {
        let by = || String::from("test");
        let control = match self.rng.below(16) {
            0 => Control::Cancel { by: by() },
            1..=4 => Control::Pause { by: by() },
            5..=9 => Control::Resume { by: by() },
            _ => {
                let when = *self.rng.pick(&[When::Now, When::AfterStep, When::AtEnd]);
                return self.say(when);
            }
        };
        self.feed(Input::Control(control))
    }

    /// A person says something nobody else says.
    pub(crate) fn say(&mut self, when: When) -> bool {
        let text = format!("Words {}.", self.journal.len()).into();
        let by = String::from("test");
        self.feed(Input::Control(Control::Say { text, when, by }))
    }

    /// What a person said stands once in every request of the conversation it entered, from then on, and nowhere before.
    fn check_words(&self, seq: Seq, request: &Request) {
        let step = |path: &str| {
            Place::find(&self.state.definition, path)
                .map(|place| place.with_round(0).path(&self.state.definition))
        };
        let here = step(&self.state.calls[&seq].path);
        for said in &self.journal {
            let Body::PersonSaid(words) = &said.body else {
                continue;
            };
            let enters = self.journal.iter().find(|entry| {
                matches!(&entry.body, Body::MessagePosted(posted) if posted.said == Some(said.seq))
            });
            let heard = enters.filter(|entry| step(&entry.path) == here);
            let expected = usize::from(heard.is_some());
            let line = format!("The person says: {}", words.text);
            let texts = request.messages.iter().map(|one| text_of(&one.parts));
            let found = texts.filter(|text| **text == *line).count();
            assert_eq!(
                found,
                expected,
                "words {} in call {seq}\n{}",
                said.seq,
                tail(&self.journal)
            );
        }
    }

    /// Nothing is under way and nobody is asked: a paused run is resumed, with more to spend if that was why.
    fn wake_up(&mut self) -> bool {
        let Some(reason) = self.state.stop_reason().cloned() else {
            let open: Vec<_> = self.state.calls.values().map(|call| &call.status).collect();
            panic!("nothing moves this run: {:?} {open:?}", self.state.phase);
        };
        if self.rng.chance(200) {
            // This one is left as it is.
            return false;
        }
        if let bwana_types::status::StopReason::Budget { .. } = reason {
            self.top_up();
        }
        self.feed(Input::Control(Control::Resume {
            by: String::from("test"),
        }))
    }

    fn top_up(&mut self) {
        let more = bwana_types::definition::RunLimits {
            micro_usd: Some(bwana_types::money::MicroUsd(1_000_000_000)),
            tokens: Some(100_000_000),
            calls: Some(100_000),
            turns: Some(100_000),
            elapsed_ms: None,
        };
        let paths = self.journal.iter().map(|entry| Arc::clone(&entry.path));
        let paths: std::collections::BTreeSet<_> = paths.collect();
        for path in paths {
            let place = bwana_workflow::machine::Place::find(&self.state.definition, &path);
            if path.is_empty() || place.is_some_and(|place| place.round == 0) {
                self.feed(Input::Control(Control::Raise {
                    path,
                    limits: more,
                    by: String::from("test"),
                }));
            }
        }
    }
}

/// The state that a journal gives back.
pub(crate) fn fold(run: RunId, definition: &Arc<Definition>, entries: &[Entry]) -> RunState {
    let (first, rest) = entries.split_first().expect("a journal begins");
    let bwana_types::entry::Body::RunCreated(created) = &first.body else {
        panic!("a journal begins with run_created");
    };
    let mut state = RunState::new(run, Arc::clone(definition), first, created);
    rest.iter().for_each(|entry| apply(&mut state, entry));
    state
}

/// The end of a journal, a line an entry, for a failure's message.
pub(crate) fn tail(journal: &[Entry]) -> String {
    let from = journal.len().saturating_sub(TAIL_ENTRIES);
    let lines = journal[from..].iter().map(|entry| {
        let body: String = entry
            .body
            .to_json()
            .unwrap()
            .chars()
            .take(TAIL_CHARS)
            .collect();
        format!("  {entry} {body}\n")
    });
    lines.collect()
}

const TAIL_ENTRIES: usize = 40;
const TAIL_CHARS: usize = 160;
