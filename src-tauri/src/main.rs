//! The desktop shell: windows, tray, links and shortcuts around the one command table. It translates between the window
//! system and `bwana-api` and decides nothing; whatever it can do, a person could also do with `bwana`.
//! Built without the feature `desktop` it has no window, and says so.

#![cfg_attr(all(windows, feature = "desktop"), windows_subsystem = "windows")]

#[cfg(feature = "desktop")]
mod calls;
#[cfg(feature = "desktop")]
mod desktop;
#[cfg(feature = "desktop")]
mod life;
#[cfg(feature = "desktop")]
mod notices;
#[cfg(feature = "desktop")]
mod own;
#[cfg(feature = "desktop")]
mod prefs;
#[cfg(feature = "desktop")]
mod rpc;
#[cfg(feature = "desktop")]
mod shell;
#[cfg(feature = "desktop")]
mod start;
#[cfg(feature = "desktop")]
mod tray;
#[cfg(feature = "desktop")]
mod windows;

use std::io::Write;
use std::process::ExitCode;

/// As `bwana` ends when it is called for something it does not have.
#[cfg(not(feature = "desktop"))]
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    #[cfg(feature = "desktop")]
    return desktop::run();
    #[cfg(not(feature = "desktop"))]
    {
        say(
            "This build of Bwana Desktop has no window; use `bwana`, which does the same work in the terminal.",
        );
        ExitCode::from(EXIT_USAGE)
    }
}

/// To whoever started the program. Nobody to tell is no reason to end otherwise.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}
