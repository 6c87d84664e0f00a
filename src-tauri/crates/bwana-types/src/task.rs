//! Human tasks: questions only a person can settle, and the answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::effect::{EffectClass, RiskClass};
use crate::grant::Pattern;

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ask {
    /// May this tool be used with exactly these arguments?
    Approve {
        tool: String,
        version: String,
        agent: String,
        risk: RiskClass,
        effect: EffectClass,
        /// Canonical JSON text of the arguments.
        args: String,
        /// SHA-256 over tool, version, canonical arguments, run and step path (`hash::approval_hash`).
        args_hash: String,
        /// What would happen, in one line a person understands, written by the tool.
        preview: String,
        /// Why the policy asks.
        why: String,
        /// Which calls could be allowed together with this one, the narrowest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        patterns: Vec<Pattern>,
        /// Untrusted text is in this run, and the idea may come from there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        tainted: bool,
    },
    /// A step should be looked at before it starts.
    Plan {
        step: String,
        agents: Vec<String>,
        tools: Vec<String>,
    },
    /// An effect was started and its result is unknown: it may have happened.
    Uncertain {
        tool: String,
        args: String,
        args_hash: String,
        preview: String,
        /// What interrupted it.
        why: String,
    },
    /// A provider's price is unknown and a money limit is set.
    Price { provider: String, model: String },
    /// An agent asks the person a question. Any text is an answer; `choices` are suggestions.
    Answer {
        agent: String,
        question: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        choices: Vec<String>,
    },
}

impl Ask {
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Approve { .. } => TaskKind::Approve,
            Self::Plan { .. } => TaskKind::Plan,
            Self::Uncertain { .. } => TaskKind::Uncertain,
            Self::Price { .. } => TaskKind::Price,
            Self::Answer { .. } => TaskKind::Answer,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    Approve,
    Plan,
    Uncertain,
    Price,
    Answer,
}

/// What a person said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// Yes, to exactly what was asked. For `Price`: go on under token limits.
    Approve,
    /// No; the model is told so, with the reason if there is one.
    Deny {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// For `Answer`.
    Answer { text: String },
    /// For `Uncertain`: it did happen.
    HappenedAlready {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// For `Uncertain`: do it once more, knowing that it may have happened.
    SendAgain,
    /// For `Uncertain`: it did not happen, and it should not.
    GiveUp,
}

impl Verdict {
    /// Whether this verdict settles a task of this kind.
    pub fn fits(&self, kind: TaskKind) -> bool {
        match self {
            Self::Approve => matches!(kind, TaskKind::Approve | TaskKind::Plan | TaskKind::Price),
            Self::Deny { .. } => kind != TaskKind::Uncertain,
            Self::Answer { .. } => kind == TaskKind::Answer,
            Self::HappenedAlready { .. } | Self::SendAgain | Self::GiveUp => {
                kind == TaskKind::Uncertain
            }
        }
    }
}

/// Through which door a decision came. Only these may decide; a link, the gateway, a model or a workflow may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    LocalUi,
    LocalCli,
    /// `--approve deny`: nobody is there to answer.
    Unattended,
    /// The run or its branch is over, so the question is moot.
    RunEnded,
}
