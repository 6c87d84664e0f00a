//! What to change after a refusal that names what was wrong. Each change goes one way and happens at most once, so a
//! provider that refuses everything is asked a bounded number of times. A refused request costs nothing.

use bwana_types::model::{ErrorKind, LlmError};

use crate::classify::{Said, is_template_complaint, read_error};
use crate::quirks::{MaxTokensField, Quirks, SchemaRule, SystemRule};

/// Optional fields an answer can do without. `stop` is not among them: without it the answer would be another one.
const OPTIONAL_FIELDS: [&str; 4] = [
    "temperature",
    "seed",
    "parallel_tool_calls",
    "reasoning_effort",
];

/// Fields with which an answer of a given schema is asked for.
const SCHEMA_FIELDS: [&str; 5] = [
    "response_format",
    "json_schema",
    "json_object",
    "output_config",
    "response mime type", // Google's words where a model takes no schema beside tools
];

/// Words with which providers say that the model must not speak last.
const LAST_ROLE: [&str; 3] = [
    "must end with a user message",
    "expected last role user",
    "end with a user role",
];

/// Words with which providers say that they do not know or want a field.
const REFUSALS: [&str; 12] = [
    "unsupported",
    "not supported",
    "does not support",
    "doesn't support",
    "unknown",
    "unrecognized",
    "unexpected",
    "not permitted",
    "not allowed",
    "unavailable",
    "invalid",
    "instead",
];

/// Quirks under which the refused request may be accepted; `None` if the refusal names nothing we can change.
pub(crate) fn adapt(error: &LlmError, quirks: &Quirks) -> Option<Quirks> {
    // A chat template that raises comes as a 500 and is a `BadRequest` too.
    if error.kind != ErrorKind::BadRequest {
        return None;
    }
    let said = read_error(error.body.as_bytes())?;
    let words = said.words.to_lowercase();
    let mut next = quirks.clone();
    if is_template_complaint(&words) {
        order_roles(&words, &mut next);
    } else if LAST_ROLE.iter().any(|text| words.contains(text)) {
        next.user_speaks_last = true;
    } else if about(&said, &words, "stream_options") {
        next.usage_option = false;
    } else if about(&said, &words, "max_tokens") || about(&said, &words, "max_completion_tokens") {
        next.max_tokens_field = other_field(&said, &words, quirks.max_tokens_field)?;
    } else if about(&said, &words, "cache_control") {
        next.prompt_cache = false;
    } else if SCHEMA_FIELDS
        .iter()
        .any(|field| about(&said, &words, field))
    {
        next.schema = match quirks.schema {
            SchemaRule::Strict => SchemaRule::Plain,
            SchemaRule::Plain => SchemaRule::JsonObject,
            SchemaRule::JsonObject | SchemaRule::Prompt => SchemaRule::Prompt,
        };
    } else if words.contains("function tools") && about(&said, &words, "reasoning_effort") {
        // Models that reason by themselves take tools here only when told not to.
        next.effort_with_tools = Some(String::from("none"));
    } else {
        let field = OPTIONAL_FIELDS
            .iter()
            .find(|field| about(&said, &words, field))?;
        next.omit.insert((*field).to_owned());
    }
    (next != *quirks).then_some(next)
}

/// Whether the refusal is about this field: it is named as the culprit, or in a sentence of refusal.
pub(crate) fn about(said: &Said, words: &str, field: &str) -> bool {
    let named = said
        .param
        .as_deref()
        .is_some_and(|param| param.split(['.', '[']).next() == Some(field));
    named || (contains_word(words, field) && REFUSALS.iter().any(|refusal| words.contains(refusal)))
}

/// `seed` must not be found in `seeded`, nor `max_tokens` in `xmax_tokens`.
fn contains_word(words: &str, field: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    words.match_indices(field).any(|(at, _)| {
        !words[..at].ends_with(is_name) && !words[at + field.len()..].starts_with(is_name)
    })
}

