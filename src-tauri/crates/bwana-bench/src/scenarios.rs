//! The rows of the table, one function each.

use std::time::{Duration, Instant};

use anyhow::Context;
use bwana_engine::RunEvent;
use bwana_types::entry::Body;
use serde_json::{Value, json};

use crate::cost::Meter;
use crate::process::{kill, runtime, start};
use crate::world::{Server, World, chat, steps};
use crate::{llm, local, search};

type Scenario = fn() -> anyhow::Result<Value>;

pub(crate) const ALL: &[(&str, Scenario)] = &[
    ("turn", turn),
    ("step", step),
    ("tool", tool),
    ("concurrent", concurrent),
    ("late_turn", late_turn),
    ("store", store),
    ("kill", kill),
    ("start", start),
    ("resume", resume),
    ("llm_call", llm::call),
    ("llm_deltas", llm::deltas),
    ("llm_history", llm::history),
    ("llm_wire", llm::wire),
    ("local", local::local),
    ("search", search::search),
];

/// About 400 bytes, as an agent's short answer has.
const ANSWER: &str = "The shop sells bread and cakes on the main road near the market, opens at six in the morning and \
closes at seven in the evening. Most customers pay with mobile money. Flour comes from a mill twice a week, and the oven \
burns gas. The owner wants an online order page, a small accounting book, a list of suppliers, and a way to answer \
questions on the phone without leaving the oven alone.";

fn turn() -> anyhow::Result<Value> {
    const ROUNDS: u32 = 40;
    const CHATS: u32 = 20;
    let server = Server::start(&["--fixed", ANSWER])?;
    runtime()?.block_on(async {
        let home = tempfile::tempdir()?;
        let world = World::open(home.path(), &server.url)?;
        world.run(&chat(ROUNDS, false)).await?;
        let meter = Meter::start();
        for _ in 0..CHATS {
            world.run(&chat(ROUNDS, false)).await?;
        }
        let (cpu, wall) = meter.read().per(ROUNDS * CHATS);
        Ok(json!({
            "measured": format!("{cpu:.2} ms CPU, {wall:.2} ms wall"),
            "held": cpu <= 0.5 && wall <= 1.0, "cpu_ms": cpu, "wall_ms": wall,
        }))
    })
}

fn step() -> anyhow::Result<Value> {
    const RUNS: u32 = 50;
    let server = Server::start(&["--fixed", ANSWER])?;
    runtime()?.block_on(async {
        let home = tempfile::tempdir()?;
        let world = World::open(home.path(), &server.url)?;
        let definition = steps(5, &["a", "b", "c"]);
        world.run(&definition).await?;
        let meter = Meter::start();
        for _ in 0..RUNS {
            world.run(&definition).await?;
        }
        let (cpu, wall) = meter.read().per(RUNS * 5);
        Ok(json!({
            "measured": format!("{cpu:.2} ms CPU, {wall:.2} ms wall"),
            "held": cpu <= 1.5 && wall <= 3.0, "cpu_ms": cpu, "wall_ms": wall,
        }))
    })
}

/// Turns in which every agent uses a tool once, less the two model calls such a turn has.
fn tool() -> anyhow::Result<Value> {
    const ROUNDS: u32 = 40;
    const CHATS: u32 = 20;
    let script = tempfile::NamedTempFile::new()?;
    let rule = json!({"rules": [{"when": {"offered": "bench.look", "results": 0},
        "say": {"calls": [{"tool": "bench.look", "args": {"n": "{digest}"}}]}}]});
    std::fs::write(script.path(), rule.to_string())?;
    let path = script
        .path()
        .to_str()
        .context("the temp folder has a strange name")?;
    let with_tools = Server::start(&["--script", path])?;
    runtime()?.block_on(async {
        let home = tempfile::tempdir()?;
        let world = World::open(home.path(), &with_tools.url)?;
        world.run(&chat(ROUNDS, true)).await?;
        let meter = Meter::start();
        let mut calls = 0;
        for _ in 0..CHATS {
            calls += world.run(&chat(ROUNDS, true)).await?.tool_calls;
        }
        let with = meter.read();
        let meter = Meter::start();
        for _ in 0..CHATS {
            world.run(&chat(ROUNDS * 2, false)).await?;
        }
        let without = meter.read();
        anyhow::ensure!(
            calls == ROUNDS * CHATS,
            "{calls} tool calls instead of {}",
            ROUNDS * CHATS
        );
        let cpu = with.cpu.saturating_sub(without.cpu).as_secs_f64() * 1e3 / f64::from(calls);
        Ok(json!({"measured": format!("{cpu:.2} ms CPU"), "held": cpu <= 0.3, "cpu_ms": cpu}))
    })
}

