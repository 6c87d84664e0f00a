//! Questions to people: asked once for one call, bound to its arguments, decided once, and honoured for nothing else.

use std::collections::{BTreeMap, BTreeSet};

use bwana_types::entry::{Assessment, Entry, Seq, TaskDecided, TaskOpened, ToolAssessed};
use bwana_types::grant::{GrantMade, GrantScope, Pattern};
use bwana_types::hash::{approval_hash, args_hash};
use bwana_types::id::GrantId;
use bwana_types::message::ToolCall;
use bwana_types::task::{Ask, Verdict as Answer};

use super::calls::Calls;
use super::{Verdict, must};

#[derive(Debug, Default)]
pub(super) struct People {
    slots: BTreeMap<(Seq, u32), Slot>,
    tasks: BTreeMap<Seq, Task>,
    plans: BTreeSet<String>,
    plans_asked: BTreeSet<String>,
    /// Grants made in this run.
    grants: BTreeMap<GrantId, GrantMade>,
    /// Arguments that people put in the place of a model's.
    edits: BTreeMap<(Seq, u32), String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Allowed,
    MustAsk,
    Asked,
    Over,
}

#[derive(Debug)]
struct Task {
    path: String,
    ask: Ask,
    call: Option<Seq>,
    slot: Option<(Seq, u32)>,
    decided: bool,
}

impl People {
    pub(super) fn allowed(&self, model_call: Seq, index: u32) -> bool {
        self.slots.get(&(model_call, index)) == Some(&Slot::Allowed)
    }

    pub(super) fn plan_approved(&self, path: &str) -> bool {
        self.plans.contains(path)
    }

    /// Open questions that are moot once a run has ended: all but those about what may have happened.
    pub(super) fn moot(&self) -> Vec<Seq> {
        let open = self.tasks.iter().filter(|(_, task)| !task.decided);
        open.filter(|(_, task)| !matches!(task.ask, Ask::Uncertain { .. }))
            .map(|(seq, _)| *seq)
            .collect()
    }

    pub(super) fn assessed(&mut self, assessed: &ToolAssessed, calls: &Calls) -> Verdict {
        let wish = calls.wish(assessed.model_call, assessed.index)?;
        let slot = match &assessed.verdict {
            Assessment::Allow { grant, .. } => {
                self.honours(wish, *grant, false)?;
                Slot::Allowed
            }
            Assessment::Ask { .. } => Slot::MustAsk,
            Assessment::Refuse { grant, .. } => {
                self.honours(wish, *grant, true)?;
                Slot::Over
            }
        };
        let before = self
            .slots
            .insert((assessed.model_call, assessed.index), slot);
        must!(before.is_none(), "judged twice");
        Ok(())
    }

    /// A grant of this run decides only calls of its tool, and only in its direction; for exactly these arguments, only
    /// those. Grants of other runs are not seen here.
    fn honours(&self, wish: &ToolCall, grant: Option<GrantId>, denies: bool) -> Verdict {
        let Some(made) = grant.and_then(|grant| self.grants.get(&grant)) else {
            return Ok(());
        };
        must!(*wish.name == *made.tool, "a grant for {}", made.tool);
        must!(
            (made.scope == GrantScope::Never) == denies,
            "a grant of {:?} that does the opposite",
            made.scope
        );
        if let Pattern::Exact { args_hash: exact } = &made.pattern {
            let args = serde_json::from_str(&wish.args).unwrap_or_default();
            let found = args_hash(&made.tool, &made.version, &args);
            must!(found == *exact, "a grant for other arguments");
        }
        Ok(())
    }

    /// The arguments a call must have: those a person wrote, or the model's.
    pub(super) fn edited(&self, model_call: Seq, index: u32) -> Option<&str> {
        self.edits.get(&(model_call, index)).map(String::as_str)
    }

    /// What a decision says beyond yes or no is what its question offers.
    fn terms(&mut self, decided: &TaskDecided, run: &str) -> Verdict {
        let Some(task) = self.tasks.get(&decided.task) else {
            return Ok(());
        };
        if decided.grant.is_none() && decided.edit.is_none() {
            return Ok(());
        }
        let Ask::Approve {
            tool,
            version,
            patterns,
            ..
        } = &task.ask
        else {
            return Err(String::from("terms of a question that has none"));
        };
        let yes = decided.verdict == Answer::Approve;
        if let Some(edit) = &decided.edit {
            must!(yes, "arguments are changed and denied");
            let args = serde_json::from_str(&edit.args)
                .map_err(|error| format!("edited arguments are no JSON: {error}"))?;
            let bound = approval_hash(tool, version, &args, run, &task.path);
            must!(bound == edit.args_hash, "bound to other arguments");
            let slot = task.slot.ok_or("an edit of no call")?;
            self.edits.insert(slot, edit.args.clone());
        }
        if let Some(grant) = &decided.grant {
            let same = (&grant.tool, &grant.version) == (tool, version);
            must!(same, "a grant for another tool");
            let denies = grant.scope == GrantScope::Never;
            must!(
                yes != denies,
                "{:?} with {:?}",
                grant.scope,
                decided.verdict
            );
            let offered = match &decided.edit {
                Some(edit) => &edit.patterns,
                None => patterns,
            };
            must!(
                offered.contains(&grant.pattern),
                "a pattern nobody offered: {:?}",
                grant.pattern
            );
            let before = self.grants.insert(grant.id, grant.clone());
            must!(before.is_none(), "the same grant is made twice");
        }
        Ok(())
    }