/// The other output limit, if the refusal is about the field and not about its value.
fn other_field(said: &Said, words: &str, now: MaxTokensField) -> Option<MaxTokensField> {
    let by_code = said
        .codes
        .iter()
        .any(|c| c.contains("unsupported_parameter"));
    let by_words = [
        "not supported",
        "unsupported parameter",
        "instead",
        "not permitted",
    ]
    .iter()
    .chain(&["unknown", "unrecognized", "unexpected", "not allowed"])
    .any(|text| words.contains(text));
    (by_code || by_words).then_some(match now {
        MaxTokensField::MaxTokens => MaxTokensField::MaxCompletionTokens,
        MaxTokensField::MaxCompletionTokens => MaxTokensField::MaxTokens,
    })
}

fn order_roles(words: &str, next: &mut Quirks) {
    if words.contains("system role") {
        next.system = SystemRule::AsUser;
    } else {
        next.merge_same_role = true;
        if next.system == SystemRule::AsGiven {
            next.system = SystemRule::FirstOnly;
        } else if words.contains("alternate") {
            // Some templates count the system message among the roles that must alternate.
            next.system = SystemRule::AsUser;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::to_error;

    #[track_caller]
    fn check(body: &str, change: impl Fn(&mut Quirks)) {
        let before = Quirks {
            schema: SchemaRule::Strict,
            ..Quirks::default()
        };
        let mut after = before.clone();
        change(&mut after);
        let error = to_error(Some(400), body.as_bytes(), ErrorKind::BadRequest);
        let expected = (after != before).then_some(after);
        assert_eq!(adapt(&error, &before), expected, "{body}");
    }

    #[test]
    fn each_refusal_changes_what_it_names() {
        check(
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
            |q| q.max_tokens_field = MaxTokensField::MaxCompletionTokens,
        );
        check(
            r#"{"error":{"message":"stream_options unsupported"}}"#,
            |q| q.usage_option = false,
        );
        check(
            r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#,
            |q| q.usage_option = false,
        );
        check(
            r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","param":"temperature","code":"unsupported_value"}}"#,
            |q| {
                q.omit.insert(String::from("temperature"));
            },
        );
        check(
            r#"{"error":{"message":"Function tools with reasoning_effort are not supported for m in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.","type":"invalid_request_error","param":"reasoning_effort","code":null}}"#,
            |q| q.effort_with_tools = Some(String::from("none")),
        );
        check(
            r#"{"error":{"message":"This response_format type is unavailable now"}}"#,
            |q| {
                q.schema = SchemaRule::Plain;
            },
        );
        check(
            r#"{"error":{"code":500,"message":"Conversation roles must alternate user/assistant"}}"#,
            |q| {
                q.merge_same_role = true;
                q.system = SystemRule::FirstOnly;
            },
        );
        check(
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"This model does not support assistant message prefill. The conversation must end with a user message."}}"#,
            |q| q.user_speaks_last = true,
        );
        check(
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"system.0.cache_control: Extra inputs are not permitted"}}"#,
            |q| q.prompt_cache = false,
        );
        check(
            r#"{"error":{"message":"System role not supported"}}"#,
            |q| {
                q.system = SystemRule::AsUser;
            },
        );
    }

    #[test]
    fn other_refusals_change_nothing() {
        check(
            r#"{"error":{"message":"max_tokens is too large: 100000. This model supports at most 16384 completion tokens","param":"max_tokens"}}"#,
            |_| {},
        );
        check(r#"{"error":{"message":"Invalid messages"}}"#, |_| {});
        check(r#"{"error":{"message":"invalid seeds"}}"#, |_| {});
        check("not json", |_| {});
    }

    #[test]
    fn a_change_already_made_is_not_made_again() {
        let quirks = Quirks {
            usage_option: false,
            ..Quirks::default()
        };
        let error = to_error(
            Some(400),
            br#"{"error":{"message":"stream_options unsupported"}}"#,
            ErrorKind::BadRequest,
        );
        assert_eq!(adapt(&error, &quirks), None);
    }

    #[test]
    fn only_a_refusal_is_learned_from() {
        let error = to_error(
            Some(401),
            br#"{"error":{"message":"stream_options unsupported"}}"#,
            ErrorKind::BadRequest,
        );
        assert_eq!(adapt(&error, &Quirks::default()), None);
    }
}
