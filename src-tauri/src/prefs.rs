//! What belongs to the windows and not to the work: theme, language of the frame, whether something was said before. Lost
//! without harm; everything else is in the settings of the data folder.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tauri::{AppHandle, Wry};
use tauri_plugin_store::{Store, StoreExt as _};

const FILE: &str = "window.json";
/// Bytes of one preference; a page keeps choices here, not content.
const VALUE_MAX_BYTES: usize = 16 * 1024;
/// Preferences a page may keep.
const VIEW_MAX: usize = 200;
/// In front of what a page keeps, so that it cannot reach what the shell keeps.
const VIEW: &str = "view.";

/// Kept by the shell itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Own {
    /// Starts in a row in which no page drew itself.
    FailedStarts,
    /// Drawing straight to the screen does not work on this machine.
    PlainDrawing,
    /// The person was told that the work goes on behind the icon.
    SaidKept,
    /// The quick window was called for once: from then on it is made ahead.
    UsesQuick,
    /// The next start is to open the data folder for repair.
    Repair,
}

impl Own {
    const fn key(self) -> &'static str {
        match self {
            Self::FailedStarts => "failed_starts",
            Self::PlainDrawing => "plain_drawing",
            Self::SaidKept => "said_kept",
            Self::UsesQuick => "uses_quick",
            Self::Repair => "repair",
        }
    }
}

#[derive(Clone)]
pub(crate) struct Prefs {
    store: Arc<Store<Wry>>,
}

impl Prefs {
    /// # Errors
    /// If the folder for them cannot be used.
    pub(crate) fn open(handle: &AppHandle) -> Result<Self, tauri_plugin_store::Error> {
        handle.store(FILE).map(|store| Self { store })
    }

    pub(crate) fn own<T: DeserializeOwned + Default>(&self, own: Own) -> T {
        let value = self.store.get(own.key());
        value
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default()
    }

    /// On disk before this returns: it is read after a crash.
    pub(crate) fn set_own(&self, own: Own, value: &impl Serialize) {
        let Ok(value) = serde_json::to_value(value) else {
            return;
        };
        self.store.set(own.key(), value);
        if let Err(error) = self.store.save() {
            tracing::warn!(%error, "a preference of the window is not kept");
        }
    }

    /// What pages keep, without the prefix.
    pub(crate) fn view(&self) -> Value {
        let entries = self.store.entries();
        entries
            .into_iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(VIEW)?.to_owned(), value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let value = self.store.get(format!("{VIEW}{key}"))?;
        value.as_str().map(str::to_owned)
    }

    /// `false`: it is too large, or there are too many. `null` forgets it.
    pub(crate) fn set_view(&self, key: &str, value: Value) -> bool {
        let key = format!("{VIEW}{key}");
        if value.is_null() {
            self.store.delete(key);
            return true;
        }
        let is_new = !self.store.has(&key);
        if value.to_string().len() > VALUE_MAX_BYTES || (is_new && self.store.length() >= VIEW_MAX)
        {
            return false;
        }
        self.store.set(key, value);
        true
    }
}
