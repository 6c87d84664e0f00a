//! The grammar against the schema it came from: what it accepts, what it writes, and what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::matcher::{Dice, Matcher};
use super::*;

fn check(schema: &Value, accepted: &[&str], rejected: &[&str]) {
    let grammar = grammar_for(schema).unwrap();
    let matcher = Matcher::new(&grammar.gbnf);
    for text in accepted {
        assert!(
            matcher.accepts(text),
            "{text} for {schema}\n{}",
            grammar.gbnf
        );
    }
    for text in rejected {
        assert!(
            !matcher.accepts(text),
            "{text} for {schema}\n{}",
            grammar.gbnf
        );
    }
}

fn refused(schema: &Value, path: &str, words: &str) {
    let error = check_schema(schema).unwrap_err();
    assert_eq!(error.path, path, "{error}");
    assert!(error.reason.contains(words), "{error}");
}

#[test]
fn an_object_is_written_compactly_with_its_properties_in_order() {
    check(
        &json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "b"]}),
        &[r#"{"a":"x","b":1}"#, r#"{"a":"","b":-20}"#],
        &[
            r#"{"a": "x","b":1}"#,
            r#"{"b":1,"a":"x"}"#,
            r#"{"a":"x"}"#,
            "{}",
            r#"{"a":"x","b":1,"c":2}"#,
        ],
    );
}

