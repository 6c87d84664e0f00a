//! A run as a person watches it: step by step, agent by agent, as the words come. Without a terminal the same lines, just
//! without colours. With `--json` the journal, one entry a line.

use std::collections::BTreeMap;

use bwana_api::Event;
use bwana_api::runs::Started;
use bwana_types::entry::{
    Assessment, Body, Call, CallFailed, CallResult, ChosenBy, Entry, Purpose, Seq, StepOutcome,
};
use bwana_types::message::{Usage, text_of};
use bwana_types::money::MicroUsd;
use bwana_types::time::Timestamp;

use crate::out::Out;
use crate::sentence;
use crate::stage::{Stage, visible};

/// Characters of a tool's result that are shown.
const RESULT_SHOWN_CHARS: usize = 160;

pub(crate) struct Follower<'a> {
    out: &'a Out,
    /// The last entry that was shown.
    seen: Seq,
    /// Names of agents by id.
    names: BTreeMap<String, String>,
    /// Names of top-level steps by id, with their place.
    steps: BTreeMap<String, (usize, String)>,
    stage: Stage<'a>,
    spent: BTreeMap<String, Spent>,
}

#[derive(Default)]
struct Spent {
    usage: Usage,
    cost: MicroUsd,
    unknown: bool,
    since: Timestamp,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(out: &'a Out, started: &Started) -> Self {
        let names = started.agents.iter();
        let steps = started.steps.iter().enumerate();
        Self {
            out,
            seen: started.head_seq,
            names: names
                .map(|agent| (agent.id.clone(), agent.name.clone()))
                .collect(),
            steps: steps
                .map(|(at, step)| (step.id.clone(), (at + 1, step.name.clone())))
                .collect(),
            stage: Stage::new(out),
            spent: BTreeMap::new(),
        }
    }

