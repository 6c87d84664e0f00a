//! The report of what each day cost, against the ledger, the runs' rows and a plain sum of what was written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bwana_api::command::{UsageReport, UsageToday};
use bwana_api::definitions::Nothing;
use bwana_api::spending::{DAYS_MAX, Spending, SpendingBy, SpendingRequest};
use bwana_api::{App, Mode};
use bwana_store::{Append, DayLimit, NewFork, NewRun, RunRow, Store};
use bwana_testkit::ManualClock;
use bwana_types::definition::RunLimits;
use bwana_types::effect::EffectClass;
use bwana_types::entry::{
    Body, Call, CallError, CallErrorClass, CallFailed, CallFinished, CallIntended, CallResult,
    CallRetried, Draft, Entry, ModelCall, ModelResult, Purpose, Reserve, RunCreated, RunEnded,
    RunForked, Seq, Window,
};
use bwana_types::error::ErrorCode;
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::message::{Part, Stop, Usage};
use bwana_types::money::MicroUsd;
use bwana_types::status::{RunStatus, StopReason};
use bwana_types::time::{Clock, Timestamp};
use bwana_types::traffic::Bytes;
use proptest::prelude::*;

use crate::common::{Home, call};

const ZONE: &str = "Africa/Nairobi";
const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How far back the runs of a test begin.
const DAYS_BACK: i64 = 40;
const DEFINITION: &[u8] = br#"{"workflow":"notes"}"#;
const WORKFLOWS: [&str; 2] = ["notes", "prices"];
const AGENTS: [&str; 2] = ["writer", "seller"];
const MODELS: [(&str, &str); 3] = [("near", "small"), ("near", "large"), ("far", "small")];

/// One answer: at which model, after how long, and what it cost in millionths of a dollar.
#[derive(Debug, Clone)]
struct Answer {
    model: usize,
    wait_ms: i64,
    cost: Option<i64>,
}

/// A call and its attempts; the last one is whole, the others broke.
#[derive(Debug, Clone)]
struct Asked {
    agent: usize,
    answers: Vec<Answer>,
}

#[derive(Debug, Clone)]
struct Story {
    workflow: usize,
    begins_ms_ago: i64,
    asked: Vec<Asked>,
}

fn stories() -> impl Strategy<Value = Vec<Story>> {
    let cost =
        prop_oneof![1 => Just(None), 1 => Just(Some(0)), 4 => (1..400_000_i64).prop_map(Some)];
    let answer =
        (0..MODELS.len(), 0..9 * HOUR_MS, cost).prop_map(|(model, wait_ms, cost)| Answer {
            model,
            wait_ms,
            cost,
        });
    let asked = (0..AGENTS.len(), prop::collection::vec(answer, 1..4))
        .prop_map(|(agent, answers)| Asked { agent, answers });
    let story = (
        0..WORKFLOWS.len(),
        2 * HOUR_MS..DAYS_BACK * DAY_MS,
        prop::collection::vec(asked, 0..5),
    );
    let story = story.prop_map(|(workflow, begins_ms_ago, asked)| Story {
        workflow,
        begins_ms_ago,
        asked,
    });
    prop::collection::vec(story, 1..8)
}

/// What was written, summed up in the plainest way.
#[derive(Debug, Default)]
struct Plain {
    cost: MicroUsd,
    calls: u64,
    unpriced: u64,
    input: u64,
    by_agent: BTreeMap<String, MicroUsd>,
    by_model: BTreeMap<String, MicroUsd>,
    by_workflow: BTreeMap<String, MicroUsd>,
    by_provider: BTreeMap<String, MicroUsd>,
}

