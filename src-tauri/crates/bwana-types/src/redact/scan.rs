//! The ground the rules stand on: classes of bytes, runs of them, and where a word may begin. Every run is walked once,
//! however many rules ask for it; that keeps the whole linear.

/// Kinds of bytes that secrets are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Letters and digits.
    Word,
    /// `Word` with `-` and `_`.
    Dash,
    /// `Dash` with `.`.
    Dot,
    /// What credentials in headers are made of (RFC 7235) and `:`, `|`.
    Token,
    /// A value that is not quoted: up to white space, a quote, a bracket or a separator.
    Value,
    /// What may stand between `://` and the host.
    User,
    /// What is inside a PEM block, also when its line ends are escaped.
    Pem,
    /// A line of a header.
    Line,
}

const CLASSES: usize = 8;
const ALL: [Class; CLASSES] = [
    Class::Word,
    Class::Dash,
    Class::Dot,
    Class::Token,
    Class::Value,
    Class::User,
    Class::Pem,
    Class::Line,
];

impl Class {
    pub(super) fn holds(self, byte: u8) -> bool {
        MEMBERS[usize::from(byte)] & (1 << self as u8) != 0
    }

    const fn decide(self, b: u8) -> bool {
        let is_word = b.is_ascii_alphanumeric();
        match self {
            Self::Word => is_word,
            Self::Dash => is_word || matches!(b, b'-' | b'_'),
            Self::Dot => is_word || matches!(b, b'-' | b'_' | b'.'),
            Self::Token => {
                is_word
                    || matches!(
                        b,
                        b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b':' | b'|'
                    )
            }
            Self::Value => {
                b > b' '
                    && b != 0x7f
                    && !matches!(
                        b,
                        b'"' | b'\'' | b'`' | b',' | b';' | b'&' | b'\\' | b'|' | b'<' | b'>'
                    )
                    && !matches!(b, b'(' | b')' | b'[' | b']' | b'{' | b'}')
            }
            Self::User => {
                b > b' '
                    && b != 0x7f
                    && !matches!(b, b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>' | b'/' | b'?')
                    && !matches!(b, b'#' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b',')
            }
            Self::Pem => {
                is_word
                    || b.is_ascii_whitespace()
                    || matches!(
                        b,
                        b'+' | b'/' | b'=' | b'\\' | b':' | b',' | b'%' | b'-' | b'_'
                    )
            }
            Self::Line => !matches!(b, b'\r' | b'\n' | b'"' | b'\\'),
        }
    }
}

/// For each byte the classes it is in, one bit each.
static MEMBERS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut class = 0;
        while class < CLASSES {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "`byte` goes over the values of a byte"
            )]
            if ALL[class].decide(byte as u8) {
                table[byte] |= 1 << ALL[class] as u8;
            }
            class += 1;
        }
        byte += 1;
    }
    table
};

