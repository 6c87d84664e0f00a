//! Many at once: appends to different runs, to the same run, readers beside them, barriers shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bwana_store::{Append, StoreError};

use crate::common::{Home, append, message, new_run, run_id, runtime};

const TASKS: u64 = 32;
const BATCHES: u64 = 60;

#[test]
fn appends_to_different_runs_do_not_disturb_each_other() {
    let home = Home::new();
    let store = home.owner();
    let stop = Arc::new(AtomicBool::new(false));
    let reading = std::thread::spawn({
        let (reader, stop) = (home.reader(), Arc::clone(&stop));
        move || {
            let mut reads = 0_u64;
            while !stop.load(Ordering::SeqCst) {
                // A run is seen whole or not at all, batch by batch.
                for run in reader.runs(&bwana_store::RunFilter::default()).unwrap() {
                    let entries = reader.load(run.id).unwrap();
                    assert!(entries.len() as u64 >= run.head_seq);
                    assert_eq!((entries.len() - 1) % 3, 0, "half a batch was seen");
                }
                reads += 1;
            }
            reads
        }
    });
    runtime().block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let run = run_id(n);
                    store.create_run(new_run(run, "x")).await.unwrap();
                    for batch in 0..BATCHES {
                        let seq = 1 + batch * 3;
                        let text = |k: u64| message(&format!("{n} {batch} {k}"));
                        let appended = store
                            .append(append(run, seq, [text(0), text(1), text(2)]))
                            .await
                            .unwrap();
                        if batch % 10 == n % 10 {
                            store.barrier(appended.pos).await.unwrap();
                            assert!(store.durable_pos() >= appended.pos);
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        // Those waiting for the same sync are answered by it.
        store.sync().await.unwrap();
    });
    stop.store(true, Ordering::SeqCst);
    assert!(reading.join().unwrap() > 0);
    for n in 0..TASKS {
        let entries = store.load(run_id(n)).unwrap();
        assert_eq!(entries.len() as u64, 1 + BATCHES * 3);
        for (at, entry) in entries.iter().enumerate().skip(1) {
            let (batch, k) = ((at - 1) / 3, (at - 1) % 3);
            assert_eq!(entry.body, message(&format!("{n} {batch} {k}")));
        }
    }
    let total = i64::try_from(TASKS * (1 + BATCHES * 3)).unwrap();
    assert_eq!(
        store.cursor().unwrap().pos,
        total,
        "positions have no gaps either"
    );
    runtime().block_on(store.close()).unwrap();
    let store = home.owner();
    assert!(store.verify(&mut |_, _| Ok(None)).unwrap().is_sound());
}

#[test]
fn of_two_that_append_to_one_run_at_the_same_place_one_wins() {
    let home = Home::new();
    let store = home.owner();
    runtime().block_on(async {
        store.create_run(new_run(run_id(1), "x")).await.unwrap();
        for seq in 1..50 {
            let tries: Vec<_> = (0..4)
                .map(|n| {
                    let (store, batch): (_, Append) = (
                        store.clone(),
                        append(run_id(1), seq, [message(&n.to_string())]),
                    );
                    tokio::spawn(async move { store.append(batch).await })
                })
                .collect();
            let mut won = 0;
            for one in tries {
                match one.await.unwrap() {
                    Ok(_) => won += 1,
                    Err(refused) => {
                        assert!(matches!(refused, StoreError::WrongSeq { .. }), "{refused}")
                    }
                }
            }
            assert_eq!(won, 1);
        }
    });
    assert_eq!(store.load(run_id(1)).unwrap().len(), 50);
}

#[test]
fn an_append_whose_caller_gave_up_is_whole_or_not_there() {
    let home = Home::new();
    let store = home.owner();
    runtime().block_on(async {
        store.create_run(new_run(run_id(1), "x")).await.unwrap();
        for _ in 0..50 {
            let seq = store.run(run_id(1)).unwrap().head_seq;
            let (store, batch) = (
                store.clone(),
                append(run_id(1), seq, [message("a"), message("b")]),
            );
            let task = tokio::spawn(async move { store.append(batch).await });
            task.abort();
            let _ = task.await;
        }
        store.sync().await.unwrap();
    });
    // What was handed over is done by now or when the store closes.
    runtime().block_on(store.close()).unwrap();
    assert_eq!(home.reader().load(run_id(1)).unwrap().len() % 2, 1);
}

#[test]
fn checkpoints_happen_beside_the_writing() {
    let home = Home::new();
    let store = home.owner();
    runtime().block_on(async {
        store.create_run(new_run(run_id(1), "x")).await.unwrap();
        let text = "text ".repeat(700);
        // Some 40 MB of log if nothing ever moved into the database.
        for seq in 1..2_500 {
            store
                .append(append(run_id(1), seq, [message(&text)]))
                .await
                .unwrap();
        }
    });
    let log = std::fs::metadata(home.path().join("bwana.db-wal"))
        .unwrap()
        .len();
    assert!(log < 24 << 20, "the log has {log} bytes");
    assert_eq!(store.load(run_id(1)).unwrap().len(), 2_500);
}
