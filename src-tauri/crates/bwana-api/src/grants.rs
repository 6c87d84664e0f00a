//! What people allowed and forbade beyond one call: what a question offers, what stands, and taking it back. Making one
//! is part of a decision (`tasks`).

use std::collections::BTreeMap;

use bwana_store::GrantInfo;
use bwana_types::effect::RiskClass;
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::grant::{GRANT_DAYS, GrantScope, Pattern};
use bwana_types::id::{GrantId, RunId, TaskId};
use bwana_types::task::{Ask, DecidedBy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::shape::Time;
use crate::tasks::TaskRef;

/// How far a decision reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This call alone.
    #[default]
    Once,
    /// The rest of this run.
    Run,
    /// Every run of this version of the workflow, for 30 days.
    Workflow,
    /// Denied in every run of this workflow.
    Never,
}

impl Scope {
    pub(crate) fn grant(self) -> Option<GrantScope> {
        match self {
            Self::Once => None,
            Self::Run => Some(GrantScope::Run),
            Self::Workflow => Some(GrantScope::Workflow),
            Self::Never => Some(GrantScope::Never),
        }
    }
}

impl From<GrantScope> for Scope {
    fn from(scope: GrantScope) -> Self {
        match scope {
            GrantScope::Run => Self::Run,
            GrantScope::Workflow => Self::Workflow,
            GrantScope::Never => Self::Never,
        }
    }
}

/// A sentence as a code and its parameters; the host has the words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Words {
    pub code: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

/// One way to answer yes, or never, to a question about a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeOffer {
    pub scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    pub words: Words,
}

/// Codes of [`Words`] about scopes, with the names of their parameters.
pub const SCOPE_CODES: &[(&str, &[&str])] = &[
    ("grant.once", &["tool"]),
    ("grant.run.exact", &["tool"]),
    ("grant.run.address", &["tool", "url"]),
    ("grant.run.host", &["tool", "host"]),
    ("grant.run.domain", &["tool", "domain"]),
    ("grant.run.folder", &["tool", "folder"]),
    ("grant.workflow.exact", &["tool", "days"]),
    ("grant.workflow.address", &["tool", "url", "days"]),
    ("grant.workflow.host", &["tool", "host", "days"]),
    ("grant.workflow.domain", &["tool", "domain", "days"]),
    ("grant.workflow.folder", &["tool", "folder", "days"]),
    ("grant.never.exact", &["tool"]),
    ("grant.never.address", &["tool", "url"]),
    ("grant.never.host", &["tool", "host"]),
    ("grant.never.domain", &["tool", "domain"]),
    ("grant.never.folder", &["tool", "folder"]),
];

/// What a question about a tool offers, the least first; empty for other questions.
pub(crate) fn offers(ask: &Ask) -> Vec<ScopeOffer> {
    let Ask::Approve { tool, .. } = ask else {
        return Vec::new();
    };
    let params = BTreeMap::from([(String::from("tool"), tool.clone())]);
    let once = ScopeOffer {
        scope: Scope::Once,
        pattern: None,
        words: Words {
            code: String::from("grant.once"),
            params,
        },
    };
    let more = bwana_engine::offered(ask).into_iter();
    std::iter::once(once)
        .chain(more.map(|(scope, pattern)| ScopeOffer {
            scope: scope.into(),
            pattern: Some(pattern.clone()),
            words: words(scope, tool, pattern),
        }))
        .collect()
}

/// Whether a yes needs a second key: it reaches others, costs money or cannot be undone.
pub(crate) fn needs_second_key(ask: &Ask) -> bool {
    risk(ask).is_some_and(|risk| match risk {
        RiskClass::Contact | RiskClass::Money | RiskClass::Destructive => true,
        RiskClass::ReadLocal
        | RiskClass::ReadNet
        | RiskClass::WriteReversible
        | RiskClass::Execute => false,
    })
}

pub(crate) fn risk(ask: &Ask) -> Option<RiskClass> {
    match ask {
        Ask::Approve { risk, .. } => Some(*risk),
        Ask::Plan { .. } | Ask::Uncertain { .. } | Ask::Price { .. } | Ask::Answer { .. } => None,
    }
}

