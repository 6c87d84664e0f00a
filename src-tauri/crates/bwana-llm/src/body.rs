//! What request bodies with settings inside settings need beside the fields of the first level: the caller's settings
//! join ours, and what a model once wrote as arguments is sent as an object.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bwana_types::model::LlmError;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::openai_chat::encode::{no_json, readable_args, size_hint};
use crate::repair::Turn;

/// An object of settings, to which the caller may add under the same `key` of `extra`: theirs win one by one, not all
/// or nothing. Takes `key` out of `extra`, so that it is not written twice, and what is refused out of ours.
pub(crate) fn join_settings(
    key: &str,
    mut ours: Map<String, Value>,
    extra: &mut Cow<'_, Map<String, Value>>,
    omit: &BTreeSet<String>,
) -> Map<String, Value> {
    ours.retain(|name, _| !omit.contains(name));
    if extra.get(key).is_some_and(Value::is_object)
        && let Some(Value::Object(theirs)) = extra.to_mut().remove(key)
    {
        ours.extend(theirs);
    }
    ours
}

/// `body` as JSON, with room for `turns` from the beginning.
///
/// # Errors
/// `BadRequest` for what JSON cannot say.
pub(crate) fn to_bytes(body: &impl Serialize, turns: &[Turn<'_>]) -> Result<Vec<u8>, LlmError> {
    let mut bytes = Vec::with_capacity(size_hint(turns));
    serde_json::to_writer(&mut bytes, body).map_err(|error| no_json(&error))?;
    Ok(bytes)
}

/// Arguments as an object that is written into a body as it stands.
pub(crate) fn args_object(args: &str) -> Box<RawValue> {
    RawValue::from_string(readable_args(args).into_owned()).unwrap_or_default()
}
