//! Time limits on calls into the system's keyring, which may wait for a dialog nobody sees, or for a program that hangs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use bwana_types::secret::SecretError;

/// Calls that may be waiting without an answer before no more are made. A thread that waits cannot be ended, only left.
const WAITING_MAX: usize = 4;
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Counts a call for as long as it lasts, also if it panics.
struct Waiting;

impl Waiting {
    fn begin() -> Option<Self> {
        let one_more = |n: usize| (n < WAITING_MAX).then_some(n + 1);
        let begun = WAITING.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        // Not `then_some`: a `Self` that is made and not given would count one too few when it goes.
        begun.is_ok().then(|| Self)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Does `work` on a thread of its own and waits for it no longer than `limit`. A secret that comes too late is
/// overwritten there.
///
/// # Errors
/// Those of `work`, and [`SecretError::Locked`] if there is no answer in time: the usual reason is a dialog.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, SecretError> + Send + 'static,
) -> Result<T, SecretError> {
    let silent = || {
        SecretError::locked(
            format!(
                "the system's keyring gave no answer within {} s",
                limit.as_secs()
            ),
            "It may be waiting for its password: look for its dialog, or unlock it, then try again.",
        )
    };
    let waiting = Waiting::begin().ok_or_else(silent)?;
    let (send, receive) = mpsc::sync_channel(1);
    let spawned = thread::Builder::new()
        .name(String::from("keyring"))
        .spawn(move || {
            let answer = work();
            drop(waiting);
            // Nobody waits any more if it took too long.
            let _ = send.send(answer);
        });
    if let Err(error) = spawned {
        return Err(SecretError::failed(
            format!("no thread could be started for the system's keyring: {error}"),
            "Close other programs and try again.",
        ));
    }
    receive.recv_timeout(limit).unwrap_or_else(|error| {
        Err(match error {
            RecvTimeoutError::Timeout => silent(),
            RecvTimeoutError::Disconnected => SecretError::failed(
                "the library that speaks with the system's keyring failed",
                "Try again; if it stays so, choose a vault instead.",
            ),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_longer_than_the_limit_and_threads_do_not_pile_up() {
        let limit = Duration::from_millis(20);
        let (hold, held) = mpsc::channel::<()>();
        let held = std::sync::Arc::new(std::sync::Mutex::new(held));
        for _ in 0..WAITING_MAX + 2 {
            let held = std::sync::Arc::clone(&held);
            let answer = within(limit, move || {
                let _ = held.lock().map(|held| held.recv());
                Ok(())
            });
            assert!(
                matches!(answer, Err(SecretError::Locked { .. })),
                "{answer:?}"
            );
        }
        assert_eq!(WAITING.load(Ordering::Acquire), WAITING_MAX);
        drop(hold);
        while WAITING.load(Ordering::Acquire) > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(within(Duration::from_secs(10), || Ok(7)), Ok(7));
    }
}
