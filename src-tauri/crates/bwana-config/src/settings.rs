//! All settings as one value, with their defaults and the rules they keep.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use bwana_types::money::MicroUsd;
use serde::{Deserialize, Serialize};

use crate::error::{ConfigError, Result};
use crate::provider::ProviderSettings;
use crate::secrets::PlaceKind;

/// Providers one data folder may have.
const PROVIDERS_MAX: usize = 64;
const PRIVATE_HOSTS_MAX: usize = 64;
const LOCALE_MAX_CHARS: usize = 35;
/// More threads than any machine this runs on has use for.
const THREADS: RangeInclusive<u32> = 1..=256;
/// Tokens: less is of no use to an agent, and no model for one machine was trained on more.
const CONTEXT_TOKENS: RangeInclusive<u32> = 1_024..=1_048_576;
const UNLOAD_MINUTES: RangeInclusive<u32> = 1..=24 * 60;

/// What `settings.toml` holds. Unknown keys are errors; what is absent has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `PROVIDER/MODEL` for everything that does not say another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
    /// IANA name of the zone whose calendar days count; `None`: that of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// BCP 47 tag of the language agents answer in when nothing else is asked; `None`: English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub budget: BudgetSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub egress: EgressSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub local: LocalSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub secrets: SecretSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub updates: UpdateSettings,
    #[serde(skip_serializing_if = "is_default")]
    pub window: WindowSettings,
    /// In the order in which they were added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderSettings>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetSettings {
    /// US dollars a calendar day may cost over all runs; `None` does not limit.
    #[serde(with = "crate::amount", skip_serializing_if = "Option::is_none")]
    pub day_usd: Option<MicroUsd>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgressSettings {
    /// Single private targets tools may reach, each as exact `host:port`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub private_hosts: BTreeSet<String>,
}

/// The built-in model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalSettings {
    /// Id of the model; `None`: the best one installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `None`: all physical cores but one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Tokens the model holds; `None`: what it is good for. More needs more memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// Minutes without work after which it leaves memory; `None`: ten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unload_after_min: Option<u32>,
}

impl LocalSettings {
    fn check(&self) -> Result<()> {
        within("local.threads", self.threads, &THREADS)?;
        within("local.context", self.context, &CONTEXT_TOKENS)?;
        within(
            "local.unload_after_min",
            self.unload_after_min,
            &UNLOAD_MINUTES,
        )
    }
}

fn within(name: &str, value: Option<u32>, allowed: &RangeInclusive<u32>) -> Result<()> {
    match value {
        Some(value) if !allowed.contains(&value) => Err(ConfigError::value(
            format!("{name} is {value}"),
            format!(
                "Use {} to {}, or leave it away.",
                allowed.start(),
                allowed.end()
            ),
        )),
        _ => Ok(()),
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretSettings {
    /// Where secrets are kept; `None`: nobody has chosen yet, and none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceKind>,
}

/// New versions of the program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpdateSettings {
    /// Once a day it is asked whether there is one; otherwise only when a person asks.
    #[serde(skip_serializing_if = "is_default")]
    pub daily_check: bool,
}

/// The languages the window speaks.
pub const LANGUAGES: &[&str] = &["en", "fr", "sw", "pt", "ar"];
const LANGUAGE_DEFAULT: &str = "en";
const SHORTCUT_MAX_CHARS: usize = 40;
const RATE_MAX_CHARS: usize = 16;

/// What the person sees and hears, wherever the window is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WindowSettings {
    /// One of [`LANGUAGES`]; `None`: English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// ISO 3166 country code: how numbers and dates are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// ISO 4217 code of the money shown beside dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// So much of it is a US dollar, like `129.30`, as the person says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency_rate: Option<String>,
    /// The day of that rate, like `2026-11-20`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency_rate_date: Option<String>,
    /// Arabic is written with Arabic digits.
    #[serde(skip_serializing_if = "is_default")]
    pub arabic_digits: bool,
    /// `Some(false)`: no notification says that the person is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notifications: Option<bool>,
    /// Keys that call the quick window from anywhere, like `Ctrl+Alt+B`; `None`: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_shortcut: Option<String>,
    /// Keys of one letter do nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub no_letter_keys: bool,
}

