//! `cargo xtask start`: from a fresh clone to a team of agents at work, with nothing to decide on the way. A second run
//! downloads nothing and needs no network.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, bail};

use crate::need::{self, Fetching, Outcome};
use crate::{cargo, say};

/// What the team works on when nothing else is said.
pub const INPUT: &str = "A small shop in Nairobi sells solar lamps. It wants to take orders by phone and online, know \
its stock, and answer customers the same day. Two people run it, on one laptop.";

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the business is; empty: [`INPUT`].
    pub words: Vec<String>,
    pub programs: Programs,
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
    /// From the words after `start`; a `--` in front of them is dropped.
    pub fn from_words(words: &[String]) -> Self {
        let words = words.strip_prefix(&[String::from("--")]).unwrap_or(words);
        Self {
            words: words.to_vec(),
            programs: Programs::Build,
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

/// Sets up, builds and runs the main job.
///
/// # Errors
/// If a tool cannot be started, or the build or the download fails.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let folder = match &options.programs {
        Programs::Built(folder) => {
            fetch_model(options, folder)?;
            folder.clone()
        }
        Programs::Build => {
            say::line("1/4 Tools");
            let fetching = if has_own_model() {
                Fetching::Nothing
            } else {
                Fetching::ByPip
            };
            if need::ensure(fetching)? == Outcome::Missing {
                return Ok(ExitCode::from(2));
            }
            let folder = cargo::programs();
            say::line("2/4 The program");
            build(&["--bin", "bwana"])?;
            say::line("3/4 The starter model, and the worker that runs it");
            thread::scope(|scope| {
                let model = scope.spawn(|| fetch_model(options, &folder));
                let worker = build(&["--bins"]);
                let model = model
                    .join()
                    .unwrap_or_else(|_| bail!("the download panicked"));
                worker.and(model)
            })?;
            folder
        }
    };
    say::line("4/4 The team at work: business_setup");
    let input = if options.words.is_empty() {
        String::from(INPUT)
    } else {
        options.words.join(" ")
    };
    let status = options
        .bwana(&folder)
        .args(["run", "business_setup", "--input", &input])
        .status()
        .context("cannot start bwana")?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// A model file of the person's own makes the download needless.
fn has_own_model() -> bool {
    std::env::var_os("BWANA_MODEL_PATH").is_some()
}

/// Both packages are always selected, so that features, and with them what is compiled, are the same in every call.
fn build(targets: &[&str]) -> anyhow::Result<()> {
    let status = cargo::command()
        .args([
            "build",
            "--package",
            "bwana-cli",
            "--package",
            "bwana-model-worker",
        ])
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
