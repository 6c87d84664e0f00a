//! Where the data folder is: said on the command line, in the environment, or where this platform keeps such things.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{ConfigError, Result};

/// The variable that names the data folder when `--home` does not.
pub const HOME_VARIABLE: &str = "BWANA_HOME";

/// The data folder as an absolute path; it need not exist. `env` looks a variable up, `cwd` is what relative paths are
/// relative to.
///
/// # Errors
/// [`ConfigError::NoHome`] if nothing says where data goes.
pub fn resolve_home(
    flag: Option<&Path>,
    env: impl Fn(&str) -> Option<OsString>,
    cwd: &Path,
) -> Result<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let home = match flag {
        Some(flag) if !flag.as_os_str().is_empty() => Some(flag.to_owned()),
        _ => set(HOME_VARIABLE).map(PathBuf::from),
    };
    home.or_else(|| platform_home(set))
        .map(|home| cwd.join(home))
        .ok_or(ConfigError::NoHome)
}

/// `$XDG_DATA_HOME/bwana` or `~/.local/share/bwana`.
#[cfg(not(any(target_os = "macos", windows)))]
fn platform_home(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    env("XDG_DATA_HOME")
        .map(PathBuf::from)
        // The specification says that a relative path there is to be ignored.
        .filter(|path| path.is_absolute())
        .or_else(|| env("HOME").map(|home| PathBuf::from(home).join(".local/share")))
        .map(|data| data.join("bwana"))
}

#[cfg(target_os = "macos")]
fn platform_home(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    env("HOME").map(|home| PathBuf::from(home).join("Library/Application Support/Bwana"))
}

#[cfg(windows)]
fn platform_home(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // Local, not roaming: a database does not travel with a profile.
    env("LOCALAPPDATA").map(|data| PathBuf::from(data).join("Bwana"))
}

#[cfg(all(test, not(any(target_os = "macos", windows))))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(flag: Option<&str>, env: &[(&str, &str)], expected: Option<&str>) {
        let look_up = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let home = resolve_home(flag.map(Path::new), look_up, Path::new("/here"));
        assert_eq!(home.ok(), expected.map(PathBuf::from));
    }

    #[test]
    fn the_flag_comes_before_the_variable_before_the_platform() {
        let all = [
            ("BWANA_HOME", "/var/b"),
            ("XDG_DATA_HOME", "/x"),
            ("HOME", "/h/a"),
        ];
        check(Some("/flag"), &all, Some("/flag"));
        check(None, &all, Some("/var/b"));
        check(None, &all[1..], Some("/x/bwana"));
        check(None, &all[2..], Some("/h/a/.local/share/bwana"));
        check(None, &[], None);
    }

    #[test]
    fn what_is_empty_or_relative_counts_as_people_mean_it() {
        check(
            Some(""),
            &[("BWANA_HOME", ""), ("HOME", "/h")],
            Some("/h/.local/share/bwana"),
        );
        check(Some("data"), &[], Some("/here/data"));
        check(
            None,
            &[("XDG_DATA_HOME", "rel"), ("HOME", "/h")],
            Some("/h/.local/share/bwana"),
        );
    }
}
