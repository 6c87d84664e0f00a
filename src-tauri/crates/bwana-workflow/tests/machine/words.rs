//! What a person says to a run at work, and where it is heard.

use bwana_types::definition::StepDef;
use bwana_types::entry::{Body, SAID_MAX_BYTES, When};
use bwana_types::message::{Role, text_of};
use bwana_types::model::Request;
use bwana_types::status::RunStatus;
use bwana_types::workflow::{Join, Select, Summary};
use bwana_workflow::machine::{Control, QUEUED_MAX};

use crate::driver::{Answer, Driver, Script, chat, definition, parallel, speak, step};

fn say(driver: &mut Driver, text: &str, when: When) -> usize {
    let (text, by) = (text.into(), String::from("test"));
    driver.control(Control::Say { text, when, by })
}

/// A model that notes down which words it heard: `agent step#turn` is told from the prompt alone.
fn listening() -> Script {
    Box::new(|request, _| Answer::Say(format!("heard {:?}", heard(request))))
}

/// The person's words of a request, in order.
fn heard(request: &Request) -> Vec<String> {
    let texts = request
        .messages
        .iter()
        .filter(|message| message.role == Role::User)
        .map(|message| text_of(&message.parts));
    texts
        .filter_map(|text| text.strip_prefix("The person says: ").map(str::to_owned))
        .collect()
}

/// Says `words` before entry `at` of a run through `steps`, and answers with what each turn heard.
#[track_caller]
fn check(steps: Vec<StepDef>, said: &[(&str, When)], expected: &str) {
    let mut driver = Driver::new(definition(steps), listening());
    for (text, when) in said {
        assert_eq!(say(&mut driver, text, *when), 1);
    }
    driver.run();
    driver.check();
    assert_eq!(driver.state.status(), RunStatus::Done);
    assert_eq!(driver.state.queued, []);
    assert_eq!(turns(&driver), expected.trim());
}

/// Every turn with its answer, a line each.
fn turns(driver: &Driver) -> String {
    let mut lines = Vec::new();
    for entry in &driver.journal {
        if let Body::MessagePosted(posted) = &entry.body
            && let Some(call) = posted.call
        {
            let text = driver.journal.iter().find_map(|one| match &one.body {
                Body::CallFinished(done) if done.call == call => match &done.result {
                    bwana_types::entry::CallResult::Model(model) => Some(text_of(&model.parts)),
                    bwana_types::entry::CallResult::Tool(_) => None,
                },
                _ => None,
            });
            lines.push(format!("{}: {}", entry.path, text.unwrap()));
        }
    }
    lines.join("\n")
}

#[test]
fn words_for_now_are_heard_by_the_next_call_and_stay_in_its_step() {
    check(
        vec![speak("one", &["a", "b"]), speak("two", &["a"])],
        &[("first", When::Now), ("second", When::Now)],
        r#"
one/r1: heard ["first", "second"]
one/r2: heard ["first", "second"]
two/r1: heard []"#,
    );
}

#[test]
fn words_for_after_the_step_are_heard_in_the_next_one() {
    let mut driver = Driver::new(
        definition(vec![
            speak("one", &["a"]),
            speak("two", &["a"]),
            speak("three", &["a"]),
        ]),
        listening(),
    );
    // Until the first step is at work.
    while driver.count("call_intended") == 0 {
        driver.step();
    }
    assert_eq!(say(&mut driver, "later", When::AfterStep), 1);
    driver.run();
    let expected = "one/r1: heard []\ntwo/r1: heard [\"later\"]\nthree/r1: heard []";
    assert_eq!(turns(&driver), expected);
}

#[test]
fn words_for_the_end_give_the_last_speaker_one_more_turn() {
    check(
        vec![speak("one", &["a"]), speak("two", &["a", "b"])],
        &[("at last", When::AtEnd)],
        r#"
one/r1: heard []
two/r1: heard []
two/r2: heard []
two/r3: heard ["at last"]"#,
    );
}

#[test]
fn a_chat_that_is_over_hears_the_last_word_before_it_is_summed_up() {
    let talk = chat(&["a", "b"], Select::RoundRobin, 2, None, Summary::Model);
    check(
        vec![step("talk", talk)],
        &[("at last", When::AtEnd)],
        r#"
talk/r1: heard []
talk/r2: heard []
talk/r3: heard ["at last"]
talk: heard ["at last"]"#,
    );
}

