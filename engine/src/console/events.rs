//! Events as EventBridge sends them: a page of the newest, and as JSON.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::{Live, page};
use crate::app::App;

/// Events listed.
const EVENTS: usize = 200;

#[derive(Template)]
#[template(path = "console/events.html")]
struct Events {
    events: Vec<Row>,
}

struct Row {
    time: String,
    kind: String,
    place: String,
    state: String,
    class: &'static str,
}

/// The newest events, newest first.
pub(super) async fn listed(State(app): State<App>) -> Response {
    let all = app.bus.since(0);
    let events = all
        .iter()
        .rev()
        .take(EVENTS)
        .map(|event| row(&event.item))
        .collect();
    page(&Events { events }, Live::Off)
}

/// The events that are kept, oldest first, as EventBridge sends them; with `?execution=ID` those of that execution.
pub(super) async fn sent(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let wanted = query
        .split('&')
        .find_map(|part| part.strip_prefix("execution="));
    let of = |event: &Value| match wanted {
        None => true,
        Some(execution) => event["detail"]["execution-id"] == execution,
    };
    let all = app.bus.since(0);
    let events: Vec<&Value> = all.iter().map(|it| &*it.item).filter(|it| of(it)).collect();
    let body = json!({"events": events}).to_string();
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn row(event: &Value) -> Row {
    let text = |key: &str| event["detail"][key].as_str().unwrap_or_default().to_owned();
    let place = [text("pipeline"), text("stage"), text("action")]
        .into_iter()
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join(" / ");
    Row {
        time: event["time"].as_str().unwrap_or_default().to_owned(),
        kind: event["detail-type"].as_str().unwrap_or_default().to_owned(),
        place,
        class: match text("state").as_str() {
            "SUCCEEDED" => "succeeded",
            "FAILED" => "failed",
            "STARTED" | "RESUMED" => "running",
            _ => "idle",
        },
        state: text("state"),
    }
}
