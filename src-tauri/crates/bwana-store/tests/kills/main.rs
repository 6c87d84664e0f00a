//! Care of data under kills: a program of its own, because starting so many others would make tests beside it wait for
//! locks that a child holds until it is itself.

#![cfg(feature = "fault-points")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod care;
#[path = "../it/common.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod common;
#[path = "../it/homes.rs"]
mod homes;
