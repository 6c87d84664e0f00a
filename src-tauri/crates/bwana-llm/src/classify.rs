//! What a provider's error answer means: its own words out of a dozen shapes, the kind that says what to do next, and
//! how long it asks us to wait. Pure; headers are the transport's.

use std::time::Duration;

use bwana_types::model::{ERROR_BODY_MAX_BYTES, ErrorKind, LlmError};
use serde_json::Value;

use crate::wait::parse_wait;

/// How much of a provider's words goes into a message. The rest is in the body.
pub const WORDS_MAX_CHARS: usize = 1_000;

/// A provider's error, taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The message, in the provider's words.
    pub words: String,
    /// `code`, `type` and `status`, lower case, whichever were there.
    pub codes: Vec<String>,
    /// The request field it complains about.
    pub param: Option<String>,
    /// A status inside the body, as gateways send it with a 200.
    pub status: Option<u16>,
    /// What the model wrote when it failed to write a tool call (Groq).
    pub failed_generation: Option<String>,
    pub retry_after: Option<Duration>,
}

/// The error in `body`, if it is one. A body that is no JSON is taken as words; an answer is `None`.
pub fn read_error(body: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{FEFF}').trim();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => said_in(&value),
        Err(_) if text.is_empty() => None,
        Err(_) => Some(Said {
            words: cut(&visible_text(text)),
            ..Said::default()
        }),
    }
}

/// An [`LlmError`] for `body`. `status` is that of the HTTP answer, or `None` for an error inside a stream;
/// `otherwise` is the kind when nothing tells.
pub fn to_error(status: Option<u16>, body: &[u8], otherwise: ErrorKind) -> LlmError {
    let said = read_error(body).unwrap_or_default();
    let kind = kind_of(status, &said, otherwise);
    let words = if said.words.is_empty() {
        String::from("no reason given")
    } else {
        said.words
    };
    let message = match status {
        Some(status) => format!("answered {status}: {words}"),
        None => format!("reports an error: {words}"),
    };
    let mut error = LlmError::new(kind, message);
    error.status = status;
    error.retry_after = said.retry_after;
    error.body = kept_body(body);
    if let Some(text) = said.failed_generation {
        error
            .partial
            .parts
            .push(bwana_types::message::Part::text(text));
    }
    error
}

/// The first [`ERROR_BODY_MAX_BYTES`] of a body as text.
pub fn kept_body(body: &[u8]) -> String {
    // Replacing what is no UTF-8 can make the text longer than its bytes, so the cap is kept on the text too.
    let head = &body[..body.len().min(ERROR_BODY_MAX_BYTES)];
    let mut text = String::from_utf8_lossy(head).into_owned();
    let mut end = text.len().min(ERROR_BODY_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

fn said_in(value: &Value) -> Option<Said> {
    let root = match value {
        Value::Array(items) => items.first()?, // Google's compatible endpoint wraps its error in a list
        other => other,
    };
    let root_map = root.as_object()?;
    let error = match root_map.get("error") {
        Some(Value::Null) | None => None,
        Some(error) => Some(error),
    };
    let is_error = error.is_some()
        || root_map.get("object").and_then(Value::as_str) == Some("error")
        || root_map.get("type").and_then(Value::as_str) == Some("error")
        || (!root_map.contains_key("choices")
            && ["message", "detail", "errors"]
                .iter()
                .any(|key| root_map.contains_key(*key)));
    if !is_error {
        return None;
    }
    let source = error.filter(|e| e.is_object()).unwrap_or(root);
    let mut said = Said {
        words: words_of(error, root),
        param: text_at(source, "param"),
        failed_generation: text_at(source, "failed_generation"),
        ..Said::default()
    };
    for key in ["code", "type", "status"] {
        match source.get(key) {
            Some(Value::String(code)) => said.codes.push(code.to_lowercase()),
            Some(Value::Number(number)) => {
                said.status = said
                    .status
                    .or_else(|| u16::try_from(number.as_u64()?).ok())
                    .filter(|status| (400..600).contains(status));
            }
            _ => {}
        }
    }
    said.retry_after = wait_in(source).or_else(|| wait_in_words(&said.words));
    Some(said)
}

fn words_of(error: Option<&Value>, root: &Value) -> String {
    let source = error.unwrap_or(root);
    let mut words = match source {
        Value::String(text) => text.clone(),
        _ => ["message", "detail", "error", "errors"]
            .iter()
            .find_map(|key| source.get(*key).or_else(|| root.get(*key)))
            .map_or_else(|| source.to_string(), flat_words),
    };
    // Gateways put the real reason behind their own sentence.
    let behind = source
        .pointer("/metadata/raw")
        .map(flat_words)
        .unwrap_or_default();
    if !behind.is_empty() && !words.contains(&behind) {
        words = format!("{words}: {behind}");
    }
    cut(words.trim())
}

/// Words of a message that may be text, an object with a message, or a list of complaints with their places.
fn flat_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flat_words).collect::<Vec<_>>().join("; "),
        Value::Object(map) => {
            let said = ["msg", "message", "detail"]
                .iter()
                .find_map(|key| map.get(*key));
            let place = map.get("loc").and_then(Value::as_array).map(|loc| {
                loc.iter()
                    .map(|part| part.as_str().map_or_else(|| part.to_string(), String::from))
                    .collect::<Vec<_>>()
                    .join(".")
            });
            match (place, said) {
                (Some(place), Some(said)) => format!("{place}: {}", flat_words(said)),
                (None, Some(said)) => flat_words(said),
                (_, None) => value.to_string(),
            }
        }
        other => other.to_string(),
    }
}

