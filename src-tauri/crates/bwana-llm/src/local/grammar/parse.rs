//! JSON Schema into shapes. Every keyword is either understood, known to be only a remark, or refused.

use serde_json::{Map, Value};

use super::digits::{INTEGER_MAX, has_room};
use super::overlap::are_apart;
use super::shape::{Field, Range, Shape, Shapes};
use super::{
    CHOICES_MAX, DEPTH_MAX, ITEMS_DEFAULT_MAX, ITEMS_MAX, PARTS_MAX, STRING_DEFAULT_MAX_CHARS,
    STRING_MAX_CHARS, SchemaError,
};

/// Keywords that explain and do not constrain.
const REMARKS: [&str; 15] = [
    "title",
    "description",
    "default",
    "example",
    "examples",
    "format",
    "$comment",
    "$schema",
    "$id",
    "$anchor",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentEncoding",
    "contentMediaType",
];
/// Where named shapes stand; only at the top of a schema.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];
const TYPES: [&str; 7] = [
    "object", "array", "string", "integer", "number", "boolean", "null",
];
/// A text must not demand more characters than can be written one by one.
const MIN_LENGTH_MAX: usize = 500;

pub(super) fn parse(schema: &Value) -> Result<Shapes, SchemaError> {
    let mut parser = Parser {
        top: schema,
        shapes: Shapes::of(Shape::Object(Vec::new())),
        names: Vec::new(),
        open: Vec::new(),
        parts: 0,
    };
    let root = parser.shape(schema, &Path::root(), 0)?;
    parser.shapes.root = root;
    Ok(parser.shapes)
}

struct Parser<'v> {
    top: &'v Value,
    shapes: Shapes,
    /// The reference of each named shape, in the order of `shapes.named`.
    names: Vec<String>,
    /// References being read, to notice one that comes back to itself.
    open: Vec<String>,
    parts: usize,
}

type Object = Map<String, Value>;

