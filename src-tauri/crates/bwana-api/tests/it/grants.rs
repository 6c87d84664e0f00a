//! What people allow and forbid beyond one call: what it covers, for how long, and that it can be taken back.

use bwana_api::command::{
    GrantsList, GrantsRevoke, GrantsUndo, RunEvents, TasksApprove, TasksDeny, TasksShow,
};
use bwana_api::events::EventsRequest;
use bwana_api::grants::{GrantRef, GrantsRequest, Scope};
use bwana_api::tasks::{ApproveRequest, DenyRequest, TaskRef, TaskShown};
use bwana_api::{App, Caller, Ctx, Event, Events, Mode, RunShown};
use bwana_testkit::Script;
use bwana_types::entry::{Assessment, Body, Entry};
use bwana_types::error::ErrorCode;
use bwana_types::grant::Pattern;
use bwana_types::id::RunId;
use bwana_types::status::RunStatus;
use bwana_types::task::Ask;
use serde_json::json;

use crate::common::{Home, PLAIN, call, settle, start};

/// Every step writes a file of its own words at the top of the run's folder.
fn writes() -> Script {
    Script::default().calls_once(
        "file.write",
        json!({"path": "a.txt", "content": "{digest}"}),
    )
}

fn top() -> Pattern {
    Pattern::Folder {
        folder: String::new(),
    }
}

/// A fresh run of the two steps, at its first question.
async fn asked(app: &App) -> (RunShown, TaskShown) {
    let started = start(app, PLAIN).await;
    let shown = settle(app, started.run).await;
    assert_eq!(shown.status, RunStatus::Waiting, "{shown:?}");
    let task = shown.tasks[0].clone();
    (shown, task)
}

fn yes(task: &TaskShown, scope: Scope, pattern: Option<Pattern>) -> ApproveRequest {
    ApproveRequest {
        task: task.id.to_string(),
        scope,
        pattern,
        edit: None,
    }
}

async fn journal(app: &App, run: RunId) -> Vec<Entry> {
    let (events, mut heard) = Events::channel();
    let request = EventsRequest {
        run: run.to_string(),
        from: 1,
        follow: false,
        text: false,
    };
    let ctx = Ctx {
        caller: Caller::LocalCli,
        events,
    };
    app.call::<RunEvents>(ctx, request).await.unwrap();
    let mut entries = Vec::new();
    while let Some(event) = heard.recv().await {
        if let Event::Entry { entry, .. } = event {
            entries.push((*entry).clone());
        }
    }
    entries
}

#[tokio::test]
async fn a_question_offers_scopes_with_the_tools_own_patterns() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Drive);
    let (_, task) = asked(&app).await;
    let offers: Vec<(Scope, &str)> = task
        .scopes
        .iter()
        .map(|offer| (offer.scope, offer.words.code.as_str()))
        .collect();
    assert_eq!(
        offers,
        [
            (Scope::Once, "grant.once"),
            (Scope::Run, "grant.run.exact"),
            (Scope::Run, "grant.run.folder"),
            (Scope::Workflow, "grant.workflow.exact"),
            (Scope::Workflow, "grant.workflow.folder"),
            (Scope::Never, "grant.never.exact"),
            (Scope::Never, "grant.never.folder"),
        ]
    );
    assert!(!task.second_key);
    let other = Pattern::Folder {
        folder: String::from("elsewhere"),
    };
    let refused = call::<TasksApprove>(&app, yes(&task, Scope::Workflow, Some(other)))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::TaskWrongAnswer);
    app.close().await.unwrap();
}

#[tokio::test]
async fn what_is_allowed_in_a_workflow_is_not_asked_again_until_it_is_taken_back() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Own);
    let (run, task) = asked(&app).await;
    let decided = call::<TasksApprove>(&app, yes(&task, Scope::Workflow, Some(top())))
        .await
        .unwrap();
    let grant = decided.decision.unwrap().grant.unwrap();
    let done = settle(&app, run.id).await;
    assert_eq!(done.status, RunStatus::Done, "the second step does not ask");
    let allowed: Vec<_> = journal(&app, run.id)
        .await
        .into_iter()
        .filter_map(|entry| match entry.body {
            Body::ToolAssessed(assessed) => match assessed.verdict {
                Assessment::Allow { grant, .. } => grant,
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(allowed, [grant], "the journal says by which grant");

    let again = start(&app, PLAIN).await;
    assert_eq!(settle(&app, again.run).await.status, RunStatus::Done);
    let list = call::<GrantsList>(&app, GrantsRequest::default())
        .await
        .unwrap();
    assert_eq!((list.grants.len(), list.grants[0].used), (1, 3));
    assert_eq!(list.grants[0].task, task.id);

    let by = GrantRef {
        grant: grant.to_string(),
    };
    let browser = Ctx::quiet(Caller::LocalBrowser);
    let refused = app
        .call::<GrantsRevoke>(browser, by.clone())
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::PolicyNotYours);
    let revoked = call::<GrantsRevoke>(&app, by).await.unwrap();
    assert!(!revoked.stands && revoked.revoked_at.is_some());
    asked(&app).await;
    app.close().await.unwrap();
}

#[tokio::test]
async fn another_version_of_the_workflow_asks_again() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Own);
    let (_, task) = asked(&app).await;
    call::<TasksApprove>(&app, yes(&task, Scope::Workflow, Some(top())))
        .await
        .unwrap();
    let changed = PLAIN.replace("Write up", "Write down");
    let started = start(&app, &changed).await;
    let shown = settle(&app, started.run).await;
    assert_eq!(shown.status, RunStatus::Waiting);
    app.close().await.unwrap();
}

