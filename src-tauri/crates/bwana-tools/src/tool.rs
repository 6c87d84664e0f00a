//! The contract every tool keeps. What a tool may touch is what its [`ToolCtx`] holds: never the store, never a secret.

use std::sync::Arc;

use bwana_types::entry::{Artifact, ToolResult};
use bwana_types::grant::Pattern;
use bwana_types::hash::Hash;
use bwana_types::tool::{ToolLimits, ToolSpec};
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::artifact::ArtifactFolder;
use crate::egress::Egress;
use crate::error::ToolError;

/// A function an agent may call.
pub trait Tool: Send + Sync {
    fn spec(&self) -> &ToolSpec;

    /// What would happen, in one line a person understands; at most [`crate::visible::PREVIEW_MAX_CHARS`] characters, with
    /// invisible characters made visible. Must not fail: arguments that mean nothing are shown as they are.
    fn preview(&self, args: &Value) -> String;

    /// Where on the network a call with these arguments would go, so that the policy can judge it.
    fn reach(&self, _args: &Value) -> Option<Reach> {
        None
    }

    /// Wider patterns than exactly these arguments that a person may allow together with this call, the narrowest first;
    /// made with [`crate::pattern`]. None for a tool whose calls have nothing in common.
    fn patterns(&self, _args: &Value) -> Vec<Pattern> {
        Vec::new()
    }

    /// Does it. Arguments have passed the schema. A tool keeps to `ctx.deadline` and `ctx.cancel` and says in its error
    /// whether the effect may have happened; dropping the future must be safe at any await.
    fn call(&self, ctx: ToolCtx, args: Value) -> BoxFuture<'_, Result<ToolOutput, ToolError>>;
}

/// Where a call goes, and how much of it could carry data out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Lower-case ASCII host, with the port if it is not the scheme's own.
    pub host: String,
    /// Characters of the query.
    pub query_chars: usize,
    /// Characters of the path.
    pub path_chars: usize,
}

/// What one call may use.
#[derive(Debug, Clone)]
pub struct ToolCtx {
    /// The run's artifact folder.
    pub artifacts: ArtifactFolder,
    /// The only way to the network.
    pub http: Egress,
    /// For the other side to recognise a repetition; from the journal, the same on every attempt.
    pub key: Option<Hash>,
    pub deadline: Instant,
    pub cancel: CancellationToken,
    pub limits: ToolLimits,
}

/// What a tool gives back.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOutput {
    /// What the model sees.
    pub content: String,
    /// The tool did its work and the answer is bad news, like an HTTP 404.
    pub is_error: bool,
    pub artifacts: Vec<Artifact>,
    /// The host outside text came from: taints what follows.
    pub source: Option<String>,
}

impl ToolOutput {
    pub fn text(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            is_error: false,
            artifacts: Vec::new(),
            source: None,
        }
    }
}

impl From<ToolOutput> for ToolResult {
    fn from(output: ToolOutput) -> Self {
        Self {
            content: Arc::from(output.content),
            is_error: output.is_error,
            artifacts: output.artifacts,
            source: output.source,
        }
    }
}
