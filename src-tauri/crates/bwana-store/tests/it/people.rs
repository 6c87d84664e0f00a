//! Human tasks, the day's money, definitions, settings and the change feed.

use bwana_store::{
    Append, Change, Changes, DayLimit, DaySpent, DefinitionKind, Imported, NewDefinition, Op,
    Store, StoreError, TaskFilter,
};
use bwana_types::entry::{
    Body, CallError, CallErrorClass, CallFailed, CallInterrupted, CallRetried, CallUncertain,
    Reserve, RunEnded, Seq,
};
use bwana_types::hash::Hash;
use bwana_types::id::{RunId, TaskId};
use bwana_types::message::Usage;
use bwana_types::money::MicroUsd;
use bwana_types::status::StopReason;
use bwana_types::task::{DecidedBy, Verdict};

use crate::common::{
    Home, NOW, TestClock, answer, append, behind, block_on, finished, intended, message, new_run,
    opened, run_id,
};

fn memory() -> (Store, RunId) {
    let store = Store::open_memory(TestClock::new()).unwrap();
    block_on(store.create_run(new_run(run_id(1), "x"))).unwrap();
    (store, run_id(1))
}

#[test]
fn the_first_decision_wins_and_the_second_is_told() {
    let (store, run) = memory();
    block_on(store.append(append(run, 1, [opened("Which city?")]))).unwrap();
    let id = TaskId::of_entry(run, 2, NOW);
    let task = store.task(id).unwrap();
    assert_eq!(
        (task.run, task.seq, task.path.as_str(), task.is_open()),
        (run, 2, "plan/r1", true)
    );
    block_on(store.append(append(run, 2, [answer(2, "Nairobi"), message("on")]))).unwrap();
    let late = block_on(store.append(append(run, 4, [message("first"), answer(2, "Lagos")])));
    let nairobi = Verdict::Answer {
        text: "Nairobi".into(),
    };
    assert_eq!(
        late,
        Err(StoreError::TaskAlreadyDecided {
            by: DecidedBy::LocalCli,
            verdict: nairobi.clone()
        })
    );
    // Nothing of the refused batch is there.
    assert_eq!(store.run(run).unwrap().head_seq, 4);
    let decision = store.task(id).unwrap().decision.unwrap();
    assert_eq!((decision.verdict, decision.at), (nairobi, NOW));
    let unknown = block_on(store.append(append(run, 4, [answer(3, "?")])));
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })));
}

#[test]
fn tasks_are_listed_newest_first_by_state_run_and_page() {
    let (store, first) = memory();
    let second = run_id(2);
    block_on(async {
        store.create_run(new_run(second, "y")).await.unwrap();
        store
            .append(append(first, 1, [opened("a"), opened("b")]))
            .await
            .unwrap();
        store
            .append(append(second, 1, [opened("c")]))
            .await
            .unwrap();
        store
            .append(append(first, 3, [answer(2, "x")]))
            .await
            .unwrap();
    });
    let list = |filter: TaskFilter| -> Vec<(RunId, Seq)> {
        store
            .tasks(&filter)
            .unwrap()
            .iter()
            .map(|task| (task.run, task.seq))
            .collect()
    };
    let all = list(TaskFilter::default());
    assert_eq!(all, [(second, 2), (first, 3), (first, 2)]);
    let open = TaskFilter {
        open: Some(true),
        ..TaskFilter::default()
    };
    assert_eq!(list(open), [(second, 2), (first, 3)]);
    let decided = TaskFilter {
        open: Some(false),
        ..TaskFilter::default()
    };
    assert_eq!(list(decided), [(first, 2)]);
    let of_run = TaskFilter {
        run: Some(first),
        ..TaskFilter::default()
    };
    assert_eq!(list(of_run.clone()), [(first, 3), (first, 2)]);
    assert_eq!(
        list(TaskFilter {
            open: Some(true),
            ..of_run.clone()
        }),
        [(first, 3)]
    );
    let page = TaskFilter {
        limit: 1,
        ..TaskFilter::default()
    };
    assert_eq!(list(page.clone()), [(second, 2)]);
    let next = TaskFilter {
        before: Some(TaskId::of_entry(second, 2, NOW)),
        ..page
    };
    assert_eq!(list(next), [(first, 3)]);
    let next = TaskFilter {
        before: Some(TaskId::of_entry(first, 3, NOW)),
        ..of_run
    };
    assert_eq!(list(next), [(first, 2)]);
    let id = TaskId::of_entry(first, 3, NOW);
    let text = id.to_string();
    assert_eq!(store.find_task(&text).unwrap(), id);
    assert_eq!(
        store
            .find_task(&text[text.len() - 6..].to_lowercase())
            .unwrap(),
        id
    );
    assert!(matches!(
        store.find_task("abc"),
        Err(StoreError::Invalid { .. })
    ));
}

