//! A message that must not be sent twice, and the approval it needs, with a process killed at every point around the
//! sending and at random instants: it is received at most once; where nobody can know, a person is asked; and what a
//! person has said is kept, asked once, and holds for nothing else.
//!
//! Some points need the feature `fault-points`. Random cases come from a seed: `SEED=n` repeats one, `BWANA_FULL=1`
//! runs five times as many.

use std::time::{Duration, Instant};

use bwana_testkit::bwana::PATIENCE;
use bwana_testkit::effects::{After, EffectServer};
use bwana_testkit::model_server::{ModelServer, Options};
use bwana_testkit::{Bwana, Journal, Output, Rng, Script};
use serde_json::{Value, json};

const WORKFLOW: &str = r"
schema: bwana.agent/v1
id: caller
name: Caller
instructions: You tell others.
tools: [webhook.send]
---
schema: bwana.workflow/v1
id: tell
name: Tell
agents: [caller]
steps: [Tell them]
";

/// A home in which a run waits at a certain place, and the world around it.
struct Stage {
    bwana: Bwana,
    run: String,
    hook: EffectServer,
    _model: ModelServer,
}

impl Stage {
    /// A run whose message waits for a person.
    fn waiting() -> Self {
        let hook = EffectServer::start().expect("an effect server");
        let args = json!({"url": hook.url("hook"), "title": "News", "body": {"news": "{digest}"}});
        let script = Script::default().calls_once("webhook.send", args);
        let model = Options::scripted(script).start().expect("a model server");
        let bwana = Bwana::new(env!("CARGO_BIN_EXE_bwana"));
        bwana.add_provider("near", &model.url(), "scripted");
        bwana
            .run(["egress", "allow", &hook.address().to_string()])
            .expect_code(0);
        let file = bwana.file("tell.yaml", WORKFLOW).display().to_string();
        let summary = bwana
            .run(["run", &file, "--input", "We have moved", "--json"])
            .expect_code(3)
            .last();
        let run = summary["id"].as_str().expect("a run").to_owned();
        Self {
            bwana,
            run,
            hook,
            _model: model,
        }
    }

    /// A run whose message may be sent, and is not yet.
    fn approved() -> Self {
        let stage = Self::waiting();
        let case = Case::of(&stage);
        let task = case.open_task("approve");
        stage.bwana.run(["tasks", "approve", &task]).expect_code(0);
        assert_eq!(stage.hook.effects().total(), 0, "approving does not send");
        stage
    }
}

/// One copy of a stage's home, to be killed in.
struct Case<'a> {
    stage: &'a Stage,
    bwana: Bwana,
}

impl<'a> Case<'a> {
    fn new(stage: &'a Stage) -> Self {
        stage.hook.reset();
        Self {
            stage,
            bwana: stage.bwana.copy(),
        }
    }

    /// The stage's own home.
    fn of(stage: &'a Stage) -> Self {
        Self {
            stage,
            bwana: stage.bwana.copy(),
        }
    }

    fn resume(&self) -> Vec<&str> {
        vec!["runs", "resume", &self.stage.run, "--json"]
    }

    fn journal(&self) -> Journal {
        Journal::read(&self.bwana, &self.stage.run)
    }

    fn open_tasks(&self) -> Vec<Value> {
        self.bwana
            .run(["tasks", "list", "--json"])
            .expect_code(0)
            .json()
    }

    /// The one open task, which must be of this kind.
    #[track_caller]
    fn open_task(&self, kind: &str) -> String {
        let open = self.open_tasks();
        assert_eq!(open.len(), 1, "{open:#?}");
        assert_eq!(open[0]["ask"]["kind"], kind, "{open:#?}");
        open[0]["id"].as_str().expect("an id").to_owned()
    }

    fn received(&self) -> usize {
        self.stage.hook.effects().total()
    }

    /// Runs to where the run stands, with the process ended at a named point.
    #[cfg(feature = "fault-points")]
    fn crash_at(&self, args: &[&str], point: &str, pass: u64) -> Output {
        let mut command = self.bwana.command(args);
        command.env("BWANA_CRASH_AT", format!("{point}:{pass}"));
        bwana_testkit::Running::start(command, "").finish(PATIENCE)
    }

    /// A process that was to send has died. Whatever it had done, nothing is sent again without a person.
    fn recover(&self, dead: &Output) {
        let before = self.journal();
        before.must_contain(&dead.json());
        let sent = self.received();
        assert!(sent <= 1, "received {sent} times");
        let over = before.of_type("run_ended").count() == 1;
        if over {
            assert_eq!(sent, 1);
        } else if is_in_doubt(&before) {
            self.settle_doubt(&before);
        } else {
            self.bwana.run(self.resume()).expect_code(0);
            assert_eq!(
                self.received(),
                1,
                "sent once, whether before or after the death"
            );
        }
        let after = self.journal();
        after.must_continue(&before);
        must_have_asked_once(&after);
    }

