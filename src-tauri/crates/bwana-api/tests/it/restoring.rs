//! Bringing backups back while everything goes on: previewed, merged, undone, or as a profile of its own.

use std::path::PathBuf;
use std::sync::Arc;

use bwana_api::care::{BackupReason, BackupShown};
use bwana_api::command::{
    BackupList, BackupPreview, BackupRestore, BackupUndo, ProfilesCreate, ProfilesList, RunList,
    RunResume, RunShow,
};
use bwana_api::definitions::Nothing;
use bwana_api::profiles::{ProfileRef, folder_of};
use bwana_api::restoring::{
    BackupPreview as Preview, BackupRef, BackupRestoreRequest, BackupRestored, BackupUndoRequest,
    LeftOut, RestoreHow,
};
use bwana_api::runs::{ListRequest, ResumeRequest};
use bwana_api::{App, Caller, Command, Ctx, HostOptions, Mode, data};
use bwana_testkit::SeededIds;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::RunId;
use bwana_types::status::RunStatus;

use crate::common::{Home, PLAIN, by, call, settle, start};

/// A home with two ended runs, and a backup of it.
async fn with_backup() -> (Home, PathBuf, [RunId; 2]) {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let mut runs = Vec::new();
    for _ in 0..2 {
        let started = start(&app, PLAIN).await;
        settle(&app, started.run).await;
        runs.push(started.run);
    }
    let to = home.path().join("backups/mine");
    let request = data::BackupRequest {
        to: Some(to.clone()),
    };
    call::<bwana_api::command::Backup>(&app, request)
        .await
        .unwrap();
    app.close().await.unwrap();
    (home, to, [runs[0], runs[1]])
}

async fn look(app: &App, path: &std::path::Path) -> Preview {
    let path = path.to_owned();
    call::<BackupPreview>(app, BackupRef { path })
        .await
        .unwrap()
}

fn merging(path: &std::path::Path) -> BackupRestoreRequest {
    BackupRestoreRequest {
        path: path.to_owned(),
        how: RestoreHow::Merge,
        profile: None,
    }
}

async fn merge(app: &App, path: &std::path::Path) -> BackupRestored {
    call::<BackupRestore>(app, merging(path)).await.unwrap()
}

async fn undo(app: &App, preview: bool) -> Result<bwana_api::restoring::BackupUndo, ApiError> {
    call::<BackupUndo>(app, BackupUndoRequest { preview }).await
}

async fn runs(app: &App) -> Vec<RunId> {
    let list = call::<RunList>(app, ListRequest::default()).await.unwrap();
    list.runs.iter().map(|run| run.id).collect()
}

