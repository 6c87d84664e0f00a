//! Bad input and a world that does not play along: each a sentence that says what, and what next, and the exit code of
//! the contract. Nothing is ever lost.

use bwana_testkit::bwana::PATIENCE;
use bwana_testkit::model_server::Options;
use bwana_testkit::{Fault, Script};
use serde_json::Value;

use crate::common::{NOTES, Stage, bwana, words};

/// What a refusal said, from its JSON line, and that people read the same.
#[track_caller]
fn check(output: bwana_testkit::Output, exit: i32, code: &str, message: &str, hint: &str) {
    let output = output.expect_code(exit);
    let error: Value = output.last();
    assert_eq!(
        (&error["type"], &error["code"]),
        (&"error".into(), &code.into()),
        "{output}"
    );
    let said = error["message"].as_str().unwrap();
    assert!(said.contains(message), "{message:?} is not in {said:?}");
    let next = error["hint"].as_str().unwrap();
    assert!(next.contains(hint), "{hint:?} is not in {next:?}");
    assert!(
        output.stderr.contains(said) && output.stderr.contains(next),
        "{}",
        output.stderr
    );
}

#[track_caller]
fn check_file(change: &dyn Fn(&str) -> String, code: &str, message: &str) {
    let stage = Stage::new();
    let text = change(NOTES);
    let run = stage.run_file(&text, "--json").expect_code(2);
    let error = run.last();
    assert_eq!(error["code"], code, "{run}");
    let said = error["message"].as_str().unwrap();
    assert!(
        said.contains("work.yaml") && said.contains(message),
        "{said}"
    );
    // `validate` says the same without running.
    let file = stage.bwana.file("work.yaml", &text);
    let validate = stage
        .bwana
        .run(["workflows", "validate", file.to_str().unwrap(), "--json"]);
    let report = validate.expect_code(2).last();
    assert_eq!(report["valid"], false);
    assert_eq!(stage.model.counts().requests, 0);
}

#[test]
fn a_workflow_with_an_unknown_agent() {
    check_file(
        &|text| text.replace("agents: [writer]", "agents: [writter]"),
        "definition.unknown_agent",
        "did you mean `writer`?",
    );
}

#[test]
fn a_step_that_cannot_be_reached() {
    check_file(
        &|text| {
            text.replace(
                "agents: [writer]\n",
                "agents: [writer]\nlimits: {turns: 1}\n",
            )
        },
        "definition.invalid",
        "can never be reached: those before it take at least 1 turn, and the workflow's limit is 1; raise `limits.turns` to at least 2",
    );
}

#[test]
fn a_join_that_can_never_be_met() {
    let parallel = "steps:\n  - name: Both\n    parallel: {join: all, steps: []}\n";
    check_file(
        &|text| text.replace("steps: [Collect, Write up]", parallel),
        "definition.invalid",
        "can never be met",
    );
}

#[test]
fn a_file_of_another_version() {
    check_file(
        &|text| text.replace("bwana.workflow/v1", "bwana.workflow/v7"),
        "definition.wrong_schema",
        "bwana.workflow/v7",
    );
}

#[test]
fn a_file_of_fifty_megabytes_is_refused_wherever_it_comes() {
    let stage = Stage::new();
    let file = stage.bwana.folder().join("huge.yaml");
    // Sparse: the program must look at the size before it reads.
    std::fs::File::create(&file)
        .unwrap()
        .set_len(50 << 20)
        .unwrap();
    let file = file.display().to_string();
    let huge = format!("{} bytes", 50 << 20);
    let code = "definition.too_large";
    for line in [
        format!("run {file} --input x --json"),
        format!("workflows validate {file} --json"),
        format!("workflows import {file} --json"),
        format!("agents import {file} --json"),
    ] {
        check(stage.run(&line), 2, code, &huge, "Split the file");
    }
    let input = format!("run business_setup --input @{file} --json");
    check(stage.run(&input), 2, "usage.invalid", &huge, "");
    let import = format!("runs import {file} --json");
    check(
        stage.run(&import),
        2,
        "usage.invalid",
        "is no exported run",
        "bwana runs export",
    );
}

