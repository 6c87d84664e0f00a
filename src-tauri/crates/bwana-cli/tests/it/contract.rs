//! Lists, pages and helps: what scripts and people rely on.

use bwana_testkit::bwana::PATIENCE;
use bwana_testkit::{Fault, Running};
use serde_json::Value;

use crate::common::{NOTES, Stage, bwana, text, words};

#[track_caller]
fn check_lines(stage: &Stage, line: &str) -> Vec<Value> {
    let output = stage.run(&format!("{line} --json")).expect_code(0);
    let lines = output.json();
    for object in &lines {
        assert!(object.is_object(), "{line}: {object}");
        assert!(
            object["id"].is_string() || object["type"].is_string(),
            "{line}: {object}"
        );
    }
    // The same for people: something, and no JSON.
    let people = stage.run(line).expect_code(0);
    assert!(!text(&people).trim().is_empty(), "{line}");
    lines
}

#[test]
fn every_list_prints_one_object_a_line_with_its_id() {
    let stage = Stage::new();
    stage.run_file(NOTES, "").expect_code(0);
    for (line, at_least) in [
        ("runs list", 1),
        ("workflows list", 15),
        ("agents list", 5),
        ("tasks list", 0),
        ("tools list", 4),
        ("providers list", 1),
        ("models list", 3),
        ("doctor", 5),
    ] {
        let lines = check_lines(&stage, line);
        assert!(lines.len() >= at_least, "{line}: {lines:?}");
    }
}

#[test]
fn a_reader_makes_nothing_in_a_folder_that_does_not_exist() {
    let bwana = bwana();
    for line in [
        "runs list",
        "tasks list",
        "workflows list",
        "agents show operations",
        "tools list",
        "models list",
        "budget show",
        "doctor",
        "update",
    ] {
        bwana.run(words(line)).expect_code(0);
        assert!(!bwana.home().exists(), "{line}");
    }
}

#[test]
fn every_command_helps() {
    let bwana = bwana();
    let help = bwana.run(["--help"]).expect_code(0);
    let said = text(&help);
    for command in [
        "run",
        "ask",
        "runs",
        "workflows",
        "agents",
        "tasks",
        "tools",
        "providers",
        "models",
        "budget",
        "serve",
        "backup",
        "restore",
        "recover",
        "settings",
        "profiles",
        "verify",
        "update",
        "doctor",
    ] {
        assert!(said.contains(&format!("\n  {command} ")), "{command}");
        let page = text(&bwana.run([command, "--help"]).expect_code(0));
        let purpose = page.lines().next().unwrap();
        assert!(
            purpose.len() > 10 && !purpose.starts_with("Usage"),
            "{command}: {purpose}"
        );
        assert!(page.contains("Usage: bwana"), "{page}");
    }
    assert!(said.contains("Exit codes: 0 done"));
    bwana.run(["--version"]).expect_code(0);
}

#[test]
fn files_go_in_and_come_out_again() {
    let stage = Stage::new();
    let exported = stage
        .run("workflows export market_expansion")
        .expect_code(0);
    let file = stage.bwana.file("market.yaml", text(&exported));
    stage
        .run(&format!("workflows validate {}", file.display()))
        .expect_code(0);
    let lines = stage
        .run(&format!("workflows import {} --json", file.display()))
        .expect_code(0)
        .json();
    assert_eq!(lines[0]["status"], "updated", "from a file now: {lines:?}");
    let agent = stage.run("agents export operations").expect_code(0);
    let file = stage.bwana.file("agent.yaml", text(&agent));
    let refused = stage
        .run(&format!("agents create {}", file.display()))
        .expect_code(2);
    assert!(refused.stderr.contains("already"), "{}", refused.stderr);
    let other = text(&agent).replace("id: operations", "id: night_shift");
    let file = stage.bwana.file("agent.yaml", other);
    stage
        .run(&format!("agents create {}", file.display()))
        .expect_code(0);
    stage.run("agents show night_shift").expect_code(0);
}

#[test]
fn the_original_configuration_is_imported_as_it_stands() {
    let stage = Stage::new();
    let text = r#"{"agent_integration": {"enabled": true},
        "available_agents": [
            {"id": "bi-agent", "name": "BI Agent", "type": "analysis", "tools": ["analytics"], "capabilities": ["market_analysis"]},
            {"id": "ops-agent", "name": "Ops Agent", "type": "operations", "tools": [], "capabilities": ["scheduling"]}],
        "workflow_templates": [
            {"id": "launch", "name": "Launch", "agents": ["bi-agent", "ops-agent"], "steps": ["Look", "Plan"]}]}"#;
    let file = stage.bwana.file("config.json", text);
    let lines = stage
        .run(&format!("workflows import {} --json", file.display()))
        .expect_code(0)
        .json();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let summary = stage
        .run("run launch --input x --json")
        .expect_code(0)
        .last();
    assert_eq!(summary["model_calls"], 4, "two steps of two agents");
}

