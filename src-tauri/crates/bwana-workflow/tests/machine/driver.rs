//! Drives the machine as a runtime would, with answers that are a function of what is asked, so that a run that was
//! interrupted anywhere must end as one that was not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bwana_types::agent::AgentKind;
use bwana_types::definition::{
    AgentDef, ChatDef, Definition, ModelRef, ParallelDef, Price, RunLimits, StepDef, Work,
    WorkflowRef,
};
use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::entry::{Assessment, Body, Call, Draft, Entry, RunCreated, Seq, ToolResult};
use bwana_types::grant::Pattern;
use bwana_types::hash::{Hash, approval_hash};
use bwana_types::id::RunId;
use bwana_types::message::{Message, Part, Role, Stop, ToolCall, Usage, text_of};
use bwana_types::model::{LlmError, Outcome, Request};
use bwana_types::money::MicroUsd;
use bwana_types::task::{Ask, DecidedBy, Verdict};
use bwana_types::time::Timestamp;
use bwana_types::tool::{ToolLimits, ToolSpec};
use bwana_types::workflow::{Join, Select, StopCondition, Summary};
use bwana_workflow::machine::{
    CallDone, Control, Input, Obligation, RunState, apply, call_request, decide, outstanding,
};

/// What a scripted model answers.
pub(crate) enum Answer {
    Say(String),
    /// Tool name and arguments, several at once.
    Tools(Vec<(&'static str, String)>),
    Fail(LlmError),
}

pub(crate) type Script = Box<dyn FnMut(&Request, u32) -> Answer>;

pub(crate) struct Driver {
    pub state: RunState,
    pub journal: Vec<Entry>,
    pub now: Timestamp,
    pub script: Script,
    /// How often each attempt was performed, by intent and attempt.
    pub performed: BTreeMap<(Seq, u32), u32>,
    /// Effects by idempotency key or intent.
    pub effects: BTreeMap<String, u32>,
    /// Tools that need a person.
    pub asks: BTreeSet<&'static str>,
    /// Entries after which the process dies, by sequence.
    pub crash_at: BTreeSet<Seq>,
    /// Die after an at-most-once effect happened, before it is recorded.
    pub crash_after_effect: bool,
    pub crashes: u32,
    definition: Arc<Definition>,
}

/// A model that says its agent's step back, and so depends on everything it was told.
pub(crate) fn echo() -> Script {
    Box::new(|request, _| {
        let all: String = request
            .messages
            .iter()
            .map(|message| text_of(&message.parts).to_string())
            .collect();
        Answer::Say(format!("said {}", Hash::of(all.as_bytes()).short()))
    })
}

pub(crate) fn last_text(request: &Request) -> String {
    request
        .messages
        .last()
        .map(|message: &Message| text_of(&message.parts).to_string())
        .unwrap_or_default()
}

impl Driver {
    pub(crate) fn new(definition: Definition, script: Script) -> Self {
        Self::with_limits(definition, RunLimits::default(), script)
    }

    pub(crate) fn with_limits(definition: Definition, limits: RunLimits, script: Script) -> Self {
        let now = Timestamp(1_764_072_000_000);
        let created = RunCreated {
            workflow: definition.workflow.slug.clone(),
            workflow_hash: definition.workflow.hash,
            definition: definition.hash(),
            input: "Open a bakery in Nakuru".into(),
            limits,
            by: "test".into(),
        };
        let run = RunId::derived(now, &[b"driver"]);
        let definition = Arc::new(definition);
        let entry = Draft::new("", created.clone()).at(1, now);
        let state = RunState::new(run, Arc::clone(&definition), &entry, &created);
        Self {
            state,
            journal: vec![entry],
            now,
            script,
            performed: BTreeMap::new(),
            effects: BTreeMap::new(),
            asks: BTreeSet::new(),
            crash_at: BTreeSet::new(),
            crash_after_effect: false,
            crashes: 0,
            definition,
        }
    }

    /// Works until nothing moves by itself, crashing where told.
    pub(crate) fn run(&mut self) -> &mut Self {
        for _ in 0..100_000 {
            if !self.step() {
                return self;
            }
        }
        panic!(
            "the run never comes to rest: {:#?}",
            self.kinds().iter().rev().take(20).collect::<Vec<_>>()
        );
    }

    /// One thing happens. `false`: nothing moves without a person.
    pub(crate) fn step(&mut self) -> bool {
        let drafts = decide(&self.state, Input::Advance);
        if !drafts.is_empty() {
            self.record(drafts);
            return true;
        }
        let mut timers = Vec::new();
        for obligation in outstanding(&self.state) {
            match obligation {
                Obligation::Assess {
                    path,
                    agent,
                    model_call,
                    index,
                    tool,
                    args,
                    ..
                } => {
                    let verdict = self.assess(&path, &agent, &tool, &args);
                    self.take(Input::Assessed {
                        path,
                        model_call,
                        index,
                        verdict,
                    });
                    return true;
                }
                Obligation::SaveResult => {
                    let artifact = bwana_types::entry::Artifact {
                        file: "result.md".into(),
                        bytes: 1,
                        hash: Hash::of(b"r"),
                    };
                    self.take(Input::ResultSaved(Ok(artifact)));
                    return true;
                }
                Obligation::Perform { call, attempt } => {
                    self.perform(call, attempt);
                    return true;
                }
                Obligation::Abandon { call } => {
                    self.take(Input::CallDone {
                        call,
                        done: CallDone::Cancelled { partial: None },
                    });
                    return true;
                }
                Obligation::RetryAt { call, at } => timers.push((at, Input::RetryDue { call })),
                Obligation::Deadline { at } => timers.push((at, Input::Deadline)),
            }
        }
        let retry = timers
            .into_iter()
            .filter(|(_, input)| matches!(input, Input::RetryDue { .. }));
        let Some((at, input)) = retry.min_by_key(|(at, _)| *at) else {
            return false;
        };
        self.now = self.now.max(at);
        self.take(input);
        true
    }

    pub(crate) fn take(&mut self, input: Input) -> usize {
        let drafts = decide(&self.state, input);
        let count = drafts.len();
        self.record(drafts);
        count
    }

    fn record(&mut self, drafts: Vec<Draft>) {
        for draft in drafts {
            self.now = Timestamp(self.now.0 + 1);
            let entry = draft.at(self.state.head + 1, self.now);
            let json = entry.body.to_json().unwrap();
            assert_eq!(
                Body::from_json(entry.body.kind(), entry.body.version(), &json).unwrap(),
                entry.body
            );
            apply(&mut self.state, &entry);
            let seq = entry.seq;
            self.journal.push(entry);
            if self.crash_at.remove(&seq) {
                self.crash();
                return;
            }
        }
    }

    /// The process dies and another takes over: the state is what the journal gives back.
    pub(crate) fn crash(&mut self) {
        self.crashes += 1;
        self.state = self.fold(self.journal.len());
        self.take(Input::Recover);
    }

    /// The state after the first `entries` entries.
    pub(crate) fn fold(&self, entries: usize) -> RunState {
        let Body::RunCreated(created) = &self.journal[0].body else {
            panic!("the first entry is run_created")
        };
        let run = RunId::derived(self.journal[0].at, &[b"driver"]);
        let mut state = RunState::new(run, Arc::clone(&self.definition), &self.journal[0], created);
        self.journal[1..entries]
            .iter()
            .for_each(|entry| apply(&mut state, entry));
        state
    }

    fn perform(&mut self, call: Seq, attempt: u32) {
        *self.performed.entry((call, attempt)).or_default() += 1;
        let open = self.state.calls[&call].clone();
        match &open.call {
            Call::Model(_) => {
                let request = call_request(&self.state, call).expect("a model call has a request");
                check_pairs(&request);
                let done = match (self.script)(&request, attempt) {
                    Answer::Say(text) => {
                        CallDone::Model(outcome(vec![Part::text(text)], Stop::Done))
                    }
                    Answer::Tools(calls) => {
                        let parts = calls.into_iter().enumerate().map(|(index, (name, args))| {
                            Part::ToolCall(ToolCall {
                                id: format!("c{call}_{index}").into(),
                                name: name.into(),
                                args: args.into(),
                                opaque: None,
                            })
                        });
                        CallDone::Model(outcome(parts.collect(), Stop::ToolCalls))
                    }
                    Answer::Fail(error) => CallDone::ModelFailed {
                        error,
                        now: self.now,
                        jitter: 500,
                    },
                };
                self.take(Input::CallDone { call, done });
            }
            Call::Tool(tool) => {
                assert_ne!(tool.tool, "person", "a question is never a call");
                let key = open
                    .key
                    .map_or_else(|| format!("call {call}"), |key| key.to_string());
                *self.effects.entry(key).or_default() += 1;
                if self.crash_after_effect && open.effect == EffectClass::AtMostOnce {
                    self.crash();
                    return;
                }
                let result = ToolResult {
                    content: format!("{} done", tool.tool).into(),
                    is_error: false,
                    artifacts: Vec::new(),
                    source: None,
                };
                self.take(Input::CallDone {
                    call,
                    done: CallDone::Tool(result),
                });
            }
        }
    }

    fn assess(&self, path: &str, agent: &str, tool: &str, args: &str) -> Assessment {
        let Some(spec) = self.definition.tools.get(tool) else {
            return Assessment::Refuse {
                message: format!("There is no tool '{tool}'."),
                grant: None,
            };
        };
        let Ok(args) = serde_json::from_str(args) else {
            return Assessment::Refuse {
                message: String::from("The arguments are no JSON."),
                grant: None,
            };
        };
        if tool == "person" {
            return Assessment::Ask {
                ask: Ask::Answer {
                    agent: agent.to_owned(),
                    question: String::from("Which town?"),
                    choices: vec![String::from("Nakuru"), String::from("Kisumu")],
                },
            };
        }
        if !self.asks.contains(tool) {
            return Assessment::Allow {
                why: String::from("test"),
                grant: None,
            };
        }
        let args_hash = approval_hash(
            &spec.name,
            &spec.version,
            &args,
            &self.state.run.to_string(),
            path,
        );
        let ask = Ask::Approve {
            tool: spec.name.clone(),
            version: spec.version.clone(),
            agent: agent.to_owned(),
            risk: spec.risk,
            effect: spec.effect,
            args: args.to_string(),
            args_hash,
            preview: spec.name.clone(),
            why: String::from("test"),
            patterns: vec![Pattern::Exact {
                args_hash: bwana_types::hash::args_hash(&spec.name, &spec.version, &args),
            }],
            tainted: false,
        };
        Assessment::Ask { ask }
    }

    /// Answers the oldest open task.
    pub(crate) fn answer(&mut self, verdict: Verdict) {
        let task = *self.state.tasks.keys().next().expect("a task is open");
        assert_eq!(
            self.take(Input::Decided {
                task,
                verdict,
                by: DecidedBy::LocalCli
            }),
            1
        );
    }

    pub(crate) fn control(&mut self, control: Control) -> usize {
        self.take(Input::Control(control))
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.journal
            .iter()
            .map(|entry| {
                format!("{} {}", entry.body.kind(), entry.path)
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.journal
            .iter()
            .filter(|entry| entry.body.kind() == kind)
            .count()
    }

    /// What must hold of every run at every time.
    pub(crate) fn check(&self) {
        assert_eq!(
            self.fold(self.journal.len()),
            self.state,
            "replay equals live"
        );
        for (at, entry) in self.journal.iter().enumerate() {
            assert_eq!(
                entry.seq,
                at as u64 + 1,
                "entries are numbered without gaps"
            );
        }
        for (attempt, times) in &self.performed {
            assert!(
                *times <= 1 || self.crashes > 0,
                "attempt {attempt:?} was performed {times} times"
            );
        }
    }
}

/// No provider ever sees a dangling call: every tool call is followed by its results.
fn check_pairs(request: &Request) {
    for (at, message) in request.messages.iter().enumerate() {
        let ids = |message: &Message| -> Vec<Arc<str>> {
            let id = |part: &Part| match part {
                Part::ToolCall(call) => Some(Arc::clone(&call.id)),
                Part::ToolResult { id, .. } => Some(Arc::clone(id)),
                _ => None,
            };
            message.parts.iter().filter_map(id).collect()
        };
        if message.role == Role::Assistant && !ids(message).is_empty() {
            assert_eq!(ids(message), ids(&request.messages[at + 1]));
        }
    }
}

fn outcome(parts: Vec<Part>, stop: Stop) -> Outcome {
    let usage = Usage {
        input_tokens: 100,
        output_tokens: 20,
        ..Usage::default()
    };
    Outcome {
        parts,
        stop: Some(stop),
        usage: Some(usage),
        ..Outcome::default()
    }
}

pub(crate) fn agent(id: &str) -> AgentDef {
    AgentDef {
        id: id.into(),
        name: id.to_uppercase(),
        kind: AgentKind::Custom,
        description: format!("does {id}"),
        instructions: format!("You are {id}."),
        capabilities: Vec::new(),
        tools: vec!["note".into(), "look".into(), "mail".into(), "person".into()],
        models: vec![model("test", "m1"), model("test", "m2")],
        max_output_tokens: 512,
        temperature: None,
    }
}

pub(crate) fn model(provider: &str, name: &str) -> ModelRef {
    serde_json::from_value(serde_json::json!({
        "provider": provider, "model": name, "context_tokens": 8192,
        "price": Price { input_per_mtok: Some(MicroUsd(1_000_000)), output_per_mtok: Some(MicroUsd(2_000_000)) }
    }))
    .unwrap()
}

fn tool(name: &str, risk: RiskClass, effect: EffectClass) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        version: "1".into(),
        description: name.into(),
        input_schema: serde_json::json!({"type": "object"}),
        risk,
        effect,
        limits: ToolLimits::default(),
    }
}

pub(crate) fn definition(steps: Vec<StepDef>) -> Definition {
    let agents = ["a", "b", "c"].map(|id| (id.to_owned(), agent(id)));
    let tools = [
        tool("note", RiskClass::WriteReversible, EffectClass::Keyed),
        tool("look", RiskClass::ReadNet, EffectClass::Idempotent),
        tool("mail", RiskClass::Contact, EffectClass::AtMostOnce),
        tool("person", RiskClass::ReadLocal, EffectClass::Idempotent),
    ];
    Definition {
        workflow: WorkflowRef {
            slug: "test".into(),
            name: "Test".into(),
            hash: Hash::of(b"file"),
        },
        agents: agents.into(),
        tools: tools.map(|tool| (tool.name.clone(), tool)).into(),
        limits: RunLimits::default(),
        steps,
        locale: "en".into(),
        dry_run: false,
    }
}

pub(crate) fn speak(id: &str, agents: &[&str]) -> StepDef {
    step(
        id,
        Work::Speak {
            agents: agents.iter().map(|agent| (*agent).to_owned()).collect(),
        },
    )
}

pub(crate) fn step(id: &str, work: Work) -> StepDef {
    StepDef {
        id: id.into(),
        name: id.to_uppercase(),
        task: None,
        work,
        tools: None,
        reads: None,
        approve_plan: false,
        output: None,
        limits: RunLimits::default(),
    }
}

pub(crate) fn chat(
    agents: &[&str],
    select: Select,
    max_round: u32,
    stop: Option<StopCondition>,
    summary: Summary,
) -> Work {
    Work::Chat(ChatDef {
        agents: agents.iter().map(|agent| (*agent).to_owned()).collect(),
        select,
        allow_repeat: false,
        max_round,
        stop,
        summary,
    })
}

pub(crate) fn parallel(join: Join, width: u32, steps: Vec<StepDef>) -> Work {
    Work::Parallel(ParallelDef { join, width, steps })
}
