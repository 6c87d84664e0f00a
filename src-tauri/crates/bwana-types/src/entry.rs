//! Journal entries: the ordered, append-only record of a run. Everything else about a run is derived from it.
//!
//! Compatibility: a kind is never renamed and a field never changes its meaning. New fields have defaults; a new kind is
//! simply added. A program that meets a kind it does not know keeps it as [`Body::Unknown`]: it can show and replay the
//! run, but does not continue it. A body that must change shape gets a higher `v` and keeps its old reader.

use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::RunLimits;
use crate::effect::EffectClass;
use crate::grant::{EditedArgs, GrantMade};
use crate::hash::Hash;
use crate::id::{GrantId, RunId};
use crate::message::{Part, Stop, Usage};
use crate::model::ErrorKind;
use crate::money::MicroUsd;
use crate::status::{BudgetLimit, RunError, StopReason};
use crate::task::{Ask, DecidedBy, Verdict};
use crate::time::Timestamp;

/// Position of an entry in its run, from 1, without gaps.
pub type Seq = u64;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub seq: Seq,
    /// Never decreases within a run.
    pub at: Timestamp,
    /// Where in the workflow: step ids joined by `/`, then `r3` for the third turn. Empty for the run itself.
    pub path: Arc<str>,
    pub body: Body,
}

/// An entry that has no place in the journal yet: what the pure machine asks to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub path: Arc<str>,
    pub body: Body,
}

impl Draft {
    pub fn new(path: impl Into<Arc<str>>, body: impl Into<Body>) -> Self {
        Self {
            path: path.into(),
            body: body.into(),
        }
    }

    pub fn at(self, seq: Seq, at: Timestamp) -> Entry {
        Entry {
            seq,
            at,
            path: self.path,
            body: self.body,
        }
    }
}

macro_rules! bodies {
    ($($variant:ident = $kind:literal;)+) => {
        /// What an entry says. The kind is a column of its own and not repeated in the stored body.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Body {
            $($variant($variant),)+
            /// A kind of a newer program, kept as it is.
            Unknown { kind: String, v: u32, body: Value },
        }

        impl Body {
            /// Every kind this program writes.
            pub const KINDS: &'static [&'static str] = &[$($kind,)+];

            /// The shape of every kind's body, in the order of [`Self::KINDS`].
            pub fn schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)> {
                vec![$(($kind, generator.subschema_for::<$variant>()),)+]
            }

            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $kind,)+
                    Self::Unknown { kind, .. } => kind,
                }
            }

            /// The body as JSON text, without its kind.
            ///
            /// # Errors
            /// Never for the shapes of this module; serde's type says it could.
            pub fn to_json(&self) -> Result<String, serde_json::Error> {
                match self {
                    $(Self::$variant(body) => serde_json::to_string(body),)+
                    Self::Unknown { body, .. } => serde_json::to_string(body),
                }
            }

            /// Reads a stored body.
            ///
            /// # Errors
            /// If a kind this program knows has a body it cannot read: the journal is damaged.
            pub fn from_json(kind: &str, v: u32, body: &str) -> Result<Self, serde_json::Error> {
                match (kind, v) {
                    $(($kind, BODY_VERSION) => serde_json::from_str(body).map(Self::$variant),)+
                    _ => Ok(Self::Unknown { kind: kind.to_owned(), v, body: serde_json::from_str(body)? }),
                }
            }
        }

        $(impl From<$variant> for Body {
            fn from(body: $variant) -> Self {
                Self::$variant(body)
            }
        })+
    };
}

/// The version this program writes for every kind.
pub const BODY_VERSION: u32 = 1;

impl Body {
    pub fn version(&self) -> u32 {
        match self {
            Self::Unknown { v, .. } => *v,
            _ => BODY_VERSION,
        }
    }
}

bodies! {
    RunCreated = "run_created";
    RunForked = "run_forked";
    StepStarted = "step_started";
    StepFinished = "step_finished";
    SpeakerChosen = "speaker_chosen";
    CallIntended = "call_intended";
    CallRetried = "call_retried";
    CallFinished = "call_finished";
    CallFailed = "call_failed";
    CallInterrupted = "call_interrupted";
    CallUncertain = "call_uncertain";
    ToolAssessed = "tool_assessed";
    MessagePosted = "message_posted";
    TaskOpened = "task_opened";
    TaskDecided = "task_decided";
    NoProgressNoticed = "no_progress_noticed";
    BudgetExhausted = "budget_exhausted";
    BudgetRaised = "budget_raised";
    ArtifactWritten = "artifact_written";
    Edited = "edited";
    RunPaused = "run_paused";
    RunResumed = "run_resumed";
    PersonSaid = "person_said";
    RunStopping = "run_stopping";
    RunEnded = "run_ended";
}

/// First entry of a run that is not a fork.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunCreated {
    /// Slug of the workflow.
    pub workflow: String,
    pub workflow_hash: Hash,
    /// The resolved definition, stored as a blob.
    pub definition: Hash,
    pub input: Arc<str>,
    /// Limits given for this run alone; each one that is set replaces the definition's.
    #[serde(default)]
    pub limits: RunLimits,
    /// Who started it: `local_cli`, `local_ui`, ….
    pub by: String,
}

