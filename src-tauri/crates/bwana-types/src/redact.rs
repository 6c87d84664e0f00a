//! Takes secrets out of text before it leaves: logs, errors, the journal, exports.
//!
//! Two things are looked for: the exact values this program has touched, in the forms they travel in ([`known`]), and
//! what has the shape of a key, whoever it belongs to ([`shape`]). Both in one pass and in time linear in the text;
//! nothing here backtracks. What is found is replaced, and what is left is not found again.
//!
//! This is the last net and not the first: nothing is allowed into a log because this would catch it.

mod exact;
mod known;
mod name;
mod scan;
mod shape;
mod writer;

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::secret::{HINT_DOTS, Secret};
pub use exact::ExactStream;
use known::Known;
use scan::Class;
use shape::Begin;
pub use writer::RedactWriter;

/// What stands where a secret was that shows nothing of itself.
pub const REDACTED: &str = "[redacted]";
/// Values shorter than this are not searched for: they are words, and replacing words garbles messages.
pub const KNOWN_MIN_CHARS: usize = 8;
/// Secrets one process keeps an eye on; far more than anybody has.
pub const KNOWN_MAX: usize = 1_024;
/// From this length on, what has the shape of a key may show its last four characters.
const SHOW_END_MIN_BYTES: usize = 20;
const SHOWN_END_BYTES: usize = 4;
/// How deep JSON is looked at; below, everything is taken out.
const JSON_DEPTH_MAX: usize = 128;

/// Knows what must not be seen. A clone is the same redactor: what one learns, all know.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<RwLock<Arc<Known>>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}

impl Redactor {
    /// One that knows no values yet, only shapes.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the value is taken out wherever it occurs, also in its base64, percent-encoded and JSON-escaped
    /// forms. It stays known until the process ends: a secret that was replaced may still be in what is logged later.
    ///
    /// `false`: it is too short to be searched for or too long to be a secret, or [`KNOWN_MAX`] are known already.
    pub fn learn(&self, secret: &Secret) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match known.with(secret) {
            known::Learnt::Already => true,
            known::Learnt::New(new) => {
                *known = Arc::new(new);
                true
            }
            known::Learnt::No => false,
        }
    }

    /// The text without secrets; borrowed if there were none.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // Spans lie between characters or the text is cut inside one, which is then shown as such.
            Cow::Owned(bytes) => Cow::Owned(
                String::from_utf8(bytes)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
        }
    }

    /// The same for bytes of which not all need be text.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let found = find(&self.known(), bytes, Before::default());
        if found.spans.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for span in &found.spans {
            out.extend_from_slice(&bytes[at..span.start]);
            span.write_mark(bytes, &mut out);
            at = span.end;
        }
        out.extend_from_slice(&bytes[at..]);
        Cow::Owned(out)
    }

    /// Takes secrets out of every text in a JSON value. A value whose field is called like a secret counts as one.
    pub fn json(&self, value: &mut Value) {
        self.json_below(value, 0);
    }

    fn json_below(&self, value: &mut Value, depth: usize) {
        if depth > JSON_DEPTH_MAX {
            *value = Value::from(REDACTED);
            return;
        }
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.text(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.json_below(item, depth + 1);
                }
            }
            Value::Object(fields) => {
                let names: Vec<String> = fields.keys().cloned().collect();
                for name in names {
                    self.json_field(fields, &name, depth);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn json_field(&self, fields: &mut serde_json::Map<String, Value>, name: &str, depth: usize) {
        if let Some(value) = fields.get_mut(name) {
            match value {
                Value::String(text) if name::field_is_secret(name, text) => {
                    *text = String::from(REDACTED);
                }
                Value::Number(number) if name::field_is_secret(name, &number.to_string()) => {
                    *value = Value::from(REDACTED);
                }
                other => self.json_below(other, depth + 1),
            }
        }
        if let Cow::Owned(clean) = self.text(name)
            && let Some(value) = fields.remove(name)
        {
            fields.insert(clean, value);
        }
    }

    /// A writer that takes secrets out of what passes through it, also when a secret comes in pieces.
    pub fn writer<W: Write>(&self, inner: W) -> RedactWriter<W> {
        RedactWriter::new(self.clone(), inner)
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a text holds something that has the shape of a key, for places where none belongs.
pub fn looks_like_key(text: &str) -> bool {
    !find(&Known::default(), text.as_bytes(), Before::default())
        .spans
        .is_empty()
}

/// A piece of a text that must not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    /// Whether its last characters may be shown.
    shows_end: bool,
    /// It goes on for as long as there are bytes of this class.
    class: Option<Class>,
}

impl Span {
    fn hidden(start: usize, end: usize) -> Self {
        Self {
            start,
            end,
            shows_end: false,
            class: None,
        }
    }

    /// A run of bytes of a class from `start` on.
    fn run(start: usize, end: usize, class: Class) -> Self {
        Self {
            start,
            end,
            shows_end: true,
            class: Some(class),
        }
    }

    fn write_mark(&self, text: &[u8], out: &mut Vec<u8>) {
        let secret = &text[self.start..self.end];
        let end = &secret[secret.len().saturating_sub(SHOWN_END_BYTES)..];
        // In the middle of a word the end and what follows could make up a secret again.
        let follows = text.get(self.end).is_some_and(u8::is_ascii_alphanumeric);
        let is_plain = end.iter().all(u8::is_ascii_alphanumeric);
        if self.shows_end && secret.len() >= SHOW_END_MIN_BYTES && is_plain && !follows {
            out.extend_from_slice(HINT_DOTS.as_bytes());
            out.extend_from_slice(end);
        } else {
            out.extend_from_slice(REDACTED.as_bytes());
        }
    }
}

/// What one look at a text gave.
struct Looked {
    /// In order, apart from each other.
    spans: Vec<Span>,
    /// From here on more text could make a secret of what is none yet.
    undecided: Option<usize>,
}

/// What stands before a text that is looked at in pieces.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    /// Shapes that begin before here were decided when more was known.
    from: usize,
    /// Up to here a secret was taken out.
    secret: Option<usize>,
}

fn find(known: &Known, text: &[u8], before: Before) -> Looked {
    let mut spans = Vec::new();
    known.find(text, &mut spans);
    let ends = spans.iter().map(|span| span.end).chain(before.secret);
    let mut ends: Vec<usize> = ends.collect();
    ends.sort_unstable();
    let begin = Begin {
        from: before.from,
        ends: &ends,
    };
    let undecided = shape::find(text, begin, &mut spans);
    Looked {
        spans: merged(spans),
        undecided,
    }
}

/// Overlapping spans become one, which shows its end only if the parts agree about it.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut().filter(|last| span.start < last.end) {
            Some(last) => {
                last.shows_end &= span.shows_end && span.end == last.end;
                if span.end > last.end {
                    last.class = span.class;
                    last.end = span.end;
                } else if span.end == last.end {
                    last.class = last.class.or(span.class);
                }
            }
            None => out.push(span),
        }
    }
    out
}
