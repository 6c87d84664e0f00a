//! One agent's go inside a step: model calls and tool calls until it speaks.
//!
//! The turn only knows what has happened and answers what is next; intents, budgets and policy belong to the run.

use std::sync::Arc;

use bwana_types::effect::EffectClass;
use bwana_types::entry::Seq;
use bwana_types::hash::Hash;
use bwana_types::message::{Part, text_of};
use bwana_types::task::Ask;

/// Answers with tool calls an agent may give in one turn; the next call then offers no tools, so it must speak.
pub const TOOL_ROUNDS_MAX: usize = 16;
/// Tool calls of one answer that are looked at; the rest is told to be too many.
pub const TOOL_CALLS_PER_REPLY_MAX: usize = 32;

#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub agent: Arc<str>,
    /// From 1 within the step.
    pub round: u32,
    pub items: Vec<Item>,
    /// A model call of this turn is open.
    pub calling: Option<Seq>,
    pub said: Option<Said>,
}

/// What happened in a turn, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    Reply(Reply),
    /// A word of the engine to the agent.
    Note(Arc<str>),
    /// What a person said to the run.
    Person(Words),
}

/// What a person said, where it entered a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// `seq` of the entry that says it.
    pub seq: Seq,
    pub text: Arc<str>,
}

/// A finished model call of the turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// `seq` of the intent.
    pub call: Seq,
    /// `seq` of the entry that finished it.
    pub finished: Seq,
    pub parts: Vec<Part>,
    pub slots: Vec<Slot>,
    /// The model ran into its output limit: a tool call may be cut.
    pub cut: bool,
}

/// One tool call of a reply on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    pub id: Arc<str>,
    pub tool: Arc<str>,
    /// As the model wrote it, or as a person changed it.
    pub args: Arc<str>,
    /// `None` for a tool nobody knows.
    pub effect: Option<EffectClass>,
    /// What a person's approval is bound to, if one was asked for: checked again when the call is made.
    pub approved: Option<Arc<str>>,
    /// The arguments as the model wrote them, if a person approved others in their place.
    pub edited: Option<Arc<str>>,
    pub state: SlotState,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SlotState {
    /// Waits for the policy's word.
    New,
    /// The policy asks a person; the task is not open yet.
    Ask(Ask),
    /// A person is asked.
    Asked {
        task: Seq,
    },
    Allowed,
    InFlight {
        call: Seq,
    },
    /// The effect may have happened; a person is or will be asked.
    Uncertain {
        call: Seq,
        why: Arc<str>,
        task: Option<Seq>,
    },
    Done(Done),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// `seq` of the entry that settled it.
    pub seq: Seq,
    pub content: Arc<str>,
    pub is_error: bool,
}

/// What an agent said at the end of its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub seq: Seq,
    pub text: Arc<str>,
}

/// What a turn needs next.
#[derive(Debug, PartialEq)]
pub enum Next<'a> {
    /// A model call; without tools once the agent has used up its rounds.
    CallModel {
        offer_tools: bool,
    },
    /// The policy's word on a tool call.
    Assess {
        reply: &'a Reply,
        index: usize,
    },
    /// A human task for a tool call.
    OpenTask {
        reply: &'a Reply,
        index: usize,
        ask: &'a Ask,
    },
    /// A human task for an effect that may have happened.
    OpenUncertain {
        slot: &'a Slot,
        call: Seq,
        why: &'a str,
    },
    /// The intent of a tool call.
    CallTool {
        reply: &'a Reply,
        index: usize,
    },
    /// The agent has spoken: post this reply's text.
    Post {
        reply: &'a Reply,
    },
    /// Something is under way, or only a person can move it on.
    Wait,
    Over,
}

impl Turn {
    pub fn new(agent: Arc<str>, round: u32) -> Self {
        Self {
            agent,
            round,
            items: Vec::new(),
            calling: None,
            said: None,
        }
    }

