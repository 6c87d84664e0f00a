//! Fields of replies, read so that one odd field never costs the rest of an answer: missing, null, of another type, or
//! with half a character in it. Shared by all dialects; what a field means belongs to them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;

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
struct Borrowed<'a>(Cow<'a, str>);

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
