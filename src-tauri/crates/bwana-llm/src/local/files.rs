//! Model files on disk: where they are, what they are called, and which file a model name means.
//! Fetching them is `fetch`'s; what is known about them is `catalogue`'s.

use std::path::{Path, PathBuf};

use super::catalogue::{Catalogue, Entry};

/// The ending of every model file.
pub(super) const GGUF: &str = "gguf";
/// The longest name of a model, in bytes.
const NAME_MAX_BYTES: usize = 128;

/// A model file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// What requests call it: the catalogue's id, or the name of the file without its ending.
    pub name: String,
    pub path: PathBuf,
    pub bytes: u64,
}

/// The model files of a folder, by name. A folder that is not there is empty.
pub fn installed(folder: &Path, catalogue: &Catalogue) -> Vec<Installed> {
    let mut found: Vec<Installed> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| describe(&entry.path(), catalogue))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The file at `path` as a model, if it is one.
pub(super) fn describe(path: &Path, catalogue: &Catalogue) -> Option<Installed> {
    if path.extension()? != GGUF {
        return None;
    }
    let metadata = std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    let stem = path.file_stem()?.to_str()?;
    let known = catalogue.models.iter().find(|entry| {
        path.file_name()
            .is_some_and(|name| name == entry.file.as_str())
    });
    Some(Installed {
        name: known.map_or(stem, |entry| entry.id.as_str()).to_owned(),
        path: path.to_owned(),
        bytes: metadata.len(),
    })
}

/// The file that `name` means in `folder`, whether it is there or not; `None` for a name that cannot be a model's.
pub(super) fn path_of(folder: &Path, name: &str, catalogue: &Catalogue) -> Option<PathBuf> {
    if let Some(entry) = catalogue.get(name) {
        return Some(file_of(folder, entry));
    }
    is_name(name).then(|| folder.join(format!("{name}.{GGUF}")))
}

pub(super) fn file_of(folder: &Path, entry: &Entry) -> PathBuf {
    folder.join(&entry.file)
}

/// Whether `name` can be the name of a file in the models folder, and of nothing outside it.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty()
        && name.len() <= NAME_MAX_BYTES
        && !name.starts_with('.')
        && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        for name in ["smollm2-135m-instruct", "Qwen3_4B.Q4", "a"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "C:x", "a b", "é"] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_folder_shows_its_models_by_the_names_requests_use() {
        let folder = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::built_in();
        let starter = catalogue.starter().unwrap();
        assert!(installed(&folder.path().join("none"), catalogue).is_empty());
        std::fs::write(folder.path().join(&starter.file), b"GGUF").unwrap();
        std::fs::write(folder.path().join("mine.gguf"), b"GGUF..").unwrap();
        std::fs::write(folder.path().join("half.gguf.part"), b"G").unwrap();
        std::fs::create_dir(folder.path().join("folder.gguf")).unwrap();
        let found = installed(folder.path(), catalogue);
        let shown: Vec<(&str, u64)> = found.iter().map(|f| (f.name.as_str(), f.bytes)).collect();
        assert_eq!(shown, [("mine", 6), (starter.id.as_str(), 4)]);
        for file in &found {
            assert_eq!(
                path_of(folder.path(), &file.name, catalogue).as_ref(),
                Some(&file.path)
            );
        }
        assert_eq!(path_of(folder.path(), "../mine", catalogue), None);
    }
}
