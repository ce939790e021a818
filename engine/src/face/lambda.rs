//! Lambda: Invoke.

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use bytes::Bytes;

use crate::app::App;

/// Answers one request (`/2015-03-31/functions/NAME/invocations`).
pub async fn call(
    _app: &App,
    method: &Method,
    path: &str,
    _headers: &HeaderMap,
    _body: Bytes,
) -> Response {
    let mut response = Response::new(Body::from(format!("Lambda {method} {path} is not built")));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
}
