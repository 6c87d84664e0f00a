//! What a run may cost: from the median of past runs of the same thing, else from prices and what the definition can send
//! at most, else unknown with what is missing. Never a guess between.

use std::collections::BTreeSet;

use bwana_agent::chat::SELECT_ATTEMPTS_MAX;
use bwana_agent::turn::TOOL_ROUNDS_MAX;
use bwana_store::{RunFilter, RunInfo, Store};
use bwana_types::definition::{AgentDef, Definition, StepDef, Work};
use bwana_types::error::ApiError;
use bwana_types::money::MicroUsd;
use bwana_types::status::RunStatus;
use bwana_types::workflow::{Select, Summary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{leaves, tools_on};
use crate::shape::Dollars;

/// Past runs that make a median.
const RUNS_MIN: usize = 3;
/// Past runs that are looked at, newest first.
const RUNS_LOOKED_AT: usize = 100;
/// Bytes that count as one token when tokens become bytes on the line: text with its frame.
const BYTES_PER_TOKEN: u64 = 4;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "basis", rename_all = "snake_case")]
pub enum Estimate {
    /// What finished runs of the same workflow cost; of the same models too where there are enough of them.
    Median {
        runs: usize,
        usd: Dollars,
        /// A tenth of the runs cost less.
        usd_low: Dollars,
        /// A tenth cost more.
        usd_high: Dollars,
        /// To and from providers, at four bytes a token.
        bytes: u64,
        /// From the first entry to the last, waiting for people included.
        elapsed_ms: i64,
    },
    /// At most so much: every turn the definition allows, every call as long as its model takes, within its limits.
    Prices { usd_high: Dollars, bytes: u64 },
    /// `PROVIDER/MODEL` whose prices are missing.
    Unknown { missing: Vec<String> },
}

/// The estimate for a resolved definition.
///
/// # Errors
/// If the list of runs cannot be read.
pub(super) fn estimate(
    store: Option<&Store>,
    definition: &Definition,
) -> Result<Estimate, ApiError> {
    let past = match store {
        Some(store) => past(store, definition)?,
        None => Vec::new(),
    };
    if past.len() >= RUNS_MIN {
        return Ok(median(&past));
    }
    let missing: BTreeSet<String> = definition
        .agents
        .values()
        .filter_map(|agent| agent.models.first())
        .filter(|model| !model.price.is_known())
        .map(|model| format!("{}/{}", model.provider, model.model))
        .collect();
    if !missing.is_empty() {
        return Ok(Estimate::Unknown {
            missing: missing.into_iter().collect(),
        });
    }
    Ok(at_most(definition))
}

/// Finished runs whose cost is known: of the very same definition if there are enough, else of the same workflow.
fn past(store: &Store, definition: &Definition) -> Result<Vec<RunInfo>, ApiError> {
    let filter = RunFilter {
        workflow: Some(definition.workflow.slug.clone()),
        limit: RUNS_LOOKED_AT,
        hidden: true,
        ..RunFilter::default()
    };
    let mut runs = store.runs(&filter)?;
    runs.retain(|run| run.row.status == RunStatus::Done && !run.row.cost_unknown);
    let hash = definition.hash();
    let same = runs.iter().filter(|run| run.definition == hash).count();
    if same >= RUNS_MIN {
        runs.retain(|run| run.definition == hash);
    }
    Ok(runs)
}

fn median(runs: &[RunInfo]) -> Estimate {
    let sorted = |value: fn(&RunInfo) -> i64| {
        let mut values: Vec<i64> = runs.iter().map(value).collect();
        values.sort_unstable();
        values
    };
    let cost = sorted(|run| run.row.cost.0);
    let tokens = sorted(|run| i64::try_from(run.row.usage.total_tokens()).unwrap_or(i64::MAX));
    let elapsed = sorted(|run| run.updated_at.ms_since(run.created_at));
    let tokens = u64::try_from(at(&tokens, 50)).unwrap_or(0);
    Estimate::Median {
        runs: runs.len(),
        usd: Dollars(MicroUsd(at(&cost, 50))),
        usd_low: Dollars(MicroUsd(at(&cost, 10))),
        usd_high: Dollars(MicroUsd(at(&cost, 90))),
        bytes: tokens.saturating_mul(BYTES_PER_TOKEN),
        elapsed_ms: at(&elapsed, 50),
    }
}

