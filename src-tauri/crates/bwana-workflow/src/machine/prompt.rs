//! What an agent is told at the start of a step: who it is, what to do, what was asked and what is known so far.
//! A function of the definition and of finished steps; input text is quoted, never rendered as a template.

use std::sync::Arc;

use bwana_types::definition::{AgentDef, StepDef};
use bwana_types::entry::Window;
use bwana_types::model::ToolDecl;
use serde_json::{Value, json};

use super::place::Place;
use super::state::RunState;
use crate::definition::render;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prompt {
    pub system: Arc<str>,
    /// What the person asked for.
    pub request: Arc<str>,
    /// The step and what to do in it.
    pub task: Arc<str>,
    /// Names and texts of earlier results, in declared order.
    pub results: Vec<(Arc<str>, Arc<str>)>,
    pub tools: Vec<ToolDecl>,
    /// Of everything above, whole.
    pub bytes: u64,
}

const REQUEST_HEADING: &str = "## Request";
const TASK_HEADING: &str = "# Your task: ";

/// A small model that has said all it knows goes on by writing its prompt down once more: where a heading of it comes
/// again, its answer is over.
pub(super) fn headings_of_the_prompt() -> Vec<String> {
    vec![
        format!("\n{REQUEST_HEADING}"),
        format!("\n{}", TASK_HEADING.trim_end()),
    ]
}

/// The marker where a text was cut.
const CUT: &str = "\n[… cut to fit the model …]\n";

impl Prompt {
    pub(super) fn of(state: &RunState, place: &Place, agent: &str) -> Self {
        let def = place.def(&state.definition);
        let results = visible_results(state, place, def);
        let agent = state.definition.agents.get(agent);
        let vars = variables(state, def, agent, &results);
        let system: Arc<str> = match agent {
            // Templates were tried when the file was read; if one fails all the same, its own text says what to do.
            Some(agent) => render(&agent.instructions, &vars)
                .unwrap_or_else(|_| agent.instructions.clone())
                .into(),
            None => "".into(),
        };
        let task = task_text(def, &vars).into();
        let tools = agent.map_or_else(Vec::new, |agent| tools_of(state, def, agent));
        let results: Vec<(Arc<str>, Arc<str>)> = results
            .into_iter()
            .map(|(step, text)| (step.name.as_str().into(), text.into()))
            .collect();
        let mut prompt = Self {
            system,
            request: Arc::clone(&state.input),
            task,
            results,
            tools,
            bytes: 0,
        };
        prompt.bytes = prompt.count_bytes();
        prompt
    }

    fn count_bytes(&self) -> u64 {
        let results: usize = self
            .results
            .iter()
            .map(|(name, text)| name.len() + text.len() + 8)
            .sum();
        let tools: usize = self
            .tools
            .iter()
            .map(|tool| {
                tool.name.len() + tool.description.len() + tool.parameters.to_string().len()
            })
            .sum();
        (self.system.len() + self.request.len() + self.task.len() + results + tools) as u64
    }

    /// The first message of the step, with results cut to the window. The task stands last: models, small ones above
    /// all, do what they read last, and what stays the same from step to step is at the front, where it can be cached.
    pub(super) fn opening(&self, window: Window) -> String {
        let mut text = format!("{REQUEST_HEADING}\n\n{}", self.request);
        for (name, result) in &self.results {
            text.push_str("\n\n## ");
            text.push_str(name);
            text.push_str("\n\n");
            text.push_str(&cut(result, window.result_max_bytes as usize));
        }
        text.push_str("\n\n");
        text.push_str(&self.task);
        text
    }

    /// Bytes saved when every result is cut to `max` bytes.
    pub(super) fn saved_by_cutting(&self, max: u32) -> u64 {
        self.results
            .iter()
            .map(|(_, text)| (text.len() as u64).saturating_sub(u64::from(max)))
            .sum()
    }
}

/// Head and tail of `text` in at most `max` bytes, or all of it for 0.
pub(super) fn cut(text: &str, max: usize) -> std::borrow::Cow<'_, str> {
    if max == 0 || text.len() <= max {
        return text.into();
    }
    let keep = max.saturating_sub(CUT.len());
    let head = text.floor_char_boundary(keep * 2 / 3);
    let tail = text.ceil_char_boundary(text.len() - (keep - keep * 2 / 3));
    format!("{}{CUT}{}", &text[..head], &text[tail..]).into()
}

/// Results this step may see: those it names, else all top-level steps before it.
fn visible_results<'a>(
    state: &'a RunState,
    place: &Place,
    def: &StepDef,
) -> Vec<(&'a StepDef, String)> {
    let before = state
        .definition
        .steps
        .iter()
        .zip(&state.steps)
        .take(place.top_step());
    before
        .filter(|(step, _)| {
            def.reads
                .as_ref()
                .is_none_or(|reads| reads.contains(&step.id))
        })
        .filter_map(|(step, done)| done.result_text(step).map(|text| (step, text)))
        .collect()
}

fn task_text(def: &StepDef, vars: &Value) -> String {
    let mut text = format!("{TASK_HEADING}{}", def.name);
    if let Some(task) = &def.task {
        let task = render(task, vars).unwrap_or_else(|_| task.clone());
        text.push_str("\n\n");
        text.push_str(task.trim());
    }
    text
}

fn tools_of(state: &RunState, def: &StepDef, agent: &AgentDef) -> Vec<ToolDecl> {
    agent
        .tools
        .iter()
        .filter(|name| {
            def.tools
                .as_ref()
                .is_none_or(|allowed| allowed.contains(name))
        })
        .filter_map(|name| state.definition.tools.get(name))
        .map(|tool| ToolDecl {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.input_schema.clone(),
        })
        .collect()
}

fn variables(
    state: &RunState,
    def: &StepDef,
    agent: Option<&AgentDef>,
    results: &[(&StepDef, String)],
) -> Value {
    let describe = |agent: &AgentDef| json!({"id": agent.id, "name": agent.name, "description": agent.description, "capabilities": agent.capabilities});
    let team: Vec<Value> = state.definition.agents.values().map(describe).collect();
    let results: serde_json::Map<String, Value> = results
        .iter()
        .map(|(step, text)| (step.id.clone(), text.as_str().into()))
        .collect();
    json!({
        "agent": agent.map(describe),
        "team": team,
        "workflow": {"id": state.definition.workflow.slug, "name": state.definition.workflow.name},
        "step": {"id": def.id, "name": def.name},
        "input": &*state.input,
        "results": results,
        "locale": state.definition.locale,
        "today": state.created_at.to_rfc3339()[..10].to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_keeps_head_and_tail_and_fits() {
        let text = format!("HEAD{}é{}TAIL", "x".repeat(500), "y".repeat(500));
        for max in 100..400 {
            let cut = cut(&text, max);
            assert!(cut.len() <= max + 3, "{} > {max}", cut.len());
            assert!(cut.starts_with("HEAD") && cut.ends_with("TAIL"));
        }
        assert_eq!(cut(&text, 0), text);
    }
}
