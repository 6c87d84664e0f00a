//! What models cost, as data. An unknown price stays unknown: nobody is told that a call is free because nobody knows.
//! No prices are built in; they come from the person's settings, and change without a new release of the program.

use bwana_types::definition::Price;
use bwana_types::money::Usd;
use serde::{Deserialize, Serialize};

/// One line of a price list, in US dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceLine {
    /// The model this is for, exactly as it is asked for; `*` for every model of the provider without a line.
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Usd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Usd>,
}

/// What `model` costs by `lines`. A model on this machine costs nothing unless a line says otherwise.
pub fn price(lines: &[PriceLine], model: &str, is_loopback: bool) -> Price {
    let line = lines
        .iter()
        .find(|line| line.model == model)
        .or_else(|| lines.iter().find(|line| line.model == "*"));
    match line {
        Some(line) => {
            let amount = |usd: &Option<Usd>| usd.as_ref().and_then(|usd| usd.to_micro().ok());
            Price {
                input_per_mtok: amount(&line.input),
                output_per_mtok: amount(&line.output),
            }
        }
        None if is_loopback => Price::FREE,
        None => Price::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &str, model: &str, is_loopback: bool, shown: &str) {
        let lines: Vec<PriceLine> = serde_json::from_str(lines).unwrap();
        let price = price(&lines, model, is_loopback);
        let cost = price.cost(1_000_000, 1_000_000);
        assert_eq!(
            cost.map_or(String::from("unknown"), |c| c.to_string()),
            shown
        );
    }

    #[test]
    fn a_price_nobody_gave_is_unknown_and_never_zero() {
        check("[]", "m", false, "unknown");
        check(
            r#"[{"model":"other","input":1,"output":2}]"#,
            "m",
            false,
            "unknown",
        );
        check(r#"[{"model":"m","input":1}]"#, "m", false, "unknown");
    }

    #[test]
    fn a_model_on_this_machine_is_free_unless_said_otherwise() {
        check("[]", "m", true, "0.00");
        check(
            r#"[{"model":"m","input":0.5,"output":1.25}]"#,
            "m",
            true,
            "1.75",
        );
    }

    #[test]
    fn the_exact_line_comes_before_the_general_one() {
        let lines =
            r#"[{"model":"*","input":1,"output":1},{"model":"m:free","input":0,"output":0}]"#;
        check(lines, "m:free", false, "0.00");
        check(lines, "m", false, "2.00");
    }
}
