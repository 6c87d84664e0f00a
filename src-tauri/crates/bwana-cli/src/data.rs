//! Commands about the data as a whole: backup, restore, verify.

use std::path::{Path, PathBuf};

use bwana_api::command::{Backup, Rebuild, Verify};
use bwana_api::data::{self, BackupRequest, VerifyReport};
use bwana_api::definitions::Nothing;
use bwana_api::{App, Caller, Ctx, HostOptions, Mode};
use bwana_types::error::{ApiError, ExitCode as Ends};

use crate::door::once;
use crate::out::{Out, typed};
use crate::stage::visible;

pub(crate) async fn backup(
    host: &HostOptions,
    out: &Out,
    folder: Option<&Path>,
) -> Result<Ends, ApiError> {
    let to = folder.map(absolute);
    let report = once::<Backup>(host, BackupRequest { to }).await?;
    out.json(&report);
    out.line(&format!(
        "Backed up to {}: runs {}, files {}, bytes {}",
        report.path, report.runs, report.files, report.bytes
    ));
    out.line(&out.dim(&format!(
        "Bring it back with `bwana restore {}`.",
        report.path
    )));
    Ok(Ends::Done)
}

pub(crate) fn restore(host: &HostOptions, out: &Out, folder: &Path) -> Result<Ends, ApiError> {
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

pub(crate) async fn verify(host: &HostOptions, out: &Out, rebuild: bool) -> Result<Ends, ApiError> {
    if rebuild {
        let report = once::<Rebuild>(host, Nothing {}).await?;
        out.json(&typed("rebuilt", &report));
        out.line(&format!(
            "Lists and sums of {} runs were computed anew.",
            report.runs
        ));
        for run in &report.left_alone {
            out.line(&out.warn(&format!("left alone: {}", visible(run))));
        }
    }
    let app = App::open(host.clone(), Mode::Read)?;
    let report = app
        .call::<Verify>(Ctx::quiet(Caller::LocalCli), Nothing {})
        .await?;
    out.json(&typed("verified", &report));
    verified(out, &report);
    Ok(data::code_of(&report).map_or(Ends::Done, bwana_types::error::ErrorCode::exit_code))
}

fn verified(out: &Out, report: &VerifyReport) {
    let looked = format!(
        "{} runs, {} entries, {} contents",
        report.runs, report.entries, report.blobs
    );
    if report.sound {
        out.line(&format!("{} {looked}", out.good("sound:")));
        return;
    }
    out.line(&format!("{} {looked}", out.warn("damaged:")));
    for problem in &report.problems {
        out.line(&format!("  - {}: {}", problem.kind, visible(&problem.what)));
    }
    let hint = if report.can_rebuild {
        "What is called a projection is put right by `bwana verify --rebuild`; for the rest restore a backup."
    } else {
        "Restore the newest backup with `bwana restore`; what is not damaged can still be read and exported."
    };
    out.line(hint);
}

/// The owner may work in another folder than this process.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
