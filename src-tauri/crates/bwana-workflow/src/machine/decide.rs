//! What is written when something happens. Live only: a replay folds what was written and decides nothing.

use std::sync::Arc;

use bwana_types::definition::ModelRef;
use bwana_types::definition::RunLimits;
use bwana_types::effect::EffectClass;
use bwana_types::entry::{
    Artifact, ArtifactWritten, Assessment, BudgetExhausted, BudgetRaised, Call, CallError,
    CallErrorClass, CallFailed, CallFinished, CallInterrupted, CallResult, CallRetried,
    CallUncertain, Draft, ModelResult, RunPaused, RunResumed, RunStopping, Seq, ToolAssessed,
    ToolResult, When,
};
use bwana_types::grant::Terms;
use bwana_types::message::{Part, Stop, Usage, text_of};
use bwana_types::model::{ErrorKind, LlmError, Outcome, Phase as WaitPhase};
use bwana_types::money::MicroUsd;
use bwana_types::status::{BudgetLimit, RunError, StopReason};
use bwana_types::task::{DecidedBy, Verdict};
use bwana_types::time::Timestamp;

use super::advance::advance;
use super::budget::{Affordable, BYTES_PER_TOKEN, afford_model, afford_tool};
use super::place::Place;
use super::state::{CallState, CallStatus, Phase, RunState};
use super::terms::decided;
use super::words;

/// Attempts of a call on one model, for failures that waiting may cure.
pub(super) const ATTEMPTS_MAX: u32 = 4;
/// Attempts when a provider's answer cannot be read: the next one is rarely better.
pub(super) const ATTEMPTS_MALFORMED_MAX: u32 = 2;
/// Wait before the second attempt; doubled for each one after it.
pub(super) const BACKOFF_FIRST_MS: i64 = 1_000;
pub(super) const BACKOFF_MAX_MS: i64 = 60_000;
/// A provider that asks for a longer wait than this is not waited for.
pub(super) const RETRY_AFTER_MAX_MS: i64 = 10 * 60_000;

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// What comes next? Answered with at most one entry; ask again after applying it.
    Advance,
    CallDone {
        call: Seq,
        done: CallDone,
    },
    RetryDue {
        call: Seq,
    },
    Assessed {
        path: Arc<str>,
        model_call: Seq,
        index: u32,
        verdict: Assessment,
    },
    Decided {
        task: Seq,
        verdict: Verdict,
        by: DecidedBy,
    },
    /// An answer that says more than yes or no: what else it allows or forbids, or which arguments are to be used.
    DecidedOn {
        task: Seq,
        verdict: Verdict,
        by: DecidedBy,
        terms: Box<Terms>,
    },
    Control(Control),
    /// A new process took the run over: whatever was in flight is in flight no more.
    Recover,
    /// The day's budget, which all runs share, refused a reservation.
    DayBudget {
        wanted: MicroUsd,
        left: MicroUsd,
    },
    ResultSaved(Result<Artifact, String>),
    Deadline,
    /// Two seconds after a cancel: what is still in flight is given up.
    GraceOver,
}

/// How an attempt of a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum CallDone {
    Model(Outcome),
    /// `jitter` is a random number below 1,000.
    ModelFailed {
        error: LlmError,
        now: Timestamp,
        jitter: u16,
    },
    Tool(ToolResult),
    /// It is certain that nothing happened.
    ToolFailed {
        message: String,
        timeout: bool,
    },
    /// It may have happened.
    ToolUncertain {
        why: String,
    },
    /// Nobody wanted it any more before it began, so nothing happened and nothing was spent.
    NeverStarted,
    /// It was let go; `partial` is what had been said until then.
    Cancelled {
        partial: Option<Arc<str>>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    Pause {
        by: String,
    },
    Resume {
        by: String,
    },
    Cancel {
        by: String,
    },
    /// A person says something to whoever speaks next.
    Say {
        text: Arc<str>,
        when: When,
        by: String,
    },
    /// `path` is empty for the run.
    Raise {
        path: Arc<str>,
        limits: RunLimits,
        by: String,
    },
}

