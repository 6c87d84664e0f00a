//! Clocks that tests move: by hand, or with tokio's paused time.

use std::sync::atomic::{AtomicI64, Ordering};

use bwana_types::time::{Clock, Duration, Timestamp};

/// Where test clocks start: 2025-11-25T12:00:00Z.
pub const TEST_START: Timestamp = Timestamp(1_764_072_000_000);

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    pub fn advance(&self, by: Duration) {
        self.advance_ms(by.as_ms());
    }

    /// Moves the clock by `ms`, backwards too: clocks of real machines do that.
    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new(TEST_START)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A clock that follows tokio's: on a runtime with paused time, hours pass at once and every wait ends exactly when it
/// should.
#[derive(Debug)]
pub struct TokioClock {
    start: Timestamp,
    started: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that shows `start` now. Must be made, and read, inside the runtime whose time it shows.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            started: tokio::time::Instant::now(),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.started.elapsed().as_millis();
        Timestamp(
            self.start
                .0
                .saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::default();
        assert_eq!(clock.now(), TEST_START);
        clock.advance(Duration::from_s(90));
        clock.advance_ms(-500);
        assert_eq!(clock.now(), Timestamp(TEST_START.0 + 89_500));
    }

    #[tokio::test(start_paused = true)]
    async fn a_tokio_clock_shows_paused_time() {
        let clock = TokioClock::starting_at(TEST_START);
        tokio::time::sleep(std::time::Duration::from_hours(2)).await;
        assert_eq!(clock.now().ms_since(TEST_START), 7_200_000);
    }
}
