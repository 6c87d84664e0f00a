//! The grammar of `bwana://` links. A link says what somebody would like to see; it does nothing by itself. Anything that
//! is not exactly in the table is refused with a reason, so that nobody can grow a meaning into it.
//!
//! | link | meaning |
//! | --- | --- |
//! | `bwana://v1/run/<id>[?at=<seq>]` | look at a run, at an entry |
//! | `bwana://v1/workflow/<slug>` | a workflow, shown on a sheet |
//! | `bwana://v1/agent/<slug>` | look at an agent |
//! | `bwana://v1/task/<id>` | look at a question |
//! | `bwana://v1/new?text=<words>` | words for the composer, not sent |

use bwana_types::entry::Seq;
use bwana_types::id::{RunId, TaskId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of the words of `new`, decoded.
pub const TEXT_MAX_BYTES: usize = 4 * 1024;
/// Bytes of a whole link: the longest text with every byte escaped, and the rest.
pub const LINK_MAX_BYTES: usize = TEXT_MAX_BYTES * 3 + 64;
/// Bytes of an address that may be opened.
const OUTSIDE_MAX_BYTES: usize = 2_048;
/// Bytes of a slug.
const SLUG_MAX_BYTES: usize = 64;
const SCHEME: &str = "bwana://";
const VERSION: &str = "v1/";

/// What a link points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Link {
    Run { id: RunId, at: Option<Seq> },
    Workflow { slug: String },
    Agent { slug: String },
    Task { id: TaskId },
    New { text: String },
}

/// Why a link is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BadLink {
    /// Longer than [`LINK_MAX_BYTES`], or a text longer than [`TEXT_MAX_BYTES`].
    TooLong,
    /// It does not begin with `bwana://`.
    NotOurs,
    /// Made for another version of this grammar.
    Version,
    /// Nothing of that name can be linked to.
    Verb,
    /// A parameter that is not in the table, or twice.
    Key,
    /// An id, a slug or a number that is none.
    Value,
    /// Broken escapes, bytes that are not UTF-8, or characters that hide what a text says.
    Encoding,
}

/// An address a person may be led to outside of the program, as it is opened: the web and mail, without a name or a
/// password in it. `None`: any other, whatever program would take it.
pub fn outside(text: &str) -> Option<String> {
    if text.len() > OUTSIDE_MAX_BYTES || text.chars().any(char::is_control) {
        return None;
    }
    let url = reqwest::Url::parse(text).ok()?;
    let fits = match url.scheme() {
        "https" => {
            url.host_str().is_some() && url.username().is_empty() && url.password().is_none()
        }
        "mailto" => true,
        _ => false,
    };
    fits.then(|| url.to_string())
}

/// Reads a link.
///
/// # Errors
/// If it is not exactly in the table.
pub fn parse(link: &str) -> Result<Link, BadLink> {
    if link.len() > LINK_MAX_BYTES {
        return Err(BadLink::TooLong);
    }
    let rest = link.strip_prefix(SCHEME).ok_or(BadLink::NotOurs)?;
    let rest = rest.strip_prefix(VERSION).ok_or(BadLink::Version)?;
    if !rest.bytes().all(is_plain) {
        return Err(BadLink::Encoding);
    }
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let (verb, value) = match path.split_once('/') {
        Some((verb, value)) => (verb, Some(value)),
        None => (path, None),
    };
    match (verb, value) {
        ("run", Some(id)) => {
            let id = id.parse().map_err(|_| BadLink::Value)?;
            let at = only(query, "at")?.map(sequence).transpose()?;
            Ok(Link::Run { id, at })
        }
        ("task", Some(id)) => {
            nothing(query)?;
            let id = id.parse().map_err(|_| BadLink::Value)?;
            Ok(Link::Task { id })
        }
        ("workflow", Some(value)) => {
            nothing(query)?;
            slug(value).map(|slug| Link::Workflow { slug })
        }
        ("agent", Some(value)) => {
            nothing(query)?;
            slug(value).map(|slug| Link::Agent { slug })
        }
        ("new", None) => {
            let text = only(query, "text")?.ok_or(BadLink::Value)?;
            words(text).map(|text| Link::New { text })
        }
        ("run" | "task" | "workflow" | "agent" | "new", _) => Err(BadLink::Value),
        _ => Err(BadLink::Verb),
    }
}

