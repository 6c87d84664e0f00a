//! What holds of every dialect beside chat for every way its bytes can be cut, damaged or multiplied.

use std::time::Duration;

use bwana_llm::{Dialect, Limits};
use bwana_types::model::{ErrorKind, LlmError, Outcome, Phase};

use proptest::prelude::*;

use crate::codec_cases::{
    Codec, assert_adds_up, codec, codecs, ollama, provider, responses, through,
};
use crate::fuzz::{Random, full, hurt};
use crate::server::{Reply, Server, Step};
use crate::show::{self, Answer};

/// Splits tried for each body: enough to be quick, or enough to be sure.
fn splits() -> usize {
    if full() { 10_000 } else { 200 }
}

fn bodies(codec: &Codec) -> Vec<Vec<u8>> {
    let streams = codec.cases.iter().filter(|case| case.status == 200);
    streams.map(|case| case.body.clone().into_bytes()).collect()
}

fn in_pieces(dialect: &dyn Dialect, body: &[u8], cuts: &[usize]) -> Answer {
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([body.len()]) {
        pieces.push(&body[from..cut]);
        from = cut;
    }
    through(dialect, pieces, &Limits::default())
}

#[test]
fn any_split_of_the_same_bytes_gives_the_same_answer() {
    let mut random = Random::new(7);
    for codec in &codecs() {
        let dialect = codec.dialect.as_ref();
        for body in &bodies(codec) {
            let expected = in_pieces(dialect, body, &[]);
            for round in 0..splits() {
                let mut cuts: Vec<usize> = (0..random.below(12))
                    .map(|_| random.below(body.len() + 1))
                    .collect();
                cuts.sort_unstable();
                let answer = in_pieces(dialect, body, &cuts);
                let text = String::from_utf8_lossy(body);
                assert_eq!(answer, expected, "round {round}: {cuts:?} of {text}");
            }
            let every: Vec<usize> = (1..body.len()).collect();
            let answer = in_pieces(dialect, body, &every);
            assert_eq!(answer, expected, "byte by byte");
        }
    }
}

fn partial(result: &Result<Outcome, LlmError>) -> &Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(error) => &error.partial,
    }
}

#[test]
fn every_case_can_be_cut_anywhere_and_keeps_what_had_arrived() {
    for codec in &codecs() {
        let dialect = codec.dialect.as_ref();
        // Events without a blank line between them are one event, and a half of one is nothing.
        let cases = codec.cases.iter().filter(|case| {
            case.status == 200 && !case.name.starts_with("two events without the blank line")
        });
        for body in cases.map(|case| case.body.as_bytes()) {
            let mut before = 0;
            for cut in 0..=body.len() {
                let answer = in_pieces(dialect, &body[..cut], &[]);
                assert_adds_up(&answer);
                let said = bwana_types::message::text_of(&partial(&answer.0).parts).len();
                // Only a whole answer in one piece has nothing to show before its end.
                let lost = said < before;
                assert!(!lost, "cut at {cut} of {}", String::from_utf8_lossy(body));
                before = said;
            }
        }
    }
}

#[test]
fn a_cut_stream_is_interrupted_and_nothing_else() {
    for codec in &codecs() {
        let first = &codec.cases[0];
        let body = first.body.as_bytes();
        let finished_at = match codec.dialect.id() {
            "ollama" => first.body.find(r#""done":true"#).unwrap(),
            _ => first.body.find("event: response.completed").unwrap(),
        };
        for cut in 0..body.len() {
            let (result, _) = in_pieces(codec.dialect.as_ref(), &body[..cut], &[]);
            match result {
                Ok(_) => assert!(cut > finished_at, "cut at {cut} is no whole answer"),
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::Interrupted, "cut at {cut}: {error}");
                    assert!(error.partial.stop.is_none());
                }
            }
        }
    }
}

/// Damages bodies of `codec` and reads them with tight limits.
fn run(codec: &Codec, rounds: u64, seed: u64) {
    let bodies = bodies(codec);
    let limits = Limits {
        event_bytes: 600,
        reply_bytes: 4_000,
        tool_calls: 4,
        ..Limits::default()
    };
    let dialect = codec.dialect.as_ref();
    for round in 0..rounds {
        let mut random = Random::new(seed.wrapping_add(round));
        let mut body = bodies[random.below(bodies.len())].clone();
        let other = &bodies[random.below(bodies.len())];
        for _ in 0..=random.below(6) {
            hurt(&mut body, other, &mut random);
        }
        let cut = random.below(body.len() + 1);
        let (a, b) = body.split_at(cut);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let answer = through(dialect, [a, b], &limits);
            assert_adds_up(&answer);
            answer
        }));
        let text = || String::from_utf8_lossy(&body).into_owned();
        let Ok(answer) = caught else {
            panic!("round {round} of seed {seed} panics on {:?}", text());
        };
        // Every round also proves that the split does not matter, for bytes nobody thought of.
        if round % 16 == 0 {
            let single = through(dialect, [body.as_slice()], &limits);
            assert_eq!(answer, single, "round {round} of seed {seed}: {:?}", text());
        }
    }
}