impl Plain {
    fn add(&mut self, story: &Story, asked: &Asked, answer: &Answer) {
        let cost = MicroUsd(answer.cost.unwrap_or(0));
        let (provider, model) = MODELS[answer.model];
        self.cost = self.cost.saturating_add(cost);
        self.calls += 1;
        self.unpriced += u64::from(answer.cost.is_none());
        self.input += INPUT_TOKENS;
        for (sums, key) in [
            (&mut self.by_agent, AGENTS[asked.agent].to_owned()),
            (&mut self.by_model, format!("{provider}/{model}")),
            (&mut self.by_workflow, WORKFLOWS[story.workflow].to_owned()),
            (&mut self.by_provider, provider.to_owned()),
        ] {
            let sum = sums.entry(key).or_default();
            *sum = sum.saturating_add(cost);
        }
    }
}

const INPUT_TOKENS: u64 = 412;

fn run_id(n: usize) -> RunId {
    RunId::derived(Timestamp(0), &[b"spending", &n.to_le_bytes()])
}

fn usage() -> Usage {
    Usage {
        input_tokens: INPUT_TOKENS,
        output_tokens: 96,
        ..Usage::default()
    }
}

fn reserve(answer: &Answer) -> Reserve {
    Reserve {
        // More than it will cost, and nothing where nothing can be known.
        micro_usd: MicroUsd(answer.cost.map_or(0, |cost| cost * 2)),
        tokens: 2_500,
        price_unknown: answer.cost.is_none(),
    }
}

fn created(workflow: &str) -> Body {
    RunCreated {
        workflow: workflow.into(),
        workflow_hash: Hash::of(b"workflow"),
        definition: Hash::of(DEFINITION),
        input: "Bread for Kisumu".into(),
        limits: RunLimits::default(),
        by: "local_cli".into(),
    }
    .into()
}

fn intended(agent: &str, answer: &Answer) -> Body {
    let (provider, model) = MODELS[answer.model];
    CallIntended {
        call: Call::Model(ModelCall {
            agent: agent.into(),
            purpose: Purpose::Turn,
            provider: provider.into(),
            model: model.into(),
            max_output_tokens: 2_048,
            window: Window::default(),
        }),
        effect: EffectClass::Paid,
        reserve: reserve(answer),
        input: Hash::of(b"prompt"),
        key: None,
    }
    .into()
}

fn retried(call: Seq, attempt: usize, answer: &Answer) -> Body {
    let (provider, model) = MODELS[answer.model];
    CallRetried {
        call,
        attempt: u32::try_from(attempt).unwrap(),
        reserve: reserve(answer),
        provider: provider.into(),
        model: model.into(),
    }
    .into()
}

fn answered(call: Seq, answer: &Answer) -> Body {
    CallFinished {
        call,
        result: CallResult::Model(ModelResult {
            parts: vec![Part::text("An answer.")],
            stop: Stop::Done,
            usage: usage(),
            cost: answer.cost.map(MicroUsd),
            response_id: None,
        }),
    }
    .into()
}

fn broken(call: Seq, answer: &Answer, again: Timestamp) -> Body {
    CallFailed {
        call,
        error: CallError {
            class: CallErrorClass::Cancelled,
            message: "x".into(),
            status: None,
            request_id: None,
        },
        partial: None,
        usage: usage(),
        cost: answer.cost.map(MicroUsd),
        retry_at: Some(again),
        next_model: true,
    }
    .into()
}

/// A run on its way into the store, one entry a batch as the engine writes them: a day only where money is held back.
struct Writer<'a> {
    store: &'a Store,
    run: RunId,
    seq: Seq,
    at: Timestamp,
    row: RunRow,
}

impl Writer<'_> {
    async fn write(&mut self, body: Body) -> Seq {
        let holds_back = match &body {
            Body::CallIntended(intended) => intended.reserve.micro_usd > MicroUsd::ZERO,
            Body::CallRetried(retried) => retried.reserve.micro_usd > MicroUsd::ZERO,
            _ => false,
        };
        let entry: Entry = Draft::new("", body).at(self.seq + 1, self.at);
        let batch = Append {
            run: self.run,
            expected_seq: self.seq,
            entries: vec![entry],
            row: Some(self.row.clone()),
            day: holds_back.then(|| DayLimit {
                day: self.at.day_in(ZONE),
                limit: MicroUsd(i64::MAX),
            }),
        };
        self.store.append(batch).await.unwrap();
        self.seq += 1;
        self.seq
    }

    fn pay(&mut self, answer: &Answer) {
        let cost = MicroUsd(answer.cost.unwrap_or(0));
        self.row.cost = self.row.cost.saturating_add(cost);
        self.row.cost_unknown |= answer.cost.is_none();
    }
}

