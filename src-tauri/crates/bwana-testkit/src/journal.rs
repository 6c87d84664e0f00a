//! A run's journal as the command line prints it, and what black-box tests ask of it. Knows the events, not the types
//! behind them, so that a test sees what a script would see.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::bwana::Bwana;
use crate::script::mark_in;

/// The events of a run from 1 on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journal {
    pub events: Vec<Value>,
}

impl Journal {
    /// What `runs events` prints.
    ///
    /// # Panics
    /// If the command fails, or the events have gaps.
    #[track_caller]
    pub fn read(bwana: &Bwana, run: &str) -> Self {
        let output = bwana.run(["runs", "events", run, "--json"]).expect_code(0);
        let journal = Self {
            events: output.json(),
        };
        for (at, event) in journal.events.iter().enumerate() {
            assert_eq!(event["seq"], at as u64 + 1, "a gap in\n{output}");
            assert_eq!(event["run"], run, "an event of another run");
        }
        journal
    }

    /// Whether `earlier` is the beginning of this one: nothing was lost or changed.
    ///
    /// # Panics
    /// With the first difference, if it is not.
    #[track_caller]
    pub fn must_continue(&self, earlier: &Self) {
        for (at, event) in earlier.events.iter().enumerate() {
            assert_eq!(
                self.events.get(at),
                Some(event),
                "entry {} was lost or changed",
                at + 1
            );
        }
    }

    /// Whether everything a process printed stands in the journal.
    ///
    /// # Panics
    /// With the first line that does not.
    #[track_caller]
    pub fn must_contain(&self, printed: &[Value]) {
        for event in printed.iter().filter(|event| event["seq"].is_u64()) {
            let place = event["seq"]
                .as_u64()
                .and_then(|seq| usize::try_from(seq - 1).ok());
            let kept = place.and_then(|place| self.events.get(place));
            assert_eq!(
                kept,
                Some(event),
                "a line was printed that the journal does not have"
            );
        }
    }

    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events
            .iter()
            .filter(move |event| event["type"] == kind)
    }

    /// Model calls with a result: the call's `seq` and the mark of the request that was answered.
    pub fn marks(&self) -> BTreeMap<u64, String> {
        let finished = self.of_type("call_finished").filter_map(|event| {
            let text = event["result"]["parts"][0]["text"].as_str()?;
            Some((event["call"].as_u64()?, mark_in(text)?.to_owned()))
        });
        finished.collect()
    }

    /// Calls that are intended and have no result, no failure and no doubt.
    pub fn open_calls(&self) -> BTreeSet<u64> {
        let intents = self.of_type("call_intended");
        let mut open: BTreeSet<u64> = intents.filter_map(|event| event["seq"].as_u64()).collect();
        for kind in ["call_finished", "call_failed", "call_uncertain"] {
            for call in self
                .of_type(kind)
                .filter_map(|event| event["call"].as_u64())
            {
                open.remove(&call);
            }
        }
        open
    }
}
