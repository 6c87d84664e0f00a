//! One run's task: the only owner of its state. It takes one input at a time, writes what follows from it, and starts
//! what is outstanding.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bwana_store::{Append, StoreError};
use bwana_types::entry::{Body, Draft, Entry, Seq};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::fault::fault_point;
use bwana_types::money::MicroUsd;
use bwana_types::status::RunStatus;
use bwana_types::time::Timestamp;
use bwana_workflow::machine::{
    CallDone, CallStatus, Control, Input, Obligation, Phase, RunState, apply, decide, outstanding,
};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::assess::{Wish, assess};
use crate::engine::Shared;
use crate::error::EngineError;
use crate::feed::{Feed, Standing};
use crate::network;
use crate::perform::{Attempt, attempt};
use crate::view::{stands_still, view_of};
use crate::{load, report};

/// How long calls in flight may take after a cancel or at a shutdown.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

#[expect(
    clippy::large_enum_variant,
    reason = "commands are few, and each is moved once"
)]
pub(crate) enum Command {
    /// Something happened; the answer says whether it changed anything, once that is committed.
    Input(Input, oneshot::Sender<Result<bool, EngineError>>),
    /// Start nothing more, let calls in flight finish, then go.
    Drain(oneshot::Sender<()>),
}

pub(crate) struct RunTask {
    shared: Arc<Shared>,
    feed: Arc<Feed>,
    state: RunState,
    inbox: mpsc::Receiver<Command>,
    attempts: FuturesUnordered<Attempt>,
    /// Attempts under way.
    flying: HashMap<(Seq, u32), CancellationToken>,
    /// Journal position of the last entry of this run.
    pos: i64,
    /// Batches that wait to be told, each with the position that must be durable first.
    untold: VecDeque<(Vec<Entry>, Option<i64>)>,
    barrier: Option<Barrier>,
    /// Ends when the provider that this run stands still for answers again.
    network: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    grace: Option<Instant>,
    draining: Option<oneshot::Sender<()>>,
}

/// A task that panics takes nobody with it: whoever waits for the run is told that it stands.
struct ToldOfPanic {
    feed: Arc<Feed>,
    status: RunStatus,
}

impl Drop for ToldOfPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let message = "the program made a mistake in the middle of this run";
            self.feed.stand(Standing {
                status: self.status,
                still: true,
                view: None,
                failure: Some(ApiError::new(ErrorCode::Internal, message)),
            });
            self.feed.close();
        }
    }
}

type Barrier = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// What woke the task.
enum Event {
    Command(Command),
    Input(Input),
    Told(Result<(), StoreError>),
    /// Nobody can reach this run any more.
    Orphaned,
}

