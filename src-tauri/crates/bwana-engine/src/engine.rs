//! The engine: starts, resumes and steers runs, each in a task of its own. One per process, on the store's owner.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bwana_store::{Append, DayLimit, NewFork, NewRun, RunFilter, Store};
use bwana_tools::{Egress, Registry};
use bwana_types::definition::{Definition, RunLimits};
use bwana_types::entry::{
    Draft, Edit, Edited, Entry, RunCreated, RunForked, SAID_MAX_BYTES, Seq, When,
};
use bwana_types::error::ApiError;
use bwana_types::id::{IdSource, RunId, TaskId};
use bwana_types::money::MicroUsd;
use bwana_types::redact::Redactor;
use bwana_types::status::RunStatus;
use bwana_types::task::{DecidedBy, Verdict};
use bwana_types::time::Clock;
use bwana_workflow::machine::{
    CallStatus, Control, Input, QUEUED_MAX, RunState, apply, decide, hears,
};
use tokio::sync::{mpsc, oneshot};

use crate::error::EngineError;
use crate::feed::{Feed, PartialText, Standing, Watch};
use crate::gate::{Gates, ProviderStanding};
use crate::load;
use crate::network;
use crate::run::{Command, RunTask};
use crate::terms::{Wanted, terms};
use crate::view::{RunView, view};

/// Commands that wait for a run's task.
const INBOX_MAX: usize = 64;

/// Where the engine finds a provider by name. Implemented by the host's assembly and by tests.
pub trait Models: Send + Sync {
    /// The provider of this name.
    ///
    /// # Errors
    /// If there is no such provider, or it cannot be used.
    fn provider(&self, name: &str) -> Result<Arc<dyn bwana_llm::Provider>, ApiError>;

    /// The same, where finding it may wait: its key may be in a keyring. No run waits for another one's.
    fn find(self: Arc<Self>, name: String) -> FoundProvider {
        Box::pin(std::future::ready(self.provider(&name)))
    }
}

/// A provider on its way.
pub type FoundProvider =
    Pin<Box<dyn Future<Output = Result<Arc<dyn bwana_llm::Provider>, ApiError>> + Send>>;

/// What an engine works with.
pub struct Deps {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdSource>,
    pub tools: Registry,
    pub egress: Egress,
    pub models: Arc<dyn Models>,
    /// Takes known secrets out of what comes in from outside, before it is journaled or shown.
    pub redactor: Redactor,
    pub day_money: DayMoney,
    pub options: Options,
}

/// Says the money of a calendar day over all runs; `None`: no limit. Asked anew for every call that costs, because a person
/// may change it while runs are at work.
pub type DayMoney = Arc<dyn Fn() -> Option<MicroUsd> + Send + Sync>;

#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of all runs' artifact folders.
    pub artifacts: PathBuf,
    /// Nobody is there to answer: what needs a person is denied.
    pub unattended: bool,
    /// IANA name of the zone whose calendar days count.
    pub time_zone: String,
}

/// A run to start.
#[derive(Debug, Clone)]
pub struct StartRun {
    pub definition: Definition,
    pub input: String,
    /// Limits for this run alone.
    pub limits: RunLimits,
    /// Through which door: `local_cli`, ….
    pub by: String,
}

/// A cheap handle; all clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    live: Arc<Mutex<HashMap<RunId, Live>>>,
}

/// What every run's task uses.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) tools: Registry,
    pub(crate) egress: Egress,
    pub(crate) models: Arc<dyn Models>,
    pub(crate) redactor: Redactor,
    pub(crate) day_money: DayMoney,
    pub(crate) options: Options,
    pub(crate) gates: Gates,
}

struct Live {
    feed: Arc<Feed>,
    inbox: mpsc::Sender<Command>,
    task: tokio::task::JoinHandle<()>,
}