    pub(super) fn opened(
        &mut self,
        entry: &Entry,
        opened: &TaskOpened,
        calls: &Calls,
        run: &str,
    ) -> Verdict {
        match &opened.ask {
            Ask::Approve {
                tool,
                version,
                args,
                args_hash,
                ..
            } => {
                let at = opened.tool_call.ok_or("an approval for no call")?;
                let slot = self.slots.get(&at);
                must!(
                    slot == Some(&Slot::MustAsk),
                    "asked although it is {slot:?}"
                );
                let wish = calls.wish(at.0, at.1)?;
                must!(*wish.name == **tool, "the model asked for {}", wish.name);
                let wanted: serde_json::Value = serde_json::from_str(&wish.args)
                    .map_err(|error| format!("its arguments are no JSON: {error}"))?;
                let shown: serde_json::Value = serde_json::from_str(args)
                    .map_err(|error| format!("shown arguments are no JSON: {error}"))?;
                must!(
                    wanted == shown,
                    "other arguments are shown than were asked for"
                );
                let bound = approval_hash(tool, version, &wanted, run, &entry.path);
                must!(bound == *args_hash, "bound to other arguments");
                self.slots.insert(at, Slot::Asked);
            }
            Ask::Plan { .. } => {
                let new = self.plans_asked.insert(entry.path.to_string());
                must!(new, "the same plan is asked about twice");
            }
            Ask::Uncertain { .. } => {
                let call = opened.call.ok_or("an uncertain effect of no call")?;
                must!(calls.is_uncertain(call), "call {call} is not uncertain");
                let open = self
                    .tasks
                    .values()
                    .any(|task| task.call == Some(call) && !task.decided);
                must!(!open, "asked twice about call {call}");
            }
            Ask::Price { provider, .. } => {
                let same = |task: &Task| matches!(&task.ask, Ask::Price { provider: other, .. } if other == provider);
                let again = self.tasks.values().any(same);
                must!(!again, "asked twice about the price of {provider}");
            }
            Ask::Answer { .. } => {
                let at = opened.tool_call.ok_or("a question of no call")?;
                let slot = self.slots.insert(at, Slot::Asked);
                must!(slot == Some(Slot::MustAsk), "asked although it is {slot:?}");
            }
        }
        let task = Task {
            path: entry.path.to_string(),
            ask: opened.ask.clone(),
            call: opened.call,
            slot: opened.tool_call,
            decided: false,
        };
        self.tasks.insert(entry.seq, task);
        Ok(())
    }

    pub(super) fn decided(
        &mut self,
        decided: &TaskDecided,
        calls: &mut Calls,
        run: &str,
    ) -> Verdict {
        self.terms(decided, run)?;
        let task = self.tasks.get_mut(&decided.task);
        let task = task.ok_or_else(|| format!("there is no task {}", decided.task))?;
        must!(!task.decided, "decided twice");
        must!(
            decided.verdict.fits(task.ask.kind()),
            "{:?} does not answer {:?}",
            decided.verdict,
            task.ask.kind()
        );
        task.decided = true;
        match (&task.ask, task.slot) {
            (Ask::Approve { .. }, Some(at)) => {
                let yes = decided.verdict == Answer::Approve;
                self.slots
                    .insert(at, if yes { Slot::Allowed } else { Slot::Over });
            }
            // Whatever is said to a question, its tool never runs.
            (Ask::Answer { .. }, Some(at)) => {
                self.slots.insert(at, Slot::Over);
            }
            (Ask::Plan { .. }, _) if decided.verdict == Answer::Approve => {
                self.plans.insert(task.path.clone());
            }
            (Ask::Uncertain { .. }, _) => {
                let again = decided.verdict == Answer::SendAgain;
                calls.resolved(task.call.unwrap_or_default(), again)?;
            }
            _ => {}
        }
        Ok(())
    }
}
