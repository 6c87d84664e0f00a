//! What holds for every way the same bytes can be cut: the split does not matter, and a broken connection costs nothing
//! that had arrived.

use bwana_llm::{Dialect, Limits, OpenAiChat, ReplyContext};
use bwana_types::model::{ErrorKind, LlmError, Outcome};
use proptest::prelude::*;

use crate::fuzz::{Random, full};
use crate::show::{self, Answer, through};
use crate::wire_table::{DONE, cases, delta, finish, text, usage};

/// Splits tried for each body: enough to be quick, or enough to be sure.
pub(crate) fn splits() -> usize {
    if full() { 10_000 } else { 200 }
}

fn whole(body: &[u8]) -> Answer {
    whole_of(&OpenAiChat, body)
}

fn in_pieces(body: &[u8], cuts: &[usize]) -> Answer {
    in_pieces_of(&OpenAiChat, body, cuts)
}

pub(crate) fn whole_of(dialect: &dyn Dialect, body: &[u8]) -> Answer {
    in_pieces_of(dialect, body, &[])
}

pub(crate) fn in_pieces_of(dialect: &dyn Dialect, body: &[u8], cuts: &[usize]) -> Answer {
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([body.len()]) {
        pieces.push(&body[from..cut]);
        from = cut;
    }
    let (context, limits) = (ReplyContext::default(), Limits::default());
    through(dialect, pieces, &context, &limits)
}

/// Cuts `body` in `rounds` random ways, and between every two bytes: the answer must not change.
#[track_caller]
pub(crate) fn check_splits(dialect: &dyn Dialect, body: &[u8], rounds: usize, random: &mut Random) {
    let expected = whole_of(dialect, body);
    for round in 0..rounds {
        let mut cuts: Vec<usize> = (0..=random.below(12))
            .map(|_| random.below(body.len() + 1))
            .collect();
        cuts.sort_unstable();
        assert_eq!(
            in_pieces_of(dialect, body, &cuts),
            expected,
            "round {round}: {cuts:?} of {}",
            String::from_utf8_lossy(body)
        );
    }
    let every: Vec<usize> = (1..body.len()).collect();
    let bytewise = in_pieces_of(dialect, body, &every);
    assert_eq!(bytewise, expected, "byte by byte");
}

#[test]
fn any_split_of_the_same_bytes_gives_the_same_answer() {
    let streams: Vec<Vec<u8>> = cases()
        .into_iter()
        .filter(|case| case.status == 200)
        .map(|case| case.body.into_bytes())
        .collect();
    let mut random = Random::new(7);
    for body in &streams {
        check_splits(&OpenAiChat, body, splits().div_ceil(20), &mut random);
    }
}

#[test]
fn a_long_stream_is_the_same_in_any_pieces() {
    let body = recorded();
    let expected = whole(body.as_bytes());
    let mut random = Random::new(11);
    for round in 0..splits() {
        let mut cuts: Vec<usize> = (0..=random.below(40))
            .map(|_| random.below(body.len() + 1))
            .collect();
        cuts.sort_unstable();
        assert_eq!(
            in_pieces(body.as_bytes(), &cuts),
            expected,
            "round {round}: {cuts:?}"
        );
    }
}

proptest! {
    /// Anything a model may say comes through whole, and is the same however the bytes were cut.
    #[test]
    fn any_text_survives_the_wire(said in ".{0,200}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let escaped = serde_json::to_string(&said).unwrap();
        let body = [delta(&format!(r#"{{"content":{escaped}}}"#)), finish("stop"), DONE.to_owned()].concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len())).collect();
        cuts.sort_unstable();
        let (result, _) = in_pieces(body.as_bytes(), &cuts);
        let outcome = result.unwrap();
        prop_assert_eq!(bwana_types::message::text_of(&outcome.parts).to_string(), said);
    }
}

/// A reply as a server with everything in it would send it.
fn recorded() -> String {
    let mut body = String::from(": hello\n\n");
    for word in [
        "Karibu ",
        "sana, ",
        "rafiki 🌍 ",
        "yangu. ",
        "\\\"Ndiyo\\\" ",
    ] {
        body.push_str(&text(word));
        body.push_str(&delta(&format!(r#"{{"reasoning_content":"{word}"}}"#)));
    }
    body.push_str(&delta(
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}"#,
    ));
    body.push_str(&delta(
        r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#,
    ));
    body.push_str(&delta(
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#,
    ));
    body.push_str(&finish("tool_calls"));
    body.push_str(&usage(100, 20));
    body.push_str(DONE);
    body
}

/// The visible text of every event that stands whole before `cut`, told without our parser.
fn text_before(body: &str, cut: usize) -> String {
    let mut said = String::new();
    let mut from = 0;
    for line in body.split_inclusive('\n') {
        from += line.len();
        // The line's own end may be missing; the event is whole without it.
        if from - 1 > cut {
            break;
        }
        let Some(data) = line.trim_end().strip_prefix("data: ") else {
            continue;
        };
        let Ok(event) = serde_json::from_str::<serde_json::Value>(data) else {
            continue;
        };
        if let Some(text) = event.pointer("/choices/0/delta/content") {
            said.push_str(text.as_str().unwrap_or_default());
        }
    }
    said
}

fn partial(result: &Result<Outcome, LlmError>) -> &Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(error) => &error.partial,
    }
}

#[test]
fn a_cut_at_any_byte_loses_nothing_that_had_arrived() {
    let body = recorded();
    let finished_at = body.find(r#""finish_reason":"tool_calls""#).unwrap();
    for cut in 0..=body.len() {
        let answer = whole(&body.as_bytes()[..cut]);
        show::assert_deltas_add_up(&answer);
        let said = bwana_types::message::text_of(&partial(&answer.0).parts).to_string();
        assert_eq!(said, text_before(&body, cut), "cut at {cut}");
        match &answer.0 {
            Ok(_) => assert!(cut > finished_at, "cut at {cut} is no whole answer"),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Interrupted, "cut at {cut}: {error}");
                assert!(error.partial.stop.is_none());
            }
        }
    }
}

#[test]
fn every_case_can_be_cut_anywhere() {
    for case in cases().iter().filter(|case| case.status == 200) {
        for cut in 0..case.body.len() {
            let answer = whole(&case.body.as_bytes()[..cut]);
            show::assert_deltas_add_up(&answer);
        }
    }
}
