//! Questions to the person: who may answer, and that an answer stands.

use bwana_api::command::{RunResume, TasksAnswer, TasksApprove, TasksDeny, TasksList};
use bwana_api::runs::{Approve, ResumeRequest};
use bwana_api::tasks::{AnswerRequest, DenyRequest, ListRequest, TaskRef, TaskStatus};
use bwana_api::{Caller, Ctx, HostOptions, Mode};
use bwana_testkit::Script;
use bwana_types::error::ErrorCode;
use bwana_types::status::RunStatus;
use serde_json::json;

use crate::common::{Home, PLAIN, call, settle, start};

fn writes() -> Script {
    Script::default().calls_once(
        "file.write",
        json!({"path": "a.txt", "content": "{digest}"}),
    )
}

#[tokio::test]
async fn an_approval_without_an_owner_is_written_and_starts_nothing() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    let shown = settle(&app, started.run).await;
    assert_eq!(shown.status, RunStatus::Waiting, "{shown:?}");
    app.close().await.unwrap();
    let asked = home.model.counts().requests;

    let app = home.open(Mode::Drive);
    let open = call::<TasksList>(&app, ListRequest::default())
        .await
        .unwrap();
    let [task] = open.tasks.as_slice() else {
        panic!("{open:?}")
    };
    let by = TaskRef {
        task: task.id.to_string(),
    };
    let decided = call::<TasksApprove>(&app, by.clone().into()).await.unwrap();
    assert_eq!(decided.status, TaskStatus::Decided);
    assert!(app.live_runs().is_empty());
    assert_eq!(home.model.counts().requests, asked);
    let again = call::<TasksDeny>(
        &app,
        DenyRequest {
            task: by.task,
            ..DenyRequest::default()
        },
    )
    .await
    .unwrap_err();
    assert_eq!(again.code, ErrorCode::TaskAlreadyDecided);
    assert!(
        again.message.contains("approved on the command line"),
        "{}",
        again.message
    );

    let request = ResumeRequest {
        run: started.run.to_string(),
        approve: Approve::Ask,
    };
    call::<RunResume>(&app, request).await.unwrap();
    let shown = settle(&app, started.run).await;
    assert_eq!(shown.artifacts[0].file, "a.txt");
    assert_eq!(shown.status, RunStatus::Waiting, "the second step asks too");
    app.close().await.unwrap();
}

#[tokio::test]
async fn an_answer_of_the_wrong_form_is_refused_with_the_right_one() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    let shown = settle(&app, started.run).await;
    let request = AnswerRequest {
        task: shown.tasks[0].id.to_string(),
        text: String::from("maybe"),
    };
    let refused = call::<TasksAnswer>(&app, request).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::TaskWrongAnswer);
    assert!(
        refused.hint.contains("bwana tasks approve"),
        "{}",
        refused.hint
    );
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_page_in_a_browser_never_decides() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    let shown = settle(&app, started.run).await;
    let by = TaskRef {
        task: shown.tasks[0].id.to_string(),
    };
    let browser = Ctx::quiet(Caller::LocalBrowser);
    let refused = app
        .call::<TasksApprove>(browser, by.into())
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::PolicyNotYours);
    assert_eq!(settle(&app, started.run).await.tasks.len(), 1);
    app.close().await.unwrap();
}

#[tokio::test]
async fn where_nobody_can_answer_the_answer_is_no() {
    let home = Home::answering(writes());
    let host = HostOptions {
        unattended: true,
        ..home.host()
    };
    let app = bwana_api::App::open(host, Mode::Drive).unwrap();
    let text = PLAIN.replace("steps: [Collect, Write up]", "steps: [Collect]");
    let started = start(&app, &text).await;
    let shown = settle(&app, started.run).await;
    assert_eq!(shown.status, RunStatus::Done, "{shown:?}");
    assert!(shown.artifacts.iter().all(|file| file.file != "a.txt"));
    let open = call::<TasksList>(&app, ListRequest::default())
        .await
        .unwrap();
    assert!(open.tasks.is_empty());
    app.close().await.unwrap();
}
