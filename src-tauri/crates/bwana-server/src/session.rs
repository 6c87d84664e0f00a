//! `POST /api/session`: a one-time code for the token of this process, and who the page is here.

use std::time::Instant;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::gate::Gate;
use crate::{refuse, rpc};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    code: String,
}

pub(crate) async fn exchange(State(gate): State<Gate>, request: Request) -> Response {
    let Exchange { code } = match rpc::read_json(request).await {
        Ok(exchange) => exchange,
        Err(refused) => return *refused,
    };
    match gate.keys.exchange(&code, Instant::now()) {
        Ok(token) => {
            let mut answer =
                Json(json!({ "token": token.expose(), "caller": gate.caller().as_str() }))
                    .into_response();
            let no_store = HeaderValue::from_static("no-store");
            answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
            answer
        }
        Err(refused) => refuse::session(refused),
    }
}
