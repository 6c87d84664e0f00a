//! The two ends of the pipe: a thread that reads frames, the cancels it has seen, and the one place that writes.
//! Knows nothing of models.

use std::collections::BTreeSet;
use std::io::{self, BufReader, BufWriter, Read};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bwana_llm::local::frame::{
    Cpu, FrameError, FromWorker, PROTOCOL_VERSION, ToWorker, read_frame, write_frame,
};
use bwana_types::model::ErrorKind;

/// How long the computing thread gets to finish its token after the host is gone.
const GRACE_AFTER_END: Duration = Duration::from_secs(3);
/// Exit code after a stream of frames that could not be followed.
const EXIT_BAD_STREAM: u8 = 2;

/// Requests in the order they came. The channel is not bounded, but the host sends one at a time.
pub(crate) type Requests = Receiver<ToWorker>;

pub(crate) struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    out: Mutex<BufWriter<io::Stdout>>,
    cancelled: Mutex<BTreeSet<u64>>,
    /// Ids ascend, so a cancel up to this one is too late to matter.
    finished_up_to: AtomicU64,
    ended: AtomicBool,
    bad_stream: AtomicBool,
}

impl Control {
    /// Starts reading stdin.
    pub(crate) fn start(cpu: Cpu) -> (Self, Requests) {
        let shared = Arc::new(Shared {
            out: Mutex::new(BufWriter::new(io::stdout())),
            cancelled: Mutex::default(),
            finished_up_to: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            bad_stream: AtomicBool::new(false),
        });
        let (sender, requests) = channel();
        let reader = Arc::clone(&shared);
        std::thread::spawn(move || {
            reader.read_all(&mut BufReader::new(io::stdin()), &sender, &cpu);
            reader.ended.store(true, Ordering::Relaxed);
            // Wakes a computing thread that waits for a request.
            drop(sender);
            std::thread::sleep(GRACE_AFTER_END);
            std::process::exit(0);
        });
        (Self { shared }, requests)
    }

    /// Sends a frame. A host that no longer listens counts as an end of input.
    pub(crate) fn send(&self, frame: &FromWorker) {
        self.shared.send(frame);
    }

    pub(crate) fn fail(&self, id: Option<u64>, kind: ErrorKind, message: impl Into<String>) {
        self.shared.send(&FromWorker::Error {
            id,
            kind,
            message: message.into(),
        });
    }

    /// Whether call `id` should stop now: it was cancelled, or nobody is left to read the answer.
    #[cfg(feature = "local-llm")]
    pub(crate) fn should_stop(&self, id: u64) -> bool {
        self.ended()
            || self
                .shared
                .cancelled
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&id)
    }

    #[cfg(feature = "local-llm")]
    pub(crate) fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::Relaxed)
    }

    /// Forgets the cancels of calls up to `id`.
    #[cfg(feature = "local-llm")]
    pub(crate) fn finished(&self, id: u64) {
        self.shared.finished_up_to.fetch_max(id, Ordering::Relaxed);
        self.shared
            .cancelled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|cancelled| *cancelled > id);
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.shared.bad_stream.load(Ordering::Relaxed) {
            ExitCode::from(EXIT_BAD_STREAM)
        } else {
            ExitCode::SUCCESS
        }
    }
}

impl Shared {
    fn send(&self, frame: &FromWorker) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(FrameError::Io(_)) = write_frame(&mut *out, frame) {
            self.ended.store(true, Ordering::Relaxed);
        }
    }

    /// Reads until the input ends or can no longer be followed.
    fn read_all(&self, from: &mut impl Read, requests: &Sender<ToWorker>, cpu: &Cpu) {
        loop {
            match read_frame::<ToWorker>(from) {
                Ok(None) => return,
                Ok(Some(ToWorker::Hello { .. })) => self.send(&FromWorker::Hello {
                    version: PROTOCOL_VERSION,
                    cpu: cpu.clone(),
                }),
                Ok(Some(ToWorker::Cancel { id })) => {
                    if id > self.finished_up_to.load(Ordering::Relaxed) {
                        self.cancelled
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(id);
                    }
                }
                Ok(Some(ToWorker::Unknown)) => {
                    self.refuse("this worker does not know that kind of request");
                }
                Ok(Some(request)) => {
                    if requests.send(request).is_err() {
                        return;
                    }
                }
                Err(error @ FrameError::Content(_)) => self.refuse(&error.to_string()),
                Err(error) => {
                    self.bad_stream.store(true, Ordering::Relaxed);
                    return self.refuse(&error.to_string());
                }
            }
        }
    }

    fn refuse(&self, words: &str) {
        self.send(&FromWorker::Error {
            id: None,
            kind: ErrorKind::Malformed,
            message: words.to_owned(),
        });
    }
}
