//! The change feed: what happened since a cursor. The journal is its own feed; `changes` tells of everything else. A feed
//! older than what is kept answers that the reader must start afresh.

use bwana_types::entry::Entry;
use bwana_types::id::RunId;
use bwana_types::time::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::append::{count, int};
use crate::db;
use crate::entries;
use crate::error::{Result, StoreError};

/// Rows of `changes` that are kept.
pub const CHANGES_KEPT: i64 = 100_000;
/// Old rows are removed after so many new ones.
const PRUNE_EVERY: i64 = 1_000;
/// Entries and changes in one batch.
pub const CHANGES_BATCH_MAX: usize = 500;

/// A place in the feed. A new epoch (another file, a restored backup) makes every older cursor worthless.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub epoch: String,
    /// The last `journal.pos` seen.
    pub pos: i64,
    /// The last row of `changes` seen.
    pub change: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Upsert,
    Delete,
}

/// Something that is not journaled changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `runs`, `agents`, `workflows` or `settings`.
    pub topic: String,
    /// A run's id, a slug or the name of a setting.
    pub key: String,
    pub op: Op,
}

/// An entry with its place in the one order of all runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub pos: i64,
    pub run: RunId,
    pub entry: Entry,
}

/// What happened since a cursor.
#[derive(Debug, Clone, PartialEq)]
pub enum Changes {
    Batch {
        entries: Vec<Written>,
        changes: Vec<Change>,
        /// Where to go on.
        to: Cursor,
        /// There is more already.
        more: bool,
    },
    /// The cursor is of another epoch or older than what is kept: read everything, then go on from here.
    Resync { to: Cursor },
}

pub(crate) fn record(db: &Connection, topic: &str, key: &str, op: Op) -> Result<()> {
    let op = match op {
        Op::Upsert => "upsert",
        Op::Delete => "delete",
    };
    db.prepare_cached("INSERT INTO changes (topic, key, op) VALUES (?1, ?2, ?3)")?
        .execute(params![topic, key, op])?;
    let last = db.last_insert_rowid();
    if last % PRUNE_EVERY == 0 {
        db.prepare_cached("DELETE FROM changes WHERE id <= ?1")?
            .execute([last - CHANGES_KEPT])?;
    }
    Ok(())
}

/// The end of the feed. Inside a read transaction it fits everything read there.
pub(crate) fn cursor(db: &Connection) -> Result<Cursor> {
    let epoch = db::fact(db, "epoch")?
        .ok_or_else(|| StoreError::damaged("the database does not say which epoch it is"))?;
    let change = db
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes'")?
        .query_row([], |row| row.get(0))?;
    Ok(Cursor {
        epoch,
        pos: crate::writer::last_pos(db)?,
        change,
    })
}

pub(crate) const ENTRIES_SINCE: &str = "SELECT j.pos, r.id, j.seq, j.at_ms, j.path, j.kind, j.v, j.body, j.blob_no \
     FROM journal j JOIN runs r ON r.run_no = j.run_no WHERE j.pos > ?1 ORDER BY j.pos LIMIT ?2";
pub(crate) const CHANGES_SINCE: &str =
    "SELECT id, topic, key, op FROM changes WHERE id > ?1 ORDER BY id LIMIT ?2";

/// Must run inside a read transaction.
pub(crate) fn since(db: &Connection, from: &Cursor, limit: usize) -> Result<Changes> {
    let end = cursor(db)?;
    let oldest: i64 = db
        .prepare_cached("SELECT coalesce(min(id), 0) FROM changes")?
        .query_row([], |row| row.get(0))?;
    let pruned = if oldest == 0 {
        from.change < end.change
    } else {
        from.change < oldest - 1
    };
    if from.epoch != end.epoch || pruned || from.pos > end.pos || from.change > end.change {
        return Ok(Changes::Resync { to: end });
    }
    let limit = limit.clamp(1, CHANGES_BATCH_MAX);
    let mut to = from.clone();
    let entries = entries_since(db, &mut to, limit)?;
    let changes = changes_since(db, &mut to, limit)?;
    // A full page may be the last; anything else has reached the end, also past entries that were deleted.
    let more = entries.len() == limit || changes.len() == limit;
    if entries.len() < limit {
        to.pos = end.pos;
    }
    if changes.len() < limit {
        to.change = end.change;
    }
    Ok(Changes::Batch {
        entries,
        changes,
        more: more && to != end,
        to,
    })
}

