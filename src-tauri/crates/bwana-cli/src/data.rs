//! Commands about the data as a whole: backup, verify, and what is said about it to others.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use bwana_api::command::{Backup, BackupList, DiagnosticsSave, Rebuild, Verify};
use bwana_api::data::{self, BackupRequest, VerifyReport};
use bwana_api::definitions::Nothing;
use bwana_api::{App, Caller, Ctx, HostOptions, Mode};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};

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

pub(crate) async fn backups(host: &HostOptions, out: &Out) -> Result<Ends, ApiError> {
    let list = once::<BackupList>(host, Nothing {}).await?;
    out.json(&list);
    for backup in &list.rolling {
        out.line(&format!("{}  {}", backup.made_at.0, backup.path));
    }
    out.line(&out.dim(if list.rolling.is_empty() {
        "None yet. The app and `bwana serve` make one every hour in which something changed."
    } else {
        "Bring one back with `bwana restore FOLDER`."
    }));
    Ok(Ends::Done)
}

/// Prints it, or writes it where the person says; a file that is there stays as it is.
pub(crate) async fn diagnostics(
    host: &HostOptions,
    out: &Out,
    file: Option<&Path>,
) -> Result<Ends, ApiError> {
    let made = once::<DiagnosticsSave>(host, Nothing {}).await?;
    let Some(file) = file.map(absolute) else {
        out.json(&made);
        if !out.is_json() {
            // Log lines may carry what moves a terminal's cursor.
            out.text(&visible(&made.text));
        }
        return Ok(Ends::Done);
    };
    let path = file.display().to_string();
    write_new(&file, made.text.as_bytes()).map_err(|error| {
        ApiError::new(
            ErrorCode::UsageInvalid,
            format!("{path} cannot be written: {error}"),
        )
        .with_hint("Name a file that does not exist yet, in a folder you may write.")
    })?;
    out.json(&serde_json::json!({"path": path, "bytes": made.text.len()}));
    out.line(&format!(
        "Written to {path}. Read it before you hand it on."
    ));
    Ok(Ends::Done)
}

fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // For its owner; whom it is shown to, the owner says.
        options.mode(0o600);
    }
    options.open(path)?.write_all(content)
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
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
