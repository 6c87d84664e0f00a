//! The key, taken out of whatever a server sends back: some servers repeat what they were given in their errors.

use std::sync::Arc;

use bwana_types::message::Part;
use bwana_types::model::LlmError;
use bwana_types::secret::Secret;

/// Shorter "keys" (`none`, `ollama`) are no secrets, and replacing them would garble messages.
const SECRET_MIN_BYTES: usize = 8;
/// What stands where a key was.
const HIDDEN: &str = "[key]";

/// `error` without `secret` anywhere in it.
pub(crate) fn redact(mut error: LlmError, secret: Option<&Secret>) -> LlmError {
    let Some(key) = secret.map(|secret| secret.expose().trim()) else {
        return error;
    };
    if key.len() < SECRET_MIN_BYTES {
        return error;
    }
    let hide = |text: &mut String| {
        if text.contains(key) {
            *text = text.replace(key, HIDDEN);
        }
    };
    hide(&mut error.message);
    hide(&mut error.body);
    error.request_id.iter_mut().for_each(hide);
    let partial = &mut *error.partial;
    partial.meta.request_id.iter_mut().for_each(hide);
    partial
        .meta
        .rate
        .iter_mut()
        .for_each(|(_, value)| hide(value));
    partial.response_id.iter_mut().for_each(hide);
    hide(&mut partial.model);
    for part in &mut partial.parts {
        if let Part::Text { text } | Part::Reasoning { text, .. } = part
            && text.contains(key)
        {
            *text = Arc::from(text.replace(key, HIDDEN));
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use bwana_types::model::ErrorKind;

    use super::*;

    #[test]
    fn an_echoed_key_is_hidden_everywhere() {
        let secret = Secret::new(String::from("sk-live-1234567890"));
        let said = || format!("bad key {} here", secret.expose());
        let mut error = LlmError::new(ErrorKind::Auth, said());
        error.body = said();
        error.request_id = Some(said());
        error.partial.parts.push(Part::text(said()));
        error.partial.meta.rate.push((String::from("x"), said()));
        let error = redact(error, Some(&secret));
        assert!(!format!("{error:?}").contains("1234567890"), "{error:?}");
        assert_eq!(error.message, "bad key [key] here");
    }

    #[test]
    fn a_word_that_is_no_secret_does_not_garble_messages() {
        let secret = Secret::new(String::from("none"));
        let error = redact(
            LlmError::new(ErrorKind::Server, "none of it"),
            Some(&secret),
        );
        assert_eq!(error.message, "none of it");
    }
}
