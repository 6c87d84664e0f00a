//! Models on this machine as a person sees them: what fits, files of one's own, and with a real model (if there is one to
//! test with) two models in one run, measuring and vectors.

use std::path::PathBuf;

use serde_json::Value;

use crate::common::{Stage, bwana, text, words};

/// A GGUF file of one tensor with eight weights, of a kind of its own.
fn small_gguf() -> Vec<u8> {
    let mut file = b"GGUF".to_vec();
    let text = |file: &mut Vec<u8>, text: &str| {
        file.extend((text.len() as u64).to_le_bytes());
        file.extend(text.as_bytes());
    };
    file.extend(3_u32.to_le_bytes());
    file.extend(1_u64.to_le_bytes());
    file.extend(1_u64.to_le_bytes());
    text(&mut file, "general.architecture");
    file.extend(8_u32.to_le_bytes());
    text(&mut file, "tiny");
    text(&mut file, "weights");
    file.extend(1_u32.to_le_bytes());
    file.extend(8_000_000_u64.to_le_bytes());
    file.extend(0_u32.to_le_bytes());
    file.extend(0_u64.to_le_bytes());
    file.extend([0; 64]);
    file
}

fn of<'a>(lines: &'a [Value], id: &str) -> &'a Value {
    let found = lines.iter().find(|line| line["id"] == id);
    found.unwrap_or_else(|| panic!("{id} is not in {lines:?}"))
}

#[test]
fn the_list_says_what_each_model_needs_and_whether_it_fits() {
    let bwana = bwana();
    let lines = bwana.run(words("models list --json")).expect_code(0).json();
    let big = of(&lines, "qwen3-4b-instruct-2507");
    assert_eq!(big["ram_min_bytes"], 8_589_934_592_u64);
    assert_eq!(big["status"], "available");
    assert!(big["obstacles"].is_array() && big["speed"].is_null());
    let best = lines.iter().filter(|line| line["recommended"] == true);
    assert!(best.count() <= 1);
    let people = text(&bwana.run(words("models list")).expect_code(0));
    for part in [
        "8 GB",
        "Apache-2.0",
        "everyday work",
        "not installed",
        "used when none is named: none",
    ] {
        assert!(people.contains(part), "{part}: {people}");
    }
    assert!(
        people.lines().all(|line| line.chars().count() <= 80),
        "{people}"
    );
}

#[test]
fn a_file_of_ones_own_is_taken_in_shown_kept_while_it_is_the_default_and_removed() {
    let bwana = bwana();
    let file = bwana.file("mine.gguf", small_gguf()).display().to_string();
    bwana.run(["models", "add", &file]).expect_code(0);
    let shown = text(&bwana.run(words("models show mine")).expect_code(0));
    assert!(shown.contains("tiny, 8 M parameters"), "{shown}");
    assert!(shown.contains("you brought the file"), "{shown}");

    bwana.run(words("models default local/mine")).expect_code(0);
    let refused = bwana.run(words("models remove mine --json")).expect_code(2);
    assert_eq!(refused.last()["details"]["reason"], "is_default");
    bwana.run(words("models default")).expect_code(0);
    bwana.run(words("models remove mine")).expect_code(0);
    bwana.run(words("models remove mine")).expect_code(2);

    let broken = bwana
        .file("broken.gguf", &small_gguf()[..60])
        .display()
        .to_string();
    let refused = bwana
        .run(["models", "add", &broken, "--json"])
        .expect_code(2);
    let said = refused.last()["message"].to_string();
    assert!(said.contains("ends before its head does"), "{said}");
}

#[test]
fn what_a_broken_download_left_is_shown_and_can_be_removed() {
    let bwana = bwana();
    bwana.run(words("models list")).expect_code(0);
    let models = bwana.home().join("models");
    std::fs::create_dir_all(&models).unwrap();
    let part = models.join("Qwen3-1.7B-Q4_K_M.gguf.part");
    std::fs::write(&part, vec![0; 3_000_000]).unwrap();
    let people = text(&bwana.run(words("models list")).expect_code(0));
    assert!(people.contains("3 MB of it fetched"), "{people}");
    bwana.run(words("models remove qwen3-1.7b")).expect_code(0);
    assert!(!part.exists());
    bwana.run(words("models remove qwen3-1.7b")).expect_code(2);
}

