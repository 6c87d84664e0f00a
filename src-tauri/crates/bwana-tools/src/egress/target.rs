//! What counts as an address on the web. Stricter than browsers: what a person reads is what is dialled, in one spelling.

use url::{Host, Url};

use crate::visible::{is_hidden, visible};

/// Bytes of a URL.
pub const URL_MAX_BYTES: usize = 2_048;
/// Characters of a URL shown to people.
const SHOWN_MAX_CHARS: usize = 120;
/// Below this, ports belong to services that are not the web.
const FIRST_FREE_PORT: u16 = 1_024;
const WEB_PORTS: [u16; 2] = [80, 443];

/// A URL that has passed the rules; nothing is known about its address yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: Host<String>,
    port: u16,
}

/// Why a URL is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{shown}' is not accepted: {why}. Use a full address like https://example.org/page.")]
pub struct BadUrl {
    shown: String,
    why: &'static str,
}

impl Target {
    /// # Errors
    /// If it is no plain `http` or `https` URL; the message says why.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let text = text.trim();
        let bad = |why| BadUrl {
            shown: visible(text, SHOWN_MAX_CHARS),
            why,
        };
        if text.len() > URL_MAX_BYTES {
            return Err(bad("it is too long"));
        }
        if text.chars().any(|c| is_hidden(c) || c == ' ' || c == '\\') {
            return Err(bad(
                "it contains spaces, backslashes or invisible characters",
            ));
        }
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| {
                let start = text.get(..scheme.len())?;
                start
                    .eq_ignore_ascii_case(scheme)
                    .then(|| &text[scheme.len()..])
            })
            .ok_or_else(|| bad("only http:// and https:// are possible"))?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(bad("a name or password in the address is not allowed"));
        }
        if authority.contains('%') || authority.is_empty() {
            return Err(bad("the host must be written plainly"));
        }
        let url = Url::parse(text).map_err(|_| bad("it cannot be read"))?;
        Self::from_url(url).map_err(bad)
    }

    /// Where a redirect leads, by the same rules. The fragment is of no interest.
    pub(crate) fn join(&self, location: &str) -> Result<Self, BadUrl> {
        let bad = |why| BadUrl {
            shown: visible(location, SHOWN_MAX_CHARS),
            why,
        };
        let joined = self
            .url
            .join(location.trim())
            .map_err(|_| bad("the redirect cannot be read"))?;
        Self::parse(joined.as_str())
    }

    fn from_url(mut url: Url) -> Result<Self, &'static str> {
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a name or password in the address is not allowed");
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => Host::Domain(name.to_owned()),
            Some(Host::Ipv4(ip)) => Host::Ipv4(ip),
            Some(Host::Ipv6(ip)) => Host::Ipv6(ip),
            Some(Host::Domain(_)) | None => return Err("it names no host"),
        };
        let port = url
            .port_or_known_default()
            .filter(|port| *port != 0)
            .ok_or("the port is not possible")?;
        Ok(Self { url, host, port })
    }

    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) fn host(&self) -> &Host<String> {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the port is one the web uses.
    pub(crate) fn has_web_port(&self) -> bool {
        self.port >= FIRST_FREE_PORT || WEB_PORTS.contains(&self.port)
    }

    /// The host in ASCII, with the port unless it is the scheme's own: also the `Host` header.
    pub fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// `host:port`, always with the port: how single private targets are opened.
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What goes into the request line.
    pub(crate) fn path_and_query(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// Characters of the path and of the query.
    pub fn path_and_query_chars(&self) -> (usize, usize) {
        (
            self.url.path().chars().count(),
            self.url.query().map_or(0, |query| query.chars().count()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, outcome: Result<&str, &str>) {
        match (Target::parse(text), outcome) {
            (Ok(target), Ok(shown)) => assert_eq!(target.as_str(), shown),
            (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
            (got, _) => panic!("{text:?} gave {got:?}"),
        }
    }

    #[test]
    fn a_plain_address_is_taken_in_one_spelling() {
        check("https://example.org", Ok("https://example.org/"));
        check(
            " HTTP://Example.ORG:80/a/../b?q=1#frag ",
            Ok("http://example.org/b?q=1"),
        );
        check(
            "https://bücher.example/ä?ö",
            Ok("https://xn--bcher-kva.example/%C3%A4?%C3%B6"),
        );
        check(
            "http://[2001:4860:4860::8888]:8080/",
            Ok("http://[2001:4860:4860::8888]:8080/"),
        );
        check("http://0x7f.1/", Ok("http://127.0.0.1/"));
    }

    #[test]
    fn every_other_form_is_refused_with_its_reason() {
        for text in [
            "",
            "example.org",
            "//example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "gopher://x",
            "http:example.org",
            "http:/example.org",
            "https:\u{2f}example.org",
            "view-source:http://x",
        ] {
            check(text, Err("only http:// and https://"));
        }
        for text in [
            "http://user@example.org/",
            "http://user:pw@example.org/",
            "http://@example.org/",
            "http://:@example.org/",
            "http://example.org@evil.example/",
        ] {
            check(text, Err("name or password"));
        }
        for text in [
            "http://exa mple.org/",
            "http:\\\\example.org",
            "http://example.org\\@x",
            "http://example.org/\u{202E}",
            "http://exam\tple.org/",
            "http://example.org/a\nb",
            "http://ex\u{AD}ample.org/",
            "http://example.org/\u{200B}",
        ] {
            check(text, Err("spaces, backslashes or invisible"));
        }
        check("http://%31%32%37.0.0.1/", Err("written plainly"));
        check("http:///path", Err("written plainly"));
        check("http://?x", Err("written plainly"));
        check("http://[::1", Err("cannot be read"));
        check("http://[fe80::1%25eth0]/", Err("written plainly"));
        check("http://example.org:99999/", Err("cannot be read"));
        check("http://example.org:0/", Err("port"));
        check("http://1.2.3.4.5/", Err("cannot be read"));
        check("http://256.1.1.1/", Err("cannot be read"));
        check("http://exa<mple.org/", Err("cannot be read"));
        check(
            &format!("http://example.org/{}", "a".repeat(URL_MAX_BYTES)),
            Err("too long"),
        );
    }

    #[test]
    fn a_redirect_is_read_like_any_address() {
        let from = Target::parse("https://example.org/a/b?x").unwrap();
        for (location, to) in [
            ("c", "https://example.org/a/c"),
            ("/c?y#z", "https://example.org/c?y"),
            ("//other.example/x", "https://other.example/x"),
            ("http://other.example/", "http://other.example/"),
            ("", "https://example.org/a/b?x"),
        ] {
            assert_eq!(from.join(location).unwrap().as_str(), to);
        }
        for location in [
            "http://u@other.example/",
            "file:///etc/passwd",
            "http://[",
            "javascript:1",
        ] {
            assert!(from.join(location).is_err(), "{location}");
        }
    }

    #[test]
    fn ports_of_other_services_are_told_from_those_of_the_web() {
        for (url, web) in [
            ("http://a.example", true),
            ("https://a.example", true),
            ("http://a.example:8080", true),
            ("http://a.example:443", true),
            ("http://a.example:22", false),
            ("http://a.example:25", false),
            ("https://a.example:993", false),
        ] {
            assert_eq!(Target::parse(url).unwrap().has_web_port(), web, "{url}");
        }
    }
}
