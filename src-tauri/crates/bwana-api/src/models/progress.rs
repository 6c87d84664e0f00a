//! How far a fetch is, as events: what is done, how fast, and how long it still takes.

use std::time::{Duration, Instant};

use bwana_llm::local::fetch::{Progress, Stage};

use crate::events::{Event, Events};

/// Events a second at most; more is not seen by anybody.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// The speed is that of about the last so many seconds.
const SPEED_OVER: Duration = Duration::from_secs(4);

/// Speed of something that grows, in bytes a second, smoothed over the last seconds. Starting anew after a break, or at
/// another stage, does not count what was there before.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// When and at how many bytes the present stretch was last looked at.
    last: Option<(Duration, u64)>,
    bytes_per_s: Option<f64>,
}

impl Meter {
    /// `now` since any fixed moment. Answers bytes a second and the seconds that are left, when they can be told.
    pub(super) fn at(
        &mut self,
        now: Duration,
        done: u64,
        total: Option<u64>,
    ) -> (Option<u64>, Option<u64>) {
        match self.last {
            Some((before, had)) if done >= had => {
                let elapsed = now.saturating_sub(before).as_secs_f64();
                // Two readings of one moment tell nothing of speed.
                if elapsed > 0.05 {
                    self.count(elapsed, done - had);
                    self.last = Some((now, done));
                }
            }
            _ => {
                *self = Self {
                    last: Some((now, done)),
                    bytes_per_s: None,
                };
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "never negative, and no disk or network reaches 2^64 bytes a second"
        )]
        let speed = self.bytes_per_s.map(|speed| speed.round() as u64);
        let left = total.map(|total| total.saturating_sub(done));
        let seconds = match (left, speed) {
            (Some(left), Some(speed)) if speed > 0 => Some(left.div_ceil(speed)),
            _ => None,
        };
        (speed, seconds)
    }

    #[expect(clippy::cast_precision_loss, reason = "a speed for people")]
    fn count(&mut self, elapsed_s: f64, bytes: u64) {
        let now = bytes as f64 / elapsed_s;
        let weight = (elapsed_s / SPEED_OVER.as_secs_f64()).min(1.0);
        self.bytes_per_s = Some(match self.bytes_per_s {
            Some(before) => before + (now - before) * weight,
            None => now,
        });
    }
}

/// Turns progress of a fetch of `what` into events.
pub(super) fn telling(events: &Events, what: &str) -> impl FnMut(Progress) + Send + use<> {
    let mut tell = telling_stages(events, what);
    move |progress: Progress| {
        let stage = stage(progress.stage);
        tell(stage, progress.done_bytes, progress.total_bytes);
    }
}

/// Turns what is told of a fetch (its stage, the bytes done, and all of them where known) into events.
pub(crate) fn telling_stages(
    events: &Events,
    what: &str,
) -> impl FnMut(&'static str, u64, Option<u64>) + Send + use<> {
    let events = events.clone();
    let what = what.to_owned();
    let begun = Instant::now();
    let mut meter = Meter::default();
    let mut stage_before = None;
    let mut told: Option<Duration> = None;
    move |stage, done, total| {
        let now = begun.elapsed();
        let is_new = stage_before != Some(stage);
        if is_new {
            meter = Meter::default();
            stage_before = Some(stage);
        }
        let (speed, left) = meter.at(now, done, total);
        let is_last = total == Some(done);
        let is_due = told.is_none_or(|told| now.saturating_sub(told) >= TELL_EVERY);
        if !(is_new || is_last || is_due) {
            return;
        }
        told = Some(now);
        events.tell_if_ready(Event::Progress {
            what: what.clone(),
            stage: Some(stage.to_owned()),
            done,
            total,
            bytes_per_s: speed,
            seconds_left: left,
        });
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Checking => "checking",
        Stage::Downloading => "downloading",
        Stage::FetchingPackage => "fetching_package",
        Stage::Unpacking => "unpacking",
        Stage::Copying => "copying",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(readings: &[(u64, u64)], total: Option<u64>, want: (Option<u64>, Option<u64>)) {
        let mut meter = Meter::default();
        let mut last = (None, None);
        for (ms, done) in readings {
            last = meter.at(Duration::from_millis(*ms), *done, total);
        }
        assert_eq!(last, want, "{readings:?}");
    }

    #[test]
    fn a_speed_and_the_time_left_are_told_once_they_can_be() {
        check(&[(0, 500)], Some(1_000), (None, None));
        check(&[(0, 0), (1_000, 100)], Some(1_000), (Some(100), Some(9)));
        check(&[(0, 0), (1_000, 100)], None, (Some(100), None));
        check(&[(0, 0), (10, 100)], Some(1_000), (None, None));
        check(&[(0, 0), (1_000, 0)], Some(1_000), (Some(0), None));
        check(
            &[(0, 0), (1_000, 1_000)],
            Some(1_000),
            (Some(1_000), Some(0)),
        );
    }

    #[test]
    fn what_a_resumed_fetch_had_already_is_no_speed() {
        check(&[(0, 900), (1_000, 910)], Some(1_000), (Some(10), Some(9)));
        check(
            &[(0, 900), (500, 950), (600, 0), (1_600, 50)],
            Some(1_000),
            (Some(50), Some(19)),
        );
    }

    #[test]
    fn a_change_of_speed_is_followed_and_not_jumped_to() {
        check(
            &[(0, 0), (1_000, 100), (2_000, 600)],
            None,
            (Some(200), None),
        );
        check(
            &[(0, 0), (1_000, 100), (9_000, 8_100)],
            None,
            (Some(1_000), None),
        );
    }
}
