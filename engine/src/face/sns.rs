//! SNS, Query protocol.

use std::collections::BTreeMap;

use axum::{body::Body, http::StatusCode, response::Response};

use crate::app::App;

/// Answers one request; `form` are all parameters, `Action` and `Version` included.
pub async fn call(_app: &App, action: &str, _form: &BTreeMap<String, String>) -> Response {
    let mut response = Response::new(Body::from(format!("SNS {action} is not built")));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
}
