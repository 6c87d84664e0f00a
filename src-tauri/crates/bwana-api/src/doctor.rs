//! `doctor`: looks at this machine and at the data folder, and says what is missing and what to do about it. It changes
//! nothing, asks no provider that costs anything, and talks to servers on this machine only.

mod path;
pub(crate) mod servers;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use bwana_config::{LOCAL_PROVIDER, SETTINGS_FILE, load};
use bwana_llm::local::machine::{Machine, recommend};
use bwana_llm::local::speed::{self, Speed};
use bwana_store::Health;
use bwana_types::error::ApiError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::definitions::Nothing;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoctorReport {
    pub findings: Vec<Finding>,
    /// Nothing is broken; warnings do not count.
    pub ok: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What was looked at, like `database`.
    pub id: String,
    pub status: FindingStatus,
    /// What was found, like `provider.state`; its values are in `params`, its words are the host's. Empty: `message`
    /// says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What to do; empty if there is nothing to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    Ok,
    /// Worth knowing.
    Note,
    /// Something will not work as it could.
    Warning,
    /// Something does not work.
    Broken,
}

/// Codes of findings, with the names of their values.
pub const DOCTOR_CODES: &[(&str, &[&str])] = &[
    ("model.step", &["number", "step", "outcome", "value"]),
    (
        "provider.state",
        &[
            "provider",
            "address",
            "model",
            "key",
            "key_at",
            "why",
            "reach",
            "price",
            "price_as_of",
            "first",
        ],
    ),
    ("proxy.none", &[]),
    ("proxy.used", &["variable"]),
    ("server.found", &["preset", "title", "base_url"]),
    ("server.unknown", &["address"]),
];

impl Finding {
    fn new(id: &str, status: FindingStatus, message: impl Into<String>) -> Self {
        Self {
            id: id.to_owned(),
            status,
            code: String::new(),
            params: BTreeMap::new(),
            message: message.into(),
            hint: String::new(),
        }
    }

    fn coded(id: &str, status: FindingStatus, code: &str) -> Self {
        Self {
            code: code.to_owned(),
            ..Self::new(id, status, "")
        }
    }

    fn with(mut self, name: &str, value: impl Display) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    fn of_error(id: &str, status: FindingStatus, error: &ApiError) -> Self {
        Self::new(id, status, error.message.clone()).hint(error.hint.clone())
    }
}

pub(crate) async fn doctor(app: &App, _ctx: Ctx, _: Nothing) -> Result<DoctorReport, ApiError> {
    let mut findings = Vec::new();
    findings.push(program());
    findings.push(home(app.home()));
    findings.extend(database(app));
    findings.extend(settings(app));
    findings.extend(definitions(app).await?);
    findings.extend(path::default_steps(app));
    findings.extend(models(app));
    findings.push(path::proxy());
    findings.extend(path::providers(app).await);
    findings.extend(servers::servers(app).await);
    findings.extend(private_hosts(app));
    let ok = findings
        .iter()
        .all(|finding| finding.status != FindingStatus::Broken);
    Ok(DoctorReport { findings, ok })
}

