//! KMS, JSON 1.1 (`X-Amz-Target: TrentService.…`).

use axum::{body::Body, http::StatusCode, response::Response};
use serde_json::Value;

use crate::app::App;

/// Answers one operation.
pub async fn call(_app: &App, operation: &str, _body: &Value) -> Response {
    let mut response = Response::new(Body::from(format!("KMS {operation} is not built")));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
}
