//! The command line of Bwana: parses arguments, calls the command table, prints.
fn main() {}
