//! Processes that are killed: whatever was acknowledged is there afterwards, without gaps and in whole batches; what was
//! not may be there, but only whole. Two hundred kills at random instants, and, with the feature `fault-points`, one at
//! each pass of each named point.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bwana_store::{RunFilter, Store, StoreError};
use bwana_types::entry::{Body, Entry, Seq};
use bwana_types::id::RunId;

use crate::common::{Dice, TestClock, append, message, new_run, run_id, runtime};

const HOME: &str = "BWANA_TEST_KILL_HOME";
const SEED: &str = "BWANA_TEST_KILL_SEED";
const RUNS: u64 = 4;
const KILLS: u64 = 200;
const KILLS_PER_HOME: u64 = 20;

/// The text of an entry names its batch: from where to where.
fn text(from: Seq, to: Seq, long: bool) -> String {
    let rest = if long {
        "long ".repeat(1_500)
    } else {
        String::new()
    };
    format!("{from}..{to} {rest}")
}

/// Runs in the child only: appends to some runs at once, and says on its output what was acknowledged.
#[test]
fn child() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else {
        return;
    };
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let store = Store::open_owner(&home, TestClock::new()).unwrap();
    runtime().block_on(async {
        let tasks: Vec<_> = (0..RUNS)
            .map(|n| {
                tokio::spawn(write_for_ever(
                    store.clone(),
                    run_id(n),
                    Dice(seed * 1_000 + n),
                ))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn write_for_ever(store: Store, run: RunId, mut dice: Dice) {
    let mut seq = match store.run(run) {
        Ok(info) => info.head_seq,
        Err(StoreError::NotFound { .. }) => {
            store.create_run(new_run(run, "x")).await.unwrap();
            1
        }
        Err(error) => panic!("{error}"),
    };
    loop {
        let to = seq + 1 + dice.below(5) as u64;
        let bodies = (seq..to).map(|_| message(&text(seq + 1, to, dice.below(20) == 0)));
        let appended = store.append(append(run, seq, bodies)).await.unwrap();
        seq = to;
        if dice.below(8) == 0 {
            store.barrier(appended.pos).await.unwrap();
        }
        acknowledge(run, seq);
    }
}

/// One line, written at once: a killed process leaves none half said.
fn acknowledge(run: RunId, seq: Seq) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\nack {run} {seq}\n").as_bytes())
        .unwrap();
    out.flush().unwrap();
}

fn start(home: &Path, seed: u64, crash_at: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
        .env(HOME, home)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(point) = crash_at {
        command.env("BWANA_CRASH_AT", point);
    }
    command.spawn().unwrap()
}

/// What the child said was done, by run.
type Acknowledged = BTreeMap<RunId, Seq>;

/// Reads acknowledgements; after `limit` of them, kills. Then reads the rest: those too were said before the end.
fn read_and_kill(child: &mut Child, limit: usize, spins: usize, known: &mut Acknowledged) -> usize {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (mut line, mut read) = (String::new(), 0);
    loop {
        line.clear();
        if output.read_line(&mut line).unwrap() == 0 {
            break;
        }
        let Some(rest) = line
            .strip_prefix("ack ")
            .filter(|rest| rest.ends_with('\n'))
        else {
            continue;
        };
        let (run, seq) = rest.trim().split_once(' ').unwrap();
        known.insert(run.parse().unwrap(), seq.parse().unwrap());
        read += 1;
        if read == limit {
            for _ in 0..spins {
                std::hint::spin_loop();
            }
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    read
}

/// Everything acknowledged is there; batches are whole; numbers have no gaps.
#[track_caller]
fn check(home: &Path, known: &Acknowledged, context: &str) {
    let store = match Store::open_reader(home, TestClock::new()) {
        Ok(store) => store,
        Err(StoreError::NoDatabase { .. }) if known.is_empty() => return,
        Err(error) => panic!("{context}: {error}"),
    };
    for run in store.runs(&RunFilter::default()).unwrap() {
        let entries = store.load(run.id).unwrap();
        check_batches(&entries, context);
        let acknowledged = known.get(&run.id).copied().unwrap_or(0);
        assert!(
            entries.len() as u64 >= acknowledged,
            "{context}: {} lost {acknowledged}",
            run.id
        );
    }
    for run in known.keys() {
        store.run(*run).unwrap();
    }
}

#[track_caller]
fn check_batches(entries: &[Entry], context: &str) {
    for (number, entry) in (1..).zip(entries) {
        assert_eq!(entry.seq, number, "{context}");
        let Body::MessagePosted(message) = &entry.body else {
            continue;
        };
        let text = message.text.as_deref().unwrap();
        let (from, rest) = text.split_once("..").unwrap();
        let to: Seq = rest.split(' ').next().unwrap().parse().unwrap();
        let from: Seq = from.parse().unwrap();
        assert!(
            (from..=to).contains(&entry.seq),
            "{context}: {text} at {}",
            entry.seq
        );
        assert!(entries.len() as u64 >= to, "{context}: half a batch");
    }
}

#[test]
fn killed_at_random_nothing_acknowledged_is_lost() {
    let mut dice = Dice(1);
    let (mut acknowledged, mut killed) = (0, 0);
    for home in 0..KILLS / KILLS_PER_HOME {
        let folder = tempfile::tempdir().unwrap();
        let mut known = Acknowledged::new();
        for kill in 0..KILLS_PER_HOME {
            let mut child = start(folder.path(), home * 100 + kill, None);
            let read = read_and_kill(
                &mut child,
                1 + dice.below(120),
                dice.below(50_000),
                &mut known,
            );
            assert!(read > 0, "the child did nothing");
            acknowledged += read;
            killed += 1;
            check(folder.path(), &known, &format!("home {home}, kill {kill}"));
        }
        let store = Store::open_owner(folder.path(), TestClock::new()).unwrap();
        let report = store.verify(&mut |_, _| Ok(None)).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
    assert_eq!(killed, KILLS);
    assert!(acknowledged > 1_000, "{acknowledged}");
    println!("{killed} kills, {acknowledged} acknowledged batches, none lost");
}

#[cfg(feature = "fault-points")]
#[test]
fn killed_at_every_named_point_nothing_acknowledged_is_lost() {
    for point in ["before_commit", "after_commit", "before_sync", "after_sync"] {
        let folder = tempfile::tempdir().unwrap();
        let mut known = Acknowledged::new();
        for pass in 1..=15 {
            let at = format!("{point}:{pass}");
            let mut child = start(folder.path(), pass, Some(&at));
            read_and_kill(&mut child, usize::MAX, 0, &mut known);
            check(folder.path(), &known, &at);
        }
        let store = Store::open_owner(folder.path(), TestClock::new()).unwrap();
        assert!(store.verify(&mut |_, _| Ok(None)).unwrap().is_sound());
    }
}