impl RunTask {
    pub(crate) fn new(
        shared: Arc<Shared>,
        feed: Arc<Feed>,
        state: RunState,
        pos: i64,
        inbox: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            shared,
            feed,
            state,
            inbox,
            attempts: FuturesUnordered::new(),
            flying: HashMap::new(),
            pos,
            untold: VecDeque::new(),
            barrier: None,
            network: None,
            grace: None,
            draining: None,
        }
    }

    /// Works until the run is over, the engine drains, or the journal cannot be written.
    pub(crate) async fn work(mut self, first: Input) {
        let _told = ToldOfPanic {
            feed: Arc::clone(&self.feed),
            status: self.state.status(),
        };
        self.work_on(first).await;
        self.feed.close();
    }

    async fn work_on(&mut self, first: Input) {
        if let Err(error) = self.take(first).await {
            self.fail(error);
            return;
        }
        while !self.is_over() {
            let outcome = match self.wait().await {
                Event::Input(input) => self.take(input).await.map(drop),
                Event::Command(Command::Input(input, reply)) => {
                    self.take_and_answer(input, reply).await
                }
                Event::Command(Command::Drain(done)) => {
                    self.draining = Some(done);
                    self.grace = Some(Instant::now() + GRACE);
                    Ok(())
                }
                Event::Told(result) => self.tell(result),
                Event::Orphaned => return,
            };
            if let Err(error) = outcome {
                self.fail(error);
                return;
            }
        }
        if let Some(done) = self.draining.take() {
            let _ = done.send(());
        }
    }

    fn is_over(&self) -> bool {
        if self.draining.is_some() {
            let late = self.grace.is_some_and(|grace| grace <= Instant::now());
            return (self.flying.is_empty() || late) && self.untold.is_empty();
        }
        self.state.is_ended() && self.untold.is_empty()
    }

    /// A decision must be durable before it is acted on, so the batch that records it is answered after a barrier.
    async fn take_and_answer(
        &mut self,
        input: Input,
        reply: oneshot::Sender<Result<bool, EngineError>>,
    ) -> Result<(), EngineError> {
        match self.take(input).await {
            Ok(changed) => {
                let _ = reply.send(Ok(changed));
                Ok(())
            }
            Err(error) => {
                // The run stops at its last durable step; whoever asked is told why as well.
                let _ = reply.send(Err(error.clone()));
                Err(error)
            }
        }
    }

    /// One input: decide, apply, append, start. Says whether anything was written.
    async fn take(&mut self, input: Input) -> Result<bool, EngineError> {
        let mut batch = Vec::new();
        self.record(decide(&self.state, input), &mut batch);
        let changed = !batch.is_empty();
        if self.draining.is_none() {
            self.quiesce(&mut batch);
        }
        if !batch.is_empty() {
            self.commit(batch).await?;
        }
        if self.draining.is_none() {
            self.start();
        }
        self.plan_telling();
        Ok(changed)
    }

    /// Everything that follows without anything outside.
    fn quiesce(&mut self, batch: &mut Vec<Entry>) {
        loop {
            let drafts = decide(&self.state, Input::Advance);
            if !drafts.is_empty() {
                self.record(drafts, batch);
                continue;
            }
            let Some(input) = self.at_once() else { return };
            self.record(decide(&self.state, input), batch);
        }
    }

    fn is_flying(&self, call: Seq) -> bool {
        self.flying.keys().any(|(seq, _)| *seq == call)
    }

    /// Obligations that need no waiting: judging a tool call, saving the result, letting go what never began.
    fn at_once(&self) -> Option<Input> {
        outstanding(&self.state)
            .into_iter()
            .find_map(|obligation| match obligation {
                Obligation::Assess {
                    path,
                    agent,
                    model_call,
                    index,
                    tool,
                    args,
                    cut,
                } => {
                    let wish = Wish {
                        path,
                        agent,
                        model_call,
                        index,
                        tool,
                        args,
                        cut,
                    };
                    Some(assess(&self.shared, &self.state, wish))
                }
                Obligation::SaveResult => {
                    Some(Input::ResultSaved(report::save(&self.shared, &self.state)))
                }
                // Intended and unwanted within one batch, as in the branch of a race that is lost by what else it says.
                Obligation::Abandon { call } if !self.is_flying(call) => Some(Input::CallDone {
                    call,
                    done: CallDone::NeverStarted,
                }),
                Obligation::Perform { .. }
                | Obligation::RetryAt { .. }
                | Obligation::Deadline { .. }
                | Obligation::Abandon { .. } => None,
            })
    }

    fn record(&mut self, drafts: Vec<Draft>, batch: &mut Vec<Entry>) {
        for draft in drafts {
            let at = self.shared.clock.now().max(self.state.now);
            let entry = draft.at(self.state.head + 1, at);
            apply(&mut self.state, &entry);
            batch.push(entry);
        }
    }

    /// Appends the batch in one transaction. A batch that the day's budget refuses is written up to its first
    /// reservation, so that nothing that happened is lost, and the run pauses.
    async fn commit(&mut self, batch: Vec<Entry>) -> Result<(), EngineError> {
        let decided = batch
            .iter()
            .any(|entry| matches!(entry.body, Body::TaskDecided(_) | Body::PersonSaid(_)));
        // Only a batch that holds money back can be refused for the day, so only that one is kept.
        let kept = batch
            .iter()
            .any(|entry| load::reserved(entry) > MicroUsd::ZERO)
            .then(|| batch.clone());
        match (self.append(batch).await, kept) {
            (Ok(()), _) => {}
            (Err(StoreError::DayBudget { left, .. }), Some(batch)) => {
                self.refused_for_today(batch, left).await?
            }
            (Err(error), _) => return Err(error.into()),
        }
        if decided {
            self.shared.store.barrier(self.pos).await?;
        }
        Ok(())
    }

    async fn append(&mut self, entries: Vec<Entry>) -> Result<(), StoreError> {
        fault_point("before_append");
        let append = Append {
            run: self.state.run,
            expected_seq: entries
                .first()
                .map_or(self.state.head, |entry| entry.seq - 1),
            day: self.shared.day_limit(&entries),
            entries,
            row: Some(load::row(&self.state)),
        };
        let appended = self.shared.store.append(append).await?;
        fault_point("after_append");
        self.pos = appended.pos;
        self.queue(appended.entries);
        Ok(())
    }

    async fn refused_for_today(
        &mut self,
        mut batch: Vec<Entry>,
        left: MicroUsd,
    ) -> Result<(), EngineError> {
        let first = batch
            .iter()
            .position(|entry| load::reserved(entry) > MicroUsd::ZERO)
            .unwrap_or(0);
        let wanted = batch.get(first).map_or(MicroUsd::ZERO, load::reserved);
        batch.truncate(first);
        self.state = load::fold_run(&self.shared.store, self.state.run)?;
        for entry in &batch {
            apply(&mut self.state, entry);
        }
        self.record(
            decide(&self.state, Input::DayBudget { wanted, left }),
            &mut batch,
        );
        self.quiesce(&mut batch);
        self.append(batch).await?;
        Ok(())
    }

    /// Starts every obligation that is not under way yet.
    fn start(&mut self) {
        for obligation in outstanding(&self.state) {
            match obligation {
                Obligation::Perform {
                    call,
                    attempt: number,
                } => {
                    if self.flying.contains_key(&(call, number)) {
                        continue;
                    }
                    let cancel = CancellationToken::new();
                    let started = attempt(
                        &self.shared,
                        &self.feed,
                        &self.state,
                        call,
                        self.pos,
                        cancel.clone(),
                    );
                    if let Some(started) = started {
                        self.flying.insert((call, number), cancel);
                        self.attempts.push(started);
                    }
                }
                Obligation::Abandon { call } => {
                    let mine = self.flying.iter().filter(|((seq, _), _)| *seq == call);
                    mine.for_each(|(_, cancel)| cancel.cancel());
                }
                Obligation::RetryAt { .. }
                | Obligation::Deadline { .. }
                | Obligation::Assess { .. }
                | Obligation::SaveResult => {}
            }
        }
        self.network = match network::missed(&self.state) {
            None => None,
            Some(provider) => self.network.take().or_else(|| {
                let (shared, provider) = (Arc::clone(&self.shared), provider.to_owned());
                Some(Box::pin(network::back(shared, provider)))
            }),
        };
        let stopping = matches!(self.state.phase, Phase::Stopping(_));
        if stopping && self.grace.is_none() {
            self.grace = Some(Instant::now() + GRACE);
        }
    }

    async fn wait(&mut self) -> Event {
        let timer = self.next_timer();
        let until = timer.as_ref().map_or_else(Instant::now, |(at, _)| *at);
        tokio::select! {
            biased;
            command = self.inbox.recv() => command.map_or(Event::Orphaned, Event::Command),
            Some((call, number, mut done)) = self.attempts.next() => {
                self.flying.remove(&(call, number));
                if let CallDone::Cancelled { partial } = &mut done {
                    *partial = self.feed.partial(call, 0).map(|(text, _)| text.into());
                }
                self.feed.forget(call);
                Event::Input(Input::CallDone { call, done })
            }
            told = async { self.barrier.as_mut().expect("guarded below").await }, if self.barrier.is_some() => {
                Event::Told(told)
            }
            () = async { self.network.as_mut().expect("guarded below").await }, if self.network.is_some() => {
                self.network = None;
                let by = network::NETWORK.to_owned();
                Event::Input(Input::Control(Control::Resume { by }))
            }
            () = tokio::time::sleep_until(until), if timer.is_some() => {
                Event::Input(timer.map_or(Input::Advance, |(_, input)| input))
            }
        }
    }

    /// The next thing that happens by time alone.
    fn next_timer(&self) -> Option<(Instant, Input)> {
        let now = self.shared.clock.now();
        let instant =
            |at: Timestamp| Instant::now() + Duration::from_millis(at.ms_since(now).unsigned_abs());
        let timers =
            outstanding(&self.state)
                .into_iter()
                .filter_map(|obligation| match obligation {
                    Obligation::RetryAt { call, at } => {
                        Some((instant(at), Input::RetryDue { call }))
                    }
                    Obligation::Deadline { at } => Some((instant(at), Input::Deadline)),
                    Obligation::Perform { .. }
                    | Obligation::Assess { .. }
                    | Obligation::SaveResult
                    | Obligation::Abandon { .. } => None,
                });
        let flying = self
            .state
            .calls
            .values()
            .any(|call| call.status == CallStatus::InFlight);
        let grace = self.grace.filter(|_| flying || self.draining.is_some());
        let grace = grace.map(|at| {
            (
                at,
                if self.draining.is_some() {
                    Input::Advance
                } else {
                    Input::GraceOver
                },
            )
        });
        timers.chain(grace).min_by_key(|(at, _)| *at)
    }

    /// Queues a batch to be told; the end of a step or of the run is told only once it is durable.
    fn queue(&mut self, batch: Vec<Entry>) {
        let ends = batch
            .iter()
            .any(|entry| matches!(entry.body, Body::StepFinished(_) | Body::RunEnded(_)));
        self.untold.push_back((batch, ends.then_some(self.pos)));
    }

    /// Tells what may be told now and waits for the disk where that is needed first.
    fn plan_telling(&mut self) {
        if self.barrier.is_some() {
            self.stand(false);
            return;
        }
        while let Some((_, None)) = self.untold.front() {
            self.tell_next();
        }
        match self.untold.front() {
            Some((_, Some(pos))) => {
                let (store, pos) = (self.shared.store.clone(), *pos);
                self.barrier = Some(Box::pin(async move { store.barrier(pos).await }));
                self.stand(false);
            }
            _ => self.stand(stands_still(&self.state)),
        }
    }

    fn tell(&mut self, result: Result<(), StoreError>) -> Result<(), EngineError> {
        self.barrier = None;
        result?;
        self.tell_next();
        self.plan_telling();
        Ok(())
    }

    fn tell_next(&mut self) {
        if let Some((batch, _)) = self.untold.pop_front() {
            for entry in batch {
                self.feed.publish(Arc::new(entry));
            }
        }
    }

    /// Nothing that is not durable yet is told to stand still.
    fn stand(&self, still: bool) {
        self.feed.stand(Standing {
            status: self.state.status(),
            still,
            view: still.then(|| Arc::new(view_of(&self.state))),
            failure: None,
        });
    }

    fn fail(&self, error: EngineError) {
        let failure: ApiError = error.into();
        tracing::error!(run = %self.state.run, code = %failure.code, "the run stands still: {}", failure.message);
        self.feed.stand(Standing {
            status: self.state.status(),
            still: true,
            view: None,
            failure: Some(failure),
        });
    }
}
