//! What a window asks beside runs: files of a run, what the program is, what it has to say.

use bwana_api::{App, Caller, Ctx, Mode};
use bwana_testkit::Script;
use bwana_types::error::{ApiError, ErrorCode};
use serde_json::{Value, json};

use crate::common::{Home, PLAIN, call, settle, start};
use bwana_api::command::TasksApprove;
use bwana_api::tasks::TaskRef;

/// A document with characters of several bytes.
const TEXT: &str = "Ẹ ku ọjọ́, ɓaƙi! مرحبا";

async fn ask(app: &App, name: &str, params: Value) -> Result<Value, ApiError> {
    app.dispatch(Ctx::quiet(Caller::LocalBrowser), name, params)
        .await
}

/// A run that wrote `notes/a.md`.
async fn written(home: &Home) -> (App, String) {
    let app = home.open(Mode::Own);
    let text = PLAIN.replace("steps: [Collect, Write up]", "steps: [Collect]");
    let started = start(&app, &text).await;
    let shown = settle(&app, started.run).await;
    let by = TaskRef {
        task: shown.tasks[0].id.to_string(),
    };
    call::<TasksApprove>(&app, by.into()).await.unwrap();
    settle(&app, started.run).await;
    (app, started.run.to_string())
}

fn writes() -> Home {
    Home::answering(
        Script::default().calls_once("file.write", json!({"path": "notes/a.md", "content": TEXT})),
    )
}

#[tokio::test]
async fn a_file_of_a_run_is_read_in_pieces_that_join_to_the_whole() {
    let home = writes();
    let (app, run) = written(&home).await;
    for limit in [0, 4, 5, 7, 1_000_000] {
        let (mut text, mut offset) = (String::new(), 0);
        loop {
            let params =
                json!({"run": run, "file": "notes/a.md", "offset": offset, "limit": limit});
            let piece = ask(&app, "artifacts.read", params).await.unwrap();
            text += piece["text"].as_str().unwrap();
            assert_eq!(piece["bytes"], TEXT.len(), "{piece}");
            assert_eq!(piece["mime"], "text/markdown");
            assert_eq!(piece["changed"], false);
            offset = piece["next"].as_u64().unwrap();
            if piece["more"] == false {
                break;
            }
        }
        assert_eq!(text, TEXT, "in pieces of {limit}");
    }
    let within = json!({"run": run, "file": "notes/a.md", "offset": 1, "limit": 4});
    let piece = ask(&app, "artifacts.read", within).await.unwrap();
    assert!(
        piece.get("text").is_none() && piece["base64"].is_string(),
        "{piece}"
    );
    app.close().await.unwrap();
}

