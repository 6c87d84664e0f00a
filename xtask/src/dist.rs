//! `cargo xtask dist`: the packages for Linux. What lies in them is decided here and in `src-tauri/packaging`; Tauri's
//! bundler only writes the formats.

mod announce;
mod papers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use serde_json::json;

use crate::start::Programs;
use crate::wheel::sha256_of;
use crate::{cargo, say, ui};

/// The name of the package, of the window's program, and of everything on a system that belongs to it.
pub const PACKAGE: &str = "bwana-desktop";
/// What is installed where programs are.
pub const PROGRAMS: &[&str] = &[PACKAGE, "bwana", "bwana-model-worker"];

/// Where packages are made, beside where they go; what an interrupted call left there is removed.
const STAGE: &str = ".bwana-dist";

/// Libraries the programs load, by package on Debian, beside the C library and those the bundler adds for the window; and
/// what tells a desktop that links of ours have a program.
const DEB_DEPENDS: &[&str] = &[
    "desktop-file-utils",
    "libdbus-1-3",
    "libgcc-s1",
    "libstdc++6",
];
/// The same by what a file of theirs is called, as packages of the other family name it.
const RPM_DEPENDS: &[&str] = &[
    "desktop-file-utils",
    "libdbus-1.so.3()(64bit)",
    "libgcc_s.so.1()(64bit)",
    "libstdc++.so.6()(64bit)",
];

/// What to make packages of, and where to put them.
#[derive(Debug, Clone)]
pub struct Options {
    pub programs: Programs,
    /// Made if it is not there; what is in it stays.
    pub into: PathBuf,
    /// A file that says what is new, for people.
    pub notes: Option<PathBuf>,
    pub packing: Packing,
}

/// How hard the packages are pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Two thirds of the size, for minutes of work: what people download over slow lines.
    Small,
    /// For looking at what lies in them.
    Quick,
}

impl Options {
    /// From the words after `dist`: `--from FOLDER`, `--into FOLDER`, `--notes FILE`.
    ///
    /// # Errors
    /// If there is another word, or a folder or file is missing.
    pub fn from_words(words: &[String]) -> anyhow::Result<Self> {
        let mut options = Self {
            programs: Programs::Build,
            into: cargo::target_folder().join("dist"),
            notes: None,
            packing: Packing::Small,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let path = words.next().map(PathBuf::from);
            match (word.as_str(), path) {
                ("--from", Some(folder)) => options.programs = Programs::Built(folder),
                ("--into", Some(folder)) => options.into = folder,
                ("--notes", Some(file)) => options.notes = Some(file),
                _ => {
                    bail!(
                        "`{word}` is not understood: cargo xtask dist [--from FOLDER] [--into FOLDER] [--notes FILE]"
                    )
                }
            }
        }
        Ok(options)
    }
}

/// Makes the packages and says where they are.
///
/// # Errors
/// As [`make`].
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    for package in make(options)? {
        say::line(&format!("  {}", package.display()));
    }
    say::line(&format!(
        "  {}",
        options.into.join(announce::FILE).display()
    ));
    say::line("where the key is, without a network, in the folder of the packages:");
    say::line(&format!("  {}", announce::signing()));
    Ok(ExitCode::SUCCESS)
}

/// Makes a .deb and an .rpm, a list of their hashes beside them, and what the program of before reads to hear of them.
///
/// # Errors
/// If this is no Linux, something cannot be built, or the bundler fails.
pub fn make(options: &Options) -> anyhow::Result<Vec<PathBuf>> {
    if !cfg!(target_os = "linux") {
        bail!(
            "these packages are made on Linux; docs/packages.md says how the others are made on their own systems"
        );
    }
    ui::packages()?;
    announce::check_source()?;
    let built = match &options.programs {
        Programs::Built(folder) => std::path::absolute(folder)?,
        Programs::Build => build()?,
    };
    let into = std::path::absolute(&options.into)?;
    let stage = Stage::new(into.join(STAGE), &built)?;
    if options.programs != Programs::Build {
        stage.strip();
    }
    let files = papers::write(&stage)?;
    let config = stage.folder.join("bundle.json");
    let said = configuration(&stage, &files, options.packing)?;
    fs::write(&config, said.to_string())?;
    bundle(&stage, &config)?;
    let packages = collect(&stage, &into, options.packing)?;
    announce::write(&stage, &packages, options.notes.as_deref(), &into)?;
    fs::remove_dir_all(&stage.folder)?;
    Ok(packages)
}