const DAY: &str = "2025-11-25";

fn on_day(run: RunId, seq: Seq, limit: i64, bodies: impl IntoIterator<Item = Body>) -> Append {
    Append {
        day: Some(DayLimit {
            day: DAY.into(),
            limit: MicroUsd(limit),
        }),
        ..append(run, seq, bodies)
    }
}

#[track_caller]
fn check_spent(store: &Store, settled: i64, reserved: i64, unpriced_calls: u64) {
    let expected = DaySpent {
        settled: MicroUsd(settled),
        reserved: MicroUsd(reserved),
        unpriced_calls,
    };
    assert_eq!(store.day_spent(DAY).unwrap(), expected);
}

#[test]
fn the_days_money_is_held_back_and_settled_over_all_runs() {
    let home = Home::new();
    let store = home.owner();
    let (first, second) = (run_id(1), run_id(2));
    block_on(async {
        store.create_run(new_run(first, "x")).await.unwrap();
        store.create_run(new_run(second, "y")).await.unwrap();
        store
            .append(on_day(first, 1, 1_000, [intended(600)]))
            .await
            .unwrap();
    });
    check_spent(&store, 0, 600, 0);
    let refused = block_on(store.append(on_day(
        second,
        1,
        1_000,
        [message("x"), intended(300), intended(200)],
    )));
    assert_eq!(
        refused,
        Err(StoreError::DayBudget {
            day: DAY.into(),
            left: MicroUsd(400)
        })
    );
    check_spent(&store, 0, 600, 0);
    assert_eq!(
        store.run(second).unwrap().head_seq,
        1,
        "nothing of a refused batch is stored"
    );
    block_on(store.append(on_day(second, 1, 1_000, [intended(400)]))).unwrap();
    block_on(store.append(on_day(first, 2, 1_000, [finished(2, Some(250))]))).unwrap();
    check_spent(&store, 250, 400, 0);
    // The next process counts the same.
    block_on(store.close()).unwrap();
    let store = home.owner();
    let refused = block_on(store.append(on_day(first, 3, 1_000, [intended(351)])));
    assert_eq!(
        refused,
        Err(StoreError::DayBudget {
            day: DAY.into(),
            left: MicroUsd(350)
        })
    );
    block_on(store.append(on_day(first, 3, 1_000, [intended(350)]))).unwrap();
    // A result is settled although the day is spent, and may overshoot.
    block_on(store.append(on_day(second, 2, 1_000, [finished(2, Some(450))]))).unwrap();
    check_spent(&store, 700, 350, 0);
    assert_eq!(store.day_spent("2025-11-26").unwrap(), DaySpent::default());
    assert!(matches!(
        store.day_spent("today"),
        Err(StoreError::Invalid { .. })
    ));
}

fn failed(call: Seq, cost: Option<i64>) -> Body {
    CallFailed {
        call,
        error: CallError {
            class: CallErrorClass::Cancelled,
            message: "x".into(),
            status: None,
            request_id: None,
        },
        partial: None,
        usage: Usage::default(),
        cost: cost.map(MicroUsd),
        retry_at: None,
        next_model: false,
    }
    .into()
}

fn interrupted(call: Seq, cost: Option<i64>) -> Body {
    CallInterrupted {
        call,
        cost: cost.map(MicroUsd),
        usage: Usage::default(),
    }
    .into()
}

