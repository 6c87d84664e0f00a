//! `settings.toml`: read as a whole, written as a whole, at once and for its person alone. What the person wrote around
//! the values (comments, order, blank lines) stays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use crate::error::{ConfigError, Result};
use crate::good;
use crate::settings::Settings;

/// In the data folder.
pub const SETTINGS_FILE: &str = "settings.toml";
/// A settings file is a page or two; anything larger is something else.
pub const SETTINGS_MAX_BYTES: u64 = 256 * 1024;
/// How alike two keys must be for one to be offered for the other, from 0 to 1.
const NEAR_ENOUGH: f64 = 0.75;

/// The settings of a data folder, read again when the file has changed.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    path: Arc<Path>,
    cached: Arc<Mutex<Cached>>,
}

#[derive(Debug)]
struct Cached {
    stamp: Stamp,
    settings: Arc<Settings>,
    /// Why the file as it is now cannot be used; `settings` are then the last ones that could.
    problem: Option<ConfigError>,
    /// Copies of what could be used are kept.
    keeps: bool,
}

/// What tells one state of the file from another. `None`: there is no file.
type Stamp = Option<(SystemTime, u64)>;

impl SettingsFile {
    /// Reads the settings of `home`; without a file, the defaults.
    ///
    /// # Errors
    /// If there is a file that cannot be used.
    pub fn open(home: &Path) -> Result<Self> {
        let path = home.join(SETTINGS_FILE);
        let stamp = stamp(&path);
        let settings = load(&path)?;
        Ok(Self::of(path, stamp, settings, None))
    }

    /// The same; a file that cannot be used leaves the last ones in force that could, if any were kept.
    ///
    /// # Errors
    /// If there is a file that cannot be used, and no copy of one that could.
    pub fn open_or_last_good(home: &Path) -> Result<Self> {
        let path = home.join(SETTINGS_FILE);
        let stamp = stamp(&path);
        match load(&path) {
            Ok(settings) => Ok(Self::of(path, stamp, settings, None)),
            Err(error @ ConfigError::File { .. }) => match good::newest(&path) {
                Some((_, settings)) => Ok(Self::of(path, stamp, settings, Some(error))),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    fn of(path: PathBuf, stamp: Stamp, settings: Settings, problem: Option<ConfigError>) -> Self {
        Self {
            path: path.into(),
            cached: Arc::new(Mutex::new(Cached {
                stamp,
                settings: Arc::new(settings),
                problem,
                keeps: false,
            })),
        }
    }

    /// From now on a copy is kept of every state of the file that can be used, the last [`crate::GOOD_KEPT`] of them. Only
    /// for the owner of the data folder.
    pub fn keep_good(&self) {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.keeps = true;
        cached.keep(&self.path);
    }

    /// Puts the last settings back that could be used. The file as it is is kept under another name, which is the answer.
    ///
    /// # Errors
    /// If none are kept, or they cannot be written.
    pub fn put_back(&self) -> Result<PathBuf> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let aside = good::put_back(&self.path)?;
        cached.settings = Arc::new(load(&self.path)?);
        cached.stamp = stamp(&self.path);
        cached.problem = None;
        Ok(aside)
    }

    /// Whether there is something to put back.
    pub fn has_good(&self) -> bool {
        good::newest(&self.path).is_some()
    }

    /// The settings as they are now. A file that was made unusable meanwhile leaves the last good ones in force.
    pub fn current(&self) -> Arc<Settings> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.path);
        if now != cached.stamp {
            cached.stamp = now;
            match load(&self.path) {
                Ok(settings) => {
                    cached.settings = Arc::new(settings);
                    cached.problem = None;
                    cached.keep(&self.path);
                }
                Err(error) => cached.problem = Some(error),
            }
        }
        Arc::clone(&cached.settings)
    }

    /// Why the file as it is now is not in force.
    pub fn problem(&self) -> Option<ConfigError> {
        let _ = self.current();
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.problem.clone()
    }

