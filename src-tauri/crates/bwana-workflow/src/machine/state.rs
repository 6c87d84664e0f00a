//! The whole state of a run. There is nothing here that the journal does not give back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bwana_agent::chat::Selecting;
use bwana_agent::progress::Progress;
use bwana_agent::turn::{Said, Turn, Words};
use bwana_types::definition::{Definition, RunLimits, StepDef, Work};
use bwana_types::effect::EffectClass;
use bwana_types::entry::{
    Artifact, BudgetExhausted, Call, Entry, Reserve, RunCreated, Seq, StepOutcome, When,
};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::message::Usage;
use bwana_types::money::MicroUsd;
use bwana_types::status::{RunError, RunStatus, StopReason};
use bwana_types::task::Ask;
use bwana_types::time::Timestamp;

use super::decide::next_model;
use super::place::Place;
use super::prompt::Prompt;

#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    pub run: RunId,
    pub definition: Arc<Definition>,
    pub definition_hash: Hash,
    pub input: Arc<str>,
    pub limits: RunLimits,
    /// `seq` of the last entry applied.
    pub head: Seq,
    /// `at` of the last entry applied: the machine's only clock.
    pub now: Timestamp,
    pub created_at: Timestamp,
    /// Time in which the run stood still: paused, waiting for a person, or without a process. No limit counts it.
    pub idle_ms: i64,
    pub phase: Phase,
    /// In the order of the definition.
    pub steps: Vec<StepState>,
    /// Calls with an intent and no final result.
    pub calls: BTreeMap<Seq, CallState>,
    /// What a person said and nobody has heard yet, in the order it was said.
    pub queued: Vec<Queued>,
    /// Open human tasks.
    pub tasks: BTreeMap<Seq, OpenTask>,
    pub ledger: Ledger,
    /// A limit was hit; the run pauses.
    pub exhausted: Option<BudgetExhausted>,
    /// Hosts and files outside text came from.
    pub taint: BTreeSet<Arc<str>>,
    /// Providers a person lets work under token limits although their price is unknown.
    pub prices_accepted: BTreeSet<String>,
    pub artifacts: Vec<Artifact>,
    /// The run's result was saved as this file.
    pub result_file: Option<Artifact>,
    /// A person refused a step; the run ends.
    pub denied: Option<String>,
    /// An entry of a newer program: this one shows the run, but does not continue it.
    pub unknown: Option<(Seq, String)>,
    /// Grows with everything said: the hash of a model call's input is made of it.
    pub digest: Hash,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    Running,
    Paused(StopReason),
    Stopping(StopReason),
    Ended(StopReason),
}

#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    pub phase: StepPhase,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Turns of a speaking or chatting step, in order.
    pub turns: Vec<Turn>,
    /// What a person said before the first turn.
    pub opening_words: Vec<Words>,
    /// The run would have ended with this step, and a person had the last word: a turn was added.
    pub last_word: bool,
    pub selecting: Selecting,
    pub summary: SummaryState,
    /// Branches of a parallel step, in declared order.
    pub children: Vec<StepState>,
    pub ledger: Ledger,
    pub limits: RunLimits,
    pub progress: Progress,
    /// Bytes of everything said and answered in this step so far.
    pub bytes: u64,
    /// Rendered prompts by agent, kept because every call of the step needs them.
    pub(super) prompts: BTreeMap<Arc<str>, Arc<Prompt>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StepPhase {
    Pending,
    /// A person is asked to look at the step.
    PlanAsked {
        task: Seq,
    },
    PlanApproved,
    Running,
    Finished(StepOutcome),
}

/// The summary of a chat on its way.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum SummaryState {
    #[default]
    None,
    Calling(Seq),
    /// Answered by this call, not yet posted.
    Answered {
        call: Seq,
        text: Arc<str>,
    },
    Posted(Said),
}

