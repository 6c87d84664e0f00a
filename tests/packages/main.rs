//! What `cargo xtask dist` makes: what lies in the packages, what they say of themselves, and that both openers of links
//! start the program with the link whole. With `--full` one is installed into a system that has nothing of ours, started
//! from its entry in the menu, and purged.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clean_root;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use xtask::dist::{self, PROGRAMS, Packing};
use xtask::start::Programs;

/// What must lie in both packages, beside the programs.
const FILES: &[&str] = &[
    "/usr/share/applications/bwana-desktop.desktop",
    "/usr/share/bash-completion/completions/bwana",
    "/usr/share/fish/vendor_completions.d/bwana.fish",
    "/usr/share/icons/hicolor/128x128/apps/bwana-desktop.png",
    "/usr/share/icons/hicolor/32x32/apps/bwana-desktop.png",
    "/usr/share/icons/hicolor/scalable/apps/bwana-desktop.svg",
    "/usr/share/man/man1/bwana.1.gz",
    "/usr/share/man/man1/bwana-runs.1.gz",
    "/usr/share/man/man1/bwana-desktop.1.gz",
    "/usr/share/man/man1/bwana-model-worker.1.gz",
    "/usr/share/metainfo/app.bwana.desktop.metainfo.xml",
];
const DEB_FILES: &[&str] = &[
    "/usr/share/doc/bwana-desktop/changelog.gz",
    "/usr/share/doc/bwana-desktop/copyright",
    "/usr/share/doc/bwana-desktop/NOTICE",
    "/usr/share/zsh/vendor-completions/_bwana",
];
const RPM_FILES: &[&str] = &[
    "/usr/share/licenses/bwana-desktop/LICENSE",
    "/usr/share/licenses/bwana-desktop/NOTICE",
    "/usr/share/zsh/site-functions/_bwana",
];

/// Findings of lintian that are known. There is no public address of the authors yet that could stand there.
const KNOWN_FINDINGS: &[&str] = &["malformed-contact", "bogus-mail-host-in-debian-changelog"];

/// A link with what openers like to break in it.
const LINK: &str = "bwana://v1/new?text=Count%20the%20loaves&x=a%22b%27c";
/// A loaded machine needs long to start a small program.
const PATIENCE: Duration = Duration::from_secs(60);

struct Made {
    deb: PathBuf,
    rpm: PathBuf,
    /// The .deb unpacked.
    root: PathBuf,
    _folder: TempDir,
}

/// One test, because making the packages takes longer than looking at them.
#[test]
fn packages_are_whole_and_start_from_the_menu_and_from_links() {
    let Some(made) = make() else { return };
    the_deb_has_everything_and_says_what_it_needs(&made);
    the_rpm_has_everything_and_says_what_it_needs(&made);
    the_rpm_is_installed_whole_and_leaves_nothing(&made);
    the_hashes_beside_the_packages_are_theirs(&made);
    the_manifest_beside_them_describes_them(&made);
    what_lies_in_a_package_is_what_its_readers_expect(&made);
    lintian_finds_no_error_that_is_not_known(&made);
    both_openers_start_the_program_with_the_link_as_it_is(&made);
    clean_root::hold(&made.deb);
}

/// The packages of the programs under test. `None` where something is missing to make them; then the test says that it
/// is skipped.
fn make() -> Option<Made> {
    let built = Path::new(env!("CARGO_BIN_EXE_bwana")).parent().unwrap();
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|name| !built.join(name).is_file())
        .collect();
    if !missing.is_empty() {
        skip("the packages", &format!("{missing:?} are not built here"));
        return None;
    }
    if !has("dpkg-deb") || !has("node") || !has_bundler() {
        skip(
            "the packages",
            "dpkg-deb, node or the packages of package-lock.json are not here",
        );
        return None;
    }
    let folder = TempDir::new().unwrap();
    let options = dist::Options {
        programs: Programs::Built(built.to_owned()),
        into: folder.path().join("out"),
        notes: None,
        packing: Packing::Quick,
    };
    let packages = dist::make(&options).unwrap();
    let of = |kind: &str| {
        let found = packages
            .iter()
            .find(|path| path.extension().unwrap() == kind);
        found.unwrap().clone()
    };
    let (deb, rpm) = (of("deb"), of("rpm"));
    let root = folder.path().join("root");
    said(Command::new("dpkg-deb").arg("-x").args([&deb, &root]));
    Some(Made {
        deb,
        rpm,
        root,
        _folder: folder,
    })
}

pub(crate) fn skip(what: &str, why: &str) {
    eprintln!("SKIPPED: {what}\n  because: {why}");
}

fn has_bundler() -> bool {
    let bundler = xtask::root().join("node_modules/@tauri-apps/cli/tauri.js");
    bundler.is_file()
}

pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

pub(crate) fn is_root() -> bool {
    said(Command::new("id").arg("-u")).trim() == "0"
}

/// What a program says; it must end well.
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let Output { stdout, stderr, .. } = &output;
    let (stdout, stderr) = (
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr),
    );
    assert!(output.status.success(), "{command:?}: {stdout}{stderr}");
    stdout.into_owned()
}

