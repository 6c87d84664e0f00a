//! `run`, `ask`, `runs` and `tasks` as people and scripts use them.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bwana_testkit::bwana::PATIENCE;
use bwana_testkit::model_server::Options;
use bwana_testkit::script::{Answer, AnswerCall, Prompt};
use bwana_testkit::{Fault, Script};
use bwana_types::message::Role;
use serde_json::{Value, json};

use crate::common::{NOTES, Stage, text, words};

fn writes() -> Script {
    Script::default().calls_once("file.write", json!({"path": "a.txt", "content": "hello"}))
}

fn one_step() -> String {
    NOTES.replace("[Collect, Write up]", "[Collect]")
}

#[test]
fn a_run_prints_its_steps_words_result_and_where_it_is_saved() {
    let stage = Stage::new();
    let output = stage.run_file(NOTES, "").expect_code(0);
    let said = text(&output);
    for part in [
        "Notes  run_",
        "Writer · near/scripted",
        "[1/2] Collect",
        "[2/2] Write up",
        "  Writer\n    ref:",
        "done as asked.",
        "  done · ",
        "Result",
        "done All steps are done.",
        "2 model calls, 0 tool calls",
        "Saved as ",
    ] {
        assert!(said.contains(part), "{part:?} is missing in\n{said}");
    }
    let saved = said
        .lines()
        .find_map(|line| line.strip_prefix("Saved as "))
        .unwrap();
    assert!(
        std::fs::read_to_string(saved)
            .unwrap()
            .contains("## Write up")
    );
    assert!(!said.contains('\u{1b}'), "no colours without a terminal");
    assert_eq!(output.stderr, "");
}

#[test]
fn with_json_the_journal_comes_first_and_the_summary_last() {
    let stage = Stage::new();
    let output = stage.run_file(NOTES, "--json").expect_code(0);
    let lines = output.json();
    let (summary, entries) = lines.split_last().unwrap();
    let run = &summary["run"];
    for (at, entry) in entries.iter().enumerate() {
        assert_eq!(entry["seq"], at + 1);
        assert_eq!(&entry["run"], run);
        assert!(entry["at"].is_string() && entry["type"].is_string());
    }
    assert_eq!(entries[0]["type"], "run_created");
    assert_eq!(entries[entries.len() - 1]["type"], "run_ended");
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["status"], "done");
    assert_eq!(summary["stop_reason"], json!({"code": "completed"}));
    assert_eq!(summary["cost"], 0);
    assert!(summary["usage"]["output_tokens"].as_u64().unwrap() > 0);
    assert!(
        summary["result"]
            .as_str()
            .unwrap()
            .contains("done as asked")
    );

    let shown = stage
        .run(&format!("runs show {} --json", run.as_str().unwrap()))
        .expect_code(0);
    let shown = shown.last();
    for field in ["status", "stop_reason", "usage", "cost", "result"] {
        assert_eq!(shown[field], summary[field], "{field}");
    }
    let events = stage.run(&format!("runs events {} --json", run.as_str().unwrap()));
    assert_eq!(events.expect_code(0).json(), entries);
}

#[test]
fn a_run_that_needs_a_person_exits_3_and_goes_on_after_the_answer() {
    let stage = Stage::answering(writes());
    let output = stage.run_file(&one_step(), "").expect_code(3);
    let said = text(&output);
    assert!(said.contains("? writer wants to use file.write."), "{said}");
    assert!(said.contains("waiting It waits for you"), "{said}");

    let tasks = stage.run("tasks list --json").expect_code(0).json();
    let [task] = tasks.as_slice() else {
        panic!("{tasks:?}")
    };
    assert_eq!(
        (&task["status"], &task["kind"]),
        (&json!("open"), &json!("approve"))
    );
    let id = task["id"].as_str().unwrap();
    let run = task["run"].as_str().unwrap();
    stage
        .run(&format!("tasks show {}", &id[id.len() - 6..]))
        .expect_code(0);
    let decided = stage
        .run(&format!("tasks approve {id} --json"))
        .expect_code(0)
        .last();
    assert_eq!(decided["status"], "decided");
    let again = stage.run(&format!("tasks deny {id}")).expect_code(2);
    assert!(
        again.stderr.contains("already; the first decision stands"),
        "{}",
        again.stderr
    );

    let resumed = stage
        .run(&format!("runs resume {run} --json"))
        .expect_code(0);
    let summary = resumed.last();
    assert_eq!(summary["status"], "done");
    assert_eq!(summary["artifacts"][0]["file"], "a.txt");
    let first = &resumed.json()[0];
    assert_ne!(first["type"], "run_created", "only what is new: {first}");
}

