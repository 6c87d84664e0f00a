//! The icon in the tray and its menu: how things stand, what can be asked, what waits, what runs. On Linux a menu is all
//! a tray can do, so its words change with what they tell, at most once a second.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bwana_api::arrivals::Arrived;
use bwana_api::link::Link;
use bwana_api::standing;
use bwana_api::words::Words;
use bwana_types::id::RunId;
use tauri::image::Image;
use tauri::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Theme, Wry};

use crate::life::{self, Leave};
use crate::shell::shell;
use crate::windows;

/// Between two writings of the menu.
const WRITTEN_EVERY: Duration = Duration::from_secs(1);
/// Where the runs begin, behind what is always there.
const RUNS_AT: usize = 4;

const STATE: &str = "state";
const ASK: &str = "ask";
const WAITING: &str = "waiting";
const OPEN: &str = "open";
const QUIT: &str = "quit";
/// In front of a run's id.
const RUN: &str = "run:";

/// What the tray shows; written only when it differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shown {
    lines: [(String, bool); standing::LINES],
    runs: Vec<(RunId, String)>,
    waits: bool,
    dark: bool,
}

/// Puts the icon into the tray and keeps it true until the program ends.
///
/// # Errors
/// If the window system gives no tray at all.
pub(crate) fn make(handle: &AppHandle) -> tauri::Result<()> {
    let shown = tauri::async_runtime::block_on(look(handle));
    let mut entries = Entries::new(handle)?;
    entries.write(handle, &shown)?;
    let tray = TrayIconBuilder::with_id("tray")
        .icon(icon(&shown))
        .icon_as_template(cfg!(target_os = "macos"))
        .tooltip("Bwana")
        .menu(&entries.menu)
        .on_menu_event(chosen)
        .build(handle)?;
    tauri::async_runtime::spawn(keep_true(handle.clone(), tray, entries));
    Ok(())
}

async fn keep_true(handle: AppHandle, tray: TrayIcon, mut entries: Entries) {
    let Ok(mut changed) = shell(&handle).app.changed() else {
        return;
    };
    let mut written = Shown::default();
    loop {
        shell(&handle)
            .has_tray
            .store(has_host().await, Ordering::Release);
        let shown = look(&handle).await;
        if shown != written {
            if (shown.waits, shown.dark) != (written.waits, written.dark) {
                let _ = tray.set_icon(Some(icon(&shown)));
            }
            if let Err(error) = entries.write(&handle, &shown) {
                tracing::warn!(%error, "the tray's menu cannot be written");
            }
            let _ = tray.set_tooltip(Some(&shown.lines[0].0));
            written = shown;
        }
        tokio::time::sleep(WRITTEN_EVERY).await;
        if changed.changed().await.is_err() {
            return;
        }
    }
}

/// Whether anybody shows tray icons at all: without, a closed window could not be had again.
#[cfg(target_os = "linux")]
async fn has_host() -> bool {
    let Ok(bus) = zbus::Connection::session().await else {
        return false;
    };
    let Ok(bus) = zbus::fdo::DBusProxy::new(&bus).await else {
        return false;
    };
    let Ok(name) = zbus::names::BusName::try_from("org.kde.StatusNotifierWatcher") else {
        return false;
    };
    bus.name_has_owner(name).await.unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
async fn has_host() -> bool {
    true
}

async fn look(handle: &AppHandle) -> Shown {
    let shell = shell(handle);
    let words = Words::of(shell.app.settings().language());
    let standing = standing::look(&shell.app).await;
    Shown {
        lines: standing.lines(&words, shell.safe),
        waits: standing.waiting > 0,
        runs: standing.named,
        dark: panel_is_dark(handle),
    }
}

/// Desktops draw their panel in the colour of the theme, except those whose panel is always dark.
fn panel_is_dark(handle: &AppHandle) -> bool {
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    let always = ["GNOME", "Unity", "Pantheon"];
    if always.iter().any(|name| desktop.contains(name)) {
        return true;
    }
    let window = tauri::Manager::get_webview_window(handle, windows::MAIN);
    window.is_none_or(|window| window.theme().is_ok_and(|theme| theme == Theme::Dark))
}

fn icon(shown: &Shown) -> Image<'static> {
    match (shown.waits, shown.dark) {
        (false, true) => tauri::include_image!("icons/tray-on-dark.png"),
        (false, false) => tauri::include_image!("icons/tray-on-light.png"),
        (true, true) => tauri::include_image!("icons/tray-needs-you-on-dark.png"),
        (true, false) => tauri::include_image!("icons/tray-needs-you-on-light.png"),
    }
}

type Entry = MenuItem<Wry>;

/// The entries of the menu. They stay while their words change: whoever has the menu open would choose in vain one that
/// was replaced.
struct Entries {
    menu: Menu<Wry>,
    fixed: [Entry; standing::LINES],
    live: Vec<(RunId, Entry)>,
    gap: PredefinedMenuItem<Wry>,
}

impl Entries {
    fn new(handle: &AppHandle) -> tauri::Result<Self> {
        let entry = |id| MenuItem::with_id(handle, id, "", false, None::<&str>);
        let gap = || PredefinedMenuItem::separator(handle);
        let fixed = [
            entry(STATE)?,
            entry(ASK)?,
            entry(WAITING)?,
            entry(OPEN)?,
            entry(QUIT)?,
        ];
        let [state, ask, waiting, open, quit] = &fixed;
        let menu = Menu::with_items(handle, &[state, &gap()?, ask, waiting, &gap()?, open, quit])?;
        Ok(Self {
            menu,
            fixed,
            live: Vec::new(),
            gap: gap()?,
        })
    }

    fn write(&mut self, handle: &AppHandle, shown: &Shown) -> tauri::Result<()> {
        for (entry, (text, enabled)) in self.fixed.iter().zip(&shown.lines) {
            entry.set_text(text)?;
            entry.set_enabled(*enabled)?;
        }
        let placed = self.live.iter().map(|(run, _)| run);
        if !placed.eq(shown.runs.iter().map(|(run, _)| run)) {
            self.place(handle, &shown.runs)?;
        }
        for ((_, entry), (_, line)) in self.live.iter().zip(&shown.runs) {
            entry.set_text(line)?;
        }
        Ok(())
    }

    /// Puts other runs in the place of those that are there.
    fn place(&mut self, handle: &AppHandle, runs: &[(RunId, String)]) -> tauri::Result<()> {
        if !self.live.is_empty() {
            self.menu.remove(&self.gap)?;
        }
        for (_, entry) in self.live.drain(..) {
            self.menu.remove(&entry)?;
        }
        if !runs.is_empty() {
            self.menu.insert(&self.gap, RUNS_AT)?;
        }
        for (n, (run, line)) in runs.iter().enumerate() {
            let entry = MenuItem::with_id(handle, format!("{RUN}{run}"), line, true, None::<&str>)?;
            self.menu.insert(&entry, RUNS_AT + 1 + n)?;
            self.live.push((*run, entry));
        }
        Ok(())
    }
}

fn chosen(handle: &AppHandle, event: MenuEvent) {
    match event.id().as_ref() {
        ASK => windows::show_quick(handle),
        OPEN => windows::show_main(handle),
        WAITING => shell(handle).go(handle, Arrived::Waiting),
        QUIT => life::leave(handle, Leave::Ask),
        id => {
            if let Some(id) = id.strip_prefix(RUN).and_then(|id| id.parse().ok()) {
                shell(handle).go(handle, Arrived::Link(Link::Run { id, at: None }));
            }
        }
    }
}
