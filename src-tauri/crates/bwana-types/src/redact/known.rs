//! Exact values, in the forms in which they travel.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

use super::{KNOWN_MAX, KNOWN_MIN_CHARS, Span};
use crate::secret::{SECRET_MAX_BYTES, Secret};

/// Lines of a value that has several are searched for alone too, from this length on: programs print line by line.
const LINE_MIN_BYTES: usize = 16;
/// Pieces of base64 shorter than this are no sign of anything.
const BASE64_MIN_BYTES: usize = 10;
/// Bytes that one unit of base64 stands for, and the characters of it.
const BASE64_UNIT: (usize, usize) = (3, 4);

/// The values and the automaton that finds them.
#[derive(Default)]
pub(super) struct Known {
    values: Vec<Secret>,
    forms: Vec<Form>,
    /// `None`: there is nothing to find.
    finder: Option<AhoCorasick>,
    /// Of the longest form, in bytes.
    pub(super) longest: usize,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    /// Not overwritten when it goes: the automaton has copies that cannot be.
    bytes: Vec<u8>,
    /// The value as it is; encoded ones show nothing.
    is_plain: bool,
}

pub(super) enum Learnt {
    New(Known),
    Already,
    No,
}

impl Known {
    /// These and one more.
    pub(super) fn with(&self, secret: &Secret) -> Learnt {
        let value = secret.expose().trim();
        let is_short = value.chars().nth(KNOWN_MIN_CHARS - 1).is_none();
        if is_short || value.len() > SECRET_MAX_BYTES {
            return Learnt::No;
        }
        let value = Secret::new(value.to_owned());
        if self.values.contains(&value) {
            return Learnt::Already;
        }
        if self.values.len() >= KNOWN_MAX {
            return Learnt::No;
        }
        let mut forms: BTreeSet<Form> = self.forms.iter().cloned().collect();
        add_forms(value.expose(), &mut forms);
        let forms: Vec<Form> = forms.into_iter().collect();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            // The faster kind takes time in the square of a long value to make.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(forms.iter().map(|form| form.bytes.as_slice()));
        let Ok(finder) = finder else {
            // Only if all of them together were larger than an automaton can be.
            return Learnt::No;
        };
        let mut values = self.values.clone();
        values.push(value);
        Learnt::New(Self {
            longest: forms.iter().map(|f| f.bytes.len()).max().unwrap_or(0),
            values,
            forms,
            finder: Some(finder),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Where the longest piece at the end of `text` begins that is the beginning of a form, and not all of it.
    pub(super) fn beginning_at_end(&self, text: &str) -> Option<usize> {
        let from = (text.len() + 1).saturating_sub(self.longest);
        let from = (from..=text.len()).find(|at| text.is_char_boundary(*at))?;
        let tail = text.get(from..)?;
        tail.char_indices()
            .map(|(at, _)| from + at)
            .find(|at| self.is_beginning(&text.as_bytes()[*at..]))
    }

    /// Forms are in order, so the one that would begin like this stands where this would.
    fn is_beginning(&self, piece: &[u8]) -> bool {
        let next = self
            .forms
            .partition_point(|form| form.bytes.as_slice() <= piece);
        self.forms
            .get(next)
            .is_some_and(|form| form.bytes.starts_with(piece))
    }

    /// Adds where values stand. Overlapping ones are all found: half of a secret is one too.
    pub(super) fn find(&self, text: &[u8], spans: &mut Vec<Span>) {
        let Some(finder) = &self.finder else { return };
        for found in finder.find_overlapping_iter(text) {
            let mut span = Span::hidden(found.start(), found.end());
            span.shows_end = self.forms[found.pattern().as_usize()].is_plain;
            spans.push(span);
        }
    }

    /// Whether `text`, which ends with a line end, may be the beginning of a value that has several lines.
    pub(super) fn goes_on_after(&self, text: &[u8]) -> bool {
        self.forms
            .iter()
            .filter(|form| form.bytes.contains(&b'\n'))
            .any(|form| {
                let ends = form.bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
                ends.map(|(at, _)| &form.bytes[..=at])
                    .any(|beginning| text.ends_with(beginning))
            })
    }
}

fn add_forms(value: &str, forms: &mut BTreeSet<Form>) {
    let mut add = |bytes: Vec<u8>, is_plain: bool| {
        forms.insert(Form { bytes, is_plain });
    };
    let lines = value.lines().map(str::trim);
    let lines = lines.filter(|line| line.len() >= LINE_MIN_BYTES && line.len() < value.len());
    for text in std::iter::once(value).chain(lines) {
        add(text.as_bytes().to_vec(), true);
        let encoded = escaped_forms(text).into_iter().chain(base64_forms(text));
        // A form that is the value itself shows what the value shows.
        for form in encoded.filter(|form| form != text) {
            add(form.into_bytes(), false);
        }
    }
}

/// How a value looks in JSON, in JSON inside JSON, in `Debug`, and in a URL.
fn escaped_forms(text: &str) -> Vec<String> {
    let json = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let once = json(text);
    let upper = percent(text, "0123456789ABCDEF");
    vec![
        json(&once),
        once.replace('/', "\\/"),
        ascii_json(&once),
        once,
        text.escape_debug().to_string(),
        percent(text, "0123456789abcdef"),
        upper.replace("%20", "+"),
        upper,
    ]
}

/// JSON of writers that keep to ASCII.
fn ascii_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// RFC 3986: everything but unreserved characters.
fn percent(text: &str, digits: &str) -> String {
    let digit = |nibble: u8| char::from(digits.as_bytes()[usize::from(nibble)]);
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

/// The characters of base64 that only the value decides, for each place it may have in what was encoded
/// (`Basic` holds it after a name and a colon).
fn base64_forms(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let (unit, chars) = BASE64_UNIT;
    for before in 0..unit {
        let mut bytes = Zeroizing::new(vec![0; before]);
        bytes.extend_from_slice(text.as_bytes());
        // Characters that also hold bits of what stands before or after.
        let skip = (before * chars).div_ceil(unit);
        let keep = bytes.len() * 8 / 6;
        for engine in [STANDARD, URL_SAFE] {
            let encoded = Zeroizing::new(engine.encode(&*bytes));
            if let Some(piece) = encoded.get(skip..keep)
                && piece.len() >= BASE64_MIN_BYTES
            {
                out.push(piece.to_owned());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_wherever_the_value_stood_in_it() {
        let value = "s3cr3t-v4lue/+?";
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "x", "xy", "xyz"] {
                for engine in [STANDARD, URL_SAFE] {
                    let whole = engine.encode(format!("{before}{value}{after}"));
                    let found = base64_forms(value).iter().any(|form| whole.contains(form));
                    assert!(found, "{before}|{after}: {whole}");
                }
            }
        }
    }

    #[test]
    fn escapes_are_those_of_the_writers() {
        let forms = escaped_forms("a\"b/ü c");
        for expected in [
            "a\\\"b/ü c",
            "a\\\"b\\/ü c",
            "a\\\"b/\\u00fc c",
            "a\\\\\\\"b/ü c",
            "a%22b%2F%C3%BC%20c",
            "a%22b%2f%c3%bc%20c",
            "a%22b%2F%C3%BC+c",
        ] {
            assert!(forms.iter().any(|f| f == expected), "{expected} {forms:?}");
        }
    }
}