#[test]
fn nothing_is_fetched_without_a_yes_and_trust_on_first_use_is_said_before() {
    let bwana = bwana();
    let output = bwana.run(words("models pull qwen3-1.7b")).expect_code(2);
    let said = text(&output);
    assert!(
        said.contains("licence Apache-2.0") && said.contains("1.1 GB"),
        "{said}"
    );
    assert!(said.contains("the first download is trusted"), "{said}");
    assert!(!bwana.home().join("models").exists());
}

/// The model to test with and the program that runs it; `None`, said loudly, if either is not there.
fn real() -> Option<(PathBuf, String)> {
    let model = std::env::var_os("BWANA_TEST_MODEL").filter(|path| !path.is_empty());
    let bwana = PathBuf::from(env!("CARGO_BIN_EXE_bwana"));
    let name = format!("bwana-model-worker{}", std::env::consts::EXE_SUFFIX);
    let worker = bwana.with_file_name(name);
    match model {
        Some(model) if worker.is_file() => Some((model.into(), worker.display().to_string())),
        _ => {
            eprintln!(
                "\n*** SKIPPED: this test needs BWANA_TEST_MODEL and {} ***\n",
                worker.display()
            );
            None
        }
    }
}

const TWO_MODELS: &str = r"
schema: bwana.agent/v1
id: one
name: One
model: local/first
instructions: You answer in five words.
---
schema: bwana.agent/v1
id: two
name: Two
model: local/second
instructions: You answer in five words.
---
schema: bwana.workflow/v1
id: both
name: Both
agents: [one, two]
steps:
  - name: Ask
    agents: [one]
  - name: Answer
    agents: [two]
";

#[test]
fn two_real_models_work_in_one_run_and_their_speed_outlives_the_program() {
    let Some((model, worker)) = real() else {
        return;
    };
    let stage = Stage::new();
    let bwana = stage.bwana.copy().env("BWANA_WORKER", &worker);
    let models = bwana.home().join("models");
    std::fs::create_dir_all(&models).unwrap();
    for name in ["first", "second"] {
        std::fs::copy(&model, models.join(format!("{name}.gguf"))).unwrap();
    }
    let settings = bwana.home().join("settings.toml");
    let before = std::fs::read_to_string(&settings).unwrap_or_default();
    std::fs::write(
        &settings,
        format!("{before}\n[local]\ncontext = 2048\nthreads = 1\n"),
    )
    .unwrap();
    let file = bwana.file("both.yaml", TWO_MODELS).display().to_string();
    bwana
        .run(["run", &file, "--input", "Say hello."])
        .expect_code(0);

    let lines = bwana.run(words("models list --json")).expect_code(0).json();
    for name in ["first", "second"] {
        let speed = &of(&lines, name)["speed"];
        assert!(
            speed["generation_tokens_per_s"].as_f64().unwrap() > 0.0,
            "{speed}"
        );
        assert_eq!(of(&lines, name)["context_tokens"], 2_048);
    }
    let measured = bwana
        .run(words("models measure first --json"))
        .expect_code(0)
        .last();
    assert!(
        measured["speed"]["prompt_tokens_per_s"].as_f64().unwrap() > 0.0,
        "{measured}"
    );
    let embed = [
        "models", "embed", "second", "A market", "A market", "Rain", "--json",
    ];
    let vectors = bwana.run(embed).expect_code(0).last();
    assert_eq!(vectors["dimensions"], 576);
    assert_eq!(vectors["vectors"][0], vectors["vectors"][1]);
    assert_ne!(vectors["vectors"][0], vectors["vectors"][2]);
}
