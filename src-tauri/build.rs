//! Build script of the desktop shell. Without the `desktop` feature there is nothing to prepare.
fn main() {}
