//! The only way from a tool to the network: HTTP/1.1 to public addresses, dialled at the very address that was checked.
//!
//! Built on hyper's bare connection and not on a client: a client pools, retries, follows, reads proxy settings and looks
//! names up on its own, and each of these is a way around the check. Here a name is looked up once, every address found is
//! judged, and one of exactly these is dialled; TLS still asks for the name. Nothing here follows a redirect.

mod address;
mod error;
mod exchange;
mod network;
mod target;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bwana_types::traffic::Traffic;
use futures_util::FutureExt as _;
use futures_util::future::select_ok;
use http::{HeaderMap, HeaderValue, Method};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Host;

use crate::error::Sent;
pub use address::not_public;
pub use error::EgressError;
pub use exchange::{Body, BodyEnd, Reply};
pub use network::{Network, SystemNetwork};
pub use target::{BadUrl, Target, URL_MAX_BYTES};

/// For a name to be looked up.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// For a connection to come about, over all addresses.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 6;
/// How long an address is tried alone before the next one is tried beside it (RFC 8305).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// What may be reached, and over what. The default: public addresses, over the system's network.
#[derive(Debug, Clone)]
pub struct EgressSettings {
    /// Single private targets as exact `host:port`; everything else that is not public is refused.
    pub private_hosts: BTreeSet<String>,
    pub network: Arc<dyn Network>,
    /// Instead of the system's trusted certificates.
    pub tls: Option<Arc<ClientConfig>>,
    /// Counts what is sent and heard.
    pub traffic: Traffic,
}

impl Default for EgressSettings {
    fn default() -> Self {
        Self {
            private_hosts: BTreeSet::new(),
            network: Arc::new(SystemNetwork),
            tls: None,
            traffic: Traffic::default(),
        }
    }
}

/// The shared client. Cheap to clone; TLS is set up at the first use.
#[derive(Debug, Clone)]
pub struct Egress {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// In the spelling of [`Target::host_and_port`].
    private_hosts: BTreeSet<String>,
    network: Arc<dyn Network>,
    tls: OnceLock<Arc<ClientConfig>>,
    traffic: Traffic,
}

/// Why the settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{entry}' in egress.private_hosts is not of the form host:port, like 127.0.0.1:8080")]
pub struct BadPrivateHost {
    pub entry: String,
}

/// One request, without anything that could follow it elsewhere: no cookies, no credentials.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// Besides `Host`, `User-Agent` and `Connection`.
    pub headers: HeaderMap<HeaderValue>,
    pub body: Vec<u8>,
}

/// Until when a request may take, and what stops it.
#[derive(Debug, Clone)]
pub struct Patience {
    pub deadline: Instant,
    pub cancel: CancellationToken,
}

/// A target with the addresses that may be dialled for it. Only [`Egress::check`] makes one.
#[derive(Debug, Clone)]
pub struct Checked {
    target: Target,
    addresses: Vec<SocketAddr>,
    private: bool,
}

impl Checked {
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether the settings open this target although it may be private.
    pub fn is_private(&self) -> bool {
        self.private
    }
}

impl Egress {
    /// # Errors
    /// If an entry of `private_hosts` is not an exact `host:port`.
    pub fn new(settings: EgressSettings) -> Result<Self, BadPrivateHost> {
        let private_hosts = settings
            .private_hosts
            .iter()
            .map(|entry| private_host(entry))
            .collect::<Result<_, _>>()?;
        let tls = OnceLock::new();
        if let Some(config) = settings.tls {
            // The lock is new and empty.
            let _ = tls.set(config);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                private_hosts,
                network: settings.network,
                tls,
                traffic: settings.traffic,
            }),
        })
    }

    /// Looks the target up and judges every address found.
    ///
    /// # Errors
    /// [`EgressError::Refused`] if any address is not public, [`EgressError::Unreachable`] if there is none.
    pub async fn check(&self, target: Target, patience: &Patience) -> Result<Checked, EgressError> {
        let private = self.inner.private_hosts.contains(&target.host_and_port());
        if !private && !target.has_web_port() {
            return Err(EgressError::Refused(format!(
                "Port {} belongs to a service that is not the web; only 80, 443 and ports from 1024 on are reached.",
                target.port()
            )));
        }
        let found = match target.host() {
            Host::Ipv4(ip) => vec![IpAddr::V4(*ip)],
            Host::Ipv6(ip) => vec![IpAddr::V6(*ip)],
            Host::Domain(name) => self.resolve(name, patience).await?,
        };
        let special = found.iter().find_map(|ip| not_public(*ip));
        if let (Some(what), false) = (special, private) {
            return Err(EgressError::Refused(format!(
                "{} is not on the public internet ({what}), so it is not reached.",
                target.host()
            )));
        }
        let addresses = in_turns(&found)
            .into_iter()
            .map(|ip| SocketAddr::new(ip, target.port()))
            .collect();
        Ok(Checked {
            target,
            addresses,
            private,
        })
    }

    /// Sends one request and waits for the head of the answer.
    ///
    /// # Errors
    /// See [`EgressError`]; a status is an answer, whatever it says.
    pub async fn send(
        &self,
        to: &Checked,
        request: Request,
        patience: &Patience,
    ) -> Result<Reply, EgressError> {
        let connecting = async {
            let stream = self.dial(to).await?;
            exchange::secure(stream, &to.target, || self.tls()).await
        };
        let what = || {
            format!(
                "{} did not accept a connection in time.",
                to.target.authority()
            )
        };
        let until = patience.deadline.min(Instant::now() + CONNECT_TIMEOUT);
        let stream = patience
            .within(until, Sent::Nothing, what, connecting)
            .await?;
        let is_this_machine = to
            .addresses
            .iter()
            .all(|address| address.ip().is_loopback());
        let stream = exchange::Counted {
            stream,
            traffic: self.inner.traffic.with(is_this_machine),
        };
        exchange::exchange(stream, &to.target, request, patience).await
    }

    async fn resolve(&self, name: &str, patience: &Patience) -> Result<Vec<IpAddr>, EgressError> {
        let unknown =
            || EgressError::Unreachable(format!("The name {name} could not be looked up."));
        let looking = async {
            match self.inner.network.resolve(name).await {
                Ok(found) if !found.is_empty() => Ok(found),
                Ok(_) => Err(unknown()),
                Err(error) => {
                    tracing::debug!(%name, %error, "a name could not be looked up");
                    Err(unknown())
                }
            }
        };
        let until = patience.deadline.min(Instant::now() + RESOLVE_TIMEOUT);
        patience
            .within(
                until,
                Sent::Nothing,
                || format!("Looking up {name} took too long."),
                looking,
            )
            .await
    }

    /// The first of the checked addresses that answers.
    async fn dial(&self, to: &Checked) -> Result<TcpStream, EgressError> {
        let tries = to.addresses.iter().enumerate().map(|(i, address)| {
            let turn = u32::try_from(i).unwrap_or(u32::MAX);
            async move {
                tokio::time::sleep(NEXT_ADDRESS_AFTER * turn).await;
                self.inner.network.dial(*address).await
            }
            .boxed()
        });
        match select_ok(tries).await {
            Ok((stream, _others)) => Ok(stream),
            Err(error) => Err(EgressError::Unreachable(format!(
                "{} could not be reached: {}.",
                to.target.authority(),
                error.kind()
            ))),
        }
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, EgressError> {
        if let Some(config) = self.inner.tls.get() {
            return Ok(Arc::clone(config));
        }
        let config = system_tls().map_err(|error| {
            EgressError::Unreachable(format!(
                "No secure connection is possible on this machine: {error}."
            ))
        })?;
        Ok(Arc::clone(self.inner.tls.get_or_init(|| Arc::new(config))))
    }
}

