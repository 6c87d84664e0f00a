//! The system's keyring: a real one in a session of its own, and machines that have none, a silent one or a locked one.
//!
//! Each test starts this program again inside the session it needs, because the session is a matter of the environment.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bwana_config::{
    FOLDERS_FILE, KEYRING_SERVICE, Kept, KeyRef, Keyring, OfferState, Place, PlaceKind, SecretName,
    Secrets, probe,
};
use bwana_types::redact::Redactor;
use bwana_types::secret::{Secret, SecretError};

const JOB: &str = "BWANA_TEST_KEYRING_JOB";
/// Longer than a probe may take, shorter than anybody would wait.
const PROBE_LONGEST: Duration = Duration::from_secs(6);

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Whether a real keyring can be had. Says loudly if not.
fn can_have_a_keyring() -> bool {
    let missing: Vec<_> = ["dbus-run-session", "gnome-keyring-daemon"]
        .into_iter()
        .filter(|program| !is_there(program))
        .collect();
    if !missing.is_empty() {
        let mut err = std::io::stderr();
        let _ = writeln!(
            err,
            "\nSKIPPED: no {missing:?} here, so the real keyring was NOT tested (apt: dbus gnome-keyring)\n"
        );
    }
    missing.is_empty()
}

/// This program again, for `job`, as a command that sees only `home`.
fn again(command: &mut Command, job: &str, home: &Path) {
    command.arg(std::env::current_exe().unwrap()).args([
        "inside_a_session",
        "--exact",
        "--nocapture",
    ]);
    clean(command, job, home);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("job done"),
        "{job}: {said}\n{errors}"
    );
}