/// First own entry of a fork; everything before it is shared with the parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunForked {
    pub parent: RunId,
    /// The parent's last shared entry.
    pub at: Seq,
    pub run: RunId,
    pub by: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepStarted {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepFinished {
    pub outcome: StepOutcome,
}

/// How a step ended. Texts stand where they were said; a result points there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepOutcome {
    /// The result is the text of this message; `why` names what ended a chat.
    Message {
        message: Seq,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<StopReason>,
    },
    /// The result is the results of the branches.
    Branches,
    /// The branch lost a race, or its join was already met.
    Skipped,
    Failed {
        error: RunError,
    },
}

/// A turn begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpeakerChosen {
    pub agent: String,
    pub by: ChosenBy,
    /// The run would end here, and a person's words (`seq` of `person_said`) are still unheard: its last speaker takes
    /// one more turn with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Seq>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChosenBy {
    /// The step names its agents.
    Assigned,
    RoundRobin,
    OnlyCandidate,
    Model,
    /// The model gave no usable name; the next eligible agent in declared order.
    SelectorFallback,
}

/// Written when nothing is left to do but the effect itself. No intent means never sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallIntended {
    pub call: Call,
    pub effect: EffectClass,
    pub reserve: Reserve,
    /// Of what is sent: proves on resume and in a replay that the same thing was meant.
    pub input: Hash,
    /// For the other side to recognise a repetition; never recomputed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Hash>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Call {
    Model(ModelCall),
    Tool(ToolCallRef),
}

/// A model call by reference: with the state at this point, the prompt can be built again exactly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelCall {
    pub agent: String,
    pub purpose: Purpose,
    pub provider: String,
    pub model: String,
    pub max_output_tokens: u32,
    #[serde(default, skip_serializing_if = "Window::is_whole")]
    pub window: Window,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The agent speaks or uses tools.
    Turn,
    /// Who speaks next.
    Select,
    /// Sum a chat up.
    Summary,
}

/// Which part of the conversation fits the model's context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// Bytes each earlier result, and whatever the person said, is cut to, head and tail; 0 = whole.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub result_max_bytes: u32,
    /// Oldest turns left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_turns: u32,
}

impl Window {
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde's skip_serializing_if asks for"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A tool call by reference to the finished model call that asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCallRef {
    pub agent: String,
    pub tool: String,
    pub version: String,
    /// `seq` of the intent of the model call that asked for it.
    pub model_call: Seq,
    /// Which of that answer's tool calls, from 0.
    pub index: u32,
}

/// Held back before a call, settled after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reserve {
    pub micro_usd: MicroUsd,
    pub tokens: u64,
    /// The price is unknown; the money held back is no measure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub price_unknown: bool,
}

/// Another attempt of a call begins: after a failure, or after an interruption.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallRetried {
    /// `seq` of the first intent.
    pub call: Seq,
    /// From 2.
    pub attempt: u32,
    pub reserve: Reserve,
    /// Of a model call; empty for a tool.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallFinished {
    /// `seq` of the first intent.
    pub call: Seq,
    pub result: CallResult,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CallResult {
    Model(ModelResult),
    Tool(ToolResult),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelResult {
    pub parts: Vec<Part>,
    pub stop: Stop,
    pub usage: Usage,
    /// `None`: the price is unknown.
    pub cost: Option<MicroUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolResult {
    /// What the model sees.
    pub content: Arc<str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// Where outside text came from (a host), if any did: taints what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A file in the run's artifact folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// Relative to the run's artifact folder, with `/`.
    pub file: String,
    pub bytes: u64,
    pub hash: Hash,
}

/// One attempt of a call failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallFailed {
    pub call: Seq,
    pub error: CallError,
    /// What was said before it broke: shown to people, never put into a transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Arc<str>>,
    #[serde(default)]
    pub usage: Usage,
    /// What the broken attempt is booked at; `None`: the price is unknown.
    pub cost: Option<MicroUsd>,
    /// When the next attempt begins; `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// The next attempt uses the next model of the agent's chain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub next_model: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallError {
    pub class: CallErrorClass,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallErrorClass {
    Model(ErrorKind),
    /// The tool said so; the model is told.
    Tool,
    /// The tool ran into its time limit.
    ToolTimeout,
    Cancelled,
}

/// A previous process died while this attempt was in flight. The call may be made again; the lost attempt is booked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallInterrupted {
    pub call: Seq,
    /// Booked at the reservation, an estimate; `None`: the price is unknown.
    pub cost: Option<MicroUsd>,
    pub usage: Usage,
}

/// The effect may have happened; only a person can tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallUncertain {
    pub call: Seq,
    pub why: String,
}

/// The policy's answer to one tool call of a model's answer, recorded before anything else happens to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolAssessed {
    pub model_call: Seq,
    pub index: u32,
    pub verdict: Assessment,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Assessment {
    Allow {
        why: String,
        /// The grant that made it so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant: Option<GrantId>,
    },
    /// A person decides; the ask is what the human task will say.
    Ask { ask: Ask },
    /// Told to the model as the call's result.
    Refuse {
        message: String,
        /// The grant of denial that made it so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant: Option<GrantId>,
    },
}

