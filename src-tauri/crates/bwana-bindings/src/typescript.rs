//! From a JSON Schema, as schemars writes them, to the text of a TypeScript type. Knows the forms that occur in the table
//! and refuses every other, so that nothing is silently `unknown`.

use serde_json::{Map, Value};

use crate::names::{DEFINITIONS, Names, Shapes};

/// A named type with its documentation.
pub(crate) fn declaration(name: &str, schema: &Value, shapes: &Shapes) -> anyhow::Result<String> {
    let names = shapes.names_of(name);
    let mut text = documentation(schema, 0);
    let is_plain = schema.get("properties").is_some()
        && schema.get("oneOf").is_none()
        && schema.get("anyOf").is_none()
        && schema
            .get("additionalProperties")
            .is_none_or(Value::is_boolean);
    let body = inline(schema, names, 0)?;
    if is_plain {
        text.push_str(&format!("export interface {name} {body}\n"));
    } else {
        text.push_str(&format!("export type {name} = {body};\n"));
    }
    Ok(text)
}

/// A schema as a type at a depth of indentation.
pub(crate) fn inline(schema: &Value, names: &Names, depth: usize) -> anyhow::Result<String> {
    let fields = match schema {
        Value::Bool(true) => return Ok(String::from("unknown")),
        Value::Bool(false) => return Ok(String::from("never")),
        Value::Object(fields) => fields,
        other => anyhow::bail!("{other} is no schema"),
    };
    if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
        let name = to.strip_prefix(DEFINITIONS).and_then(|to| names.get(to));
        let name = name.ok_or_else(|| anyhow::anyhow!("nothing is called {to}"))?;
        // The fields beside a reference are those of a tagged variant.
        return match fields.contains_key("properties") {
            false => Ok(name.clone()),
            true => Ok(format!("({} & {name})", object(fields, names, depth)?)),
        };
    }
    if let Some(value) = fields.get("const") {
        return Ok(literal(value));
    }
    if let Some(values) = fields.get("enum").and_then(Value::as_array) {
        return Ok(union(values.iter().map(literal).collect()));
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = fields.get(choice).and_then(Value::as_array) {
            let types = choices
                .iter()
                .map(|choice| inline(choice, names, depth))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let choices = union(types);
            // Fields that stand beside the choice belong to each of them.
            return match fields.contains_key("properties") {
                false => Ok(choices),
                true => Ok(format!("{} & ({choices})", object(fields, names, depth)?)),
            };
        }
    }
    anyhow::ensure!(
        !fields.contains_key("allOf"),
        "allOf is not expected: {schema}"
    );
    match fields.get("type") {
        Some(Value::String(kind)) => of_kind(kind, fields, names, depth),
        Some(Value::Array(kinds)) => {
            let types = kinds
                .iter()
                .filter_map(Value::as_str)
                .map(|kind| of_kind(kind, fields, names, depth))
                .collect::<anyhow::Result<Vec<_>>>()?;
            Ok(union(types))
        }
        _ => Ok(String::from("unknown")),
    }
}

fn of_kind(
    kind: &str,
    fields: &Map<String, Value>,
    names: &Names,
    depth: usize,
) -> anyhow::Result<String> {
    Ok(match kind {
        "string" => String::from("string"),
        "integer" | "number" => String::from("number"),
        "boolean" => String::from("boolean"),
        "null" => String::from("null"),
        "array" => array(fields, names, depth)?,
        "object" => object(fields, names, depth)?,
        other => anyhow::bail!("'{other}' is no kind of JSON value"),
    })
}

fn array(fields: &Map<String, Value>, names: &Names, depth: usize) -> anyhow::Result<String> {
    if let Some(items) = fields.get("prefixItems").and_then(Value::as_array) {
        let items = items
            .iter()
            .map(|item| inline(item, names, depth))
            .collect::<anyhow::Result<Vec<_>>>()?;
        return Ok(format!("[{}]", items.join(", ")));
    }
    let item = fields.get("items").unwrap_or(&Value::Bool(true));
    let item = inline(item, names, depth)?;
    Ok(if item.contains(['|', '&']) && !item.starts_with('{') {
        format!("({item})[]")
    } else {
        format!("{item}[]")
    })
}

