//! Commands about private hosts: single targets in the person's own network that tools may reach. Everything else that
//! is not public stays closed.

use bwana_config::parse_private_host;
use bwana_types::error::ApiError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::definitions::Nothing;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostRequest {
    /// Exactly `host:port`.
    pub host: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostList {
    pub private_hosts: Vec<String>,
    /// The program that works on runs must be started again before this holds there.
    pub needs_restart: bool,
}

pub(crate) async fn list(app: &App, _ctx: Ctx, _: Nothing) -> Result<HostList, ApiError> {
    Ok(shown(app, false))
}

pub(crate) async fn allow(
    app: &App,
    _ctx: Ctx,
    request: HostRequest,
) -> Result<HostList, ApiError> {
    let host = parse_private_host(&request.host)?;
    let changed = app
        .settings_file()
        .change(|settings| Ok(settings.egress.private_hosts.insert(host)))?;
    Ok(shown(app, changed))
}

pub(crate) async fn forbid(
    app: &App,
    _ctx: Ctx,
    request: HostRequest,
) -> Result<HostList, ApiError> {
    let host = parse_private_host(&request.host)?;
    let changed = app
        .settings_file()
        .change(|settings| Ok(settings.egress.private_hosts.remove(&host)))?;
    Ok(shown(app, changed))
}

/// An engine keeps the hosts it was started with: a target must not open under a run that is at work.
fn shown(app: &App, changed: bool) -> HostList {
    HostList {
        private_hosts: app
            .settings()
            .egress
            .private_hosts
            .iter()
            .cloned()
            .collect(),
        needs_restart: changed && app.mode() == crate::app::Mode::Own,
    }
}
