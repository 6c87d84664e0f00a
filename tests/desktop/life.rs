//! The program's life around its window: the page that dies and comes back, the tray, a click on a notification, and
//! leaving.

use std::fs;

use bwana_testkit::Script;
use bwana_testkit::model_server::Options;
use serde_json::json;

use crate::desk::{Desk, Driven, pages, until};
use crate::ended::Ended;

/// One agent, one step.
const NOTES: &str = "schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write.
tools: [file.write]
---
schema: bwana.workflow/v1
id: notes
name: Notes
agents: [writer]
steps: [Collect]
";

pub(crate) async fn start_notes(window: &Driven) -> String {
    let what = json!({"file": {"name": "notes.yaml", "text": NOTES}});
    let started = window
        .rpc("run.start", json!({"what": what, "input": "What we sell"}))
        .await;
    started["run"]
        .as_str()
        .unwrap_or_else(|| panic!("{started}"))
        .to_owned()
}

#[tokio::test]
async fn a_page_whose_process_ends_is_back_where_it_was() {
    let Some(mut desk) = Desk::new() else { return };
    let window = desk.drive(&[]).await;
    window.see("Home").await;
    window.press("Agents").await;
    window.see("Operations Agent").await;
    let (program, _) = desk.processes();
    // The driver's session ends with the page; from here on a screen reader looks for us.
    let before = pages(&desk);
    assert_eq!(before.len(), 1, "the small window has no page yet");
    desk.command("kill")
        .args(["-9", &before[0].to_string()])
        .status()
        .unwrap();
    until("another process draws the page", || {
        let now = pages(&desk);
        now.len() == 1 && !now.contains(&before[0])
    });
    desk.hear("Operations Agent");
    assert_eq!(desk.processes().0, program, "the program itself went on");
}

#[test]
fn a_page_that_never_lives_ends_in_words() {
    let Some(mut desk) = Desk::new() else { return };
    // A system whose graphics are broken: every page of WebKitGTK ends at once. Plain drawing is on already, or it would
    // be tried first.
    let mut program = desk.program();
    program.env("__EGL_VENDOR_LIBRARY_FILENAMES", "/dev/null");
    program.env("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
    let mut program = Ended::of(&mut program);
    desk.hear("Bwana Desktop cannot draw its window");
    desk.picture("no-page");
    let tried = log(&desk).matches("a page's process ended").count();
    assert_eq!(tried, 4, "a few times, and not for ever");
    desk.press_key("Return");
    let code = program.until_end("it ends with the box");
    assert_eq!(code, Some(1));
}

#[test]
fn a_data_folder_in_use_is_said_in_a_box() {
    let Some(mut desk) = Desk::new() else { return };
    let _owner = desk.serve();
    let mut program = Ended::of(&mut desk.program());
    desk.hear("is in use by another program");
    desk.picture("in-use");
    desk.press_key("Return");
    let code = program.until_end("it ends with the box");
    assert_eq!(code, Some(1));
    // Looking is possible all the same, as the box says; also while another box is still open.
    let _box = Ended::of(&mut desk.program());
    desk.hear("is in use by another program");
    let _looks = Ended::of(desk.program().arg("--safe"));
    desk.hear("Not now");
}

/// All the program has written into its logs.
fn log(desk: &Desk) -> String {
    let files = fs::read_dir(desk.home().join("logs"));
    let texts = files.into_iter().flatten().flatten();
    texts
        .filter_map(|file| fs::read_to_string(file.path()).ok())
        .collect()
}

#[tokio::test]
async fn a_question_is_in_the_tray_and_a_notification_and_a_click_leads_to_it() {
    let Some(mut desk) = Desk::new() else { return };
    let args = json!({"path": "a.txt", "content": "hello"});
    let script = Script::default().calls_once("file.write", args);
    let model = Options::scripted(script).start().unwrap();
    desk.provider(&model.url());
    let window = desk.drive(&[]).await;
    window.see("Home").await;
    start_notes(&window).await;

    desk.until_menu("Waiting for you (1)");
    let notice = desk.until_notice();
    assert!(notice.1.contains("file.write"), "{}", notice.1);
    assert!(
        !notice.1.contains("hello"),
        "nothing of the content: {}",
        notice.1
    );
    window.press("Agents").await;
    desk.click_notice(notice.0);
    window
        .until_place("the question is shown", |place| {
            place.starts_with("/waiting?task=")
        })
        .await;
    window.see("file.write").await;
    desk.picture("notice-clicked");

    // From the tray too.
    window.press("Agents").await;
    desk.choose("Waiting for you");
    window
        .until_place("what waits is shown", |place| place.starts_with("/waiting"))
        .await;

    // Answered here, it is gone there.
    let tasks = window.rpc("tasks.list", json!({})).await;
    let id = tasks["tasks"][0]["id"].clone();
    let denied = window.rpc("tasks.deny", json!({"task": id})).await;
    assert_eq!(denied["status"], "decided", "{denied}");
    desk.until_no_notice();
    desk.until_menu("Waiting for you (0)");

    // Leaving from the tray, with nothing at work, asks nothing.
    desk.choose("Quit");
    until("the program is gone", || desk.processes().0.is_none());
}
