//! Where new versions are announced, and whose word about them counts: an address and a key, both decided when the
//! program is built and never by a setting.

use std::net::IpAddr;

use minisign_verify::{PublicKey, Signature};
use url::{Host, Url};

use crate::error::Refusal;
use crate::manifest::Manifest;

/// The first line of a signature, which nobody signs. It says nothing, so it must say exactly this.
pub const SIGNATURE_COMMENT: &str =
    "untrusted comment: signature of a Bwana Desktop update manifest";
/// What is signed beside the manifest: that it is one. A signature of anything else with the same key is none of it.
pub const TRUSTED_COMMENT: &str = "bwana.update/v1 latest.json";
/// A signature file, in bytes.
pub const SIGNATURE_MAX_BYTES: usize = 1_024;
/// How the third line begins.
const TRUSTED: &str = "trusted comment: ";

/// Where manifests come from, and whose key signs them.
#[derive(Debug, Clone)]
pub struct Source {
    manifest: Url,
    key: PublicKey,
    /// Also plain HTTP, to a loopback address. Only tests make such a source.
    may_be_plain: bool,
}

/// A manifest that was believed, with what it takes to check that again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub manifest: Manifest,
    pub text: String,
    pub signature: String,
}

impl Source {
    /// The source this program was built with: `BWANA_UPDATE_URL`, the address of the manifest, and `BWANA_UPDATE_KEY`,
    /// the public key as minisign prints it. `None`: it was built without, or what was given is no address or no key.
    pub fn built_in() -> Option<Self> {
        let url = option_env!("BWANA_UPDATE_URL")?;
        let key = option_env!("BWANA_UPDATE_KEY")?;
        Self::new(url, key).ok()
    }

    /// A source behind https.
    ///
    /// # Errors
    /// [`Refusal::NotSecure`] for any other address, [`Refusal::Signature`] for what is no key.
    pub fn new(url: &str, key: &str) -> Result<Self, Refusal> {
        Self::make(url, key, false)
    }

    /// A source that may also be a server on a loopback address, without TLS: for tests.
    ///
    /// # Errors
    /// As [`Source::new`].
    pub fn on_loopback(url: &str, key: &str) -> Result<Self, Refusal> {
        Self::make(url, key, true)
    }

    fn make(url: &str, key: &str, may_be_plain: bool) -> Result<Self, Refusal> {
        let manifest =
            Url::parse(url).map_err(|error| Refusal::NotSecure(format!("{url} ({error})")))?;
        let key = PublicKey::from_base64(key.trim())
            .map_err(|error| Refusal::Signature(format!("the public key: {error}")))?;
        let source = Self {
            manifest,
            key,
            may_be_plain,
        };
        source.check(&source.manifest)?;
        Ok(source)
    }

    pub(crate) fn manifest(&self) -> &Url {
        &self.manifest
    }

    pub(crate) fn signature(&self) -> Url {
        let mut url = self.manifest.clone();
        url.set_path(&format!("{}.minisig", self.manifest.path()));
        url
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.may_be_plain
    }

    /// Whom a person hears of.
    pub fn host(&self) -> &str {
        self.manifest.host_str().unwrap_or_default()
    }

    /// Whether an address may be asked, also where a redirect leads.
    ///
    /// # Errors
    /// [`Refusal::NotSecure`].
    pub(crate) fn check(&self, url: &Url) -> Result<(), Refusal> {
        let is_good = match url.scheme() {
            "https" => url.host().is_some(),
            "http" => self.may_be_plain && is_loopback(url),
            _ => false,
        };
        let has_login = !url.username().is_empty() || url.password().is_some();
        if is_good && !has_login {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        Err(Refusal::NotSecure(format!("{}://{host}", url.scheme())))
    }

    /// Believes a manifest: first the signature, then what it says.
    ///
    /// # Errors
    /// [`Refusal::Signature`] and [`Refusal::Manifest`].
    pub fn verify(&self, text: &str, signature: &str) -> Result<Signed, Refusal> {
        let wrong = |why: &str| Refusal::Signature(why.to_owned());
        if signature.len() > SIGNATURE_MAX_BYTES {
            return Err(wrong("it is too long to be one"));
        }
        check_form(signature).map_err(wrong)?;
        let sign = Signature::decode(signature).map_err(|error| wrong(&error.to_string()))?;
        self.key
            .verify(text.as_bytes(), &sign, false)
            .map_err(|error| wrong(&error.to_string()))?;
        if sign.trusted_comment() != TRUSTED_COMMENT {
            return Err(wrong("it was made for something else"));
        }
        Ok(Signed {
            manifest: Manifest::read(text.as_bytes())?,
            text: text.to_owned(),
            signature: signature.to_owned(),
        })
    }
}

/// Four whole lines and nothing else: what the signature does not cover is fixed, so that no bit of it can be changed.
fn check_form(signature: &str) -> Result<(), &'static str> {
    let body = signature
        .strip_suffix('\n')
        .ok_or("its last line is cut off")?;
    if !body
        .bytes()
        .all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
    {
        return Err("it holds characters that none has");
    }
    let lines: Vec<&str> = body.split('\n').collect();
    match lines[..] {
        [first, _, third, _] if first == SIGNATURE_COMMENT && third.starts_with(TRUSTED) => Ok(()),
        [_, _, _, _] => Err("its comment is another one"),
        _ => Err("it does not have four lines"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        // A name is whatever somebody's resolver says.
        Some(Host::Domain(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[track_caller]
    fn check(url: &str, https: bool, loopback: bool) {
        assert_eq!(Source::new(url, KEY).is_ok(), https, "{url}");
        assert_eq!(Source::on_loopback(url, KEY).is_ok(), loopback, "{url}");
    }

    #[test]
    fn an_address_is_https_and_in_tests_also_this_machine() {
        check("https://example.org/latest.json", true, true);
        check("http://127.0.0.1:8080/latest.json", false, true);
        check("http://[::1]:8080/latest.json", false, true);
        check("http://localhost/latest.json", false, false);
        check("http://127.0.0.1.example.org/latest.json", false, false);
        check("http://example.org/latest.json", false, false);
        check("https://user@example.org/latest.json", false, false);
        check("file:///latest.json", false, false);
        check("ftp://example.org/latest.json", false, false);
        check("latest.json", false, false);
    }

    #[test]
    fn a_key_is_one_line_of_minisign() {
        let url = "https://example.org/latest.json";
        assert!(Source::new(url, &format!("{KEY}\n")).is_ok());
        for bad in ["", "x", &KEY[1..], &KEY[..54]] {
            assert!(Source::new(url, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_build_without_a_source_has_none() {
        assert_eq!(
            Source::built_in().is_some(),
            option_env!("BWANA_UPDATE_URL").is_some() && option_env!("BWANA_UPDATE_KEY").is_some()
        );
    }

    #[test]
    fn the_signature_stands_beside_the_manifest() {
        let source = Source::new("https://example.org/a/latest.json?x=1", KEY).unwrap();
        let signature = source.signature();
        assert_eq!(
            signature.as_str(),
            "https://example.org/a/latest.json.minisig?x=1"
        );
    }
}
