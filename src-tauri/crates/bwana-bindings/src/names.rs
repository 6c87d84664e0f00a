//! One name for every shape. Two rooms may call different things by one name, a request may leave out what an answer
//! always has, and some names mean something else in TypeScript: here each gets a name of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Line;

/// What a journal entry is called in TypeScript.
pub(crate) const RECORD: &str = "JournalRecord";

/// Names that TypeScript or the browser uses for something else.
const RENAMED: &[(&str, &str)] = &[
    ("Record", RECORD),
    ("Event", "CommandEvent"),
    ("Window", "PromptWindow"),
    ("Part", "MessagePart"),
];

pub(crate) const DEFINITIONS: &str = "#/$defs/";

/// How the names of one generator read in TypeScript.
pub(crate) type Names = BTreeMap<String, String>;

pub(crate) struct Shapes {
    requests: Names,
    answers: Names,
    /// By the name in TypeScript, with the names its references are to be read by.
    all: BTreeMap<String, (Value, Side)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Answer,
}

impl Shapes {
    pub(crate) fn new(
        requests: Vec<(String, Value)>,
        answers: Vec<(String, Value)>,
        lines: &[Line],
    ) -> anyhow::Result<Self> {
        let requests: BTreeMap<String, Value> = requests.into_iter().collect();
        let answers: BTreeMap<String, Value> = answers.into_iter().collect();
        let answer_names = named(&answers, lines, Side::Answer)?;
        let mut request_names = named(&requests, lines, Side::Request)?;
        // By the name in TypeScript, so that equal shapes of both sides meet.
        let by_name: BTreeMap<&String, &Value> = answers
            .iter()
            .filter_map(|(name, schema)| Some((answer_names.get(name)?, schema)))
            .collect();
        let mut differing: BTreeSet<String> = BTreeSet::new();
        loop {
            let more: Vec<String> = requests
                .iter()
                .filter(|(name, _)| !differing.contains(*name))
                .filter(|(name, schema)| {
                    let same = by_name.get(&request_names[*name]);
                    same.is_some_and(|other| {
                        read_by(schema, &request_names) != read_by(other, &answer_names)
                            || refers(schema).iter().any(|to| differing.contains(to))
                    })
                })
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            differing.extend(more);
        }
        for name in &differing {
            if let Some(found) = request_names.get_mut(name) {
                found.push_str("Input");
            }
        }
        let mut all = BTreeMap::new();
        for (name, schema) in requests {
            all.insert(request_names[&name].clone(), (schema, Side::Request));
        }
        for (name, schema) in answers {
            all.insert(answer_names[&name].clone(), (schema, Side::Answer));
        }
        Ok(Self {
            requests: request_names,
            answers: answer_names,
            all,
        })
    }

    pub(crate) fn requests(&self) -> &Names {
        &self.requests
    }

    pub(crate) fn answers(&self) -> &Names {
        &self.answers
    }

    /// Every shape by its name, sorted.
    pub(crate) fn all(&self) -> impl Iterator<Item = (String, Value)> + '_ {
        self.all
            .iter()
            .map(|(name, (schema, _))| (name.clone(), schema.clone()))
    }

    /// How the references inside a shape are to be read.
    pub(crate) fn names_of(&self, name: &str) -> &Names {
        match self.all.get(name) {
            Some((_, Side::Request)) => &self.requests,
            _ => &self.answers,
        }
    }
}

/// A name for each, with those that collide named after the command they belong to.
fn named(shapes: &BTreeMap<String, Value>, lines: &[Line], side: Side) -> anyhow::Result<Names> {
    let mut names = Names::new();
    for name in shapes.keys() {
        let base = base(name, shapes);
        let is_shared = base != *name || shapes.contains_key(&format!("{base}2"));
        let chosen = if is_shared {
            let line = lines.iter().find(|line| {
                let schema = match side {
                    Side::Request => &line.request,
                    Side::Answer => &line.response,
                };
                schema["$ref"].as_str() == Some(&format!("{DEFINITIONS}{name}"))
            });
            let Some(line) = line else {
                anyhow::bail!(
                    "several shapes are called {base}; give this one a name of its own with #[schemars(rename = \"…\")]: {}",
                    shapes[name]
                );
            };
            let ending = match side {
                Side::Request => "Request",
                Side::Answer => "Answer",
            };
            format!("{}{ending}", pascal(line.command.name))
        } else {
            let renamed = RENAMED.iter().find(|(from, _)| *from == base);
            renamed.map_or(base, |(_, to)| (*to).to_owned())
        };
        names.insert(name.clone(), chosen);
    }
    let distinct: BTreeSet<&String> = names.values().collect();
    anyhow::ensure!(
        distinct.len() == names.len(),
        "two shapes came by one name: {names:?}"
    );
    Ok(names)
}

/// The name without the number that tells it from others of the same name.
fn base(name: &str, shapes: &BTreeMap<String, Value>) -> String {
    let base = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
    if base != name && shapes.contains_key(base) {
        base.to_owned()
    } else {
        name.to_owned()
    }
}

fn pascal(command: &str) -> String {
    let words = command.split(['.', '_']);
    words
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}

/// A schema with its references by the names of TypeScript.
fn read_by(schema: &Value, names: &Names) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| {
                let to = value.as_str().filter(|_| key == "$ref");
                let name = to.and_then(|to| names.get(to.strip_prefix(DEFINITIONS)?));
                let value = name.map_or_else(|| read_by(value, names), |name| name.as_str().into());
                (key.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| read_by(item, names)).collect(),
        other => other.clone(),
    }
}

/// Names of the shapes a schema refers to.
fn refers(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(schema, &mut found);
    found
}

fn collect(schema: &Value, into: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str().and_then(|to| to.strip_prefix(DEFINITIONS)) {
                    Some(to) if key == "$ref" => into.push(to.to_owned()),
                    _ => collect(value, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}
