//! When a chat ends: an expression over counters that are folds of the journal.

use std::sync::Arc;

use bwana_types::money::MicroUsd;
use bwana_types::workflow::StopCondition;

/// What a condition may look at, after a turn.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    pub rounds: u32,
    pub messages: u32,
    pub tokens: u64,
    pub cost: MicroUsd,
    pub elapsed_ms: i64,
    pub last_text: &'a str,
    pub last_source: &'a str,
    /// Tools called in the last turn.
    pub last_tools: Vec<Arc<str>>,
    pub no_progress: bool,
}

/// The condition that holds, in words, or `None`.
pub fn holds(condition: &StopCondition, facts: &Facts<'_>) -> Option<String> {
    let when = |held: bool, which: String| held.then_some(which);
    match condition {
        StopCondition::Any(any) => any.iter().find_map(|one| holds(one, facts)),
        StopCondition::All(all) => {
            let held: Option<Vec<String>> = all.iter().map(|one| holds(one, facts)).collect();
            held.filter(|held| !held.is_empty())
                .map(|held| held.join(" and "))
        }
        StopCondition::Not(not) => when(holds(not, facts).is_none(), String::from("not")),
        StopCondition::Rounds(rounds) => when(facts.rounds >= *rounds, format!("rounds {rounds}")),
        StopCondition::Messages(n) => when(facts.messages >= *n, format!("messages {n}")),
        StopCondition::Tokens(n) => when(facts.tokens >= *n, format!("tokens {n}")),
        StopCondition::Cost(usd) => {
            let limit = usd.to_micro().ok()?;
            when(facts.cost >= limit, format!("cost {limit}"))
        }
        StopCondition::Elapsed(span) => {
            when(facts.elapsed_ms >= span.as_ms(), format!("elapsed {span}"))
        }
        StopCondition::Text(text) => when(
            facts.last_text.contains(text.as_str()),
            format!("text {text}"),
        ),
        StopCondition::ToolCalled(tool) => when(
            facts.last_tools.iter().any(|called| **called == **tool),
            format!("tool_called {tool}"),
        ),
        StopCondition::Source(agent) => when(facts.last_source == agent, format!("source {agent}")),
        StopCondition::NoProgress(wanted) => {
            when(facts.no_progress == *wanted, String::from("no_progress"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StopCondition::{All, Any, Not, Rounds, Text, Tokens};

    #[track_caller]
    fn check(condition: &StopCondition, expected: Option<&str>) {
        let facts = Facts {
            rounds: 3,
            tokens: 500,
            last_text: "we are AGREED",
            ..Facts::default()
        };
        assert_eq!(holds(condition, &facts).as_deref(), expected);
    }

    #[test]
    fn conditions_say_which_of_them_held() {
        check(&Rounds(3), Some("rounds 3"));
        check(&Rounds(4), None);
        check(
            &Any(vec![Rounds(9), Text("AGREED".into())]),
            Some("text AGREED"),
        );
        check(
            &All(vec![Rounds(2), Text("AGREED".into())]),
            Some("rounds 2 and text AGREED"),
        );
        check(&All(vec![Rounds(2), Tokens(501)]), None);
        check(&Not(Box::new(Tokens(501))), Some("not"));
    }

    #[test]
    fn an_empty_expression_never_holds() {
        check(&All(vec![]), None);
        check(&Any(vec![]), None);
    }
}
