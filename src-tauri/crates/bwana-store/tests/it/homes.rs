//! Two data folders with a history in common, and taking runs in from one to the other as a host does.

use std::fs;
use std::path::{Path, PathBuf};

use bwana_store::{
    Append, Backup, DayLimit, NewFork, NotTaken, RunRow, Standing, Stands, Store, restore,
};
use bwana_types::entry::{Draft, Entry, RunForked, Seq};
use bwana_types::id::RunId;
use bwana_types::money::MicroUsd;

use crate::common::{
    Home, NOW, append, block_on, decided, finished, intended, message, new_run, opened, run_id,
};

/// What is written to make a run stand still: for the store any entry will do.
pub(crate) fn stands(head: Seq) -> Stands {
    Stands {
        entries: vec![Draft::new("", message("stands still")).at(head + 1, NOW)],
        row: RunRow::started(5),
    }
}

/// Takes in every run that can be, as a host does.
pub(crate) async fn merge(store: &Store, backup: &Backup) -> Vec<(RunId, Result<(), NotTaken>)> {
    let mut taken = Vec::new();
    for compared in backup.compare(Some(store)).unwrap() {
        if matches!(compared.standing, Standing::New | Standing::Ahead) {
            let told = backup.read(compared.run).unwrap();
            let stands = stands(compared.theirs);
            let outcome = store
                .take_run(backup, &compared, &told, stands, "UTC")
                .await;
            taken.push((compared.run, outcome.unwrap()));
        }
    }
    taken
}

pub(crate) fn fork(store: &Store, id: RunId, parent: RunId, fork_seq: Seq) {
    let forked = RunForked {
        parent,
        at: fork_seq,
        run: id,
        by: "local_cli".into(),
    };
    let new = NewFork {
        id,
        parent,
        fork_seq,
        entries: vec![Draft::new("", forked).at(fork_seq + 1, NOW)],
        row: RunRow::started(5),
    };
    block_on(store.create_fork(new)).unwrap();
}

pub(crate) fn say(store: &Store, run: u64, texts: &[&str]) {
    let run = run_id(run);
    for text in texts {
        let head = store.run(run).unwrap().head_seq;
        block_on(store.append(append(run, head, [message(text)]))).unwrap();
    }
}

/// Runs 1 (equal later), 2 (behind), 3 (ahead), 5 (conflict) in both; 4 and forks of 4 and 5 only in the backup.
pub(crate) fn two_homes() -> (Home, Home, PathBuf) {
    let theirs = Home::new();
    let store = theirs.owner();
    for run in [1, 2, 3, 5] {
        block_on(store.create_run(new_run(run_id(run), "x"))).unwrap();
        say(&store, run, &["a", "b"]);
    }
    let first = theirs.path().join("backups/first");
    block_on(store.backup(&first)).unwrap();
    let ours = Home::new();
    restore(ours.path(), &first, &(ours.clock.clone() as _)).unwrap();

    say(&store, 3, &["further", &"long ".repeat(2_000)]);
    say(&store, 5, &["this way"]);
    rich_run(&store, theirs.path());
    fork(&store, run_id(6), run_id(4), 2);
    fork(&store, run_id(7), run_id(5), 4);
    fork(&store, run_id(8), run_id(6), 3);
    let backup = theirs.path().join("backups/second");
    block_on(store.backup(&backup)).unwrap();
    block_on(store.close()).unwrap();

    let store = ours.owner();
    say(&store, 2, &["only here"]);
    say(&store, 5, &["that way"]);
    block_on(store.close()).unwrap();
    (theirs, ours, backup)
}

/// Run 4 with everything a run can have: calls that cost, tasks, a large body, files.
pub(crate) fn rich_run(store: &Store, home: &Path) {
    let run = run_id(4);
    block_on(store.create_run(new_run(run, "everything"))).unwrap();
    let bodies = [
        opened("Which market?"),
        decided(2),
        opened("And which port?"),
        message(&"large ".repeat(3_000)),
    ];
    block_on(store.append(append(run, 1, bodies))).unwrap();
    let paid = Append {
        day: Some(DayLimit {
            day: "2025-11-25".into(),
            limit: MicroUsd(1_000_000),
        }),
        ..append(run, 5, [intended(5_000)])
    };
    block_on(store.append(paid)).unwrap();
    block_on(store.append(append(run, 6, [finished(6, Some(4_000))]))).unwrap();
    let folder = home.join("artifacts").join(run.to_string());
    fs::create_dir_all(folder.join("deep")).unwrap();
    fs::write(folder.join("plan.md"), "# Plan").unwrap();
    fs::write(folder.join("deep/table.csv"), "a,b").unwrap();
}

pub(crate) fn load(store: &Store, run: u64) -> Vec<Entry> {
    store.load(run_id(run)).unwrap()
}
