//! A value that fits a JSON Schema, chosen by a seed: what a well-behaved model answers when it must answer in a form.
//! Knows the subset our own schemas use; anything else becomes `null`.

use serde_json::{Map, Value, json};

use crate::rng::Rng;

/// Nesting that is followed before `null` is answered, so that a recursive schema ends.
const DEPTH_MAX: usize = 16;

/// An instance of `schema`.
pub fn instance(schema: &Value, seed: u64) -> Value {
    build(schema, schema, &mut Rng::new(seed), 0)
}

fn build(root: &Value, schema: &Value, rng: &mut Rng, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(pointer) = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
        let target = root.pointer(pointer).unwrap_or(&Value::Null);
        return build(root, target, rng, depth + 1);
    }
    if let Some(options) = schema["enum"].as_array().filter(|all| !all.is_empty()) {
        return rng.pick(options).clone();
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(options) = schema[key].as_array().filter(|all| !all.is_empty()) {
            let option = rng.pick(options).clone();
            return build(root, &option, rng, depth + 1);
        }
    }
    let kind = schema["type"]
        .as_str()
        .or_else(|| schema["type"].as_array().and_then(|all| all[0].as_str()));
    match kind {
        Some("object") => object(root, schema, rng, depth),
        Some("array") => {
            let least = schema["minItems"].as_u64().unwrap_or(1);
            (0..least)
                .map(|_| build(root, &schema["items"], rng, depth + 1))
                .collect()
        }
        Some("string") => string(schema, rng),
        Some("integer") => {
            let low = schema["minimum"].as_i64().unwrap_or(0);
            json!(low + i64::try_from(rng.below(10)).unwrap_or(0))
        }
        Some("number") => json!(schema["minimum"].as_f64().unwrap_or(0.5)),
        Some("boolean") => json!(rng.chance(500)),
        _ => Value::Null,
    }
}

fn object(root: &Value, schema: &Value, rng: &mut Rng, depth: usize) -> Value {
    let mut fields = Map::new();
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            fields.insert(name.clone(), build(root, property, rng, depth + 1));
        }
    }
    Value::Object(fields)
}

fn string(schema: &Value, rng: &mut Rng) -> Value {
    let text = format!("text {:04x}", rng.below(0x1_0000));
    let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    text.chars()
        .take(usize::try_from(most).unwrap_or(usize::MAX))
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_speaker_is_one_of_the_enum() {
        let schema = json!({"type": "object", "required": ["next"],
            "properties": {"next": {"type": "string", "enum": ["a", "b"]}}});
        let seen: std::collections::BTreeSet<String> = (0..32)
            .map(|seed| instance(&schema, seed).to_string())
            .collect();
        assert_eq!(
            seen.into_iter().collect::<Vec<_>>(),
            [r#"{"next":"a"}"#, r#"{"next":"b"}"#]
        );
    }

    #[test]
    fn nested_forms_and_references_are_filled_in() {
        let schema = json!({"type": "object", "$defs": {"n": {"type": "integer", "minimum": 3}},
            "properties": {"list": {"type": "array", "items": {"$ref": "#/$defs/n"}}, "s": {"type": "string", "maxLength": 2}}});
        let value = instance(&schema, 1);
        assert!(value["list"][0].as_i64().unwrap() >= 3);
        assert_eq!(value["s"].as_str().unwrap().len(), 2);
    }

    #[test]
    fn a_recursive_schema_ends() {
        let schema = json!({"type": "object", "properties": {"child": {"$ref": "#"}}});
        assert!(instance(&schema, 1).is_object());
    }
}
