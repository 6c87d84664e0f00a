//! Taking runs in from a backup beside those that are here. Nothing here is ever overwritten: a run is added whole, or
//! goes on behind its last entry, or stays out and it is said why. One run is one transaction, so a merge that is cut off
//! has taken some runs whole and is simply done again.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bwana_types::entry::{Entry, Seq};
use bwana_types::fault::fault_point;
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

use crate::append::{Append, Prepared};
use crate::backup::Manifest;
use crate::blobs::{self, Blob};
use crate::db::remove_if_there;
use crate::error::{Result, StoreError};
use crate::files::{copy_file, create_private_folder, describe, has_link};
use crate::home::{beside, sync_folder};
use crate::runs::{self, InsertRun, RunRow};
use crate::source::{self, Found, Source};
use crate::store::Store;
use crate::upkeep;
use crate::writer::Tx;

pub(crate) const OUR_RUN: &str = "SELECT r.run_no, r.fork_seq, b.hash, p.id FROM runs r \
     JOIN blobs b ON b.blob_no = r.definition_no LEFT JOIN runs p ON p.run_no = r.parent_no WHERE r.id = ?1";
/// Behind the name of a file that is on its way in.
const COMING: &str = ".coming";

/// A backup, or a damaged database, opened to take runs from.
pub struct Backup {
    source: Mutex<Source>,
    runs: Vec<Found>,
    entries: u64,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupInfo {
    /// RFC 3339.
    pub made_at: String,
    /// The version of the program that made it; empty: it does not say.
    pub program: String,
    /// Format of its database.
    pub format: i64,
    pub files: usize,
    pub bytes: u64,
}

impl From<&Manifest> for BackupInfo {
    fn from(manifest: &Manifest) -> Self {
        Self {
            made_at: manifest.made_at.clone(),
            program: manifest.program.clone(),
            format: manifest.format,
            files: manifest.files.len(),
            bytes: manifest.files.iter().map(|file| file.bytes).sum(),
        }
    }
}

/// How a run of a backup stands to the one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is not here.
    New,
    Equal,
    /// Ours says everything it says, and more.
    Behind,
    /// It says everything ours says, and more.
    Ahead,
    /// They say different things, or go different ways.
    Conflict,
}

/// One run of a backup beside ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub run: RunId,
    pub standing: Standing,
    /// The last entry here; 0: there is none.
    pub ours: Seq,
    /// The last entry there.
    pub theirs: Seq,
}

/// A run as the backup tells it, whole.
#[derive(Debug)]
pub struct Told {
    /// The resolved definition, as it is stored.
    pub definition: Vec<u8>,
    /// From 1 on, what is shared with a parent included.
    pub entries: Vec<Entry>,
}

/// What is written behind the entries of a run that is taken in, so that it stands still here, and what lists show then.
#[derive(Debug, Clone)]
pub struct Stands {
    pub entries: Vec<Entry>,
    pub row: RunRow,
}

/// Why a run stayed out.
#[derive(Debug, Clone, PartialEq)]
pub enum NotTaken {
    /// A file of ours stands where one of its would go, and says something else.
    FilesDiffer,
    /// It shares entries with a run that is not here.
    ParentMissing,
    /// Something of it cannot be read, or breaks a rule of the journal.
    Unreadable(String),
    /// It went on here in the meantime.
    Moved,
}

/// # Errors
/// `BackupInvalid` if the folder has no manifest that can be read.
pub fn backup_info(folder: &Path) -> Result<BackupInfo> {
    let manifest =
        crate::restore::read_manifest(folder).map_err(|why| StoreError::BackupInvalid {
            path: folder.to_owned(),
            why,
        })?;
    Ok((&manifest).into())
}

