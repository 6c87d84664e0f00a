//! Another database to read runs from: that of a backup, or one that is damaged. It is never written, and nothing it says
//! is believed further than it can be checked.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bwana_types::entry::{Body, Entry, Seq};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::append::{count, int};
use crate::backup::{Manifest, integrity};
use crate::blobs::{self, Blob, Stored};
use crate::db;
use crate::error::{Result, StoreError};
use crate::files::{describe, has_link};
use crate::home::{DATABASE_FILE, beside};
use crate::migrate;
use crate::restore::{belonging, read_manifest};
use crate::runs::FORK_DEPTH_MAX;

/// Rows that are looked at in one piece.
const CHUNK_ROWS: usize = 1_000;
/// Places in a row that are tried behind one that cannot be read, before what follows is given up.
const SKIPPED_MAX: i64 = 20_000;
/// Where a database file says that it is read without a log, and what it says then.
const VERSIONS_AT: usize = 18;
const WITHOUT_LOG: [u8; 2] = [1, 1];

/// Runs to be taken from elsewhere.
pub(crate) struct Source {
    pub(crate) db: Connection,
    /// The files of a backup, checked; none: they stand where they are.
    pub(crate) files: Option<BackupFiles>,
    /// Every entry that can be found without an index, where the indexes may be damaged too.
    scanned: Option<Scanned>,
}

/// Positions by run and seq.
type Scanned = HashMap<i64, BTreeMap<Seq, i64>>;

pub(crate) struct BackupFiles {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Manifest,
}

/// A run of a source, as its row says.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) run_no: i64,
    pub(crate) id: RunId,
    pub(crate) parent_no: Option<i64>,
    pub(crate) fork_seq: Seq,
    pub(crate) definition: Hash,
    pub(crate) workflow: String,
    pub(crate) title: String,
    pub(crate) created_at: Timestamp,
    pub(crate) hidden: bool,
}

/// An entry as it stands in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) seq: Seq,
    pub(crate) at: i64,
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) v: u32,
    pub(crate) body: RawBody,
}

#[derive(Debug, Clone)]
pub(crate) enum RawBody {
    Inline(String),
    /// The number holds in its own database only.
    Blob(i64, Hash),
}

/// Numbers differ from database to database; content does not.
impl PartialEq for RawBody {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Inline(one), Self::Inline(two)) => one == two,
            (Self::Blob(_, one), Self::Blob(_, two)) => one == two,
            _ => false,
        }
    }
}

impl Eq for RawBody {}

// These hold for every format so far: the later ones added tables. One that moves these columns brings its own queries,
// and a test in `merge` says so.
pub(crate) const RUNS_AFTER: &str = "SELECT r.run_no, r.id, r.parent_no, r.fork_seq, b.hash, r.workflow, r.title, r.created_at, r.hidden \
     FROM runs r JOIN blobs b ON b.blob_no = r.definition_no WHERE r.run_no > ?1 ORDER BY r.run_no LIMIT ?2";
pub(crate) const ROWS_AFTER: &str = "SELECT j.seq, j.at_ms, j.path, j.kind, j.v, j.body, j.blob_no, b.hash FROM journal j \
     LEFT JOIN blobs b ON b.blob_no = j.blob_no WHERE j.run_no = ?1 AND j.seq > ?2 ORDER BY j.seq LIMIT ?3";
pub(crate) const ROW_AT: &str = "SELECT j.seq, j.at_ms, j.path, j.kind, j.v, j.body, j.blob_no, b.hash FROM journal j \
     LEFT JOIN blobs b ON b.blob_no = j.blob_no WHERE j.pos = ?1";
const SCAN: &str =
    "SELECT pos, run_no, seq FROM journal NOT INDEXED WHERE pos > ?1 ORDER BY pos LIMIT ?2";

impl Source {
    /// Opens a backup whose every file is what its manifest says, and whose database is sound.
    ///
    /// # Errors
    /// `BackupInvalid`, or `Newer`.
    pub(crate) fn backup(folder: &Path) -> Result<Self> {
        let invalid = |why: String| StoreError::BackupInvalid {
            path: folder.to_owned(),
            why,
        };
        let manifest = read_manifest(folder).map_err(invalid)?;
        check_files(folder, &manifest).map_err(invalid)?;
        let path = folder.join(DATABASE_FILE);
        check_closed(&path).map_err(invalid)?;
        let open = || -> Result<Connection> {
            let db = db::open_reader(&path)?;
            db::format(&db, migrate::FORMAT)?;
            match integrity(&db)? {
                Some(found) => Err(StoreError::damaged(found)),
                None => Ok(db),
            }
        };
        let db = open().map_err(|error| match error {
            StoreError::Newer { .. } => error,
            error => invalid(error.to_string()),
        })?;
        let folder = folder.to_owned();
        Ok(Self {
            db,
            files: Some(BackupFiles { folder, manifest }),
            scanned: None,
        })
    }

