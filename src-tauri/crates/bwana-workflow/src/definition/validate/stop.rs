//! Stop conditions of a chat: those that can never hold, and those that hold at once.

use bwana_types::workflow::StopCondition as Stop;

use super::Limit;
use crate::definition::issue::{Issue, Path, did_you_mean, listed, quotable};

pub(super) fn check(
    condition: &Stop,
    agents: &[String],
    tools: &[&str],
    max_round: u32,
    path: &Path,
) -> Vec<Issue> {
    if let Some(issue) = Limit::StopConditions.check(size(condition), path) {
        return vec![issue];
    }
    let mut checker = Checker {
        agents,
        tools,
        issues: Vec::new(),
    };
    checker.check(condition, path);
    let mut issues = checker.issues;
    if issues.iter().any(Issue::is_error) {
        return issues;
    }
    match earliest_round(condition) {
        None => issues.push(Issue::error(
            path.clone(),
            "this can never hold, so it stops nothing",
        )),
        Some(round) if round > max_round => {
            let reason = format!(
                "this holds in round {round} at the earliest, but the chat ends after {max_round}"
            );
            issues.push(
                Issue::warning(path.clone(), reason)
                    .hint("raise `max_round`, or leave the condition out"),
            );
        }
        Some(_) => {}
    }
    issues
}

/// The first round in which a condition can hold, or `None` if it never can. A lower bound: what depends on words,
/// tools, time or money counts as possible from the first round.
pub(super) fn earliest_round(condition: &Stop) -> Option<u32> {
    match condition {
        Stop::Any(any) => any.iter().filter_map(earliest_round).min(),
        Stop::All(all) => {
            if all.is_empty() || contradicts(all) {
                return None;
            }
            all.iter()
                .map(earliest_round)
                .try_fold(0, |latest, round| Some(latest.max(round?)))
        }
        Stop::Rounds(rounds) => Some((*rounds).max(1)),
        Stop::NoProgress(fired) => fired.then_some(2),
        Stop::Not(_)
        | Stop::Messages(_)
        | Stop::Tokens(_)
        | Stop::Cost(_)
        | Stop::Elapsed(_)
        | Stop::Text(_)
        | Stop::ToolCalled(_)
        | Stop::Source(_) => Some(1),
    }
}

/// Whether parts of an `all` exclude one another: two different last speakers, or something and its opposite.
fn contradicts(all: &[Stop]) -> bool {
    all.iter().enumerate().any(|(index, one)| {
        all[index + 1..].iter().any(|other| match (one, other) {
            (Stop::Source(a), Stop::Source(b)) => a != b,
            (Stop::Not(not), other) | (other, Stop::Not(not)) => **not == *other,
            _ => false,
        })
    })
}

fn size(condition: &Stop) -> usize {
    match condition {
        Stop::All(parts) | Stop::Any(parts) => 1 + parts.iter().map(size).sum::<usize>(),
        Stop::Not(not) => 1 + size(not),
        _ => 1,
    }
}

struct Checker<'a> {
    agents: &'a [String],
    /// Tools some agent of the chat may call here.
    tools: &'a [&'a str],
    issues: Vec<Issue>,
}

