//! Tables and pages for people. With `--json` the same things go out as objects, one a line, and these stay silent.

use bwana_api::replay::ReplayReport;
use bwana_api::tasks::TaskShown;
use bwana_api::{RunLine, RunShown, StepShown};
use bwana_types::entry::Entry;
use bwana_types::status::RunStatus;

use crate::out::Out;
use crate::sentence;
use crate::stage::visible;

/// Characters of a cell.
const CELL_MAX_CHARS: usize = 72;

/// Rows under a head, each column as wide as it needs to be.
pub(crate) fn table(out: &Out, head: &[&str], rows: &[Vec<String>]) {
    if out.is_json() {
        return;
    }
    if rows.is_empty() {
        out.line(&out.dim("none"));
        return;
    }
    let cell = |text: &str| {
        let line = visible(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        if line.chars().count() <= CELL_MAX_CHARS {
            return line;
        }
        let cut: String = line.chars().take(CELL_MAX_CHARS - 1).collect();
        format!("{cut}…")
    };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|text| cell(text)).collect())
        .collect();
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.max().unwrap_or(0).max(head[at].chars().count())
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    out.line(&out.dim(&line(&head)));
    for row in &rows {
        out.line(&line(row));
    }
}

pub(crate) fn runs(out: &Out, runs: &[RunLine]) {
    for run in runs {
        out.json(run);
    }
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            vec![
                sentence::short(&run.id.to_string()),
                run.status.as_str().to_owned(),
                run.workflow.clone(),
                format!("{}/{}", run.steps_done, run.steps_total),
                run.cost.map_or_else(
                    || format!("${}+?", run.cost_known.0),
                    |cost| format!("${}", cost.0),
                ),
                run.started_at.0.to_rfc3339()[..16].replace('T', " "),
                run.title.clone(),
            ]
        })
        .collect();
    table(
        out,
        &[
            "id",
            "status",
            "workflow",
            "steps",
            "cost",
            "started (UTC)",
            "input",
        ],
        &rows,
    );
}

pub(crate) fn run(out: &Out, run: &RunShown) {
    if out.is_json() {
        return;
    }
    out.line(&format!(
        "{}  {}",
        out.bold(&run.workflow_name),
        out.dim(&run.id.to_string())
    ));
    out.line(&format!(
        "{} {}",
        status(out, run.status),
        sentence::why(run)
    ));
    out.line(&out.dim(&numbers(run)));
    for step in &run.steps {
        step_line(out, step, 0);
    }
    for task in &run.tasks {
        task_page(out, task);
    }
    if let Some(result) = &run.result {
        out.line(&format!("\n{}", visible(result)));
    }
    files(out, run);
}

fn step_line(out: &Out, step: &StepShown, depth: usize) {
    let mark = match step.status.as_str() {
        "done" => out.good("✓"),
        "failed" => out.warn("✗"),
        "running" => out.name("▸"),
        "waiting" => out.warn("?"),
        "skipped" => out.dim("-"),
        _ => out.dim("·"),
    };
    let agents = if step.agents.is_empty() {
        String::new()
    } else {
        format!(" ({})", step.agents.join(", "))
    };
    out.line(&format!(
        "{}{mark} {}{}",
        "  ".repeat(depth + 1),
        step.name,
        out.dim(&agents)
    ));
    for branch in &step.branches {
        step_line(out, branch, depth + 1);
    }
}

/// What came of a run, at its end.
pub(crate) fn summary(out: &Out, run: &RunShown) {
    out.line("");
    if run.status == RunStatus::Done
        && let Some(result) = &run.result
    {
        out.line(&out.bold("Result"));
        out.line(&visible(result.trim()));
        out.line("");
    }
    for task in &run.tasks {
        task_page(out, task);
    }
    out.line(&format!(
        "{} {}",
        status(out, run.status),
        sentence::why(run)
    ));
    out.line(&out.dim(&numbers(run)));
    files(out, run);
}

fn files(out: &Out, run: &RunShown) {
    if let Some(file) = &run.result_file {
        out.line(&format!("Saved as {file}"));
    }
    let others: Vec<&str> = run
        .artifacts
        .iter()
        .map(|artifact| artifact.file.as_str())
        .collect();
    let others: Vec<&str> = others
        .into_iter()
        .filter(|file| {
            !run.result_file
                .as_ref()
                .is_some_and(|whole| whole.ends_with(file))
        })
        .collect();
    if !others.is_empty() {
        out.line(&format!(
            "Other files in {}: {}",
            run.folder,
            others.join(", ")
        ));
    }
}

fn numbers(run: &RunShown) -> String {
    let cost = sentence::cost(
        run.usage.total_tokens(),
        run.usage.estimated,
        run.cost_known.0,
        run.cost.is_some(),
    );
    let calls = format!(
        "{} model calls, {} tool calls",
        run.model_calls, run.tool_calls
    );
    format!("{calls} · {cost} · {}", sentence::span(run.elapsed_ms))
}

fn status(out: &Out, status: RunStatus) -> String {
    let word = status.as_str();
    match status {
        RunStatus::Done => out.good(word),
        RunStatus::Running => out.name(word),
        _ => out.warn(word),
    }
}

pub(crate) fn tasks(out: &Out, tasks: &[TaskShown]) {
    for task in tasks {
        out.json(task);
    }
    if out.is_json() {
        return;
    }
    if tasks.is_empty() {
        out.line(&out.dim("nothing waits for you"));
    }
    for task in tasks {
        task_page(out, task);
    }
}

/// A question with the words that answer it.
pub(crate) fn task_page(out: &Out, task: &TaskShown) {
    crate::ask_person::show(out, task);
    let id = sentence::short(&task.id.to_string());
    let how = match task.kind {
        bwana_types::task::TaskKind::Uncertain => {
            format!("bwana tasks resolve {id} happened|send-again|give-up")
        }
        bwana_types::task::TaskKind::Answer => format!("bwana tasks answer {id} TEXT"),
        _ => format!("bwana tasks approve {id} | bwana tasks deny {id}"),
    };
    match &task.decision {
        Some(decision) => out.line(&out.dim(&format!("    decided {}", decision.at.0))),
        None => out.line(&out.dim(&format!("    {how}"))),
    }
}

pub(crate) fn replay(out: &Out, report: &ReplayReport) {
    let verdict = if report.same {
        out.good("same")
    } else {
        out.warn("different")
    };
    out.line(&format!(
        "{verdict}: {} entries folded again; {} model calls and {} tool calls recorded, {} made",
        report.entries, report.recorded_model_calls, report.recorded_tool_calls, report.calls_made
    ));
    for difference in &report.differences {
        out.line(&format!("  - {difference}"));
    }
}

/// A line of the journal.
pub(crate) fn entry(out: &Out, entry: &Entry) {
    let body = entry.body.to_json().unwrap_or_default();
    let body: String = visible(&body).chars().take(CELL_MAX_CHARS * 2).collect();
    let time = &entry.at.to_rfc3339()[11..23];
    out.line(&format!(
        "{:>5} {} {:<18} {:<24} {}",
        entry.seq,
        out.dim(time),
        entry.body.kind(),
        entry.path,
        out.dim(&body)
    ));
}
