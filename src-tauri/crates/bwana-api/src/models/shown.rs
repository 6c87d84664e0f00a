//! What is shown of a model: the catalogue, the file, this machine and its measured speed put together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bwana_llm::local::catalogue::{Catalogue, Entry, Purpose};
use bwana_llm::local::fetch::{Record, Trust};
use bwana_llm::local::files::Installed;
use bwana_llm::local::machine::{Machine, Obstacle, memory_for_file};
use bwana_llm::local::speed::{self, Speed};
use bwana_llm::local::{gguf, machine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelShown {
    pub id: String,
    pub status: ModelStatus,
    pub title: String,
    pub publisher: Option<String>,
    pub licence: Option<String>,
    pub size_bytes: u64,
    /// What is there of a fetch that was broken off; the next pull goes on from it.
    #[serde(default)]
    pub partial_bytes: Option<u64>,
    /// Tokens it is given here.
    pub context_tokens: Option<u32>,
    /// Tokens it was trained for, by the word of its file.
    #[serde(default)]
    pub trained_context_tokens: Option<u32>,
    #[serde(default)]
    pub parameters: Option<u64>,
    /// Like `llama`, by the word of its file.
    #[serde(default)]
    pub architecture: Option<String>,
    /// Like `Q4_K_M`, by the word of its file.
    #[serde(default)]
    pub quantisation: Option<String>,
    /// Memory of the whole machine below which it should not be used.
    #[serde(default)]
    pub ram_min_bytes: u64,
    /// What keeps it from running here; empty: it fits.
    #[serde(default)]
    pub obstacles: Vec<Obstacle>,
    /// Measured here; none before the first call.
    #[serde(default)]
    pub speed: Option<Speed>,
    /// `starter`, `light` or `everyday`; none for a file of the person's own.
    pub purpose: Option<String>,
    /// Used when only `local` is named.
    pub is_default: bool,
    /// The best of the list for the memory of this machine.
    pub recommended: bool,
    pub path: Option<String>,
    pub sha256: Option<String>,
    /// Why the file is believed to be the right one: `pinned`, `first_use` or `person`.
    pub trust: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    Installed,
    /// Known, and can be fetched.
    Available,
}

/// This machine, as far as models are concerned; `null`: it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineShown {
    pub memory_bytes: Option<u64>,
    /// On the disk of the models folder.
    pub free_disk_bytes: Option<u64>,
    /// What the processor lacks to run built-in models, like `AVX2`.
    pub missing_features: Vec<String>,
    /// Id of the best model for this memory.
    pub recommended: Option<String>,
}

/// Everything that is looked at once for a whole list.
pub(super) struct Looked<'a> {
    catalogue: &'a Catalogue,
    folder: &'a Path,
    context: Option<u32>,
    machine: Machine,
    speeds: BTreeMap<String, Speed>,
    default: Option<String>,
}

impl<'a> Looked<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        let local = app.hub().local();
        Self {
            catalogue: local.catalogue(),
            folder: local.folder(),
            context: app.settings().local.context,
            machine: local.machine(),
            speeds: speed::read(local.folder()),
            default: local.chosen().map(|file| file.name),
        }
    }

    pub(super) fn machine(&self) -> MachineShown {
        MachineShown {
            memory_bytes: self.machine.memory_bytes,
            free_disk_bytes: self.machine.free_disk_bytes,
            missing_features: self.machine.missing_features.clone(),
            recommended: self.recommended().map(|entry| entry.id.clone()),
        }
    }

    fn recommended(&self) -> Option<&Entry> {
        machine::recommend(self.catalogue, &self.machine)
    }

    /// A model of the catalogue, and its file if it is here.
    pub(super) fn entry(&self, entry: &Entry, file: Option<&Installed>) -> ModelShown {
        let purpose = match entry.purpose {
            Purpose::Starter => "starter",
            Purpose::Light => "light",
            Purpose::Everyday => "everyday",
        };
        let base = ModelShown {
            id: entry.id.clone(),
            status: ModelStatus::Available,
            title: entry.title.clone(),
            publisher: Some(entry.publisher.clone()),
            licence: Some(entry.licence.clone()),
            size_bytes: entry.size_bytes,
            partial_bytes: self.partial(&entry.file),
            context_tokens: Some(self.context.unwrap_or(entry.context_tokens)),
            trained_context_tokens: None,
            parameters: Some(u64::from(entry.parameters_millions) * 1_000_000),
            architecture: None,
            quantisation: None,
            ram_min_bytes: entry.ram_min_bytes,
            obstacles: self.machine.obstacles(entry, file.is_some()),
            speed: None,
            purpose: Some(purpose.to_owned()),
            is_default: false,
            recommended: self.recommended().is_some_and(|best| best.id == entry.id),
            path: None,
            sha256: entry.sha256.clone(),
            trust: None,
        };
        let Some(file) = file else { return base };
        let of_file = self.file(file);
        ModelShown {
            status: of_file.status,
            size_bytes: of_file.size_bytes,
            trained_context_tokens: of_file.trained_context_tokens,
            parameters: of_file.parameters.or(base.parameters),
            architecture: of_file.architecture,
            quantisation: of_file.quantisation,
            speed: of_file.speed,
            is_default: of_file.is_default,
            path: of_file.path,
            sha256: of_file.sha256,
            trust: of_file.trust,
            ..base
        }
    }

    /// A file, of which only it itself tells.
    pub(super) fn file(&self, file: &Installed) -> ModelShown {
        let record = record_of(&file.path);
        let facts = gguf::read(&file.path).unwrap_or_default();
        ModelShown {
            id: file.name.clone(),
            status: ModelStatus::Installed,
            title: file.name.clone(),
            publisher: None,
            licence: None,
            size_bytes: file.bytes,
            partial_bytes: None,
            context_tokens: Some(
                self.context
                    .unwrap_or(crate::local::CONTEXT_OF_OTHERS_TOKENS),
            ),
            trained_context_tokens: facts.context_tokens,
            parameters: Some(facts.parameters).filter(|count| *count > 0),
            architecture: facts.architecture,
            quantisation: facts.quantisation.map(str::to_owned),
            ram_min_bytes: memory_for_file(file.bytes),
            obstacles: self.machine.obstacles_to_file(file.bytes),
            speed: self.speeds.get(&file.name).copied(),
            purpose: None,
            is_default: self.default.as_deref() == Some(&file.name),
            recommended: false,
            path: Some(file.path.display().to_string()),
            sha256: record.as_ref().map(|record| record.sha256.clone()),
            trust: record.map(|record| {
                match record.trust {
                    Trust::Pinned => "pinned",
                    Trust::FirstUse => "first_use",
                    Trust::Person => "person",
                }
                .to_owned()
            }),
        }
    }

    fn partial(&self, file: &str) -> Option<u64> {
        let part = self.folder.join(format!("{file}.part"));
        let bytes = std::fs::metadata(part).ok()?.len();
        (bytes > 0).then_some(bytes)
    }
}

/// What was recorded when the file was fetched, as it stands beside it.
fn record_of(file: &Path) -> Option<Record> {
    let mut name = file.as_os_str().to_owned();
    name.push(".json");
    serde_json::from_slice(&std::fs::read(PathBuf::from(name)).ok()?).ok()
}
