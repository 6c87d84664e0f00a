//! What a scripted model says: rules over the prompt, so that an answer is a function of the request alone.
//! Knows neither the wire nor the provider trait; both sides turn their request into a [`Prompt`].

use std::borrow::Cow;
use std::collections::BTreeSet;

use bwana_types::hash::{Hash, canonical_json};
use bwana_types::message::{Role, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema;

/// A request as a script sees it.
#[derive(Debug, Clone)]
pub struct Prompt<'a> {
    pub model: Cow<'a, str>,
    pub lines: Vec<Line<'a>>,
    /// Names of the tools offered, as the model is told them.
    pub offered: Vec<Cow<'a, str>>,
    /// The form the answer must have.
    pub schema: Option<Cow<'a, Value>>,
    /// Of everything above: two requests with the same digest ask the same thing. Sampling seeds and output limits are no
    /// part of it, because a run that was interrupted may choose others for the same question.
    pub digest: Hash,
}

/// One message of a prompt.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    pub role: Role,
    pub text: Cow<'a, str>,
    /// Ids of tool calls made here.
    pub calls: Vec<Cow<'a, str>>,
    /// Ids of tool calls answered here.
    pub answers: Vec<Cow<'a, str>>,
}

impl<'a> Prompt<'a> {
    pub fn new(
        model: Cow<'a, str>,
        lines: Vec<Line<'a>>,
        offered: Vec<Cow<'a, str>>,
        schema: Option<Cow<'a, Value>>,
    ) -> Self {
        let mut parts: Vec<Vec<u8>> = vec![model.as_bytes().to_vec()];
        for line in &lines {
            parts.push(vec![line.role as u8]);
            parts.push(line.text.as_bytes().to_vec());
            parts.push(line.calls.join("\n").into_bytes());
            parts.push(line.answers.join("\n").into_bytes());
        }
        parts.push(offered.join("\n").into_bytes());
        parts.push(schema.as_deref().map_or_else(Vec::new, canonical_json));
        Self {
            model,
            lines,
            offered,
            schema,
            digest: Hash::of_parts(parts.iter().map(Vec::as_slice)),
        }
    }
}

impl Prompt<'_> {
    /// The first 12 hex digits of the digest: what `{digest}` in an answer becomes.
    pub fn mark(&self) -> String {
        self.digest.to_string()[..MARK_CHARS].to_owned()
    }

    /// A number that is a function of the request.
    pub fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.digest.0[..8]);
        u64::from_le_bytes(bytes)
    }

    /// The newest user message.
    pub fn last_user(&self) -> &str {
        let mut lines = self.lines.iter().rev();
        lines
            .find(|line| line.role == Role::User)
            .map_or("", |line| &line.text)
    }

    /// Tool results behind the newest user message.
    pub fn results(&self) -> usize {
        let lines = self.lines.iter().rev();
        lines
            .take_while(|line| line.role != Role::User)
            .map(|line| line.answers.len())
            .sum()
    }

    /// Whether a tool of this name is offered, and under which name the model knows it: dialects map dots.
    pub fn offers(&self, tool: &str) -> Option<&str> {
        let plain = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let wanted = plain(tool);
        self.offered
            .iter()
            .map(AsRef::as_ref)
            .find(|offered| plain(offered) == wanted)
    }

    /// Bytes of text in all messages.
    pub fn bytes(&self) -> u64 {
        self.lines.iter().map(|line| line.text.len() as u64).sum()
    }

    /// What a strict provider would refuse about the order of messages: a tool call without its result, a result
    /// without its call, an id used twice in one answer, no message at all.
    pub fn complaint(&self) -> Option<String> {
        if self.lines.is_empty() {
            return Some(String::from("there are no messages"));
        }
        let mut open: BTreeSet<&str> = BTreeSet::new();
        for (at, line) in self.lines.iter().enumerate() {
            if line.role == Role::Tool {
                for id in &line.answers {
                    if !open.remove(id.as_ref()) {
                        return Some(format!("message {at} answers '{id}', which nobody asked"));
                    }
                }
                continue;
            }
            if let Some(id) = open.first() {
                return Some(format!(
                    "tool call '{id}' has no result before message {at}"
                ));
            }
            for id in &line.calls {
                if id.is_empty() || !open.insert(id.as_ref()) {
                    return Some(format!("message {at} has an empty or repeated id '{id}'"));
                }
            }
        }
        open.first()
            .map(|id| format!("tool call '{id}' has no result"))
    }
}

