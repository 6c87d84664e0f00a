//! What must be true of every journal, checked entry by entry: a second reading of the rules, written apart from the
//! machine, so that a mistake in one is not repeated in the other.
//!
//! The order of things is judged here; steps, calls, money and questions to people in files of their own.

mod calls;
mod ledger;
mod people;
mod steps;
mod words;

use std::sync::Arc;

use bwana_types::definition::Definition;
use bwana_types::entry::{
    Body, Call, CallIntended, CallRetried, Entry, MessagePosted, Seq, TaskOpened,
};
use bwana_types::status::StopReason;
use bwana_types::task::Ask;
use bwana_types::time::Timestamp;

use calls::Calls;
use ledger::Books;
use people::People;
use steps::Steps;
use words::Words;

/// Reads a journal and complains at the first entry that breaks a rule.
pub struct Checker {
    definition: Arc<Definition>,
    run: String,
    head: Seq,
    at: Timestamp,
    phase: Phase,
    steps: Steps,
    calls: Calls,
    people: People,
    books: Books,
    words: Words,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Running,
    /// A limit was hit; the pause must follow before anything new begins.
    Exhausted,
    Paused,
    Stopping,
    Ended,
}

impl Phase {
    fn after(self, body: &Body) -> Self {
        match body {
            Body::RunCreated(_) | Body::RunResumed(_) => Self::Running,
            Body::BudgetExhausted(_) => Self::Exhausted,
            Body::RunPaused(_) => Self::Paused,
            Body::RunStopping(_) => Self::Stopping,
            Body::RunEnded(_) => Self::Ended,
            _ => self,
        }
    }
}

type Verdict = Result<(), String>;

/// Fails with a message made of format arguments unless the condition holds.
macro_rules! must {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(format!($($message)+));
        }
    };
}
use must;

impl Checker {
    /// `run` is the id under which approvals are bound.
    pub fn new(definition: Arc<Definition>, run: impl Into<String>) -> Self {
        let steps = Steps::new(Arc::clone(&definition));
        Self {
            books: Books::new(&definition, &steps.defs),
            definition,
            steps,
            run: run.into(),
            head: 0,
            at: Timestamp(i64::MIN),
            phase: Phase::New,
            calls: Calls::default(),
            people: People::default(),
            words: Words::default(),
        }
    }

    /// A whole journal.
    ///
    /// # Errors
    /// The first broken rule and the entry that broke it.
    pub fn check(definition: &Arc<Definition>, run: &str, entries: &[Entry]) -> Result<(), String> {
        let mut checker = Self::new(Arc::clone(definition), run);
        entries.iter().try_for_each(|entry| checker.entry(entry))
    }