impl Patience {
    /// Waits for `work`, at most until `until`, and not beyond a cancellation.
    async fn within<T>(
        &self,
        until: Instant,
        sent: Sent,
        late: impl FnOnce() -> String,
        work: impl Future<Output = Result<T, EgressError>>,
    ) -> Result<T, EgressError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(EgressError::Cancelled { sent }),
            outcome = tokio::time::timeout_at(until, work) => {
                outcome.unwrap_or_else(|_| Err(EgressError::Timeout { message: late(), sent }))
            }
        }
    }
}

/// The certificates this system trusts, and HTTP/1.1 only.
fn system_tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Brings an entry into the one spelling targets use.
fn private_host(entry: &str) -> Result<String, BadPrivateHost> {
    let bad = || BadPrivateHost {
        entry: crate::visible::visible(entry, 80),
    };
    let (_, port) = entry.rsplit_once(':').ok_or_else(bad)?;
    let exact =
        !entry.contains('*') && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let target = Target::parse(&format!("http://{entry}/")).map_err(|_| bad())?;
    if exact && target.path_and_query() == "/" {
        Ok(target.host_and_port())
    } else {
        Err(bad())
    }
}

/// Addresses of both families by turns, in the resolver's order, so that a family that leads nowhere costs one step.
fn in_turns(found: &[IpAddr]) -> Vec<IpAddr> {
    let (first, second): (Vec<IpAddr>, Vec<IpAddr>) = found
        .iter()
        .copied()
        .partition(|ip| Some(ip.is_ipv4()) == found.first().map(IpAddr::is_ipv4));
    let mut order = Vec::new();
    for i in 0..first.len().max(second.len()) {
        order.extend(first.get(i).into_iter().chain(second.get(i)));
    }
    order.truncate(ADDRESSES_MAX);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_targets_are_exact_and_in_one_spelling() {
        for (entry, spelling) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("LocalHost:80", "localhost:80"),
            ("[::1]:443", "[::1]:443"),
            ("0x7f.1:9000", "127.0.0.1:9000"),
            ("bücher.local:1", "xn--bcher-kva.local:1"),
        ] {
            assert_eq!(private_host(entry).unwrap(), spelling);
        }
        for entry in [
            "",
            "localhost",
            "localhost:",
            "localhost:*",
            ":80",
            "*:80",
            "127.0.0.1:80/x",
            "http://a:80",
            "a:80:",
            "[::1]",
            "u@a:80",
            "a b:80",
            "localhost:99999",
            "a:0",
        ] {
            assert!(private_host(entry).is_err(), "{entry}");
        }
    }

    #[test]
    fn address_families_take_turns_and_are_few() {
        let ips = |list: &[&str]| {
            list.iter()
                .map(|ip| ip.parse().unwrap())
                .collect::<Vec<IpAddr>>()
        };
        assert_eq!(
            in_turns(&ips(&["2003::1", "2003::2", "1.1.1.1"])),
            ips(&["2003::1", "1.1.1.1", "2003::2"])
        );
        assert_eq!(
            in_turns(&ips(&["1.1.1.1", "2003::1", "1.1.1.2"])),
            ips(&["1.1.1.1", "2003::1", "1.1.1.2"])
        );
        assert_eq!(in_turns(&ips(&["1.1.1.1"; 20])).len(), ADDRESSES_MAX);
        assert!(in_turns(&[]).is_empty());
    }
}