/// Asks the person once, then says what it was told.
fn asks() -> Stage {
    Stage::with(Options::answering(Arc::new(|prompt: &Prompt<'_>| {
        let told = prompt
            .lines
            .iter()
            .rev()
            .find(|line| line.role == Role::Tool);
        match (told, prompt.offers("person.ask")) {
            (Some(told), _) => Answer::text(format!("I was told: {}", told.text)),
            (None, Some(tool)) => Answer {
                calls: vec![AnswerCall {
                    id: String::from("call_1"),
                    tool: tool.to_owned(),
                    args: json!({"question": "Which town?\n? It is done.", "choices": ["Nakuru", "Kisumu"]})
                        .to_string(),
                }],
                ..Answer::default()
            },
            (None, None) => Answer::text("I could not ask."),
        }
    })))
}

fn may_ask() -> String {
    one_step().replace("[file.write]", "[person.ask]")
}

#[test]
fn a_question_waits_with_3_and_the_answer_is_used() {
    let stage = asks();
    let said = text(&stage.run_file(&may_ask(), "").expect_code(3));
    let shown = "? writer asks: Which town?\n    ? It is done.\n    - Nakuru\n    - Kisumu\n";
    assert!(said.contains(shown), "{said}");
    let task = stage.run("tasks list --json").expect_code(0).last();
    assert_eq!(task["kind"], "answer");
    assert_eq!(task["ask"]["choices"], json!(["Nakuru", "Kisumu"]));
    let (id, run) = (task["id"].as_str().unwrap(), task["run"].as_str().unwrap());
    let page = text(&stage.run(&format!("tasks show {id}")).expect_code(0));
    assert!(page.contains("bwana tasks answer "), "{page}");
    stage.run(&format!("tasks approve {id}")).expect_code(2);
    let empty = stage
        .bwana
        .run(["tasks", "answer", id, "  "])
        .expect_code(2);
    assert!(empty.stderr.contains("empty"), "{}", empty.stderr);
    stage
        .bwana
        .run(["tasks", "answer", id, "Nakuru, near the market"])
        .expect_code(0);
    let summary = stage
        .run(&format!("runs resume {run} --json"))
        .expect_code(0)
        .last();
    assert_eq!(summary["status"], "done");
    assert_eq!(summary["tool_calls"], 0, "nothing was called");
    let result = summary["result"].as_str().unwrap();
    assert!(
        result.contains("I was told: Nakuru, near the market"),
        "{result}"
    );
}

#[test]
fn a_question_that_is_denied_or_that_nobody_hears_holds_nothing_up() {
    let stage = asks();
    let alone = stage
        .run_file(&may_ask(), "--approve deny --json")
        .expect_code(0)
        .last();
    assert_eq!(alone["status"], "done");
    let result = alone["result"].as_str().unwrap();
    assert!(
        result.contains("Nobody can be asked in this run."),
        "{result}"
    );

    let waiting = stage.run_file(&may_ask(), "--json").expect_code(3).last();
    let run = waiting["run"].as_str().unwrap();
    let task = stage.run("tasks list --json").expect_code(0).last();
    let id = task["id"].as_str().unwrap();
    stage
        .bwana
        .run(["tasks", "deny", id, "--reason", "private"])
        .expect_code(0);
    let denied = stage
        .run(&format!("runs resume {run} --json"))
        .expect_code(0)
        .last();
    let result = denied["result"].as_str().unwrap();
    assert!(
        result.contains("did not want to answer: private"),
        "{result}"
    );
}

#[test]
fn where_nobody_can_answer_the_run_ends_without_the_effect() {
    let stage = Stage::answering(writes());
    let summary = stage
        .run_file(&one_step(), "--approve deny --json")
        .expect_code(0)
        .last();
    assert_eq!(summary["status"], "done");
    assert_eq!(summary["tool_calls"], 0);
}

