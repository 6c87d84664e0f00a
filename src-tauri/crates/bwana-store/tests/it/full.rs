//! A disk that is full: said as such, nothing lost, and everything goes on when there is room again. The disk is a small
//! one in memory, mounted in a namespace of the test's own child process; where a system does not allow that, the
//! writer's own test with a limit of pages (`writer::tests`) stands alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bwana_store::{Store, StoreError};
use bwana_types::error::ErrorCode;

use crate::common::{TestClock, append, block_on, message, new_run, run_id};

const DISK: &str = "BWANA_TEST_SMALL_DISK";

#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_nothing_is_lost_and_room_brings_everything_back() {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full::child", "--nocapture"])
        .env(DISK, folder.path())
        .output();
    let output = match child {
        Ok(output) => output,
        Err(error) => {
            eprintln!("no small disk here: {error}");
            return;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !text.contains("child begins") {
        eprintln!("no small disk here: {errors}");
        return;
    }
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("child is done"), "{text}\n{errors}");
}

/// Runs in the child only, in its own namespace of mounts: what it mounts goes with it.
#[test]
fn child() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else {
        return;
    };
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=6m", "small"])
        .arg(&disk)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return;
    }
    println!("child begins");
    for ballast_kib in [0, 512, 1_024, 2_048, 3_000] {
        fill_and_go_on(
            &disk.join(format!("home-{ballast_kib}")),
            &disk.join("ballast"),
            ballast_kib,
        );
    }
    println!("child is done");
}

fn fill_and_go_on(home: &Path, ballast: &Path, ballast_kib: usize) {
    // Room to be given back later.
    fs::write(ballast, vec![0; (1_024 + ballast_kib) << 10]).unwrap();
    let run = run_id(1);
    let store = Store::open_owner(home, TestClock::new()).unwrap();
    block_on(store.create_run(new_run(run, "x"))).unwrap();
    let text = "text ".repeat(300);
    let mut stored = 1;
    let refused = loop {
        let batch = append(run, stored, [message(&text), message("b")]);
        match block_on(async {
            let pos = store.append(batch).await?.pos;
            store.barrier(pos).await
        }) {
            Ok(()) => stored += 2,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, StoreError::Full, "after {stored} entries");
    assert_eq!(refused.code(), ErrorCode::StoreFull);
    // Still full, still said, still readable.
    let head = store.run(run).unwrap().head_seq;
    assert!(head == stored || head == stored + 2, "{head} {stored}");
    assert_eq!(store.load(run).unwrap().len() as u64, head);
    let backup = block_on(store.backup(&home.join("backups")));
    assert_eq!(backup, Err(StoreError::Full));
    assert_eq!(
        fs::read_dir(home.join("backups")).unwrap().count(),
        0,
        "half a backup is none"
    );
    fs::remove_file(ballast).unwrap();
    let mut more = head;
    for _ in 0..20 {
        let pos = block_on(store.append(append(run, more, [message("again")])))
            .unwrap()
            .pos;
        block_on(store.barrier(pos)).unwrap();
        more += 1;
    }
    block_on(store.close()).unwrap();
    let store = Store::open_owner(home, TestClock::new()).unwrap();
    assert_eq!(store.load(run).unwrap().len() as u64, more);
    assert!(store.verify(&mut |_, _| Ok(None)).unwrap().is_sound());
    block_on(store.close()).unwrap();
    fs::remove_dir_all(home).unwrap();
}
