//! A whole run as one document, and back. An export holds the journal with everything it refers to and no secret: keys
//! are references everywhere. An import is a copy that stands still until a person resumes it, and owes nobody an effect:
//! whatever was under way and must not happen twice is asked about.

use std::path::PathBuf;
use std::sync::Arc;

use bwana_engine::{fold, row};
use bwana_store::{NewFork, NewRun, Store};
use bwana_types::definition::Definition;
use bwana_types::entry::{Body, Draft, Entry, RunForked};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::command::Ctx;
use crate::record::Record;
use crate::runs::{RunRef, show_run};
use crate::shape::{Time, shown};
use crate::view::{ArtifactShown, RunShown};

/// The first line of an exported run.
pub const EXPORT_SCHEMA: &str = "bwana.run/v1";
/// Bytes of a document that is taken in.
pub const IMPORT_MAX_BYTES: u64 = 256 * 1024 * 1024;
/// Entries of a run that is taken in.
pub const IMPORT_ENTRIES_MAX: usize = 100_000;
/// Bytes of its definition.
const DEFINITION_MAX_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Always `bwana.run/v1`.
    pub schema: String,
    /// The run this is a copy of.
    pub run: RunId,
    pub workflow: String,
    /// The program that wrote it.
    pub program: String,
    pub exported_at: Time,
    /// The resolved definition, as the run is pinned to it.
    pub definition: Value,
    /// From 1 on, what is shared with a parent included.
    pub entries: Vec<Record>,
    /// Files the run wrote; their content stays where it is.
    #[serde(default)]
    pub artifacts: Vec<ArtifactShown>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    /// A document on this machine, as an absolute path.
    pub file: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportTextRequest {
    /// What the document is called, for messages; nothing is opened by it.
    pub name: String,
    /// The document itself.
    pub text: String,
}

pub(crate) async fn export(app: &App, _ctx: Ctx, by: RunRef) -> Result<Document, ApiError> {
    let run = app.find_run(&by.run)?;
    let store = app.store()?;
    let entries = store.load(run)?;
    let definition = store.definition_of(run)?;
    let definition = serde_json::from_slice(&definition).map_err(|error| {
        let message = format!("the definition of run {run} cannot be read: {error}");
        ApiError::new(ErrorCode::StoreDamaged, message)
    })?;
    let artifacts = store.artifacts(run)?;
    Ok(Document {
        schema: EXPORT_SCHEMA.to_owned(),
        run,
        workflow: store.run(run)?.workflow,
        program: format!("bwana {}", env!("CARGO_PKG_VERSION")),
        exported_at: Time(app.clock().now()),
        definition,
        entries: entries.iter().map(Record::from).collect(),
        artifacts: artifacts
            .into_iter()
            .map(|info| ArtifactShown {
                file: info.artifact.file,
                bytes: info.artifact.bytes,
                hash: info.artifact.hash.to_string(),
            })
            .collect(),
    })
}

pub(crate) async fn import(
    app: &App,
    ctx: Ctx,
    request: ImportRequest,
) -> Result<RunShown, ApiError> {
    let name = request.file.display().to_string();
    let refused = |why: String| refuse(&name, &why);
    let document = read(&request.file).map_err(refused)?;
    take(app, &ctx, &name, document).await
}

pub(crate) async fn import_text(
    app: &App,
    ctx: Ctx,
    request: ImportTextRequest,
) -> Result<RunShown, ApiError> {
    let document = parse(request.text.as_bytes()).map_err(|why| refuse(&request.name, &why))?;
    take(app, &ctx, &request.name, document).await
}

/// Checks a document and stores it as a run.
async fn take(app: &App, ctx: &Ctx, name: &str, document: Document) -> Result<RunShown, ApiError> {
    let checked = check(document).map_err(|why| refuse(name, &why))?;
    let run = store_copy(app, ctx.caller.as_str(), checked)
        .await
        .map_err(|error| match error {
            Failure::Document(why) => refuse(name, &why),
            Failure::Api(error) => error,
        })?;
    app.owner()?.sync().await?;
    show_run(app, run)
}

