//! Lambda: Invoke.

use axum::response::Response;

use super::{Call, Fault};
use crate::app::App;

/// Answers one request (`/2015-03-31/functions/NAME/invocations`).
pub async fn call(_app: &App, call: &Call) -> Response {
    Fault::not_built("lambda", call.uri.path()).into_json("1.1")
}