/// What may stand in a link at all; the rest has to be escaped, and a `#` has no meaning here.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~/?=&%+!*'(),:;@".contains(&byte)
}

fn nothing(query: Option<&str>) -> Result<(), BadLink> {
    query.map_or(Ok(()), |_| Err(BadLink::Key))
}

/// The value of the one parameter there may be.
fn only<'a>(query: Option<&'a str>, key: &str) -> Result<Option<&'a str>, BadLink> {
    let Some(query) = query else { return Ok(None) };
    let (name, value) = query.split_once('=').ok_or(BadLink::Key)?;
    if name != key || value.contains('&') {
        return Err(BadLink::Key);
    }
    Ok(Some(value))
}

fn sequence(text: &str) -> Result<Seq, BadLink> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (is_number, text.parse()) {
        (true, Ok(seq)) if seq > 0 => Ok(seq),
        _ => Err(BadLink::Value),
    }
}

fn slug(text: &str) -> Result<String, BadLink> {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if text.is_empty() || text.len() > SLUG_MAX_BYTES || !text.bytes().all(fits) {
        return Err(BadLink::Value);
    }
    Ok(text.to_owned())
}

/// Escaped words: `%41` is a byte, and `+` is itself, as in any address that is no form.
fn words(text: &str) -> Result<String, BadLink> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else {
                return Err(BadLink::Encoding);
            };
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| BadLink::Encoding)?);
        } else {
            bytes.push(byte);
        }
    }
    if bytes.len() > TEXT_MAX_BYTES {
        return Err(BadLink::TooLong);
    }
    let text = String::from_utf8(bytes).map_err(|_| BadLink::Encoding)?;
    if text.trim().is_empty() {
        return Err(BadLink::Value);
    }
    if text.chars().any(hides) {
        return Err(BadLink::Encoding);
    }
    Ok(text)
}