impl Shared {
    /// The day whose budget a batch with reservations counts on: the clock's. The entries of a run whose last one lies in
    /// the future stay there until the clock has come up to it, but what they cost is spent now.
    pub(crate) fn day_limit(&self, batch: &[Entry]) -> Option<DayLimit> {
        let costs = |entry: &Entry| load::reserved(entry) > MicroUsd::ZERO;
        batch.iter().any(costs).then(|| DayLimit {
            day: self.clock.now().day_in(&self.options.time_zone),
            limit: (self.day_money)().unwrap_or(MicroUsd(i64::MAX)),
        })
    }

    /// A random number below 1,000.
    pub(crate) fn jitter(&self) -> u16 {
        u16::try_from(self.ids.random_u64() % 1_000).unwrap_or_default()
    }
}

impl Engine {
    pub fn new(deps: Deps) -> Self {
        let Deps {
            store,
            clock,
            ids,
            tools,
            egress,
            models,
            redactor,
            day_money,
            options,
        } = deps;
        let shared = Shared {
            store,
            clock,
            ids,
            tools,
            egress,
            models,
            redactor,
            day_money,
            options,
            gates: Gates::default(),
        };
        Self {
            shared: Arc::new(shared),
            live: Arc::default(),
        }
    }

    /// Starts a run. It exists when this returns, and works on by itself.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn start(&self, start: StartRun) -> Result<RunId, ApiError> {
        let run = RunId::new(self.shared.ids.uuid(self.shared.clock.now()));
        self.start_as(run, start).await?;
        Ok(run)
    }

    /// Starts a run under an id that somebody chose before, to find it again whatever happens in between.
    ///
    /// # Errors
    /// If it cannot be written, or there is a run of this id.
    pub async fn start_as(&self, run: RunId, start: StartRun) -> Result<(), ApiError> {
        let now = self.shared.clock.now();
        let created = RunCreated {
            workflow: start.definition.workflow.slug.clone(),
            workflow_hash: start.definition.workflow.hash,
            definition: start.definition.hash(),
            input: self.shared.redactor.exact(&start.input).into(),
            limits: start.limits,
            by: start.by,
        };
        let entry = Draft::new("", created.clone()).at(1, now);
        let state = RunState::new(run, Arc::new(start.definition), &entry, &created);
        let made = self
            .shared
            .store
            .create_run(NewRun {
                id: run,
                definition: state.definition.to_bytes(),
                workflow: created.workflow,
                entries: vec![entry],
                row: load::row(&state),
            })
            .await
            .map_err(EngineError::from)?;
        self.spawn(state, made.pos, Input::Advance);
        Ok(())
    }

    /// Follows a run from entry `from` on.
    ///
    /// # Errors
    /// If its journal cannot be read.
    pub fn watch(&self, run: RunId, from: Seq) -> Result<Watch, ApiError> {
        let feed = self.live().get(&run).map(|live| Arc::clone(&live.feed));
        // Subscribed first, read second: nothing falls between.
        let events = feed.as_ref().and_then(|feed| feed.subscribe());
        let from = from.max(1);
        let told = feed.map_or(Seq::MAX, |feed| feed.told());
        let mut backlog = self
            .shared
            .store
            .entries(run, from, usize::MAX)
            .map_err(EngineError::from)?;
        backlog.retain(|entry| entry.seq <= told);
        let store = self.shared.store.clone();
        let reread = move |from| store.entries(run, from, usize::MAX).unwrap_or_default();
        Ok(Watch::new(backlog, events, from - 1, Box::new(reread)))
    }

    /// Waits until a run has ended or stands still: for a person, paused, or because its journal cannot be written.
    /// What it says is durable.
    ///
    /// # Errors
    /// If there is no such run, or its journal could not be written.
    pub async fn settle(&self, run: RunId) -> Result<RunView, ApiError> {
        let found = self
            .live()
            .get(&run)
            .map(|live| (Arc::clone(&live.feed), live.task.is_finished()));
        let Some((feed, over)) = found else {
            return view(&self.shared.store, run);
        };
        let mut standing = feed.standing();
        let still = |standing: &Standing| over || standing.still;
        let Ok(standing) = standing
            .wait_for(still)
            .await
            .map(|standing| standing.clone())
        else {
            return view(&self.shared.store, run);
        };
        if let Some(failure) = standing.failure {
            return Err(failure);
        }
        match standing.view {
            // What a task that is over said last may no longer be so: a decision after the end is none of its business.
            Some(view) if !over => Ok((*view).clone()),
            _ => view(&self.shared.store, run),
        }
    }

    /// A run as it is now.
    ///
    /// # Errors
    /// If there is no such run, or its journal cannot be read.
    pub fn view(&self, run: RunId) -> Result<RunView, ApiError> {
        view(&self.shared.store, run)
    }

    /// The last entry of a run that may be told; `None`: nobody works on it here, so all that is written may.
    pub fn told(&self, run: RunId) -> Option<Seq> {
        let live = self.live();
        let live = live.get(&run).filter(|live| !live.task.is_finished())?;
        Some(live.feed.told())
    }

    /// The texts of a run's calls on their way.
    pub fn partials(&self, run: RunId) -> Vec<PartialText> {
        self.live()
            .get(&run)
            .map(|live| live.feed.partials())
            .unwrap_or_default()
    }

    /// The text of a call on its way, from a byte offset on, and where the next piece begins.
    pub fn partial(&self, run: RunId, call: Seq, offset: u64) -> Option<(String, u64)> {
        self.live()
            .get(&run)
            .and_then(|live| live.feed.partial(call, offset))
    }

    /// Lets a paused or interrupted run go on. A run that waits for a person goes on waiting.
    ///
    /// # Errors
    /// If it has ended, or a newer program wrote it.
    pub async fn resume(&self, run: RunId, by: &str) -> Result<(), ApiError> {
        self.ensure_live(run)?;
        self.send(run, Input::Control(Control::Resume { by: by.to_owned() }))
            .await?;
        Ok(())
    }

    /// Starts nothing more in this run; calls in flight finish.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn pause(&self, run: RunId, by: &str) -> Result<(), ApiError> {
        self.ensure_live(run)?;
        self.send(run, Input::Control(Control::Pause { by: by.to_owned() }))
            .await?;
        Ok(())
    }

    /// Ends a run: nothing more starts, and what is in flight gets two seconds.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn cancel(&self, run: RunId, by: &str) -> Result<(), ApiError> {
        self.ensure_live(run)?;
        self.send(run, Input::Control(Control::Cancel { by: by.to_owned() }))
            .await?;
        Ok(())
    }

    /// Tops a budget up. Limits that are set replace the run's; a paused run is resumed by `resume`.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn raise(&self, run: RunId, limits: RunLimits, by: &str) -> Result<(), ApiError> {
        self.ensure_live(run)?;
        let control = Control::Raise {
            path: "".into(),
            limits,
            by: by.to_owned(),
        };
        self.send(run, Input::Control(control)).await?;
        Ok(())
    }

    /// Records a person's decision, durably, before anything acts on it. The first decision wins.
    ///
    /// # Errors
    /// If there is no such task, it was decided already, or the answer does not fit the question.
    pub async fn decide(
        &self,
        task: TaskId,
        verdict: Verdict,
        by: DecidedBy,
    ) -> Result<(), ApiError> {
        let found = self.shared.store.task(task).map_err(EngineError::from)?;
        let kind = found.ask.kind();
        if !verdict.fits(kind) {
            let why = format!("this is a question of the kind {kind:?}");
            return Err(EngineError::WrongAnswer { task, why }.into());
        }
        if !found.is_open() {
            return Err(EngineError::AlreadyDecided(task).into());
        }
        let state = load::fold_run(&self.shared.store, found.run)?;
        if state.is_ended() {
            return Ok(self
                .settle_after_the_end(state, task, found.seq, verdict, by)
                .await?);
        }
        self.ensure_live_from(found.run, state);
        let changed = self
            .send(
                found.run,
                Input::Decided {
                    task: found.seq,
                    verdict,
                    by,
                },
            )
            .await?;
        if changed {
            Ok(())
        } else {
            Err(EngineError::AlreadyDecided(task).into())
        }
    }

    /// As [`Self::decide`], with what else the person allows, forbids or changes. What is asked for is checked against the
    /// question, the tool's schema and the policy before anything is written.
    ///
    /// # Errors
    /// As there; or if the question does not offer it, the arguments do not fit, or the policy refuses them.
    pub async fn decide_on(
        &self,
        task: TaskId,
        verdict: Verdict,
        wanted: &Wanted,
        by: DecidedBy,
    ) -> Result<(), ApiError> {
        if wanted.is_plain() {
            return self.decide(task, verdict, by).await;
        }
        let found = self.shared.store.task(task).map_err(EngineError::from)?;
        if !found.is_open() {
            return Err(EngineError::AlreadyDecided(task).into());
        }
        let state = load::fold_run(&self.shared.store, found.run)?;
        let now = self.shared.clock.now();
        let terms = terms(
            &self.shared.store,
            &self.shared.tools,
            &state,
            now,
            &found,
            wanted,
        )?;
        let decided = Input::DecidedOn {
            task: found.seq,
            verdict,
            by,
            terms: Box::new(terms),
        };
        if state.is_ended() || decide(&state, decided.clone()).is_empty() {
            let why = String::from("it asks something else");
            return Err(EngineError::WrongAnswer { task, why }.into());
        }
        self.ensure_live_from(found.run, state);
        if self.send(found.run, decided).await? {
            Ok(())
        } else {
            Err(EngineError::AlreadyDecided(task).into())
        }
    }

    /// A person says something to a run: heard once, when its time has come. Durable when this returns.
    ///
    /// # Errors
    /// If the run has ended or nobody in it will speak any more, too much waits already, or the text is empty or too long.
    pub async fn say(&self, run: RunId, text: &str, when: When, by: &str) -> Result<(), ApiError> {
        self.ensure_live(run)?;
        let say = Control::Say {
            text: text.into(),
            when,
            by: by.to_owned(),
        };
        if self.send(run, Input::Control(say)).await? {
            return Ok(());
        }
        let state = load::fold_run(&self.shared.store, run)?;
        Err(unheard(&state, text).into())
    }

    /// What may have happened stays a question after the run has ended; the answer is recorded, and nothing acts on it.
    async fn settle_after_the_end(
        &self,
        mut state: RunState,
        task: TaskId,
        seq: Seq,
        verdict: Verdict,
        by: DecidedBy,
    ) -> Result<(), EngineError> {
        if verdict == Verdict::SendAgain {
            let why = String::from("the run has ended, so nothing is sent any more");
            return Err(EngineError::WrongAnswer { task, why });
        }
        let expected_seq = state.head;
        let mut entries = Vec::new();
        for draft in decide(
            &state,
            Input::Decided {
                task: seq,
                verdict,
                by,
            },
        ) {
            let entry = draft.at(state.head + 1, self.shared.clock.now().max(state.now));
            apply(&mut state, &entry);
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err(EngineError::AlreadyDecided(task));
        }
        let row = Some(load::row(&state));
        let append = Append {
            run: state.run,
            expected_seq,
            entries,
            row,
            day: None,
        };
        let appended = self.shared.store.append(append).await?;
        Ok(self.shared.store.barrier(appended.pos).await?)
    }

    /// A new run that shares the journal of `run` up to entry `at`, with an optional edit. It stands still until it is
    /// resumed.
    ///
    /// # Errors
    /// If the entry does not exist, or the edit does not fit it.
    pub async fn fork(
        &self,
        run: RunId,
        at: Seq,
        edit: Option<Edited>,
        by: &str,
    ) -> Result<RunId, ApiError> {
        let parent = load::fold_run(&self.shared.store, run)?;
        if at == 0 || at > parent.head {
            return Err(EngineError::NoSuchEntry {
                run,
                at,
                head: parent.head,
            }
            .into());
        }
        let mut entries = self.shared.store.load(run).map_err(EngineError::from)?;
        entries.truncate(usize::try_from(at).unwrap_or(usize::MAX));
        if let Some(edit) = &edit {
            check_edit(&entries, edit, at)?;
        }
        let mut state = load::fold(run, Arc::clone(&parent.definition), &entries)?;
        let now = self.shared.clock.now().max(state.now);
        let fork = RunId::new(self.shared.ids.uuid(now));
        let forked = RunForked {
            parent: run,
            at,
            run: fork,
            by: by.to_owned(),
        };
        let drafts =
            std::iter::once(Draft::new("", forked)).chain(edit.map(|edit| Draft::new("", edit)));
        let mut own = Vec::new();
        for draft in drafts {
            let entry = draft.at(state.head + 1, now);
            apply(&mut state, &entry);
            own.push(entry);
        }
        let row = load::row(&state);
        let new = NewFork {
            id: fork,
            parent: run,
            fork_seq: at,
            entries: own,
            row,
        };
        self.shared
            .store
            .create_fork(new)
            .await
            .map_err(EngineError::from)?;
        Ok(fork)
    }

    /// Takes over every unfinished run, as the owner of the data folder does when it starts. Runs that wait for a person
    /// or are paused stay where they are until somebody moves them.
    ///
    /// # Errors
    /// If the list of runs cannot be read. A run that cannot be folded is reported in the log and left alone.
    pub fn recover(&self) -> Result<Vec<RunId>, ApiError> {
        let unfinished = self
            .shared
            .store
            .unfinished_runs()
            .map_err(EngineError::from)?;
        let mut taken = Vec::new();
        for run in unfinished.into_iter().map(|info| info.id) {
            match load::fold_run(&self.shared.store, run) {
                Ok(state) if needs_a_task(&state) => {
                    self.ensure_live_from(run, state);
                    taken.push(run);
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%run, "left alone: {error}"),
            }
        }
        Ok(taken)
    }

    /// Runs with a task in this process that have not ended.
    pub fn live_runs(&self) -> Vec<RunId> {
        self.live()
            .iter()
            .filter(|(_, live)| !live.task.is_finished())
            .map(|(run, _)| *run)
            .collect()
    }

    /// Starts nothing more, lets calls in flight finish for two seconds, and makes everything durable. Runs go on where
    /// they were when the data folder is opened again.
    pub async fn shutdown(&self) {
        let live: Vec<(RunId, Live)> = self.live().drain().collect();
        let mut waiting = Vec::new();
        for (_, live) in &live {
            let (done, drained) = oneshot::channel();
            if live.inbox.send(Command::Drain(done)).await.is_ok() {
                waiting.push(drained);
            }
        }
        for drained in waiting {
            // A task that ended by itself has nothing left to say.
            let _ = drained.await;
        }
        if let Err(error) = self.shared.store.sync().await {
            tracing::error!("the last entries may not survive a power cut: {error}");
        }
    }

    /// How the providers stand that this process has sent calls to.
    pub fn providers(&self) -> Vec<ProviderStanding> {
        self.shared.gates.standings()
    }

    /// Lets the next call to a provider that is being left alone be sent at once. `false`: nothing was sent to it yet.
    pub fn retry_now(&self, provider: &str) -> bool {
        self.shared.gates.retry_now(provider)
    }

    /// Stops every task where it is, as a crash would: for hosts that must go at once, and for tests.
    pub fn abort(&self) {
        for (_, live) in self.live().drain() {
            live.task.abort();
        }
    }

    /// Runs newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<bwana_store::RunInfo>, ApiError> {
        Ok(self.shared.store.runs(filter).map_err(EngineError::from)?)
    }

    fn live(&self) -> MutexGuard<'_, HashMap<RunId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that a run has a task; a run without one is folded and taken over.
    fn ensure_live(&self, run: RunId) -> Result<(), EngineError> {
        if self
            .live()
            .get(&run)
            .is_some_and(|live| !live.task.is_finished())
        {
            return Ok(());
        }
        let state = load::fold_run(&self.shared.store, run)?;
        if let Some((seq, kind)) = &state.unknown {
            return Err(EngineError::UnknownEntry {
                run,
                entry: format!("{kind} at {seq}"),
            });
        }
        if state.is_ended() {
            return Err(EngineError::Ended {
                run,
                status: state.status().as_str(),
            });
        }
        self.ensure_live_from(run, state);
        Ok(())
    }

    fn ensure_live_from(&self, run: RunId, state: RunState) {
        let missing = self
            .live()
            .get(&run)
            .is_none_or(|live| live.task.is_finished());
        if missing {
            // Nothing starts before the recovery's own entries are appended, and they bring their position along.
            self.spawn(state, 0, Input::Recover);
        }
    }

    fn spawn(&self, state: RunState, pos: i64, first: Input) {
        let run = state.run;
        let feed = Arc::new(Feed::new(&state));
        let (inbox, commands) = mpsc::channel(INBOX_MAX);
        let task = RunTask::new(
            Arc::clone(&self.shared),
            Arc::clone(&feed),
            state,
            pos,
            commands,
        );
        let mut live = self.live();
        live.retain(|_, live| !live.task.is_finished());
        let task = tokio::spawn(task.work(first));
        live.insert(run, Live { feed, inbox, task });
    }

    /// Hands an input to a run's task and waits until what follows from it is committed.
    async fn send(&self, run: RunId, input: Input) -> Result<bool, EngineError> {
        let inbox = self
            .live()
            .get(&run)
            .map(|live| live.inbox.clone())
            .ok_or(EngineError::ShuttingDown)?;
        let (reply, answer) = oneshot::channel();
        if inbox.send(Command::Input(input, reply)).await.is_ok()
            && let Ok(changed) = answer.await
        {
            return changed;
        }
        // The task ended between the two: the input came too late.
        let state = load::fold_run(&self.shared.store, run)?;
        if state.is_ended() {
            return Err(EngineError::Ended {
                run,
                status: state.status().as_str(),
            });
        }
        Err(EngineError::ShuttingDown)
    }
}