fn object(fields: &Map<String, Value>, names: &Names, depth: usize) -> anyhow::Result<String> {
    let Some(properties) = fields.get("properties").and_then(Value::as_object) else {
        return Ok(match fields.get("additionalProperties") {
            Some(Value::Bool(false)) => String::from("Record<string, never>"),
            None | Some(Value::Bool(true)) => String::from("Record<string, unknown>"),
            Some(value) => format!("Record<string, {}>", inline(value, names, depth)?),
        });
    };
    let required: Vec<&str> = fields
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let indent = "  ".repeat(depth + 1);
    let mut text = String::from("{\n");
    for (name, schema) in properties {
        text.push_str(&documentation(schema, depth + 1));
        let optional = if required.contains(&name.as_str()) {
            ""
        } else {
            "?"
        };
        let of = inline(schema, names, depth + 1)?;
        text.push_str(&format!("{indent}{}{optional}: {of};\n", key(name)));
    }
    text.push_str(&"  ".repeat(depth));
    text.push('}');
    Ok(text)
}

fn key(name: &str) -> String {
    let is_word = name
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if is_word && !name.starts_with(|first: char| first.is_ascii_digit()) {
        name.to_owned()
    } else {
        format!("'{name}'")
    }
}

/// Each once, in order.
fn union(types: Vec<String>) -> String {
    let mut distinct: Vec<String> = Vec::new();
    for one in types {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    if distinct.is_empty() {
        return String::from("never");
    }
    distinct.join(" | ")
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        other => other.to_string(),
    }
}

fn documentation(schema: &Value, depth: usize) -> String {
    let Some(text) = schema.get("description").and_then(Value::as_str) else {
        return String::new();
    };
    let indent = "  ".repeat(depth);
    let text = text.replace("*/", "* /").replace('\n', " ");
    format!("{indent}/** {text} */\n")
}

/// Whether a text uses a type of this name.
pub(crate) fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let is_letter =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '\'');
        let before = text[..at].chars().next_back().is_some_and(is_letter);
        let after = text[at + name.len()..]
            .chars()
            .next()
            .is_some_and(is_letter);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: Value, expected: &str) {
        let names = Names::from([(String::from("A"), String::from("Renamed"))]);
        assert_eq!(inline(&schema, &names, 0).unwrap(), expected);
    }

    #[test]
    fn every_form_of_a_schema_has_its_type() {
        check(json!(true), "unknown");
        check(json!({"type": "string", "pattern": "x"}), "string");
        check(json!({"type": ["integer", "null"]}), "number | null");
        check(json!({"$ref": "#/$defs/A", "description": "x"}), "Renamed");
        check(json!({"enum": ["a", "b's"]}), "'a' | 'b\\'s'");
        check(
            json!({"oneOf": [{"const": "a"}, {"const": "a"}, {"const": 1}]}),
            "'a' | 1",
        );
        check(
            json!({"type": "array", "items": {"$ref": "#/$defs/A"}}),
            "Renamed[]",
        );
        check(
            json!({"type": "array", "items": {"type": ["string", "null"]}}),
            "(string | null)[]",
        );
        check(
            json!({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}),
            "[number, string]",
        );
        check(
            json!({"type": "object", "additionalProperties": {"type": "number"}}),
            "Record<string, number>",
        );
        check(
            json!({"type": "object", "additionalProperties": false}),
            "Record<string, never>",
        );
        check(
            json!({"type": "object", "properties": {"a-b": {"type": "string", "description": "Why.\nAnd how."},
                "c": {"type": "null"}}, "required": ["c"]}),
            "{\n  /** Why. And how. */\n  'a-b'?: string;\n  c: null;\n}",
        );
        check(
            json!({"$ref": "#/$defs/A", "type": "object", "properties": {"kind": {"const": "x"}}, "required": ["kind"]}),
            "({\n  kind: 'x';\n} & Renamed)",
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let names = Names::new();
        for schema in [
            json!({"allOf": []}),
            json!({"type": "date"}),
            json!({"$ref": "#/$defs/Gone"}),
            json!(3),
        ] {
            assert!(inline(&schema, &names, 0).is_err(), "{schema}");
        }
    }
}
