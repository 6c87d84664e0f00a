//! Redaction of exact values alone, for what is kept and worked with further: a model's answer may speak of the shape of
//! a key, and must not hold a key of ours. Half a secret at the end of a text is one too, because texts get cut.

use std::borrow::Cow;

use serde_json::Value;

use super::known::Known;
use super::{JSON_DEPTH_MAX, KNOWN_MIN_CHARS, REDACTED, Redactor};

impl Redactor {
    /// The text without the values this redactor knows; borrowed if there were none. Shapes are left alone.
    pub fn exact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.known();
        if known.is_empty() {
            return Cow::Borrowed(text);
        }
        let spans = known_spans(&known, text);
        let half = half_at_end(&known, text);
        if spans.is_empty() && half.is_none() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let end = half.unwrap_or(text.len());
        write_clean(text, &spans, end, &mut out);
        if half.is_some() {
            out.push_str(REDACTED);
        }
        Cow::Owned(out)
    }

    /// Whether a text holds a value this redactor knows.
    pub fn holds(&self, text: &str) -> bool {
        matches!(self.exact(text), Cow::Owned(_))
    }

    /// Whether any text in a JSON value, also the name of a field, holds a value this redactor knows.
    pub fn holds_json(&self, value: &Value) -> bool {
        fn below(redactor: &Redactor, value: &Value, depth: usize) -> bool {
            match value {
                // Deeper than anybody looks: taken for the worst.
                _ if depth > JSON_DEPTH_MAX => true,
                Value::String(text) => redactor.holds(text),
                Value::Array(items) => items.iter().any(|one| below(redactor, one, depth + 1)),
                Value::Object(fields) => fields
                    .iter()
                    .any(|(name, one)| redactor.holds(name) || below(redactor, one, depth + 1)),
                Value::Null | Value::Bool(_) | Value::Number(_) => false,
            }
        }
        !self.known().is_empty() && below(self, value, 0)
    }

    /// The same for a text that comes in pieces.
    pub fn exact_stream(&self) -> ExactStream {
        ExactStream {
            redactor: self.clone(),
            held: String::new(),
        }
    }
}

/// Takes the values a redactor knows out of a text that comes in pieces. Held back is only what may be the beginning of
/// one, so that people see an answer grow.
pub struct ExactStream {
    redactor: Redactor,
    held: String,
}

impl ExactStream {
    /// The next piece: what of it, and of what was held back before, may be passed on.
    pub fn push<'a>(&mut self, piece: &'a str) -> Cow<'a, str> {
        let known = self.redactor.known();
        if known.is_empty() && self.held.is_empty() {
            return Cow::Borrowed(piece);
        }
        if self.held.is_empty() && known.beginning_at_end(piece).is_none() {
            return match known_spans(&known, piece) {
                spans if spans.is_empty() => Cow::Borrowed(piece),
                spans => {
                    let mut out = String::with_capacity(piece.len());
                    write_clean(piece, &spans, piece.len(), &mut out);
                    Cow::Owned(out)
                }
            };
        }
        self.held.push_str(piece);
        let spans = known_spans(&known, &self.held);
        let mut cut = known
            .beginning_at_end(&self.held)
            .unwrap_or(self.held.len());
        // A value that may be the beginning of a longer one, or reaches into one, waits with it.
        for (start, end) in spans.iter().rev() {
            if *start < cut && cut < *end {
                cut = *start;
            }
        }
        let mut out = String::with_capacity(cut);
        write_clean(&self.held, &spans, cut, &mut out);
        self.held.drain(..cut);
        Cow::Owned(out)
    }

    /// The text has ended: what was held back, unless it is enough of a value to be one.
    pub fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.held);
        self.redactor.exact(&rest).into_owned()
    }
}

