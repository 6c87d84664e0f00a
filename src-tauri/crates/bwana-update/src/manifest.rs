//! What a publisher says about the newest version. Read only after its signature was checked, and strictly all the same:
//! a mistake of the publisher must not become an odd state here.

use bwana_types::time::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::Refusal;
use crate::version::Version;

/// What the first field says. A manifest of another shape would stand under another name.
pub const FORMAT: &str = "bwana.update/v1";
/// The whole manifest, in bytes.
pub const MANIFEST_MAX_BYTES: usize = 64 * 1024;
/// What is new, in bytes of UTF-8.
pub const NOTES_MAX_BYTES: usize = 16 * 1024;
/// Packages of one version.
pub const PACKAGES_MAX: usize = 32;
/// One package, in bytes.
pub const PACKAGE_MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// An address, in bytes.
const URL_MAX_BYTES: usize = 2_048;
/// Names of systems and of kinds of package, in bytes.
const WORD_MAX_BYTES: usize = 32;
/// Hex digits of a sha256.
const SHA256_CHARS: usize = 64;

/// The newest version there is, as its publisher describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    pub version: Version,
    /// When it was released, RFC 3339. Of two manifests the later one holds, and an earlier one is refused.
    #[serde(with = "moment")]
    pub released: Timestamp,
    /// The format of the database this version writes. An older program does not open a newer format.
    pub database_format: i64,
    /// What is new: plain text, shown as it is.
    #[serde(default)]
    pub notes: String,
    pub packages: Vec<Package>,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Like `linux-x86_64`.
    pub target: String,
    /// Like `deb`. Kinds this program cannot hand over are allowed and never chosen.
    pub kind: String,
    /// Where it is; may be relative to the manifest's own address.
    pub url: String,
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// A kind of package that a system can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackageKind {
    Deb,
    Rpm,
}

impl PackageKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }
}

impl Manifest {
    /// Reads the bytes of a manifest whose signature is right.
    ///
    /// # Errors
    /// [`Refusal::Manifest`] with what is wrong and where.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let bad = Refusal::Manifest;
        if bytes.len() > MANIFEST_MAX_BYTES {
            return Err(bad(format!("it is longer than {MANIFEST_MAX_BYTES} bytes")));
        }
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let manifest: Self = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| bad(format!("{} at {}", error.inner(), error.path())))?;
        json.end().map_err(|error| bad(error.to_string()))?;
        manifest.check().map_err(bad)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("its format is not {FORMAT}"));
        }
        if self.database_format < 1 {
            return Err(String::from("database_format is a number from 1"));
        }
        if self.notes.len() > NOTES_MAX_BYTES {
            return Err(format!("notes is longer than {NOTES_MAX_BYTES} bytes"));
        }
        let is_odd = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
        if self.notes.contains(is_odd) {
            return Err(String::from("notes holds characters that cannot be shown"));
        }
        if self.packages.is_empty() || self.packages.len() > PACKAGES_MAX {
            return Err(format!("it has between 1 and {PACKAGES_MAX} packages"));
        }
        for (at, package) in self.packages.iter().enumerate() {
            package
                .check()
                .map_err(|what| format!("packages[{at}]: {what}"))?;
            let is_same = |one: &Package| one.target == package.target && one.kind == package.kind;
            if self.packages[..at].iter().any(is_same) {
                return Err(format!("packages[{at}]: there is one like it already"));
            }
        }
        Ok(())
    }

    /// The package for a system.
    pub fn package(&self, target: &str, kind: PackageKind) -> Option<&Package> {
        let fits = |one: &&Package| one.target == target && one.kind == kind.as_str();
        self.packages.iter().find(fits)
    }
}

