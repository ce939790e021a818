//! EventBridge: PutEvents onto the engine's bus. Rules and targets are not built.

use engine_events::route::DEFAULT_BUS;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Fault, JsonAnswer};
use crate::app::App;

/// Entries of one call.
const ENTRIES: usize = 10;

/// Answers one operation.
///
/// # Errors
/// EventBridge's own refusals.
pub async fn call(app: &App, call: &Call) -> JsonAnswer {
    match call.operation.as_str() {
        "PutEvents" => put_events(app, call).await,
        other => Err(Fault::not_built("events", other)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    source: String,
    #[serde(default)]
    detail_type: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    time: Option<f64>,
}

async fn put_events(app: &App, call: &Call) -> JsonAnswer {
    let request: PutEvents = call.json()?;
    if request.entries.is_empty() || request.entries.len() > ENTRIES {
        let text = format!("Entries must hold 1 to {ENTRIES} events");
        return Err(Fault::new(400, "ValidationException", text));
    }
    let mut failed = 0;
    let mut events = Vec::new();
    let mut put = |entry: Entry| match event(app, entry) {
        Ok(mut event) => {
            let id = uuid::Uuid::new_v4().to_string();
            event["id"] = json!(id);
            events.push(event);
            json!({"EventId": id})
        }
        Err((code, message)) => {
            failed += 1;
            json!({"ErrorCode": code, "ErrorMessage": message})
        }
    };
    let entries: Vec<Value> = request.entries.into_iter().map(&mut put).collect();
    app.desk
        .publish(DEFAULT_BUS, events)
        .await
        .map_err(|refusal| Fault::new(500, refusal.exception, refusal.message))?;
    Ok(json!({"FailedEntryCount": failed, "Entries": entries}))
}

fn event(app: &App, entry: Entry) -> Result<Value, (&'static str, &'static str)> {
    for (value, problem) in [
        (&entry.source, "Parameter Source is not valid."),
        (&entry.detail_type, "Parameter DetailType is not valid."),
    ] {
        if value.is_empty() {
            return Err(("InvalidArgument", problem));
        }
    }
    if entry.source.starts_with("aws.") {
        return Err((
            "NotAuthorizedForSourceException",
            "Not authorized for the source.",
        ));
    }
    let detail: Value = serde_json::from_str(&entry.detail)
        .map_err(|_| ("MalformedDetail", "Detail is malformed."))?;
    let given = entry
        .time
        .map(|seconds| jiff::Timestamp::from_second(seconds as i64));
    let time = given
        .and_then(Result::ok)
        .unwrap_or_else(|| app.clock.now());
    Ok(json!({
        "version": "0",
        "detail-type": entry.detail_type,
        "source": entry.source,
        "account": app.config.engine.account,
        "time": format!("{time:.0}"),
        "region": app.config.engine.region,
        "resources": entry.resources,
        "detail": detail,
    }))
}
