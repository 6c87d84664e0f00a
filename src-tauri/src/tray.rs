//! The icon in the tray and its menu: how things stand, what can be asked, what waits, what runs. On Linux a menu is all
//! a tray can do, so it is written anew whenever its text changes, and at most once a second.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bwana_api::arrivals::Arrived;
use bwana_api::command::{RunList, TasksList};
use bwana_api::link::Link;
use bwana_api::words::Words;
use bwana_api::{RunLine, runs, tasks};
use bwana_types::id::RunId;
use bwana_types::status::RunStatus;
use tauri::image::Image;
use tauri::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Theme, Wry};

use crate::life::{self, Leave};
use crate::shell::shell;
use crate::windows;

/// Between two writings of the menu.
const WRITTEN_EVERY: Duration = Duration::from_secs(1);
/// Live runs the menu names.
const RUNS_SHOWN: usize = 5;
/// Characters of a run's title in the menu.
const TITLE_CHARS: usize = 40;
/// Runs that are looked at to count the live ones.
const RUNS_LOOKED_AT: usize = 200;

const ASK: &str = "ask";
const WAITING: &str = "waiting";
const OPEN: &str = "open";
const QUIT: &str = "quit";
/// In front of a run's id.
const RUN: &str = "run:";

/// What the tray shows; written only when it differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shown {
    language: &'static str,
    waiting: usize,
    live: Vec<(RunId, String)>,
    live_count: usize,
    safe: bool,
    dark: bool,
}

/// Puts the icon into the tray and keeps it true until the program ends.
///
/// # Errors
/// If the window system gives no tray at all.
pub(crate) fn make(handle: &AppHandle) -> tauri::Result<()> {
    let words = Words::of(&language(handle));
    let shown = tauri::async_runtime::block_on(look(handle, &words));
    let tray = TrayIconBuilder::with_id("tray")
        .icon(icon(&shown))
        .icon_as_template(cfg!(target_os = "macos"))
        .tooltip("Bwana")
        .menu(&menu(handle, &words, &shown)?)
        .on_menu_event(chosen)
        .build(handle)?;
    tauri::async_runtime::spawn(keep_true(handle.clone(), tray));
    Ok(())
}

fn language(handle: &AppHandle) -> String {
    shell(handle).app.settings().language().to_owned()
}

async fn keep_true(handle: AppHandle, tray: TrayIcon) {
    let Ok(mut changed) = shell(&handle).app.changed() else {
        return;
    };
    let mut written = Shown::default();
    loop {
        shell(&handle)
            .has_tray
            .store(has_host().await, Ordering::Release);
        let words = Words::of(&language(&handle));
        let shown = look(&handle, &words).await;
        if shown != written {
            if icon_differs(&shown, &written) {
                let _ = tray.set_icon(Some(icon(&shown)));
            }
            match menu(&handle, &words, &shown) {
                Ok(menu) => drop(tray.set_menu(Some(menu))),
                Err(error) => tracing::warn!(%error, "the tray's menu cannot be written"),
            }
            let _ = tray.set_tooltip(Some(state_line(&words, &shown)));
            written = shown;
        }
        tokio::time::sleep(WRITTEN_EVERY).await;
        if changed.changed().await.is_err() {
            return;
        }
    }
}

fn icon_differs(a: &Shown, b: &Shown) -> bool {
    (a.waiting > 0) != (b.waiting > 0) || a.dark != b.dark
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

/// How things stand. A database that cannot be read just now changes nothing that is shown.
async fn look(handle: &AppHandle, words: &Words) -> Shown {
    let shell = shell(handle);
    let runs = shell
        .call::<RunList>(runs::ListRequest {
            limit: RUNS_LOOKED_AT,
            ..runs::ListRequest::default()
        })
        .await;
    let tasks = shell.call::<TasksList>(tasks::ListRequest::default()).await;
    let live: Vec<RunLine> = runs
        .map(|list| list.runs)
        .unwrap_or_default()
        .into_iter()
        .filter(|run| matches!(run.status, RunStatus::Running | RunStatus::Stopping))
        .collect();
    Shown {
        language: words.language(),
        waiting: tasks.map_or(0, |list| list.tasks.len()),
        live_count: live.len(),
        live: live
            .iter()
            .take(RUNS_SHOWN)
            .map(|run| (run.id, line(run)))
            .collect(),
        safe: shell.safe,
        dark: panel_is_dark(handle),
    }
}

fn line(run: &RunLine) -> String {
    let title: String = run.title.chars().take(TITLE_CHARS).collect();
    format!("{title} · {}/{}", run.steps_done, run.steps_total)
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
    match (shown.waiting > 0, shown.dark) {
        (false, true) => tauri::include_image!("icons/tray-on-dark.png"),
        (false, false) => tauri::include_image!("icons/tray-on-light.png"),
        (true, true) => tauri::include_image!("icons/tray-needs-you-on-dark.png"),
        (true, false) => tauri::include_image!("icons/tray-needs-you-on-light.png"),
    }
}

fn state_line(words: &Words, shown: &Shown) -> String {
    let count = shown.live_count.to_string();
    match (shown.safe, shown.waiting, shown.live_count) {
        (true, _, _) => words.say("tray.safe", &[]),
        (_, 0, 0) => words.say("tray.idle", &[]),
        (_, 0, _) => words.say("tray.working", &[("n", &count)]),
        (_, waiting, _) => words.say("tray.needs_you", &[("n", &waiting.to_string())]),
    }
}

fn menu(handle: &AppHandle, words: &Words, shown: &Shown) -> tauri::Result<Menu<Wry>> {
    let menu = Menu::new(handle)?;
    let item = |id: &str, text: String, enabled| {
        MenuItem::with_id(handle, id, text, enabled, None::<&str>)
    };
    let waiting = words.say("tray.waiting", &[("n", &shown.waiting.to_string())]);
    menu.append(&item("state", state_line(words, shown), false)?)?;
    menu.append(&PredefinedMenuItem::separator(handle)?)?;
    menu.append(&item(ASK, words.say("tray.ask", &[]), !shown.safe)?)?;
    menu.append(&item(WAITING, waiting, shown.waiting > 0)?)?;
    if !shown.live.is_empty() {
        menu.append(&PredefinedMenuItem::separator(handle)?)?;
        for (run, line) in &shown.live {
            menu.append(&item(&format!("{RUN}{run}"), line.clone(), true)?)?;
        }
    }
    menu.append(&PredefinedMenuItem::separator(handle)?)?;
    menu.append(&item(OPEN, words.say("tray.open", &[]), true)?)?;
    menu.append(&item(QUIT, words.say("tray.quit", &[]), true)?)?;
    Ok(menu)
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
