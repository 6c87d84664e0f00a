//! One worker process from the host's side: started, greeted, loaded, spoken to, and gone when dropped.
//! Which model, and when to start or stop one, is `local`'s.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bwana_types::model::{ErrorKind, LlmError, Phase};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::fetch::Use;
use super::frame::{
    self, FrameError, FrameReader, FromWorker, Load, Loaded, PROTOCOL_VERSION, ToWorker,
};

/// How long a worker may take to greet: it only starts and looks at the processor.
const HELLO_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a model may take to load, from the slowest disk.
const LOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a worker may be silent during a call before it counts as hung. It speaks at least once in 64 tokens.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a worker gets to end by itself when it is no longer needed.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of what a worker wrote to stderr is kept to explain its end, in bytes.
const STDERR_TAIL_BYTES: usize = 2 * 1024;
/// The signal of an instruction the processor does not know.
#[cfg(unix)]
const SIGILL: i32 = 4;
/// The signal the system ends processes with when memory runs out.
#[cfg(unix)]
const SIGKILL: i32 = 9;

/// A running worker with a model in it.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    frames: FrameReader<ChildStdout>,
    /// Frames to write. A task writes them, so that a dropped call never leaves half a frame behind.
    to: Option<mpsc::UnboundedSender<Vec<u8>>>,
    tasks: [JoinHandle<()>; 2],
    stderr: Arc<Mutex<Vec<u8>>>,
    loaded: Loaded,
    next_id: u64,
    pub(super) last_used: Instant,
    /// Keeps the file from being deleted.
    held: Option<Use>,
}

/// Why a call failed, and whether the worker can be spoken to after it.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) error: LlmError,
    pub(super) worker_lost: bool,
}

/// What a call heard of the worker.
pub(super) enum Heard {
    Progress,
    Text(String),
    /// The last frame of the call.
    End(FromWorker),
}

impl Worker {
    /// Starts the program, checks that it speaks our protocol, and loads the model.
    ///
    /// # Errors
    /// `Unreachable` if the program cannot be started or greets wrongly, `Refused` if the machine cannot run models,
    /// what the worker says if it cannot load the file, `Server` if it died meanwhile, `Timeout`.
    pub(super) async fn start(program: &Path, load: &Load) -> Result<Self, LlmError> {
        Self::start_once(program, load)
            .await
            .map_err(|error| match error.kind {
                // Nothing of an answer was lost yet.
                ErrorKind::Interrupted => LlmError {
                    kind: ErrorKind::Server,
                    ..error
                },
                _ => error,
            })
    }

    async fn start_once(program: &Path, load: &Load) -> Result<Self, LlmError> {
        let mut worker = Self::spawn(program)?;
        worker.send(&ToWorker::Hello {
            version: PROTOCOL_VERSION,
        })?;
        match worker.next(HELLO_TIMEOUT, Phase::Connect).await? {
            FromWorker::Hello { version, cpu: _ } if version == PROTOCOL_VERSION => {}
            FromWorker::Hello { version, .. } => {
                return Err(LlmError::new(
                    ErrorKind::Refused,
                    format!(
                        "the model worker {} is of another version (protocol {version}, not {PROTOCOL_VERSION}); reinstall the program",
                        program.display()
                    ),
                ));
            }
            other => return Err(unexpected(&other)),
        }
        worker.send(&ToWorker::Load(load.clone()))?;
        match worker.next(LOAD_TIMEOUT, Phase::FirstEvent).await? {
            FromWorker::Loaded(loaded) => worker.loaded = loaded,
            FromWorker::Error { kind, message, .. } => return Err(LlmError::new(kind, message)),
            other => return Err(unexpected(&other)),
        }
        Ok(worker)
    }

    fn spawn(program: &Path) -> Result<Self, LlmError> {
        let mut command = Command::new(program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        leave_secrets_behind(&mut command);
        if tracing::enabled!(tracing::Level::DEBUG) {
            command.arg("--debug");
        }
        #[cfg(windows)]
        {
            /// No console window for a child of a desktop program.
            const CREATE_NO_WINDOW: u32 = 0x0800_0000;
            command.creation_flags(CREATE_NO_WINDOW);
        }
        let cannot = |error: &dyn std::fmt::Display| {
            LlmError::new(
                ErrorKind::Unreachable,
                format!(
                    "the model worker {} cannot be started: {error}",
                    program.display()
                ),
            )
        };
        let mut child = command.spawn().map_err(|error| cannot(&error))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(cannot(&"its pipes are missing"));
        };
        let (to, from_us) = mpsc::unbounded_channel();
        let tail = Arc::new(Mutex::new(Vec::new()));
        let tasks = [
            tokio::spawn(write_all(from_us, stdin)),
            tokio::spawn(keep_tail(stderr, Arc::clone(&tail))),
        ];
        Ok(Self {
            child,
            frames: FrameReader::new(stdout),
            to: Some(to),
            tasks,
            stderr: tail,
            loaded: Loaded::default(),
            next_id: 1,
            last_used: Instant::now(),
            held: None,
        })
    }