/// Why a run did not take what a person said.
pub fn unheard(state: &RunState, text: &str) -> EngineError {
    let run = state.run;
    if state.is_ended() {
        let status = state.status().as_str();
        EngineError::Ended { run, status }
    } else if text.trim().is_empty() || text.len() > SAID_MAX_BYTES {
        EngineError::BadWords {
            bytes: text.len(),
            max: SAID_MAX_BYTES,
        }
    } else if hears(state) && state.queued.len() >= QUEUED_MAX {
        EngineError::TooMuchSaid {
            run,
            waiting: state.queued.len(),
        }
    } else {
        EngineError::NobodyHears { run }
    }
}

/// Whether anything moves without a person.
fn needs_a_task(state: &RunState) -> bool {
    let in_flight = state
        .calls
        .values()
        .any(|call| call.status == CallStatus::InFlight);
    match state.status() {
        RunStatus::Running | RunStatus::Stopping => true,
        RunStatus::Waiting | RunStatus::Paused => in_flight || network::missed(state).is_some(),
        RunStatus::Done | RunStatus::Stopped | RunStatus::Failed | RunStatus::Cancelled => false,
    }
}

fn check_edit(entries: &[Entry], edit: &Edited, at: Seq) -> Result<(), EngineError> {
    use bwana_types::entry::{Body, CallResult};
    let bad = |why| {
        Err(EngineError::BadEdit {
            replace: edit.replace,
            at,
            why,
        })
    };
    let Some(entry) = edit
        .replace
        .checked_sub(1)
        .and_then(|index| entries.get(usize::try_from(index).ok()?))
    else {
        return bad("it lies behind the fork or does not exist");
    };
    let fits = match (&entry.body, &edit.edit) {
        (Body::RunCreated(_), Edit::Input(_)) => true,
        (Body::MessagePosted(_) | Body::PersonSaid(_), Edit::Text(_)) => true,
        (Body::CallFinished(done), Edit::Text(_)) => matches!(done.result, CallResult::Model(_)),
        (Body::CallFinished(done), Edit::Result(_)) => matches!(done.result, CallResult::Tool(_)),
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        bad(
            "use \"input\" for run_created, \"text\" for message_posted or a model's call_finished, \"result\" for a tool's",
        )
    }
}
