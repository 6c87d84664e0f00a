//! Random workflows, and models that improvise in them: both functions of a seed. Knows the definition and the prompt,
//! nothing of the machine that runs them.

use std::collections::BTreeMap;

use bwana_types::agent::AgentKind;
use bwana_types::definition::{
    AgentDef, ChatDef, Definition, ModelRef, ParallelDef, Price, RunLimits, StepDef, Work,
    WorkflowRef,
};
use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::hash::Hash;
use bwana_types::message::Usage;
use bwana_types::money::MicroUsd;
use bwana_types::tool::{ToolLimits, ToolSpec};
use bwana_types::workflow::{Join, Select, StopCondition, Summary};
use serde_json::{Value, json};

use crate::rng::Rng;
use crate::schema;
use crate::script::{Answer, AnswerCall, Answers, Prompt, Reported};

/// How wild a random workflow may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// No limits and no races: the end is the same whatever is interrupted, and however often.
    Calm,
    /// Limits, races, plans to approve, prices nobody knows.
    Wild,
}

/// Parallel steps inside each other.
const DEPTH_MAX: u32 = 2;

/// The tool that no program runs: the person's words are its result.
pub const PERSON_ASK: &str = "person.ask";

/// The tools of random workflows, one of each effect class, and the one that the person answers. What they ask of a person follows from their risk.
pub fn tool_specs() -> Vec<ToolSpec> {
    [
        ("test.compute", RiskClass::ReadLocal, EffectClass::Pure),
        ("test.read", RiskClass::ReadLocal, EffectClass::Idempotent),
        ("test.put", RiskClass::WriteReversible, EffectClass::Keyed),
        ("test.send", RiskClass::Contact, EffectClass::AtMostOnce),
        (PERSON_ASK, RiskClass::ReadLocal, EffectClass::Idempotent),
    ]
    .map(|(name, risk, effect)| ToolSpec {
        name: name.to_owned(),
        version: String::from("1"),
        description: format!("{name} of a test."),
        input_schema: json!({"type": "object", "additionalProperties": false, "required": ["n"],
            "properties": {"n": {"type": "integer"}, "tag": {"type": "string"},
                "question": {"type": "string"}}}),
        risk,
        effect,
        limits: ToolLimits::default(),
    })
    .into()
}

/// A workflow of random shape; always one that can be carried out.
pub fn definition(seed: u64, mood: Mood) -> Definition {
    let mut maker = Maker {
        rng: Rng::new(seed).fork("definition"),
        mood,
        agents: Vec::new(),
    };
    let agents = maker.agents();
    let count = maker.rng.between(1, 4);
    let steps: Vec<StepDef> = (0..count)
        .map(|at| maker.step(&format!("s{at}"), at, 0))
        .collect();
    let limits = maker.limits(300, 40);
    Definition {
        workflow: WorkflowRef {
            slug: String::from("random"),
            name: format!("Random {seed}"),
            hash: Hash::of(&seed.to_le_bytes()),
        },
        agents,
        tools: tool_specs()
            .into_iter()
            .map(|spec| (spec.name.clone(), spec))
            .collect(),
        limits,
        steps,
        locale: String::from("en"),
        dry_run: false,
    }
}

struct Maker {
    rng: Rng,
    mood: Mood,
    agents: Vec<String>,
}

impl Maker {
    /// True in `per_mille` of the wild cases.
    fn wild(&mut self, per_mille: u32) -> bool {
        self.rng.chance(per_mille) && self.mood == Mood::Wild
    }

    fn agents(&mut self) -> BTreeMap<String, AgentDef> {
        let count = self.rng.between(1, 4);
        let agents = (0..count).map(|at| self.agent(at));
        let agents: BTreeMap<_, _> = agents.map(|agent| (agent.id.clone(), agent)).collect();
        self.agents = agents.keys().cloned().collect();
        agents
    }

    fn agent(&mut self, at: u64) -> AgentDef {
        let id = format!("agent_{at}");
        let tools = tool_specs().into_iter().map(|spec| spec.name);
        AgentDef {
            name: format!("Agent {at}"),
            kind: AgentKind::Custom,
            description: format!("Number {at}."),
            instructions: format!("You are {id}. {{{{ step.name }}}}"),
            capabilities: Vec::new(),
            tools: tools.filter(|_| self.rng.chance(600)).collect(),
            models: (0..self.rng.between(1, 2))
                .map(|at| self.model(at))
                .collect(),
            max_output_tokens: *self.rng.pick(&[256, 512, 2_048]),
            temperature: None,
            id,
        }
    }