/// Writes a story; what its row says it cost.
async fn tell(
    store: &Store,
    n: usize,
    story: &Story,
    now: Timestamp,
    plain: &mut Plain,
) -> MicroUsd {
    let begins = Timestamp(now.0 - story.begins_ms_ago);
    let workflow = WORKFLOWS[story.workflow];
    let new = NewRun {
        id: run_id(n),
        definition: DEFINITION.to_vec(),
        workflow: workflow.into(),
        entries: vec![Draft::new("", created(workflow)).at(1, begins)],
        row: RunRow::started(1),
    };
    store.create_run(new).await.unwrap();
    let mut run = Writer {
        store,
        run: run_id(n),
        seq: 1,
        at: begins,
        row: RunRow::started(1),
    };
    for asked in &story.asked {
        let mut open = None;
        for (at, answer) in asked.answers.iter().enumerate() {
            let begun = match open {
                None => run.write(intended(AGENTS[asked.agent], answer)).await,
                Some(call) => {
                    run.write(retried(call, at + 1, answer)).await;
                    call
                }
            };
            open = Some(begun);
            run.at = Timestamp((run.at.0 + answer.wait_ms).min(now.0));
            run.pay(answer);
            plain.add(story, asked, answer);
            let is_last = at + 1 == asked.answers.len();
            let told = if is_last {
                answered(begun, answer)
            } else {
                broken(begun, answer, run.at)
            };
            run.write(told).await;
        }
    }
    run.row.status = RunStatus::Done;
    let reason = StopReason::Completed;
    run.write(RunEnded { reason }.into()).await;
    run.row.cost
}

fn home() -> Home {
    let home = Home::new();
    let settings = std::fs::read_to_string(home.path().join("settings.toml")).unwrap();
    let with_zone = format!("time_zone = \"{ZONE}\"\n{settings}");
    home.file("settings.toml", &with_zone);
    home
}

fn owner(home: &Home) -> Store {
    Store::open_owner(&home.path(), Arc::new(ManualClock::default())).unwrap()
}

async fn report(app: &App, request: SpendingRequest) -> Spending {
    call::<UsageReport>(app, request).await.unwrap()
}

fn last_days(now: Timestamp, by: SpendingBy) -> SpendingRequest {
    SpendingRequest {
        from: Some(Timestamp(now.0 - (DAYS_BACK + 1) * DAY_MS).day_in(ZONE)),
        to: None,
        by,
    }
}

fn sums(report: &Spending) -> BTreeMap<String, MicroUsd> {
    let mut sums: BTreeMap<String, MicroUsd> = BTreeMap::new();
    for row in &report.rows {
        let sum = sums.entry(row.key.clone()).or_default();
        *sum = sum.saturating_add(row.sums.cost.0);
    }
    sums
}

/// The days of `report` are those of the ledger, and its total is that of its rows.
async fn check_days(app: &App, store: &Store, report: &Spending) {
    let mut days: BTreeMap<&str, MicroUsd> = BTreeMap::new();
    for row in &report.rows {
        let sum = days.entry(&row.day).or_default();
        *sum = sum.saturating_add(row.sums.cost.0);
    }
    for (day, sum) in &days {
        assert_eq!(*sum, store.day_spent(day).unwrap().settled, "{day}");
    }
    let today = call::<UsageToday>(app, Nothing {}).await.unwrap();
    let here = days.get(today.day.as_str()).copied().unwrap_or_default();
    assert_eq!(here, today.spent.0);
    let all = days
        .values()
        .fold(MicroUsd::ZERO, |sum, day| sum.saturating_add(*day));
    assert_eq!(all, report.total.cost.0);
}

