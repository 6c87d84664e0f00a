//! Tools inside a turn: order, decisions, and what becomes of an effect nobody can answer for.

use bwana_types::entry::{Body, Call};
use bwana_types::grant::{EditedArgs, GrantMade, GrantScope, Pattern, Terms};
use bwana_types::hash::{Hash, approval_hash};
use bwana_types::id::GrantId;
use bwana_types::message::Part;
use bwana_types::model::Request;
use bwana_types::status::RunStatus;
use bwana_types::task::{Ask, DecidedBy, TaskKind, Verdict};
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

/// Asks, answers, and says what the run ends with.
fn check_answer(verdict: Verdict, by: DecidedBy, said: &str) {
    let mut driver = driver(&["person"]);
    driver.run();
    let (task, open) = driver.state.tasks.first_key_value().unwrap();
    let (task, kind) = (*task, open.ask.kind());
    assert_eq!(kind, TaskKind::Answer);
    assert_eq!(driver.take(Input::Decided { task, verdict, by }), 1);
    driver.run().check();
    assert_eq!(driver.state.result_text().as_deref(), Some(said));
    assert!(driver.effects.is_empty(), "the tool never runs");
    assert!(
        driver.state.taint.is_empty(),
        "a person's words are trusted"
    );
}

#[test]
fn what_the_person_says_is_the_result_of_a_question() {
    let text = || Verdict::Answer {
        text: "Nakuru, near the market.\nNot Kisumu.".into(),
    };
    let said = "Nakuru, near the market.\nNot Kisumu.";
    check_answer(text(), DecidedBy::LocalCli, said);
    check_answer(text(), DecidedBy::LocalUi, said);
    let no = |reason: &str| Verdict::Deny {
        reason: reason.into(),
    };
    let on = "Go on with what you know, and say what you assumed.";
    check_answer(
        no(""),
        DecidedBy::LocalUi,
        &format!("The person did not want to answer.\n{on}"),
    );
    check_answer(
        no("private"),
        DecidedBy::LocalCli,
        &format!("The person did not want to answer: private\n{on}"),
    );
    check_answer(
        no("nobody was there"),
        DecidedBy::Unattended,
        &format!("Nobody was there to answer.\n{on}"),
    );
}

#[test]
fn a_question_takes_no_yes_and_no_terms() {
    let mut driver = driver(&["person"]);
    driver.run();
    let task = *driver.state.tasks.keys().next().unwrap();
    for verdict in [Verdict::Approve, Verdict::SendAgain, Verdict::GiveUp] {
        let by = DecidedBy::LocalUi;
        assert_eq!(driver.take(Input::Decided { task, verdict, by }), 0);
    }
    let edit = EditedArgs {
        args: "{}".into(),
        args_hash: String::new(),
        patterns: Vec::new(),
    };
    let terms = Terms {
        grant: None,
        edit: Some(edit),
    };
    let decided = Input::DecidedOn {
        task,
        verdict: Verdict::Answer {
            text: "Nakuru".into(),
        },
        by: DecidedBy::LocalUi,
        terms: Box::new(terms),
    };
    assert_eq!(driver.take(decided), 0);
    assert_eq!(driver.state.status(), RunStatus::Waiting);
}

