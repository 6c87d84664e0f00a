//! Commands about runs: start, steer, show, list. The shapes of a run for people stand in `view`.

use std::collections::BTreeMap;

use bwana_config::LOCAL_PROVIDER;
use bwana_engine::{Engine, StartRun};
use bwana_store::RunFilter;
use bwana_types::definition::{AgentDef, Definition, RunLimits};
use bwana_types::entry::{Edit, Edited, Seq};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::money::MicroUsd;
use bwana_types::status::RunStatus;
use bwana_types::workflow::WorkflowFile;
use bwana_workflow::definition::{
    Ask, DefinitionError, Fit, ResolveOptions, Resolved, Trial, ask_workflow, resolve,
};
use bwana_workflow::machine::{Control, Input};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::book::Book;
use crate::command::Ctx;
use crate::definitions::{FileText, IssueShown, find, in_file};
use crate::shape::shown;
pub use crate::view::{RunLine, RunShown};
use crate::{moment, quiet, unattended};

/// Bytes of what a run is asked to do. More belongs into files that agents read.
pub const INPUT_MAX_BYTES: usize = 1024 * 1024;
/// Bytes of a file that `--edit` takes.
pub const EDIT_MAX_BYTES: usize = 1024 * 1024;

/// What to do with questions to a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approve {
    /// The run waits for an answer.
    #[default]
    Ask,
    /// Nobody is there: the answer is no.
    Deny,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    pub what: What,
    pub input: String,
    #[serde(default)]
    pub options: StartOptions,
}

