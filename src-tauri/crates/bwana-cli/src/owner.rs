//! Runs that go on without this terminal: started at the owner of the data folder, and if there is none, at one that is
//! started in the background.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use bwana_api::command::RunStart;
use bwana_api::runs::StartRequest;
use bwana_api::socket::Client;
use bwana_api::{Events, HostOptions};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};

use crate::out::{Out, typed};
use crate::sentence;

/// How long an owner started in the background may take until it answers.
const OWNER_READY_MAX: Duration = Duration::from_secs(15);
/// How often it is looked whether it does.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// What an owner in the background says goes here, in the data folder.
const LOG_FILE: &str = "logs/owner.log";
/// How much of it is repeated when it ended at once.
const LOG_SHOWN_BYTES: usize = 2_000;

/// Starts a run and returns at once.
pub(crate) async fn detach(
    host: &HostOptions,
    out: &Out,
    request: StartRequest,
) -> Result<Ends, ApiError> {
    let client = match Client::connect(&host.home).await? {
        Some(client) => client,
        None => start(&host.home).await?,
    };
    let started = client.call::<RunStart>(&request, &Events::none()).await?;
    out.json(&typed("started", &started));
    let id = sentence::short(&started.run.to_string());
    out.line(&format!("{} works on in the background.", started.run));
    out.line(&out.dim(&format!(
        "Follow it with `bwana runs events {id} --follow`, see it with `bwana runs show {id}`."
    )));
    Ok(Ends::Done)
}

async fn start(home: &Path) -> Result<Client, ApiError> {
    let log = home.join(LOG_FILE);
    let mut child = spawn(home, &log)?;
    let deadline = Instant::now() + OWNER_READY_MAX;
    loop {
        if let Some(client) = Client::connect(home).await? {
            return Ok(client);
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(ended(&log, status.code()));
        }
        if Instant::now() > deadline {
            let message = "`bwana serve` was started in the background and does not answer";
            return Err(ApiError::new(ErrorCode::OwnerUnreachable, message)
                .with_hint(format!("{} says what it does.", log.display())));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn spawn(home: &Path, log: &Path) -> Result<Child, ApiError> {
    let failed = |what: &str, error: std::io::Error| {
        ApiError::new(ErrorCode::OwnerUnreachable, format!("{what}: {error}"))
    };
    let program: PathBuf =
        std::env::current_exe().map_err(|error| failed("the program cannot find itself", error))?;
    let log =
        open_log(log).map_err(|error| failed("the log of the owner cannot be made", error))?;
    let mut command = std::process::Command::new(program);
    command
        .arg("--home")
        .arg(home)
        .args(["serve", "--no-gateway", "--exit-when-idle"])
        // The folder above is the profile's already.
        .env_remove(bwana_api::PROFILE_VARIABLE)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        // A group of its own: Ctrl-C here must not end what works on.
        command.process_group(0);
    }
    command
        .spawn()
        .map_err(|error| failed("`bwana serve` cannot be started", error))
}

fn open_log(log: &Path) -> std::io::Result<File> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::create(log)
}

/// An owner that ended before it answered, in its own words, with the code it ended with.
fn ended(log: &Path, code: Option<i32>) -> ApiError {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let tail = &text[text.len() - text.len().min(LOG_SHOWN_BYTES)..];
    let said = tail
        .lines()
        .find_map(|line| line.strip_prefix("error: "))
        .unwrap_or("it does not say why");
    let in_use = code == Some(ErrorCode::HomeInUse.exit_code() as i32);
    let code = if in_use {
        ErrorCode::HomeInUse
    } else {
        ErrorCode::OwnerUnreachable
    };
    ApiError::new(code, format!("`bwana serve` ended at once: {said}"))
}