#[tokio::test]
async fn a_backup_is_previewed_merged_and_taken_back_with_what_came_since() {
    let (_other, backup, taken) = with_backup().await;
    let home = Home::new();
    // Another machine: its runs have names of their own.
    let host = HostOptions {
        ids: Arc::new(SeededIds::new(8)),
        ..home.host()
    };
    let open = || App::open(host.clone(), Mode::Own).unwrap();
    let app = open();
    let own = start(&app, PLAIN).await.run;
    settle(&app, own).await;

    let found = look(&app, &backup).await;
    assert!(found.verifies);
    assert_eq!((found.runs, found.new, found.equal), (2, 2, 0));
    assert!(found.entries > 10 && !found.program.is_empty());
    assert!(
        !home.path().join("backups/before-restore").exists(),
        "a look changes nothing"
    );
    assert_eq!(
        undo(&app, true).await.unwrap_err().code,
        ErrorCode::UsageNotFound
    );

    let done = merge(&app, &backup).await;
    assert_eq!((done.added, done.continued), (2, 0));
    assert_eq!(done.left_out, []);
    assert!(done.undo_until.is_some());
    assert_eq!(runs(&app).await.len(), 3);
    for run in taken {
        let shown = call::<RunShow>(&app, by(run)).await.unwrap();
        assert_eq!(shown.status, RunStatus::Done);
    }
    let found = look(&app, &backup).await;
    assert_eq!((found.new, found.equal), (0, 2));
    let again = merge(&app, &backup).await;
    assert_eq!((again.added, again.undo_until), (0, None));

    let since = start(&app, PLAIN).await.run;
    settle(&app, since).await;
    let lost = undo(&app, true).await.unwrap();
    assert_eq!((lost.runs_lost, lost.needs_restart), (1, false));
    assert!(lost.entries_lost > 5);
    assert_eq!(runs(&app).await.len(), 4, "a look changes nothing");

    let list = call::<BackupList>(&app, Nothing {}).await.unwrap();
    let why = |one: &BackupShown| (one.why, one.bytes.is_some());
    assert_eq!(
        list.others.iter().map(why).collect::<Vec<_>>(),
        [(BackupReason::BeforeRestore, true)],
        "a window sees that there is something to take back"
    );

    let prepared = undo(&app, false).await.unwrap();
    assert!(prepared.needs_restart);
    let refused =
        call::<bwana_api::command::RunStart>(&app, crate::common::start_request(PLAIN)).await;
    assert_eq!(
        refused.unwrap_err().code,
        ErrorCode::StoreRestoring,
        "it would be gone"
    );
    assert_eq!(runs(&app).await.len(), 4, "reading goes on");
    app.close().await.unwrap();

    let app = open();
    assert_eq!(runs(&app).await, [own]);
    assert_eq!(
        undo(&app, true).await.unwrap_err().code,
        ErrorCode::UsageNotFound
    );
    start(&app, PLAIN).await;
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_run_that_had_not_ended_stands_still_until_a_person_resumes_it() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let run = start(&app, PLAIN).await.run;
    app.close().await.unwrap();
    // Whether the first call had ended when the folder was closed or not: it had not run to its end.
    let app = home.open(Mode::Own);
    let before = call::<RunShow>(&app, by(run)).await.unwrap();
    let backup = home.path().join("backups/mine");
    let request = data::BackupRequest {
        to: Some(backup.clone()),
    };
    call::<bwana_api::command::Backup>(&app, request)
        .await
        .unwrap();
    app.close().await.unwrap();
    assert!(!before.status.is_ended(), "{:?}", before.status);

    let other = Home::new();
    let app = other.open(Mode::Own);
    assert_eq!(merge(&app, &backup).await.added, 1);
    assert_eq!(app.take_over().await.unwrap(), []);
    let shown = call::<RunShow>(&app, by(run)).await.unwrap();
    assert_eq!(shown.status, RunStatus::Paused);
    let request = ResumeRequest {
        run: run.to_string(),
        approve: bwana_api::runs::Approve::Ask,
    };
    call::<RunResume>(&app, request).await.unwrap();
    assert_eq!(settle(&app, run).await.status, RunStatus::Done);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_run_that_went_another_way_is_left_as_it_is() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let run = start(&app, PLAIN).await.run;
    app.close().await.unwrap();
    let reader = home.open(Mode::Read);
    let first = home.path().join("backups/first");
    let request = data::BackupRequest {
        to: Some(first.clone()),
    };
    call::<bwana_api::command::Backup>(&reader, request)
        .await
        .unwrap();
    let other = Home::new();
    data::restore(&other.host(), &first).unwrap();
    // Here it goes on, there it is cancelled.
    let app = home.open(Mode::Own);
    app.take_over().await.unwrap();
    settle(&app, run).await;
    let second = home.path().join("backups/second");
    let request = data::BackupRequest {
        to: Some(second.clone()),
    };
    call::<bwana_api::command::Backup>(&app, request)
        .await
        .unwrap();
    app.close().await.unwrap();
    let app = other.open(Mode::Own);
    app.take_over().await.unwrap();
    call::<bwana_api::command::RunCancel>(&app, by(run))
        .await
        .unwrap();
    assert_eq!(look(&app, &second).await.conflict, 1);
    let done = merge(&app, &second).await;
    assert_eq!((done.added, done.continued, done.undo_until), (0, 0, None));
    assert_eq!(done.left_out[0].reason, LeftOut::Conflict);
    let shown = call::<RunShow>(&app, by(run)).await.unwrap();
    assert_eq!(shown.status, RunStatus::Cancelled);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_window_names_only_backups_of_its_own_data_folder() {
    let (other, outside, _) = with_backup().await;
    let home = Home::new();
    let app = home.open(Mode::Own);
    let inside = home.path().join("backups/copy");
    copy(&outside, &inside);
    let window = |path: PathBuf| {
        let app = app.clone();
        async move {
            let ctx = Ctx::quiet(Caller::LocalUi);
            app.call::<BackupPreview>(ctx, BackupRef { path }).await
        }
    };
    assert_eq!(window(inside.clone()).await.unwrap().new, 2);
    for path in [
        outside.clone(),
        inside.join("../../../../etc"),
        home.path().join("backups"),
        home.path().join("backups/.."),
        other.path(),
    ] {
        let refused = window(path.clone()).await.unwrap_err();
        assert_eq!(
            refused.code,
            ErrorCode::PolicyNotYours,
            "{}",
            path.display()
        );
    }
    let ctx = Ctx::quiet(Caller::LocalBrowser);
    let refused = app
        .call::<BackupRestore>(ctx, merging(&inside))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::PolicyNotYours);
    assert!(matches!(BackupPreview::NEEDS, bwana_api::Needs::Reader));
    app.close().await.unwrap();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_backup_that_does_not_verify_is_shown_as_that_and_brings_nothing() {
    let (_other, backup, _) = with_backup().await;
    let home = Home::new();
    let app = home.open(Mode::Own);
    let database = backup.join("bwana.db");
    let whole = std::fs::read(&database).unwrap();
    std::fs::write(&database, &whole[..whole.len() - 1]).unwrap();
    let found = look(&app, &backup).await;
    assert!(!found.verifies);
    assert_eq!(found.problem.unwrap().code, "backup.invalid");
    assert_eq!(found.runs, 0);
    let refused = call::<BackupRestore>(&app, merging(&backup))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::BackupInvalid);
    assert_eq!(runs(&app).await, []);
    app.close().await.unwrap();
}

