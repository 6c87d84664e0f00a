//! The life of a run: it works, is watched, interrupted, cancelled, forked, and ends where its journal says.

use std::time::Duration;

use bwana_engine::{RunEvent, fold_run, view};
use bwana_testkit::{Script, ScriptedModel};
use bwana_types::entry::{Body, Edit, Edited};
use bwana_types::money::MicroUsd;
use bwana_types::status::{BudgetLimit, RunStatus, StopReason};

use crate::fixture::{Fixture, definition};

fn slow(latency: Duration) -> ScriptedModel {
    ScriptedModel::new(Script::default()).with_pace(latency, Duration::ZERO, 2)
}

#[tokio::test]
async fn a_run_ends_with_its_result_in_a_file_and_everything_on_disk() {
    let fixture = Fixture::new(ScriptedModel::new(Script::default()));
    let shown = fixture.run(definition(3)).await;
    assert_eq!(shown.status, RunStatus::Done);
    assert_eq!(shown, view(&fixture.store, shown.id).unwrap());
    let document = fixture.artifact(shown.id, "result.md");
    assert!(document.starts_with("# Test\n\n> Open a bakery in Nakuru\n\n## Step 0\n"));
    assert!(document.contains(shown.result.as_deref().unwrap()));
    assert!(shown.cost.unwrap() > MicroUsd::ZERO);
}

#[tokio::test]
async fn a_watcher_sees_every_entry_in_order_and_the_text_before_it() {
    let fixture = Fixture::new(slow(Duration::from_millis(5)));
    let run = fixture.start(definition(2)).await;
    let mut watch = fixture.engine.watch(run, 1).unwrap();
    let (mut seqs, mut said) = (Vec::new(), String::new());
    while let Some(event) = watch.next().await {
        match event {
            RunEvent::Entry(entry) => {
                seqs.push(entry.seq);
                if matches!(entry.body, Body::RunEnded(_)) {
                    break;
                }
            }
            RunEvent::Text { offset, text, .. } => {
                said.truncate(usize::try_from(offset).unwrap());
                said.push_str(&text);
            }
            RunEvent::Reset => {}
        }
    }
    let head = fixture.engine.settle(run).await.unwrap().head;
    assert_eq!(seqs, (1..=head).collect::<Vec<_>>());
    assert_eq!(Some(said), fixture.engine.view(run).unwrap().result);
}

#[tokio::test]
async fn a_run_whose_process_died_goes_on_where_it_was() {
    let whole = Fixture::new(slow(Duration::from_millis(2)));
    let expected = whole.run(definition(4)).await;
    for wait_ms in [0, 3, 5, 8, 12, 20] {
        let mut fixture = Fixture::new(slow(Duration::from_millis(2)));
        let run = fixture.start(definition(4)).await;
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        fixture.reopen().await;
        let before = fixture.store.load(run).unwrap();
        fixture.engine.recover().unwrap();
        let shown = fixture.engine.settle(run).await.unwrap();
        assert_eq!(
            (shown.status, &shown.result),
            (RunStatus::Done, &expected.result)
        );
        let after = fixture.store.load(run).unwrap();
        assert_eq!(after[..before.len()], before, "what was written stays");
        let finished = after
            .iter()
            .filter(|entry| entry.body.kind() == "call_finished");
        assert_eq!(finished.count(), 4);
    }
}

#[tokio::test]
async fn a_cancel_ends_a_call_that_hangs() {
    let fixture = Fixture::new(slow(Duration::from_secs(3_600)));
    let run = fixture.start(definition(1)).await;
    // The call must be on its way: one that was never sent costs nothing.
    let intended = |run| {
        let entries = fixture.store.load(run).unwrap();
        entries
            .iter()
            .any(|entry| entry.body.kind() == "call_intended")
    };
    while !intended(run) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    fixture.engine.cancel(run, "local_cli").await.unwrap();
    let shown = fixture.engine.settle(run).await.unwrap();
    assert_eq!(shown.status, RunStatus::Cancelled);
    assert!(
        shown.usage.estimated,
        "the broken call is booked as estimated"
    );
    let error = fixture.engine.resume(run, "local_cli").await.unwrap_err();
    assert_eq!(error.code.as_str(), "run.not_resumable");
}