    pub fn next(&self) -> Next<'_> {
        if self.said.is_some() {
            return Next::Over;
        }
        if self.calling.is_some() {
            return Next::Wait;
        }
        let Some(Item::Reply(reply)) = self.items.last() else {
            return Next::CallModel {
                offer_tools: self.offers_tools(),
            };
        };
        if reply.slots.is_empty() {
            return Next::Post { reply };
        }
        if reply.slots.iter().all(Slot::is_done) {
            return Next::CallModel {
                offer_tools: self.offers_tools(),
            };
        }
        next_of_slots(reply)
    }

    fn offers_tools(&self) -> bool {
        self.replies()
            .filter(|reply| !reply.slots.is_empty())
            .count()
            < TOOL_ROUNDS_MAX
    }

    pub fn replies(&self) -> impl DoubleEndedIterator<Item = &Reply> {
        self.items.iter().filter_map(|item| match item {
            Item::Reply(reply) => Some(reply),
            Item::Note(_) | Item::Person(_) => None,
        })
    }

    pub fn reply_mut(&mut self, call: Seq) -> Option<&mut Reply> {
        self.items.iter_mut().rev().find_map(|item| match item {
            Item::Reply(reply) if reply.call == call => Some(reply),
            _ => None,
        })
    }

    pub fn slot_mut(&mut self, model_call: Seq, index: usize) -> Option<&mut Slot> {
        self.reply_mut(model_call)?.slots.get_mut(index)
    }

    pub fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.items.iter_mut().flat_map(|item| match item {
            Item::Reply(reply) => reply.slots.iter_mut(),
            Item::Note(_) | Item::Person(_) => [].iter_mut(),
        })
    }
}

/// The first thing any slot needs. Reads go side by side; anything that changes the world waits for all before it, and
/// all after it wait for it.
fn next_of_slots(reply: &Reply) -> Next<'_> {
    let mut earlier_reads_open = false;
    for (index, slot) in reply.slots.iter().enumerate() {
        if slot.is_done() {
            continue;
        }
        if !slot.is_read() && earlier_reads_open {
            return Next::Wait;
        }
        match &slot.state {
            SlotState::New => return Next::Assess { reply, index },
            SlotState::Ask(ask) => return Next::OpenTask { reply, index, ask },
            SlotState::Allowed => return Next::CallTool { reply, index },
            SlotState::Uncertain {
                call,
                why,
                task: None,
            } => {
                return Next::OpenUncertain {
                    slot,
                    call: *call,
                    why,
                };
            }
            SlotState::Asked { .. }
            | SlotState::InFlight { .. }
            | SlotState::Uncertain { task: Some(_), .. } => {
                if !slot.is_read() {
                    return Next::Wait;
                }
                earlier_reads_open = true;
            }
            SlotState::Done(_) => {}
        }
    }
    Next::Wait
}

impl Reply {
    pub fn text(&self) -> Arc<str> {
        text_of(&self.parts)
    }
}

impl Slot {
    pub fn is_done(&self) -> bool {
        matches!(self.state, SlotState::Done(_))
    }

    /// Whether this call only reads, so that it may run beside others. An unknown tool is refused at once: a read.
    fn is_read(&self) -> bool {
        match self.effect {
            None | Some(EffectClass::Pure | EffectClass::Idempotent) => true,
            Some(EffectClass::Paid | EffectClass::Keyed | EffectClass::AtMostOnce) => false,
        }
    }

