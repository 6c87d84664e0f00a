//! Can every step be reached, and every join be met? Counts the fewest turns and calls each step can take and holds
//! them against the limits; what does not fit can never finish, and what stands behind it can never start.

use bwana_types::workflow::{ChatFile, Join, Limits, Select, StepFile, Summary, WorkflowFile};

use super::steps::{branch_files, rounds_of, speakers};
use super::stop;
use super::workflow::ids;
use crate::definition::issue::{Issue, Path};

/// The least a step takes.
#[derive(Debug, Clone, Copy, Default)]
struct Least {
    turns: u64,
    calls: u64,
}

pub(super) fn check(
    workflow: &WorkflowFile,
    steps: &[StepFile],
    ids: &[String],
    path: &Path,
) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut sum = Least::default();
    for (index, step) in steps.iter().enumerate() {
        let at = path.index(index);
        let problems = unfinishable(step, workflow, &at);
        let never_finishes = !problems.is_empty();
        issues.extend(problems);
        let least = least(step, workflow);
        let before = sum;
        sum = Least {
            turns: sum.turns + least.turns,
            calls: sum.calls + least.calls,
        };
        if never_finishes {
            issues.extend(unreachable(ids, index, path));
            break;
        }
        if let Some((what, most, needed, used)) = exceeded(&workflow.limits, sum, before) {
            let reason = if used >= most {
                format!(
                    "this step can never be reached: those before it take at least {}, and the workflow's limit is {most}",
                    counted(used, what)
                )
            } else if used > 0 {
                format!(
                    "this step can never finish: with those before it, it needs at least {}, and the workflow's limit is {most}",
                    counted(needed, what)
                )
            } else {
                format!(
                    "this step can never finish: it needs at least {}, and the workflow's limit is {most}",
                    counted(needed, what)
                )
            };
            issues.push(Issue::error(at, reason).hint(format!(
                "raise `limits.{what}` to at least {}",
                total(steps, workflow, what)
            )));
            break;
        }
    }
    issues
}

/// `1 turn`, `2 turns`.
fn counted(count: u64, what: &str) -> String {
    let what = if count == 1 {
        what.trim_end_matches('s')
    } else {
        what
    };
    format!("{count} {what}")
}

/// The step after one that never finishes.
fn unreachable(ids: &[String], index: usize, path: &Path) -> Option<Issue> {
    ids.get(index + 1)?;
    let others = if ids.len() > index + 2 {
        ", nor can those behind it"
    } else {
        ""
    };
    let reason = format!(
        "this step can never be reached, because `{}` before it can never finish{others}",
        ids[index]
    );
    Some(Issue::error(path.index(index + 1), reason))
}

/// Why a step can never finish; empty if it can.
fn unfinishable(step: &StepFile, workflow: &WorkflowFile, path: &Path) -> Vec<Issue> {
    let mut issues = Vec::new();
    if let Some(parallel) = &step.parallel {
        let branches = branch_files(parallel);
        let names = ids(&branches);
        let at = path.key("parallel");
        let each: Vec<Vec<Issue>> = branches
            .iter()
            .enumerate()
            .map(|(index, branch)| unfinishable(branch, workflow, &at.key("steps").index(index)))
            .collect();
        let dead: Vec<usize> = (0..each.len())
            .filter(|index| !each[*index].is_empty())
            .collect();
        let met = match parallel.join {
            Join::All => dead.is_empty(),
            Join::Any => dead.len() < branches.len(),
        };
        if let (false, Some(first)) = (met, dead.first()) {
            let reason = match parallel.join {
                Join::All => format!(
                    "the join `all` can never be met: the branch `{}` can never finish",
                    names[*first]
                ),
                Join::Any => {
                    String::from("the join `any` can never be met: no branch can ever finish")
                }
            };
            issues.push(Issue::error(at.key("join"), reason));
        }
        if met {
            // A dead branch beside a living one only wastes work.
            let dead = each.into_iter().flatten();
            return dead
                .map(|issue| Issue {
                    severity: crate::definition::Severity::Warning,
                    ..issue
                })
                .collect();
        }
        issues.extend(each.into_iter().flatten());
    }
    if let Some((what, most, needed, _)) =
        exceeded(&step.limits, least(step, workflow), Least::default())
    {
        let reason = format!(
            "this step can never finish: it needs at least {needed} {what}, and its limit is {most}"
        );
        issues.push(
            Issue::error(path.key("limits").key(what), reason)
                .hint(format!("raise it to at least {needed}")),
        );
    }
    issues
}

/// The limit that is too low: its key, the limit, what is needed, and what was used before.
fn exceeded(
    limits: &Limits,
    needed: Least,
    before: Least,
) -> Option<(&'static str, u64, u64, u64)> {
    let turns = limits
        .turns
        .map(u64::from)
        .filter(|most| needed.turns > *most);
    let calls = limits
        .calls
        .map(u64::from)
        .filter(|most| needed.calls > *most);
    turns
        .map(|most| ("turns", most, needed.turns, before.turns))
        .or(calls.map(|most| ("calls", most, needed.calls, before.calls)))
}

fn total(steps: &[StepFile], workflow: &WorkflowFile, what: &str) -> u64 {
    let least = steps.iter().map(|step| least(step, workflow));
    least
        .map(|least| {
            if what == "turns" {
                least.turns
            } else {
                least.calls
            }
        })
        .sum()
}

fn least(step: &StepFile, workflow: &WorkflowFile) -> Least {
    if let Some(parallel) = &step.parallel {
        let branches = branch_files(parallel);
        let each = branches.iter().map(|branch| least(branch, workflow));
        return match parallel.join {
            Join::All => each.fold(Least::default(), |sum, one| Least {
                turns: sum.turns + one.turns,
                calls: sum.calls + one.calls,
            }),
            Join::Any => each.min_by_key(|one| one.turns).unwrap_or_default(),
        };
    }
    if let Some(chat) = &step.chat {
        return least_of_chat(chat, rounds_of(chat, step, workflow));
    }
    let turns = speakers(step, &workflow.agents).len() as u64;
    Least {
        turns,
        calls: turns,
    }
}

fn least_of_chat(chat: &ChatFile, max_round: u32) -> Least {
    let stops = chat.stop.as_ref().and_then(stop::earliest_round);
    let turns = u64::from(stops.unwrap_or(max_round).min(max_round).max(1));
    let agents = chat.agents.len();
    let later = if chat.allow_repeat == Some(true) {
        agents
    } else {
        agents.saturating_sub(1)
    };
    let choices = match chat.select {
        Select::RoundRobin => 0,
        Select::Selector => u64::from(agents > 1) + if later > 1 { turns - 1 } else { 0 },
    };
    let summary = u64::from(chat.summary == Summary::Model);
    Least {
        turns,
        calls: turns + choices + summary,
    }
}
