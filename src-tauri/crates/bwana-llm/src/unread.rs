//! What is said of answers that cannot be read, and the checks every dialect makes before it believes one.

use bwana_types::model::{ErrorKind, LlmError};
use serde::Deserialize;
use serde_json::Value;

use crate::classify::{kept_body, read_error, to_error};

/// How much of an unreadable event is quoted in the message.
const QUOTE_MAX_CHARS: usize = 200;

/// A `Malformed` that says why, with the body.
pub(crate) fn malformed(body: &[u8], message: &str) -> LlmError {
    let mut error = LlmError::new(ErrorKind::Malformed, message);
    error.body = kept_body(body);
    error
}

/// `what` was to be JSON and is not.
pub(crate) fn unreadable(what: &str, data: &str, error: &serde_json::Error) -> LlmError {
    let quoted = quote(data);
    malformed(
        data.as_bytes(),
        &format!("sent {what} that is no readable JSON ({error}): {quoted}"),
    )
}

/// An unparseable body is a broken answer, not an error message, if it was cut; the reader tells the two apart.
pub(crate) fn whole_error(text: &str) -> LlmError {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => to_error(None, text.as_bytes(), ErrorKind::BadRequest),
        Err(error) => unreadable("the answer", text, &error),
    }
}

/// Servers that forget the blank line between two events make one of them: here they are again.
pub(crate) fn run_together(data: &str) -> Option<impl Iterator<Item = &str>> {
    let is_event = |line: &str| {
        let line = line.trim();
        line.is_empty()
            || line == "[DONE]"
            || serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
    };
    let several = data.contains('\n') && data.lines().all(is_event);
    several.then(|| data.lines().filter(|line| !line.trim().is_empty()))
}

pub(crate) fn quote(data: &str) -> String {
    match data.char_indices().nth(QUOTE_MAX_CHARS) {
        Some((at, _)) => format!("{}…", &data[..at]),
        None => data.to_owned(),
    }
}

/// A list, of models or vectors, out of a whole answer.
///
/// # Errors
/// The provider's own error if the body is one, else `Malformed`.
pub(crate) fn parse<'de, T: Deserialize<'de>>(body: &'de [u8], what: &str) -> Result<T, LlmError> {
    let unreadable =
        |error: serde_json::Error| malformed(body, &format!("sent no {what} to read ({error})"));
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(_) | Value::Array(_)) if read_error(body).is_some() => {
            Err(to_error(None, body, ErrorKind::BadRequest))
        }
        Ok(_) => serde_json::from_slice(body).map_err(unreadable),
        Err(error) => Err(unreadable(error)),
    }
}

/// Refuses vectors that nothing can be compared with.
///
/// # Errors
/// `Malformed`
pub(crate) fn sound(body: &[u8], vectors: &[Vec<f32>]) -> Result<(), LlmError> {
    let dims = vectors.first().map_or(0, Vec::len);
    let is_sound = |v: &Vec<f32>| v.len() == dims && dims > 0 && v.iter().all(|x| x.is_finite());
    if vectors.iter().all(is_sound) {
        return Ok(());
    }
    Err(malformed(
        body,
        "sent vectors of different lengths, or with numbers that are none",
    ))
}
