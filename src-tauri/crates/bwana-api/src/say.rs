//! Saying something to a run at work. When words are heard stands in the machine; here they come in.

use bwana_engine::{EngineError, QueuedView, unheard};
use bwana_types::entry::{SAID_MAX_BYTES, Seq, When};
use bwana_types::error::ApiError;
use bwana_workflow::machine::{Control, Input};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, Mode};
use crate::command::Ctx;
use crate::quiet;
use crate::runs::show_run;
use crate::view::RunShown;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SayRequest {
    /// An id, or its last characters.
    pub run: String,
    /// At most 16 KiB.
    pub text: String,
    pub when: When,
}

/// Words that nobody has heard yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueuedShown {
    pub seq: Seq,
    pub text: String,
    pub when: When,
}

impl From<QueuedView> for QueuedShown {
    fn from(queued: QueuedView) -> Self {
        Self {
            seq: queued.seq,
            text: queued.text,
            when: queued.when,
        }
    }
}

/// Durable when it is answered. A run that nobody works on takes words too and uses them when it goes on.
pub(crate) async fn say(app: &App, ctx: Ctx, request: SayRequest) -> Result<RunShown, ApiError> {
    let run = app.find_run(&request.run)?;
    let SayRequest { text, when, .. } = request;
    if text.len() > SAID_MAX_BYTES {
        let (bytes, max) = (text.len(), SAID_MAX_BYTES);
        return Err(EngineError::BadWords { bytes, max }.into());
    }
    let by = ctx.caller.as_str();
    if app.mode() == Mode::Own || app.is_live(run) {
        app.engine()?.say(run, &text, when, by).await?;
    } else {
        let say = Control::Say {
            text: text.as_str().into(),
            when,
            by: by.to_owned(),
        };
        if !quiet::steer(app, run, Input::Control(say)).await? {
            let state = bwana_engine::fold_run(app.store()?, run)?;
            return Err(unheard(&state, &text).into());
        }
    }
    show_run(app, run)
}
