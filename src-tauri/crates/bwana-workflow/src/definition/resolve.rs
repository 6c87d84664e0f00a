//! From a workflow file to the definition a run is pinned to: every default filled in, every name looked up, every
//! model chosen. After this nothing about a run depends on files, settings or installed tools.

use std::collections::{BTreeMap, BTreeSet};

use bwana_types::agent::AgentFile;
use bwana_types::definition::{
    AgentDef, ChatDef, DEFAULT_MAX_ROUND, DEFAULT_PARALLEL_WIDTH, Definition, ModelRef,
    ParallelDef, RunLimits, StepDef, Work, WorkflowRef,
};
use bwana_types::error::ApiError;
use bwana_types::hash::Hash;
use bwana_types::tool::ToolSpec;
use bwana_types::workflow::{
    ApproveFile, ChatFile, Limits, ParallelFile, StepEntry, StepFile, WorkflowFile,
};
use serde_json::Value;

use super::issue::{DefinitionError, Issue, Path, quotable};
use super::slug::sibling_ids;
use super::trial::{Trial, tried};
use super::validate::{Known, grammar_subset, validate_workflow};

/// What an agent's file says when any model will do.
const DEFAULT_MODEL: &str = "default";
/// Output tokens of a call when nothing else is said.
const DEFAULT_MAX_OUTPUT_TOKENS: u32 = 2_048;
/// The same for small models, which lose the thread in long answers and need minutes for them on a laptop.
const SMALL_MAX_OUTPUT_TOKENS: u32 = 768;

/// What a run adds to its workflow file.
#[derive(Debug, Clone)]
pub struct ResolveOptions {
    /// BCP 47 tag of the person's language, like `en` or `sw-KE`.
    pub locale: String,
    /// Limits for this run; each one given replaces the file's.
    pub limits: Limits,
    /// A model for all agents, instead of what their files say.
    pub model: Option<String>,
    pub trial: Trial,
}

impl Default for ResolveOptions {
    fn default() -> Self {
        Self {
            locale: String::from("en"),
            limits: Limits::default(),
            model: None,
            trial: Trial::default(),
        }
    }
}

/// A definition, and what a person should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    pub definition: Definition,
    /// Warnings: tools that are not installed, models of a fallback chain that are not set up.
    pub notes: Vec<Issue>,
}

/// Resolves a workflow. `hash` is that of its file (see [`super::Parsed::hash`]); `agents` are all agents known, by id;
/// `tools` all tools installed, by name. `models` answers `default` and `PROVIDER/MODEL`.
///
/// # Errors
/// If the workflow or an agent in it is not valid, or no model of an agent can be had (then with the code `models` gave).
pub fn resolve(
    workflow: &WorkflowFile,
    hash: Hash,
    agents: &BTreeMap<String, AgentFile>,
    tools: &BTreeMap<String, ToolSpec>,
    models: &dyn Fn(&str) -> Result<ModelRef, ApiError>,
    options: &ResolveOptions,
) -> Result<Resolved, DefinitionError> {
    let names: BTreeSet<String> = tools.keys().cloned().collect();
    let known = Known {
        agents,
        tools: &names,
    };
    let mut issues = validate_workflow(workflow, &known);
    // Without a valid workflow the rest would only repeat its problems in other words.
    if issues.iter().any(Issue::is_error) {
        return Err(DefinitionError::new(issues));
    }
    let mut resolver = Resolver {
        workflow,
        tools,
        models,
        options,
        issues: Vec::new(),
        used: BTreeMap::new(),
    };
    let agents = resolver.agents(agents);
    let steps = resolver.steps(&workflow.steps, None);
    let steps = match tried(steps, &options.trial) {
        Ok(steps) => steps,
        Err(issue) => return Err(DefinitionError::new(vec![issue])),
    };
    resolver.check_outputs(&steps, &agents, &Path::root().key("steps"));
    issues.append(&mut resolver.issues);
    let notes = DefinitionError::check(issues)?;
    Ok(Resolved {
        definition: Definition {
            workflow: WorkflowRef {
                slug: workflow.id.clone(),
                name: workflow.name.clone(),
                hash,
            },
            agents,
            tools: resolver.used,
            limits: run_limits(&overridden(&workflow.limits, &options.limits)),
            steps,
            locale: options.locale.clone(),
            dry_run: options.trial.dry_run,
        },
        notes,
    })
}

struct Resolver<'a> {
    workflow: &'a WorkflowFile,
    tools: &'a BTreeMap<String, ToolSpec>,
    models: &'a dyn Fn(&str) -> Result<ModelRef, ApiError>,
    options: &'a ResolveOptions,
    issues: Vec<Issue>,
    /// Tools that some agent of this run has.
    used: BTreeMap<String, ToolSpec>,
}

