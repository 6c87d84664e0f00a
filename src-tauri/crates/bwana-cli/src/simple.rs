//! Commands that ask one thing and print the answer.

use std::io::Read;
use std::path::Path;

use bwana_api::HostOptions;
use bwana_api::command::{
    AgentsExport, AgentsList, AgentsShow, BudgetRaise, BudgetSet, BudgetShow, DefinitionsImport,
    DefinitionsValidate, EgressAllow, EgressForbid, EgressList, TasksAnswer, TasksApprove,
    TasksDeny, TasksList, TasksResolve, TasksShow, ToolsCall, ToolsList, ToolsShow,
    WorkflowsExport, WorkflowsList, WorkflowsRemove, WorkflowsShow,
};
use bwana_api::definitions::{
    ById, DefinitionList, FILE_MAX_BYTES, FileText, ImportRequest, Nothing,
};
use bwana_api::egress::HostRequest;
use bwana_api::grants::Scope;
use bwana_api::tasks::{
    AnswerRequest, ApproveRequest, DenyRequest, ListRequest, Outcome, ResolveRequest, TaskRef,
    TaskShown,
};
use bwana_api::{budget, tools};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use bwana_types::grant::Pattern;

use crate::args::{self, Agents, Budget, Cli, Egress, Import, Tasks, Tools, Workflows};
use crate::door::once;
use crate::lists::{self, table};
use crate::out::Out;

pub(crate) async fn command(
    host: &HostOptions,
    out: &Out,
    command: &Cli,
) -> Result<Ends, ApiError> {
    match command {
        Cli::Workflows(workflows) => self::workflows(host, out, workflows).await,
        Cli::Agents(agents) => self::agents(host, out, agents).await,
        Cli::Tasks(tasks) => self::tasks(host, out, tasks).await,
        Cli::Tools(tools) => self::tools(host, out, tools).await,
        Cli::Providers(providers) => crate::providers::command(host, out, providers).await,
        Cli::Budget(budget) => self::budget(host, out, budget).await,
        Cli::Egress(egress) => self::egress(host, out, egress).await,
        Cli::Search { text, limit } => crate::find::search(host, out, text, *limit).await,
        Cli::Usage { from, to, by } => {
            crate::find::usage(host, out, from.clone(), to.clone(), *by).await
        }
        Cli::Doctor => crate::doctor::doctor(host, out).await,
        // These have rooms of their own.
        Cli::Secrets(_)
        | Cli::Grants(_)
        | Cli::Plan(_)
        | Cli::Models(_)
        | Cli::Run(_)
        | Cli::Ask(_)
        | Cli::Runs(_)
        | Cli::Serve(_)
        | Cli::Backup { .. }
        | Cli::Diagnostics { .. }
        | Cli::Completions { .. }
        | Cli::Man { .. }
        | Cli::Restore(_)
        | Cli::Update { .. }
        | Cli::Profiles(_)
        | Cli::Recover(_)
        | Cli::Settings(_)
        | Cli::Verify { .. } => Ok(Ends::Done),
    }
}

async fn workflows(host: &HostOptions, out: &Out, workflows: &Workflows) -> Result<Ends, ApiError> {
    match workflows {
        Workflows::List => definitions(
            out,
            &once::<WorkflowsList>(host, Nothing {}).await?,
            "agents",
        ),
        Workflows::Show { id } => {
            let shown = once::<WorkflowsShow>(host, ById { id: id.clone() }).await?;
            out.json(&shown);
            if !out.is_json() {
                out.line(
                    &once::<WorkflowsExport>(host, ById { id: id.clone() })
                        .await?
                        .text,
                );
            }
        }
        Workflows::Validate { file } => return validate(host, out, file).await,
        Workflows::Import(import) => self::import(host, out, import).await?,
        Workflows::Versions { id, show } => {
            return crate::find::versions(host, out, id, show.as_ref()).await;
        }
        Workflows::Restore { id, version } => {
            return crate::find::put_back(host, out, id, version).await;
        }
        Workflows::Remove { id } => {
            let removed = once::<WorkflowsRemove>(host, ById { id: id.clone() }).await?;
            out.json(&removed);
            out.line(&if removed.shipped {
                format!("{id} is as it came with the program.")
            } else {
                format!("{id} is gone; `bwana workflows versions {id}` still has what it was.")
            });
        }
        Workflows::Export { id } => {
            let exported = once::<WorkflowsExport>(host, ById { id: id.clone() }).await?;
            out.json(&exported);
            if !out.is_json() {
                out.text(&exported.text);
            }
        }
    }
    Ok(Ends::Done)
}