impl Checker<'_> {
    fn check(&mut self, condition: &Stop, path: &Path) {
        match condition {
            Stop::All(parts) => self.several("all", parts, path),
            Stop::Any(parts) => self.several("any", parts, path),
            Stop::Not(not) => self.not(not, &path.key("not")),
            Stop::Rounds(0) => self.at_once("rounds", path),
            Stop::Messages(0) => self.at_once("messages", path),
            Stop::Tokens(0) => self.at_once("tokens", path),
            Stop::Elapsed(span) if span.as_s() == 0 => self.at_once("elapsed", path),
            Stop::Cost(usd) => match usd.to_micro() {
                Ok(amount) if amount.0 <= 0 => self.at_once("cost", path),
                Ok(_) => {}
                Err(error) => self.error(path.key("cost"), error.to_string(), ""),
            },
            Stop::Text(text) if text.trim().is_empty() => {
                let reason = String::from(
                    "every message contains an empty text, so the chat would end at once",
                );
                self.error(
                    path.key("text"),
                    reason,
                    "write the word that ends it, like AGREED",
                );
            }
            Stop::NoProgress(false) => {
                let reason = String::from(
                    "this holds as long as there is progress, so the chat would end at once",
                );
                self.error(path.key("no_progress"), reason, "write `no_progress: true`");
            }
            Stop::Source(agent) if !self.agents.contains(agent) => {
                let reason = format!(
                    "`{}` does not speak in this chat, so this can never hold",
                    quotable(agent)
                );
                let names = || self.agents.iter().map(String::as_str);
                let hint = did_you_mean(agent, names())
                    .unwrap_or_else(|| format!("its agents are {}", listed(names())));
                self.error(path.key("source"), reason, &hint);
            }
            Stop::ToolCalled(tool) if !self.tools.contains(&tool.as_str()) => {
                let reason = format!(
                    "no agent of this chat may call `{}` here, so this can never hold",
                    quotable(tool)
                );
                let hint = did_you_mean(tool, self.tools.iter().copied()).unwrap_or_default();
                self.error(path.key("tool_called"), reason, &hint);
            }
            Stop::Rounds(_)
            | Stop::Messages(_)
            | Stop::Tokens(_)
            | Stop::Elapsed(_)
            | Stop::Text(_)
            | Stop::NoProgress(_)
            | Stop::Source(_)
            | Stop::ToolCalled(_) => {}
        }
    }

    fn several(&mut self, key: &str, parts: &[Stop], path: &Path) {
        let path = path.key(key);
        if parts.is_empty() {
            self.error(
                path,
                format!("an empty `{key}` never holds, so it stops nothing"),
                "add conditions, or leave it out",
            );
            return;
        }
        if key == "all" && contradicts(parts) {
            self.error(
                path.clone(),
                String::from("these exclude one another, so they can never hold together"),
                "use `any`, or take one out",
            );
        }
        if key == "any" && contradicts_any(parts) {
            self.error(
                path.clone(),
                String::from("one of these always holds, so the chat would end at once"),
                "take one out",
            );
        }
        for (index, part) in parts.iter().enumerate() {
            self.check(part, &path.index(index));
        }
    }

    /// Counters only grow, so `not` over one holds from the start; `not: not` is the thing itself.
    fn not(&mut self, condition: &Stop, path: &Path) {
        match condition {
            Stop::Not(_) => self.error(
                path.clone(),
                String::from("`not` of `not` is the condition itself"),
                "leave both out",
            ),
            Stop::Rounds(_)
            | Stop::Messages(_)
            | Stop::Tokens(_)
            | Stop::Cost(_)
            | Stop::Elapsed(_)
            | Stop::NoProgress(_) => {
                let reason = String::from(
                    "this holds from the first turn on, so the chat would end at once",
                );
                self.error(path.clone(), reason, "leave out the `not`");
            }
            Stop::All(_) | Stop::Any(_) | Stop::Text(_) | Stop::ToolCalled(_) | Stop::Source(_) => {
            }
        }
        self.check(condition, path);
    }

    fn at_once(&mut self, key: &str, path: &Path) {
        let reason = format!(
            "a `{key}` of 0 is reached before anybody speaks, so the chat would end at once"
        );
        self.error(path.key(key), reason, "write a number above 0");
    }

    fn error(&mut self, path: Path, reason: String, hint: &str) {
        self.issues.push(Issue::error(path, reason).hint(hint));
    }
}

fn contradicts_any(parts: &[Stop]) -> bool {
    parts.iter().enumerate().any(|(index, one)| {
        parts[index + 1..].iter().any(|other| match (one, other) {
            (Stop::Not(not), other) | (other, Stop::Not(not)) => **not == *other,
            _ => false,
        })
    })
}