fn uncertain(call: Seq) -> Body {
    CallUncertain {
        call,
        why: "x".into(),
    }
    .into()
}

fn retried(call: Seq, micro_usd: i64) -> Body {
    CallRetried {
        call,
        attempt: 2,
        reserve: Reserve {
            micro_usd: MicroUsd(micro_usd),
            tokens: 1,
            price_unknown: false,
        },
        provider: "p".into(),
        model: "m".into(),
    }
    .into()
}

/// After these entries behind the first, the day has settled and holds back so much.
#[track_caller]
fn check_booked(bodies: &[Body], settled: i64, reserved: i64, unpriced_calls: u64) {
    let (store, run) = memory();
    block_on(store.append(on_day(run, 1, i64::MAX, bodies.to_vec()))).unwrap();
    check_spent(&store, settled, reserved, unpriced_calls);
    // The same in as many batches, by a writer that forgets in between, and computed anew.
    let home = Home::new();
    block_on(home.owner().create_run(new_run(run, "x"))).unwrap();
    for (seq, body) in (1..).zip(bodies) {
        let store = home.owner();
        block_on(store.append(on_day(run, seq, i64::MAX, [body.clone()]))).unwrap();
    }
    let store = home.owner();
    check_spent(&store, settled, reserved, unpriced_calls);
    let report = store.verify(&mut |_, _| Ok(None)).unwrap();
    assert!(report.is_sound(), "{report:?}");
    block_on(store.rebuild(run, None, "UTC")).unwrap();
    check_spent(&store, settled, reserved, unpriced_calls);
}

#[test]
fn every_way_a_call_ends_is_booked() {
    let ended = RunEnded {
        reason: StopReason::Completed,
    };
    check_booked(&[intended(100)], 0, 100, 0);
    check_booked(&[intended(100), finished(2, Some(30))], 30, 0, 0);
    check_booked(&[intended(100), finished(2, None)], 0, 0, 1);
    check_booked(&[intended(0), finished(2, Some(0))], 0, 0, 0);
    check_booked(&[intended(100), failed(2, Some(10))], 10, 0, 0);
    check_booked(
        &[intended(100), failed(2, Some(10)), retried(2, 120)],
        10,
        120,
        0,
    );
    check_booked(
        &[
            intended(100),
            failed(2, Some(10)),
            retried(2, 120),
            finished(2, Some(50)),
        ],
        60,
        0,
        0,
    );
    check_booked(
        &[intended(100), interrupted(2, Some(100)), retried(2, 100)],
        100,
        100,
        0,
    );
    check_booked(&[intended(100), uncertain(2)], 100, 0, 0);
    check_booked(&[intended(100), intended(50), ended.into()], 150, 0, 0);
}

#[test]
fn a_deleted_run_leaves_what_it_cost() {
    let (store, run) = memory();
    let mut row = bwana_store::RunRow::started(1);
    row.status = bwana_types::status::RunStatus::Done;
    block_on(async {
        store
            .append(on_day(
                run,
                1,
                i64::MAX,
                [intended(5), finished(2, Some(4))],
            ))
            .await
            .unwrap();
        assert_eq!(
            store.delete_run(run).await,
            Err(StoreError::NotEnded { run })
        );
        let mut last = append(run, 3, [message(&"long ".repeat(2_000))]);
        last.row = Some(row);
        let pos = store.append(last).await.unwrap().pos;
        store.delete_run(run).await.unwrap();
        check_spent(&store, 4, 0, 0);
        assert!(matches!(store.load(run), Err(StoreError::NotFound { .. })));
        // Positions are never given out again.
        store.create_run(new_run(run_id(2), "y")).await.unwrap();
        assert!(store.cursor().unwrap().pos > pos);
    });
    let report = store.verify(&mut |_, _| Ok(None)).unwrap();
    assert_eq!((report.problems, report.blobs), (Vec::new(), 1));
}

fn agent(slug: &str, body: &str) -> NewDefinition {
    NewDefinition {
        kind: DefinitionKind::Agent,
        slug: slug.into(),
        name: slug.to_uppercase(),
        hash: Hash::of(body.as_bytes()),
        body: body.into(),
        source: "builtin".into(),
    }
}

