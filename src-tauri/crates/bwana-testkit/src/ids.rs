//! Ids that repeat: from a seed, or counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bwana_types::id::IdSource;
use bwana_types::time::Timestamp;
use uuid::Uuid;

use crate::rng::Rng;

/// Ids and numbers that look random and are a function of the seed and of how many were drawn before.
#[derive(Debug)]
pub struct SeededIds(Mutex<Rng>);

impl SeededIds {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Rng::new(seed).fork("ids")))
    }

    fn draw(&self) -> u64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next_u64()
    }
}

impl IdSource for SeededIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.draw().to_le_bytes());
        random[8..].copy_from_slice(&self.draw().to_le_bytes()[..2]);
        version_7(now, &random)
    }

    fn random_u64(&self) -> u64 {
        self.draw()
    }
}

/// Ids that count from 1, easy to read in a snapshot, and no jitter: `random_u64` is always 0.
#[derive(Debug, Default)]
pub struct FixedIds(AtomicU64);

impl IdSource for FixedIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        random[2..].copy_from_slice(&count.to_be_bytes());
        version_7(now, &random)
    }

    fn random_u64(&self) -> u64 {
        0
    }
}

fn version_7(now: Timestamp, random: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(now.0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::TEST_START;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let draw = |seed| {
            let ids = SeededIds::new(seed);
            (ids.uuid(TEST_START), ids.random_u64(), ids.uuid(TEST_START))
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(draw(1).0, draw(1).2);
    }

    #[test]
    fn ids_are_version_7_and_carry_their_time() {
        for ids in [
            Box::new(SeededIds::new(5)) as Box<dyn IdSource>,
            Box::new(FixedIds::default()),
        ] {
            let id = ids.uuid(TEST_START);
            assert_eq!(id.get_version_num(), 7);
            let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
            assert_eq!(
                i64::try_from(seconds).unwrap() * 1_000 + i64::from(nanos / 1_000_000),
                TEST_START.0
            );
        }
    }
}
