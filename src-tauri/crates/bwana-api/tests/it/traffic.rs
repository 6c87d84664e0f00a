//! What a day sends and hears, as the first screen shows it.

use std::time::Duration;

use bwana_api::command::UsageToday;
use bwana_api::definitions::Nothing;
use bwana_api::overview::Today;
use bwana_api::{App, Mode};

use crate::common::{Home, PLAIN, call, settle, start};

/// Longer than the meter ever waits before it writes.
const WRITTEN_AFTER_MAX: Duration = Duration::from_secs(60);

async fn today(app: &App) -> Today {
    call::<UsageToday>(app, Nothing {}).await.unwrap()
}

async fn work(app: &App) {
    let started = start(app, PLAIN).await;
    settle(app, started.run).await;
}

#[tokio::test]
async fn bytes_are_counted_and_outlive_an_owner_that_is_killed() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    app.traffic().count_this_machine();
    work(&app).await;
    let first = today(&app).await;
    assert!(first.bytes_out > 2 * 500, "two prompts: {first:?}");
    assert!(first.bytes_in > 2 * 200, "two answers: {first:?}");
    // Whoever reads beside the owner sees what a kill would leave.
    let reader = home.open(Mode::Read);
    let written = async {
        loop {
            let seen = today(&reader).await;
            if (seen.bytes_in, seen.bytes_out) == (first.bytes_in, first.bytes_out) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WRITTEN_AFTER_MAX, written)
        .await
        .unwrap();
    drop(app);

    let app = home.open(Mode::Drive);
    app.traffic().count_this_machine();
    assert_eq!(today(&app).await.bytes_out, first.bytes_out);
    work(&app).await;
    let second = today(&app).await;
    assert!(second.bytes_out >= 2 * first.bytes_out - 500, "{second:?}");
    app.close().await.unwrap();
    // A close writes what the pace has held back.
    let seen = today(&home.open(Mode::Read)).await;
    assert_eq!(
        (seen.bytes_in, seen.bytes_out),
        (second.bytes_in, second.bytes_out)
    );
}

#[tokio::test]
async fn what_stays_on_this_machine_is_no_traffic() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    work(&app).await;
    let today = today(&app).await;
    assert_eq!((today.bytes_in, today.bytes_out), (0, 0));
    app.close().await.unwrap();
}
