//! Whether a manifest is about something new. Pure: what is installed and what was seen are passed in.

use bwana_types::time::Timestamp;

use crate::error::Refusal;
use crate::manifest::Manifest;
use crate::version::Version;

/// The newest manifest that was ever believed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub version: Version,
    pub released: Timestamp,
    /// It was these very bytes.
    pub is_same: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Newer,
    /// It describes what is installed.
    Current,
    Refused(Refusal),
}

/// What a rightly signed manifest means here. `database_format` is that of the program that is installed.
///
/// Both the version and the moment of release must never go back: whoever can answer in the publisher's place has only
/// manifests that were signed once, and could otherwise offer one whose faults are known by now.
pub fn decide(
    manifest: &Manifest,
    installed: Version,
    database_format: i64,
    seen: Option<&Seen>,
) -> Decision {
    let offered = manifest.version;
    if let Some(seen) = seen {
        if manifest.released < seen.released {
            return Decision::Refused(Refusal::Replay {
                offered: manifest.released,
                seen: seen.released,
            });
        }
        if manifest.released == seen.released && !seen.is_same {
            let released = manifest.released;
            return Decision::Refused(Refusal::Changed { released });
        }
        if offered < seen.version {
            let seen = seen.version;
            return Decision::Refused(Refusal::Withdrawn { offered, seen });
        }
    }
    if offered < installed {
        return Decision::Refused(Refusal::Downgrade { offered, installed });
    }
    if manifest.database_format < database_format {
        let needed = database_format;
        return Decision::Refused(Refusal::OldFormat { offered, needed });
    }
    if offered == installed {
        Decision::Current
    } else {
        Decision::Newer
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest(patch: u32, released: i64, database_format: i64) -> Manifest {
        Manifest {
            format: crate::manifest::FORMAT.into(),
            version: Version(0, 1, patch),
            released: Timestamp(released),
            database_format,
            notes: String::new(),
            packages: Vec::new(),
        }
    }

    fn seen(patch: u32, released: i64, is_same: bool) -> Seen {
        Seen {
            version: Version(0, 1, patch),
            released: Timestamp(released),
            is_same,
        }
    }

    #[track_caller]
    fn check(offered: (u32, i64), installed: u32, seen: Option<Seen>, want: &str) {
        let manifest = manifest(offered.0, offered.1, 5);
        let decision = decide(&manifest, Version(0, 1, installed), 5, seen.as_ref());
        let word = match &decision {
            Decision::Newer => "newer",
            Decision::Current => "current",
            Decision::Refused(why) => why.as_str(),
        };
        assert_eq!(word, want, "{decision:?}");
    }

    #[test]
    fn only_what_goes_forward_is_believed() {
        check((2, 20), 1, None, "newer");
        check((1, 20), 1, None, "current");
        check((0, 20), 1, None, "downgrade");
        check((2, 20), 1, Some(seen(2, 20, true)), "newer");
        check((2, 20), 1, Some(seen(2, 20, false)), "changed");
        check((3, 20), 1, Some(seen(2, 20, false)), "changed");
        check((2, 19), 1, Some(seen(2, 20, false)), "replay");
        check((3, 19), 1, Some(seen(2, 20, false)), "replay");
        check((2, 21), 1, Some(seen(3, 20, false)), "withdrawn");
        check((3, 21), 1, Some(seen(2, 20, false)), "newer");
        check((2, 21), 2, Some(seen(2, 20, false)), "current");
    }

    #[test]
    fn a_version_that_could_not_open_the_data_is_no_offer() {
        let decision = decide(&manifest(2, 20, 4), Version(0, 1, 1), 5, None);
        assert!(matches!(
            decision,
            Decision::Refused(Refusal::OldFormat { needed: 5, .. })
        ));
    }

    proptest! {
        /// Whatever comes in whatever order: what is believed never goes back.
        #[test]
        fn what_is_believed_never_goes_back(offers in prop::collection::vec((0_u32..6, 0_i64..6), 0..40)) {
            let installed = Version(0, 1, 1);
            let mut last: Option<(u32, i64)> = None;
            for offer in offers {
                let seen = last.map(|(patch, at)| seen(patch, at, last == Some(offer)));
                let decision = decide(&manifest(offer.0, offer.1, 1), installed, 1, seen.as_ref());
                if matches!(decision, Decision::Refused(_)) {
                    continue;
                }
                prop_assert!(offer.0 >= 1);
                if let Some(last) = last {
                    prop_assert!(offer.0 >= last.0 && offer.1 >= last.1);
                }
                last = Some(offer);
            }
        }
    }
}