async fn agents(host: &HostOptions, out: &Out, agents: &Agents) -> Result<Ends, ApiError> {
    match agents {
        Agents::List => definitions(out, &once::<AgentsList>(host, Nothing {}).await?, "tools"),
        Agents::Show { id } => {
            let shown = once::<AgentsShow>(host, ById { id: id.clone() }).await?;
            out.json(&shown);
            if !out.is_json() {
                out.line(
                    &once::<AgentsExport>(host, ById { id: id.clone() })
                        .await?
                        .text,
                );
                if !shown.missing_tools.is_empty() {
                    out.line(&out.dim(&format!(
                        "not installed: {}",
                        shown.missing_tools.join(", ")
                    )));
                }
            }
        }
        Agents::Create { file } => {
            self::import(
                host,
                out,
                &Import {
                    file: file.clone(),
                    only_new: true,
                },
            )
            .await?;
        }
        Agents::Import(import) => self::import(host, out, import).await?,
        Agents::Export { id } => {
            let exported = once::<AgentsExport>(host, ById { id: id.clone() }).await?;
            out.json(&exported);
            if !out.is_json() {
                out.text(&exported.text);
            }
        }
    }
    Ok(Ends::Done)
}

fn definitions(out: &Out, list: &DefinitionList, uses: &str) {
    for item in &list.items {
        out.json(item);
    }
    let rows: Vec<Vec<String>> = list
        .items
        .iter()
        .map(|item| {
            vec![
                item.id.clone(),
                item.name.clone(),
                item.uses.join(", "),
                item.source.clone(),
            ]
        })
        .collect();
    table(out, &["id", "name", uses, "from"], &rows);
    for problem in &list.problems {
        out.aside(&out.warn(&format!(
            "{} cannot be used: {}",
            problem.file, problem.problem
        )));
    }
}

async fn validate(host: &HostOptions, out: &Out, file: &Path) -> Result<Ends, ApiError> {
    let report = once::<DefinitionsValidate>(host, file_text(file)?).await?;
    out.json(&report);
    for issue in &report.issues {
        out.line(&format!("{}: {}", issue.severity, issue.text));
    }
    if report.valid {
        let found = [report.agents.as_slice(), report.workflows.as_slice()].concat();
        out.line(&format!("{} is good: {}", report.file, found.join(", ")));
    }
    Ok(if report.valid {
        Ends::Done
    } else {
        Ends::Usage
    })
}

async fn import(host: &HostOptions, out: &Out, import: &Import) -> Result<(), ApiError> {
    let request = ImportRequest {
        file: file_text(&import.file)?,
        only_new: import.only_new,
    };
    let report = once::<DefinitionsImport>(host, request).await?;
    for item in &report.items {
        out.json(item);
        out.line(&format!("{} {} {}", item.kind, item.id, item.status));
    }
    for note in &report.notes {
        out.aside(&out.dim(&format!("note: {}", note.text)));
    }
    Ok(())
}

fn file_text(file: &Path) -> Result<FileText, ApiError> {
    let text = read_file(file, FILE_MAX_BYTES, ErrorCode::DefinitionTooLarge)?;
    Ok(FileText {
        name: file.display().to_string(),
        text,
    })
}

/// A text file of at most so many bytes.
pub(crate) fn read_file(
    file: &Path,
    max_bytes: usize,
    too_large: ErrorCode,
) -> Result<String, ApiError> {
    let cannot = |error: &dyn std::fmt::Display| {
        ApiError::new(
            ErrorCode::UsageInvalid,
            format!("{} cannot be read: {error}", file.display()),
        )
        .with_hint("Check the name of the file and that you may read it.")
    };
    let opened = std::fs::File::open(file).map_err(|error| cannot(&error))?;
    let size = opened.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::new();
    opened
        .take(max_bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot(&error))?;
    if bytes.len() > max_bytes {
        let message = format!(
            "{} has {} bytes; at most {max_bytes} are taken",
            file.display(),
            size.max(bytes.len() as u64)
        );
        return Err(ApiError::new(too_large, message));
    }
    String::from_utf8(bytes).map_err(|_| cannot(&"it is not text (UTF-8)"))
}