/// The entries to write for `input`: applied one by one, appended together. Empty when the input changes nothing, like
/// a result nobody waits for.
pub fn decide(state: &RunState, input: Input) -> Vec<Draft> {
    if state.unknown.is_some() {
        return Vec::new();
    }
    match input {
        Input::Advance => advance(state).into_iter().collect(),
        Input::CallDone { call, done } => match state.calls.get(&call) {
            Some(open) if open.status == CallStatus::InFlight => {
                vec![call_done(state, call, open, done)]
            }
            _ => Vec::new(),
        },
        Input::RetryDue { call } => retry(state, call).into_iter().collect(),
        Input::Assessed {
            path,
            model_call,
            index,
            verdict,
        } => {
            vec![Draft::new(
                path,
                ToolAssessed {
                    model_call,
                    index,
                    verdict,
                },
            )]
        }
        Input::Decided { task, verdict, by } => decided(state, task, verdict, by, Terms::default())
            .into_iter()
            .collect(),
        Input::DecidedOn {
            task,
            verdict,
            by,
            terms,
        } => decided(state, task, verdict, by, *terms)
            .into_iter()
            .collect(),
        Input::Control(control) => controlled(state, control).into_iter().collect(),
        Input::Recover => state
            .calls
            .iter()
            .filter_map(|(seq, call)| recover(state, *seq, call))
            .collect(),
        Input::DayBudget { wanted, left } => {
            let exhausted = BudgetExhausted {
                limit: BudgetLimit::DayMoney,
                wanted: wanted.0,
                left: left.0,
            };
            vec![Draft::new("", exhausted)]
        }
        Input::ResultSaved(saved) => vec![result_saved(saved)],
        Input::Deadline => deadline(state).into_iter().collect(),
        Input::GraceOver => state
            .calls
            .iter()
            .filter_map(|(seq, call)| give_up(state, *seq, call))
            .collect(),
    }
}

/// A result that cannot be saved pauses the run: it is safe in the journal, and whoever resumes tries again.
fn result_saved(saved: Result<Artifact, String>) -> Draft {
    match saved {
        Ok(artifact) => Draft::new("", ArtifactWritten { artifact }),
        Err(message) => {
            let error = RunError {
                kind: None,
                message,
                path: String::new(),
            };
            let reason = StopReason::Failed { error };
            Draft::new("", RunPaused { reason })
        }
    }
}

fn deadline(state: &RunState) -> Option<Draft> {
    if state.phase != Phase::Running || state.exhausted.is_some() {
        return None;
    }
    let exhausted = BudgetExhausted {
        limit: BudgetLimit::Elapsed,
        wanted: state.limits.elapsed_ms.unwrap_or_default(),
        left: 0,
    };
    Some(Draft::new("", exhausted))
}

fn controlled(state: &RunState, control: Control) -> Option<Draft> {
    match (control, &state.phase) {
        (Control::Say { text, when, by }, _) => words::say(state, &text, when, by),
        (Control::Pause { by }, Phase::Running) => Some(Draft::new(
            "",
            RunPaused {
                reason: StopReason::Paused { by },
            },
        )),
        (Control::Resume { by }, Phase::Paused(_)) => Some(Draft::new("", RunResumed { by })),
        (Control::Cancel { by }, Phase::Running | Phase::Paused(_)) => Some(Draft::new(
            "",
            RunStopping {
                reason: StopReason::Cancelled { by },
            },
        )),
        (Control::Raise { path, limits, by }, Phase::Running | Phase::Paused(_)) => {
            Some(Draft::new(path, BudgetRaised { limits, by }))
        }
        _ => None,
    }
}

fn call_done(state: &RunState, seq: Seq, call: &CallState, done: CallDone) -> Draft {
    let path = Arc::clone(&call.path);
    let failed = |class, message| CallFailed {
        call: seq,
        error: CallError {
            class,
            message,
            status: None,
            request_id: None,
        },
        partial: None,
        usage: Usage::default(),
        cost: Some(MicroUsd::ZERO),
        retry_at: None,
        next_model: false,
    };
    match done {
        CallDone::Model(outcome) => Draft::new(
            path,
            CallFinished {
                call: seq,
                result: model_result(state, call, outcome),
            },
        ),
        CallDone::ModelFailed { error, now, jitter } => {
            Draft::new(path, model_failed(state, seq, call, error, now, jitter))
        }
        CallDone::Tool(result) => Draft::new(
            path,
            CallFinished {
                call: seq,
                result: CallResult::Tool(result),
            },
        ),
        CallDone::ToolFailed { message, timeout } => {
            let class = if timeout {
                CallErrorClass::ToolTimeout
            } else {
                CallErrorClass::Tool
            };
            Draft::new(path, failed(class, message))
        }
        // Only an effect that must not happen twice needs a person; anything else may simply be tried by the agent again.
        CallDone::ToolUncertain { why } if call.effect == EffectClass::AtMostOnce => {
            Draft::new(path, CallUncertain { call: seq, why })
        }
        CallDone::ToolUncertain { why } => Draft::new(path, failed(CallErrorClass::Tool, why)),
        CallDone::NeverStarted => Draft::new(
            path,
            failed(CallErrorClass::Cancelled, String::from("cancelled")),
        ),
        CallDone::Cancelled { partial } => cancelled(state, seq, call, partial),
    }
}

