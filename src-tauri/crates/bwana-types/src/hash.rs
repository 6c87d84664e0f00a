//! Hashes of content: RFC 8785 canonical JSON, BLAKE3 for what we store, SHA-256 for what a person approves.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A BLAKE3 hash of some bytes; shown and serialised as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hash of several byte strings that cannot be confused with another split of the same bytes.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    pub fn of_json(value: &Value) -> Self {
        Self::of(&canonical_json(value))
    }

    /// The first eight hex digits, enough for people to tell two versions apart.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        // Hashes stand in every other entry of a journal; byte by byte through the formatter took a tenth of an append.
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits")]
pub struct ParseHashError;

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(ParseHashError);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| ParseHashError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ParseHashError)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Hash {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hash".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
    }
}

/// RFC 8785 canonical JSON: the same value always gives the same bytes.
pub fn canonical_json(value: &Value) -> Vec<u8> {
    // A `Value` has string keys and finite numbers only, so canonical form always exists; the fallback keeps this total.
    serde_json_canonicalizer::to_vec(value).unwrap_or_else(|_| value.to_string().into_bytes())
}

/// What a person's approval is bound to: SHA-256 over tool, version, canonical arguments, run and step.
/// Any change of any of them needs a new decision.
pub fn approval_hash(tool: &str, version: &str, args: &Value, run: &str, path: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [
        tool.as_bytes(),
        version.as_bytes(),
        &canonical_json(args),
        run.as_bytes(),
        path.as_bytes(),
    ] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What a grant for exactly these arguments is bound to: as [`approval_hash`], without a run and a place in it.
pub fn args_hash(tool: &str, version: &str, args: &Value) -> String {
    approval_hash(tool, version, args, "", "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn key_order_and_number_form_do_not_change_the_hash() {
        let a: Value = serde_json::from_str(r#"{"b":1.0,"a":[1e2]}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":[100],"b":1}"#).unwrap();
        assert_eq!(canonical_json(&a), br#"{"a":[100],"b":1}"#);
        assert_eq!(Hash::of_json(&a), Hash::of_json(&b));
    }

    #[test]
    fn a_hash_survives_its_text() {
        let hash = Hash::of(b"bwana");
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
        assert!("zz".repeat(32).parse::<Hash>().is_err());
        assert!("é".repeat(32).parse::<Hash>().is_err());
    }

    #[test]
    fn moving_bytes_between_parts_changes_the_approval() {
        let args = json!({"to": "a@example.org"});
        assert_ne!(
            approval_hash("mail", "1", &args, "run", "a"),
            approval_hash("mail1", "", &args, "run", "a")
        );
    }
}
