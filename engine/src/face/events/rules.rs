//! Rules: PutRule, DescribeRule, EnableRule, DisableRule, DeleteRule, ListRules, ListRuleNamesByTarget.

use std::collections::BTreeMap;

use engine_events::book::{Rule, Wanted, bus::named};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    JsonAnswer,
    buses::{Tag, tag_map},
    done,
    page::{Page, page},
};
use crate::eventbridge::EventRules;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Put {
    name: String,
    schedule_expression: Option<String>,
    event_pattern: Option<String>,
    state: Option<String>,
    description: Option<String>,
    role_arn: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    name: String,
    event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    name_prefix: Option<String>,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByTarget {
    target_arn: String,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

pub(super) fn put(rules: &EventRules, request: Put) -> JsonAnswer {
    let bus = named(request.event_bus_name.as_deref());
    let arn = rules.home().rule_arn(bus, &request.name);
    let text = |value: Option<String>| value.filter(|text| !text.is_empty());
    let wanted = Wanted {
        name: request.name,
        pattern: text(request.event_pattern),
        schedule: text(request.schedule_expression),
        disabled: request.state.as_deref() == Some("DISABLED"),
        description: request.description,
        role_arn: request.role_arn,
        tags: tag_map(request.tags),
    };
    rules.change(|book, now| book.put_rule(bus, wanted, now))?;
    Ok(json!({"RuleArn": arn}))
}

pub(super) fn describe(rules: &EventRules, request: &Named) -> JsonAnswer {
    let bus = named(request.event_bus_name.as_deref());
    rules.read(|book| {
        let rule = book.rule(bus, &request.name)?;
        let mut shown = shown(rules, bus, &request.name, rule);
        shown.insert("CreatedBy".to_owned(), json!(rules.home().account));
        Ok(Value::Object(shown))
    })
}

pub(super) fn set_enabled(rules: &EventRules, request: &Named, enabled: bool) -> JsonAnswer {
    let bus = named(request.event_bus_name.as_deref());
    rules.change(|book, now| book.set_enabled(bus, &request.name, enabled, now))?;
    done()
}

pub(super) fn delete(rules: &EventRules, request: &Named) -> JsonAnswer {
    let bus = named(request.event_bus_name.as_deref());
    rules.change(|book, _| book.delete_rule(bus, &request.name))?;
    done()
}

pub(super) fn list(rules: &EventRules, request: &List) -> JsonAnswer {
    let bus = named(request.event_bus_name.as_deref());
    let wanted = Page {
        limit: request.limit,
        token: request.next_token.as_deref(),
    };
    let prefix = request.name_prefix.as_deref().unwrap_or_default();
    rules.read(|book| {
        let found = book.bus(bus)?.rules.iter();
        let found = found.filter(|(name, _)| name.starts_with(prefix));
        let items =
            found.map(|(name, rule)| (name.as_str(), Value::Object(shown(rules, bus, name, rule))));
        page("Rules", &wanted, items)
    })
}

pub(super) fn by_target(rules: &EventRules, request: &ByTarget) -> JsonAnswer {
    let bus = named(request.event_bus_name.as_deref());
    let wanted = Page {
        limit: request.limit,
        token: request.next_token.as_deref(),
    };
    rules.read(|book| {
        let found = book.bus(bus)?.rules.iter();
        let found = found.filter(|(_, rule)| {
            let mut targets = rule.targets.values();
            targets.any(|target| target.arn == request.target_arn)
        });
        page(
            "RuleNames",
            &wanted,
            found.map(|(name, _)| (name.as_str(), json!(name))),
        )
    })
}

fn shown(rules: &EventRules, bus: &str, name: &str, rule: &Rule) -> Map<String, Value> {
    let state = if rule.enabled { "ENABLED" } else { "DISABLED" };
    let mut members: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    members.insert("EventPattern", rule.pattern.as_deref());
    members.insert("ScheduleExpression", rule.schedule.as_deref());
    members.insert("Description", rule.description.as_deref());
    members.insert("RoleArn", rule.role_arn.as_deref());
    members.insert("Name", Some(name));
    members.insert("State", Some(state));
    members.insert("EventBusName", Some(bus));
    let mut shown: Map<String, Value> = members
        .into_iter()
        .filter_map(|(member, value)| Some((member.to_owned(), json!(value?))))
        .collect();
    shown.insert("Arn".to_owned(), json!(rules.home().rule_arn(bus, name)));
    shown
}
