//! Logs as plain text, for programs.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::app::App;

/// Bytes of one answer; a longer log is in its file.
const LIMIT: u64 = 16 << 20;

/// The output of one action execution.
pub async fn log(
    State(app): State<App>,
    Path((execution, action)): Path<(String, String)>,
) -> Response {
    match app.logs.read(&execution, &action, 0, LIMIT) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::warn!(%error, "a log cannot be read");
            (StatusCode::NOT_FOUND, "there is no such log\n").into_response()
        }
    }
}
