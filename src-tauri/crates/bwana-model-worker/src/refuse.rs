//! The worker of a build without the runtime of local models: it greets, and refuses everything else plainly.

use bwana_llm::local::frame::ToWorker;
use bwana_types::model::ErrorKind;

use crate::control::{Control, Requests};

const WORDS: &str = "this build has no built-in model; install the full build, or connect a model server or an online provider";

pub(crate) fn run(control: &Control, requests: &Requests) {
    for request in requests {
        let id = match request {
            ToWorker::Generate(call) => Some(call.id),
            ToWorker::Embed { id, .. } | ToWorker::Stats { id } | ToWorker::Cancel { id } => {
                Some(id)
            }
            ToWorker::Load(_) | ToWorker::Hello { .. } | ToWorker::Unknown => None,
        };
        control.fail(id, ErrorKind::Refused, WORDS);
    }
}
