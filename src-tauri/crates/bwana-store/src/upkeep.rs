//! What a person does to whole runs: computing their tables anew, hiding them, deleting them. Nothing here happens by
//! itself.

use bwana_types::id::RunId;
use rusqlite::{Connection, params};

use crate::append::{DayLimit, Head, Phase, StoredRow, count, project};
use crate::blobs;
use crate::changes::{self, Op};
use crate::db;
use crate::entries;
use crate::error::{Result, StoreError};
use crate::ledger::{Books, Day};
use crate::runs::{self, RunRow};
use crate::writer::{POS_FLOOR, Tx};

/// Gives free pages back to the file system, 4,096 at most: 16 MiB, so that a deletion stays short.
const GIVE_PAGES_BACK: &str = "PRAGMA incremental_vacuum(4096)";

/// Computes a run's tasks, artifacts, ledger and phase anew from its journal, and its row from what the engine says.
/// `zone` is the time zone whose days the ledger counts.
pub(crate) fn rebuild(tx: &mut Tx<'_>, run: RunId, row: Option<RunRow>, zone: &str) -> Result<()> {
    tx.memory.forget();
    let mut head = runs::head(tx.db, run)?;
    let run_no = head.run_no;
    let fork_seq = runs::fork_seq(tx.db, run_no)?;
    let own = entries::read(tx.db, run_no, fork_seq + 1, usize::MAX)?;
    for sql in [
        "DELETE FROM human_tasks WHERE run_no = ?1",
        "DELETE FROM artifacts WHERE run_no = ?1",
        "DELETE FROM budget_ledger WHERE run_no = ?1",
    ] {
        tx.db.execute(sql, [run_no])?;
    }
    let mut new = Head {
        seq: fork_seq,
        phase: Phase::Open,
        reserved: Vec::new(),
        ..head.clone()
    };
    for entry in &own {
        // What was spent was allowed then; a limit of today has no say in it.
        let day = Day::parse(&DayLimit {
            day: entry.at.day_in(zone),
            limit: bwana_types::money::MicroUsd(i64::MAX),
        })?;
        new.seq = entry.seq;
        new.phase = new.phase.after(&entry.body);
        project(tx, run, &mut new, &mut Books::new(Some(day)), entry)?;
    }
    head.phase = new.phase;
    head.stored = StoredRow {
        row: None,
        ..head.stored
    };
    runs::update(tx.db, &mut head, row)?;
    tx.memory.forget();
    changes::record(tx.db, "runs", &run.to_string(), Op::Upsert)
}

/// Takes a run out of the lists, or back in.
pub(crate) fn hide(db: &Connection, run: RunId, hidden: bool) -> Result<()> {
    db.prepare_cached("UPDATE runs SET hidden = ?2 WHERE run_no = ?1")?
        .execute(params![runs::run_no(db, run)?, hidden])?;
    changes::record(db, "runs", &run.to_string(), Op::Upsert)
}

/// Removes a run with everything only it refers to, except what it cost.
pub(crate) fn delete(tx: &mut Tx<'_>, run: RunId) -> Result<()> {
    let db = tx.db;
    let run_no = runs::run_no(db, run)?;
    let (status, definition_no): (String, i64) = db.query_row(
        "SELECT status, definition_no FROM runs WHERE run_no = ?1",
        [run_no],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if !runs::status_of(&status).is_some_and(bwana_types::status::RunStatus::is_ended) {
        return Err(StoreError::NotEnded { run });
    }
    let forks: i64 = db.query_row(
        "SELECT count(*) FROM runs WHERE parent_no = ?1",
        [run_no],
        |row| row.get(0),
    )?;
    if forks > 0 {
        return Err(StoreError::HasForks {
            run,
            forks: count(forks),
        });
    }
    // Its positions must never be given out again: a cursor may stand on one.
    let last = tx.last_pos()?;
    db::set_fact(db, POS_FLOOR, &last.to_string())?;
    let mut blobs = large_bodies(db, run_no)?;
    blobs.push(definition_no);
    for sql in [
        "DELETE FROM human_tasks WHERE run_no = ?1",
        "DELETE FROM artifacts WHERE run_no = ?1",
        "DELETE FROM journal WHERE run_no = ?1",
        "DELETE FROM runs WHERE run_no = ?1",
    ] {
        db.execute(sql, [run_no])?;
    }
    for blob_no in blobs {
        blobs::delete_unused(db, blob_no)?;
    }
    tx.memory.forget();
    db.execute_batch(GIVE_PAGES_BACK)?;
    changes::record(db, "runs", &run.to_string(), Op::Delete)
}

fn large_bodies(db: &Connection, run_no: i64) -> Result<Vec<i64>> {
    let mut statement =
        db.prepare_cached("SELECT blob_no FROM journal WHERE run_no = ?1 AND blob_no IS NOT NULL")?;
    let numbers = statement.query_map([run_no], |row| row.get(0))?;
    Ok(numbers.collect::<rusqlite::Result<_>>()?)
}

/// When this database was restored from a backup, if nobody has dealt with that yet.
pub(crate) fn restored_at(db: &Connection) -> Result<Option<i64>> {
    Ok(db::fact(db, crate::restore::RESTORED_AT)?.and_then(|at| at.parse().ok()))
}

pub(crate) fn settle_restored(db: &Connection) -> Result<()> {
    db.prepare_cached("DELETE FROM kv WHERE key = ?1")?
        .execute([crate::restore::RESTORED_AT])?;
    Ok(())
}
