//! A system with nothing of ours on it: the package is installed there with what it says it needs, started from its entry
//! in the menu, handed links by both openers, and purged.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use xtask::dist::PROGRAMS;
use xtask::test::FULL;

use crate::{has, is_root, said, skip};

/// The oldest system the packages are for.
const SUITE: &str = "bookworm";
/// What plays the desktop around the program.
const DESKTOP: &[&str] = &["dbus", "libglib2.0-bin", "xdg-utils", "xvfb"];
/// Two links, to tell the openers apart.
const LINKS: [(&[&str], &str); 2] = [
    (&["xdg-open"], "bwana://v1/agent/operations"),
    (&["gio", "open"], "bwana://v1/new?text=Count%20the%20loaves"),
];
/// What the program starts for a newer package and for one of before: `bwana-update`'s tests hold it to these words.
const NEWER: &[&str] = &[
    "apt-get",
    "install",
    "--yes",
    "-o",
    "DPkg::Lock::Timeout=120",
];
const OLDER: &[&str] = &[
    "apt-get",
    "install",
    "--yes",
    "--allow-downgrades",
    "-o",
    "DPkg::Lock::Timeout=120",
];
/// How the first instance is told of a second one's words.
const HANDED_OVER: &str = "interface='org.SingleInstance.DBus'";
/// A loaded machine needs long to open a window.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Holds it all for one package.
pub(crate) fn hold(deb: &Path) {
    if std::env::var_os(FULL).is_none() {
        skip(
            "the .deb in a clean system",
            "that takes minutes; run with --full",
        );
        return;
    }
    if !is_root() || !has("mmdebstrap") || !has("chroot") {
        skip(
            "the .deb in a clean system",
            "it takes root and mmdebstrap (apt: mmdebstrap)",
        );
        return;
    }
    let Some(root) = Root::new() else {
        skip("the .deb in a clean system", "nothing can be mounted here");
        return;
    };
    root.apt(&["update"]);
    root.install(DESKTOP);
    fs::copy(deb, root.path().join("tmp/bwana.deb")).unwrap();
    root.install(&["/tmp/bwana.deb"]);
    for name in PROGRAMS {
        let libraries = root.said(&["ldd", &format!("/usr/bin/{name}")]);
        assert!(!libraries.contains("not found"), "{name}: {libraries}");
    }
    let version = root.said(&["bwana", "--version"]);
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    root.start_and_link();
    root.goes_on_and_back(deb);
    root.apt(&["purge", "-y", "bwana-desktop"]);
    for gone in [
        "usr/bin/bwana-desktop",
        "usr/bin/bwana",
        "usr/bin/bwana-model-worker",
        "usr/share/applications/bwana-desktop.desktop",
        "usr/share/doc/bwana-desktop",
        "usr/share/man/man1/bwana.1.gz",
    ] {
        assert!(!root.path().join(gone).exists(), "{gone} is left");
    }
    let kept = root.path().join(DATA).join("bwana.db");
    assert!(kept.is_file(), "the data is gone");
}

/// The data folder, in the root.
const DATA: &str = "srv/data";

struct Root {
    folder: TempDir,
    mounted: bool,
}

impl Drop for Root {
    fn drop(&mut self) {
        if self.mounted {
            let proc = self.path().join("proc");
            let _ = Command::new("umount").arg("--lazy").arg(proc).status();
        }
    }
}

