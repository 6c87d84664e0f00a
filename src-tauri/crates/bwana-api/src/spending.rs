//! What each day cost and who or what spent it. Money comes from the ledger, so that a day's sum here is the day's budget
//! there, to the millionth; calls and tokens come from the journals.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bwana_store::{CallSpent, RunFilter, RunInfo, Store};
use bwana_types::entry::{Body, Call, CallResult, Entry, ModelCall, Seq};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::RunId;
use bwana_types::message::Usage;
use bwana_types::money::MicroUsd;
use jiff::civil::Date;
use jiff::{ToSpan, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, time_zone};
use crate::command::Ctx;
use crate::shape::{Dollars, shown};

/// Days one report may span: a leap year.
pub const DAYS_MAX: i32 = 366;
/// Days it spans if none are said, today included.
const DAYS_DEFAULT: i32 = 30;
/// Runs it names.
const DEAREST_SHOWN: usize = 10;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpendingBy {
    #[default]
    Agent,
    /// As `PROVIDER/MODEL`.
    Model,
    Workflow,
    Provider,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpendingRequest {
    /// The first day, like `2026-11-25`, in the time zone of the settings; thirty days up to the last one if not said.
    #[serde(default)]
    pub from: Option<String>,
    /// The last day; today if not said.
    #[serde(default)]
    pub to: Option<String>,
    #[serde(default)]
    pub by: SpendingBy,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spending {
    pub from: String,
    pub to: String,
    pub today: String,
    /// The zone whose days these are.
    pub time_zone: String,
    pub by: SpendingBy,
    /// Oldest day first, within a day the dearest first. What spent nothing and called nothing is left out.
    pub rows: Vec<SpendingRow>,
    pub total: SpendingSums,
    /// Oldest first; days without a byte are left out.
    pub traffic: Vec<DayBytes>,
    /// The runs that cost the most on these days, without those a person removed from the lists.
    pub dearest: Vec<DearRun>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpendingRow {
    pub day: String,
    /// Slug of an agent or a workflow, name of a provider or a model; empty for what deleted runs cost.
    pub key: String,
    pub sums: SpendingSums,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpendingSums {
    /// What is known of the cost.
    pub cost: Dollars,
    /// Attempts that came to an end, also broken ones.
    pub calls: u64,
    /// Those of them whose price nobody knows; their money is not in `cost`.
    pub unpriced_calls: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Some of the tokens are estimates.
    pub estimated: bool,
}

/// Heard and sent over the network, as HTTP counts, without what stays on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DayBytes {
    pub day: String,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DearRun {
    pub run: RunId,
    pub title: String,
    pub workflow: String,
    /// On the days of the report.
    pub cost: Dollars,
    pub calls: u64,
    pub unpriced_calls: u64,
}

pub(crate) async fn report(
    app: &App,
    _ctx: Ctx,
    request: SpendingRequest,
) -> Result<Spending, ApiError> {
    let app = app.clone();
    // Whole journals are read, which takes longer than a runtime's thread should stand still.
    let done = tokio::task::spawn_blocking(move || read(&app, &request)).await;
    done.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?
}

fn read(app: &App, request: &SpendingRequest) -> Result<Spending, ApiError> {
    let zone = time_zone(&app.settings());
    let today = app.clock().now().day_in(&zone);
    let (from, to) = days(request, &today)?;
    let mut report = Spending {
        from,
        to,
        today,
        time_zone: zone,
        by: request.by,
        rows: Vec::new(),
        total: SpendingSums::default(),
        traffic: Vec::new(),
        dearest: Vec::new(),
    };
    let Some(store) = app.maybe_store() else {
        return Ok(report);
    };
    let spent = store.calls_spent(&report.from, &report.to)?;
    let mut sheet = Sheet::default();
    let mut money: HashMap<RunId, Vec<CallSpent>> = HashMap::new();
    for spent in spent {
        match spent.run {
            Some(run) => money.entry(run).or_default().push(spent),
            None => sheet.pay(&spent.day, "", spent.settled),
        }
    }
    let mut dearest = Vec::new();
    for run in runs_between(store, &report)? {
        let spent = money.remove(&run.id).unwrap_or_default();
        let sums = sheet.add_run(store, &run, &spent, &report)?;
        if !run.hidden && sums.cost.0 > MicroUsd::ZERO {
            dearest.push(dear(run, &sums));
        }
    }
    // Of a run whose days were others when it was made: the zone has changed meanwhile.
    for (run, spent) in money {
        sheet.add_run(store, &store.run(run)?, &spent, &report)?;
    }
    dearest.sort_by_key(|run| std::cmp::Reverse((run.cost, run.run)));
    dearest.truncate(DEAREST_SHOWN);
    report.dearest = dearest;
    report.traffic = traffic(app, store, &report)?;
    (report.rows, report.total) = sheet.finish();
    Ok(report)
}

fn dear(run: RunInfo, sums: &SpendingSums) -> DearRun {
    DearRun {
        run: run.id,
        title: run.title,
        workflow: run.workflow,
        cost: sums.cost,
        calls: sums.calls,
        unpriced_calls: sums.unpriced_calls,
    }
}

/// The first and the last day, each as it is written in the ledger.
fn days(request: &SpendingRequest, today: &str) -> Result<(String, String), ApiError> {
    let to = day(request.to.as_deref().unwrap_or(today))?;
    let from = match &request.from {
        Some(from) => day(from)?,
        None => to.saturating_sub((DAYS_DEFAULT - 1).days()),
    };
    let span = from
        .until((Unit::Day, to))
        .map_err(|error| ApiError::new(ErrorCode::UsageInvalid, error.to_string()))?
        .get_days();
    if !(0..DAYS_MAX).contains(&span) {
        let message = format!(
            "a report spans 1 to {DAYS_MAX} days; {from} to {to} is {}",
            if span < 0 {
                String::from("none")
            } else {
                (span + 1).to_string()
            }
        );
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    Ok((from.to_string(), to.to_string()))
}

fn day(text: &str) -> Result<Date, ApiError> {
    text.parse::<Date>()
        .ok()
        .filter(|date| date.year() > 0 && date.to_string() == text)
        .ok_or_else(|| {
            let message = format!("'{}' is not a day; it looks like 2026-11-25", shown(text));
            ApiError::new(ErrorCode::UsageInvalid, message)
        })
}

/// Every run that was made before the end of the report and worked on after its beginning.
fn runs_between(store: &Store, report: &Spending) -> Result<Vec<RunInfo>, ApiError> {
    let mut filter = RunFilter {
        hidden: true,
        ..RunFilter::default()
    };
    let mut found = Vec::new();
    loop {
        let page = store.runs(&filter)?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        filter.before = Some(last.id);
        found.extend(page.into_iter().filter(|run| {
            run.updated_at.day_in(&report.time_zone) >= report.from
                && run.created_at.day_in(&report.time_zone) <= report.to
        }));
    }
}

/// What is written, and of today what is counted.
fn traffic(app: &App, store: &Store, report: &Spending) -> Result<Vec<DayBytes>, ApiError> {
    let mut days: BTreeMap<String, _> = store
        .traffic_of_days(&report.from, &report.to)?
        .into_iter()
        .collect();
    if (&report.from..=&report.to).contains(&&report.today) {
        let counted = app.meter().today(store, &report.today)?;
        days.insert(report.today.clone(), counted);
    }
    let days = days.into_iter().map(|(day, bytes)| DayBytes {
        day,
        bytes_in: bytes.received,
        bytes_out: bytes.sent,
    });
    Ok(days
        .filter(|day| day.bytes_in > 0 || day.bytes_out > 0)
        .collect())
}

/// The sums so far, by day and key.
#[derive(Default)]
struct Sheet {
    days: BTreeMap<String, BTreeMap<String, SpendingSums>>,
}

impl Sheet {
    fn at(&mut self, day: &str, key: &str) -> &mut SpendingSums {
        let day = self.days.entry(day.to_owned()).or_default();
        day.entry(key.to_owned()).or_default()
    }

    fn pay(&mut self, day: &str, key: &str, amount: MicroUsd) {
        if amount > MicroUsd::ZERO {
            self.at(day, key).pay(amount);
        }
    }

    /// Books one run; what it comes to.
    fn add_run(
        &mut self,
        store: &Store,
        run: &RunInfo,
        spent: &[CallSpent],
        report: &Spending,
    ) -> Result<SpendingSums, ApiError> {
        let attempts = attempts(store, run, &report.time_zone)?;
        let mut sums = SpendingSums::default();
        for attempt in &attempts {
            if (&report.from..=&report.to).contains(&&attempt.day) {
                sums.count(attempt);
                let key = attempt.key(run, report.by);
                self.at(&attempt.day, &key).count(attempt);
            }
        }
        for spent in spent {
            sums.pay(spent.settled);
            self.share(run, spent, &attempts, report.by);
        }
        Ok(sums)
    }

    /// Gives a call's money to the attempts it was for. Mostly there is one; of several, each gets what it is known to
    /// have cost, and the last one the rest: together they get what the ledger says.
    fn share(&mut self, run: &RunInfo, spent: &CallSpent, attempts: &[Attempt], by: SpendingBy) {
        let of_call = |attempt: &&Attempt| attempt.call == spent.call;
        let mut of: Vec<&Attempt> = attempts
            .iter()
            .filter(of_call)
            .filter(|attempt| attempt.day == spent.day)
            .collect();
        if of.is_empty() {
            of = attempts.iter().filter(of_call).collect();
        }
        let Some((last, before)) = of.split_last() else {
            // No call to a model is known to have cost this.
            let key = if by == SpendingBy::Workflow {
                run.workflow.as_str()
            } else {
                ""
            };
            return self.pay(&spent.day, key, spent.settled);
        };
        let mut left = spent.settled;
        for attempt in before {
            let own = attempt.cost.unwrap_or_default().min(left);
            self.pay(&spent.day, &attempt.key(run, by), own);
            left = left.saturating_sub(own);
        }
        self.pay(&spent.day, &last.key(run, by), left);
    }

    fn finish(self) -> (Vec<SpendingRow>, SpendingSums) {
        let mut total = SpendingSums::default();
        let mut rows = Vec::new();
        for (day, keys) in self.days {
            let from = rows.len();
            rows.extend(keys.into_iter().map(|(key, sums)| {
                total.add(&sums);
                SpendingRow {
                    day: day.clone(),
                    key,
                    sums,
                }
            }));
            rows[from..].sort_by_key(|row| std::cmp::Reverse(row.sums.cost));
        }
        (rows, total)
    }
}

impl SpendingSums {
    fn pay(&mut self, amount: MicroUsd) {
        self.cost = Dollars(self.cost.0.saturating_add(amount));
    }

    fn count(&mut self, attempt: &Attempt) {
        self.calls += 1;
        self.unpriced_calls += u64::from(attempt.cost.is_none());
        self.input_tokens += attempt.usage.input_tokens;
        self.output_tokens += attempt.usage.output_tokens;
        self.estimated |= attempt.usage.estimated;
    }

    fn add(&mut self, other: &Self) {
        self.pay(other.cost.0);
        self.calls += other.calls;
        self.unpriced_calls += other.unpriced_calls;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.estimated |= other.estimated;
    }
}

/// One answer of a model, whole or broken.
struct Attempt {
    call: Seq,
    /// The day it was sent on, which is the one that held its money back.
    day: String,
    model: Arc<ModelCall>,
    usage: Usage,
    cost: Option<MicroUsd>,
}

impl Attempt {
    fn key(&self, run: &RunInfo, by: SpendingBy) -> String {
        match by {
            SpendingBy::Agent => self.model.agent.clone(),
            SpendingBy::Model => format!("{}/{}", self.model.provider, self.model.model),
            SpendingBy::Workflow => run.workflow.clone(),
            SpendingBy::Provider => self.model.provider.clone(),
        }
    }
}

/// The attempts of a run's own calls. What a fork shares with its parent was paid once, by the parent.
fn attempts(store: &Store, run: &RunInfo, zone: &str) -> Result<Vec<Attempt>, ApiError> {
    let mut sent: HashMap<Seq, (String, Arc<ModelCall>)> = HashMap::new();
    let mut found = Vec::new();
    for entry in store.call_entries(run.id)? {
        let day = || entry.at.day_in(zone);
        let (call, usage, cost) = match entry.body {
            Body::CallIntended(intended) => {
                if let Call::Model(model) = intended.call {
                    sent.insert(entry.seq, (day(), Arc::new(model)));
                }
                continue;
            }
            Body::CallRetried(again) => {
                let before = match sent.remove(&again.call) {
                    Some((_, model)) => Some(model),
                    None => shared_call(store, run, again.call)?,
                };
                if let Some(mut model) = before {
                    if !again.provider.is_empty() {
                        let next = Arc::make_mut(&mut model);
                        (next.provider, next.model) = (again.provider, again.model);
                    }
                    sent.insert(again.call, (day(), model));
                }
                continue;
            }
            Body::CallFinished(done) => match done.result {
                CallResult::Model(result) => (done.call, result.usage, result.cost),
                CallResult::Tool(_) => continue,
            },
            Body::CallFailed(failed) => (failed.call, failed.usage, failed.cost),
            Body::CallInterrupted(lost) => (lost.call, lost.usage, lost.cost),
            _ => continue,
        };
        let asked = match sent.get(&call) {
            Some((day, model)) => Some((day.clone(), Arc::clone(model))),
            // A fork may begin between a question and its answer.
            None => shared_call(store, run, call)?.map(|model| (day(), model)),
        };
        if let Some((day, model)) = asked {
            found.push(Attempt {
                call,
                day,
                model,
                usage,
                cost,
            });
        }
    }
    Ok(found)
}

/// A call to a model that a fork shares with its parent.
fn shared_call(
    store: &Store,
    run: &RunInfo,
    call: Seq,
) -> Result<Option<Arc<ModelCall>>, ApiError> {
    if run.parent.is_none_or(|(_, shared)| call > shared) {
        return Ok(None);
    }
    let entry: Option<Entry> = store.entries(run.id, call, 1)?.pop();
    Ok(match entry.map(|entry| entry.body) {
        Some(Body::CallIntended(intended)) => match intended.call {
            Call::Model(model) => Some(Arc::new(model)),
            Call::Tool(_) => None,
        },
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: Option<&str>, to: Option<&str>) -> Result<(String, String), ErrorCode> {
        let request = SpendingRequest {
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            by: SpendingBy::Agent,
        };
        days(&request, "2026-11-25").map_err(|error| error.code)
    }

    #[test]
    fn thirty_days_up_to_today_are_shown_unless_others_are_asked_for() {
        let pair = |from: &str, to: &str| Ok((from.to_owned(), to.to_owned()));
        assert_eq!(asked(None, None), pair("2026-10-27", "2026-11-25"));
        assert_eq!(
            asked(None, Some("2026-03-01")),
            pair("2026-01-31", "2026-03-01")
        );
        assert_eq!(
            asked(Some("2026-11-25"), None),
            pair("2026-11-25", "2026-11-25")
        );
        assert_eq!(
            asked(Some("2024-01-01"), Some("2024-12-31")),
            pair("2024-01-01", "2024-12-31")
        );
    }

    #[test]
    fn days_that_are_none_too_many_or_the_wrong_way_round_are_refused() {
        for (from, to) in [
            ("2026-11-26", "2026-11-25"),
            ("2024-01-01", "2025-01-01"),
            ("2026-02-29", "2026-03-01"),
            ("20261101", "2026-11-25"),
            ("2026-11-01T00:00", "2026-11-25"),
            ("-002026-11-01", "2026-11-25"),
            ("", "2026-11-25"),
        ] {
            assert_eq!(
                asked(Some(from), Some(to)),
                Err(ErrorCode::UsageInvalid),
                "{from} {to}"
            );
        }
    }
}
