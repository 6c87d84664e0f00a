//! Changing an agent without its file: what the window offers. The changed agent takes the way of every import, so it is
//! checked like one; an agent that comes with the program can be had back as it came.

use bwana_types::agent::ModelChoice;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_workflow::definition::SHIPPED_FILES;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::book::{self, BUILTIN};
use crate::command::Ctx;
use crate::definitions::{ById, find};
use crate::overview::{AgentPanel, panel_of};

/// Under this name an edited agent shows where it comes from.
const EDITED: &str = "edited here";

/// What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EditRequest {
    pub id: String,
    pub instructions: Option<String>,
    /// Empty: the long instructions for every model.
    pub instructions_small: Option<String>,
    /// `default` or `PROVIDER/MODEL`, in order of preference; empty: `default`.
    pub models: Option<Vec<String>>,
    pub tools: Option<Vec<String>>,
}

pub(crate) async fn edit(
    app: &App,
    _ctx: Ctx,
    request: EditRequest,
) -> Result<AgentPanel, ApiError> {
    let store = app.owner()?;
    let book = app.book().await?;
    let mut agent = find(&book.agents, &request.id, "agent")?.file.clone();
    if let Some(instructions) = request.instructions {
        agent.instructions = instructions;
    }
    if let Some(small) = request.instructions_small {
        agent.instructions_small = (!small.trim().is_empty()).then_some(small);
    }
    if let Some(mut models) = request.models {
        agent.model = match models.len() {
            0 => ModelChoice::default(),
            1 => ModelChoice::One(models.remove(0)),
            _ => ModelChoice::Fallback(models),
        };
    }
    if let Some(tools) = request.tools {
        agent.tools = tools;
    }
    let text = serde_json::to_string(&agent)
        .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    let found = book.read(text.as_bytes(), &app.tool_names())?;
    book::put(store, &found, EDITED).await?;
    store.sync().await?;
    panel_of(app, &agent.id).await
}

/// Brings an agent back as it comes with the program.
pub(crate) async fn reset(app: &App, _ctx: Ctx, by: ById) -> Result<AgentPanel, ApiError> {
    let store = app.owner()?;
    let book = app.book().await?;
    let path = format!("agents/{}.yaml", by.id);
    let file = SHIPPED_FILES.iter().find(|file| file.path == path);
    let Some(file) = file else {
        let message = format!(
            "no agent called '{}' comes with the program",
            crate::shape::shown(&by.id)
        );
        return Err(ApiError::new(ErrorCode::UsageNotFound, message));
    };
    let found = book.read(file.text.as_bytes(), &app.tool_names())?;
    book::put(store, &found, BUILTIN).await?;
    store.sync().await?;
    panel_of(app, &by.id).await
}
