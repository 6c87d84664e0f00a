//! The command line of Bwana: parses arguments, calls the command table in process or at the owner of the data folder,
//! and prints. What commands do stands in `bwana-api`; sentences for people stand here.

mod args;
mod ask_person;
mod data;
mod doctor;
mod door;
mod find;
mod follow;
mod host;
mod lists;
mod models;
mod out;
mod owner;
mod papers;
mod plan;
mod profiles;
mod providers;
mod recovering;
mod restoring;
mod secrets;
mod sentence;
mod serve;
mod settings;
mod signals;
mod simple;
mod stage;
mod update;
mod watch;
mod work;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use bwana_api::{HostOptions, Redactor, report_crashes};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use clap::Parser;

use crate::args::{Args, Cli};
use crate::out::Out;

fn main() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|wrong| refuse(&wrong));
    let out = Out::new(args.json, args.no_color, args.verbose > 0);
    let redactor = Redactor::new();
    let home = host::home(&args).ok();
    let is_server = matches!(args.command, Cli::Serve(_));
    let kept_in = home.as_deref().filter(|_| is_server);
    Out::start_log(args.verbose, &redactor, kept_in);
    report_crashes(&redactor, home.as_deref());
    let work = || {
        let ended = match papers(&args.command, &out) {
            Some(ended) => ended,
            None => {
                let runtime = host::runtime(&args.command)?;
                let ended = runtime.block_on(run(&args, &out, &redactor));
                // A prompt may still be read; nobody waits for it.
                runtime.shutdown_background();
                ended
            }
        };
        ended.and_then(|code| out.whole().map(|()| code))
    };
    // Nothing of ours is used afterwards but what prints.
    let ended = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(code)) => code,
        Ok(Err(mut error)) => {
            redact(&redactor, &mut error);
            out.error(&error);
            error.code.exit_code()
        }
        // The hook has told the person.
        Err(_) => {
            let message = "the program stopped because of a mistake of its own";
            out.error_object(&ApiError::new(ErrorCode::Internal, message));
            ErrorCode::Internal.exit_code()
        }
    };
    ExitCode::from(ended as u8)
}

/// Says what is wrong with the words of a command; asked for help or the version, says that. Scripts are told as of every
/// other error.
fn refuse(wrong: &clap::Error) -> ! {
    if wrong.use_stderr() && std::env::args_os().any(|word| word == "--json") {
        let text = wrong.to_string();
        let first = text.lines().next().unwrap_or_default();
        let message = first.trim_start_matches("error: ");
        let out = Out::new(true, true, false);
        out.error_object(&ApiError::new(ErrorCode::UsageInvalid, message));
    }
    wrong.exit()
}

fn redact(redactor: &Redactor, error: &mut ApiError) {
    error.message = redactor.text(&error.message).into_owned();
    error.hint = redactor.text(&error.hint).into_owned();
    redactor.json(&mut error.details);
}

/// What is asked of the program alone, for which nothing has to be opened.
fn papers(command: &Cli, out: &Out) -> Option<Result<Ends, ApiError>> {
    match command {
        Cli::Completions { shell } => Some(papers::completions(out, *shell)),
        Cli::Man { folder } => Some(papers::man(out, folder)),
        _ => None,
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
        Cli::Plan(plan) => plan::plan(host, out, plan).await,
        Cli::Grants(grants) => plan::grants(host, out, grants).await,
        Cli::Serve(options) => serve::serve(host.clone(), out, options).await,
        Cli::Backup { list: true, .. } => data::backups(host, out).await,
        Cli::Backup { folder, .. } => data::backup(host, out, folder.as_deref()).await,
        Cli::Restore(restore) => restoring::restore(host, out, restore).await,
        Cli::Profiles(profiles) => profiles::command(host, out, profiles).await,
        Cli::Settings(settings) => settings::command(host, out, settings).await,
        Cli::Recover(recover) => recovering::recover(host, out, recover).await,
        Cli::Verify { rebuild } => data::verify(host, out, *rebuild).await,
        Cli::Diagnostics { file } => data::diagnostics(host, out, file.as_deref()).await,
        Cli::Secrets(secrets) => secrets::command(host, out, secrets).await,
        Cli::Update { what } => update::command(host, out, *what).await,
        Cli::Models(models) => models::command(host, out, models).await,
        other => simple::command(host, out, other).await,
    }
}
