//! The runtime: performs what the run machine asks for, and writes everything down first.
//!
//! One task per run owns its state, so there are no locks around it. The task appends a batch, applies nothing that was
//! not appended, starts what is outstanding, and waits for the next thing to happen. Tokens of a call on its way are
//! broadcast and never journaled. What belongs to one kind of host (sockets, terminals, windows) does not belong here.

mod assess;
mod clean;
mod engine;
mod error;
mod feed;
mod gate;
mod load;
mod network;
mod perform;
mod report;
mod run;
mod terms;
mod view;

pub use engine::{DayMoney, Deps, Engine, FoundProvider, Models, Options, StartRun, unheard};
pub use error::EngineError;
pub use feed::{PartialText, RunEvent, Watch};
pub use gate::ProviderStanding;
pub use load::{fold, fold_first, fold_on, fold_run, row};
pub use report::{RESULT_FILE, result_document};
pub use terms::{Wanted, offered, terms};
pub use view::{QueuedView, RunView, StepStatus, StepView, TaskView, view, view_of};
