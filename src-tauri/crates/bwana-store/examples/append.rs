//! What an append costs: CPU and wall time of a batch, alone and among a hundred runs, and bytes of a thousand turns.
//! Run by hand in release: `cargo run --release -p bwana-store --example append`. Linux only: CPU time comes from
//! `/proc/self/task`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bwana_store::{Append, DATABASE_FILE, DayLimit, NewRun, RunRow, Store};
use bwana_types::definition::RunLimits;
use bwana_types::effect::EffectClass;
use bwana_types::entry::{
    Body, Call, CallFinished, CallIntended, CallResult, ChosenBy, Draft, Entry, MessagePosted,
    ModelCall, ModelResult, Purpose, Reserve, RunCreated, Seq, Speaker, SpeakerChosen, Window,
};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::message::{Part, Stop, Usage};
use bwana_types::money::MicroUsd;
use bwana_types::time::{Clock, Timestamp};

const START: Timestamp = Timestamp(1_764_072_000_000);
const BATCHES: u64 = 20_000;
const SLICES: u64 = 40;
const TURNS: u64 = 1_000;
const RUNS: u64 = 100;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        START
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    runtime.block_on(async {
        let spawned = tokio::spawn(measure());
        spawned.await?
    })
}

async fn measure() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let homes =
        ["alone", "priced", "inline", "many", "turns", "load"].map(|name| folder.path().join(name));
    let [alone, priced, inline, many, turns, load] = &homes;
    let store = Store::open_owner(alone, Arc::new(Fixed))?;
    report(
        "one run, batches of 4",
        BATCHES / SLICES,
        one_run(&store, RunId::new(id(1)), false).await?,
    );
    store.close().await?;
    let store = Store::open_owner(priced, Arc::new(Fixed))?;
    report(
        "one run, priced, with a day's limit",
        BATCHES / SLICES,
        one_run(&store, RunId::new(id(1)), true).await?,
    );
    store.close().await?;
    let store = Store::open_inline(inline, Arc::new(Fixed))?;
    report(
        "one run, inline",
        BATCHES / SLICES,
        one_run(&store, RunId::new(id(1)), false).await?,
    );
    store.close().await?;
    let store = Store::open_owner(many, Arc::new(Fixed))?;
    report(
        "100 runs at once, batches of 4",
        BATCHES,
        many_runs(&store).await?,
    );
    store.close().await?;
    thousand_turns(turns).await?;
    load_entries(load).await
}

/// Writes the batches of a chat and says what they took.
async fn one_run(store: &Store, run: RunId, priced: bool) -> Outcome<Taken> {
    create(store, run).await?;
    let mut seq = 1;
    let mut slices = Vec::new();
    for _ in 0..SLICES {
        let before = Taken::start();
        for _ in 0..BATCHES / SLICES {
            seq = batch(store, run, seq, priced).await?;
        }
        slices.push(before.until_now());
    }
    // The median of several: other programs of the machine spoil some.
    slices.sort_unstable_by_key(|slice| slice.cpu_ns);
    Ok(slices.swap_remove(slices.len() / 2))
}

async fn many_runs(store: &Store) -> Outcome<Taken> {
    for n in 0..RUNS {
        create(store, RunId::new(id(n))).await?;
    }
    let before = Taken::start();
    let tasks: Vec<_> = (0..RUNS)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut seq = 1;
                for _ in 0..BATCHES / RUNS {
                    seq = batch(&store, RunId::new(id(n)), seq, false).await?;
                }
                Outcome::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(before.until_now())
}

/// One batch of four small entries with the run's row.
async fn batch(store: &Store, run: RunId, seq: Seq, priced: bool) -> Outcome<Seq> {
    let bodies = vec![
        message(seq),
        speaker(),
        intended(if priced { 1_500 } else { 0 }),
        finished(seq + 3, "ok", if priced { 900 } else { 0 }),
    ];
    let mut row = RunRow::started(5);
    row.usage.input_tokens = seq * 400;
    row.step = Some(String::from("strategy"));
    let appended = store
        .append(Append {
            run,
            expected_seq: seq,
            entries: entries(seq, bodies),
            row: Some(row),
            day: priced.then(|| DayLimit {
                day: String::from("2025-11-25"),
                limit: MicroUsd(i64::MAX),
            }),
        })
        .await?;
    Ok(appended.entries.last().map_or(seq, |entry| entry.seq))
}

/// A chat as the engine writes it: two batches a turn, 400 bytes of answer.
async fn thousand_turns(home: &Path) -> Outcome<()> {
    let store = Store::open_owner(home, Arc::new(Fixed))?;
    let run = RunId::new(id(1));
    create(&store, run).await?;
    let empty = size(home)?;
    let mut seq = 1;
    let answer = "Nairobi's bakeries sell most before nine in the morning; ".repeat(7);
    for turn in 0..TURNS {
        let path = format!("strategy/r{}", turn + 1);
        let mut row = RunRow::started(5);
        row.usage.input_tokens = seq * 400;
        row.step = Some(String::from("strategy"));
        for bodies in [
            vec![speaker(), intended(1_500)],
            vec![finished(seq + 2, &answer, 900), message(seq + 2)],
        ] {
            let entries: Vec<Entry> = (seq + 1..)
                .zip(bodies)
                .map(|(seq, body)| Draft::new(path.as_str(), body).at(seq, at(seq)))
                .collect();
            let expected_seq = seq;
            seq += entries.len() as Seq;
            let day = Some(DayLimit {
                day: String::from("2025-11-25"),
                limit: MicroUsd(i64::MAX),
            });
            store
                .append(Append {
                    run,
                    expected_seq,
                    entries,
                    row: Some(row.clone()),
                    day,
                })
                .await?;
        }
    }
    store.close().await?;
    let bytes = size(home)? - empty.min(size(home)?);
    eprintln!(
        "{TURNS} turns, {} entries: {bytes} bytes, {} an entry, {} a turn of which {} are its text; file {}",
        seq - 1,
        bytes / (seq - 1),
        bytes / TURNS,
        answer.len(),
        size(home)?,
    );
    Ok(())
}

