//! Somebody swaps files for links while the tools work. A check of a name cannot win this; handles can.
#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{Bench, CANARY, files_in};

const RACES: usize = 1_000;

/// Makes `place` by turns a link to `target` and what `good` makes, until told to stop; counts the links.
fn swap(place: &Path, target: &Path, good: fn(&Path), stop: &AtomicBool, links: &AtomicUsize) {
    // The tools get in between, so any of these may fail; only what is counted must have worked.
    let clear = || {
        let _ = std::fs::remove_file(place);
        let _ = std::fs::remove_dir_all(place);
    };
    while !stop.load(Ordering::Relaxed) {
        clear();
        if symlink(target, place).is_ok() {
            links.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::yield_now();
        clear();
        good(place);
        std::thread::yield_now();
    }
}

async fn race(place: &str, target: &str, good: fn(&Path), path: &str) {
    let bench = Bench::new();
    bench.folder.write("seed", b"x".to_vec()).await.unwrap();
    let guarded = bench.guarded();
    let (stop, links) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let thread = {
        let (place, target) = (bench.root().join(place), bench.outside().join(target));
        let (stop, links) = (Arc::clone(&stop), Arc::clone(&links));
        std::thread::spawn(move || swap(&place, &target, good, &stop, &links))
    };
    while links.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let mut outcomes = [0_usize; 2];
    for n in 0..RACES {
        let write = bench
            .call(
                "file.write",
                &json!({"path": path, "content": format!("own {n}")}),
            )
            .await;
        let read = bench.call("file.read", &json!({"path": path})).await;
        for outcome in [write, read] {
            outcomes[usize::from(outcome.is_ok())] += 1;
            let said = outcome.map_or_else(|error| error.to_string(), |output| output.content);
            assert!(!said.contains(CANARY), "race {n} read what is outside");
        }
    }
    eprintln!("failed and done: {outcomes:?}; links made: {links:?}");
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    let left: Vec<_> = files_in(&bench.root())
        .into_iter()
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "half written: {left:?}");
    assert_eq!(
        bench.guarded(),
        guarded,
        "something outside was written after {outcomes:?}, {links:?} links"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_swapped_for_a_link_outside_lets_nothing_through() {
    race(
        "d",
        "other/deep",
        |path| drop(std::fs::create_dir(path)),
        "d/canary.txt",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_swapped_for_a_link_outside_lets_nothing_through() {
    race(
        "f.txt",
        "canary.txt",
        |path| drop(std::fs::write(path, "own")),
        "f.txt",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_one_file_never_leave_a_mixture() {
    let bench = Bench::new();
    let (a, b) = ("a".repeat(100_000), "b".repeat(100_000));
    for _ in 0..20 {
        let (one, two) = tokio::join!(
            bench.folder.write("x", a.clone().into_bytes()),
            bench.folder.write("x", b.clone().into_bytes())
        );
        one.unwrap();
        two.unwrap();
        let read = std::fs::read_to_string(bench.root().join("x")).unwrap();
        assert!(read == a || read == b);
    }
}