#[test]
fn names_that_do_not_exist_come_with_the_nearest_one() {
    let stage = Stage::new();
    let not_found = "usage.not_found";
    let run = "run busines_setup --input x --json";
    check(
        stage.run(run),
        2,
        not_found,
        "no workflow called 'busines_setup'",
        "`business_setup`",
    );
    check(
        stage.run("agents show operation --json"),
        2,
        "definition.unknown_agent",
        "operation",
        "`operations`",
    );
    check(
        stage.run("tools show http.got --json"),
        2,
        "tool.unknown",
        "http.get",
        "",
    );
    check(
        stage.run("run business_setup --input x --model nere/x --json"),
        2,
        "provider.unknown",
        "there is no provider called 'nere'",
        "Did you mean `near`?",
    );
    check(
        stage.run("models pull smollm --json --yes"),
        2,
        "model.unknown",
        "smollm",
        "",
    );
    stage.run_file(NOTES, "").expect_code(0);
    check(
        stage.run("runs show zzzz --json"),
        2,
        not_found,
        "no run zzzz",
        "list",
    );
    check(
        stage.run("runs show z --json"),
        2,
        "usage.invalid",
        "at least the last 4",
        "",
    );
    check(
        stage.run("tasks approve zzzz --json"),
        2,
        not_found,
        "no task zzzz",
        "list",
    );
}

#[test]
fn without_any_model_the_way_to_one_is_said() {
    let bwana = bwana();
    let output = bwana.run(words("run business_setup --input x --json"));
    check(
        output,
        2,
        "provider.no_model",
        "there is no model to work with: no provider",
        "bwana models pull",
    );
}

#[test]
fn a_provider_that_is_down_pauses_the_run() {
    let stage = Stage::new();
    let Stage { bwana, model } = stage;
    model.stop();
    let file = bwana.file("work.yaml", NOTES);
    let output = bwana.run(["run", file.to_str().unwrap(), "--input", "x", "--json"]);
    let output = output.expect_code(5);
    let summary = output.last();
    assert_eq!(summary["status"], "paused");
    assert_eq!(summary["stop_reason"]["code"], "waiting_for_network");
    let said = summary["stop_reason"]["error"]["message"].as_str().unwrap();
    assert!(said.contains("127.0.0.1"), "{said}");
    let run = summary["id"].as_str().unwrap();
    let shown = bwana
        .run(["runs", "show", run])
        .expect_code(0)
        .lines
        .join("\n");
    assert!(
        shown.contains("could not be reached") && shown.contains("bwana runs resume"),
        "{shown}"
    );
}

#[test]
fn a_provider_that_does_not_know_the_key() {
    let mut options = Options::scripted(Script::default());
    options.key = Some(String::from("right"));
    let stage = Stage::with(options);
    let output = stage.run_file(NOTES, "--json").expect_code(5);
    let summary = output.last();
    assert_eq!(summary["stop_reason"]["error"]["kind"], "auth", "{summary}");
    let test = stage
        .run("providers test near --json")
        .expect_code(5)
        .last();
    assert_eq!(
        (&test["probe"]["answer"], &test["code"]),
        (&"rejected".into(), &"provider.auth".into())
    );
}

#[test]
fn a_provider_without_credit() {
    let stage = Stage::new();
    let body = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    stage.model.fail_next([Fault::Status {
        code: 429,
        retry_after_s: None,
        body: body.into(),
    }]);
    let output = stage.run_file(NOTES, "--json").expect_code(5);
    let summary = output.last();
    assert_eq!(
        summary["stop_reason"]["error"]["kind"], "quota",
        "{summary}"
    );
    let run = summary["id"].as_str().unwrap();
    let summary = stage
        .run(&format!("runs resume {run} --json"))
        .expect_code(0)
        .last();
    assert_eq!(summary["status"], "done", "nothing was lost");
}