/// A call between its intent and its result.
#[derive(Debug, Clone, PartialEq)]
pub struct CallState {
    pub path: Arc<str>,
    pub call: Call,
    pub effect: EffectClass,
    pub reserve: Reserve,
    pub key: Option<Hash>,
    /// From 1.
    pub attempt: u32,
    /// Which of the agent's models is used.
    pub model_index: usize,
    /// Attempts on that model.
    pub tries_on_model: u32,
    /// Estimated input tokens of a model call.
    pub prompt_tokens: u64,
    pub status: CallStatus,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CallStatus {
    InFlight,
    /// The attempt failed; another begins then.
    RetryAt {
        at: Timestamp,
        next_model: bool,
    },
    /// The attempt failed and nothing is to be gained by waiting: a person must change something.
    Stalled {
        error: RunError,
        network: bool,
    },
    /// The attempt was in flight when a process died.
    Lost,
    Uncertain,
}

/// Words of a person that wait for their time.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    /// `seq` of the entry that says them.
    pub seq: Seq,
    pub text: Arc<str>,
    pub when: When,
    /// The next model call of the run hears them.
    pub due: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OpenTask {
    pub path: Arc<str>,
    pub ask: Ask,
    pub call: Option<Seq>,
    pub tool_call: Option<(Seq, u32)>,
    pub opened_at: Timestamp,
}

/// What was spent and what is held back, of a run or of a step with everything in it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ledger {
    pub settled: MicroUsd,
    pub reserved: MicroUsd,
    pub tokens_settled: u64,
    pub tokens_reserved: u64,
    pub usage: Usage,
    pub model_calls: u32,
    pub tool_calls: u32,
    pub turns: u32,
    /// Some call had no known price: `settled` is only what is known.
    pub price_unknown: bool,
}

impl RunState {
    /// The state after the first entry of a run.
    pub fn new(
        run: RunId,
        definition: Arc<Definition>,
        entry: &Entry,
        created: &RunCreated,
    ) -> Self {
        let steps = definition.steps.iter().map(StepState::new).collect();
        Self {
            run,
            definition_hash: created.definition,
            input: Arc::clone(&created.input),
            limits: merge_limits(definition.limits, created.limits),
            head: entry.seq,
            now: entry.at,
            created_at: entry.at,
            idle_ms: 0,
            phase: Phase::Running,
            steps,
            calls: BTreeMap::new(),
            queued: Vec::new(),
            tasks: BTreeMap::new(),
            ledger: Ledger::default(),
            exhausted: None,
            taint: BTreeSet::new(),
            prices_accepted: BTreeSet::new(),
            artifacts: Vec::new(),
            result_file: None,
            denied: None,
            unknown: None,
            digest: Hash::of_parts([created.definition.0.as_slice(), created.input.as_bytes()]),
            definition,
        }
    }

    /// Where the run stands, as people and scripts see it.
    pub fn status(&self) -> RunStatus {
        match &self.phase {
            Phase::Ended(reason) => match reason {
                StopReason::Completed | StopReason::Condition { .. } => RunStatus::Done,
                StopReason::Cancelled { .. } => RunStatus::Cancelled,
                StopReason::Failed { .. } | StopReason::Deadlocked { .. } => RunStatus::Failed,
                StopReason::MaxRounds
                | StopReason::Budget { .. }
                | StopReason::NoProgress { .. }
                | StopReason::WaitingForPerson { .. }
                | StopReason::WaitingForNetwork { .. }
                | StopReason::Paused { .. } => RunStatus::Stopped,
            },
            Phase::Stopping(_) => RunStatus::Stopping,
            Phase::Paused(_) => RunStatus::Paused,
            Phase::Running if self.waits_for_person() => RunStatus::Waiting,
            Phase::Running => RunStatus::Running,
        }
    }

    /// Whether nothing is under way and only a person can move the run on.
    pub fn waits_for_person(&self) -> bool {
        !self.tasks.is_empty()
            && self.calls.values().all(|call| match call.status {
                CallStatus::Uncertain | CallStatus::Stalled { .. } => true,
                CallStatus::InFlight => false,
                CallStatus::RetryAt { .. } | CallStatus::Lost => {
                    !self.is_wanted(&call.path) || self.waits_for_price(call)
                }
            })
    }

    /// Whether the step at `path` is still open, so that something may come of a call there.
    pub(super) fn is_wanted(&self, path: &str) -> bool {
        Place::find(&self.definition, path).is_some_and(|place| place.is_open(self))
    }

    /// Whether a person is being asked to accept that the price of `provider` is unknown.
    pub(super) fn asks_price_of(&self, provider: &str) -> bool {
        let asks = |task: &OpenTask| matches!(&task.ask, Ask::Price { provider: asked, .. } if asked == provider);
        self.tasks.values().any(asks)
    }

