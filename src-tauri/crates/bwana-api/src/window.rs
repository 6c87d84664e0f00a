//! A part of a run's journal for a window that cannot hold all of it: some entries around a place, those that fit a filter,
//! and the text of the calls on their way. Reading only; the rest of the journal stays where it is.

use std::collections::HashMap;

use bwana_engine::PartialText;
use bwana_types::entry::{Body, Call, Entry, Seq, Speaker};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::RunId;
use bwana_types::money::{MICRO_PER_USD, MicroUsd};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::command::Ctx;
use crate::feed::short_record;
use crate::record::Record;

/// Entries of one answer.
pub const WINDOW_MAX: usize = 400;
const WINDOW_DEFAULT: usize = 200;
/// Entries read at once where a filter looks through them.
const PAGE_ENTRIES: usize = 1_000;
const FILTER_MAX_BYTES: usize = 1_024;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WindowRequest {
    /// An id, or its last characters.
    pub run: String,
    /// At most one of the three; none: the end.
    pub around: Option<Seq>,
    pub before: Option<Seq>,
    pub after: Option<Seq>,
    pub limit: Option<usize>,
    /// Words that must all fit: `agent:`, `kind:`, `tool:`, `path:`, `status:error`, `cost:>0.01`, or plain text.
    pub filter: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowShown {
    pub run: RunId,
    /// In order. Texts over four kilobytes are cut and the record says `cut`.
    pub entries: Vec<Value>,
    /// Of the whole journal; 0: there is none yet.
    pub first_seq: Seq,
    pub last_seq: Seq,
    /// Entries that fit the filter; without one, all.
    pub total: u64,
    /// Calls on their way.
    pub calls: Vec<CallText>,
}

/// The text of a call so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallText {
    /// The entry that intended it.
    pub call: Seq,
    pub attempt: u32,
    pub text: String,
    /// Where the next piece begins, in UTF-8 bytes.
    pub offset: u64,
}

