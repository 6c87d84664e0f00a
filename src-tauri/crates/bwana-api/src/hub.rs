//! Models by name: from what a person writes (`default`, `groq/llama`, `local`) to the model a run is pinned to, and from
//! a provider's name to the provider that is called.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bwana_config::{
    KeyPlace, LOCAL_PROVIDER, ProviderKind, ProviderSettings, Secrets, Settings, SettingsFile,
};
use bwana_engine::FoundProvider;
use bwana_llm::{Dialect, Endpoint, HttpProvider, Provider, Quirks, Transport, presets};
use bwana_types::definition::{ModelRef, Price};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::model::ErrorKind;
use bwana_types::secret::{Secret, SecretError};
use bwana_types::traffic::Traffic;

use crate::local::LocalModels;
use crate::shape::{nearest, shown};

/// Context of a model elsewhere when nobody says how much it has: what nearly all hosted models have at least.
const DEFAULT_CONTEXT_TOKENS: u32 = 32_768;
/// The same for a server on this machine, where contexts are small and are cut without a word.
const DEFAULT_LOCAL_CONTEXT_TOKENS: u32 = 8_192;

pub(crate) struct Hub {
    settings: SettingsFile,
    secrets: Secrets,
    transport: Transport,
    /// Providers in use, each as it was set up when it was made.
    made: Mutex<HashMap<String, (ProviderSettings, Arc<HttpProvider>)>>,
    local: LocalModels,
}

impl Hub {
    pub(crate) fn new(home: &Path, settings: SettingsFile, secrets: Secrets) -> Self {
        Self {
            local: LocalModels::new(home, settings.clone()),
            settings,
            secrets,
            transport: Transport::new(),
            made: Mutex::default(),
        }
    }

    /// The same, with all it sends and hears counted.
    pub(crate) fn counted_by(mut self, traffic: Traffic) -> Self {
        self.transport = self.transport.with_traffic(traffic);
        self
    }

    pub(crate) fn local(&self) -> &LocalModels {
        &self.local
    }

    /// Ends the worker of the local model, if it was started.
    pub(crate) async fn close(&self) {
        self.local.close().await;
    }

    /// The model behind `default` or `PROVIDER/MODEL`.
    ///
    /// # Errors
    /// If there is no such provider or model, or nothing is set up at all.
    pub(crate) fn resolve(&self, choice: &str) -> Result<ModelRef, ApiError> {
        let settings = self.settings.current();
        let (provider, model) = match choice {
            "default" => return self.resolve_default(&settings),
            _ => match choice.split_once('/') {
                Some((provider, model)) => {
                    (provider, Some(model).filter(|model| !model.is_empty()))
                }
                None => (choice, None),
            },
        };
        self.resolve_named(&settings, provider, model)
    }

    /// What the person has chosen, else the first provider they added, else the built-in model. A server that merely
    /// runs on this machine is never assumed.
    fn resolve_default(&self, settings: &Settings) -> Result<ModelRef, ApiError> {
        if let Some(chosen) = settings
            .default_model
            .as_deref()
            .filter(|chosen| *chosen != "default")
        {
            return self.resolve(chosen);
        }
        match settings.providers.first() {
            Some(first) => self.resolve_named(settings, &first.name, None),
            None => self.local.resolve(None),
        }
    }

    fn resolve_named(
        &self,
        settings: &Settings,
        provider: &str,
        model: Option<&str>,
    ) -> Result<ModelRef, ApiError> {
        if provider == LOCAL_PROVIDER {
            return self.local.resolve(model);
        }
        let found = find(settings, provider)?;
        let model = model.or(found.model.as_deref()).ok_or_else(|| {
            let message = format!("nobody says which model of {} to use", found.name);
            ApiError::new(ErrorCode::ProviderNoModel, message).with_hint(format!(
                "Name one with --model {0}/MODEL, or set it with `bwana providers add {0} … --model MODEL`; \
                 `bwana providers test {0}` shows what it offers.",
                found.name
            ))
        })?;
        let endpoint = endpoint(found)?;
        let (context_tokens, price) = size_and_price(found, &endpoint, model);
        Ok(ModelRef {
            provider: found.name.clone(),
            model: model.to_owned(),
            context_tokens,
            price,
            constrained_tools: found.constrained_tools,
            small: found.small,
        })
    }

    /// The provider of this name, ready to be called.
    ///
    /// # Errors
    /// If it is not set up, its key is not there, or the built-in model cannot run.
    pub(crate) fn provider(&self, name: &str) -> Result<Arc<dyn Provider>, ApiError> {
        if name == LOCAL_PROVIDER {
            return self.local.provider();
        }
        let provider: Arc<dyn Provider> = self.http(name)?;
        Ok(provider)
    }

