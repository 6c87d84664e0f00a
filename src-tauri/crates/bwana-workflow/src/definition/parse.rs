//! From bytes to agents and workflows, or to a list of everything that is wrong with their form.

use bwana_types::agent::{AGENT_SCHEMA, AgentFile};
use bwana_types::error::ErrorCode;
use bwana_types::hash::Hash;
use bwana_types::workflow::{WORKFLOW_SCHEMA, WorkflowFile};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::issue::{DefinitionError, Issue, Path, did_you_mean, quotable};
use super::tree::{self, Kind, Node};
use super::{FILE_MAX_BYTES, original, schema, shape};

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum DefinitionFile {
    Agent(AgentFile),
    Workflow(WorkflowFile),
}

/// A document that is right in form, not yet checked for meaning.
#[derive(Debug, Clone)]
pub struct Parsed {
    pub file: DefinitionFile,
    /// Of the parsed content before defaults: the version people see.
    pub hash: Hash,
    /// Which document of the file, from 1.
    pub document: usize,
    node: Node,
}

impl Parsed {
    /// Puts document number and line on issues that validation found in this document, and them in its order.
    pub fn locate(&self, issues: Vec<Issue>) -> Vec<Issue> {
        let located = issues.into_iter().map(|issue| Issue {
            document: self.document,
            line: issue.line.or_else(|| self.node.line_of(&issue.path)),
            ..issue
        });
        let mut located: Vec<Issue> = located.collect();
        located.sort_by_key(|issue| issue.line);
        located
    }
}

/// What a file for import held.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// With the hash of their content, in the order of the file.
    pub agents: Vec<(AgentFile, Hash)>,
    pub workflows: Vec<(WorkflowFile, Hash)>,
    /// What a person should know about the conversion; warnings only.
    pub notes: Vec<Issue>,
}

/// Refuses a file by its size, before it is read.
///
/// # Errors
/// [`ErrorCode::DefinitionTooLarge`] above [`FILE_MAX_BYTES`].
pub fn check_size(bytes: u64) -> Result<(), DefinitionError> {
    if bytes <= FILE_MAX_BYTES as u64 {
        return Ok(());
    }
    let reason = format!(
        "the file has {}, a definition may have {}",
        size_in_words(bytes),
        size_in_words(FILE_MAX_BYTES as u64)
    );
    Err(DefinitionError::one(
        Issue::error(Path::root(), reason)
            .code(ErrorCode::DefinitionTooLarge)
            .hint("split it, or move long texts into input files"),
    ))
}

/// Reads a file of agents and workflows: YAML or JSON, one or more documents separated by `---`.
///
/// # Errors
/// Everything that is wrong with the form of any document. The original configuration file is not accepted here,
/// see [`import`].
pub fn parse(bytes: &[u8]) -> Result<Vec<Parsed>, DefinitionError> {
    let nodes = read(bytes)?;
    let mut files = Vec::new();
    let mut issues = Vec::new();
    for (position, node) in nodes.into_iter().enumerate() {
        match document(node, position + 1) {
            Ok(parsed) => files.push(parsed),
            Err(problems) => issues.extend(problems),
        }
    }
    if issues.is_empty() {
        Ok(files)
    } else {
        Err(DefinitionError::new(issues))
    }
}

/// Reads a file for import: agents, workflows, and the original configuration file
/// (`agent_integration`, `available_agents`, `workflow_templates`) as it stands.
///
/// # Errors
/// Everything that is wrong with the form of any document.
pub fn import(bytes: &[u8]) -> Result<Import, DefinitionError> {
    let nodes = read(bytes)?;
    let mut import = Import::default();
    let mut issues = Vec::new();
    for (position, node) in nodes.into_iter().enumerate() {
        let number = position + 1;
        if original::is_original_node(&node) {
            match original::convert(&node, number) {
                Ok(converted) => {
                    import.agents.extend(converted.agents);
                    import.workflows.extend(converted.workflows);
                    import.notes.extend(converted.notes);
                }
                Err(problems) => issues.extend(problems),
            }
            continue;
        }
        match document(node, number) {
            Ok(Parsed {
                file: DefinitionFile::Agent(agent),
                hash,
                ..
            }) => import.agents.push((agent, hash)),
            Ok(Parsed {
                file: DefinitionFile::Workflow(workflow),
                hash,
                ..
            }) => import.workflows.push((workflow, hash)),
            Err(problems) => issues.extend(problems),
        }
    }
    if issues.is_empty() {
        Ok(import)
    } else {
        Err(DefinitionError::new(issues))
    }
}

/// Reads a file that holds exactly one agent.
///
/// # Errors
/// As [`parse`], and if the file holds anything else.
pub fn parse_agent(bytes: &[u8]) -> Result<(AgentFile, Hash), DefinitionError> {
    match only(bytes, "an agent")? {
        Parsed {
            file: DefinitionFile::Agent(agent),
            hash,
            ..
        } => Ok((agent, hash)),
        Parsed {
            file: DefinitionFile::Workflow(_),
            ..
        } => Err(other_kind("an agent", WORKFLOW_SCHEMA)),
    }
}

/// Reads a file that holds exactly one workflow.
///
/// # Errors
/// As [`parse`], and if the file holds anything else.
pub fn parse_workflow(bytes: &[u8]) -> Result<(WorkflowFile, Hash), DefinitionError> {
    match only(bytes, "a workflow")? {
        Parsed {
            file: DefinitionFile::Workflow(workflow),
            hash,
            ..
        } => Ok((workflow, hash)),
        Parsed {
            file: DefinitionFile::Agent(_),
            ..
        } => Err(other_kind("a workflow", AGENT_SCHEMA)),
    }
}

