//! Tests of the store on real files, one program so that it is linked once.

#![expect(
    clippy::unwrap_used,
    clippy::range_plus_one,
    clippy::large_stack_arrays,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test that cannot go on fails"
)]

mod append;
mod backup;
mod common;
mod concurrency;
mod full;
mod homes;
mod kill;
mod lists;
mod merge;
mod open;
mod people;
mod power_loss;
mod properties;
mod recover;
mod verify;
