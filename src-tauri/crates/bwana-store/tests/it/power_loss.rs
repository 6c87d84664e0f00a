//! Power cuts: what a disk may hold when the current goes, and that every such state opens with everything a barrier
//! promised, in whole batches.
//!
//! The files are real and written by the real store. After each step the test notes what they hold and what is known to
//! be synced: the log after a barrier, both files after a checkpoint (SQLite syncs the log, copies, syncs the database).
//! Between two such points a disk may have stored any of the sectors written since, whole or not at all, in any order.
//! Images of that kind are made in four ways: the log cut at every sector; a random choice of sectors; a sector torn in
//! the middle; and, in a checkpoint, the database with a random choice of its new pages beside the synced log.
//!
//! One more order is SQLite's own promise: when the log starts anew, its new header is synced before the first frame
//! overwrites an old one. Without that sync an old beginning could be recovered over a newer database, and this test
//! says "malformed" (take the line out that puts the header in, and see). The header itself may be torn at any byte.

use std::fs;
use std::path::Path;

use bwana_store::{Store, StoreError};
use bwana_types::entry::{Body, Seq};

use crate::common::{Dice, Home, TestClock, append, block_on, message, new_run, run_id};

const SECTOR: usize = 512;
/// Bytes of the log's header.
const HEADER: usize = 32;
/// Random images between two syncs.
const SHUFFLES: usize = 24;
const ROUNDS: usize = 48;

/// The two files of a database.
#[derive(Clone, Default, PartialEq)]
struct Disk {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Disk {
    /// Reading the database opens and closes it, which drops this process's locks on it. Nobody else is there.
    fn of(home: &Path) -> Self {
        Self {
            database: fs::read(home.join("bwana.db")).unwrap(),
            log: fs::read(home.join("bwana.db-wal")).unwrap_or_default(),
        }
    }
}

/// What was on disk, with some of the sectors written since.
fn some_sectors(old: &[u8], new: &[u8], mut stored: impl FnMut(usize) -> bool) -> Vec<u8> {
    let mut image = old.to_vec();
    for (sector, content) in new.chunks(SECTOR).enumerate() {
        let at = sector * SECTOR;
        if old.get(at..at + content.len()) == Some(content) || !stored(sector) {
            continue;
        }
        // A later sector that is stored makes the file longer; what is missing before it reads as zeros.
        if image.len() < at + content.len() {
            image.resize(at + content.len(), 0);
        }
        image[at..at + content.len()].copy_from_slice(content);
    }
    image
}

/// What the test knows: how far each run is promised, and how far it was written.
#[derive(Clone)]
struct Promise {
    durable: Vec<Seq>,
    written: Vec<Seq>,
}

struct Cut {
    images: usize,
    /// New beginnings of the log that were met.
    restarts: usize,
    folder: tempfile::TempDir,
}

impl Cut {
    /// Opens an image and holds it against the promise.
    fn check(&mut self, image: &Disk, promise: &Promise, what: &str) {
        self.images += 1;
        let home = self.folder.path().join(self.images.to_string());
        fs::create_dir(&home).unwrap();
        fs::write(home.join("bwana.db"), &image.database).unwrap();
        fs::write(home.join("bwana.db-wal"), &image.log).unwrap();
        // Every image by a reader; now and then by an owner, who also looks at every page.
        let store = if self.images.is_multiple_of(50) {
            Store::open_inline(&home, TestClock::new())
        } else {
            Store::open_reader(&home, TestClock::new())
        };
        let store = store.unwrap_or_else(|error| panic!("{what}: {error}"));
        for (n, (durable, written)) in (0..).zip(promise.durable.iter().zip(&promise.written)) {
            let head = match store.load(run_id(n)) {
                Ok(entries) => {
                    whole_batches(&entries, what);
                    entries.len() as Seq
                }
                Err(StoreError::NotFound { .. }) => 0,
                Err(error) => panic!("{what}: {error}"),
            };
            assert!(
                (*durable..=*written).contains(&head),
                "{what}: run {n} has {head}, not {durable} to {written}"
            );
        }
        if store.is_owner() {
            let report = store.verify(&mut |_, _| Ok(None)).unwrap();
            assert!(report.is_sound(), "{what}: {report:?}");
        }
        drop(store);
        fs::remove_dir_all(&home).unwrap();
    }

    /// The log may hold any of what was written to it since `old`.
    fn check_log(
        &mut self,
        old: &Disk,
        new: &Disk,
        promise: &Promise,
        dice: &mut Dice,
        what: &str,
    ) {
        let image = |log: Vec<u8>| Disk {
            // Nothing was copied since the last sync.
            database: new.database.clone(),
            log,
        };
        let mut old = old.clone();
        if let (Some(before), Some(after)) = (old.log.get(..HEADER), new.log.get(..HEADER))
            && before != after
        {
            let (before, after) = (before.to_vec(), after.to_vec());
            for torn in 0..HEADER {
                old.log[..torn].copy_from_slice(&after[..torn]);
                old.log[torn..HEADER].copy_from_slice(&before[torn..]);
                self.check(
                    &image(old.log.clone()),
                    promise,
                    &format!("{what}, header torn at {torn}"),
                );
            }
            old.log[..HEADER].copy_from_slice(&after);
            self.restarts += 1;
        }
        let sectors = new.log.len().div_ceil(SECTOR);
        let changed: Vec<usize> = (0..sectors)
            .filter(|sector| {
                let range = sector * SECTOR..((sector + 1) * SECTOR).min(new.log.len());
                old.log.get(range.clone()) != new.log.get(range)
            })
            .collect();
        for end in &changed {
            let log = some_sectors(&old.log, &new.log, |sector| sector < *end);
            self.check(
                &image(log),
                promise,
                &format!("{what}, cut before sector {end}"),
            );
        }
        self.check(
            &image(new.log.clone()),
            promise,
            &format!("{what}, all stored"),
        );
        for _ in 0..SHUFFLES {
            let share = 1 + dice.below(9);
            let mut log = some_sectors(&old.log, &new.log, |_| dice.below(10) < share);
            if let Some(torn) = changed.get(dice.below(changed.len().max(1))) {
                tear(&mut log, &old.log, &new.log, *torn, dice);
            }
            self.check(
                &image(log),
                promise,
                &format!("{what}, sectors of {share} in ten"),
            );
        }
    }

