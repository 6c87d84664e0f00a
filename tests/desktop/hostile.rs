//! What a model could write to break out of a message, in the real web view: nothing is fetched, nothing runs, nothing is
//! called, nothing goes anywhere. The same texts as in `tests/ui/hostile.spec.ts`, whose control shows that they bite where
//! nobody holds them.

use std::fs;

use bwana_testkit::EffectServer;
use bwana_testkit::model_server::Options;
use bwana_testkit::script::{Say, Script, When};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::desk::Desk;

/// Texts in one message.
const TEXTS_PER_MESSAGE: usize = 12;
/// Stands for the server that counts what reaches it.
const CANARY: &str = "CANARY";

#[derive(Deserialize)]
struct Payload {
    name: String,
    text: String,
    /// Written so often; the long ones are for the layout, which is Chromium's test.
    times: Option<usize>,
}

fn messages(canary: &str) -> Vec<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile/payloads.json");
    let payloads: Vec<Payload> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let short: Vec<_> = payloads
        .into_iter()
        .filter(|payload| payload.times.is_none())
        .collect();
    assert!(short.len() >= 150, "{}", short.len());
    let text = |payload: &Payload| {
        format!(
            "Payload {}\n\n{}",
            payload.name,
            payload.text.replace(CANARY, canary)
        )
    };
    short
        .chunks(TEXTS_PER_MESSAGE)
        .map(|chunk| chunk.iter().map(text).collect::<Vec<_>>().join("\n\n"))
        .collect()
}

#[tokio::test]
async fn nothing_a_model_writes_breaks_out_of_its_message() {
    let Some(desk) = Desk::new() else { return };
    let canary = EffectServer::start().unwrap();
    let messages = messages(&canary.address().to_string());
    let mut script = Script::default();
    for (n, text) in messages.iter().enumerate() {
        let when = When {
            last: Some(format!("Hostile {n:03}")),
            ..When::default()
        };
        script = script.rule(when, Say::text(text.clone()));
    }
    let model = Options::scripted(script).start().unwrap();
    desk.provider(&model.url());
    let window = desk.drive(&[]).await;
    window.see("Home").await;
    let steps: Vec<_> = (0..messages.len())
        .map(|n| format!("Hostile {n:03}"))
        .collect();
    let text = format!(
        "schema: bwana.agent/v1\nid: mallory\nname: Mallory\ninstructions: You write.\ntools: []\n---\n\
         schema: bwana.workflow/v1\nid: hostile\nname: Hostile\nagents: [mallory]\nsteps: [{}]\n",
        steps.join(", ")
    );
    let file = json!({"name": "hostile.yaml", "text": text});
    window
        .rpc("definitions.import", json!({"file": file}))
        .await;
    let what = json!({"workflow": "hostile"});
    let started = window
        .rpc("run.start", json!({"what": what, "input": messages[0]}))
        .await;
    let run = started["run"]
        .as_str()
        .unwrap_or_else(|| panic!("{started}"))
        .to_owned();
    window.until_status(&run, "done").await;
    let programs = desk.processes().1.len();
    let run_at = |query: &str| format!("/run/{run}{query}");
    let screens = [
        ("chat", run_at("")),
        ("timeline", run_at("?lens=timeline")),
        ("events", run_at("?lens=events")),
        ("runs", String::from("/runs")),
        ("usage", String::from("/usage")),
        ("workflows", String::from("/workflows")),
    ];
    for (lens, place) in &screens {
        window.visit(place).await;
        window
            .see(if *lens == "usage" { "Usage" } else { "Hostile" })
            .await;
        // Every call the page makes from here on is counted.
        let count = "window.rpcs = []; const invoke = window.__TAURI_INTERNALS__.invoke;
            try { window.__TAURI_INTERNALS__.invoke = (name, args, more) => { window.rpcs.push(args?.name ?? name); return invoke(name, args, more); }; } catch {}";
        window.js(count, Vec::new()).await;
        // From the end to the beginning, so that every message is drawn.
        for step in 0..60 {
            let scroll = "for (const one of document.querySelectorAll('*'))
                if (one.scrollHeight > one.clientHeight + 40) one.scrollTop = Math.max(0, one.scrollTop - one.clientHeight * 0.8);
              return document.querySelector('[data-seq=\"1\"]') !== null || document.body.innerText.includes('Payload')";
            let seen = window.js(scroll, Vec::new()).await;
            assert!(seen.get("error").is_none(), "step {step}: {seen}");
        }
        desk.picture(&format!("hostile-{lens}"));
        let pwned = window
            .js(
                "return window.__pwned ?? top.__pwned ?? ({}).pwned ?? null",
                Vec::new(),
            )
            .await;
        assert_eq!(pwned, Value::Null, "a script ran in {lens}");
        assert_eq!(
            window.js("return window.breaches", Vec::new()).await,
            json!([]),
            "{lens}"
        );
        let elements = "return [...document.querySelectorAll('iframe, object, embed, form[action], link[rel=stylesheet][href^=http], meta[http-equiv], base, script:not([src^=\"/\"]):not([src^=\"tauri\"])')].map((one) => one.outerHTML.slice(0, 80))";
        assert_eq!(window.js(elements, Vec::new()).await, json!([]), "{lens}");
        let calls = window
            .js("return [...new Set(window.rpcs)]", Vec::new())
            .await;
        for call in calls.as_array().into_iter().flatten() {
            let reads = [
                "run.",
                "call.",
                "changes.",
                "drafts.",
                "agents.",
                "shell.view",
                "workflows.",
                "usage.",
                "budget.show",
                "settings.show",
                "home.show",
            ];
            let name = call.as_str().unwrap_or_default();
            assert!(
                reads.iter().any(|start| name.starts_with(start)),
                "{lens}: the page called {call}"
            );
            assert!(
                !["run.start", "run.cancel", "run.fork", "run.say"].contains(&name),
                "{lens}: {call}"
            );
        }
        assert_eq!(window.place().await, *place, "the page went somewhere else");
    }
    assert_eq!(
        canary.effects().total(),
        0,
        "{:?}",
        canary.effects().received
    );
    assert_eq!(
        desk.processes().1.len(),
        programs,
        "another page or program was opened"
    );
}
