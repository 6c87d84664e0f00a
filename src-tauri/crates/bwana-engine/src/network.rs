//! Waits until a provider that could not be reached answers again. Only then does a run that stands still for want of a
//! network go on by itself: trying its call again every few minutes would fill its journal with failures.

use std::sync::Arc;
use std::time::Duration;

use bwana_types::entry::Call;
use bwana_types::model::{ErrorKind, Phase as Waited};
use bwana_types::status::StopReason;
use bwana_workflow::machine::{CallStatus, Phase, RunState};

use crate::engine::Shared;

/// Who resumes such a run, as its journal says it.
pub(crate) const NETWORK: &str = "network";
const WAIT_FIRST: Duration = Duration::from_secs(15);
/// A person who sees the network come back sees the run go on soon after.
const WAIT_MAX: Duration = Duration::from_secs(2 * 60);

/// The provider a run stands still for, if that is why it stands still.
pub(crate) fn missed(state: &RunState) -> Option<&str> {
    let Phase::Paused(StopReason::WaitingForNetwork { .. }) = &state.phase else {
        return None;
    };
    let stalled = |status: &CallStatus| matches!(status, CallStatus::Stalled { network: true, .. });
    state
        .calls
        .values()
        .filter(|call| stalled(&call.status))
        .find_map(|call| match &call.call {
            Call::Model(model) => Some(model.provider.as_str()),
            Call::Tool(_) => None,
        })
}

/// Returns once `provider` answers anything at all. Its model list is asked for, which costs nothing.
pub(crate) async fn back(shared: Arc<Shared>, provider: String) {
    let mut wait = WAIT_FIRST;
    loop {
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
        let models = Arc::clone(&shared.models);
        let Ok(found) = models.find(provider.clone()).await else {
            continue;
        };
        match found.models().await {
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::Unreachable | ErrorKind::Timeout(Waited::Connect)
                ) => {}
            _ => break,
        }
    }
    shared.gates.retry_now(&provider);
}
