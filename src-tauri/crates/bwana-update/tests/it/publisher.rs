//! Whoever releases versions: a key, manifests and packages; and the installation that hears of them.

use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use bwana_types::time::Timestamp;
use bwana_update::{
    Installed, Known, PackageKind, Progress, SIGNATURE_COMMENT, Source, Staged, TRUSTED_COMMENT,
    UpdateError, Updater, Version,
};
use minisign::KeyPair;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::site::{Reply, Site};

pub(crate) const NOW: Timestamp = Timestamp(1_764_072_000_000);
/// What is installed.
pub(crate) const HERE: Version = Version(0, 1, 0);
/// Of the database the installed program writes.
pub(crate) const DATABASE_FORMAT: i64 = 5;
pub(crate) const PACKAGE_PATH: &str = "/next.deb";

pub(crate) struct Publisher {
    pub(crate) site: Site,
    pub(crate) keys: KeyPair,
    pub(crate) package: Vec<u8>,
    pub(crate) folder: tempfile::TempDir,
}

impl Publisher {
    pub(crate) async fn start() -> Self {
        let package: Vec<u8> = (0..300_000_u32)
            .flat_map(|at| (at % 251).to_le_bytes())
            .collect();
        let publisher = Self {
            site: Site::start().await,
            keys: KeyPair::generate_unencrypted_keypair().unwrap(),
            package,
            folder: tempfile::tempdir().unwrap(),
        };
        let file = Reply::File(publisher.package.clone());
        publisher.site.put(PACKAGE_PATH, file);
        publisher
    }

    /// A manifest of a version, released so many days after the first.
    pub(crate) fn manifest(&self, version: &str, day: u32) -> Value {
        json!({
            "format": "bwana.update/v1", "version": version,
            "released": format!("2026-10-{:02}T09:00:00Z", day + 1),
            "database_format": DATABASE_FORMAT, "notes": "Calmer.",
            "packages": [{
                "target": "linux-x86_64", "kind": "deb", "url": PACKAGE_PATH.trim_start_matches('/'),
                "bytes": self.package.len(), "sha256": hex(&Sha256::digest(&self.package)),
            }],
        })
    }

    pub(crate) fn sign(&self, text: &str) -> String {
        sign(&self.keys, text, SIGNATURE_COMMENT, TRUSTED_COMMENT)
    }

    /// Puts a text and a signature where an installation asks for them.
    pub(crate) fn publish_as(&self, text: &[u8], signature: &[u8]) {
        self.site.put("/latest.json", Reply::File(text.to_vec()));
        self.site
            .put("/latest.json.minisig", Reply::File(signature.to_vec()));
    }

    /// Releases a version as it should be.
    pub(crate) fn publish(&self, manifest: &Value) -> (String, String) {
        let text = manifest.to_string();
        let signature = self.sign(&text);
        self.publish_as(text.as_bytes(), signature.as_bytes());
        (text, signature)
    }

    pub(crate) fn source(&self) -> Source {
        let url = format!("{}/latest.json", self.site.url);
        Source::on_loopback(&url, &self.keys.pk.to_base64()).unwrap()
    }

    pub(crate) fn updater(&self) -> Updater {
        self.updater_at(HERE)
    }

    /// The same installation with another version of the program.
    pub(crate) fn updater_at(&self, version: Version) -> Updater {
        let installed = Installed {
            version,
            database_format: DATABASE_FORMAT,
            target: "linux-x86_64".into(),
            kind: Some(PackageKind::Deb),
        };
        Updater::new(self.source(), self.shelf(), installed)
            .with_retry_pause(Duration::from_millis(1))
            .with_free_space(|_| Ok(1 << 40))
    }

    pub(crate) fn shelf(&self) -> std::path::PathBuf {
        self.folder.path().join("updates")
    }

    pub(crate) async fn check(&self) -> Result<Known, UpdateError> {
        self.updater().check(NOW).await
    }

    pub(crate) async fn download(&self) -> Result<Staged, UpdateError> {
        self.updater().download(&mut |_: Progress| {}).await
    }

    /// Names of the files of updates, the lock apart.
    pub(crate) fn files(&self) -> Vec<String> {
        files(&self.shelf())
    }
}

pub(crate) fn sign(keys: &KeyPair, text: &str, comment: &str, trusted: &str) -> String {
    let untrusted = comment.strip_prefix("untrusted comment: ");
    minisign::sign(
        Some(&keys.pk),
        &keys.sk,
        Cursor::new(text),
        Some(trusted),
        untrusted,
    )
    .unwrap()
    .to_string()
}

pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "update.lock")
        .collect();
    names.sort();
    names
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The word for why something was refused.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, UpdateError>) -> &'static str {
    match answer {
        Err(UpdateError::Refused(why)) => why.as_str(),
        other => panic!("this was not refused: {other:?}"),
    }
}
