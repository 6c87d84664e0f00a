//! A damaged database, as a host meets it: refused, looked at, brought back, opened again.

use bwana_api::command::{
    BackupNow, HomeHealth, RecoverLook, RecoverRun, RunList, RunShow, RunStart,
};
use bwana_api::definitions::Nothing;
use bwana_api::health::HealthMode;
use bwana_api::recovering::{RecoverRequest, RecoverSource};
use bwana_api::runs::ListRequest;
use bwana_api::{App, Mode};
use bwana_types::error::ErrorCode;
use bwana_types::id::RunId;
use bwana_types::status::RunStatus;

use crate::common::{Home, PLAIN, by, call, settle, start, start_request};

/// One ended run before a backup and one after it; then the file's beginning is lost.
async fn damaged() -> (Home, [RunId; 2]) {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let before = start(&app, PLAIN).await.run;
    settle(&app, before).await;
    call::<BackupNow>(&app, Nothing {}).await.unwrap();
    let after = start(&app, PLAIN).await.run;
    settle(&app, after).await;
    app.close().await.unwrap();
    let path = home.path().join("bwana.db");
    let mut broken = std::fs::read(&path).unwrap();
    broken[..100].fill(0);
    std::fs::write(&path, broken).unwrap();
    (home, [before, after])
}

#[tokio::test]
async fn a_damaged_database_is_refused_looked_at_and_brought_back() {
    let (home, [before, after]) = damaged().await;
    for mode in [Mode::Own, Mode::Drive, Mode::Read] {
        let refused = App::open(home.host(), mode).err().unwrap();
        assert_eq!(refused.code, ErrorCode::StoreDamaged, "{mode:?}");
        let newest = &refused.details["backups"][0];
        assert!(
            newest["path"].as_str().unwrap().contains("rolling"),
            "{refused:?}"
        );
    }
    let app = home.open(Mode::Repair);
    let health = call::<HomeHealth>(&app, Nothing {}).await.unwrap();
    assert_eq!(health.mode, HealthMode::Damaged);
    assert!(health.free_bytes > 0 && !health.what.is_empty());
    let found = call::<RecoverLook>(&app, Nothing {}).await.unwrap();
    assert!(found.is_damaged);
    assert_eq!(found.good.as_ref().unwrap().runs, 1);
    assert_eq!(found.readable_runs, 2);
    assert!(found.readable_entries > found.good.unwrap().entries);
    let refused = call::<RunShow>(&app, by(before)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::StoreDamaged);
    let refused = call::<RunStart>(&app, start_request(PLAIN))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::StoreDamaged);

    let from = RecoverSource::Salvage;
    let done = call::<RecoverRun>(&app, RecoverRequest { from })
        .await
        .unwrap();
    assert_eq!((done.runs, done.salvaged_runs), (2, 1));
    assert_eq!(done.left_out, []);
    assert_eq!(done.set_aside.len(), 1);
    let refused = call::<RecoverRun>(&app, RecoverRequest { from })
        .await
        .unwrap_err();
    assert_eq!(
        refused.code,
        ErrorCode::UsageInvalid,
        "it is not damaged any more"
    );
    app.close().await.unwrap();

    let app = home.open(Mode::Own);
    for run in [before, after] {
        let shown = call::<RunShow>(&app, by(run)).await.unwrap();
        assert_eq!(shown.status, RunStatus::Done);
    }
    let health = call::<HomeHealth>(&app, Nothing {}).await.unwrap();
    assert_eq!(health.mode, HealthMode::Normal);
    let refused = call::<RecoverLook>(&app, Nothing {}).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::HomeInUse);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_host_with_somebody_in_front_opens_for_repair_only_what_is_damaged() {
    let (home, _) = damaged().await;
    for mode in [Mode::Own, Mode::Read] {
        let app = App::open_or_repair(home.host(), mode).unwrap();
        assert_eq!(app.mode(), Mode::Repair);
        let health = call::<HomeHealth>(&app, Nothing {}).await.unwrap();
        assert!(health.is_repair);
    }
    let sound = Home::new();
    let app = App::open_or_repair(sound.host(), Mode::Own).unwrap();
    assert_eq!(app.mode(), Mode::Own);
    let health = call::<HomeHealth>(&app, Nothing {}).await.unwrap();
    assert!(!health.is_repair);
    let refused = App::open_or_repair(sound.host(), Mode::Own).err().unwrap();
    assert_eq!(
        refused.code,
        ErrorCode::HomeInUse,
        "every other error is one"
    );
    app.close().await.unwrap();
}

#[tokio::test]
async fn the_backup_alone_comes_back_if_that_is_wanted() {
    let (home, [before, _]) = damaged().await;
    let app = home.open(Mode::Repair);
    let from = RecoverSource::Backup;
    let done = call::<RecoverRun>(&app, RecoverRequest { from })
        .await
        .unwrap();
    assert_eq!((done.runs, done.salvaged_runs), (1, 0));
    let app = home.open(Mode::Own);
    let list = call::<RunList>(&app, ListRequest::default()).await.unwrap();
    assert_eq!(
        list.runs.iter().map(|run| run.id).collect::<Vec<_>>(),
        [before]
    );
    app.close().await.unwrap();
}

#[tokio::test]
async fn where_nothing_is_damaged_nothing_is_repaired() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    start(&app, PLAIN).await;
    app.close().await.unwrap();
    let app = home.open(Mode::Repair);
    let found = call::<RecoverLook>(&app, Nothing {}).await.unwrap();
    assert!(!found.is_damaged && found.what.is_empty());
    let health = call::<HomeHealth>(&app, Nothing {}).await.unwrap();
    assert_eq!(health.mode, HealthMode::Normal);
}