#[tokio::test]
async fn a_pause_lets_the_call_in_flight_finish_and_a_resume_goes_on() {
    let fixture = Fixture::new(slow(Duration::from_millis(20)));
    let run = fixture.start(definition(3)).await;
    fixture.engine.pause(run, "local_cli").await.unwrap();
    let shown = fixture.engine.settle(run).await.unwrap();
    assert_eq!((shown.status, shown.model_calls), (RunStatus::Paused, 1));
    assert!(shown.usage.output_tokens > 0);
    fixture.engine.resume(run, "local_cli").await.unwrap();
    let standing = fixture.engine.settle(run).await.unwrap();
    assert_eq!(standing.status, RunStatus::Done);
}

#[tokio::test]
async fn the_day_is_one_budget_for_all_runs() {
    let limit = MicroUsd(1_300);
    let fixture = Fixture::with_day_limit(ScriptedModel::new(Script::default()), Some(limit));
    let mut paused = 0;
    for _ in 0..6 {
        let shown = fixture.run(definition(3)).await;
        let today = StopReason::Budget {
            which: BudgetLimit::DayMoney,
        };
        if shown.stop_reason == Some(today) {
            paused += 1;
            assert_eq!(shown.status, RunStatus::Paused);
        }
        let spent = fixture.store.day_spent("2025-11-25").unwrap();
        assert!(spent.settled <= limit, "{}", spent.settled);
        assert_eq!(
            fold_run(&fixture.store, shown.id).unwrap().ledger.reserved,
            MicroUsd::ZERO
        );
    }
    assert!(paused > 0);
}

#[tokio::test]
async fn a_fork_goes_on_from_edited_words_and_leaves_its_parent_alone() {
    let fixture = Fixture::new(ScriptedModel::new(Script::default()));
    let parent = fixture.run(definition(2)).await;
    let entries = fixture.store.load(parent.id).unwrap();
    let posted = entries
        .iter()
        .find(|entry| entry.body.kind() == "message_posted")
        .unwrap()
        .seq;
    let edit = Edited {
        replace: posted,
        edit: Edit::Text("Only rye bread.".into()),
    };
    let fork = fixture
        .engine
        .fork(parent.id, posted, Some(edit), "local_cli")
        .await
        .unwrap();
    assert_eq!(fixture.engine.view(fork).unwrap().status, RunStatus::Paused);
    fixture.engine.resume(fork, "local_cli").await.unwrap();
    let shown = fixture.engine.settle(fork).await.unwrap();
    assert_eq!(shown.steps[0].result.as_deref(), Some("Only rye bread."));
    assert_ne!(shown.result, parent.result);
    assert_eq!(fixture.engine.view(parent.id).unwrap(), parent);
    let wrong = Edited {
        replace: 2,
        edit: Edit::Text("x".into()),
    };
    let error = fixture
        .engine
        .fork(parent.id, posted, Some(wrong), "local_cli")
        .await
        .unwrap_err();
    assert_eq!(error.code.as_str(), "usage.invalid");
    assert!(
        fixture
            .engine
            .fork(parent.id, 10_000, None, "local_cli")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_shutdown_keeps_what_was_answered_and_starts_nothing_more() {
    let mut fixture = Fixture::new(slow(Duration::from_millis(30)));
    let run = fixture.start(definition(5)).await;
    fixture.engine.shutdown().await;
    let entries = fixture.store.load(run).unwrap();
    let count = |kind: &str| {
        entries
            .iter()
            .filter(|entry| entry.body.kind() == kind)
            .count()
    };
    assert_eq!((count("call_intended"), count("call_finished")), (1, 1));
    fixture.reopen().await;
    fixture.engine.recover().unwrap();
    let shown = fixture.engine.settle(run).await.unwrap();
    assert_eq!((shown.status, shown.model_calls), (RunStatus::Done, 5));
}