#[test]
fn optional_properties_may_be_absent_wherever_they_stand() {
    let with = |required: Value| json!({"type": "object", "required": required, "properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}});
    let all = [
        "{}",
        r#"{"a":1}"#,
        r#"{"b":2}"#,
        r#"{"c":3}"#,
        r#"{"a":1,"b":2}"#,
        r#"{"a":1,"c":3}"#,
        r#"{"b":2,"c":3}"#,
        r#"{"a":1,"b":2,"c":3}"#,
    ];
    let having =
        |key: &str| -> (Vec<&str>, Vec<&str>) { all.iter().partition(|text| text.contains(key)) };
    check(
        &with(json!([])),
        &all,
        &["{,}", r#"{"a":1,}"#, r#"{,"b":2}"#],
    );
    for key in ["a", "b", "c"] {
        let (yes, no) = having(&format!("\"{key}\""));
        check(&with(json!([key])), &yes, &no);
    }
}

#[test]
fn an_object_without_properties_is_empty() {
    check(&json!({"type": "object"}), &["{}"], &["{ }", r#"{"a":1}"#]);
}

#[test]
fn strings_are_bounded_and_always_whole() {
    let schema = json!({"type": "string", "minLength": 1, "maxLength": 3});
    check(
        &schema,
        &[r#""a""#, r#""é☀😀""#, r#""\n\"\\""#],
        &[
            r#""""#,
            r#""abcd""#,
            "\"a\nb\"",
            r#""\ud800""#,
            r#""a"#,
            r#""\x""#,
            "\"\u{7f}\"",
        ],
    );
    let long = |n: usize| format!("\"{}\"", "x".repeat(n));
    let free = json!({"type": "string"});
    check(
        &free,
        &[&long(0), &long(STRING_DEFAULT_MAX_CHARS)],
        &[&long(STRING_DEFAULT_MAX_CHARS + 1)],
    );
    let longer = json!({"type": "string", "minLength": 7, "maxLength": 3_333});
    check(
        &longer,
        &[&long(7), &long(8), &long(520), &long(3_332), &long(3_333)],
        &[&long(6), &long(3_334)],
    );
}

#[test]
fn a_string_longer_than_any_answer_is_still_bounded() {
    let schema = json!({"type": "string", "maxLength": 10_000_000});
    let long = |n: usize| format!("\"{}\"", "x".repeat(n));
    check(
        &schema,
        &[&long(STRING_MAX_CHARS)],
        &[&long(STRING_MAX_CHARS + 1)],
    );
}

#[test]
fn lists_have_as_many_items_as_allowed() {
    let list = |min: usize, max: usize| json!({"type": "array", "items": {"const": 1}, "minItems": min, "maxItems": max});
    check(&list(0, 0), &["[]"], &["[1]"]);
    check(&list(0, 1), &["[]", "[1]"], &["[1,1]"]);
    check(&list(1, 1), &["[1]"], &["[]", "[1,1]"]);
    check(
        &list(2, 3),
        &["[1,1]", "[1,1,1]"],
        &["[]", "[1]", "[1,1,1,1]", "[1,,1]"],
    );
    let free = json!({"type": "array", "items": {"const": 1}});
    let ones = |n: usize| format!("[{}]", vec!["1"; n].join(","));
    check(
        &free,
        &["[]", &ones(ITEMS_DEFAULT_MAX)],
        &[&ones(ITEMS_DEFAULT_MAX + 1)],
    );
}

#[test]
fn choices_constants_and_types_are_kept_apart() {
    check(
        &json!({"enum": ["a", 1, null, {"x": [1]}]}),
        &[r#""a""#, "1", "null", r#"{"x":[1]}"#],
        &["2", "a"],
    );
    check(
        &json!({"type": "string", "enum": ["a", 1]}),
        &[r#""a""#],
        &["1"],
    );
    check(
        &json!({"const": "say \"hi\"\\"}),
        &[r#""say \"hi\"\\""#],
        &[],
    );
    check(
        &json!({"type": ["string", "null"], "maxLength": 1}),
        &["null", r#""a""#],
        &[r#""ab""#, "true"],
    );
    check(&json!({"type": "boolean"}), &["true", "false"], &["null"]);
    check(
        &json!({"anyOf": [{"type": "integer", "minimum": 3, "exclusiveMaximum": 5}, {"type": "null"}]}),
        &["3", "4", "null"],
        &["5", "2"],
    );
    check(
        &json!({"type": "integer", "minimum": 2.5, "maximum": 3.5}),
        &["3"],
        &["2", "4"],
    );
    check(
        &json!({"type": "number", "exclusiveMinimum": 0}),
        &["0.01", "3"],
        &["0", "0.0", "-1"],
    );
}

#[test]
fn definitions_are_followed_and_shared() {
    check(
        &json!({
            "type": "object", "properties": {"from": {"$ref": "#/$defs/place"}, "to": {"$ref": "#/$defs/place"}}, "required": ["from", "to"],
            "$defs": {"place": {"type": "object", "properties": {"kind": {"$ref": "#/$defs/kind"}}, "required": ["kind"]}, "kind": {"enum": ["town", "port"]}}
        }),
        &[r#"{"from":{"kind":"town"},"to":{"kind":"port"}}"#],
        &[r#"{"from":{"kind":"town"},"to":{"kind":"x"}}"#],
    );
}

#[test]
fn one_of_works_where_its_branches_cannot_meet() {
    let tagged = |tag: &str| json!({"type": "object", "properties": {"t": {"const": tag}, "n": {"type": "integer"}}, "required": ["t"]});
    check(
        &json!({"oneOf": [tagged("a"), tagged("b"), {"type": "null"}]}),
        &[r#"{"t":"a"}"#, r#"{"n":1,"t":"b"}"#, "null"],
        &[r#"{"t":"c"}"#],
    );
    let named = |name: &str| json!({"type": "object", "properties": {name: {"type": "integer"}}, "required": [name]});
    check(
        &json!({"oneOf": [named("x"), named("y")]}),
        &[r#"{"x":1}"#, r#"{"y":1}"#],
        &["{}"],
    );
    refused(
        &json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}),
        "#/oneOf/1",
        "may overlap branch 0",
    );
    refused(
        &json!({"oneOf": [{"enum": [1, 2]}, {"enum": ["2"]}, {"const": 2.0}]}),
        "#/oneOf/2",
        "may overlap branch 0",
    );
    refused(
        &json!({"oneOf": [named("x"), {"type": "object", "properties": {"x": {"type": "integer"}}}]}),
        "#/oneOf/1",
        "may overlap",
    );
}

#[test]
fn what_a_grammar_cannot_promise_is_refused_with_its_place() {
    let object = |properties: Value| json!({"type": "object", "properties": properties});
    refused(&json!({}), "#", "accepts anything");
    refused(&json!(true), "#", "accepts anything");
    refused(
        &object(json!({"a/b": {"type": "string", "pattern": "^x"}})),
        "#/properties/a~1b/pattern",
        "not supported",
    );
    refused(
        &object(json!({"a": {"type": "text"}})),
        "#/properties/a/type",
        "is not a type",
    );
    refused(&json!({"type": "array"}), "#", "needs `items`");
    refused(
        &json!({"type": "array", "items": {"type": "null"}, "uniqueItems": true}),
        "#/uniqueItems",
        "remember",
    );
    refused(
        &json!({"type": "array", "items": {"type": "null"}, "minItems": 3, "maxItems": 2}),
        "#/minItems",
        "more than",
    );
    refused(
        &json!({"type": "array", "items": {"type": "null"}, "minItems": 300}),
        "#/minItems",
        "at most",
    );
    refused(
        &json!({"type": "string", "minLength": 4, "maxLength": 2}),
        "#/minLength",
        "more than",
    );
    refused(
        &json!({"type": "string", "maxLength": -1}),
        "#/maxLength",
        "not negative",
    );
    refused(
        &json!({"type": "integer", "minimum": 3, "maximum": 2}),
        "#",
        "no whole number",
    );
    refused(
        &json!({"type": "number", "minimum": 0.5}),
        "#/minimum",
        "whole number",
    );
    refused(
        &json!({"type": "number", "multipleOf": 2}),
        "#/multipleOf",
        "not supported",
    );
    refused(
        &json!({"type": "object", "additionalProperties": {"type": "string"}}),
        "#/additionalProperties",
        "free keys",
    );
    refused(
        &json!({"type": "object", "properties": {}, "required": ["x"]}),
        "#/required",
        "'x' is required",
    );
    refused(
        &json!({"type": "object", "patternProperties": {}}),
        "#/patternProperties",
        "not supported",
    );
    refused(
        &json!({"allOf": [{"type": "null"}, {"type": "null"}]}),
        "#/allOf",
        "several",
    );
    refused(&json!({"not": {"type": "null"}}), "#/not", "not supported");
    refused(
        &json!({"type": "string", "enum": [1]}),
        "#",
        "none of the values",
    );
    refused(&json!({"$ref": "other.json"}), "#/$ref", "not found");
    refused(&json!({"$ref": "#/$defs/x"}), "#/$ref", "not found");
    refused(
        &object(json!({"a": {"type": "null", "$defs": {}}})),
        "#/properties/a/$defs",
        "not supported",
    );
}

#[test]
fn recursion_is_refused_and_repetition_is_not() {
    let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}}});
    let error = check_schema(&tree).unwrap_err();
    assert!(error.reason.contains("contains itself"), "{error}");
    assert_eq!(error.path, "#/$defs/node/properties/next/anyOf/0/$ref");
}

#[test]
fn schemas_over_the_limits_are_refused_and_not_computed() {
    let mut deep = json!({"type": "null"});
    for _ in 0..100 {
        deep = json!({"type": "array", "items": deep});
    }
    assert!(check_schema(&deep).unwrap_err().reason.contains("deep"));
    let properties: serde_json::Map<String, Value> = (0..2_000)
        .map(|n| (format!("p{n}"), json!({"type": "null"})))
        .collect();
    let wide = check_schema(&json!({"type": "object", "properties": properties})).unwrap_err();
    assert!(wide.reason.contains("parts"), "{wide}");
    let many: Vec<usize> = (0..1_000).collect();
    assert!(
        check_schema(&json!({"enum": many}))
            .unwrap_err()
            .reason
            .contains("256")
    );
    let long = "x".repeat(10_000);
    let fat: serde_json::Map<String, Value> = (0..50)
        .map(|n| (format!("p{n}"), json!({"enum": [format!("{n}{long}")]})))
        .collect();
    let fat = check_schema(&json!({"type": "object", "properties": fat})).unwrap_err();
    assert!(fat.reason.contains("bytes"), "{fat}");
}

#[test]
fn a_model_is_told_the_form_in_few_words() {
    let shapes = shapes_of(&json!({
        "type": "object", "required": ["path"],
        "properties": {
            "mode": {"enum": ["new", "append"]},
            "path": {"type": "string", "description": "A file name\n in the folder."},
            "tags": {"type": "array", "items": {"type": ["string", "null"]}},
        }
    }))
    .unwrap();
    assert_eq!(
        signature(&shapes),
        r#"{"mode"?: "new"|"append", "path": string (A file name in the folder.), "tags"?: [string or null, ...]}"#
    );
}

/// Small schemas of every kind in the subset.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0..4_usize, 0..4_usize).prop_map(
            |(min, more)| json!({"type": "string", "minLength": min, "maxLength": min + more})
        ),
        (0..3_usize).prop_map(|min| json!({"type": "string", "minLength": min})),
        (600..700_usize).prop_map(|max| json!({"type": "string", "maxLength": max})),
        (-2_000..2_000_i64, 0..2_000_i64).prop_map(
            |(min, more)| json!({"type": "integer", "minimum": min, "maximum": min + more})
        ),
        (-50..50_i64).prop_map(|min| json!({"type": "integer", "exclusiveMinimum": min})),
        (-50..50_i64, 1..40_i64).prop_map(
            |(min, more)| json!({"type": "number", "exclusiveMinimum": min, "maximum": min + more})
        ),
        Just(json!({"type": "number"})),
        Just(json!({"type": "boolean"})),
        Just(json!({"type": ["integer", "null"]})),
        prop::collection::vec("[a-z\"\\\\é ]{0,4}", 1..4).prop_map(|words| json!({"enum": words})),
        Just(json!({"const": {"k": [1, "two"]}})),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(("[a-d\"é]{1,2}", inner.clone(), any::<bool>()), 0..4)
                .prop_map(|fields| object_schema(&fields)),
            (inner.clone(), 0..3_usize, 0..3_usize).prop_map(|(items, min, more)| {
                json!({"type": "array", "items": items, "minItems": min, "maxItems": min + more})
            }),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|branches| json!({"anyOf": branches})),
            (inner.clone(), inner).prop_map(|(a, b)| json!({"oneOf": [
                {"type": "object", "properties": {"tag": {"const": "a"}, "v": a}, "required": ["tag"]},
                {"type": "object", "properties": {"tag": {"const": "b"}, "v": b}, "required": ["tag", "v"]},
            ]})),
        ]
    })
}

fn object_schema(fields: &[(String, Value, bool)]) -> Value {
    let required: std::collections::BTreeSet<&str> = fields
        .iter()
        .filter(|(.., required)| *required)
        .map(|(name, ..)| name.as_str())
        .collect();
    let properties: serde_json::Map<String, Value> = fields
        .iter()
        .map(|(name, schema, _)| (name.clone(), schema.clone()))
        .collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// Puts the schema behind a reference, so that definitions are exercised too.
fn behind_a_reference(schema: &Value) -> Value {
    json!({
        "type": "object", "required": ["first"], "additionalProperties": false,
        "properties": {"first": {"$ref": "#/$defs/it"}, "second": {"$ref": "#/$defs/it", "description": "again"}},
        "$defs": {"it": schema},
    })
}

/// A value of `schema`, as a person would write it.
fn sample(schema: &Value, top: &Value, dice: &mut Dice) -> Value {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return sample(top.pointer(&name[1..]).unwrap(), top, dice);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    for list in ["enum", "anyOf", "oneOf"] {
        if let Some(choices) = schema.get(list).and_then(Value::as_array) {
            let choice = &choices[dice.below(choices.len())];
            return if list == "enum" {
                choice.clone()
            } else {
                sample(choice, top, dice)
            };
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[dice.below(kinds.len())].as_str().unwrap(),
        kind => kind.as_str().unwrap(),
    };
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let span = |low: &str, high: &str, dice: &mut Dice| {
        let min = bound(low).unwrap_or(0);
        let max = bound(high).unwrap_or(min + 5);
        min + i64::try_from(dice.below(usize::try_from(max - min + 1).unwrap())).unwrap()
    };
    match kind {
        "string" => {
            const CHARACTERS: [&str; 9] = ["a", " ", "\"", "\\", "\n", "\t", "é", "☀", "😀"];
            let length = span("minLength", "maxLength", dice);
            (0..length)
                .map(|_| CHARACTERS[dice.below(CHARACTERS.len())])
                .collect::<String>()
                .into()
        }
        "integer" | "number" => {
            let min = bound("minimum")
                .or(bound("exclusiveMinimum").map(|n| n + 1))
                .unwrap_or(-500);
            let max = bound("maximum").unwrap_or(min + 1_000);
            let whole =
                min + i64::try_from(dice.below(usize::try_from(max - min + 1).unwrap())).unwrap();
            let room_above = whole < max;
            if kind == "number" && room_above && dice.below(2) == 0 {
                #[expect(clippy::cast_precision_loss, reason = "a few digits")]
                return json!(whole as f64 + 0.25);
            }
            json!(whole)
        }
        "boolean" => json!(dice.below(2) == 0),
        "null" => Value::Null,
        "array" => {
            let length = span("minItems", "maxItems", dice);
            (0..length)
                .map(|_| sample(&schema["items"], top, dice))
                .collect()
        }
        _ => {
            let required: Vec<&str> = schema
                .get("required")
                .and_then(Value::as_array)
                .map(|names| names.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default();
            let mut object = serde_json::Map::new();
            for (name, property) in schema["properties"].as_object().unwrap() {
                if required.contains(&name.as_str()) || dice.below(2) == 0 {
                    object.insert(name.clone(), sample(property, top, dice));
                }
            }
            Value::Object(object)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_grammar_writes_only_what_its_schema_allows_and_accepts_what_it_describes(
        schema in any_schema(), referred in any::<bool>(), seed in any::<u64>()
    ) {
        let schema = if referred { behind_a_reference(&schema) } else { schema };
        let grammar = grammar_for(&schema).unwrap();
        let matcher = Matcher::new(&grammar.gbnf);
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut dice = Dice(seed);
        for _ in 0..8 {
            let value = sample(&schema, &schema, &mut dice);
            prop_assert!(validator.is_valid(&value), "the sample itself is wrong: {value}");
            prop_assert!(matcher.accepts(&value.to_string()), "{value}\n{}", grammar.gbnf);
            let text = matcher.write(&mut dice);
            let value: Value = serde_json::from_str(&text)
                .map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
            prop_assert!(validator.is_valid(&value), "{value}\n{}", grammar.gbnf);
            prop_assert!(matcher.accepts(&text));
        }
    }
}
