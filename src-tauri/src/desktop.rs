//! The assembly: the data folder is opened, the plugins are put in, the windows are made. The order matters: a second
//! start hands its words to the first one before it touches anything.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bwana_api::system::{SystemClock, SystemIds, has_graphics};
use bwana_api::{App, HostOptions, Mode, Redactor, Secrets, care, socket};
use bwana_types::error::{ApiError, ErrorCode};
use tauri::{AppHandle, Builder, Manager, RunEvent, WindowEvent};
use tauri_plugin_autostart::MacosLauncher;
use tauri_plugin_window_state::StateFlags;

use crate::life::{self, FAILED_STARTS_MAX, PLAIN_DRAWING};
use crate::prefs::{Own, Prefs};
use crate::shell::{Shell, shell};
use crate::start::{self, Args};
use crate::{notices, own, rpc, say, tray, windows};

/// Threads that carry runs and requests; the window system has its own.
const WORKERS: usize = 2;
/// For whoever uses the quick window it is made when the start is over, so that it is there at once later. Its page takes
/// some 80 MB, which nobody else is to pay.
const QUICK_AFTER: Duration = Duration::from_secs(2);
/// How a command ends that was called for something it does not have.
const EXIT_NO_DISPLAY: u8 = 2;

/// Runs the program until it ends.
pub(crate) fn run() -> ExitCode {
    let args = start::args(std::env::args().skip(1));
    if !start::has_display() {
        say(
            "Bwana Desktop needs a screen to open its window; without one use `bwana`, which does the same work in the terminal.",
        );
        return ExitCode::from(EXIT_NO_DISPLAY);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!(
                "Bwana Desktop cannot start: the system gives no threads ({error})."
            ));
            return ExitCode::FAILURE;
        }
    };
    tauri::async_runtime::set(runtime.handle().clone());
    match build(args) {
        Ok(app) => {
            let code = app.run_return(on_event);
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        Err(error) => {
            say(&format!("Bwana Desktop cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn build(args: Args) -> tauri::Result<tauri::App> {
    let first = args.clone();
    let context = tauri::generate_context!();
    let mut single = tauri_plugin_single_instance::Builder::new().callback(|handle, words, _| {
        let args = start::args(words.into_iter().skip(1));
        if handle.try_state::<Shell>().is_none() {
            // It is not that far yet.
            return;
        }
        match args.link {
            Some(link) => shell(handle).link(handle, &link),
            None if args.quick => windows::show_quick(handle),
            None => windows::show_main(handle),
        }
    });
    if let Some(profile) = start::profile(&args) {
        single = single.dbus_id(format!("{}.profile_{profile}", context.config().identifier));
    }
    Builder::default()
        // First, so that a second start ends before it opens anything.
        .plugin(single.build())
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_store::Builder::new().build())
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_state_flags(StateFlags::all() & !StateFlags::VISIBLE)
                .with_denylist(&[windows::QUICK])
                .build(),
        )
        .plugin(tauri_plugin_autostart::init(
            MacosLauncher::LaunchAgent,
            Some(vec!["--hidden"]),
        ))
        .plugin(tauri_plugin_clipboard_manager::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_opener::init())
        .invoke_handler(tauri::generate_handler![rpc::rpc])
        .setup(move |app| {
            if let Err(error) = set_up(app.handle(), &first) {
                let why = format!("Bwana Desktop cannot start: {error}");
                start_failed(app.handle(), &why);
            }
            Ok(())
        })
        .build(context)
}

/// Nothing of a start that failed works on behind the words about it, and a start after it is one of its own.
fn start_failed(handle: &AppHandle, why: &str) {
    for window in handle.webview_windows().values() {
        let _ = window.destroy();
    }
    tauri_plugin_single_instance::destroy(handle);
    life::give_up(handle, why);
}

/// Everything that needs the window system and the data folder.
fn set_up(handle: &AppHandle, args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let prefs = Prefs::open(handle)?;
    let plain = prefs.own::<bool>(Own::PlainDrawing) || !has_graphics();
    if plain && std::env::var_os(PLAIN_DRAWING).is_none() {
        // Read when the first page is made, which is below.
        #[cfg(target_os = "linux")]
        draw_plainly();
    }
    let failed = life::begin(&prefs);
    let safe = args.safe || failed >= FAILED_STARTS_MAX;
    let mode = if prefs.own(Own::Repair) {
        Mode::Repair
    } else if safe {
        Mode::Read
    } else {
        Mode::Own
    };
    prefs.set_own(Own::Repair, &false);
    let app = match open(args, mode) {
        Ok(app) => app,
        Err(error) => {
            prefs.set_own(Own::FailedStarts, &failed);
            return Err(refusal(&error).into());
        }
    };
    let mode = app.mode();
    handle.manage(Shell::new(app, prefs.clone(), safe));
    let is_repair = mode == Mode::Repair;
    // Its process comes up while what was left unfinished is taken over; the page is heard when this here is over.
    windows::make_main(handle, &prefs, is_repair || !(args.hidden || args.quick))?;
    if mode == Mode::Own {
        tauri::async_runtime::block_on(take_over(handle)).map_err(|error| refusal(&error))?;
    }
    follow(handle);
    if is_repair {
        // Nothing else of this program has anything to show.
        return Ok(());
    }
    if args.quick {
        windows::show_quick(handle);
    }
    if let Some(link) = &args.link {
        shell(handle).link(handle, link);
    }
    if let Err(error) = tray::make(handle) {
        tracing::warn!(%error, "there is no tray");
    }
    notices::start(handle);
    let keys = shell(handle)
        .app
        .settings()
        .global_shortcut()
        .map(str::to_owned);
    if let Err(error) = own::shortcut(handle, keys.as_deref()) {
        tracing::warn!("{}", error.message);
    }
    Ok(())
}

/// What goes on beside the windows until the end.
fn follow(handle: &AppHandle) {
    #[cfg(unix)]
    tauri::async_runtime::spawn(life::on_terminate(handle.clone()));
    tauri::async_runtime::spawn(life::expect_paint(handle.clone()));
    #[cfg(target_os = "macos")]
    {
        use tauri_plugin_deep_link::DeepLinkExt as _;
        let of = handle.clone();
        handle.deep_link().on_open_url(move |event| {
            for url in event.urls() {
                shell(&of).link(&of, url.as_str());
            }
        });
    }
    let handle = handle.clone();
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(QUICK_AFTER).await;
        let of = handle.clone();
        let made = handle.run_on_main_thread(move || {
            let shell = shell(&of);
            if !shell.is_leaving()
                && shell.app.mode() != Mode::Repair
                && shell.prefs.own(Own::UsesQuick)
                && of.get_webview_window(windows::QUICK).is_none()
                && let Err(error) = windows::make_quick(&of, &shell.prefs)
            {
                tracing::warn!(%error, "the quick window cannot be made");
            }
        });
        drop(made);
    });
}

