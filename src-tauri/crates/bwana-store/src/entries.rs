//! Reading the journal: a run's entries in order, a fork's with what it shares.

use std::sync::Arc;

use bwana_types::entry::{Body, Entry, Seq};
use bwana_types::id::RunId;
use bwana_types::time::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::append::{count, int};
use crate::blobs;
use crate::error::{Result, StoreError};
use crate::runs::{self, Stretch, lineage};

pub(crate) const ENTRIES: &str = "SELECT seq, at_ms, path, kind, v, body, blob_no FROM journal \
     WHERE run_no = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq LIMIT ?4";

/// Entries `from` and later, at most `limit`, in order and without gaps.
///
/// # Errors
/// [`StoreError::Damaged`] if an entry is missing or cannot be read.
pub(crate) fn read(db: &Connection, run_no: i64, from: Seq, limit: usize) -> Result<Vec<Entry>> {
    let head = runs::head_seq(db, run_no)?;
    let mut reader = Reader {
        db,
        next: from.max(1),
        last_path: Arc::from(""),
        // A whole journal in one allocation, but never on the word of a damaged count.
        entries: Vec::with_capacity(limit.min(usize::try_from(head).unwrap_or(0)).min(1 << 16)),
    };
    for stretch in lineage(db, run_no, head)? {
        if stretch.to >= reader.next && reader.entries.len() < limit {
            reader.stretch(stretch, limit)?;
        }
    }
    Ok(reader.entries)
}

struct Reader<'a> {
    db: &'a Connection,
    /// The number the next entry must have.
    next: Seq,
    last_path: Arc<str>,
    entries: Vec<Entry>,
}

impl Reader<'_> {
    fn stretch(&mut self, stretch: Stretch, limit: usize) -> Result<()> {
        let from = stretch.from.max(self.next);
        let rest = limit - self.entries.len();
        let mut statement = self.db.prepare_cached(ENTRIES)?;
        let mut rows = statement.query(params![
            stretch.run_no,
            int(from),
            int(stretch.to),
            int(rest as u64)
        ])?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            self.push(row)?;
            read += 1;
        }
        let expected = usize::try_from(stretch.to - from + 1).unwrap_or(usize::MAX);
        if read < expected.min(rest) {
            return Err(missing(self.next));
        }
        Ok(())
    }

    fn push(&mut self, row: &Row<'_>) -> Result<()> {
        let seq = count(row.get(0)?);
        if seq != self.next {
            return Err(missing(self.next));
        }
        // Entries in a row are mostly about the same place: they share its text.
        let path = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        if *path != *self.last_path {
            self.last_path = Arc::from(path);
        }
        self.entries.push(Entry {
            seq,
            at: Timestamp(row.get(1)?),
            path: Arc::clone(&self.last_path),
            body: body(self.db, row, 3)?,
        });
        self.next += 1;
        Ok(())
    }
}

fn missing(seq: Seq) -> StoreError {
    StoreError::damaged(format!("entry {seq} of a run is missing"))
}

/// The body in the columns kind, v, body and blob_no from `first` on.
pub(crate) fn body(db: &Connection, row: &Row<'_>, first: usize) -> Result<Body> {
    let kind = row
        .get_ref(first)?
        .as_str()
        .map_err(rusqlite::Error::from)?;
    let v: u32 = row.get(first + 1)?;
    let unreadable = |error: serde_json::Error| {
        StoreError::damaged(format!("an entry of kind {kind} cannot be read: {error}"))
    };
    if let Some(text) = row
        .get_ref(first + 2)?
        .as_str_or_null()
        .map_err(rusqlite::Error::from)?
    {
        return Body::from_json(kind, v, text).map_err(unreadable);
    }
    let Some(blob_no) = row.get(first + 3)? else {
        return Err(StoreError::damaged(format!(
            "an entry of kind {kind} has no body"
        )));
    };
    Body::from_json(kind, v, &blobs::body(db, blob_no)?).map_err(unreadable)
}

pub(crate) const CALLS: &str = "SELECT seq, at_ms, path, kind, v, body, blob_no FROM journal \
     WHERE run_no = ?1 AND kind IN ('call_intended', 'call_retried', 'call_finished', 'call_failed', \
     'call_interrupted') ORDER BY seq";

/// A run's own entries about its calls, without what it shares with a parent.
pub(crate) fn calls(db: &Connection, run_no: i64) -> Result<Vec<Entry>> {
    let mut statement = db.prepare_cached(CALLS)?;
    let mut rows = statement.query([run_no])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(entry(db, row)?);
    }
    Ok(found)
}

/// An entry in which somebody says something, and where it stands in the one order over all runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoken {
    pub pos: i64,
    pub run: RunId,
    pub entry: Entry,
}

pub(crate) const TOLD: &str = "SELECT j.seq, j.at_ms, j.path, j.kind, j.v, j.body, j.blob_no, j.pos, r.id \
     FROM journal j JOIN runs r ON r.run_no = j.run_no \
     WHERE j.pos > ?1 AND j.pos <= ?2 AND j.kind IN ('run_created', 'message_posted', 'person_said', 'edited', \
     'call_finished', 'artifact_written') ORDER BY j.pos LIMIT ?3";

/// The last place of the journal that is taken.
pub(crate) fn last_pos(db: &Connection) -> Result<i64> {
    Ok(db
        .prepare_cached("SELECT coalesce(max(pos), 0) FROM journal")?
        .query_row([], |row| row.get(0))?)
}

/// Entries with texts after the place `after` and up to `upto`, in order.
pub(crate) fn told(db: &Connection, after: i64, upto: i64, limit: usize) -> Result<Vec<Spoken>> {
    let mut statement = db.prepare_cached(TOLD)?;
    let mut rows = statement.query(params![after, upto, int(limit as u64)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let run: String = row.get(8)?;
        let run = run
            .parse()
            .map_err(|_| StoreError::damaged(format!("'{run}' is no id of a run")))?;
        found.push(Spoken {
            pos: row.get(7)?,
            run,
            entry: entry(db, row)?,
        });
    }
    Ok(found)
}

/// One own entry of a run.
pub(crate) fn one(db: &Connection, run_no: i64, seq: Seq) -> Result<Option<Entry>> {
    let mut statement = db.prepare_cached(ENTRIES)?;
    let mut rows = statement.query(params![run_no, int(seq), int(seq), 1])?;
    rows.next()?.map(|row| entry(db, row)).transpose()
}

/// An entry in the columns of [`ENTRIES`].
fn entry(db: &Connection, row: &Row<'_>) -> Result<Entry> {
    Ok(Entry {
        seq: count(row.get(0)?),
        at: Timestamp(row.get(1)?),
        path: Arc::from(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?),
        body: body(db, row, 3)?,
    })
}
