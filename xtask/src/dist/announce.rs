//! What the program of before reads to hear of a new version: `latest.json`, unsigned. It is signed where the key is, on a
//! machine without a network, by hand; `bwana-update` says what is believed of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::Stage;
use crate::wheel::sha256_of;

pub(super) const FILE: &str = "latest.json";
/// As `bwana-update` reads it.
const FORMAT: &str = "bwana.update/v1";
/// What stands in the signature and must stand there; the second is signed.
const COMMENTS: (&str, &str) = (
    "signature of a Bwana Desktop update manifest",
    "bwana.update/v1 latest.json",
);
/// What is new, in bytes of UTF-8: more is not read.
const NOTES_MAX_BYTES: usize = 16 * 1024;
/// The address of the manifest and the public key, which a release is built with.
const SOURCE: [&str; 2] = ["BWANA_UPDATE_URL", "BWANA_UPDATE_KEY"];

/// # Errors
/// If a release would be built with an address and without a key, or the other way round: it would never hear of another.
pub(super) fn check_source() -> anyhow::Result<()> {
    match SOURCE.map(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
        [true, true] | [false, false] => Ok(()),
        _ => bail!("{} and {} are set both or not at all", SOURCE[0], SOURCE[1]),
    }
}

/// The command that signs it.
pub(super) fn signing() -> String {
    let (untrusted, trusted) = COMMENTS;
    format!("minisign -S -H -s KEY.sec -c '{untrusted}' -t '{trusted}' -m {FILE}")
}

/// Writes it for the packages of a stage, beside them.
pub(super) fn write(
    stage: &Stage,
    packages: &[PathBuf],
    notes: Option<&Path>,
    into: &Path,
) -> anyhow::Result<()> {
    let notes = match notes {
        Some(file) => {
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
        }
        None => String::new(),
    };
    if notes.len() > NOTES_MAX_BYTES {
        bail!("what is new is longer than {NOTES_MAX_BYTES} bytes");
    }
    let own = own_words(stage)?;
    let manifest = json!({
        "format": FORMAT,
        "version": own["version"],
        "released": released()?,
        "database_format": own["database_format"],
        "notes": notes.trim(),
        "packages": packages.iter().map(|one| described(one)).collect::<anyhow::Result<Vec<_>>>()?,
    });
    let text = serde_json::to_string_pretty(&manifest)?;
    fs::write(into.join(FILE), text + "\n")?;
    Ok(())
}

/// What the program says of itself: its version, and the format of the data it writes.
fn own_words(stage: &Stage) -> anyhow::Result<Value> {
    let nowhere = stage.folder.join("no-home");
    let output = Command::new(stage.program("bwana"))
        .args(["update", "--json", "--home"])
        .arg(&nowhere)
        .output()
        .context("cannot run bwana")?;
    let said: Value =
        serde_json::from_slice(&output.stdout).context("bwana does not say which version it is")?;
    if !said["version"].is_string() || !said["database_format"].is_u64() {
        bail!("bwana does not say which version it is: {said}");
    }
    Ok(said)
}

/// Now, or what `SOURCE_DATE_EPOCH` says, so that a build can be made again.
fn released() -> anyhow::Result<String> {
    let at = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => jiff::Timestamp::from_second(seconds.trim().parse()?)?,
        Err(_) => jiff::Timestamp::now(),
    };
    Ok(format!("{at:.0}"))
}

fn described(package: &Path) -> anyhow::Result<Value> {
    let name = package.file_name().unwrap_or_default().to_string_lossy();
    let kind = package.extension().unwrap_or_default().to_string_lossy();
    Ok(json!({
        "target": format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        "kind": kind,
        // Beside the manifest, wherever that is.
        "url": name,
        "bytes": fs::metadata(package)?.len(),
        "sha256": sha256_of(package)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signing_command_says_what_the_program_reads() {
        let source =
            fs::read_to_string(crate::root().join("src-tauri/crates/bwana-update/src/source.rs"))
                .unwrap();
        for comment in [COMMENTS.0, COMMENTS.1] {
            assert!(source.contains(&format!("{comment}\"")), "{comment}");
            assert!(signing().contains(comment));
        }
    }

    #[test]
    fn a_package_is_described_by_its_size_and_hash() {
        let folder = std::env::temp_dir().join(format!("bwana-announce-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let package = folder.join("bwana-desktop_0.2.0_amd64.deb");
        fs::write(&package, "abc").unwrap();
        let described = described(&package).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(described["kind"], "deb");
        assert_eq!(described["url"], "bwana-desktop_0.2.0_amd64.deb");
        assert_eq!(described["bytes"], 3);
        let sha256 = described["sha256"].as_str().unwrap();
        assert!(sha256.starts_with("ba7816bf"), "{sha256}");
    }
}
