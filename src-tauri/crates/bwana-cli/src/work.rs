//! Commands that work on runs: start one, go on with one, watch it to where it stands still, and say what came of it.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bwana_api::command::{
    Ask as AskCommand, RunCancel, RunEvents, RunExport, RunFork, RunImport, RunList, RunPause,
    RunReplay, RunResume, RunSettle, RunShow, RunStart,
};
use bwana_api::definitions::FileText;
use bwana_api::events::EventsRequest;
use bwana_api::export::ImportRequest;
use bwana_api::runs::{
    Approve as Approval, AskRequest, EDIT_MAX_BYTES, EditFile, ForkRequest, INPUT_MAX_BYTES,
    ListRequest, ResumeRequest, RunRef, StartOptions, StartRequest, Started, What,
};
use bwana_api::socket::Client;
use bwana_api::{Event, Events, HostOptions, RunShown, socket};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use bwana_types::status::RunStatus;

use crate::args::{Approve, Ask, Options, Run, Runs};
use crate::ask_person;
use crate::door::{Door, once};
use crate::follow::Follower;
use crate::lists;
use crate::out::{Out, typed};
use crate::sentence;
use crate::serve::end_is_asked_for;
use crate::simple::read_file;

/// How long an owner started in the background may take until it answers.
const OWNER_READY_MAX: Duration = Duration::from_secs(15);

