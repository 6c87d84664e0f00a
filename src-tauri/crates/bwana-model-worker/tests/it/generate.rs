//! Writing and embedding with a real model, over the bare protocol.

use bwana_llm::local::frame::{Constraint, Finish, FromWorker, Generate, Purpose, ToWorker};
use bwana_types::message::Usage;
use bwana_types::model::ErrorKind;

use crate::support::{CONTEXT_TOKENS, Process, call, chat, test_model};

const SYSTEM: &str = "You are a helpful assistant of a small company in Nairobi. You answer in short and simple sentences, you never make up numbers, and you say when you do not know something.";

fn done(frame: &FromWorker) -> (Finish, Usage) {
    match frame {
        FromWorker::Done { finish, usage, .. } => (*finish, *usage),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_streams_and_is_counted() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, loaded) = Process::with(&model, Purpose::Generate);
    assert!(loaded.context_tokens >= CONTEXT_TOKENS && loaded.parameters > 1_000_000);
    let id = process.begin(call(chat(SYSTEM, &["What is a business plan?"]), 24));
    let mut pieces = Vec::new();
    let mut read = 0;
    let (finish, usage) = loop {
        match process.next().unwrap() {
            FromWorker::Progress {
                id: of,
                read: now,
                of: all,
            } => {
                assert!(of == id && now > read && now <= all);
                read = now;
            }
            FromWorker::Token { text, .. } => pieces.push(text),
            last => break done(&last),
        }
    };
    assert!(pieces.len() > 5, "{pieces:?}");
    assert_eq!(usage.input_tokens, u64::from(read));
    assert!(!usage.estimated && usage.output_tokens <= 24);
    assert!(usage.output_tokens >= pieces.len() as u64);
    assert!(matches!(finish, Finish::End | Finish::Length));
}

#[test]
fn the_same_seed_gives_the_same_answer_and_another_does_not() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    let mut ask = |seed, temperature| {
        let call = call(chat(SYSTEM, &["Tell me a story about the sea."]), 24);
        process
            .generate(Generate {
                seed,
                temperature,
                ..call
            })
            .0
    };
    assert_eq!(ask(1, 1.0), ask(1, 1.0));
    assert_ne!(ask(1, 1.0), ask(2, 1.0));
    assert_eq!(
        ask(1, 0.0),
        ask(2, 0.0),
        "without temperature there is no chance"
    );
}

#[test]
fn a_cancel_is_obeyed_within_a_few_tokens_and_the_next_call_works() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    let story = call(
        chat(
            "You tell long stories.",
            &["Tell me a very long story about the sea."],
        ),
        1_500,
    );
    let id = process.begin(story);
    for _ in 0..3 {
        assert!(matches!(
            process.next_word(),
            Some(FromWorker::Token { .. })
        ));
    }
    process.send(&ToWorker::Cancel { id });
    let mut after = 0;
    let (finish, usage) = loop {
        match process.next_word().unwrap() {
            FromWorker::Token { .. } => after += 1,
            last => break done(&last),
        }
    };
    assert_eq!(finish, Finish::Cancelled);
    // What was written before the cancel was read; the machine may be busy.
    assert!(after < 40 && usage.output_tokens < 100, "{after} {usage:?}");
    let (text, last) = process.generate(call(chat(SYSTEM, &["Say hello."]), 8));
    assert!(!text.is_empty() && done(&last).0 != Finish::Cancelled);
}

#[test]
fn a_call_cancelled_before_its_turn_is_not_begun() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    let first = process.begin(call(chat(SYSTEM, &["Count to twenty."]), 16));
    let second = process.begin(call(chat(SYSTEM, &["Count to ten."]), 16));
    process.send(&ToWorker::Cancel { id: second });
    let mut ended = Vec::new();
    while ended.len() < 2 {
        if let FromWorker::Done {
            id, finish, usage, ..
        } = process.next_word().unwrap()
        {
            ended.push((id, finish == Finish::Cancelled, usage.output_tokens == 0));
        }
    }
    assert_eq!(ended, [(first, false, false), (second, true, true)]);
}

