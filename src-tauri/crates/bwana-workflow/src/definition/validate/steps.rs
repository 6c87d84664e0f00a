//! One step: who works on it, what it reads, how its chat or its branches go.

use bwana_types::error::ErrorCode;
use bwana_types::workflow::{ChatFile, ParallelFile, Select, StepEntry, StepFile, WorkflowFile};

use super::workflow::{ids, limits, max_round, repeated_ids, unknown_agent};
use super::{Known, Limit, check_id, check_name, check_repeats, json_schema, stop};
use crate::definition::issue::{Issue, Path, did_you_mean, listed, quotable};
use crate::definition::resolve::full;
use crate::definition::template::check_template;

/// Where a step stands.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) workflow: &'a WorkflowFile,
    pub(super) known: &'a Known<'a>,
    /// Top-level steps finished before this one starts.
    pub(super) before: &'a [StepFile],
    /// Ids of all top-level steps.
    pub(super) ids: &'a [String],
    /// Of the top-level step this is, or is inside of.
    pub(super) position: usize,
    /// Ids of the branches beside this one; empty at top level.
    pub(super) branches: &'a [String],
    /// Parallel steps around this one.
    pub(super) depth: usize,
}

impl<'a> Scope<'a> {
    /// Ids of the results there will be.
    fn readable(&self) -> &'a [String] {
        &self.ids[..self.before.len()]
    }
}

/// The agents that speak on a step which is no parallel one.
pub(super) fn speakers<'a>(step: &'a StepFile, all: &'a [String]) -> &'a [String] {
    match step {
        StepFile {
            chat: Some(chat), ..
        } => &chat.agents,
        StepFile {
            agent: Some(agent), ..
        } => std::slice::from_ref(agent),
        StepFile {
            agents: Some(agents),
            ..
        } => agents,
        _ => all,
    }
}

pub(super) fn check(step: &StepFile, id: &str, scope: &Scope<'_>, path: &Path) -> Vec<Issue> {
    let mut issues = Vec::new();
    issues.extend(check_name(&step.name, &path.key("name")));
    issues.extend(
        step.id
            .as_ref()
            .and_then(|id| check_id(id, &path.key("id"))),
    );
    issues.extend(one_pattern(step, path));
    issues.extend(workers(step, scope, path));
    issues.extend(reads(step, id, scope, path));
    issues.extend(tools(step, scope, path));
    issues.extend(task(step, scope, path));
    issues.extend(limits(&step.limits, &path.key("limits")));
    if step.limits.max_round.is_some() && step.chat.is_none() {
        let reason = "`max_round` counts the turns of a chat, and this step is none";
        issues.push(
            Issue::warning(path.key("limits").key("max_round"), reason)
                .hint("use `turns`, or leave it out"),
        );
    }
    if let Some(output) = &step.output {
        issues.extend(output_form(step, output, path));
    }
    if let Some(chat) = &step.chat {
        issues.extend(self::chat(chat, step, scope, &path.key("chat")));
    }
    if let Some(parallel) = &step.parallel {
        issues.extend(self::parallel(parallel, scope, &path.key("parallel")));
    }
    issues
}

/// At most one of the keys that say who works.
fn one_pattern(step: &StepFile, path: &Path) -> Option<Issue> {
    let given = [
        ("agent", step.agent.is_some()),
        ("agents", step.agents.is_some()),
        ("chat", step.chat.is_some()),
        ("parallel", step.parallel.is_some()),
    ];
    let given: Vec<&str> = given
        .iter()
        .filter(|(_, given)| *given)
        .map(|(key, _)| *key)
        .collect();
    (given.len() > 1).then(|| {
        let reason = format!(
            "a step has one way of working, this one names {}",
            listed(given)
        );
        Issue::error(path.clone(), reason).hint("keep one of them, or make several steps")
    })
}

fn workers(step: &StepFile, scope: &Scope<'_>, path: &Path) -> Vec<Issue> {
    let (names, at, many): (&[String], Path, bool) = match step {
        StepFile {
            agent: Some(agent), ..
        } => (std::slice::from_ref(agent), path.key("agent"), false),
        StepFile {
            agents: Some(agents),
            ..
        } => (agents, path.key("agents"), true),
        _ => return Vec::new(),
    };
    if names.is_empty() {
        return vec![
            Issue::error(at, "nobody works on this step")
                .hint("name an agent, or leave the key out for all of them"),
        ];
    }
    let mut issues = strangers(names, scope, &at, many);
    issues.extend(check_repeats(names, &at));
    issues
}

