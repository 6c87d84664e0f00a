//! A damaged database: what can be brought back, and bringing it back. The damaged file is set aside and never changed; a
//! new one is made beside it, from the newest backup that is whole and from what can still be read of the damaged one, and
//! takes its place only when it is complete.

use std::fs;
use std::future::Future;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bwana_types::id::RunId;
use bwana_types::time::{Clock, Timestamp};

use crate::backup::integrity;
use crate::db::{self, remove_if_there};
use crate::error::{Result, StoreError};
use crate::files::{copy_file, create_private_folder};
use crate::home::{self, DATABASE_FILE, beside};
use crate::lock::OwnerLock;
use crate::merge::{Backup, NotTaken, Standing, Stands, Told};
use crate::migrate;
use crate::readers::in_snapshot;
use crate::restore;
use crate::rolling::{self, RollingBackup};
use crate::store::Store;
use crate::verify;

/// Where a recovery is prepared: worthless until it has its final name.
const SCRATCH_DIR: &str = "recover.partial";
/// A copy of the damaged file, to be opened with the first page of another.
const PATCHED_FILE: &str = "patched.db";
/// Of every database of ours.
const PAGE_BYTES: usize = 4_096;
/// Fields of the first page, big-endian: how often the file was changed, how many pages it has, and for which change
/// that number holds.
const CHANGES_AT: usize = 24;
const PAGES_AT: usize = 28;
const VALID_FOR_AT: usize = 92;

/// What there is to bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recoverable {
    /// What is wrong with the database; `None`: nothing was found.
    pub damage: Option<String>,
    /// Every backup in the data folder, newest first.
    pub backups: Vec<RollingBackup>,
    /// The newest that is whole.
    pub good: Option<GoodBackup>,
    /// Runs and entries that can still be read of the damaged database.
    pub readable_runs: u64,
    pub readable_entries: u64,
}

/// A backup that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoodBackup {
    pub path: PathBuf,
    /// RFC 3339.
    pub made_at: String,
    pub runs: u64,
    pub entries: u64,
}

/// What the new database is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoverFrom {
    /// The newest backup that is whole, and nothing else.
    Backup,
    /// The same, if there is one, and what can be read of the damaged database behind it.
    Salvage,
}

/// A database that works again.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    pub good: Option<GoodBackup>,
    /// Runs and entries of the new database.
    pub runs: u64,
    pub entries: u64,
    /// Of these, runs that came from the damaged database, whole or as far as they could be read.
    pub salvaged_runs: u64,
    /// Runs of the damaged database that could not be taken, and why.
    pub left_out: Vec<(RunId, NotTaken)>,
    /// The damaged file and its log, under their new names.
    pub set_aside: Vec<PathBuf>,
}

/// Says how a run is made to stand still, or why it cannot be folded.
pub type StandStill<'a> = dyn FnMut(RunId, &Told) -> std::result::Result<Stands, String> + 'a;

/// Looks what can be brought back. Nobody may have the data folder open, and nothing in it is changed.
///
/// # Errors
/// `InUse`, or `NoDatabase`.
pub fn look(home: &Path) -> Result<Recoverable> {
    let _lock = OwnerLock::take(home)?;
    let path = home::database(home);
    if !path.exists() {
        return Err(StoreError::NoDatabase {
            home: home.to_owned(),
        });
    }
    let backups = rolling::list_all(home)?;
    let good = newest_good(&backups);
    let damage = damage(home)?;
    let scratch = Scratch::make(home)?;
    let readable = open_damaged(home, &scratch.0, good.as_ref());
    let (readable_runs, readable_entries) = readable.map_or((0, 0), |readable| {
        (readable.run_count(), readable.entry_count())
    });
    Ok(Recoverable {
        damage,
        backups,
        good,
        readable_runs,
        readable_entries,
    })
}

/// Every backup in a data folder, whoever made it, newest first. Whether one is whole shows only when it is read.
///
/// # Errors
/// If the folders cannot be read.
pub fn backups_in(home: &Path) -> Result<Vec<RollingBackup>> {
    rolling::list_all(home)
}

