//! What a window shows before anything is chosen: today, the agents and what each is doing, the workflows with their
//! records. Sums over many runs are read from the journals once and kept as long as a run does not change.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bwana_store::{RunFilter, RunInfo};
use bwana_types::agent::{AgentFile, AgentKind};
use bwana_types::definition::Definition;
use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::entry::{Body, Call, CallResult, Entry, Seq};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::RunId;
use bwana_types::money::MicroUsd;
use bwana_types::status::RunStatus;
use bwana_types::time::Timestamp;
use bwana_types::workflow::StepEntry;
use bwana_workflow::definition::shipped;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, time_zone};
use crate::book::{BUILTIN, Kept};
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::shape::{Dollars, Time};
use crate::view::RunLine;

/// Live runs the first screen names.
const LIVE_SHOWN: usize = 3;
/// Runs of a workflow its success is counted over.
const LAST_RUNS: usize = 20;
/// Days an agent's money is summed over, today included.
const WEEK_DAYS: i64 = 7;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const LONGEST_DAY_MS: i64 = 2 * DAY_MS;
/// Entries at a run's end that are looked at for who speaks.
const TAIL_ENTRIES: u64 = 64;
/// Runs whose costs are kept in memory.
const COSTS_KEPT: usize = 5_000;
/// Characters of an agent's instructions a panel shows.
const INSTRUCTIONS_CHARS: usize = 400;