    fn model(&mut self, at: u64) -> ModelRef {
        let price = if self.wild(150) {
            Price::default()
        } else {
            let per_mtok = MicroUsd(i64::try_from(self.rng.below(20)).unwrap_or(0) * 500_000);
            Price {
                input_per_mtok: Some(per_mtok),
                output_per_mtok: Some(MicroUsd(per_mtok.0 * 4)),
            }
        };
        ModelRef {
            provider: format!("provider_{at}"),
            model: format!("model_{at}"),
            // Calm ones never have to leave anything out of a prompt.
            context_tokens: if self.wild(300) { 4_096 } else { 1_000_000 },
            price,
            constrained_tools: false,
            small: false,
        }
    }

    fn step(&mut self, id: &str, at: u64, depth: u32) -> StepDef {
        let work = match self.rng.below(10) {
            0..=1 if depth < DEPTH_MAX => self.parallel(id, depth),
            2..=4 => self.chat(),
            _ => self.speak(),
        };
        let speaks = matches!(work, Work::Speak { .. });
        let reads = (0..at).map(|n| format!("s{n}"));
        let reads: Vec<String> = reads.filter(|_| self.rng.chance(500)).collect();
        let tools = tool_specs().into_iter().map(|spec| spec.name);
        let tools: Vec<String> = tools.filter(|_| self.rng.chance(700)).collect();
        StepDef {
            id: id.to_owned(),
            name: format!("Step {id}"),
            task: self.rng.chance(300).then(|| format!("Do {id} well.")),
            work,
            tools: self.rng.chance(200).then_some(tools),
            reads: (depth == 0 && self.rng.chance(300)).then_some(reads),
            approve_plan: self.wild(100),
            output: (speaks && self.rng.chance(100)).then(result_form),
            limits: self.limits(80, 20),
        }
    }

    fn some_agents(&mut self, most: u64) -> Vec<String> {
        let count = self.rng.between(1, most);
        (0..count)
            .map(|_| self.rng.pick(&self.agents).clone())
            .collect()
    }

    fn speak(&mut self) -> Work {
        Work::Speak {
            agents: self.some_agents(3),
        }
    }

    fn chat(&mut self) -> Work {
        let agents: Vec<String> = self.agents.clone();
        let select = *self.rng.pick(&[Select::RoundRobin, Select::Selector]);
        let stop = match self.rng.below(5) {
            0 => Some(StopCondition::Text(String::from("AGREED"))),
            1 => Some(StopCondition::Any(vec![
                StopCondition::Rounds(u32::try_from(self.rng.between(1, 5)).unwrap_or(1)),
                StopCondition::NoProgress(true),
            ])),
            2 if self.mood == Mood::Wild => {
                Some(StopCondition::Tokens(self.rng.between(100, 2_000)))
            }
            _ => None,
        };
        Work::Chat(ChatDef {
            agents,
            select,
            allow_repeat: self.rng.chance(300),
            max_round: u32::try_from(self.rng.between(1, 6)).unwrap_or(1),
            stop,
            summary: *self.rng.pick(&[Summary::LastMessage, Summary::Model]),
        })
    }

    fn parallel(&mut self, id: &str, depth: u32) -> Work {
        let count = self.rng.between(2, 4);
        let steps = (0..count).map(|at| self.step(&format!("{id}b{at}"), 0, depth + 1));
        Work::Parallel(ParallelDef {
            steps: steps.collect(),
            join: if self.wild(400) { Join::Any } else { Join::All },
            width: u32::try_from(self.rng.between(1, 4)).unwrap_or(1),
        })
    }

    fn limits(&mut self, per_mille: u32, calls_max: u64) -> RunLimits {
        let mut limits = RunLimits::default();
        if !self.wild(per_mille) {
            return limits;
        }
        match self.rng.below(4) {
            0 => {
                let cents = i64::try_from(self.rng.between(1, 30)).unwrap_or(1);
                limits.micro_usd = Some(MicroUsd(cents * 10_000));
            }
            1 => limits.tokens = Some(self.rng.between(1_000, 40_000)),
            2 => limits.calls = u32::try_from(self.rng.between(1, calls_max)).ok(),
            _ => limits.turns = u32::try_from(self.rng.between(1, 12)).ok(),
        }
        limits
    }
}

