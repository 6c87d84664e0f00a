//! Calls: intended once, attempted one after the other, answered at most once, and never repeated where that could do
//! harm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bwana_types::definition::Definition;
use bwana_types::effect::EffectClass;
use bwana_types::entry::{
    Call, CallFailed, CallFinished, CallIntended, CallInterrupted, CallResult, CallRetried,
    CallUncertain, Entry, MessagePosted, ModelCall, Purpose, Seq, ToolCallRef,
};
use bwana_types::hash::Hash;
use bwana_types::message::{Part, ToolCall, Usage};
use bwana_types::money::MicroUsd;
use bwana_types::time::Timestamp;

use super::people::People;
use super::{Verdict, must};

#[derive(Debug, Default)]
pub(super) struct Calls {
    by_seq: BTreeMap<Seq, One>,
    keys: BTreeSet<Hash>,
    /// Tool calls that were intended: model call and index.
    slots: BTreeSet<(Seq, u32)>,
}

#[derive(Debug)]
struct One {
    path: Arc<str>,
    call: Call,
    effect: EffectClass,
    attempts: u32,
    status: Status,
    /// What the model asked for in its answer.
    wishes: Vec<ToolCall>,
    posted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    InFlight,
    /// May be tried again from then on.
    Again(Timestamp),
    /// Failed for good, until the run is resumed.
    Stalled,
    Uncertain,
    /// A person allowed it to be done once more.
    SendAgain,
    Finished,
    Failed,
}

impl Calls {
    pub(super) fn open(&self) -> Vec<Seq> {
        let calls = self.by_seq.iter();
        calls
            .filter(|(_, one)| !matches!(one.status, Status::Finished | Status::Failed))
            .map(|(seq, _)| *seq)
            .collect()
    }

    pub(super) fn in_flight(&self) -> Vec<Seq> {
        self.in_flight_in("")
    }

    pub(super) fn in_flight_in(&self, path: &str) -> Vec<Seq> {
        let calls = self.by_seq.iter();
        calls
            .filter(|(_, one)| one.status == Status::InFlight && one.path.starts_with(path))
            .map(|(seq, _)| *seq)
            .collect()
    }

    fn get(&mut self, seq: Seq) -> Result<&mut One, String> {
        self.by_seq
            .get_mut(&seq)
            .ok_or_else(|| format!("nobody intended call {seq}"))
    }

    /// The call, which must be in flight.
    fn flying(&mut self, seq: Seq) -> Result<&mut One, String> {
        let one = self.get(seq)?;
        must!(
            one.status == Status::InFlight,
            "call {seq} is not in flight but {:?}",
            one.status
        );
        Ok(one)
    }

    /// What a finished model call asked for.
    pub(super) fn wish(&self, model_call: Seq, index: u32) -> Result<&ToolCall, String> {
        let wishes = self.by_seq.get(&model_call).map(|one| &one.wishes);
        wishes
            .and_then(|wishes| wishes.get(index as usize))
            .ok_or_else(|| format!("call {model_call} asked for no tool at {index}"))
    }

    pub(super) fn path(&self, call: Seq) -> Option<&str> {
        self.by_seq.get(&call).map(|one| &*one.path)
    }

    pub(super) fn is_uncertain(&self, call: Seq) -> bool {
        let one = self.by_seq.get(&call);
        one.is_some_and(|one| one.status == Status::Uncertain)
    }

    pub(super) fn intended(
        &mut self,
        entry: &Entry,
        intended: &CallIntended,
        people: &People,
        definition: &Definition,
    ) -> Verdict {
        match &intended.call {
            Call::Model(model) => {
                must!(intended.effect == EffectClass::Paid, "a model call is paid");
                self.model_intended(&entry.path, model, definition)?;
            }
            Call::Tool(tool) => {
                let spec = definition.tools.get(&tool.tool);
                must!(
                    spec.is_some_and(|spec| spec.effect == intended.effect),
                    "{} is not {:?}",
                    tool.tool,
                    intended.effect
                );
                self.tool_intended(&entry.path, tool, people)?;
                let wish = self.wish(tool.model_call, tool.index)?;
                let args = people
                    .edited(tool.model_call, tool.index)
                    .unwrap_or(&wish.args);
                let parts = [&tool.tool, &tool.version, args].map(|part| part.as_bytes());
                must!(
                    intended.input == Hash::of_parts(parts),
                    "its arguments are neither the model's nor a person's"
                );
            }
        }
        self.keyed(intended)?;
        let one = One {
            path: Arc::clone(&entry.path),
            call: intended.call.clone(),
            effect: intended.effect,
            attempts: 1,
            status: Status::InFlight,
            wishes: Vec::new(),
            posted: false,
        };
        self.by_seq.insert(entry.seq, one);
        Ok(())
    }

    /// One model call at a time in a step, on a model its agent has.
    fn model_intended(&self, path: &str, model: &ModelCall, definition: &Definition) -> Verdict {
        let agent = definition.agents.get(&model.agent);
        let models = agent.map_or(&[][..], |agent| &agent.models);
        let known = models
            .iter()
            .any(|one| one.provider == model.provider && one.model == model.model);
        must!(
            known,
            "{} does not use {}/{}",
            model.agent,
            model.provider,
            model.model
        );
        let beside = self.by_seq.iter().find(|(_, one)| {
            *one.path == *path
                && matches!(one.call, Call::Model(_))
                && !matches!(one.status, Status::Finished | Status::Failed)
        });
        must!(beside.is_none(), "a second model call beside {beside:?}");
        Ok(())
    }

