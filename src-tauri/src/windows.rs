//! The windows: the main one, the quick one, and one for each run that was taken out. All show the same page, which asks
//! the shell which window it is in; none may go anywhere else.

use serde_json::json;
use tauri::webview::{NewWindowResponse, PageLoadEvent};
use tauri::window::Color;
use tauri::{AppHandle, Manager, Theme, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

use crate::prefs::{Own, Prefs};
use crate::shell::{Told, shell};

pub(crate) const MAIN: &str = "main";
pub(crate) const QUICK: &str = "quick";
/// In front of a run's id in the label of its window.
const RUN: &str = "run-";
/// Windows with a run of their own at the same time.
const RUN_WINDOWS_MAX: usize = 8;

/// Between the wish to show a window and its being there.
#[cfg(target_os = "linux")]
const SHOWN_AFTER: std::time::Duration = std::time::Duration::from_millis(100);
const MAIN_SIZE: (f64, f64) = (1200.0, 800.0);
const MAIN_SIZE_MIN: (f64, f64) = (480.0, 400.0);
const QUICK_SIZE: (f64, f64) = (420.0, 520.0);
const RUN_SIZE: (f64, f64) = (900.0, 720.0);

/// What a page is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Quick,
    Run,
}

impl Kind {
    pub(crate) fn of(label: &str) -> Self {
        match label {
            QUICK => Self::Quick,
            label if label.starts_with(RUN) => Self::Run,
            _ => Self::Main,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Quick => "quick",
            Self::Run => "run",
        }
    }
}

/// The main window; hidden if the program started with the session.
///
/// # Errors
/// If the window system gives none.
pub(crate) fn make_main(
    handle: &AppHandle,
    prefs: &Prefs,
    visible: bool,
) -> tauri::Result<WebviewWindow> {
    build(handle, prefs, MAIN, None, |window| {
        window
            .title("Bwana")
            .inner_size(MAIN_SIZE.0, MAIN_SIZE.1)
            .min_inner_size(MAIN_SIZE_MIN.0, MAIN_SIZE_MIN.1)
            .visible(visible)
    })
}

/// The quick window, hidden until it is called for, so that it is there at once then.
///
/// # Errors
/// If the window system gives none.
pub(crate) fn make_quick(handle: &AppHandle, prefs: &Prefs) -> tauri::Result<WebviewWindow> {
    build(handle, prefs, QUICK, None, |window| {
        window
            .title("Bwana")
            .inner_size(QUICK_SIZE.0, QUICK_SIZE.1)
            .resizable(false)
            .skip_taskbar(true)
            .always_on_top(true)
            .center()
            .visible(false)
    })
}

type Builder<'a> = WebviewWindowBuilder<'a, tauri::Wry, AppHandle>;

/// A run in a window of its own, or that window to the front.
///
/// # Errors
/// If the window system gives none.
pub(crate) fn show_run(handle: &AppHandle, prefs: &Prefs, run: &str) -> tauri::Result<bool> {
    let label = format!("{RUN}{run}");
    if let Some(window) = handle.get_webview_window(&label) {
        front(&window);
        return Ok(true);
    }
    let open = handle.webview_windows();
    if open
        .keys()
        .filter(|label| Kind::of(label) == Kind::Run)
        .count()
        >= RUN_WINDOWS_MAX
    {
        return Ok(false);
    }
    build(handle, prefs, &label, Some(run), |window| {
        window.title("Bwana").inner_size(RUN_SIZE.0, RUN_SIZE.1)
    })?;
    Ok(true)
}

pub(crate) fn show_main(handle: &AppHandle) {
    match handle.get_webview_window(MAIN) {
        Some(window) => front(&window),
        None => {
            let shell = shell(handle);
            if !shell.is_leaving()
                && let Err(error) = make_main(handle, &shell.prefs, true)
            {
                tracing::error!(%error, "the window cannot be made");
            }
        }
    }
}

pub(crate) fn show_quick(handle: &AppHandle) {
    let shell = shell(handle);
    let window = handle
        .get_webview_window(QUICK)
        .map_or_else(|| make_quick(handle, &shell.prefs), Ok);
    match window {
        Ok(window) => {
            let _ = window.center();
            front(&window);
            shell.tell(Told::QuickShown);
            if !shell.prefs.own::<bool>(Own::UsesQuick) {
                shell.prefs.set_own(Own::UsesQuick, &true);
            }
        }
        Err(error) => tracing::error!(%error, "the quick window cannot be made"),
    }
}

/// A window that cannot be moved is one the person is just closing.
fn front(window: &WebviewWindow) {
    let _ = window.unminimize();
    let _ = window.show();
    let _ = window.set_focus();
    #[cfg(target_os = "linux")]
    take_keyboard(window);
}

