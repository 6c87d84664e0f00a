//! What the program itself has to say, kept in the data folder: one file a day, few files, none of them large, and every
//! line without secrets. Panics have a file of their own (`crash`). What runs do is in their journals, not here.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bwana_types::error::ApiError;
use bwana_types::redact::{RedactWriter, Redactor};
use bwana_types::time::Clock as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::app::App;
use crate::command::Ctx;
use crate::system::SystemClock;

/// The folder of the logs, in the data folder.
pub const LOGS_DIR: &str = "logs";
/// Of one day's file: `bwana.2026-11-25.log`, by the calendar of UTC.
const PREFIX: &str = "bwana";
const SUFFIX: &str = "log";
/// Files that are kept, today's included.
pub const FILES_MAX: usize = 7;
/// Bytes of a day's file; what a day has to say beyond that is not kept.
pub const FILE_MAX_BYTES: u64 = 8 * 1024 * 1024;
/// The last line of a file that is full.
const FULL: &str = "the log of this day is full; what follows is not kept\n";
/// What is kept if `BWANA_LOG` says nothing else: news of this program, troubles of others.
const FILTER: &str = "warn,bwana=info";
/// Lines in one answer.
pub const TAIL_MAX_LINES: usize = 1_000;
/// Lines if nobody says how many.
const TAIL_LINES: usize = 200;
/// How much of the end of a file is looked at.
const TAIL_MAX_BYTES: u64 = 256 * 1024;

/// Keeps the messages of this process in the data folder `home` from now on, and shows none. For hosts without a
/// terminal; a host with one adds [`layer`] to its own.
pub fn start(home: &Path, redactor: &Redactor) {
    // A second initialisation can only come from a test.
    let _ = tracing_subscriber::registry()
        .with(layer(home, redactor))
        .try_init();
}

/// Keeps messages in the data folder `home`, once that exists; nothing is made before.
pub fn layer<S>(home: &Path, redactor: &Redactor) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_from_env("BWANA_LOG").unwrap_or_else(|_| EnvFilter::new(FILTER));
    tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Log {
            shared: Arc::new(Shared {
                home: home.to_owned(),
                redactor: redactor.clone(),
                file_max_bytes: FILE_MAX_BYTES,
                appender: OnceLock::new(),
            }),
        })
        .with_filter(filter)
}

#[derive(Clone)]
struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    home: PathBuf,
    redactor: Redactor,
    file_max_bytes: u64,
    /// Opened with the first message behind the making of the data folder. `None` inside: it cannot be.
    appender: OnceLock<Option<RollingFileAppender>>,
}

impl Shared {
    fn appender(&self) -> Option<&RollingFileAppender> {
        if let Some(made) = self.appender.get() {
            return made.as_ref();
        }
        if !self.home.is_dir() {
            return None;
        }
        self.appender.get_or_init(|| open(&self.home)).as_ref()
    }

    fn today(&self) -> PathBuf {
        let day = SystemClock.now().day_in("UTC");
        self.home
            .join(LOGS_DIR)
            .join(format!("{PREFIX}.{day}.{SUFFIX}"))
    }
}

fn open(home: &Path) -> Option<RollingFileAppender> {
    let folder = home.join(LOGS_DIR);
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(&folder).ok()?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(PREFIX)
        .filename_suffix(SUFFIX)
        .max_log_files(FILES_MAX)
        .build(folder)
        .ok()
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = RedactWriter<Line>;

    fn make_writer(&'a self) -> Self::Writer {
        let line = Line {
            shared: Arc::clone(&self.shared),
        };
        self.shared.redactor.writer(line)
    }
}