    /// A tool call is one the model asked for in this turn, once, with leave.
    fn tool_intended(&mut self, path: &str, tool: &ToolCallRef, people: &People) -> Verdict {
        let wish = self.wish(tool.model_call, tool.index)?;
        must!(
            *wish.name == *tool.tool,
            "the model asked for {}",
            wish.name
        );
        must!(
            self.path(tool.model_call) == Some(path),
            "it belongs to another turn"
        );
        must!(
            self.slots.insert((tool.model_call, tool.index)),
            "the same tool call is intended twice"
        );
        must!(
            people.allowed(tool.model_call, tool.index),
            "nobody allowed it"
        );
        Ok(())
    }

    /// What must not be done twice has a key of its own; nothing else has one.
    fn keyed(&mut self, intended: &CallIntended) -> Verdict {
        let needs_key = matches!(
            intended.effect,
            EffectClass::Keyed | EffectClass::AtMostOnce
        );
        must!(
            intended.key.is_some() == needs_key,
            "a key exactly where it is needed"
        );
        if let Some(key) = intended.key {
            must!(self.keys.insert(key), "the key of another call");
        }
        Ok(())
    }

    /// Answers with the call's path.
    pub(super) fn retried(
        &mut self,
        at: Timestamp,
        retried: &CallRetried,
    ) -> Result<Arc<str>, String> {
        let one = self.get(retried.call)?;
        match one.status {
            Status::Again(from) => {
                must!(at >= from, "tried again before {from}");
                must!(
                    one.effect.may_repeat(),
                    "an effect of this class is not repeated"
                );
            }
            Status::SendAgain => {}
            Status::InFlight
            | Status::Stalled
            | Status::Uncertain
            | Status::Finished
            | Status::Failed => {
                return Err(format!("tried again although it is {:?}", one.status));
            }
        }
        must!(
            retried.attempt == one.attempts + 1,
            "attempt {} after {}",
            retried.attempt,
            one.attempts
        );
        one.attempts += 1;
        one.status = Status::InFlight;
        Ok(Arc::clone(&one.path))
    }

    pub(super) fn finished(
        &mut self,
        _seq: Seq,
        finished: &CallFinished,
    ) -> Result<(Usage, Option<MicroUsd>), String> {
        let one = self.flying(finished.call)?;
        one.status = Status::Finished;
        match (&finished.result, &one.call) {
            (CallResult::Model(result), Call::Model(_)) => {
                let parts = result.parts.iter().filter_map(|part| match part {
                    Part::ToolCall(call) => Some(call.clone()),
                    _ => None,
                });
                one.wishes = parts.collect();
                Ok((result.usage, result.cost))
            }
            (CallResult::Tool(_), Call::Tool(_)) => Ok((Usage::default(), Some(MicroUsd::ZERO))),
            (CallResult::Model(_), Call::Tool(_)) | (CallResult::Tool(_), Call::Model(_)) => {
                Err(String::from("a result of the wrong sort"))
            }
        }
    }

    pub(super) fn failed(&mut self, failed: &CallFailed) -> Verdict {
        let one = self.flying(failed.call)?;
        one.status = match (failed.retry_at, &one.call) {
            (Some(at), _) => Status::Again(at),
            // A tool's failure is its result; a choice of speaker has a fallback; what was cancelled is over.
            (None, Call::Tool(_)) => Status::Failed,
            (None, Call::Model(model)) => {
                let cancelled = failed.error.class == bwana_types::entry::CallErrorClass::Cancelled;
                if model.purpose == Purpose::Select || cancelled {
                    Status::Failed
                } else {
                    Status::Stalled
                }
            }
        };
        Ok(())
    }

    pub(super) fn interrupted(&mut self, lost: &CallInterrupted) -> Verdict {
        let one = self.flying(lost.call)?;
        must!(
            one.effect.may_repeat(),
            "it may have happened and would be repeated"
        );
        one.status = Status::Again(Timestamp(i64::MIN));
        Ok(())
    }

    pub(super) fn uncertain(&mut self, uncertain: &CallUncertain) -> Verdict {
        let one = self.flying(uncertain.call)?;
        must!(
            one.effect == EffectClass::AtMostOnce,
            "an effect that could be repeated"
        );
        one.status = Status::Uncertain;
        Ok(())
    }

    /// A person settled an uncertain effect.
    pub(super) fn resolved(&mut self, call: Seq, again: bool) -> Verdict {
        let one = self.get(call)?;
        must!(
            one.status == Status::Uncertain,
            "call {call} is not uncertain"
        );
        one.status = if again {
            Status::SendAgain
        } else {
            Status::Failed
        };
        Ok(())
    }

    pub(super) fn resumed(&mut self, at: Timestamp) {
        for one in self.by_seq.values_mut() {
            if one.status == Status::Stalled {
                one.status = Status::Again(at);
            }
        }
    }

    /// An agent's words; answers whether they are a summary.
    pub(super) fn posted(&mut self, posted: &MessagePosted) -> Result<bool, String> {
        let call = posted.call.unwrap_or_default();
        let one = self.get(call)?;
        must!(
            one.status == Status::Finished,
            "the words of a call that is {:?}",
            one.status
        );
        must!(!one.posted, "the same words twice");
        must!(one.wishes.is_empty(), "words beside tool calls");
        one.posted = true;
        match &one.call {
            Call::Model(model) => {
                must!(model.purpose != Purpose::Select, "a choice is no message");
                Ok(model.purpose == Purpose::Summary)
            }
            Call::Tool(_) => Err(String::from("a tool does not speak")),
        }
    }
}