/// Characters that change how a text looks without being seen: a person could not judge it.
fn hides(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\t');
    let is_direction = matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    // The zero width joiner and non-joiner stay: languages need them.
    let is_invisible =
        matches!(c, '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}');
    is_control || is_direction || is_invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "run_06DMHX8ZB5S3N00000000000AB";
    const TASK: &str = "task_06DMHX8ZB5S3N00000000000AB";

    fn run() -> RunId {
        RUN.parse().unwrap()
    }

    fn check(link: &str, expected: Result<Link, BadLink>) {
        assert_eq!(parse(link), expected, "{link}");
    }

    fn new(text: &str) -> Link {
        let text = text.to_owned();
        Link::New { text }
    }

    #[test]
    fn only_the_web_and_mail_are_opened() {
        for good in [
            "https://example.com/a?b=c#d",
            "mailto:amina@shop.example",
            "https://xn--bcher-kva.example/",
        ] {
            assert!(outside(good).is_some(), "{good}");
        }
        let long = format!("https://example.com/{}", "a".repeat(OUTSIDE_MAX_BYTES));
        for bad in [
            "http://example.com/",
            "https://user:secret@example.com/",
            "https://user@example.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "smb://host/share",
            "bwana://v1/new?text=a",
            "vscode://x",
            "https://",
            "https:///",
            "example.com",
            "",
            "https://example.com/\n--x",
            long.as_str(),
        ] {
            assert!(outside(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let slug = String::from("market_expansion");
        check(
            &format!("bwana://v1/run/{RUN}"),
            Ok(Link::Run {
                id: run(),
                at: None,
            }),
        );
        check(
            &format!("bwana://v1/run/{RUN}?at=12"),
            Ok(Link::Run {
                id: run(),
                at: Some(12),
            }),
        );
        check(
            &format!("bwana://v1/task/{TASK}"),
            Ok(Link::Task {
                id: TASK.parse().unwrap(),
            }),
        );
        check(
            "bwana://v1/workflow/market_expansion",
            Ok(Link::Workflow { slug: slug.clone() }),
        );
        check(
            "bwana://v1/agent/market_expansion",
            Ok(Link::Agent { slug }),
        );
        check("bwana://v1/new?text=Hello", Ok(new("Hello")));
        check("bwana://v1/new?text=a%20b%0Ac+d", Ok(new("a b\nc+d")));
        check(
            "bwana://v1/new?text=%D9%85%D8%B1%D8%AD%D8%A8%D8%A7",
            Ok(new("مرحبا")),
        );
        check(
            "bwana://v1/new?text=1%2B1%3D2%26x%3D%25",
            Ok(new("1+1=2&x=%")),
        );
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        use BadLink::{Encoding, Key, NotOurs, TooLong, Value, Verb, Version};
        let long = "x".repeat(TEXT_MAX_BYTES + 1);
        let cases: &[(String, BadLink)] = &[
            (String::new(), NotOurs),
            ("https://example.com".into(), NotOurs),
            ("BWANA://v1/new?text=a".into(), NotOurs),
            (" bwana://v1/new?text=a".into(), NotOurs),
            ("bwana:v1/new?text=a".into(), NotOurs),
            ("bwana://".into(), Version),
            ("bwana://v1".into(), Version),
            ("bwana://v2/new?text=a".into(), Version),
            ("bwana://user@v1/new?text=a".into(), Version),
            ("bwana://V1/new?text=a".into(), Version),
            ("bwana://v1/".into(), Verb),
            ("bwana://v1/approve/x".into(), Verb),
            ("bwana://v1/settings".into(), Verb),
            ("bwana://v1/pair/123456".into(), Verb),
            ("bwana://v1/../new?text=a".into(), Verb),
            ("bwana://v1/new/?text=a".into(), Value),
            ("bwana://v1/new".into(), Value),
            ("bwana://v1/new?text=".into(), Value),
            ("bwana://v1/new?text=%20".into(), Value),
            ("bwana://v1/new?send=1".into(), Key),
            ("bwana://v1/new?text=a&send=1".into(), Key),
            ("bwana://v1/new?text=a&text=b".into(), Key),
            ("bwana://v1/new?text".into(), Key),
            ("bwana://v1/new?text=%".into(), Encoding),
            ("bwana://v1/new?text=%4".into(), Encoding),
            ("bwana://v1/new?text=%zz".into(), Encoding),
            ("bwana://v1/new?text=%ff".into(), Encoding),
            ("bwana://v1/new?text=%00".into(), Encoding),
            ("bwana://v1/new?text=%1b[31m".into(), Encoding),
            ("bwana://v1/new?text=a%E2%80%AEb".into(), Encoding),
            ("bwana://v1/new?text=a b".into(), Encoding),
            ("bwana://v1/new?text=a#b".into(), Encoding),
            ("bwana://v1/new?text=\"--safe\"".into(), Encoding),
            (format!("bwana://v1/new?text={long}"), TooLong),
            (
                format!("bwana://v1/new?text={}", "%41".repeat(TEXT_MAX_BYTES * 2)),
                TooLong,
            ),
            ("bwana://v1/run/".into(), Value),
            ("bwana://v1/run".into(), Value),
            ("bwana://v1/run/../task".into(), Value),
            ("bwana://v1/run/--safe".into(), Value),
            (format!("bwana://v1/run/{RUN}/"), Value),
            (format!("bwana://v1/run/{RUN}?at=0"), Value),
            (format!("bwana://v1/run/{RUN}?at=-1"), Value),
            (format!("bwana://v1/run/{RUN}?at=+1"), Value),
            (
                format!("bwana://v1/run/{RUN}?at=99999999999999999999999"),
                Value,
            ),
            (format!("bwana://v1/run/{RUN}?resume=1"), Key),
            (format!("bwana://v1/task/{RUN}"), Value),
            (format!("bwana://v1/task/{TASK}?approve=1"), Key),
            ("bwana://v1/workflow/A".into(), Value),
            ("bwana://v1/workflow/a%2Fb".into(), Value),
            (format!("bwana://v1/agent/{}", "a".repeat(65)), Value),
        ];
        for (link, why) in cases {
            check(link, Err(*why));
        }
    }
}
