//! How the host says no over HTTP: a status, and the same error object that commands answer with.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bwana_types::error::{ApiError, ErrorCode};
use serde_json::json;

use crate::keys::Refused;

/// An answer that is an error.
pub(crate) fn error(status: StatusCode, error: &ApiError) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

pub(crate) fn usage(status: StatusCode, message: &str) -> Response {
    error(status, &ApiError::new(ErrorCode::UsageInvalid, message))
}

/// Without the token, or with a wrong one.
pub(crate) fn session(refused: Refused) -> Response {
    let (status, message) = match refused {
        Refused::Wrong => (
            StatusCode::UNAUTHORIZED,
            "this page has no session here, or its code no longer works",
        ),
        Refused::TooMany => (
            StatusCode::TOO_MANY_REQUESTS,
            "too many wrong tries within a minute",
        ),
    };
    and_close(error(
        status,
        &ApiError::new(ErrorCode::SessionRefused, message),
    ))
}

/// Whoever does not belong here gives the place back at once.
pub(crate) fn and_close(mut refused: Response) -> Response {
    let close = HeaderValue::from_static("close");
    refused.headers_mut().insert(header::CONNECTION, close);
    refused
}

/// The status of a command's own error.
pub(crate) fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::PolicyNotYours | ErrorCode::PolicyDenied => StatusCode::FORBIDDEN,
        ErrorCode::UsageNotFound => StatusCode::NOT_FOUND,
        ErrorCode::HomeInUse | ErrorCode::TaskAlreadyDecided | ErrorCode::RunBusy => {
            StatusCode::CONFLICT
        }
        code if code.exit_code() == bwana_types::error::ExitCode::Usage => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
