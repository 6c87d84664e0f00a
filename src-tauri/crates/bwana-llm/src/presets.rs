//! The quirks of providers we know, by the host they are at. A person can change every field of them.

use crate::anthropic::{self, ANTHROPIC};
use crate::endpoint::Endpoint;
use crate::gemini::{self, GEMINI};
use crate::quirks::{IdRule, MaxTokensField, Quirks, SchemaRule, SystemRule};

impl Quirks {
    /// The quirks to begin with for a provider at `endpoint`.
    pub fn for_endpoint(endpoint: &Endpoint) -> Self {
        let host = endpoint.host().to_ascii_lowercase();
        let at = |domain: &str| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if endpoint.is_loopback() || endpoint.is_plain_http() {
            Self::local_server()
        } else if at("openai.com") {
            Self {
                max_tokens_field: MaxTokensField::MaxCompletionTokens,
                schema: SchemaRule::Strict,
                ..Self::default()
            }
        } else if at("deepseek.com") {
            Self {
                echo_reasoning: Some(String::from("reasoning_content")),
                schema: SchemaRule::JsonObject,
                ..Self::default()
            }
        } else if at("mistral.ai") {
            Self {
                tool_id: IdRule::Nine,
                // It knows the seed under another name and refuses fields it does not know.
                omit: [String::from("seed")].into(),
                usage_option: false,
                ..Self::default()
            }
        } else {
            Self::default()
        }
    }

    /// The quirks to begin with for a provider at `endpoint` that speaks `dialect`.
    pub fn for_dialect(endpoint: &Endpoint, dialect: &str) -> Self {
        match dialect {
            ANTHROPIC => anthropic::quirks(endpoint),
            GEMINI => gemini::quirks(endpoint),
            _ => Self::for_endpoint(endpoint),
        }
    }

    /// A model server nobody knows anything about, on this machine or in the house: chat templates insist on order,
    /// and connections do not outlive a stream.
    pub fn local_server() -> Self {
        Self {
            system: SystemRule::FirstOnly,
            merge_same_role: true,
            idle_pool: false,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, quirks: &Quirks) {
        let endpoint = Endpoint::new(url, "v1").unwrap();
        assert_eq!(Quirks::for_endpoint(&endpoint), *quirks, "{url}");
    }

    #[test]
    fn known_hosts_get_their_quirks_and_look_alikes_do_not() {
        check("http://127.0.0.1:8080", &Quirks::local_server());
        check("http://192.168.1.20:11434", &Quirks::local_server());
        check("https://openrouter.ai/api/v1", &Quirks::default());
        check("https://notdeepseek.com", &Quirks::default());
        let deepseek = Endpoint::new("https://api.deepseek.com", "v1").unwrap();
        assert_eq!(
            Quirks::for_endpoint(&deepseek).echo_reasoning.as_deref(),
            Some("reasoning_content")
        );
        let openai = Endpoint::new("https://eu.api.openai.com/v1", "v1").unwrap();
        assert_eq!(Quirks::for_endpoint(&openai).schema, SchemaRule::Strict);
    }

    #[test]
    fn quirks_are_data_with_defaults_and_no_typos() {
        let quirks: Quirks = serde_json::from_str(r#"{"tool_id":"nine"}"#).unwrap();
        assert_eq!(quirks.tool_id, IdRule::Nine);
        assert!(quirks.usage_option);
        assert!(serde_json::from_str::<Quirks>(r#"{"tool_ids":"nine"}"#).is_err());
        let text = serde_json::to_string(&Quirks::local_server()).unwrap();
        assert_eq!(
            serde_json::from_str::<Quirks>(&text).unwrap(),
            Quirks::local_server()
        );
    }
}
