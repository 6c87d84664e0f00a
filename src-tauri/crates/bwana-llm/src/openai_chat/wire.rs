//! The shapes of chat completion replies, read so that one odd field never costs the rest of an answer.
//! Only what we use is named; everything else passes unseen.

use std::borrow::Cow;
use std::fmt;

use bwana_types::message::Usage;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;

/// A chunk of a stream, or a whole reply: the second has `message` where the first has `delta`.
#[derive(Deserialize)]
pub(crate) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) model: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    pub(crate) usage: Loose<WireUsage>,
    #[serde(default)]
    pub(crate) x_groq: Loose<XGroq>,
    #[serde(borrow, default)]
    pub(crate) error: Option<&'a RawValue>,
    /// `error` for servers that send their error unwrapped.
    #[serde(borrow, default)]
    pub(crate) object: Text<'a>,
}

#[derive(Deserialize)]
pub(crate) struct Choice<'a> {
    #[serde(default)]
    pub(crate) index: Loose<i64>,
    #[serde(borrow, default)]
    pub(crate) delta: Loose<Said<'a>>,
    #[serde(borrow, default)]
    pub(crate) message: Loose<Said<'a>>,
    #[serde(borrow, default)]
    pub(crate) finish_reason: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) error: Option<&'a RawValue>,
}

/// A `delta` or a `message`.
#[derive(Deserialize)]
pub(crate) struct Said<'a> {
    /// Text, or a list of typed pieces.
    #[serde(borrow, default)]
    pub(crate) content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) reasoning_content: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) reasoning: Text<'a>,
    #[serde(default)]
    pub(crate) reasoning_details: Loose<Vec<serde_json::Value>>,
    #[serde(borrow, default)]
    pub(crate) refusal: Text<'a>,
    /// A list, or one call where a server forgot the list.
    #[serde(borrow, default)]
    pub(crate) tool_calls: Option<&'a RawValue>,
    /// The form before `tool_calls`.
    #[serde(borrow, default)]
    pub(crate) function_call: Loose<WireFunction<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct WireCall<'a> {
    #[serde(default)]
    pub(crate) index: Loose<i64>,
    #[serde(borrow, default)]
    pub(crate) id: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) function: Loose<WireFunction<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct WireFunction<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Text<'a>,
    /// Text, or the object itself.
    #[serde(borrow, default)]
    pub(crate) arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(crate) struct XGroq {
    #[serde(default)]
    pub(crate) usage: Loose<WireUsage>,
}

#[derive(Deserialize, Default)]
pub(crate) struct WireUsage {
    #[serde(default)]
    prompt_tokens: Loose<f64>,
    #[serde(default)]
    completion_tokens: Loose<f64>,
    #[serde(default)]
    total_tokens: Loose<f64>,
    #[serde(default)]
    prompt_tokens_details: Loose<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Loose<CompletionDetails>,
    /// DeepSeek's name for what it read from its cache.
    #[serde(default)]
    prompt_cache_hit_tokens: Loose<f64>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Loose<f64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Loose<f64>,
}

impl WireUsage {
    /// The usage, or `None` for the all-zero one some servers put into every chunk: it tells nothing.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let count = |n: &Loose<f64>| n.0.map_or(0, tokens);
        let input_tokens = count(&self.prompt_tokens);
        let output_tokens = match self.completion_tokens.0 {
            Some(n) => tokens(n),
            None => count(&self.total_tokens).saturating_sub(input_tokens),
        };
        let details = self.prompt_tokens_details.0.as_ref();
        let cached_tokens = details
            .and_then(|d| d.cached_tokens.0)
            .or(self.prompt_cache_hit_tokens.0)
            .map_or(0, tokens);
        let details = self.completion_tokens_details.0.as_ref();
        let reasoning_tokens = details.and_then(|d| d.reasoning_tokens.0).map_or(0, tokens);
        (input_tokens > 0 || output_tokens > 0).then_some(Usage {
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            estimated: false,
        })
    }
}

/// More tokens in one call than any model has; a larger number is a server's mistake, not a bill.
const TOKENS_MAX: f64 = 1e12;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a range a u64 holds exactly"
)]
pub(crate) fn tokens(n: f64) -> u64 {
    n.clamp(0.0, TOKENS_MAX) as u64
}