#[test]
fn a_key_whose_variable_is_not_set() {
    let stage = Stage::new();
    let url = stage.model.url();
    let add = format!("providers add near --base-url {url} --model scripted --key-env NO_SUCH_KEY");
    stage.run(&add).expect_code(0);
    let output = stage.run_file(NOTES, "--json");
    check(
        output,
        5,
        "provider.auth",
        "NO_SUCH_KEY, which is not set",
        "Set NO_SUCH_KEY",
    );
    let list = stage.run("providers list --json").expect_code(0).last();
    assert_eq!(
        (&list["status"], &list["key"]),
        (&"no_key".into(), &"env:NO_SUCH_KEY".into())
    );
}

#[test]
fn a_key_is_sent_and_never_written() {
    let mut options = Options::scripted(Script::default());
    options.key = Some(String::from("sk-very-secret-1"));
    let model = options.start().unwrap();
    let bwana = bwana().env("THE_KEY", "sk-very-secret-1");
    let url = model.url();
    let add = format!("providers add near --base-url {url} --model scripted --key-env THE_KEY");
    bwana.run(words(&add)).expect_code(0);
    let file = bwana.file("work.yaml", NOTES);
    let output = bwana
        .run(["run", file.to_str().unwrap(), "--input", "x", "--json"])
        .expect_code(0);
    let run = output.last()["id"].as_str().unwrap().to_owned();
    let export = bwana.run(["runs", "export", &run]).expect_code(0);
    assert!(!export.lines.join("").contains("sk-very-secret"));
    for entry in std::fs::read_dir(bwana.home()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(14).any(|window| window == b"sk-very-secret");
            assert!(!found, "{}", path.display());
        }
    }
}

#[test]
fn a_provider_of_a_kind_nobody_knows() {
    let bwana = bwana();
    let add = "providers add a --kind claude --base-url https://api.example.com --json";
    check(
        bwana.run(words(add)),
        2,
        "usage.invalid",
        "no kind of provider called 'claude'",
        "anthropic",
    );
    let add = "providers add a --base-url https://api.example.com --key-env sk-live-12345 --json";
    let output = bwana.run(words(add)).expect_code(2);
    assert!(!output.stderr.contains("12345"), "{}", output.stderr);
}

#[test]
fn settings_that_cannot_be_read_say_where() {
    let stage = Stage::new();
    std::fs::write(
        stage.bwana.home().join("settings.toml"),
        "defalt_model = \"a/b\"\n",
    )
    .unwrap();
    let output = stage.run("runs list --json");
    check(
        output,
        2,
        "settings.invalid",
        "line 1: there is no setting called 'defalt_model'",
        "`default_model`",
    );
}

#[test]
fn a_damaged_database_is_said_to_be_and_left_alone() {
    let stage = Stage::new();
    stage.run_file(NOTES, "").expect_code(0);
    let file = stage.bwana.home().join("bwana.db");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 3]).unwrap();
    for line in [
        "runs list --json",
        "verify --json",
        "run business_setup --input x --json",
    ] {
        let output = stage.run(line).expect_code(5);
        let error = output.last();
        let code = error["code"].as_str().unwrap_or_default();
        let found = error["sound"] == false;
        assert!(code == "store.damaged" || found, "{output}");
        if code == "store.damaged" {
            assert!(
                error["hint"].as_str().unwrap().contains("bwana recover"),
                "{error}"
            );
        }
    }
    std::fs::write(&file, b"this is no database").unwrap();
    check(
        stage.run("runs list --json"),
        5,
        "store.damaged",
        "damaged",
        "bwana recover",
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"this is no database");
}

