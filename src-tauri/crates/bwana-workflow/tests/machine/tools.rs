//! Tools inside a turn: order, decisions, and what becomes of an effect nobody can answer for.

use bwana_types::model::Request;
use bwana_types::status::RunStatus;
use bwana_types::task::{TaskKind, Verdict};
use bwana_workflow::machine::{Control, Input};

use crate::driver::{Answer, Driver, Script, definition, last_text, speak};

/// Calls these tools once, then says what came back.
fn calls(tools: &'static [&'static str]) -> Script {
    Box::new(move |request: &Request, _| {
        let answered = request
            .messages
            .iter()
            .any(|message| message.role == bwana_types::message::Role::Tool);
        if answered {
            let results = request
                .messages
                .last()
                .unwrap()
                .parts
                .iter()
                .map(|part| match part {
                    bwana_types::message::Part::ToolResult { content, .. } => content.to_string(),
                    _ => last_text(request),
                });
            return Answer::Say(results.collect::<Vec<_>>().join("; "));
        }
        Answer::Tools(
            tools
                .iter()
                .map(|tool| (*tool, String::from("{\"to\":\"x\"}")))
                .collect(),
        )
    })
}

fn driver(tools: &'static [&'static str]) -> Driver {
    Driver::new(definition(vec![speak("one", &["a"])]), calls(tools))
}

#[test]
fn results_reach_the_model_in_the_order_of_its_calls() {
    let mut driver = driver(&["look", "note", "look"]);
    driver.run().check();
    assert_eq!(
        driver.state.result_text().as_deref(),
        Some("look done; note done; look done")
    );
}

#[test]
fn an_unknown_tool_and_broken_arguments_are_told_to_the_model() {
    let mut driver = driver(&["fly"]);
    driver.run().check();
    assert_eq!(
        driver.state.result_text().as_deref(),
        Some("There is no tool 'fly'.")
    );
}

#[test]
fn a_person_is_asked_once_and_the_answer_survives_every_crash() {
    let mut whole = driver(&["mail"]);
    whole.asks.insert("mail");
    whole.run();
    assert_eq!(whole.state.status(), RunStatus::Waiting);
    assert_eq!(whole.effects.len(), 0, "nothing is sent before the answer");
    whole.answer(Verdict::Approve);
    whole.run().check();
    assert_eq!(whole.state.result_text().as_deref(), Some("mail done"));
    for seq in 2..whole.journal.len() as u64 {
        let mut driver = driver(&["mail"]);
        driver.asks.insert("mail");
        driver.crash_at.insert(seq);
        driver.run();
        if driver.state.status() == RunStatus::Waiting {
            driver.answer(Verdict::Approve);
            driver.run();
        }
        if driver.state.status() == RunStatus::Waiting {
            // The process died between the intent and the effect: it may have been sent.
            driver.answer(Verdict::SendAgain);
            driver.run();
        }
        driver.check();
        assert_eq!(driver.count("tool_assessed"), 1, "crash at {seq}");
        assert!(
            driver.effects.values().all(|times| *times == 1),
            "crash at {seq}"
        );
        assert_eq!(driver.state.status(), RunStatus::Done, "crash at {seq}");
    }
}

#[test]
fn an_effect_that_may_have_happened_is_never_repeated_by_itself() {
    for (verdict, times) in [
        (
            Verdict::HappenedAlready {
                note: String::new(),
            },
            1,
        ),
        (Verdict::GiveUp, 1),
        (Verdict::SendAgain, 2),
    ] {
        let mut driver = driver(&["mail"]);
        driver.crash_after_effect = true;
        driver.run().check();
        assert_eq!(driver.state.status(), RunStatus::Waiting);
        assert_eq!(
            driver.state.tasks.values().next().unwrap().ask.kind(),
            TaskKind::Uncertain
        );
        driver.crash();
        driver.run().check();
        assert_eq!(driver.count("task_opened"), 1, "never asked twice");
        driver.crash_after_effect = false;
        driver.answer(verdict);
        driver.run().check();
        assert_eq!(driver.effects.values().sum::<u32>(), times);
        assert_eq!(driver.state.status(), RunStatus::Done);
    }
}

#[test]
fn a_keyed_effect_is_repeated_with_the_same_key() {
    let mut whole = driver(&["note"]);
    whole.run();
    for seq in 2..whole.journal.len() as u64 {
        let mut driver = driver(&["note"]);
        driver.crash_at.insert(seq);
        driver.run().check();
        assert_eq!(driver.effects.len(), 1, "crash at {seq}");
    }
}

#[test]
fn a_refusal_is_a_result_like_any_other() {
    let mut driver = driver(&["mail"]);
    driver.asks.insert("mail");
    driver.run();
    driver.answer(Verdict::Deny {
        reason: "not today".into(),
    });
    driver.run().check();
    assert!(driver.state.result_text().unwrap().contains("not today"));
    assert_eq!(driver.effects.len(), 0);
}

#[test]
fn a_cancel_closes_questions_and_leaves_what_may_have_happened_open() {
    let mut asked = driver(&["mail"]);
    asked.asks.insert("mail");
    asked.run();
    asked.control(Control::Cancel { by: "test".into() });
    asked.run().check();
    assert_eq!(
        (asked.state.status(), asked.state.tasks.len()),
        (RunStatus::Cancelled, 0)
    );
    let mut uncertain = driver(&["mail"]);
    uncertain.crash_after_effect = true;
    uncertain.run();
    uncertain.control(Control::Cancel { by: "test".into() });
    uncertain.run().check();
    assert_eq!(
        (uncertain.state.status(), uncertain.state.tasks.len()),
        (RunStatus::Cancelled, 1)
    );
    uncertain.answer(Verdict::GiveUp);
    uncertain.check();
    assert_eq!(uncertain.state.tasks.len(), 0);
}

#[test]
fn an_agent_that_repeats_itself_is_warned_then_stopped() {
    let script = |_: &Request, _| Answer::Tools(vec![("look", String::from("{}"))]);
    let mut driver = Driver::new(definition(vec![speak("one", &["a"])]), Box::new(script));
    driver.run().check();
    assert_eq!(driver.count("no_progress_noticed"), 3);
    assert_eq!(driver.state.status(), RunStatus::Stopped);
}

#[test]
fn a_result_nobody_waits_for_changes_nothing() {
    let mut driver = driver(&["look"]);
    driver.run();
    let done = bwana_workflow::machine::CallDone::Cancelled { partial: None };
    assert_eq!(driver.take(Input::CallDone { call: 4, done }), 0);
    driver.check();
}
