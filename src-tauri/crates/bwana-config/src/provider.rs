//! A provider as the person set it up: its address, how its key is found, and what it costs. Plain values, checked for
//! sense; whether the provider answers is not asked here.

use std::fmt;

use bwana_types::definition::Price;
use bwana_types::money::MicroUsd;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

use crate::error::{ConfigError, Result};
use crate::key::KeyRef;

/// The name of the built-in model's provider; nobody else may have it.
pub const LOCAL_PROVIDER: &str = "local";
/// Names that would be ambiguous where a model is written as `PROVIDER/MODEL` or `default`.
const RESERVED_NAMES: &[&str] = &[LOCAL_PROVIDER, "default", "none"];
const NAME_MAX_CHARS: usize = 40;

/// Something that serves models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// What people write before the slash in `PROVIDER/MODEL`.
    pub name: String,
    pub kind: ProviderKind,
    /// With or without its version segment.
    pub base_url: String,
    /// How the key is found; `None` sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyRef>,
    /// Used when only the provider is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// US dollars per million tokens of input; unknown if not set, which is not zero.
    #[serde(
        default,
        with = "crate::amount",
        skip_serializing_if = "Option::is_none"
    )]
    pub price_in: Option<MicroUsd>,
    #[serde(
        default,
        with = "crate::amount",
        skip_serializing_if = "Option::is_none"
    )]
    pub price_out: Option<MicroUsd>,
    /// Prices of single models, where they differ from those above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<ModelPrice>,
    /// Tokens of context of its models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// Its models have under about four billion parameters: agents get their compact instructions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub small: bool,
    /// Its models do not call tools reliably: tool calls go through JSON of a given form.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub constrained_tools: bool,
    /// Differences of its dialect, as the model crate names them; checked there.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub quirks: serde_json::Map<String, serde_json::Value>,
}

/// What one model of a provider costs, in US dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// Exactly as it is asked for.
    pub model: String,
    #[serde(
        default,
        with = "crate::amount",
        skip_serializing_if = "Option::is_none"
    )]
    pub price_in: Option<MicroUsd>,
    #[serde(
        default,
        with = "crate::amount",
        skip_serializing_if = "Option::is_none"
    )]
    pub price_out: Option<MicroUsd>,
}

impl ProviderSettings {
    /// A provider with an address and nothing else said.
    pub fn new(name: impl Into<String>, base_url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: ProviderKind::Openai,
            base_url: base_url.into(),
            key: None,
            model: None,
            price_in: None,
            price_out: None,
            prices: Vec::new(),
            context: None,
            small: false,
            constrained_tools: false,
            quirks: serde_json::Map::new(),
        }
    }

    /// # Errors
    /// If the name is taken by the program, or the address cannot be one of a provider.
    pub fn check(&self) -> Result<()> {
        parse_provider_name(&self.name)?;
        let url = self.url()?;
        if self.key.is_some() && url.scheme() == "http" && !is_near(&url) {
            return Err(ConfigError::value(
                format!(
                    "{} would send its key unencrypted to {}",
                    self.name, self.base_url
                ),
                "Use https, or leave the key away.",
            ));
        }
        if self.context == Some(0) {
            return Err(ConfigError::value(
                format!("{} has a context of 0 tokens", self.name),
                "Leave the context away if you do not know it.",
            ));
        }
        Ok(())
    }

    /// What `model` costs. On this machine nothing is paid unless the person says so; elsewhere a price that is not set
    /// is unknown.
    pub fn price(&self, model: &str) -> Price {
        let line = self.prices.iter().find(|line| line.model == model);
        let (price_in, price_out) = match line {
            Some(line) => (line.price_in, line.price_out),
            None => (self.price_in, self.price_out),
        };
        let free = self.is_loopback().then_some(MicroUsd::ZERO);
        Price {
            input_per_mtok: price_in.or(free),
            output_per_mtok: price_out.or(free),
        }
    }

    /// Whether it runs on this machine.
    pub fn is_loopback(&self) -> bool {
        self.url().is_ok_and(|url| is_loopback(&url))
    }

    fn url(&self) -> Result<Url> {
        let bad = |why: &str| {
            // The address is repeated only if it holds no password.
            let shown = if self.base_url.contains(['@', '?', '#']) {
                String::from("the address")
            } else {
                format!("'{}'", self.base_url.chars().take(100).collect::<String>())
            };
            ConfigError::value(
                format!("{shown} of {} cannot be a base URL: {why}", self.name),
                "It looks like https://api.example.com/v1 or http://127.0.0.1:8080/v1.",
            )
        };
        let url = Url::parse(&self.base_url).map_err(|error| bad(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(bad("it does not begin with http:// or https:// and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it holds a user name or password"));
        }
        // A version in the query is how some providers want it; anything else there may be a key.
        let foreign = url.query_pairs().any(|(name, _)| name != "api-version");
        if foreign || url.fragment().is_some() {
            return Err(bad("it holds more than an address"));
        }
        Ok(url)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Endings of names that are only known inside a house.
const NEAR_ENDINGS: &[&str] = &[".local", ".lan", ".internal", ".home.arpa"];

/// On this machine or in its own network, where unencrypted servers are usual.
fn is_near(url: &Url) -> bool {
    is_loopback(url)
        || match url.host() {
            Some(Host::Ipv4(address)) => address.is_private() || address.is_link_local(),
            Some(Host::Ipv6(address)) => {
                address.is_unique_local() || address.is_unicast_link_local()
            }
            Some(Host::Domain(name)) => {
                !name.contains('.') || NEAR_ENDINGS.iter().any(|end| name.ends_with(end))
            }
            None => false,
        }
}

/// A name a provider may have.
///
/// # Errors
/// If it is empty, too long, has other characters than `a-z 0-9 - _`, or is reserved.
pub fn parse_provider_name(name: &str) -> Result<&str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let shown: String = name.chars().take(NAME_MAX_CHARS).collect();
    if !starts || !name.bytes().all(plain) || name.len() > NAME_MAX_CHARS {
        return Err(ConfigError::value(
            format!("'{shown}' cannot be the name of a provider"),
            format!(
                "Use lower-case letters, digits, - and _, at most {NAME_MAX_CHARS}, like `groq`."
            ),
        ));
    }
    if RESERVED_NAMES.contains(&name) {
        return Err(ConfigError::value(
            format!("'{shown}' is a name of the program itself"),
            "Choose another name for the provider.",
        ));
    }
    Ok(name)
}

/// Which dialect a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenAI chat completions, which most servers speak.
    Openai,
    /// OpenAI responses, which its newest models want.
    OpenaiResponses,
    Anthropic,
    Gemini,
    /// Ollama's own, in which it is told how much context to make room for.
    Ollama,
}

