//! What a JSON value may look like, after the schema's wording is gone: the form grammars and prompts are made from.

use std::fmt::Write as _;

/// Longest description of a property that is shown to a model, in characters.
const HINT_MAX_CHARS: usize = 100;
/// Choices named in a signature before it says that there are more.
const SIGNATURE_CHOICES_MAX: usize = 12;
/// JSON text of the longest number a grammar writes, in bytes.
const NUMBER_MAX_BYTES: usize = 32;

/// A shape and the named shapes it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Shapes {
    pub root: Shape,
    /// Referred to by [`Shape::Named`]; no shape refers to itself, directly or through others.
    pub named: Vec<Shape>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// One of these JSON texts.
    Choice(Vec<String>),
    /// A string of so many characters; no upper bound = as long as there are tokens.
    Text {
        min: usize,
        max: Option<usize>,
    },
    /// A whole number within inclusive bounds.
    Integer {
        min: i64,
        max: i64,
    },
    Number(Range),
    Array {
        item: Box<Shape>,
        min: usize,
        max: usize,
    },
    Object(Vec<Field>),
    AnyOf(Vec<Shape>),
    /// An index into [`Shapes::named`].
    Named(usize),
}

/// Whole bounds of a number that may have a fraction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    pub min: Option<i64>,
    pub min_excluded: bool,
    pub max: Option<i64>,
    pub max_excluded: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub shape: Shape,
    pub required: bool,
    /// What the property means, for a prompt.
    pub hint: Option<String>,
}

impl Field {
    pub fn required(name: &str, shape: Shape) -> Self {
        Self {
            name: name.to_owned(),
            shape,
            required: true,
            hint: None,
        }
    }

    /// JSON text of the key with its colon, in bytes.
    fn key_bytes(&self) -> usize {
        json_string(&self.name).len() + 1
    }
}

impl Shapes {
    pub fn of(root: Shape) -> Self {
        Self {
            root,
            named: Vec::new(),
        }
    }

    /// Adds the shapes of another schema to these; answers its root, to be used among ours.
    pub fn adopt(&mut self, other: Shapes) -> Shape {
        let offset = self.named.len();
        self.named
            .extend(other.named.into_iter().map(|shape| shift(shape, offset)));
        shift(other.root, offset)
    }

    /// The most bytes that can be missing at any point of a value that is ended as soon as possible.
    pub fn closing_bytes(&self) -> usize {
        self.closing(&self.root)
    }

    fn closing(&self, shape: &Shape) -> usize {
        match shape {
            Shape::Object(fields) => {
                let begun = fields
                    .iter()
                    .map(|field| field.key_bytes() + self.closing(&field.shape))
                    .max()
                    .unwrap_or(0);
                2 + begun + self.required_bytes(fields)
            }
            Shape::Array { item, min, .. } => {
                2 + self.closing(item) + min * (self.shortest(item) + 1)
            }
            Shape::AnyOf(branches) => branches.iter().map(|b| self.closing(b)).max().unwrap_or(0),
            Shape::Named(at) => self.named.get(*at).map_or(0, |shape| self.closing(shape)),
            Shape::Choice(_) | Shape::Text { .. } | Shape::Integer { .. } | Shape::Number(_) => {
                self.shortest(shape)
            }
        }
    }

    /// Bytes after which a value of this shape can be over, if it was steered there from its beginning.
    fn shortest(&self, shape: &Shape) -> usize {
        match shape {
            // Which choice it will be is not steered.
            Shape::Choice(texts) => texts.iter().map(String::len).max().unwrap_or(0),
            // The longest character of a text that cannot be ended yet has four bytes.
            Shape::Text { min, .. } => 2 + min * 4,
            Shape::Integer { .. } | Shape::Number(_) => NUMBER_MAX_BYTES,
            Shape::Array { item, min, .. } => 2 + min * (self.shortest(item) + 1),
            Shape::Object(fields) => 2 + self.required_bytes(fields),
            Shape::AnyOf(branches) => branches.iter().map(|b| self.shortest(b)).max().unwrap_or(0),
            Shape::Named(at) => self.named.get(*at).map_or(0, |shape| self.shortest(shape)),
        }
    }

    fn required_bytes(&self, fields: &[Field]) -> usize {
        fields
            .iter()
            .filter(|field| field.required)
            .map(|field| 1 + field.key_bytes() + self.shortest(&field.shape))
            .sum()
    }
}

fn shift(shape: Shape, offset: usize) -> Shape {
    match shape {
        Shape::Named(at) => Shape::Named(at + offset),
        Shape::Array { item, min, max } => Shape::Array {
            item: Box::new(shift(*item, offset)),
            min,
            max,
        },
        Shape::AnyOf(branches) => {
            Shape::AnyOf(branches.into_iter().map(|b| shift(b, offset)).collect())
        }
        Shape::Object(fields) => Shape::Object(
            fields
                .into_iter()
                .map(|field| Field {
                    shape: shift(field.shape, offset),
                    ..field
                })
                .collect(),
        ),
        Shape::Choice(_) | Shape::Text { .. } | Shape::Integer { .. } | Shape::Number(_) => shape,
    }
}

/// A short description of a shape for a prompt, in the notation small models have seen most:
/// `{"path": string, "mode"?: "new"|"append"}`.
pub fn signature(shapes: &Shapes) -> String {
    let mut text = String::new();
    describe(shapes, &shapes.root, &mut text);
    text
}

fn describe(shapes: &Shapes, shape: &Shape, out: &mut String) {
    match shape {
        Shape::Choice(texts) => {
            out.push_str(
                &texts
                    .iter()
                    .take(SIGNATURE_CHOICES_MAX)
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join("|"),
            );
            if texts.len() > SIGNATURE_CHOICES_MAX {
                out.push_str("|...");
            }
        }
        Shape::Text { .. } => out.push_str("string"),
        Shape::Integer { .. } => out.push_str("integer"),
        Shape::Number(_) => out.push_str("number"),
        Shape::Array { item, .. } => {
            out.push('[');
            describe(shapes, item, out);
            out.push_str(", ...]");
        }
        Shape::Object(fields) => {
            out.push('{');
            for (at, field) in fields.iter().enumerate() {
                let comma = if at > 0 { ", " } else { "" };
                let optional = if field.required { "" } else { "?" };
                let _ = write!(out, "{comma}{}{optional}: ", json_string(&field.name));
                describe(shapes, &field.shape, out);
                if let Some(hint) = field.hint.as_deref().filter(|hint| !hint.is_empty()) {
                    let _ = write!(out, " ({})", cut(hint));
                }
            }
            out.push('}');
        }
        Shape::AnyOf(branches) => {
            for (at, branch) in branches.iter().enumerate() {
                if at > 0 {
                    out.push_str(" or ");
                }
                describe(shapes, branch, out);
            }
        }
        Shape::Named(at) => {
            if let Some(shape) = shapes.named.get(*at) {
                describe(shapes, shape, out);
            }
        }
    }
}

/// The first sentence or so of a description, on one line.
fn cut(hint: &str) -> String {
    let line = hint.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= HINT_MAX_CHARS {
        return line;
    }
    let mut short: String = line.chars().take(HINT_MAX_CHARS - 3).collect();
    short.push_str("...");
    short
}

/// `text` as a JSON string.
pub(super) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
