//! A run of five steps by three agents, killed and taken up again: at every boundary of its journal, and at random
//! instants. Nothing that was written is lost, nothing that was finished is asked again, and it ends like a run that
//! nobody disturbed.
//!
//! The boundaries need the feature `fault-points`. Random cases come from a seed: `SEED=n` repeats one, `BWANA_FULL=1`
//! runs five times as many.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bwana_testkit::bwana::PATIENCE;
use bwana_testkit::model_server::{ModelServer, Options};
use bwana_testkit::{Bwana, Journal, Output, Rng};
use serde_json::Value;

/// Fifteen model calls, one after the other.
const PLAIN: &str = r"
schema: bwana.agent/v1
id: first
name: First
instructions: You are the first.
---
schema: bwana.agent/v1
id: second
name: Second
instructions: You are the second.
---
schema: bwana.agent/v1
id: third
name: Third
instructions: You are the third.
---
schema: bwana.workflow/v1
id: work
name: Work
agents: [first, second, third]
steps: [Look, Think, Draw, Build, Test]
";
const PLAIN_CALLS: u64 = 15;

/// Seven model calls, up to three at once.
const BRANCHES: &str = r"
schema: bwana.agent/v1
id: first
name: First
instructions: You are the first.
---
schema: bwana.workflow/v1
id: work
name: Work
agents: [first]
steps:
  - Look
  - id: both
    name: Both
    parallel:
      width: 3
      steps: [{name: North}, {name: East}, {name: South}, {name: West}]
  - Decide
  - Close
";
const BRANCHES_CALLS: u64 = 7;

/// A home to begin from, a model, and what an undisturbed run comes to.
struct Stage {
    bwana: Bwana,
    model: ModelServer,
    calls: u64,
    whole: Outcome,
    /// How long an undisturbed run takes.
    takes: Duration,
}

/// What a finished run leaves behind, without what differs from run to run.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: Value,
    /// Path, status and text of each step.
    steps: Vec<[Value; 3]>,
    result: Value,
    /// The file with the whole result: name and hash.
    saved: Value,
}

impl Stage {
    fn new(workflow: &str, calls: u64, latency_ms: u64) -> Self {
        let options = Options {
            latency: Duration::from_millis(latency_ms),
            ..Options::default()
        };
        let model = options.start().expect("a model server");
        let bwana = Bwana::new(env!("CARGO_BIN_EXE_bwana"));
        bwana.add_provider("near", &model.url(), "scripted");
        let started = Instant::now();
        let undisturbed = bwana.copy();
        let run = start(&undisturbed, workflow);
        let takes = started.elapsed();
        let summary = run.expect_code(0).last();
        let whole = outcome(&undisturbed, summary["id"].as_str().expect("a run"));
        assert_eq!(whole.status, "done");
        assert_eq!(
            model.counts().requests,
            calls,
            "an undisturbed run asks once for each call"
        );
        Self {
            bwana,
            model,
            calls,
            whole,
            takes,
        }
    }
}

fn outcome(bwana: &Bwana, run: &str) -> Outcome {
    let shown = bwana
        .run(["runs", "show", run, "--json"])
        .expect_code(0)
        .last();
    let steps = shown["steps"].as_array().expect("steps").iter();
    Outcome {
        status: shown["status"].clone(),
        steps: steps
            .map(|step| ["path", "status", "result"].map(|field| step[field].clone()))
            .collect(),
        result: shown["result"].clone(),
        saved: shown["artifacts"].clone(),
    }
}

/// One run through however many processes it takes.
struct Life<'a> {
    stage: &'a Stage,
    bwana: Bwana,
    workflow: &'a str,
    run: Option<String>,
    journal: Journal,
    /// Deaths that met a call between its intent and its result.
    lost: BTreeMap<u64, u64>,
}

impl<'a> Life<'a> {
    fn new(stage: &'a Stage, workflow: &'a str) -> Self {
        stage.model.reset();
        Self {
            stage,
            bwana: stage.bwana.copy(),
            workflow,
            run: None,
            journal: Journal::default(),
            lost: BTreeMap::new(),
        }
    }

    /// The command that begins the run, or goes on with it.
    fn next_command(&self) -> Vec<String> {
        match &self.run {
            None => begin(&self.bwana, self.workflow),
            Some(run) => ["runs", "resume", run, "--json"].map(String::from).into(),
        }
    }

