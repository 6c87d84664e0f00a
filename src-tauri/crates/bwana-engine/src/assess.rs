//! A model's wish to use a tool becomes a recorded decision: are the arguments valid, and may it be done?

use std::sync::Arc;

use bwana_tools::args::canonical_args;
use bwana_tools::policy::{self, Decision, Facts, Grant};
use bwana_types::entry::{Assessment, Seq};
use bwana_types::hash::approval_hash;
use bwana_types::task::Ask;
use bwana_workflow::machine::{Input, RunState};

use crate::engine::Shared;

/// One tool call to be judged.
pub(crate) struct Wish {
    pub(crate) path: Arc<str>,
    pub(crate) agent: Arc<str>,
    pub(crate) model_call: Seq,
    pub(crate) index: u32,
    pub(crate) tool: Arc<str>,
    pub(crate) args: Arc<str>,
    pub(crate) cut: bool,
}

/// The input that records the decision. Pure: the same state and wish give the same answer.
pub(crate) fn assess(shared: &Shared, state: &RunState, wish: Wish) -> Input {
    let verdict = judge(shared, state, &wish);
    Input::Assessed {
        path: wish.path,
        model_call: wish.model_call,
        index: wish.index,
        verdict,
    }
}

fn judge(shared: &Shared, state: &RunState, wish: &Wish) -> Assessment {
    let refuse = |message: String| Assessment::Refuse { message };
    let offered = state
        .definition
        .agents
        .get(&*wish.agent)
        .is_some_and(|agent| agent.tools.iter().any(|tool| **tool == *wish.tool));
    let (Some(spec), Some(tool)) = (
        state.definition.tools.get(&*wish.tool),
        shared.tools.get(&wish.tool),
    ) else {
        return refuse(shared.tools.unknown(&wish.tool));
    };
    if !offered {
        return refuse(format!("{} is not one of your tools.", wish.tool));
    }
    if spec.version != tool.spec().version {
        return refuse(format!(
            "{} has changed since this run began; start a new run to use it.",
            wish.tool
        ));
    }
    let args = match shared.tools.validate_args(&wish.tool, &wish.args) {
        Ok(args) => args,
        Err(mistake) if wish.cut => {
            return refuse(format!(
                "Your answer was cut off in the arguments. {mistake}"
            ));
        }
        Err(mistake) => return refuse(mistake),
    };
    let args_hash = approval_hash(
        &spec.name,
        &spec.version,
        &args,
        &state.run.to_string(),
        &wish.path,
    );
    let reach = tool.reach(&args);
    let request = policy::Request {
        spec,
        args_hash: &args_hash,
        reach: reach.as_ref(),
    };
    let sources = state.taint.iter().map(|source| source.to_string());
    let facts = Facts {
        taint: sources.clone().collect(),
        hosts_seen: sources.collect(),
        grants: Vec::<Grant>::new(),
        unattended: shared.options.unattended,
        frozen: false,
    };
    match policy::decide(&request, &facts) {
        Decision::Allow { why } => Assessment::Allow { why },
        Decision::Deny { why } => refuse(why),
        Decision::Ask { why } => Assessment::Ask {
            ask: Ask::Approve {
                tool: spec.name.clone(),
                version: spec.version.clone(),
                agent: wish.agent.to_string(),
                risk: spec.risk,
                effect: spec.effect,
                args: canonical_args(&args),
                args_hash,
                preview: tool.preview(&args),
                why,
            },
        },
    }
}
