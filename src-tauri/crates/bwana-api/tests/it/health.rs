//! A disk that fills up under a host that stays: runs stand at their last stored step, nothing is stored, reading goes on,
//! and everything goes on by itself when there is room again. The disk is a small one in memory, mounted in a namespace of
//! the test's own child process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bwana_api::command::{
    BackupNow, HomeHealth, RunList, RunShow, RunStart, SettingsSet, TasksList, WorkflowsList,
};
use bwana_api::definitions::Nothing;
use bwana_api::health::{HealthMode, HealthShown};
use bwana_api::runs::ListRequest;
use bwana_api::settings::SetRequest;
use bwana_api::{App, Caller, Ctx, Event, Events, HostOptions, Mode};
use bwana_store::{RESERVE_BYTES, Store};
use bwana_testkit::ManualClock;
use bwana_types::error::ErrorCode;
use bwana_types::status::RunStatus;
use bwana_types::time::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;

use crate::common::{Home, PLAIN, by, call, settle, start, start_request};

const DISK: &str = "BWANA_TEST_SMALL_DISK";
/// Room for the data, the log beside it, the reserve, and enough to go on.
const DISK_SIZE: &str = "size=320m";
/// Data that is large enough for a reserve.
const NOISE_BLOBS: u8 = 17;
const NOISE_BYTES: usize = 4 * 1024 * 1024;
/// Of the database.
const PAGE_BYTES: usize = 4_096;
/// Longer than a host looks away, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);

#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_everything_rests_and_goes_on_by_itself_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "health::child", "--nocapture"])
        .env(DISK, folder.path())
        .env("TMPDIR", folder.path())
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

#[tokio::test]
async fn windows_are_told_of_damage_that_a_check_finds_while_everything_is_open() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let run = start(&app, PLAIN).await.run;
    settle(&app, run).await;
    app.close().await.unwrap();
    let path = home.path().join("bwana.db");
    let mut broken = std::fs::read(&path).unwrap();
    let last = broken.len() - PAGE_BYTES;
    broken[last..].fill(0xff);
    std::fs::write(&path, broken).unwrap();
    let host = HostOptions {
        // So long after the last check that another one is due.
        clock: Arc::new(ManualClock::new(Timestamp(4_000_000_000_000))),
        ..home.host()
    };
    let app = App::open(host, Mode::Own).unwrap();
    let mut heard = listen(&app).await;
    app.keep_room().unwrap();
    hears_of_health(&mut heard).await;
    let health = call::<HomeHealth>(&app, Nothing {}).await.unwrap();
    assert_eq!(health.mode, HealthMode::Damaged);
    assert!(!health.is_repair && !health.what.is_empty());
}

/// Runs in the child only, in its own namespace of mounts: what it mounts goes with it.
#[test]
fn child() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else {
        return;
    };
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", DISK_SIZE, "small"])
        .arg(&disk)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return;
    }
    println!("child begins");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(fills_up(&disk));
    println!("child is done");
}

async fn fills_up(disk: &Path) {
    let home = Home::new();
    assert!(home.path().starts_with(disk));
    make_large(&home).await;
    let app = home.open(Mode::Own);
    app.take_over().await.unwrap();
    app.keep_room().unwrap();
    let normal = until(&app, |health| health.reserve_bytes == RESERVE_BYTES).await;
    assert_eq!((normal.mode, normal.since), (HealthMode::Normal, None));
    let mut heard = listen(&app).await;

    home.model.hold();
    let run = start(&app, PLAIN).await.run;
    assert!(home.model.wait_for(PATIENCE, |counts| counts.requests > 0));
    let ballast = disk.join("ballast");
    fill(&ballast);
    home.model.open();
    let full = until(&app, |health| health.mode == HealthMode::ReadOnly).await;
    assert!(full.since.is_some());
    assert_eq!(full.reserve_bytes, 0, "it was given back");
    hears_of_health(&mut heard).await;
    check_read_only(&app, &by(run).run).await;

    std::fs::remove_file(&ballast).unwrap();
    let again = until(&app, |health| health.mode == HealthMode::Normal).await;
    assert_eq!(again.since, None);
    hears_of_health(&mut heard).await;
    assert_eq!(settle(&app, run).await.status, RunStatus::Done, "by itself");
    let more = start(&app, PLAIN).await.run;
    assert_eq!(settle(&app, more).await.status, RunStatus::Done);
    until(&app, |health| health.reserve_bytes == RESERVE_BYTES).await;
    let verified = call::<bwana_api::command::Verify>(&app, Nothing {})
        .await
        .unwrap();
    assert!(verified.sound, "{verified:?}");

    // Full again, and closed while it is: the end is a proper one.
    fill(&ballast);
    until(&app, |health| health.mode == HealthMode::ReadOnly).await;
    app.close().await.unwrap();
    std::fs::remove_file(&ballast).unwrap();
    let app = home.open(Mode::Own);
    let list = call::<RunList>(&app, ListRequest::default()).await.unwrap();
    assert_eq!(list.total, 2);
    app.close().await.unwrap();
}

