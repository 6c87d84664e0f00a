//! The one command table: every door (command line, socket, window, gateway) calls the same commands with the same
//! shapes. A command has a name, a typed request and a typed answer, says whether it needs the owner of the data folder,
//! and which permission its caller must have.

use bwana_types::error::{ApiError, ErrorCode};
use futures_util::future::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::App;
use crate::caller::{Caller, Permission, check};
use crate::events::Events;
use crate::{
    about, agents, artifacts, budget, care, data, definitions, diagnostics, doctor, drafts,
    drawing, egress, events, export, feed, grants, health, logs, models, moment, overview, pages,
    plan, profiles, providers, record, recovering, replay, restoring, runs, say, search, secrets,
    settings, spending, takeover, tasks, tools, updates, usage, versions, window,
};

/// What a command is called with besides its request.
#[derive(Debug, Clone)]
pub struct Ctx {
    pub caller: Caller,
    /// Where a command that takes its time tells what happens.
    pub events: Events,
}

impl Ctx {
    /// A caller who only wants the answer.
    pub fn quiet(caller: Caller) -> Self {
        Self {
            caller,
            events: Events::none(),
        }
    }
}

/// Which kind of [`App`] a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Reads; works beside an owner and without one.
    Reader,
    /// Changes something: only where the owner lock is held.
    Owner,
    /// Starts work that outlives the command: only at an owner that takes new runs.
    Runs,
}

/// One line of the table.
pub trait Command: Send + Sync + 'static {
    const NAME: &'static str;
    const NEEDS: Needs;
    const PERMISSION: Permission;
    type Request: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    type Response: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// Does it, without asking whether the caller may: that is [`App::call`]'s.
    fn perform(
        app: &App,
        ctx: Ctx,
        request: Self::Request,
    ) -> BoxFuture<'_, Result<Self::Response, ApiError>>;
}

/// A line of the table as data, for documentation and generated bindings.
#[derive(Debug, Clone, Copy)]
pub struct CommandInfo {
    pub name: &'static str,
    pub about: &'static str,
    pub needs: Needs,
    pub permission: Permission,
    pub request: fn() -> Schema,
    pub response: fn() -> Schema,
    /// The same two, for one document about many commands: the first generator collects the shapes of requests, the
    /// second those of answers, which have their defaults filled in.
    pub shapes: fn(&mut SchemaGenerator, &mut SchemaGenerator) -> (Schema, Schema),
}

/// Commands that tell what happens before they answer.
const STREAMING: &[&str] = &[
    "run.events",
    "models.pull",
    "changes.watch",
    "updates.download",
    "updates.install",
];

impl CommandInfo {
    /// Whether it tells something before it answers.
    pub fn streams(&self) -> bool {
        STREAMING.contains(&self.name)
    }
}

fn shapes_of<Request: JsonSchema, Response: JsonSchema>(
    requests: &mut SchemaGenerator,
    answers: &mut SchemaGenerator,
) -> (Schema, Schema) {
    (
        requests.subschema_for::<Request>(),
        answers.subschema_for::<Response>(),
    )
}

fn schema_of<T: JsonSchema>() -> Schema {
    SchemaGenerator::default().into_root_schema_for::<T>()
}

