//! What this process sends and hears, by day. The meter counts in memory; its sums are written to the day's row a moment
//! after anything else is written, which is after every call, and when the folder is closed. Someone who is killed loses
//! the count of calls in flight and of the last second, never what was counted before.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bwana_store::Store;
use bwana_types::error::ApiError;
use bwana_types::traffic::{Bytes, Traffic};
use tokio::sync::Notify;

use crate::app::{App, WeakApp, time_zone};

/// Between two writings of a day's row.
const WRITE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Meter {
    traffic: Traffic,
    days: Mutex<Option<Days>>,
    /// There is something to write although nothing else was written.
    nudged: Notify,
}

/// The day that is counted, and what of older ones is not written yet.
#[derive(Debug)]
struct Days {
    day: String,
    /// What the day's row said when counting began.
    stored: Bytes,
    /// What the meter said then.
    from: Bytes,
    /// What was last written of the day.
    written: Bytes,
    /// Days that ended meanwhile.
    over: Vec<(String, Bytes)>,
}

impl Days {
    fn begin(store: &Store, day: &str, from: Bytes) -> Result<Self, ApiError> {
        let stored = store.day_traffic(day)?;
        Ok(Self {
            day: day.to_owned(),
            stored,
            from,
            written: stored,
            over: Vec::new(),
        })
    }

    fn sum(&self, now: Bytes) -> Bytes {
        self.stored.and(now.since(self.from))
    }
}

impl Meter {
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// A long download writes nothing else.
    pub(crate) fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// What the day has sent and heard, with what is not written yet. Of a process that only reads: what is written.
    pub(crate) fn today(&self, store: &Store, day: &str) -> Result<Bytes, ApiError> {
        if !store.is_owner() {
            return Ok(store.day_traffic(day)?);
        }
        let now = self.traffic.total();
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(counting(&mut days, store, day, now)?.sum(now))
    }

    /// The rows that are behind, with what they should say.
    fn behind(&self, store: &Store, day: &str) -> Result<Vec<(String, Bytes)>, ApiError> {
        let now = self.traffic.total();
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let days = counting(&mut days, store, day, now)?;
        let mut behind = std::mem::take(&mut days.over);
        let sum = days.sum(now);
        if sum != days.written {
            days.written = sum;
            behind.push((days.day.clone(), sum));
        }
        Ok(behind)
    }

    async fn write(&self, store: &Store, day: &str) -> Result<(), ApiError> {
        for (day, bytes) in self.behind(store, day)? {
            store.set_day_traffic(&day, bytes).await?;
        }
        Ok(())
    }
}

/// The count of `day`; what went on before belongs to the day before.
fn counting<'a>(
    days: &'a mut Option<Days>,
    store: &Store,
    day: &str,
    now: Bytes,
) -> Result<&'a mut Days, ApiError> {
    let over = match days.take() {
        Some(same) if same.day == day => return Ok(days.insert(same)),
        Some(mut before) => {
            let sum = before.sum(now);
            if sum != before.written {
                before.over.push((before.day, sum));
            }
            before.over
        }
        None => Vec::new(),
    };
    let mut next = Days::begin(store, day, now)?;
    next.over = over;
    Ok(days.insert(next))
}

/// Writes what is counted, now.
pub(crate) async fn write(app: &App) -> Result<(), ApiError> {
    let day = app.clock().now().day_in(&time_zone(&app.settings()));
    app.meter().write(app.owner()?, &day).await
}

/// Begins counting, and keeps the day's row up to date as long as the folder is open. Holds nothing open itself.
pub(crate) fn keep(app: &App) -> Result<(), ApiError> {
    let store = app.owner()?;
    // The day is known before the first byte, so that a day's first bytes are not the next one's.
    let day = app.clock().now().day_in(&time_zone(&app.settings()));
    app.meter().today(store, &day)?;
    let news = app.changed()?;
    // A host without a runtime has no calls that could be counted.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(follow(app.weak(), news));
    }
    Ok(())
}

async fn follow(app: WeakApp, mut news: tokio::sync::watch::Receiver<u64>) {
    let Some(nudged) = app.open().map(|app| app.meter_shared()) else {
        return;
    };
    loop {
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            () = nudged.nudged.notified() => {}
        }
        {
            let Some(app) = app.open() else { return };
            if let Err(error) = write(&app).await {
                tracing::warn!("the day's bytes are not written: {}", error.message);
            }
        }
        tokio::time::sleep(WRITE_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bwana_testkit::ManualClock;

    use super::*;

    #[tokio::test]
    async fn each_day_has_its_own_sums_and_the_last_of_a_day_are_written() {
        let store = Store::open_memory(Arc::new(ManualClock::default())).unwrap();
        let meter = Meter::default();
        let bytes = |received, sent| Bytes { received, sent };
        let today = |day| meter.today(&store, day).unwrap();
        assert_eq!(today("2026-11-25"), bytes(0, 0));
        meter.traffic().received(5);
        meter.traffic().sent(2);
        assert_eq!(today("2026-11-25"), bytes(5, 2));
        assert_eq!(store.day_traffic("2026-11-25").unwrap(), bytes(0, 0));
        meter.write(&store, "2026-11-25").await.unwrap();
        assert_eq!(store.day_traffic("2026-11-25").unwrap(), bytes(5, 2));
        meter.traffic().received(1);
        assert_eq!(today("2026-11-26"), bytes(0, 0));
        meter.traffic().sent(7);
        meter.write(&store, "2026-11-26").await.unwrap();
        assert_eq!(store.day_traffic("2026-11-25").unwrap(), bytes(6, 2));
        assert_eq!(store.day_traffic("2026-11-26").unwrap(), bytes(0, 7));
        // The next owner goes on from what is written.
        let next = Meter::default();
        next.traffic().sent(1);
        assert_eq!(next.today(&store, "2026-11-26").unwrap(), bytes(0, 7));
        next.traffic().sent(3);
        assert_eq!(next.today(&store, "2026-11-26").unwrap(), bytes(0, 10));
    }
}
