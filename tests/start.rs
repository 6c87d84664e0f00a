//! What `cargo xtask start` does after everything is built: the main job on the starter model, with real inference, to
//! its end. The build itself is what brought this test here.

use std::path::PathBuf;

use bwana_testkit::Bwana;
use xtask::start::{Options, Programs};
use xtask::test::TEST_MODEL;

#[test]
fn a_team_completes_the_business_setup_on_the_starter_model() {
    let Some(model) = std::env::var_os(TEST_MODEL) else {
        eprintln!("SKIPPED: {TEST_MODEL} names no model file; `cargo xtask test` fetches one");
        return;
    };
    let program = PathBuf::from(env!("CARGO_BIN_EXE_bwana"));
    let bwana = Bwana::new(&program);
    let home = bwana.home().to_string_lossy().into_owned();
    let options = Options {
        words: vec![String::from(
            "A bakery in Kisumu wants to take orders by phone",
        )],
        programs: Programs::Built(program.parent().unwrap().to_owned()),
        terminal: true,
        env: vec![
            (String::from("BWANA_HOME"), home),
            (
                String::from("BWANA_MODEL_PATH"),
                model.to_string_lossy().into_owned(),
            ),
        ],
    };
    let code = xtask::start::run(&options).unwrap();
    assert_eq!(
        format!("{code:?}"),
        format!("{:?}", std::process::ExitCode::SUCCESS)
    );

    let runs = bwana.run(["runs", "list", "--json"]).expect_code(0).json();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(
        (&runs[0]["workflow"], &runs[0]["status"]),
        (&"business_setup".into(), &"done".into())
    );
    assert_eq!(
        (&runs[0]["steps_done"], &runs[0]["steps_total"]),
        (&5.into(), &5.into())
    );

    let id = runs[0]["id"].as_str().unwrap();
    let events = bwana
        .run(["runs", "events", id, "--json"])
        .expect_code(0)
        .json();
    let mut speakers: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "speaker_chosen")
        .map(|event| &event["agent"])
        .collect();
    speakers.dedup();
    assert!(speakers.len() >= 3, "different agents speak: {speakers:?}");

    let result = bwana.home().join("artifacts").join(id).join("result.md");
    let text = std::fs::read_to_string(&result).unwrap();
    assert!(!text.trim().is_empty(), "{} is empty", result.display());
}