/// Builds the programs as people get them: the window with its pages in it, and so the one for the terminal.
fn build() -> anyhow::Result<PathBuf> {
    ui::build()?;
    cargo::build_release()?;
    Ok(cargo::target_folder().join("release"))
}

/// A folder that looks to the bundler like one a release was built in.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn new(folder: PathBuf, built: &Path) -> anyhow::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let stage = Self { folder };
        fs::create_dir_all(stage.programs())?;
        for name in PROGRAMS {
            let from = built.join(name);
            let to = stage.program(name);
            fs::copy(&from, &to)
                .with_context(|| format!("{} is needed and cannot be copied", from.display()))?;
            set_mode(&to, MODE_PROGRAM)?;
        }
        Ok(stage)
    }

    fn programs(&self) -> PathBuf {
        self.folder.join("release")
    }

    fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// Names for debuggers make up most of a development build.
    fn strip(&self) {
        let programs = PROGRAMS.iter().map(|name| self.program(name));
        let status = Command::new("strip").args(programs).status();
        if !status.is_ok_and(|status| status.success()) {
            say::line("  the programs keep their names for debuggers: `strip` does not run here");
        }
    }
}

const MODE_PROGRAM: u32 = 0o755;
const MODE_FILE: u32 = 0o644;

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}

/// Where each file comes from, by where it is installed; those of both kinds of package, and those of one.
struct Files {
    both: BTreeMap<String, PathBuf>,
    deb: BTreeMap<String, PathBuf>,
    rpm: BTreeMap<String, PathBuf>,
    changelog: PathBuf,
}

/// What is said to the bundler beyond `tauri.conf.json`. There the product has the name people read; files are better
/// off without a blank in theirs.
fn configuration(
    stage: &Stage,
    files: &Files,
    packing: Packing,
) -> anyhow::Result<serde_json::Value> {
    let with = |more: &BTreeMap<String, PathBuf>| {
        let mut all = files.both.clone();
        all.extend(more.clone());
        all
    };
    let glibc = glibc_needed(stage)?;
    let deb_depends: Vec<String> = std::iter::once(format!("libc6 (>= {glibc})"))
        .chain(DEB_DEPENDS.iter().map(|name| String::from(*name)))
        .collect();
    let rpm_depends: Vec<String> = std::iter::once(format!("libc.so.6(GLIBC_{glibc})(64bit)"))
        .chain(RPM_DEPENDS.iter().map(|name| String::from(*name)))
        .collect();
    let rpm_packing = match packing {
        Packing::Small => json!({"type": "xz", "level": 6}),
        Packing::Quick => json!({"type": "gzip", "level": 1}),
    };
    Ok(json!({
        "productName": PACKAGE,
        "bundle": {"linux": {
            "deb": {"depends": deb_depends, "files": with(&files.deb), "changelog": files.changelog},
            "rpm": {"depends": rpm_depends, "files": with(&files.rpm), "compression": rpm_packing},
        }},
    }))
}

/// The newest version of the C library that a program asks for by name, like `2.34`.
fn glibc_needed(stage: &Stage) -> anyhow::Result<String> {
    let mut newest = (2, 0);
    for name in PROGRAMS {
        let program = fs::read(stage.program(name))?;
        newest = newest.max(glibc_of(&program));
    }
    Ok(format!("{}.{}", newest.0, newest.1))
}

