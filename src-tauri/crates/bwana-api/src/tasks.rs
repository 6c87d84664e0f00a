//! Commands about human tasks: what is asked, and what the person says. Only here does a decision enter the system.

use bwana_engine::{EngineError, Wanted};
use bwana_store::{TaskFilter, TaskInfo};
use bwana_types::effect::RiskClass;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::grant::Pattern;
use bwana_types::id::{GrantId, RunId, TaskId};
use bwana_types::task::{Ask, DecidedBy, TaskKind, Verdict};
use bwana_workflow::machine::Input;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, Mode};
use crate::command::Ctx;
use crate::grants::{self, Scope, ScopeOffer};
use crate::quiet;
use crate::shape::Time;

/// Bytes of an answer or a reason.
pub const ANSWER_MAX_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskShown {
    pub id: TaskId,
    pub run: RunId,
    /// The beginning of what its run was asked.
    pub run_title: String,
    /// The id of its run's workflow.
    pub workflow: String,
    /// Where in the workflow.
    pub path: String,
    pub kind: TaskKind,
    pub status: TaskStatus,
    pub ask: Ask,
    pub opened_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionShown>,
    /// Of an open question about a tool: how far an answer may reach, the least first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<ScopeOffer>,
    /// What the tool could do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskClass>,
    /// A yes reaches others, costs money or cannot be undone, so it takes a second key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second_key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    Open,
    Decided,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionShown {
    pub verdict: Verdict,
    pub by: DecidedBy,
    pub at: Time,
    /// What was allowed or forbidden with it; `grants.undo` takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// JSON text of the arguments a person put in the place of the model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<String>,
}

impl From<TaskInfo> for TaskShown {
    fn from(task: TaskInfo) -> Self {
        Self {
            id: task.id,
            run: task.run,
            run_title: task.run_title,
            workflow: task.workflow,
            path: task.path,
            kind: task.ask.kind(),
            status: match task.decision {
                None => TaskStatus::Open,
                Some(_) => TaskStatus::Decided,
            },
            scopes: match task.decision {
                None => grants::offers(&task.ask),
                Some(_) => Vec::new(),
            },
            risk: grants::risk(&task.ask),
            second_key: grants::needs_second_key(&task.ask),
            ask: task.ask,
            opened_at: Time(task.opened_at),
            decision: task.decision.map(|decision| DecisionShown {
                verdict: decision.verdict,
                by: decision.by,
                at: Time(decision.at),
                grant: decision.grant,
                edited: decision.edited,
            }),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListRequest {
    /// Also those that are decided.
    pub all: bool,
    /// Only those of this run: an id, or its last characters.
    pub run: Option<String>,
    /// At most so many; 0: as many as a page holds.
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskList {
    /// Newest first.
    pub tasks: Vec<TaskShown>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskRef {
    /// An id, or its last characters.
    pub task: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApproveRequest {
    /// An id, or its last characters.
    pub task: String,
    /// `once`, `run` or `workflow`.
    pub scope: Scope,
    /// One of those the question offers with that scope; without one, exactly these arguments. Only later calls are
    /// covered: other questions that are open already stay open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    /// Arguments to use in the place of the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<serde_json::Value>,
}

impl From<TaskRef> for ApproveRequest {
    fn from(by: TaskRef) -> Self {
        Self {
            task: by.task,
            ..Self::default()
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DenyRequest {
    pub task: String,
    /// Told to the agent.
    pub reason: String,
    /// `once`, or `never`: also deny what follows in this workflow, without asking.
    pub scope: Scope,
    /// As in an approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    pub task: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    pub task: String,
    pub outcome: Outcome,
    #[serde(default)]
    pub note: String,
}

/// What became of an effect that may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did happen.
    Happened,
    /// Do it once more, knowing that it may have happened.
    SendAgain,
    /// It did not happen, and it should not.
    GiveUp,
}

pub(crate) async fn list(app: &App, _ctx: Ctx, request: ListRequest) -> Result<TaskList, ApiError> {
    let Some(store) = app.maybe_store() else {
        return Ok(TaskList { tasks: Vec::new() });
    };
    let run = request.run.map(|text| store.find_run(&text)).transpose()?;
    let tasks = store.tasks(&TaskFilter {
        open: (!request.all).then_some(true),
        run,
        before: None,
        limit: request.limit,
    })?;
    Ok(TaskList {
        tasks: tasks.into_iter().map(TaskShown::from).collect(),
    })
}

pub(crate) async fn show(app: &App, _ctx: Ctx, by: TaskRef) -> Result<TaskShown, ApiError> {
    let task = app.find_task(&by.task)?;
    Ok(app.store()?.task(task)?.into())
}

pub(crate) async fn approve(
    app: &App,
    ctx: Ctx,
    request: ApproveRequest,
) -> Result<TaskShown, ApiError> {
    if request.scope == Scope::Never {
        return Err(wrong_scope("never is an answer of `tasks.deny`"));
    }
    let wanted = Wanted {
        scope: request.scope.grant(),
        pattern: request.pattern,
        edit: request.edit.map(|args| args.to_string()),
    };
    decide(app, &ctx, &request.task, Verdict::Approve, &wanted).await
}

fn wrong_scope(why: &str) -> ApiError {
    ApiError::new(ErrorCode::UsageInvalid, why)
}

pub(crate) async fn deny(app: &App, ctx: Ctx, request: DenyRequest) -> Result<TaskShown, ApiError> {
    check_size(&request.reason)?;
    if matches!(request.scope, Scope::Run | Scope::Workflow) {
        return Err(wrong_scope("a denial holds once or never ends"));
    }
    let reason = request.reason;
    let wanted = Wanted {
        scope: request.scope.grant(),
        pattern: request.pattern,
        edit: None,
    };
    decide(app, &ctx, &request.task, Verdict::Deny { reason }, &wanted).await
}

pub(crate) async fn answer(
    app: &App,
    ctx: Ctx,
    request: AnswerRequest,
) -> Result<TaskShown, ApiError> {
    check_size(&request.text)?;
    let text = request.text;
    if text.trim().is_empty() {
        let message = "the answer is empty; to leave a question unanswered, deny it";
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    let plain = Wanted::default();
    decide(app, &ctx, &request.task, Verdict::Answer { text }, &plain).await
}

pub(crate) async fn resolve(
    app: &App,
    ctx: Ctx,
    request: ResolveRequest,
) -> Result<TaskShown, ApiError> {
    check_size(&request.note)?;
    let verdict = match request.outcome {
        Outcome::Happened => Verdict::HappenedAlready { note: request.note },
        Outcome::SendAgain => Verdict::SendAgain,
        Outcome::GiveUp => Verdict::GiveUp,
    };
    decide(app, &ctx, &request.task, verdict, &Wanted::default()).await
}

fn check_size(text: &str) -> Result<(), ApiError> {
    if text.len() <= ANSWER_MAX_BYTES {
        return Ok(());
    }
    let message = format!(
        "the text has {} bytes; at most {ANSWER_MAX_BYTES} are taken",
        text.len()
    );
    Err(ApiError::new(ErrorCode::UsageInvalid, message))
}

/// Records a decision, durably, before anything acts on it. Where the run is worked on, or this process works on all
/// runs, it goes on at once; otherwise only the decision is written.
async fn decide(
    app: &App,
    ctx: &Ctx,
    text: &str,
    verdict: Verdict,
    wanted: &Wanted,
) -> Result<TaskShown, ApiError> {
    let id = app.find_task(text)?;
    let by = ctx.caller.decides_as().ok_or_else(|| {
        ApiError::new(
            ErrorCode::PolicyNotYours,
            "this door does not take decisions",
        )
    })?;
    let task = app.store()?.task(id)?;
    if !verdict.fits(task.ask.kind()) {
        return Err(does_not_fit(&task));
    }
    if let Some(decision) = &task.decision {
        return Err(already_decided(id, &decision.verdict, decision.by));
    }
    if app.mode() == Mode::Own || app.is_live(task.run) {
        app.engine()?.decide_on(id, verdict, wanted, by).await?;
    } else {
        let ended = bwana_engine::view(app.store()?, task.run)?
            .status
            .is_ended();
        if ended && verdict == Verdict::SendAgain {
            let why = String::from("the run has ended, so nothing is sent any more");
            return Err(EngineError::WrongAnswer { task: id, why }.into());
        }
        let state = bwana_engine::fold_run(app.store()?, task.run)?;
        let now = app.clock().now();
        let terms = bwana_engine::terms(app.store()?, app.tools()?, &state, now, &task, wanted)?;
        let decided = Input::DecidedOn {
            task: task.seq,
            verdict,
            by,
            terms: Box::new(terms),
        };
        if !quiet::steer(app, task.run, decided).await? {
            return Err(EngineError::AlreadyDecided(id).into());
        }
    }
    Ok(app.store()?.task(id)?.into())
}

/// The second to decide is told who was first and what they said.
fn already_decided(id: TaskId, verdict: &Verdict, by: DecidedBy) -> ApiError {
    let said = match verdict {
        Verdict::Approve => "approved",
        Verdict::Deny { .. } => "denied",
        Verdict::Answer { .. } => "answered",
        Verdict::HappenedAlready { .. } => "settled as done",
        Verdict::SendAgain => "settled as to be sent again",
        Verdict::GiveUp => "settled as given up",
    };
    let who = match by {
        DecidedBy::LocalUi => "in the app",
        DecidedBy::LocalCli => "on the command line",
        DecidedBy::Unattended => "by --approve deny",
        DecidedBy::RunEnded => "by the end of the run",
    };
    let message = format!("task {id} was {said} {who} already; the first decision stands");
    ApiError::new(ErrorCode::TaskAlreadyDecided, message)
}

fn does_not_fit(task: &TaskInfo) -> ApiError {
    let id = task.id;
    let (what, how) = match task.ask.kind() {
        TaskKind::Approve | TaskKind::Plan | TaskKind::Price => (
            "asks for a yes or a no",
            format!("Use `bwana tasks approve {id}` or `bwana tasks deny {id}`."),
        ),
        TaskKind::Answer => (
            "asks for an answer",
            format!("Use `bwana tasks answer {id} \"…\"`, or `bwana tasks deny {id}`."),
        ),
        TaskKind::Uncertain => (
            "asks what became of something that may have happened",
            format!(
                "Look there, then use `bwana tasks resolve {id} happened`, `send-again` or `give-up`."
            ),
        ),
    };
    ApiError::new(ErrorCode::TaskWrongAnswer, format!("task {id} {what}")).with_hint(how)
}
