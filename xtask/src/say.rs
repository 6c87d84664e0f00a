//! Words to the person at the terminal. The only place of this crate that prints.

use std::io::Write;

/// A line on standard output.
pub fn line(text: &str) {
    // A closed pipe is the reader's choice.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on standard error.
pub fn problem(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