fn program() -> Finding {
    let message = format!(
        "bwana {} on {} {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    Finding::new("program", FindingStatus::Ok, message)
}

fn home(home: &Path) -> Finding {
    let shown = home.display();
    match std::fs::metadata(home) {
        Ok(meta) if !meta.is_dir() => Finding::new(
            "home",
            FindingStatus::Broken,
            format!("{shown} is no folder"),
        )
        .hint("Name another data folder with --home."),
        Ok(meta) if meta.permissions().readonly() => Finding::new(
            "home",
            FindingStatus::Broken,
            format!("{shown} cannot be written"),
        )
        .hint("Check its permissions, or name another data folder with --home."),
        Ok(_) => Finding::new("home", FindingStatus::Ok, format!("{shown}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Finding::new(
            "home",
            FindingStatus::Note,
            format!("{shown} does not exist yet; the first run makes it"),
        ),
        Err(error) => Finding::new(
            "home",
            FindingStatus::Broken,
            format!("{shown} cannot be read: {error}"),
        )
        .hint("Check its permissions, or name another data folder with --home."),
    }
}

fn database(app: &App) -> Vec<Finding> {
    let Some(store) = app.maybe_store() else {
        return vec![Finding::new(
            "database",
            FindingStatus::Note,
            "nothing was stored yet",
        )];
    };
    let mut found = Vec::new();
    match store.run_counts() {
        Ok(counts) => {
            let runs: u64 = counts.iter().map(|(_, runs)| runs).sum();
            let each: Vec<String> = counts
                .iter()
                .map(|(status, runs)| format!("{runs} {}", status.as_str()))
                .collect();
            let message = if runs == 0 {
                String::from("no runs yet")
            } else {
                format!("{runs} runs: {}", each.join(", "))
            };
            found.push(Finding::new("database", FindingStatus::Ok, message));
        }
        Err(error) => {
            let error = ApiError::from(error);
            found.push(Finding::of_error("database", FindingStatus::Broken, &error));
        }
    }
    if let Health::Damaged(what) = store.health() {
        found.push(
            Finding::new(
                "database",
                FindingStatus::Broken,
                format!("the database is damaged: {what}"),
            )
            .hint("Restore the newest backup with `bwana restore`."),
        );
    }
    for warning in store.warnings() {
        found.push(Finding::new(
            "home",
            FindingStatus::Warning,
            warning.to_string(),
        ));
    }
    found
}

fn settings(app: &App) -> Vec<Finding> {
    let file = app.home().join(SETTINGS_FILE);
    vec![match load(&file) {
        Ok(_) if !file.exists() => {
            Finding::new("settings", FindingStatus::Ok, "all at their defaults")
        }
        Ok(_) => Finding::new("settings", FindingStatus::Ok, file.display().to_string()),
        Err(error) => Finding::of_error("settings", FindingStatus::Broken, &ApiError::from(error)),
    }]
}

async fn definitions(app: &App) -> Result<Vec<Finding>, ApiError> {
    let book = app.book().await?;
    let message = format!(
        "{} agents, {} workflows",
        book.agents.len(),
        book.workflows.len()
    );
    let mut found = vec![Finding::new("definitions", FindingStatus::Ok, message)];
    for problem in book.problems {
        found.push(
            Finding::new(
                "definitions",
                FindingStatus::Warning,
                format!("{}: {}", problem.file, problem.problem),
            )
            .hint("Its last good version stays in force until the file is corrected."),
        );
    }
    Ok(found)
}

/// Whether built-in models can run here, and which fits. `needed`: something depends on it.
fn machine(machine: &Machine, best: Option<&str>, needed: bool) -> Finding {
    if let Err(error) = crate::local::can_run(machine) {
        let status = if needed {
            FindingStatus::Broken
        } else {
            FindingStatus::Note
        };
        return Finding::of_error("machine", status, &error);
    }
    let gigabytes = |bytes: Option<u64>, gigabyte: u64| {
        bytes.map_or_else(
            || String::from("unknown"),
            |bytes| {
                format!(
                    "{}.{} GB",
                    bytes / gigabyte,
                    bytes % gigabyte * 10 / gigabyte
                )
            },
        )
    };
    let fitting = best.map_or_else(String::new, |best| {
        format!("; best built-in model here: {best}")
    });
    let message = format!(
        "{} of memory, {} free on the disk of the models, the processor can run them{fitting}",
        // Memory is sold in powers of two, disks are not.
        gigabytes(machine.memory_bytes, 1 << 30),
        gigabytes(machine.free_disk_bytes, 1_000_000_000)
    );
    Finding::new("machine", FindingStatus::Ok, message)
}

/// What was measured of the model that is used.
fn measured(speed: &Speed) -> Option<Finding> {
    let rate = |rate: Option<f64>| rate.map(|rate| format!("{rate} tokens/s"));
    let words: Vec<String> = [
        ("reads", rate(speed.prompt_tokens_per_s)),
        ("writes", rate(speed.generation_tokens_per_s)),
    ]
    .into_iter()
    .filter_map(|(verb, rate)| Some(format!("{verb} {}", rate?)))
    .collect();
    let message = format!("the model {} (last calls)", words.join(" and "));
    (!words.is_empty()).then(|| Finding::new("speed", FindingStatus::Ok, message))
}

fn models(app: &App) -> Vec<Finding> {
    let local = app.hub().local();
    let installed = local.installed();
    let mut found = Vec::new();
    let here = local.machine();
    let best = recommend(local.catalogue(), &here).map(|entry| entry.id.as_str());
    let default = app.hub().resolve("default");
    let needed = default
        .as_ref()
        .is_ok_and(|model| model.provider == LOCAL_PROVIDER);
    found.push(machine(&here, best, needed));
    match default {
        Ok(model) => {
            let name = format!("{}/{}", model.provider, model.model);
            found.push(Finding::new("model", FindingStatus::Ok, name));
            let speeds = speed::read(local.folder());
            let own = speeds.get(&model.model).filter(|_| needed);
            found.extend(own.and_then(measured));
            if local.is_starter(&model) {
                found.push(
                    Finding::new(
                        "model",
                        FindingStatus::Note,
                        "this is the small starter model: it shows how everything works, its answers are poor",
                    )
                    .hint("Pull a better model with `bwana models pull`, or add a provider."),
                );
            }
        }
        Err(error) => found.push(Finding::of_error("model", FindingStatus::Warning, &error)),
    }
    if !installed.is_empty() {
        found.push(match local.worker() {
            Ok(path) => Finding::new("worker", FindingStatus::Ok, path.display().to_string()),
            Err(error) => Finding::of_error("worker", FindingStatus::Broken, &error),
        });
    }
    found
}

fn private_hosts(app: &App) -> Option<Finding> {
    let settings = app.settings();
    let hosts: Vec<&str> = settings
        .egress
        .private_hosts
        .iter()
        .map(String::as_str)
        .collect();
    (!hosts.is_empty()).then(|| {
        Finding::new(
            "private hosts",
            FindingStatus::Note,
            format!("tools may reach in your own network: {}", hosts.join(", ")),
        )
        .hint("Close one with `bwana egress forbid HOST:PORT`.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_cannot_run_models_is_broken_only_where_one_is_used() {
        let old = Machine {
            missing_features: vec!["AVX2".into(), "F16C".into()],
            ..Machine::default()
        };
        for (needed, status) in [(true, FindingStatus::Broken), (false, FindingStatus::Note)] {
            let finding = machine(&old, None, needed);
            assert_eq!(finding.status, status);
            assert!(
                finding.message.ends_with("it lacks AVX2, F16C"),
                "{finding:?}"
            );
            assert!(finding.hint.contains("bwana providers add"), "{finding:?}");
        }
        let new = Machine {
            memory_bytes: Some(8 << 30),
            ..Machine::default()
        };
        let finding = machine(&new, Some("qwen"), true);
        assert_eq!(finding.status, FindingStatus::Ok);
        assert!(finding.message.contains("8.0 GB of memory"), "{finding:?}");
    }

    #[test]
    fn a_speed_is_said_once_it_was_measured() {
        assert_eq!(measured(&Speed::default()), None);
        let speed = Speed {
            prompt_tokens_per_s: Some(250.0),
            generation_tokens_per_s: Some(12.5),
            calls: 3,
        };
        let finding = measured(&speed).unwrap();
        assert_eq!(
            finding.message,
            "the model reads 250 tokens/s and writes 12.5 tokens/s (last calls)"
        );
    }
}