/// What to do about an error that said this.
pub fn kind_of(status: Option<u16>, said: &Said, otherwise: ErrorKind) -> ErrorKind {
    let words = said.words.to_lowercase();
    let has = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
    let code = |texts: &[&str]| {
        said.codes
            .iter()
            .any(|code| texts.iter().any(|text| code.contains(text)))
    };
    let status = status.filter(|s| *s >= 400).or(said.status);

    if is_out_of_credit(status, said, &words) {
        ErrorKind::Quota
    } else if code(&["tool_use_failed"]) {
        ErrorKind::Malformed
    } else if code(&["rate_limit", "too_many_requests"]) || status == Some(429) {
        ErrorKind::RateLimited
    } else if is_context_too_long(said, &words) {
        ErrorKind::ContextTooLong
    } else if code(&[
        "content_filter",
        "content_policy",
        "responsibleaipolicy",
        "moderation",
        "invalid_prompt",
    ]) || (status == Some(403) && has(&["flagged", "moderation"]))
    {
        ErrorKind::Refused
    } else if code(&[
        "invalid_api_key",
        "authentication",
        "invalid_auth",
        "unauthenticated",
    ]) || has(&["api key not valid", "invalid api key", "incorrect api key"])
    {
        ErrorKind::Auth
    } else if code(&["model_not_found", "not_found"])
        || (words.contains("model") && has(&["not found", "does not exist"]))
    {
        ErrorKind::NotFound
    } else if is_template_complaint(&words) {
        ErrorKind::BadRequest // a chat template that raises gives a 500, but it will raise again
    } else if code(&["overloaded", "unavailable"])
        || has(&["overloaded", "loading model", "currently over capacity"])
    {
        ErrorKind::Overloaded
    } else {
        by_status(status, &code, otherwise)
    }
}

fn by_status(
    status: Option<u16>,
    code: &dyn Fn(&[&str]) -> bool,
    otherwise: ErrorKind,
) -> ErrorKind {
    match status {
        Some(401 | 403 | 407) => ErrorKind::Auth,
        Some(402) => ErrorKind::Quota,
        Some(404 | 405 | 410) => ErrorKind::NotFound,
        Some(408 | 425) => ErrorKind::Server,
        Some(413) => ErrorKind::TooLarge,
        Some(503 | 529) => ErrorKind::Overloaded,
        Some(status) if status >= 500 => ErrorKind::Server,
        Some(_) => ErrorKind::BadRequest,
        None if code(&["server_error", "internal"]) => ErrorKind::Server,
        None if code(&["invalid_request", "bad_request"]) => ErrorKind::BadRequest,
        None => otherwise,
    }
}

fn is_out_of_credit(status: Option<u16>, said: &Said, words: &str) -> bool {
    let by_code = said.codes.iter().any(|code| {
        [
            "insufficient_quota",
            "billing",
            "insufficient_balance",
            "payment_required",
        ]
        .iter()
        .any(|text| code.contains(text))
    });
    let by_words = [
        "insufficient balance",
        "insufficient credit",
        "insufficient funds",
        "credit balance is too low",
        "out of credits",
        "requires more credits",
        "billing hard limit",
    ]
    .iter()
    .any(|text| words.contains(text));
    // Google says "exceeded your current quota" for a limit per minute too; then it also says when to come back.
    let quota_for_good =
        words.contains("exceeded your current quota") && said.retry_after.is_none();
    status == Some(402) || by_code || by_words || quota_for_good
}

