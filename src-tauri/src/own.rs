//! The shell's own commands for its pages: windows, links, clipboard, theme, shortcut, and leaving. Nothing here touches
//! runs or settings; that is the command table's.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

use bwana_api::{artifacts, downloads, link, profiles};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::id::RunId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager, Theme, WebviewWindow, Wry};
use tauri_plugin_autostart::ManagerExt as _;
use tauri_plugin_clipboard_manager::ClipboardExt as _;
use tauri_plugin_global_shortcut::{GlobalShortcut, ShortcutState};
use tauri_plugin_opener::OpenerExt as _;
use tokio::sync::broadcast::error::RecvError;

use crate::life;
use crate::prefs::Own;
use crate::shell::{Shell, Told};
use crate::windows;

/// Bytes that may be put on the clipboard at once.
const COPY_MAX_BYTES: usize = 8 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pref {
    key: String,
    value: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRun {
    run: RunId,
    /// Of the run's own list of files.
    #[serde(default)]
    file: Option<String>,
}

/// Does one of the shell's own commands; `name` is without `shell.`.
pub(crate) async fn command(
    handle: &AppHandle,
    window: &WebviewWindow,
    shell: &Shell,
    name: &str,
    params: Value,
    events: &Channel<Value>,
) -> Result<Value, ApiError> {
    match name {
        "ready" => Ok(ready(handle, shell)),
        "watch" => watch(shell, events).await,
        "links" => Ok(json!(shell.take_links())),
        "view" => {
            let Pref { key, value } = read(params)?;
            let fits = shell.prefs.set_view(&key, value);
            let too_much = || invalid("this is too much to keep about a window");
            fits.then_some(Value::Null).ok_or_else(too_much)
        }
        "theme" => theme(handle, shell, &field::<String>(&params, "text")?),
        "open_link" => open_link(handle, &field::<String>(&params, "url")?),
        "copy" => copy(handle, field(&params, "text")?),
        "save" => save(handle, &read(params)?),
        // The path comes from the engine, never from the page.
        "reveal" => {
            let OfRun { run, file } = read(params)?;
            in_folder(
                handle,
                &artifacts::place_of(&shell.app, run, file.as_deref())?,
            )
        }
        "reveal_settings" => in_folder(handle, shell.app.settings_path()),
        "profile" => profile(handle, shell, &field::<String>(&params, "name")?),
        "run_window" => {
            let OfRun { run, .. } = read(params)?;
            match windows::show_run(handle, &shell.prefs, &run.to_string()) {
                Ok(true) => Ok(Value::Null),
                Ok(false) => Err(invalid("there are enough windows with a run of their own")),
                Err(error) => Err(internal(&error)),
            }
        }
        "open" => {
            windows::show_main(handle);
            Ok(Value::Null)
        }
        "hide" => window
            .hide()
            .map(|()| Value::Null)
            .map_err(|error| internal(&error)),
        "quit" => {
            life::leave(handle, field(&params, "how")?);
            Ok(Value::Null)
        }
        "autostart" => autostart(handle, field(&params, "on")?),
        // Like `Ctrl+Alt+B`; `null`: none.
        "shortcut" => shortcut(handle, field::<Option<String>>(&params, "keys")?.as_deref()),
        _ => Err(invalid("the shell has no such command")),
    }
}

/// A page has drawn itself and wants to know where it is.
fn ready(handle: &AppHandle, shell: &Shell) -> Value {
    if !shell.painted.swap(true, Ordering::AcqRel) {
        // With its time: how long a start takes is read here, by people and by the bench.
        tracing::info!("the window is drawn");
        shell.prefs.set_own(Own::FailedStarts, &0);
    }
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "safe": shell.safe,
        "has_tray": shell.has_tray.load(Ordering::Acquire),
        "autostart": handle.autolaunch().is_enabled().unwrap_or(false),
        // Elsewhere a second start ends before it has heard for which data folder it was made.
        "can_profile": cfg!(target_os = "linux"),
        "can_shortcut": cfg!(not(target_os = "linux")) || std::env::var_os("WAYLAND_DISPLAY").is_none(),
    })
}

/// Tells a page what the shell has to say until the page goes.
async fn watch(shell: &Shell, events: &Channel<Value>) -> Result<Value, ApiError> {
    let mut told = shell.listen();
    loop {
        let said = match told.recv().await {
            Ok(said) => said,
            // What was missed can be asked for; links wait until they are taken.
            Err(RecvError::Lagged(_)) => Told::Links,
            Err(RecvError::Closed) => return Ok(Value::Null),
        };
        if events.send(json!(said)).is_err() {
            return Ok(Value::Null);
        }
    }
}

