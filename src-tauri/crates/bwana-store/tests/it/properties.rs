//! Whatever an entry says, it comes back as it was: all kinds, also those of a newer program, any text, any size.

use bwana_store::{Append, Store};
use bwana_types::entry::{Body, Draft, Entry, StepStarted};
use bwana_types::time::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use crate::common::{NOW, TestClock, block_on, finished, intended, message, new_run, run_id};

/// Any JSON without fractions: those are compared as text elsewhere.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        4 => any::<String>().prop_map(|text| message(&text)),
        2 => ("[a-z\u{0}é ]{1,40}", 0..400_usize).prop_map(|(text, times)| message(&text.repeat(times))),
        1 => any::<i32>().prop_map(|amount| intended(i64::from(amount))),
        1 => (1..100_u64, any::<Option<i32>>()).prop_map(|(call, cost)| finished(call, cost.map(i64::from))),
        1 => Just(StepStarted {}.into()),
        2 => ("x_[a-z_]{1,30}", any::<u32>(), json()).prop_map(|(kind, v, body)| Body::Unknown { kind, v, body }),
        // A known kind in a version of a newer program.
        1 => (2..u32::MAX, json()).prop_map(|(v, body)| Body::Unknown { kind: "message_posted".into(), v, body }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_appended_comes_back(
        drafts in prop::collection::vec((any::<String>(), 0..1_000_i64, body()), 1..24),
        cuts in prop::collection::vec(any::<bool>(), 24),
    ) {
        let store = Store::open_memory(TestClock::new()).unwrap();
        let run = run_id(1);
        block_on(store.create_run(new_run(run, "x"))).unwrap();
        let mut at = NOW.0;
        let entries: Vec<Entry> = (2..).zip(drafts).map(|(seq, (path, later, body))| {
            at += later;
            Draft::new(path, body).at(seq, Timestamp(at))
        }).collect();
        let mut batch = Vec::new();
        for (entry, cut) in entries.iter().zip(cuts) {
            batch.push(entry.clone());
            if cut || entry.seq == entries.len() as u64 + 1 {
                let expected_seq = batch[0].seq - 1;
                let sent = std::mem::take(&mut batch);
                let appended = block_on(store.append(Append {
                    run, expected_seq, entries: sent.clone(), row: None, day: None,
                })).unwrap();
                prop_assert_eq!(appended.entries, sent);
            }
        }
        prop_assert_eq!(&store.load(run).unwrap()[1..], &entries[..]);
        for entry in &entries {
            prop_assert_eq!(&store.entries(run, entry.seq, 1).unwrap()[0], entry);
        }
        prop_assert!(store.verify(&mut |_, _| Ok(None)).unwrap().is_sound());
    }
}