fn concurrent() -> anyhow::Result<Value> {
    const RUNS: usize = 100;
    const STEPS: usize = 5;
    let server = Server::start(&["--fixed", ANSWER, "--latency-ms", "20"])?;
    runtime()?.block_on(async {
        let home = tempfile::tempdir()?;
        let world = World::open(home.path(), &server.url)?;
        let definition = steps(STEPS, &["a"]);
        world.run(&definition).await?;
        let mut best = 0.0_f64;
        for _ in 0..5 {
            let began = Instant::now();
            let mut runs = Vec::new();
            for _ in 0..RUNS {
                runs.push(world.start(&definition).await?);
            }
            for run in runs {
                world.engine.settle(run).await?;
            }
            best = best.max((RUNS * STEPS) as f64 / began.elapsed().as_secs_f64());
        }
        Ok(json!({"measured": format!("{best:.0} steps/s"), "held": best >= 2_000.0, "steps_per_s": best}))
    })
}

/// CPU of the turns around the tenth and around the thousandth of one conversation.
fn late_turn() -> anyhow::Result<Value> {
    const WINDOW: u32 = 10;
    let server = Server::start(&["--fixed", ANSWER])?;
    runtime()?.block_on(async {
        let home = tempfile::tempdir()?;
        let world = World::open(home.path(), &server.url)?;
        let run = world.start(&chat(1_000, false)).await?;
        let mut watch = world.engine.watch(run, 1)?;
        let (mut turns, mut meter, mut early, mut late) = (0, None, 0.0, 0.0);
        while let Some(event) = watch.next().await {
            let RunEvent::Entry(entry) = event else {
                continue;
            };
            if matches!(entry.body, Body::RunEnded(_)) {
                break;
            }
            if !matches!(entry.body, Body::MessagePosted(_)) {
                continue;
            }
            turns += 1;
            match turns {
                10 | 990 => meter = Some(Meter::start()),
                20 => {
                    early = meter
                        .take()
                        .map_or(0.0, |meter: Meter| meter.read().per(WINDOW).0)
                }
                1_000 => {
                    late = meter
                        .take()
                        .map_or(0.0, |meter: Meter| meter.read().per(WINDOW).0)
                }
                _ => {}
            }
        }
        anyhow::ensure!(turns == 1_000, "the chat ended after {turns} turns");
        Ok(json!({
            "measured": format!("{late:.2} ms CPU (turn 10: {early:.2} ms)"),
            "held": late <= 5.0, "cpu_ms": late, "turn_10_cpu_ms": early,
        }))
    })
}

/// Database and log after a clean close: after 1,000 turns, and how much the second half took.
fn store() -> anyhow::Result<Value> {
    let server = Server::start(&["--fixed", ANSWER])?;
    let bytes_after = |turns: u32| -> anyhow::Result<u64> {
        runtime()?.block_on(async {
            let home = tempfile::tempdir()?;
            let world = World::open(home.path(), &server.url)?;
            world.run(&chat(turns, false)).await?;
            world.engine.shutdown().await;
            world.store.close().await?;
            let size =
                |name: &str| std::fs::metadata(home.path().join(name)).map_or(0, |meta| meta.len());
            Ok(size("bwana.db") + size("bwana.db-wal"))
        })
    };
    let (none, half, whole) = (bytes_after(1)?, bytes_after(500)?, bytes_after(1_000)?);
    let (first, second) = ((half - none) as f64 / 499.0, (whole - half) as f64 / 500.0);
    let mb = whole as f64 / 1e6;
    Ok(json!({
        "measured": format!("{mb:.2} MB ({first:.0} then {second:.0} bytes a turn)"),
        "held": mb <= 2.0 && second <= first * 1.1, "mb": mb, "bytes_a_turn": [first, second],
    }))
}

/// From opening the data folder to the first call of a run with 10,000 entries.
fn resume() -> anyhow::Result<Value> {
    const TIMES: usize = 20;
    let server = Server::start(&["--fixed", ANSWER])?;
    let home = tempfile::tempdir()?;
    let rounds = 2_600;
    let (run, entries) = runtime()?.block_on(async {
        let world = World::open(home.path(), &server.url)?;
        let run = world.start(&chat(rounds, false)).await?;
        let mut watch = world.engine.watch(run, 1)?;
        let mut entries = 0;
        while let Some(event) = watch.next().await {
            if let RunEvent::Entry(entry) = event {
                entries = entry.seq;
                if entries >= 10_000 {
                    break;
                }
            }
        }
        world.engine.abort();
        world.store.close().await?;
        anyhow::Ok((run, entries))
    })?;
    anyhow::ensure!(entries >= 10_000, "the run ended after {entries} entries");
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let time: anyhow::Result<Duration> = runtime()?.block_on(async {
            let began = Instant::now();
            let world = World::open(home.path(), &server.url)?;
            world.engine.recover()?;
            let mut watch = world.engine.watch(run, entries)?;
            while let Some(event) = watch.next().await {
                if matches!(&event, RunEvent::Entry(entry) if entry.seq > entries) {
                    break;
                }
            }
            let time = began.elapsed();
            world.engine.abort();
            world.store.close().await?;
            Ok(time)
        });
        times.push(time?);
    }
    times.sort();
    let p95 = times[TIMES * 95 / 100 - 1].as_secs_f64() * 1e3;
    Ok(
        json!({"measured": format!("{p95:.0} ms"), "held": p95 <= 500.0, "p95_ms": p95, "entries": entries}),
    )
}
