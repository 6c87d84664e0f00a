//! What a wish would start, said before it starts: which workflow or agents and why, which tools will ask, what it may
//! cost. Deterministic, calls nothing, and the start goes through the very same choice.

mod estimate;

use std::collections::BTreeMap;

use bwana_store::Store;
use bwana_types::definition::{Definition, StepDef, Work};
use bwana_types::effect::RiskClass;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::workflow::WorkflowFile;
use bwana_workflow::definition::{Ask, ask_workflow, meant_workflow, route_workflows};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::estimate::Estimate;
use crate::app::App;
use crate::book::Book;
use crate::command::Ctx;
use crate::definitions::find;
use crate::grants::Words;
use crate::runs::{
    AgentAtWork, Job, StartOptions, Started, begin_as, check_input, check_models, check_schema,
    describe, money, resolve_job,
};
use crate::shape::nearest;

/// Bytes of a client's key for one start.
pub const KEY_MAX_BYTES: usize = 128;
/// Starts whose keys are remembered. A client repeats a start within seconds.
const KEYS_KEPT: usize = 100;
/// Under this name the store keeps them.
const KEYS_SETTING: &str = "start_keys";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlanRequest {
    /// The wish, as it stands in the composer: `/slug …` names a workflow, `@slug …` an agent.
    pub text: String,
    /// A workflow chosen otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// An agent chosen otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// `PROVIDER/MODEL` for all agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartPlanRequest {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// US dollars, like `1.50`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_usd: Option<String>,
    /// A rehearsal, on the model of this machine unless another is named.
    #[serde(default)]
    pub dry_run: bool,
    /// The client's own key for this start: the same key again answers the same run.
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    pub target: Target,
    pub why: Why,
    /// The words of the wish that decided, as stems.
    pub words: Vec<String>,
    /// What the run would be given: the wish without the name of its target.
    pub text: String,
    /// Top-level steps, in order.
    pub steps: Vec<PlanStep>,
    /// Who works, with the model each uses, in the order of their ids.
    pub agents: Vec<AgentAtWork>,
    /// Tools that ask a person unless a grant covers the call.
    pub asks: Vec<PlanAsk>,
    /// A model at work is the small starter model, whose answers are poor.
    pub starter_model: bool,
    pub estimate: Estimate,
    /// Why it cannot be started as it is.
    pub problems: Vec<Words>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    pub kind: TargetKind,
    /// Of the workflow or the agent; of a team, `ask`.
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    Workflow,
    Agent,
    /// Those agents whose work the wish names, or all of them.
    Team,
}

/// What decided for the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The wish or the request names the workflow.
    Slash,
    /// It names the agent.
    At,
    /// The wish speaks of one workflow more than of any other and of any agent.
    Match,
    /// None of these: it is a question to the team.
    Ask,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    pub id: String,
    pub name: String,
    /// Ids of the agents at work, those of branches included.
    pub agents: Vec<String>,
    /// A person looks at the step before it starts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PlanAsk {
    pub tool: String,
    pub risk: RiskClass,
}

/// Codes of a plan's problems, with the names of their parameters. Problems of definitions and models carry the code of
/// their error and its message as copyable detail.
pub const PROBLEM_CODES: &[(&str, &[&str])] = &[
    ("plan.unknown_workflow", &["slug", "near"]),
    ("plan.unknown_agent", &["slug", "near"]),
    ("plan.empty", &[]),
    ("plan.bad_input", &["detail"]),
];

/// What was chosen for a wish.
struct Choice {
    workflow: WorkflowFile,
    hash: Hash,
    target: Target,
    why: Why,
    words: Vec<String>,
    text: String,
    problems: Vec<Words>,
}

