//! Steps and turns: begun in order, ended once, spoken in by those who may.

use std::collections::BTreeMap;
use std::sync::Arc;

use bwana_types::definition::{Definition, ParallelDef, StepDef, Work};
use bwana_types::entry::{MessagePosted, Seq, SpeakerChosen, StepFinished, StepOutcome};
use bwana_types::workflow::{Join, Select};

use super::calls::Calls;
use super::ledger::Books;
use super::people::People;
use super::{Verdict, must};

/// Steps by path, with the path of the step around them.
pub(super) type Defs = BTreeMap<String, (StepDef, Option<String>)>;

pub(super) struct Steps {
    definition: Arc<Definition>,
    pub(super) defs: Defs,
    by_path: BTreeMap<String, Step>,
}

#[derive(Debug, Default)]
struct Step {
    started: bool,
    outcome: Option<StepOutcome>,
    /// Who spoke, in order; the last one may still be at it.
    turns: Vec<String>,
    said: usize,
    /// Messages of agents.
    messages: Vec<Seq>,
    summed_up: bool,
    /// Turns beyond those of the definition, for a person's last word.
    added: usize,
}

impl Step {
    fn succeeded(&self) -> bool {
        matches!(
            self.outcome,
            Some(StepOutcome::Message { .. } | StepOutcome::Branches)
        )
    }

    fn is_open(&self) -> bool {
        self.started && self.outcome.is_none()
    }
}

impl Steps {
    pub(super) fn new(definition: Arc<Definition>) -> Self {
        let mut defs = BTreeMap::new();
        collect(&definition.steps, None, &mut defs);
        Self {
            definition,
            defs,
            by_path: BTreeMap::new(),
        }
    }

    /// Top-level steps that have no result.
    pub(super) fn undone(&self) -> Vec<&str> {
        let tops = self.definition.steps.iter().map(|step| step.id.as_str());
        tops.filter(|id| !self.succeeded(id)).collect()
    }

    pub(super) fn has_begun(&self, path: &str) -> bool {
        self.by_path.get(path).is_some_and(|step| step.started)
    }

    fn succeeded(&self, path: &str) -> bool {
        self.by_path.get(path).is_some_and(Step::succeeded)
    }

    fn is_open(&self, path: &str) -> bool {
        self.by_path.get(path).is_some_and(Step::is_open)
    }

    /// The step a path lies in; it and all around it must be under way.
    pub(super) fn open(&self, path: &str) -> Result<String, String> {
        let step = self.step_path(path)?;
        let mut around = Some(step.clone());
        while let Some(path) = around {
            must!(self.is_open(&path), "step {path} is not under way");
            around = self.defs.get(&path).and_then(|(_, parent)| parent.clone());
        }
        Ok(step)
    }

    /// The step of a path that may end in a turn.
    fn step_path(&self, path: &str) -> Result<String, String> {
        if self.defs.contains_key(path) {
            return Ok(path.to_owned());
        }
        let step = path.rsplit_once("/r").map(|(step, _)| step);
        match step.filter(|step| self.defs.contains_key(*step)) {
            Some(step) => Ok(step.to_owned()),
            None => Err(format!("there is no step at '{path}'")),
        }
    }

    fn def(&self, path: &str) -> Result<&(StepDef, Option<String>), String> {
        self.defs
            .get(path)
            .ok_or_else(|| format!("there is no step at '{path}'"))
    }

    pub(super) fn started(&mut self, path: &str, people: &People) -> Verdict {
        let (def, parent) = self.def(path)?;
        must!(!self.by_path.contains_key(path), "started twice");
        let approved = !def.approve_plan || people.plan_approved(path);
        must!(approved, "nobody approved its plan");
        if let Some(parent) = parent {
            self.fits_beside_its_siblings(parent)?;
        } else {
            let before = self.definition.steps.iter().map(|step| &step.id);
            for step in before.take_while(|id| *id != path) {
                must!(self.succeeded(step), "step {step} before it is not done");
            }
        }
        self.by_path.entry(path.to_owned()).or_default().started = true;
        Ok(())
    }

    fn fits_beside_its_siblings(&self, parent: &str) -> Verdict {
        self.open(parent)?;
        let Work::Parallel(parallel) = &self.def(parent)?.0.work else {
            return Err(String::from("its parent has no branches"));
        };
        let siblings = branches(parent, parallel);
        let open = siblings.filter(|sibling| self.is_open(sibling)).count();
        let width = parallel.width;
        must!(open < width as usize, "more than {width} branches at once");
        Ok(())
    }

