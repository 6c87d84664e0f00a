//! Commands about models on this machine: what there is, fetching, adding and deleting.

pub(crate) mod progress;
mod shown;

use std::path::PathBuf;

use bwana_config::LOCAL_PROVIDER;
use bwana_llm::local::fetch::{FetchError, Fetcher};
use bwana_llm::local::speed;
pub use bwana_llm::local::speed::Speed;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::model::LlmError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::shown::Looked;
pub use bwana_llm::local::machine::Obstacle;

pub use self::shown::{MachineShown, ModelShown, ModelStatus};
use crate::app::App;
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::hub::code_of;
use crate::shape::{nearest, shown};

/// Texts of one request for vectors.
const EMBED_TEXTS_MAX: usize = 1_024;
/// Another name for the starter model.
const STARTER: &str = "starter";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelList {
    pub models: Vec<ModelShown>,
    pub machine: MachineShown,
    /// `PROVIDER/MODEL` that is used when nothing is named; `null`: none can be had.
    pub default_model: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PullRequest {
    /// Without one, or as `starter`: the starter model.
    pub id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    /// A file on this machine, as an absolute path.
    pub file: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRefRequest {
    pub id: String,
}

/// How fast a model was in one short call with a fixed prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeasureShown {
    pub id: String,
    pub speed: Speed,
    /// Over the last calls, this one included.
    pub rolling: Option<Speed>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// With loading the model, if it was not in memory.
    pub elapsed_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbedRequest {
    /// A model on this machine.
    pub id: String,
    pub texts: Vec<String>,
}

/// One vector a text, in the order of the texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EmbedShown {
    pub id: String,
    pub dimensions: usize,
    pub vectors: Vec<Vec<f32>>,
    pub input_tokens: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultRequest {
    /// `PROVIDER/MODEL`, `PROVIDER` or `local`; `null`: choose by itself again.
    pub model: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DefaultShown {
    /// What is used from now on when nothing is named.
    pub default_model: Option<String>,
}

pub(crate) async fn list(app: &App, _ctx: Ctx, _: Nothing) -> Result<ModelList, ApiError> {
    let local = app.hub().local();
    let installed = local.installed();
    let looked = Looked::new(app);
    let mut models = Vec::new();
    for entry in &local.catalogue().models {
        let file = installed.iter().find(|file| file.name == entry.id);
        models.push(looked.entry(entry, file));
    }
    let own = installed
        .iter()
        .filter(|file| local.catalogue().get(&file.name).is_none());
    models.extend(own.map(|file| looked.file(file)));
    Ok(ModelList {
        models,
        machine: looked.machine(),
        default_model: default_model(app),
    })
}

fn default_model(app: &App) -> Option<String> {
    let model = app.hub().resolve("default").ok()?;
    Some(format!("{}/{}", model.provider, model.model))
}

pub(crate) async fn pull(
    app: &App,
    ctx: Ctx,
    request: PullRequest,
) -> Result<ModelShown, ApiError> {
    let local = app.hub().local();
    let known = || {
        local
            .catalogue()
            .models
            .iter()
            .map(|entry| entry.id.as_str())
    };
    let entry = match request.id.as_deref().filter(|id| *id != STARTER) {
        Some(id) => local.catalogue().get(id).ok_or_else(|| {
            let message = format!("the program knows no model called '{}'", shown(id));
            let error = ApiError::new(ErrorCode::ModelUnknown, message);
            match nearest(id, known()) {
                Some(near) => error.with_hint(format!("Did you mean `{near}`?")),
                None => error,
            }
        })?,
        None => local.starter().ok_or_else(|| {
            ApiError::new(
                ErrorCode::ModelUnknown,
                "there is no starter model to fetch",
            )
        })?,
    };
    let fetcher = Fetcher::new(local.folder(), client()?).with_traffic(app.traffic().clone());
    let mut told = progress::telling(&ctx.events, &entry.id);
    let mut tell = |progress| {
        app.meter().nudge();
        told(progress);
    };
    let file = fetcher
        .pull(&entry.id, &mut tell)
        .await
        .map_err(|error| fetch_error(&error))?;
    Ok(Looked::new(app).entry(entry, Some(&file)))
}

pub(crate) async fn add(app: &App, ctx: Ctx, request: AddRequest) -> Result<ModelShown, ApiError> {
    let local = app.hub().local();
    let fetcher = Fetcher::new(local.folder(), client()?);
    let name = request.file.display().to_string();
    let mut tell = progress::telling(&ctx.events, &name);
    let file = fetcher
        .add_file(&request.file, &mut tell)
        .await
        .map_err(|error| fetch_error(&error))?;
    let looked = Looked::new(app);
    Ok(match local.catalogue().get(&file.name) {
        Some(entry) => looked.entry(entry, Some(&file)),
        None => looked.file(&file),
    })
}

pub(crate) async fn remove(
    app: &App,
    _ctx: Ctx,
    request: ModelRefRequest,
) -> Result<ModelShown, ApiError> {
    let local = app.hub().local();
    refuse_default(app, &request.id)?;
    let looked = Looked::new(app);
    let installed = local.installed();
    let file = installed.iter().find(|file| file.name == request.id);
    let gone = match (file, local.catalogue().get(&request.id)) {
        (file, Some(entry)) => Some(looked.entry(entry, file)),
        (Some(file), None) => Some(looked.file(file)),
        (None, None) => None,
    };
    let fetcher = Fetcher::new(local.folder(), client()?);
    // A half-fetched file is something to delete as well.
    let removed = match gone {
        Some(gone) => fetcher
            .remove(&request.id)
            .map_err(|error| fetch_error(&error))?
            .then_some(gone),
        None => None,
    };
    removed.ok_or_else(|| not_here(&request.id))
}

/// A model that the person chose as the default would leave a hole.
fn refuse_default(app: &App, id: &str) -> Result<(), ApiError> {
    let settings = app.settings();
    let default = settings.default_model.as_deref();
    let by_name = default.and_then(|model| model.strip_prefix(LOCAL_PROVIDER)?.strip_prefix('/'));
    if by_name != Some(id) && settings.local.model.as_deref() != Some(id) {
        return Ok(());
    }
    let message = format!("{} is the model you chose as the default", shown(id));
    Err(ApiError::new(ErrorCode::UsageInvalid, message)
        .with_hint(
            "Choose another with `bwana models default MODEL`, or none with `bwana models default`, then remove it.",
        )
        .with_details(json!({ "reason": "is_default", "model": id })))
}

fn not_here(id: &str) -> ApiError {
    let message = format!("there is no model called '{}' on this machine", shown(id));
    ApiError::new(ErrorCode::ModelNotInstalled, message)
        .with_hint("`bwana models list` shows what there is.")
}

/// Runs a short fixed call and says how fast it was.
pub(crate) async fn measure(
    app: &App,
    _ctx: Ctx,
    request: ModelRefRequest,
) -> Result<MeasureShown, ApiError> {
    let local = app.hub().local();
    let model = local.resolve(Some(&request.id))?.model;
    let measured = local
        .ready()?
        .measure(&model)
        .await
        .map_err(|error| call_error(&error))?;
    Ok(MeasureShown {
        speed: measured.speed,
        rolling: speed::read(local.folder()).remove(&model),
        id: model,
        input_tokens: measured.usage.input_tokens,
        output_tokens: measured.usage.output_tokens,
        elapsed_ms: u64::try_from(measured.elapsed.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Turns texts into vectors, with a model of this machine.
pub(crate) async fn embed(
    app: &App,
    _ctx: Ctx,
    request: EmbedRequest,
) -> Result<EmbedShown, ApiError> {
    if request.texts.is_empty() || request.texts.len() > EMBED_TEXTS_MAX {
        let message = format!(
            "{} texts were given; between 1 and {EMBED_TEXTS_MAX} can be embedded at once",
            request.texts.len()
        );
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    let model = app.hub().local().resolve(Some(&request.id))?.model;
    let embedded = app
        .hub()
        .provider(LOCAL_PROVIDER)?
        .embed(&model, &request.texts)
        .await
        .map_err(|error| call_error(&error))?;
    Ok(EmbedShown {
        id: model,
        dimensions: embedded.vectors.first().map_or(0, Vec::len),
        vectors: embedded.vectors,
        input_tokens: embedded.usage.map_or(0, |usage| usage.input_tokens),
    })
}

fn call_error(error: &LlmError) -> ApiError {
    ApiError::new(code_of(error.kind), error.message.clone())
}

pub(crate) async fn set_default(
    app: &App,
    _ctx: Ctx,
    request: DefaultRequest,
) -> Result<DefaultShown, ApiError> {
    if let Some(model) = request.model.as_deref().filter(|model| *model != "default") {
        app.hub().resolve(model)?;
    }
    app.settings_file().change(|settings| {
        settings.default_model = request.model.filter(|model| model != "default");
        Ok(())
    })?;
    Ok(DefaultShown {
        default_model: default_model(app),
    })
}

/// A client for downloads: made when one is wanted, because setting TLS up takes time.
fn client() -> Result<reqwest::Client, ApiError> {
    // A second call finds it installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("bwana/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| ApiError::new(ErrorCode::ModelFetchFailed, error.to_string()))
}

fn fetch_error(error: &FetchError) -> ApiError {
    let code = match error {
        FetchError::BadName { .. } | FetchError::NotAModel { .. } => ErrorCode::UsageInvalid,
        FetchError::HashMismatch { .. } => ErrorCode::ModelHashMismatch,
        FetchError::NoSpace { .. } => ErrorCode::StoreFull,
        FetchError::InUse { .. } => ErrorCode::UsageInvalid,
        FetchError::Busy { .. } | FetchError::NoSource { .. } | FetchError::Io { .. } => {
            ErrorCode::ModelFetchFailed
        }
    };
    let api = ApiError::new(code, error.to_string());
    match error {
        FetchError::NoSpace {
            needed_bytes,
            free_bytes,
            ..
        } => api
            .with_hint("Make room on the disk and try again.")
            .with_details(json!({
                "reason": "disk", "needed_bytes": needed_bytes, "free_bytes": free_bytes,
                "missing_bytes": needed_bytes.saturating_sub(*free_bytes),
            })),
        FetchError::InUse { name } => api
            .with_hint("It leaves memory some minutes after its last call, or when that program is closed; then remove it.")
            .with_details(json!({ "reason": "in_use", "model": name })),
        FetchError::Busy { .. } => api.with_hint("Wait until the other program is done."),
        FetchError::NotAModel { .. } => {
            api.with_hint("Models are files that end in .gguf; choose another file.")
        }
        _ => api,
    }
}