pub(crate) async fn preview(app: &App, _ctx: Ctx, request: PlanRequest) -> Result<Plan, ApiError> {
    let book = app.book().await?;
    let mut choice = choose(&book, &request)?;
    if choice.text.trim().is_empty() {
        choice.problems.push(problem("plan.empty", []));
    } else if let Err(error) = check_schema(&choice.workflow, &choice.text) {
        let detail = ("detail", error.message);
        choice.problems.push(problem("plan.bad_input", [detail]));
    }
    let options = StartOptions {
        model: request.model,
        ..StartOptions::default()
    };
    let job = job_of(&choice, options);
    let definition = match resolve_job(app, &book, &job) {
        Ok(resolved) => Some(resolved.definition),
        Err(error) => {
            let detail = ("detail", error.message);
            choice.problems.push(problem(error.code.as_str(), [detail]));
            None
        }
    };
    let described = definition.as_ref().map(|found| describe(app, found));
    Ok(Plan {
        steps: definition.as_ref().map_or_else(Vec::new, steps),
        asks: definition.as_ref().map_or_else(Vec::new, asks),
        estimate: estimate_of(app.maybe_store(), definition.as_ref())?,
        starter_model: described.as_ref().is_some_and(|one| one.starter_model),
        agents: described.map_or_else(Vec::new, |one| one.agents),
        target: choice.target,
        why: choice.why,
        words: choice.words,
        text: choice.text,
        problems: choice.problems,
    })
}

/// A repeat of the key answers the run that the first start made, or makes it if that start died before it did.
pub(crate) async fn start(
    app: &App,
    ctx: Ctx,
    request: StartPlanRequest,
) -> Result<Started, ApiError> {
    check_key(&request.key)?;
    check_input(&request.text)?;
    let _one = app.starting().await;
    let run = remembered(app, &request.key).await?;
    let store = app.owner()?;
    if store.run(run).is_ok() {
        let state = bwana_engine::fold_run(store, run)?;
        let mut started = describe(app, &state.definition);
        started.run = run;
        started.head_seq = 0;
        return Ok(started);
    }
    let book = app.book().await?;
    let plan = PlanRequest {
        text: request.text,
        workflow: request.workflow,
        agent: request.agent,
        model: request.model,
    };
    let choice = choose(&book, &plan)?;
    if let Some(problem) = choice.problems.first() {
        let message = format!("the wish cannot be started: {}", plain(problem));
        return Err(ApiError::new(ErrorCode::UsageNotFound, message));
    }
    check_input(&choice.text)?;
    check_schema(&choice.workflow, &choice.text)?;
    if let Some(budget) = &request.budget_usd {
        money(budget)?;
    }
    let options = StartOptions {
        model: plan.model,
        budget_usd: request.budget_usd,
        dry_run: request.dry_run,
        ..StartOptions::default()
    };
    let job = job_of(&choice, options);
    let resolved = resolve_job(app, &book, &job)?;
    check_models(app, &resolved.definition)?;
    begin_as(app, &ctx, &book, job, run).await
}

fn job_of(choice: &Choice, options: StartOptions) -> Job<'_> {
    Job {
        workflow: &choice.workflow,
        hash: choice.hash,
        file: None,
        input: choice.text.clone(),
        options,
    }
}