    fn settle_doubt(&self, before: &Journal) {
        let waiting = self.bwana.run(self.resume()).expect_code(3).last();
        assert_eq!(waiting["status"], "waiting", "{waiting:#}");
        let journal = self.journal();
        journal.must_continue(before);
        for kind in ["call_intended", "call_retried"] {
            let (then, now) = (before.of_type(kind).count(), journal.of_type(kind).count());
            assert_eq!(then, now, "nothing is sent while it is in doubt");
        }
        // Counted only now: what the dead process had sent may still have been on its way to the other side.
        let sent = self.received();
        assert_eq!(journal.of_type("call_uncertain").count(), 1);
        let task = self.open_task("uncertain");
        let outcome = if sent == 1 { "happened" } else { "send-again" };
        self.bwana
            .run(["tasks", "resolve", &task, outcome])
            .expect_code(0);
        let done = self.bwana.run(self.resume()).expect_code(0).last();
        assert_eq!(done["status"], "done");
        assert_eq!(self.received(), 1, "the person's word counts");
    }
}

/// Whether the message was intended and nobody wrote down what came of it.
fn is_in_doubt(journal: &Journal) -> bool {
    let sends = journal
        .of_type("call_intended")
        .filter(|event| event["call"]["tool"] == "webhook.send");
    let open = journal.open_calls();
    let doubts = journal.of_type("call_uncertain").count();
    let settled = journal.of_type("task_decided").count();
    sends
        .filter_map(|event| event["seq"].as_u64())
        .any(|call| open.contains(&call))
        || doubts >= settled && doubts > 0
}

/// The person was asked for this message once, and said yes once.
fn must_have_asked_once(journal: &Journal) {
    let asked: Vec<&Value> = journal
        .of_type("task_opened")
        .filter(|event| event["ask"]["kind"] == "approve")
        .collect();
    assert_eq!(asked.len(), 1, "{asked:#?}");
    let answers = journal
        .of_type("task_decided")
        .filter(|event| event["task"] == asked[0]["seq"])
        .count();
    assert_eq!(answers, 1, "decided once");
}

#[test]
fn killed_between_sending_and_the_answer_it_waits_for_a_person() {
    let stage = Stage::approved();
    stage.hook.then(After::Hold);
    let case = Case::new(&stage);
    let process = case.bwana.spawn(case.resume());
    assert!(
        stage
            .hook
            .wait_for(PATIENCE, |effects| effects.total() == 1)
    );
    let dead = process.kill();
    stage.hook.then(After::Answer);
    assert!(is_in_doubt(&case.journal()));
    case.recover(&dead);
}

#[test]
fn a_connection_that_breaks_after_sending_is_a_question_and_not_a_second_message() {
    let stage = Stage::approved();
    for after in [After::Drop, After::Break] {
        let case = Case::new(&stage);
        stage.hook.then(after);
        let output = case.bwana.run(case.resume());
        assert_eq!(case.received(), 1, "{after:?}\n{output}");
        // An answer that breaks after its status is an answer.
        if after == After::Drop {
            output.expect_code(3);
            case.open_task("uncertain");
        } else {
            output.expect_code(0);
        }
    }
}

#[test]
fn an_approval_of_a_run_is_none_of_its_fork() {
    let stage = Stage::approved();
    let case = Case::new(&stage);
    let journal = case.journal();
    let decided = journal.of_type("task_decided").next().expect("a decision");
    let at = decided["seq"].to_string();
    let fork = case
        .bwana
        .run(["runs", "fork", &stage.run, "--at", &at, "--json"])
        .expect_code(0)
        .last();
    let fork = fork["id"].as_str().expect("a fork").to_owned();
    case.bwana
        .run(["runs", "resume", &fork, "--json"])
        .expect_code(3);
    assert_eq!(case.received(), 0, "the fork asks anew");
    let task = case.open_task("approve");
    case.bwana
        .run(["tasks", "deny", &task, "--reason", "not this one"])
        .expect_code(0);
    case.bwana
        .run(["runs", "resume", &fork, "--json"])
        .expect_code(0);
    assert_eq!(case.received(), 0);
    case.bwana.run(case.resume()).expect_code(0);
    assert_eq!(case.received(), 1, "the run itself keeps its approval");
}

