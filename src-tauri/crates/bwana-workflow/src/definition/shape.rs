//! Checks the form of a document against the JSON Schema of its type: keys, kinds of values, names out of a list. The
//! schema is the one editors get, so the two cannot disagree. Finds every problem, where serde stops at the first.
//!
//! It understands the part of JSON Schema that our types produce; a test holds that they produce nothing else.

use bwana_types::money::Usd;
use bwana_types::time::Duration;
use serde_json::Value;

use super::ISSUES_MAX;
use super::issue::{Issue, Path, closest, did_you_mean, listed, quotable};
use super::tree::{Kind, Node};

/// Everything wrong with the form of a document.
pub(super) fn check(schema: &Value, document: &Node) -> Vec<Issue> {
    let mut checker = Checker {
        root: schema,
        issues: Vec::new(),
    };
    checker.value(schema, document, &Path::root());
    checker.issues
}

/// The schema of what may be anything; only keys written twice are wrong there.
static ANYTHING: Value = Value::Null;

struct Checker<'a> {
    root: &'a Value,
    issues: Vec<Issue>,
}

impl<'a> Checker<'a> {
    fn value(&mut self, schema: &'a Value, node: &Node, path: &Path) {
        if self.issues.len() > ISSUES_MAX {
            return;
        }
        if let Some(name) = reference(schema) {
            if let Some(problem) = leaf(name, node) {
                self.report(node, path, problem, "");
                return;
            }
            return self.value(self.definition(name), node, path);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            return self.any_of(choices, node, path);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            return self.one_of(choices, node, path);
        }
        let kinds = kinds(schema);
        if !kinds.is_empty() && !kinds.iter().any(|kind| admits(kind, node)) {
            return self.wrong_kind(&kinds, node, path);
        }
        match &node.kind {
            Kind::Text(text) => {
                let names = names(std::slice::from_ref(schema));
                self.one_name(&names, text, node, path);
            }
            Kind::Number(_) => self.number(schema, node, path),
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(
                        schema.get("items").unwrap_or(&ANYTHING),
                        item,
                        &path.index(index),
                    );
                }
            }
            Kind::Map(entries) => self.keys(schema, entries, node, path),
            Kind::Null | Kind::Bool(_) => {}
        }
    }

    /// A value that may be one of several things, told apart by their kind: text or a group, a value or nothing.
    fn any_of(&mut self, choices: &'a [Value], node: &Node, path: &Path) {
        let fitting = choices.iter().find(|choice| {
            let kinds = kinds(self.resolved(choice));
            kinds.is_empty() || kinds.iter().any(|kind| admits(kind, node))
        });
        match (fitting, choices) {
            (Some(choice), _) => self.value(choice, node, path),
            (None, [only, null]) if kinds(null) == ["null"] => self.value(only, node, path),
            (None, _) => {
                let kinds: Vec<&str> = choices
                    .iter()
                    .flat_map(|choice| kinds(self.resolved(choice)))
                    .collect();
                self.wrong_kind(&kinds, node, path);
            }
        }
    }

    /// One name out of a list, or a group with exactly one key out of a list.
    fn one_of(&mut self, choices: &'a [Value], node: &Node, path: &Path) {
        let names = names(choices);
        if !names.is_empty() {
            match node.text() {
                Some(text) => self.one_name(&names, text, node, path),
                None => self.wrong_kind(&["string"], node, path),
            }
            return;
        }
        let keys: Vec<&str> = choices
            .iter()
            .filter_map(|choice| choice["properties"].as_object()?.keys().next())
            .map(String::as_str)
            .collect();
        let Kind::Map(entries) = &node.kind else {
            let example = keys.first().copied().unwrap_or_default();
            let reason = format!(
                "expected one key out of {}, found {}",
                listed(keys.iter().copied()),
                node.description()
            );
            let hint = match node.text() {
                Some(text) if keys.contains(&text) => format!("write `{{{text}: …}}`"),
                _ => format!("write for example `{{{example}: …}}`"),
            };
            return self.report(node, path, reason, &hint);
        };
        if entries.len() != 1 {
            let reason = format!("expected exactly one key, found {}", entries.len());
            self.report(
                node,
                path,
                reason,
                "combine several with `any: [...]` or `all: [...]`",
            );
        }
        for (key, value) in entries {
            let choice = choices
                .iter()
                .find(|choice| choice["properties"].get(key).is_some());
            match choice {
                Some(choice) => self.value(&choice["properties"][key], value, &path.key(key)),
                None => self.unknown_key(key, &keys, None, value, path),
            }
        }
    }

    fn one_name(&mut self, names: &[&str], text: &str, node: &Node, path: &Path) {
        if names.is_empty() || names.contains(&text) {
            return;
        }
        let reason = format!(
            "'{}' is not one of {}",
            quotable(text),
            listed(names.iter().copied())
        );
        let hint = did_you_mean(text, names.iter().copied()).unwrap_or_default();
        self.report(node, path, reason, &hint);
    }

    fn number(&mut self, schema: &Value, node: &Node, path: &Path) {
        let Kind::Number(number) = &node.kind else {
            return;
        };
        let highest = match schema["format"].as_str() {
            Some("uint32") => u64::from(u32::MAX),
            Some("uint64") => u64::MAX,
            _ => return,
        };
        if number.as_u64().is_none_or(|number| number > highest) {
            let reason =
                format!("{number} is out of range; the least is 0, the greatest {highest}");
            self.report(node, path, reason, "");
        }
    }

    fn keys(&mut self, schema: &'a Value, entries: &[(String, Node)], node: &Node, path: &Path) {
        let Some(properties) = schema["properties"].as_object() else {
            entries
                .iter()
                .for_each(|(key, value)| self.value(&ANYTHING, value, &path.key(key)));
            return self.repeated_keys(entries, path);
        };
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        let mut unknown = 0;
        for (key, value) in entries {
            if let Some(schema) = properties.get(key) {
                self.value(schema, value, &path.key(key));
            } else if schema["additionalProperties"] == Value::Bool(false) {
                unknown += 1;
                let place = self.place_below(properties, key);
                self.unknown_key(key, &known, place.as_deref(), value, path);
            }
        }
        self.repeated_keys(entries, path);
        for required in schema["required"].as_array().into_iter().flatten() {
            let name = required.as_str().unwrap_or_default();
            if entries.iter().any(|(key, _)| key == name) {
                continue;
            }
            let hint = match entries {
                [(key, value)] if unknown == 1 && value.text().is_some() => {
                    format!("if '{}: …' is one text, put it in quotes", quotable(key))
                }
                _ => String::new(),
            };
            self.report(node, path, format!("`{name}` is missing"), &hint);
        }
    }

    /// Keys written twice in this group.
    fn repeated_keys(&mut self, entries: &[(String, Node)], path: &Path) {
        for (position, (key, value)) in entries.iter().enumerate() {
            let first = entries[..position].iter().find(|(other, _)| other == key);
            if let Some((_, first)) = first {
                let reason = match first.line() {
                    Some(line) => format!("this key already stands in line {line}"),
                    None => String::from("this key stands here twice"),
                };
                self.report(value, &path.key(key), reason, "keep one of the two");
            }
        }
    }

    fn unknown_key(
        &mut self,
        key: &str,
        known: &[&str],
        place: Option<&str>,
        value: &Node,
        path: &Path,
    ) {
        let hint = match (closest(key, known.iter().copied()), place) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(place)) => place.to_owned(),
            (None, None) => format!("known here: {}", known.join(", ")),
        };
        let reason = format!("there is no key `{}`", quotable(key));
        self.report(value, &path.key(key), reason, &hint);
    }

    /// The neighbouring group that knows the key, for people who put it one level too high.
    fn place_below(
        &self,
        properties: &'a serde_json::Map<String, Value>,
        key: &str,
    ) -> Option<String> {
        let inside = |schema: &'a Value| {
            let direct = self.resolved(schema);
            let first = direct["anyOf"]
                .as_array()
                .and_then(|choices| choices.first());
            let inner = self.resolved(first.unwrap_or(direct))["properties"].as_object();
            inner
                .into_iter()
                .flat_map(|inner| inner.keys().map(String::as_str))
        };
        let groups = || {
            properties
                .iter()
                .map(|(name, schema)| (name, inside(schema).collect::<Vec<_>>()))
        };
        let exact: Vec<&str> = groups()
            .filter(|(_, keys)| keys.contains(&key))
            .map(|(name, _)| name.as_str())
            .collect();
        if !exact.is_empty() {
            return Some(format!("it belongs under `{}`", exact.join("` or `")));
        }
        let near =
            groups().find_map(|(name, keys)| Some(format!("{name}.{}", closest(key, keys)?)));
        near.map(|near| format!("did you mean `{near}`?"))
    }

    fn wrong_kind(&mut self, kinds: &[&str], node: &Node, path: &Path) {
        let words: Vec<&str> = kinds
            .iter()
            .filter(|kind| **kind != "null")
            .map(|kind| kind_in_words(kind))
            .collect();
        let hint = match (&node.kind, kinds.first()) {
            (Kind::Number(_) | Kind::Bool(_), Some(&"string")) => "put it in quotes",
            (Kind::Null, Some(&"array")) => "write `[]` for an empty list, or leave the key out",
            (Kind::Text(_), Some(&"array")) => "write a list, like `[one, two]`",
            (Kind::Text(_), Some(&"boolean")) => "write true or false without quotes",
            (Kind::Text(_), Some(&"integer" | &"number")) => {
                "write the number without quotes or unit"
            }
            (Kind::Null, _) => "fill it in, or leave the key out",
            _ => "",
        };
        let reason = format!(
            "expected {}, found {}",
            words.join(" or "),
            node.description()
        );
        self.report(node, path, reason, hint);
    }

    fn report(&mut self, node: &Node, path: &Path, reason: String, hint: &str) {
        let issue = Issue::error(path.clone(), reason)
            .hint(hint)
            .at_line(node.line());
        self.issues.push(issue);
    }

    fn definition(&self, name: &str) -> &'a Value {
        &self.root["$defs"][name]
    }

    fn resolved(&self, schema: &'a Value) -> &'a Value {
        reference(schema).map_or(schema, |name| self.definition(name))
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// Texts and numbers with a grammar of their own, read by the type itself so that its own words reach people.
fn leaf(name: &str, node: &Node) -> Option<String> {
    match (name, &node.kind) {
        ("Duration", Kind::Text(text)) => text
            .parse::<Duration>()
            .err()
            .map(|error| error.to_string()),
        ("Duration", Kind::Number(number)) => Some(format!(
            "{number} has no unit; write it like 90s, 5m, 2h or 7d"
        )),
        ("Usd", Kind::Number(number)) => Usd(number.clone())
            .to_micro()
            .err()
            .map(|error| error.to_string()),
        _ => None,
    }
}

fn kinds(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ if schema["oneOf"].is_array()
            && names(schema["oneOf"].as_array().map_or(&[], Vec::as_slice)).is_empty() =>
        {
            vec!["object"]
        }
        _ if schema["oneOf"].is_array() => vec!["string"],
        _ => Vec::new(),
    }
}

fn admits(kind: &str, node: &Node) -> bool {
    match &node.kind {
        Kind::Null => kind == "null",
        Kind::Bool(_) => kind == "boolean",
        Kind::Number(number) => kind == "number" || (kind == "integer" && !number.is_f64()),
        Kind::Text(_) => kind == "string",
        Kind::List(_) => kind == "array",
        Kind::Map(_) => kind == "object",
    }
}

fn kind_in_words(kind: &str) -> &'static str {
    match kind {
        "string" => "text",
        "array" => "a list",
        "object" => "a group of keys",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "nothing",
    }
}

