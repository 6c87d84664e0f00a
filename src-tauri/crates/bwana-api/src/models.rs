//! Commands about models on this machine: what there is, fetching, adding and deleting.

use std::path::{Path, PathBuf};

use bwana_llm::local::catalogue::{Entry, Purpose};
use bwana_llm::local::fetch::{FetchError, Fetcher, Progress, Record, Trust};
use bwana_llm::local::files::Installed;
use bwana_types::error::{ApiError, ErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::events::{Event, Events};
use crate::shape::{nearest, shown};

/// Another name for the starter model.
const STARTER: &str = "starter";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelShown {
    pub id: String,
    pub status: ModelStatus,
    pub title: String,
    pub publisher: Option<String>,
    pub licence: Option<String>,
    pub size_bytes: u64,
    pub context_tokens: Option<u32>,
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelList {
    pub models: Vec<ModelShown>,
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
    let mut models = Vec::new();
    for entry in &local.catalogue().models {
        let file = installed.iter().find(|file| file.name == entry.id);
        models.push(of_entry(app, entry, file));
    }
    let own = installed
        .iter()
        .filter(|file| local.catalogue().get(&file.name).is_none());
    models.extend(own.map(|file| of_file(app, file)));
    Ok(ModelList {
        models,
        default_model: default_model(app),
    })
}

fn default_model(app: &App) -> Option<String> {
    let model = app.hub().resolve("default").ok()?;
    Some(format!("{}/{}", model.provider, model.model))
}

fn of_entry(app: &App, entry: &Entry, file: Option<&Installed>) -> ModelShown {
    let best = memory_bytes().and_then(|bytes| app.hub().local().catalogue().best_for(bytes));
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
        context_tokens: Some(entry.context_tokens),
        purpose: Some(purpose.to_owned()),
        is_default: false,
        recommended: best.is_some_and(|best| best.id == entry.id),
        path: None,
        sha256: entry.sha256.clone(),
        trust: None,
    };
    match file {
        Some(file) => ModelShown {
            licence: base.licence,
            publisher: base.publisher,
            title: base.title,
            purpose: base.purpose,
            context_tokens: base.context_tokens,
            recommended: base.recommended,
            ..of_file(app, file)
        },
        None => base,
    }
}

fn of_file(app: &App, file: &Installed) -> ModelShown {
    let local = app.hub().local();
    let record = record_of(&file.path);
    let chosen = local.chosen();
    ModelShown {
        id: file.name.clone(),
        status: ModelStatus::Installed,
        title: file.name.clone(),
        publisher: None,
        licence: None,
        size_bytes: file.bytes,
        context_tokens: None,
        purpose: None,
        is_default: chosen.is_some_and(|chosen| chosen.name == file.name),
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
    let fetcher = Fetcher::new(local.folder(), client()?);
    let mut tell = progress(&ctx.events, &entry.id);
    let file = fetcher
        .pull(&entry.id, &mut tell)
        .await
        .map_err(|error| fetch_error(&error))?;
    Ok(of_entry(app, entry, Some(&file)))
}

pub(crate) async fn add(app: &App, ctx: Ctx, request: AddRequest) -> Result<ModelShown, ApiError> {
    let local = app.hub().local();
    let fetcher = Fetcher::new(local.folder(), client()?);
    let name = request.file.display().to_string();
    let mut tell = progress(&ctx.events, &name);
    let file = fetcher
        .add_file(&request.file, &mut tell)
        .await
        .map_err(|error| fetch_error(&error))?;
    let known = local.catalogue().get(&file.name);
    Ok(known.map_or_else(
        || of_file(app, &file),
        |entry| of_entry(app, entry, Some(&file)),
    ))
}

pub(crate) async fn remove(
    app: &App,
    _ctx: Ctx,
    request: ModelRefRequest,
) -> Result<ModelShown, ApiError> {
    let local = app.hub().local();
    let installed = local.installed();
    let file = installed.iter().find(|file| file.name == request.id);
    let file = file.ok_or_else(|| {
        let message = format!(
            "there is no model called '{}' on this machine",
            shown(&request.id)
        );
        ApiError::new(ErrorCode::ModelNotInstalled, message)
            .with_hint("`bwana models list` shows what there is.")
    })?;
    let shown = of_file(app, file);
    let fetcher = Fetcher::new(local.folder(), client()?);
    fetcher
        .remove(&request.id)
        .map_err(|error| fetch_error(&error))?;
    Ok(shown)
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

fn progress(events: &Events, what: &str) -> impl FnMut(Progress) + Send + use<> {
    let events = events.clone();
    let what = what.to_owned();
    move |progress: Progress| {
        events.tell_if_ready(Event::Progress {
            what: format!("{what}: {}", stage(progress)),
            done: progress.done_bytes,
            total: progress.total_bytes,
        });
    }
}

fn stage(progress: Progress) -> &'static str {
    use bwana_llm::local::fetch::Stage;
    match progress.stage {
        Stage::Checking => "checking",
        Stage::Downloading => "downloading",
        Stage::FetchingPackage => "fetching the package",
        Stage::Unpacking => "unpacking",
        Stage::Copying => "copying",
    }
}

/// What was recorded when the file was fetched, as it stands beside it.
fn record_of(file: &Path) -> Option<Record> {
    let mut name = file.as_os_str().to_owned();
    name.push(".json");
    serde_json::from_slice(&std::fs::read(PathBuf::from(name)).ok()?).ok()
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
        FetchError::Busy { .. } | FetchError::NoSource { .. } | FetchError::Io { .. } => {
            ErrorCode::ModelFetchFailed
        }
    };
    let api = ApiError::new(code, error.to_string());
    match error {
        FetchError::NoSpace { .. } => api.with_hint("Make room on the disk and try again."),
        FetchError::Busy { .. } => api.with_hint("Wait until the other program is done."),
        FetchError::NotAModel { .. } => {
            api.with_hint("Models are files that end in .gguf; choose another file.")
        }
        _ => api,
    }
}

/// Memory of this machine, where it says so.
fn memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}
