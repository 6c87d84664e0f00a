//! Where a provider is: a base URL as people write it (with or without slash, version or even the whole path of the
//! chat endpoint), and whether it is on this machine.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// The base URL of a provider, checked and completed.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
}

/// Why a text is no base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// The text is not repeated: it may be a key pasted into the wrong field.
    #[error("that is not an address; write it like http://127.0.0.1:8080/v1")]
    NotAnAddress,
    #[error("an address begins with http:// or https://, not '{0}://'")]
    Scheme(String),
    #[error("an address must not hold a name, password or key; give the key on its own")]
    HoldsSecret,
}

impl Endpoint {
    /// Reads a base URL. `version` (like `v1`) is added where the path has no version of its own, except behind an
    /// address that was given with its whole path: then that path decides.
    ///
    /// # Errors
    /// [`BadEndpoint`]
    pub fn new(text: &str, version: &str) -> Result<Self, BadEndpoint> {
        let text = text.trim();
        let mut base = Url::parse(text).map_err(|_| BadEndpoint::NotAnAddress)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(BadEndpoint::Scheme(base.scheme().to_owned()));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(BadEndpoint::HoldsSecret);
        }
        if base.query_pairs().any(|(name, _)| is_key(&name)) {
            return Err(BadEndpoint::HoldsSecret);
        }
        base.set_fragment(None);
        let path = base.path().trim_end_matches('/').to_owned();
        let whole = WHOLE_PATHS.iter().find_map(|end| path.strip_suffix(end));
        let path = match whole {
            Some(given) => given.to_owned(),
            None if !is_version(version) => own_path(&path, version),
            None if path.split('/').any(is_version) => path,
            None => format!("{path}/{version}"),
        };
        base.set_path(&path);
        Ok(Self { base })
    }

    /// The address of `path` below the base; a query of the base (an API version) stays, one of `path` joins it.
    pub fn join(&self, path: &str) -> Url {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/{path}",
            self.base.path().trim_end_matches('/')
        ));
        if let Some(query) = query {
            let query = match self.base.query() {
                Some(own) if !own.is_empty() => format!("{own}&{query}"),
                _ => query.to_owned(),
            };
            url.set_query(Some(&query));
        }
        url
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        is_this_machine(&self.base)
    }

    /// Whether the host is `domain` or below it.
    pub fn is_at(&self, domain: &str) -> bool {
        let host = self.host().to_ascii_lowercase();
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Whether it is asked without TLS.
    pub fn is_plain_http(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// Host and port, as it goes into messages.
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        match self.base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The address of `path` for people: without the query.
    pub fn show(&self, path: &str) -> String {
        let mut url = self.join(path);
        url.set_query(None);
        url.into()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show(""))
    }
}

/// How the addresses end at which a dialect is asked, where people give one whole. The last slash of the base stays off.
const WHOLE_PATHS: [&str; 3] = ["/chat/completions", "/responses", "/messages"];

/// The path of a dialect whose first segment is no version (Ollama's `api`): behind the address of the same server's
/// compatible endpoint, or of its chat, people mean the server.
fn own_path(path: &str, first: &str) -> String {
    let own = format!("/{first}");
    let chat = format!("{own}/chat");
    let root = [chat.as_str(), own.as_str(), "/v1"]
        .iter()
        .find_map(|end| path.strip_suffix(end))
        .unwrap_or(path);
    format!("{root}{own}")
}

/// `v1`, `v4`, `v1beta`, `v1beta2`
fn is_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix('v') else {
        return false;
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = segment.len() - 1 - rest.len();
    let rest = rest
        .strip_prefix("alpha")
        .or_else(|| rest.strip_prefix("beta"))
        .unwrap_or(rest);
    digits > 0 && rest.bytes().all(|b| b.is_ascii_digit())
}

/// Query parameters in which some providers take a key. Ours go into a header: addresses end up in logs.
fn is_key(name: &str) -> bool {
    ["key", "api_key", "apikey", "api-key", "access_token"]
        .iter()
        .any(|key| name.eq_ignore_ascii_case(key))
}

