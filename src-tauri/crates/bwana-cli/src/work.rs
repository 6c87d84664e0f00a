//! Commands that work on runs: start one, go on with one, watch it to where it stands still, and say what came of it.

use std::io::Read;
use std::path::Path;

use bwana_api::command::{
    Ask as AskCommand, RunCancel, RunEvents, RunExport, RunFork, RunImport, RunList, RunPause,
    RunReplay, RunResume, RunSay, RunShow, RunStart,
};
use bwana_api::definitions::FileText;
use bwana_api::events::EventsRequest;
use bwana_api::export::ImportRequest;
use bwana_api::runs::{
    Approve as Approval, AskRequest, EDIT_MAX_BYTES, EditFile, ForkRequest, INPUT_MAX_BYTES,
    ListRequest, ResumeRequest, RunRef, StartOptions, StartRequest, What,
};
use bwana_api::say::SayRequest;
use bwana_api::socket::Client;
use bwana_api::{Event, Events, HostOptions, RunShown};
use bwana_types::entry::When;
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};

use crate::args::{self, Approve, Ask, Options, Run, Runs};
use crate::door::{Door, once};
use crate::lists;
use crate::out::Out;
use crate::owner;
use crate::sentence;
use crate::simple::read_file;
use crate::watch::{drain, to_the_end};

pub(crate) async fn run(host: &HostOptions, out: &Out, run: &Run) -> Result<Ends, ApiError> {
    let request = StartRequest {
        what: what(&run.workflow)?,
        input: text(&run.input)?,
        options: options(&run.options),
    };
    if run.detach {
        return owner::detach(host, out, request).await;
    }
    let door = Door::owner(host).await?;
    let started = door.call::<RunStart>(request).await;
    to_the_end(door, out, started).await
}

pub(crate) async fn ask(host: &HostOptions, out: &Out, ask: &Ask) -> Result<Ends, ApiError> {
    let request = AskRequest {
        text: text(&ask.text)?,
        agent: ask.agent.clone(),
        options: options(&ask.options),
    };
    let door = Door::owner(host).await?;
    let started = door.call::<AskCommand>(request).await;
    to_the_end(door, out, started).await
}

pub(crate) async fn runs(host: &HostOptions, out: &Out, runs: &Runs) -> Result<Ends, ApiError> {
    let by = |id: &String| RunRef { run: id.clone() };
    match runs {
        Runs::List { limit, workflow } => {
            let request = ListRequest {
                workflow: workflow.clone(),
                limit: *limit,
                ..ListRequest::default()
            };
            let list = once::<RunList>(host, request).await?;
            lists::runs(out, &list.runs);
            Ok(Ends::Done)
        }
        Runs::Show { id } => {
            let shown = once::<RunShow>(host, by(id)).await?;
            out.json(&shown);
            lists::run(out, &shown);
            Ok(Ends::Done)
        }
        Runs::Events { id, from, follow } => events(host, out, id, *from, *follow).await,
        Runs::Resume { id, approve } => resume(host, out, id, *approve).await,
        Runs::Pause { id } => steered(out, &once::<RunPause>(host, by(id)).await?),
        Runs::Cancel { id } => steered(out, &once::<RunCancel>(host, by(id)).await?),
        Runs::Say {
            id,
            text: words,
            when,
        } => say(host, out, id, text(words)?, *when).await,
        Runs::Fork { id, at, edit } => {
            let request = ForkRequest {
                run: id.clone(),
                at: *at,
                edit: edit.as_deref().map(read_edit).transpose()?,
            };
            steered(out, &once::<RunFork>(host, request).await?)
        }
        Runs::Replay { id } => {
            let report = once::<RunReplay>(host, by(id)).await?;
            out.json(&report);
            lists::replay(out, &report);
            Ok(if report.same {
                Ends::Done
            } else {
                Ends::Failed
            })
        }
        Runs::Export {
            id,
            format: Some(format),
        } => crate::find::export_as(host, out, id, *format).await,
        Runs::Export { id, format: None } => {
            let document = once::<RunExport>(host, by(id)).await?;
            let text = serde_json::to_string_pretty(&document).unwrap_or_default();
            if out.is_json() {
                out.json(&document)
            } else {
                out.line(&text)
            }
            Ok(Ends::Done)
        }
        Runs::Import { file } => {
            // The owner may stand in another folder.
            let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            steered(out, &once::<RunImport>(host, ImportRequest { file }).await?)
        }
    }
}

