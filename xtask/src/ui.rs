//! The interface's own checks: types, lint, unit tests, the build with its size, and the browser. They use npm, and begin
//! with the packages exactly as the lock file names them.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::{need, say};

/// Node.js that Vite runs on: major and minor.
const NODE_MIN: (u32, u32) = (20, 19);

/// What is run, in order: a name for people, and the npm script.
const STEPS: &[(&str, &str)] = &[
    ("interface: types and messages", "check"),
    ("interface: lint", "lint"),
    ("interface: unit tests", "test"),
    ("interface: build", "build"),
    ("interface: size", "size"),
];

/// The tests in a real browser.
const BROWSER: (&str, &str) = ("interface: browser", "test:ui");

/// Runs everything; `time` wraps each step and hears its name. Gives the names of what did not hold.
///
/// # Errors
/// If npm is there and cannot be started.
pub fn hold(
    mut time: impl FnMut(&'static str, &mut dyn FnMut() -> bool) -> bool,
) -> anyhow::Result<Vec<&'static str>> {
    let mut failed = Vec::new();
    if !has_node() {
        let (major, minor) = NODE_MIN;
        say::problem(&format!(
            "the interface needs Node.js {major}.{minor} or newer with npm; nothing of it was checked"
        ));
        failed.push("interface: Node.js");
        return Ok(failed);
    }
    let npm = |args: &[&str]| -> anyhow::Result<bool> {
        let status = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
            .args(args)
            .current_dir(crate::root())
            .status()
            .context("cannot run npm")?;
        Ok(status.success())
    };
    if !has_packages(&crate::root()) {
        let name = "interface: packages";
        if !time(name, &mut || {
            npm(&["ci", "--no-audit", "--no-fund"]).unwrap_or(false)
        }) {
            failed.push(name);
            return Ok(failed);
        }
    }
    let browser = need::runs("chromium", &["--version"]).then_some(&BROWSER);
    if browser.is_none() {
        say::line(
            "SKIPPED: the tests of the interface in a browser\n  because: there is no Chromium",
        );
    }
    for (name, script) in STEPS.iter().chain(browser) {
        if !time(name, &mut || {
            npm(&["run", "--silent", script]).unwrap_or(false)
        }) {
            failed.push(*name);
        }
    }
    Ok(failed)
}

fn has_node() -> bool {
    let version = Command::new("node").arg("--version").output();
    version.is_ok_and(|output| is_new_enough(&String::from_utf8_lossy(&output.stdout)))
}

/// `v20.19.3`
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) >= NODE_MIN,
        _ => false,
    }
}

/// Whether the packages are those of the lock file as it is now: npm writes its own copy when it is done.
fn has_packages(root: &Path) -> bool {
    let written = |name: &str| root.join(name).metadata().and_then(|file| file.modified());
    match (
        written("package-lock.json"),
        written("node_modules/.package-lock.json"),
    ) {
        (Ok(wanted), Ok(had)) => had >= wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_vite_does_not_run_on_is_known() {
        for good in ["v20.19.0\n", "v20.20.1", "v22.0.0", "24.1.0"] {
            assert!(is_new_enough(good), "{good}");
        }
        for bad in ["v18.20.4", "v20.18.9", "", "node"] {
            assert!(!is_new_enough(bad), "{bad}");
        }
    }
}
