//! Ids: a prefix that names the kind and 26 Crockford characters of a UUIDv7, like `run_06DMHX8ZB5S3N…`.
//! They sort by time of creation. The randomness comes from an injected source.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::hash::Hash;
use crate::time::Timestamp;

/// The one source of randomness below the hosts.
pub trait IdSource: Send + Sync {
    /// A fresh UUIDv7 made at `now`.
    fn uuid(&self, now: Timestamp) -> Uuid;

    /// A number that need not be unguessable, for jitter.
    fn random_u64(&self) -> u64;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {kind} id; it looks like {kind}_ and 26 letters and digits")]
pub struct ParseIdError {
    text: String,
    kind: &'static str,
}

/// The length of an id behind its prefix.
pub const ID_CHARS: usize = 26;
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn encode(uuid: Uuid) -> String {
    let mut bits = uuid.as_u128();
    let mut text = [b'0'; ID_CHARS];
    for slot in text.iter_mut().rev() {
        *slot = CROCKFORD[(bits & 31) as usize];
        bits >>= 5;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

fn decode(text: &str) -> Option<Uuid> {
    if text.len() != ID_CHARS {
        return None;
    }
    let mut bits: u128 = 0;
    for (place, byte) in text.bytes().enumerate() {
        let digit = CROCKFORD
            .iter()
            .position(|c| *c == byte.to_ascii_uppercase())?;
        if place == 0 && digit > 7 {
            return None;
        }
        bits = (bits << 5) | digit as u128;
    }
    Some(Uuid::from_u128(bits))
}

/// A UUIDv7-shaped value that is a function of its inputs: for ids of things a pure machine creates.
fn derived_uuid(at: Timestamp, parts: &[&[u8]]) -> Uuid {
    let hash = Hash::of_parts(parts.iter().copied());
    let mut random = [0; 10];
    random.copy_from_slice(&hash.0[..10]);
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(at.0).unwrap_or(0), &random).into_uuid()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Not above any id that was made at this time or later.
            pub fn first_at(at: Timestamp) -> Self {
                let millis = u64::try_from(at.0).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
            }

            /// An id that is a function of its inputs, so that folding the same journal gives the same ids.
            pub fn derived(at: Timestamp, parts: &[&[u8]]) -> Self {
                Self(derived_uuid(at, parts))
            }

            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| ParseIdError { text: text.chars().take(60).collect(), kind: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": concat!("^", $prefix, "_[0-9A-Z]{26}$")})
            }
        }
    };
}

id!(
    /// One execution of a workflow.
    RunId,
    "run"
);
id!(
    /// A question only a person can settle.
    TaskId,
    "task"
);
impl TaskId {
    /// The id of the task that the entry `seq` of `run`, written at `at`, opens. The machine and the store both derive
    /// it here, so it is never written down twice.
    pub fn of_entry(run: RunId, seq: u64, at: Timestamp) -> Self {
        Self::derived(at, &[run.as_bytes(), &seq.to_le_bytes()])
    }
}

id!(
    /// Something a person allowed or forbade beyond one call.
    GrantId,
    "grant"
);
impl GrantId {
    /// The id of the grant that the answer to a question makes: one question makes at most one.
    pub fn of_task(run: RunId, task: u64, opened_at: Timestamp) -> Self {
        Self::derived(opened_at, &[b"grant", run.as_bytes(), &task.to_le_bytes()])
    }
}

id!(
    /// A file a run produced.
    ArtifactId,
    "art"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_in_any_case() {
        let id = RunId::derived(Timestamp(1_764_072_000_123), &[b"seed"]);
        let text = id.to_string();
        assert_eq!(text.len(), 4 + ID_CHARS);
        assert_eq!(text.parse::<RunId>().unwrap(), id);
        assert_eq!(
            format!("run_{}", text[4..].to_lowercase())
                .parse::<RunId>()
                .unwrap(),
            id
        );
    }

    #[test]
    fn a_task_id_is_that_of_its_entry() {
        let run = RunId::derived(Timestamp(1), &[b"run"]);
        let task = TaskId::of_entry(run, 7, Timestamp(9));
        assert_eq!(task, TaskId::of_entry(run, 7, Timestamp(9)));
        assert_ne!(task, TaskId::of_entry(run, 8, Timestamp(9)));
    }

    #[test]
    fn ids_sort_by_time() {
        let earlier = RunId::derived(Timestamp(1_000), &[b"z"]).to_string();
        let later = RunId::derived(Timestamp(2_000), &[b"a"]).to_string();
        assert!(earlier < later);
    }

    #[test]
    fn another_kind_or_length_is_refused() {
        let id = RunId::derived(Timestamp(1), &[b"x"]).to_string();
        assert!(id.parse::<TaskId>().is_err());
        assert!(id[..29].parse::<RunId>().is_err());
        assert!("run_ZZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<RunId>().is_err());
        assert!("run_ééééééééééééé".parse::<RunId>().is_err());
    }
}
