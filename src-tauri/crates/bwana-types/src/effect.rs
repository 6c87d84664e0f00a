//! What a call does to the world, which decides what recovery may do when its result is unknown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often the effect of one call may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// Computes only. Recovery repeats it.
    Pure,
    /// Reads the world. Recovery repeats it.
    Idempotent,
    /// A model call: repeating is safe but costs again. Recovery repeats it and books the lost attempt as estimated.
    Paid,
    /// The other side recognises an idempotency key. Recovery repeats it with the same key.
    Keyed,
    /// E-mail, payment, delete. Recovery never repeats it; a person settles what happened.
    AtMostOnce,
}

impl EffectClass {
    /// Whether the intent must be on disk before the effect starts.
    pub fn needs_barrier(self) -> bool {
        match self {
            Self::Keyed | Self::AtMostOnce => true,
            Self::Pure | Self::Idempotent | Self::Paid => false,
        }
    }

    /// Whether a call whose result is unknown may simply be made again.
    pub fn may_repeat(self) -> bool {
        match self {
            Self::Pure | Self::Idempotent | Self::Paid | Self::Keyed => true,
            Self::AtMostOnce => false,
        }
    }
}

/// What can go wrong if a call is made that should not have been: decides who must agree first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RiskClass {
    ReadLocal,
    ReadNet,
    WriteReversible,
    Execute,
    Destructive,
    Contact,
    Money,
}
