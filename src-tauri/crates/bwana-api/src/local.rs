//! The built-in model: which of the files on this machine is meant, and the provider that runs it. Nothing is started
//! before the first call.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bwana_config::{LOCAL_PROVIDER, LocalSettings, SettingsFile};
use bwana_llm::Provider;
use bwana_llm::local::catalogue::{Catalogue, Entry};
use bwana_llm::local::files::Installed;
use bwana_llm::local::machine::Machine;
use bwana_llm::local::{CONTEXT_DEFAULT_TOKENS, LocalOptions, LocalProvider};
use bwana_types::definition::{ModelRef, Price};
use bwana_types::error::{ApiError, ErrorCode};
use serde_json::json;

use crate::shape::shown;

/// In the data folder.
pub(crate) const MODELS_DIR: &str = "models";
/// A file the catalogue does not know counts as a small model below this: four billion parameters at four bits.
const SMALL_BELOW_BYTES: u64 = 2_400_000_000;
/// Context of a file the catalogue does not know.
pub(crate) const CONTEXT_OF_OTHERS_TOKENS: u32 = CONTEXT_DEFAULT_TOKENS;
/// The program that runs models, beside ours.
const WORKER_PROGRAM: &str = "bwana-model-worker";

pub(crate) struct LocalModels {
    options: LocalOptions,
    settings: SettingsFile,
    /// As it was made for these settings; other settings make another one, and the calls under way end on theirs.
    provider: Mutex<Option<(LocalSettings, LocalProvider)>>,
}

impl LocalModels {
    pub(crate) fn new(home: &Path, settings: SettingsFile) -> Self {
        Self {
            options: LocalOptions::from_env(home.join(MODELS_DIR)),
            settings,
            provider: Mutex::default(),
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
        Ok(Arc::new(self.ready()?))
    }

    /// The same, as what it is.
    ///
    /// # Errors
    /// As [`Self::provider`].
    pub(crate) fn ready(&self) -> Result<LocalProvider, ApiError> {
        can_run(&self.machine())?;
        self.worker()?;
        Ok(self.get())
    }

    /// What this machine offers a model, as it is now.
    pub(crate) fn machine(&self) -> Machine {
        Machine::look(self.folder())
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
        let made = {
            let mut made = self.provider.lock().unwrap_or_else(PoisonError::into_inner);
            made.take()
        };
        if let Some((_, provider)) = made {
            provider.unload().await;
        }
    }

    /// The provider for the settings as they are now, so that no restart is needed to change them.
    fn get(&self) -> LocalProvider {
        let wanted = &self.settings.current().local;
        let mut made = self.provider.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((settings, provider)) = made.as_ref()
            && same_worker(settings, wanted)
        {
            return provider.clone();
        }
        let provider = LocalProvider::new(self.options_for(wanted));
        *made = Some((wanted.clone(), provider.clone()));
        provider
    }

    fn options_for(&self, settings: &LocalSettings) -> LocalOptions {
        let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
        LocalOptions {
            threads: settings.threads,
            context_tokens: settings.context,
            idle_unload: settings
                .unload_after_min
                .map_or(self.options.idle_unload, minutes),
            ..self.options.clone()
        }
    }
}

/// Whether a worker started with one can go on under the other: which model is the default does not concern it.
fn same_worker(one: &LocalSettings, other: &LocalSettings) -> bool {
    let LocalSettings {
        model: _,
        threads,
        context,
        unload_after_min,
    } = one;
    *threads == other.threads
        && *context == other.context
        && *unload_after_min == other.unload_after_min
}

/// # Errors
/// If the processor lacks what the built-in runtime is built to use: said before a run begins, with what to do.
pub(crate) fn can_run(machine: &Machine) -> Result<(), ApiError> {
    let missing = &machine.missing_features;
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the built-in model cannot run on this processor: it lacks {}",
        missing.join(", ")
    );
    Err(ApiError::new(ErrorCode::ModelWorkerFailed, message)
        .with_hint(
            "Connect another model: a server like Ollama on any machine, or an online provider,              with `bwana providers add`. Downloading other models does not help.",
        )
        .with_details(json!({ "reason": "processor", "missing": missing })))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn local(home: &Path) -> LocalModels {
        let settings = SettingsFile::open(home).unwrap();
        LocalModels::new(home, settings)
    }

    #[test]
    fn a_processor_that_lacks_something_is_refused_with_what_it_lacks_and_what_to_do() {
        assert!(can_run(&Machine::default()).is_ok());
        let old = Machine {
            missing_features: vec!["AVX2".into(), "BMI2".into()],
            ..Machine::default()
        };
        let error = can_run(&old).unwrap_err();
        assert_eq!(error.code, ErrorCode::ModelWorkerFailed);
        assert!(error.message.ends_with("it lacks AVX2, BMI2"), "{error:?}");
        assert!(error.hint.contains("bwana providers add"), "{error:?}");
        assert_eq!(error.details["missing"], json!(["AVX2", "BMI2"]));
    }

    #[test]
    fn settings_reach_the_worker_and_a_change_needs_no_restart() {
        let home = tempfile::tempdir().unwrap();
        let local = local(home.path());
        let options = local.options_for(&local.settings.current().local);
        assert_eq!((options.threads, options.context_tokens), (None, None));
        let before = local.get();
        assert!(local.get().is_same(&before));
        local
            .settings
            .change(|settings| {
                settings.local.threads = Some(2);
                settings.local.context = Some(4_096);
                settings.local.unload_after_min = Some(3);
                Ok(())
            })
            .unwrap();
        let options = local.options_for(&local.settings.current().local);
        assert_eq!(
            (options.threads, options.context_tokens),
            (Some(2), Some(4_096))
        );
        assert_eq!(options.idle_unload, Duration::from_secs(180));
        let after = local.get();
        assert!(!after.is_same(&before), "made anew with the new settings");
        local
            .settings
            .change(|settings| {
                settings.local.model = Some("other".into());
                Ok(())
            })
            .unwrap();
        assert!(
            local.get().is_same(&after),
            "the default does not concern the worker"
        );
    }
}
