//! Profiles: data folders of the same person, each with its own runs, settings and backups. One is the data folder as it
//! always was; the others stand in it, in `profiles`, each under its name.

use std::path::{Path, PathBuf};

use bwana_config::{PROFILES_DIR, base_of, parse_profile_name, profile_folder, profile_of};
use bwana_store::DATABASE_FILE;
use bwana_types::error::{ApiError, ErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::definitions::Nothing;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileRef {
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileShown {
    /// Empty: the one that has no name.
    pub name: String,
    /// Its data folder.
    pub path: String,
    /// It is the one this answer comes from.
    pub is_open: bool,
    /// Something was stored in it.
    pub has_data: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileList {
    /// The one without a name first, the others by name.
    pub profiles: Vec<ProfileShown>,
}

pub(crate) async fn list(app: &App, _ctx: Ctx, _: Nothing) -> Result<ProfileList, ApiError> {
    let base = base_of(app.home());
    let mut profiles = vec![shown(app.home(), base, "")];
    let folder = base.join(PROFILES_DIR);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(ProfileList { profiles });
        }
        Err(error) => return Err(unreadable(&folder, &error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(&folder, &error))?;
        // What is a link or has another name was not made by us.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if let Some(name) = entry.file_name().to_str()
            && is_folder
            && parse_profile_name(name).is_ok()
        {
            profiles.push(shown(app.home(), &entry.path(), name));
        }
    }
    profiles.sort_by(|one, two| one.name.cmp(&two.name));
    Ok(ProfileList { profiles })
}

pub(crate) async fn create(
    app: &App,
    _ctx: Ctx,
    request: ProfileRef,
) -> Result<ProfileShown, ApiError> {
    let made = make(app.home(), &request.name)?;
    Ok(shown(app.home(), &made, &request.name))
}

/// The data folder of a profile that is there, of the same person as `home`. No name is the one without.
///
/// # Errors
/// If the name cannot be one, or no profile has it.
pub fn folder_of(home: &Path, name: &str) -> Result<PathBuf, ApiError> {
    let base = base_of(home);
    if name.is_empty() {
        return Ok(base.to_owned());
    }
    let folder = profile_folder(base, name)?;
    if folder.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return Ok(folder);
    }
    let message = format!("there is no profile called '{name}'");
    Err(ApiError::new(ErrorCode::UsageNotFound, message)
        .with_hint("`bwana profiles list` says which there are."))
}

/// Makes the folder of a new profile, for its person alone.
pub(crate) fn make(home: &Path, name: &str) -> Result<PathBuf, ApiError> {
    let folder = profile_folder(base_of(home), name)?;
    let failed = |error: std::io::Error| {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull => ErrorCode::StoreFull,
            _ => ErrorCode::HomeUnwritable,
        };
        let message = format!("{} cannot be made: {error}", folder.display());
        ApiError::new(code, message)
    };
    if let Some(parent) = folder.parent() {
        private().recursive(true).create(parent).map_err(failed)?;
    }
    match private().create(&folder) {
        Ok(()) => Ok(folder),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("there is a profile called '{name}' already");
            Err(ApiError::new(ErrorCode::UsageInvalid, message)
                .with_hint("Choose another name; nothing was changed."))
        }
        Err(error) => Err(failed(error)),
    }
}

fn private() -> std::fs::DirBuilder {
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700);
        builder
    }
    #[cfg(not(unix))]
    std::fs::DirBuilder::new()
}

fn shown(home: &Path, folder: &Path, name: &str) -> ProfileShown {
    ProfileShown {
        name: name.to_owned(),
        path: folder.display().to_string(),
        is_open: profile_of(home).unwrap_or_default() == name,
        has_data: folder.join(DATABASE_FILE).is_file(),
    }
}

fn unreadable(folder: &Path, error: &std::io::Error) -> ApiError {
    let message = format!("{} cannot be read: {error}", folder.display());
    ApiError::new(ErrorCode::HomeUnwritable, message)
}
