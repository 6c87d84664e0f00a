//! Trying workflows out, looking back, searching and writing a run down: what a person does besides starting one.

use bwana_api::command::{RunStart, TasksApprove};
use bwana_api::runs::{StartOptions, StartRequest, What};
use bwana_api::tasks::TaskRef;
use bwana_api::{App, Caller, Ctx, Mode, RunShown};
use bwana_testkit::EffectServer;
use bwana_testkit::script::{Say, Script, When};
use bwana_types::error::{ApiError, ErrorCode};
use serde_json::{Value, json};

use crate::common::{Home, PLAIN, call, file, settle, start, start_request};

async fn ask(app: &App, name: &str, params: Value) -> Result<Value, ApiError> {
    app.dispatch(Ctx::quiet(Caller::LocalUi), name, params)
        .await
}

async fn done(app: &App, text: &str, options: StartOptions) -> RunShown {
    let request = StartRequest {
        what: What::File(file(text)),
        input: String::from("A bakery in Kisumu"),
        options,
    };
    let started = call::<RunStart>(app, request).await.unwrap();
    settle(app, started.run).await
}

/// Three steps, each said to be what it is.
const THREE: &str = r"
schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write.
---
schema: bwana.workflow/v1
id: three
name: Three
agents: [writer]
steps:
  - {name: Collect, approve: plan}
  - Order
  - Write up
";

#[tokio::test]
async fn a_run_begins_in_the_middle_with_given_results_and_ends_where_it_is_told() {
    let sees = When {
        contains: Some(String::from("Flour, salt, Zucker")),
        ..When::default()
    };
    let home = Home::answering(Script::default().rule(sees, Say::text("I saw what was given.")));
    let app = home.open(Mode::Drive);
    let options = StartOptions {
        from: Some(String::from("order")),
        pinned: [(String::from("collect"), String::from("Flour, salt, Zucker"))].into(),
        only: true,
        ..StartOptions::default()
    };
    let run = done(&app, THREE, options).await;
    assert_eq!(run.status.as_str(), "done");
    assert_eq!(run.steps.len(), 2);
    assert!(run.steps[0].pinned && !run.steps[1].pinned);
    assert_eq!(run.steps[0].result.as_deref(), Some("Flour, salt, Zucker"));
    assert_eq!(run.steps[0].turns, 0);
    assert_eq!(run.model_calls, 1, "nobody worked on what was given");
    assert_eq!(run.result.as_deref(), Some("I saw what was given."));
    // The journal alone gives the same run again.
    let again = ask(&app, "run.replay", json!({"run": run.id}))
        .await
        .unwrap();
    assert_eq!(again["same"], true, "{again}");
}

#[tokio::test]
async fn a_trial_that_cannot_be_says_why() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let refused = async |options: StartOptions, words: &[&str]| {
        let request = StartRequest {
            options,
            ..start_request(THREE)
        };
        let error = call::<RunStart>(&app, request).await.unwrap_err();
        let said = format!("{} {}", error.message, error.hint);
        assert_eq!(error.code, ErrorCode::UsageInvalid, "{said}");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    };
    let from = |step: &str| StartOptions {
        from: Some(step.to_owned()),
        ..StartOptions::default()
    };
    let pinned = |step: &str, text: String, options: StartOptions| StartOptions {
        pinned: [(step.to_owned(), text)].into(),
        ..options
    };
    refused(from("bake"), &["'bake'", "`collect`, `order`, `write_up`"]).await;
    refused(
        pinned("collect", "x".into(), StartOptions::default()),
        &["from"],
    )
    .await;
    refused(
        pinned("write_up", "x".into(), from("order")),
        &["write_up", "`collect`"],
    )
    .await;
    refused(
        pinned("collect", "x".repeat(2 << 20), from("order")),
        &["2097152"],
    )
    .await;
    let only = StartOptions {
        only: true,
        ..StartOptions::default()
    };
    refused(only, &["from"]).await;
}

