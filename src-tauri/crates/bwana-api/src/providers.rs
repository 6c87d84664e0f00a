//! Commands about providers: add, list, test, remove. A key is only ever a reference.

use bwana_config::{KeyRef, PlaceKind, ProviderKind, ProviderSettings, SecretName};
use bwana_engine::ProviderStanding;
use bwana_llm::{Preset, presets};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::model::{ModelInfo, Probe};
use bwana_types::redact::Redactor;
use bwana_types::secret::SecretError;
use bwana_types::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, Mode};
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::hub;
use crate::runs::money;
use crate::secrets::{SecretText, waiting};
use crate::shape::{Dollars, Time, nearest, shown};

/// Models a test lists at most.
const MODELS_SHOWN_MAX: usize = 50;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    pub name: String,
    /// One of `providers.presets`: what is not said below is as there. Without it and without an address, the preset of
    /// the provider's own name.
    #[serde(default)]
    pub preset: Option<String>,
    /// `openai`, `openai-responses`, `anthropic`, `gemini` or `ollama`.
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub base_url: Option<String>,
    /// The environment variable that holds the key.
    #[serde(default)]
    pub key_env: Option<String>,
    /// The key itself, to be kept where secrets are kept.
    #[serde(default)]
    pub key: Option<SecretText>,
    #[serde(default)]
    pub model: Option<String>,
    /// US dollars per million tokens.
    #[serde(default)]
    pub price_in: Option<String>,
    #[serde(default)]
    pub price_out: Option<String>,
    /// Tokens of context.
    #[serde(default)]
    pub context: Option<u32>,
    /// Agents get their compact instructions.
    #[serde(default)]
    pub small: bool,
    /// Tools are called through JSON of a given form.
    #[serde(default)]
    pub constrained_tools: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameRef {
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    pub name: String,
    /// Instead of the provider's own.
    #[serde(default)]
    pub model: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderShown {
    pub id: String,
    /// `ready`, or `no_key` if the key's variable is not set here.
    pub status: ProviderStatus,
    pub kind: String,
    pub base_url: String,
    /// Where the key is, never the key.
    pub key: Option<String>,
    pub model: Option<String>,
    /// US dollars per million tokens; `null`: nobody knows.
    pub price_in: Option<Dollars>,
    pub price_out: Option<Dollars>,
    /// The last day (YYYY-MM-DD) for which the provider published it; `null`: the person gave it, or nobody knows.
    #[serde(default)]
    pub price_as_of: Option<String>,
    /// How it stands in the process that works on runs; `null`: nothing was sent to it there yet.
    #[serde(default)]
    pub standing: Option<StandingShown>,
    pub context: Option<u32>,
    pub on_this_machine: bool,
    /// Used when nothing else is named.
    pub is_default: bool,
    /// It stood there before and was replaced.
    #[serde(default)]
    pub replaced: bool,
    /// It was removed, but the place of its key could not be reached, so the key may still be there.
    #[serde(default)]
    pub key_left_behind: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderStatus {
    Ready,
    NoKey,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StandingShown {
    pub state: StandingState,
    /// Until when nothing is sent to it.
    pub until: Option<Time>,
    /// Code of the last call that failed, unless one went well since.
    #[schemars(with = "Option<String>")]
    pub last_error: Option<ErrorCode>,
    /// The same in the provider's words.
    pub last_failure: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StandingState {
    Works,
    /// It answers, and refuses; `last_error` says what.
    Refuses,
    /// It asked to be left alone for a while.
    Paused,
    /// It failed too often in a row and is left alone for a while.
    CircuitOpen,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderList {
    /// In the order in which they were added.
    pub providers: Vec<ProviderShown>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestReport {
    pub id: String,
    pub probe: Probe,
    /// The code of what went wrong.
    #[schemars(with = "Option<String>")]
    pub code: Option<ErrorCode>,
    /// What it says it offers, if it was asked and has a list.
    pub models: Vec<ModelInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetryReport {
    pub id: String,
    pub was_left_alone: bool,
}

pub(crate) async fn retry(app: &App, _ctx: Ctx, request: NameRef) -> Result<RetryReport, ApiError> {
    if request.name != bwana_config::LOCAL_PROVIDER {
        hub::find(&app.settings(), &request.name)?;
    }
    let engine = app.engine()?;
    let standings = engine.providers();
    let left_alone = standings
        .iter()
        .any(|one| one.provider == request.name && one.left_alone_ms.is_some());
    engine.retry_now(&request.name);
    Ok(RetryReport {
        id: request.name,
        was_left_alone: left_alone,
    })
}

pub(crate) async fn list(app: &App, _ctx: Ctx, _: Nothing) -> Result<ProviderList, ApiError> {
    let mut providers: Vec<ProviderShown> = waiting(app, |app| {
        let settings = app.settings();
        let providers = settings.providers.iter();
        Ok(providers.map(|one| describe(app, one)).collect())
    })
    .await?;
    let standings = app
        .engine()
        .map_or_else(|_| Vec::new(), bwana_engine::Engine::providers);
    for shown in &mut providers {
        let own = standings.iter().find(|one| one.provider == shown.id);
        shown.standing = own.map(|standing| stands(app, standing));
    }
    Ok(ProviderList { providers })
}

fn stands(app: &App, standing: &ProviderStanding) -> StandingShown {
    let state = match (standing.left_alone_ms, standing.last_kind) {
        (Some(_), _) if standing.circuit_open => StandingState::CircuitOpen,
        (Some(_), _) => StandingState::Paused,
        (None, Some(_)) => StandingState::Refuses,
        (None, None) => StandingState::Works,
    };
    let now = app.clock().now();
    let until = standing.left_alone_ms.map(|ms| {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        Time(Timestamp(now.0.saturating_add(ms)))
    });
    StandingShown {
        state,
        until,
        last_error: standing.last_kind.map(hub::code_of),
        last_failure: standing.last_failure.clone(),
    }
}

pub(crate) async fn add(
    app: &App,
    _ctx: Ctx,
    request: AddRequest,
) -> Result<ProviderShown, ApiError> {
    let preset = preset_of(&request)?;
    let base_url = match (&request.base_url, preset) {
        (Some(url), _) => url.clone(),
        (None, Some(preset)) => preset.base_url.to_owned(),
        (None, None) => String::new(),
    };
    if base_url.is_empty() {
        let message = format!("nobody says where {} is", request.name);
        return Err(ApiError::new(ErrorCode::UsageInvalid, message).with_hint(
            "Give its address with --base-url, or choose one from `bwana providers presets` with --preset.",
        ));
    }
    let mut provider = ProviderSettings::new(request.name, base_url);
    provider.kind = match (&request.kind, preset) {
        (Some(kind), _) => kind.parse()?,
        (None, Some(preset)) => {
            ProviderKind::of_dialect(preset.dialect).unwrap_or(ProviderKind::Openai)
        }
        (None, None) => ProviderKind::Openai,
    };
    provider.key = request.key_env.as_deref().map(KeyRef::env).transpose()?;
    if let Some(key) = &request.key {
        must_outlive_the_command(app)?;
        let name = SecretName::provider(&provider.name)?;
        let (kept_as, key) = (name.clone(), key.0.clone());
        waiting(app, move |app| Ok(app.secrets().set(&kept_as, &key)?)).await?;
        provider.key = Some(KeyRef::secret(name));
    }
    provider.model = request.model.filter(|model| !model.is_empty());
    provider.price_in = request.price_in.as_deref().map(money).transpose()?;
    provider.price_out = request.price_out.as_deref().map(money).transpose()?;
    provider.context = request.context;
    provider.small = request.small;
    provider.constrained_tools = request.constrained_tools;
    let before = app.settings().provider(&provider.name).cloned();
    // A change of model or price says nothing of the key; another address is another matter.
    if provider.key.is_none()
        && let Some(before) = before
            .as_ref()
            .filter(|one| one.base_url == provider.base_url)
    {
        provider.key.clone_from(&before.key);
    }
    if provider.key.is_none()
        && request.base_url.is_none()
        && let Some(preset) = preset.filter(|preset| preset.key.needed)
    {
        return Err(wants_key(preset));
    }
    let old = before.and_then(|one| one.key);
    if let Some(old) = old.filter(|old| provider.key.as_ref() != Some(old)) {
        drop_key(app, &old).await?;
    }
    let replaced = app.settings_file().change(|settings| {
        // What only the file can say stays when the rest is said anew.
        if let Some(before) = settings.provider(&provider.name) {
            provider.quirks.clone_from(&before.quirks);
            provider.prices.clone_from(&before.prices);
        }
        settings.put_provider(provider.clone())
    })?;
    app.hub().forget(&provider.name);
    Ok(ProviderShown {
        replaced,
        ..described(app, provider).await?
    })
}

/// # Errors
/// If secrets are kept in memory only, and this process ends with its command.
fn must_outlive_the_command(app: &App) -> Result<(), ApiError> {
    let memory_only = app.secrets().chosen_kind() == Some(PlaceKind::Memory);
    if !memory_only || app.mode() == Mode::Own {
        return Ok(());
    }
    let message = "secrets are kept in memory only, and the memory of this command ends with it";
    Err(ApiError::new(ErrorCode::SecretUnavailable, message).with_hint(
        "Start `bwana serve` first, which keeps them while it runs, or choose `bwana secrets use vault`.",
    ))
}

fn wants_key(preset: &Preset) -> ApiError {
    let from = match preset.key.url {
        Some(url) => format!("Get one at {url} and give it"),
        None => String::from("Give it"),
    };
    let message = format!("{} answers only those who bring a key", preset.title);
    ApiError::new(ErrorCode::UsageInvalid, message).with_hint(format!(
        "{from} with --key-stdin, or name the environment variable that holds it with --key-env."
    ))
}

/// # Errors
/// If a preset is named that does not exist.
fn preset_of(request: &AddRequest) -> Result<Option<&'static Preset>, ApiError> {
    let Some(id) = &request.preset else {
        let by_name = || presets::by_id(&request.name);
        return Ok(request.base_url.is_none().then(by_name).flatten());
    };
    presets::by_id(id).map(Some).ok_or_else(|| {
        let known = presets::all().iter().map(|preset| preset.id);
        let message = format!("there is no preset called '{}'", shown(id));
        let error = ApiError::new(ErrorCode::UsageNotFound, message);
        match nearest(id, known) {
            Some(near) => error.with_hint(format!("Did you mean `{near}`?")),
            None => error.with_hint("`bwana providers presets` lists them."),
        }
    })
}

/// A provider people know by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PresetShown {
    pub id: String,
    pub title: String,
    pub kind: String,
    /// Empty where only the person knows it.
    pub base_url: String,
    pub needs_key: bool,
    /// Where a key is to be had.
    pub key_url: Option<String>,
    pub on_this_machine: bool,
    /// Published prices in US dollars per million tokens, each with the day for which it was looked up.
    pub prices: Vec<PriceShown>,
    /// Its differences from others of its dialect, which settings may change.
    pub quirks: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PriceShown {
    pub model: String,
    pub price_in: Dollars,
    pub price_out: Dollars,
    /// It holds for requests up to so many tokens of input.
    pub up_to_input_tokens: Option<u64>,
    pub as_of: String,
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PresetList {
    pub presets: Vec<PresetShown>,
}

pub(crate) async fn presets(_app: &App, _ctx: Ctx, _: Nothing) -> Result<PresetList, ApiError> {
    let presets = presets::all().iter().map(|preset| PresetShown {
        id: preset.id.to_owned(),
        title: preset.title.to_owned(),
        kind: ProviderKind::of_dialect(preset.dialect)
            .map_or(preset.dialect, ProviderKind::as_str)
            .to_owned(),
        base_url: preset.base_url.to_owned(),
        needs_key: preset.key.needed,
        key_url: preset.key.url.map(str::to_owned),
        on_this_machine: preset.domain.is_empty() && !preset.signs.is_empty(),
        prices: preset.prices.iter().map(PriceShown::of).collect(),
        quirks: serde_json::to_value(&preset.quirks).unwrap_or_default(),
    });
    Ok(PresetList {
        presets: presets.collect(),
    })
}

impl PriceShown {
    fn of(line: &presets::ListPrice) -> Self {
        Self {
            model: line.model.to_owned(),
            price_in: Dollars(line.input_per_mtok),
            price_out: Dollars(line.output_per_mtok),
            up_to_input_tokens: line.up_to_input_tokens,
            as_of: line.as_of.to_owned(),
            source: line.source.to_owned(),
        }
    }
}

pub(crate) async fn remove(
    app: &App,
    _ctx: Ctx,
    request: NameRef,
) -> Result<ProviderShown, ApiError> {
    let found = hub::find(&app.settings(), &request.name)?.clone();
    let mut removed = described(app, found.clone()).await?;
    // The key first: while it cannot be removed, something still says whose it is.
    if let Some(key) = &found.key {
        removed.key_left_behind = !drop_key(app, key).await?;
    }
    app.settings_file().change(|settings| {
        settings.providers.retain(|one| one.name != found.name);
        let prefix = format!("{}/", found.name);
        let was_default = |chosen: &String| *chosen == found.name || chosen.starts_with(&prefix);
        if settings.default_model.as_ref().is_some_and(was_default) {
            settings.default_model = None;
        }
        Ok(())
    })?;
    app.hub().forget(&found.name);
    Ok(removed)
}

/// Removes a key that nothing will refer to any more. One that stands in the environment is not ours to remove. `false`:
/// the place it was kept in does not exist on this machine now, so it may still be there.
async fn drop_key(app: &App, key: &KeyRef) -> Result<bool, ApiError> {
    let Some(name) = key.secret_name() else {
        return Ok(true);
    };
    let name = name.clone();
    waiting(app, move |app| match app.secrets().remove(&name) {
        Ok(()) | Err(SecretError::NotFound { .. }) => Ok(true),
        Err(SecretError::Unavailable { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    })
    .await
}

pub(crate) async fn test(
    app: &App,
    _ctx: Ctx,
    request: TestRequest,
) -> Result<TestReport, ApiError> {
    let settings = app.settings();
    let model = match settings.provider(&request.name) {
        Some(found) => request.model.or_else(|| found.model.clone()),
        None if request.name == bwana_config::LOCAL_PROVIDER => {
            Some(app.hub().local().resolve(request.model.as_deref())?.model)
        }
        None => hub::find(&settings, &request.name)?.model.clone(),
    };
    let provider = app.hub().provider(&request.name)?;
    let mut probe = provider.probe(model.as_deref()).await;
    clean(&mut probe, app.secrets().redactor());
    let code = match &probe {
        Probe::Works { .. } => None,
        Probe::Rejected { kind, .. } => Some(hub::code_of(*kind)),
        Probe::Unreachable { .. } => Some(ErrorCode::ProviderUnreachable),
    };
    let mut models = match &probe {
        Probe::Unreachable { .. } => Vec::new(),
        // A provider without a list is no worse for it.
        Probe::Works { .. } | Probe::Rejected { .. } => provider.models().await.unwrap_or_default(),
    };
    models.truncate(MODELS_SHOWN_MAX);
    for model in &mut models {
        model.id = app.secrets().redactor().exact(&model.id).into_owned();
    }
    Ok(TestReport {
        id: request.name,
        probe,
        code,
        models,
    })
}

/// What a provider says may repeat a key: its own is taken out below, here every other one goes too.
fn clean(probe: &mut Probe, redactor: &Redactor) {
    match probe {
        Probe::Works { model, said, .. } => {
            for text in [model, said] {
                *text = redactor.exact(text).into_owned();
            }
        }
        Probe::Rejected { words, .. } => *words = redactor.text(words).into_owned(),
        Probe::Unreachable { cause, .. } => *cause = redactor.text(cause).into_owned(),
    }
}

/// As [`describe`], where waiting for the place of its key holds nobody up.
async fn described(app: &App, provider: ProviderSettings) -> Result<ProviderShown, ApiError> {
    waiting(app, move |app| Ok(describe(app, &provider))).await
}

fn describe(app: &App, provider: &ProviderSettings) -> ProviderShown {
    let settings = app.settings();
    let has_key = provider
        .key
        .as_ref()
        .is_none_or(|key| app.secrets().get(key).is_ok());
    let known = hub::known_price(provider);
    let price = known.price;
    let first = settings.providers.first();
    let is_default = match settings.default_model.as_deref() {
        Some(chosen) => {
            chosen == provider.name
                || chosen
                    .strip_prefix(provider.name.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        }
        None => first.is_some_and(|first| first.name == provider.name),
    };
    ProviderShown {
        id: provider.name.clone(),
        status: if has_key {
            ProviderStatus::Ready
        } else {
            ProviderStatus::NoKey
        },
        kind: provider.kind.to_string(),
        base_url: provider.base_url.clone(),
        key: provider.key.as_ref().map(ToString::to_string),
        model: provider.model.clone(),
        price_in: price.input_per_mtok.map(Dollars),
        price_out: price.output_per_mtok.map(Dollars),
        price_as_of: known.as_of.map(str::to_owned),
        standing: None,
        context: provider.context,
        on_this_machine: provider.is_loopback(),
        is_default,
        replaced: false,
        key_left_behind: false,
    }
}