#[tokio::test]
async fn only_what_a_run_lists_is_read_and_no_link_is_followed() {
    let home = writes();
    let (app, run) = written(&home).await;
    let folder = home.path().join("artifacts").join(&run);
    std::fs::write(folder.join("unlisted.txt"), "x").unwrap();
    let check = async |file: &str, expected: ErrorCode| {
        let params = json!({"run": run, "file": file});
        let refused = ask(&app, "artifacts.read", params).await.unwrap_err();
        assert_eq!(refused.code, expected, "{file}: {}", refused.message);
        assert!(!refused.message.contains("canary"), "{}", refused.message);
    };
    for file in [
        "unlisted.txt",
        "../../settings.toml",
        "notes/../notes/a.md",
        "/etc/passwd",
        "notes",
        "",
        "NOTES/A.md",
    ] {
        check(file, ErrorCode::UsageNotFound).await;
    }
    let place = folder.join("notes/a.md");
    let piece = async || {
        let params = json!({"run": run, "file": "notes/a.md"});
        ask(&app, "artifacts.read", params).await
    };
    std::fs::write(&place, TEXT.replace('!', "?")).unwrap();
    assert_eq!(
        piece().await.unwrap()["changed"],
        true,
        "as long, but another"
    );
    std::fs::write(&place, "\0\0").unwrap();
    let bytes = piece().await.unwrap();
    assert_eq!(
        (&bytes["base64"], &bytes["changed"]),
        (&json!("AAA="), &json!(true))
    );
    #[cfg(unix)]
    {
        let outside = home.path().join("canary.md");
        std::fs::write(&outside, "a canary").unwrap();
        std::fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink(&outside, &place).unwrap();
        check("notes/a.md", ErrorCode::UsageInvalid).await;
        // Nor if a folder on the way is one.
        std::fs::remove_dir_all(folder.join("notes")).unwrap();
        std::fs::create_dir(home.path().join("other")).unwrap();
        std::fs::write(home.path().join("other/a.md"), "a canary").unwrap();
        std::os::unix::fs::symlink(home.path().join("other"), folder.join("notes")).unwrap();
        let refused = piece().await.unwrap_err();
        assert!(!refused.message.contains("canary"), "{}", refused.message);
        std::fs::remove_file(folder.join("notes")).unwrap();
    }
    check(
        "notes/a.md",
        if cfg!(unix) {
            ErrorCode::UsageNotFound
        } else {
            ErrorCode::Internal
        },
    )
    .await;
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_look_at_files_makes_none_and_disturbs_nobody() {
    let home = writes();
    let (app, run) = written(&home).await;
    let folder = home.path().join("artifacts").join(&run);
    let under_way = folder.join(".writing-1-1");
    std::fs::write(&under_way, "half").unwrap();
    let reader = home.open(Mode::Read);
    let params = json!({"run": run, "file": "notes/a.md"});
    ask(&reader, "artifacts.read", params.clone())
        .await
        .unwrap();
    assert!(under_way.exists(), "another process may be writing it");
    std::fs::remove_dir_all(&folder).unwrap();
    let gone = ask(&reader, "artifacts.read", params).await.unwrap_err();
    assert_eq!(gone.code, ErrorCode::UsageNotFound);
    assert!(!folder.exists());
    app.close().await.unwrap();
}

#[tokio::test]
async fn the_program_says_what_it_is_and_what_it_is_made_with() {
    let home = Home::new();
    let nothing = ask(&home.open(Mode::Read), "app.about", json!({}))
        .await
        .unwrap();
    assert_eq!(nothing["database_bytes"], Value::Null);
    let app = home.open(Mode::Own);
    let about = ask(&app, "app.about", json!({})).await.unwrap();
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(about["home"], home.path().display().to_string());
    assert!(about["database_bytes"].as_u64().unwrap() > 4_096, "{about}");
    assert!(about["database_format"].as_i64().unwrap() >= 3);
    let licences = about["licences"].as_array().unwrap();
    let licence = |name: &str| {
        let found = licences.iter().find(|one| one["name"] == name);
        found.map(|one| one["licence"].as_str().unwrap())
    };
    assert_eq!(licence("tokio"), Some("MIT"));
    assert_eq!(licence("svelte"), Some("MIT"));
    assert!(licences.iter().all(|one| one["licence"] != ""));
    app.close().await.unwrap();
}

#[tokio::test]
async fn the_last_lines_of_the_log_come_without_secrets() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let tail = async |lines: u64| {
        let tail = ask(&app, "logs.tail", json!({"lines": lines}))
            .await
            .unwrap();
        serde_json::from_value::<Vec<String>>(tail["lines"].clone()).unwrap()
    };
    assert!(tail(0).await.is_empty());
    home.file("logs/bwana.2026-11-24.log", "one\ntwo\n");
    home.file(
        "logs/bwana.2026-11-25.log",
        "three sk-ant-api03-Zq8wT5nB2kLx7Rv4Hd9Jm1Cf6Gp3Sy0Ua_Ee-Ww\nfour\n",
    );
    home.file("logs/crash.log", "a panic\n");
    assert_eq!(tail(1).await, ["four"]);
    let all = tail(0).await;
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!((all[0].as_str(), all[3].as_str()), ("one", "four"));
    assert!(
        all[2].starts_with("three ") && !all[2].contains("Zq8wT5nB2k"),
        "{all:?}"
    );
    app.close().await.unwrap();
}
