//! Secure connections: the name is asked for and proven although an address was dialled.

use std::sync::{Arc, Mutex};

use bwana_tools::egress::Network;
use bwana_tools::{Egress, EgressSettings, ToolError};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::net::{Liar, PUBLIC, answer, read_request, redirect};
use crate::support::Bench;

/// A TLS server for `name` under an authority of its own.
struct Secure {
    address: std::net::SocketAddr,
    trust: Arc<ClientConfig>,
    /// What clients asked for by SNI, and what they sent.
    seen: Arc<Mutex<Vec<Visit>>>,
    _task: AbortOnDropHandle<()>,
}

/// The name asked for, and the request.
type Visit = (Option<String>, String);

impl Secure {
    async fn start(name: &str, says: String) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority_certificate.der().clone()).unwrap();
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (acceptor, kept) = (TlsAcceptor::from(Arc::new(server)), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let asked = stream.get_ref().1.server_name().map(ToOwned::to_owned);
                let request = read_request(&mut stream).await;
                kept.lock().unwrap().push((asked, request));
                let _ = stream.write_all(says.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self {
            address,
            trust: Arc::new(trust),
            seen,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn bench(&self, tls: Option<Arc<ClientConfig>>) -> (Bench, Arc<Liar>) {
        let network = Arc::new(
            Liar::new(Some(self.address))
                .name("tls.example", &[&[PUBLIC]])
                .name("other.example", &[&[PUBLIC]]),
        );
        let shared = Arc::clone(&network) as Arc<dyn Network>;
        let http = Egress::new(EgressSettings {
            network: shared,
            tls,
            ..EgressSettings::default()
        })
        .unwrap();
        (Bench::with(http), network)
    }
}

#[tokio::test]
async fn the_address_is_dialled_and_the_name_is_asked_for() {
    let server = Secure::start(
        "tls.example",
        answer("200 OK", "text/plain", "secret garden"),
    )
    .await;
    let (bench, network) = server.bench(Some(Arc::clone(&server.trust)));
    let output = bench
        .call("http.get", &json!({"url": "https://tls.example/a"}))
        .await
        .unwrap();
    assert!(output.content.ends_with("secret garden"));
    assert_eq!(
        network.dialled(),
        [format!("{PUBLIC}:443").parse().unwrap()]
    );
    let (asked, request) = server.seen.lock().unwrap()[0].clone();
    assert_eq!(asked.as_deref(), Some("tls.example"));
    assert!(
        request
            .to_ascii_lowercase()
            .contains("host: tls.example\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_ends_it_before_a_byte_is_sent() {
    let server = Secure::start("tls.example", answer("200 OK", "text/plain", "x")).await;
    for (tls, host) in [
        (Some(Arc::clone(&server.trust)), "other.example"), // the certificate is another name's
        (None, "tls.example"), // nobody this system trusts has signed it
    ] {
        let (bench, _) = server.bench(tls);
        let url = format!("https://{host}/");
        for (tool, args) in [
            ("http.get", json!({"url": url})),
            ("webhook.send", json!({"url": url, "body": {}})),
        ] {
            let error = bench.call(tool, &args).await.unwrap_err();
            assert!(
                matches!(&error, ToolError::Failed { status: None, message } if message.contains("No secure connection")),
                "{error:?}"
            );
        }
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_gets_no_message() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received).await;
        String::from_utf8_lossy(&received).into_owned()
    });
    let bench = Bench::with(crate::net::open(&[&address.to_string()]));
    let args = json!({"url": format!("https://{address}/"), "body": {"token": "t0p"}});
    let error = bench.call("webhook.send", &args).await.unwrap_err();
    assert!(
        matches!(&error, ToolError::Failed { status: None, message } if message.contains("does not speak TLS")),
        "{error:?}"
    );
    assert!(!error.may_have_happened());
    assert!(!server.await.unwrap().contains("t0p"));
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_not_followed() {
    let server = Secure::start("tls.example", redirect(302, "http://tls.example/plain")).await;
    let (bench, network) = server.bench(Some(Arc::clone(&server.trust)));
    let error = bench
        .call("http.get", &json!({"url": "https://tls.example/"}))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ToolError::Refused(why) if why.contains("from https to plain http")),
        "{error:?}"
    );
    assert_eq!(network.dialled().len(), 1);
}
