//! Searching everything that was asked, said and written. What is found says where it stands, so that a window can open
//! it at its entry. The index follows the journal; whoever only reads the folder makes one in memory for the question.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bwana_store::{Found, IndexedText, SearchIndex, Spoken, Store, StoreError, TextKind};
use bwana_tools::ArtifactFolder;
use bwana_types::entry::{Body, CallResult, Edit, Entry, Seq, Speaker};
use bwana_types::error::ApiError;
use bwana_types::id::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::app::{App, WeakApp, artifacts_folder};
use crate::command::Ctx;
use crate::moment::said;
use crate::shape::Time;

/// Hits of a kind when nothing else is said, and the most.
const HITS: usize = 20;
const HITS_MAX: usize = 50;
/// Entries taken into the index at once.
const BATCH: usize = 500;
/// How long a question may wait for the index to catch up; then it is answered with what there is.
const CATCH_UP_MAX: Duration = Duration::from_millis(400);
/// Bytes of a file that can be found.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Texts of answers that are kept until they are said.
const ANSWERS_KEPT: usize = 4_096;
/// Entries behind a call among which its answer is looked for.
const ANSWER_WITHIN: usize = 1_024;
/// Between two looks at the journal while a run is at work.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How a person is called in a hit.
const PERSON: &str = "person";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// Words, begun or whole; what stands in double quotes must stand so.
    pub text: String,
    /// Hits of each kind; 0: as many as are usual.
    #[serde(default)]
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchShown {
    /// By what they were asked to do.
    pub runs: Vec<Hit>,
    pub messages: Vec<Hit>,
    pub files: Vec<Hit>,
    /// Everything there is was looked at; `false`: the index is still being made.
    pub ready: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    pub run: RunId,
    /// The beginning of what the run was asked.
    pub title: String,
    pub workflow: String,
    /// The entry it stands in.
    pub seq: Seq,
    pub at: Time,
    /// The id of an agent, or `person`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Of the run's own list of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The words around it, in pieces.
    pub snippet: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Piece {
    pub text: String,
    /// This is what was looked for.
    pub hit: bool,
}

/// The index of an app, made when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Searching {
    index: OnceLock<SearchIndex>,
    /// Held by whoever takes entries in.
    following: Mutex<Answers>,
}

/// Answers of models that are not said yet: a message only points at its answer.
#[derive(Debug, Default)]
struct Answers(HashMap<(RunId, Seq), String>);

pub(crate) async fn find(
    app: &App,
    _ctx: Ctx,
    request: SearchRequest,
) -> Result<SearchShown, ApiError> {
    let Some(store) = app.maybe_store() else {
        return Ok(SearchShown {
            runs: Vec::new(),
            messages: Vec::new(),
            files: Vec::new(),
            ready: true,
        });
    };
    let limit = match request.limit {
        0 => HITS,
        limit => limit.min(HITS_MAX),
    };
    let ready = catch_up(app, Instant::now() + CATCH_UP_MAX).await?;
    let mut hits = [TextKind::Run, TextKind::Message, TextKind::File]
        .into_iter()
        .map(|kind| hits(app, store, &request.text, kind, limit));
    let mut next = || hits.next().unwrap_or_else(|| Ok(Vec::new()));
    Ok(SearchShown {
        runs: next()?,
        messages: next()?,
        files: next()?,
        ready,
    })
}

fn hits(
    app: &App,
    store: &Store,
    text: &str,
    kind: TextKind,
    limit: usize,
) -> Result<Vec<Hit>, ApiError> {
    let index = index(app)?;
    let found = match index.find(text, kind, limit) {
        Err(StoreError::Damaged { .. }) => {
            // It is made anew from the journal; this question finds nothing in it yet.
            index.renew()?;
            Vec::new()
        }
        found => found?,
    };
    let hits = found.into_iter().filter_map(|found| hit(store, found));
    Ok(hits.collect())
}

/// `None`: the run is gone, or hidden.
fn hit(store: &Store, found: Found) -> Option<Hit> {
    let run = store.run(found.run).ok().filter(|run| !run.hidden)?;
    let some = |text: String| (!text.is_empty()).then_some(text);
    Some(Hit {
        run: found.run,
        title: run.title,
        workflow: run.workflow,
        seq: found.seq,
        at: Time(found.at),
        who: some(found.who),
        file: some(found.file),
        snippet: found
            .snippet
            .into_iter()
            .map(|(text, hit)| Piece { text, hit })
            .collect(),
    })
}

fn index(app: &App) -> Result<&SearchIndex, ApiError> {
    let cell = &app.searching().index;
    if let Some(index) = cell.get() {
        return Ok(index);
    }
    let made = match app.owner() {
        Ok(_) => SearchIndex::open(app.home())?,
        Err(_) => SearchIndex::in_memory()?,
    };
    Ok(cell.get_or_init(|| made))
}

/// Takes in what the journal has and the index has not, until it is `late`. Whether everything is in.
async fn catch_up(app: &App, late: Instant) -> Result<bool, ApiError> {
    let store = app.store()?;
    let index = index(app)?;
    // Somebody else takes entries in: what is there by then is the answer.
    let following = tokio::time::timeout_at(late.into(), app.searching().following.lock());
    let Ok(mut answers) = following.await else {
        return Ok(false);
    };
    let epoch = store.cursor()?.epoch;
    let upto = store.last_pos()?;
    let mut reached = match index.reached(&epoch) {
        Err(StoreError::Damaged { .. }) => {
            index.renew()?;
            index.reached(&epoch)?
        }
        reached => reached?,
    };
    while reached < upto {
        if Instant::now() >= late {
            return Ok(false);
        }
        let told = store.told(reached, upto, BATCH)?;
        let to = match told.last() {
            Some(last) if told.len() == BATCH => last.pos,
            _ => upto,
        };
        let texts = texts(app, store, &mut answers, &told).await;
        index.put(&texts, to)?;
        reached = to;
        // Other work of this thread goes first.
        tokio::task::yield_now().await;
    }
    Ok(true)
}