    /// A process has died: what it had written is still there, and what it had printed was written.
    fn mourn(&mut self, dead: &Output) {
        if self.run.is_none() {
            let listed = self
                .bwana
                .run(["runs", "list", "--json"])
                .expect_code(0)
                .json();
            assert!(listed.len() <= 1, "one run was started: {listed:?}");
            self.run = listed
                .first()
                .map(|run| run["id"].as_str().expect("an id").to_owned());
        }
        let Some(run) = &self.run else {
            assert_eq!(
                dead.json(),
                Vec::<Value>::new(),
                "printed without a journal"
            );
            return;
        };
        let journal = Journal::read(&self.bwana, run);
        journal.must_continue(&self.journal);
        journal.must_contain(&dead.json());
        self.journal = journal;
        self.must_ask_once();
        for call in self.journal.open_calls() {
            *self.lost.entry(call).or_default() += 1;
        }
    }

    /// The run goes on undisturbed, and ends as if nothing had happened.
    fn end(mut self) {
        if !self.is_over() {
            let last = self.bwana.run(self.next_command()).expect_code(0);
            let run = last.last()["id"].as_str().expect("a run").to_owned();
            assert!(
                self.run.as_ref().is_none_or(|known| *known == run),
                "another run"
            );
            let journal = Journal::read(&self.bwana, &run);
            journal.must_continue(&self.journal);
            journal.must_contain(&last.json());
            (self.journal, self.run) = (journal, Some(run));
        }
        self.must_ask_once();
        let run = self.run.expect("a run at the end");
        assert_eq!(outcome(&self.bwana, &run), self.stage.whole);
        let finished = self.journal.of_type("call_finished").count() as u64;
        assert_eq!(
            finished, self.stage.calls,
            "a call was finished twice, or not at all"
        );
        let asked = self.stage.model.counts().requests;
        let most = self.stage.calls + self.lost.values().sum::<u64>();
        assert!(asked <= most, "{asked} requests, {most} can be explained");
    }

    fn is_over(&self) -> bool {
        self.journal.of_type("run_ended").next().is_some()
    }

    /// A finished call was asked once, and once more for every death in the middle of it.
    fn must_ask_once(&self) {
        let counts = self.stage.model.counts();
        for (call, mark) in self.journal.marks() {
            let asked = counts.of_mark(&mark).requests;
            let most = 1 + self.lost.get(&call).copied().unwrap_or_default();
            assert!(
                (1..=most).contains(&asked),
                "call {call} was asked {asked} times, {most} can be explained"
            );
        }
    }
}

fn begin(bwana: &Bwana, workflow: &str) -> Vec<String> {
    let file = bwana.file("work.yaml", workflow).display().to_string();
    ["run", &file, "--input", "A bakery in Kisumu", "--json"]
        .map(String::from)
        .into()
}

fn start(bwana: &Bwana, workflow: &str) -> Output {
    bwana.run(begin(bwana, workflow))
}

/// Kills at random instants: between the start of a process and a little after its expected end, up to three times.
fn random_case(stage: &Stage, workflow: &str, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut life = Life::new(stage, workflow);
    let most = u64::try_from(stage.takes.as_micros()).unwrap_or(u64::MAX);
    for _ in 0..rng.between(1, 3) {
        if life.is_over() {
            break;
        }
        let process = life.bwana.spawn(life.next_command());
        // The instant is the point; nothing is waited for.
        std::thread::sleep(Duration::from_micros(rng.below(most + most / 8)));
        let dead = process.kill();
        life.mourn(&dead);
    }
    life.end();
}

/// Random cases in all, shared out to tests that run side by side.
const RANDOM_CASES: u64 = 100;
const RANDOM_CASES_FULL: u64 = 500;
const SHARES: u64 = 4;

