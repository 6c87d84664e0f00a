//! Is this workflow one that can run to its end?

use std::collections::BTreeSet;

use bwana_types::error::ErrorCode;
use bwana_types::workflow::{Limits, StepEntry, StepFile, WorkflowFile};

use super::steps::{self, Scope};
use super::{
    Known, Limit, check_id, check_name, check_repeats, json_schema, reach, validate_agent,
};
use crate::definition::issue::{Issue, Path, did_you_mean, listed, quotable};
use crate::definition::resolve::full;
use crate::definition::slug::sibling_ids;

/// Everything wrong with a workflow, and with the agents it names.
pub fn validate_workflow(workflow: &WorkflowFile, known: &Known<'_>) -> Vec<Issue> {
    let root = Path::root();
    let mut issues = Vec::new();
    issues.extend(check_id(&workflow.id, &root.key("id")));
    issues.extend(check_name(&workflow.name, &root.key("name")));
    issues.extend(agents(workflow, known));
    if let Some(input) = &workflow.input {
        issues.extend(json_schema::check(input, &root.key("input"), &[]));
    }
    issues.extend(limits(&workflow.limits, &root.key("limits")));
    let steps_path = root.key("steps");
    if workflow.steps.is_empty() {
        issues.push(Issue::error(
            steps_path,
            "a workflow needs at least one step",
        ));
        return issues;
    }
    issues.extend(Limit::Steps.check(count(&workflow.steps), &steps_path));
    let steps: Vec<StepFile> = workflow.steps.iter().map(full).collect();
    let ids = ids(&steps);
    issues.extend(repeated_ids(&steps, &steps_path));
    for (index, step) in steps.iter().enumerate() {
        let scope = Scope {
            workflow,
            known,
            before: &steps[..index],
            ids: &ids,
            position: index,
            branches: &[],
            depth: 0,
        };
        issues.extend(steps::check(
            step,
            &ids[index],
            &scope,
            &steps_path.index(index),
        ));
    }
    // Whether steps can be reached, and who never speaks, only makes sense once each step does.
    if !issues.iter().any(Issue::is_error) {
        issues.extend(unused_agents(workflow, &steps));
        issues.extend(reach::check(workflow, &steps, &ids, &steps_path));
    }
    issues
}

/// The ids siblings have, given or derived.
pub(super) fn ids(steps: &[StepFile]) -> Vec<String> {
    sibling_ids(
        &steps
            .iter()
            .map(|step| (step.id.as_deref(), step.name.as_str()))
            .collect::<Vec<_>>(),
    )
}

pub(super) fn repeated_ids(steps: &[StepFile], path: &Path) -> Vec<Issue> {
    let mut seen = BTreeSet::new();
    let given = steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| Some((index, step.id.as_deref()?)));
    given
        .filter(|(_, id)| !seen.insert(*id))
        .map(|(index, id)| {
            let reason = format!(
                "another step beside this one has the id `{}` too",
                quotable(id)
            );
            Issue::error(path.index(index).key("id"), reason).hint("give one of them another id")
        })
        .collect()
}

/// Limits of a workflow or of a step.
pub(super) fn limits(limits: &Limits, path: &Path) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut nothing = |key: &str, is_zero: bool| {
        if is_zero {
            let reason = format!("a `{key}` of 0 lets nothing happen");
            issues.push(
                Issue::error(path.key(key), reason)
                    .hint("write a number above 0, or leave it out for no limit"),
            );
        }
    };
    nothing("tokens", limits.tokens == Some(0));
    nothing("calls", limits.calls == Some(0));
    nothing("turns", limits.turns == Some(0));
    nothing(
        "elapsed",
        limits.elapsed.is_some_and(|span| span.as_s() == 0),
    );
    match limits
        .budget_usd
        .as_ref()
        .map(bwana_types::money::Usd::to_micro)
    {
        Some(Ok(amount)) => nothing("budget_usd", amount.0 <= 0),
        Some(Err(error)) => issues.push(Issue::error(path.key("budget_usd"), error.to_string())),
        None => {}
    }
    issues.extend(
        limits
            .max_round
            .and_then(|rounds| max_round(rounds, &path.key("max_round"))),
    );
    issues
}

pub(super) fn max_round(rounds: u32, path: &Path) -> Option<Issue> {
    if rounds == 0 {
        let issue = Issue::error(path.clone(), "a chat of 0 rounds says nothing");
        return Some(issue.hint("write at least 1, one turn of one agent"));
    }
    Limit::MaxRound.check(rounds as usize, path)
}

/// An agent a step or workflow names must be there.
pub(super) fn unknown_agent<'a>(
    id: &str,
    choices: impl Iterator<Item = &'a str> + Clone,
    path: Path,
) -> Issue {
    let hint = did_you_mean(id, choices.clone())
        .unwrap_or_else(|| format!("there are {}", listed(choices)));
    Issue::error(path, format!("there is no agent `{}`", quotable(id)))
        .code(ErrorCode::DefinitionUnknownAgent)
        .hint(hint)
}

fn agents(workflow: &WorkflowFile, known: &Known<'_>) -> Vec<Issue> {
    let path = Path::root().key("agents");
    if workflow.agents.is_empty() {
        return vec![Issue::error(path, "a workflow needs at least one agent")];
    }
    let mut issues: Vec<Issue> = Limit::Agents
        .check(workflow.agents.len(), &path)
        .into_iter()
        .collect();
    issues.extend(check_repeats(&workflow.agents, &path));
    for (index, id) in workflow.agents.iter().enumerate() {
        let at = path.index(index);
        match known.agents.get(id) {
            None => issues.push(unknown_agent(
                id,
                known.agents.keys().map(String::as_str),
                at,
            )),
            // Warnings about an agent belong to its own file, not to every workflow that uses it.
            Some(agent) => issues.extend(
                validate_agent(agent, known)
                    .into_iter()
                    .filter(Issue::is_error)
                    .map(|issue| Issue {
                        path: at.clone(),
                        reason: format!("agent `{id}`, {}: {}", issue.path, issue.reason),
                        ..issue
                    }),
            ),
        }
    }
    issues
}

fn unused_agents(workflow: &WorkflowFile, steps: &[StepFile]) -> Vec<Issue> {
    let mut used = BTreeSet::new();
    steps
        .iter()
        .for_each(|step| collect_agents(step, &workflow.agents, &mut used));
    let unused = workflow
        .agents
        .iter()
        .enumerate()
        .filter(|(_, id)| !used.contains(*id));
    unused
        .map(|(index, id)| {
            let reason = format!("no step lets `{}` speak", quotable(id));
            Issue::warning(Path::root().key("agents").index(index), reason)
                .hint("give it a step, or take it out")
        })
        .collect()
}

fn collect_agents(step: &StepFile, all: &[String], used: &mut BTreeSet<String>) {
    if let Some(parallel) = &step.parallel {
        return parallel
            .steps
            .iter()
            .for_each(|entry| collect_agents(&full(entry), all, used));
    }
    used.extend(steps::speakers(step, all).iter().cloned());
}

/// Steps in all, branches included.
fn count(entries: &[StepEntry]) -> usize {
    entries
        .iter()
        .map(|entry| match entry {
            StepEntry::Full(step) => {
                1 + step
                    .parallel
                    .as_ref()
                    .map_or(0, |parallel| count(&parallel.steps))
            }
            StepEntry::Name(_) => 1,
        })
        .sum()
}
