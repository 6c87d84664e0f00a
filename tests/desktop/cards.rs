//! Every kind of question a run can have, answered in the real window, each exactly once.

use std::time::Duration;

use bwana_testkit::EffectServer;
use bwana_testkit::effects::After;
use bwana_testkit::model_server::Options;
use bwana_testkit::script::{Say, Script, When};
use serde_json::{Value, json};

use crate::desk::{Desk, Driven};

/// A team for one kind of question; `STEP` and `TOOLS` are filled in.
const TEAM: &str = "schema: bwana.agent/v1
id: clerk
name: Clerk
instructions: You are a clerk.
tools: [TOOLS]
---
schema: bwana.workflow/v1
id: errand
name: Errand
agents: [clerk]
steps: [STEP]
";

/// A card hears nothing for half a second after it has come, so that no press meant for something else answers it.
const SETTLES: Duration = Duration::from_millis(700);

pub(crate) async fn answer(window: &Driven, name: &str) {
    tokio::time::sleep(SETTLES).await;
    window.press(name).await;
}

/// The tool is called once by whoever is offered it.
fn once(script: Script, tool: &str, args: Value) -> Script {
    let when = When {
        offered: Some(tool.to_owned()),
        results: Some(0),
        schema: Some(false),
        ..When::default()
    };
    script.rule(when, Say::call(tool, args))
}

struct Errand {
    tools: &'static str,
    step: &'static str,
    input: &'static str,
}

impl Errand {
    async fn start(&self, window: &Driven) -> String {
        let text = TEAM.replace("TOOLS", self.tools).replace("STEP", self.step);
        let request = json!({
            "what": {"file": {"name": "errand.yaml", "text": text}},
            "input": self.input,
        });
        let started = window.rpc("run.start", request).await;
        let run = started["run"].as_str();
        run.unwrap_or_else(|| panic!("{started}")).to_owned()
    }
}

#[tokio::test]
async fn a_card_of_each_kind_is_answered_once() {
    let Some(desk) = Desk::new() else { return };
    let hook = EffectServer::start().unwrap();
    let message =
        json!({"url": hook.url("hook"), "title": "News", "body": {"news": "open on Sundays"}});
    let question = json!({"question": "Which colour?", "choices": ["Red", "Green"]});
    let script = once(Script::default(), "webhook.send", message);
    let script = once(script, "person.ask", question);
    let script = once(
        script,
        "file.write",
        json!({"path": "a.txt", "content": "hello"}),
    );
    let model = Options::scripted(script).start().unwrap();
    desk.settings(
        &model.url(),
        &format!("[egress]\nprivate_hosts = [\"{}\"]\n", hook.address()),
    );
    let window = desk.drive(&[]).await;
    window.see("Home").await;

    // Allowed: the tool runs once.
    let errand = Errand {
        tools: "file.write",
        step: "Write it down",
        input: "A note",
    };
    let run = errand.start(&window).await;
    window.visit("/waiting").await;
    window.see("file.write").await;
    desk.picture("card-approve");
    answer(&window, "Allow once").await;
    window.until_status(&run, "done").await;
    let decided = decisions(&window, &run).await;
    assert_eq!(decided, ["approve"]);

    // A plan: the step starts when the person says so.
    let step = "{name: Count, approve: plan}";
    let errand = Errand {
        tools: "",
        step,
        input: "The loaves",
    };
    let run = errand.start(&window).await;
    window.see("is about to start").await;
    desk.picture("card-plan");
    answer(&window, "Start the step").await;
    window.until_status(&run, "done").await;
    assert_eq!(decisions(&window, &run).await, ["approve"]);

    // A question: the person's words are the result.
    let errand = Errand {
        tools: "person.ask",
        step: "Choose",
        input: "A colour",
    };
    let run = errand.start(&window).await;
    window.see("Which colour?").await;
    desk.picture("card-answer");
    window.write("Your answer", "Green, like the door").await;
    answer(&window, "Answer").await;
    window.until_status(&run, "done").await;
    assert_eq!(decisions(&window, &run).await, ["answer"]);

    // A message: allowed with two presses, and lost on its way. The person knows that it arrived.
    hook.then(After::Drop);
    let errand = Errand {
        tools: "webhook.send",
        step: "Tell them",
        input: "News",
    };
    let run = errand.start(&window).await;
    window.see("webhook.send").await;
    desk.picture("card-contact");
    answer(&window, "Allow once").await;
    window.see("Press again").await;
    assert_eq!(hook.effects().total(), 0, "one press sends nothing");
    window.press("Press again").await;
    window.see("It is not known whether").await;
    desk.picture("card-uncertain");
    assert_eq!(hook.effects().total(), 1);
    answer(&window, "It happened already").await;
    window.until_status(&run, "done").await;
    assert_eq!(
        decisions(&window, &run).await,
        ["approve", "happened_already"]
    );
    assert_eq!(hook.effects().total(), 1, "nothing is sent twice");
    window.see("Nothing waits for you").await;
}

/// A provider in the house, reached through a proxy: this machine's own are free, so nothing would be asked there.
#[tokio::test]
async fn an_unknown_price_is_asked_about_before_money_is_at_stake() {
    let Some(mut desk) = Desk::new() else { return };
    let model = Options::scripted(Script::default()).start().unwrap();
    let url = model.url();
    desk.env("http_proxy", url.trim_end_matches("/v1"));
    desk.env("no_proxy", "127.0.0.1,localhost");
    desk.settings("http://models.house.internal/v1", "");
    let window = desk.drive(&[]).await;
    window.see("Home").await;
    let text = TEAM.replace("TOOLS", "").replace("STEP", "Count");
    let request = json!({
        "what": {"file": {"name": "errand.yaml", "text": text}},
        "input": "The loaves",
        "options": {"budget_usd": "1.00"},
    });
    let started = window.rpc("run.start", request).await;
    let run = started["run"]
        .as_str()
        .unwrap_or_else(|| panic!("{started}"));
    window.visit("/waiting").await;
    window.see("Nobody knows what").await;
    desk.picture("card-price");
    assert_eq!(
        model.counts().requests,
        0,
        "nothing is asked before the answer"
    );
    answer(&window, "Go on").await;
    window.until_status(run, "done").await;
    assert_eq!(decisions(&window, run).await, ["approve"]);
    assert!(model.counts().requests > 0);
}

/// The verdicts in a run's journal.
async fn decisions(window: &Driven, run: &str) -> Vec<String> {
    let shown = window
        .rpc("run.window", json!({"run": run, "limit": 400}))
        .await;
    let entries = shown["entries"]
        .as_array()
        .unwrap_or_else(|| panic!("{shown}"));
    let decided = entries
        .iter()
        .filter(|entry| entry["kind"] == "task_decided");
    let verdicts = decided.map(|entry| &entry["body"]["verdict"]["kind"]);
    verdicts
        .map(|kind| kind.as_str().unwrap_or_default().to_owned())
        .collect()
}
