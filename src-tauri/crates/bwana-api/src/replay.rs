//! Replay: a run's journal folded again, with no call, no effect and no decision. It must give exactly what was there.

use bwana_engine::{fold, fold_run, row, view_of};
use bwana_types::entry::{Body, Call, Entry, Seq};
use bwana_types::error::ApiError;
use bwana_types::id::RunId;
use bwana_types::status::RunStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::record::Record;
use crate::runs::RunRef;
use crate::view::RunShown;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayReport {
    pub id: RunId,
    /// Where the replayed run stands.
    pub status: RunStatus,
    pub entries: Seq,
    /// Calls the journal tells of; none of them was made again.
    pub recorded_model_calls: u32,
    pub recorded_tool_calls: u32,
    /// Calls this replay made: always 0.
    pub calls_made: u32,
    /// The replay gave what was stored.
    pub same: bool,
    /// What differs, in words.
    pub differences: Vec<String>,
    /// The run as the replay gives it.
    pub run: RunShown,
}

pub(crate) async fn replay(app: &App, _ctx: Ctx, by: RunRef) -> Result<ReplayReport, ApiError> {
    let run = app.find_run(&by.run)?;
    let store = app.store()?;
    let state = fold_run(store, run)?;
    let entries = store.load(run)?;
    let mut differences = Vec::new();

    // The same journal once more, each entry by way of its text, as an export or another program would read it.
    match again(&entries) {
        Ok(again) => {
            let refolded = fold(run, std::sync::Arc::clone(&state.definition), &again)?;
            if refolded != state {
                differences.push(String::from("folding the journal twice gives two states"));
            }
        }
        Err(why) => differences.push(why),
    }
    let info = store.run(run)?;
    let projected = row(&state);
    if info.row != projected {
        differences.push(format!(
            "lists say '{}' where the journal says '{}'; `bwana verify --rebuild` corrects the lists",
            info.row.status.as_str(),
            projected.status.as_str()
        ));
    }
    let open = store.tasks(&bwana_store::TaskFilter {
        open: Some(true),
        run: Some(run),
        ..bwana_store::TaskFilter::default()
    })?;
    if open.len() != state.tasks.len() {
        differences.push(format!(
            "{} questions are listed as open where the journal has {}",
            open.len(),
            state.tasks.len()
        ));
    }
    let (recorded_model_calls, recorded_tool_calls) = calls(&entries);
    Ok(ReplayReport {
        id: run,
        status: state.status(),
        entries: state.head,
        recorded_model_calls,
        recorded_tool_calls,
        calls_made: 0,
        same: differences.is_empty(),
        differences,
        run: RunShown::of(app, view_of(&state))?,
    })
}

fn again(entries: &[Entry]) -> Result<Vec<Entry>, String> {
    entries
        .iter()
        .map(|entry| {
            let back = Record::from(entry)
                .into_entry()
                .map_err(|bad| bad.to_string())?;
            if back == *entry {
                Ok(back)
            } else {
                Err(format!("entry {entry} does not survive its own text"))
            }
        })
        .collect()
}

fn calls(entries: &[Entry]) -> (u32, u32) {
    let (mut models, mut tools) = (0, 0);
    for entry in entries {
        match &entry.body {
            Body::CallIntended(intended) => match intended.call {
                Call::Model(_) => models += 1,
                Call::Tool(_) => tools += 1,
            },
            Body::CallRetried(retried) if !retried.model.is_empty() => models += 1,
            Body::CallRetried(_) => tools += 1,
            _ => {}
        }
    }
    (models, tools)
}
