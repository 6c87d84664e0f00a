//! Which seeds a test runs, and how a failing one is reported.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `case` for every seed: one given as `SEED`, else `count` of them, ten times as many with `BWANA_FULL=1`.
pub(crate) fn for_each(test: &str, count: u64, case: impl Fn(u64)) {
    if let Some(seed) = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        case(seed);
        return;
    }
    let full = std::env::var("BWANA_FULL").is_ok_and(|full| full == "1");
    let count = if full { count * 10 } else { count };
    let mut failed = Vec::new();
    for seed in 0..count {
        if catch_unwind(AssertUnwindSafe(|| case(seed))).is_err() {
            eprintln!(
                "repeat with: SEED={seed} cargo nextest run -p bwana-engine --test simulation {test}"
            );
            failed.push(seed);
            if failed.len() == FAILURES_SHOWN_MAX {
                break;
            }
        }
    }
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
}

/// Failing seeds after which a test gives up.
const FAILURES_SHOWN_MAX: usize = 5;
