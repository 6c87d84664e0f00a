//! Calls of cargo, with the one feature selection that everything shares, so that nothing is compiled twice.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

/// The cargo that runs us, at the root of the workspace.
pub fn command() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(crate::root());
    forget_outer_cargo(&mut command);
    command
}

/// Takes out what the cargo that runs us has said about this package: build scripts that watch such a variable would
/// run again, and half the tree with them.
pub fn forget_outer_cargo(command: &mut Command) {
    const SAID: &[&str] = &[
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
    ];
    for (name, _) in std::env::vars_os() {
        if SAID
            .iter()
            .any(|said| name.to_string_lossy().starts_with(said))
        {
            command.env_remove(&name);
        }
    }
}

/// Lets clippy compile the packages of this workspace, with every warning an error: one pass builds and lints, where
/// `cargo clippy` after `cargo build` reads all third parties a second time. All calls that are to share what was built
/// must be made so. This is what `cargo clippy` sets for `cargo check`; its driver gives complete programs too.
pub fn with_lints(command: &mut Command) {
    command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env(
        "CLIPPY_ARGS",
        "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
    );
}

/// Builds the programs as people get them, the window with its pages in it and so the one for the terminal, and the
/// programs that measure them: in one selection of features, so that what is measured is what is packed.
///
/// # Errors
/// If cargo cannot be run or the build fails.
pub fn build_release() -> anyhow::Result<()> {
    let packages = [
        "bwana-cli",
        "bwana-model-worker",
        "bwana-server",
        "bwana-desktop",
    ];
    let status = command()
        .args(["build", "--release", "--bins", "--examples"])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .arg("--features")
        .arg("bwana-cli/embed-ui,bwana-desktop/desktop,bwana-desktop/custom-protocol")
        .status()
        .context("cannot run cargo build")?;
    if !status.success() {
        bail!("the build failed; what the compiler said stands above");
    }
    Ok(())
}

/// Where cargo puts what it builds.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || crate::root().join("target"),
        |folder| crate::root().join(folder),
    )
}

/// Where the development build puts its programs.
pub fn programs() -> PathBuf {
    target_folder().join("debug")
}

/// Whether a package of this workspace has a feature.
///
/// # Errors
/// If cargo cannot read the workspace.
pub fn has_feature(package: &str, feature: &str) -> anyhow::Result<bool> {
    let output = command()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let found = packages.iter().find(|found| found["name"] == package);
    Ok(found.is_some_and(|found| found["features"].get(feature).is_some()))
}
