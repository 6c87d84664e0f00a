//! What the request bodies of all dialects have in common: the caller's own fields win, refused fields stay out, texts
//! are borrowed, and what a model once wrote is sent as something that can be read.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bwana_types::model::{ErrorKind, LlmError, OutputSchema};
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::repair::{Piece, Turn};

/// The fields of a body: what the caller adds by hand wins, what the provider refuses stays out.
pub(crate) struct Fields<'a, M> {
    map: M,
    extra: &'a Map<String, Value>,
    omit: &'a BTreeSet<String>,
    /// Fields of `extra` that are already written, together with ours.
    merged: Vec<&'a str>,
}

impl<'a, M: SerializeMap> Fields<'a, M> {
    pub(crate) fn new(map: M, extra: &'a Map<String, Value>, omit: &'a BTreeSet<String>) -> Self {
        Self {
            map,
            extra,
            omit,
            merged: Vec::new(),
        }
    }

    pub(crate) fn put<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
    ) -> Result<(), M::Error> {
        if self.extra.contains_key(key) || self.omit.contains(key) {
            return Ok(());
        }
        self.map.serialize_entry(key, value)
    }

    /// An object of settings, to which the caller may add: theirs win key by key, not all or nothing.
    pub(crate) fn put_object(
        &mut self,
        key: &'a str,
        mut ours: Map<String, Value>,
    ) -> Result<(), M::Error> {
        ours.retain(|name, _| !self.omit.contains(name));
        match self.extra.get(key) {
            Some(Value::Object(theirs)) => {
                ours.extend(theirs.clone());
                self.merged.push(key);
                self.map.serialize_entry(key, &ours)
            }
            _ if ours.is_empty() => Ok(()),
            _ => self.put(key, &ours),
        }
    }

    pub(crate) fn end(mut self) -> Result<M::Ok, M::Error> {
        for (key, value) in self.extra {
            if !self.merged.contains(&key.as_str()) {
                self.map.serialize_entry(key, value)?;
            }
        }
        self.map.end()
    }
}

/// Refuses a request that names no model.
///
/// # Errors
/// `BadRequest`
pub(crate) fn named(model: &str) -> Result<(), LlmError> {
    if model.is_empty() {
        return Err(LlmError::new(
            ErrorKind::BadRequest,
            "cannot be asked without the name of a model; choose one of its list",
        ));
    }
    Ok(())
}

/// `body` as JSON, with room for `turns` from the beginning.
///
/// # Errors
/// `BadRequest` for what JSON cannot say.
pub(crate) fn to_bytes(body: &impl Serialize, turns: &[Turn<'_>]) -> Result<Vec<u8>, LlmError> {
    let mut bytes = Vec::with_capacity(size_hint(turns));
    serde_json::to_writer(&mut bytes, body).map_err(|error| {
        LlmError::new(
            ErrorKind::BadRequest,
            format!("cannot be asked this: it does not fit into JSON ({error})"),
        )
    })?;
    Ok(bytes)
}

/// The schema in words, for providers that take it in no other way.
pub(crate) fn in_words(output: &OutputSchema) -> String {
    format!(
        "Answer with one JSON value and nothing else. It must be valid for this JSON Schema:\n{}",
        output.schema
    )
}

/// Texts as one; a single text is not copied.
pub(crate) fn joined<'a>(texts: &[&'a str]) -> Cow<'a, str> {
    match texts {
        [] => Cow::Borrowed(""),
        [only] => Cow::Borrowed(only),
        several => Cow::Owned(several.join("\n\n")),
    }
}

/// Arguments as text that parses: servers with chat templates fail on what does not, and a cut call stays in history.
pub(crate) fn readable_args(args: &str) -> Cow<'_, str> {
    if args.trim().is_empty() {
        Cow::Borrowed("{}")
    } else if is_object(args) {
        Cow::Borrowed(args)
    } else {
        Cow::Owned(json!({ "unreadable_arguments": args }).to_string())
    }
}

/// The same, as JSON that is written into a body as it stands.
pub(crate) fn args_object(args: &str) -> Box<RawValue> {
    RawValue::from_string(readable_args(args).into_owned()).unwrap_or_default()
}

fn is_object(args: &str) -> bool {
    serde_json::from_str::<&RawValue>(args)
        .is_ok_and(|value| value.get().trim_start().starts_with('{'))
}

/// Room for the body, so that a long conversation is written without growing the buffer again and again.
fn size_hint(turns: &[Turn<'_>]) -> usize {
    const AROUND_MESSAGE_BYTES: usize = 64;
    const AROUND_BODY_BYTES: usize = 1_024;
    let pieces = turns.iter().flat_map(|turn| &turn.pieces);
    let texts = pieces.map(|piece| match piece {
        Piece::Text(text) | Piece::Reasoning { text, .. } => text.len() + AROUND_MESSAGE_BYTES,
        Piece::Image { data, .. } => data.len() + AROUND_MESSAGE_BYTES,
        Piece::Call { args, .. } => args.len() + 2 * AROUND_MESSAGE_BYTES,
        Piece::Result { content, .. } => content.len() + 2 * AROUND_MESSAGE_BYTES,
    });
    texts.sum::<usize>() + AROUND_BODY_BYTES
}
