//! `cargo xtask fixture-home`: makes a data folder with a past. The work is in an example program of the server, which
//! runs scripted workflows through the real engine; this only builds and starts it.

use std::process::ExitCode;

use anyhow::Context;

use crate::cargo;

/// Makes the folder; the words are the program's.
///
/// # Errors
/// If cargo cannot be started.
pub fn run(words: &[String]) -> anyhow::Result<ExitCode> {
    let mut command = cargo::command();
    command.args(["run", "--quiet", "--package", "bwana-server"]);
    command.args(["--example", "bwana-fixture-home", "--"]);
    let status = command.args(words).status().context("cannot run cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