impl WindowSettings {
    fn check(&self) -> Result<()> {
        let code = |name: &str, value: &Option<String>, letters: usize, hint: &str| match value {
            Some(value)
                if value.len() != letters || !value.bytes().all(|b| b.is_ascii_uppercase()) =>
            {
                let shown: String = value.chars().take(LOCALE_MAX_CHARS).collect();
                Err(ConfigError::value(
                    format!("window.{name} is '{shown}'"),
                    hint,
                ))
            }
            _ => Ok(()),
        };
        code(
            "region",
            &self.region,
            2,
            "Use a country code like KE or CI.",
        )?;
        code(
            "currency",
            &self.currency,
            3,
            "Use a currency code like KES or XOF.",
        )?;
        self.check_rate()?;
        if let Some(language) = &self.language
            && !LANGUAGES.contains(&language.as_str())
        {
            let shown: String = language.chars().take(LOCALE_MAX_CHARS).collect();
            let hint = format!("Use one of {}.", LANGUAGES.join(", "));
            return Err(ConfigError::value(
                format!("window.language is '{shown}'"),
                hint,
            ));
        }
        match &self.global_shortcut {
            Some(keys) if keys.is_empty() || keys.chars().count() > SHORTCUT_MAX_CHARS => {
                Err(ConfigError::value(
                    String::from("window.global_shortcut is no combination of keys"),
                    "Use one like Ctrl+Alt+B.",
                ))
            }
            _ => Ok(()),
        }
    }
}

