//! The original configuration file as it stands: `agent_integration`, `available_agents` and `workflow_templates`,
//! turned into agents and workflows of our own formats.

use std::collections::{BTreeMap, BTreeSet};

use bwana_types::agent::{AGENT_SCHEMA, AgentFile, AgentKind, ModelChoice};
use bwana_types::hash::Hash;
use bwana_types::workflow::{Limits, StepEntry, StepFile, WORKFLOW_SCHEMA, WorkflowFile};
use serde::Serialize;

use super::issue::{Issue, Path, did_you_mean, quotable};
use super::parse::Import;
use super::shipped::shipped;
use super::slug::slug;
use super::tree::{self, Kind, Node};

const INTEGRATION: &str = "agent_integration";
const AGENTS: &str = "available_agents";
const WORKFLOWS: &str = "workflow_templates";

/// Whether a file looks like the original configuration.
pub fn is_original(bytes: &[u8]) -> bool {
    bytes.len() <= super::FILE_MAX_BYTES
        && tree::read(bytes).is_ok_and(|documents| documents.iter().any(is_original_node))
}

pub(super) fn is_original_node(node: &Node) -> bool {
    node.get("schema").is_none()
        && [INTEGRATION, AGENTS, WORKFLOWS]
            .iter()
            .any(|key| node.get(key).is_some())
}

/// Converts a document. Everything else in the file (settings of other programs) is left alone.
pub(super) fn convert(document: &Node, number: usize) -> Result<Import, Vec<Issue>> {
    let mut converter = Converter {
        number,
        issues: Vec::new(),
        ids: BTreeMap::new(),
    };
    let agents = converter.section(document, AGENTS);
    let agents: Vec<AgentFile> = agents
        .into_iter()
        .filter_map(|item| converter.agent(&item))
        .collect();
    let workflows = converter.section(document, WORKFLOWS);
    let workflows: Vec<WorkflowFile> = workflows
        .into_iter()
        .filter_map(|item| converter.workflow(&item))
        .collect();
    if agents.is_empty() && workflows.is_empty() && converter.issues.is_empty() {
        let reason = format!("the file has neither `{AGENTS}` nor `{WORKFLOWS}`");
        converter.issues.push(Issue {
            document: number,
            ..Issue::error(Path::root(), reason)
        });
    }
    if converter.issues.iter().any(Issue::is_error) {
        return Err(converter.issues);
    }
    Ok(Import {
        agents: agents.into_iter().map(with_hash).collect(),
        workflows: workflows.into_iter().map(with_hash).collect(),
        notes: converter.issues,
    })
}

/// The hash of a file made here: that of its content as it would be written.
fn with_hash<T: Serialize>(file: T) -> (T, Hash) {
    let hash = Hash::of_json(&serde_json::to_value(&file).unwrap_or_default());
    (file, hash)
}

/// An entry of a section: its place, its key if the section is a map, and its content.
struct Item<'a> {
    path: Path,
    key: Option<&'a str>,
    node: &'a Node,
}

struct Converter {
    number: usize,
    issues: Vec<Issue>,
    /// Our id for every agent of the file, by the id written there.
    ids: BTreeMap<String, String>,
}