fn words(scope: GrantScope, tool: &str, pattern: &Pattern) -> Words {
    let (kind, param) = match pattern {
        Pattern::Exact { .. } => ("exact", None),
        Pattern::Address { url } => ("address", Some(("url", url))),
        Pattern::Host { host } => ("host", Some(("host", host))),
        Pattern::Domain { domain } => ("domain", Some(("domain", domain))),
        Pattern::Folder { folder } => ("folder", Some(("folder", folder))),
    };
    let mut params = BTreeMap::from([(String::from("tool"), tool.to_owned())]);
    if let Some((name, value)) = param {
        params.insert(name.to_owned(), value.clone());
    }
    if scope == GrantScope::Workflow {
        params.insert(String::from("days"), GRANT_DAYS.to_string());
    }
    Words {
        code: format!("grant.{}.{kind}", scope.as_str()),
        params,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantShown {
    pub id: GrantId,
    pub scope: Scope,
    pub tool: String,
    /// Another version of the tool is not covered by what was allowed.
    pub version: String,
    pub pattern: Pattern,
    pub words: Words,
    /// The run it was made in; of scope `run`, the only one it holds in.
    pub run: RunId,
    pub workflow: String,
    pub made_at: Time,
    pub made_by: DecidedBy,
    /// The question whose answer it was.
    pub task: TaskId,
    /// Calls it has decided so far.
    pub used: u64,
    /// Whether it may still decide anything.
    pub stands: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Time>,
}

impl GrantShown {
    fn of(app: &App, grant: GrantInfo) -> Self {
        let stands = grant.stands(app.clock().now());
        let made = grant.made;
        Self {
            id: made.id,
            scope: made.scope.into(),
            words: words(made.scope, &made.tool, &made.pattern),
            tool: made.tool,
            version: made.version,
            pattern: made.pattern,
            run: grant.run,
            workflow: made.workflow,
            made_at: Time(grant.made_at),
            made_by: grant.made_by,
            task: grant.task,
            used: grant.used,
            stands,
            expires_at: grant.expires_at.map(Time),
            revoked_at: grant.revoked_at.map(Time),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrantsRequest {
    /// Also what was taken back or has expired.
    pub all: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrantList {
    /// Newest first.
    pub grants: Vec<GrantShown>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRef {
    /// An id, or its last characters.
    pub grant: String,
}

pub(crate) async fn list(
    app: &App,
    _ctx: Ctx,
    request: GrantsRequest,
) -> Result<GrantList, ApiError> {
    let Some(store) = app.maybe_store() else {
        return Ok(GrantList { grants: Vec::new() });
    };
    let grants = store.grants()?.into_iter();
    let grants = grants
        .map(|grant| GrantShown::of(app, grant))
        .filter(|grant| request.all || grant.stands);
    Ok(GrantList {
        grants: grants.collect(),
    })
}

/// From now on it decides nothing. What it has decided stays as it is; a second time changes nothing.
pub(crate) async fn revoke(app: &App, _ctx: Ctx, by: GrantRef) -> Result<GrantShown, ApiError> {
    let id = app.store()?.find_grant(&by.grant)?;
    take_back(app, id).await
}

/// Takes back the grant that the answer to a question made.
pub(crate) async fn undo(app: &App, _ctx: Ctx, by: TaskRef) -> Result<GrantShown, ApiError> {
    let task = app.find_task(&by.task)?;
    match app.store()?.grant_of_task(task)? {
        Some(grant) => take_back(app, grant.made.id).await,
        None => {
            let message = format!("the answer to task {task} allowed and forbade nothing further");
            Err(ApiError::new(ErrorCode::UsageNotFound, message))
        }
    }
}

async fn take_back(app: &App, id: GrantId) -> Result<GrantShown, ApiError> {
    let store = app.owner()?;
    store.revoke_grant(id).await?;
    store.sync().await?;
    Ok(GrantShown::of(app, store.grant(id)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_about_a_scope_is_listed_with_its_parameters() {
        let text = || String::from("x");
        let patterns = [
            Pattern::Exact { args_hash: text() },
            Pattern::Address { url: text() },
            Pattern::Host { host: text() },
            Pattern::Domain { domain: text() },
            Pattern::Folder { folder: text() },
        ];
        let mut made = vec![String::from("grant.once")];
        for scope in [GrantScope::Run, GrantScope::Workflow, GrantScope::Never] {
            for pattern in &patterns {
                let words = words(scope, "t", pattern);
                let listed = SCOPE_CODES.iter().find(|(code, _)| *code == words.code);
                let mut names: Vec<&str> = listed.unwrap().1.to_vec();
                names.sort_unstable();
                assert_eq!(words.params.keys().collect::<Vec<_>>(), names);
                made.push(words.code);
            }
        }
        assert_eq!(made.len(), SCOPE_CODES.len());
    }
}
