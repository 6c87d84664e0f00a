//! A run as a person watches it: step by step, agent by agent, as the words come. Without a terminal the same lines, just
//! without colours. With `--json` the journal, one entry a line.

use std::collections::{BTreeMap, HashMap};

use bwana_api::Event;
use bwana_api::runs::Started;
use bwana_types::entry::{Assessment, Body, Call, CallResult, ChosenBy, Entry, Seq, StepOutcome};
use bwana_types::message::{Usage, text_of};
use bwana_types::money::MicroUsd;
use bwana_types::time::Timestamp;

use crate::out::Out;
use crate::sentence;

/// Characters of a tool's result that are shown.
const RESULT_SHOWN_CHARS: usize = 160;

pub(crate) struct Follower<'a> {
    out: &'a Out,
    /// The last entry that was shown.
    pub(crate) seen: Seq,
    /// Names of agents by id.
    names: BTreeMap<String, String>,
    /// Names of top-level steps by id, with their place.
    steps: BTreeMap<String, (usize, String)>,
    count: usize,
    /// Calls under way: who speaks, and what was said so far.
    calls: HashMap<Seq, Speech>,
    /// The call whose words are being printed.
    on_stage: Option<Seq>,
    /// Whether the cursor stands behind printed words.
    mid_line: bool,
    spent: BTreeMap<String, Spent>,
}

