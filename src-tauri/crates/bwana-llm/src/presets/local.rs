//! Servers on this machine are found by asking, never assumed: what to ask, and what an answer must hold for a server
//! to be one we know. Pure; who asks, when and with which patience is the caller's.

use serde::Serialize;
use serde_json::Value;

use super::{Preset, all};

/// How much of an answer is looked at; a longer one is nobody's.
pub const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// A path that is asked with GET, without a key, and what its answer must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sign {
    /// From the root of the server.
    pub path: &'static str,
    /// All of them.
    pub must: &'static [Must],
}

/// One thing a JSON answer must hold, at a JSON pointer (RFC 6901).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Must {
    /// Any text that is not empty.
    Text(&'static str),
    /// Exactly this text.
    Word(&'static str, &'static str),
    /// `true`
    True(&'static str),
    /// An object.
    Object(&'static str),
}

impl Must {
    fn holds(self, answer: &Value) -> bool {
        match self {
            Self::Text(at) => text(answer, at).is_some_and(|text| !text.is_empty()),
            Self::Word(at, word) => text(answer, at) == Some(word),
            Self::True(at) => answer.pointer(at) == Some(&Value::Bool(true)),
            Self::Object(at) => answer.pointer(at).is_some_and(Value::is_object),
        }
    }
}

fn text<'a>(answer: &'a Value, at: &str) -> Option<&'a str> {
    answer.pointer(at)?.as_str()
}

/// Something to ask at a place where such a server usually is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The preset whose usual place it is.
    pub preset: &'static str,
    /// Scheme, host and port, without a slash.
    pub origin: &'static str,
    pub path: &'static str,
}

/// Every question worth asking on a machine nobody knows, at the usual places only.
pub fn questions() -> Vec<Question> {
    let of = |preset: &'static Preset| {
        let signs = preset.signs.iter();
        signs.filter_map(|sign| {
            Some(Question {
                preset: preset.id,
                origin: origin(preset.base_url)?,
                path: sign.path,
            })
        })
    };
    all().iter().flat_map(of).collect()
}

/// `http://127.0.0.1:11434` of `http://127.0.0.1:11434/api`
fn origin(base_url: &'static str) -> Option<&'static str> {
    let host_at = base_url.find("://")? + 3;
    let path_at = base_url[host_at..].find('/').map(|at| host_at + at);
    Some(&base_url[..path_at.unwrap_or(base_url.len())])
}

/// What a server answered to a GET.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The path that was asked, from the root of the server.
    pub path: &'a str,
    pub status: u16,
    pub body: &'a [u8],
}

/// Which server gave this answer; `None` if it is none we know. The first preset counts whose sign it is, so that a
/// server we know by name is not taken for any compatible one.
pub fn recognise(answer: &Answer<'_>) -> Option<&'static Preset> {
    if answer.status != 200 || answer.body.len() > ANSWER_MAX_BYTES {
        return None;
    }
    let body: Value = serde_json::from_slice(answer.body).ok()?;
    let is_sign =
        |sign: &Sign| sign.path == answer.path && sign.must.iter().all(|must| must.holds(&body));
    all().iter().find(|preset| preset.signs.iter().any(is_sign))
}