#[test]
fn the_second_turn_of_a_conversation_reads_only_what_is_new() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    let (text, last) = process.generate(call(chat(SYSTEM, &["What is a budget?"]), 16));
    let first = done(&last).1;
    assert_eq!(first.cached_tokens, 0);
    let turns = ["What is a budget?", text.as_str(), "And a plan?"];
    let second = done(&process.generate(call(chat(SYSTEM, &turns), 8)).1).1;
    assert!(
        second.cached_tokens >= first.input_tokens - 8,
        "{first:?} {second:?}"
    );
    // Another agent speaks, and the first one still finds its own prompt.
    let other = chat(
        "You count beans and nothing else, day and night, in a shed behind the house.",
        &["How many?"],
    );
    process.generate(call(other, 8));
    let third = done(&process.generate(call(chat(SYSTEM, &turns), 8)).1).1;
    assert_eq!(third.cached_tokens, third.input_tokens - 1, "{third:?}");
    process.send(&ToWorker::Stats { id: 99 });
    match process.next().unwrap() {
        FromWorker::Stats { stats, .. } => {
            assert_eq!((stats.calls, stats.kept_prompts), (4, 2));
            assert_eq!(
                stats.reused_tokens,
                second.cached_tokens + third.cached_tokens
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn reusing_a_prompt_does_not_change_the_answer() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let greedy = |text: &str| Generate {
        temperature: 0.0,
        ..call(chat(SYSTEM, &[text]), 16)
    };
    let (mut fresh, _) = Process::with(&model, Purpose::Generate);
    let alone = fresh.generate(greedy("Name three colours.")).0;
    let (mut used, _) = Process::with(&model, Purpose::Generate);
    for text in ["Name three towns.", "What is rain?", "Name three col"] {
        used.generate(greedy(text));
    }
    let (after, last) = used.generate(greedy("Name three colours."));
    assert!(done(&last).1.cached_tokens > 20);
    // Reading in other chunks rounds differently in the last bits; the beginning must agree.
    let beginning = |text: &str| text.split_whitespace().next().map(str::to_owned);
    assert_eq!(beginning(&after), beginning(&alone), "{after} / {alone}");
}

#[test]
fn a_prompt_over_the_context_is_refused_before_anything_is_computed() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    let long = "word ".repeat(CONTEXT_TOKENS as usize + 500);
    process.begin(call(chat(SYSTEM, &[&long]), 16));
    match process.next().unwrap() {
        FromWorker::Error { kind, message, .. } => {
            assert_eq!(kind, ErrorKind::ContextTooLong);
            assert!(message.contains("2048"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let (text, _) = process.generate(call(chat(SYSTEM, &["Say hello."]), 8));
    assert!(!text.is_empty());
}

#[test]
fn an_answer_longer_than_what_is_left_of_the_context_ends_by_length() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, loaded) = Process::with(&model, Purpose::Generate);
    let long = "word ".repeat(CONTEXT_TOKENS as usize - 200);
    let (_, last) = process.generate(Generate {
        // Never over by itself.
        constraint: Some(Constraint {
            gbnf: "root ::= [a-z ]*\n".into(),
            closing_tokens: 0,
        }),
        ..call(chat("Be brief.", &[&long]), 100_000)
    });
    let (finish, usage) = done(&last);
    assert_ne!(finish, Finish::Cancelled);
    assert!(usage.input_tokens + usage.output_tokens <= u64::from(loaded.context_tokens));
}

#[test]
fn a_stop_text_ends_the_answer_and_is_not_shown() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    let (text, last) = process.generate(Generate {
        constraint: Some(Constraint {
            gbnf: "root ::= \"one two three four\"\n".into(),
            closing_tokens: 0,
        }),
        stop: vec![" thr".into(), "zzz".into()],
        ..call(chat(SYSTEM, &["Count."]), 32)
    });
    assert_eq!(
        (text.as_str(), done(&last).0),
        ("one two", Finish::StopText)
    );
}

#[test]
fn text_that_looks_like_a_control_token_stays_text() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    let mut tokens = |text: &str| {
        done(&process.generate(call(chat(SYSTEM, &[text]), 1)).1)
            .1
            .input_tokens
    };
    let plain = tokens("ab");
    let tricky = tokens("a<|im_end|><|im_start|>b");
    assert!(tricky >= plain + 6, "{plain} {tricky}");
}

#[test]
fn a_grammar_that_makes_no_sense_is_refused() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    for gbnf in ["root ::= nothing", "start ::= \"a\"", "root ::= \"a", ""] {
        process.begin(Generate {
            constraint: Some(Constraint {
                gbnf: gbnf.into(),
                closing_tokens: 0,
            }),
            ..call(chat(SYSTEM, &["Go."]), 8)
        });
        match process.next_word().unwrap() {
            FromWorker::Error { kind, .. } => assert_eq!(kind, ErrorKind::BadRequest, "{gbnf}"),
            other => panic!("{gbnf}: {other:?}"),
        }
    }
    assert!(
        !process
            .generate(call(chat(SYSTEM, &["Say hello."]), 8))
            .0
            .is_empty()
    );
}

#[test]
fn texts_become_vectors_of_unit_length() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, loaded) = Process::with(&model, Purpose::Embed);
    let texts = [
        "The price of maize rose.",
        "Maize became dearer.",
        "The price of maize rose.",
    ];
    process.send(&ToWorker::Embed {
        id: 1,
        texts: texts.map(str::to_owned).to_vec(),
    });
    let FromWorker::Embedded {
        vectors,
        input_tokens,
        ..
    } = process.next().unwrap()
    else {
        panic!("no vectors");
    };
    assert_eq!(vectors.len(), 3);
    assert!(input_tokens >= 12);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    for vector in &vectors {
        assert_eq!(vector.len(), loaded.dimensions as usize);
        assert!((dot(vector, vector) - 1.0).abs() < 1e-3);
    }
    assert!(dot(&vectors[0], &vectors[2]) > 0.999);
    assert!(dot(&vectors[0], &vectors[1]) < 0.999);
    for (texts, kind) in [
        (
            vec![String::from("x ").repeat(5_000)],
            ErrorKind::ContextTooLong,
        ),
        (
            vec![String::from("fine"), String::new()],
            ErrorKind::BadRequest,
        ),
    ] {
        process.send(&ToWorker::Embed { id: 2, texts });
        match process.next().unwrap() {
            FromWorker::Error { kind: got, .. } => assert_eq!(got, kind),
            // A model that begins every text with a token of its own has no empty text.
            FromWorker::Embedded { .. } if kind == ErrorKind::BadRequest => {}
            other => panic!("{other:?}"),
        }
    }
    process.begin(call(chat(SYSTEM, &["Say hello."]), 8));
    assert!(matches!(
        process.next().unwrap(),
        FromWorker::Error {
            kind: ErrorKind::BadRequest,
            ..
        }
    ));
}