pub(crate) async fn run(host: &HostOptions, out: &Out, run: &Run) -> Result<Ends, ApiError> {
    let request = StartRequest {
        what: what(&run.workflow)?,
        input: text(&run.input)?,
        options: options(&run.options),
    };
    if run.detach {
        return detach(host, out, request).await;
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
        Runs::Resume { id, approve } => {
            let door = Door::owner(host).await?;
            let approve = approval(*approve);
            let started = door
                .call::<RunResume>(ResumeRequest {
                    run: id.clone(),
                    approve,
                })
                .await;
            to_the_end(door, out, started).await
        }
        Runs::Pause { id } => steered(out, &once::<RunPause>(host, by(id)).await?),
        Runs::Cancel { id } => steered(out, &once::<RunCancel>(host, by(id)).await?),
        Runs::Fork { id, at, edit } => {
            let edit = edit.as_deref().map(read_edit).transpose()?;
            steered(
                out,
                &once::<RunFork>(
                    host,
                    ForkRequest {
                        run: id.clone(),
                        at: *at,
                        edit,
                    },
                )
                .await?,
            )
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
        Runs::Export { id } => {
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
            let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            steered(out, &once::<RunImport>(host, ImportRequest { file }).await?)
        }
    }
}

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

/// Follows a run that works until it has ended or stands still, asks the person where that is possible, and sums up.
async fn to_the_end(
    door: Door,
    out: &Out,
    started: Result<Started, ApiError>,
) -> Result<Ends, ApiError> {
    let started = match started {
        Ok(started) => started,
        Err(error) => {
            door.close().await?;
            return Err(error);
        }
    };
    introduce(out, &started);
    // Others may answer this run's questions or stop it while it works here.
    let server = match &door {
        Door::Here(app) => socket::serve(app)
            .inspect_err(|error| tracing::info!("{}", error.message))
            .ok(),
        Door::Owner(_) => None,
    };
    let outcome = watch(&door, out, &started).await;
    if let Some(server) = server {
        server.stop().await;
    }
    door.close().await?;
    let Some(shown) = outcome? else {
        return Ok(Ends::Cancelled);
    };
    out.json(&typed("summary", &shown));
    if !out.is_json() {
        lists::summary(out, &shown);
    }
    Ok(sentence::exit_code(&shown))
}

fn introduce(out: &Out, started: &Started) {
    let id = started.run.to_string();
    out.line(&format!(
        "{}  {}",
        out.bold(&started.workflow_name),
        out.dim(&id)
    ));
    let team: Vec<&str> = started
        .agents
        .iter()
        .map(|agent| agent.name.as_str())
        .collect();
    let mut models: Vec<&str> = started
        .agents
        .iter()
        .map(|agent| agent.model.as_str())
        .collect();
    models.sort_unstable();
    models.dedup();
    out.line(&out.dim(&format!("{} · {}", team.join(", "), models.join(", "))));
    if started.starter_model {
        out.aside(&out.warn(
            "The built-in starter model is very small: it shows how everything works, but its answers are poor.\n\
             For real work fetch a better one (`bwana models list`) or add a provider (`bwana providers add`).",
        ));
    }
    for note in started.notes.iter().filter(|note| note.severity != "note") {
        out.aside(&out.dim(&format!("note: {}", note.text)));
    }
}

/// `None`: a person broke it off with a second Ctrl-C.
async fn watch(door: &Door, out: &Out, started: &Started) -> Result<Option<RunShown>, ApiError> {
    let run = started.run.to_string();
    let mut follower = Follower::new(out, started);
    let mut cancelled = false;
    loop {
        let shown = match settle(door, out, &run, &mut follower, &mut cancelled).await? {
            Some(shown) => shown,
            None => return Ok(None),
        };
        if shown.status != RunStatus::Waiting || !out.can_ask() {
            return Ok(Some(shown));
        }
        for task in &shown.tasks {
            if !ask_person::ask(door, out, task).await? {
                return Ok(Some(shown));
            }
        }
    }
}

/// Shows what happens until the run stands still.
async fn settle(
    door: &Door,
    out: &Out,
    run: &str,
    follower: &mut Follower<'_>,
    cancelled: &mut bool,
) -> Result<Option<RunShown>, ApiError> {
    let by = || RunRef {
        run: run.to_owned(),
    };
    let (events, mut heard) = Events::channel();
    let request = EventsRequest {
        run: run.to_owned(),
        from: follower.seen + 1,
        follow: true,
        text: true,
    };
    let mut telling = Box::pin(door.call_telling::<RunEvents>(request, events));
    let mut settling = Box::pin(door.call::<RunSettle>(by()));
    let mut told = false;
    let shown = loop {
        tokio::select! {
            biased;
            Some(event) = heard.recv() => follower.event(&event),
            ended = &mut telling, if !told => {
                told = true;
                ended?;
            }
            shown = &mut settling => break shown?,
            () = end_is_asked_for() => {
                if *cancelled {
                    return Ok(None);
                }
                *cancelled = true;
                out.aside("\nCancelling; once more ends at once.");
                door.call::<RunCancel>(by()).await?;
            }
        }
    };
    drop(telling);
    while let Ok(event) = heard.try_recv() {
        follower.event(&event);
    }
    catch_up(door, run, follower).await?;
    Ok(Some(shown))
}

/// What was written between the last event and the end.
async fn catch_up(door: &Door, run: &str, follower: &mut Follower<'_>) -> Result<(), ApiError> {
    let (events, mut heard) = Events::channel();
    let request = EventsRequest {
        run: run.to_owned(),
        from: follower.seen + 1,
        follow: false,
        text: false,
    };
    let mut telling = Box::pin(door.call_telling::<RunEvents>(request, events));
    loop {
        tokio::select! {
            biased;
            Some(event) = heard.recv() => follower.event(&event),
            ended = &mut telling => {
                ended?;
                break;
            }
        }
    }
    drop(telling);
    while let Ok(event) = heard.try_recv() {
        follower.event(&event);
    }
    Ok(())
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
    let (events, mut heard) = Events::channel();
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
    let show = |event: &Event| {
        if let Event::Entry { run, entry } = event {
            if out.is_json() {
                out.json(&entry.to_event(&run.to_string()));
            } else {
                lists::entry(out, entry);
            }
        }
    };
    let mut telling = Box::pin(door.call_telling::<RunEvents>(request, events));
    let outcome = loop {
        tokio::select! {
            biased;
            Some(event) = heard.recv() => show(&event),
            ended = &mut telling => break ended.map(drop),
            () = end_is_asked_for() => return Ok(Ends::Cancelled),
        }
    };
    drop(telling);
    while let Ok(event) = heard.try_recv() {
        show(&event);
    }
    outcome.map(|()| Ends::Done)
}

/// Starts a run at the owner of the data folder; if there is none, one is started in the background.
async fn detach(host: &HostOptions, out: &Out, request: StartRequest) -> Result<Ends, ApiError> {
    let client = match Client::connect(&host.home).await? {
        Some(client) => client,
        None => start_owner(host).await?,
    };
    let started = client.call::<RunStart>(&request, &Events::none()).await?;
    out.json(&typed("started", &started));
    out.line(&format!(
        "{} works on. Follow it with `bwana runs events {} --follow`.",
        started.run,
        sentence::short(&started.run.to_string())
    ));
    Ok(Ends::Done)
}

async fn start_owner(host: &HostOptions) -> Result<Client, ApiError> {
    let failed = |why: String| ApiError::new(ErrorCode::OwnerUnreachable, why);
    let program = std::env::current_exe()
        .map_err(|error| failed(format!("the program cannot find itself: {error}")))?;
    let mut command = std::process::Command::new(program);
    command
        .arg("--home")
        .arg(&host.home)
        .args(["serve", "--no-gateway"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // A group of its own: Ctrl-C here must not end what works on.
        command.process_group(0);
    }
    let mut child = command
        .spawn()
        .map_err(|error| failed(format!("`bwana serve` cannot be started: {error}")))?;
    let deadline = Instant::now() + OWNER_READY_MAX;
    loop {
        if let Some(client) = Client::connect(&host.home).await? {
            return Ok(client);
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(failed(format!(
                "`bwana serve` ended at once ({status}); run it by hand to see why"
            )));
        }
        if Instant::now() > deadline {
            return Err(failed(String::from(
                "`bwana serve` was started but does not answer",
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
fn text(argument: &str) -> Result<String, ApiError> {
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
    }
}

fn approval(approve: Approve) -> Approval {
    match approve {
        Approve::Ask => Approval::Ask,
        Approve::Deny => Approval::Deny,
    }
}
