//! Newer versions: who may ask for them, that one is installed only when no run is under way, and only behind a copy of
//! everything. What is believed of what comes, `bwana-update` tests.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use bwana_api::command::{
    HomeHealth, RunStart, UpdatesCheck, UpdatesDownload, UpdatesInstall, UpdatesShow,
};
use bwana_api::definitions::Nothing;
use bwana_api::updates::{InstallBy, InstallRequest, InstallShown, Source, System, UpdatesShown};
use bwana_api::{App, Caller, Ctx, Event, Events, Mode};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::time::Timestamp;
use bwana_update::{Kept, Version};
use minisign::KeyPair;
use serde_json::json;

use crate::common::{Home, PLAIN, call, settle, start, start_request};
use crate::files::Site;

const PATIENCE: Duration = Duration::from_secs(60);
const PACKAGE: &[u8] = b"a package";
/// Of `PACKAGE`.
const SHA256: &str = "c0cd5ccfdb563a59366e33e73001b78fdb8cca5a6c48e2f90fffcde44b81f1f6";

/// A data folder, a publisher, and a machine whose programs tell what they are started with.
struct Bench {
    home: Home,
    keys: KeyPair,
    site: Site,
    root: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            home: Home::new(),
            keys: KeyPair::generate_unencrypted_keypair().unwrap(),
            site: Site::start(),
            root: tempfile::tempdir().unwrap(),
        };
        bench.program("var/lib/dpkg/status", "");
        bench.program("usr/bin/apt-get", "exit 1");
        let tell = format!("echo \"$@\" > {}", bench.told().display());
        bench.program("usr/bin/pkexec", &tell);
        bench.publish("0.2.0", PACKAGE);
        bench
    }

    fn told(&self) -> PathBuf {
        self.root.path().join("told")
    }

    fn program(&self, path: &str, does: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn publish(&self, version: &str, package: &[u8]) {
        let text = json!({
            "format": "bwana.update/v1", "version": version, "released": "2026-11-20T09:00:00Z",
            "database_format": 1_000, "notes": "Calmer.",
            "packages": [{
                "target": format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH), "kind": "deb",
                "url": "next.deb", "bytes": PACKAGE.len(), "sha256": SHA256,
            }],
        })
        .to_string();
        let signature = minisign::sign(
            None,
            &self.keys.sk,
            Cursor::new(&text),
            Some("bwana.update/v1 latest.json"),
            Some("signature of a Bwana Desktop update manifest"),
        );
        let signature = signature.unwrap().to_string();
        self.site.put("/latest.json", text.as_bytes());
        self.site.put("/latest.json.minisig", signature.as_bytes());
        self.site.put("/next.deb", package);
    }

    /// What the installation of a version before leaves.
    fn keep_previous(&self, package: &str, database_format: i64) {
        let file = "bwana-desktop_0.0.9_x.deb";
        self.home.file(&format!("updates/{file}"), package);
        let kept = Kept {
            version: Version(0, 0, 9),
            file: file.to_owned(),
            bytes: PACKAGE.len() as u64,
            sha256: SHA256.to_owned(),
            database_format,
            installed_at: Timestamp(1),
        };
        let list = serde_json::to_string(&[kept]).unwrap();
        self.home.file("updates/kept.json", &list);
    }

    fn open(&self, mode: Mode) -> App {
        let app = self.home.open(mode);
        let url = format!("{}/latest.json", self.site.url());
        let source = Source::on_loopback(&url, &self.keys.pk.to_base64()).unwrap();
        app.updates()
            .come_from(Some(source), System::look_in(self.root.path(), false));
        app
    }

    /// An owner that has fetched the newer version.
    async fn fetched(&self) -> App {
        let app = self.open(Mode::Own);
        call::<UpdatesCheck>(&app, Nothing {}).await.unwrap();
        let shown = call::<UpdatesDownload>(&app, Nothing {}).await.unwrap();
        assert!(shown.newer.unwrap().is_fetched);
        app
    }
}

