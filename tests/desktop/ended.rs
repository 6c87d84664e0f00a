//! Processes that a test starts and that end with it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::desk::{LOOK_AGAIN, PATIENCE};

/// A process that ends when the test does.
pub(crate) struct Ended(pub(crate) Child);

impl Ended {
    /// Starts it; what it says goes nowhere.
    pub(crate) fn of(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self(child)
    }

    /// Waits until it has ended, and gives the code it ended with.
    pub(crate) fn until_end(&mut self, what: &str) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program that says in its first line where it can be found.
pub(crate) fn told(command: &mut Command, env: &[(String, String)]) -> (Ended, String) {
    let mut child = command
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (Ended(child), line.trim().to_owned())
}

/// Starts one whose words nobody needs.
pub(crate) fn quiet(command: &mut Command, env: &[(String, String)]) -> Ended {
    Ended::of(command.envs(env.iter().map(|(name, value)| (name, value))))
}