    pub(super) fn finished(
        &mut self,
        path: &str,
        finished: &StepFinished,
        calls: &Calls,
    ) -> Verdict {
        let (def, parent) = self.def(path)?;
        if let Some(parent) = parent {
            must!(self.is_open(parent), "its parent is not under way");
        }
        let step = self.by_path.get(path);
        let over = step.is_some_and(|step| step.outcome.is_some());
        must!(!over, "finished twice");
        match (&finished.outcome, &def.work) {
            (
                StepOutcome::Message { message, .. },
                Work::Speak { .. } | Work::Chat(_) | Work::Pinned { .. },
            ) => {
                let last = step.and_then(|step| step.messages.last());
                must!(last == Some(message), "its result is not its last message");
                let flying = calls.in_flight_in(path);
                must!(flying.is_empty(), "calls are in flight: {flying:?}");
            }
            (StepOutcome::Message { .. }, Work::Parallel(_)) => {
                return Err(String::from("a parallel step says nothing itself"));
            }
            (StepOutcome::Branches, Work::Parallel(parallel)) => self.joined(path, parallel)?,
            (StepOutcome::Branches, Work::Speak { .. } | Work::Chat(_) | Work::Pinned { .. }) => {
                return Err(String::from("it has no branches"));
            }
            (StepOutcome::Skipped, _) => must!(parent.is_some(), "only branches are skipped"),
            (StepOutcome::Failed { .. }, _) => {}
        }
        self.by_path.entry(path.to_owned()).or_default().outcome = Some(finished.outcome.clone());
        Ok(())
    }

    fn joined(&self, path: &str, parallel: &ParallelDef) -> Verdict {
        let mut branches = branches(path, parallel);
        let met = match parallel.join {
            Join::All => branches.all(|branch| self.succeeded(&branch)),
            Join::Any => branches.any(|branch| self.succeeded(&branch)),
        };
        must!(met, "its join is not met");
        for branch in self::branches(path, parallel) {
            let over = self
                .by_path
                .get(&branch)
                .is_some_and(|step| step.outcome.is_some());
            must!(over, "its branch {branch} is still open");
        }
        Ok(())
    }

    pub(super) fn speaker(
        &mut self,
        path: &str,
        chosen: &SpeakerChosen,
        books: &mut Books,
    ) -> Verdict {
        let at = self.open(path)?;
        books.turn(&at, &self.defs)?;
        let (def, _) = self.def(&at)?;
        let Some(step) = self.by_path.get(&at) else {
            return Ok(());
        };
        let (agent, turns) = (&chosen.agent, step.turns.len());
        must!(step.said == turns, "the turn before it is not over");
        let expected = format!("{at}/r{}", turns + 1);
        must!(path == expected, "it should be {expected}");
        let last = step.turns.last();
        match &def.work {
            Work::Speak { .. } | Work::Chat(_) if chosen.answers.is_some() => {
                must!(last == Some(agent), "{agent} did not speak last");
                let top = at.split('/').next();
                let end = self.definition.steps.last().map(|step| step.id.as_str());
                must!(top == end, "the run goes on after step {at}");
            }
            Work::Speak { agents } => {
                let next = agents.get(turns);
                must!(next == Some(agent), "{next:?} is next, not {agent}");
            }
            Work::Chat(chat) => {
                must!(chat.agents.contains(agent), "{agent} is not in this chat");
                let max = chat.max_round as usize + step.added;
                must!(turns < max, "more than {max} rounds");
                let again = last == Some(agent);
                let may = chat.allow_repeat || chat.select == Select::RoundRobin;
                must!(!again || may, "{agent} speaks twice in a row");
            }
            Work::Parallel(_) | Work::Pinned { .. } => {
                return Err(String::from("nobody speaks in this step"));
            }
        }
        let step = self.by_path.entry(at).or_default();
        step.turns.push(agent.clone());
        if chosen.answers.is_some() {
            step.added += 1;
            // What was summed up is not all any more.
            step.summed_up = false;
        }
        Ok(())
    }

    pub(super) fn posted(
        &mut self,
        path: &str,
        seq: Seq,
        posted: &MessagePosted,
        calls: &mut Calls,
    ) -> Verdict {
        let step = self.open(path)?;
        if posted.call.is_none() {
            must!(posted.text.is_some(), "a message without words");
            if let Work::Pinned { text } = &self.def(&step)?.0.work {
                must!(posted.text.as_deref() == Some(text), "not what was given");
                let step = self.by_path.entry(step).or_default();
                must!(step.messages.is_empty(), "given twice");
                step.messages.push(seq);
            }
            return Ok(());
        }
        let summary = calls.posted(posted)?;
        let step = self.by_path.entry(step).or_default();
        step.messages.push(seq);
        if summary {
            must!(!step.summed_up, "summed up twice");
            step.summed_up = true;
        } else {
            step.said += 1;
            must!(step.said == step.turns.len(), "a message without a turn");
        }
        Ok(())
    }
}

/// Paths of the branches of a parallel step.
fn branches(path: &str, parallel: &ParallelDef) -> impl Iterator<Item = String> {
    let ids = parallel.steps.iter();
    ids.map(move |step| format!("{path}/{}", step.id))
}

fn collect(steps: &[StepDef], parent: Option<&str>, defs: &mut Defs) {
    for step in steps {
        let path = parent.map_or_else(|| step.id.clone(), |parent| format!("{parent}/{}", step.id));
        if let Work::Parallel(parallel) = &step.work {
            collect(&parallel.steps, Some(&path), defs);
        }
        defs.insert(path, (step.clone(), parent.map(str::to_owned)));
    }
}
