//! Everything in a package that is not a program: manual pages, completions, the licence, and what a software centre
//! shows. What can be had from `bwana` itself is.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use super::{Files, MODE_FILE, PACKAGE, Stage, set_mode};

/// In this project, beside the code of the window.
const SOURCES: &str = "src-tauri/packaging";
/// Manual pages that are written by hand.
const PAGES: &[&str] = &["bwana-desktop.1", "bwana-model-worker.1"];
const METAINFO: &str = "app.bwana.desktop.metainfo.xml";
/// Shells, and where their completions are looked for; the last two differ by family.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "/usr/share/bash-completion/completions/bwana"),
    ("fish", "/usr/share/fish/vendor_completions.d/bwana.fish"),
];
const ZSH_DEB: &str = "/usr/share/zsh/vendor-completions/_bwana";
const ZSH_RPM: &str = "/usr/share/zsh/site-functions/_bwana";

/// Writes it all into the stage.
///
/// # Errors
/// If `bwana` does not run here, or something cannot be written.
pub(super) fn write(stage: &Stage) -> anyhow::Result<Files> {
    let papers = Papers {
        folder: stage.folder.join("papers"),
        bwana: stage.program("bwana"),
        date: date()?,
    };
    fs::create_dir_all(&papers.folder)?;
    let mut both = BTreeMap::new();
    for name in ["bwana", "bwana-model-worker"] {
        both.insert(format!("/usr/bin/{name}"), stage.program(name));
    }
    let icon = crate::root().join("icons/app.svg");
    both.insert(
        format!("/usr/share/icons/hicolor/scalable/apps/{PACKAGE}.svg"),
        papers.put("icon.svg", &fs::read(icon)?)?,
    );
    let metainfo = format!("/usr/share/metainfo/{METAINFO}");
    both.insert(metainfo, papers.metainfo()?);
    papers.pages(&mut both)?;
    for (shell, place) in COMPLETIONS {
        both.insert((*place).to_owned(), papers.completions(shell)?);
    }
    let zsh = papers.completions("zsh")?;
    let notice = papers.put("NOTICE", &fs::read(crate::root().join("NOTICE"))?)?;
    let licence = papers.put("LICENSE", &fs::read(crate::root().join("LICENSE"))?)?;
    let copyright = source("copyright")?;
    let doc = format!("/usr/share/doc/{PACKAGE}");
    let licences = format!("/usr/share/licenses/{PACKAGE}");
    Ok(Files {
        both,
        deb: BTreeMap::from([
            (ZSH_DEB.to_owned(), zsh.clone()),
            (format!("{doc}/NOTICE"), notice.clone()),
            (
                format!("{doc}/copyright"),
                papers.put("copyright", copyright.as_bytes())?,
            ),
        ]),
        rpm: BTreeMap::from([
            (ZSH_RPM.to_owned(), zsh),
            (format!("{licences}/NOTICE"), notice),
            (format!("{licences}/LICENSE"), licence),
        ]),
        changelog: papers.changelog()?,
    })
}

struct Papers {
    folder: PathBuf,
    bwana: PathBuf,
    date: Timestamp,
}

impl Papers {
    fn put(&self, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, content)?;
        set_mode(&path, MODE_FILE)?;
        Ok(path)
    }

    fn metainfo(&self) -> anyhow::Result<PathBuf> {
        let text = source(METAINFO)?
            .replace("@DESKTOP_FILE@", &format!("{PACKAGE}.desktop"))
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@DATE@", &self.date.strftime("%Y-%m-%d").to_string());
        self.put(METAINFO, text.as_bytes())
    }

    /// What Debian wants to know about a version; what is new is told where it is offered.
    fn changelog(&self) -> anyhow::Result<PathBuf> {
        let version = env!("CARGO_PKG_VERSION");
        let date = self.date.strftime("%a, %d %b %Y %H:%M:%S +0000");
        let text = format!(
            "{PACKAGE} ({version}) unstable; urgency=medium\n\n  * Version {version}.\n\n -- {AUTHORS} <>  {date}\n"
        );
        self.put("changelog", text.as_bytes())
    }

    fn pages(&self, files: &mut BTreeMap<String, PathBuf>) -> anyhow::Result<()> {
        let folder = self.folder.join("man");
        fs::create_dir_all(&folder)?;
        self.bwana(&["man", &folder.display().to_string()])?;
        for page in PAGES {
            fs::write(folder.join(page), source(page)?)?;
        }
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = format!("{}.gz", entry.file_name().to_string_lossy());
            // Without a name and a time in it, so that it is the same whenever it is made.
            let mut packed = GzEncoder::new(Vec::new(), Compression::best());
            packed.write_all(&fs::read(entry.path())?)?;
            let page = self.put(&name, &packed.finish()?)?;
            files.insert(format!("/usr/share/man/man1/{name}"), page);
        }
        Ok(())
    }

    fn completions(&self, shell: &str) -> anyhow::Result<PathBuf> {
        let text = self.bwana(&["completions", shell])?;
        self.put(&format!("completions.{shell}"), &text)
    }

    fn bwana(&self, args: &[&str]) -> anyhow::Result<Vec<u8>> {
        let output = Command::new(&self.bwana)
            .args(args)
            .output()
            .with_context(|| format!("cannot run {}", self.bwana.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`bwana {}` failed: {}", args.join(" "), said.trim());
        }
        Ok(output.stdout)
    }
}

/// Written by hand, in this project.
fn source(name: &str) -> anyhow::Result<String> {
    let path = crate::root().join(SOURCES).join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

const AUTHORS: &str = "The Bwana Desktop authors";

/// The time of what is packed: as the builder says (`SOURCE_DATE_EPOCH`), else of the last change.
fn date() -> anyhow::Result<Timestamp> {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok();
    let seconds = said.and_then(|said| said.parse().ok()).or_else(last_change);
    Ok(match seconds {
        Some(seconds) => Timestamp::from_second(seconds)?,
        None => Timestamp::try_from(written(&crate::root().join("Cargo.lock"))?)?,
    })
}

fn last_change() -> Option<i64> {
    let output = Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .current_dir(crate::root())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn written(path: &Path) -> std::io::Result<std::time::SystemTime> {
    fs::metadata(path)?.modified()
}
