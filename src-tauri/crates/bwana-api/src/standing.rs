//! How things stand, in the few words a tray has room for: what waits for the person, and what runs.

use bwana_types::id::RunId;
use bwana_types::status::RunStatus;

use crate::App;
use crate::caller::Caller;
use crate::command::{RunList, TasksList};
use crate::view::RunLine;
use crate::words::Words;
use crate::{Ctx, runs, tasks};

/// Lines of a tray's menu that are always there.
pub const LINES: usize = 5;
/// Live runs that are named.
const RUNS_NAMED: usize = 5;
/// Characters of a run's title.
const TITLE_CHARS: usize = 40;
/// Runs that are looked at to count the live ones.
const RUNS_LOOKED_AT: usize = 200;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Open tasks.
    pub waiting: usize,
    /// Runs at work.
    pub live: usize,
    /// The newest of them, with a line for each: its title, and how many of its steps are done.
    pub named: Vec<(RunId, String)>,
}

impl Standing {
    /// What those lines say and whether they can be chosen: how things stand, ask, what waits, open, quit. `safe`: this
    /// start only looks.
    pub fn lines(&self, words: &Words, safe: bool) -> [(String, bool); LINES] {
        let with = |key: &str, count: usize| words.say(key, &[("n", &count.to_string())]);
        let state = match (safe, self.waiting, self.live) {
            (true, _, _) => words.say("tray.safe", &[]),
            (_, 0, 0) => words.say("tray.idle", &[]),
            (_, 0, live) => with("tray.working", live),
            (_, waiting, _) => with("tray.needs_you", waiting),
        };
        [
            (state, false),
            (words.say("tray.ask", &[]), !safe),
            (with("tray.waiting", self.waiting), self.waiting > 0),
            (words.say("tray.open", &[]), true),
            (words.say("tray.quit", &[]), true),
        ]
    }
}

/// Looks how things stand. A database that cannot be read just now has nothing to say.
pub async fn look(app: &App) -> Standing {
    let ctx = || Ctx::quiet(Caller::LocalUi);
    let newest = runs::ListRequest {
        limit: RUNS_LOOKED_AT,
        ..runs::ListRequest::default()
    };
    let runs = app.call::<RunList>(ctx(), newest).await;
    let tasks = app
        .call::<TasksList>(ctx(), tasks::ListRequest::default())
        .await;
    let runs = runs.map(|list| list.runs).unwrap_or_default();
    let live = || {
        let works = |run: &&RunLine| matches!(run.status, RunStatus::Running | RunStatus::Stopping);
        runs.iter().filter(works)
    };
    Standing {
        waiting: tasks.map_or(0, |list| list.tasks.len()),
        live: live().count(),
        named: live()
            .take(RUNS_NAMED)
            .map(|run| (run.id, line(run)))
            .collect(),
    }
}

fn line(run: &RunLine) -> String {
    let title: String = run.title.chars().take(TITLE_CHARS).collect();
    format!("{title} · {}/{}", run.steps_done, run.steps_total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_comes_before_what_runs_and_a_start_that_only_looks_asks_nobody() {
        let words = Words::of("en");
        let said = |waiting, live, safe| {
            let standing = Standing {
                waiting,
                live,
                ..Standing::default()
            };
            standing.lines(&words, safe)
        };
        let [state, ask, waiting, open, quit] = said(0, 0, false);
        assert_eq!(state, (String::from("Nothing is running"), false));
        assert!(ask.1 && !waiting.1 && open.1 && quit.1);
        let [state, _, waiting, ..] = said(2, 3, false);
        assert!(
            state.0.contains('2') && !state.0.contains('3'),
            "{}",
            state.0
        );
        assert!(waiting.1 && waiting.0.contains('2'), "{waiting:?}");
        assert!(said(0, 3, false)[0].0.contains('3'));
        let [_, ask, _, open, quit] = said(0, 0, true);
        assert!(!ask.1 && open.1 && quit.1);
    }
}
