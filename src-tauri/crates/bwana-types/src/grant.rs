//! What a person allows, or forbids, beyond one call: a tool, a pattern of arguments, and where it holds. Plain data; who
//! may be asked for what is the policy's business, and which patterns there are is each tool's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::id::GrantId;

/// Where a decision holds beyond the call it was made for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum GrantScope {
    /// Allowed for the rest of this run.
    Run,
    /// Allowed in every run of this version of the workflow.
    Workflow,
    /// Denied in every run of this workflow, whatever its version.
    Never,
}

impl GrantScope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Workflow => "workflow",
            Self::Never => "never",
        }
    }
}

/// Which calls of one tool a grant covers. A call is covered if the very same pattern can be derived from its arguments,
/// so two ways of writing one host are one, and anything else is not covered.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pattern {
    /// Exactly these arguments (`hash::args_hash`).
    Exact { args_hash: String },
    /// This address, whatever is sent to it.
    Address { url: String },
    /// Any address of this origin: `https://example.org:8443`, lower-case ASCII, the scheme's own port left out.
    Host { host: String },
    /// Any recipient of this mail domain, lower-case ASCII. Its subdomains are other domains.
    Domain { domain: String },
    /// Any file directly in this folder of the run's files; empty: the top. Folders in it are other folders.
    Folder { folder: String },
}

/// A grant as the decision that made it records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantMade {
    pub id: GrantId,
    pub scope: GrantScope,
    pub tool: String,
    /// Another version of the tool is not covered.
    pub version: String,
    pub pattern: Pattern,
    pub workflow: String,
    /// Another version of the workflow is not covered by what was allowed.
    pub workflow_hash: Hash,
}

/// Arguments a person wrote in place of the model's, and approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EditedArgs {
    /// Canonical JSON text.
    pub args: String,
    /// `hash::approval_hash` of the new arguments: what the decision is bound to.
    pub args_hash: String,
    /// Patterns of the new arguments, for a grant made with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<Pattern>,
}

/// What a decision says besides yes or no.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    pub grant: Option<GrantMade>,
    pub edit: Option<EditedArgs>,
}

/// Days after which what was allowed in a workflow must be allowed anew.
pub const GRANT_DAYS: i64 = 30;
