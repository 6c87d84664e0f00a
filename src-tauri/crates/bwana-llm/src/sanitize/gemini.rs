//! JSON Schemas as Gemini takes them: `responseJsonSchema` and `parametersJsonSchema` in the keywords the API knows, and,
//! for servers that know only the older `responseSchema` and `parameters`, the OpenAPI subset. What is left out is told
//! in the description, and whoever asked checks the answer against the schema as it was given.
//!
//! Source: `GenerationConfig` and `Schema` of <https://ai.google.dev/api/generate-content> and
//! <https://ai.google.dev/api/caching#Schema>.

use serde_json::{Map, Value, json};

use super::{ANNOTATIONS, Strict, describe, infer_type, resolve};

/// Keywords the API takes as they are.
const KEPT: [&str; 10] = [
    "type",
    "format",
    "title",
    "description",
    "required",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "propertyOrdering",
];
/// Levels of a schema that are looked at; below it anything goes.
const DEPTH_MAX: usize = 32;
/// How often a reference is replaced by what it means, where references are unknown.
const INLINED_MAX: usize = 512;
/// Formats the OpenAPI subset takes.
const OPENAPI_FORMATS: [&str; 6] = ["date-time", "enum", "int32", "int64", "float", "double"];

/// `schema` in the keywords the API knows; `None` if it is no object of keywords.
pub fn for_gemini(schema: &Value) -> Option<Strict> {
    let mut walk = Walk {
        root: schema,
        relaxed: false,
    };
    let root = schema.as_object()?;
    let mut out = if root.contains_key("$ref") {
        walk.schema(resolve(schema, schema)?, 0)
    } else {
        walk.schema(schema, 0)
    };
    if let Some(defs) = walk.defs(root) {
        out.as_object_mut()?.insert(String::from("$defs"), defs);
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
    fn defs(&mut self, root: &Map<String, Value>) -> Option<Value> {
        let mut out = Map::new();
        for key in ["definitions", "$defs"] {
            for (name, def) in root
                .get(key)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                out.insert(name.clone(), self.schema(def, 0));
            }
        }
        (!out.is_empty()).then_some(Value::Object(out))
    }

    fn schema(&mut self, schema: &Value, depth: usize) -> Value {
        let Some(map) = schema.as_object().filter(|_| depth <= DEPTH_MAX) else {
            self.relaxed |= *schema != Value::Bool(true);
            return json!({});
        };
        if let Some(reference) = map.get("$ref") {
            // Beside a reference nothing else may stand.
            return self.reference(schema, reference);
        }
        let merged = map
            .get("allOf")
            .and_then(Value::as_array)
            .map(|branches| self.all_of(map, branches));
        let map = merged.as_ref().unwrap_or(map);
        let mut out = Map::new();
        let mut told = Vec::new();
        for (key, value) in map {
            self.keyword(key, value, &mut out, &mut told, depth);
        }
        if out.get("enum").is_some() {
            let _ = infer_type(&mut out); // a type helps; without one the values speak for themselves
        }
        tidy_object(&mut out);
        describe(&mut out, &told);
        Value::Object(out)
    }

    fn reference(&mut self, schema: &Value, reference: &Value) -> Value {
        let text = reference.as_str().unwrap_or_default();
        if resolve(schema, self.root).is_none() {
            self.relaxed = true;
            return json!({});
        }
        match text.strip_prefix("#/definitions/") {
            Some(name) => json!({ "$ref": format!("#/$defs/{name}") }),
            None => json!({ "$ref": text }),
        }
    }

    /// What must hold all at once, as one schema: properties and names together, else whoever comes first.
    fn all_of(&mut self, map: &Map<String, Value>, branches: &[Value]) -> Map<String, Value> {
        let mut merged = map.clone();
        merged.remove("allOf");
        for branch in branches {
            let branch = resolve(branch, self.root).and_then(Value::as_object);
            for (key, value) in branch.into_iter().flatten() {
                match (merged.get_mut(key), value) {
                    (Some(Value::Object(known)), Value::Object(more)) if key == "properties" => {
                        known.extend(more.clone());
                    }
                    (Some(Value::Array(known)), Value::Array(more)) if key == "required" => {
                        known.extend(more.iter().cloned());
                    }
                    (Some(known), value) => self.relaxed |= known != value,
                    (None, value) => {
                        merged.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        merged
    }

    fn keyword(
        &mut self,
        key: &str,
        value: &Value,
        out: &mut Map<String, Value>,
        told: &mut Vec<String>,
        depth: usize,
    ) {
        let mut put = |value: Value| {
            out.insert(key.to_owned(), value);
        };
        match (key, value) {
            ("$defs" | "definitions", _) => {}
            ("properties", Value::Object(properties)) => {
                let each = properties.iter();
                put(each
                    .map(|(name, property)| (name.clone(), self.schema(property, depth + 1)))
                    .collect());
            }
            ("items" | "additionalProperties", Value::Object(_)) => {
                put(self.schema(value, depth + 1));
            }
            ("additionalProperties", Value::Bool(_)) => put(value.clone()),
            ("anyOf" | "oneOf" | "prefixItems", Value::Array(branches)) => {
                let each = branches.iter();
                put(each.map(|branch| self.schema(branch, depth + 1)).collect());
            }
            ("enum", Value::Array(values)) => self.values(values, out, told),
            ("const", only) => self.values(std::slice::from_ref(only), out, told),
            ("default", _) => told.push(format!("default: {value}")),
            (key, _) if KEPT.contains(&key) => put(value.clone()),
            (key, _) if ANNOTATIONS.contains(&key) => {}
            (_, Value::Object(_) | Value::Array(_)) => self.relaxed = true,
            _ => {
                told.push(format!("{key}: {value}"));
                self.relaxed = true;
            }
        }
    }

    /// Only texts and numbers may be listed.
    fn values(&mut self, values: &[Value], out: &mut Map<String, Value>, told: &mut Vec<String>) {
        if values.iter().all(|v| v.is_string() || v.is_number()) {
            out.insert(String::from("enum"), Value::Array(values.to_vec()));
        } else {
            let shown: Vec<String> = values.iter().map(Value::to_string).collect();
            told.push(format!("one of {}", shown.join(", ")));
            self.relaxed = true;
        }
    }
}

/// The API refuses properties of what is no object, requirements of what is no property, and an empty list of either.
fn tidy_object(out: &mut Map<String, Value>) {
    let is_other = |name: &Value| name.as_str().is_some_and(|name| name != "object");
    if out.get("type").is_some_and(is_other) {
        for key in ["properties", "required", "additionalProperties"] {
            out.remove(key);
        }
    }
    let known = out.get("properties").and_then(Value::as_object).cloned();
    let known = known.unwrap_or_default();
    if known.is_empty() {
        out.remove("properties");
    }
    if let Some(Value::Array(names)) = out.get_mut("required") {
        names.retain(|name| name.as_str().is_some_and(|name| known.contains_key(name)));
        if names.is_empty() {
            out.remove("required");
        }
    }
}

/// `schema` in the OpenAPI subset: no references, one type each, `nullable` instead of a type null.
pub fn for_gemini_openapi(schema: &Value) -> Option<Value> {
    let known = for_gemini(schema)?.schema;
    let mut flat = Flat {
        root: &known,
        inlined: 0,
    };
    Some(flat.schema(&known, 0))
}

struct Flat<'a> {
    root: &'a Value,
    inlined: usize,
}

impl Flat<'_> {
    fn schema(&mut self, schema: &Value, depth: usize) -> Value {
        self.inlined += usize::from(schema.get("$ref").is_some());
        let within = depth <= DEPTH_MAX / 2 && self.inlined <= INLINED_MAX;
        let target = resolve(schema, self.root).filter(|_| within);
        let Some(map) = target.and_then(Value::as_object) else {
            return json!({"type": "object"});
        };
        let mut out = Map::new();
        let mut nullable = false;
        for (key, value) in map {
            match (key.as_str(), value) {
                ("type", Value::Array(names)) => {
                    nullable |= names.contains(&json!("null"));
                    types(names, &mut out);
                }
                ("properties", Value::Object(properties)) => {
                    let each = properties.iter();
                    let each = each.map(|(name, p)| (name.clone(), self.schema(p, depth + 1)));
                    out.insert(key.clone(), each.collect());
                }
                ("items", Value::Object(_)) => {
                    out.insert(key.clone(), self.schema(value, depth + 1));
                }
                ("anyOf" | "oneOf", Value::Array(branches)) => {
                    nullable |= branches.iter().any(is_null);
                    let each = branches.iter().filter(|branch| !is_null(branch));
                    let each = each.map(|branch| self.schema(branch, depth + 1));
                    out.insert(String::from("anyOf"), each.collect());
                }
                ("format", Value::String(format)) => {
                    if OPENAPI_FORMATS.contains(&format.as_str()) {
                        out.insert(key.clone(), value.clone());
                    }
                }
                // Only texts may be listed.
                ("enum", Value::Array(values)) if !values.iter().all(Value::is_string) => {}
                ("additionalProperties" | "prefixItems" | "$defs", _) => {}
                _ => {
                    out.insert(key.clone(), value.clone());
                }
            }
        }
        if nullable {
            out.insert(String::from("nullable"), Value::Bool(true));
        }
        Value::Object(out)
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|name| name == "null")
}

/// Several types become alternatives.
fn types(names: &[Value], out: &mut Map<String, Value>) {
    let names: Vec<&Value> = names.iter().filter(|name| *name != "null").collect();
    if let [only] = names.as_slice() {
        out.insert(String::from("type"), (*only).clone());
    } else if !names.is_empty() {
        let each = names.iter().map(|name| json!({"type": name}));
        out.insert(String::from("anyOf"), each.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, expected: &Value, relaxed: bool) {
        let strict = for_gemini(schema).expect("is a schema");
        assert_eq!(strict.schema, *expected);
        assert_eq!(strict.relaxed, relaxed);
    }

    #[test]
    fn known_keywords_pass_and_notes_go() {
        let schema = json!({"type":"object","properties":{
            "a":{"type":["string","null"],"description":"A"},
            "n":{"type":"integer","minimum":1,"maximum":9},
            "l":{"type":"array","items":{"type":"number"},"minItems":1,"maxItems":3}},
            "required":["a"],"additionalProperties":false});
        let mut noted = schema.clone();
        noted["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        noted["examples"] = json!([{}]);
        check(&noted, &schema, false);
    }

    #[test]
    fn unknown_keywords_are_told_in_words() {
        check(
            &json!({"type":"object","properties":{
                "s":{"type":"string","pattern":"^x","minLength":1},
                "c":{"const":"on"},"b":{"const":true},"e":{"enum":["x",null]},
                "x":{"type":"number","exclusiveMinimum":0}},
                "patternProperties":{"^p":{}}}),
            &json!({"type":"object","properties":{
                "s":{"type":"string","description":"minLength: 1, pattern: \"^x\""},
                "c":{"type":"string","enum":["on"]},"b":{"description":"one of true"},
                "e":{"description":"one of \"x\", null"},
                "x":{"type":"number","description":"exclusiveMinimum: 0"}}}),
            true,
        );
    }

    #[test]
    fn references_stand_alone_under_one_name() {
        check(
            &json!({"$ref":"#/definitions/R","definitions":{
                "R":{"type":"object","properties":{"next":{"$ref":"#/definitions/R","description":"D"},"far":{"$ref":"https://x.example/y"}}}}}),
            &json!({"type":"object","properties":{"next":{"$ref":"#/$defs/R"},"far":{}},"$defs":{
                "R":{"type":"object","properties":{"next":{"$ref":"#/$defs/R"},"far":{}}}}}),
            true,
        );
        assert_eq!(for_gemini(&json!({"$ref":"#"})), None);
        assert_eq!(for_gemini(&json!(true)), None);
    }

    #[test]
    fn objects_say_only_what_is_theirs() {
        check(
            &json!({"type":"object","properties":{
                "a":{"type":"string","properties":{"x":{}},"required":["x"]},
                "b":{"type":"object","required":["gone"],"properties":{}},
                "c":{"type":["object","null"],"properties":{"y":{"type":"string"}},"required":["y","gone"]}},
                "required":["a"]}),
            &json!({"type":"object","properties":{
                "a":{"type":"string"},
                "b":{"type":"object"},
                "c":{"type":["object","null"],"properties":{"y":{"type":"string"}},"required":["y"]}},
                "required":["a"]}),
            false,
        );
    }

    #[test]
    fn what_must_hold_at_once_becomes_one() {
        check(
            &json!({"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},
                {"properties":{"b":{"type":"string"}},"required":["b"]}]}),
            &json!({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a","b"]}),
            false,
        );
    }

    #[test]
    fn the_older_form_has_no_references_and_no_null() {
        let schema = json!({"type":"object","properties":{
            "a":{"type":["string","null"],"format":"email"},
            "b":{"anyOf":[{"$ref":"#/$defs/D"},{"type":"null"}]},
            "c":{"type":["string","integer"]},
            "d":{"enum":[1,2]}},"additionalProperties":false,
            "$defs":{"D":{"type":"object","properties":{"again":{"$ref":"#/$defs/D"}}}}});
        let flat = for_gemini_openapi(&schema).unwrap();
        let properties = &flat["properties"];
        assert_eq!(properties["a"], json!({"type":"string","nullable":true}));
        assert_eq!(properties["b"]["nullable"], true);
        assert_eq!(properties["b"]["anyOf"][0]["type"], "object");
        assert_eq!(
            properties["c"],
            json!({"anyOf":[{"type":"string"},{"type":"integer"}]})
        );
        assert_eq!(properties["d"], json!({"type":"integer"}));
        let text = flat.to_string();
        for gone in ["$ref", "$defs", "additionalProperties", "\"null\""] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
    }

    #[test]
    fn a_schema_that_multiplies_itself_stays_small() {
        let twice = json!({"type":"object","properties":{"a":{"$ref":"#/$defs/D"},"b":{"$ref":"#/$defs/D"}}});
        let schema =
            json!({"type":"object","properties":{"x":{"$ref":"#/$defs/D"}},"$defs":{"D":twice}});
        let flat = for_gemini_openapi(&schema).unwrap();
        assert!(flat.to_string().len() < 100_000);
        let circle = json!({"type":"object","properties":{"a":{"allOf":[{"$ref":"#/$defs/A"}]}},"$defs":{"A":{"allOf":[{"$ref":"#/$defs/A"},{"type":"string"}]}}});
        assert!(for_gemini(&circle).is_some());
    }
}
