//! What a scripted model or a model server counts: calls by request, and how many at once. No times are kept, so that
//! two runs of the same test count the same.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bwana_types::hash::Hash;
use serde::{Deserialize, Serialize};

/// The counts so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub requests: u64,
    /// Connections that brought at least one request of a model.
    #[serde(default)]
    pub connections: u64,
    /// Answered whole.
    pub answered: u64,
    /// Ended by a planned fault.
    pub failed: u64,
    /// Given up by the caller.
    pub dropped: u64,
    pub in_flight: u64,
    pub in_flight_max: u64,
    /// Held back by a closed gate.
    pub waiting: u64,
    /// By digest of the request.
    pub by_request: BTreeMap<Hash, Calls>,
}

/// The calls of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    pub requests: u64,
    pub answered: u64,
}

impl Counts {
    /// The calls of the request whose answer carries this mark.
    pub fn of_mark(&self, mark: &str) -> Calls {
        let mut found = Calls::default();
        for (digest, calls) in &self.by_request {
            if digest.to_string().starts_with(mark) {
                found.requests += calls.requests;
                found.answered += calls.answered;
            }
        }
        found
    }

    /// Requests beyond the first of each kind.
    pub fn repeated(&self) -> u64 {
        self.by_request
            .values()
            .map(|calls| calls.requests.saturating_sub(1))
            .sum()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Mutex<Counts>,
    changed: Condvar,
}

impl Tally {
    pub(crate) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// Counts a request and says which attempt of its kind it is, from 1.
    pub(crate) fn begin(&self, digest: Hash) -> u64 {
        self.change(|counts| {
            counts.requests += 1;
            counts.in_flight += 1;
            counts.in_flight_max = counts.in_flight_max.max(counts.in_flight);
            let calls = counts.by_request.entry(digest).or_default();
            calls.requests += 1;
            calls.requests
        })
    }

    pub(crate) fn end(&self, digest: Hash, end: End) {
        self.change(|counts| {
            counts.in_flight -= 1;
            match end {
                End::Answered => {
                    counts.answered += 1;
                    counts.by_request.entry(digest).or_default().answered += 1;
                }
                End::Failed => counts.failed += 1,
                End::Dropped => counts.dropped += 1,
            }
        });
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify_all();
        changed
    }

    /// Waits until `holds` is true of the counts.
    pub(crate) fn wait_for(&self, within: Duration, holds: impl Fn(&Counts) -> bool) -> bool {
        let deadline = Instant::now() + within;
        let mut counts = self.lock();
        while !holds(&counts) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            let (guard, _) = self
                .changed
                .wait_timeout(counts, left)
                .unwrap_or_else(PoisonError::into_inner);
            counts = guard;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Failed,
    Dropped,
}

/// An open call: counts as dropped unless it is ended otherwise.
pub(crate) struct Open<'a> {
    tally: &'a Tally,
    digest: Hash,
    pub(crate) attempt: u64,
    end: End,
}

impl<'a> Open<'a> {
    pub(crate) fn new(tally: &'a Tally, digest: Hash) -> Self {
        Self {
            tally,
            digest,
            attempt: tally.begin(digest),
            end: End::Dropped,
        }
    }

    pub(crate) fn end(mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.tally.end(self.digest, self.end);
    }
}
