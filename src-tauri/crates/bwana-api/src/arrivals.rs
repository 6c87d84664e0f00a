//! Links that arrived, on their way to a window: parsed, merged and bounded. The window shows where a link leads; whoever
//! received it does nothing with it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::link::{self, BadLink, Link};

/// Links that wait for the window; more are dropped, for nobody opens so many.
const QUEUED_MAX: usize = 8;
/// The same link again within this time is the same click.
const SAME_CLICK: Duration = Duration::from_secs(2);

/// A link as the window is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrived {
    /// Where it leads.
    Link(Link),
    /// Why it cannot be followed.
    Bad(BadLink),
    /// All that waits for the person: from the tray.
    Waiting,
}

/// What waits for the window.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Arrived>,
    last: Option<(String, Instant)>,
}

impl Queue {
    /// `false`: it was the same click again, or there are too many.
    pub fn arrive(&mut self, text: &str, now: Instant) -> bool {
        let is_again = self
            .last
            .as_ref()
            .is_some_and(|(last, at)| last == text && now.duration_since(*at) < SAME_CLICK);
        if is_again || self.waiting.len() >= QUEUED_MAX {
            return false;
        }
        // What is too long to be a link is not kept to compare with.
        self.last = (text.len() <= link::LINK_MAX_BYTES).then(|| (text.to_owned(), now));
        self.put(match link::parse(text) {
            Ok(link) => Arrived::Link(link),
            Err(why) => Arrived::Bad(why),
        })
    }

    /// A link of our own making, as from a notification.
    pub fn put(&mut self, arrived: Arrived) -> bool {
        if self.waiting.len() >= QUEUED_MAX {
            return false;
        }
        self.waiting.push_back(arrived);
        true
    }

    /// All that waits, oldest first.
    #[must_use]
    pub fn take(&mut self) -> Vec<Arrived> {
        self.waiting.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(text: &str) -> Arrived {
        Arrived::Link(Link::New {
            text: text.to_owned(),
        })
    }

    #[test]
    fn a_double_click_is_one_click_and_a_later_one_another() {
        let mut queue = Queue::default();
        let start = Instant::now();
        assert!(queue.arrive("bwana://v1/new?text=a", start));
        assert!(!queue.arrive("bwana://v1/new?text=a", start + SAME_CLICK / 2));
        assert!(queue.arrive("bwana://v1/new?text=b", start + SAME_CLICK / 2));
        assert!(queue.arrive("bwana://v1/new?text=a", start + SAME_CLICK * 2));
        assert_eq!(queue.take(), [new("a"), new("b"), new("a")]);
        assert_eq!(queue.take(), []);
    }

    #[test]
    fn a_flood_of_links_ends_after_eight_and_a_bad_one_says_why() {
        let mut queue = Queue::default();
        let taken = (0..100)
            .filter(|n| queue.arrive(&format!("bwana://v1/zap/{n}"), Instant::now()))
            .count();
        assert_eq!(taken, QUEUED_MAX);
        assert_eq!(queue.take(), vec![Arrived::Bad(BadLink::Verb); QUEUED_MAX]);
    }
}
