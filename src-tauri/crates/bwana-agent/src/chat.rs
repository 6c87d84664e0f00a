//! Who speaks next in a group chat: one candidate needs no model; a model only picks among those allowed; when it gives
//! no usable name, the next eligible agent in declared order speaks, and the journal says so.

use std::sync::Arc;

use bwana_types::definition::ChatDef;
use bwana_types::entry::{ChosenBy, Seq};
use bwana_types::workflow::Select;
use serde_json::{Value, json};

/// How often a model is asked for one choice.
pub const SELECT_ATTEMPTS_MAX: u32 = 3;

/// A choice on its way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selecting {
    /// Model calls finished for this choice.
    pub attempts: u32,
    /// An open model call.
    pub calling: Option<Seq>,
    /// What was wrong with the answers so far.
    pub feedback: Vec<Arc<str>>,
    pub chosen: Option<Arc<str>>,
}

#[derive(Debug, PartialEq)]
pub enum NextSpeaker {
    Agent(Arc<str>, ChosenBy),
    AskModel,
    Wait,
    /// No agent may speak: a chat of one that may not repeat itself.
    Nobody,
}

/// The next speaker, given who spoke last and how many turns there were.
pub fn next_speaker(
    chat: &ChatDef,
    last: Option<&str>,
    turns: usize,
    selecting: &Selecting,
) -> NextSpeaker {
    let candidates = candidates(chat, last);
    let Some(first) = candidates.first() else {
        return NextSpeaker::Nobody;
    };
    match chat.select {
        Select::RoundRobin => {
            let agent = &chat.agents[turns % chat.agents.len()];
            NextSpeaker::Agent(agent.as_str().into(), ChosenBy::RoundRobin)
        }
        Select::Selector if candidates.len() == 1 => {
            NextSpeaker::Agent((*first).into(), ChosenBy::OnlyCandidate)
        }
        Select::Selector => match &selecting.chosen {
            Some(agent) => NextSpeaker::Agent(Arc::clone(agent), ChosenBy::Model),
            None if selecting.calling.is_some() => NextSpeaker::Wait,
            None if selecting.attempts < SELECT_ATTEMPTS_MAX => NextSpeaker::AskModel,
            None => NextSpeaker::Agent(
                fallback(chat, last, &candidates),
                ChosenBy::SelectorFallback,
            ),
        },
    }
}

/// Agents that may speak next, in declared order.
pub fn candidates<'a>(chat: &'a ChatDef, last: Option<&str>) -> Vec<&'a str> {
    let all = chat.agents.iter().map(String::as_str);
    match chat.select {
        Select::RoundRobin => all.collect(),
        Select::Selector => all
            .filter(|agent| chat.allow_repeat || Some(*agent) != last)
            .collect(),
    }
}

/// The first eligible agent behind the last speaker in declared order, going round.
fn fallback(chat: &ChatDef, last: Option<&str>, candidates: &[&str]) -> Arc<str> {
    let after = last
        .and_then(|last| chat.agents.iter().position(|agent| agent == last))
        .map_or(0, |at| at + 1);
    let in_order = chat
        .agents
        .iter()
        .cycle()
        .skip(after)
        .take(chat.agents.len());
    in_order
        .map(String::as_str)
        .find(|agent| candidates.contains(agent))
        .unwrap_or(candidates[0])
        .into()
}

/// The form a model answers a choice in.
pub fn choice_schema(candidates: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": {"next": {"type": "string", "enum": candidates}},
        "required": ["next"],
        "additionalProperties": false
    })
}

/// The agent a model's answer names.
///
/// # Errors
/// What is wrong with the answer, in words for the model.
pub fn read_choice(answer: &str, candidates: &[&str]) -> Result<Arc<str>, String> {
    let wanted = || {
        format!(
            "Answer with JSON like {{\"next\":\"{}\"}}, nothing else.",
            candidates.join("\" or \"")
        )
    };
    let object = answer
        .trim()
        .trim_start_matches("```json")
        .trim_matches('`')
        .trim();
    let value: Value =
        serde_json::from_str(object).map_err(|_| format!("That is no JSON. {}", wanted()))?;
    let name = value["next"]
        .as_str()
        .ok_or_else(|| format!("The field \"next\" is missing. {}", wanted()))?;
    if candidates.contains(&name) {
        Ok(name.into())
    } else {
        let name: String = name.chars().take(60).collect();
        Err(format!("'{name}' may not speak next. {}", wanted()))
    }
}

#[cfg(test)]
mod tests {
    use bwana_types::workflow::Summary;

    use super::*;

    fn chat(select: Select, agents: &[&str]) -> ChatDef {
        ChatDef {
            agents: agents.iter().map(|agent| (*agent).to_owned()).collect(),
            select,
            allow_repeat: false,
            max_round: 10,
            stop: None,
            summary: Summary::LastMessage,
        }
    }

    #[track_caller]
    fn check(
        chat: &ChatDef,
        last: Option<&str>,
        turns: usize,
        selecting: &Selecting,
        expected: &str,
    ) {
        let found = match next_speaker(chat, last, turns, selecting) {
            NextSpeaker::Agent(agent, by) => format!("{agent} {by:?}"),
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn round_robin_goes_in_declared_order() {
        let chat = chat(Select::RoundRobin, &["a", "b"]);
        check(&chat, None, 0, &Selecting::default(), "a RoundRobin");
        check(&chat, Some("a"), 1, &Selecting::default(), "b RoundRobin");
        check(&chat, Some("b"), 2, &Selecting::default(), "a RoundRobin");
    }

    #[test]
    fn one_candidate_needs_no_model() {
        check(
            &chat(Select::Selector, &["a", "b"]),
            Some("a"),
            1,
            &Selecting::default(),
            "b OnlyCandidate",
        );
    }

    #[test]
    fn a_model_is_asked_at_most_three_times_and_never_gives_the_floor_to_the_last_speaker() {
        let chat = chat(Select::Selector, &["a", "b", "c"]);
        check(&chat, Some("b"), 1, &Selecting::default(), "AskModel");
        let spent = Selecting {
            attempts: SELECT_ATTEMPTS_MAX,
            ..Selecting::default()
        };
        check(&chat, Some("b"), 1, &spent, "c SelectorFallback");
        check(&chat, Some("c"), 1, &spent, "a SelectorFallback");
        let open = Selecting {
            calling: Some(8),
            ..Selecting::default()
        };
        check(&chat, Some("b"), 1, &open, "Wait");
    }

    #[test]
    fn a_chat_of_one_that_may_not_repeat_itself_ends() {
        check(
            &chat(Select::Selector, &["a"]),
            Some("a"),
            1,
            &Selecting::default(),
            "Nobody",
        );
    }

    #[test]
    fn a_choice_is_read_from_json_and_nothing_else() {
        let candidates = ["a", "b"];
        assert_eq!(&*read_choice("{\"next\":\"b\"}", &candidates).unwrap(), "b");
        assert_eq!(
            &*read_choice("```json\n{\"next\": \"a\"}\n```", &candidates).unwrap(),
            "a"
        );
        for wrong in ["b", "{}", "{\"next\":\"c\"}", "{\"next\":1}", ""] {
            assert!(read_choice(wrong, &candidates).is_err(), "{wrong}");
        }
    }
}
