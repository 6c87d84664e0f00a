//! What agents and workflows were before: looking, reading, putting one back, and taking a workflow away.

use bwana_store::{DefinitionKind, DefinitionVersion};
use bwana_types::agent::AgentFile;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::workflow::WorkflowFile;
use bwana_workflow::definition::{SHIPPED_FILES, parse};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::book::{self, BUILTIN, Book};
use crate::command::Ctx;
use crate::definitions::{ById, ExportedText, ImportReport, find, in_file, report_of, yaml};
use crate::shape::{Time, shown};

/// Which of the two an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Agent,
    Workflow,
}

impl Kind {
    fn stored(self) -> DefinitionKind {
        match self {
            Self::Agent => DefinitionKind::Agent,
            Self::Workflow => DefinitionKind::Workflow,
        }
    }
}

/// A definition, also one that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionsOf {
    pub kind: Kind,
    pub id: String,
}

/// One of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionRef {
    pub kind: Kind,
    pub id: String,
    /// Or its first digits.
    pub hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionList {
    /// The newest first. The oldest go when there are too many.
    pub items: Vec<VersionShown>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionShown {
    pub hash: Hash,
    /// The first digits of it.
    pub version: String,
    /// A file's path, or `builtin`.
    pub source: String,
    /// Since when it was in force.
    pub at: Time,
    /// It is in force.
    pub current: bool,
}

/// What became of a workflow that was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    pub id: String,
    /// It comes with the program, and is again as it came.
    pub shipped: bool,
}

pub(crate) async fn list(app: &App, _ctx: Ctx, of: VersionsOf) -> Result<VersionList, ApiError> {
    let book = app.book().await?;
    let current = in_force(&book, of.kind, &of.id);
    let mut is_current = current;
    let items = versions(app, &of)?.into_iter().map(|version| {
        // An old content that was put back stands in the list twice; only the newest of them is in force.
        let current = is_current == Some(version.hash);
        is_current = is_current.filter(|_| !current);
        VersionShown {
            version: version.hash.short(),
            hash: version.hash,
            source: version.source,
            at: Time(version.made_at),
            current,
        }
    });
    Ok(VersionList {
        items: items.collect(),
    })
}

pub(crate) async fn show(app: &App, _ctx: Ctx, one: VersionRef) -> Result<ExportedText, ApiError> {
    let version = version(app, &one)?;
    Ok(ExportedText {
        text: text_of(one.kind, &one.id, &version)?,
        id: one.id,
    })
}

pub(crate) async fn restore(
    app: &App,
    _ctx: Ctx,
    one: VersionRef,
) -> Result<ImportReport, ApiError> {
    let store = app.owner()?;
    let version = version(app, &one)?;
    let text = text_of(one.kind, &one.id, &version)?;
    let book = app.book().await?;
    // Checked anew: an agent it names may be gone, or a tool.
    let found = book
        .read(text.as_bytes(), &app.tool_names())
        .map_err(|error| in_file(&one.id, error))?;
    let outcomes = book::put(store, &found, &version.source).await?;
    store.sync().await?;
    Ok(report_of(outcomes, &found.notes))
}

pub(crate) async fn remove_workflow(app: &App, _ctx: Ctx, by: ById) -> Result<Removed, ApiError> {
    let store = app.owner()?;
    let book = app.book().await?;
    find(&book.workflows, &by.id, "workflow")?;
    let path = format!("workflows/{}.yaml", by.id);
    let shipped = SHIPPED_FILES.iter().find(|file| file.path == path);
    match shipped {
        Some(file) => {
            let found = book.read(file.text.as_bytes(), &app.tool_names())?;
            book::put(store, &found, BUILTIN).await?;
        }
        None => {
            store
                .delete_definition(DefinitionKind::Workflow, &by.id)
                .await?;
        }
    }
    store.sync().await?;
    Ok(Removed {
        id: by.id,
        shipped: shipped.is_some(),
    })
}

fn in_force(book: &Book, kind: Kind, id: &str) -> Option<Hash> {
    match kind {
        Kind::Agent => book.agents.get(id).map(|kept| kept.hash),
        Kind::Workflow => book.workflows.get(id).map(|kept| kept.hash),
    }
}

fn versions(app: &App, of: &VersionsOf) -> Result<Vec<DefinitionVersion>, ApiError> {
    let found = match app.maybe_store() {
        Some(store) => store.definition_versions(of.kind.stored(), &of.id)?,
        None => Vec::new(),
    };
    if found.is_empty() {
        let message = format!(
            "there never was {} called '{}' here",
            match of.kind {
                Kind::Agent => "an agent",
                Kind::Workflow => "a workflow",
            },
            shown(&of.id)
        );
        return Err(ApiError::new(ErrorCode::UsageNotFound, message)
            .with_hint("Versions are kept from the first time this program starts."));
    }
    Ok(found)
}

fn version(app: &App, one: &VersionRef) -> Result<DefinitionVersion, ApiError> {
    let of = VersionsOf {
        kind: one.kind,
        id: one.id.clone(),
    };
    let all = versions(app, &of)?;
    let wanted = one.hash.to_ascii_lowercase();
    let found = all
        .into_iter()
        .find(|version| !wanted.is_empty() && version.hash.to_string().starts_with(&wanted));
    found.ok_or_else(|| {
        let message = format!("'{}' has no version '{}'", shown(&one.id), shown(&one.hash));
        ApiError::new(ErrorCode::UsageNotFound, message)
            .with_hint("Choose one of its list of versions.")
    })
}

/// As it was shipped, comments and all, or written anew.
fn text_of(kind: Kind, id: &str, version: &DefinitionVersion) -> Result<String, ApiError> {
    let path = format!("{}s/{id}.yaml", kind.stored().as_str());
    let shipped = SHIPPED_FILES.iter().find(|file| {
        let holds = |text: &str| {
            let documents = parse(text.as_bytes()).unwrap_or_default();
            documents.iter().any(|one| one.hash == version.hash)
        };
        file.path == path && holds(file.text)
    });
    if let Some(file) = shipped {
        return Ok(file.text.to_owned());
    }
    match kind {
        Kind::Agent => yaml(&read::<AgentFile>(version)?),
        Kind::Workflow => yaml(&read::<WorkflowFile>(version)?),
    }
}

fn read<T: DeserializeOwned>(version: &DefinitionVersion) -> Result<T, ApiError> {
    serde_json::from_str(&version.body).map_err(|error| {
        let message = format!("this version cannot be read by this program: {error}");
        ApiError::new(ErrorCode::DefinitionInvalid, message)
            .with_hint("A newer program wrote it; open it with that one.")
    })
}
