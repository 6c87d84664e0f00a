//! What happens when the program panics: a short word without secrets for the person, everything else into a file in the
//! data folder. Shared by all hosts, so that none of them prints what a panic carries. What a run does about it (it goes
//! on from its journal) does not belong here.

use std::backtrace::Backtrace;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};

use bwana_types::error::ErrorCode;
use bwana_types::redact::Redactor;

/// Where panics are written down, in the data folder.
pub const CRASH_LOG: &str = "logs/crash.log";
/// A log that has grown larger is begun anew: the newest panics are what anybody asks about.
const CRASH_LOG_MAX_BYTES: u64 = 256 * 1024;
/// How much of a panic's message the person sees.
const SHOWN_MAX_CHARS: usize = 200;
/// How much of it is written down.
const KEPT_MAX_CHARS: usize = 8_000;

/// From now on a panic is told in one redacted sentence on standard error, and written to [`CRASH_LOG`] of `home` with
/// its backtrace, whatever `RUST_BACKTRACE` says. Nothing is made if the data folder does not exist.
pub fn report_crashes(redactor: &Redactor, home: Option<&Path>) {
    let redactor = redactor.clone();
    let home = home.map(Path::to_owned);
    std::panic::set_hook(Box::new(move |panic| {
        let kept = write_down(panic, &redactor, home.as_deref());
        let said = say(panic, &redactor, kept.as_deref());
        // Nobody to tell is no reason to panic inside a panic.
        let _ = io::stderr().lock().write_all(said.as_bytes());
    }));
}

/// The sentence for the person.
fn say(panic: &PanicHookInfo<'_>, redactor: &Redactor, log: Option<&Path>) -> String {
    // Cleaned before it is cut: half a secret has no shape any more.
    let message = redactor.text(message(panic)).into_owned();
    let message: String = one_line(&message).chars().take(SHOWN_MAX_CHARS).collect();
    let place = place(panic);
    let details = match log {
        Some(log) => format!("Details are in {}.", log.display()),
        None => String::from("No log could be written."),
    };
    let text = format!(
        "error: a mistake in the program itself: {message} ({place}) [{}]\n  {}\n  {details}\n",
        ErrorCode::Internal,
        ErrorCode::Internal.hint(),
    );
    redactor.text(&text).into_owned()
}

/// Adds the panic to the log and says where that is.
fn write_down(
    panic: &PanicHookInfo<'_>,
    redactor: &Redactor,
    home: Option<&Path>,
) -> Option<PathBuf> {
    let home = home.filter(|home| home.is_dir())?;
    let path = home.join(CRASH_LOG);
    std::fs::create_dir_all(path.parent()?).ok()?;
    let file = open(&path).ok()?;
    let message: String = message(panic).chars().take(KEPT_MAX_CHARS).collect();
    let report = format!(
        "bwana {} on {} {}\nthread {}\nat {}\n{message}\n{}\n\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        std::thread::current().name().unwrap_or("without a name"),
        place(panic),
        Backtrace::force_capture(),
    );
    let mut log = redactor.writer(file);
    log.write_all(report.as_bytes()).ok()?;
    log.finish().ok()?.sync_all().ok()?;
    Some(path)
}

fn open(path: &Path) -> io::Result<File> {
    let is_full = std::fs::metadata(path).is_ok_and(|meta| meta.len() > CRASH_LOG_MAX_BYTES);
    let mut options = OpenOptions::new();
    options.create(true);
    if is_full {
        options.write(true).truncate(true);
    } else {
        options.append(true);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn message<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    panic.payload_as_str().unwrap_or("it did not say why")
}

/// The line in the source. Folders of the machine that built it say nothing to anybody.
fn place(panic: &PanicHookInfo<'_>) -> String {
    let Some(at) = panic.location() else {
        return String::from("place unknown");
    };
    let file = at.file().replace('\\', "/");
    let mut parts: Vec<&str> = file.rsplit('/').take(4).collect();
    parts.reverse();
    format!("{}:{}", parts.join("/"), at.line())
}

fn one_line(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(clean).collect()
}
