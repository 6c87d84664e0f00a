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
//!    last page. Only when everything is copied *and* synced may the next commit start the log anew. Its first write is
//!    the new header, which SQLite syncs before any frame follows: from then on the old frames are void, and the
//!    database has all they said. (Were a frame to reach the disk before that header, recovery could replay an old
//!    beginning of the log over newer pages; the sync of the header is what forbids it.)
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
}

/// Something whose content can be made durable. A trait, so that tests have a disk that fails.
pub(crate) trait Durable: Send + Sync {
    /// Returns when everything written before is on disk.
    fn sync(&self) -> io::Result<()>;
}

impl Durable for Wal {
    fn sync(&self) -> io::Result<()> {
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
        wal: Option<Box<dyn Durable>>,
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
            .map(|wal| Box::new(wal) as Box<dyn Durable>)
            .inspect_err(
                |error| tracing::warn!(%error, "the log cannot be opened; barriers become full commits"),
            )
            .ok();
        Self::over(wal, writer, progress)
    }

    fn over(
        wal: Option<Box<dyn Durable>>,
        writer: Arc<Mutex<Option<Writer>>>,
        progress: Arc<Progress>,
    ) -> Self {
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
            } => self.sync_disk(wal.as_deref(), only_full, writer)?,
            Way::Memory => {}
        }
        self.durable_pos.fetch_max(pos, Ordering::AcqRel);
        self.durable_commits.fetch_max(commits, Ordering::AcqRel);
        fault_point("after_sync");
        Ok(())
    }

    fn sync_disk(
        &self,
        wal: Option<&dyn Durable>,
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
                    return Err(self.progress.poison(format!("syncing the log: {error}")));
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use bwana_types::time::Timestamp;

    use super::*;
    use crate::db;
    use crate::writer::Job;

    /// A disk that answers its first syncs as told, and the rest with success.
    struct Scripted {
        answers: Mutex<Vec<io::ErrorKind>>,
        syncs: Arc<AtomicUsize>,
    }

    impl Durable for Scripted {
        fn sync(&self) -> io::Result<()> {
            self.syncs.fetch_add(1, Ordering::SeqCst);
            match self.answers.lock().unwrap().pop() {
                Some(kind) => Err(kind.into()),
                None => Ok(()),
            }
        }
    }

    struct Bench {
        barrier: Barrier,
        writer: Arc<Mutex<Option<Writer>>>,
        syncs: Arc<AtomicUsize>,
    }

    fn bench(answers: &[io::ErrorKind]) -> Bench {
        let writer = Writer::new(db::open_memory(Timestamp(0)).unwrap(), None, None).unwrap();
        let progress = writer.progress();
        let writer = Arc::new(Mutex::new(Some(writer)));
        let syncs = Arc::new(AtomicUsize::new(0));
        let disk = Scripted {
            answers: Mutex::new(answers.to_vec()),
            syncs: Arc::clone(&syncs),
        };
        let barrier = Barrier::over(Some(Box::new(disk)), Arc::clone(&writer), progress);
        Bench {
            barrier,
            writer,
            syncs,
        }
    }

    impl Bench {
        fn commit(&self) -> Result<()> {
            let (job, mut answer) = Job::new(|tx| db::set_fact(tx.db, "test", "1"));
            self.writer
                .lock()
                .unwrap()
                .as_mut()
                .unwrap()
                .group(job, || None);
            answer.try_recv().unwrap()
        }

        fn fact(&self) -> Option<String> {
            let writer = self.writer.lock().unwrap();
            db::fact(writer.as_ref().unwrap().connection(), "barrier").unwrap()
        }
    }

    #[test]
    fn after_a_failed_sync_nothing_is_accepted_any_more() {
        let bench = bench(&[io::ErrorKind::Other]);
        bench.commit().unwrap();
        assert!(matches!(
            bench.barrier.sync(),
            Err(StoreError::Poisoned { .. })
        ));
        assert!(!bench.barrier.is_durable(Goal::Commits(1)));
        // The disk would say yes now, but what it lost it does not say.
        assert!(matches!(
            bench.barrier.sync(),
            Err(StoreError::Poisoned { .. })
        ));
        assert!(matches!(bench.commit(), Err(StoreError::Poisoned { .. })));
        assert_eq!(bench.syncs.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn where_a_file_cannot_be_synced_alone_a_full_commit_takes_its_place() {
        let bench = bench(&[io::ErrorKind::Unsupported]);
        bench.commit().unwrap();
        bench.barrier.sync().unwrap();
        assert_eq!(bench.fact().as_deref(), Some("1"));
        assert!(bench.barrier.is_durable(Goal::Commits(1)));
        bench.commit().unwrap();
        bench.barrier.sync().unwrap();
        assert_eq!(
            bench.fact().as_deref(),
            Some("2"),
            "the file is not tried again"
        );
        assert_eq!(bench.syncs.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_sync_covers_what_was_committed_before_it_began() {
        let bench = bench(&[]);
        bench.commit().unwrap();
        bench.barrier.sync().unwrap();
        bench.commit().unwrap();
        assert!(bench.barrier.is_durable(Goal::Commits(1)));
        assert!(!bench.barrier.is_durable(Goal::Commits(2)));
    }
}
