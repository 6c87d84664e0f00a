//! What a file means, checked before it is used: names that exist, steps that can be reached, joins and stop conditions
//! that can be met, limits that make sense. Form is checked before, in `shape`.

mod agent;
mod json_schema;
mod reach;
mod steps;
mod stop;
mod workflow;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bwana_types::agent::AgentFile;

use super::issue::{Issue, Path, quotable};
use super::shipped::shipped_tools;
use super::slug::{is_slug, slug};

pub use agent::validate_agent;
pub use json_schema::grammar_subset;
pub use workflow::validate_workflow;

/// What exists around a file.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// All agents, by id.
    pub agents: &'a BTreeMap<String, AgentFile>,
    /// Names of the tools that are installed.
    pub tools: &'a BTreeSet<String>,
}

impl Known<'_> {
    /// Whether a tool exists or is one the shipped agents are prepared for.
    fn has_tool(&self, name: &str) -> bool {
        self.tools.contains(name) || shipped_tools().contains(name)
    }

    fn tool_names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().chain(shipped_tools()).map(String::as_str)
    }
}

/// Upper bounds of what a file may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Agents of a workflow.
    Agents,
    /// Steps of a workflow, branches at any depth included.
    Steps,
    /// Parallel steps inside one another.
    Depth,
    /// Branches of a parallel step.
    Branches,
    /// Turns of one chat.
    MaxRound,
    /// Conditions in one stop expression.
    StopConditions,
    /// Names in a list of tools or capabilities.
    Names,
    /// Characters of a name.
    NameChars,
    /// Models in a fallback chain.
    Models,
}

impl Limit {
    pub const fn most(self) -> usize {
        match self {
            Self::Agents | Self::Branches => 32,
            Self::Steps | Self::NameChars => 100,
            Self::Depth => 3,
            Self::MaxRound => 200,
            Self::StopConditions | Self::Names => 64,
            Self::Models => 8,
        }
    }

    /// An issue if `count` is above the bound.
    fn check(self, count: usize, path: &Path) -> Option<Issue> {
        (count > self.most()).then(|| {
            Issue::error(
                path.clone(),
                format!("{count} {self}, at most {} are allowed", self.most()),
            )
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agents => "agents",
            Self::Steps => "steps",
            Self::Depth => "parallel steps inside one another",
            Self::Branches => "branches",
            Self::MaxRound => "rounds",
            Self::StopConditions => "conditions",
            Self::Names => "names",
            Self::NameChars => "characters",
            Self::Models => "models",
        })
    }
}

fn check_id(id: &str, path: &Path) -> Option<Issue> {
    if is_slug(id) {
        return None;
    }
    let reason = format!(
        "'{}' is no id: lower-case letters, digits and underscores, at most 40",
        quotable(id)
    );
    let issue = Issue::error(path.clone(), reason);
    Some(match slug(id) {
        Some(slug) => issue.hint(format!("write `{slug}`")),
        None => issue,
    })
}

fn check_name(name: &str, path: &Path) -> Option<Issue> {
    if name.trim().is_empty() {
        return Some(Issue::error(path.clone(), "a name is needed"));
    }
    Limit::NameChars.check(name.chars().count(), path)
}

/// Names that stand twice in a list.
fn check_repeats(names: &[String], path: &Path) -> Vec<Issue> {
    let mut seen = BTreeSet::new();
    names
        .iter()
        .enumerate()
        .filter(|(_, name)| !seen.insert(*name))
        .map(|(index, name)| {
            Issue::error(
                path.index(index),
                format!("`{}` stands here twice", quotable(name)),
            )
            .hint("keep one of the two")
        })
        .collect()
}
