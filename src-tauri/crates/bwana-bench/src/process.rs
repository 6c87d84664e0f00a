//! Scenarios that need a process of their own: one that is killed in the middle of a run, and a real cold start.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::cost::peak_memory_bytes;
use crate::world::{Server, World, beside, steps};

/// The first word of a child's arguments: then the home and the model server.
pub(crate) const CHILD: &str = "--child";

/// Starts a run of 5 steps by 3 agents and works on it until it is killed.
pub(crate) fn child(home: &Path, url: &str) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let world = World::open(home, url)?;
        world.run(&steps(5, &["a", "b", "c"])).await?;
        world.store.close().await?;
        Ok(())
    })
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}

/// Kills a run somewhere in the middle, resumes it, and counts the calls that were made more than once.
pub(crate) fn kill() -> anyhow::Result<Value> {
    const KILLS: u32 = 20;
    let mut most = 0;
    for at in 0..KILLS {
        let server = Server::start(&["--latency-ms", "10"])?;
        let home = tempfile::tempdir()?;
        let mut child = spawn_child(home.path(), &server.url)?;
        let enough = u64::from(2 + at % 12);
        let deadline = Instant::now() + Duration::from_secs(30);
        while server.requests()? < enough && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill()?;
        child.wait()?;
        runtime()?.block_on(async {
            let world = World::open(home.path(), &server.url)?;
            for run in world.engine.recover()? {
                world.engine.settle(run).await?;
            }
            world.store.close().await.context("cannot close the store")
        })?;
        most = most.max(server.requests()?.saturating_sub(15));
    }
    Ok(
        json!({"measured": format!("{most} at most in {KILLS} kills"), "held": most <= 1, "extra_calls": most}),
    )
}

fn spawn_child(home: &Path, url: &str) -> anyhow::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .arg(home)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start a child")
}

/// From the start of `bwana run` to its first committed entry, and the memory it needed for the whole run.
pub(crate) fn start() -> anyhow::Result<Value> {
    const STARTS: usize = 15;
    let server = Server::start(&["--latency-ms", "0"])?;
    let home = tempfile::tempdir()?;
    let bwana = beside("bwana")?;
    let run = |args: &[&str]| -> anyhow::Result<Command> {
        let mut command = Command::new(&bwana);
        command
            .arg("--home")
            .arg(home.path())
            .args(args)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        Ok(command)
    };
    let url = format!("{}/v1", server.url);
    let added = run(&[
        "providers",
        "add",
        "bench",
        "--kind",
        "openai",
        "--base-url",
        &url,
        "--model",
        "m",
    ])?
    .stdout(Stdio::null())
    .status()?;
    anyhow::ensure!(added.success(), "bwana providers add failed");
    let (mut ready, mut memory) = (Vec::new(), 0);
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut child = run(&[
            "--json",
            "run",
            "business_setup",
            "--input",
            "A bakery",
            "--model",
            "bench/m",
        ])?
        .stdout(Stdio::piped())
        .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        lines.next().context("bwana said nothing")??;
        ready.push(began.elapsed());
        let pid = child.id();
        for line in lines {
            line?;
            memory = memory.max(peak_memory_bytes(pid).unwrap_or(0));
        }
        child.wait()?;
    }
    ready.sort();
    let (ready_ms, memory_mb) = (ready[STARTS / 2].as_secs_f64() * 1e3, memory as f64 / 1e6);
    Ok(json!({
        "measured": format!("{ready_ms:.0} ms / {memory_mb:.0} MB"),
        "held": ready_ms <= 50.0 && memory_mb <= 30.0,
        "ready_ms": ready_ms, "peak_mb": memory_mb,
    }))
}