    /// Opens a damaged database, with its log if it has one, and finds the entries that can still be read.
    ///
    /// # Errors
    /// `Damaged` if not even the tables can be found in it; `Newer`.
    pub(crate) fn damaged(path: &Path) -> Result<Self> {
        let db = db::open_reader(path)?;
        db::format(&db, migrate::FORMAT)?;
        let scanned = Some(scan(&db)?);
        Ok(Self {
            db,
            files: None,
            scanned,
        })
    }

    /// How many entries there are, over all runs.
    pub(crate) fn entry_count(&self) -> Result<u64> {
        match &self.scanned {
            Some(scanned) => Ok(scanned.values().map(|of_run| of_run.len() as u64).sum()),
            None => Ok(self
                .db
                .query_row("SELECT count(*) FROM journal", [], |row| {
                    row.get(0).map(count)
                })?),
        }
    }

    /// Every run, parents before their forks. Of a damaged one, those whose row can be read.
    pub(crate) fn runs(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        walk(
            self.scanned.is_some(),
            |after, rows| runs_after(&self.db, after, rows, self.scanned.is_some()),
            |chunk: Vec<(i64, Option<Found>)>| {
                found.extend(chunk.into_iter().filter_map(|(_, run)| run));
            },
        )?;
        Ok(found)
    }

    /// Own entries of a run behind `after`, in order and without a gap; of a damaged database, up to the first that
    /// cannot be read.
    pub(crate) fn rows(&self, run_no: i64, after: Seq, limit: usize) -> Result<Vec<Raw>> {
        let Some(scanned) = &self.scanned else {
            return rows_after(&self.db, run_no, after, limit);
        };
        let mut rows = Vec::new();
        let places = scanned.get(&run_no);
        for (seq, pos) in places.into_iter().flat_map(|of| of.range(after + 1..)) {
            if rows.len() >= limit || *seq != after + 1 + rows.len() as u64 {
                break;
            }
            let row = self.db.prepare_cached(ROW_AT);
            let row = row.and_then(|mut statement| statement.query_row([pos], raw).optional());
            match row {
                Ok(Some(row)) if row.seq == *seq => rows.push(row),
                _ => break,
            }
        }
        Ok(rows)
    }

    /// What stands behind an entry's body, checked, and the same for the tables of another database.
    ///
    /// # Errors
    /// `Damaged` if it cannot be read.
    pub(crate) fn open(&self, row: &Raw) -> Result<(Entry, Stored)> {
        let (text, stored) = match &row.body {
            RawBody::Inline(text) => (text.clone(), Stored::Inline(text.clone())),
            RawBody::Blob(number, _) => {
                let text = blobs::body(&self.db, *number)?;
                let blob = Blob::new(text.clone().into_bytes())?;
                (text, Stored::Blob(blob))
            }
        };
        let body = Body::from_json(&row.kind, row.v, &text).map_err(|error| {
            StoreError::damaged(format!(
                "an entry of kind {} cannot be read: {error}",
                row.kind
            ))
        })?;
        let entry = Entry {
            seq: row.seq,
            at: Timestamp(row.at),
            path: Arc::from(row.path.as_str()),
            body,
        };
        Ok((entry, stored))
    }

    /// All entries of a run up to `to`, those it shares with its parents first. Of a damaged one, as far as they go.
    ///
    /// # Errors
    /// `Damaged` if one cannot be read, and the database is not known to be damaged.
    pub(crate) fn entries(&self, runs: &[Found], run: &Found, to: Seq) -> Result<Vec<Entry>> {
        let mut lineage = vec![(run, to)];
        while let Some((run, to)) = lineage.last().copied()
            && let Some(parent) = run.parent_no.and_then(|number| by_number(runs, number))
        {
            if lineage.len() > FORK_DEPTH_MAX || parent.run_no >= run.run_no {
                return Err(StoreError::damaged("the parents of a run do not end"));
            }
            lineage.push((parent, run.fork_seq.min(to)));
        }
        let mut entries = Vec::new();
        for (run, to) in lineage.into_iter().rev() {
            if entries.len() as u64 != run.fork_seq {
                // What is shared does not reach that far.
                return Ok(entries);
            }
            self.append_own(run, to, &mut entries)?;
        }
        Ok(entries)
    }

