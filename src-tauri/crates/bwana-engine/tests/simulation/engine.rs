//! The whole engine on a virtual clock, with an inline store on a real file: processes that die and take over, people who
//! answer late, twice or never, and an account of everything at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bwana_engine::{Deps, Engine, Options, RunEvent, RunView, StartRun, Wanted, offered, view};
use bwana_store::{Store, TaskFilter};
use bwana_testkit::invariants::Checker;
use bwana_testkit::random::{Mood, definition};
use bwana_testkit::time::TEST_START;
use bwana_testkit::{Rng, SeededIds, TokioClock};
use bwana_tools::{Egress, EgressSettings};
use bwana_types::definition::RunLimits;
use bwana_types::entry::{Body, Entry, When};
use bwana_types::error::ErrorCode;
use bwana_types::grant::GrantScope;
use bwana_types::hash::Hash;
use bwana_types::id::{RunId, TaskId};
use bwana_types::money::MicroUsd;
use bwana_types::status::{RunStatus, StopReason};
use bwana_types::task::{Ask, DecidedBy, TaskKind, Verdict};
use bwana_types::time::{Clock, Timestamp};

use crate::pure::tail;
use crate::world::{SimModels, Weather, World};

/// Processes one life of a run may take.
const PROCESSES_MAX: u32 = 60;
/// Times a person does something in one process before it counts as one that never ends.
const ACTS_MAX: u32 = 400;

/// Virtual time after which a process counts as stuck.
const AGES: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What is left of a simulated life.
pub(crate) struct Life {
    pub(crate) trace: Hash,
    pub(crate) journals: Vec<Vec<Entry>>,
    pub(crate) processes: u32,
}

/// Lives one seed to its end, and checks everything.
pub(crate) fn live(seed: u64) -> Life {
    let mut sim = Sim::new(seed);
    let mut processes = 0;
    loop {
        processes += 1;
        assert!(processes <= PROCESSES_MAX, "it never comes to rest");
        let over = sim.process();
        sim.take_stock();
        if over {
            break;
        }
    }
    sim.settle_accounts();
    let mut lines = Vec::new();
    for journal in &sim.journals {
        for entry in journal {
            lines.push(format!(
                "{entry} {} {}",
                entry.at,
                entry.body.to_json().unwrap()
            ));
        }
    }
    lines.push(format!("{:?}", sim.world.effects()));
    Life {
        trace: Hash::of(lines.join("\n").as_bytes()),
        journals: sim.journals,
        processes,
    }
}