fn entries_since(db: &Connection, to: &mut Cursor, limit: usize) -> Result<Vec<Written>> {
    let mut statement = db.prepare_cached(ENTRIES_SINCE)?;
    let mut rows = statement.query(params![to.pos, int(limit as u64)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        to.pos = row.get(0)?;
        let id: String = row.get(1)?;
        let run = id
            .parse()
            .map_err(|_| StoreError::damaged(format!("'{id}' is not the id of a run")))?;
        let entry = Entry {
            seq: count(row.get(2)?),
            at: Timestamp(row.get(3)?),
            path: row
                .get_ref(4)?
                .as_str()
                .map_err(rusqlite::Error::from)?
                .into(),
            body: entries::body(db, row, 5)?,
        };
        found.push(Written {
            pos: to.pos,
            run,
            entry,
        });
    }
    Ok(found)
}

fn changes_since(db: &Connection, to: &mut Cursor, limit: usize) -> Result<Vec<Change>> {
    let mut statement = db.prepare_cached(CHANGES_SINCE)?;
    let mut rows = statement.query(params![to.change, int(limit as u64)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        to.change = row.get(0)?;
        let op: String = row.get(3)?;
        found.push(Change {
            topic: row.get(1)?,
            key: row.get(2)?,
            op: match op.as_str() {
                "upsert" => Op::Upsert,
                "delete" => Op::Delete,
                _ => return Err(StoreError::damaged(format!("a change says '{op}'"))),
            },
        });
    }
    Ok(found)
}

/// A setting kept for others, by name.
pub(crate) fn setting(db: &Connection, key: &str) -> Result<Option<String>> {
    db::fact(db, &format!("{SETTING}{key}"))
}

pub(crate) fn set_setting(db: &Connection, key: &str, value: Option<&str>) -> Result<()> {
    let name = format!("{SETTING}{key}");
    match value {
        Some(value) => {
            db::set_fact(db, &name, value)?;
            record(db, "settings", key, Op::Upsert)
        }
        None => {
            db.prepare_cached("DELETE FROM kv WHERE key = ?1")?
                .execute([name])?;
            record(db, "settings", key, Op::Delete)
        }
    }
}

/// Keeps the settings of others apart from the store's own facts.
const SETTING: &str = "app.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_changes_are_pruned_and_their_cursors_start_afresh() {
        let db = db::open_memory(Timestamp(0)).unwrap();
        let start = cursor(&db).unwrap();
        for n in 0..CHANGES_KEPT + 2 * PRUNE_EVERY {
            record(&db, "settings", &n.to_string(), Op::Upsert).unwrap();
        }
        let kept: i64 = db
            .query_row("SELECT count(*) FROM changes", [], |row| row.get(0))
            .unwrap();
        assert!(
            (CHANGES_KEPT..CHANGES_KEPT + PRUNE_EVERY).contains(&kept),
            "{kept}"
        );
        let end = cursor(&db).unwrap();
        assert_eq!(
            since(&db, &start, 10).unwrap(),
            Changes::Resync { to: end.clone() }
        );
        let late = Cursor {
            change: end.change - 1,
            ..end.clone()
        };
        match since(&db, &late, 10).unwrap() {
            Changes::Batch {
                changes, to, more, ..
            } => {
                assert_eq!((changes.len(), to, more), (1, end.clone(), false));
            }
            Changes::Resync { .. } => panic!("the cursor is fresh"),
        }
        let oldest = Cursor {
            change: end.change - kept,
            ..end.clone()
        };
        assert!(matches!(
            since(&db, &oldest, 10).unwrap(),
            Changes::Batch { more: true, .. }
        ));
    }

    #[test]
    fn a_cursor_of_another_epoch_or_from_the_future_starts_afresh() {
        let db = db::open_memory(Timestamp(0)).unwrap();
        let end = cursor(&db).unwrap();
        let wrong = [
            Cursor {
                epoch: String::from("other"),
                ..end.clone()
            },
            Cursor {
                pos: 1,
                ..end.clone()
            },
            Cursor {
                change: 1,
                ..end.clone()
            },
            Cursor::default(),
        ];
        for from in wrong {
            assert_eq!(
                since(&db, &from, 10).unwrap(),
                Changes::Resync { to: end.clone() }
            );
        }
    }
}
