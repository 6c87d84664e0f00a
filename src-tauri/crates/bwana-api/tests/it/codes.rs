//! Nothing the engine says is without words, in any language.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bwana_api::codes::{all, builtin_names, placeholders};
use bwana_api::command::Doctor;
use bwana_api::definitions::Nothing;
use bwana_api::doctor::DOCTOR_CODES;
use bwana_api::{Mode, command::PlanPreview};

use crate::common::{Home, call};

const LANGUAGES: [&str; 5] = ["en", "fr", "sw", "pt", "ar"];

fn messages(language: &str) -> BTreeMap<String, String> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../../ui/messages/{language}.json"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn every_code_has_words_in_all_languages_that_use_only_its_values() {
    let codes = all();
    assert!(codes.len() > 140, "{} codes", codes.len());
    let mut wrong = Vec::new();
    for language in LANGUAGES {
        let messages = messages(language);
        for code in &codes {
            let Some(words) = messages.get(&code.key) else {
                wrong.push(format!(
                    "{language}: {} ({}) has no words",
                    code.key, code.group
                ));
                continue;
            };
            let params: BTreeSet<String> = code.params.iter().cloned().collect();
            let uses = placeholders(words).unwrap();
            // The window puts the time of a test beside its answer.
            let given = |name: &&String| {
                !(params.contains(*name) || code.group == "answer" && *name == "time")
            };
            for name in uses.iter().filter(given) {
                wrong.push(format!(
                    "{language}: {} uses {name}, which it is not given",
                    code.key
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_builtin_name_has_words_and_english_is_what_the_file_says() {
    let names = builtin_names();
    for language in LANGUAGES {
        let messages = messages(language);
        for builtin in &names {
            let words = messages.get(&builtin.key);
            assert!(
                words.is_some_and(|words| !words.is_empty()),
                "{language}: {}",
                builtin.key
            );
            if language == "en" {
                assert_eq!(words, Some(&builtin.name));
            }
        }
    }
}

#[test]
fn no_words_are_kept_for_what_nobody_says() {
    let mut said: BTreeSet<String> = all().into_iter().map(|code| code.key).collect();
    said.extend(builtin_names().into_iter().map(|name| name.key));
    let kept = messages("en");
    let dead: Vec<&String> = kept
        .keys()
        .filter(|key| {
            ["code.", "builtin."]
                .iter()
                .any(|prefix| key.starts_with(prefix))
        })
        .filter(|key| !said.contains(*key))
        .collect();
    assert!(dead.is_empty(), "{dead:?}");
}

#[test]
fn a_key_belongs_to_one_code() {
    let codes = all();
    let keys: BTreeSet<&str> = codes.iter().map(|code| code.key.as_str()).collect();
    assert_eq!(keys.len(), codes.len());
}

#[tokio::test]
async fn the_doctor_and_a_plan_give_the_values_their_codes_promise() {
    let home = Home::new();
    let app = home.open(Mode::Own);
    let report = call::<Doctor>(&app, Nothing {}).await.unwrap();
    let coded = report
        .findings
        .iter()
        .filter(|found| !found.code.is_empty());
    let mut seen = 0;
    for found in coded {
        let listed = DOCTOR_CODES.iter().find(|(code, _)| *code == found.code);
        let expected: BTreeSet<&str> = listed.unwrap().1.iter().copied().collect();
        let given: BTreeSet<&str> = found.params.keys().map(String::as_str).collect();
        assert_eq!(given, expected, "{}", found.code);
        seen += 1;
    }
    assert!(seen >= 4, "{report:?}");
    for text in ["", "/nobody do it", "@nobody do it"] {
        let request = serde_json::from_value(serde_json::json!({"text": text})).unwrap();
        let plan = call::<PlanPreview>(&app, request).await.unwrap();
        let problem = &plan.problems[0];
        let code = all()
            .into_iter()
            .find(|code| code.code == problem.code)
            .unwrap();
        for name in problem.params.keys() {
            assert!(code.params.contains(name), "{problem:?}");
        }
    }
    app.close().await.unwrap();
}
