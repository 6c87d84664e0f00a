//! What a person has typed and not sent, by place: it outlives a reload and a power cut. The store keeps it, nobody else
//! reads it.

use bwana_types::error::{ApiError, ErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;

/// Bytes of a draft.
pub const DRAFT_MAX_BYTES: usize = 64 * 1024;
/// Places a draft may be kept for are named by the window, shortly.
const PLACE_MAX_BYTES: usize = 80;
const KEY: &str = "draft:";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftPlace {
    /// Like `home` or `run:<id>`.
    pub place: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    pub place: String,
    /// Empty: there is none, or none any more.
    pub text: String,
}

fn key(place: &str) -> Result<String, ApiError> {
    let fits = !place.is_empty()
        && place.len() <= PLACE_MAX_BYTES
        && place
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b":_-.".contains(&byte));
    if fits {
        return Ok(format!("{KEY}{place}"));
    }
    Err(ApiError::new(
        ErrorCode::UsageInvalid,
        "a draft's place is a short name",
    ))
}

pub(crate) async fn get(app: &App, _ctx: Ctx, request: DraftPlace) -> Result<Draft, ApiError> {
    let key = key(&request.place)?;
    let text = match app.maybe_store() {
        Some(store) => store.setting(&key)?.unwrap_or_default(),
        None => String::new(),
    };
    Ok(Draft {
        place: request.place,
        text,
    })
}

pub(crate) async fn set(app: &App, _ctx: Ctx, draft: Draft) -> Result<DraftPlace, ApiError> {
    let key = key(&draft.place)?;
    if draft.text.len() > DRAFT_MAX_BYTES {
        let message = format!("a draft has at most {DRAFT_MAX_BYTES} bytes");
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    let text = (!draft.text.is_empty()).then_some(draft.text.as_str());
    app.owner()?.set_setting(&key, text).await?;
    Ok(DraftPlace { place: draft.place })
}
