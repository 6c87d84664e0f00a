//! The interface's own checks: types, lint, unit tests, the build with its size, and the browser. They use npm, and begin
//! with the packages exactly as the lock file names them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

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
    ("interface: handbook", "handbook"),
];

/// The tests in a real browser: alone, and with the engine behind the pages.
const BROWSER: &[(&str, &str)] = &[
    ("interface: browser", "test:ui"),
    ("interface: with the engine", "test:engine"),
];

/// Every script whose tests write a list of what did not hold.
const LISTED: &[&str] = &["test", "test:ui", "test:engine"];

/// What the tests of the script of this name write if something did not hold: a line each.
fn list_of_failed(script: &str) -> PathBuf {
    let name = script.replace(':', "-");
    crate::root()
        .join("target")
        .join(format!("failed-{name}.txt"))
}

/// Takes away what earlier tests wrote.
pub fn forget_failed() {
    for script in LISTED {
        // None there is as good.
        let _ = std::fs::remove_file(list_of_failed(script));
    }
}

/// The lines about what did not hold in the tests that ran last, or not at its first try.
pub fn what_failed() -> Vec<String> {
    let lists = LISTED.iter().map(|script| list_of_failed(script));
    lists
        .filter_map(|list| std::fs::read_to_string(list).ok())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Why the interface cannot be built here.
const NO_NODE: &str = "no Node.js at all";

/// Wraps a step and hears its name.
pub trait Timed: FnMut(&'static str, &mut dyn FnMut() -> bool) -> bool {}
impl<F: FnMut(&'static str, &mut dyn FnMut() -> bool) -> bool> Timed for F {}

/// Holds everything that needs no browser, and leaves the built pages behind. Gives the names of what did not hold.
pub fn hold(mut time: impl Timed) -> Vec<&'static str> {
    if let Err(why) = can_build() {
        say::problem(&format!("{why}; nothing of the interface was checked"));
        return vec!["interface: Node.js"];
    }
    let name = "interface: packages";
    if !has_packages(&crate::root()) && !time(name, &mut fetch_packages) {
        return vec![name];
    }
    all(STEPS, time)
}

/// Holds what needs a browser; the engine's test host must be built.
pub fn hold_in_browser(time: impl Timed) -> Vec<&'static str> {
    if !need::runs("chromium", &["--version"]) {
        say::line(
            "SKIPPED: the tests of the interface in a browser\n  because: there is no Chromium",
        );
        return Vec::new();
    }
    all(BROWSER, time)
}

fn all(steps: &[(&'static str, &str)], mut time: impl Timed) -> Vec<&'static str> {
    let failed = steps
        .iter()
        .filter(|(name, script)| !time(name, &mut || npm(&["run", "--silent", script])));
    failed.map(|(name, _)| *name).collect()
}

/// The built pages, for a program that carries them.
///
/// # Errors
/// If they cannot be built here; the words say why.
pub fn build() -> anyhow::Result<()> {
    packages()?;
    if !npm(&["run", "--silent", "build"]) {
        bail!("the interface could not be built; what npm said stands above");
    }
    Ok(())
}

/// The packages of the lock file, for what runs one of their tools.
///
/// # Errors
/// If there is no Node.js, or they cannot be fetched.
pub fn packages() -> anyhow::Result<()> {
    if let Err(why) = can_build() {
        bail!("{why}");
    }
    if !has_packages(&crate::root()) && !fetch_packages() {
        bail!("npm could not fetch the packages of the interface; what it said stands above");
    }
    Ok(())
}

/// Whether a window could carry the pages: they are built.
pub fn is_built() -> bool {
    crate::root().join("ui/dist/index.html").is_file()
}

/// # Errors
/// What a person must install.
pub fn can_build() -> Result<(), String> {
    let (major, minor) = NODE_MIN;
    let had = Command::new("node").arg("--version").output();
    let had = had.map_or_else(
        |_| String::from(NO_NODE),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    if is_new_enough(&had) {
        return Ok(());
    }
    Err(format!(
        "the interface needs Node.js {major}.{minor} or newer with npm, and here is {had}"
    ))
}

fn fetch_packages() -> bool {
    npm(&["ci", "--no-audit", "--no-fund"])
}

/// Runs one of the interface's scripts with these variables set.
pub fn script(name: &str, env: &[(&str, &str)]) -> bool {
    npm_with(&["run", "--silent", name], env)
}

fn npm(args: &[&str]) -> bool {
    npm_with(args, &[])
}

/// `false` too if there is no npm; then it says so itself.
fn npm_with(args: &[&str], env: &[(&str, &str)]) -> bool {
    let status = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
        .args(args)
        .envs(env.iter().copied())
        .current_dir(crate::root())
        .status();
    match status {
        Ok(status) => status.success(),
        Err(error) => {
            say::problem(&format!("cannot run npm: {error}"));
            false
        }
    }
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
