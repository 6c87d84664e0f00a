//! The quirks of providers we know, by the host they are at and the dialect they are spoken to in. A person can change
//! every field of them.

use crate::anthropic::ANTHROPIC;
use crate::endpoint::Endpoint;
use crate::gemini::GEMINI;
use crate::quirks::{IdRule, MaxTokensField, Quirks, SchemaRule, SystemRule};

impl Quirks {
    /// The quirks to begin with for a provider at `endpoint` that is spoken to in `dialect`.
    pub fn for_provider(endpoint: &Endpoint, dialect: &str) -> Self {
        let base = Self::for_endpoint(endpoint);
        match dialect {
            ANTHROPIC => Self {
                // Others that speak this dialect mostly overlook `output_config`, and say nothing.
                schema: if is_at(endpoint, "anthropic.com") {
                    SchemaRule::Strict
                } else {
                    SchemaRule::Prompt
                },
                ..base.ordered()
            },
            GEMINI => Self {
                schema: SchemaRule::Plain,
                ..base.ordered()
            },
            _ => base,
        }
    }

    /// System messages first and apart, users and models in turns: what both dialects are made of.
    fn ordered(self) -> Self {
        Self {
            system: SystemRule::FirstOnly,
            merge_same_role: true,
            user_speaks_last: true,
            tool_id: IdRule::Clean,
            ..self
        }
    }

    /// The quirks to begin with for a provider at `endpoint`.
    pub fn for_endpoint(endpoint: &Endpoint) -> Self {
        let at = |domain: &str| is_at(endpoint, domain);
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

/// Whether the host is `domain` or below it.
fn is_at(endpoint: &Endpoint, domain: &str) -> bool {
    let host = endpoint.host().to_ascii_lowercase();
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_adds_what_it_is_made_of() {
        let quirks = |url: &str, dialect: &str| {
            Quirks::for_provider(&Endpoint::new(url, "v1").unwrap(), dialect)
        };
        let anthropic = quirks("https://api.anthropic.com", ANTHROPIC);
        assert_eq!(anthropic.schema, SchemaRule::Strict);
        assert_eq!(anthropic.system, SystemRule::FirstOnly);
        assert!(anthropic.merge_same_role && anthropic.idle_pool && anthropic.prompt_cache);
        let other = quirks("https://api.notanthropic.com", ANTHROPIC);
        assert_eq!(other.schema, SchemaRule::Prompt);
        let local = quirks("http://127.0.0.1:8080", ANTHROPIC);
        assert!(!local.idle_pool && local.merge_same_role);
        let google = quirks("https://generativelanguage.googleapis.com/v1beta", GEMINI);
        assert_eq!(google.schema, SchemaRule::Plain);
        assert!(google.merge_same_role);
        assert_eq!(
            quirks("https://api.openai.com", "openai_chat").schema,
            SchemaRule::Strict
        );
    }

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
