//! The HTTP clients, built when first needed: one for this machine, without TLS and without idle connections (model
//! servers close theirs after each stream, and a closed one in a pool fails the next call), the same with them for
//! servers known to keep them (the quirk `idle_pool`), and one for the rest.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bwana_types::model::{ErrorKind, LlmError};
use bwana_types::traffic::Traffic;
use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::Tap;
use crate::endpoint::Endpoint;

/// How this program names itself to providers.
const USER_AGENT: &str = concat!("bwana/", env!("CARGO_PKG_VERSION"));
/// How long an unused connection to a provider is kept.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Unused connections kept for one provider.
const POOL_IDLE_MAX: usize = 8;

/// The clients of this process. A clone is the same one; make one and share it.
#[derive(Clone, Default)]
pub struct Transport {
    clients: Arc<Mutex<Clients>>,
    pub(super) tap: Option<Tap>,
    pub(super) traffic: Traffic,
}

#[derive(Default)]
struct Clients {
    /// By who they are for and how long they may take to connect; in practice two.
    built: Vec<(Kind, Duration, Client)>,
    /// Reading the machine's certificates takes some 10 ms, so it is done once and only for a remote provider.
    tls: Option<ClientConfig>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Loopback,
    /// A server of this machine that keeps its connections open.
    LoopbackKept,
    Remote,
}

impl Transport {
    pub fn new() -> Self {
        Self::default()
    }

    /// The same clients, with every reply heard by `tap` too.
    #[must_use]
    pub fn with_tap(mut self, tap: Tap) -> Self {
        self.tap = Some(tap);
        self
    }

    /// The same clients, with everything they send and hear counted.
    #[must_use]
    pub fn with_traffic(mut self, traffic: Traffic) -> Self {
        self.traffic = traffic;
        self
    }

    pub(super) fn client(
        &self,
        endpoint: &Endpoint,
        connect: Duration,
        idle_pool: bool,
    ) -> Result<Client, LlmError> {
        let kind = if !(endpoint.is_loopback() && endpoint.is_plain_http()) {
            Kind::Remote
        } else if idle_pool {
            Kind::LoopbackKept
        } else {
            Kind::Loopback
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let known = clients
            .built
            .iter()
            .find(|(k, c, _)| *k == kind && *c == connect);
        if let Some((_, _, client)) = known {
            return Ok(client.clone());
        }
        let client = match kind {
            Kind::Loopback => loopback(connect, 0),
            Kind::LoopbackKept => loopback(connect, POOL_IDLE_MAX),
            Kind::Remote => remote(connect, clients.tls()?),
        };
        let client = client.map_err(|error| {
            LlmError::new(
                ErrorKind::Unreachable,
                format!("cannot be reached: no HTTP client on this machine ({error})"),
            )
        })?;
        clients.built.push((kind, connect, client.clone()));
        Ok(client)
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transport")
    }
}

impl Clients {
    fn tls(&mut self) -> Result<ClientConfig, LlmError> {
        if let Some(tls) = &self.tls {
            return Ok(tls.clone());
        }
        let tls = tls_of_this_machine().map_err(|error| {
            LlmError::new(
                ErrorKind::Unreachable,
                format!(
                    "cannot be reached safely: this machine's certificates cannot be read ({error}). On Linux, install \
                     the package ca-certificates"
                ),
            )
        })?;
        self.tls = Some(tls.clone());
        Ok(tls)
    }
}

/// Certificates as the operating system trusts them, so that a company's own authority works too; ring does the rest.
fn tls_of_this_machine() -> Result<ClientConfig, rustls::Error> {
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

fn remote(connect: Duration, tls: ClientConfig) -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(USER_AGENT)
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .connect_timeout(connect)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(POOL_IDLE_MAX)
        .build()
}

fn loopback(connect: Duration, idle_max: usize) -> reqwest::Result<Client> {
    // A client wants some TLS even if it never uses it; one that trusts nobody costs nothing to build.
    let nobody = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| {
            builder
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()
        });
    let builder = match nobody {
        Ok(tls) => Client::builder().tls_backend_preconfigured(tls),
        Err(_) => Client::builder(),
    };
    builder
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .connect_timeout(connect)
        .no_proxy()
        // This machine's own kernel says at once when a server here is gone; nobody has to be probed.
        .tcp_keepalive(None::<Duration>)
        .tcp_keepalive_interval(None::<Duration>)
        .tcp_keepalive_retries(None::<u32>)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(idle_max)
        .http1_only()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_built_once_for_its_kind() {
        let transport = Transport::new();
        let local = Endpoint::new("http://127.0.0.1:1", "v1").unwrap();
        let other = Endpoint::new("http://localhost:2", "v1").unwrap();
        for endpoint in [&local, &other, &local] {
            let client = transport.client(endpoint, Duration::from_secs(1), false);
            client.unwrap();
        }
        let clients = transport.clients.lock().unwrap();
        assert_eq!(clients.built.len(), 1);
        assert!(clients.tls.is_none(), "loopback needs no certificates");
    }

    #[test]
    fn a_remote_provider_is_checked_against_the_machines_certificates() {
        let transport = Transport::new();
        let remote = Endpoint::new("https://example.org", "v1").unwrap();
        let client = transport.client(&remote, Duration::from_secs(1), true);
        client.unwrap();
        assert!(transport.clients.lock().unwrap().tls.is_some());
    }
}
