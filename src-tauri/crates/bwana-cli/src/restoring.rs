//! `bwana restore`: a backup in the place of the data, beside it, or looked at; and the way back.

use std::path::Path;

use bwana_api::command::{BackupPreview, BackupRestore, BackupUndo};
use bwana_api::data;
use bwana_api::restoring::{
    BackupRef, BackupRestoreRequest, BackupUndoRequest, LeftOut, PreviewProblem, RestoreHow,
};
use bwana_api::{HostOptions, Mode};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};

use crate::args::Restore;
use crate::data::absolute;
use crate::door::{self, Door, once};
use crate::out::{Out, typed};
use crate::sentence::short;
use crate::stage::visible;

pub(crate) async fn restore(
    host: &HostOptions,
    out: &Out,
    args: &Restore,
) -> Result<Ends, ApiError> {
    match &args.folder {
        None => undo(host, out, args.preview).await,
        Some(folder) if args.preview => preview(host, out, folder).await,
        Some(folder) if args.merge => merge(host, out, folder).await,
        Some(folder) => replace(host, out, folder),
    }
}

fn replace(host: &HostOptions, out: &Out, folder: &Path) -> Result<Ends, ApiError> {
    let report = data::restore(host, &absolute(folder))?;
    out.json(&report);
    out.line(&format!(
        "Restored {} runs as they were at {}. Unfinished ones stand still until you resume them.",
        report.runs, report.made_at
    ));
    for path in &report.replaced {
        out.line(&out.dim(&format!("what was there before: {path}")));
    }
    Ok(Ends::Done)
}

async fn preview(host: &HostOptions, out: &Out, folder: &Path) -> Result<Ends, ApiError> {
    let path = absolute(folder);
    let found = once::<BackupPreview>(host, BackupRef { path }).await?;
    out.json(&typed("preview", &found));
    let program = match found.program.as_str() {
        "" => String::new(),
        version => format!(" by bwana {version}"),
    };
    out.line(&format!(
        "Made at {}{program}: {} runs, {} entries, {} files, {} bytes.",
        visible(&found.made_at),
        found.runs,
        found.entries,
        found.files,
        found.bytes
    ));
    if let Some(PreviewProblem { code, what }) = &found.problem {
        out.line(&format!("{} {}", out.warn("not usable:"), visible(what)));
        let is_newer = code == ErrorCode::StoreNewer.as_str();
        let code = if is_newer {
            ErrorCode::StoreNewer
        } else {
            ErrorCode::BackupInvalid
        };
        return Ok(code.exit_code());
    }
    for (runs, words) in [
        (found.new, "are not here"),
        (found.equal, "are here just so"),
        (found.behind, "went further here"),
        (found.ahead, "went further there"),
        (found.conflict, "went another way there"),
    ] {
        out.line(&format!("{runs:>8} {words}"));
    }
    Ok(Ends::Done)
}

async fn merge(host: &HostOptions, out: &Out, folder: &Path) -> Result<Ends, ApiError> {
    let request = BackupRestoreRequest {
        path: absolute(folder),
        how: RestoreHow::Merge,
        profile: None,
    };
    let done = once::<BackupRestore>(host, request).await?;
    out.json(&typed("merged", &done));
    out.line(&format!(
        "Took in {} runs, and {} went on. Unfinished ones stand still until you resume them.",
        done.added, done.continued
    ));
    for left in &done.left_out {
        let why = match left.reason {
            LeftOut::Conflict => "it went another way here",
            LeftOut::Running => "it is being worked on here",
            LeftOut::Moved => "it went on here meanwhile",
            LeftOut::FilesDiffer => "a file of yours stands in the place of one of its files",
            LeftOut::ParentMissing => "it is a fork of a run that is not here",
            LeftOut::Unreadable => "it cannot be read",
        };
        let id = short(&left.run.to_string());
        out.line(&out.warn(&format!("left out {id}: {why} {}", visible(&left.what))));
    }
    if let Some(until) = done.undo_until {
        let until = until.0.to_rfc3339();
        out.line(&out.dim(&format!(
            "`bwana restore --undo` takes it back, until {until}."
        )));
    }
    Ok(Ends::Done)
}

async fn undo(host: &HostOptions, out: &Out, preview: bool) -> Result<Ends, ApiError> {
    let door = Door::owner(host).await?;
    let answer = door.call::<BackupUndo>(BackupUndoRequest { preview }).await;
    let closed = door.close().await;
    let answer = answer?;
    closed?;
    out.json(&typed("undo", &answer));
    let since = format!(
        "{} runs and {} entries that came since {}, with what they cost; settings, agents and workflows are again as they \
         were then",
        answer.runs_lost,
        answer.entries_lost,
        answer.made_at.0.to_rfc3339()
    );
    if preview {
        out.line(&format!("Would take away {since}."));
        return Ok(Ends::Done);
    }
    match door {
        Door::Here(_) => {
            // The next owner finishes what was prepared.
            door::open_owned(host, Mode::Drive).await?.close().await?;
            out.line(&format!("Brought back what was there before. Taken away: {since}."));
        }
        Door::Owner(_) => out.line(&format!(
            "Prepared. End the program that works on this data and start it again; it takes away {since}."
        )),
    }
    out.line(&out.dim("What is taken away is kept in the data folder, as `*.replaced-N`."));
    Ok(Ends::Done)
}
