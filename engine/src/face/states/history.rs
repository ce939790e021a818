//! GetExecutionHistory.

use serde_json::Value;

use super::{JsonAnswer, need_arn, page::page};
use crate::app::App;

pub fn get(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "executionArn", &["execution"])?;
    let (look, stream) = match super::runs::child(app, arn)? {
        Some((look, child)) => (look, child.stream),
        None => (app.workflows.look(arn)?, 0),
    };
    let payloads = body["includeExecutionData"] != false;
    let mut events: Vec<Value> = look
        .history
        .iter()
        .filter(|event| event.stream == stream)
        .map(|event| event.wire(payloads))
        .collect();
    if body["reverseOrder"] == true {
        events.reverse();
    }
    page(body, "events", events)
}
