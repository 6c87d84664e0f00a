//! Looking at everything: each kind of damage is found and named, and what can be computed anew is.

use bwana_store::{ProblemKind, Store};
use bwana_types::entry::{Artifact, ArtifactWritten};
use bwana_types::hash::Hash;
use bwana_types::status::RunStatus;

use crate::common::{
    Home, append, block_on, decided, finished, intended, message, new_run, opened, run_id,
};

/// A closed home with a little of everything.
fn everything() -> Home {
    let home = Home::new();
    let store = home.owner();
    let run = run_id(1);
    block_on(async {
        store.create_run(new_run(run, "x")).await.unwrap();
        let artifact = ArtifactWritten {
            artifact: Artifact {
                file: "plan.md".into(),
                bytes: 3,
                hash: Hash::of(b"abc"),
            },
        };
        let mut batch = append(
            run,
            1,
            [
                opened("Which city?"),
                decided(2),
                opened("When?"),
                intended(500),
                finished(5, Some(300)),
                artifact.into(),
                message(&"long ".repeat(2_000)),
                message("after"),
            ],
        );
        batch.day = Some(bwana_store::DayLimit {
            day: "2025-11-25".into(),
            limit: bwana_types::money::MicroUsd(i64::MAX),
        });
        store.append(batch).await.unwrap();
        store.close().await.unwrap();
    });
    home
}

fn problems(store: &Store) -> Vec<ProblemKind> {
    let report = store.verify(&mut |_, _| Ok(None)).unwrap();
    let mut kinds: Vec<_> = report.problems.iter().map(|problem| problem.kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// After `sql` the look finds exactly `kind`; and if that can be computed anew, it is right again after that.
#[track_caller]
fn check(sql: &str, kind: ProblemKind) {
    let home = everything();
    let db = rusqlite::Connection::open(home.path().join("bwana.db")).unwrap();
    db.pragma_update(None, "foreign_keys", false).unwrap();
    db.execute_batch(sql).unwrap();
    assert!(db.changes() > 0, "{sql}");
    drop(db);
    let store = home.owner();
    assert_eq!(problems(&store), [kind], "{sql}");
    if kind.is_rebuildable() {
        block_on(store.rebuild(run_id(1), None, "UTC")).unwrap();
        assert_eq!(problems(&store), [], "after a rebuild: {sql}");
    }
}

#[test]
fn what_is_in_order_is_found_in_order() {
    let home = everything();
    let store = home.owner();
    let mut asked = Vec::new();
    let report = store
        .verify(&mut |run, entries| {
            asked.push((run.id, entries.len()));
            Ok(Some(run.row.clone()))
        })
        .unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.runs, report.entries, report.blobs), (1, 9, 2));
    assert_eq!(asked, [(run_id(1), 9)]);
}

#[test]
fn damage_of_the_record_is_found() {
    check(
        "UPDATE blobs SET data = zeroblob(10) WHERE blob_no = 1",
        ProblemKind::Blob,
    );
    check("DELETE FROM journal WHERE seq = 8", ProblemKind::Order);
    check(
        "UPDATE journal SET at_ms = at_ms - 1 WHERE seq = 8",
        ProblemKind::Order,
    );
    check(
        "UPDATE journal SET body = '{' WHERE seq = 9",
        ProblemKind::Order,
    );
    check(
        "UPDATE runs SET status = 'dancing'",
        ProblemKind::Unreadable,
    );
    check("UPDATE runs SET id = 'run_1'", ProblemKind::Unreadable);
    check(
        "INSERT INTO journal VALUES (99, 77, 1, 0, '', 'message_posted', 1, '{}', NULL)",
        ProblemKind::Reference,
    );
    check(
        "INSERT INTO artifacts VALUES (77, 'x', 1, 1, zeroblob(32))",
        ProblemKind::Reference,
    );
}

#[test]
fn tables_that_contradict_the_journal_are_found_and_computed_anew() {
    for sql in [
        "DELETE FROM human_tasks WHERE seq = 4",
        "UPDATE human_tasks SET status = 'open', decided_seq = NULL WHERE seq = 2",
        "UPDATE human_tasks SET status = 'decided', decided_seq = 3 WHERE seq = 4",
        "DELETE FROM artifacts",
        "UPDATE artifacts SET bytes = 4",
        "UPDATE budget_ledger SET settled = 1",
        "UPDATE budget_ledger SET reserved = 1",
        "UPDATE runs SET phase = 2",
    ] {
        check(sql, ProblemKind::Projection);
    }
}

#[test]
fn what_the_engine_says_of_a_run_is_compared_and_written() {
    let home = everything();
    let store = home.owner();
    let run = run_id(1);
    let mut right = store.run(run).unwrap().row;
    right.status = RunStatus::Done;
    let report = store.verify(&mut |_, _| Ok(Some(right.clone()))).unwrap();
    assert_eq!(report.problems[0].kind, ProblemKind::Projection);
    block_on(store.rebuild(run, Some(right.clone()), "UTC")).unwrap();
    assert!(
        store
            .verify(&mut |_, _| Ok(Some(right.clone())))
            .unwrap()
            .is_sound()
    );
    assert_eq!(store.run_counts().unwrap(), [(RunStatus::Done, 1)]);
    let report = store.verify(&mut |_, _| Err("it is odd".into())).unwrap();
    assert_eq!(report.problems[0].kind, ProblemKind::Fold);
    assert!(report.problems[0].what.contains("it is odd"));
    // Work goes on after a rebuild.
    block_on(store.append(append(run, 9, [decided(4)]))).unwrap();
}