impl Backup {
    /// Opens a backup that is whole: every file is what it was, and the database is sound. Reads all of it.
    ///
    /// # Errors
    /// `BackupInvalid`, or `Newer`.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::of(Source::backup(folder)?)
    }

    /// Opens what can still be read of a damaged database.
    ///
    /// # Errors
    /// `Damaged` if nothing can.
    pub(crate) fn damaged(path: &Path) -> Result<Self> {
        Self::of(Source::damaged(path)?)
    }

    fn of(source: Source) -> Result<Self> {
        Ok(Self {
            runs: source.runs()?,
            entries: source.entry_count()?,
            source: Mutex::new(source),
        })
    }

    pub fn run_count(&self) -> u64 {
        self.runs.len() as u64
    }

    /// Entries of all runs; what forks share is counted once.
    pub fn entry_count(&self) -> u64 {
        self.entries
    }

    /// Every run beside ours, parents before their forks. Without a store all are new.
    ///
    /// # Errors
    /// If either side cannot be read.
    pub fn compare(&self, store: Option<&Store>) -> Result<Vec<Compared>> {
        let source = self.source();
        match store {
            Some(store) => store.read(|ours| compare(ours, &source, &self.runs)),
            None => self
                .runs
                .iter()
                .map(|run| {
                    Ok(Compared {
                        run: run.id,
                        standing: Standing::New,
                        ours: 0,
                        theirs: source::head(&source, run)?,
                    })
                })
                .collect(),
        }
    }

    /// One run, whole.
    ///
    /// # Errors
    /// `NotFound`, or `Damaged` if an entry or its definition cannot be read.
    pub fn read(&self, run: RunId) -> Result<Told> {
        let source = self.source();
        let found = self.find(run)?;
        let to = source::head(&source, found)?;
        Ok(Told {
            definition: source.definition(found)?,
            entries: source.entries(&self.runs, found, to)?,
        })
    }

    fn find(&self, run: RunId) -> Result<&Found> {
        self.runs
            .iter()
            .find(|found| found.id == run)
            .ok_or_else(|| StoreError::NotFound {
                what: "run",
                id: run.to_string(),
            })
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backup")
            .field("runs", &self.runs.len())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Takes one run of a backup in, behind what of it is here: its entries up to the last that `told` has, its files,
    /// and what makes it stand still. `compared` says how the two stood when that was decided. `zone` is the time zone
    /// whose days the ledger counts.
    ///
    /// # Errors
    /// What the disk or the database here says. What is wrong with the run is in the answer.
    pub async fn take_run(
        &self,
        from: &Backup,
        compared: &Compared,
        told: &Told,
        stands: Stands,
        zone: &str,
    ) -> Result<std::result::Result<(), NotTaken>> {
        let Compared { run, ours, .. } = *compared;
        let found = from.find(run)?.clone();
        let last = told.entries.len() as u64;
        let parent = match from.parent_of(&found) {
            Ok(parent) => parent,
            Err(why) => return Ok(Err(why)),
        };
        let row = stands.row.clone();
        let prepared = match from.prepare(&found, ours.max(found.fork_seq), last, stands) {
            Ok(prepared) => prepared,
            Err(StoreError::Damaged { what }) => return Ok(Err(NotTaken::Unreadable(what))),
            Err(error) => return Err(error),
        };
        if let Some(home) = self.home()
            && !from.bring_files(home, run)?
        {
            return Ok(Err(NotTaken::FilesDiffer));
        }
        let coming = Coming {
            found,
            parent,
            is_new: compared.standing == Standing::New,
            definition: Blob::new(told.definition.clone())?,
            prepared,
            row,
            zone: zone.to_owned(),
        };
        match self.write(move |tx| coming.write(tx)).await {
            Ok(()) => Ok(Ok(())),
            Err(StoreError::WrongSeq { .. } | StoreError::Invalid { .. }) => {
                Ok(Err(NotTaken::Moved))
            }
            Err(StoreError::NotFound { .. }) => Ok(Err(NotTaken::ParentMissing)),
            Err(error @ (StoreError::Forbidden { .. } | StoreError::TaskAlreadyDecided { .. })) => {
                Ok(Err(NotTaken::Unreadable(error.to_string())))
            }
            Err(error) => Err(error),
        }
    }
}

impl Backup {
    fn parent_of(&self, run: &Found) -> std::result::Result<Option<RunId>, NotTaken> {
        let Some(parent_no) = run.parent_no else {
            return Ok(None);
        };
        let parent = source::by_number(&self.runs, parent_no);
        parent
            .map(|parent| Some(parent.id))
            .ok_or(NotTaken::ParentMissing)
    }

    /// The entries of a run behind `after`, with what makes it stand still behind them.
    fn prepare(&self, run: &Found, after: Seq, last: Seq, stands: Stands) -> Result<Prepared> {
        let source = self.source();
        let mut pairs = Vec::new();
        while after + (pairs.len() as u64) < last {
            let from = after + pairs.len() as u64;
            let rest = usize::try_from(last - from).unwrap_or(usize::MAX);
            let rows = source.rows(run.run_no, from, rest)?;
            if rows.is_empty() {
                let what = format!("entry {} of a run is missing", from + 1);
                return Err(StoreError::damaged(what));
            }
            for row in &rows {
                pairs.push(source.open(row)?);
            }
        }
        for entry in stands.entries {
            let body = entry.body.to_json();
            let body = body.map_err(|error| StoreError::invalid(error.to_string()))?;
            pairs.push((entry, blobs::stored(body)?));
        }
        let (entries, bodies) = pairs.into_iter().unzip();
        let append = Append {
            run: run.id,
            expected_seq: after,
            entries,
            row: Some(stands.row),
            day: None,
        };
        Ok(Prepared::new(append, bodies))
    }