/// A process that ends when the test does.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Root {
    /// `None`: the processes cannot be shown in there, without which a window does not open.
    fn new() -> Option<Self> {
        let mut root = Self {
            folder: TempDir::new().unwrap(),
            mounted: false,
        };
        said(
            Command::new("tar")
                .arg("-xf")
                .arg(base())
                .arg("-C")
                .arg(root.path()),
        );
        // Of the machine around it only the processes: what is mounted could be removed with the folder, and devices are
        // in the system itself.
        let proc = root.path().join("proc");
        let mount = Command::new("mount")
            .args(["-t", "proc", "proc"])
            .arg(&proc)
            .status();
        root.mounted = mount.is_ok_and(|status| status.success());
        if !root.mounted {
            return None;
        }
        fs::copy("/etc/resolv.conf", root.path().join("etc/resolv.conf")).unwrap();
        // Nothing that is installed may start a service of the machine around it.
        let policy = root.path().join("usr/sbin/policy-rc.d");
        fs::write(&policy, "#!/bin/dash\nexit 101\n").unwrap();
        said(Command::new("chmod").arg("755").arg(policy));
        Some(root)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("chroot");
        command.arg(self.path()).args(words).env_clear().envs([
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("LANG", "C.UTF-8"),
            ("DEBIAN_FRONTEND", "noninteractive"),
        ]);
        command
    }

    fn said(&self, words: &[&str]) -> String {
        said(&mut self.command(words))
    }

    fn apt(&self, words: &[&str]) {
        self.said(
            &[
                &["apt-get", "-o", "Dpkg::Options::=--force-unsafe-io"],
                words,
            ]
            .concat(),
        );
    }

    fn install(&self, packages: &[&str]) {
        self.apt(&[&["install", "-y", "--no-install-recommends"], packages].concat());
    }

    /// From the entry in the menu, as a desktop does it; then a link through each opener.
    fn start_and_link(&self) {
        let (_screen, number) = self.told(&["Xvfb", "-displayfd", "1", "-nolisten", "tcp"], &[]);
        let (_bus, address) = self.told(
            &[
                "dbus-daemon",
                "--session",
                "--nofork",
                "--nopidfile",
                "--print-address=1",
            ],
            &[],
        );
        fs::create_dir_all(self.path().join("srv/run")).unwrap();
        let display = format!(":{number}");
        let env = [
            ("DISPLAY", display.as_str()),
            ("DBUS_SESSION_BUS_ADDRESS", address.as_str()),
            ("XDG_RUNTIME_DIR", "/srv/run"),
            ("BWANA_HOME", "/srv/data"),
            ("GDK_BACKEND", "x11"),
            ("LIBGL_ALWAYS_SOFTWARE", "1"),
            // Here a window may stay empty for long; the program would start again, and miss a link.
            ("WEBKIT_DISABLE_DMABUF_RENDERER", "1"),
        ];
        let heard = self.path().join("heard");
        let monitor = self
            .command(&["dbus-monitor", "--session", HANDED_OVER])
            .envs(env)
            .stdout(File::create(&heard).unwrap())
            .spawn();
        let _monitor = Ended(monitor.unwrap());
        let entry = "/usr/share/applications/bwana-desktop.desktop";
        // The program inherits what it is given here, and lives on: nobody may wait for the end of its words.
        let launched = self
            .command(&["gio", "launch", entry])
            .envs(env)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(launched.unwrap().success(), "the entry is not launched");
        let data = self.path().join(DATA).join("bwana.db");
        until("the program has its data", || data.exists());
        for (opener, link) in LINKS {
            said(self.command(&[opener, &[link]].concat()).envs(env));
            let told = || fs::read_to_string(&heard).unwrap_or_default();
            until(&format!("{link} arrives by {opener:?}"), || {
                told().contains(link)
            });
        }
        let pid = self.program().expect("the program is still there");
        said(Command::new("kill").arg(pid.to_string()));
        until("the program ends", || self.program().is_none());
    }

    /// A newer package over it and the old one over that, with the words that the program gives to this system; what a
    /// person has stays.
    fn goes_on_and_back(&self, deb: &Path) {
        const NEXT: &str = "9.0.0";
        let unpacked = self.folder.path().join("tmp/next");
        said(Command::new("dpkg-deb").arg("-R").args([deb, &unpacked]));
        let control = unpacked.join("DEBIAN/control");
        let text = fs::read_to_string(&control).unwrap();
        let mark = format!("Version: {}", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&mark), "{text}");
        fs::write(&control, text.replace(&mark, &format!("Version: {NEXT}"))).unwrap();
        let next = self.path().join("tmp/next.deb");
        said(
            Command::new("dpkg-deb")
                .args(["--root-owner-group", "-Zgzip", "-z1", "-b"])
                .args([&unpacked, &next]),
        );
        let data = self.path().join(DATA).join("bwana.db");
        let before = fs::read(&data).unwrap();
        for (file, words, version) in [
            ("/tmp/next.deb", NEWER, NEXT),
            ("/tmp/bwana.deb", OLDER, env!("CARGO_PKG_VERSION")),
        ] {
            self.said(&[words, &[file]].concat());
            let installed = self.said(&["dpkg-query", "-W", "-f", "${Version}", "bwana-desktop"]);
            assert_eq!(installed, version);
        }
        assert!(fs::read(&data).unwrap() == before, "the data is another");
    }

    /// Starts what says in its first line where it is.
    fn told(&self, words: &[&str], env: &[(&str, &str)]) -> (Ended, String) {
        let out = self.folder.path().join(format!("said-{}", words[0]));
        let child = self
            .command(words)
            .envs(env.iter().copied())
            .stdout(File::create(&out).unwrap())
            .stderr(Stdio::null())
            .spawn();
        let child = Ended(child.unwrap());
        let line = || fs::read_to_string(&out).unwrap_or_default();
        until(words[0], || line().ends_with('\n'));
        (child, line().trim().to_owned())
    }

    /// The program that runs from this root.
    fn program(&self) -> Option<u32> {
        let program = self.path().join("usr/bin/bwana-desktop");
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter(|entry| fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == program))
            .find_map(|entry| entry.file_name().to_str()?.parse().ok())
    }
}

/// The system without anything, made once a machine.
fn base() -> PathBuf {
    let tar = xtask::cargo::target_folder().join("test-data/clean-root.tar");
    if !tar.is_file() {
        let part = tar.with_extension("part");
        fs::create_dir_all(tar.parent().unwrap()).unwrap();
        said(
            Command::new("mmdebstrap")
                .args(["--format=tar", "--variant=apt", SUITE])
                .arg(&part),
        );
        fs::rename(&part, &tar).unwrap();
    }
    tar
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(LOOK_AGAIN);
    }
}