    /// Whether the next attempt of `call` waits for a person's word on a price.
    pub(super) fn waits_for_price(&self, call: &CallState) -> bool {
        next_model(self, call).is_some_and(|model| self.asks_price_of(&model.provider))
    }

    pub fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    pub fn stop_reason(&self) -> Option<&StopReason> {
        match &self.phase {
            Phase::Running => None,
            Phase::Paused(reason) | Phase::Stopping(reason) | Phase::Ended(reason) => Some(reason),
        }
    }

    /// What the run cost, or `None` if some price is unknown.
    pub fn cost(&self) -> Option<MicroUsd> {
        (!self.ledger.price_unknown).then_some(self.ledger.settled)
    }

    /// The text of the last step's result.
    pub fn result_text(&self) -> Option<String> {
        let (step, def) = self.steps.iter().zip(&self.definition.steps).next_back()?;
        step.result_text(def)
    }

    /// Steps finished and steps in all, counting top-level steps.
    pub fn progress(&self) -> (usize, usize) {
        (
            self.steps.iter().filter(|step| step.is_finished()).count(),
            self.steps.len(),
        )
    }
}

impl StepState {
    pub(super) fn new(def: &StepDef) -> Self {
        let children = match &def.work {
            Work::Parallel(parallel) => parallel.steps.iter().map(Self::new).collect(),
            Work::Speak { .. } | Work::Chat(_) | Work::Pinned { .. } => Vec::new(),
        };
        Self {
            phase: StepPhase::Pending,
            started_at: None,
            finished_at: None,
            turns: Vec::new(),
            opening_words: Vec::new(),
            last_word: false,
            selecting: Selecting::default(),
            summary: SummaryState::None,
            children,
            ledger: Ledger::default(),
            limits: def.limits,
            progress: Progress::default(),
            bytes: 0,
            prompts: BTreeMap::new(),
        }
    }

    pub fn is_finished(&self) -> bool {
        matches!(self.phase, StepPhase::Finished(_))
    }

    /// Whether the step ended with a result.
    pub fn succeeded(&self) -> bool {
        matches!(
            self.phase,
            StepPhase::Finished(StepOutcome::Message { .. } | StepOutcome::Branches)
        )
    }

    /// The text a later step reads: the last message, the summary, or the branches one below the other.
    pub fn result_text(&self, def: &StepDef) -> Option<String> {
        match &self.phase {
            StepPhase::Finished(StepOutcome::Message { message, .. }) => {
                self.said(*message).map(|text| text.to_string())
            }
            StepPhase::Finished(StepOutcome::Branches) => match &def.work {
                Work::Parallel(parallel) => Some(branches_text(&parallel.steps, &self.children)),
                Work::Speak { .. } | Work::Chat(_) | Work::Pinned { .. } => None,
            },
            _ => None,
        }
    }

    /// The text of the message posted at `seq`.
    pub fn said(&self, seq: Seq) -> Option<&Arc<str>> {
        if let SummaryState::Posted(said) = &self.summary
            && said.seq == seq
        {
            return Some(&said.text);
        }
        self.turns
            .iter()
            .rev()
            .filter_map(|turn| turn.said.as_ref())
            .find(|said| said.seq == seq)
            .map(|said| &said.text)
    }

    /// The turn that is under way, if one is.
    pub fn open_turn(&self) -> Option<&Turn> {
        self.turns.last().filter(|turn| turn.said.is_none())
    }
}

/// Results of branches in declared order, each under its name.
fn branches_text(defs: &[StepDef], branches: &[StepState]) -> String {
    let mut text = String::new();
    for (def, branch) in defs.iter().zip(branches) {
        if let Some(result) = branch.result_text(def) {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str("### ");
            text.push_str(&def.name);
            text.push_str("\n\n");
            text.push_str(&result);
        }
    }
    text
}

/// `over` where it says something, `base` elsewhere.
pub(super) fn merge_limits(base: RunLimits, over: RunLimits) -> RunLimits {
    RunLimits {
        micro_usd: over.micro_usd.or(base.micro_usd),
        tokens: over.tokens.or(base.tokens),
        calls: over.calls.or(base.calls),
        turns: over.turns.or(base.turns),
        elapsed_ms: over.elapsed_ms.or(base.elapsed_ms),
    }
}
