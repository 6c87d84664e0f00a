//! A Rust file with its comments and strings painted over, so that a rule looks at code and not at prose. A scanner of
//! the token shapes that matter here, no parser.

use std::ops::Range;

/// One file in three versions of equal length: offsets and lines are the same in all.
pub(super) struct Source<'a> {
    pub file: &'a str,
    pub text: &'a str,
    /// Comments are spaces.
    pub uncommented: String,
    /// Comments and the insides of strings and characters are spaces.
    pub bare: String,
    /// Byte ranges of `#[cfg(test)]` modules.
    tests: Vec<Range<usize>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        let (uncommented, bare) = paint(text);
        let tests = test_modules(&bare);
        Self {
            file,
            text,
            uncommented,
            bare,
            tests,
        }
    }

    /// From 1.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.text[..at].matches('\n').count()
    }

    /// Whether this place is test code: a test file, or a test module of any file.
    pub(super) fn is_test(&self, at: usize) -> bool {
        is_test_file(self.file) || self.tests.iter().any(|range| range.contains(&at))
    }

    /// The same for a line, from 1.
    pub(super) fn is_test_line(&self, line: usize) -> bool {
        let before = self.text.split_inclusive('\n').take(line - 1);
        self.is_test(before.map(str::len).sum())
    }
}

pub(super) fn is_test_file(file: &str) -> bool {
    file.split('/')
        .any(|part| matches!(part, "tests" | "benches" | "tests.rs"))
}

/// The index of the brace that closes the one at `open`.
pub(super) fn closing(bare: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in bare.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn test_modules(bare: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in bare.match_indices("#[cfg(test)]") {
        let Some(open) = bare[at..].find('{').map(|open| at + open) else {
            continue;
        };
        // `mod tests;` has its own file.
        if bare[at..open].contains(';') {
            continue;
        }
        found.push(at..closing(bare, open).unwrap_or(bare.len()));
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ink {
    Code,
    Comment,
    Quoted,
}

fn paint(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let mut ink = vec![Ink::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let (end, kind) = token(bytes, at);
        if kind != Ink::Code {
            ink[at..end].fill(kind);
        }
        at = end;
    }
    let version = |hidden: &[Ink]| {
        let shown = |(byte, ink): (&u8, &Ink)| match byte {
            b'\n' => b'\n',
            byte if !hidden.contains(ink) => *byte,
            _ => b' ',
        };
        let bytes: Vec<u8> = bytes.iter().zip(&ink).map(shown).collect();
        // Whole tokens are painted, so no character is cut.
        String::from_utf8_lossy(&bytes).into_owned()
    };
    (
        version(&[Ink::Comment]),
        version(&[Ink::Comment, Ink::Quoted]),
    )
}

/// The end of the token that starts here, and what it is.
fn token(bytes: &[u8], at: usize) -> (usize, Ink) {
    let rest = &bytes[at..];
    let word_before = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => (at + line_end(rest), Ink::Comment),
        [b'/', b'*', ..] => (at + block_comment_end(rest), Ink::Comment),
        [b'"', ..] => (at + string_end(rest, 1), Ink::Quoted),
        [b'r', b'"' | b'#', ..] if !word_before => raw_string(bytes, at, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !word_before => raw_string(bytes, at, 2),
        [b'\'', ..] => match char_end(rest) {
            Some(end) => (at + end, Ink::Quoted),
            None => (at + 1, Ink::Code),
        },
        _ => (at + 1, Ink::Code),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn line_end(rest: &[u8]) -> usize {
    rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
}

/// Block comments nest.
fn block_comment_end(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at.min(rest.len())
}

fn string_end(rest: &[u8], mut at: usize) -> usize {
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw string whose `#` signs begin `prefix` bytes further on; `r#name` is an identifier.
fn raw_string(bytes: &[u8], at: usize, prefix: usize) -> (usize, Ink) {
    let rest = &bytes[at + prefix..];
    let hashes = rest.iter().take_while(|b| **b == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return (at + prefix, Ink::Code);
    }
    let mut end = vec![b'"'];
    end.resize(hashes + 1, b'#');
    let body = &rest[hashes + 1..];
    let length = body
        .windows(end.len())
        .position(|window| window == end)
        .map_or(body.len(), |found| found + end.len());
    (at + prefix + hashes + 1 + length, Ink::Quoted)
}

/// The end of a character literal, or `None` for a lifetime.
fn char_end(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|b| *b == b'\'')?;
        return Some(close + 4);
    }
    // One character of up to four bytes, then the quote.
    (2..=5)
        .find(|end| rest.get(*end) == Some(&b'\'') && is_one_char(&rest[1..*end]))
        .map(|end| end + 1)
}

fn is_one_char(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().count() == 1)
}