fn expected(more: &[&str]) -> BTreeSet<String> {
    let files = FILES.iter().chain(more).map(|file| String::from(*file));
    files
        .chain(PROGRAMS.iter().map(|name| format!("/usr/bin/{name}")))
        .collect()
}

fn the_deb_has_everything_and_says_what_it_needs(made: &Made) {
    let listed = said(Command::new("dpkg-deb").arg("-c").arg(&made.deb));
    let mut modes = Vec::new();
    let mut files = BTreeSet::new();
    for line in listed.lines().filter(|line| !line.starts_with('d')) {
        let mut words = line.split_whitespace();
        let (mode, owner) = (words.next().unwrap(), words.next().unwrap());
        assert_eq!(owner, "0/0", "{line}");
        let name = format!("/{}", words.last().unwrap().trim_start_matches("./"));
        modes.push((name.clone(), mode.to_owned()));
        files.insert(name);
    }
    let missing: Vec<_> = expected(DEB_FILES).difference(&files).cloned().collect();
    assert!(missing.is_empty(), "{missing:?} not in {files:?}");
    for (name, mode) in &modes {
        let is_program = name.starts_with("/usr/bin/");
        let wanted = if is_program {
            "-rwxr-xr-x"
        } else {
            "-rw-r--r--"
        };
        assert_eq!(mode, wanted, "{name}");
    }
    let field = |name: &str| {
        let value = said(Command::new("dpkg-deb").arg("-f").arg(&made.deb).arg(name));
        value.trim().to_owned()
    };
    assert_eq!(field("Package"), "bwana-desktop");
    assert_eq!(field("Version"), env!("CARGO_PKG_VERSION"));
    let depends = field("Depends");
    for package in [
        "libc6 (>= 2.",
        "libwebkit2gtk-4.1-0",
        "libgtk-3-0",
        "libayatana-appindicator3-1",
        "libstdc++6",
        "libdbus-1-3",
        "desktop-file-utils",
    ] {
        assert!(depends.contains(package), "no {package} in {depends}");
    }
    let scripts = said(Command::new("dpkg-deb").arg("-I").arg(&made.deb));
    for script in ["preinst", "postinst", "prerm", "postrm"] {
        assert!(
            !scripts.contains(script),
            "a script runs as root: {scripts}"
        );
    }
}

fn the_rpm_has_everything_and_says_what_it_needs(made: &Made) {
    if !has("rpm") {
        skip("the .rpm", "there is no rpm to read it with");
        return;
    }
    let ask = |what: &str| said(Command::new("rpm").arg(what).arg(&made.rpm));
    let files: BTreeSet<String> = ask("-qpl").lines().map(str::to_owned).collect();
    let missing: Vec<_> = expected(RPM_FILES).difference(&files).cloned().collect();
    assert!(missing.is_empty(), "{missing:?} not in {files:?}");
    let requires = ask("-qpR");
    for library in [
        "libwebkit2gtk-4.1.so.0",
        "libstdc++.so.6",
        "libc.so.6(GLIBC_2.",
    ] {
        assert!(requires.contains(library), "no {library} in {requires}");
    }
    let about = ask("-qpi");
    assert!(about.contains("Apache-2.0"), "{about}");
}

/// Into an empty folder, by the program that every system of its family has underneath.
fn the_rpm_is_installed_whole_and_leaves_nothing(made: &Made) {
    if !has("rpm") || !is_root() {
        skip("the .rpm installed", "it takes root and rpm (apt: rpm)");
        return;
    }
    let root = TempDir::new().unwrap();
    let rpm = |words: &[&str]| {
        let mut rpm = Command::new("rpm");
        said(rpm.arg("--root").arg(root.path()).args(words))
    };
    rpm(&["--initdb"]);
    // What it needs of the system is named and looked at above; none of that is in an empty folder.
    rpm(&["-i", "--nodeps", made.rpm.to_str().unwrap()]);
    for file in expected(RPM_FILES) {
        let path = root.path().join(file.trim_start_matches('/'));
        assert!(path.is_file(), "{file} is not there");
    }
    assert_eq!(rpm(&["-V", "--nodeps", "bwana-desktop"]), "");
    let said_version = said(Command::new(root.path().join("usr/bin/bwana")).arg("--version"));
    assert!(
        said_version.contains(env!("CARGO_PKG_VERSION")),
        "{said_version}"
    );
    rpm(&["-e", "--nodeps", "bwana-desktop"]);
    for file in expected(RPM_FILES) {
        let path = root.path().join(file.trim_start_matches('/'));
        assert!(!path.exists(), "{file} is left");
    }
}

fn the_hashes_beside_the_packages_are_theirs(made: &Made) {
    let folder = made.deb.parent().unwrap();
    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(folder)
        .status();
    assert!(checked.unwrap().success());
}

fn the_manifest_beside_them_describes_them(made: &Made) {
    let folder = made.deb.parent().unwrap();
    let text = fs::read_to_string(folder.join("latest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"), "{text}");
    assert!(manifest["database_format"].as_u64().unwrap() > 0, "{text}");
    let packages = manifest["packages"].as_array().unwrap();
    for (package, file) in packages.iter().zip([&made.deb, &made.rpm]) {
        assert_eq!(package["url"], *file.file_name().unwrap().to_str().unwrap());
        assert_eq!(package["bytes"], fs::metadata(file).unwrap().len());
    }
    assert_eq!(packages.len(), 2, "{text}");
}

