//! Is this agent one that can work?

use bwana_types::agent::AgentFile;

use super::{Known, Limit, check_id, check_name, check_repeats};
use crate::definition::issue::{Issue, Path, did_you_mean, quotable};
use crate::definition::template::check_template;

/// Words of compact instructions above which a small model loses the thread.
const SMALL_WORDS_MAX: usize = 160;
/// Output tokens a call may ask for: less is no answer, more does not exist.
const OUTPUT_TOKENS: std::ops::RangeInclusive<u32> = 16..=131_072;
const TEMPERATURE: std::ops::RangeInclusive<f32> = 0.0..=2.0;

/// Everything wrong with an agent.
pub fn validate_agent(agent: &AgentFile, known: &Known<'_>) -> Vec<Issue> {
    let root = Path::root();
    let mut issues = Vec::new();
    issues.extend(check_id(&agent.id, &root.key("id")));
    issues.extend(check_name(&agent.name, &root.key("name")));
    issues.extend(instructions(agent));
    issues.extend(names(&agent.capabilities, &root.key("capabilities")));
    issues.extend(names(&agent.tools, &root.key("tools")));
    issues.extend(unknown_tools(&agent.tools, known, &root.key("tools")));
    issues.extend(models(agent));
    if let Some(tokens) = agent
        .max_output_tokens
        .filter(|tokens| !OUTPUT_TOKENS.contains(tokens))
    {
        let reason = format!(
            "{tokens} is no useful length of an answer; it must be from {} to {}",
            OUTPUT_TOKENS.start(),
            OUTPUT_TOKENS.end()
        );
        issues.push(Issue::error(root.key("max_output_tokens"), reason));
    }
    if let Some(temperature) = agent
        .temperature
        .filter(|temperature| !TEMPERATURE.contains(temperature))
    {
        let reason = format!("a temperature is from 0 to 2, not {temperature}");
        issues.push(Issue::error(root.key("temperature"), reason));
    }
    if agent
        .memory
        .as_ref()
        .and_then(|memory| memory.expires)
        .is_some_and(|span| span.as_s() == 0)
    {
        let reason = "a memory that expires at once remembers nothing";
        issues.push(
            Issue::error(root.key("memory").key("expires"), reason)
                .hint("write a time like 7d, or leave it out"),
        );
    }
    issues
}

fn instructions(agent: &AgentFile) -> Vec<Issue> {
    let path = Path::root().key("instructions");
    let small_path = Path::root().key("instructions_small");
    let mut issues = check_template(&agent.instructions, &path, None);
    if agent.instructions.trim().is_empty() {
        issues.push(Issue::error(
            path,
            "an agent without instructions does not know its role",
        ));
    }
    let Some(small) = &agent.instructions_small else {
        return issues;
    };
    issues.extend(check_template(small, &small_path, None));
    if small.trim().is_empty() {
        issues.push(
            Issue::error(small_path.clone(), "the compact instructions are empty")
                .hint("leave them out, or write them"),
        );
    }
    let words = small.split_whitespace().count();
    if words > SMALL_WORDS_MAX {
        let reason =
            format!("{words} words are too many for a small model; keep to {SMALL_WORDS_MAX}");
        issues.push(Issue::warning(small_path, reason));
    }
    issues
}

fn names(names: &[String], path: &Path) -> Vec<Issue> {
    let mut issues: Vec<Issue> = Limit::Names.check(names.len(), path).into_iter().collect();
    issues.extend(
        names
            .iter()
            .enumerate()
            .filter_map(|(index, name)| check_name(name, &path.index(index))),
    );
    issues.extend(check_repeats(names, path));
    issues
}

/// Tools nobody has heard of, which is most often a slip of the hand.
pub(super) fn unknown_tools(names: &[String], known: &Known<'_>, path: &Path) -> Vec<Issue> {
    let unknown = names
        .iter()
        .enumerate()
        .filter(|(_, name)| !known.has_tool(name));
    unknown
        .map(|(index, name)| {
            let reason = format!("there is no tool `{}`", quotable(name));
            let hint = did_you_mean(name, known.tool_names()).unwrap_or_else(|| {
                String::from("the agent works without it until it is installed")
            });
            Issue::warning(path.index(index), reason).hint(hint)
        })
        .collect()
}

fn models(agent: &AgentFile) -> Vec<Issue> {
    let path = Path::root().key("model");
    let choices = agent.model.as_slice();
    if choices.is_empty() {
        return vec![
            Issue::error(path, "the list of models is empty")
                .hint("write `default`, or leave it out"),
        ];
    }
    let mut issues: Vec<Issue> = Limit::Models
        .check(choices.len(), &path)
        .into_iter()
        .collect();
    for (index, choice) in choices.iter().enumerate() {
        let usable = choice == "default"
            || choice.split_once('/').is_some_and(|(provider, model)| {
                !provider.trim().is_empty() && !model.trim().is_empty()
            });
        if !usable {
            let at = if choices.len() == 1 {
                path.clone()
            } else {
                path.index(index)
            };
            let reason = format!("'{}' names no model", quotable(choice));
            let hint = did_you_mean(choice, ["default"]).unwrap_or_else(|| {
                String::from("write `default`, or PROVIDER/MODEL like `openai/gpt-4o-mini`")
            });
            issues.push(Issue::error(at, reason).hint(hint));
        }
    }
    issues
}