    /// Keeps this until the worker is gone.
    pub(super) fn hold(&mut self, held: Option<Use>) {
        self.held = held;
    }

    pub(super) fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Begins a call: `request` gets the id to carry. Dropping the call cancels it.
    pub(super) fn call(
        &mut self,
        request: impl FnOnce(u64) -> ToWorker,
    ) -> Result<Call<'_>, LlmError> {
        let id = self.next_id;
        self.next_id += 1;
        self.last_used = Instant::now();
        self.send(&request(id))?;
        Ok(Call {
            worker: self,
            id,
            done: false,
        })
    }

    /// Ends the program: politely, then not.
    pub(super) async fn stop(mut self) {
        // The writing task ends with its channel and closes stdin, which is how a worker is told to go.
        self.to = None;
        if timeout(GOODBYE_TIMEOUT, self.child.wait()).await.is_err() {
            // Dropping the child kills it.
            tracing::debug!("the model worker did not end by itself");
        }
    }

    fn send(&self, request: &impl Serialize) -> Result<(), LlmError> {
        let bytes = frame::encode(request).map_err(|error| {
            let kind = match error {
                FrameError::TooLong { .. } => ErrorKind::ContextTooLong,
                _ => ErrorKind::BadRequest,
            };
            LlmError::new(
                kind,
                format!("the request cannot be sent to the model worker: {error}"),
            )
        })?;
        // A worker that is gone is noticed, and explained, where its answer is awaited.
        if let Some(to) = &self.to {
            let _ = to.send(bytes);
        }
        Ok(())
    }

    async fn next(&mut self, patience: Duration, phase: Phase) -> Result<FromWorker, LlmError> {
        match timeout(patience, self.frames.next()).await {
            Ok(Ok(Some(frame))) => Ok(frame),
            Ok(Ok(None) | Err(FrameError::Cut | FrameError::Io(_))) => {
                Err(self.explain_end().await)
            }
            Ok(Err(error @ (FrameError::TooLong { .. } | FrameError::Content(_)))) => {
                Err(LlmError::new(
                    ErrorKind::Malformed,
                    format!("the model worker sent something else than frames: {error}"),
                ))
            }
            Err(_) => Err(LlmError::new(
                ErrorKind::Timeout(phase),
                format!(
                    "the model worker was silent for {} seconds and was ended",
                    patience.as_secs()
                ),
            )),
        }
    }

    /// Why the worker is gone, as far as the system and the worker's last words tell.
    async fn explain_end(&mut self) -> LlmError {
        let status = timeout(GOODBYE_TIMEOUT, self.child.wait()).await;
        let how = match status {
            Ok(Ok(status)) => describe(status),
            _ => String::from("closed its output"),
        };
        let words = self.last_words();
        let message = if words.is_empty() {
            format!("the model worker {how}")
        } else {
            format!("the model worker {how}; its last words: {words}")
        };
        let kind = match status {
            Ok(Ok(status)) if is_illegal_instruction(status) => ErrorKind::Refused,
            _ => ErrorKind::Interrupted,
        };
        LlmError::new(kind, message)
    }

    fn last_words(&self) -> String {
        let tail = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&tail).trim().to_owned()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A call in flight.
pub(super) struct Call<'w> {
    worker: &'w mut Worker,
    id: u64,
    done: bool,
}