async fn tasks(host: &HostOptions, out: &Out, tasks: &Tasks) -> Result<Ends, ApiError> {
    let by = |id: &String| TaskRef { task: id.clone() };
    let shown = match tasks {
        Tasks::List { all } => {
            let request = ListRequest {
                all: *all,
                ..ListRequest::default()
            };
            lists::tasks(out, &once::<TasksList>(host, request).await?.tasks);
            return Ok(Ends::Done);
        }
        Tasks::Show { id } => {
            let shown = once::<TasksShow>(host, by(id)).await?;
            lists::tasks(out, std::slice::from_ref(&shown));
            return Ok(Ends::Done);
        }
        Tasks::Approve {
            id,
            scope,
            covers,
            edit,
        } => approve(host, id, *scope, *covers, edit.as_deref()).await?,
        Tasks::Deny {
            id,
            reason,
            never,
            covers,
        } => {
            let (scope, pattern) = match never {
                false => (Scope::Once, None),
                true => (
                    Scope::Never,
                    Some(pattern(host, id, Scope::Never, *covers).await?),
                ),
            };
            let request = DenyRequest {
                task: id.clone(),
                reason: reason.clone(),
                scope,
                pattern,
            };
            once::<TasksDeny>(host, request).await?
        }
        Tasks::Answer { id, text } => answer(host, id, text).await?,
        Tasks::Resolve { id, outcome, note } => {
            let outcome = match outcome {
                args::Outcome::Happened => Outcome::Happened,
                args::Outcome::SendAgain => Outcome::SendAgain,
                args::Outcome::GiveUp => Outcome::GiveUp,
            };
            let request = ResolveRequest {
                task: id.clone(),
                outcome,
                note: note.clone(),
            };
            once::<TasksResolve>(host, request).await?
        }
    };
    decided(out, &shown);
    Ok(Ends::Done)
}

/// A yes, with what else it allows and which arguments it changes.
async fn approve(
    host: &HostOptions,
    id: &str,
    scope: Option<args::AllowIn>,
    covers: args::Covers,
    edit: Option<&str>,
) -> Result<TaskShown, ApiError> {
    let edit = edit
        .map(serde_json::from_str)
        .transpose()
        .map_err(|error| {
            ApiError::new(
                ErrorCode::UsageInvalid,
                format!("the new arguments are no JSON: {error}"),
            )
        })?;
    let scope = match scope {
        None => Scope::Once,
        Some(args::AllowIn::Run) => Scope::Run,
        Some(args::AllowIn::Workflow) => Scope::Workflow,
    };
    let exact = covers == args::Covers::Exact;
    let pattern = match scope {
        // Of new arguments nobody has seen a pattern yet: the narrowest is taken.
        Scope::Run | Scope::Workflow if !exact && edit.is_none() => {
            Some(pattern(host, id, scope, covers).await?)
        }
        _ => None,
    };
    let request = ApproveRequest {
        task: id.to_owned(),
        scope,
        pattern,
        edit,
    };
    once::<TasksApprove>(host, request).await
}

/// The pattern of this kind that a question offers.
async fn pattern(
    host: &HostOptions,
    id: &str,
    scope: Scope,
    covers: args::Covers,
) -> Result<Pattern, ApiError> {
    let by = TaskRef {
        task: id.to_owned(),
    };
    let shown = once::<TasksShow>(host, by).await?;
    let fits = |pattern: &Pattern| {
        covers
            == match pattern {
                Pattern::Exact { .. } => args::Covers::Exact,
                Pattern::Address { .. } => args::Covers::Address,
                Pattern::Host { .. } => args::Covers::Host,
                Pattern::Domain { .. } => args::Covers::Domain,
                Pattern::Folder { .. } => args::Covers::Folder,
            }
    };
    let offers = shown
        .scopes
        .into_iter()
        .filter(|offer| offer.scope == scope);
    offers
        .filter_map(|offer| offer.pattern)
        .find(fits)
        .ok_or_else(|| {
            let message = format!("task {id} does not offer that");
            ApiError::new(ErrorCode::TaskWrongAnswer, message)
                .with_hint(format!("`bwana tasks show {id}` says what it offers."))
        })
}

/// An answer; to a question about what may have happened it is one of three words.
async fn answer(host: &HostOptions, id: &str, text: &str) -> Result<TaskShown, ApiError> {
    let request = AnswerRequest {
        task: id.to_owned(),
        text: text.to_owned(),
    };
    let refused = match once::<TasksAnswer>(host, request).await {
        Err(error) if error.code == ErrorCode::TaskWrongAnswer => error,
        other => return other,
    };
    let Some(outcome) = crate::ask_person::outcome(&text.trim().to_lowercase()) else {
        return Err(refused);
    };
    let request = ResolveRequest {
        task: id.to_owned(),
        outcome,
        note: String::new(),
    };
    match once::<TasksResolve>(host, request).await {
        // It is a question of another kind after all.
        Err(error) if error.code == ErrorCode::TaskWrongAnswer => Err(refused),
        other => other,
    }
}

