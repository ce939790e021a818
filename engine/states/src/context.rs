//! The context object: `$$`, `$states.context`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::machine::{Frame, Item, Machine, ROOT};

/// A time as AWS writes it: milliseconds, UTC.
#[must_use]
pub fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The context of a frame's state. `item` is the item an ItemSelector looks at.
pub(crate) fn build(
    machine: &Machine,
    frame: &Frame,
    state: &str,
    retriable: bool,
    item: Option<&Item>,
) -> Value {
    let mut context = Map::new();
    if let Some(stream) = machine.streams.get(&frame.stream) {
        let mut execution = json!({
            "Id": stream.arn,
            "Input": &*stream.input,
            "StartTime": time(stream.started),
            "Name": stream.name,
            "RoleArn": machine.identity.role_arn,
        });
        if frame.stream == ROOT && machine.kind == crate::definition::Type::Standard {
            execution["RedriveCount"] = machine.redrives.into();
            if let Some(at) = machine.redriven_at {
                execution["RedriveTime"] = time(at).into();
            }
        }
        context.insert("Execution".to_owned(), execution);
    }
    context.insert(
        "StateMachine".to_owned(),
        json!({"Id": machine.identity.machine_arn, "Name": machine.identity.machine_name}),
    );
    let mut own = json!({"Name": state, "EnteredTime": time(frame.entered_at)});
    if retriable {
        own["RetryCount"] = frame.retry_count.into();
    }
    context.insert("State".to_owned(), own);
    if let Some(token) = &frame.token {
        context.insert("Task".to_owned(), json!({"Token": token}));
    }
    if let Some(item) = item.or(frame.item.as_deref()) {
        context.insert(
            "Map".to_owned(),
            json!({"Item": {"Index": item.index, "Value": &*item.value}}),
        );
    }
    Value::Object(context)
}