#[cfg(target_os = "linux")]
fn draw_plainly() {
    // SAFETY is the system's: no other thread of ours reads the environment this early.
    gtk::glib::setenv(PLAIN_DRAWING, "1", true).unwrap_or_default();
}

fn open(args: &Args, mode: Mode) -> Result<App, ApiError> {
    let home = start::home(args)?;
    let redactor = Redactor::new();
    bwana_api::report_crashes(&redactor, Some(&home));
    bwana_api::logs::start(&home, &redactor);
    let host = HostOptions {
        secrets: Secrets::new(&home, None, redactor),
        home,
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        unattended: false,
    };
    App::open_or_repair(host, mode)
}

async fn take_over(handle: &AppHandle) -> Result<(), ApiError> {
    let app = &shell(handle).app;
    #[cfg(unix)]
    {
        // The terminal's commands reach this program; it ends with it.
        match socket::serve(app) {
            Ok(server) => drop(handle.manage(server)),
            Err(error) => tracing::error!("{}. {}", error.message, error.hint),
        }
    }
    let resumed = app.take_over().await?;
    tracing::info!(runs = resumed.len(), "taken over");
    app.keep_house(care::FIRST_AFTER)
}

fn refusal(error: &ApiError) -> String {
    let hint = match error.code {
        ErrorCode::HomeInUse => "End it first, or look with `bwana-desktop --safe`.",
        _ => &error.hint,
    };
    format!("{}. {hint}", error.message)
}

fn on_event(handle: &AppHandle, event: RunEvent) {
    match event {
        RunEvent::WindowEvent {
            label,
            event: WindowEvent::CloseRequested { api, .. },
            ..
        } => match label.as_str() {
            windows::MAIN if life::closed(handle) => api.prevent_close(),
            windows::QUICK => {
                api.prevent_close();
                if let Some(window) = handle.get_webview_window(windows::QUICK) {
                    let _ = window.hide();
                }
            }
            _ => {}
        },
        RunEvent::WindowEvent {
            event: WindowEvent::ThemeChanged(theme),
            ..
        } => {
            let dark = theme == tauri::Theme::Dark;
            for window in handle.webview_windows().values() {
                let _ = window.set_background_color(Some(windows::ground(dark)));
            }
            shell(handle).tell(crate::shell::Told::Theme { dark });
        }
        RunEvent::WindowEvent {
            label,
            event: WindowEvent::Destroyed,
            ..
        } => shell(handle).calls.forget(&label),
        // The last window is closed, but the icon stays, and so does the work.
        RunEvent::ExitRequested {
            code: None, api, ..
        } => {
            if let Some(shell) = handle.try_state::<Shell>()
                && !shell.is_leaving()
            {
                api.prevent_exit();
            }
        }
        _ => {}
    }
}