async fn show(app: &App) -> UpdatesShown {
    call::<UpdatesShow>(app, Nothing {}).await.unwrap()
}

async fn install(app: &App, wait: bool) -> Result<InstallShown, ApiError> {
    let back = false;
    call::<UpdatesInstall>(app, InstallRequest { wait, back }).await
}

async fn go_back(app: &App) -> Result<InstallShown, ApiError> {
    let (wait, back) = (false, true);
    call::<UpdatesInstall>(app, InstallRequest { wait, back }).await
}

#[tokio::test]
async fn the_version_before_is_one_call_away_behind_a_copy() {
    let bench = Bench::new();
    let app = bench.open(Mode::Own);
    let none = go_back(&app).await.unwrap_err();
    assert_eq!(none.details["reason"], "no_way_back");
    bench.keep_previous("a package", 1_000);
    let previous = show(&app).await.previous.unwrap();
    assert_eq!(
        (previous.version.as_str(), previous.install),
        ("0.0.9", InstallBy::System)
    );
    let done = go_back(&app).await.unwrap();
    assert_eq!((done.version.as_str(), done.is_done), ("0.0.9", true));
    assert!(PathBuf::from(&done.backup).is_dir());
    let told = fs::read_to_string(bench.told()).unwrap();
    assert!(told.contains("--allow-downgrades"), "{told}");
    assert!(told.trim().ends_with(&done.file), "{told}");
    let shown = show(&app).await;
    assert_eq!(shown.installed.as_deref(), Some("0.0.9"));
    assert_eq!(shown.previous, None);
    app.close().await.unwrap();
}