impl Converter {
    /// A section stands at the top or under `agent_integration`, as a list or as a map by id.
    fn section<'a>(&mut self, document: &'a Node, name: &str) -> Vec<Item<'a>> {
        let inside = document
            .get(INTEGRATION)
            .and_then(|integration| integration.get(name));
        let (path, node) = match (document.get(name), inside) {
            (Some(node), _) => (Path::root().key(name), node),
            (None, Some(node)) => (Path::root().key(INTEGRATION).key(name), node),
            (None, None) => return Vec::new(),
        };
        match &node.kind {
            Kind::List(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, node)| Item {
                        path: path.index(index),
                        key: None,
                        node,
                    })
                    .collect()
            }
            Kind::Map(entries) => {
                let entries = entries.iter();
                entries
                    .map(|(key, node)| Item {
                        path: path.key(key),
                        key: Some(key),
                        node,
                    })
                    .collect()
            }
            Kind::Null => Vec::new(),
            _ => {
                self.error(
                    node,
                    &path,
                    format!(
                        "expected a list or a group by id, found {}",
                        node.description()
                    ),
                    "",
                );
                Vec::new()
            }
        }
    }

    fn agent(&mut self, item: &Item<'_>) -> Option<AgentFile> {
        let (id, name) = self.id_and_name(item)?;
        let kind = self.kind(item);
        let capabilities = self.texts(item, "capabilities");
        let tools = self.texts(item, "tools");
        let description = self.text(item, "description").unwrap_or_default();
        let written = self
            .text(item, "instructions")
            .or_else(|| self.text(item, "system_prompt"));
        let ours = shipped().agents.get(&id);
        let (instructions, small) = match (written, ours) {
            (Some(written), _) => (escaped(&written), None),
            (None, Some(ours)) => {
                self.note(item, format!("`{id}` takes the instructions of the agent of that id that comes with the program"));
                (ours.instructions.clone(), ours.instructions_small.clone())
            }
            (None, None) => (instructions(&name, kind, &capabilities), None),
        };
        Some(AgentFile {
            schema: AGENT_SCHEMA.to_owned(),
            id,
            name,
            kind,
            description,
            instructions,
            instructions_small: small,
            capabilities,
            tools,
            model: ModelChoice::default(),
            memory: None,
            max_output_tokens: None,
            temperature: None,
        })
    }

    fn workflow(&mut self, item: &Item<'_>) -> Option<WorkflowFile> {
        let (id, name) = self.id_and_name(item)?;
        let agents: Vec<String> = self
            .texts(item, "agents")
            .into_iter()
            .map(|written| self.agent_id(&written))
            .collect();
        let agents = without_repeats(agents);
        let steps = self.steps(item);
        for (key, empty) in [("agents", agents.is_empty()), ("steps", steps.is_empty())] {
            if empty {
                self.error(
                    item.node,
                    &item.path,
                    format!("`{key}` is missing or empty"),
                    "",
                );
            }
        }
        Some(WorkflowFile {
            schema: WORKFLOW_SCHEMA.to_owned(),
            id,
            name,
            description: self.text(item, "description").unwrap_or_default(),
            agents,
            input: None,
            limits: Limits::default(),
            steps,
        })
    }

    /// Steps are names, or groups with a name and perhaps an agent.
    fn steps(&mut self, item: &Item<'_>) -> Vec<StepEntry> {
        let path = item.path.key("steps");
        let Some(node) = item.node.get("steps") else {
            return Vec::new();
        };
        let Kind::List(nodes) = &node.kind else {
            self.error(
                node,
                &path,
                format!("expected a list, found {}", node.description()),
                "",
            );
            return Vec::new();
        };
        let mut steps = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let step = Item {
                path: path.index(index),
                key: None,
                node,
            };
            match &node.kind {
                Kind::Text(name) => steps.push(StepEntry::Name(name.trim().to_owned())),
                Kind::Map(_) => {
                    let name = ["name", "title", "step", "id"]
                        .iter()
                        .find_map(|key| self.text(&step, key));
                    let Some(name) = name else {
                        self.error(
                            node,
                            &step.path,
                            String::from("this step has no `name`"),
                            "",
                        );
                        continue;
                    };
                    let agent = self
                        .text(&step, "agent")
                        .map(|written| self.agent_id(&written));
                    let task = self.text(&step, "description").map(|task| escaped(&task));
                    steps.push(StepEntry::Full(Box::new(StepFile {
                        name,
                        agent,
                        task,
                        ..StepFile::default()
                    })));
                }
                _ => self.error(
                    node,
                    &step.path,
                    format!("expected the name of a step, found {}", node.description()),
                    "",
                ),
            }
        }
        steps
    }

    fn id_and_name(&mut self, item: &Item<'_>) -> Option<(String, String)> {
        let Kind::Map(_) = &item.node.kind else {
            self.error(
                item.node,
                &item.path,
                format!(
                    "expected a group with `id` and `name`, found {}",
                    item.node.description()
                ),
                "",
            );
            return None;
        };
        let written = self
            .text(item, "id")
            .or_else(|| item.key.map(str::to_owned));
        let name = self.text(item, "name");
        let Some(id) = written.as_deref().or(name.as_deref()).and_then(slug) else {
            self.error(
                item.node,
                &item.path,
                String::from("`id` is missing, and so is a name to make one from"),
                "",
            );
            return None;
        };
        if let Some(written) = &written {
            if *written != id {
                self.note(
                    item,
                    format!(
                        "the id '{}' is written `{id}` from here on",
                        quotable(written)
                    ),
                );
            }
            self.ids.insert(written.clone(), id.clone());
        }
        let name = name.unwrap_or_else(|| title(&id));
        Some((id, name))
    }

    /// Our id for an agent a workflow names.
    fn agent_id(&self, written: &str) -> String {
        self.ids
            .get(written)
            .cloned()
            .or_else(|| slug(written))
            .unwrap_or_else(|| written.to_owned())
    }

    fn kind(&mut self, item: &Item<'_>) -> AgentKind {
        let Some(written) = self.text(item, "type") else {
            return AgentKind::Custom;
        };
        let known = slug(&written).and_then(|written| {
            KINDS
                .iter()
                .find(|(name, _)| written.split('_').any(|word| word == *name))
                .map(|(_, kind)| *kind)
        });
        known.unwrap_or_else(|| {
            let names = KINDS.iter().map(|(name, _)| *name);
            let hint = did_you_mean(&written, names).unwrap_or_default();
            let reason = format!(
                "the type '{}' is not known here; it becomes `custom`",
                quotable(&written)
            );
            let issue = Issue::warning(item.path.key("type"), reason).hint(hint);
            self.push(issue, item.node.get("type"));
            AgentKind::Custom
        })
    }

    fn text(&mut self, item: &Item<'_>, key: &str) -> Option<String> {
        let node = item.node.get(key)?;
        match &node.kind {
            Kind::Text(text) if text.trim().is_empty() => None,
            Kind::Text(text) => Some(text.trim().to_owned()),
            Kind::Number(number) => Some(number.to_string()),
            Kind::Null => None,
            _ => {
                self.error(
                    node,
                    &item.path.key(key),
                    format!("expected text, found {}", node.description()),
                    "",
                );
                None
            }
        }
    }

    /// A list of texts; one text alone counts as a list of one. What stands there twice is kept once.
    fn texts(&mut self, item: &Item<'_>, key: &str) -> Vec<String> {
        let Some(node) = item.node.get(key) else {
            return Vec::new();
        };
        let path = item.path.key(key);
        let nodes = match &node.kind {
            Kind::List(nodes) => nodes.as_slice(),
            Kind::Text(_) => std::slice::from_ref(node),
            Kind::Null => return Vec::new(),
            _ => {
                self.error(
                    node,
                    &path,
                    format!("expected a list, found {}", node.description()),
                    "",
                );
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            match node.text().map(str::trim) {
                Some("") => {}
                Some(text) => texts.push(text.to_owned()),
                None => self.error(
                    node,
                    &path.index(index),
                    format!("expected text, found {}", node.description()),
                    "",
                ),
            }
        }
        without_repeats(texts)
    }

    fn note(&mut self, item: &Item<'_>, reason: String) {
        self.push(Issue::warning(item.path.clone(), reason), Some(item.node));
    }

    fn error(&mut self, node: &Node, path: &Path, reason: String, hint: &str) {
        self.push(Issue::error(path.clone(), reason).hint(hint), Some(node));
    }

    fn push(&mut self, issue: Issue, node: Option<&Node>) {
        self.issues.push(Issue {
            document: self.number,
            line: node.and_then(Node::line),
            ..issue
        });
    }
}

