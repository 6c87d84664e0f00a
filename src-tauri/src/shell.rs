//! The state every part of the shell shares: the open data folder, what waits for windows, and how the program is to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bwana_api::arrivals::{Arrived, Queue};
use bwana_api::{App, Caller, Command, Ctx};
use bwana_types::error::ApiError;
use serde::Serialize;
use tauri::{AppHandle, Manager};
use tokio::sync::{Notify, broadcast};

use crate::calls::Calls;
use crate::prefs::Prefs;
use crate::windows;

/// Things to tell that a slow window may lag behind.
const TOLD_QUEUED_MAX: usize = 64;

/// What the shell tells its pages.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Told {
    /// Links wait; the page takes them with `shell.links`.
    Links,
    /// The person wants to quit while runs are at work.
    QuitAsked { runs: usize },
    /// The window was closed for the first time, and the work goes on behind the icon.
    KeptInTray,
    /// The quick window was called for: its field wants the keyboard.
    QuickShown,
    /// Files were dropped on the window, or chosen.
    Theme { dark: bool },
}

pub(crate) struct Shell {
    pub(crate) app: App,
    pub(crate) prefs: Prefs,
    pub(crate) calls: Calls,
    /// Looks only, after two starts that came to nothing or by request.
    pub(crate) safe: bool,
    told: broadcast::Sender<Told>,
    links: Mutex<Queue>,
    /// Set once the program is on its way out.
    pub(crate) leaving: AtomicBool,
    /// There is an icon in a tray, so a closed window can be had again.
    pub(crate) has_tray: AtomicBool,
    /// The first page is there, whether or not it has drawn itself.
    pub(crate) loaded: Notify,
    /// A page has drawn itself.
    pub(crate) painted: AtomicBool,
}

impl Shell {
    pub(crate) fn new(app: App, prefs: Prefs, safe: bool) -> Self {
        Self {
            app,
            prefs,
            calls: Calls::default(),
            safe,
            told: broadcast::Sender::new(TOLD_QUEUED_MAX),
            links: Mutex::default(),
            leaving: AtomicBool::new(false),
            has_tray: AtomicBool::new(false),
            loaded: Notify::new(),
            painted: AtomicBool::new(false),
        }
    }

    /// Calls a command as the person at the window.
    pub(crate) async fn call<C: Command>(
        &self,
        request: C::Request,
    ) -> Result<C::Response, ApiError> {
        self.app
            .call::<C>(Ctx::quiet(Caller::LocalUi), request)
            .await
    }

    pub(crate) fn tell(&self, told: Told) {
        // No page listens yet, or any more: it will ask when it does.
        let _ = self.told.send(told);
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// A link came from outside: the window comes to the front and shows where it leads.
    pub(crate) fn link(&self, handle: &AppHandle, text: &str) {
        if self.links().arrive(text, Instant::now()) {
            self.tell(Told::Links);
        }
        windows::show_main(handle);
    }

    /// Something of our own to look at.
    pub(crate) fn go(&self, handle: &AppHandle, to: Arrived) {
        if self.links().put(to) {
            self.tell(Told::Links);
        }
        windows::show_main(handle);
    }

    pub(crate) fn take_links(&self) -> Vec<Arrived> {
        self.links().take()
    }

    fn links(&self) -> MutexGuard<'_, Queue> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state from wherever there is a handle.
pub(crate) fn shell(handle: &AppHandle) -> tauri::State<'_, Shell> {
    handle.state::<Shell>()
}
