//! Ways a model call goes wrong, and a plan that deals them out as a function of a seed, the request and the attempt.

use bwana_types::hash::Hash;
use bwana_types::model::ErrorKind;
use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use crate::script::{Answer, AnswerCall, Prompt, Reported};

/// One way a model call goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The provider answers with this status.
    Status {
        code: u16,
        #[serde(default)]
        retry_after_s: Option<u32>,
        #[serde(default)]
        body: String,
    },
    /// The connection closes before an answer.
    Close,
    /// The connection breaks inside the answer's body; without a number, at a place the request decides.
    Cut {
        #[serde(default)]
        after_bytes: Option<usize>,
    },
    /// The answer ends in good order, but too early.
    EarlyEnd,
    /// What arrives is no JSON.
    Malformed,
    /// A captive portal's page instead of an answer.
    Html,
    /// Nothing comes, and the connection stays open.
    Silence,
    /// Tool calls with empty or repeated ids.
    WrongIds,
    /// Tool calls whose arguments are no JSON.
    GarbageArguments,
    /// A call of a tool that was not offered.
    UnknownTool,
    /// No usage is reported.
    NoUsage,
    /// The output limit cuts the answer in the middle.
    Length,
}

impl Fault {
    /// Every kind once, for tests that want them all.
    pub fn all() -> Vec<Self> {
        vec![
            Self::rate_limited(2),
            Self::server_error(),
            Self::overloaded(),
            Self::Close,
            Self::Cut { after_bytes: None },
            Self::EarlyEnd,
            Self::Malformed,
            Self::Html,
            Self::Silence,
            Self::WrongIds,
            Self::GarbageArguments,
            Self::UnknownTool,
            Self::NoUsage,
            Self::Length,
        ]
    }

    pub fn rate_limited(retry_after_s: u32) -> Self {
        Self::Status {
            code: 429,
            retry_after_s: Some(retry_after_s),
            body: error_body("Rate limit reached for requests", "rate_limit_exceeded"),
        }
    }

    pub fn out_of_quota() -> Self {
        Self::Status {
            code: 429,
            retry_after_s: None,
            body: error_body("You exceeded your current quota", "insufficient_quota"),
        }
    }

    pub fn unauthorised() -> Self {
        Self::Status {
            code: 401,
            retry_after_s: None,
            body: error_body("Incorrect API key provided", "invalid_api_key"),
        }
    }

    pub fn server_error() -> Self {
        Self::Status {
            code: 500,
            retry_after_s: None,
            body: error_body("The server had an error", "server_error"),
        }
    }

    pub fn overloaded() -> Self {
        Self::Status {
            code: 503,
            retry_after_s: None,
            body: error_body("The engine is overloaded", "overloaded"),
        }
    }

    pub fn context_too_long() -> Self {
        Self::Status {
            code: 400,
            retry_after_s: None,
            body: error_body(
                "This model's maximum context length is 4096 tokens",
                "context_length_exceeded",
            ),
        }
    }

    /// The error a provider reports for this fault, or `None` for a fault of the answer itself.
    pub fn error_kind(&self) -> Option<ErrorKind> {
        use bwana_types::model::Phase;
        Some(match self {
            Self::Status { code, body, .. } => match code {
                400 if body.contains("context_length") => ErrorKind::ContextTooLong,
                401 | 403 => ErrorKind::Auth,
                402 => ErrorKind::Quota,
                404 => ErrorKind::NotFound,
                413 => ErrorKind::TooLarge,
                429 if body.contains("insufficient_quota") => ErrorKind::Quota,
                429 => ErrorKind::RateLimited,
                503 | 529 => ErrorKind::Overloaded,
                500..=599 => ErrorKind::Server,
                _ => ErrorKind::BadRequest,
            },
            Self::Close => ErrorKind::Unreachable,
            Self::Cut { .. } | Self::EarlyEnd => ErrorKind::Interrupted,
            Self::Malformed | Self::Html => ErrorKind::Malformed,
            Self::Silence => ErrorKind::Timeout(Phase::FirstEvent),
            Self::WrongIds
            | Self::GarbageArguments
            | Self::UnknownTool
            | Self::NoUsage
            | Self::Length => return None,
        })
    }

