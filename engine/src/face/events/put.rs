//! PutEvents and TestEventPattern.

use std::collections::BTreeMap;

use engine_events::{book::bus::named, pattern::Pattern};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fault, JsonAnswer, stopping};
use crate::app::App;

/// All entries of a call together, in bytes (EventBridge quota).
const CALL_LIMIT: usize = 256 * 1024;

/// AWS lets nobody speak for its services. The engine has no CodeCommit and no ECR that could tell of a change, so
/// these may be put by hand; so may S3's, for changes outside the engine and for CloudTrail's shape.
const CHANGES: [&str; 3] = ["aws.codecommit", "aws.ecr", "aws.s3"];

/// What an event must have for TestEventPattern.
const MANDATORY: [&str; 7] = [
    "id",
    "account",
    "source",
    "time",
    "region",
    "resources",
    "detail-type",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEvents {
    entries: Vec<Entry>,
    endpoint_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    time: Option<f64>,
    event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TestPattern {
    event_pattern: String,
    event: String,
}

pub(super) async fn events(app: &App, request: PutEvents) -> JsonAnswer {
    if request.endpoint_id.is_some() {
        return Err(Fault::not_built("events", "PutEvents with EndpointId"));
    }
    if request.entries.iter().map(size).sum::<usize>() > CALL_LIMIT {
        return Err(Fault::new(
            400,
            "ValidationException",
            "Total size of the entries in the request is over the limit.",
        ));
    }
    let mut by_bus: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut failed = 0;
    let mut results = Vec::new();
    for entry in &request.entries {
        match event(app, entry) {
            Ok((bus, event)) => {
                results.push(json!({"EventId": event["id"]}));
                by_bus.entry(bus).or_default().push(event);
            }
            Err((code, message)) => {
                failed += 1;
                results.push(json!({"ErrorCode": code, "ErrorMessage": message}));
            }
        }
    }
    for (bus, events) in by_bus {
        app.desk.publish(&bus, events).await.map_err(stopping)?;
    }
    Ok(json!({"FailedEntryCount": failed, "Entries": results}))
}

/// An entry as an event and the bus it goes to.
fn event(app: &App, entry: &Entry) -> Result<(String, Value), (&'static str, String)> {
    let missing = |name: &str| {
        let text = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        ("InvalidArgument", text)
    };
    let text = |value: &Option<String>, name: &str| {
        let value = value.clone().filter(|text| !text.is_empty());
        value.ok_or_else(|| missing(name))
    };
    let source = text(&entry.source, "Source")?;
    let detail_type = text(&entry.detail_type, "DetailType")?;
    let detail = text(&entry.detail, "Detail")?;
    if source.starts_with("aws.") && !CHANGES.contains(&source.as_str()) {
        let message = "Not authorized for the source.".to_owned();
        return Err(("NotAuthorizedForSourceException", message));
    }
    let detail: Value = serde_json::from_str(&detail)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
    let bus = named(entry.event_bus_name.as_deref());
    app.rules
        .read(|book| book.bus(bus).map(|_| ()))
        .map_err(|denied| (denied.code, denied.message))?;
    let given = entry
        .time
        .map(|seconds| Timestamp::from_second(seconds as i64));
    let time = given
        .and_then(Result::ok)
        .unwrap_or_else(|| app.clock.now());
    let home = app.rules.home();
    let event = json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": detail_type,
        "source": source,
        "account": home.account,
        "time": format!("{time:.0}"),
        "region": home.region,
        "resources": entry.resources,
        "detail": detail,
    });
    Ok((bus.to_owned(), event))
}

/// As EventBridge counts: the time is 14 bytes, everything else its UTF-8.
fn size(entry: &Entry) -> usize {
    let texts = [&entry.source, &entry.detail_type, &entry.detail];
    let texts = texts.into_iter().flatten().map(String::len);
    let resources = entry.resources.iter().map(String::len);
    texts.chain(resources).sum::<usize>() + entry.time.map_or(0, |_| 14)
}

pub(super) fn test_pattern(request: &TestPattern) -> JsonAnswer {
    let pattern = Pattern::compile(&request.event_pattern)
        .map_err(|error| Fault::new(400, "InvalidEventPatternException", error.to_string()))?;
    // unconfirmed
    let invalid = |reason: String| {
        let text = format!("Parameter Event is not valid. Reason: {reason}");
        Fault::new(400, "ValidationException", text)
    };
    let event: Value =
        serde_json::from_str(&request.event).map_err(|error| invalid(error.to_string()))?;
    if let Some(name) = MANDATORY.iter().find(|name| event.get(**name).is_none()) {
        return Err(invalid(format!("{name} is missing.")));
    }
    Ok(json!({"Result": pattern.matches(&event)}))
}