/// The workflow to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The id of an imported one.
    Workflow(String),
    /// A file with exactly one workflow, and agents if it likes; it is not imported.
    File(FileText),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StartOptions {
    /// `PROVIDER/MODEL` for all agents, instead of what their files say.
    pub model: Option<String>,
    /// US dollars, like `1.50`.
    pub budget_usd: Option<String>,
    pub approve: Approve,
    /// A rehearsal: nothing outside the run's own folder is changed, nobody is asked, and without `model` the model of
    /// this machine does the work.
    pub dry_run: bool,
    /// The top-level step to begin with; those before it are not worked on.
    pub from: Option<String>,
    /// Results of steps before it, by their ids; without one a step has an empty result.
    pub pinned: BTreeMap<String, String>,
    /// Nothing after that step is worked on.
    pub only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskRequest {
    pub text: String,
    /// The id of an agent; without one the team answers.
    #[serde(default)]
    pub agent: Option<String>,
    #[serde(default)]
    pub options: StartOptions,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// An id, or its last characters.
    pub run: String,
    #[serde(default)]
    pub approve: Approve,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRef {
    /// An id, or its last characters.
    pub run: String,
}

/// A run that works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    pub run: RunId,
    pub workflow: String,
    pub workflow_name: String,
    /// Agents in the order of their ids, with their names and the model each uses.
    pub agents: Vec<AgentAtWork>,
    /// Top-level steps, in order.
    pub steps: Vec<StepName>,
    /// The model is the small starter model, whose answers are poor.
    pub starter_model: bool,
    /// What a person should know before the work begins.
    pub notes: Vec<IssueShown>,
    /// The last entry before this command; what follows is new.
    pub head_seq: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentAtWork {
    pub id: String,
    pub name: String,
    /// `PROVIDER/MODEL`
    pub model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepName {
    pub id: String,
    pub name: String,
}

pub(crate) async fn start(app: &App, ctx: Ctx, request: StartRequest) -> Result<Started, ApiError> {
    check_input(&request.input)?;
    let mut book = app.book().await?;
    let (workflow, hash, file) = match request.what {
        What::Workflow(id) => {
            let kept = find(&book.workflows, &id, "workflow")?;
            (kept.file.clone(), kept.hash, None)
        }
        What::File(file) => {
            let (workflow, hash) = only_workflow(app, &mut book, &file)?;
            (workflow, hash, Some(file.name))
        }
    };
    check_schema(&workflow, &request.input)?;
    let job = Job {
        workflow: &workflow,
        hash,
        file,
        input: request.input,
        options: request.options,
    };
    begin(app, &ctx, &book, job).await
}

pub(crate) async fn ask(app: &App, ctx: Ctx, request: AskRequest) -> Result<Started, ApiError> {
    check_input(&request.text)?;
    let book = app.book().await?;
    let agents = book.agent_files();
    let team: Vec<String> = agents.keys().cloned().collect();
    let whom = match &request.agent {
        Some(id) => Ask::Agent(&find(&book.agents, id, "agent")?.file.id),
        None => Ask::Team(&team),
    };
    let plan = ask_workflow(whom, &agents, &request.text);
    if let Some(Fit { agent, words, .. }) = plan.fits.first() {
        tracing::debug!(%agent, ?words, "the question goes to");
    }
    let job = Job {
        workflow: &plan.workflow,
        hash: plan.hash,
        file: None,
        input: request.text,
        options: request.options,
    };
    begin(app, &ctx, &book, job).await
}

pub(crate) fn check_input(input: &str) -> Result<(), ApiError> {
    let wrong = |message: String, hint: &str| {
        Err(ApiError::new(ErrorCode::UsageInvalid, message).with_hint(hint))
    };
    if input.len() > INPUT_MAX_BYTES {
        let message = format!(
            "the input has {} bytes; a run takes at most {INPUT_MAX_BYTES}",
            input.len()
        );
        return wrong(
            message,
            "Say what to do in the input and put long material into files.",
        );
    }
    if input.trim().is_empty() {
        return wrong(
            String::from("there is no input"),
            "Say what the team is to do, like --input \"A bakery in Kisumu\".",
        );
    }
    Ok(())
}

/// Input of a workflow that wants more than a string is JSON of its schema.
pub(crate) fn check_schema(workflow: &WorkflowFile, input: &str) -> Result<(), ApiError> {
    let Some(schema) = &workflow.input else {
        return Ok(());
    };
    let wrong = |why: String| {
        let message = format!("the input does not fit the workflow {}: {why}", workflow.id);
        ApiError::new(ErrorCode::UsageInvalid, message).with_hint(format!(
            "`bwana workflows show {}` says what it takes.",
            workflow.id
        ))
    };
    let value: Value = if schema["type"] == "string" || schema.get("type").is_none() {
        Value::String(input.to_owned())
    } else {
        serde_json::from_str(input).map_err(|error| wrong(format!("it is no JSON: {error}")))?
    };
    let validator = jsonschema::options()
        .offline()
        .build(schema)
        .map_err(|error| wrong(format!("its schema cannot be used: {error}")))?;
    match validator.iter_errors(&value).next() {
        Some(error) => Err(wrong(format!("{}: {error}", error.instance_path()))),
        None => Ok(()),
    }
}

/// The one workflow of a file; agents in the file work in this run only.
fn only_workflow(
    app: &App,
    book: &mut Book,
    file: &FileText,
) -> Result<(WorkflowFile, Hash), ApiError> {
    let found = book
        .read(file.text.as_bytes(), &app.tool_names())
        .map_err(|error| in_file(&file.name, error))?;
    let [(workflow, hash)] = found.workflows.as_slice() else {
        let message = format!(
            "{} holds {} workflows; exactly one can be run from a file",
            shown(&file.name),
            found.workflows.len()
        );
        return Err(ApiError::new(ErrorCode::DefinitionInvalid, message)
            .with_hint("Import the file with `bwana workflows import`, then run one by its id."));
    };
    book.add(&found, &file.name);
    Ok((workflow.clone(), *hash))
}

pub(crate) struct Job<'a> {
    pub(crate) workflow: &'a WorkflowFile,
    pub(crate) hash: Hash,
    /// The file it came from, for messages.
    pub(crate) file: Option<String>,
    pub(crate) input: String,
    pub(crate) options: StartOptions,
}

/// Everything a run of this job would read.
pub(crate) fn resolve_job(app: &App, book: &Book, job: &Job<'_>) -> Result<Resolved, ApiError> {
    let specs = app.tools()?.specs();
    let specs = specs
        .map(|spec| (spec.name.clone(), spec.clone()))
        .collect();
    let hub = app.hub();
    let options = ResolveOptions {
        locale: app
            .settings()
            .locale
            .clone()
            .unwrap_or_else(|| String::from("en")),
        model: match &job.options.model {
            None if job.options.dry_run => Some(String::from(LOCAL_PROVIDER)),
            model => model.clone(),
        },
        trial: Trial {
            dry_run: job.options.dry_run,
            from: job.options.from.clone(),
            pinned: job.options.pinned.clone(),
            only: job.options.only,
        },
        ..ResolveOptions::default()
    };
    resolve(
        job.workflow,
        job.hash,
        &book.agent_files(),
        &specs,
        &|choice| hub.resolve(choice),
        &options,
    )
    .map_err(|error| named(job.file.as_deref(), error))
}

async fn begin(app: &App, ctx: &Ctx, book: &Book, job: Job<'_>) -> Result<Started, ApiError> {
    let run = RunId::new(app.ids().uuid(app.clock().now()));
    begin_as(app, ctx, book, job, run).await
}

/// Starts a job under a given id.
pub(crate) async fn begin_as(
    app: &App,
    ctx: &Ctx,
    book: &Book,
    job: Job<'_>,
    run: RunId,
) -> Result<Started, ApiError> {
    let limits = RunLimits {
        micro_usd: job.options.budget_usd.as_deref().map(money).transpose()?,
        ..RunLimits::default()
    };
    let resolved = resolve_job(app, book, &job)?;
    check_models(app, &resolved.definition)?;
    let engine = app.engine()?;
    let definition = resolved.definition;
    let mut started = describe(app, &definition);
    let start = StartRun {
        definition,
        input: job.input,
        limits,
        by: ctx.caller.as_str().to_owned(),
    };
    engine.start_as(run, start).await?;
    started.run = run;
    started.notes = resolved.notes.iter().map(IssueShown::from).collect();
    if job.options.approve == Approve::Deny || app.is_unattended() {
        unattended::watch(app, run);
    }
    Ok(started)
}

/// An error about a definition, with the file it came from; one about a single model alone keeps its own words.
fn named(file: Option<&str>, error: DefinitionError) -> ApiError {
    match file {
        Some(file) => in_file(file, error),
        None => error.into(),
    }
}

/// A run whose first model cannot be called would stand still at once; better said before it exists.
pub(crate) fn check_models(app: &App, definition: &Definition) -> Result<(), ApiError> {
    for agent in definition.agents.values() {
        let mut failure = None;
        for model in &agent.models {
            match app.hub().provider(&model.provider) {
                Ok(_) => {
                    failure = None;
                    break;
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(())
}

/// What a host tells before the work begins.
pub(crate) fn describe(app: &App, definition: &Definition) -> Started {
    let at_work = |agent: &AgentDef| AgentAtWork {
        id: agent.id.clone(),
        name: agent.name.clone(),
        model: agent.models.first().map_or_else(String::new, |model| {
            format!("{}/{}", model.provider, model.model)
        }),
    };
    let models = definition
        .agents
        .values()
        .filter_map(|agent| agent.models.first());
    let nobody = bwana_types::time::Timestamp(0);
    Started {
        run: RunId::derived(nobody, &[]),
        workflow: definition.workflow.slug.clone(),
        workflow_name: definition.workflow.name.clone(),
        agents: definition.agents.values().map(at_work).collect(),
        steps: definition
            .steps
            .iter()
            .map(|step| StepName {
                id: step.id.clone(),
                name: step.name.clone(),
            })
            .collect(),
        starter_model: models
            .into_iter()
            .any(|model| app.hub().local().is_starter(model)),
        notes: Vec::new(),
        head_seq: 0,
    }
}

/// An amount as a person writes it.
pub(crate) fn money(text: &str) -> Result<MicroUsd, ApiError> {
    text.trim().trim_start_matches('$').parse().map_err(
        |error: bwana_types::money::ParseMoneyError| {
            ApiError::new(ErrorCode::BudgetInvalid, error.to_string())
        },
    )
}

pub(crate) async fn resume(
    app: &App,
    ctx: Ctx,
    request: ResumeRequest,
) -> Result<Started, ApiError> {
    let run = app.find_run(&request.run)?;
    let engine = app.engine()?;
    let state = bwana_engine::fold_run(app.store()?, run)?;
    check_models(app, &state.definition)?;
    let mut started = describe(app, &state.definition);
    started.run = run;
    started.head_seq = state.head;
    engine.resume(run, ctx.caller.as_str()).await?;
    if request.approve == Approve::Deny || app.is_unattended() {
        unattended::watch(app, run);
    }
    Ok(started)
}

pub(crate) async fn settle(app: &App, _ctx: Ctx, by: RunRef) -> Result<RunShown, ApiError> {
    let run = app.find_run(&by.run)?;
    let view = app.engine()?.settle(run).await?;
    RunShown::of(app, view)
}

pub(crate) async fn pause(app: &App, ctx: Ctx, by: RunRef) -> Result<RunShown, ApiError> {
    let run = app.find_run(&by.run)?;
    let who = ctx.caller.as_str();
    match app.engine_of_live(run) {
        Some(engine) => engine.pause(run, who).await?,
        None => {
            let pause = Control::Pause { by: who.to_owned() };
            quiet::steer(app, run, Input::Control(pause)).await?;
        }
    }
    show_run(app, run)
}

pub(crate) async fn cancel(app: &App, ctx: Ctx, by: RunRef) -> Result<RunShown, ApiError> {
    let run = app.find_run(&by.run)?;
    let who = ctx.caller.as_str();
    match app.engine_of_live(run) {
        Some(engine) => {
            engine.cancel(run, who).await?;
            ended(engine, run).await?;
        }
        None => {
            let cancel = Control::Cancel { by: who.to_owned() };
            quiet::steer(app, run, Input::Control(cancel)).await?;
        }
    }
    show_run(app, run)
}

async fn ended(engine: &Engine, run: RunId) -> Result<(), ApiError> {
    engine.settle(run).await.map(drop)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForkRequest {
    /// An id, or its last characters.
    pub run: String,
    /// The last entry that is shared.
    pub at: Seq,
    /// What one of the shared entries is to say instead.
    #[serde(default)]
    pub edit: Option<EditFile>,
}

/// An edit as people write it: `{"replace": 12, "text": "…"}`, with exactly one of the three texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditFile {
    /// The entry that says something else.
    pub replace: Seq,
    /// For a message or a model's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// For a tool's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// For the beginning of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

impl EditFile {
    fn into_edited(self) -> Result<Edited, ApiError> {
        let edit = match (self.text, self.result, self.input) {
            (Some(text), None, None) => Edit::Text(text.into()),
            (None, Some(result), None) => Edit::Result(result.into()),
            (None, None, Some(input)) => Edit::Input(input.into()),
            _ => {
                let message = "an edit has exactly one of \"text\", \"result\" and \"input\"";
                return Err(ApiError::new(ErrorCode::UsageInvalid, message));
            }
        };
        Ok(Edited {
            replace: self.replace,
            edit,
        })
    }
}

pub(crate) async fn fork(app: &App, ctx: Ctx, request: ForkRequest) -> Result<RunShown, ApiError> {
    let run = app.find_run(&request.run)?;
    let edit = request.edit.map(EditFile::into_edited).transpose()?;
    let engine = app.engine()?;
    let fork = engine
        .fork(run, request.at, edit, ctx.caller.as_str())
        .await?;
    app.owner()?.sync().await?;
    show_run(app, fork)
}

pub(crate) async fn show(app: &App, _ctx: Ctx, by: RunRef) -> Result<RunShown, ApiError> {
    let run = app.find_run(&by.run)?;
    let shared = app.clone();
    // A long journal takes its time; other commands go on meanwhile.
    let showing = tokio::task::spawn_blocking(move || show_run(&shared, run));
    showing
        .await
        .map_err(|_| ApiError::new(ErrorCode::Internal, "a journal could not be folded"))?
}

pub(crate) fn show_run(app: &App, run: RunId) -> Result<RunShown, ApiError> {
    RunShown::of(app, moment::view_now(app, run)?)
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListRequest {
    /// Only these; empty: any.
    pub status: Vec<RunStatus>,
    /// Only runs of this workflow.
    pub workflow: Option<String>,
    /// Only runs this agent has a part in.
    pub agent: Option<String>,
    /// Only runs whose title holds this, in large or small letters of the Latin alphabet.
    pub text: Option<String>,
    /// Only runs made before this one: the last of the page before.
    pub before: Option<String>,
    /// At most so many; 0: as many as a page holds.
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunList {
    /// Newest first.
    pub runs: Vec<RunLine>,
    /// How many there are on all pages.
    pub total: u64,
}

pub(crate) async fn list(app: &App, _ctx: Ctx, request: ListRequest) -> Result<RunList, ApiError> {
    let Some(store) = app.maybe_store() else {
        return Ok(RunList {
            runs: Vec::new(),
            total: 0,
        });
    };
    let before = request.before.map(|id| store.find_run(&id)).transpose()?;
    let filter = RunFilter {
        status: request.status,
        workflow: request.workflow,
        definitions: request
            .agent
            .map(|agent| app.parts().of(store, &agent))
            .transpose()?,
        text: request.text.filter(|text| !text.is_empty()),
        hidden: false,
        before,
        limit: request.limit,
    };
    let runs = store.runs(&filter)?;
    Ok(RunList {
        runs: runs.iter().map(RunLine::from).collect(),
        total: store.count_runs(&filter)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: Value, input: &str, expected: Option<&str>) {
        let workflow = WorkflowFile {
            schema: String::new(),
            id: String::from("w"),
            name: String::new(),
            description: String::new(),
            agents: Vec::new(),
            input: Some(schema),
            limits: bwana_types::workflow::Limits::default(),
            steps: Vec::new(),
        };
        let said = check_schema(&workflow, input)
            .err()
            .map(|error| error.message);
        assert_eq!(said.as_deref(), expected);
    }

    #[test]
    fn input_is_checked_against_the_workflows_schema() {
        use serde_json::json;
        check(json!({"type": "string"}), "anything", None);
        check(
            json!({"type": "string", "maxLength": 3}),
            "anything",
            Some(
                "the input does not fit the workflow w: : \"anything\" is longer than 3 characters",
            ),
        );
        let object = json!({"type": "object", "required": ["city"]});
        check(object.clone(), r#"{"city": "Lagos"}"#, None);
        check(
            object.clone(),
            "{}",
            Some("the input does not fit the workflow w: : \"city\" is a required property"),
        );
        check(
            object,
            "Lagos",
            Some(
                "the input does not fit the workflow w: it is no JSON: expected value at line 1 column 1",
            ),
        );
    }

    #[test]
    fn an_edit_has_exactly_one_text() {
        let edit = |text: &str| {
            let file: EditFile = serde_json::from_str(text).unwrap();
            file.into_edited().map(|edited| edited.edit).ok()
        };
        assert_eq!(
            edit(r#"{"replace":1,"input":"x"}"#),
            Some(Edit::Input("x".into()))
        );
        assert_eq!(edit(r#"{"replace":1}"#), None);
        assert_eq!(edit(r#"{"replace":1,"text":"a","result":"b"}"#), None);
    }
}
