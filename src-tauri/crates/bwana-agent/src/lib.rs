//! One agent's turn and the group chat as pure machines: the tool loop, who speaks next, when a chat ends, and whether
//! anything moves. Values inside a run's state; they read no clock, no randomness, no disk and no network.

pub mod chat;
pub mod progress;
pub mod stop;
pub mod turn;