    /// Changes the settings and writes them. Only for the owner of the data folder.
    ///
    /// # Errors
    /// If the change breaks a rule, the file as it is cannot be read, or the new one cannot be written. Then nothing has
    /// changed.
    pub fn change<T>(&self, change: impl FnOnce(&mut Settings) -> Result<T>) -> Result<T> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        // What the person has edited meanwhile must not be lost, so the file is read and not the cache.
        let mut settings = load(&self.path)?;
        let answer = change(&mut settings)?;
        save(&self.path, &settings)?;
        cached.stamp = stamp(&self.path);
        cached.settings = Arc::new(settings);
        cached.problem = None;
        cached.keep(&self.path);
        Ok(answer)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Cached {
    /// A copy that cannot be kept is no reason not to work with what it would be a copy of.
    fn keep(&self, path: &Path) {
        if self.keeps && self.problem.is_none() {
            let _ = good::keep(path);
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// Reads and checks a settings file; without one, the defaults.
///
/// # Errors
/// If it cannot be read, is too large, is no TOML, has an unknown key or breaks a rule: with the line where known.
pub fn load(path: &Path) -> Result<Settings> {
    let Some(text) = read(path)? else {
        return Ok(Settings::default());
    };
    let settings: Settings =
        toml_edit::de::from_str(&text).map_err(|error| explained(path, &text, &error))?;
    settings.check().map_err(|error| match error {
        ConfigError::Value { what, hint } => ConfigError::File {
            file: path.to_owned(),
            line: None,
            what,
            hint,
        },
        other => other,
    })?;
    Ok(settings)
}

pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    let failed = |error: &io::Error| ConfigError::Io {
        file: path.to_owned(),
        doing: "read",
        why: error.to_string(),
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let mut bytes = Vec::new();
    file.take(SETTINGS_MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(&error))?;
    let wrong = |what: String| ConfigError::File {
        file: path.to_owned(),
        line: None,
        what,
        hint: None,
    };
    if bytes.len() as u64 > SETTINGS_MAX_BYTES {
        return Err(wrong(format!(
            "the file is larger than {SETTINGS_MAX_BYTES} bytes"
        )));
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| wrong(String::from("the file is not UTF-8 text")))
}

/// A parser's error with its line and, for an unknown key, the key that was probably meant.
fn explained(path: &Path, text: &str, error: &toml_edit::de::Error) -> ConfigError {
    let line = error
        .span()
        .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let message = error.message().trim();
    let (what, hint) = match unknown_key(message) {
        Some((key, near)) => (
            format!("there is no setting called '{key}'"),
            near.map(|near| format!("Did you mean `{near}`?")),
        ),
        None => (message.replace('\n', "; "), None),
    };
    ConfigError::File {
        file: path.to_owned(),
        line,
        what,
        hint,
    }
}

/// The key serde does not know and the nearest it does, out of its words
/// ("unknown field `a`, expected one of `b`, `c`").
fn unknown_key(message: &str) -> Option<(&str, Option<&str>)> {
    let quoted = message.strip_prefix("unknown field `")?;
    let (key, rest) = quoted.split_once('`')?;
    let near = rest
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|known| (strsim::jaro_winkler(key, known), known))
        .filter(|(score, _)| *score >= NEAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known);
    Some((key, near))
}

/// Writes settings: a reader sees the old file or the new one, a crash leaves one of the two.
///
/// # Errors
/// If they break a rule or cannot be written.
pub fn save(path: &Path, settings: &Settings) -> Result<()> {
    settings.check()?;
    let internal = |why: String| ConfigError::Io {
        file: path.to_owned(),
        doing: "written",
        why,
    };
    let new = toml_edit::ser::to_document(settings).map_err(|error| internal(error.to_string()))?;
    let mut document = read(path)?
        .and_then(|text| text.parse::<DocumentMut>().ok())
        .unwrap_or_default();
    merge(document.as_table_mut(), new.as_table());
    let text = document.to_string();
    // A value that only reading refuses would leave a file that nothing can change any more.
    toml_edit::de::from_str::<Settings>(&text).map_err(|error| ConfigError::Value {
        what: error.message().to_owned(),
        hint: None,
    })?;
    write(path, text.as_bytes()).map_err(|error| internal(error.to_string()))
}

/// Makes `old` say what `new` says and leaves everything else about it as it is.
fn merge(old: &mut Table, new: &Table) {
    let gone: Vec<String> = old
        .iter()
        .map(|(key, _)| key.to_owned())
        .filter(|key| !new.contains_key(key))
        .collect();
    for key in gone {
        old.remove(&key);
    }
    for (key, item) in new {
        // The serialiser writes inline tables; people read and write blocks.
        let item = block(item);
        match (old.get_mut(key), item) {
            (Some(Item::Table(there)), Item::Table(wanted)) => merge(there, &wanted),
            (Some(Item::ArrayOfTables(there)), Item::ArrayOfTables(wanted)) => {
                merge_list(there, wanted);
            }
            (Some(Item::Value(there)), Item::Value(mut wanted)) => {
                if there.to_string().trim() != wanted.to_string().trim() {
                    *wanted.decor_mut() = there.decor().clone();
                    *there = wanted;
                }
            }
            (Some(there), wanted) => *there = wanted,
            (None, wanted) => {
                old.insert(key, wanted);
            }
        }
    }
}

/// Tables with a `name` keep what stands around them when they move or others come and go.
fn merge_list(old: &mut ArrayOfTables, new: ArrayOfTables) {
    let name = |table: &Table| table.get("name").and_then(Item::as_str).map(str::to_owned);
    let before: Vec<Table> = old.iter().cloned().collect();
    old.clear();
    for wanted in new {
        let known = before
            .iter()
            .find(|table| name(table).is_some() && name(table) == name(&wanted));
        match known {
            Some(known) => {
                let mut kept = known.clone();
                merge(&mut kept, &wanted);
                old.push(kept);
            }
            None => old.push(wanted),
        }
    }
}

/// Inline tables and lists of them as blocks of their own.
fn block(item: &Item) -> Item {
    let tables = |item: &Item| {
        let array = item.as_array()?;
        let all = !array.is_empty() && array.iter().all(toml_edit::Value::is_inline_table);
        all.then(|| item.clone().into_array_of_tables().ok())
            .flatten()
    };
    if let Some(list) = tables(item) {
        return Item::ArrayOfTables(list);
    }
    match item.clone().into_table() {
        Ok(table) => Item::Table(table),
        Err(item) => item,
    }
}

pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let draft = draft_path(path);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    private(&mut options);
    let mut file = options.open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&draft, path)?;
    sync_folder(folder)
}

fn draft_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(unix)]
pub(crate) fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
pub(crate) fn private(_options: &mut OpenOptions) {}

