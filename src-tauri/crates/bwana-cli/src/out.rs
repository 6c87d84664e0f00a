//! Where words go. People read stdout; with `--json` stdout carries JSON Lines alone and words go to stderr. A reader that
//! goes away ends the printing, never the work.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bwana_api::Redactor;
use bwana_types::error::{ApiError, ErrorCode};
use owo_colors::{OwoColorize, Style};
use serde::Serialize;
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

pub(crate) struct Out {
    json: bool,
    color: bool,
    verbose: bool,
    /// Both streams are terminals, so that a line may be drawn and wiped out again.
    draws: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The reader of stdout, of stderr, has gone.
    gone: [bool; 2],
    /// A passing line stands on the terminal.
    passing: bool,
    /// Why what was printed is not whole.
    cut: Option<std::io::Error>,
}

#[derive(Clone, Copy)]
enum To {
    Stdout = 0,
    Stderr = 1,
}

impl Out {
    pub(crate) fn new(json: bool, no_color: bool, verbose: bool) -> Self {
        let terminal = if json {
            std::io::stderr().is_terminal()
        } else {
            std::io::stdout().is_terminal()
        };
        let wanted = !no_color && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            color: wanted && terminal,
            verbose,
            draws: !json && terminal && std::io::stderr().is_terminal(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person can be asked here.
    pub(crate) fn can_ask(&self) -> bool {
        !self.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Whether a line may be drawn that is wiped out again.
    pub(crate) fn draws(&self) -> bool {
        self.draws
    }

    /// A line that shows that work goes on; the next words wipe it out.
    pub(crate) fn passing(&self, text: &str) {
        if self.draws {
            self.write(To::Stderr, &format!("\r{text}\x1b[K"), true);
        }
    }

    /// A question to the person at the terminal, answered behind it.
    pub(crate) fn prompt(&self, text: &str) {
        self.write(To::Stderr, text, false);
    }

    /// A JSON line, only with `--json`.
    pub(crate) fn json(&self, value: &impl Serialize) {
        if self.json {
            let text = serde_json::to_string(value).unwrap_or_default();
            self.write(To::Stdout, &format!("{text}\n"), false);
        }
    }

    /// A line for people.
    pub(crate) fn line(&self, text: &str) {
        self.text(&format!("{text}\n"));
    }

    /// Words for people, without a line break.
    pub(crate) fn text(&self, text: &str) {
        if self.json {
            self.write(To::Stderr, text, false);
        } else {
            self.write(To::Stdout, text, false);
        }
    }

    /// A word on the side: never mixed into what a script reads.
    pub(crate) fn aside(&self, text: &str) {
        self.write(To::Stderr, &format!("{text}\n"), false);
    }

    /// What went wrong for scripts alone, where people were told already.
    pub(crate) fn error_object(&self, error: &ApiError) {
        self.json(&json!({"type": "error", "code": error.code, "message": error.message, "hint": error.hint,
            "details": error.details}));
    }

    /// What went wrong and what to do next; with `--json` also as an object.
    pub(crate) fn error(&self, error: &ApiError) {
        self.error_object(error);
        let head = self.styled("error", Style::new().red().bold());
        self.aside(&format!("{head}: {} [{}]", error.message, error.code));
        if let Some(issues) = error.details["issues"].as_array() {
            for issue in issues.iter().filter_map(|issue| issue["text"].as_str()) {
                self.aside(&format!("  - {issue}"));
            }
        }
        if !error.hint.is_empty() {
            self.aside(&format!("  {}", error.hint));
        }
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        self.styled(text, Style::new().bold())
    }

    pub(crate) fn dim(&self, text: &str) -> String {
        self.styled(text, Style::new().dimmed())
    }

    pub(crate) fn good(&self, text: &str) -> String {
        self.styled(text, Style::new().green())
    }

    pub(crate) fn warn(&self, text: &str) -> String {
        self.styled(text, Style::new().yellow())
    }

    pub(crate) fn name(&self, text: &str) -> String {
        self.styled(text, Style::new().cyan().bold())
    }

    fn styled(&self, text: &str, style: Style) -> String {
        if self.color {
            text.style(style).to_string()
        } else {
            text.to_owned()
        }
    }

    fn write(&self, to: To, text: &str, passing: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.passing && !passing {
            // Wiped out even if nobody reads the rest.
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
        state.passing = passing;
        if state.gone[to as usize] {
            return;
        }
        let written = match to {
            To::Stdout => {
                let mut stdout = std::io::stdout().lock();
                stdout
                    .write_all(text.as_bytes())
                    .and_then(|()| stdout.flush())
            }
            To::Stderr => std::io::stderr().lock().write_all(text.as_bytes()),
        };
        if let Err(error) = written {
            state.gone[to as usize] = true;
            // Whoever has read enough goes away; a disk that takes no more is another matter.
            if matches!(to, To::Stdout) && error.kind() != ErrorKind::BrokenPipe {
                state.cut = Some(error);
            }
        }
    }

    /// Says so if what was printed is not whole.
    ///
    /// # Errors
    /// Then.
    pub(crate) fn whole(&self) -> Result<(), ApiError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(why) = &state.cut else { return Ok(()) };
        let code = match why.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                ErrorCode::StoreFull
            }
            _ => ErrorCode::StoreFailed,
        };
        let message = format!("what was printed could not be written to its end: {why}");
        Err(ApiError::new(code, message).with_hint(
            "What was done stands, and what was printed is cut; make room there and print it again.",
        ))
    }

    /// Messages of the program itself, on stderr: warnings, or more if asked for; and in the data folder `kept_in`, if
    /// one is named.
    pub(crate) fn start_log(verbose: u8, redactor: &Redactor, kept_in: Option<&Path>) {
        let kept = kept_in.map(|home| bwana_api::logs::layer(home, redactor));
        let redactor = redactor.clone();
        let level = match verbose {
            0 => "error",
            1 => "info",
            2 => "debug",
            _ => "trace",
        };
        let filter = EnvFilter::try_from_env("BWANA_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        let said = tracing_subscriber::fmt::layer()
            .with_writer(move || redactor.writer(std::io::stderr()))
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_filter(filter);
        // A second initialisation can only come from a test.
        let _ = tracing_subscriber::registry()
            .with(said)
            .with(kept)
            .try_init();
    }
}

/// An object with one more field in front: the kind of a line.
pub(crate) fn typed(kind: &str, value: &impl Serialize) -> Value {
    let mut object = serde_json::Map::new();
    object.insert("type".into(), kind.into());
    if let Ok(Value::Object(fields)) = serde_json::to_value(value) {
        object.extend(fields);
    }
    Value::Object(object)
}
