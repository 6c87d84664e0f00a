//! JSON Schemas in the subset that strict structured output takes, and the way back for what that subset changed.
//!
//! Strict mode wants every object closed and every property required; an optional property becomes one that may be
//! null, and those nulls are taken out of the answer again, so that it fits the schema as it was given. A schema that
//! cannot be said strictly without changing its meaning (free-form maps, `not`, `if`, ...) is sent as it is, not strict.

mod anthropic;
mod gemini;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use anthropic::for_anthropic;
pub use gemini::{for_gemini, for_gemini_openapi};

/// Levels of nesting strict mode takes.
const DEPTH_MAX: usize = 10;
/// Properties strict mode takes in all.
const PROPERTIES_MAX: usize = 5_000;
/// Steps along `$ref` before a chain counts as a circle.
const REF_HOPS_MAX: usize = 32;
/// Nested alternatives looked into for a null; each step may branch, so few.
const NULL_HOPS_MAX: usize = 6;
/// Levels of an answer that are mended; deeper than any strict schema.
const MEND_DEPTH_MAX: usize = 64;

/// Keywords that describe and do not constrain; dropping them changes nothing.
const ANNOTATIONS: [&str; 9] = [
    "$schema",
    "$id",
    "$comment",
    "title",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "default",
];
/// Keywords strict mode takes as they are.
const KEPT: [&str; 11] = [
    "type",
    "enum",
    "const",
    "description",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
];
/// Constraints strict mode refuses: they move into the description, and whoever asked checks the answer anyway.
const TOLD: [&str; 5] = [
    "minLength",
    "maxLength",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];
/// Formats strict mode knows; other formats are annotations.
const FORMATS: [&str; 9] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
];

/// A schema as strict mode takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Strict {
    pub schema: Value,
    /// Whether it allows what the given schema does not; then the answer is mended as far as it can be, and whoever
    /// asked must check it.
    pub relaxed: bool,
}

/// `schema` for strict mode, or `None` if that would change what it means.
pub fn strict(schema: &Value) -> Option<Strict> {
    let mut walk = Walk {
        root: schema,
        properties: 0,
        relaxed: false,
    };
    // The root must be an object itself, not a reference to one.
    let root = resolve(schema, schema)?;
    let mut out = walk.schema(root, 0)?;
    if out.get("type") != Some(&json!("object")) {
        return None;
    }
    for key in ["$defs", "definitions"] {
        let Some(defs) = schema.get(key).and_then(Value::as_object) else {
            continue;
        };
        let mut strict_defs = Map::new();
        for (name, def) in defs {
            strict_defs.insert(name.clone(), walk.schema(def, 0)?);
        }
        out.as_object_mut()?
            .insert(key.to_owned(), Value::Object(strict_defs));
    }
    Some(Strict {
        schema: out,
        relaxed: walk.relaxed,
    })
}

struct Walk<'a> {
    root: &'a Value,
    properties: usize,
    relaxed: bool,
}

impl Walk<'_> {
    fn schema(&mut self, schema: &Value, depth: usize) -> Option<Value> {
        let map = schema.as_object()?; // `true` and `false` are schemas strict mode does not know
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(reference) = map.get("$ref") {
            resolve(schema, self.root)?;
            let alone = stands_alone(map, &["$ref", "$defs", "definitions"]);
            return alone.then(|| json!({ "$ref": reference }));
        }
        if let Some([only]) = map
            .get("allOf")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
        {
            let alone = stands_alone(map, &["allOf"]);
            return if alone {
                self.schema(only, depth)
            } else {
                None
            };
        }
        let mut out = Map::new();
        let mut told = Vec::new();
        for (key, value) in map {
            match key.as_str() {
                "$defs" | "definitions" | "properties" | "required" | "additionalProperties" => {}
                "items" => {
                    out.insert(key.clone(), self.schema(value, depth + 1)?);
                }
                "anyOf" | "oneOf" => {
                    let branches = self.branches(value, depth)?;
                    let before = out.insert(String::from("anyOf"), branches);
                    // Both at once say more than either.
                    if before.is_some() {
                        return None;
                    }
                }
                "format" => {
                    if value
                        .as_str()
                        .is_some_and(|format| FORMATS.contains(&format))
                    {
                        out.insert(key.clone(), value.clone());
                    }
                }
                "default" => told.push(format!("default: {value}")),
                "maxItems" => {
                    out.insert(key.clone(), value.clone());
                }
                key if KEPT.contains(&key) => {
                    out.insert(key.to_owned(), value.clone());
                }
                key if TOLD.contains(&key) => told.push(format!("{key}: {value}")),
                key if ANNOTATIONS.contains(&key) => {}
                _ => return None,
            }
        }
        if is_object(map) {
            self.object(map, &mut out, depth)?;
        }
        infer_type(&mut out)?;
        describe(&mut out, &told);
        Some(Value::Object(out))
    }

    fn branches(&mut self, branches: &Value, depth: usize) -> Option<Value> {
        let branches = branches.as_array()?.iter();
        branches.map(|branch| self.schema(branch, depth)).collect()
    }

    fn object(
        &mut self,
        map: &Map<String, Value>,
        out: &mut Map<String, Value>,
        depth: usize,
    ) -> Option<()> {
        let properties = map.get("properties").and_then(Value::as_object);
        let closed = map.get("additionalProperties") == Some(&Value::Bool(false));
        // A free-form map: closing it would make it the empty object.
        let is_open =
            map.contains_key("additionalProperties") || properties.is_none_or(Map::is_empty);
        if is_open && !closed {
            return None;
        }
        let mut strict_properties = Map::new();
        for (name, property) in properties.into_iter().flatten() {
            self.properties += 1;
            let mut strict = self.schema(property, depth + 1)?;
            if !is_required(map, name) && !accepts_null(property, self.root, 0) {
                strict = nullable(strict);
                self.relaxed = true;
            }
            strict_properties.insert(name.clone(), strict);
        }
        if self.properties > PROPERTIES_MAX {
            return None;
        }
        let names: Vec<Value> = strict_properties
            .keys()
            .cloned()
            .map(Value::String)
            .collect();
        out.insert(String::from("properties"), Value::Object(strict_properties));
        out.insert(String::from("required"), Value::Array(names));
        out.insert(String::from("additionalProperties"), Value::Bool(false));
        Some(())
    }
}

