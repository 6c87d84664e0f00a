//! Performs one attempt of a call. Everything that could go wrong outside becomes an answer, never a panic and never a
//! guess: a tool that may have done its work without saying so is uncertain.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bwana_tools::{ArtifactFolder, ToolCtx, ToolError};
use bwana_types::effect::EffectClass;
use bwana_types::entry::{Call, Seq};
use bwana_types::fault::fault_point;
use bwana_types::hash::approval_hash;
use bwana_types::id::RunId;
use bwana_types::model::{Delta, ErrorKind, LlmError, Request};
use bwana_workflow::machine::{CallDone, CallState, RunState, call_request, tool_slot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clean;
use crate::engine::Shared;
use crate::feed::Feed;

/// An attempt under way: answers with the call, the attempt and how it ended.
pub(crate) type Attempt = Pin<Box<dyn Future<Output = (Seq, u32, CallDone)> + Send>>;

/// Starts an attempt of the open call `seq`. `pos` is where its intent stands in the journal file.
pub(crate) fn attempt(
    shared: &Arc<Shared>,
    feed: &Arc<Feed>,
    state: &RunState,
    seq: Seq,
    pos: i64,
    cancel: CancellationToken,
) -> Option<Attempt> {
    let call = state.calls.get(&seq)?;
    let number = call.attempt;
    match &call.call {
        Call::Model(model) => {
            let request = call_request(state, seq)?;
            let (shared, feed) = (Arc::clone(shared), Arc::clone(feed));
            let provider = model.provider.clone();
            let place = (
                Arc::clone(&call.path),
                Arc::<str>::from(model.agent.as_str()),
            );
            Some(Box::pin(async move {
                let done = ask_model(
                    &shared, &feed, &provider, &request, seq, number, place, cancel,
                )
                .await;
                (seq, number, clean::done(&shared.redactor, done))
            }))
        }
        Call::Tool(_) => {
            let job = tool_job(shared, state, seq, call, cancel);
            let shared = Arc::clone(shared);
            let barrier = call.effect.needs_barrier().then_some(pos);
            Some(Box::pin(async move {
                let done = match job {
                    Ok(job) => use_tool(&shared, job, barrier).await,
                    Err(message) => CallDone::ToolFailed {
                        message,
                        timeout: false,
                    },
                };
                (seq, number, clean::done(&shared.redactor, done))
            }))
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "one private step of `attempt`, each argument used once"
)]
async fn ask_model(
    shared: &Shared,
    feed: &Feed,
    provider: &str,
    request: &Request,
    seq: Seq,
    number: u32,
    (path, agent): (Arc<str>, Arc<str>),
    cancel: CancellationToken,
) -> CallDone {
    let failed = |error| CallDone::ModelFailed {
        error,
        now: shared.clock.now(),
        jitter: shared.jitter(),
    };
    let gate = shared.gates.of(provider);
    let found = tokio::select! {
        biased;
        () = cancel.cancelled() => return CallDone::NeverStarted,
        found = Arc::clone(&shared.models).find(provider.to_owned()) => found,
    };
    let provider = match found {
        Ok(provider) => provider,
        Err(error) => return failed(LlmError::new(ErrorKind::NotFound, error.message)),
    };
    let mut stream = shared.redactor.exact_stream();
    let show = |piece: &str| {
        if !piece.is_empty() {
            feed.text(seq, number, &path, &agent, piece);
        }
    };
    let mut sink = |delta| {
        if let Delta::Text(piece) = delta {
            show(&stream.push(&piece));
        }
    };
    let entered = tokio::select! {
        biased;
        () = cancel.cancelled() => return CallDone::NeverStarted,
        entered = gate.enter() => entered,
    };
    let pass = match entered {
        Ok(pass) => pass,
        Err(refusal) => return failed(refusal),
    };
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        outcome = provider.complete(request, &mut sink) => Some(outcome),
    };
    show(&stream.finish());
    let Some(mut outcome) = outcome else {
        return CallDone::Cancelled { partial: None };
    };
    if let Err(error) = &mut outcome {
        // The gate repeats its words to people and to other runs.
        clean::failure(&shared.redactor, error);
    }
    pass.tell(&outcome);
    match outcome {
        Ok(outcome) => CallDone::Model(outcome),
        Err(error) => failed(error),
    }
}

struct ToolJob {
    tool: Arc<dyn bwana_tools::Tool>,
    ctx: ToolCtx,
    args: serde_json::Value,
    effect: EffectClass,
}

/// Everything a tool call needs, checked once more: what runs is what was assessed, or it does not run.
fn tool_job(
    shared: &Shared,
    state: &RunState,
    seq: Seq,
    call: &CallState,
    cancel: CancellationToken,
) -> Result<ToolJob, String> {
    let Call::Tool(wanted) = &call.call else {
        return Err(String::from("this is no tool call"));
    };
    let slot = tool_slot(state, seq).ok_or("the arguments of this call are gone")?;
    let name = &slot.tool;
    let tool = shared
        .tools
        .get(name)
        .ok_or_else(|| shared.tools.unknown(name))?;
    let spec = tool.spec();
    if spec.version != wanted.version {
        return Err(format!(
            "{name} has changed since this run began; start a new run to use it."
        ));
    }
    let args = shared.tools.validate_args(name, &slot.args)?;
    if let Some(approved) = &slot.approved {
        let hash = approval_hash(
            name,
            &spec.version,
            &args,
            &state.run.to_string(),
            &call.path,
        );
        if hash != **approved {
            return Err(format!(
                "{name} was approved for other arguments; nothing was done."
            ));
        }
    }
    let ctx = ToolCtx {
        artifacts: folder(shared, state.run),
        http: shared.egress.clone(),
        key: call.key,
        deadline: Instant::now() + Duration::from_millis(spec.limits.timeout_ms),
        cancel,
        limits: spec.limits,
    };
    Ok(ToolJob {
        tool: Arc::clone(tool),
        ctx,
        args,
        effect: call.effect,
    })
}

pub(crate) fn folder(shared: &Shared, run: RunId) -> ArtifactFolder {
    ArtifactFolder::at(shared.options.artifacts.join(run.to_string()))
}

async fn use_tool(shared: &Shared, job: ToolJob, barrier: Option<i64>) -> CallDone {
    if let Some(pos) = barrier
        && let Err(error) = shared.store.barrier(pos).await
    {
        let message = format!("The intent could not be made durable, so nothing was sent: {error}");
        return CallDone::ToolFailed {
            message,
            timeout: false,
        };
    }
    fault_point("before_effect");
    let outcome = bwana_tools::run(&*job.tool, job.ctx, job.args).await;
    fault_point("after_effect");
    match outcome {
        Ok(output) => CallDone::Tool(output.into()),
        Err(error) if error.may_have_happened() && job.effect == EffectClass::AtMostOnce => {
            CallDone::ToolUncertain {
                why: error.to_string(),
            }
        }
        Err(ToolError::Cancelled { .. }) => CallDone::Cancelled { partial: None },
        Err(error) => {
            let timeout = matches!(error, ToolError::Timeout { .. });
            CallDone::ToolFailed {
                message: error.to_string(),
                timeout,
            }
        }
    }
}
