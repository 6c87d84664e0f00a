//! What this host brings: the real clock, real randomness, keys from the environment, and a runtime no larger than the
//! command needs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bwana_api::{HostOptions, Redactor, Secrets, resolve_home};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::IdSource;
use bwana_types::time::{Clock, Timestamp};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::args::{Approve, Args, Cli};

/// Threads that work when many runs may be under way.
const WORKERS_OF_AN_OWNER: usize = 2;

struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the host: the one place that reads the real clock"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

struct SystemIds;

impl SystemIds {
    fn bytes<const N: usize>() -> [u8; N] {
        let mut bytes = [0; N];
        // Without randomness of the system ids could repeat, and a second run could pass for a first.
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }
}

impl IdSource for SystemIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.0).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &Self::bytes()).into_uuid()
    }

    fn random_u64(&self) -> u64 {
        u64::from_le_bytes(Self::bytes())
    }
}

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
    Ok(HostOptions {
        secrets: Secrets::new(&home, None, redactor.clone()),
        home,
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        unattended,
    })
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