#[tokio::test]
async fn nothing_goes_back_that_could_not_open_the_data_or_is_another_file() {
    let bench = Bench::new();
    let app = bench.open(Mode::Own);
    bench.keep_previous("a package", 1);
    assert!(show(&app).await.previous.unwrap().needs_backup);
    let old = go_back(&app).await.unwrap_err();
    assert_eq!(old.details["reason"], "needs_backup");
    bench.keep_previous("b package", 1_000);
    let other = go_back(&app).await.unwrap_err();
    assert_eq!(other.details["reason"], "wrong_hash");
    assert_eq!(show(&app).await.previous, None, "it is deleted");
    assert!(!bench.told().exists());
    assert!(!bench.home.path().join("backups/before-update").exists());
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_newer_version_is_told_to_every_window_until_it_is_installed() {
    let bench = Bench::new();
    let app = bench.open(Mode::Own);
    let newer = async || call::<HomeHealth>(&app, Nothing {}).await.unwrap().newer;
    assert_eq!(newer().await, None);
    let before = *app.changed().unwrap().borrow();
    call::<UpdatesCheck>(&app, Nothing {}).await.unwrap();
    assert_eq!(newer().await.as_deref(), Some("0.2.0"));
    assert!(*app.changed().unwrap().borrow() > before);
    call::<UpdatesDownload>(&app, Nothing {}).await.unwrap();
    install(&app, false).await.unwrap();
    assert_eq!(newer().await, None);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_program_without_a_source_says_so_and_asks_nobody() {
    let home = Home::new();
    let app = home.open(Mode::Read);
    app.updates().come_from(None, System::look());
    let shown = show(&app).await;
    assert_eq!(
        (shown.source, shown.newer, shown.checked_at),
        (None, None, None)
    );
    let error = call::<UpdatesCheck>(&app, Nothing {}).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::UpdateNone);
    assert_eq!(error.details["reason"], "no_source");
}

#[tokio::test]
async fn a_version_is_asked_for_fetched_and_given_to_the_system() {
    let bench = Bench::new();
    let app = bench.open(Mode::Own);
    assert_eq!(bench.site.asked(), 0, "nobody is asked unasked");
    assert_eq!(show(&app).await.checked_at, None);
    let shown = call::<UpdatesCheck>(&app, Nothing {}).await.unwrap();
    let newer = shown.newer.unwrap();
    assert_eq!(
        (newer.version.as_str(), newer.notes.as_str()),
        ("0.2.0", "Calmer.")
    );
    assert_eq!((newer.install, newer.command), (InstallBy::System, None));
    assert!(newer.changes_data);
    let early = install(&app, false).await.unwrap_err();
    assert_eq!(early.details["reason"], "not_fetched");

    let (events, mut heard) = Events::channel();
    let ctx = Ctx {
        caller: Caller::LocalUi,
        events,
    };
    let shown = app.call::<UpdatesDownload>(ctx, Nothing {}).await.unwrap();
    assert!(matches!(heard.try_recv(), Ok(Event::Progress { what, .. }) if what == "update"));
    let newer = shown.newer.unwrap();
    assert!(newer.command.unwrap().starts_with("sudo apt-get install"));

    let done = install(&app, false).await.unwrap();
    assert!(done.is_done);
    let told = fs::read_to_string(bench.told()).unwrap();
    assert!(told.contains("apt-get install --yes"), "{told}");
    assert!(told.trim().ends_with(&done.file), "{told}");
    let shown = show(&app).await;
    assert_eq!(shown.installed.as_deref(), Some("0.2.0"));
    assert_eq!(shown.newer, None, "it is no news any more");
    app.close().await.unwrap();
}

#[tokio::test]
async fn everything_is_copied_before_the_system_gets_the_package() {
    let bench = Bench::new();
    let app = bench.fetched().await;
    let started = start(&app, PLAIN).await;
    settle(&app, started.run).await;
    // What is there when the system is started.
    let backups = bench.home.path().join("backups/before-update");
    let list = format!(
        "ls {}/*/manifest.json > {}",
        backups.display(),
        bench.told().display()
    );
    bench.program("usr/bin/pkexec", &list);
    let done = install(&app, false).await.unwrap();
    let there = fs::read_to_string(bench.told()).unwrap();
    assert!(there.starts_with(&done.backup), "{there}\n{}", done.backup);
    assert_eq!(show(&app).await.backup.unwrap().path, done.backup);
    app.close().await.unwrap();

    // And without a copy nothing is given to it.
    let bench = Bench::new();
    let app = bench.fetched().await;
    bench
        .home
        .file("backups/before-update", "a file where the folder belongs");
    assert!(install(&app, false).await.is_err());
    assert!(!bench.told().exists());
    app.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_installed_while_a_run_is_under_way() {
    let bench = Bench::new();
    let app = bench.fetched().await;
    bench.home.model.hold();
    let started = start(&app, PLAIN).await;
    assert_eq!(show(&app).await.runs, 1);
    let busy = install(&app, false).await.unwrap_err();
    assert_eq!(busy.code, ErrorCode::RunBusy);
    assert_eq!(busy.details, json!({ "reason": "runs", "runs": 1 }));
    assert!(!bench.told().exists());
    assert!(!bench.home.path().join("backups/before-update").exists());

    // With patience it is installed when the run has ended, and not before.
    let (events, mut heard) = Events::channel();
    let waiting = {
        let (app, ctx) = (
            app.clone(),
            Ctx {
                caller: Caller::LocalUi,
                events,
            },
        );
        tokio::spawn(async move {
            app.call::<UpdatesInstall>(
                ctx,
                InstallRequest {
                    wait: true,
                    back: false,
                },
            )
            .await
        })
    };
    let waits = async {
        loop {
            let Some(Event::Progress { stage, total, .. }) = heard.recv().await else {
                panic!("it does not wait");
            };
            if stage.as_deref() == Some("waiting") {
                return total;
            }
        }
    };
    assert_eq!(
        tokio::time::timeout(PATIENCE, waits).await.unwrap(),
        Some(1)
    );
    assert!(!bench.told().exists());
    bench.home.model.open();
    settle(&app, started.run).await;
    let done = tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(done.is_done && bench.told().exists());
    app.close().await.unwrap();
}

#[tokio::test]
async fn no_run_begins_while_one_is_installed() {
    let bench = Bench::new();
    let app = bench.fetched().await;
    let (begun, go) = (
        bench.root.path().join("begun"),
        bench.root.path().join("go"),
    );
    let wait = format!(
        "touch {}; while [ ! -e {} ]; do sleep 0.05; done; exit 126",
        begun.display(),
        go.display()
    );
    bench.program("usr/bin/pkexec", &wait);
    let installing = {
        let app = app.clone();
        tokio::spawn(async move { install(&app, false).await })
    };
    let until = async {
        while !begun.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, until).await.unwrap();
    let refused = call::<RunStart>(&app, start_request(PLAIN))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::RunBusy);
    assert_eq!(refused.details["reason"], "installing");
    let twice = install(&app, false).await.unwrap_err();
    assert_eq!(twice.details["reason"], "installing");
    fs::write(&go, "").unwrap();
    let no = tokio::time::timeout(PATIENCE, installing)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert_eq!(no.code, ErrorCode::UpdateFailed);
    assert_eq!(no.details["reason"], "not_allowed");
    assert_eq!(show(&app).await.installed, None);
    let started = start(&app, PLAIN).await;
    settle(&app, started.run).await;
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_run_of_another_profile_counts_too() {
    let bench = Bench::new();
    let app = bench.fetched().await;
    let mut host = bench.home.host();
    host.home = bench.home.path().join("profiles/shop");
    let settings = fs::read_to_string(bench.home.path().join("settings.toml")).unwrap();
    bench.home.file("profiles/shop/settings.toml", &settings);
    let other = App::open(host, Mode::Own).unwrap();
    bench.home.model.hold();
    let started = start(&other, PLAIN).await;
    assert_eq!(show(&app).await.runs, 1);
    let busy = install(&app, false).await.unwrap_err();
    assert_eq!(busy.code, ErrorCode::RunBusy);
    bench.home.model.open();
    settle(&other, started.run).await;
    assert_eq!(show(&app).await.runs, 0);
    other.close().await.unwrap();
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_browser_looks_and_does_nothing() {
    let bench = Bench::new();
    let app = bench.fetched().await;
    let browser = || Ctx::quiet(Caller::LocalBrowser);
    let asked = bench.site.asked();
    app.call::<UpdatesShow>(browser(), Nothing {})
        .await
        .unwrap();
    let refused = [
        app.call::<UpdatesCheck>(browser(), Nothing {})
            .await
            .unwrap_err(),
        app.call::<UpdatesDownload>(browser(), Nothing {})
            .await
            .unwrap_err(),
        app.call::<UpdatesInstall>(browser(), InstallRequest::default())
            .await
            .unwrap_err(),
    ];
    assert!(
        refused
            .iter()
            .all(|error| error.code == ErrorCode::PolicyNotYours)
    );
    assert_eq!(bench.site.asked(), asked);
    assert!(!bench.told().exists());
    app.close().await.unwrap();
}

#[tokio::test]
async fn what_is_not_believed_has_its_reason() {
    let bench = Bench::new();
    bench.publish("0.0.1", PACKAGE);
    let app = bench.open(Mode::Own);
    let refused = call::<UpdatesCheck>(&app, Nothing {}).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::UpdateRefused);
    assert_eq!(refused.details["reason"], "downgrade");
    bench.publish("0.2.0", b"b package");
    call::<UpdatesCheck>(&app, Nothing {}).await.unwrap();
    let refused = call::<UpdatesDownload>(&app, Nothing {}).await.unwrap_err();
    assert_eq!(refused.details["reason"], "wrong_hash");
    app.close().await.unwrap();
}

#[tokio::test]
async fn without_anybody_to_ask_the_command_is_the_answer() {
    let bench = Bench::new();
    fs::remove_file(bench.root.path().join("usr/bin/pkexec")).unwrap();
    let app = bench.fetched().await;
    let done = install(&app, false).await.unwrap();
    assert!(!done.is_done);
    assert!(PathBuf::from(&done.backup).is_dir());
    assert!(done.command.unwrap().ends_with(&done.file));
    assert_eq!(show(&app).await.installed, None);
    app.close().await.unwrap();
}