/// What a branch takes over from the parallel step around it.
#[derive(Clone, Copy)]
struct Around<'a> {
    tools: Option<&'a Vec<String>>,
    reads: Option<&'a Vec<String>>,
}

impl Resolver<'_> {
    fn agents(&mut self, known: &BTreeMap<String, AgentFile>) -> BTreeMap<String, AgentDef> {
        let mut resolved = BTreeMap::new();
        for (index, id) in self.workflow.agents.iter().enumerate() {
            let path = Path::root().key("agents").index(index);
            if let Some(agent) = known.get(id).and_then(|file| self.agent(file, &path)) {
                resolved.insert(id.clone(), agent);
            }
        }
        resolved
    }

    fn agent(&mut self, file: &AgentFile, path: &Path) -> Option<AgentDef> {
        let models = self.models(file, path)?;
        let first = models.first()?;
        let instructions = match &file.instructions_small {
            Some(small) if first.small => small,
            _ => &file.instructions,
        };
        let default = if first.small {
            SMALL_MAX_OUTPUT_TOKENS
        } else {
            DEFAULT_MAX_OUTPUT_TOKENS
        };
        // At least half of the context stays for the prompt, whatever the file asks for.
        let most = models
            .iter()
            .map(|model| model.context_tokens / 2)
            .min()
            .unwrap_or(default)
            .max(1);
        let mut tools = Vec::new();
        let mut missing = Vec::new();
        for name in &file.tools {
            match self.tools.get(name) {
                Some(tool) => {
                    self.used.insert(name.clone(), tool.clone());
                    tools.push(name.clone());
                }
                None => missing.push(name.as_str()),
            }
        }
        if !missing.is_empty() {
            let reason = format!(
                "{} works without tools that are not installed: {}",
                file.name,
                missing.join(", ")
            );
            self.issues.push(Issue::warning(path.clone(), reason));
        }
        Some(AgentDef {
            id: file.id.clone(),
            name: file.name.clone(),
            kind: file.kind,
            description: file.description.clone(),
            instructions: instructions.clone(),
            capabilities: file.capabilities.clone(),
            tools,
            max_output_tokens: file.max_output_tokens.unwrap_or(default).min(most),
            temperature: file.temperature,
            models,
        })
    }

    /// The models of an agent that can be had, in order of preference. One that cannot is an error only if none can.
    fn models(&mut self, file: &AgentFile, path: &Path) -> Option<Vec<ModelRef>> {
        let choices = match &self.options.model {
            Some(model) => std::slice::from_ref(model),
            None => file.model.as_slice(),
        };
        let mut models: Vec<ModelRef> = Vec::new();
        let mut failures = Vec::new();
        for choice in choices {
            match (self.models)(choice) {
                Ok(model) if models.contains(&model) => {}
                Ok(model) => models.push(model),
                Err(error) => failures.push((choice, error)),
            }
        }
        let has_none = models.is_empty();
        for (choice, error) in failures {
            // What the person chose for everybody is no mistake of an agent's file, and is said once for all of them.
            if has_none && (self.options.model.is_some() || choice == DEFAULT_MODEL) {
                let issue = Issue::error(Path::root(), error.message);
                self.say_once(issue.code(error.code).hint(error.hint));
                continue;
            }
            let reason = format!(
                "{} cannot use the model '{}': {}",
                file.name,
                quotable(choice),
                error.message
            );
            let issue = if has_none {
                Issue::error(path.clone(), reason).code(error.code)
            } else {
                Issue::warning(path.clone(), reason)
            };
            self.issues.push(issue.hint(error.hint));
        }
        (!has_none).then_some(models)
    }

    fn say_once(&mut self, issue: Issue) {
        if !self.issues.contains(&issue) {
            self.issues.push(issue);
        }
    }

    fn steps(&self, entries: &[StepEntry], around: Option<Around<'_>>) -> Vec<StepDef> {
        let steps: Vec<StepFile> = entries.iter().map(full).collect();
        let ids = sibling_ids(
            &steps
                .iter()
                .map(|step| (step.id.as_deref(), step.name.as_str()))
                .collect::<Vec<_>>(),
        );
        ids.into_iter()
            .zip(&steps)
            .map(|(id, step)| self.step(id, step, around))
            .collect()
    }

    fn step(&self, id: String, step: &StepFile, around: Option<Around<'_>>) -> StepDef {
        let tools = step
            .tools
            .as_ref()
            .or(around.and_then(|around| around.tools));
        let reads = step
            .reads
            .as_ref()
            .or(around.and_then(|around| around.reads));
        let work = match step {
            StepFile {
                chat: Some(chat), ..
            } => Work::Chat(self.chat(chat, step)),
            StepFile {
                parallel: Some(parallel),
                ..
            } => Work::Parallel(self.parallel(parallel, Around { tools, reads })),
            StepFile {
                agent: Some(agent), ..
            } => Work::Speak {
                agents: vec![agent.clone()],
            },
            StepFile {
                agents: Some(agents),
                ..
            } => Work::Speak {
                agents: agents.clone(),
            },
            _ => Work::Speak {
                agents: self.workflow.agents.clone(),
            },
        };
        let installed = |names: &Vec<String>| {
            names
                .iter()
                .filter(|name| self.used.contains_key(*name))
                .cloned()
                .collect()
        };
        StepDef {
            id,
            name: step.name.clone(),
            task: step.task.clone(),
            work,
            tools: tools.map(installed),
            reads: reads.cloned(),
            approve_plan: step.approve == Some(ApproveFile::Plan),
            output: step.output.clone(),
            limits: run_limits(&step.limits),
        }
    }

    fn chat(&self, chat: &ChatFile, step: &StepFile) -> ChatDef {
        let max_round = chat
            .max_round
            .or(step.limits.max_round)
            .or(self.options.limits.max_round)
            .or(self.workflow.limits.max_round);
        ChatDef {
            agents: chat.agents.clone(),
            select: chat.select,
            allow_repeat: chat.allow_repeat.unwrap_or(false),
            max_round: max_round.unwrap_or(DEFAULT_MAX_ROUND),
            stop: chat.stop.clone(),
            summary: chat.summary,
        }
    }

    fn parallel(&self, parallel: &ParallelFile, around: Around<'_>) -> ParallelDef {
        let branches = u32::try_from(parallel.steps.len()).unwrap_or(u32::MAX);
        ParallelDef {
            join: parallel.join,
            width: parallel
                .width
                .unwrap_or(DEFAULT_PARALLEL_WIDTH)
                .min(branches),
            steps: self.steps(&parallel.steps, Some(around)),
        }
    }

    /// A step's answer in a form must be one the last speaker's model can be held to.
    fn check_outputs(
        &mut self,
        steps: &[StepDef],
        agents: &BTreeMap<String, AgentDef>,
        path: &Path,
    ) {
        for (index, step) in steps.iter().enumerate() {
            let path = path.index(index);
            if let Work::Parallel(parallel) = &step.work {
                self.check_outputs(&parallel.steps, agents, &path.key("parallel").key("steps"));
            }
            let (Some(output), Some(speaker)) = (&step.output, last_speaker(&step.work)) else {
                continue;
            };
            let local = agents
                .get(speaker)
                .is_some_and(|agent| agent.models.iter().any(|model| model.constrained_tools));
            if local {
                self.refuse_outside_grammar(output, &path.key("output"), speaker);
            }
        }
    }

    fn refuse_outside_grammar(&mut self, schema: &Value, path: &Path, speaker: &str) {
        for (at, reason) in grammar_subset(schema, path) {
            let issue = Issue::error(
                at,
                format!("{reason}, and the model of `{speaker}` is held to a form by grammar"),
            )
            .hint("simplify the schema, or give the agent another model");
            self.issues.push(issue);
        }
    }
}

