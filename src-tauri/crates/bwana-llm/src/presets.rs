//! Providers people know by name: where they are, what they speak, how they differ, where a key comes from, and what
//! they say they cost. All of it is data to begin with; a person can change every field of it. A host is compared, a
//! model's name never is.

mod local;
mod table;

use std::sync::Arc;

use bwana_types::definition::Price;
use bwana_types::money::MicroUsd;
use serde::Serialize;

use crate::anthropic::{self, ANTHROPIC, Anthropic};
use crate::dialect::Dialect;
use crate::endpoint::Endpoint;
use crate::gemini::{self, GEMINI, Gemini};
use crate::ollama::{OLLAMA, Ollama};
use crate::openai_chat::{OPENAI_CHAT, OpenAiChat};
use crate::openai_responses::{OPENAI_RESPONSES, OpenAiResponses};
use crate::quirks::{Quirks, SystemRule};

pub use local::{ANSWER_MAX_BYTES, Answer, Must, Question, Sign, questions, recognise};

/// The id of the preset for a server nobody knows.
pub const COMPATIBLE: &str = "compatible";

/// One provider people know by name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preset {
    /// `[a-z0-9-]`; stable, settings may hold it.
    pub id: &'static str,
    /// As people know it.
    pub title: &'static str,
    /// With its version segment; empty where only the person knows it. On loopback with the port the server has unless
    /// told otherwise.
    pub base_url: &'static str,
    /// The id of its dialect.
    pub dialect: &'static str,
    /// The domain of its hosts; empty for servers on this machine.
    pub domain: &'static str,
    pub quirks: Quirks,
    pub key: Key,
    /// What it says its models cost, as far as that could be looked up. What is not here is unknown, which is not zero.
    pub prices: &'static [ListPrice],
    /// What it says its models can read, likewise.
    pub contexts: &'static [ContextSize],
    /// How such a server is recognised; any one of them is enough.
    pub signs: &'static [Sign],
}

/// Whether a provider wants a key, and where it is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Key {
    pub needed: bool,
    pub url: Option<&'static str>,
}

/// A price a provider published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListPrice {
    /// The model this is for, exactly as it is asked for.
    pub model: &'static str,
    /// Micro-dollars for a million tokens.
    pub input_per_mtok: MicroUsd,
    /// Micro-dollars for a million tokens.
    pub output_per_mtok: MicroUsd,
    /// Tokens of input up to which this holds; a longer request costs more.
    pub up_to_input_tokens: Option<u64>,
    /// The last day (YYYY-MM-DD) for which the source says so. It may have changed since.
    pub as_of: &'static str,
    pub source: &'static str,
}

impl ListPrice {
    /// The price of a request of so many tokens of input, as budgets use it; unknown beyond what the line holds for.
    pub fn price(&self, input_tokens: u64) -> Price {
        if self
            .up_to_input_tokens
            .is_some_and(|limit| input_tokens > limit)
        {
            return Price::default();
        }
        Price {
            input_per_mtok: Some(self.input_per_mtok),
            output_per_mtok: Some(self.output_per_mtok),
        }
    }
}

/// The context of a model as its provider publishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ContextSize {
    /// The model this is for, exactly as it is asked for.
    pub model: &'static str,
    pub tokens: u32,
    pub source: &'static str,
}

impl Preset {
    /// The published price of exactly this model.
    pub fn list_price(&self, model: &str) -> Option<&'static ListPrice> {
        self.prices.iter().find(|line| line.model == model)
    }

    /// The published context of exactly this model.
    pub fn context_tokens(&self, model: &str) -> Option<u32> {
        let line = self.contexts.iter().find(|line| line.model == model)?;
        Some(line.tokens)
    }
}

/// Every preset, in the order in which people are offered them. The one for any other server is the last.
pub fn all() -> &'static [Preset] {
    &table::PRESETS
}

/// The preset of this id.
pub fn by_id(id: &str) -> Option<&'static Preset> {
    all().iter().find(|preset| preset.id == id)
}

/// The preset of the provider at `endpoint` that speaks `dialect`. A server on this machine is nobody's until it was
/// asked ([`recognise`]).
pub fn for_endpoint(endpoint: &Endpoint, dialect: &str) -> Option<&'static Preset> {
    let host = endpoint.host().to_ascii_lowercase();
    let at = |domain: &str| {
        !domain.is_empty()
            && host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    all()
        .iter()
        .find(|preset| preset.dialect == dialect && at(preset.domain))
}

/// The dialect of this id; `None` for one this version does not speak.
pub fn dialect(id: &str) -> Option<Arc<dyn Dialect>> {
    match id {
        OPENAI_CHAT => Some(Arc::new(OpenAiChat)),
        OPENAI_RESPONSES => Some(Arc::new(OpenAiResponses)),
        OLLAMA => Some(Arc::new(Ollama)),
        ANTHROPIC => Some(Arc::new(Anthropic)),
        GEMINI => Some(Arc::new(Gemini)),
        _ => None,
    }
}

impl Quirks {
    /// The quirks to begin with for a provider at `endpoint` that speaks chat completions.
    pub fn for_endpoint(endpoint: &Endpoint) -> Self {
        Self::for_dialect(endpoint, OPENAI_CHAT)
    }

    /// The quirks to begin with for a provider at `endpoint` that speaks `dialect`.
    pub fn for_dialect(endpoint: &Endpoint, dialect: &str) -> Self {
        if dialect == ANTHROPIC {
            return anthropic::quirks(endpoint);
        }
        if dialect == GEMINI {
            return gemini::quirks(endpoint);
        }
        if dialect == OLLAMA {
            // Only one server speaks it, wherever it is.
            return by_id("ollama").map_or_else(Self::local_server, |preset| preset.quirks.clone());
        }
        if endpoint.is_loopback() || endpoint.is_plain_http() {
            return Self::local_server();
        }
        for_endpoint(endpoint, dialect).map_or_else(Self::default, |preset| preset.quirks.clone())
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
    use crate::quirks::{IdRule, SchemaRule};

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