/// What was sent less strictly than it was given: where answers are mended on their way back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Relaxed {
    pub output: Option<Value>,
    /// By our tool names.
    pub tools: BTreeMap<String, Value>,
}

impl Relaxed {
    /// The answer without the nulls strict mode made necessary; `None` if nothing changes.
    pub fn mend_output(&self, text: &str) -> Option<String> {
        mend(text, self.output.as_ref()?)
    }

    /// The arguments of a call of `tool`, mended likewise.
    pub fn mend_args(&self, tool: &str, args: &str) -> Option<String> {
        mend(args, self.tools.get(tool)?)
    }
}

fn mend(text: &str, schema: &Value) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    drop_added_nulls(schema, schema, &mut value, 0).then(|| value.to_string())
}

/// Takes nulls out of `value` where `schema` has an optional property that may not be null. Whether any was there.
fn drop_added_nulls(schema: &Value, root: &Value, value: &mut Value, depth: usize) -> bool {
    let Some(schema) = resolve(schema, root).filter(|_| depth < MEND_DEPTH_MAX) else {
        return false;
    };
    let depth = depth + 1;
    if let Some([only]) = schema
        .get("allOf")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        return drop_added_nulls(only, root, value, depth);
    }
    let branches = ["anyOf", "oneOf"]
        .iter()
        .find_map(|key| schema.get(*key)?.as_array());
    if let Some(branches) = branches {
        let fitting = branches.iter().find(|branch| fits(branch, root, value));
        return fitting.is_some_and(|branch| drop_added_nulls(branch, root, value, depth));
    }
    let mut changed = false;
    match value {
        Value::Array(items) => {
            if let Some(of) = schema.get("items") {
                for item in items {
                    changed |= drop_added_nulls(of, root, item, depth);
                }
            }
        }
        Value::Object(fields) => {
            let (Some(map), Some(properties)) = (
                schema.as_object(),
                schema.get("properties").and_then(Value::as_object),
            ) else {
                return false;
            };
            fields.retain(|name, field| {
                let added = field.is_null()
                    && properties.get(name).is_some_and(|property| {
                        !is_required(map, name) && !accepts_null(property, root, 0)
                    });
                changed |= added;
                !added
            });
            for (name, field) in fields {
                if let Some(property) = properties.get(name) {
                    changed |= drop_added_nulls(property, root, field, depth);
                }
            }
        }
        _ => {}
    }
    changed
}

/// Whether `value` was written for this branch: a strict answer has exactly the properties of its branch.
fn fits(branch: &Value, root: &Value, value: &Value) -> bool {
    let Some(branch) = resolve(branch, root) else {
        return false;
    };
    let properties = branch.get("properties").and_then(Value::as_object);
    match (value, properties) {
        (Value::Object(fields), Some(properties)) => {
            fields.len() == properties.len()
                && properties.iter().all(|(name, property)| {
                    let constant = resolve(property, root).and_then(|p| p.get("const"));
                    fields
                        .get(name)
                        .is_some_and(|field| constant.is_none_or(|constant| constant == field))
                })
        }
        (Value::Array(_), None) => branch.get("items").is_some(),
        _ => false,
    }
}

