//! The day's money over all runs: held back before a call, settled after it, both in the transaction of the entry that
//! says so. Limits of a run or a step are the machine's business.

use bwana_types::entry::Seq;
use bwana_types::id::RunId;
use bwana_types::money::MicroUsd;
use rusqlite::{Connection, params};

use crate::append::{DayLimit, Head, count, int};
use crate::error::{Result, StoreError};
use crate::writer::Tx;

/// What a day has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DaySpent {
    pub settled: MicroUsd,
    /// Held back for calls in flight.
    pub reserved: MicroUsd,
    /// Attempts whose price nobody knows; their money is in neither sum.
    pub unpriced_calls: u64,
}

/// What one call cost on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSpent {
    /// Like `2026-11-25`.
    pub day: String,
    /// `None`: the run was deleted since.
    pub run: Option<RunId>,
    /// `seq` of the first intent.
    pub call: Seq,
    pub settled: MicroUsd,
}

/// Money held back for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) call: Seq,
    /// Like 20261125.
    pub(crate) day: i64,
    pub(crate) micro_usd: i64,
}

/// A day as a number, with its limit.
#[derive(Debug, Clone)]
pub(crate) struct Day {
    text: String,
    number: i64,
    limit: i64,
}

impl Day {
    pub(crate) fn parse(day: &DayLimit) -> Result<Self> {
        Ok(Self {
            number: day_number(&day.day)?,
            text: day.day.clone(),
            limit: day.limit.0,
        })
    }
}

/// `2026-11-25` as 20261125, which sorts the same and takes four bytes.
pub(crate) fn day_number(text: &str) -> Result<i64> {
    let bytes = text.as_bytes();
    let digits = || {
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        [&text[..4], &text[5..7], &text[8..]]
            .into_iter()
            .try_fold(0, |number, part| {
                let value: i64 = part
                    .bytes()
                    .all(|b| b.is_ascii_digit())
                    .then(|| part.parse().ok())??;
                Some(number * 100 + value)
            })
    };
    text.is_ascii().then(digits).flatten().ok_or_else(|| {
        StoreError::invalid(format!("'{text}' is not a day; it looks like 2026-11-25"))
    })
}

/// 20261125 as `2026-11-25`.
pub(crate) fn day_text(number: i64) -> String {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The bookkeeping of one batch.
pub(crate) struct Books {
    day: Option<Day>,
    /// Held back by this batch so far: not part of what is left before it.
    reserved_here: i64,
}

impl Books {
    pub(crate) fn new(day: Option<Day>) -> Self {
        Self {
            day,
            reserved_here: 0,
        }
    }

    /// Holds `amount` back for an attempt of `call`.
    ///
    /// # Errors
    /// [`StoreError::DayBudget`] if the day has less left.
    pub(crate) fn reserve(
        &mut self,
        tx: &mut Tx<'_>,
        head: &mut Head,
        call: Seq,
        amount: MicroUsd,
    ) -> Result<()> {
        let Some(day) = &self.day else { return Ok(()) };
        // What is free is not booked, so a run on the built-in model never touches the ledger.
        if amount.0 <= 0 {
            return Ok(());
        }
        let before = day_total(tx, day.number)?;
        if before.saturating_add(amount.0) > day.limit {
            return Err(StoreError::DayBudget {
                day: day.text.clone(),
                left: MicroUsd((day.limit.saturating_sub(before - self.reserved_here)).max(0)),
            });
        }
        book(
            tx,
            head.run_no,
            call,
            day.number,
            Booking {
                reserved: amount.0,
                ..Booking::default()
            },
        )?;
        self.reserved_here = self.reserved_here.saturating_add(amount.0);
        let open = head
            .reserved
            .iter_mut()
            .find(|open| open.call == call && open.day == day.number);
        match open {
            Some(open) => open.micro_usd = open.micro_usd.saturating_add(amount.0),
            None => head.reserved.push(Reservation {
                call,
                day: day.number,
                micro_usd: amount.0,
            }),
        }
        Ok(())
    }

    /// Books what an attempt of `call` cost and releases what was held back for it. `None`: nobody knows the price.
    pub(crate) fn settle(
        &mut self,
        tx: &mut Tx<'_>,
        head: &mut Head,
        call: Seq,
        cost: Option<MicroUsd>,
    ) -> Result<()> {
        let mut day = self.day.as_ref().map(|day| day.number);
        let mut booking = Booking {
            settled: cost.map_or(0, |cost| cost.0),
            unpriced: i64::from(cost.is_none()),
            ..Booking::default()
        };
        // The cost goes to the day that held it back, even if it is another one by now.
        if let Some(index) = head.reserved.iter().position(|open| open.call == call) {
            let open = head.reserved.swap_remove(index);
            booking.reserved = -open.micro_usd;
            day = Some(open.day);
        }
        match day {
            Some(day) if booking != Booking::default() => book(tx, head.run_no, call, day, booking),
            _ => Ok(()),
        }
    }

    /// Nobody knows whether it happened: booked as if it did.
    pub(crate) fn settle_at_reservation(
        &mut self,
        tx: &mut Tx<'_>,
        head: &mut Head,
        call: Seq,
    ) -> Result<()> {
        let held = head.reserved.iter().find(|open| open.call == call);
        match held.map(|open| MicroUsd(open.micro_usd)) {
            Some(amount) => self.settle(tx, head, call, Some(amount)),
            None => Ok(()),
        }
    }

    /// The run has ended: whatever it still holds back will never be settled by a result.
    pub(crate) fn settle_all(&mut self, tx: &mut Tx<'_>, head: &mut Head) -> Result<()> {
        while let Some(open) = head.reserved.last() {
            let call = open.call;
            self.settle_at_reservation(tx, head, call)?;
        }
        Ok(())
    }
}

/// Changes of one row of the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Booking {
    reserved: i64,
    settled: i64,
    unpriced: i64,
}

