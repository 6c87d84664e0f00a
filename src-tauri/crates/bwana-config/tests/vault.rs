//! The vault with real files, real passphrases, several programs at once, and programs that are killed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bwana_config::{
    Kept, KeyRef, LOCK_FILE, OfferState, Place, PlaceKind, SecretName, Secrets, VAULT_FILE, Vault,
    VaultError, probe, read_secret,
};
use bwana_types::redact::Redactor;
use bwana_types::secret::{Secret, SecretError, SecretSource as _};

const PASSPHRASE: &str = "four random words here";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn created(home: &Path) -> Vault {
    let vault = Vault::at(home);
    vault.create(&secret(PASSPHRASE)).unwrap();
    vault
}

#[test]
fn a_secret_survives_the_program_and_only_its_passphrase_opens_it() {
    let home = tempfile::tempdir().unwrap();
    let vault = created(home.path());
    let long = secret(&"ü\n\"".repeat(3000));
    vault
        .set(&name("providers/groq"), &secret("gsk-value"))
        .unwrap();
    vault.set(&name("connectors/mail"), &long).unwrap();
    let again = Vault::at(home.path());
    assert!(matches!(
        again.get(&name("providers/groq")),
        Err(SecretError::Locked { .. })
    ));
    assert_eq!(
        again.open(&secret("something else")),
        Err(VaultError::WrongPassphrase)
    );
    assert!(matches!(
        again.unlock(None),
        Err(SecretError::Locked { .. })
    ));
    assert!(matches!(
        again.unlock(Some(&secret("no"))),
        Err(SecretError::Locked { .. })
    ));
    again.open(&secret(PASSPHRASE)).unwrap();
    assert_eq!(
        again.get(&name("providers/groq")).unwrap(),
        secret("gsk-value")
    );
    assert_eq!(again.get(&name("connectors/mail")).unwrap(), long);
    assert_eq!(
        again.names().unwrap(),
        [name("connectors/mail"), name("providers/groq")]
    );
    assert!(matches!(
        again.get(&name("providers/other")),
        Err(SecretError::NotFound { .. })
    ));
    again.lock();
    assert!(matches!(again.names(), Err(SecretError::Locked { .. })));
}

#[test]
fn nothing_of_what_is_inside_can_be_read_in_the_folder() {
    let home = tempfile::tempdir().unwrap();
    let vault = created(home.path());
    vault
        .set(&name("providers/groq"), &secret("gsk-value-to-look-for"))
        .unwrap();
    vault
        .set(
            &name("providers/groq"),
            &secret("another-value-to-look-for"),
        )
        .unwrap();
    vault.remove(&name("providers/groq")).unwrap();
    assert!(matches!(
        vault.remove(&name("providers/groq")),
        Err(SecretError::NotFound { .. })
    ));
    vault
        .set(&name("providers/groq"), &secret("third-value-to-look-for"))
        .unwrap();
    let mut files: Vec<_> = fs::read_dir(home.path())
        .unwrap()
        .map(|f| f.unwrap())
        .collect();
    files.sort_by_key(|file| file.file_name());
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let bytes = fs::read(file.path()).unwrap();
        for word in ["look-for", "groq", "providers", PASSPHRASE] {
            assert!(
                !bytes.windows(word.len()).any(|w| w == word.as_bytes()),
                "{word} {file:?}"
            );
        }
        check_private(&file.path());
    }
}

#[cfg(unix)]
fn check_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
}

#[cfg(not(unix))]
fn check_private(_path: &Path) {}

