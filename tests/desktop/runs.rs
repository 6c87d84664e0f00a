//! A run as a person lives with it: asked for, watched, stopped, left and taken up again; and one asked for in passing.

use std::fs;

use bwana_testkit::Script;
use bwana_testkit::model_server::Options;
use serde_json::json;

use crate::desk::{Desk, pages, until};

/// Of the main window, in pixels.
const MAIN_WIDTH: u32 = 1_200;
/// Of the quick window, in pixels.
const QUICK_WIDTH: u32 = 420;
/// Names the file of a small model for real inference.
const TEST_MODEL: &str = "BWANA_TEST_MODEL";

#[tokio::test]
async fn a_run_on_the_local_model_streams_is_paused_and_goes_on_after_a_restart() {
    let Some(mut desk) = Desk::new() else { return };
    let Some(model) = std::env::var_os(TEST_MODEL) else {
        eprintln!(
            "SKIPPED: a run on the local model in the window\n  because: {TEST_MODEL} names no model file"
        );
        return;
    };
    desk.env("BWANA_MODEL_PATH", &model.to_string_lossy());
    let window = desk.drive(&[]).await;
    window.see("What should the team do?").await;
    window
        .write(
            "What should the team do?",
            "/business_setup A bakery in Kisumu wants to take orders by phone",
        )
        .await;
    window.see("Complete Business Setup").await;
    desk.picture("home-plan");
    window.press("Run").await;
    let place = window
        .until_place("the run is shown", |place| place.starts_with("/run/"))
        .await;
    let run = place["/run/".len()..].split('?').next().unwrap().to_owned();
    // Words of a call that is not finished.
    window
        .until("text on its way", |window| {
            Box::pin(async move {
                let partial = "return [...document.querySelectorAll('[role=log] .text')].some((one) => one.innerText.trim().length > 20)";
                window.js(partial, Vec::new()).await == json!(true)
            })
        })
        .await;
    desk.picture("run-streams");
    window.press("Pause").await;
    window.until_status(&run, "paused").await;
    let before = window.rpc("run.show", json!({"run": run})).await;
    // A call is still under way, so leaving asks how.
    desk.choose("Quit");
    window.press("Pause and quit").await;
    until("the program is gone", || desk.processes().0.is_none());
    drop(window);

    // Started again, it is there, and goes on.
    let window = desk.drive(&[&format!("bwana://v1/run/{run}")]).await;
    window
        .until_place("the run is shown", |place| place.contains(&run))
        .await;
    window.see("Paused").await;
    let after = window.rpc("run.show", json!({"run": run})).await;
    assert!(
        after["head_seq"].as_u64() >= before["head_seq"].as_u64(),
        "{after}"
    );
    window.press("Resume").await;
    let more = before["model_calls"].as_u64().unwrap() + 1;
    window
        .until("it goes on", |window| {
            let run = run.clone();
            Box::pin(async move {
                let shown = window.rpc("run.show", json!({"run": run})).await;
                shown["model_calls"].as_u64() >= Some(more)
            })
        })
        .await;
    desk.picture("run-resumed");
    // Stopped for good, the work is left as it is.
    window.rpc("run.cancel", json!({"run": run})).await;
    window.until_status(&run, "cancelled").await;
}

#[tokio::test]
async fn the_tray_opens_a_small_window_that_asks_the_team_in_passing() {
    let Some(mut desk) = Desk::new() else { return };
    let model = Options::scripted(Script::default()).start().unwrap();
    desk.provider(&model.url());
    let window = desk.drive(&[]).await;
    window.see("Home").await;
    // The menu is opened now; a run comes into it and goes again before anything is chosen from it.
    let quit = desk.entry("Quit");
    model.hold();
    desk.choose("Ask the team");
    desk.hear("Ask the team");
    desk.picture("quick");
    // Typed on the keyboard, as the window has it.
    desk.until_front(QUICK_WIDTH);
    desk.until_focused("Ask the team");
    desk.type_words("What should we bake on Monday?");
    desk.picture("quick-typed");
    desk.press_key("Return");
    let other = "return document.getElementById('composer').value";
    assert_eq!(
        window.js(other, Vec::new()).await,
        json!(""),
        "the main window has heard nothing of it"
    );
    window.visit("/runs").await;
    window.see("What should we bake on Monday?").await;
    desk.picture("quick-asked");

    let runs = window.rpc("run.list", json!({})).await;
    let asked = runs["runs"][0]["id"].as_str().unwrap().to_owned();
    desk.entry("What should we bake on Monday?");
    model.open();
    window.until_status(&asked, "done").await;
    desk.until_menu("Nothing is running");

    // Whoever has used it has it ahead from the next start on.
    desk.choose_seen(&quit);
    until("the program is gone", || desk.processes().0.is_none());
    drop(window);
    let _again = desk.drive(&[]).await;
    until("its page is made ahead", || pages(&desk).len() == 2);
}

#[tokio::test]
async fn keys_for_everywhere_call_the_small_window() {
    let Some(mut desk) = Desk::new() else { return };
    let keys = "[window]\nglobal_shortcut = \"Ctrl+Alt+B\"\n";
    fs::write(desk.home().join("settings.toml"), keys).unwrap();
    let window = desk.drive(&[]).await;
    window.see("Home").await;
    desk.press_key("ctrl+alt+b");
    desk.until_front(QUICK_WIDTH);
    desk.until_focused("Ask the team");
    desk.press_key("Escape");
    desk.until_front(MAIN_WIDTH);
    // Others may be chosen while it runs.
    window
        .rpc("shell.shortcut", json!({"keys": "Ctrl+Alt+K"}))
        .await;
    desk.press_key("ctrl+alt+k");
    desk.until_front(QUICK_WIDTH);
}