fn what_lies_in_a_package_is_what_its_readers_expect(made: &Made) {
    let root = &made.root;
    let entry = root.join("usr/share/applications/bwana-desktop.desktop");
    let text = fs::read_to_string(&entry).unwrap();
    for line in [
        "Exec=bwana-desktop %u",
        "Exec=bwana-desktop --quick",
        "Exec=bwana-desktop --safe",
        "MimeType=x-scheme-handler/bwana;",
        "Icon=bwana-desktop",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no {line} in {text}"
        );
    }
    let metainfo = root.join("usr/share/metainfo/app.bwana.desktop.metainfo.xml");
    let text = fs::read_to_string(&metainfo).unwrap();
    assert!(!text.contains('@'), "something was not filled in: {text}");
    assert!(text.contains("<launchable type=\"desktop-id\">bwana-desktop.desktop<"));
    if has("desktop-file-validate") {
        let found = said(Command::new("desktop-file-validate").arg(&entry));
        assert_eq!(found, "");
    } else {
        skip(
            "the form of the menu entry",
            "there is no desktop-file-validate",
        );
    }
    if has("appstreamcli") {
        said(
            Command::new("appstreamcli")
                .args(["validate", "--no-net"])
                .arg(&metainfo),
        );
    } else {
        skip("the form of the metadata", "there is no appstreamcli");
    }
    for (shell, check, file) in [
        ("bash", "-n", "usr/share/bash-completion/completions/bwana"),
        ("zsh", "-n", "usr/share/zsh/vendor-completions/_bwana"),
        (
            "fish",
            "-n",
            "usr/share/fish/vendor_completions.d/bwana.fish",
        ),
    ] {
        let path = root.join(file);
        assert!(
            fs::read_to_string(&path).unwrap().contains("workflows"),
            "{file}"
        );
        if has(shell) {
            said(Command::new(shell).arg(check).arg(&path));
        }
    }
    let page = root.join("usr/share/man/man1/bwana-runs.1.gz");
    let page = said(Command::new("gzip").arg("-cd").arg(page));
    assert!(page.contains("fork") && page.contains("NAME"), "{page}");
    // The programs are those that were built.
    let version = said(Command::new(root.join("usr/bin/bwana")).arg("--version"));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

fn lintian_finds_no_error_that_is_not_known(made: &Made) {
    if !has("lintian") {
        skip("lintian on the .deb", "it is not installed");
        return;
    }
    let output = Command::new("lintian")
        .args(["--fail-on", "none", "--allow-root"])
        .arg(&made.deb)
        .output()
        .unwrap();
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors: Vec<&str> = found
        .lines()
        .filter(|line| line.starts_with("E: "))
        .filter(|line| !KNOWN_FINDINGS.iter().any(|known| line.contains(known)))
        .collect();
    assert!(errors.is_empty(), "{found}");
    assert!(
        output.status.success(),
        "{found}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn both_openers_start_the_program_with_the_link_as_it_is(made: &Made) {
    for (program, args) in [("xdg-open", &[][..]), ("gio", &["open"][..])] {
        if !has(program) || !has("update-desktop-database") {
            skip(
                &format!("a link through {program}"),
                "it, or update-desktop-database, is not installed",
            );
            continue;
        }
        assert_eq!(
            opened(made, program, args),
            format!("{LINK}\n"),
            "{program}"
        );
    }
}

/// What `bwana-desktop` is started with when a link is opened where only the package's files are.
fn opened(made: &Made, program: &str, args: &[&str]) -> String {
    let place = TempDir::new().unwrap();
    let share = place.path().join("share");
    let bin = place.path().join("bin");
    for folder in ["share/applications", "bin", "home"] {
        fs::create_dir_all(place.path().join(folder)).unwrap();
    }
    let entry = "applications/bwana-desktop.desktop";
    fs::copy(made.root.join("usr/share").join(entry), share.join(entry)).unwrap();
    said(Command::new("update-desktop-database").arg(share.join("applications")));
    // Stands where the program would, and says what it was started with.
    let told = place.path().join("told");
    let recorder = bin.join("bwana-desktop");
    let script = format!(
        "#!/bin/bash\nprintf '%s\\n' \"$@\" > '{0}.part' && mv '{0}.part' '{0}'\n",
        told.display()
    );
    fs::write(&recorder, script).unwrap();
    said(Command::new("chmod").arg("755").arg(&recorder));
    let path = std::env::var("PATH").unwrap_or_default();
    let _ = Command::new(program)
        .args(args)
        .arg(LINK)
        .env_clear()
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", place.path().join("home"))
        .env("XDG_DATA_DIRS", format!("{}:/usr/share", share.display()))
        .env("DISPLAY", ":9999")
        .output()
        .unwrap();
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Ok(told) = fs::read_to_string(&told) {
            return told;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    String::from("nothing")
}
