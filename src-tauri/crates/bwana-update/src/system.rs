//! Handing a package to the system: which program takes it, with which words. Never over a shell.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::error::UpdateError;
use crate::manifest::PackageKind;

/// For the whole of it: a person types a password meanwhile, and a slow disk unpacks.
pub const INSTALL_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// How much of what the system's program says is kept: the end of it, in bytes.
const SAID_MAX_BYTES: usize = 4 * 1024;
/// What `pkexec` ends with when a person said no, and when it could ask nobody.
const DISMISSED: i32 = 126;
const NOT_AUTHORISED: i32 = 127;

/// Where programs of the system are. Not `PATH`: that is the person's, and this ends as root.
const PLACES: &[&str] = &["usr/bin", "bin", "usr/sbin", "sbin"];
/// A family of systems.
struct Family {
    kind: PackageKind,
    /// What installs there.
    program: &'static str,
    /// Its words before the file.
    newer: &'static [&'static str],
    /// The same for a package that is older than what is installed.
    older: &'static [&'static str],
    /// Where its packages are listed.
    lists: &'static [&'static str],
}

const FAMILIES: &[Family] = &[
    Family {
        kind: PackageKind::Deb,
        program: "apt-get",
        newer: &["install", "--yes", "-o", "DPkg::Lock::Timeout=120"],
        older: &[
            "install",
            "--yes",
            "--allow-downgrades",
            "-o",
            "DPkg::Lock::Timeout=120",
        ],
        lists: &["var/lib/dpkg/status"],
    },
    Family {
        kind: PackageKind::Rpm,
        program: "dnf",
        newer: &["install", "--assumeyes"],
        older: &["downgrade", "--assumeyes"],
        lists: &["var/lib/rpm", "usr/lib/sysimage/rpm"],
    },
];

/// Where a package leads from what is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Newer,
    /// Back.
    Older,
}

/// What this machine installs packages with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    kind: Option<PackageKind>,
    installer: Option<PathBuf>,
    pkexec: Option<PathBuf>,
    is_root: bool,
}

/// How a package gets installed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandOver {
    /// We start this, and the system asks the person.
    Run {
        program: PathBuf,
        words: Vec<OsString>,
    },
    /// A person types these words.
    ByHand { words: Vec<String> },
    /// A person opens the file with whatever this system has for it.
    File,
}

impl System {
    /// Looks at this machine.
    pub fn look() -> Self {
        Self::look_in(Path::new("/"), is_root())
    }

    /// The same with another folder in the place of the root of the file system: for tests.
    pub fn look_in(root: &Path, is_root: bool) -> Self {
        let program = |name: &str| {
            let places = PLACES.iter().map(|place| root.join(place).join(name));
            places.into_iter().find(|path| path.is_file())
        };
        let listed = |lists: &[&str]| lists.iter().any(|list| root.join(list).exists());
        let family = FAMILIES.iter().find(|family| listed(family.lists));
        Self {
            kind: family.map(|family| family.kind),
            installer: family.and_then(|family| program(family.program)),
            pkexec: program("pkexec"),
            is_root,
        }
    }

    /// Which packages it takes.
    pub fn kind(&self) -> Option<PackageKind> {
        self.kind
    }

    /// How a package gets installed here.
    pub fn hand_over(&self, package: &Path, way: Way) -> HandOver {
        let family = FAMILIES
            .iter()
            .find(|family| Some(family.kind) == self.kind);
        let (Some(family), Some(installer)) = (family, &self.installer) else {
            return HandOver::File;
        };
        let words = match way {
            Way::Newer => family.newer,
            Way::Older => family.older,
        };
        let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
        // A whole path: apt-get takes anything else for the name of a package, and no path begins with a dash.
        words.push(package.into());
        if self.is_root {
            return HandOver::Run {
                program: installer.clone(),
                words,
            };
        }
        match &self.pkexec {
            Some(pkexec) => {
                words.insert(0, installer.into());
                HandOver::Run {
                    program: pkexec.clone(),
                    words,
                }
            }
            None => HandOver::ByHand {
                words: by_hand(installer, &words, None),
            },
        }
    }

