//! Event buses and tags.

use std::collections::BTreeMap;

use engine_events::{
    book::{Bus, bus::named},
    route::DEFAULT_BUS,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Fault, JsonAnswer, done,
    page::{Page, page},
};
use crate::eventbridge::EventRules;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    name: String,
    description: Option<String>,
    event_source_name: Option<String>,
    dead_letter_config: Option<Value>,
    log_config: Option<Value>,
    kms_key_identifier: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    name_prefix: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
pub(super) struct Tags {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(rename = "Tags", default)]
    tags: Vec<Tag>,
    #[serde(rename = "TagKeys", default)]
    keys: Vec<String>,
}

pub(super) fn tag_map(tags: Vec<Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

pub(super) fn create(rules: &EventRules, request: Create) -> JsonAnswer {
    let Create {
        name,
        description,
        event_source_name,
        dead_letter_config,
        log_config,
        kms_key_identifier,
        tags,
    } = request;
    for (member, set) in [
        ("EventSourceName", event_source_name.is_some()),
        ("DeadLetterConfig", dead_letter_config.is_some()),
        ("LogConfig", log_config.is_some()),
        ("KmsKeyIdentifier", kms_key_identifier.is_some()),
    ] {
        if set {
            return Err(Fault::not_built("events", &format!("buses with {member}")));
        }
    }
    let arn = rules.home().bus_arn(&name);
    let mut answer = json!({"EventBusArn": arn});
    if let Some(description) = &description {
        answer["Description"] = json!(description);
    }
    rules.change(|book, now| book.create_bus(&name, description, tag_map(tags), now))?;
    Ok(answer)
}

pub(super) fn describe(rules: &EventRules, request: &Named) -> JsonAnswer {
    let name = named(request.name.as_deref());
    rules.read(|book| Ok(shown(rules, name, book.bus(name)?)))
}

pub(super) fn delete(rules: &EventRules, request: &Named) -> JsonAnswer {
    let name = request.name.as_deref().unwrap_or(DEFAULT_BUS);
    rules.change(|book, _| book.delete_bus(name))?;
    done()
}

pub(super) fn list(rules: &EventRules, request: &List) -> JsonAnswer {
    let wanted = Page {
        limit: request.limit,
        token: request.next_token.as_deref(),
    };
    let prefix = request.name_prefix.as_deref().unwrap_or_default();
    rules.read(|book| {
        let buses = book.buses().iter();
        let buses = buses.filter(|(name, _)| name.starts_with(prefix));
        page(
            "EventBuses",
            &wanted,
            buses.map(|(name, bus)| (name.as_str(), shown(rules, name, bus))),
        )
    })
}

pub(super) fn tag(rules: &EventRules, request: Tags) -> JsonAnswer {
    let home = rules.home().clone();
    rules.change(|book, _| book.tag(&home, &request.arn, tag_map(request.tags)))?;
    done()
}

pub(super) fn untag(rules: &EventRules, request: &Tags) -> JsonAnswer {
    let home = rules.home().clone();
    rules.change(|book, _| book.untag(&home, &request.arn, &request.keys))?;
    done()
}

pub(super) fn tags(rules: &EventRules, request: &Tags) -> JsonAnswer {
    rules.read(|book| {
        let tags = book.tags(rules.home(), &request.arn)?;
        let tags = tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}));
        Ok(json!({"Tags": tags.collect::<Vec<_>>()}))
    })
}

fn shown(rules: &EventRules, name: &str, bus: &Bus) -> Value {
    let mut shown = json!({"Name": name, "Arn": rules.home().bus_arn(name)});
    if let Some(description) = &bus.description {
        shown["Description"] = json!(description);
    }
    if let Some(created) = bus.created {
        let seconds = created.as_millisecond() as f64 / 1000.0;
        shown["CreationTime"] = json!(seconds);
        shown["LastModifiedTime"] = json!(seconds);
    }
    shown
}
