//! DynamoDB, JSON 1.0.

use axum::response::Response;
use http::HeaderValue;

use super::call::{Fault, respond};
use crate::app::App;

/// Answers one operation.
///
/// # Errors
/// The operation is not built, or the body is not text.
pub async fn call(app: &App, operation: &str, body: &[u8]) -> Result<Response, Fault> {
    let body = std::str::from_utf8(body)
        .map_err(|_| Fault::new(400, "SerializationException", "the body is not UTF-8"))?;
    let body = if body.is_empty() { "{}" } else { body };
    let (status, text) = match app.tables.call(operation, body).await {
        Some(Ok(text)) => (200, text),
        Some(Err(fault)) => (fault.status, fault.body),
        None => return Err(Fault::not_built("dynamodb", operation)),
    };
    let sum = crc32fast::hash(text.as_bytes());
    let mut response = respond(status, "application/x-amz-json-1.0", text);
    // Clients check it where it is there.
    response
        .headers_mut()
        .insert("x-amz-crc32", HeaderValue::from(sum));
    Ok(response)
}