#[test]
fn a_question_is_asked_once_wherever_the_process_dies() {
    let answer = || Verdict::Answer {
        text: "Nakuru".into(),
    };
    let mut whole = driver(&["look", "person", "note"]);
    whole.run();
    whole.answer(answer());
    whole.run().check();
    let said = Some("look done; Nakuru; note done");
    assert_eq!(whole.state.result_text().as_deref(), said);
    for seq in 2..=whole.journal.len() as u64 {
        let mut driver = driver(&["look", "person", "note"]);
        driver.crash_at.insert(seq);
        driver.run();
        if driver.state.status() == RunStatus::Waiting {
            driver.answer(answer());
            driver.run();
        }
        driver.check();
        assert_eq!(driver.count("task_opened"), 1, "crash at {seq}");
        assert_eq!(driver.state.result_text().as_deref(), said, "at {seq}");
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

/// A run in which a mail is asked about, and the question.
fn asked() -> (Driver, u64) {
    let mut sent = false;
    let script: crate::driver::Script = Box::new(move |request, _| {
        if !std::mem::replace(&mut sent, true) {
            return Answer::Tools(vec![("mail", "{\"to\":\"a@example.org\"}".into())]);
        }
        Answer::Say(crate::driver::last_text(request))
    });
    let mut driver = Driver::new(definition(vec![speak("s", &["a"])]), script);
    driver.asks.insert("mail");
    driver.run();
    let task = *driver.state.tasks.keys().next().unwrap();
    (driver, task)
}

fn edit(driver: &Driver, args: &str) -> EditedArgs {
    let value = serde_json::from_str(args).unwrap();
    let run = driver.state.run.to_string();
    EditedArgs {
        args: args.into(),
        args_hash: approval_hash("mail", "1", &value, &run, "s/r1"),
        patterns: Vec::new(),
    }
}

fn decide_on(driver: &mut Driver, task: u64, terms: Terms) -> usize {
    driver.take(Input::DecidedOn {
        task,
        verdict: Verdict::Approve,
        by: DecidedBy::LocalUi,
        terms: Box::new(terms),
    })
}

#[test]
fn edited_arguments_are_used_and_the_model_is_told() {
    let (mut driver, task) = asked();
    let edit = edit(&driver, "{\"to\":\"b@example.org\"}");
    let other = EditedArgs {
        args: "{\"to\":\"c@example.org\"}".into(),
        ..edit.clone()
    };
    let terms = |edit| Terms {
        grant: None,
        edit: Some(edit),
    };
    assert_eq!(
        decide_on(&mut driver, task, terms(other)),
        0,
        "bound to something else"
    );
    assert_eq!(decide_on(&mut driver, task, terms(edit)), 1);
    driver.crash();
    driver.run();
    driver.check();
    let input = driver.journal.iter().find_map(|entry| match &entry.body {
        Body::CallIntended(intended) => match &intended.call {
            Call::Tool(_) => Some(intended.input),
            Call::Model(_) => None,
        },
        _ => None,
    });
    let parts = ["mail", "1", "{\"to\":\"b@example.org\"}"].map(str::as_bytes);
    assert_eq!(input, Some(Hash::of_parts(parts)));
    // What the model was told stands in its tool message, not in its own call.
    let seen = bwana_workflow::machine::call_request(
        &driver.fold(before_the_last_answer(&driver)),
        last_call(&driver),
    )
    .unwrap();
    let told: Vec<String> = seen
        .messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(format!("call {}", call.args)),
            Part::ToolResult { content, .. } => Some(format!("result {content}")),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            "call {\"to\":\"a@example.org\"}",
            "result The person in charge changed the arguments before allowing this. What was done: \
             {\"to\":\"b@example.org\"}\nmail done",
        ]
    );
}

/// Entries up to the intent of the last model call.
fn before_the_last_answer(driver: &Driver) -> usize {
    usize::try_from(last_call(driver)).unwrap()
}

fn last_call(driver: &Driver) -> u64 {
    let intents = driver.journal.iter().rev();
    intents
        .filter(|entry| matches!(entry.body, Body::CallIntended(_)))
        .map(|entry| entry.seq)
        .next()
        .unwrap()
}

#[test]
fn only_a_grant_that_the_question_offers_is_made() {
    let (driver, task) = asked();
    let open = driver.state.tasks[&task].clone();
    let Ask::Approve { patterns, .. } = &open.ask else {
        panic!("an approval")
    };
    let right = GrantMade {
        id: GrantId::of_task(driver.state.run, task, open.opened_at),
        scope: GrantScope::Workflow,
        tool: "mail".into(),
        version: "1".into(),
        pattern: patterns[0].clone(),
        workflow: "test".into(),
        workflow_hash: Hash::of(b"file"),
    };
    let check = |grant: GrantMade, expected: usize| {
        let (mut driver, task) = asked();
        let terms = Terms {
            grant: Some(grant.clone()),
            edit: None,
        };
        assert_eq!(decide_on(&mut driver, task, terms), expected, "{grant:?}");
    };
    check(right.clone(), 1);
    let id = GrantId::of_task(driver.state.run, task + 1, open.opened_at);
    check(
        GrantMade {
            id,
            ..right.clone()
        },
        0,
    );
    let scope = GrantScope::Never;
    check(
        GrantMade {
            scope,
            ..right.clone()
        },
        0,
    );
    let tool = String::from("note");
    check(
        GrantMade {
            tool,
            ..right.clone()
        },
        0,
    );
    let version = String::from("2");
    check(
        GrantMade {
            version,
            ..right.clone()
        },
        0,
    );
    let pattern = Pattern::Host {
        host: "https://example.org".into(),
    };
    check(
        GrantMade {
            pattern,
            ..right.clone()
        },
        0,
    );
    let workflow = String::from("other");
    check(
        GrantMade {
            workflow,
            ..right.clone()
        },
        0,
    );
    let workflow_hash = Hash::of(b"changed");
    check(
        GrantMade {
            workflow_hash,
            ..right
        },
        0,
    );
}