#[tokio::test]
async fn a_dry_run_writes_its_own_files_and_touches_nothing_else() {
    let hook = EffectServer::start().unwrap();
    let message = json!({"url": hook.url("hook"), "title": "News", "body": {"news": "x"}});
    let script = Script::default()
        .calls_once("webhook.send", message)
        .calls_once("person.ask", json!({"question": "Which?"}))
        .calls_once("file.write", json!({"path": "a.txt", "content": "hello"}));
    let home = Home::answering(script);
    let app = home.open(Mode::Drive);
    let team = |tool: &str| PLAIN.replace("file.write", tool);
    let dry = || StartOptions {
        dry_run: true,
        // Without a model, that of this machine would be taken.
        model: Some(String::from("near")),
        ..StartOptions::default()
    };
    for tool in ["webhook.send", "person.ask"] {
        let run = done(&app, &team(tool), dry()).await;
        assert_eq!(run.status.as_str(), "done", "{tool}");
        assert!(run.dry_run && run.tasks.is_empty(), "{tool}");
        assert_eq!(run.tool_calls, 0, "{tool}");
    }
    assert_eq!(hook.effects().total(), 0);
    let run = done(&app, &team("file.write"), dry()).await;
    assert!(
        run.artifacts.iter().any(|file| file.file == "a.txt"),
        "{:?}",
        run.artifacts
    );
    let no_model = StartRequest {
        options: StartOptions {
            dry_run: true,
            ..StartOptions::default()
        },
        ..start_request(PLAIN)
    };
    let error = call::<RunStart>(&app, no_model).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ProviderNoModel);
    assert!(error.hint.contains("bwana models pull"), "{}", error.hint);
}

#[tokio::test]
async fn a_run_is_seen_as_it_was_at_every_entry_and_nothing_is_called() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let run = done(&app, PLAIN, StartOptions::default()).await;
    let calls = home.model.counts().requests;
    let (mut spent, mut results) = (0, 0);
    for seq in 1..=run.head_seq {
        let at = ask(&app, "run.at", json!({"run": run.id, "seq": seq}))
            .await
            .unwrap();
        assert_eq!(
            (at["seq"].as_u64(), at["head"].as_u64()),
            (Some(seq), Some(run.head_seq))
        );
        let tokens = at["run"]["usage"]["input_tokens"].as_u64().unwrap();
        let now = at["results"].as_array().unwrap().len();
        assert!(tokens >= spent && now >= results, "{seq}: {at}");
        (spent, results) = (tokens, now);
    }
    let end = ask(&app, "run.at", json!({"run": run.id, "seq": 1_000_000}))
        .await
        .unwrap();
    assert_eq!(end["run"], serde_json::to_value(&run).unwrap());
    assert_eq!(end["results"].as_array().unwrap().len(), 2);
    assert_eq!(end["messages"].as_array().unwrap().len(), 2);
    assert_eq!(home.model.counts().requests, calls, "nothing was called");
    let none = ask(&app, "run.at", json!({"run": run.id, "seq": 0})).await;
    assert_eq!(none.unwrap_err().code, ErrorCode::UsageInvalid);
}

/// Two talks of so many rounds that the state of the run is kept between two looks.
const LONG: &str = r"
schema: bwana.agent/v1
id: one
name: One
instructions: You write.
tools: []
---
schema: bwana.agent/v1
id: two
name: Two
instructions: You write.
tools: []
---
schema: bwana.workflow/v1
id: long
name: Long
agents: [one, two]
steps:
  - {name: Talk, chat: {agents: [one, two], max_round: 200}}
  - {name: Talk again, reads: [], chat: {agents: [one, two], max_round: 200}}
";