/// Everything that stores is refused with one code; everything that reads answers.
async fn check_read_only(app: &App, run: &str) {
    let refused = call::<RunStart>(app, start_request(PLAIN))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::StoreFull);
    assert!(refused.details["free_bytes"].is_u64(), "{refused:?}");
    let language = SetRequest {
        key: String::from("language"),
        value: json!("sw"),
    };
    let refused = call::<SettingsSet>(app, language).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::StoreFull);
    let refused = call::<BackupNow>(app, Nothing {}).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::StoreFull);
    let list = call::<RunList>(app, ListRequest::default()).await.unwrap();
    assert_eq!(list.total, 1);
    let shown = call::<RunShow>(app, by(run)).await.unwrap();
    assert!(!shown.status.is_ended());
    let workflows = call::<WorkflowsList>(app, Nothing {}).await.unwrap();
    assert!(!workflows.items.is_empty());
    call::<TasksList>(app, bwana_api::tasks::ListRequest::default())
        .await
        .unwrap();
    assert_eq!(app.live_runs(), []);
}

async fn make_large(home: &Home) {
    let store = Store::open_owner(&home.path(), home.host().clock).unwrap();
    for blob in 0..NOISE_BLOBS {
        let mut noise = vec![0; NOISE_BYTES];
        let mut seed = u64::from(blob) + 1;
        for chunk in noise.chunks_mut(8) {
            // xorshift: nothing that a compressor makes smaller.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            chunk.copy_from_slice(&seed.to_le_bytes());
        }
        store.put_blob(noise).await.unwrap();
    }
    store.close().await.unwrap();
}

/// Takes every last byte.
fn fill(ballast: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(ballast).unwrap();
    let mut piece = vec![0; 1024 * 1024];
    while !piece.is_empty() {
        if file.write_all(&piece).is_err() {
            piece.truncate(piece.len() / 2);
        }
    }
}

async fn until(app: &App, holds: impl Fn(&HealthShown) -> bool) -> HealthShown {
    let holding = async {
        loop {
            let health = call::<HomeHealth>(app, Nothing {}).await.unwrap();
            if holds(&health) {
                return health;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, holding).await.unwrap()
}

/// A window that follows the health alone.
async fn listen(app: &App) -> mpsc::Receiver<Event> {
    let (events, mut heard) = Events::channel();
    let ctx = Ctx {
        caller: Caller::LocalUi,
        events,
    };
    let of = app.clone();
    tokio::spawn(async move {
        let params = json!({"topics": ["home"], "visible": true});
        of.dispatch(ctx, "changes.watch", params).await
    });
    let Some(Event::Open { watch, .. }) = heard.recv().await else {
        panic!("a feed begins with its number")
    };
    let (told, passed) = mpsc::channel(1_000);
    let of = app.clone();
    tokio::spawn(async move {
        while let Some(event) = heard.recv().await {
            if let Event::Batch { to, .. } = &event {
                let params = json!({"watch": watch, "to": to});
                let ctx = Ctx::quiet(Caller::LocalUi);
                of.dispatch(ctx, "changes.ack", params).await.unwrap();
            }
            let _ = told.send(event).await;
        }
    });
    passed
}

/// By its row, or by being told to read everything anew where nothing could be stored.
async fn hears_of_health(heard: &mut mpsc::Receiver<Event>) {
    let hearing = async {
        loop {
            match heard.recv().await.unwrap() {
                Event::Reset { .. } => return,
                Event::Batch { changes, .. }
                    if changes
                        .iter()
                        .any(|one| one.topic == "home" && one.id == "health") =>
                {
                    return;
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, hearing).await.unwrap();
}
