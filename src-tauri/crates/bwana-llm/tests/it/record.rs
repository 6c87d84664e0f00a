//! What a provider really sent, as wire cases: heard off the wire by a tap, cleaned of whatever looks like a key, and
//! written in the form `dialect_cases` reads. The outcome stands beside the bytes, so a recorded file is a test at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bwana_llm::Dialect;
use bwana_llm::transport::{Heard, Tap};

use crate::dialect_cases::{self, Case, check_codec, through_codec};
use crate::show;

/// Headers worth keeping; every other one may name an account, a place or a key.
const HEADERS_KEPT: [&str; 2] = ["content-type", "retry-after"];
/// How keys of known providers begin.
const KEY_BEGINNINGS: [&str; 8] = [
    "sk-", "sk_", "gsk_", "xai-", "AIza", "fw_", "tgp_", "Bearer ",
];
/// Shorter than this is a word and no key.
const KEY_MIN_CHARS: usize = 16;
/// What stands where a key was.
const HIDDEN: &str = "[key]";

/// One reply as it came.
#[derive(Debug, Clone, Default)]
struct Reply {
    status: u16,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// Hears replies and keeps the last one.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    last: Arc<Mutex<Reply>>,
    cases: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    pub(crate) fn tap(&self) -> Tap {
        let last = Arc::clone(&self.last);
        Arc::new(move |heard| {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            match heard {
                Heard::Begin { status, headers } => {
                    let kept = headers
                        .iter()
                        .filter(|(name, _)| HEADERS_KEPT.contains(&name.as_str()))
                        .filter_map(|(name, value)| {
                            Some(format!("{name}: {}", value.to_str().ok()?))
                        });
                    *last = Reply {
                        status,
                        headers: kept.collect(),
                        body: Vec::new(),
                    };
                }
                Heard::Bytes(bytes) => last.body.extend_from_slice(bytes),
            }
        })
    }

    /// Keeps the last reply as the case `name`.
    pub(crate) fn keep(&self, name: &str, dialect: &dyn Dialect, key: Option<&str>) {
        let reply = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let body = clean(&String::from_utf8_lossy(&reply.body), key);
        assert!(
            !body.contains("\n=== "),
            "{name}: the body looks like a case"
        );
        let mut text = format!("=== {name}\n");
        if reply.status != 200 {
            text.push_str(&format!("> {}\n", reply.status));
        }
        for header in &reply.headers {
            text.push_str(&format!("> {}\n", clean(header, key)));
        }
        if !body.ends_with('\n') {
            text.push_str("> cut\n");
        }
        let case = Case {
            name: "recorded",
            status: reply.status,
            headers: String::new(),
            body: body.clone(),
            expect: "",
            says: "",
        };
        let meant = show::result(&through_codec(dialect, &case).0);
        text.push_str(&format!("< {meant}\n{body}"));
        if !body.ends_with('\n') {
            text.push('\n');
        }
        self.cases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }

    /// Writes the cases kept so far, reads them back and runs them.
    pub(crate) fn write(&self, folder: &Path, provider: &str, dialect: &dyn Dialect) -> PathBuf {
        let cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        let file = folder.join(format!("{provider}.txt"));
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&file, cases.concat()).unwrap();
        replay(&file, dialect, cases.len());
        file
    }
}

/// Runs the cases of a recorded file like any other.
pub(crate) fn replay(file: &Path, dialect: &dyn Dialect, count: usize) {
    let text = std::fs::read_to_string(file).unwrap();
    let cases = dialect_cases::read(text.leak());
    assert_eq!(cases.len(), count, "{}", file.display());
    check_codec(dialect, &cases);
}

/// `text` without `key` and without anything that begins like a key of a known provider.
fn clean(text: &str, key: Option<&str>) -> String {
    let mut text = match key.map(str::trim).filter(|key| !key.is_empty()) {
        Some(key) => text.replace(key, HIDDEN),
        None => text.to_owned(),
    };
    for beginning in KEY_BEGINNINGS {
        let mut from = 0;
        while let Some(at) = text[from..].find(beginning).map(|at| at + from) {
            let rest = &text[at + beginning.len()..];
            let is_key = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
            let length = beginning.len() + rest.find(|c| !is_key(c)).unwrap_or(rest.len());
            if length >= KEY_MIN_CHARS {
                text.replace_range(at..at + length, HIDDEN);
                from = at + HIDDEN.len();
            } else {
                from = at + beginning.len();
            }
        }
    }
    text
}

#[test]
fn what_looks_like_a_key_is_taken_out() {
    for (text, key, expected) in [
        (
            "the key my-own-key-0123 is wrong",
            Some("my-own-key-0123"),
            "the key [key] is wrong",
        ),
        (
            "Incorrect API key: sk-abcd************wxyz.",
            None,
            "Incorrect API key: [key]",
        ),
        ("key=AIzaSyA0123456789abcdef&x", None, "key=[key]&x"),
        (
            "Authorization: Bearer abcdefghijkl",
            None,
            "Authorization: [key]",
        ),
        ("a sk-short word and gsk_", None, "a sk-short word and gsk_"),
        ("nothing", Some(""), "nothing"),
    ] {
        assert_eq!(clean(text, key), expected);
    }
}
