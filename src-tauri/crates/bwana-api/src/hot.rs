//! Hot reload: while a host runs, changed files of agents and workflows are taken over as soon as their author has
//! saved them. What a bad file says is reported like at any other reading; its last good version stays in force.

use std::time::Duration;

use bwana_types::error::{ApiError, ErrorCode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::book::FOLDERS;

/// Editors save in several strokes; a file is read when they have been still for so long.
const STILL_FOR: Duration = Duration::from_millis(300);

/// Watches as long as it lives.
#[derive(Debug)]
pub struct HotReload {
    _watcher: RecommendedWatcher,
    work: JoinHandle<()>,
}

impl Drop for HotReload {
    fn drop(&mut self) {
        // What it has not written yet is found again by the next reading.
        self.work.abort();
    }
}

/// Takes changed definition files over from now on.
///
/// # Errors
/// If this process does not own the data folder, or the system watches no folders.
pub fn watch(app: &App) -> Result<HotReload, ApiError> {
    app.owner()?;
    let (changed, changes) = watch::channel(());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // An event that was lost is a reason to look as well.
        if event.map_or(true, |event| !event.kind.is_access()) {
            changed.send_replace(());
        }
    })
    .map_err(|error| cannot(&error))?;
    for folder in FOLDERS {
        watcher
            .watch(&app.home().join(folder), RecursiveMode::NonRecursive)
            .map_err(|error| cannot(&error))?;
    }
    Ok(HotReload {
        _watcher: watcher,
        work: tokio::spawn(take_over(app.clone(), changes)),
    })
}

async fn take_over(app: App, mut changes: watch::Receiver<()>) {
    while changes.changed().await.is_ok() {
        while let Ok(Ok(())) = tokio::time::timeout(STILL_FOR, changes.changed()).await {}
        match app.book().await {
            Ok(book) => {
                for problem in &book.problems {
                    tracing::warn!(file = %problem.file, "{}", problem.problem);
                }
            }
            Err(error) => tracing::warn!("changed files are not taken over: {}", error.message),
        }
    }
}

fn cannot(error: &notify::Error) -> ApiError {
    let message = format!("changed files cannot be noticed while the program runs: {error}");
    ApiError::new(ErrorCode::Internal, message)
        .with_hint("They are taken over by the next command and at the next start.")
}
