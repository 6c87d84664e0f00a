//! A journal of an earlier day, folded for ever: no change of this program may change what it says.

use std::sync::Arc;

use bwana_types::definition::Definition;
use bwana_types::entry::{Body, Entry};
use bwana_types::id::RunId;
use bwana_types::time::Timestamp;
use bwana_workflow::machine::{RunState, apply};
use serde_json::Value;

/// A journal and the definition it was written with. None is ever changed; a newer one shows what came since.
struct Golden {
    journal: &'static str,
    definition: &'static str,
}

const FIRST: Golden = Golden {
    journal: include_str!("golden/journal-1.jsonl"),
    definition: include_str!("golden/definition-1.json"),
};
/// With words of a person, grants and changed arguments.
const SECOND: Golden = Golden {
    journal: include_str!("golden/journal-2.jsonl"),
    definition: include_str!("golden/definition-2.json"),
};

fn entries(golden: &Golden) -> Vec<Entry> {
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        Entry {
            seq: line["seq"].as_u64().unwrap(),
            at: Timestamp(line["at"].as_i64().unwrap()),
            path: line["path"].as_str().unwrap().into(),
            body: Body::from_json(
                line["kind"].as_str().unwrap(),
                u32::try_from(line["v"].as_u64().unwrap()).unwrap(),
                &line["body"].to_string(),
            )
            .unwrap(),
        }
    };
    golden.journal.lines().map(read).collect()
}

#[test]
fn every_prefix_of_the_golden_journal_folds_to_what_it_always_did() {
    insta::assert_snapshot!(trace(&FIRST));
}

#[test]
fn every_prefix_of_the_second_golden_journal_folds_to_what_it_always_did() {
    insta::assert_snapshot!(trace(&SECOND));
}

/// What every prefix folds to.
fn trace(golden: &Golden) -> String {
    let definition: Definition = serde_json::from_str(golden.definition).unwrap();
    let entries = entries(golden);
    let Body::RunCreated(created) = &entries[0].body else {
        panic!("the first entry is run_created")
    };
    assert_eq!(
        definition.hash(),
        created.definition,
        "the definition is the one the journal was written with"
    );
    let run = RunId::derived(Timestamp(1), &[b"golden"]);
    let mut state = RunState::new(run, Arc::new(definition), &entries[0], created);
    let mut trace = String::new();
    for entry in &entries[1..] {
        apply(&mut state, entry);
        trace.push_str(&format!(
            "{entry} | {} calls {} tasks {} settled {} reserved {}{}\n",
            state.status().as_str(),
            state.calls.len(),
            state.tasks.len(),
            state.ledger.settled,
            state.ledger.reserved,
            match state.queued.len() {
                0 => String::new(),
                queued => format!(" queued {queued}"),
            }
        ));
    }
    trace.push_str(&state.result_text().unwrap_or_default());
    trace
}

#[test]
fn the_golden_journal_has_every_kind() {
    let entries = entries(&SECOND);
    let missing: Vec<_> = Body::KINDS
        .iter()
        .filter(|kind| !entries.iter().any(|entry| entry.body.kind() == **kind))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
