//! A model's wish to use a tool becomes a recorded decision: are the arguments valid, and may it be done? The same is asked
//! about arguments that a person writes in place of a model's.

use std::sync::Arc;

use bwana_store::Store;
use bwana_tools::args::canonical_args;
use bwana_tools::builtin::Question;
use bwana_tools::pattern::patterns;
use bwana_tools::policy::{self, Decision, Facts, Grant};
use bwana_tools::{Registry, Tool};
use bwana_types::entry::{Assessment, Seq};
use bwana_types::grant::{GrantScope, Pattern};
use bwana_types::hash::approval_hash;
use bwana_types::task::Ask;
use bwana_types::time::Timestamp;
use bwana_types::tool::ToolSpec;
use bwana_workflow::machine::{Input, RunState};
use serde_json::Value;

use crate::engine::Shared;
use crate::error::EngineError;

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

/// The input that records the decision. Changes nothing: the same state, wish and grants give the same answer.
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
    let refuse = |message: String| Assessment::Refuse {
        message,
        grant: None,
    };
    let offered = state
        .definition
        .agents
        .get(&*wish.agent)
        .is_some_and(|agent| agent.tools.iter().any(|tool| **tool == *wish.tool));
    let (spec, tool) = match tool_of(&shared.tools, state, &wish.tool) {
        Ok(found) => found,
        Err(message) => return refuse(message),
    };
    if !offered {
        return refuse(format!("{} is not one of your tools.", wish.tool));
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
    let weigher = Weigher {
        store: &shared.store,
        state,
        now: shared.clock.now(),
        unattended: shared.options.unattended,
    };
    let weighed = match weigher.weigh(spec, tool, &args, &wish.path) {
        Ok(weighed) => weighed,
        Err(error) => return refuse(format!("What people allow cannot be read: {error}")),
    };
    match weighed.decision {
        Decision::Allow { why, grant } => Assessment::Allow { why, grant },
        Decision::Deny { why, grant } => Assessment::Refuse {
            message: why,
            grant,
        },
        Decision::Question => match Question::new(&args) {
            Ok(Question { text, choices }) => Assessment::Ask {
                ask: Ask::Answer {
                    agent: wish.agent.to_string(),
                    question: text,
                    choices,
                },
            },
            Err(mistake) => refuse(mistake),
        },
        Decision::Ask { why } => Assessment::Ask {
            ask: Ask::Approve {
                tool: spec.name.clone(),
                version: spec.version.clone(),
                agent: wish.agent.to_string(),
                risk: spec.risk,
                effect: spec.effect,
                args: canonical_args(&args),
                args_hash: weighed.args_hash,
                preview: tool.preview(&args),
                why,
                patterns: weighed.patterns,
                tainted: !state.taint.is_empty(),
            },
        },
    }
}

/// A tool of a run's definition, if this program still has the version it was resolved with.
pub(crate) fn tool_of<'a>(
    tools: &'a Registry,
    state: &'a RunState,
    name: &str,
) -> Result<(&'a ToolSpec, &'a Arc<dyn Tool>), String> {
    let (Some(spec), Some(tool)) = (state.definition.tools.get(name), tools.get(name)) else {
        return Err(tools.unknown(name));
    };
    if spec.version == tool.spec().version {
        Ok((spec, tool))
    } else {
        Err(format!(
            "{name} has changed since this run began; start a new run to use it."
        ))
    }
}

/// What is known when a call is weighed.
pub(crate) struct Weigher<'a> {
    pub(crate) store: &'a Store,
    pub(crate) state: &'a RunState,
    pub(crate) now: Timestamp,
    /// Nobody can be asked.
    pub(crate) unattended: bool,
}

/// The policy's word on a call, and what a decision about it is bound to.
pub(crate) struct Weighed {
    pub(crate) decision: Decision,
    pub(crate) args_hash: String,
    pub(crate) patterns: Vec<Pattern>,
}

impl Weigher<'_> {
    /// Asks the policy about a call with arguments that have passed the schema.
    ///
    /// # Errors
    /// If the grants cannot be read. Then nothing may be allowed: one of them may be a denial.
    pub(crate) fn weigh(
        &self,
        spec: &ToolSpec,
        tool: &Arc<dyn Tool>,
        args: &Value,
        path: &str,
    ) -> Result<Weighed, EngineError> {
        let run = self.state.run.to_string();
        let patterns = patterns(&**tool, args);
        let reach = tool.reach(args);
        let request = policy::Request {
            spec,
            patterns: &patterns,
            reach: reach.as_ref(),
        };
        let sources = self.state.taint.iter().map(|source| source.to_string());
        let facts = Facts {
            taint: sources.clone().collect(),
            hosts_seen: sources.collect(),
            grants: self.grants(&spec.name)?,
            unattended: self.unattended,
            dry_run: self.state.definition.dry_run,
            frozen: false,
        };
        Ok(Weighed {
            decision: policy::decide(&request, &facts),
            args_hash: approval_hash(&spec.name, &spec.version, args, &run, path),
            patterns,
        })
    }

    /// The grants of a tool that hold in this run now.
    fn grants(&self, tool: &str) -> Result<Vec<Grant>, EngineError> {
        let workflow = &self.state.definition.workflow;
        let all = self.store.grants_of(tool)?;
        let standing = all.into_iter().filter(|grant| grant.stands(self.now));
        let here = standing.filter(|grant| {
            let made = &grant.made;
            match made.scope {
                GrantScope::Run => grant.run == self.state.run,
                GrantScope::Workflow => {
                    made.workflow == workflow.slug && made.workflow_hash == workflow.hash
                }
                GrantScope::Never => made.workflow == workflow.slug,
            }
        });
        Ok(here
            .map(|grant| Grant {
                id: grant.made.id,
                tool: grant.made.tool,
                version: grant.made.version,
                pattern: grant.made.pattern,
                scope: grant.made.scope,
            })
            .collect())
    }
}
