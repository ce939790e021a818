//! EventBridge over JSON 1.1: rules, targets, buses, tags, PutEvents.

use engine_events::book::{Denied, NOT_BUILT};
use engine_plan::refusal::Refusal;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Call, Fault, JsonAnswer, constraint};
use crate::app::App;

mod buses;
mod model;
mod page;
mod put;
mod rules;
mod targets;

/// Answers one operation.
///
/// # Errors
/// EventBridge's own refusals, and those of what is not built.
pub async fn call(app: &App, call: &Call) -> JsonAnswer {
    let rules = &app.rules;
    match call.operation.as_str() {
        "PutRule" => rules::put(rules, request(call, model::PUT_RULE)?),
        "DescribeRule" => rules::describe(rules, &request(call, model::RULE)?),
        "EnableRule" => rules::set_enabled(rules, &request(call, model::RULE)?, true),
        "DisableRule" => rules::set_enabled(rules, &request(call, model::RULE)?, false),
        "DeleteRule" => rules::delete(rules, &request(call, model::RULE)?),
        "ListRules" => rules::list(rules, &request(call, model::LIST_RULES)?),
        "ListRuleNamesByTarget" => rules::by_target(rules, &request(call, model::RULES_BY_TARGET)?),
        "PutTargets" => targets::put(rules, request(call, model::PUT_TARGETS)?),
        "RemoveTargets" => targets::remove(rules, &request(call, model::REMOVE_TARGETS)?),
        "ListTargetsByRule" => targets::list(rules, &request(call, model::LIST_TARGETS)?),
        "PutEvents" => put::events(app, request(call, model::PUT_EVENTS)?).await,
        "TestEventPattern" => put::test_pattern(&request(call, model::TEST_PATTERN)?),
        "CreateEventBus" => buses::create(rules, request(call, model::CREATE_BUS)?),
        "DescribeEventBus" => buses::describe(rules, &request(call, model::DESCRIBE_BUS)?),
        "DeleteEventBus" => buses::delete(rules, &request(call, model::DELETE_BUS)?),
        "ListEventBuses" => buses::list(rules, &request(call, model::LIST_BUSES)?),
        "TagResource" => buses::tag(rules, request(call, model::TAG_RESOURCE)?),
        "UntagResource" => buses::untag(rules, &request(call, model::UNTAG_RESOURCE)?),
        "ListTagsForResource" => buses::tags(rules, &request(call, model::LIST_TAGS)?),
        other => Err(Fault::not_built("events", other)),
    }
}

fn request<T: DeserializeOwned>(
    call: &Call,
    members: &'static [constraint::Member],
) -> Result<T, Fault> {
    let body: Value = call.json()?;
    constraint::read(body, members).map_err(|refusal| {
        let message = lower_places(&refusal.message);
        Fault::new(400, refusal.exception, message)
    })
}

/// EventBridge's members begin with capitals on the wire and with small letters in its refusals.
fn lower_places(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some(at) = rest.find(" at '") {
        let (before, behind) = rest.split_at(at + " at '".len());
        out.push_str(before);
        let (place, behind) = behind.split_once('\'').unwrap_or((behind, ""));
        let lowered: Vec<String> = place.split('.').map(lower_first).collect();
        out.push_str(&lowered.join("."));
        out.push('\'');
        rest = behind;
    }
    out + rest
}

fn lower_first(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn done() -> JsonAnswer {
    Ok(json!({}))
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        match denied.code {
            NOT_BUILT => Self::not_built("events", &denied.message),
            "InternalException" => Self::new(500, denied.code, denied.message),
            _ => Self::new(400, denied.code, denied.message),
        }
    }
}

fn stopping(refusal: Refusal) -> Fault {
    Fault::new(500, refusal.exception, refusal.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_worded_as_eventbridge_does() {
        assert_eq!(
            lower_places(
                "1 validation error detected: Value 'A b' at 'Targets.1.member.Id' failed; Value null at 'Rule' failed"
            ),
            "1 validation error detected: Value 'A b' at 'targets.1.member.id' failed; Value null at 'rule' failed"
        );
    }
}
