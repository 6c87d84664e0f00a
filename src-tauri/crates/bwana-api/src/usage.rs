//! What each provider was asked and what it cost, read from the journals: every attempt counts, also broken ones.

use std::collections::{BTreeMap, HashMap};

use bwana_store::{RunFilter, Store};
use bwana_types::entry::{Body, Call, CallResult, Entry, Seq};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::message::Usage;
use bwana_types::money::MicroUsd;
use bwana_types::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::shape::Dollars;

const DAYS_DEFAULT: u32 = 30;
const DAYS_MAX: u32 = 3_660;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageRequest {
    /// Only this provider.
    #[serde(default)]
    pub name: Option<String>,
    /// So many days back from now; 30 if not said.
    #[serde(default)]
    pub days: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsageReport {
    pub days: u32,
    /// By provider and model, the most tokens first.
    pub lines: Vec<UsageLine>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsageLine {
    pub provider: String,
    pub model: String,
    /// Attempts with a whole answer.
    pub answered: u64,
    /// Attempts that failed, were cancelled, or were cut off by a crash.
    pub broken: u64,
    pub input_tokens: u64,
    /// Part of `input_tokens` that came from the provider's cache.
    pub cached_tokens: u64,
    pub output_tokens: u64,
    /// Part of `output_tokens` spent on reasoning.
    pub reasoning_tokens: u64,
    /// Some of the tokens are estimates, because an answer broke off or said nothing of them.
    pub estimated: bool,
    /// What is known of the cost.
    pub cost: Dollars,
    /// Attempts whose price nobody knows; their money is not in `cost`.
    pub unpriced: u64,
}

pub(crate) async fn usage(
    app: &App,
    _ctx: Ctx,
    request: UsageRequest,
) -> Result<UsageReport, ApiError> {
    let days = request.days.unwrap_or(DAYS_DEFAULT);
    if days == 0 || days > DAYS_MAX {
        let message = format!("usage is shown for 1 to {DAYS_MAX} days, not for {days}");
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    let since = Timestamp(app.clock().now().0 - i64::from(days) * DAY_MS);
    let mut sums = BTreeMap::new();
    if let Some(store) = app.maybe_store() {
        sum_runs(store, since, &mut sums)?;
    }
    let mut lines: Vec<UsageLine> = sums
        .into_values()
        .filter(|line| {
            request
                .name
                .as_ref()
                .is_none_or(|name| *name == line.provider)
        })
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.input_tokens + line.output_tokens));
    Ok(UsageReport { days, lines })
}

/// By provider and model.
type Sums = BTreeMap<(String, String), UsageLine>;

fn sum_runs(store: &Store, since: Timestamp, sums: &mut Sums) -> Result<(), ApiError> {
    let mut filter = RunFilter {
        hidden: true,
        ..RunFilter::default()
    };
    loop {
        let page = store.runs(&filter)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        filter.before = Some(last.id);
        for run in page.iter().filter(|run| run.updated_at >= since) {
            // What a fork shares with its parent was paid once, by the parent.
            let own = run.parent.map_or(0, |(_, shared)| shared);
            sum_run(&store.load(run.id)?, own, since, sums);
        }
    }
}

fn sum_run(entries: &[Entry], own: Seq, since: Timestamp, sums: &mut Sums) {
    let mut asked: HashMap<Seq, (String, String)> = HashMap::new();
    for entry in entries {
        let counts = entry.seq > own && entry.at >= since;
        let mut book = |call: &Seq, usage: &Usage, cost: Option<MicroUsd>, whole: bool| {
            if let Some(who) = asked.get(call)
                && counts
            {
                sums.entry(who.clone())
                    .or_insert_with(|| UsageLine::of(who))
                    .add(usage, cost, whole);
            }
        };
        match &entry.body {
            Body::CallIntended(intended) => {
                if let Call::Model(model) = &intended.call {
                    let who = (model.provider.clone(), model.model.clone());
                    asked.insert(entry.seq, who);
                }
            }
            Body::CallRetried(again) if !again.provider.is_empty() => {
                let who = (again.provider.clone(), again.model.clone());
                asked.insert(again.call, who);
            }
            Body::CallFinished(done) => {
                if let CallResult::Model(result) = &done.result {
                    book(&done.call, &result.usage, result.cost, true);
                }
            }
            Body::CallFailed(failed) => book(&failed.call, &failed.usage, failed.cost, false),
            Body::CallInterrupted(lost) => book(&lost.call, &lost.usage, lost.cost, false),
            _ => {}
        }
    }
}

impl UsageLine {
    fn of((provider, model): &(String, String)) -> Self {
        Self {
            provider: provider.clone(),
            model: model.clone(),
            ..Self::default()
        }
    }

    fn add(&mut self, usage: &Usage, cost: Option<MicroUsd>, whole: bool) {
        if whole {
            self.answered += 1;
        } else {
            self.broken += 1;
        }
        self.input_tokens += usage.input_tokens;
        self.cached_tokens += usage.cached_tokens;
        self.output_tokens += usage.output_tokens;
        self.reasoning_tokens += usage.reasoning_tokens;
        self.estimated |= usage.estimated;
        match cost {
            Some(cost) => self.cost = Dollars(self.cost.0.saturating_add(cost)),
            None => self.unpriced += 1,
        }
    }
}