/// The nearest-rank percentile of sorted values.
fn at(sorted: &[i64], percent: usize) -> i64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Every call of every turn at its largest, cut at the definition's limits.
fn at_most(definition: &Definition) -> Estimate {
    let (mut money, mut tokens) = (0_i64, 0_u64);
    let mut add = |step: &StepDef| {
        for turns in turns(step) {
            // Whoever of them costs most may give them all.
            let largest = turns.agents.iter().map(|agent| {
                let has_tools = tools_on(definition, step, agent).next().is_some();
                let calls = if turns.tools && has_tools {
                    TOOL_CALLS
                } else {
                    1
                };
                let calls = calls * u64::from(turns.count);
                let agent = definition.agents.get(agent.as_str());
                let (cost, size) = agent.map_or((MicroUsd::ZERO, 0), largest_call);
                let times = i64::try_from(calls).unwrap_or(i64::MAX);
                (cost.0.saturating_mul(times), size.saturating_mul(calls))
            });
            let (most, size) = largest.fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1)));
            money = money.saturating_add(most);
            tokens = tokens.saturating_add(size);
        }
    };
    definition
        .steps
        .iter()
        .for_each(|step| leaves(step, &mut add));
    let limits = definition.limits;
    let money = MicroUsd(money);
    let tokens = limits.tokens.map_or(tokens, |most| most.min(tokens));
    Estimate::Prices {
        usd_high: Dollars(limits.micro_usd.map_or(money, |most| most.min(money))),
        bytes: tokens.saturating_mul(BYTES_PER_TOKEN),
    }
}

/// Model calls of a turn that uses tools as long as it may.
const TOOL_CALLS: u64 = TOOL_ROUNDS_MAX as u64 + 1;

/// So many turns, each by one of these.
struct Turns<'a> {
    agents: &'a [String],
    count: u32,
    tools: bool,
}

fn turns(step: &StepDef) -> Vec<Turns<'_>> {
    let one = |agents, count, tools| Turns {
        agents,
        count,
        tools,
    };
    match &step.work {
        Work::Speak { agents } => agents.chunks(1).map(|agent| one(agent, 1, true)).collect(),
        Work::Chat(chat) => {
            let choices = match chat.select {
                Select::RoundRobin => 0,
                // Three tries to name the next speaker of each turn.
                Select::Selector => chat.max_round.saturating_mul(SELECT_ATTEMPTS_MAX),
            };
            let leads = choices + u32::from(chat.summary == Summary::Model);
            let leader = &chat.agents[..chat.agents.len().min(1)];
            vec![
                one(&chat.agents, chat.max_round, true),
                one(leader, leads, false),
            ]
        }
        Work::Parallel(_) | Work::Pinned { .. } => Vec::new(),
    }
}

/// What the longest call of an agent costs, and its tokens.
fn largest_call(agent: &AgentDef) -> (MicroUsd, u64) {
    let Some(model) = agent.models.first() else {
        return (MicroUsd::ZERO, 0);
    };
    let output = u64::from(agent.max_output_tokens.min(model.context_tokens));
    let input = u64::from(model.context_tokens).saturating_sub(output);
    let cost = model.price.cost(input, output).unwrap_or(MicroUsd::ZERO);
    (cost, input + output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_there() {
        let check = |values: &[i64], expected: [i64; 3]| {
            assert_eq!([10, 50, 90].map(|percent| at(values, percent)), expected);
        };
        check(&[1, 2, 3], [1, 2, 3]);
        check(&[1, 2, 3, 100], [1, 2, 100]);
        check(&(1..=100).collect::<Vec<_>>(), [10, 50, 90]);
    }
}