fn host_of(home: &Home, folder: &str) -> HostOptions {
    HostOptions {
        home: folder.into(),
        ..home.host()
    }
}

#[tokio::test]
async fn a_backup_comes_back_as_a_profile_of_its_own_and_only_as_a_new_one() {
    let (_other, backup, taken) = with_backup().await;
    let home = Home::new();
    let app = home.open(Mode::Own);
    let into = |name: &str| BackupRestoreRequest {
        path: backup.clone(),
        how: RestoreHow::Profile,
        profile: Some(name.to_owned()),
    };
    let refused = call::<BackupRestore>(&app, into("../x")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::UsageInvalid);
    let done = call::<BackupRestore>(&app, into("shop")).await.unwrap();
    assert_eq!(done.added, 2);
    let refused = call::<BackupRestore>(&app, into("shop")).await.unwrap_err();
    assert_eq!(
        refused.code,
        ErrorCode::UsageInvalid,
        "nothing is overwritten"
    );
    assert_eq!(runs(&app).await, [], "here everything is as it was");
    let made = done.profile.unwrap();
    let found = |name: &str| folder_of(app.home(), name).map_err(|error| error.code);
    assert_eq!(found("shop"), Ok(home.path().join("profiles/shop")));
    assert_eq!(found(""), Ok(home.path()));
    assert_eq!(found("stall"), Err(ErrorCode::UsageNotFound));
    assert_eq!(found("../shop"), Err(ErrorCode::UsageInvalid));
    assert_eq!(PathBuf::from(&made), home.path().join("profiles/shop"));
    let shop = App::open(host_of(&home, &made), Mode::Own).unwrap();
    let mut found = runs(&shop).await;
    found.sort();
    let mut taken = taken.to_vec();
    taken.sort();
    assert_eq!(found, taken);
    let names = |list: bwana_api::profiles::ProfileList| -> Vec<(String, bool, bool)> {
        let profiles = list.profiles.into_iter();
        profiles
            .map(|one| (one.name, one.is_open, one.has_data))
            .collect()
    };
    let created = ProfileRef {
        name: String::from("home"),
    };
    call::<ProfilesCreate>(&shop, created).await.unwrap();
    let list = names(call::<ProfilesList>(&shop, Nothing {}).await.unwrap());
    let expected = [
        ("", false, true),
        ("home", false, false),
        ("shop", true, true),
    ];
    assert_eq!(
        list,
        expected.map(|(name, open, data)| (name.to_owned(), open, data))
    );
    shop.close().await.unwrap();
    app.close().await.unwrap();

    // A broken one leaves no half profile behind.
    std::fs::write(backup.join("bwana.db"), "x").unwrap();
    let app = home.open(Mode::Own);
    let refused = call::<BackupRestore>(&app, into("broken"))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::BackupInvalid);
    assert!(!home.path().join("profiles/broken").exists());
    app.close().await.unwrap();
}