fn clean(command: &mut Command, job: &str, home: &Path) {
    for variable in [
        "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "GNOME_KEYRING_CONTROL",
    ] {
        command.env_remove(variable);
    }
    let run = home.join("run");
    fs::create_dir_all(&run).unwrap();
    command
        .env("HOME", home)
        .env("XDG_DATA_HOME", home.join("share"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_RUNTIME_DIR", run)
        .env(JOB, job);
}

/// A keyring daemon of this session; with a password it is open.
struct Daemon(Child);

impl Daemon {
    fn start(password: Option<&str>) -> Self {
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        if password.is_some() {
            command.arg("--unlock");
        }
        let mut daemon = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = daemon.stdin.take().unwrap();
        input
            .write_all(password.unwrap_or_default().as_bytes())
            .unwrap();
        drop(input);
        Self(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The keyring's state once it has one of those wanted, or after a while whatever it is.
fn state_once(wanted: &[OfferState]) -> OfferState {
    let began = Instant::now();
    loop {
        let state = keyring_state();
        if wanted.contains(&state) || began.elapsed() > Duration::from_secs(10) {
            return state;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn keyring_state() -> OfferState {
    let began = Instant::now();
    let offers = probe(Path::new("/nowhere"));
    assert!(began.elapsed() < PROBE_LONGEST, "{:?}", began.elapsed());
    assert_eq!(
        offers.iter().map(|offer| offer.place).collect::<Vec<_>>(),
        PlaceKind::ALL
    );
    assert_eq!(
        (offers[1].state, offers[2].state),
        (OfferState::New, OfferState::Ready)
    );
    offers[0].state
}

/// What is started again, in the session it was started in.
#[test]
fn inside_a_session() {
    let Ok(job) = std::env::var(JOB) else {
        return;
    };
    println!();
    match job.as_str() {
        "fill" => {
            let _daemon = Daemon::start(Some("test"));
            fill();
        }
        "locked" => {
            let _daemon = Daemon::start(None);
            find_locked();
        }
        "old name" => {
            let _daemon = Daemon::start(Some("test"));
            assert_eq!(state_once(&[OfferState::Ready]), OfferState::Ready);
            take_over_from_the_old_name();
            go_along_to_a_vault_from_the_old_name();
        }
        "moved" => {
            let _daemon = Daemon::start(Some("test"));
            assert_eq!(state_once(&[OfferState::Ready]), OfferState::Ready);
            find_the_folder_moved();
        }
        "later" => come_later(),
        "none" => find_none(),
        other => panic!("no job {other}"),
    }
    println!("job done");
}

fn fill() {
    assert_eq!(state_once(&[OfferState::Ready]), OfferState::Ready);
    let redactor = Redactor::new();
    let secrets = Secrets::new(
        Path::new("/nowhere"),
        Some(PlaceKind::Keyring),
        redactor.clone(),
    );
    let groq = SecretName::provider("groq").unwrap();
    let key = KeyRef::secret(groq.clone());
    assert!(matches!(
        secrets.get(&key),
        Err(SecretError::NotFound { .. })
    ));
    assert_eq!(secrets.names().unwrap(), []);
    assert_eq!(
        secrets.set(&groq, &secret("the first value")).unwrap(),
        Kept::New
    );
    assert_eq!(
        secrets.set(&groq, &secret("the second välue\n2")).unwrap(),
        Kept::Replaced
    );
    assert_eq!(secrets.get(&key).unwrap(), secret("the second välue\n2"));
    assert_eq!(redactor.text("<the first value>"), "<[redacted]>");
    secrets
        .set(&name("connectors/mail"), &secret(&"long ".repeat(3000)))
        .unwrap();
    // Another data folder in the same keyring is another world.
    let other = Secrets::new(Path::new("/nowhere"), None, redactor);
    other.choose_place(Arc::new(Keyring::of_home(Path::new("/elsewhere"))));
    assert_eq!(other.names().unwrap(), []);
    other.set(&groq, &secret("of another folder")).unwrap();
    assert_eq!(
        secrets.names().unwrap(),
        [name("connectors/mail"), groq.clone()]
    );
    secrets.remove(&name("connectors/mail")).unwrap();
    assert!(matches!(
        secrets.remove(&name("connectors/mail")),
        Err(SecretError::NotFound { .. })
    ));
    assert_eq!(secrets.names().unwrap(), std::slice::from_ref(&groq));
    check_with_secret_tool();
    secrets.unlock(None).unwrap();
    move_to_a_vault_and_back(&groq);
}

fn move_to_a_vault_and_back(name: &SecretName) {
    let home = tempfile::tempdir().unwrap();
    let keyring = Keyring::of_home(home.path());
    let secrets = Secrets::new(home.path(), Some(PlaceKind::Keyring), Redactor::new());
    secrets.set(name, &secret("a key that moves")).unwrap();
    let passphrase = secret("seven loaves of bread");
    let written = || Ok::<_, SecretError>(());
    let there = secrets
        .change_place(PlaceKind::Vault, Some(&passphrase), true, written)
        .unwrap();
    assert_eq!(
        (there.moved, there.left_behind),
        (vec![name.clone()], vec![])
    );
    assert_eq!(keyring.names().unwrap(), []);
    // As a move leaves it that ended before the old place was empty.
    keyring.set(name, &secret("a key that moves")).unwrap();
    secrets
        .change_place(PlaceKind::Vault, Some(&passphrase), true, written)
        .unwrap();
    assert_eq!(keyring.names().unwrap(), []);
    let back = secrets
        .change_place(PlaceKind::Keyring, None, true, written)
        .unwrap();
    assert_eq!(back.moved, std::slice::from_ref(name));
    assert_eq!(keyring.get(name).unwrap(), secret("a key that moves"));
}

fn keyring_secrets(home: &Path) -> Secrets {
    Secrets::new(home, Some(PlaceKind::Keyring), Redactor::new())
}

/// What an earlier version kept under one name for all data folders.
fn take_over_from_the_old_name() {
    let old = Keyring::of_service(KEYRING_SERVICE);
    let (groq, near) = (name("providers/groq"), name("providers/near"));
    let mail = name("connectors/mail");
    for kept in [&groq, &near, &mail] {
        old.set(kept, &secret(&format!("the old välue of {kept}")))
            .unwrap();
    }
    let home = tempfile::tempdir().unwrap();
    let secrets = keyring_secrets(home.path());
    let own = Keyring::of_service(Keyring::of_home(home.path()).service());
    assert_eq!(own.names().unwrap(), [], "nothing was read yet");
    assert_eq!(
        secrets.names().unwrap(),
        [mail.clone(), groq.clone(), near.clone()],
        "and nothing seems lost"
    );
    // The first read moves it, and says what it said before.
    let value = secret("the old välue of providers/groq");
    for _ in 0..2 {
        let read = secrets.get(&KeyRef::secret(groq.clone())).unwrap();
        assert_eq!(read, value);
        assert_eq!(own.get(&groq).unwrap(), value);
        assert_eq!(old.names().unwrap(), [mail.clone(), near.clone()]);
    }
    // What is replaced or removed is so under both names.
    let kept = secrets.set(&near, &secret("a new value of near")).unwrap();
    assert_eq!(kept, Kept::Replaced);
    secrets.remove(&mail).unwrap();
    assert_eq!(old.names().unwrap(), []);
    assert_eq!(own.names().unwrap(), [groq.clone(), near.clone()]);
    // Left by a program that ended between the copy and the removal.
    old.set(&groq, &value).unwrap();
    secrets.remove(&groq).unwrap();
    assert_eq!(secrets.names().unwrap(), [near]);
    assert_eq!(old.names().unwrap(), []);
}

fn go_along_to_a_vault_from_the_old_name() {
    let old = Keyring::of_service(KEYRING_SERVICE);
    let groq = name("providers/groq");
    old.set(&groq, &secret("a key under the old name")).unwrap();
    let home = tempfile::tempdir().unwrap();
    let secrets = keyring_secrets(home.path());
    let passphrase = secret("seven loaves of bread");
    let written = || Ok::<_, SecretError>(());
    let moved = secrets
        .change_place(PlaceKind::Vault, Some(&passphrase), true, written)
        .unwrap();
    assert_eq!(moved.moved, std::slice::from_ref(&groq));
    let read = secrets.get(&KeyRef::secret(groq)).unwrap();
    assert_eq!(read, secret("a key under the old name"));
    assert_eq!(old.names().unwrap(), []);
}

/// Keys are filed under the path of the data folder: what a person is told who moves it.
fn find_the_folder_moved() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let (before, after) = (folder.join("before"), folder.join("after"));
    fs::create_dir(&before).unwrap();
    let groq = name("providers/groq");
    let key = KeyRef::secret(groq.clone());
    let plain = keyring_secrets(&before).get(&key).unwrap_err();
    assert!(!plain.to_string().contains("before"), "{plain}");
    keyring_secrets(&before)
        .set(&groq, &secret("given before it moved"))
        .unwrap();
    let text = fs::read_to_string(before.join(FOLDERS_FILE)).unwrap();
    assert!(!text.contains("given") && !text.contains("groq"), "{text}");

    fs::rename(&before, &after).unwrap();
    let error = keyring_secrets(&after).get(&key).unwrap_err();
    assert!(matches!(error, SecretError::NotFound { .. }), "{error:?}");
    for path in [&before, &after] {
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
    let how = "`bwana providers add groq --key-stdin`";
    assert!(error.hint().contains(how), "{}", error.hint());
    // Given again, it is there; and what belongs to the old path is as it was.
    keyring_secrets(&after)
        .set(&groq, &secret("given after it moved"))
        .unwrap();
    let read = keyring_secrets(&after).get(&key).unwrap();
    assert_eq!(read, secret("given after it moved"));
    fs::rename(&after, &before).unwrap();
    let read = keyring_secrets(&before).get(&key).unwrap();
    assert_eq!(read, secret("given before it moved"));
}

/// The same entry as other programs see it.
fn check_with_secret_tool() {
    if !is_there("secret-tool") {
        return;
    }
    let search = |words: &[&str]| {
        let output = Command::new("secret-tool").args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let keyring = Keyring::of_home(Path::new("/nowhere"));
    let service = keyring.service();
    let groq = ["lookup", "service", service, "username", "providers/groq"];
    assert_eq!(search(&groq), "the second välue\n2");
    assert_eq!(
        search(&["lookup", "service", service, "username", "connectors/mail"]),
        ""
    );
}

fn find_locked() {
    assert_eq!(state_once(&[OfferState::Locked]), OfferState::Locked);
    let keyring = Keyring::of_home(Path::new("/nowhere"));
    for at in ["providers/groq", "providers/never-was"] {
        let began = Instant::now();
        let error = keyring.get(&name(at)).unwrap_err();
        assert!(
            matches!(error, SecretError::Locked { .. }),
            "{at}: {error:?}"
        );
        assert!(began.elapsed() < PROBE_LONGEST, "it waited for a dialog");
    }
    let error = keyring
        .set(&name("providers/groq"), &secret("another value"))
        .unwrap_err();
    assert!(matches!(error, SecretError::Locked { .. }), "{error:?}");
    let error = keyring.remove(&name("providers/groq")).unwrap_err();
    assert!(matches!(error, SecretError::Locked { .. }), "{error:?}");
    assert!(matches!(keyring.names(), Err(SecretError::Locked { .. })));
}

/// A program that runs before the keyring does finds it once it is there.
fn come_later() {
    let keyring = Keyring::of_home(Path::new("/nowhere"));
    assert!(keyring.get(&name("providers/groq")).is_err());
    let _daemon = Daemon::start(Some("test"));
    assert_eq!(state_once(&[OfferState::Ready]), OfferState::Ready);
    assert_eq!(
        keyring.get(&name("providers/groq")).unwrap(),
        secret("the second välue\n2")
    );
}

fn find_none() {
    assert_eq!(keyring_state(), OfferState::Unavailable);
    let keyring = Keyring::of_home(Path::new("/nowhere"));
    let error = keyring.get(&name("providers/groq")).unwrap_err();
    assert!(
        matches!(error, SecretError::Unavailable { .. }),
        "{error:?}"
    );
    let error = keyring
        .set(&name("providers/groq"), &secret("a value"))
        .unwrap_err();
    assert!(
        matches!(error, SecretError::Unavailable { .. }),
        "{error:?}"
    );
    assert!(keyring.names().is_err() && keyring.unlock(None).is_err());
}

/// A session bus on which nothing is started by being asked for.
fn bare_session(home: &Path) -> Command {
    let config = home.join("bus.conf");
    let text = "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
                \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><type>session</type>\
                <listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth><policy context=\"default\">\
                <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/>\
                </policy></busconfig>\n";
    fs::write(&config, text).unwrap();
    let mut command = Command::new("dbus-run-session");
    command.arg("--config-file").arg(config).arg("--");
    command
}

#[test]
fn a_real_keyring_keeps_replaces_lists_and_removes_and_says_when_it_is_locked() {
    if !can_have_a_keyring() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    again(&mut bare_session(home.path()), "fill", home.path());
    again(&mut bare_session(home.path()), "locked", home.path());
    again(&mut bare_session(home.path()), "later", home.path());
}

#[test]
fn keys_under_the_name_of_an_earlier_version_are_found_and_moved() {
    if !can_have_a_keyring() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    again(&mut bare_session(home.path()), "old name", home.path());
}

#[test]
fn a_data_folder_that_moved_says_where_its_keys_belong() {
    if !can_have_a_keyring() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    again(&mut bare_session(home.path()), "moved", home.path());
}

#[test]
fn a_session_without_a_keyring_is_told_from_an_empty_one() {
    if !is_there("dbus-run-session") {
        can_have_a_keyring();
        return;
    }
    let home = tempfile::tempdir().unwrap();
    again(&mut bare_session(home.path()), "none", home.path());
}

#[test]
fn a_machine_without_a_session_is_no_hang() {
    let home = tempfile::tempdir().unwrap();
    again(&mut Command::new("env"), "none", home.path());
}

#[test]
fn a_bus_that_never_answers_is_no_hang() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("silent");
    // Accepts in the kernel, and nobody ever reads.
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut command = Command::new("env");
    command.arg(format!(
        "DBUS_SESSION_BUS_ADDRESS=unix:path={}",
        path.display()
    ));
    command.arg(std::env::current_exe().unwrap()).args([
        "the_silent_bus",
        "--exact",
        "--nocapture",
    ]);
    clean(&mut command, "silent", home.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Started by [`a_bus_that_never_answers_is_no_hang`].
#[test]
fn the_silent_bus() {
    if std::env::var(JOB).is_ok_and(|job| job == "silent") {
        assert_ne!(keyring_state(), OfferState::Ready);
    }
}
