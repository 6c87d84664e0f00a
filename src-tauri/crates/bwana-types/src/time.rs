//! Time as data: Unix milliseconds, RFC 3339 text, and durations as people write them. Nothing here reads a clock.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z. An integer in SQLite and in the journal.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// RFC 3339 in UTC with milliseconds, as every JSON answer shows it. What that cannot say (years beyond 9999) is shown
    /// as the last moment it can.
    pub fn to_rfc3339(self) -> String {
        let end = if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(end);
        format!("{time:.3}")
    }

    /// Whether it is a moment people can write down.
    pub fn is_speakable(self) -> bool {
        jiff::Timestamp::from_millisecond(self.0).is_ok()
    }

    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_ms()))
    }

    /// Milliseconds from `earlier` to here; zero if `earlier` is later.
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// The calendar day in `zone` (an IANA name; unknown names count as UTC), as `2026-11-25`.
    pub fn day_in(self, zone: &str) -> String {
        let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => time.to_zoned_datetime(zone).date().to_string(),
            Err(_) => String::from("1970-01-01"),
        }
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    /// RFC 3339.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(|time: jiff::Timestamp| Self(time.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// The one source of the present. Hosts implement it with the real clock, tests with a manual one.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// A span as people write it: `90s`, `5m`, `2h`, `7d`. Serialised as that text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    seconds: u32,
}

/// The longest span a file may ask for: ten years.
pub const DURATION_MAX_S: u32 = 10 * 366 * 86_400;

impl Duration {
    pub const fn from_s(seconds: u32) -> Self {
        Self { seconds }
    }

    pub const fn as_s(self) -> u32 {
        self.seconds
    }

    pub const fn as_ms(self) -> i64 {
        self.seconds as i64 * 1_000
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a duration; write a whole number and a unit, like 90s, 5m, 2h or 7d (at most ten years)"
)]
pub struct ParseDurationError(String);

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseDurationError(text.chars().take(40).collect());
        let unit = text.chars().last().ok_or_else(bad)?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(bad()),
        };
        let number = &text[..text.len() - 1];
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let seconds = number
            .parse::<u32>()
            .ok()
            .and_then(|n| n.checked_mul(factor))
            .ok_or_else(bad)?;
        if seconds > DURATION_MAX_S {
            Err(bad())
        } else {
            Ok(Self { seconds })
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
            if self.seconds > 0 && self.seconds.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.seconds / factor);
            }
        }
        write!(f, "{}s", self.seconds)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[0-9]+[smhd]$", "description": "A whole number and a unit: 90s, 5m, 2h, 7d"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown_as_written() {
        for text in ["90s", "5m", "2h", "7d", "0s"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "s",
            "5",
            "5 m",
            "-5m",
            "5w",
            "5.5h",
            "99999999999s",
            "9999d",
            "5é",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_shown_in_utc_with_milliseconds() {
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            Timestamp(1_764_072_000_123).to_rfc3339(),
            "2025-11-25T12:00:00.123Z"
        );
        assert!(Timestamp(i64::MAX).to_rfc3339().starts_with("9999-12-30T"));
        assert!(!Timestamp(i64::MAX).is_speakable());
    }

    #[test]
    fn a_day_is_the_calendar_day_of_the_zone() {
        let late = Timestamp(1_764_072_000_000 + 10 * 3_600_000); // 22:00 UTC
        assert_eq!(late.day_in("UTC"), "2025-11-25");
        assert_eq!(late.day_in("Africa/Nairobi"), "2025-11-26");
    }
}