async fn texts(
    app: &App,
    store: &Store,
    answers: &mut Answers,
    told: &[Spoken],
) -> Vec<IndexedText> {
    let mut found = Vec::new();
    let mut files = HashSet::new();
    // The newest of a file alone is read: the others are written over.
    for told in told.iter().rev() {
        for file in files_of(&told.entry) {
            if files.insert((told.run, file.to_owned())) {
                found.push(file_text(app, told, file).await);
            }
        }
    }
    for told in told {
        found.extend(words(store, answers, told));
    }
    found
}

fn files_of(entry: &Entry) -> impl Iterator<Item = &str> {
    let written = match &entry.body {
        Body::ArtifactWritten(written) => std::slice::from_ref(&written.artifact),
        Body::CallFinished(finished) => match &finished.result {
            CallResult::Tool(result) => result.artifacts.as_slice(),
            CallResult::Model(_) => &[],
        },
        _ => &[],
    };
    written.iter().map(|artifact| artifact.file.as_str())
}

/// The name of a file and, if it is one of text, the beginning of what is in it.
async fn file_text(app: &App, told: &Spoken, file: &str) -> IndexedText {
    let folder = artifacts_folder(app.home()).join(told.run.to_string());
    let piece = ArtifactFolder::peek(folder, file, 0, FILE_BYTES_MAX).await;
    let bytes = piece.map(|piece| piece.bytes).unwrap_or_default();
    let content = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        // Cut within a character, or no text at all.
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    let content = if content.contains('\0') { "" } else { content };
    IndexedText {
        kind: TextKind::File,
        file: file.to_owned(),
        text: format!("{file}\n{content}"),
        ..of(told, TextKind::File, "")
    }
}

fn of(told: &Spoken, kind: TextKind, who: &str) -> IndexedText {
    IndexedText {
        kind,
        run: told.run,
        seq: told.entry.seq,
        at: told.entry.at,
        who: who.to_owned(),
        file: String::new(),
        text: String::new(),
    }
}

/// What an entry says, if it says something.
fn words(store: &Store, answers: &mut Answers, told: &Spoken) -> Option<IndexedText> {
    let text = |kind, who: &str, text: &str| {
        Some(IndexedText {
            text: text.to_owned(),
            ..of(told, kind, who)
        })
    };
    match &told.entry.body {
        Body::RunCreated(created) => text(TextKind::Run, PERSON, &created.input),
        Body::PersonSaid(said) => text(TextKind::Message, PERSON, &said.text),
        Body::Edited(edited) => {
            let (Edit::Text(words) | Edit::Result(words) | Edit::Input(words)) = &edited.edit;
            text(TextKind::Message, PERSON, words)
        }
        Body::CallFinished(finished) => {
            if let CallResult::Model(result) = &finished.result {
                answers.keep((told.run, finished.call), said(&result.parts));
            }
            None
        }
        Body::MessagePosted(posted) => {
            let who = match &posted.from {
                Speaker::Agent(agent) => agent,
                Speaker::Person => PERSON,
                Speaker::Engine => return None,
            };
            match (&posted.text, posted.call) {
                (Some(words), _) => text(TextKind::Message, who, words),
                (None, Some(call)) => {
                    let words = answers
                        .0
                        .remove(&(told.run, call))
                        .or_else(|| answer(store, told.run, call))?;
                    text(TextKind::Message, who, &words)
                }
                // Words of the person, which stand where they were said.
                (None, None) => None,
            }
        }
        _ => None,
    }
}

impl Answers {
    fn keep(&mut self, call: (RunId, Seq), text: String) {
        // Whatever was never said is looked up again if it is said after all.
        if self.0.len() >= ANSWERS_KEPT {
            self.0.clear();
        }
        self.0.insert(call, text);
    }
}

/// The answer to a call, looked up in the journal: a fork says what its parent was told, and a program may have ended
/// between the two.
fn answer(store: &Store, run: RunId, call: Seq) -> Option<String> {
    let entries = store.entries(run, call, ANSWER_WITHIN).ok()?;
    entries.into_iter().find_map(|entry| match entry.body {
        Body::CallFinished(finished) if finished.call == call => match finished.result {
            CallResult::Model(result) => Some(said(&result.parts)),
            CallResult::Tool(_) => None,
        },
        _ => None,
    })
}

/// Keeps the index with the journal as long as the folder is open. Holds nothing open itself.
pub(crate) fn keep(app: &App) -> Result<(), ApiError> {
    let news = app.changed()?;
    tokio::spawn(follow(app.weak(), news));
    Ok(())
}

async fn follow(app: WeakApp, mut news: tokio::sync::watch::Receiver<u64>) {
    loop {
        news.borrow_and_update();
        {
            let Some(app) = app.open() else { return };
            if let Err(error) = catch_up(&app, Instant::now() + LOOK_EVERY).await {
                tracing::warn!("the index for searching stays behind: {}", error.message);
            }
        }
        let mut since = news.clone();
        let closed = async { while news.changed().await.is_ok() {} };
        if tokio::time::timeout(LOOK_EVERY, closed).await.is_ok() {
            return;
        }
        // Until something changes there is nothing to take in.
        if since.changed().await.is_err() {
            return;
        }
    }
}
