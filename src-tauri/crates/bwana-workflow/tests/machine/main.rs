//! The run machine, driven without any runtime: a manual clock, scripted answers, and a crash wherever a test wants one.

mod budgets;
mod chats;
mod driver;
mod forks;
mod golden;
mod parallel;
mod random;
mod steps;
mod tools;
