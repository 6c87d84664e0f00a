//! Backups that are made by themselves: where they stand, which of them stay, and that what a power cut left of one is
//! cleared away. Those a person asked for are never touched. When one is due is the host's business.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bwana_types::time::Timestamp;

use crate::backup::{MANIFEST_FILE, NAME};
use crate::error::{Result, StoreError};
use crate::files::{create_private_folder, folder_bytes};
use crate::home::{ARTIFACTS_DIR, BACKUPS_DIR, DATABASE_FILE, sync_folder};
use crate::migrate::unused;

/// In the backups of the data folder.
const ROLLING_DIR: &str = "rolling";
/// In the backups of the data folder: what was there before something was taken in.
const BEFORE_DIR: &str = "before-restore";
/// In the backups of the data folder: what was there before another version of the program came.
const BEFORE_UPDATE_DIR: &str = "before-update";
/// How long those stay.
pub const UNDO_DAYS: i64 = 30;
/// In front of the name of one that is being removed: what is left of it is no backup any more.
const GOING: &str = ".going-";
/// In the name of one that is being made, by this process or one that was killed.
const PARTIAL: &str = ".partial-";

/// Characters of the time in a name.
const STAMP_CHARS: usize = 19;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Spans, and how many of the newest that hold a backup keep their last one: 24 hours, 7 days and 4 weeks, each beside
/// the one that is under way.
const KEPT: [(i64, usize); 3] = [(HOUR_MS, 25), (DAY_MS, 8), (7 * DAY_MS, 5)];

/// What must be free beside a new backup: the work itself must never stand still for want of room.
const LEFT_FREE_BYTES: u64 = 512 * 1024 * 1024;

/// Why a backup stands in the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupWhy {
    /// One of those that are made every hour, on wish also between.
    Rolling,
    /// Something was about to be taken in.
    BeforeRestore,
    /// Another version of the program was about to come.
    BeforeUpdate,
    /// A person asked for it; it is never removed.
    Asked,
}

/// A backup in the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollingBackup {
    pub path: PathBuf,
    pub made_at: Timestamp,
    pub why: BackupWhy,
}

pub(crate) fn folder(home: &Path) -> PathBuf {
    home.join(BACKUPS_DIR).join(ROLLING_DIR)
}

/// What a copy is made before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Something is taken in from a backup.
    Restore,
    /// Another version of the program comes.
    Update,
}

impl Before {
    const ALL: [Self; 2] = [Self::Restore, Self::Update];

    const fn folder(self) -> &'static str {
        match self {
            Self::Restore => BEFORE_DIR,
            Self::Update => BEFORE_UPDATE_DIR,
        }
    }

    const fn why(self) -> BackupWhy {
        match self {
            Self::Restore => BackupWhy::BeforeRestore,
            Self::Update => BackupWhy::BeforeUpdate,
        }
    }
}

/// Where a copy of everything goes before something of consequence, and removes those that are too old to go back to. The
/// newest of each kind stays however old it is.
///
/// # Errors
/// `Full` if it would leave too little room for the work.
pub(crate) fn prepare_before(home: &Path, what: Before, now: Timestamp) -> Result<PathBuf> {
    let folder = home.join(BACKUPS_DIR).join(what.folder());
    make_room(home, &folder)?;
    clear_before(home, now)?;
    let stamp = now.to_rfc3339().replace(':', "-");
    let name = format!("{NAME}{}", &stamp[..stamp.len().min(STAMP_CHARS)]);
    Ok(unused(|n| folder.join(format!("{name}-{n}"))))
}

/// Removes copies that are too old to go back to.
pub(crate) fn clear_before(home: &Path, now: Timestamp) -> Result<()> {
    for what in Before::ALL {
        for backup in list_before(home, what)?.iter().skip(1) {
            if now.0.saturating_sub(backup.made_at.0) > UNDO_DAYS * DAY_MS {
                remove(&backup.path).map_err(|error| {
                    StoreError::io("removing an old backup", &backup.path, &error)
                })?;
            }
        }
    }
    Ok(())
}

/// Copies of one kind, newest first.
pub(crate) fn list_before(home: &Path, what: Before) -> Result<Vec<RollingBackup>> {
    list_in(&home.join(BACKUPS_DIR).join(what.folder()), what.why())
}

/// Newest first. Only whole ones, and nothing that is a link or was put here by somebody else.
pub(crate) fn list(home: &Path) -> Result<Vec<RollingBackup>> {
    list_in(&folder(home), BackupWhy::Rolling)
}

/// Every backup in the data folder, whoever made it, newest first.
pub(crate) fn list_all(home: &Path) -> Result<Vec<RollingBackup>> {
    let backups = home.join(BACKUPS_DIR);
    let mut all = list_in(&backups, BackupWhy::Asked)?;
    all.extend(list(home)?);
    for what in Before::ALL {
        all.extend(list_before(home, what)?);
    }
    all.sort_by_key(|backup| std::cmp::Reverse(backup.made_at));
    Ok(all)
}

fn list_in(folder: &Path, why: BackupWhy) -> Result<Vec<RollingBackup>> {
    let io = |error: io::Error| StoreError::io("looking at the backups", folder, &error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io)?;
        let is_folder = entry.file_type().map_err(io)?.is_dir();
        let made_at = entry.file_name().to_str().and_then(made_at);
        let path = entry.path();
        if let Some(made_at) = made_at.filter(|_| is_folder && path.join(MANIFEST_FILE).is_file()) {
            found.push(RollingBackup { path, made_at, why });
        }
    }
    found.sort_by_key(|backup| std::cmp::Reverse(backup.made_at));
    Ok(found)
}