fn result_form() -> Value {
    json!({"type": "object", "required": ["verdict"], "additionalProperties": false,
        "properties": {"verdict": {"type": "string", "enum": ["yes", "no"]}}})
}

/// A model that says something fitting to everything, and now and then something silly. A function of the prompt.
#[derive(Debug, Clone, Copy)]
pub struct Improviser {
    pub seed: u64,
    /// Whether it may misreport what it used, answer nothing, or miss the form asked for.
    pub mood: Mood,
}

/// Every so many wild seeds give a model that repeats itself.
const STUBBORN_ONE_IN: u64 = 8;
/// Tool results in a turn after which it only speaks.
const RESULTS_MAX: usize = 3;

impl Answers for Improviser {
    fn answer(&self, prompt: &Prompt<'_>) -> Answer {
        let mut rng = Rng::new(self.seed ^ prompt.number());
        let wild = self.mood == Mood::Wild;
        if let Some(form) = &prompt.schema {
            return if wild && rng.chance(150) {
                Answer::text("I would rather not say.")
            } else {
                Answer::text(schema::instance(form, rng.next_u64()).to_string())
            };
        }
        let may_call = !prompt.offered.is_empty() && prompt.results() < RESULTS_MAX;
        let stubborn = wild && self.seed.is_multiple_of(STUBBORN_ONE_IN);
        let mut answer = if stubborn && rng.chance(700) {
            same_again(prompt, may_call && rng.chance(500))
        } else if may_call && rng.chance(450) {
            calls(&mut rng, prompt)
        } else {
            Answer::text(words(&mut rng, prompt, wild))
        };
        if wild {
            answer.usage = match rng.below(8) {
                0 => Reported::Missing,
                1 => Reported::Exactly(Usage {
                    input_tokens: rng.below(3_000),
                    output_tokens: rng.below(3_000),
                    ..Usage::default()
                }),
                _ => Reported::Counted,
            };
        }
        answer
    }
}

/// What a stubborn model does over and over.
fn same_again(prompt: &Prompt<'_>, call: bool) -> Answer {
    if !call {
        return Answer::text("The same as always.");
    }
    Answer {
        calls: vec![AnswerCall {
            id: format!("call_{}", prompt.mark()),
            tool: prompt.offered[0].to_string(),
            args: String::from("{\"n\":1}"),
        }],
        ..Answer::default()
    }
}

fn words(rng: &mut Rng, prompt: &Prompt<'_>, wild: bool) -> String {
    match rng.below(20) {
        0 if wild => String::new(),
        1 if wild => String::from("The same as always."),
        2..=3 => format!("AGREED, says {}.", prompt.mark()),
        4 => format!("{} ", prompt.mark()).repeat(40),
        _ => format!("I looked into it ({}).", prompt.mark()),
    }
}

fn calls(rng: &mut Rng, prompt: &Prompt<'_>) -> Answer {
    let count = rng.between(1, 3);
    let calls = (0..count).map(|at| AnswerCall {
        id: format!("call_{}_{at}", prompt.mark()),
        tool: rng.pick(&prompt.offered).to_string(),
        args: json!({"n": rng.below(100), "tag": format!("{}-{at}", prompt.mark()),
            "question": "How many?"})
        .to_string(),
    });
    Answer {
        calls: calls.collect(),
        ..Answer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_workflow_and_other_seeds_give_others() {
        for mood in [Mood::Calm, Mood::Wild] {
            let hashes: std::collections::BTreeSet<_> =
                (0..100).map(|seed| definition(seed, mood).hash()).collect();
            assert_eq!(hashes.len(), 100);
            assert_eq!(definition(7, mood), definition(7, mood));
        }
    }

    #[test]
    fn calm_workflows_have_no_limits_and_no_races() {
        for seed in 0..300 {
            let text = String::from_utf8(definition(seed, Mood::Calm).to_bytes()).unwrap();
            assert!(
                !text.contains("\"any\"") || !text.contains("\"join\":\"any\""),
                "{seed}"
            );
            assert!(!text.contains("\"approve_plan\":true"), "{seed}");
            let definition = definition(seed, Mood::Calm);
            assert_eq!(definition.limits, RunLimits::default());
        }
    }
}
