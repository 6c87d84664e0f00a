//! `person.ask`: an agent asks the person. The tool never runs: the policy makes its calls questions, the run waits, and
//! what the person writes is the result. Here stand its contract and how a question is made fit to be shown.

use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::tool::{ToolLimits, ToolSpec};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::text;
use crate::error::ToolError;
use crate::tool::{Tool, ToolCtx, ToolOutput};
use crate::visible::{PREVIEW_MAX_CHARS, visible};

/// The name that the policy knows.
pub const PERSON_ASK: &str = "person.ask";

/// Bytes of a question.
const QUESTION_MAX_BYTES: usize = 2 * 1024;
/// Suggested answers of a question.
const CHOICES_MAX: usize = 8;
/// Characters of a suggested answer.
const CHOICE_MAX_CHARS: usize = 80;
/// Characters of one line once what hides in it is written out: no less than the longest question needs.
const LINE_MAX_CHARS: usize = QUESTION_MAX_BYTES * 8;
const INPUT_MAX_BYTES: u64 = 16 * 1024;

#[derive(Debug)]
pub struct PersonAsk {
    spec: ToolSpec,
}

impl Default for PersonAsk {
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: PERSON_ASK.into(),
                version: "1".into(),
                description: "Asks the person in charge and waits for the answer. Only for what nobody else knows and \
                    the work cannot go on without."
                    .into(),
                input_schema: json!({
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["question"],
                    "properties": {
                        "question": {
                            "type": "string",
                            "maxLength": QUESTION_MAX_BYTES,
                            "description": "One question, complete in itself"
                        },
                        "choices": {
                            "type": "array",
                            "maxItems": CHOICES_MAX,
                            "items": {"type": "string", "maxLength": CHOICE_MAX_CHARS},
                            "description": "Short answers to choose from; left out if it is open"
                        }
                    }
                }),
                risk: RiskClass::ReadLocal,
                effect: EffectClass::Idempotent,
                limits: ToolLimits {
                    input_max_bytes: INPUT_MAX_BYTES,
                    ..ToolLimits::default()
                },
            },
        }
    }
}

impl Tool for PersonAsk {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn preview(&self, args: &Value) -> String {
        visible(
            &format!("Ask you: {}", text(args, "question")),
            PREVIEW_MAX_CHARS,
        )
    }

    fn call(&self, _ctx: ToolCtx, _args: Value) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        let why = "A question is answered by a person, in a run. Nothing was asked.";
        async move { Err(ToolError::Refused(why.into())) }.boxed()
    }
}

/// What a person is shown. Nothing in it hides, and no line of it looks like one of ours: each is the agent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// One or more lines, none of them empty.
    pub text: String,
    /// Different from each other, of one line each.
    pub choices: Vec<String>,
}

impl Question {
    /// Reads arguments that have passed the schema.
    ///
    /// # Errors
    /// A message the model can act on: the question is empty or too long.
    pub fn new(args: &Value) -> Result<Self, String> {
        let raw = text(args, "question");
        if raw.len() > QUESTION_MAX_BYTES {
            return Err(format!(
                "The question has {} bytes; at most {QUESTION_MAX_BYTES} are shown. Ask shorter.",
                raw.len()
            ));
        }
        let lines: Vec<String> = raw
            .lines()
            .map(|line| visible(line.trim(), LINE_MAX_CHARS))
            .filter(|line| !line.is_empty())
            .collect();
        if lines.is_empty() {
            return Err("The question is empty. Write what you want to know.".into());
        }
        let mut choices: Vec<String> = Vec::new();
        for choice in args["choices"].as_array().into_iter().flatten() {
            let shown = visible(choice.as_str().unwrap_or_default().trim(), LINE_MAX_CHARS);
            if !shown.is_empty() && !choices.contains(&shown) {
                choices.push(shown);
            }
        }
        Ok(Self {
            text: lines.join("\n"),
            choices,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &Value, text: &str, choices: &[&str]) {
        let question = Question::new(args).unwrap();
        assert_eq!(
            (question.text.as_str(), &*question.choices),
            (
                text,
                &*choices.iter().map(ToString::to_string).collect::<Vec<_>>()
            )
        );
    }

    #[test]
    fn a_question_is_shown_as_it_is_and_nothing_hides_in_it() {
        check(&json!({"question": "Which town?"}), "Which town?", &[]);
        check(
            &json!({"question": "  Where?\r\n\n In Mjini\tor far? \n", "choices": ["Mjini", " Mjini ", "", "Far"]}),
            "Where?\nIn Mjini or far?",
            &["Mjini", "Far"],
        );
        check(
            &json!({"question": "pay\u{200B}pal\u{202E}?\u{1B}[2J", "choices": ["a\nb", "c\u{2066}"]}),
            "pay<U+200B>pal<U+202E>?<U+001B>[2J",
            &["a⏎b", "c<U+2066>"],
        );
        let longest = "\u{7}".repeat(QUESTION_MAX_BYTES);
        let shown = Question::new(&json!({"question": longest})).unwrap().text;
        assert_eq!(
            shown,
            "<U+0007>".repeat(QUESTION_MAX_BYTES),
            "nothing is cut"
        );
    }

    #[test]
    fn an_empty_or_endless_question_is_told_to_the_model() {
        for (question, said) in [
            (String::new(), "empty"),
            (" \n ".into(), "empty"),
            (
                "é".repeat(QUESTION_MAX_BYTES / 2 + 1),
                "2050 bytes; at most 2048",
            ),
        ] {
            let message = Question::new(&json!({ "question": question })).unwrap_err();
            assert!(message.contains(said), "{message}");
        }
    }
}