impl Package {
    fn check(&self) -> Result<(), String> {
        let is_word = |text: &str| {
            let known = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)
            };
            !text.is_empty() && text.len() <= WORD_MAX_BYTES && text.bytes().all(known)
        };
        if !is_word(&self.target) || !is_word(&self.kind) {
            return Err(String::from("target and kind are short lower-case words"));
        }
        if self.url.is_empty() || self.url.len() > URL_MAX_BYTES {
            return Err(format!("url has between 1 and {URL_MAX_BYTES} bytes"));
        }
        if self.bytes == 0 || self.bytes > PACKAGE_MAX_BYTES {
            return Err(format!("bytes is between 1 and {PACKAGE_MAX_BYTES}"));
        }
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if self.sha256.len() != SHA256_CHARS || !self.sha256.bytes().all(is_hex) {
            return Err(format!("sha256 is {SHA256_CHARS} lower-case hex digits"));
        }
        Ok(())
    }

    /// Its whole address, which may be relative to that of the manifest.
    ///
    /// # Errors
    /// [`Refusal::Manifest`] if it is no address.
    pub(crate) fn address(&self, manifest: &Url) -> Result<Url, Refusal> {
        manifest
            .join(&self.url)
            .map_err(|error| Refusal::Manifest(format!("the url of a package: {error}")))
    }
}

/// RFC 3339, as everywhere.
mod moment {
    use bwana_types::time::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands a reference over"
    )]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sample() -> Value {
        json!({
            "format": FORMAT, "version": "0.2.0", "released": "2026-11-20T09:00:00Z", "database_format": 3,
            "notes": "Faster.\nAnd calmer.",
            "packages": [{
                "target": "linux-x86_64", "kind": "deb", "url": "bwana-desktop_0.2.0_amd64.deb", "bytes": 10,
                "sha256": "0".repeat(64),
            }],
        })
    }

    #[track_caller]
    fn check(pointer: &str, value: Value, want: &str) {
        let mut manifest = sample();
        match manifest.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => manifest[pointer.trim_start_matches('/')] = value,
        }
        let read = Manifest::read(manifest.to_string().as_bytes());
        match read {
            Ok(_) => assert_eq!(want, "", "{pointer} was taken"),
            Err(Refusal::Manifest(what)) => {
                assert!(what.contains(want) && !want.is_empty(), "{what}")
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_manifest_is_taken_whole_or_not_at_all() {
        check("/notes", json!(""), "");
        check("/packages/0/kind", json!("appimage"), "");
        check("/packages/0/url", json!("https://example.org/x.deb"), "");
        check("/format", json!("bwana.update/v2"), "format");
        check("/version", json!("0.2"), "three numbers");
        check("/version", json!(2), "version");
        check("/released", json!("yesterday"), "released");
        check("/database_format", json!(0), "database_format");
        check("/notes", json!("x".repeat(NOTES_MAX_BYTES + 1)), "notes");
        check("/notes", json!("a\u{1b}[31m"), "cannot be shown");
        check("/packages", json!([]), "packages");
        check("/packages/0/target", json!("Linux"), "packages[0]");
        check("/packages/0/kind", json!(""), "packages[0]");
        check("/packages/0/url", json!(""), "url");
        check("/packages/0/bytes", json!(0), "bytes");
        check("/packages/0/bytes", json!(-1), "bytes");
        check("/packages/0/bytes", json!(PACKAGE_MAX_BYTES + 1), "bytes");
        check("/packages/0/sha256", json!("A".repeat(64)), "sha256");
        check("/packages/0/sha256", json!("0".repeat(63)), "sha256");
        check("/more", json!(1), "unknown field");
        let twice = sample()["packages"][0].clone();
        check("/packages", json!([twice, twice]), "already");
    }

    #[test]
    fn nothing_may_stand_behind_it_and_no_field_twice() {
        let text = sample().to_string();
        assert!(Manifest::read(format!("{text}{{}}").as_bytes()).is_err());
        let twice = text.replacen('{', r#"{"version":"9.9.9","#, 1);
        assert!(Manifest::read(twice.as_bytes()).is_err());
    }
}
