//! What goes over the network: two small files whole, and a package in pieces that are continued where they were cut.

use std::path::Path;
use std::time::Duration;

use bwana_types::traffic::Traffic;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::fs::OpenOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};
use url::Url;

use crate::error::{Refusal, UpdateError};
use crate::shelf::{discard, length_of};
use crate::source::Source;
use crate::updater::{OnProgress, Progress, Stage};

/// For a manifest or a signature, from the first byte to the last.
const SMALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a server may take to begin the package, or to send its next bytes.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const REDIRECTS_MAX: usize = 5;
/// Pause before a broken download is continued for the first time; it doubles from there.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_secs(1);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Tries in a row that bring nothing before it is given up.
const FRUITLESS_TRIES_MAX: u32 = 5;
/// What a request takes beside its address, near enough, in bytes.
const REQUEST_BYTES: usize = 150;
/// How much is read from the disk at once, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;

/// A client that goes nowhere a source may not go, also when it is sent there.
pub(crate) fn client(source: &Source) -> Result<Client, UpdateError> {
    // A second call finds it installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let guard = source.clone();
    let policy = Policy::custom(move |attempt| match guard.check(attempt.url()) {
        Err(refusal) => attempt.error(refusal),
        Ok(()) if attempt.previous().len() > REDIRECTS_MAX => attempt.error("too many redirects"),
        Ok(()) => attempt.follow(),
    });
    let mut builder = Client::builder()
        .user_agent(concat!("bwana/", env!("CARGO_PKG_VERSION")))
        .https_only(!source.is_plain())
        .referer(false)
        .redirect(policy)
        .connect_timeout(CONNECT_TIMEOUT);
    if source.is_plain() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| UpdateError::Unreachable {
        host: source.host().to_owned(),
        why: error.to_string(),
    })
}

/// A whole small file of text.
pub(crate) async fn small(
    client: &Client,
    url: &Url,
    most_bytes: usize,
    traffic: &Traffic,
) -> Result<String, UpdateError> {
    let host = host_of(url);
    let unreachable = |why: String| UpdateError::Unreachable {
        host: host.clone(),
        why,
    };
    let traffic = traffic.with(is_this_machine(url));
    let get = async {
        let mut response = send(client, url, 0, traffic.as_ref()).await?;
        if response.status() != StatusCode::OK {
            return Err(unreachable(format!("it answered {}", response.status())));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| failed(url, &error))?
        {
            if let Some(traffic) = &traffic {
                traffic.received(chunk.len());
            }
            if bytes.len() + chunk.len() > most_bytes {
                let what = format!("what {host} sends is longer than {most_bytes} bytes");
                return Err(Refusal::Manifest(what).into());
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes)
            .map_err(|_| Refusal::Manifest(format!("what {host} sends is no text")).into())
    };
    timeout(SMALL_TIMEOUT, get).await.unwrap_or_else(|_| {
        let seconds = SMALL_TIMEOUT.as_secs();
        Err(unreachable(format!("it did not answer within {seconds} s")))
    })
}

/// What to fetch, and how.
pub(crate) struct Wanted<'a> {
    pub(crate) url: &'a Url,
    pub(crate) part: &'a Path,
    pub(crate) bytes: u64,
    pub(crate) retry_pause: Duration,
    pub(crate) traffic: &'a Traffic,
}

/// Why one try ended early.
enum Broke {
    /// Trying again may help.
    Again(String),
    Never(UpdateError),
}

impl From<UpdateError> for Broke {
    fn from(error: UpdateError) -> Self {
        Self::Never(error)
    }
}