impl<'v> Parser<'v> {
    fn shape(&mut self, schema: &Value, path: &Path, depth: usize) -> Result<Shape, SchemaError> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return path.refuse(format!("a schema may have at most {PARTS_MAX} parts"));
        }
        if depth > DEPTH_MAX {
            return path.refuse(format!("a schema may be nested {DEPTH_MAX} deep at most"));
        }
        let Some(object) = schema.as_object() else {
            return path.refuse("a schema without a type accepts anything; say which type it is");
        };
        if let Some(reference) = object.get("$ref") {
            check_keywords(object, &["$ref"], path)?;
            return self.reference(reference, &path.at("$ref"), depth);
        }
        if let Some(value) = object.get("const") {
            check_keywords(object, &["const", "type"], path)?;
            return choice(&[value], object.get("type"), path);
        }
        if let Some(values) = object.get("enum") {
            check_keywords(object, &["enum", "type"], path)?;
            let Some(values) = values.as_array() else {
                return path.at("enum").refuse("`enum` is a list of values");
            };
            return choice(&values.iter().collect::<Vec<_>>(), object.get("type"), path);
        }
        for keyword in ["anyOf", "oneOf", "allOf"] {
            if let Some(branches) = object.get(keyword) {
                check_keywords(object, &[keyword], path)?;
                return self.branches(keyword, branches, &path.at(keyword), depth);
            }
        }
        self.typed(object, path, depth)
    }

    fn reference(
        &mut self,
        reference: &Value,
        path: &Path,
        depth: usize,
    ) -> Result<Shape, SchemaError> {
        let Some(name) = reference.as_str() else {
            return path.refuse("`$ref` is a text");
        };
        if self.open.iter().any(|open| open == name) {
            return path.refuse(format!(
                "'{name}' contains itself; a grammar must be finite"
            ));
        }
        if let Some(at) = self.names.iter().position(|known| known == name) {
            return Ok(Shape::Named(at));
        }
        let top: &'v Value = self.top;
        let target = DEFINITIONS.iter().find_map(|definitions| {
            let key = name.strip_prefix(&format!("#/{definitions}/"))?;
            let key = key.replace("~1", "/").replace("~0", "~");
            top.get(*definitions)?.get(key)
        });
        let Some(target) = target else {
            return path.refuse(format!(
                "'{name}' is not found; only '#/$defs/NAME' of the same schema can be referred to"
            ));
        };
        self.open.push(name.to_owned());
        let shape = self.shape(target, &Path::new(name), depth + 1)?;
        self.open.pop();
        self.names.push(name.to_owned());
        self.shapes.named.push(shape);
        Ok(Shape::Named(self.shapes.named.len() - 1))
    }

    fn branches(
        &mut self,
        keyword: &str,
        branches: &Value,
        path: &Path,
        depth: usize,
    ) -> Result<Shape, SchemaError> {
        let Some(branches) = branches.as_array().filter(|list| !list.is_empty()) else {
            return path.refuse(format!("`{keyword}` is a list of at least one schema"));
        };
        if branches.len() > CHOICES_MAX {
            return path.refuse(format!("at most {CHOICES_MAX} branches are possible"));
        }
        if keyword == "allOf" && branches.len() > 1 {
            return path.refuse("`allOf` of several schemas is not supported; write one schema");
        }
        let mut shapes = branches
            .iter()
            .enumerate()
            .map(|(at, branch)| self.shape(branch, &path.at(&at.to_string()), depth + 1))
            .collect::<Result<Vec<_>, _>>()?;
        if shapes.len() == 1 {
            return Ok(shapes.remove(0));
        }
        if keyword == "oneOf" {
            for (at, shape) in shapes.iter().enumerate() {
                let clash = shapes[..at]
                    .iter()
                    .position(|other| !are_apart(&self.shapes, shape, other));
                if let Some(other) = clash {
                    return path.at(&at.to_string()).refuse(format!(
                        "this branch may overlap branch {other}, and `oneOf` allows exactly one; use `anyOf`, or give each branch a required property with its own `const`"
                    ));
                }
            }
        }
        Ok(Shape::AnyOf(shapes))
    }

    fn typed(&mut self, object: &Object, path: &Path, depth: usize) -> Result<Shape, SchemaError> {
        let names: Vec<&str> = match object.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            // A schema that lists properties means an object.
            None if object.contains_key("properties") => vec!["object"],
            _ => Vec::new(),
        };
        if names.is_empty() {
            // A keyword that means something else entirely is the better thing to name.
            let all: Vec<&str> = TYPES
                .iter()
                .filter_map(|name| keywords_of(name))
                .flatten()
                .copied()
                .collect();
            check_keywords(object, &[&all[..], &["type"]].concat(), path)?;
            return path.refuse("a schema without a type accepts anything; say which type it is");
        }
        let mut allowed = vec!["type"];
        for name in &names {
            let Some(keywords) = keywords_of(name) else {
                return path.at("type").refuse(format!("'{name}' is not a type"));
            };
            allowed.extend(keywords);
        }
        check_keywords(object, &allowed, path)?;
        let mut shapes = names
            .iter()
            .map(|name| match *name {
                "object" => self.object(object, path, depth),
                "array" => self.array(object, path, depth),
                "string" => text(object, path),
                "integer" => integer(object, path),
                "number" => number(object, path),
                "boolean" => Ok(Shape::Choice(vec!["true".into(), "false".into()])),
                _ => Ok(Shape::Choice(vec!["null".into()])),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if shapes.len() == 1 {
            return Ok(shapes.remove(0));
        }
        Ok(Shape::AnyOf(shapes))
    }

    fn object(&mut self, object: &Object, path: &Path, depth: usize) -> Result<Shape, SchemaError> {
        let none = Map::new();
        let properties = match object.get("properties") {
            None => &none,
            Some(Value::Object(properties)) => properties,
            Some(_) => return path.at("properties").refuse("`properties` is an object"),
        };
        if properties.is_empty()
            && object
                .get("additionalProperties")
                .is_some_and(Value::is_object)
        {
            return path.at("additionalProperties").refuse(
                "a map with free keys is not supported; use a list of {name, value} objects",
            );
        }
        let required: Vec<&str> = match object.get("required") {
            None => Vec::new(),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            Some(_) => return path.at("required").refuse("`required` is a list of names"),
        };
        if let Some(name) = required
            .iter()
            .find(|name| !properties.contains_key(**name))
        {
            return path.at("required").refuse(format!(
                "'{name}' is required but not among the properties, so nothing can be written for it"
            ));
        }
        let fields = properties
            .iter()
            .map(|(name, schema)| {
                let shape = self.shape(schema, &path.at("properties").at(name), depth + 1)?;
                Ok(Field {
                    required: required.contains(&name.as_str()),
                    name: name.clone(),
                    shape,
                    hint: schema
                        .get("description")
                        .and_then(Value::as_str)
                        .map(str::to_owned),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Shape::Object(fields))
    }

    fn array(&mut self, object: &Object, path: &Path, depth: usize) -> Result<Shape, SchemaError> {
        if object
            .get("uniqueItems")
            .is_some_and(|unique| *unique != Value::Bool(false))
        {
            return path
                .at("uniqueItems")
                .refuse("a grammar cannot remember which items it has seen");
        }
        let min = count(object, "minItems", path)?.unwrap_or(0);
        let max = count(object, "maxItems", path)?;
        if min > ITEMS_MAX {
            return path
                .at("minItems")
                .refuse(format!("at most {ITEMS_MAX} items can be demanded"));
        }
        let max = max.map_or(ITEMS_DEFAULT_MAX.max(min), |max| max.min(ITEMS_MAX));
        if min > max {
            return path
                .at("minItems")
                .refuse("`minItems` is more than `maxItems`");
        }
        let Some(items) = object.get("items") else {
            return path.refuse("an array needs `items` that say what stands in it");
        };
        Ok(Shape::Array {
            item: Box::new(self.shape(items, &path.at("items"), depth + 1)?),
            min,
            max,
        })
    }
}

/// The keywords that belong to a type, or nothing if it is no type.
fn keywords_of(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "object" => &["properties", "required", "additionalProperties"],
        "array" => &["items", "minItems", "maxItems", "uniqueItems"],
        "string" => &["minLength", "maxLength"],
        "integer" | "number" => &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
        "boolean" | "null" => &[],
        _ => return None,
    })
}

fn check_keywords(object: &Object, allowed: &[&str], path: &Path) -> Result<(), SchemaError> {
    let known = |keyword: &str| {
        allowed.contains(&keyword)
            || REMARKS.contains(&keyword)
            || keyword.starts_with("x-")
            || (path.is_root() && DEFINITIONS.contains(&keyword))
    };
    match object.keys().find(|keyword| !known(keyword)) {
        None => Ok(()),
        Some(keyword) => path
            .at(keyword)
            .refuse(format!("`{keyword}` is not supported here")),
    }
}

fn choice(values: &[&Value], kind: Option<&Value>, path: &Path) -> Result<Shape, SchemaError> {
    let fits = |value: &Value| match kind {
        None => true,
        Some(Value::String(name)) => is_of_type(value, name),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .any(|name| is_of_type(value, name)),
        Some(_) => false,
    };
    let mut texts: Vec<String> = Vec::new();
    for value in values.iter().filter(|value| fits(value)) {
        let text = value.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        return path.refuse("none of the values is of the type that is demanded");
    }
    if texts.len() > CHOICES_MAX {
        return path.refuse(format!("at most {CHOICES_MAX} values are possible"));
    }
    Ok(Shape::Choice(texts))
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

fn text(object: &Object, path: &Path) -> Result<Shape, SchemaError> {
    let min = count(object, "minLength", path)?.unwrap_or(0);
    let max = count(object, "maxLength", path)?.unwrap_or(STRING_DEFAULT_MAX_CHARS.max(min));
    if min > MIN_LENGTH_MAX {
        return path.at("minLength").refuse(format!(
            "at most {MIN_LENGTH_MAX} characters can be demanded"
        ));
    }
    if min > max {
        return path
            .at("minLength")
            .refuse("`minLength` is more than `maxLength`");
    }
    Ok(Shape::Text {
        min,
        max: Some(max.min(STRING_MAX_CHARS)),
    })
}

fn integer(object: &Object, path: &Path) -> Result<Shape, SchemaError> {
    let bound = |keyword: &str, away: f64| -> Result<Option<i64>, SchemaError> {
        let Some(value) = object.get(keyword) else {
            return Ok(None);
        };
        let Some(number) = value.as_f64() else {
            return path.at(keyword).refuse("a bound is a number");
        };
        let excluded = keyword.starts_with("exclusive");
        // Rounded into the range; one further if the bound itself is a whole number that is excluded.
        let mut whole = if away > 0.0 {
            number.ceil()
        } else {
            number.floor()
        };
        if excluded && number.fract() == 0.0 {
            whole += away;
        }
        Ok(Some(clamp(whole)))
    };
    let min = [bound("minimum", 1.0)?, bound("exclusiveMinimum", 1.0)?];
    let max = [bound("maximum", -1.0)?, bound("exclusiveMaximum", -1.0)?];
    let min = min.into_iter().flatten().max().unwrap_or(-INTEGER_MAX);
    let max = max.into_iter().flatten().min().unwrap_or(INTEGER_MAX);
    if min > max {
        return path.refuse("no whole number is within these bounds");
    }
    Ok(Shape::Integer { min, max })
}

fn number(object: &Object, path: &Path) -> Result<Shape, SchemaError> {
    let bound = |keyword: &str| -> Result<Option<i64>, SchemaError> {
        match object.get(keyword) {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|number| number.fract() == 0.0) {
                Some(number) => Ok(Some(clamp(number))),
                None => path
                    .at(keyword)
                    .refuse("the bound of a number must be a whole number here"),
            },
        }
    };
    let both =
        |inclusive: Option<i64>, exclusive: Option<i64>, higher: bool| match (inclusive, exclusive)
        {
            (Some(i), Some(e)) if (higher && i > e) || (!higher && i < e) => (Some(i), false),
            (_, Some(e)) => (Some(e), true),
            (i, None) => (i, false),
        };
    let (min, min_excluded) = both(bound("minimum")?, bound("exclusiveMinimum")?, true);
    let (max, max_excluded) = both(bound("maximum")?, bound("exclusiveMaximum")?, false);
    let range = Range {
        min,
        min_excluded,
        max,
        max_excluded,
    };
    if !has_room(range) {
        return path.refuse("no number is within these bounds");
    }
    Ok(Shape::Number(range))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the value is a whole number and was clamped to fifteen digits"
)]
fn clamp(number: f64) -> i64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "fifteen digits are exact in a double"
    )]
    let most = INTEGER_MAX as f64;
    number.clamp(-most, most) as i64
}

/// A keyword that counts something.
fn count(object: &Object, keyword: &str, path: &Path) -> Result<Option<usize>, SchemaError> {
    match object.get(keyword) {
        None => Ok(None),
        Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) => Ok(Some(n)),
            None => path
                .at(keyword)
                .refuse(format!("`{keyword}` is a whole number, not negative")),
        },
    }
}

/// Where in the schema we are, as a JSON pointer.
struct Path(String);

impl Path {
    fn root() -> Self {
        Self(String::from("#"))
    }

    fn new(pointer: &str) -> Self {
        Self(pointer.to_owned())
    }

    fn is_root(&self) -> bool {
        self.0 == "#"
    }

    fn at(&self, key: &str) -> Self {
        Self(format!(
            "{}/{}",
            self.0,
            key.replace('~', "~0").replace('/', "~1")
        ))
    }

    fn refuse<T>(&self, reason: impl Into<String>) -> Result<T, SchemaError> {
        Err(SchemaError {
            path: self.0.clone(),
            reason: reason.into(),
        })
    }
}
