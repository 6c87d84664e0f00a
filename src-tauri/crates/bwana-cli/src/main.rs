//! The command line of Bwana: parses arguments, calls the command table in process or at the owner of the data folder,
//! and prints. What commands do stands in `bwana-api`; sentences for people stand here.

mod args;
mod ask_person;
mod data;
mod door;
mod follow;
mod host;
mod lists;
mod models;
mod out;
mod owner;
mod providers;
mod secrets;
mod sentence;
mod serve;
mod signals;
mod simple;
mod stage;
mod watch;
mod work;

use std::process::ExitCode;

use bwana_api::{HostOptions, Redactor};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use clap::Parser;

use crate::args::{Args, Cli};
use crate::out::Out;

fn main() -> ExitCode {
    let args = Args::parse();
    let out = Out::new(args.json, args.no_color, args.verbose > 0);
    let redactor = Redactor::new();
    out.start_log(args.verbose, &redactor);
    let outcome = host::runtime(&args.command).and_then(|runtime| {
        let ended = runtime.block_on(run(&args, &out, &redactor));
        // A prompt may still be read; nobody waits for it.
        runtime.shutdown_background();
        ended
    });
    match outcome {
        Ok(code) => ExitCode::from(code as u8),
        Err(mut error) => {
            let code = error.code.exit_code();
            error.message = redactor.text(&error.message).into_owned();
            out.error(&error);
            ExitCode::from(code as u8)
        }
    }
}

/// The whole of a command; the answer says how the process ends.
async fn run(args: &Args, out: &Out, redactor: &Redactor) -> Result<Ends, ApiError> {
    let host = host::options(args, redactor)?;
    match command(&host, args, out).await {
        // A closed vault is found before anything has begun, so the command simply begins again.
        Err(error) if error.code == ErrorCode::SecretLocked && secrets::open(&host)? => {
            command(&host, args, out).await
        }
        other => other,
    }
}

async fn command(host: &HostOptions, args: &Args, out: &Out) -> Result<Ends, ApiError> {
    match &args.command {
        Cli::Run(run) => work::run(host, out, run).await,
        Cli::Ask(ask) => work::ask(host, out, ask).await,
        Cli::Runs(runs) => work::runs(host, out, runs).await,
        Cli::Serve(options) => serve::serve(host.clone(), out, options).await,
        Cli::Backup { folder } => data::backup(host, out, folder.as_deref()).await,
        Cli::Restore { folder } => data::restore(host, out, folder),
        Cli::Verify { rebuild } => data::verify(host, out, *rebuild).await,
        Cli::Secrets(secrets) => secrets::command(host, out, secrets).await,
        Cli::Models(models) => models::command(host, out, models).await,
        other => simple::command(host, out, other).await,
    }
}