fn rounds() -> u64 {
    if full() { 1_000_000 } else { 100_000 }
}

fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|s| s.parse().ok());
    given.unwrap_or(2_026)
}

#[test]
fn no_damage_makes_the_reader_of_responses_panic() {
    run(&responses(), rounds(), seed());
}

#[test]
fn no_damage_makes_the_reader_of_ollama_panic() {
    run(&ollama(), rounds(), seed());
}

/// Feeds `piece` up to `times` times behind `head`: what stopped it, and the bytes it took until then.
fn flood(dialect: &dyn Dialect, head: &str, piece: &[u8], times: usize) -> (LlmError, usize) {
    let mut fed = head.len();
    let pieces = std::iter::once(head.as_bytes()).chain((0..times).map(|_| {
        fed += piece.len();
        piece
    }));
    let (result, _) = through(dialect, pieces, &Limits::default());
    (result.unwrap_err(), fed)
}

#[test]
fn a_line_of_100_mb_is_refused_at_the_cap() {
    let limits = Limits::default();
    let piece = vec![b'x'; 16 * 1024];
    let times = 100 * 1024 * 1024 / piece.len();
    for (codec, head) in codecs().iter().zip([
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"",
        "{\"message\":{\"content\":\"",
    ]) {
        let (error, fed) = flood(codec.dialect.as_ref(), head, &piece, times);
        assert_eq!(error.kind, ErrorKind::TooLarge);
        assert!(fed <= limits.event_bytes + 2 * piece.len(), "{fed}");
    }
}

#[test]
fn endless_keep_alives_end_at_the_limit_of_an_answer() {
    let limits = Limits::default();
    let [responses, ollama] = codecs();
    let ping = "event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n".repeat(400);
    let text = "{\"message\":{\"content\":\"\"}}\n".repeat(400);
    for (dialect, head, piece) in [
        (&responses.dialect, ":\n", ": ping\n\n".repeat(2_000)),
        (&responses.dialect, ":\n", ping),
        (&ollama.dialect, "{}\n", "\n".repeat(16_000)),
        (&ollama.dialect, "{}\n", text),
    ] {
        let times = 100 * 1024 * 1024 / piece.len();
        let (error, fed) = flood(dialect.as_ref(), head, piece.as_bytes(), times);
        assert_eq!(error.kind, ErrorKind::TooLarge);
        assert!(fed <= limits.reply_bytes + 2 * piece.len(), "{fed}");
    }
}

#[tokio::test]
async fn endless_blank_lines_are_no_answer() {
    for codec in &codecs() {
        let blank = Step::Repeat(b": \n\n".to_vec(), Duration::from_millis(20), 1_000);
        let blank = match codec.dialect.id() {
            "ollama" => Step::Repeat(b"\n".to_vec(), Duration::from_millis(20), 1_000),
            _ => blank,
        };
        let server = Server::one(Reply::stream_then("", vec![blank])).await;
        let provider = provider(&codec.dialect, &server.url).with_limits(Limits {
            first_event: Duration::from_millis(300),
            ..Limits::default()
        });
        let (result, _) = show::complete(&provider, &show::hello()).await;
        let kind = result.unwrap_err().kind;
        assert_eq!(kind, ErrorKind::Timeout(Phase::FirstEvent));
    }
}

#[test]
fn too_many_items_and_calls_are_refused() {
    let items: String = (0..5_000)
        .map(|n| {
            format!(
                "data: {{\"type\":\"response.output_item.added\",\"output_index\":{n},\"item\":{{\"id\":\"{n}\",\"type\":\"message\"}}}}\n\n"
            )
        })
        .collect();
    let calls =
        "{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}}]}}\n"
            .repeat(5_000);
    let one_line = format!(
        "{{\"message\":{{\"tool_calls\":[{}{{}}]}}}}\n",
        "{\"function\":{\"name\":\"f\"}},".repeat(5_000)
    );
    let [responses, ollama] = codecs();
    for (codec, body) in [(&responses, items), (&ollama, calls), (&ollama, one_line)] {
        let (error, _) = flood(codec.dialect.as_ref(), "", body.as_bytes(), 1);
        assert_eq!(error.kind, ErrorKind::TooLarge, "{error}");
    }
}

