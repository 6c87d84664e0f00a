//! From a JSON Schema to a grammar that a small model cannot leave.
//!
//! A local model is held to a schema token by token, by llama.cpp's GBNF. The grammar writes compact JSON (no free
//! whitespace, on which small models loop), properties in the order of the schema, and every string, list and number
//! is bounded. The subset: objects, arrays with `minItems`/`maxItems`, strings with `minLength`/`maxLength`, `enum`,
//! `const`, integers and numbers with whole bounds, booleans, null, `anyOf`, `oneOf` whose branches cannot overlap,
//! and `$defs` without recursion. Everything else is refused with its place and the reason, at validation time.
//!
//! Pure. What a model is told about the schema in words is [`signature`]; the rest of the prompt is `prompt`'s.

mod digits;
mod gbnf;
#[cfg(test)]
mod matcher;
mod overlap;
mod parse;
mod shape;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use shape::{Field, Shape, Shapes, signature};

/// Characters in a string that sets no `maxLength`.
pub const STRING_DEFAULT_MAX_CHARS: usize = 1_000;
/// Characters in any string, whatever its `maxLength` allows.
pub const STRING_MAX_CHARS: usize = 8_000;
/// Items in a list that sets no `maxItems`.
pub const ITEMS_DEFAULT_MAX: usize = 16;
/// Items in any list.
pub const ITEMS_MAX: usize = 256;
/// Values in one `enum`, and branches of one `anyOf`.
pub const CHOICES_MAX: usize = 256;
/// How deep a schema may be nested, `$ref` included.
pub const DEPTH_MAX: usize = 24;
/// Parts (types, properties, branches) a schema may have in all.
pub const PARTS_MAX: usize = 1_000;
/// Digits of a whole number: every such number is exact in a double.
pub const INTEGER_MAX_DIGITS: u32 = 15;
/// Digits behind the decimal point.
pub const FRACTION_MAX_DIGITS: usize = 6;
/// The longest grammar that is handed to llama.cpp, in bytes.
pub const GBNF_MAX_BYTES: usize = 256 * 1024;

/// A grammar whose start rule is `root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grammar {
    pub gbnf: String,
    /// From any point of any answer there is an end at most this many bytes away, and so at most this many tokens.
    pub closing_bytes: usize,
}

/// Why a schema cannot be held to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the local model cannot be held to this schema: at '{path}': {reason}")]
pub struct SchemaError {
    /// JSON pointer into the schema; `#` is the schema itself.
    pub path: String,
    pub reason: String,
}

/// Builds the grammar of `schema`.
///
/// # Errors
/// [`SchemaError`] for anything outside the subset, or a schema over the limits above.
pub fn grammar_for(schema: &Value) -> Result<Grammar, SchemaError> {
    grammar_of(&parse::parse(schema)?)
}

/// Whether the local model can be held to `schema`; for validation, long before a call.
///
/// # Errors
/// As [`grammar_for`].
pub fn check_schema(schema: &Value) -> Result<(), SchemaError> {
    grammar_for(schema).map(|_| ())
}

/// Reads `schema` into the shapes grammars and prompts are made from.
///
/// # Errors
/// As [`grammar_for`].
pub fn shapes_of(schema: &Value) -> Result<Shapes, SchemaError> {
    parse::parse(schema)
}

/// Builds the grammar of shapes that were read or put together.
///
/// # Errors
/// `SchemaError` if the grammar would be longer than [`GBNF_MAX_BYTES`].
pub fn grammar_of(shapes: &Shapes) -> Result<Grammar, SchemaError> {
    let gbnf = gbnf::write(shapes);
    if gbnf.len() > GBNF_MAX_BYTES {
        return Err(SchemaError {
            path: String::from("#"),
            reason: format!(
                "its grammar has {} bytes and may have {GBNF_MAX_BYTES}; use fewer or shorter choices",
                gbnf.len()
            ),
        });
    }
    Ok(Grammar {
        gbnf,
        closing_bytes: shapes.closing_bytes(),
    })
}
