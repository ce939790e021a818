//! SES: version 2 (REST) and the sending operations of version 1 (Query).

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Method, StatusCode},
    response::Response,
};

use crate::app::App;

/// Answers one SESv2 request (`/v2/email/…`).
pub async fn call(_app: &App, method: &Method, path: &str, _body: &[u8]) -> Response {
    let mut response = Response::new(Body::from(format!("SES {method} {path} is not built")));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
}

/// Answers one SES version 1 request (Query protocol).
pub async fn query(_app: &App, action: &str, _form: &BTreeMap<String, String>) -> Response {
    let mut response = Response::new(Body::from(format!("SES {action} is not built")));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
}
