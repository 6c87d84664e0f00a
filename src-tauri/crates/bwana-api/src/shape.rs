//! Values as they cross the boundary: times as RFC 3339 text, money as US dollars. Everything a command answers is made
//! of these, so that a script, a socket and a window read the same.

use std::borrow::Cow;

use bwana_types::money::{MICRO_PER_USD, MicroUsd};
use bwana_types::time::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment: RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Self(Timestamp(time.as_millisecond())))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

/// An amount in US dollars, a JSON number; exact to a millionth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(pub MicroUsd);

impl Serialize for Dollars {
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact up to nine billion dollars"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let micro = self.0.0;
        if micro % MICRO_PER_USD == 0 {
            serializer.serialize_i64(micro / MICRO_PER_USD)
        } else {
            serializer.serialize_f64(micro as f64 / MICRO_PER_USD as f64)
        }
    }
}

impl<'de> Deserialize<'de> for Dollars {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "rounded, and out of range saturates"
    )]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let usd = f64::deserialize(deserializer)?;
        if !usd.is_finite() {
            return Err(D::Error::custom("not an amount"));
        }
        Ok(Self(MicroUsd((usd * MICRO_PER_USD as f64).round() as i64)))
    }
}

impl JsonSchema for Dollars {
    fn schema_name() -> Cow<'static, str> {
        "Dollars".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "number", "description": "US dollars"})
    }
}

/// The nearest of `known` to what was typed, if it is near enough to be a slip of the hand.
pub(crate) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// How alike two names must be, from 0 to 1.
    const NEAR_ENOUGH: f64 = 0.8;
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(typed, name), name))
        .filter(|(score, _)| *score >= NEAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Somebody's text, short enough to be repeated in a message.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN_MAX_CHARS: usize = 80;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN_MAX_CHARS {
        return line;
    }
    let cut: String = line.chars().take(SHOWN_MAX_CHARS).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_amounts_survive_their_text() {
        let time = Time(Timestamp(1_764_072_000_123));
        let text = serde_json::to_string(&time).unwrap();
        assert_eq!(text, "\"2025-11-25T12:00:00.123Z\"");
        assert_eq!(serde_json::from_str::<Time>(&text).unwrap(), time);
        for (micro, json) in [
            (0, "0"),
            (1, "1e-6"),
            (1_500_000, "1.5"),
            (-20_000, "-0.02"),
            (123_456_789_012_345, "123456789.012345"),
        ] {
            let amount = Dollars(MicroUsd(micro));
            assert_eq!(serde_json::to_string(&amount).unwrap(), json);
            assert_eq!(serde_json::from_str::<Dollars>(json).unwrap(), amount);
        }
    }

    #[test]
    fn a_slip_of_the_hand_is_recognised() {
        let known = ["business_setup", "market_expansion"];
        assert_eq!(nearest("busines_setup", known), Some("business_setup"));
        assert_eq!(nearest("weather", known), None);
    }
}
