//! Durability: one sync of the write-ahead log answers everybody who waits. This file knows the log's file and nothing of
//! what is in it.
//!
//! Why syncing the `-wal` file alone is enough. Everything committed is in one of two places:
//!
//! 1. **In the log since it was last started anew.** Frames are appended in commit order, each chained to its
//!    predecessors by a checksum. After `fdatasync` of the file all frames written before it are on disk, so recovery
//!    finds at least those commits; of what came later it takes whole commits up to the first frame that is missing or
//!    torn, never half a batch and never a later commit without an earlier one. It does not matter that the sync goes
//!    through another descriptor than SQLite's writes: it concerns the file.
//! 2. **In the database file.** Pages get there by a checkpoint only, and under `synchronous=NORMAL` SQLite itself then
//!    syncs the log before it copies (a crash in mid-copy is repaired from the log), and syncs the database after the
//!    last page. Only when everything is copied *and* synced may the next commit start the log anew: its first write is
//!    the new header, synced before any frame follows. Until that header is on disk recovery sees the old log, which
//!    holds what the database already has; from then on it sees the new frames. The old frames are never needed again.
//!
//! So after a barrier everything committed before it is on disk, whichever of the two places it is in. A checkpoint that
//! could not finish leaves the log as it is, hence case 1. What this leans on is tested in `tests/power_loss.rs`:
//! images with any of the unsynced sectors missing or torn, through commits, checkpoints and new logs.
//!
//! A sync that fails is final: the kernel may have thrown away what it could not write and report success the next time
//! ("fsyncgate"), so the store is poisoned and accepts nothing more until it is opened, and recovered, again.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bwana_types::fault::fault_point;

use crate::error::{Result, StoreError};
use crate::home::sync_folder;
use crate::writer::{Progress, Writer};

/// The `-wal` file of an open database.
#[derive(Debug)]
pub(crate) struct Wal {
    file: File,
    path: PathBuf,
    /// Whether the folder knows the file durably: a file made since may vanish with its content.
    folder_synced: AtomicBool,
}

impl Wal {
    /// Opens the log at `path`.
    ///
    /// Must be called while a connection that has already written holds the database open: the log then exists and is
    /// neither deleted nor replaced, because SQLite does that only when the last connection closes.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            // Windows flushes only what may be written.
            file: OpenOptions::new().write(true).open(&path)?,
            path,
            folder_synced: AtomicBool::new(false),
        })
    }

    /// Returns when everything written to the log before is on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        if !self.folder_synced.load(Ordering::Acquire) {
            sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
            self.folder_synced.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// How far the journal is known to be on disk, and how to get further.
pub(crate) struct Barrier {
    way: Way,
    progress: Arc<Progress>,
    durable_pos: AtomicI64,
    durable_commits: AtomicU64,
}

enum Way {
    /// Sync the log; if the file system cannot do that to one file, commit with `synchronous=FULL` instead.
    Disk {
        wal: Option<Wal>,
        only_full: AtomicBool,
        writer: Arc<Mutex<Option<Writer>>>,
    },
    /// A database in memory is as durable as it will ever be.
    Memory,
}

impl Barrier {
    pub(crate) fn memory(progress: Arc<Progress>) -> Self {
        Self::new(Way::Memory, progress)
    }

    pub(crate) fn disk(
        wal_path: PathBuf,
        writer: Arc<Mutex<Option<Writer>>>,
        progress: Arc<Progress>,
    ) -> Self {
        let wal = Wal::open(wal_path)
            .inspect_err(
                |error| tracing::warn!(%error, "the log cannot be opened; barriers become full commits"),
            )
            .ok();
        let way = Way::Disk {
            only_full: AtomicBool::new(wal.is_none()),
            wal,
            writer,
        };
        Self::new(way, progress)
    }

    fn new(way: Way, progress: Arc<Progress>) -> Self {
        Self {
            way,
            progress,
            durable_pos: AtomicI64::new(0),
            durable_commits: AtomicU64::new(0),
        }
    }

    /// The last position known to be on disk.
    pub(crate) fn durable_pos(&self) -> i64 {
        match self.way {
            Way::Disk { .. } => self.durable_pos.load(Ordering::Acquire),
            Way::Memory => self.progress.pos.load(Ordering::Acquire),
        }
    }

    /// Whether there is nothing to wait for.
    pub(crate) fn is_durable(&self, goal: Goal) -> bool {
        match (&self.way, goal) {
            (Way::Memory, _) => true,
            (Way::Disk { .. }, Goal::Pos(pos)) => self.durable_pos() >= pos,
            (Way::Disk { .. }, Goal::Commits(commits)) => {
                self.durable_commits.load(Ordering::Acquire) >= commits
            }
        }
    }

    /// Makes everything committed so far durable.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`], now and ever after, if the disk does not take it.
    pub(crate) fn sync(&self) -> Result<()> {
        self.progress.check()?;
        // Read before the sync: what is committed while it runs may or may not be covered.
        let commits = self.progress.commits.load(Ordering::Acquire);
        let pos = self.progress.pos.load(Ordering::Acquire);
        fault_point("before_sync");
        match &self.way {
            Way::Disk {
                wal,
                only_full,
                writer,
            } => self.sync_disk(wal.as_ref(), only_full, writer)?,
            Way::Memory => {}
        }
        self.durable_pos.fetch_max(pos, Ordering::AcqRel);
        self.durable_commits.fetch_max(commits, Ordering::AcqRel);
        fault_point("after_sync");
        Ok(())
    }

    fn sync_disk(
        &self,
        wal: Option<&Wal>,
        only_full: &AtomicBool,
        writer: &Mutex<Option<Writer>>,
    ) -> Result<()> {
        if let Some(wal) = wal
            && !only_full.load(Ordering::Acquire)
        {
            match wal.sync() {
                Ok(()) => return Ok(()),
                // "Cannot be done to this file" is not "was lost".
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput
                    ) =>
                {
                    tracing::warn!(%error, "the log cannot be synced by itself; barriers become full commits");
                    only_full.store(true, Ordering::Release);
                }
                Err(error) => {
                    return Err(self
                        .progress
                        .poison(format!("{}: {error}", wal.path.display())));
                }
            }
        }
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer
            .as_mut()
            .ok_or(StoreError::Closed)?
            .full_commit()
            .map_err(|error| self.progress.poison(error.to_string()))
    }
}

/// What a barrier waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// A position of the journal.
    Pos(i64),
    /// A number of transactions.
    Commits(u64),
}

/// A barrier for something that is not committed could never be kept.
pub(crate) fn check_committed(pos: i64, progress: &Progress) -> Result<()> {
    let committed = progress.pos.load(Ordering::Acquire);
    if pos > committed {
        return Err(StoreError::invalid(format!(
            "a barrier for position {pos} was asked for, but only {committed} is committed"
        )));
    }
    Ok(())
}
