//! A plain, blocking client of the worker, the model under test, and the provider around it.

use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bwana_llm::local::frame::{
    ChatMessage, ChatRole, Cpu, FromWorker, Generate, Load, Loaded, PROTOCOL_VERSION, Purpose,
    ToWorker, read_frame, write_frame,
};
use bwana_llm::local::{LocalOptions, LocalProvider};

/// How long a condition may take to come true on a slow, loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Enough for every test, and quick to allocate.
pub(crate) const CONTEXT_TOKENS: u32 = 2_048;

/// One model in memory at a time, also when tests share a process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The model to test with, and the right to use it; `None`, said loudly, if there is none.
pub(crate) fn test_model() -> Option<(PathBuf, MutexGuard<'static, ()>)> {
    match std::env::var_os("BWANA_TEST_MODEL").filter(|path| !path.is_empty()) {
        Some(path) => {
            let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
            Some((PathBuf::from(path), guard))
        }
        None => {
            eprintln!(
                "\n*** SKIPPED: this test needs a model; set BWANA_TEST_MODEL to a GGUF file ***\n"
            );
            None
        }
    }
}

pub(crate) fn is_full() -> bool {
    std::env::var_os("BWANA_FULL").is_some_and(|value| value == "1")
}

pub(crate) fn worker_program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_bwana-model-worker"))
}

/// A worker process and its pipes.
pub(crate) struct Process {
    child: Child,
    to: Option<ChildStdin>,
    from: ChildStdout,
    next_id: u64,
}

impl Process {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(worker_program())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            to: child.stdin.take(),
            from: child.stdout.take().unwrap(),
            child,
            next_id: 1,
        }
    }

    /// A worker with `model` in it.
    pub(crate) fn with(model: &std::path::Path, purpose: Purpose) -> (Self, Loaded) {
        let mut process = Self::start();
        process.send(&ToWorker::Load(Load {
            path: model.to_str().unwrap().to_owned(),
            context_tokens: CONTEXT_TOKENS,
            threads: None,
            purpose,
        }));
        match process.next() {
            Some(FromWorker::Loaded(loaded)) => (process, loaded),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn hello(&mut self) -> Cpu {
        self.send(&ToWorker::Hello {
            version: PROTOCOL_VERSION,
        });
        match self.next() {
            Some(FromWorker::Hello { version, cpu }) => {
                assert_eq!(version, PROTOCOL_VERSION);
                cpu
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn send(&mut self, frame: &ToWorker) {
        write_frame(self.to.as_mut().unwrap(), frame).unwrap();
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        use std::io::Write as _;
        let to = self.to.as_mut().unwrap();
        // The worker may be gone already; what it said before is what counts.
        let _ = to.write_all(bytes).and_then(|()| to.flush());
    }

    pub(crate) fn next(&mut self) -> Option<FromWorker> {
        read_frame(&mut self.from).unwrap()
    }

    /// The next frame that is not about progress.
    pub(crate) fn next_word(&mut self) -> Option<FromWorker> {
        loop {
            match self.next() {
                Some(FromWorker::Progress { .. }) => {}
                other => return other,
            }
        }
    }

    pub(crate) fn begin(&mut self, call: Generate) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&ToWorker::Generate(Generate { id, ..call }));
        id
    }

    /// Runs a call to its end: the text and the last frame.
    pub(crate) fn generate(&mut self, call: Generate) -> (String, FromWorker) {
        let id = self.begin(call);
        let mut text = String::new();
        loop {
            match self.next_word().expect("the worker is there") {
                FromWorker::Token { id: of, text: more } => {
                    assert_eq!(of, id);
                    assert!(!more.is_empty());
                    text.push_str(&more);
                }
                last => return (text, last),
            }
        }
    }

    /// Closes its input, as the end of its host does, and waits for it to go.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.to = None;
        self.exit()
    }

    pub(crate) fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the worker ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn chat(system: &str, turns: &[&str]) -> Vec<ChatMessage> {
    let message = |role, content: &str| ChatMessage {
        role,
        content: content.to_owned(),
    };
    let roles = [ChatRole::User, ChatRole::Assistant];
    std::iter::once(message(ChatRole::System, system))
        .chain(
            turns
                .iter()
                .zip(roles.into_iter().cycle())
                .map(|(turn, role)| message(role, turn)),
        )
        .collect()
}

/// A call with nothing special about it.
pub(crate) fn call(messages: Vec<ChatMessage>, max_output_tokens: u32) -> Generate {
    Generate {
        id: 0,
        messages,
        max_output_tokens,
        temperature: 0.7,
        seed: 7,
        stop: Vec::new(),
        constraint: None,
    }
}

/// A provider whose only model is the one under test.
pub(crate) fn provider(model: PathBuf) -> LocalProvider {
    LocalProvider::new(options(model))
}

pub(crate) fn options(model: PathBuf) -> LocalOptions {
    // Not the folder of the model under test: nothing is written there.
    let mut options = LocalOptions::new(std::env::temp_dir().join("bwana-no-such-folder"));
    options.only_file = Some(model);
    options.worker = Some(worker_program());
    options.context_tokens = Some(CONTEXT_TOKENS);
    options
}

/// Waits for a condition, not for a time.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Process ids of the workers this process started.
#[cfg(target_os = "linux")]
pub(crate) fn workers() -> Vec<u32> {
    let own = std::process::id();
    let is_ours = |pid: &u32| {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            return false;
        };
        // `PID (NAME) STATE PARENT ...`; a dead one that nobody has waited for is a zombie.
        let Some((name, rest)) = stat.rsplit_once(") ") else {
            return false;
        };
        let mut fields = rest.split(' ');
        let alive = fields.next() != Some("Z");
        let parent = fields.next().and_then(|parent| parent.parse::<u32>().ok());
        alive && name.contains("(bwana-model-wo") && parent == Some(own)
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(is_ours)
        .collect()
}