impl Call<'_> {
    /// The next thing the worker says about this call. Frames of earlier, cancelled calls are skipped.
    ///
    /// # Errors
    /// What the worker says if the call failed; or why the worker is lost and must be dropped.
    pub(super) async fn next(&mut self) -> Result<Heard, Trouble> {
        loop {
            let frame = match self.worker.next(SILENCE_TIMEOUT, Phase::Idle).await {
                Ok(frame) => frame,
                Err(error) => {
                    self.done = true;
                    return Err(Trouble {
                        error,
                        worker_lost: true,
                    });
                }
            };
            match frame {
                FromWorker::Progress { id, .. } if id == self.id => return Ok(Heard::Progress),
                FromWorker::Token { id, text } if id == self.id => return Ok(Heard::Text(text)),
                FromWorker::Done { id, .. }
                | FromWorker::Embedded { id, .. }
                | FromWorker::Stats { id, .. }
                    if id == self.id =>
                {
                    self.done = true;
                    self.worker.last_used = Instant::now();
                    return Ok(Heard::End(frame));
                }
                FromWorker::Error { id, kind, message } if id.is_none_or(|id| id == self.id) => {
                    self.done = true;
                    self.worker.last_used = Instant::now();
                    return Err(Trouble {
                        error: LlmError::new(kind, message),
                        worker_lost: false,
                    });
                }
                _ => {}
            }
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.worker.send(&ToWorker::Cancel { id: self.id });
        }
    }
}

/// Writes frames until the channel or the pipe ends.
async fn write_all(mut frames: mpsc::UnboundedReceiver<Vec<u8>>, mut to: ChildStdin) {
    while let Some(frame) = frames.recv().await {
        if to.write_all(&frame).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

/// Reads stderr to its end and keeps the last of it.
async fn keep_tail(mut from: tokio::process::ChildStderr, tail: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let words = &chunk[..read];
        tracing::debug!(words = %String::from_utf8_lossy(words), "model worker");
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(words);
        let excess = tail.len().saturating_sub(STDERR_TAIL_BYTES);
        tail.drain(..excess);
    }
}

fn unexpected(frame: &FromWorker) -> LlmError {
    match frame {
        FromWorker::Error { kind, message, .. } => LlmError::new(*kind, message.clone()),
        _ => LlmError::new(
            ErrorKind::Malformed,
            "the model worker answered something that was not asked",
        ),
    }
}

/// Whether the processor met an instruction it does not have: trying again cannot help.
#[cfg(unix)]
fn is_illegal_instruction(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(SIGILL)
}

#[cfg(not(unix))]
fn is_illegal_instruction(status: ExitStatus) -> bool {
    /// Windows' STATUS_ILLEGAL_INSTRUCTION.
    const ILLEGAL_INSTRUCTION: u32 = 0xc000_001d;
    status.code().map(i32::cast_unsigned) == Some(ILLEGAL_INSTRUCTION)
}

#[cfg(unix)]
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(SIGILL) => String::from(
            "was ended because this processor lacks an instruction it needs (AVX2, FMA, F16C or BMI2)",
        ),
        Some(SIGKILL) => String::from("was killed (signal 9), perhaps because memory ran out"),
        Some(signal) => format!("crashed (signal {signal})"),
        None => format!("ended ({status})"),
    }
}

#[cfg(not(unix))]
fn describe(status: ExitStatus) -> String {
    format!("ended ({status})")
}
/// Variables the worker may see: what the system, its libraries and its drivers go by. Keys stand in the environment
/// too, and a process that reads files of strangers gets none of them.
const WORKER_VARIABLES: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "LANG",
    "TZ",
    "SYSTEMROOT",
    "WINDIR",
    "LOCALAPPDATA",
    "APPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "USERPROFILE",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "BWANA_LOG",
    "RUST_BACKTRACE",
    "LLVM_PROFILE_FILE",
];
const WORKER_VARIABLES_BEGIN: &[&str] = &[
    "LC_",
    "LD_",
    "DYLD_",
    "GGML_",
    "LLAMA_",
    "OMP_",
    "KMP_",
    "GOMP_",
    "CUDA_",
    "VK_",
    "MESA_",
    "BWANA_WORKER_",
];

/// Gives a child that reads files of strangers the environment it needs and nothing else.
pub fn leave_secrets_behind(command: &mut Command) {
    command.env_clear();
    for (name, value) in std::env::vars_os() {
        if name.to_str().is_some_and(is_for_the_worker) {
            command.env(name, value);
        }
    }
}

fn is_for_the_worker(variable: &str) -> bool {
    let upper = variable.to_ascii_uppercase();
    // A key may be called anything, also OMP_TOKEN.
    let sounds_secret = ["KEY", "TOKEN", "SECRET", "PASS"]
        .iter()
        .any(|word| upper.contains(word));
    let is_known = WORKER_VARIABLES.contains(&upper.as_str())
        || WORKER_VARIABLES_BEGIN
            .iter()
            .any(|begin| upper.starts_with(begin));
    is_known && !sounds_secret
}
