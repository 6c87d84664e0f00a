//! The event nearly every chunk of an answer is: one choice with a piece of text, and nothing else that counts. Read in
//! one pass and without backtracking. Whatever differs in any way is not plain, and goes through the forgiving shapes
//! of `wire`, which read the plain one to the same effect.

use std::borrow::Cow;

use serde::Deserialize;

use super::wire::Borrowed;

#[derive(Deserialize)]
pub(super) struct Plain<'a> {
    #[serde(default)]
    id: Option<&'a str>,
    #[serde(default)]
    model: Option<&'a str>,
    #[serde(default)]
    object: Option<&'a str>,
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
    #[serde(default, rename = "usage")]
    _usage: Nothing,
    #[serde(default, rename = "x_groq")]
    _groq: Nothing,
    #[serde(default, rename = "error")]
    _error: Nothing,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: Option<i64>,
    #[serde(borrow)]
    delta: Said<'a>,
    #[serde(default, rename = "message")]
    _message: Nothing,
    #[serde(default, rename = "finish_reason")]
    _finish_reason: Nothing,
    #[serde(default, rename = "error")]
    _error: Nothing,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Option<Borrowed<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Borrowed<'a>>,
    #[serde(borrow, default)]
    reasoning: Option<Borrowed<'a>>,
    #[serde(default, rename = "reasoning_details")]
    _reasoning_details: Nothing,
    #[serde(default, rename = "refusal")]
    _refusal: Nothing,
    #[serde(default, rename = "tool_calls")]
    _tool_calls: Nothing,
    #[serde(default, rename = "function_call")]
    _function_call: Nothing,
}

/// A field that is missing or null; with anything in it, the event is not plain.
type Nothing = Option<Never>;

#[derive(Deserialize)]
enum Never {}

impl<'a> Plain<'a> {
    /// The event if it is plain.
    pub(super) fn read(data: &'a str) -> Option<Self> {
        let plain: Self = serde_json::from_str(data).ok()?;
        let ours = plain.choices[0].index.is_none_or(|index| index == 0);
        (ours && plain.object != Some("error")).then_some(plain)
    }

    pub(super) fn id(&self) -> Option<&'a str> {
        self.id.filter(|id| !id.is_empty())
    }

    pub(super) fn model(&self) -> Option<&'a str> {
        self.model.filter(|model| !model.is_empty())
    }

    pub(super) fn content(&self) -> &str {
        text(self.choices[0].delta.content.as_ref())
    }

    /// Under whichever name it came; where it came under both, it counts once.
    pub(super) fn reasoning(&self) -> &str {
        let said = &self.choices[0].delta;
        let first = text(said.reasoning_content.as_ref());
        if first.is_empty() {
            text(said.reasoning.as_ref())
        } else {
            first
        }
    }
}

fn text<'t>(said: Option<&'t Borrowed<'_>>) -> &'t str {
    said.map_or("", |Borrowed(text): &Borrowed<'_>| match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai_chat::wire::{self, Chunk};

    #[track_caller]
    fn check(event: &str, expected: Option<(&str, &str)>) {
        let plain = Plain::read(event);
        let said = plain.as_ref().map(|p| (p.reasoning(), p.content()));
        assert_eq!(said, expected, "{event}");
        let Some(plain) = plain else { return };
        // The forgiving reading finds the same.
        let chunk: Chunk<'_> = serde_json::from_str(event).unwrap();
        let choices = chunk.choices.unwrap();
        let said = choices[0].delta.0.as_ref().unwrap();
        let content = said.content.map(wire::content).unwrap_or_default();
        let thought = said.reasoning_content.as_str().or(said.reasoning.as_str());
        assert_eq!(plain.content(), content.text);
        assert_eq!(plain.reasoning(), thought.unwrap_or_default());
        assert_eq!(plain.id(), chunk.id.as_str());
        assert_eq!(plain.model(), chunk.model.as_str());
    }

    #[test]
    fn a_piece_of_text_is_plain_with_whatever_nobody_reads_around_it() {
        check(
            r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"Habari \n\"🌍\""},"logprobs":null,"finish_reason":null}],"usage":null}"#,
            Some(("", "Habari \n\"🌍\"")),
        );
        check(
            r#"{"choices":[{"delta":{"content":null,"reasoning_content":"","reasoning":"hm"}}]}"#,
            Some(("hm", "")),
        );
        check(
            r#"{"choices":[{"delta":{"reasoning_content":"a","reasoning":"a","content":"b","tool_calls":null}}]}"#,
            Some(("a", "b")),
        );
    }

    #[test]
    fn whatever_counts_beside_the_text_is_left_to_the_forgiving_reading() {
        for event in [
            "null",
            r#"{"choices":[]}"#,
            r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"index":"0","delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"a","refusal":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","tool_calls":[]}}]}"#,
            r#"{"choices":[{"delta":{"content":["a"]}}]}"#,
            r#"{"choices":[{"delta":{"content":"\ud83d"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"error":{"message":"x"}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"object":"error"}"#,
            r#"{"choices":[{"delta":{"content":"a"}}]}{"choices":[]}"#,
        ] {
            check(event, None);
        }
    }
}
