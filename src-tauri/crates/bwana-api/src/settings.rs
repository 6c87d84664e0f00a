//! The settings a person changes in the window, by key. Values are checked by the settings file itself; what is set here
//! stands in `settings.toml` for everybody to read. Providers and secrets have commands of their own.

use bwana_config::{ConfigError, LANGUAGES, Settings, SettingsFile};
use bwana_types::error::{ApiError, ErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::{App, HostOptions, time_zone};
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::runs::money;
use crate::shape::{Dollars, shown};

/// What kind of value a setting has: how a window lets it be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// One of `choices`.
    Choice,
    Text,
    Switch,
    Number,
    /// US dollars.
    Money,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SettingShown {
    pub key: String,
    /// `null`: not set, the default holds.
    pub value: Value,
    /// What holds where nothing is set; `null`: nothing.
    pub default: Value,
    pub kind: SettingKind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsShown {
    pub settings: Vec<SettingShown>,
    /// Why the file as it is now is not in force; the last one that could be used is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<SettingsProblem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsProblem {
    /// In the file, from 1; where known.
    pub line: Option<usize>,
    /// In the words of whoever reads the file.
    pub what: String,
    /// `settings.restore` can put an earlier one back.
    pub can_restore: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsRestored {
    /// Where the file as it was is kept.
    pub replaced: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRequest {
    pub key: String,
    /// `null`: back to the default.
    pub value: Value,
}

/// Every setting a window may change, in the order it shows them.
const KEYS: &[&str] = &[
    "language",
    "region",
    "currency",
    "currency_rate",
    "currency_rate_date",
    "time_zone",
    "arabic_digits",
    "answer_language",
    "default_model",
    "day_budget",
    "notifications",
    "global_shortcut",
    "letter_keys",
    "local_model",
    "local_threads",
    "local_context",
    "local_unload_after_min",
    "update_daily_check",
];

pub(crate) async fn show(app: &App, _ctx: Ctx, _: Nothing) -> Result<SettingsShown, ApiError> {
    let settings = app.settings();
    Ok(SettingsShown {
        settings: KEYS.iter().map(|key| one(&settings, key)).collect(),
        problem: problem(app.settings_file()),
    })
}

fn problem(file: &SettingsFile) -> Option<SettingsProblem> {
    let error = file.problem()?;
    let can_restore = file.has_good();
    Some(match error {
        ConfigError::File { line, what, .. } => SettingsProblem {
            line,
            what,
            can_restore,
        },
        other => SettingsProblem {
            line: None,
            what: other.to_string(),
            can_restore,
        },
    })
}

/// Puts the last settings back that could be used, where an app is open.
pub(crate) async fn restore(
    app: &App,
    _ctx: Ctx,
    _: Nothing,
) -> Result<SettingsRestored, ApiError> {
    let replaced = app.settings_file().put_back()?;
    for key in KEYS {
        app.owner()?.note("settings", key).await?;
    }
    Ok(SettingsRestored {
        replaced: replaced.display().to_string(),
    })
}

/// The same where none can be, because the file as it is lets none be opened.
///
/// # Errors
/// If no earlier settings are kept, or they cannot be written.
pub fn put_back(host: &HostOptions) -> Result<SettingsRestored, ApiError> {
    let replaced = SettingsFile::open_or_last_good(&host.home)?.put_back()?;
    Ok(SettingsRestored {
        replaced: replaced.display().to_string(),
    })
}

pub(crate) async fn set(
    app: &App,
    _ctx: Ctx,
    request: SetRequest,
) -> Result<SettingShown, ApiError> {
    let SetRequest { key, value } = request;
    if !KEYS.contains(&key.as_str()) {
        let message = format!("there is no setting called '{}'", shown(&key));
        return Err(ApiError::new(ErrorCode::UsageNotFound, message));
    }
    let change = Change::read(&key, &value)?;
    app.settings_file().change(|settings| {
        change.apply(settings);
        settings.check()
    })?;
    app.owner()?.note("settings", &key).await?;
    if key == "day_budget" {
        app.owner()?.note("usage", "today").await?;
    }
    Ok(one(&app.settings(), &key))
}

/// A setting as it stands.
fn one(settings: &Settings, key: &str) -> SettingShown {
    use SettingKind::{Choice, Money, Number, Switch, Text};
    let window = &settings.window;
    let local = &settings.local;
    let system_zone = || time_zone(&Settings::default());
    let (kind, value, default) = match key {
        "language" => (Choice, json!(window.language), json!("en")),
        "region" => (Text, json!(window.region), Value::Null),
        "currency" => (Text, json!(window.currency), Value::Null),
        "currency_rate" => (Text, json!(window.currency_rate), Value::Null),
        "currency_rate_date" => (Text, json!(window.currency_rate_date), Value::Null),
        "time_zone" => (Text, json!(settings.time_zone), json!(system_zone())),
        "arabic_digits" => (Switch, json!(window.arabic_digits), json!(false)),
        "answer_language" => (Text, json!(settings.locale), Value::Null),
        "default_model" => (Text, json!(settings.default_model), Value::Null),
        "day_budget" => (
            Money,
            json!(settings.budget.day_usd.map(Dollars)),
            Value::Null,
        ),
        "notifications" => (Switch, json!(window.notifications), json!(true)),
        "global_shortcut" => (Text, json!(window.global_shortcut), Value::Null),
        "letter_keys" => (Switch, json!(!window.no_letter_keys), json!(true)),
        "update_daily_check" => (Switch, json!(settings.updates.daily_check), json!(false)),
        "local_model" => (Text, json!(local.model), Value::Null),
        "local_threads" => (Number, json!(local.threads), Value::Null),
        "local_context" => (Number, json!(local.context), Value::Null),
        _ => (Number, json!(local.unload_after_min), json!(10)),
    };
    SettingShown {
        key: key.to_owned(),
        value,
        default,
        kind,
        choices: match key {
            "language" => LANGUAGES.iter().map(|code| (*code).to_owned()).collect(),
            _ => Vec::new(),
        },
    }
}

/// A change that has the right kind of value; whether the value is good, the settings say.
enum Change<'a> {
    Text(&'a str, Option<String>),
    Switch(&'a str, Option<bool>),
    Number(&'a str, Option<u32>),
    DayBudget(Option<bwana_types::money::MicroUsd>),
}

impl<'a> Change<'a> {
    fn read(key: &'a str, value: &Value) -> Result<Self, ApiError> {
        let wrong = |wanted: &str| {
            let message = format!("the setting {key} takes {wanted}");
            ApiError::new(ErrorCode::SettingsInvalid, message)
        };
        let is_null = value.is_null();
        Ok(match key {
            "arabic_digits" | "notifications" | "letter_keys" | "update_daily_check" => {
                match value.as_bool() {
                    value if value.is_some() || is_null => Self::Switch(key, value),
                    _ => return Err(wrong("true or false")),
                }
            }
            "local_threads" | "local_context" | "local_unload_after_min" => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                match number {
                    number if number.is_some() || is_null => Self::Number(key, number),
                    _ => return Err(wrong("a whole number")),
                }
            }
            "day_budget" => match value {
                Value::Null => Self::DayBudget(None),
                Value::String(text) => Self::DayBudget(Some(money(text)?)),
                Value::Number(number) => Self::DayBudget(Some(money(&number.to_string())?)),
                _ => return Err(wrong("an amount in US dollars")),
            },
            _ => match value {
                Value::Null => Self::Text(key, None),
                Value::String(text) if text.trim().is_empty() => Self::Text(key, None),
                Value::String(text) => Self::Text(key, Some(text.trim().to_owned())),
                _ => return Err(wrong("a text")),
            },
        })
    }

    fn apply(self, settings: &mut Settings) {
        let window = &mut settings.window;
        match self {
            Self::DayBudget(limit) => settings.budget.day_usd = limit,
            Self::Switch("arabic_digits", on) => window.arabic_digits = on.unwrap_or_default(),
            Self::Switch("notifications", on) => window.notifications = on,
            Self::Switch("update_daily_check", on) => {
                settings.updates.daily_check = on.unwrap_or_default();
            }
            Self::Switch(_, on) => window.no_letter_keys = on == Some(false),
            Self::Number("local_threads", number) => settings.local.threads = number,
            Self::Number("local_context", number) => settings.local.context = number,
            Self::Number(_, number) => settings.local.unload_after_min = number,
            Self::Text("language", text) => window.language = text,
            Self::Text("region", text) => window.region = text,
            Self::Text("currency", text) => window.currency = text,
            Self::Text("currency_rate", text) => window.currency_rate = text,
            Self::Text("currency_rate_date", text) => window.currency_rate_date = text,
            Self::Text("global_shortcut", text) => window.global_shortcut = text,
            Self::Text("time_zone", text) => settings.time_zone = text,
            Self::Text("answer_language", text) => settings.locale = text,
            Self::Text("default_model", text) => settings.default_model = text,
            Self::Text(_, text) => settings.local.model = text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, value: Value, good: bool) {
        let mut settings = Settings::default();
        let changed = Change::read(key, &value).map(|change| change.apply(&mut settings));
        let is_good = changed.is_ok() && settings.check().is_ok();
        assert_eq!(is_good, good, "{key} {value}");
        if good {
            assert_eq!(
                one(&settings, key).value,
                value,
                "{key} is kept and shown as it was set"
            );
        }
    }

    #[test]
    fn a_setting_takes_its_kind_of_value_and_shows_it_again() {
        check("language", json!("sw"), true);
        check("language", json!("tlh"), false);
        check("language", json!(1), false);
        check("region", json!("KE"), true);
        check("region", json!("kenya"), false);
        check("currency", json!("KES"), true);
        check("currency", json!("ksh"), false);
        check("currency_rate", json!("129.30"), true);
        check("currency_rate", json!("0.00"), false);
        check("currency_rate", json!("1e3"), false);
        check("currency_rate", json!("-5"), false);
        check("currency_rate_date", json!("2026-11-20"), true);
        check("currency_rate_date", json!("2026-02-30"), false);
        check("time_zone", json!("Africa/Nairobi"), true);
        check("time_zone", json!("Nairobi"), false);
        check("day_budget", json!(2.5), true);
        check("day_budget", json!(-1), false);
        check("notifications", json!(false), true);
        check("notifications", json!("no"), false);
        check("letter_keys", json!(false), true);
        check("update_daily_check", json!(true), true);
        check("update_daily_check", json!("daily"), false);
        check("local_threads", json!(3), true);
        check("local_threads", json!(0), false);
        check("local_context", json!(4096), true);
        check("local_context", json!(-4096), false);
        check("global_shortcut", json!("Ctrl+Alt+B"), true);
        check("global_shortcut", json!("x".repeat(41)), false);
    }

    #[test]
    fn null_brings_the_default_back() {
        let mut settings = Settings::default();
        for key in KEYS {
            Change::read(key, &Value::Null)
                .unwrap()
                .apply(&mut settings);
        }
        assert_eq!(settings, Settings::default());
    }
}