    /// While pages are copied the log is synced and the database holds any of them.
    fn check_copy(&mut self, old: &Disk, new: &Disk, promise: &Promise, dice: &mut Dice) {
        for round in 0..SHUFFLES {
            let share = 1 + dice.below(9);
            let database = some_sectors(&old.database, &new.database, |_| dice.below(10) < share);
            let image = Disk {
                database,
                log: new.log.clone(),
            };
            self.check(&image, promise, &format!("in a checkpoint, image {round}"));
        }
    }
}

/// A sector of which only the beginning was written, with noise behind it. What was in it before the write began stays:
/// SQLite's "powersafe overwrite", which it assumes of every disk unless told otherwise.
fn tear(log: &mut [u8], old: &[u8], new: &[u8], sector: usize, dice: &mut Dice) {
    let end = ((sector + 1) * SECTOR).min(log.len()).min(new.len());
    let Some(at) = (sector * SECTOR..end).find(|at| old.get(*at) != new.get(*at)) else {
        return;
    };
    let torn = at + dice.below(end - at);
    log[at..torn].copy_from_slice(&new[at..torn]);
    for byte in &mut log[torn..end] {
        *byte = dice.next().to_le_bytes()[0];
    }
}

#[track_caller]
fn whole_batches(entries: &[bwana_types::entry::Entry], what: &str) {
    for entry in entries {
        let Body::MessagePosted(message) = &entry.body else {
            continue;
        };
        let to: Seq = message
            .text
            .as_deref()
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!(entries.len() as Seq >= to, "{what}: half a batch");
    }
}

fn checkpoint(home: &Path, restart: bool) {
    let other = rusqlite::Connection::open(home.join("bwana.db")).unwrap();
    let mode = if restart {
        "PRAGMA wal_checkpoint(RESTART)"
    } else {
        "PRAGMA wal_checkpoint(PASSIVE)"
    };
    let (busy, log, copied): (i64, i64, i64) = other
        .query_row(mode, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!((busy, log), (0, copied), "nobody is in the way");
}

#[test]
fn whatever_a_power_cut_leaves_opens_with_all_that_was_promised() {
    let seed = 20_261_125;
    let mut dice = Dice(seed);
    let home = Home::new();
    let store = home.inline();
    let mut cut = Cut {
        images: 0,
        restarts: 0,
        folder: tempfile::tempdir().unwrap(),
    };
    let mut promise = Promise {
        durable: vec![0; 3],
        written: vec![0; 3],
    };
    block_on(store.sync()).unwrap();
    let mut synced = Disk::of(home.path());
    for round in 0..ROUNDS {
        let mut pos = 0;
        for _ in 0..1 + dice.below(4) {
            let n = dice.below(3);
            pos = block_on(write(&store, n, &mut promise, &mut dice));
        }
        let written = Disk::of(home.path());
        assert!(
            written.database == synced.database,
            "only this test checkpoints"
        );
        cut.check_log(
            &synced,
            &written,
            &promise,
            &mut dice,
            &format!("round {round}"),
        );
        if dice.below(3) == 0 {
            checkpoint(home.path(), dice.below(2) == 0);
            let copied = Disk::of(home.path());
            let log_synced = Promise {
                durable: promise.written.clone(),
                ..promise.clone()
            };
            cut.check_copy(
                &Disk {
                    database: written.database,
                    ..copied.clone()
                },
                &copied,
                &log_synced,
                &mut dice,
            );
            synced = copied;
        } else {
            block_on(store.barrier(pos)).unwrap();
            synced = written;
        }
        promise.durable = promise.written.clone();
    }
    assert!(cut.images > 2_000, "{}", cut.images);
    assert!(cut.restarts > 5, "{}", cut.restarts);
    println!(
        "seed {seed}: {} images, nothing promised was lost",
        cut.images
    );
}

/// One batch for run `n`; its position.
async fn write(store: &Store, n: usize, promise: &mut Promise, dice: &mut Dice) -> i64 {
    let run = run_id(n as u64);
    let seq = promise.written[n];
    if seq == 0 {
        promise.written[n] = 1;
        return store.create_run(new_run(run, "x")).await.unwrap().pos;
    }
    let to = seq + 1 + dice.below(4) as u64;
    let size = [10, 200, 3_000, 9_000][dice.below(4)];
    let noise: String = (0..size)
        .map(|_| char::from(b'a' + dice.next().to_le_bytes()[0] % 26))
        .collect();
    let bodies = (seq..to).map(|_| message(&format!("{to} {noise}")));
    promise.written[n] = to;
    store.append(append(run, seq, bodies)).await.unwrap().pos
}
