//! What this host brings: the real clock, real randomness, keys from the environment, and a runtime no larger than the
//! command needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bwana_api::system::{SystemClock, SystemIds};
use bwana_api::{HostOptions, Redactor, Secrets, resolve_home};
use bwana_types::error::{ApiError, ErrorCode};
use tokio::runtime::{Builder, Runtime};

use crate::args::{Approve, Args, Cli};

/// Threads that work when many runs may be under way.
const WORKERS_OF_AN_OWNER: usize = 2;

/// The data folder that is meant.
///
/// # Errors
/// If nothing says where it is.
pub(crate) fn home(args: &Args) -> Result<PathBuf, ApiError> {
    let here = std::env::current_dir().map_err(|error| {
        ApiError::new(
            ErrorCode::HomeUnwritable,
            format!("there is no current folder: {error}"),
        )
    })?;
    Ok(resolve_home(
        args.home.as_deref(),
        args.profile.as_deref(),
        |name| std::env::var_os(name),
        &here,
    )?)
}

/// # Errors
/// If nothing says where the data folder is.
pub(crate) fn options(args: &Args, redactor: &Redactor) -> Result<HostOptions, ApiError> {
    let unattended = match &args.command {
        Cli::Run(run) => run.options.approve == Approve::Deny,
        Cli::Ask(ask) => ask.options.approve == Approve::Deny,
        _ => false,
    };
    let home = home(args)?;
    profile_is_there(args, &home)?;
    Ok(HostOptions {
        secrets: Secrets::new(&home, None, redactor.clone()),
        home,
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        unattended,
    })
}

/// A name that is mistyped must not make a profile. Bringing a copy back into one makes it, and says so.
fn profile_is_there(args: &Args, home: &Path) -> Result<(), ApiError> {
    let named = std::env::var(bwana_api::PROFILE_VARIABLE).ok();
    let name = args.profile.clone().or(named).unwrap_or_default();
    let makes = matches!(args.command, Cli::Restore(_) | Cli::Profiles(_));
    if name.is_empty() || makes || home.is_dir() {
        return Ok(());
    }
    let message = format!("there is no profile '{name}'");
    Err(
        ApiError::new(ErrorCode::UsageNotFound, message).with_hint(format!(
            "`bwana profiles list` says which there are; `bwana profiles create {name}` makes it."
        )),
    )
}

/// # Errors
/// If the system gives no threads.
pub(crate) fn runtime(command: &Cli) -> Result<Runtime, ApiError> {
    let mut builder = match command {
        Cli::Serve(_) => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    if matches!(command, Cli::Serve(_)) {
        builder.worker_threads(WORKERS_OF_AN_OWNER);
    }
    builder.enable_all().build().map_err(|error| {
        ApiError::new(
            ErrorCode::Internal,
            format!("no runtime could be started: {error}"),
        )
    })
}
