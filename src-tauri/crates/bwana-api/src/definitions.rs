//! Commands about agents and workflows: list, show, check, import, export.

use std::collections::BTreeMap;

use bwana_store::{DefinitionKind, Imported};
use bwana_types::agent::AgentFile;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::workflow::WorkflowFile;
pub use bwana_workflow::definition::FILE_MAX_BYTES;
use bwana_workflow::definition::{
    DefinitionError, DefinitionFile, Issue, SHIPPED_FILES, Severity, parse, schemas,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::book::{self, BUILTIN, Book, Kept};
use crate::command::Ctx;
use crate::shape::{nearest, shown};

/// Nothing to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// One definition by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ById {
    pub id: String,
}

/// A file's content, with the name people know it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// For messages; nothing is opened by it.
    pub name: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DefinitionLine {
    pub id: String,
    pub name: String,
    pub description: String,
    /// The first digits of the content hash.
    pub version: String,
    /// A file's path, or `builtin`.
    pub source: String,
    /// An agent's tools; a workflow's agents.
    pub uses: Vec<String>,
    /// A workflow's steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DefinitionList {
    pub items: Vec<DefinitionLine>,
    /// Files in the data folder that cannot be used; their last good version stays in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<FileProblem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileProblem {
    pub file: String,
    pub problem: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentShown {
    pub id: String,
    pub hash: Hash,
    pub source: String,
    pub agent: AgentFile,
    /// Tools the agent names that this program does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_tools: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowShown {
    pub id: String,
    pub hash: Hash,
    pub source: String,
    pub workflow: WorkflowFile,
}

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssueShown {
    /// `error` or `warning`.
    pub severity: String,
    pub code: String,
    pub document: usize,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    pub reason: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// All of it in one sentence.
    pub text: String,
}

impl From<&Issue> for IssueShown {
    fn from(issue: &Issue) -> Self {
        Self {
            severity: match issue.severity {
                Severity::Warning => String::from("warning"),
                Severity::Error => String::from("error"),
            },
            code: issue.code.as_str().to_owned(),
            document: issue.document,
            path: issue.path.to_string(),
            line: issue.line,
            reason: issue.reason.clone(),
            hint: issue.hint.clone(),
            text: issue.to_string(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Validation {
    pub file: String,
    pub valid: bool,
    /// Ids of what the file holds.
    pub agents: Vec<String>,
    pub workflows: Vec<String>,
    pub issues: Vec<IssueShown>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportRequest {
    pub file: FileText,
    /// Refuse what exists already instead of replacing it.
    #[serde(default)]
    pub only_new: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportReport {
    pub items: Vec<ImportedLine>,
    pub notes: Vec<IssueShown>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportedLine {
    /// `agent` or `workflow`.
    pub kind: String,
    pub id: String,
    /// `created`, `updated` or `unchanged`.
    pub status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportedText {
    pub id: String,
    /// YAML that `import` takes.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaList {
    pub schemas: Vec<SchemaShown>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaShown {
    /// The `schema:` line of files of this format.
    pub name: String,
    pub schema: Value,
}

pub(crate) async fn list_agents(
    app: &App,
    _ctx: Ctx,
    _: Nothing,
) -> Result<DefinitionList, ApiError> {
    let book = app.book().await?;
    let lines = book.agents.values().map(|kept| DefinitionLine {
        id: kept.file.id.clone(),
        name: kept.file.name.clone(),
        description: kept.file.description.clone(),
        version: kept.hash.short(),
        source: kept.source.clone(),
        uses: kept.file.tools.clone(),
        steps: None,
    });
    Ok(DefinitionList {
        items: lines.collect(),
        problems: problems(&book),
    })
}

pub(crate) async fn list_workflows(
    app: &App,
    _ctx: Ctx,
    _: Nothing,
) -> Result<DefinitionList, ApiError> {
    let book = app.book().await?;
    let lines = book.workflows.values().map(|kept| DefinitionLine {
        id: kept.file.id.clone(),
        name: kept.file.name.clone(),
        description: kept.file.description.clone(),
        version: kept.hash.short(),
        source: kept.source.clone(),
        uses: kept.file.agents.clone(),
        steps: Some(kept.file.steps.len()),
    });
    Ok(DefinitionList {
        items: lines.collect(),
        problems: problems(&book),
    })
}

pub(crate) fn problems(book: &Book) -> Vec<FileProblem> {
    let problems = book.problems.iter();
    problems
        .map(|one| FileProblem {
            file: one.file.clone(),
            problem: one.problem.clone(),
        })
        .collect()
}

pub(crate) async fn show_agent(app: &App, _ctx: Ctx, by: ById) -> Result<AgentShown, ApiError> {
    let book = app.book().await?;
    let kept = find(&book.agents, &by.id, "agent")?;
    let tools = app.tool_names();
    let missing = kept.file.tools.iter().filter(|name| !tools.contains(*name));
    Ok(AgentShown {
        id: kept.file.id.clone(),
        hash: kept.hash,
        source: kept.source.clone(),
        missing_tools: missing.cloned().collect(),
        agent: kept.file.clone(),
    })
}

pub(crate) async fn show_workflow(
    app: &App,
    _ctx: Ctx,
    by: ById,
) -> Result<WorkflowShown, ApiError> {
    let book = app.book().await?;
    let kept = find(&book.workflows, &by.id, "workflow")?;
    Ok(WorkflowShown {
        id: kept.file.id.clone(),
        hash: kept.hash,
        source: kept.source.clone(),
        workflow: kept.file.clone(),
    })
}

/// A definition by its id.
///
/// # Errors
/// [`ErrorCode::UsageNotFound`] with the nearest one there is.
pub(crate) fn find<'a, T>(
    known: &'a BTreeMap<String, Kept<T>>,
    id: &str,
    what: &str,
) -> Result<&'a Kept<T>, ApiError> {
    known.get(id).ok_or_else(|| {
        let code = if what == "agent" {
            ErrorCode::DefinitionUnknownAgent
        } else {
            ErrorCode::UsageNotFound
        };
        let error = ApiError::new(code, format!("there is no {what} called '{}'", shown(id)));
        match nearest(id, known.keys().map(String::as_str)) {
            Some(near) => error.with_hint(format!("Did you mean `{near}`?")),
            None => error.with_hint(format!("`bwana {what}s list` shows what there is.")),
        }
    })
}

pub(crate) async fn validate(app: &App, _ctx: Ctx, file: FileText) -> Result<Validation, ApiError> {
    let book = app.book().await?;
    let held = |documents: Vec<bwana_workflow::definition::Parsed>| {
        let mut ids = (Vec::new(), Vec::new());
        for document in documents {
            match document.file {
                DefinitionFile::Agent(agent) => ids.0.push(agent.id),
                DefinitionFile::Workflow(workflow) => ids.1.push(workflow.id),
            }
        }
        ids
    };
    let (valid, issues, (agents, workflows)) =
        match book.read(file.text.as_bytes(), &app.tool_names()) {
            Ok(found) => {
                let agents = found.agents.into_iter().map(|(agent, _)| agent.id);
                let workflows = found.workflows.into_iter().map(|(flow, _)| flow.id);
                (true, found.notes, (agents.collect(), workflows.collect()))
            }
            Err(error) => {
                let ids = parse(file.text.as_bytes()).map(held).unwrap_or_default();
                (false, error.issues, ids)
            }
        };
    Ok(Validation {
        file: file.name,
        valid,
        agents,
        workflows,
        issues: issues.iter().map(IssueShown::from).collect(),
    })
}

pub(crate) async fn import(
    app: &App,
    _ctx: Ctx,
    request: ImportRequest,
) -> Result<ImportReport, ApiError> {
    let store = app.owner()?;
    let book = app.book().await?;
    let name = request.file.name;
    let found = book
        .read(request.file.text.as_bytes(), &app.tool_names())
        .map_err(|error| in_file(&name, error))?;
    if request.only_new {
        let known = |id: &String, what| {
            ApiError::new(
                ErrorCode::UsageInvalid,
                format!("there is already {what} called '{id}'"),
            )
            .with_hint("Use `import` to replace it, or give yours another id.")
        };
        if let Some((agent, _)) = found
            .agents
            .iter()
            .find(|(agent, _)| book.agents.contains_key(&agent.id))
        {
            return Err(known(&agent.id, "an agent"));
        }
    }
    // The word for what is shipped is nobody's file name.
    let source = if name == BUILTIN { "import" } else { &name };
    let outcomes = book::put(store, &found, source).await?;
    store.sync().await?;
    Ok(report_of(outcomes, &found.notes))
}

/// What became of definitions that were taken in.
pub(crate) fn report_of(
    outcomes: Vec<(DefinitionKind, String, Imported)>,
    notes: &[Issue],
) -> ImportReport {
    let items = outcomes.into_iter().map(|(kind, id, status)| ImportedLine {
        kind: kind.as_str().to_owned(),
        id,
        status: serde_json::to_value(status)
            .ok()
            .and_then(|status| status.as_str().map(str::to_owned))
            .unwrap_or_default(),
    });
    ImportReport {
        items: items.collect(),
        notes: notes.iter().map(IssueShown::from).collect(),
    }
}

/// An error of a file, with the file's name in front.
pub(crate) fn in_file(name: &str, error: DefinitionError) -> ApiError {
    let mut api: ApiError = error.into();
    api.message = format!("{}: {}", shown(name), api.message);
    api
}

pub(crate) async fn export_agent(app: &App, _ctx: Ctx, by: ById) -> Result<ExportedText, ApiError> {
    let book = app.book().await?;
    let kept = find(&book.agents, &by.id, "agent")?;
    export(DefinitionKind::Agent, &kept.file.id, kept)
}

pub(crate) async fn export_workflow(
    app: &App,
    _ctx: Ctx,
    by: ById,
) -> Result<ExportedText, ApiError> {
    let book = app.book().await?;
    let kept = find(&book.workflows, &by.id, "workflow")?;
    export(DefinitionKind::Workflow, &kept.file.id, kept)
}

/// The text of a definition: as it was shipped, comments and all, or written anew.
fn export<T: Serialize>(
    kind: DefinitionKind,
    id: &str,
    kept: &Kept<T>,
) -> Result<ExportedText, ApiError> {
    let path = format!("{}s/{id}.yaml", kind.as_str());
    let shipped = SHIPPED_FILES
        .iter()
        .find(|file| kept.source == BUILTIN && file.path == path);
    let text = match shipped {
        Some(file) => file.text.to_owned(),
        None => yaml(&kept.file)?,
    };
    Ok(ExportedText {
        id: id.to_owned(),
        text,
    })
}

/// A definition as text that `import` takes.
pub(crate) fn yaml(file: &impl Serialize) -> Result<String, ApiError> {
    serde_saphyr::to_string(file)
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))
}

pub(crate) async fn file_schemas(
    _app: &App,
    _ctx: Ctx,
    _: Nothing,
) -> Result<SchemaList, ApiError> {
    let schemas = schemas().into_iter().map(|file| SchemaShown {
        name: file.name.to_owned(),
        schema: file.schema,
    });
    Ok(SchemaList {
        schemas: schemas.collect(),
    })
}