macro_rules! commands {
    ($(#[doc = $about:literal] $command:ident = $name:literal ($needs:ident, $permission:ident)
        $request:ty => $response:ty, $run:path;)+) => {
        $(
            #[doc = $about]
            #[derive(Debug, Clone, Copy)]
            pub struct $command;

            impl Command for $command {
                const NAME: &'static str = $name;
                const NEEDS: Needs = Needs::$needs;
                const PERMISSION: Permission = Permission::$permission;
                type Request = $request;
                type Response = $response;

                fn perform(
                    app: &App,
                    ctx: Ctx,
                    request: Self::Request,
                ) -> BoxFuture<'_, Result<Self::Response, ApiError>> {
                    Box::pin($run(app, ctx, request))
                }
            }
        )+

        /// The whole table.
        pub const COMMANDS: &[CommandInfo] = &[$(
            CommandInfo {
                name: $name,
                about: $about,
                needs: Needs::$needs,
                permission: Permission::$permission,
                request: schema_of::<$request>,
                response: schema_of::<$response>,
                shapes: shapes_of::<$request, $response>,
            },
        )+];

        impl App {
            /// Calls a command by its name, with JSON in and out: what a socket or a gateway does.
            ///
            /// # Errors
            /// If there is no such command, the request does not fit it, or it fails.
            pub async fn dispatch(&self, ctx: Ctx, name: &str, params: Value) -> Result<Value, ApiError> {
                match name {
                    $($name => {
                        let request = read_params::<$request>(name, params)?;
                        let response = self.call::<$command>(ctx, request).await?;
                        serde_json::to_value(response)
                            .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))
                    })+
                    _ => Err(ApiError::new(
                        ErrorCode::UsageInvalid,
                        format!("there is no command called '{}'", crate::shape::shown(name)),
                    )),
                }
            }
        }
    };
}

impl App {
    /// Like [`App::dispatch`], for a window: a query's answer comes as `{at, value}`, with the place of the change feed
    /// from which on everything that could change it is told. Read before the rows, so nothing falls between; what is
    /// told twice replaces itself.
    ///
    /// # Errors
    /// As [`App::dispatch`].
    pub async fn dispatch_at(
        &self,
        ctx: Ctx,
        name: &str,
        params: Value,
    ) -> Result<Value, ApiError> {
        let is_query = COMMANDS
            .iter()
            .any(|command| command.name == name && command.needs == Needs::Reader);
        let at = match self.maybe_store() {
            Some(store) if is_query => Some(feed::At::from(&store.cursor()?)),
            _ => None,
        };
        let value = self.dispatch(ctx, name, params).await?;
        Ok(match at {
            Some(at) => serde_json::json!({"at": at, "value": value}),
            None => serde_json::json!({"value": value}),
        })
    }
}

fn read_params<T: DeserializeOwned>(name: &str, params: Value) -> Result<T, ApiError> {
    // A command without parameters may be called with none.
    let params = match params {
        Value::Null => Value::Object(serde_json::Map::new()),
        params => params,
    };
    serde_json::from_value(params).map_err(|error| {
        ApiError::new(
            ErrorCode::UsageInvalid,
            format!("the parameters of {name} do not fit: {error}"),
        )
    })
}

impl App {
    /// Calls a command.
    ///
    /// # Errors
    /// If the caller may not, this process does not own the data folder and would have to, or the command fails.
    pub async fn call<C: Command>(
        &self,
        ctx: Ctx,
        request: C::Request,
    ) -> Result<C::Response, ApiError> {
        check(ctx.caller, C::PERMISSION, C::NAME)?;
        match C::NEEDS {
            Needs::Reader => {}
            Needs::Owner => drop(self.owner()?),
            Needs::Runs => self.check_takes_runs(ctx.caller)?,
        }
        if C::NEEDS != Needs::Reader {
            health::check_awake(self, C::NAME)?;
        }
        if C::NEEDS == Needs::Runs || C::PERMISSION == Permission::Decide {
            self.updates().check_calm()?;
        }
        C::perform(self, ctx, request).await
    }
}

