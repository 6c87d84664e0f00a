//! Keys that are kept: where the person chose, found by every command, and in no file, output or argument as they are.

use std::path::Path;

use bwana_testkit::model_server::{ModelServer, Options};
use bwana_testkit::{Bwana, Script};

use crate::common::{NOTES, bwana, words};

const KEY: &str = "sk-canary-9f3b7c21d4e84a06b1c5";
const PASSPHRASE: &str = "seven loaves of bread";

/// A server that answers only those who bring the key.
fn server() -> ModelServer {
    let mut options = Options::scripted(Script::default());
    options.key = Some(KEY.to_owned());
    options.start().unwrap()
}

/// A home whose vault opens by itself, as for a program that starts without a person.
fn with_vault() -> Bwana {
    let bwana = bwana();
    let file = bwana.file("passphrase", format!("{PASSPHRASE}\n"));
    let bwana = bwana.env("BWANA_VAULT_PASSPHRASE_FILE", file.to_str().unwrap());
    let shown = bwana
        .run(words("secrets use vault --json"))
        .expect_code(0)
        .last();
    assert_eq!(shown["place"], "vault");
    bwana
}

fn add(bwana: &Bwana, server: &ModelServer, key: &str) {
    let args = format!(
        "providers add near --base-url {} --model scripted --key-stdin --json",
        server.url()
    );
    let output = bwana.run_with_input(words(&args), key).expect_code(0);
    assert_eq!(output.last()["key"], "secret:providers/near");
    assert!(!output.to_string().contains(key.trim()));
}

/// Every file below `folder` that holds the key as it is.
fn files_with(folder: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if std::fs::read(&path).is_ok_and(|bytes| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        }) {
            found.push(path);
        }
    }
    found
}

#[test]
fn without_a_choice_no_key_is_kept() {
    let bwana = bwana();
    let args = "providers add near --base-url http://127.0.0.1:9 --key-stdin --json";
    let refused = bwana.run_with_input(words(args), KEY).expect_code(5);
    assert_eq!(refused.last()["code"], "secret.unavailable");
    assert!(!refused.to_string().contains(KEY));
    let list = bwana.run(words("providers list --json")).expect_code(0);
    assert!(list.json().is_empty());
    assert_eq!(
        files_with(&bwana.home(), KEY),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn a_key_in_the_vault_works_and_is_nowhere_else() {
    let (bwana, server) = (with_vault(), server());
    add(&bwana, &server, &format!("{KEY}\n"));
    bwana.run(words("providers test near")).expect_code(0);
    let file = bwana.file("notes.yaml", NOTES);
    let run = bwana
        .run([
            "run",
            file.to_str().unwrap(),
            "--input",
            "x",
            "--json",
            "-vv",
        ])
        .expect_code(0);
    assert!(!run.to_string().contains(KEY));
    let id = run.last()["id"].as_str().unwrap().to_owned();
    let export = bwana.run(["runs", "export", &id]).expect_code(0);
    assert!(!export.to_string().contains(KEY));
    assert_eq!(
        files_with(&bwana.home(), KEY),
        Vec::<std::path::PathBuf>::new()
    );

    bwana.run(words("providers remove near")).expect_code(0);
    let shown = bwana.run(words("secrets show --json")).expect_code(0);
    // Looking opens nothing; the vault tells its names only where it is open.
    assert_eq!(shown.last()["place"], "vault");
    let gone = bwana
        .run(words("providers test near --json"))
        .expect_code(2);
    assert_eq!(gone.last()["code"], "provider.unknown");
}

#[test]
fn a_key_that_is_given_again_takes_the_place_of_the_old_one() {
    let (bwana, server) = (with_vault(), server());
    add(&bwana, &server, "sk-of-yesterday-000000000000");
    let refused = bwana.run(words("providers test near --json"));
    assert_eq!(refused.expect_code(5).last()["code"], "provider.auth");
    add(&bwana, &server, KEY);
    bwana.run(words("providers test near")).expect_code(0);
}

#[test]
fn a_closed_vault_is_said_to_be_closed_and_not_empty() {
    let (bwana, server) = (with_vault(), server());
    add(&bwana, &server, KEY);
    let nobody = bwana.env("BWANA_VAULT_PASSPHRASE_FILE", "");
    let refused = nobody.run(words("providers test near --json"));
    let refused = refused.expect_code(5);
    assert_eq!(refused.last()["code"], "secret.locked");
    assert!(!refused.to_string().contains(KEY));
}

#[test]
fn a_known_provider_needs_only_its_name_and_a_key() {
    let bwana = bwana();
    let refused = bwana.run(words("providers add groq --json")).expect_code(2);
    let hint = refused.last()["hint"].as_str().unwrap().to_owned();
    assert!(
        hint.contains("console.groq.com") && hint.contains("--key-stdin"),
        "{hint}"
    );
    let add = "providers add groq --key-env SOME_KEY --model a --json";
    let added = bwana.run(words(add)).expect_code(0).last();
    assert_eq!(added["base_url"], "https://api.groq.com/openai/v1");
    // Another model, and nothing said of the key: it stays.
    let changed = bwana.run(words("providers add groq --model b --json"));
    let changed = changed.expect_code(0).last();
    assert_eq!(
        (&changed["key"], &changed["model"]),
        (&"env:SOME_KEY".into(), &"b".into())
    );
    let near = bwana
        .run(words("providers add olama --json"))
        .expect_code(2);
    assert_eq!(near.last()["code"], "usage.invalid");
}

#[test]
fn a_key_is_not_taken_into_a_memory_that_ends_at_once() {
    let bwana = bwana();
    bwana.run(words("secrets use memory")).expect_code(0);
    let args = "providers add near --base-url http://127.0.0.1:9 --key-stdin --json";
    let refused = bwana.run_with_input(words(args), KEY).expect_code(5);
    assert_eq!(refused.last()["code"], "secret.unavailable");
    assert!(!refused.to_string().contains(KEY));
    let list = bwana.run(words("providers list --json")).expect_code(0);
    assert!(list.json().is_empty());
}
