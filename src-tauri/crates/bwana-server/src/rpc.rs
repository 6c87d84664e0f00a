//! One command over HTTP: JSON in, JSON out, and the strict reading of a body that both POST routes share.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Path, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bwana_api::Events;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::gate::Authed;
use crate::limits::{HANDSHAKE_MAX, MESSAGE_MAX_BYTES};
use crate::refuse;

/// `POST /api/rpc/{name}`
pub(crate) async fn call(authed: Authed, Path(name): Path<String>, request: Request) -> Response {
    let params: Value = match read_json(request).await {
        Ok(params) => params,
        Err(refused) => return *refused,
    };
    match authed.call(&name, params, Events::none()).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => refuse::error(refuse::status_of(error.code), &error),
    }
}

/// The body as JSON, if it says that it is JSON: a form of another page cannot say so.
pub(crate) async fn read_json<T: DeserializeOwned>(request: Request) -> Result<T, Box<Response>> {
    let no = |status, message: &str| Err(Box::new(refuse::usage(status, message)));
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return no(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be application/json",
        );
    }
    let read = timeout(
        HANDSHAKE_MAX,
        to_bytes(request.into_body(), MESSAGE_MAX_BYTES),
    );
    let body = match read.await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error);
            if cause.is_some_and(|cause| cause.is::<LengthLimitError>()) {
                return no(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    &format!("a body has at most {MESSAGE_MAX_BYTES} bytes"),
                );
            }
            return no(StatusCode::BAD_REQUEST, "the body ended early");
        }
        Err(_) => return no(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
    };
    match serde_json::from_slice(&body) {
        Ok(value) => Ok(value),
        // The error's place, not its text: a body may hold a secret.
        Err(error) => no(
            StatusCode::BAD_REQUEST,
            &format!(
                "the body cannot be read at line {}, column {}",
                error.line(),
                error.column()
            ),
        ),
    }
}