/// A step in full, whichever way it was written.
pub(super) fn full(entry: &StepEntry) -> StepFile {
    match entry {
        StepEntry::Name(name) => StepFile {
            name: name.clone(),
            ..StepFile::default()
        },
        StepEntry::Full(step) => (**step).clone(),
    }
}

fn last_speaker(work: &Work) -> Option<&str> {
    match work {
        Work::Speak { agents } => agents.last().map(String::as_str),
        Work::Chat(chat) => chat.agents.last().map(String::as_str),
        Work::Parallel(_) | Work::Pinned { .. } => None,
    }
}

fn overridden(file: &Limits, run: &Limits) -> Limits {
    Limits {
        max_round: run.max_round.or(file.max_round),
        budget_usd: run.budget_usd.clone().or_else(|| file.budget_usd.clone()),
        tokens: run.tokens.or(file.tokens),
        calls: run.calls.or(file.calls),
        turns: run.turns.or(file.turns),
        elapsed: run.elapsed.or(file.elapsed),
    }
}

/// Limits as the machine counts them. An amount that is no amount was refused before.
fn run_limits(limits: &Limits) -> RunLimits {
    RunLimits {
        micro_usd: limits
            .budget_usd
            .as_ref()
            .and_then(|usd| usd.to_micro().ok()),
        tokens: limits.tokens,
        calls: limits.calls,
        turns: limits.turns,
        elapsed_ms: limits.elapsed.map(bwana_types::time::Duration::as_ms),
    }
}