#[derive(Default)]
struct Speech {
    agent: String,
    path: String,
    text: String,
    printed: usize,
    attempt: u32,
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
        let steps = started.steps.iter().enumerate();
        Self {
            out,
            seen: started.head_seq,
            names: started
                .agents
                .iter()
                .map(|agent| (agent.id.clone(), agent.name.clone()))
                .collect(),
            steps: steps
                .map(|(at, step)| (step.id.clone(), (at + 1, step.name.clone())))
                .collect(),
            count: started.steps.len(),
            calls: HashMap::new(),
            on_stage: None,
            mid_line: false,
            spent: BTreeMap::new(),
        }
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
                path,
                agent,
                offset,
                text,
                ..
            } => {
                if !self.out.is_json() {
                    self.words(*call, *attempt, path, agent, *offset, text);
                }
            }
            Event::Missed { .. } | Event::Progress { .. } => {}
        }
    }

    fn words(&mut self, call: Seq, attempt: u32, path: &str, agent: &str, offset: u64, text: &str) {
        let speech = self.calls.entry(call).or_default();
        if speech.attempt != attempt {
            *speech = Speech {
                attempt,
                ..Speech::default()
            };
        }
        path.clone_into(&mut speech.path);
        agent.clone_into(&mut speech.agent);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if offset != speech.text.len() {
            // Pieces were missed; the whole text comes with the entry that finishes the call.
            return;
        }
        speech.text.push_str(text);
        if self.on_stage.is_none() {
            self.on_stage = Some(call);
            self.announce(call);
        }
        if self.on_stage == Some(call) {
            self.print_rest(call);
        }
    }

    fn announce(&mut self, call: Seq) {
        let Some(speech) = self.calls.get(&call) else {
            return;
        };
        let name = self
            .names
            .get(&speech.agent)
            .cloned()
            .unwrap_or_else(|| speech.agent.clone());
        let branch = branch_of(&speech.path);
        self.end_line();
        self.out
            .line(&format!("  {}{branch}", self.out.name(&name)));
    }

    /// Prints what of a call's words is not printed yet, indented.
    fn print_rest(&mut self, call: Seq) {
        let Some(speech) = self.calls.get_mut(&call) else {
            return;
        };
        let rest = speech.text[speech.printed..].to_owned();
        speech.printed = speech.text.len();
        self.indented(&rest);
    }

    fn indented(&mut self, text: &str) {
        let mut shown = String::new();
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                shown.push('\n');
                self.mid_line = false;
            }
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                continue;
            }
            if !self.mid_line {
                shown.push_str("    ");
                self.mid_line = true;
            }
            shown.push_str(&visible(line));
        }
        self.out.text(&shown);
    }

    fn end_line(&mut self) {
        if self.mid_line {
            self.out.text("\n");
            self.mid_line = false;
        }
    }

    fn say(&mut self, text: &str) {
        self.end_line();
        self.out.line(text);
    }

    fn entry(&mut self, entry: &Entry) {
        match &entry.body {
            Body::StepStarted(_) => self.step_started(entry),
            Body::StepFinished(finished) => self.step_finished(entry, &finished.outcome),
            Body::SpeakerChosen(chosen) if chosen.by == ChosenBy::SelectorFallback => {
                let name = self
                    .names
                    .get(&chosen.agent)
                    .cloned()
                    .unwrap_or_else(|| chosen.agent.clone());
                self.say(&self.out.dim(&format!(
                    "  no usable choice of a speaker came, so {name} is next"
                )));
            }
            Body::CallIntended(intended) => self.call_begins(entry, &intended.call),
            Body::CallFinished(finished) => self.call_ends(entry, finished.call, &finished.result),
            Body::CallFailed(failed) => self.call_failed(entry, failed),
            Body::CallInterrupted(lost) => {
                self.spend(entry, lost.usage, lost.cost);
                self.say(&self.out.warn(
                    "  a call was interrupted before; it is made again, the lost one is booked",
                ));
            }
            Body::CallUncertain(uncertain) => {
                self.say(&self.out.warn(&format!(
                    "  it may have happened: {}",
                    visible(&uncertain.why)
                )));
            }
            Body::ToolAssessed(assessed) => {
                if let Assessment::Refuse { message } = &assessed.verdict {
                    self.say(&self.out.dim(&format!("  not done: {}", shortened(message))));
                }
            }
            Body::NoProgressNoticed(noticed) => {
                self.say(
                    &self
                        .out
                        .warn(&format!("  nothing moves: {}", visible(&noticed.what))),
                );
            }
            Body::BudgetExhausted(exhausted) => {
                self.say(
                    &self
                        .out
                        .warn(&format!("  a limit is reached: {:?}", exhausted.limit)),
                );
            }
            _ => {}
        }
    }

    fn step_started(&mut self, entry: &Entry) {
        self.spent.insert(
            entry.path.to_string(),
            Spent {
                since: entry.at,
                ..Spent::default()
            },
        );
        let top = entry.path.split('/').next().unwrap_or_default();
        let Some((at, name)) = self.steps.get(top).cloned() else {
            return;
        };
        let text = if entry.path.contains('/') {
            format!(
                "  {}",
                self.out
                    .dim(&format!("branch {}", &entry.path[top.len() + 1..]))
            )
        } else {
            format!(
                "\n{} {}",
                self.out.dim(&format!("[{at}/{}]", self.count)),
                self.out.bold(&name)
            )
        };
        self.say(&text);
    }

    fn step_finished(&mut self, entry: &Entry, outcome: &StepOutcome) {
        let spent = self.spent.remove(&*entry.path).unwrap_or_default();
        let time = sentence::span(entry.at.ms_since(spent.since));
        let tokens = spent.usage.total_tokens();
        let cost = sentence::cost(tokens, spent.usage.estimated, spent.cost, !spent.unknown);
        let text = match outcome {
            StepOutcome::Message { .. } | StepOutcome::Branches => {
                format!(
                    "  {} {}",
                    self.out.good("done"),
                    self.out.dim(&format!("· {cost} · {time}"))
                )
            }
            StepOutcome::Skipped => format!("  {}", self.out.dim("not needed any more")),
            StepOutcome::Failed { error } => self
                .out
                .warn(&format!("  failed: {}", visible(&error.message))),
        };
        self.say(&text);
    }

    fn call_begins(&mut self, entry: &Entry, call: &Call) {
        if let Call::Tool(tool) = call {
            self.say(&self.out.dim(&format!("  uses {}", tool.tool)));
        }
    }

    fn call_ends(&mut self, entry: &Entry, call: Seq, result: &CallResult) {
        match result {
            CallResult::Model(result) => {
                self.spend(entry, result.usage, result.cost);
                let text = text_of(&result.parts);
                let streamed = self
                    .calls
                    .get(&call)
                    .is_some_and(|speech| speech.printed > 0);
                if !streamed && !text.trim().is_empty() && self.calls.contains_key(&call) {
                    // Another call was on the stage: its turn has come, in one piece.
                    if let Some(speech) = self.calls.get_mut(&call) {
                        speech.text = text.to_string();
                    }
                    self.announce(call);
                    self.print_rest(call);
                }
                self.end_line();
                if self.on_stage == Some(call) {
                    self.on_stage = None;
                }
                self.calls.remove(&call);
            }
            CallResult::Tool(result) => {
                self.calls.remove(&call);
                let text = shortened(&result.content);
                let text = if result.is_error {
                    self.out.warn(&text)
                } else {
                    self.out.dim(&text)
                };
                self.say(&format!("    {text}"));
            }
        }
    }

    fn call_failed(&mut self, entry: &Entry, failed: &bwana_types::entry::CallFailed) {
        self.spend(entry, failed.usage, failed.cost);
        self.end_line();
        self.calls.remove(&failed.call);
        if self.on_stage == Some(failed.call) {
            self.on_stage = None;
        }
        let then = match failed.retry_at {
            Some(at) => format!(
                "; trying again in {}",
                sentence::span(at.ms_since(entry.at))
            ),
            None => String::new(),
        };
        self.say(
            &self
                .out
                .warn(&format!("  {}{then}", shortened(&failed.error.message))),
        );
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

/// Text from outside must not steer the terminal.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(visible("\u{1b}[2Jhello\u{7}"), "\u{fffd}[2Jhello\u{fffd}");
    }

    #[test]
    fn a_branch_is_named_a_turn_is_not() {
        assert_eq!(branch_of("material/en/r1"), " (en)");
        assert_eq!(branch_of("talk/r3"), "");
        assert_eq!(branch_of("material/report/r12"), " (report)");
    }
}
