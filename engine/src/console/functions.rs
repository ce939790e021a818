//! Pages of functions: what they said when no action called them.

use std::io::{self, ErrorKind};

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{LOG_BYTES, Live, missing, page};
use crate::app::App;

#[derive(Template)]
#[template(path = "console/functions.html")]
struct Functions {
    names: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/function_log.html")]
struct FunctionLog {
    name: String,
    lines: String,
}

/// The functions that have a log.
pub async fn all(State(app): State<App>) -> Response {
    match app.logs.functions() {
        Ok(names) => page(&Functions { names }, Live::Off),
        Err(error) => unreadable(&error),
    }
}

/// The end of one function's log.
pub async fn one(State(app): State<App>, Path(name): Path<String>) -> Response {
    match app.logs.function_tail(&name, LOG_BYTES) {
        Ok(lines) if lines.is_empty() => missing("function"),
        Ok(lines) => {
            let lines = String::from_utf8_lossy(&lines).into_owned();
            page(&FunctionLog { name, lines }, Live::Off)
        }
        Err(error) if error.kind() == ErrorKind::InvalidInput => missing("function"),
        Err(error) => unreadable(&error),
    }
}

/// A log that is there and cannot be read.
pub fn unreadable(error: &io::Error) -> Response {
    tracing::warn!(%error, "a log cannot be read");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "the log cannot be read\n",
    )
        .into_response()
}
