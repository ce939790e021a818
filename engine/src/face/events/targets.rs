//! Targets of rules: PutTargets, RemoveTargets, ListTargetsByRule.

use engine_events::{book::bus::named, target::Target};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Fault, JsonAnswer,
    page::{Page, page},
};
use crate::eventbridge::EventRules;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Put {
    rule: String,
    event_bus_name: Option<String>,
    targets: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Remove {
    rule: String,
    event_bus_name: Option<String>,
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    rule: String,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

pub(super) fn put(rules: &EventRules, request: Put) -> JsonAnswer {
    let bus = named(request.event_bus_name.as_deref());
    let targets = request.targets.into_iter().map(target);
    let targets: Vec<Target> = targets.collect::<Result<_, _>>()?;
    rules.change(|book, _| book.put_targets(bus, &request.rule, targets))?;
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

/// A target with members that would be kept and never honoured is refused.
fn target(sent: Value) -> Result<Target, Fault> {
    let mut unknown = sent
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .filter(|name| name.ends_with("Parameters") || *name == "DeadLetterConfig");
    if let Some(name) = unknown.next() {
        return Err(Fault::not_built("events", &format!("targets with {name}")));
    }
    serde_json::from_value(sent)
        .map_err(|error| Fault::new(400, "SerializationException", error.to_string()))
}

pub(super) fn remove(rules: &EventRules, request: &Remove) -> JsonAnswer {
    let bus = named(request.event_bus_name.as_deref());
    rules.change(|book, _| book.remove_targets(bus, &request.rule, &request.ids))?;
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

pub(super) fn list(rules: &EventRules, request: &List) -> JsonAnswer {
    let bus = named(request.event_bus_name.as_deref());
    let wanted = Page {
        limit: request.limit,
        token: request.next_token.as_deref(),
    };
    rules.read(|book| {
        let found = book.rule(bus, &request.rule)?.targets.iter();
        page(
            "Targets",
            &wanted,
            found.map(|(id, target)| (id.as_str(), json!(target))),
        )
    })
}
