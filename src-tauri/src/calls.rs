//! Calls of pages that are still under way. A page that reloads or goes away hears nothing more, and what it followed is
//! let go; what it started goes on, because runs belong to the engine.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Calls of one window at the same time; a page has a few.
const CALLS_MAX: usize = 64;

/// One page's numbers for its calls are unique to it.
type Place = (String, u64);

/// The calls of every window.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    open: Mutex<HashMap<Place, watch::Sender<bool>>>,
}

/// Resolves when nobody wants the answer any more.
#[derive(Debug)]
pub(crate) struct Dropped(watch::Receiver<bool>);

impl Dropped {
    pub(crate) async fn wait(mut self) {
        // A sender that is gone was replaced or forgotten: the same.
        let _ = self.0.wait_for(|is_dropped| *is_dropped).await;
    }
}

impl Calls {
    /// `None`: the window has too many calls under way.
    pub(crate) fn begin(&self, window: &str, call: u64) -> Option<Dropped> {
        let mut open = self.open();
        if open.keys().filter(|(of, _)| of == window).count() >= CALLS_MAX {
            return None;
        }
        let (sender, receiver) = watch::channel(false);
        open.insert((window.to_owned(), call), sender);
        Some(Dropped(receiver))
    }

    pub(crate) fn end(&self, window: &str, call: u64) {
        self.open().remove(&(window.to_owned(), call));
    }

    /// The page says that it does not want the answer.
    pub(crate) fn cancel(&self, window: &str, call: u64) {
        if let Some(sender) = self.open().remove(&(window.to_owned(), call)) {
            sender.send_replace(true);
        }
    }

    /// The page of a window is gone.
    pub(crate) fn forget(&self, window: &str) {
        self.open().retain(|(of, _), sender| {
            let stays = of != window;
            if !stays {
                sender.send_replace(true);
            }
            stays
        });
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Place, watch::Sender<bool>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
