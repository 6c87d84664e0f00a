//! Commands about providers: add, list, test, remove. A key is only ever a reference.

use bwana_config::{KeyRef, ProviderSettings};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::model::{ModelInfo, Probe};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::hub;
use crate::runs::money;
use crate::shape::Dollars;

/// Models a test lists at most.
const MODELS_SHOWN_MAX: usize = 50;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    pub name: String,
    pub kind: String,
    pub base_url: String,
    /// The environment variable that holds the key.
    #[serde(default)]
    pub key_env: Option<String>,
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
    pub context: Option<u32>,
    pub on_this_machine: bool,
    /// Used when nothing else is named.
    pub is_default: bool,
    /// It stood there before and was replaced.
    #[serde(default)]
    pub replaced: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderStatus {
    Ready,
    NoKey,
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
    let settings = app.settings();
    let providers = settings.providers.iter().map(|one| describe(app, one));
    Ok(ProviderList {
        providers: providers.collect(),
    })
}

pub(crate) async fn add(
    app: &App,
    _ctx: Ctx,
    request: AddRequest,
) -> Result<ProviderShown, ApiError> {
    let mut provider = ProviderSettings::new(request.name, request.base_url);
    provider.kind = request.kind.parse()?;
    provider.key = request.key_env.as_deref().map(KeyRef::env).transpose()?;
    provider.model = request.model.filter(|model| !model.is_empty());
    provider.price_in = request.price_in.as_deref().map(money).transpose()?;
    provider.price_out = request.price_out.as_deref().map(money).transpose()?;
    provider.context = request.context;
    provider.small = request.small;
    provider.constrained_tools = request.constrained_tools;
    let replaced = app.settings_file().change(|settings| {
        // What only the file can say stays when the rest is said anew.
        if let Some(before) = settings.provider(&provider.name) {
            provider.quirks.clone_from(&before.quirks);
            provider.prices.clone_from(&before.prices);
        }
        settings.put_provider(provider.clone())
    })?;
    Ok(ProviderShown {
        replaced,
        ..describe(app, &provider)
    })
}

pub(crate) async fn remove(
    app: &App,
    _ctx: Ctx,
    request: NameRef,
) -> Result<ProviderShown, ApiError> {
    let found = hub::find(&app.settings(), &request.name)?.clone();
    let shown = describe(app, &found);
    app.settings_file().change(|settings| {
        settings.providers.retain(|one| one.name != found.name);
        let prefix = format!("{}/", found.name);
        let was_default = |chosen: &String| *chosen == found.name || chosen.starts_with(&prefix);
        if settings.default_model.as_ref().is_some_and(was_default) {
            settings.default_model = None;
        }
        Ok(())
    })?;
    Ok(shown)
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
    let probe = provider.probe(model.as_deref()).await;
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
    Ok(TestReport {
        id: request.name,
        probe,
        code,
        models,
    })
}

fn describe(app: &App, provider: &ProviderSettings) -> ProviderShown {
    let settings = app.settings();
    let has_key = provider
        .key
        .as_ref()
        .is_none_or(|key| app.secrets().secret(&key.to_string()).is_some());
    let price = provider.price(provider.model.as_deref().unwrap_or_default());
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
        context: provider.context,
        on_this_machine: provider.is_loopback(),
        is_default,
        replaced: false,
    }
}
