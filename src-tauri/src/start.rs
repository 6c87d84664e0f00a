//! What the program is started with: a few words of its own, at most one link, and a display to draw on.

use std::path::PathBuf;

use bwana_types::error::ApiError;

/// How the program was called.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    /// Look only: nothing runs and nothing is changed.
    pub(crate) safe: bool,
    /// Started with the session: no window until it is asked for.
    pub(crate) hidden: bool,
    /// Show the quick window.
    pub(crate) quick: bool,
    /// Another data folder.
    pub(crate) home: Option<PathBuf>,
    /// A profile: data of its own under a name.
    pub(crate) profile: Option<String>,
    /// A `bwana://` link, as it came.
    pub(crate) link: Option<String>,
}

/// Reads the words of a command line without the program's name. A browser can put anything there through a link, so
/// whatever begins like a link is one, however it goes on, and an unknown word is passed over.
pub(crate) fn args(words: impl IntoIterator<Item = String>) -> Args {
    let mut args = Args::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if is_link(&word) {
            args.link = Some(word);
            // Nothing behind a link can have come from a person.
            break;
        }
        match word.as_str() {
            "--safe" => args.safe = true,
            "--hidden" => args.hidden = true,
            "--quick" => args.quick = true,
            "--home" => args.home = words.next().map(PathBuf::from),
            "--profile" => args.profile = words.next(),
            _ => tracing::warn!("an argument this program does not know is passed over"),
        }
    }
    args
}

fn is_link(word: &str) -> bool {
    let scheme = word.get(..6);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bwana:"))
}

/// # Errors
/// If nothing says where the data folder is.
pub(crate) fn home(args: &Args) -> Result<PathBuf, ApiError> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    Ok(bwana_api::resolve_home(
        args.home.as_deref(),
        args.profile.as_deref(),
        |name| std::env::var_os(name),
        &here,
    )?)
}

/// The profile whose data folder is opened; each has a program of its own.
pub(crate) fn profile(args: &Args) -> Option<String> {
    let home = home(args).ok()?;
    bwana_api::profile_of(&home).map(str::to_owned)
}

/// Whether there is a screen to draw on. Without this look the window system would end the program in its own words.
pub(crate) fn has_display() -> bool {
    #[cfg(target_os = "linux")]
    return gtk::init().is_ok();
    #[cfg(not(target_os = "linux"))]
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], expected: Args) {
        assert_eq!(args(words.iter().map(|word| (*word).to_owned())), expected);
    }

    fn link(text: &str) -> Args {
        Args {
            link: Some(text.to_owned()),
            ..Args::default()
        }
    }

    #[test]
    fn a_link_can_carry_no_words_of_its_own() {
        check(&["bwana://v1/new?text=a"], link("bwana://v1/new?text=a"));
        check(
            &["bwana://v1/new?text=a", "--safe"],
            link("bwana://v1/new?text=a"),
        );
        check(&["BWANA:--safe"], link("BWANA:--safe"));
        check(&["bwana://x", "--home", "/tmp"], link("bwana://x"));
    }

    #[test]
    fn a_profile_is_one_however_its_folder_is_named() {
        let of = |home: &str, name: Option<&str>| {
            let args = Args {
                home: Some(PathBuf::from(home)),
                profile: name.map(str::to_owned),
                ..Args::default()
            };
            profile(&args)
        };
        assert_eq!(of("/data", Some("shop")).as_deref(), Some("shop"));
        assert_eq!(of("/data/profiles/shop", None).as_deref(), Some("shop"));
        assert_eq!(of("/data", None), None);
    }

    #[test]
    fn a_person_can_say_where_and_how() {
        let expected = Args {
            safe: true,
            hidden: true,
            quick: true,
            home: Some(PathBuf::from("/data")),
            profile: Some(String::from("shop")),
            link: None,
        };
        let words = [
            "--safe",
            "--hidden",
            "--quick",
            "--home",
            "/data",
            "--profile",
            "shop",
        ];
        check(&words, expected);
        check(&["--gtk-module=x", "file.txt"], Args::default());
    }
}