/// The target of a wish: named, else matched, else the team.
///
/// # Errors
/// If the request names a workflow or an agent that does not exist. A name in the text that does not is a problem of the
/// plan: somebody is still typing it.
fn choose(book: &Book, request: &PlanRequest) -> Result<Choice, ApiError> {
    let text = request.text.trim();
    if let Some(id) = &request.workflow {
        let id = find(&book.workflows, id, "workflow")?.file.id.clone();
        return Ok(of_workflow(book, &id, Why::Slash, vec![], text));
    }
    if let Some(id) = &request.agent {
        let id = find(&book.agents, id, "agent")?.file.id.clone();
        return Ok(of_agent(book, &id, text));
    }
    let mut problems = Vec::new();
    match named(text) {
        Some(('/', slug, rest)) if book.workflows.contains_key(slug) => {
            return Ok(of_workflow(book, slug, Why::Slash, vec![], rest));
        }
        Some(('@', slug, rest)) if book.agents.contains_key(slug) => {
            return Ok(of_agent(book, slug, rest));
        }
        Some(('/', slug, _)) => {
            let near = nearest(slug, book.workflows.keys().map(String::as_str));
            problems.push(unknown("plan.unknown_workflow", slug, near));
        }
        Some((_, slug, _)) => {
            let near = nearest(slug, book.agents.keys().map(String::as_str));
            problems.push(unknown("plan.unknown_agent", slug, near));
        }
        None => {}
    }
    let agents = book.agent_files();
    let team: Vec<String> = agents.keys().cloned().collect();
    let asked = ask_workflow(Ask::Team(&team), &agents, text);
    let best_agent = asked.fits.first();
    let workflows = route_workflows(text, book.workflows.values().map(|kept| &kept.file));
    if problems.is_empty()
        && let Some(best) = meant_workflow(&workflows, &asked.fits)
    {
        let words = best.words.clone();
        return Ok(of_workflow(book, &best.workflow, Why::Match, words, text));
    }
    let target = match asked.workflow.agents.as_slice() {
        [only] => agent_target(book, only),
        _ => Target {
            kind: TargetKind::Team,
            id: asked.workflow.id.clone(),
            name: asked.workflow.name.clone(),
        },
    };
    Ok(Choice {
        words: best_agent.map_or_else(Vec::new, |agent| agent.words.clone()),
        hash: asked.hash,
        workflow: asked.workflow,
        target,
        why: Why::Ask,
        text: text.to_owned(),
        problems,
    })
}

/// A slug behind `/` or `@` at the beginning, and what follows it.
fn named(text: &str) -> Option<(char, &str, &str)> {
    let sign = text.chars().next().filter(|c| matches!(c, '/' | '@'))?;
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let slug = &text[1..end];
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!slug.is_empty() && slug.chars().all(plain)).then(|| (sign, slug, text[end..].trim_start()))
}

fn of_workflow(book: &Book, id: &str, why: Why, words: Vec<String>, text: &str) -> Choice {
    let kept = &book.workflows[id];
    Choice {
        workflow: kept.file.clone(),
        hash: kept.hash,
        target: Target {
            kind: TargetKind::Workflow,
            id: kept.file.id.clone(),
            name: kept.file.name.clone(),
        },
        why,
        words,
        text: text.to_owned(),
        problems: Vec::new(),
    }
}

fn of_agent(book: &Book, id: &str, text: &str) -> Choice {
    let asked = ask_workflow(Ask::Agent(id), &book.agent_files(), text);
    Choice {
        workflow: asked.workflow,
        hash: asked.hash,
        target: agent_target(book, id),
        why: Why::At,
        words: Vec::new(),
        text: text.to_owned(),
        problems: Vec::new(),
    }
}

fn agent_target(book: &Book, id: &str) -> Target {
    let name = book.agents.get(id).map(|kept| kept.file.name.clone());
    Target {
        kind: TargetKind::Agent,
        id: id.to_owned(),
        name: name.unwrap_or_else(|| id.to_owned()),
    }
}

/// Codes of a plan's own problems, with the names of their values. Others are codes of errors, with their `detail`.
pub const PLAN_CODES: &[(&str, &[&str])] = &[
    ("plan.empty", &[]),
    ("plan.bad_input", &["detail"]),
    ("plan.unknown_workflow", &["slug", "near"]),
    ("plan.unknown_agent", &["slug", "near"]),
];