    /// Changes the answer, if this is a fault of the answer itself.
    pub fn spoil(&self, answer: &mut Answer, prompt: &Prompt<'_>) {
        match self {
            Self::WrongIds => {
                let empty = prompt.number().is_multiple_of(2);
                for call in &mut answer.calls {
                    call.id = String::from(if empty { "" } else { "call_same" });
                }
            }
            Self::GarbageArguments => {
                for call in &mut answer.calls {
                    call.args = format!("{{\"a\": {}", call.args);
                }
            }
            Self::UnknownTool if !prompt.offered.is_empty() => answer.calls.push(AnswerCall {
                id: format!("call_{}_unknown", prompt.mark()),
                tool: String::from("no_such_tool"),
                args: String::from("{}"),
            }),
            Self::NoUsage => answer.usage = Reported::Missing,
            Self::Length => {
                let mut half = answer.text.len() / 2;
                while !answer.text.is_char_boundary(half) {
                    half -= 1;
                }
                answer.text.truncate(half);
                if let Some(call) = answer.calls.last_mut() {
                    call.args.truncate(call.args.len() / 2);
                }
                answer.cut = true;
            }
            Self::UnknownTool
            | Self::Status { .. }
            | Self::Close
            | Self::Cut { .. }
            | Self::EarlyEnd
            | Self::Malformed
            | Self::Html
            | Self::Silence => {}
        }
    }

    /// Where an answer of `len` bytes breaks: before its last byte, so that it is never whole.
    pub fn cut_at(after_bytes: Option<usize>, len: usize, prompt: &Prompt<'_>) -> usize {
        let last = len.saturating_sub(1);
        let place = prompt.number().checked_rem(len as u64).unwrap_or(0);
        after_bytes
            .unwrap_or(usize::try_from(place).unwrap_or(0))
            .min(last)
    }
}

/// An error in the words of an OpenAI-like provider.
pub(crate) fn error_body(message: &str, code: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": code, "code": code}}).to_string()
}

/// Deals faults out. The same request may fail `attempts_max` times at most, so that patience is rewarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    pub seed: u64,
    /// Faulty calls among a thousand.
    pub per_mille: u32,
    /// Attempts of one request that may fail; the next one does not.
    pub attempts_max: u64,
    pub kinds: Vec<Fault>,
}

impl Faults {
    /// What goes wrong with this attempt (from 1) of the request with this digest.
    pub fn at(&self, digest: Hash, attempt: u64) -> Option<Fault> {
        if self.kinds.is_empty() || attempt > self.attempts_max {
            return None;
        }
        let mut rng = Rng::new(self.seed).fork(&format!("{digest} {attempt}"));
        rng.chance(self.per_mille)
            .then(|| rng.pick(&self.kinds).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_a_function_of_seed_request_and_attempt() {
        let plan = |seed| Faults {
            seed,
            per_mille: 500,
            attempts_max: 2,
            kinds: Fault::all(),
        };
        let dealt = |seed| -> Vec<_> {
            let requests = (0..64_u8).map(|n| Hash::of(&[n]));
            requests.map(|hash| plan(seed).at(hash, 1)).collect()
        };
        assert_eq!(dealt(1), dealt(1));
        assert_ne!(dealt(1), dealt(2));
        let failed = dealt(1).iter().flatten().count();
        assert!((16..=48).contains(&failed), "{failed} of 64 at one half");
        assert_eq!(plan(1).at(Hash::of(b"x"), 3), None);
    }

    #[test]
    fn a_cut_never_leaves_the_answer_whole() {
        let prompt = Prompt::new("m".into(), Vec::new(), Vec::new(), None);
        assert_eq!(Fault::cut_at(Some(900), 10, &prompt), 9);
        assert_eq!(Fault::cut_at(Some(4), 10, &prompt), 4);
        assert!(Fault::cut_at(None, 10, &prompt) < 10);
        assert_eq!(Fault::cut_at(None, 0, &prompt), 0);
    }

    #[test]
    fn half_an_answer_ends_at_a_whole_character() {
        let prompt = Prompt::new("m".into(), Vec::new(), Vec::new(), None);
        let mut answer = Answer::text("ééé");
        Fault::Length.spoil(&mut answer, &prompt);
        assert_eq!((answer.text.as_str(), answer.cut), ("é", true));
    }
}
