//! `cargo xtask start`: from a fresh clone to a team of agents at work, with nothing to decide on the way: in the window
//! where there is a screen, in the terminal elsewhere. A second run downloads nothing and needs no network.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, bail};

use crate::need::{self, Fetching, Outcome};
use crate::{cargo, say, ui};

/// What the team works on when nothing else is said.
pub const INPUT: &str = "A small shop in Nairobi sells solar lamps. It wants to take orders by phone and online, know \
its stock, and answer customers the same day. Two people run it, on one laptop.";

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the business is; empty: [`INPUT`].
    pub words: Vec<String>,
    pub programs: Programs,
    /// No window, though there may be a screen.
    pub terminal: bool,
    /// Set for every `bwana` that is called.
    pub env: Vec<(String, String)>,
}

/// Where the programs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Programs {
    Build,
    /// They are in this folder; nothing is installed or built.
    Built(PathBuf),
}

impl Options {
    /// From the words after `start`: `--terminal` first if there is to be no window, then what the business is; a `--`
    /// between them is dropped.
    pub fn from_words(words: &[String]) -> Self {
        let without = |words: &[String], word: &str| -> Option<Vec<String>> {
            words
                .strip_prefix(&[word.to_owned()])
                .map(<[String]>::to_vec)
        };
        let (terminal, words) = match without(words, TERMINAL) {
            Some(rest) => (true, rest),
            None => (false, words.to_vec()),
        };
        Self {
            words: without(&words, "--").unwrap_or(words),
            programs: Programs::Build,
            terminal,
            env: Vec::new(),
        }
    }

    fn bwana(&self, folder: &Path) -> Command {
        let mut command =
            Command::new(folder.join(format!("bwana{}", std::env::consts::EXE_SUFFIX)));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Says that the work is to be shown in the terminal.
const TERMINAL: &str = "--terminal";

/// Sets up, builds, and opens the window or runs the main job in the terminal.
///
/// # Errors
/// If a tool cannot be started, or the build or the download fails.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let (folder, window) = match &options.programs {
        Programs::Built(folder) => {
            fetch_model(options, folder)?;
            (folder.clone(), false)
        }
        Programs::Build => match make(options)? {
            Some(made) => made,
            None => return Ok(ExitCode::from(2)),
        },
    };
    let mut command = if window {
        say::line(
            "4/4 The window. It stays in the tray when you close it; Quit is in its menu there.",
        );
        open_window(options, &folder)
    } else {
        say::line("4/4 The team at work: business_setup");
        let input = if options.words.is_empty() {
            String::from(INPUT)
        } else {
            options.words.join(" ")
        };
        let mut command = options.bwana(&folder);
        command.args(["run", "business_setup", "--input", &input]);
        command
    };
    let status = command.status().context("cannot start what was built")?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// Installs, builds and fetches: where the programs are, and whether the window is among them. `None`: a person must
/// install something first.
fn make(options: &Options) -> anyhow::Result<Option<(PathBuf, bool)>> {
    say::line("1/4 Tools");
    let fetching = if has_own_model() {
        Fetching::Nothing
    } else {
        Fetching::ByPip
    };
    if need::ensure(fetching)? == Outcome::Missing {
        return Ok(None);
    }
    let window = !options.terminal && has_screen() && can_show()?;
    let folder = cargo::programs();
    say::line("2/4 The program");
    if window {
        ui::build()?;
    }
    build(window, &["--bin", "bwana"])?;
    say::line("3/4 The starter model, and what runs it");
    thread::scope(|scope| {
        let model = scope.spawn(|| fetch_model(options, &folder));
        let rest = build(window, &["--bins"]);
        let model = model
            .join()
            .unwrap_or_else(|_| bail!("the download panicked"));
        rest.and(model)
    })?;
    Ok(Some((folder, window)))
}

/// Whether a window could be seen.
fn has_screen() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

/// Whether the window can be built; if not, the terminal does the same work.
fn can_show() -> anyhow::Result<bool> {
    if let Err(why) = ui::can_build() {
        say::line(&format!("  no window, for {why}; going on in the terminal"));
        return Ok(false);
    }
    Ok(need::ensure_for_window()? == Outcome::Ready)
}

/// The window, with the person's words in its composer, unsent.
fn open_window(options: &Options, folder: &Path) -> Command {
    let name = format!("bwana-desktop{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(folder.join(name));
    command.envs(options.env.iter().map(|(name, value)| (name, value)));
    if !options.words.is_empty() {
        command.arg(format!(
            "bwana://v1/new?text={}",
            encoded(&options.words.join(" "))
        ));
    }
    command
}

/// Percent-encoded as a query value: RFC 3986, everything but the unreserved characters.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A model file of the person's own makes the download needless.
fn has_own_model() -> bool {
    std::env::var_os("BWANA_MODEL_PATH").is_some()
}

/// The packages are always selected together, so that features, and with them what is compiled, are the same in every
/// call.
fn build(window: bool, targets: &[&str]) -> anyhow::Result<()> {
    let mut command = cargo::command();
    command.args([
        "build",
        "--package",
        "bwana-cli",
        "--package",
        "bwana-model-worker",
    ]);
    if window {
        command.args(["--package", "bwana-desktop"]);
        command.args([
            "--features",
            "bwana-desktop/desktop,bwana-desktop/custom-protocol",
        ]);
    }
    let status = command
        .args(targets)
        .status()
        .context("cannot run cargo build")?;
    if !status.success() {
        bail!("the build failed; what the compiler said stands above");
    }
    Ok(())
}

/// Fetches the starter model through the program itself, which knows its source, size, licence and hash. Its lines get
/// a name in front, because a build may be talking at the same time.
fn fetch_model(options: &Options, folder: &Path) -> anyhow::Result<()> {
    if has_own_model()
        || options
            .env
            .iter()
            .any(|(name, _)| name == "BWANA_MODEL_PATH")
    {
        return Ok(());
    }
    let mut child = options
        .bwana(folder)
        .args(["models", "pull", "starter", "--yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start bwana")?;
    thread::scope(|scope| {
        let out = child.stdout.take().map(BufReader::new);
        let err = child.stderr.take().map(BufReader::new);
        scope.spawn(|| pass_on(err));
        pass_on(out);
    });
    let status = child.wait().context("cannot wait for bwana")?;
    if !status.success() {
        bail!("the starter model could not be fetched; what bwana said stands above");
    }
    Ok(())
}

fn pass_on(lines: Option<impl BufRead>) {
    for line in lines
        .into_iter()
        .flat_map(BufRead::lines)
        .map_while(Result::ok)
    {
        say::line(&format!("  model: {line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_the_wish_for_a_terminal_are_told_apart() {
        let check = |words: &[&str], terminal: bool, expected: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let options = Options::from_words(&words);
            assert_eq!(
                (options.terminal, options.words),
                (
                    terminal,
                    expected.iter().map(|word| (*word).to_owned()).collect()
                )
            );
        };
        check(&[], false, &[]);
        check(&["A", "bakery"], false, &["A", "bakery"]);
        check(&["--", "A"], false, &["A"]);
        check(&["--terminal"], true, &[]);
        check(&["--terminal", "--", "A"], true, &["A"]);
        check(&["--", "--terminal"], false, &["--terminal"]);
    }

    #[test]
    fn words_reach_the_window_as_one_value() {
        assert_eq!(encoded("A b&c=ü"), "A%20b%26c%3D%C3%BC");
    }
}