/// Something was said in a step's conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessagePosted {
    pub from: Speaker,
    /// The finished call whose text this is; the text is not repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Seq>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    /// The `person_said` whose words these are: here they enter the conversation. The text is not repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Seq>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Agent(String),
    Person,
    /// The engine itself, to an agent.
    Engine,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskOpened {
    pub ask: Ask,
    /// The intent an uncertain effect belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Seq>,
    /// The tool call an approval belongs to: model call and index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call: Option<(Seq, u32)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDecided {
    /// `seq` of the entry that opened it.
    pub task: Seq,
    pub verdict: Verdict,
    pub by: DecidedBy,
    /// What was allowed or forbidden beyond this one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantMade>,
    /// What was approved in place of what the model asked for. The model's arguments stand in its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<EditedArgs>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoProgressNoticed {
    /// What was repeated, for people.
    pub what: String,
    pub stage: NoProgressStage,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NoProgressStage {
    Warn,
    Replan,
    Stop,
}

/// A call does not fit the budget; the run pauses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetExhausted {
    pub limit: BudgetLimit,
    /// In the limit's unit: micro-USD, tokens, calls, turns or milliseconds.
    pub wanted: i64,
    pub left: i64,
}

/// A person topped the budget up. Limits that are set replace the run's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetRaised {
    pub limits: RunLimits,
    pub by: String,
}

/// A file written by the engine itself, like the run's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactWritten {
    pub artifact: Artifact,
}

/// A person changed what an earlier entry says, in a fork. The old entry stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edited {
    pub replace: Seq,
    pub edit: Edit,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Of a message or of a model's answer.
    Text(Arc<str>),
    /// Of a tool call.
    Result(Arc<str>),
    /// Of the run.
    Input(Arc<str>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunPaused {
    pub reason: StopReason,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunResumed {
    pub by: String,
}

/// A person said something to a run at work. The words wait until their time has come, and enter a conversation with a
/// `message_posted` that points here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PersonSaid {
    pub text: Arc<str>,
    pub when: When,
    /// Through which door: `local_cli`, `local_ui`, ….
    pub by: String,
}

/// When a person's words are heard. Words whose time never comes are heard when the run would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// By the next model call of the run.
    Now,
    /// By the first model call of the next step.
    AfterStep,
    /// When the run would end: its last speaker takes one more turn with them.
    AtEnd,
}

/// Bytes of one thing a person says to a run.
pub const SAID_MAX_BYTES: usize = 16 * 1024;

/// No new work from here on. The first reason by `seq` wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStopping {
    pub reason: StopReason,
}

/// Last entry of a run, except decisions that settle what was left open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunEnded {
    pub reason: StopReason,
}

impl Entry {
    /// The entry as one JSON object: `run, seq, at, type, path` and the fields of its body.
    pub fn to_event(&self, run: &str) -> Value {
        let mut event = serde_json::Map::new();
        event.insert("run".into(), run.into());
        event.insert("seq".into(), self.seq.into());
        event.insert("at".into(), self.at.to_rfc3339().into());
        event.insert("type".into(), self.body.kind().into());
        if !self.path.is_empty() {
            event.insert("path".into(), (&*self.path).into());
        }
        let body = self
            .body
            .to_json()
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok());
        if let Some(Value::Object(fields)) = body {
            for (key, value) in fields {
                event.entry(key).or_insert(value);
            }
        }
        Value::Object(event)
    }
}

/// A place in a run as people write it: run, step path and `seq`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.seq, self.body.kind(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_a_newer_program_is_kept_as_it_is() {
        let body = Body::from_json("memory_written", 3, r#"{"memory":"mem_1"}"#).unwrap();
        assert_eq!((body.kind(), body.version()), ("memory_written", 3));
        assert_eq!(body.to_json().unwrap(), r#"{"memory":"mem_1"}"#);
    }

    #[test]
    fn a_newer_version_of_a_known_kind_is_kept_as_it_is() {
        let body = Body::from_json("step_started", 2, r#"{"lane":1}"#).unwrap();
        assert!(matches!(body, Body::Unknown { v: 2, .. }));
    }

    #[test]
    fn a_body_with_fields_of_a_newer_program_is_read() {
        let body = Body::from_json("run_resumed", 1, r#"{"by":"local_cli","host":"x"}"#).unwrap();
        assert_eq!(
            body,
            RunResumed {
                by: "local_cli".into()
            }
            .into()
        );
    }

    #[test]
    fn an_event_carries_its_place_and_its_body() {
        let entry = Draft::new(
            "a/r1",
            SpeakerChosen {
                agent: "bi".into(),
                by: ChosenBy::Assigned,
                answers: None,
            },
        )
        .at(7, Timestamp(0));
        assert_eq!(
            entry.to_event("run_X"),
            serde_json::json!({"run": "run_X", "seq": 7, "at": "1970-01-01T00:00:00.000Z", "type": "speaker_chosen",
                "path": "a/r1", "agent": "bi", "by": "assigned"})
        );
    }
}
