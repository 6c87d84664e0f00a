//! Loopback servers that behave badly on purpose, canaries that count who comes, and a network that lies about names.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bwana_tools::egress::Network;
use bwana_tools::{Egress, EgressSettings};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// Addresses in these tests that are public and are never dialled for real: [`Liar`] leads them to a local server.
pub(crate) const PUBLIC: &str = "93.184.215.14";
pub(crate) const PUBLIC_V6: &str = "2606:2800:21f:cb07:6820:80da:af6b:8b2c";

/// What a server does once it has read a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Sends these bytes and closes.
    Say(Vec<u8>),
    /// Reads nothing and closes at once.
    Slam,
    /// Reads the request and closes without a word.
    Hang,
    /// Reads the request and then does nothing, for ever.
    Sleep,
    /// Sends these bytes and then does nothing, for ever.
    SayAndSleep(Vec<u8>),
}

/// An HTTP server on loopback that answers by path and remembers what it was sent.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    pub(crate) async fn start(act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, act) = (Arc::clone(&requests), Arc::new(act));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, act) = (Arc::clone(&seen), Arc::clone(&act));
                tokio::spawn(async move { serve(stream, &seen, &*act).await });
            }
        });
        Self {
            address,
            requests,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// One that always answers the same.
    pub(crate) async fn saying(answer: &str) -> Self {
        let answer = answer.as_bytes().to_vec();
        Self::start(move |_| Act::Say(answer.clone())).await
    }

    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request so far, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    act: &(dyn Fn(&str) -> Act + Send + Sync),
) {
    // What a server does may depend on the path, except if it does not even read it.
    if matches!(act(""), Act::Slam) {
        return;
    }
    let request = read_request(&mut stream).await;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(request);
    match act(&path) {
        Act::Say(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Act::SayAndSleep(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Act::Sleep => std::future::pending::<()>().await,
        Act::Slam | Act::Hang => {}
    }
}

/// Reads a head and as much of a body as it announces.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(str::to_owned)
            });
            if body.len() >= length.map_or(0, |n| n.parse().unwrap()) {
                return text.into_owned();
            }
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

/// A place nobody may connect to; it counts who does.
pub(crate) struct Canary {
    pub(crate) address: SocketAddr,
    hits: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Canary {
    pub(crate) async fn at(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let hits = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&hits);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nCANARY")
                    .await;
            }
        });
        Self {
            address,
            hits,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Connections that came. Only meaningful after [`Canary::settle`].
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// Connects once itself and waits until that is counted: whatever came before is counted then, too.
    pub(crate) async fn settle(&self) {
        let before = self.hits();
        let mut own = TcpStream::connect(self.address).await.unwrap();
        let mut answer = Vec::new();
        own.read_to_end(&mut answer).await.unwrap();
        assert!(self.hits() > before);
        self.hits.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A network in which names mean what a test says, a different thing each time if it likes, and in which public addresses
/// lead to a local server. It dials whatever it is told to and remembers it.
#[derive(Debug, Default)]
pub(crate) struct Liar {
    /// Per name, its answers in turn; the last one stays.
    names: BTreeMap<String, Vec<Vec<IpAddr>>>,
    asked: Mutex<BTreeMap<String, usize>>,
    /// Where a connection to a public address really goes.
    public: Option<SocketAddr>,
    dialled: Mutex<Vec<SocketAddr>>,
}

impl Liar {
    pub(crate) fn new(public: Option<SocketAddr>) -> Self {
        Self {
            public,
            ..Self::default()
        }
    }

    /// Adds a name with its answers in turn.
    pub(crate) fn name(mut self, name: &str, answers: &[&[&str]]) -> Self {
        let answers = answers
            .iter()
            .map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect())
            .collect();
        self.names.insert(name.into(), answers);
        self
    }

    pub(crate) fn asked(&self, name: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .get(name)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn dialled(&self) -> Vec<SocketAddr> {
        self.dialled.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.dialled.lock().unwrap().clear();
    }
}

impl Network for Liar {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(host.to_owned()).or_default();
        *times += 1;
        let answer = match self.names.get(host) {
            Some(answers) => Ok(answers
                .get(*times - 1)
                .or(answers.last())
                .cloned()
                .unwrap_or_default()),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        std::future::ready(answer).boxed()
    }

    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        self.dialled.lock().unwrap().push(address);
        let real = if bwana_tools::egress::not_public(address.ip()).is_none() {
            self.public
        } else {
            Some(address)
        };
        async move {
            let real = real.ok_or(io::ErrorKind::NetworkUnreachable)?;
            TcpStream::connect(real).await
        }
        .boxed()
    }
}

/// A client for which these `host:port` are open.
pub(crate) fn open(private: &[&str]) -> Egress {
    Egress::new(EgressSettings {
        private_hosts: private.iter().map(|host| (*host).to_owned()).collect(),
        ..EgressSettings::default()
    })
    .unwrap()
}

/// A client over a network of lies.
pub(crate) fn over(network: &Arc<Liar>, private: &[&str]) -> Egress {
    Egress::new(EgressSettings {
        private_hosts: private.iter().map(|host| (*host).to_owned()).collect(),
        network: Arc::clone(network) as Arc<dyn Network>,
        ..EgressSettings::default()
    })
    .unwrap()
}

/// An answer with a body.
pub(crate) fn answer(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}
