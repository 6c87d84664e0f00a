//! JSON Schemas that people write into workflows: are they schemas, and can the built-in model be held to them?

use bwana_types::error::ErrorCode;
use serde_json::{Map, Value};

use crate::definition::issue::{Issue, Path, did_you_mean, listed, quotable};

/// Bytes a schema may have.
const SCHEMA_MAX_BYTES: usize = 64 * 1024;
/// Levels of schemas inside one another.
const SCHEMA_DEPTH_MAX: usize = 16;

/// What is wrong with a schema. `kinds`: the `type` it must have, or any.
pub(super) fn check(schema: &Value, path: &Path, kinds: &[&str]) -> Vec<Issue> {
    let error = |at: &Path, reason: String| vec![Issue::error(at.clone(), reason)];
    if !schema.is_object() {
        return vec![
            Issue::error(path.clone(), "a JSON Schema is a group of keys")
                .hint("write for example `{type: string}`"),
        ];
    }
    let size = schema.to_string().len();
    if size > SCHEMA_MAX_BYTES {
        return vec![
            Issue::error(
                path.clone(),
                format!("the schema has {size} bytes, at most {SCHEMA_MAX_BYTES} are allowed"),
            )
            .code(ErrorCode::DefinitionTooLarge),
        ];
    }
    if let Some(at) = outside_reference(schema, path) {
        return vec![
            Issue::error(at, "a schema may only refer to its own `$defs`")
                .hint("write `$ref: '#/$defs/NAME'`"),
        ];
    }
    if let Err(problem) = jsonschema::meta::validate(schema) {
        return vec![not_a_schema(&problem, path)];
    }
    if let Err(problem) = jsonschema::validator_for(schema) {
        return error(
            path,
            format!(
                "not a usable JSON Schema: {}",
                quotable(&problem.to_string())
            ),
        );
    }
    match schema["type"].as_str() {
        Some(kind) if !kinds.is_empty() && !kinds.contains(&kind) => error(
            &path.key("type"),
            format!(
                "this must be of type {}, not `{}`",
                listed(kinds.iter().copied()),
                quotable(kind)
            ),
        ),
        None if !kinds.is_empty() => {
            error(path, format!("this needs `type: {}`", kinds.join("` or `")))
        }
        _ => Vec::new(),
    }
}

/// The types of JSON Schema.
const TYPES: [&str; 7] = [
    "string", "object", "array", "integer", "number", "boolean", "null",
];

fn not_a_schema(problem: &jsonschema::ValidationError<'_>, path: &Path) -> Issue {
    let at = problem.instance_path().to_string();
    let segments = at.split('/').filter(|segment| !segment.is_empty());
    let place = segments.fold(path.clone(), |path, segment| match segment.parse() {
        Ok(index) => path.index(index),
        Err(_) => path.key(segment),
    });
    match problem.instance().as_str() {
        Some(written) if at.ends_with("/type") => {
            let reason = format!("`{}` is no type of JSON Schema", quotable(written));
            let hint = did_you_mean(written, TYPES)
                .unwrap_or_else(|| format!("the types are {}", listed(TYPES)));
            Issue::error(place, reason).hint(hint)
        }
        _ => Issue::error(
            place,
            format!("not a JSON Schema: {}", quotable(&problem.to_string())),
        ),
    }
}

/// A reference that leaves the schema.
fn outside_reference(schema: &Value, path: &Path) -> Option<Path> {
    match schema {
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            let at = path.key(key);
            let leaves = matches!(key.as_str(), "$ref" | "$dynamicRef" | "$schema" | "$id")
                && value
                    .as_str()
                    .is_some_and(|target| !target.starts_with('#'));
            match leaves {
                true if key != "$schema" || !is_draft(value) => Some(at),
                _ => outside_reference(value, &at),
            }
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| outside_reference(item, &path.index(index))),
        _ => None,
    }
}

fn is_draft(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|draft| draft.contains("json-schema.org/draft"))
}

