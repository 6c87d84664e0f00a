//! What a person may hand to somebody who helps: everything that helps, and nothing that is nobody's business.

use crate::common::{NOTES, Stage, text};

/// Has the shape of a key, in two halves so that nobody takes this file for a leak.
const SHAPED: &str = concat!("sk-ant-", "api03-Zq8wT5nB2kLx7Rv4Hd9Jm1Cf6Gp3Sy0Ua_Ee-Ww");
/// A key of this program, without the shape of one.
const KNOWN: &str = "plain words of an old friend";
/// A key that somebody put into an address.
const IN_ADDRESS: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// What a run is about.
const SAID: &str = "Wanjiku owes the bakery 4,000";

/// A data folder in which keys lie about, and a run.
fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.bwana = stage.bwana.env("FAR_KEY", KNOWN);
    let address = format!("http://127.0.0.1:9/{IN_ADDRESS}/v1");
    let add = ["providers", "add", "far", "--base-url", &address];
    stage
        .bwana
        .run(add.iter().chain(&["--key-env", "FAR_KEY", "--model", "m"]))
        .expect_code(0);
    let notes = stage.bwana.file("notes.yaml", NOTES);
    let run = ["run", notes.to_str().unwrap(), "--input", SAID];
    stage.bwana.run(run).expect_code(0);
    let logs = stage.bwana.home().join("logs");
    std::fs::create_dir_all(&logs).unwrap();
    let lines = format!("a call with {SHAPED} failed\nit was {KNOWN}\nasked {address}\n");
    std::fs::write(logs.join("bwana.2026-11-25.log"), lines).unwrap();
    std::fs::write(
        logs.join("crash.log"),
        format!("panicked at {KNOWN} {SHAPED}\n"),
    )
    .unwrap();
    stage
}

#[test]
fn it_says_what_helps_and_no_secret_and_no_word_of_a_run() {
    let stage = stage();
    let text = text(&stage.bwana.run(["diagnostics"]).expect_code(0));
    for secret in [SHAPED, KNOWN, IN_ADDRESS, SAID, "Wanjiku"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    for told in [
        "== program",
        "== settings",
        "== findings",
        "== data",
        "== log",
        "== crashes",
        env!("CARGO_PKG_VERSION"),
        "provider far: ",
        "http://127.0.0.1:9,",
        "env:FAR_KEY",
        "database format ",
        "runs done: 1",
        "a call with ",
        "asked http://127.0.0.1:9",
        "panicked at ",
    ] {
        assert!(text.contains(told), "no {told} in {text}");
    }
}

#[test]
fn it_is_written_where_the_person_says_and_over_nothing() {
    let stage = Stage::new();
    let file = stage.bwana.folder().join("report.txt");
    let path = file.to_str().unwrap();
    let printed = stage
        .bwana
        .run(["diagnostics", "--json"])
        .expect_code(0)
        .last();
    assert!(
        printed["name"]
            .as_str()
            .unwrap()
            .starts_with("bwana-diagnostics-")
    );
    stage.bwana.run(["diagnostics", path]).expect_code(0);
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.starts_with("== program\nbwana "), "{written}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let refused = stage.bwana.run(["diagnostics", path]).expect_code(2);
    assert!(
        refused.stderr.contains("does not exist yet"),
        "{}",
        refused.stderr
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), written);
}

#[test]
fn completions_and_pages_come_without_a_data_folder() {
    let stage = Stage::new();
    let home = stage.bwana.folder().join("nowhere");
    let bwana = stage.bwana.env("BWANA_HOME", home.to_str().unwrap());
    for shell in ["bash", "zsh", "fish"] {
        let text = text(&bwana.run(["completions", shell]).expect_code(0));
        for word in ["workflows", "diagnostics", "completions"] {
            assert!(text.contains(word), "no {word} for {shell}");
        }
    }
    let folder = bwana.folder().join("pages");
    std::fs::create_dir(&folder).unwrap();
    bwana.run(["man", folder.to_str().unwrap()]).expect_code(0);
    for page in ["bwana.1", "bwana-runs-fork.1", "bwana-diagnostics.1"] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}: {text}");
    }
    assert!(
        !folder.join("bwana-man.1").exists(),
        "what is hidden has no page"
    );
    let nowhere = folder.join("none");
    bwana.run(["man", nowhere.to_str().unwrap()]).expect_code(2);
    assert!(!home.exists(), "a folder was made");
}