    /// The next entry.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        self.judge(entry)
            .map_err(|rule| format!("entry {entry}: {rule}"))?;
        self.head = entry.seq;
        self.at = entry.at;
        Ok(())
    }

    /// Calls that are intended and have no final result.
    pub fn open_calls(&self) -> Vec<Seq> {
        self.calls.open()
    }

    fn judge(&mut self, entry: &Entry) -> Verdict {
        must!(
            entry.seq == self.head + 1,
            "a gap: it follows {}",
            self.head
        );
        must!(entry.at >= self.at, "time runs backwards from {}", self.at);
        self.judge_phase(&entry.body)?;
        self.judge_body(entry)?;
        self.phase = self.phase.after(&entry.body);
        Ok(())
    }

    /// What the rules of its kind say; the order of kinds has been judged.
    fn judge_body(&mut self, entry: &Entry) -> Verdict {
        let path = &*entry.path;
        match &entry.body {
            Body::RunCreated(created) => {
                self.books.limit_run(created.limits);
                Ok(())
            }
            Body::StepStarted(_) => {
                self.words.step(path);
                self.steps.started(path, &self.people)
            }
            Body::StepFinished(finished) => self.steps.finished(path, finished, &self.calls),
            Body::SpeakerChosen(chosen) => {
                if let Some(answers) = chosen.answers {
                    self.words.last_turn(answers)?;
                }
                self.steps.speaker(path, chosen, &mut self.books)
            }
            Body::MessagePosted(posted) => self.posted(path, entry.seq, posted),
            Body::PersonSaid(said) => self.words.said(entry.seq, said),
            Body::CallIntended(intended) => self.call_intended(entry, intended),
            Body::CallRetried(retried) => self.call_retried(entry, retried),
            Body::CallFinished(finished) => {
                let (usage, cost) = self.calls.finished(entry.seq, finished)?;
                self.books.settle(finished.call, usage, cost);
                Ok(())
            }
            Body::CallFailed(failed) => {
                self.calls.failed(failed)?;
                self.books.settle(failed.call, failed.usage, failed.cost);
                Ok(())
            }
            Body::CallInterrupted(lost) => {
                self.calls.interrupted(lost)?;
                self.books.settle(lost.call, lost.usage, lost.cost);
                Ok(())
            }
            Body::CallUncertain(uncertain) => {
                self.calls.uncertain(uncertain)?;
                self.books.release(uncertain.call);
                Ok(())
            }
            Body::ToolAssessed(assessed) => self.people.assessed(assessed, &self.calls),
            Body::TaskOpened(opened) => self.task_opened(entry, opened),
            Body::TaskDecided(decided) => self.people.decided(decided, &mut self.calls, &self.run),
            Body::BudgetRaised(raised) => {
                self.books.raise(path, raised.limits);
                Ok(())
            }
            Body::RunResumed(_) => {
                self.calls.resumed(entry.at);
                Ok(())
            }
            // Only their place in the order is ruled.
            Body::NoProgressNoticed(_)
            | Body::ArtifactWritten(_)
            | Body::BudgetExhausted(_)
            | Body::RunPaused(_)
            | Body::RunStopping(_) => Ok(()),
            Body::RunEnded(ended) => self.ended(&ended.reason),
            Body::RunForked(_) | Body::Edited(_) => {
                Err(String::from("forks are checked by tests of their own"))
            }
            Body::Unknown { kind, .. } => Err(format!("an entry of unknown kind {kind}")),
        }
    }

    /// A message is an agent's, or a person's words that enter the conversation.
    fn posted(&mut self, path: &str, seq: Seq, posted: &MessagePosted) -> Verdict {
        match posted.said {
            Some(said) => {
                self.steps.open(path)?;
                self.words.heard(said, posted)
            }
            None => self.steps.posted(path, seq, posted, &mut self.calls),
        }
    }

    /// Which kinds may stand in which phase.
    fn judge_phase(&self, body: &Body) -> Verdict {
        let begins = matches!(
            body,
            Body::StepStarted(_)
                | Body::SpeakerChosen(_)
                | Body::CallIntended(_)
                | Body::CallRetried(_)
        );
        let phase = self.phase;
        must!(
            !begins || phase == Phase::Running,
            "something new begins while {phase:?}"
        );
        match body {
            Body::RunCreated(_) => must!(phase == Phase::New, "created twice"),
            _ => must!(phase != Phase::New, "it was never created"),
        }
        match body {
            Body::RunPaused(_) | Body::BudgetExhausted(_) => {
                let may = matches!(phase, Phase::Running | Phase::Exhausted);
                must!(may, "paused while {phase:?}");
            }
            Body::RunResumed(_) => must!(phase == Phase::Paused, "resumed while {phase:?}"),
            Body::RunStopping(_) => {
                let may = matches!(phase, Phase::Running | Phase::Exhausted | Phase::Paused);
                must!(may, "stopping while {phase:?}");
            }
            Body::PersonSaid(_) => {
                let may = matches!(phase, Phase::Running | Phase::Exhausted | Phase::Paused);
                must!(may, "said while {phase:?}");
            }
            Body::TaskDecided(_) => {}
            _ => must!(phase != Phase::Ended, "something happens after the end"),
        }
        Ok(())
    }

    fn call_intended(&mut self, entry: &Entry, intended: &CallIntended) -> Verdict {
        let step = self.steps.open(&entry.path)?;
        if matches!(intended.call, Call::Model(_)) {
            self.words.model_call()?;
        }
        self.calls
            .intended(entry, intended, &self.people, &self.definition)?;
        self.books
            .hold(entry.seq, &step, intended.reserve, &self.steps.defs)
    }

    fn call_retried(&mut self, entry: &Entry, retried: &CallRetried) -> Verdict {
        let from = self.calls.retried(entry.at, retried)?;
        let step = self.steps.open(&from)?;
        self.books
            .hold(retried.call, &step, retried.reserve, &self.steps.defs)
    }

    fn task_opened(&mut self, entry: &Entry, opened: &TaskOpened) -> Verdict {
        let late = matches!(opened.ask, Ask::Plan { .. }) && self.steps.has_begun(&entry.path);
        must!(!late, "a plan is asked about after its step has begun");
        self.people.opened(entry, opened, &self.calls, &self.run)
    }

    fn ended(&self, reason: &StopReason) -> Verdict {
        let flying = self.calls.in_flight();
        must!(flying.is_empty(), "ended with calls in flight: {flying:?}");
        let moot = self.people.moot();
        must!(moot.is_empty(), "ended with open questions: {moot:?}");
        if *reason == StopReason::Completed {
            let undone = self.steps.undone();
            must!(undone.is_empty(), "completed without {undone:?}");
            self.words.completed()?;
        } else {
            must!(
                self.phase == Phase::Stopping,
                "ended without stopping first"
            );
        }
        Ok(())
    }
}
