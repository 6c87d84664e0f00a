//! What the real window shows on each screen: every control has a name a screen reader can say, and no page breaks its
//! policy.

use bwana_testkit::Script;
use bwana_testkit::model_server::Options;
use serde_json::json;

use crate::desk::Desk;
use crate::life::start_notes;

/// Roles a person can do something with.
const CONTROLS: &[&str] = &[
    "push button",
    "toggle button",
    "check box",
    "radio button",
    "entry",
    "password text",
    "combo box",
    "link",
    "menu item",
    "page tab",
    "slider",
    "spin button",
    "switch",
];

#[tokio::test]
async fn every_control_of_every_screen_has_a_name_and_no_page_breaks_its_policy() {
    let Some(mut desk) = Desk::new() else { return };
    let script =
        Script::default().calls_once("file.write", json!({"path": "a.txt", "content": "hello"}));
    let model = Options::scripted(script).start().unwrap();
    desk.provider(&model.url());
    let window = desk.drive(&[]).await;
    window.see("Home").await;
    let run = start_notes(&window).await;
    let run_place = format!("/run/{run}");
    let screens = [
        ("/home", "Today"),
        ("/waiting", "file.write"),
        ("/runs", "What we sell"),
        (run_place.as_str(), "What we sell"),
        ("/agents", "Operations Agent"),
        ("/agents/operations", "Operations Agent"),
        ("/connections/providers", "scripted"),
        ("/settings/general", "Settings"),
        ("/settings/appearance", "Settings"),
        ("/settings/privacy", "Settings"),
    ];
    for (place, text) in screens {
        window.visit(place).await;
        window.see(text).await;
        desk.picture(&format!(
            "screen{}",
            place.replace('/', "-").replace(&run, "id")
        ));
        let controls = desk.until_controls(CONTROLS);
        let unnamed: Vec<_> = controls
            .iter()
            .filter(|(_, name)| name.is_empty())
            .collect();
        assert!(
            unnamed.is_empty(),
            "{place}: controls without a name: {unnamed:?}"
        );
        assert!(controls.len() >= 7, "{place}: only {controls:?}");
        let breaches = window.js("return window.breaches", Vec::new()).await;
        assert_eq!(breaches, json!([]), "{place}");
    }
}
