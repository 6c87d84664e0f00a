//! Shapes into GBNF text. Equal parts become one rule, so the grammar stays small.
//! Source of the notation: llama.cpp's `grammars/README.md`.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::digits;
use super::shape::{Field, Shape, Shapes, json_string};

/// Characters a string may hold, and the short escapes. `\u` is left out: it can spell half a character.
const CHARACTER: &str = r#"[^"\\\x7F\x00-\x1F] | "\\" ["\\/nrt]"#;
/// llama.cpp unrolls a repetition into so many rules and refuses over 2,000; longer runs are counted in blocks.
const RUN_MAX: usize = 500;
const BLOCK_CHARS: usize = 64;

/// The grammar of `shapes`, rules in the order they are needed.
pub(super) fn write(shapes: &Shapes) -> String {
    let mut writer = Writer {
        shapes,
        rules: Vec::new(),
        known: HashMap::new(),
    };
    let root = writer.rule(&shapes.root);
    let mut text = format!("root ::= {root}\n");
    for (at, body) in writer.rules.iter().enumerate() {
        let _ = writeln!(text, "r{at} ::= {body}");
    }
    text
}

struct Writer<'s> {
    shapes: &'s Shapes,
    rules: Vec<String>,
    known: HashMap<String, usize>,
}

impl Writer<'_> {
    /// The name of the rule with this body.
    fn intern(&mut self, body: String) -> String {
        let at = *self.known.entry(body).or_insert_with_key(|body| {
            self.rules.push(body.clone());
            self.rules.len() - 1
        });
        format!("r{at}")
    }

    /// The name of the rule of `shape`.
    fn rule(&mut self, shape: &Shape) -> String {
        let body = match shape {
            Shape::Choice(texts) => texts
                .iter()
                .map(|text| literal(text))
                .collect::<Vec<_>>()
                .join(" | "),
            Shape::Text { min, max } => self.text(*min, *max),
            Shape::Integer { min, max } => digits::integer(*min, *max),
            Shape::Number(range) => digits::number(*range),
            Shape::Array { item, min, max } => self.array(item, *min, *max),
            Shape::Object(fields) => self.object(fields),
            Shape::AnyOf(branches) => {
                let names: Vec<String> = branches.iter().map(|branch| self.rule(branch)).collect();
                names.join(" | ")
            }
            Shape::Named(at) => {
                // Interned by content, so two references share their rules.
                let shapes = self.shapes;
                return match shapes.named.get(*at) {
                    Some(shape) => self.rule(shape),
                    None => self.intern(literal("null")),
                };
            }
        };
        self.intern(body)
    }

    fn text(&mut self, min: usize, max: Option<usize>) -> String {
        let character = self.intern(CHARACTER.to_owned());
        let run = match max {
            None if min == 0 => format!("{character}*"),
            None => format!("{character}{{{min}}} {character}*"),
            Some(max) if max - min <= RUN_MAX => {
                format!("{character}{{{min},{max}}}")
            }
            Some(max) => {
                let block = self.intern(format!("{character}{{{BLOCK_CHARS}}}"));
                let free = max - min;
                let (blocks, rest) = (free / BLOCK_CHARS - 1, free % BLOCK_CHARS);
                let start = if min == 0 {
                    String::new()
                } else {
                    format!("{character}{{{min}}} ")
                };
                format!(
                    "{start}{block}{{0,{blocks}}} {character}{{0,{}}}",
                    BLOCK_CHARS + rest
                )
            }
        };
        format!("{} {run} {}", literal("\""), literal("\""))
    }

    fn array(&mut self, item: &Shape, min: usize, max: usize) -> String {
        if max == 0 {
            return literal("[]");
        }
        let item = self.rule(item);
        let more = self.intern(format!("\",\" {item}"));
        let repeat = format!("{more}{{{},{}}}", min.saturating_sub(1), max - 1);
        let items = if max == 1 {
            item
        } else {
            format!("{item} {repeat}")
        };
        if min == 0 {
            format!("\"[\" ({items})? \"]\"")
        } else {
            format!("\"[\" {items} \"]\"")
        }
    }

    fn object(&mut self, fields: &[Field]) -> String {
        let pairs: Vec<String> = fields
            .iter()
            .map(|field| {
                let value = self.rule(&field.shape);
                let key = literal(&format!("{}:", json_string(&field.name)));
                self.intern(format!("{key} {value}"))
            })
            .collect();
        // `after[i]`: the fields from i on, when another stands before them.
        let mut after = vec![String::new(); fields.len() + 1];
        for (at, field) in fields.iter().enumerate().rev() {
            let rest = std::mem::take(&mut after[at + 1]);
            let pair = &pairs[at];
            let here = if field.required {
                format!("\",\" {pair} {rest}")
            } else {
                format!("(\",\" {pair})? {rest}")
            };
            after[at] = self.intern(here.trim_end().to_owned());
            after[at + 1] = rest;
        }
        // The first field that stands is any of the optional ones in front, or the first required one.
        let mut starts = Vec::new();
        let mut may_be_empty = true;
        for (at, field) in fields.iter().enumerate() {
            starts.push(
                format!("{} {}", pairs[at], after[at + 1])
                    .trim_end()
                    .to_owned(),
            );
            if field.required {
                may_be_empty = false;
                break;
            }
        }
        if starts.is_empty() {
            return literal("{}");
        }
        let optional = if may_be_empty { "?" } else { "" };
        format!("\"{{\" ({}){optional} \"}}\"", starts.join(" | "))
    }
}

/// `text` as a GBNF literal.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
