//! Downloading one address into a `.part` file, continuing where an earlier try stopped.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bwana_types::traffic::Traffic;
use reqwest::header::{CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use super::record::{discard, hash_into, hex};
use super::{FetchError, Miss, OnProgress, Progress, Sizes, Stage};

/// Pause before a broken download is continued for the first time.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, however often it broke.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Tries in a row that bring nothing before the source is given up.
const FRUITLESS_TRIES_MAX: u32 = 5;
/// How long a server may take to begin its answer, or to send the next bytes.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// What to download, and how.
pub(super) struct Wanted<'a> {
    pub(super) url: &'a str,
    pub(super) part: &'a Path,
    pub(super) sizes: Sizes,
    /// Whether bytes of an earlier try may be continued without knowing that they are of the same file.
    pub(super) may_mix: bool,
    pub(super) retry_pause: Duration,
    pub(super) traffic: &'a Traffic,
}

/// Beside a `.part` file: of which file it is the beginning.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Notes {
    url: String,
    etag: Option<String>,
}

pub(super) fn notes_of(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

/// Why one try ended early.
enum Broke {
    /// Trying again may help.
    Again(String),
    /// This address will not give the file.
    Never(String),
    Fatal(FetchError),
}

impl From<FetchError> for Broke {
    fn from(error: FetchError) -> Self {
        Self::Fatal(error)
    }
}

/// Downloads the whole file; answers its sha256 in hex.
pub(super) async fn download(
    client: &Client,
    wanted: &Wanted<'_>,
    on: OnProgress<'_>,
) -> Result<String, Miss> {
    let mut fruitless = 0;
    let mut pause = wanted.retry_pause;
    loop {
        let before = length_of(wanted.part);
        let why = match attempt(client, wanted, on).await {
            Ok(sha256) => return Ok(sha256),
            Err(Broke::Fatal(error)) => return Err(Miss::Fatal(error)),
            Err(Broke::Never(why)) => return Err(Miss::Next(why)),
            Err(Broke::Again(why)) => why,
        };
        if length_of(wanted.part) > before {
            fruitless = 0;
            pause = wanted.retry_pause;
        } else {
            fruitless += 1;
        }
        if fruitless >= FRUITLESS_TRIES_MAX {
            return Err(Miss::Next(why));
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
    let notes = read_notes(wanted.part).filter(|notes| notes.url == wanted.url);
    let etag = notes.and_then(|notes| notes.etag);
    let mut have = length_of(wanted.part);
    if have > 0 && (have > wanted.sizes.most || (etag.is_none() && !wanted.may_mix)) {
        discard(wanted.part);
        have = 0;
    }
    let mut request = client.get(wanted.url);
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
        if let Some(etag) = &etag {
            request = request.header(IF_RANGE, etag);
        }
    }
    let silent = |_| {
        Broke::Again(format!(
            "{} did not answer for {} seconds",
            host_of(wanted.url),
            SILENCE_TIMEOUT.as_secs()
        ))
    };
    let response = timeout(SILENCE_TIMEOUT, request.send())
        .await
        .map_err(silent)?
        .map_err(|error| Broke::Again(words_of(&error)))?;
    let (from, total) = begin(&response, have, wanted)?;
    let mut hash = Sha256::new();
    if from > 0 {
        hash_into(&mut hash, wanted.part, on).await?;
    }
    write_notes(wanted, &response);
    receive(response, wanted, from, total, hash, on).await
}

/// Reads the head of an answer: from which byte it goes on, and how long the whole file is.
fn begin(response: &Response, have: u64, wanted: &Wanted<'_>) -> Result<(u64, Option<u64>), Broke> {
    let status = response.status();
    let host = host_of(wanted.url);
    let (from, total) = match status {
        StatusCode::OK => (0, response.content_length()),
        StatusCode::PARTIAL_CONTENT => match content_range(response) {
            Some((start, total)) if start == have => (have, total),
            _ => {
                discard(wanted.part);
                return Err(Broke::Again(format!("{host} sent another part than asked")));
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE => {
            // What we have is not a beginning of what is there.
            discard(wanted.part);
            return Err(Broke::Again(format!("{host} has another file now")));
        }
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Broke::Again(format!("{host} answered {status}")));
        }
        _ => return Err(Broke::Never(format!("{host} answered {status}"))),
    };
    if total.is_none() && wanted.sizes.exact.is_none() {
        // An early end could not be told from the end.
        return Err(Broke::Never(format!(
            "{host} does not say how long the file is"
        )));
    }
    let wrong = match (total, wanted.sizes.exact) {
        (Some(total), Some(exact)) => total != exact,
        (Some(total), None) => total > wanted.sizes.most,
        (None, _) => false,
    };
    if wrong {
        return Err(Broke::Never(format!(
            "{host} offers a file of {} bytes where {} were expected",
            total.unwrap_or_default(),
            wanted.sizes.exact.unwrap_or(wanted.sizes.most)
        )));
    }
    Ok((from, total))
}

async fn receive(
    mut response: Response,
    wanted: &Wanted<'_>,
    from: u64,
    total: Option<u64>,
    mut hash: Sha256,
    on: OnProgress<'_>,
) -> Result<String, Broke> {
    let io = || FetchError::io("writing", wanted.part);
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(from > 0)
        .truncate(from == 0)
        .open(wanted.part)
        .await
        .map_err(io())?;
    let mut done = from;
    let traffic = wanted.traffic.with(is_this_machine(wanted.url));
    loop {
        let chunk = match timeout(SILENCE_TIMEOUT, response.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => {
                file.flush().await.map_err(io())?;
                return Err(Broke::Again(words_of(&error)));
            }
            Err(_) => {
                file.flush().await.map_err(io())?;
                return Err(Broke::Again(format!("{} fell silent", host_of(wanted.url))));
            }
        };
        let Some(chunk) = chunk else { break };
        done += chunk.len() as u64;
        if let Some(traffic) = &traffic {
            traffic.received(chunk.len());
        }
        if done > wanted.sizes.most {
            drop(file);
            discard(wanted.part);
            return Err(Broke::Never(format!(
                "{} sent more than the {} bytes expected",
                host_of(wanted.url),
                wanted.sizes.most
            )));
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(io())?;
        on(Progress {
            stage: Stage::Downloading,
            done_bytes: done,
            total_bytes: total.or(wanted.sizes.exact),
        });
    }
    file.flush().await.map_err(io())?;
    // A connection that ends early without an error would otherwise leave half a file.
    match total.or(wanted.sizes.exact) {
        Some(total) if done < total => Err(Broke::Again(format!(
            "{} stopped after {done} of {total} bytes",
            host_of(wanted.url)
        ))),
        _ => Ok(hex(&hash.finalize())),
    }
}

/// `bytes START-END/TOTAL`; the total may be `*`.
fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let value = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

fn length_of(part: &Path) -> u64 {
    std::fs::metadata(part).map_or(0, |metadata| metadata.len())
}

fn read_notes(part: &Path) -> Option<Notes> {
    serde_json::from_slice(&std::fs::read(notes_of(part)).ok()?).ok()
}

/// Remembers which file the part is of. Failing to only means that it cannot be continued.
fn write_notes(wanted: &Wanted<'_>, response: &Response) {
    let etag = response
        .headers()
        .get(ETAG)
        .and_then(|value| value.to_str().ok())
        // A weak tag does not promise the same bytes.
        .filter(|etag| !etag.starts_with("W/"))
        .map(str::to_owned);
    let notes = Notes {
        url: wanted.url.to_owned(),
        etag,
    };
    if let Ok(text) = serde_json::to_vec(&notes) {
        let _ = std::fs::write(notes_of(wanted.part), text);
    }
}

fn is_this_machine(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| crate::endpoint::is_this_machine(&url))
}

fn host_of(url: &str) -> String {
    url::Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| String::from("the server"))
}

/// An error with its causes, because reqwest's own words stop before the interesting part.
fn words_of(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        cause = inner.source();
    }
    words
}