fn model_result(state: &RunState, call: &CallState, outcome: Outcome) -> CallResult {
    let usage = outcome
        .usage
        .unwrap_or_else(|| estimate(call, &outcome.parts));
    CallResult::Model(ModelResult {
        cost: model_of(state, call)
            .and_then(|model| model.price.cost(usage.input_tokens, usage.output_tokens)),
        parts: outcome.parts,
        stop: outcome.stop.unwrap_or(Stop::Done),
        usage,
        response_id: outcome.response_id,
    })
}

/// What an attempt must have used when nobody says so: the estimated prompt and the text that came.
fn estimate(call: &CallState, parts: &[Part]) -> Usage {
    let bytes: usize = parts
        .iter()
        .map(|part| match part {
            Part::Text { text } | Part::Reasoning { text, .. } => text.len(),
            Part::ToolCall(call) => call.name.len() + call.args.len(),
            Part::Image { .. } | Part::ToolResult { .. } => 0,
        })
        .sum();
    Usage {
        input_tokens: call.prompt_tokens,
        output_tokens: (bytes as u64).div_ceil(BYTES_PER_TOKEN),
        estimated: true,
        ..Usage::default()
    }
}

fn model_failed(
    state: &RunState,
    seq: Seq,
    call: &CallState,
    error: LlmError,
    now: Timestamp,
    jitter: u16,
) -> CallFailed {
    let partial = text_of(&error.partial.parts);
    let spent = !error.partial.parts.is_empty() || may_have_spent(error.kind);
    let usage = match error.partial.usage {
        Some(usage) => usage,
        None if spent => estimate(call, &error.partial.parts),
        None => Usage::default(),
    };
    let has_next = model_count(state, call) > call.model_index + 1;
    let (retry_at, next_model) = next_attempt(call, &error, has_next, now, jitter);
    CallFailed {
        call: seq,
        cost: if usage == Usage::default() {
            Some(MicroUsd::ZERO)
        } else {
            model_of(state, call)
                .and_then(|model| model.price.cost(usage.input_tokens, usage.output_tokens))
        },
        error: CallError {
            class: CallErrorClass::Model(error.kind),
            message: error.message,
            status: error.status,
            request_id: error.request_id,
        },
        partial: (!partial.is_empty()).then_some(partial),
        usage,
        retry_at,
        next_model,
    }
}

/// Whether a provider may have worked although no text came.
fn may_have_spent(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Interrupted
        | ErrorKind::Malformed
        | ErrorKind::TooLarge
        | ErrorKind::Refused => true,
        ErrorKind::Timeout(phase) => match phase {
            WaitPhase::Connect => false,
            WaitPhase::Headers | WaitPhase::FirstEvent | WaitPhase::Idle | WaitPhase::Total => true,
        },
        ErrorKind::Auth
        | ErrorKind::Quota
        | ErrorKind::RateLimited
        | ErrorKind::Overloaded
        | ErrorKind::ContextTooLong
        | ErrorKind::BadRequest
        | ErrorKind::NotFound
        | ErrorKind::Server
        | ErrorKind::Unreachable => false,
    }
}

/// When the next attempt begins, and whether it uses the next model of the chain.
fn next_attempt(
    call: &CallState,
    error: &LlmError,
    has_next: bool,
    now: Timestamp,
    jitter: u16,
) -> (Option<Timestamp>, bool) {
    let max = if error.kind == ErrorKind::Malformed {
        ATTEMPTS_MALFORMED_MAX
    } else {
        ATTEMPTS_MAX
    };
    let asked_ms = error
        .retry_after
        .map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    let too_long = asked_ms.is_some_and(|wait| wait > RETRY_AFTER_MAX_MS);
    if error.kind.is_retryable() && call.tries_on_model < max && !too_long {
        let doubled = BACKOFF_FIRST_MS << call.tries_on_model.saturating_sub(1).min(16);
        let backoff = doubled.min(BACKOFF_MAX_MS);
        // Between 75 % and 125 %, so that runs that failed together do not come back together.
        let spread = backoff * (750 + i64::from(jitter % 1_000) / 2) / 1_000;
        let wait = asked_ms.map_or(spread, |asked| asked.max(0));
        (Some(Timestamp(now.0.saturating_add(wait))), false)
    } else if has_next {
        (Some(now), true)
    } else {
        (None, false)
    }
}

