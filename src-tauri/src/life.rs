//! How the program comes up and goes: the first paint that must come, a page that dies and is loaded again, the closed
//! window, and leaving without breaking off what runs.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bwana_api::command::{RunCancel, RunPause};
use bwana_api::runs::RunRef;
use serde::Deserialize;
use tauri::{AppHandle, Manager};
use tauri_plugin_dialog::{DialogExt as _, MessageDialogKind};

use crate::prefs::Own;
use crate::shell::{Shell, Told, shell};
use crate::{say, windows};

/// A page that has not drawn itself by then never will.
const FIRST_PAINT_MAX: Duration = Duration::from_secs(4);
/// How often a leaving program looks whether the steps have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Starts in a row that came to nothing before the next one only looks.
pub(crate) const FAILED_STARTS_MAX: u32 = 2;
/// A page that died so often will not live.
#[cfg(target_os = "linux")]
const PAGE_DEATHS_MAX: u32 = 4;
/// Deaths farther apart have nothing to do with each other.
#[cfg(target_os = "linux")]
const PAGE_LIVES: Duration = Duration::from_secs(60);
/// How the program ends that has no window.
const EXIT_FAILED: i32 = 1;
/// Makes `WebKitGTK` draw without direct access to the screen's memory, which some drivers break.
pub(crate) const PLAIN_DRAWING: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// What is said when no page lives.
#[cfg(target_os = "linux")]
const NO_PAGE: &str = "Bwana Desktop cannot draw its window: it ends as soon as it is drawn. The system's WebKitGTK or its graphics may be broken. \
    Update the system and try again; until then the command bwana does the same work in a terminal.";

/// How to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Leave {
    /// Ask the person if something runs.
    Ask,
    /// When the steps under way have ended. What is left goes on at the next start.
    AfterStep,
    /// Now; what was under way goes on at the next start.
    Now,
    /// Pause every run first: each goes on when the person says so.
    Pause,
    /// End every run.
    Stop,
    /// Now, and start again.
    Again,
    /// The same, with a database that is damaged: the next start opens it for repair.
    Repair,
}

/// Leaves, or asks how.
pub(crate) fn leave(handle: &AppHandle, how: Leave) {
    let shell = shell(handle);
    let live = shell.app.live_runs().len();
    if how == Leave::Ask && live > 0 && !shell.safe {
        windows::show_main(handle);
        shell.tell(Told::QuitAsked { runs: live });
        return;
    }
    if shell.leaving.swap(true, Ordering::AcqRel) {
        return;
    }
    for window in handle.webview_windows().values() {
        let _ = window.hide();
    }
    shell.prefs.set_own(Own::Repair, &(how == Leave::Repair));
    let handle = handle.clone();
    tauri::async_runtime::spawn(async move {
        settle(&handle, how).await;
        if matches!(how, Leave::Again | Leave::Repair) {
            handle.restart();
        }
        handle.exit(0);
    });
}