#[test]
fn a_spent_budget_pauses_with_4_and_a_top_up_lets_it_go_on() {
    let stage = Stage::new();
    let url = stage.model.url();
    let add = format!(
        "providers add near --base-url {url} --model scripted --price-in 1000 --price-out 1000"
    );
    stage.run(&add).expect_code(0);
    let output = stage
        .run_file(NOTES, "--budget 0.000100 --json")
        .expect_code(4);
    let summary = output.last();
    assert_eq!(summary["status"], "paused");
    assert_eq!(summary["stop_reason"]["code"], "budget");
    let run = summary["id"].as_str().unwrap();
    assert_eq!(stage.model.counts().requests, 0);
    stage
        .run(&format!("budget set --run {run} 50"))
        .expect_code(0);
    let summary = stage
        .run(&format!("runs resume {run} --json"))
        .expect_code(0)
        .last();
    assert_eq!(summary["status"], "done");
    assert!(summary["cost"].as_f64().unwrap() > 0.0);
    let today = stage.run("budget show --json").expect_code(0).last();
    assert_eq!(today["spent"], summary["cost"]);
}

#[test]
fn ctrl_c_cancels_cleanly() {
    let stage = Stage::new();
    stage.model.hold();
    let file = stage.bwana.file("work.yaml", NOTES);
    let mut running = stage
        .bwana
        .spawn(["run", file.to_str().unwrap(), "--input", "x", "--json"]);
    assert!(stage.model.wait_for(PATIENCE, |counts| counts.waiting == 1));
    // The call is under way, so the program listens for signals.
    running
        .wait_for(PATIENCE, |line| line["type"] == "call_intended")
        .unwrap();
    running.signal("INT");
    let output = running.finish(PATIENCE).expect_code(130);
    assert_eq!(output.last()["status"], "cancelled");
    assert!(output.stderr.contains("Cancelling"), "{}", output.stderr);
    assert_eq!(stage.model.counts().in_flight, 0);
}

#[test]
fn a_signal_to_terminate_leaves_the_run_to_be_resumed() {
    let stage = Stage::new();
    stage.model.hold();
    let file = stage.bwana.file("work.yaml", NOTES);
    let mut running = stage
        .bwana
        .spawn(["run", file.to_str().unwrap(), "--input", "x", "--json"]);
    assert!(stage.model.wait_for(PATIENCE, |counts| counts.waiting == 1));
    running
        .wait_for(PATIENCE, |line| line["type"] == "call_intended")
        .unwrap();
    running.signal("TERM");
    let output = running.finish(PATIENCE).expect_code(130);
    assert!(
        output.stderr.contains("nothing is lost"),
        "{}",
        output.stderr
    );
    stage.model.open();
    let runs = stage.run("runs list --json").expect_code(0).json();
    let run = runs[0]["id"].as_str().unwrap();
    let summary = stage
        .run(&format!("runs resume {run} --json"))
        .expect_code(0)
        .last();
    assert_eq!(summary["status"], "done");
}