    fn append_own(&self, run: &Found, to: Seq, entries: &mut Vec<Entry>) -> Result<()> {
        loop {
            let after = entries.len() as u64;
            if after >= to {
                return Ok(());
            }
            let rest = usize::try_from(to - after).unwrap_or(usize::MAX);
            let rows = self.rows(run.run_no, after, rest.min(CHUNK_ROWS))?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                match self.open(&row) {
                    Ok((entry, _)) => entries.push(entry),
                    Err(_) if self.scanned.is_some() => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// The definition a run is pinned to.
    ///
    /// # Errors
    /// `Damaged` if it is missing or not what its hash says.
    pub(crate) fn definition(&self, run: &Found) -> Result<Vec<u8>> {
        blobs::get(&self.db, run.definition)?.ok_or_else(|| {
            StoreError::damaged(format!("the definition of run {} is missing", run.id))
        })
    }

    /// Files of a run in the backup: each with its path in the data folder.
    pub(crate) fn artifacts(&self, run: RunId) -> Vec<(PathBuf, u64, Hash)> {
        let Some(files) = &self.files else {
            return Vec::new();
        };
        let folder = Path::new(crate::home::ARTIFACTS_DIR).join(run.to_string());
        let files = files.manifest.files.iter();
        files
            .filter_map(|file| Some((belonging(&file.path)?, file.bytes, file.hash)))
            .filter(|(path, _, _)| path.starts_with(&folder))
            .collect()
    }
}

/// The run with a number. They are sorted by it.
pub(crate) fn by_number(runs: &[Found], run_no: i64) -> Option<&Found> {
    let at = runs.binary_search_by_key(&run_no, |run| run.run_no).ok()?;
    runs.get(at)
}

/// How far two runs say the same, counted from the first entry on: their own entries behind `after`.
///
/// # Errors
/// If either cannot be read.
pub(crate) fn common(ours: (&Connection, i64), theirs: (&Source, i64), after: Seq) -> Result<Seq> {
    let mut same = after;
    loop {
        let one = rows_after(ours.0, ours.1, same, CHUNK_ROWS)?;
        let two = theirs.0.rows(theirs.1, same, CHUNK_ROWS)?;
        let before = same;
        for (one, two) in one.iter().zip(&two) {
            if one != two || one.seq != same + 1 {
                return Ok(same);
            }
            same += 1;
        }
        if same == before || one.len() != two.len() {
            return Ok(same);
        }
    }
}

/// The last own entry of a run in the source, counted with those it shares.
pub(crate) fn head(source: &Source, run: &Found) -> Result<Seq> {
    if source.scanned.is_none() {
        return crate::runs::head_seq(&source.db, run.run_no);
    }
    let mut head = run.fork_seq;
    loop {
        let rows = source.rows(run.run_no, head, CHUNK_ROWS)?;
        match rows.last() {
            Some(last) => head = last.seq,
            None => return Ok(head),
        }
    }
}

fn rows_after(db: &Connection, run_no: i64, after: Seq, limit: usize) -> Result<Vec<Raw>> {
    let mut statement = db.prepare_cached(ROWS_AFTER)?;
    let rows = statement.query_map(params![run_no, int(after), int(limit as u64)], raw)?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    match rows
        .iter()
        .zip(after + 1..)
        .find(|(row, expected)| row.seq != *expected)
    {
        Some((_, missing)) => Err(StoreError::damaged(format!(
            "entry {missing} of a run is missing"
        ))),
        None => Ok(rows),
    }
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let body = match (row.get(5)?, row.get(6)?, row.get(7)?) {
        (Some(text), _, _) => RawBody::Inline(text),
        (None, Some(number), Some(hash)) => RawBody::Blob(number, Hash(hash)),
        _ => {
            return Err(rusqlite::Error::FromSqlConversionFailure(
                5,
                rusqlite::types::Type::Text,
                "an entry without a body".into(),
            ));
        }
    };
    Ok(Raw {
        seq: count(row.get(0)?),
        at: row.get(1)?,
        path: row.get(2)?,
        kind: row.get(3)?,
        v: row.get(4)?,
        body,
    })
}

/// Runs behind a number, each with it. `None`: its row says nothing that can be used, which only damage is forgiven.
fn runs_after(
    db: &Connection,
    after: i64,
    limit: usize,
    forgiving: bool,
) -> Result<Vec<(i64, Option<Found>)>> {
    let mut statement = db.prepare_cached(RUNS_AFTER)?;
    let mut rows = statement.query(params![after, int(limit as u64)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match run(row) {
            Ok(run) => found.push((run.run_no, Some(run))),
            Err(_) if forgiving => found.push((row.get(0)?, None)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn run(row: &Row<'_>) -> rusqlite::Result<Found> {
    let id: String = row.get(1)?;
    let id = id.parse().map_err(|_| {
        let wrong = "this is not the id of a run";
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, wrong.into())
    })?;
    Ok(Found {
        run_no: row.get(0)?,
        id,
        parent_no: row.get(2)?,
        fork_seq: count(row.get(3)?),
        definition: Hash(row.get(4)?),
        workflow: row.get(5)?,
        title: row.get(6)?,
        created_at: Timestamp(row.get(7)?),
        hidden: row.get(8)?,
    })
}

/// Reads a table by its numbers from the first on. Where `forgiving`, places that cannot be read are passed over, one
/// after the other.
fn walk<T>(
    forgiving: bool,
    read: impl Fn(i64, usize) -> Result<Vec<(i64, T)>>,
    mut take: impl FnMut(Vec<(i64, T)>),
) -> Result<()> {
    let (mut after, mut skipped) = (0, 0);
    // Of a damaged table each row is asked for alone, so that one does not take its neighbours along.
    let rows = if forgiving { 1 } else { CHUNK_ROWS };
    loop {
        match read(after, rows) {
            Ok(chunk) => {
                let Some((last, _)) = chunk.last() else {
                    return Ok(());
                };
                if *last <= after {
                    return Err(StoreError::damaged("the numbers of a table go back"));
                }
                (after, skipped) = (*last, 0);
                take(chunk);
            }
            // A disk that cannot read a page says so in other words.
            Err(StoreError::Damaged { .. } | StoreError::Failed { .. }) if forgiving => {
                if skipped == SKIPPED_MAX {
                    return Ok(());
                }
                after += 1;
                skipped += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn scan(db: &Connection) -> Result<Scanned> {
    let mut scanned = Scanned::new();
    let read = |after: i64, rows: usize| -> Result<Vec<(i64, (i64, Seq))>> {
        let mut statement = db.prepare_cached(SCAN)?;
        let rows = statement.query_map(params![after, int(rows as u64)], |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2).map(count)?)))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    walk(true, read, |chunk| {
        for (pos, (run_no, seq)) in chunk {
            scanned.entry(run_no).or_default().insert(seq, pos);
        }
    })?;
    Ok(scanned)
}

/// Whether every file of a backup is there and what it was.
fn check_files(folder: &Path, manifest: &Manifest) -> std::result::Result<(), String> {
    for file in &manifest.files {
        let path = belonging(&file.path)
            .ok_or_else(|| format!("it names a file '{}' that no backup has", file.path))?;
        // A link could lead to the database that is open here, whose locks go when its file is closed.
        if has_link(folder, &path) {
            return Err(format!("{} is a link", file.path));
        }
        let found = describe(&folder.join(&path))
            .map_err(|error| format!("{} cannot be read: {error}", file.path))?;
        if found != (file.bytes, file.hash) {
            return Err(format!("{} is not the file that was backed up", file.path));
        }
    }
    Ok(())
}

/// Whether a database is one file without companions: a log beside it would be read with it, and is in no manifest.
fn check_closed(path: &Path) -> std::result::Result<(), String> {
    for companion in ["-wal", "-journal", "-shm"] {
        if fs::symlink_metadata(beside(path, companion)).is_ok() {
            return Err(format!("{DATABASE_FILE}{companion} does not belong to it"));
        }
    }
    let mut begin = [0; VERSIONS_AT + WITHOUT_LOG.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.map_err(|error| format!("{DATABASE_FILE} cannot be read: {error}"))?;
    if begin[VERSIONS_AT..] == WITHOUT_LOG {
        Ok(())
    } else {
        Err(format!("{DATABASE_FILE} was not closed"))
    }
}
