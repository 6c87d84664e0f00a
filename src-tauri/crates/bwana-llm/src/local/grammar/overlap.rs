//! Whether two shapes can describe the same value. `oneOf` demands exactly one match, and a grammar can only promise
//! that if its branches are apart. When in doubt the answer is that they overlap.

use super::shape::{Field, Shape, Shapes};

/// Whether no value written for `a` fits `b` and no value written for `b` fits `a`.
pub(super) fn are_apart(shapes: &Shapes, a: &Shape, b: &Shape) -> bool {
    match (resolve(shapes, a), resolve(shapes, b)) {
        (Shape::AnyOf(branches), other) | (other, Shape::AnyOf(branches)) => branches
            .iter()
            .all(|branch| are_apart(shapes, branch, other)),
        (Shape::Choice(x), Shape::Choice(y)) => x
            .iter()
            .all(|text| y.iter().all(|other| !is_same(text, other))),
        (Shape::Choice(texts), other) | (other, Shape::Choice(texts)) => {
            texts.iter().all(|text| kind_of_text(text) != kind(other))
        }
        (Shape::Object(x), Shape::Object(y)) => objects_apart(shapes, x, y),
        (x, y) => kind(x) != kind(y),
    }
}

/// Whether two JSON texts mean the same; 1 and 1.0 do. Lists and objects count as the same, whatever is in them.
fn is_same(a: &str, b: &str) -> bool {
    match kind_of_text(a) {
        Kind::Number => a.parse::<f64>().ok() == b.parse::<f64>().ok(),
        Kind::Array | Kind::Object => kind_of_text(a) == kind_of_text(b),
        Kind::Text | Kind::Word => a == b,
    }
}

fn resolve<'s>(shapes: &'s Shapes, shape: &'s Shape) -> &'s Shape {
    match shape {
        Shape::Named(at) => shapes
            .named
            .get(*at)
            .map_or(shape, |named| resolve(shapes, named)),
        _ => shape,
    }
}

/// Objects are apart if each needs a property the other never writes, or if a property both need tells them apart.
fn objects_apart(shapes: &Shapes, x: &[Field], y: &[Field]) -> bool {
    let missing_in = |own: &[Field], other: &[Field]| {
        own.iter()
            .any(|field| field.required && other.iter().all(|o| o.name != field.name))
    };
    if missing_in(x, y) && missing_in(y, x) {
        return true;
    }
    x.iter().filter(|field| field.required).any(|field| {
        y.iter().any(|other| {
            other.required
                && other.name == field.name
                && are_apart(shapes, &field.shape, &other.shape)
        })
    })
}

#[derive(PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Array,
    Object,
    Word,
}

fn kind(shape: &Shape) -> Kind {
    match shape {
        Shape::Text { .. } => Kind::Text,
        Shape::Integer { .. } | Shape::Number(_) => Kind::Number,
        Shape::Array { .. } => Kind::Array,
        Shape::Object(_) => Kind::Object,
        // Resolved or taken apart by the caller.
        Shape::Choice(_) | Shape::AnyOf(_) | Shape::Named(_) => Kind::Word,
    }
}

fn kind_of_text(json: &str) -> Kind {
    match json.bytes().next() {
        Some(b'"') => Kind::Text,
        Some(b'[') => Kind::Array,
        Some(b'{') => Kind::Object,
        Some(b't' | b'f' | b'n') => Kind::Word,
        _ => Kind::Number,
    }
}