async fn say(
    host: &HostOptions,
    out: &Out,
    id: &str,
    text: String,
    when: args::When,
) -> Result<Ends, ApiError> {
    let request = SayRequest {
        run: id.to_owned(),
        text,
        when: match when {
            args::When::Now => When::Now,
            args::When::AfterStep => When::AfterStep,
            args::When::AtEnd => When::AtEnd,
        },
    };
    let shown = once::<RunSay>(host, request).await?;
    out.json(&shown);
    out.line(&format!("{} will hear it.", shown.id));
    Ok(Ends::Done)
}

async fn resume(
    host: &HostOptions,
    out: &Out,
    id: &str,
    approve: Approve,
) -> Result<Ends, ApiError> {
    let request = ResumeRequest {
        run: id.to_owned(),
        approve: approval(approve),
    };
    let door = Door::owner(host).await?;
    let started = door.call::<RunResume>(request).await;
    to_the_end(door, out, started).await
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every arm of a command answers like this"
)]
fn steered(out: &Out, shown: &RunShown) -> Result<Ends, ApiError> {
    out.json(shown);
    out.line(&format!(
        "{} is {}. {}",
        shown.id,
        shown.status.as_str(),
        sentence::why(shown)
    ));
    Ok(Ends::Done)
}

async fn events(
    host: &HostOptions,
    out: &Out,
    id: &str,
    from: u64,
    follow: bool,
) -> Result<Ends, ApiError> {
    let request = EventsRequest {
        run: id.to_owned(),
        from,
        follow,
        text: false,
    };
    let (events, heard) = Events::channel();
    // Where the run is worked on it is told sooner; anywhere else the journal is read.
    let owner = if follow {
        Client::connect(&host.home).await?
    } else {
        None
    };
    let door = match owner {
        Some(client) => Door::Owner(client),
        None => Door::reader(host)?,
    };
    let telling = door.call_telling::<RunEvents>(request, events);
    drain(telling, heard, |event| {
        if let Event::Entry { run, entry } = event {
            if out.is_json() {
                out.json(&entry.to_event(&run.to_string()));
            } else {
                lists::entry(out, entry);
            }
        }
    })
    .await?;
    Ok(Ends::Done)
}

/// A workflow's id, or the file the argument names.
fn what(workflow: &str) -> Result<What, ApiError> {
    let path = Path::new(workflow);
    let is_file = path.extension().is_some_and(|ext| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| ext.eq_ignore_ascii_case(known))
    });
    if !is_file {
        return Ok(What::Workflow(workflow.to_owned()));
    }
    let text = read_file(
        path,
        bwana_api::definitions::FILE_MAX_BYTES,
        ErrorCode::DefinitionTooLarge,
    )?;
    Ok(What::File(FileText {
        name: workflow.to_owned(),
        text,
    }))
}

/// TEXT, @FILE, or - for standard input.
pub(crate) fn text(argument: &str) -> Result<String, ApiError> {
    if argument == "-" {
        let mut text = String::new();
        let limit = INPUT_MAX_BYTES as u64 + 1;
        std::io::stdin()
            .take(limit)
            .read_to_string(&mut text)
            .map_err(|error| {
                ApiError::new(
                    ErrorCode::UsageInvalid,
                    format!("standard input cannot be read: {error}"),
                )
            })?;
        return Ok(text);
    }
    match argument.strip_prefix('@') {
        Some(file) => read_file(Path::new(file), INPUT_MAX_BYTES, ErrorCode::UsageInvalid),
        None => Ok(argument.to_owned()),
    }
}

fn read_edit(file: &Path) -> Result<EditFile, ApiError> {
    let text = read_file(file, EDIT_MAX_BYTES, ErrorCode::UsageInvalid)?;
    serde_json::from_str(&text).map_err(|error| {
        ApiError::new(
            ErrorCode::UsageInvalid,
            format!("{} is no edit: {error}", file.display()),
        )
        .with_hint("Write it like {\"replace\": 12, \"text\": \"other words\"}.")
    })
}

fn options(options: &Options) -> StartOptions {
    StartOptions {
        model: options.model.clone(),
        budget_usd: options.budget.clone(),
        approve: approval(options.approve),
        dry_run: options.dry_run,
        ..StartOptions::default()
    }
}

fn approval(approve: Approve) -> Approval {
    match approve {
        Approve::Ask => Approval::Ask,
        Approve::Deny => Approval::Deny,
    }
}
