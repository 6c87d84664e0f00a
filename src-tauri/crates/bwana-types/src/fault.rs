//! Named points at which a test may end the process: `BWANA_CRASH_AT=before_commit:3` aborts at the third pass of
//! `before_commit`. Behind the feature `fault-points`; without it a point costs nothing. Nothing else belongs here.

/// A place where a crash is interesting. Without the feature `fault-points` this is nothing.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub const fn fault_point(_name: &str) {}

/// The variable that says where to end: a point's name, a colon, and which pass from 1.
#[cfg(feature = "fault-points")]
pub const CRASH_AT: &str = "BWANA_CRASH_AT";

/// The variable that makes a point panic instead: a point's name. The message is what [`PANIC_TEXT`] says.
#[cfg(feature = "fault-points")]
pub const PANIC_AT: &str = "BWANA_PANIC_AT";
#[cfg(feature = "fault-points")]
pub const PANIC_TEXT: &str = "BWANA_PANIC_TEXT";

/// A place where a crash is interesting: ends the process at once, without unwinding or flushing, if it is the one that
/// `BWANA_CRASH_AT` names and this is the pass it counts to.
///
/// # Panics
/// If [`PANIC_AT`] names this point, or the variable is set and unreadable: a test that crashes nowhere would prove
/// nothing.
#[cfg(feature = "fault-points")]
pub fn fault_point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PLAN: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let text = std::env::var(CRASH_AT).ok()?;
        let parsed = text
            .rsplit_once(':')
            .and_then(|(point, pass)| Some((point.to_owned(), pass.parse::<u64>().ok()?)))
            .filter(|(point, pass)| !point.is_empty() && *pass > 0);
        let Some((point, pass)) = parsed else {
            panic!("{CRASH_AT}='{text}' is not NAME:PASS, like before_commit:3");
        };
        Some((point, AtomicU64::new(pass)))
    });
    let is_meant = std::env::var(PANIC_AT).is_ok_and(|point| point == name);
    assert!(
        !is_meant,
        "{}",
        std::env::var(PANIC_TEXT).unwrap_or_default()
    );
    if let Some((point, left)) = plan
        && point == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

#[cfg(all(feature = "fault-points", not(debug_assertions)))]
compile_error!(
    "the feature `fault-points` lets an environment variable end the process; it is never released"
);
