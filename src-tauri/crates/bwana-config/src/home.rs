//! Where the data folder is: said on the command line, in the environment, or where this platform keeps such things.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{ConfigError, Result};

/// The variable that names the data folder when `--home` does not.
pub const HOME_VARIABLE: &str = "BWANA_HOME";

/// The variable that names the profile when `--profile` does not.
pub const PROFILE_VARIABLE: &str = "BWANA_PROFILE";
/// In the data folder: those of its person's other profiles.
pub const PROFILES_DIR: &str = "profiles";
/// Characters of a profile's name.
const PROFILE_MAX_CHARS: usize = 40;

/// The data folder as an absolute path; it need not exist. With a profile, that of the profile. `env` looks a variable
/// up, `cwd` is what relative paths are relative to.
///
/// # Errors
/// [`ConfigError::NoHome`] if nothing says where data goes, [`ConfigError::Value`] if a profile cannot have this name.
pub fn resolve_home(
    flag: Option<&Path>,
    profile: Option<&str>,
    env: impl Fn(&str) -> Option<OsString>,
    cwd: &Path,
) -> Result<PathBuf> {
    let of_env = || env(PROFILE_VARIABLE).map(|name| name.to_string_lossy().into_owned());
    let profile = profile.map(str::to_owned).or_else(of_env);
    let base = resolve_base(flag, &env, cwd)?;
    match profile.as_deref() {
        None | Some("") => Ok(base),
        Some(name) => profile_folder(base_of(&base), name),
    }
}

/// Where the data folder of a profile is; it need not exist.
///
/// # Errors
/// If a profile cannot have this name.
pub fn profile_folder(base: &Path, name: &str) -> Result<PathBuf> {
    Ok(base.join(PROFILES_DIR).join(parse_profile_name(name)?))
}

/// A name a profile may have: that of a folder, on every platform.
///
/// # Errors
/// If it is empty, too long, or has other characters than `a-z 0-9 - _`.
pub fn parse_profile_name(name: &str) -> Result<&str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts && name.bytes().all(plain) && name.len() <= PROFILE_MAX_CHARS && !is_device(name) {
        return Ok(name);
    }
    let shown: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(PROFILE_MAX_CHARS)
        .collect();
    Err(ConfigError::value(
        format!("'{shown}' cannot be the name of a profile"),
        format!(
            "Use lower-case letters, digits, - and _, at most {PROFILE_MAX_CHARS}, like `shop`."
        ),
    ))
}

/// Whether Windows keeps this name for something that is no file.
fn is_device(name: &str) -> bool {
    let numbered = |kind: &str| {
        name.strip_prefix(kind)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    ["con", "prn", "aux", "nul"].contains(&name) || numbered("com") || numbered("lpt")
}

/// The profile whose data folder this is; `None`: the one without a name.
pub fn profile_of(home: &Path) -> Option<&str> {
    let name = home.file_name()?.to_str()?;
    let is_profile = home.parent()?.file_name()? == PROFILES_DIR;
    (is_profile && parse_profile_name(name).is_ok()).then_some(name)
}

/// The data folder that holds the profiles of `home`, which may be one of them.
pub fn base_of(home: &Path) -> &Path {
    match profile_of(home) {
        Some(_) => home.parent().and_then(Path::parent).unwrap_or(home),
        None => home,
    }
}

fn resolve_base(
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
        let home = resolve_home(flag.map(Path::new), None, look_up, Path::new("/here"));
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

    #[track_caller]
    fn check_profile(flag: Option<&str>, variable: &str, home: &str, expected: Option<&str>) {
        let look_up = |name: &str| (name == "BWANA_PROFILE").then(|| OsString::from(variable));
        let found = resolve_home(Some(Path::new(home)), flag, look_up, Path::new("/here"));
        assert_eq!(found.ok(), expected.map(PathBuf::from));
    }

    #[test]
    fn a_profile_stands_in_the_data_folder_that_has_no_name() {
        check_profile(None, "", "/data", Some("/data"));
        check_profile(Some("shop"), "", "/data", Some("/data/profiles/shop"));
        check_profile(None, "shop", "/data", Some("/data/profiles/shop"));
        check_profile(Some("a"), "b", "/data", Some("/data/profiles/a"));
        check_profile(Some(""), "b", "/data", Some("/data"));
        // Never one in another.
        let in_one = "/data/profiles/shop";
        check_profile(Some("home"), "", in_one, Some("/data/profiles/home"));
        check_profile(Some("../x"), "", "/data", None);
    }

    #[test]
    fn the_name_of_a_profile_is_that_of_a_folder_everywhere() {
        for name in ["shop", "my-shop_2", "0"] {
            parse_profile_name(name).unwrap();
        }
        let long = "a".repeat(PROFILE_MAX_CHARS + 1);
        for name in [
            "", "Shop", "a/b", "..", ".", "a b", "-a", "é", "nul", "com1", "a\0", &long,
        ] {
            assert!(parse_profile_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_folder_says_which_profile_it_is() {
        assert_eq!(profile_of(Path::new("/data/profiles/shop")), Some("shop"));
        assert_eq!(
            base_of(Path::new("/data/profiles/shop")),
            Path::new("/data")
        );
        for home in [
            "/data",
            "/",
            "/data/profiles",
            "/data/profiles/Shop",
            "/data/other/shop",
        ] {
            assert_eq!(profile_of(Path::new(home)), None, "{home}");
            assert_eq!(base_of(Path::new(home)), Path::new(home));
        }
    }
}