#[tokio::test]
async fn a_long_run_that_is_looked_at_while_it_grows_is_what_its_journal_says() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let request = StartRequest {
        what: What::File(file(LONG)),
        input: String::from("A bakery in Kisumu"),
        options: StartOptions::default(),
    };
    let run = call::<RunStart>(&app, request).await.unwrap().run;
    let (mut looks, mut last) = (0, 0);
    let shown = loop {
        let shown = ask(&app, "run.show", json!({"run": run})).await.unwrap();
        let head = shown["head_seq"].as_u64().unwrap();
        assert!(head >= last, "{head} after {last}");
        looks += usize::from(head > last);
        last = head;
        if !["running", "stopping"].contains(&shown["status"].as_str().unwrap()) {
            break shown;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(shown["status"], "done", "{shown}");
    assert!(last > 1_500 && looks > 3, "{last} entries, {looks} looks");
    // What is on disk may be told a moment later. Folded from its beginning, and by another process.
    settle(&app, run).await;
    let at = ask(&app, "run.at", json!({"run": run, "seq": last})).await;
    assert_eq!(at.unwrap()["run"], shown);
    drop(app);
    let again = home.open(Mode::Read);
    let anew = ask(&again, "run.show", json!({"run": run})).await.unwrap();
    assert_eq!(anew, shown);
}

#[tokio::test]
async fn what_was_asked_said_and_written_is_found_where_it_stands() {
    let write = json!({"path": "plan.md", "content": "Le café ouvre à sept heures"});
    let home = Home::answering(Script::default().calls_once("file.write", write));
    let app = home.open(Mode::Own);
    let run = start(&app, PLAIN).await.run;
    // Both files wait for the person.
    for _ in 0..2 {
        let shown = settle(&app, run).await;
        let by = TaskRef {
            task: shown.tasks[0].id.to_string(),
        };
        call::<TasksApprove>(&app, by.into()).await.unwrap();
    }
    let shown = settle(&app, run).await;
    assert_eq!(shown.status.as_str(), "done");
    let find = async |app: &App, text: &str| {
        ask(app, "search.find", json!({"text": text}))
            .await
            .unwrap()
    };
    let reader = home.open(Mode::Read);
    for app in [&app, &reader] {
        let found = find(app, "kisu BAKERY").await;
        assert_eq!(found["ready"], true);
        let hit = &found["runs"][0];
        assert_eq!((&hit["run"], &hit["seq"]), (&json!(run), &json!(1)));
        let marked: Vec<_> = hit["snippet"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|piece| piece["hit"] == true)
            .collect();
        assert_eq!(marked.len(), 2, "{hit}");
        // Without accents, and by a word that is only begun.
        let found = find(app, "cafe ouv").await;
        assert_eq!(found["files"][0]["file"], "plan.md", "{found}");
        assert_eq!(
            found["files"].as_array().unwrap().len(),
            1,
            "each file once"
        );
        // In quotes it must stand so.
        assert_eq!(find(app, "\"ouvre café\"").await["files"], json!([]));
        for nothing in ["", "  ", "(", "\"", "zebra", "* OR NEAR("] {
            let found = find(app, nothing).await;
            let none = ["runs", "messages", "files"]
                .iter()
                .all(|kind| found[kind] == json!([]));
            assert!(none, "{nothing}: {found}");
        }
    }
    let said = shown.result.unwrap();
    let word = said
        .split_whitespace()
        .max_by_key(|word| word.len())
        .unwrap();
    let found = find(&app, word).await;
    let hit = &found["messages"][0];
    assert_eq!(hit["who"], "writer", "{word}: {found}");
    let entry = ask(&app, "run.entry", json!({"run": run, "seq": hit["seq"]}))
        .await
        .unwrap();
    assert_eq!(entry["kind"], "message_posted");
    app.close().await.unwrap();
    // A damaged index is no loss.
    drop((app, reader));
    home.file(
        "search.db",
        "this is no database, but long enough to be taken for one by nobody",
    );
    let app = home.open(Mode::Drive);
    assert_eq!(
        find(&app, "kisumu").await["runs"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_run_is_written_down_for_people_and_nothing_in_it_acts() {
    let script = Script::default().rule(
        When::default(),
        Say::text("Good **news** <script>alert(1)</script> ![p](https://canary.example/p.png)"),
    );
    let home = Home::answering(script);
    let app = home.open(Mode::Drive);
    let run = done(&app, PLAIN, StartOptions::default()).await;
    let page = async |format: &str| {
        ask(
            &app,
            "run.export_as",
            json!({"run": run.id, "format": format}),
        )
        .await
        .unwrap()
    };
    let text = page("markdown").await;
    assert_eq!(text["name"], "a-bakery-in-kisumu.md");
    let text = text["text"].as_str().unwrap();
    for part in [
        "# Notes",
        "> A bakery in Kisumu",
        "## Collect",
        "**Writer**",
        "Good **news**",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let html = page("html").await;
    let html = html["text"].as_str().unwrap();
    assert!(html.contains("<strong>news</strong>") && html.contains("default-src 'none'"));
    for never in ["<script", "<img", "canary.example"] {
        assert!(!html.contains(never), "{never}: {html}");
    }
}

#[tokio::test]
async fn an_exported_run_comes_back_as_text_and_a_broken_one_does_not() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let run = done(&app, PLAIN, StartOptions::default()).await;
    let document = ask(&app, "run.export", json!({"run": run.id}))
        .await
        .unwrap();
    let take = async |text: String| {
        ask(
            &app,
            "run.import_text",
            json!({"name": "a.bwana-run", "text": text}),
        )
        .await
    };
    let copy = take(document.to_string()).await.unwrap();
    assert_eq!(copy["result"], json!(run.result));
    assert_ne!(copy["id"], json!(run.id));
    let broken = document.to_string().replacen("run_created", "run_begun", 1);
    for text in [String::new(), String::from("{}"), broken] {
        let error = take(text).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::UsageInvalid);
        assert!(error.message.contains("a.bwana-run"), "{}", error.message);
    }
}

#[tokio::test]
async fn versions_are_kept_read_and_put_back() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let import = async |text: &str| {
        let request = json!({"file": {"name": "builtin", "text": text}});
        ask(&app, "definitions.import", request).await.unwrap()
    };
    import(PLAIN).await;
    import(&PLAIN.replace("Write up", "Sum up")).await;
    let of = json!({"kind": "workflow", "id": "notes"});
    let list = ask(&app, "definitions.versions", of.clone()).await.unwrap();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{list}");
    assert_eq!(
        (&items[0]["current"], &items[1]["current"]),
        (&json!(true), &json!(false))
    );
    assert_ne!(
        items[0]["source"], "builtin",
        "nobody's file passes for a shipped one"
    );
    let old = json!({"kind": "workflow", "id": "notes", "hash": items[1]["hash"]});
    let text = ask(&app, "definitions.version", old.clone()).await.unwrap();
    assert!(text["text"].as_str().unwrap().contains("Write up"));
    ask(&app, "definitions.restore", old.clone()).await.unwrap();
    let list = ask(&app, "definitions.versions", of.clone()).await.unwrap();
    let current: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["current"])
        .collect();
    assert_eq!(current, [true, false, false], "nothing is lost");
    let gone = ask(&app, "workflows.remove", json!({"id": "notes"}))
        .await
        .unwrap();
    assert_eq!(gone["shipped"], false);
    let shown = ask(&app, "workflows.show", json!({"id": "notes"})).await;
    assert_eq!(shown.unwrap_err().code, ErrorCode::UsageNotFound);
    ask(&app, "definitions.restore", old).await.unwrap();
    ask(&app, "workflows.show", json!({"id": "notes"}))
        .await
        .unwrap();
    // One that comes with the program is never away, and its first version reads as it was shipped.
    let shipped = json!({"kind": "workflow", "id": "business_setup"});
    let list = ask(&app, "definitions.versions", shipped.clone())
        .await
        .unwrap();
    let hash = list["items"][0]["hash"].clone();
    let text = ask(
        &app,
        "definitions.version",
        json!({"kind": "workflow", "id": "business_setup", "hash": hash}),
    );
    let export = ask(&app, "workflows.export", json!({"id": "business_setup"}));
    assert_eq!(text.await.unwrap()["text"], export.await.unwrap()["text"]);
    let gone = ask(&app, "workflows.remove", json!({"id": "business_setup"}))
        .await
        .unwrap();
    assert_eq!(gone["shipped"], true);
    for bad in [
        json!({"kind": "workflow", "id": "nope"}),
        json!({"kind": "agent", "id": "notes"}),
    ] {
        let error = ask(&app, "definitions.versions", bad).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::UsageNotFound);
    }
}

#[tokio::test]
async fn providers_on_this_machine_are_listed_by_name_and_taken_over_by_choice() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let found = ask(&app, "providers.found", json!({})).await.unwrap();
    assert!(found["variables"].is_array() && found["servers"].is_array());
    let strange = [
        json!({"variables": ["HOME"]}),
        json!({"servers": ["http://127.0.0.1:1/v1"]}),
        json!({"servers": ["https://elsewhere.example/v1"]}),
    ];
    for request in strange {
        let error = ask(&app, "providers.import", request.clone())
            .await
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::UsageNotFound, "{request}");
    }
    let nothing = ask(&app, "providers.import", json!({})).await.unwrap();
    assert_eq!(nothing, json!({"added": []}));
    let refused = app
        .dispatch(
            Ctx::quiet(Caller::LocalBrowser),
            "providers.found",
            json!({}),
        )
        .await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::PolicyNotYours);
}
