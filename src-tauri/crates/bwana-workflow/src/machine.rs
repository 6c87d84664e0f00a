//! The run machine: the whole life of a run as a pure function of its journal.
//!
//! One entry at a time: the runtime asks [`decide`] for what comes next, applies each answer at once, and goes on until
//! there is no answer; then it appends the batch in one transaction, and only then starts what is [`outstanding`]. So any
//! prefix of a journal, also one cut inside a batch, is continued by the same code that wrote it.

mod advance;
mod apply;
mod apply_calls;
mod budget;
mod decide;
mod outstanding;
mod place;
mod prompt;
mod state;
mod terms;
mod transcript;
mod words;

pub use apply::apply;
pub use decide::{CallDone, Control, Input, decide};
pub use outstanding::{Obligation, outstanding};
pub use place::Place;
pub use state::{
    CallState, CallStatus, Ledger, OpenTask, Phase, Queued, RunState, StepPhase, StepState,
    SummaryState,
};
pub use transcript::{call_request, tool_slot};
pub use words::{QUEUED_MAX, hears};
