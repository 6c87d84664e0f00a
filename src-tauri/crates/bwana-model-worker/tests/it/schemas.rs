//! Twenty schemas on a real model: whatever it writes, and wherever it is cut, parses and fits its schema.

use bwana_llm::local::frame::{Constraint, Finish, FromWorker, Generate, Purpose};
use bwana_llm::local::grammar::{Grammar, grammar_for, shapes_of, signature};
use serde_json::{Value, json};

use crate::support::{Process, call, chat, is_full, test_model};

/// Output each answer may have, in tokens; many are cut there.
const MAX_OUTPUT_TOKENS: u32 = 96;

fn schemas() -> Vec<Value> {
    let object = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    vec![
        object(
            json!({"speaker": {"enum": ["ada", "bob", "chi"]}}),
            json!(["speaker"]),
        ),
        object(
            json!({"speaker": {"enum": ["business_intelligence", "technical_implementation"]}, "why": {"type": "string", "maxLength": 80}}),
            json!(["speaker", "why"]),
        ),
        object(
            json!({"done": {"type": "boolean"}, "reason": {"type": "string"}}),
            json!(["done", "reason"]),
        ),
        object(
            json!({"steps": {"type": "array", "items": {"type": "string", "maxLength": 40}, "minItems": 2, "maxItems": 4}}),
            json!(["steps"]),
        ),
        object(
            json!({"price": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000}, "currency": {"enum": ["KES", "NGN", "XOF"]}}),
            json!(["price", "currency"]),
        ),
        object(
            json!({"from": {"type": "integer", "minimum": 1, "maximum": 31}, "to": {"type": "integer", "minimum": 1, "maximum": 31}}),
            json!(["from", "to"]),
        ),
        object(
            json!({"a": {"type": "string", "maxLength": 10}, "b": {"type": "integer"}, "c": {"type": "boolean"}}),
            json!([]),
        ),
        object(
            json!({"note": {"type": ["string", "null"], "maxLength": 30}}),
            json!(["note"]),
        ),
        object(
            json!({"people": {"type": "array", "maxItems": 3, "items": object(json!({"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 120}}), json!(["name"]))}}),
            json!(["people"]),
        ),
        object(
            json!({"text": {"type": "string", "minLength": 20, "maxLength": 2_000}}),
            json!(["text"]),
        ),
        json!({"type": "array", "items": {"type": "integer", "minimum": -5, "maximum": 5}, "minItems": 3, "maxItems": 6}),
        json!({"type": "string", "maxLength": 60}),
        json!({"enum": ["yes", "no", "perhaps"]}),
        json!({"type": "integer", "minimum": 1900, "maximum": 2100}),
        json!({"type": "number", "minimum": -1, "maximum": 1}),
        json!({"anyOf": [object(json!({"say": {"type": "string", "maxLength": 50}}), json!(["say"])), object(json!({"tool": {"const": "http.get"}, "args": object(json!({"url": {"type": "string", "maxLength": 60}}), json!(["url"]))}), json!(["args", "tool"]))]}),
        json!({"oneOf": [object(json!({"kind": {"const": "circle"}, "r": {"type": "number", "minimum": 0}}), json!(["kind", "r"])), object(json!({"kind": {"const": "box"}, "w": {"type": "integer", "minimum": 0}}), json!(["kind", "w"]))]}),
        json!({"$ref": "#/$defs/order", "$defs": {
            "order": object(json!({"items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1, "maxItems": 2}, "paid": {"type": "boolean"}}), json!(["items", "paid"])),
            "item": object(json!({"sku": {"type": "string", "minLength": 1, "maxLength": 8}, "n": {"type": "integer", "minimum": 1, "maximum": 99}}), json!(["sku", "n"]))
        }}),
        object(
            json!({"Umlaut \"ä\"": {"const": "quote \" and \\ backslash"}, "日本": {"enum": ["語", "☀"]}}),
            json!(["Umlaut \"ä\"", "日本"]),
        ),
        object(
            json!({"plan": object(json!({"facts": {"type": "array", "items": {"type": "string", "maxLength": 30}, "maxItems": 2}, "next": object(json!({"agent": {"enum": ["a", "b"]}, "task": {"type": "string", "maxLength": 40}}), json!(["agent", "task"]))}), json!(["facts", "next"]))}),
            json!(["plan"]),
        ),
    ]
}

struct Case {
    schema: Value,
    grammar: Grammar,
    words: String,
    validator: jsonschema::Validator,
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = schemas()
        .into_iter()
        .map(|schema| Case {
            grammar: grammar_for(&schema).unwrap(),
            words: signature(&shapes_of(&schema).unwrap()),
            validator: jsonschema::validator_for(&schema).unwrap(),
            schema,
        })
        .collect();
    assert_eq!(cases.len(), 20);
    cases
}

fn check(process: &mut Process, case: &Case, seed: u32, max_output_tokens: u32) -> Finish {
    let system = format!("Answer with one JSON value of this form: {}", case.words);
    let closing_tokens = u32::try_from(case.grammar.closing_bytes).unwrap();
    let (text, last) = process.generate(Generate {
        seed,
        // Wild, so that the grammar and not the model keeps the form.
        temperature: 1.5,
        constraint: Some(Constraint {
            gbnf: case.grammar.gbnf.clone(),
            closing_tokens,
        }),
        ..call(
            chat(&system, &["We plan a shop in Kisumu. Go on."]),
            max_output_tokens,
        )
    });
    let FromWorker::Done { finish, usage, .. } = last else {
        panic!("{last:?} for {}", case.schema);
    };
    let value: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} for {} ({usage:?})", case.schema));
    assert!(
        case.validator.is_valid(&value),
        "{text} for {}",
        case.schema
    );
    assert!(
        !text.contains(": ") || value.to_string().contains(": "),
        "free whitespace: {text}"
    );
    finish
}

#[test]
fn every_answer_parses_and_fits_its_schema() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    let seeds = if is_full() { 5 } else { 2 };
    let mut whole = 0;
    for case in &cases() {
        for seed in 1..=seeds {
            let finish = check(&mut process, case, seed, MAX_OUTPUT_TOKENS);
            whole += u32::from(finish == Finish::End);
        }
    }
    eprintln!("{whole} of {} answers ended by themselves", 20 * seeds);
    assert!(whole > 0);
}

#[test]
fn even_the_shortest_limit_gives_a_whole_value() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    for case in &cases() {
        // No less than the value itself needs; the promise is that this much is always enough.
        let least = u32::try_from(case.grammar.closing_bytes).unwrap();
        for (seed, limit) in [(1, least), (2, least + 10)] {
            check(&mut process, case, seed, limit);
        }
    }
}