/// The model that the next attempt of a call uses: the same one, or the next of its chain.
pub(super) fn next_model<'a>(state: &'a RunState, call: &CallState) -> Option<&'a ModelRef> {
    let Call::Model(wanted) = &call.call else {
        return None;
    };
    let on = matches!(
        call.status,
        CallStatus::RetryAt {
            next_model: true,
            ..
        }
    );
    let models = &state.definition.agents.get(&wanted.agent)?.models;
    models
        .get(call.model_index + usize::from(on))
        .or_else(|| models.first())
}

/// The next attempt of a call, if the budget allows it.
pub(super) fn retry(state: &RunState, seq: Seq) -> Option<Draft> {
    let call = state.calls.get(&seq)?;
    match call.status {
        CallStatus::RetryAt { .. } | CallStatus::Lost => {}
        CallStatus::InFlight | CallStatus::Stalled { .. } | CallStatus::Uncertain => return None,
    }
    if state.phase != Phase::Running || state.exhausted.is_some() {
        return None;
    }
    let place = Place::find(&state.definition, &call.path)?;
    let path = Arc::clone(&call.path);
    let again = |reserve, provider: &str, model: &str| CallRetried {
        call: seq,
        attempt: call.attempt + 1,
        reserve,
        provider: provider.to_owned(),
        model: model.to_owned(),
    };
    let Call::Model(wanted) = &call.call else {
        return Some(match afford_tool(state, &place) {
            None => Draft::new(path, again(call.reserve, "", "")),
            Some(exhausted) => Draft::new(path, exhausted),
        });
    };
    let model = next_model(state, call)?;
    let bytes = call.prompt_tokens * BYTES_PER_TOKEN;
    match afford_model(state, &place, model, bytes, wanted.max_output_tokens) {
        Affordable::Yes { reserve, .. } => Some(Draft::new(
            path,
            again(reserve, &model.provider, &model.model),
        )),
        Affordable::No(exhausted) => Some(Draft::new(path, exhausted)),
        Affordable::PriceUnknown => super::advance::ask_price(state, path, model),
    }
}

fn recover(state: &RunState, seq: Seq, call: &CallState) -> Option<Draft> {
    if call.status != CallStatus::InFlight {
        return None;
    }
    let path = Arc::clone(&call.path);
    if !call.effect.may_repeat() {
        let why = String::from("the program was interrupted before an answer came");
        return Some(Draft::new(path, CallUncertain { call: seq, why }));
    }
    let (usage, cost) = lost(state, call);
    Some(Draft::new(
        path,
        CallInterrupted {
            call: seq,
            cost,
            usage,
        },
    ))
}

/// What an attempt that will never be heard of again is booked at: all that was held back for it.
fn lost(state: &RunState, call: &CallState) -> (Usage, Option<MicroUsd>) {
    let Call::Model(model) = &call.call else {
        return (Usage::default(), Some(MicroUsd::ZERO));
    };
    let usage = Usage {
        input_tokens: call.prompt_tokens,
        output_tokens: u64::from(model.max_output_tokens),
        estimated: true,
        ..Usage::default()
    };
    let known = model_of(state, call).is_some_and(|model| model.price.is_known());
    (usage, known.then_some(call.reserve.micro_usd))
}

fn give_up(state: &RunState, seq: Seq, call: &CallState) -> Option<Draft> {
    if call.status != CallStatus::InFlight {
        return None;
    }
    if call.effect == EffectClass::AtMostOnce {
        let why = String::from("the run was cancelled before an answer came");
        return Some(Draft::new(
            Arc::clone(&call.path),
            CallUncertain { call: seq, why },
        ));
    }
    Some(cancelled(state, seq, call, None))
}

fn cancelled(state: &RunState, seq: Seq, call: &CallState, partial: Option<Arc<str>>) -> Draft {
    let (usage, cost) = lost(state, call);
    let failed = CallFailed {
        call: seq,
        error: CallError {
            class: CallErrorClass::Cancelled,
            message: String::from("cancelled"),
            status: None,
            request_id: None,
        },
        partial,
        usage,
        cost,
        retry_at: None,
        next_model: false,
    };
    Draft::new(Arc::clone(&call.path), failed)
}

fn model_of<'a>(state: &'a RunState, call: &CallState) -> Option<&'a ModelRef> {
    let Call::Model(model) = &call.call else {
        return None;
    };
    let agent = state.definition.agents.get(&model.agent)?;
    agent
        .models
        .iter()
        .find(|one| one.provider == model.provider && one.model == model.model)
}

fn model_count(state: &RunState, call: &CallState) -> usize {
    let Call::Model(model) = &call.call else {
        return 0;
    };
    state
        .definition
        .agents
        .get(&model.agent)
        .map_or(0, |agent| agent.models.len())
}