/// Hex digits of a mark.
const MARK_CHARS: usize = 12;
const MARK_PREFIX: &str = "ref:";

/// The mark of the request an answer was made for, if the answer carries one (the default answer does).
pub fn mark_in(answer: &str) -> Option<&str> {
    let at = answer.find(MARK_PREFIX)? + MARK_PREFIX.len();
    let mark = answer.get(at..at + MARK_CHARS)?;
    mark.bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then_some(mark)
}

/// What a model says to one prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    pub text: String,
    pub calls: Vec<AnswerCall>,
    pub usage: Reported,
    /// The model ran into its output limit.
    pub cut: bool,
}

impl Answer {
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// The tokens this answer reports, or `None` if it reports none.
    pub fn tokens(&self, prompt: &Prompt<'_>) -> Option<Usage> {
        match self.usage {
            Reported::Counted => {
                let args: usize = self.calls.iter().map(|call| call.args.len()).sum();
                Some(Usage {
                    input_tokens: prompt.bytes() / BYTES_PER_TOKEN + 1,
                    output_tokens: (self.text.len() + args) as u64 / BYTES_PER_TOKEN + 1,
                    ..Usage::default()
                })
            }
            Reported::Exactly(usage) => Some(usage),
            Reported::Missing => None,
        }
    }
}

/// How a scripted model counts: one token for so many bytes.
const BYTES_PER_TOKEN: u64 = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerCall {
    pub id: String,
    pub tool: String,
    /// Raw text, as a model writes it.
    pub args: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reported {
    /// By the length of the texts.
    #[default]
    Counted,
    Exactly(Usage),
    Missing,
}

/// Anything that answers prompts: a [`Script`], or a function in a test.
pub trait Answers: Send + Sync {
    /// Must be a function of the prompt alone.
    fn answer(&self, prompt: &Prompt<'_>) -> Answer;
}

impl<F: Fn(&Prompt<'_>) -> Answer + Send + Sync> Answers for F {
    fn answer(&self, prompt: &Prompt<'_>) -> Answer {
        self(prompt)
    }
}

/// Rules in order; the first that holds answers. Without one: a value of the wanted form, else [`Say::default`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    #[serde(default)]
    pub rules: Vec<Rule>,
    #[serde(default)]
    pub otherwise: Say,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    #[serde(default)]
    pub when: When,
    pub say: Say,
}

/// What must hold; what is absent always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    pub model: Option<String>,
    /// Text in any message.
    pub contains: Option<String>,
    /// Text in a system message.
    pub system: Option<String>,
    /// Text in the newest user message.
    pub last: Option<String>,
    /// A tool that is offered.
    pub offered: Option<String>,
    /// Exactly so many tool results behind the newest user message.
    pub results: Option<usize>,
    /// Whether the answer must have a form.
    pub schema: Option<bool>,
}

/// An answer with places to fill in: `{digest}` in a text or in arguments becomes the request's mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Say {
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub calls: Vec<SayCall>,
    /// The text is repeated up to this length in bytes.
    #[serde(default)]
    pub min_bytes: usize,
}

