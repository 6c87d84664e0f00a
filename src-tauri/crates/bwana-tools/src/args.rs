//! From the text a model wrote to a JSON object that can be trusted to mean one thing only. Knows no tool and no schema.
//!
//! Stricter than serde_json on purpose. A person approves what is shown and a hash binds it, so nothing may be read in
//! two ways: no key twice, no integer that loses digits in canonical JSON, no key with a meaning inside serde_json.

use std::fmt;

use bwana_types::hash::canonical_json;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and arrays inside each other.
pub const ARGS_DEPTH_MAX: usize = 32;
/// The largest integer every JSON reader understands alike: 2^53 - 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Keys with this prefix mean something to serde_json itself.
const RESERVED_KEY_PREFIX: &str = "$serde_json::private::";

/// Reads one JSON object. No text at all counts as `{}`, which is how models call a tool without arguments.
///
/// # Errors
/// A sentence a model can act on: what is wrong, and where.
pub fn parse_args(raw: &str) -> Result<Value, String> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut reader = serde_json::Deserializer::from_str(raw);
    let value = Plain { depth: 0 }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| {
            if error.is_eof() {
                format!("the JSON is cut off ({error}); send the whole object")
            } else {
                error.to_string()
            }
        })?;
    match value {
        Value::Object(_) => Ok(value),
        Value::String(_) => {
            Err("they are a string; send the object itself, not JSON inside a string".into())
        }
        other => Err(format!("they are {}, not an object", kind_of(&other))),
    }
}

/// RFC 8785 text: the same arguments always give the same text. Arguments must come from [`parse_args`].
pub fn canonical_args(args: &Value) -> String {
    String::from_utf8_lossy(&canonical_json(args)).into_owned()
}

pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Builds a plain [`Value`] at some depth.
#[derive(Clone, Copy)]
struct Plain {
    depth: usize,
}

impl Plain {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == ARGS_DEPTH_MAX {
            return Err(E::custom(format!(
                "nested deeper than {ARGS_DEPTH_MAX} levels"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value > INTEGER_MAX {
            return Err(E::custom(format!(
                "the integer {value} is too large; write it as a string"
            )));
        }
        Ok(value.into())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > INTEGER_MAX {
            return Err(E::custom(format!(
                "the integer {value} is too large; write it as a string"
            )));
        }
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        // An integer too long for 64 bits arrives here as well, already rounded.
        if value.fract() == 0.0 && value.abs() > 9_007_199_254_740_991.0 {
            return Err(E::custom(format!(
                "the number {value:e} is too large; write it as a string"
            )));
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let shown = || crate::visible::visible(&key, 60);
            if key.starts_with(RESERVED_KEY_PREFIX) {
                return Err(A::Error::custom(format!(
                    "the key '{}' is reserved",
                    shown()
                )));
            }
            if fields.contains_key(&key) {
                return Err(A::Error::custom(format!(
                    "the key '{}' stands there twice",
                    shown()
                )));
            }
            let value = map.next_value_seed(inner)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check_refused(raw: &str, says: &str) {
        let error = parse_args(raw).unwrap_err();
        assert!(error.contains(says), "{raw:.80} gave: {error}");
    }

    #[test]
    fn an_object_is_read_as_it_stands() {
        let value = parse_args(r#" {"a":[1,-2,3.5,null,true,"x"],"b":{"c":{}}} "#).unwrap();
        assert_eq!(
            value,
            json!({"a": [1, -2, 3.5, null, true, "x"], "b": {"c": {}}})
        );
        assert_eq!(parse_args("  ").unwrap(), json!({}));
    }

    #[test]
    fn what_is_no_object_is_named() {
        check_refused("[]", "an array, not an object");
        check_refused("7", "a number, not an object");
        check_refused("null", "null, not an object");
        check_refused(r#""{\"url\":\"x\"}""#, "not JSON inside a string");
    }

    #[test]
    fn broken_json_is_located() {
        check_refused(r#"{"url": "http://x"#, "cut off");
        check_refused(r#"{"url"#, "cut off");
        check_refused(r"{'url': 'x'}", "line 1 column 2");
        check_refused(r#"{"a":1} and then some"#, "trailing characters");
        check_refused("I would like to fetch a page", "expected value");
        check_refused(r#"{"a":1,}"#, "trailing comma");
        check_refused(r#"{"a":NaN}"#, "expected value");
    }

    #[test]
    fn nothing_can_be_read_in_two_ways() {
        check_refused(r#"{"to":"a","to":"b"}"#, "'to' stands there twice");
        check_refused(r#"{"a":{"x":1,"\u0078":2}}"#, "'x' stands there twice");
        check_refused(r#"{"n":9007199254740993}"#, "too large");
        check_refused(r#"{"n":-9007199254740993}"#, "too large");
        check_refused(r#"{"n":123456789012345678901234567890}"#, "too large");
        check_refused(r#"{"n":1e400}"#, "out of range");
        check_refused(r#"{"$serde_json::private::RawValue":"[1]"}"#, "reserved");
        check_refused(
            r#"{"a":{"\u0024serde_json::private::Number":"1"}}"#,
            "reserved",
        );
    }

    #[test]
    fn depth_is_bounded_before_it_costs_stack() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(parse_args(&nested(ARGS_DEPTH_MAX - 1)).is_ok());
        check_refused(&nested(ARGS_DEPTH_MAX), "deeper than 32 levels");
        check_refused(&nested(200_000), "deeper than 32 levels");
        check_refused(&"{\"a\":".repeat(100_000), "deeper than 32 levels");
    }

    #[test]
    fn key_order_does_not_change_the_canonical_text() {
        let a = parse_args(r#"{"b":1.0,"a":"é"}"#).unwrap();
        let b = parse_args(r#"{"a":"\u00e9","b":1}"#).unwrap();
        assert_eq!(canonical_args(&a), canonical_args(&b));
        assert_eq!(canonical_args(&a), r#"{"a":"é","b":1}"#);
    }

    proptest! {
        #[test]
        fn any_text_gives_arguments_or_a_sentence(raw in any::<String>()) {
            let _ = parse_args(&raw);
        }

        #[test]
        fn canonical_text_is_read_back_as_the_same_arguments(
            n in -9_007_199_254_740_991_i64..=9_007_199_254_740_991, x in -1e15_f64..1e15, text in any::<String>()
        ) {
            let raw = json!({"n": n, "x": x, "text": text, "list": [n, {"x": x}]}).to_string();
            let canonical = canonical_args(&parse_args(&raw).unwrap());
            prop_assert_eq!(canonical_args(&parse_args(&canonical).unwrap()), canonical);
        }
    }
}