fn theme(handle: &AppHandle, shell: &Shell, theme: &str) -> Result<Value, ApiError> {
    let choice = match theme {
        "system" => None,
        "light" | "hc-light" => Some(Theme::Light),
        "dark" | "hc-dark" => Some(Theme::Dark),
        _ => return Err(invalid("there is no such theme")),
    };
    shell.prefs.set_view("theme", json!(theme));
    handle.set_theme(choice);
    for window in handle.webview_windows().values() {
        let dark = window.theme().is_ok_and(|theme| theme == Theme::Dark);
        let _ = window.set_background_color(Some(windows::ground(dark)));
    }
    Ok(Value::Null)
}

/// Opens what a person chose on the sheet that showed the host.
fn open_link(handle: &AppHandle, url: &str) -> Result<Value, ApiError> {
    let url =
        link::outside(url).ok_or_else(|| invalid("only https and mailto addresses are opened"))?;
    handle
        .opener()
        .open_url(url, None::<&str>)
        .map(|()| Value::Null)
        .map_err(|error| internal(&error))
}

fn copy(handle: &AppHandle, text: String) -> Result<Value, ApiError> {
    if text.len() > COPY_MAX_BYTES {
        return Err(invalid("this is too much for the clipboard"));
    }
    handle
        .clipboard()
        .write_text(text)
        .map(|()| Value::Null)
        .map_err(|error| internal(&error))
}

/// Saves where the person's downloads are; the page chooses no folder.
fn save(handle: &AppHandle, file: &downloads::ToSave) -> Result<Value, ApiError> {
    let paths = handle.path();
    let home = || paths.home_dir().map(downloads::within);
    let folder = paths.download_dir().or_else(|_| home());
    let path = downloads::keep(&folder.map_err(|error| internal(&error))?, file)?;
    Ok(json!({"path": path.display().to_string()}))
}

/// Shows a file or a folder in the file manager.
fn in_folder(handle: &AppHandle, path: &Path) -> Result<Value, ApiError> {
    let shown = handle.opener().reveal_item_in_dir(path);
    shown
        .map(|()| Value::Null)
        .map_err(|error| internal(&error))
}

/// Opens another profile in a program of its own, or brings the one that has it to the front.
fn profile(handle: &AppHandle, shell: &Shell, name: &str) -> Result<Value, ApiError> {
    let home = profiles::folder_of(shell.app.home(), name)?;
    let started = tauri::process::current_binary(&handle.env()).and_then(|program| {
        let mut child = Command::new(program).arg("--home").arg(home).spawn()?;
        // Somebody must hear how it ends, or the system keeps its place until this program ends too.
        std::thread::spawn(move || child.wait());
        Ok(Value::Null)
    });
    started.map_err(|error| internal(&error))
}

fn autostart(handle: &AppHandle, on: bool) -> Result<Value, ApiError> {
    let launch = handle.autolaunch();
    let done = if on {
        launch.enable()
    } else {
        launch.disable()
    };
    done.map_err(|error| internal(&error))?;
    Ok(json!({"on": launch.is_enabled().unwrap_or(false)}))
}

/// Sets the one key that calls the quick window from anywhere; another program may have it already.
pub(crate) fn shortcut(handle: &AppHandle, keys: Option<&str>) -> Result<Value, ApiError> {
    let known = handle.try_state::<GlobalShortcut<Wry>>();
    if let Some(shortcuts) = &known {
        let _ = shortcuts.unregister_all();
    }
    let Some(keys) = keys else {
        return Ok(Value::Null);
    };
    if known.is_none() {
        listen_for_keys(handle)?;
    }
    let shortcuts = handle.state::<GlobalShortcut<Wry>>();
    shortcuts.register(keys).map_err(|error| {
        ApiError::new(
            ErrorCode::UsageInvalid,
            format!("the keys {keys} cannot be used: {error}"),
        )
        .with_hint("Another program may have them; choose others.")
    })?;
    Ok(Value::Null)
}

/// Under X11 the plugin looks for its keys twenty times a second, half of what an idle program takes of the processor, so
/// it is there only for who has chosen some. It belongs to the thread of the windows.
fn listen_for_keys(handle: &AppHandle) -> Result<(), ApiError> {
    let (answer, answered) = mpsc::channel();
    let of = handle.clone();
    let add = move || {
        let keys = tauri_plugin_global_shortcut::Builder::new().with_handler(|handle, _, event| {
            if event.state() == ShortcutState::Pressed {
                // Not here: this thread must answer when keys are changed.
                let of = handle.clone();
                let _ = handle.run_on_main_thread(move || windows::show_quick(&of));
            }
        });
        let _ = answer.send(of.plugin(keys.build()));
    };
    handle
        .run_on_main_thread(add)
        .map_err(|error| internal(&error))?;
    let added = answered.recv().map_err(|error| internal(&error))?;
    added.map_err(|error| internal(&error))
}

fn field<T: DeserializeOwned>(params: &Value, name: &str) -> Result<T, ApiError> {
    read(params.get(name).cloned().unwrap_or_default())
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, ApiError> {
    serde_json::from_value(params)
        .map_err(|error| invalid(&format!("the parameters do not fit: {error}")))
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(ErrorCode::UsageInvalid, message)
}

fn internal(error: &impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::Internal, error.to_string())
}
