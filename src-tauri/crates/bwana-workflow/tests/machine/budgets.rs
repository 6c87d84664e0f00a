//! Budgets: reserved before, settled after, paused for a top-up, never a call over the limit.

use bwana_types::definition::{Price, RunLimits};
use bwana_types::entry::Body;
use bwana_types::money::MicroUsd;
use bwana_types::status::{BudgetLimit, RunStatus, StopReason};
use bwana_types::task::{TaskKind, Verdict};
use bwana_workflow::machine::{Control, Input};

use crate::driver::{Driver, definition, echo, speak};

fn limits(micro_usd: i64) -> RunLimits {
    RunLimits {
        micro_usd: Some(MicroUsd(micro_usd)),
        ..RunLimits::default()
    }
}

fn three_turns() -> bwana_types::definition::Definition {
    definition(vec![speak("one", &["a", "b", "c"])])
}

#[test]
fn a_spent_budget_pauses_and_a_top_up_goes_on() {
    let mut driver = Driver::with_limits(three_turns(), limits(700), echo());
    driver.run().check();
    assert_eq!(
        driver.state.stop_reason(),
        Some(&StopReason::Budget {
            which: BudgetLimit::RunMoney
        })
    );
    assert!(driver.state.ledger.settled.0 <= 700);
    let finished = driver.count("call_finished");
    assert!(finished > 0);
    driver.control(Control::Resume { by: "test".into() });
    driver.run().check();
    assert_eq!(
        driver.state.status(),
        RunStatus::Paused,
        "resuming without money pauses again"
    );
    driver.control(Control::Raise {
        path: "".into(),
        limits: limits(100_000),
        by: "test".into(),
    });
    driver.control(Control::Resume { by: "test".into() });
    driver.run().check();
    assert_eq!(
        (driver.state.status(), driver.count("call_finished")),
        (RunStatus::Done, 3)
    );
}

#[test]
fn the_output_asked_for_shrinks_to_what_is_left_but_not_below_the_least() {
    let mut driver = Driver::with_limits(three_turns(), limits(1_000), echo());
    driver.run().check();
    let asked: Vec<u32> = driver
        .journal
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::CallIntended(intended) => match &intended.call {
                bwana_types::entry::Call::Model(model) => Some(model.max_output_tokens),
                bwana_types::entry::Call::Tool(_) => None,
            },
            _ => None,
        })
        .collect();
    assert!(
        asked.iter().all(|tokens| (256..=512).contains(tokens)),
        "{asked:?}"
    );
    assert!(asked.contains(&256));
}

#[test]
fn turns_calls_tokens_and_a_step_of_its_own_are_limits_too() {
    let check = |run: RunLimits, step: RunLimits, which: BudgetLimit| {
        let mut definition = three_turns();
        definition.steps[0].limits = step;
        let mut driver = Driver::with_limits(definition, run, echo());
        driver.run().check();
        assert_eq!(
            driver.state.stop_reason(),
            Some(&StopReason::Budget { which })
        );
    };
    let none = RunLimits::default();
    check(
        RunLimits {
            turns: Some(2),
            ..none
        },
        none,
        BudgetLimit::Turns,
    );
    check(
        RunLimits {
            calls: Some(2),
            ..none
        },
        none,
        BudgetLimit::Calls,
    );
    check(
        RunLimits {
            tokens: Some(400),
            ..none
        },
        none,
        BudgetLimit::Tokens,
    );
    check(none, limits(600), BudgetLimit::StepMoney);
}

#[test]
fn elapsed_time_is_a_limit() {
    let mut driver = Driver::with_limits(
        three_turns(),
        RunLimits {
            elapsed_ms: Some(5),
            ..RunLimits::default()
        },
        echo(),
    );
    assert_eq!(driver.take(Input::Deadline), 1);
    driver.run().check();
    assert_eq!(
        driver.state.stop_reason(),
        Some(&StopReason::Budget {
            which: BudgetLimit::Elapsed
        })
    );
}

#[test]
fn an_unknown_price_under_a_money_limit_is_one_question_a_provider() {
    let unpriced = || {
        let mut definition = three_turns();
        for agent in definition.agents.values_mut() {
            for model in &mut agent.models {
                model.price = Price::default();
            }
        }
        definition
    };
    let mut driver = Driver::with_limits(unpriced(), limits(1_000), echo());
    driver.run().check();
    assert_eq!(
        driver.state.tasks.values().next().unwrap().ask.kind(),
        TaskKind::Price
    );
    driver.answer(Verdict::Approve);
    driver.run().check();
    assert_eq!(
        (driver.state.status(), driver.count("task_opened")),
        (RunStatus::Done, 1)
    );
    assert_eq!(driver.state.cost(), None, "unknown is not zero");
    let mut driver = Driver::new(unpriced(), echo());
    driver.run().check();
    assert_eq!(
        (driver.state.status(), driver.count("task_opened")),
        (RunStatus::Done, 0)
    );
}

#[test]
fn the_day_is_a_limit_that_all_runs_share() {
    let mut driver = Driver::new(three_turns(), echo());
    driver.take(Input::DayBudget {
        wanted: MicroUsd(5),
        left: MicroUsd(1),
    });
    driver.run().check();
    assert_eq!(
        driver.state.stop_reason(),
        Some(&StopReason::Budget {
            which: BudgetLimit::DayMoney
        })
    );
}
