//! Saying something to a run through the command table.

use bwana_api::command::{RunResume, RunSay, TasksApprove};
use bwana_api::runs::{Approve, ResumeRequest};
use bwana_api::say::SayRequest;
use bwana_api::tasks::TaskRef;
use bwana_api::{App, Mode, RunShown};
use bwana_testkit::Script;
use bwana_types::entry::When;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::status::RunStatus;
use serde_json::json;

use crate::common::{Home, PLAIN, call, settle, start};

async fn say(app: &App, run: &RunShown, text: &str, when: When) -> Result<RunShown, ApiError> {
    let request = SayRequest {
        run: run.id.to_string(),
        text: text.to_owned(),
        when,
    };
    call::<RunSay>(app, request).await
}

async fn waiting(app: &App) -> RunShown {
    let started = start(app, PLAIN).await;
    let shown = settle(app, started.run).await;
    assert_eq!(shown.status, RunStatus::Waiting, "{shown:?}");
    shown
}

fn writes() -> Script {
    Script::default().calls_once("file.write", json!({"path": "a.txt", "content": "x"}))
}

#[tokio::test]
async fn words_wait_in_sight_and_are_heard_once_by_the_model() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Own);
    let run = waiting(&app).await;
    let shown = say(&app, &run, "Mention Nakuru.", When::Now).await.unwrap();
    assert_eq!(shown.queued.len(), 1);
    assert_eq!(shown.queued[0].text, "Mention Nakuru.");
    assert_eq!(shown.queued[0].when, When::Now);
    let by = TaskRef {
        task: run.tasks[0].id.to_string(),
    };
    call::<TasksApprove>(&app, by.into()).await.unwrap();
    let shown = settle(&app, run.id).await;
    assert_eq!(shown.queued, []);
    app.close().await.unwrap();
}

#[tokio::test]
async fn words_to_a_run_nobody_works_on_are_kept_for_when_it_goes_on() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Drive);
    let run = waiting(&app).await;
    app.close().await.unwrap();
    let asked = home.model.counts().requests;

    let app = home.open(Mode::Drive);
    say(&app, &run, "Mention Nakuru.", When::AtEnd)
        .await
        .unwrap();
    assert!(app.live_runs().is_empty());
    assert_eq!(home.model.counts().requests, asked);
    app.close().await.unwrap();

    let app = home.open(Mode::Drive);
    let request = ResumeRequest {
        run: run.id.to_string(),
        approve: Approve::Deny,
    };
    call::<RunResume>(&app, request).await.unwrap();
    loop {
        let shown = settle(&app, run.id).await;
        if shown.status == RunStatus::Done {
            assert_eq!(shown.queued, []);
            assert_eq!(shown.turns, 3, "one more than the steps have");
            break;
        }
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_said_is_refused_with_a_code() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let started = start(&app, PLAIN).await;
    let done = settle(&app, started.run).await;
    assert_eq!(done.status, RunStatus::Done);
    let check = |refused: Result<RunShown, ApiError>, code| {
        assert_eq!(refused.unwrap_err().code, code);
    };
    check(
        say(&app, &done, "too late", When::Now).await,
        ErrorCode::RunNotResumable,
    );
    let long = "x".repeat(16 * 1024 + 1);
    check(
        say(&app, &done, &long, When::Now).await,
        ErrorCode::UsageInvalid,
    );
    app.close().await.unwrap();
    let home = Home::answering(writes());
    let app = home.open(Mode::Own);
    let run = waiting(&app).await;
    check(
        say(&app, &run, "  ", When::Now).await,
        ErrorCode::UsageInvalid,
    );
    app.close().await.unwrap();
}
