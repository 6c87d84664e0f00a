//! JSON Schemas in the subset that Anthropic's structured output takes. Objects are closed; ranges, lengths and patterns,
//! which the API refuses with a 400, move into the description, and whoever asked checks the answer against the schema
//! as it was given. What cannot be said at all (free-form maps, circles) is asked for in words instead.
//!
//! Source: "JSON Schema limitations" of
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    ANNOTATIONS, DEPTH_MAX, FORMATS, REF_HOPS_MAX, Strict, describe, infer_type, is_object,
    resolve, stands_alone,
};

/// Keywords the API takes as they are.
const KEPT: [&str; 3] = ["type", "const", "description"];
/// Constraints the API refuses.
const TOLD: [&str; 12] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// `schema` as Anthropic takes it, or `None` if that would change what it means beyond what can be checked afterwards.
pub fn for_anthropic(schema: &Value) -> Option<Strict> {
    if (Circles::default()).found(schema, schema) {
        return None;
    }
    let mut walk = Walk {
        root: schema,
        relaxed: false,
    };
    let mut out = walk.schema(resolve(schema, schema)?, 0)?;
    for key in ["$defs", "definitions"] {
        let Some(defs) = schema.get(key).and_then(Value::as_object) else {
            continue;
        };
        let mut closed = Map::new();
        for (name, def) in defs {
            closed.insert(name.clone(), walk.schema(def, 0)?);
        }
        out.as_object_mut()?
            .insert(key.to_owned(), Value::Object(closed));
    }
    Some(Strict {
        schema: out,
        relaxed: walk.relaxed,
    })
}

struct Walk<'a> {
    root: &'a Value,
    relaxed: bool,
}

impl Walk<'_> {
    fn schema(&mut self, schema: &Value, depth: usize) -> Option<Value> {
        let map = schema.as_object()?;
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(reference) = map.get("$ref") {
            resolve(schema, self.root)?;
            let alone = stands_alone(map, &["$ref", "$defs", "definitions"]);
            return alone.then(|| json!({ "$ref": reference }));
        }
        if let Some(branches) = map.get("allOf") {
            let [only] = branches.as_array()?.as_slice() else {
                return None;
            };
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
            self.keyword(key, value, &mut out, &mut told, depth)?;
        }
        if is_object(map) {
            self.object(map, &mut out, depth)?;
        }
        infer_type(&mut out)?;
        describe(&mut out, &told);
        Some(Value::Object(out))
    }

    fn keyword(
        &mut self,
        key: &str,
        value: &Value,
        out: &mut Map<String, Value>,
        told: &mut Vec<String>,
        depth: usize,
    ) -> Option<()> {
        match key {
            "$defs" | "definitions" | "properties" | "required" | "additionalProperties" => {}
            "items" => {
                out.insert(key.to_owned(), self.schema(value, depth + 1)?);
            }
            "anyOf" | "oneOf" => {
                let branches = value.as_array()?.iter();
                let branches: Option<Vec<Value>> = branches
                    .map(|branch| self.schema(branch, depth + 1))
                    .collect();
                let before = out.insert(String::from("anyOf"), Value::Array(branches?));
                // Both at once say more than either.
                before.is_none().then_some(())?;
            }
            "enum" => {
                let scalar = |v: &Value| !v.is_object() && !v.is_array();
                value.as_array()?.iter().all(scalar).then_some(())?;
                out.insert(key.to_owned(), value.clone());
            }
            "format" => {
                let known = |format: &str| format == "uri" || FORMATS.contains(&format);
                if value.as_str().is_some_and(known) {
                    out.insert(key.to_owned(), value.clone());
                }
            }
            "minItems" if value.as_u64().is_some_and(|n| n <= 1) => {
                out.insert(key.to_owned(), value.clone());
            }
            "default" => told.push(format!("default: {value}")),
            "minItems" => self.tell(key, value, told),
            key if TOLD.contains(&key) => self.tell(key, value, told),
            key if KEPT.contains(&key) => {
                out.insert(key.to_owned(), value.clone());
            }
            key if ANNOTATIONS.contains(&key) => {}
            _ => return None,
        }
        Some(())
    }

    fn tell(&mut self, key: &str, value: &Value, told: &mut Vec<String>) {
        told.push(format!("{key}: {value}"));
        self.relaxed = true;
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
        let mut kept = Map::new();
        for (name, property) in properties.into_iter().flatten() {
            kept.insert(name.clone(), self.schema(property, depth + 1)?);
        }
        if let Some(names) = map.get("required").and_then(Value::as_array) {
            let known = |name: &&Value| name.as_str().is_some_and(|name| kept.contains_key(name));
            let names: Vec<Value> = names.iter().filter(known).cloned().collect();
            out.insert(String::from("required"), Value::Array(names));
        }
        out.insert(String::from("properties"), Value::Object(kept));
        out.insert(String::from("additionalProperties"), Value::Bool(false));
        Some(())
    }
}

