//! Codes in words, in English: why a run ended or stands still, and what would continue it.

use bwana_api::RunShown;
use bwana_types::error::ExitCode as Ends;
use bwana_types::status::{BudgetLimit, RunStatus, StopReason};

/// Why a run ended or stands still, and what to do next; empty if there is nothing to say.
pub(crate) fn why(run: &RunShown) -> String {
    let id = short(&run.id.to_string());
    let Some(reason) = &run.stop_reason else {
        return String::new();
    };
    match reason {
        StopReason::Completed => String::from("All steps are done."),
        StopReason::Condition { which } => format!("It ended because a condition held: {which}."),
        StopReason::MaxRounds => String::from("Its rounds are used up."),
        StopReason::Budget { which } => budget(*which, &id),
        StopReason::NoProgress { what } => {
            format!(
                "Stopped because nothing moved any more ({what}). Fork it before that point to try another way."
            )
        }
        StopReason::Deadlocked { join } => {
            format!(
                "Stopped because no branch of '{join}' could succeed. Fork it before that step to try again."
            )
        }
        StopReason::Cancelled { by } => format!("Cancelled ({by})."),
        StopReason::Failed { error } => {
            format!(
                "{} Nothing is lost: go on with `bwana runs resume {id}`.",
                sentence(&error.message)
            )
        }
        StopReason::WaitingForPerson { .. } => format!(
            "It waits for you: see `bwana tasks list`, then go on with `bwana runs resume {id}`."
        ),
        StopReason::WaitingForNetwork { error } => format!(
            "The model could not be reached: {} Nothing is lost: go on with `bwana runs resume {id}`.",
            sentence(&error.message)
        ),
        StopReason::Paused { by } => format!("Paused ({by}). Go on with `bwana runs resume {id}`."),
    }
}

fn budget(which: BudgetLimit, id: &str) -> String {
    let (what, how) = match which {
        BudgetLimit::RunMoney => (
            "The money of this run is spent",
            "bwana budget set USD --run",
        ),
        BudgetLimit::StepMoney => ("The money of a step is spent", "bwana budget set USD --run"),
        BudgetLimit::DayMoney => {
            return format!(
                "Today's money does not cover the next call; nothing is lost. `bwana budget show` says what is left. Raise it \
                 with `bwana budget set USD`, then `bwana runs resume {id}`."
            );
        }
        BudgetLimit::Tokens => (
            "The tokens of this run are used up",
            "bwana budget set --tokens N --run",
        ),
        BudgetLimit::Calls => (
            "The calls of this run are used up",
            "bwana budget set --calls N --run",
        ),
        BudgetLimit::Turns => (
            "The turns of this run are used up",
            "bwana budget set --turns N --run",
        ),
        BudgetLimit::Elapsed => (
            "The time of this run is over",
            "bwana budget set --elapsed 2h --run",
        ),
    };
    format!("{what}; nothing is lost. Top it up with `{how} {id}`, then `bwana runs resume {id}`.")
}

/// A limit that is reached, in words.
pub(crate) fn limit(which: BudgetLimit) -> &'static str {
    match which {
        BudgetLimit::RunMoney => "the money of this run does not cover the next call",
        BudgetLimit::StepMoney => "the money of this step does not cover the next call",
        BudgetLimit::DayMoney => "today's money does not cover the next call",
        BudgetLimit::Tokens => "the tokens of this run do not cover the next call",
        BudgetLimit::Calls => "the calls of this run are used up",
        BudgetLimit::Turns => "the turns of this run are used up",
        BudgetLimit::Elapsed => "the time of this run is over",
    }
}

/// With a full stop at its end.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// The end of an id, which is enough to name it.
pub(crate) fn short(id: &str) -> String {
    id[id.len().saturating_sub(6)..].to_lowercase()
}

/// How a command about this run exits.
pub(crate) fn exit_code(run: &RunShown) -> Ends {
    match run.status {
        RunStatus::Done => Ends::Done,
        RunStatus::Waiting => Ends::WaitingForPerson,
        RunStatus::Stopped => Ends::StoppedByLimit,
        RunStatus::Failed => Ends::Failed,
        RunStatus::Cancelled => Ends::Cancelled,
        RunStatus::Running | RunStatus::Stopping => Ends::Done,
        RunStatus::Paused => match &run.stop_reason {
            Some(StopReason::Budget { .. }) => Ends::StoppedByLimit,
            Some(StopReason::Failed { .. } | StopReason::WaitingForNetwork { .. }) => Ends::Failed,
            _ => Ends::WaitingForPerson,
        },
    }
}

/// Milliseconds as people say it.
pub(crate) fn span(ms: i64) -> String {
    match ms {
        ms if ms < 1_000 => format!("{ms} ms"),
        ms if ms < 60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        ms if ms < 3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        ms => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// Tokens and money in a few characters.
pub(crate) fn cost(
    tokens: u64,
    estimated: bool,
    known: bwana_types::money::MicroUsd,
    all_known: bool,
) -> String {
    let about = if estimated { "about " } else { "" };
    let money = if all_known {
        format!("${known}")
    } else {
        format!("${known} + unknown prices")
    };
    format!("{about}{tokens} tokens, {money}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_unit_that_fits() {
        let said: Vec<String> = [5, 1_250, 61_000, 3_720_000]
            .into_iter()
            .map(span)
            .collect();
        assert_eq!(said, ["5 ms", "1.2 s", "1 min 1 s", "1 h 2 min"]);
    }
}
