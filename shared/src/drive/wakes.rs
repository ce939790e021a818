//! Which events are a reason to look: starts of the own type, schedules, callbacks.

use serde_json::Value;

use crate::{
    config::worker::WorkerSettings,
    event::{State, StateChange, Subject},
    host::is_callback,
    wire::eventbridge::Event,
};

/// Whether an event is a reason to look for jobs, or why not.
pub fn wakes(event: &Value, settings: &WorkerSettings) -> Result<(), &'static str> {
    if is_schedule(event) {
        return Ok(());
    }
    if is_callback(event) {
        return posted(event);
    }
    let change = Event::try_from(event.clone()).and_then(StateChange::try_from);
    let Ok(change) = change else {
        return Err("it is neither a schedule's event nor a state change of a pipeline");
    };
    let Subject::Action(action) = change.subject else {
        return Err("it is no state change of an action");
    };
    let (kind, own) = (action.kind, &settings.kind);
    let ours = kind.owner == "Custom"
        && kind.category == own.category
        && kind.provider == own.provider
        && kind.version == own.version;
    match (ours, change.state) {
        (false, _) => Err("the action is of another type"),
        (true, State::Started) => Ok(()),
        (true, _) => Err("the action did not start"),
    }
}

/// A callback is a POST.
pub(super) fn posted(event: &Value) -> Result<(), &'static str> {
    let method = event.pointer("/requestContext/http/method");
    match method.and_then(Value::as_str) {
        Some("POST") => Ok(()),
        _ => Err("a callback comes as POST"),
    }
}

/// Whether a schedule fired.
pub(super) fn is_schedule(event: &Value) -> bool {
    let source = event.get("source").and_then(Value::as_str);
    matches!(source, Some("aws.events" | "aws.scheduler"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_starts_of_the_own_type_and_schedules_wake() {
        let settings = WorkerSettings {
            kind: "Test/HttpCheck/1".parse().unwrap(),
            query: None,
            most: 5,
        };
        let change = |owner: &str, provider: &str, state: &str| {
            json!({
                "id": "e", "detail-type": "CodePipeline Action Execution State Change", "source": "aws.codepipeline",
                "account": "1", "time": "2026-01-24T22:03:07Z", "region": "eu-west-1",
                "detail": {"pipeline": "p", "execution-id": "1234", "state": state, "stage": "S", "action": "A",
                    "type": {"owner": owner, "provider": provider, "category": "Test", "version": "1"}}
            })
        };
        for (event, expected) in [
            (change("Custom", "HttpCheck", "STARTED"), Ok(())),
            (
                json!({"source": "aws.events", "detail-type": "Scheduled Event"}),
                Ok(()),
            ),
            (
                json!({"requestContext": {"http": {"method": "POST"}}}),
                Ok(()),
            ),
            (
                json!({"requestContext": {"http": {"method": "GET"}}}),
                Err("a callback comes as POST"),
            ),
            (
                change("Custom", "HttpCheck", "FAILED"),
                Err("the action did not start"),
            ),
            (
                change("AWS", "HttpCheck", "STARTED"),
                Err("the action is of another type"),
            ),
            (
                change("Custom", "Jenkins", "STARTED"),
                Err("the action is of another type"),
            ),
            (
                json!({"source": "aws.s3", "detail-type": "x"}),
                Err("it is neither a schedule's event nor a state change of a pipeline"),
            ),
        ] {
            assert_eq!(wakes(&event, &settings), expected, "{event}");
        }
    }
}
