//! What each day sent and heard over the network: one row a day with whole sums.

use bwana_types::traffic::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use crate::append::{count, int};
use crate::error::Result;
use crate::ledger::day_text;

pub(crate) const DAY_TRAFFIC: &str = "SELECT bytes_in, bytes_out FROM traffic WHERE day = ?1";

pub(crate) fn of_day(db: &Connection, day: i64) -> Result<Bytes> {
    let found = db
        .prepare_cached(DAY_TRAFFIC)?
        .query_row([day], |row| {
            Ok(Bytes {
                received: count(row.get(0)?),
                sent: count(row.get(1)?),
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

pub(crate) const TRAFFIC_OF_DAYS: &str =
    "SELECT day, bytes_in, bytes_out FROM traffic WHERE day BETWEEN ?1 AND ?2 ORDER BY day";

/// Of days without a row nothing was written.
pub(crate) fn of_days(db: &Connection, from: i64, to: i64) -> Result<Vec<(String, Bytes)>> {
    let mut statement = db.prepare_cached(TRAFFIC_OF_DAYS)?;
    let rows = statement.query_map(params![from, to], |row| {
        let bytes = Bytes {
            received: count(row.get(1)?),
            sent: count(row.get(2)?),
        };
        Ok((day_text(row.get(0)?), bytes))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Writes the sums of a day in the place of older ones. Sums only grow, so the order of two writings does not matter.
pub(crate) fn set(db: &Connection, day: i64, bytes: Bytes) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO traffic (day, bytes_in, bytes_out) VALUES (?1, ?2, ?3) \
         ON CONFLICT (day) DO UPDATE SET bytes_in = max(bytes_in, excluded.bytes_in), \
         bytes_out = max(bytes_out, excluded.bytes_out)",
    )?
    .execute(params![day, int(bytes.received), int(bytes.sent)])?;
    Ok(())
}