/// Whether nothing in `map` but `keys` constrains.
fn stands_alone(map: &Map<String, Value>, keys: &[&str]) -> bool {
    map.keys()
        .map(String::as_str)
        .all(|key| keys.contains(&key) || key == "description" || ANNOTATIONS.contains(&key))
}

fn is_object(map: &Map<String, Value>) -> bool {
    match map.get("type") {
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
        _ => map.contains_key("properties"),
    }
}

fn is_required(object: &Map<String, Value>, name: &str) -> bool {
    object
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|names| names.iter().any(|n| n == name))
}

fn accepts_null(schema: &Value, root: &Value, hops: usize) -> bool {
    let Some(map) = resolve(schema, root).and_then(Value::as_object) else {
        return true;
    };
    if hops > NULL_HOPS_MAX {
        return false;
    }
    let any_of = ["anyOf", "oneOf", "allOf"]
        .iter()
        .find_map(|key| map.get(*key)?.as_array());
    if let Some(branches) = any_of {
        return branches.iter().any(|b| accepts_null(b, root, hops + 1));
    }
    if let Some(values) = map.get("enum").and_then(Value::as_array) {
        return values.iter().any(Value::is_null);
    }
    if let Some(constant) = map.get("const") {
        return constant.is_null();
    }
    match map.get("type") {
        Some(Value::String(name)) => name == "null",
        Some(Value::Array(names)) => names.iter().any(|name| name == "null"),
        _ => !map.contains_key("properties"),
    }
}

/// Follows local references. `None` for a reference elsewhere, to nothing, or in a circle.
fn resolve<'a>(schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    let mut schema = schema;
    for _ in 0..REF_HOPS_MAX {
        let Some(reference) = schema.get("$ref") else {
            return Some(schema);
        };
        let pointer = reference.as_str()?.strip_prefix('#')?;
        schema = root.pointer(pointer)?;
    }
    None
}

fn nullable(schema: Value) -> Value {
    let Value::Object(mut map) = schema else {
        return schema;
    };
    if map.contains_key("$ref") || map.contains_key("anyOf") || map.contains_key("const") {
        return json!({"anyOf": [map, {"type": "null"}]});
    }
    match map.get_mut("type") {
        Some(Value::Array(names)) => names.push(json!("null")),
        Some(name) => *name = json!([name.clone(), "null"]),
        None => {}
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.push(Value::Null);
    }
    Value::Object(map)
}

/// Strict mode wants a type everywhere; an enum or constant has one, an empty schema has not.
fn infer_type(out: &mut Map<String, Value>) -> Option<()> {
    if out.contains_key("type") || out.contains_key("anyOf") {
        return Some(());
    }
    let values: Cow<'_, [Value]> = match (out.get("enum"), out.get("const")) {
        (Some(Value::Array(values)), _) => Cow::Owned(values.clone()),
        (None, Some(value)) => Cow::Owned(vec![value.clone()]),
        _ if out.contains_key("properties") => {
            out.insert(String::from("type"), json!("object"));
            return Some(());
        }
        _ => return None,
    };
    let name = |value: &Value| match value {
        Value::Null => Some("null"),
        Value::Bool(_) => Some("boolean"),
        Value::Number(n) if n.is_i64() || n.is_u64() => Some("integer"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("string"),
        Value::Array(_) | Value::Object(_) => None,
    };
    let mut names: Vec<&str> = values.iter().map(name).collect::<Option<_>>()?;
    names.sort_unstable();
    names.dedup();
    let type_ = match names.as_slice() {
        [] => return None,
        [only] => json!(only),
        several => json!(several),
    };
    out.insert(String::from("type"), type_);
    Some(())
}