fn problem<const N: usize>(code: &str, params: [(&str, String); N]) -> Words {
    Words {
        code: code.to_owned(),
        params: params
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

fn unknown(code: &str, slug: &str, near: Option<&str>) -> Words {
    let near = near.unwrap_or_default().to_owned();
    problem(code, [("slug", slug.to_owned()), ("near", near)])
}

/// A problem in words, for an error's message.
fn plain(problem: &Words) -> String {
    let slug = problem.params.get("slug").map_or("", String::as_str);
    match problem.code.as_str() {
        "plan.unknown_workflow" => format!("there is no workflow called '{slug}'"),
        "plan.unknown_agent" => format!("there is no agent called '{slug}'"),
        code => code.to_owned(),
    }
}

fn steps(definition: &Definition) -> Vec<PlanStep> {
    let step = |step: &StepDef| {
        let mut agents = Vec::new();
        leaves(step, &mut |leaf| {
            agents.extend(speakers(leaf).iter().cloned())
        });
        let mut seen = std::collections::BTreeSet::new();
        agents.retain(|agent| seen.insert(agent.clone()));
        PlanStep {
            id: step.id.clone(),
            name: step.name.clone(),
            agents,
            asks: step.approve_plan,
        }
    };
    definition.steps.iter().map(step).collect()
}

/// Every step in which somebody speaks.
fn leaves(step: &StepDef, tell: &mut impl FnMut(&StepDef)) {
    match &step.work {
        Work::Parallel(parallel) => parallel.steps.iter().for_each(|step| leaves(step, tell)),
        Work::Speak { .. } | Work::Chat(_) => tell(step),
        Work::Pinned { .. } => {}
    }
}

fn speakers(step: &StepDef) -> &[String] {
    match &step.work {
        Work::Speak { agents } => agents,
        Work::Chat(chat) => &chat.agents,
        Work::Parallel(_) | Work::Pinned { .. } => &[],
    }
}

/// Names of the tools an agent has on a step.
fn tools_on<'a>(
    definition: &'a Definition,
    step: &'a StepDef,
    agent: &str,
) -> impl Iterator<Item = &'a String> {
    let own = definition
        .agents
        .get(agent)
        .map_or(&[][..], |one| &one.tools);
    own.iter().filter(|tool| {
        step.tools
            .as_ref()
            .is_none_or(|allowed| allowed.contains(tool))
    })
}

/// What the policy would ask about, tried out over each step's tools, with nothing known against them.
fn asks(definition: &Definition) -> Vec<PlanAsk> {
    let mut found = BTreeMap::new();
    let mut look = |step: &StepDef| {
        for agent in speakers(step) {
            for name in tools_on(definition, step, agent) {
                let Some(spec) = definition.tools.get(name) else {
                    continue;
                };
                if crate::tools::would_ask(spec) {
                    found.insert(name.clone(), spec.risk);
                }
            }
        }
    };
    definition
        .steps
        .iter()
        .for_each(|step| leaves(step, &mut look));
    let asks = found.into_iter();
    asks.map(|(tool, risk)| PlanAsk { tool, risk }).collect()
}

fn estimate_of(
    store: Option<&Store>,
    definition: Option<&Definition>,
) -> Result<Estimate, ApiError> {
    match definition {
        Some(definition) => estimate::estimate(store, definition),
        None => Ok(Estimate::Unknown {
            missing: Vec::new(),
        }),
    }
}

fn check_key(key: &str) -> Result<(), ApiError> {
    if !key.trim().is_empty() && key.len() <= KEY_MAX_BYTES {
        return Ok(());
    }
    let message = format!("a key has 1 to {KEY_MAX_BYTES} bytes");
    Err(ApiError::new(ErrorCode::UsageInvalid, message))
}

/// The run that starts with this key make. Written down before there is one, so that a repeat after a crash finds it, or
/// makes it. Held together by [`App::starting`].
async fn remembered(app: &App, key: &str) -> Result<RunId, ApiError> {
    let store = app.owner()?;
    let key = Hash::of(key.as_bytes()).to_string();
    let mut known: Vec<(String, RunId)> = store
        .setting(KEYS_SETTING)?
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    if let Some((_, run)) = known.iter().find(|(one, _)| *one == key) {
        return Ok(*run);
    }
    let run = RunId::new(app.ids().uuid(app.clock().now()));
    known.push((key, run));
    let from = known.len().saturating_sub(KEYS_KEPT);
    let text = serde_json::to_string(&known[from..])
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    store.set_setting(KEYS_SETTING, Some(&text)).await?;
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_at_the_beginning_and_is_a_slug() {
        let cases = [
            ("/notes write", Some(('/', "notes", "write"))),
            ("@writer", Some(('@', "writer", ""))),
            ("/a_1\n two", Some(('/', "a_1", "two"))),
            ("see /notes", None),
            ("/etc/passwd is what?", None),
            ("@Wanjiku hello", None),
            ("/", None),
            ("@ writer", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(named(text), expected, "{text}");
        }
    }
}
