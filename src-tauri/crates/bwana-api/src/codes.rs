//! Every code the engine says, with the names of its values and the key of its words. Collected from the types that say
//! them, so that a new one cannot be forgotten; the words themselves are the message files of the interface, and a test
//! holds that no language lacks any.

use std::collections::BTreeSet;

use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::entry::{Body, CallErrorClass};
use bwana_types::error::ErrorCode;
use bwana_types::model::{ErrorKind, Probe};
use bwana_types::status::{RunStatus, StopReason};
use bwana_types::task::TaskKind;
use bwana_types::workflow::{StepEntry, WorkflowFile};
use bwana_workflow::definition::shipped;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use crate::doctor::DOCTOR_CODES;
use crate::grants::SCOPE_CODES;
use crate::plan::PLAN_CODES;
use crate::providers::StandingState;
use crate::view::step_states;

/// One thing the engine may say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code {
    /// What kind of thing it is, like `status`.
    pub group: &'static str,
    pub code: String,
    /// Of its words in the message files.
    pub key: String,
    /// Names of values its words may use.
    pub params: Vec<String>,
}

/// A name of something that comes with the program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuiltinName {
    /// `builtin.agent.ID`, `builtin.workflow.ID` or `builtin.step.WORKFLOW.ID`.
    pub key: String,
    /// As its file says, in English.
    pub name: String,
}

/// All codes, by group.
pub fn all() -> Vec<Code> {
    let mut codes = Vec::new();
    let mut put = |group, prefix: &str, found: Vec<(String, Vec<String>)>| {
        codes.extend(found.into_iter().map(|(code, params)| Code {
            group,
            key: format!("{prefix}{code}"),
            code,
            params,
        }));
    };
    put("status", "status.", of_type::<RunStatus>());
    put("reason", "run.reason.", of_type::<StopReason>());
    put("cause", "run.cause.", of_type::<ErrorKind>());
    // What went wrong with a model is a cause of its own, above.
    let calls = of_type::<CallErrorClass>().into_iter();
    put(
        "cause",
        "run.cause.",
        calls.filter(|(code, _)| code != "model").collect(),
    );
    put("risk", "agents.risk.", of_type::<RiskClass>());
    put("effect", "run.effect.", of_type::<EffectClass>());
    put("entry", "entry.", plain(Body::KINDS.iter().copied()));
    put("step", "code.step.", plain(step_states()));
    let tool = || vec![String::from("tool")];
    let tasks = of_type::<TaskKind>().into_iter();
    put(
        "task",
        "notify.",
        tasks.map(|(code, _)| (code, tool())).collect(),
    );
    put("answer", "connections.test_", of_type::<Probe>());
    put(
        "standing",
        "connections.standing_",
        of_type::<StandingState>(),
    );
    put(
        "error",
        "code.",
        plain(ErrorCode::ALL.iter().map(|code| code.as_str())),
    );
    put("grant", "code.", listed(SCOPE_CODES));
    put("plan", "code.", listed(PLAN_CODES));
    put("doctor", "code.", listed(DOCTOR_CODES));
    codes
}

/// The names of the agents, workflows and steps that come with the program.
pub fn builtin_names() -> Vec<BuiltinName> {
    let shipped = shipped();
    let mut names: Vec<BuiltinName> = shipped
        .agents
        .values()
        .map(|agent| BuiltinName {
            key: format!("builtin.agent.{}", agent.id),
            name: agent.name.clone(),
        })
        .collect();
    for (workflow, _) in shipped.workflows.values() {
        names.push(BuiltinName {
            key: format!("builtin.workflow.{}", workflow.id),
            name: workflow.name.clone(),
        });
        steps(workflow, &workflow.steps, &mut names);
    }
    names
}

fn steps(workflow: &WorkflowFile, of: &[StepEntry], names: &mut Vec<BuiltinName>) {
    for step in of {
        let (id, name) = match step {
            StepEntry::Name(name) => (name, name),
            StepEntry::Full(step) => (step.id.as_ref().unwrap_or(&step.name), &step.name),
        };
        names.push(BuiltinName {
            key: format!("builtin.step.{}.{id}", workflow.id),
            name: name.clone(),
        });
        if let StepEntry::Full(step) = step
            && let Some(parallel) = &step.parallel
        {
            steps(workflow, &parallel.steps, names);
        }
    }
}

fn plain<'a>(codes: impl Iterator<Item = &'a str>) -> Vec<(String, Vec<String>)> {
    codes.map(|code| (code.to_owned(), Vec::new())).collect()
}

fn listed(codes: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let params = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let codes = codes.iter();
    codes
        .map(|(code, names)| ((*code).to_owned(), params(names)))
        .collect()
}

/// The variants of an enum as its JSON has them, each with the names of its fields.
fn of_type<T: JsonSchema>() -> Vec<(String, Vec<String>)> {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>();
    let mut found = Vec::new();
    variants(schema.as_value(), &mut found);
    found
}