/// An engine of a new process on the data folder `home`.
pub(crate) fn open(
    home: &Path,
    world: &Arc<World>,
    clock: Arc<TokioClock>,
    ids: Arc<SeededIds>,
    (unattended, day_limit): (bool, Option<MicroUsd>),
) -> (Engine, Store) {
    let store = Store::open_inline(home, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    world.give_store(Some(store.clone()));
    let engine = Engine::new(Deps {
        store: store.clone(),
        clock,
        ids,
        tools: world.registry(),
        egress: Egress::new(EgressSettings::default()).unwrap(),
        models: Arc::new(SimModels(Arc::clone(world))),
        redactor: bwana_types::redact::Redactor::new(),
        day_money: Arc::new(move || day_limit),
        options: Options {
            artifacts: home.join("artifacts"),
            unattended,
            time_zone: String::from("Africa/Nairobi"),
        },
    });
    (engine, store)
}

struct Sim {
    seed: u64,
    home: tempfile::TempDir,
    world: Arc<World>,
    ids: Arc<SeededIds>,
    now: Timestamp,
    unattended: bool,
    day_limit: Option<MicroUsd>,
    /// As they were when the last process ended.
    journals: Vec<Vec<Entry>>,
    /// Everything that was told to a watcher, by run.
    told: Arc<Mutex<BTreeMap<RunId, Vec<Entry>>>>,
    sent_again: BTreeMap<Hash, u32>,
    /// The rules, and how many entries they have judged.
    checkers: BTreeMap<RunId, (Checker, usize)>,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed).fork("life");
        let weather = Weather {
            crash_per_mille: *rng.pick(&[0, 30, 120]),
            crashes_max: 12,
            fault_per_mille: *rng.pick(&[0, 100, 300]),
            dies_with_send: None,
            alone: rng.chance(700),
        };
        Self {
            seed,
            home: tempfile::tempdir_in(folder()).unwrap(),
            world: World::new(seed, weather),
            ids: Arc::new(SeededIds::new(seed)),
            now: TEST_START,
            unattended: rng.chance(100),
            day_limit: rng.chance(200).then_some(MicroUsd(200_000)),
            journals: Vec::new(),
            told: Arc::default(),
            sent_again: BTreeMap::new(),
            checkers: BTreeMap::new(),
        }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("home")
    }

    /// One process, from its start to its death or to the end of everything. Says whether everything has come to rest.
    fn process(&mut self) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let over = runtime.block_on(async {
            let clock = Arc::new(TokioClock::starting_at(self.now));
            let over = self.process_inner(Arc::clone(&clock)).await;
            self.now = clock.now();
            over
        });
        // Dropping the runtime drops every task where it stands, as death does.
        drop(runtime);
        self.world.give_store(None);
        let asleep = self.world.draw(|rng| rng.below(3_600_000));
        self.now = Timestamp(self.now.0 + i64::try_from(asleep).unwrap());
        over
    }

    async fn process_inner(&mut self, clock: Arc<TokioClock>) -> bool {
        let (engine, store) = open(
            &self.data(),
            &self.world,
            clock,
            Arc::clone(&self.ids),
            (self.unattended, self.day_limit),
        );
        let world = Arc::clone(&self.world);
        let lifetime = world.draw(|rng| Duration::from_millis(rng.between(1, 60_000)));
        let dies_by_time = world.dies(world.weather.crash_per_mille * 2);
        tokio::select! {
            biased;
            () = world.crash.notified() => false,
            () = tokio::time::sleep(lifetime), if dies_by_time => false,
            () = tokio::time::sleep(AGES) => panic!("nothing moves any more\n{}", self.tails(&store)),
            over = self.steer(&engine, &store) => over,
        }
    }

    /// What people do with the runs. Says whether all of them have come to rest.
    async fn steer(&mut self, engine: &Engine, store: &Store) -> bool {
        if self.world.runs().is_empty() {
            self.start(engine).await;
        } else {
            engine.recover().unwrap();
        }
        for run in self.world.runs() {
            self.follow(engine, run);
        }
        for _ in 0..ACTS_MAX {
            let mut moved = false;
            for run in self.world.runs() {
                let view = self.rest_or_meddle(engine, run).await;
                moved |= self.act(engine, store, &view).await;
            }
            if !moved {
                return true;
            }
        }
        panic!("people have to do something for ever");
    }

    async fn start(&mut self, engine: &Engine) {
        let count = if self.world.weather.alone { 1 } else { 2 };
        for n in 0..count {
            let start = StartRun {
                definition: definition(self.seed.wrapping_add(n << 32), Mood::Wild),
                input: format!("Input {}", self.seed),
                limits: RunLimits::default(),
                by: String::from("test"),
            };
            let run = engine.start(start).await.unwrap();
            self.world.add_run(run);
        }
    }

    /// Writes down what a watcher of the run is told.
    fn follow(&self, engine: &Engine, run: RunId) {
        let mut watch = engine.watch(run, 1).unwrap();
        let told = Arc::clone(&self.told);
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            let mut last = 0;
            while let Some(event) = watch.next().await {
                let RunEvent::Entry(entry) = event else {
                    continue;
                };
                if entry.seq != last + 1 {
                    world.complain(format!("a watcher was told {} after {last}", entry.seq));
                }
                last = entry.seq;
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                let known = told.entry(run).or_default();
                if known.len() < usize::try_from(entry.seq).unwrap() {
                    known.push((*entry).clone());
                }
            }
        });
    }

    /// Waits until the run stands still, unless somebody loses patience first.
    async fn rest_or_meddle(&mut self, engine: &Engine, run: RunId) -> RunView {
        let patience = self.world.draw(|rng| {
            let loses_it = rng.chance(80);
            loses_it.then(|| Duration::from_millis(rng.below(20_000)))
        });
        let Some(patience) = patience else {
            return engine.settle(run).await.unwrap();
        };
        if let Ok(view) = tokio::time::timeout(patience, engine.settle(run)).await {
            return view.unwrap();
        }
        let done = match self.world.draw(|rng| rng.below(6)) {
            0 => engine.cancel(run, "test").await,
            3.. => {
                let when = self
                    .world
                    .draw(|rng| *rng.pick(&[When::Now, When::AfterStep, When::AtEnd]));
                engine.say(run, "Words of a person.", when, "test").await
            }
            _ => engine.pause(run, "test").await,
        };
        match done {
            Ok(()) => {}
            Err(error) if error.code == ErrorCode::RunNotResumable => {}
            Err(error) => panic!("{error:?}"),
        }
        engine.settle(run).await.unwrap()
    }

    /// A person does something about a run that stands still; false if nobody will.
    async fn act(&mut self, engine: &Engine, store: &Store, seen: &RunView) -> bool {
        let run = seen.id;
        self.compare(store, seen);
        if seen.status.is_ended() && seen.tasks.is_empty() {
            return false;
        }
        let (leaves_it, pause) = self
            .world
            .draw(|rng| (rng.chance(60), rng.below(3 * 86_400_000)));
        if leaves_it {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if let Some(task) = seen.tasks.first() {
            self.answer(engine, store, task.id, &task.ask, seen.status)
                .await;
            return true;
        }
        match &seen.stop_reason {
            Some(StopReason::Budget { .. }) => {
                engine.raise(run, plenty(), "test").await.unwrap();
                self.resume_or_cancel(engine, run, 300).await;
            }
            Some(StopReason::Failed { .. }) => self.resume_or_cancel(engine, run, 500).await,
            Some(StopReason::WaitingForNetwork { .. })
                if engine.view(run).unwrap().status.is_ended() =>
            {
                // The network came back while the person was away, and the run went on to its end by itself.
            }
            _ => self.resume_or_cancel(engine, run, 100).await,
        }
        true
    }

    async fn resume_or_cancel(&self, engine: &Engine, run: RunId, cancel_per_mille: u32) {
        if self.world.chance(cancel_per_mille) {
            engine.cancel(run, "test").await.unwrap();
        } else {
            engine.resume(run, "test").await.unwrap();
        }
    }

    async fn answer(
        &mut self,
        engine: &Engine,
        store: &Store,
        task: TaskId,
        ask: &Ask,
        status: RunStatus,
    ) {
        let no = self.world.chance(300);
        let verdict = match ask.kind() {
            TaskKind::Approve | TaskKind::Plan | TaskKind::Price if no => Verdict::Deny {
                reason: String::from("no"),
            },
            TaskKind::Approve | TaskKind::Plan | TaskKind::Price => Verdict::Approve,
            TaskKind::Answer => Verdict::Answer {
                text: String::from("forty-two"),
            },
            TaskKind::Uncertain if no && !status.is_ended() => Verdict::SendAgain,
            TaskKind::Uncertain if self.world.chance(500) => Verdict::GiveUp,
            TaskKind::Uncertain => Verdict::HappenedAlready {
                note: String::new(),
            },
        };
        let key = key_of(store, task);
        if verdict == Verdict::SendAgain {
            // Counted before it is said: a process may die between the decision and its answer.
            *self.sent_again.entry(key.expect("a key")).or_default() += 1;
        }
        let wanted = self.wanted(ask, &verdict);
        let by = DecidedBy::LocalCli;
        if let Err(error) = engine.decide_on(task, verdict, &wanted, by).await {
            panic!("{error:?}\n{}", self.tails(store));
        }
        if self.world.chance(200) {
            let again = engine
                .decide(task, Verdict::Approve, DecidedBy::LocalUi)
                .await;
            let code = again.expect_err("the first decision wins").code;
            let told = [ErrorCode::TaskAlreadyDecided, ErrorCode::TaskWrongAnswer];
            assert!(told.contains(&code), "{code}");
        }
        let open = TaskFilter {
            open: Some(true),
            ..TaskFilter::default()
        };
        let open = store.tasks(&open).unwrap();
        assert!(
            open.iter().all(|one| one.id != task),
            "a decided task is still open"
        );
    }

    /// What a person adds to an answer, now and then: one of the grants that are offered.
    fn wanted(&self, ask: &Ask, verdict: &Verdict) -> Wanted {
        let denies = match verdict {
            Verdict::Approve => false,
            Verdict::Deny { .. } => true,
            _ => return Wanted::default(),
        };
        let offers = offered(ask).into_iter();
        let mut fitting = offers.filter(|(scope, _)| (*scope == GrantScope::Never) == denies);
        let often = if denies { 100 } else { 400 };
        match fitting.next_back().filter(|_| self.world.chance(often)) {
            None => Wanted::default(),
            Some((scope, pattern)) => Wanted {
                scope: Some(scope),
                pattern: Some(pattern.clone()),
                edit: None,
            },
        }
    }

    /// The ends of all journals, for a failure's message.
    fn tails(&self, store: &Store) -> String {
        let runs = self.world.runs();
        let tails = runs.iter().map(|run| {
            let journal = store.load(*run).unwrap();
            let state = bwana_engine::fold_run(store, *run).unwrap();
            let calls = state.calls.iter();
            let open: Vec<_> = calls
                .map(|(seq, call)| (seq, &*call.path, &call.status))
                .collect();
            let tasks: Vec<_> = state.tasks.keys().collect();
            format!(
                "{run} {:?} {open:?} {tasks:?}\n{}",
                state.phase,
                tail(&journal)
            )
        });
        tails.collect()
    }

    /// What was told is what the journal gives back.
    fn compare(&self, store: &Store, seen: &RunView) {
        let folded = view(store, seen.id).unwrap();
        if folded.head == seen.head {
            assert_eq!(folded, *seen, "the live view is not the journal's");
        }
        let info = store.run(seen.id).unwrap();
        assert_eq!(
            info.row.status, folded.status,
            "the list says something else"
        );
        assert_eq!(info.head_seq, folded.head);
    }

    /// After a process: nothing that was there is gone or changed, and no rule was broken.
    fn take_stock(&mut self) {
        assert_eq!(self.world.complaints(), Vec::<String>::new());
        if self.world.runs().is_empty() {
            return;
        }
        let clock = Arc::new(bwana_testkit::ManualClock::new(self.now));
        let store = Store::open_inline(&self.data(), clock).unwrap();
        let runs = self.world.runs();
        let journals: Vec<Vec<Entry>> = runs.iter().map(|run| store.load(*run).unwrap()).collect();
        for (before, after) in self.journals.iter().zip(&journals) {
            assert!(after.starts_with(before), "an entry was lost or changed");
        }
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for (run, journal) in runs.iter().zip(&journals) {
            let told = told.get(run).map_or(&[][..], Vec::as_slice);
            assert!(
                journal.starts_with(told),
                "something was told that is not in the journal"
            );
            let checker = self.checkers.entry(*run).or_insert_with(|| {
                let definition = Arc::new(definition_of(&store, *run));
                (Checker::new(definition, run.to_string()), 0)
            });
            for entry in &journal[checker.1..] {
                if let Err(broken) = checker.0.entry(entry) {
                    panic!("{broken}\n{}", tail(journal));
                }
            }
            checker.1 = journal.len();
        }
        drop(told);
        self.journals = journals;
    }

    /// At the very end: effects and money.
    fn settle_accounts(&self) {
        for (key, times) in self.world.effects() {
            let allowed = 1 + self.sent_again.get(&key).copied().unwrap_or_default();
            assert!(
                times <= allowed,
                "an effect happened {times} times, {allowed} allowed"
            );
        }
        let mut spent = 0;
        let mut over = true;
        for journal in &self.journals {
            over &= matches!(
                journal.last().map(|entry| &entry.body),
                Some(Body::RunEnded(_))
            );
            spent += journal.iter().map(cost).sum::<i64>();
        }
        let clock = Arc::new(bwana_testkit::ManualClock::new(self.now));
        let store = Store::open_inline(&self.data(), clock).unwrap();
        let mut booked = 0;
        let mut day = TEST_START;
        while day.ms_since(self.now) == 0
            || day.day_in("Africa/Nairobi") == self.now.day_in("Africa/Nairobi")
        {
            let of_day = store.day_spent(&day.day_in("Africa/Nairobi")).unwrap();
            booked += of_day.settled.0;
            if over {
                assert_eq!(
                    of_day.reserved,
                    MicroUsd::ZERO,
                    "money is held back for nothing"
                );
            }
            day = Timestamp(day.0 + 86_400_000);
        }
        assert_eq!(booked, spent, "the days' money is not the journals'");
    }
}

