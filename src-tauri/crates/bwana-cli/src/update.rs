//! Commands about newer versions of the program.

use bwana_api::care::BackupShown;
use bwana_api::command::{UpdatesCheck, UpdatesDownload, UpdatesInstall, UpdatesShow};
use bwana_api::definitions::Nothing;
use bwana_api::updates::{
    InstallBy, InstallRequest, InstallShown, NewerShown, PreviousShown, UpdatesShown,
};
use bwana_api::{Command, Event, Events, HostOptions};
use bwana_types::error::{ApiError, ExitCode as Ends};

use crate::args::Update;
use crate::door::{Door, once};
use crate::models::pull::{bar, progress};
use crate::models::size;
use crate::out::Out;
use crate::signals::Signals;

pub(crate) async fn command(
    host: &HostOptions,
    out: &Out,
    what: Option<Update>,
) -> Result<Ends, ApiError> {
    let shown = match what {
        None => once::<UpdatesShow>(host, Nothing {}).await?,
        Some(Update::Check) => once::<UpdatesCheck>(host, Nothing {}).await?,
        Some(Update::Download) => {
            let door = Door::reader(host)?;
            let Some(shown) = telling::<UpdatesDownload>(&door, out, Nothing {}).await? else {
                out.aside(
                    "Stopped. What was fetched is kept; the same command goes on from there.",
                );
                return Ok(Ends::Cancelled);
            };
            shown
        }
        Some(Update::Install { wait, back }) => {
            return install(host, out, InstallRequest { wait, back }).await;
        }
    };
    out.json(&shown);
    words(&shown).iter().for_each(|line| out.line(line));
    Ok(Ends::Done)
}