#[test]
fn a_tool_is_used_by_hand() {
    let stage = Stage::new();
    let args = r#"{"path": "note.txt", "content": "by hand"}"#;
    let report = stage
        .bwana
        .run(["tools", "call", "file.write", args, "--json"])
        .expect_code(0)
        .last();
    let folder = report["folder"].as_str().unwrap();
    let written = std::fs::read_to_string(std::path::Path::new(folder).join("note.txt")).unwrap();
    assert_eq!(written, "by hand");
    let refused = stage
        .bwana
        .run(["tools", "call", "file.write", r#"{"path": 1}"#, "--json"]);
    assert_eq!(
        refused.expect_code(2).last()["code"],
        "tool.invalid_arguments"
    );
    let url = format!(r#"{{"url": "http://{}/"}}"#, stage.model.address());
    let refused = stage
        .bwana
        .run(["tools", "call", "http.get", &url, "--json"]);
    assert_eq!(
        refused.expect_code(5).last()["code"],
        "tool.failed",
        "a private address"
    );
    stage
        .run(&format!("egress allow {}", stage.model.address()))
        .expect_code(0);
    let doctor = text(&stage.run("doctor"));
    assert!(
        doctor.contains(&stage.model.address().to_string()),
        "{doctor}"
    );
    let answered = stage
        .bwana
        .run(["tools", "call", "http.get", &url, "--json"]);
    assert!(answered.last()["content"].as_str().is_some(), "{answered}");
}

#[test]
fn a_provider_is_tested_with_one_of_three_answers() {
    let stage = Stage::new();
    let works = stage
        .run("providers test near --json")
        .expect_code(0)
        .last();
    assert_eq!(works["probe"]["answer"], "works");
    assert_eq!(works["models"][0]["id"], "scripted");
    let said = text(&stage.run("providers test near").expect_code(0));
    assert!(said.contains("works scripted answered in"), "{said}");
    stage
        .run("providers add far --base-url http://127.0.0.1:9 --model m")
        .expect_code(0);
    let down = stage.run("providers test far --json").expect_code(5).last();
    assert_eq!(down["probe"]["answer"], "unreachable");
    stage.run("providers remove far").expect_code(0);
    assert_eq!(
        stage
            .run("providers list --json")
            .expect_code(0)
            .json()
            .len(),
        1
    );
}

#[test]
fn doctor_explains_the_path_of_a_call_in_lines_that_fit() {
    let stage = Stage::new();
    let closed =
        "providers add far --base-url http://127.0.0.1:9/v1 --model m --key-env NOT_SET_ANYWHERE";
    stage.run(closed).expect_code(0);
    for columns in ["80", "120"] {
        let mut command = stage.bwana.command(["doctor"]);
        command.env("COLUMNS", columns);
        let output = Running::start(command, "").finish(PATIENCE).expect_code(0);
        let said = text(&output);
        for expected in [
            "1. the model you chose: none chosen",
            "near, and it is used",
            "takes connections",
        ] {
            assert!(said.contains(expected), "{expected}\n{said}");
        }
        let most: usize = columns.parse().unwrap();
        for line in &output.lines {
            let breakable = line.trim_start().contains(' ');
            assert!(
                line.chars().count() <= most || !breakable,
                "{columns}: {line}"
            );
        }
    }
    let findings = stage.run("doctor --json").expect_code(0).json();
    let of = |name: &str| {
        let found = findings
            .iter()
            .find(|finding| finding["params"]["provider"] == name);
        found.cloned().unwrap()
    };
    let (near, far) = (of("near"), of("far"));
    assert_eq!(
        (&near["params"]["key"], &near["params"]["reach"]),
        (&"none".into(), &"answers".into())
    );
    assert_eq!(
        (&far["params"]["key"], &far["params"]["reach"]),
        (&"missing".into(), &"refused".into())
    );
    assert_eq!(far["status"], "warning");
}

#[test]
fn providers_are_listed_with_how_they_stand_where_runs_are_worked_on() {
    let stage = Stage::new();
    let of = |stage: &Stage| stage.run("providers list --json").expect_code(0).last();
    assert!(of(&stage)["standing"].is_null());
    let mut owner = stage.bwana.spawn(["serve", "--no-gateway", "--json"]);
    assert!(owner.next_line(PATIENCE).is_some());
    let file = stage.bwana.file("work.yaml", crate::common::NOTES);
    let run = ["run", file.to_str().unwrap(), "--input", "x", "--json"];
    stage.bwana.run(run).expect_code(0);
    assert_eq!(of(&stage)["standing"]["state"], "works");
    stage.model.fail_next([Fault::unauthorised()]);
    stage.bwana.run(run);
    let standing = of(&stage)["standing"].clone();
    assert_eq!(
        (&standing["state"], &standing["last_error"]),
        (&"refuses".into(), &"provider.auth".into())
    );
    let said = text(&stage.run("providers list"));
    assert!(
        said.contains("last error provider.auth") && said.contains("USD 0.00 in"),
        "{said}"
    );
    owner.signal("TERM");
}