    /// The last entry that was shown.
    pub(crate) fn seen(&self) -> Seq {
        self.seen
    }

    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Entry { run, entry } => {
                if entry.seq <= self.seen {
                    return;
                }
                self.seen = entry.seq;
                if self.out.is_json() {
                    self.out.json(&entry.to_event(&run.to_string()));
                } else {
                    self.entry(entry);
                }
            }
            Event::Text {
                call,
                attempt,
                offset,
                text,
                ..
            } => {
                if !self.out.is_json() {
                    self.stage.words(*call, *attempt, *offset, text);
                }
            }
            // The whole text comes with the entry that ends the call; the others are told to windows.
            Event::Missed { .. }
            | Event::Progress { .. }
            | Event::Open { .. }
            | Event::Batch { .. }
            | Event::Stream { .. }
            | Event::Reset { .. } => {}
        }
    }

    /// Shows that work goes on.
    pub(crate) fn tick(&mut self) {
        self.stage.tick();
    }

    /// What still waits to be said.
    pub(crate) fn rest(&mut self) {
        if !self.out.is_json() {
            self.stage.rest();
        }
    }

    fn name(&self, agent: &str) -> String {
        let known = self.names.get(agent);
        known.cloned().unwrap_or_else(|| agent.to_owned())
    }

    fn entry(&mut self, entry: &Entry) {
        match &entry.body {
            Body::StepStarted(_) => self.step_started(entry),
            Body::StepFinished(finished) => self.step_finished(entry, &finished.outcome),
            Body::SpeakerChosen(chosen) if chosen.by == ChosenBy::SelectorFallback => {
                let name = self.name(&chosen.agent);
                let text = format!("  no usable choice of a speaker came, so {name} is next");
                self.stage.say(&self.out.dim(&text));
            }
            Body::CallIntended(intended) => self.call_begins(entry, &intended.call),
            Body::CallFinished(finished) => self.call_ends(entry, finished.call, &finished.result),
            Body::CallFailed(failed) => self.call_failed(entry, failed),
            Body::CallInterrupted(lost) => {
                self.spend(entry, lost.usage, lost.cost);
                let text =
                    "  a call was interrupted before; it is made again, the lost one is booked";
                self.stage.say(&self.out.warn(text));
            }
            Body::CallUncertain(uncertain) => {
                let text = format!("  it may have happened: {}", visible(&uncertain.why));
                self.stage.say(&self.out.warn(&text));
            }
            Body::ToolAssessed(assessed) => {
                if let Assessment::Refuse { message, .. } = &assessed.verdict {
                    let text = format!("  not done: {}", shortened(message));
                    self.stage.say(&self.out.dim(&text));
                }
            }
            Body::NoProgressNoticed(noticed) => {
                let text = format!("  nothing moves: {}", visible(&noticed.what));
                self.stage.say(&self.out.warn(&text));
            }
            Body::BudgetExhausted(exhausted) => {
                let what = sentence::limit(exhausted.limit);
                self.stage.say(&self.out.warn(&format!("  {what}")));
            }
            _ => {}
        }
    }

    fn step_started(&mut self, entry: &Entry) {
        let spent = Spent {
            since: entry.at,
            ..Spent::default()
        };
        self.spent.insert(entry.path.to_string(), spent);
        let (top, branch) = match entry.path.split_once('/') {
            Some((top, branch)) => (top, Some(branch)),
            None => (&*entry.path, None),
        };
        let Some((at, name)) = self.steps.get(top) else {
            return;
        };
        let text = match branch {
            Some(branch) => format!("  {}", self.out.dim(&format!("branch {branch}"))),
            None => format!(
                "\n{} {}",
                self.out.dim(&format!("[{at}/{}]", self.steps.len())),
                self.out.bold(name)
            ),
        };
        self.stage.say(&text);
    }

    fn step_finished(&mut self, entry: &Entry, outcome: &StepOutcome) {
        let spent = self.spent.remove(&*entry.path).unwrap_or_default();
        let time = sentence::span(entry.at.ms_since(spent.since));
        let tokens = spent.usage.total_tokens();
        let cost = sentence::cost(tokens, spent.usage.estimated, spent.cost, !spent.unknown);
        let text = match outcome {
            StepOutcome::Message { .. } | StepOutcome::Branches => format!(
                "  {} {}",
                self.out.good("done"),
                self.out.dim(&format!("· {cost} · {time}"))
            ),
            StepOutcome::Skipped => format!("  {}", self.out.dim("not needed any more")),
            StepOutcome::Failed { error } => {
                let text = format!("  failed: {}", visible(&error.message));
                self.out.warn(&text)
            }
        };
        self.stage.say(&text);
    }

    fn call_begins(&mut self, entry: &Entry, call: &Call) {
        match call {
            Call::Model(model) => {
                let name = format!("{}{}", self.name(&model.agent), branch_of(&entry.path));
                let muted = model.purpose == Purpose::Select;
                self.stage.begins(entry.seq, name, muted);
            }
            Call::Tool(tool) => {
                let text = format!("  uses {}", tool.tool);
                self.stage.say(&self.out.dim(&text));
            }
        }
    }

    fn call_ends(&mut self, entry: &Entry, call: Seq, result: &CallResult) {
        match result {
            CallResult::Model(result) => {
                self.spend(entry, result.usage, result.cost);
                self.stage.ends(call, &text_of(&result.parts));
            }
            CallResult::Tool(result) => {
                let text = format!("    {}", shortened(&result.content));
                let text = if result.is_error {
                    self.out.warn(&text)
                } else {
                    self.out.dim(&text)
                };
                self.stage.say(&text);
            }
        }
    }

    fn call_failed(&mut self, entry: &Entry, failed: &CallFailed) {
        self.spend(entry, failed.usage, failed.cost);
        let then = match failed.retry_at {
            Some(at) => {
                self.stage.breaks(failed.call);
                format!(
                    "; trying again in {}",
                    sentence::span(at.ms_since(entry.at))
                )
            }
            None => {
                self.stage.drops(failed.call);
                String::new()
            }
        };
        let text = format!("  {}{then}", shortened(&failed.error.message));
        self.stage.say(&self.out.warn(&text));
    }

    /// Books usage on the step and on the steps around it.
    fn spend(&mut self, entry: &Entry, usage: Usage, cost: Option<MicroUsd>) {
        for (path, spent) in &mut self.spent {
            let inside = entry
                .path
                .strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if inside {
                spent.usage = spent.usage.plus(usage);
                spent.cost = spent.cost.saturating_add(cost.unwrap_or_default());
                spent.unknown |= cost.is_none();
            }
        }
    }
}

/// The branch of a parallel step a path lies in, for people.
fn branch_of(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').skip(1).collect();
    if parts.last().is_some_and(|part| {
        part.starts_with('r') && part[1..].bytes().all(|byte| byte.is_ascii_digit())
    }) {
        parts.pop();
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join("/"))
    }
}

/// One line, not too long.
fn shortened(text: &str) -> String {
    let line = visible(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if line.chars().count() <= RESULT_SHOWN_CHARS {
        return line;
    }
    let cut: String = line.chars().take(RESULT_SHOWN_CHARS).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_named_a_turn_is_not() {
        assert_eq!(branch_of("material/en/r1"), " (en)");
        assert_eq!(branch_of("talk/r3"), "");
        assert_eq!(branch_of("material/report/r12"), " (report)");
    }
}