    /// Copies the files of a run to where they belong. `false`: one of them would overwrite one of ours.
    fn bring_files(&self, home: &Path, run: RunId) -> Result<bool> {
        let (folder, files) = {
            let source = self.source();
            match &source.files {
                None => return Ok(true),
                Some(files) => (files.folder.clone(), source.artifacts(run)),
            }
        };
        let io =
            |path: &Path, error: &io::Error| StoreError::io("bringing files back", path, error);
        let mut missing = Vec::new();
        for (path, bytes, hash) in files {
            let target = home.join(&path);
            if has_link(home, &path) {
                return Ok(false);
            }
            match describe(&target) {
                Ok(found) if found == (bytes, hash) => {}
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    missing.push((path, target, (bytes, hash)));
                }
                Err(error) => return Err(io(&target, &error)),
            }
        }
        for (path, target, expected) in missing {
            bring(&folder.join(&path), &target, expected).map_err(|error| io(&target, &error))?;
        }
        Ok(true)
    }
}

/// Copies one file: the whole under its name, or nothing.
fn bring(from: &Path, target: &Path, expected: (u64, Hash)) -> io::Result<()> {
    let folder = target.parent().unwrap_or(target);
    create_private_folder(folder)?;
    let coming = beside(target, COMING);
    // Ours, from a merge that was cut off.
    remove_if_there(&coming)?;
    if copy_file(from, &coming)? != expected {
        remove_if_there(&coming)?;
        return Err(io::Error::other("it changed while it was copied"));
    }
    fault_point("file_coming");
    fs::rename(&coming, target)?;
    fault_point("file_coming");
    sync_folder(folder)
}

/// A run on its way in.
struct Coming {
    found: Found,
    parent: Option<RunId>,
    is_new: bool,
    definition: Blob,
    prepared: Prepared,
    row: RunRow,
    zone: String,
}

impl Coming {
    fn write(self, tx: &mut Tx<'_>) -> Result<()> {
        let Self {
            found,
            parent,
            is_new,
            definition,
            prepared,
            row,
            zone,
        } = self;
        // What is remembered of it is read anew below.
        tx.memory.take_head(found.id);
        let head = if is_new {
            let definition_no = blobs::insert(tx.db, &definition)?;
            let parent = parent
                .map(|parent| runs::run_no(tx.db, parent))
                .transpose()?;
            if let Some(parent) = parent
                && runs::head_seq(tx.db, parent)? < found.fork_seq
            {
                return Err(StoreError::NotFound {
                    what: "entry",
                    id: found.fork_seq.to_string(),
                });
            }
            let run = InsertRun {
                id: found.id,
                parent,
                fork_seq: found.fork_seq,
                definition_no,
                workflow: &found.workflow,
                title: &found.title,
                at: found.created_at,
                row: &row,
            };
            let mut head = runs::insert(tx.db, &run)?;
            head.at = runs::last_shared_at(tx.db, head.run_no, found.fork_seq)?;
            head
        } else {
            runs::head(tx.db, found.id)?
        };
        prepared.write_behind(tx, head)?;
        // Reads back what was written, and counts its money on the days it was spent.
        upkeep::rebuild(tx, found.id, Some(row), &zone)?;
        if is_new && found.hidden {
            upkeep::hide(tx.db, found.id, true)?;
        }
        Ok(())
    }
}

fn compare(ours: &Connection, source: &Source, runs: &[Found]) -> Result<Vec<Compared>> {
    // How far a run here says what the one there says; none: it is not here.
    let mut same: HashMap<i64, Option<Seq>> = HashMap::new();
    let mut compared = Vec::with_capacity(runs.len());
    for run in runs {
        let theirs = source::head(source, run)?;
        // A parent that is not here is taken in first, so its fork follows it.
        let shared = match run.parent_no {
            None => true,
            Some(parent) => match same.get(&parent) {
                Some(Some(same)) => *same >= run.fork_seq,
                Some(None) => true,
                None => false,
            },
        };
        let parent = run.parent_no.and_then(|no| source::by_number(runs, no));
        let parent = parent.map(|parent| parent.id);
        let one = one(ours, source, (run, parent), shared, theirs)?;
        same.insert(run.run_no, one.as_ref().map(|(_, same)| *same));
        let (standing, head) = match one {
            Some((head, same)) => (standing(head, theirs, same), head),
            None if shared => (Standing::New, 0),
            None => (Standing::Conflict, 0),
        };
        compared.push(Compared {
            run: run.id,
            standing,
            ours: head,
            theirs,
        });
    }
    Ok(compared)
}

fn standing(ours: Seq, theirs: Seq, same: Seq) -> Standing {
    match (same == ours, same == theirs) {
        (true, true) => Standing::Equal,
        (false, true) => Standing::Behind,
        (true, false) => Standing::Ahead,
        (false, false) => Standing::Conflict,
    }
}

