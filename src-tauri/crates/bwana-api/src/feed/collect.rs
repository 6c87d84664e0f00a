//! From what the store says changed to what a window hears: one row per thing, the newest, and nothing that the disk may
//! still lose.

use std::collections::{BTreeMap, BTreeSet};

use bwana_store::{CHANGES_BATCH_MAX, Change, Cursor, Op, Written};
use bwana_types::error::ApiError;

use super::rows::{self, Subject};
use super::{ChangeOp, Changed, Topic};
use crate::app::App;

/// Entries and changes read at once, and so the most one batch can hold of a run's own entries.
pub(super) const BATCH_MAX: usize = CHANGES_BATCH_MAX;
/// Bytes of the rows of one batch; a batch of one row may be larger.
const BATCH_MAX_BYTES: usize = 256 * 1024;
/// Entries and changes a window may be behind before it had better read everything again.
pub(super) const BEHIND_MAX: i64 = 5_000;

pub(super) struct Collected {
    pub(super) changed: Vec<Changed>,
    /// Where the batch ends.
    pub(super) to: Cursor,
    /// It ends before something that may not be told yet.
    pub(super) is_held_back: bool,
    /// It ends before something that did not fit any more.
    pub(super) is_cut: bool,
}

/// Puts a batch together for the topics a window follows.
pub(super) fn collect(
    app: &App,
    topics: &BTreeSet<Topic>,
    entries: Vec<Written>,
    changes: Vec<Change>,
    from: &Cursor,
    to: Cursor,
) -> Result<Collected, ApiError> {
    let mut subjects: BTreeMap<Subject, ChangeOp> = BTreeMap::new();
    let mut changed = Vec::new();
    let mut bytes = 0;
    let mut end = Cursor {
        pos: from.pos,
        ..to.clone()
    };
    let mut is_cut = false;
    let mut is_held_back = false;
    for Written { pos, run, entry } in entries {
        // What the engine has not told is not on disk: a step's end that a power cut may take back.
        if app.told(run).is_some_and(|told| entry.seq > told) {
            is_held_back = true;
            break;
        }
        if topics.contains(&rows::topic_of(run)) {
            let record = rows::record(run, &entry);
            bytes += rows::bytes(&record);
            if bytes > BATCH_MAX_BYTES && !changed.is_empty() {
                is_cut = true;
                break;
            }
            changed.push(record);
        }
        for subject in rows::subjects(run, &entry) {
            subjects.insert(subject, ChangeOp::Upsert);
        }
        end.pos = pos;
    }
    if !is_held_back && !is_cut {
        end.pos = to.pos;
    }
    for change in changes {
        let op = match change.op {
            Op::Upsert => ChangeOp::Upsert,
            Op::Delete => ChangeOp::Delete,
        };
        for subject in rows::subjects_of_change(&change) {
            subjects.insert(subject, op);
        }
    }
    for (subject, op) in subjects {
        if topics.contains(subject.topic()) {
            changed.extend(rows::row(app, subject, op)?);
        }
    }
    Ok(Collected {
        changed,
        to: end,
        is_held_back,
        is_cut,
    })
}
