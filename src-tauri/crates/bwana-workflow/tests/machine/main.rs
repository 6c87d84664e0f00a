//! The run machine, driven without any runtime: a manual clock, scripted answers, and a crash wherever a test wants one.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails"
)]

mod budgets;
mod chats;
mod driver;
mod forks;
mod golden;
mod parallel;
mod random;
mod steps;
mod tools;
mod words;
