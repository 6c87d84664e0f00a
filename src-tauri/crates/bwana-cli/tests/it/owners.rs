//! Two programs and one data folder: an owner in the background, and commands that talk to it.

use bwana_testkit::bwana::PATIENCE;
use bwana_testkit::{Running, Script};
use serde_json::json;

use crate::common::{NOTES, Stage, words};

fn serve(stage: &Stage) -> Running {
    let mut owner = stage.bwana.spawn(words("serve --no-gateway --json"));
    owner
        .wait_for(PATIENCE, |line| line["type"] == "serving")
        .unwrap();
    owner
}

fn end(owner: Running) {
    owner.signal("TERM");
    owner.finish(PATIENCE).expect_code(0);
}

#[test]
fn a_run_at_the_owner_looks_like_one_here() {
    let stage = Stage::new();
    let owner = serve(&stage);
    let output = stage.run_file(NOTES, "--json").expect_code(0);
    let lines = output.json();
    let (summary, entries) = lines.split_last().unwrap();
    assert_eq!(summary["status"], "done");
    let seqs: Vec<u64> = entries
        .iter()
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=entries.len() as u64).collect::<Vec<_>>());
    let shown = stage.run(&format!(
        "runs show {} --json",
        summary["id"].as_str().unwrap()
    ));
    assert_eq!(shown.expect_code(0).last()["result"], summary["result"]);
    stage.run("providers list").expect_code(0);
    stage.run("budget set 5").expect_code(0);
    end(owner);
    let after = stage.run("budget show --json").expect_code(0).last();
    assert_eq!(after["limit"], 5);
}

#[test]
fn an_approval_lets_a_run_at_the_owner_go_on_at_once() {
    let script =
        Script::default().calls_once("file.write", json!({"path": "a.txt", "content": "x"}));
    let stage = Stage::answering(script);
    let owner = serve(&stage);
    let work = NOTES.replace("[Collect, Write up]", "[Collect]");
    let summary = stage.run_file(&work, "--json").expect_code(3).last();
    let run = summary["id"].as_str().unwrap();
    let task = summary["tasks"][0]["id"].as_str().unwrap();
    let follow = format!("runs events {run} --follow --json");
    let following = stage.bwana.spawn(words(&follow));
    stage.run(&format!("tasks approve {task}")).expect_code(0);
    let entries = following.finish(PATIENCE).expect_code(0).json();
    assert_eq!(entries[entries.len() - 1]["type"], "run_ended");
    end(owner);
}

#[test]
fn a_run_in_the_foreground_is_cancelled_and_paused_from_elsewhere() {
    let stage = Stage::new();
    stage.model.hold();
    let file = stage.bwana.file("work.yaml", NOTES);
    let running = stage
        .bwana
        .spawn(["run", file.to_str().unwrap(), "--input", "x", "--json"]);
    assert!(stage.model.wait_for(PATIENCE, |counts| counts.waiting == 1));
    let runs = stage.run("runs list --json").expect_code(0).json();
    let run = runs[0]["id"].as_str().unwrap();
    // Another run must wait or go to an owner that takes runs.
    let other = stage.run_file(NOTES, "--json").expect_code(6);
    assert_eq!(other.last()["code"], "home.in_use");
    let cancelled = stage
        .run(&format!("runs cancel {run} --json"))
        .expect_code(0)
        .last();
    assert_eq!(cancelled["status"], "cancelled");
    running.finish(PATIENCE).expect_code(130);
}

#[test]
fn a_detached_run_works_on_behind_the_terminal() {
    let stage = Stage::new();
    stage.model.hold();
    let output = stage.run_file(NOTES, "--detach --json").expect_code(0);
    let started = output.last();
    assert_eq!(started["type"], "started");
    let run = started["run"].as_str().unwrap();
    stage.model.open();
    let follow = stage
        .run(&format!("runs events {run} --follow --json"))
        .expect_code(0);
    assert_eq!(follow.last()["type"], "run_ended");
    // The owner stays a while for the next one; it is ended as a person would.
    let pid = std::fs::read_to_string(stage.bwana.home().join("owner.lock")).unwrap();
    let status = std::process::Command::new("kill")
        .arg(pid.trim())
        .status()
        .unwrap();
    assert!(status.success());
    let deadline = std::time::Instant::now() + PATIENCE;
    while stage.bwana.home().join("owner.sock").exists() {
        assert!(
            std::time::Instant::now() < deadline,
            "the owner did not end"
        );
        std::thread::yield_now();
    }
}

#[test]
fn an_owner_resumes_what_a_killed_one_left() {
    let stage = Stage::new();
    stage.model.hold();
    let owner = serve(&stage);
    let started = stage
        .run_file(NOTES, "--detach --json")
        .expect_code(0)
        .last();
    let run = started["run"].as_str().unwrap().to_owned();
    assert!(stage.model.wait_for(PATIENCE, |counts| counts.waiting == 1));
    owner.kill();
    stage.model.open();
    let mut owner = stage.bwana.spawn(words("serve --no-gateway --json"));
    let serving = owner
        .wait_for(PATIENCE, |line| line["type"] == "serving")
        .unwrap();
    assert_eq!(serving["resumed"], json!([run]));
    let follow = stage
        .run(&format!("runs events {run} --follow --json"))
        .expect_code(0);
    assert_eq!(follow.last()["type"], "run_ended");
    end(owner);
    let shown = stage
        .run(&format!("runs show {run} --json"))
        .expect_code(0)
        .last();
    assert_eq!(shown["status"], "done");
}

#[test]
fn changes_and_readers_do_not_disturb_an_owner() {
    let stage = Stage::new();
    let owner = serve(&stage);
    let file = stage.bwana.file("notes.yaml", NOTES);
    let import = format!("workflows import {} --json", file.display());
    let imported = stage.run(&import).expect_code(0).json();
    assert_eq!(imported.len(), 2);
    let list = stage.run("workflows list --json").expect_code(0).json();
    assert!(list.iter().any(|item| item["id"] == "notes"));
    stage.run("run notes --input x --json").expect_code(0);
    stage.run("backup").expect_code(0);
    stage.run("verify").expect_code(0);
    stage.run("doctor").expect_code(0);
    end(owner);
}