/// A field that may be missing, null or of the wrong type: then it is `None`, and the rest of the answer still counts.
pub(crate) struct Loose<T>(pub(crate) Option<T>);

impl<T> Default for Loose<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

/// Text borrowed from the event where it holds no escapes; empty where something else than text stands.
#[derive(Default)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// The text if there is any.
    pub(crate) fn as_str(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&*self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        Ok(Self(text(raw).unwrap_or_default()))
    }
}

/// A JSON string's content, borrowed if it can be.
pub(super) struct Borrowed<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Borrowed<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Read).map(Self)
    }
}

/// `content` taken apart: what is said and what is thought.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Content<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) reasoning: Cow<'a, str>,
}

/// Reads `content`: text, a list of typed pieces (Mistral and others), or nothing.
pub(crate) fn content(raw: &RawValue) -> Content<'_> {
    if let Some(text) = text(raw) {
        return Content {
            text,
            reasoning: Cow::default(),
        };
    }
    let mut content = Content::default();
    let pieces: Vec<serde_json::Value> = serde_json::from_str(raw.get()).unwrap_or_default();
    for piece in &pieces {
        match piece.get("type").and_then(|t| t.as_str()) {
            Some("thinking" | "reasoning") => push_texts(piece, content.reasoning.to_mut()),
            Some("text" | "output_text") | None => push_texts(piece, content.text.to_mut()),
            Some(_) => {} // references, images: nothing a text answer can hold
        }
    }
    content
}

fn push_texts(piece: &serde_json::Value, out: &mut String) {
    match piece {
        serde_json::Value::String(text) => out.push_str(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| push_texts(item, out)),
        serde_json::Value::Object(map) => {
            if let Some(inner) = ["text", "thinking", "reasoning"]
                .iter()
                .find_map(|k| map.get(*k))
            {
                push_texts(inner, out);
            }
        }
        _ => {}
    }
}

/// The text of a JSON string; `None` if it is something else.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let raw = raw.get();
    if !raw.starts_with('"') {
        return None;
    }
    match serde_json::from_str::<Borrowed<'_>>(raw) {
        Ok(text) => Some(text.0),
        // A server that splits its text between bytes sends halves of an emoji; the rest of the text still counts.
        Err(_) => serde_json::from_str(&whole_escapes(raw))
            .ok()
            .map(Cow::Owned),
    }
}

/// A JSON string in which every `\u` escape that is only half a character became U+FFFD.
fn whole_escapes(raw: &str) -> String {
    let unit = |at: usize| {
        let digits = raw.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut out = String::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let (length, is_half) = match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => (12, false),
            Some(0xD800..=0xDFFF) => (6, true),
            Some(_) => (6, false),
            None if raw[at..].starts_with('\\') => (2, false),
            None => (raw[at..].chars().next().map_or(1, char::len_utf8), false),
        };
        let end = (at + length).min(raw.len());
        out.push_str(if is_half {
            "\\ufffd"
        } else {
            raw.get(at..end).unwrap_or_default()
        });
        at = end;
    }
    out
}

/// `arguments` as the text the model wrote: a string's content, an object as it stands, nothing for null.
pub(crate) fn arguments(raw: &RawValue) -> Cow<'_, str> {
    match text(raw) {
        Some(text) => text,
        None if raw.get() == "null" => Cow::Borrowed(""),
        None => Cow::Borrowed(raw.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        assert_eq!(text(raw).as_deref(), Some(expected));
    }

    #[test]
    fn half_characters_cost_only_themselves() {
        check(r#""a\ud83d b""#, "a\u{FFFD} b");
        check(r#""\udf0d\ud83d\ud83c\udf0d""#, "\u{FFFD}\u{FFFD}🌍");
        check(r#""\\ud83d \ud83d \n é""#, "\\ud83d \u{FFFD} \n é");
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let raw: &RawValue = serde_json::from_str(r#""Habari 🌍""#).unwrap();
        assert!(matches!(text(raw), Some(Cow::Borrowed("Habari 🌍"))));
    }
}
