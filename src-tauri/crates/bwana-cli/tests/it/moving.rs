//! Secrets that move from one place to another, and a vault that gets another passphrase: what is there afterwards, also
//! if the program ends in between.

use bwana_testkit::bwana::PATIENCE;
use bwana_testkit::{Bwana, Running};

use crate::common::{bwana, words};

const KEY: &str = "sk-canary-0c5d9e7a1b3f4826";
const OLD: &str = "seven loaves of bread";
const NEW: &str = "two small fishes too";

fn with_key_in_vault() -> Bwana {
    let bwana = bwana();
    let file = bwana.file("passphrase", OLD);
    let bwana = bwana.env("BWANA_VAULT_PASSPHRASE_FILE", file.to_str().unwrap());
    bwana.run(words("secrets use vault")).expect_code(0);
    let add = "providers add near --base-url http://127.0.0.1:9 --model m --key-stdin";
    bwana.run_with_input(words(add), KEY).expect_code(0);
    bwana
}

/// Whether the key can be had with the passphrase in the file as it is now.
fn has_key(bwana: &Bwana) -> bool {
    let unlocked = bwana.run(words("secrets unlock --json"));
    if unlocked.code() != Some(0) {
        assert_eq!(unlocked.last()["code"], "secret.locked", "{unlocked}");
        return false;
    }
    assert_eq!(
        unlocked.last()["names"],
        serde_json::json!(["providers/near"])
    );
    true
}

#[test]
fn a_vault_opens_with_the_new_passphrase_and_no_longer_with_the_old() {
    let bwana = with_key_in_vault();
    let short = bwana.run_with_input(words("secrets passphrase --json"), "short");
    assert_ne!(short.code(), Some(0));
    assert!(has_key(&bwana));
    let changed = bwana.run_with_input(words("secrets passphrase --json"), NEW);
    assert!(!changed.to_string().contains(NEW) && !changed.to_string().contains(OLD));
    changed.expect_code(0);
    assert!(!has_key(&bwana));
    bwana.file("passphrase", NEW);
    assert!(has_key(&bwana));
    // The old one is no longer known, so nothing is changed with it.
    bwana.file("passphrase", OLD);
    let refused = bwana.run_with_input(words("secrets passphrase --json"), "three loaves of bread");
    assert_eq!(refused.last()["code"], "secret.locked");
}

#[test]
fn nothing_is_moved_into_memory() {
    let bwana = with_key_in_vault();
    let refused = bwana
        .run(words("secrets use memory --move --json"))
        .expect_code(5);
    assert_eq!(refused.last()["code"], "secret.unavailable");
    assert!(has_key(&bwana));
}

#[test]
#[cfg(feature = "fault-points")]
fn a_passphrase_is_the_old_one_or_the_new_one_wherever_the_program_ends() {
    for (point, opens_with) in [("vault_draft_written", OLD), ("vault_replaced", NEW)] {
        let bwana = with_key_in_vault();
        let mut command = bwana.command(words("secrets passphrase"));
        command.env("BWANA_CRASH_AT", format!("{point}:1"));
        let ended = Running::start(command, NEW).finish(PATIENCE);
        assert_eq!(ended.code(), None, "{point}: ended by a signal: {ended}");
        for passphrase in [OLD, NEW] {
            bwana.file("passphrase", passphrase);
            assert_eq!(has_key(&bwana), passphrase == opens_with, "{point}");
        }
    }
}

/// Only in a session with a real keyring; says so where there is none.
#[test]
#[cfg(all(feature = "fault-points", target_os = "linux"))]
fn a_move_to_the_keyring_loses_nothing_wherever_it_ends() {
    use std::process::{Command, Stdio};

    const SESSION: &str = "BWANA_TEST_MOVING_SESSION";
    const NAME: &str = "moving::a_move_to_the_keyring_loses_nothing_wherever_it_ends";
    let has = |program: &str| {
        let mut command = Command::new(program);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok()
    };
    if !has("dbus-run-session") || !has("gnome-keyring-daemon") {
        eprintln!("SKIPPED: no dbus-run-session or gnome-keyring-daemon (apt: dbus gnome-keyring)");
        return;
    }
    if std::env::var_os(SESSION).is_none() {
        // This program again, in a session of its own.
        let home = tempfile::tempdir().unwrap();
        let mut again = Command::new("dbus-run-session");
        again.arg("--").arg(std::env::current_exe().unwrap());
        again.args([NAME, "--exact", "--nocapture"]);
        for variable in [
            "DBUS_SESSION_BUS_ADDRESS",
            "DISPLAY",
            "GNOME_KEYRING_CONTROL",
        ] {
            again.env_remove(variable);
        }
        again.env(SESSION, "1").env("HOME", home.path());
        again
            .env("XDG_RUNTIME_DIR", home.path())
            .env("XDG_DATA_HOME", home.path().join("share"));
        let output = again.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}\n{errors}"
        );
        return;
    }
    let mut daemon = Command::new("gnome-keyring-daemon");
    daemon.args(["--foreground", "--components=secrets", "--unlock"]);
    daemon
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut daemon = daemon.spawn().unwrap();
    std::io::Write::write_all(&mut daemon.stdin.take().unwrap(), b"test").unwrap();
    move_with_every_end();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[cfg(all(feature = "fault-points", target_os = "linux"))]
fn move_with_every_end() {
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap();
    let ready = |bwana: &Bwana| {
        let shown = bwana
            .run(words("secrets show --json"))
            .expect_code(0)
            .last();
        shown["offers"][0]["state"] == "ready"
    };
    let mut chosen = Vec::new();
    for point in [
        "secret_copied",
        "secrets_place_written",
        "secret_removed",
        "no_such_point",
    ] {
        let bwana = with_key_in_vault().env("DBUS_SESSION_BUS_ADDRESS", &bus);
        let began = std::time::Instant::now();
        while !ready(&bwana) {
            assert!(began.elapsed() < PATIENCE, "the keyring never came");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let mut command = bwana.command(words("secrets use keyring --move --json"));
        command.env("BWANA_CRASH_AT", format!("{point}:1"));
        let ended = Running::start(command, "").finish(PATIENCE);
        assert_eq!(
            ended.code().is_none(),
            point != "no_such_point",
            "{point}: {ended}"
        );
        // Wherever it ended, the key is where the settings say.
        let shown = bwana
            .run(words("secrets show --json"))
            .expect_code(0)
            .last();
        chosen.push(shown["place"].as_str().unwrap().to_owned());
        if shown["place"] == "vault" {
            assert!(has_key(&bwana), "{point}");
        } else {
            assert_eq!(
                shown["names"],
                serde_json::json!(["providers/near"]),
                "{point}"
            );
        }
        // And doing it again finishes it: the vault is empty.
        bwana
            .run(words("secrets use keyring --move"))
            .expect_code(0);
        let shown = bwana
            .run(words("secrets show --json"))
            .expect_code(0)
            .last();
        assert_eq!(
            shown["names"],
            serde_json::json!(["providers/near"]),
            "{point}"
        );
        bwana.run(words("providers list --json")).expect_code(0);
        bwana.run(words("secrets use vault")).expect_code(0);
        let vault = bwana
            .run(words("secrets unlock --json"))
            .expect_code(0)
            .last();
        assert_eq!(vault["names"], serde_json::json!([]), "{point}: {vault}");
    }
    assert_eq!(chosen, ["vault", "keyring", "keyring", "keyring"]);
}