/// A text and what is known of its runs.
pub(super) struct Scan<'t> {
    pub(super) text: &'t [u8],
    /// Where values end that are taken out anyway, in order: what stands behind one begins anew.
    ends: &'t [usize],
    /// Up to where something is taken out so far: another key may begin in what looked like the end of one.
    pub(super) covered: usize,
    /// The run of each class that was walked last, from where to where.
    runs: [(usize, usize); CLASSES],
    /// See [`super::Looked::undecided`].
    pub(super) undecided: Option<usize>,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t [u8], ends: &'t [usize]) -> Self {
        Self {
            text,
            ends,
            covered: 0,
            runs: [(0, 0); CLASSES],
            undecided: None,
        }
    }

    /// Where the run of `class` that begins at `at` ends.
    pub(super) fn run_end(&mut self, class: Class, at: usize) -> usize {
        let (known_start, known_end) = self.runs[class as usize];
        if (known_start..known_end).contains(&at) {
            return known_end;
        }
        let mut end = at;
        while end < self.text.len() && class.holds(self.text[end]) {
            end += 1;
            if end == known_start && known_end > known_start {
                end = known_end;
                break;
            }
        }
        self.runs[class as usize] = (at, end);
        end
    }

    /// The run of `class` at `at`.
    pub(super) fn run(&mut self, class: Class, at: usize) -> &'t [u8] {
        let at = at.min(self.text.len());
        let end = self.run_end(class, at);
        &self.text[at..end]
    }

    pub(super) fn at(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    pub(super) fn starts_with(&self, at: usize, word: &[u8]) -> bool {
        let there = self.text.get(at..at + word.len());
        there.is_some_and(|there| there.eq_ignore_ascii_case(word))
    }

    /// More text could change what a rule that begins at `from` says. Only said where no line end follows: lines are
    /// whole, and only a private key goes on behind one.
    pub(super) fn is_undecided_from(&mut self, from: usize) {
        self.undecided = Some(self.undecided.map_or(from, |before| before.min(from)));
    }

    /// Whether a word may begin here: what stands before is no letter or digit, or one that belongs to an escape.
    pub(super) fn is_word_start(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1).and_then(|at| self.at(at)) else {
            return true;
        };
        !before.is_ascii_alphanumeric()
            || at <= self.covered
            || self.ends_escape(at)
            || self.ends.binary_search(&at).is_ok()
    }

    /// Whether an escape of JSON (`\n`, `\u0022`) or of a URL (`%3D`) ends just before `at`.
    fn ends_escape(&self, at: usize) -> bool {
        let back = |n: usize| at.checked_sub(n).and_then(|at| self.at(at));
        let is_hex = |n: usize| back(n).is_some_and(|b| b.is_ascii_hexdigit());
        let letter = back(2) == Some(b'\\') && back(1).is_some_and(|b| b"bfnrt".contains(&b));
        let percent = back(3) == Some(b'%') && is_hex(1) && is_hex(2);
        let unicode =
            back(6) == Some(b'\\') && back(5) == Some(b'u') && [1, 2, 3, 4].into_iter().all(is_hex);
        letter || percent || unicode
    }
}

/// How much of a value is looked at to tell whether it looks made by a machine.
const LOOK_MAX_BYTES: usize = 128;

/// What a value is made of, as far as it is looked at.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Make {
    pub(super) digits: usize,
    pub(super) upper: usize,
    pub(super) lower: usize,
}

impl Make {
    pub(super) fn of(value: &[u8]) -> Self {
        let mut make = Self::default();
        for byte in value.iter().take(LOOK_MAX_BYTES) {
            make.digits += usize::from(byte.is_ascii_digit());
            make.upper += usize::from(byte.is_ascii_uppercase());
            make.lower += usize::from(byte.is_ascii_lowercase());
        }
        make
    }

    pub(super) fn has_digit_and_letter(self) -> bool {
        self.digits > 0 && self.upper + self.lower > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_the_same_from_wherever_it_is_asked() {
        let text = b"ab-cd ef";
        let mut scan = Scan::new(text, &[]);
        for (at, end) in [(3, 5), (0, 5), (4, 5), (6, 8), (0, 5), (5, 5), (8, 8)] {
            assert_eq!(scan.run_end(Class::Dash, at), end, "{at}");
        }
        assert_eq!(scan.run(Class::Word, 0), b"ab");
        assert_eq!(scan.run(Class::Word, 9), b"");
    }

    #[test]
    fn an_escape_before_a_word_does_not_hide_it() {
        for (text, starts) in [
            ("sk", true),
            ("ask", false),
            ("-sk", true),
            ("\\nsk", true),
            ("nsk", false),
            ("%3Dsk", true),
            ("\\u0022sk", true),
            ("u0022sk", false),
        ] {
            let scan = Scan::new(text.as_bytes(), &[]);
            assert_eq!(scan.is_word_start(text.len() - 2), starts, "{text}");
        }
    }
}