/// A calendar day in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Today {
    /// Like `2026-11-25`, in `time_zone`.
    pub day: String,
    pub time_zone: String,
    /// Runs started today.
    pub runs: u64,
    pub runs_done: u64,
    /// Runs at work now.
    pub live: u64,
    /// Questions to the person, of any day.
    pub waiting: u64,
    /// Settled today.
    pub spent: Dollars,
    /// Held back for calls in flight.
    pub reserved: Dollars,
    /// `null`: a day has no limit.
    pub limit: Option<Dollars>,
    /// Heard and sent over the network, as HTTP counts, without what stays on this machine.
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Calls whose price nobody knows; their money is in no sum.
    pub unpriced_calls: u64,
    /// Providers that cannot be reached or are left alone after failures.
    pub troubled_providers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HomeShown {
    /// Newest first, at most three.
    pub live: Vec<RunLine>,
    pub today: Today,
    /// Workflows to begin with.
    pub suggested: Vec<WorkflowLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    Idle,
    Working,
    /// Its run waits for the person.
    Waiting,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentPanel {
    pub id: String,
    pub name: String,
    pub kind: AgentKind,
    pub description: String,
    /// Comes with the program and was not changed.
    pub builtin: bool,
    pub instructions_head: String,
    pub capabilities: Vec<String>,
    /// As its file says: `default`, or `PROVIDER/MODEL` in order of preference.
    pub models: Vec<String>,
    /// The one it would use now.
    pub model: Option<String>,
    /// Why there is none.
    pub model_problem: Option<String>,
    pub starter_model: bool,
    pub status: AgentStatus,
    /// What it does now, if it works.
    pub now: Option<AtWork>,
    /// Unfinished runs it is part of, newest first.
    pub active: Vec<ActiveRun>,
    pub tools: Vec<AgentTool>,
    pub cost_today: Dollars,
    pub cost_week: Dollars,
    pub runs_week: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AtWork {
    pub run: RunId,
    pub path: String,
    pub step: Option<String>,
    /// `thinking`, or `using` a tool.
    pub doing: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    pub since: Time,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActiveRun {
    pub run: RunId,
    pub title: String,
    pub workflow: String,
    pub status: RunStatus,
    pub step: Option<String>,
    pub steps_done: u32,
    pub steps_total: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentTool {
    pub name: String,
    /// `null`: this program does not have it.
    pub risk: Option<RiskClass>,
    pub effect: Option<EffectClass>,
    /// With nothing known against it, its next use would be asked of the person.
    pub asks: bool,
    pub ready: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentPanels {
    pub agents: Vec<AgentPanel>,
}

/// A workflow with its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowLine {
    pub id: String,
    pub name: String,
    pub description: String,
    pub builtin: bool,
    pub agents: Vec<String>,
    pub steps: Vec<String>,
    pub last_run: Option<Time>,
    /// Of the last twenty that ended, how many reached their end.
    pub ended: u32,
    pub ended_well: u32,
    /// Of those whose price is known.
    pub median_cost: Option<Dollars>,
    pub median_elapsed_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowLines {
    pub workflows: Vec<WorkflowLine>,
}

pub(crate) async fn today(app: &App, _ctx: Ctx, _: Nothing) -> Result<Today, ApiError> {
    today_of(app)
}

pub(crate) fn today_of(app: &App) -> Result<Today, ApiError> {
    let settings = app.settings();
    let zone = time_zone(&settings);
    let day = app.clock().now().day_in(&zone);
    let mut today = Today {
        day,
        time_zone: zone,
        runs: 0,
        runs_done: 0,
        live: 0,
        waiting: 0,
        spent: Dollars::default(),
        reserved: Dollars::default(),
        limit: settings.budget.day_usd.map(Dollars),
        bytes_in: 0,
        bytes_out: 0,
        unpriced_calls: 0,
        troubled_providers: app.troubled_providers(),
    };
    let Some(store) = app.maybe_store() else {
        return Ok(today);
    };
    let spent = store.day_spent(&today.day)?;
    today.spent = Dollars(spent.settled);
    today.reserved = Dollars(spent.reserved);
    today.unpriced_calls = spent.unpriced_calls;
    for (status, count) in store.run_counts()? {
        if matches!(status, RunStatus::Running | RunStatus::Stopping) {
            today.live += count;
        }
    }
    let bytes = app.meter().today(store, &today.day)?;
    (today.bytes_in, today.bytes_out) = (bytes.received, bytes.sent);
    today.waiting = store.open_tasks()?;
    // No day lasts longer, whatever a zone does with its clocks.
    let earliest = Timestamp(app.clock().now().0 - LONGEST_DAY_MS);
    for (created_at, status) in store.runs_since(earliest)? {
        if created_at.day_in(&today.time_zone) == today.day {
            today.runs += 1;
            today.runs_done += u64::from(status == RunStatus::Done);
        }
    }
    Ok(today)
}

pub(crate) async fn home(app: &App, _ctx: Ctx, _: Nothing) -> Result<HomeShown, ApiError> {
    let mut live: Vec<RunLine> = unfinished(app)?.iter().map(RunLine::from).collect();
    live.truncate(LIVE_SHOWN);
    let mut suggested = lines(app).await?;
    suggested.retain(|workflow| workflow.builtin);
    // The list is by id; what is offered first is a choice.
    suggested.sort_by_key(|workflow| shipped().place(&workflow.id));
    suggested.truncate(LIVE_SHOWN);
    Ok(HomeShown {
        live,
        today: today_of(app)?,
        suggested,
    })
}

/// Newest first.
fn unfinished(app: &App) -> Result<Vec<RunInfo>, ApiError> {
    let Some(store) = app.maybe_store() else {
        return Ok(Vec::new());
    };
    let mut runs = store.unfinished_runs()?;
    runs.retain(|run| !run.hidden);
    runs.sort_by_key(|run| std::cmp::Reverse(run.id));
    Ok(runs)
}

pub(crate) async fn panels(app: &App, _ctx: Ctx, _: Nothing) -> Result<AgentPanels, ApiError> {
    let book = app.book().await?;
    let live = unfinished(app)?
        .into_iter()
        .map(|run| LiveRun::look(app, run))
        .collect::<Result<Vec<_>, _>>()?;
    let costs = week(app)?;
    let agents = book
        .agents
        .values()
        .map(|kept| panel(app, kept, &live, &costs))
        .collect::<Result<_, _>>()?;
    Ok(AgentPanels { agents })
}

/// One agent, for whoever has just changed it.
pub(crate) async fn panel_of(app: &App, id: &str) -> Result<AgentPanel, ApiError> {
    let panels = panels(app, Ctx::quiet(crate::Caller::LocalUi), Nothing {}).await?;
    panels
        .agents
        .into_iter()
        .find(|panel| panel.id == id)
        .ok_or_else(|| {
            ApiError::new(
                ErrorCode::UsageNotFound,
                format!("there is no agent called '{id}'"),
            )
        })
}

/// An unfinished run, its agents, and who is at work in it.
struct LiveRun {
    info: RunInfo,
    agents: Vec<String>,
    at_work: Option<(String, AtWork)>,
}

impl LiveRun {
    fn look(app: &App, info: RunInfo) -> Result<Self, ApiError> {
        let store = app.store()?;
        let bytes = store.definition_of(info.id)?;
        // A definition of a newer program names agents in a way this one may not read: then it shows none.
        let agents = serde_json::from_slice::<Definition>(&bytes)
            .map(|definition| definition.agents.keys().cloned().collect())
            .unwrap_or_default();
        let from = info.head_seq.saturating_sub(TAIL_ENTRIES).max(1);
        let tail = store.entries(info.id, from, usize::MAX)?;
        let at_work = match info.row.status {
            RunStatus::Running => at_work(&info, &tail),
            _ => None,
        };
        Ok(Self {
            info,
            agents,
            at_work,
        })
    }

    fn active(&self) -> ActiveRun {
        ActiveRun {
            run: self.info.id,
            title: self.info.title.clone(),
            workflow: self.info.workflow.clone(),
            status: self.info.row.status,
            step: self.info.row.step.clone(),
            steps_done: self.info.row.steps_done,
            steps_total: self.info.row.steps_total,
        }
    }
}

/// Who makes the newest call that has no answer yet.
fn at_work(info: &RunInfo, tail: &[Entry]) -> Option<(String, AtWork)> {
    let mut open: BTreeMap<Seq, (String, AtWork)> = BTreeMap::new();
    for entry in tail {
        match &entry.body {
            Body::CallIntended(intended) => {
                let (agent, tool) = match &intended.call {
                    Call::Model(call) => (call.agent.clone(), None),
                    Call::Tool(call) => (call.agent.clone(), Some(call.tool.clone())),
                };
                let work = AtWork {
                    run: info.id,
                    path: entry.path.to_string(),
                    step: info.row.step.clone(),
                    doing: String::from(if tool.is_some() { "using" } else { "thinking" }),
                    tool,
                    since: Time(entry.at),
                };
                open.insert(entry.seq, (agent, work));
            }
            Body::CallFinished(done) => drop(open.remove(&done.call)),
            Body::CallFailed(failed) if failed.retry_at.is_none() => {
                drop(open.remove(&failed.call))
            }
            Body::CallUncertain(lost) => drop(open.remove(&lost.call)),
            _ => {}
        }
    }
    open.pop_last().map(|(_, work)| work)
}

fn panel(
    app: &App,
    kept: &Kept<AgentFile>,
    live: &[LiveRun],
    costs: &Week,
) -> Result<AgentPanel, ApiError> {
    let agent = &kept.file;
    let of: Vec<&LiveRun> = live
        .iter()
        .filter(|run| run.agents.contains(&agent.id))
        .collect();
    let now = of.iter().find_map(|run| {
        let (who, work) = run.at_work.as_ref()?;
        (*who == agent.id).then(|| work.clone())
    });
    let is_waiting = of
        .iter()
        .any(|run| run.info.row.status == RunStatus::Waiting);
    let models = agent.model.as_slice().to_vec();
    let resolved = models.first().map(|choice| app.hub().resolve(choice));
    let (model, model_problem) = match resolved {
        Some(Ok(model)) => (Some(model), None),
        Some(Err(error)) => (None, Some(error.code)),
        None => (None, Some(ErrorCode::ProviderNoModel)),
    };
    let tools = app.tools()?;
    let cost = costs.by_agent.get(&agent.id).copied().unwrap_or_default();
    Ok(AgentPanel {
        id: agent.id.clone(),
        name: agent.name.clone(),
        kind: agent.kind,
        description: agent.description.clone(),
        builtin: kept.source == BUILTIN,
        instructions_head: agent
            .instructions
            .chars()
            .take(INSTRUCTIONS_CHARS)
            .collect(),
        capabilities: agent.capabilities.clone(),
        starter_model: model
            .as_ref()
            .is_some_and(|model| app.hub().local().is_starter(model)),
        model: model.map(|model| format!("{}/{}", model.provider, model.model)),
        models,
        model_problem: model_problem.map(|code| code.as_str().to_owned()),
        status: match (&now, is_waiting) {
            (Some(_), _) => AgentStatus::Working,
            (None, true) => AgentStatus::Waiting,
            (None, false) => AgentStatus::Idle,
        },
        now,
        active: of.iter().map(|run| run.active()).collect(),
        tools: agent
            .tools
            .iter()
            .map(|name| {
                let spec = tools.get(name).map(|tool| tool.spec());
                AgentTool {
                    name: name.clone(),
                    risk: spec.map(|spec| spec.risk),
                    effect: spec.map(|spec| spec.effect),
                    asks: spec.is_some_and(crate::tools::would_ask),
                    ready: spec.is_some(),
                }
            })
            .collect(),
        cost_today: Dollars(cost.today),
        cost_week: Dollars(cost.week),
        runs_week: cost.runs,
    })
}

/// What each agent's calls cost on which day of one run, kept as long as the run does not grow.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    kept: Mutex<BTreeMap<RunId, (Seq, Spent)>>,
}

/// By agent and day.
type Spent = BTreeMap<(String, String), MicroUsd>;

#[derive(Debug, Clone, Copy, Default)]
struct AgentCost {
    today: MicroUsd,
    week: MicroUsd,
    runs: u64,
}

struct Week {
    by_agent: BTreeMap<String, AgentCost>,
}

/// Sums the last seven days up by agent.
fn week(app: &App) -> Result<Week, ApiError> {
    let mut week = Week {
        by_agent: BTreeMap::new(),
    };
    let Some(store) = app.maybe_store() else {
        return Ok(week);
    };
    let zone = time_zone(&app.settings());
    let now = app.clock().now();
    let today = now.day_in(&zone);
    let since = bwana_types::time::Timestamp(now.0 - (WEEK_DAYS - 1) * DAY_MS).day_in(&zone);
    let mut filter = RunFilter {
        hidden: true,
        ..RunFilter::default()
    };
    'pages: loop {
        let page = store.runs(&filter)?;
        let Some(last) = page.last() else { break };
        filter.before = Some(last.id);
        for run in &page {
            if run.updated_at.day_in(&zone) < since {
                // Runs are made in the order of their ids; one made earlier may still have been worked on lately.
                if run.created_at.0 < now.0 - WEEK_DAYS * 4 * DAY_MS {
                    break 'pages;
                }
                continue;
            }
            let mut agents = std::collections::BTreeSet::new();
            for ((agent, day), cost) in app.costs().of(app, run, &zone)? {
                if day < since {
                    continue;
                }
                let sum = week.by_agent.entry(agent.clone()).or_default();
                sum.week = sum.week.saturating_add(cost);
                if day == today {
                    sum.today = sum.today.saturating_add(cost);
                }
                agents.insert(agent);
            }
            for agent in agents {
                week.by_agent.entry(agent).or_default().runs += 1;
            }
        }
    }
    Ok(week)
}

impl Costs {
    fn of(&self, app: &App, run: &RunInfo, zone: &str) -> Result<Spent, ApiError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((head, spent)) = kept.get(&run.id)
            && *head == run.head_seq
        {
            return Ok(spent.clone());
        }
        let own = run.parent.map_or(0, |(_, shared)| shared);
        let spent = spent(&app.store()?.load(run.id)?, own, zone);
        if kept.len() >= COSTS_KEPT {
            kept.pop_first();
        }
        kept.insert(run.id, (run.head_seq, spent.clone()));
        Ok(spent)
    }
}

/// What a fork shares with its parent was paid once, by the parent.
fn spent(entries: &[Entry], own: Seq, zone: &str) -> Spent {
    let mut by: BTreeMap<Seq, String> = BTreeMap::new();
    let mut spent = Spent::new();
    for entry in entries {
        let (call, cost) = match &entry.body {
            Body::CallIntended(intended) => {
                if let Call::Model(call) = &intended.call {
                    by.insert(entry.seq, call.agent.clone());
                }
                continue;
            }
            Body::CallFinished(done) => match &done.result {
                CallResult::Model(result) => (done.call, result.cost),
                CallResult::Tool(_) => continue,
            },
            Body::CallFailed(failed) => (failed.call, failed.cost),
            Body::CallInterrupted(lost) => (lost.call, lost.cost),
            _ => continue,
        };
        if let Some(agent) = by.get(&call)
            && entry.seq > own
        {
            let sum = spent
                .entry((agent.clone(), entry.at.day_in(zone)))
                .or_default();
            *sum = sum.saturating_add(cost.unwrap_or_default());
        }
    }
    spent
}

pub(crate) async fn workflows(app: &App, _ctx: Ctx, _: Nothing) -> Result<WorkflowLines, ApiError> {
    Ok(WorkflowLines {
        workflows: lines(app).await?,
    })
}

async fn lines(app: &App) -> Result<Vec<WorkflowLine>, ApiError> {
    let book = app.book().await?;
    let mut lines = Vec::new();
    for kept in book.workflows.values() {
        let workflow = &kept.file;
        let past = match app.maybe_store() {
            Some(store) => store.runs(&RunFilter {
                workflow: Some(workflow.id.clone()),
                limit: LAST_RUNS,
                ..RunFilter::default()
            })?,
            None => Vec::new(),
        };
        let ended: Vec<&RunInfo> = past
            .iter()
            .filter(|run| run.row.status.is_ended())
            .collect();
        let well: Vec<&&RunInfo> = ended
            .iter()
            .filter(|run| run.row.status == RunStatus::Done)
            .collect();
        let costs = well
            .iter()
            .filter(|run| !run.row.cost_unknown)
            .map(|run| run.row.cost);
        let times = well
            .iter()
            .map(|run| run.updated_at.ms_since(run.created_at));
        lines.push(WorkflowLine {
            id: workflow.id.clone(),
            name: workflow.name.clone(),
            description: workflow.description.clone(),
            builtin: kept.source == BUILTIN,
            agents: workflow.agents.clone(),
            steps: workflow.steps.iter().map(step_name).collect(),
            last_run: past.first().map(|run| Time(run.created_at)),
            ended: u32::try_from(ended.len()).unwrap_or(u32::MAX),
            ended_well: u32::try_from(well.len()).unwrap_or(u32::MAX),
            median_cost: median(costs.collect()).map(Dollars),
            median_elapsed_ms: median(times.collect()),
        });
    }
    Ok(lines)
}

fn step_name(step: &StepEntry) -> String {
    match step {
        StepEntry::Name(name) => name.clone(),
        StepEntry::Full(step) => step.name.clone(),
    }
}

/// The middle one; of two middle ones the smaller.
fn median<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_that_was_seen() {
        assert_eq!(median::<i64>(vec![]), None);
        assert_eq!(median(vec![3]), Some(3));
        assert_eq!(median(vec![3, 1]), Some(1));
        assert_eq!(median(vec![9, 1, 5]), Some(5));
    }
}
