//! The desktop shell: windows, tray, deep links and shortcuts, and nothing that a person could not also do with `bwana`.
//! There is no window in this version yet, and this program says so instead of pretending.

use std::io::Write;
use std::process::ExitCode;

/// As `bwana` ends when it is called for something it does not have.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let words = "This build of Bwana Desktop has no window; use `bwana`, which does the same work in the terminal.";
    // Nobody to tell is no reason to end otherwise.
    let _ = writeln!(std::io::stderr(), "{words}");
    ExitCode::from(EXIT_USAGE)
}