/// Agents a step names that are not in the workflow.
fn strangers(names: &[String], scope: &Scope<'_>, at: &Path, many: bool) -> Vec<Issue> {
    let team = &scope.workflow.agents;
    let strangers = names
        .iter()
        .enumerate()
        .filter(|(_, name)| !team.contains(name));
    strangers
        .map(|(index, name)| {
            let at = if many { at.index(index) } else { at.clone() };
            if scope.known.agents.contains_key(name) {
                Issue::error(
                    at,
                    format!(
                        "`{}` is not one of this workflow's `agents`",
                        quotable(name)
                    ),
                )
                .code(ErrorCode::DefinitionUnknownAgent)
                .hint("add it there")
            } else {
                unknown_agent(name, team.iter().map(String::as_str), at)
            }
        })
        .collect()
}

fn reads(step: &StepFile, own: &str, scope: &Scope<'_>, path: &Path) -> Vec<Issue> {
    let Some(reads) = &step.reads else {
        return Vec::new();
    };
    let path = path.key("reads");
    let mut issues = check_repeats(reads, &path);
    for (index, id) in reads.iter().enumerate() {
        if let Some((reason, hint)) = unreadable(id, own, scope) {
            issues.push(Issue::error(path.index(index), reason).hint(hint));
        }
    }
    issues
}

/// Why a result cannot be read here, and what to do.
fn unreadable(id: &str, own: &str, scope: &Scope<'_>) -> Option<(String, String)> {
    let readable = scope.readable();
    if readable.iter().any(|known| known == id) {
        return None;
    }
    let shown = quotable(id);
    if id == own || (scope.depth > 0 && scope.ids[scope.position] == id) {
        return Some((
            format!("`{shown}` cannot read its own result: it would wait for itself"),
            String::from("take it out"),
        ));
    }
    if scope.branches.iter().any(|branch| branch == id) {
        let reason =
            format!("`{shown}` is a branch beside this one, so its result is not there yet");
        return Some((
            reason,
            String::from("read it in a step after the parallel one"),
        ));
    }
    if scope.ids.iter().any(|later| later == id) {
        let reason = format!("`{shown}` comes later, so its result is not there yet");
        return Some((reason, String::from("move the step up, or take it out")));
    }
    let around = scope.before.iter().zip(readable).find(|(step, _)| {
        let branches = step.parallel.as_ref().map(branch_files).unwrap_or_default();
        ids(&branches).iter().any(|branch| branch == id)
    });
    if let Some((_, around)) = around {
        let reason = format!("`{shown}` is a branch; its result is part of that of `{around}`");
        return Some((reason, format!("write `{around}`")));
    }
    let by_name = scope
        .before
        .iter()
        .zip(readable)
        .find(|(step, _)| step.name == id);
    let hint = by_name
        .map(|(_, known)| format!("steps are read by id: write `{known}`"))
        .or_else(|| did_you_mean(id, scope.ids.iter().map(String::as_str)))
        .unwrap_or_else(|| match readable {
            [] => String::from("this is the first step; there is nothing to read"),
            readable => format!(
                "it may read {}",
                listed(readable.iter().map(String::as_str))
            ),
        });
    Some((format!("there is no step `{shown}`"), hint))
}

/// A tool allowed on a step helps only if an agent of the step has it.
fn tools(step: &StepFile, scope: &Scope<'_>, path: &Path) -> Vec<Issue> {
    let Some(tools) = &step.tools else {
        return Vec::new();
    };
    let path = path.key("tools");
    let mut issues = check_repeats(tools, &path);
    if step.parallel.is_some() {
        return issues;
    }
    let speakers = speakers(step, &scope.workflow.agents);
    let agents: Vec<_> = speakers
        .iter()
        .filter_map(|id| scope.known.agents.get(id))
        .collect();
    let theirs = || {
        agents
            .iter()
            .flat_map(|agent| agent.tools.iter().map(String::as_str))
    };
    for (index, tool) in tools.iter().enumerate() {
        if !agents.is_empty() && !theirs().any(|name| name == tool) {
            let reason = format!("no agent of this step has the tool `{}`", quotable(tool));
            let hint = did_you_mean(tool, theirs())
                .unwrap_or_else(|| String::from("add it to the agent's own `tools`"));
            issues.push(Issue::warning(path.index(index), reason).hint(hint));
        }
    }
    issues
}

fn task(step: &StepFile, scope: &Scope<'_>, path: &Path) -> Vec<Issue> {
    let Some(task) = &step.task else {
        return Vec::new();
    };
    let path = path.key("task");
    if task.trim().is_empty() {
        return vec![
            Issue::error(path, "the task is empty")
                .hint("write what to do, or leave it out: the name then says it"),
        ];
    }
    if step.parallel.is_some() {
        let reason = "nobody reads the task of a parallel step";
        return vec![Issue::warning(path, reason).hint("write it into its branches")];
    }
    let readable: Vec<&str> = match &step.reads {
        Some(reads) => reads.iter().map(String::as_str).collect(),
        None => scope.readable().iter().map(String::as_str).collect(),
    };
    check_template(task, &path, Some(&readable))
}

