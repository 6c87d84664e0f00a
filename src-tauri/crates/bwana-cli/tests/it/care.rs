//! Care of data from the terminal: a backup looked at, merged and taken back, a profile, a damaged database, settings that
//! were spoiled.

use std::fs;

use crate::common::{NOTES, Stage};

/// A stage with one run, and a backup of it.
fn with_backup() -> (Stage, String) {
    let stage = Stage::new();
    stage.run_file(NOTES, "").expect_code(0);
    let kept = stage.bwana.file("kept", "").with_file_name("backup");
    let kept = kept.display().to_string();
    stage.run(&format!("backup {kept}")).expect_code(0);
    (stage, kept)
}

#[test]
fn a_backup_is_previewed_merged_and_taken_back() {
    let (_other, kept) = with_backup();
    let stage = Stage::new();
    stage.run_file(NOTES, "").expect_code(0);
    let found = stage
        .run(&format!("restore {kept} --preview --json"))
        .expect_code(0)
        .last();
    assert_eq!(
        (found["type"].as_str(), found["new"].as_u64()),
        (Some("preview"), Some(1))
    );
    assert_eq!(
        (found["verifies"].as_bool(), found["equal"].as_u64()),
        (Some(true), Some(0))
    );
    let merged = stage
        .run(&format!("restore {kept} --merge --json"))
        .expect_code(0)
        .last();
    assert_eq!(
        (
            merged["added"].as_u64(),
            merged["left_out"].as_array().map(Vec::len)
        ),
        (Some(1), Some(0))
    );
    let runs = |stage: &Stage| stage.run("runs list --json").expect_code(0).lines.len();
    assert_eq!(runs(&stage), 2);
    let lost = stage
        .run("restore --undo --preview --json")
        .expect_code(0)
        .last();
    assert_eq!(
        (lost["runs_lost"].as_u64(), lost["entries_lost"].as_u64()),
        (Some(0), Some(0))
    );
    assert_eq!(runs(&stage), 2);
    stage.run("restore --undo").expect_code(0);
    assert_eq!(
        runs(&stage),
        1,
        "at once, where nobody else has the data open"
    );
    let again = stage.run("restore --undo --json").expect_code(2).last();
    assert_eq!(again["code"], "usage.not_found");
    stage.run("restore").expect_code(2);
    stage.run(&format!("restore {kept} --undo")).expect_code(2);
    stage
        .run(&format!("restore {kept} --merge --preview"))
        .expect_code(2);
}

#[test]
fn a_backup_that_is_cut_is_shown_as_that() {
    let (stage, kept) = with_backup();
    let database = format!("{kept}/bwana.db");
    let whole = fs::read(&database).unwrap();
    fs::write(&database, &whole[..whole.len() / 2]).unwrap();
    let found = stage
        .run(&format!("restore {kept} --preview --json"))
        .expect_code(5)
        .last();
    assert_eq!(
        (
            found["verifies"].as_bool(),
            found["problem"]["code"].as_str()
        ),
        (Some(false), Some("backup.invalid"))
    );
}

#[test]
fn a_profile_has_data_of_its_own() {
    let (stage, kept) = with_backup();
    stage
        .run("--profile shop profiles list --json")
        .expect_code(0);
    let made = stage
        .run("profiles create shop --json")
        .expect_code(0)
        .last();
    assert!(
        made["path"].as_str().unwrap().ends_with("profiles/shop"),
        "{made}"
    );
    stage.run("profiles create shop").expect_code(2);
    stage.run("--profile ../x profiles list").expect_code(2);
    let none = stage.run("--profile shop runs list --json").expect_code(0);
    assert!(none.lines.is_empty(), "{none}");
    stage
        .run(&format!("restore {kept} --profile second"))
        .expect_code(0);
    assert_eq!(
        stage
            .run("--profile second runs list --json")
            .expect_code(0)
            .lines
            .len(),
        1
    );
    let names: Vec<String> = stage
        .run("--profile second profiles list --json")
        .expect_code(0)
        .json()
        .iter()
        .map(|one| {
            format!(
                "{}{}",
                one["name"].as_str().unwrap(),
                one["is_open"].as_bool().unwrap()
            )
        })
        .collect();
    assert_eq!(names, ["false", "secondtrue", "shopfalse"]);
}

#[test]
fn a_damaged_database_is_looked_at_and_brought_back() {
    let stage = Stage::new();
    stage.run_file(NOTES, "").expect_code(0);
    let sound = stage.run("recover --look --json").expect_code(0).last();
    assert_eq!(sound["is_damaged"], false);
    stage.run("recover --json").expect_code(2);
    let file = stage.bwana.home().join("bwana.db");
    let mut broken = fs::read(&file).unwrap();
    broken[..100].fill(0);
    fs::write(&file, &broken).unwrap();
    stage.run("runs list").expect_code(5);
    let found = stage.run("recover --look --json").expect_code(5).last();
    assert_eq!(
        (found["readable_runs"].as_u64(), found["good"].is_null()),
        (Some(1), true)
    );
    let refused = stage
        .run("recover --from backup --json")
        .expect_code(5)
        .last();
    assert_eq!(refused["code"], "backup.invalid");
    let done = stage.run("recover --json").expect_code(0).last();
    assert_eq!(
        (done["runs"].as_u64(), done["salvaged_runs"].as_u64()),
        (Some(1), Some(1))
    );
    // The database and what stood beside it, in any order.
    let aside = done["set_aside"].as_array().unwrap();
    let kept = |file: &serde_json::Value| fs::read(file.as_str().unwrap()).unwrap() == broken;
    assert!(aside.iter().any(kept), "it is kept as it was: {aside:?}");
    assert_eq!(stage.run("runs list --json").expect_code(0).lines.len(), 1);
    stage.run("verify").expect_code(0);
}

#[test]
fn spoiled_settings_come_back_as_they_were() {
    let stage = Stage::new();
    stage.run_file(NOTES, "").expect_code(0);
    let file = stage.bwana.home().join("settings.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{good}\n[[providers\n")).unwrap();
    let refused = stage.run("runs list --json").expect_code(2).last();
    assert_eq!(refused["code"], "settings.invalid");
    assert!(
        refused["hint"]
            .as_str()
            .unwrap()
            .contains("bwana settings restore"),
        "{refused}"
    );
    let done = stage.run("settings restore --json").expect_code(0).last();
    assert!(
        fs::read_to_string(done["replaced"].as_str().unwrap())
            .unwrap()
            .contains("[[providers\n")
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), good);
    stage.run("runs list").expect_code(0);
}