impl WindowSettings {
    /// A rate is a number anybody can read back, and its day is one.
    fn check_rate(&self) -> Result<()> {
        if let Some(rate) = &self.currency_rate {
            let (whole, part) = rate.split_once('.').unwrap_or((rate, "0"));
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let is_number = digits(whole) && digits(part) && rate.len() <= RATE_MAX_CHARS;
            if !is_number || rate.bytes().all(|b| matches!(b, b'0' | b'.')) {
                let shown: String = rate.chars().take(RATE_MAX_CHARS).collect();
                return Err(ConfigError::value(
                    format!("window.currency_rate is '{shown}'"),
                    "Say how much of your currency a US dollar is, like 129.30.",
                ));
            }
        }
        if let Some(day) = &self.currency_rate_date
            && day.parse::<jiff::civil::Date>().is_err()
        {
            let shown: String = day.chars().take(RATE_MAX_CHARS).collect();
            return Err(ConfigError::value(
                format!("window.currency_rate_date is '{shown}'"),
                "Write the day like 2026-11-20.",
            ));
        }
        Ok(())
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Settings {
    /// The provider of this name.
    pub fn provider(&self, name: &str) -> Option<&ProviderSettings> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// Adds a provider, or replaces the one of that name in its place. `true`: it was there.
    ///
    /// # Errors
    /// If it breaks a rule, or there are too many.
    pub fn put_provider(&mut self, provider: ProviderSettings) -> Result<bool> {
        provider.check()?;
        let place = self
            .providers
            .iter()
            .position(|known| known.name == provider.name);
        match place {
            Some(place) => self.providers[place] = provider,
            None if self.providers.len() >= PROVIDERS_MAX => {
                return Err(ConfigError::value(
                    format!("there are {PROVIDERS_MAX} providers already"),
                    "Remove one first.",
                ));
            }
            None => self.providers.push(provider),
        }
        Ok(place.is_some())
    }

    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<()> {
        if self.providers.len() > PROVIDERS_MAX {
            let what = format!(
                "there are {} providers; at most {PROVIDERS_MAX} are allowed",
                self.providers.len()
            );
            return Err(ConfigError::value(what, "Remove some."));
        }
        let mut names = BTreeSet::new();
        for provider in &self.providers {
            provider.check()?;
            if !names.insert(&provider.name) {
                return Err(ConfigError::value(
                    format!("there are two providers called '{}'", provider.name),
                    "Rename or remove one of them.",
                ));
            }
        }
        if self.egress.private_hosts.len() > PRIVATE_HOSTS_MAX {
            return Err(ConfigError::value(
                format!("egress.private_hosts has more than {PRIVATE_HOSTS_MAX} entries"),
                "Each entry opens one target in your own network; keep those you need.",
            ));
        }
        for host in &self.egress.private_hosts {
            parse_private_host(host)?;
        }
        self.check_zone()?;
        self.check_locale()?;
        self.window.check()?;
        self.local.check()
    }

    /// The language of the window, the tray and the notifications.
    pub fn language(&self) -> &str {
        self.window.language.as_deref().unwrap_or(LANGUAGE_DEFAULT)
    }

    /// Whether a notification says that the person is needed.
    pub fn notifications(&self) -> bool {
        self.window.notifications.unwrap_or(true)
    }

    pub fn global_shortcut(&self) -> Option<&str> {
        self.window.global_shortcut.as_deref()
    }

    fn check_zone(&self) -> Result<()> {
        match &self.time_zone {
            Some(zone) if jiff::tz::TimeZone::get(zone).is_err() => Err(ConfigError::value(
                format!(
                    "'{}' is no time zone",
                    zone.chars().take(60).collect::<String>()
                ),
                "Use a name like Africa/Nairobi.",
            )),
            _ => Ok(()),
        }
    }

    fn check_locale(&self) -> Result<()> {
        let Some(locale) = &self.locale else {
            return Ok(());
        };
        let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if locale.len() > LOCALE_MAX_CHARS || !locale.split('-').all(part) {
            let shown: String = locale.chars().take(LOCALE_MAX_CHARS).collect();
            return Err(ConfigError::value(
                format!("'{shown}' is no language tag"),
                "Use one like en, sw or fr-CI.",
            ));
        }
        Ok(())
    }
}

/// One entry of `egress.private_hosts` in its exact form: lower case, `host:port`.
///
/// # Errors
/// If host or port is missing, or it holds more than the two.
pub fn parse_private_host(text: &str) -> Result<String> {
    let shown: String = text.chars().take(100).collect();
    let bad = || {
        ConfigError::value(
            format!("'{shown}' is not of the form host:port"),
            "Write exactly one target, like 192.168.1.20:8069 or [fd00::1]:443.",
        )
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(bad)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let inside = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    let fits = if bracketed {
        host.len() > 2 && host[1..host.len() - 1].chars().all(inside)
    } else {
        !host.is_empty() && host.chars().all(plain)
    };
    if !fits {
        return Err(bad());
    }
    Ok(format!("{}:{port}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_host_is_one_exact_target() {
        for (text, exact) in [
            ("192.168.1.20:8069", "192.168.1.20:8069"),
            ("Odoo.lan:80", "odoo.lan:80"),
            ("[FD00::1]:443", "[fd00::1]:443"),
        ] {
            assert_eq!(parse_private_host(text).unwrap(), exact);
        }
        for text in [
            "",
            "a",
            ":80",
            "a:",
            "a:0",
            "a:99999",
            "http://a:80",
            "a:80/x",
            "*:80",
            "[]:80",
            "fd00::1:443",
        ] {
            assert!(parse_private_host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_provider_keeps_its_place_when_it_is_added_again() {
        let mut settings = Settings::default();
        for name in ["b", "a"] {
            let new = ProviderSettings::new(name, "http://127.0.0.1:1");
            assert!(!settings.put_provider(new).unwrap());
        }
        let mut again = ProviderSettings::new("b", "http://127.0.0.1:2");
        again.model = Some(String::from("m"));
        assert!(settings.put_provider(again).unwrap());
        let names: Vec<&str> = settings
            .providers
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(
            settings.provider("b").unwrap().base_url,
            "http://127.0.0.1:2"
        );
    }
}