impl From<PartialText> for CallText {
    fn from(partial: PartialText) -> Self {
        Self {
            call: partial.call,
            attempt: partial.attempt,
            offset: partial.text.len() as u64,
            text: partial.text,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryRequest {
    pub run: String,
    pub seq: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    pub run: String,
    pub call: Seq,
}

/// Which stretch of the journal is wanted.
#[derive(Debug, Clone, Copy)]
enum Place {
    Around(Seq),
    Before(Seq),
    After(Seq),
    End,
}

impl Place {
    fn of(request: &WindowRequest) -> Result<Self, ApiError> {
        match (request.around, request.before, request.after) {
            (None, None, None) => Ok(Self::End),
            (Some(seq), None, None) => Ok(Self::Around(seq)),
            (None, Some(seq), None) => Ok(Self::Before(seq)),
            (None, None, Some(seq)) => Ok(Self::After(seq)),
            _ => Err(ApiError::new(
                ErrorCode::UsageInvalid,
                "only one of around, before and after can be asked for",
            )),
        }
    }
}

pub(crate) async fn window(
    app: &App,
    _ctx: Ctx,
    request: WindowRequest,
) -> Result<WindowShown, ApiError> {
    let run = app.find_run(&request.run)?;
    let place = Place::of(&request)?;
    let limit = request.limit.unwrap_or(WINDOW_DEFAULT).clamp(1, WINDOW_MAX);
    // What the disk may still lose is not shown.
    let head = app.store()?.run(run)?.head_seq;
    let head = app.told(run).map_or(head, |told| head.min(told));
    let filter = request.filter.as_deref().map(Filter::read).transpose()?;
    let (entries, total) = match filter.filter(|filter| !filter.words.is_empty()) {
        None => (stretch(app, run, head, place, limit)?, head),
        Some(filter) => filtered(app, run, head, place, limit, &filter)?,
    };
    Ok(WindowShown {
        run,
        entries: entries.iter().map(short_record).collect(),
        first_seq: head.min(1),
        last_seq: head,
        total,
        calls: app.texts(run),
    })
}

fn stretch(
    app: &App,
    run: RunId,
    head: Seq,
    place: Place,
    limit: usize,
) -> Result<Vec<Entry>, ApiError> {
    let count = limit as u64;
    let from = match place {
        Place::End => (head + 1).saturating_sub(count),
        Place::Before(seq) => seq.min(head + 1).saturating_sub(count),
        Place::After(seq) => seq + 1,
        // As much behind as before, and never less than fits.
        Place::Around(seq) => seq
            .saturating_sub(count / 2)
            .min((head + 1).saturating_sub(count)),
    }
    .max(1);
    let to = match place {
        Place::Before(seq) => head.min(seq.saturating_sub(1)),
        _ => head,
    };
    let mut entries = app.store()?.entries(run, from, limit)?;
    entries.retain(|entry| entry.seq <= to);
    Ok(entries)
}

fn filtered(
    app: &App,
    run: RunId,
    head: Seq,
    place: Place,
    limit: usize,
    filter: &Filter,
) -> Result<(Vec<Entry>, u64), ApiError> {
    let mut fitting = Vec::new();
    let mut total = 0;
    let mut calls = Calls::default();
    let mut from = 1;
    while from <= head {
        let page = app.store()?.entries(run, from, PAGE_ENTRIES)?;
        let Some(last) = page.last() else { break };
        from = last.seq + 1;
        for entry in page.into_iter().filter(|entry| entry.seq <= head) {
            calls.learn(&entry);
            if !filter.fits(&entry, &calls) {
                continue;
            }
            total += 1;
            match place {
                Place::After(seq) if entry.seq <= seq || fitting.len() >= limit => {}
                Place::Before(seq) if entry.seq >= seq => {}
                Place::Around(seq) if entry.seq > seq && fitting.len() >= limit => {}
                _ => {
                    fitting.push(entry);
                    let most = match place {
                        // Half of them may still come behind the place.
                        Place::Around(seq)
                            if fitting.last().is_some_and(|last| last.seq <= seq) =>
                        {
                            limit.div_ceil(2)
                        }
                        _ => limit,
                    };
                    if fitting.len() > most {
                        fitting.remove(0);
                    }
                }
            }
        }
    }
    Ok((fitting, total))
}

pub(crate) async fn entry(app: &App, _ctx: Ctx, request: EntryRequest) -> Result<Record, ApiError> {
    let run = app.find_run(&request.run)?;
    let entries = app.store()?.entries(run, request.seq.max(1), 1)?;
    let told = app.told(run).unwrap_or(Seq::MAX);
    let found = entries
        .first()
        .filter(|entry| entry.seq == request.seq && entry.seq <= told);
    found.map(Record::from).ok_or_else(|| {
        let message = format!("run {run} has no entry {}", request.seq);
        ApiError::new(ErrorCode::UsageNotFound, message)
    })
}

pub(crate) async fn partial(
    app: &App,
    _ctx: Ctx,
    request: CallRequest,
) -> Result<CallText, ApiError> {
    let run = app.find_run(&request.run)?;
    let texts = app.texts(run);
    texts
        .into_iter()
        .find(|text| text.call == request.call)
        .ok_or_else(|| {
            let message = format!("call {} of run {run} is not on its way", request.call);
            ApiError::new(ErrorCode::UsageNotFound, message)
        })
}

/// Who made which call with what: an answer names only the entry that intended it.
#[derive(Debug, Default)]
struct Calls {
    by: HashMap<Seq, (String, Option<String>)>,
}

impl Calls {
    fn learn(&mut self, entry: &Entry) {
        if let Body::CallIntended(intended) = &entry.body {
            let who = match &intended.call {
                Call::Model(model) => (model.agent.clone(), None),
                Call::Tool(tool) => (tool.agent.clone(), Some(tool.tool.clone())),
            };
            self.by.insert(entry.seq, who);
        }
    }

    /// The agent and the tool an entry is about.
    fn about<'a>(&'a self, entry: &'a Entry) -> (Option<&'a str>, Option<&'a str>) {
        let call = match &entry.body {
            Body::CallIntended(_) => entry.seq,
            Body::CallRetried(body) => body.call,
            Body::CallFinished(body) => body.call,
            Body::CallFailed(body) => body.call,
            Body::CallInterrupted(body) => body.call,
            Body::CallUncertain(body) => body.call,
            Body::SpeakerChosen(body) => return (Some(&body.agent), None),
            Body::MessagePosted(body) => {
                return match &body.from {
                    Speaker::Agent(agent) => (Some(agent), None),
                    Speaker::Person | Speaker::Engine => (None, None),
                };
            }
            _ => return (None, None),
        };
        match self.by.get(&call) {
            Some((agent, tool)) => (Some(agent), tool.as_deref()),
            None => (None, None),
        }
    }
}

#[derive(Debug)]
struct Filter {
    words: Vec<Word>,
}

#[derive(Debug, PartialEq)]
enum Word {
    Agent(String),
    Kind(String),
    Tool(String),
    Path(String),
    Failed,
    CostOver(MicroUsd),
    Text(String),
}

impl Filter {
    fn read(text: &str) -> Result<Self, ApiError> {
        let wrong = |message: String| ApiError::new(ErrorCode::UsageInvalid, message);
        if text.len() > FILTER_MAX_BYTES {
            return Err(wrong(format!(
                "a filter has at most {FILTER_MAX_BYTES} bytes"
            )));
        }
        let words = text.split_whitespace().map(|word| {
            let word = word.to_lowercase();
            let Some((name, value)) = word.split_once(':') else {
                return Ok(Word::Text(word));
            };
            let value = value.to_owned();
            match (name, value.as_str()) {
                ("agent", _) => Ok(Word::Agent(value)),
                ("kind", _) => Ok(Word::Kind(value)),
                ("tool", _) => Ok(Word::Tool(value)),
                ("path", _) => Ok(Word::Path(value)),
                ("status", "error") => Ok(Word::Failed),
                ("cost", _) => cost_over(&value).map(Word::CostOver).ok_or_else(|| {
                    wrong(format!("'{word}' is no amount; write it like cost:>0.01"))
                }),
                // A word with a colon is a word.
                _ => Ok(Word::Text(word)),
            }
        });
        Ok(Self {
            words: words.collect::<Result<_, _>>()?,
        })
    }

    fn fits(&self, entry: &Entry, calls: &Calls) -> bool {
        self.words.iter().all(|word| word.fits(entry, calls))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "an amount beyond the range saturates"
)]
fn cost_over(value: &str) -> Option<MicroUsd> {
    let usd: f64 = value.strip_prefix('>')?.parse().ok()?;
    (usd.is_finite() && usd >= 0.0).then_some(MicroUsd((usd * MICRO_PER_USD as f64) as i64))
}

impl Word {
    fn fits(&self, entry: &Entry, calls: &Calls) -> bool {
        let has = |text: Option<&str>, part: &str| {
            text.is_some_and(|text| text.to_lowercase().contains(part))
        };
        match self {
            Self::Agent(agent) => has(calls.about(entry).0, agent),
            Self::Tool(tool) => has(calls.about(entry).1, tool),
            Self::Kind(kind) => entry.body.kind().contains(kind.as_str()),
            Self::Path(path) => has(Some(&entry.path), path),
            Self::Failed => is_bad(&entry.body),
            Self::CostOver(limit) => cost(&entry.body).is_some_and(|cost| cost > *limit),
            Self::Text(part) => has(entry.body.to_json().ok().as_deref(), part),
        }
    }
}

fn is_bad(body: &Body) -> bool {
    use bwana_types::entry::{CallResult, StepOutcome};
    match body {
        Body::CallFailed(_)
        | Body::CallInterrupted(_)
        | Body::CallUncertain(_)
        | Body::BudgetExhausted(_) => true,
        Body::CallFinished(done) => {
            matches!(&done.result, CallResult::Tool(result) if result.is_error)
        }
        Body::StepFinished(step) => matches!(step.outcome, StepOutcome::Failed { .. }),
        _ => false,
    }
}

fn cost(body: &Body) -> Option<MicroUsd> {
    use bwana_types::entry::CallResult;
    match body {
        Body::CallFinished(done) => match &done.result {
            CallResult::Model(result) => result.cost,
            CallResult::Tool(_) => None,
        },
        Body::CallFailed(failed) => failed.cost,
        Body::CallInterrupted(lost) => lost.cost,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        Filter::read(text).unwrap().words
    }

    #[test]
    fn a_filter_is_read_word_by_word() {
        assert_eq!(
            words(
                "agent:Sales kind:call_failed  tool:web.fetch status:error cost:>0.01 price http://x"
            ),
            [
                Word::Agent("sales".into()),
                Word::Kind("call_failed".into()),
                Word::Tool("web.fetch".into()),
                Word::Failed,
                Word::CostOver(MicroUsd(10_000)),
                Word::Text("price".into()),
                Word::Text("http://x".into()),
            ]
        );
        assert_eq!(words("  "), []);
    }

    #[test]
    fn an_amount_that_is_none_is_said() {
        for text in [
            "cost:1",
            "cost:>",
            "cost:>x",
            "cost:>-1",
            "cost:>nan",
            "cost:>inf",
        ] {
            assert_eq!(
                Filter::read(text).unwrap_err().code,
                ErrorCode::UsageInvalid,
                "{text}"
            );
        }
        assert!(Filter::read(&"a".repeat(FILTER_MAX_BYTES + 1)).is_err());
    }
}
