//! The append and its rules.

use bwana_store::{BATCH_ENTRIES_MAX, NewFork, RunRow, Store, StoreError};
use bwana_types::entry::{
    Body, CallRetried, ChosenBy, Draft, Entry, Reserve, RunEnded, RunForked, RunStopping,
    SpeakerChosen, StepStarted,
};
use bwana_types::id::RunId;
use bwana_types::status::{RunStatus, StopReason};
use bwana_types::time::Timestamp;

use crate::common::{
    Home, NOW, TestClock, append, behind, block_on, created, decided, intended, message, new_run,
    opened, run_id,
};

#[test]
fn what_was_appended_is_read_back() {
    let home = Home::new();
    let store = home.owner();
    let run = run_id(1);
    block_on(async {
        let made = store
            .create_run(new_run(run, "Open a bakery\nin Nairobi"))
            .await
            .unwrap();
        assert_eq!(made.pos, 1);
        let appended = store
            .append(append(
                run,
                1,
                [message("one"), message(&"long ".repeat(2_000))],
            ))
            .await
            .unwrap();
        assert_eq!(appended.pos, 3);
        store.barrier(appended.pos).await.unwrap();
        assert!(store.durable_pos() >= appended.pos);
    });
    let mut expected = new_run(run, "Open a bakery\nin Nairobi").entries;
    expected.extend(behind(1, [message("one"), message(&"long ".repeat(2_000))]));
    assert_eq!(store.load(run).unwrap(), expected);
    assert_eq!(store.run(run).unwrap().title, "Open a bakery");
    assert_eq!(store.run(run).unwrap().head_seq, 3);
    assert_eq!(store.entries(run, 2, 1).unwrap(), expected[1..2]);
    block_on(store.close()).unwrap();
    assert_eq!(store.load(run), Err(StoreError::Closed));
    assert_eq!(home.reader().load(run).unwrap(), expected);
}

fn memory() -> (Store, RunId) {
    let store = Store::open_memory(TestClock::new()).unwrap();
    block_on(store.create_run(new_run(run_id(1), "x"))).unwrap();
    (store, run_id(1))
}

fn stopping() -> Body {
    let reason = StopReason::Completed;
    RunStopping { reason }.into()
}

fn ended() -> Body {
    let reason = StopReason::Completed;
    RunEnded { reason }.into()
}

fn speaker() -> Body {
    SpeakerChosen {
        agent: "a".into(),
        by: ChosenBy::Assigned,
        answers: None,
    }
    .into()
}

fn retried() -> Body {
    CallRetried {
        call: 2,
        attempt: 2,
        reserve: Reserve::default(),
        provider: "p".into(),
        model: "m".into(),
    }
    .into()
}

/// After `before` was appended, `batch` is refused, and nothing of it is stored.
#[track_caller]
fn check_refused(before: &[Body], batch: &[Body]) {
    let (store, run) = memory();
    let seq = 1 + before.len() as u64;
    if !before.is_empty() {
        block_on(store.append(append(run, 1, before.to_vec()))).unwrap();
    }
    let refused = block_on(store.append(append(run, seq, batch.to_vec()))).unwrap_err();
    assert!(matches!(refused, StoreError::Forbidden { .. }), "{refused}");
    assert_eq!(store.run(run).unwrap().head_seq, seq);
    // The writer is not confused by what it undid.
    if !before.iter().any(|body| matches!(body, Body::RunEnded(_))) {
        block_on(store.append(append(run, seq, [message("goes on")]))).unwrap();
    }
}

#[test]
fn after_stopping_no_work_starts() {
    for body in [StepStarted {}.into(), speaker(), intended(0), retried()] {
        check_refused(&[stopping()], &[body.clone()]);
        check_refused(&[], &[message("fine"), stopping(), body]);
    }
}