fn random_share(share: u64) {
    let full = std::env::var("BWANA_FULL").is_ok_and(|full| full == "1");
    let count = if full {
        RANDOM_CASES_FULL
    } else {
        RANDOM_CASES
    } / SHARES;
    let only: Option<u64> = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut seeds: Vec<u64> = (share * count..(share + 1) * count).collect();
    if let Some(seed) = only {
        seeds = if share == 0 { vec![seed] } else { Vec::new() };
    }
    // Every fifth case has calls side by side.
    let is_plain = |seed: &u64| seed % 5 != 4;
    let (plain, branches): (Vec<u64>, Vec<u64>) = seeds.into_iter().partition(is_plain);
    for (workflow, calls, seeds) in [
        (PLAIN, PLAIN_CALLS, plain),
        (BRANCHES, BRANCHES_CALLS, branches),
    ] {
        if seeds.is_empty() {
            continue;
        }
        let stage = Stage::new(workflow, calls, LATENCY_MS);
        for seed in seeds {
            eprintln!(
                "repeat with: SEED={seed} cargo nextest run -p bwana-cli --test crash random_instant_0"
            );
            random_case(&stage, workflow, seed);
        }
    }
}

/// Long enough for many instants to fall into calls, short enough for hundreds of cases.
const LATENCY_MS: u64 = 4;

#[test]
fn random_instant_0() {
    random_share(0);
}

#[test]
fn random_instant_1() {
    random_share(1);
}

#[test]
fn random_instant_2() {
    random_share(2);
}

#[test]
fn random_instant_3() {
    random_share(3);
}

#[test]
fn killed_while_the_model_answers_only_that_call_is_asked_again() {
    let stage = Stage::new(PLAIN, PLAIN_CALLS, 0);
    for answered in [0, 1, 7, 14] {
        let mut life = Life::new(&stage, PLAIN);
        stage.model.hold();
        stage.model.release(answered);
        let process = life.bwana.spawn(life.next_command());
        let held = stage.model.wait_for(PATIENCE, |counts| {
            counts.answered == answered && counts.waiting == 1
        });
        assert!(held, "{:?}", stage.model.counts());
        let dead = process.kill();
        stage.model.open();
        life.mourn(&dead);
        assert_eq!(life.lost.len(), 1, "one call was in flight");
        life.end();
        let counts = stage.model.counts();
        assert_eq!((counts.requests, counts.repeated()), (PLAIN_CALLS + 1, 1));
    }
}

#[test]
fn killed_while_three_calls_are_under_way_those_three_are_asked_again() {
    let stage = Stage::new(BRANCHES, BRANCHES_CALLS, 0);
    let mut life = Life::new(&stage, BRANCHES);
    stage.model.hold();
    stage.model.release(1);
    let process = life.bwana.spawn(life.next_command());
    assert!(stage.model.wait_for(PATIENCE, |counts| counts.waiting == 3));
    let dead = process.kill();
    stage.model.open();
    life.mourn(&dead);
    assert_eq!(life.lost.len(), 3);
    life.end();
    assert_eq!(stage.model.counts().repeated(), 3);
}

/// Ends the process at every pass of a named point, one case a pass, until a run gets through without meeting it.
#[cfg(feature = "fault-points")]
fn every_pass_of(point: &str, at_least: u64) {
    let stage = Stage::new(PLAIN, PLAIN_CALLS, 0);
    for pass in 1.. {
        let mut life = Life::new(&stage, PLAIN);
        let mut command = life.bwana.command(life.next_command());
        command.env("BWANA_CRASH_AT", format!("{point}:{pass}"));
        let output = bwana_testkit::Running::start(command, "").finish(PATIENCE);
        if output.code().is_some() {
            output.expect_code(0);
            assert!(pass > at_least, "{point} is passed only {} times", pass - 1);
            return;
        }
        eprintln!("repeat with: BWANA_CRASH_AT={point}:{pass}");
        life.mourn(&output);
        life.end();
    }
}

/// Two batches a turn, as the design says; the points around a commit meet them all.
#[cfg(feature = "fault-points")]
mod boundaries {
    use super::{PLAIN_CALLS, every_pass_of};

    #[test]
    fn before_each_append() {
        every_pass_of("before_append", PLAIN_CALLS);
    }

    #[test]
    fn after_each_append() {
        every_pass_of("after_append", PLAIN_CALLS);
    }

    #[test]
    fn before_each_commit() {
        every_pass_of("before_commit", PLAIN_CALLS);
    }

    #[test]
    fn after_each_commit() {
        every_pass_of("after_commit", PLAIN_CALLS);
    }

    #[test]
    fn before_each_sync() {
        every_pass_of("before_sync", 1);
    }

    #[test]
    fn after_each_sync() {
        every_pass_of("after_sync", 1);
    }
}