fn only(bytes: &[u8], wanted: &str) -> Result<Parsed, DefinitionError> {
    let mut files = parse(bytes)?;
    let count = files.len();
    match (files.pop(), count) {
        (Some(only), 1) => Ok(only),
        _ => Err(DefinitionError::one(Issue::error(
            Path::root(),
            format!("expected one document with {wanted}, found {count}"),
        ))),
    }
}

fn other_kind(wanted: &str, found: &str) -> DefinitionError {
    let reason = format!("expected {wanted}, found a document of `schema: {found}`");
    DefinitionError::one(
        Issue::error(Path::root().key("schema"), reason).code(ErrorCode::DefinitionWrongSchema),
    )
}

fn read(bytes: &[u8]) -> Result<Vec<Node>, DefinitionError> {
    check_size(bytes.len() as u64)?;
    let nodes = tree::read(bytes).map_err(DefinitionError::one)?;
    if nodes.is_empty() {
        return Err(DefinitionError::one(
            Issue::error(Path::root(), "the file is empty").hint(format!(
                "a definition starts with `schema: {AGENT_SCHEMA}` or `schema: {WORKFLOW_SCHEMA}`"
            )),
        ));
    }
    Ok(nodes)
}

fn document(node: Node, number: usize) -> Result<Parsed, Vec<Issue>> {
    let numbered = |issues: Vec<Issue>| -> Vec<Issue> {
        issues
            .into_iter()
            .map(|issue| Issue {
                document: number,
                ..issue
            })
            .collect()
    };
    let file = match format(&node).map_err(|issue| numbered(vec![issue]))? {
        Format::Agent => decode(schema::agent(), &node).map(DefinitionFile::Agent),
        Format::Workflow => decode(schema::workflow(), &node).map(DefinitionFile::Workflow),
    };
    Ok(Parsed {
        file: file.map_err(numbered)?,
        hash: Hash::of_json(&node.to_value()),
        document: number,
        node,
    })
}

enum Format {
    Agent,
    Workflow,
}

/// Which format a document says it has.
fn format(node: &Node) -> Result<Format, Issue> {
    let choices = [AGENT_SCHEMA, WORKFLOW_SCHEMA];
    let wrong = |node: &Node, path: Path, reason: String| {
        Issue::error(path, reason)
            .code(ErrorCode::DefinitionWrongSchema)
            .at_line(node.line())
    };
    let first_line =
        format!("write `schema: {AGENT_SCHEMA}` or `schema: {WORKFLOW_SCHEMA}` as its first line");
    let Kind::Map(_) = &node.kind else {
        let reason = format!(
            "a definition is a group of keys, this is {}",
            node.description()
        );
        return Err(Issue::error(Path::root(), reason)
            .hint(first_line)
            .at_line(node.line()));
    };
    let at = Path::root().key("schema");
    let Some(schema) = node.get("schema") else {
        let issue = wrong(node, Path::root(), String::from("`schema` is missing"));
        return Err(if original::is_original_node(node) {
            issue.hint("this looks like the original configuration file; import it instead")
        } else {
            issue.hint(first_line)
        });
    };
    match schema.text() {
        Some(AGENT_SCHEMA) => Ok(Format::Agent),
        Some(WORKFLOW_SCHEMA) => Ok(Format::Workflow),
        Some(other) => {
            let reason = format!("this program does not know `schema: {}`", quotable(other));
            let newer = choices.iter().any(|choice| {
                let (kind, _) = choice.rsplit_once('/').unwrap_or((choice, ""));
                other
                    .strip_prefix(kind)
                    .is_some_and(|rest| rest.starts_with('/'))
            });
            let hint = if newer {
                format!(
                    "it knows {AGENT_SCHEMA} and {WORKFLOW_SCHEMA}; update the program, or write the file in one of these"
                )
            } else {
                did_you_mean(other, choices).unwrap_or(first_line)
            };
            Err(wrong(schema, at, reason).hint(hint))
        }
        None => Err(wrong(
            schema,
            at,
            format!("expected text, found {}", schema.description()),
        )
        .hint(first_line)),
    }
}

fn decode<T: DeserializeOwned>(schema: &'static Value, node: &Node) -> Result<T, Vec<Issue>> {
    let issues = shape::check(schema, node);
    if !issues.is_empty() {
        return Err(issues);
    }
    // The form is right, so this succeeds; if a type ever refuses more than its schema says, its words still arrive.
    serde_path_to_error::deserialize(node.to_value()).map_err(|error| {
        let path = error
            .path()
            .iter()
            .fold(Path::root(), |path, segment| match segment {
                serde_path_to_error::Segment::Seq { index } => path.index(*index),
                serde_path_to_error::Segment::Map { key } => path.key(key),
                serde_path_to_error::Segment::Enum { variant } => path.key(variant),
                serde_path_to_error::Segment::Unknown => path,
            });
        let line = node.line_of(&path);
        vec![Issue::error(path, error.inner().to_string()).at_line(line)]
    })
}

fn size_in_words(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    if bytes < MIB || (bytes < 10 * MIB && !bytes.is_multiple_of(MIB)) {
        format!("{bytes} bytes")
    } else {
        format!("{} MiB", bytes / MIB)
    }
}