/// Looks for references that lead back to where they stand, which the API refuses.
#[derive(Default)]
struct Circles<'a> {
    open: Vec<&'a str>,
    done: BTreeSet<&'a str>,
}

impl<'a> Circles<'a> {
    fn found(&mut self, value: &'a Value, root: &'a Value) -> bool {
        let map = match value {
            Value::Array(items) => return items.iter().any(|item| self.found(item, root)),
            Value::Object(map) => map,
            _ => return false,
        };
        let Some(reference) = map.get("$ref").and_then(Value::as_str) else {
            return map.values().any(|value| self.found(value, root));
        };
        if self.done.contains(reference) {
            return false;
        }
        // A chain as long as this is treated as if it had no end.
        if self.open.contains(&reference) || self.open.len() > REF_HOPS_MAX {
            return true;
        }
        let target = reference
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        self.open.push(reference);
        let found = target.is_some_and(|target| self.found(target, root));
        self.open.pop();
        self.done.insert(reference);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, expected: &Value, relaxed: bool) {
        let strict = for_anthropic(schema).expect("can be said");
        assert_eq!(strict.schema, *expected);
        assert_eq!(strict.relaxed, relaxed);
    }

    fn with(property: &Value) -> Value {
        json!({"type":"object","properties":{"a":property},"required":["a"]})
    }

    #[test]
    fn objects_are_closed_and_optional_properties_stay_optional() {
        check(
            &json!({"type":"object","title":"T","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a","ghost"]}),
            &json!({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a"],"additionalProperties":false}),
            false,
        );
    }

    #[test]
    fn what_the_api_refuses_is_told_in_words() {
        let sent = |property: Value| json!({"type":"object","properties":{"a":property},"required":["a"],"additionalProperties":false});
        check(
            &with(
                &json!({"type":"integer","minimum":1,"maximum":10,"description":"A score","default":5}),
            ),
            &sent(
                json!({"type":"integer","description":"A score (default: 5, maximum: 10, minimum: 1)"}),
            ),
            true,
        );
        check(
            &with(&json!({"type":"string","minLength":1,"maxLength":9,"pattern":"^x"})),
            &sent(
                json!({"type":"string","description":"maxLength: 9, minLength: 1, pattern: \"^x\""}),
            ),
            true,
        );
        check(
            &with(
                &json!({"type":"array","items":{"type":"string","format":"uri"},"minItems":1,"maxItems":3}),
            ),
            &sent(
                json!({"type":"array","items":{"type":"string","format":"uri"},"minItems":1,"description":"maxItems: 3"}),
            ),
            true,
        );
        check(
            &with(&json!({"type":"array","items":{"type":"number"},"minItems":2})),
            &sent(json!({"type":"array","items":{"type":"number"},"description":"minItems: 2"})),
            true,
        );
    }

    #[test]
    fn references_and_alternatives_stay_what_they_are() {
        check(
            &json!({"$ref":"#/$defs/R","$defs":{
                "R":{"type":"object","properties":{"x":{"oneOf":[{"$ref":"#/$defs/P"},{"const":"none"}]}}},
                "P":{"type":"object","properties":{"y":{"enum":["a",null]}},"required":["y"]}}}),
            &json!({"type":"object","properties":{"x":{"anyOf":[{"$ref":"#/$defs/P"},{"const":"none","type":"string"}]}},"additionalProperties":false,"$defs":{
                "R":{"type":"object","properties":{"x":{"anyOf":[{"$ref":"#/$defs/P"},{"const":"none","type":"string"}]}},"additionalProperties":false},
                "P":{"type":"object","properties":{"y":{"enum":["a",null],"type":["null","string"]}},"required":["y"],"additionalProperties":false}}}),
            false,
        );
    }

    #[test]
    fn what_cannot_be_said_is_left_to_words() {
        for property in [
            json!({"type":"object"}),
            json!({"type":"object","additionalProperties":{"type":"string"}}),
            json!({"not":{"type":"string"}}),
            json!({"allOf":[{"type":"string"},{"minLength":1}]}),
            json!({"$ref":"https://example.org/x"}),
            json!({"$ref":"#/$defs/missing"}),
            json!({"enum":[{"x":1}]}),
            json!({}),
            json!(true),
            json!({"$ref":"#"}),
        ] {
            assert_eq!(for_anthropic(&with(&property)), None, "{property}");
        }
        let circle = json!({"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},
            "$defs":{"A":{"type":"object","properties":{"b":{"$ref":"#/$defs/B"}}},"B":{"type":"array","items":{"$ref":"#/$defs/A"}}}});
        assert_eq!(for_anthropic(&circle), None);
    }

    #[test]
    fn many_references_to_the_same_are_no_circle_and_cost_little() {
        let mut defs = Map::new();
        for n in 0..30 {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            defs.insert(
                format!("d{n}"),
                json!({"type":"object","properties":{"a":next,"b":next}}),
            );
        }
        defs.insert(String::from("d30"), json!({"type":"string"}));
        let schema = json!({"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":defs});
        assert!(for_anthropic(&schema).is_some());
    }
}