/// What an entry settles.
fn cost(entry: &Entry) -> i64 {
    use bwana_types::entry::CallResult;
    let cost = match &entry.body {
        Body::CallFinished(one) => match &one.result {
            CallResult::Model(result) => result.cost,
            CallResult::Tool(_) => None,
        },
        Body::CallFailed(one) => one.cost,
        Body::CallInterrupted(one) => one.cost,
        _ => None,
    };
    cost.unwrap_or_default().0
}

/// The key of the call an uncertain task is about.
fn key_of(store: &Store, task: TaskId) -> Option<Hash> {
    let info = store.task(task).unwrap();
    let journal = store.load(info.run).unwrap();
    let Body::TaskOpened(opened) = &journal[usize::try_from(info.seq).unwrap() - 1].body else {
        panic!("a task that no entry opened");
    };
    let intent = &journal[usize::try_from(opened.call?).unwrap() - 1];
    match &intent.body {
        Body::CallIntended(intended) => intended.key,
        other => panic!("an intent that is {}", other.kind()),
    }
}

fn definition_of(store: &Store, run: RunId) -> bwana_types::definition::Definition {
    serde_json::from_slice(&store.definition_of(run).unwrap()).unwrap()
}

fn plenty() -> RunLimits {
    RunLimits {
        micro_usd: Some(MicroUsd(1_000_000_000)),
        tokens: Some(100_000_000),
        calls: Some(100_000),
        turns: Some(100_000),
        elapsed_ms: None,
    }
}

/// Where the files of a simulation lie: in memory where the system offers that, because nothing here is about disks.
pub(crate) fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}