impl Default for Say {
    fn default() -> Self {
        Self {
            text: format!("{MARK_PREFIX}{{digest}} done as asked."),
            calls: Vec::new(),
            min_bytes: 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SayCall {
    pub tool: String,
    #[serde(default)]
    pub args: Value,
}

impl Script {
    /// A rule in front of those added later.
    #[must_use]
    pub fn rule(mut self, when: When, say: Say) -> Self {
        self.rules.push(Rule { when, say });
        self
    }

    /// An agent that is offered `tool` calls it once per turn with `args`, then speaks.
    #[must_use]
    pub fn calls_once(self, tool: &str, args: Value) -> Self {
        let when = When {
            offered: Some(tool.to_owned()),
            results: Some(0),
            schema: Some(false),
            ..When::default()
        };
        self.rule(when, Say::call(tool, args))
    }
}

impl Say {
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            calls: Vec::new(),
            min_bytes: 0,
        }
    }

    pub fn call(tool: &str, args: Value) -> Self {
        Self {
            text: String::new(),
            calls: vec![SayCall {
                tool: tool.to_owned(),
                args,
            }],
            min_bytes: 0,
        }
    }

    fn fill(&self, prompt: &Prompt<'_>) -> Answer {
        let mark = prompt.mark();
        let mut text = self.text.replace("{digest}", &mark);
        if !text.is_empty() && text.len() < self.min_bytes {
            text = text.repeat(self.min_bytes.div_ceil(text.len()));
        }
        let calls = self.calls.iter().enumerate().map(|(at, call)| AnswerCall {
            id: format!("call_{mark}_{at}"),
            tool: prompt.offers(&call.tool).unwrap_or(&call.tool).to_owned(),
            args: call.args.to_string().replace("{digest}", &mark),
        });
        Answer {
            calls: calls.collect(),
            ..Answer::text(text)
        }
    }
}

impl When {
    pub fn holds(&self, prompt: &Prompt<'_>) -> bool {
        let has = |wanted: &Option<String>, found: &dyn Fn(&str) -> bool| {
            wanted.as_deref().is_none_or(found)
        };
        has(&self.model, &|model| prompt.model == model)
            && has(&self.contains, &|text| {
                prompt.lines.iter().any(|line| line.text.contains(text))
            })
            && has(&self.system, &|text| {
                let mut lines = prompt.lines.iter();
                lines.any(|line| line.role == Role::System && line.text.contains(text))
            })
            && has(&self.last, &|text| prompt.last_user().contains(text))
            && has(&self.offered, &|tool| prompt.offers(tool).is_some())
            && self.results.is_none_or(|n| prompt.results() == n)
            && self
                .schema
                .is_none_or(|wanted| prompt.schema.is_some() == wanted)
    }
}

impl Answers for Script {
    fn answer(&self, prompt: &Prompt<'_>) -> Answer {
        if let Some(rule) = self.rules.iter().find(|rule| rule.when.holds(prompt)) {
            return rule.say.fill(prompt);
        }
        match &prompt.schema {
            Some(form) => Answer::text(schema::instance(form, prompt.number()).to_string()),
            None => self.otherwise.fill(prompt),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(role: Role, text: &'static str) -> Line<'static> {
        Line {
            role,
            text: text.into(),
            calls: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn prompt(lines: Vec<Line<'static>>) -> Prompt<'static> {
        Prompt::new("m".into(), lines, vec!["webhook_send".into()], None)
    }

    fn called(ids: &[&'static str]) -> Line<'static> {
        Line {
            calls: ids.iter().map(|id| (*id).into()).collect(),
            ..line(Role::Assistant, "")
        }
    }

    fn answered(id: &'static str) -> Line<'static> {
        Line {
            answers: vec![id.into()],
            ..line(Role::Tool, "ok")
        }
    }

    #[test]
    fn the_default_answer_carries_the_mark_of_its_request() {
        let prompt = prompt(vec![line(Role::User, "hi")]);
        let answer = Script::default().answer(&prompt);
        assert_eq!(mark_in(&answer.text), Some(prompt.mark().as_str()));
        assert_eq!(mark_in("ref:xyz"), None);
    }

    #[test]
    fn a_tool_is_called_once_and_its_name_is_the_one_offered() {
        let script = Script::default().calls_once("webhook.send", json!({"body": "{digest}"}));
        let first = prompt(vec![line(Role::User, "hi")]);
        let answer = script.answer(&first);
        assert_eq!(answer.calls[0].tool, "webhook_send");
        assert_eq!(
            answer.calls[0].args,
            format!(r#"{{"body":"{}"}}"#, first.mark())
        );
        let then = prompt(vec![line(Role::User, "hi"), called(&["c"]), answered("c")]);
        assert!(script.answer(&then).calls.is_empty());
    }

    #[track_caller]
    fn check_complaint(lines: Vec<Line<'static>>, expected: Option<&str>) {
        assert_eq!(prompt(lines).complaint().as_deref(), expected);
    }

    #[test]
    fn a_strict_provider_refuses_calls_and_results_that_do_not_pair() {
        let user = || line(Role::User, "x");
        check_complaint(vec![], Some("there are no messages"));
        check_complaint(
            vec![
                user(),
                called(&["a", "b"]),
                answered("b"),
                answered("a"),
                user(),
            ],
            None,
        );
        check_complaint(
            vec![user(), called(&["a"])],
            Some("tool call 'a' has no result"),
        );
        check_complaint(
            vec![user(), called(&["a"]), user()],
            Some("tool call 'a' has no result before message 2"),
        );
        check_complaint(
            vec![user(), answered("a")],
            Some("message 1 answers 'a', which nobody asked"),
        );
        check_complaint(
            vec![user(), called(&["a", "a"])],
            Some("message 1 has an empty or repeated id 'a'"),
        );
    }
}