    fn http(&self, name: &str) -> Result<Arc<HttpProvider>, ApiError> {
        let settings = self.settings.current();
        let wanted = find(&settings, name)?;
        if let Some(provider) = self.in_use(wanted) {
            return Ok(provider);
        }
        // Outside the lock: the key may take its time, and other providers have theirs already.
        let provider = Arc::new(self.make(wanted)?);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(name.to_owned(), (wanted.clone(), Arc::clone(&provider)));
        Ok(provider)
    }

    /// The provider if it was made already, as it is set up now.
    fn in_use(&self, wanted: &ProviderSettings) -> Option<Arc<HttpProvider>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (as_made, provider) = made.get(&wanted.name)?;
        (as_made == wanted).then(|| Arc::clone(provider))
    }

    /// Whether [`Self::provider`] answers without waiting for anything.
    fn answers_at_once(&self, name: &str) -> bool {
        let settings = self.settings.current();
        settings
            .provider(name)
            .is_none_or(|wanted| self.in_use(wanted).is_some())
    }

    fn make(&self, settings: &ProviderSettings) -> Result<HttpProvider, ApiError> {
        let endpoint = endpoint(settings)?;
        let dialect = dialect(settings)?;
        let mut preset = Quirks::for_dialect(&endpoint, dialect.id());
        if settings.kind == ProviderKind::Ollama && settings.context.is_some() {
            preset.num_ctx = settings.context;
        }
        let provider = HttpProvider::new(endpoint, dialect, self.transport.clone());
        Ok(provider
            .with_quirks(quirks(settings, &preset)?)
            .with_secret(self.secret(settings)?))
    }

    /// The key of a provider, if it wants one.
    ///
    /// # Errors
    /// If it is not there, or the place it is in is closed.
    pub(crate) fn secret(&self, settings: &ProviderSettings) -> Result<Option<Secret>, ApiError> {
        let Some(key) = &settings.key else {
            return Ok(None);
        };
        self.secrets
            .get(key)
            .map(Some)
            .map_err(|error| no_key(&settings.name, key.place(), error))
    }

    /// Forgets a provider that is set up anew or whose key has changed.
    pub(crate) fn forget(&self, name: &str) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.remove(name);
    }
}

/// A key that is not there is the provider's trouble; a place that is closed or broken is its own.
fn no_key(provider: &str, place: &KeyPlace, error: SecretError) -> ApiError {
    match (place, &error) {
        (KeyPlace::Env(variable), _) => {
            let message = format!(
                "the key of {provider} should be in the environment variable {variable}, which is not set here"
            );
            ApiError::new(ErrorCode::ProviderAuth, message).with_hint(format!(
                "Set {variable} in the environment of the program that works on runs, then try again."
            ))
        }
        (KeyPlace::Secret(_), SecretError::NotFound { .. }) => {
            let message = format!("the key of {provider} is not where secrets are kept: {error}");
            ApiError::new(ErrorCode::ProviderAuth, message).with_hint(format!(
                "Give it again with `bwana providers add {provider} --key-stdin`."
            ))
        }
        (KeyPlace::Secret(_), _) => error.into(),
    }
}

impl bwana_engine::Models for Hub {
    fn provider(&self, name: &str) -> Result<Arc<dyn Provider>, ApiError> {
        Self::provider(self, name)
    }

    fn find(self: Arc<Self>, name: String) -> FoundProvider {
        if self.answers_at_once(&name) {
            return Box::pin(std::future::ready(Self::provider(&self, &name)));
        }
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || Self::provider(&self, &name)).await;
            found.unwrap_or_else(|error| Err(ApiError::new(ErrorCode::Internal, error.to_string())))
        })
    }
}

/// The settings of a provider.
///
/// # Errors
/// [`ErrorCode::ProviderUnknown`] with what there is.
pub(crate) fn find<'a>(
    settings: &'a Settings,
    name: &str,
) -> Result<&'a ProviderSettings, ApiError> {
    settings.provider(name).ok_or_else(|| {
        let known = settings.providers.iter().map(|one| one.name.as_str());
        let known = known.chain([LOCAL_PROVIDER]);
        let message = format!("there is no provider called '{}'", shown(name));
        let error = ApiError::new(ErrorCode::ProviderUnknown, message);
        match nearest(name, known.clone()) {
            Some(near) => error.with_hint(format!("Did you mean `{near}`?")),
            None => error.with_hint(format!(
                "There are: {}. `bwana providers add` adds one.",
                known.collect::<Vec<_>>().join(", ")
            )),
        }
    })
}