#[test]
fn whoever_chooses_the_first_speaker_hears_the_words_as_well() {
    let talk = chat(&["a", "b"], Select::Selector, 1, None, Summary::LastMessage);
    let mut driver = Driver::new(
        definition(vec![step("talk", talk)]),
        Box::new(|request, _| {
            let heard = heard(request);
            assert_eq!(heard, ["let b speak"], "{request:?}");
            Answer::Say(match request.schema {
                Some(_) => "{\"next\":\"b\"}".into(),
                None => String::from("well"),
            })
        }),
    );
    assert_eq!(say(&mut driver, "let b speak", When::Now), 1);
    driver.run();
    assert_eq!(driver.state.status(), RunStatus::Done);
}

#[test]
fn the_last_branch_to_speak_hears_the_last_word() {
    let branches = || vec![speak("x", &["a"]), speak("y", &["b"])];
    check(
        vec![step("both", parallel(Join::All, 2, branches()))],
        &[("at last", When::AtEnd)],
        r#"
both/x/r1: heard []
both/y/r1: heard []
both/y/r2: heard ["at last"]"#,
    );
    check(
        vec![step("race", parallel(Join::Any, 2, branches()))],
        &[("at last", When::AtEnd)],
        r#"
race/x/r1: heard []
race/x/r2: heard ["at last"]"#,
    );
}

#[test]
fn words_that_come_during_the_last_call_are_heard_before_the_end() {
    let mut driver = Driver::new(definition(vec![speak("one", &["a"])]), listening());
    while driver.count("call_intended") == 0 {
        driver.step();
    }
    assert_eq!(say(&mut driver, "wait", When::Now), 1);
    assert_eq!(say(&mut driver, "and this", When::AfterStep), 1);
    driver.run();
    driver.check();
    assert_eq!(
        turns(&driver),
        "one/r1: heard []\none/r2: heard [\"wait\", \"and this\"]"
    );
}

#[test]
fn a_paused_run_takes_words_and_an_ended_one_does_not() {
    let mut driver = Driver::new(definition(vec![speak("one", &["a"])]), listening());
    driver.control(Control::Pause { by: "test".into() });
    assert_eq!(say(&mut driver, "go gently", When::Now), 1);
    driver.run();
    assert_eq!(driver.state.queued.len(), 1);
    driver.control(Control::Resume { by: "test".into() });
    driver.run();
    assert_eq!(turns(&driver), "one/r1: heard [\"go gently\"]");
    assert_eq!(say(&mut driver, "too late", When::Now), 0);
}

#[test]
fn only_so_much_is_taken() {
    let mut driver = Driver::new(definition(vec![speak("one", &["a"])]), listening());
    assert_eq!(say(&mut driver, " \n", When::Now), 0);
    assert_eq!(
        say(&mut driver, &"x".repeat(SAID_MAX_BYTES + 1), When::Now),
        0
    );
    for _ in 0..QUEUED_MAX {
        assert_eq!(say(&mut driver, "x", When::AtEnd), 1);
    }
    assert_eq!(say(&mut driver, "x", When::AtEnd), 0);
}

#[test]
fn words_are_never_rendered_as_a_template() {
    check(
        vec![speak("one", &["a"])],
        &[("{{ input }} {% for x in y %}", When::Now)],
        r#"one/r1: heard ["{{ input }} {% for x in y %}"]"#,
    );
}

#[test]
fn words_count_in_the_estimate_and_stay_when_turns_are_left_out() {
    let talk = chat(
        &["a", "b"],
        Select::RoundRobin,
        12,
        None,
        Summary::LastMessage,
    );
    let long = "y".repeat(10_000);
    let script: Script = Box::new(|request, _| {
        let words = heard(request);
        assert_eq!(words.len(), 1);
        let bytes: usize = request
            .messages
            .iter()
            .map(|one| text_of(&one.parts).len())
            .sum();
        assert!(bytes < 8_192 * 3, "{bytes} bytes do not fit");
        Answer::Say(format!("{} {}", request.messages.len(), "z".repeat(4_000)))
    });
    let mut driver = Driver::new(definition(vec![step("talk", talk)]), script);
    assert_eq!(say(&mut driver, &long, When::Now), 1);
    driver.run();
    assert_eq!(driver.state.status(), RunStatus::Done);
    let reserves: Vec<u64> = driver
        .journal
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::CallIntended(intended) => Some(intended.reserve.tokens),
            _ => None,
        })
        .collect();
    assert!(
        reserves[0] > 3_333,
        "the words are not in the estimate: {reserves:?}"
    );
}
