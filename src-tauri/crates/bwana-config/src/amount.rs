//! US dollars in the settings file: written as people write them (`1.50`), kept as micro-USD.

use bwana_types::money::{MICRO_PER_USD, MicroUsd};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// More than anybody sets here, and far below where a float stops to be exact to a millionth.
const USD_MAX: f64 = 1_000_000.0;

#[expect(clippy::ref_option, reason = "the signature serde's `with` asks for")]
pub(crate) fn serialize<S: Serializer>(
    amount: &Option<MicroUsd>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serializer.serialize_some(&to_usd(*amount)),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<MicroUsd>, D::Error> {
    let usd = f64::deserialize(deserializer)?;
    from_usd(usd).map(Some).ok_or_else(|| {
        D::Error::custom(format!(
            "{usd} is not an amount in US dollars; write it like 1.50, not negative and with at most six decimals"
        ))
    })
}

/// Exact to a millionth for every amount a settings file may hold.
#[expect(
    clippy::cast_precision_loss,
    reason = "amounts here are far below 2^53 micro-USD"
)]
fn to_usd(amount: MicroUsd) -> f64 {
    amount.0 as f64 / MICRO_PER_USD as f64
}

fn from_usd(usd: f64) -> Option<MicroUsd> {
    if !(0.0..=USD_MAX).contains(&usd) {
        return None;
    }
    // Through the text, so that 0.59 is 0.59 and not 0.5899999….
    format!("{usd:.7}")
        .strip_suffix('0')
        .and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact_both_ways() {
        for micro in [0, 1, 10, 590_000, 790_000, 1_500_000, 999_999_999_999] {
            assert_eq!(from_usd(to_usd(MicroUsd(micro))), Some(MicroUsd(micro)));
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for usd in [-0.01, f64::NAN, f64::INFINITY, 1e9, 0.000_000_1] {
            assert_eq!(from_usd(usd), None, "{usd}");
        }
    }
}
