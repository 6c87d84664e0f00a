//! Test equipment: clocks and ids from a seed, models that answer from a script, servers that count, and homes for
//! black-box tests. Used from integration tests and benches only; nothing here ships.
//!
//! Two rules make a failing test repeatable: an answer is a function of the request alone, and everything random comes
//! from a seed that the test prints.

pub mod bwana;
pub mod effects;
pub mod fault;
mod http;
pub mod ids;
pub mod invariants;
pub mod journal;
pub mod model_server;
pub mod random;
pub mod rng;
pub mod schema;
pub mod script;
pub mod scripted;
pub mod tally;
pub mod time;
mod wire;

pub use bwana::{Bwana, Output, Running};
pub use effects::EffectServer;
pub use fault::{Fault, Faults};
pub use ids::{FixedIds, SeededIds};
pub use journal::Journal;
pub use model_server::ModelServer;
pub use rng::Rng;
pub use script::{Answer, Prompt, Script, When};
pub use scripted::ScriptedModel;
pub use time::{ManualClock, TEST_START, TokioClock};
