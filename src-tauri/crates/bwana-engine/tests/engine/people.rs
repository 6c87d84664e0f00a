//! What a person decides: once, bound to what was asked, and only then acted on.

use std::sync::atomic::Ordering;

use bwana_testkit::script::{Answer, AnswerCall, Prompt};
use bwana_testkit::{Script, ScriptedModel};
use bwana_tools::builtin::PERSON_ASK;
use bwana_types::entry::Body;
use bwana_types::message::Role;
use bwana_types::status::RunStatus;
use bwana_types::task::{Ask, DecidedBy, TaskKind, Verdict};
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

/// Asks `question` once, and ends with what it was told.
fn asker(question: &'static str) -> ScriptedModel {
    ScriptedModel::answering(move |prompt: &Prompt<'_>| {
        let told = prompt
            .lines
            .iter()
            .rev()
            .find(|line| line.role == Role::Tool);
        match (told, prompt.offers(PERSON_ASK)) {
            (Some(told), _) => Answer::text(format!("I was told: {}", told.text)),
            (None, Some(tool)) => Answer {
                calls: vec![AnswerCall {
                    id: String::from("call_1"),
                    tool: tool.to_owned(),
                    args: json!({"question": question, "choices": ["Nakuru", "Kisumu"]})
                        .to_string(),
                }],
                ..Answer::default()
            },
            (None, None) => Answer::text("I could not ask."),
        }
    })
}

#[tokio::test]
async fn a_question_outlives_the_process_and_the_answer_is_what_the_agent_hears() {
    let mut fixture = Fixture::new(asker("Which\u{202E} town?"));
    let shown = fixture.run(definition(1)).await;
    assert_eq!((shown.status, shown.tasks.len()), (RunStatus::Waiting, 1));
    let task = shown.tasks[0].clone();
    let asked = Ask::Answer {
        agent: "a".into(),
        question: "Which<U+202E> town?".into(),
        choices: vec!["Nakuru".into(), "Kisumu".into()],
    };
    assert_eq!(task.ask, asked);
    fixture.reopen().await;
    fixture.engine.recover().unwrap();
    let again = fixture.engine.settle(shown.id).await.unwrap();
    assert_eq!(again.tasks, shown.tasks, "asked once");
    let yes = fixture
        .engine
        .decide(task.id, Verdict::Approve, DecidedBy::LocalUi)
        .await
        .unwrap_err();
    assert_eq!(yes.code.as_str(), "task.wrong_answer");
    let text = String::from("Nakuru, near the market");
    fixture
        .engine
        .decide(task.id, Verdict::Answer { text }, DecidedBy::LocalUi)
        .await
        .unwrap();
    // The answer is on disk before anything is made of it.
    fixture.reopen().await;
    fixture.engine.recover().unwrap();
    let shown = fixture.engine.settle(shown.id).await.unwrap();
    assert_eq!(shown.status, RunStatus::Done);
    assert_eq!(
        shown.result.as_deref(),
        Some("I was told: Nakuru, near the market")
    );
    let journal = fixture.store.entries(shown.id, 0, 1_000).unwrap();
    let opened = journal
        .iter()
        .filter(|entry| matches!(entry.body, Body::TaskOpened(_)));
    assert_eq!(opened.count(), 1);
}

#[tokio::test]
async fn where_nobody_can_be_asked_the_agent_is_told_and_goes_on() {
    let mut fixture = Fixture::new(asker("Which town?"));
    fixture.leave_alone().await;
    let shown = fixture.run(definition(1)).await;
    assert_eq!((shown.status, shown.tasks.len()), (RunStatus::Done, 0));
    let said = shown.result.unwrap();
    assert!(said.contains("Nobody can be asked in this run."), "{said}");
}

#[tokio::test]
async fn an_empty_question_goes_back_to_the_agent_and_to_nobody_else() {
    let fixture = Fixture::new(asker(" \n"));
    let shown = fixture.run(definition(1)).await;
    assert_eq!((shown.status, shown.tasks.len()), (RunStatus::Done, 0));
    assert!(shown.result.unwrap().contains("The question is empty."));
}