/// A window manager gives the keyboard to what a person used last. The tray, a link and the keys everywhere are told over
/// ways that carry no time, so for it this window would be one that pushes forward by itself.
#[cfg(target_os = "linux")]
fn take_keyboard(window: &WebviewWindow) {
    use gtk::prelude::{Cast as _, GtkWindowExt as _, WidgetExt as _};
    let shown = window.clone();
    let present = move || {
        let ground = shown.gtk_window().map(|shown| (shown.window(), shown));
        if let Ok((Some(ground), shown)) = ground
            && shown.is_visible()
            && let Ok(ground) = ground.downcast()
        {
            shown.present_with_time(gdkx11::functions::x11_get_server_time(&ground));
        }
    };
    // What was asked for before is done when the main thread has nothing else to do.
    let _ = window.run_on_main_thread(|| {
        gtk::glib::timeout_add_local_once(SHOWN_AFTER, present);
    });
}

fn build(
    handle: &AppHandle,
    prefs: &Prefs,
    label: &str,
    run: Option<&str>,
    shape: impl FnOnce(Builder<'_>) -> Builder<'_>,
) -> tauri::Result<WebviewWindow> {
    let theme = prefs.text("theme");
    let choice = match theme.as_deref() {
        Some("light" | "hc-light") => Some(Theme::Light),
        Some("dark" | "hc-dark") => Some(Theme::Dark),
        _ => None,
    };
    let known = json!({
        "host": "desktop",
        "window": Kind::of(label).name(),
        "run": run,
        "theme": theme,
        "view": prefs.view(),
    });
    // The page reads this before it draws anything. It is JSON inside a script of ours, so it cannot end it.
    let script = format!(
        "Object.defineProperty(window,'__bwana',{{value:Object.freeze({})}});",
        known.to_string().replace('<', "\\u003c")
    );
    let of_load = label.to_owned();
    let window = WebviewWindowBuilder::new(handle, label, WebviewUrl::App("".into()))
        .initialization_script(script)
        .theme(choice)
        .zoom_hotkeys_enabled(true)
        // Files dropped on the page are the page's own business: it reads them as text.
        .disable_drag_drop_handler()
        .devtools(cfg!(debug_assertions))
        .on_navigation(is_ours)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_page_load(move |window, load| {
            let shell = shell(window.app_handle());
            match load.event() {
                // A page that is about to load has nothing more to hear of what the one before it asked.
                PageLoadEvent::Started => shell.calls.forget(&of_load),
                PageLoadEvent::Finished if of_load == MAIN => shell.loaded.notify_one(),
                PageLoadEvent::Finished => {}
            }
        });
    let window = shape(window).build()?;
    let dark = window.theme().is_ok_and(|theme| theme == Theme::Dark);
    let _ = window.set_background_color(Some(ground(dark)));
    #[cfg(target_os = "linux")]
    crate::life::watch_page(&window);
    Ok(window)
}

/// The page's own ground, so that no white shows before the page does: `--bg` of the theme.
pub(crate) fn ground(dark: bool) -> Color {
    if dark {
        Color(0x14, 0x14, 0x13, 0xff)
    } else {
        Color(0xfa, 0xfa, 0xf8, 0xff)
    }
}

/// A window shows the program's own pages and never leaves them.
fn is_ours(url: &Url) -> bool {
    let own_scheme = url.scheme() == "tauri" && url.host_str() == Some("localhost");
    // Windows and Android serve the same under a name of their own.
    let own_host =
        matches!(url.scheme(), "http" | "https") && url.host_str() == Some("tauri.localhost");
    let is_ours = own_scheme || own_host;
    if !is_ours {
        tracing::warn!(
            scheme = url.scheme(),
            "a page wanted to go elsewhere and was not let"
        );
    }
    is_ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_never_leaves_the_programs_own_pages() {
        let check =
            |url: &str, expected| assert_eq!(is_ours(&url.parse().unwrap()), expected, "{url}");
        check("tauri://localhost/", true);
        check("tauri://localhost/index.html#/runs", true);
        check("http://tauri.localhost/index.html", true);
        for foreign in [
            "https://example.com/",
            "http://localhost/",
            "tauri://evil/",
            "http://tauri.localhost.example.com/",
            "http://127.0.0.1:8080/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "about:blank",
            "blob:tauri://localhost/x",
            "asset://localhost/x",
            "ipc://localhost/rpc",
        ] {
            check(foreign, false);
        }
    }

    #[test]
    fn a_label_says_what_a_window_is() {
        assert_eq!(Kind::of("main"), Kind::Main);
        assert_eq!(Kind::of("quick"), Kind::Quick);
        assert_eq!(Kind::of("run-run_06DMHX8ZB5S3N00000000000AB"), Kind::Run);
    }
}