#[tokio::test]
async fn what_is_allowed_in_a_run_holds_in_that_run_alone() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Own);
    let (run, task) = asked(&app).await;
    call::<TasksApprove>(&app, yes(&task, Scope::Run, Some(top())))
        .await
        .unwrap();
    assert_eq!(settle(&app, run.id).await.status, RunStatus::Done);
    let (_, task) = asked(&app).await;
    // The narrowest pattern covers the same words again, and the second step has others.
    call::<TasksApprove>(&app, yes(&task, Scope::Run, None))
        .await
        .unwrap();
    let shown = settle(&app, task.run).await;
    assert_eq!(shown.status, RunStatus::Waiting);
    app.close().await.unwrap();
}

#[tokio::test]
async fn never_is_told_to_the_agent_without_asking_and_undo_takes_it_back() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Own);
    let (run, task) = asked(&app).await;
    let request = DenyRequest {
        task: task.id.to_string(),
        scope: Scope::Never,
        pattern: Some(top()),
        ..DenyRequest::default()
    };
    call::<TasksDeny>(&app, request).await.unwrap();
    let done = settle(&app, run.id).await;
    assert_eq!(done.status, RunStatus::Done);
    assert!(done.artifacts.iter().all(|file| file.file != "a.txt"));
    let again = start(&app, PLAIN).await;
    assert_eq!(settle(&app, again.run).await.status, RunStatus::Done);
    let by = TaskRef {
        task: task.id.to_string(),
    };
    assert!(!call::<GrantsUndo>(&app, by).await.unwrap().stands);
    asked(&app).await;
    app.close().await.unwrap();
}

#[tokio::test]
async fn changed_arguments_are_checked_used_and_recorded() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Own);
    let (run, task) = asked(&app).await;
    let edit = |args| ApproveRequest {
        edit: Some(args),
        ..yes(&task, Scope::Once, None)
    };
    for bad in [
        json!({"path": "b.txt"}),
        json!({"path": "b.txt", "content": "x", "mode": 7}),
    ] {
        let refused = call::<TasksApprove>(&app, edit(bad)).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::ToolInvalidArguments);
    }
    let good = json!({"path": "drafts/b.txt", "content": "my words"});
    call::<TasksApprove>(&app, edit(good)).await.unwrap();
    let shown = settle(&app, run.id).await;
    assert_eq!(shown.artifacts[0].file, "drafts/b.txt");
    let by = TaskRef {
        task: task.id.to_string(),
    };
    let decision = call::<TasksShow>(&app, by).await.unwrap().decision.unwrap();
    assert_eq!(
        decision.edited.as_deref(),
        Some(r#"{"content":"my words","path":"drafts/b.txt"}"#)
    );
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_decision_without_an_owner_makes_its_grant_too() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Drive);
    let (_, task) = asked(&app).await;
    app.close().await.unwrap();
    let app = home.open(Mode::Drive);
    call::<TasksApprove>(&app, yes(&task, Scope::Workflow, Some(top())))
        .await
        .unwrap();
    assert!(app.live_runs().is_empty());
    let list = call::<GrantsList>(&app, GrantsRequest::default())
        .await
        .unwrap();
    assert_eq!(list.grants.len(), 1);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_browser_makes_no_grant() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Own);
    let (run, task) = asked(&app).await;
    let browser = Ctx::quiet(Caller::LocalBrowser);
    let refused = app
        .call::<TasksApprove>(browser, yes(&task, Scope::Workflow, Some(top())))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::PolicyNotYours);
    assert_eq!(settle(&app, run.id).await.tasks.len(), 1);
    app.close().await.unwrap();
}

#[tokio::test]
async fn what_is_never_allowed_is_denied_to_a_persons_own_arguments_too() {
    let home = Home::answering(writes());
    let app = home.open(Mode::Own);
    let (run, task) = asked(&app).await;
    let Ask::Approve { args, .. } = &task.ask else {
        panic!("{:?}", task.ask)
    };
    let request = DenyRequest {
        task: task.id.to_string(),
        scope: Scope::Never,
        ..DenyRequest::default()
    };
    call::<TasksDeny>(&app, request).await.unwrap();
    let shown = settle(&app, run.id).await;
    let request = ApproveRequest {
        edit: Some(serde_json::from_str(args).unwrap()),
        ..yes(&shown.tasks[0], Scope::Once, None)
    };
    let refused = call::<TasksApprove>(&app, request).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::PolicyDenied);
    assert_eq!(settle(&app, run.id).await.tasks.len(), 1, "it stays open");
    app.close().await.unwrap();
}
