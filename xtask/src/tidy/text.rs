//! Words that do not belong: rules over the lines of any text file, and over the code of Rust files.
//!
//! Patterns are spelt apart (`concat!`) where this file would otherwise break its own rule.

use super::Finding;
use super::source::{Source, is_test_file};

/// A word that may not stand in any text file.
struct Word {
    rule: &'static str,
    words: &'static [&'static str],
    boundary: Boundary,
    /// Whether it may stand in test code, where an invented one does no harm.
    tests_may: bool,
    reason: &'static str,
}

/// What must stand in front of a word for it to count.
#[derive(Clone, Copy)]
enum Boundary {
    /// Anything.
    None,
    /// Neither before nor after it a letter, digit or underscore.
    Word,
    /// The word begins a path: nothing, a space or a quote before it.
    Path,
}

const WORDS: &[Word] = &[
    Word {
        rule: "marker",
        words: &[
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("XX", "X"),
            concat!("HA", "CK"),
            concat!("to", "do!"),
            concat!("unimpl", "emented!"),
        ],
        boundary: Boundary::Word,
        tests_may: false,
        reason: "what is missing belongs in an issue, where somebody sees it",
    },
    Word {
        rule: "machine path",
        words: &[
            concat!("/ho", "me/"),
            concat!("/ro", "ot/"),
            concat!("/wo", "rk/"),
            concat!("/Us", "ers/"),
        ],
        boundary: Boundary::Path,
        tests_may: true,
        reason: "the path of one machine means nothing on another; take it from the environment or a temporary folder",
    },
    Word {
        rule: "registry",
        words: &[
            concat!("py", "pi.org"),
            concat!("pythonho", "sted.org"),
            concat!("npm", "js.org"),
            concat!("npm", "js.com"),
            concat!("index.cra", "tes.io"),
            concat!("static.cra", "tes.io"),
        ],
        boundary: Boundary::None,
        tests_may: false,
        reason: "which mirror a machine uses is its own setting; name the package, not the host",
    },
    Word {
        rule: "author trailer",
        words: &[concat!("Co-Autho", "red-By"), concat!("Signed-of", "f-by")],
        boundary: Boundary::None,
        tests_may: false,
        reason: "who wrote a line is in the history of the repository, not in its files",
    },
];

/// `is_test` says whether a line, from 1, is test code.
pub(super) fn check(
    file: &str,
    text: &str,
    is_test: impl Fn(usize) -> bool,
    findings: &mut Vec<Finding>,
) {
    for (at, line) in text.lines().enumerate() {
        for word in WORDS {
            if word.tests_may && is_test(at + 1) {
                continue;
            }
            if let Some(found) = word.words.iter().find(|w| stands(line, w, word.boundary)) {
                findings.push(Finding {
                    file: file.to_owned(),
                    line: at + 1,
                    rule: word.rule,
                    what: format!("'{found}'"),
                    reason: word.reason,
                });
            }
        }
    }
}

fn stands(line: &str, word: &str, boundary: Boundary) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        match boundary {
            Boundary::None => true,
            Boundary::Word => !before.is_some_and(is_word) && !after.is_some_and(is_word),
            Boundary::Path => before.is_none_or(|c| c.is_whitespace() || "\"'`(<=:[".contains(c)),
        }
    })
}

/// A piece of code that may stand only in some files.
struct Code {
    rule: &'static str,
    pieces: &'static [&'static str],
    /// Whether string literals are looked at too.
    strings: bool,
    allowed: fn(&str) -> bool,
    reason: &'static str,
}

const CODE: &[Code] = &[
    Code {
        rule: "allow",
        pieces: &["#[allow(", "#![allow("],
        strings: false,
        allowed: |_| false,
        reason: "`#[expect(.., reason = \"..\")]` says why, and tells when it is no longer needed",
    },
    Code {
        rule: "ignored",
        pieces: &[concat!("#[igno", "re")],
        strings: false,
        allowed: |_| false,
        reason: "a test that does not run proves nothing; slow figures hang on BWANA_FULL",
    },
    Code {
        rule: "shell",
        pieces: &[
            concat!("Command::new(\"s", "h\""),
            concat!("Command::new(\"ba", "sh\""),
            concat!("Command::new(\"/bin/s", "h\""),
            concat!("Command::new(\"cm", "d\""),
            concat!("\"s", "h\", \"-c\""),
            concat!("s", "h -c "),
        ],
        strings: true,
        allowed: |_| false,
        reason: "text never becomes shell code; start programs with an argument list",
    },
    Code {
        rule: "sql",
        pieces: &["rusqlite"],
        strings: false,
        allowed: |file| file.starts_with("src-tauri/crates/bwana-store/"),
        reason: "SQL stands in the store only, so that one crate knows the tables",
    },
    Code {
        rule: "clock",
        pieces: &[
            "SystemTime::now(",
            "Timestamp::now(",
            "Zoned::now(",
            "Utc::now(",
        ],
        strings: false,
        allowed: |file| is_host(file) || is_test_file(file),
        reason: "time is passed in as a Clock, so that a test can set it; only the hosts read the real one",
    },
];

/// Programs, which are where the outside world comes in.
fn is_host(file: &str) -> bool {
    [
        "xtask/",
        "src-tauri/src/",
        "src-tauri/crates/bwana-bench/",
        "src-tauri/crates/bwana-cli/",
        "src-tauri/crates/bwana-server/",
        "src-tauri/crates/bwana-model-worker/",
        // The clock that hosts hand down.
        "src-tauri/crates/bwana-api/src/system.rs",
    ]
    .iter()
    .any(|folder| file.starts_with(folder))
}

pub(super) fn check_rust(source: &Source<'_>, findings: &mut Vec<Finding>) {
    if !source.text.starts_with("//!") {
        findings.push(Finding {
            file: source.file.to_owned(),
            line: 1,
            rule: "header",
            what: String::from("the file does not begin with `//!`"),
            reason: "a file says first what it is for and what does not belong in it",
        });
    }
    for code in CODE.iter().filter(|code| !(code.allowed)(source.file)) {
        let text = if code.strings {
            &source.uncommented
        } else {
            &source.bare
        };
        for (at, line) in text.lines().enumerate() {
            if let Some(piece) = code.pieces.iter().find(|piece| line.contains(**piece)) {
                findings.push(Finding {
                    file: source.file.to_owned(),
                    line: at + 1,
                    rule: code.rule,
                    what: format!("`{piece}`"),
                    reason: code.reason,
                });
            }
        }
    }
    check_built_sql(source, findings);
}

/// SQL verbs as they begin a statement.
const SQL_VERBS: &[&str] = &[
    "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "PRAGMA ",
];

/// SQL text made by `format!` with something put in.
fn check_built_sql(source: &Source<'_>, findings: &mut Vec<Finding>) {
    let text = &source.uncommented;
    for (at, macro_call) in text.match_indices("format!(\"") {
        let literal = &text[at + macro_call.len()..];
        let literal = literal.split('"').next().unwrap_or(literal);
        let is_sql = SQL_VERBS
            .iter()
            .any(|verb| literal.trim_start().starts_with(verb));
        if is_sql && literal.contains('{') && !source.is_test(at) {
            findings.push(Finding {
                file: source.file.to_owned(),
                line: source.line(at),
                rule: "sql",
                what: String::from("a statement made by `format!`"),
                reason: "SQL is static text with parameters, so that no value is ever read as a statement",
            });
        }
    }
}
