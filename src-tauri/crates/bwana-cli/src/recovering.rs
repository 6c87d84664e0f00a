//! `bwana recover`: what can be brought back of a damaged database, and bringing it back.

use bwana_api::command::{RecoverLook, RecoverRun};
use bwana_api::definitions::Nothing;
use bwana_api::recovering::{GoodBackupShown, RecoverRequest, RecoverSource};
use bwana_api::{App, Caller, Ctx, HostOptions, Mode};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};

use crate::args::{Recover, RecoverFrom};
use crate::out::{Out, typed};
use crate::sentence::short;
use crate::stage::visible;

pub(crate) async fn recover(
    host: &HostOptions,
    out: &Out,
    args: &Recover,
) -> Result<Ends, ApiError> {
    let app = App::open(host.clone(), Mode::Repair)?;
    let ctx = Ctx::quiet(Caller::LocalCli);
    if args.look {
        return look(&app, ctx, out).await;
    }
    let from = match args.from {
        RecoverFrom::Backup => RecoverSource::Backup,
        RecoverFrom::Salvage => RecoverSource::Salvage,
    };
    let done = app.call::<RecoverRun>(ctx, RecoverRequest { from }).await?;
    out.json(&typed("recovered", &done));
    match &done.good {
        Some(good) => out.line(&format!(
            "Began with the backup of {}.",
            visible(&good.made_at)
        )),
        None => out.line("There is no backup to begin with."),
    }
    out.line(&format!(
        "Brought back {} runs with {} entries; of {} runs something was read from the damaged database.",
        done.runs, done.entries, done.salvaged_runs
    ));
    for left in &done.left_out {
        let id = short(&left.run.to_string());
        out.line(&out.warn(&format!("left out {id}: {}", visible(&left.what))));
    }
    for path in &done.set_aside {
        out.line(&out.dim(&format!("set aside: {path}")));
    }
    out.line("Unfinished runs stand still until you resume them.");
    Ok(Ends::Done)
}

async fn look(app: &App, ctx: Ctx, out: &Out) -> Result<Ends, ApiError> {
    let found = app.call::<RecoverLook>(ctx, Nothing {}).await?;
    out.json(&typed("recoverable", &found));
    if !found.is_damaged {
        out.line(&out.good("The database is not damaged."));
        return Ok(Ends::Done);
    }
    out.line(&out.warn(&visible(&found.what)));
    match &found.good {
        Some(GoodBackupShown {
            path,
            made_at,
            runs,
            entries,
        }) => out.line(&format!(
            "The newest backup that is whole is of {}: {runs} runs, {entries} entries, in {path}",
            visible(made_at)
        )),
        None => out.line("No backup in the data folder is whole."),
    }
    out.line(&format!(
        "Of the damaged database {} runs and {} entries can be read.",
        found.readable_runs, found.readable_entries
    ));
    let next = match (&found.good, found.readable_runs) {
        (None, 0) => {
            "There is nothing to bring back here: use a copy kept elsewhere with `bwana restore DIR`."
        }
        _ => "Bring them back with `bwana recover`; the damaged file is kept.",
    };
    out.line(&out.dim(next));
    Ok(ErrorCode::StoreDamaged.exit_code())
}
