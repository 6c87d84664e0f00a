//! `cargo xtask bindings`: writes the TypeScript shapes of the command table, or says whether they are stale. The work is
//! in the crate `bwana-bindings`, so that setting a machine up does not wait for the engine to be built.

use std::process::ExitCode;

use anyhow::Context;

use crate::cargo;

/// What is to be done with the generated files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Write,
    /// Only say whether they fit the command table.
    Check,
}

/// Runs the generator.
///
/// # Errors
/// If cargo cannot be started.
pub fn run(wish: Wish) -> anyhow::Result<ExitCode> {
    let mut command = cargo::command();
    command.args(["run", "--quiet", "--package", "bwana-bindings", "--"]);
    command.arg(crate::root());
    if wish == Wish::Check {
        command.arg("--check");
    }
    let status = command.status().context("cannot run cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
