//! Branches: joins, width, order of results, and races.

use bwana_types::model::{ErrorKind, LlmError, Request};
use bwana_types::status::{RunStatus, StopReason};
use bwana_types::workflow::Join;

use crate::driver::{Answer, Driver, definition, echo, last_text, parallel, speak, step};

fn failing(branches: &'static [&'static str]) -> crate::driver::Script {
    Box::new(move |request: &Request, _| {
        let failing = branches
            .iter()
            .any(|branch| last_text(request).contains(&format!("# Your task: {branch}")));
        if failing {
            Answer::Fail(LlmError::new(ErrorKind::BadRequest, "no"))
        } else {
            Answer::Say("fine".into())
        }
    })
}

#[test]
fn results_stand_in_declared_order_and_the_width_holds() {
    let branches = vec![speak("x", &["a"]), speak("y", &["b"]), speak("z", &["c"])];
    let mut driver = Driver::new(
        definition(vec![step("all", parallel(Join::All, 2, branches))]),
        echo(),
    );
    driver.run().check();
    let result = driver.state.result_text().unwrap();
    let at = |name: &str| result.find(name).unwrap();
    assert!(at("### X") < at("### Y") && at("### Y") < at("### Z"));
    let order = driver.kinds();
    let place = |kind: &str| order.iter().position(|one| one == kind).unwrap();
    assert!(
        place("step_started all/y") < place("step_finished all/x"),
        "two branches at once"
    );
    assert!(
        place("step_finished all/x") < place("step_started all/z"),
        "the third waits for a free place"
    );
}

#[test]
fn the_first_branch_to_succeed_wins_a_race() {
    let branches = vec![speak("x", &["a"]), speak("y", &["b", "c"])];
    let mut driver = Driver::new(
        definition(vec![step("race", parallel(Join::Any, 4, branches))]),
        echo(),
    );
    driver.run().check();
    assert_eq!(driver.state.status(), RunStatus::Done);
    assert_eq!(
        driver.state.ledger.reserved.0, 0,
        "what the loser held back is released"
    );
}

#[test]
fn a_branch_that_fails_is_out_of_a_race_but_stops_a_join_of_all() {
    let branches = || vec![speak("x", &["a"]), speak("y", &["b"])];
    let race = definition(vec![step("race", parallel(Join::Any, 4, branches()))]);
    let mut driver = Driver::new(race.clone(), failing(&["X"]));
    driver.run().check();
    assert_eq!(driver.state.status(), RunStatus::Done);
    let mut driver = Driver::new(
        definition(vec![step("all", parallel(Join::All, 4, branches()))]),
        failing(&["X"]),
    );
    driver.run().check();
    assert_eq!(driver.state.status(), RunStatus::Paused);
    let mut driver = Driver::new(race, failing(&["X", "Y"]));
    driver.run().check();
    assert_eq!(
        driver.state.stop_reason(),
        Some(&StopReason::Deadlocked {
            join: "race".into()
        })
    );
}
