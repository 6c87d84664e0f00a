//! Every tool there is, by name, with its argument schema compiled once. Decides nothing and calls nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bwana_types::tool::ToolSpec;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::args::parse_args;
use crate::tool::Tool;
use crate::visible::visible;

/// Characters of a tool's name.
pub const NAME_MAX_CHARS: usize = 64;
/// Mistakes in one set of arguments that are told to the model.
const MISTAKES_SHOWN_MAX: usize = 5;
const MISTAKE_MAX_CHARS: usize = 240;
/// Names offered when a tool is unknown.
const NEAR_NAMES_MAX: usize = 3;
/// How alike two names must be to be offered, from 0 to 1.
const NEAR_ENOUGH: f64 = 0.7;
/// Bytes a compiled `pattern` may take.
const PATTERN_SIZE_MAX_BYTES: usize = 1024 * 1024;

/// The tools of this program. Cheap to clone.
#[derive(Clone, Default)]
pub struct Registry {
    tools: Arc<BTreeMap<String, Registered>>,
}

struct Registered {
    tool: Arc<dyn Tool>,
    schema: Validator,
}

/// Why a tool cannot be registered: a mistake of whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    #[error(
        "the tool name '{0}' is not of the form area.verb in a-z, 0-9 and _, at most {NAME_MAX_CHARS} characters"
    )]
    BadName(String),
    #[error("there are two tools called '{0}'")]
    Twice(String),
    #[error("the argument schema of '{0}' must be an object with `additionalProperties: false`")]
    OpenSchema(String),
    #[error("the argument schema of '{name}' cannot be used: {why}")]
    BadSchema { name: String, why: String },
}

impl Registry {
    /// # Errors
    /// If a name or a schema breaks the rules of [`RegistryError`].
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Result<Self, RegistryError> {
        let mut map = BTreeMap::new();
        for tool in tools {
            let name = tool.spec().name.clone();
            let schema = compile(tool.spec())?;
            if map
                .insert(name.clone(), Registered { tool, schema })
                .is_some()
            {
                return Err(RegistryError::Twice(name));
            }
        }
        Ok(Self {
            tools: Arc::new(map),
        })
    }

    /// All contracts, sorted by name.
    pub fn specs(&self) -> impl Iterator<Item = &ToolSpec> {
        self.tools.values().map(|entry| entry.tool.spec())
    }

    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.get(name).map(|entry| &entry.tool)
    }

    /// What to tell a model that asked for a tool nobody knows.
    pub fn unknown(&self, name: &str) -> String {
        let shown = visible(name, NAME_MAX_CHARS);
        let near = self.near(name);
        if near.is_empty() {
            let all: Vec<&str> = self.tools.keys().map(String::as_str).collect();
            format!(
                "There is no tool '{shown}'. The tools are: {}.",
                all.join(", ")
            )
        } else {
            format!(
                "There is no tool '{shown}'. Did you mean {}?",
                near.join(" or ")
            )
        }
    }

    /// Checks the arguments as the model wrote them.
    ///
    /// # Errors
    /// A message the model can act on: the tool is unknown, the text is no JSON object, is too large or too deep, or does
    /// not fit the schema (where and why, at most five mistakes).
    pub fn validate_args(&self, name: &str, raw: &str) -> Result<Value, String> {
        let Some(entry) = self.tools.get(name) else {
            return Err(self.unknown(name));
        };
        let max = entry.tool.spec().limits.input_max_bytes;
        if raw.len() as u64 > max {
            return Err(format!(
                "The arguments of {name} have {} bytes; at most {max} are accepted. Send less, or in several calls.",
                raw.len()
            ));
        }
        let args = parse_args(raw)
            .map_err(|why| format!("The arguments of {name} cannot be read: {why}."))?;
        let mut mistakes: Vec<String> = entry
            .schema
            .iter_errors(&args)
            .take(MISTAKES_SHOWN_MAX + 1)
            .map(|error| mistake(&error))
            .collect();
        if mistakes.is_empty() {
            return Ok(args);
        }
        let more = if mistakes.len() > MISTAKES_SHOWN_MAX {
            " There are more."
        } else {
            ""
        };
        mistakes.truncate(MISTAKES_SHOWN_MAX);
        Err(format!(
            "The arguments of {name} do not fit its schema: {}.{more}",
            mistakes.join("; ")
        ))
    }

    fn near(&self, name: &str) -> Vec<&str> {
        let alike = |text: &str| {
            text.to_ascii_lowercase()
                .replace(['-', '_', '/', ':', ' '], ".")
        };
        let wanted = alike(&name.chars().take(NAME_MAX_CHARS).collect::<String>());
        let mut scored: Vec<(f64, &str)> = self
            .tools
            .keys()
            .map(|known| (strsim::jaro_winkler(&wanted, &alike(known)), known.as_str()))
            .filter(|(score, _)| *score >= NEAR_ENOUGH)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        scored
            .into_iter()
            .take(NEAR_NAMES_MAX)
            .map(|(_, known)| known)
            .collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tools.keys()).finish()
    }
}

fn compile(spec: &ToolSpec) -> Result<Validator, RegistryError> {
    if !is_tool_name(&spec.name) {
        return Err(RegistryError::BadName(visible(&spec.name, NAME_MAX_CHARS)));
    }
    let schema = &spec.input_schema;
    if schema["type"] != "object" || schema["additionalProperties"] != false {
        return Err(RegistryError::OpenSchema(spec.name.clone()));
    }
    // Offline: a schema that refers to another document is refused instead of fetched. `regex` and not the backtracking
    // engine, because later schemas come from servers.
    jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_SIZE_MAX_BYTES))
        .build(schema)
        .map_err(|error| RegistryError::BadSchema {
            name: spec.name.clone(),
            why: visible(&error.to_string(), MISTAKE_MAX_CHARS),
        })
}

fn is_tool_name(name: &str) -> bool {
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    name.len() <= NAME_MAX_CHARS && name.contains('.') && name.split('.').all(word)
}

/// One mistake: where, and what was expected. Values are left out: the model knows what it sent, and they can be huge.
fn mistake(error: &ValidationError<'_>) -> String {
    let place = error.instance_path().to_string();
    let what = visible(&error.masked().to_string(), MISTAKE_MAX_CHARS);
    if place.is_empty() {
        what
    } else {
        format!("at {}: {what}", visible(&place, MISTAKE_MAX_CHARS))
    }
}