fn refuse(name: &str, why: &str) -> ApiError {
    let message = format!("{} cannot be imported: {why}", shown(name));
    ApiError::new(ErrorCode::UsageInvalid, message)
        .with_hint("Import a file that `bwana runs export` wrote; nothing of this one was stored.")
}

fn read(file: &PathBuf) -> Result<Document, String> {
    let unreadable = |error: std::io::Error| format!("it cannot be read: {error}");
    let meta = std::fs::metadata(file).map_err(unreadable)?;
    // A device or a pipe has no end, or no beginning.
    if !meta.is_file() {
        return Err(String::from("it is no file"));
    }
    let bytes = meta.len();
    if bytes > IMPORT_MAX_BYTES {
        return Err(format!(
            "it has {bytes} bytes; at most {IMPORT_MAX_BYTES} are taken"
        ));
    }
    parse(&std::fs::read(file).map_err(unreadable)?)
}

fn parse(text: &[u8]) -> Result<Document, String> {
    if text.len() as u64 > IMPORT_MAX_BYTES {
        return Err(format!(
            "it has {} bytes; at most {IMPORT_MAX_BYTES} are taken",
            text.len()
        ));
    }
    serde_json::from_slice(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => {
            String::from("it ends too early: the file was cut; export it again")
        }
        _ => format!("it is no exported run: {error}"),
    })
}

/// A document whose parts fit together.
struct Checked {
    run: RunId,
    workflow: String,
    definition: Arc<Definition>,
    definition_bytes: Vec<u8>,
    entries: Vec<Entry>,
}

fn check(document: Document) -> Result<Checked, String> {
    if document.schema != EXPORT_SCHEMA {
        return Err(format!(
            "it is of `{}`; this program reads `{EXPORT_SCHEMA}`",
            shown(&document.schema)
        ));
    }
    if document.entries.len() > IMPORT_ENTRIES_MAX {
        return Err(format!(
            "it has {} entries; at most {IMPORT_ENTRIES_MAX} are taken",
            document.entries.len()
        ));
    }
    let definition: Definition = serde_json::from_value(document.definition)
        .map_err(|error| format!("its definition cannot be read: {error}"))?;
    let definition_bytes = definition.to_bytes();
    if definition_bytes.len() > DEFINITION_MAX_BYTES {
        return Err(format!(
            "its definition has more than {DEFINITION_MAX_BYTES} bytes"
        ));
    }
    let mut entries = Vec::with_capacity(document.entries.len());
    for record in document.entries {
        entries.push(record.into_entry().map_err(|bad| bad.to_string())?);
    }
    let mut at = 0;
    for (index, entry) in entries.iter().enumerate() {
        if entry.seq != index as u64 + 1 {
            return Err(format!(
                "entry {} stands in the place of entry {}",
                entry.seq,
                index + 1
            ));
        }
        if entry.at.0 < at || !entry.at.is_speakable() {
            return Err(format!(
                "time goes back or beyond the year 9999 at entry {}",
                entry.seq
            ));
        }
        at = entry.at.0;
        if index > 0 && matches!(entry.body, Body::RunCreated(_)) {
            return Err(format!(
                "the run begins a second time at entry {}",
                entry.seq
            ));
        }
    }
    match entries.first().map(|entry| &entry.body) {
        Some(Body::RunCreated(created)) => {
            if created.definition != Hash::of(&definition_bytes) {
                return Err(String::from(
                    "its definition is not the one the run was made with",
                ));
            }
        }
        _ => {
            return Err(String::from(
                "it does not begin with the beginning of a run",
            ));
        }
    }
    Ok(Checked {
        run: document.run,
        workflow: definition.workflow.slug.clone(),
        definition: Arc::new(definition),
        definition_bytes,
        entries,
    })
}

enum Failure {
    Document(String),
    Api(ApiError),
}