/// How much a model holds and what it costs: as the person says, else as its provider has published it for exactly this
/// model, else unknown. A published price that holds only up to so many tokens limits the context to them, so that no
/// call costs more than is reckoned with.
fn size_and_price(settings: &ProviderSettings, endpoint: &Endpoint, model: &str) -> (u32, Price) {
    let preset = presets::for_endpoint(endpoint, settings.kind.dialect());
    let published = preset.and_then(|preset| preset.context_tokens(model));
    let usual = if endpoint.is_loopback() {
        DEFAULT_LOCAL_CONTEXT_TOKENS
    } else {
        DEFAULT_CONTEXT_TOKENS
    };
    let context = settings.context.or(published).unwrap_or(usual);
    let price = settings.price(model);
    let line = preset.and_then(|preset| preset.list_price(model));
    match line {
        Some(line) if !price.is_known() => {
            let up_to = line.up_to_input_tokens.unwrap_or(u64::MAX);
            let context = context.min(u32::try_from(up_to).unwrap_or(u32::MAX));
            (context, line.price(u64::from(context)))
        }
        _ => (context, price),
    }
}

/// What the model a provider is set up for costs, and since when that is known.
pub(crate) struct KnownPrice {
    pub(crate) price: Price,
    /// The last day (YYYY-MM-DD) for which the provider published it; `None`: the person says so, or nobody knows.
    pub(crate) as_of: Option<&'static str>,
}

pub(crate) fn known_price(settings: &ProviderSettings) -> KnownPrice {
    let model = settings.model.as_deref().unwrap_or_default();
    let own = settings.price(model);
    let Ok(endpoint) = endpoint(settings) else {
        return KnownPrice {
            price: own,
            as_of: None,
        };
    };
    let (_, price) = size_and_price(settings, &endpoint, model);
    let preset = presets::for_endpoint(&endpoint, settings.kind.dialect());
    let line = preset.and_then(|preset| preset.list_price(model));
    KnownPrice {
        price,
        as_of: line.filter(|_| !own.is_known()).map(|line| line.as_of),
    }
}

/// # Errors
/// If this program does not speak it.
fn dialect(settings: &ProviderSettings) -> Result<Arc<dyn Dialect>, ApiError> {
    presets::dialect(settings.kind.dialect()).ok_or_else(|| {
        let message = format!("this program does not speak {}", settings.kind);
        ApiError::new(ErrorCode::SettingsInvalid, message)
    })
}

pub(crate) fn endpoint(settings: &ProviderSettings) -> Result<Endpoint, ApiError> {
    let version = dialect(settings)?.version();
    Endpoint::new(&settings.base_url, version).map_err(|error| {
        let message = format!("the address of {} cannot be used: {error}", settings.name);
        ApiError::new(ErrorCode::SettingsInvalid, message)
    })
}

/// The preset for the address, with what the person knows better on top.
pub(crate) fn quirks(settings: &ProviderSettings, preset: &Quirks) -> Result<Quirks, ApiError> {
    let mut merged = serde_json::to_value(preset).unwrap_or_default();
    if let Some(fields) = merged.as_object_mut() {
        fields.extend(settings.quirks.clone());
    }
    serde_json::from_value(merged).map_err(|error| {
        let message = format!("the quirks of {} cannot be used: {error}", settings.name);
        ApiError::new(ErrorCode::SettingsInvalid, message)
    })
}

/// The code people see for a model call that failed outside a run.
pub(crate) fn code_of(kind: ErrorKind) -> ErrorCode {
    match kind {
        ErrorKind::Auth => ErrorCode::ProviderAuth,
        ErrorKind::Quota => ErrorCode::ProviderQuota,
        ErrorKind::RateLimited | ErrorKind::Overloaded => ErrorCode::ProviderRateLimited,
        ErrorKind::ContextTooLong | ErrorKind::TooLarge => ErrorCode::ProviderContextTooLong,
        ErrorKind::Refused => ErrorCode::ProviderRefused,
        ErrorKind::NotFound => ErrorCode::ProviderNoModel,
        ErrorKind::Unreachable | ErrorKind::Timeout(_) | ErrorKind::Interrupted => {
            ErrorCode::ProviderUnreachable
        }
        ErrorKind::BadRequest | ErrorKind::Server | ErrorKind::Malformed => {
            ErrorCode::ProviderBadAnswer
        }
    }
}
