//! How much a process sends and hears: one meter that everything with a way to the outside shares. Counted are heads and
//! bodies of HTTP, without what TLS and the network put around them, and nothing that stays on this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The meter. A clone is the same one.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    with_this_machine: AtomicBool,
}

/// Bytes in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes {
    pub received: u64,
    pub sent: u64,
}

impl Bytes {
    /// What is here and not in `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            received: self.received.saturating_sub(before.received),
            sent: self.sent.saturating_sub(before.sent),
        }
    }

    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            received: self.received.saturating_add(more.received),
            sent: self.sent.saturating_add(more.sent),
        }
    }
}

impl Traffic {
    /// The meter of one peer: `None` if the peer is this machine, whose bytes cost nobody anything.
    pub fn with(&self, is_this_machine: bool) -> Option<Self> {
        let counted = !is_this_machine || self.counters.with_this_machine.load(Ordering::Relaxed);
        counted.then(|| self.clone())
    }

    /// From now on also counts what stays on this machine: for tests, whose outside world is here.
    pub fn count_this_machine(&self) {
        self.counters
            .with_this_machine
            .store(true, Ordering::Relaxed);
    }

    pub fn received(&self, bytes: usize) {
        self.counters
            .bytes_in
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn sent(&self, bytes: usize) {
        self.counters
            .bytes_out
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Everything counted since the process began.
    pub fn total(&self) -> Bytes {
        Bytes {
            received: self.counters.bytes_in.load(Ordering::Relaxed),
            sent: self.counters.bytes_out.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_counted_only_where_it_is_asked_for() {
        let traffic = Traffic::default();
        assert!(traffic.with(true).is_none());
        traffic.with(false).unwrap().sent(3);
        traffic.count_this_machine();
        traffic.with(true).unwrap().received(2);
        let (received, sent) = (2, 3);
        assert_eq!(traffic.total(), Bytes { received, sent });
    }
}