#[test]
fn what_is_wrong_is_said_and_the_file_stays_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(VAULT_FILE);
    let vault = Vault::at(home.path());
    assert_eq!(vault.check(), Err(VaultError::Absent));
    assert_eq!(vault.open(&secret(PASSPHRASE)), Err(VaultError::Absent));
    assert_eq!(
        vault.create(&secret("seven77")),
        Err(VaultError::PassphraseTooShort)
    );
    assert_eq!(
        vault.create(&secret(&"a".repeat(2000))),
        Err(VaultError::PassphraseTooLong)
    );
    vault.create(&secret(PASSPHRASE)).unwrap();
    assert_eq!(vault.create(&secret(PASSPHRASE)), Err(VaultError::Exists));
    vault.set(&name("providers/a"), &secret("value")).unwrap();
    let good = fs::read(&path).unwrap();

    let newer = [&good[..8], &[2, 0][..], &good[10..]].concat();
    let cut = good[..good.len() - 40].to_vec();
    let mut damaged = good.clone();
    damaged[110] ^= 1;
    for (bytes, expected) in [
        (newer, VaultError::Newer { version: 2 }),
        (
            cut,
            VaultError::Truncated {
                have: good.len() - 40,
                expected: good.len(),
            },
        ),
        (damaged, VaultError::Damaged),
        (b"[settings]\n".to_vec(), VaultError::NoVault),
        (vec![0; 5_000_000], VaultError::TooLarge),
    ] {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(vault.check(), Err(expected.clone()));
        assert_eq!(vault.open(&secret(PASSPHRASE)), Err(expected.clone()));
        let refused = vault.set(&name("providers/a"), &secret("new")).unwrap_err();
        assert_eq!(refused, SecretError::from(expected.clone()));
        assert_eq!(fs::read(&path).unwrap(), bytes, "{expected}");
        let offer = &probe(home.path())[1];
        assert_eq!(
            (offer.place, offer.state),
            (PlaceKind::Vault, OfferState::Broken),
            "{offer:?}"
        );
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(vault.get(&name("providers/a")).unwrap(), secret("value"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(vault.check(), Err(VaultError::NoVault));
}

/// A vault that was unlocked while it was whole, whose file is then replaced. Being unlocked makes it cheap: nothing
/// below derives a key anew, because what is wrong is found before the passphrase is used.
struct Harmed {
    _home: tempfile::TempDir,
    path: PathBuf,
    good: Vec<u8>,
    vault: Vault,
}

impl Harmed {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let vault = created(home.path());
        vault.set(&name("providers/a"), &secret("value")).unwrap();
        let path = home.path().join(VAULT_FILE);
        let good = fs::read(&path).unwrap();
        Self {
            _home: home,
            path,
            good,
            vault,
        }
    }

    /// Every way in refuses these bytes with one and the same answer, and leaves them as they are.
    #[track_caller]
    fn refused(&self, what: &str, bytes: &[u8]) -> VaultError {
        // Changed in place: a new file for each of thousands would be slow.
        fs::write(&self.path, bytes).unwrap();
        let error = self.vault.check().unwrap_err();
        let said = SecretError::from(error.clone());
        assert!(
            matches!(said, SecretError::Failed { .. }),
            "{what}: {said:?}"
        );
        assert!(!said.to_string().is_empty() && !said.hint().is_empty());
        assert_eq!(
            self.vault.open(&secret(PASSPHRASE)),
            Err(error.clone()),
            "{what}"
        );
        assert_eq!(
            self.vault
                .change_passphrase(&secret(PASSPHRASE), &secret("a new passphrase")),
            Err(error.clone()),
            "{what}"
        );
        assert_eq!(
            self.vault.create(&secret(PASSPHRASE)),
            Err(VaultError::Exists),
            "{what}"
        );
        self.refused_unlocked(what, &said);
        assert_eq!(fs::read(&self.path).unwrap(), bytes, "{what}: {error}");
        error
    }

    /// What a program that has the vault open is told when it reads or writes.
    #[track_caller]
    fn refused_unlocked(&self, what: &str, said: &SecretError) {
        let a = name("providers/a");
        for answer in [
            self.vault.get(&a).map(drop),
            self.vault.set(&a, &secret("new")),
            self.vault.remove(&a),
            self.vault.names().map(drop),
        ] {
            assert_eq!(answer.as_ref(), Err(said), "{what}");
        }
    }

    /// Whoever puts the file back has everything again.
    fn nothing_is_lost(&self) {
        fs::write(&self.path, &self.good).unwrap();
        assert_eq!(
            self.vault.get(&name("providers/a")).unwrap(),
            secret("value")
        );
        self.vault.open(&secret(PASSPHRASE)).unwrap();
    }
}

/// With the sum at the end made right again, as somebody would who means harm.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    let content = bytes.len() - 32;
    let sum = *blake3::hash(&bytes[..content]).as_bytes();
    bytes[content..].copy_from_slice(&sum);
    bytes
}

