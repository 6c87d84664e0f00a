//! Backups that nobody asks for.

use std::time::Duration;

use bwana_api::care::BackupShown;
use bwana_api::command::{BackupList, BackupNow};
use bwana_api::definitions::Nothing;
use bwana_api::{App, Mode};

use crate::common::{Home, PLAIN, call, settle, start};

/// Longer than any machine takes for a small one.
const MADE_AFTER_MAX: Duration = Duration::from_secs(60);

async fn rolling(app: &App) -> Vec<BackupShown> {
    call::<BackupList>(app, Nothing {}).await.unwrap().rolling
}

#[tokio::test]
async fn a_host_that_stays_makes_a_backup_that_brings_the_runs_back() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let started = start(&app, PLAIN).await;
    settle(&app, started.run).await;
    assert_eq!(rolling(&app).await, []);
    app.keep_backups(Duration::ZERO).unwrap();
    let made = async {
        while rolling(&app).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(MADE_AFTER_MAX, made).await.unwrap();
    let made = rolling(&app).await;
    app.close().await.unwrap();

    let other = Home::new();
    let restored = bwana_api::data::restore(&other.host(), made[0].path.as_ref()).unwrap();
    assert_eq!(restored.runs, 1);
}

#[tokio::test]
async fn one_is_made_when_a_person_wishes() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let made = call::<BackupNow>(&app, Nothing {}).await.unwrap();
    let list = rolling(&app).await;
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].path, made.path);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_process_that_only_reads_makes_none() {
    let home = Home::new();
    assert!(home.open(Mode::Read).keep_backups(Duration::ZERO).is_err());
}