async fn load_entries(home: &Path) -> Outcome<()> {
    let store = Store::open_owner(home, Arc::new(Fixed))?;
    let run = RunId::new(id(1));
    create(&store, run).await?;
    let mut seq = 1;
    while seq < 10_000 {
        seq = batch(&store, run, seq, false).await?;
    }
    let mut times: Vec<u128> = Vec::new();
    for _ in 0..50 {
        let started = Instant::now();
        let loaded = store.load(run)?;
        times.push(started.elapsed().as_micros());
        assert_eq!(loaded.len() as Seq, seq);
    }
    times.sort_unstable();
    eprintln!(
        "load of {seq} entries: median {} us, p95 {} us",
        times[25], times[47]
    );
    store.close().await?;
    let mut opened: Vec<u128> = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let store = Store::open_owner(home, Arc::new(Fixed))?;
        opened.push(started.elapsed().as_micros());
        store.close().await?;
    }
    opened.sort_unstable();
    eprintln!(
        "open of an owner: median {} us, p95 {} us",
        opened[10], opened[18]
    );
    Ok(())
}

async fn create(store: &Store, run: RunId) -> Outcome<()> {
    let created = RunCreated {
        workflow: "market_expansion".into(),
        workflow_hash: Hash::of(b"workflow"),
        definition: Hash::of(b"{}"),
        input: "Open a bakery in Nairobi".into(),
        limits: RunLimits::default(),
        by: "local_cli".into(),
    };
    store
        .create_run(NewRun {
            id: run,
            definition: b"{}".to_vec(),
            workflow: "market_expansion".into(),
            entries: entries(0, vec![created.into()]),
            row: RunRow::started(5),
        })
        .await?;
    Ok(())
}

fn id(n: u64) -> uuid::Uuid {
    uuid::Builder::from_unix_timestamp_millis(
        1_764_072_000_000,
        &(u128::from(n) << 8).to_be_bytes()[6..]
            .try_into()
            .unwrap_or([0; 10]),
    )
    .into_uuid()
}

fn at(seq: Seq) -> Timestamp {
    Timestamp(START.0 + i64::try_from(seq).unwrap_or(0) * 250)
}

fn entries(seq: Seq, bodies: Vec<Body>) -> Vec<Entry> {
    (seq + 1..)
        .zip(bodies)
        .map(|(seq, body)| Draft::new("strategy/r12", body).at(seq, at(seq)))
        .collect()
}

fn speaker() -> Body {
    SpeakerChosen {
        agent: "business_intelligence".into(),
        by: ChosenBy::RoundRobin,
        answers: None,
    }
    .into()
}

fn message(call: Seq) -> Body {
    MessagePosted {
        from: Speaker::Agent("business_intelligence".into()),
        call: Some(call),
        text: None,
        said: None,
    }
    .into()
}

fn intended(micro_usd: i64) -> Body {
    CallIntended {
        call: Call::Model(ModelCall {
            agent: "business_intelligence".into(),
            purpose: Purpose::Turn,
            provider: "openai".into(),
            model: "gpt-5-mini".into(),
            max_output_tokens: 2_048,
            window: Window::default(),
        }),
        effect: EffectClass::Paid,
        reserve: Reserve {
            micro_usd: MicroUsd(micro_usd),
            tokens: 2_500,
            price_unknown: false,
        },
        input: Hash::of(b"prompt"),
        key: None,
    }
    .into()
}

fn finished(call: Seq, text: &str, micro_usd: i64) -> Body {
    CallFinished {
        call,
        result: CallResult::Model(ModelResult {
            parts: vec![Part::text(text)],
            stop: Stop::Done,
            usage: Usage {
                input_tokens: 1_412,
                output_tokens: 96,
                ..Usage::default()
            },
            cost: Some(MicroUsd(micro_usd)),
            response_id: None,
        }),
    }
    .into()
}

/// Bytes of the database and its log.
fn size(home: &Path) -> Outcome<u64> {
    let log = fs::metadata(home.join(format!("{DATABASE_FILE}-wal"))).map_or(0, |meta| meta.len());
    Ok(fs::metadata(home.join(DATABASE_FILE))?.len() + log)
}

/// Time of the wall and of all threads' CPU.
struct Taken {
    started: Instant,
    cpu_ns: u64,
    wall_ns: u64,
}

impl Taken {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            cpu_ns: cpu_ns(),
            wall_ns: 0,
        }
    }

    fn until_now(self) -> Self {
        Self {
            started: self.started,
            cpu_ns: cpu_ns() - self.cpu_ns,
            wall_ns: u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

fn cpu_ns() -> u64 {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return 0;
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn report(what: &str, batches: u64, taken: Taken) {
    eprintln!(
        "{what}: {:.1} us CPU, {:.1} us wall a batch",
        as_us(taken.cpu_ns, batches),
        as_us(taken.wall_ns, batches)
    );
}

#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
fn as_us(ns: u64, batches: u64) -> f64 {
    ns as f64 / 1_000.0 / batches as f64
}