async fn check(stories: &[Story]) {
    let home = home();
    let now = ManualClock::default().now();
    let (mut plain, mut rows) = (Plain::default(), MicroUsd::ZERO);
    let store = owner(&home);
    for (n, story) in stories.iter().enumerate() {
        let cost = tell(&store, n, story, now, &mut plain).await;
        rows = rows.saturating_add(cost);
    }
    store.close().await.unwrap();
    let app = home.open(Mode::Read);
    let store = Store::open_reader(&home.path(), Arc::new(ManualClock::default())).unwrap();
    for (by, expected) in [
        (SpendingBy::Agent, &plain.by_agent),
        (SpendingBy::Model, &plain.by_model),
        (SpendingBy::Workflow, &plain.by_workflow),
        (SpendingBy::Provider, &plain.by_provider),
    ] {
        let report = report(&app, last_days(now, by)).await;
        check_days(&app, &store, &report).await;
        assert_eq!(&sums(&report), expected, "{by:?}");
        let total = &report.total;
        assert_eq!((total.cost.0, total.cost.0), (plain.cost, rows), "{by:?}");
        let counted = (total.calls, total.unpriced_calls, total.input_tokens);
        assert_eq!(counted, (plain.calls, plain.unpriced, plain.input));
        let dearest: Vec<_> = report.dearest.iter().map(|run| run.cost).collect();
        assert!(dearest.is_sorted_by(|a, b| a >= b), "{dearest:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn sums_are_those_of_the_ledger_of_the_runs_and_of_what_was_written(stories in stories()) {
        tokio::runtime::Runtime::new().unwrap().block_on(check(&stories));
    }
}

/// `cost` in millionths, `ago` in hours.
fn one_call(workflow: usize, ago: i64, cost: i64) -> Story {
    let answer = Answer {
        model: 0,
        wait_ms: 1_000,
        cost: Some(cost),
    };
    Story {
        workflow,
        begins_ms_ago: ago * HOUR_MS,
        asked: vec![Asked {
            agent: 0,
            answers: vec![answer],
        }],
    }
}

#[tokio::test]
async fn money_of_deleted_runs_stays_spent_and_removed_ones_are_not_named() {
    let home = home();
    let now = ManualClock::default().now();
    let store = owner(&home);
    let mut plain = Plain::default();
    for (n, cost) in [700, 300, 200].into_iter().enumerate() {
        tell(&store, n, &one_call(0, 3, cost), now, &mut plain).await;
    }
    store.delete_run(run_id(0)).await.unwrap();
    store.hide_run(run_id(1), true).await.unwrap();
    store.close().await.unwrap();
    let app = home.open(Mode::Read);
    let report = report(&app, last_days(now, SpendingBy::Agent)).await;
    let sums = sums(&report);
    assert_eq!(sums[""], MicroUsd(700));
    assert_eq!(sums["writer"], MicroUsd(500));
    assert_eq!(report.total.calls, 2);
    let named: Vec<RunId> = report.dearest.iter().map(|run| run.run).collect();
    assert_eq!(named, [run_id(2)]);
}

#[tokio::test]
async fn a_fork_pays_for_its_own_calls_only() {
    let home = home();
    let now = ManualClock::default().now();
    let store = owner(&home);
    let mut plain = Plain::default();
    tell(&store, 0, &one_call(0, 3, 700), now, &mut plain).await;
    // Shared up to the question; the answer is the fork's own.
    let forked = RunForked {
        parent: run_id(0),
        at: 2,
        run: run_id(1),
        by: "local_cli".into(),
    };
    let new = NewFork {
        id: run_id(1),
        parent: run_id(0),
        fork_seq: 2,
        entries: vec![Draft::new("", forked).at(3, now)],
        row: RunRow::started(1),
    };
    store.create_fork(new).await.unwrap();
    let mut run = Writer {
        store: &store,
        run: run_id(1),
        seq: 3,
        at: now,
        row: RunRow::started(1),
    };
    let again = Answer {
        model: 2,
        wait_ms: 0,
        cost: Some(90),
    };
    run.write(retried(2, 2, &again)).await;
    run.write(answered(2, &again)).await;
    store.close().await.unwrap();
    let app = home.open(Mode::Read);
    let by_model = report(&app, last_days(now, SpendingBy::Model)).await;
    let expected = [("far/small", 90), ("near/small", 700)];
    let expected = expected.map(|(key, cost)| (key.to_owned(), MicroUsd(cost)));
    assert_eq!(sums(&by_model), BTreeMap::from(expected));
    let by_agent = report(&app, last_days(now, SpendingBy::Agent)).await;
    assert_eq!(sums(&by_agent)["writer"], MicroUsd(790));
}

#[tokio::test]
async fn days_are_those_of_the_zone_and_only_the_ones_asked_for() {
    let home = home();
    let clock = ManualClock::default();
    let now = clock.now();
    let today = now.day_in(ZONE);
    let yesterday = Timestamp(now.0 - DAY_MS).day_in(ZONE);
    let store = owner(&home);
    let mut plain = Plain::default();
    tell(&store, 0, &one_call(0, 24, 700), now, &mut plain).await;
    tell(&store, 1, &one_call(1, 2, 300), now, &mut plain).await;
    let bytes = |received, sent| Bytes { received, sent };
    store
        .set_day_traffic(&yesterday, bytes(900, 80))
        .await
        .unwrap();
    store.set_day_traffic(&today, bytes(5, 0)).await.unwrap();
    store.close().await.unwrap();
    let app = home.open(Mode::Read);
    let asked = |from: &str, to: &str| SpendingRequest {
        from: Some(from.to_owned()),
        to: Some(to.to_owned()),
        by: SpendingBy::Workflow,
    };
    let both = report(&app, asked(&yesterday, &today)).await;
    let days: Vec<_> = both
        .rows
        .iter()
        .map(|row| (row.day.as_str(), row.key.as_str()))
        .collect();
    assert_eq!(
        days,
        [(yesterday.as_str(), "notes"), (today.as_str(), "prices")]
    );
    let told: Vec<_> = both
        .traffic
        .iter()
        .map(|day| (day.bytes_in, day.bytes_out))
        .collect();
    assert_eq!(told, [(900, 80), (5, 0)]);
    let first = report(&app, asked(&yesterday, &yesterday)).await;
    assert_eq!(first.total.cost.0, MicroUsd(700));
    assert_eq!(
        (first.rows.len(), first.traffic.len(), first.dearest.len()),
        (1, 1, 1)
    );
    let none = report(&app, asked("2020-01-01", "2020-12-31")).await;
    assert_eq!((none.rows.len(), none.total.calls), (0, 0));
    for (from, to) in [
        ("2020-01-01", "2021-01-01"),
        (&*today, &*yesterday),
        ("now", &*today),
    ] {
        let refused = call::<UsageReport>(&app, asked(from, to)).await;
        assert_eq!(
            refused.unwrap_err().code,
            ErrorCode::UsageInvalid,
            "{from} {to}"
        );
    }
    assert_eq!(DAYS_MAX, 366);
}

/// As many runs as the busy fixture has.
const MANY_RUNS: usize = 2_009;

#[tokio::test]
async fn a_report_of_many_runs_says_how_long_it_took() {
    let home = home();
    let now = ManualClock::default().now();
    let store = owner(&home);
    let mut plain = Plain::default();
    for n in 0..MANY_RUNS {
        let ago = i64::try_from(MANY_RUNS - n).unwrap() / 4 + 2;
        tell(&store, n, &one_call(n % 2, ago, 150), now, &mut plain).await;
    }
    store.close().await.unwrap();
    let app = home.open(Mode::Read);
    for _ in 0..2 {
        let began = Instant::now();
        let report = report(&app, last_days(now, SpendingBy::Agent)).await;
        println!("{MANY_RUNS} runs: {:?}", began.elapsed());
        assert_eq!(report.total.calls, u64::try_from(MANY_RUNS).unwrap());
    }
}