#[test]
fn a_vault_file_cut_at_any_byte_says_how_much_is_missing_and_stays_as_it_is() {
    let harmed = Harmed::new();
    let whole = harmed.good.len();
    for cut in 0..whole {
        let error = harmed.refused(&format!("cut at {cut}"), &harmed.good[..cut]);
        let VaultError::Truncated { have, expected } = error else {
            panic!("cut at {cut}: {error:?}");
        };
        assert_eq!(have, cut);
        // Before the length stands there, the least that a vault has is all that is known.
        assert!(cut < expected && expected <= whole, "{cut}: {expected}");
        assert!(cut < 106 || expected == whole, "{cut}: {expected}");
    }
    harmed.nothing_is_lost();
}

#[test]
fn a_vault_file_with_any_bit_flipped_is_refused_and_stays_as_it_is() {
    let harmed = Harmed::new();
    for at in 0..harmed.good.len() {
        for bit in 0..8 {
            let mut flipped = harmed.good.clone();
            flipped[at] ^= 1 << bit;
            let error = harmed.refused(&format!("bit {at}.{bit}"), &flipped);
            let is_fitting = match at {
                0..8 => error == VaultError::NoVault,
                // A higher version; the one lower version is damage, because its sum is wrong.
                8..10 => matches!(error, VaultError::Newer { .. } | VaultError::Damaged),
                // Longer than the file, or not as long.
                102..106 => matches!(error, VaultError::Truncated { .. } | VaultError::Damaged),
                _ => error == VaultError::Damaged,
            };
            assert!(is_fitting, "bit {at}.{bit}: {error:?}");
        }
    }
    harmed.nothing_is_lost();
}

#[test]
fn a_forged_sum_opens_nothing_and_changes_nothing_for_who_has_the_vault_open() {
    let harmed = Harmed::new();
    for at in 10..harmed.good.len() - 32 {
        for bit in 0..8 {
            let what = format!("bit {at}.{bit}");
            let mut forged = harmed.good.clone();
            forged[at] ^= 1 << bit;
            let forged = summed(forged);
            fs::write(&harmed.path, &forged).unwrap();
            let said = harmed.vault.get(&name("providers/a")).unwrap_err();
            let is_closed = matches!(
                said,
                SecretError::Locked { .. } | SecretError::Failed { .. }
            );
            assert!(is_closed, "{what}: {said:?}");
            harmed.refused_unlocked(&what, &said);
            assert_eq!(fs::read(&harmed.path).unwrap(), forged, "{what}");
        }
    }
    harmed.nothing_is_lost();
}

#[test]
fn a_vault_of_another_version_says_which_and_what_to_do_and_stays_as_it_is() {
    let harmed = Harmed::new();
    for (version, expected, what_to_do) in [
        (
            0_u16,
            VaultError::Older { version: 0 },
            "version that wrote it",
        ),
        (2, VaultError::Newer { version: 2 }, "Update the program"),
        (
            u16::MAX,
            VaultError::Newer { version: u16::MAX },
            "Update the program",
        ),
    ] {
        let mut bytes = harmed.good.clone();
        bytes[8..10].copy_from_slice(&version.to_le_bytes());
        let error = harmed.refused(&format!("version {version}"), &summed(bytes));
        assert_eq!(error, expected);
        assert!(error.to_string().contains(&version.to_string()), "{error}");
        let said = SecretError::from(error);
        assert!(said.hint().contains(what_to_do), "{}", said.hint());
    }
    harmed.nothing_is_lost();
}

#[test]
fn a_new_passphrase_locks_out_the_old_one_here_and_elsewhere() {
    let home = tempfile::tempdir().unwrap();
    let vault = created(home.path());
    vault.set(&name("providers/a"), &secret("value")).unwrap();
    let elsewhere = Vault::at(home.path());
    elsewhere.open(&secret(PASSPHRASE)).unwrap();
    let before = fs::read(home.path().join(VAULT_FILE)).unwrap();
    let wrong = vault.change_passphrase(&secret("not the old one"), &secret("a new passphrase"));
    assert_eq!(wrong, Err(VaultError::WrongPassphrase));
    let short = vault.change_passphrase(&secret(PASSPHRASE), &secret("short"));
    assert_eq!(short, Err(VaultError::PassphraseTooShort));
    assert_eq!(fs::read(home.path().join(VAULT_FILE)).unwrap(), before);
    vault
        .change_passphrase(&secret(PASSPHRASE), &secret("a new passphrase"))
        .unwrap();
    assert_eq!(vault.get(&name("providers/a")).unwrap(), secret("value"));
    let error = elsewhere.get(&name("providers/a")).unwrap_err();
    assert_eq!(error, SecretError::from(VaultError::PassphraseChanged));
    assert!(elsewhere.set(&name("providers/a"), &secret("x")).is_err());
    assert_eq!(
        elsewhere.open(&secret(PASSPHRASE)),
        Err(VaultError::WrongPassphrase)
    );
    elsewhere.open(&secret("a new passphrase")).unwrap();
    assert_eq!(
        elsewhere.get(&name("providers/a")).unwrap(),
        secret("value")
    );
}