#[test]
fn without_anybody_to_ask_nothing_is_sent() {
    let stage = Stage::waiting();
    let case = Case::new(&stage);
    let task = case.open_task("approve");
    case.bwana.run(case.resume()).expect_code(3);
    assert_eq!(
        case.open_task("approve"),
        task,
        "the same question, not a second one"
    );
    assert_eq!(case.received(), 0);
}

/// Kills the sending process at a random instant.
fn random_case(stage: &Stage, takes: Duration, seed: u64) {
    let mut rng = Rng::new(seed);
    let case = Case::new(stage);
    stage
        .hook
        .then(After::Delay(Duration::from_millis(rng.below(8))));
    let process = case.bwana.spawn(case.resume());
    let most = u64::try_from(takes.as_micros()).unwrap_or(u64::MAX);
    // The instant is the point; nothing is waited for.
    std::thread::sleep(Duration::from_micros(rng.below(most + most / 8)));
    let dead = process.kill();
    stage.hook.then(After::Answer);
    case.recover(&dead);
}

const RANDOM_CASES: u64 = 70;
const RANDOM_CASES_FULL: u64 = 350;
const SHARES: u64 = 2;

fn random_share(share: u64) {
    let stage = Stage::approved();
    let undisturbed = Case::new(&stage);
    let started = Instant::now();
    undisturbed.bwana.run(undisturbed.resume()).expect_code(0);
    let takes = started.elapsed();
    assert_eq!(undisturbed.received(), 1);
    let full = std::env::var("BWANA_FULL").is_ok_and(|full| full == "1");
    let count = if full {
        RANDOM_CASES_FULL
    } else {
        RANDOM_CASES
    } / SHARES;
    let seeds = match std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        Some(seed) => seed..seed + 1,
        None => share * count..(share + 1) * count,
    };
    for seed in seeds {
        eprintln!(
            "repeat with: SEED={seed} cargo nextest run -p bwana-cli --test webhook_crash random_instant_0"
        );
        random_case(&stage, takes, seed);
    }
}

#[test]
fn random_instant_0() {
    random_share(0);
}

#[test]
fn random_instant_1() {
    random_share(1);
}

#[cfg(feature = "fault-points")]
mod points {
    use super::{Case, Stage, must_have_asked_once};

    /// Ends the sending process at every pass of a point, until it gets through; says how often that was.
    fn every_pass_of(point: &str) -> u64 {
        let stage = Stage::approved();
        for pass in 1.. {
            let case = Case::new(&stage);
            let output = case.crash_at(&case.resume(), point, pass);
            if output.code().is_some() {
                output.expect_code(0);
                assert_eq!(case.received(), 1);
                return pass - 1;
            }
            eprintln!("repeat with: BWANA_CRASH_AT={point}:{pass}");
            case.recover(&output);
        }
        unreachable!("a process passes a point so often")
    }

    #[test]
    fn just_before_and_just_after_sending() {
        assert_eq!(every_pass_of("before_effect"), 1);
        assert_eq!(every_pass_of("after_effect"), 1);
    }

    #[test]
    fn at_every_append_and_commit_around_it() {
        for point in [
            "before_append",
            "after_append",
            "before_commit",
            "after_commit",
        ] {
            let passes = every_pass_of(point);
            assert!(passes >= 3, "{point} is passed only {passes} times");
        }
    }

    #[test]
    fn at_every_sync_around_it() {
        for point in ["before_sync", "after_sync"] {
            assert!(every_pass_of(point) >= 2, "the intent, and the end");
        }
    }

    /// The process that records the decision dies: it is recorded or it is not, and never twice.
    #[test]
    fn a_decision_survives_or_was_never_made() {
        let stage = Stage::waiting();
        for point in ["before_commit", "after_commit", "before_sync", "after_sync"] {
            for pass in 1.. {
                let case = Case::new(&stage);
                let task = case.open_task("approve");
                let output = case.crash_at(&["tasks", "approve", &task], point, pass);
                if output.code().is_some() {
                    output.expect_code(0);
                    assert!(pass > 1, "{point} is never passed");
                    break;
                }
                let decided = case.journal().of_type("task_decided").count() == 1;
                let again = case.bwana.run(["tasks", "approve", &task, "--json"]);
                if decided {
                    assert_eq!(again.expect_code(2).last()["code"], "task.already_decided");
                } else {
                    again.expect_code(0);
                }
                assert_eq!(case.received(), 0, "approving does not send");
                case.bwana.run(case.resume()).expect_code(0);
                assert_eq!(case.received(), 1);
                must_have_asked_once(&case.journal());
            }
        }
    }
}
