//! The worker as its host sees it: the protocol on a real process, and the provider on a real model.
//!
//! What needs a model runs when `BWANA_TEST_MODEL` names a GGUF file and says loudly that it was skipped when not.
//! `BWANA_FULL=1` runs the long ones with more seeds.

#![expect(
    clippy::unwrap_used,
    clippy::await_holding_lock,
    reason = "a test that cannot go on fails"
)]

mod drawing;
mod generate;
mod parent;
mod protocol;
mod provider;
mod schemas;
mod support;