/// One message on its way into the file, already without secrets.
struct Line {
    shared: Arc<Shared>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(appender) = self.shared.appender() else {
            return Ok(bytes.len());
        };
        let most = self.shared.file_max_bytes;
        let before = std::fs::metadata(self.shared.today()).map_or(0, |found| found.len());
        if before >= most {
            return Ok(bytes.len());
        }
        let mut writer = appender.make_writer();
        writer.write_all(bytes)?;
        if before + bytes.len() as u64 >= most {
            writer.write_all(FULL.as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Every line is written as it comes, so that someone who is killed has said it.
        Ok(())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TailRequest {
    /// At most so many; 0: 200.
    pub lines: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogTail {
    /// The newest last, without secrets.
    pub lines: Vec<String>,
    /// Where they stand; `null`: nothing was ever written.
    pub file: Option<String>,
}

pub(crate) async fn tail(app: &App, _ctx: Ctx, request: TailRequest) -> Result<LogTail, ApiError> {
    let wanted = match request.lines {
        0 => TAIL_LINES,
        lines => lines.min(TAIL_MAX_LINES),
    };
    let files = files(&app.home().join(LOGS_DIR));
    let mut lines: Vec<String> = Vec::new();
    for file in files.iter().rev() {
        let Ok(text) = end_of(file) else { continue };
        // Once more: a key may have become known since.
        let text = app.secrets().redactor().text(&text).into_owned();
        let mut older: Vec<String> = text.lines().map(str::to_owned).collect();
        older.append(&mut lines);
        lines = older;
        if lines.len() >= wanted {
            break;
        }
    }
    let from = lines.len().saturating_sub(wanted);
    Ok(LogTail {
        lines: lines.split_off(from),
        file: files.last().map(|file| file.display().to_string()),
    })
}

/// The log files, oldest first: their names sort like their days. Only plain files; a link could point anywhere.
fn files(folder: &Path) -> Vec<PathBuf> {
    let is_log = |name: &str| {
        name.starts_with(&format!("{PREFIX}.")) && name.ends_with(&format!(".{SUFFIX}"))
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter(|entry| entry.file_name().to_str().is_some_and(is_log))
        .map(|entry| entry.path())
        .collect();
    files.sort_unstable();
    files
}

/// The last whole lines of a file.
fn end_of(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(TAIL_MAX_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL_MAX_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(match (from, text.split_once('\n')) {
        (0, _) | (_, None) => text.into_owned(),
        (_, Some((_, whole))) => whole.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use bwana_types::secret::Secret;

    use super::*;

    /// Says something while a log is kept in `home`, at most so large.
    fn keep(home: &Path, redactor: &Redactor, file_max_bytes: u64, say: impl FnOnce()) {
        let log = Log {
            shared: Arc::new(Shared {
                home: home.to_owned(),
                redactor: redactor.clone(),
                file_max_bytes,
                appender: OnceLock::new(),
            }),
        };
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(log);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
    }

    fn kept(home: &Path) -> String {
        let files = files(&home.join(LOGS_DIR));
        files
            .iter()
            .map(|file| std::fs::read_to_string(file).unwrap())
            .collect()
    }

    #[test]
    fn a_line_is_kept_without_the_secrets_in_it() {
        let home = tempfile::tempdir().unwrap();
        let redactor = Redactor::new();
        let known = "canary-7Hq2xV9tPq81";
        assert!(redactor.learn(&Secret::new(known.to_owned())));
        let shaped = "sk-ant-api03-Zq8wT5nB2kLx7Rv4Hd9Jm1Cf6Gp3Sy0Ua_Ee-Ww";
        keep(home.path(), &redactor, FILE_MAX_BYTES, || {
            tracing::info!(key = known, "a call to {shaped} failed");
            tracing::warn!("{}", serde_json::json!({"api_key": known}));
        });
        let text = kept(home.path());
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains("a call to") && text.contains("failed"),
            "{text}"
        );
        assert!(!text.contains(known), "{text}");
        assert!(!text.contains(&shaped[..30]), "{text}");
    }

    #[test]
    fn a_day_that_has_too_much_to_say_is_cut_short_and_says_so() {
        let home = tempfile::tempdir().unwrap();
        keep(home.path(), &Redactor::new(), 1_000, || {
            for n in 0..100 {
                tracing::info!("line {n}");
            }
        });
        let text = kept(home.path());
        assert!(text.len() < 1_300, "{} bytes", text.len());
        assert!(text.ends_with(FULL), "{text}");
        assert_eq!(text.matches(FULL).count(), 1);
    }

    #[test]
    fn nothing_is_made_before_there_is_a_data_folder() {
        let outer = tempfile::tempdir().unwrap();
        let home = outer.path().join("home");
        keep(&home, &Redactor::new(), FILE_MAX_BYTES, || {
            tracing::info!("early");
            assert!(!home.exists());
            std::fs::create_dir(&home).unwrap();
            tracing::info!("late");
        });
        let text = kept(&home);
        assert!(text.contains("late") && !text.contains("early"), "{text}");
    }

    #[test]
    fn old_files_go_and_a_file_of_somebody_else_stays() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(LOGS_DIR);
        std::fs::create_dir(&folder).unwrap();
        for day in 10..20 {
            std::fs::write(folder.join(format!("bwana.2025-01-{day}.log")), "old\n").unwrap();
        }
        std::fs::write(folder.join("crash.log"), "a panic\n").unwrap();
        keep(home.path(), &Redactor::new(), FILE_MAX_BYTES, || {
            tracing::info!("new");
        });
        let left = files(&folder);
        assert_eq!(left.len(), FILES_MAX, "{left:?}");
        assert!(folder.join("crash.log").exists());
        assert!(kept(home.path()).contains("new"));
    }
}