/// Brings the runs to where the person wants them, then makes everything durable.
async fn settle(handle: &AppHandle, how: Leave) {
    let shell = shell(handle);
    for run in shell.app.live_runs() {
        let request = RunRef {
            run: run.to_string(),
        };
        let done = match how {
            Leave::Pause | Leave::AfterStep => shell.call::<RunPause>(request).await.map(drop),
            Leave::Stop => shell.call::<RunCancel>(request).await.map(drop),
            Leave::Ask | Leave::Now | Leave::Again | Leave::Repair => Ok(()),
        };
        if let Err(error) = done {
            tracing::warn!(%run, "not as wished: {}", error.message);
        }
    }
    if how == Leave::AfterStep {
        // A pause lets what is in flight finish; the person may also end this by starting the program again.
        while !shell.app.live_runs().is_empty() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    if let Err(error) = shell.app.close().await {
        tracing::error!("the last words were not written: {}", error.message);
    }
}

/// The main window's close button. `true`: the window is kept, hidden.
pub(crate) fn closed(handle: &AppHandle) -> bool {
    let shell = shell(handle);
    if shell.is_leaving() {
        return false;
    }
    if !shell.has_tray.load(Ordering::Acquire) {
        leave(handle, Leave::Ask);
        return true;
    }
    if !shell.prefs.own::<bool>(Own::SaidKept) {
        // Said in the window itself, which therefore stays this once.
        shell.prefs.set_own(Own::SaidKept, &true);
        shell.tell(Told::KeptInTray);
        return true;
    }
    if let Some(window) = handle.get_webview_window(windows::MAIN) {
        let _ = window.hide();
    }
    true
}

/// The system's wish that the program ends: at a durable step, within the two seconds a session gives.
#[cfg(unix)]
pub(crate) async fn on_terminate(handle: AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    leave(&handle, Leave::Now);
}

/// Counts a start that has come to nothing so far; a page that draws itself takes it back.
pub(crate) fn begin(prefs: &crate::prefs::Prefs) -> u32 {
    let failed = prefs.own::<u32>(Own::FailedStarts);
    prefs.set_own(Own::FailedStarts, &(failed + 1));
    failed
}

/// If a page that is loaded and can be seen does not draw itself in time, starts once more with plain drawing, and
/// remembers it. A busy machine loads late, and a window that nobody sees draws nothing; neither is a reason.
pub(crate) async fn expect_paint(handle: AppHandle) {
    if std::env::var_os(PLAIN_DRAWING).is_some() || !cfg!(target_os = "linux") {
        return;
    }
    let shell = shell(&handle);
    shell.loaded.notified().await;
    let mut unseen = Duration::ZERO;
    while unseen < FIRST_PAINT_MAX {
        tokio::time::sleep(LOOK_AGAIN).await;
        if shell.painted.load(Ordering::Acquire) || shell.is_leaving() {
            return;
        }
        let window = handle.get_webview_window(windows::MAIN);
        if window.is_some_and(|window| window.is_visible().unwrap_or(false)) {
            unseen += LOOK_AGAIN;
        }
    }
    tracing::warn!("the window stayed empty");
    start_plain(&handle);
}

/// Starts once more with plain drawing, and remembers it.
fn start_plain(handle: &AppHandle) {
    tracing::warn!("starting again with plain drawing");
    shell(handle).prefs.set_own(Own::PlainDrawing, &true);
    leave(handle, Leave::Again);
}

/// Says why there is nothing to see, in a box of the system: whoever chose the program from a menu reads no terminal. The
/// program ends with the box; what runs goes on until then.
pub(crate) fn give_up(handle: &AppHandle, why: &str) {
    say(why);
    tracing::error!("{why}");
    let of = handle.clone();
    let name = handle.package_info().name.clone();
    let said = handle.dialog().message(why).title(name);
    said.kind(MessageDialogKind::Error).show(move |_| {
        tauri::async_runtime::spawn(async move {
            if let Some(shell) = of.try_state::<Shell>()
                && !shell.leaving.swap(true, Ordering::AcqRel)
            {
                settle(&of, Leave::Now).await;
            }
            of.exit(EXIT_FAILED);
        });
    });
}

/// A page whose process died is loaded again; its runs have not noticed.
#[cfg(target_os = "linux")]
pub(crate) fn watch_page(window: &tauri::WebviewWindow) {
    let again = window.clone();
    let lately = Cell::new((0, None::<Instant>));
    let watched = window.with_webview(move |webview| {
        use webkit2gtk::WebViewExt as _;
        webview
            .inner()
            .connect_web_process_terminated(move |_, reason| {
                let handle = again.app_handle();
                shell(handle).calls.forget(again.label());
                let (before, last) = lately.get();
                let is_again = last.is_some_and(|last| last.elapsed() < PAGE_LIVES);
                let deaths = if is_again { before + 1 } else { 1 };
                lately.set((deaths, Some(Instant::now())));
                tracing::warn!(
                    ?reason,
                    deaths,
                    window = again.label(),
                    "a page's process ended"
                );
                if deaths < PAGE_DEATHS_MAX {
                    if let Err(error) = again.reload() {
                        tracing::error!(%error, "the page cannot be loaded again");
                    }
                } else if deaths == PAGE_DEATHS_MAX && std::env::var_os(PLAIN_DRAWING).is_none() {
                    start_plain(handle);
                } else if deaths == PAGE_DEATHS_MAX {
                    // It did not help, and a system that is mended needs it no more.
                    shell(handle).prefs.set_own(Own::PlainDrawing, &false);
                    give_up(handle, NO_PAGE);
                }
            });
    });
    if let Err(error) = watched {
        tracing::warn!(%error, "a page's process is not watched");
    }
}