/// What is wrong with the database of a data folder: the first thing a check of its pages finds, or of what stands in them.
///
/// # Errors
/// If it cannot be looked at. That is no damage: a file of somebody else's or a full disk is mended where it stands.
fn damage(home: &Path) -> Result<Option<String>> {
    let check = || -> Result<Option<String>> {
        let path = home::database(home);
        let db = db::open_reader(&path)?;
        if db::format(&db, migrate::FORMAT)? < migrate::FORMAT {
            return integrity(&db);
        }
        let found = integrity(&db)?;
        if found.is_some() {
            return Ok(found);
        }
        let report = in_snapshot(&db, |db| verify::verify(db, &mut |_, _| Ok(None)))?;
        let mut problems = report.problems.into_iter();
        let found = problems.find(|problem| !problem.kind.is_rebuildable());
        Ok(found.map(|problem| problem.what))
    };
    match check() {
        // A newer program's database is no damage, and an older one is read.
        Err(StoreError::Newer { .. }) => Ok(None),
        Err(StoreError::Damaged { what }) => Ok(Some(what)),
        other => other,
    }
}

/// Makes a database that works in the place of a damaged one. Nobody may have the data folder open.
///
/// # Errors
/// `InUse`; `Invalid` if the database is not damaged; `BackupInvalid` if only a backup was wanted and none is whole. Then
/// nothing was changed.
pub fn recover(
    home: &Path,
    from: RecoverFrom,
    clock: &Arc<dyn Clock>,
    zone: &str,
    still: &mut StandStill<'_>,
) -> Result<Recovered> {
    let _lock = OwnerLock::take(home)?;
    restore::finish(home)?;
    if damage(home)?.is_none() {
        return Err(StoreError::invalid(
            "the database is not damaged, so there is nothing to recover",
        ));
    }
    let good = newest_good(&rolling::list_all(home)?);
    if good.is_none() && from == RecoverFrom::Backup {
        return Err(StoreError::BackupInvalid {
            path: home.join(home::BACKUPS_DIR),
            why: String::from("no backup in it is whole"),
        });
    }
    let scratch = Scratch::make(home)?;
    let mut recovered = build(home, &scratch.0, from, good, (clock, zone), still)?;
    scratch.keep_database(home, clock.now())?;
    restore::place(home, &scratch.0)?;
    recovered.set_aside = restore::finish(home)?;
    home::fill(home)?;
    Ok(recovered)
}

fn build(
    home: &Path,
    scratch: &Path,
    from: RecoverFrom,
    good: Option<GoodBackup>,
    (clock, zone): (&Arc<dyn Clock>, &str),
    still: &mut StandStill<'_>,
) -> Result<Recovered> {
    if let Some(good) = &good {
        let target = scratch.join(DATABASE_FILE);
        copy_file(&good.path.join(DATABASE_FILE), &target)
            .map_err(|error| StoreError::io("bringing a backup back", &target, &error))?;
    }
    let store = Store::open_inline(scratch, Arc::clone(clock))?;
    let mut recovered = Recovered {
        good,
        runs: 0,
        entries: 0,
        salvaged_runs: 0,
        left_out: Vec::new(),
        set_aside: Vec::new(),
    };
    if from == RecoverFrom::Salvage {
        match open_damaged(home, scratch, recovered.good.as_ref()) {
            Ok(damaged) => salvage(&store, &damaged, zone, still, &mut recovered)?,
            // With a backup there is something; without one, whoever asks must know that there is nothing.
            Err(error) if recovered.good.is_none() => {
                return Err(StoreError::BackupInvalid {
                    path: home.join(home::BACKUPS_DIR),
                    why: format!(
                        "none in it is whole, and nothing of the database can be read ({error}). Bring back one that is \
                         kept elsewhere, or begin anew by moving {} away",
                        home::database(home).display()
                    ),
                });
            }
            Err(error) => tracing::warn!(%error, "nothing of the damaged database can be read"),
        }
    }
    let report = store.verify(&mut |_, _| Ok(None))?;
    if let Some(problem) = report.problems.first() {
        return Err(StoreError::damaged(problem.what.clone()));
    }
    (recovered.runs, recovered.entries) = (report.runs, report.entries);
    now(store.close())?;
    Ok(recovered)
}

/// Takes what the damaged database says beyond the new one: each run as far as its entries follow each other without a
/// gap, can be read and fold.
fn salvage(
    store: &Store,
    damaged: &Backup,
    zone: &str,
    still: &mut StandStill<'_>,
    recovered: &mut Recovered,
) -> Result<()> {
    for one in damaged.compare(Some(store))? {
        match one.standing {
            Standing::New | Standing::Ahead => {}
            // A run that says less than the backup lost its end, and the backup has it.
            Standing::Equal | Standing::Behind => continue,
            Standing::Conflict => {
                let what = String::from("its entries are not those of the backup");
                recovered
                    .left_out
                    .push((one.run, NotTaken::Unreadable(what)));
                continue;
            }
        }
        let taken = match damaged.read(one.run) {
            Ok(told) if told.entries.len() as u64 <= one.ours => continue,
            Ok(told) => match still(one.run, &told) {
                Ok(stands) => now(store.take_run(damaged, &one, &told, stands, zone))?,
                Err(why) => Err(NotTaken::Unreadable(why)),
            },
            Err(StoreError::Damaged { what }) => Err(NotTaken::Unreadable(what)),
            Err(error) => return Err(error),
        };
        match taken {
            Ok(()) => recovered.salvaged_runs += 1,
            Err(why) => recovered.left_out.push((one.run, why)),
        }
    }
    Ok(())
}

