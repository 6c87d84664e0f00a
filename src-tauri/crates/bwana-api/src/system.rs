//! What every host brings from the real machine: the clock and the randomness that everything below is given instead of
//! taking it. Tests bring their own; nothing below a host uses this room.

use std::time::{SystemTime, UNIX_EPOCH};

use bwana_types::id::IdSource;
use bwana_types::time::{Clock, Timestamp};
use uuid::Uuid;

/// The clock on the wall.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "hosts hand this clock down; it is the one place that reads the real one"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Ids from the operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl SystemIds {
    fn bytes<const N: usize>() -> [u8; N] {
        let mut bytes = [0; N];
        // Without randomness of the system ids could repeat, and a second run could pass for a first.
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }
}

impl IdSource for SystemIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.0).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &Self::bytes()).into_uuid()
    }

    fn random_u64(&self) -> u64 {
        u64::from_le_bytes(Self::bytes())
    }
}

/// Where Linux shows what can draw for programs.
const DRAWERS: (&str, &str) = ("/dev/dri", "renderD");

/// Whether something else than the processor draws on this machine. Where nothing does, a web view's way through such a
/// device ends in the processor all the same, and takes twice the memory.
pub fn has_graphics() -> bool {
    let (folder, name) = DRAWERS;
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = found.filter_map(|entry| entry.file_name().into_string().ok());
    !cfg!(target_os = "linux") || names.any(|found| found.starts_with(name))
}
