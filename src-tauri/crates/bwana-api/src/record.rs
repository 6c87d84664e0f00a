//! A journal entry as it travels: over the owner socket and in exports. Nothing is lost and nothing interpreted, so an
//! entry of a newer program passes through unchanged.

use bwana_types::entry::{Body, Draft, Entry, Seq};
use bwana_types::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub seq: Seq,
    /// Unix milliseconds.
    pub at_ms: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    pub kind: String,
    /// Version of the body's shape.
    pub v: u32,
    pub body: Value,
}

/// A record that is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} ({kind}) cannot be read: {why}")]
pub struct BadRecord {
    pub seq: Seq,
    pub kind: String,
    pub why: String,
}

impl From<&Entry> for Record {
    fn from(entry: &Entry) -> Self {
        let body = entry
            .body
            .to_json()
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok());
        Self {
            seq: entry.seq,
            at_ms: entry.at.0,
            path: entry.path.to_string(),
            kind: entry.body.kind().to_owned(),
            v: entry.body.version(),
            body: body.unwrap_or_default(),
        }
    }
}

impl Record {
    /// # Errors
    /// If it is of a kind this program knows and its body does not have that kind's shape.
    pub fn into_entry(self) -> Result<Entry, BadRecord> {
        let bad = |why: serde_json::Error| BadRecord {
            seq: self.seq,
            kind: self.kind.chars().take(60).collect(),
            why: why.to_string(),
        };
        let text = self.body.to_string();
        let body = Body::from_json(&self.kind, self.v, &text).map_err(bad)?;
        Ok(Draft {
            path: self.path.into(),
            body,
        }
        .at(self.seq, Timestamp(self.at_ms)))
    }
}

#[cfg(test)]
mod tests {
    use bwana_types::entry::{RunForked, StepStarted};
    use bwana_types::id::RunId;

    use super::*;

    #[test]
    fn an_entry_survives_its_record() {
        let run = |n| RunId::derived(Timestamp(n), &[b"x"]);
        let bodies = [
            Body::from(StepStarted {}),
            Body::from(RunForked {
                parent: run(1),
                at: 7,
                run: run(2),
                by: "local_cli".into(),
            }),
            Body::Unknown {
                kind: "memory_written".into(),
                v: 4,
                body: serde_json::json!({"a": [1]}),
            },
        ];
        for body in bodies {
            let entry = Draft {
                path: "a/r1".into(),
                body,
            }
            .at(8, Timestamp(5));
            let text = serde_json::to_string(&Record::from(&entry)).unwrap();
            let back: Record = serde_json::from_str(&text).unwrap();
            assert_eq!(back.into_entry().unwrap(), entry);
        }
    }

    #[test]
    fn a_body_of_the_wrong_shape_is_refused() {
        let text = r#"{"seq":3,"at_ms":0,"kind":"run_paused","v":1,"body":{"reason":7}}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        let error = record.into_entry().unwrap_err().to_string();
        assert!(
            error.starts_with("entry 3 (run_paused) cannot be read"),
            "{error}"
        );
    }
}