/// Where known values stand: in order, overlapping ones as one.
fn known_spans(known: &Known, text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    known.find(text.as_bytes(), &mut found);
    found.sort_unstable_by_key(|span| (span.start, span.end));
    let mut spans: Vec<(usize, usize)> = Vec::with_capacity(found.len());
    for span in found {
        match spans.last_mut().filter(|last| span.start < last.1) {
            Some(last) => last.1 = last.1.max(span.end),
            None => spans.push((span.start, span.end)),
        }
    }
    spans
}

/// Where the first half of a value begins that the text ends with, if it is long enough to be worth anything.
fn half_at_end(known: &Known, text: &str) -> Option<usize> {
    let start = known.beginning_at_end(text)?;
    (text.len() - start >= KNOWN_MIN_CHARS).then_some(start)
}

/// Writes the text up to `end` without what lies in `spans`.
fn write_clean(text: &str, spans: &[(usize, usize)], end: usize, out: &mut String) {
    let mut at = 0;
    for (from, to) in spans {
        if *from >= end {
            break;
        }
        // Values are whole texts, so they begin and end between characters.
        out.push_str(text.get(at..*from).unwrap_or_default());
        out.push_str(REDACTED);
        at = *to;
    }
    out.push_str(text.get(at..end).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const KEY: &str = "sk-canary-9f3b7c21d4e84a06b1c5";

    fn knowing(keys: &[&str]) -> Redactor {
        let redactor = Redactor::new();
        for key in keys {
            assert!(redactor.learn(&Secret::new((*key).to_owned())));
        }
        redactor
    }

    fn streamed(redactor: &Redactor, text: &str, chars: usize) -> String {
        let mut stream = redactor.exact_stream();
        let letters: Vec<char> = text.chars().collect();
        let mut out = String::new();
        for piece in letters.chunks(chars) {
            out.push_str(&stream.push(&piece.iter().collect::<String>()));
        }
        out.push_str(&stream.finish());
        out
    }

    #[test]
    fn whole_and_in_pieces_a_known_value_goes_and_the_rest_stays() {
        let redactor = knowing(&[
            KEY,
            "sk-canary-9f3b7c21d4e84a06b1c5-and-more",
            "schlüssel-übrig",
        ]);
        let cases = [
            ("nothing here: sk-cab", "nothing here: sk-cab"),
            (&format!("({KEY})"), "([redacted])"),
            (&format!("{KEY}{KEY}!"), "[redacted][redacted]!"),
            (&format!("a {KEY}-and-more b"), "a [redacted] b"),
            (&format!("a {KEY}-and-less b"), "a [redacted]-and-less b"),
            ("ein schlüssel-übrig, ja", "ein [redacted], ja"),
            // Half of it at the end, as where an answer was cut.
            (&format!("cut {}", &KEY[..20]), "cut [redacted]"),
            ("cut sk-", "cut sk-"),
            (
                "a key looks like sk-proj-0123456789abcdef0123456789abcdef.",
                "a key looks like sk-proj-0123456789abcdef0123456789abcdef.",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(redactor.exact(text), expected);
            for chars in [1, 2, 3, 7, 16, 1_000] {
                assert_eq!(
                    streamed(&redactor, text, chars),
                    expected,
                    "{chars}: {text}"
                );
            }
        }
    }

    #[test]
    fn what_cannot_become_a_value_is_not_held_back() {
        let mut stream = knowing(&[KEY]).exact_stream();
        assert_eq!(stream.push("Hello, wor"), "Hello, wor");
        assert_eq!(stream.push("ld: s"), "ld: ");
        assert_eq!(stream.push("k"), "");
        assert_eq!(stream.push("ip"), "skip");
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn one_that_knows_nothing_changes_nothing() {
        let redactor = Redactor::new();
        assert!(matches!(redactor.exact(KEY), Cow::Borrowed(_)));
        assert!(!redactor.holds_json(&serde_json::json!({ KEY: [KEY] })));
        assert!(knowing(&[KEY]).holds_json(&serde_json::json!({"a": [{ KEY: 1 }]})));
    }
}
