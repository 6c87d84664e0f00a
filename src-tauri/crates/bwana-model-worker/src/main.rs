//! The built-in local model as a child process.
fn main() {}