#[test]
fn a_folder_that_cannot_be_written() {
    let bwana = bwana();
    let blocked = bwana.file("blocked", "a file where a folder should be");
    let home = blocked.join("home").display().to_string();
    let output = bwana.run(["--home", &home, "workflows", "import", "x.yaml", "--json"]);
    // The file does not exist either: the first thing wrong is said.
    output.expect_code(2);
    let file = bwana.file("notes.yaml", NOTES);
    let output = bwana.run([
        "--home",
        &home,
        "workflows",
        "import",
        file.to_str().unwrap(),
        "--json",
    ]);
    check(output, 5, "home.unwritable", "blocked", "permissions");
}

#[test]
fn usage_that_is_wrong_exits_2() {
    let bwana = bwana();
    for line in [
        "",
        "dance",
        "run",
        "run business_setup",
        "runs events",
        "budget set --json",
        "budget set one",
        "runs fork x --at -1",
        "models pull",
    ] {
        let output = bwana.run(words(line));
        assert_eq!(output.code(), Some(2), "{output}");
        assert!(!output.stderr.is_empty(), "{output}");
        // A script that asked for objects is told in one.
        let objects = bwana.run(words(&format!("--json {line}"))).expect_code(2);
        assert_eq!(objects.last()["type"], "error", "{objects}");
    }
    let help = bwana.run(words("--json --help")).expect_code(0);
    assert!(!help.to_string().contains("\"type\""), "{help}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_printed_where_there_is_no_room_is_not_said_to_be_whole() {
    let stage = Stage::new();
    stage.run_file(NOTES, "--json").expect_code(0);
    for line in ["runs list", "runs list --json", "completions bash"] {
        let mut command = stage.bwana.command(words(line));
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{line}: {said}");
        assert!(
            said.contains("could not be written to its end"),
            "{line}: {said}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_has_no_end_is_not_read_as_a_run() {
    let stage = Stage::new();
    for device in ["/dev/zero", "/"] {
        let output = stage.bwana.run(["runs", "import", device, "--json"]);
        check(output, 2, "usage.invalid", "it is no file", "");
    }
}

#[test]
fn a_profile_nobody_made_is_not_made_by_a_typing_error() {
    let bwana = bwana();
    for line in ["runs list", "ask hi", "serve", "doctor"] {
        let output = bwana.run(words(&format!("--profile typo {line} --json")));
        check(
            output,
            2,
            "usage.not_found",
            "'typo'",
            "bwana profiles create typo",
        );
    }
    assert!(!bwana.home().join("profiles").exists());
    bwana.run(words("profiles create typo")).expect_code(0);
    bwana.run(words("--profile typo runs list")).expect_code(0);
}

/// On a terminal of its own, with colours, as people see it.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_spoken_to_without_a_complaint() {
    let stage = Stage::new();
    stage.run_file(NOTES, "--json").expect_code(0);
    let program = stage.bwana.command([""; 0]);
    let program = program.get_program().to_str().unwrap();
    let line = format!("{program} runs list");
    let mut command = std::process::Command::new("script");
    let home = stage.bwana.home();
    let output = command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("BWANA_HOME", home)
        .env_remove("NO_COLOR")
        .stdin(std::process::Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("SKIPPED: a terminal\n  because: script is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("notes") && said.contains('\x1b'), "{said}");
    assert!(
        !said.contains("tracing") && !said.contains("panicked"),
        "{said}"
    );
}

#[test]
fn two_owners_are_one_too_many() {
    let stage = Stage::new();
    let mut first = stage.bwana.spawn(words("serve --no-gateway --json"));
    let serving = first
        .wait_for(PATIENCE, |line| line["type"] == "serving")
        .unwrap();
    assert_eq!(serving["pid"], first.pid());
    let second = stage.run("serve --no-gateway --json");
    let pid = format!("process {}", first.pid());
    check(second, 6, "home.in_use", &pid, "--home");
    first.signal("TERM");
    first.finish(PATIENCE).expect_code(0);
}