impl ProviderKind {
    pub const ALL: [Self; 5] = [
        Self::Openai,
        Self::OpenaiResponses,
        Self::Anthropic,
        Self::Gemini,
        Self::Ollama,
    ];

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::OpenaiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    /// The dialect's name in the model crate.
    pub const fn dialect(self) -> &'static str {
        match self {
            Self::Openai => "openai_chat",
            Self::OpenaiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    /// The kind that speaks `dialect`.
    pub fn of_dialect(dialect: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.dialect() == dialect)
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ProviderKind {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| {
            let shown: String = text.chars().take(NAME_MAX_CHARS).collect();
            ConfigError::value(
                format!("there is no kind of provider called '{shown}'"),
                format!("Use one of: {}.", Self::ALL.map(Self::as_str).join(", ")),
            )
        })
    }
}

impl Serialize for ProviderKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ProviderKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(base_url: &str, key: bool, expected: Option<&str>) {
        let mut provider = ProviderSettings::new("p", base_url);
        provider.key = key.then(|| KeyRef::env("K").unwrap());
        let said = provider.check().err().map(|error| error.to_string());
        assert_eq!(said.as_deref(), expected, "{base_url}");
    }

    #[test]
    fn an_address_is_http_with_a_host_and_nothing_secret() {
        check("https://api.example.com/v1", true, None);
        check("http://127.0.0.1:8080", false, None);
        check("http://[::1]:8080/v1/", true, None);
        check("https://a.example.com/openai?api-version=7", true, None);
        check(
            "api.example.com",
            false,
            Some("'api.example.com' of p cannot be a base URL: relative URL without a base"),
        );
        check(
            "ftp://example.com",
            false,
            Some(
                "'ftp://example.com' of p cannot be a base URL: it does not begin with http:// or https:// and a host",
            ),
        );
        check(
            "https://me:sk-1@example.com",
            false,
            Some("the address of p cannot be a base URL: it holds a user name or password"),
        );
        check(
            "https://example.com/?key=1",
            false,
            Some("the address of p cannot be a base URL: it holds more than an address"),
        );
    }

    #[test]
    fn a_key_goes_unencrypted_only_inside_the_house() {
        for near in [
            "http://localhost:1",
            "http://192.168.1.5:1",
            "http://nas:1",
            "http://nas.local:1",
        ] {
            check(near, true, None);
        }
        check(
            "http://api.example.com/v1",
            true,
            Some("p would send its key unencrypted to http://api.example.com/v1"),
        );
        check("http://api.example.com/v1", false, None);
    }

    #[test]
    fn only_loopback_is_free_unless_the_person_says_so() {
        let mut near = ProviderSettings::new("a", "http://127.0.0.1:1");
        assert_eq!(near.price("m").input_per_mtok, Some(MicroUsd::ZERO));
        near.price_in = Some(MicroUsd(5));
        assert_eq!(near.price("m").input_per_mtok, Some(MicroUsd(5)));
        let mut far = ProviderSettings::new("a", "https://example.com");
        assert_eq!(far.price("m"), Price::default());
        far.price_in = Some(MicroUsd(7));
        far.prices = vec![ModelPrice {
            model: String::from("m"),
            price_in: Some(MicroUsd(1)),
            price_out: None,
        }];
        assert_eq!(far.price("m").input_per_mtok, Some(MicroUsd(1)));
        assert_eq!(far.price("m:free").input_per_mtok, Some(MicroUsd(7)));
    }

    #[test]
    fn names_that_would_be_ambiguous_are_refused() {
        for name in ["groq", "my-server_2", "0"] {
            parse_provider_name(name).unwrap();
        }
        for name in ["", "Groq", "a/b", "a b", "-a", "local", "default", "é"] {
            assert!(parse_provider_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_kind_is_written_as_people_know_it_and_nothing_else() {
        for kind in ProviderKind::ALL {
            assert_eq!(kind.as_str().parse::<ProviderKind>().unwrap(), kind);
            assert_eq!(ProviderKind::of_dialect(kind.dialect()), Some(kind));
        }
        let error = "openai_chat".parse::<ProviderKind>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no kind of provider called 'openai_chat'"
        );
    }
}