fn is_context_too_long(said: &Said, words: &str) -> bool {
    let by_code = said.codes.iter().any(|code| {
        ["context_length_exceeded", "exceed_context_size"]
            .iter()
            .any(|text| code.contains(text))
    });
    let by_words = [
        "maximum context length",
        "available context size",
        "exceeds the context",
        "exceed the context",
        "exceed context window",
        "exceeds context window",
        "greater than the context length",
        "context the overflows",
        "larger than the context",
        "longer than the context",
        "prompt is too long",
        "prompt too long",
        "input is too long",
        "reduce the length of the",
        "too many input tokens",
        "exceed context limit",
        "exceeds the maximum number of tokens",
        "shorten the conversation",
    ]
    .iter()
    .any(|text| words.contains(text));
    // "9016 tokens exceeds 4096"; but a complaint about the output limit is another matter.
    let by_numbers = words.contains("token")
        && !words.contains("max_tokens")
        && !words.contains("max_completion_tokens")
        && ["exceeds ", "exceed "].iter().any(|verb| {
            words
                .split(verb)
                .skip(1)
                .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        });
    by_code || by_words || by_numbers
}

/// Whether a chat template refused the order of the roles.
pub fn is_template_complaint(words: &str) -> bool {
    [
        "roles must alternate",
        "system message must be at the beginning",
        "system role not supported",
        "raise_exception",
        "jinja exception",
    ]
    .iter()
    .any(|text| words.contains(text))
}

/// What a person would read of a page: its text without tags, scripts and styles, blanks folded.
pub fn visible_text(page: &str) -> String {
    if !page.contains('<') {
        return page.trim().to_owned();
    }
    let mut text = String::new();
    let mut rest = page;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        text.push(' ');
        rest = &rest[open..];
        let lower: String = rest.chars().take(8).collect::<String>().to_lowercase();
        let end = if lower.starts_with("<script") {
            end_of(rest, "</script>")
        } else if lower.starts_with("<style") {
            end_of(rest, "</style>")
        } else if lower.starts_with("<!--") {
            rest.find("-->").map(|at| at + 3)
        } else {
            rest.find('>').map(|at| at + 1)
        };
        match end {
            Some(end) => rest = &rest[end..],
            None => return fold_blanks(&text),
        }
    }
    text.push_str(rest);
    fold_blanks(&text)
}

fn end_of(text: &str, tag: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(tag).map(|at| at + tag.len())
}

fn fold_blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn wait_in(error: &Value) -> Option<Duration> {
    let details = error.get("details").and_then(Value::as_array);
    let google = details.and_then(|details| {
        details
            .iter()
            .find_map(|detail| parse_wait(detail.get("retryDelay")?.as_str()?))
    });
    let seconds = ["/retry_after", "/metadata/retry_after"]
        .iter()
        .find_map(|at| error.pointer(at)?.as_f64())
        .and_then(|s| Duration::try_from_secs_f64(s).ok());
    google.or(seconds)
}

/// "Please try again in 6m0s.", "retry after 20 seconds"
fn wait_in_words(words: &str) -> Option<Duration> {
    let lower = words.to_lowercase();
    [
        "try again in ",
        "retry in ",
        "retry after ",
        "try again after ",
    ]
    .iter()
    .find_map(|lead| lower.split_once(lead))
    .and_then(|(_, rest)| parse_wait(rest))
}