#[test]
fn a_closed_output_ends_the_printing_and_not_the_work() {
    let stage = Stage::new();
    let file = stage.bwana.file("work.yaml", NOTES);
    let mut command =
        stage
            .bwana
            .command(["run", file.to_str().unwrap(), "--input", "x", "--json"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(first.contains("run_created"));
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let runs = stage.run("runs list --json").expect_code(0).json();
    assert_eq!(runs[0]["status"], "done");
}

#[test]
fn a_fault_that_passes_is_shown_and_tried_again() {
    let stage = Stage::new();
    stage.model.fail_next([Fault::server_error()]);
    let output = stage.run_file(&one_step(), "").expect_code(0);
    assert!(
        text(&output).contains("trying again in"),
        "{}",
        text(&output)
    );
}

#[test]
fn input_comes_from_a_file_or_standard_input() {
    let stage = Stage::new();
    stage.run("workflows list").expect_code(0);
    let work = stage.bwana.file("work.yaml", one_step());
    let input = stage.bwana.file("input.txt", "A garage in Eldoret");
    let at_file = format!("@{}", input.display());
    let from_file = stage
        .bwana
        .run(["run", work.to_str().unwrap(), "--input", &at_file, "--json"]);
    assert_eq!(
        from_file.expect_code(0).last()["input"],
        "A garage in Eldoret"
    );
    let args = ["run", work.to_str().unwrap(), "--input", "-", "--json"];
    let from_stdin = stage.bwana.run_with_input(args, "A school in Kitale\n");
    assert_eq!(
        from_stdin.expect_code(0).last()["input"],
        "A school in Kitale\n"
    );
}

#[test]
fn a_fork_replay_export_and_import_from_the_command_line() {
    let stage = Stage::new();
    let summary = stage.run_file(NOTES, "--json").expect_code(0).last();
    let run = summary["id"].as_str().unwrap();
    let replay = stage
        .run(&format!("runs replay {run} --json"))
        .expect_code(0)
        .last();
    assert_eq!(
        (&replay["same"], &replay["calls_made"]),
        (&json!(true), &json!(0))
    );
    let edit = stage
        .bwana
        .file("edit.json", r#"{"replace": 1, "input": "Other work"}"#);
    let fork = stage.run(&format!(
        "runs fork {run} --at 1 --edit {} --json",
        edit.display()
    ));
    let fork = fork.expect_code(0).last();
    assert_eq!(
        (&fork["status"], &fork["input"]),
        (&json!("paused"), &json!("Other work"))
    );
    let export = stage.run(&format!("runs export {run}")).expect_code(0);
    let file = stage.bwana.file("run.json", text(&export));
    let copy = stage
        .run(&format!("runs import {} --json", file.display()))
        .expect_code(0)
        .last();
    assert_eq!(copy["status"], "done");
    assert_ne!(copy["id"], summary["id"]);
    let runs = stage.run("runs list --json").expect_code(0).json();
    let ids: Vec<&Value> = runs.iter().map(|run| &run["id"]).collect();
    assert_eq!(
        ids,
        [&copy["id"], &fork["id"], &summary["id"]],
        "newest first"
    );
    stage.run("verify").expect_code(0);
    stage.run("verify --rebuild").expect_code(0);
}

#[test]
fn a_question_is_answered_by_one_agent_or_by_the_team() {
    let stage = Stage::new();
    let args = [
        "ask",
        "What does a food permit need?",
        "--agent",
        "operations",
        "--json",
    ];
    let summary = stage.bwana.run(args).expect_code(0).last();
    assert_eq!(
        (&summary["workflow"], &summary["model_calls"]),
        (&json!("ask"), &json!(1))
    );
    let args = ["ask", "Write a LinkedIn campaign", "--json"];
    assert_eq!(
        stage.bwana.run(args).expect_code(0).last()["status"],
        "done"
    );
}

#[test]
fn a_backup_brings_back_what_was_there() {
    let stage = Stage::new();
    stage.run_file(NOTES, "").expect_code(0);
    let backup = stage.run("backup --json").expect_code(0).last();
    let before = stage.run("runs list --json").expect_code(0).json();
    stage.run_file(NOTES, "").expect_code(0);
    let path = backup["path"].as_str().unwrap();
    // Out of the folder that is replaced.
    let kept = stage.bwana.folder().join("kept");
    copy(std::path::Path::new(path), &kept);
    let restored = stage
        .run(&format!("restore {} --json", kept.display()))
        .expect_code(0)
        .last();
    assert_eq!(restored["runs"], 1);
    assert_eq!(stage.run("runs list --json").expect_code(0).json(), before);
    stage.run("verify").expect_code(0);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn events_are_followed_to_the_end_beside_a_run_in_the_foreground() {
    let stage = Stage::new();
    stage.model.hold();
    let file = stage.bwana.file("work.yaml", NOTES);
    let running = stage
        .bwana
        .spawn(["run", file.to_str().unwrap(), "--input", "x", "--json"]);
    assert!(stage.model.wait_for(PATIENCE, |counts| counts.waiting == 1));
    let runs = stage.run("runs list --json").expect_code(0).json();
    let run = runs[0]["id"].as_str().unwrap().to_owned();
    let follow = format!("runs events {run} --follow --json");
    let mut following = stage.bwana.spawn(words(&follow));
    assert!(following.next_line(Duration::from_secs(60)).is_some());
    stage.model.open();
    let entries = running.finish(PATIENCE).expect_code(0).json();
    let followed = following.finish(PATIENCE).expect_code(0).json();
    assert_eq!(followed, entries[..entries.len() - 1]);
}