/// A renamed file may be gone after a power cut unless its folder is on disk too.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use bwana_types::money::MicroUsd;

    use super::*;
    use crate::key::KeyRef;
    use crate::provider::ProviderSettings;

    fn home() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SETTINGS_FILE);
        (folder, path)
    }

    fn full() -> Settings {
        let mut settings = Settings {
            default_model: Some(String::from("groq/llama")),
            time_zone: Some(String::from("Africa/Nairobi")),
            locale: Some(String::from("sw-KE")),
            ..Settings::default()
        };
        settings.budget.day_usd = Some(MicroUsd(2_500_000));
        settings
            .egress
            .private_hosts
            .insert("127.0.0.1:9000".into());
        settings.local.model = Some(String::from("starter"));
        settings.local.threads = Some(2);
        let mut groq = ProviderSettings::new("groq", "https://api.example.com/openai/v1");
        groq.key = Some(KeyRef::env("GROQ_API_KEY").unwrap());
        groq.model = Some(String::from("llama"));
        groq.price_in = Some(MicroUsd(590_000));
        groq.price_out = Some(MicroUsd(790_000));
        groq.prices = vec![crate::provider::ModelPrice {
            model: String::from("llama:free"),
            price_in: Some(MicroUsd::ZERO),
            price_out: Some(MicroUsd::ZERO),
        }];
        groq.context = Some(131_072);
        groq.small = true;
        groq.constrained_tools = true;
        groq.quirks = serde_json::from_str(r#"{"strict_tools": true, "omit": ["seed"]}"#).unwrap();
        settings.providers = vec![
            groq,
            ProviderSettings::new("near", "http://127.0.0.1:8080/v1"),
        ];
        settings
    }

    #[test]
    fn every_setting_survives_the_file() {
        let (_folder, path) = home();
        assert_eq!(load(&path).unwrap(), Settings::default());
        for settings in [full(), Settings::default(), full()] {
            save(&path, &settings).unwrap();
            assert_eq!(load(&path).unwrap(), settings);
        }
    }

    #[test]
    fn what_is_written_is_what_people_would_write() {
        let (_folder, path) = home();
        save(&path, &full()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for line in [
            "default_model = \"groq/llama\"",
            "[budget]",
            "day_usd = 2.5",
            "[[providers]]",
            "key = \"env:GROQ_API_KEY\"",
            "price_in = 0.59",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_change_keeps_comments_and_order() {
        let (folder, path) = home();
        let text = "# mine\nlocale = \"en\" # for now\n\n[[providers]]\n# the fast one\nname = \"a\"\nkind = \"openai\"\n\
                    base_url = \"http://127.0.0.1:1/v1\"\n";
        fs::write(&path, text).unwrap();
        let file = SettingsFile::open(folder.path()).unwrap();
        file.change(|settings| {
            settings.locale = Some(String::from("fr"));
            settings.put_provider(ProviderSettings::new("b", "http://127.0.0.1:2/v1"))
        })
        .unwrap();
        let written = fs::read_to_string(&path).unwrap();
        let expected = format!(
            "{}\n[[providers]]\nname = \"b\"\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:2/v1\"\n",
            text.replace("\"en\"", "\"fr\"")
        );
        assert_eq!(written, expected);
        assert_eq!(file.current().providers.len(), 2);
    }

    #[track_caller]
    fn check_refused(text: &str, message: &str, hint: Option<&str>) {
        let (_folder, path) = home();
        fs::write(&path, text).unwrap();
        let error = load(&path).unwrap_err();
        let said = error.to_string().replace(&path.display().to_string(), "F");
        assert_eq!(said, message);
        let api: bwana_types::error::ApiError = error.into();
        if let Some(hint) = hint {
            assert_eq!(api.hint, hint);
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_explained_with_its_line() {
        check_refused(
            "locale = \"en\"\ndefalt_model = \"a/b\"\n",
            "F, line 2: there is no setting called 'defalt_model'",
            Some("Did you mean `default_model`?"),
        );
        check_refused(
            "[[providers]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://x\"\napi_key = \"sk-1\"\n",
            "F, line 5: there is no setting called 'api_key'",
            None,
        );
        check_refused(
            "[budget]\nday_usd = -1\n",
            "F, line 2: -1 is not an amount in US dollars; write it like 1.50, not negative and with at most six decimals",
            None,
        );
        check_refused(
            "time_zone = \"Nairobi\"\n",
            "F: 'Nairobi' is no time zone",
            Some("Use a name like Africa/Nairobi."),
        );
        check_refused(
            "[egress]\nprivate_hosts = [\"*\"]\n",
            "F: '*' is not of the form host:port",
            None,
        );
    }

    #[test]
    fn a_key_in_the_file_is_refused_and_not_repeated() {
        let (_folder, path) = home();
        let text = "[[providers]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\nkey = \"sk-live-1\"\n";
        fs::write(&path, text).unwrap();
        let error = load(&path).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("sk-live"),
            "{error:?}"
        );
        assert!(error.to_string().contains("line 5"), "{error}");
    }

    #[test]
    fn a_file_made_unusable_leaves_the_last_good_settings_in_force() {
        let (folder, path) = home();
        save(&path, &full()).unwrap();
        let file = SettingsFile::open(folder.path()).unwrap();
        fs::write(&path, "locale = ").unwrap();
        assert_eq!(*file.current(), full());
        assert!(file.problem().is_some());
        assert!(file.change(|_| Ok(())).is_err(), "nothing is overwritten");
        fs::write(&path, "locale = \"ha\"\n").unwrap();
        assert_eq!(file.current().locale.as_deref(), Some("ha"));
        assert_eq!(file.problem(), None);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_person_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, path) = home();
        save(&path, &full()).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_last_good_settings_stay_in_force_and_come_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(SETTINGS_FILE);
        let put = |text: &str| fs::write(&path, text).unwrap();
        put("locale = \"sw\"\n");
        let file = SettingsFile::open(home.path()).unwrap();
        file.keep_good();
        put("locale = \"sw\"\nlocal = \n");
        // A program that starts now, too.
        let started = SettingsFile::open_or_last_good(home.path()).unwrap();
        for file in [&file, &started] {
            assert_eq!(file.current().locale.as_deref(), Some("sw"));
            let problem = file.problem().unwrap();
            assert!(
                matches!(problem, ConfigError::File { line: Some(2), .. }),
                "{problem}"
            );
            assert!(
                file.change(|_| Ok(())).is_err(),
                "nothing is written over it"
            );
        }
        assert!(SettingsFile::open(home.path()).is_err());
        let aside = started.put_back().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "locale = \"sw\"\n");
        assert!(fs::read_to_string(aside).unwrap().contains("local = "));
        assert_eq!(started.problem(), None);
        assert_eq!(file.problem(), None);
    }

    #[test]
    fn without_a_good_copy_there_is_nothing_to_put_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(SETTINGS_FILE);
        fs::write(&path, "what is this").unwrap();
        assert!(SettingsFile::open_or_last_good(home.path()).is_err());
        fs::write(&path, "").unwrap();
        let file = SettingsFile::open_or_last_good(home.path()).unwrap();
        assert!(!file.has_good());
        assert!(file.put_back().is_err());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn five_copies_are_kept_and_the_same_one_only_once() {
        let home = tempfile::tempdir().unwrap();
        let file = SettingsFile::open(home.path()).unwrap();
        file.keep_good();
        for number in 0..9 {
            let zone = format!("Etc/GMT+{number}");
            for _ in 0..2 {
                file.change(|settings| {
                    settings.time_zone = Some(zone.clone());
                    Ok(())
                })
                .unwrap();
            }
        }
        let zone = |number: usize| {
            let kept = home.path().join(format!("{SETTINGS_FILE}.good-{number}"));
            load(&kept).unwrap().time_zone
        };
        let zones: Vec<_> = (1..=5).map(zone).map(Option::unwrap).collect();
        assert_eq!(
            zones,
            ["8", "7", "6", "5", "4"].map(|n| format!("Etc/GMT+{n}"))
        );
        assert!(!home.path().join(format!("{SETTINGS_FILE}.good-6")).exists());
        // A copy that is broken itself is passed over.
        fs::write(home.path().join(format!("{SETTINGS_FILE}.good-1")), "=").unwrap();
        fs::write(file.path(), "=").unwrap();
        let started = SettingsFile::open_or_last_good(home.path()).unwrap();
        assert_eq!(started.current().time_zone.as_deref(), Some("Etc/GMT+7"));
    }
}
