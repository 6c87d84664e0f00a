//! The built-in model: which of the files on this machine is meant, and the provider that runs it. Nothing is started
//! before the first call.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bwana_config::{LOCAL_PROVIDER, SettingsFile};
use bwana_llm::Provider;
use bwana_llm::local::catalogue::{Catalogue, Entry};
use bwana_llm::local::files::Installed;
use bwana_llm::local::{CONTEXT_DEFAULT_TOKENS, LocalOptions, LocalProvider};
use bwana_types::definition::{ModelRef, Price};
use bwana_types::error::{ApiError, ErrorCode};

use crate::shape::shown;

/// In the data folder.
pub(crate) const MODELS_DIR: &str = "models";
/// A file the catalogue does not know counts as a small model below this: four billion parameters at four bits.
const SMALL_BELOW_BYTES: u64 = 2_400_000_000;
/// The program that runs models, beside ours.
const WORKER_PROGRAM: &str = "bwana-model-worker";

pub(crate) struct LocalModels {
    options: LocalOptions,
    settings: SettingsFile,
    provider: OnceLock<LocalProvider>,
}

impl LocalModels {
    pub(crate) fn new(home: &Path, settings: SettingsFile) -> Self {
        Self {
            options: LocalOptions::from_env(home.join(MODELS_DIR)),
            settings,
            provider: OnceLock::new(),
        }
    }

    /// The folder of model files.
    pub(crate) fn folder(&self) -> &Path {
        &self.options.models
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.options.catalogue
    }

    /// The files that can be asked for.
    pub(crate) fn installed(&self) -> Vec<Installed> {
        self.get().installed()
    }

    /// The one that is used when only `local` is named: what the settings say, else the best there is.
    pub(crate) fn chosen(&self) -> Option<Installed> {
        let installed = self.installed();
        let settings = self.settings.current();
        let named = settings.local.model.as_deref();
        let by_name = installed
            .iter()
            .find(|file| Some(file.name.as_str()) == named);
        by_name
            .or_else(|| installed.iter().max_by_key(|file| self.rank(file)))
            .cloned()
    }

    /// Known models by their parameters; unknown ones by their size, which says nearly the same.
    fn rank(&self, file: &Installed) -> u64 {
        /// A four-bit file has about six tenths of a byte a parameter.
        const BYTES_PER_PARAMETER_TENTHS: u64 = 6;
        self.options.catalogue.get(&file.name).map_or(
            file.bytes * 10 / BYTES_PER_PARAMETER_TENTHS / 1_000_000,
            |entry| u64::from(entry.parameters_millions),
        )
    }

    /// # Errors
    /// If that model, or any, is not on this machine.
    pub(crate) fn resolve(&self, model: Option<&str>) -> Result<ModelRef, ApiError> {
        let file = match model {
            None => self.chosen().ok_or_else(no_model)?,
            Some(name) => {
                let installed = self.installed();
                let found = installed.into_iter().find(|file| file.name == name);
                found.ok_or_else(|| self.missing(name))?
            }
        };
        let known = self.options.catalogue.get(&file.name);
        let context = self.settings.current().local.context;
        Ok(ModelRef {
            provider: LOCAL_PROVIDER.to_owned(),
            context_tokens: context
                .or(known.map(|entry| entry.context_tokens))
                .unwrap_or(CONTEXT_DEFAULT_TOKENS),
            small: known.map_or(file.bytes < SMALL_BELOW_BYTES, |entry| entry.small),
            model: file.name,
            price: Price::FREE,
            constrained_tools: true,
        })
    }

    fn missing(&self, name: &str) -> ApiError {
        match self.options.catalogue.get(name) {
            Some(entry) => {
                let message = format!("the model {} is not on this machine yet", entry.id);
                ApiError::new(ErrorCode::ModelNotInstalled, message)
                    .with_hint(format!("Fetch it with `bwana models pull {}`.", entry.id))
            }
            None => {
                let message = format!("there is no model called '{}' on this machine", shown(name));
                ApiError::new(ErrorCode::ModelUnknown, message)
            }
        }
    }

    /// Whether this is the small starter model, whose answers are poor.
    pub(crate) fn is_starter(&self, model: &ModelRef) -> bool {
        let starter = self.options.catalogue.starter();
        model.provider == LOCAL_PROVIDER && starter.is_some_and(|entry| entry.id == model.model)
    }

    pub(crate) fn starter(&self) -> Option<&Entry> {
        self.options.catalogue.starter()
    }

    /// # Errors
    /// If the program that runs models is not there: better said before a run begins than in the middle of it.
    pub(crate) fn provider(&self) -> Result<Arc<dyn Provider>, ApiError> {
        self.worker()?;
        Ok(Arc::new(self.get().clone()))
    }

    /// The program that runs models.
    ///
    /// # Errors
    /// If it is not where it should be.
    pub(crate) fn worker(&self) -> Result<PathBuf, ApiError> {
        let beside = || {
            let ours = std::env::current_exe().ok()?;
            let name = format!("{WORKER_PROGRAM}{}", std::env::consts::EXE_SUFFIX);
            Some(ours.parent()?.join(name))
        };
        let path = self.options.worker.clone().or_else(beside);
        match path {
            Some(path) if path.is_file() => Ok(path),
            path => {
                let place = path.unwrap_or_else(|| PathBuf::from(WORKER_PROGRAM));
                let message = format!(
                    "the program that runs the built-in model is not at {}",
                    place.display()
                );
                Err(ApiError::new(ErrorCode::ModelWorkerFailed, message).with_hint(
                    "Install bwana-model-worker beside bwana, or say where it is with BWANA_WORKER; \
                     or use another model with --model PROVIDER/MODEL.",
                ))
            }
        }
    }

    pub(crate) async fn close(&self) {
        if let Some(provider) = self.provider.get() {
            provider.unload().await;
        }
    }

    fn get(&self) -> &LocalProvider {
        self.provider.get_or_init(|| {
            let chosen = &self.settings.current().local;
            let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
            LocalProvider::new(LocalOptions {
                threads: chosen.threads,
                context_tokens: chosen.context,
                idle_unload: chosen
                    .unload_after_min
                    .map_or(self.options.idle_unload, minutes),
                ..self.options.clone()
            })
        })
    }
}

fn no_model() -> ApiError {
    ApiError::new(
        ErrorCode::ProviderNoModel,
        "there is no model to work with: no provider was added and no model is on this machine",
    )
    .with_hint(
        "Fetch the small starter model with `bwana models pull`, or add a provider with `bwana providers add`.",
    )
}
