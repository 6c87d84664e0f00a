//! The packages that were installed from here: the last one and the one before, which is the way back.

use bwana_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::version::Version;

pub(crate) const KEPT_FILE: &str = "kept.json";
/// The one that is installed, and the one before.
const KEPT_MAX: usize = 2;

/// A package that was installed from here and stayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub version: Version,
    /// In the folder of updates.
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
    /// Of the database it writes.
    pub database_format: i64,
    pub installed_at: Timestamp,
}

/// The list with one more in front; the same version once.
pub(crate) fn with(mut kept: Vec<Kept>, one: Kept) -> Vec<Kept> {
    kept.retain(|before| before.version != one.version);
    kept.insert(0, one);
    kept.truncate(KEPT_MAX);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(patch: u32) -> Kept {
        Kept {
            version: Version(0, 1, patch),
            file: format!("bwana-desktop_0.1.{patch}_x.deb"),
            bytes: 1,
            sha256: String::new(),
            database_format: 1,
            installed_at: Timestamp(0),
        }
    }

    #[test]
    fn the_last_two_stay_and_a_version_stands_once() {
        let patches = |kept: &[Kept]| kept.iter().map(|one| one.version.2).collect::<Vec<_>>();
        let mut list = Vec::new();
        for patch in [1, 2, 2, 3] {
            list = with(list, kept(patch));
        }
        assert_eq!(patches(&list), [3, 2]);
    }
}
