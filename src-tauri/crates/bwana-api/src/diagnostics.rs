//! What a person may hand to somebody who helps: versions, settings, findings, counts, and the last lines of the logs. It
//! is shown line by line first, cleaned by the one redactor, and saved where the person says; nothing sends it. Texts of
//! runs, agents and notes are not in it at all.

use std::path::Path;

use bwana_store::{DATABASE_FORMAT, Health};
use bwana_types::error::ApiError;
use bwana_types::redact::Redactor;
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::{App, time_zone};
use crate::command::Ctx;
use crate::crash::CRASH_LOG;
use crate::definitions::Nothing;
use crate::doctor::{Finding, doctor};
use crate::logs::{TailRequest, tail};
use crate::{about, settings};

/// Lines of the program's own log.
const LOG_LINES: usize = 300;
/// Lines of what was written down about panics.
const CRASH_LINES: usize = 120;
/// Of a line; what is longer is cut, and says so.
const LINE_MAX_CHARS: usize = 1_000;
/// A home folder of fewer bytes is no person's.
const HOME_MIN_BYTES: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiagnosticsShown {
    /// What the file would be called.
    pub name: String,
    /// What would stand in it, in this order: every line.
    pub parts: Vec<DiagnosticsPart>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiagnosticsPart {
    /// `program`, `settings`, `findings`, `data`, `log` or `crashes`.
    pub name: String,
    pub lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiagnosticsText {
    /// What the file is called.
    pub name: String,
    pub text: String,
}

pub(crate) async fn preview(app: &App, ctx: Ctx, _: Nothing) -> Result<DiagnosticsShown, ApiError> {
    let findings = doctor(app, ctx.clone(), Nothing {}).await?.findings;
    let log = tail(app, ctx.clone(), TailRequest { lines: LOG_LINES }).await?;
    let shown = settings::show(app, ctx, Nothing {}).await?;
    let parts = [
        ("program", program(app)),
        ("settings", settings_of(app, &shown)),
        ("findings", findings.iter().map(finding).collect()),
        ("data", data(app)?),
        ("log", log.lines),
        ("crashes", crashes(app)),
    ];
    let clean = Clean::of(app);
    let day = app.clock().now().day_in(&time_zone(&app.settings()));
    let part = |(name, lines): (&str, Vec<String>)| DiagnosticsPart {
        name: name.to_owned(),
        lines: lines.iter().map(|line| clean.line(line)).collect(),
    };
    Ok(DiagnosticsShown {
        name: format!("bwana-diagnostics-{day}.txt"),
        parts: parts.into_iter().map(part).collect(),
    })
}

pub(crate) async fn save(app: &App, ctx: Ctx, _: Nothing) -> Result<DiagnosticsText, ApiError> {
    let DiagnosticsShown { name, parts } = preview(app, ctx, Nothing {}).await?;
    Ok(DiagnosticsText {
        name,
        text: text(&parts),
    })
}

/// As one file, for reading.
fn text(parts: &[DiagnosticsPart]) -> String {
    let one = |part: &DiagnosticsPart| {
        let lines: String = part.lines.iter().map(|line| format!("{line}\n")).collect();
        format!("== {}\n{lines}", part.name)
    };
    parts.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn program(app: &App) -> Vec<String> {
    vec![
        format!("bwana {}", env!("CARGO_PKG_VERSION")),
        format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        format!("data folder {}", app.home().display()),
        format!("opened as {:?}", app.mode()),
    ]
}

/// What a window shows of them, and of providers what says how they are reached.
fn settings_of(app: &App, shown: &settings::SettingsShown) -> Vec<String> {
    let set = shown
        .settings
        .iter()
        .filter(|one| one.value != Value::Null && one.value != one.default);
    let mut lines: Vec<String> = set
        .map(|one| format!("{} = {}", one.key, one.value))
        .collect();
    let held = app.settings();
    lines.extend(held.providers.iter().map(|one| {
        let key = one
            .key
            .as_ref()
            .map_or(String::from("none"), ToString::to_string);
        let model = one.model.as_deref().unwrap_or("none");
        format!(
            "provider {}: {:?} at {}, model {model}, key {key}",
            one.name,
            one.kind,
            origin(&one.base_url)
        )
    }));
    if lines.is_empty() {
        lines.push(String::from("all at their defaults"));
    }
    lines
}

fn finding(finding: &Finding) -> String {
    let mut words = vec![format!("{:?} {}", finding.status, finding.id)];
    words.push(finding.code.clone());
    let params = finding.params.iter();
    words.extend(params.map(|(name, value)| format!("{name}={value}")));
    words.push(finding.message.clone());
    words.push(finding.hint.clone());
    words.retain(|word| !word.is_empty());
    words.join("; ")
}

fn data(app: &App) -> Result<Vec<String>, ApiError> {
    let mut lines = vec![format!("database format {DATABASE_FORMAT}")];
    let Some(store) = app.maybe_store() else {
        lines.push(String::from("nothing was stored yet"));
        return Ok(lines);
    };
    if let Some(bytes) = about::database_bytes(app.home()) {
        lines.push(format!("database bytes {bytes}"));
    }
    if let Health::Damaged(what) = store.health() {
        lines.push(format!("damaged: {what}"));
    }
    let counts = store.run_counts()?.into_iter();
    lines.extend(counts.map(|(status, runs)| format!("runs {}: {runs}", status.as_str())));
    lines.push(format!("backups {}", store.rolling_backups()?.len()));
    Ok(lines)
}

/// The newest of what was written down, still as it is.
fn crashes(app: &App) -> Vec<String> {
    let Ok(bytes) = std::fs::read(app.home().join(CRASH_LOG)) else {
        return Vec::new();
    };
    // Cleaned as a whole: half a secret has no shape any more.
    let kept = String::from_utf8_lossy(&bytes);
    let kept = app.secrets().redactor().text(&kept).into_owned();
    let lines: Vec<&str> = kept.lines().collect();
    let newest = lines.len().saturating_sub(CRASH_LINES);
    lines[newest..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

/// Scheme, host and port: what is behind them may be a key, and so may be what stands in front of the host.
fn origin(address: &str) -> String {
    Url::parse(address).map_or_else(
        |_| String::from("no address"),
        |url| url.origin().ascii_serialization(),
    )
}

/// Takes out of a line what is nobody's business.
struct Clean {
    redactor: Redactor,
    /// What is written otherwise, the longest first.
    instead: Vec<(String, String)>,
}

impl Clean {
    fn of(app: &App) -> Self {
        let settings = app.settings();
        let addresses = settings.providers.iter();
        let instead = addresses.map(|one| (one.base_url.clone(), origin(&one.base_url)));
        Self::new(
            app.secrets().redactor().clone(),
            instead.collect(),
            std::env::home_dir().as_deref(),
        )
    }

    fn new(redactor: Redactor, mut instead: Vec<(String, String)>, person: Option<&Path>) -> Self {
        // The name of a person's folder is most often the person's.
        let person = person.map(|folder| folder.display().to_string());
        instead.extend(person.map(|folder| (folder, String::from("~"))));
        instead.retain(|(from, _)| from.len() >= HOME_MIN_BYTES);
        instead.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        Self { redactor, instead }
    }

    fn line(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (from, to) in &self.instead {
            line = line.replace(from, to);
        }
        // Cleaned before it is cut.
        let line = self.redactor.text(&line).replace(['\n', '\r'], " ");
        match line.char_indices().nth(LINE_MAX_CHARS) {
            Some((at, _)) => format!("{}… (cut)", &line[..at]),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_a_key() {
        assert_eq!(
            origin("https://me:hidden@api.example.com:8443/v1/hidden?key=hidden"),
            "https://api.example.com:8443"
        );
        assert_eq!(origin("hidden"), "no address");
    }

    #[test]
    fn a_line_loses_the_persons_name_and_addresses_and_its_far_end() {
        let instead = vec![(
            String::from("https://h.example/hidden"),
            String::from("https://h.example"),
        )];
        let clean = Clean::new(Redactor::new(), instead, Some(Path::new("/home/asha")));
        assert_eq!(
            clean.line("/home/asha/data calls https://h.example/hidden/v1\nnow"),
            "~/data calls https://h.example/v1 now"
        );
        let long = clean.line(&"é".repeat(LINE_MAX_CHARS + 1));
        assert!(long.ends_with("é… (cut)"), "{long}");
        let root = Clean::new(Redactor::new(), Vec::new(), Some(Path::new("/")));
        assert_eq!(root.line("/data"), "/data");
    }

    #[test]
    fn a_file_names_its_parts() {
        let part = |name: &str, lines: &[&str]| DiagnosticsPart {
            name: name.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let parts = [part("program", &["bwana 1", "linux"]), part("log", &[])];
        assert_eq!(text(&parts), "== program\nbwana 1\nlinux\n\n== log\n");
    }
}