/// Keywords that say nothing about form.
const NOTES: [&str; 7] = [
    "$schema",
    "$defs",
    "title",
    "description",
    "default",
    "examples",
    "$comment",
];

/// Where a schema leaves what the built-in model can be held to by grammar: `object` with all its properties, `array`,
/// `string` with `maxLength`, `enum`, `integer`, `number`, `boolean`, and `$ref` into `$defs` without recursion.
pub fn grammar_subset(schema: &Value, path: &Path) -> Vec<(Path, String)> {
    let mut walk = Walk {
        root: schema,
        refs: Vec::new(),
        found: Vec::new(),
    };
    walk.schema(schema, path, 0);
    walk.found
}

struct Walk<'a> {
    root: &'a Value,
    /// References we are inside of.
    refs: Vec<&'a str>,
    found: Vec<(Path, String)>,
}

impl<'a> Walk<'a> {
    fn schema(&mut self, schema: &'a Value, path: &Path, depth: usize) {
        let Value::Object(map) = schema else {
            return self.leave(
                path,
                "a schema that is no group of keys is outside the grammar",
            );
        };
        if depth > SCHEMA_DEPTH_MAX {
            return self.leave(
                path,
                &format!(
                    "schemas nested more than {SCHEMA_DEPTH_MAX} deep are outside the grammar"
                ),
            );
        }
        if let Some(target) = map.get("$ref").and_then(Value::as_str) {
            return self.reference(target, path, depth);
        }
        if map.contains_key("enum") || map.contains_key("const") {
            return self.keywords(map, &["enum", "const", "type"], path);
        }
        match map.get("type").and_then(Value::as_str) {
            Some("object") => self.object(map, path, depth),
            Some("array") => self.array(map, path, depth),
            Some("string") => self.keywords(map, &["type", "maxLength"], path),
            Some("integer" | "number" | "boolean") => self.keywords(map, &["type"], path),
            Some(other) => self.leave(
                &path.key("type"),
                &format!("`type: {}` is outside the grammar", quotable(other)),
            ),
            None => self.leave(
                path,
                "a schema without a single `type` is outside the grammar",
            ),
        }
    }

    fn object(&mut self, map: &'a Map<String, Value>, path: &Path, depth: usize) {
        self.keywords(
            map,
            &["type", "properties", "required", "additionalProperties"],
            path,
        );
        let Some(properties) = map.get("properties").and_then(Value::as_object) else {
            return self.leave(
                path,
                "an object without `properties` is outside the grammar",
            );
        };
        for (name, schema) in properties {
            self.schema(schema, &path.key("properties").key(name), depth + 1);
        }
    }

    fn array(&mut self, map: &'a Map<String, Value>, path: &Path, depth: usize) {
        self.keywords(map, &["type", "items", "maxItems", "minItems"], path);
        match map.get("items") {
            Some(items) => self.schema(items, &path.key("items"), depth + 1),
            None => self.leave(path, "an array without `items` is outside the grammar"),
        }
    }

    fn reference(&mut self, target: &'a str, path: &Path, depth: usize) {
        let name = target.strip_prefix("#/$defs/");
        let definition = name.and_then(|name| self.root["$defs"].get(name));
        match definition {
            _ if self.refs.contains(&target) => {
                self.leave(path, "a schema that contains itself is outside the grammar")
            }
            Some(definition) => {
                self.refs.push(target);
                self.schema(definition, path, depth + 1);
                self.refs.pop();
            }
            None => self.leave(
                path,
                &format!("'{}' leads nowhere in `$defs`", quotable(target)),
            ),
        }
    }

    fn keywords(&mut self, map: &Map<String, Value>, allowed: &[&str], path: &Path) {
        for key in map.keys() {
            if !allowed.contains(&key.as_str()) && !NOTES.contains(&key.as_str()) {
                self.leave(
                    &path.key(key),
                    &format!("`{}` is outside the grammar", quotable(key)),
                );
            }
        }
    }

    fn leave(&mut self, path: &Path, reason: &str) {
        self.found.push((path.clone(), reason.to_owned()));
    }
}