/// A store without threads has done its work when it is first asked.
fn now<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(StoreError::Closed),
    }
}

fn newest_good(backups: &[RollingBackup]) -> Option<GoodBackup> {
    backups.iter().find_map(|backup| {
        let opened = Backup::open(&backup.path).ok()?;
        Some(GoodBackup {
            path: backup.path.clone(),
            made_at: crate::merge::backup_info(&backup.path).ok()?.made_at,
            runs: opened.run_count(),
            entries: opened.entry_count(),
        })
    })
}

/// The damaged database, or if not even its first page can be read, a copy of it that begins with the first page of
/// another: that of a backup of it, or of a new database of this format.
fn open_damaged(home: &Path, scratch: &Path, good: Option<&GoodBackup>) -> Result<Backup> {
    let path = home::database(home);
    let failed = match Backup::damaged(&path) {
        Ok(damaged) => return Ok(damaged),
        Err(error) => error,
    };
    let io = |error: io::Error| StoreError::io("looking at the damaged database", scratch, &error);
    let fresh = scratch.join("fresh.db");
    let mut first_pages = Vec::new();
    if let Some(good) = good {
        first_pages.extend(first_page(&good.path.join(DATABASE_FILE)).ok());
    }
    db::create(&fresh, migrate::MIGRATIONS, Timestamp(0))?;
    first_pages.extend(first_page(&fresh).ok());
    for page in first_pages {
        let patched = scratch.join(PATCHED_FILE);
        for (suffix, from) in [("", path.clone()), ("-wal", beside(&path, "-wal"))] {
            let to = beside(&patched, suffix);
            remove_if_there(&to).map_err(io)?;
            if from.exists() {
                copy_file(&from, &to).map_err(io)?;
            }
        }
        remove_if_there(&beside(&patched, "-shm")).map_err(io)?;
        begin_with(&patched, page).map_err(io)?;
        if let Ok(damaged) = Backup::damaged(&patched)
            && damaged.run_count() > 0
        {
            return Ok(damaged);
        }
    }
    Err(failed)
}

fn first_page(path: &Path) -> io::Result<Vec<u8>> {
    let mut page = vec![0; PAGE_BYTES];
    fs::File::open(path)?.read_exact(&mut page)?;
    Ok(page)
}

/// Puts the first page of another database in front of this one, with the number of pages there are here.
fn begin_with(path: &Path, mut page: Vec<u8>) -> io::Result<()> {
    let bytes = fs::metadata(path)?.len();
    let pages = u32::try_from(bytes / PAGE_BYTES as u64).unwrap_or(u32::MAX);
    page[PAGES_AT..PAGES_AT + 4].copy_from_slice(&pages.to_be_bytes());
    page.copy_within(CHANGES_AT..CHANGES_AT + 4, VALID_FOR_AT);
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&page)
}

/// A folder to work in, removed whatever comes.
struct Scratch(PathBuf);

impl Scratch {
    fn make(home: &Path) -> Result<Self> {
        let folder = home.join(SCRATCH_DIR);
        let io = |error: io::Error| StoreError::io("preparing a recovery", &folder, &error);
        if folder.exists() {
            // Of one that was cut off before it changed anything.
            fs::remove_dir_all(&folder).map_err(io)?;
        }
        create_private_folder(&folder).map_err(io)?;
        Ok(Self(folder))
    }

    /// Leaves nothing but the new database, which is one that is known to be brought back.
    fn keep_database(&self, home: &Path, now: Timestamp) -> Result<()> {
        let io = |error: io::Error| StoreError::io("finishing a recovery", &self.0, &error);
        for entry in fs::read_dir(&self.0).map_err(io)? {
            let entry = entry.map_err(io)?;
            if entry.file_name() == DATABASE_FILE {
                continue;
            }
            let removed = if entry.file_type().map_err(io)?.is_dir() {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
            removed.map_err(io)?;
        }
        restore::prepare_database(&self.0.join(DATABASE_FILE), now)?;
        restore::plan(home, &self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