#[test]
fn a_full_disk_or_a_closed_folder_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let vault = created(home.path());
    vault.set(&name("providers/a"), &secret("value")).unwrap();
    // Where the draft would be written is a folder: that cannot be written either, whoever asks.
    fs::create_dir_all(home.path().join("secrets.vault.new/in-the-way")).unwrap();
    let error = vault.set(&name("providers/a"), &secret("new")).unwrap_err();
    assert!(matches!(error, SecretError::Failed { .. }), "{error:?}");
    assert_eq!(vault.get(&name("providers/a")).unwrap(), secret("value"));
    fs::remove_dir_all(home.path().join("secrets.vault.new")).unwrap();
    fs::write(home.path().join("secrets.vault.new"), "left by a crash").unwrap();
    vault.set(&name("providers/a"), &secret("new")).unwrap();
    assert_eq!(vault.get(&name("providers/a")).unwrap(), secret("new"));
}

/// This program again, doing the one test that does `job`.
fn again(job: &str, home: &Path, argument: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["the_work_of_another_program", "--exact", "--nocapture"])
        .env("BWANA_TEST_JOB", job)
        .env("BWANA_TEST_HOME", home)
        .env("BWANA_TEST_ARGUMENT", argument)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What `again` starts. Without a job it does nothing.
#[test]
fn the_work_of_another_program() {
    let Ok(job) = std::env::var("BWANA_TEST_JOB") else {
        return;
    };
    let home = std::env::var_os("BWANA_TEST_HOME").unwrap();
    let argument = std::env::var("BWANA_TEST_ARGUMENT").unwrap();
    let vault = Vault::at(Path::new(&home));
    vault.open(&secret(PASSPHRASE)).unwrap();
    let last = if job == "write" { 20 } else { u32::MAX };
    println!();
    for at in 0..last {
        let name = name(&format!("providers/{argument}-{}", at % 40));
        vault
            .set(&name, &secret(&format!("value of {argument} {at}")))
            .unwrap();
        println!("kept {argument} {at}");
    }
}

#[test]
fn programs_that_write_at_once_lose_nothing() {
    let home = tempfile::tempdir().unwrap();
    let vault = created(home.path());
    let programs: Vec<_> = ["a", "b", "c"]
        .map(|who| again("write", home.path(), who))
        .into();
    for mut program in programs {
        assert!(program.wait().unwrap().success());
    }
    let names = vault.names().unwrap();
    assert_eq!(names.len(), 60, "{names:?}");
    for who in ["a", "b", "c"] {
        for at in 0..20 {
            let kept = vault.get(&name(&format!("providers/{who}-{at}"))).unwrap();
            assert_eq!(kept, secret(&format!("value of {who} {at}")));
        }
    }
}

#[test]
fn a_program_killed_while_it_writes_loses_nothing_it_said_was_kept() {
    let home = tempfile::tempdir().unwrap();
    let vault = created(home.path());
    for round in 0..12_u64 {
        let mut program = again("for ever", home.path(), "k");
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let first = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("kept")));
        assert!(first.is_some(), "the program kept nothing");
        std::thread::sleep(Duration::from_millis(7 * round % 40));
        program.kill().unwrap();
        program.wait().unwrap();
        let said = lines
            .map_while(Result::ok)
            .filter(|line| line.starts_with("kept"));
        let last: u32 = said
            .last()
            .map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap());
        vault.check().unwrap();
        let kept = vault
            .get(&name(&format!("providers/k-{}", last % 40)))
            .unwrap();
        let number: u32 = kept.expose().rsplit(' ').next().unwrap().parse().unwrap();
        assert!(
            number >= last && (number - last).is_multiple_of(40),
            "round {round}: {number} is not {last}"
        );
    }
    assert!(home.path().join(LOCK_FILE).exists());
    vault
        .set(&name("providers/after"), &secret("nobody holds the lock"))
        .unwrap();
}