/// A command that tells how far it is; `None`: a person stopped it.
async fn telling<C: Command>(
    door: &Door,
    out: &Out,
    request: C::Request,
) -> Result<Option<C::Response>, ApiError> {
    let (events, mut heard) = Events::channel();
    let mut answer = Box::pin(door.call_telling::<C>(request, events));
    let mut signals = Signals::listen()?;
    let bar = bar(out);
    let mut told = 0;
    let mut stage_before = String::new();
    let answer = loop {
        tokio::select! {
            biased;
            _ = signals.next() => break None,
            Some(event) = heard.recv() => match stage_words(&event) {
                Some(words) if words == stage_before => {}
                Some(words) => {
                    out.aside(&words);
                    stage_before = words;
                }
                None => progress(out, bar.as_ref(), &mut told, &event),
            },
            answered = &mut answer => break Some(answered),
        }
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    answer.transpose()
}

/// What an event says besides bytes.
fn stage_words(event: &Event) -> Option<String> {
    let Event::Progress { stage, total, .. } = event else {
        return None;
    };
    Some(match (stage.as_deref(), total) {
        (Some("waiting"), Some(1)) => String::from("Waiting for a run to end."),
        (Some("waiting"), runs) => format!("Waiting for {} runs to end.", runs.unwrap_or_default()),
        (Some("backing_up"), _) => String::from("Making a backup."),
        (Some("installing"), _) => {
            String::from("Giving it to the system, which may ask for your password.")
        }
        _ => return None,
    })
}

async fn install(host: &HostOptions, out: &Out, request: InstallRequest) -> Result<Ends, ApiError> {
    let door = Door::owner(host).await?;
    let done = telling::<UpdatesInstall>(&door, out, request).await;
    if let Door::Here(app) = &door {
        app.close().await?;
    }
    let Some(shown) = done? else {
        out.aside("Stopped; nothing more is done from here.");
        return Ok(Ends::Cancelled);
    };
    out.json(&shown);
    install_words(&shown).iter().for_each(|line| out.line(line));
    Ok(if shown.is_done {
        Ends::Done
    } else {
        Ends::WaitingForPerson
    })
}

fn install_words(shown: &InstallShown) -> Vec<String> {
    let backup = format!("Backup: {}", shown.backup);
    if shown.is_done {
        return vec![
            format!(
                "Version {} is installed. Start Bwana again to use it.",
                shown.version
            ),
            backup,
        ];
    }
    let next = match &shown.command {
        Some(command) => format!("Install version {} with: {command}", shown.version),
        None => format!(
            "Install version {} by opening {}",
            shown.version, shown.file
        ),
    };
    vec![backup, next]
}

/// What there is to say, a line each.
fn words(shown: &UpdatesShown) -> Vec<String> {
    let mut lines = vec![format!("This is version {}.", shown.version)];
    if let Some(installed) = &shown.installed {
        lines.push(format!(
            "Version {installed} is installed. Start Bwana again to use it."
        ));
    }
    match (&shown.source, &shown.newer, shown.checked_at) {
        (None, _, _) => lines.push(String::from(
            "It was built without a source of new versions: install one over this, from where you got it.",
        )),
        (Some(_), Some(newer), _) => newer_words(&mut lines, newer, shown.runs),
        (Some(host), None, Some(at)) => {
            lines.push(format!("{host} knew of nothing newer at {}.", at.0));
        }
        (Some(host), None, None) => lines.push(format!(
            "{host} was not asked for a newer one yet: `bwana update check`."
        )),
    }
    if let Some(previous) = &shown.previous {
        previous_words(&mut lines, previous, shown.backup.as_ref());
    }
    lines
}

fn previous_words(lines: &mut Vec<String>, previous: &PreviousShown, backup: Option<&BackupShown>) {
    lines.push(format!("The way back to version {}:", previous.version));
    if previous.install == InstallBy::System && !previous.needs_backup {
        lines.push(String::from("  bwana update install --back"));
        return;
    }
    let command = previous.command.as_deref();
    lines.push(format!("  {}", command.unwrap_or(&previous.file)));
    if previous.needs_backup {
        lines.push(String::from("  It needs the data as it was then:"));
        lines.extend(backup.map(|backup| format!("  bwana restore {}", backup.path)));
    }
}

fn newer_words(lines: &mut Vec<String>, newer: &NewerShown, runs: usize) {
    lines.push(format!(
        "Version {} is there, released {}.",
        newer.version, newer.released.0
    ));
    lines.extend(newer.notes.lines().map(|line| format!("  {line}")));
    if newer.changes_data {
        lines.push(String::from(
            "It changes the form of the data; an older version does not open it then.",
        ));
    }
    lines.push(match newer.bytes {
        None => String::from("It comes without a package for this system."),
        Some(bytes) if newer.is_fetched => {
            format!("It is fetched ({}): `bwana update install`.", size(bytes))
        }
        Some(bytes) if newer.bytes_here > 0 => format!(
            "{} of {} are fetched: `bwana update download` goes on.",
            size(newer.bytes_here),
            size(bytes)
        ),
        Some(bytes) => format!("Fetch it with `bwana update download` ({}).", size(bytes)),
    });
    if newer.is_fetched && runs > 0 {
        lines.push(format!("Runs under way, which it waits for: {runs}."));
    }
}

#[cfg(test)]
mod tests {
    use bwana_api::Time;
    use bwana_api::care::BackupReason;
    use bwana_types::time::Timestamp;

    use super::*;

    fn shown() -> UpdatesShown {
        UpdatesShown {
            version: "0.1.0".into(),
            database_format: 3,
            source: Some("example.org".into()),
            checked_at: Some(Time(Timestamp(1_764_072_000_000))),
            newer: None,
            installed: None,
            runs: 0,
            previous: None,
            backup: None,
        }
    }

    fn newer() -> NewerShown {
        NewerShown {
            version: "0.2.0".into(),
            released: Time(Timestamp(1_764_072_000_000)),
            notes: "Faster.\nCalmer.".into(),
            bytes: Some(20_000_000),
            bytes_here: 0,
            is_fetched: false,
            changes_data: false,
            install: InstallBy::System,
            file: None,
            command: None,
        }
    }

    #[track_caller]
    fn check(shown: &UpdatesShown, want: &[&str]) {
        assert_eq!(words(shown), want);
    }

    #[test]
    fn a_program_without_a_source_says_how_new_ones_come() {
        let none = UpdatesShown {
            source: None,
            checked_at: None,
            ..shown()
        };
        check(
            &none,
            &[
                "This is version 0.1.0.",
                "It was built without a source of new versions: install one over this, from where you got it.",
            ],
        );
    }

    #[test]
    fn what_is_known_is_said_with_what_to_do_next() {
        check(
            &shown(),
            &[
                "This is version 0.1.0.",
                "example.org knew of nothing newer at 2025-11-25T12:00:00.000Z.",
            ],
        );
        let offered = UpdatesShown {
            newer: Some(newer()),
            ..shown()
        };
        check(
            &offered,
            &[
                "This is version 0.1.0.",
                "Version 0.2.0 is there, released 2025-11-25T12:00:00.000Z.",
                "  Faster.",
                "  Calmer.",
                "Fetch it with `bwana update download` (20 MB).",
            ],
        );
        let fetched = NewerShown {
            is_fetched: true,
            changes_data: true,
            ..newer()
        };
        let fetched = UpdatesShown {
            newer: Some(fetched),
            runs: 2,
            ..shown()
        };
        assert_eq!(
            words(&fetched)[4..],
            [
                "It changes the form of the data; an older version does not open it then.",
                "It is fetched (20 MB): `bwana update install`.",
                "Runs under way, which it waits for: 2.",
            ]
        );
    }

    #[test]
    fn the_way_back_is_one_command_unless_the_data_is_too_new_for_it() {
        let previous = PreviousShown {
            version: "0.0.9".into(),
            file: "/data/x.deb".into(),
            install: InstallBy::System,
            command: Some("sudo apt-get install --allow-downgrades /data/x.deb".into()),
            needs_backup: false,
        };
        let with = |previous: PreviousShown| UpdatesShown {
            previous: Some(previous),
            backup: Some(BackupShown {
                path: "/data/b".into(),
                made_at: Time(Timestamp(0)),
                why: BackupReason::BeforeUpdate,
                bytes: None,
            }),
            ..shown()
        };
        assert_eq!(
            words(&with(previous.clone()))[2..],
            [
                "The way back to version 0.0.9:",
                "  bwana update install --back"
            ]
        );
        let old = PreviousShown {
            needs_backup: true,
            ..previous
        };
        assert_eq!(
            words(&with(old))[3..],
            [
                "  sudo apt-get install --allow-downgrades /data/x.deb",
                "  It needs the data as it was then:",
                "  bwana restore /data/b",
            ]
        );
    }

    #[test]
    fn an_installation_by_hand_says_the_command() {
        let by_hand = InstallShown {
            version: "0.2.0".into(),
            is_done: false,
            backup: "/data/b".into(),
            file: "/data/x.deb".into(),
            command: Some("sudo apt-get install --yes /data/x.deb".into()),
        };
        assert_eq!(
            install_words(&by_hand),
            [
                "Backup: /data/b",
                "Install version 0.2.0 with: sudo apt-get install --yes /data/x.deb",
            ]
        );
        let file = InstallShown {
            command: None,
            ..by_hand
        };
        assert_eq!(
            install_words(&file)[1],
            "Install version 0.2.0 by opening /data/x.deb"
        );
    }
}