fn describe(out: &mut Map<String, Value>, told: &[String]) {
    if told.is_empty() {
        return;
    }
    let told = told.join(", ");
    let text = match out.get("description").and_then(Value::as_str) {
        Some(text) => format!("{text} ({told})"),
        None => told,
    };
    out.insert(String::from("description"), Value::String(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, expected: &Value, relaxed: bool) {
        let strict = strict(schema).expect("can be strict");
        assert_eq!(strict.schema, *expected);
        assert_eq!(strict.relaxed, relaxed);
    }

    #[track_caller]
    fn check_not(schema: &Value) {
        assert_eq!(strict(schema), None, "{schema}");
    }

    #[test]
    fn objects_are_closed_and_complete() {
        check(
            &json!({"type":"object","title":"T","properties":{"a":{"type":"string"}},"required":["a"]}),
            &json!({"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}),
            false,
        );
    }

    #[test]
    fn optional_properties_become_nullable() {
        check(
            &json!({"type":"object","properties":{
                "a":{"type":"string"},
                "b":{"type":["integer","null"]},
                "c":{"enum":["x","y"]},
                "d":{"$ref":"#/$defs/D"},
                "e":{"const":1}},
                "$defs":{"D":{"type":"object","properties":{"z":{"type":"number"}},"required":["z"]}}}),
            &json!({"type":"object","properties":{
                "a":{"type":["string","null"]},
                "b":{"type":["integer","null"]},
                "c":{"type":["string","null"],"enum":["x","y",null]},
                "d":{"anyOf":[{"$ref":"#/$defs/D"},{"type":"null"}]},
                "e":{"anyOf":[{"const":1,"type":"integer"},{"type":"null"}]}},
                "required":["a","b","c","d","e"],"additionalProperties":false,
                "$defs":{"D":{"type":"object","properties":{"z":{"type":"number"}},"required":["z"],"additionalProperties":false}}}),
            true,
        );
    }

    #[test]
    fn what_strict_mode_cannot_check_is_told_in_words() {
        check(
            &json!({"type":"object","properties":{"a":{"type":"string","maxLength":9,"format":"uint8","default":"x","description":"A"}},"required":["a"]}),
            &json!({"type":"object","properties":{"a":{"type":"string","description":"A (default: \"x\", maxLength: 9)"}},"required":["a"],"additionalProperties":false}),
            false,
        );
    }

    #[test]
    fn a_root_reference_is_put_in_its_place() {
        check(
            &json!({"$ref":"#/definitions/R","definitions":{"R":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/definitions/R"},{"type":"null"}]}},"required":["next"]}}}),
            &json!({"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/definitions/R"},{"type":"null"}]}},"required":["next"],"additionalProperties":false,
                "definitions":{"R":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/definitions/R"},{"type":"null"}]}},"required":["next"],"additionalProperties":false}}}),
            false,
        );
    }

    #[test]
    fn what_would_change_its_meaning_is_not_made_strict() {
        let with =
            |property: Value| json!({"type":"object","properties":{"a":property},"required":["a"]});
        check_not(&with(json!({"type":"object"})));
        check_not(&with(
            json!({"type":"object","additionalProperties":{"type":"string"}}),
        ));
        check_not(&with(
            json!({"type":"object","properties":{"x":{"type":"string"}},"additionalProperties":true}),
        ));
        check_not(&with(json!({"not":{"type":"string"}})));
        check_not(&with(json!({"allOf":[{"type":"string"},{"minLength":1}]})));
        check_not(&with(json!({"$ref":"https://example.org/x"})));
        check_not(&with(json!({"$ref":"#/$defs/missing"})));
        check_not(&with(json!({})));
        check_not(&with(json!(true)));
        check_not(&json!({"type":"array","items":{"type":"string"}}));
        check_not(&json!({"$ref":"#"}));
        let mut deep = json!({"type":"string"});
        for _ in 0..20 {
            deep = with(deep);
        }
        check_not(&deep);
    }

    #[test]
    fn added_nulls_leave_the_answer_again() {
        let schema = json!({"type":"object","properties":{
            "a":{"type":"string"},"n":{"type":["string","null"]},
            "list":{"type":"array","items":{"$ref":"#/$defs/I"}},
            "either":{"anyOf":[{"$ref":"#/$defs/I"},{"type":"object","properties":{"k":{"const":"two"},"y":{"type":"string"}},"required":["k"]}]}},
            "required":["list"],
            "$defs":{"I":{"type":"object","properties":{"x":{"type":"integer"}}}}});
        assert!(strict(&schema).unwrap().relaxed);
        let relaxed = Relaxed {
            output: Some(schema),
            tools: BTreeMap::new(),
        };
        assert_eq!(
            relaxed.mend_output(
                r#"{"a":null,"n":null,"list":[{"x":null},{"x":1}],"either":{"k":"two","y":null}}"#
            ),
            Some(String::from(
                r#"{"either":{"k":"two"},"list":[{},{"x":1}],"n":null}"#
            ))
        );
        assert_eq!(relaxed.mend_output(r#"{"list":[]}"#), None);
        assert_eq!(relaxed.mend_output(r#"{"list":["#), None);
    }

    #[test]
    fn a_schema_that_goes_in_circles_ends() {
        let schema = json!({"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"b":{"$ref":"#/$defs/B"}},
            "$defs":{"A":{"allOf":[{"$ref":"#/$defs/A"}]},"B":{"anyOf":[{"$ref":"#/$defs/B"},{"$ref":"#/$defs/B"}]}}});
        assert!(strict(&schema).is_some());
        let relaxed = Relaxed {
            output: Some(schema),
            tools: BTreeMap::new(),
        };
        assert_eq!(relaxed.mend_output(r#"{"a":{"x":1},"b":[]}"#), None);
        assert!(relaxed.mend_output(r#"{"a":null,"b":null}"#).is_some());
    }
}