#[test]
fn a_case_is_read_the_same_way_every_time() {
    for Codec { dialect, cases } in &codecs() {
        for case in cases {
            assert_eq!(
                codec(dialect.as_ref(), case),
                codec(dialect.as_ref(), case),
                "{}",
                case.name
            );
        }
    }
}

/// The end of a body that says `text` in this dialect.
fn saying(dialect: &dyn Dialect, text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    match dialect.id() {
        "ollama" => format!("{{\"message\":{{\"content\":{text}}}}}\n{{\"done\":true}}\n"),
        _ => format!(
            "data: {{\"type\":\"response.output_text.delta\",\"delta\":{text}}}\n\ndata: {{\"type\":\"response.completed\"}}\n\n"
        ),
    }
}

proptest! {
    /// Anything a model may say comes through whole, and is the same however the bytes were cut.
    #[test]
    fn any_text_survives_the_wire(said in ".{0,200}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        for codec in &codecs() {
            let body = saying(codec.dialect.as_ref(), &said);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len())).collect();
            cuts.sort_unstable();
            let (result, _) = in_pieces(codec.dialect.as_ref(), body.as_bytes(), &cuts);
            let outcome = result.unwrap();
            prop_assert_eq!(bwana_types::message::text_of(&outcome.parts).to_string(), said.clone());
        }
    }

    /// However the pieces of parallel calls are mixed, and however their places are numbered, each finds its call.
    #[test]
    fn mixed_pieces_of_calls_find_their_call(seed in any::<u64>(), count in 1_usize..6, places in 0_u8..4) {
        let mut random = Random::new(seed);
        let place = |call: usize| match places {
            0 => call.to_string(),
            1 => String::from("0"),
            2 => String::from("null"),
            _ => (call * 1_000_000).to_string(),
        };
        let mut rest: Vec<String> = (0..count).map(|call| format!("{{\"x\":\"{}\"}}", "é".repeat(call * 7))).collect();
        let whole = rest.clone();
        let mut body = String::new();
        for call in 0..count {
            let place = place(call);
            body.push_str(&format!("data: {{\"type\":\"response.output_item.added\",\"output_index\":{place},\"item\":{{\"id\":\"i{call}\",\"type\":\"function_call\",\"call_id\":\"c{call}\",\"name\":\"f\"}}}}\n\n"));
        }
        while rest.iter().any(|left| !left.is_empty()) {
            let call = random.below(count);
            let chars = 1 + random.below(5);
            let piece: String = rest[call].chars().take(chars).collect();
            rest[call] = rest[call].chars().skip(chars).collect();
            let (piece, place) = (serde_json::to_string(&piece).unwrap(), place(call));
            body.push_str(&format!("data: {{\"type\":\"response.function_call_arguments.delta\",\"item_id\":\"i{call}\",\"output_index\":{place},\"delta\":{piece}}}\n\n"));
        }
        body.push_str("data: {\"type\":\"response.completed\"}\n\n");
        let [responses, _] = codecs();
        let answer = through(responses.dialect.as_ref(), [body.as_bytes()], &Limits::default());
        assert_adds_up(&answer);
        let expected: Vec<String> = whole.iter().enumerate().map(|(call, args)| format!("call c{call}:f:{args}")).collect();
        let shown = show::result(&answer.0);
        prop_assert_eq!(shown, format!("{} stop=ToolCalls", expected.join(" ")));
    }
}

#[test]
fn no_damage_makes_the_lists_panic() {
    let [responses, ollama] = codecs();
    let seeds: [(&dyn Dialect, &str); 4] = [
        (
            ollama.dialect.as_ref(),
            r#"{"models":[{"name":"m","size":7,"details":{"parameter_size":"3B"}}]}"#,
        ),
        (
            ollama.dialect.as_ref(),
            r#"{"embeddings":[[1,0.5],[0,1]],"prompt_eval_count":8}"#,
        ),
        (
            responses.dialect.as_ref(),
            r#"{"data":[{"id":"m","context_length":7}]}"#,
        ),
        (
            responses.dialect.as_ref(),
            r#"{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1,2]}],"usage":{}}"#,
        ),
    ];
    let mut random = Random::new(seed());
    for _ in 0..rounds() / 5 {
        let (dialect, text) = seeds[random.below(seeds.len())];
        let mut body = text.as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            hurt(&mut body, text.as_bytes(), &mut random);
        }
        let _ = dialect.decode_models(&body);
        let vectors = dialect.decode_embed(&body, 2);
        assert!(vectors.is_err() || vectors.is_ok_and(|read| read.vectors.len() == 2));
        let status = 400 + u16::try_from(random.below(200)).unwrap();
        let error = dialect.error(status, &body);
        let _ = dialect.adapt(&error, &bwana_llm::Quirks::default());
    }
}
