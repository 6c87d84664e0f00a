//! Workflow definitions, their validation, and the pure run machine.
//!
//! The machine is a fold: [`machine::apply`] changes a [`machine::RunState`] by one journal entry, [`machine::decide`]
//! answers what to write next, [`machine::outstanding`] what must be under way. No clock, randomness, disk or network.

pub mod definition;
pub mod machine;
