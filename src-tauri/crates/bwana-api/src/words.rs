//! The few words that are said outside of a page (in a tray, in a notification), from the same message files as the
//! window's: one language at a time, English where a language has none. Only messages without plurals are used here.

use std::collections::BTreeMap;

/// The files are small next to the program, and so no language can be missing at run time.
const FILES: &[(&str, &str)] = &[
    ("en", include_str!("../../../../ui/messages/en.json")),
    ("fr", include_str!("../../../../ui/messages/fr.json")),
    ("sw", include_str!("../../../../ui/messages/sw.json")),
    ("pt", include_str!("../../../../ui/messages/pt.json")),
    ("ar", include_str!("../../../../ui/messages/ar.json")),
];
const FALLBACK: &str = "en";

/// One language's words.
#[derive(Debug, Clone)]
pub struct Words {
    language: &'static str,
    messages: BTreeMap<String, String>,
}

impl Words {
    /// `language` as in the settings, like `sw` or `pt-MZ`.
    #[must_use]
    pub fn of(language: &str) -> Self {
        let base = language.split(['-', '_']).next().unwrap_or_default();
        let language = FILES
            .iter()
            .map(|(code, _)| *code)
            .find(|code| *code == base)
            .unwrap_or(FALLBACK);
        let mut messages = read(FALLBACK);
        messages.extend(read(language));
        Self { language, messages }
    }

    /// Its code, like `pt`.
    #[must_use]
    pub fn language(&self) -> &'static str {
        self.language
    }

    /// A message with its places filled; an unknown key shows itself, which a test does not let happen.
    #[must_use]
    pub fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        let message = self.messages.get(key).map_or(key, String::as_str);
        values
            .iter()
            .fold(message.to_owned(), |text, (name, value)| {
                text.replace(&format!("{{{name}}}"), value)
            })
    }
}

fn read(language: &str) -> BTreeMap<String, String> {
    let text = FILES.iter().find(|(code, _)| *code == language);
    text.and_then(|(_, text)| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key the shell uses; a test looks for each in each language.
    const KEYS: &[&str] = &[
        "tray.ask",
        "tray.waiting",
        "tray.open",
        "tray.quit",
        "tray.idle",
        "tray.working",
        "tray.needs_you",
        "tray.safe",
        "notify.approve",
        "notify.answer",
        "notify.plan",
        "notify.uncertain",
        "notify.price",
        "notify.show",
    ];

    #[test]
    fn every_language_has_every_word_of_the_shell_and_none_needs_more_than_places() {
        for (language, _) in FILES {
            let messages = read(language);
            for key in KEYS {
                let message = messages.get(*key);
                assert!(message.is_some(), "{language} lacks {key}");
                let is_simple = !message.unwrap().contains(", ");
                assert!(
                    is_simple || !message.unwrap().contains('{'),
                    "{language} {key} has a form of its own"
                );
            }
        }
    }

    #[test]
    fn an_unknown_language_speaks_english_and_a_region_its_language() {
        assert_eq!(Words::of("xx").language(), "en");
        assert_eq!(Words::of("pt-MZ").language(), "pt");
        assert_eq!(Words::of("").language(), "en");
    }
}
