//! Lists as windows ask for them: found by words and agents, counted, with what a row needs to stand alone.

use bwana_api::{App, Caller, Ctx, Mode};
use bwana_testkit::Script;
use bwana_types::error::{ApiError, ErrorCode};
use serde_json::{Value, json};

use crate::common::{Home, PLAIN, call, file, settle};
use bwana_api::command::RunStart;
use bwana_api::runs::{StartOptions, StartRequest, What};

const OTHER: &str = r"
schema: bwana.agent/v1
id: reader
name: Reader
instructions: You read.
---
schema: bwana.workflow/v1
id: reading
name: Reading
agents: [reader]
steps: [Read]
";

async fn ask(app: &App, name: &str, params: Value) -> Result<Value, ApiError> {
    app.dispatch(Ctx::quiet(Caller::LocalUi), name, params)
        .await
}

async fn run(app: &App, text: &str, input: &str) {
    let request = StartRequest {
        what: What::File(file(text)),
        input: input.to_owned(),
        options: StartOptions::default(),
    };
    let started = call::<RunStart>(app, request).await.unwrap();
    settle(app, started.run).await;
}

#[tokio::test]
async fn runs_are_found_by_words_and_agents_and_counted() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let empty = home.open(Mode::Read);
    for (text, input) in [
        (PLAIN, "A bakery in Kisumu"),
        (PLAIN, "A garage in Eldoret"),
        (OTHER, "The bakery's books"),
    ] {
        run(&app, text, input).await;
    }
    let check = async |params: Value, titles: &[&str], total: u64| {
        let list = ask(&app, "run.list", params.clone()).await.unwrap();
        let found: Vec<&str> = list["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run["title"].as_str().unwrap())
            .collect();
        assert_eq!(found, titles, "{params}");
        assert_eq!(list["total"], total, "{params}");
    };
    let all = [
        "The bakery's books",
        "A garage in Eldoret",
        "A bakery in Kisumu",
    ];
    check(json!({}), &all, 3).await;
    check(json!({"text": ""}), &all, 3).await;
    check(json!({"limit": 1}), &all[..1], 3).await;
    check(json!({"text": "BAKERY"}), &[all[0], all[2]], 2).await;
    check(json!({"text": "bakery", "limit": 1}), &all[..1], 2).await;
    check(json!({"text": "%"}), &[], 0).await;
    check(json!({"agent": "writer"}), &all[1..], 2).await;
    check(json!({"agent": "nobody"}), &[], 0).await;
    check(json!({"agent": "writer", "text": "bakery"}), &all[2..], 1).await;
    check(json!({"agent": "writer", "status": ["failed"]}), &[], 0).await;
    check(json!({"workflow": "reading", "text": "a"}), &all[..1], 1).await;
    let unknown = ask(&app, "run.list", json!({"words": "x"})).await;
    assert_eq!(unknown.unwrap_err().code, ErrorCode::UsageInvalid);
    drop(empty);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_question_names_its_run_and_workflow_wherever_it_is_shown() {
    let home = Home::answering(Script::default().calls_once(
        "file.write",
        json!({"path": "a.txt", "content": "{digest}"}),
    ));
    let app = home.open(Mode::Drive);
    run(&app, PLAIN, "A bakery in Kisumu").await;
    let list = ask(&app, "tasks.list", json!({})).await.unwrap();
    let task = &list["tasks"][0];
    let one = ask(&app, "tasks.show", json!({"task": task["id"]}))
        .await
        .unwrap();
    let shown = ask(&app, "run.show", json!({"run": task["run"]}))
        .await
        .unwrap();
    for task in [task, &one, &shown["tasks"][0]] {
        assert_eq!(task["run_title"], "A bakery in Kisumu", "{task}");
        assert_eq!(task["workflow"], "notes", "{task}");
    }
    app.close().await.unwrap();
}

#[tokio::test]
async fn an_agents_tools_say_whether_their_use_is_asked_of_the_person() {
    let home = Home::new();
    home.file(
        "agents/worker.yaml",
        "schema: bwana.agent/v1\nid: worker\nname: Worker\ninstructions: You work.\n\
         tools: [file.write, http.get, webhook.send, time.now]\n",
    );
    let app = home.open(Mode::Drive);
    let panels = ask(&app, "agents.panels", json!({})).await.unwrap();
    let agents = panels["agents"].as_array().unwrap();
    let worker = agents.iter().find(|agent| agent["id"] == "worker").unwrap();
    let asks: Vec<(&str, bool)> = worker["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            (
                tool["name"].as_str().unwrap(),
                tool["asks"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        asks,
        [
            ("file.write", true),
            ("http.get", false),
            ("webhook.send", true),
            ("time.now", false)
        ]
    );
    app.close().await.unwrap();
}
