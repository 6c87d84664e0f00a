//! What a person says besides yes or no, made into terms that the machine can check and the journal can keep: which grant
//! a decision makes, and which arguments it puts in the place of the model's.

use bwana_store::{Store, TaskInfo};
use bwana_tools::Registry;
use bwana_tools::args::canonical_args;
use bwana_tools::policy::{Decision, may_be_granted};
use bwana_types::effect::RiskClass;
use bwana_types::grant::{EditedArgs, GrantMade, GrantScope, Pattern, Terms};
use bwana_types::id::GrantId;
use bwana_types::task::Ask;
use bwana_types::time::Timestamp;
use bwana_workflow::machine::RunState;

use crate::assess::{Weigher, tool_of};
use crate::error::EngineError;

/// What a person wants beyond this one call, as it was asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    pub scope: Option<GrantScope>,
    /// One of those the question offers; without one, the narrowest.
    pub pattern: Option<Pattern>,
    /// JSON text of arguments to use in place of the model's.
    pub edit: Option<String>,
}

impl Wanted {
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Scopes that are offered for a question, with the patterns of each. A scope that would never be honoured is not.
pub fn offered(ask: &Ask) -> Vec<(GrantScope, &Pattern)> {
    let Ask::Approve {
        risk,
        patterns,
        tainted,
        ..
    } = ask
    else {
        return Vec::new();
    };
    let scopes = [GrantScope::Run, GrantScope::Workflow, GrantScope::Never];
    let offers = scopes.into_iter().flat_map(|scope| {
        patterns.iter().filter_map(move |pattern| {
            may_offer(*risk, *tainted, scope, pattern).then_some((scope, pattern))
        })
    });
    offers.collect()
}

/// In a run with untrusted text, a grant for the run alone is offered only where it will be honoured there.
fn may_offer(risk: RiskClass, tainted: bool, scope: GrantScope, pattern: &Pattern) -> bool {
    let exact = matches!(pattern, Pattern::Exact { .. });
    match scope {
        GrantScope::Never => true,
        GrantScope::Workflow => may_be_granted(risk),
        GrantScope::Run if !tainted => may_be_granted(risk),
        GrantScope::Run => match risk {
            RiskClass::ReadLocal | RiskClass::ReadNet => true,
            RiskClass::WriteReversible => exact,
            RiskClass::Execute | RiskClass::Destructive | RiskClass::Contact | RiskClass::Money => {
                false
            }
        },
    }
}

/// The terms of a decision, checked against the question and, for new arguments, against schema and policy.
///
/// # Errors
/// If the question does not offer them, the arguments do not fit the tool, or the policy refuses them.
pub fn terms(
    store: &Store,
    tools: &Registry,
    state: &RunState,
    now: Timestamp,
    task: &TaskInfo,
    wanted: &Wanted,
) -> Result<Terms, EngineError> {
    if wanted.is_plain() {
        return Ok(Terms::default());
    }
    let wrong = |why: &str| EngineError::WrongAnswer {
        task: task.id,
        why: why.to_owned(),
    };
    let Ask::Approve { tool, version, .. } = &task.ask else {
        return Err(wrong(
            "only a tool call can be changed or allowed for longer",
        ));
    };
    let edit = wanted
        .edit
        .as_ref()
        .map(|raw| edited(store, tools, state, now, task, (tool, raw)))
        .transpose()?
        .flatten();
    let ask = with_patterns(&task.ask, edit.as_ref());
    let offers = offered(&ask);
    let made = |scope: GrantScope| -> Result<GrantMade, EngineError> {
        let mut of_scope = offers.iter().filter(|(offered, _)| *offered == scope);
        let (_, pattern) = match &wanted.pattern {
            None => of_scope.next(),
            Some(pattern) => of_scope.find(|(_, offered)| *offered == pattern),
        }
        .ok_or_else(|| wrong("this question does not offer that scope with that pattern"))?;
        let workflow = &state.definition.workflow;
        Ok(GrantMade {
            id: GrantId::of_task(state.run, task.seq, task.opened_at),
            scope,
            tool: tool.clone(),
            version: version.clone(),
            pattern: (*pattern).clone(),
            workflow: workflow.slug.clone(),
            workflow_hash: workflow.hash,
        })
    };
    if wanted.scope.is_none() && wanted.pattern.is_some() {
        return Err(wrong("a pattern belongs to a scope"));
    }
    Ok(Terms {
        grant: wanted.scope.map(made).transpose()?,
        edit,
    })
}

/// The question as it would be asked about the edited arguments.
fn with_patterns(ask: &Ask, edit: Option<&EditedArgs>) -> Ask {
    let mut ask = ask.clone();
    if let (Ask::Approve { patterns, .. }, Some(edit)) = (&mut ask, edit) {
        patterns.clone_from(&edit.patterns);
    }
    ask
}

/// Arguments of a person, judged as a model's are. `None`: they are the model's.
fn edited(
    store: &Store,
    tools: &Registry,
    state: &RunState,
    now: Timestamp,
    task: &TaskInfo,
    (name, raw): (&str, &str),
) -> Result<Option<EditedArgs>, EngineError> {
    let bad = |why: String| EngineError::BadArguments { task: task.id, why };
    let (spec, tool) = tool_of(tools, state, name).map_err(bad)?;
    let args = tools.validate_args(name, raw).map_err(bad)?;
    let canonical = canonical_args(&args);
    if matches!(&task.ask, Ask::Approve { args, .. } if *args == canonical) {
        return Ok(None);
    }
    let weigher = Weigher {
        store,
        state,
        now,
        // The person who writes them is there.
        unattended: false,
    };
    let weighed = weigher.weigh(spec, tool, &args, &task.path)?;
    match weighed.decision {
        Decision::Deny { why, .. } => Err(EngineError::Refused { task: task.id, why }),
        Decision::Question => Err(bad("a question is answered, not changed".into())),
        Decision::Allow { .. } | Decision::Ask { .. } => Ok(Some(EditedArgs {
            args: canonical,
            args_hash: weighed.args_hash,
            patterns: weighed.patterns,
        })),
    }
}
