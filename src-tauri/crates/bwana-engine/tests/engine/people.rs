//! What a person decides: once, bound to what was asked, and only then acted on.

use std::sync::atomic::Ordering;

use bwana_testkit::{Script, ScriptedModel};
use bwana_types::status::RunStatus;
use bwana_types::task::{DecidedBy, TaskKind, Verdict};
use serde_json::json;

use crate::fixture::{Fixture, definition};

fn mailer() -> ScriptedModel {
    ScriptedModel::new(
        Script::default().calls_once("mail.send", json!({"to": "wanjiku@example.org"})),
    )
}

#[tokio::test]
async fn nothing_is_sent_before_a_person_says_so_and_then_once() {
    let mut fixture = Fixture::new(mailer());
    let shown = fixture.run(definition(1)).await;
    assert_eq!((shown.status, shown.tasks.len()), (RunStatus::Waiting, 1));
    assert_eq!(fixture.mail.sent.load(Ordering::SeqCst), 0);
    fixture.reopen().await;
    let task = shown.tasks[0].id;
    fixture
        .engine
        .decide(task, Verdict::Approve, DecidedBy::LocalCli)
        .await
        .unwrap();
    let second = fixture
        .engine
        .decide(task, Verdict::GiveUp, DecidedBy::LocalCli)
        .await
        .unwrap_err();
    assert_eq!(second.code.as_str(), "task.wrong_answer");
    let second = fixture
        .engine
        .decide(task, Verdict::Approve, DecidedBy::LocalCli)
        .await
        .unwrap_err();
    assert_eq!(second.code.as_str(), "task.already_decided");
    let shown = fixture.engine.settle(shown.id).await.unwrap();
    assert_eq!(
        (shown.status, fixture.mail.sent.load(Ordering::SeqCst)),
        (RunStatus::Done, 1)
    );
    assert_eq!(
        fixture.mail.keys.lock().unwrap().len(),
        1,
        "the intent's key goes along"
    );
}

#[tokio::test]
async fn a_refusal_is_told_to_the_agent() {
    let fixture = Fixture::new(mailer());
    let shown = fixture.run(definition(1)).await;
    let verdict = Verdict::Deny {
        reason: String::from("not today"),
    };
    fixture
        .engine
        .decide(shown.tasks[0].id, verdict, DecidedBy::LocalUi)
        .await
        .unwrap();
    let shown = fixture.engine.settle(shown.id).await.unwrap();
    assert_eq!(
        (shown.status, fixture.mail.sent.load(Ordering::SeqCst)),
        (RunStatus::Done, 0)
    );
}

#[tokio::test]
async fn a_send_that_a_crash_left_unanswered_is_a_question_not_a_repetition() {
    let mut fixture = Fixture::new(mailer());
    let shown = fixture.run(definition(1)).await;
    // The approval is recorded, the intent is written, and the process dies before an answer comes.
    fixture
        .engine
        .decide(shown.tasks[0].id, Verdict::Approve, DecidedBy::LocalCli)
        .await
        .unwrap();
    fixture.engine.abort();
    fixture.reopen().await;
    fixture.engine.recover().unwrap();
    let shown = fixture.engine.settle(shown.id).await.unwrap();
    if shown.status == RunStatus::Waiting {
        assert_eq!(shown.tasks[0].ask.kind(), TaskKind::Uncertain);
        let happened = Verdict::HappenedAlready {
            note: String::new(),
        };
        fixture
            .engine
            .decide(shown.tasks[0].id, happened, DecidedBy::LocalCli)
            .await
            .unwrap();
        fixture.engine.settle(shown.id).await.unwrap();
    }
    assert!(fixture.mail.sent.load(Ordering::SeqCst) <= 1);
}