/// The names a schema allows, if it is a list of names.
fn names(choices: &[Value]) -> Vec<&str> {
    choices
        .iter()
        .flat_map(|choice| {
            let many = choice["enum"].as_array().into_iter().flatten();
            many.chain(choice.get("const")).filter_map(Value::as_str)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keywords the checker reads, and those that say nothing about form.
    const UNDERSTOOD: [&str; 15] = [
        "$schema",
        "$id",
        "$defs",
        "$ref",
        "title",
        "description",
        "default",
        "type",
        "properties",
        "additionalProperties",
        "required",
        "items",
        "anyOf",
        "oneOf",
        "enum",
    ];
    /// Read only for the leaves, which check themselves, and for numbers.
    const LEAF: [&str; 4] = ["const", "format", "minimum", "pattern"];

    fn keywords(schema: &Value, found: &mut Vec<String>) {
        let Value::Object(map) = schema else { return };
        for (key, value) in map {
            found.push(key.clone());
            match (key.as_str(), value) {
                ("properties" | "$defs", Value::Object(map)) => {
                    map.values().for_each(|value| keywords(value, found))
                }
                ("anyOf" | "oneOf", Value::Array(list)) => {
                    list.iter().for_each(|value| keywords(value, found))
                }
                ("items", value) => keywords(value, found),
                _ => {}
            }
        }
    }

    #[test]
    fn the_checker_understands_every_keyword_our_types_produce() {
        for file in super::super::schemas() {
            let mut found = Vec::new();
            keywords(&file.schema, &mut found);
            assert!(found.len() > 30);
            for keyword in found {
                let known =
                    UNDERSTOOD.contains(&keyword.as_str()) || LEAF.contains(&keyword.as_str());
                assert!(
                    known,
                    "{}: the shape checker does not know `{keyword}`",
                    file.name
                );
            }
        }
    }
}
