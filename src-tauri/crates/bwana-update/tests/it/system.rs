//! Handing a package over, to programs that stand in for those of the system.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bwana_update::{HandOver, PackageKind, System, UpdateError, Way, quoted};

struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    fn new(files: &[&str]) -> Self {
        let machine = Self {
            root: tempfile::tempdir().unwrap(),
        };
        for file in files {
            machine.write(file, "#!/bin/sh\nexit 0\n");
        }
        machine
    }

    fn path(&self, file: &str) -> PathBuf {
        self.root.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn system(&self, is_root: bool) -> System {
        System::look_in(self.root.path(), is_root)
    }
}

const DPKG: &str = "var/lib/dpkg/status";
const PACKAGE: &str = "/home/a person/.local/b.deb";

fn words(of: &[&str]) -> Vec<OsString> {
    of.iter().map(OsString::from).collect()
}

#[test]
fn the_system_decides_what_is_started() {
    let debian = Machine::new(&[DPKG, "usr/bin/apt-get", "usr/bin/pkexec"]);
    let system = debian.system(false);
    assert_eq!(system.kind(), Some(PackageKind::Deb));
    let apt = debian.path("usr/bin/apt-get");
    let apt_words = ["install", "--yes", "-o", "DPkg::Lock::Timeout=120", PACKAGE];
    assert_eq!(
        system.hand_over(Path::new(PACKAGE), Way::Newer),
        HandOver::Run {
            program: debian.path("usr/bin/pkexec"),
            words: [vec![apt.clone().into_os_string()], words(&apt_words)].concat(),
        }
    );
    assert_eq!(
        debian
            .system(true)
            .hand_over(Path::new(PACKAGE), Way::Newer),
        HandOver::Run {
            program: apt,
            words: words(&apt_words)
        }
    );
    let typed = system.words(Path::new(PACKAGE), Way::Newer).unwrap();
    assert_eq!(
        quoted(&typed),
        "sudo apt-get install --yes -o DPkg::Lock::Timeout=120 '/home/a person/.local/b.deb'"
    );
    let back = system.words(Path::new(PACKAGE), Way::Older).unwrap();
    assert_eq!(
        quoted(&back),
        "sudo apt-get install --yes --allow-downgrades -o DPkg::Lock::Timeout=120 '/home/a person/.local/b.deb'"
    );
}

#[test]
fn without_anybody_to_ask_the_words_are_shown_and_elsewhere_the_file() {
    let bare = Machine::new(&[DPKG, "usr/bin/apt-get"]).system(false);
    assert!(matches!(
        bare.hand_over(Path::new(PACKAGE), Way::Newer),
        HandOver::ByHand { .. }
    ));
    let fedora = Machine::new(&["usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/bin/dnf"]).system(false);
    assert_eq!(fedora.kind(), Some(PackageKind::Rpm));
    let typed = fedora.words(Path::new("/x.rpm"), Way::Newer).unwrap();
    assert_eq!(quoted(&typed), "sudo dnf install --assumeyes /x.rpm");
    let back = fedora.words(Path::new("/x.rpm"), Way::Older).unwrap();
    assert_eq!(quoted(&back), "sudo dnf downgrade --assumeyes /x.rpm");
    let suse = Machine::new(&["usr/lib/sysimage/rpm/rpmdb.sqlite"]).system(false);
    assert_eq!(
        suse.hand_over(Path::new("/x.rpm"), Way::Newer),
        HandOver::File
    );
    let other = Machine::new(&[]).system(false);
    assert_eq!(
        (other.kind(), other.words(Path::new("/x"), Way::Newer)),
        (None, None)
    );
}

#[test]
fn what_a_shell_would_read_is_quoted() {
    let check = |word: &str, want: &str| assert_eq!(quoted(&[word.to_owned()]), want);
    check("/a/b-1.0_x.deb", "/a/b-1.0_x.deb");
    check("", "''");
    check("a b", "'a b'");
    check("$(reboot)", "'$(reboot)'");
    check("it's", r"'it'\''s'");
}

#[tokio::test]
async fn a_package_is_given_as_one_word_and_the_answer_is_heard() {
    let debian = Machine::new(&[DPKG, "usr/bin/apt-get", "usr/bin/pkexec"]);
    let told = debian.path("told");
    let tell = format!(
        "#!/bin/sh\nfor word in \"$@\"; do echo \"$word\"; done > '{}'\n",
        told.display()
    );
    debian.write("usr/bin/pkexec", &tell);
    let system = debian.system(false);
    let odd = Path::new("/tmp/a b;$(touch x).deb");
    system.install(odd, Way::Newer).await.unwrap();
    let told = fs::read_to_string(told).unwrap();
    assert_eq!(told.lines().last(), odd.to_str());
    assert_eq!(told.lines().count(), 6, "{told}");

    debian.write("usr/bin/pkexec", "#!/bin/sh\nexit 126\n");
    let no = system.install(odd, Way::Newer).await;
    assert!(matches!(no, Err(UpdateError::NotAllowed)), "{no:?}");
    debian.write(
        "usr/bin/pkexec",
        "#!/bin/sh\necho E: broken packages >&2\nexit 100\n",
    );
    let broken = system
        .install(odd, Way::Newer)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        broken.contains("broken packages") && broken.contains("100"),
        "{broken}"
    );
}

#[tokio::test]
async fn nothing_is_started_where_nothing_can_be() {
    let bare = Machine::new(&[DPKG, "usr/bin/apt-get"]).system(false);
    assert!(matches!(
        bare.install(Path::new(PACKAGE), Way::Newer).await,
        Err(UpdateError::ByHand)
    ));
}