commands! {
    /// Starts a run of a workflow.
    RunStart = "run.start" (Runs, Work) runs::StartRequest => runs::Started, runs::start;
    /// Asks an agent or the team one question.
    Ask = "ask" (Runs, Work) runs::AskRequest => runs::Started, runs::ask;
    /// Lets a paused or interrupted run go on.
    RunResume = "run.resume" (Runs, Work) runs::ResumeRequest => runs::Started, runs::resume;
    /// Waits until a run has ended or stands still.
    RunSettle = "run.settle" (Owner, Work) runs::RunRef => runs::RunShown, runs::settle;
    /// Starts nothing more in a run; calls in flight finish.
    RunPause = "run.pause" (Owner, Work) runs::RunRef => runs::RunShown, runs::pause;
    /// Ends a run; what is in flight gets two seconds.
    RunCancel = "run.cancel" (Owner, Work) runs::RunRef => runs::RunShown, runs::cancel;
    /// Says something to a run at work; it is heard once, when its time has come.
    RunSay = "run.say" (Owner, Work) say::SayRequest => runs::RunShown, say::say;
    /// Says what a wish would start: who works, what will ask, what it may cost. Calls nothing.
    PlanPreview = "plan.preview" (Reader, Read) plan::PlanRequest => plan::Plan, plan::preview;
    /// Starts exactly what the preview of the same wish says.
    RunStartPlan = "run.start_plan" (Runs, Work) plan::StartPlanRequest => runs::Started, plan::start;
    /// Makes a run that shares another's journal up to an entry.
    RunFork = "run.fork" (Owner, Work) runs::ForkRequest => runs::RunShown, runs::fork;
    /// Shows a run.
    RunShow = "run.show" (Reader, Read) runs::RunRef => runs::RunShown, runs::show;
    /// Lists runs, newest first.
    RunList = "run.list" (Reader, Read) runs::ListRequest => runs::RunList, runs::list;
    /// Tells the journal of a run, and what follows.
    RunEvents = "run.events" (Reader, Read) events::EventsRequest => events::EventsEnd, events::stream;
    /// Shows a part of a run's journal, and the text of calls on their way.
    RunWindow = "run.window" (Reader, Read) window::WindowRequest => window::WindowShown, window::window;
    /// Gives one entry of a run whole.
    RunEntry = "run.entry" (Reader, Read) window::EntryRequest => record::Record, window::entry;
    /// Gives the text of one call on its way.
    CallPartial = "call.partial" (Reader, Read) window::CallRequest => window::CallText, window::partial;
    /// Folds a run's journal again, with no call and no effect.
    RunReplay = "run.replay" (Reader, Read) runs::RunRef => replay::ReplayReport, replay::replay;
    /// Shows a run as it was at one of its entries. Calls nothing.
    RunAt = "run.at" (Reader, Read) moment::AtRequest => moment::Moment, moment::at;
    /// Gives a whole run as one document.
    RunExport = "run.export" (Reader, Read) runs::RunRef => export::Document, export::export;
    /// Takes an exported run in, paused.
    RunImport = "run.import" (Owner, Machine) export::ImportRequest => runs::RunShown, export::import;

    /// Takes an exported run in whose text a person chose, paused.
    RunImportText = "run.import_text" (Owner, Configure) export::ImportTextRequest => runs::RunShown,
        export::import_text;
    /// Writes a run down for people.
    RunExportAs = "run.export_as" (Reader, Read) pages::PagesRequest => pages::Pages, pages::pages;
    /// Finds what was asked, said and written.
    SearchFind = "search.find" (Reader, Read) search::SearchRequest => search::SearchShown, search::find;

    /// Tells a window what changes, until it goes away.
    ChangesWatch = "changes.watch" (Reader, Read) feed::WatchRequest => feed::WatchEnd, feed::watch;
    /// Says that a batch was applied, so that the next one may come.
    ChangesAck = "changes.ack" (Reader, Read) feed::AckRequest => feed::WatchEnd, feed::ack;
    /// Changes what a window follows.
    ChangesTune = "changes.tune" (Reader, Read) feed::TuneRequest => feed::WatchEnd, feed::tune;

    /// Shows what the first screen shows.
    HomeShow = "home.show" (Reader, Read) definitions::Nothing => overview::HomeShown, overview::home;
    /// Says whether the data folder is well: its disk and its database.
    HomeHealth = "home.health" (Reader, Read) definitions::Nothing => health::HealthShown, health::health;
    /// Shows today in numbers.
    UsageToday = "usage.today" (Reader, Read) definitions::Nothing => overview::Today, overview::today;
    /// Shows what each day cost, by who or what spent it.
    UsageReport = "usage.report" (Reader, Read) spending::SpendingRequest => spending::Spending,
        spending::report;
    /// Shows every agent and what it is doing.
    AgentsPanels = "agents.panels" (Reader, Read) definitions::Nothing => overview::AgentPanels, overview::panels;
    /// Lists workflows with their records.
    WorkflowsLines = "workflows.lines" (Reader, Read) definitions::Nothing => overview::WorkflowLines,
        overview::workflows;

    /// Lists questions to the person, newest first.
    TasksList = "tasks.list" (Reader, Read) tasks::ListRequest => tasks::TaskList, tasks::list;
    /// Shows a question.
    TasksShow = "tasks.show" (Reader, Read) tasks::TaskRef => tasks::TaskShown, tasks::show;
    /// Says yes to exactly what was asked.
    TasksApprove = "tasks.approve" (Owner, Decide) tasks::ApproveRequest => tasks::TaskShown, tasks::approve;
    /// Says no.
    TasksDeny = "tasks.deny" (Owner, Decide) tasks::DenyRequest => tasks::TaskShown, tasks::deny;
    /// Answers an agent's question.
    TasksAnswer = "tasks.answer" (Owner, Decide) tasks::AnswerRequest => tasks::TaskShown, tasks::answer;
    /// Settles an effect that may have happened.
    TasksResolve = "tasks.resolve" (Owner, Decide) tasks::ResolveRequest => tasks::TaskShown, tasks::resolve;

    /// Lists what people allowed and forbade beyond one call, newest first.
    GrantsList = "grants.list" (Reader, Read) grants::GrantsRequest => grants::GrantList, grants::list;
    /// Takes back what was allowed or forbidden.
    GrantsRevoke = "grants.revoke" (Owner, Configure) grants::GrantRef => grants::GrantShown, grants::revoke;
    /// Takes back what the answer to a question allowed or forbade.
    GrantsUndo = "grants.undo" (Owner, Configure) tasks::TaskRef => grants::GrantShown, grants::undo;

    /// Lists workflows.
    WorkflowsList = "workflows.list" (Reader, Read) definitions::Nothing => definitions::DefinitionList,
        definitions::list_workflows;
    /// Shows a workflow.
    WorkflowsShow = "workflows.show" (Reader, Read) definitions::ById => definitions::WorkflowShown,
        definitions::show_workflow;
    /// Gives a workflow as a file.
    WorkflowsExport = "workflows.export" (Reader, Read) definitions::ById => definitions::ExportedText,
        definitions::export_workflow;
    /// Lists agents.
    AgentsList = "agents.list" (Reader, Read) definitions::Nothing => definitions::DefinitionList,
        definitions::list_agents;
    /// Shows an agent.
    AgentsShow = "agents.show" (Reader, Read) definitions::ById => definitions::AgentShown, definitions::show_agent;
    /// Changes an agent.
    AgentsEdit = "agents.edit" (Owner, Configure) agents::EditRequest => overview::AgentPanel, agents::edit;
    /// Brings an agent back as it comes with the program.
    AgentsReset = "agents.reset" (Owner, Configure) definitions::ById => overview::AgentPanel, agents::reset;
    /// Gives an agent as a file.
    AgentsExport = "agents.export" (Reader, Read) definitions::ById => definitions::ExportedText,
        definitions::export_agent;
    /// Checks a file of agents and workflows.
    DefinitionsValidate = "definitions.validate" (Reader, Read) definitions::FileText => definitions::Validation,
        definitions::validate;
    /// Takes agents and workflows in.
    DefinitionsImport = "definitions.import" (Owner, Work) definitions::ImportRequest => definitions::ImportReport,
        definitions::import;
    /// Lists what an agent or a workflow is and was.
    DefinitionsVersions = "definitions.versions" (Reader, Read) versions::VersionsOf => versions::VersionList,
        versions::list;
    /// Gives one of its versions as a file.
    DefinitionsVersion = "definitions.version" (Reader, Read) versions::VersionRef => definitions::ExportedText,
        versions::show;
    /// Puts one of its versions in force again.
    DefinitionsRestore = "definitions.restore" (Owner, Configure) versions::VersionRef => definitions::ImportReport,
        versions::restore;
    /// Takes a workflow away; one that comes with the program is as it came.
    WorkflowsRemove = "workflows.remove" (Owner, Configure) definitions::ById => versions::Removed,
        versions::remove_workflow;
    /// Gives the JSON Schemas of the file formats.
    Definitions = "definitions.schemas" (Reader, Read) definitions::Nothing => definitions::SchemaList,
        definitions::file_schemas;

    /// Lists tools.
    ToolsList = "tools.list" (Reader, Read) definitions::Nothing => tools::ToolList, tools::list;
    /// Shows a tool with the schema of its arguments.
    ToolsShow = "tools.show" (Reader, Read) definitions::ById => tools::ToolShown, tools::show;
    /// Uses a tool once, as the person.
    ToolsCall = "tools.call" (Reader, Machine) tools::CallRequest => tools::CallReport, tools::call;

    /// Lists providers.
    ProvidersList = "providers.list" (Reader, Read) definitions::Nothing => providers::ProviderList, providers::list;
    /// Lists providers people know by name.
    ProvidersPresets = "providers.presets" (Reader, Read) definitions::Nothing => providers::PresetList,
        providers::presets;
    /// Lists keys in the environment and model servers on this machine that could be used.
    ProvidersFound = "providers.found" (Reader, Configure) definitions::Nothing => takeover::FoundProviders,
        takeover::found;
    /// Sets up those a person chose.
    ProvidersImport = "providers.import" (Owner, Configure) takeover::TakeOverRequest => takeover::TakenOver,
        takeover::take_over;
    /// Adds a provider or changes it.
    ProvidersAdd = "providers.add" (Owner, Configure) providers::AddRequest => providers::ProviderShown,
        providers::add;
    /// Asks a provider for one word.
    ProvidersTest = "providers.test" (Reader, Configure) providers::TestRequest => providers::TestReport,
        providers::test;
    /// Removes a provider.
    ProvidersRemove = "providers.remove" (Owner, Configure) providers::NameRef => providers::ProviderShown,
        providers::remove;
    /// Shows what providers were asked and what it cost.
    ProvidersUsage = "providers.usage" (Reader, Read) usage::UsageRequest => usage::UsageReport, usage::usage;
    /// Asks a provider again at once that is left alone after failures.
    ProvidersRetry = "providers.retry" (Owner, Configure) providers::NameRef => providers::RetryReport,
        providers::retry;

    /// Shows where secrets are kept, and where they could be.
    SecretsShow = "secrets.show" (Reader, Configure) definitions::Nothing => secrets::SecretsShown, secrets::show;
    /// Chooses where secrets are kept.
    SecretsUse = "secrets.use" (Owner, Configure) secrets::UseRequest => secrets::SecretsShown, secrets::choose;
    /// Opens the place where secrets are kept.
    SecretsUnlock = "secrets.unlock" (Owner, Configure) secrets::UnlockRequest => secrets::SecretsShown,
        secrets::unlock;
    /// Changes the passphrase of the vault.
    SecretsPassphrase = "secrets.passphrase" (Owner, Configure) secrets::PassphraseRequest => secrets::SecretsShown,
        secrets::passphrase;

    /// Lists models of this machine and of the providers' settings.
    ModelsList = "models.list" (Reader, Read) definitions::Nothing => models::ModelList, models::list;
    /// Fetches a model.
    ModelsPull = "models.pull" (Reader, Configure) models::PullRequest => models::ModelShown, models::pull;
    /// Takes a model file in.
    ModelsAdd = "models.add" (Reader, Machine) models::AddRequest => models::ModelShown, models::add;
    /// Deletes a model file.
    ModelsRemove = "models.remove" (Reader, Configure) models::ModelRefRequest => models::ModelShown, models::remove;
    /// Measures how fast a model of this machine is.
    ModelsMeasure = "models.measure" (Reader, Configure) models::ModelRefRequest => models::MeasureShown, models::measure;
    /// Turns texts into vectors with a model of this machine.
    ModelsEmbed = "models.embed" (Reader, Configure) models::EmbedRequest => models::EmbedShown, models::embed;
    /// Sets the model for everything that names none.
    ModelsDefault = "models.default" (Owner, Configure) models::DefaultRequest => models::DefaultShown,
        models::set_default;

    /// Shows the settings a window may change.
    SettingsShow = "settings.show" (Reader, Read) definitions::Nothing => settings::SettingsShown, settings::show;
    /// Changes one of them.
    SettingsSet = "settings.set" (Owner, Configure) settings::SetRequest => settings::SettingShown, settings::set;
    /// Puts the last settings back that could be used; the file as it is is kept.
    SettingsRestore = "settings.restore" (Owner, Configure) definitions::Nothing => settings::SettingsRestored,
        settings::restore;
    /// Gives what was typed and not sent.
    DraftsGet = "drafts.get" (Reader, Read) drafts::DraftPlace => drafts::Draft, drafts::get;
    /// Keeps it.
    DraftsSet = "drafts.set" (Owner, Work) drafts::Draft => drafts::DraftPlace, drafts::set;

    /// Shows what today has cost and may cost.
    BudgetShow = "budget.show" (Reader, Read) definitions::Nothing => budget::BudgetShown, budget::show;
    /// Sets what a day may cost.
    BudgetSet = "budget.set" (Owner, Configure) budget::SetRequest => budget::BudgetShown, budget::set;
    /// Tops up the limits of one run.
    BudgetRaise = "budget.raise" (Owner, Configure) budget::RaiseRequest => runs::RunShown, budget::raise;

    /// Lists private hosts that tools may reach.
    EgressList = "egress.list" (Reader, Read) definitions::Nothing => egress::HostList, egress::list;
    /// Opens one private host to tools.
    EgressAllow = "egress.allow" (Owner, Machine) egress::HostRequest => egress::HostList, egress::allow;
    /// Closes it again.
    EgressForbid = "egress.forbid" (Owner, Machine) egress::HostRequest => egress::HostList, egress::forbid;

    /// Copies everything into a folder, checked.
    Backup = "backup" (Reader, Machine) data::BackupRequest => data::BackupReport, data::backup;
    /// Lists the backups that were made by themselves.
    BackupList = "backup.list" (Reader, Read) definitions::Nothing => care::BackupList, care::list;
    /// Makes one of those now.
    BackupNow = "backup.now" (Owner, Configure) definitions::Nothing => data::BackupReport, care::now;
    /// Says what is in a backup, and how its runs stand to those here.
    BackupPreview = "backup.preview" (Reader, Configure) restoring::BackupRef => restoring::BackupPreview,
        restoring::preview;
    /// Takes runs in from a backup beside those that are here, or brings it back as a profile of its own.
    BackupRestore = "backup.restore" (Owner, Configure) restoring::BackupRestoreRequest => restoring::BackupRestored,
        restoring::restore;
    /// Takes back what was last taken in from a backup, with everything since; first says what that is.
    BackupUndo = "backup.undo" (Owner, Configure) restoring::BackupUndoRequest => restoring::BackupUndo,
        restoring::undo;
    /// Says what can be brought back of a damaged database.
    RecoverLook = "recover.look" (Reader, Configure) definitions::Nothing => recovering::RecoverLook, recovering::look;
    /// Puts a database that works in the place of a damaged one, which is set aside.
    RecoverRun = "recover.run" (Reader, Configure) recovering::RecoverRequest => recovering::RecoverReport,
        recovering::recover;
    /// Lists the profiles of this person.
    ProfilesList = "profiles.list" (Reader, Read) definitions::Nothing => profiles::ProfileList, profiles::list;
    /// Makes a profile.
    ProfilesCreate = "profiles.create" (Reader, Configure) profiles::ProfileRef => profiles::ProfileShown,
        profiles::create;
    /// Checks that everything stored is whole.
    Verify = "verify" (Reader, Machine) definitions::Nothing => data::VerifyReport, data::verify;
    /// Computes lists and sums anew from the journals.
    Rebuild = "rebuild" (Owner, Machine) definitions::Nothing => data::RebuildReport, data::rebuild;
    /// Gives a piece of a file a run wrote.
    ArtifactsRead = "artifacts.read" (Reader, Read) artifacts::ReadRequest => artifacts::ArtifactPiece,
        artifacts::read;
    /// Draws a page of a PDF a run wrote.
    ArtifactsPage = "artifacts.page" (Reader, Read) drawing::PageRequest => drawing::PageShown, drawing::page;
    /// Says what this program is, where its data stands, and what it is made with.
    AppAbout = "app.about" (Reader, Read) definitions::Nothing => about::AboutShown, about::about;
    /// Says what is known of newer versions of the program. Asks nobody.
    UpdatesShow = "updates.show" (Reader, Read) definitions::Nothing => updates::UpdatesShown, updates::show;
    /// Asks whether there is a newer version.
    UpdatesCheck = "updates.check" (Reader, Configure) definitions::Nothing => updates::UpdatesShown, updates::check;
    /// Fetches it.
    UpdatesDownload = "updates.download" (Reader, Configure) definitions::Nothing => updates::UpdatesShown,
        updates::download;
    /// Copies everything and gives the fetched version to the system, when no run is under way.
    UpdatesInstall = "updates.install" (Owner, Configure) updates::InstallRequest => updates::InstallShown,
        updates::install;
    /// Shows the last lines of the program's own log.
    LogsTail = "logs.tail" (Reader, Read) logs::TailRequest => logs::LogTail, logs::tail;
    /// Shows every line of what a person may hand to somebody who helps. Nothing sends it.
    DiagnosticsPreview = "diagnostics.preview" (Reader, Read) definitions::Nothing => diagnostics::DiagnosticsShown,
        diagnostics::preview;
    /// Gives the same as a file.
    DiagnosticsSave = "diagnostics.save" (Reader, Read) definitions::Nothing => diagnostics::DiagnosticsText,
        diagnostics::save;
    /// Looks at this machine and says what is missing.
    Doctor = "doctor" (Reader, Read) definitions::Nothing => doctor::DoctorReport, doctor::doctor;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_has_a_name_of_its_own_and_shapes_that_can_be_described() {
        let names: BTreeSet<&str> = COMMANDS.iter().map(|command| command.name).collect();
        assert_eq!(names.len(), COMMANDS.len());
        for command in COMMANDS {
            let schema = (command.request)();
            assert!(schema.as_object().is_some(), "{}", command.name);
            assert!((command.response)().as_object().is_some());
            assert!(command.about.trim().ends_with('.'), "{}", command.name);
        }
    }

    #[test]
    fn whatever_settles_a_question_needs_the_permission_to_decide() {
        for command in COMMANDS {
            let settles = command.name.starts_with("tasks.") && command.needs == Needs::Owner;
            let decides = command.permission == Permission::Decide;
            assert_eq!(settles, decides, "{}", command.name);
        }
    }
}