fn variants(schema: &Value, found: &mut Vec<(String, Vec<String>)>) {
    for one in ["oneOf", "anyOf"]
        .iter()
        .filter_map(|key| schema[key].as_array())
        .flatten()
    {
        variants(one, found);
    }
    let names = schema["enum"].as_array().into_iter().flatten();
    for name in names.chain(schema.get("const")).filter_map(Value::as_str) {
        found.push((name.to_owned(), Vec::new()));
    }
    let Some(fields) = schema["properties"].as_object() else {
        return;
    };
    let tag = fields
        .iter()
        .find_map(|(field, shape)| Some((field, shape["const"].as_str()?)));
    match tag {
        Some((tag, name)) => {
            let params = fields.keys().filter(|field| *field != tag).cloned();
            found.push((name.to_owned(), params.collect()));
        }
        // A variant that holds one value: its name is the field's.
        None => found.extend(fields.keys().map(|name| (name.clone(), Vec::new()))),
    }
}

/// The names of the values a message uses. Parts that are chosen by a value are looked into.
///
/// # Errors
/// What is wrong with the message.
pub fn placeholders(message: &str) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    let rest = text(message, &mut names)?;
    match rest {
        "" => Ok(names),
        rest => Err(format!("a brace too many before '{rest}'")),
    }
}

/// Reads up to the brace that ends this part.
fn text<'a>(mut rest: &'a str, names: &mut BTreeSet<String>) -> Result<&'a str, String> {
    loop {
        let Some(at) = rest.find(['{', '}']) else {
            return Ok("");
        };
        if rest[at..].starts_with('}') {
            return Ok(&rest[at..]);
        }
        rest = argument(&rest[at + 1..], names)?;
    }
}

/// Reads `name}` or `name, kind, choice {part} …}`.
fn argument<'a>(rest: &'a str, names: &mut BTreeSet<String>) -> Result<&'a str, String> {
    let open = || format!("a place that is not closed: '{rest}'");
    let end = rest.find([',', '}']).ok_or_else(open)?;
    names.insert(rest[..end].trim().to_owned());
    let mut rest = &rest[end..];
    loop {
        let at = rest.find(['{', '}']).ok_or_else(open)?;
        if rest[at..].starts_with('}') {
            return Ok(&rest[at + 1..]);
        }
        rest = text(&rest[at + 1..], names)?
            .strip_prefix('}')
            .ok_or_else(open)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variants_of_every_form_of_enum_are_found() {
        let statuses = of_type::<RunStatus>();
        assert_eq!(statuses.len(), 8);
        assert!(statuses.contains(&(String::from("running"), Vec::new())));
        let reasons = of_type::<StopReason>();
        assert_eq!(reasons.len(), 11);
        let budget = reasons.iter().find(|(code, _)| code == "budget").unwrap();
        assert_eq!(budget.1, ["which"]);
        let kinds = of_type::<ErrorKind>();
        assert_eq!(kinds.len(), 14);
        assert!(kinds.iter().any(|(code, _)| code == "timeout"));
    }

    #[test]
    fn the_places_of_a_message_are_found_and_its_choices_are_none() {
        let check = |message: &str, expected: &[&str]| {
            let found = placeholders(message).unwrap();
            assert_eq!(
                found.iter().map(String::as_str).collect::<Vec<_>>(),
                expected
            );
        };
        check("plain", &[]);
        check("{a} and {b}", &["a", "b"]);
        check(
            "{which, select, tokens {tokens} other {of {b}}}!",
            &["b", "which"],
        );
        check("{n, plural, one {# {x}} other {#}}", &["n", "x"]);
        for broken in ["{a", "a}", "{n, select, other {x}"] {
            assert!(placeholders(broken).is_err(), "{broken}");
        }
    }

    /// Every text within the calls of `begin` that looks like a code.
    fn said<'a>(source: &'a str, begin: &str) -> BTreeSet<&'a str> {
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        let calls = source.split(begin).skip(1);
        let calls = calls.filter_map(|call| call.split(')').next());
        calls
            .flat_map(|call| call.split('"').skip(1).step_by(2))
            .filter(|text| text.contains('.') && !text.contains(' '))
            .collect()
    }

    #[test]
    fn what_the_doctor_says_is_listed() {
        let sources = [
            include_str!("doctor.rs"),
            include_str!("doctor/path.rs"),
            include_str!("doctor/servers.rs"),
        ];
        let found: BTreeSet<&str> = sources
            .iter()
            .flat_map(|source| said(source, "coded("))
            .collect();
        let listed: BTreeSet<&str> = DOCTOR_CODES.iter().map(|(code, _)| *code).collect();
        assert_eq!(found, listed);
    }

    #[test]
    fn what_a_plan_says_is_listed() {
        let source = include_str!("plan.rs");
        let mut found = said(source, "problem(");
        found.extend(said(source, "unknown("));
        let listed: BTreeSet<&str> = PLAN_CODES.iter().map(|(code, _)| *code).collect();
        assert_eq!(found, listed);
    }
}
