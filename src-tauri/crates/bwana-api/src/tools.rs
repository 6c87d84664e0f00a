//! Commands about tools: what there is, and using one once, as the person and without a run.

use std::time::Duration;

use bwana_tools::policy::{self, Decision, Facts};
use bwana_tools::{ArtifactFolder, ToolCtx};
use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::hash::Hash;
use bwana_types::tool::ToolSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::{App, artifacts_folder};
use crate::command::Ctx;
use crate::definitions::{ById, Nothing};
use crate::view::ArtifactShown;

/// Files that tools write for the person and not for a run.
const OWN_FOLDER: &str = "tools";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolLine {
    pub id: String,
    pub description: String,
    pub risk: RiskClass,
    pub effect: EffectClass,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolList {
    pub tools: Vec<ToolLine>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolShown {
    pub id: String,
    #[serde(flatten)]
    pub spec: ToolSpec,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    pub tool: String,
    /// JSON text of the arguments.
    pub args: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallReport {
    pub tool: String,
    /// What an agent would see.
    pub content: String,
    /// The tool did its work and the answer is bad news.
    pub is_error: bool,
    /// The host the text came from.
    pub source: Option<String>,
    /// Files written, in `folder`.
    pub artifacts: Vec<ArtifactShown>,
    pub folder: String,
}

/// Whether the policy would ask a person about a use of this tool with nothing known against it.
pub(crate) fn would_ask(spec: &ToolSpec) -> bool {
    let request = policy::Request {
        spec,
        patterns: &[],
        reach: None,
    };
    matches!(
        policy::decide(&request, &Facts::default()),
        Decision::Ask { .. } | Decision::Question
    )
}

pub(crate) async fn list(app: &App, _ctx: Ctx, _: Nothing) -> Result<ToolList, ApiError> {
    let tools = app.tools()?.specs().map(|spec| ToolLine {
        id: spec.name.clone(),
        description: spec.description.clone(),
        risk: spec.risk,
        effect: spec.effect,
    });
    Ok(ToolList {
        tools: tools.collect(),
    })
}

pub(crate) async fn show(app: &App, _ctx: Ctx, by: ById) -> Result<ToolShown, ApiError> {
    let tools = app.tools()?;
    let tool = tools
        .get(&by.id)
        .ok_or_else(|| ApiError::new(ErrorCode::ToolUnknown, tools.unknown(&by.id)))?;
    Ok(ToolShown {
        id: tool.spec().name.clone(),
        spec: tool.spec().clone(),
    })
}

pub(crate) async fn call(
    app: &App,
    _ctx: Ctx,
    request: CallRequest,
) -> Result<CallReport, ApiError> {
    let tools = app.tools()?;
    let tool = tools
        .get(&request.tool)
        .ok_or_else(|| ApiError::new(ErrorCode::ToolUnknown, tools.unknown(&request.tool)))?;
    let args: Value = tools
        .validate_args(&request.tool, &request.args)
        .map_err(|mistake| ApiError::new(ErrorCode::ToolInvalidArguments, mistake))?;
    let spec = tool.spec();
    let folder = artifacts_folder(app.home()).join(OWN_FOLDER);
    let uuid = app.ids().uuid(app.clock().now());
    let ctx = ToolCtx {
        artifacts: ArtifactFolder::at(&folder),
        http: app.egress()?,
        // Every call of a person is one of its own.
        key: Some(Hash::of(uuid.as_bytes())),
        deadline: Instant::now() + Duration::from_millis(spec.limits.timeout_ms),
        cancel: CancellationToken::new(),
        limits: spec.limits,
    };
    let redactor = app.secrets().redactor();
    let output = bwana_tools::run(&**tool, ctx, args)
        .await
        .map_err(|error| {
            let error = ApiError::new(ErrorCode::ToolFailed, error.to_string());
            match spec.effect {
                EffectClass::AtMostOnce => error.with_hint(
                    "Look at the other side before you try again: it may have happened.",
                ),
                _ => error,
            }
        })?;
    Ok(CallReport {
        tool: spec.name.clone(),
        content: redactor.exact(&output.content).into_owned(),
        is_error: output.is_error,
        source: output.source,
        artifacts: output
            .artifacts
            .iter()
            .map(|artifact| ArtifactShown {
                file: artifact.file.clone(),
                bytes: artifact.bytes,
                hash: artifact.hash.to_string(),
            })
            .collect(),
        folder: folder.display().to_string(),
    })
}