#[test]
fn definitions_are_imported_changed_and_removed() {
    let (store, _) = memory();
    block_on(async {
        let put = |new| store.put_definition(new);
        assert_eq!(put(agent("b", "{}")).await, Ok(Imported::Created));
        assert_eq!(put(agent("a", "{}")).await, Ok(Imported::Created));
        assert_eq!(put(agent("a", "{}")).await, Ok(Imported::Unchanged));
        assert_eq!(put(agent("a", "[]")).await, Ok(Imported::Updated));
        let slugs: Vec<String> = store
            .definitions(DefinitionKind::Agent)
            .unwrap()
            .into_iter()
            .map(|found| found.slug + &found.body)
            .collect();
        assert_eq!(slugs, ["a[]", "b{}"]);
        assert_eq!(store.definitions(DefinitionKind::Workflow).unwrap(), []);
        assert_eq!(
            store.definition(DefinitionKind::Workflow, "a").unwrap(),
            None
        );
        assert_eq!(
            store.delete_definition(DefinitionKind::Agent, "a").await,
            Ok(true)
        );
        assert_eq!(
            store.delete_definition(DefinitionKind::Agent, "a").await,
            Ok(false)
        );
        assert_eq!(store.definition(DefinitionKind::Agent, "a").unwrap(), None);
    });
}

#[test]
fn settings_are_kept_apart_from_the_stores_own_facts() {
    let (store, _) = memory();
    block_on(async {
        let epoch = store.cursor().unwrap().epoch;
        store.set_setting("epoch", Some("mine")).await.unwrap();
        assert_eq!(store.setting("epoch").unwrap().as_deref(), Some("mine"));
        assert_eq!(store.cursor().unwrap().epoch, epoch);
        store.set_setting("epoch", None).await.unwrap();
        assert_eq!(store.setting("epoch").unwrap(), None);
    });
}

#[test]
fn the_change_feed_tells_everything_once_and_in_order() {
    let (store, run) = memory();
    let mut seen = store.cursor().unwrap();
    let start = seen.clone();
    block_on(async {
        store
            .append(append(run, 1, [message("a"), message("b"), message("c")]))
            .await
            .unwrap();
        store.put_definition(agent("x", "{}")).await.unwrap();
        store.hide_run(run, true).await.unwrap();
    });
    let (mut entries, mut changes, mut batches) = (Vec::new(), Vec::new(), 0);
    loop {
        let Changes::Batch {
            entries: new,
            changes: other,
            to,
            more,
        } = store.changes_since(&seen, 2).unwrap()
        else {
            panic!("the cursor is fresh");
        };
        entries.extend(new);
        changes.extend(other);
        seen = to;
        batches += 1;
        if !more {
            break;
        }
    }
    assert_eq!(batches, 2);
    assert_eq!(seen, store.cursor().unwrap());
    let expected: Vec<_> = behind(1, [message("a"), message("b"), message("c")])
        .into_iter()
        .map(|entry| (run, entry))
        .collect();
    assert!(entries.windows(2).all(|pair| pair[0].pos < pair[1].pos));
    let entries: Vec<_> = entries
        .into_iter()
        .map(|written| (written.run, written.entry))
        .collect();
    assert_eq!(entries, expected);
    let change = |topic: &str, key: &str| Change {
        topic: topic.into(),
        key: key.into(),
        op: Op::Upsert,
    };
    assert_eq!(
        changes,
        [change("agents", "x"), change("runs", &run.to_string())]
    );
    let nothing = Changes::Batch {
        entries: Vec::new(),
        changes: Vec::new(),
        to: seen.clone(),
        more: false,
    };
    assert_eq!(store.changes_since(&seen, 2).unwrap(), nothing);
    assert_ne!(seen, start);
}

#[test]
fn whoever_watches_hears_of_every_commit() {
    let (store, run) = memory();
    let mut watch = store.watch().unwrap();
    watch.mark_unchanged();
    block_on(store.append(append(run, 1, [message("a")]))).unwrap();
    assert!(watch.has_changed().unwrap());
}
