//! Runs of random workflows in which everything goes wrong that can: the pure machine alone, and the whole engine on a
//! virtual clock. Every case is a function of a seed; a failure prints the line that repeats it.

#![expect(
    clippy::unused_self,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on says where"
)]

mod engine;
mod lives;
mod properties;
mod pure;
mod seeds;
mod sends;
mod world;
