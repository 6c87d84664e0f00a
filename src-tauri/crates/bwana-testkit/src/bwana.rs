//! The `bwana` program as a person or a script uses it: a fresh home, commands with their output, processes that are
//! killed. Knows the command line only, nothing of what is behind it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a command may take before a test gives up on it: generous, for a machine that builds at the same time.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A home of its own and the program to use it with.
pub struct Bwana {
    program: PathBuf,
    folder: TempDir,
    env: Vec<(String, String)>,
}

impl Bwana {
    /// A fresh, empty home. `program` is `env!("CARGO_BIN_EXE_bwana")` in a test of the package that builds it.
    ///
    /// # Panics
    /// If no temporary folder can be made.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self {
            program: program.into(),
            folder,
            env: Vec::new(),
        }
    }

    /// A home that begins as a copy of this one: for many cases that start from the same place.
    ///
    /// # Panics
    /// If it cannot be copied.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new(&self.program);
        copy_folder(&self.home(), &copy.home());
        Self {
            env: self.env.clone(),
            ..copy
        }
    }

    /// The data folder.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A place for files of the test, outside the data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable for every command from now on.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file beside the data folder and says where it is.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file of the test");
        path
    }

    /// Adds an OpenAI-like provider without a price, so that calls cost nothing.
    ///
    /// # Panics
    /// If the program refuses.
    pub fn add_provider(&self, name: &str, url: &str, model: &str) {
        let args = [
            "providers",
            "add",
            name,
            "--kind",
            "openai",
            "--base-url",
            url,
        ];
        self.run(args.into_iter().chain(["--model", model]))
            .expect_code(0);
    }

    /// The command as it would be run, with a clean environment: nothing of the person at this machine leaks in.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .env_clear()
            .env("BWANA_HOME", self.home())
            .env("HOME", self.folder.path())
            .env("NO_COLOR", "1")
            .current_dir(self.folder.path());
        for name in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE", "RUST_BACKTRACE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// If it cannot be started or does not end in time.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        Running::start(self.command(args), "").finish(PATIENCE)
    }

    /// Runs a command to its end with `input` on standard input.
    ///
    /// # Panics
    /// As [`Bwana::run`].
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Output {
        Running::start(self.command(args), input).finish(PATIENCE)
    }

    /// Starts a command and goes on; ended with [`Running::kill`] or [`Running::finish`], at the latest when dropped.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn spawn<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Running {
        Running::start(self.command(args), "")
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder of the test");
    let permissions = std::fs::metadata(from)
        .expect("a folder to copy")
        .permissions();
    std::fs::set_permissions(to, permissions).expect("permissions of a folder");
    for entry in std::fs::read_dir(from).expect("a folder to copy") {
        let entry = entry.expect("a file to copy");
        let target = to.join(entry.file_name());
        let kind = entry.file_type().expect("the kind of a file");
        if kind.is_dir() {
            copy_folder(&entry.path(), &target);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target).expect("a copied file");
        }
    }
}

/// A process on its way.
pub struct Running {
    child: Child,
    shown: String,
    lines: Receiver<String>,
    seen: Vec<String>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts any command, with its output read in the background so that it never blocks.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(mut command: Command, input: &str) -> Self {
        let shown = format!("{command:?}");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        if let Some(mut stdin) = child.stdin.take() {
            // The program may end without reading.
            let _ = stdin.write_all(input.as_bytes());
        }
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut stderr = child.stderr.take().expect("piped");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self {
            child,
            shown,
            lines,
            seen: Vec::new(),
            stderr: Some(stderr),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output, or `None` when there is none within the time or the output has ended.
    pub fn next_line(&mut self, within: Duration) -> Option<String> {
        let line = self.lines.recv_timeout(within).ok()?;
        self.seen.push(line.clone());
        Some(line)
    }

    /// Reads lines until one is JSON for which `holds` is true; `None` when the output ends or the time is up.
    pub fn wait_for(&mut self, within: Duration, holds: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.next_line(left)?;
            match serde_json::from_str::<Value>(&line) {
                Ok(value) if holds(&value) => return Some(value),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Ends the process with SIGKILL, as a power cut would, and gives what it had printed.
    pub fn kill(mut self) -> Output {
        // It may have ended by itself: that is what random instants are about.
        let _ = self.child.kill();
        self.finish(PATIENCE)
    }

    /// Sends a signal by name, like `INT` or `TERM`.
    ///
    /// # Panics
    /// If there is no `kill` program.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If it does not come within the time; the process is then killed.
    pub fn finish(mut self, within: Duration) -> Output {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    let last = self.seen.last().cloned().unwrap_or_default();
                    panic!(
                        "{} did not end in {within:?}; its last line: {last}",
                        self.shown
                    );
                }
            }
        }
        let status = self.child.wait().expect("the end of a child");
        let stderr = self.stderr.take().and_then(|thread| thread.join().ok());
        Output {
            shown: std::mem::take(&mut self.shown),
            status,
            lines: std::mem::take(&mut self.seen),
            stderr: stderr.unwrap_or_default(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a finished command said.
#[derive(Debug)]
pub struct Output {
    /// The command, for messages.
    pub shown: String,
    pub status: ExitStatus,
    /// Standard output.
    pub lines: Vec<String>,
    pub stderr: String,
}

impl Output {
    /// The exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// # Panics
    /// If the command ended otherwise; with everything it said.
    #[track_caller]
    #[expect(
        clippy::return_self_not_must_use,
        reason = "the check is the point; the output is there for those who want more"
    )]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Standard output as JSON Lines. A last line that a kill has cut is left out.
    ///
    /// # Panics
    /// If a line is no JSON, unless it is the last of a killed process.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let mut values = Vec::with_capacity(self.lines.len());
        for (at, line) in self.lines.iter().enumerate() {
            match serde_json::from_str(line) {
                Ok(value) => values.push(value),
                Err(_) if self.code().is_none() && at + 1 == self.lines.len() => {}
                Err(error) => panic!("line {} is no JSON ({error}): {line}\n{self}", at + 1),
            }
        }
        values
    }

    /// The last line as JSON: the summary of `run`, the object of `show`.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn last(&self) -> Value {
        let last = self.json().pop();
        last.unwrap_or_else(|| panic!("nothing was printed\n{self}"))
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {}", self.shown, self.status)?;
        for line in &self.lines {
            writeln!(f, "  | {line}")?;
        }
        for line in self.stderr.lines() {
            writeln!(f, "  ! {line}")?;
        }
        Ok(())
    }
}
