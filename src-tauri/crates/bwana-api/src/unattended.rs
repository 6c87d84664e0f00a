//! `--approve deny`: nobody is there to answer, so every question of a run that can be answered with no is. What may have
//! happened already is not such a question; it waits.

use bwana_engine::RunEvent;
use bwana_types::entry::Body;
use bwana_types::error::ErrorCode;
use bwana_types::id::{RunId, TaskId};
use bwana_types::task::{DecidedBy, TaskKind, Verdict};

use crate::app::App;

/// Answers the questions of `run` for as long as it is worked on here.
pub(crate) fn watch(app: &App, run: RunId) {
    let Some(engine) = app.engine_of_live(run).cloned() else {
        return;
    };
    let Ok(mut watch) = engine.watch(run, 1) else {
        return;
    };
    app.tracker().spawn(async move {
        while let Some(event) = watch.next().await {
            let RunEvent::Entry(entry) = event else {
                continue;
            };
            let opened = match &entry.body {
                Body::TaskOpened(opened) => opened,
                Body::RunEnded(_) => break,
                _ => continue,
            };
            if opened.ask.kind() == TaskKind::Uncertain {
                continue;
            }
            let task = TaskId::of_entry(run, entry.seq, entry.at);
            let verdict = Verdict::Deny {
                reason: String::from("nobody was there to answer"),
            };
            match engine.decide(task, verdict, DecidedBy::Unattended).await {
                Ok(()) => {}
                // Somebody was faster, or it is one of an earlier session.
                Err(error) if error.code == ErrorCode::TaskAlreadyDecided => {}
                Err(error) => {
                    tracing::warn!(%task, %error, "a question could not be answered with no")
                }
            }
        }
    });
}
