//! Model servers that already run on this machine: asked at their usual places, recognised by what they answer, offered
//! and never used by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use bwana_llm::Preset;
use bwana_llm::presets::{self, ANSWER_MAX_BYTES, Answer, Question};
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Finding, FindingStatus};
use crate::app::App;

/// A server on this machine takes a connection at once or is not there.
const CONNECT_MAX: Duration = Duration::from_millis(300);
/// For each answer: a server may be busy with a model.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A server that listens on this machine and that no provider uses yet.
pub(crate) enum Listening {
    Known {
        preset: &'static Preset,
        /// Where it answered, not where such a server usually is.
        base_url: String,
    },
    Unknown {
        address: &'static str,
    },
}

impl Listening {
    fn finding(self) -> Finding {
        match self {
            Self::Known { preset, base_url } => {
                Finding::coded("server", FindingStatus::Note, "server.found")
                    .with("preset", preset.id)
                    .with("title", preset.title)
                    .with("base_url", base_url)
            }
            Self::Unknown { address } => {
                Finding::coded("server", FindingStatus::Note, "server.unknown")
                    .with("address", address)
            }
        }
    }
}

/// The usual places at which somebody listens and which no provider uses yet.
pub(super) async fn servers(app: &App) -> Vec<Finding> {
    let found = listening(app).await;
    found.into_iter().map(Listening::finding).collect()
}

/// The same, for whoever wants to use them.
pub(crate) async fn listening(app: &App) -> Vec<Listening> {
    let settings = app.settings();
    let is_used = |origin: &str| {
        let port = origin.rsplit(':').next().unwrap_or_default();
        let mine = settings.providers.iter().filter(|one| one.is_loopback());
        mine.map(|one| one.base_url.as_str()).any(|url| {
            let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
            let host = rest.split('/').next().unwrap_or_default();
            host.rsplit(':').next() == Some(port)
        })
    };
    let mut places: BTreeMap<&'static str, Vec<Question>> = BTreeMap::new();
    for question in presets::questions() {
        if !is_used(question.origin) {
            places.entry(question.origin).or_default().push(question);
        }
    }
    let Ok(client) = client() else {
        return Vec::new();
    };
    let looks = places
        .into_iter()
        .map(|(origin, questions)| look(&client, origin, questions));
    join_all(looks).await.into_iter().flatten().collect()
}

fn client() -> reqwest::Result<reqwest::Client> {
    // A client wants some TLS even where it never uses it; a second provider of it is refused and no loss.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_MAX)
        .build()
}

async fn look(
    client: &reqwest::Client,
    origin: &'static str,
    questions: Vec<Question>,
) -> Option<Listening> {
    let (_, address) = origin.split_once("://")?;
    let connected = timeout(CONNECT_MAX, TcpStream::connect(address)).await;
    if !matches!(connected, Ok(Ok(_))) {
        return None;
    }
    for question in &questions {
        let Some((status, body)) = ask(client, question).await else {
            continue;
        };
        let answer = Answer {
            path: question.path,
            status,
            body: &body,
        };
        if let Some(preset) = presets::recognise(&answer) {
            let path = preset.base_url.splitn(4, '/').nth(3).unwrap_or_default();
            let base_url = format!("{origin}/{path}");
            return Some(Listening::Known {
                preset,
                base_url: base_url.trim_end_matches('/').to_owned(),
            });
        }
    }
    Some(Listening::Unknown { address })
}

/// Status and body of an answer; `None`: there was none, or more than anybody who is one of us says.
async fn ask(client: &reqwest::Client, question: &Question) -> Option<(u16, Vec<u8>)> {
    let url = format!("{}{}", question.origin, question.path);
    let mut response = client.get(url).send().await.ok()?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.ok()? {
        if body.len() + piece.len() > ANSWER_MAX_BYTES {
            return None;
        }
        body.extend_from_slice(&piece);
    }
    Some((status, body))
}
