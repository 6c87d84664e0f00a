//! Fetching a model: what would be fetched is said, a person agrees once, and how far it is shows until it is here.

use bwana_api::command::{ModelsList, ModelsPull};
use bwana_api::definitions::Nothing;
use bwana_api::models::{ModelShown, ModelStatus, PullRequest};
use bwana_api::{Event, Events, HostOptions};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use indicatif::{ProgressBar, ProgressStyle};

use super::{FIRST_USE, line, obstacles, size};
use crate::door::{Door, once};
use crate::out::Out;
use crate::signals::Signals;

/// Says what would be fetched, asks once, and shows how far it is.
pub(super) async fn pull(
    host: &HostOptions,
    out: &Out,
    id: Option<String>,
    yes: bool,
) -> Result<Ends, ApiError> {
    let list = once::<ModelsList>(host, Nothing {}).await?;
    let wanted = list.models.iter().find(|model| match &id {
        Some(id) => model.id == *id || model.purpose.as_deref() == Some(id),
        None => model.purpose.as_deref() == Some("starter"),
    });
    if let Some(model) = wanted {
        offer(out, model);
    }
    if !yes && !agreed(out)? {
        return Ok(Ends::Cancelled);
    }
    let door = Door::reader(host)?;
    let (events, mut heard) = Events::channel();
    let mut pulling = Box::pin(door.call_telling::<ModelsPull>(PullRequest { id }, events));
    let mut signals = Signals::listen()?;
    let bar = bar(out);
    let mut told = 0;
    let shown = loop {
        tokio::select! {
            biased;
            _ = signals.next() => break None,
            Some(event) = heard.recv() => progress(out, bar.as_ref(), &mut told, &event),
            pulled = &mut pulling => break Some(pulled?),
        }
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let Some(shown) = shown else {
        out.aside("Stopped. What was fetched is kept; the same command goes on from there.");
        return Ok(Ends::Cancelled);
    };
    line(out, &shown, "is here");
    if let (Some("first_use"), Some(sha256)) = (shown.trust.as_deref(), &shown.sha256) {
        out.line(&out.dim(&format!("sha256 {sha256}, recorded on first use")));
    }
    Ok(Ends::Done)
}

/// Everything a person needs to know before saying yes.
fn offer(out: &Out, model: &ModelShown) {
    let licence = model.licence.as_deref().unwrap_or("unknown licence");
    let by = model.publisher.as_deref().unwrap_or("an unknown publisher");
    out.line(&format!(
        "{} by {by}: {}, licence {licence}",
        model.title,
        size(model.size_bytes)
    ));
    if model.status == ModelStatus::Installed {
        out.line(
            &out.dim("It is here already; it is checked, and fetched again only if it is damaged."),
        );
    }
    if let Some(bytes) = model.partial_bytes {
        out.line(&out.dim(&format!(
            "{} of it are here already; the rest is fetched.",
            size(bytes)
        )));
    }
    if model.sha256.is_none() {
        out.line(&out.dim(&format!("Note: {FIRST_USE}.")));
    }
    obstacles(out, model);
}

fn agreed(out: &Out) -> Result<bool, ApiError> {
    if !out.can_ask() {
        let message = "nothing is downloaded without a yes";
        return Err(ApiError::new(ErrorCode::UsageInvalid, message).with_hint("Say it with --yes."));
    }
    out.text("Download it? [y/N] ");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| {
        ApiError::new(
            ErrorCode::UsageInvalid,
            format!("the answer cannot be read: {error}"),
        )
    })?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

pub(crate) fn bar(out: &Out) -> Option<ProgressBar> {
    if !out.draws() {
        return None;
    }
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {msg}");
    Some(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
}

/// A bar on a terminal; elsewhere a line for every tenth; for scripts the event itself.
pub(crate) fn progress(out: &Out, bar: Option<&ProgressBar>, told: &mut u64, event: &Event) {
    let Event::Progress {
        what,
        stage,
        done,
        total,
        bytes_per_s,
        seconds_left,
    } = event
    else {
        return;
    };
    let words = progress_words(stage.as_deref(), *bytes_per_s, *seconds_left);
    if let Some(bar) = bar {
        bar.set_length(total.unwrap_or(*done));
        bar.set_position(*done);
        bar.set_message(words);
        return;
    }
    let tenth = total
        .filter(|total| *total > 0)
        .map_or(0, |total| done.saturating_mul(10) / total);
    if tenth > *told {
        *told = tenth;
        out.line(&format!("{what}: {} %, {words}", tenth * 10));
    }
}

fn progress_words(stage: Option<&str>, bytes_per_s: Option<u64>, left_s: Option<u64>) -> String {
    let stage = match stage {
        Some("checking") => "checking",
        Some("fetching_package") => "fetching the package",
        Some("unpacking") => "unpacking",
        Some("copying") => "copying",
        _ => "downloading",
    };
    let speed = bytes_per_s
        .filter(|speed| *speed > 0)
        .map(|speed| format!(", {}/s", size(speed)))
        .unwrap_or_default();
    let left = match left_s {
        None | Some(0) => String::new(),
        Some(seconds @ 1..60) => format!(", {seconds} s left"),
        Some(seconds @ 60..3_600) => format!(", {} min left", seconds.div_ceil(60)),
        Some(seconds) => format!(", {} h {} min left", seconds / 3_600, seconds % 3_600 / 60),
    };
    format!("{stage}{speed}{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_said_in_words_people_use() {
        let check = |stage, speed, left, want: &str| {
            assert_eq!(progress_words(Some(stage), speed, left), want);
        };
        check("downloading", None, None, "downloading");
        check(
            "downloading",
            Some(2_500_000),
            Some(59),
            "downloading, 2 MB/s, 59 s left",
        );
        check(
            "downloading",
            Some(90_000),
            Some(61),
            "downloading, 90 kB/s, 2 min left",
        );
        check(
            "checking",
            Some(900),
            Some(7_260),
            "checking, 1 kB/s, 2 h 1 min left",
        );
        check("fetching_package", Some(0), None, "fetching the package");
    }
}