/// The last entry of our run of this name, and how far the two say the same. `None`: it is not here.
fn one(
    ours: &Connection,
    source: &Source,
    (run, parent): (&Found, Option<RunId>),
    shared: bool,
    theirs: Seq,
) -> Result<Option<(Seq, Seq)>> {
    let row = ours
        .prepare_cached(OUR_RUN)?
        .query_row([run.id.to_string()], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get(1).map(crate::append::count)?,
                Hash(row.get(2)?),
                row.get::<_, Option<String>>(3)?,
            ))
        })
        .optional()?;
    let Some((run_no, fork_seq, definition, our_parent)) = row else {
        return Ok(None);
    };
    let head = runs::head_seq(ours, run_no)?;
    let is_same_kind = definition == run.definition
        && fork_seq == run.fork_seq
        && our_parent == parent.map(|parent| parent.to_string());
    if !shared || !is_same_kind || theirs < fork_seq {
        return Ok(Some((head, 0)));
    }
    let same = source::common((ours, run_no), (source, run.run_no), fork_seq)?;
    Ok(Some((head, same)))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use bwana_types::time::{Clock, Timestamp};

    use super::*;
    use crate::migrate::{MIGRATIONS, copy_database};
    use crate::{backup, db};

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
    }

    const ID: &str = "run_01JDHZK0000000000000000000";

    /// A backup as the program of that format made it, of one run with a small and a large entry.
    fn backup_of(format: usize, folder: &Path) -> PathBuf {
        let home = folder.join("old");
        fs::create_dir(&home).unwrap();
        let old = db::open_old(&home, &MIGRATIONS[..format], Timestamp(0)).unwrap();
        let large = format!("{{\"text\":\"{}\"}}", "large ".repeat(2_000));
        let large = blobs::insert(&old, &Blob::new(large.into_bytes()).unwrap()).unwrap();
        let definition = blobs::insert(&old, &Blob::new(b"{}".to_vec()).unwrap()).unwrap();
        old.execute(
            "INSERT INTO runs (run_no, id, definition_no, workflow, title, created_at, status) VALUES (7, ?1, ?2, 'w', 't', 5, 'done')",
            rusqlite::params![ID, definition],
        )
        .unwrap();
        old.execute(
            "INSERT INTO journal (pos, run_no, seq, at_ms, path, kind, v, body, blob_no) \
             VALUES (1, 7, 1, 5, '', 'of_old', 1, '{\"a\":1 }', NULL), (2, 7, 2, 6, 'p', 'of_old', 1, NULL, ?1)",
            [large],
        )
        .unwrap();
        let to = folder.join("backup");
        let copy = |path: &Path| copy_database(&old, path);
        backup::make(Some(&home), copy, &to, Timestamp(0)).unwrap();
        to
    }

    #[test]
    fn runs_of_every_format_are_taken_letter_by_letter() {
        for format in 1..=MIGRATIONS.len() {
            let folder = tempfile::tempdir().unwrap();
            let backup = Backup::open(&backup_of(format, folder.path())).unwrap();
            assert_eq!((backup.run_count(), backup.entry_count()), (1, 2));
            let home = folder.path().join("new");
            let store = Store::open_inline(&home, Arc::new(Stopped)).unwrap();
            let compared = backup.compare(Some(&store)).unwrap();
            assert_eq!(compared[0].standing, Standing::New);
            let told = backup.read(compared[0].run).unwrap();
            let stands = Stands {
                entries: Vec::new(),
                row: RunRow::started(1),
            };
            let taken = store.take_run(&backup, &compared[0], &told, stands, "UTC");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            assert_eq!(runtime.block_on(taken).unwrap(), Ok(()), "format {format}");
            let compared = backup.compare(Some(&store)).unwrap();
            assert_eq!(compared[0].standing, Standing::Equal, "format {format}");
            // Not what a parser made of it.
            let body: String = store
                .read(|db| {
                    Ok(
                        db.query_row("SELECT body FROM journal WHERE seq = 1", [], |row| {
                            row.get(0)
                        })?,
                    )
                })
                .unwrap();
            assert_eq!(body, "{\"a\":1 }");
        }
    }

    #[test]
    fn how_two_runs_stand_follows_from_how_far_they_say_the_same() {
        assert_eq!(standing(3, 3, 3), Standing::Equal);
        assert_eq!(standing(4, 3, 3), Standing::Behind);
        assert_eq!(standing(3, 4, 3), Standing::Ahead);
        assert_eq!(standing(3, 4, 2), Standing::Conflict);
        assert_eq!(standing(4, 3, 2), Standing::Conflict);
        assert_eq!(standing(3, 3, 0), Standing::Conflict);
    }
}
