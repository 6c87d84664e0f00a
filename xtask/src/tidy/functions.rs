//! How long a function is: from the brace that opens its body to the one that closes it.

use super::source::{Source, closing};
use super::{FUNCTION_LINES_MAX, Finding};

pub(super) fn check(source: &Source<'_>, findings: &mut Vec<Finding>) {
    let bare = &source.bare;
    for (at, _) in bare.match_indices("fn ") {
        let is_word_before = bare[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if is_word_before || source.is_test(at) || is_marked_test(bare, at) {
            continue;
        }
        let Some(open) = body(bare, at) else {
            continue;
        };
        let Some(close) = closing(bare, open) else {
            continue;
        };
        let lines = source.line(close) - source.line(open) + 1;
        if lines > FUNCTION_LINES_MAX {
            let name = bare[at + 3..]
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            findings.push(Finding {
                file: source.file.to_owned(),
                line: source.line(at),
                rule: "function length",
                what: format!("`{name}` has {lines} lines; at most {FUNCTION_LINES_MAX}"),
                reason: "a function is understood on one screen; give its parts names",
            });
        }
    }
}

/// Where the body begins; `None` for a declaration or a function pointer.
fn body(bare: &str, at: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (offset, byte) in bare[at..].bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at + offset),
            b';' | b'}' | b'=' if depth == 0 => return None,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

/// Whether the attributes in front of this function make it a test.
fn is_marked_test(bare: &str, at: usize) -> bool {
    let before = &bare[..at];
    let start = before.rfind(['}', ';']).map_or(0, |end| end + 1);
    let attributes = &before[start..];
    ["#[test]", "::test]", "::test("]
        .iter()
        .any(|mark| attributes.contains(mark))
}