/// Whether an address is of this machine.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => {
            IpAddr::from(ip).to_canonical().is_loopback() || ip.is_unspecified()
        }
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost")
                || name.to_ascii_lowercase().ends_with(".localhost")
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, url: &str) {
        let endpoint = Endpoint::new(text, "v1").unwrap();
        assert_eq!(endpoint.join("chat/completions").as_str(), url);
    }

    #[test]
    fn an_address_is_understood_however_it_is_written() {
        let chat = "http://127.0.0.1:8080/v1/chat/completions";
        for text in [
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080/",
            " http://127.0.0.1:8080/v1 ",
            "http://127.0.0.1:8080/v1/",
            "http://127.0.0.1:8080/v1//",
            "http://127.0.0.1:8080/v1/chat/completions",
        ] {
            check(text, chat);
        }
    }

    #[test]
    fn paths_and_versions_of_providers_stay() {
        check(
            "https://api.groq.com/openai/v1",
            "https://api.groq.com/openai/v1/chat/completions",
        );
        check(
            "https://api.groq.com/openai",
            "https://api.groq.com/openai/v1/chat/completions",
        );
        check(
            "https://openrouter.ai/api/v1/",
            "https://openrouter.ai/api/v1/chat/completions",
        );
        check(
            "https://g.example/v1beta/openai/",
            "https://g.example/v1beta/openai/chat/completions",
        );
        check(
            "http://localhost:3001/api/v1/openai",
            "http://localhost:3001/api/v1/openai/chat/completions",
        );
        check(
            "https://p.example/chat/completions",
            "https://p.example/chat/completions",
        );
        check(
            "https://a.example/v1?api-version=7",
            "https://a.example/v1/chat/completions?api-version=7",
        );
        check(
            "https://z.example/api/paas/v4",
            "https://z.example/api/paas/v4/chat/completions",
        );
        check(
            "https://x.example/vault",
            "https://x.example/vault/v1/chat/completions",
        );
    }

    #[test]
    fn the_address_of_a_dialect_without_a_version_is_understood_too() {
        for text in [
            "http://127.0.0.1:11434",
            "http://127.0.0.1:11434/",
            "http://127.0.0.1:11434/api",
            "http://127.0.0.1:11434/api/",
            "http://127.0.0.1:11434/api/chat",
            "http://127.0.0.1:11434/v1",
        ] {
            let endpoint = Endpoint::new(text, "api").unwrap();
            let chat = "http://127.0.0.1:11434/api/chat";
            assert_eq!(endpoint.join("chat").as_str(), chat, "{text}");
        }
        let behind = Endpoint::new("https://p.example/ollama", "api").unwrap();
        assert_eq!(
            behind.join("chat").as_str(),
            "https://p.example/ollama/api/chat"
        );
        let whole = Endpoint::new("https://a.example/v1/responses", "v1").unwrap();
        assert_eq!(
            whole.join("responses").as_str(),
            "https://a.example/v1/responses"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        let error = |text: &str| Endpoint::new(text, "v1").unwrap_err();
        assert_eq!(error("sk-1234567890abcdef"), BadEndpoint::NotAnAddress);
        assert_eq!(
            error("ftp://x/v1"),
            BadEndpoint::Scheme(String::from("ftp"))
        );
        assert_eq!(error("http://me:secret@x/v1"), BadEndpoint::HoldsSecret);
        assert_eq!(
            error("https://g.example/v1beta?alt=json&key=AIza0"),
            BadEndpoint::HoldsSecret
        );
        assert_eq!(error(""), BadEndpoint::NotAnAddress);
        assert_eq!(error("127.0.0.1:8080"), BadEndpoint::NotAnAddress);
        assert!(
            !error("http://me:secret@x/v1")
                .to_string()
                .contains("secret")
        );
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for (text, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9:1", true),
            ("http://[::1]:1", true),
            ("http://[::ffff:127.0.0.1]:1", true),
            ("http://localhost:1", true),
            ("http://LOCALHOST.:1", true),
            ("http://x.localhost", true),
            ("http://0.0.0.0:1", true),
            ("http://192.168.1.4:11434", false),
            ("https://localhost.example.org", false),
            ("https://api.example.org", false),
        ] {
            assert_eq!(
                Endpoint::new(text, "v1").unwrap().is_loopback(),
                loopback,
                "{text}"
            );
        }
    }

    #[test]
    fn a_path_may_bring_a_query_and_is_otherwise_taken_as_it_is() {
        let join = |base: &str, path: &str| {
            let endpoint = Endpoint::new(base, "v1beta").unwrap();
            endpoint.join(path).as_str().to_owned()
        };
        let path = "models/a%2F..%2Fb%3F:streamGenerateContent?alt=sse";
        assert_eq!(
            join("https://g.example", path),
            "https://g.example/v1beta/models/a%2F..%2Fb%3F:streamGenerateContent?alt=sse"
        );
        assert_eq!(
            join("https://g.example/v1?x=1", "models?pageSize=9"),
            "https://g.example/v1/models?x=1&pageSize=9"
        );
        let messages = Endpoint::new("https://a.example/v1/messages", "v1").unwrap();
        assert_eq!(
            messages.join("messages").as_str(),
            "https://a.example/v1/messages"
        );
    }

    #[test]
    fn a_query_is_not_shown() {
        let endpoint = Endpoint::new("https://a.example/v1?code=s3cret", "v1").unwrap();
        assert_eq!(endpoint.show("models"), "https://a.example/v1/models");
        assert!(!format!("{endpoint:?}").contains("s3cret"));
    }
}
