//! What holds of every run of the pure machine, whatever the workflow and whatever goes wrong.

use std::sync::Arc;

use bwana_types::definition::{StepDef, Work};
use bwana_types::entry::{Body, Entry, When};
use bwana_types::hash::Hash;
use bwana_types::status::StopReason;

use crate::pure::{Habits, Pure, fold};
use crate::seeds::for_each;

/// Of everything a journal says: two runs with the same trace did the same.
fn trace(journal: &[Entry]) -> Hash {
    let lines: Vec<String> = journal
        .iter()
        .map(|entry| format!("{entry} {} {}", entry.at, entry.body.to_json().unwrap()))
        .collect();
    Hash::of(lines.join("\n").as_bytes())
}

#[test]
fn a_wild_run_breaks_no_rule_and_comes_to_rest() {
    for_each("a_wild_run", 2_000, |seed| {
        let mut run = Pure::new(seed, Habits::WILD);
        run.drive();
        for (key, times) in &run.effects {
            let allowed = 1 + run.sent_again.get(key).copied().unwrap_or_default();
            assert!(
                *times <= allowed,
                "an effect happened {times} times, {allowed} allowed"
            );
        }
    });
}

#[test]
fn the_same_seed_gives_the_same_journal() {
    for_each("the_same_seed", 300, |seed| {
        let traces = [(); 2].map(|()| {
            let mut run = Pure::new(seed, Habits::WILD);
            run.drive();
            trace(&run.journal)
        });
        assert_eq!(traces[0], traces[1]);
    });
}

#[test]
fn a_replay_of_any_prefix_is_the_live_state_at_that_entry() {
    for_each("a_replay_of_any_prefix", 300, |seed| {
        let mut run = Pure::new(seed, Habits::WILD);
        run.drive();
        let definition = Arc::clone(&run.state.definition);
        assert_eq!(run.states.len(), run.journal.len());
        // Every prefix of a short journal, about forty of a long one.
        let step = run.journal.len().div_ceil(40);
        for cut in
            (1..=run.journal.len()).filter(|cut| cut % step == 0 || *cut == run.journal.len())
        {
            let replayed = fold(run.state.run, &definition, &run.journal[..cut]);
            assert!(
                replayed == run.states[cut - 1],
                "a replay up to entry {cut} differs"
            );
        }
    });
}

#[test]
fn every_prefix_of_a_journal_goes_on_to_the_same_end() {
    for_each("every_prefix", 150, |seed| {
        let mut run = Pure::new(seed, Habits::CALM);
        run.drive();
        let whole = run.state;
        assert!(matches!(
            whole.stop_reason(),
            Some(StopReason::Completed | StopReason::NoProgress { .. })
        ));
        let step = run.journal.len().div_ceil(25);
        for cut in
            (1..run.journal.len()).filter(|cut| step == 1 || cut % step == seed as usize % step)
        {
            let prefix = &run.journal[..cut];
            let mut again = Pure::continued(&whole.definition, prefix, seed, Habits::CALM);
            again.drive();
            assert_eq!(
                again.state.stop_reason(),
                whole.stop_reason(),
                "cut at {cut}"
            );
            assert_eq!(
                again.state.result_text(),
                whole.result_text(),
                "cut at {cut}"
            );
            assert_eq!(again.journal[..cut], *prefix, "an entry was lost");
            assert_eq!(
                repeated(&again.journal),
                0,
                "a finished call was made again"
            );
        }
    });
}

#[test]
fn words_of_a_person_are_heard_once_wherever_the_journal_is_cut() {
    for_each("words_of_a_person", 150, |seed| {
        let mut run = Pure::new(seed, Habits::CALM);
        for when in [When::AtEnd, When::Now, When::AfterStep, When::AtEnd] {
            assert!(run.say(when), "nobody takes the words");
        }
        run.drive();
        let whole = run.state;
        let completed = whole.stop_reason() == Some(&StopReason::Completed);
        if completed {
            assert_eq!(whole.queued, []);
        }
        let parallel = |step: &StepDef| matches!(step.work, Work::Parallel(_));
        let side_by_side = whole.definition.steps.iter().any(parallel);
        let step = run.journal.len().div_ceil(25);
        for cut in
            (5..run.journal.len()).filter(|cut| step == 1 || cut % step == seed as usize % step)
        {
            let prefix = &run.journal[..cut];
            let mut again = Pure::continued(&whole.definition, prefix, seed, Habits::CALM);
            again.drive();
            let reason = again.state.stop_reason();
            if reason == Some(&StopReason::Completed) {
                assert_eq!(again.state.queued, [], "cut at {cut}");
            }
            // Which of several branches speaks next, and so hears them, depends on which call ends first.
            if side_by_side {
                continue;
            }
            assert_eq!(reason, whole.stop_reason(), "cut at {cut}");
            assert_eq!(
                again.state.result_text(),
                whole.result_text(),
                "cut at {cut}"
            );
        }
    });
}

/// Calls that were finished more than once, or tried again after they had finished.
fn repeated(journal: &[Entry]) -> usize {
    let mut finished = std::collections::BTreeSet::new();
    let mut repeated = 0;
    for entry in journal {
        match &entry.body {
            Body::CallFinished(one) => repeated += usize::from(!finished.insert(one.call)),
            Body::CallRetried(one) => repeated += usize::from(finished.contains(&one.call)),
            _ => {}
        }
    }
    repeated
}
