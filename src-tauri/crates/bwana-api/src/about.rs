//! What this program is: its version, where its data stands and how much that is, and what others' work it is made with.

use std::path::Path;

use bwana_store::{DATABASE_FILE, DATABASE_FORMAT};
use bwana_types::error::ApiError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::definitions::Nothing;

/// What the program is made with directly: kind, name, licence, with tabs between. Written by a test from the package
/// graph, which also fails if it is stale (`tests/architecture.rs`).
const LICENCES: &str = include_str!("about/licences.tsv");

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AboutShown {
    pub version: String,
    /// Of the program itself, as SPDX writes it.
    pub licence: String,
    /// Like `linux x86_64`.
    pub platform: String,
    /// The data folder.
    pub home: String,
    /// The database with what is not yet taken into it; `null`: nothing was ever stored.
    pub database_bytes: Option<u64>,
    /// The format of the database this program writes.
    pub database_format: i64,
    /// Direct dependencies, by kind and name.
    pub licences: Vec<Licence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Licence {
    /// `rust` or `npm`.
    pub kind: String,
    pub name: String,
    /// As SPDX writes it.
    pub licence: String,
}

pub(crate) async fn about(app: &App, _ctx: Ctx, _: Nothing) -> Result<AboutShown, ApiError> {
    Ok(AboutShown {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        licence: env!("CARGO_PKG_LICENSE").to_owned(),
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        home: app.home().display().to_string(),
        database_bytes: database_bytes(app.home()),
        database_format: DATABASE_FORMAT,
        licences: licences().collect(),
    })
}

/// What the database and what is not yet taken into it take on the disk; `None`: there is none.
pub(crate) fn database_bytes(home: &Path) -> Option<u64> {
    let bytes = |name: &str| std::fs::metadata(home.join(name)).map(|found| found.len());
    let database = bytes(DATABASE_FILE).ok()?;
    Some(database + bytes(&format!("{DATABASE_FILE}-wal")).unwrap_or_default())
}

fn licences() -> impl Iterator<Item = Licence> {
    LICENCES.lines().filter_map(|line| {
        let mut parts = line.split('\t').map(str::to_owned);
        Some(Licence {
            kind: parts.next()?,
            name: parts.next()?,
            licence: parts.next()?,
        })
    })
}