fn book(tx: &mut Tx<'_>, run_no: i64, call: Seq, day: i64, booking: Booking) -> Result<()> {
    day_total(tx, day)?;
    tx.db
        .prepare_cached(
            "INSERT INTO budget_ledger (day, run_no, call, reserved, settled, unpriced) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (day, run_no, call) DO UPDATE SET reserved = reserved + excluded.reserved, \
             settled = settled + excluded.settled, unpriced = unpriced + excluded.unpriced",
        )?
        .execute(params![
            day,
            run_no,
            int(call),
            booking.reserved,
            booking.settled,
            booking.unpriced
        ])?;
    if let Some(total) = tx.memory.days.get_mut(&day) {
        *total = total.saturating_add(booking.reserved + booking.settled);
    }
    Ok(())
}

/// Settled and reserved of a day, counted once and then kept up to date in memory.
fn day_total(tx: &mut Tx<'_>, day: i64) -> Result<i64> {
    if let Some(total) = tx.memory.days.get(&day) {
        return Ok(*total);
    }
    let spent = day_spent(tx.db, day)?;
    let total = spent.settled.saturating_add(spent.reserved).0;
    tx.memory.days.insert(day, total);
    Ok(total)
}

pub(crate) const DAY_SPENT: &str = "SELECT coalesce(sum(settled), 0), coalesce(sum(reserved), 0), \
     coalesce(sum(unpriced), 0) FROM budget_ledger WHERE day = ?1";

pub(crate) fn day_spent(db: &Connection, day: i64) -> Result<DaySpent> {
    Ok(db.prepare_cached(DAY_SPENT)?.query_row([day], |row| {
        Ok(DaySpent {
            settled: MicroUsd(row.get(0)?),
            reserved: MicroUsd(row.get(1)?),
            unpriced_calls: count(row.get(2)?),
        })
    })?)
}

pub(crate) const CALLS_SPENT: &str = "SELECT l.day, r.id, l.call, l.settled FROM budget_ledger l \
     LEFT JOIN runs r ON r.run_no = l.run_no WHERE l.day BETWEEN ?1 AND ?2 AND l.settled > 0 \
     ORDER BY l.day, l.run_no, l.call";

/// What each call cost on each of some days; together the settled money of [`day_spent`].
pub(crate) fn calls_spent(db: &Connection, from: i64, to: i64) -> Result<Vec<CallSpent>> {
    let mut statement = db.prepare_cached(CALLS_SPENT)?;
    let mut rows = statement.query(params![from, to])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let run = row.get::<_, Option<String>>(1)?.map(|id| {
            id.parse()
                .map_err(|_| StoreError::damaged(format!("'{id}' is not the id of a run")))
        });
        found.push(CallSpent {
            day: day_text(row.get(0)?),
            run: run.transpose()?,
            call: count(row.get(2)?),
            settled: MicroUsd(row.get(3)?),
        });
    }
    Ok(found)
}

/// Goes from day to day by the primary key and looks at the run's rows of each: the ledger has few days and a day may
/// have many runs.
pub(crate) const RESERVATIONS: &str = "WITH RECURSIVE days (day) AS ( \
         SELECT min(day) FROM budget_ledger \
         UNION ALL SELECT (SELECT min(l.day) FROM budget_ledger l WHERE l.day > days.day) FROM days \
         WHERE days.day IS NOT NULL) \
     SELECT l.call, l.day, l.reserved FROM days JOIN budget_ledger l ON l.day = days.day AND l.run_no = ?1 \
     WHERE l.reserved > 0 ORDER BY l.call, l.day";

/// What a run holds back, for a writer that does not remember it.
pub(crate) fn reservations(db: &Connection, run_no: i64) -> Result<Vec<Reservation>> {
    let mut statement = db.prepare_cached(RESERVATIONS)?;
    let rows = statement.query_map([run_no], |row| {
        Ok(Reservation {
            call: count(row.get(0)?),
            day: row.get(1)?,
            micro_usd: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_number_that_sorts_the_same() {
        assert_eq!(day_number("2026-11-25"), Ok(20_261_125));
        assert_eq!(day_text(20_261_125), "2026-11-25");
        for text in [
            "",
            "2026-1-25",
            "2026/11/25",
            "20261125",
            "2026-11-2x",
            "2026-11-é",
        ] {
            assert!(day_number(text).is_err(), "{text}");
        }
    }
}