/// Words of a type and what they mean here; the first that occurs decides.
const KINDS: [(&str, AgentKind); 24] = [
    ("analysis", AgentKind::Analysis),
    ("analytics", AgentKind::Analysis),
    ("analyst", AgentKind::Analysis),
    ("intelligence", AgentKind::Analysis),
    ("research", AgentKind::Analysis),
    ("development", AgentKind::Development),
    ("developer", AgentKind::Development),
    ("technical", AgentKind::Development),
    ("engineering", AgentKind::Development),
    ("implementation", AgentKind::Development),
    ("coding", AgentKind::Development),
    ("support", AgentKind::Support),
    ("service", AgentKind::Support),
    ("customer", AgentKind::Support),
    ("helpdesk", AgentKind::Support),
    ("operations", AgentKind::Operations),
    ("operational", AgentKind::Operations),
    ("infrastructure", AgentKind::Operations),
    ("devops", AgentKind::Operations),
    ("business", AgentKind::Business),
    ("sales", AgentKind::Business),
    ("marketing", AgentKind::Business),
    ("growth", AgentKind::Business),
    ("custom", AgentKind::Custom),
];

fn without_repeats(texts: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts
        .into_iter()
        .filter(|text| seen.insert(text.clone()))
        .collect()
}

/// Braces of a foreign text are meant as they are, not as a template of ours.
fn escaped(text: &str) -> String {
    if text.contains("{{") || text.contains("{%") || text.contains("{#") {
        format!(
            "{{% raw %}}{}{{% endraw %}}",
            text.replace("{% endraw %}", "")
        )
    } else {
        text.to_owned()
    }
}

/// `business_intelligence` as people read it.
fn title(id: &str) -> String {
    let words = id.split('_').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
            .unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Instructions for an agent of which only name and capabilities are known.
fn instructions(name: &str, kind: AgentKind, capabilities: &[String]) -> String {
    let (task, result) = match kind {
        AgentKind::Analysis => (
            "find out what is true and what it means",
            "findings with the evidence for each, and what you are not sure of",
        ),
        AgentKind::Development => (
            "plan and build what is asked so that it works and can be kept working",
            "concrete steps, configuration or code that somebody can apply as it stands",
        ),
        AgentKind::Support => (
            "help customers quickly, correctly and kindly",
            "answers a customer understands at once, and what has to happen next",
        ),
        AgentKind::Business => (
            "win and keep customers with honest offers",
            "texts and actions that are ready to use, each with whom it is for",
        ),
        AgentKind::Operations => (
            "keep the daily work running and say early what may go wrong",
            "a list of actions with owner and date, the most urgent first",
        ),
        AgentKind::Custom => (
            "do what your role asks",
            "a complete result in the form that was asked for",
        ),
    };
    let can = capabilities
        .iter()
        .map(|capability| capability.replace('_', " "))
        .collect::<Vec<_>>()
        .join(", ");
    let can = if can.is_empty() {
        String::new()
    } else {
        format!("You are good at: {can}.\n")
    };
    escaped(&format!(
        "You are {name}. Your job is to {task}.\n{can}\
         Work only on the step you are given and use the results of earlier steps.\n\
         Use your tools for facts; never invent figures, names or sources. Say what you assumed where something is missing.\n\
         Give {result}. Answer in the language of the request, without preamble.\n"
    ))
}