/// Makes the folder ready for one more.
///
/// # Errors
/// `Full` if one more would leave too little room for the work.
pub(crate) fn prepare(home: &Path) -> Result<PathBuf> {
    let folder = folder(home);
    make_room(home, &folder)?;
    Ok(folder)
}

fn make_room(home: &Path, folder: &Path) -> Result<()> {
    let io = |error: io::Error| StoreError::io("making room for a backup", folder, &error);
    create_private_folder(folder).map_err(io)?;
    clear(folder).map_err(io)?;
    let free = fs4::available_space(folder).map_err(io)?;
    let database = [DATABASE_FILE, &format!("{DATABASE_FILE}-wal")]
        .map(|name| fs::metadata(home.join(name)).map_or(0, |file| file.len()));
    let artifacts = folder_bytes(&home.join(ARTIFACTS_DIR)).map_err(io)?;
    let needed = database.iter().sum::<u64>() + artifacts + LEFT_FREE_BYTES;
    if free < needed {
        return Err(StoreError::Full);
    }
    Ok(())
}

/// Removes those that need not stay; answers how many.
pub(crate) fn thin(home: &Path) -> Result<usize> {
    let all = list(home)?;
    let stays = staying(all.iter().map(|backup| backup.made_at));
    let mut removed = 0;
    for backup in all.iter().filter(|one| !stays.contains(&one.made_at)) {
        remove(&backup.path)
            .map_err(|error| StoreError::io("removing an old backup", &backup.path, &error))?;
        removed += 1;
    }
    Ok(removed)
}

/// The newest of each span that holds one, for so many of the newest spans. Counted by what is there and not by the
/// clock: a machine that was off for a month, or whose clock jumped ten years ahead, loses nothing by that.
fn staying(made: impl IntoIterator<Item = Timestamp>) -> BTreeSet<Timestamp> {
    let made: BTreeSet<Timestamp> = made.into_iter().collect();
    let mut stays = BTreeSet::new();
    for (span, most) in KEPT {
        let mut last = None;
        let newest_of_each = made.iter().rev().filter(|time| {
            let span = time.0.div_euclid(span);
            last.replace(span) != Some(span)
        });
        stays.extend(newest_of_each.take(most));
    }
    stays
}

/// It stops being a backup at once; its files go after that.
fn remove(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let going = path.with_file_name(format!("{GOING}{name}"));
    fs::rename(path, &going)?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    fs::remove_dir_all(going)
}

/// Removes what was being made or removed when the power went.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_left = name.starts_with(GOING) || (name.starts_with(NAME) && name.contains(PARTIAL));
        if is_left && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// `bwana-backup-2026-11-25T09-00-00`, in UTC; a number may follow.
fn made_at(name: &str) -> Option<Timestamp> {
    let stamp = name.strip_prefix(NAME)?;
    let stamp = match stamp.split_at_checked(STAMP_CHARS) {
        Some((stamp, "")) => stamp,
        Some((stamp, number)) => {
            number.strip_prefix('-')?.parse::<u32>().ok()?;
            stamp
        }
        None => return None,
    };
    let (day, time) = stamp.split_once('T')?;
    format!("{day}T{}Z", time.replace('-', ":")).parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(hours: impl IntoIterator<Item = i64>) -> Vec<Timestamp> {
        hours
            .into_iter()
            .map(|hour| Timestamp(hour * HOUR_MS + 17))
            .collect()
    }

    #[test]
    fn one_made_every_hour_reaches_back_a_day_by_hours_a_week_by_days_and_a_month_by_weeks() {
        let mut there = BTreeSet::new();
        let days = 60;
        for time in hours(0..days * 24) {
            there.insert(time);
            there = staying(there);
        }
        let now = (days * 24 - 1) * HOUR_MS + 17;
        let ages: Vec<i64> = there
            .iter()
            .rev()
            .map(|time| (now - time.0) / HOUR_MS)
            .collect();
        assert_eq!(ages[..25], (0..25).collect::<Vec<_>>());
        let within = |days: i64| ages.iter().filter(|age| **age <= days * 24).count();
        assert_eq!(within(7), 25 + 6, "{ages:?}");
        assert!(*ages.last().unwrap() >= 21 * 24, "{ages:?}");
        assert!(ages.len() <= 25 + 8 + 5);
    }

    #[test]
    fn a_clock_that_jumps_ten_years_ahead_removes_nothing_of_the_days_before() {
        let mut all = hours((0..20).map(|day| day * 24));
        let before = staying(all.clone());
        all.extend(hours([10 * 366 * 24]));
        let after = staying(all);
        let lost: Vec<_> = before.difference(&after).collect();
        // One more day and one more week take the oldest places of days and weeks.
        assert!(lost.len() <= 2, "{lost:?}");
    }

    #[test]
    fn a_name_says_when_it_was_made() {
        let time = Timestamp(1_764_072_000_000);
        let stamp = time.to_rfc3339().replace(':', "-");
        assert_eq!(made_at(&format!("{NAME}{}", &stamp[..19])), Some(time));
        for name in [
            "bwana-backup-",
            "bwana-backup-yesterday",
            "other",
            "bwana-backup-2026-11-25T09-00-00.partial-1",
        ] {
            assert_eq!(made_at(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn the_newest_stays_and_a_second_look_removes_nothing(times in prop::collection::vec(-1_000_000_000_000_i64..2_000_000_000_000, 1..200)) {
            let made: Vec<Timestamp> = times.iter().copied().map(Timestamp).collect();
            let stays = staying(made.clone());
            prop_assert_eq!(stays.last(), made.iter().max());
            prop_assert!(stays.len() <= KEPT.iter().map(|(_, most)| most).sum::<usize>());
            prop_assert_eq!(&staying(stays.clone()), &stays);
        }
    }
}