impl From<bwana_store::StoreError> for Failure {
    fn from(error: bwana_store::StoreError) -> Self {
        match error {
            // The rules of the journal, broken by the document.
            bwana_store::StoreError::Forbidden { .. } | bwana_store::StoreError::Invalid { .. } => {
                Self::Document(error.to_string())
            }
            error => Self::Api(error.into()),
        }
    }
}

impl From<bwana_engine::EngineError> for Failure {
    fn from(error: bwana_engine::EngineError) -> Self {
        match error {
            bwana_engine::EngineError::Unfoldable { why, .. } => Self::Document(why),
            error => Self::Api(error.into()),
        }
    }
}

/// Stores the copy. What lies before a fork of a run that had ended becomes a run of its own: a journal goes on behind
/// its end only as a fork.
async fn store_copy(app: &App, by: &str, checked: Checked) -> Result<RunId, Failure> {
    let store = app.owner().map_err(Failure::Api)?;
    let Checked {
        run: original,
        workflow,
        definition,
        definition_bytes,
        mut entries,
    } = checked;
    let cuts = cuts(&entries);
    let now = app.clock().now();
    let ids: Vec<RunId> = (0..=cuts.len())
        .map(|_| RunId::new(app.ids().uuid(now)))
        .collect();
    rename(&mut entries, &cuts, &ids);
    let Some(last) = ids.last().copied() else {
        return Err(Failure::Document(String::from("it is empty")));
    };
    // A copy of a run that could go on stands still, and what was under way is treated as at any other fork.
    let ended = fold(last, Arc::clone(&definition), &entries)?.is_ended();
    let head = entries.len() as u64;
    if !ended {
        let at = entries.last().map_or(now, |entry| entry.at.max(now));
        let forked = RunForked {
            parent: original,
            at: head,
            run: last,
            by: format!("{by}: import"),
        };
        entries.push(Draft::new("", forked).at(head + 1, at));
    }
    create(
        store,
        &ids,
        &cuts,
        &definition,
        definition_bytes,
        &workflow,
        &entries,
    )
    .await?;
    Ok(last)
}

/// Where a fork begins behind an end: indexes of those `run_forked` entries.
fn cuts(entries: &[Entry]) -> Vec<usize> {
    let mut ended = false;
    let mut cuts = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        match &entry.body {
            Body::RunEnded(_) => ended = true,
            Body::RunForked(_) if ended => {
                cuts.push(index);
                ended = false;
            }
            _ => {}
        }
    }
    cuts
}

/// Gives the copies their own ids: two runs must never answer to one name.
fn rename(entries: &mut [Entry], cuts: &[usize], ids: &[RunId]) {
    let mut part = 0;
    for (index, entry) in entries.iter_mut().enumerate() {
        if cuts.contains(&index) {
            part += 1;
        }
        if let Body::RunForked(forked) = &mut entry.body {
            forked.run = ids[part];
        }
    }
}

async fn create(
    store: &Store,
    ids: &[RunId],
    cuts: &[usize],
    definition: &Arc<Definition>,
    definition_bytes: Vec<u8>,
    workflow: &str,
    entries: &[Entry],
) -> Result<(), Failure> {
    let mut from = 0;
    let mut definition_bytes = Some(definition_bytes);
    for (part, id) in ids.iter().enumerate() {
        let to = cuts.get(part).copied().unwrap_or(entries.len());
        let state = fold(*id, Arc::clone(definition), &entries[..to])?;
        let own = entries[from..to].to_vec();
        let row = row(&state);
        if let Some(definition) = definition_bytes.take() {
            store
                .create_run(NewRun {
                    id: *id,
                    definition,
                    workflow: workflow.to_owned(),
                    entries: own,
                    row,
                })
                .await?;
        } else {
            store
                .create_fork(NewFork {
                    id: *id,
                    parent: ids[part - 1],
                    fork_seq: from as u64,
                    entries: own,
                    row,
                })
                .await?;
        }
        from = to;
    }
    Ok(())
}
