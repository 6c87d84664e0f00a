//! Group chats: who speaks, when it ends, and what the others make of it.

use bwana_types::entry::{Body, ChosenBy, StepOutcome};
use bwana_types::status::{RunStatus, StopReason};
use bwana_types::workflow::{Select, StopCondition, Summary};

use crate::driver::{Answer, Driver, chat, definition, echo, step};

fn speakers(driver: &Driver) -> Vec<(String, ChosenBy)> {
    let chosen = driver.journal.iter().filter_map(|entry| match &entry.body {
        Body::SpeakerChosen(chosen) => Some((chosen.agent.clone(), chosen.by)),
        _ => None,
    });
    chosen.collect()
}

fn why(driver: &Driver) -> Option<StopReason> {
    driver.journal.iter().find_map(|entry| match &entry.body {
        Body::StepFinished(finished) => match &finished.outcome {
            StepOutcome::Message { why, .. } => why.clone(),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn round_robin_ends_after_its_rounds() {
    let work = chat(
        &["a", "b"],
        Select::RoundRobin,
        5,
        None,
        Summary::LastMessage,
    );
    let mut driver = Driver::new(definition(vec![step("talk", work)]), echo());
    driver.run().check();
    let order: String = speakers(&driver)
        .into_iter()
        .map(|(agent, _)| agent)
        .collect();
    assert_eq!(
        (order.as_str(), why(&driver)),
        ("ababa", Some(StopReason::MaxRounds))
    );
}

#[test]
fn a_stop_condition_ends_a_chat_and_is_named() {
    let stop = StopCondition::Any(vec![StopCondition::Text("AGREED".into())]);
    let work = chat(
        &["a", "b"],
        Select::RoundRobin,
        9,
        Some(stop),
        Summary::LastMessage,
    );
    let script = |request: &bwana_types::model::Request, _| {
        Answer::Say(if request.messages.len() > 4 {
            "AGREED".into()
        } else {
            format!("hm {}", request.messages.len())
        })
    };
    let mut driver = Driver::new(definition(vec![step("talk", work)]), Box::new(script));
    driver.run().check();
    assert_eq!(
        why(&driver),
        Some(StopReason::Condition {
            which: "text AGREED".into()
        })
    );
}

#[test]
fn a_selector_picks_among_those_allowed_and_falls_back_after_three_answers() {
    let work = chat(
        &["a", "b", "c"],
        Select::Selector,
        3,
        None,
        Summary::LastMessage,
    );
    let script = |request: &bwana_types::model::Request, _| {
        let Some(schema) = &request.schema else {
            return Answer::Say(format!("turn {}", request.messages.len()));
        };
        let allowed = schema.schema["properties"]["next"]["enum"]
            .as_array()
            .unwrap();
        Answer::Say(if allowed.len() == 3 {
            "{\"next\":\"b\"}".into()
        } else {
            "the cook".into()
        })
    };
    let mut driver = Driver::new(definition(vec![step("talk", work)]), Box::new(script));
    driver.run().check();
    let expected = [
        ("b".to_owned(), ChosenBy::Model),
        ("c".to_owned(), ChosenBy::SelectorFallback),
        ("a".to_owned(), ChosenBy::SelectorFallback),
    ];
    assert_eq!(speakers(&driver), expected);
    assert_eq!(
        driver.count("call_intended"),
        1 + 3 + 3 + 3,
        "one choice by the model, two given up after three answers"
    );
}

#[test]
fn others_are_heard_under_their_names() {
    let work = chat(
        &["a", "b"],
        Select::RoundRobin,
        2,
        None,
        Summary::LastMessage,
    );
    let script =
        |request: &bwana_types::model::Request, _| Answer::Say(crate::driver::last_text(request));
    let mut driver = Driver::new(definition(vec![step("talk", work)]), Box::new(script));
    driver.run().check();
    assert!(
        driver
            .state
            .result_text()
            .unwrap()
            .starts_with("A: ## Request")
    );
}

#[test]
fn a_model_sums_a_chat_up() {
    let work = chat(&["a", "b"], Select::RoundRobin, 2, None, Summary::Model);
    let script = |request: &bwana_types::model::Request, _| {
        let over = crate::driver::last_text(request).contains("discussion is over");
        Answer::Say(if over {
            "the sum".into()
        } else {
            format!("point {}", request.messages.len())
        })
    };
    let mut driver = Driver::new(definition(vec![step("talk", work)]), Box::new(script));
    driver.run().check();
    assert_eq!(driver.state.result_text().as_deref(), Some("the sum"));
}

#[test]
fn a_chat_that_goes_in_circles_is_warned_and_ends() {
    let work = chat(
        &["a", "b"],
        Select::RoundRobin,
        40,
        Some(StopCondition::NoProgress(true)),
        Summary::LastMessage,
    );
    let mut driver = Driver::new(
        definition(vec![step("talk", work)]),
        Box::new(|_, _| Answer::Say("same".into())),
    );
    driver.run().check();
    assert_eq!(
        why(&driver),
        Some(StopReason::Condition {
            which: "no_progress".into()
        })
    );
    let work = chat(
        &["a", "b"],
        Select::RoundRobin,
        40,
        None,
        Summary::LastMessage,
    );
    let mut driver = Driver::new(
        definition(vec![step("talk", work)]),
        Box::new(|_, _| Answer::Say("same".into())),
    );
    driver.run().check();
    assert_eq!(driver.state.status(), RunStatus::Stopped);
    assert!(matches!(
        driver.state.stop_reason(),
        Some(StopReason::NoProgress { .. })
    ));
}