/// Fetches the whole file; answers its sha256 in hex. What was fetched stays when it breaks off, and goes when it cannot be
/// the beginning of the right file.
pub(crate) async fn download(
    client: &Client,
    wanted: &Wanted<'_>,
    on: OnProgress<'_>,
) -> Result<String, UpdateError> {
    let mut fruitless = 0;
    let mut pause = wanted.retry_pause;
    loop {
        let before = length_of(wanted.part);
        let why = match attempt(client, wanted, on).await {
            Ok(sha256) => return Ok(sha256),
            Err(Broke::Never(error)) => return Err(error),
            Err(Broke::Again(why)) => why,
        };
        if length_of(wanted.part) > before {
            fruitless = 0;
            pause = wanted.retry_pause;
        } else {
            fruitless += 1;
        }
        if fruitless >= FRUITLESS_TRIES_MAX {
            let host = host_of(wanted.url);
            return Err(UpdateError::Unreachable { host, why });
        }
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
}

async fn attempt(
    client: &Client,
    wanted: &Wanted<'_>,
    on: OnProgress<'_>,
) -> Result<String, Broke> {
    let mut have = length_of(wanted.part).unwrap_or_default();
    if have > wanted.bytes {
        discard(wanted.part);
        have = 0;
    }
    if have == wanted.bytes {
        // It came whole before, and nobody looked at it: a kill, or a power cut.
        return Ok(hash_file(wanted.part, on).await?);
    }
    let traffic = wanted.traffic.with(is_this_machine(wanted.url));
    let asked = timeout(
        SILENCE_TIMEOUT,
        send(client, wanted.url, have, traffic.as_ref()),
    );
    let response = match asked.await {
        Ok(Ok(response)) => response,
        Ok(Err(UpdateError::Unreachable { why, .. })) => return Err(Broke::Again(why)),
        Ok(Err(other)) => return Err(other.into()),
        Err(_) => return Err(Broke::Again(silence())),
    };
    let from = begin(&response, have, wanted)?;
    receive(response, wanted, from, traffic.as_ref(), on).await
}

/// Reads the head of an answer: from which byte it goes on.
fn begin(response: &Response, have: u64, wanted: &Wanted<'_>) -> Result<u64, Broke> {
    let status = response.status();
    let (from, total) = match status {
        StatusCode::OK => (0, response.content_length()),
        StatusCode::PARTIAL_CONTENT => match content_range(response) {
            Some((start, total)) if start == have => (have, total),
            _ => {
                discard(wanted.part);
                return Err(Broke::Again(String::from(
                    "it sent another part than asked",
                )));
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE => {
            discard(wanted.part);
            return Err(Broke::Again(String::from("it has another file now")));
        }
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Broke::Again(format!("it answered {status}")));
        }
        _ => {
            return Err(Broke::Never(UpdateError::Unreachable {
                host: host_of(wanted.url),
                why: format!("it answered {status}"),
            }));
        }
    };
    match total {
        Some(total) if total != wanted.bytes => {
            discard(wanted.part);
            Err(wrong_size(wanted, total))
        }
        _ => Ok(from),
    }
}

async fn receive(
    mut response: Response,
    wanted: &Wanted<'_>,
    from: u64,
    traffic: Option<&Traffic>,
    on: OnProgress<'_>,
) -> Result<String, Broke> {
    let io = || UpdateError::io("writing", wanted.part);
    let mut hash = Sha256::new();
    if from > 0 {
        hash_into(&mut hash, wanted.part, on).await?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(from > 0)
        .truncate(from == 0)
        .open(wanted.part)
        .await
        .map_err(io())?;
    let mut done = from;
    let broke = loop {
        let chunk = match timeout(SILENCE_TIMEOUT, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => break (done < wanted.bytes).then(|| String::from("it stopped early")),
            Ok(Err(error)) => break Some(words_of(&error)),
            Err(_) => break Some(silence()),
        };
        done += chunk.len() as u64;
        if let Some(traffic) = traffic {
            traffic.received(chunk.len());
        }
        if done > wanted.bytes {
            drop(file);
            discard(wanted.part);
            return Err(wrong_size(wanted, done));
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(io())?;
        on(Progress {
            stage: Stage::Downloading,
            done_bytes: done,
            total_bytes: wanted.bytes,
        });
    };
    file.flush().await.map_err(io())?;
    file.sync_all().await.map_err(io())?;
    match broke {
        Some(why) => Err(Broke::Again(why)),
        None => Ok(hex(&hash.finalize())),
    }
}

fn wrong_size(wanted: &Wanted<'_>, actual: u64) -> Broke {
    Broke::Never(UpdateError::Refused(Refusal::WrongSize {
        host: host_of(wanted.url),
        expected: wanted.bytes,
        actual,
    }))
}

async fn send(
    client: &Client,
    url: &Url,
    from: u64,
    traffic: Option<&Traffic>,
) -> Result<Response, UpdateError> {
    let mut request = client.get(url.clone());
    if from > 0 {
        request = request.header(RANGE, format!("bytes={from}-"));
    }
    let response = request.send().await.map_err(|error| failed(url, &error))?;
    if let Some(traffic) = traffic {
        traffic.sent(REQUEST_BYTES + url.as_str().len());
        let line =
            |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
                name.as_str().len() + value.len() + 4
            };
        traffic.received(response.headers().iter().map(line).sum());
    }
    Ok(response)
}

/// What an error means: whoever was sent to an address that is not secure did not fail to reach it.
fn failed(url: &Url, error: &reqwest::Error) -> UpdateError {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<Refusal>() {
            return refusal.clone().into();
        }
        cause = inner.source();
    }
    UpdateError::Unreachable {
        host: host_of(url),
        why: words_of(error),
    }
}

/// An error's causes, innermost words included; without the address, which is told beside it.
fn words_of(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if words.last().is_none_or(|last| !last.contains(&text)) {
            words.push(text);
        }
        cause = inner.source();
    }
    if words.is_empty() {
        return String::from("the connection failed without a reason");
    }
    words.join(": ")
}

fn silence() -> String {
    format!("it said nothing for {} s", SILENCE_TIMEOUT.as_secs())
}

/// `bytes START-END/TOTAL`; the total may be `*`.
fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let value = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or("the server").to_owned()
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The sha256 of a whole file, in hex.
pub(crate) async fn hash_file(path: &Path, on: OnProgress<'_>) -> Result<String, UpdateError> {
    let mut hash = Sha256::new();
    hash_into(&mut hash, path, on).await?;
    Ok(hex(&hash.finalize()))
}

async fn hash_into(hash: &mut Sha256, path: &Path, on: OnProgress<'_>) -> Result<(), UpdateError> {
    let io = || UpdateError::io("reading", path);
    let mut file = tokio::fs::File::open(path).await.map_err(io())?;
    let total_bytes = file.metadata().await.map_err(io())?.len();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut done_bytes = 0;
    loop {
        let read = file.read(&mut chunk).await.map_err(io())?;
        if read == 0 {
            return Ok(());
        }
        hash.update(&chunk[..read]);
        done_bytes += read as u64;
        on(Progress {
            stage: Stage::Checking,
            done_bytes,
            total_bytes,
        });
    }
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