#[test]
fn secrets_are_found_by_reference_replaced_and_removed() {
    let home = tempfile::tempdir().unwrap();
    for kind in [PlaceKind::Memory, PlaceKind::Vault] {
        let redactor = Redactor::new();
        let secrets = Secrets::new(home.path(), Some(kind), redactor.clone());
        let groq = SecretName::provider("groq").unwrap();
        let key = KeyRef::secret(groq.clone());
        if kind == PlaceKind::Vault {
            let error = secrets.get(&key).unwrap_err();
            assert!(
                matches!(error, SecretError::Unavailable { .. }),
                "{error:?}"
            );
            secrets.create_vault(&secret(PASSPHRASE)).unwrap();
        }
        assert!(matches!(
            secrets.get(&key),
            Err(SecretError::NotFound { .. })
        ));
        assert!(matches!(
            secrets.remove(&groq),
            Err(SecretError::NotFound { .. })
        ));
        assert_eq!(
            secrets.set(&groq, &secret(" the first value\n")).unwrap(),
            Kept::New
        );
        assert_eq!(
            secrets.find("secret:providers/groq").unwrap(),
            secret("the first value")
        );
        assert_eq!(
            secrets.set(&groq, &secret("the second value")).unwrap(),
            Kept::Replaced
        );
        assert_eq!(
            secrets.secret("secret:providers/groq").unwrap(),
            secret("the second value")
        );
        assert_eq!(secrets.names().unwrap(), std::slice::from_ref(&groq));
        for bad in ["", " \n", &"a".repeat(20_000)] {
            assert!(matches!(
                secrets.set(&groq, &secret(bad)),
                Err(SecretError::Failed { .. })
            ));
        }
        secrets.remove(&groq).unwrap();
        assert!(matches!(
            secrets.get(&key),
            Err(SecretError::NotFound { .. })
        ));
        assert_eq!(
            redactor.text("the first value, the second value"),
            "[redacted], [redacted]"
        );
        assert!(!format!("{secrets:?}").contains("value"));
    }
}

#[test]
fn an_unlocked_vault_makes_known_also_what_nobody_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let vault = created(home.path());
    vault
        .set(&name("providers/near"), &secret("plain words of a friend"))
        .unwrap();
    let redactor = Redactor::new();
    let secrets = Secrets::new(home.path(), Some(PlaceKind::Vault), redactor.clone());
    let said = "it said: plain words of a friend";
    assert_eq!(redactor.text(said), said);
    secrets.unlock(Some(&secret(PASSPHRASE))).unwrap();
    assert!(!redactor.text(said).contains("plain words"));
}

#[test]
fn nothing_is_kept_before_somebody_has_chosen_where() {
    let home = tempfile::tempdir().unwrap();
    let secrets = Secrets::new(home.path(), None, Redactor::new());
    let groq = SecretName::provider("groq").unwrap();
    let error = secrets.set(&groq, &secret("a value to keep")).unwrap_err();
    assert!(
        matches!(error, SecretError::Unavailable { .. }),
        "{error:?}"
    );
    assert!(matches!(
        secrets.find("secret:providers/groq"),
        Err(SecretError::Unavailable { .. })
    ));
    assert_eq!(
        secrets.find("env:PATH").unwrap(),
        secret(std::env::var("PATH").unwrap().trim())
    );
    let error = secrets.find("sk-a-key-pasted-by-mistake-123").unwrap_err();
    assert!(!format!("{error:?}").contains("pasted"), "{error:?}");
    assert!(fs::read_dir(home.path()).unwrap().next().is_none());
    secrets.choose(PlaceKind::Memory);
    secrets.set(&groq, &secret("a value to keep")).unwrap();
    secrets.choose(PlaceKind::Memory);
    assert!(
        secrets.find("secret:providers/groq").is_ok(),
        "the same choice again changes nothing"
    );
}

#[test]
fn a_secret_from_standard_input_is_text_of_sensible_length() {
    assert_eq!(read_secret(&b"  a key\r\n"[..]).unwrap(), secret("a key"));
    let long = vec![b'a'; 16 * 1024];
    assert!(read_secret(&long[..]).is_ok());
    let longer = vec![b'a'; 16 * 1024 + 1];
    for bad in [&b""[..], b" \n", b"key-\xff-key", &longer] {
        let error = read_secret(bad).unwrap_err();
        assert!(matches!(error, SecretError::Failed { .. }));
        assert!(!format!("{error:?}").contains("key-"), "{error:?}");
    }
}
