//! What holds of every life of the whole engine.

use bwana_types::entry::Body;

use crate::engine::live;
use crate::seeds::for_each;

#[test]
fn a_life_breaks_no_rule_and_is_the_same_when_lived_again() {
    for_each("a_life", 2_000, |seed| {
        let life = live(seed);
        let again = live(seed);
        assert_eq!(life.trace, again.trace, "the same seed led another life");
    });
}

/// A simulation in which nothing happens proves nothing.
#[test]
fn lives_are_eventful() {
    let mut seen = std::collections::BTreeMap::new();
    let mut processes = 0;
    for seed in 0..LIVES {
        let life = live(seed);
        processes += life.processes;
        for entry in life.journals.iter().flatten() {
            *seen.entry(entry.body.kind().to_owned()).or_insert(0_u32) += 1;
        }
    }
    let forks = ["run_forked", "edited"];
    for kind in Body::KINDS.iter().filter(|kind| !forks.contains(kind)) {
        assert!(seen.contains_key(*kind), "{kind} never happens: {seen:?}");
    }
    let enough = u32::try_from(LIVES * 3 / 2).unwrap();
    assert!(
        processes > enough,
        "only {processes} processes in {LIVES} lives"
    );
}

/// So many that the rarest thing happens: an agent that repeats itself, with nothing failing in between.
const LIVES: u64 = 600;