#[test]
fn after_the_end_only_decisions_follow() {
    for body in [message("late"), stopping(), ended(), StepStarted {}.into()] {
        check_refused(&[stopping(), ended()], &[body]);
    }
    let (store, run) = memory();
    let journal = [opened("Really?"), stopping(), ended()];
    block_on(store.append(append(run, 1, journal))).unwrap();
    block_on(store.append(append(run, 4, [decided(2)]))).unwrap();
}

#[test]
fn a_run_begins_once() {
    check_refused(&[], &[created("again")]);
    let forked = RunForked {
        parent: run_id(1),
        at: 1,
        run: run_id(2),
        by: "local_cli".into(),
    };
    check_refused(&[], &[forked.into()]);
}

#[test]
fn numbers_have_no_gaps_and_time_does_not_go_back() {
    let (store, run) = memory();
    let entry =
        |seq, at: i64| -> Entry { Draft::new("", message("x")).at(seq, Timestamp(NOW.0 + at)) };
    for entries in [
        vec![entry(3, 0)],
        vec![entry(1, 0)],
        vec![entry(2, 0), entry(4, 0)],
        vec![entry(2, -1)],
        vec![entry(2, 5), entry(3, 4)],
    ] {
        let mut batch = append(run, 1, []);
        batch.entries = entries;
        let refused = block_on(store.append(batch)).unwrap_err();
        assert!(matches!(refused, StoreError::Forbidden { .. }), "{refused}");
    }
    assert_eq!(store.load(run).unwrap().len(), 1);
}

#[test]
fn an_append_that_believes_in_another_head_is_refused() {
    let (store, run) = memory();
    let refused = block_on(store.append(append(run, 2, [message("x")])));
    let expected = StoreError::WrongSeq {
        run,
        expected: 2,
        head: 1,
    };
    assert_eq!(refused, Err(expected));
}

#[test]
fn a_batch_has_a_size() {
    let (store, run) = memory();
    for entries in [0, BATCH_ENTRIES_MAX + 1] {
        let batch = append(run, 1, std::iter::repeat_n(message("x"), entries));
        let refused = block_on(store.append(batch)).unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { .. }), "{refused}");
    }
}

#[test]
fn a_run_that_does_not_exist_is_said_so() {
    let (store, _) = memory();
    let refused = block_on(store.append(append(run_id(9), 1, [message("x")])));
    assert!(matches!(
        refused,
        Err(StoreError::NotFound { what: "run", .. })
    ));
    assert_eq!(
        refused.unwrap_err().code(),
        bwana_types::error::ErrorCode::UsageNotFound
    );
}

#[test]
fn the_row_follows_the_journal() {
    let home = Home::new();
    let store = home.owner();
    let run = run_id(1);
    block_on(store.create_run(new_run(run, "x"))).unwrap();
    let mut row = RunRow::started(5);
    row.status = RunStatus::Failed;
    row.stop_reason = Some(StopReason::Cancelled {
        by: "local_cli".into(),
    });
    row.usage.output_tokens = 7;
    row.step = Some("plan".into());
    row.steps_done = 2;
    let mut batch = append(run, 1, [message("x")]);
    batch.entries[0].at = Timestamp(NOW.0 + 9);
    batch.row = Some(row.clone());
    block_on(store.append(batch)).unwrap();
    // A batch without a row leaves it.
    let mut later = append(run, 2, [message("y")]);
    later.entries[0].at = Timestamp(NOW.0 + 10);
    block_on(store.append(later)).unwrap();
    let info = store.run(run).unwrap();
    assert_eq!(
        (info.row, info.head_seq, info.updated_at.0),
        (row.clone(), 3, NOW.0 + 10)
    );
    // A writer that remembers nothing goes on from the same place.
    block_on(store.close()).unwrap();
    let store = home.owner();
    row.status = RunStatus::Running;
    row.stop_reason = None;
    let mut batch = append(run, 3, [message("z")]);
    batch.entries[0].at = Timestamp(NOW.0 + 10);
    batch.row = Some(row.clone());
    block_on(store.append(batch)).unwrap();
    assert_eq!(store.run(run).unwrap().row, row);
    assert_eq!(store.run_counts().unwrap(), [(RunStatus::Running, 1)]);
}