fn text_at(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn cut(words: &str) -> String {
    match words.char_indices().nth(WORDS_MAX_CHARS) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, kind: ErrorKind, words: &str) {
        let error = to_error(Some(status), body.as_bytes(), ErrorKind::BadRequest);
        assert_eq!(error.kind, kind, "{body}");
        assert!(error.message.contains(words), "{}", error.message);
    }

    #[test]
    fn every_shape_of_error_gives_its_words() {
        use ErrorKind::{BadRequest, NotFound, Server};
        check(400, r#"{"error":{"message":"bad x"}}"#, BadRequest, "bad x");
        check(400, r#"{"error":"bad y"}"#, BadRequest, "bad y");
        check(
            400,
            r#"{"object":"error","message":"bad z","code":400}"#,
            BadRequest,
            "bad z",
        );
        check(404, r#"{"detail":"Not Found"}"#, NotFound, "Not Found");
        check(
            422,
            r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#,
            BadRequest,
            "body.stream_options: Extra inputs are not permitted",
        );
        check(
            400,
            r#"[{"error":{"code":400,"message":"in a list","status":"INVALID_ARGUMENT"}}]"#,
            BadRequest,
            "in a list",
        );
        check(
            500,
            "<html><head><style>a{}</style></head><body>Bad  <b>Gateway</b></body></html>",
            Server,
            "Bad Gateway",
        );
        check(
            400,
            r#"{"error":{"message":"Provider returned error","metadata":{"raw":"upstream says no"}}}"#,
            BadRequest,
            "Provider returned error: upstream says no",
        );
        check(500, "", Server, "no reason given");
    }

    #[test]
    fn a_full_context_is_told_apart_from_other_refusals() {
        use ErrorKind::{BadRequest, ContextTooLong};
        for body in [
            r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}"#,
            r#"{"error":{"code":500,"message":"the request exceeds the available context size. try increasing the context size or enable context shift"}}"#,
            r#"{"error":"request (9016 tokens) exceeds the available context size (4096 tokens)"}"#,
            r#"{"error":{"message":"9016 tokens exceeds 4096"}}"#,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000"}"#,
            r#"{"error":"Trying to keep the first 9000 tokens when context the overflows"}"#,
            r#"{"error":{"message":"the rendered prompt is 3031 tokens; the model context is 2048 — shorten the conversation or raise --ctx","type":"invalid_request_error"}}"#,
        ] {
            check(400, body, ContextTooLong, "");
        }
        check(
            400,
            r#"{"error":{"message":"max_tokens exceeds 4096 tokens"}}"#,
            BadRequest,
            "",
        );
    }

    #[test]
    fn money_and_patience_are_different_things() {
        use ErrorKind::{Quota, RateLimited, TooLarge};
        check(
            429,
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            Quota,
            "",
        );
        check(
            402,
            r#"{"error":{"message":"Insufficient Balance"}}"#,
            Quota,
            "",
        );
        check(
            429,
            r#"{"error":{"message":"Rate limit reached. Please try again in 1.5s."}}"#,
            RateLimited,
            "",
        );
        check(
            429,
            r#"[{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34s"}]}}]"#,
            RateLimited,
            "",
        );
        check(
            413,
            r#"{"error":{"message":"Request too large for model: Limit 6000, Requested 9000","type":"tokens","code":"rate_limit_exceeded"}}"#,
            RateLimited,
            "",
        );
        check(
            413,
            "<html>413 Request Entity Too Large</html>",
            TooLarge,
            "Too Large",
        );
    }

    #[test]
    fn the_rest_of_the_kinds() {
        use ErrorKind::{Auth, BadRequest, Malformed, NotFound, Overloaded, Refused, Server};
        check(
            401,
            r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#,
            Auth,
            "",
        );
        check(
            400,
            r#"[{"error":{"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
            Auth,
            "",
        );
        check(403, r#"{"error":{"message":"no access"}}"#, Auth, "");
        check(
            403,
            r#"{"error":{"message":"Input was flagged"}}"#,
            Refused,
            "",
        );
        check(
            400,
            r#"{"error":{"code":"content_filter","message":"filtered"}}"#,
            Refused,
            "",
        );
        check(
            404,
            r#"{"error":"model 'x' not found, try pulling it first"}"#,
            NotFound,
            "",
        );
        check(
            503,
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            Overloaded,
            "",
        );
        check(529, "{}", Overloaded, "");
        check(502, "", Server, "");
        check(
            500,
            r#"{"error":{"code":500,"message":"Conversation roles must alternate user/assistant/user/assistant/..."}}"#,
            BadRequest,
            "alternate",
        );
        check(
            400,
            r#"{"error":{"message":"Failed to call a function","code":"tool_use_failed","failed_generation":"<function=x>"}}"#,
            Malformed,
            "",
        );
    }

    #[test]
    fn the_wait_is_found_in_the_body() {
        let wait =
            |body: &str| to_error(Some(429), body.as_bytes(), ErrorKind::BadRequest).retry_after;
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!(
            wait(r#"{"error":{"message":"Please try again in 20ms."}}"#),
            ms(20)
        );
        assert_eq!(
            wait(r#"{"error":{"message":"Please try again in 6m0s."}}"#),
            ms(360_000)
        );
        assert_eq!(
            wait(r#"{"error":{"message":"Please retry after 20 seconds."}}"#),
            ms(20_000)
        );
        assert_eq!(
            wait(r#"{"error":{"details":[{"x":1},{"retryDelay":"34.5s"}]}}"#),
            ms(34_500)
        );
        assert_eq!(
            wait(r#"{"error":{"message":"x","metadata":{"retry_after":3}}}"#),
            ms(3_000)
        );
        assert_eq!(wait(r#"{"error":{"message":"no idea"}}"#), None);
    }

    #[test]
    fn an_answer_is_no_error() {
        assert_eq!(read_error(br#"{"choices":[],"error":null}"#), None);
        assert_eq!(
            read_error(br#"{"id":"x","choices":[{"message":{"content":"hi"}}]}"#),
            None
        );
        assert_eq!(read_error(b""), None);
    }

    #[test]
    fn a_huge_body_is_cut_even_if_it_is_no_text() {
        assert_eq!(
            kept_body("x".repeat(40_000).as_bytes()).len(),
            ERROR_BODY_MAX_BYTES
        );
        assert!(kept_body(&vec![0xFF; 40_000]).len() <= ERROR_BODY_MAX_BYTES);
    }
}
