//! The tools every Bwana has. One file a tool; what they share in reading their arguments stands here.
//!
//! Their schemas keep to what every dialect and the grammar of the built-in model understand: object, array, string,
//! integer, `maxLength`, `maxItems`. Other ranges are checked by the tools.

mod file_read;
mod file_write;
mod http_get;
mod person_ask;
mod webhook_send;

use std::sync::Arc;

use serde_json::Value;

use crate::egress::Target;
use crate::error::ToolError;
use crate::tool::{Reach, Tool};
pub use file_read::FileRead;
pub use file_write::FILE_WRITE;
pub use file_write::FileWrite;
pub use http_get::HttpGet;
pub use person_ask::{PERSON_ASK, PersonAsk, Question};
pub use webhook_send::WebhookSend;

/// All built-in tools.
pub fn builtin() -> Vec<Arc<dyn Tool>> {
    vec![
        Arc::new(FileRead::default()),
        Arc::new(FileWrite::default()),
        Arc::new(HttpGet::default()),
        Arc::new(PersonAsk::default()),
        Arc::new(WebhookSend::default()),
    ]
}

/// Where a URL leads, if it is one.
fn reach_of(url: &str) -> Option<Reach> {
    let target = Target::parse(url).ok()?;
    let (path_chars, query_chars) = target.path_and_query_chars();
    Some(Reach {
        host: target.authority(),
        query_chars,
        path_chars,
    })
}

/// A text the schema requires. Empty if it is not there, which only a preview of unchecked arguments can meet.
fn text<'a>(args: &'a Value, name: &str) -> &'a str {
    args[name].as_str().unwrap_or_default()
}

/// A whole number that may be left out; models write it as `3`, `3.0` or `null`.
fn whole_number(args: &Value, name: &str, default: u64) -> Result<u64, ToolError> {
    let bad = || ToolError::InvalidArgs(format!("'{name}' must be a whole number from 0 on."));
    match &args[name] {
        Value::Null => Ok(default),
        Value::Number(number) => number
            .as_u64()
            .or_else(|| {
                number
                    .as_f64()
                    .filter(|x| x.fract() == 0.0 && (0.0..=9e15).contains(x))
                    .map(whole)
            })
            .ok_or_else(bad),
        _ => Err(bad()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller has checked that it is whole, not negative and below 2^53"
)]
fn whole(x: f64) -> u64 {
    x as u64
}

/// A number with a thin separator people can read: 1,234,567.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_as_models_write_them() {
        for (args, value) in [
            (json!({}), 7),
            (json!({"n": null}), 7),
            (json!({"n": 3}), 3),
            (json!({"n": 3.0}), 3),
        ] {
            assert_eq!(whole_number(&args, "n", 7).unwrap(), value);
        }
        for args in [
            json!({"n": -1}),
            json!({"n": 1.5}),
            json!({"n": "3"}),
            json!({"n": 1e300}),
            json!({"n": [3]}),
        ] {
            assert!(whole_number(&args, "n", 7).is_err(), "{args}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        let all: Vec<String> = [0, 12, 123, 1_234, 123_456, 1_234_567]
            .into_iter()
            .map(grouped)
            .collect();
        assert_eq!(all, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