fn output_form(step: &StepFile, output: &serde_json::Value, path: &Path) -> Vec<Issue> {
    let path = path.key("output");
    if step.parallel.is_some() || step.chat.is_some() {
        let reason = "only a step with a fixed last speaker can answer in a form";
        return vec![
            Issue::error(path, reason)
                .hint("add a step behind it whose agent puts the result into the form"),
        ];
    }
    let mut issues = json_schema::check(output, &path, &["object"]);
    if issues.is_empty() {
        let outside = json_schema::grammar_subset(output, &path);
        issues.extend(outside.into_iter().map(|(at, reason)| {
            Issue::warning(
                at,
                format!("{reason}, so the built-in model cannot be held to this form"),
            )
        }));
    }
    issues
}

fn chat(chat: &ChatFile, step: &StepFile, scope: &Scope<'_>, path: &Path) -> Vec<Issue> {
    let at = path.key("agents");
    let mut issues = strangers(&chat.agents, scope, &at, true);
    issues.extend(check_repeats(&chat.agents, &at));
    let may_repeat = chat
        .allow_repeat
        .unwrap_or(chat.select == Select::RoundRobin);
    match chat.agents.as_slice() {
        [] => issues.push(Issue::error(at, "a chat needs agents")),
        [_] if !may_repeat => {
            let reason = "one agent that may not speak twice in a row: after its first turn nobody may speak";
            issues.push(
                Issue::error(at, reason).hint("add an agent, or use `agent` instead of `chat`"),
            );
        }
        [_] => issues.push(
            Issue::warning(at, "a chat of one agent is a monologue")
                .hint("use `agent` instead of `chat`"),
        ),
        _ => {}
    }
    issues.extend(
        chat.max_round
            .and_then(|rounds| max_round(rounds, &path.key("max_round"))),
    );
    if let (Some(_), Some(_)) = (chat.max_round, step.limits.max_round) {
        let reason = "the chat has a `max_round` of its own, so that under `limits` says nothing";
        issues.push(Issue::warning(path.key("max_round"), reason).hint("keep one of the two"));
    }
    if let Some(condition) = &chat.stop {
        let tools: Vec<&str> = chat
            .agents
            .iter()
            .filter_map(|id| scope.known.agents.get(id))
            .flat_map(|agent| agent.tools.iter().map(String::as_str))
            .filter(|tool| {
                step.tools
                    .as_ref()
                    .is_none_or(|allowed| allowed.iter().any(|name| name == tool))
            })
            .collect();
        let rounds = rounds_of(chat, step, scope.workflow);
        issues.extend(stop::check(
            condition,
            &chat.agents,
            &tools,
            rounds,
            &path.key("stop"),
        ));
    }
    issues
}

/// Turns after which a chat ends in any case.
pub(super) fn rounds_of(chat: &ChatFile, step: &StepFile, workflow: &WorkflowFile) -> u32 {
    chat.max_round
        .or(step.limits.max_round)
        .or(workflow.limits.max_round)
        .unwrap_or(bwana_types::definition::DEFAULT_MAX_ROUND)
}

fn parallel(parallel: &ParallelFile, scope: &Scope<'_>, path: &Path) -> Vec<Issue> {
    let at = path.key("steps");
    let mut issues: Vec<Issue> = Limit::Branches
        .check(parallel.steps.len(), &at)
        .into_iter()
        .collect();
    issues.extend(Limit::Depth.check(scope.depth + 1, path));
    match parallel.steps.len() {
        0 => issues.push(
            Issue::error(at.clone(), "a join over no branches can never be met")
                .hint("add branches, or leave the step out"),
        ),
        1 => issues.push(
            Issue::warning(at.clone(), "one branch has nothing to run beside")
                .hint("make it a plain step, or add branches"),
        ),
        _ => {}
    }
    if parallel.width == Some(0) {
        let reason = "with 0 branches in flight none ever starts, so the join can never be met";
        issues.push(
            Issue::error(path.key("width"), reason).hint("write at least 1, or leave it out for 4"),
        );
    }
    if scope.depth >= Limit::Depth.most() {
        return issues;
    }
    let branches = branch_files(parallel);
    let ids = ids(&branches);
    issues.extend(repeated_ids(&branches, &at));
    for (index, branch) in branches.iter().enumerate() {
        let inside = Scope {
            branches: &ids,
            depth: scope.depth + 1,
            ..*scope
        };
        issues.extend(check(branch, &ids[index], &inside, &at.index(index)));
    }
    issues
}

pub(super) fn branch_files(parallel: &ParallelFile) -> Vec<StepFile> {
    parallel
        .steps
        .iter()
        .map(|entry: &StepEntry| full(entry))
        .collect()
}
