//! The real window: the program as a person starts it, on a screen, a message bus, a tray and a notification area of its
//! own, driven through the web view's own driver. What the pages do is told in `tests/ui`; here stands what only the whole
//! can show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cards;
mod desk;
mod ended;
mod hostile;
mod life;
mod links;
mod papers;
mod runs;
mod screens;