#[test]
fn a_fork_shares_its_parents_beginning() {
    let (store, run) = memory();
    let texts = |run: RunId| -> Vec<String> {
        let entries = store.load(run).unwrap();
        for (expected, entry) in (1..).zip(&entries) {
            assert_eq!(entry.seq, expected);
        }
        entries
            .iter()
            .skip(1)
            .map(|entry| match &entry.body {
                Body::MessagePosted(message) => {
                    message.text.as_deref().unwrap_or_default().to_owned()
                }
                other => other.kind().to_owned(),
            })
            .collect()
    };
    let fork = |id: u64, parent: RunId, at: u64| {
        let forked = RunForked {
            parent,
            at,
            run: run_id(id),
            by: "local_cli".into(),
        };
        block_on(store.create_fork(NewFork {
            id: run_id(id),
            parent,
            fork_seq: at,
            entries: behind(at, [forked.into(), message(&format!("own of {id}"))]),
            row: RunRow::started(5),
        }))
        .map(|_| run_id(id))
    };
    block_on(store.append(append(run, 1, [message("a"), message("b"), message("c")]))).unwrap();
    let child = fork(2, run, 3).unwrap();
    assert_eq!(texts(child), ["a", "b", "run_forked", "own of 2"]);
    let grandchild = fork(3, child, 4).unwrap();
    assert_eq!(
        texts(grandchild),
        ["a", "b", "run_forked", "run_forked", "own of 3"]
    );
    // A cut within what is shared already.
    let early = fork(4, child, 2).unwrap();
    assert_eq!(texts(early), ["a", "run_forked", "own of 4"]);
    // The parent goes on without its forks noticing.
    block_on(store.append(append(run, 4, [message("d")]))).unwrap();
    assert_eq!(texts(child), ["a", "b", "run_forked", "own of 2"]);
    assert_eq!(texts(run), ["a", "b", "c", "d"]);
    assert_eq!(
        store.entries(grandchild, 3, 2).unwrap(),
        store.load(grandchild).unwrap()[2..4]
    );
    let info = store.run(grandchild).unwrap();
    assert_eq!((info.parent, info.head_seq), (Some((child, 4)), 6));
    assert_eq!(info.definition, store.run(run).unwrap().definition);
    let forks: Vec<RunId> = store
        .forks(child)
        .unwrap()
        .iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(forks, [early, grandchild]);
    for at in [0, 6] {
        assert!(
            matches!(fork(5, run, at), Err(StoreError::Invalid { .. })),
            "{at}"
        );
    }
    assert!(matches!(
        fork(5, run_id(9), 1),
        Err(StoreError::NotFound { .. })
    ));
    block_on(store.append(append(grandchild, 6, [message("more")]))).unwrap();
}

#[test]
fn a_run_is_made_once() {
    let (store, run) = memory();
    let again = block_on(store.create_run(new_run(run, "x")));
    assert!(matches!(again, Err(StoreError::Invalid { .. })));
    assert_eq!(store.load(run).unwrap().len(), 1);
}

#[test]
fn a_definition_is_stored_with_its_first_run_and_shared() {
    let (store, run) = memory();
    block_on(store.create_run(new_run(run_id(2), "y"))).unwrap();
    assert_eq!(
        &*store.definition_of(run).unwrap(),
        crate::common::DEFINITION
    );
    assert_eq!(
        store.run(run).unwrap().definition,
        store.run(run_id(2)).unwrap().definition
    );
    let other = block_on(store.put_blob(b"other".to_vec())).unwrap();
    assert_eq!(
        store.get_blob(other).unwrap().as_deref(),
        Some(&b"other"[..])
    );
    assert_eq!(
        store.get_blob(bwana_types::hash::Hash::of(b"?")).unwrap(),
        None
    );
}