fn glibc_of(program: &[u8]) -> (u32, u32) {
    const MARK: &[u8] = b"GLIBC_2.";
    let places = (0..program.len().saturating_sub(MARK.len()))
        .filter(|place| program[*place] == MARK[0] && program[*place..].starts_with(MARK));
    let minor = places.filter_map(|place| {
        let digits: Vec<u8> = program[place + MARK.len()..]
            .iter()
            .copied()
            .take_while(u8::is_ascii_digit)
            .collect();
        std::str::from_utf8(&digits).ok()?.parse().ok()
    });
    (2, minor.max().unwrap_or_default())
}

fn bundle(stage: &Stage, config: &Path) -> anyhow::Result<()> {
    let bundler = crate::root().join("node_modules/@tauri-apps/cli/tauri.js");
    let mut command = Command::new("node");
    cargo::forget_outer_cargo(&mut command);
    let output = command
        .arg(bundler)
        // The mark for Tauri's own updater would change the program behind our back.
        .args(["bundle", "--ci", "--no-sign", "--no-binary-patching"])
        .args(["--bundles", "deb,rpm", "--features"])
        .arg("desktop,custom-protocol")
        .arg("--config")
        .arg(config)
        .env("CARGO_TARGET_DIR", &stage.folder)
        .current_dir(crate::root())
        .output()
        .context("cannot run node")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the bundler failed ({}):\n{}", output.status, said.trim());
    }
    Ok(())
}

/// Packs a .deb anew with xz, which the bundler cannot.
fn press(stage: &Stage, deb: &Path) -> anyhow::Result<()> {
    let unpacked = stage.folder.join("unpacked");
    let run = |command: &mut Command| {
        let output = command.output().context("dpkg-deb is needed")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("dpkg-deb failed ({}):\n{}", output.status, said.trim());
        }
        Ok(())
    };
    run(Command::new("dpkg-deb").arg("-R").args([deb, &unpacked]))?;
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Zxz", "-b"])
        .args([&unpacked, deb]))?;
    fs::remove_dir_all(&unpacked)?;
    Ok(())
}

/// Moves the packages to where they belong and writes their hashes, as `sha256sum --check` reads them.
fn collect(stage: &Stage, into: &Path, packing: Packing) -> anyhow::Result<Vec<PathBuf>> {
    let mut packages = Vec::new();
    let mut sums = String::new();
    for kind in ["deb", "rpm"] {
        let folder = stage.programs().join("bundle").join(kind);
        let made = fs::read_dir(&folder)
            .with_context(|| format!("the bundler left no {}", folder.display()))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .find(|path| path.extension().is_some_and(|ending| ending == kind));
        let made = made.with_context(|| format!("the bundler made no .{kind}"))?;
        let name = made
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let package = into.join(&name);
        if kind == "deb" && packing == Packing::Small {
            press(stage, &made)?;
        }
        fs::rename(&made, &package)?;
        let sum = sha256_of(&package)?;
        sums.push_str(&format!("{sum}  {name}\n"));
        packages.push(package);
    }
    fs::write(into.join("SHA256SUMS"), sums)?;
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_where_programs_come_from_and_packages_go() {
        let read = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Options::from_words(&words)
        };
        assert_eq!(read(&[]).unwrap().programs, Programs::Build);
        let options = read(&["--from", "/built", "--into", "/out"]).unwrap();
        assert_eq!(options.programs, Programs::Built(PathBuf::from("/built")));
        assert_eq!(options.into, PathBuf::from("/out"));
        for bad in [&["--from"][..], &["--form", "x"], &["x"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_newest_version_asked_for_is_found() {
        let program = b"\0GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0GLIBC_2.";
        assert_eq!(glibc_of(program), (2, 34));
        assert_eq!(glibc_of(b""), (2, 0));
    }
}