    /// The words a person types in the place of what we would start.
    pub fn words(&self, package: &Path, way: Way) -> Option<Vec<String>> {
        match self.hand_over(package, way) {
            HandOver::Run { program, words } => {
                Some(by_hand(&program, &words, self.pkexec.as_deref()))
            }
            HandOver::ByHand { words } => Some(words),
            HandOver::File => None,
        }
    }

    /// Installs a package, and waits until that is done. It goes on when nobody waits any more: half an installation
    /// would be worse.
    ///
    /// # Errors
    /// `ByHand` if nothing of the kind can be started here, `NotAllowed` if the person said no, `NotInstalled` with what
    /// the system said.
    pub async fn install(&self, package: &Path, way: Way) -> Result<(), UpdateError> {
        let HandOver::Run { program, words } = self.hand_over(package, way) else {
            return Err(UpdateError::ByHand);
        };
        let work = tokio::spawn(run(program.clone(), words));
        let joined = |error: tokio::task::JoinError| {
            UpdateError::io("starting", &program)(std::io::Error::other(error))
        };
        work.await.map_err(joined)?
    }
}

async fn run(program: PathBuf, words: Vec<OsString>) -> Result<(), UpdateError> {
    let io = || UpdateError::io("starting", &program);
    let mut child = Command::new(&program)
        .args(words)
        // What the program says is shown to whoever helps; in one language it can be looked up.
        .env("LC_ALL", "C.UTF-8")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .current_dir("/")
        .spawn()
        .map_err(io())?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let ended = timeout(INSTALL_TIMEOUT, async {
        let (out, err, status) = tokio::join!(end_of(out), end_of(err), child.wait());
        status.map(|status| (status, if err.is_empty() { out } else { err }))
    });
    let name = program.file_name().unwrap_or_default();
    let not_installed = |status: String, said: String| UpdateError::NotInstalled {
        program: name.to_string_lossy().into_owned(),
        status,
        said,
    };
    let (status, said) = match ended.await {
        Ok(ended) => ended.map_err(io())?,
        Err(_) => {
            let minutes = INSTALL_TIMEOUT.as_secs() / 60;
            let said = format!("it is still at work after {minutes} minutes");
            return Err(not_installed(String::from("no answer"), said));
        }
    };
    match status.code() {
        Some(0) => Ok(()),
        Some(DISMISSED | NOT_AUTHORISED) if name == "pkexec" => Err(UpdateError::NotAllowed),
        _ => Err(not_installed(status.to_string(), said)),
    }
}

/// Reads everything and keeps the end of it.
async fn end_of(from: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else {
        return String::new();
    };
    let mut kept = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        let over = kept.len().saturating_sub(SAID_MAX_BYTES);
        kept.drain(..over);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// What a person types: `sudo` asks in a terminal where `pkexec` asks in a window.
fn by_hand(program: &Path, words: &[OsString], pkexec: Option<&Path>) -> Vec<String> {
    let is_pkexec = pkexec == Some(program);
    let all = std::iter::once(program.as_os_str()).chain(words.iter().map(OsString::as_os_str));
    let mut typed = vec![String::from("sudo")];
    for (at, word) in all.skip(usize::from(is_pkexec)).enumerate() {
        let name = Path::new(word).file_name().filter(|_| at == 0);
        typed.push(name.unwrap_or(word).to_string_lossy().into_owned());
    }
    typed
}

/// Words as they are typed: those with anything in them that a shell would read are quoted.
pub fn quoted(words: &[String]) -> String {
    let quote = |word: &String| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=+@%,".contains(&byte);
        if !word.is_empty() && word.bytes().all(is_plain) {
            return word.clone();
        }
        format!("'{}'", word.replace('\'', r"'\''"))
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(target_os = "linux")]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Whoever has this process's folder is who it runs as.
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(not(target_os = "linux"))]
fn is_root() -> bool {
    false
}