fn decided(out: &Out, shown: &TaskShown) {
    out.json(shown);
    out.line(&format!(
        "Recorded. Go on with `bwana runs resume {}` if the run is not being worked on.",
        crate::sentence::short(&shown.run.to_string())
    ));
}

async fn tools(host: &HostOptions, out: &Out, tools: &Tools) -> Result<Ends, ApiError> {
    match tools {
        Tools::List => {
            let list = once::<ToolsList>(host, Nothing {}).await?;
            let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let rows: Vec<Vec<String>> = list
                .tools
                .iter()
                .map(|tool| {
                    out.json(tool);
                    let risk = word(serde_json::to_value(tool.risk).unwrap_or_default());
                    let effect = word(serde_json::to_value(tool.effect).unwrap_or_default());
                    vec![tool.id.clone(), risk, effect, tool.description.clone()]
                })
                .collect();
            table(out, &["id", "risk", "effect", "what it does"], &rows);
        }
        Tools::Show { id } => {
            let shown = once::<ToolsShow>(host, ById { id: id.clone() }).await?;
            out.json(&shown);
            if !out.is_json() {
                out.line(&serde_json::to_string_pretty(&shown).unwrap_or_default());
            }
        }
        Tools::Call { id, args } => {
            let request = tools::CallRequest {
                tool: id.clone(),
                args: args.clone(),
            };
            let report = once::<ToolsCall>(host, request).await?;
            out.json(&report);
            out.line(&crate::stage::visible(&report.content));
            if report.is_error {
                return Ok(Ends::Failed);
            }
        }
    }
    Ok(Ends::Done)
}

async fn budget(host: &HostOptions, out: &Out, budget: &Budget) -> Result<Ends, ApiError> {
    let shown = match budget {
        Budget::Show => once::<BudgetShow>(host, Nothing {}).await?,
        Budget::Set {
            run: Some(run),
            usd,
            tokens,
            calls,
            turns,
            elapsed,
        } => {
            let request = budget::RaiseRequest {
                run: run.clone(),
                usd: usd.clone(),
                tokens: *tokens,
                calls: *calls,
                turns: *turns,
                elapsed: elapsed.clone(),
            };
            let shown = once::<BudgetRaise>(host, request).await?;
            out.json(&shown);
            out.line(&format!(
                "{} topped up. {}",
                shown.id,
                crate::sentence::why(&shown)
            ));
            return Ok(Ends::Done);
        }
        Budget::Set { run: None, usd, .. } => {
            let day_usd = match usd.as_deref() {
                None => {
                    return Err(ApiError::new(
                        ErrorCode::BudgetInvalid,
                        "nobody says what a day may cost",
                    ));
                }
                Some("none") => None,
                Some(usd) => Some(usd.to_owned()),
            };
            once::<BudgetSet>(host, budget::SetRequest { day_usd }).await?
        }
    };
    out.json(&shown);
    let limit = shown.limit.map_or_else(
        || String::from("no limit"),
        |limit| format!("of ${}", limit.0),
    );
    out.line(&format!(
        "{} ({}): ${} spent, {limit}",
        shown.day, shown.time_zone, shown.spent.0
    ));
    if shown.unpriced_calls > 0 {
        out.line(&format!(
            "{} calls had no known price and are not in this sum",
            shown.unpriced_calls
        ));
    }
    Ok(Ends::Done)
}

async fn egress(host: &HostOptions, out: &Out, egress: &Egress) -> Result<Ends, ApiError> {
    let list = match egress {
        Egress::List => once::<EgressList>(host, Nothing {}).await?,
        Egress::Allow { host: target } => {
            once::<EgressAllow>(
                host,
                HostRequest {
                    host: target.clone(),
                },
            )
            .await?
        }
        Egress::Forbid { host: target } => {
            once::<EgressForbid>(
                host,
                HostRequest {
                    host: target.clone(),
                },
            )
            .await?
        }
    };
    out.json(&list);
    let rows: Vec<Vec<String>> = list
        .private_hosts
        .iter()
        .map(|host| vec![host.clone()])
        .collect();
    table(out, &["private hosts open to tools"], &rows);
    if list.needs_restart {
        out.aside(&out.dim("The program that owns the data folder must be restarted to use this."));
    }
    Ok(Ends::Done)
}
