//! What something cost: CPU time of this process, wall time, memory. From `/proc`, so on Linux only.

use std::time::{Duration, Instant};

/// A reading to measure from.
pub(crate) struct Meter {
    cpu: Duration,
    wall: Instant,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self {
            cpu: cpu(),
            wall: Instant::now(),
        }
    }

    pub(crate) fn read(&self) -> Cost {
        Cost {
            cpu: cpu().saturating_sub(self.cpu),
            wall: self.wall.elapsed(),
        }
    }
}

impl Cost {
    /// Milliseconds of CPU and of wall for each of `n` pieces of work.
    pub(crate) fn per(self, n: u32) -> (f64, f64) {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0 / f64::from(n);
        (ms(self.cpu), ms(self.wall))
    }
}

/// Enough for this thread to be taken off its processor.
const A_STOP: Duration = Duration::from_micros(100);

/// Time all threads of this process have spent running. Threads that have ended are not counted; the runtime's stay.
fn cpu() -> Duration {
    // The kernel writes the time of a running thread up at its ticks, some milliseconds apart, or when it stops.
    std::thread::sleep(A_STOP);
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let spent = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// The most memory a process had at once, in bytes.
pub(crate) fn peak_memory_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1_024)
}
