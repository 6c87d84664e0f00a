//! Money as integer micro-USD, so that sums are exact and a budget is never a cent off.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A millionth of a US dollar. Serialised as an integer.
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
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct MicroUsd(pub i64);

/// Micro-USD in one US dollar.
pub const MICRO_PER_USD: i64 = 1_000_000;

impl MicroUsd {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The price of `tokens` at `price` micro-USD per million tokens, rounded up: a budget must never under-count.
    #[must_use]
    pub fn of_tokens(tokens: u64, price_per_mtok: Self) -> Self {
        let product = i128::from(tokens) * i128::from(price_per_mtok.0);
        let rounded = (product + 999_999).div_euclid(1_000_000);
        Self(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for MicroUsd {
    /// Dollars with as many digits as the amount needs, at least two: `0.02`, `0.000150`, `1.50`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (
            self.0.unsigned_abs() / 1_000_000,
            self.0.unsigned_abs() % 1_000_000,
        );
        if fraction % 10_000 == 0 {
            write!(f, "{sign}{whole}.{:02}", fraction / 10_000)
        } else {
            write!(f, "{sign}{whole}.{fraction:06}")
        }
    }
}

/// Dollars in a file, kept as the number the person wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usd(pub serde_json::Number);

impl Usd {
    /// The amount in micro-USD.
    ///
    /// # Errors
    /// If the number is negative, too large or has more than six decimals.
    pub fn to_micro(&self) -> Result<MicroUsd, ParseMoneyError> {
        let mut text = self.0.to_string();
        if text.contains('e') {
            // `0.00001` comes back as `1e-5`; a float's own `Display` writes it without an exponent.
            text = self.0.as_f64().unwrap_or_default().to_string();
        }
        text.trim_end_matches(".0").parse()
    }
}

impl schemars::JsonSchema for Usd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "number", "minimum": 0, "description": "US dollars, like 1.50"})
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an amount in US dollars; write it like 1.50, with at most six decimals")]
pub struct ParseMoneyError(String);

impl FromStr for MicroUsd {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseMoneyError(text.chars().take(40).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || !digits(whole)
            || !digits(fraction)
            || fraction.len() > 6
            || text.ends_with('.')
        {
            return Err(bad());
        }
        let whole: i64 = whole.parse().map_err(|_| bad())?;
        let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| bad())?;
        whole
            .checked_mul(MICRO_PER_USD)
            .and_then(|w| w.checked_add(fraction))
            .map(Self)
            .ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, micro: i64, shown: &str) {
        let money: MicroUsd = text.parse().unwrap();
        assert_eq!(money, MicroUsd(micro));
        assert_eq!(money.to_string(), shown);
    }

    #[test]
    fn dollars_are_read_and_shown_exactly() {
        check("1", 1_000_000, "1.00");
        check("1.5", 1_500_000, "1.50");
        check("0.000001", 1, "0.000001");
        check("0.02", 20_000, "0.02");
    }

    #[test]
    fn a_tiny_amount_in_a_file_is_read_exactly() {
        for (text, micro) in [
            ("0.00001", 10),
            ("0.000001", 1),
            ("1e-5", 10),
            ("1.00", 1_000_000),
        ] {
            let usd: Usd = serde_json::from_str(text).unwrap();
            assert_eq!(usd.to_micro(), Ok(MicroUsd(micro)), "{text}");
        }
        let below: Usd = serde_json::from_str("0.0000001").unwrap();
        assert!(below.to_micro().is_err());
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "1e3",
            "1.0000001",
            "99999999999999999999",
            "1,50",
        ] {
            assert!(text.parse::<MicroUsd>().is_err(), "{text}");
        }
    }

    #[test]
    fn token_prices_round_up() {
        assert_eq!(MicroUsd::of_tokens(1, MicroUsd(150_000)), MicroUsd(1));
        assert_eq!(
            MicroUsd::of_tokens(1_000_000, MicroUsd(150_000)),
            MicroUsd(150_000)
        );
        assert_eq!(
            MicroUsd::of_tokens(u64::MAX, MicroUsd(i64::MAX)),
            MicroUsd(i64::MAX)
        );
    }
}
