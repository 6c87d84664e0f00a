//! Text that deceives the eye, made visible: invisible, bidirectional and control characters become their code points.
//! Used wherever a person must see what really stands there. Not for text a model reads.

use std::fmt::Write as _;

use serde_json::Value;

/// Characters of a tool's preview.
pub const PREVIEW_MAX_CHARS: usize = 300;
const ELLIPSIS: &str = " …";

/// Characters that show nothing, change the direction of what follows, or pass for a plain space.
const HIDDEN: &[(u32, u32)] = &[
    (0x0000, 0x001F),     // C0 controls
    (0x007F, 0x00A0),     // delete, C1 controls, no-break space
    (0x00AD, 0x00AD),     // soft hyphen
    (0x034F, 0x034F),     // combining grapheme joiner
    (0x0600, 0x0605),     // Arabic prepended marks
    (0x061C, 0x061C),     // Arabic letter mark
    (0x06DD, 0x06DD),     // Arabic end of ayah
    (0x070F, 0x070F),     // Syriac abbreviation mark
    (0x0890, 0x0891),     // Arabic pound and piastre marks
    (0x08E2, 0x08E2),     // Arabic disputed end of ayah
    (0x115F, 0x1160),     // Hangul fillers
    (0x1680, 0x1680),     // Ogham space
    (0x17B4, 0x17B5),     // Khmer inherent vowels
    (0x180B, 0x180F),     // Mongolian selectors
    (0x2000, 0x200F),     // spaces, zero width, direction marks
    (0x2028, 0x202F),     // line and paragraph separators, direction embeddings
    (0x205F, 0x206F),     // spaces, invisible operators, direction isolates
    (0x2800, 0x2800),     // empty Braille pattern
    (0x3000, 0x3000),     // ideographic space
    (0x3164, 0x3164),     // Hangul filler
    (0xE000, 0xF8FF),     // private use
    (0xFE00, 0xFE0F),     // variation selectors
    (0xFEFF, 0xFEFF),     // byte order mark
    (0xFFA0, 0xFFA0),     // half-width Hangul filler
    (0xFFF0, 0xFFFB),     // unassigned, interlinear annotation
    (0xFFFE, 0xFFFF),     // no characters
    (0x110BD, 0x110BD),   // Kaithi number sign
    (0x110CD, 0x110CD),   // Kaithi number sign above
    (0x13430, 0x1345F),   // Egyptian format controls
    (0x1BCA0, 0x1BCA3),   // shorthand format controls
    (0x1D173, 0x1D17A),   // musical format controls
    (0xE0000, 0xE0FFF),   // tags, variation selectors supplement
    (0xF0000, 0x10_FFFF), // private use planes
];

/// Combining marks in a row that may sit on one letter; more are shown as code points.
const MARKS_MAX: usize = 3;

/// Whether `c` would not be seen for what it is.
pub fn is_hidden(c: char) -> bool {
    let code = u32::from(c);
    let at = HIDDEN.partition_point(|(_, last)| *last < code);
    HIDDEN.get(at).is_some_and(|(first, _)| *first <= code)
}

fn is_mark(c: char) -> bool {
    matches!(u32::from(c), 0x0300..=0x036F | 0x0483..=0x0489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF
        | 0xFE20..=0xFE2F)
}

/// `text` on one line of at most `max_chars` characters. Line breaks become `⏎`, hidden characters `<U+202E>`.
pub fn visible(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    let mut chars = 0;
    let mut marks = 0;
    for c in text.chars() {
        let before = line.len();
        marks = if is_mark(c) { marks + 1 } else { 0 };
        match c {
            '\r' => continue,
            '\n' => line.push('⏎'),
            '\t' => line.push(' '),
            _ if is_hidden(c) || marks > MARKS_MAX => {
                // Writing to a string cannot fail.
                let _ = write!(line, "<U+{:04X}>", u32::from(c));
            }
            _ => line.push(c),
        }
        chars += line[before..].chars().count();
        if chars > max_chars {
            return cut(&line, max_chars);
        }
    }
    line
}

/// Any value as one visible line: a string as its text, everything else as JSON.
pub fn visible_value(value: &Value, max_chars: usize) -> String {
    match value {
        Value::String(text) => visible(text, max_chars),
        other => visible(&other.to_string(), max_chars),
    }
}

fn cut(line: &str, max_chars: usize) -> String {
    let keep = max_chars.saturating_sub(ELLIPSIS.chars().count());
    line.chars()
        .take(keep)
        .chain(ELLIPSIS.chars())
        .take(max_chars)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(visible(text, PREVIEW_MAX_CHARS), shown);
    }

    #[test]
    fn text_of_the_languages_we_serve_is_left_alone() {
        for text in [
            "Habari, dunia!",
            "Àṣẹ, ọjà ńlá",
            "ሰላም",
            "مرحبا",
            "Crème brûlée à 5 000 F",
            "日本 😀",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn what_hides_or_turns_text_is_shown_as_its_code_point() {
        check("a\u{202E}b", "a<U+202E>b");
        check("pay\u{200B}pal", "pay<U+200B>pal");
        check("x\u{E0041}y", "x<U+E0041>y");
        check("n\u{FEFF}\u{2066}", "n<U+FEFF><U+2066>");
        check("\u{1B}[2Jgone", "<U+001B>[2Jgone");
        check(
            "e\u{300}\u{300}\u{300}\u{300}",
            "e\u{300}\u{300}\u{300}<U+0300>",
        );
    }

    #[test]
    fn a_preview_is_one_line() {
        check("first\r\nsecond\tthird", "first⏎second third");
    }

    #[test]
    fn the_table_is_sorted_and_does_not_overlap() {
        assert!(HIDDEN.iter().all(|(first, last)| first <= last));
        assert!(HIDDEN.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_preview_longer_or_hides_in_it(text in any::<String>(), max in 0_usize..80) {
            let line = visible(&text, max);
            prop_assert!(line.chars().count() <= max);
            prop_assert!(!line.chars().any(is_hidden));
        }

        #[test]
        fn a_flood_of_hidden_characters_is_cut(text in "[\u{200B}-\u{202E}\u{0}-\u{1F}]{0,200}") {
            let line = visible(&text, 50);
            prop_assert!(line.chars().count() <= 50 && !line.chars().any(is_hidden));
        }
    }
}