    /// What the no-progress detector compares: the same tool, arguments and result again is no progress.
    pub fn fingerprint(&self, agent: &str) -> Option<Hash> {
        let SlotState::Done(done) = &self.state else {
            return None;
        };
        Some(Hash::of_parts([
            agent.as_bytes(),
            self.tool.as_bytes(),
            self.args.as_bytes(),
            done.content.as_bytes(),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(effect: EffectClass, state: SlotState) -> Slot {
        Slot {
            id: "c".into(),
            tool: "t".into(),
            args: "{}".into(),
            effect: Some(effect),
            approved: None,
            edited: None,
            state,
        }
    }

    fn done() -> SlotState {
        SlotState::Done(Done {
            seq: 9,
            content: "ok".into(),
            is_error: false,
        })
    }

    /// What a turn whose last reply has these slots needs next, as one word and the slot's index.
    #[track_caller]
    fn check(slots: Vec<Slot>, word: &str) {
        let reply = Reply {
            call: 3,
            finished: 4,
            parts: Vec::new(),
            slots,
            cut: false,
        };
        let turn = Turn {
            items: vec![Item::Reply(reply)],
            ..Turn::new("a".into(), 1)
        };
        let found = match turn.next() {
            Next::CallModel { .. } => String::from("model"),
            Next::Assess { index, .. } => format!("assess {index}"),
            Next::OpenTask { index, .. } => format!("task {index}"),
            Next::OpenUncertain { .. } => String::from("uncertain"),
            Next::CallTool { index, .. } => format!("tool {index}"),
            Next::Post { .. } => String::from("post"),
            Next::Wait => String::from("wait"),
            Next::Over => String::from("over"),
        };
        assert_eq!(found, word);
    }

    use EffectClass::{AtMostOnce, Idempotent, Keyed};

    #[test]
    fn an_answer_without_tool_calls_is_posted() {
        check(vec![], "post");
    }

    #[test]
    fn reads_run_side_by_side() {
        let flying = || SlotState::InFlight { call: 5 };
        check(
            vec![
                slot(Idempotent, SlotState::New),
                slot(Idempotent, SlotState::New),
            ],
            "assess 0",
        );
        check(
            vec![slot(Idempotent, flying()), slot(Idempotent, SlotState::New)],
            "assess 1",
        );
        check(
            vec![
                slot(Idempotent, flying()),
                slot(Idempotent, SlotState::Allowed),
            ],
            "tool 1",
        );
    }

    #[test]
    fn a_write_waits_for_what_is_before_it_and_holds_what_is_after_it() {
        let flying = || SlotState::InFlight { call: 5 };
        check(
            vec![slot(Idempotent, flying()), slot(Keyed, SlotState::New)],
            "wait",
        );
        check(
            vec![slot(AtMostOnce, flying()), slot(Idempotent, SlotState::New)],
            "wait",
        );
        check(
            vec![slot(Idempotent, done()), slot(Keyed, SlotState::New)],
            "assess 1",
        );
        check(
            vec![
                slot(Keyed, SlotState::Asked { task: 7 }),
                slot(Keyed, SlotState::New),
            ],
            "wait",
        );
    }

    #[test]
    fn an_uncertain_effect_becomes_a_question() {
        let uncertain = |task| SlotState::Uncertain {
            call: 5,
            why: "cut".into(),
            task,
        };
        check(vec![slot(AtMostOnce, uncertain(None))], "uncertain");
        check(vec![slot(AtMostOnce, uncertain(Some(6)))], "wait");
    }

    #[test]
    fn the_model_is_called_again_when_every_tool_has_answered() {
        check(vec![slot(Keyed, done()), slot(Idempotent, done())], "model");
    }

    #[test]
    fn an_agent_that_has_used_up_its_rounds_is_offered_no_tools() {
        let reply = |call| {
            Item::Reply(Reply {
                call,
                finished: call + 1,
                parts: Vec::new(),
                slots: vec![slot(Keyed, done())],
                cut: false,
            })
        };
        let mut turn = Turn::new("a".into(), 1);
        assert_eq!(turn.next(), Next::CallModel { offer_tools: true });
        turn.items = (0..TOOL_ROUNDS_MAX as u64).map(reply).collect();
        assert_eq!(turn.next(), Next::CallModel { offer_tools: false });
    }
}
