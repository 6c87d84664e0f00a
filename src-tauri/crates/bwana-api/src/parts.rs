//! Which agents have a part in which definition, read once a definition: definitions never change.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use bwana_store::Store;
use bwana_types::definition::Definition;
use bwana_types::error::ApiError;
use bwana_types::hash::Hash;

/// Definitions kept in memory.
const KEPT: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Parts {
    agents: Mutex<HashMap<Hash, BTreeSet<String>>>,
}

impl Parts {
    /// The definitions of runs that an agent has a part in.
    pub(crate) fn of(&self, store: &Store, agent: &str) -> Result<Vec<Hash>, ApiError> {
        let mut kept = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for hash in store.definitions_of_runs()? {
            if !kept.contains_key(&hash) {
                if kept.len() >= KEPT {
                    kept.clear();
                }
                let definition = store.get_blob(hash)?.unwrap_or_default();
                kept.insert(hash, agents(&definition));
            }
            if kept.get(&hash).is_some_and(|agents| agents.contains(agent)) {
                found.push(hash);
            }
        }
        Ok(found)
    }
}

/// A definition of a newer program may name its agents in a way this one cannot read: then it names none.
fn agents(definition: &[u8]) -> BTreeSet<String> {
    serde_json::from_slice::<Definition>(definition)
        .map(|definition| definition.agents.into_keys().collect())
        .unwrap_or_default()
}
